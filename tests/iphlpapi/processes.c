/*
 * Tests of persistent reservations that several processes use at once
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "util.h"

#define PROTOCOLS 2

/* Where the sockets that draw are bound. */
static const struct place
{
    unsigned int kinds[PROTOCOLS]; /* TCP, UDP */
    const char *address;
} places[] = {
    {{TCP4, UDP4}, "0.0.0.0"},
    {{TCP4, UDP4}, "127.0.0.1"},
    {{TCP6, UDP6}, "::1"},
    {{TCP_DUAL, UDP_DUAL}, "::"},
};

/* Who has a port, counted by those who have drawn it: in memory that all share. */
static volatile LONG *owners_map(const char *name)
{
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                        65536 * sizeof(LONG), name);
    volatile LONG *owners = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 65536 * sizeof(LONG));

    ok(!!owners, "no memory to share, error %lu\n", GetLastError());
    /* The handle stays open, for with the last one the name would go. */
    return owners;
}

/* Binds a new socket, by number or, with port 0, to a port that it draws. INVALID_SOCKET, with the
 * error, if it gets none. */
static SOCKET bind_at(const struct place *place, unsigned int protocol, ULONG64 token, USHORT port,
                      int *error)
{
    SOCKET s = open_socket(&kinds[place->kinds[protocol]]);
    SOCKADDR_STORAGE address;
    int length = make_address(place->address, port, &address);

    if (!port) check_associate(s, token, 0);
    *error = bind(s, (struct sockaddr *)&address, length) ? WSAGetLastError() : 0;
    if (!*error) return s;
    closesocket(s);
    return INVALID_SOCKET;
}

#define PORTS 120

static SOCKET kept[PORTS + 1];
static unsigned int kept_count;

/* draw_all PLACE PROTOCOL TOKEN MAP: as many as there are, kept; the value says how many. */
static void command_draw_all(char **words, struct peer_answer *answer)
{
    const struct place *place = &places[atoi(words[1])];
    volatile LONG *owners = owners_map(words[4]);
    SOCKET s;

    while (kept_count < ARRAYSIZE(kept))
    {
        s = bind_at(place, atoi(words[2]), strtoull(words[3], NULL, 16), 0, &answer->error);
        if (s == INVALID_SOCKET) break;
        InterlockedIncrement(&owners[port_of(s)]);
        kept[kept_count++] = s;
        answer->value++;
    }
    UnmapViewOfFile((void *)owners);
}

static void command_close_all(char **words, struct peer_answer *answer)
{
    (void)words;
    (void)answer;
    while (kept_count) check_close(kept[--kept_count]);
}

/* Several processes draw all that there is: each port is given once. */
static void test_draw_all(struct peer *peers, unsigned int count, unsigned int protocol,
                          unsigned int place)
{
    const struct kind *kind = &kinds[places[place].kinds[protocol]];
    const char *map = unique_word();
    volatile LONG *owners = owners_map(map);
    unsigned int i, total = 0;
    struct block block;

    make_range(kind, PORTS, &block);
    for (i = 0; i < count; i++)
        peer_post(&peers[i], "draw_all %u %u %s %s", place, protocol,
                  wine_dbgstr_longlong(block.token), map);
    for (i = 0; i < count; i++)
    {
        struct peer_answer answer = peer_fetch(&peers[i]);

        ok(answer.error == WSAENOBUFS, "peer %u: error %d\n", i, answer.error);
        total += answer.value;
    }
    ok(total == PORTS, "%u ports were given, of %u\n", total, PORTS);
    for (i = 0; i < PORTS; i++)
        ok(owners[block.start + i] == 1, "port %u was given %ld times\n", block.start + i,
           owners[block.start + i]);
    for (i = 0; i < count; i++) peer_ask(&peers[i], 0, "close_all");
    check_held(kind, block.start, PORTS);
    end_range(kind, &block);
    check_free(kind, block.start, PORTS);
    UnmapViewOfFile((void *)owners);
}

#define STORM_PORTS   8
#define STORM_SOCKETS 6

struct storm
{
    const struct place *place;
    unsigned int protocol;
    ULONG64 token;
    USHORT start;
    volatile LONG *owners;
    SOCKET sockets[STORM_SOCKETS]; /* 0: none */
    unsigned int draws;
    unsigned int by_number;
    unsigned int twice; /* ports that another has as well */
};

static void storm_close(struct storm *storm, SOCKET *s)
{
    if (!*s) return;
    InterlockedDecrement(&storm->owners[port_of(*s)]);
    check_close(*s);
    *s = 0;
}

