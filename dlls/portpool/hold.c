/*
 * What holds a persistent range: its entries in the port table, its placeholders on the host
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* In milliseconds. Who has precedence may be an earlier holder of this prefix, which was killed and
 * with which the host has not done yet. */
#define PRECEDENCE_PATIENCE 1000
#define PRECEDENCE_STEP     20

struct filling
{
    const struct store_range *range;
    int *fds;
    BYTE *restored; /* enum unix_restored */
};

static BOOL hold_claim_ports(const struct store_range *range)
{
    struct port_table *table = table_map();
    USHORT conflict;
    UINT64 owner;

    if (!table) return FALSE;
    /* A socket that is just being bound to one of the ports is waited for: then the host knows
     * whether it got the port. */
    for (UINT waited = 0;; waited++)
    {
        if (port_table_claim_persistent(table, range->protocol, range->start, range->count,
                                        table_owner_alive, &conflict))
            return TRUE;
        if (port_table_lookup(table, range->protocol, conflict, &owner) != PORT_BINDING)
            return FALSE;
        if (waited == BINDING_PATIENCE) return FALSE;
        Sleep(1);
    }
}

/* Lets those come to an end that have drawn a port of an earlier range and are just binding it. Who
 * looks after this finds that the port is not theirs. */
static BOOL hold_await_binds(const struct store_range *range)
{
    struct port_table *table = table_map();
    BOOL success = TRUE;

    for (UINT i = 0; i < range->count && i < PORT_TABLE_LOCKS; i++)
    {
        if (persistent_lock(table, range->protocol, range->start + i))
            persistent_unlock(table, range->protocol, range->start + i);
        else
            success = FALSE;
    }
    return success;
}

BOOL hold_claim(const struct store_range *range)
{
    if (!hold_claim_ports(range)) return FALSE;
    hold_await_binds(range);
    return TRUE;
}

void hold_drop(const struct store_range *range, int *fds)
{
    struct unix_drop_params params = {.fds = (ULONG_PTR)fds, .count = range->count};
    struct unix_give_up_params give_up = {
        .protocol = range->protocol, .start = range->start, .count = range->count};

    /* The placeholders go first: whoever finds a port free in the table must find it free on the
     * host, and so must the prefix that has precedence next. */
    unix_call(UNIX_CALL_DROP, &params);
    unix_call(UNIX_CALL_GIVE_UP_PRECEDENCE, &give_up);
    port_table_free_persistent(table_map(), range->protocol, range->start, range->count);
}

enum portpool_status hold_new(const struct store_range *range, int *fds)
{
    struct unix_hold_params params = {.fds = (ULONG_PTR)fds,
                                      .protocol = range->protocol,
                                      .start = range->start,
                                      .count = range->count};
    struct unix_share_params share = {.fds = (ULONG_PTR)fds, .count = range->count};

    if (!hold_claim_ports(range)) return PORTPOOL_IN_USE;
    if (hold_await_binds(range))
        unix_call(UNIX_CALL_HOLD, &params);
    else
        params.status = UNIX_IN_USE;
    if (params.status)
        port_table_free_persistent(table_map(), range->protocol, range->start, range->count);
    else
        unix_call(UNIX_CALL_SHARE, &share);
    return status_from_unix(params.status);
}

/* Draws a port, so that nobody else does. Whoever has it keeps it; what a dead process has drawn,
 * or may have been closed since, is taken back first. */
static void hold_keep_back(struct port_table *table, UINT protocol, USHORT port)
{
    UINT64 noted = port_table_reclaimable(table, protocol, port, table_owner_alive);

    if (noted) port_table_reclaim(table, protocol, port, noted);
    port_table_draw_exact_persistent(table, protocol, port, table_owner());
}

/* Acts on what the host says of precedence at a range's ports; counts those of other prefixes. */
static UINT hold_note_precedence(const struct store_range *range, const BYTE *taken)
{
    struct port_table *table = table_map();
    UINT others = 0;

    for (UINT i = 0; i < range->count; i++)
    {
        USHORT port = range->start + i;
        BOOL kept = port_table_is_drawn(table, range->protocol, port, table_owner());

        others += !taken[i];
        if (!taken[i] && !kept) hold_keep_back(table, range->protocol, port);
        /* The other prefix's sockets may be there still. */
        if (taken[i] && kept) port_table_make_uncertain(table, range->protocol, port);
    }
    return others;
}

static BOOL hold_ask_precedence(const struct store_range *range, BYTE *taken)
{
    struct unix_precedence_params params = {.taken = (ULONG_PTR)taken,
                                            .protocol = range->protocol,
                                            .start = range->start,
                                            .count = range->count};

    unix_call(UNIX_CALL_TAKE_PRECEDENCE, &params);
    return !params.status;
}

