/*
 * The holder's persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The store says which ranges there are; those held here follow it. All of this belongs to the
 * holder's one thread.
 */
#include "portpool_private.h"

#include <stdlib.h>

#include "hash.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* The ports that are in the way of a range may be a socket's of the prefix by now: to look for it
 * is dear, and done at each eighth attempt. */
#define RANGE_THOROUGH_ATTEMPTS 8

#define PORT_WORDS (PORT_TABLE_PORTS / 64)

struct range
{
    UT_hash_handle hh; /* by stored */
    struct store_range stored;
    UINT64 token; /* 0: not published yet */
    UINT missing; /* ports that could not be held */
    int fds[];    /* placeholders */
};

static struct range *ranges;
static UINT64 covered[PORT_TABLE_PROTOCOLS][PORT_WORDS]; /* a bit a port of theirs */

/* What is in the store and cannot be held, sorted; whether this may change by itself. */
static struct store_range *skipped;
static UINT skipped_count;
static BOOL skipped_blocked;

static struct range *range_find(const struct store_range *stored)
{
    struct range *range;

    HASH_FIND(hh, ranges, stored, sizeof(*stored), range);
    return range;
}

static BOOL is_covered(UINT protocol, UINT port)
{
    return covered[protocol][port / 64] >> port % 64 & 1;
}

static void set_covered(const struct store_range *stored, BOOL value)
{
    for (UINT port = stored->start; port < stored->start + (UINT)stored->count; port++)
    {
        if (value)
            covered[stored->protocol][port / 64] |= UINT64_C(1) << port % 64;
        else
            covered[stored->protocol][port / 64] &= ~(UINT64_C(1) << port % 64);
    }
}

static BOOL overlaps_held(const struct store_range *stored)
{
    UINT port = stored->start, end = port + stored->count;

    while (port < end && !is_covered(stored->protocol, port)) port++;
    return port < end;
}

static BOOL overlaps_skipped(const struct store_range *stored)
{
    for (UINT i = 0; i < skipped_count; i++)
    {
        if (skipped[i].protocol == stored->protocol &&
            skipped[i].start < stored->start + stored->count &&
            stored->start < skipped[i].start + skipped[i].count)
            return TRUE;
    }
    return FALSE;
}

static struct range *range_allocate(const struct store_range *stored)
{
    struct range *range = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY,
                                    FIELD_OFFSET(struct range, fds[stored->count]));

    if (!range) return NULL;
    range->stored = *stored;
    for (UINT i = 0; i < stored->count; i++) range->fds[i] = -1;
    return range;
}

/* Makes a range that is held one of ours. */
static BOOL range_insert(struct range *range)
{
    HASH_ADD(hh, ranges, stored, sizeof(range->stored), range);
    if (!range->hh.tbl) return FALSE;
    set_covered(&range->stored, TRUE);
    return TRUE;
}

static void range_forget(struct range *range)
{
    set_covered(&range->stored, FALSE);
    HASH_DELETE(hh, ranges, range);
    HeapFree(GetProcessHeap(), 0, range);
}

static BOOL range_publish(struct range *range)
{
    const struct store_range *stored = &range->stored;
    struct port_table *table = table_map();

    if (!tokens_set(stored->protocol, stored->start, stored->count, range->token)) return FALSE;
    if (table->tokens[stored->protocol][stored->start] != range->token)
        port_table_withdraw(table, stored->protocol, stored->start);
    port_table_publish(table, stored->protocol, stored->start, stored->count, range->token);
    TRACE("%s ports %u to %u, token %s\n", protocol_name(stored->protocol), stored->start,
          stored->start + stored->count - 1, wine_dbgstr_longlong(range->token));
    return TRUE;
}

static UINT64 range_new_token(const struct store_range *stored)
{
    struct unix_random_params random;

    unix_call(UNIX_CALL_RANDOM, &random);
    return (random.value & ~UINT64_C(0xffff)) | stored->start;
}

