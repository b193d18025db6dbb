/*
 * Tests of the memory that a call names: all that can be wrong with it, and what is odd and allowed
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests/ws2_32/input.c has not got. A call that fails leaves everything as it was: blocks,
 * associations, and the caller's memory but for the number of bytes returned.
 */
#include "../conformance/target.h"

#define TIMEOUT 10000

enum
{
    ACQUIRE,
    ASSOCIATE,
    RELEASE,
    CODE_COUNT
};

static const struct
{
    const char *name;
    DWORD code;
    DWORD in_size;
    DWORD out_size;
} codes[CODE_COUNT] = {
    [ACQUIRE] = {"acquire", SIO_ACQUIRE_PORT_RESERVATION, 4, 16},
    [ASSOCIATE] = {"associate", SIO_ASSOCIATE_PORT_RESERVATION, 8, 0},
    [RELEASE] = {"release", SIO_RELEASE_PORT_RESERVATION, 8, 0},
};

/* What may follow a page of good memory. */
enum
{
    DECOMMITTED,
    NO_ACCESS,
    GUARDED,
    READ_ONLY,
    BAD_COUNT
};

static const char *const bad_names[BAD_COUNT] = {
    [DECOMMITTED] = "decommitted memory",
    [NO_ACCESS] = "memory without access",
    [GUARDED] = "a guard page",
    [READ_ONLY] = "read-only memory",
};

static SIZE_T page_size;
static char *pages; /* two: a good one, and what follows it */

