/*
 * Tests of the port table, one thread
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

static bool dead[OWNERS_LIMIT];
static struct port_table *table;

static bool owner_alive(uint64_t owner)
{
    return !dead[owner];
}

static void table_new(void)
{
    free(table);
    memset(dead, 0, sizeof(dead));
    if ((table = calloc(1, sizeof(*table)))) return;
    perror("calloc");
    exit(1);
}

#define check_port(protocol, port, kind, owner) check_port_(__LINE__, protocol, port, kind, owner)
static void check_port_(int line, unsigned int protocol, uint16_t port, enum port_kind kind,
                        uint64_t owner)
{
    uint64_t found = 12345;
    enum port_kind found_kind = port_table_lookup(table, protocol, port, &found);

    ok_(__FILE__, line, found_kind == kind && (kind == PORT_FREE || found == owner),
        "port %u: kind %u, owner %lu, expected %u, %lu", port, found_kind, (unsigned long)found,
        kind, (unsigned long)owner);
}

#define check_block(protocol, start, count, kind, owner)                                           \
    check_block_(__LINE__, protocol, start, count, kind, owner)
static void check_block_(int line, unsigned int protocol, uint32_t start, uint32_t count,
                         enum port_kind kind, uint64_t owner)
{
    for (uint32_t i = 0; i < count; i++) check_port_(line, protocol, start + i, kind, owner);
}

#define check_claim(protocol, start, count, owner)                                                 \
    check_claim_(__LINE__, protocol, start, count, owner)
static void check_claim_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                         uint64_t owner)
{
    uint16_t conflict = 0;
    bool claimed = port_table_claim(table, protocol, start, count, owner, owner_alive, &conflict);

    ok_(__FILE__, line, claimed, "claim of %u ports from %u: conflict at %u", count, start,
        conflict);
}

#define check_refused(protocol, start, count, owner, expected)                                     \
    check_refused_(__LINE__, protocol, start, count, owner, expected)
static void check_refused_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                           uint64_t owner, uint16_t expected)
{
    uint16_t conflict = 0;
    bool claimed = port_table_claim(table, protocol, start, count, owner, owner_alive, &conflict);

    ok_(__FILE__, line, !claimed && conflict == expected,
        "claim of %u ports from %u: %s, conflict at %u, expected %u", count, start,
        claimed ? "done" : "refused", conflict, expected);
}

#define check_draw(protocol, start, count, owner, after, expected)                                 \
    check_draw_(__LINE__, protocol, start, count, owner, after, expected)
static void check_draw_(int line, unsigned int protocol, uint16_t start, uint32_t count,
                        uint64_t owner, uint16_t after, uint16_t expected)
{
    uint16_t port = port_table_draw(table, protocol, start, count, owner, after);

    ok_(__FILE__, line, port == expected, "drew %u after %u from %u ports from %u, expected %u",
        port, after, count, start, expected);
}

static void test_claim(void)
{
    table_new();
    check_block(TCP, 995, 20, PORT_FREE, 0);
    check_claim(TCP, 1000, 10, 1);
    check_block(TCP, 995, 5, PORT_FREE, 0);
    check_block(TCP, 1000, 10, PORT_RUNTIME, 1);
    check_block(TCP, 1010, 5, PORT_FREE, 0);
    /* The protocols have nothing to do with each other. */
    check_block(UDP, 1000, 10, PORT_FREE, 0);
    check_claim(UDP, 1005, 10, 2);
    check_block(TCP, 1000, 10, PORT_RUNTIME, 1);
    check_block(UDP, 1005, 10, PORT_RUNTIME, 2);

    /* The largest owner that an entry has room for. */
    check_claim(TCP, 65535, 1, (UINT64_C(1) << 60) - 1);
    check_port(TCP, 65535, PORT_RUNTIME, (UINT64_C(1) << 60) - 1);
    port_table_free(table, TCP, 65535, 1, (UINT64_C(1) << 60) - 1);
    check_port(TCP, 65535, PORT_FREE, 0);
}

