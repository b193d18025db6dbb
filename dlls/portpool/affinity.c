/*
 * Affinities: UDP sockets of this process that share a port, one a processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A socket that has been given a processor is bound as any other is, unless sockets of this process
 * that have one, each another, have the port at its very address already: then it is bound beside
 * them, and the host shares the datagrams out.
 *
 * The host lets it in because the others share their port, and so it would let in any program of
 * the same user that shares, too. It is the socket that was bound last which it asks. Of IPv6, the
 * one that was bound first is what datagrams find, and with it the whole group; hence the last one
 * does not share but while another is bound. Of IPv4, datagrams find the last one: all must share.
 * One socket alone does not.
 */
#include "portpool_private.h"

#include "hash.h"
#include "tawny_debug.h"
#include "utlist.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

#define NO_PROCESSOR 0xffff

/* Sockets that were closed otherwise than by closesocket are looked for when there are this many
 * more than were left the last time. */
#define AFFINITY_SWEEP 64

struct affinity
{
    UT_hash_handle hh;        /* by inode */
    UT_hash_handle hh_socket; /* by socket, while that is not NULL */
    struct affinity *prev, *next;
    UINT64 inode;
    HANDLE socket; /* the handle by which it was given its processor; NULL once it is closed */
    USHORT processor;
    struct watch watch;
    struct sharing *sharing; /* NULL until it is bound */
    UINT place;              /* in the host's group */
};

/* The sockets that have one port. */
struct sharing
{
    struct sharing *prev, *next; /* while it has members */
    LONG references;             /* of that list, and of associations */
    BYTE address[16];
    USHORT port;
    UINT family;
    UINT count;
    struct affinity *members; /* in the order in which they were bound */
    /* What the port was drawn from, if it was. It goes back with the last association that has it.
     */
    struct reservation *reservation;
    LONG draws;
};

/* Guards all of the above but references and draws. Held while a socket is bound beside others:
 * those must stay meanwhile. */
static SRWLOCK affinities_lock = SRWLOCK_INIT;
static struct affinity *affinities;
static struct affinity *affinities_by_socket;
static struct sharing *sharings;
static struct watch_set affinity_watches;
static LONG sweep_limit = AFFINITY_SWEEP;

/* Read without the lock. */
static volatile LONG affinity_count;

static void sharing_dereference(struct sharing *sharing)
{
    if (InterlockedDecrement(&sharing->references)) return;
    if (sharing->reservation) reservation_dereference(sharing->reservation);
    HeapFree(GetProcessHeap(), 0, sharing);
}

struct reservation *sharing_leave(struct sharing *sharing)
{
    struct reservation *reservation = NULL;

    if (!InterlockedDecrement(&sharing->draws))
    {
        reservation = sharing->reservation;
        reservation_reference(reservation);
    }
    sharing_dereference(sharing);
    return reservation;
}

BOOL sharing_is_drawn_from(const struct sharing *sharing, const struct reservation *reservation)
{
    return sharing->reservation && reservation_is_same(sharing->reservation, reservation);
}

BOOL sharing_enter(struct sharing *sharing)
{
    LONG draws = sharing->draws, before;

    while (draws)
    {
        if ((before = InterlockedCompareExchange(&sharing->draws, draws + 1, draws)) == draws)
        {
            InterlockedIncrement(&sharing->references);
            return TRUE;
        }
        draws = before;
    }
    return FALSE;
}

static void sharing_set(int fd, BOOL share)
{
    struct unix_share_socket_params params = {.socket = fd, .share = share};

    unix_call(UNIX_CALL_SHARE_SOCKET, &params);
}

/* Tells the host whose processor is whose. */
static void sharing_steer(const struct sharing *sharing, int fd)
{
    struct unix_steer_params params = {.socket = fd, .count = sharing->count};
    USHORT *processors = HeapAlloc(GetProcessHeap(), 0, sharing->count * sizeof(*processors));
    const struct affinity *member;

    if (!processors) return;
    /* One that is closed, and lives on for a moment, is to get no more than the host gives it. */
    DL_FOREACH(sharing->members, member)
    processors[member->place] = member->socket ? member->processor : NO_PROCESSOR;
    params.processors = (ULONG_PTR)processors;
    unix_call(UNIX_CALL_STEER, &params);
    /* Each datagram still reaches one of them. */
    if (params.status)
        WARN("port %u is not shared out by processors\n", sharing->port);
    else
        TRACE("port %u is shared out by %u processors\n", sharing->port, sharing->count);
    HeapFree(GetProcessHeap(), 0, processors);
}