static BOOL hold_has_all(const BYTE *taken, UINT count)
{
    UINT i = 0;

    while (i < count && taken[i]) i++;
    return i == count;
}

UINT hold_take_precedence(const struct store_range *range)
{
    static ULONGLONG deadline;
    BYTE *taken = HeapAlloc(GetProcessHeap(), 0, range->count);
    UINT others = 0;

    if (!taken) return 0;
    if (!deadline) deadline = GetTickCount64() + PRECEDENCE_PATIENCE;
    for (;;)
    {
        if (!hold_ask_precedence(range, taken))
        {
            ERR("whether other prefixes have the same ports cannot be told\n");
            break;
        }
        if (hold_has_all(taken, range->count) || GetTickCount64() >= deadline)
        {
            others = hold_note_precedence(range, taken);
            break;
        }
        Sleep(PRECEDENCE_STEP);
    }
    HeapFree(GetProcessHeap(), 0, taken);
    return others;
}

/* Takes a port beside a socket of the prefix that has it. */
static void hold_beside(int fd, USHORT port, DWORD process, void *context)
{
    struct filling *filling = context;
    UINT i = port - filling->range->start;
    struct unix_make_room_params params = {
        .socket = fd, .protocol = filling->range->protocol, .port = port};

    (void)process;
    if (filling->restored[i] != UNIX_OCCUPIED) return;
    unix_call(UNIX_CALL_MAKE_ROOM, &params);
    if (params.status) return;
    filling->fds[i] = params.placeholder;
    filling->restored[i] = UNIX_HELD;
}

static UINT hold_count_missing(const struct filling *filling)
{
    UINT missing = 0;

    for (UINT i = 0; i < filling->range->count; i++)
        if (filling->restored[i] == UNIX_OCCUPIED) missing++;
    return missing;
}

static void hold_report_missing(const struct filling *filling)
{
    const struct store_range *range = filling->range;
    UINT first, i = 0;

    while (i < range->count)
    {
        if (filling->restored[i] != UNIX_OCCUPIED)
        {
            i++;
            continue;
        }
        for (first = i; i < range->count && filling->restored[i] == UNIX_OCCUPIED;) i++;
        ERR("%s ports %u to %u, of the persistent range %u to %u, are in use and not held yet\n",
            protocol_name(range->protocol), range->start + first, range->start + i - 1,
            range->start, range->start + range->count - 1);
    }
}

enum portpool_status hold_fill(const struct store_range *range, int *fds, UINT *missing,
                               BOOL thorough)
{
    struct filling filling = {.range = range, .fds = fds};
    struct unix_restore_params params = {.fds = (ULONG_PTR)fds,
                                         .protocol = range->protocol,
                                         .start = range->start,
                                         .count = range->count};
    UINT before = *missing;

    if (!(filling.restored = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, range->count)))
        return PORTPOOL_NO_RESOURCES;
    params.restored = (ULONG_PTR)filling.restored;
    unix_call(UNIX_CALL_RESTORE, &params);
    if (!params.status)
    {
        if (thorough && hold_count_missing(&filling))
            endpoint_visit(range->protocol, range->start, range->count, hold_beside, &filling);
        *missing = hold_count_missing(&filling);
        if (*missing != before) hold_report_missing(&filling);
    }
    HeapFree(GetProcessHeap(), 0, filling.restored);
    return status_from_unix(params.status);
}

/* A port that may be drawn is made uncertain by drawing it first: one that a client has drawn stays
 * the client's. */
static void hold_mark_port(struct port_table *table, UINT protocol, USHORT port)
{
    if (port_table_draw_exact_persistent(table, protocol, port, table_owner()))
        port_table_make_uncertain(table, protocol, port);
}

void hold_mark_used(UINT protocol, USHORT first, USHORT last, const UINT64 *ports)
{
    UINT count = last - first + 1;
    BYTE *occupied = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, count);
    BOOL known = occupied && endpoint_occupied(protocol, first, count, occupied);

    /* Drawn all the same, such a port is refused by the host, and another drawn. */
    if (!known) WARN("which %s ports are in use is not known\n", protocol_name(protocol));
    for (UINT port = first; known && port <= last; port++)
    {
        if (occupied[port - first] && ports[port / 64] >> port % 64 & 1)
            hold_mark_port(table_map(), protocol, port);
    }
    if (occupied) HeapFree(GetProcessHeap(), 0, occupied);
}
