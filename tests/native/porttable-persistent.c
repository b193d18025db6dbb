/*
 * Tests of the port table's persistent ranges, one thread
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "dlls/portpool/porttable.h"
#include "test.h"

#define TCP 0
#define UDP 1

#define OWNERS_LIMIT 100000
#define OWNER_MOST   ((UINT64_C(1) << 60) - 1)

static bool dead[OWNERS_LIMIT];
static unsigned long questions; /* about owners */
static struct port_table *table;

static bool owner_alive(uint64_t owner)
{
    questions++;
    return owner == OWNER_MOST || !dead[owner];
}

static void table_new(void)
{
    free(table);
    memset(dead, 0, sizeof(dead));
    /* Where nobody is the owner, his life or death must not matter. */
    dead[0] = true;
    if ((table = calloc(1, sizeof(*table)))) return;
    perror("calloc");
    exit(1);
}

#define check_block(protocol, start, count, kind, owner)                                           \
    check_block_(__LINE__, protocol, start, count, kind, owner)
static void check_block_(int line, unsigned int protocol, uint32_t start, uint32_t count,
                         enum port_kind kind, uint64_t owner)
{
    for (uint32_t port = start; port < start + count; port++)
    {
        uint64_t found = 12345;
        enum port_kind found_kind = port_table_lookup(table, protocol, port, &found);

        ok_(__FILE__, line, found_kind == kind && found == owner,
            "port %u: kind %u, owner %lu, expected %u, %lu", port, found_kind, (unsigned long)found,
            kind, (unsigned long)owner);
    }
}

/* conflict is 0 where the claim should come off. */
#define check_claim(protocol, start, count, owner, conflict)                                       \
    check_claim_(__LINE__, protocol, start, count, owner, conflict)
static void check_claim_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                         uint64_t owner, uint16_t expected)
{
    uint16_t conflict = 0;
    bool claimed = port_table_claim(table, protocol, start, count, owner, owner_alive, &conflict);

    ok_(__FILE__, line, claimed == !expected && conflict == expected,
        "claim of %u ports from %u: %s, conflict at %u, expected %u", count, start,
        claimed ? "done" : "refused", conflict, expected);
}

#define check_claim_persistent(protocol, start, count, conflict)                                   \
    check_claim_persistent_(__LINE__, protocol, start, count, conflict)
static void check_claim_persistent_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                                    uint16_t expected)
{
    uint16_t conflict = 0;
    bool claimed =
        port_table_claim_persistent(table, protocol, start, count, owner_alive, &conflict);

    ok_(__FILE__, line, claimed == !expected && conflict == expected,
        "claim of %u ports from %u: %s, conflict at %u, expected %u", count, start,
        claimed ? "done" : "refused", conflict, expected);
}

#define check_draw(protocol, start, count, drawer, expected)                                       \
    check_draw_(__LINE__, protocol, start, count, drawer, expected)
static void check_draw_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                        uint64_t drawer, uint16_t expected)
{
    uint16_t port = port_table_draw_persistent(table, protocol, start, count, drawer);

    ok_(__FILE__, line, port == expected, "drew %u from %u ports from %u, expected %u", port, count,
        start, expected);
    if (port)
        ok_(__FILE__, line, port_table_is_drawn(table, protocol, port, drawer),
            "%u is not drawn by %lu", port, (unsigned long)drawer);
}

#define check_draw_exact(protocol, port, drawer, expected)                                         \
    check_draw_exact_(__LINE__, protocol, port, drawer, expected)
static void check_draw_exact_(int line, unsigned int protocol, uint16_t port, uint64_t drawer,
                              bool expected)
{
    bool drawn = port_table_draw_exact_persistent(table, protocol, port, drawer);

    ok_(__FILE__, line, drawn == expected, "%u was %sdrawn", port, drawn ? "" : "not ");
}

#define check_reclaimable(protocol, port, expected)                                                \
    check_reclaimable_(__LINE__, protocol, port, expected)
static uint64_t check_reclaimable_(int line, unsigned int protocol, uint16_t port, bool expected)
{
    uint64_t noted = port_table_reclaimable(table, protocol, port, owner_alive);

    ok_(__FILE__, line, !!noted == expected, "%u can%s be reclaimed", port, noted ? "" : "not");
    return noted;
}

static void test_claim(void)
{
    table_new();
    check_claim_persistent(TCP, 1000, 10, 0);
    check_block(TCP, 990, 10, PORT_FREE, 0);
    check_block(TCP, 1000, 10, PORT_PERSISTENT, 0);
    check_block(TCP, 1010, 10, PORT_FREE, 0);
    check_block(UDP, 990, 30, PORT_FREE, 0);

    /* No owner is asked about: there is none. */
    questions = 0;
    check_claim(TCP, 995, 10, 1, 1000);
    check_claim(TCP, 1009, 10, 1, 1009);
    check_claim(TCP, 1000, 10, 1, 1000);
    check_draw_exact(TCP, 1003, 1, true);
    dead[1] = true;
    check_claim(TCP, 1003, 1, 2, 1003);
    check_claim_persistent(TCP, 1000, 10, 0);
    ok(!questions, "%lu questions about owners", questions);
    check_block(TCP, 990, 10, PORT_FREE, 0);
    check_block(TCP, 1000, 10, PORT_PERSISTENT, 0);
    check_claim(TCP, 990, 10, 2, 0);
    check_claim(TCP, 1010, 10, 2, 0);

    port_table_free_persistent(table, TCP, 995, 10);
    check_block(TCP, 990, 10, PORT_RUNTIME, 2);
    check_block(TCP, 1000, 5, PORT_FREE, 0);
    check_block(TCP, 1005, 5, PORT_PERSISTENT, 0);
    check_claim(TCP, 1000, 5, 3, 0);

    /* Nobody frees by the one function what was claimed by the other. */
    port_table_free(table, TCP, 1000, 10, 0);
    port_table_free(table, TCP, 1000, 10, 2);
    check_block(TCP, 1000, 5, PORT_RUNTIME, 3);
    check_block(TCP, 1005, 5, PORT_PERSISTENT, 0);

    /* To the last port. */
    check_claim_persistent(UDP, 65530, 6, 0);
    check_block(UDP, 65530, 6, PORT_PERSISTENT, 0);
    port_table_free_persistent(table, UDP, 65530, 6);
    check_block(UDP, 65530, 6, PORT_FREE, 0);
    check_claim_persistent(UDP, 1, 65535, 0);
    check_block(UDP, 1, 65535, PORT_PERSISTENT, 0);
}