/* The token that it had before this process was started, if it had one. */
static UINT64 range_old_token(const struct store_range *stored)
{
    UINT64 token = tokens_get(stored->protocol, stored->start, stored->count);

    return (token & 0xffff) == stored->start ? token : 0;
}

/* Gives the range's ports back. */
static void range_drop(struct range *range)
{
    const struct store_range *stored = &range->stored;

    TRACE("%s ports %u to %u\n", protocol_name(stored->protocol), stored->start,
          stored->start + stored->count - 1);
    port_table_withdraw(table_map(), stored->protocol, stored->start);
    tokens_remove(stored->protocol, stored->start, stored->count);
    hold_drop(stored, range->fds);
    range_forget(range);
}

/* Holds what the store names and nobody has created just now: there may be sockets there.
 * PERSISTENT if it overlaps another, IN_USE if it overlaps a runtime block, NO_RESOURCES. */
static enum portpool_status range_adopt(const struct store_range *stored)
{
    enum portpool_status status;
    struct range *range;

    if (overlaps_held(stored)) return PORTPOOL_PERSISTENT;
    if (!(range = range_allocate(stored))) return PORTPOOL_NO_RESOURCES;
    if (!hold_claim(stored))
    {
        HeapFree(GetProcessHeap(), 0, range);
        return PORTPOOL_IN_USE;
    }
    status = hold_fill(stored, range->fds, &range->missing, TRUE);
    if (!status && range_insert(range)) return PORTPOOL_SUCCESS;
    hold_drop(stored, range->fds);
    HeapFree(GetProcessHeap(), 0, range);
    return PORTPOOL_NO_RESOURCES;
}

/* Tells of a range that cannot be held, unless that has been told. */
static void skipped_report(const struct store_range *stored, enum portpool_status status)
{
    const char *protocol = protocol_name(stored->protocol);
    UINT last = stored->start + stored->count - 1;

    if (skipped && bsearch(stored, skipped, skipped_count, sizeof(*skipped), store_compare)) return;
    if (status == PORTPOOL_PERSISTENT)
        WARN("%s ports %u to %u overlap another persistent range, ignored\n", protocol,
             stored->start, last);
    else if (status == PORTPOOL_IN_USE)
        WARN("%s ports %u to %u overlap what a program has reserved, ignored until it ends\n",
             protocol, stored->start, last);
    else
        ERR("%s ports %u to %u cannot be held: not enough open files or memory\n", protocol,
            stored->start, last);
}

static void skipped_replace(struct store_range *list, UINT count, BOOL blocked)
{
    if (skipped) HeapFree(GetProcessHeap(), 0, skipped);
    skipped = list;
    skipped_count = count;
    skipped_blocked = blocked;
}

/* Drops the ranges that are not in the store any more. */
static void range_drop_removed(const struct store_range *list, UINT count)
{
    struct range *range, *next;

    HASH_ITER(hh, ranges, range, next)
    {
        if (bsearch(&range->stored, list, count, sizeof(*list), store_compare)) continue;
        /* A listing that others write into may miss what is there all the time. */
        if (!store_has(&range->stored)) range_drop(range);
    }
}

/* Finds which ports the new ranges of a protocol have between them. */
static BOOL range_new_ports(UINT protocol, USHORT *first, USHORT *last, UINT64 *ports)
{
    struct range *range, *next;
    BOOL found = FALSE;

    HASH_ITER(hh, ranges, range, next)
    {
        UINT start = range->stored.start, end = start + range->stored.count - 1;

        if (range->token || range->stored.protocol != protocol) continue;
        if (!found || start < *first) *first = start;
        if (!found || end > *last) *last = end;
        for (UINT port = start; port <= end; port++) ports[port / 64] |= UINT64_C(1) << port % 64;
        found = TRUE;
    }
    return found;
}

/* Asks the host once for all the new ranges together. */
static void range_mark_used(void)
{
    UINT64 *ports = HeapAlloc(GetProcessHeap(), 0, PORT_WORDS * sizeof(*ports));
    USHORT first, last;

    if (!ports) return;
    for (UINT protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        memset(ports, 0, PORT_WORDS * sizeof(*ports));
        if (range_new_ports(protocol, &first, &last, ports))
            hold_mark_used(protocol, first, last, ports);
    }
    HeapFree(GetProcessHeap(), 0, ports);
}

