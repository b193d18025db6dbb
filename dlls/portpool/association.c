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

/* Closed sockets whose ports nobody has asked for yet are looked at when they are this many more
 * than were left the last time. */
#define CLOSED_LIMIT 64

/* How many unbound sockets a reservation call asks the wineserver about. */
#define VERIFY_LIMIT 2

/* How many ports may be snatched away between their draw and their bind. */
#define FASTER_LIMIT 8

/* How many handles are remembered that have nothing to do with associations. A power of two. */
#define BYSTANDERS 64

struct association
{
    UT_hash_handle hh;         /* by socket, until it is closed */
    UT_hash_handle hh_unbound; /* by socket, while it waits for a port, the longest waiting first */
    struct association *next_closed;
    LONG references;
    HANDLE socket;
    struct reservation *reservation;
    struct watch watch; /* while it has a port */
    UINT protocol;
    UINT family;
    BOOL reclaimed; /* the host has been asked about the range's ports for this bind */
    BOOL acquirer;  /* the socket acquired a block too */
    UINT64 inode;   /* tells host sockets apart */
    int fd;         /* the host socket, until it is bound: kept longer, it would keep the port bound
                     * and the listener listening after closesocket; -1 then */
    USHORT port;    /* 0 until it is bound */
    struct sharing *sharing; /* the port, which was drawn once, is shared; else NULL */
    SRWLOCK lock;            /* held while it is bound, listens or ends: one at a time */
};

/* Guards the hashes, the list, and the set. Taken inside an association's lock, never around it. */
static SRWLOCK associations_lock = SRWLOCK_INIT;
static struct association *associations;
static struct association *unbound_associations;
static struct association *closed_associations;
static UINT closed_count;
static UINT closed_limit = CLOSED_LIMIT;
static struct watch_set association_watches;

/* Handles that stand for no unbound, associated socket, each with the number of associations there
 * were when it was looked at: a program that sends is not to be looked at each time. */
static volatile LONG64 bystanders[BYSTANDERS];
static volatile LONG association_number;

static void association_dereference(struct association *association)
{
    if (InterlockedDecrement(&association->references)) return;
    if (association->fd != -1) descriptor_close(association->fd);
    reservation_dereference(association->reservation);
    HeapFree(GetProcessHeap(), 0, association);
}

static volatile LONG64 *bystander_slot(HANDLE socket)
{
    return &bystanders[(ULONG_PTR)socket / 4 % BYSTANDERS];
}

/* What the slot has if the handle is known not to stand for any of these associations. */
static LONG64 bystander_mark(HANDLE socket, LONG number)
{
    return (UINT64)number << 32 | (UINT32)(ULONG_PTR)socket;
}

/* Finds the unbound association of a host socket. Needs the lock. */
static struct association *association_find_unbound(UINT64 inode)
{
    struct association *association = unbound_associations;

    while (association && association->inode != inode) association = association->hh_unbound.next;
    return association;
}

/* Finds the unbound association of a socket that has more handles than the one it was made by: it
 * belongs to the socket. */
static struct association *association_get_by_duplicate(HANDLE socket)
{
    LONG64 mark = bystander_mark(socket, association_number);
    struct association *association;
    struct descriptor descriptor;
    UINT64 inode;

    if (!unbound_sockets || *bystander_slot(socket) == mark) return NULL;
    if (descriptor_open(socket, &descriptor)) return NULL;
    inode = descriptor_inode(descriptor.fd);
    descriptor_close(descriptor.fd);
    AcquireSRWLockShared(&associations_lock);
    if ((association = association_find_unbound(inode)))
        InterlockedIncrement(&association->references);
    ReleaseSRWLockShared(&associations_lock);
    if (!association) InterlockedExchange64(bystander_slot(socket), mark);
    return association;
}

/* Finds the association of a socket that waits for a port, with a reference. */
static struct association *association_get(HANDLE socket)
{
    struct association *association;

    AcquireSRWLockShared(&associations_lock);
    HASH_FIND(hh_unbound, unbound_associations, &socket, sizeof(socket), association);
    if (association) InterlockedIncrement(&association->references);
    ReleaseSRWLockShared(&associations_lock);
    return association ? association : association_get_by_duplicate(socket);
}

