/*
 * Tests of the port table, many threads at once
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Made twice, for ThreadSanitizer and for the others.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "dlls/portpool/porttable.h"
#include "test.h"

#define THREADS   6
#define DEAD      100
#define HELD_MOST 20

struct block
{
    uint16_t start;
    uint32_t count;
};

struct worker
{
    pthread_t thread;
    unsigned int seed;
    uint64_t owner;
    struct block block;
    unsigned long rounds;
    unsigned long done;   /* what came off: draws, claims or binds */
    unsigned long faults; /* ports that were somebody's already */
};

static struct port_table table;
static struct worker workers[THREADS];
static pthread_barrier_t barrier;

/* Who has a port, as the threads see it; and what only he who has the port touches, so that
 * ThreadSanitizer can tell whether the table orders one after the other. */
static uint64_t holder[PORT_TABLE_PORTS];
static unsigned long touched[PORT_TABLE_PORTS];

static bool owner_alive(uint64_t owner)
{
    return owner != DEAD;
}

static unsigned int worker_random(struct worker *worker)
{
    return rand_r(&worker->seed);
}

static void worker_take(struct worker *worker, uint16_t port)
{
    if (__atomic_exchange_n(&holder[port], worker->owner, __ATOMIC_RELAXED)) worker->faults++;
    touched[port]++;
}

static void worker_give(struct worker *worker, uint16_t port)
{
    touched[port]++;
    if (__atomic_exchange_n(&holder[port], 0, __ATOMIC_RELAXED) != worker->owner) worker->faults++;
}

/* Runs all threads to their end; gives back what they did in sum. */
#define run(function) run_(__LINE__, function)
static unsigned long run_(int line, void *(*function)(void *))
{
    unsigned long done = 0, faults = 0;

    for (int i = 0; i < THREADS; i++)
    {
        workers[i].seed = random();
        workers[i].done = workers[i].faults = 0;
        if (!pthread_create(&workers[i].thread, NULL, function, &workers[i])) continue;
        perror("pthread_create");
        exit(1);
    }
    for (int i = 0; i < THREADS; i++)
    {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
        faults += workers[i].faults;
    }
    ok_(__FILE__, line, !faults, "%lu times a port had two holders", faults);
    return done;
}

static uint16_t worker_draw(struct worker *worker, uint16_t after)
{
    const struct block *block = &worker->block;
    uint16_t port;

    if (worker_random(worker) % 4)
        return port_table_draw(&table, 0, block->start, block->count, worker->owner, after);
    port = block->start + worker_random(worker) % block->count;
    return port_table_draw_exact(&table, 0, port, worker->owner) ? port : 0;
}

/* Draws and returns, holding several ports at a time, and returns them all in the end. */
static void *draw_thread(void *context)
{
    struct worker *worker = context;
    uint16_t held[HELD_MOST], after = 0;
    unsigned int count = 0;

    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < worker->rounds || count; i++)
    {
        bool draw = i < worker->rounds && count < HELD_MOST && worker_random(worker) % 2;

        if (draw && (after = worker_draw(worker, after)))
        {
            worker_take(worker, after);
            held[count++] = after;
            worker->done++;
        }
        else if (count)
        {
            unsigned int which = worker_random(worker) % count;

            worker_give(worker, held[which]);
            port_table_return(&table, 0, held[which], worker->owner);
            held[which] = held[--count];
        }
    }
    return NULL;
}

/* Every port of a block can be drawn, once. */
static void check_all_idle(const struct block *block, uint64_t owner)
{
    bool *drawn = calloc(PORT_TABLE_PORTS, sizeof(*drawn));
    uint32_t count = 0;
    uint16_t port = 0;

    while ((port = port_table_draw(&table, 0, block->start, block->count, owner, port)))
    {
        if (port < block->start || port >= block->start + block->count || drawn[port]) break;
        drawn[port] = true;
        count++;
    }
    ok(!port, "drew %u, from %u ports from %u on", port, block->count, block->start);
    ok(count == block->count, "%u of the %u ports from %u on could be drawn", count, block->count,
       block->start);
    free(drawn);
}

static void test_draw(struct block first, struct block second, unsigned long rounds)
{
    struct block blocks[] = {first, second};
    uint16_t conflict = 0;

    memset(&table, 0, sizeof(table));
    for (int i = 0; i < 2; i++)
        ok(port_table_claim(&table, 0, blocks[i].start, blocks[i].count, i + 1, owner_alive,
                            &conflict),
           "conflict at %u", conflict);
    for (int i = 0; i < THREADS; i++)
    {
        workers[i].owner = i % 2 + 1;
        workers[i].block = blocks[i % 2];
        workers[i].rounds = rounds;
    }
    ok(run(draw_thread), "nothing was drawn");
    for (int i = 0; i < 2; i++) check_all_idle(&blocks[i], i + 1);
}

