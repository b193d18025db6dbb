/*
 * Tests of the clients' requests to the holder
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "dlls/portpool/requestslot.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "test.h"

#define LIVES       (1 << 20)
#define CLIENTS     20 /* more than slots */
#define CLIENT_MOST ((UINT64_C(1) << 60) - 1)

static struct request_slots slots;
static bool dead[LIVES];

static bool client_alive(uint64_t client)
{
    return client >= LIVES || !__atomic_load_n(&dead[client], __ATOMIC_SEQ_CST);
}

static void client_die(uint64_t client)
{
    __atomic_store_n(&dead[client], true, __ATOMIC_SEQ_CST);
}

static void slots_new(void)
{
    memset(&slots, 0, sizeof(slots));
    memset(dead, 0, sizeof(dead));
    /* Nobody's life or death does not matter. */
    dead[0] = true;
}

static struct request request_number(uint16_t number)
{
    return (struct request){number % 2 ? REQUEST_CREATE : REQUEST_DELETE,
                            number / 4 % 2 ? REQUEST_ACTIVE : REQUEST_PERSISTENT, number / 2 % 2,
                            number, number + 1};
}

static bool request_is(const struct request *request, uint16_t number)
{
    struct request expected = request_number(number);

    return request->operation == expected.operation && request->store == expected.store &&
           request->protocol == expected.protocol && request->start == expected.start &&
           request->count == expected.count;
}

#define post(client, number, expected) post_(__LINE__, client, number, expected)
static int post_(int line, uint64_t client, uint16_t number, int expected)
{
    struct request request = request_number(number);
    int slot = request_post(&slots, client, &request, client_alive);

    ok_(__FILE__, line, slot == expected, "posted in slot %d, expected %d", slot, expected);
    return slot;
}

/* slot is -1 where nothing should be found. */
#define take(slot, number) take_(__LINE__, slot, number)
static void take_(int line, int expected, uint16_t number)
{
    struct request request;
    int slot = request_take(&slots, &request, client_alive);

    ok_(__FILE__, line, slot == expected, "took slot %d, expected %d", slot, expected);
    if (slot != -1)
        ok_(__FILE__, line, request_is(&request, number), "the request is from %u, not %u",
            request.start, number);
}

#define next_taken(after, slot, number, committing)                                                \
    next_taken_(__LINE__, after, slot, number, committing)
static void next_taken_(int line, int after, int expected, uint16_t number,
                        bool expected_committing)
{
    struct request request;
    bool committing;
    int slot = request_next_taken(&slots, after, &request, &committing);

    ok_(__FILE__, line, slot == expected, "slot %d is taken, expected %d", slot, expected);
    if (slot != -1)
        ok_(__FILE__, line, request_is(&request, number) && committing == expected_committing,
            "the request is from %u, not %u; committing %u", request.start, number, committing);
}

#define give(slot, number, expected) give_(__LINE__, slot, number, expected)
static void give_(int line, int slot, uint16_t number, bool expected)
{
    struct request_answer answer = {.status = number, .token = UINT64_C(0x123456789) * number};
    bool given = request_give_answer(&slots, slot, &answer, client_alive);

    ok_(__FILE__, line, given == expected, "the client was %stold otherwise", given ? "not " : "");
}

#define fetch(slot, client, number) fetch_(__LINE__, slot, client, number)
static void fetch_(int line, int slot, uint64_t client, uint16_t number)
{
    struct request_answer answer = {0};
    bool fetched = request_fetch(&slots, slot, client, &answer);

    ok_(__FILE__, line, fetched == !!number, "an answer was %sfetched", fetched ? "" : "not ");
    if (fetched)
        ok_(__FILE__, line,
            answer.status == number && answer.token == UINT64_C(0x123456789) * number,
            "the answer is %u, not %u", answer.status, number);
}

