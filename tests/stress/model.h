/*
 * What the programs of the stress test know of each other: who has which port
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file that all of them have mapped, Windows programs and native ones. Everything in it is
 * changed by compare-and-swap, so that it is exact although processes are killed at any moment:
 *
 *   - who reserves or binds writes it down after the call has succeeded, and strikes it out before
 *     the call that ends it. Thus while an entry stands, it is true;
 *   - no value is ever written twice: who finds an entry the same before and after a call knows
 * that it stood, and was true, all the while;
 *   - the entries of a process that is about to be killed are true no more from when its state says
 *     "dying", which is before it is killed. The director strikes them out when it is dead.
 *
 * What must not be is two true entries that exclude each other.
 */
#ifndef TAWNY_TESTS_STRESS_MODEL_H
#define TAWNY_TESTS_STRESS_MODEL_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define MODEL_VERSION 1

enum model_protocol
{
    MODEL_TCP,
    MODEL_UDP,
    MODEL_PROTOCOLS,
};

#define MODEL_PORTS     65536
#define MODEL_PROCESSES 65535 /* ever started */
#define MODEL_SLOTS     64    /* at a time */
#define MODEL_THREADS   64    /* of each */
#define MODEL_RECENT    256
#define MODEL_FAILURES  64
#define MODEL_LINE      256

/* Blocks with a start port lie here, so few ports that they collide; tests/stress/run has the host
 * give out ports here, and behind it, as well. */
#define REGION_FIRST     40000
#define REGION_LAST      40499
#define AUTOMATIC_LAST   41999
#define PERSISTENT_FIRST 41000
#define PERSISTENT_COUNT 24
/* Blocks without lie here. */
#define DYNAMIC_FIRST 49152
#define DYNAMIC_LAST  65535

/* An entry: bits 48 to 63 the process, by its number in the model, never 0; bits 40 to 47 the
 * thread; bits 4 to 39 a number that the thread has not used before; of a socket, bits 0 to 2 say
 * to what kind of address it is bound, and bit 3 that it was drawn from a block or a range; of a
 * block, bit 0 says that no socket was ever associated.
 */
#define ENTRY_PROCESS(entry) ((unsigned int)((entry) >> 48))
#define ENTRY_THREAD(entry)  ((unsigned int)((entry) >> 40 & 0xff))
#define ENTRY_SHAPE(entry)   ((unsigned int)((entry)&7))
#define ENTRY_QUIET          1ull
#define ENTRY_DRAWN          8ull
#define ENTRY_STEP           16ull
/* The native programs are together a process that is never killed; the thread is the program. */
#define NATIVE_PROCESS 1u
#define FIRST_PROCESS  2u

enum model_state
{
    STATE_NONE,
    STATE_LIVING,
    STATE_DYING,
};

#define MODEL_OPERATIONS(X)                                                                        \
    X(IDLE, "idle")                                                                                \
    X(START, "start")                                                                              \
    X(ACQUIRE, "acquire")                                                                          \
    X(RELEASE, "release")                                                                          \
    X(DRAW, "draw")                                                                                \
    X(DRAW_EXACT, "bind in own block")                                                             \
    X(FOREIGN, "bind in foreign block")                                                            \
    X(PLAIN, "automatic bind")                                                                     \
    X(CONVERSE, "TCP conversation")                                                                \
    X(EXCHANGE, "UDP exchange")                                                                    \
    X(CLOSE, "close")                                                                              \
    X(PERSISTENT_DRAW, "persistent draw")                                                          \
    X(PERSISTENT_EXACT, "persistent bind by number")                                               \
    X(END, "end")

#define MODEL_EVENTS(X)                                                                            \
    X(ACQUIRED, "blocks acquired")                                                                 \
    X(ACQUIRE_BUSY, "acquire found ports in use")                                                  \
    X(RELEASED, "blocks released")                                                                 \
    X(DRAWN, "drawn")                                                                              \
    X(EXHAUSTED, "none left to draw")                                                              \
    X(ENDED, "block ended meanwhile")                                                              \
    X(ENDED_SHARED, "after which others bound at its port's other addresses")                      \
    X(EXACT, "bound by number in own block")                                                       \
    X(EXACT_BUSY, "own port in use")                                                               \
    X(FOREIGN_REFUSED, "foreign binds refused")                                                    \
    X(FOREIGN_FREE, "foreign blocks gone before the bind")                                         \
    X(PLAIN_BOUND, "automatic binds")                                                              \
    X(PLAIN_NONE, "no automatic port left")                                                        \
    X(CONVERSED, "TCP conversations")                                                              \
    X(CONNECTED_DRAWN, "of them from a drawn port")                                                \
    X(CONVERSED_NOT, "TCP connections refused for a port's address")                               \
    X(LISTEN_REFUSED, "listeners that a program was at that may be")                               \
    X(EXCHANGED, "UDP exchanges")                                                                  \
    X(EXCHANGE_AGAIN, "UDP messages sent again")                                                   \
    X(CLOSED, "sockets closed")                                                                    \
    X(PERSISTENT_DRAWN, "persistent ports drawn")                                                  \
    X(PERSISTENT_EXACT, "persistent ports bound by number")                                        \
    X(PERSISTENT_BUSY, "persistent ports in use")                                                  \
    X(KILLED, "processes killed")                                                                  \
    X(CHECKS, "checks")                                                                            \
    X(NO_MEMORY, "calls that lacked resources")

