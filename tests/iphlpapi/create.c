/*
 * Tests of creating, looking up and deleting persistent reservations
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "util.h"

static const struct kind *other_protocol(const struct kind *kind)
{
    return &kinds[kind->type == SOCK_STREAM ? UDP4 : TCP4];
}

/* A range's life. Nothing but its very start and count will do. */
static void test_life(const struct kind *kind, USHORT count)
{
    USHORT start = find_ports(count + 2) + 1;
    struct block block;

    check_lookup(kind, start, count, ERROR_NOT_FOUND, 0);
    check_delete(kind, start, count, ERROR_NOT_FOUND);
    check_create(kind, start, count, 0, &block);
    check_stored(kind, start, count, TRUE);
    ok(published_token(kind, start, count) == block.token, "%s is published, got %s\n",
       wine_dbgstr_longlong(published_token(kind, start, count)),
       wine_dbgstr_longlong(block.token));
    check_lookup(kind, start, count, 0, block.token);
    check_lookup(kind, start, count, 0, block.token);
    check_held(kind, start, count);
    check_not_held(kind, start - 1);
    check_not_held(kind, start + count);

    check_lookup(kind, start, count + 1, ERROR_NOT_FOUND, 0);
    check_lookup(kind, start + 1, count, ERROR_NOT_FOUND, 0);
    check_lookup(kind, start - 1, count + 1, ERROR_NOT_FOUND, 0);
    check_lookup(other_protocol(kind), start, count, ERROR_NOT_FOUND, 0);
    check_delete(kind, start, count + 1, ERROR_NOT_FOUND);
    check_delete(kind, start + 1, count, ERROR_NOT_FOUND);
    check_delete(kind, start - 1, count + 1, ERROR_NOT_FOUND);
    check_delete(other_protocol(kind), start, count, ERROR_NOT_FOUND);
    if (count > 1)
    {
        check_lookup(kind, start, count - 1, ERROR_NOT_FOUND, 0);
        check_lookup(kind, start + 1, count - 1, ERROR_NOT_FOUND, 0);
        check_delete(kind, start, count - 1, ERROR_NOT_FOUND);
        check_delete(kind, start + 1, count - 1, ERROR_NOT_FOUND);
    }
    check_lookup(kind, start, count, 0, block.token);
    check_stored(kind, start, count, TRUE);
    check_held(kind, start, count);

    end_range(kind, &block);
    check_delete(kind, start, count, ERROR_NOT_FOUND);
    check_not_held(kind, start);
    check_not_held(kind, start + count - 1);
    check_free(kind, start, count);
}

static void check_invalid_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    check_create_(__FILE__, line, kind, start, count, ERROR_INVALID_PARAMETER, NULL);
    check_lookup_(__FILE__, line, kind, start, count, ERROR_INVALID_PARAMETER, 0);
    check_delete_(__FILE__, line, kind, start, count, ERROR_INVALID_PARAMETER);
    check_stored_(__FILE__, line, kind, start, count, FALSE);
}
#define check_invalid(...) check_invalid_(__LINE__, __VA_ARGS__)

static void test_bounds(const struct kind *kind)
{
    struct block block;
    USHORT start = find_ports(1);

    check_invalid(kind, 0, 0);
    check_invalid(kind, 0, 1);
    check_invalid(kind, 0, 65535);
    check_invalid(kind, start, 0);
    check_invalid(kind, 65535, 0);
    check_invalid(kind, 65535, 2);
    check_invalid(kind, 65535, 65535);
    check_invalid(kind, 65534, 3);
    check_invalid(kind, 2, 65535);
    check_invalid(kind, start, 65535);
    check_invalid(kind, start, 65536 - start + 1);

    check_create(kind, 65535, 1, 0, &block);
    check_create(kind, 65534, 2, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, 65535, 2, ERROR_INVALID_PARAMETER, NULL);
    check_held(kind, 65535, 1);
    check_acquire_meets(kind, 65535, 1);
    end_range(kind, &block);
    check_create(kind, 65534, 2, 0, &block);
    check_held(kind, 65534, 2);
    end_range(kind, &block);
    check_create(kind, 65535, 1, 0, &block);
    end_range(kind, &block);
}

/* What overlaps ports 10 to 19 of thirty, and what only touches them. */
static const struct
{
    USHORT offset;
    USHORT count;
    BOOL overlaps;
} overlaps[] = {
    {10, 10, TRUE}, {10, 1, TRUE},  {19, 1, TRUE},  {12, 3, TRUE},  {5, 6, TRUE},   {19, 5, TRUE},
    {5, 20, TRUE},  {0, 30, TRUE},  {10, 11, TRUE}, {9, 11, TRUE},  {9, 10, TRUE},  {11, 10, TRUE},
    {5, 5, FALSE},  {0, 10, FALSE}, {9, 1, FALSE},  {20, 1, FALSE}, {20, 5, FALSE}, {25, 1, FALSE},
};

