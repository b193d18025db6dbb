/*
 * Tests of ports of persistent reservations in use: drawn, bound by number, and not assigned
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "util.h"

/* Of a network interface, "" if there is none. */
static char interface_address[INET_ADDRSTRLEN];

static void set_option(SOCKET s, int option)
{
    int on = 1;

    setsockopt(s, SOL_SOCKET, option, (const char *)&on, sizeof(on));
}

static void check_listen_(int line, const struct kind *kind, SOCKET s)
{
    if (kind->type != SOCK_STREAM) return;
    ok_(__FILE__, line)(!listen(s, 5), "listen failed, error %d\n", WSAGetLastError());
}
#define check_listen(...) check_listen_(__LINE__, __VA_ARGS__)

/* All ports of a range are drawn, none twice, and no more than there are. */
static void test_draw(const struct kind *kind, const char *address)
{
    enum
    {
        PORTS = 5
    };
    SOCKET sockets[PORTS], s;
    USHORT ports[PORTS];
    struct block block;
    unsigned int i, j;

    make_range(kind, PORTS, &block);
    for (i = 0; i < PORTS; i++)
    {
        sockets[i] = associated(kind, &block);
        check_bind_to(sockets[i], address, 0, 0);
        ports[i] = check_port_in(sockets[i], &block);
        for (j = 0; j < i; j++) ok(ports[i] != ports[j], "port %u was given twice\n", ports[i]);
        check_listen(kind, sockets[i]);
        check_held(kind, ports[i], 1);
    }
    s = associated(kind, &block);
    check_bind_to(s, address, 0, WSAENOBUFS);
    check_bind_to(s, address, ports[2], WSAEADDRINUSE);
    check_bind_to(s, address, block.start - 1, WSAEINVAL);
    check_bind_to(s, address, block.start + PORTS, WSAEINVAL);
    check_close(sockets[2]);
    check_bind_to(s, address, 0, 0);
    ok(port_of(s) == ports[2], "got port %u, expected %u\n", port_of(s), ports[2]);
    check_listen(kind, s);
    check_close(s);

    s = associated(kind, &block);
    check_bind_to(s, address, ports[2], 0);
    check_listen(kind, s);
    if (strcmp(address, interface_address)) check_conversation(kind, s);
    check_close(s);
    for (i = 0; i < PORTS; i++)
        if (i != 2) check_close(sockets[i]);
    check_held(kind, block.start, PORTS);
    end_range(kind, &block);
    check_free(kind, block.start, PORTS);
}

/* A socket of whatever kind that connects or sends first. */
static void test_implicit(const struct kind *kind)
{
    const struct kind *plain = &kinds[kind->type == SOCK_STREAM ? TCP4 : UDP4];
    SOCKET peer, s, other;
    SOCKADDR_STORAGE to;
    struct block block;
    int length, ret;

    if (kind->family == AF_INET6 && !kind->dual) plain = kind;
    peer = open_socket(plain);
    check_bind_to(peer, plain->loopback, 0, 0);
    check_listen(kind, peer);
    length = make_address(kind->dual ? "::ffff:127.0.0.1" : plain->loopback, port_of(peer), &to);

    make_range(kind, 1, &block);
    s = associated(kind, &block);
    ret = connect(s, (struct sockaddr *)&to, length);
    ok(!ret, "error %d\n", WSAGetLastError());
    check_port_in(s, &block);
    other = associated(kind, &block);
    ret = connect(other, (struct sockaddr *)&to, length);
    ok(ret == SOCKET_ERROR && WSAGetLastError() == WSAENOBUFS, "returned %d, error %d\n", ret,
       WSAGetLastError());
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&(struct linger){1, 0},
               sizeof(struct linger));
    check_close(s);

    if (kind->type == SOCK_DGRAM)
    {
        ret = sendto(other, "tawny", 5, 0, (struct sockaddr *)&to, length);
        ok(ret == 5, "returned %d, error %d\n", ret, WSAGetLastError());
        check_port_in(other, &block);
    }
    check_close(other);
    check_close(peer);
    end_range(kind, &block);
}

