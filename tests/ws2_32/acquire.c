/*
 * Tests of SIO_ACQUIRE_PORT_RESERVATION
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

/* Where wildcard blocks come from, and where they come from if they do not fit there. */
#define DYNAMIC_FIRST 49152
#define DYNAMIC_LAST  65535
#define OTHER_FIRST   1025
#define OTHER_LAST    49151

static void test_specific(const struct kind *kind)
{
    USHORT start = find_ports(5);
    struct block block, single;
    SOCKET s = open_socket(kind), other = open_socket(kind);
    USHORT i;

    check_acquire(s, start, 4, 0, &block);
    for (i = 0; i < 4; i++) check_reserved(kind, start + i);
    check_acquire(other, start + 4, 1, 0, &single);
    ok(block.token != single.token, "one token for two blocks\n");
    check_close(s);
    for (i = 0; i < 4; i++) check_unreserved(kind, start + i);
    check_free(kind, start, 4);
    check_reserved(kind, start + 4);
    check_close(other);
    check_free(kind, start, 5);
}

static void test_wildcard(const struct kind *kind)
{
    const USHORT counts[] = {1, 2, 64, many_ports(1000), 1};
    struct block blocks[ARRAYSIZE(counts)];
    SOCKET sockets[ARRAYSIZE(counts)];
    unsigned int i, j;

    for (i = 0; i < ARRAYSIZE(counts); i++)
    {
        struct block *block = &blocks[i];

        sockets[i] = acquire_any(kind, counts[i], block);
        ok(block->start >= DYNAMIC_FIRST && block->start + block->count - 1 <= DYNAMIC_LAST,
           "%u ports from %u\n", block->count, block->start);
        for (j = 0; j < i; j++)
            ok(block->start >= blocks[j].start + blocks[j].count ||
                   blocks[j].start >= block->start + block->count,
               "%u ports from %u overlap %u from %u\n", block->count, block->start, blocks[j].count,
               blocks[j].start);
        check_reserved(kind, block->start);
        check_reserved(kind, block->start + block->count - 1);
    }
    for (i = 0; i < ARRAYSIZE(counts); i++) check_close(sockets[i]);
}

/* Nobody is to guess where the next block will be. */
static void test_wildcard_is_random(void)
{
    unsigned int i, moved = 0;
    struct block first, next;

    check_close(acquire_any(&kinds[UDP4], 1, &first));
    for (i = 0; i < 8; i++)
    {
        check_close(acquire_any(&kinds[UDP4], 1, &next));
        moved += next.start != first.start && next.start != first.start + 1;
        ok(next.token != first.token, "a token was used twice\n");
        first = next;
    }
    ok(moved, "8 blocks in a row\n");
}

static void test_large_wildcard(void)
{
    SOCKET s = open_socket(&kinds[TCP4]), other = open_socket(&kinds[TCP4]);
    unsigned int limit = descriptor_limit();
    struct block first, second;

    /* Of more than half the dynamic range, two do not fit. */
    if (limit && limit < 18000)
        skip("a process may open %u files, too few for two large blocks\n", limit);
    else
    {
        check_acquire(s, 0, 8300, 0, &first);
        ok(first.start >= DYNAMIC_FIRST, "starts at %u\n", first.start);
        check_acquire(other, 0, 8300, 0, &second);
        ok(second.start >= OTHER_FIRST && second.start + 8299 <= OTHER_LAST, "starts at %u\n",
           second.start);
    }
    check_close(s);
    check_close(other);

    /* More than the dynamic range has. */
    if (limit && limit < 18000)
        skip("a process may open %u files, too few for a block of 16385\n", limit);
    else
    {
        s = acquire_any(&kinds[UDP6], DYNAMIC_LAST - DYNAMIC_FIRST + 2, &first);
        ok(first.start >= OTHER_FIRST && first.start + first.count - 1 <= OTHER_LAST,
           "starts at %u\n", first.start);
        check_close(s);
    }
}

static void test_too_many(void)
{
    SOCKET s = open_socket(&kinds[TCP4]);
    unsigned int limit = descriptor_limit();
    USHORT start = find_ports(100);
    struct block block;

    /* Neither range has that many. */
    check_acquire(s, 0, 65535, WSAENOBUFS, NULL);
    check_acquire(s, 0, OTHER_LAST - OTHER_FIRST + 2, WSAENOBUFS, NULL);

    /* A port takes a descriptor of the host. */
    if (!limit || limit > 30000)
        skip("the limit of open files is too high or not known: %u\n", limit);
    else
    {
        check_acquire(s, 0, limit, WSAENOBUFS, NULL);
        check_acquire(s, start, limit, WSAENOBUFS, NULL);
        /* The program can go on, and nothing is kept. */
        check_close(acquire_any(&kinds[TCP4], limit / 2, &block));
        check_close(acquire_any(&kinds[TCP4], limit / 2, &block));
        check_free(&kinds[TCP4], start, 100);
    }
    check_close(s);
}