static void test_conflict(void)
{
    bool kept;

    table_new();
    check_claim_persistent(TCP, 1000, 5, 0);
    check_draw_exact(TCP, 1001, 1, true);
    ok(port_table_make_uncertain(table, TCP, 1002), "1002 is not persistent");
    check_claim(TCP, 1010, 5, 2, 0);

    /* What is persistent already stays, in its state, and the rest is as it was. */
    check_claim_persistent(TCP, 995, 20, 1010);
    check_block(TCP, 990, 10, PORT_FREE, 0);
    check_block(TCP, 1000, 5, PORT_PERSISTENT, 0);
    check_block(TCP, 1005, 5, PORT_FREE, 0);
    check_block(TCP, 1010, 5, PORT_RUNTIME, 2);
    ok(port_table_is_drawn(table, TCP, 1001, 1), "1001 was given back");
    check_reclaimable(TCP, 1002, true);
    check_claim(TCP, 995, 5, 3, 0);
    check_claim_persistent(TCP, 1000, 10, 0);
    check_block(TCP, 1000, 10, PORT_PERSISTENT, 0);
    ok(port_table_is_drawn(table, TCP, 1001, 1), "1001 was given back");
    check_draw(TCP, 1000, 10, 2, 1000);
    check_draw(TCP, 1000, 10, 2, 1003);

    /* A port being bound by number is in the way until that is over. */
    ok(port_table_begin_bind(table, TCP, 2003, 1, owner_alive, &kept) && kept, "2003 is reserved");
    check_claim_persistent(TCP, 2000, 10, 2003);
    check_block(TCP, 2000, 3, PORT_FREE, 0);
    port_table_end_bind(table, TCP, 2003, 1);
    check_claim_persistent(TCP, 2000, 10, 0);

    /* The dead are not. */
    ok(port_table_begin_bind(table, TCP, 1020, 2, owner_alive, &kept) && kept, "1020 is reserved");
    ok(port_table_draw_exact(table, TCP, 1011, 2), "1011 could not be drawn");
    dead[2] = true;
    check_claim_persistent(TCP, 1010, 11, 0);
    check_block(TCP, 1010, 11, PORT_PERSISTENT, 0);
    for (uint16_t port = 1010; port <= 1020; port++) check_draw(TCP, 1010, 11, 3, port);
    check_draw(TCP, 1010, 11, 3, 0);
}

static void test_bind(void)
{
    bool kept = true;

    table_new();
    check_claim_persistent(UDP, 1000, 3, 0);
    check_draw_exact(UDP, 1001, 1, true);
    ok(port_table_make_uncertain(table, UDP, 1002), "1002 is not persistent");
    for (uint16_t port = 1000; port < 1003; port++)
    {
        kept = true;
        ok(!port_table_begin_bind(table, UDP, port, 1, owner_alive, &kept), "%u is free", port);
        ok(!kept, "%u is kept", port);
        port_table_end_bind(table, UDP, port, 1);
        port_table_end_bind(table, UDP, port, 0);
    }
    check_block(UDP, 1000, 3, PORT_PERSISTENT, 0);
    ok(port_table_is_drawn(table, UDP, 1001, 1), "1001 was given back");
    ok(port_table_begin_bind(table, TCP, 1000, 1, owner_alive, &kept) && kept, "TCP too");

    /* Begun before the port was persistent, ended after. */
    ok(port_table_begin_bind(table, UDP, 1003, 4, owner_alive, &kept) && kept, "1003 is reserved");
    dead[4] = true;
    check_claim_persistent(UDP, 1003, 1, 0);
    port_table_end_bind(table, UDP, 1003, 4);
    check_block(UDP, 1003, 1, PORT_PERSISTENT, 0);
}

