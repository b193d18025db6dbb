/*
 * Tests of bind, explicit and to port 0, on associated sockets and on others
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

/* Every shape of address that a socket may be bound to. */
static const struct
{
    unsigned int kind;
    const char *address;
} shapes[] = {
    {TCP4, "0.0.0.0"},
    {TCP4, "127.0.0.1"},
    {TCP4, "127.3.4.5"},
    {TCP6, "::"},
    {TCP6, "::1"},
    {TCP_DUAL, "::"},
    {TCP_DUAL, "::1"},
    {TCP_DUAL, "::ffff:127.0.0.1"},
    {TCP_DUAL, "::ffff:0.0.0.0"},
    {UDP4, "0.0.0.0"},
    {UDP4, "127.0.0.1"},
    {UDP4, "127.3.4.5"},
    {UDP6, "::"},
    {UDP6, "::1"},
    {UDP_DUAL, "::"},
    {UDP_DUAL, "::1"},
    {UDP_DUAL, "::ffff:127.0.0.1"},
    {UDP_DUAL, "::ffff:0.0.0.0"},
};

/* Whether this Wine binds a UDP socket to the wildcard address when any IPv4 address but 127.0.0.1
 * is named, as 8.0 does: even to one that is nobody's here. */
static BOOL forgets_address(void)
{
    SOCKADDR_STORAGE address;
    int length = make_address("198.51.100.1", 0, &address), ret;
    SOCKET s = open_socket(&kinds[UDP4]);

    ret = bind(s, (struct sockaddr *)&address, length);
    check_close(s);
    return !ret;
}

static void set_option(SOCKET s, int option)
{
    int on = 1;

    ok(!setsockopt(s, SOL_SOCKET, option, (const char *)&on, sizeof(on)), "error %d\n",
       WSAGetLastError());
}

static void check_listen(SOCKET s)
{
    ok(!listen(s, 5), "listen failed, error %d\n", WSAGetLastError());
}

static void test_associated(const struct kind *kind, const char *address)
{
    SOCKET owner, s;
    struct block block;

    owner = acquire_any(kind, 3, &block);
    s = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    check_port_in(s, &block);
    check_close(s);

    s = associated(kind, &block);
    check_bind_to(s, address, block.start + 2, 0);
    check_close(s);

    /* It can be had again at once. */
    s = associated(kind, &block);
    check_bind_to(s, address, block.start + 2, 0);
    check_close(s);

    /* Nothing but the block is for this socket. A call that failed changes nothing. */
    s = associated(kind, &block);
    check_bind_to(s, address, block.start - 1, WSAEINVAL);
    check_bind_to(s, address, block.start - 1, WSAEINVAL);
    check_bind_to(s, address, 80, WSAEINVAL);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind_to(s, address, block.start, 0);
    check_close(s);
    check_close(owner);
}

/* A port of the block that is given out is not given out again, whichever address is asked for. */
static void test_in_use(const struct kind *kind, const char *address)
{
    SOCKET owner, s, other;
    unsigned int i;
    struct block block;
    USHORT port;

    owner = acquire_any(kind, 2, &block);
    s = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    port = port_of(s);
    for (i = 0; i < ARRAYSIZE(shapes); i++)
    {
        if (kinds[shapes[i].kind].type != kind->type) continue;
        winetest_push_context("against %s at %s", kinds[shapes[i].kind].name, shapes[i].address);
        other = associated(&kinds[shapes[i].kind], &block);
        check_bind_to(other, shapes[i].address, port, WSAEADDRINUSE);
        set_option(other, SO_REUSEADDR);
        check_bind_to(other, shapes[i].address, port, WSAEADDRINUSE);
        check_bind_to(other, shapes[i].address, 0, 0);
        ok(port_of(other) != port, "port %u was given twice\n", port);
        check_port_in(other, &block);
        check_close(other);
        winetest_pop_context();
    }
    check_close(s);
    check_close(owner);
}

/* A socket that is not associated gets no port of a block, its own process' or not. */
static void test_unassociated(const struct kind *kind, const char *address)
{
    SOCKET owner, s, drawn;
    struct block block;
    USHORT port;

    owner = acquire_any(kind, 2, &block);
    drawn = draw(kind, &block, &port);
    s = open_socket(kind);
    check_bind_to(s, address, block.start, WSAEACCES);
    check_bind_to(s, address, block.start + 1, WSAEACCES);
    set_option(s, SO_REUSEADDR);
    check_bind_to(s, address, block.start, WSAEACCES);
    check_bind_to(s, address, block.start + 1, WSAEACCES);
    check_close(s);
    s = open_socket(kind);
    set_option(s, SO_EXCLUSIVEADDRUSE);
    check_bind_to(s, address, block.start, WSAEACCES);
    check_bind_to(s, address, block.start + 1, WSAEACCES);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    /* Others are as they were. */
    check_bind_to(s, address, 0, 0);
    ok(!block_contains(&block, port_of(s)), "got port %u of a block\n", port_of(s));
    check_close(s);
    check_close(drawn);

    /* Released, the port can be had. */
    check_release(owner, block.token, 0);
    s = open_socket(kind);
    check_bind_to(s, address, port, 0);
    check_close(s);
    check_close(owner);
}