static void test_free(void)
{
    table_new();
    check_claim(TCP, 1000, 10, 1);
    check_claim(TCP, 1010, 10, 2);
    check_claim(UDP, 1000, 10, 1);
    ok(port_table_draw_exact(table, TCP, 1003, 1), "1003 could not be drawn");

    /* Nobody gives back what is another's. */
    port_table_free(table, TCP, 1000, 10, 2);
    check_block(TCP, 1000, 10, PORT_RUNTIME, 1);
    port_table_free(table, TCP, 1000, 20, 1);
    check_block(TCP, 1000, 10, PORT_FREE, 0);
    check_block(TCP, 1010, 10, PORT_RUNTIME, 2);
    check_block(UDP, 1000, 10, PORT_RUNTIME, 1);

    /* What was drawn then is idle for the next. */
    check_claim(TCP, 1000, 10, 3);
    ok(port_table_draw_exact(table, TCP, 1003, 3), "1003 is still drawn");

    /* A port that comes back late is no longer its drawer's to return. */
    port_table_return(table, TCP, 1003, 1);
    check_port(TCP, 1003, PORT_RUNTIME, 3);
    ok(!port_table_draw_exact(table, TCP, 1003, 3), "another owner returned 1003");
    /* Neither is there anything to draw where there is no block. */
    ok(!port_table_draw_exact(table, TCP, 900, 3), "drew a free port");
    ok(!port_table_draw_exact(table, TCP, 1010, 3), "drew another's port");
    port_table_return(table, TCP, 900, 3);
    check_port(TCP, 900, PORT_FREE, 0);
}

static void test_conflict(void)
{
    table_new();
    check_claim(TCP, 1000, 10, 1);
    ok(port_table_draw_exact(table, TCP, 1000, 1), "1000 could not be drawn");

    check_refused(TCP, 990, 20, 2, 1000);
    check_block(TCP, 980, 20, PORT_FREE, 0);
    check_block(TCP, 1000, 10, PORT_RUNTIME, 1);
    check_block(TCP, 1010, 10, PORT_FREE, 0);
    check_refused(TCP, 1009, 2, 2, 1009);
    check_refused(TCP, 1000, 1, 2, 1000);
    check_port(TCP, 1010, PORT_FREE, 0);

    /* One's own block is in one's way as well. */
    check_refused(TCP, 995, 10, 1, 1000);
    check_block(TCP, 995, 5, PORT_FREE, 0);
    check_block(TCP, 1000, 10, PORT_RUNTIME, 1);
    ok(!port_table_draw_exact(table, TCP, 1000, 1), "the claim gave 1000 back");
    check_draw(TCP, 1000, 10, 1, 0, 1001);

    /* What was undone can be had by others. */
    check_claim(TCP, 990, 10, 3);
    check_claim(TCP, 1010, 10, 3);
}

static void test_dead_owner(void)
{
    bool kept;

    table_new();
    check_claim(TCP, 1000, 100, 1);
    ok(port_table_draw_exact(table, TCP, 1010, 1), "1010 could not be drawn");
    ok(port_table_begin_bind(table, TCP, 1100, 1, owner_alive, &kept) && kept, "1100 is reserved");
    check_refused(TCP, 1005, 10, 2, 1005);
    check_refused(TCP, 1100, 1, 2, 1100);

    dead[1] = true;
    check_claim(TCP, 1005, 10, 2);
    check_claim(TCP, 1100, 1, 2);
    check_block(TCP, 1000, 5, PORT_RUNTIME, 1);
    check_block(TCP, 1005, 10, PORT_RUNTIME, 2);
    check_port(TCP, 1100, PORT_RUNTIME, 2);

    /* All ten, the one that the dead had drawn too, and none of those around that it left. */
    for (uint16_t i = 0; i < 10; i++) check_draw(TCP, 1005, 10, 2, 1004 + i, 1005 + i);
    check_draw(TCP, 1005, 10, 2, 1014, 0);

    ok(port_table_begin_bind(table, TCP, 1050, 2, owner_alive, &kept) && kept,
       "a dead owner keeps 1050");
    check_port(TCP, 1050, PORT_BINDING, 2);
    port_table_end_bind(table, TCP, 1050, 2);
    check_port(TCP, 1050, PORT_FREE, 0);
}

