/*
 * Tests of sockets of every kind and in every state: what the three codes make of them, and they of
 * it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

#define TIMEOUT 10000

/* A call with an OVERLAPPED, or without one: 0, or the error. */
static int make_call(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out, DWORD out_size,
                     BOOL overlapping)
{
    static OVERLAPPED overlapped; /* outlives a call that does not complete */
    DWORD returned, begin = GetTickCount();
    int error;

    memset(&overlapped, 0, sizeof(overlapped));
    WSASetLastError(0xdeadbeef);
    error = WSAIoctl(s, code, (void *)in, in_size, out, out_size, &returned,
                     overlapping ? &overlapped : NULL, NULL)
                ? WSAGetLastError()
                : 0;
    if (!overlapping || error != WSA_IO_PENDING) return error;
    while (!HasOverlappedIoCompleted(&overlapped) && GetTickCount() - begin < TIMEOUT) Sleep(1);
    if (!HasOverlappedIoCompleted(&overlapped)) return WSA_IO_PENDING;
    return overlapped.Internal ? (int)overlapped.Internal : 0;
}

static int call_acquire(SOCKET s, USHORT start, USHORT count, struct block *block, BOOL overlapping)
{
    INET_PORT_RESERVATION_INSTANCE instance = {0};
    INET_PORT_RANGE range = {htons(start), count};
    int error = make_call(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                          sizeof(instance), overlapping);

    *block = (struct block){ntohs(instance.StartPort), instance.NumberOfPorts, instance.Token};
    return error;
}

static int call_token(SOCKET s, DWORD code, ULONG64 token, BOOL overlapping)
{
    return make_call(s, code, &token, sizeof(token), NULL, 0, overlapping);
}

static const char *loopback(const struct kind *kind)
{
    return kind->family == AF_INET6 ? "::1" : "127.0.0.1";
}

/* By a reset, so that nothing remains in TIME_WAIT. */
static void close_hard(SOCKET s)
{
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&(struct linger){1, 0},
               sizeof(struct linger));
    closesocket(s);
}

/* The socket that the codes are tried with, and what has made it what it is. */
struct subject
{
    const struct kind *kind;
    SOCKET s;
    SOCKET peer;     /* the other end */
    SOCKET listener; /* that has made one of the two */
    HANDLE event;
    OVERLAPPED overlapped;
    BOOL pending; /* the connection is on its way */
    char buffer[256];
};

static void connect_to(SOCKET s, const struct kind *kind, SOCKET to)
{
    SOCKADDR_STORAGE address;
    int length = make_address(loopback(kind), port_of(to), &address);

    ok(!connect(s, (struct sockaddr *)&address, length), "connect: error %d\n", WSAGetLastError());
}

static SOCKET open_listener(const struct kind *kind)
{
    SOCKET s = open_socket(kind);

    check_bind_to(s, loopback(kind), 0, 0);
    ok(!listen(s, 5), "listen: error %d\n", WSAGetLastError());
    return s;
}

static void prepare_plain(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
}

static void prepare_not_overlapped(struct subject *subject)
{
    const struct kind *kind = subject->kind;
    int off = 0;

    subject->s = WSASocketW(kind->family, kind->type, kind->protocol, NULL, 0, 0);
    ok(subject->s != INVALID_SOCKET, "error %d\n", WSAGetLastError());
    if (kind->dual)
        setsockopt(subject->s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off));
}

static void set_nonblocking(SOCKET s)
{
    u_long on = 1;

    ok(!ioctlsocket(s, FIONBIO, &on), "error %d\n", WSAGetLastError());
}

static void prepare_nonblocking(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    set_nonblocking(subject->s);
}

static void set_option(SOCKET s, int option)
{
    BOOL on = TRUE;

    ok(!setsockopt(s, SOL_SOCKET, option, (const char *)&on, sizeof(on)), "error %d\n",
       WSAGetLastError());
}

static void prepare_exclusive(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    set_option(subject->s, SO_EXCLUSIVEADDRUSE);
}