static void test_overlap(const struct kind *kind)
{
    USHORT start = find_ports(30);
    SOCKET s = open_socket(kind), other = open_socket(kind);

    check_acquire(s, start + 10, 10, 0, NULL);
    check_acquire(other, start + 10, 10, WSAEADDRINUSE, NULL);
    check_acquire(other, start + 12, 1, WSAEADDRINUSE, NULL);
    check_acquire(other, start, 11, WSAEADDRINUSE, NULL);
    check_acquire(other, start + 19, 11, WSAEADDRINUSE, NULL);
    check_acquire(other, start, 30, WSAEADDRINUSE, NULL);
    /* The socket that has it is in the way, too. */
    check_acquire(s, start + 10, 10, WSAEADDRINUSE, NULL);
    check_acquire(s, start + 15, 10, WSAEADDRINUSE, NULL);
    /* Nothing is kept. */
    check_free(kind, start, 10);
    check_free(kind, start + 20, 10);
    /* Neighbours are not. */
    check_acquire(other, start + 9, 1, 0, NULL);
    check_acquire(other, start + 20, 1, 0, NULL);
    check_close(other);
    check_close(s);
    check_free(kind, start, 30);
}

/* A socket with the port in the middle of three. */
static void check_used(const struct kind *kind, USHORT port)
{
    SOCKET s = open_socket(kind);

    check_acquire(s, port, 1, WSAEADDRINUSE, NULL);
    check_acquire(s, port, 2, WSAEADDRINUSE, NULL);
    check_acquire(s, port - 1, 2, WSAEADDRINUSE, NULL);
    check_acquire(s, port - 1, 3, WSAEADDRINUSE, NULL);
    check_free(kind, port - 1, 1);
    check_free(kind, port + 1, 1);
    check_close(s);
}

static void test_used(const struct kind *kind)
{
    static const char *const addresses[] = {"0.0.0.0", "127.0.0.1", "127.3.4.5", "::", "::1"};
    unsigned int i;
    int on = 1;

    for (i = 0; i < ARRAYSIZE(addresses); i++)
    {
        BOOL six = strchr(addresses[i], ':') != NULL;
        USHORT start = find_ports(3);
        SOCKET s;

        if (six != (kind->family == AF_INET6)) continue;
        winetest_push_context("%s", addresses[i]);
        s = open_socket(kind);
        check_bind_to(s, addresses[i], start + 1, 0);
        check_used(kind, start + 1);
        if (kind->type == SOCK_STREAM)
        {
            ok(!listen(s, 1), "listen failed, error %d\n", WSAGetLastError());
            check_used(kind, start + 1);
        }
        check_close(s);
        check_free(kind, start, 3);

        /* What the user of the port allows to others is not for us. */
        s = open_socket(kind);
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const char *)&on, sizeof(on));
        check_bind_to(s, addresses[i], start + 1, 0);
        check_used(kind, start + 1);
        check_close(s);
        check_free(kind, start, 3);
        winetest_pop_context();
    }
}

/* Ports that a program never asked for by number. */
static void test_used_by_connection(void)
{
    SOCKET listener = open_socket(&kinds[TCP4]), client = open_socket(&kinds[TCP4]), server;
    SOCKADDR_STORAGE address;
    USHORT port, client_port;
    int length, ret;

    port = find_ports(1);
    check_bind_to(listener, "127.0.0.1", port, 0);
    ok(!listen(listener, 1), "listen failed, error %d\n", WSAGetLastError());
    length = make_address("127.0.0.1", port, &address);
    ret = connect(client, (struct sockaddr *)&address, length);
    ok(!ret, "connect failed, error %d\n", WSAGetLastError());
    server = accept_soon(listener);
    client_port = port_of(client);
    check_close(listener);

    /* The accepted socket has it still. */
    listener = open_socket(&kinds[TCP4]);
    check_acquire(listener, port, 1, WSAEADDRINUSE, NULL);
    check_acquire(listener, client_port, 1, WSAEADDRINUSE, NULL);
    check_close(server);
    check_close(client);
    check_close(listener);
}

/* A connection that is over and that only TCP remembers is not in the way. */
static void test_time_wait(void)
{
    SOCKET listener = open_socket(&kinds[TCP4]), client = open_socket(&kinds[TCP4]), server;
    SOCKADDR_STORAGE address;
    USHORT port = find_ports(3) + 1;
    struct block block;
    int length, id;
    char byte;

    check_bind_to(listener, "127.0.0.1", port, 0);
    ok(!listen(listener, 1), "listen failed, error %d\n", WSAGetLastError());
    length = make_address("127.0.0.1", port, &address);
    ok(!connect(client, (struct sockaddr *)&address, length), "error %d\n", WSAGetLastError());
    server = accept_soon(listener);
    /* Who closes first has to wait. */
    check_close(server);
    ok(!recv(client, &byte, 1, 0), "the server has not closed\n");
    check_close(client);
    check_close(listener);

    if (!outsider_available())
        skip("no outsider to tell that the port is in TIME_WAIT\n");
    else
    {
        id = outsider_number("bind tcp 0.0.0.0 %u", port);
        ok(id == -LINUX_EADDRINUSE, "no connection in TIME_WAIT, outsider says %d\n", id);
    }

    listener = open_socket(&kinds[TCP4]);
    check_acquire(listener, port - 1, 3, 0, &block);
    check_associate(listener, block.token, 0);
    check_bind(listener, port, 0);
    ok(!listen(listener, 1), "listen failed, error %d\n", WSAGetLastError());
    check_conversation(&kinds[TCP4], listener);
    check_close(listener);
    check_free(&kinds[TCP4], port - 1, 3);
}