/* Draws a whole block: every port once, and then none. */
#define check_draw_all(start, count, owner, after)                                                 \
    check_draw_all_(__LINE__, start, count, owner, after)
static void check_draw_all_(int line, uint16_t start, uint32_t count, uint64_t owner,
                            uint16_t after)
{
    bool *drawn = calloc(PORT_TABLE_PORTS, sizeof(*drawn));
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < count; i++)
    {
        after = port_table_draw(table, TCP, start, count, owner, after);
        if (after < start || after >= start + count || drawn[after]) wrong++;
        drawn[after] = true;
    }
    ok_(__FILE__, line, !wrong, "%u of %u draws from %u were outside or doubled", wrong, count,
        start);
    after = port_table_draw(table, TCP, start, count, owner, after);
    ok_(__FILE__, line, !after, "drew %u from an exhausted block", after);
    free(drawn);
}

/* Returns the ports of a block, all drawn, in a random order. */
static void return_all(uint16_t start, uint32_t count, uint64_t owner)
{
    uint16_t *ports = calloc(count, sizeof(*ports));

    for (uint32_t i = 0; i < count; i++)
    {
        uint32_t other = random() % (i + 1);

        ports[i] = ports[other];
        ports[other] = start + i;
    }
    for (uint32_t i = 0; i < count; i++) port_table_return(table, TCP, ports[i], owner);
    free(ports);
}

static void test_draw_all(void)
{
    /* Hints are kept in words of 64, and of 64 times 64, ports. */
    static const struct
    {
        uint16_t start;
        uint32_t count;
    } blocks[] = {
        {1, 1},       {1, 62},      {1, 63},       {1, 64},        {1, 65},    {62, 1},
        {63, 1},      {63, 2},      {64, 1},       {64, 63},       {64, 64},   {64, 65},
        {65, 1},      {65, 63},     {100, 10},     {127, 2},       {60, 200},  {4095, 1},
        {4095, 2},    {4096, 1},    {4000, 96},    {4000, 97},     {4096, 64}, {4096, 4096},
        {4095, 4098}, {4033, 8000}, {8191, 2},     {1000, 20000},  {65535, 1}, {65534, 2},
        {65472, 64},  {65471, 65},  {61440, 4096}, {49152, 16384}, {1, 65535},
    };

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
    {
        uint16_t start = blocks[i].start;
        uint32_t count = blocks[i].count, end = start + count - 1;

        table_new();
        /* Idle ports of another block on either side, which must not be met. */
        if (start > 1) check_claim(TCP, 1, start - 1, 2);
        if (end < 65535) check_claim(TCP, end + 1, 65535 - end, 2);
        check_claim(TCP, start, count, 1);

        check_draw_all(start, count, 1, 0);
        return_all(start, count, 1);
        check_draw_all(start, count, 1, end);
        return_all(start, count, 1);
        check_draw_all(start, count, 1, start + random() % count);

        /* One that comes back is found, wherever it is. */
        for (int tries = 0; tries < 10; tries++)
        {
            uint16_t port = start + random() % count;

            port_table_return(table, TCP, port, 1);
            check_draw(TCP, start, count, 1, random() % PORT_TABLE_PORTS, port);
        }
        port_table_free(table, TCP, start, count, 1);
        if (start > 1) check_draw_all(1, start - 1, 2, 0);
        if (end < 65535) check_draw_all(end + 1, 65535 - end, 2, 0);
    }
}

