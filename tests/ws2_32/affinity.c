/*
 * Tests of SIO_CPU_AFFINITY, and of what it allows: to share a port
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "peer.h"
#include "processor.h"

#include <iphlpapi.h>

#define PROCESSORS 4

static const unsigned int udp_kinds[] = {UDP4, UDP6, UDP_DUAL};

static void test_success(const struct kind *kind)
{
    USHORT input[2] = {1, 0xdead};
    DWORD returned = 0xdeadbeef;
    SOCKET s = open_socket(kind);

    check_affinity(s, 0, 0);
    /* The later one holds: see test_latest. */
    check_affinity(s, 1, 0);
    /* A longer buffer is none the worse for it, and output is not looked at. */
    ok(!WSAIoctl(s, SIO_CPU_AFFINITY, input, sizeof(input), input, sizeof(input), &returned, NULL,
                 NULL),
       "error %d\n", WSAGetLastError());
    ok(!returned, "%lu bytes returned\n", returned);
    ok(input[0] == 1 && input[1] == 0xdead, "wrote %#x, %#x\n", input[0], input[1]);
    check_bind(s, 0, 0);
    check_conversation(kind, s);
    check_close(s);
}

static void test_errors(const struct kind *kind)
{
    USHORT processor = 0, none = 0xffff;
    SOCKET s = open_socket(kind), bound = open_socket(kind);
    SYSTEM_INFO info;
    int error;

    GetSystemInfo(&info);
    if (info.dwNumberOfProcessors <= 0xffff) none = info.dwNumberOfProcessors;
    check_affinity(s, none, WSAEINVAL);
    check_affinity(s, 0xffff, WSAEINVAL);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, &processor, 1, NULL, 0);
    ok(error == WSAEINVAL, "error %d\n", error);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, NULL, 0, NULL, 0);
    ok(error == WSAEINVAL, "error %d\n", error);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, NULL, sizeof(processor), NULL, 0);
    ok(error == WSAEFAULT, "error %d\n", error);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, (void *)16, sizeof(processor), NULL, 0);
    ok(error == WSAEFAULT, "error %d\n", error);

    check_bind(bound, 0, 0);
    check_affinity(bound, 0, WSAEINVAL);
    check_close(bound);
    /* What failed has changed nothing: it has no processor, and shares with nobody. */
    check_bind(s, 0, 0);
    bound = open_for_processor(kind, 0);
    check_bind(bound, port_of(s), WSAEADDRINUSE);
    check_close(bound);
    check_close(s);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0);
    ok(error == WSAENOTSOCK, "error %d\n", error);
    error = reservation_ioctl(s, SIO_CPU_AFFINITY, NULL, 0, NULL, 0);
    ok(error == WSAENOTSOCK, "error %d\n", error);
}

static void test_other_sockets(void)
{
    static const unsigned int tcp_kinds[] = {TCP4, TCP6, TCP_DUAL};
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    unsigned int i;
    SOCKET s;

    for (i = 0; i < ARRAYSIZE(tcp_kinds); i++)
    {
        s = open_socket(&kinds[tcp_kinds[i]]);
        check_affinity(s, 0, WSAEOPNOTSUPP);
        check_close(s);
    }
    check_affinity((SOCKET)event, 0, WSAENOTSOCK);
    check_affinity(INVALID_SOCKET, 0, WSAENOTSOCK);
    check_affinity(0, 0xffff, WSAENOTSOCK);
    CloseHandle(event);
}

/* How a bind beside others must end, and that it changes nothing for them. */
static void check_beside(const struct kind *kind, const SOCKET *sockets, unsigned int count,
                         USHORT port, int processor, ULONG64 token, int error)
{
    SOCKET s = open_socket(kind);

    if (processor >= 0) check_affinity(s, processor, 0);
    if (token) check_associate(s, token, 0);
    check_bind(s, port, error);
    check_close(s);
    if (count) check_reached(sockets, count, kind->loopback, port);
}