static void range_publish_new(void)
{
    struct range *range, *next;

    range_mark_used();
    HASH_ITER(hh, ranges, range, next)
    {
        if (range->token) continue;
        if (!(range->token = range_old_token(&range->stored)))
            range->token = range_new_token(&range->stored);
        /* Without its token, the next attempt may do better; its ports are held meanwhile. */
        if (!range_publish(range)) range->token = 0;
    }
}

void range_match_store(void)
{
    UINT count, left = 0, too_many = PORT_TABLE_PORTS;
    struct store_range *list = store_list(TRUE, &count);
    BOOL blocked = FALSE, adopted = FALSE;

    if (!list) return;
    range_drop_removed(list, count);
    for (UINT i = 0; i < count; i++)
    {
        enum portpool_status status = PORTPOOL_NO_RESOURCES;

        if (range_find(&list[i])) continue;
        if (list[i].count < too_many) status = range_adopt(&list[i]);
        if (status)
        {
            /* More than one can hold now: another of that size need not be tried. */
            if (status == PORTPOOL_NO_RESOURCES && list[i].count < too_many)
                too_many = list[i].count;
            skipped_report(&list[i], status);
            blocked |= status == PORTPOOL_IN_USE;
            list[left++] = list[i];
            continue;
        }
        adopted = TRUE;
    }
    skipped_replace(list, left, blocked);
    if (adopted) range_publish_new();
}

/* Frees what the table has of ranges that went while nobody held them. */
static void range_free_stale_ports(void)
{
    struct port_table *table = table_map();
    UINT64 owner;

    for (UINT protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (UINT port = 1; port < PORT_TABLE_PORTS; port++)
        {
            struct store_range stored = {
                .protocol = protocol, .start = port, .count = table->counts[protocol][port]};

            if (table->tokens[protocol][port] && !range_find(&stored))
                port_table_withdraw(table, protocol, port);
            if (port_table_lookup(table, protocol, port, &owner) == PORT_PERSISTENT &&
                !is_covered(protocol, port))
                port_table_free_persistent(table, protocol, port, 1);
        }
    }
}

static void range_remove_stale_token(UINT protocol, USHORT start, USHORT count, UINT64 token)
{
    struct store_range stored = {.protocol = protocol, .start = start, .count = count};

    (void)token;
    if (!range_find(&stored)) tokens_remove(protocol, start, count);
}

void range_restore_all(BOOL first)
{
    range_match_store();
    if (!first) range_free_stale_ports();
    tokens_visit(range_remove_stale_token);
}

BOOL range_is_incomplete(void)
{
    struct range *range, *next;

    if (skipped_blocked) return TRUE;
    HASH_ITER(hh, ranges, range, next)
    {
        if (range->missing || !range->token) return TRUE;
    }
    return FALSE;
}

void range_retry(void)
{
    static UINT attempts;
    BOOL thorough = !(++attempts % RANGE_THOROUGH_ATTEMPTS);
    struct range *range, *next;

    HASH_ITER(hh, ranges, range, next)
    {
        if (range->missing) hold_fill(&range->stored, range->fds, &range->missing, thorough);
    }
    if (skipped_blocked) range_match_store();
    range_publish_new();
}

/* Changes the store, so that neither a crash nor a power cut can undo it. DISK_FULL: it is as it
 * was. */
static enum portpool_status range_store(const struct store_range *stored, BOOL remove)
{
    enum portpool_status status;

    if ((status = journal_note(stored, remove))) return status;
    if (!(remove ? store_remove(stored) : store_add(stored)))
    {
        /* The journal must not do later what could not be done now. */
        journal_note(stored, !remove);
        status = PORTPOOL_DISK_FULL;
    }
    journal_settle();
    return status;
}

/* The client of a slot may have given up by now; -1 stands for no client. */
static BOOL range_commit(int slot)
{
    return slot == -1 || request_commit(table_requests(), slot);
}