/* Runtime functions do nothing to persistent ports, and the reverse. */
static void test_kinds(void)
{
    table_new();
    check_claim(TCP, 1000, 5, 1, 0);
    check_claim_persistent(TCP, 1005, 5, 0);
    for (uint64_t owner = 0; owner < 3; owner++)
    {
        ok(!port_table_draw_exact(table, TCP, 1005, owner), "1005 was drawn as a runtime port");
        check_draw_exact(TCP, 1000, owner, false);
    }
    check_draw_exact(TCP, 900, 1, false);
    ok(!port_table_make_uncertain(table, TCP, 1000), "1000 is uncertain");
    ok(!port_table_make_uncertain(table, TCP, 900), "900 is uncertain");
    check_reclaimable(TCP, 1000, false);
    check_reclaimable(TCP, 900, false);

    ok(port_table_draw_exact(table, TCP, 1000, 1), "1000 could not be drawn");
    ok(!port_table_is_drawn(table, TCP, 1000, 1), "1000 is drawn as a persistent port");
    port_table_return_persistent(table, TCP, 1000, 1);
    ok(!port_table_draw_exact(table, TCP, 1000, 1), "1000 was returned as a persistent port");
    dead[1] = true;
    check_reclaimable(TCP, 1000, false);
    dead[1] = false;

    check_draw_exact(TCP, 1005, 1, true);
    port_table_return(table, TCP, 1005, 1);
    ok(port_table_is_drawn(table, TCP, 1005, 1), "1005 was returned as a runtime port");

    /* Draws stop at the edge between the two. */
    for (uint16_t port = 1001; port < 1005; port++)
        ok(port_table_draw(table, TCP, 1000, 10, 1, port - 1) == port, "%u was not drawn", port);
    ok(!port_table_draw(table, TCP, 1000, 10, 1, 0), "drew a persistent port");
    for (uint16_t port = 1006; port < 1010; port++) check_draw(TCP, 1000, 10, 1, port);
    check_draw(TCP, 1000, 10, 1, 0);
}

static void test_draw(void)
{
    table_new();
    check_claim_persistent(TCP, 1000, 5, 0);
    check_claim_persistent(UDP, 1000, 5, 0);
    /* In rotation, whoever draws; each protocol for itself. */
    check_draw(TCP, 1000, 5, 1, 1000);
    check_draw(TCP, 1000, 5, 2, 1001);
    check_draw(UDP, 1000, 5, 2, 1000);
    port_table_return_persistent(table, TCP, 1000, 1);
    check_draw(TCP, 1000, 5, 1, 1002);
    port_table_return_persistent(table, TCP, 1002, 1);
    check_draw(TCP, 1000, 5, 1, 1003);
    check_draw(TCP, 1000, 5, 1, 1004);
    check_draw(TCP, 1000, 5, 1, 1000);
    check_draw(TCP, 1000, 5, 1, 1002);
    check_draw(TCP, 1000, 5, 1, 0);
    check_draw(TCP, 1000, 5, 2, 0);

    /* Nobody returns what is another's, or twice. */
    port_table_return_persistent(table, TCP, 1001, 1);
    check_draw(TCP, 1000, 5, 1, 0);
    port_table_return_persistent(table, UDP, 1001, 2);
    port_table_return_persistent(table, TCP, 1001, 2);
    check_draw(TCP, 1000, 5, OWNER_MOST, 1001);
    port_table_return_persistent(table, TCP, 1001, 2);
    ok(port_table_is_drawn(table, TCP, 1001, OWNER_MOST), "1001 was returned by another");
    ok(!port_table_is_drawn(table, TCP, 1001, 2), "1001 is drawn by two");
    ok(!port_table_is_drawn(table, UDP, 1001, OWNER_MOST), "1001 is drawn for UDP too");
    check_draw_exact(TCP, 1001, OWNER_MOST, false);

    /* By number. */
    check_draw_exact(UDP, 1001, 3, true);
    check_draw(UDP, 1000, 5, 2, 1002);
    check_draw_exact(UDP, 1002, 3, false);
    port_table_return_persistent(table, UDP, 1001, 3);
    check_draw_exact(UDP, 1001, 3, true);

    /* A range that is made again is idle, whatever was drawn. */
    port_table_free_persistent(table, TCP, 1000, 5);
    ok(!port_table_is_drawn(table, TCP, 1001, OWNER_MOST), "1001 is drawn, and free");
    check_draw(TCP, 1000, 5, 1, 0);
    check_claim_persistent(TCP, 1000, 5, 0);
    port_table_return_persistent(table, TCP, 1001, OWNER_MOST);
    for (int i = 0; i < 5; i++)
        ok(port_table_draw_persistent(table, TCP, 1000, 5, 1), "draw %d failed", i);
    check_draw(TCP, 1000, 5, 1, 0);
}

/* Draws a whole range: every port once, and then none. */
#define check_draw_all(start, count, drawer) check_draw_all_(__LINE__, start, count, drawer)
static void check_draw_all_(int line, uint16_t start, uint32_t count, uint64_t drawer)
{
    bool *drawn = calloc(PORT_TABLE_PORTS, sizeof(*drawn));
    uint32_t wrong = 0;
    uint16_t port;

    for (uint32_t i = 0; i < count; i++)
    {
        port = port_table_draw_persistent(table, TCP, start, count, drawer);
        if (port < start || port >= start + count || drawn[port]) wrong++;
        drawn[port] = true;
    }
    ok_(__FILE__, line, !wrong, "%u of %u draws from %u were outside or doubled", wrong, count,
        start);
    port = port_table_draw_persistent(table, TCP, start, count, drawer);
    ok_(__FILE__, line, !port, "drew %u from an exhausted range", port);
    free(drawn);
}

