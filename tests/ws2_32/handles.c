/*
 * Tests of sockets with several handles, in one process and in two
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A block lives until the last handle of its socket in the process that acquired it is gone; those
 * of other processes do not count. An association belongs to the socket, and is known in the
 * process that made it. A bound socket has its port for as long as anybody has a handle.
 */
#include "peer.h"

#include "../conformance/target.h"

#define PATIENCE 30000 /* in milliseconds */

/* How a socket gets a second handle in another process. */
enum way
{
    INHERITED,
    DUPLICATED, /* DuplicateHandle */
    BY_INFO,    /* WSADuplicateSocket */
    WAY_COUNT
};

static const char *const way_names[WAY_COUNT] = {"inherited", "DuplicateHandle",
                                                 "WSADuplicateSocket"};

static void close_handle(SOCKET s)
{
    ok(CloseHandle((HANDLE)s), "error %lu\n", GetLastError());
}

/* Wine's closesocket and sendto know only handles that Winsock has made in this process. Says
 * whether closesocket has closed this one: that is noticed at once. */
static BOOL close_any(SOCKET s)
{
    if (!closesocket(s)) return TRUE;
    ok(WSAGetLastError() == WSAENOTSOCK, "error %d\n", WSAGetLastError());
    close_handle(s);
    return FALSE;
}

static SOCKET duplicate(SOCKET s)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "error %lu\n", GetLastError());
    return (SOCKET)copy;
}

static SOCKET duplicate_by_info(SOCKET s)
{
    WSAPROTOCOL_INFOW info;
    SOCKET copy;

    ok(!WSADuplicateSocketW(s, GetCurrentProcessId(), &info), "error %d\n", WSAGetLastError());
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
    ok(copy != INVALID_SOCKET, "error %d\n", WSAGetLastError());
    return copy;
}

static void set_inherited(SOCKET s, BOOL inherited)
{
    ok(SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, inherited ? HANDLE_FLAG_INHERIT : 0),
       "error %lu\n", GetLastError());
}

/* Sockets of ours that a peer started later does not inherit. */
static SOCKET own_socket(const struct kind *kind)
{
    SOCKET s = open_socket(kind);

    set_inherited(s, FALSE);
    return s;
}

static SOCKET own_acquirer(const struct kind *kind, USHORT count, struct block *block)
{
    SOCKET s = own_socket(kind);

    check_acquire(s, 0, count, 0, block);
    return s;
}

static SOCKET own_associated(const struct kind *kind, const struct block *block)
{
    SOCKET s = own_socket(kind);

    check_associate(s, block->token, 0);
    return s;
}

/* The commands of a peer: a kind, a socket of its own, and what is needed besides. */
static const struct kind *command_kind(char **words)
{
    return &kinds[atoi(words[1])];
}

static SOCKET command_socket(char **words)
{
    return strtoull(words[2], NULL, 10);
}

static void command_bind(char **words, struct peer_answer *answer)
{
    USHORT port = atoi(words[3]);
    const char *address = command_kind(words)->wildcard;
    SOCKADDR_STORAGE to;
    int length = make_address(address, port, &to);
    SOCKET s = command_socket(words);

    answer->error = bind(s, (struct sockaddr *)&to, length) ? WSAGetLastError() : 0;
    answer->value = port_of(s);
}

static void command_listen(char **words, struct peer_answer *answer)
{
    answer->error = listen(command_socket(words), 1) ? WSAGetLastError() : 0;
}

static void command_converse(char **words, struct peer_answer *answer)
{
    (void)answer;
    check_conversation(command_kind(words), command_socket(words));
}

static void command_send(char **words, struct peer_answer *answer)
{
    SOCKADDR_STORAGE to;
    int length = make_address(command_kind(words)->loopback, 9, &to);
    SOCKET s = command_socket(words);
    int ret = sendto(s, "tawny", 5, 0, (struct sockaddr *)&to, length);

    answer->error = ret == SOCKET_ERROR ? WSAGetLastError() : 0;
    answer->value = port_of(s);
}

