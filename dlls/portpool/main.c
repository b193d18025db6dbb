/*
 * portpool.dll: the table of functions that it hands out
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

volatile LONG tracked_sockets;
volatile LONG unbound_sockets;

HMODULE this_module;

const char *status_name(enum portpool_status status)
{
    static const char *const names[] = {
        [PORTPOOL_SUCCESS] = "success",
        [PORTPOOL_NOT_A_SOCKET] = "not a socket",
        [PORTPOOL_UNSUPPORTED_SOCKET] = "unsupported socket",
        [PORTPOOL_NOT_ASSOCIATED] = "not associated",
        [PORTPOOL_INVALID_RANGE] = "invalid range",
        [PORTPOOL_INVALID_TOKEN] = "invalid token",
        [PORTPOOL_ALREADY_BOUND] = "already bound",
        [PORTPOOL_OUTSIDE_BLOCK] = "outside the block",
        [PORTPOOL_IN_USE] = "in use",
        [PORTPOOL_RESERVED] = "reserved",
        [PORTPOOL_PERSISTENT] = "persistent",
        [PORTPOOL_ENDED] = "ended",
        [PORTPOOL_EXHAUSTED] = "exhausted",
        [PORTPOOL_NO_RESOURCES] = "no resources",
        [PORTPOOL_NOT_FOUND] = "not found",
        [PORTPOOL_ACCESS_DENIED] = "access denied",
        [PORTPOOL_DISK_FULL] = "disk full",
        [PORTPOOL_NO_HOLDER] = "no holder",
        [PORTPOOL_CALL_FAILED] = "call failed",
    };

    return names[status];
}

const char *protocol_name(UINT protocol)
{
    return protocol == UNIX_TCP ? "TCP" : "UDP";
}

enum portpool_status status_from_unix(UINT status)
{
    switch (status)
    {
    case UNIX_SUCCESS:
        return PORTPOOL_SUCCESS;
    case UNIX_IN_USE:
        return PORTPOOL_IN_USE;
    case UNIX_NOT_A_SOCKET:
        return PORTPOOL_NOT_A_SOCKET;
    case UNIX_DISK_FULL:
        return PORTPOOL_DISK_FULL;
    default:
        return PORTPOOL_NO_RESOURCES;
    }
}

/* Every reservation call begins with what has ended unseen since the last, as far as it has to do
 * with that: a draw is not to take longer because of other blocks. */
static void pool_sweep(void)
{
    association_sweep_unbound();
    reservation_sweep();
}

static void pool_sweep_token(UINT64 token)
{
    association_sweep_unbound();
    reservation_sweep_token(token);
}

static enum portpool_status pool_acquire(HANDLE socket, USHORT start, USHORT count,
                                         struct portpool_block *block)
{
    enum portpool_status status;

    pool_sweep();
    status = reservation_acquire(socket, start, count, block);
    if (!status) association_note_acquirer(socket);

    TRACE("socket %p, %u ports from %u: %s\n", socket, count, start, status_name(status));
    if (!status)
        TRACE("socket %p has ports %u to %u, token %s\n", socket, block->start,
              block->start + block->count - 1, wine_dbgstr_longlong(block->token));
    return status;
}

static enum portpool_status pool_associate(HANDLE socket, UINT64 token)
{
    enum portpool_status status;

    pool_sweep_token(token);
    status = association_make(socket, token);
    TRACE("socket %p, token %s: %s\n", socket, wine_dbgstr_longlong(token), status_name(status));
    return status;
}

static enum portpool_status pool_release(HANDLE socket, UINT64 token)
{
    enum portpool_status status;

    pool_sweep_token(token);
    status = reservation_release(socket, token);
    TRACE("socket %p, token %s: %s\n", socket, wine_dbgstr_longlong(token), status_name(status));
    return status;
}

static enum portpool_status pool_set_affinity(HANDLE socket, USHORT processor)
{
    enum portpool_status status = affinity_set(socket, processor);

    TRACE("socket %p, processor %u: %s\n", socket, processor, status_name(status));
    return status;
}

static enum portpool_status pool_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                      portpool_bind_function bind, void *context)
{
    enum portpool_status status = association_bind(socket, address, port, bind, context);

    if (status == PORTPOOL_NOT_ASSOCIATED)
        status = affinity_bind(socket, address, port, bind, context);
    if (status != PORTPOOL_NOT_ASSOCIATED)
        TRACE("socket %p, port %u: %s\n", socket, port, status_name(status));
    return status;
}

static enum portpool_status pool_listen(HANDLE socket, portpool_call_function listen, void *context)
{
    enum portpool_status status = association_listen(socket, listen, context);

    if (status == PORTPOOL_NOT_ASSOCIATED) status = persistent_listen(socket, listen, context);
    if (status != PORTPOOL_NOT_ASSOCIATED) TRACE("socket %p: %s\n", socket, status_name(status));
    return status;
}

static enum portpool_status pool_bind_interface(HANDLE socket, USHORT port,
                                                portpool_bind_function bind, void *context)
{
    enum portpool_status status = interface_bind(socket, port, bind, context);

    TRACE("socket %p, port %u: %s\n", socket, port, status_name(status));
    return status;
}

static enum portpool_status pool_check_reserved(HANDLE socket, USHORT port)
{
    enum portpool_status status = interface_check_reserved(socket, port);