static void test_rotation(void)
{
    table_new();
    check_claim(TCP, 1000, 5, 1);
    check_draw(TCP, 1000, 5, 1, 0, 1000);
    check_draw(TCP, 1000, 5, 1, 1000, 1001);
    port_table_return(table, TCP, 1000, 1);
    port_table_return(table, TCP, 1001, 1);
    /* A port just returned is the last to be drawn again. */
    check_draw(TCP, 1000, 5, 1, 1001, 1002);
    check_draw(TCP, 1000, 5, 1, 1002, 1003);
    check_draw(TCP, 1000, 5, 1, 1003, 1004);
    check_draw(TCP, 1000, 5, 1, 1004, 1000);
    check_draw(TCP, 1000, 5, 1, 1000, 1001);
    check_draw(TCP, 1000, 5, 1, 1001, 0);
    /* The only one left is "after" itself. */
    port_table_return(table, TCP, 1003, 1);
    check_draw(TCP, 1000, 5, 1, 1003, 1003);
    port_table_return(table, TCP, 1004, 1);
    check_draw(TCP, 1000, 5, 1, 1004, 1004);
    /* Before and after the block. */
    port_table_return(table, TCP, 1002, 1);
    port_table_return(table, TCP, 1003, 1);
    check_draw(TCP, 1000, 5, 1, 999, 1002);
    check_draw(TCP, 1000, 5, 1, 1005, 1003);

    /* By number. */
    ok(!port_table_draw_exact(table, TCP, 1003, 1), "1003 was drawn twice");
    port_table_return(table, TCP, 1003, 1);
    port_table_return(table, TCP, 1003, 1);
    ok(port_table_draw_exact(table, TCP, 1003, 1), "1003 was not returned");
    ok(!port_table_draw_exact(table, TCP, 1003, 1), "1003 was returned twice");
}

#define check_published(protocol, start, count, owner)                                             \
    check_published_(__LINE__, protocol, start, count, owner)
static void check_published_(int line, unsigned int protocol, uint16_t start, uint16_t count,
                             uint64_t owner)
{
    uint64_t found_owner = 0;
    uint16_t found = port_table_find_block(table, protocol, start, &found_owner);

    ok_(__FILE__, line, found == count && (!count || found_owner == owner),
        "a block of %u ports of %lu begins at %u, expected %u, %lu", found,
        (unsigned long)found_owner, start, count, (unsigned long)owner);
}

