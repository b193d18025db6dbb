/*
 * Many sockets of one block at a time
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

#define MANY 900

/* What may stay open of what so many sockets took: far less than they did. */
#define REMAINDER 64

static SOCKET sockets[MANY];

static void test_many(const struct kind *kind, int process)
{
    USHORT count = many_ports(MANY), i;
    int before = 0, after = 0;
    struct block block;
    SOCKET owner;

    owner = acquire_any(kind, count, &block);
    if (!block.token) return;
    if (process) before = outsider_number("descriptors %d", process);
    for (i = 0; i < count; i++) sockets[i] = draw(kind, &block, NULL);
    for (i = 0; i < count; i++) check_close(sockets[i]);
    /* All of them are given out once more. */
    for (i = 0; i < count; i++) sockets[i] = draw(kind, &block, NULL);
    for (i = 0; i < count; i++) check_close(sockets[i]);
    if (process)
    {
        after = outsider_number("descriptors %d", process);
        ok(before > count, "%d descriptors with a block of %u ports\n", before, count);
        ok(after <= before + REMAINDER, "%d descriptors, %d before\n", after, before);
    }
    else
        skip("no outsider to count descriptors\n");
    check_close(owner);
}

static void test_protocols(int process)
{
    if (target_reserves(&kinds[TCP4])) test_many(&kinds[TCP4], process);
    if (target_reserves(&kinds[UDP_DUAL])) test_many(&kinds[UDP_DUAL], process);
}

START_TEST(many)
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    run_in_child(test_protocols, 100);
    WSACleanup();
}
