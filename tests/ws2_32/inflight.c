/*
 * Tests of overlapped calls on sockets that other threads close, cancel and shut down meanwhile
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every call completes once, by the method that it asked for, or fails and does not complete at
 * all. When it is over its memory is the caller's again. What it had is not lost.
 *
 * TAWNY_SEED in the environment repeats a run as far as threads can be repeated; TAWNY_SECONDS
 * makes it longer.
 */
#include "../conformance/target.h"

#define TIMEOUT    20000
#define CALLERS    4
#define DISTURBERS 2
#define SLOTS      6
#define RING       32   /* operations of a caller, to see what comes late */
#define BLOCKS     2048 /* that are looked at in the end */
#define PLENTY     64   /* ports to be associated with */
#define KEY        0x7a777
#define POISON     0xa5

enum
{
    BY_EVENT,
    BY_ODD_EVENT, /* no packet, even at a completion port */
    BY_ROUTINE,
    BY_PORT,
    METHOD_COUNT
};

/* What a call writes, in one piece. */
struct memory
{
    OVERLAPPED overlapped;
    INET_PORT_RESERVATION_INSTANCE instance;
};

struct operation
{
    struct memory memory;
    BOOL used;
    LONG expected_packets, expected_routines;
    volatile LONG packets, routines;
    DWORD bytes;
    DWORD error; /* of packet or routine */
};

/* The sockets that all threads use. */
static struct slot
{
    void *volatile s; /* a SOCKET; INVALID_SOCKET while there is none */
    BOOL has_port;
} slots[SLOTS];

/* Shared: a call is in flight. Exclusive: a handle is made, which may be one closed before, and the
 * call would go to the new socket. */
static SRWLOCK handles_lock = SRWLOCK_INIT;

static HANDLE completion_port;
static struct block plenty[2]; /* by protocol */
static volatile LONG stopping;
static volatile LONG successes, aborts, failures, closes;

static struct recorded
{
    USHORT start;
    USHORT count;
} recorded[BLOCKS];
static volatile LONG recorded_count;

/* Takes note of ports that were held, be it for an instant. Which protocol's is not known. */
static void record(const INET_PORT_RESERVATION_INSTANCE *instance)
{
    LONG i = InterlockedIncrement(&recorded_count) - 1;

    recorded[i % BLOCKS].start = ntohs(instance->StartPort);
    recorded[i % BLOCKS].count = instance->NumberOfPorts;
}

static BOOL is_poisoned(const void *memory, SIZE_T size)
{
    const BYTE *bytes = memory;
    SIZE_T i;

    for (i = 0; i < size && bytes[i] == POISON; i++)
        ;
    return i == size;
}

static void CALLBACK routine(DWORD error, DWORD bytes, OVERLAPPED *overlapped, DWORD flags)
{
    struct operation *operation = (struct operation *)overlapped;

    (void)flags;
    operation->bytes = bytes;
    operation->error = error;
    InterlockedIncrement(&operation->routines);
}

static DWORD CALLBACK packet_thread(void *argument)
{
    struct operation *operation;
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD bytes;
    BOOL ret;

    (void)argument;
    for (;;)
    {
        overlapped = NULL;
        ret = GetQueuedCompletionStatus(completion_port, &bytes, &key, &overlapped, INFINITE);
        if (!overlapped) return 0;
        ok(key == KEY, "another key\n");
        operation = (struct operation *)overlapped;
        operation->bytes = bytes;
        operation->error = ret ? 0 : GetLastError();
        InterlockedIncrement(&operation->packets);
    }
}

/* An operation is to be used again: nothing of the last time has come late. */
static void operation_recycle(struct operation *operation)
{
    if (operation->used)
    {
        ok(is_poisoned(&operation->memory, sizeof(operation->memory)),
           "memory was written after completion\n");
        ok(operation->packets == operation->expected_packets, "%ld packets, expected %ld\n",
           operation->packets, operation->expected_packets);
        ok(operation->routines == operation->expected_routines,
           "the routine was called %ld times, expected %ld\n", operation->routines,
           operation->expected_routines);
    }
    memset(operation, 0, sizeof(*operation));
    memset(&operation->memory.instance, POISON, sizeof(operation->memory.instance));
}

static void operation_retire(struct operation *operation)
{
    operation->used = TRUE;
    memset(&operation->memory, POISON, sizeof(operation->memory));
}