static void test_sharing(const struct kind *kind)
{
    SOCKET sockets[PROCESSORS];
    USHORT port = find_ports(1);
    unsigned int i;

    open_sharing(kind, sockets, 2, port, 0);
    check_reached(sockets, 2, kind->loopback, port);
    check_beside(kind, sockets, 2, port, -1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 0, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 2, 0, 0);
    /* Its processor is free again. */
    check_beside(kind, sockets, 2, port, 2, 0, 0);
    sockets[2] = open_for_processor(kind, 2);
    check_bind(sockets[2], port, 0);
    check_beside(kind, sockets, 3, port, 2, 0, WSAEADDRINUSE);
    sockets[3] = open_for_processor(kind, 3);
    check_bind(sockets[3], port, 0);
    check_reached(sockets, PROCESSORS, kind->loopback, port);
    for (i = 0; i < PROCESSORS; i++) check_close(sockets[i]);
    check_unreserved(kind, port);
    check_free(kind, port, 1);
}

/* With no port named, the first gets one, and others share that. */
static void test_automatic(const struct kind *kind)
{
    SOCKET sockets[PROCESSORS], other;
    USHORT port = open_sharing(kind, sockets, PROCESSORS, 0, 0);
    unsigned int i;

    check_reached(sockets, PROCESSORS, kind->loopback, port);
    check_beside(kind, sockets, PROCESSORS, port, -1, 0, WSAEADDRINUSE);
    /* One that names none either does not share. */
    other = open_for_processor(kind, 0);
    check_bind(other, 0, 0);
    ok(port_of(other) != port, "shares port %u\n", port);
    check_close(other);
    for (i = 0; i < PROCESSORS; i++) check_close(sockets[i]);
    check_unreserved(kind, port);
}

static void test_latest(const struct kind *kind)
{
    SOCKET sockets[2];
    USHORT port = find_ports(1);

    sockets[0] = open_for_processor(kind, 0);
    check_affinity(sockets[0], 1, 0);
    check_bind(sockets[0], port, 0);
    check_beside(kind, sockets, 1, port, 1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 1, port, 0, 0, 0);
    check_close(sockets[0]);
}

/* Sockets without a processor never share. */
static void test_one_sided(const struct kind *kind)
{
    SOCKET s = open_socket(kind);
    USHORT port = find_ports(1);

    check_bind(s, port, 0);
    check_beside(kind, &s, 1, port, 0, 0, WSAEADDRINUSE);
    check_close(s);
}

/* To share is to have one address. */
static void test_addresses(const struct kind *kind)
{
    const char *loopback = kind->family == AF_INET ? "127.0.0.1" : "::1";
    SOCKET wildcard = open_for_processor(kind, 0), s = open_for_processor(kind, 1);
    USHORT port = find_ports(1);

    check_bind(wildcard, port, 0);
    check_bind_to(s, loopback, port, WSAEADDRINUSE);
    check_close(wildcard);
    check_bind_to(s, loopback, port, 0);
    wildcard = open_for_processor(kind, 0);
    check_bind(wildcard, port, WSAEADDRINUSE);
    check_bind_to(wildcard, loopback, port, 0);
    check_beside(kind, NULL, 0, port, -1, 0, WSAEADDRINUSE);
    check_close(wildcard);
    check_close(s);
}

/* One that takes IPv4 as well, and one that does not, have not the same address. */
static void test_families(void)
{
    SOCKET dual = open_for_processor(&kinds[UDP_DUAL], 0), s;
    USHORT port = find_ports(1);

    check_bind(dual, port, 0);
    s = open_for_processor(&kinds[UDP6], 1);
    check_bind(s, port, WSAEADDRINUSE);
    check_close(s);
    s = open_for_processor(&kinds[UDP4], 1);
    check_bind(s, port, WSAEADDRINUSE);
    check_close(s);
    check_reached(&dual, 1, "127.0.0.1", port);
    check_reached(&dual, 1, "::1", port);
    check_close(dual);
}