static void test_draw_all(void)
{
    static const struct
    {
        uint16_t start;
        uint32_t count;
    } ranges[] = {
        {1, 1},     {1, 64},      {63, 2},       {64, 64},   {65, 63},   {60, 200},   {4095, 2},
        {4096, 64}, {4095, 4098}, {1000, 20000}, {65535, 1}, {65534, 2}, {65471, 65}, {1, 65535},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
    {
        uint16_t start = ranges[i].start;
        uint32_t count = ranges[i].count, end = start + count - 1;

        table_new();
        /* Idle ports of another range and of a block on either side, which must not be met. */
        if (start > 1) check_claim_persistent(TCP, 1, start - 1, 0);
        if (end < 65535) check_claim(TCP, end + 1, 65535 - end, 2, 0);
        check_claim_persistent(TCP, start, count, 0);
        check_draw_all(start, count, 1);
        /* One that comes back is found, wherever it is, and whatever it was meanwhile. */
        for (int tries = 0; tries < 20; tries++)
        {
            uint16_t port = start + random() % count;

            if (tries % 2)
                port_table_return_persistent(table, TCP, port, 1);
            else if (ok(port_table_make_uncertain(table, TCP, port), "%u is gone", port))
                ok(port_table_reclaim(table, TCP, port, check_reclaimable(TCP, port, true)),
                   "%u could not be reclaimed", port);
            check_draw(TCP, start, count, 1, port);
        }
        port_table_free_persistent(table, TCP, start, count);
        check_block(TCP, start, count, PORT_FREE, 0);
        if (start > 1) check_draw_all(1, start - 1, 3);
    }
}

/* Who dies just after a port has come back, or while he looks whether one did, leaves its hint, or
 * its word's, cleared for good. */
static void test_lost_hints(void)
{
    table_new();
    check_claim_persistent(TCP, 4000, 200, 0);
    memset(table->idle_words, 0, sizeof(table->idle_words));
    check_draw_all(4000, 200, 1);
    port_table_return_persistent(table, TCP, 4063, 1);
    port_table_return_persistent(table, TCP, 4150, 1);
    memset(table->idle, 0, sizeof(table->idle));
    check_draw(TCP, 4000, 200, 2, 4063);
    check_draw(TCP, 4000, 200, 2, 4150);
    check_draw(TCP, 4000, 200, 2, 0);

    check_claim(TCP, 3000, 100, 1, 0);
    memset(table->idle, 0, sizeof(table->idle));
    for (uint16_t port = 3000; port < 3100; port++)
        ok(port_table_draw(table, TCP, 3000, 100, 1, port - 1) == port, "%u was not drawn", port);
    ok(!port_table_draw(table, TCP, 3000, 100, 1, 0), "drew from an exhausted block");
}

#define check_token(protocol, token, start, count)                                                 \
    check_token_(__LINE__, protocol, token, start, count)
static void check_token_(int line, unsigned int protocol, uint64_t token, uint16_t expected_start,
                         uint16_t expected_count)
{
    uint16_t start = 0, count = port_table_find_token(table, protocol, token, &start);

    ok_(__FILE__, line, count == expected_count && (!count || start == expected_start),
        "token %#lx: %u ports from %u, expected %u from %u", (unsigned long)token, count, start,
        expected_count, expected_start);
}

#define TOKEN(number, start) (UINT64_C(number) << 16 | (start))

static void test_token(void)
{
    table_new();
    check_token(TCP, 0, 0, 0);
    check_token(TCP, 1000, 0, 0);
    port_table_publish(table, TCP, 1000, 10, TOKEN(0x123456789abc, 1000));
    port_table_publish(table, TCP, 1010, 1, TOKEN(0x123456789abc, 1010));
    port_table_publish(table, UDP, 1000, 20, TOKEN(0xffffffffffff, 1000));
    port_table_publish(table, TCP, 65535, 1, TOKEN(1, 65535));
    port_table_publish(table, TCP, 1, 65535, TOKEN(0x800000000000, 1));
    check_token(TCP, TOKEN(0x123456789abc, 1000), 1000, 10);
    check_token(TCP, TOKEN(0x123456789abc, 1010), 1010, 1);
    check_token(UDP, TOKEN(0xffffffffffff, 1000), 1000, 20);
    check_token(TCP, TOKEN(1, 65535), 65535, 1);
    check_token(TCP, TOKEN(0x800000000000, 1), 1, 65535);

    /* Another protocol's, near misses, a start port alone. */
    check_token(UDP, TOKEN(0x123456789abc, 1000), 0, 0);
    check_token(TCP, TOKEN(0xffffffffffff, 1000), 0, 0);
    check_token(TCP, TOKEN(0x123456789abc, 1001), 0, 0);
    check_token(TCP, TOKEN(0x123456789abd, 1000), 0, 0);
    check_token(TCP, TOKEN(0x23456789abc, 1000), 0, 0);
    check_token(TCP, TOKEN(0x123456789abc, 0), 0, 0);
    check_token(TCP, 1000, 0, 0);
    check_token(TCP, 0, 0, 0);

    /* Known again by the same token, then by another with another count. */
    port_table_publish(table, TCP, 1000, 10, TOKEN(0x123456789abc, 1000));
    check_token(TCP, TOKEN(0x123456789abc, 1000), 1000, 10);
    port_table_publish(table, TCP, 1000, 7, TOKEN(5, 1000));
    check_token(TCP, TOKEN(0x123456789abc, 1000), 0, 0);
    check_token(TCP, TOKEN(5, 1000), 1000, 7);
    port_table_withdraw(table, TCP, 1000);
    check_token(TCP, TOKEN(5, 1000), 0, 0);
    check_token(TCP, 0, 0, 0);
    check_token(TCP, 1000, 0, 0);
    check_token(UDP, TOKEN(0xffffffffffff, 1000), 1000, 20);
    port_table_withdraw(table, TCP, 1000);
    port_table_publish(table, TCP, 1000, 3, TOKEN(6, 1000));
    check_token(TCP, TOKEN(6, 1000), 1000, 3);
}

#define check_lock(protocol, port, owner, expected)                                                \
    check_lock_(__LINE__, protocol, port, owner, expected)
static void check_lock_(int line, unsigned int protocol, uint16_t port, uint64_t owner,
                        bool expected)
{
    bool locked = port_table_try_lock(table, protocol, port, owner, owner_alive);

    ok_(__FILE__, line, locked == expected, "%u was %slocked by %lu", port, locked ? "" : "not ",
        (unsigned long)owner);
}

#define check_idle(port, expected) check_idle_(__LINE__, port, expected)
static void check_idle_(int line, uint16_t port, bool expected)
{
    bool idle = port_table_is_idle(table, TCP, port);

    ok_(__FILE__, line, idle == expected, "port %u: %u, expected %u", port, idle, expected);
    ok_(__FILE__, line, !port_table_is_idle(table, UDP, port), "port %u: idle as UDP", port);
}

/* Reserved, in whichever way, and used by nobody. */
static void test_idle(void)
{
    bool kept;

    table_new();
    check_idle(5000, false);
    check_claim(TCP, 5000, 2, 7, 0);
    check_idle(5000, true);
    port_table_publish_block(table, TCP, 5000, 2, 7);
    check_idle(5000, true);
    check_idle(5002, false);
    ok(port_table_draw_exact(table, TCP, 5000, 7), "not drawn");
    check_idle(5000, false);
    check_idle(5001, true);
    port_table_return(table, TCP, 5000, 7);
    check_idle(5000, true);

    check_claim_persistent(TCP, 6000, 2, 0);
    check_idle(6000, true);
    ok(port_table_draw_exact_persistent(table, TCP, 6000, 7), "not drawn");
    check_idle(6000, false);
    port_table_return_persistent(table, TCP, 6000, 7);
    check_idle(6000, true);
    ok(port_table_make_uncertain(table, TCP, 6000), "not persistent");
    check_idle(6000, false);
    check_idle(6001, true);

    ok(port_table_begin_bind(table, TCP, 7000, 7, owner_alive, &kept), "reserved");
    check_idle(7000, false);
}

static void test_lock(void)
{
    table_new();
    check_lock(TCP, 1000, 1, true);
    check_lock(TCP, 1000, 2, false);
    /* Another thread of the same process. */
    check_lock(TCP, 1000, 1, false);
    /* Those near by are not in the way. */
    for (uint16_t port = 990; port < 1010; port++)
    {
        check_lock(UDP, port, 3, true);
        if (port == 1000) continue;
        check_lock(TCP, port, 3, true);
    }
    port_table_unlock(table, TCP, 1000, 2);
    check_lock(TCP, 1000, 2, false);
    port_table_unlock(table, TCP, 1000, 1);
    check_lock(TCP, 1000, OWNER_MOST, true);
    port_table_unlock(table, TCP, 1000, 1);
    check_lock(TCP, 1000, 1, false);
    port_table_unlock(table, TCP, 1000, OWNER_MOST);

    /* A dead owner's lock is the next's, who alone then unlocks it. */
    check_lock(TCP, 1000, 4, true);
    check_lock(TCP, 1000, 5, false);
    dead[4] = true;
    check_lock(TCP, 1000, 5, true);
    port_table_unlock(table, TCP, 1000, 4);
    check_lock(TCP, 1000, 6, false);
    port_table_unlock(table, TCP, 1000, 5);
    check_lock(TCP, 1000, 6, true);
}

/* Every port has a lock, and can be unlocked again. */
static void test_locks(void)
{
    unsigned int failed = 0;

    table_new();
    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (uint32_t port = 0; port < PORT_TABLE_PORTS; port++)
        {
            failed += !port_table_try_lock(table, protocol, port, 1, owner_alive);
            failed += port_table_try_lock(table, protocol, port, 2, owner_alive);
            port_table_unlock(table, protocol, port, 1);
        }
    }
    ok(!failed, "%u times a lock was not had, or by two", failed);
}

