/*
 * Tests with many threads
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TAWNY_SEED in the environment repeats a run as far as threads can be repeated; TAWNY_SECONDS
 * makes it longer.
 */
#include "../conformance/target.h"

#define THREADS       8
#define SHARED_BLOCKS 6
#define SHARED_COUNT  7 /* less than the threads want, so that a block is exhausted now and then */
#define HELD_SOCKETS  6

/* How many have drawn which port, to see that no two have one. By protocol. */
static volatile LONG users[2][65536];

static volatile LONG stopping;
static volatile LONG draws, exhaustions, ends;

/* A block that all threads draw from. One of them at a time may end it and make another. */
static struct shared_block
{
    SRWLOCK lock; /* exclusive: to end it */
    const struct kind *kind;
    SOCKET owner;
    struct block block;
} shared_blocks[SHARED_BLOCKS];

/* A socket that a thread has bound. */
struct held
{
    const struct kind *kind;
    SOCKET s;
    USHORT port;
};

static volatile LONG *port_user(const struct kind *kind, USHORT port)
{
    return &users[kind->type == SOCK_DGRAM][port];
}

static void hold_end(struct held *held)
{
    if (!held->kind) return;
    /* Before it is closed: from then on others may have the port. */
    InterlockedDecrement(port_user(held->kind, held->port));
    check_close(held->s);
    held->kind = NULL;
}

/* Takes note of a socket that was bound. */
static void hold(struct held *held, const struct kind *kind, SOCKET s)
{
    LONG count;

    hold_end(held);
    held->kind = kind;
    held->s = s;
    held->port = port_of(s);
    count = InterlockedIncrement(port_user(kind, held->port));
    ok(count == 1, "port %u was given %ld times\n", held->port, count);
    InterlockedIncrement(&draws);
}

/* A socket of the block's protocol and of a random family. */
static const struct kind *random_kind(const struct kind *kind, UINT *state)
{
    return &kinds[(kind->type == SOCK_STREAM ? TCP4 : UDP4) + next_random(state) % 3];
}

static int try_associate(SOCKET s, ULONG64 token)
{
    DWORD returned;

    return WSAIoctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &returned,
                    NULL, NULL)
               ? WSAGetLastError()
               : 0;
}

static int try_bind(SOCKET s, const char *address, USHORT port)
{
    SOCKADDR_STORAGE storage;
    int length = make_address(address, port, &storage);

    return bind(s, (struct sockaddr *)&storage, length) ? WSAGetLastError() : 0;
}

/* Draws from a block that others draw from, and that others may end at any time. */
static void draw_shared(struct held *held, UINT *state)
{
    struct shared_block *shared = &shared_blocks[next_random(state) % SHARED_BLOCKS];
    BOOL exact = next_random(state) % 3 == 0, locked = next_random(state) % 2;
    const char *addresses[2];
    const struct kind *kind;
    struct block block;
    USHORT port = 0;
    SOCKET s;
    int error;

    AcquireSRWLockShared(&shared->lock);
    kind = random_kind(shared->kind, state);
    addresses[0] = kind->wildcard;
    addresses[1] = kind->family == AF_INET6 ? "::1" : "127.0.0.1";
    block = shared->block;
    if (!locked) ReleaseSRWLockShared(&shared->lock);

    s = socket(kind->family, kind->type, kind->protocol);
    /* There may be no block: whoever could not acquire it has said so. */
    if (exact && block.count) port = block.start + next_random(state) % block.count;
    error = try_associate(s, block.token);
    ok(!error || (!locked && error == WSAEINVAL), "associate: error %d\n", error);
    if (!error)
    {
        error = try_bind(s, addresses[next_random(state) % 2], port);
        ok(!error || error == (exact ? WSAEADDRINUSE : WSAENOBUFS) ||
               (!locked && error == WSAEINVAL),
           "bind to port %u: error %d\n", port, error);
        if (error == WSAENOBUFS) InterlockedIncrement(&exhaustions);
    }
    if (locked) ReleaseSRWLockShared(&shared->lock);
    if (error)
    {
        check_close(s);
        return;
    }
    ok(block_contains(&block, port_of(s)), "port %u is not of %u from %u\n", port_of(s),
       block.count, block.start);
    if (kind->type == SOCK_STREAM && next_random(state) % 2)
    {
        error = listen(s, 1) ? WSAGetLastError() : 0;
        ok(!error, "listen at port %u of %u from %u: error %d\n", port_of(s), block.count,
           block.start, error);
    }
    hold(held, kind, s);
}