static void storm_open(struct storm *storm, SOCKET *s)
{
    USHORT port = rand() % 4 ? 0 : storm->start + rand() % STORM_PORTS;
    SOCKET opened;
    int error;

    opened = bind_at(storm->place, storm->protocol, storm->token, port, &error);
    if (opened == INVALID_SOCKET)
    {
        ok(error == (port ? WSAEADDRINUSE : WSAENOBUFS), "port %u: error %d\n", port, error);
        return;
    }
    *s = opened;
    storm->draws += !port;
    storm->by_number += port != 0;
    storm->twice += InterlockedIncrement(&storm->owners[port_of(opened)]) != 1;
    if (!storm->protocol && rand() % 2) ok(!listen(opened, 1), "error %d\n", WSAGetLastError());
}

/* storm PLACE PROTOCOL TOKEN START MAP ROUNDS SEED: draws, binds by number and closes, at random.
 */
static void command_storm(char **words, struct peer_answer *answer)
{
    struct storm storm = {.place = &places[atoi(words[1])],
                          .protocol = atoi(words[2]),
                          .token = strtoull(words[3], NULL, 16),
                          .start = atoi(words[4]),
                          .owners = owners_map(words[5])};
    unsigned int rounds = atoi(words[6]), i;

    srand(atoi(words[7]));
    while (rounds--)
    {
        SOCKET *s = &storm.sockets[rand() % STORM_SOCKETS];

        if (*s)
            storm_close(&storm, s);
        else
            storm_open(&storm, s);
    }
    for (i = 0; i < STORM_SOCKETS; i++) storm_close(&storm, &storm.sockets[i]);
    ok(!storm.twice, "%u ports were given twice\n", storm.twice);
    ok(storm.draws > STORM_SOCKETS && storm.by_number,
       "%u draws, %u by number: nothing is tested\n", storm.draws, storm.by_number);
    answer->value = storm.draws;
    UnmapViewOfFile((void *)storm.owners);
}

/* Several processes draw, bind by number and close, in a range that is too small for all. */
static void test_storm(struct peer *peers, unsigned int count, unsigned int protocol,
                       unsigned int place, unsigned int seed)
{
    const struct kind *kind = &kinds[places[place].kinds[protocol]];
    const char *map = unique_word();
    volatile LONG *owners = owners_map(map);
    SOCKET sockets[STORM_PORTS];
    unsigned int i;
    struct block block;

    make_range(kind, STORM_PORTS, &block);
    for (i = 0; i < count; i++)
        peer_post(&peers[i], "storm %u %u %s %u %s 400 %u", place, protocol,
                  wine_dbgstr_longlong(block.token), block.start, map, seed + i);
    for (i = 0; i < count; i++) ok(peer_fetch(&peers[i]).value, "peer %u\n", i);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        ok(!owners[block.start + i], "port %u has %ld owners\n", block.start + i,
           owners[block.start + i]);
        sockets[i] = draw(kind, &block, NULL);
    }
    for (i = 0; i < ARRAYSIZE(sockets); i++) check_close(sockets[i]);
    end_range(kind, &block);
    UnmapViewOfFile((void *)owners);
}

/* contest PLACE PROTOCOL TOKEN PORT MAP ROUNDS DRAWS: draws the port of a range that has no other,
 * or binds it by number, and closes it; the value is how often that succeeded. */
static void command_contest(char **words, struct peer_answer *answer)
{
    const struct place *place = &places[atoi(words[1])];
    unsigned int rounds = atoi(words[6]), twice = 0;
    volatile LONG *owner = owners_map(words[5]);
    BOOL draws = atoi(words[7]);
    USHORT port = atoi(words[4]);
    int error;

    while (rounds--)
    {
        SOCKET s =
            bind_at(place, atoi(words[2]), strtoull(words[3], NULL, 16), draws ? 0 : port, &error);

        if (s == INVALID_SOCKET)
        {
            ok(error == (draws ? WSAENOBUFS : WSAEADDRINUSE), "error %d\n", error);
            continue;
        }
        twice += InterlockedIncrement(owner) != 1;
        InterlockedDecrement(owner);
        check_close(s);
        answer->value++;
    }
    ok(!twice, "the port was given twice, %u times\n", twice);
    UnmapViewOfFile((void *)owner);
}

/* Two processes want the one port of a range: one draws it, one binds it by number. */
static void test_contest(struct peer *peers, unsigned int protocol, unsigned int place)
{
    const struct kind *kind = &kinds[places[place].kinds[protocol]];
    const char *map = unique_word();
    volatile LONG *owner = owners_map(map);
    struct block block;
    unsigned int i;

    make_range(kind, 1, &block);
    for (i = 0; i < 2; i++)
        peer_post(&peers[i], "contest %u %u %s %u %s 3000 %u", place, protocol,
                  wine_dbgstr_longlong(block.token), block.start, map, i);
    for (i = 0; i < 2; i++) ok(peer_fetch(&peers[i]).value, "peer %u never had the port\n", i);
    check_close(draw(kind, &block, NULL));
    end_range(kind, &block);
    UnmapViewOfFile((void *)owner);
}

