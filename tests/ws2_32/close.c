/*
 * Tests of what ends with a socket, in whichever way that is closed
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

/* Closes a socket behind Winsock's back. */
static void close_handle(SOCKET s)
{
    ok(CloseHandle((HANDLE)s), "error %lu\n", GetLastError());
}

static SOCKET duplicate(SOCKET s)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "error %lu\n", GetLastError());
    return (SOCKET)copy;
}

/* A new socket that has the handle of one that was closed. */
static SOCKET reuse_handle(const struct kind *kind, SOCKET closed)
{
    SOCKET s = open_socket(kind);

    if (s != closed) win_skip("the handle was not used again\n");
    return s;
}

static void test_acquirer(const struct kind *kind)
{
    SOCKET owner, drawn, waiting;
    struct block block;
    USHORT port;

    /* The block ends; who has drawn from it has its port still. */
    owner = acquire_any(kind, 3, &block);
    drawn = draw(kind, &block, &port);
    waiting = associated(kind, &block);
    check_close(owner);
    check_unreserved(kind, port == block.start ? block.start + 1 : block.start);
    ok(port_of(drawn) == port, "moved from port %u to %u\n", port, port_of(drawn));
    check_bind(waiting, 0, WSAEINVAL);
    owner = open_socket(kind);
    check_acquire(owner, block.start, 3, WSAEADDRINUSE, NULL);
    check_close(drawn);
    check_acquire(owner, block.start, 3, 0, NULL);
    check_close(waiting);
    check_close(owner);
}

static void test_associated(const struct kind *kind)
{
    SOCKET owner, s;
    struct block block;
    int i;

    /* The port comes back, and the block is held throughout. */
    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < 20; i++)
    {
        s = draw(kind, &block, NULL);
        if (i % 2 && kind->type == SOCK_STREAM)
            ok(!listen(s, 1), "listen failed, error %d\n", WSAGetLastError());
        check_reserved(kind, block.start);
        check_close(s);
        check_reserved(kind, block.start);
    }
    check_close(owner);
    check_free(kind, block.start, 1);
}

static void test_closed_twice(const struct kind *kind)
{
    SOCKET owner, s;
    struct block block;

    owner = acquire_any(kind, 1, &block);
    s = draw(kind, &block, NULL);
    check_close(s);
    ok(closesocket(s) == SOCKET_ERROR && WSAGetLastError() == WSAENOTSOCK, "error %d\n",
       WSAGetLastError());
    ok(closesocket(INVALID_SOCKET) == SOCKET_ERROR && WSAGetLastError() == WSAENOTSOCK,
       "error %d\n", WSAGetLastError());
    check_reserved(kind, block.start);
    check_close(owner);
    ok(closesocket(owner) == SOCKET_ERROR && WSAGetLastError() == WSAENOTSOCK, "error %d\n",
       WSAGetLastError());
    check_free(kind, block.start, 1);
}

static void test_acquirer_CloseHandle(const struct kind *kind)
{
    struct block block, other;
    SOCKET owner, s;

    owner = acquire_any(kind, 3, &block);
    close_handle(owner);
    check_free(kind, block.start, 3);

    /* Noticed by each of the three codes. */
    owner = acquire_any(kind, 1, &block);
    s = open_socket(kind);
    close_handle(owner);
    check_associate(s, block.token, WSAEINVAL);
    check_bind(s, block.start, 0);
    check_close(s);

    owner = acquire_any(kind, 1, &block);
    s = open_socket(kind);
    close_handle(owner);
    check_release(s, block.token, WSAEINVAL);
    check_bind(s, block.start, 0);
    check_close(s);

    /* Another socket has the handle since. It has nothing of the first. */
    owner = acquire_any(kind, 3, &block);
    close_handle(owner);
    s = reuse_handle(kind, owner);
    check_acquire(s, 0, 3, 0, &other);
    /* Chance may have given it some of the same ports. */
    if (!block_contains(&other, block.start) && !block_contains(&block, other.start))
        check_free(kind, block.start, 3);
    check_reserved(kind, other.start);
    check_close(s);
    check_free(kind, other.start, 3);

    /* Another socket, that reserves nothing, is closed instead of the first. */
    owner = acquire_any(kind, 3, &block);
    close_handle(owner);
    s = reuse_handle(kind, owner);
    check_bind(s, 0, 0);
    check_close(s);
    check_free(kind, block.start, 3);
}