static enum portpool_status range_record(struct range *range, int slot)
{
    enum portpool_status status;

    if (!range_commit(slot)) return PORTPOOL_NO_HOLDER;
    if ((status = range_store(&range->stored, FALSE))) return status;
    range->token = range_new_token(&range->stored);
    if (range_publish(range)) return PORTPOOL_SUCCESS;
    range_store(&range->stored, TRUE);
    return PORTPOOL_NO_RESOURCES;
}

enum portpool_status range_create(const struct store_range *stored, int slot, UINT64 *token)
{
    enum portpool_status status;
    struct range *range;

    if (!store_is_valid(stored)) return PORTPOOL_INVALID_RANGE;
    if (overlaps_held(stored) || overlaps_skipped(stored)) return PORTPOOL_IN_USE;
    if (!(range = range_allocate(stored))) return PORTPOOL_NO_RESOURCES;
    if ((status = hold_new(stored, range->fds)))
    {
        HeapFree(GetProcessHeap(), 0, range);
        return status;
    }
    if (!range_insert(range))
    {
        hold_drop(stored, range->fds);
        HeapFree(GetProcessHeap(), 0, range);
        return PORTPOOL_NO_RESOURCES;
    }
    if ((status = range_record(range, slot)))
        range_drop(range);
    else
        *token = range->token;
    return status;
}

enum portpool_status range_delete(const struct store_range *stored, int slot, UINT64 *token)
{
    struct range *range = range_find(stored);
    enum portpool_status status;

    *token = range ? range->token : 0;
    if (!store_is_valid(stored)) return PORTPOOL_INVALID_RANGE;
    if (!store_has(stored)) return PORTPOOL_NOT_FOUND;
    if (!range_commit(slot)) return PORTPOOL_NO_HOLDER;
    if ((status = range_store(stored, TRUE))) return status;
    if (range) range_drop(range);
    return PORTPOOL_SUCCESS;
}

/* A range that is in the store and that a client waits for. */
static enum portpool_status range_finish_create(const struct store_range *stored, UINT64 *token)
{
    struct range *range = range_find(stored);

    if (range && range->token)
    {
        *token = range->token;
        return PORTPOOL_SUCCESS;
    }
    range_delete(stored, -1, token);
    return PORTPOOL_NO_RESOURCES;
}

enum portpool_status range_resume(const struct request *request, int slot, BOOL committing,
                                  UINT64 *token)
{
    struct store_range stored = {
        .protocol = request->protocol, .start = request->start, .count = request->count};
    BOOL create = request->operation == REQUEST_CREATE;

    if (committing && store_is_valid(&stored) && store_has(&stored) == create)
        return create ? range_finish_create(&stored, token) : PORTPOOL_SUCCESS;
    return range_serve(request, slot, token);
}

enum portpool_status range_serve(const struct request *request, int slot, UINT64 *token)
{
    struct store_range stored = {
        .protocol = request->protocol, .start = request->start, .count = request->count};

    switch (request->operation)
    {
    case REQUEST_CREATE:
        return range_create(&stored, slot, token);
    case REQUEST_DELETE:
        return range_delete(&stored, slot, token);
    default:
        return PORTPOOL_INVALID_RANGE;
    }
}

void range_undo(const struct request *request, UINT64 token)
{
    struct store_range stored = {
        .protocol = request->protocol, .start = request->start, .count = request->count};

    if (request->operation == REQUEST_CREATE)
        range_delete(&stored, -1, &token);
    else if (!range_store(&stored, FALSE))
    {
        /* Programs may have it still. */
        if (token) tokens_set(stored.protocol, stored.start, stored.count, token);
        range_match_store();
    }
}

void range_leave_all(void)
{
    struct range *range, *next;

    HASH_ITER(hh, ranges, range, next)
    {
        struct unix_drop_params params = {.fds = (ULONG_PTR)range->fds,
                                          .count = range->stored.count};

        unix_call(UNIX_CALL_DROP, &params);
        range_forget(range);
    }
    skipped_replace(NULL, 0, FALSE);
}
