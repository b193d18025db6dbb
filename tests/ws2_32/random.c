/*
 * Tests of the three control codes with random arguments: sockets, sizes, pointers, contents
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each buffer is one of memory that ends in time or too early, cannot be written to or is not
 * there. A call succeeds only if all that it needs is there, then says what it must, and otherwise
 * writes nothing but a count of 0. It never crashes. TAWNY_SEED and TAWNY_ROUNDS are in the
 * environment.
 */
#include "util.h"

#include "../conformance/target.h"

#define PAGE   0x1000
#define FILLER 0x5a

/* A page that can be read, and one behind it that cannot. */
struct arena
{
    BYTE *bytes;
    BOOL writable;
};

/* What a call is given. */
struct buffer
{
    BYTE *pointer;
    ULONG there; /* bytes that can be read from the pointer on */
    BOOL writable;
    DWORD size; /* as the call is told */
};

struct call
{
    SOCKET socket;
    BOOL usable; /* a TCP or UDP socket */
    DWORD code;
    struct buffer in;
    struct buffer out;
    struct buffer returned;
};

static struct arena arenas[4]; /* for in, out and returned; read-only */

static ULONG number(ULONG below)
{
    return ((ULONG)rand() << 15 | rand()) % below;
}

static void arena_open(struct arena *arena, BOOL writable)
{
    arena->bytes = VirtualAlloc(NULL, 2 * PAGE, MEM_RESERVE, PAGE_NOACCESS);
    VirtualAlloc(arena->bytes, PAGE, MEM_COMMIT, writable ? PAGE_READWRITE : PAGE_READONLY);
    arena->writable = writable;
}

static void buffer_place(struct buffer *buffer, const struct arena *arena, ULONG there)
{
    buffer->pointer = arena->bytes + PAGE - there;
    buffer->there = there;
    buffer->writable = arena->writable;
}

/* Somewhere in the arena, or where nothing is; needed bytes more often than by chance. */
static struct buffer make_buffer(const struct arena *arena, DWORD needed)
{
    static const ULONG_PTR wild[] = {0, 1, 0x10, 0xfff0, ~(ULONG_PTR)0, ~(ULONG_PTR)0xf};
    struct buffer buffer = {.size = number(4) ? needed : number(24)};

    if (!number(16)) buffer.size = ~number(8);
    switch (number(12))
    {
    case 0:
        buffer.pointer = (BYTE *)wild[number(ARRAYSIZE(wild))];
        break;
    case 1:
        buffer_place(&buffer, arena, number(24));
        break;
    case 2:
        buffer_place(&buffer, &arenas[3], number(PAGE));
        break;
    case 3:
        buffer_place(&buffer, arena, needed);
        break;
    default:
        buffer_place(&buffer, arena, PAGE - number(PAGE / 2));
    }
    return buffer;
}

static void fill_arenas(void)
{
    for (unsigned int i = 0; i < 3; i++) memset(arenas[i].bytes, FILLER, PAGE);
}

static BOOL is_filler(const BYTE *bytes, const BYTE *end)
{
    while (bytes < end && *bytes == FILLER) bytes++;
    return bytes == end;
}

static BOOL has(const struct buffer *buffer, ULONG needed, BOOL writing)
{
    return buffer->size >= needed && buffer->there >= needed && (buffer->writable || !writing);
}

/* The buffer has what is needed, but less than the call is told: it may look at all of that. */
static BOOL claims_too_much(const struct buffer *buffer)
{
    return buffer->size > buffer->there;
}

static BOOL is_acquire(const struct call *call)
{
    return call->code == (DWORD)SIO_ACQUIRE_PORT_RESERVATION;
}

static BOOL can_succeed(const struct call *call)
{
    struct buffer returned = call->returned;

    returned.size = sizeof(DWORD);
    if (!call->usable || !has(&returned, sizeof(DWORD), TRUE)) return FALSE;
    if (!is_acquire(call)) return has(&call->in, sizeof(INET_PORT_RESERVATION_TOKEN), FALSE);
    return has(&call->in, sizeof(INET_PORT_RANGE), FALSE) &&
           has(&call->out, sizeof(INET_PORT_RESERVATION_INSTANCE), TRUE);
}

static BOOL may_fail_with(const struct call *call, int error)
{
    switch (error)
    {
    case WSAENOTSOCK:
        return !call->usable;
    case WSAEFAULT:
        return !can_succeed(call) || claims_too_much(&call->in) || claims_too_much(&call->out) ||
               !call->out.writable;
    case WSAEINVAL:
        return TRUE;
    case WSAEADDRINUSE:
    case WSAENOBUFS:
        return is_acquire(call) && can_succeed(call);
    default:
        return FALSE;
    }
}

/* Ranges that make sense, tokens that are somebody's, and anything else. */
static void fill_in(const struct call *call, const struct block *known)
{
    BYTE content[8];
    ULONG size = call->in.there < sizeof(content) ? call->in.there : sizeof(content);
    USHORT start = htons(number(3) ? 0 : 20000 + number(100)), count = number(5);

    if (!call->in.writable || !call->in.there) return;
    for (unsigned int i = 0; i < sizeof(content); i++) content[i] = number(256);
    if (is_acquire(call) && number(8))
    {
        memcpy(content, &start, sizeof(start));
        memcpy(content + 2, &count, sizeof(count));
    }
    else if (!is_acquire(call) && number(2))
        memcpy(content, &known->token, sizeof(known->token));
    memcpy(call->in.pointer, content, size);
}