static void test_uncertain(void)
{
    table_new();
    check_claim_persistent(TCP, 1000, 4, 0);
    check_draw_exact(TCP, 1001, 1, true);
    for (uint16_t port = 1000; port < 1003; port++)
        ok(port_table_make_uncertain(table, TCP, port), "%u is not persistent", port);
    ok(!port_table_is_drawn(table, TCP, 1001, 1), "1001 is still drawn");
    check_block(TCP, 1000, 4, PORT_PERSISTENT, 0);
    /* Neither drawn nor returned. */
    check_draw_exact(TCP, 1000, 1, false);
    check_draw(TCP, 1000, 4, 1, 1003);
    check_draw(TCP, 1000, 4, 1, 0);
    port_table_return_persistent(table, TCP, 1001, 1);
    port_table_return_persistent(table, TCP, 1002, 1);
    check_draw(TCP, 1000, 4, 1, 0);
    /* In the way of nobody but drawers: freed as the others. */
    port_table_free_persistent(table, TCP, 1000, 4);
    check_block(TCP, 1000, 4, PORT_FREE, 0);
    check_claim(TCP, 1000, 4, 2, 0);
}

static void test_reclaim(void)
{
    uint64_t noted;

    table_new();
    check_claim_persistent(TCP, 1000, 2, 0);
    check_reclaimable(TCP, 1000, false);
    check_draw(TCP, 1000, 2, 1, 1000);
    check_draw(TCP, 1000, 2, 2, 1001);
    check_reclaimable(TCP, 1000, false);
    dead[1] = true;
    noted = check_reclaimable(TCP, 1000, true);
    check_reclaimable(TCP, 1001, false);
    check_draw(TCP, 1000, 2, 2, 0);
    ok(port_table_reclaim(table, TCP, 1000, noted), "1000 could not be reclaimed");
    check_reclaimable(TCP, 1000, false);
    ok(!port_table_reclaim(table, TCP, 1000, noted), "1000 was reclaimed twice");
    check_draw(TCP, 1000, 2, 2, 1000);
    ok(!port_table_reclaim(table, TCP, 1000, noted), "1000 was reclaimed, but is drawn");

    ok(port_table_make_uncertain(table, TCP, 1001), "1001 is not persistent");
    noted = check_reclaimable(TCP, 1001, true);
    ok(port_table_reclaim(table, TCP, 1001, noted), "1001 could not be reclaimed");
    check_draw_exact(TCP, 1001, 3, true);
    port_table_return_persistent(table, TCP, 1001, 2);
    ok(port_table_is_drawn(table, TCP, 1001, 3), "who drew before returned 1001");
}

