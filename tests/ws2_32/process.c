/*
 * Tests with two processes
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "peer.h"

/* The commands of a peer have the kind's number and the block's start port. */
static const struct kind *command_kind(char **words)
{
    return &kinds[atoi(words[1])];
}

static USHORT command_port(char **words)
{
    return atoi(words[2]);
}

/* Our block is another process's to the peer. */
static void command_foreign_block(char **words, struct peer_answer *answer)
{
    static const char *const options[] = {"", "reuse", "exclusive"};
    const struct kind *kind = command_kind(words);
    USHORT start = command_port(words);
    unsigned int i;
    int on = 1;
    SOCKET s;

    (void)answer;
    for (i = 0; i < ARRAYSIZE(options); i++)
    {
        winetest_push_context("%s", options[i]);
        s = open_socket(kind);
        if (i)
            setsockopt(s, SOL_SOCKET, i == 1 ? SO_REUSEADDR : SO_EXCLUSIVEADDRUSE,
                       (const char *)&on, sizeof(on));
        /* Of the three ports the second is drawn. */
        check_bind(s, start, WSAEACCES);
        check_bind(s, start + 1, WSAEACCES);
        check_bind_to(s, kind->family == AF_INET6 ? "::1" : "127.0.0.1", start + 2, WSAEACCES);
        check_bind(s, 0, 0);
        check_close(s);
        winetest_pop_context();
    }
    s = open_socket(kind);
    check_acquire(s, start, 3, WSAEADDRINUSE, NULL);
    check_acquire(s, start + 2, 2, WSAEADDRINUSE, NULL);
    check_acquire(s, start + 3, 1, 0, NULL);
    check_close(s);
}

static void test_foreign_block(struct peer *peer, unsigned int index)
{
    const struct kind *kind = &kinds[index];
    SOCKET owner = open_socket(kind), s;
    struct block block;

    check_acquire(owner, find_ports(4), 3, 0, &block);
    s = associated(kind, &block);
    check_bind(s, block.start + 1, 0);
    peer_ask(peer, 0, "foreign_block %u %u", index, block.start);
    check_close(s);
    check_close(owner);
}

/* Nor is its token any use there. */
static void command_foreign_token(char **words, struct peer_answer *answer)
{
    SOCKET s = open_socket(command_kind(words));
    ULONG64 token = strtoull(words[2], NULL, 16);

    (void)answer;
    check_associate(s, token, WSAEINVAL);
    check_release(s, token, WSAEINVAL);
    check_bind(s, 0, 0);
    check_close(s);
}

static void test_foreign_token(struct peer *peer, unsigned int index)
{
    const struct kind *kind = &kinds[index];
    struct block block;
    SOCKET owner = acquire_any(kind, 1, &block), s;

    peer_ask(peer, 0, "foreign_token %u %s", index, wine_dbgstr_longlong(block.token));
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(owner);
}

/* Blocks that the peer holds when it ends, in whichever way. */
static void command_hold(char **words, struct peer_answer *answer)
{
    const struct kind *kind = command_kind(words);
    SOCKET owner = open_socket(kind), s;
    USHORT start = command_port(words);
    struct block block;

    (void)answer;
    check_acquire(owner, start, 100, 0, &block);
    s = associated(kind, &block);
    check_bind(s, start + 1, 0);
    s = associated(kind, &block);
    check_bind(s, start + 2, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    associated(kind, &block);
}

static void test_end(unsigned int index, enum peer_end end)
{
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(100);
    struct peer peer;
    SOCKET s;

    if (!peer_start(&peer)) return;
    peer_ask(&peer, 0, "hold %u %u", index, start);
    check_reserved(kind, start);
    check_reserved(kind, start + 1);
    check_reserved(kind, start + 99);
    s = open_socket(kind);
    check_acquire(s, start, 1, WSAEADDRINUSE, NULL);
    peer_end(&peer, end);

    /* At once. */
    check_acquire(s, start, 100, 0, NULL);
    check_close(s);
    check_free(kind, start, 100);
}

/* A peer's part in a race: says how many of the blocks it got, and keeps them. */
static void command_race(char **words, struct peer_answer *answer)
{
    UINT i, count = atoi(words[3]);
    INET_PORT_RESERVATION_INSTANCE instance;

    for (i = 0; i < count; i++)
    {
        INET_PORT_RANGE range = {htons(command_port(words) + 10 * i), 10};
        SOCKET s = open_socket(command_kind(words));
        int error = reservation_ioctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range),
                                      &instance, sizeof(instance));

        ok(!error || error == WSAEADDRINUSE, "error %d\n", error);
        answer->value += !error;
    }
}

/* Several processes want the same blocks: one gets it, all others are told. */
static void test_race(unsigned int index)
{
    enum
    {
        PEERS = 3,
        BLOCKS = 40
    };
    USHORT start = find_ports(10 * BLOCKS);
    struct peer peers[PEERS];
    unsigned int i, got = 0;

    for (i = 0; i < PEERS; i++)
        if (!peer_start(&peers[i])) return;
    for (i = 0; i < PEERS; i++) peer_post(&peers[i], "race %u %u %u", index, start, BLOCKS);
    for (i = 0; i < PEERS; i++) got += peer_fetch(&peers[i]).value;
    ok(got == BLOCKS, "%u of %u blocks were given\n", got, BLOCKS);
    for (i = 0; i < PEERS; i++) peer_end(&peers[i], PEER_EXIT);
    check_free(&kinds[index], start, 10 * BLOCKS);
}

/* What a peer makes of a table that has seen a process end there before. */
static void test_dead_owner(struct peer *peer, unsigned int index)
{
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(100);
    struct peer dying;
    int i;

    for (i = 0; i < 2; i++)
    {
        if (!peer_start(&dying)) return;
        peer_ask(&dying, 0, "hold %u %u", index, start);
        peer_end(&dying, PEER_TERMINATE);
    }
    peer_ask(peer, 0, "foreign_token %u 1", index);
    /* A port that a dead process drew is no more reserved than any other. */
    if (kind->type == SOCK_DGRAM)
    {
        SOCKET s = open_socket(kind);

        check_bind(s, start + 1, 0);
        check_close(s);
    }
    check_free(kind, start, 100);
}

static void test_kind(unsigned int index)
{
    struct peer peer;

    if (!peer_start(&peer)) return;
    test_foreign_block(&peer, index);
    test_foreign_token(&peer, index);
    test_end(index, PEER_EXIT);
    test_end(index, PEER_TERMINATE);
    if (outsider_available())
        test_end(index, PEER_KILL);
    else
        skip("no outsider to kill a process\n");
    test_race(index);
    test_dead_owner(&peer, index);
    peer_end(&peer, PEER_EXIT);
}

START_TEST(process)
{
    static const struct peer_command commands[] = {
        {"foreign_block", command_foreign_block},
        {"foreign_token", command_foreign_token},
        {"hold", command_hold},
        {"race", command_race},
        {NULL},
    };
    static const unsigned int some[] = {TCP4, TCP_DUAL, UDP4, UDP6};
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!peer_serve(commands))
        for (i = 0; i < ARRAYSIZE(some); i++)
        {
            if (!target_reserves(&kinds[some[i]])) continue;
            winetest_push_context("%s", kinds[some[i]].name);
            test_kind(some[i]);
            winetest_pop_context();
        }
    outsider_disconnect();
    WSACleanup();
}