static void pages_alloc(unsigned int bad)
{
    DWORD old;

    pages = VirtualAlloc(NULL, 2 * page_size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    memset(pages, 0x55, 2 * page_size);
    switch (bad)
    {
    case DECOMMITTED:
        VirtualFree(pages + page_size, page_size, MEM_DECOMMIT);
        break;
    case NO_ACCESS:
        VirtualProtect(pages + page_size, page_size, PAGE_NOACCESS, &old);
        break;
    case GUARDED:
        VirtualProtect(pages + page_size, page_size, PAGE_READWRITE | PAGE_GUARD, &old);
        break;
    case READ_ONLY:
        VirtualProtect(pages + page_size, page_size, PAGE_READONLY, &old);
        break;
    }
}

static void pages_free(void)
{
    VirtualFree(pages, 0, MEM_RELEASE);
    pages = NULL;
}

/* What a call is made of, all good. */
struct call
{
    unsigned int code;
    SOCKET s; /* associated with the first block */
    INET_PORT_RANGE range;
    ULONG64 token;
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned;
    OVERLAPPED overlapped;

    void *in;
    DWORD in_size;
    void *out;
    DWORD out_size;
    DWORD *returned_pointer;
    OVERLAPPED *overlapped_pointer;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
};

/* Two blocks of two ports, with two ports behind the second that nobody has. */
static const struct kind *kind;
static SOCKET owner;
static struct block first, second;

static unsigned int routine_calls;

static void CALLBACK routine(DWORD error, DWORD bytes, OVERLAPPED *overlapped, DWORD flags)
{
    (void)error;
    (void)bytes;
    (void)overlapped;
    (void)flags;
    routine_calls++;
}

static void call_init(struct call *call, unsigned int code)
{
    memset(call, 0x55, sizeof(*call));
    call->code = code;
    call->s = associated(kind, &first);
    call->range.StartPort = htons(second.start + second.count);
    call->range.NumberOfPorts = 2;
    call->token = second.token;
    memset(&call->overlapped, 0, sizeof(call->overlapped));
    call->in = code == ACQUIRE ? (void *)&call->range : &call->token;
    call->in_size = codes[code].in_size;
    call->out = code == ACQUIRE ? &call->instance : NULL;
    call->out_size = codes[code].out_size;
    call->returned_pointer = &call->returned;
    call->overlapped_pointer = NULL;
    call->routine = NULL;
}

/* 0, WSA_IO_PENDING, or the error. */
static int call_make(struct call *call)
{
    int ret;

    WSASetLastError(0xdeadbeef);
    ret = WSAIoctl(call->s, codes[call->code].code, call->in, call->in_size, call->out,
                   call->out_size, call->returned_pointer, call->overlapped_pointer, call->routine);
    return ret ? WSAGetLastError() : 0;
}

/* Neither has the call done what it was to do, nor anything else. */
static void check_nothing_done_(int line, struct call *call)
{
    SOCKET s;

    check_free_(__FILE__, line, kind, second.start + second.count, 2);
    s = draw_(__FILE__, line, kind, &second, NULL);
    closesocket(s);
    check_reserved_(__FILE__, line, kind, second.start);
    if (call->s == INVALID_SOCKET) return;
    check_bind_(__FILE__, line, call->s, 0, 0);
    check_port_in_(__FILE__, line, call->s, &first);
}

static void check_fails_(int line, struct call *call, int error)
{
    struct call before;
    int got;

    call->returned = 0;
    memcpy(&before, call, sizeof(before));
    routine_calls = 0;
    got = call_make(call);
    ok_(__FILE__, line)(got == error, "error %d, expected %d\n", got, error);
    /* It would be late to complete. */
    ok_(__FILE__, line)(!SleepEx(0, TRUE) && !routine_calls, "the routine was called\n");
    /* Also what lies between its members. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    ok_(__FILE__, line)(!memcmp(&before, call, sizeof(before)),
                        "the caller's memory has changed\n");
    check_nothing_done_(line, call);
    closesocket(call->s);
}
#define check_fails(...) check_fails_(__LINE__, __VA_ARGS__)

/* Makes a call that must succeed, and waits for its completion if need be. */
static BOOL check_succeeds_(int line, struct call *call)
{
    int error = call_make(call);
    DWORD begin = GetTickCount();

    if (error == WSA_IO_PENDING && call->overlapped_pointer)
    {
        while (!HasOverlappedIoCompleted(call->overlapped_pointer) &&
               GetTickCount() - begin < TIMEOUT)
            Sleep(1);
        error = HasOverlappedIoCompleted(call->overlapped_pointer) ? 0 : WSA_IO_PENDING;
    }
    ok_(__FILE__, line)(!error, "error %d\n", error);
    return !error;
}
#define check_succeeds(...) check_succeeds_(__LINE__, __VA_ARGS__)

/* Where the next bad page is, with so many bytes of good memory before it. */
static void *before_bad(SIZE_T good)
{
    return pages + page_size - good;
}

/* How much of an argument is good: nothing, next to nothing, half, all but a byte. */
#define CUT_COUNT 4
static SIZE_T cut(SIZE_T size, unsigned int i)
{
    const SIZE_T cuts[CUT_COUNT] = {0, 1, size / 2, size - 1};

    return cuts[i];
}

static void check_pages_(int line, SIZE_T good)
{
    SIZE_T i;

    for (i = page_size - good; i < page_size && pages[i] == 0x55; i++)
        ;
    ok_(__FILE__, line)(i == page_size, "byte %u before the end was written\n",
                        (unsigned int)(page_size - i));
}
#define check_pages(...) check_pages_(__LINE__, __VA_ARGS__)

static void test_in(unsigned int code, unsigned int bad)
{
    struct call call;
    unsigned int i;

    if (bad == READ_ONLY) return;
    for (i = 0; i < CUT_COUNT; i++)
    {
        SIZE_T good = cut(codes[code].in_size, i);

        winetest_push_context("%u bytes", (unsigned int)good);
        call_init(&call, code);
        pages_alloc(bad);
        memcpy(before_bad(good), call.in, good);
        call.in = before_bad(good);
        check_fails(&call, WSAEFAULT);
        pages_free();
        winetest_pop_context();
    }
}

static void test_out(unsigned int code, unsigned int bad)
{
    struct call call;
    unsigned int i;

    for (i = 0; code == ACQUIRE && i < CUT_COUNT; i++)
    {
        SIZE_T good = cut(codes[code].out_size, i);

        winetest_push_context("%u bytes", (unsigned int)good);
        call_init(&call, code);
        pages_alloc(bad);
        call.out = before_bad(good);
        check_fails(&call, WSAEFAULT);
        check_pages(good);
        pages_free();
        winetest_pop_context();
    }
}

static void test_returned(unsigned int code, unsigned int bad)
{
    struct call call;
    unsigned int i;

    for (i = 0; i < CUT_COUNT; i++)
    {
        SIZE_T good = cut(sizeof(DWORD), i);

        winetest_push_context("%u bytes", (unsigned int)good);
        call_init(&call, code);
        pages_alloc(bad);
        call.returned_pointer = before_bad(good);
        check_fails(&call, WSAEFAULT);
        pages_free();

        /* With an OVERLAPPED it may be absent, but not wrong. */
        call_init(&call, code);
        pages_alloc(bad);
        call.returned_pointer = before_bad(good);
        call.overlapped_pointer = &call.overlapped;
        check_fails(&call, WSAEFAULT);
        pages_free();
        winetest_pop_context();
    }
}

static void test_overlapped(unsigned int code, unsigned int bad)
{
    struct call call;
    unsigned int i;

    for (i = 0; i < CUT_COUNT; i++)
    {
        SIZE_T good = cut(sizeof(OVERLAPPED), i);

        winetest_push_context("%u bytes", (unsigned int)good);
        call_init(&call, code);
        pages_alloc(bad);
        call.overlapped_pointer = before_bad(good);
        check_fails(&call, WSAEFAULT);
        check_pages(good);
        pages_free();

        call_init(&call, code);
        pages_alloc(bad);
        call.overlapped_pointer = before_bad(good);
        call.routine = routine;
        check_fails(&call, WSAEFAULT);
        pages_free();
        winetest_pop_context();
    }
}

static void test_routine(unsigned int code, unsigned int bad)
{
    LPWSAOVERLAPPED_COMPLETION_ROUTINE nowhere = (void *)(ULONG_PTR)0xdeadbee0;
    struct call call;

    /* It is called, not read: what can be there is right to be found only then. */
    if (bad != DECOMMITTED && bad != NO_ACCESS) return;
    call_init(&call, code);
    pages_alloc(bad);
    call.overlapped_pointer = &call.overlapped;
    call.routine = before_bad(0);
    check_fails(&call, WSAEFAULT);
    pages_free();

    call_init(&call, code);
    call.overlapped_pointer = &call.overlapped;
    call.routine = nowhere;
    check_fails(&call, WSAEFAULT);
}

/* The size says more than there is, though what is needed is there. */
static void test_huge(unsigned int code, unsigned int bad)
{
    static const DWORD sizes[] = {17, 0x1001, 0x100000, 0x7fffffff, 0x80000000, 0xffffffff};
    struct call call;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(sizes); i++)
    {
        winetest_push_context("%#lx bytes", sizes[i]);
        if (bad != READ_ONLY)
        {
            call_init(&call, code);
            pages_alloc(bad);
            memcpy(before_bad(16), call.in, call.in_size);
            call.in = before_bad(16);
            call.in_size = sizes[i];
            check_fails(&call, WSAEFAULT);
            pages_free();
        }
        call_init(&call, code);
        pages_alloc(bad);
        call.out = before_bad(16);
        call.out_size = sizes[i];
        check_fails(&call, WSAEFAULT);
        check_pages(16);
        pages_free();
        winetest_pop_context();
    }
}

static void test_bad(unsigned int code)
{
    unsigned int bad;

    for (bad = 0; bad < BAD_COUNT; bad++)
    {
        winetest_push_context("%s", bad_names[bad]);
        test_in(code, bad);
        test_out(code, bad);
        test_returned(code, bad);
        test_overlapped(code, bad);
        test_routine(code, bad);
        test_huge(code, bad);
        winetest_pop_context();
    }
}

/* Handles that are none of an event. What cannot be told is not done. */
static void test_event(unsigned int code)
{
    HANDLE closed = CreateEventW(NULL, TRUE, FALSE, NULL), mutex = CreateMutexW(NULL, FALSE, NULL);
    HANDLE bad[] = {(HANDLE)(ULONG_PTR)0xdeadbee0, GetCurrentThread(), mutex, closed};
    struct call call;
    unsigned int i;

    CloseHandle(closed);
    for (i = 0; i < ARRAYSIZE(bad); i++)
    {
        winetest_push_context("event %p", bad[i]);
        call_init(&call, code);
        call.overlapped.hEvent = bad[i];
        call.overlapped_pointer = &call.overlapped;
        check_fails(&call, WSAENOTSOCK);

        /* An odd one is the same. */
        call_init(&call, code);
        call.overlapped.hEvent = (HANDLE)((ULONG_PTR)bad[i] | 1);
        call.overlapped_pointer = &call.overlapped;
        check_fails(&call, WSAENOTSOCK);
        winetest_pop_context();
    }
    CloseHandle(mutex);
}

/* Nor can a routine be told where a completion port is. */
static void test_routine_at_port(unsigned int code)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    OVERLAPPED *packet = NULL;
    struct call call;
    ULONG_PTR key;
    DWORD bytes;

    call_init(&call, code);
    CreateIoCompletionPort((HANDLE)call.s, port, 0, 0);
    call.overlapped_pointer = &call.overlapped;
    call.routine = routine;
    check_fails(&call, WSAEINVAL);
    ok(!GetQueuedCompletionStatus(port, &bytes, &key, &packet, 0) && !packet, "a packet\n");
    CloseHandle(port);
}