/* What happens between the note and the reclaim. */
static void test_reclaim_race(void)
{
    uint64_t noted;

    table_new();
    check_claim_persistent(UDP, 1000, 1, 0);
    ok(port_table_make_uncertain(table, UDP, 1000), "1000 is not persistent");

    /* It is bound by number: the host was asked too early. */
    noted = check_reclaimable(UDP, 1000, true);
    check_lock(UDP, 1000, 1, true);
    ok(port_table_make_uncertain(table, UDP, 1000), "1000 is not persistent");
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed under its binder");
    /* While it is being bound there is no telling. */
    check_reclaimable(UDP, 1000, false);
    port_table_unlock(table, UDP, 1000, 1);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed by an old note");
    noted = check_reclaimable(UDP, 1000, true);

    /* Two reclaim it, and somebody draws it in between. */
    ok(port_table_reclaim(table, UDP, 1000, noted), "1000 could not be reclaimed");
    check_draw(UDP, 1000, 1, 2, 1000);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed under its drawer");
    port_table_return_persistent(table, UDP, 1000, 2);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed while idle");

    /* Its dead drawer's, then bound by number. */
    check_draw(UDP, 1000, 1, 3, 1000);
    dead[3] = true;
    noted = check_reclaimable(UDP, 1000, true);
    ok(port_table_make_uncertain(table, UDP, 1000), "1000 is not persistent");
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed under its binder");

    /* The range is deleted, and perhaps made again or become a block. */
    noted = check_reclaimable(UDP, 1000, true);
    port_table_free_persistent(table, UDP, 1000, 1);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed, but is free");
    check_claim(UDP, 1000, 1, 4, 0);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed, but is a block");
    port_table_free(table, UDP, 1000, 1, 4);
    check_claim_persistent(UDP, 1000, 1, 0);
    check_draw(UDP, 1000, 1, 4, 1000);
    ok(!port_table_reclaim(table, UDP, 1000, noted), "1000 was reclaimed under its drawer");

    /* A binder that died in the middle: its lock is in nobody's way. */
    check_lock(UDP, 1000, 5, true);
    ok(port_table_make_uncertain(table, UDP, 1000), "1000 is not persistent");
    check_reclaimable(UDP, 1000, false);
    dead[5] = true;
    noted = check_reclaimable(UDP, 1000, true);
    ok(port_table_reclaim(table, UDP, 1000, noted), "1000 could not be reclaimed");
}

/* The steps of a draw and of a bind by number, in either order. */
static void test_draw_race(void)
{
    table_new();
    check_claim_persistent(UDP, 1000, 2, 0);
    check_draw(UDP, 1000, 2, 1, 1000);
    check_lock(UDP, 1000, 2, true);
    check_lock(UDP, 1000, 1, false);
    ok(port_table_make_uncertain(table, UDP, 1000), "1000 is not persistent");
    port_table_unlock(table, UDP, 1000, 2);
    check_lock(UDP, 1000, 1, true);
    ok(!port_table_is_drawn(table, UDP, 1000, 1), "the drawer would bind 1000 too");
    port_table_unlock(table, UDP, 1000, 1);

    check_draw(UDP, 1000, 2, 1, 1001);
    check_lock(UDP, 1001, 1, true);
    ok(port_table_is_drawn(table, UDP, 1001, 1), "1001 is not drawn");
    check_lock(UDP, 1001, 2, false);
    port_table_unlock(table, UDP, 1001, 1);
    /* The other asks the host now, and leaves it be; the drawer does not return it. */
    check_lock(UDP, 1001, 2, true);
    ok(port_table_make_uncertain(table, UDP, 1001), "1001 is not persistent");
    port_table_unlock(table, UDP, 1001, 2);
    port_table_return_persistent(table, UDP, 1001, 1);
    check_draw(UDP, 1000, 2, 1, 0);
    ok(port_table_reclaim(table, UDP, 1001, check_reclaimable(UDP, 1001, true)),
       "1001 could not be reclaimed");
    check_draw(UDP, 1000, 2, 1, 1001);

    /* The range is deleted between draw and bind. */
    port_table_free_persistent(table, UDP, 1000, 2);
    check_lock(UDP, 1001, 1, true);
    ok(!port_table_is_drawn(table, UDP, 1001, 1), "1001 is free, and drawn");
}

/* The model: what the table says, in the plainest form, of ports on both sides of an edge between
 * words of words. Ranges have fixed places, and may be there or not. */
#define MODEL_RANGES 8
#define MODEL_COUNT  20
#define MODEL_PORTS  (MODEL_RANGES * MODEL_COUNT)
#define MODEL_BASE   (4096 - 100)
#define DRAWERS      5

