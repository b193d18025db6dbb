/*
 * Blocks: runtime ones, with the sockets that they live and end with, and persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "hash.h"
#include "tawny_debug.h"
#include "utlist.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Windows' range of automatic ports, and where we look if a block does not fit there. */
static const struct
{
    USHORT first, last;
} wildcard_ranges[] = {{49152, 65535}, {1025, 49151}};

/* Below this, only root may bind, unless the host is told otherwise. */
#define FIRST_UNPRIVILEGED_PORT 1024

/* A socket that acquired blocks. It lives as long as this process has a handle of it: those of
 * other processes keep it alive on the host, but not the blocks. */
struct acquirer
{
    UT_hash_handle hh; /* by socket, unless detached */
    struct acquirer *prev, *next;
    HANDLE socket; /* one of its handles */
    UINT64 inode;
    struct watch watch;
    struct reservation *reservations;
    BOOL detached; /* the handle is being closed, or another socket's by now */
    BOOL ended;    /* in no list any more */
    UINT users;    /* calls that are about it outside the lock: it is freed after the last */
};

struct reservation
{
    UT_hash_handle hh;        /* by token, until it ends */
    struct reservation *next; /* of the same acquirer */
    struct acquirer *acquirer;
    LONG references;
    UINT64 token;
    UINT protocol;
    USHORT start;
    USHORT count;
    USHORT last_drawn;
    BOOL ended;
    SRWLOCK ending; /* shared: a port is being lent; exclusive: the placeholders are closed */
    /* One association's use of a range: in no list, and with no placeholders here. */
    BOOL persistent;
    UINT draw; /* … which of the process's draws of its port is its own */
    int fds[]; /* placeholders */
};

/* Held while it is found out what has ended: whoever comes meanwhile is to find it ended. */
static SRWLOCK sweep_lock = SRWLOCK_INIT;

/* Guards all of the above but "ended", "draw" and the placeholders. Never held during a call that
 * waits for the wineserver. */
static SRWLOCK reservations_lock = SRWLOCK_INIT;
static struct reservation *reservations;
static struct acquirer *acquirers_by_socket;
static struct acquirer *acquirers;
static struct watch_set acquirer_watches = {.ready = TRUE};

USHORT reservation_count(const struct reservation *reservation)
{
    return reservation->count;
}

BOOL reservation_is_persistent(const struct reservation *reservation)
{
    return reservation->persistent;
}

BOOL reservation_is_same(const struct reservation *reservation, const struct reservation *other)
{
    return reservation->token == other->token;
}

void reservation_reference(struct reservation *reservation)
{
    InterlockedIncrement(&reservation->references);
}

void reservation_dereference(struct reservation *reservation)
{
    if (!InterlockedDecrement(&reservation->references)) HeapFree(GetProcessHeap(), 0, reservation);
}

/* Finds a block of this process. */
static struct reservation *reservation_find_runtime(UINT64 token)
{
    struct reservation *reservation;

    AcquireSRWLockShared(&reservations_lock);
    HASH_FIND(hh, reservations, &token, sizeof(token), reservation);
    if (reservation) reservation_reference(reservation);
    ReleaseSRWLockShared(&reservations_lock);
    return reservation;
}

static enum portpool_status reservation_find_persistent(UINT protocol, UINT64 token,
                                                        struct reservation **result)
{
    struct reservation *reservation;
    uint16_t start;
    USHORT count;

    if (!(count = persistent_find_token(protocol, token, &start))) return PORTPOOL_INVALID_TOKEN;
    if (!privilege_is_administrator()) return PORTPOOL_ACCESS_DENIED;
    /* What this process draws would look as if a dead one had drawn it, were it not announced. */
    if (!table_map()) return PORTPOOL_NO_RESOURCES;
    if (!(reservation = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*reservation))))
        return PORTPOOL_NO_RESOURCES;
    reservation->references = 1;
    reservation->token = token;
    reservation->protocol = protocol;
    reservation->start = start;
    reservation->count = count;
    reservation->persistent = TRUE;
    *result = reservation;
    return PORTPOOL_SUCCESS;
}