/* Anybody may bind to a port of a range by number. */
static void test_by_number(struct peer *peer, const struct kind *kind, const char *address)
{
    unsigned int index = kind - kinds;
    struct block block;
    SOCKET s, other;
    ULONG64 id;

    make_range(kind, 3, &block);
    s = open_socket(kind);
    check_bind_to(s, address, block.start, 0);
    check_listen(kind, s);
    check_held(kind, block.start, 1);
    if (strcmp(address, interface_address)) check_conversation(kind, s);
    /* Once, and not again. */
    other = open_socket(kind);
    check_bind_to(other, address, block.start, WSAEADDRINUSE);
    check_bind_to(other, address, block.start + 1, 0);
    check_close(other);
    other = open_socket(kind);
    set_option(other, SO_EXCLUSIVEADDRUSE);
    check_bind_to(other, address, block.start, WSAEADDRINUSE);
    check_bind_to(other, address, block.start + 1, 0);
    check_listen(kind, other);
    check_close(other);
    peer_ask(peer, WSAEADDRINUSE, "bind %u %s %u", index, address, block.start);
    check_close(s);

    /* Another process, and each after the other. */
    id = peer_ask(peer, 0, "bind %u %s %u", index, address, block.start) >> 16;
    if (kind->type == SOCK_STREAM) peer_ask(peer, 0, "listen %u", (unsigned int)id);
    s = open_socket(kind);
    check_bind_to(s, address, block.start, WSAEADDRINUSE);
    peer_ask(peer, 0, "close %u", (unsigned int)id);
    check_bind_to(s, address, block.start, 0);
    check_listen(kind, s);
    if (strcmp(address, interface_address)) check_conversation(kind, s);
    check_close(s);
    check_held(kind, block.start, 3);
    end_range(kind, &block);
    check_free(kind, block.start, 3);
}

/* What somebody has bound by number is not drawn; later it is. */
static void test_draw_beside(struct peer *peer, const struct kind *kind, const char *address)
{
    unsigned int index = kind - kinds, i, round;
    struct block block;
    SOCKET sockets[4], s, other, drawn;
    ULONG64 id;
    USHORT port;

    make_range(kind, 4, &block);
    for (round = 0; round < 3; round++)
    {
        winetest_push_context("round %u", round);
        s = open_socket(kind);
        check_bind_to(s, address, block.start + 1, 0);
        if (round == 1) check_listen(kind, s);
        id = peer_ask(peer, 0, "bind %u %s %u", index, address, block.start + 3) >> 16;
        for (i = 0; i < 2; i++)
        {
            sockets[i] = draw(kind, &block, &port);
            ok(port != block.start + 1 && port != block.start + 3,
               "drew port %u, which somebody has\n", port);
        }
        drawn = associated(kind, &block);
        check_bind(drawn, 0, WSAENOBUFS);
        check_bind(drawn, block.start + 1, WSAEADDRINUSE);
        check_bind(drawn, block.start + 3, WSAEADDRINUSE);
        /* Nor can one that is drawn be had by number, at the same address. */
        other = open_socket(kind);
        check_bind_to(other, kind->wildcard, port, WSAEADDRINUSE);
        check_close(other);
        check_close(s);
        check_bind(drawn, 0, 0);
        ok(port_of(drawn) == block.start + 1, "drew port %u\n", port_of(drawn));
        peer_ask(peer, 0, "close %u", (unsigned int)id);
        s = associated(kind, &block);
        check_bind(s, block.start + 3, 0);
        check_close(s);
        check_close(drawn);
        for (i = 0; i < 2; i++) check_close(sockets[i]);
        winetest_pop_context();
    }
    end_range(kind, &block);
}

/* One after the other, a socket that draws and one that binds by number get the same port. */
static void test_in_turn(const struct kind *kind, const char *address)
{
    struct block block;
    unsigned int i;
    SOCKET s;

    make_range(kind, 1, &block);
    for (i = 0; i < 20; i++)
    {
        winetest_push_context("turn %u", i);
        s = i % 2 ? open_socket(kind) : associated(kind, &block);
        check_bind_to(s, address, i % 4 ? block.start : 0, 0);
        check_listen(kind, s);
        if (i % 4) ok(port_of(s) == block.start, "got port %u\n", port_of(s));
        check_close(s);
        winetest_pop_context();
    }
    end_range(kind, &block);
}

