/*
 * Completion routines that are called in another thread than the one that made the call
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "provider.h"

#include "common/memory.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(mswsock);

struct relay
{
    WSAOVERLAPPED overlapped; /* what the call is made with */
    WSAOVERLAPPED *callers;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
    SOCKET s;
    HANDLE thread;
    TP_WAIT *wait;
    DWORD error;
    DWORD bytes;
    DWORD flags;
};

int relay_needed(const WSATHREADID *id, WSATHREADID *copy)
{
    if (!id) return 0;
    if (!memory_read(copy, id, sizeof(*copy))) return -1;
    return GetThreadId(copy->ThreadHandle) != GetCurrentThreadId();
}

/* In the thread that the routine belongs to. */
static void CALLBACK relay_arrive(ULONG_PTR context)
{
    struct relay *relay = (struct relay *)context;

    relay->routine(relay->error, relay->bytes, relay->callers, relay->flags);
    relay_destroy(relay);
}

static void CALLBACK relay_complete(TP_CALLBACK_INSTANCE *instance, void *context, TP_WAIT *wait,
                                    TP_WAIT_RESULT result)
{
    struct relay *relay = context;

    (void)instance;
    (void)wait;
    (void)result;
    if (!WSAGetOverlappedResult(relay->s, &relay->overlapped, &relay->bytes, FALSE, &relay->flags))
    {
        /* A call is aborted by the end of its socket, which is then no socket any more. */
        relay->error = WSAGetLastError();
        if (relay->error == WSAENOTSOCK) relay->error = WSA_OPERATION_ABORTED;
        relay->bytes = 0;
    }
    relay->callers->InternalHigh = relay->overlapped.InternalHigh;
    relay->callers->Internal = relay->overlapped.Internal;
    if (QueueUserAPC(relay_arrive, relay->thread, (ULONG_PTR)relay)) return;
    /* The thread has ended, and its routines with it. */
    WARN("the thread of a completion routine is gone, error %lu\n", GetLastError());
    relay_destroy(relay);
}

struct relay *relay_create(SOCKET s, const WSATHREADID *id, WSAOVERLAPPED *callers,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSAOVERLAPPED **overlapped)
{
    struct relay *relay = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*relay));

    if (!relay) return NULL;
    relay->s = s;
    relay->callers = callers;
    relay->routine = routine;
    relay->overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    relay->wait = CreateThreadpoolWait(relay_complete, relay, NULL);
    /* The caller may close its handle as soon as the call has returned. */
    if (!DuplicateHandle(GetCurrentProcess(), id->ThreadHandle, GetCurrentProcess(), &relay->thread,
                         THREAD_SET_CONTEXT, FALSE, 0))
        relay->thread = NULL;
    if (!relay->overlapped.hEvent || !relay->wait || !relay->thread)
    {
        relay_destroy(relay);
        return NULL;
    }
    callers->Internal = STATUS_PENDING;
    callers->InternalHigh = 0;
    *overlapped = &relay->overlapped;
    return relay;
}

void relay_start(struct relay *relay)
{
    SetThreadpoolWait(relay->wait, relay->overlapped.hEvent, NULL);
}

void relay_destroy(struct relay *relay)
{
    if (relay->wait) CloseThreadpoolWait(relay->wait);
    if (relay->overlapped.hEvent) CloseHandle(relay->overlapped.hEvent);
    if (relay->thread) CloseHandle(relay->thread);
    HeapFree(GetProcessHeap(), 0, relay);
}
