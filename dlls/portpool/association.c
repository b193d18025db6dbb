/*
 * Associations: the sockets that draw their ports from blocks
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "hash.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Closed sockets whose ports nobody has asked for yet are looked at when they are this many. */
#define CLOSED_LIMIT 64

struct association
{
    UT_hash_handle hh; /* by socket, until it is closed */
    struct association *next_closed;
    LONG references;
    HANDLE socket;
    struct reservation *reservation;
    struct watch watch; /* while it has a port */
    UINT64 inode;
    UINT protocol;
    UINT family;
    int fd;       /* the host socket, until it is bound: kept longer, it would keep the port bound
                   * and the listener listening after closesocket; -1 then */
    USHORT port;  /* 0 until it is bound */
    SRWLOCK lock; /* held while it is bound, listens or ends: one at a time */
};

/* Guards the hash, the list, and the set. Taken inside an association's lock, never around it. */
static SRWLOCK associations_lock = SRWLOCK_INIT;
static struct association *associations;
static struct association *closed_associations;
static UINT closed_count;
static struct watch_set association_watches;

static void association_dereference(struct association *association)
{
    if (InterlockedDecrement(&association->references)) return;
    if (association->fd != -1) descriptor_close(association->fd);
    reservation_dereference(association->reservation);
    HeapFree(GetProcessHeap(), 0, association);
}

static struct association *association_get(HANDLE socket)
{
    struct association *association;

    AcquireSRWLockShared(&associations_lock);
    HASH_FIND(hh, associations, &socket, sizeof(socket), association);
    if (association) InterlockedIncrement(&association->references);
    ReleaseSRWLockShared(&associations_lock);
    return association;
}

/* Gives the port back to the block, if the block still is. */
static void association_return_port(struct association *association)
{
    /* Not entered means that it ends: then all its ports are given back, and this one may be
     * another block's already. */
    if (!reservation_try_enter(association->reservation)) return;
    reservation_return(association->reservation, association->port);
    reservation_leave(association->reservation);
    TRACE("%p is gone, port %u is back\n", association->socket, association->port);
}

/* Takes it out of the hash. Needs the lock. */
static void association_unlink(struct association *association)
{
    HASH_DELETE(hh, associations, association);
    InterlockedDecrement(&tracked_sockets);
}

/* Returns the ports of those closed sockets that are gone from the host too. A duplicate handle, or
 * a receive that has not heard of the end yet, keeps a socket bound after closesocket; such a port
 * must not be given out again. Needs the lock. */
static BOOL association_sweep_closed(void)
{
    struct association **link = &closed_associations, *association;
    BOOL found = FALSE;

    while ((association = *link))
    {
        if (!association->watch.gone) watch_sweep(&association->watch);
        if (!association->watch.gone)
        {
            link = &association->next_closed;
            continue;
        }
        *link = association->next_closed;
        closed_count--;
        watch_stop(&association->watch);
        association_return_port(association);
        association_dereference(association);
        found = TRUE;
    }
    return found;
}

/* Finds the sockets that were closed by other means than closesocket. Needs the lock. */
static BOOL association_sweep_open(void)
{
    struct association *association, *next;
    BOOL found = FALSE;

    watch_sweep_all(&association_watches);
    HASH_ITER(hh, associations, association, next)
    {
        if (!association->watch.gone) continue;
        association_unlink(association);
        watch_stop(&association->watch);
        association_return_port(association);
        association_dereference(association);
        found = TRUE;
    }
    return found;
}

/* Looks for ports that are given out and no longer used. */
static BOOL association_sweep(void)
{
    BOOL found;

    AcquireSRWLockExclusive(&associations_lock);
    found = association_sweep_closed() || association_sweep_open();
    ReleaseSRWLockExclusive(&associations_lock);
    return found;
}

/* Ends an association that nobody can find any more. */
static void association_end(struct association *association)
{
    /* A bind under way in another thread comes to its end first. */
    AcquireSRWLockExclusive(&association->lock);
    if (!association->port)
        InterlockedDecrement(&unbound_sockets);
    else if (!association->watch.id)
        association_return_port(association);
    else
    {
        AcquireSRWLockExclusive(&associations_lock);
        InterlockedIncrement(&association->references);
        association->next_closed = closed_associations;
        closed_associations = association;
        if (++closed_count >= CLOSED_LIMIT) association_sweep_closed();
        ReleaseSRWLockExclusive(&associations_lock);
    }
    ReleaseSRWLockExclusive(&association->lock);
    association_dereference(association);
}

static struct association *association_create(HANDLE socket, const struct descriptor *descriptor,
                                              struct reservation *reservation)
{
    struct association *association =
        HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*association));

    if (!association) return NULL;
    InitializeSRWLock(&association->lock);
    association->references = 1;
    association->socket = socket;
    association->reservation = reservation;
    association->inode = descriptor->inode;
    association->protocol = descriptor->protocol;
    association->family = descriptor->family;
    association->fd = descriptor->fd;
    return association;
}