static void command_close(char **words, struct peer_answer *answer)
{
    (void)answer;
    /* Whoever wants the ports notices what Winsock has not closed. */
    if (!close_any(command_socket(words)) && words[3])
        check_free(command_kind(words), atoi(words[3]), 2);
}

static void command_acquire(char **words, struct peer_answer *answer)
{
    USHORT start = atoi(words[3]);
    struct block block;

    check_acquire(command_socket(words), start, 2, 0, &block);
    answer->value = block.token;
}

static void command_socket_new(char **words, struct peer_answer *answer)
{
    answer->value = open_socket(command_kind(words));
}

static void command_foreign_token(char **words, struct peer_answer *answer)
{
    SOCKET s = command_socket(words);
    ULONG64 token = strtoull(words[3], NULL, 16);

    (void)answer;
    check_associate(s, token, WSAEINVAL);
    check_release(s, token, WSAEINVAL);
}

/* A section has the description of the socket. */
static void command_take(char **words, struct peer_answer *answer)
{
    HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, words[1]);
    WSAPROTOCOL_INFOW *info = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof(*info));

    ok(!!info, "error %lu\n", GetLastError());
    if (!info) return;
    answer->value =
        WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0, 0);
    ok(answer->value != INVALID_SOCKET, "error %d\n", WSAGetLastError());
    UnmapViewOfFile(info);
    CloseHandle(section);
}

static SOCKET give_by_info(SOCKET s, struct peer *peer)
{
    char name[64];
    HANDLE section;
    WSAPROTOCOL_INFOW *info;
    SOCKET theirs = INVALID_SOCKET;

    snprintf(name, sizeof(name), "%s", unique_word());
    section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(*info), name);
    info = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof(*info));
    ok(!!info, "error %lu\n", GetLastError());
    if (!info) return theirs;
    ok(!WSADuplicateSocketW(s, GetProcessId(peer->process), info), "error %d\n", WSAGetLastError());
    theirs = peer_ask(peer, 0, "take %s", name);
    UnmapViewOfFile(info);
    CloseHandle(section);
    return theirs;
}

/* Starts a peer that has a handle of the socket; that handle. */
static SOCKET give(SOCKET s, enum way way, struct peer *peer)
{
    HANDLE theirs = INVALID_HANDLE_VALUE;

    set_inherited(s, way == INHERITED);
    if (!peer_start(peer)) return INVALID_SOCKET;
    switch (way)
    {
    case INHERITED:
        return s;
    case DUPLICATED:
        ok(DuplicateHandle(GetCurrentProcess(), (HANDLE)s, peer->process, &theirs, 0, FALSE,
                           DUPLICATE_SAME_ACCESS),
           "error %lu\n", GetLastError());
        return (SOCKET)theirs;
    default:
        return give_by_info(s, peer);
    }
}

static unsigned int number_of(const struct kind *kind)
{
    return kind - kinds;
}

/* What a peer has of the acquiring socket does not keep the block. */
static void test_acquirer(const struct kind *kind, enum way way)
{
    struct block block;
    SOCKET owner = own_acquirer(kind, 3, &block), waiting, drawn, theirs, other;
    struct peer peer;
    USHORT port;

    theirs = give(owner, way, &peer);
    drawn = draw(kind, &block, &port);
    waiting = associated(kind, &block);
    check_reserved(kind, port);
    peer_ask(&peer, 0, "foreign_token %u %u %s", number_of(kind), (UINT)theirs,
             wine_dbgstr_longlong(block.token));

    /* At once, not only at the next reservation call. */
    check_close(owner);
    check_unreserved(kind, port == block.start ? block.start + 1 : block.start);
    check_bind(waiting, 0, WSAEINVAL);
    check_associate(waiting, block.token, WSAEINVAL);
    check_release(waiting, block.token, WSAEINVAL);
    check_close(waiting);
    other = open_socket(kind);
    check_acquire(other, block.start, 3, WSAEADDRINUSE, NULL);
    check_close(drawn);
    check_acquire(other, block.start, 3, 0, NULL);
    /* Its handle is a socket like any other, and closing it ends nothing. */
    peer_ask(&peer, 0, "bind %u %u 0", number_of(kind), (UINT)theirs);
    peer_ask(&peer, 0, "close %u %u", number_of(kind), (UINT)theirs);
    check_reserved(kind, block.start);
    check_close(other);
    peer_end(&peer, PEER_EXIT);
}