static void association_return_to(const struct association *association,
                                  struct reservation *reservation)
{
    /* Not entered means that it ends: then all its ports are given back, and this one may be
     * another block's already. */
    if (!reservation_try_enter(reservation)) return;
    reservation_return(reservation, association->port);
    reservation_leave(reservation);
    TRACE("%p is gone, port %u is back\n", association->socket, association->port);
}

/* Gives the port back to the block, if the block still is and nobody shares the port. */
static void association_return_port(struct association *association)
{
    struct reservation *reservation;

    if (!association->sharing)
    {
        association_return_to(association, association->reservation);
        return;
    }
    reservation = sharing_leave(association->sharing);
    association->sharing = NULL;
    if (!reservation) return;
    association_return_to(association, reservation);
    reservation_dereference(reservation);
}

/* It waits for a port no longer. Needs the lock. */
static void association_stop_waiting(struct association *association)
{
    if (!association->hh_unbound.tbl) return;
    HASH_DELETE(hh_unbound, unbound_associations, association);
    association->hh_unbound.tbl = NULL;
    InterlockedDecrement(&unbound_sockets);
}

/* Takes it out of the hashes. Needs the lock. */
static void association_unlink(struct association *association)
{
    association_stop_waiting(association);
    HASH_DELETE(hh, associations, association);
    InterlockedDecrement(&tracked_sockets);
}

/* Puts it into the hashes; FALSE if there is no memory. Needs the lock. */
static BOOL association_link(struct association *association)
{
    HASH_ADD(hh, associations, socket, sizeof(association->socket), association);
    if (!association->hh.tbl) return FALSE;
    InterlockedIncrement(&tracked_sockets);
    if (association->port) return TRUE;
    InterlockedIncrement(&association_number);
    HASH_ADD(hh_unbound, unbound_associations, socket, sizeof(association->socket), association);
    if (association->hh_unbound.tbl)
    {
        InterlockedIncrement(&unbound_sockets);
        return TRUE;
    }
    association_unlink(association);
    return FALSE;
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
static void association_sweep_open(void)
{
    struct association *association, *next;

    watch_sweep_all(&association_watches);
    HASH_ITER(hh, associations, association, next)
    {
        if (!association->watch.gone) continue;
        association_unlink(association);
        watch_stop(&association->watch);
        association_return_port(association);
        association_dereference(association);
    }
}

/* Looks for ports that are given out and no longer used. */
static void association_sweep(void)
{
    AcquireSRWLockExclusive(&associations_lock);
    if (!association_sweep_closed()) association_sweep_open();
    ReleaseSRWLockExclusive(&associations_lock);
}

/* Keeps an association whose socket is closed until that is gone from the host, too. Needs the
 * lock. */
static void association_retire(struct association *association)
{
    /* Other processes draw from a persistent range, and cannot see what we keep. */
    if (reservation_is_persistent(association->reservation))
    {
        watch_sweep(&association->watch);
        if (association->watch.gone)
        {
            watch_stop(&association->watch);
            association_return_port(association);
            return;
        }
    }
    InterlockedIncrement(&association->references);
    association->next_closed = closed_associations;
    closed_associations = association;
    if (++closed_count < closed_limit) return;
    association_sweep_closed();
    closed_limit = closed_count + CLOSED_LIMIT;
}

/* Ends an association that nobody can find any more. */
static void association_end(struct association *association)
{
    /* A bind under way in another thread comes to its end first. */
    AcquireSRWLockExclusive(&association->lock);
    if (association->port && !association->watch.id) association_return_port(association);
    if (association->watch.id)
    {
        AcquireSRWLockExclusive(&associations_lock);
        association_retire(association);
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
    association->protocol = descriptor->protocol;
    association->family = descriptor->family;
    association->fd = descriptor->fd;
    association->inode = descriptor_inode(descriptor->fd);
    association->acquirer = reservation_has_acquirer(socket);
    return association;
}

/* Puts an association in the place of what the handle stood for before: an earlier association of
 * the same socket, be it by another handle, or one of a socket that was closed with CloseHandle. */
static enum portpool_status association_publish(struct association *association)
{
    struct association *earlier;
    BOOL success;

    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &association->socket, sizeof(association->socket), earlier);
    if (!earlier) earlier = association_find_unbound(association->inode);
    if (earlier) association_unlink(earlier);
    success = association_link(association);
    ReleaseSRWLockExclusive(&associations_lock);
    if (earlier) association_end(earlier);
    return success ? PORTPOOL_SUCCESS : PORTPOOL_NO_RESOURCES;
}

/* Associates a socket. If that succeeds, it has the descriptor and the reservation. */
static enum portpool_status association_make_from(HANDLE socket,
                                                  const struct descriptor *descriptor,
                                                  struct reservation *reservation)
{
    struct association *association = association_create(socket, descriptor, reservation);
    enum portpool_status status;

    if (!association) return PORTPOOL_NO_RESOURCES;
    if (!(status = association_publish(association))) return PORTPOOL_SUCCESS;
    HeapFree(GetProcessHeap(), 0, association);
    return status;
}

enum portpool_status association_make(HANDLE socket, UINT64 token)
{
    struct reservation *reservation;
    struct descriptor descriptor;
    enum portpool_status status;

    if ((status = descriptor_open(socket, &descriptor))) return status;
    if (descriptor.port)
        status = PORTPOOL_ALREADY_BOUND;
    else if (!(status = reservation_find(descriptor.protocol, token, &reservation)))
    {
        if (!(status = association_make_from(socket, &descriptor, reservation)))
            return PORTPOOL_SUCCESS;
        reservation_dereference(reservation);
    }
    descriptor_close(descriptor.fd);
    return status;
}

BOOL association_awaits_port(HANDLE socket, UINT *family)
{
    struct association *association = association_get(socket);
    BOOL awaits;

    if (!association) return FALSE;
    if ((awaits = !association->port)) *family = association->family;
    association_dereference(association);
    return awaits;
}

/* Says whether the handle stands for the socket that was associated. If that was closed with
 * CloseHandle and the handle given to another, or AcceptEx has put a connection in its place, ends
 * the association. For those not bound yet. */
static BOOL association_verify(struct association *association, HANDLE socket)
{
    struct association *current;

    if (endpoint_is(socket, association->inode)) return TRUE;
    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &association->socket, sizeof(association->socket), current);
    if (current == association) association_unlink(association);
    ReleaseSRWLockExclusive(&associations_lock);
    if (current == association) association_dereference(association);
    return FALSE;
}