static void test_answer(void)
{
    slots_new();
    take(-1, 0);
    next_taken(-1, -1, 0, false);
    post(1, 11, 0);
    post(CLIENT_MOST, 12, 1);
    fetch(0, 1, 0);
    next_taken(-1, -1, 0, false);

    take(0, 11);
    fetch(0, 1, 0);
    ok(request_commit(&slots, 0), "could not commit");
    fetch(0, 1, 0);
    give(0, 111, true);
    /* It is the client's, and nobody's else, once. */
    fetch(0, 2, 0);
    fetch(0, CLIENT_MOST, 0);
    fetch(1, 1, 0);
    fetch(0, 1, 111);
    fetch(0, 1, 0);

    /* Refused without a commit. */
    take(1, 12);
    take(-1, 0);
    give(1, 112, true);
    next_taken(-1, -1, 0, false);
    fetch(1, CLIENT_MOST, 112);
    post(3, 13, 0);
    post(3, 14, 1);
    take(0, 13);
    take(1, 14);
}

static void test_full(void)
{
    slots_new();
    for (int i = 0; i < REQUEST_SLOTS; i++) post(1 + i % 3, i, i);
    post(1, 100, -1);
    take(0, 0);
    post(1, 100, -1);
    give(0, 1, true);
    /* Until it is fetched. */
    post(1, 100, -1);
    fetch(0, 1, 1);
    post(1, 100, 0);
    post(1, 101, -1);
    for (int i = 0; i < REQUEST_SLOTS; i++) take(i, i ? i : 100);
    take(-1, 0);
}

static void test_cancel(void)
{
    slots_new();
    post(1, 11, 0);
    ok(!request_cancel(&slots, 0, 2), "another client cancelled");
    ok(request_cancel(&slots, 0, 1), "could not cancel");
    take(-1, 0);
    ok(!request_cancel(&slots, 0, 1), "cancelled twice");
    post(2, 12, 0);
    ok(!request_cancel(&slots, 0, 1), "cancelled another's");

    take(0, 12);
    ok(!request_cancel(&slots, 0, 2), "cancelled when taken");
    ok(request_commit(&slots, 0), "could not commit");
    ok(!request_cancel(&slots, 0, 2), "cancelled when committed");
    give(0, 5, true);
    ok(!request_cancel(&slots, 0, 2), "cancelled when answered");
    fetch(0, 2, 5);
    ok(!request_cancel(&slots, 0, 2), "cancelled when fetched");
    post(2, 13, 0);
}

static void test_abandon(void)
{
    slots_new();
    /* Before the commit: nothing is done. */
    post(1, 11, 0);
    take(0, 11);
    ok(!request_abandon(&slots, 0, 2), "another client abandoned it");
    ok(request_abandon(&slots, 0, 1), "something may come of it");
    fetch(0, 1, 0);
    post(1, 12, 1);
    ok(!request_commit(&slots, 0), "committed what is abandoned");
    ok(!request_commit(&slots, 0), "committed what is abandoned");
    give(0, 5, false);
    fetch(0, 1, 0);
    post(1, 13, 0);
    ok(request_cancel(&slots, 1, 1), "could not cancel");

    /* After it: it is done. */
    take(0, 13);
    ok(request_commit(&slots, 0), "could not commit");
    ok(!request_abandon(&slots, 0, 1), "nothing comes of it");
    next_taken(-1, 0, 13, true);
    ok(request_commit(&slots, 0), "could not commit again");
    give(0, 5, false);
    post(2, 14, 0);
    ok(!request_abandon(&slots, 0, 1), "abandoned another's");

    /* After the answer. */
    take(0, 14);
    give(0, 6, true);
    ok(!request_abandon(&slots, 0, 2), "nothing comes of it");
    fetch(0, 2, 0);
    post(2, 15, 0);
    /* Before anybody took it. */
    ok(request_abandon(&slots, 0, 2), "something may come of it");
    take(-1, 0);
    post(2, 16, 0);
}

