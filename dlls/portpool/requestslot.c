/*
 * The clients' requests to the holder
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "requestslot.h"

#define STATE             UINT64_C(7)
#define ABANDONED         UINT64_C(8)
#define STATE_CLIENT_BITS 4

enum slot_state
{
    SLOT_FREE,
    SLOT_FILLING,
    SLOT_PENDING,
    SLOT_TAKEN,
    SLOT_COMMITTING,
    SLOT_DONE,
};

static uint64_t state_make(enum slot_state state, uint64_t client)
{
    return state | client << STATE_CLIENT_BITS;
}

static enum slot_state state_of(uint64_t state)
{
    return (enum slot_state)(state & STATE);
}

static uint64_t state_client(uint64_t state)
{
    return state >> STATE_CLIENT_BITS;
}

static uint64_t slot_load(const struct request_slot *slot)
{
    return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

static bool slot_change(struct request_slot *slot, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&slot->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* Says whether a slot can be filled by somebody else than it was. */
static bool slot_is_usable(uint64_t state, request_client_alive alive)
{
    switch (state_of(state))
    {
    case SLOT_FREE:
        return true;
    case SLOT_FILLING:
    case SLOT_PENDING:
    case SLOT_DONE:
        return !alive(state_client(state));
    case SLOT_TAKEN:
    case SLOT_COMMITTING:
        /* The holder's, until it has answered. */
        break;
    }
    return false;
}

int request_post(struct request_slots *slots, uint64_t client, const struct request *request,
                 request_client_alive alive)
{
    for (int i = 0; i < REQUEST_SLOTS; i++)
    {
        struct request_slot *slot = &slots->slots[i];
        uint64_t old = slot_load(slot);

        if (!slot_is_usable(old, alive)) continue;
        if (!slot_change(slot, old, state_make(SLOT_FILLING, client))) continue;
        slot->request = *request;
        slot_change(slot, state_make(SLOT_FILLING, client), state_make(SLOT_PENDING, client));
        return i;
    }
    return -1;
}

bool request_fetch(struct request_slots *slots, int number, uint64_t client,
                   struct request_answer *answer)
{
    struct request_slot *slot = &slots->slots[number];
    uint64_t done = state_make(SLOT_DONE, client);

    if (slot_load(slot) != done) return false;
    *answer = slot->answer;
    return slot_change(slot, done, SLOT_FREE);
}

bool request_cancel(struct request_slots *slots, int number, uint64_t client)
{
    return slot_change(&slots->slots[number], state_make(SLOT_PENDING, client), SLOT_FREE);
}

bool request_abandon(struct request_slots *slots, int number, uint64_t client)
{
    struct request_slot *slot = &slots->slots[number];

    for (;;)
    {
        uint64_t old = slot_load(slot);
        bool held = state_of(old) == SLOT_TAKEN || state_of(old) == SLOT_COMMITTING;

        /* Given up already, and perhaps another's since. */
        if (state_client(old) != client || old & ABANDONED) return false;
        if (slot_change(slot, old, held ? old | ABANDONED : SLOT_FREE))
            return state_of(old) == SLOT_TAKEN || state_of(old) == SLOT_PENDING;
    }
}

int request_take(struct request_slots *slots, struct request *request, request_client_alive alive)
{
    for (int i = 0; i < REQUEST_SLOTS; i++)
    {
        struct request_slot *slot = &slots->slots[i];
        uint64_t old = slot_load(slot), client = state_client(old);

        if (state_of(old) != SLOT_PENDING) continue;
        if (!alive(client))
        {
            slot_change(slot, old, SLOT_FREE);
            continue;
        }
        if (!slot_change(slot, old, state_make(SLOT_TAKEN, client))) continue;
        *request = slot->request;
        return i;
    }
    return -1;
}

int request_next_taken(struct request_slots *slots, int after, struct request *request,
                       bool *committing)
{
    for (int i = after + 1; i < REQUEST_SLOTS; i++)
    {
        struct request_slot *slot = &slots->slots[i];
        uint64_t state = slot_load(slot);

        if (state_of(state) == SLOT_TAKEN && state & ABANDONED)
        {
            slot_change(slot, state, SLOT_FREE);
            continue;
        }
        if (state_of(state) != SLOT_TAKEN && state_of(state) != SLOT_COMMITTING) continue;
        *request = slot->request;
        *committing = state_of(state) == SLOT_COMMITTING;
        return i;
    }
    return -1;
}

bool request_commit(struct request_slots *slots, int number)
{
    struct request_slot *slot = &slots->slots[number];
    uint64_t old = slot_load(slot);

    /* An earlier holder was committed to it already: then it has to be finished. */
    if (state_of(old) == SLOT_COMMITTING) return true;
    if (old & ABANDONED) return false;
    /* Nobody but the client, who abandons it, changes the slot meanwhile. */
    return slot_change(slot, old, state_make(SLOT_COMMITTING, state_client(old)));
}

bool request_give_answer(struct request_slots *slots, int number,
                         const struct request_answer *answer, request_client_alive alive)
{
    struct request_slot *slot = &slots->slots[number];

    slot->answer = *answer;
    for (;;)
    {
        uint64_t old = slot_load(slot), client = state_client(old);
        bool wanted = !(old & ABANDONED) && alive(client);

        if (slot_change(slot, old, wanted ? state_make(SLOT_DONE, client) : SLOT_FREE))
            return !(old & ABANDONED);
    }
}