#define MODEL_ENUM_OPERATION(name, text) OPERATION_##name,
#define MODEL_ENUM_EVENT(name, text)     EVENT_##name,
enum model_operation
{
    MODEL_OPERATIONS(MODEL_ENUM_OPERATION) OPERATIONS,
};
enum model_event
{
    MODEL_EVENTS(MODEL_ENUM_EVENT) EVENTS,
};

struct model_thread
{
    uint64_t steps; /* changes with each operation that begins */
    uint32_t operation;
    uint32_t protocol;
    uint32_t port;
    uint32_t line; /* of the source, where it waits */
};

struct model
{
    uint32_t version;
    uint32_t seed;
    uint32_t stopping;
    uint32_t failures;                /* also those that found no place below */
    uint64_t tokens[MODEL_PROTOCOLS]; /* of the persistent ranges */

    uint32_t states[MODEL_PROCESSES + 1];
    uint64_t blocks[MODEL_PROTOCOLS][MODEL_PORTS];  /* whose runtime block the port is in */
    uint64_t sockets[MODEL_PROTOCOLS][MODEL_PORTS]; /* who has drawn or bound it */
    uint64_t natives[MODEL_PROTOCOLS][MODEL_PORTS]; /* the native program that has all of it */
    /* Changes when the native program that may share ports comes, which is before it binds, and
     * when it has gone. */
    uint32_t visits[MODEL_PROTOCOLS][MODEL_PORTS];
    /* Wine's server may keep a socket for ever, or crash, if the process is killed while it waits,
     * sends or receives there: from when a process is doomed on, none of its threads begins to
     * talk. How many are at it. */
    uint32_t doomed[MODEL_SLOTS];
    uint32_t talking[MODEL_SLOTS];
    /* Blocks, also ended ones: protocol << 16 | start. */
    uint32_t recent[MODEL_RECENT];
    uint32_t recent_next;

    uint64_t events[EVENTS];
    struct model_thread threads[MODEL_SLOTS][MODEL_THREADS];
    uint32_t lines_ready[MODEL_FAILURES];
    char lines[MODEL_FAILURES][MODEL_LINE];
};

static inline uint64_t model_get(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_SEQ_CST);
}

/* Writes to an entry what replaces the expected; false, with what is there, if it is another. */
static inline int model_swap(uint64_t *entry, uint64_t *expected, uint64_t value)
{
    return __atomic_compare_exchange_n(entry, expected, value, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Says whether an entry that stands is true. */
static inline int model_is_true(const struct model *model, uint64_t entry)
{
    return entry &&
           __atomic_load_n(&model->states[ENTRY_PROCESS(entry)], __ATOMIC_SEQ_CST) == STATE_LIVING;
}

static inline void model_count(struct model *model, enum model_event event)
{
    __atomic_fetch_add(&model->events[event], 1, __ATOMIC_RELAXED);
}

/* Notes a failure; of very many, only that there was one more. */
static inline void model_report(struct model *model, const char *format, va_list args)
{
    uint32_t number = __atomic_fetch_add(&model->failures, 1, __ATOMIC_SEQ_CST);

    if (number >= MODEL_FAILURES) return;
    vsnprintf(model->lines[number], MODEL_LINE, format, args);
    __atomic_store_n(&model->lines_ready[number], 1, __ATOMIC_SEQ_CST);
}

static inline uint32_t model_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

/* A seed for each number, never 0. */
static inline uint32_t model_seed(uint32_t seed, uint32_t number)
{
    uint32_t value = seed * 2654435761u ^ number * 2246822519u;

    value ^= value >> 15;
    value *= 3266489917u;
    value ^= value >> 13;
    return value ? value : 1;
}

/* A port that is or was in a block: near by, or of those without a start port. */
static inline uint32_t model_pick_port(const struct model *model, uint32_t *random,
                                       unsigned int *protocol)
{
    uint32_t recent = model->recent[model_random(random) % MODEL_RECENT];

    if (recent && model_random(random) % 2)
    {
        *protocol = recent >> 16;
        return recent & 0xffff;
    }
    *protocol = model_random(random) % MODEL_PROTOCOLS;
    return REGION_FIRST + model_random(random) % (REGION_LAST - REGION_FIRST + 1);
}

#endif
