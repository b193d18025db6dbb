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

#define SYSTEM_EXTENDED_HANDLE_INFORMATION 64

/* Of ntstatus.h, which does not go together with windef.h. */
#define STATUS_INFO_LENGTH_MISMATCH ((NTSTATUS)0xc0000004)

struct handle_entry
{
    void *object;
    ULONG_PTR process;
    ULONG_PTR handle;
    ULONG access;
    USHORT creator;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
};

struct handle_list
{
    ULONG_PTR count;
    ULONG_PTR reserved;
    struct handle_entry entries[];
};

struct visit
{
    UINT protocol;
    USHORT start;
    USHORT count;
    endpoint_visitor visit;
    void *context;
};

/* Lists the handles of all processes; the caller frees it. */
static struct handle_list *handle_list_all(void)
{
    ULONG size = 0x10000;
    struct handle_list *list;
    NTSTATUS status;

    for (;;)
    {
        if (!(list = HeapAlloc(GetProcessHeap(), 0, size))) return NULL;
        status = NtQuerySystemInformation(SYSTEM_EXTENDED_HANDLE_INFORMATION, list, size, NULL);
        if (!status) return list;
        HeapFree(GetProcessHeap(), 0, list);
        if (status != STATUS_INFO_LENGTH_MISMATCH) break;
        size *= 2;
    }
    WARN("the handles could not be listed, status %#lx\n", status);
    return NULL;
}

/* Finds out how the list numbers files, as which it has the sockets: by a file of our own. */
static BOOL handle_list_file_type(const struct handle_list *list, HANDLE file, USHORT *type)
{
    for (ULONG_PTR i = 0; i < list->count; i++)
    {
        if (list->entries[i].process != GetCurrentProcessId()) continue;
        if (list->entries[i].handle != (ULONG_PTR)file) continue;
        *type = list->entries[i].type;
        return TRUE;
    }
    WARN("a handle of our own is not in the list\n");
    return FALSE;
}

static void endpoint_look_at(HANDLE process, const struct handle_entry *entry,
                             const struct visit *visit)
{
    struct descriptor descriptor;
    HANDLE socket;

    if (!DuplicateHandle(process, (HANDLE)entry->handle, GetCurrentProcess(), &socket, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
        return;
    if (!descriptor_open(socket, &descriptor))
    {
        if (descriptor.protocol == visit->protocol && descriptor.port >= visit->start &&
            descriptor.port - visit->start < visit->count)
            visit->visit(descriptor.fd, descriptor.port, entry->process, visit->context);
        descriptor_close(descriptor.fd);
    }
    CloseHandle(socket);
}

/* The list has each process's handles together. */
static void endpoint_look_through(const struct handle_list *list, USHORT file_type,
                                  const struct visit *visit)
{
    HANDLE process = NULL;
    ULONG_PTR last = 0;

    for (ULONG_PTR i = 0; i < list->count; i++)
    {
        const struct handle_entry *entry = &list->entries[i];

        if (entry->type != file_type) continue;
        if (entry->process != last)
        {
            if (process) CloseHandle(process);
            process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, entry->process);
            last = entry->process;
        }
        if (process) endpoint_look_at(process, entry, visit);
    }
    if (process) CloseHandle(process);
}

/* Lists the handles of all processes, and finds out which of them are files. The caller frees it.
 */
static struct handle_list *handle_list_open(USHORT *file_type)
{
    HANDLE file =
        CreateFileW(L"NUL", 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    struct handle_list *list;

    if (file == INVALID_HANDLE_VALUE)
    {
        WARN("no file of our own, error %lu\n", GetLastError());
        return NULL;
    }
    list = handle_list_all();
    if (list && !handle_list_file_type(list, file, file_type))
    {
        HeapFree(GetProcessHeap(), 0, list);
        list = NULL;
    }
    CloseHandle(file);
    return list;
}

BOOL endpoint_visit(UINT protocol, USHORT start, USHORT count, endpoint_visitor visit,
                    void *context)
{
    struct visit what = {
        .protocol = protocol, .start = start, .count = count, .visit = visit, .context = context};
    struct handle_list *list;
    USHORT file_type;

    if (!(list = handle_list_open(&file_type))) return FALSE;
    endpoint_look_through(list, file_type, &what);
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
    struct handle_list *list;
    USHORT file_type;

    *found = NULL;
    if (!(list = handle_list_open(&file_type))) return FALSE;
    for (ULONG_PTR i = 0; i < list->count && !*found; i++)
    {
        const struct handle_entry *entry = &list->entries[i];
        HANDLE handle = (HANDLE)entry->handle;

        if (entry->process != GetCurrentProcessId() || entry->type != file_type) continue;
        if (handle != except && endpoint_is(handle, inode)) *found = handle;
    }
    HeapFree(GetProcessHeap(), 0, list);
    return TRUE;
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
