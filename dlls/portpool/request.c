/*
 * Asking the holder to change the store
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winsvc.h>

#include "service.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* All in milliseconds. How long the holder may take to begin with a request; to come to an end
 * then; and how often it is looked after. */
#define TAKE_PATIENCE   10000
#define ANSWER_PATIENCE 10000
#define LOOK_INTERVAL   200

#define EVENT_NAME  L"Global\\tawny_request"
#define ANSWER_NAME L"Global\\tawny_answer_"

static HANDLE request_make_event(volatile HANDLE *event, const WCHAR *name)
{
    HANDLE made;

    if (*event) return *event;
    if (!(made = CreateEventW(NULL, FALSE, FALSE, name)))
        ERR("could not make an event, error %lu\n", GetLastError());
    else if (InterlockedCompareExchangePointer((void *volatile *)event, made, NULL))
        CloseHandle(made);
    return *event;
}

HANDLE request_event(void)
{
    static volatile HANDLE event;

    return request_make_event(&event, EVENT_NAME);
}

HANDLE request_answer_event(int slot)
{
    static volatile HANDLE events[REQUEST_SLOTS];
    WCHAR name[ARRAYSIZE(ANSWER_NAME) + 2] = ANSWER_NAME;

    name[ARRAYSIZE(ANSWER_NAME) - 1] = '0' + slot / 10;
    name[ARRAYSIZE(ANSWER_NAME)] = '0' + slot % 10;
    return request_make_event(&events[slot], name);
}

static BOOL holder_is_alive(void)
{
    UINT64 holder = __atomic_load_n(&table_map()->holder, __ATOMIC_ACQUIRE);

    return holder && table_owner_alive(holder);
}

static void holder_start(void)
{
    SC_HANDLE manager, service = NULL;

    if ((manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT)))
        service = OpenServiceW(manager, SERVICE_NAME, SERVICE_START);
    if (!service)
        WARN("the service is not to be had, error %lu\n", GetLastError());
    else if (!StartServiceW(service, 0, NULL))
        TRACE("the service was not started, error %lu\n", GetLastError());
    if (service) CloseServiceHandle(service);
    if (manager) CloseServiceHandle(manager);
}

void request_ensure_holder(void)
{
    if (table_map() && !holder_is_alive()) holder_start();
}

/* Waits for a free slot. */
static int request_post_patiently(struct request_slots *slots, const struct request *request,
                                  ULONGLONG deadline)
{
    int slot;

    while ((slot = request_post(slots, table_owner(), request, table_owner_alive)) == -1)
    {
        if (GetTickCount64() >= deadline) break;
        Sleep(1);
    }
    return slot;
}

/* Gives up a request that was taken. Unless the holder has committed itself to it already, and
 * seems to have died over that, nothing will come of it. */
static void request_give_up(struct request_slots *slots, int slot)
{
    if (!request_abandon(slots, slot, table_owner()))
        ERR("the holder has not come to an end: what was asked of it may be done later\n");
}

/* Waits for the answer. FALSE once patience is at its end, and the request withdrawn. */
static BOOL request_await(struct request_slots *slots, int slot, ULONGLONG deadline,
                          struct request_answer *answer)
{
    BOOL taken = FALSE;

    while (!request_fetch(slots, slot, table_owner(), answer))
    {
        if (GetTickCount64() < deadline)
        {
            /* Each time: an earlier one may have been the last thing that a dying holder heard. */
            SetEvent(request_event());
            request_ensure_holder();
            WaitForSingleObject(request_answer_event(slot), LOOK_INTERVAL);
        }
        else if (taken)
        {
            request_give_up(slots, slot);
            return FALSE;
        }
        else if (request_cancel(slots, slot, table_owner()))
            return FALSE;
        else
        {
            taken = TRUE;
            deadline += ANSWER_PATIENCE;
        }
    }
    return TRUE;
}

enum portpool_status request_ask(const struct request *request, UINT64 *token)
{
    struct request_slots *slots = table_requests();
    ULONGLONG deadline = GetTickCount64() + TAKE_PATIENCE;
    struct request_answer answer;
    int slot;

    if (!slots || !request_event()) return PORTPOOL_NO_RESOURCES;
    if ((slot = request_post_patiently(slots, request, deadline)) == -1) return PORTPOOL_NO_HOLDER;
    if (!request_await(slots, slot, deadline, &answer)) return PORTPOOL_NO_HOLDER;
    *token = answer.token;
    return answer.status;
}
