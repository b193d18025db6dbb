/*
 * The sockets of the prefix's processes, and of our own, by their handles
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winternl.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Of ntstatus.h, which does not go together with windef.h. */
#define STATUS_INFO_LENGTH_MISMATCH ((NTSTATUS)0xc0000004)

struct visit
{
    UINT protocol;
    USHORT start;
    USHORT count;
    endpoint_visitor visit;
    void *context;
};

/* Lists the processes; the caller frees it. */
static SYSTEM_PROCESS_INFORMATION *process_list_all(void)
{
    SYSTEM_PROCESS_INFORMATION *list;
    ULONG size = 0x10000;
    NTSTATUS status;

    for (;;)
    {
        if (!(list = HeapAlloc(GetProcessHeap(), 0, size))) return NULL;
        status = NtQuerySystemInformation(SystemProcessInformation, list, size, NULL);
        if (!status) return list;
        HeapFree(GetProcessHeap(), 0, list);
        if (status != STATUS_INFO_LENGTH_MISMATCH) break;
        size *= 2;
    }
    WARN("the processes could not be listed, status %#lx\n", status);
    return NULL;
}

static SYSTEM_PROCESS_INFORMATION *process_list_next(SYSTEM_PROCESS_INFORMATION *entry)
{
    return entry->NextEntryOffset ? (void *)((BYTE *)entry + entry->NextEntryOffset) : NULL;
}

static DWORD process_list_id(const SYSTEM_PROCESS_INFORMATION *entry)
{
    return HandleToULong(entry->UniqueProcessId);
}

/* The first handle that a process cannot have; handles are multiples of four. What Wine tells as
 * the number of handles is the size of their table, used or not. Which of them are used must be
 * tried: asked for the handles of all processes, Wine 8's server crashes if one has none, as each
 * has when it starts. */
static ULONG_PTR handle_limit(const SYSTEM_PROCESS_INFORMATION *entry)
{
    return 4 * ((ULONG_PTR)entry->HandleCount + 1);
}

static void endpoint_look_at(HANDLE process, DWORD id, HANDLE handle, const struct visit *visit)
{
    struct descriptor descriptor;
    HANDLE socket;

    if (!DuplicateHandle(process, handle, GetCurrentProcess(), &socket, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
        return;
    if (!descriptor_open(socket, &descriptor))
    {
        if (descriptor.protocol == visit->protocol && descriptor.port >= visit->start &&
            descriptor.port - visit->start < visit->count)
            visit->visit(descriptor.fd, descriptor.port, id, visit->context);
        descriptor_close(descriptor.fd);
    }
    CloseHandle(socket);
}

static void endpoint_look_through(const SYSTEM_PROCESS_INFORMATION *entry,
                                  const struct visit *visit)
{
    DWORD id = process_list_id(entry);
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, id);

    if (!process) return;
    for (ULONG_PTR handle = 4; handle < handle_limit(entry); handle += 4)
        endpoint_look_at(process, id, (HANDLE)handle, visit);
    CloseHandle(process);
}

BOOL endpoint_visit(UINT protocol, USHORT start, USHORT count, endpoint_visitor visit,
                    void *context)
{
    struct visit what = {
        .protocol = protocol, .start = start, .count = count, .visit = visit, .context = context};
    SYSTEM_PROCESS_INFORMATION *list, *entry;

    if (!(list = process_list_all())) return FALSE;
    for (entry = list; entry; entry = process_list_next(entry)) endpoint_look_through(entry, &what);
    HeapFree(GetProcessHeap(), 0, list);
    return TRUE;
}

BOOL endpoint_is(HANDLE socket, UINT64 inode)
{
    struct descriptor descriptor;
    BOOL same;

    if (descriptor_open(socket, &descriptor)) return FALSE;
    same = descriptor_inode(descriptor.fd) == inode;
    descriptor_close(descriptor.fd);
    return same;
}

BOOL endpoint_is_last_handle(HANDLE socket)
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;

    return !NtQueryObject(socket, ObjectBasicInformation, &info, sizeof(info), NULL) &&
           info.HandleCount == 1;
}

BOOL endpoint_find_own(UINT64 inode, HANDLE except, HANDLE *found)
{
    SYSTEM_PROCESS_INFORMATION *list = process_list_all(), *entry = list;

    *found = NULL;
    while (entry && process_list_id(entry) != GetCurrentProcessId())
        entry = process_list_next(entry);
    for (ULONG_PTR value = 4; entry && value < handle_limit(entry) && !*found; value += 4)
    {
        HANDLE handle = (HANDLE)value;

        if (handle != except && endpoint_is(handle, inode)) *found = handle;
    }
    if (list) HeapFree(GetProcessHeap(), 0, list);
    return entry != NULL;
}

struct marking
{
    BYTE *occupied;
    USHORT start;
};

static void endpoint_mark(int fd, USHORT port, DWORD process, void *context)
{
    struct marking *marking = context;

    (void)fd;
    (void)process;
    marking->occupied[port - marking->start] = 1;
}

BOOL endpoint_occupied(UINT protocol, USHORT start, USHORT count, BYTE *occupied)
{
    struct unix_occupied_params params = {
        .occupied = (ULONG_PTR)occupied, .protocol = protocol, .start = start, .count = count};
    struct marking marking = {.occupied = occupied, .start = start};

    unix_call(UNIX_CALL_OCCUPIED, &params);
    if (!params.status) return TRUE;
    if (params.status != UNIX_FAILED) return FALSE;
    /* An older kernel does not list sockets that are merely bound. Only those of the prefix can be
     * where a placeholder is. */
    return endpoint_visit(protocol, start, count, endpoint_mark, &marking);
}