/* Picks unbound sockets to ask about, with a reference each: those that keep a block alive, and a
 * few of the others, in turn. */
static UINT association_pick_unbound(struct association **picked, UINT size)
{
    struct association *association, *next;
    UINT count = 0, others = 0;

    AcquireSRWLockExclusive(&associations_lock);
    for (association = unbound_associations; association && count < size; association = next)
    {
        next = association->hh_unbound.next;
        if (!association->acquirer && others++ >= VERIFY_LIMIT) continue;
        InterlockedIncrement(&association->references);
        picked[count++] = association;
    }
    /* To the end of the line. The count must not drop meanwhile: calls that bind read it without
     * the lock. */
    for (UINT i = 0; i < count; i++)
    {
        HASH_DELETE(hh_unbound, unbound_associations, picked[i]);
        HASH_ADD(hh_unbound, unbound_associations, socket, sizeof(picked[i]->socket), picked[i]);
    }
    ReleaseSRWLockExclusive(&associations_lock);
    return count;
}

void association_sweep_unbound(void)
{
    struct association *picked[32];
    UINT count;

    if (!unbound_sockets) return;
    count = association_pick_unbound(picked, ARRAYSIZE(picked));
    for (UINT i = 0; i < count; i++)
    {
        /* One that is being bound just now is alive. */
        if (TryAcquireSRWLockExclusive(&picked[i]->lock))
        {
            if (!picked[i]->port) association_verify(picked[i], picked[i]->socket);
            ReleaseSRWLockExclusive(&picked[i]->lock);
        }
        association_dereference(picked[i]);
    }
}

void association_note_acquirer(HANDLE socket)
{
    struct association *association;

    AcquireSRWLockExclusive(&associations_lock);
    HASH_FIND(hh, associations, &socket, sizeof(socket), association);
    if (association) association->acquirer = TRUE;
    ReleaseSRWLockExclusive(&associations_lock);
}

/* The socket is bound: from now on the host tells when it ends. */
static void association_bound(struct association *association, USHORT port)
{
    AcquireSRWLockExclusive(&associations_lock);
    if (watch_start(&association_watches, &association->watch, association->fd))
        WARN("cannot watch %p: its port counts as free once it is closed\n", association->socket);
    association->port = port;
    association_stop_waiting(association);
    ReleaseSRWLockExclusive(&associations_lock);
    descriptor_close(association->fd);
    association->fd = -1;
}