/* Which of several errors it is: not a socket, then sizes, then pointers. */
static void test_order(unsigned int code)
{
    SOCKET none = INVALID_SOCKET;
    struct call call;
    int i;

    for (i = 0; i < 5; i++)
    {
        winetest_push_context("argument %d", i);
        call_init(&call, code);
        if (i == 0) call.in = NULL;
        if (i == 1) call.returned_pointer = NULL;
        if (i == 2) call.overlapped_pointer = (OVERLAPPED *)(ULONG_PTR)0xdeadbee0;
        if (i == 3) call.out = (void *)(ULONG_PTR)0xdeadbee0, call.out_size = 16;
        if (i == 4) call.in_size = 0;
        closesocket(call.s);
        call.s = none;
        check_fails(&call, WSAENOTSOCK);

        call_init(&call, code);
        call.in_size = 3;
        if (i == 0) call.in = NULL;
        if (i == 1) call.returned_pointer = NULL;
        if (i == 2) call.overlapped_pointer = (OVERLAPPED *)(ULONG_PTR)0xdeadbee0;
        if (i == 3) call.out = (void *)(ULONG_PTR)0xdeadbee0, call.out_size = 16;
        check_fails(&call, WSAEINVAL);
        winetest_pop_context();
    }
}

/* Undoes what a call has done, and checks that it was that. */
static void check_done_(int line, struct call *call, ULONG64 token)
{
    struct block block = {second.start + second.count, 2, token};

    switch (call->code)
    {
    case ACQUIRE:
        check_reserved_(__FILE__, line, kind, block.start);
        check_release_(__FILE__, line, call->s, token, 0);
        break;
    case ASSOCIATE:
        check_bind_(__FILE__, line, call->s, 0, 0);
        check_port_in_(__FILE__, line, call->s, &second);
        break;
    case RELEASE:
        check_free_(__FILE__, line, kind, second.start, second.count);
        check_acquire_(__FILE__, line, owner, second.start, second.count, 0, &second);
        break;
    }
    closesocket(call->s);
}
#define check_done(...) check_done_(__LINE__, __VA_ARGS__)