/* Besides what was to be written, nothing was. */
static void check_untouched(const struct call *call, BOOL success)
{
    const BYTE *out = arenas[1].bytes, *returned = arenas[2].bytes;
    ULONG written = success && is_acquire(call) ? sizeof(INET_PORT_RESERVATION_INSTANCE) : 0;
    DWORD count = 0;

    if (written)
    {
        ok(is_filler(out, call->out.pointer), "something before the output was written to\n");
        out = call->out.pointer + written;
    }
    ok(is_filler(out, arenas[1].bytes + PAGE), "something but the output was written to\n");
    if (call->returned.writable && call->returned.there >= sizeof(count))
    {
        memcpy(&count, call->returned.pointer, sizeof(count));
        if (success)
            ok(count == written, "got a count of %lu, expected %lu\n", count, written);
        else
            ok(!count || count == 0x01010101u * FILLER, "got a count of %lu\n", count);
        memset(call->returned.pointer, FILLER, sizeof(count));
    }
    ok(is_filler(returned, arenas[2].bytes + PAGE), "something but the count was written to\n");
}

static void check_acquired(const struct call *call)
{
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RANGE range;

    memcpy(&range, call->in.pointer, sizeof(range));
    memcpy(&instance, call->out.pointer, sizeof(instance));
    ok(range.NumberOfPorts && ntohs(range.StartPort) + range.NumberOfPorts <= 65536,
       "%u ports from %u were acquired\n", range.NumberOfPorts, ntohs(range.StartPort));
    ok(instance.NumberOfPorts == range.NumberOfPorts &&
           (!range.StartPort || instance.StartPort == range.StartPort),
       "got %u ports from %u, asked for %u from %u\n", instance.NumberOfPorts,
       ntohs(instance.StartPort), range.NumberOfPorts, ntohs(range.StartPort));
    ok(instance.Token != INVALID_PORT_RESERVATION_TOKEN, "got no token\n");
}

static SOCKET pick_socket(const struct kind *kind, BOOL *usable)
{
    static const SOCKET wrong[] = {0, 4, 0x7ffffff0, INVALID_SOCKET};

    *usable = number(16) != 0;
    return *usable ? open_socket(kind) : wrong[number(ARRAYSIZE(wrong))];
}

/* TRUE if it succeeded. */
static BOOL try_call(const struct block *known, const struct kind *kind)
{
    static const DWORD codes[] = {SIO_ACQUIRE_PORT_RESERVATION, SIO_ASSOCIATE_PORT_RESERVATION,
                                  SIO_RELEASE_PORT_RESERVATION};
    struct call call = {.code = codes[number(ARRAYSIZE(codes))]};
    BOOL success;
    int error;

    call.in = make_buffer(&arenas[0], is_acquire(&call) ? sizeof(INET_PORT_RANGE)
                                                        : sizeof(INET_PORT_RESERVATION_TOKEN));
    call.out = make_buffer(&arenas[1], sizeof(INET_PORT_RESERVATION_INSTANCE));
    call.returned = make_buffer(&arenas[2], sizeof(DWORD));
    call.socket = pick_socket(kind, &call.usable);
    fill_arenas();
    fill_in(&call, known);
    success = !WSAIoctl(call.socket, call.code, call.in.pointer, call.in.size, call.out.pointer,
                        call.out.size, (DWORD *)call.returned.pointer, NULL, NULL);
    error = success ? 0 : WSAGetLastError();
    winetest_push_context("code %#lx, in %p, %lu of %lu, out %p, %lu of %lu%s, count %p, %lu",
                          call.code, call.in.pointer, call.in.size, call.in.there, call.out.pointer,
                          call.out.size, call.out.there, call.out.writable ? "" : " read-only",
                          call.returned.pointer, call.returned.there);
    if (success)
        ok(can_succeed(&call), "success\n");
    else
        ok(may_fail_with(&call, error), "error %d\n", error);
    if (success && is_acquire(&call)) check_acquired(&call);
    check_untouched(&call, success);
    winetest_pop_context();
    if (call.usable) check_close(call.socket);
    return success;
}

static void test_random(UINT seed, UINT rounds)
{
    UINT successes = 0;

    srand(seed);
    for (unsigned int i = 0; i < ARRAYSIZE(arenas); i++) arena_open(&arenas[i], i < 3);
    for (UINT i = 0; i < rounds; i++)
    {
        const struct kind *kind = &kinds[number(KIND_COUNT)];
        struct block known;
        SOCKET owner = acquire_any(kind, 2, &known);

        winetest_push_context("round %u, %s", i, kind->name);
        for (unsigned int j = 0; j < 8; j++) successes += try_call(&known, kind);
        check_close(owner);
        winetest_pop_context();
        check_free(kind, known.start, known.count);
    }
    ok(successes > rounds / 2, "only %u calls succeeded: nothing is tested\n", successes);
    trace("%u of %u calls succeeded\n", successes, 8 * rounds);
    for (unsigned int i = 0; i < ARRAYSIZE(arenas); i++)
        VirtualFree(arenas[i].bytes, 0, MEM_RELEASE);
}

START_TEST(random)
{
    UINT seed = environment_number("TAWNY_SEED", GetTickCount() % 100000);
    WSADATA data;

    trace("seed TAWNY_SEED=%u\n", seed);
    WSAStartup(MAKEWORD(2, 2), &data);
    if (target_reserves_all()) test_random(seed, environment_number("TAWNY_ROUNDS", 1000));
    WSACleanup();
}
