/*
 * The holder's ranges
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
    UINT others;  /* ports that another of the user's prefixes gives out */
    int fds[];    /* placeholders */
};

static struct range *ranges;
static UINT64 covered[PORT_TABLE_PROTOCOLS][PORT_WORDS]; /* a bit a port of theirs */

/* What the lists had of the range of the last request, before that. */
static struct membership last_membership;

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

static BOOL overlaps_range(const struct store_range *one, const struct store_range *other)
{
    return one->protocol == other->protocol && one->start < other->start + other->count &&
           other->start < one->start + one->count;
}

static BOOL overlaps_skipped(const struct store_range *stored)
{
    for (UINT i = 0; i < skipped_count; i++)
        if (overlaps_range(&skipped[i], stored)) return TRUE;
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

static void range_take_precedence(struct range *range)
{
    const struct store_range *stored = &range->stored;
    UINT before = range->others;

    range->others = hold_take_precedence(stored);
    if (range->others && range->others != before)
        ERR("%u of the %s ports %u to %u are given out by another prefix that has them, until it "
            "ends\n",
            range->others, protocol_name(stored->protocol), stored->start,
            stored->start + stored->count - 1);
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
    if (!status && range_insert(range))
    {
        range_take_precedence(range);
        return PORTPOOL_SUCCESS;
    }
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
    struct membership membership;
    struct range *range, *next;

    HASH_ITER(hh, ranges, range, next)
    {
        if (bsearch(&range->stored, list, count, sizeof(*list), store_compare)) continue;
        /* A listing that others write into may miss what is there all the time. */
        membership = membership_of(&range->stored);
        if (!membership_is_effective(&membership)) range_drop(range);
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

/* Forgets suspensions of what somebody has removed from the store: were it stored again, it would
 * have to be held. */
static void range_forget_suspensions(void)
{
    struct store_range *list;
    UINT count;

    if (!(list = store_list(STORE_SUSPENDED, &count))) return;
    for (UINT i = 0; i < count; i++)
        if (!store_has(STORE_PERSISTENT, &list[i])) store_remove(STORE_SUSPENDED, &list[i]);
    HeapFree(GetProcessHeap(), 0, list);
}

void range_match_store(void)
{
    UINT count, left = 0, too_many = PORT_TABLE_PORTS;
    BOOL blocked = FALSE, adopted = FALSE;
    struct store_range *list;

    range_forget_suspensions();
    if (!(list = store_list_effective(&count))) return;
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
        if (range->missing || range->others || !range->token) return TRUE;
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
        if (range->others) range_take_precedence(range);
    }
    if (skipped_blocked) range_match_store();
    range_publish_new();
}

/* The client of a slot may have given up by now. */
static BOOL range_commit(int slot)
{
    return request_commit(table_requests(), slot);
}

static enum portpool_status range_record(struct range *range, const struct membership *to, int slot)
{
    enum portpool_status status;

    if (!range_commit(slot)) return PORTPOOL_NO_HOLDER;
    if ((status = membership_change(&range->stored, &last_membership, to))) return status;
    range->token = range_new_token(&range->stored);
    if (range_publish(range)) return PORTPOOL_SUCCESS;
    membership_change(&range->stored, to, &last_membership);
    return PORTPOOL_NO_RESOURCES;
}

/* Says whether another range than this one is to come back there when the prefix is started next.
 */
static BOOL overlaps_suspended(const struct store_range *stored)
{
    struct store_range *list;
    BOOL overlaps = FALSE;
    UINT count;

    if (!(list = store_list(STORE_SUSPENDED, &count))) return FALSE;
    for (UINT i = 0; i < count; i++)
        if (store_compare(&list[i], stored) && overlaps_range(&list[i], stored)) overlaps = TRUE;
    HeapFree(GetProcessHeap(), 0, list);
    return overlaps;
}

static enum portpool_status range_create(const struct store_range *stored,
                                         const struct membership *to, int slot, UINT64 *token)
{
    enum portpool_status status;
    struct range *range;

    if (overlaps_held(stored) || overlaps_skipped(stored)) return PORTPOOL_IN_USE;
    if (to->has[STORE_PERSISTENT] && overlaps_suspended(stored)) return PORTPOOL_IN_USE;
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
    range_take_precedence(range);
    status = range->others ? PORTPOOL_IN_USE : range_record(range, to, slot);
    if (status)
        range_drop(range);
    else
        *token = range->token;
    return status;
}

static enum portpool_status range_delete(const struct store_range *stored,
                                         const struct membership *to, int slot, UINT64 *token)
{
    struct range *range = range_find(stored);
    enum portpool_status status;

    *token = range ? range->token : 0;
    if (!range_commit(slot)) return PORTPOOL_NO_HOLDER;
    if ((status = membership_change(stored, &last_membership, to))) return status;
    if (range) range_drop(range);
    return PORTPOOL_SUCCESS;
}

static struct store_range range_of(const struct request *request)
{
    return (struct store_range){
        .protocol = request->protocol, .start = request->start, .count = request->count};
}

enum portpool_status range_serve(const struct request *request, int slot, UINT64 *token)
{
    struct store_range stored = range_of(request);
    struct membership to;

    if (!store_is_valid(&stored) || request->store > REQUEST_ACTIVE) return PORTPOOL_INVALID_RANGE;
    last_membership = membership_of(&stored);
    to = membership_wanted(&last_membership, request);
    switch (request->operation)
    {
    case REQUEST_CREATE:
        return range_create(&stored, &to, slot, token);
    case REQUEST_DELETE:
        if (!membership_is_found(&last_membership, request)) return PORTPOOL_NOT_FOUND;
        return range_delete(&stored, &to, slot, token);
    default:
        return PORTPOOL_INVALID_RANGE;
    }
}

/* Gives a range back, or takes it again, as the last request found it. */
static enum portpool_status range_restore(const struct store_range *stored, UINT64 token)
{
    struct membership now = membership_of(stored);
    struct range *range = range_find(stored);
    enum portpool_status status;

    if ((status = membership_change(stored, &now, &last_membership))) return status;
    if (!membership_is_effective(&last_membership))
    {
        if (range) range_drop(range);
        return PORTPOOL_SUCCESS;
    }
    /* Programs may have it still. */
    if (token && !range) tokens_set(stored->protocol, stored->start, stored->count, token);
    range_match_store();
    return PORTPOOL_SUCCESS;
}

/* A range that is in the lists and that a client waits for. */
static enum portpool_status range_finish_create(const struct store_range *stored, UINT64 *token)
{
    struct range *range = range_find(stored);

    if (range && range->token)
    {
        *token = range->token;
        return PORTPOOL_SUCCESS;
    }
    range_restore(stored, 0);
    return PORTPOOL_NO_RESOURCES;
}

/* What the lists had before a request that an earlier holder has carried out, as far as that can
 * still be told. */
static struct membership range_guess_membership(const struct membership *now,
                                                const struct request *request)
{
    struct membership before = {0};

    if (request->store == REQUEST_ACTIVE)
    {
        /* What is stored was so before. */
        before.has[STORE_PERSISTENT] = now->has[STORE_PERSISTENT];
        if (request->operation == REQUEST_CREATE)
            before.has[STORE_SUSPENDED] = now->has[STORE_PERSISTENT];
        else
            before.has[STORE_ACTIVE] = !now->has[STORE_PERSISTENT];
    }
    else if (request->operation == REQUEST_DELETE)
        before.has[STORE_PERSISTENT] = TRUE;
    return before;
}

enum portpool_status range_resume(const struct request *request, int slot, BOOL committing,
                                  UINT64 *token)
{
    struct store_range stored = range_of(request);
    BOOL create = request->operation == REQUEST_CREATE;
    struct membership now, wanted;

    if (!committing || !store_is_valid(&stored)) return range_serve(request, slot, token);
    now = membership_of(&stored);
    wanted = membership_wanted(&now, request);
    if (!membership_is_same(&now, &wanted) || membership_is_effective(&now) != create)
        return range_serve(request, slot, token);
    last_membership = range_guess_membership(&now, request);
    return create ? range_finish_create(&stored, token) : PORTPOOL_SUCCESS;
}

void range_undo(const struct request *request, UINT64 token)
{
    struct store_range stored = range_of(request);

    range_restore(&stored, token);
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
    unix_call(UNIX_CALL_LEAVE_PRECEDENCE, NULL);
    skipped_replace(NULL, 0, FALSE);
}
