/*
 * Watches on host sockets
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * To ask the host about one socket costs a listing of all that share its bucket. Small buckets
 * keep that short; they cost two descriptors each.
 */
#include "portpool_private.h"

#include "utlist.h"

#define BUCKET_SIZE 8

struct watch_bucket
{
    struct watch_bucket *prev, *next;
    struct watch_set *set;
    int epoll;
    int entries;
    UINT count;
    struct watch *watches[BUCKET_SIZE];
};

static volatile LONG64 last_id;

static struct watch_bucket *bucket_open(struct watch_set *set, enum portpool_status *status)
{
    struct unix_watch_open_params params;
    struct watch_bucket *bucket = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*bucket));

    *status = PORTPOOL_NO_RESOURCES;
    if (!bucket) return NULL;
    unix_call(UNIX_CALL_WATCH_OPEN, &params);
    if ((*status = status_from_unix(params.status)))
    {
        HeapFree(GetProcessHeap(), 0, bucket);
        return NULL;
    }
    bucket->epoll = params.epoll;
    bucket->entries = params.entries;
    bucket->set = set;
    DL_PREPEND(set->buckets, bucket);
    return bucket;
}

static void bucket_close(struct watch_bucket *bucket)
{
    struct unix_watch_close_params params = {.epoll = bucket->epoll, .entries = bucket->entries};

    DL_DELETE(bucket->set->buckets, bucket);
    unix_call(UNIX_CALL_WATCH_CLOSE, &params);
    HeapFree(GetProcessHeap(), 0, bucket);
}

static void bucket_add(struct watch_bucket *bucket, struct watch *watch)
{
    UINT i = 0;

    while (bucket->watches[i]) i++;
    bucket->watches[i] = watch;
    watch->bucket = bucket;
    if (++bucket->count < BUCKET_SIZE) return;
    DL_DELETE(bucket->set->buckets, bucket);
    DL_PREPEND(bucket->set->full, bucket);
}

static void bucket_remove(struct watch_bucket *bucket, struct watch *watch)
{
    struct watch_set *set = bucket->set;
    UINT i = 0;

    while (bucket->watches[i] != watch) i++;
    bucket->watches[i] = NULL;
    watch->bucket = NULL;
    if (bucket->count-- == BUCKET_SIZE)
    {
        DL_DELETE(set->full, bucket);
        DL_PREPEND(set->buckets, bucket);
    }
    /* One bucket with room is kept, for the next to come. */
    if (!bucket->count && set->buckets->next) bucket_close(bucket);
}

enum portpool_status watch_start(struct watch_set *set, struct watch *watch, int fd)
{
    struct unix_watch_add_params params = {.socket = fd, .ready = set->ready};
    enum portpool_status status;

    if (!set->buckets && !bucket_open(set, &status)) return status;
    watch->gone = FALSE;
    params.epoll = set->buckets->epoll;
    params.id = watch->id = InterlockedIncrement64(&last_id);
    bucket_add(set->buckets, watch);
    unix_call(UNIX_CALL_WATCH_ADD, &params);
    if ((status = status_from_unix(params.status))) watch_stop(watch);
    return status;
}

void watch_stop(struct watch *watch)
{
    if (!watch->id) return;
    bucket_remove(watch->bucket, watch);
    watch->id = 0;
}

/* Lists the sockets of a bucket that live; NULL if that is not to be known. The caller frees it. */
static UINT64 *bucket_list(const struct watch_bucket *bucket, UINT *count)
{
    struct unix_watch_list_params params = {.entries = bucket->entries, .size = BUCKET_SIZE};
    UINT64 *ids = NULL;

    /* A socket that outlives its watch stands in the listing too: there may be more than eight. */
    for (;;)
    {
        if (!(ids = HeapAlloc(GetProcessHeap(), 0, params.size * sizeof(*ids)))) return NULL;
        params.ids = (ULONG_PTR)ids;
        unix_call(UNIX_CALL_WATCH_LIST, &params);
        if (!params.status && params.count <= params.size) break;
        HeapFree(GetProcessHeap(), 0, ids);
        if (params.status) return NULL;
        params.size = params.count + BUCKET_SIZE;
    }
    *count = params.count;
    return ids;
}

/* Marks those of a bucket's watches that are not among the ids; returns how many. */
static UINT bucket_mark(struct watch_bucket *bucket, const UINT64 *ids, UINT count)
{
    UINT i, j, gone = 0;

    for (i = 0; i < BUCKET_SIZE; i++)
    {
        if (!bucket->watches[i]) continue;
        for (j = 0; j < count && ids[j] != bucket->watches[i]->id; j++) continue;
        if ((bucket->watches[i]->gone = j == count)) gone++;
    }
    return gone;
}

/* Says whether all of a bucket's sockets live, if a fast look can tell. */
static BOOL bucket_all_ready(struct watch_bucket *bucket)
{
    UINT64 ids[2 * BUCKET_SIZE];
    struct unix_watch_ready_params params = {
        .epoll = bucket->epoll, .ids = (ULONG_PTR)ids, .size = ARRAYSIZE(ids)};

    unix_call(UNIX_CALL_WATCH_READY, &params);
    return !bucket_mark(bucket, ids, params.count);
}

static void bucket_sweep(struct watch_bucket *bucket)
{
    UINT64 *ids;
    UINT count;

    if (bucket->set->ready && bucket_all_ready(bucket)) return;
    if (!(ids = bucket_list(bucket, &count)))
    {
        /* Not to know is to leave things as they are. */
        for (UINT i = 0; i < BUCKET_SIZE; i++)
            if (bucket->watches[i]) bucket->watches[i]->gone = FALSE;
        return;
    }
    bucket_mark(bucket, ids, count);
    HeapFree(GetProcessHeap(), 0, ids);
}

void watch_sweep(struct watch *watch)
{
    if (watch->bucket) bucket_sweep(watch->bucket);
}

void watch_sweep_all(struct watch_set *set)
{
    struct watch_bucket *bucket;

    DL_FOREACH(set->buckets, bucket) if (bucket->count) bucket_sweep(bucket);
    DL_FOREACH(set->full, bucket) bucket_sweep(bucket);
}
