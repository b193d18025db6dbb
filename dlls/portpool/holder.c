/*
 * The holder: the one process that holds the prefix's persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Milliseconds, all of them. */
#define TAKE_OVER_STEP  20
#define RETRY_INTERVAL  1000
#define TRIM_FIRST_TIME 35000 /* Wine saves the registry every 30 seconds */
#define TRIM_INTERVAL   30000

struct holder
{
    struct port_table *table;
    struct request_slots *requests;
    HANDLE stop;
    HANDLE request;
    HANDLE change;
    BOOL watching;
    ULONGLONG retry_due; /* 0: never */
    ULONGLONG trim_due;
};

static BOOL is_set(HANDLE event)
{
    return WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
}

/* Becomes the holder once an earlier one is dead: what it held, it holds until then. FALSE if we
 * are to stop instead. *first says that there was none. */
static BOOL holder_take_over(struct holder *holder, BOOL *first)
{
    uint64_t *shared = &holder->table->holder, earlier;

    for (;;)
    {
        earlier = __atomic_load_n(shared, __ATOMIC_ACQUIRE);
        *first = !earlier;
        if ((!earlier || earlier == table_owner() || !table_owner_alive(earlier)) &&
            __atomic_compare_exchange_n(shared, &earlier, table_owner(), FALSE, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return TRUE;
        if (WaitForSingleObject(holder->stop, TAKE_OVER_STEP) == WAIT_OBJECT_0) return FALSE;
    }
}

static BOOL holder_open(struct holder *holder)
{
    holder->table = table_map();
    holder->requests = table_requests();
    holder->request = request_event();
    holder->change = CreateEventW(NULL, FALSE, FALSE, NULL);
    return holder->table && holder->requests && holder->request && holder->change;
}

static void holder_plan_retry(struct holder *holder)
{
    BOOL needed = !holder->watching || range_is_incomplete();

    holder->retry_due = needed ? GetTickCount64() + RETRY_INTERVAL : 0;
}

static void holder_follow_store(struct holder *holder)
{
    /* Watched again first: what changes from here on will be told. */
    holder->watching = store_watch(holder->change);
    range_match_store();
    holder_plan_retry(holder);
}

static void holder_answer(struct holder *holder, int slot, const struct request *request,
                          enum portpool_status status, UINT64 token)
{
    struct request_answer answer = {.status = status, .token = token};
    HANDLE event = request_answer_event(slot);

    TRACE("%s of %u %s ports from %u: %s\n",
          request->operation == REQUEST_CREATE ? "creation" : "deletion", request->count,
          protocol_name(request->protocol), request->start, status_name(status));
    if (request_give_answer(holder->requests, slot, &answer, table_owner_alive))
    {
        if (event) SetEvent(event);
    }
    else if (!status)
        range_undo(request, token);
    if (!holder->trim_due) holder->trim_due = GetTickCount64() + TRIM_FIRST_TIME;
}

static void holder_resume(struct holder *holder)
{
    struct request request;
    bool committing;
    int slot = -1;

    while ((slot = request_next_taken(holder->requests, slot, &request, &committing)) != -1)
    {
        UINT64 token = 0;
        enum portpool_status status = range_resume(&request, slot, committing, &token);

        holder_answer(holder, slot, &request, status, token);
    }
}

/* Each is served by what the store says then, also if somebody has just changed it by hand. */
static void holder_serve(struct holder *holder)
{
    struct request request;
    int slot;

    while (!is_set(holder->stop))
    {
        UINT64 token = 0;
        enum portpool_status status;

        slot = request_take(holder->requests, &request, table_owner_alive);
        if (slot == -1) break;
        /* Not before: what was changed before the request was made is known now. */
        if (is_set(holder->change)) holder_follow_store(holder);
        status = range_serve(&request, slot, &token);
        holder_answer(holder, slot, &request, status, token);
    }
}

static void holder_keep_time(struct holder *holder)
{
    ULONGLONG now = GetTickCount64();

    if (holder->retry_due && now >= holder->retry_due)
    {
        if (!holder->watching) holder_follow_store(holder);
        range_retry();
        holder_plan_retry(holder);
    }
    if (holder->trim_due && now >= holder->trim_due)
        holder->trim_due = journal_trim() ? now + TRIM_INTERVAL : 0;
}

static DWORD holder_patience(const struct holder *holder)
{
    ULONGLONG now = GetTickCount64(), due = holder->retry_due;

    if (!due || (holder->trim_due && holder->trim_due < due)) due = holder->trim_due;
    if (!due) return INFINITE;
    return due > now ? (DWORD)(due - now) : 0;
}

static void holder_loop(struct holder *holder)
{
    HANDLE events[] = {holder->stop, holder->request, holder->change};

    for (;;)
    {
        DWORD event;

        /* Also before the first wait: an earlier holder may have been woken by the request, and
         * died over it. */
        holder_serve(holder);
        holder_keep_time(holder);
        event = WaitForMultipleObjects(ARRAYSIZE(events), events, FALSE, holder_patience(holder));
        if (event == WAIT_OBJECT_0 || event == WAIT_FAILED) break;
        if (event == WAIT_OBJECT_0 + 2) holder_follow_store(holder);
    }
}

BOOL holder_run(HANDLE stop, void (*ready)(void))
{
    struct holder holder = {.stop = stop};
    BOOL first, success;

    if ((success = holder_open(&holder) && holder_take_over(&holder, &first)))
    {
        /* Without its journal, the holder still holds what the store says. */
        if (journal_open()) journal_replay();
        holder.watching = store_watch(holder.change);
        range_restore_all(first);
        holder_resume(&holder);
        holder_plan_retry(&holder);
        holder.trim_due = GetTickCount64() + TRIM_FIRST_TIME;
        ready();
        holder_loop(&holder);
        range_leave_all();
    }
    if (holder.change) CloseHandle(holder.change);
    return success;
}