static void prepare_reuse(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    set_option(subject->s, SO_REUSEADDR);
}

static void select_events(struct subject *subject, long events)
{
    subject->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    ok(!WSAEventSelect(subject->s, subject->event, events), "error %d\n", WSAGetLastError());
}

static void prepare_event_select(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    select_events(subject, FD_READ | FD_ACCEPT);
}

static void prepare_bound(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    check_bind(subject->s, 0, 0);
}

static void prepare_listening(struct subject *subject)
{
    prepare_bound(subject);
    ok(!listen(subject->s, 5), "listen: error %d\n", WSAGetLastError());
}

static void prepare_listening_nonblocking(struct subject *subject)
{
    prepare_listening(subject);
    set_nonblocking(subject->s);
}

static void prepare_connected(struct subject *subject)
{
    subject->s = open_socket(subject->kind);
    if (subject->kind->type == SOCK_DGRAM)
    {
        check_bind_to(subject->s, loopback(subject->kind), 0, 0);
        subject->peer = open_socket(subject->kind);
        check_bind_to(subject->peer, loopback(subject->kind), 0, 0);
        connect_to(subject->peer, subject->kind, subject->s);
        connect_to(subject->s, subject->kind, subject->peer);
        return;
    }
    subject->listener = open_listener(subject->kind);
    connect_to(subject->s, subject->kind, subject->listener);
    subject->peer = accept_soon(subject->listener);
}

static void prepare_connected_nonblocking(struct subject *subject)
{
    prepare_connected(subject);
    set_nonblocking(subject->s);
}

static void prepare_connected_event_select(struct subject *subject)
{
    prepare_connected(subject);
    select_events(subject, FD_READ | FD_CLOSE);
}

static void prepare_accepted(struct subject *subject)
{
    subject->listener = open_listener(subject->kind);
    subject->peer = open_socket(subject->kind);
    connect_to(subject->peer, subject->kind, subject->listener);
    subject->s = accept_soon(subject->listener);
    ok(subject->s != INVALID_SOCKET, "error %d\n", WSAGetLastError());
}

static void prepare_receiving(struct subject *subject)
{
    WSABUF buffer = {sizeof(subject->buffer), subject->buffer};
    DWORD flags = 0, received;
    int ret;

    prepare_connected(subject);
    subject->overlapped.hEvent = subject->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    ret = WSARecv(subject->s, &buffer, 1, &received, &flags, &subject->overlapped, NULL);
    ok(ret && WSAGetLastError() == WSA_IO_PENDING, "returned %d, error %d\n", ret,
       WSAGetLastError());
}

static void *find_extension(SOCKET s, GUID guid)
{
    void *function = NULL;
    DWORD returned;

    WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &function,
             sizeof(function), &returned, NULL, NULL);
    ok(function != NULL, "error %d\n", WSAGetLastError());
    return function;
}

static void prepare_accepting(struct subject *subject)
{
    LPFN_ACCEPTEX accept_ex;
    DWORD received;
    BOOL ret;

    prepare_listening(subject);
    subject->peer = open_socket(subject->kind);
    subject->overlapped.hEvent = subject->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!(accept_ex = find_extension(subject->s, (GUID)WSAID_ACCEPTEX))) return;
    ret =
        accept_ex(subject->s, subject->peer, subject->buffer, 0, sizeof(SOCKADDR_STORAGE) / 2 + 16,
                  sizeof(SOCKADDR_STORAGE) / 2 + 16, &received, &subject->overlapped);
    ok(!ret && WSAGetLastError() == WSA_IO_PENDING, "returned %d, error %d\n", ret,
       WSAGetLastError());
}