static void shared_open(struct shared_block *shared)
{
    shared->owner = acquire_any(shared->kind, SHARED_COUNT, &shared->block);
}

/* Ends a block while others draw from it, and makes another. */
static void end_shared(UINT *state)
{
    struct shared_block *shared = &shared_blocks[next_random(state) % SHARED_BLOCKS];

    AcquireSRWLockExclusive(&shared->lock);
    if (next_random(state) % 2) check_release(shared->owner, shared->block.token, 0);
    check_close(shared->owner);
    shared_open(shared);
    ReleaseSRWLockExclusive(&shared->lock);
    InterlockedIncrement(&ends);
}

/* A block of the thread's own, drawn from until it is exhausted. */
static void use_own(UINT *state)
{
    const struct kind *kind = &kinds[next_random(state) % KIND_COUNT];
    SOCKET owner, sockets[4], s;
    struct block block;
    unsigned int i;

    owner = acquire_any(kind, ARRAYSIZE(sockets), &block);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        sockets[i] = draw(random_kind(kind, state), &block, NULL);
        ok(InterlockedIncrement(port_user(kind, port_of(sockets[i]))) == 1,
           "port %u was given twice\n", port_of(sockets[i]));
    }
    s = associated(kind, &block);
    check_bind(s, 0, WSAENOBUFS);
    check_close(s);
    check_reserved(kind, block.start);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        InterlockedDecrement(port_user(kind, port_of(sockets[i])));
        check_close(sockets[i]);
    }
    if (next_random(state) % 2) check_release(owner, block.token, 0);
    check_close(owner);
}

/* A socket that has nothing to do with blocks. Those of IPv4 and IPv6 may well have one port, and
 * be where a drawn one was. */
static void use_plain(UINT *state)
{
    const struct kind *kind = &kinds[next_random(state) % KIND_COUNT];
    SOCKET s = socket(kind->family, kind->type, kind->protocol);
    int error = try_bind(s, kind->wildcard, 0);

    ok(!error, "bind: error %d\n", error);
    check_close(s);
}

static DWORD CALLBACK stress_thread(void *argument)
{
    UINT state = (UINT)(ULONG_PTR)argument, i;
    struct held held[HELD_SOCKETS] = {{0}};

    winetest_push_context("thread %#x", state);
    while (!stopping)
    {
        struct held *slot = &held[next_random(&state) % HELD_SOCKETS];

        switch (next_random(&state) % 16)
        {
        case 0:
            end_shared(&state);
            break;
        case 1:
            use_own(&state);
            break;
        case 2:
            use_plain(&state);
            break;
        case 3:
        case 4:
        case 5:
            hold_end(slot);
            break;
        default:
            draw_shared(slot, &state);
        }
    }
    for (i = 0; i < HELD_SOCKETS; i++) hold_end(&held[i]);
    return 0;
}

static void test_stress(UINT seed, UINT seconds)
{
    HANDLE threads[THREADS];
    unsigned int i;

    for (i = 0; i < SHARED_BLOCKS; i++)
    {
        InitializeSRWLock(&shared_blocks[i].lock);
        shared_blocks[i].kind = &kinds[i % KIND_COUNT];
        shared_open(&shared_blocks[i]);
    }
    for (i = 0; i < THREADS; i++)
        threads[i] =
            CreateThread(NULL, 0, stress_thread, (void *)(ULONG_PTR)(seed * 1000 + i), 0, NULL);
    Sleep(seconds * 1000);
    stopping = TRUE;
    ok(WaitForMultipleObjects(THREADS, threads, TRUE, 30000) < THREADS, "a thread has not ended\n");
    for (i = 0; i < THREADS; i++) CloseHandle(threads[i]);
    trace("%ld ports drawn, %ld times none was left, %ld blocks ended in use\n", draws, exhaustions,
          ends);
    ok(draws && ends, "%ld ports drawn, %ld blocks ended: nothing is tested\n", draws, ends);

    /* Nothing is lost: every port of every block can be drawn still. */
    for (i = 0; i < SHARED_BLOCKS; i++)
    {
        SOCKET sockets[SHARED_COUNT];
        unsigned int j;

        for (j = 0; j < SHARED_COUNT; j++)
            sockets[j] = draw(shared_blocks[i].kind, &shared_blocks[i].block, NULL);
        for (j = 0; j < SHARED_COUNT; j++) check_close(sockets[j]);
        check_close(shared_blocks[i].owner);
        check_free(shared_blocks[i].kind, shared_blocks[i].block.start, SHARED_COUNT);
    }
}