static void test_publish(void)
{
    uint16_t port = 0;

    table_new();
    check_published(TCP, 1000, 0, 0);
    check_claim(TCP, 1000, 3, 1);
    /* What is merely claimed may still fail. */
    check_published(TCP, 1000, 0, 0);
    port_table_publish_block(table, TCP, 1000, 3, 1);
    check_published(TCP, 1000, 3, 1);
    check_published(UDP, 1000, 0, 0);
    check_published(TCP, 1001, 0, 0);
    check_block(TCP, 1000, 3, PORT_RUNTIME, 1);

    /* Two blocks of one owner stay two, however close. */
    check_claim(TCP, 1003, 2, 1);
    port_table_publish_block(table, TCP, 1003, 2, 1);
    check_published(TCP, 1000, 3, 1);
    check_published(TCP, 1003, 2, 1);

    /* The first port is drawn once, like the others, by search and by number. */
    for (unsigned int i = 0; i < 3; i++)
    {
        port = port_table_draw(table, TCP, 1000, 3, 1, port);
        ok(port == 1000 + i, "drew %u, expected %u", port, 1000 + i);
    }
    check_draw(TCP, 1000, 3, 1, port, 0);
    ok(!port_table_draw_exact(table, TCP, 1000, 1), "1000 was drawn twice");
    check_published(TCP, 1000, 3, 1);
    port_table_return(table, TCP, 1000, 2);
    check_draw(TCP, 1000, 3, 1, port, 0);
    port_table_return(table, TCP, 1000, 1);
    ok(!port_table_draw_exact(table, TCP, 1000, 2), "another owner drew 1000");
    ok(port_table_draw_exact(table, TCP, 1000, 1), "1000 was not returned");
    check_published(TCP, 1000, 3, 1);

    /* It goes with the block, drawn or not, and another block has its own. */
    port_table_free(table, TCP, 1000, 3, 1);
    check_published(TCP, 1000, 0, 0);
    check_published(TCP, 1003, 2, 1);
    check_claim(TCP, 999, 4, 2);
    check_published(TCP, 1000, 0, 0);
    port_table_publish_block(table, TCP, 999, 4, 2);
    check_published(TCP, 999, 4, 2);
    check_published(TCP, 1000, 0, 0);

    /* A block that somebody else has claimed since is not published for the first. */
    port_table_publish_block(table, TCP, 1000, 3, 1);
    check_published(TCP, 1000, 0, 0);

    /* What a dead owner leaves behind is its own, until others take it port by port. */
    dead[2] = true;
    check_published(TCP, 999, 4, 2);
    check_claim(TCP, 998, 2, 3);
    port_table_publish_block(table, TCP, 998, 2, 3);
    check_published(TCP, 998, 2, 3);
    check_published(TCP, 999, 0, 0);

    /* The largest block, and a persistent range in the place of one. */
    check_claim(UDP, 1, 65535, 1);
    port_table_publish_block(table, UDP, 1, 65535, 1);
    check_published(UDP, 1, 65535, 1);
    port_table_free(table, UDP, 1, 65535, 1);
    ok(port_table_claim_persistent(table, UDP, 1, 7, owner_alive, &port), "conflict at %u", port);
    port_table_publish(table, UDP, 1, 7, 0x10001);
    check_published(UDP, 1, 0, 0);
    port_table_make_uncertain(table, UDP, 1);
    check_published(UDP, 1, 0, 0);
    ok(port_table_find_token(table, UDP, 0x10001, &port) == 7, "the range is not known");
}

static void test_bind(void)
{
    bool kept;

    table_new();
    ok(port_table_begin_bind(table, UDP, 1000, 1, owner_alive, &kept), "1000 is reserved");
    ok(kept, "1000 is not kept");
    check_port(UDP, 1000, PORT_BINDING, 1);
    check_port(TCP, 1000, PORT_FREE, 0);
    check_refused(UDP, 995, 10, 2, 1000);
    check_block(UDP, 995, 5, PORT_FREE, 0);

    /* Another that binds it is let go on, and does not end the first's. */
    ok(port_table_begin_bind(table, UDP, 1000, 2, owner_alive, &kept), "1000 is reserved");
    ok(!kept, "1000 is kept for two");
    port_table_end_bind(table, UDP, 1000, 2);
    check_port(UDP, 1000, PORT_BINDING, 1);
    port_table_end_bind(table, UDP, 1000, 1);
    check_port(UDP, 1000, PORT_FREE, 0);

    /* Nobody binds by number in a block, its owner included. */
    check_claim(UDP, 1000, 2, 1);
    kept = true;
    ok(!port_table_begin_bind(table, UDP, 1000, 2, owner_alive, &kept), "1000 is not reserved");
    ok(!kept, "1000 is kept");
    ok(!port_table_begin_bind(table, UDP, 1001, 1, owner_alive, &kept), "1001 is not reserved");
    port_table_end_bind(table, UDP, 1000, 1);
    check_block(UDP, 1000, 2, PORT_RUNTIME, 1);
    check_draw(UDP, 1000, 2, 1, 0, 1000);
}

/* The model: what the table says, in the plainest form. It has the ports from 0 to MODEL_PORTS - 1,
 * which stand for those from BASE on, on both sides of an edge between words of words. */
#define MODEL_PORTS  200
#define MODEL_BASE   (4096 - 100)
#define MODEL_BLOCKS 64

struct model_port
{
    enum port_kind kind;
    uint64_t owner;
    bool drawn;
};

struct model_block
{
    unsigned int protocol;
    uint32_t start;
    uint32_t count;
    uint64_t owner;
    bool published;
};