/* Puts an association in the place of what the handle stood for before: an earlier association of
 * the same socket, or one of a socket that was closed with CloseHandle. */
static enum portpool_status association_publish(struct association *association)
{
    struct association *earlier;
    BOOL success;

    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &association->socket, sizeof(association->socket), earlier);
    if (earlier) association_unlink(earlier);
    HASH_ADD(hh, associations, socket, sizeof(association->socket), association);
    if ((success = !!association->hh.tbl))
    {
        InterlockedIncrement(&tracked_sockets);
        InterlockedIncrement(&unbound_sockets);
    }
    ReleaseSRWLockExclusive(&associations_lock);
    if (earlier) association_end(earlier);
    return success ? PORTPOOL_SUCCESS : PORTPOOL_NO_RESOURCES;
}

enum portpool_status association_make(HANDLE socket, UINT64 token)
{
    struct reservation *reservation;
    struct association *association;
    struct descriptor descriptor;
    enum portpool_status status;

    reservation_sweep();
    if ((status = descriptor_open(socket, &descriptor))) return status;
    reservation = reservation_find(token);
    if (descriptor.bound)
        status = PORTPOOL_ALREADY_BOUND;
    else if (!reservation || reservation_protocol(reservation) != descriptor.protocol)
        status = PORTPOOL_INVALID_TOKEN;
    else if (!(association = association_create(socket, &descriptor, reservation)))
        status = PORTPOOL_NO_RESOURCES;
    else if (!(status = association_publish(association)))
        return PORTPOOL_SUCCESS;
    else
    {
        association_dereference(association);
        return status;
    }
    if (reservation) reservation_dereference(reservation);
    descriptor_close(descriptor.fd);
    return status;
}

BOOL association_awaits_port(HANDLE socket, UINT *family)
{
    struct association *association;
    BOOL awaits;

    AcquireSRWLockShared(&associations_lock);
    HASH_FIND(hh, associations, &socket, sizeof(socket), association);
    if ((awaits = association && !association->port)) *family = association->family;
    ReleaseSRWLockShared(&associations_lock);
    return awaits;
}

/* Says whether the handle still stands for the socket that was associated. If that was closed with
 * CloseHandle, and the handle given to another, ends the association. For those not bound yet. */
static BOOL association_verify(struct association *association)
{
    struct association *current;
    struct descriptor descriptor;

    if (!descriptor_open(association->socket, &descriptor))
    {
        descriptor_close(descriptor.fd);
        if (descriptor.inode == association->inode) return TRUE;
    }
    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &association->socket, sizeof(association->socket), current);
    if (current == association) association_unlink(association);
    ReleaseSRWLockExclusive(&associations_lock);
    if (current == association)
    {
        InterlockedDecrement(&unbound_sockets);
        association_dereference(association);
    }
    return FALSE;
}

/* The socket is bound: from now on the host tells when it ends. */
static void association_bound(struct association *association, USHORT port)
{
    AcquireSRWLockExclusive(&associations_lock);
    if (watch_start(&association_watches, &association->watch, association->fd))
        WARN("cannot watch %p: its port counts as free once it is closed\n", association->socket);
    association->port = port;
    ReleaseSRWLockExclusive(&associations_lock);
    InterlockedDecrement(&unbound_sockets);
    descriptor_close(association->fd);
    association->fd = -1;
}

/* Binds the socket to a port that was drawn for it; gives the port back if that fails. */
static enum portpool_bind_result association_bind_drawn(struct association *association,
                                                        USHORT port, portpool_bind_function bind,
                                                        void *context)
{
    struct unix_lend_params params = {
        .placeholder = reservation_placeholder(association->reservation, port),
        .socket = association->fd,
        .protocol = association->protocol,
    };
    enum portpool_bind_result result = PORTPOOL_BIND_CONFLICT;

    unix_call(UNIX_CALL_LEND, &params);
    if (!params.status)
    {
        result = bind(port, context);
        params.done = result == PORTPOOL_BIND_DONE;
        unix_call(UNIX_CALL_SETTLE, &params);
    }
    if (result == PORTPOOL_BIND_DONE)
        association_bound(association, port);
    else
        reservation_return(association->reservation, port);
    return result;
}

static enum portpool_status association_bind_exact(struct association *association, USHORT port,
                                                   portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;

    if (!reservation_contains(reservation, port)) return PORTPOOL_OUTSIDE_BLOCK;
    if (!reservation_draw_exact(reservation, port) &&
        !(association_sweep() && reservation_draw_exact(reservation, port)))
        return PORTPOOL_IN_USE;

    switch (association_bind_drawn(association, port, bind, context))
    {
    case PORTPOOL_BIND_DONE:
        return PORTPOOL_SUCCESS;
    case PORTPOOL_BIND_CONFLICT:
        return PORTPOOL_IN_USE;
    default:
        return PORTPOOL_CALL_FAILED;
    }
}