static void test_dead_client(void)
{
    slots_new();
    for (int i = 0; i < REQUEST_SLOTS; i++) post(i + 1, i, i);
    /* Not taken, taken, committed, answered; and between claim and post. */
    for (int i = 0; i < 3; i++) take(i, i);
    ok(request_commit(&slots, 1), "could not commit");
    give(2, 5, true);
    slots.slots[3].state = 1 | UINT64_C(4) << 4;
    post(100, 100, -1);
    for (int i = 1; i <= 6; i++) client_die(i);
    post(100, 100, 2);
    post(100, 101, 3);
    post(100, 102, 4);
    post(100, 103, 5);
    post(100, 104, -1);

    /* The holder finishes what it took, and tells nobody. */
    next_taken(-1, 0, 0, false);
    next_taken(0, 1, 1, true);
    next_taken(1, -1, 0, false);
    ok(request_commit(&slots, 0), "could not commit");
    give(0, 5, true);
    give(1, 5, true);
    post(100, 104, 0);
    post(100, 105, 1);

    client_die(100);
    client_die(7);
    take(7, 7);
    for (int i = 0; i < 7; i++) post(200, i, i);
}

static void test_dead_holder(void)
{
    slots_new();
    for (int i = 0; i < 8; i++) post(i + 1, i + 10, i);
    for (int i = 0; i < 6; i++) take(i, i + 10);
    ok(request_commit(&slots, 1), "could not commit");
    ok(request_commit(&slots, 3), "could not commit");
    give(2, 5, true);
    ok(request_abandon(&slots, 0, 1), "something may come of it");
    ok(!request_abandon(&slots, 3, 4), "nothing comes of it");

    /* The next one finds what was taken, not what was abandoned in time or not taken yet. */
    next_taken(-1, 1, 11, true);
    next_taken(1, 3, 13, true);
    next_taken(3, 4, 14, false);
    next_taken(4, 5, 15, false);
    next_taken(5, -1, 0, false);
    give(1, 6, true);
    give(3, 7, false);
    ok(request_commit(&slots, 4), "could not commit");
    give(4, 8, true);
    give(5, 9, true);
    next_taken(-1, -1, 0, false);
    fetch(1, 2, 6);
    fetch(2, 3, 5);
    fetch(4, 5, 8);
    fetch(5, 6, 9);
    take(6, 16);
    take(7, 17);
    take(-1, 0);
    for (int i = 0; i < 6; i++) post(9, i, i);
}

/* Clients and a holder at once. A request's number says whose it is; the holder does it, and
 * answers with the number. */
struct client
{
    pthread_t thread;
    unsigned int seed;
    uint64_t self;
    uint16_t number;
};

/* Each client has its own: those that leave the same rest, divided by CLIENTS. */
#define NUMBERS (65536 / CLIENTS * CLIENTS)

static struct client clients[CLIENTS];
static uint64_t last_life;
static unsigned long rounds, fetched, cancelled, abandoned, died, holders;
static bool stop;
/* How often requests with a number have been done. */
static unsigned int done[NUMBERS];