static BOOL affinity_open(const struct affinity *affinity, struct descriptor *descriptor)
{
    if (!affinity->socket || descriptor_open(affinity->socket, descriptor)) return FALSE;
    if (descriptor_inode(descriptor->fd) == affinity->inode) return TRUE;
    /* Closed with CloseHandle, and its handle given to another socket. */
    descriptor_close(descriptor->fd);
    return FALSE;
}

/* Opens the member that was bound last, of those that are not closed; the caller closes it. FALSE
 * if there is none. */
static BOOL sharing_open_last(const struct sharing *sharing, struct descriptor *descriptor)
{
    const struct affinity *member = sharing->members->prev;

    while (!affinity_open(member, descriptor))
    {
        if (member == sharing->members) return FALSE;
        member = member->prev;
    }
    return TRUE;
}

/* Says whether the member that was bound last has to share when nothing is being bound. */
static BOOL sharing_last_shares(const struct sharing *sharing)
{
    return sharing->count > 1 && sharing->family == HOST_AF_INET;
}

/* After members have come or gone: another may be the last now. */
static void sharing_settle(const struct sharing *sharing)
{
    struct descriptor descriptor;

    if (!sharing_open_last(sharing, &descriptor)) return;
    sharing_set(descriptor.fd, sharing_last_shares(sharing));
    if (sharing->count > 1) sharing_steer(sharing, descriptor.fd);
    descriptor_close(descriptor.fd);
}

/* It has been bound. */
static void sharing_add(struct sharing *sharing, struct affinity *member)
{
    member->sharing = sharing;
    member->place = sharing->count++;
    DL_APPEND(sharing->members, member);
}

/* Takes out a member that is gone from the host. There, the last of the group has taken its place.
 */
static void sharing_remove(struct sharing *sharing, struct affinity *member)
{
    struct affinity *other;

    DL_DELETE(sharing->members, member);
    member->sharing = NULL;
    sharing->count--;
    DL_FOREACH(sharing->members, other)
    if (other->place == sharing->count) other->place = member->place;
    if (sharing->members)
    {
        sharing_settle(sharing);
        return;
    }
    DL_DELETE(sharings, sharing);
    sharing_dereference(sharing);
}

/* The handle is no longer this socket's. Needs the lock. */
static void affinity_detach(struct affinity *affinity)
{
    if (!affinity->socket) return;
    HASH_DELETE(hh_socket, affinities_by_socket, affinity);
    affinity->socket = NULL;
}

/* The handle is this socket's; FALSE if there is no memory. Needs the lock. */
static BOOL affinity_attach(struct affinity *affinity, HANDLE socket)
{
    struct affinity *other;

    affinity_detach(affinity);
    HASH_FIND(hh_socket, affinities_by_socket, &socket, sizeof(socket), other);
    if (other) affinity_detach(other);
    affinity->socket = socket;
    HASH_ADD(hh_socket, affinities_by_socket, socket, sizeof(affinity->socket), affinity);
    if (affinity->hh_socket.tbl) return TRUE;
    affinity->socket = NULL;
    return FALSE;
}

static void affinity_free(struct affinity *affinity)
{
    affinity_detach(affinity);
    HASH_DELETE(hh, affinities, affinity);
    watch_stop(&affinity->watch);
    InterlockedDecrement(&affinity_count);
    InterlockedDecrement(&tracked_sockets);
    HeapFree(GetProcessHeap(), 0, affinity);
}

/* Forgets a socket that is gone from the host. Needs the lock. */
static void affinity_end(struct affinity *affinity)
{
    if (affinity->sharing) sharing_remove(affinity->sharing, affinity);
    affinity_free(affinity);
}

/* Forgets all sockets that are gone. Needs the lock. */
static void affinity_sweep(void)
{
    struct affinity *affinity, *next;

    watch_sweep_all(&affinity_watches);
    HASH_ITER(hh, affinities, affinity, next)
    {
        if (affinity->watch.gone) affinity_end(affinity);
    }
    sweep_limit = affinity_count + AFFINITY_SWEEP;
}