enum portpool_status reservation_find(UINT protocol, UINT64 token, struct reservation **result)
{
    struct reservation *reservation = reservation_find_runtime(token);

    if (!reservation) return reservation_find_persistent(protocol, token, result);
    if (reservation->protocol != protocol)
    {
        reservation_dereference(reservation);
        return PORTPOOL_INVALID_TOKEN;
    }
    *result = reservation;
    return PORTPOOL_SUCCESS;
}

/* Gives the ports back to the host. The placeholders go first: whoever finds a port free in the
 * table must find it free on the host. */
static void reservation_end(struct reservation *reservation)
{
    struct unix_drop_params params = {.fds = (ULONG_PTR)reservation->fds,
                                      .count = reservation->count};

    AcquireSRWLockExclusive(&reservation->ending);
    reservation->ended = TRUE;
    unix_call(UNIX_CALL_DROP, &params);
    port_table_free(table_map(), reservation->protocol, reservation->start, reservation->count,
                    table_owner());
    ReleaseSRWLockExclusive(&reservation->ending);
    TRACE("ended %u ports from %u, token %s\n", reservation->count, reservation->start,
          wine_dbgstr_longlong(reservation->token));
    reservation_dereference(reservation);
}

/* Ends a list of blocks that nobody can find any more. */
static void reservation_end_list(struct reservation *list)
{
    while (list)
    {
        struct reservation *next = list->next;

        reservation_end(list);
        list = next;
    }
}

static void acquirer_free(struct acquirer *acquirer)
{
    if (acquirer->ended && !acquirer->users) HeapFree(GetProcessHeap(), 0, acquirer);
}

/* Moves the acquirer's blocks to a list, and forgets the acquirer. Needs the lock. */
static void acquirer_dismiss(struct acquirer *acquirer, struct reservation **list)
{
    struct reservation *reservation;

    while ((reservation = acquirer->reservations))
    {
        acquirer->reservations = reservation->next;
        HASH_DELETE(hh, reservations, reservation);
        reservation->next = *list;
        *list = reservation;
    }
    if (!acquirer->detached) HASH_DELETE(hh, acquirers_by_socket, acquirer);
    DL_DELETE(acquirers, acquirer);
    watch_stop(&acquirer->watch);
    InterlockedDecrement(&tracked_sockets);
    acquirer->ended = TRUE;
    acquirer_free(acquirer);
}

static void acquirer_leave(struct acquirer *acquirer)
{
    acquirer->users--;
    acquirer_free(acquirer);
}

/* The handle is no longer this socket's. Needs the lock. */
static void acquirer_detach(struct acquirer *acquirer)
{
    HASH_DELETE(hh, acquirers_by_socket, acquirer);
    acquirer->detached = TRUE;
}

/* This handle may be the socket's, or is so for certain: if another acquirer is known by it, that
 * is what it was before. Needs the lock; not for one that is attached. */
static void acquirer_attach(struct acquirer *acquirer, HANDLE socket, BOOL certain)
{
    struct acquirer *other;

    acquirer->socket = socket;
    acquirer->detached = TRUE;
    HASH_FIND(hh, acquirers_by_socket, &socket, sizeof(socket), other);
    if (other && !certain) return;
    if (other) acquirer_detach(other);
    HASH_ADD(hh, acquirers_by_socket, socket, sizeof(acquirer->socket), acquirer);
    acquirer->detached = !acquirer->hh.tbl;
}

/* From now on it is known by this handle, which is its own for certain. Needs the lock. */
static void acquirer_move(struct acquirer *acquirer, HANDLE socket)
{
    if (!acquirer->detached) acquirer_detach(acquirer);
    acquirer_attach(acquirer, socket, TRUE);
}

/* What it is known by; NULL if that is not to be relied on. Needs the lock. */
static HANDLE acquirer_handle(const struct acquirer *acquirer)
{
    return acquirer->detached ? NULL : acquirer->socket;
}

/* Ends an acquirer if it is gone from the host or has no blocks any more. Needs the lock. */
static void acquirer_settle(struct acquirer *acquirer, struct reservation **list)
{
    if (acquirer->watch.gone || !acquirer->reservations) acquirer_dismiss(acquirer, list);
}