static enum portpool_bind_result association_bind_lent(struct association *association, USHORT port,
                                                       portpool_bind_function bind, void *context)
{
    return lend_bind(reservation_placeholder(association->reservation, port), association->fd,
                     association->protocol, port, bind, context);
}

/* Binds the socket to a port that was drawn for it; gives the port back if that fails. */
static enum portpool_bind_result association_bind_drawn(struct association *association,
                                                        USHORT port, portpool_bind_function bind,
                                                        void *context)
{
    struct reservation *reservation = association->reservation;
    enum portpool_bind_result result;

    if (!reservation_begin_bind(reservation, port))
    {
        /* It is worth to look once more: whoever took it may have left another. */
        association->reclaimed = FALSE;
        return PORTPOOL_BIND_CONFLICT;
    }
    result = association_bind_lent(association, port, bind, context);
    if (result == PORTPOOL_BIND_DONE)
        association_bound(association, port);
    else if (result == PORTPOOL_BIND_CONFLICT)
        reservation_refuse(reservation, port);
    else
        reservation_return(reservation, port);
    reservation_end_bind(reservation, port);
    return result;
}

/* Says whether a socket is closed and not gone that had this port of the block, or any if it is 0.
 */
static BOOL association_is_closing(const struct reservation *reservation, USHORT port)
{
    struct association *association;

    AcquireSRWLockShared(&associations_lock);
    for (association = closed_associations; association; association = association->next_closed)
        if (reservation_is_same(association->reservation, reservation) &&
            (!port || association->port == port))
            break;
    ReleaseSRWLockShared(&associations_lock);
    return !!association;
}

static USHORT association_try_draw(struct reservation *reservation, USHORT port)
{
    if (!port) return reservation_draw(reservation);
    return reservation_draw_exact(reservation, port) ? port : 0;
}

/* Draws this port, or any if it is 0, after asking the host: once a bind, for that takes long. */
static USHORT association_reclaim(struct association *association, USHORT port)
{
    if (association->reclaimed) return 0;
    association->reclaimed = TRUE;
    reservation_reclaim(association->reservation, port);
    return association_try_draw(association->reservation, port);
}

/* Draws this port, or any if it is 0; 0 if there is none. */
static USHORT association_draw(struct association *association, USHORT port)
{
    struct reservation *reservation = association->reservation;
    USHORT drawn;

    for (UINT waited = 0;; waited++)
    {
        if ((drawn = association_try_draw(reservation, port))) return drawn;
        /* Whatever this finds: another thread may have swept before us. */
        association_sweep();
        if ((drawn = association_try_draw(reservation, port))) return drawn;
        if ((drawn = association_reclaim(association, port))) return drawn;
        /* A thread that was waiting in a call on a socket keeps that bound until it has heard of
         * closesocket, which is soon. A duplicate keeps it longer. */
        if (waited == CLOSED_PATIENCE || !association_is_closing(reservation, port)) return 0;
        Sleep(1);
    }
}

/* A bind beside sockets of the process that have the port. */
struct association_join
{
    struct association *association;
    USHORT port;
    portpool_bind_function bind;
    void *context;
};

static enum portpool_status association_join_bind(const struct association_join *join)
{
    switch (association_bind_lent(join->association, join->port, join->bind, join->context))
    {
    case PORTPOOL_BIND_DONE:
        association_bound(join->association, join->port);
        return PORTPOOL_SUCCESS;
    case PORTPOOL_BIND_CONFLICT:
        return PORTPOOL_IN_USE;
    default:
        return PORTPOOL_CALL_FAILED;
    }
}

/* In a persistent range the port may have been bound by number and be uncertain: then nobody has
 * drawn it, and nobody is to give it back. */
static enum portpool_status association_join_persistent(const struct association_join *join)
{
    enum portpool_status status;

    if (!persistent_lock(table_map(), UNIX_UDP, join->port)) return PORTPOOL_IN_USE;
    status = association_join_bind(join);
    persistent_unlock(table_map(), UNIX_UDP, join->port);
    return status;
}

static enum portpool_status association_join_sharing(struct sharing *sharing, void *context)
{
    const struct association_join *join = context;
    struct association *association = join->association;
    BOOL persistent = reservation_is_persistent(association->reservation);
    enum portpool_status status;