static BOOL is_over(const struct operation *operation, HANDLE event, BOOL by_event)
{
    return HasOverlappedIoCompleted(&operation->memory.overlapped) &&
           operation->packets >= operation->expected_packets &&
           operation->routines >= operation->expected_routines &&
           (!by_event || !WaitForSingleObject(event, 0));
}

/* Waits for an operation that has begun; checks what it says. */
static BOOL operation_await(struct operation *operation, HANDLE event, BOOL by_event, DWORD size)
{
    const OVERLAPPED *overlapped = &operation->memory.overlapped;
    DWORD begin = GetTickCount();

    while (!is_over(operation, event, by_event) && GetTickCount() - begin < TIMEOUT)
    {
        if (operation->expected_routines)
            SleepEx(10, TRUE);
        else if (by_event)
            WaitForSingleObject(event, 10);
        else
            Sleep(1);
    }
    ok(is_over(operation, event, by_event), "not over: status %#lx, %ld packets, %ld routines\n",
       (DWORD)overlapped->Internal, operation->packets, operation->routines);
    if (!HasOverlappedIoCompleted(overlapped)) return FALSE;
    if ((DWORD)overlapped->Internal)
    {
        InterlockedIncrement(&aborts);
        ok((DWORD)overlapped->Internal == 0xc0000120 /* STATUS_CANCELLED */, "status %#lx\n",
           (DWORD)overlapped->Internal);
        ok((!operation->packets && !operation->routines) ||
               operation->error == ERROR_OPERATION_ABORTED,
           "error %lu\n", operation->error);
        return FALSE;
    }
    InterlockedIncrement(&successes);
    ok(overlapped->InternalHigh == size, "%lu bytes\n", (DWORD)overlapped->InternalHigh);
    if (operation->packets || operation->routines)
        ok(!operation->error && operation->bytes == size, "error %lu, %lu bytes\n",
           operation->error, operation->bytes);
    return TRUE;
}

struct caller
{
    UINT state;
    HANDLE event;
    ULONG64 token; /* of its last block, which may have ended since */
    struct operation ring[RING];
    UINT next;
};

/* Says whether a call may fail so: others do things to its socket, and end what its token is of. */
static BOOL may_fail(DWORD code, int error)
{
    if (error == WSAENOTSOCK || error == WSA_OPERATION_ABORTED) return TRUE;
    return error == WSAEINVAL && code != SIO_ACQUIRE_PORT_RESERVATION;
}

/* Makes a call on a socket. 0 or WSA_IO_PENDING, or the error. */
static int make_call(struct caller *caller, struct operation *operation, const struct slot *slot,
                     DWORD code, int method)
{
    INET_PORT_RANGE range = {0, 1 + next_random(&caller->state) % 3};
    BOOL acquire = code == SIO_ACQUIRE_PORT_RESERVATION;
    ULONG64 token = caller->token;
    DWORD returned;
    int ret, error;

    if (code == SIO_ASSOCIATE_PORT_RESERVATION)
        token = plenty[next_random(&caller->state) % 2].token;
    AcquireSRWLockShared(&handles_lock);
    ret = WSAIoctl((SOCKET)slot->s, code, acquire ? (void *)&range : &token,
                   acquire ? sizeof(range) : sizeof(token),
                   acquire ? &operation->memory.instance : NULL,
                   acquire ? sizeof(operation->memory.instance) : 0,
                   next_random(&caller->state) % 2 ? &returned : NULL,
                   &operation->memory.overlapped, method == BY_ROUTINE ? routine : NULL);
    error = ret ? WSAGetLastError() : 0;
    ReleaseSRWLockShared(&handles_lock);
    return error;
}

