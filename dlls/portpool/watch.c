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

#define BUCKET_SIZE 8

struct watch_bucket
{
    struct watch_bucket *next;
    int epoll;
    int entries;
    BOOL ready;
    struct watch *watches[BUCKET_SIZE];
};

static volatile LONG64 last_id;

static BOOL bucket_add(struct watch_bucket *bucket, struct watch *watch)
{
    for (unsigned int i = 0; i < BUCKET_SIZE; i++)
    {
        if (bucket->watches[i]) continue;
        bucket->watches[i] = watch;
        return TRUE;
    }
    return FALSE;
}

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
    bucket->ready = set->ready;
    bucket->next = set->buckets;
    set->buckets = bucket;
    return bucket;
}

enum portpool_status watch_start(struct watch_set *set, struct watch *watch, int fd)
{
    struct unix_watch_add_params params = {.socket = fd, .ready = set->ready};
    enum portpool_status status = PORTPOOL_SUCCESS;
    struct watch_bucket *bucket = set->buckets;

    while (bucket && !bucket_add(bucket, watch)) bucket = bucket->next;
    if (!bucket)
    {
        if (!(bucket = bucket_open(set, &status))) return status;
        bucket_add(bucket, watch);
    }
    watch->bucket = bucket;
    watch->gone = FALSE;
    params.epoll = bucket->epoll;
    params.id = watch->id = InterlockedIncrement64(&last_id);
    unix_call(UNIX_CALL_WATCH_ADD, &params);
    if ((status = status_from_unix(params.status))) watch_stop(watch);
    return status;
}

void watch_stop(struct watch *watch)
{
    if (!watch->id) return;
    for (unsigned int i = 0; i < BUCKET_SIZE; i++)
        if (watch->bucket->watches[i] == watch) watch->bucket->watches[i] = NULL;
    watch->id = 0;
    watch->bucket = NULL;
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

    if (bucket->ready && bucket_all_ready(bucket)) return;
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

    for (bucket = set->buckets; bucket; bucket = bucket->next)
        for (unsigned int i = 0; i < BUCKET_SIZE; i++)
            if (bucket->watches[i])
            {
                bucket_sweep(bucket);
                break;
            }
}