static enum portpool_status association_bind_any(struct association *association,
                                                 portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;
    BOOL verified = FALSE;
    USHORT port;

    /* A port may be ours and still not to be had, when an outsider slipped in beside a socket of
     * ours. No more tries than there are ports. */
    for (UINT tries = reservation_count(reservation); tries; tries--)
    {
        if (!(port = reservation_draw(reservation)) &&
            !(association_sweep() && (port = reservation_draw(reservation))))
            return PORTPOOL_EXHAUSTED;
        switch (association_bind_drawn(association, port, bind, context))
        {
        case PORTPOOL_BIND_DONE:
            return PORTPOOL_SUCCESS;
        case PORTPOOL_BIND_CONFLICT:
            break;
        default:
            return PORTPOOL_CALL_FAILED;
        }
        if (!verified && !association_verify(association)) return PORTPOOL_NOT_ASSOCIATED;
        verified = TRUE;
    }
    return PORTPOOL_EXHAUSTED;
}

static enum portpool_status association_bind_locked(struct association *association, USHORT port,
                                                    portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;
    enum portpool_status status;

    /* Bound already: Wine has an error for it, unless it is another socket by now. */
    if (association->port) return PORTPOOL_NOT_ASSOCIATED;

    if (!reservation_enter(reservation)) return PORTPOOL_INVALID_TOKEN;
    status = port ? association_bind_exact(association, port, bind, context)
                  : association_bind_any(association, bind, context);
    reservation_leave(reservation);
    return status;
}

enum portpool_status association_bind(HANDLE socket, USHORT port, portpool_bind_function bind,
                                      void *context)
{
    struct association *association = association_get(socket);
    enum portpool_status status;

    if (!association) return PORTPOOL_NOT_ASSOCIATED;
    AcquireSRWLockExclusive(&association->lock);
    status = association_bind_locked(association, port, bind, context);
    /* These may mean that the handle is another socket's by now, which has no association. */
    if (status && status != PORTPOOL_NOT_ASSOCIATED && status != PORTPOOL_CALL_FAILED &&
        !association_verify(association))
        status = PORTPOOL_NOT_ASSOCIATED;
    ReleaseSRWLockExclusive(&association->lock);
    association_dereference(association);
    return status;
}

static enum portpool_status association_listen_locked(struct association *association,
                                                      portpool_call_function listen, void *context)
{
    struct unix_lend_params params = {.placeholder = -1};
    struct descriptor descriptor;
    BOOL entered;

    if (!association->port || association->protocol != UNIX_TCP) return PORTPOOL_NOT_ASSOCIATED;
    if (descriptor_open(association->socket, &descriptor)) return PORTPOOL_NOT_ASSOCIATED;
    if (descriptor.inode != association->inode)
    {
        /* Closed with CloseHandle, and its handle given to another socket. */
        descriptor_close(descriptor.fd);
        return PORTPOOL_NOT_ASSOCIATED;
    }
    /* The kernel looks at the port once more when a socket listens. */
    if ((entered = reservation_enter(association->reservation)))
        params.placeholder = reservation_placeholder(association->reservation, association->port);
    params.socket = descriptor.fd;
    unix_call(UNIX_CALL_LISTEN, &params);
    params.done = listen(context);
    unix_call(UNIX_CALL_SETTLE_LISTEN, &params);
    if (entered) reservation_leave(association->reservation);
    descriptor_close(descriptor.fd);
    return params.done ? PORTPOOL_SUCCESS : PORTPOOL_CALL_FAILED;
}

enum portpool_status association_listen(HANDLE socket, portpool_call_function listen, void *context)
{
    struct association *association = association_get(socket);
    enum portpool_status status;

    if (!association) return PORTPOOL_NOT_ASSOCIATED;
    AcquireSRWLockExclusive(&association->lock);
    status = association_listen_locked(association, listen, context);
    ReleaseSRWLockExclusive(&association->lock);
    association_dereference(association);
    return status;
}

struct association *association_closing(HANDLE socket)
{
    struct association *association;

    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &socket, sizeof(socket), association);
    if (association) association_unlink(association);
    ReleaseSRWLockExclusive(&associations_lock);
    return association;
}

/* Puts an association back whose socket was not closed; FALSE if its handle has another by now. */
static BOOL association_restore(struct association *association)
{
    struct association *other;
    BOOL success = FALSE;

    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &association->socket, sizeof(association->socket), other);
    if (!other)
    {
        HASH_ADD(hh, associations, socket, sizeof(association->socket), association);
        success = !!association->hh.tbl;
    }
    if (success) InterlockedIncrement(&tracked_sockets);
    ReleaseSRWLockExclusive(&associations_lock);
    return success;
}

void association_closed(struct association *association, BOOL success)
{
    if (!success && association_restore(association)) return;
    association_end(association);
}

void association_end_all(void)
{
    struct association *association;

    for (;;)
    {
        AcquireSRWLockExclusive(&associations_lock);
        if ((association = associations)) association_unlink(association);
        ReleaseSRWLockExclusive(&associations_lock);
        if (!association) return;
        association_end(association);
    }
}