static void test_reserved(const struct kind *kind)
{
    SOCKET sockets[PROCESSORS], owner = open_socket(kind), s, others[2];
    struct block block, other;
    USHORT port;
    unsigned int i;

    check_acquire(owner, find_ports(4), 3, 0, &block);
    check_acquire(owner, block.start + 3, 1, 0, &other);
    port = block.start + 1;
    open_sharing(kind, sockets, 2, port, block.token);
    check_reached(sockets, 2, kind->loopback, port);
    check_beside(kind, sockets, 2, port, -1, 0, WSAEACCES);
    check_beside(kind, sockets, 2, port, 2, 0, WSAEACCES);
    check_beside(kind, sockets, 2, port, -1, block.token, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 1, block.token, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 2, other.token, WSAEINVAL);
    check_beside(kind, sockets, 2, port, 2, block.token, 0);

    /* A draw never returns a port that is in use, nor does a socket's end give back what others
     * have. */
    for (i = 0; i < 2; i++)
    {
        others[i] = associated(kind, &block);
        check_affinity(others[i], 3, 0);
        check_bind(others[i], 0, 0);
        ok(port_of(others[i]) != port, "port %u was drawn\n", port);
    }
    s = associated(kind, &block);
    check_bind(s, 0, WSAENOBUFS);
    check_close(sockets[0]);
    check_bind(s, 0, WSAENOBUFS);
    check_reached(&sockets[1], 1, kind->loopback, port);
    check_close(sockets[1]);
    check_bind(s, 0, 0);
    ok(port_of(s) == port, "drew port %u\n", port_of(s));
    check_close(s);
    check_close(others[0]);
    check_close(others[1]);
    check_close(owner);
    check_free(kind, block.start, 4);
}

/* After the block's end, its port is anybody's, as soon as it is nobody's. */
static void test_released(const struct kind *kind)
{
    SOCKET sockets[2], owner = open_socket(kind);
    struct block block;

    check_acquire(owner, find_ports(1), 1, 0, &block);
    open_sharing(kind, sockets, 2, block.start, block.token);
    check_release(owner, block.token, 0);
    check_reached(sockets, 2, kind->loopback, block.start);
    check_beside(kind, sockets, 2, block.start, -1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, block.start, 2, 0, 0);
    check_close(sockets[0]);
    check_beside(kind, &sockets[1], 1, block.start, -1, 0, WSAEADDRINUSE);
    check_close(sockets[1]);
    check_free(kind, block.start, 1);
    check_close(owner);
}

struct closing
{
    const struct kind *kind;
    BOOL reserved;
    BOOL by_handle; /* with CloseHandle */
};

static void close_in_order(const unsigned int *order, void *context)
{
    const struct closing *closing = context;
    const struct kind *kind = closing->kind;
    SOCKET sockets[3], owner = open_socket(kind);
    struct block block = {.start = find_ports(1)};
    unsigned int i;

    if (closing->reserved) check_acquire(owner, block.start, 1, 0, &block);
    open_sharing(kind, sockets, 3, block.start, block.token);
    for (i = 0; i < 3; i++)
    {
        if (closing->by_handle)
            CloseHandle((HANDLE)sockets[order[i]]);
        else
            check_close(sockets[order[i]]);
        sockets[order[i]] = INVALID_SOCKET;
        if (i == 2) break;
        check_reached(sockets, 3, kind->loopback, block.start);
        check_beside(kind, sockets, 3, block.start, -1, 0,
                     closing->reserved ? WSAEACCES : WSAEADDRINUSE);
        check_beside(kind, sockets, 3, block.start, order[0], block.token, 0);
        if (closing->reserved && outsider_available()) check_kept_out_plainly(kind, block.start);
    }
    if (closing->reserved)
        check_reserved(kind, block.start);
    else
        check_unreserved(kind, block.start);
    check_close(owner);
    check_free(kind, block.start, 1);
}

static void test_closing(const struct kind *kind)
{
    struct closing closing = {.kind = kind};

    for_each_order(3, close_in_order, &closing);
    closing.reserved = TRUE;
    for_each_order(3, close_in_order, &closing);
    closing.by_handle = TRUE;
    for_each_order(3, close_in_order, &closing);
}

/* A receive that is pending keeps a socket for a moment after it is closed: that is in nobody's
 * way, nor does it keep the next from the processor. */