    if (sharing_is_drawn_from(sharing, association->reservation) && sharing_enter(sharing))
        association->sharing = sharing;
    else if (!persistent)
        return PORTPOOL_NOT_ASSOCIATED;
    status = persistent ? association_join_persistent(join) : association_join_bind(join);
    if (status && association->sharing) association_return_port(association);
    return status;
}

static enum portpool_status association_bind_exact(struct association *association,
                                                   const BYTE address[16], USHORT port,
                                                   portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;
    struct association_join join = {association, port, bind, context};
    enum portpool_bind_result result;
    enum portpool_status status;

    if (!reservation_contains(reservation, port)) return PORTPOOL_OUTSIDE_BLOCK;
    status = affinity_join(association->fd, address, port, association_join_sharing, &join);
    if (status != PORTPOOL_NOT_ASSOCIATED) return status;
    if (!association_draw(association, port)) return PORTPOOL_IN_USE;

    result = association_bind_drawn(association, port, bind, context);
    if (result == PORTPOOL_BIND_DONE) return PORTPOOL_SUCCESS;
    /* Of a port that only root may bind, the host's refusal tells more than ours. */
    if (result == PORTPOOL_BIND_FAILED || reservation_may_be_bare(reservation, port))
        return PORTPOOL_CALL_FAILED;
    return PORTPOOL_IN_USE;
}

static enum portpool_status association_bind_any(struct association *association, HANDLE socket,
                                                 portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;
    BOOL verified = FALSE;
    USHORT port;

    /* A port may be ours and still not to be had, when an outsider slipped in beside a socket of
     * ours, or another thread or process was faster. No more tries than there are ports, but for a
     * few. */
    for (UINT tries = reservation_count(reservation) + FASTER_LIMIT; tries; tries--)
    {
        if (!(port = association_draw(association, 0))) return PORTPOOL_EXHAUSTED;
        switch (association_bind_drawn(association, port, bind, context))
        {
        case PORTPOOL_BIND_DONE:
            return PORTPOOL_SUCCESS;
        case PORTPOOL_BIND_CONFLICT:
            break;
        default:
            return PORTPOOL_CALL_FAILED;
        }
        if (!verified && !association_verify(association, socket)) return PORTPOOL_NOT_ASSOCIATED;
        verified = TRUE;
    }
    return PORTPOOL_EXHAUSTED;
}

static enum portpool_status association_bind_locked(struct association *association, HANDLE socket,
                                                    const BYTE address[16], USHORT port,
                                                    portpool_bind_function bind, void *context)
{
    struct reservation *reservation = association->reservation;
    enum portpool_status status;

    /* Bound already: Wine has an error for it, unless it is another socket by now. */
    if (association->port) return PORTPOOL_NOT_ASSOCIATED;

    if (!reservation_enter(reservation)) return PORTPOOL_INVALID_TOKEN;
    association->reclaimed = FALSE;
    status = port ? association_bind_exact(association, address, port, bind, context)
                  : association_bind_any(association, socket, bind, context);
    if (!status && !association->sharing)
        association->sharing = affinity_bound(association->inode, association->family, address,
                                              association->port, reservation);
    /* A persistent range may be deleted while its ports are drawn: then there are none. */
    if ((status == PORTPOOL_IN_USE || status == PORTPOOL_EXHAUSTED) &&
        reservation_is_persistent(reservation) && !reservation_enter(reservation))
        status = PORTPOOL_INVALID_TOKEN;
    reservation_leave(reservation);
    return status;
}

enum portpool_status association_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                      portpool_bind_function bind, void *context)
{
    struct association *association = association_get(socket);
    enum portpool_status status;

    if (!association) return PORTPOOL_NOT_ASSOCIATED;
    AcquireSRWLockExclusive(&association->lock);
    status = association_bind_locked(association, socket, address, port, bind, context);
    /* It may be another socket by now, which has no association. */
    if (status && status != PORTPOOL_NOT_ASSOCIATED && !association_verify(association, socket))
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
    if (descriptor.port != association->port)
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
    enum portpool_status status;
    struct association *association;

    AcquireSRWLockShared(&associations_lock);
    HASH_FIND(hh, associations, &socket, sizeof(socket), association);
    if (association) InterlockedIncrement(&association->references);
    ReleaseSRWLockShared(&associations_lock);

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

    InterlockedExchange64(bystander_slot(socket), 0);
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
    if (!other) success = association_link(association);
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