/* To where nobody answers: 192.0.2.0/24 is for documentation. */
static void prepare_connecting(struct subject *subject)
{
    LPFN_CONNECTEX connect_ex;
    SOCKADDR_STORAGE address;
    int length;
    BOOL ret;

    subject->s = open_socket(subject->kind);
    check_bind_to(subject->s, subject->kind->wildcard, 0, 0);
    length = make_address(subject->kind->dual ? "::ffff:192.0.2.77" : "192.0.2.77", 9, &address);
    subject->overlapped.hEvent = subject->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!(connect_ex = find_extension(subject->s, (GUID)WSAID_CONNECTEX))) return;
    ret = connect_ex(subject->s, (struct sockaddr *)&address, length, NULL, 0, NULL,
                     &subject->overlapped);
    subject->pending = !ret && WSAGetLastError() == WSA_IO_PENDING;
    /* Where there is no way at all, this is known at once. */
    if (!subject->pending) skip("no connection can be on its way, error %d\n", WSAGetLastError());
}

/* The ways to see that a socket is what it was. */

static void check_events(struct subject *subject, long expected)
{
    WSANETWORKEVENTS events = {0};

    ok(!WaitForSingleObject(subject->event, TIMEOUT), "the event is not set\n");
    ok(!WSAEnumNetworkEvents(subject->s, subject->event, &events), "error %d\n", WSAGetLastError());
    ok(events.lNetworkEvents & expected, "events %#lx, expected %#lx\n", events.lNetworkEvents,
       expected);
}

/* One that had no port, and has one since. */
static void verify_unbound(struct subject *subject)
{
    if (subject->kind->type == SOCK_STREAM)
        ok(!listen(subject->s, 5), "listen: error %d\n", WSAGetLastError());
    check_conversation(subject->kind, subject->s);
}

static void verify_nonblocking(struct subject *subject)
{
    int ret;

    verify_unbound(subject);
    if (subject->kind->type == SOCK_STREAM)
        ret = accept(subject->s, NULL, NULL) == INVALID_SOCKET ? SOCKET_ERROR : 0;
    else
        ret = recv(subject->s, subject->buffer, sizeof(subject->buffer), 0);
    ok(ret == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK, "returned %d, error %d\n", ret,
       WSAGetLastError());
}

static void verify_event_select(struct subject *subject)
{
    SOCKET client = open_socket(subject->kind);
    SOCKADDR_STORAGE address;
    int length;

    if (subject->kind->type == SOCK_STREAM)
        ok(!listen(subject->s, 5), "listen: error %d\n", WSAGetLastError());
    ok(WaitForSingleObject(subject->event, 0) == WAIT_TIMEOUT, "the event is set\n");
    connect_to(client, subject->kind, subject->s);
    if (subject->kind->type == SOCK_DGRAM)
    {
        length = make_address(loopback(subject->kind), port_of(subject->s), &address);
        sendto(client, "tawny", 5, 0, (struct sockaddr *)&address, length);
        check_events(subject, FD_READ);
    }
    else
        check_events(subject, FD_ACCEPT);
    close_hard(client);
}

static void verify_bound(struct subject *subject)
{
    verify_unbound(subject);
}

static void verify_listening(struct subject *subject)
{
    check_conversation(subject->kind, subject->s);
}

static void check_talk(SOCKET from, SOCKET to)
{
    char text[8] = "";
    fd_set set;
    int ret;

    ok(send(from, "tawny", 5, 0) == 5, "error %d\n", WSAGetLastError());
    FD_ZERO(&set);
    FD_SET(to, &set);
    ret = select(0, &set, NULL, NULL, &(struct timeval){TIMEOUT / 1000, 0});
    if (ret == 1) ret = recv(to, text, sizeof(text), 0);
    ok(ret == 5 && !strcmp(text, "tawny"), "received %d bytes, error %d\n", ret, WSAGetLastError());
}

static void verify_connected(struct subject *subject)
{
    check_talk(subject->s, subject->peer);
    check_talk(subject->peer, subject->s);
}

static void verify_connected_nonblocking(struct subject *subject)
{
    int ret;

    verify_connected(subject);
    ret = recv(subject->s, subject->buffer, sizeof(subject->buffer), 0);
    ok(ret == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK, "returned %d, error %d\n", ret,
       WSAGetLastError());
}