/* What is in use and not reserved has the error that it always had. */
static void test_merely_used(const struct kind *kind, const char *address)
{
    SOCKET owner, s, other;
    struct block block;
    USHORT port;

    owner = acquire_any(kind, 2, &block);
    s = open_socket(kind);
    check_bind_to(s, address, 0, 0);
    port = port_of(s);
    other = open_socket(kind);
    check_bind_to(other, address, port, WSAEADDRINUSE);
    check_close(other);
    check_close(s);

    /* Drawn, and the block released since: in use, no longer reserved. */
    s = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    port = port_of(s);
    check_release(owner, block.token, 0);
    other = open_socket(kind);
    check_bind_to(other, address, port, WSAEADDRINUSE);
    check_close(other);
    check_close(s);
    check_close(owner);
}

/* Has a client talk with a UDP socket that is bound to a loopback address of its own. */
static void check_answers_from(SOCKET s, const char *address)
{
    SOCKADDR_STORAGE to, from = {0};
    SOCKET client = open_socket(&kinds[UDP4]);
    int length = make_address(address, port_of(s), &to), ret;
    DWORD timeout = 10000;
    BOOL same_address;
    char text[16];

    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof(timeout));
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof(timeout));
    ret = sendto(client, "tawny", 5, 0, (struct sockaddr *)&to, length);
    ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &length);
    ok(ret == 5, "received %d bytes, error %d\n", ret, WSAGetLastError());
    ret = sendto(s, "tawny", 5, 0, (struct sockaddr *)&from, length);
    ok(ret == 5, "answered %d bytes, error %d\n", ret, WSAGetLastError());
    ret = recvfrom(client, text, sizeof(text), 0, (struct sockaddr *)&from, &length);
    ok(ret == 5, "received %d bytes of answer, error %d\n", ret, WSAGetLastError());
    ok(address_port(&from) == port_of(s), "answer from port %u\n", address_port(&from));
    same_address = ((struct sockaddr_in *)&from)->sin_addr.s_addr ==
                   ((struct sockaddr_in *)&to)->sin_addr.s_addr;
    todo_wine_if(forgets_address()) ok(same_address, "answer from another address\n");
    check_close(client);
}

static void test_conversation(const struct kind *kind, const char *address)
{
    BOOL answers_elsewhere = kind == &kinds[UDP4] && strstr(address, "127.3");
    struct kind spoken = *kind;
    struct block block;
    SOCKET owner, s;
    int i;

    /* Where a client finds it. */
    if (strstr(address, "127.3")) spoken.loopback = address;
    if (!strcmp(address, "::1")) spoken.loopback = "::1";

    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < 2; i++)
    {
        s = associated(kind, &block);
        check_bind_to(s, address, i ? block.start : 0, 0);
        if (kind->type == SOCK_STREAM)
        {
            check_listen(s);
            /* Again, as with another backlog. */
            check_listen(s);
        }
        if (answers_elsewhere)
            check_answers_from(s, address);
        else
        {
            check_conversation(&spoken, s);
            check_conversation(&spoken, s);
        }
        check_reserved(kind, block.start);
        check_close(s);
    }

    /* The conversation survives its block. */
    s = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    check_release(owner, block.token, 0);
    if (kind->type == SOCK_STREAM) check_listen(s);
    if (answers_elsewhere)
        check_answers_from(s, address);
    else
        check_conversation(&spoken, s);
    check_close(s);
    check_close(owner);
    check_free(kind, block.start, 1);
}

/* What an associated socket asks for besides changes nothing. */
static void test_options(const struct kind *kind)
{
    static const int options[] = {SO_REUSEADDR, SO_EXCLUSIVEADDRUSE, SO_BROADCAST, SO_KEEPALIVE};
    struct block block;
    unsigned int i;
    SOCKET owner, s, other;

    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < ARRAYSIZE(options); i++)
    {
        if (options[i] == (kind->type == SOCK_STREAM ? SO_BROADCAST : SO_KEEPALIVE)) continue;
        winetest_push_context("option %#x", options[i]);
        s = associated(kind, &block);
        set_option(s, options[i]);
        check_bind(s, i % 2 ? 0 : block.start, 0);
        check_port_in(s, &block);
        other = associated(kind, &block);
        set_option(other, options[i]);
        check_bind(other, block.start, WSAEADDRINUSE);
        check_bind(other, 0, WSAENOBUFS);
        check_close(other);
        if (kind->type == SOCK_STREAM) check_listen(s);
        check_conversation(kind, s);
        check_close(s);
        winetest_pop_context();
    }
    check_close(owner);
}