/* Nor does a peer's closing end it, nor its end. */
static void test_peer_closes(const struct kind *kind, enum way way)
{
    struct block block;
    SOCKET owner = own_acquirer(kind, 2, &block), theirs;
    struct peer peer;

    theirs = give(owner, way, &peer);
    peer_ask(&peer, 0, "close %u %u", number_of(kind), (UINT)theirs);
    check_reserved(kind, block.start);
    peer_end(&peer, PEER_EXIT);
    give(owner, way, &peer);
    peer_end(&peer, PEER_TERMINATE);
    check_reserved(kind, block.start);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
    check_unreserved(kind, block.start);
    check_free(kind, block.start, 2);
}

/* Closed without Winsock's knowledge: noticed when somebody wants the ports. */
static void test_acquirer_CloseHandle(const struct kind *kind, enum way way)
{
    struct block block, later;
    SOCKET owner, s;
    struct peer peer;
    HANDLE theirs;

    owner = own_acquirer(kind, 2, &block);
    give(owner, way, &peer);
    close_handle(owner);
    check_free(kind, block.start, 2);
    check_unreserved(kind, block.start);
    peer_end(&peer, PEER_EXIT);

    /* Or when the peer is gone, by each of the three codes. */
    owner = own_acquirer(kind, 2, &block);
    give(owner, way, &peer);
    s = open_socket(kind);
    close_handle(owner);
    peer_end(&peer, PEER_EXIT);
    check_associate(s, block.token, WSAEINVAL);
    check_bind(s, block.start, 0);
    check_close(s);

    /* Another socket has the handle since, and acquires or is closed. */
    owner = own_acquirer(kind, 2, &block);
    give(owner, way, &peer);
    close_handle(owner);
    s = open_socket(kind);
    check_acquire(s, 0, 1, 0, &later);
    check_free(kind, block.start, 2);
    check_reserved(kind, later.start);
    check_close(s);
    check_free(kind, later.start, 1);
    peer_end(&peer, PEER_EXIT);

    owner = own_acquirer(kind, 2, &block);
    give(owner, way, &peer);
    close_handle(owner);
    check_close(open_socket(kind));
    check_free(kind, block.start, 2);
    /* The only handle moves. */
    owner = open_socket(kind);
    check_acquire(owner, block.start, 2, 0, NULL);
    ok(DuplicateHandle(GetCurrentProcess(), (HANDLE)owner, peer.process, &theirs, 0, FALSE,
                       DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE),
       "error %lu\n", GetLastError());
    check_free(kind, block.start, 2);

    /* A duplicate of ours keeps it, whoever looks. */
    owner = open_socket(kind);
    check_acquire(owner, block.start, 2, 0, NULL);
    ok(DuplicateHandle(GetCurrentProcess(), (HANDLE)owner, peer.process, &theirs, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "error %lu\n", GetLastError());
    s = duplicate(owner);
    close_handle(owner);
    owner = open_socket(kind);
    check_acquire(owner, block.start, 1, WSAEADDRINUSE, NULL);
    check_reserved(kind, block.start);
    close_handle(s);
    check_acquire(owner, block.start, 2, 0, NULL);
    check_close(owner);
    peer_end(&peer, PEER_EXIT);
}

/* Of many handles of ours the last counts, whichever that is and however it is closed. */
static void test_many(const struct kind *kind, enum way way)
{
    enum
    {
        COPIES = 4
    };
    static const UINT orders[][COPIES] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}};
    SOCKET copies[COPIES];
    struct block block;
    struct peer peer;
    BOOL mixed;
    UINT i, j;

    for (i = 0; i < 2 * ARRAYSIZE(orders); i++)
    {
        const UINT *order = orders[i / 2];

        mixed = i % 2;
        winetest_push_context("order %u, %s", i / 2, mixed ? "mixed" : "closesocket");
        copies[0] = own_acquirer(kind, 2, &block);
        give(copies[0], way, &peer);
        for (j = 1; j < COPIES; j++)
            copies[j] = mixed && j % 2 ? duplicate(copies[0]) : duplicate_by_info(copies[0]);
        for (j = 0; j < COPIES - 1; j++)
        {
            if (mixed && j % 2)
                close_handle(copies[order[j]]);
            else
                close_any(copies[order[j]]);
            check_reserved(kind, block.start);
        }
        check_close(draw(kind, &block, NULL));
        close_any(copies[order[COPIES - 1]]);
        if (!mixed) check_unreserved(kind, block.start);
        check_free(kind, block.start, 2);
        peer_end(&peer, PEER_EXIT);
        winetest_pop_context();
    }
}

