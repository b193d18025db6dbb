/*
 * Tests of the three codes as overlapped calls
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

#define TIMEOUT 10000

static unsigned int routine_calls;
static DWORD routine_error, routine_bytes;
static OVERLAPPED *routine_overlapped;

static void CALLBACK routine(DWORD error, DWORD bytes, OVERLAPPED *overlapped, DWORD flags)
{
    (void)flags;
    routine_calls++;
    routine_error = error;
    routine_bytes = bytes;
    routine_overlapped = overlapped;
}

/* A call of one of the codes, with what must outlive it. */
struct call
{
    const char *name;
    DWORD code;
    DWORD bytes; /* that it returns */
    INET_PORT_RANGE range;
    INET_PORT_RESERVATION_TOKEN token;
    INET_PORT_RESERVATION_INSTANCE instance;
    OVERLAPPED overlapped;
};

enum
{
    ACQUIRE,
    ASSOCIATE,
    RELEASE,
    CALL_COUNT
};

/* They make one reservation's life, in this order. */
static void calls_init(struct call *calls)
{
    memset(calls, 0, CALL_COUNT * sizeof(*calls));
    calls[ACQUIRE].name = "acquire";
    calls[ACQUIRE].code = SIO_ACQUIRE_PORT_RESERVATION;
    calls[ACQUIRE].bytes = 16;
    calls[ACQUIRE].range.NumberOfPorts = 3;
    calls[ASSOCIATE].name = "associate";
    calls[ASSOCIATE].code = SIO_ASSOCIATE_PORT_RESERVATION;
    calls[RELEASE].name = "release";
    calls[RELEASE].code = SIO_RELEASE_PORT_RESERVATION;
}

/* 0 if it has succeeded or will; the error. */
static int call_make(struct call *call, SOCKET s, DWORD *returned,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE completion)
{
    BOOL acquire = call->code == SIO_ACQUIRE_PORT_RESERVATION;
    int ret, error;

    WSASetLastError(0xdeadbeef);
    if (acquire)
        ret = WSAIoctl(s, call->code, &call->range, sizeof(call->range), &call->instance,
                       sizeof(call->instance), returned, &call->overlapped, completion);
    else
        ret = WSAIoctl(s, call->code, &call->token, sizeof(call->token), NULL, 0, returned,
                       &call->overlapped, completion);
    error = ret ? WSAGetLastError() : 0;
    return error == WSA_IO_PENDING ? 0 : error;
}

/* Makes a call that must succeed; FALSE if it does not, and there is nothing to wait for. */
static BOOL call_begin_(int line, struct call *call, SOCKET s, DWORD *returned,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE completion)
{
    int error = call_make(call, s, returned, completion);

    ok_(__FILE__, line)(!error, "error %d\n", error);
    return !error;
}
#define call_begin(...) call_begin_(__LINE__, __VA_ARGS__)

/* Waits until the call is over, so that asking for its result does not take for ever. */
static BOOL call_await_(int line, const struct call *call)
{
    DWORD begin = GetTickCount();

    while (!HasOverlappedIoCompleted(&call->overlapped) && GetTickCount() - begin < TIMEOUT)
        Sleep(1);
    ok_(__FILE__, line)(HasOverlappedIoCompleted(&call->overlapped), "the call is not over\n");
    return HasOverlappedIoCompleted(&call->overlapped);
}
#define call_await(...) call_await_(__LINE__, __VA_ARGS__)

/* Hands the token that the first call got to the others. */
static void calls_pass_token(struct call *calls)
{
    calls[ASSOCIATE].token.Token = calls[RELEASE].token.Token = calls[ACQUIRE].instance.Token;
}