static void verify_connected_event_select(struct subject *subject)
{
    ok(WaitForSingleObject(subject->event, 0) == WAIT_TIMEOUT, "the event is set\n");
    ok(send(subject->peer, "tawny", 5, 0) == 5, "error %d\n", WSAGetLastError());
    check_events(subject, FD_READ);
}

static void check_pending(struct subject *subject, DWORD bytes)
{
    DWORD transferred = 0xdeadbeef, flags;
    BOOL ret;

    ok(!WaitForSingleObject(subject->event, TIMEOUT), "the call does not complete\n");
    ret = WSAGetOverlappedResult(subject->s, &subject->overlapped, &transferred, FALSE, &flags);
    ok(ret && transferred == bytes, "returned %d, error %d, %lu bytes\n", ret, WSAGetLastError(),
       transferred);
}

static void verify_receiving(struct subject *subject)
{
    ok(!HasOverlappedIoCompleted(&subject->overlapped), "it is no longer pending\n");
    ok(send(subject->peer, "tawny", 5, 0) == 5, "error %d\n", WSAGetLastError());
    check_pending(subject, 5);
    ok(!memcmp(subject->buffer, "tawny", 5), "received something else\n");
}

static void verify_accepting(struct subject *subject)
{
    SOCKET client = open_socket(subject->kind);

    ok(!HasOverlappedIoCompleted(&subject->overlapped), "it is no longer pending\n");
    connect_to(client, subject->kind, subject->s);
    check_pending(subject, 0);
    close_hard(client);
}

static void verify_connecting(struct subject *subject)
{
    DWORD transferred, flags;

    if (!subject->pending) return;
    /* It may have ended by itself. */
    CancelIoEx((HANDLE)subject->s, &subject->overlapped);
    ok(!WaitForSingleObject(subject->event, TIMEOUT), "the call does not complete\n");
    ok(!WSAGetOverlappedResult(subject->s, &subject->overlapped, &transferred, FALSE, &flags),
       "a connection to nowhere\n");
}

enum
{
    ANY,
    STREAM,
    STREAM_OVER_IPV4
};

static const struct state
{
    const char *name;
    int applies;
    BOOL bound;
    void (*prepare)(struct subject *);
    void (*verify)(struct subject *);
} states[] = {
    {"plain", ANY, FALSE, prepare_plain, verify_unbound},
    {"not overlapped", ANY, FALSE, prepare_not_overlapped, verify_unbound},
    {"non-blocking", ANY, FALSE, prepare_nonblocking, verify_nonblocking},
    {"exclusive", ANY, FALSE, prepare_exclusive, verify_unbound},
    {"reusing", ANY, FALSE, prepare_reuse, verify_unbound},
    {"with events", ANY, FALSE, prepare_event_select, verify_event_select},
    {"bound", ANY, TRUE, prepare_bound, verify_bound},
    {"listening", STREAM, TRUE, prepare_listening, verify_listening},
    {"listening, non-blocking", STREAM, TRUE, prepare_listening_nonblocking, verify_listening},
    {"connected", ANY, TRUE, prepare_connected, verify_connected},
    {"connected, non-blocking", ANY, TRUE, prepare_connected_nonblocking,
     verify_connected_nonblocking},
    {"connected, with events", ANY, TRUE, prepare_connected_event_select,
     verify_connected_event_select},
    {"accepted", STREAM, TRUE, prepare_accepted, verify_connected},
    {"receiving", ANY, TRUE, prepare_receiving, verify_receiving},
    {"accepting", STREAM, TRUE, prepare_accepting, verify_accepting},
    {"connecting", STREAM_OVER_IPV4, TRUE, prepare_connecting, verify_connecting},
};

static void subject_end(struct subject *subject)
{
    /* Of two ends the client's goes first. */
    if (subject->peer != INVALID_SOCKET) close_hard(subject->peer);
    if (subject->s != INVALID_SOCKET) check_close(subject->s);
    if (subject->listener != INVALID_SOCKET) check_close(subject->listener);
    if (subject->event) CloseHandle(subject->event);
}

