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
#define OWNER_BEGIN L"tawny_owner_"
#define OWNER_NAME  L"Global\\" OWNER_BEGIN

#define SEMAPHORE_QUERY_STATE       0x0001
#define SEMAPHORE_BASIC_INFORMATION 0

struct semaphore_information
{
    ULONG count;
    ULONG maximum;
};

NTSTATUS WINAPI NtQuerySemaphore(HANDLE semaphore, int class, void *information, ULONG size,
                                 ULONG *returned);

/* What "Global\\" stands for. */
#define OWNERS_DIRECTORY L"\\BaseNamedObjects"

#define DIRECTORY_QUERY 0x0001

/* With the name's text behind it. */
struct directory_entry
{
    UNICODE_STRING name;
    UNICODE_STRING type;
};

NTSTATUS WINAPI NtOpenDirectoryObject(HANDLE *directory, ACCESS_MASK access,
                                      OBJECT_ATTRIBUTES *attributes);
NTSTATUS WINAPI NtQueryDirectoryObject(HANDLE directory, void *entries, ULONG size, BOOLEAN single,
                                       BOOLEAN restart, ULONG *context, ULONG *returned);

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
    /* No process has a dead one's number again, and what one leaves behind are many ports. */
    static volatile LONG64 dead;
    struct unix_alive_params params = {.owner = other};
    DWORD error = GetLastError();

    if (other == owner) return true;
    if (InterlockedCompareExchange64(&dead, 0, 0) == (LONG64)other) return false;
    unix_call(UNIX_CALL_ALIVE, &params);
    if (params.alive && owner_has_ended(other))
    {
        params.ending = TRUE;
        unix_call(UNIX_CALL_ALIVE, &params);
    }
    SetLastError(error);
    if (!params.alive) InterlockedExchange64(&dead, other);
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

static int owner_digit(WCHAR digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The owner that a semaphore in the directory is named after; 0 if it is another object. */
static UINT64 owner_from_name(const UNICODE_STRING *name)
{
    static const WCHAR begin[] = OWNER_BEGIN;
    const UINT length = ARRAYSIZE(begin) - 1;
    const WCHAR *text = name->Buffer;
    UINT64 number = 0;

    if (name->Length != (length + 16) * sizeof(WCHAR)) return 0;
    for (UINT i = 0; i < length; i++)
        if (text[i] != begin[i]) return 0;
    for (UINT i = length; i < length + 16; i++)
    {
        if (owner_digit(text[i]) == -1) return 0;
        number = number << 4 | owner_digit(text[i]);
    }
    return number;
}

static HANDLE owners_open(void)
{
    static const WCHAR name[] = OWNERS_DIRECTORY;
    UNICODE_STRING string = {.Length = sizeof(name) - sizeof(WCHAR),
                             .MaximumLength = sizeof(name),
                             .Buffer = (WCHAR *)name};
    OBJECT_ATTRIBUTES attributes;
    HANDLE directory;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, &string, 0, NULL, NULL);
    if (!(status = NtOpenDirectoryObject(&directory, DIRECTORY_QUERY, &attributes)))
        return directory;
    WARN("the processes could not be listed, status %#lx\n", status);
    return NULL;
}

BOOL table_visit_owners(void (*visit)(UINT64 owner, DWORD process, void *context), void *context)
{
    union
    {
        struct directory_entry entry;
        BYTE bytes[2048];
    } buffer;
    HANDLE directory = owners_open();
    ULONG position = 0;
    UINT64 owner;
    DWORD process;

    if (!directory) return FALSE;
    /* One that does not fit has a name that is none of ours, but it cannot be gone past. */
    while (
        !NtQueryDirectoryObject(directory, &buffer, sizeof(buffer), TRUE, FALSE, &position, NULL))
    {
        if ((owner = owner_from_name(&buffer.entry.name)) && (process = table_owner_process(owner)))
            visit(owner, process, context);
    }
    CloseHandle(directory);
    return TRUE;
}