static void check_result_(int line, SOCKET s, struct call *call)
{
    DWORD bytes = 0xdeadbeef, flags = 0xdeadbeef;
    BOOL ret;

    if (!call_await_(line, call)) return;
    ret = WSAGetOverlappedResult(s, &call->overlapped, &bytes, TRUE, &flags);
    ok_(__FILE__, line)(ret, "error %d\n", WSAGetLastError());
    ok_(__FILE__, line)(bytes == call->bytes, "%lu bytes\n", bytes);
    ok_(__FILE__, line)(call->overlapped.InternalHigh == call->bytes, "%lu bytes\n",
                        (DWORD)call->overlapped.InternalHigh);
    ok_(__FILE__, line)(!call->overlapped.Internal, "status %#lx\n",
                        (DWORD)call->overlapped.Internal);
}
#define check_result(...) check_result_(__LINE__, __VA_ARGS__)

static void test_event(const struct kind *kind)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    int i;

    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        ResetEvent(event);
        calls[i].overlapped.hEvent = event;
        if (call_begin(&calls[i], s, NULL, NULL))
        {
            ok(!WaitForSingleObject(event, TIMEOUT), "the event is not set\n");
            check_result(s, &calls[i]);
        }
        calls_pass_token(calls);
        winetest_pop_context();
    }
    ok(calls[ACQUIRE].instance.NumberOfPorts == 3, "%u ports\n",
       calls[ACQUIRE].instance.NumberOfPorts);
    check_close(s);
    check_free(kind, ntohs(calls[ACQUIRE].instance.StartPort), 3);
    CloseHandle(event);
}

/* Where to return the number of bytes may be said as well. */
static void test_returned(const struct kind *kind)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    DWORD returned;
    int i;

    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        calls[i].overlapped.hEvent = event;
        returned = 0xdeadbeef;
        if (call_begin(&calls[i], s, &returned, NULL)) check_result(s, &calls[i]);
        /* 0, if the size was not known yet. */
        ok(returned == calls[i].bytes || !returned, "%lu bytes returned\n", returned);
        calls_pass_token(calls);
        winetest_pop_context();
    }
    check_close(s);
    CloseHandle(event);
}

/* Neither event nor routine: the socket itself is signalled. */
static void test_socket(const struct kind *kind)
{
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    DWORD bytes;
    int i;

    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        if (call_begin(&calls[i], s, NULL, NULL) && call_await(&calls[i]))
        {
            bytes = 0xdeadbeef;
            ok(GetOverlappedResult((HANDLE)s, &calls[i].overlapped, &bytes, TRUE), "error %lu\n",
               GetLastError());
            ok(bytes == calls[i].bytes, "%lu bytes\n", bytes);
        }
        calls_pass_token(calls);
        winetest_pop_context();
    }
    check_close(s);
}

/* The routine is called once, when the thread waits for that. */
static void check_routine(struct call *call)
{
    DWORD ret;

    ok(!routine_calls, "called before the thread waits\n");
    Sleep(0);
    ok(!routine_calls, "called in a wait that is not alertable\n");
    ret = SleepEx(TIMEOUT, TRUE);
    ok(ret == WAIT_IO_COMPLETION, "returned %#lx\n", ret);
    ok(routine_calls == 1, "called %u times\n", routine_calls);
    ok(!routine_error && routine_bytes == call->bytes, "error %lu, %lu bytes\n", routine_error,
       routine_bytes);
    ok(routine_overlapped == &call->overlapped, "another OVERLAPPED\n");
    ok(!SleepEx(0, TRUE) && routine_calls == 1, "called %u times\n", routine_calls);
}

static void test_routine(const struct kind *kind)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    int i;

    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        routine_calls = 0;
        /* With a routine, this is the program's own to use. */
        calls[i].overlapped.hEvent = event;
        if (call_begin(&calls[i], s, NULL, routine)) check_routine(&calls[i]);
        ok(WaitForSingleObject(event, 0) == WAIT_TIMEOUT, "the event is set\n");
        calls_pass_token(calls);
        winetest_pop_context();
    }
    check_close(s);
    CloseHandle(event);
}