/* Neither Wine nor the host assigns a port of a range by itself. */
static void test_automatic(const struct kind *kind)
{
    static const char *const commands[] = {"ephemeral", "ephemeral-connect"};
    USHORT count = many_ports(2000), start = 40000;
    SOCKET sockets[200], s;
    struct block block, runtime;
    unsigned int i;

    while (create_range(kind, start, count, &block.token) && start < 58000) start += 1000;
    block.start = start;
    block.count = count;
    check_lookup(kind, start, count, 0, block.token);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        sockets[i] = open_socket(kind);
        if (i % 2 && kind->family == AF_INET && *interface_address)
            check_bind_to(sockets[i], interface_address, 0, 0);
        else
            check_bind(sockets[i], 0, 0);
        ok(!block_contains(&block, port_of(sockets[i])), "port %u was assigned\n",
           port_of(sockets[i]));
    }
    for (i = 0; i < ARRAYSIZE(sockets); i++) check_close(sockets[i]);

    for (i = 0; outsider_available() && i < ARRAYSIZE(commands); i++)
    {
        unsigned int inside = 1, bound = 0;

        sscanf(outsider("%s %s 1000 %u %u", commands[i], protocol_name(kind), start,
                        start + count - 1),
               "ok %u %u", &inside, &bound);
        ok(bound > 900, "%s: only %u ports\n", commands[i], bound);
        ok(!inside, "%s: %u of %u ports are of the range\n", commands[i], inside, bound);
    }

    /* Nor is one reserved as part of a block. */
    check_acquire_meets(kind, start, 2);
    s = open_socket(kind);
    check_acquire(s, start - 1, 2, WSAEADDRINUSE, NULL);
    check_acquire(s, start + count - 1, 2, WSAEADDRINUSE, NULL);
    for (i = 0; i < 20; i++)
    {
        check_acquire(s, 0, 50, 0, &runtime);
        ok(runtime.start + 50 <= start || runtime.start >= start + count,
           "ports from %u acquired\n", runtime.start);
    }
    check_close(s);
    end_range(kind, &block);
}

static void test_tokens(const struct kind *kind)
{
    const struct kind *other = &kinds[kind->type == SOCK_STREAM ? UDP4 : TCP4];
    struct block block, runtime, second;
    SOCKET s, owner;

    make_range(kind, 2, &block);
    make_range(kind, 2, &second);
    s = open_socket(kind);
    check_release(s, block.token, WSAEINVAL);
    check_lookup(kind, block.start, 2, 0, block.token);
    check_close(s);
    s = open_socket(other);
    check_associate(s, block.token, WSAEINVAL);
    check_bind(s, 0, 0);
    check_close(s);

    /* The later one holds. */
    owner = acquire_any(kind, 2, &runtime);
    s = associated(kind, &runtime);
    check_associate(s, block.token, 0);
    check_bind(s, runtime.start, WSAEINVAL);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_associate(s, block.token, WSAEINVAL);
    check_associate(s, runtime.token, WSAEINVAL);
    check_close(s);
    s = associated(kind, &block);
    check_associate(s, runtime.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &runtime);
    check_close(s);
    s = associated(kind, &block);
    check_associate(s, second.token, 0);
    check_bind(s, block.start, WSAEINVAL);
    check_bind(s, 0, 0);
    check_port_in(s, &second);
    check_close(s);
    check_close(owner);

    /* Acquiring and associating on one socket. */
    s = open_socket(kind);
    check_acquire(s, 0, 2, 0, &runtime);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);
    end_range(kind, &second);
    end_range(kind, &block);
}

/* A range ends under sockets: who has a port keeps it, who waits for one gets none. */
static void test_deleted(const struct kind *kind, const char *address)
{
    SOCKET waiting, drawn, bound, s;
    struct block block, again;
    USHORT port;

    make_range(kind, 4, &block);
    waiting = associated(kind, &block);
    drawn = associated(kind, &block);
    check_bind_to(drawn, address, block.start, 0);
    check_listen(kind, drawn);
    bound = open_socket(kind);
    check_bind_to(bound, address, block.start + 2, 0);
    check_listen(kind, bound);
    end_range(kind, &block);

    check_bind(waiting, 0, WSAEINVAL);
    check_bind(waiting, block.start + 1, WSAEINVAL);
    ok(port_of(drawn) == block.start && port_of(bound) == block.start + 2, "ports %u and %u\n",
       port_of(drawn), port_of(bound));
    if (strcmp(address, interface_address))
    {
        check_conversation(kind, drawn);
        check_conversation(kind, bound);
    }
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_bind_to(s, address, block.start, WSAEADDRINUSE);
    check_bind_to(s, address, block.start + 1, 0);
    check_close(s);
    check_acquire_meets(kind, block.start, 1);
    check_acquire_meets(kind, block.start + 2, 1);
    /* Its ports are in use, and so it cannot be created. */
    check_create(kind, block.start, 4, ERROR_SHARING_VIOLATION, NULL);
    check_close(drawn);
    check_create(kind, block.start, 4, ERROR_SHARING_VIOLATION, NULL);
    check_close(bound);
    check_create(kind, block.start, 4, 0, &again);
    ok(again.token != block.token, "the token is back\n");
    /* Who waited for the old one waits in vain. */
    check_bind(waiting, 0, WSAEINVAL);
    check_associate(waiting, again.token, 0);
    check_bind(waiting, 0, 0);
    port = check_port_in(waiting, &again);
    check_close(waiting);
    s = associated(kind, &again);
    check_bind(s, port, 0);
    check_close(s);
    end_range(kind, &again);
    check_free(kind, block.start, 4);
}