/* The codes on one socket, one after the other. */
static void test_state(const struct kind *kind, const struct state *state, BOOL overlapping)
{
    struct subject subject = {
        .kind = kind, .s = INVALID_SOCKET, .peer = INVALID_SOCKET, .listener = INVALID_SOCKET};
    struct block block, own_block;
    USHORT port;
    SOCKET owner, s;
    int error;

    owner = acquire_any(kind, 1, &block);
    state->prepare(&subject);
    port = port_of(subject.s);

    error = call_acquire(subject.s, 0, 2, &own_block, overlapping);
    ok(!error, "acquire: error %d\n", error);
    error = call_token(subject.s, SIO_ASSOCIATE_PORT_RESERVATION, block.token, overlapping);
    ok(error == (state->bound ? WSAEINVAL : 0), "associate: error %d\n", error);
    if (state->bound)
        ok(port_of(subject.s) == port, "port %u was %u\n", port_of(subject.s), port);
    else
    {
        check_bind_to(subject.s, kind->wildcard, 0, 0);
        check_port_in(subject.s, &block);
        error = call_token(subject.s, SIO_ASSOCIATE_PORT_RESERVATION, block.token, overlapping);
        ok(error == WSAEINVAL, "associate, bound: error %d\n", error);
    }
    /* What it has acquired is there for others. */
    s = draw(kind, &own_block, NULL);
    check_close(s);
    check_reserved(kind, own_block.start);
    error = call_token(subject.s, SIO_RELEASE_PORT_RESERVATION, own_block.token, overlapping);
    ok(!error, "release: error %d\n", error);
    check_unreserved(kind, own_block.start);
    state->verify(&subject);

    /* And again, to end with the socket. */
    error = call_acquire(subject.s, 0, 2, &own_block, overlapping);
    ok(!error, "acquire: error %d\n", error);
    subject_end(&subject);
    check_unreserved(kind, own_block.start);
    check_unreserved(kind, own_block.start + 1);
    check_close(owner);
}

static void test_states(const struct kind *kind)
{
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(states); i++)
    {
        if (states[i].applies != ANY && kind->type != SOCK_STREAM) continue;
        if (states[i].applies == STREAM_OVER_IPV4 && kind->family == AF_INET6 && !kind->dual)
            continue;
        winetest_push_context("%s", states[i].name);
        test_state(kind, &states[i], FALSE);
        test_state(kind, &states[i], TRUE);
        winetest_pop_context();
    }
}

/* When an option of the socket that acquires, is associated and binds is set. */
enum
{
    BEFORE_ACQUIRE,
    BEFORE_ASSOCIATE,
    BEFORE_BIND,
    MOMENT_COUNT
};

/* Who shares addresses and who does not, at each moment. Of a block, all is as without. */
static void test_option(const struct kind *kind, int option, int moment)
{
    USHORT port = find_ports(2);
    SOCKET s = open_socket(kind), other;
    struct block block;
    int i;

    if (moment == BEFORE_ACQUIRE) set_option(s, option);
    check_acquire(s, port, 2, 0, &block);
    if (moment == BEFORE_ASSOCIATE) set_option(s, option);
    check_associate(s, block.token, 0);
    if (moment == BEFORE_BIND) set_option(s, option);
    check_bind(s, port, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 5), "listen: error %d\n", WSAGetLastError());

    for (i = 0; i < 3; i++)
    {
        /* Not associated: neither the port that is drawn nor the one that is not. */
        other = open_socket(kind);
        if (i) set_option(other, i == 1 ? SO_REUSEADDR : SO_EXCLUSIVEADDRUSE);
        check_bind(other, port, WSAEACCES);
        check_bind(other, port + 1, WSAEACCES);
        check_acquire(other, port, 1, WSAEADDRINUSE, NULL);
        /* Associated: the other port, and no other. The option comes first or second. */
        if (moment != BEFORE_ACQUIRE)
        {
            check_close(other);
            other = associated(kind, &block);
            if (i) set_option(other, i == 1 ? SO_REUSEADDR : SO_EXCLUSIVEADDRUSE);
        }
        else
            check_associate(other, block.token, 0);
        check_bind(other, port, WSAEADDRINUSE);
        check_bind(other, 0, 0);
        ok(port_of(other) == port + 1, "port %u\n", port_of(other));
        check_close(other);
    }
    check_conversation(kind, s);
    check_close(s);
    check_free(kind, port, 2);
}