static void check_packet_(int line, HANDLE port, OVERLAPPED *expected, DWORD size)
{
    OVERLAPPED *overlapped = NULL;
    DWORD bytes = 0xdeadbeef;
    ULONG_PTR key = 0;
    BOOL ret;

    ret = GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, expected ? TIMEOUT : 0);
    if (!expected)
    {
        ok_(__FILE__, line)(!ret && !overlapped, "a packet of %lu bytes\n", bytes);
        return;
    }
    ok_(__FILE__, line)(ret, "no packet, error %lu\n", GetLastError());
    ok_(__FILE__, line)(overlapped == expected, "another OVERLAPPED\n");
    ok_(__FILE__, line)(key == 0x7a777, "another key\n");
    ok_(__FILE__, line)(bytes == size, "%lu bytes\n", bytes);
}
#define check_packet(...) check_packet_(__LINE__, __VA_ARGS__)

static void test_completion_port(const struct kind *kind)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    struct block block;
    int i;

    CreateIoCompletionPort((HANDLE)s, port, 0x7a777, 0);
    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        if (call_begin(&calls[i], s, NULL, NULL))
        {
            check_packet(port, &calls[i].overlapped, calls[i].bytes);
            check_result(s, &calls[i]);
        }
        check_packet(port, NULL, 0);
        calls_pass_token(calls);
        winetest_pop_context();
    }

    /* A packet, and the event besides. */
    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s with event", calls[i].name);
        ResetEvent(event);
        calls[i].overlapped.hEvent = event;
        if (call_begin(&calls[i], s, NULL, NULL))
        {
            check_packet(port, &calls[i].overlapped, calls[i].bytes);
            ok(!WaitForSingleObject(event, TIMEOUT), "the event is not set\n");
        }
        calls_pass_token(calls);
        winetest_pop_context();
    }

    /* An odd event: no packet. */
    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s with odd event", calls[i].name);
        ResetEvent(event);
        calls[i].overlapped.hEvent = (HANDLE)((ULONG_PTR)event | 1);
        if (call_begin(&calls[i], s, NULL, NULL))
        {
            ok(!WaitForSingleObject(event, TIMEOUT), "the event is not set\n");
            ok(calls[i].overlapped.InternalHigh == calls[i].bytes, "%lu bytes\n",
               (DWORD)calls[i].overlapped.InternalHigh);
        }
        check_packet(port, NULL, 0);
        calls_pass_token(calls);
        winetest_pop_context();
    }

    /* No OVERLAPPED: no packet. */
    check_acquire(s, 0, 1, 0, &block);
    check_associate(s, block.token, 0);
    check_release(s, block.token, 0);
    check_packet(port, NULL, 0);
    check_close(s);
    CloseHandle(port);
    CloseHandle(event);
}

/* With this mode there is a packet only for what did not succeed at once. */
static void test_skip_on_success(const struct kind *kind)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    BOOL begun;
    int i;

    CreateIoCompletionPort((HANDLE)s, port, 0x7a777, 0);
    SetFileCompletionNotificationModes((HANDLE)s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        WSASetLastError(0);
        begun = call_begin(&calls[i], s, NULL, NULL);
        if (begun && WSAGetLastError() == WSA_IO_PENDING)
            check_packet(port, &calls[i].overlapped, calls[i].bytes);
        else
            check_packet(port, NULL, 0);
        check_packet(port, NULL, 0);
        calls_pass_token(calls);
        winetest_pop_context();
    }
    check_close(s);
    CloseHandle(port);
}

/* A call that fails says so once, by its return value. */
static void test_failure(const struct kind *kind)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind), on_port = open_socket(kind);
    DWORD returned;
    int i, error;

    CreateIoCompletionPort((HANDLE)on_port, port, 0x7a777, 0);
    for (i = 0; i < CALL_COUNT; i++)
    {
        calls_init(calls);
        winetest_push_context("%s", calls[i].name);
        calls[i].range.NumberOfPorts = 0;
        calls[i].overlapped.hEvent = event;
        returned = 0xdeadbeef;
        error = call_make(&calls[i], s, &returned, NULL);
        ok(error == WSAEINVAL, "error %d\n", error);
        ok(!returned, "%lu bytes returned\n", returned);
        ok(WaitForSingleObject(event, 0) == WAIT_TIMEOUT, "the event is set\n");

        routine_calls = 0;
        error = call_make(&calls[i], s, NULL, routine);
        ok(error == WSAEINVAL, "error %d\n", error);
        ok(!SleepEx(0, TRUE) && !routine_calls, "the routine was called\n");

        error = call_make(&calls[i], on_port, NULL, NULL);
        ok(error == WSAEINVAL, "error %d\n", error);
        check_packet(port, NULL, 0);
        winetest_pop_context();
    }
    check_close(s);
    check_close(on_port);
    CloseHandle(port);
    CloseHandle(event);
}