/* Somebody has ports 10 to 19 from start on. */
static void check_overlaps_(int line, const struct kind *kind, USHORT start)
{
    struct block block;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(overlaps); i++)
    {
        USHORT first = start + overlaps[i].offset, count = overlaps[i].count;

        winetest_push_context("%u from %u", count, overlaps[i].offset);
        check_create_(__FILE__, line, kind, first, count,
                      overlaps[i].overlaps ? ERROR_SHARING_VIOLATION : 0, &block);
        check_stored_(__FILE__, line, kind, first, count, !overlaps[i].overlaps);
        if (overlaps[i].overlaps)
            check_lookup_(__FILE__, line, kind, first, count, ERROR_NOT_FOUND, 0);
        else
            end_range_(__FILE__, line, kind, &block);
        winetest_pop_context();
    }
    check_not_held_(__FILE__, line, kind, start + 9);
    check_not_held_(__FILE__, line, kind, start + 20);
}
#define check_overlaps(...) check_overlaps_(__LINE__, __VA_ARGS__)

static void test_overlap_runtime(const struct kind *kind)
{
    USHORT start = find_ports(30);
    SOCKET owner = open_socket(kind), s;
    struct block block;

    check_acquire(owner, start + 10, 10, 0, &block);
    s = draw(kind, &block, NULL);
    check_overlaps(kind, start);
    check_close(s);
    check_close(owner);
    check_create(kind, start, 30, 0, &block);
    end_range(kind, &block);
}

static void test_overlap_persistent(const struct kind *kind)
{
    USHORT start = find_ports(30);
    struct block block, same;
    ULONG64 token = 0;

    check_create(kind, start + 10, 10, 0, &block);
    /* The very same is in the way as well; its value is the one that must stay. */
    check_create(kind, start + 10, 10, ERROR_SHARING_VIOLATION, NULL);
    check_stored(kind, start + 10, 10, TRUE);
    lookup_range(kind, start + 10, 10, &token);
    ok(token == block.token, "token %s, was %s\n", wine_dbgstr_longlong(token),
       wine_dbgstr_longlong(block.token));
    check_create(kind, start + 9, 2, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start + 19, 2, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start + 12, 3, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start, 30, ERROR_SHARING_VIOLATION, NULL);
    check_create(other_protocol(kind), start + 10, 10, 0, &same);
    ok(same.token != block.token, "the token serves TCP and UDP\n");
    end_range(other_protocol(kind), &same);
    check_create(kind, start, 10, 0, &same);
    end_range(kind, &same);
    check_create(kind, start + 20, 10, 0, &same);
    end_range(kind, &same);
    check_lookup(kind, start + 10, 10, 0, block.token);
    check_held(kind, start + 10, 10);
    check_acquire_meets(kind, start + 10, 10);
    end_range(kind, &block);
}

/* A port in the middle is bound: at any address, of any family. */
static void test_overlap_bound(const struct kind *kind)
{
    static const struct
    {
        unsigned int kinds[2]; /* TCP, UDP */
        const char *address;
    } shapes[] = {
        {{TCP4, UDP4}, "0.0.0.0"},    {{TCP4, UDP4}, "127.0.0.1"},  {{TCP6, UDP6}, "::"},
        {{TCP6, UDP6}, "::1"},        {{TCP_DUAL, UDP_DUAL}, "::"}, {{TCP_DUAL, UDP_DUAL}, "::1"},
        {{TCP4, UDP4}, "192.0.2.10"},
    };
    USHORT start = find_ports(5);
    char interface_address[16];
    struct block block;
    unsigned int i;
    SOCKET s;

    for (i = 0; i < ARRAYSIZE(shapes); i++)
    {
        if (!strcmp(shapes[i].address, "192.0.2.10") &&
            (!GetEnvironmentVariableA("TAWNY_ADDRESS", interface_address,
                                      sizeof(interface_address)) ||
             strcmp(interface_address, shapes[i].address)))
        {
            skip("there is no interface of the test's own\n");
            continue;
        }
        winetest_push_context("against %s", shapes[i].address);
        s = open_socket(&kinds[shapes[i].kinds[kind->type == SOCK_DGRAM]]);
        check_bind_to(s, shapes[i].address, start + 2, 0);
        check_create(kind, start, 5, ERROR_SHARING_VIOLATION, NULL);
        check_create(kind, start + 2, 1, ERROR_SHARING_VIOLATION, NULL);
        check_stored(kind, start, 5, FALSE);
        check_create(kind, start, 2, 0, &block);
        end_range(kind, &block);
        if (kind->type == SOCK_STREAM)
        {
            ok(!listen(s, 1), "error %d\n", WSAGetLastError());
            check_create(kind, start, 5, ERROR_SHARING_VIOLATION, NULL);
        }
        check_create(other_protocol(kind), start, 5, 0, &block);
        end_range(other_protocol(kind), &block);
        check_close(s);
        check_create(kind, start, 5, 0, &block);
        end_range(kind, &block);
        winetest_pop_context();
    }
}