static struct model_port model[PORT_TABLE_PROTOCOLS][MODEL_PORTS];
static struct model_block blocks[MODEL_BLOCKS];
static unsigned int block_count;
static uint64_t owners[5], next_owner;

static struct model_port *model_port(unsigned int protocol, uint32_t port)
{
    return &model[protocol][port - MODEL_BASE];
}

static bool model_taken(const struct model_port *port)
{
    return port->kind != PORT_FREE && !dead[port->owner];
}

static void model_claim(void)
{
    struct model_block block = {.protocol = random() % 2, .owner = owners[random() % 5]};
    uint16_t conflict = 0, expected = 0;
    uint32_t i;
    bool claimed;

    block.start = MODEL_BASE + random() % MODEL_PORTS;
    block.count = 1 + random() % (random() % 4 ? 20 : MODEL_PORTS);
    if (block.start + block.count > MODEL_BASE + MODEL_PORTS || block_count == MODEL_BLOCKS) return;

    for (i = 0; i < block.count && !expected; i++)
        if (model_taken(model_port(block.protocol, block.start + i))) expected = block.start + i;
    claimed = port_table_claim(table, block.protocol, block.start, block.count, block.owner,
                               owner_alive, &conflict);
    ok(claimed == !expected && conflict == expected, "claimed %u, conflict %u, expected %u",
       claimed, conflict, expected);
    if (expected)
    {
        /* Whom the dead had left behind up to there, the claim has swept away. */
        for (i = block.start; i < expected; i++)
            *model_port(block.protocol, i) = (struct model_port){.kind = PORT_FREE};
        return;
    }
    for (i = 0; i < block.count; i++)
        *model_port(block.protocol, block.start + i) =
            (struct model_port){.kind = PORT_RUNTIME, .owner = block.owner};
    if ((block.published = random() % 2))
        port_table_publish_block(table, block.protocol, block.start, block.count, block.owner);
    blocks[block_count++] = block;
}

static void model_free(void)
{
    struct model_block *block;

    if (!block_count) return;
    block = &blocks[random() % block_count];
    port_table_free(table, block->protocol, block->start, block->count, block->owner);
    for (uint32_t i = 0; i < block->count; i++)
        model_port(block->protocol, block->start + i)->kind = PORT_FREE;
    *block = blocks[--block_count];
}

/* The port that a draw should find: the next in rotation that is idle. */
static uint16_t model_next(const struct model_block *block, uint16_t after)
{
    uint32_t first = 0;

    if (after >= block->start && after < block->start + block->count)
        first = after - block->start + 1;
    for (uint32_t i = 0; i < block->count; i++)
    {
        uint32_t port = block->start + (first + i) % block->count;

        if (!model_port(block->protocol, port)->drawn) return port;
    }
    return 0;
}

static void model_draw(void)
{
    const struct model_block *block;
    uint16_t after, expected;

    if (!block_count) return;
    block = &blocks[random() % block_count];
    after = block->start - 2 + random() % (block->count + 4);
    expected = model_next(block, after);
    check_draw(block->protocol, block->start, block->count, block->owner, after, expected);
    if (expected) model_port(block->protocol, expected)->drawn = true;
}

static void model_draw_exact(void)
{
    uint16_t number = MODEL_BASE + random() % MODEL_PORTS;
    unsigned int protocol = random() % 2;
    struct model_port *port = model_port(protocol, number);
    uint64_t owner = owners[random() % 5];
    bool expected = port->kind == PORT_RUNTIME && port->owner == owner && !port->drawn;

    ok(port_table_draw_exact(table, protocol, number, owner) == expected, "port %u: expected %u",
       number, expected);
    if (expected) port->drawn = true;
}

