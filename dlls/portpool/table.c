/*
 * The prefix's port table in this process
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* The number is the layout's: processes that disagree on it must not share. */
#define TABLE_NAME L"Global\\tawny_port_table_1"

static SRWLOCK table_lock = SRWLOCK_INIT;
static struct port_table *mapped;
static UINT64 owner;

/* Maps the section. The handle stays open: with the last one the section's name would go, and the
 * next process would make itself another table. */
static struct port_table *table_view(HANDLE section)
{
    struct port_table *view;

    if (!section) return NULL;
    view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof(*view));
    if (!view)
    {
        ERR("could not map the port table, error %lu\n", GetLastError());
        CloseHandle(section);
    }
    return view;
}

struct port_table *table_map(void)
{
    struct port_table *table;

    AcquireSRWLockExclusive(&table_lock);
    if (!mapped)
        mapped = table_view(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                               sizeof(*mapped), TABLE_NAME));
    table = mapped;
    ReleaseSRWLockExclusive(&table_lock);
    return table;
}

struct port_table *table_find(void)
{
    struct port_table *table;

    AcquireSRWLockExclusive(&table_lock);
    if (!mapped) mapped = table_view(OpenFileMappingW(FILE_MAP_WRITE, FALSE, TABLE_NAME));
    table = mapped;
    ReleaseSRWLockExclusive(&table_lock);
    return table;
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

    if (other == owner) return true;
    unix_call(UNIX_CALL_ALIVE, &params);
    return params.alive;
}
