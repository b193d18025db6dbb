/*
 * The sequence of calls that MsQuic makes for a listener
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

#define SIO_CPU_AFFINITY _WSAIOW(IOC_VENDOR, 21)

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

/* With several processors, it has one socket for each, all on one port. */
static void test_processors(HANDLE completion_port)
{
    SOCKET s = listener_open(completion_port);
    USHORT processor = 0;
    DWORD returned;
    int ret;

    ret = WSAIoctl(s, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, &returned, NULL,
                   NULL);
    /* Wine does not know the code. */
    todo_wine ok(!ret, "error %d\n", WSAGetLastError());
    check_close(s);
}

START_TEST(msquic)
{
    HANDLE completion_port;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    completion_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (target_reserves(&kinds[UDP_DUAL]))
    {
        test_server(completion_port);
        test_client(completion_port);
    }
    test_processors(completion_port);
    CloseHandle(completion_port);
    WSACleanup();
}