static void test_options(const struct kind *kind)
{
    int moment;

    for (moment = 0; moment < MOMENT_COUNT; moment++)
    {
        winetest_push_context("moment %d", moment);
        test_option(kind, SO_EXCLUSIVEADDRUSE, moment);
        test_option(kind, SO_REUSEADDR, moment);
        winetest_pop_context();
    }
}

static void set_v6only(SOCKET s, BOOL v6only)
{
    DWORD value = v6only;

    ok(!setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&value, sizeof(value)), "error %d\n",
       WSAGetLastError());
}

/* What comes to the socket's port over IPv4 is not for the socket. */
static void check_not_reached(const struct kind *kind, SOCKET s)
{
    SOCKET client = open_socket(kind);
    SOCKADDR_STORAGE address, from = {0};
    int length = make_address("127.0.0.1", port_of(s), &address), ret;
    char text[8];

    if (kind->type == SOCK_STREAM)
    {
        ret = connect(client, (struct sockaddr *)&address, length);
        ok(ret && WSAGetLastError() == WSAECONNREFUSED, "returned %d, error %d\n", ret,
           WSAGetLastError());
        check_close(client);
        return;
    }
    ret = sendto(client, "wrong", 5, 0, (struct sockaddr *)&address, length);
    ok(ret == 5, "error %d\n", WSAGetLastError());
    check_close(client);
    /* Had that one come, it would be the first. */
    client = open_socket(&kinds[UDP6]);
    length = make_address("::1", port_of(s), &address);
    ret = sendto(client, "right", 5, 0, (struct sockaddr *)&address, length);
    ok(ret == 5, "error %d\n", WSAGetLastError());
    length = sizeof(from);
    ret = recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &length);
    ok(ret == 5 && !memcmp(text, "right", 5), "received %d bytes, error %d\n", ret,
       WSAGetLastError());
    check_close(client);
}

/* One family or both: as it is when the socket binds, whatever it was when it was associated. */
static void test_v6only(int type, BOOL when_associated, BOOL when_bound)
{
    const struct kind *in4 = &kinds[type == SOCK_STREAM ? TCP4 : UDP4], *in6 = in4 + 1;
    const struct kind *dual = in6 + 1;
    SOCKET s = socket(AF_INET6, type, 0), other;
    USHORT port = find_ports(1);
    struct block block;

    set_v6only(s, when_associated);
    check_acquire(s, port, 1, 0, &block);
    /* Both families' port is reserved in any case. */
    check_reserved(in4, port);
    check_reserved(in6, port);
    check_reserved(dual, port);
    check_associate(s, block.token, 0);
    set_v6only(s, when_bound);
    check_bind(s, port, 0);
    if (type == SOCK_STREAM) ok(!listen(s, 5), "listen: error %d\n", WSAGetLastError());
    check_conversation(in6, s);
    if (when_bound)
        check_not_reached(in4, s);
    else
        check_conversation(in4, s);
    /* And is given out once. */
    other = associated(in4, &block);
    check_bind(other, port, WSAEADDRINUSE);
    check_bind(other, 0, WSAENOBUFS);
    check_close(other);
    check_close(s);
    check_free(in4, port, 1);
}

