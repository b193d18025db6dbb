/*
 * Who uses the ports of blocks and ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The port table knows who has drawn a port, but neither who has bound one by number, nor whether a
 * socket was closed since, nor where else it is open: that the handles tell.
 */
#include "portpool_private.h"

#include <stdlib.h>

struct uses
{
    const BYTE *wanted;
    struct portpool_use *items;
    UINT count;
    UINT size;
    BOOL incomplete;
};

/* Whose word counts in the table: without the holder, and after a block's owner has died, ports are
 * bound past it. */
struct witness
{
    BOOL holder;
    UINT64 owner; /* of a block: the last one that was asked about */
    BOOL owner_alive;
};

static BOOL witness_knows(struct witness *witness, const struct port_table *table, UINT protocol,
                          USHORT port)
{
    UINT64 owner;

    switch (port_table_lookup(table, protocol, port, &owner))
    {
    case PORT_PERSISTENT:
        return witness->holder;
    case PORT_RUNTIME:
        if (owner != witness->owner) witness->owner_alive = table_owner_alive(owner);
        witness->owner = owner;
        return witness->owner_alive;
    case PORT_FREE:
    case PORT_BINDING:
        break;
    }
    return FALSE;
}

/* Drops the ports that nobody uses; FALSE if no others are wanted. */
static BOOL uses_drop_idle(UINT protocol, BYTE *wanted)
{
    const struct port_table *table = table_find();
    struct witness witness = {0};
    BOOL left = FALSE;
    DWORD process;
    UINT64 owner;

    witness.holder = held_find_holder(&process, &owner);
    for (UINT port = 1; port < PORT_TABLE_PORTS; port++)
    {
        if (!wanted[port]) continue;
        if (table && port_table_is_idle(table, protocol, port) &&
            witness_knows(&witness, table, protocol, port))
            wanted[port] = 0;
        else
            left = TRUE;
    }
    return left;
}

static BOOL uses_grow(struct uses *uses)
{
    UINT size = uses->size ? 2 * uses->size : 64;
    struct portpool_use *items;

    if (uses->items)
        items = HeapReAlloc(GetProcessHeap(), 0, uses->items, size * sizeof(*items));
    else
        items = HeapAlloc(GetProcessHeap(), 0, size * sizeof(*items));
    if (!items) return FALSE;
    uses->items = items;
    uses->size = size;
    return TRUE;
}

static void uses_take(int fd, USHORT port, DWORD process, void *context)
{
    struct uses *uses = context;

    (void)fd;
    if (!uses->wanted[port]) return;
    if (uses->count == uses->size && !uses_grow(uses))
        uses->incomplete = TRUE;
    else
        uses->items[uses->count++] = (struct portpool_use){.port = port, .process = process};
}

static int uses_compare(const void *one, const void *other)
{
    const struct portpool_use *a = one, *b = other;

    if (a->port != b->port) return a->port < b->port ? -1 : 1;
    return (a->process > b->process) - (a->process < b->process);
}

/* Sorts, and leaves one of those that tell the same: a process may have several sockets, or several
 * handles of one. */
static void uses_sort(struct uses *uses)
{
    UINT count = 0;

    if (uses->count) qsort(uses->items, uses->count, sizeof(*uses->items), uses_compare);
    for (UINT i = 0; i < uses->count; i++)
    {
        if (count && !uses_compare(&uses->items[count - 1], &uses->items[i])) continue;
        uses->items[count++] = uses->items[i];
    }
    uses->count = count;
}

static void uses_name_owner(UINT64 owner, DWORD process, void *context)
{
    struct uses *uses = context;

    for (UINT i = 0; i < uses->count; i++)
        if (uses->items[i].process == process) uses->items[i].owner = owner;
}

enum portpool_status uses_list(UINT protocol, BYTE wanted[PORTPOOL_PORTS],
                               struct portpool_use **list, UINT *count)
{
    struct uses uses = {.wanted = wanted};

    if (!uses_grow(&uses)) return PORTPOOL_NO_RESOURCES;
    if (uses_drop_idle(protocol, wanted))
        uses.incomplete |= !endpoint_visit(protocol, 1, PORT_TABLE_PORTS - 1, uses_take, &uses);
    if (uses.incomplete)
    {
        HeapFree(GetProcessHeap(), 0, uses.items);
        return PORTPOOL_NO_RESOURCES;
    }
    uses_sort(&uses);
    if (uses.count) table_visit_owners(uses_name_owner, &uses);
    *list = uses.items;
    *count = uses.count;
    return PORTPOOL_SUCCESS;
}