/* Two threads that meet at every step: a few operations at once, on a block of few ports, and then
 * every idle port must be in reach. A hint that got lost is found before others make up for it. */
#define MEETING_START 62
#define MEETING_COUNT 5

static struct
{
    unsigned int arrived[2];
    bool held[MEETING_COUNT]; /* written by him who holds it */
} meeting;

static void meet(unsigned int self, unsigned int step)
{
    __atomic_store_n(&meeting.arrived[self], step, __ATOMIC_RELEASE);
    while (__atomic_load_n(&meeting.arrived[!self], __ATOMIC_ACQUIRE) < step) sched_yield();
}

/* Draws every idle port and returns it; says whether those are the ones that nobody holds. */
static bool meeting_all_in_reach(uint64_t owner)
{
    bool drawn[MEETING_COUNT];
    uint16_t port;

    memcpy(drawn, meeting.held, sizeof(drawn));
    while ((port = port_table_draw(&table, 0, MEETING_START, MEETING_COUNT, owner, 0)))
    {
        if (drawn[port - MEETING_START]) return false;
        drawn[port - MEETING_START] = true;
    }
    for (int i = 0; i < MEETING_COUNT; i++)
    {
        if (!drawn[i]) return false;
        if (!meeting.held[i]) port_table_return(&table, 0, MEETING_START + i, owner);
    }
    return true;
}

static void *meeting_thread(void *context)
{
    struct worker *worker = context;
    unsigned int self = worker - workers, step = 0;
    bool mine[MEETING_COUNT] = {false};

    for (unsigned long i = 0; i < worker->rounds; i++)
    {
        meet(self, ++step);
        for (unsigned int count = worker_random(worker) % 4; count; count--)
        {
            unsigned int which = worker_random(worker) % MEETING_COUNT;
            uint16_t port = MEETING_START + which;

            if (mine[which])
            {
                mine[which] = meeting.held[which] = false;
                port_table_return(&table, 0, port, worker->owner);
            }
            else if ((port = worker_draw(worker, port)))
                mine[port - MEETING_START] = meeting.held[port - MEETING_START] = true;
        }
        meet(self, ++step);
        if (!self && !meeting_all_in_reach(worker->owner)) worker->done++;
    }
    return NULL;
}

static void test_meeting(unsigned long rounds)
{
    uint16_t conflict = 0;

    memset(&table, 0, sizeof(table));
    memset(&meeting, 0, sizeof(meeting));
    port_table_claim(&table, 0, MEETING_START, MEETING_COUNT, 1, owner_alive, &conflict);
    for (int i = 0; i < 2; i++)
    {
        workers[i].owner = 1;
        workers[i].block = (struct block){MEETING_START, MEETING_COUNT};
        workers[i].rounds = rounds;
        workers[i].seed = random();
        workers[i].done = 0;
        if (!pthread_create(&workers[i].thread, NULL, meeting_thread, &workers[i])) continue;
        perror("pthread_create");
        exit(1);
    }
    for (int i = 0; i < 2; i++) pthread_join(workers[i].thread, NULL);
    ok(!workers[0].done, "%lu of %lu times an idle port could not be drawn", workers[0].done,
       rounds);
}

/* Claims and frees blocks that overlap with others'. */
static void *claim_thread(void *context)
{
    struct worker *worker = context;

    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < worker->rounds; i++)
    {
        uint16_t start = 4000 + worker_random(worker) % 200, conflict = 0;
        uint32_t count = 1 + worker_random(worker) % 30;

        if (!port_table_claim(&table, 0, start, count, worker->owner, owner_alive, &conflict))
        {
            worker->faults += conflict < start || conflict >= start + count;
            continue;
        }
        worker->done++;
        for (uint32_t j = 0; j < count; j++) worker_take(worker, start + j);
        for (uint32_t j = 0; j < count; j++) worker_give(worker, start + j);
        port_table_free(&table, 0, start, count, worker->owner);
    }
    return NULL;
}

/* What a worker claims in a test of publishing tells of itself. */
static uint16_t publish_count(uint16_t start, uint64_t owner)
{
    return 1 + (start * 7 + owner * 11) % 30;
}

/* Claims and publishes blocks, draws from them, and looks what others have published. */
static void *publish_thread(void *context)
{
    struct worker *worker = context;

    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < worker->rounds; i++)
    {
        uint16_t start = 4000 + worker_random(worker) % 200, conflict = 0, count, found;
        uint64_t owner;

        found = port_table_find_block(&table, 0, start, &owner);
        if (found && found != publish_count(start, owner)) worker->faults++;
        count = publish_count(start, worker->owner);
        if (!port_table_claim(&table, 0, start, count, worker->owner, owner_alive, &conflict))
            continue;
        worker->done++;
        port_table_publish_block(&table, 0, start, count, worker->owner);
        for (uint32_t j = 0; j < count; j++)
            if (!port_table_draw(&table, 0, start, count, worker->owner, 0)) worker->faults++;
        if (port_table_draw(&table, 0, start, count, worker->owner, 0)) worker->faults++;
        port_table_return(&table, 0, start, worker->owner);
        found = port_table_find_block(&table, 0, start, &owner);
        if (found != count || owner != worker->owner) worker->faults++;
        port_table_free(&table, 0, start, count, worker->owner);
    }
    return NULL;
}