/* What is needed is there to the last byte, and all of a longer buffer. */
static void test_whole(unsigned int code)
{
    struct call call;
    DWORD old;

    call_init(&call, code);
    pages_alloc(NO_ACCESS);
    memcpy(pages, call.in, call.in_size);
    call.in = pages;
    call.in_size = page_size;
    if (check_succeeds(&call)) check_done(&call, call.instance.Token);
    pages_free();

    call_init(&call, code);
    pages_alloc(NO_ACCESS);
    call.out = pages;
    call.out_size = page_size;
    if (check_succeeds(&call)) check_done(&call, *(ULONG64 *)(pages + 8));
    pages_free();

    /* All at the end, none of it aligned, the input read-only. */
    call_init(&call, code);
    pages_alloc(READ_ONLY);
    VirtualProtect(pages + page_size, page_size, PAGE_READWRITE, &old);
    memcpy(pages + 2 * page_size - call.in_size, call.in, call.in_size);
    VirtualProtect(pages + page_size, page_size, PAGE_READONLY, &old);
    call.in = pages + 2 * page_size - call.in_size;
    if (call.out) call.out = before_bad(16);
    call.returned_pointer = before_bad(16 + sizeof(DWORD) + 1);
    if (check_succeeds(&call))
        check_done(&call, call.out ? *(ULONG64 *)before_bad(8) : INVALID_PORT_RESERVATION_TOKEN);
    pages_free();
}