static void count_one(unsigned long *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static unsigned int times_done(uint16_t number)
{
    return __atomic_load_n(&done[number], __ATOMIC_SEQ_CST);
}

static void client_next_number(struct client *client)
{
    client->number = (client->number + CLIENTS) % NUMBERS;
}

/* Waits a while for the answer. */
static bool client_wait(const struct client *client, int slot, unsigned int tries,
                        unsigned int before)
{
    struct request_answer answer;

    for (; tries; tries--)
    {
        if (request_fetch(&slots, slot, client->self, &answer))
        {
            ok(answer.status == client->number && answer.token == ~(uint64_t)client->number,
               "the answer is %u, not %u", answer.status, client->number);
            ok(times_done(client->number) == before + 1, "done %u times",
               times_done(client->number) - before);
            count_one(&fetched);
            return true;
        }
        sched_yield();
    }
    return false;
}

/* What was given up in time is not done; the slot may hold another request at once. */
static void client_ask(struct client *client)
{
    unsigned int before = times_done(client->number), patience;
    struct request request = request_number(client->number);
    int slot = request_post(&slots, client->self, &request, client_alive);

    if (slot == -1)
    {
        sched_yield();
        return;
    }
    patience = rand_r(&client->seed) % 8;
    if (client_wait(client, slot, patience, before)) return;
    if (patience < 3 && request_cancel(&slots, slot, client->self))
    {
        ok(times_done(client->number) == before, "done though cancelled");
        client_next_number(client);
        count_one(&cancelled);
        return;
    }
    if (patience == 1)
    {
        /* Dies; a new client has numbers of its own. */
        client_die(client->self);
        client->self = __atomic_add_fetch(&last_life, 1, __ATOMIC_SEQ_CST);
        client_next_number(client);
        count_one(&died);
        return;
    }
    if (patience == 2 || patience == 3)
    {
        if (request_abandon(&slots, slot, client->self))
            ok(times_done(client->number) == before, "done though abandoned");
        else
            client_next_number(client);
        count_one(&abandoned);
        return;
    }
    while (!client_wait(client, slot, 1000, before)) continue;
}

static void *client_thread(void *context)
{
    struct client *client = context;

    for (unsigned long i = 0; i < rounds; i++) client_ask(client);
    return NULL;
}

/* Lets clients go first, or not. */
static void holder_pause(unsigned int *seed)
{
    for (unsigned int count = rand_r(seed) % 4; count; count--) sched_yield();
}

/* Does a request in steps, between which the holder may die: false then. */
static bool holder_do(unsigned int *seed, int slot, const struct request *request, bool committing)
{
    struct request_answer answer = {request->start, ~(uint64_t)request->start};

    if (!request_is(request, request->start)) ok(false, "request %u is damaged", request->start);
    holder_pause(seed);
    if (rand_r(seed) % 50 == 0) return false;
    if (request_commit(&slots, slot))
    {
        /* An earlier holder that was committed had not done it. */
        holder_pause(seed);
        if (rand_r(seed) % 50 == 0) return false;
        __atomic_fetch_add(&done[request->start], 1, __ATOMIC_SEQ_CST);
    }
    else if (committing)
        ok(false, "a commit was lost");
    request_give_answer(&slots, slot, &answer, client_alive);
    return true;
}

static void holder_live(unsigned int *seed)
{
    struct request request;
    bool committing;
    int slot = -1;

    while ((slot = request_next_taken(&slots, slot, &request, &committing)) != -1)
        if (!holder_do(seed, slot, &request, committing)) return;
    for (;;)
    {
        if ((slot = request_take(&slots, &request, client_alive)) != -1)
        {
            if (!holder_do(seed, slot, &request, false)) return;
        }
        else if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
            return;
        else
            sched_yield();
    }
}

static void *holder_thread(void *context)
{
    unsigned int *seed = context;
    struct request request;
    bool committing;

    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
    {
        holder_live(seed);
        holders++;
    }
    /* The last ones finish what there is. */
    do holder_live(seed);
    while (request_next_taken(&slots, -1, &request, &committing) != -1);
    return NULL;
}

static void test_threads(void)
{
    unsigned int seed = random();
    pthread_t holder;

    slots_new();
    rounds = test_setting("TAWNY_ROUNDS", 5000);
    last_life = CLIENTS;
    if (pthread_create(&holder, NULL, holder_thread, &seed)) exit(1);
    for (int i = 0; i < CLIENTS; i++)
    {
        clients[i] = (struct client){.seed = random(), .self = i + 1, .number = i};
        if (pthread_create(&clients[i].thread, NULL, client_thread, &clients[i])) exit(1);
    }
    for (int i = 0; i < CLIENTS; i++) pthread_join(clients[i].thread, NULL);
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(holder, NULL);
    printf("%s: %lu fetched, %lu cancelled, %lu abandoned, %lu clients and %lu holders died\n",
           test_name, fetched, cancelled, abandoned, died, holders);
    ok(fetched && cancelled && abandoned && died && holders, "something never came off");

    /* No slot is lost. */
    for (int i = 0; i < CLIENTS; i++) client_die(clients[i].self);
    for (int i = 0; i < REQUEST_SLOTS; i++) post(LIVES, i, i);
}

int main(void)
{
    test_start("requestslot");
    test_seed();
    test_answer();
    test_full();
    test_cancel();
    test_abandon();
    test_dead_client();
    test_dead_holder();
    test_threads();
    return test_end();
}