static void test_pending(const struct kind *kind)
{
    OVERLAPPED overlapped[3] = {{0}};
    USHORT port = find_ports(1);
    char text[3][16] = {{0}};
    unsigned int i, closed;
    SOCKET sockets[3];

    open_sharing(kind, sockets, 3, port, 0);
    for (closed = 0; closed < 6; closed++)
    {
        for (i = 0; i < 3; i++)
        {
            WSABUF buffer = {sizeof(text[i]), text[i]};
            DWORD flags = 0;

            if (closed && i != (closed - 1) % 3) continue;
            WSARecv(sockets[i], &buffer, 1, NULL, &flags, &overlapped[i], NULL);
        }
        check_close(sockets[closed % 3]);
        check_beside(kind, NULL, 0, port, -1, 0, WSAEADDRINUSE);
        sockets[closed % 3] = open_for_processor(kind, closed % 3);
        check_bind(sockets[closed % 3], port, 0);
    }
    for (i = 0; i < 3; i++) check_close(sockets[i]);
    check_unreserved(kind, port);
}

/* A duplicate is the same socket, and keeps it. */
static void test_duplicate(const struct kind *kind)
{
    SOCKET sockets[2], duplicate;
    USHORT port = find_ports(1);
    HANDLE handle;

    open_sharing(kind, sockets, 2, port, 0);
    DuplicateHandle(GetCurrentProcess(), (HANDLE)sockets[1], GetCurrentProcess(), &handle, 0, FALSE,
                    DUPLICATE_SAME_ACCESS);
    duplicate = (SOCKET)handle;
    check_close(sockets[1]);
    sockets[1] = duplicate;
    check_reached(sockets, 2, kind->loopback, port);
    check_beside(kind, sockets, 2, port, 1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, port, 2, 0, 0);
    check_close(sockets[0]);
    check_close(duplicate);
    check_unreserved(kind, port);
}

/* Of a persistent range, anybody may bind a port by number that nobody has. */
static void test_persistent(const struct kind *kind)
{
    SOCKET sockets[PROCESSORS], s;
    USHORT start = find_ports(2);
    ULONG64 token = 0;
    ULONG error;

    error = CreatePersistentUdpPortReservation(htons(start), 2, &token);
    ok(!error, "error %lu\n", error);
    if (error) return;
    open_sharing(kind, sockets, 2, start, token);
    check_beside(kind, sockets, 2, start, -1, 0, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, start, 1, token, WSAEADDRINUSE);
    check_beside(kind, sockets, 2, start, 2, token, 0);
    s = open_socket(kind);
    check_associate(s, token, 0);
    check_bind(s, 0, 0);
    ok(port_of(s) == start + 1, "drew port %u\n", port_of(s));
    /* Whoever shares it is not asked for a token, either. */
    sockets[2] = open_for_processor(kind, 2);
    check_bind(sockets[2], start, 0);
    check_reached(sockets, 3, kind->loopback, start);
    check_close(sockets[0]);
    check_close(sockets[1]);
    check_beside(kind, &sockets[2], 1, start, -1, token, WSAEADDRINUSE);
    check_close(sockets[2]);
    check_close(s);
    s = open_socket(kind);
    check_associate(s, token, 0);
    check_bind(s, start, 0);
    check_close(s);

    open_sharing(kind, sockets, 2, start + 1, 0);
    check_beside(kind, sockets, 2, start + 1, 2, token, 0);
    check_beside(kind, sockets, 2, start + 1, 2, 0, 0);
    check_close(sockets[0]);
    check_close(sockets[1]);
    error = DeletePersistentUdpPortReservation(htons(start), 2);
    ok(!error, "error %lu\n", error);
    check_free(kind, start, 2);
}

/* A socket of another process does not share: the error is the last word. */
static void command_bind(char **words, struct peer_answer *answer)
{
    const struct kind *kind = &kinds[atoi(words[1])];
    SOCKET s = open_socket(kind);

    processor_pretend(PROCESSORS);
    if (*words[3] != '-') check_affinity(s, atoi(words[3]), 0);
    check_bind(s, atoi(words[2]), atoi(words[4]));
    check_close(s);
    answer->error = 0;
}