static struct affinity *affinity_find(UINT64 inode)
{
    struct affinity *affinity;

    HASH_FIND(hh, affinities, &inode, sizeof(inode), affinity);
    return affinity;
}

/* Needs the lock. */
static enum portpool_status affinity_create(const struct descriptor *descriptor, UINT64 inode,
                                            struct affinity **result)
{
    struct affinity *affinity = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*affinity));
    enum portpool_status status;

    if (!affinity) return PORTPOOL_NO_RESOURCES;
    affinity->inode = inode;
    if ((status = watch_start(&affinity_watches, &affinity->watch, descriptor->fd)))
    {
        HeapFree(GetProcessHeap(), 0, affinity);
        return status;
    }
    HASH_ADD(hh, affinities, inode, sizeof(affinity->inode), affinity);
    if (!affinity->hh.tbl)
    {
        watch_stop(&affinity->watch);
        HeapFree(GetProcessHeap(), 0, affinity);
        return PORTPOOL_NO_RESOURCES;
    }
    InterlockedIncrement(&affinity_count);
    InterlockedIncrement(&tracked_sockets);
    *result = affinity;
    return PORTPOOL_SUCCESS;
}

static enum portpool_status affinity_set_locked(HANDLE socket, const struct descriptor *descriptor,
                                                USHORT processor)
{
    UINT64 inode = descriptor_inode(descriptor->fd);
    struct affinity *affinity;
    enum portpool_status status;

    if (affinity_count >= sweep_limit) affinity_sweep();
    if (!(affinity = affinity_find(inode)) &&
        (status = affinity_create(descriptor, inode, &affinity)))
        return status;
    if (!affinity_attach(affinity, socket))
    {
        affinity_free(affinity);
        return PORTPOOL_NO_RESOURCES;
    }
    affinity->processor = processor;
    return PORTPOOL_SUCCESS;
}

enum portpool_status affinity_set(HANDLE socket, USHORT processor)
{
    struct descriptor descriptor;
    enum portpool_status status;

    if ((status = descriptor_open(socket, &descriptor))) return status;
    if (descriptor.protocol != UNIX_UDP)
        status = PORTPOOL_UNSUPPORTED_SOCKET;
    else if (descriptor.port)
        status = PORTPOOL_ALREADY_BOUND;
    else
    {
        AcquireSRWLockExclusive(&affinities_lock);
        status = affinity_set_locked(socket, &descriptor, processor);
        ReleaseSRWLockExclusive(&affinities_lock);
    }
    descriptor_close(descriptor.fd);
    return status;
}

BOOL affinity_get(HANDLE socket, USHORT *processor)
{
    struct descriptor descriptor;
    struct affinity *affinity;

    if (!affinity_count || descriptor_open(socket, &descriptor)) return FALSE;
    AcquireSRWLockShared(&affinities_lock);
    if ((affinity = affinity_find(descriptor_inode(descriptor.fd))))
        *processor = affinity->processor;
    ReleaseSRWLockShared(&affinities_lock);
    descriptor_close(descriptor.fd);
    return !!affinity;
}

/* Finds the sockets that have a port at an address. Needs the lock. */
static struct sharing *sharing_find(const BYTE address[16], USHORT port)
{
    struct sharing *sharing;

    DL_FOREACH(sharings, sharing)
    if (sharing->port == port && !memcmp(sharing->address, address, sizeof(sharing->address)))
        break;
    return sharing;
}

static BOOL sharing_has_processor(const struct sharing *sharing, USHORT processor)
{
    const struct affinity *member;

    DL_FOREACH(sharing->members, member) if (member->processor == processor) return TRUE;
    return FALSE;
}

/* Says whether a socket that is closed and not yet gone is in the way of another's bind. */
static BOOL sharing_is_closing(const struct sharing *sharing, USHORT processor)
{
    const struct affinity *member;

    if (!sharing->members->prev->socket) return TRUE;
    DL_FOREACH(sharing->members, member)
    if (member->processor == processor && !member->socket) return TRUE;
    return FALSE;
}

/* Finds the sockets that have a port, those apart that are gone. Needs the lock, which is left
 * meanwhile. */
static struct sharing *sharing_find_current(const BYTE address[16], USHORT port, USHORT processor)
{
    struct sharing *sharing;

