/*
 * Tests of SIO_ASSOCIATE_PORT_RESERVATION
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tokens of other processes are in process.c, tokens that never were in input.c.
 */
#include "../conformance/target.h"

/* What the documents' example does: one socket acquires, is associated, and binds. */
static void test_same_socket(const struct kind *kind)
{
    SOCKET s = open_socket(kind);
    struct block block;

    check_acquire(s, 0, 20, 0, &block);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_release(s, block.token, 0);
    check_close(s);
    check_free(kind, block.start, block.count);
}

/* Any socket of the protocol can draw, whatever its family. */
static void test_families(const struct kind *kind)
{
    unsigned int first = kind->type == SOCK_STREAM ? TCP4 : UDP4, i;
    struct block block;
    SOCKET s = acquire_any(kind, 3, &block), sockets[3];

    for (i = 0; i < 3; i++) sockets[i] = draw(&kinds[first + i], &block, NULL);
    for (i = 0; i < 3; i++) check_close(sockets[i]);
    check_close(s);
}

static void test_wrong_protocol(void)
{
    SOCKET tcp, udp, s;
    struct block tcp_block, udp_block;

    tcp = acquire_any(&kinds[TCP4], 1, &tcp_block);
    udp = acquire_any(&kinds[UDP4], 1, &udp_block);
    s = open_socket(&kinds[UDP4]);
    check_associate(s, tcp_block.token, WSAEINVAL);
    check_bind(s, 0, 0);
    ok(port_of(s) != udp_block.start, "drew a port all the same\n");
    check_close(s);
    s = open_socket(&kinds[TCP6]);
    check_associate(s, udp_block.token, WSAEINVAL);
    check_close(s);
    check_close(tcp);
    check_close(udp);
}

static void test_bound(const struct kind *kind)
{
    struct block block;
    SOCKET owner = acquire_any(kind, 2, &block), s = open_socket(kind);
    USHORT port;

    check_bind(s, 0, 0);
    port = port_of(s);
    check_associate(s, block.token, WSAEINVAL);
    ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));
    check_close(s);

    /* Nor can it be done again to one that has drawn. */
    s = draw(kind, &block, &port);
    check_associate(s, block.token, WSAEINVAL);
    ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));
    check_bind(s, 0, WSAEINVAL);
    check_bind(s, block.start, WSAEINVAL);
    check_close(s);

    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(owner);
}

static void test_twice(const struct kind *kind)
{
    struct block first, second;
    SOCKET owner = acquire_any(kind, 1, &first), other = acquire_any(kind, 1, &second), s;

    s = associated(kind, &first);
    check_associate(s, second.token, 0);
    check_bind(s, first.start, WSAEINVAL);
    check_bind(s, 0, 0);
    check_port_in(s, &second);
    check_close(draw(kind, &first, NULL));
    check_close(s);

    /* The same token again. */
    s = associated(kind, &first);
    check_associate(s, first.token, 0);
    check_bind(s, 0, 0);
    check_close(s);

    /* A call that fails changes nothing. */
    s = associated(kind, &first);
    check_associate(s, 0, WSAEINVAL);
    check_bind(s, 0, 0);
    check_port_in(s, &first);
    check_close(s);

    check_close(draw(kind, &second, NULL));
    check_close(owner);
    check_close(other);
}

static void test_ended(const struct kind *kind)
{
    struct block block;
    SOCKET owner = acquire_any(kind, 2, &block), s;

    /* Released. */
    check_release(owner, block.token, 0);
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_bind(s, block.start, 0);
    check_close(s);

    /* Released when the socket was associated already. */
    check_acquire(owner, block.start, 2, 0, &block);
    s = associated(kind, &block);
    check_release(owner, block.token, 0);
    check_bind(s, 0, WSAEINVAL);
    check_bind(s, block.start, WSAEINVAL);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    /* It can have another. */
    check_acquire(owner, block.start, 2, 0, &block);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);

    /* Ended with its socket. */
    check_close(owner);
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_close(s);

    /* The same ports again are another block. */
    owner = open_socket(kind);
    s = open_socket(kind);
    check_acquire(owner, block.start, 2, 0, NULL);
    check_associate(s, block.token, WSAEINVAL);
    check_close(s);
    check_close(owner);
}

/* A socket may be associated and never use it. */
static void test_unused(const struct kind *kind)
{
    struct block block;
    SOCKET owner = acquire_any(kind, 1, &block), s = associated(kind, &block);

    check_close(draw(kind, &block, NULL));
    check_close(s);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
}

/* It goes with the socket, not with the socket's number. */
static void test_next_socket(const struct kind *kind)
{
    struct block block;
    SOCKET owner = acquire_any(kind, 1, &block), s = associated(kind, &block), next;

    check_close(s);
    next = open_socket(kind);
    if (next != s) win_skip("the handle was not used again\n");
    check_bind(next, 0, 0);
    ok(port_of(next) != block.start, "drew a port without association\n");
    check_close(next);
    check_close(owner);
}

START_TEST(associate)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_same_socket(kind);
        test_families(kind);
        test_bound(kind);
        test_twice(kind);
        test_ended(kind);
        test_unused(kind);
        test_next_socket(kind);
        winetest_pop_context();
    }
    if (target_reserves_all()) test_wrong_protocol();
    WSACleanup();
}