static void test_overlap_outsider(const struct kind *kind)
{
    USHORT start = find_ports(3);
    struct block block;
    unsigned int i;

    for (i = 0; i < OUTSIDER_SHAPES; i++)
    {
        int id = outsider_bind_shape(kind, &outsider_shapes[i], start + 1, "");

        winetest_push_context("against %s %s", outsider_shapes[i].address,
                              outsider_shapes[i].option);
        ok(id > 0, "errno %d\n", -id);
        check_create(kind, start, 3, ERROR_SHARING_VIOLATION, NULL);
        check_stored(kind, start, 3, FALSE);
        /* The others were given back. */
        check_not_held(kind, start);
        check_not_held(kind, start + 2);
        outsider("close %d", id);
        check_create(kind, start, 3, 0, &block);
        end_range(kind, &block);
        winetest_pop_context();
    }
}

/* A connection at a port, on either side, and what TCP remembers of one that is over. */
static void test_connections(void)
{
    SOCKET listener = open_socket(&kinds[TCP4]), client = open_socket(&kinds[TCP4]), server;
    USHORT port = find_ports(3) + 1;
    SOCKADDR_STORAGE address;
    struct block block;
    int length, id;
    char byte;

    check_bind_to(listener, "127.0.0.1", port, 0);
    ok(!listen(listener, 1), "listen failed, error %d\n", WSAGetLastError());
    length = make_address("127.0.0.1", port, &address);
    ok(!connect(client, (struct sockaddr *)&address, length), "error %d\n", WSAGetLastError());
    server = accept_soon(listener);
    check_close(listener);
    check_create(&kinds[TCP4], port, 1, ERROR_SHARING_VIOLATION, NULL);
    check_create(&kinds[TCP4], port_of(client), 1, ERROR_SHARING_VIOLATION, NULL);
    check_create(&kinds[TCP4], port - 1, 3, ERROR_SHARING_VIOLATION, NULL);
    /* Who closes first has to wait. */
    check_close(server);
    ok(!recv(client, &byte, 1, 0), "the server has not closed\n");
    check_close(client);

    if (!outsider_available())
        skip("no outsider to tell that the port is in TIME_WAIT\n");
    else
    {
        id = outsider_number("bind tcp 0.0.0.0 %u", port);
        ok(id == -LINUX_EADDRINUSE, "no connection in TIME_WAIT, outsider says %d\n", id);
    }
    check_create(&kinds[TCP4], port - 1, 3, 0, &block);
    check_held(&kinds[TCP4], port, 1);
    listener = associated(&kinds[TCP4], &block);
    check_bind(listener, port, 0);
    ok(!listen(listener, 1), "listen failed, error %d\n", WSAGetLastError());
    check_conversation(&kinds[TCP4], listener);
    check_close(listener);
    end_range(&kinds[TCP4], &block);
}

/* A common mistake of callers: the range is another one, and is found again by the same mistake. */
static void test_byte_order(const struct kind *kind)
{
    static const USHORT given = 5000, meant = 0x8813;
    ULONG64 token = 0, found = 0;
    ULONG error;

    if (kind->type == SOCK_STREAM)
        error = CreatePersistentTcpPortReservation(given, 2, &token);
    else
        error = CreatePersistentUdpPortReservation(given, 2, &token);
    ok(!error, "error %lu\n", error);
    check_stored(kind, meant, 2, TRUE);
    check_lookup(kind, meant, 2, 0, token);
    check_lookup(kind, given, 2, ERROR_NOT_FOUND, 0);
    check_held(kind, meant, 2);
    if (kind->type == SOCK_STREAM)
        error = LookupPersistentTcpPortReservation(given, 2, &found);
    else
        error = LookupPersistentUdpPortReservation(given, 2, &found);
    ok(!error && found == token, "error %lu, token %s\n", error, wine_dbgstr_longlong(found));
    if (kind->type == SOCK_STREAM)
        error = DeletePersistentTcpPortReservation(given, 2);
    else
        error = DeletePersistentUdpPortReservation(given, 2);
    ok(!error, "error %lu\n", error);
    check_stored(kind, meant, 2, FALSE);
    check_not_held(kind, meant);
}