/* Finds the acquirer that a handle stands for. Needs the lock. */
static struct acquirer *acquirer_find(HANDLE socket, UINT64 inode)
{
    struct acquirer *acquirer;

    HASH_FIND(hh, acquirers_by_socket, &socket, sizeof(socket), acquirer);
    if (acquirer && acquirer->inode == inode) return acquirer;
    /* Closed with CloseHandle, and its handle given to another socket, since the sweep before this
     * or unseen by it. */
    if (acquirer) acquirer_detach(acquirer);
    /* Known by another handle. */
    DL_SEARCH_SCALAR(acquirers, acquirer, inode, inode);
    return acquirer;
}

/* The same, or makes one. Needs the lock. */
static enum portpool_status acquirer_get(HANDLE socket, const struct descriptor *descriptor,
                                         struct acquirer **result)
{
    enum portpool_status status;
    UINT64 inode = descriptor_inode(descriptor->fd);
    struct acquirer *acquirer = acquirer_find(socket, inode);

    if (!acquirer)
    {
        if (!(acquirer = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*acquirer))))
            return PORTPOOL_NO_RESOURCES;
        acquirer->inode = inode;
        if ((status = watch_start(&acquirer_watches, &acquirer->watch, descriptor->fd)))
        {
            HeapFree(GetProcessHeap(), 0, acquirer);
            return status;
        }
        acquirer_attach(acquirer, socket, TRUE);
        DL_APPEND(acquirers, acquirer);
        InterlockedIncrement(&tracked_sockets);
    }
    *result = acquirer;
    return PORTPOOL_SUCCESS;
}

/* Makes a block that holds its ports known, by its token and by its socket. */
static enum portpool_status reservation_publish(struct reservation *reservation, HANDLE socket,
                                                const struct descriptor *descriptor)
{
    struct reservation *list = NULL;
    struct unix_random_params random;
    struct acquirer *acquirer;
    enum portpool_status status;

    unix_call(UNIX_CALL_RANDOM, &random);
    reservation->token = random.value;
    AcquireSRWLockExclusive(&reservations_lock);
    if (!(status = acquirer_get(socket, descriptor, &acquirer)))
    {
        HASH_ADD(hh, reservations, token, sizeof(reservation->token), reservation);
        if (reservation->hh.tbl)
        {
            reservation->acquirer = acquirer;
            reservation->next = acquirer->reservations;
            acquirer->reservations = reservation;
        }
        else
        {
            acquirer_settle(acquirer, &list);
            status = PORTPOOL_NO_RESOURCES;
        }
    }
    ReleaseSRWLockExclusive(&reservations_lock);
    return status;
}

/* Takes the ports from start on in the table. A socket that is just being bound to one of them is
 * waited for: then the host knows whether it got the port. */
static BOOL reservation_claim(struct reservation *reservation, struct port_table *table,
                              USHORT start, USHORT *conflict)
{
    uint64_t owner;

    for (UINT waited = 0;; waited++)
    {
        if (port_table_claim(table, reservation->protocol, start, reservation->count, table_owner(),
                             table_owner_alive, conflict))
            return TRUE;
        if (port_table_lookup(table, reservation->protocol, *conflict, &owner) != PORT_BINDING)
            return FALSE;
        if (waited == BINDING_PATIENCE) return FALSE;
        Sleep(1);
    }
}

/* Takes the ports from start on, in the table and on the host. */
static enum portpool_status reservation_hold(struct reservation *reservation, USHORT start,
                                             USHORT *conflict)
{
    struct unix_hold_params params = {.fds = (ULONG_PTR)reservation->fds,
                                      .protocol = reservation->protocol,
                                      .start = start,
                                      .count = reservation->count};
    struct port_table *table = table_map();

    if (!table) return PORTPOOL_NO_RESOURCES;
    if (!reservation_claim(reservation, table, start, conflict)) return PORTPOOL_IN_USE;
    unix_call(UNIX_CALL_HOLD, &params);
    *conflict = params.conflict;
    if (params.status)
    {
        port_table_free(table, reservation->protocol, start, reservation->count, table_owner());
        return status_from_unix(params.status);
    }
    reservation->start = start;
    port_table_publish_block(table, reservation->protocol, start, reservation->count,
                             table_owner());
    return PORTPOOL_SUCCESS;
}