static DWORD CALLBACK close_thread(void *argument)
{
    return close_any((SOCKET)argument);
}

/* Makes reservation calls, which look at what has handles, until the event is set. */
static DWORD CALLBACK sweep_thread(void *argument)
{
    SOCKET s = own_socket(&kinds[UDP4]);

    while (WaitForSingleObject(argument, 0)) check_release(s, 1, WSAEINVAL);
    check_close(s);
    return 0;
}

/* All handles but one are closed at once, then with that one. */
static void test_close_race(const struct kind *kind)
{
    enum
    {
        COPIES = 4,
        ROUNDS = 60
    };
    HANDLE stop = CreateEventW(NULL, TRUE, FALSE, NULL), threads[COPIES];
    HANDLE sweeper = CreateThread(NULL, 0, sweep_thread, stop, 0, NULL);
    struct block block;
    SOCKET owner, copy;
    int i, j;

    for (i = 0; i < ROUNDS; i++)
    {
        owner = acquire_any(kind, 2, &block);
        copy = duplicate_by_info(owner);
        threads[0] = CreateThread(NULL, 0, close_thread, (void *)owner, 0, NULL);
        for (j = 1; j < COPIES; j++)
            threads[j] =
                CreateThread(NULL, 0, close_thread,
                             (void *)(j % 2 ? duplicate_by_info(copy) : duplicate(copy)), 0, NULL);
        if (i % 2)
        {
            ok(!WaitForMultipleObjects(COPIES, threads, TRUE, 10000), "a thread does not end\n");
            check_reserved(kind, block.start);
            check_close(draw(kind, &block, NULL));
        }
        check_close(copy);
        ok(!WaitForMultipleObjects(COPIES, threads, TRUE, 10000), "a thread does not end\n");
        check_free(kind, block.start, 2);
        for (j = 0; j < COPIES; j++) CloseHandle(threads[j]);
    }
    SetEvent(stop);
    ok(!WaitForSingleObject(sweeper, 10000), "a thread does not end\n");
    CloseHandle(sweeper);
    CloseHandle(stop);
}

/* A socket may acquire by each of its handles, and in each process for that alone. */
static void test_two_acquirers(const struct kind *kind, enum way way)
{
    USHORT start = find_ports(4);
    struct block block, later;
    SOCKET owner = own_socket(kind), copy, theirs;
    struct peer peer;

    check_acquire(owner, start, 2, 0, &block);
    theirs = give(owner, way, &peer);
    peer_ask(&peer, 0, "acquire %u %u %u", number_of(kind), (UINT)theirs, start + 2);
    check_close(owner);
    check_unreserved(kind, start);
    check_free(kind, start, 2);
    check_reserved(kind, start + 2);
    peer_ask(&peer, 0, "close %u %u %u", number_of(kind), (UINT)theirs, start + 2);
    check_unreserved(kind, start + 2);
    peer_end(&peer, PEER_EXIT);

    owner = own_socket(kind);
    check_acquire(owner, start, 2, 0, &block);
    theirs = give(owner, way, &peer);
    peer_ask(&peer, 0, "acquire %u %u %u", number_of(kind), (UINT)theirs, start + 2);
    peer_ask(&peer, 0, "close %u %u %u", number_of(kind), (UINT)theirs, start + 2);
    check_unreserved(kind, start + 2);
    check_reserved(kind, start);
    peer_end(&peer, PEER_EXIT);
    check_close(draw(kind, &block, NULL));
    check_close(owner);

    owner = own_socket(kind);
    check_acquire(owner, start, 2, 0, &block);
    copy = duplicate_by_info(owner);
    check_acquire(copy, start + 2, 2, 0, &later);
    check_close(owner);
    check_reserved(kind, start);
    check_close(draw(kind, &later, NULL));
    check_close(copy);
    check_unreserved(kind, start);
    check_unreserved(kind, start + 2);
    check_free(kind, start, 4);
}