static void model_return(void)
{
    uint16_t number = MODEL_BASE + random() % MODEL_PORTS;
    unsigned int protocol = random() % 2;
    struct model_port *port = model_port(protocol, number);
    uint64_t owner = random() % 4 ? port->owner : owners[random() % 5];

    if (!owner || dead[owner]) return;
    port_table_return(table, protocol, number, owner);
    if (port->kind == PORT_RUNTIME && port->owner == owner) port->drawn = false;
}

static void model_begin_bind(void)
{
    uint16_t number = MODEL_BASE + random() % MODEL_PORTS;
    unsigned int protocol = random() % 2;
    struct model_port *port = model_port(protocol, number);
    uint64_t owner = owners[random() % 5];
    bool taken = model_taken(port), kept = true;
    bool begun = port_table_begin_bind(table, protocol, number, owner, owner_alive, &kept);

    ok(begun == (!taken || port->kind == PORT_BINDING), "port %u: begun %u", number, begun);
    ok(kept == !taken, "port %u: kept %u", number, kept);
    if (!taken) *port = (struct model_port){.kind = PORT_BINDING, .owner = owner};
}

static void model_end_bind(void)
{
    uint16_t number = MODEL_BASE + random() % MODEL_PORTS;
    unsigned int protocol = random() % 2;
    struct model_port *port = model_port(protocol, number);

    if (port->kind != PORT_BINDING || dead[port->owner]) return;
    port_table_end_bind(table, protocol, number, port->owner);
    port->kind = PORT_FREE;
}

static void model_die(void)
{
    uint64_t *owner = &owners[random() % 5];
    unsigned int i = 0;

    dead[*owner] = true;
    while (i < block_count)
    {
        if (blocks[i].owner == *owner)
            blocks[i] = blocks[--block_count];
        else
            i++;
    }
    *owner = next_owner++;
}

/* Says whether exactly the published blocks of living owners are found. */
static bool model_agrees_on_blocks(unsigned int protocol)
{
    uint16_t counts[MODEL_PORTS] = {0}, count;
    uint64_t owner;

    for (unsigned int i = 0; i < block_count; i++)
        if (blocks[i].protocol == protocol && blocks[i].published)
            counts[blocks[i].start - MODEL_BASE] = blocks[i].count;
    for (uint32_t i = 0; i < MODEL_PORTS; i++)
    {
        count = port_table_find_block(table, protocol, MODEL_BASE + i, &owner);
        if (count && dead[owner]) count = 0;
        if (count != counts[i]) return false;
        if (count && owner != model_port(protocol, MODEL_BASE + i)->owner) return false;
    }
    return true;
}

static bool model_agrees(void)
{
    uint64_t owner;

    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (uint32_t number = MODEL_BASE; number < MODEL_BASE + MODEL_PORTS; number++)
        {
            const struct model_port *port = model_port(protocol, number);

            if (port_table_lookup(table, protocol, number, &owner) != port->kind) return false;
            if (port->kind != PORT_FREE && owner != port->owner) return false;
        }
        if (!model_agrees_on_blocks(protocol)) return false;
    }
    return true;
}

static void test_model(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 200000);

    table_new();
    for (next_owner = 1; next_owner <= 5; next_owner++) owners[next_owner - 1] = next_owner;
    for (unsigned long i = 0; i < rounds; i++)
    {
        unsigned int choice = random() % 100;

        if (choice < 10)
            model_claim();
        else if (choice < 15)
            model_free();
        else if (choice < 45)
            model_draw();
        else if (choice < 55)
            model_draw_exact();
        else if (choice < 85)
            model_return();
        else if (choice < 92)
            model_begin_bind();
        else if (choice < 99 || next_owner == OWNERS_LIMIT)
            model_end_bind();
        else
            model_die();
        if (i % 16 == 0 && !ok(model_agrees(), "after %lu operations the table is wrong", i + 1))
            return;
    }
}

int main(void)
{
    test_start("porttable");
    test_seed();
    test_claim();
    test_free();
    test_conflict();
    test_dead_owner();
    test_draw_all();
    test_rotation();
    test_publish();
    test_bind();
    test_model();
    free(table);
    return test_end();
}
