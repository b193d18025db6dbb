/*
 * Calls that bind a socket, by intention or in passing
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

/* As the host numbers it. */
#define HOST_AF_INET6 10

union address
{
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct bind_call
{
    SOCKET s;
    const union address *address;
    int length;
    int error;
};

/* Binds as the caller asked, but for the port. */
static enum portpool_bind_result bind_to_port(USHORT port, void *context)
{
    struct bind_call *call = context;
    union address address = *call->address;

    /* The two have their port in the same place. */
    address.in.sin_port = port_swap(port);
    if (!builtin_bind(call->s, &address.any, call->length)) return PORTPOOL_BIND_DONE;
    call->error = GetLastError();
    if (call->error == WSAEADDRINUSE || call->error == WSAEACCES) return PORTPOOL_BIND_CONFLICT;
    return PORTPOOL_BIND_FAILED;
}

/* Copies an Internet address; FALSE for all others, which Wine is left to judge. */
static BOOL bind_copy_address(union address *copy, const struct sockaddr *addr, int *length)
{
    if (!addr || *length < (int)sizeof(copy->in)) return FALSE;
    if (addr->sa_family == AF_INET)
    {
        *length = sizeof(copy->in);
        copy->in = *(const struct sockaddr_in *)addr;
        return TRUE;
    }
    if (addr->sa_family != AF_INET6 || *length < (int)sizeof(copy->in6)) return FALSE;
    *length = sizeof(copy->in6);
    copy->in6 = *(const struct sockaddr_in6 *)addr;
    return TRUE;
}

static int bind_finish(const struct bind_call *call, enum portpool_status status)
{
    SetLastError(status == PORTPOOL_CALL_FAILED ? call->error : pool_error(status));
    return status ? SOCKET_ERROR : 0;
}

/* Says whether Wine may bind the socket to a device: a UDP socket, at such an address. Its type is
 * asked for only while the pool is not loaded, which a program that does not need it is spared. */
static BOOL bind_names_interface(SOCKET s, const union address *address)
{
    int type, size = sizeof(type);

    if (address->any.sa_family != AF_INET || address->in.sin_addr.s_addr == INADDR_ANY ||
        address->in.sin_addr.s_addr == __builtin_bswap32(INADDR_LOOPBACK))
        return FALSE;
    if (pool) return TRUE;
    return !builtin_getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size) &&
           type == SOCK_DGRAM && pool_load();
}

/* An IPv6 address that says the same. */
static void bind_map_address(const union address *address, BYTE mapped[16])
{
    if (address->any.sa_family == AF_INET6)
    {
        memcpy(mapped, &address->in6.sin6_addr, 16);
        return;
    }
    memset(mapped, 0, 10);
    memset(mapped + 10, 0xff, 2);
    memcpy(mapped + 12, &address->in.sin_addr, 4);
}

/* Anybody may bind by number in a persistent range, though the host keeps its ports. */
static int bind_persistent(struct bind_call *call, USHORT port)
{
    enum portpool_status status;
    BYTE mapped[16];

    bind_map_address(call->address, mapped);
    status = pool->bind_persistent((HANDLE)call->s, mapped, port, bind_to_port, call);
    if (status == PORTPOOL_NOT_ASSOCIATED)
        return builtin_bind(call->s, &call->address->any, call->length);
    return bind_finish(call, status);
}

/* The host says that a port is taken. If it is so because it is reserved, Windows says so. */
static int bind_refused(struct bind_call *call, USHORT port)
{
    enum portpool_status status = PORTPOOL_SUCCESS;

    if (port && pool_load()) status = pool->check_reserved((HANDLE)call->s, port);
    switch (status)
    {
    case PORTPOOL_ENDED:
        return builtin_bind(call->s, &call->address->any, call->length);
    case PORTPOOL_PERSISTENT:
        return bind_persistent(call, port);
    default:
        SetLastError(status == PORTPOOL_RESERVED ? WSAEACCES : call->error);
        return SOCKET_ERROR;
    }
}

static int bind_unassociated(struct bind_call *call)
{
    USHORT port = port_swap(call->address->in.sin_port);
    enum portpool_status status = PORTPOOL_NOT_ASSOCIATED;

    if (bind_names_interface(call->s, call->address))
        status = pool->bind_interface((HANDLE)call->s, port, bind_to_port, call);
    if (status == PORTPOOL_NOT_ASSOCIATED)
    {
        if (!builtin_bind(call->s, &call->address->any, call->length)) return 0;
        call->error = GetLastError();
        status = PORTPOOL_CALL_FAILED;
    }
    if (status == PORTPOOL_CALL_FAILED &&
        (call->error == WSAEADDRINUSE || call->error == WSAEACCES))
        return bind_refused(call, port);
    return bind_finish(call, status);
}