/* The process that acquired ends, or closes; we have a handle. */
static void test_acquirer_ends(const struct kind *kind, enum peer_end end)
{
    USHORT start = find_ports(2);
    HANDLE copy = NULL;
    struct peer peer;
    SOCKET theirs;
    ULONG64 token;

    if (!peer_start(&peer)) return;
    theirs = peer_ask(&peer, 0, "socket %u", number_of(kind));
    token = peer_ask(&peer, 0, "acquire %u %u %u", number_of(kind), (UINT)theirs, start);
    ok(DuplicateHandle(peer.process, (HANDLE)theirs, GetCurrentProcess(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "error %lu\n", GetLastError());
    check_reserved(kind, start);
    check_associate((SOCKET)copy, token, WSAEINVAL);
    peer_end(&peer, end);
    check_unreserved(kind, start);
    check_free(kind, start, 2);
    check_bind_to((SOCKET)copy, kind->wildcard, start, 0);
    close_handle((SOCKET)copy);
}

/* An association is not known to a peer: to it the socket is one like any other. */
static void test_associated(const struct kind *kind, enum way way)
{
    struct block block;
    SOCKET owner = own_acquirer(kind, 1, &block), s = own_associated(kind, &block), theirs;
    struct peer peer;
    USHORT port;

    theirs = give(s, way, &peer);
    peer_ask(&peer, WSAEACCES, "bind %u %u %u", number_of(kind), (UINT)theirs, block.start);
    port = peer_ask(&peer, 0, "bind %u %u 0", number_of(kind), (UINT)theirs);
    ok(port && !block_contains(&block, port), "bound to port %u\n", port);
    ok(port_of(s) == port, "bound to port %u, the peer says %u\n", port_of(s), port);
    /* Bound is bound. */
    check_bind(s, 0, WSAEINVAL);
    check_bind(s, block.start, WSAEINVAL);
    check_close(draw(kind, &block, NULL));
    check_close(s);
    peer_end(&peer, PEER_EXIT);

    if (kind->type == SOCK_DGRAM && way == BY_INFO)
    {
        s = own_associated(kind, &block);
        theirs = give(s, way, &peer);
        port = peer_ask(&peer, 0, "send %u %u", number_of(kind), (UINT)theirs);
        ok(port && !block_contains(&block, port), "bound to port %u\n", port);
        check_close(s);
        peer_end(&peer, PEER_EXIT);
    }

    /* It is known here all the same, though not to the peer. */
    s = own_associated(kind, &block);
    theirs = give(s, way, &peer);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    peer_ask(&peer, WSAEINVAL, "bind %u %u 0", number_of(kind), (UINT)theirs);
    check_close(s);
    peer_end(&peer, PEER_EXIT);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
}

/* A peer's handle of a bound socket keeps the port in use, also when the block has ended. */
static void test_bound(const struct kind *kind, enum way way)
{
    SOCKET owner, s, theirs, other;
    struct block block;
    struct peer peer;
    USHORT port;

    owner = own_acquirer(kind, 2, &block);
    s = own_associated(kind, &block);
    check_bind(s, 0, 0);
    port = port_of(s);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    theirs = give(s, way, &peer);
    check_close(s);
    other = associated(kind, &block);
    check_bind(other, port, WSAEADDRINUSE);
    check_bind(other, 0, 0);
    ok(port_of(other) != port, "port %u was given twice\n", port);
    check_close(other);
    if (kind->type == SOCK_STREAM || way == BY_INFO)
        peer_ask(&peer, 0, "converse %u %u", number_of(kind), (UINT)theirs);

    check_close(owner);
    other = open_socket(kind);
    check_acquire(other, block.start, 2, WSAEADDRINUSE, NULL);
    check_bind(other, port, WSAEADDRINUSE);
    if (kind->type == SOCK_STREAM || way == BY_INFO)
        peer_ask(&peer, 0, "converse %u %u", number_of(kind), (UINT)theirs);
    peer_ask(&peer, 0, "close %u %u", number_of(kind), (UINT)theirs);
    check_acquire(other, block.start, 2, 0, NULL);
    check_close(other);
    peer_end(&peer, PEER_EXIT);

    /* While the block lives, the peer's closing gives the port back to it. */
    owner = own_acquirer(kind, 1, &block);
    s = own_associated(kind, &block);
    check_bind(s, 0, 0);
    give(s, way, &peer);
    check_close(s);
    s = associated(kind, &block);
    check_bind(s, 0, WSAENOBUFS);
    peer_end(&peer, PEER_EXIT);
    check_bind(s, 0, 0);
    check_close(s);
    check_close(owner);
}

/* A peer's socket that we bound is to listen. */
static void test_peer_listens(const struct kind *kind, enum way way)
{
    struct block block;
    SOCKET owner = own_acquirer(kind, 1, &block), s = own_associated(kind, &block), theirs;
    struct peer peer;

    check_bind(s, 0, 0);
    theirs = give(s, way, &peer);
    peer_ask(&peer, 0, "listen %u %u", number_of(kind), (UINT)theirs);
    peer_ask(&peer, 0, "converse %u %u", number_of(kind), (UINT)theirs);
    check_close(owner);
    peer_ask(&peer, 0, "converse %u %u", number_of(kind), (UINT)theirs);
    check_close(s);
    peer_end(&peer, PEER_EXIT);
}

/* A call by one of its handles binds the socket in passing. One that has nothing to do with it has
 * been looked at before. */
static void test_own_duplicate_in_passing(const struct kind *kind, const struct block *block,
                                          SOCKET (*copy_of)(SOCKET))
{
    SOCKET s = associated(kind, block), copy = copy_of(s), bystander = open_socket(kind);
    struct linger hard = {1, 0};
    SOCKADDR_STORAGE to;
    int length;

    if (kind->type == SOCK_DGRAM)
    {
        length = make_address(kind->dual ? "::1" : kind->loopback, 9, &to);
        sendto(bystander, "tawny", 5, 0, (struct sockaddr *)&to, length);
        ok(!block_contains(block, port_of(bystander)), "drew a port without association\n");
        sendto(copy, "tawny", 5, 0, (struct sockaddr *)&to, length);
    }
    else
    {
        check_bind(bystander, 0, 0);
        ok(!listen(bystander, 1), "error %d\n", WSAGetLastError());
        length = make_address(kind->dual ? "::1" : kind->loopback, port_of(bystander), &to);
        ok(!connect(copy, (struct sockaddr *)&to, length), "error %d\n", WSAGetLastError());
        setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof(hard));
    }
    check_port_in(copy, block);
    ok(port_of(s) == port_of(copy), "two sockets\n");
    close_any(copy);
    check_close(s);
    check_close(bystander);
}

/* In one process, what is done to a socket is done by all of its handles. */
static void test_own_duplicate(const struct kind *kind, SOCKET (*copy_of)(SOCKET))
{
    struct block block, other;
    SOCKET owner = acquire_any(kind, 2, &block), second = acquire_any(kind, 2, &other), s, copy;
    BOOL whole = kind->type == SOCK_STREAM || copy_of == duplicate_by_info;

    s = associated(kind, &block);
    copy = copy_of(s);
    check_bind_to(copy, kind->wildcard, find_ports(1), WSAEINVAL);
    check_bind_to(copy, kind->wildcard, 0, 0);
    check_port_in(copy, &block);
    check_bind(s, 0, WSAEINVAL);
    if (kind->type == SOCK_STREAM) ok(!listen(copy, 1), "error %d\n", WSAGetLastError());
    check_conversation(kind, s);
    check_close(s);
    if (whole) check_conversation(kind, copy);
    close_any(copy);

    s = associated(kind, &block);
    copy = copy_of(s);
    check_bind_to(copy, kind->wildcard, block.start + 1, 0);
    close_any(copy);
    check_close(s);

    /* Whichever way it was bound, the copy can listen, also when it is alone. */
    s = draw(kind, &block, NULL);
    copy = copy_of(s);
    check_close(s);
    if (kind->type == SOCK_STREAM) ok(!listen(copy, 1), "error %d\n", WSAGetLastError());
    if (whole) check_conversation(kind, copy);
    close_any(copy);

    /* By the copy, and later again. */
    s = open_socket(kind);
    copy = copy_of(s);
    check_associate(copy, other.token, 0);
    check_bind(s, block.start, WSAEINVAL);
    check_associate(s, block.token, 0);
    check_associate(copy, other.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &other);
    check_close(s);
    close_any(copy);

    if (whole) test_own_duplicate_in_passing(kind, &block, copy_of);

    /* The association should stay with the copy: to know of that, each closing would have to ask
     * the wineserver. */
    s = associated(kind, &block);
    copy = copy_of(s);
    check_close(s);
    check_bind_to(copy, kind->wildcard, 0, 0);
    todo_wine ok(block_contains(&block, port_of(copy)), "bound to port %u\n", port_of(copy));
    close_any(copy);

    check_close(second);
    check_close(owner);
}

/* What Windows does with handles of whichever kind. */
static void test_other_functions(const struct kind *kind)
{
    SOCKET s = open_socket(kind), copy = duplicate(s);
    SOCKADDR_STORAGE to;
    int length = make_address(kind->loopback, 9, &to), ret;

    if (kind->type == SOCK_DGRAM)
    {
        ret = sendto(copy, "tawny", 5, 0, (struct sockaddr *)&to, length);
        todo_wine ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    }
    ret = closesocket(copy);
    todo_wine ok(!ret, "closesocket failed, error %d\n", WSAGetLastError());
    if (ret) close_handle(copy);
    check_close(s);
}

/* The last WSACleanup ends all that the process has, whoever else has a handle. */
static void test_cleanup(const struct kind *kind, enum way way)
{
    struct block block, other;
    SOCKET owner = own_acquirer(kind, 2, &block), second = own_acquirer(kind, 2, &other);
    SOCKET copy = duplicate(owner), drawn = own_associated(kind, &other), theirs, s;
    USHORT port, idle;
    struct peer peer;
    WSADATA data;

    set_inherited(copy, FALSE);
    check_bind(drawn, 0, 0);
    port = port_of(drawn);
    idle = port == other.start ? port + 1 : other.start;
    theirs = give(drawn, way, &peer);
    set_inherited(second, FALSE);

    ok(!WSACleanup(), "error %d\n", WSAGetLastError());
    WSAStartup(MAKEWORD(2, 2), &data);
    check_unreserved(kind, block.start);
    check_unreserved(kind, idle);
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_associate(s, other.token, WSAEINVAL);
    check_acquire(s, block.start, 2, 0, NULL);
    /* What the peer has of a bound socket keeps it bound. */
    check_acquire(s, other.start, 2, WSAEADDRINUSE, NULL);
    peer_ask(&peer, 0, "close %u %u", number_of(kind), (UINT)theirs);
    check_acquire(s, other.start, 2, 0, NULL);
    CloseHandle((HANDLE)copy);
    check_reserved(kind, block.start);
    check_close(s);
    peer_end(&peer, PEER_EXIT);
}

/* However many handles the process has had, and wherever among them the socket's other one is. */
static void test_far_duplicate(const struct kind *kind)
{
    HANDLE events[1000];
    struct block block;
    SOCKET owner = own_acquirer(kind, 2, &block), copy;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(events); i++) events[i] = CreateEventA(NULL, FALSE, FALSE, NULL);
    ok(events[ARRAYSIZE(events) - 1] != NULL, "error %lu\n", GetLastError());
    copy = duplicate(owner);
    for (i = 0; i < ARRAYSIZE(events); i++) CloseHandle(events[i]);
    check_close(owner);
    check_reserved(kind, block.start);
    close_any(copy);
    check_free(kind, block.start, 2);
}