static void check_foreign(struct peer *peer, unsigned int index, USHORT port, int error)
{
    peer_ask(peer, 0, "bind %u %u - %d", index, port, error);
    peer_ask(peer, 0, "bind %u %u 0 %d", index, port, error);
    peer_ask(peer, 0, "bind %u %u 3 %d", index, port, error);
}

static void test_processes(unsigned int index)
{
    const struct kind *kind = &kinds[index];
    SOCKET sockets[2], owner;
    struct block block;
    struct peer peer;
    USHORT port;

    if (!peer_start(&peer)) return;
    port = open_sharing(kind, sockets, 2, find_ports(1), 0);
    check_foreign(&peer, index, port, WSAEADDRINUSE);
    check_close(sockets[1]);
    check_foreign(&peer, index, port, WSAEADDRINUSE);
    check_close(sockets[0]);
    check_foreign(&peer, index, port, 0);

    owner = open_socket(kind);
    check_acquire(owner, find_ports(1), 1, 0, &block);
    open_sharing(kind, sockets, 2, block.start, block.token);
    check_foreign(&peer, index, block.start, WSAEACCES);
    check_close(sockets[0]);
    check_foreign(&peer, index, block.start, WSAEACCES);
    check_reached(&sockets[1], 1, kind->loopback, block.start);
    check_close(sockets[1]);
    check_foreign(&peer, index, block.start, WSAEACCES);
    check_close(owner);
    peer_end(&peer, PEER_EXIT);
}

/* Nor does a program of the host, be it one that shares: of IPv6, the host itself keeps it out. */
static void test_outsider(const struct kind *kind)
{
    SOCKET sockets[PROCESSORS], owner = open_socket(kind);
    const char *which = "";
    unsigned int i, got;
    struct block block;

    check_acquire(owner, find_ports(1), 1, 0, &block);
    open_sharing(kind, sockets, PROCESSORS, block.start, block.token);
    for (i = 0; i < PROCESSORS; i++)
    {
        check_kept_out_plainly(kind, block.start);
        got = outsider_gets(kind, block.start, "reuseport", &which);
        /* Of IPv4, all of several share. */
        todo_wine_if(kind->family == AF_INET && i < PROCESSORS - 1)
            ok(!got, "%u sockets: %u shapes get the port, one is %s\n", PROCESSORS - i, got, which);
        check_reached(sockets, PROCESSORS, kind->loopback, block.start);
        check_close(sockets[i]);
        sockets[i] = INVALID_SOCKET;
        if (i == PROCESSORS - 1) break;
    }
    check_kept_out(kind, block.start, "reuseport");
    check_close(owner);
}

struct processor_affinity
{
    PROCESSOR_NUMBER processor;
    USHORT node;
    USHORT reserved;
};

static void test_query(const struct kind *kind)
{
    struct processor_affinity answer;
    SOCKET s = open_for_processor(kind, 3), plain = open_socket(kind);
    DWORD returned = 0xdeadbeef;
    int ret;

    memset(&answer, 0xaa, sizeof(answer));
    ret = WSAIoctl(s, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, &answer, sizeof(answer), &returned,
                   NULL, NULL);
    ok(!ret, "error %d\n", WSAGetLastError());
    ok(returned == sizeof(answer), "%lu bytes returned\n", returned);
    ok(!answer.processor.Group && answer.processor.Number == 3 && !answer.processor.Reserved,
       "processor %u of group %u\n", answer.processor.Number, answer.processor.Group);
    ok(!answer.node && !answer.reserved, "node %u, reserved %u\n", answer.node, answer.reserved);

    ret = WSAIoctl(s, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, &answer, sizeof(answer) - 1, &returned,
                   NULL, NULL);
    ok(ret && WSAGetLastError() == WSAEINVAL, "returned %d, error %d\n", ret, WSAGetLastError());
    ok(!returned, "%lu bytes returned\n", returned);
    ret = WSAIoctl(s, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, (void *)16, sizeof(answer), &returned,
                   NULL, NULL);
    ok(ret && WSAGetLastError() == WSAEFAULT, "returned %d, error %d\n", ret, WSAGetLastError());

    check_bind(s, 0, 0);
    ret = WSAIoctl(s, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, &answer, sizeof(answer), &returned,
                   NULL, NULL);
    ok(!ret && answer.processor.Number == 3, "returned %d, processor %u\n", ret,
       answer.processor.Number);
    ret = WSAIoctl(plain, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, &answer, sizeof(answer), &returned,
                   NULL, NULL);
    ok(ret && WSAGetLastError() == WSAEOPNOTSUPP, "returned %d, error %d\n", ret,
       WSAGetLastError());
    check_close(plain);
    check_close(s);
}

