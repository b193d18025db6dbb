/*
 * The prefix's port table in this process
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winternl.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* The number is the layout's: processes that disagree on it must not share. */
#define TABLE_NAME L"Global\\tawny_port_table_3"

/* The beginning of the name of a semaphore that a process has as long as Wine knows it. Nobody
 * waits for it: its count is the process's Windows number. */
#define OWNER_NAME L"Global\\tawny_owner_"

#define SEMAPHORE_QUERY_STATE       0x0001
#define SEMAPHORE_BASIC_INFORMATION 0

struct semaphore_information
{
    ULONG count;
    ULONG maximum;
};

NTSTATUS WINAPI NtQuerySemaphore(HANDLE semaphore, int class, void *information, ULONG size,
                                 ULONG *returned);

/* What the section holds. */
struct shared
{
    struct port_table table;
    struct request_slots requests;
};

static SRWLOCK table_lock = SRWLOCK_INIT;
static struct shared *mapped;
static UINT64 owner;

/* Maps the section. The handle stays open: with the last one the section's name would go, and the
 * next process would make itself another table. */
static struct shared *table_view(HANDLE section)
{
    struct shared *view;

    if (!section) return NULL;
    view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof(*view));
    if (!view)
    {
        ERR("could not map the port table, error %lu\n", GetLastError());
        CloseHandle(section);
    }
    return view;
}

struct owner_name
{
    WCHAR text[ARRAYSIZE(OWNER_NAME) + 16];
};

static struct owner_name owner_name(UINT64 number)
{
    struct owner_name name = {OWNER_NAME};
    WCHAR *digit = name.text + ARRAYSIZE(OWNER_NAME) - 1;

    for (int shift = 60; shift >= 0; shift -= 4)
        *digit++ = L"0123456789abcdef"[number >> shift & 15];
    return name;
}

/* Tells the others that this process is there, before it has anything in the table. The handle
 * stays open: Wine closes it when the process ends. */
static BOOL owner_announce(void)
{
    static HANDLE semaphore;
    struct owner_name name;

    if (semaphore) return TRUE;
    name = owner_name(table_owner());
    if (!(semaphore = CreateSemaphoreW(NULL, GetCurrentProcessId(), MAXLONG, name.text)))
        ERR("could not make a semaphore, error %lu\n", GetLastError());
    return !!semaphore;
}

/* Says whether Wine has done with a process. It says so, and signals the process, when it has
 * closed the connections of its threads; on the host these may not even have heard of that yet. */
static BOOL owner_has_ended(UINT64 number)
{
    struct owner_name name = owner_name(number);
    HANDLE semaphore = OpenSemaphoreW(SYNCHRONIZE, FALSE, name.text);

    if (semaphore) CloseHandle(semaphore);
    return !semaphore && GetLastError() == ERROR_FILE_NOT_FOUND;
}

static struct shared *table_map_shared(void)
{
    struct shared *shared = NULL;

    AcquireSRWLockExclusive(&table_lock);
    if (owner_announce())
    {
        if (!mapped)
            mapped = table_view(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                                   sizeof(*mapped), TABLE_NAME));
        shared = mapped;
    }
    ReleaseSRWLockExclusive(&table_lock);
    return shared;
}

struct port_table *table_map(void)
{
    struct shared *shared = table_map_shared();

    return shared ? &shared->table : NULL;
}

struct request_slots *table_requests(void)
{
    struct shared *shared = table_map_shared();

    return shared ? &shared->requests : NULL;
}

struct port_table *table_find(void)
{
    struct shared *shared;

    AcquireSRWLockExclusive(&table_lock);
    if (!mapped) mapped = table_view(OpenFileMappingW(FILE_MAP_WRITE, FALSE, TABLE_NAME));
    shared = mapped;
    ReleaseSRWLockExclusive(&table_lock);
    return shared ? &shared->table : NULL;
}

UINT64 table_owner(void)
{
    struct unix_identify_params params;

    if (!owner)
    {
        unix_call(UNIX_CALL_IDENTIFY, &params);
        if (!params.owner) ERR("/proc does not say when this process started\n");
        owner = params.owner;
    }
    return owner;
}

bool table_owner_alive(uint64_t other)
{
    struct unix_alive_params params = {.owner = other};
    DWORD error = GetLastError();

    if (other == owner) return true;
    unix_call(UNIX_CALL_ALIVE, &params);
    if (params.alive && owner_has_ended(other))
    {
        params.ending = TRUE;
        unix_call(UNIX_CALL_ALIVE, &params);
    }
    SetLastError(error);
    return params.alive;
}

DWORD table_owner_process(UINT64 other)
{
    struct owner_name name = owner_name(other);
    struct semaphore_information info = {0};
    DWORD error = GetLastError();
    HANDLE semaphore;

    if (other == owner) return GetCurrentProcessId();
    semaphore = OpenSemaphoreW(SEMAPHORE_QUERY_STATE, FALSE, name.text);
    SetLastError(error);
    if (!semaphore) return 0;
    NtQuerySemaphore(semaphore, SEMAPHORE_BASIC_INFORMATION, &info, sizeof(info), NULL);
    CloseHandle(semaphore);
    return info.count;
}