/* The first port, to last at most, behind those in a row that the same process has as a port in the
 * way: to ask whether it lives takes long. */
static ULONG reservation_leap(const struct reservation *reservation, USHORT conflict, ULONG last)
{
    const struct port_table *table = table_map();
    uint64_t owner, other;
    enum port_kind kind = port_table_lookup(table, reservation->protocol, conflict, &owner);
    ULONG port = conflict + 1;

    /* Free means that somebody has it whom only the host knows. */
    if (kind == PORT_FREE) return port;
    while (port <= last && port_table_lookup(table, reservation->protocol, port, &other) == kind &&
           other == owner)
        port++;
    return port;
}

/* Tries the starts from first to last, leaping over the ports that are in the way. */
static enum portpool_status reservation_hold_between(struct reservation *reservation, ULONG first,
                                                     ULONG last)
{
    USHORT conflict;

    while (first <= last)
    {
        enum portpool_status status = reservation_hold(reservation, first, &conflict);

        if (status != PORTPOOL_IN_USE) return status;
        first = reservation_leap(reservation, conflict, last);
    }
    return PORTPOOL_EXHAUSTED;
}

static enum portpool_status reservation_hold_anywhere(struct reservation *reservation)
{
    enum portpool_status status = PORTPOOL_EXHAUSTED;
    struct unix_random_params random;

    for (UINT i = 0; status == PORTPOOL_EXHAUSTED && i < ARRAYSIZE(wildcard_ranges); i++)
    {
        ULONG first = wildcard_ranges[i].first, start;
        ULONG end = wildcard_ranges[i].last + 1 - reservation->count;

        if (first + reservation->count > wildcard_ranges[i].last + 1u) continue;
        unix_call(UNIX_CALL_RANDOM, &random);
        start = first + random.value % (end + 1 - first);
        status = reservation_hold_between(reservation, start, end);
        if (status == PORTPOOL_EXHAUSTED)
            status = reservation_hold_between(reservation, first, start - 1);
    }
    return status;
}

/* Says whether an acquirer has a block with this port. Needs the lock. */
static BOOL acquirer_has_port(const struct acquirer *acquirer, UINT protocol, USHORT port)
{
    const struct reservation *reservation;

    LL_FOREACH(acquirer->reservations, reservation)
    if (reservation->protocol == protocol && reservation_contains(reservation, port)) return TRUE;
    return FALSE;
}

/* Lists the acquirers that have a block with this port, or all if it is 0. The caller leaves each,
 * and frees the list. */
static struct acquirer **acquirer_list(UINT protocol, USHORT port, UINT *count)
{
    struct acquirer *acquirer, **list;

    *count = 0;
    AcquireSRWLockExclusive(&reservations_lock);
    DL_COUNT(acquirers, acquirer, *count);
    if ((list = HeapAlloc(GetProcessHeap(), 0, (*count + 1) * sizeof(*list))))
    {
        *count = 0;
        DL_FOREACH(acquirers, acquirer)
        {
            if (port && !acquirer_has_port(acquirer, protocol, port)) continue;
            acquirer->users++;
            list[(*count)++] = acquirer;
        }
    }
    ReleaseSRWLockExclusive(&reservations_lock);
    return list;
}

/* Ends an acquirer of which the process has no handle any more, and leaves it. Says whether it has
 * ended. */