static void caller_call(struct caller *caller)
{
    static const DWORD codes[] = {SIO_ACQUIRE_PORT_RESERVATION, SIO_ASSOCIATE_PORT_RESERVATION,
                                  SIO_RELEASE_PORT_RESERVATION};
    struct operation *operation = &caller->ring[caller->next++ % RING];
    const struct slot *slot = &slots[next_random(&caller->state) % SLOTS];
    DWORD code = codes[next_random(&caller->state) % ARRAYSIZE(codes)];
    int method = next_random(&caller->state) % METHOD_COUNT, error;
    BOOL by_event = method == BY_EVENT || method == BY_ODD_EVENT;
    OVERLAPPED before;

    /* These two exclude each other. */
    if (method == BY_ROUTINE && slot->has_port) method = BY_PORT;
    operation_recycle(operation);
    ResetEvent(caller->event);
    if (by_event)
        operation->memory.overlapped.hEvent =
            (HANDLE)((ULONG_PTR)caller->event | (method == BY_ODD_EVENT));
    before = operation->memory.overlapped;
    error = make_call(caller, operation, slot, code, method);
    if (error && error != WSA_IO_PENDING)
    {
        InterlockedIncrement(&failures);
        ok(may_fail(code, error), "code %#lx: error %d\n", code, error);
        ok(!memcmp(&before, &operation->memory.overlapped, sizeof(before)),
           "code %#lx, error %d: the OVERLAPPED was written\n", code, error);
        ok(WaitForSingleObject(caller->event, 0) == WAIT_TIMEOUT, "the event is set\n");
    }
    else
    {
        operation->expected_packets = slot->has_port && method != BY_ODD_EVENT;
        operation->expected_routines = method == BY_ROUTINE;
        if (operation_await(operation, caller->event, by_event,
                            code == SIO_ACQUIRE_PORT_RESERVATION ? 16 : 0) &&
            code == SIO_ACQUIRE_PORT_RESERVATION)
            caller->token = operation->memory.instance.Token;
    }
    if (!is_poisoned(&operation->memory.instance, sizeof(operation->memory.instance)))
        record(&operation->memory.instance);
    operation_retire(operation);
}

static DWORD CALLBACK caller_thread(void *argument)
{
    struct caller *caller = argument;
    UINT i;

    winetest_push_context("caller %#x", caller->state);
    while (!stopping) caller_call(caller);
    /* What was to come too late has had the time. */
    SleepEx(100, TRUE);
    for (i = 0; i < RING; i++) operation_recycle(&caller->ring[i]);
    return 0;
}

static void slot_open(struct slot *slot, UINT *state)
{
    const struct kind *kind = &kinds[next_random(state) % KIND_COUNT];
    SOCKET s;

    AcquireSRWLockExclusive(&handles_lock);
    s = open_socket(kind);
    if (slot->has_port) CreateIoCompletionPort((HANDLE)s, completion_port, KEY, 0);
    ReleaseSRWLockExclusive(&handles_lock);
    slot->s = (void *)s;
}

/* FALSE if there is none to close, or another thread is faster. */
static BOOL slot_close(struct slot *slot)
{
    SOCKET s = (SOCKET)InterlockedExchangePointer(&slot->s, (void *)INVALID_SOCKET);

    if (s == INVALID_SOCKET) return FALSE;
    check_close(s);
    InterlockedIncrement(&closes);
    return TRUE;
}

static DWORD CALLBACK disturber_thread(void *argument)
{
    UINT state = (UINT)(ULONG_PTR)argument;

    while (!stopping)
    {
        struct slot *slot = &slots[next_random(&state) % SLOTS];

        switch (next_random(&state) % 4)
        {
        case 0:
            /* There may be nothing to cancel, and no socket: see that nothing breaks. */
            CancelIoEx((HANDLE)slot->s, NULL);
            break;
        case 1:
            shutdown((SOCKET)slot->s, SD_BOTH);
            break;
        default:
            if (!slot_close(slot)) break;
            if (next_random(&state) % 2) Sleep(0);
            slot_open(slot, &state);
        }
    }
    return 0;
}

/* What was acquired for one protocol may well be of the other's block that is still held. */
static BOOL is_plenty(const struct recorded *ports, const struct block *block)
{
    return ports->start < block->start + block->count && block->start < ports->start + ports->count;
}

/* Without a reservation call, which might notice only now what has ended. */
static void check_recorded_unreserved(const struct kind *kind, const struct block *block)
{
    LONG count = recorded_count < BLOCKS ? recorded_count : BLOCKS, i;

    for (i = 0; i < count; i++)
        if (!is_plenty(&recorded[i], block)) check_unreserved(kind, recorded[i].start);
}

/* Somebody uses a port of it, but it is reserved no longer. */
static void check_recorded_used(const struct kind *kind, const struct recorded *ports)
{
    USHORT port;

    for (port = ports->start; port < ports->start + ports->count; port++)
    {
        SOCKADDR_STORAGE address;
        int length = make_address(kind->wildcard, port, &address), ret;
        SOCKET s = open_socket(kind);

        ret = bind(s, (struct sockaddr *)&address, length);
        ok(!ret || WSAGetLastError() == WSAEADDRINUSE, "port %u: error %d\n", port,
           WSAGetLastError());
        closesocket(s);
    }
}

