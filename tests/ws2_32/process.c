/*
 * Tests with two processes
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

#include <stdlib.h>

#define TIMEOUT 20000

/* Children say by a semaphore that they have come as far as their parent wants, and wait for an
 * event, the first time for the first and then for the second. */
static HANDLE ready, go_on[2];

static void signals_init(void)
{
    SECURITY_ATTRIBUTES inherited = {sizeof(inherited), NULL, TRUE};

    ready = CreateSemaphoreW(&inherited, 0, 100, NULL);
    go_on[0] = CreateEventW(&inherited, TRUE, FALSE, NULL);
    go_on[1] = CreateEventW(&inherited, TRUE, FALSE, NULL);
}

/* The child's command: what it is to do, two numbers, the signals, and a word to find it by. */
static HANDLE start_marked_peer(const char *what, UINT kind, ULONG64 number, const char *mark)
{
    ResetEvent(go_on[0]);
    ResetEvent(go_on[1]);
    return start_child("%s %u %s %p %p %p %s", what, kind, wine_dbgstr_longlong(number), ready,
                       go_on[0], go_on[1], mark);
}

static HANDLE start_peer(const char *what, UINT kind, ULONG64 number)
{
    return start_marked_peer(what, kind, number, "");
}

static void say_ready(unsigned int step)
{
    ReleaseSemaphore(ready, 1, NULL);
    ok(!WaitForSingleObject(go_on[step], TIMEOUT), "nobody says to go on\n");
}

static BOOL wait_ready(void)
{
    BOOL success = !WaitForSingleObject(ready, TIMEOUT);

    ok(success, "the child is not ready\n");
    return success;
}

