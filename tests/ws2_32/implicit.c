/*
 * Tests of the calls that bind a socket in passing
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An associated socket that connects or sends before it is bound gets a port of its block all the
 * same.
 */
#include "../conformance/target.h"

/* The call that is to bind the socket: 0, or the error. */
typedef int (*implicit_call)(SOCKET s, const SOCKADDR_STORAGE *to, int length);

static int result(int ret)
{
    return ret == SOCKET_ERROR ? WSAGetLastError() : 0;
}

static int call_connect(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    return result(connect(s, (const struct sockaddr *)to, length));
}

static int call_WSAConnect(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    return result(WSAConnect(s, (const struct sockaddr *)to, length, NULL, NULL, NULL, NULL));
}

/* An address as the two calls by name want it, in numbers. */
static void address_text(const SOCKADDR_STORAGE *address, char *node, char *service)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;

    snprintf(service, 8, "%u", address_port(address));
    if (address->ss_family == AF_INET6)
        inet_ntop(AF_INET6, (void *)&in6->sin6_addr, node, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET, (void *)&in->sin_addr, node, INET6_ADDRSTRLEN);
}

static int call_WSAConnectByNameA(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    char node[INET6_ADDRSTRLEN], service[8];

    (void)length;
    address_text(to, node, service);
    if (WSAConnectByNameA(s, node, service, NULL, NULL, NULL, NULL, NULL, NULL)) return 0;
    return WSAGetLastError();
}

static int call_WSAConnectByNameW(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    WCHAR node_wide[INET6_ADDRSTRLEN], service_wide[8];
    char node[INET6_ADDRSTRLEN], service[8];

    (void)length;
    address_text(to, node, service);
    MultiByteToWideChar(CP_ACP, 0, node, -1, node_wide, ARRAYSIZE(node_wide));
    MultiByteToWideChar(CP_ACP, 0, service, -1, service_wide, ARRAYSIZE(service_wide));
    if (WSAConnectByNameW(s, node_wide, service_wide, NULL, NULL, NULL, NULL, NULL, NULL)) return 0;
    return WSAGetLastError();
}

static int call_sendto(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    return result(sendto(s, "tawny", 5, 0, (const struct sockaddr *)to, length));
}

static int call_WSASendTo(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    WSABUF buffer = {5, (char *)"tawny"};
    DWORD sent;

    return result(
        WSASendTo(s, &buffer, 1, &sent, 0, (const struct sockaddr *)to, length, NULL, NULL));
}

static int call_WSASendTo_overlapped(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    WSABUF buffer = {5, (char *)"tawny"};
    DWORD sent, flags;
    int error;

    error = result(
        WSASendTo(s, &buffer, 1, NULL, 0, (const struct sockaddr *)to, length, &overlapped, NULL));
    if (error == WSA_IO_PENDING)
        error = WSAGetOverlappedResult(s, &overlapped, &sent, TRUE, &flags) ? 0 : WSAGetLastError();
    CloseHandle(overlapped.hEvent);
    return error;
}

static int send_message(LPFN_WSASENDMSG function, SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    WSABUF buffer = {5, (char *)"tawny"};
    WSAMSG message = {(struct sockaddr *)to, length, &buffer, 1};
    DWORD sent;

    return result(function(s, &message, 0, &sent, NULL, NULL));
}

static int call_WSASendMsg(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    return send_message(WSASendMsg, s, to, length);
}

/* The function that the control code hands out. */
static int call_extension_WSASendMsg(SOCKET s, const SOCKADDR_STORAGE *to, int length)
{
    GUID guid = WSAID_WSASENDMSG;
    LPFN_WSASENDMSG function = NULL;
    DWORD returned = 0;

    if (WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &function,
                 sizeof(function), &returned, NULL, NULL))
        return WSAGetLastError();
    ok(returned == sizeof(function), "%lu bytes returned\n", returned);
    return send_message(function, s, to, length);
}

