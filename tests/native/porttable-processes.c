/*
 * Tests of the port table, shared by processes that are killed
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/porttable.h"
#include "test.h"

#define CHILD  1
#define PARENT 2
#define HEIR   3

/* Two blocks that share words of hints. */
#define START        4070
#define PARENT_START 4110
#define END          4140
#define PARENT_COUNT (END - PARENT_START)

static struct shared
{
    struct port_table table;
    unsigned long child_steps;
} * shared;
static bool child_dead;

static bool owner_alive(uint64_t owner)
{
    return owner != CHILD || !child_dead;
}

/* One step of a process that always has some ports drawn and some not. */
static bool step(uint16_t start, uint32_t count, uint64_t owner, bool *held)
{
    uint16_t port = start + random() % count;

    if (held[port])
    {
        held[port] = false;
        port_table_return(&shared->table, 0, port, owner);
        return true;
    }
    if (!(port = port_table_draw(&shared->table, 0, start, count, owner, port))) return true;
    if (port < start || port >= start + count || held[port]) return false;
    return held[port] = true;
}

/* Claims, draws, returns and frees until it is killed. */
static void child_main(void)
{
    static bool held[PORT_TABLE_PORTS];
    const uint32_t count = PARENT_START - START;
    uint16_t conflict;

    for (;;)
    {
        if (!port_table_claim(&shared->table, 0, START, count, CHILD, owner_alive, &conflict))
            _exit(1);
        for (unsigned int i = 0; i < 200; i++)
        {
            if (!step(START, count, CHILD, held)) _exit(2);
            __atomic_fetch_add(&shared->child_steps, 1, __ATOMIC_RELAXED);
        }
        port_table_free(&shared->table, 0, START, count, CHILD);
        memset(held, 0, sizeof(held));
    }
}

static pid_t child_start(void)
{
    pid_t child;

    child_dead = false;
    shared->child_steps = 0;
    if ((child = fork()))
    {
        if (child != -1) return child;
        perror("fork");
        exit(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    srandom(random());
    child_main();
    _exit(3);
}

static void check_all_idle(uint16_t start, uint32_t count, uint64_t owner)
{
    bool *drawn = calloc(PORT_TABLE_PORTS, sizeof(*drawn));
    uint32_t total = 0;
    uint16_t port = 0;

    while ((port = port_table_draw(&shared->table, 0, start, count, owner, port)))
    {
        if (port < start || port >= start + count || drawn[port]) break;
        drawn[port] = true;
        total++;
    }
    ok(!port && total == count, "%u of %u ports from %u could be drawn, then %u", total, count,
       start, port);
    free(drawn);
}

/* Kills a child in the middle of its work, while we do ours beside it. */
static void test_kill(void)
{
    static bool held[PORT_TABLE_PORTS];
    unsigned long steps = 500 + random() % 1000, faults = 0;
    uint16_t conflict = 0;
    unsigned int i;
    pid_t child;
    int status;

    memset(shared, 0, sizeof(*shared));
    memset(held, 0, sizeof(held));
    ok(port_table_claim(&shared->table, 0, PARENT_START, PARENT_COUNT, PARENT, owner_alive,
                        &conflict),
       "conflict at %u", conflict);
    child = child_start();
    while (__atomic_load_n(&shared->child_steps, __ATOMIC_RELAXED) < steps)
    {
        faults += !step(PARENT_START, PARENT_COUNT, PARENT, held);
        if (waitpid(child, &status, WNOHANG) == child)
        {
            ok(false, "the child ended by itself, status %#x", status);
            return;
        }
    }
    kill(child, SIGKILL);
    ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
       "the child was not killed, status %#x", status);
    child_dead = true;

    /* Ours is untouched … */
    for (i = 0; i < 200; i++) faults += !step(PARENT_START, PARENT_COUNT, PARENT, held);
    ok(!faults, "%lu times drew what is not ours to draw", faults);
    for (i = PARENT_START; i < END; i++)
        if (held[i]) port_table_return(&shared->table, 0, i, PARENT);
    check_all_idle(PARENT_START, PARENT_COUNT, PARENT);
    /* … and the dead one's, in whatever state, can be had again. */
    ok(port_table_claim(&shared->table, 0, START, PARENT_START - START, HEIR, owner_alive,
                        &conflict),
       "conflict at %u", conflict);
    check_all_idle(START, PARENT_START - START, HEIR);
}

int main(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 100);

    test_start("porttable-processes");
    test_seed();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
    {
        perror("mmap");
        return 1;
    }
    while (rounds--) test_kill();
    munmap(shared, sizeof(*shared));
    return test_end();
}