/* TCP and UDP are two worlds. */
static void test_protocols(void)
{
    SOCKET tcp = open_socket(&kinds[TCP4]), udp = open_socket(&kinds[UDP4]), s;
    USHORT start = find_ports(2);

    check_acquire(tcp, start, 2, 0, NULL);
    s = open_socket(&kinds[UDP6]);
    check_bind(s, start, 0);
    check_close(s);
    check_acquire(udp, start, 2, 0, NULL);
    check_close(tcp);
    check_free(&kinds[TCP4], start, 2);
    check_reserved(&kinds[UDP4], start);
    check_close(udp);

    s = open_socket(&kinds[UDP4]);
    check_bind(s, start, 0);
    check_free(&kinds[TCP4], start, 2);
    check_close(s);
}

/* IPv4 and IPv6 are one, whichever of them the reserving socket is for. */
static void test_families(const struct kind *kind)
{
    unsigned int first = kind->type == SOCK_STREAM ? TCP4 : UDP4, i;
    SOCKET s = open_socket(kind), other;
    USHORT start = find_ports(2);

    check_acquire(s, start, 2, 0, NULL);
    for (i = first; i < first + 3; i++)
    {
        winetest_push_context("against %s", kinds[i].name);
        other = open_socket(&kinds[i]);
        check_acquire(other, start + 1, 1, WSAEADDRINUSE, NULL);
        check_bind_to(other, kinds[i].wildcard, start, WSAEACCES);
        check_bind_to(other, kinds[i].family == AF_INET6 ? "::1" : "127.0.0.1", start, WSAEACCES);
        check_close(other);
        winetest_pop_context();
    }
    check_close(s);
}

static void test_several(const struct kind *kind)
{
    struct block first, second, third, fourth;
    SOCKET s = open_socket(kind);

    check_acquire(s, 0, 3, 0, &first);
    check_acquire(s, find_ports(3), 3, 0, &second);
    check_acquire(s, 0, 1, 0, &third);
    ok(first.token != second.token && second.token != third.token && first.token != third.token,
       "tokens %s, %s, %s\n", wine_dbgstr_longlong(first.token), wine_dbgstr_longlong(second.token),
       wine_dbgstr_longlong(third.token));
    check_close(draw(kind, &first, NULL));
    check_close(draw(kind, &second, NULL));

    check_release(s, second.token, 0);
    check_free(kind, second.start, second.count);
    check_reserved(kind, first.start);
    check_reserved(kind, third.start);

    /* Its last block ended, a socket can begin again. */
    check_release(s, first.token, 0);
    check_release(s, third.token, 0);
    check_acquire(s, first.start, 3, 0, &fourth);
    ok(fourth.token != first.token, "a token was used twice\n");
    check_acquire(s, second.start, 3, 0, NULL);
    check_close(s);
    check_free(kind, first.start, first.count);
    check_free(kind, second.start, second.count);
}

/* The codes do their work and return, also where other calls would not wait. */
static void test_non_blocking(const struct kind *kind)
{
    SOCKET s = open_socket(kind);
    struct block block;
    ULONG on = 1;

    ok(!ioctlsocket(s, FIONBIO, &on), "error %d\n", WSAGetLastError());
    check_acquire(s, 0, 100, 0, &block);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_release(s, block.token, 0);
    check_close(s);
}

static void test_bound(const struct kind *kind)
{
    SOCKET s = open_socket(kind), other;
    USHORT start = find_ports(4);
    struct block block;

    check_bind(s, start, 0);
    check_acquire(s, start, 1, WSAEADDRINUSE, NULL);
    check_acquire(s, start + 1, 3, 0, &block);
    if (kind->type == SOCK_STREAM)
    {
        ok(!listen(s, 1), "listen failed, error %d\n", WSAGetLastError());
        check_acquire(s, 0, 1, 0, NULL);
    }
    other = draw(kind, &block, NULL);
    check_conversation(kind, s);
    check_close(s);
    check_close(other);
    check_free(kind, start, 4);
}

START_TEST(acquire)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_specific(kind);
        test_wildcard(kind);
        test_overlap(kind);
        test_used(kind);
        test_families(kind);
        test_several(kind);
        test_non_blocking(kind);
        test_bound(kind);
        winetest_pop_context();
    }
    if (target_reserves_all())
    {
        test_wildcard_is_random();
        test_large_wildcard();
        test_too_many();
        test_used_by_connection();
        test_time_wait();
        test_protocols();
    }
    outsider_disconnect();
    WSACleanup();
}