/* An OVERLAPPED that is not there. */
static void test_bad_pointer(const struct kind *kind)
{
    void *hole = alloc_before_hole(sizeof(OVERLAPPED) / 2);
    OVERLAPPED *bad[] = {(OVERLAPPED *)0xdeadbee0, hole};
    USHORT start = find_ports(2);
    INET_PORT_RANGE range = {htons(start), 2};
    INET_PORT_RESERVATION_INSTANCE instance;
    SOCKET s = open_socket(kind);
    DWORD returned;
    unsigned int i;
    int ret;

    for (i = 0; i < ARRAYSIZE(bad); i++)
    {
        ret = WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                       sizeof(instance), &returned, bad[i], NULL);
        ok(ret == SOCKET_ERROR && WSAGetLastError() == WSAEFAULT, "returned %d, error %d\n", ret,
           WSAGetLastError());
        check_free(kind, start, 2);
    }
    check_close(s);
    free_before_hole(hole);
}

/* A socket made without WSA_FLAG_OVERLAPPED ignores both parameters. */
static void test_not_overlapped(const struct kind *kind)
{
    SOCKET s = WSASocketW(kind->family, kind->type, kind->protocol, NULL, 0, 0);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct call calls[CALL_COUNT];
    OVERLAPPED untouched;
    DWORD returned;
    int i, error;

    calls_init(calls);
    for (i = 0; i < CALL_COUNT; i++)
    {
        winetest_push_context("%s", calls[i].name);
        memset(&calls[i].overlapped, 0x77, sizeof(calls[i].overlapped));
        calls[i].overlapped.hEvent = event;
        untouched = calls[i].overlapped;
        routine_calls = 0;
        returned = 0xdeadbeef;
        error = call_make(&calls[i], s, &returned, routine);
        ok(!error && WSAGetLastError() != WSA_IO_PENDING, "error %d, last error %d\n", error,
           WSAGetLastError());
        ok(returned == calls[i].bytes, "%lu bytes returned\n", returned);
        ok(!SleepEx(0, TRUE) && !routine_calls, "the routine was called\n");
        ok(WaitForSingleObject(event, 0) == WAIT_TIMEOUT, "the event is set\n");
        ok(!memcmp(&untouched, &calls[i].overlapped, sizeof(untouched)),
           "the OVERLAPPED was written\n");
        calls_pass_token(calls);
        winetest_pop_context();
    }

    /* So the number of bytes must have its place. */
    calls_init(calls);
    error = call_make(&calls[ACQUIRE], s, NULL, NULL);
    ok(error == WSAEFAULT, "error %d\n", error);
    check_close(s);
    CloseHandle(event);
}

/* Closed before the thread has heard of the completion. */
static void test_closed(const struct kind *kind)
{
    struct call calls[CALL_COUNT];
    SOCKET s = open_socket(kind);
    BOOL begun;

    calls_init(calls);
    routine_calls = 0;
    begun = call_begin(&calls[ACQUIRE], s, NULL, routine);
    check_close(s);
    if (!begun) return;
    check_free(kind, ntohs(calls[ACQUIRE].instance.StartPort), 3);
    ok(SleepEx(TIMEOUT, TRUE) == WAIT_IO_COMPLETION && routine_calls == 1,
       "the routine was called %u times\n", routine_calls);
}

START_TEST(overlapped)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_event(kind);
        test_returned(kind);
        test_socket(kind);
        test_routine(kind);
        test_completion_port(kind);
        test_skip_on_success(kind);
        test_failure(kind);
        test_bad_pointer(kind);
        test_not_overlapped(kind);
        test_closed(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
