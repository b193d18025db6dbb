/*
 * Tests that nothing leaks: descriptors of the host, handles, memory
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rounds are made by a child process, which the host can find by its command line.
 */
#include "../conformance/target.h"

#include <psapi.h>

#define WARM_UP 1000
#define ROUNDS  10000

/* Of a heap that is as large as it was, some is in other places. A leak of 26 bytes a round would
 * be more than this. */
#define MEMORY_SLACK (256 * 1024)

struct usage
{
    DWORD handles;
    SIZE_T heap;
    int descriptors; /* -1: not known */
    int resident;    /* KiB of memory that is no file's; -1: not known */
};

/* Memory that HeapAlloc has given out. */
static SIZE_T heap_size(void)
{
    PROCESS_HEAP_ENTRY entry = {0};
    SIZE_T size = 0;

    while (HeapWalk(GetProcessHeap(), &entry))
        if (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY) size += entry.cbData + entry.cbOverhead;
    return size;
}

static struct usage usage_now(int process)
{
    struct usage usage = {.descriptors = -1, .resident = -1};
    unsigned int resident = 0, anonymous = 0;

    if (process > 0)
    {
        usage.descriptors = outsider_number("descriptors %d", process);
        if (sscanf(outsider("memory %d", process), "ok %u %u", &resident, &anonymous) == 2)
            usage.resident = anonymous;
    }
    GetProcessHandleCount(GetCurrentProcess(), &usage.handles);
    usage.heap = heap_size();
    return usage;
}

static void check_usage(const struct usage *before, const struct usage *after)
{
    trace("before: %lu handles, %d descriptors, heap %lu, %d KiB resident\n", before->handles,
          before->descriptors, (DWORD)before->heap, before->resident);
    trace("after: %lu handles, %d descriptors, heap %lu, %d KiB resident\n", after->handles,
          after->descriptors, (DWORD)after->heap, after->resident);
    ok(after->handles <= before->handles, "%lu handles, before %lu\n", after->handles,
       before->handles);
    ok(after->heap <= before->heap + MEMORY_SLACK, "%lu bytes of heap, before %lu\n",
       (DWORD)after->heap, (DWORD)before->heap);
    if (before->descriptors == -1)
    {
        skip("no outsider to count descriptors and memory\n");
        return;
    }
    ok(before->descriptors > 0, "%d descriptors\n", before->descriptors);
    ok(after->descriptors <= before->descriptors, "%d descriptors, before %d\n", after->descriptors,
       before->descriptors);
    ok(after->resident <= before->resident + MEMORY_SLACK / 1024, "%d KiB of memory, before %d\n",
       after->resident, before->resident);
}

/* A reservation's whole life. */
static void round_plain(const struct kind *kind)
{
    struct block block;
    SOCKET owner, s;

    owner = acquire_any(kind, 3, &block);
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(owner);
}

static void round_released(const struct kind *kind)
{
    struct block block;
    SOCKET s = open_socket(kind);

    check_acquire(s, 0, 1, 0, &block);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    check_release(s, block.token, 0);
    check_close(s);
}

/* What is closed otherwise, and noticed later. */
static void round_CloseHandle(const struct kind *kind)
{
    struct block block;
    SOCKET owner, s;

    owner = acquire_any(kind, 2, &block);
    s = draw(kind, &block, NULL);
    CloseHandle((HANDLE)s);
    s = associated(kind, &block);
    CloseHandle((HANDLE)s);
    CloseHandle((HANDLE)owner);
}

static void round_duplicate(const struct kind *kind)
{
    struct block block;
    HANDLE copy;
    SOCKET owner, s;

    owner = acquire_any(kind, 2, &block);
    s = draw(kind, &block, NULL);
    DuplicateHandle(GetCurrentProcess(), (HANDLE)s, GetCurrentProcess(), &copy, 0, FALSE,
                    DUPLICATE_SAME_ACCESS);
    check_close(s);
    CloseHandle(copy);
    DuplicateHandle(GetCurrentProcess(), (HANDLE)owner, GetCurrentProcess(), &copy, 0, FALSE,
                    DUPLICATE_SAME_ACCESS);
    check_close(owner);
    CloseHandle(copy);
}

/* Calls that fail, each at another point. */
static void round_failing(const struct kind *kind)
{
    struct block block;
    SOCKET owner, s = open_socket(kind), other;

    owner = acquire_any(kind, 1, &block);
    check_acquire(s, block.start, 1, WSAEADDRINUSE, NULL);
    check_acquire(s, 0, 0, WSAEINVAL, NULL);
    check_associate(s, block.token + 1, WSAEINVAL);
    check_associate(s, block.token, 0);
    check_associate(s, block.token, 0);
    check_bind(s, block.start - 1, WSAEINVAL);
    check_bind(s, 0, 0);
    other = associated(kind, &block);
    check_bind(other, 0, WSAENOBUFS);
    check_bind(other, block.start, WSAEADDRINUSE);
    check_close(other);
    check_close(s);
    check_close(owner);
}

static void make_rounds(unsigned int count)
{
    static void (*const rounds[])(const struct kind *) = {
        round_plain, round_plain,     round_plain,   round_released,    round_released,
        round_plain, round_duplicate, round_failing, round_CloseHandle,
    };
    unsigned int i;

    for (i = 0; i < count; i++) rounds[i % ARRAYSIZE(rounds)](&kinds[i / 7 % KIND_COUNT]);
    /* What CloseHandle closed is noticed at a reservation call. */
    round_plain(&kinds[TCP4]);
    round_plain(&kinds[UDP4]);
}

static void test_rounds(int process)
{
    struct usage before, after;

    if (!target_reserves_all()) return;
    make_rounds(WARM_UP);
    /* What failing checks leave open is no leak. */
    if (winetest_get_failures()) return;
    before = usage_now(process);
    make_rounds(ROUNDS);
    after = usage_now(process);
    check_usage(&before, &after);
}

START_TEST(leak)
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    run_in_child(test_rounds, 100);
    WSACleanup();
}