/* Processes want ranges that overlap, at the same instant: one gets it. */
static void test_create_race(struct peer *peers, unsigned int count, unsigned int protocol)
{
    enum
    {
        ROUNDS = 40
    };
    static const USHORT offsets[] = {0, 1, 2, 0}, counts[] = {4, 4, 1, 8};
    unsigned int index = places[0].kinds[protocol], round, i, winners, winner = 0;
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(8);
    unsigned int won[4] = {0};

    for (round = 0; round < ROUNDS; round++)
    {
        ULONG64 token = 0;

        winners = 0;
        for (i = 0; i < count; i++)
        {
            unsigned int turn = (i + round) % count;

            peer_post(&peers[turn], "create %u %u %u", index, start + offsets[turn], counts[turn]);
        }
        for (i = 0; i < count; i++)
        {
            struct peer_answer answer = peer_fetch(&peers[i]);

            ok(!answer.error || answer.error == ERROR_SHARING_VIOLATION, "peer %u: error %d\n", i,
               answer.error);
            if (answer.error) continue;
            winners++;
            winner = i;
            token = answer.value;
        }
        ok(winners == 1, "round %u: %u succeeded\n", round, winners);
        won[winner]++;
        for (i = 0; i < count; i++) check_stored(kind, start + offsets[i], counts[i], i == winner);
        check_lookup(kind, start + offsets[winner], counts[winner], 0, token);
        check_delete(kind, start + offsets[winner], counts[winner], 0);
    }
    trace("won %u %u %u %u\n", won[0], won[1], won[2], won[3]);
    check_free(kind, start, 8);
}

/* The same range is deleted by several: for one of them it is there. */
static void test_delete_race(struct peer *peers, unsigned int count, unsigned int protocol)
{
    unsigned int index = places[0].kinds[protocol], round, i;
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(8);

    for (round = 0; round < 20; round++)
    {
        unsigned int successes = 0;

        check_create(kind, start, 8, 0, NULL);
        for (i = 0; i < count; i++) peer_post(&peers[i], "delete %u %u 8", index, start);
        for (i = 0; i < count; i++)
        {
            int error = peer_fetch(&peers[i]).error;

            ok(!error || error == ERROR_NOT_FOUND, "peer %u: error %d\n", i, error);
            successes += !error;
        }
        ok(successes == 1, "round %u: %u succeeded\n", round, successes);
        check_stored(kind, start, 8, FALSE);
    }
    check_free(kind, start, 8);
}

/* Ranges that have nothing to do with each other are made and ended by all at once. */
static void test_create_apart(struct peer *peers, unsigned int count, unsigned int protocol)
{
    unsigned int index = places[0].kinds[protocol], round, i;
    USHORT start = find_ports(4 * count);

    for (round = 0; round < 20; round++)
    {
        for (i = 0; i < count; i++) peer_post(&peers[i], "create %u %u 4", index, start + 4 * i);
        for (i = 0; i < count; i++)
        {
            struct peer_answer answer = peer_fetch(&peers[i]);

            ok(!answer.error, "peer %u: error %d\n", i, answer.error);
            check_lookup(&kinds[index], start + 4 * i, 4, answer.error ? ERROR_NOT_FOUND : 0,
                         answer.value);
        }
        for (i = 0; i < count; i++) peer_post(&peers[i], "delete %u %u 4", index, start + 4 * i);
        for (i = 0; i < count; i++) ok(!peer_fetch(&peers[i]).error, "peer %u\n", i);
    }
    check_free(&kinds[index], start, 4 * count);
}