/* For a process where sockets are associated, or have a processor. */
static int bind_tracked(struct bind_call *call)
{
    USHORT port = port_swap(call->address->in.sin_port);
    enum portpool_status status;
    BYTE mapped[16];

    bind_map_address(call->address, mapped);
    status = pool->bind((HANDLE)call->s, mapped, port, bind_to_port, call);
    if (status != PORTPOOL_NOT_ASSOCIATED) return bind_finish(call, status);
    if (bind_unassociated(call)) return SOCKET_ERROR;
    pool->bound((HANDLE)call->s, mapped);
    return 0;
}

int WINAPI bind(SOCKET s, const struct sockaddr *addr, int length)
{
    struct bind_call call = {.s = s, .length = length};
    union address address;

    if (!bind_copy_address(&address, addr, &call.length)) return builtin_bind(s, addr, length);
    call.address = &address;
    return pool_tracks_sockets() ? bind_tracked(&call) : bind_unassociated(&call);
}

BOOL bind_implicitly(SOCKET s)
{
    union address address = {.any = {.sa_family = AF_INET}};
    struct bind_call call = {.s = s, .address = &address, .length = sizeof(address.in)};
    DWORD error = GetLastError();
    enum portpool_status status;
    BYTE mapped[16];
    UINT family;

    if (!pool->awaits_port((HANDLE)s, &family)) return TRUE;
    if (family == HOST_AF_INET6)
    {
        address.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        call.length = sizeof(address.in6);
    }
    bind_map_address(&address, mapped);
    status = pool->bind((HANDLE)s, mapped, 0, bind_to_port, &call);
    /* Another thread was faster: bound is bound. */
    if (status != PORTPOOL_NOT_ASSOCIATED && bind_finish(&call, status)) return FALSE;
    /* The call itself may leave what was there. */
    SetLastError(error);
    return TRUE;
}

struct listen_call
{
    SOCKET s;
    int backlog;
};

static BOOL listen_call(void *context)
{
    struct listen_call *call = context;

    return !builtin_listen(call->s, call->backlog);
}

int WINAPI listen(SOCKET s, int backlog)
{
    struct listen_call call = {s, backlog};
    enum portpool_status status;

    if (!pool_tracks_sockets()) return builtin_listen(s, backlog);
    status = pool->listen((HANDLE)s, listen_call, &call);
    if (status == PORTPOOL_NOT_ASSOCIATED) return builtin_listen(s, backlog);
    return status ? SOCKET_ERROR : 0;
}

int WINAPI connect(SOCKET s, const struct sockaddr *addr, int length)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return SOCKET_ERROR;
    return builtin_connect(s, addr, length);
}

int WINAPI WSAConnect(SOCKET s, const struct sockaddr *addr, int length, WSABUF *caller,
                      WSABUF *callee, QOS *sqos, QOS *gqos)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return SOCKET_ERROR;
    return builtin_WSAConnect(s, addr, length, caller, callee, sqos, gqos);
}

BOOL WINAPI WSAConnectByNameA(SOCKET s, LPSTR node, LPSTR service, LPDWORD local_length,
                              LPSOCKADDR local, LPDWORD remote_length, LPSOCKADDR remote,
                              const PTIMEVAL timeout, LPWSAOVERLAPPED reserved)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return FALSE;
    return builtin_WSAConnectByNameA(s, node, service, local_length, local, remote_length, remote,
                                     timeout, reserved);
}

BOOL WINAPI WSAConnectByNameW(SOCKET s, LPWSTR node, LPWSTR service, LPDWORD local_length,
                              LPSOCKADDR local, LPDWORD remote_length, LPSOCKADDR remote,
                              const PTIMEVAL timeout, LPWSAOVERLAPPED reserved)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return FALSE;
    return builtin_WSAConnectByNameW(s, node, service, local_length, local, remote_length, remote,
                                     timeout, reserved);
}

int WINAPI sendto(SOCKET s, const char *data, int size, int flags, const struct sockaddr *to,
                  int length)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return SOCKET_ERROR;
    return builtin_sendto(s, data, size, flags, to, length);
}

int WINAPI WSASendTo(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                     const struct sockaddr *to, int length, LPWSAOVERLAPPED overlapped,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return SOCKET_ERROR;
    return builtin_WSASendTo(s, buffers, count, sent, flags, to, length, overlapped, routine);
}

int WINAPI WSASendMsg(SOCKET s, LPWSAMSG message, DWORD flags, LPDWORD sent,
                      LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (pool_awaits_ports() && !bind_implicitly(s)) return SOCKET_ERROR;
    return builtin_WSASendMsg(s, message, flags, sent, overlapped, routine);
}