/* The names that Windows gives to these, letter by letter. */
static void test_names(void)
{
    static const struct
    {
        USHORT start;
        USHORT count;
        const char *name;
    } names[] = {
        {5000, 20, "13881400"},
        {52311, 1, "cc570100"},
        {4096, 257, "10000101"},
        {43981, 2, "abcd0200"},
    };
    DWORD type, size;
    struct block block;
    unsigned int i, j;
    BYTE data[16];

    for (i = 0; i < ARRAYSIZE(names); i++)
    {
        for (j = 0; j < 2; j++)
        {
            const struct kind *kind = &kinds[j ? UDP4 : TCP4];
            static const BYTE expected[] = {0x12, 0x00, 0xff, 0xff};

            winetest_push_context("%s %s", kind->name, names[i].name);
            check_create(kind, names[i].start, names[i].count, 0, &block);
            memset(data, 0, sizeof(data));
            size = store_read(kind, names[i].name, &type, data, sizeof(data));
            ok(size == 4 && type == REG_BINARY && !memcmp(data, expected, 4),
               "%lu bytes of type %lu: %02x %02x %02x %02x\n", size, type, data[0], data[1],
               data[2], data[3]);
            end_range(kind, &block);
            winetest_pop_context();
        }
    }
}

/* No two ranges have the same token, not even one after the other. */
static void test_tokens(void)
{
    enum
    {
        RANGES = 40
    };
    ULONG64 tokens[2 * RANGES];
    struct block blocks[RANGES];
    USHORT start = find_ports(RANGES);
    unsigned int round, i, j, count = 0;

    for (round = 0; round < 2; round++)
    {
        for (i = 0; i < RANGES; i++)
        {
            check_create(&kinds[i % 2 ? UDP6 : TCP4], start + i, 1, 0, &blocks[i]);
            for (j = 0; j < count; j++)
                ok(tokens[j] != blocks[i].token, "token %s was given twice\n",
                   wine_dbgstr_longlong(tokens[j]));
            tokens[count++] = blocks[i].token;
        }
        for (i = 0; i < RANGES; i++)
            check_lookup(&kinds[i % 2 ? UDP6 : TCP4], start + i, 1, 0, blocks[i].token);
        for (i = 0; i < RANGES; i++) end_range(&kinds[i % 2 ? UDP6 : TCP4], &blocks[i]);
    }
}

/* TCP and UDP are two worlds. */
static void test_protocols(void)
{
    USHORT start = find_ports(10);
    struct block tcp, udp;

    check_create(&kinds[TCP4], start, 10, 0, &tcp);
    check_unreserved(&kinds[UDP4], start);
    check_create(&kinds[UDP4], start, 10, 0, &udp);
    check_lookup(&kinds[TCP4], start, 10, 0, tcp.token);
    check_lookup(&kinds[UDP4], start, 10, 0, udp.token);
    end_range(&kinds[TCP4], &tcp);
    check_lookup(&kinds[UDP4], start, 10, 0, udp.token);
    check_held(&kinds[UDP4], start, 10);
    check_not_held(&kinds[TCP4], start);
    end_range(&kinds[UDP4], &udp);
}

/* A range of many ports, and all of them. */
static void test_large(const struct kind *kind)
{
    USHORT count = many_ports(1000), i;
    USHORT start = find_ports(count);
    struct block block;
    const char *which;

    check_create(kind, start, count, 0, &block);
    if (outsider_available())
        for (i = 0; i < count; i += 7)
            ok(!outsider_gets(kind, start + i, "", &which), "port %u is not held\n", start + i);
    check_acquire_meets(kind, start + count - 3, 3);
    end_range(kind, &block);
    check_free(kind, start, count);
}

static void test_all(void)
{
    static const unsigned int protocols[] = {TCP4, UDP4};
    unsigned int i;

    if (!outsider_available()) skip("no outsider: the host is not asked\n");
    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        const struct kind *kind = &kinds[protocols[i]];

        winetest_push_context("%s", kind->name);
        test_life(kind, 1);
        test_life(kind, 5);
        test_life(kind, 300);
        test_bounds(kind);
        test_overlap_runtime(kind);
        test_overlap_persistent(kind);
        test_overlap_bound(kind);
        if (outsider_available()) test_overlap_outsider(kind);
        test_byte_order(kind);
        test_large(kind);
        winetest_pop_context();
    }
    test_connections();
    test_names();
    test_tokens();
    test_protocols();
}

START_TEST(create)
{
    ranges_test(NULL, test_all);
}