/* The code completes by event, and by completion port where the caller asks for it. */
static void test_overlapped(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)}, *completed = NULL;
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    SOCKET s = WSASocketW(kind->family, kind->type, kind->protocol, NULL, 0, WSA_FLAG_OVERLAPPED);
    DWORD bytes = 0xdeadbeef, flags;
    struct processor_affinity answer;
    USHORT processor = 1;
    ULONG_PTR key;
    int ret;

    ret = WSAIoctl(s, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, NULL, &overlapped,
                   NULL);
    ok(!ret || WSAGetLastError() == WSA_IO_PENDING, "error %d\n", WSAGetLastError());
    ok(!WaitForSingleObject(overlapped.hEvent, 5000), "the event is not set\n");
    ret = WSAGetOverlappedResult(s, &overlapped, &bytes, FALSE, &flags);
    ok(ret && !bytes, "returned %d, %lu bytes\n", ret, bytes);

    CreateIoCompletionPort((HANDLE)s, port, 5, 0);
    check_affinity(s, 0, 0);
    ret = GetQueuedCompletionStatus(port, &bytes, &key, &completed, 0);
    ok(!ret && !completed, "a packet\n");
    overlapped.hEvent = NULL;
    WSAIoctl(s, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, NULL, &overlapped, NULL);
    ret = GetQueuedCompletionStatus(port, &bytes, &key, &completed, 5000);
    ok(ret && completed == &overlapped && key == 5 && !bytes, "returned %d, %lu bytes\n", ret,
       bytes);
    memset(&answer, 0xaa, sizeof(answer));
    WSAIoctl(s, SIO_QUERY_RSS_PROCESSOR_INFO, NULL, 0, &answer, sizeof(answer), NULL, &overlapped,
             NULL);
    ret = GetQueuedCompletionStatus(port, &bytes, &key, &completed, 5000);
    ok(ret && completed == &overlapped, "returned %d\n", ret);
    ok(answer.processor.Number == 1, "processor %u\n", answer.processor.Number);
    todo_wine ok(bytes == sizeof(answer), "%lu bytes\n", bytes);
    check_close(s);
    CloseHandle(port);
}

static void test_kind(unsigned int index)
{
    const struct kind *kind = &kinds[index];

    test_success(kind);
    test_errors(kind);
    test_sharing(kind);
    test_automatic(kind);
    test_latest(kind);
    test_one_sided(kind);
    test_addresses(kind);
    test_reserved(kind);
    test_released(kind);
    test_closing(kind);
    test_pending(kind);
    test_duplicate(kind);
    test_persistent(kind);
    test_processes(index);
    if (outsider_available())
        test_outsider(kind);
    else
        skip("no outsider\n");
    test_query(kind);
    test_overlapped(kind);
}

static void test_all(void)
{
    unsigned int i;

    /* Processors that this machine has not serve for all that is tested here. */
    if (!processor_pretend(PROCESSORS))
    {
        todo_wine ok(0, "this Wine does not let the number of processors be changed\n");
        return;
    }
    test_other_sockets();
    test_families();
    for (i = 0; i < ARRAYSIZE(udp_kinds); i++)
    {
        winetest_push_context("%s", kinds[udp_kinds[i]].name);
        test_kind(udp_kinds[i]);
        winetest_pop_context();
    }
}

START_TEST(affinity)
{
    static const struct peer_command commands[] = {{"bind", command_bind}, {NULL}};
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!peer_serve(commands) && target_reserves(&kinds[UDP_DUAL])) test_all();
    outsider_disconnect();
    WSACleanup();
}
