/*
 * The sequence of calls that MsQuic makes for a listener
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "peer.h"
#include "processor.h"

#define MOST 8

/* Checks that nothing was queued at the port. */
static void check_no_packet(HANDLE port)
{
    OVERLAPPED *overlapped = NULL;
    ULONG_PTR key;
    DWORD bytes;

    ok(!GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, 0) && !overlapped,
       "a packet with %lu bytes\n", bytes);
}

/* As far as the port is asked for. */
static SOCKET listener_open(HANDLE completion_port)
{
    SOCKET s = WSASocketW(AF_INET6, SOCK_DGRAM, IPPROTO_UDP, NULL, 0, WSA_FLAG_OVERLAPPED);
    int off = 0, size = 0x7fffffff;
    HANDLE port;

    ok(s != INVALID_SOCKET, "error %d\n", WSAGetLastError());
    ok(!setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off)), "error %d\n",
       WSAGetLastError());
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const char *)&size, sizeof(size));
    port = CreateIoCompletionPort((HANDLE)s, completion_port, 0x1234, 0);
    ok(port == completion_port, "error %lu\n", GetLastError());
    ok(SetFileCompletionNotificationModes((HANDLE)s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                                                         FILE_SKIP_SET_EVENT_ON_HANDLE),
       "error %lu\n", GetLastError());
    return s;
}

static void listener_bind(SOCKET s, const struct block *block)
{
    check_associate(s, block->token, 0);
    check_bind_to(s, "::", block->start, 0);
}

/* A datagram received as MsQuic does, its completion taken from the port. */
static void check_receive(SOCKET s, HANDLE completion_port, const char *to)
{
    OVERLAPPED overlapped = {0}, *completed = NULL;
    DWORD bytes = 0, flags = 0;
    SOCKADDR_STORAGE address;
    char text[16] = "";
    WSABUF buffer = {sizeof(text), text};
    int length = make_address(to, port_of(s), &address), ret;
    SOCKET client = socket(address.ss_family, SOCK_DGRAM, IPPROTO_UDP);
    ULONG_PTR key = 0;

    ret = WSARecvFrom(s, &buffer, 1, NULL, &flags, NULL, NULL, &overlapped, NULL);
    ok(ret && WSAGetLastError() == WSA_IO_PENDING, "returned %d, error %d\n", ret,
       WSAGetLastError());
    ret = sendto(client, "tawny", 5, 0, (struct sockaddr *)&address, length);
    ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = GetQueuedCompletionStatus(completion_port, &bytes, &key, &completed, 10000);
    ok(ret && completed == &overlapped && key == 0x1234, "returned %d, error %lu\n", ret,
       GetLastError());
    /* It must not be written when it is no more. */
    if (!completed && CancelIoEx((HANDLE)s, &overlapped))
        GetQueuedCompletionStatus(completion_port, &bytes, &key, &completed, 10000);
    ok(bytes == 5 && !strcmp(text, "tawny"), "%lu bytes, \"%s\"\n", bytes, text);
    closesocket(client);
}

static void test_server(HANDLE completion_port)
{
    USHORT port = find_ports(1);
    SOCKET first, second;
    struct block block;
    int i;

    for (i = 0; i < 3; i++)
    {
        first = listener_open(completion_port);
        check_acquire(first, port, 1, 0, &block);
        listener_bind(first, &block);
        check_no_packet(completion_port);

        /* A second listener on the port learns so from the acquire. */
        second = listener_open(completion_port);
        check_acquire(second, port, 1, WSAEADDRINUSE, NULL);
        check_close(second);

        check_receive(first, completion_port, "127.0.0.1");
        check_receive(first, completion_port, "::1");
        check_no_packet(completion_port);

        /* It never releases: the port is free at once. */
        check_close(first);
        check_unreserved(&kinds[UDP_DUAL], port);
        check_free(&kinds[UDP_DUAL], port, 1);
        check_free(&kinds[UDP4], port, 1);
    }
}

/* A client's port is any. */
static void test_client(HANDLE completion_port)
{
    SOCKET s = listener_open(completion_port);
    struct block block;

    check_acquire(s, 0, 1, 0, &block);
    listener_bind(s, &block);
    check_no_packet(completion_port);
    check_receive(s, completion_port, "127.0.0.1");
    check_close(s);
}