static BOOL acquirer_verify(struct acquirer *acquirer)
{
    struct reservation *list = NULL;
    HANDLE known, other = NULL;
    BOOL searched = FALSE, ended;

    AcquireSRWLockShared(&reservations_lock);
    known = acquirer_handle(acquirer);
    ReleaseSRWLockShared(&reservations_lock);
    if (!known || !endpoint_is(known, acquirer->inode))
        searched = endpoint_find_own(acquirer->inode, NULL, &other);

    AcquireSRWLockExclusive(&reservations_lock);
    if (searched && !acquirer->ended)
    {
        if (!other)
            acquirer_dismiss(acquirer, &list);
        else if (known == acquirer_handle(acquirer))
            acquirer_move(acquirer, other);
    }
    ended = acquirer->ended;
    acquirer_leave(acquirer);
    ReleaseSRWLockExclusive(&reservations_lock);
    reservation_end_list(list);
    return ended;
}

/* Looks whether what is in the way of a new block is still there. A socket that was closed with
 * CloseHandle lives on, on the host, where another process has a handle of it: only the wineserver
 * tells that this one has none. Says whether something has ended. */
static BOOL reservation_make_room(UINT protocol, USHORT port)
{
    struct acquirer **list;
    BOOL ended = FALSE;
    UINT count;

    AcquireSRWLockExclusive(&sweep_lock);
    if ((list = acquirer_list(protocol, port, &count)))
    {
        for (UINT i = 0; i < count; i++) ended |= acquirer_verify(list[i]);
        HeapFree(GetProcessHeap(), 0, list);
    }
    ReleaseSRWLockExclusive(&sweep_lock);
    return ended;
}

/* Takes the ports from start on, or anywhere if it is 0. */
static enum portpool_status reservation_hold_some(struct reservation *reservation, USHORT start)
{
    enum portpool_status status;
    USHORT conflict = 0;

    for (;;)
    {
        status = start ? reservation_hold(reservation, start, &conflict)
                       : reservation_hold_anywhere(reservation);
        if (!status) return status;
        if (status != PORTPOOL_IN_USE) conflict = 0;
        /* Each time there is one less. */
        if (!reservation_make_room(reservation->protocol, conflict)) return status;
    }
}

static enum portpool_status reservation_make(HANDLE socket, const struct descriptor *descriptor,
                                             USHORT start, USHORT count,
                                             struct portpool_block *block)
{
    struct reservation *reservation;
    enum portpool_status status;

    reservation =
        HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, FIELD_OFFSET(struct reservation, fds[count]));
    if (!reservation) return PORTPOOL_NO_RESOURCES;
    InitializeSRWLock(&reservation->ending);
    reservation->references = 1;
    reservation->protocol = descriptor->protocol;
    reservation->count = count;

    if ((status = reservation_hold_some(reservation, start)))
    {
        HeapFree(GetProcessHeap(), 0, reservation);
        return status;
    }
    /* Once it is published, another thread may release it. */
    reservation_reference(reservation);
    if ((status = reservation_publish(reservation, socket, descriptor)))
    {
        reservation_end(reservation);
    }
    else
    {
        block->token = reservation->token;
        block->start = reservation->start;
        block->count = reservation->count;
    }
    reservation_dereference(reservation);
    return status;
}

enum portpool_status reservation_acquire(HANDLE socket, USHORT start, USHORT count,
                                         struct portpool_block *block)
{
    struct descriptor descriptor;
    enum portpool_status status;

    if ((status = descriptor_open(socket, &descriptor))) return status;
    if (!count || start + count > PORT_TABLE_PORTS)
        status = PORTPOOL_INVALID_RANGE;
    else
        status = reservation_make(socket, &descriptor, start, count, block);
    descriptor_close(descriptor.fd);
    return status;
}

/* Takes a block from its acquirer, and the acquirer away if it was its last. Needs the lock. */
static void reservation_unlink(struct reservation *reservation)
{
    struct acquirer *acquirer = reservation->acquirer;
    struct reservation **link = &acquirer->reservations, *list = NULL;

    while (*link != reservation) link = &(*link)->next;
    *link = reservation->next;
    HASH_DELETE(hh, reservations, reservation);
    acquirer_settle(acquirer, &list);
}

enum portpool_status reservation_release(HANDLE socket, UINT64 token)
{
    struct reservation *reservation;
    struct descriptor descriptor;
    enum portpool_status status;

    if ((status = descriptor_open(socket, &descriptor))) return status;
    descriptor_close(descriptor.fd);

