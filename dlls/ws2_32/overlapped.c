/*
 * Completing overlapped calls that are done at once
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine completes an I/O request by every method that the caller may have chosen, and so we have it
 * carry out one that does nothing.
 */
#include "ws2_32_private.h"

#include <winternl.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(ws2_32);

/* Wine's control codes of the socket device. The first completes with a given status and no
 * bytes. The second polls sockets: with one that is to be ready for nothing, and no time to wait,
 * it completes with the size of its answer's head, which is that of a reservation instance. */
#define IOCTL_AFD_WINE_COMPLETE_ASYNC 0x120348
#define IOCTL_AFD_POLL                0x12024

struct afd_poll_params
{
    LONGLONG timeout;
    ULONG count;
    BOOLEAN exclusive;
    BOOLEAN padding[3];
    struct
    {
        SOCKET socket;
        int flags;
        NTSTATUS status;
    } sockets[1];
};
C_ASSERT(FIELD_OFFSET(struct afd_poll_params, sockets) == sizeof(INET_PORT_RESERVATION_INSTANCE));

#define FILE_SYNCHRONOUS_IO_FLAGS (0x10 | 0x20)

BOOL overlapped_applies(SOCKET s)
{
    FILE_MODE_INFORMATION mode;
    IO_STATUS_BLOCK io;

    return NtQueryInformationFile((HANDLE)s, &io, &mode, sizeof(mode), FileModeInformation) ||
           !(mode.Mode & FILE_SYNCHRONOUS_IO_FLAGS);
}

/* The event that is to be set; an odd handle stands for the even one below it. */
static HANDLE overlapped_event(const WSAOVERLAPPED *overlapped)
{
    return (HANDLE)((ULONG_PTR)overlapped->hEvent & ~(ULONG_PTR)1);
}

static BOOL is_memory(const void *address)
{
    MEMORY_BASIC_INFORMATION info;

    return VirtualQuery(address, &info, sizeof(info)) && info.State == MEM_COMMIT &&
           !(info.Protect & PAGE_NOACCESS);
}

struct completion
{
    WSAOVERLAPPED *overlapped;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
};

static void WINAPI completion_apc(void *context, IO_STATUS_BLOCK *io, ULONG reserved)
{
    struct completion completion = *(struct completion *)context;

    (void)reserved;
    HeapFree(GetProcessHeap(), 0, context);
    completion.routine(io->Status ? WSA_OPERATION_ABORTED : 0, io->Information,
                       completion.overlapped, 0);
}

/* Says whether the socket's requests may have a routine: none may where there is a completion port.
 * Wine tells when asked to poll, before it finds that there is nothing to poll. */
static BOOL may_have_routine(SOCKET s)
{
    struct afd_poll_params none = {.count = 1}, answer;
    IO_STATUS_BLOCK io;

    return NtDeviceIoControlFile((HANDLE)s, NULL, completion_apc, NULL, &io, IOCTL_AFD_POLL, &none,
                                 sizeof(none), &answer,
                                 sizeof(answer)) != (NTSTATUS)STATUS_INVALID_PARAMETER;
}

int overlapped_check(SOCKET s, WSAOVERLAPPED *overlapped,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    HANDLE event;

    if (!memory_writable(overlapped, sizeof(*overlapped))) return WSAEFAULT;
    if (routine)
    {
        if (!is_memory((const void *)routine)) return WSAEFAULT;
        return may_have_routine(s) ? 0 : WSAEINVAL;
    }
    /* Windows, too, resets the event before it looks at what the call asks for, and has this error
     * for a handle that is none of an event. */
    event = overlapped_event(overlapped);
    return !event || ResetEvent(event) ? 0 : WSAENOTSOCK;
}

int overlapped_complete(SOCKET s, DWORD bytes, WSAOVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    /* Filled in when the request completes, which may be after we have returned. Nobody reads it,
     * so that all may share it. */
    static struct afd_poll_params answer;
    struct afd_poll_params poll = {.count = 1, .sockets = {{.socket = s}}};
    IO_STATUS_BLOCK *io = (IO_STATUS_BLOCK *)overlapped, untouched = *io;
    HANDLE event = overlapped_event(overlapped);
    void *context = overlapped;
    NTSTATUS status = 0;
    struct completion *completion = NULL;

    if (routine)
    {
        if (!(completion = HeapAlloc(GetProcessHeap(), 0, sizeof(*completion)))) return WSAENOBUFS;
        completion->overlapped = overlapped;
        completion->routine = routine;
        context = completion;
        event = NULL;
    }
    /* An odd event handle keeps the packet from the completion port. */
    else if ((ULONG_PTR)overlapped->hEvent & 1)
        context = NULL;

    io->Status = STATUS_PENDING;
    io->Information = 0;
    if (bytes)
        status =
            NtDeviceIoControlFile((HANDLE)s, event, routine ? completion_apc : NULL, context, io,
                                  IOCTL_AFD_POLL, &poll, sizeof(poll), &answer, sizeof(answer));
    else
        status =
            NtDeviceIoControlFile((HANDLE)s, event, routine ? completion_apc : NULL, context, io,
                                  IOCTL_AFD_WINE_COMPLETE_ASYNC, &status, sizeof(status), NULL, 0);
    if (status == STATUS_PENDING) return WSA_IO_PENDING;
    if (!status) return 0;

    /* Another thread has closed the socket meanwhile. There will be no completion. */
    WARN("socket %#Ix could not be told of completion, status %#lx\n", s, status);
    *io = untouched;
    HeapFree(GetProcessHeap(), 0, completion);
    return WSA_OPERATION_ABORTED;
}