enum model_state
{
    MODEL_FREE,
    MODEL_RUNTIME,
    MODEL_BINDING,
    MODEL_IDLE,
    MODEL_DRAWN,
    MODEL_UNCERTAIN,
};

struct model_port
{
    enum model_state state;
    uint64_t owner;
    unsigned long changes;
    /* The last note of the port, and how many changes there had been then. */
    uint64_t noted;
    unsigned long noted_changes;
};

struct model_range
{
    uint64_t token;
    uint16_t last;
};

static struct model_port model[PORT_TABLE_PROTOCOLS][MODEL_PORTS];
static struct model_range ranges[PORT_TABLE_PROTOCOLS][MODEL_RANGES];
static uint64_t drawers[DRAWERS], next_drawer, next_token;

static void model_change(struct model_port *port, enum model_state state, uint64_t owner)
{
    port->state = state;
    port->owner = owner;
    port->changes++;
}

static bool model_persistent(const struct model_port *port)
{
    return port->state >= MODEL_IDLE;
}

static bool model_taken(const struct model_port *port)
{
    return model_persistent(port) || (port->state != MODEL_FREE && !dead[port->owner]);
}

/* Claims anywhere, for a range or for a block. */
static void model_claim(bool persistent, unsigned int protocol, uint32_t first, uint32_t count)
{
    struct model_port *ports = &model[protocol][first];
    uint64_t owner = drawers[random() % DRAWERS];
    uint16_t start = MODEL_BASE + first, conflict = 0, expected = 0;
    uint32_t i;
    bool claimed;

    for (i = 0; i < count; i++)
    {
        if (persistent && model_persistent(&ports[i])) continue;
        if (!model_taken(&ports[i])) continue;
        expected = start + i;
        break;
    }
    if (persistent)
        claimed =
            port_table_claim_persistent(table, protocol, start, count, owner_alive, &conflict);
    else
        claimed = port_table_claim(table, protocol, start, count, owner, owner_alive, &conflict);
    ok(claimed == !expected && conflict == expected, "claimed %u, conflict %u, expected %u",
       claimed, conflict, expected);
    while (i--)
    {
        if (model_persistent(&ports[i])) continue;
        /* A claim that was undone has swept away what the dead left. */
        if (expected)
            model_change(&ports[i], MODEL_FREE, 0);
        else
            model_change(&ports[i], persistent ? MODEL_IDLE : MODEL_RUNTIME,
                         persistent ? 0 : owner);
    }
}

static void model_publish(unsigned int protocol, unsigned int number)
{
    struct model_range *range = &ranges[protocol][number];
    struct model_port *ports = &model[protocol][number * MODEL_COUNT];
    uint16_t start = MODEL_BASE + number * MODEL_COUNT;

    model_claim(true, protocol, number * MODEL_COUNT, MODEL_COUNT);
    for (unsigned int i = 0; i < MODEL_COUNT; i++)
        if (!model_persistent(&ports[i])) return;
    range->token = next_token++ << 16 | start;
    port_table_publish(table, protocol, start, MODEL_COUNT, range->token);
}

static void model_delete(unsigned int protocol, unsigned int number)
{
    struct model_port *ports = &model[protocol][number * MODEL_COUNT];
    uint16_t start = MODEL_BASE + number * MODEL_COUNT;

    port_table_withdraw(table, protocol, start);
    ranges[protocol][number].token = 0;
    port_table_free_persistent(table, protocol, start, MODEL_COUNT);
    for (unsigned int i = 0; i < MODEL_COUNT; i++)
        if (model_persistent(&ports[i])) model_change(&ports[i], MODEL_FREE, 0);
}

/* The port that a draw should find: the next in rotation that is idle. */
static uint16_t model_next(unsigned int protocol, unsigned int number)
{
    const struct model_port *ports = &model[protocol][number * MODEL_COUNT];
    uint16_t start = MODEL_BASE + number * MODEL_COUNT, last = ranges[protocol][number].last;
    unsigned int first = last ? last - start + 1 : 0;

    for (unsigned int i = 0; i < MODEL_COUNT; i++)
        if (ports[(first + i) % MODEL_COUNT].state == MODEL_IDLE)
            return start + (first + i) % MODEL_COUNT;
    return 0;
}

static void model_draw(unsigned int protocol, unsigned int number)
{
    struct model_range *range = &ranges[protocol][number];
    uint64_t drawer = drawers[random() % DRAWERS];
    uint16_t start = MODEL_BASE + number * MODEL_COUNT, expected = model_next(protocol, number);

    check_token(protocol, range->token, start, range->token ? MODEL_COUNT : 0);
    check_draw(protocol, start, MODEL_COUNT, drawer, expected);
    if (!expected) return;
    range->last = expected;
    model_change(&model[protocol][expected - MODEL_BASE], MODEL_DRAWN, drawer);
}

static void model_draw_exact(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    uint64_t drawer = drawers[random() % DRAWERS];
    bool expected = port->state == MODEL_IDLE;

    check_draw_exact(protocol, MODEL_BASE + which, drawer, expected);
    if (expected) model_change(port, MODEL_DRAWN, drawer);
}

static void model_return(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    uint64_t drawer = random() % 4 && port->owner ? port->owner : drawers[random() % DRAWERS];
    bool drawn = port->state == MODEL_DRAWN && port->owner == drawer;

    ok(port_table_is_drawn(table, protocol, MODEL_BASE + which, drawer) == drawn,
       "port %u: expected %u", MODEL_BASE + which, drawn);
    if (dead[drawer]) return;
    port_table_return_persistent(table, protocol, MODEL_BASE + which, drawer);
    if (drawn) model_change(port, MODEL_IDLE, 0);
}