static void test_families(void)
{
    int i;

    for (i = 0; i < 8; i++)
    {
        winetest_push_context("%s, V6ONLY %d when associated, %d when bound", i & 4 ? "UDP" : "TCP",
                              i & 1, i >> 1 & 1);
        test_v6only(i & 4 ? SOCK_DGRAM : SOCK_STREAM, i & 1, i >> 1 & 1);
        winetest_pop_context();
    }
}

/* Sockets that are neither TCP nor UDP, as far as there are any. */
static void test_others(void)
{
    static const struct
    {
        const char *name;
        int family, type, protocol;
    } others[] = {
        {"AF_UNIX", AF_UNIX, SOCK_STREAM, 0},
        {"AF_IRDA", AF_IRDA, SOCK_STREAM, 0},
        {"AF_IPX", AF_IPX, SOCK_DGRAM, 1000 /* NSPROTO_IPX */},
        {"AF_IPX, SPX", AF_IPX, SOCK_SEQPACKET, 1256 /* NSPROTO_SPX */},
        {"AF_BTH", AF_BTH, SOCK_STREAM, 3 /* BTHPROTO_RFCOMM */},
        {"AF_APPLETALK", AF_APPLETALK, SOCK_STREAM, 0},
        {"AF_NETBIOS", AF_NETBIOS, SOCK_DGRAM, 0},
        {"SOCK_RDM", AF_INET, SOCK_RDM, 113 /* IPPROTO_RM */},
        {"SCTP", AF_INET, SOCK_STREAM, 132},
        {"raw ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {"raw TCP", AF_INET, SOCK_RAW, IPPROTO_TCP},
        {"raw UDP", AF_INET, SOCK_RAW, IPPROTO_UDP},
        {"raw IP", AF_INET, SOCK_RAW, IPPROTO_RAW},
        {"raw ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
        {"raw TCP over IPv6", AF_INET6, SOCK_RAW, IPPROTO_TCP},
        {"raw UDP over IPv6", AF_INET6, SOCK_RAW, IPPROTO_UDP},
    };
    struct block block, got;
    USHORT port = find_ports(1);
    SOCKET owner, s;
    unsigned int i;
    int j, error;

    owner = acquire_any(&kinds[TCP4], 1, &block);
    for (i = 0; i < 2 * ARRAYSIZE(others); i++)
    {
        BOOL overlapping = i & 1;

        winetest_push_context("%s%s", others[i / 2].name, overlapping ? ", overlapped" : "");
        s = socket(others[i / 2].family, others[i / 2].type, others[i / 2].protocol);
        error = WSAGetLastError();
        if (s == INVALID_SOCKET)
        {
            /* Not on this system, or not for this user. Either way nothing can be reserved. */
            ok(error == WSAEAFNOSUPPORT || error == WSAEPROTONOSUPPORT ||
                   error == WSAESOCKTNOSUPPORT || error == WSAEPROTOTYPE || error == WSAEACCES,
               "error %d\n", error);
            winetest_pop_context();
            continue;
        }
        for (j = 0; j < 2; j++)
        {
            error = call_acquire(s, j ? port : 0, 1, &got, overlapping);
            ok(error == WSAEOPNOTSUPP, "acquire: error %d\n", error);
            error = call_token(s, SIO_ASSOCIATE_PORT_RESERVATION, j ? block.token : 0, overlapping);
            ok(error == WSAEOPNOTSUPP, "associate: error %d\n", error);
            error = call_token(s, SIO_RELEASE_PORT_RESERVATION, j ? block.token : 0, overlapping);
            ok(error == WSAEOPNOTSUPP, "release: error %d\n", error);
        }
        check_close(s);
        check_reserved(&kinds[TCP4], block.start);
        check_free(&kinds[TCP4], port, 1);
        check_free(&kinds[UDP4], port, 1);
        winetest_pop_context();
    }
    check_close(owner);
}

START_TEST(kinds)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_states(kind);
        test_options(kind);
        winetest_pop_context();
    }
    if (target_reserves_all())
    {
        test_families();
        test_others();
    }
    WSACleanup();
}