static const struct
{
    const char *name;
    implicit_call call;
    BOOL stream;
    BOOL datagram;
} calls[] = {
    {"connect", call_connect, TRUE, TRUE},
    {"WSAConnect", call_WSAConnect, TRUE, TRUE},
    {"WSAConnectByNameA", call_WSAConnectByNameA, TRUE, FALSE},
    {"WSAConnectByNameW", call_WSAConnectByNameW, TRUE, FALSE},
    {"sendto", call_sendto, FALSE, TRUE},
    {"WSASendTo", call_WSASendTo, FALSE, TRUE},
    {"WSASendTo overlapped", call_WSASendTo_overlapped, FALSE, TRUE},
    {"WSASendMsg", call_WSASendMsg, FALSE, TRUE},
    {"WSASendMsg as an extension", call_extension_WSASendMsg, FALSE, TRUE},
};

/* A socket that the calls can reach, and its address. */
static SOCKET open_peer(const struct kind *kind, SOCKADDR_STORAGE *address, int *length)
{
    const struct kind *plain = &kinds[kind->type == SOCK_STREAM ? TCP4 : UDP4];
    SOCKET s;

    /* The dual-stack sockets reach an IPv4 peer, by its mapped address. */
    if (kind->family == AF_INET6 && !kind->dual) plain = kind;
    s = open_socket(plain);
    check_bind_to(s, plain->loopback, 0, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    *length = make_address(kind->dual ? "::ffff:127.0.0.1" : plain->loopback, port_of(s), address);
    return s;
}

/* The port that the peer sees. */
static USHORT peer_sees(const struct kind *kind, SOCKET peer, BOOL datagram)
{
    SOCKADDR_STORAGE from = {0};
    int length = sizeof(from);
    DWORD timeout = 10000;
    char text[16];
    SOCKET s;

    if (kind->type == SOCK_STREAM)
    {
        if ((s = accept_soon(peer)) == INVALID_SOCKET) return 0;
        getpeername(s, (struct sockaddr *)&from, &length);
        closesocket(s);
    }
    else if (datagram)
    {
        setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof(timeout));
        recvfrom(peer, text, sizeof(text), 0, (struct sockaddr *)&from, &length);
    }
    return address_port(&from);
}

static void close_hard(SOCKET s)
{
    struct linger linger = {1, 0};

    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger));
    check_close(s);
}

static void test_call(const struct kind *kind, implicit_call call)
{
    BOOL sends = call != call_connect && call != call_WSAConnect;
    SOCKET owner, s, peer, plain;
    SOCKADDR_STORAGE to;
    struct block block;
    int length, error;
    USHORT port;

    peer = open_peer(kind, &to, &length);
    owner = acquire_any(kind, 1, &block);

    s = associated(kind, &block);
    error = call(s, &to, length);
    ok(!error, "error %d\n", error);
    port = check_port_in(s, &block);
    /* There is nothing to wait for. */
    sends &= !error;
    if ((kind->type == SOCK_STREAM && !error) || sends)
        ok(peer_sees(kind, peer, sends) == port, "the peer sees another port than %u\n", port);
    if (kind->type == SOCK_DGRAM && sends)
    {
        /* Bound once, and for good. */
        error = call(s, &to, length);
        ok(!error, "error %d\n", error);
        ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));
        ok(peer_sees(kind, peer, sends) == port, "the peer sees another port than %u\n", port);
    }

    /* None is left: to get a port from elsewhere would be wrong. */
    plain = associated(kind, &block);
    error = call(plain, &to, length);
    ok(error == WSAENOBUFS, "error %d\n", error);
    ok(!port_of(plain), "bound to port %u\n", port_of(plain));
    close_hard(s);
    /* Of another peer: where a connection between the same two ports has just been reset, its other
     * end may not have heard of that, and answer. */
    check_close(peer);
    peer = open_peer(kind, &to, &length);
    error = call(plain, &to, length);
    ok(!error, "error %d\n", error);
    check_port_in(plain, &block);
    close_hard(plain);

    /* The block ended: the same. */
    s = associated(kind, &block);
    check_release(owner, block.token, 0);
    error = call(s, &to, length);
    ok(error == WSAEINVAL, "error %d\n", error);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_close(s);

    check_close(peer);
    check_close(owner);
}