/* The child's part: our block is another process's to it. */
static void child_foreign_block(const struct kind *kind, USHORT start)
{
    static const char *const options[] = {"", "reuse", "exclusive"};
    unsigned int i;
    int on = 1;
    SOCKET s;

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

static void test_foreign_block(unsigned int index)
{
    const struct kind *kind = &kinds[index];
    SOCKET owner = open_socket(kind), s;
    struct block block;
    HANDLE process;

    check_acquire(owner, find_ports(4), 3, 0, &block);
    s = associated(kind, &block);
    check_bind(s, block.start + 1, 0);
    process = start_peer("foreign_block", index, block.start);
    wait_child_process(process);
    CloseHandle(process);
    check_close(s);
    check_close(owner);
}

/* Nor is its token any use there. */
static void child_foreign_token(const struct kind *kind, ULONG64 token)
{
    SOCKET s = open_socket(kind);

    check_associate(s, token, WSAEINVAL);
    check_release(s, token, WSAEINVAL);
    check_bind(s, 0, 0);
    check_close(s);
}

static void test_foreign_token(unsigned int index)
{
    const struct kind *kind = &kinds[index];
    struct block block;
    SOCKET owner = acquire_any(kind, 1, &block), s;
    HANDLE process;

    process = start_peer("foreign_token", index, block.token);
    wait_child_process(process);
    CloseHandle(process);
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(owner);
}

/* Blocks that the child holds when it ends, in whichever way. */
static void child_hold(const struct kind *kind, USHORT start)
{
    SOCKET owner = open_socket(kind), s;
    struct block block;

    check_acquire(owner, start, 100, 0, &block);
    s = associated(kind, &block);
    check_bind(s, start + 1, 0);
    s = associated(kind, &block);
    check_bind(s, start + 2, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    associated(kind, &block);
    say_ready(0);
}

/* How the child's end came about. */
enum end
{
    END_EXIT,      /* by itself, leaving all open */
    END_TERMINATE, /* by TerminateProcess */
    END_KILL,      /* by SIGKILL */
};

/* Finds the child's number on the host by its command line. */
static int host_process(const char *mark)
{
    int number = outsider_number("find-process %s", mark);

    ok(number > 0, "the host does not know the process\n");
    return number;
}

static void test_end(unsigned int index, enum end end)
{
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(100);
    const char *mark = unique_word();
    HANDLE process;
    SOCKET s;

    process = start_marked_peer("hold", index, start, mark);
    if (!wait_ready()) return;
    check_reserved(kind, start);
    check_reserved(kind, start + 1);
    check_reserved(kind, start + 99);
    s = open_socket(kind);
    check_acquire(s, start, 1, WSAEADDRINUSE, NULL);
    switch (end)
    {
    case END_EXIT:
        SetEvent(go_on[0]);
        wait_child_process(process);
        break;
    case END_TERMINATE:
        ok(TerminateProcess(process, 1), "error %lu\n", GetLastError());
        break;
    case END_KILL:
        outsider("kill %u", host_process(mark));
        break;
    }
    ok(!WaitForSingleObject(process, TIMEOUT), "the child has not ended\n");
    CloseHandle(process);

    /* At once. */
    check_acquire(s, start, 100, 0, NULL);
    check_close(s);
    check_free(kind, start, 100);
}

/* The child's part in a race: says by its exit code how many of the blocks it got. */
static void child_race(const struct kind *kind, USHORT start, UINT count)
{
    INET_PORT_RESERVATION_INSTANCE instance;
    SOCKET sockets[64];
    UINT i, got = 0;

    say_ready(0);
    for (i = 0; i < count; i++)
    {
        INET_PORT_RANGE range = {htons(start + 10 * i), 10};
        int error;

        sockets[i] = open_socket(kind);
        error = reservation_ioctl(sockets[i], SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range),
                                  &instance, sizeof(instance));
        ok(!error || error == WSAEADDRINUSE, "error %d\n", error);
        got += !error;
    }
    /* All are kept until all have tried. */
    say_ready(1);
    ok(got <= count, "got %u\n", got);
    if (winetest_get_failures()) return;
    WSACleanup();
    ExitProcess(0x1000 + got);
}

/* Several processes want the same blocks: one gets it, all others are told. */
static void test_race(unsigned int index)
{
    enum
    {
        PROCESSES = 3,
        BLOCKS = 40
    };
    HANDLE processes[PROCESSES];
    USHORT start = find_ports(10 * BLOCKS);
    DWORD code, got = 0;
    unsigned int i, step;

    for (i = 0; i < PROCESSES; i++) processes[i] = start_peer("race", index, start | BLOCKS << 16);
    for (step = 0; step < 2; step++)
    {
        for (i = 0; i < PROCESSES; i++) wait_ready();
        SetEvent(go_on[step]);
    }
    for (i = 0; i < PROCESSES; i++)
    {
        ok(!WaitForSingleObject(processes[i], TIMEOUT), "a child has not ended\n");
        GetExitCodeProcess(processes[i], &code);
        ok(code >= 0x1000, "exit code %#lx\n", code);
        if (code >= 0x1000) got += code - 0x1000;
        CloseHandle(processes[i]);
    }
    ok(got == BLOCKS, "%lu of %u blocks were given\n", got, BLOCKS);
    check_free(&kinds[index], start, 10 * BLOCKS);
}

static void child_idle(void)
{
    say_ready(0);
}

/* A socket that a child has a handle of. */
static void test_inherited(unsigned int index)
{
    const struct kind *kind = &kinds[index];
    struct block block;
    SOCKET owner = acquire_any(kind, 2, &block), other = open_socket(kind);
    HANDLE process;

    ok(SetHandleInformation((HANDLE)owner, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT), "error %lu\n",
       GetLastError());
    process = start_peer("idle", index, 0);
    if (!wait_ready()) return;
    /* While that lives, so does the socket, and what it acquired. */
    check_close(owner);
    check_reserved(kind, block.start);
    check_acquire(other, block.start, 2, WSAEADDRINUSE, NULL);
    check_close(draw(kind, &block, NULL));
    SetEvent(go_on[0]);
    wait_child_process(process);
    CloseHandle(process);
    check_acquire(other, block.start, 2, 0, NULL);
    check_close(other);
}

/* What a child makes in a table that has seen a process end there before. */
static void test_dead_owner(unsigned int index)
{
    const struct kind *kind = &kinds[index];
    USHORT start = find_ports(100);
    HANDLE process;
    int i;

    for (i = 0; i < 2; i++)
    {
        process = start_peer("hold", index, start);
        if (!wait_ready()) return;
        TerminateProcess(process, 1);
        WaitForSingleObject(process, TIMEOUT);
        CloseHandle(process);
    }
    process = start_peer("foreign_token", index, 1);
    wait_child_process(process);
    CloseHandle(process);
    /* A port that a dead process drew is no more reserved than any other. */
    if (kind->type == SOCK_DGRAM)
    {
        SOCKET s = open_socket(kind);

        check_bind(s, start + 1, 0);
        check_close(s);
    }
    check_free(kind, start, 100);
}

static void run_child(char **argv)
{
    const struct kind *kind = &kinds[atoi(argv[3])];
    ULONG64 number = strtoull(argv[4], NULL, 16);

    ready = (HANDLE)(ULONG_PTR)strtoull(argv[5], NULL, 16);
    go_on[0] = (HANDLE)(ULONG_PTR)strtoull(argv[6], NULL, 16);
    go_on[1] = (HANDLE)(ULONG_PTR)strtoull(argv[7], NULL, 16);
    if (!strcmp(argv[2], "foreign_block")) child_foreign_block(kind, number);
    if (!strcmp(argv[2], "foreign_token")) child_foreign_token(kind, number);
    if (!strcmp(argv[2], "hold")) child_hold(kind, number);
    if (!strcmp(argv[2], "race")) child_race(kind, number & 0xffff, number >> 16);
    if (!strcmp(argv[2], "idle")) child_idle();
}

static void run_parent(void)
{
    static const unsigned int some[] = {TCP4, TCP_DUAL, UDP4, UDP6};
    unsigned int i;

    signals_init();
    for (i = 0; i < ARRAYSIZE(some); i++)
    {
        winetest_push_context("%s", kinds[some[i]].name);
        test_foreign_block(some[i]);
        test_foreign_token(some[i]);
        test_end(some[i], END_EXIT);
        test_end(some[i], END_TERMINATE);
        if (outsider_available())
            test_end(some[i], END_KILL);
        else
            skip("no outsider to kill a process\n");
        test_race(some[i]);
        test_inherited(some[i]);
        test_dead_owner(some[i]);
        winetest_pop_context();
    }
    outsider_disconnect();
}

START_TEST(process)
{
    WSADATA data;
    char **argv;
    int argc = winetest_get_mainargs(&argv);

    WSAStartup(MAKEWORD(2, 2), &data);
    if (argc >= 8)
        run_child(argv);
    else
        run_parent();
    WSACleanup();
}
