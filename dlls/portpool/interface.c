/*
 * Sockets that are not associated, and ports that are others'
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine binds a UDP socket at the address of an interface to the interface's device, and to the
 * wildcard address. A placeholder, tied to a device that does not exist, does not keep such a
 * socket off its port: the port table must.
 */
#include "portpool_private.h"

enum portpool_status interface_check_reserved(HANDLE socket, USHORT port)
{
    struct port_table *table = table_find();
    struct descriptor descriptor;
    uint64_t owner;

    if (!table || descriptor_open(socket, &descriptor)) return PORTPOOL_SUCCESS;
    descriptor_close(descriptor.fd);
    switch (port_table_lookup(table, descriptor.protocol, port, &owner))
    {
    case PORT_RUNTIME:
        return table_owner_alive(owner) ? PORTPOOL_RESERVED : PORTPOOL_ENDED;
    case PORT_PERSISTENT:
        return PORTPOOL_PERSISTENT;
    default:
        return PORTPOOL_SUCCESS;
    }
}

/* Says whether Wine may bind the socket to a device. */
static BOOL interface_concerns(HANDLE socket)
{
    struct descriptor descriptor;

    if (descriptor_open(socket, &descriptor)) return FALSE;
    descriptor_close(descriptor.fd);
    return descriptor.protocol == UNIX_UDP && descriptor.family == HOST_AF_INET && !descriptor.port;
}

/* Binds at one port, which nobody can reserve meanwhile. */
static enum portpool_status interface_bind_port(struct port_table *table, USHORT port,
                                                portpool_bind_function bind, void *context,
                                                enum portpool_bind_result *result)
{
    bool kept = false;

    *result = PORTPOOL_BIND_CONFLICT;
    /* Another socket is being bound there just now: one after the other, so that nobody can reserve
     * the port between the two. */
    for (UINT tries = 0; !kept && tries < BINDING_PATIENCE; tries++)
    {
        if (tries) Sleep(1);
        if (!port_table_begin_bind(table, UNIX_UDP, port, table_owner(), table_owner_alive, &kept))
            return PORTPOOL_RESERVED;
    }
    *result = bind(port, context);
    if (kept) port_table_end_bind(table, UNIX_UDP, port, table_owner());
    return *result == PORTPOOL_BIND_DONE ? PORTPOOL_SUCCESS : PORTPOOL_CALL_FAILED;
}

/* The host's range of automatic ports, as it was when it was first asked for. */
static void interface_automatic_range(USHORT *first, USHORT *last)
{
    static volatile LONG cached; /* the two in one word: first has the upper half */
    struct unix_ephemeral_params range;

    if (!cached)
    {
        unix_call(UNIX_CALL_EPHEMERAL, &range);
        cached = (LONG)((ULONG)range.first << 16 | range.last);
    }
    *first = (ULONG)cached >> 16;
    *last = (USHORT)cached;
}

/* Chooses a port as the kernel would, from the same range, but outside of all blocks and
 * ranges. */
static enum portpool_status interface_bind_any(struct port_table *table,
                                               portpool_bind_function bind, void *context)
{
    struct unix_random_params random;
    enum portpool_bind_result result;
    USHORT first, last;
    ULONG i, count;

    interface_automatic_range(&first, &last);
    unix_call(UNIX_CALL_RANDOM, &random);
    count = last - first + 1;
    for (i = 0; i < count; i++)
    {
        USHORT port = first + (random.value + i) % count;
        enum portpool_status status = interface_bind_port(table, port, bind, context, &result);

        if (result != PORTPOOL_BIND_CONFLICT) return status;
    }
    return PORTPOOL_EXHAUSTED;
}

/* Binds at a port of a persistent range, which anybody may. No placeholder is in the way, and the
 * host keeps two such sockets apart; but the port must not be drawn meanwhile. */
static enum portpool_status interface_bind_persistent(struct port_table *table, USHORT port,
                                                      portpool_bind_function bind, void *context)
{
    enum portpool_status status = persistent_begin_number(table, UNIX_UDP, port);

    if (status) return status;
    status = bind(port, context) == PORTPOOL_BIND_DONE ? PORTPOOL_SUCCESS : PORTPOOL_CALL_FAILED;
    persistent_unlock(table, UNIX_UDP, port);
    return status;
}

enum portpool_status interface_bind(HANDLE socket, USHORT port, portpool_bind_function bind,
                                    void *context)
{
    struct port_table *table = table_map();
    enum portpool_bind_result result;
    enum portpool_status status;
    uint64_t owner;

    if (!table) return PORTPOOL_NOT_ASSOCIATED;
    if (!port)
    {
        if (!interface_concerns(socket)) return PORTPOOL_NOT_ASSOCIATED;
        return interface_bind_any(table, bind, context);
    }
    /* What the socket is matters only if the port is reserved: no harm is done to a TCP socket, and
     * it takes a request to the wineserver to learn. */
    status = interface_bind_port(table, port, bind, context, &result);
    if (status != PORTPOOL_RESERVED) return status;
    if (!interface_concerns(socket)) return PORTPOOL_NOT_ASSOCIATED;
    if (port_table_lookup(table, UNIX_UDP, port, &owner) == PORT_PERSISTENT)
        return interface_bind_persistent(table, port, bind, context);
    return status;
}