/* Every port of a block, each of them once. */
static void test_exhausted(const struct kind *kind)
{
    enum
    {
        COUNT = 70
    };
    SOCKET owner, sockets[COUNT], s;
    BOOL seen[COUNT] = {FALSE};
    struct block block;
    unsigned int i;
    USHORT port;

    owner = acquire_any(kind, COUNT, &block);
    for (i = 0; i < COUNT; i++)
    {
        sockets[i] = draw(kind, &block, &port);
        if (!block_contains(&block, port)) continue;
        ok(!seen[port - block.start], "port %u was given twice\n", port);
        seen[port - block.start] = TRUE;
    }
    s = associated(kind, &block);
    check_bind(s, 0, WSAENOBUFS);
    check_bind(s, block.start, WSAEADDRINUSE);
    check_bind(s, block.start + COUNT - 1, WSAEADDRINUSE);
    ok(!port_of(s), "bound to port %u\n", port_of(s));

    /* The only one that comes back is the one to be had. */
    port = port_of(sockets[33]);
    check_close(sockets[33]);
    check_bind(s, 0, 0);
    ok(port_of(s) == port, "got port %u, free was %u\n", port_of(s), port);
    sockets[33] = s;
    for (i = 0; i < COUNT; i++) check_close(sockets[i]);

    /* All of them, by number. */
    for (i = 0; i < COUNT; i++)
    {
        sockets[i] = associated(kind, &block);
        check_bind(sockets[i], block.start + i, 0);
    }
    for (i = 0; i < COUNT; i++) check_close(sockets[i]);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
}

/* A bind that fails for another reason costs the block nothing. */
static void test_bad_address(const struct kind *kind)
{
    SOCKADDR_STORAGE address;
    struct block block;
    SOCKET owner, s;
    int length;

    owner = acquire_any(kind, 1, &block);
    s = associated(kind, &block);
    /* Nobody's here: 198.51.100.0/24 and 2001:db8::/32 are for documentation. */
    if (kind == &kinds[UDP4])
    {
        todo_wine_if(forgets_address()) check_bind_to(s, "198.51.100.1", 0, WSAEADDRNOTAVAIL);
        check_close(s);
        s = associated(kind, &block);
    }
    else
    {
        check_bind_to(s, kind->family == AF_INET6 ? "2001:db8::1" : "198.51.100.1", 0,
                      WSAEADDRNOTAVAIL);
        check_bind_to(s, kind->family == AF_INET6 ? "2001:db8::1" : "198.51.100.1", block.start,
                      WSAEADDRNOTAVAIL);
    }
    length = make_address(kind->wildcard, 0, &address);
    ok(bind(s, (struct sockaddr *)&address, length - 1) == SOCKET_ERROR, "bind succeeded\n");
    ok(WSAGetLastError() == WSAEFAULT, "error %d\n", WSAGetLastError());
    ok(bind(s, NULL, length) == SOCKET_ERROR, "bind succeeded\n");
    ok(WSAGetLastError() == WSAEFAULT, "error %d\n", WSAGetLastError());
    address.ss_family = kind->family == AF_INET6 ? AF_INET : AF_INET6;
    ok(bind(s, (struct sockaddr *)&address, sizeof(address)) == SOCKET_ERROR, "bind succeeded\n");
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);
    check_close(owner);
}

static void test_closed(void)
{
    SOCKADDR_STORAGE address;
    SOCKET owner, s;
    struct block block;
    int length;

    owner = acquire_any(&kinds[TCP4], 1, &block);
    s = open_socket(&kinds[TCP4]);
    check_close(s);
    length = make_address("0.0.0.0", 0, &address);
    ok(bind(s, (struct sockaddr *)&address, length) == SOCKET_ERROR, "bind succeeded\n");
    ok(WSAGetLastError() == WSAENOTSOCK, "error %d\n", WSAGetLastError());
    check_close(owner);
}

/* Ports that the system assigns are not a block's. */
static void test_automatic(const struct kind *kind)
{
    SOCKET owner = open_socket(kind), s;
    struct block blocks[3];
    unsigned int i, j;

    /* In the middle of what Linux assigns by itself, and what Windows does. */
    for (i = 0; i < ARRAYSIZE(blocks); i++)
        check_acquire(owner, 0, many_ports(3000), 0, &blocks[i]);
    for (i = 0; i < 200; i++)
    {
        s = open_socket(kind);
        check_bind(s, 0, 0);
        for (j = 0; j < ARRAYSIZE(blocks); j++)
            ok(!block_contains(&blocks[j], port_of(s)), "got port %u of a block\n", port_of(s));
        check_close(s);
    }
    check_close(owner);
}

START_TEST(bind)
{
    const struct kind *kind;
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for (i = 0; i < ARRAYSIZE(shapes); i++)
    {
        kind = &kinds[shapes[i].kind];
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s at %s", kind->name, shapes[i].address);
        test_associated(kind, shapes[i].address);
        test_in_use(kind, shapes[i].address);
        test_unassociated(kind, shapes[i].address);
        test_merely_used(kind, shapes[i].address);
        test_conversation(kind, shapes[i].address);
        winetest_pop_context();
    }
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_options(kind);
        test_exhausted(kind);
        test_bad_address(kind);
        test_automatic(kind);
        winetest_pop_context();
    }
    if (target_reserves(&kinds[TCP4])) test_closed();
    WSACleanup();
}