/* The steps of a bind by number, with a note taken before, within or after. */
static void model_bind(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    uint64_t drawer = drawers[random() % DRAWERS];
    bool expected = model_persistent(port), made;

    check_lock(protocol, MODEL_BASE + which, drawer, true);
    check_lock(protocol, MODEL_BASE + which, drawers[random() % DRAWERS], false);
    made = port_table_make_uncertain(table, protocol, MODEL_BASE + which);
    ok(made == expected, "port %u: made uncertain %u", MODEL_BASE + which, made);
    if (expected) model_change(port, MODEL_UNCERTAIN, 0);
    check_reclaimable(protocol, MODEL_BASE + which, false);
    port_table_unlock(table, protocol, MODEL_BASE + which, drawer);
}

static void model_note(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    bool expected =
        port->state == MODEL_UNCERTAIN || (port->state == MODEL_DRAWN && dead[port->owner]);
    uint64_t noted = check_reclaimable(protocol, MODEL_BASE + which, expected);

    if (!noted) return;
    port->noted = noted;
    port->noted_changes = port->changes;
}

static void model_reclaim(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    bool expected = port->noted_changes == port->changes, done;

    if (!port->noted) return;
    done = port_table_reclaim(table, protocol, MODEL_BASE + which, port->noted);
    ok(done == expected, "port %u: reclaimed %u, expected %u", MODEL_BASE + which, done, expected);
    if (done) model_change(port, MODEL_IDLE, 0);
}

static void model_runtime(unsigned int protocol, unsigned int which)
{
    struct model_port *port = &model[protocol][which];
    uint32_t count = 1 + random() % 4;
    uint64_t owner = drawers[random() % DRAWERS];
    bool taken = model_taken(port), kept = true, begun;

    if (port->state == MODEL_RUNTIME)
    {
        port_table_free(table, protocol, MODEL_BASE + which, 1, port->owner);
        model_change(port, MODEL_FREE, 0);
        return;
    }
    if (port->state == MODEL_BINDING && random() % 2)
    {
        port_table_end_bind(table, protocol, MODEL_BASE + which, port->owner);
        model_change(port, MODEL_FREE, 0);
        return;
    }
    if (which + count <= MODEL_PORTS && random() % 2)
    {
        model_claim(false, protocol, which, count);
        return;
    }
    begun = port_table_begin_bind(table, protocol, MODEL_BASE + which, owner, owner_alive, &kept);
    ok(begun == (!taken || port->state == MODEL_BINDING) && kept == !taken,
       "port %u: begun %u, kept %u", MODEL_BASE + which, begun, kept);
    if (kept) model_change(port, MODEL_BINDING, owner);
}

static void model_die(void)
{
    uint64_t *drawer = &drawers[random() % DRAWERS];

    if (next_drawer == OWNERS_LIMIT) return;
    dead[*drawer] = true;
    *drawer = next_drawer++;
}

static bool model_agrees(void)
{
    static const enum port_kind kinds[] = {
        [MODEL_FREE] = PORT_FREE,        [MODEL_RUNTIME] = PORT_RUNTIME,
        [MODEL_BINDING] = PORT_BINDING,  [MODEL_IDLE] = PORT_PERSISTENT,
        [MODEL_DRAWN] = PORT_PERSISTENT, [MODEL_UNCERTAIN] = PORT_PERSISTENT,
    };
    uint64_t owner;

    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (unsigned int i = 0; i < MODEL_PORTS; i++)
        {
            const struct model_port *port = &model[protocol][i];

            if (port_table_lookup(table, protocol, MODEL_BASE + i, &owner) != kinds[port->state])
                return false;
            if (owner != (model_persistent(port) ? 0 : port->owner)) return false;
            if (port->state == MODEL_DRAWN &&
                !port_table_is_drawn(table, protocol, MODEL_BASE + i, port->owner))
                return false;
        }
    }
    return true;
}

static void model_step(void)
{
    unsigned int choice = random() % 1000, protocol = random() % 2;
    unsigned int number = random() % MODEL_RANGES, which = random() % MODEL_PORTS;

    if (choice < 30)
        model_publish(protocol, number);
    else if (choice < 36)
        model_delete(protocol, number);
    else if (choice < 350)
        model_draw(protocol, number);
    else if (choice < 420)
        model_draw_exact(protocol, which);
    else if (choice < 650)
        model_return(protocol, which);
    else if (choice < 720)
        model_bind(protocol, which);
    else if (choice < 830)
        model_note(protocol, which);
    else if (choice < 940)
        model_reclaim(protocol, which);
    else if (choice < 992)
        model_runtime(protocol, which);
    else
        model_die();
}

static void test_model(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 300000);

    table_new();
    next_token = 1;
    for (next_drawer = 1; next_drawer <= DRAWERS; next_drawer++)
        drawers[next_drawer - 1] = next_drawer;
    for (unsigned long i = 0; i < rounds; i++)
    {
        model_step();
        if (i % 16 == 0 && !ok(model_agrees(), "after %lu operations the table is wrong", i + 1))
            return;
    }
}

int main(void)
{
    test_start("porttable-persistent");
    test_seed();
    test_claim();
    test_conflict();
    test_bind();
    test_kinds();
    test_draw();
    test_draw_all();
    test_lost_hints();
    test_token();
    test_idle();
    test_lock();
    test_locks();
    test_uncertain();
    test_reclaim();
    test_reclaim_race();
    test_draw_race();
    test_model();
    free(table);
    return test_end();
}