    TRACE("socket %p, port %u: %s\n", socket, port, status_name(status));
    return status;
}

static enum portpool_status pool_bind_persistent(HANDLE socket, const BYTE address[16], USHORT port,
                                                 portpool_bind_function bind, void *context)
{
    enum portpool_status status = persistent_bind(socket, address, port, bind, context);

    TRACE("socket %p, port %u: %s\n", socket, port, status_name(status));
    return status;
}

static enum portpool_status pool_close(HANDLE socket, portpool_call_function close, void *context)
{
    struct association *association = association_closing(socket);
    HANDLE other, other_of_affinity;
    UINT64 affinity = affinity_closing(socket, &other_of_affinity);
    struct acquirer *acquirer = reservation_closing(socket, &other);
    BOOL success = close(context);

    if (affinity) affinity_closed(socket, other_of_affinity, affinity, success);
    if (association) association_closed(association, success);
    if (acquirer) reservation_closed(acquirer, success, other);
    if (association || acquirer)
        TRACE("socket %p: %s\n", socket, success ? "closed" : "not closed");
    return success ? PORTPOOL_SUCCESS : PORTPOOL_CALL_FAILED;
}

static void pool_close_all(void)
{
    TRACE("\n");
    reservation_end_all();
    association_end_all();
    affinity_end_all();
}

static enum portpool_status pool_create_persistent(enum portpool_protocol protocol, USHORT start,
                                                   USHORT count, UINT64 *token)
{
    enum portpool_status status =
        persistent_create(REQUEST_PERSISTENT, protocol, start, count, token);

    TRACE("%u %s ports from %u: %s\n", count, protocol_name(protocol), start, status_name(status));
    return status;
}

static enum portpool_status pool_delete_persistent(enum portpool_protocol protocol, USHORT start,
                                                   USHORT count)
{
    enum portpool_status status = persistent_delete(REQUEST_PERSISTENT, protocol, start, count);

    TRACE("%u %s ports from %u: %s\n", count, protocol_name(protocol), start, status_name(status));
    return status;
}

static enum portpool_status pool_create_active(enum portpool_protocol protocol, USHORT start,
                                               USHORT count, UINT64 *token)
{
    enum portpool_status status = persistent_create(REQUEST_ACTIVE, protocol, start, count, token);

    TRACE("%u %s ports from %u: %s\n", count, protocol_name(protocol), start, status_name(status));
    return status;
}

static enum portpool_status pool_delete_active(enum portpool_protocol protocol, USHORT start,
                                               USHORT count)
{
    enum portpool_status status = persistent_delete(REQUEST_ACTIVE, protocol, start, count);

    TRACE("%u %s ports from %u: %s\n", count, protocol_name(protocol), start, status_name(status));
    return status;
}

static enum portpool_status pool_lookup_persistent(enum portpool_protocol protocol, USHORT start,
                                                   USHORT count, UINT64 *token)
{
    enum portpool_status status = persistent_lookup(protocol, start, count, token);

    TRACE("%u %s ports from %u: %s\n", count, protocol_name(protocol), start, status_name(status));
    return status;
}

static enum portpool_status pool_list(enum portpool_protocol protocol,
                                      struct portpool_listed **listed, UINT *count)
{
    enum portpool_status status = list_make(protocol, listed, count);

    TRACE("%s: %s\n", protocol_name(protocol), status_name(status));
    return status;
}

static enum portpool_status pool_list_uses(enum portpool_protocol protocol,
                                           BYTE wanted[PORTPOOL_PORTS], struct portpool_use **uses,
                                           UINT *count)
{
    enum portpool_status status = uses_list(protocol, wanted, uses, count);

    TRACE("%s: %s\n", protocol_name(protocol), status_name(status));
    return status;
}

static const struct portpool pool = {
    .version = PORTPOOL_VERSION,
    .tracked = &tracked_sockets,
    .unbound = &unbound_sockets,
    .acquire = pool_acquire,
    .associate = pool_associate,
    .release = pool_release,
    .awaits_port = association_awaits_port,
    .set_affinity = pool_set_affinity,
    .get_affinity = affinity_get,
    .bind = pool_bind,
    .bound = affinity_bound_alone,
    .bind_interface = pool_bind_interface,
    .check_reserved = pool_check_reserved,
    .bind_persistent = pool_bind_persistent,
    .listen = pool_listen,
    .close = pool_close,
    .close_all = pool_close_all,
    .create_persistent = pool_create_persistent,
    .delete_persistent = pool_delete_persistent,
    .create_active = pool_create_active,
    .delete_active = pool_delete_active,
    .lookup_persistent = pool_lookup_persistent,
    .list = pool_list,
    .list_held = held_list,
    .hold_one = held_sample,
    .list_uses = pool_list_uses,
    .find_holder = held_find_holder,
};

static BOOL CALLBACK pool_init(INIT_ONCE *once, void *param, void **context)
{
    (void)once;
    (void)param;
    (void)context;
    return unix_call_init(this_module) && table_owner();
}

BOOL pool_is_ready(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

    return InitOnceExecuteOnce(&once, pool_init, NULL, NULL);
}

const struct portpool *WINAPI portpool_get(void)
{
    return pool_is_ready() ? &pool : NULL;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
    {
        this_module = instance;
        DisableThreadLibraryCalls(instance);
    }
    return TRUE;
}