/* An OVERLAPPED at any address. */
static void test_misaligned(unsigned int code)
{
    char buffer[sizeof(OVERLAPPED) + 16];
    struct call call;
    unsigned int i;
    ULONG_PTR bytes;

    for (i = 1; i < 8; i++)
    {
        winetest_push_context("offset %u", i);
        call_init(&call, code);
        memset(buffer, 0, sizeof(buffer));
        buffer[i - 1] = buffer[i + sizeof(OVERLAPPED)] = 0x55;
        call.overlapped_pointer = (OVERLAPPED *)(buffer + i);
        if (check_succeeds(&call))
        {
            memcpy(&bytes, buffer + i + sizeof(ULONG_PTR), sizeof(bytes));
            ok(bytes == codes[code].out_size, "%u bytes\n", (unsigned int)bytes);
            check_done(&call, call.instance.Token);
        }
        ok(buffer[i - 1] == 0x55 && buffer[i + sizeof(OVERLAPPED)] == 0x55,
           "memory beside the OVERLAPPED was written\n");
        winetest_pop_context();
    }
}

/* The input is read before anything is written, wherever that goes. */
static void test_shared(unsigned int code)
{
    static const int offsets[] = {-2, -1, 1, 2, 3, 7, 12, 15};
    char buffer[64];
    struct call call;
    unsigned int i;
    ULONG64 token;
    DWORD size;

    /* The number of bytes goes over the input. */
    call_init(&call, code);
    call.returned_pointer = call.in;
    if (check_succeeds(&call))
    {
        memcpy(&size, call.in, sizeof(size));
        ok(size == codes[code].out_size, "%lu bytes returned\n", size);
        check_done(&call, call.instance.Token);
    }

    /* So does the OVERLAPPED. */
    call_init(&call, code);
    memcpy(&call.overlapped, call.in, call.in_size);
    call.in = call.overlapped_pointer = &call.overlapped;
    if (check_succeeds(&call)) check_done(&call, call.instance.Token);
    if (code != ACQUIRE) return;

    /* And the output. */
    for (i = 0; i < ARRAYSIZE(offsets); i++)
    {
        winetest_push_context("offset %d", offsets[i]);
        call_init(&call, code);
        memcpy(buffer + 16 + offsets[i], call.in, call.in_size);
        call.in = buffer + 16 + offsets[i];
        call.out = buffer + 16;
        if (check_succeeds(&call))
        {
            memcpy(&token, buffer + 24, sizeof(token));
            check_done(&call, token);
        }
        winetest_pop_context();
    }

    /* The number of bytes is the last to be written. */
    call_init(&call, code);
    call.out = buffer;
    call.returned_pointer = (DWORD *)(buffer + 2);
    if (check_succeeds(&call))
    {
        memcpy(&size, buffer + 2, sizeof(size));
        ok(size == 16, "%lu bytes returned\n", size);
        memcpy(&token, buffer + 8, sizeof(token));
        check_done(&call, token);
    }
}

/* A routine and no OVERLAPPED: there is nothing to complete. */
static void test_routine_alone(unsigned int code)
{
    struct call call;

    call_init(&call, code);
    call.routine = routine;
    routine_calls = 0;
    if (check_succeeds(&call)) check_done(&call, call.instance.Token);
    ok(!SleepEx(0, TRUE) && !routine_calls, "the routine was called\n");

    call_init(&call, code);
    call.routine = routine;
    call.returned_pointer = NULL;
    check_fails(&call, WSAEFAULT);
}

static void test_kind(void)
{
    USHORT start = find_ports(6);
    unsigned int code;

    owner = open_socket(kind);
    check_acquire(owner, start, 2, 0, &first);
    check_acquire(owner, start + 2, 2, 0, &second);
    for (code = 0; code < CODE_COUNT; code++)
    {
        winetest_push_context("%s", codes[code].name);
        test_bad(code);
        test_event(code);
        test_routine_at_port(code);
        test_order(code);
        test_whole(code);
        test_misaligned(code);
        test_shared(code);
        test_routine_alone(code);
        winetest_pop_context();
    }
    check_close(owner);
    check_free(kind, start, 6);
}

START_TEST(memory)
{
    static const unsigned int some[] = {TCP4, UDP_DUAL};
    SYSTEM_INFO info;
    WSADATA data;
    unsigned int i;

    WSAStartup(MAKEWORD(2, 2), &data);
    GetSystemInfo(&info);
    page_size = info.dwPageSize;
    for (i = 0; i < ARRAYSIZE(some); i++)
    {
        kind = &kinds[some[i]];
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_kind();
        winetest_pop_context();
    }
    WSACleanup();
}
