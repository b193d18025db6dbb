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

BOOL overlapped_applies(SOCKET s, const WSAOVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    FILE_MODE_INFORMATION mode;
    IO_STATUS_BLOCK io;

    if (!overlapped && !routine) return FALSE;
    /* A socket made without WSA_FLAG_OVERLAPPED ignores both parameters. */
    return NtQueryInformationFile((HANDLE)s, &io, &mode, sizeof(mode), FileModeInformation) ||
           !(mode.Mode & FILE_SYNCHRONOUS_IO_FLAGS);
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

int overlapped_complete(SOCKET s, DWORD bytes, WSAOVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    /* Filled in when the request completes, which may be after we have returned. Nobody reads it,
     * so that all may share it. */
    static struct afd_poll_params answer;
    struct afd_poll_params poll = {.count = 1, .sockets = {{.socket = s}}};
    IO_STATUS_BLOCK *io = (IO_STATUS_BLOCK *)overlapped;
    HANDLE event = overlapped->hEvent;
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
    else if ((ULONG_PTR)event & 1)
    {
        event = (HANDLE)((ULONG_PTR)event & ~(ULONG_PTR)1);
        context = NULL;
    }

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

    ERR("socket %#Ix could not be told of completion, status %#lx\n", s, status);
    HeapFree(GetProcessHeap(), 0, completion);
    return WSAEINVAL;
}
