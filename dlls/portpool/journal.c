/*
 * The journal: changes of the store that Wine has perhaps not saved yet
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine saves the registry now and then, and a change that was reported as done must outlive a power
 * cut before that. Each change has a number, which the registry is told once it has the change:
 * what Wine has saved thus says up to which change it goes.
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* A holder that was killed lets go when the host has done with it. */
#define JOURNAL_PATIENCE 5000
#define JOURNAL_STEP     50

static BOOL opened;
static BOOL replayed; /* nothing may be noted before: it would get a number used already */
static UINT64 last_generation;

static UINT journal_try_open(void)
{
    struct unix_journal_open_params params = {.status = UNIX_SUCCESS};

    if (!opened) unix_call(UNIX_CALL_JOURNAL_OPEN, &params);
    opened = !params.status;
    return params.status;
}

BOOL journal_open(void)
{
    UINT status, waited = 0;

    while ((status = journal_try_open()) == UNIX_IN_USE && waited < JOURNAL_PATIENCE)
    {
        Sleep(JOURNAL_STEP);
        waited += JOURNAL_STEP;
    }
    if (status) ERR("the journal of persistent ranges cannot be opened, status %u\n", status);
    return !status;
}

/* Reads all records; NULL if that fails. The caller frees them. */
static struct unix_journal_record *journal_read(UINT *count)
{
    struct unix_journal_read_params params = {.size = 64};
    struct unix_journal_record *records;

    for (;;)
    {
        if (!(records = HeapAlloc(GetProcessHeap(), 0, params.size * sizeof(*records))))
            return NULL;
        params.records = (ULONG_PTR)records;
        unix_call(UNIX_CALL_JOURNAL_READ, &params);
        if (!params.status && params.count <= params.size) break;
        HeapFree(GetProcessHeap(), 0, records);
        if (params.status) return NULL;
        params.size = params.count;
    }
    *count = params.count;
    return records;
}

static BOOL journal_apply(const struct unix_journal_record *record)
{
    struct store_range range = {
        .protocol = record->protocol, .start = record->start, .count = record->count};

    if (!store_is_valid(&range)) return TRUE;
    TRACE("%s %u ports from %u, number %s\n", record->remove ? "removing" : "adding", range.count,
          range.start, wine_dbgstr_longlong(record->generation));
    return record->remove ? store_remove(STORE_PERSISTENT, &range)
                          : store_add(STORE_PERSISTENT, &range);
}

BOOL journal_replay(void)
{
    struct unix_journal_record *records;
    UINT64 saved = store_generation();
    UINT count, i = 0;

    if (!opened) return FALSE;
    if (!(records = journal_read(&count)))
    {
        ERR("the journal of persistent ranges cannot be read\n");
        return FALSE;
    }
    last_generation = saved;
    for (; i < count; i++)
    {
        if (records[i].generation <= saved) continue;
        if (!journal_apply(&records[i])) break;
        last_generation = records[i].generation;
    }
    HeapFree(GetProcessHeap(), 0, records);
    replayed = i == count && (last_generation == saved || store_set_generation(last_generation));
    return replayed;
}

enum portpool_status journal_note(const struct store_range *range, BOOL remove)
{
    struct unix_journal_append_params params = {.record = {.generation = last_generation + 1,
                                                           .remove = remove,
                                                           .protocol = range->protocol,
                                                           .start = range->start,
                                                           .count = range->count}};

    if (!replayed)
    {
        if (journal_try_open() || !journal_replay()) return PORTPOOL_DISK_FULL;
        params.record.generation = last_generation + 1;
    }
    unix_call(UNIX_CALL_JOURNAL_APPEND, &params);
    if (params.status) return PORTPOOL_DISK_FULL;
    last_generation++;
    return PORTPOOL_SUCCESS;
}

void journal_settle(void)
{
    store_set_generation(last_generation);
}

BOOL journal_trim(void)
{
    struct unix_journal_trim_params params = {0};

    if (!opened) return FALSE;
    unix_call(UNIX_CALL_JOURNAL_TRIM, &params);
    if (params.status) WARN("status %u\n", params.status);
    return params.status || params.remaining;
}