/* Sockets that are not associated, while others of the process are. */
static void test_unassociated(const struct kind *kind, implicit_call call)
{
    SOCKET owner, s, waiting, peer;
    SOCKADDR_STORAGE to;
    struct block block;
    int length, error;

    peer = open_peer(kind, &to, &length);
    owner = acquire_any(kind, 2, &block);
    waiting = associated(kind, &block);
    s = open_socket(kind);
    error = call(s, &to, length);
    ok(!error, "error %d\n", error);
    ok(port_of(s) && !block_contains(&block, port_of(s)), "got port %u\n", port_of(s));
    ok(!port_of(waiting), "another socket was bound to port %u\n", port_of(waiting));
    close_hard(s);
    check_close(waiting);
    check_close(peer);
    check_close(owner);
}

/* ConnectEx wants a socket that is bound, as ever. */
static void test_ConnectEx(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    GUID guid = WSAID_CONNECTEX;
    LPFN_CONNECTEX connect_ex = NULL;
    SOCKET owner, s, peer;
    DWORD returned, flags;
    SOCKADDR_STORAGE to;
    struct block block;
    int length, error;
    BOOL ret;

    peer = open_peer(kind, &to, &length);
    owner = acquire_any(kind, 1, &block);
    s = associated(kind, &block);
    WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &connect_ex,
             sizeof(connect_ex), &returned, NULL, NULL);
    ok(!!connect_ex, "no ConnectEx, error %d\n", WSAGetLastError());
    if (!connect_ex) return;
    ret = connect_ex(s, (struct sockaddr *)&to, length, NULL, 0, NULL, &overlapped);
    error = WSAGetLastError();
    ok(!ret && error == WSAEINVAL, "returned %d, error %d\n", ret, error);
    check_bind(s, 0, 0);
    ret = connect_ex(s, (struct sockaddr *)&to, length, NULL, 0, NULL, &overlapped);
    error = ret ? 0 : WSAGetLastError();
    ok(!error || error == WSA_IO_PENDING, "error %d\n", error);
    ok(!WaitForSingleObject(overlapped.hEvent, 10000), "the call does not complete\n");
    ret = WSAGetOverlappedResult(s, &overlapped, &returned, FALSE, &flags);
    ok(ret, "error %d\n", WSAGetLastError());
    ok(ret && peer_sees(kind, peer, FALSE) == block.start, "the peer sees another port\n");
    close_hard(s);
    check_close(peer);
    check_close(owner);
    CloseHandle(overlapped.hEvent);
}

/* What else needs a bound socket, and does not bind one. */
static void test_no_bind(const struct kind *kind)
{
    struct block block;
    SOCKET owner, s;
    char text[16];
    ULONG on = 1;
    int ret;

    owner = acquire_any(kind, 1, &block);
    s = associated(kind, &block);
    ioctlsocket(s, FIONBIO, &on);
    ret = kind->type == SOCK_STREAM ? listen(s, 1) : recv(s, text, sizeof(text), 0);
    ok(ret == SOCKET_ERROR, "returned %d\n", ret);
    /* Wine lets a UDP socket that is not bound wait for datagrams. */
    todo_wine_if(kind->type == SOCK_DGRAM)
        ok(WSAGetLastError() == WSAEINVAL, "error %d\n", WSAGetLastError());
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);
    check_close(owner);
}

START_TEST(implicit)
{
    const struct kind *kind;
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        for (i = 0; i < ARRAYSIZE(calls); i++)
        {
            if (kind->type == SOCK_STREAM ? !calls[i].stream : !calls[i].datagram) continue;
            winetest_push_context("%s, %s", calls[i].name, kind->name);
            test_call(kind, calls[i].call);
            test_unassociated(kind, calls[i].call);
            winetest_pop_context();
        }
        winetest_push_context("%s", kind->name);
        if (kind->type == SOCK_STREAM) test_ConnectEx(kind);
        test_no_bind(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