/* Other shapes of bind. */
static const struct use_shape
{
    unsigned int kinds[2]; /* TCP, UDP */
    const char *address;
    int option;
} use_shapes[] = {
    {{TCP4, UDP4}, "0.0.0.0", 0},
    {{TCP4, UDP4}, "0.0.0.0", SO_REUSEADDR},
    {{TCP4, UDP4}, "0.0.0.0", SO_EXCLUSIVEADDRUSE},
    {{TCP4, UDP4}, "127.0.0.1", 0},
    {{TCP4, UDP4}, "127.0.0.1", SO_REUSEADDR},
    {{TCP4, UDP4}, "127.0.0.1", SO_EXCLUSIVEADDRUSE},
    {{TCP4, UDP4}, "127.0.0.2", 0},
    {{TCP6, UDP6}, "::", 0},
    {{TCP6, UDP6}, "::1", 0},
    {{TCP6, UDP6}, "::1", SO_REUSEADDR},
    {{TCP_DUAL, UDP_DUAL}, "::", 0},
    {{TCP_DUAL, UDP_DUAL}, "::", SO_EXCLUSIVEADDRUSE},
    {{TCP_DUAL, UDP_DUAL}, "::ffff:127.0.0.1", 0},
};

static SOCKET use_open(const struct use_shape *shape, BOOL stream, const struct block *block)
{
    const struct kind *kind = &kinds[shape->kinds[!stream]];
    SOCKET s = block ? associated(kind, block) : open_socket(kind);

    if (shape->option) set_option(s, shape->option);
    return s;
}

static int use_bind(const struct use_shape *shape, SOCKET s, USHORT port)
{
    SOCKADDR_STORAGE address;
    int length = make_address(shape->address, port, &address);

    return bind(s, (struct sockaddr *)&address, length) ? WSAGetLastError() : 0;
}

/* What happens to two sockets that want the same port: each bind's error, and with TCP what becomes
 * of listening. */
struct outcome
{
    int binds[2];
    int listens[2];
};

static struct outcome use_pair(const struct use_shape *first, const struct use_shape *second,
                               BOOL stream, BOOL early, USHORT port)
{
    SOCKET sockets[] = {use_open(first, stream, NULL), use_open(second, stream, NULL)};
    struct outcome outcome;

    memset(&outcome, 0, sizeof(outcome));
    outcome.binds[0] = use_bind(first, sockets[0], port);
    if (stream && early && listen(sockets[0], 5)) outcome.listens[0] = WSAGetLastError();
    outcome.binds[1] = use_bind(second, sockets[1], port);
    if (stream && !early && listen(sockets[0], 5)) outcome.listens[0] = WSAGetLastError();
    if (stream && !outcome.binds[1] && listen(sockets[1], 5))
        outcome.listens[1] = WSAGetLastError();
    closesocket(sockets[0]);
    closesocket(sockets[1]);
    return outcome;
}

/* Says whether the second socket listens where elsewhere it would not, and all else is the same. */
static BOOL is_looser(const struct outcome *got, const struct outcome *expected)
{
    BOOL refused = expected->binds[1] || expected->listens[1];

    return refused && got->binds[0] == expected->binds[0] &&
           got->listens[0] == expected->listens[0] && !got->binds[1] && !got->listens[1];
}

static void check_like_ordinary(const struct use_shape *first, const struct use_shape *second,
                                BOOL stream, BOOL early, USHORT reserved, USHORT ordinary)
{
    struct outcome got = use_pair(first, second, stream, early, reserved);
    struct outcome expected = use_pair(first, second, stream, early, ordinary);

    /* Sockets that share a port may all listen: the host tells those of a range nothing more. */
    todo_wine_if(is_looser(&got, &expected)) ok(
        !memcmp(&got, &expected, sizeof(got)),
        "%s option %#x, then %s option %#x%s: binds %d %d, listens %d %d, elsewhere %d %d, %d %d\n",
        first->address, first->option, second->address, second->option, early ? ", listening" : "",
        got.binds[0], got.binds[1], got.listens[0], got.listens[1], expected.binds[0],
        expected.binds[1], expected.listens[0], expected.listens[1]);
}