/* Binds by number where others claim. */
static void *bind_thread(void *context)
{
    struct worker *worker = context;
    bool kept;

    if (worker - workers < THREADS / 2) return claim_thread(context);
    pthread_barrier_wait(&barrier);
    for (unsigned long i = 0; i < worker->rounds; i++)
    {
        uint16_t port = 4000 + worker_random(worker) % 230;

        if (!port_table_begin_bind(&table, 0, port, worker->owner, owner_alive, &kept) || !kept)
            continue;
        worker->done++;
        worker_take(worker, port);
        worker_give(worker, port);
        port_table_end_bind(&table, 0, port, worker->owner);
    }
    return NULL;
}

static void test_claim(void *(*function)(void *), unsigned long rounds)
{
    uint64_t owner;
    uint32_t port;

    memset(&table, 0, sizeof(table));
    for (int i = 0; i < THREADS; i++)
    {
        workers[i].owner = i + 1;
        workers[i].rounds = rounds;
    }
    ok(run(function), "nothing was claimed or bound");
    for (port = 0; port < PORT_TABLE_PORTS; port++)
        if (port_table_lookup(&table, 0, port, &owner) != PORT_FREE) break;
    ok(port == PORT_TABLE_PORTS, "port %u was left behind, owner %lu", port, (unsigned long)owner);
}

/* Claims one block and keeps it. */
static void *race_thread(void *context)
{
    struct worker *worker = context;
    const struct block *block = &worker->block;
    uint16_t conflict = 0;

    pthread_barrier_wait(&barrier);
    if (!port_table_claim(&table, 0, block->start, block->count, worker->owner, owner_alive,
                          &conflict))
        return NULL;
    worker->done++;
    for (uint32_t i = 0; i < block->count; i++) worker_take(worker, block->start + i);
    return NULL;
}

/* One round of all threads for ports that a dead owner left behind. */
static void race(bool same_block)
{
    struct block all = {4000, 300};
    unsigned long won;
    uint16_t conflict = 0;
    bool found = true;

    memset(&table, 0, sizeof(table));
    memset(holder, 0, sizeof(holder));
    ok(port_table_claim(&table, 0, all.start, all.count, DEAD, owner_alive, &conflict),
       "conflict at %u", conflict);
    for (int i = 0; i < THREADS; i++)
    {
        workers[i].owner = i + 1;
        workers[i].block.start = all.start + 50 + (same_block ? 0 : random() % 60);
        workers[i].block.count = same_block ? 64 : 1 + random() % 60;
    }
    won = run(race_thread);
    ok(same_block ? won == 1 : won >= 1, "%lu threads won", won);

    for (int i = 0; i < THREADS; i++)
        if (workers[i].done) check_all_idle(&workers[i].block, workers[i].owner);
    for (uint32_t i = 0; i < all.count; i++)
    {
        uint64_t owner = 0, expected = holder[all.start + i];
        enum port_kind kind = port_table_lookup(&table, 0, all.start + i, &owner);

        /* What nobody won is still the dead's, or free after a claim that was undone. */
        if (expected ? owner != expected : kind != PORT_FREE && owner != DEAD) found = false;
    }
    ok(found, "a port is not his who won it");
}

int main(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 20000), i;

#ifdef __SANITIZE_THREAD__
    test_start("porttable-threads-tsan");
#else
    test_start("porttable-threads");
#endif
    test_seed();
    pthread_barrier_init(&barrier, NULL, THREADS);

    /* Two blocks with a word of hints in common, enough ports for everyone. */
    test_draw((struct block){4030, 100}, (struct block){4130, 90}, rounds);
    /* Too few. */
    test_draw((struct block){4090, 8}, (struct block){4098, 1}, rounds);
    test_draw((struct block){63, 2}, (struct block){65, 30}, rounds);
    /* Often at rest: there every port must be in reach again. */
    for (i = 0; i < rounds / 100; i++)
        test_draw((struct block){4090, 8}, (struct block){4098, 70}, 50);

    test_meeting(rounds * 5);

    test_claim(claim_thread, rounds);
    test_claim(publish_thread, rounds);
    test_claim(bind_thread, rounds);
    for (i = 0; i < rounds / 100; i++) race(i % 2);

    pthread_barrier_destroy(&barrier);
    return test_end();
}