static void test_associated_CloseHandle(const struct kind *kind)
{
    SOCKET owner, s, other;
    struct block block;
    int i;

    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < 3; i++)
    {
        s = draw(kind, &block, NULL);
        close_handle(s);
        other = draw(kind, &block, NULL);
        check_close(other);
    }

    /* By number. */
    s = draw(kind, &block, NULL);
    close_handle(s);
    other = associated(kind, &block);
    check_bind(other, block.start, 0);
    check_close(other);

    /* Bound, and another socket has its handle since. */
    s = draw(kind, &block, NULL);
    close_handle(s);
    other = reuse_handle(kind, s);
    check_bind(other, 0, 0);
    ok(port_of(other) != block.start, "drew a port without association\n");
    if (kind->type == SOCK_STREAM) ok(!listen(other, 1), "error %d\n", WSAGetLastError());
    check_conversation(kind, other);
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(other);

    s = draw(kind, &block, NULL);
    close_handle(s);
    other = reuse_handle(kind, s);
    check_associate(other, block.token, 0);
    check_bind(other, 0, 0);
    check_port_in(other, &block);
    check_close(other);

    /* Not bound. */
    s = associated(kind, &block);
    close_handle(s);
    check_close(draw(kind, &block, NULL));
    s = associated(kind, &block);
    close_handle(s);
    other = reuse_handle(kind, s);
    check_bind(other, 0, 0);
    ok(port_of(other) != block.start, "drew a port without association\n");
    check_close(other);
    s = associated(kind, &block);
    close_handle(s);
    other = reuse_handle(kind, s);
    check_bind(other, find_ports(1), 0);
    check_close(other);
    s = associated(kind, &block);
    close_handle(s);
    other = reuse_handle(kind, s);
    check_bind(other, block.start, WSAEACCES);
    check_close(other);

    check_close(draw(kind, &block, NULL));
    check_close(owner);
}

/* The reused handle, and a call that binds in passing. */
static void test_CloseHandle_then_connect(void)
{
    SOCKET owner, s, other, listener = open_socket(&kinds[TCP4]);
    SOCKADDR_STORAGE address;
    struct block block;
    int length;

    check_bind_to(listener, "127.0.0.1", 0, 0);
    ok(!listen(listener, 1), "error %d\n", WSAGetLastError());
    length = make_address("127.0.0.1", port_of(listener), &address);
    owner = acquire_any(&kinds[TCP4], 1, &block);
    s = associated(&kinds[TCP4], &block);
    close_handle(s);
    other = reuse_handle(&kinds[TCP4], s);
    ok(!connect(other, (struct sockaddr *)&address, length), "error %d\n", WSAGetLastError());
    ok(port_of(other) != block.start, "drew a port without association\n");
    check_close(listener);
    check_close(other);
    check_close(owner);
}

static void test_acquirer_duplicate(const struct kind *kind)
{
    SOCKET owner, copy, other;
    struct block block;

    /* The last handle counts, whichever it is. */
    owner = acquire_any(kind, 2, &block);
    copy = duplicate(owner);
    check_close(owner);
    check_reserved(kind, block.start);
    other = open_socket(kind);
    check_acquire(other, block.start, 2, WSAEADDRINUSE, NULL);
    check_close(draw(kind, &block, NULL));
    close_handle(copy);
    check_acquire(other, block.start, 2, 0, NULL);
    check_close(other);

    owner = acquire_any(kind, 2, &block);
    copy = duplicate(owner);
    close_handle(copy);
    check_close(draw(kind, &block, NULL));
    check_reserved(kind, block.start);
    check_close(owner);
    check_free(kind, block.start, 2);

    /* The handle is another socket's since, which acquires, too. */
    owner = acquire_any(kind, 2, &block);
    copy = duplicate(owner);
    close_handle(owner);
    other = reuse_handle(kind, owner);
    check_acquire(other, 0, 1, 0, NULL);
    check_close(other);
    check_close(draw(kind, &block, NULL));
    check_reserved(kind, block.start);
    close_handle(copy);
    check_free(kind, block.start, 2);
}