/* A socket for each of several processors, each with a completion port of its own. */
struct listener
{
    unsigned int count;
    SOCKET sockets[MOST];
    HANDLE ports[MOST];
    USHORT port;
};

static void listener_open_all(struct listener *listener, unsigned int count)
{
    unsigned int i;

    listener->count = count;
    for (i = 0; i < count; i++)
    {
        listener->ports[i] = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
        listener->sockets[i] = listener_open(listener->ports[i]);
        check_affinity(listener->sockets[i], i, 0);
    }
}

static void listener_check_no_packets(const struct listener *listener)
{
    unsigned int i;

    for (i = 0; i < listener->count; i++) check_no_packet(listener->ports[i]);
}

/* One port, reserved on the first socket. */
static void listener_start(struct listener *listener, unsigned int count, USHORT port)
{
    struct block block;
    unsigned int i;

    listener_open_all(listener, count);
    check_acquire(listener->sockets[0], port, 1, 0, &block);
    listener->port = block.start;
    for (i = 0; i < count; i++) check_associate(listener->sockets[i], block.token, 0);
    for (i = 0; i < count; i++) check_bind_to(listener->sockets[i], "::", block.start, 0);
    listener_check_no_packets(listener);
}

/* Where the application names no port: what the first gets, and no reservation. */
static void listener_start_anywhere(struct listener *listener, unsigned int count)
{
    unsigned int i;

    listener_open_all(listener, count);
    listener->port = 0;
    for (i = 0; i < count; i++)
    {
        check_bind_to(listener->sockets[i], "::", listener->port, 0);
        listener->port = port_of(listener->sockets[i]);
    }
    listener_check_no_packets(listener);
}

static void listener_close(struct listener *listener, unsigned int i)
{
    check_close(listener->sockets[i]);
    CloseHandle(listener->ports[i]);
    listener->sockets[i] = INVALID_SOCKET;
}

/* Sends from a new port until each socket that is open has had a datagram: each must come by one of
 * the completion ports. */
static void listener_check_receive(struct listener *listener, const char *to)
{
    SOCKADDR_STORAGE address;
    int length = make_address(to, listener->port, &address);
    unsigned int i, round, served = 0, open = 0;
    OVERLAPPED overlapped[MOST];
    BOOL had[MOST] = {0};
    char text[MOST][16] = {{0}};
    SOCKET client;

    for (i = 0; i < listener->count; i++)
    {
        WSABUF buffer = {sizeof(text[i]), text[i]};
        DWORD flags = 0;

        if (listener->sockets[i] == INVALID_SOCKET) continue;
        open++;
        memset(&overlapped[i], 0, sizeof(overlapped[i]));
        WSARecvFrom(listener->sockets[i], &buffer, 1, NULL, &flags, NULL, NULL, &overlapped[i],
                    NULL);
    }
    for (round = 0; served < open && round < 1000; round++)
    {
        OVERLAPPED *completed = NULL;
        DWORD bytes = 0, flags = 0;
        unsigned int got = 0, waited;
        ULONG_PTR key;

        client = socket(address.ss_family, SOCK_DGRAM, IPPROTO_UDP);
        sendto(client, "tawny", 5, 0, (struct sockaddr *)&address, length);
        for (waited = 0; !got && waited < 1000; waited++)
            for (i = 0; i < listener->count && !got; i++)
            {
                WSABUF buffer = {sizeof(text[i]), text[i]};

                if (listener->sockets[i] == INVALID_SOCKET) continue;
                if (!GetQueuedCompletionStatus(listener->ports[i], &bytes, &key, &completed,
                                               waited > 10))
                    continue;
                ok(completed == &overlapped[i] && bytes == 5, "socket %u: %lu bytes\n", i, bytes);
                if (!had[i]) served++;
                had[i] = TRUE;
                got++;
                memset(&overlapped[i], 0, sizeof(overlapped[i]));
                WSARecvFrom(listener->sockets[i], &buffer, 1, NULL, &flags, NULL, NULL,
                            &overlapped[i], NULL);
            }
        ok(got == 1, "a datagram to %s was lost\n", to);
        closesocket(client);
    }
    ok(served == open, "%u of %u sockets had a datagram in %u\n", served, open, round);
    for (i = 0; i < listener->count; i++)
    {
        OVERLAPPED *completed;
        ULONG_PTR key;
        DWORD bytes;

        if (listener->sockets[i] == INVALID_SOCKET) continue;
        CancelIoEx((HANDLE)listener->sockets[i], &overlapped[i]);
        GetQueuedCompletionStatus(listener->ports[i], &bytes, &key, &completed, 10000);
    }
}