/* What one process creates all others may use, and delete. */
static void test_foreign(struct peer *peers, unsigned int protocol, unsigned int place)
{
    unsigned int index = places[place].kinds[protocol];
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(3), port;
    struct block block = {start, 3, 0};
    ULONG64 value;
    SOCKET s;

    block.token = peer_ask(&peers[0], 0, "create %u %u 3", index, start);
    check_lookup(kind, start, 3, 0, block.token);
    value = peer_ask(&peers[1], 0, "lookup %u %u 3", index, start);
    ok(value == block.token, "token %s, was %s\n", wine_dbgstr_longlong(value),
       wine_dbgstr_longlong(block.token));
    s = draw(kind, &block, &port);
    value = peer_ask(&peers[1], 0, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
                     places[place].address);
    ok(block_contains(&block, (USHORT)value) && (USHORT)value != port, "drew port %u, have %u\n",
       (USHORT)value, port);
    peer_ask(&peers[1], WSAEADDRINUSE, "draw %u %s %s %u", index, wine_dbgstr_longlong(block.token),
             places[place].address, port);
    peer_ask(&peers[0], 0, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
             places[place].address);
    peer_ask(&peers[0], WSAENOBUFS, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
             places[place].address);
    check_close(s);
    value = peer_ask(&peers[0], 0, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
                     places[place].address);
    ok((USHORT)value == port, "drew port %u, expected %u\n", (USHORT)value, port);
    peer_ask(&peers[1], 0, "delete %u %u 3", index, start);
    peer_ask(&peers[0], WSAEINVAL, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
             places[place].address);
    peer_ask(&peers[0], 0, "closeall");
    peer_ask(&peers[1], 0, "closeall");
    check_free(kind, start, 3);
}

/* A process ends with ports that it has drawn, or bound by number: they come back. */
static void test_end(unsigned int protocol, unsigned int place, enum peer_end end)
{
    unsigned int index = places[place].kinds[protocol], i;
    const struct kind *kind = &kinds[index];
    struct block block;
    struct peer peer;
    SOCKET sockets[4];
    ULONG64 value;
    USHORT port;

    if (!peer_start(&peer)) return;
    make_range(kind, 4, &block);
    value = peer_ask(&peer, 0, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
                     places[place].address);
    if (!protocol) peer_ask(&peer, 0, "listen %u", (unsigned int)(value >> 16));
    for (i = 0; i < 2; i++)
        peer_ask(&peer, 0, "draw %u %s %s 0", index, wine_dbgstr_longlong(block.token),
                 places[place].address);
    /* The one that is left, by number. */
    sockets[0] = draw(kind, &block, &port);
    check_close(sockets[0]);
    peer_ask(&peer, 0, "bind %u %s %u", index, places[place].address, port);
    sockets[0] = associated(kind, &block);
    check_bind(sockets[0], 0, WSAENOBUFS);
    check_close(sockets[0]);
    peer_end(&peer, end);

    /* At once, and throughout. */
    for (i = 0; i < 4; i++) sockets[i] = draw(kind, &block, NULL);
    check_held(kind, block.start, 4);
    for (i = 0; i < 4; i++) check_close(sockets[i]);
    check_held(kind, block.start, 4);
    end_range(kind, &block);
    check_free(kind, block.start, 4);
}

static unsigned int random_seed(void)
{
    char text[16];
    DWORD length = GetEnvironmentVariableA("TAWNY_SEED", text, sizeof(text));

    return length && length < sizeof(text) ? atoi(text) : (int)(GetTickCount() % 100000);
}

static void test_protocol(struct peer *peers, unsigned int count, unsigned int protocol)
{
    unsigned int place, seed = random_seed();

    trace("seed TAWNY_SEED=%u\n", seed);
    for (place = 0; place < ARRAYSIZE(places); place++)
    {
        winetest_push_context("%s at %s", kinds[places[place].kinds[protocol]].name,
                              places[place].address);
        test_foreign(peers, protocol, place);
        test_draw_all(peers, 2, protocol, place);
        test_draw_all(peers, count, protocol, place);
        test_storm(peers, 2, protocol, place, seed);
        test_storm(peers, count, protocol, place, seed);
        test_contest(peers, protocol, place);
        test_end(protocol, place, PEER_EXIT);
        test_end(protocol, place, PEER_TERMINATE);
        if (outsider_available())
            test_end(protocol, place, PEER_KILL);
        else
            skip("no outsider to kill a process\n");
        winetest_pop_context();
    }
    winetest_push_context("%s", protocol ? "UDP" : "TCP");
    test_create_race(peers, 2, protocol);
    test_create_race(peers, count, protocol);
    test_delete_race(peers, count, protocol);
    test_create_apart(peers, count, protocol);
    winetest_pop_context();
}

static void test_all(void)
{
    struct peer peers[4];
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(peers); i++)
        if (!peer_start(&peers[i])) return;
    for (i = 0; i < PROTOCOLS; i++) test_protocol(peers, ARRAYSIZE(peers), i);
    for (i = 0; i < ARRAYSIZE(peers); i++) peer_end(&peers[i], PEER_EXIT);
}

START_TEST(processes)
{
    static const struct peer_command commands[] = {
        RANGE_COMMANDS,           {"draw_all", command_draw_all}, {"close_all", command_close_all},
        {"storm", command_storm}, {"contest", command_contest},   {NULL},
    };

    ranges_test(commands, test_all);
}
