/*
 * A client's side of persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Their placeholders are another process's, the holder's, and share their ports all the time. The
 * host then does not keep apart all that it should: of two UDP sockets at one address it refuses
 * the second no longer. Hence the port table decides who has a port, and whoever binds one keeps
 * the others from it meanwhile.
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* How long a port is waited for that somebody is just binding, in milliseconds: longer than any
 * bind takes, on however busy a host. */
#define LOCK_PATIENCE 1000

/* A port that is drawn, and still not bound after so many milliseconds, was closed. */
#define DRAWN_PATIENCE 10

/* How long the holder may take to make its tokens known, and how often it is looked after. */
#define HOLDER_PATIENCE 10000
#define HOLDER_INTERVAL 20

/* How often this process has drawn each port. A socket may have lost its port, unseen, and another
 * one of this process have drawn it since: then the first has nothing to return. */
static UINT draws[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
static SRWLOCK draws_lock = SRWLOCK_INIT;

/* The process has bound a TCP socket by number. */
static LONG listens_expected;

static BOOL persistent_range_is_valid(USHORT start, USHORT count)
{
    return start && count && start + count <= PORT_TABLE_PORTS;
}

static enum portpool_status persistent_ask(enum request_operation operation,
                                           enum request_store store, UINT protocol, USHORT start,
                                           USHORT count, UINT64 *token)
{
    struct request request = {.operation = operation,
                              .store = store,
                              .protocol = protocol,
                              .start = start,
                              .count = count};

    if (!persistent_range_is_valid(start, count)) return PORTPOOL_INVALID_RANGE;
    if (!privilege_is_administrator()) return PORTPOOL_ACCESS_DENIED;
    return request_ask(&request, token);
}

enum portpool_status persistent_create(enum request_store store, UINT protocol, USHORT start,
                                       USHORT count, UINT64 *token)
{
    return persistent_ask(REQUEST_CREATE, store, protocol, start, count, token);
}

enum portpool_status persistent_delete(enum request_store store, UINT protocol, USHORT start,
                                       USHORT count)
{
    UINT64 none;

    return persistent_ask(REQUEST_DELETE, store, protocol, start, count, &none);
}

enum portpool_status persistent_lookup(UINT protocol, USHORT start, USHORT count, UINT64 *token)
{
    UINT64 found;

    if (!persistent_range_is_valid(start, count)) return PORTPOOL_INVALID_RANGE;
    if (!(found = tokens_get(protocol, start, count))) return PORTPOOL_NOT_FOUND;
    *token = found;
    return PORTPOOL_SUCCESS;
}

static USHORT persistent_known_token(UINT protocol, UINT64 token, uint16_t *start)
{
    const struct port_table *table = table_find();

    return table ? port_table_find_token(table, protocol, token, start) : 0;
}

USHORT persistent_find_token(UINT protocol, UINT64 token, uint16_t *start)
{
    USHORT count = persistent_known_token(protocol, token, start);

    if (count || !token || !tokens_has(protocol, token)) return count;
    /* The table goes with the last process that has it: when the holder is stopped, and no client
     * is left, only the registry knows the token still. */
    for (UINT waited = 0; !count && waited < HOLDER_PATIENCE; waited += HOLDER_INTERVAL)
    {
        request_ensure_holder();
        Sleep(HOLDER_INTERVAL);
        count = persistent_known_token(protocol, token, start);
    }
    return count;
}

BOOL persistent_lock(struct port_table *table, UINT protocol, USHORT port)
{
    for (UINT waited = 0; waited < LOCK_PATIENCE; waited++)
    {
        if (port_table_try_lock(table, protocol, port, table_owner(), table_owner_alive))
            return TRUE;
        Sleep(1);
    }
    WARN("port %u has been kept locked\n", port);
    return FALSE;
}

void persistent_unlock(struct port_table *table, UINT protocol, USHORT port)
{
    port_table_unlock(table, protocol, port, table_owner());
}

USHORT persistent_draw(UINT protocol, USHORT start, USHORT count, UINT *draw)
{
    USHORT port;

    AcquireSRWLockExclusive(&draws_lock);
    port = port_table_draw_persistent(table_map(), protocol, start, count, table_owner());
    if (port) *draw = ++draws[protocol][port];
    ReleaseSRWLockExclusive(&draws_lock);
    return port;
}

BOOL persistent_draw_exact(UINT protocol, USHORT port, UINT *draw)
{
    BOOL drawn;

    AcquireSRWLockExclusive(&draws_lock);
    drawn = port_table_draw_exact_persistent(table_map(), protocol, port, table_owner());
    if (drawn) *draw = ++draws[protocol][port];
    ReleaseSRWLockExclusive(&draws_lock);
    return drawn;
}

void persistent_return(UINT protocol, USHORT port, UINT draw)
{
    AcquireSRWLockExclusive(&draws_lock);
    if (draws[protocol][port] == draw)
        port_table_return_persistent(table_map(), protocol, port, table_owner());
    ReleaseSRWLockExclusive(&draws_lock);
}

static BOOL persistent_is_drawn(UINT protocol, USHORT port, UINT draw)
{
    BOOL drawn;

    AcquireSRWLockShared(&draws_lock);
    drawn = draws[protocol][port] == draw &&
            port_table_is_drawn(table_map(), protocol, port, table_owner());
    ReleaseSRWLockShared(&draws_lock);
    return drawn;
}

BOOL persistent_begin_bind(UINT protocol, USHORT port, UINT draw)
{
    if (persistent_lock(table_map(), protocol, port))
    {
        if (persistent_is_drawn(protocol, port, draw)) return TRUE;
        persistent_unlock(table_map(), protocol, port);
    }
    persistent_return(protocol, port, draw);
    return FALSE;
}

/* Ports that may be free again. */
struct reclaim
{
    struct port_table *table;
    UINT protocol;
    USHORT start;
    USHORT count;
    uint64_t *noted; /* [count] */
    BYTE *occupied;  /* [count] */
};

static BOOL reclaim_ask_host(struct reclaim *reclaim)
{
    memset(reclaim->occupied, 0, reclaim->count);
    return endpoint_occupied(reclaim->protocol, reclaim->start, reclaim->count, reclaim->occupied);
}

/* Makes those ports idle that are known to be nobody's any more; FALSE if there are none. */
static BOOL reclaim_uncertain(struct reclaim *reclaim)
{
    BOOL noted = FALSE, found = FALSE;
    UINT i;

    for (i = 0; i < reclaim->count; i++)
    {
        reclaim->noted[i] = port_table_reclaimable(reclaim->table, reclaim->protocol,
                                                   reclaim->start + i, table_owner_alive);
        if (reclaim->noted[i]) noted = TRUE;
    }
    /* Only what the host says after the look at the table counts. */
    if (!noted || !reclaim_ask_host(reclaim)) return FALSE;
    for (i = 0; i < reclaim->count; i++)
        if (reclaim->noted[i] && !reclaim->occupied[i] &&
            port_table_reclaim(reclaim->table, reclaim->protocol, reclaim->start + i,
                               reclaim->noted[i]))
            found = TRUE;
    return found;
}

/* Says whether the holder keeps a port back, for another of the user's prefixes gives it out. */
static BOOL persistent_is_kept_back(const struct port_table *table, UINT protocol, USHORT port)
{
    UINT64 holder = __atomic_load_n(&table->holder, __ATOMIC_ACQUIRE);

    return holder && port_table_is_drawn(table, protocol, port, holder) &&
           table_owner_alive(holder);
}

/* Finds the ports that other processes have drawn and do not use, and makes them uncertain: these
 * processes have not noticed yet that their sockets are gone. One that is just about to bind its
 * port loses it, and draws another. FALSE if there are none. */
static BOOL reclaim_doubt_unused(struct reclaim *reclaim)
{
    BOOL found = FALSE;
    UINT i;

    if (!reclaim_ask_host(reclaim)) return FALSE;
    for (i = 0; i < reclaim->count; i++)
    {
        /* Ours have been looked after. */
        if (!reclaim->occupied[i] &&
            (port_table_is_drawn(reclaim->table, reclaim->protocol, reclaim->start + i,
                                 table_owner()) ||
             persistent_is_kept_back(reclaim->table, reclaim->protocol, reclaim->start + i)))
            reclaim->occupied[i] = TRUE;
        if (!reclaim->occupied[i]) found = TRUE;
    }
    if (!found) return FALSE;
    Sleep(DRAWN_PATIENCE);
    for (i = 0; i < reclaim->count; i++)
        if (!reclaim->occupied[i])
            port_table_make_uncertain(reclaim->table, reclaim->protocol, reclaim->start + i);
    return TRUE;
}

void persistent_reclaim(UINT protocol, USHORT start, USHORT count)
{
    struct reclaim reclaim = {
        .table = table_map(), .protocol = protocol, .start = start, .count = count};

    reclaim.noted = HeapAlloc(GetProcessHeap(), 0,
                              count * (sizeof(*reclaim.noted) + sizeof(*reclaim.occupied)));
    if (!reclaim.noted) return;
    reclaim.occupied = (BYTE *)(reclaim.noted + count);
    if (!reclaim_uncertain(&reclaim) && reclaim_doubt_unused(&reclaim)) reclaim_uncertain(&reclaim);
    HeapFree(GetProcessHeap(), 0, reclaim.noted);
}

/* Says whether the host would let two UDP sockets have one address. */
static BOOL persistent_overlaps(const struct descriptor *descriptor, const BYTE address[16],
                                USHORT port)
{
    struct unix_overlap_params params = {.socket = descriptor->fd, .port = port};

    if (descriptor->protocol != UNIX_UDP) return FALSE;
    memcpy(params.address, address, sizeof(params.address));
    unix_call(UNIX_CALL_OVERLAP, &params);
    return params.overlaps;
}

/* From now on, this process's calls of listen have to come by here. */
static void persistent_expect_listen(void)
{
    if (!InterlockedExchange(&listens_expected, TRUE)) InterlockedIncrement(&tracked_sockets);
}

enum portpool_status persistent_listen(HANDLE socket, portpool_call_function listen, void *context)
{
    struct unix_lend_params params = {.placeholder = UNIX_PLACEHOLDER_SHARED, .done = TRUE};
    struct descriptor descriptor;

    if (!listens_expected) return PORTPOOL_NOT_ASSOCIATED;
    if (!listen(context)) return PORTPOOL_CALL_FAILED;
    if (descriptor_open(socket, &descriptor)) return PORTPOOL_SUCCESS;
    /* To a socket that does not share its port, this does nothing. */
    params.socket = descriptor.fd;
    unix_call(UNIX_CALL_SETTLE_LISTEN, &params);
    descriptor_close(descriptor.fd);
    return PORTPOOL_SUCCESS;
}

enum portpool_status persistent_begin_number(struct port_table *table, UINT protocol, USHORT port)
{
    enum portpool_status status = PORTPOOL_NOT_ASSOCIATED;

    if (!persistent_lock(table, protocol, port)) return PORTPOOL_IN_USE;
    if (persistent_is_kept_back(table, protocol, port)) status = PORTPOOL_IN_USE;
    /* From here on it is not drawn; whoever has drawn it and not bound it yet draws another. */
    else if (port_table_make_uncertain(table, protocol, port))
        return PORTPOOL_SUCCESS;
    persistent_unlock(table, protocol, port);
    return status;
}

static enum portpool_status persistent_bind_lent(const struct descriptor *descriptor, USHORT port,
                                                 portpool_bind_function bind, void *context)
{
    if (lend_bind(UNIX_PLACEHOLDER_SHARED, descriptor->fd, descriptor->protocol, port, bind,
                  context) != PORTPOOL_BIND_DONE)
        return PORTPOOL_CALL_FAILED;
    if (descriptor->protocol == UNIX_TCP) persistent_expect_listen();
    return PORTPOOL_SUCCESS;
}

static enum portpool_status persistent_bind_descriptor(const struct descriptor *descriptor,
                                                       const BYTE address[16], USHORT port,
                                                       portpool_bind_function bind, void *context)
{
    struct port_table *table = table_map();
    enum portpool_status status;
    uint64_t owner;

    if (!table || port_table_lookup(table, descriptor->protocol, port, &owner) != PORT_PERSISTENT)
        return PORTPOOL_NOT_ASSOCIATED;
    if ((status = persistent_begin_number(table, descriptor->protocol, port))) return status;
    if (persistent_overlaps(descriptor, address, port))
        status = PORTPOOL_IN_USE;
    else
        status = persistent_bind_lent(descriptor, port, bind, context);
    persistent_unlock(table, descriptor->protocol, port);
    return status;
}

enum portpool_status persistent_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                     portpool_bind_function bind, void *context)
{
    struct descriptor descriptor;
    enum portpool_status status;

    if (descriptor_open(socket, &descriptor)) return PORTPOOL_NOT_ASSOCIATED;
    status = persistent_bind_descriptor(&descriptor, address, port, bind, context);
    descriptor_close(descriptor.fd);
    return status;
}