    AcquireSRWLockExclusive(&reservations_lock);
    HASH_FIND(hh, reservations, &token, sizeof(token), reservation);
    if (reservation && reservation->protocol != descriptor.protocol) reservation = NULL;
    if (reservation) reservation_unlink(reservation);
    ReleaseSRWLockExclusive(&reservations_lock);

    if (!reservation) return PORTPOOL_INVALID_TOKEN;
    reservation_end(reservation);
    return PORTPOOL_SUCCESS;
}

BOOL reservation_has_acquirer(HANDLE socket)
{
    struct acquirer *acquirer;

    AcquireSRWLockShared(&reservations_lock);
    HASH_FIND(hh, acquirers_by_socket, &socket, sizeof(socket), acquirer);
    ReleaseSRWLockShared(&reservations_lock);
    return !!acquirer;
}

void reservation_sweep(void)
{
    struct acquirer *acquirer, *next;
    struct reservation *list = NULL;

    AcquireSRWLockExclusive(&sweep_lock);
    AcquireSRWLockExclusive(&reservations_lock);
    watch_sweep_all(&acquirer_watches);
    DL_FOREACH_SAFE(acquirers, acquirer, next) acquirer_settle(acquirer, &list);
    ReleaseSRWLockExclusive(&reservations_lock);
    reservation_end_list(list);
    ReleaseSRWLockExclusive(&sweep_lock);
}

void reservation_sweep_token(UINT64 token)
{
    struct reservation *reservation, *list = NULL;

    AcquireSRWLockExclusive(&sweep_lock);
    AcquireSRWLockExclusive(&reservations_lock);
    HASH_FIND(hh, reservations, &token, sizeof(token), reservation);
    if (reservation)
    {
        watch_sweep(&reservation->acquirer->watch);
        acquirer_settle(reservation->acquirer, &list);
    }
    ReleaseSRWLockExclusive(&reservations_lock);
    reservation_end_list(list);
    ReleaseSRWLockExclusive(&sweep_lock);
}

struct acquirer *reservation_closing(HANDLE socket, HANDLE *other)
{
    struct acquirer *acquirer;

    *other = NULL;
    AcquireSRWLockExclusive(&reservations_lock);
    HASH_FIND(hh, acquirers_by_socket, &socket, sizeof(socket), acquirer);
    if (acquirer)
    {
        acquirer->users++;
        acquirer_detach(acquirer);
    }
    ReleaseSRWLockExclusive(&reservations_lock);

    /* Asked before the handle is closed, for afterwards nothing can be asked about it. That the
     * host's socket is gone says nothing in time: a receive still pending keeps it open until its
     * thread has heard of the end. */
    if (acquirer && !endpoint_is_last_handle(socket) &&
        !endpoint_find_own(acquirer->inode, socket, other))
        *other = socket; /* Not to know is to leave things as they are, until the next sweep. */
    return acquirer;
}

/* What closesocket has made of it. Needs the lock. */
static void acquirer_close(struct acquirer *acquirer, BOOL success, HANDLE other,
                           struct reservation **list)
{
    if (!success)
    {
        if (acquirer->detached) acquirer_attach(acquirer, acquirer->socket, FALSE);
        return;
    }
    if (!other)
    {
        acquirer_dismiss(acquirer, list);
        return;
    }
    acquirer_move(acquirer, other);
    /* That may have been closed meanwhile. */
    watch_sweep(&acquirer->watch);
    acquirer_settle(acquirer, list);
}

void reservation_closed(struct acquirer *acquirer, BOOL success, HANDLE other)
{
    struct reservation *list = NULL;

    AcquireSRWLockExclusive(&reservations_lock);
    /* A sweep may have been faster, or WSACleanup. */
    if (!acquirer->ended) acquirer_close(acquirer, success, other, &list);
    acquirer_leave(acquirer);
    ReleaseSRWLockExclusive(&reservations_lock);
    reservation_end_list(list);
}

void reservation_end_all(void)
{
    struct acquirer *acquirer, *next;
    struct reservation *list = NULL;

    AcquireSRWLockExclusive(&reservations_lock);
    DL_FOREACH_SAFE(acquirers, acquirer, next) acquirer_dismiss(acquirer, &list);
    ReleaseSRWLockExclusive(&reservations_lock);
    reservation_end_list(list);
}

