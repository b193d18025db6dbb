/*
 * Tests of SIO_RELEASE_PORT_RESERVATION
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tokens of other processes are in process.c.
 */
#include "../conformance/target.h"

/* The order of the documents' example: the sockets are closed after the release. */
static void test_documented(const struct kind *kind)
{
    SOCKET owner, s;
    struct block block;
    USHORT port;

    owner = acquire_any(kind, 5, &block);
    s = draw(kind, &block, &port);
    check_release(owner, block.token, 0);
    check_close(s);
    check_close(owner);
    check_free(kind, block.start, block.count);
}

/* Sockets bound from the block keep their ports; the rest is free at once. */
static void test_live_sockets(const struct kind *kind)
{
    SOCKET owner, first, last, other;
    struct block block;

    owner = acquire_any(kind, 5, &block);
    first = associated(kind, &block);
    check_bind(first, block.start, 0);
    last = associated(kind, &block);
    check_bind(last, block.start + 4, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(first, 5), "error %d\n", WSAGetLastError());

    check_release(owner, block.token, 0);
    ok(port_of(first) == block.start, "moved to port %u\n", port_of(first));
    check_free(kind, block.start + 1, 3);
    other = open_socket(kind);
    check_acquire(other, block.start, 1, WSAEADDRINUSE, NULL);
    check_acquire(other, block.start + 3, 2, WSAEADDRINUSE, NULL);
    check_acquire(other, block.start, 5, WSAEADDRINUSE, NULL);
    check_bind(other, block.start, WSAEADDRINUSE);
    check_bind(other, block.start + 2, 0);
    check_close(other);

    /* What it was bound for still works. */
    check_conversation(kind, first);
    if (kind->type == SOCK_STREAM) ok(!listen(last, 5), "error %d\n", WSAGetLastError());
    check_conversation(kind, last);

    check_close(first);
    check_free(kind, block.start, 4);
    check_close(last);
    check_free(kind, block.start, 5);
    check_close(owner);
}

/* The ports of such sockets, when others have acquired around them since. */
static void test_port_is_not_returned_to_next_block(const struct kind *kind)
{
    SOCKET owner, live, next;
    struct block block;

    owner = acquire_any(kind, 3, &block);
    live = associated(kind, &block);
    check_bind(live, block.start + 1, 0);
    check_release(owner, block.token, 0);
    check_close(live);
    next = open_socket(kind);
    check_acquire(next, block.start, 3, 0, &block);
    check_reserved(kind, block.start + 1);
    live = associated(kind, &block);
    check_bind(live, block.start + 1, 0);
    check_close(live);
    check_close(next);
    check_close(owner);
}

/* Any socket of the process can release, of the same protocol. */
static void test_other_socket(const struct kind *kind)
{
    SOCKET owner, other;
    struct block block;

    owner = acquire_any(kind, 2, &block);
    other = open_socket(kind->type == SOCK_STREAM ? &kinds[UDP4] : &kinds[TCP4]);
    check_release(other, block.token, WSAEINVAL);
    check_reserved(kind, block.start);
    check_close(other);
    other = open_socket(kind->type == SOCK_STREAM ? &kinds[TCP6] : &kinds[UDP6]);
    check_release(other, block.token, 0);
    check_free(kind, block.start, 2);
    check_close(other);
    check_close(owner);
}

static void test_tokens(const struct kind *kind)
{
    static const ULONG64 others[] = {1,           2,           0xffffffff,
                                     0x100000000, ~(ULONG64)0, 0x0123456789abcdef};
    SOCKET owner, other;
    struct block block, again;
    unsigned int i;

    owner = acquire_any(kind, 2, &block);
    check_release(owner, INVALID_PORT_RESERVATION_TOKEN, WSAEINVAL);
    for (i = 0; i < ARRAYSIZE(others); i++) check_release(owner, others[i], WSAEINVAL);
    for (i = 0; i < 64; i++) check_release(owner, block.token ^ (ULONG64)1 << i, WSAEINVAL);
    check_reserved(kind, block.start);

    /* Once is enough. */
    check_release(owner, block.token, 0);
    check_release(owner, block.token, WSAEINVAL);

    /* An old token does not release the new block. */
    other = open_socket(kind);
    check_acquire(other, block.start, 2, 0, &again);
    check_release(owner, block.token, WSAEINVAL);
    check_release(other, block.token, WSAEINVAL);
    check_reserved(kind, block.start);
    check_close(other);
    check_release(owner, again.token, WSAEINVAL);
    check_close(owner);
}

START_TEST(release)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_documented(kind);
        test_live_sockets(kind);
        test_port_is_not_returned_to_next_block(kind);
        test_other_socket(kind);
        test_tokens(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
