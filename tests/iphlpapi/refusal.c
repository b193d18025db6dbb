/*
 * Tests of what is to be refused, and of what cannot be held
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "service.h"

static void check_refused_(int line, const struct kind *kind, ULONG64 token)
{
    SOCKET s = open_socket_(__FILE__, line, kind);

    check_associate_(__FILE__, line, s, token, WSAEINVAL);
    check_release_(__FILE__, line, s, token, WSAEINVAL);
    check_bind_(__FILE__, line, s, 0, 0);
    closesocket(s);
}
#define check_refused(...) check_refused_(__LINE__, __VA_ARGS__)

/* Tokens that nobody has been given, though they look much like one. */
static void test_forged(const struct kind *kind)
{
    struct block block, other, old;
    unsigned int bit;
    SOCKET s;

    make_range(kind, 2, &old);
    end_range(kind, &old);
    check_create(kind, old.start, 2, 0, &block);
    make_range(kind, 2, &other);
    check_refused(kind, old.token);
    check_refused(kind, 0);
    check_refused(kind, ~(ULONG64)0);
    check_refused(kind, block.start);
    check_refused(kind, htons(block.start));
    for (bit = 0; bit < 64; bit++) check_refused(kind, block.token ^ (ULONG64)1 << bit);
    check_refused(kind, (block.token & ~(ULONG64)0xffff) | (other.token & 0xffff));
    check_refused(kind, (other.token & ~(ULONG64)0xffff) | (block.token & 0xffff));
    check_refused(kind, block.token >> 16 << 16);
    /* A socket that is associated stays so. */
    s = associated(kind, &block);
    check_associate(s, old.token, WSAEINVAL);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);
    end_range(kind, &block);
    end_range(kind, &other);
    check_refused(kind, block.token);
}

/* So many that a range of more fits between the ports that everybody may bind and those that the
 * host assigns by itself. */
#define FEW_DESCRIPTORS 22000
#define FREE_PORTS      10000

/* More ports than the holder may open files. */
static void test_too_many(const struct kind *kind)
{
    unsigned int limit = descriptor_limit();
    struct block before, after;
    USHORT start, count;
    ULONG64 token;
    ULONG error;

    make_range(kind, 2, &before);
    /* Somebody has one of them, or they are too many. */
    error = create_range(kind, 1, 65535, &token);
    ok(error == ERROR_SHARING_VIOLATION || error == ERROR_NOT_ENOUGH_MEMORY, "error %lu\n", error);
    check_stored(kind, 1, 65535, FALSE);
    check_lookup(kind, 1, 65535, ERROR_NOT_FOUND, 0);
    check_held(kind, before.start, 2);
    if (!limit || limit > FEW_DESCRIPTORS)
    {
        skip("the limit of open files is too high or not known: %u\n", limit);
        end_range(kind, &before);
        return;
    }
    end_range(kind, &before);

    count = limit + 100;
    start = FREE_PORTS;
    check_create(kind, start, count, ERROR_NOT_ENOUGH_MEMORY, NULL);
    check_stored(kind, start, count, FALSE);
    check_not_held(kind, start);
    check_not_held(kind, start + count - 1);
    check_create(kind, start, 2, 0, &before);

    /* Written by hand, it stays there, and the others are held as before. */
    store_write(kind, start + 2, count - 2);
    check_create(kind, start + count + 1, 2, 0, &after);
    check_held(kind, start, 2);
    check_held(kind, start + count + 1, 2);
    check_close(draw(kind, &before, NULL));
    check_delete(kind, start + 2, count - 2, 0);
    check_lookup(kind, start, 2, 0, before.token);
    end_range(kind, &after);
    end_range(kind, &before);
    check_free(kind, start, 100);
}

/* A native program has a port of a range that comes to be held. Of that range all others are. */
static void check_occupied(const struct kind *kind, struct block *block, int id)
{
    USHORT taken = block->start + 2, port;
    SOCKET sockets[4], s;
    unsigned int i;

    check_kept_out_plainly(kind, block->start);
    check_kept_out_plainly(kind, block->start + 1);
    check_kept_out_plainly(kind, block->start + 3);
    check_kept_out_plainly(kind, block->start + 4);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        sockets[i] = draw(kind, block, &port);
        ok(port != taken, "drew port %u, which somebody else has\n", port);
    }
    s = associated(kind, block);
    check_bind(s, 0, WSAENOBUFS);
    check_bind(s, taken, WSAEADDRINUSE);
    check_close(s);
    s = open_socket(kind);
    check_bind(s, taken, WSAEADDRINUSE);
    check_close(s);
    for (i = 0; i < ARRAYSIZE(sockets); i++) check_close(sockets[i]);
    check_acquire_meets(kind, block->start, block->count);

    outsider("close %d", id);
    await_held(kind, taken, TRUE);
    check_held(kind, block->start, block->count);
    for (i = 0; i < ARRAYSIZE(sockets); i++) sockets[i] = draw(kind, block, NULL);
    s = draw(kind, block, NULL);
    check_close(s);
    for (i = 0; i < ARRAYSIZE(sockets); i++) check_close(sockets[i]);
}

static void test_occupied(const struct kind *kind, const char *address)
{
    USHORT start = find_ports(5);
    struct block block, same;
    int id;

    /* By a program that came before the range. */
    id = outsider_bind(kind, address, start + 2, "");
    ok(id > 0, "errno %d\n", -id);
    if (kind->type == SOCK_STREAM) outsider("listen %d", id);
    check_create(kind, start, 5, ERROR_SHARING_VIOLATION, NULL);
    store_write(kind, start, 5);
    if (await_range(kind, start, 5, &block)) check_occupied(kind, &block, id);

    /* By one that came while nobody held it. */
    service_stop();
    id = outsider_bind(kind, address, start + 2, "");
    ok(id > 0, "errno %d\n", -id);
    if (kind->type == SOCK_STREAM) outsider("listen %d", id);
    service_start();
    if (await_range(kind, start, 5, &same))
    {
        ok(same.token == block.token, "the token is another one\n");
        check_occupied(kind, &same, id);
    }

    /* By one that stays longer than the range. */
    service_stop();
    id = outsider_bind(kind, address, start + 2, "");
    ok(id > 0, "errno %d\n", -id);
    service_start();
    end_range(kind, &block);
    check_not_held(kind, start + 1);
    check_create(kind, start, 5, ERROR_SHARING_VIOLATION, NULL);
    outsider("close %d", id);
    check_create(kind, start, 5, 0, &block);
    end_range(kind, &block);
}

static void test_all(void)
{
    static const unsigned int protocols[] = {TCP4, UDP4};
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        const struct kind *kind = &kinds[protocols[i]];

        winetest_push_context("%s", kind->name);
        test_forged(kind);
        test_too_many(kind);
        if (outsider_available())
        {
            test_occupied(kind, "0.0.0.0");
            test_occupied(kind, "::");
        }
        else
            skip("no outsider to take ports\n");
        winetest_pop_context();
    }
}

START_TEST(refusal)
{
    ranges_test(NULL, test_all);
}