/* Says whether a persistent range is still there. A draw notices, too, if it goes later. */
static BOOL reservation_stands(const struct reservation *reservation)
{
    uint16_t start;

    return port_table_find_token(table_map(), reservation->protocol, reservation->token, &start);
}

BOOL reservation_enter(struct reservation *reservation)
{
    if (reservation->persistent) return reservation_stands(reservation);
    AcquireSRWLockShared(&reservation->ending);
    if (!reservation->ended) return TRUE;
    ReleaseSRWLockShared(&reservation->ending);
    return FALSE;
}

BOOL reservation_try_enter(struct reservation *reservation)
{
    if (reservation->persistent) return reservation_stands(reservation);
    if (!TryAcquireSRWLockShared(&reservation->ending)) return FALSE;
    if (!reservation->ended) return TRUE;
    ReleaseSRWLockShared(&reservation->ending);
    return FALSE;
}

void reservation_leave(struct reservation *reservation)
{
    if (!reservation->persistent) ReleaseSRWLockShared(&reservation->ending);
}

USHORT reservation_draw(struct reservation *reservation)
{
    USHORT port;

    if (reservation->persistent)
        return persistent_draw(reservation->protocol, reservation->start, reservation->count,
                               &reservation->draw);
    /* Two threads may start from the same port; the table gives them two. */
    port = port_table_draw(table_map(), reservation->protocol, reservation->start,
                           reservation->count, table_owner(), reservation->last_drawn);
    if (port) reservation->last_drawn = port;
    return port;
}

BOOL reservation_draw_exact(struct reservation *reservation, USHORT port)
{
    if (reservation->persistent)
        return persistent_draw_exact(reservation->protocol, port, &reservation->draw);
    return port_table_draw_exact(table_map(), reservation->protocol, port, table_owner());
}

void reservation_return(struct reservation *reservation, USHORT port)
{
    if (reservation->persistent)
        persistent_return(reservation->protocol, port, reservation->draw);
    else
        port_table_return(table_map(), reservation->protocol, port, table_owner());
}

BOOL reservation_begin_bind(struct reservation *reservation, USHORT port)
{
    if (!reservation->persistent) return TRUE;
    if (!persistent_begin_bind(reservation->protocol, port, reservation->draw)) return FALSE;
    /* The range may have been deleted before the draw, and be made again just now. */
    if (reservation_stands(reservation)) return TRUE;
    reservation_return(reservation, port);
    reservation_end_bind(reservation, port);
    return FALSE;
}

void reservation_end_bind(struct reservation *reservation, USHORT port)
{
    if (reservation->persistent) persistent_unlock(table_map(), reservation->protocol, port);
}

void reservation_refuse(struct reservation *reservation, USHORT port)
{
    /* A persistent port would be drawn again and again while others are idle. */
    if (reservation->persistent)
        port_table_make_uncertain(table_map(), reservation->protocol, port);
    else
        reservation_return(reservation, port);
}

void reservation_reclaim(struct reservation *reservation, USHORT port)
{
    /* Of a runtime block's ports this process knows all. */
    if (!reservation->persistent) return;
    if (port)
        persistent_reclaim(reservation->protocol, port, 1);
    else
        persistent_reclaim(reservation->protocol, reservation->start, reservation->count);
}

BOOL reservation_contains(const struct reservation *reservation, USHORT port)
{
    return port >= reservation->start && port - reservation->start < reservation->count;
}

int reservation_placeholder(const struct reservation *reservation, USHORT port)
{
    if (reservation->persistent) return UNIX_PLACEHOLDER_SHARED;
    return reservation->fds[port - reservation->start];
}

BOOL reservation_may_be_bare(const struct reservation *reservation, USHORT port)
{
    /* Of a persistent range's ports only its holder knows. */
    if (reservation->persistent) return port < FIRST_UNPRIVILEGED_PORT;
    return reservation->fds[port - reservation->start] == -1;
}
