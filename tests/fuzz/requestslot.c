/*
 * Fuzzing of the clients' requests to the holder, in memory that others have written to
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input's first byte says which clients live, the next how many slots are filled with what
 * comes then. The rest are operations of four bytes: which, by what client, in which slot, and a
 * number.
 */
#include "dlls/portpool/requestslot.h"

#include "fuzz.h"

#define CLIENTS 8

/* Of a slot's state, by their numbers. */
#define STATE      7
#define FREE       0
#define PENDING    2
#define TAKEN      3
#define COMMITTING 4
#define DONE       5

static uint8_t living;
static struct request_slots *slots;

static bool client_alive(uint64_t client)
{
    return living >> client % CLIENTS & 1;
}

static unsigned int slot_state(int slot)
{
    return slots->slots[slot].state & STATE;
}

static uint64_t slot_client(int slot)
{
    return slots->slots[slot].state >> 4;
}

static void post(uint64_t client, const struct request *request)
{
    int slot = request_post(slots, client, request, client_alive);

    must(slot >= -1 && slot < REQUEST_SLOTS, "posted in slot %d", slot);
    if (slot == -1) return;
    must(slot_state(slot) == PENDING && slot_client(slot) == client, "slot %d has state %u", slot,
         slot_state(slot));
    must(!memcmp(&slots->slots[slot].request, request, sizeof(*request)), "another request");
}

static void fetch(uint64_t client, int slot)
{
    bool done = slots->slots[slot].state == (DONE | client << 4);
    struct request_answer answer;

    must(request_fetch(slots, slot, client, &answer) == done, "fetched or not in slot %d", slot);
    if (!done) return;
    must(!slots->slots[slot].state, "slot %d is not free", slot);
    must(answer.token == slots->slots[slot].answer.token &&
             answer.status == slots->slots[slot].answer.status,
         "another answer");
}

/* Nothing comes of what is cancelled or abandoned in time; what is another's stays as it is. */
static void give_up(uint64_t client, int slot, bool abandon)
{
    uint64_t before = slots->slots[slot].state, after;
    bool given_up =
        abandon ? request_abandon(slots, slot, client) : request_cancel(slots, slot, client);

    after = slots->slots[slot].state;
    must(before >> 4 == client || (!given_up && after == before), "gave up another's");
    if (!given_up) return;
    must((before & STATE) == PENDING || (before & STATE) == TAKEN, "gave up state %u",
         (unsigned int)(before & STATE));
    must(!after || !request_commit(slots, slot), "committed what was given up");
}

static void check_taken(int slot, const struct request *request)
{
    must(slot_state(slot) == TAKEN || slot_state(slot) == COMMITTING, "slot %d has state %u", slot,
         slot_state(slot));
    must(!memcmp(&slots->slots[slot].request, request, sizeof(*request)), "another request");
}

static void take(void)
{
    struct request request;
    int slot = request_take(slots, &request, client_alive);

    must(slot >= -1 && slot < REQUEST_SLOTS, "took slot %d", slot);
    if (slot == -1) return;
    must(slot_state(slot) == TAKEN && client_alive(slot_client(slot)), "took slot %d of the dead",
         slot);
    check_taken(slot, &request);
}

/* As the holder does when it starts. */
static void take_over(void)
{
    struct request request;
    int slot = -1, after = -1;
    bool committing;

    while ((slot = request_next_taken(slots, after, &request, &committing)) != -1)
    {
        must(slot > after && slot < REQUEST_SLOTS, "slot %d after %d", slot, after);
        must(committing == (slot_state(slot) == COMMITTING), "committing %d", committing);
        check_taken(slot, &request);
        after = slot;
    }
}

static void commit(int slot)
{
    uint64_t before = slots->slots[slot].state;
    bool committed = request_commit(slots, slot);

    if (committed)
        must(slot_state(slot) == COMMITTING && slot_client(slot) == before >> 4,
             "slot %d has state %u", slot, slot_state(slot));
    else
        must(slots->slots[slot].state == before, "slot %d has changed", slot);
}

static void give(int slot, uint8_t number)
{
    struct request_answer answer = {.status = number, .token = ~(uint64_t)number};

    request_give_answer(slots, slot, &answer, client_alive);
    must(slot_state(slot) == FREE || (slot_state(slot) == DONE && client_alive(slot_client(slot)) &&
                                      slots->slots[slot].answer.token == answer.token),
         "slot %d has state %u", slot, slot_state(slot));
}

static void operate(struct input *input)
{
    uint8_t which = input_byte(input);
    uint64_t client = input_byte(input) % (CLIENTS + 1);
    int slot = input_byte(input) % REQUEST_SLOTS;
    uint8_t number = input_byte(input);
    struct request request = {number % 3, number / 3 % 3, number / 9 % 3, number, number};

    /* The largest that there can be. */
    if (client == CLIENTS) client = (UINT64_C(1) << 60) - 1;
    switch (which % 10)
    {
    case 0:
    case 1:
        post(client, &request);
        break;
    case 2:
        fetch(client, slot);
        break;
    case 3:
    case 4:
        give_up(client, slot, which % 10 == 3);
        break;
    case 5:
        take();
        break;
    case 6:
        take_over();
        break;
    case 7:
        commit(slot);
        break;
    case 8:
        give(slot, number);
        break;
    case 9:
        living ^= 1 << client % CLIENTS;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    uint8_t filled;

    living = ~input_byte(&input);
    slots = fuzz_allocate(sizeof(*slots));
    memset(slots, 0, sizeof(*slots));
    filled = input_byte(&input) % (REQUEST_SLOTS + 1);
    input_copy(&input, slots->slots, filled * sizeof(*slots->slots));
    while (input.left) operate(&input);
    free(slots);
    return 0;
}