static struct block plenty;

static DWORD CALLBACK plenty_thread(void *argument)
{
    const struct kind *kind = argument;

    while (!stopping) check_close(draw(kind, &plenty, NULL));
    return 0;
}

/* Threads that together never use more than half of a block always find a port. */
static void test_plenty(const struct kind *kind, UINT seconds)
{
    HANDLE threads[4];
    SOCKET owner;
    unsigned int i;

    owner = acquire_any(kind, 2 * ARRAYSIZE(threads), &plenty);
    stopping = FALSE;
    for (i = 0; i < ARRAYSIZE(threads); i++)
        threads[i] = CreateThread(NULL, 0, plenty_thread, (void *)kind, 0, NULL);
    Sleep(seconds * 1000);
    stopping = TRUE;
    ok(WaitForMultipleObjects(ARRAYSIZE(threads), threads, TRUE, 30000) < ARRAYSIZE(threads),
       "a thread has not ended\n");
    for (i = 0; i < ARRAYSIZE(threads); i++) CloseHandle(threads[i]);
    check_close(owner);
}

/* What several threads do to one socket at once. */
static struct
{
    HANDLE start;
    SOCKET s;
    const struct kind *kind;
    SOCKADDR_STORAGE to;
    int length;
    volatile LONG succeeded;
} race;

static void run_race(LPTHREAD_START_ROUTINE first, LPTHREAD_START_ROUTINE others, UINT count)
{
    HANDLE threads[THREADS];
    unsigned int i;

    race.succeeded = 0;
    ResetEvent(race.start);
    for (i = 0; i < count; i++)
        threads[i] = CreateThread(NULL, 0, i ? others : first, NULL, 0, NULL);
    SetEvent(race.start);
    ok(WaitForMultipleObjects(count, threads, TRUE, 30000) < count, "a thread has not ended\n");
    for (i = 0; i < count; i++) CloseHandle(threads[i]);
}

static DWORD CALLBACK send_thread(void *argument)
{
    int ret;

    (void)argument;
    WaitForSingleObject(race.start, INFINITE);
    ret = sendto(race.s, "tawny", 5, 0, (struct sockaddr *)&race.to, race.length);
    ok(ret == 5, "sendto returned %d, error %d\n", ret, WSAGetLastError());
    return 0;
}

/* Each of them binds the socket if it is not bound; one of them does. */
static void test_implicit_bind(const struct kind *kind)
{
    SOCKET owner, peer = open_socket(kind), other;
    struct block block;
    int i;

    check_bind_to(peer, kind->family == AF_INET6 ? "::1" : "127.0.0.1", 0, 0);
    race.length =
        make_address(kind->family == AF_INET6 ? "::1" : "127.0.0.1", port_of(peer), &race.to);
    owner = acquire_any(kind, 2, &block);
    for (i = 0; i < 20; i++)
    {
        race.s = associated(kind, &block);
        run_race(send_thread, send_thread, 4);
        check_port_in(race.s, &block);
        /* One port was drawn, not two. */
        other = draw(kind, &block, NULL);
        ok(port_of(other) != port_of(race.s), "port %u was given twice\n", port_of(other));
        check_close(other);
        check_close(race.s);
    }
    check_close(peer);
    check_close(owner);
}

static DWORD CALLBACK bind_thread(void *argument)
{
    int error;

    (void)argument;
    WaitForSingleObject(race.start, INFINITE);
    error = try_bind(race.s, race.kind->wildcard, 0);
    if (!error) InterlockedIncrement(&race.succeeded);
    /* Bound by another thread, or closed by one. */
    ok(!error || error == WSAEINVAL || error == WSAENOTSOCK, "error %d\n", error);
    return 0;
}

