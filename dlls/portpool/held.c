/*
 * Who holds the prefix's reserved ports
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hash.h"
#include "portpool_private.h"

/* Where a sample is taken, and how often that is tried. */
#define SAMPLE_FIRST 49152
#define SAMPLE_PORTS 16384
#define SAMPLE_TRIES 16

/* A process that has placeholders. Wine is asked once about each, however many ports it has. */
struct held_owner
{
    UINT64 owner;
    DWORD process;
    UT_hash_handle hh;
};

static void held_forget(struct held_owner **owners)
{
    struct held_owner *owner, *next;

    HASH_ITER(hh, *owners, owner, next)
    {
        HASH_DEL(*owners, owner);
        HeapFree(GetProcessHeap(), 0, owner);
    }
}

/* The owner's process, 0 if it has ended. */
static DWORD held_process(struct held_owner **owners, UINT64 number)
{
    struct held_owner *owner;
    DWORD process;

    HASH_FIND(hh, *owners, &number, sizeof(number), owner);
    if (owner) return owner->process;

    process = table_owner_process(number);
    if (!(owner = HeapAlloc(GetProcessHeap(), 0, sizeof(*owner)))) return process;
    owner->owner = number;
    owner->process = process;
    HASH_ADD(hh, *owners, owner, sizeof(owner->owner), owner);
    if (!owner->hh.tbl) HeapFree(GetProcessHeap(), 0, owner);
    return process;
}

/* Who has the placeholder of a port; 0 for nobody. */
static UINT64 held_by(const struct port_table *table, UINT protocol, USHORT port)
{
    uint64_t owner;

    switch (port_table_lookup(table, protocol, port, &owner))
    {
    case PORT_RUNTIME:
        return owner;
    case PORT_PERSISTENT:
        return __atomic_load_n(&table->holder, __ATOMIC_ACQUIRE);
    case PORT_FREE:
    case PORT_BINDING:
        break;
    }
    return 0;
}

BOOL held_find_holder(DWORD *process, UINT64 *owner)
{
    const struct port_table *table = table_find();

    *owner = table ? __atomic_load_n(&table->holder, __ATOMIC_ACQUIRE) : 0;
    *process = *owner ? table_owner_process(*owner) : 0;
    return !!*process;
}

BOOL held_list(enum portpool_protocol protocol, DWORD processes[PORTPOOL_PORTS])
{
    const struct port_table *table = table_find();
    struct held_owner *owners = NULL;
    UINT64 owner, last = 0;
    BOOL found = FALSE;
    DWORD process = 0;

    if (!table) return FALSE;
    for (UINT port = 0; port < PORTPOOL_PORTS; port++)
    {
        processes[port] = 0;
        if (!(owner = held_by(table, protocol, port))) continue;
        if (owner != last) process = held_process(&owners, last = owner);
        if ((processes[port] = process)) found = TRUE;
    }
    held_forget(&owners);
    return found;
}

/* Holds a port for as long as the call back takes. */
static BOOL held_sample_port(struct port_table *table, UINT protocol, USHORT port,
                             portpool_look_function look, void *context)
{
    int fd = -1;
    struct unix_hold_params hold = {
        .fds = (ULONG_PTR)&fd, .protocol = protocol, .start = port, .count = 1};
    struct unix_drop_params drop = {.fds = (ULONG_PTR)&fd, .count = 1};
    uint16_t conflict;

    if (!port_table_claim(table, protocol, port, 1, table_owner(), table_owner_alive, &conflict))
        return FALSE;
    unix_call(UNIX_CALL_HOLD, &hold);
    if (!hold.status)
    {
        look(port, context);
        unix_call(UNIX_CALL_DROP, &drop);
    }
    port_table_free(table, protocol, port, 1, table_owner());
    return !hold.status;
}

BOOL held_sample(enum portpool_protocol protocol, portpool_look_function look, void *context)
{
    struct port_table *table = table_map();
    struct unix_random_params random;

    if (!table) return FALSE;
    for (UINT tries = 0; tries < SAMPLE_TRIES; tries++)
    {
        unix_call(UNIX_CALL_RANDOM, &random);
        if (held_sample_port(table, protocol, SAMPLE_FIRST + random.value % SAMPLE_PORTS, look,
                             context))
            return TRUE;
    }
    return FALSE;
}