static void test_associated_duplicate(const struct kind *kind)
{
    SOCKET owner, s, copy, other;
    struct block block;
    USHORT port;

    /* A copy keeps the port in use. */
    owner = acquire_any(kind, 2, &block);
    s = draw(kind, &block, &port);
    copy = duplicate(s);
    check_close(s);
    s = draw(kind, &block, NULL);
    ok(port_of(s) != port, "port %u was given twice\n", port);
    other = associated(kind, &block);
    check_bind(other, 0, WSAENOBUFS);
    check_bind(other, port, WSAEADDRINUSE);
    check_close(s);
    check_bind(other, 0, 0);
    ok(port_of(other) != port, "port %u was given twice\n", port);
    check_close(other);

    close_handle(copy);
    other = associated(kind, &block);
    check_bind(other, port, 0);
    check_close(other);
    check_close(owner);
    check_free(kind, block.start, 2);
}

/* Winsock's own way to a second handle. */
static void test_WSADuplicateSocket(const struct kind *kind)
{
    WSAPROTOCOL_INFOW info;
    SOCKET owner, s, copy;
    struct block block;

    owner = acquire_any(kind, 1, &block);
    ok(!WSADuplicateSocketW(owner, GetCurrentProcessId(), &info), "error %d\n", WSAGetLastError());
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
    ok(copy != INVALID_SOCKET, "error %d\n", WSAGetLastError());
    check_close(owner);
    check_reserved(kind, block.start);
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(copy);
    /* Its closing was one that we saw, but of a handle that had acquired nothing. */
    check_free(kind, block.start, 1);
}

/* A receive that nobody has answered does not keep the socket. */
static void test_pending_receive(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    SOCKET owner, s, client;
    SOCKADDR_STORAGE address;
    DWORD flags, bytes;
    struct block block;
    char text[16];
    WSABUF buffer = {sizeof(text), text};
    int i, length, ret;

    for (i = 0; i < 5; i++)
    {
        /* The socket has acquired, is associated and is bound, all in one. */
        s = open_socket(kind);
        check_acquire(s, 0, 1, 0, &block);
        check_associate(s, block.token, 0);
        check_bind(s, 0, 0);
        client = INVALID_SOCKET;
        if (kind->type == SOCK_STREAM)
        {
            SOCKET listener = open_socket(kind);

            check_bind_to(listener, kind->family == AF_INET6 ? "::1" : "127.0.0.1", 0, 0);
            ok(!listen(listener, 1), "error %d\n", WSAGetLastError());
            length = make_address(kind->family == AF_INET6 ? "::1" : "127.0.0.1", port_of(listener),
                                  &address);
            ret = connect(s, (struct sockaddr *)&address, length);
            ok(!ret, "error %d\n", WSAGetLastError());
            client = accept_soon(listener);
            check_close(listener);
        }
        flags = 0;
        ResetEvent(overlapped.hEvent);
        ret = WSARecv(s, &buffer, 1, NULL, &flags, &overlapped, NULL);
        ok(ret && WSAGetLastError() == WSA_IO_PENDING, "returned %d, error %d\n", ret,
           WSAGetLastError());
        /* The client first: nothing is to remain in TIME_WAIT at the port. */
        if (client != INVALID_SOCKET)
            setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&(struct linger){1, 0},
                       sizeof(struct linger));
        check_close(s);
        check_free(kind, block.start, 1);
        check_unreserved(kind, block.start);
        ret = WaitForSingleObject(overlapped.hEvent, 10000);
        ok(!ret, "the receive has not ended\n");
        ok(!GetOverlappedResult((HANDLE)s, &overlapped, &bytes, FALSE), "the receive succeeded\n");
        if (client != INVALID_SOCKET) check_close(client);
    }

    /* The same for one that has only drawn. */
    if (kind->type == SOCK_DGRAM)
    {
        owner = acquire_any(kind, 1, &block);
        for (i = 0; i < 5; i++)
        {
            s = draw(kind, &block, NULL);
            flags = 0;
            ResetEvent(overlapped.hEvent);
            ret = WSARecv(s, &buffer, 1, NULL, &flags, &overlapped, NULL);
            ok(ret && WSAGetLastError() == WSA_IO_PENDING, "returned %d, error %d\n", ret,
               WSAGetLastError());
            check_close(s);
        }
        check_close(owner);
    }
    CloseHandle(overlapped.hEvent);
}

static DWORD CALLBACK receive_thread(void *argument)
{
    char text[16];

    return recv((SOCKET)argument, text, sizeof(text), 0) == SOCKET_ERROR;
}

static DWORD CALLBACK accept_thread(void *argument)
{
    return accept((SOCKET)argument, NULL, NULL) == INVALID_SOCKET;
}