/* Any other listener on the port learns so, in this process and in another. */
static void command_listen(char **words, struct peer_answer *answer)
{
    HANDLE completion_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    USHORT port = atoi(words[1]);
    SOCKET s;

    (void)answer;
    processor_pretend(MOST);
    s = listener_open(completion_port);
    check_affinity(s, 1, 0);
    check_acquire(s, port, 1, WSAEADDRINUSE, NULL);
    check_bind_to(s, "::", port, atoi(words[2]));
    check_close(s);
    CloseHandle(completion_port);
}

static void listener_check_alone(const struct listener *listener, struct peer *peer, int error)
{
    HANDLE completion_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    SOCKET s = listener_open(completion_port);
    USHORT taken = 0;

    while (listener->sockets[taken] == INVALID_SOCKET) taken++;
    check_affinity(s, taken, 0);
    check_acquire(s, listener->port, 1, WSAEADDRINUSE, NULL);
    check_bind_to(s, "::", listener->port, error);
    check_close(s);
    CloseHandle(completion_port);
    peer_ask(peer, 0, "listen %u %d", listener->port, error);
}

/* The reservation lives as long as the socket that acquired it, the first; without it, the others
 * have the port still. */
static void listener_end(const unsigned int *order, void *context)
{
    struct listener listener;
    unsigned int i;

    listener_start(&listener, 3, find_ports(1));
    for (i = 0; i < 3; i++)
    {
        BOOL reserved = listener.sockets[0] != INVALID_SOCKET;

        listener_check_alone(&listener, context, reserved ? WSAEACCES : WSAEADDRINUSE);
        listener_check_receive(&listener, i % 2 ? "::1" : "127.0.0.1");
        listener_close(&listener, order[i]);
    }
    check_unreserved(&kinds[UDP_DUAL], listener.port);
    check_free(&kinds[UDP_DUAL], listener.port, 1);
}

static void test_processors(struct peer *peer)
{
    static const unsigned int counts[] = {1, 2, MOST};
    struct listener listener;
    unsigned int i, j;

    for (i = 0; i < ARRAYSIZE(counts); i++)
    {
        winetest_push_context("%u processors", counts[i]);
        listener_start(&listener, counts[i], find_ports(1));
        listener_check_alone(&listener, peer, WSAEACCES);
        listener_check_receive(&listener, "127.0.0.1");
        listener_check_receive(&listener, "::1");
        listener_check_no_packets(&listener);
        for (j = 0; j < counts[i]; j++) listener_close(&listener, j);
        check_unreserved(&kinds[UDP_DUAL], listener.port);
        check_free(&kinds[UDP_DUAL], listener.port, 1);

        listener_start_anywhere(&listener, counts[i]);
        listener_check_alone(&listener, peer, WSAEADDRINUSE);
        listener_check_receive(&listener, "127.0.0.1");
        listener_check_receive(&listener, "::1");
        for (j = 0; j < counts[i]; j++) listener_close(&listener, counts[i] - 1 - j);
        check_unreserved(&kinds[UDP_DUAL], listener.port);
        winetest_pop_context();
    }
    for_each_order(3, listener_end, peer);
}

static void test_all(HANDLE completion_port)
{
    struct peer peer;

    test_server(completion_port);
    test_client(completion_port);
    if (!processor_pretend(MOST))
    {
        todo_wine ok(0, "this Wine does not let the number of processors be changed\n");
        return;
    }
    if (!peer_start(&peer)) return;
    test_processors(&peer);
    peer_end(&peer, PEER_EXIT);
}

START_TEST(msquic)
{
    static const struct peer_command commands[] = {{"listen", command_listen}, {NULL}};
    HANDLE completion_port;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    completion_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (!peer_serve(commands) && target_reserves(&kinds[UDP_DUAL])) test_all(completion_port);
    CloseHandle(completion_port);
    outsider_disconnect();
    WSACleanup();
}