static void check_recorded_free(const struct kind *kind, const struct block *block)
{
    LONG count = recorded_count < BLOCKS ? recorded_count : BLOCKS, i, tries = 0, used = 0;

    for (i = 0; i < count; i++)
    {
        if (is_plenty(&recorded[i], block)) continue;
        /* A socket that was closed with a call in flight may have its port for a moment yet. */
        while (!can_acquire_block(kind, recorded[i].start, recorded[i].count) && tries++ < 100)
            Sleep(50);
        if (can_acquire_block(kind, recorded[i].start, recorded[i].count)) continue;
        trace("ports from %u are still used\n", recorded[i].start);
        check_recorded_used(kind, &recorded[i]);
        used++;
    }
    /* Wine loses such a socket now and then, or the host has given its port to somebody else. */
    ok(used <= 1 + count / 500, "%ld of %ld blocks are still used\n", used, count);
}

/* All that were ever associated are closed. */
static void check_plenty(const struct kind *kind, const struct block *block)
{
    SOCKET sockets[PLENTY];
    unsigned int i;

    for (i = 0; i < PLENTY; i++) sockets[i] = draw(kind, block, NULL);
    for (i = 0; i < PLENTY; i++) check_close(sockets[i]);
}

static void join(HANDLE *threads, UINT count)
{
    UINT i;

    ok(WaitForMultipleObjects(count, threads, TRUE, 3 * TIMEOUT) < count,
       "a thread has not ended\n");
    for (i = 0; i < count; i++) CloseHandle(threads[i]);
}

static void test_inflight(UINT seed, UINT seconds)
{
    static struct caller callers[CALLERS];
    HANDLE threads[CALLERS + DISTURBERS], packets;
    SOCKET owners[2];
    UINT i, state = seed;

    completion_port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    owners[0] = acquire_any(&kinds[TCP4], PLENTY, &plenty[0]);
    owners[1] = acquire_any(&kinds[UDP4], PLENTY, &plenty[1]);
    for (i = 0; i < SLOTS; i++)
    {
        slots[i].has_port = i % 2;
        slot_open(&slots[i], &state);
    }
    for (i = 0; i < CALLERS; i++)
    {
        callers[i].state = seed * 1000 + i;
        callers[i].event = CreateEventW(NULL, TRUE, FALSE, NULL);
    }
    packets = CreateThread(NULL, 0, packet_thread, NULL, 0, NULL);
    for (i = 0; i < CALLERS; i++)
        threads[i] = CreateThread(NULL, 0, caller_thread, &callers[i], 0, NULL);
    for (; i < CALLERS + DISTURBERS; i++)
        threads[i] =
            CreateThread(NULL, 0, disturber_thread, (void *)(ULONG_PTR)(seed * 1000 + i), 0, NULL);
    Sleep(seconds * 1000);
    stopping = TRUE;
    join(threads, CALLERS + DISTURBERS);
    PostQueuedCompletionStatus(completion_port, 0, 0, NULL);
    join(&packets, 1);

    trace("%ld succeeded, %ld were aborted, %ld failed; %ld sockets closed, %ld blocks\n",
          successes, aborts, failures, closes, recorded_count);
    ok(successes && closes && recorded_count, "nothing is tested\n");
    for (i = 0; i < SLOTS; i++) slot_close(&slots[i]);
    check_recorded_unreserved(&kinds[TCP_DUAL], &plenty[0]);
    check_recorded_unreserved(&kinds[UDP_DUAL], &plenty[1]);
    check_recorded_free(&kinds[TCP4], &plenty[0]);
    check_recorded_free(&kinds[UDP4], &plenty[1]);
    check_plenty(&kinds[TCP4], &plenty[0]);
    check_plenty(&kinds[UDP4], &plenty[1]);
    for (i = 0; i < 2; i++) check_close(owners[i]);
    check_free(&kinds[TCP4], plenty[0].start, PLENTY);
    check_free(&kinds[UDP4], plenty[1].start, PLENTY);
    for (i = 0; i < CALLERS; i++) CloseHandle(callers[i].event);
    CloseHandle(completion_port);
}

START_TEST(inflight)
{
    UINT seed = environment_number("TAWNY_SEED", GetTickCount() % 100000);
    WSADATA data;

    trace("seed TAWNY_SEED=%u\n", seed);
    WSAStartup(MAKEWORD(2, 2), &data);
    if (target_reserves_all()) test_inflight(seed, environment_number("TAWNY_SECONDS", 5));
    WSACleanup();
}