static DWORD WINAPI search_thread(void *stop)
{
    const struct kind *kind = &kinds[TCP4];
    struct block block;
    SOCKET owner, copy;

    while (WaitForSingleObject(stop, 0) == WAIT_TIMEOUT)
    {
        owner = own_acquirer(kind, 1, &block);
        copy = duplicate(owner);
        check_close(owner);
        close_any(copy);
    }
    return 0;
}

/* A process that is being started has no handles yet. Asked for the handles of all, Wine 8's server
 * would not survive it. */
static void test_starting_processes(void)
{
    STARTUPINFOA startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    HANDLE stop = CreateEventA(NULL, TRUE, FALSE, NULL), thread;
    PROCESS_INFORMATION info;
    char command[] = "cmd.exe /c exit";
    int i;

    thread = CreateThread(NULL, 0, search_thread, stop, 0, NULL);
    ok(thread != NULL, "error %lu\n", GetLastError());
    for (i = 0; i < 20; i++)
    {
        BOOL started =
            CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info);

        ok(started, "start %d: error %lu\n", i, GetLastError());
        if (!started) break;
        ok(!WaitForSingleObject(info.hProcess, PATIENCE), "start %d: it does not end\n", i);
        CloseHandle(info.hThread);
        CloseHandle(info.hProcess);
    }
    SetEvent(stop);
    ok(!WaitForSingleObject(thread, PATIENCE), "the thread does not end\n");
    CloseHandle(thread);
    CloseHandle(stop);
}