    for (UINT waited = 0;; waited++)
    {
        affinity_sweep();
        sharing = sharing_find(address, port);
        if (!sharing || waited == CLOSED_PATIENCE || !sharing_is_closing(sharing, processor)) break;
        /* Not with the lock: whoever holds up its end may need it. */
        ReleaseSRWLockExclusive(&affinities_lock);
        Sleep(1);
        AcquireSRWLockExclusive(&affinities_lock);
    }
    return sharing;
}

/* Opens the member that was bound last, if nothing is in the way of a socket with this processor.
 */
static BOOL sharing_admits(const struct sharing *sharing, USHORT processor, struct descriptor *last)
{
    return !sharing_has_processor(sharing, processor) && sharing->members->prev->socket &&
           sharing_open_last(sharing, last);
}

/* Binds the socket while the member that was bound last shares its port. */
static enum portpool_status sharing_bind(struct sharing *sharing, struct affinity *affinity, int fd,
                                         const struct descriptor *last, sharing_bind_function bind,
                                         void *context)
{
    struct unix_join_params params = {.member = last->fd, .socket = fd};
    enum portpool_status status = PORTPOOL_IN_USE;

    unix_call(UNIX_CALL_JOIN, &params);
    if (!params.status) status = bind(sharing, context);
    if (!status)
    {
        sharing_add(sharing, affinity);
        /* By another descriptor: bind may have closed this one. */
        sharing_settle(sharing);
    }
    else
        sharing_set(last->fd, sharing_last_shares(sharing));
    descriptor_close(last->fd);
    return status;
}

static enum portpool_status affinity_join_locked(int fd, const BYTE address[16], USHORT port,
                                                 sharing_bind_function bind, void *context)
{
    UINT64 inode = descriptor_inode(fd);
    struct affinity *affinity = affinity_find(inode);
    struct sharing *sharing = sharing_find(address, port);
    struct descriptor last;

    if (!affinity || affinity->sharing || !sharing) return PORTPOOL_NOT_ASSOCIATED;
    if (!sharing_admits(sharing, affinity->processor, &last))
    {
        sharing = sharing_find_current(address, port, affinity->processor);
        /* The lock was left. */
        affinity = affinity_find(inode);
        if (!affinity || affinity->sharing || !sharing) return PORTPOOL_NOT_ASSOCIATED;
        if (!sharing_admits(sharing, affinity->processor, &last)) return PORTPOOL_IN_USE;
    }
    return sharing_bind(sharing, affinity, fd, &last, bind, context);
}

enum portpool_status affinity_join(int fd, const BYTE address[16], USHORT port,
                                   sharing_bind_function bind, void *context)
{
    enum portpool_status status;

    if (!affinity_count) return PORTPOOL_NOT_ASSOCIATED;
    AcquireSRWLockExclusive(&affinities_lock);
    status = affinity_join_locked(fd, address, port, bind, context);
    ReleaseSRWLockExclusive(&affinities_lock);
    return status;
}

static struct sharing *sharing_create(struct affinity *affinity, UINT family,
                                      const BYTE address[16], USHORT port)
{
    struct sharing *sharing = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*sharing));

    if (!sharing) return NULL;
    sharing->references = 1;
    sharing->family = family;
    sharing->port = port;
    memcpy(sharing->address, address, sizeof(sharing->address));
    DL_APPEND(sharings, sharing);
    sharing_add(sharing, affinity);
    return sharing;
}

struct sharing *affinity_bound(UINT64 inode, UINT family, const BYTE address[16], USHORT port,
                               struct reservation *reservation)
{
    struct sharing *sharing = NULL;
    struct affinity *affinity;

    if (!affinity_count) return NULL;
    AcquireSRWLockExclusive(&affinities_lock);
    /* Without memory it has the port for itself. */
    if ((affinity = affinity_find(inode)) && !affinity->sharing &&
        (sharing = sharing_create(affinity, family, address, port)) && reservation)
    {
        reservation_reference(reservation);
        sharing->reservation = reservation;
        sharing->draws = 1;
        InterlockedIncrement(&sharing->references);
    }
    ReleaseSRWLockExclusive(&affinities_lock);
    return sharing;
}

/* A bind of a socket that is not associated. */
struct affinity_bind
{
    const struct descriptor *descriptor;
    USHORT port;
    portpool_bind_function bind;
    void *context;
};