/* To those who bind by number, a port of a range is like any other: the same may share it. */
static void test_like_ordinary(BOOL stream)
{
    const struct kind *kind = &kinds[stream ? TCP4 : UDP4];
    USHORT ordinary = find_ports(1);
    unsigned int i, j, early;
    struct block block;

    make_range(kind, 1, &block);
    for (i = 0; i < ARRAYSIZE(use_shapes); i++)
        for (j = 0; j < ARRAYSIZE(use_shapes); j++)
            for (early = 0; early < (stream ? 2 : 1); early++)
                check_like_ordinary(&use_shapes[i], &use_shapes[j], stream, early, block.start,
                                    ordinary);
    end_range(kind, &block);
}

/* A port that is drawn is nobody else's, whatever shape they want it in. */
static void test_drawn_shapes(BOOL stream)
{
    const struct kind *kind = &kinds[stream ? TCP4 : UDP4];
    unsigned int i, j;
    struct block block;
    SOCKET drawn, s;
    int error;

    make_range(kind, 1, &block);
    for (i = 0; i < ARRAYSIZE(use_shapes); i++)
    {
        for (j = 0; j < ARRAYSIZE(use_shapes); j++)
        {
            winetest_push_context("%s option %#x, then %s option %#x", use_shapes[i].address,
                                  use_shapes[i].option, use_shapes[j].address,
                                  use_shapes[j].option);
            drawn = use_open(&use_shapes[i], stream, &block);
            error = use_bind(&use_shapes[i], drawn, 0);
            ok(!error, "error %d\n", error);
            s = use_open(&use_shapes[j], stream, &block);
            error = use_bind(&use_shapes[j], s, 0);
            ok(error == WSAENOBUFS, "drawing: error %d\n", error);
            error = use_bind(&use_shapes[j], s, block.start);
            ok(error == WSAEADDRINUSE, "drawing by number: error %d\n", error);
            check_close(s);
            check_close(drawn);
            /* And what is bound by number is not drawn. */
            s = use_open(&use_shapes[i], stream, NULL);
            error = use_bind(&use_shapes[i], s, block.start);
            ok(!error, "error %d\n", error);
            drawn = use_open(&use_shapes[j], stream, &block);
            error = use_bind(&use_shapes[j], drawn, 0);
            ok(error == WSAENOBUFS, "drawing beside it: error %d\n", error);
            check_close(drawn);
            check_close(s);
            winetest_pop_context();
        }
    }
    end_range(kind, &block);
}

static void test_address(struct peer *peer, const struct kind *kind, const char *address)
{
    winetest_push_context("%s at %s", kind->name, address);
    test_draw(kind, address);
    test_by_number(peer, kind, address);
    test_draw_beside(peer, kind, address);
    test_in_turn(kind, address);
    test_deleted(kind, address);
    winetest_pop_context();
}

static void test_all(void)
{
    const struct kind *kind;
    struct peer peer;

    /* Before there are sockets that it would inherit. */
    if (!peer_start(&peer)) return;
    if (!GetEnvironmentVariableA("TAWNY_ADDRESS", interface_address, sizeof(interface_address)))
        skip("there is no interface of the test's own\n");
    for_each_kind(kind)
    {
        test_address(&peer, kind, kind->wildcard);
        test_address(&peer, kind, kind->dual ? "::ffff:127.0.0.1" : kind->loopback);
        if (kind->family == AF_INET && *interface_address)
            test_address(&peer, kind, interface_address);
        winetest_push_context("%s", kind->name);
        test_implicit(kind);
        test_automatic(kind);
        test_tokens(kind);
        winetest_pop_context();
    }
    winetest_push_context("TCP");
    test_like_ordinary(TRUE);
    test_drawn_shapes(TRUE);
    winetest_pop_context();
    winetest_push_context("UDP");
    test_like_ordinary(FALSE);
    test_drawn_shapes(FALSE);
    winetest_pop_context();
    peer_end(&peer, PEER_EXIT);
}

START_TEST(use)
{
    static const struct peer_command commands[] = {RANGE_COMMANDS, {NULL}};

    ranges_test(commands, test_all);
}