/* Nor does a call in which another thread waits. */
static void test_waiting_thread(const struct kind *kind)
{
    BOOL stream = kind->type == SOCK_STREAM;
    USHORT start = find_ports(2);
    HANDLE thread, filler;
    SOCKET owner, s;
    struct block block;
    BOOL ended = TRUE;
    DWORD ret;
    int i;

    owner = open_socket(kind);
    check_acquire(owner, start, 1, 0, &block);
    for (i = 0; i < 10 && ended; i++)
    {
        s = draw(kind, &block, NULL);
        /* Every second time a block of its own goes, too. */
        if (i % 2) check_acquire(s, start + 1, 1, 0, NULL);
        if (stream) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
        thread = CreateThread(NULL, 0, stream ? accept_thread : receive_thread, (void *)s, 0, NULL);
        /* To be in the call, most likely. If it is late, it is to meet no socket with this one's
         * handle. */
        Sleep(20);
        check_close(s);
        filler = CreateEventA(NULL, FALSE, FALSE, NULL);
        check_free(kind, start + 1, 1);
        s = draw(kind, &block, NULL);
        if (stream) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
        check_conversation(kind, s);
        check_close(s);
        ended = !WaitForSingleObject(thread, 10000);
        ok(ended, "the call has not ended\n");
        ok(GetExitCodeThread(thread, &ret) && ret == 1, "the call did not fail\n");
        CloseHandle(thread);
        CloseHandle(filler);
    }
    check_close(owner);
}

/* The last WSACleanup closes every socket of the process. */
static void test_cleanup(void)
{
    struct block tcp, udp, drawn_from;
    SOCKET s, owner;
    WSADATA data;

    acquire_any(&kinds[TCP4], 3, &tcp);
    acquire_any(&kinds[UDP_DUAL], 3, &udp);
    acquire_any(&kinds[UDP4], 3, &drawn_from);
    draw(&kinds[UDP4], &drawn_from, NULL);
    s = associated(&kinds[UDP4], &drawn_from);

    /* Not the last one. */
    WSAStartup(MAKEWORD(2, 2), &data);
    ok(!WSACleanup(), "error %d\n", WSAGetLastError());
    check_reserved(&kinds[TCP4], tcp.start);
    check_reserved(&kinds[UDP4], udp.start);
    check_reserved(&kinds[UDP4], drawn_from.start);
    check_close(draw(&kinds[TCP4], &tcp, NULL));

    ok(!WSACleanup(), "error %d\n", WSAGetLastError());
    ok(closesocket(s) == SOCKET_ERROR, "a socket is left\n");
    WSAStartup(MAKEWORD(2, 2), &data);
    check_unreserved(&kinds[TCP4], tcp.start);
    check_unreserved(&kinds[UDP4], udp.start + 2);
    check_unreserved(&kinds[UDP4], drawn_from.start);
    check_free(&kinds[TCP4], tcp.start, 3);
    check_free(&kinds[UDP4], udp.start, 3);
    check_free(&kinds[UDP4], drawn_from.start, 3);
    s = open_socket(&kinds[TCP4]);
    check_associate(s, tcp.token, WSAEINVAL);
    check_bind(s, tcp.start, 0);
    check_close(s);

    /* One call too many does nothing to those that come later. */
    ok(!WSACleanup(), "error %d\n", WSAGetLastError());
    ok(WSACleanup() == SOCKET_ERROR && WSAGetLastError() == WSANOTINITIALISED, "error %d\n",
       WSAGetLastError());
    WSAStartup(MAKEWORD(2, 2), &data);
    owner = acquire_any(&kinds[TCP4], 2, &tcp);
    WSAStartup(MAKEWORD(2, 2), &data);
    ok(!WSACleanup(), "error %d\n", WSAGetLastError());
    check_reserved(&kinds[TCP4], tcp.start);
    check_close(owner);
}

START_TEST(close)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    /* First: Wine's list of sockets keeps what CloseHandle closes. */
    for_each_kind(kind)
    {
        if (target_reserves(kind)) test_closed_twice(kind);
    }
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_acquirer(kind);
        test_associated(kind);
        test_acquirer_CloseHandle(kind);
        test_associated_CloseHandle(kind);
        test_acquirer_duplicate(kind);
        test_associated_duplicate(kind);
        test_WSADuplicateSocket(kind);
        test_pending_receive(kind);
        test_waiting_thread(kind);
        winetest_pop_context();
    }
    if (target_reserves_all())
    {
        test_CloseHandle_then_connect();
        test_cleanup();
    }
    WSACleanup();
}