static DWORD CALLBACK close_thread(void *argument)
{
    (void)argument;
    WaitForSingleObject(race.start, INFINITE);
    check_close(race.s);
    return 0;
}

static void test_bind_twice(const struct kind *kind)
{
    SOCKET owner, other;
    struct block block;
    int i;

    race.kind = kind;
    owner = acquire_any(kind, 2, &block);
    for (i = 0; i < 20; i++)
    {
        race.s = associated(kind, &block);
        run_race(bind_thread, bind_thread, 4);
        ok(race.succeeded == 1, "%ld binds succeeded\n", race.succeeded);
        other = draw(kind, &block, NULL);
        check_close(other);
        check_close(race.s);
    }
    check_close(owner);
}

/* Closed while it is bound: whoever was faster, the ports come back. */
static void test_close_while_binding(const struct kind *kind)
{
    SOCKET owner, sockets[2];
    struct block block;
    int i;

    race.kind = kind;
    owner = acquire_any(kind, 2, &block);
    for (i = 0; i < 50; i++)
    {
        race.s = associated(kind, &block);
        run_race(i % 2 ? close_thread : bind_thread, i % 2 ? bind_thread : close_thread, 2);
        sockets[0] = draw(kind, &block, NULL);
        sockets[1] = draw(kind, &block, NULL);
        check_close(sockets[0]);
        check_close(sockets[1]);
    }
    check_close(owner);
    check_free(kind, block.start, 2);
}

static ULONG64 race_token;

static DWORD CALLBACK release_thread(void *argument)
{
    INET_PORT_RESERVATION_TOKEN token = {race_token};
    DWORD returned;

    (void)argument;
    WaitForSingleObject(race.start, INFINITE);
    if (!WSAIoctl(race.s, SIO_RELEASE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &returned,
                  NULL, NULL))
        InterlockedIncrement(&race.succeeded);
    else
        ok(WSAGetLastError() == WSAEINVAL, "error %d\n", WSAGetLastError());
    return 0;
}

static void test_release_twice(const struct kind *kind)
{
    struct block block;
    int i;

    race.s = open_socket(kind);
    for (i = 0; i < 50; i++)
    {
        check_acquire(race.s, 0, 5, 0, &block);
        race_token = block.token;
        run_race(release_thread, release_thread, 4);
        ok(race.succeeded == 1, "%ld releases succeeded\n", race.succeeded);
        check_free(kind, block.start, 5);
    }
    check_close(race.s);
}

static volatile LONG race_start_port;

static DWORD CALLBACK acquire_thread(void *argument)
{
    INET_PORT_RANGE range = {htons(race_start_port), 20};
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned;

    (void)argument;
    WaitForSingleObject(race.start, INFINITE);
    if (!WSAIoctl(race.s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                  sizeof(instance), &returned, NULL, NULL))
        InterlockedIncrement(&race.succeeded);
    else
        ok(WSAGetLastError() == WSAEADDRINUSE, "error %d\n", WSAGetLastError());
    return 0;
}

static void test_acquire_race(const struct kind *kind)
{
    int i;

    race_start_port = find_ports(20);
    for (i = 0; i < 20; i++)
    {
        race.s = open_socket(kind);
        run_race(acquire_thread, acquire_thread, 4);
        ok(race.succeeded == 1, "%ld acquired one block\n", race.succeeded);
        check_close(race.s);
    }
}

START_TEST(threads)
{
    static const unsigned int some[] = {TCP4, TCP_DUAL, UDP4, UDP6};
    UINT seed = environment_number("TAWNY_SEED", GetTickCount() % 100000), i;
    WSADATA data;

    trace("seed TAWNY_SEED=%u\n", seed);
    WSAStartup(MAKEWORD(2, 2), &data);
    race.start = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (target_reserves_all()) test_stress(seed, environment_number("TAWNY_SECONDS", 5));
    for (i = 0; i < ARRAYSIZE(some); i++)
    {
        const struct kind *kind = &kinds[some[i]];

        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_plenty(kind, 1);
        if (kind->type == SOCK_DGRAM) test_implicit_bind(kind);
        test_bind_twice(kind);
        test_close_while_binding(kind);
        test_release_twice(kind);
        test_acquire_race(kind);
        winetest_pop_context();
    }
    CloseHandle(race.start);
    WSACleanup();
}