static enum portpool_status affinity_bind_shared(const struct affinity_bind *call)
{
    return lend_bind(UNIX_PLACEHOLDER_SHARED, call->descriptor->fd, UNIX_UDP, call->port,
                     call->bind, call->context) == PORTPOOL_BIND_DONE
               ? PORTPOOL_SUCCESS
               : PORTPOOL_CALL_FAILED;
}

/* In a persistent range, as everybody who binds there. */
static enum portpool_status affinity_bind_persistent(const struct affinity_bind *call,
                                                     struct port_table *table)
{
    enum portpool_status status = persistent_begin_number(table, UNIX_UDP, call->port);

    if (status) return status;
    status = affinity_bind_shared(call);
    persistent_unlock(table, UNIX_UDP, call->port);
    return status;
}

static enum portpool_status affinity_bind_beside(struct sharing *sharing, void *context)
{
    const struct affinity_bind *call = context;
    struct port_table *table = table_find();
    uint64_t owner;

    (void)sharing;
    if (table && port_table_lookup(table, UNIX_UDP, call->port, &owner) == PORT_PERSISTENT)
        return affinity_bind_persistent(call, table);
    return affinity_bind_shared(call);
}

/* To share a port of a block takes an association. */
static BOOL affinity_may_share(USHORT port)
{
    struct port_table *table = table_find();
    uint64_t owner;

    return !table || port_table_lookup(table, UNIX_UDP, port, &owner) != PORT_RUNTIME ||
           !table_owner_alive(owner);
}

enum portpool_status affinity_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                   portpool_bind_function bind, void *context)
{
    struct descriptor descriptor;
    struct affinity_bind call = {&descriptor, port, bind, context};
    enum portpool_status status = PORTPOOL_NOT_ASSOCIATED;

    if (!affinity_count || !port || !affinity_may_share(port)) return status;
    if (descriptor_open(socket, &descriptor)) return status;
    if (!descriptor.port && descriptor.protocol == UNIX_UDP)
        status = affinity_join(descriptor.fd, address, port, affinity_bind_beside, &call);
    descriptor_close(descriptor.fd);
    return status;
}

void affinity_bound_alone(HANDLE socket, const BYTE address[16])
{
    struct descriptor descriptor;

    if (!affinity_count || descriptor_open(socket, &descriptor)) return;
    if (descriptor.port && descriptor.protocol == UNIX_UDP)
        affinity_bound(descriptor_inode(descriptor.fd), descriptor.family, address, descriptor.port,
                       NULL);
    descriptor_close(descriptor.fd);
}

UINT64 affinity_closing(HANDLE socket, HANDLE *other)
{
    struct affinity *affinity;
    UINT64 inode = 0;

    *other = NULL;
    if (!affinity_count) return 0;
    AcquireSRWLockExclusive(&affinities_lock);
    HASH_FIND(hh_socket, affinities_by_socket, &socket, sizeof(socket), affinity);
    if (affinity)
    {
        inode = affinity->inode;
        affinity_detach(affinity);
    }
    ReleaseSRWLockExclusive(&affinities_lock);
    if (inode && !endpoint_is_last_handle(socket)) endpoint_find_own(inode, socket, other);
    return inode;
}

/* Forgets the socket if it is gone; if a receive that is still pending keeps it for a moment, has
 * the others do without it already. Needs the lock. */
static void affinity_close(struct affinity *affinity)
{
    watch_sweep(&affinity->watch);
    if (affinity->watch.gone)
        affinity_end(affinity);
    else if (affinity->sharing)
        sharing_settle(affinity->sharing);
}

void affinity_closed(HANDLE socket, HANDLE other, UINT64 inode, BOOL success)
{
    HANDLE now = success ? other : socket;
    struct affinity *affinity;

    AcquireSRWLockExclusive(&affinities_lock);
    if ((affinity = affinity_find(inode)) && !affinity->socket)
    {
        if (now)
            affinity_attach(affinity, now);
        else
            affinity_close(affinity);
    }
    ReleaseSRWLockExclusive(&affinities_lock);
}

void affinity_end_all(void)
{
    AcquireSRWLockExclusive(&affinities_lock);
    if (affinity_count) affinity_sweep();
    ReleaseSRWLockExclusive(&affinities_lock);
}