static void test_kind(const struct kind *kind)
{
    enum way way;

    for (way = 0; way < WAY_COUNT; way++)
    {
        winetest_push_context("%s", way_names[way]);
        test_acquirer(kind, way);
        test_peer_closes(kind, way);
        test_acquirer_CloseHandle(kind, way);
        test_many(kind, way);
        test_two_acquirers(kind, way);
        test_associated(kind, way);
        test_bound(kind, way);
        if (kind->type == SOCK_STREAM) test_peer_listens(kind, way);
        test_cleanup(kind, way);
        winetest_pop_context();
    }
    test_other_functions(kind);
    test_close_race(kind);
    test_far_duplicate(kind);
    test_acquirer_ends(kind, PEER_EXIT);
    test_acquirer_ends(kind, PEER_TERMINATE);
    winetest_push_context("DuplicateHandle");
    test_own_duplicate(kind, duplicate);
    winetest_pop_context();
    winetest_push_context("WSADuplicateSocket");
    test_own_duplicate(kind, duplicate_by_info);
    winetest_pop_context();
}

START_TEST(handles)
{
    static const struct peer_command commands[] = {
        {"acquire", command_acquire},
        {"bind", command_bind},
        {"close", command_close},
        {"converse", command_converse},
        {"foreign_token", command_foreign_token},
        {"listen", command_listen},
        {"send", command_send},
        {"socket", command_socket_new},
        {"take", command_take},
        {NULL},
    };
    static const unsigned int some[] = {TCP4, TCP_DUAL, UDP4, UDP6};
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!peer_serve(commands))
    {
        if (target_reserves(&kinds[TCP4])) test_starting_processes();
        for (i = 0; i < ARRAYSIZE(some); i++)
        {
            if (!target_reserves(&kinds[some[i]])) continue;
            winetest_push_context("%s", kinds[some[i]].name);
            test_kind(&kinds[some[i]]);
            winetest_pop_context();
        }
    }
    WSACleanup();
}
