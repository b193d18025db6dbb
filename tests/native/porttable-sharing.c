/*
 * Tests of the port table's persistent ranges, shared by threads and by processes that die
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Users draw ports, return them, bind them by number, reclaim them and claim blocks, in the steps
 * of portpool; a holder makes and deletes ranges. The host is played by an array that says who uses
 * a port: it lets only one have it, so a bind that fails where the table gave the port away shows
 * that it was given to two. Everybody may die between any two steps; processes within them, too.
 *
 * Made twice, for ThreadSanitizer, with threads alone, and for the others.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/porttable.h"
#include "test.h"

#define USERS     5
#define HELD_MOST 6
#define PLACES    4
#define LIVES     (1 << 20)

/* Where ranges are made; their counts differ. On both sides of an edge between words of words, and
 * with words of hints in common. */
static const struct place
{
    uint16_t start;
    uint16_t most;
} places[PLACES] = {{4060, 30}, {4090, 2}, {4092, 9}, {4101, 40}};

#define BASE 4060
#define END  4141

/* What a user has of the host. */
struct held
{
    unsigned int protocol;
    uint16_t port;
    bool drawn; /* and not bound by number */
};

struct user
{
    pthread_t thread;
    pid_t process;
    jmp_buf dead;
    unsigned int seed;
    uint64_t self;
    struct held held[HELD_MOST];
    unsigned int held_count;
};

static struct shared
{
    struct port_table table;
    /* Who uses a port on the host, by number. */
    uint64_t host[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    /* The counts of the ranges that there should be, 0 for none; and their tokens. */
    uint32_t store[PORT_TABLE_PROTOCOLS][PLACES];
    uint64_t tokens[PORT_TABLE_PROTOCOLS][PLACES];
    uint64_t last_token;
    uint64_t lives;
    bool dead[LIVES];
    bool stop;
    unsigned long drawn, bound, reclaimed, claimed, made, died;
} * shared;

/* The holder is the last. */
static struct user users[USERS + 1];
static bool with_processes;

static void count_one(unsigned long *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool user_alive(uint64_t number)
{
    return !__atomic_load_n(&shared->dead[number], __ATOMIC_SEQ_CST);
}

static unsigned int user_random(struct user *user, unsigned int limit)
{
    return rand_r(&user->seed) % limit;
}

static bool should_stop(void)
{
    return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

/* Between two steps: lets others go first, or dies. */
static void pause_or_die(struct user *user)
{
    unsigned int choice = user_random(user, 600);

    if (choice < 60) sched_yield();
    /* Processes are killed instead. */
    if (choice == 599 && !with_processes) longjmp(user->dead, 1);
}

static bool host_bind(const struct user *user, unsigned int protocol, uint16_t port)
{
    uint64_t nobody = 0;

    return __atomic_compare_exchange_n(&shared->host[protocol][port], &nobody, user->self, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool host_uses(unsigned int protocol, uint16_t port)
{
    return __atomic_load_n(&shared->host[protocol][port], __ATOMIC_SEQ_CST);
}

static void host_close(const struct user *user, unsigned int protocol, uint16_t port)
{
    uint64_t who = __atomic_exchange_n(&shared->host[protocol][port], 0, __ATOMIC_SEQ_CST);

    if (who != user->self) ok(false, "%u was %lu's, not %lu's", port, who, user->self);
}

/* What the kernel does when a process ends. */
static void host_close_all(uint64_t number)
{
    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (uint32_t port = BASE; port < END; port++)
        {
            uint64_t who = number;

            __atomic_compare_exchange_n(&shared->host[protocol][port], &who, 0, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
    }
}

static void user_be_born(struct user *user)
{
    user->self = __atomic_add_fetch(&shared->lives, 1, __ATOMIC_RELAXED);
    user->held_count = 0;
    if (user->self < LIVES) return;
    printf("too many lives\n");
    exit(1);
}

static void user_bury(struct user *user, bool host_first)
{
    if (host_first) host_close_all(user->self);
    __atomic_store_n(&shared->dead[user->self], true, __ATOMIC_SEQ_CST);
    if (!host_first) host_close_all(user->self);
    count_one(&shared->died);
}

static void user_hold(struct user *user, unsigned int protocol, uint16_t port, bool drawn)
{
    user->held[user->held_count++] = (struct held){protocol, port, drawn};
}

static void user_lock(struct user *user, unsigned int protocol, uint16_t port)
{
    while (!port_table_try_lock(&shared->table, protocol, port, user->self, user_alive))
        sched_yield();
}

static uint64_t user_token(unsigned int protocol, unsigned int place)
{
    return __atomic_load_n(&shared->tokens[protocol][place], __ATOMIC_ACQUIRE);
}

/* Finds a range by its token; its count, 0 if it is gone. */
static uint32_t user_find(unsigned int protocol, uint64_t token)
{
    uint16_t start = 0, count = port_table_find_token(&shared->table, protocol, token, &start);

    if (count && (start != (token & 65535) || count != (token >> 16 & 255)))
        ok(false, "token %#lx means %u ports from %u", token, count, start);
    return count;
}

static void user_reclaim(struct user *user, unsigned int protocol, uint64_t token)
{
    uint32_t count = user_find(protocol, token);
    uint64_t noted[64];
    uint16_t start = token;
    bool used[64];

    for (uint32_t i = 0; i < count; i++)
        noted[i] = port_table_reclaimable(&shared->table, protocol, start + i, user_alive);
    pause_or_die(user);
    for (uint32_t i = 0; i < count; i++) used[i] = host_uses(protocol, start + i);
    pause_or_die(user);
    for (uint32_t i = 0; i < count; i++)
        if (noted[i] && !used[i] &&
            port_table_reclaim(&shared->table, protocol, start + i, noted[i]))
            count_one(&shared->reclaimed);
}

/* Binds a port that was drawn. */
static void user_bind_drawn(struct user *user, unsigned int protocol, uint64_t token, uint16_t port)
{
    pause_or_die(user);
    user_lock(user, protocol, port);
    pause_or_die(user);
    if (port_table_is_drawn(&shared->table, protocol, port, user->self))
    {
        pause_or_die(user);
        if (host_bind(user, protocol, port))
        {
            user_hold(user, protocol, port, true);
            count_one(&shared->drawn);
        }
        /* Otherwise the range was deleted since, and the port is somebody's block, or it was drawn
         * of a range that is not made after all, because the port is used. */
        else if (port_table_is_drawn(&shared->table, protocol, port, user->self) &&
                 user_find(protocol, token))
            ok(false, "%u was given to two", port);
        pause_or_die(user);
    }
    port_table_unlock(&shared->table, protocol, port, user->self);
}

static void user_draw(struct user *user, unsigned int protocol, unsigned int place)
{
    uint64_t token = user_token(protocol, place);
    uint32_t count = user_find(protocol, token);
    uint16_t start = token, port;

    pause_or_die(user);
    if (!count) return;
    if (!user_random(user, 4))
    {
        port = start + user_random(user, count);
        if (port_table_draw_exact_persistent(&shared->table, protocol, port, user->self))
            user_bind_drawn(user, protocol, token, port);
        return;
    }
    port = port_table_draw_persistent(&shared->table, protocol, start, count, user->self);
    if (!port)
        user_reclaim(user, protocol, token);
    else if (port < start || port >= start + count)
        ok(false, "drew %u from %u ports from %u", port, count, start);
    else
        user_bind_drawn(user, protocol, token, port);
}

/* Binds a port by number, without association. */
static void user_bind(struct user *user, unsigned int protocol, uint16_t port)
{
    user_lock(user, protocol, port);
    pause_or_die(user);
    if (port_table_make_uncertain(&shared->table, protocol, port))
    {
        pause_or_die(user);
        if (host_bind(user, protocol, port))
        {
            user_hold(user, protocol, port, false);
            count_one(&shared->bound);
        }
        pause_or_die(user);
    }
    port_table_unlock(&shared->table, protocol, port, user->self);
}

static void user_close(struct user *user)
{
    struct held *held = &user->held[user_random(user, user->held_count)], closed = *held;

    *held = user->held[--user->held_count];
    host_close(user, closed.protocol, closed.port);
    if (!closed.drawn) return;
    pause_or_die(user);
    port_table_return_persistent(&shared->table, closed.protocol, closed.port, user->self);
}

/* Has a block for a while, where no range is. */
static void user_acquire(struct user *user, unsigned int protocol)
{
    uint16_t start = BASE + user_random(user, END - BASE - 3), conflict, port;
    uint32_t count = 1 + user_random(user, 3), got = 0;

    if (!port_table_claim(&shared->table, protocol, start, count, user->self, user_alive,
                          &conflict))
        return;
    pause_or_die(user);
    while (got < count && host_bind(user, protocol, start + got)) got++;
    if (got == count)
    {
        count_one(&shared->claimed);
        pause_or_die(user);
        port = port_table_draw(&shared->table, protocol, start, count, user->self, 0);
        ok(port == start, "drew %u, not %u", port, start);
        pause_or_die(user);
    }
    while (got) host_close(user, protocol, start + --got);
    pause_or_die(user);
    port_table_free(&shared->table, protocol, start, count, user->self);
}

static void user_step(struct user *user)
{
    unsigned int choice = user_random(user, 100), protocol = user_random(user, 2);
    unsigned int place = user_random(user, PLACES);

    if (user->held_count == HELD_MOST || (user->held_count && choice < 40))
        user_close(user);
    else if (choice < 75)
        user_draw(user, protocol, place);
    else if (choice < 90)
        user_bind(user, protocol, BASE + user_random(user, END - BASE));
    else if (choice < 97)
        user_acquire(user, protocol);
    else
        user_reclaim(user, protocol, user_token(protocol, place));
}

/* Makes a range known, after the holder's death by the token that it had. */
static void holder_publish(unsigned int protocol, unsigned int place, uint32_t count)
{
    uint16_t start = places[place].start;
    uint64_t token = user_token(protocol, place);

    if (!token)
    {
        token = __atomic_add_fetch(&shared->last_token, 1, __ATOMIC_RELAXED);
        token = token << 24 | count << 16 | start;
        __atomic_store_n(&shared->tokens[protocol][place], token, __ATOMIC_RELEASE);
    }
    port_table_publish(&shared->table, protocol, start, count, token);
}

/* A token is forgotten once it is withdrawn. Until then, the store says that it is void. */
static void holder_drop(unsigned int protocol, unsigned int place)
{
    uint16_t start = places[place].start;

    port_table_withdraw(&shared->table, protocol, start);
    __atomic_store_n(&shared->tokens[protocol][place], 0, __ATOMIC_RELEASE);
    port_table_free_persistent(&shared->table, protocol, start, places[place].most);
}

static void holder_delete(struct user *holder, unsigned int protocol, unsigned int place)
{
    __atomic_store_n(&shared->store[protocol][place], 0, __ATOMIC_SEQ_CST);
    pause_or_die(holder);
    holder_drop(protocol, place);
}

static void holder_create(struct user *holder, unsigned int protocol, unsigned int place)
{
    uint16_t start = places[place].start, conflict;
    uint32_t count = 1 + user_random(holder, places[place].most), i;

    if (!port_table_claim_persistent(&shared->table, protocol, start, count, user_alive, &conflict))
        return;
    pause_or_die(holder);
    /* Whoever was about to bind a port of an earlier range has done so, or sees that it is gone. */
    for (i = 0; i < count; i++)
    {
        user_lock(holder, protocol, start + i);
        port_table_unlock(&shared->table, protocol, start + i, holder->self);
    }
    for (i = 0; i < count && !host_uses(protocol, start + i); i++) continue;
    pause_or_die(holder);
    if (i < count)
    {
        port_table_free_persistent(&shared->table, protocol, start, count);
        return;
    }
    __atomic_store_n(&shared->store[protocol][place], count, __ATOMIC_SEQ_CST);
    pause_or_die(holder);
    holder_publish(protocol, place, count);
    count_one(&shared->made);
}

/* After an earlier holder's death: makes the table match the store. */
static void holder_start(void)
{
    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (unsigned int place = 0; place < PLACES; place++)
        {
            uint32_t count = __atomic_load_n(&shared->store[protocol][place], __ATOMIC_SEQ_CST);
            uint16_t start = places[place].start, conflict = 0;

            if (count)
            {
                ok(port_table_claim_persistent(&shared->table, protocol, start, count, user_alive,
                                               &conflict),
                   "%u of a stored range is another's", conflict);
                holder_publish(protocol, place, count);
                continue;
            }
            holder_drop(protocol, place);
        }
    }
}

static void holder_step(struct user *holder)
{
    unsigned int protocol = user_random(holder, 2), place = user_random(holder, PLACES);

    sched_yield();
    if (!__atomic_load_n(&shared->store[protocol][place], __ATOMIC_SEQ_CST))
        holder_create(holder, protocol, place);
    else if (!user_random(holder, 8))
        holder_delete(holder, protocol, place);
    pause_or_die(holder);
}

static void user_live(struct user *user)
{
    bool holder = user == &users[USERS];

    if (holder) holder_start();
    while (!should_stop())
    {
        if (holder)
            holder_step(user);
        else
            user_step(user);
    }
}

static void *user_thread(void *context)
{
    struct user *user = context;

    user_be_born(user);
    if (setjmp(user->dead))
    {
        user_bury(user, user_random(user, 2));
        user_be_born(user);
    }
    user_live(user);
    user_bury(user, true);
    return NULL;
}

/* All users are dead: by now every range is whole, and nothing else is left. */
static void check_range(const struct user *heir, unsigned int protocol, unsigned int place)
{
    uint32_t count = shared->store[protocol][place], drawn = 0;
    uint16_t start = places[place].start, port;
    bool seen[64] = {false};

    for (uint32_t i = 0; i < count; i++)
    {
        uint64_t noted = port_table_reclaimable(&shared->table, protocol, start + i, user_alive);

        if (noted) port_table_reclaim(&shared->table, protocol, start + i, noted);
        ok(!host_uses(protocol, start + i), "%u is still used", start + i);
    }
    if (!count) return;
    ok(user_find(protocol, user_token(protocol, place)) == count, "the range at %u is not known",
       start);
    while ((port = port_table_draw_persistent(&shared->table, protocol, start, count, heir->self)))
    {
        if (port < start || port >= start + count || seen[port - start]) break;
        seen[port - start] = true;
        drawn++;
    }
    ok(!port && drawn == count, "%u of %u ports from %u could be drawn, then %u", drawn, count,
       start, port);
    port_table_free_persistent(&shared->table, protocol, start, count);
}

static void check_end(void)
{
    struct user heir = {.self = 0};
    uint16_t conflict = 0;

    user_be_born(&heir);
    holder_start();
    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (unsigned int place = 0; place < PLACES; place++) check_range(&heir, protocol, place);
        ok(port_table_claim(&shared->table, protocol, BASE, END - BASE, heir.self, user_alive,
                            &conflict),
           "%u was left behind", conflict);
    }
    printf(
        "%s: %lu drawn, %lu bound by number, %lu reclaimed, %lu blocks, %lu ranges, %lu deaths\n",
        test_name, shared->drawn, shared->bound, shared->reclaimed, shared->claimed, shared->made,
        shared->died);
    ok(shared->drawn && shared->bound && shared->reclaimed && shared->claimed && shared->made &&
           shared->died,
       "something never came off");
}

/* Nobody died within a function of the table: its hints are what they should be. */
static void check_hints(void)
{
    const struct port_table *table = &shared->table;

    for (unsigned int protocol = 0; protocol < PORT_TABLE_PROTOCOLS; protocol++)
    {
        for (uint32_t port = BASE; port < END; port++)
        {
            unsigned int word = port / 64;

            if (table->entries[protocol][port] != PORT_PERSISTENT) continue;
            ok(table->idle[protocol][word] >> port % 64 & 1, "%u is idle, without hint", port);
            ok(table->idle_words[protocol][word / 64] >> word % 64 & 1,
               "%u is idle, without its word's hint", port);
        }
    }
}

/* Lets time pass until so many ports have been drawn. */
static bool wait_for(unsigned long rounds)
{
    usleep(1000);
    return __atomic_load_n(&shared->drawn, __ATOMIC_RELAXED) >= rounds;
}

static void test_threads(unsigned long rounds)
{
    memset(shared, 0, sizeof(*shared));
    with_processes = false;
    for (int i = 0; i <= USERS; i++)
    {
        users[i].seed = random();
        if (!pthread_create(&users[i].thread, NULL, user_thread, &users[i])) continue;
        perror("pthread_create");
        exit(1);
    }
    while (!wait_for(rounds)) continue;
    __atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i <= USERS; i++) pthread_join(users[i].thread, NULL);
    check_hints();
    check_end();
}

/* Two threads that do nothing but get in each other's way, at one port. */
#define RACE_PORT 4100

static void race(void *(*one)(void *), void *(*other)(void *), unsigned long rounds)
{
    void *(*const functions[])(void *) = {one, other};
    uint16_t conflict;

    memset(shared, 0, sizeof(*shared));
    with_processes = false;
    port_table_claim_persistent(&shared->table, 0, RACE_PORT, 1, user_alive, &conflict);
    for (int i = 0; i < 2; i++)
    {
        users[i].seed = random();
        user_be_born(&users[i]);
        if (!pthread_create(&users[i].thread, NULL, functions[i], &rounds)) continue;
        perror("pthread_create");
        exit(1);
    }
    pthread_join(users[0].thread, NULL);
    __atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
    pthread_join(users[1].thread, NULL);
}

/* A range is made and deleted, while its port is made uncertain: that must not bring it back. */
static void *race_delete(void *context)
{
    unsigned long *rounds = context;
    uint64_t owner;
    uint16_t conflict;

    for (unsigned long i = 0; i < *rounds; i++)
    {
        port_table_free_persistent(&shared->table, 0, RACE_PORT, 1);
        if (!ok(port_table_lookup(&shared->table, 0, RACE_PORT, &owner) == PORT_FREE,
                "deleted, and persistent"))
            break;
        port_table_claim_persistent(&shared->table, 0, RACE_PORT, 1, user_alive, &conflict);
    }
    return NULL;
}

static void *race_uncertain(void *context)
{
    (void)context;
    while (!should_stop()) port_table_make_uncertain(&shared->table, 0, RACE_PORT);
    return NULL;
}

/* The port is bound by number, while it is reclaimed: while it is used, it is not idle. */
static void *race_bind(void *context)
{
    unsigned long *rounds = context;
    struct user *user = &users[0];

    for (unsigned long i = 0; i < *rounds; i++)
    {
        user_lock(user, 0, RACE_PORT);
        port_table_make_uncertain(&shared->table, 0, RACE_PORT);
        for (unsigned int wait = user_random(user, 50); wait; wait--) should_stop();
        host_bind(user, 0, RACE_PORT);
        for (unsigned int wait = user_random(user, 50); wait; wait--) should_stop();
        if (!ok(!port_table_draw_exact_persistent(&shared->table, 0, RACE_PORT, user->self),
                "reclaimed, and used"))
            break;
        port_table_unlock(&shared->table, 0, RACE_PORT, user->self);
        host_close(user, 0, RACE_PORT);
        for (unsigned int wait = user_random(user, 50); wait; wait--) should_stop();
    }
    return NULL;
}

static void *race_reclaim(void *context)
{
    uint64_t noted;

    (void)context;
    while (!should_stop())
    {
        noted = port_table_reclaimable(&shared->table, 0, RACE_PORT, user_alive);
        if (noted && !host_uses(0, RACE_PORT))
            port_table_reclaim(&shared->table, 0, RACE_PORT, noted);
    }
    return NULL;
}

/* Ranges of all counts follow each other at one start, while tokens are looked up. */
static void *race_publish(void *context)
{
    unsigned long *rounds = context;

    /* On a busy machine those who look may not have begun when all rounds are over. */
    for (uint64_t i = 1; i <= *rounds || (i <= 1000 * *rounds &&
                                          !__atomic_load_n(&shared->drawn, __ATOMIC_RELAXED));
         i++)
    {
        uint64_t count = 1 + i % 200, token = i << 24 | count << 16 | RACE_PORT;

        __atomic_store_n(&shared->tokens[0][0], token, __ATOMIC_RELEASE);
        port_table_publish(&shared->table, 0, RACE_PORT, count, token);
        if (i % 3 == 0) port_table_withdraw(&shared->table, 0, RACE_PORT);
    }
    return NULL;
}

static void *race_find(void *context)
{
    (void)context;
    while (!should_stop())
        if (user_find(0, user_token(0, 0))) count_one(&shared->drawn);
    ok(shared->drawn, "no token was found");
    return NULL;
}

#ifndef __SANITIZE_THREAD__

static void process_start(struct user *user)
{
    user_be_born(user);
    user->seed = random();
    if ((user->process = fork()))
    {
        if (user->process != -1) return;
        perror("fork");
        exit(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    user_live(user);
    _exit(0);
}

static void process_kill(struct user *user)
{
    int status = 0;

    kill(user->process, SIGKILL);
    ok(waitpid(user->process, &status, 0) == user->process && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL,
       "a process ended by itself, status %#x", status);
    user_bury(user, random() % 2);
}

static void test_processes(unsigned long rounds)
{
    memset(shared, 0, sizeof(*shared));
    with_processes = true;
    for (int i = 0; i <= USERS; i++) process_start(&users[i]);
    while (!wait_for(rounds))
    {
        struct user *user = &users[random() % (USERS + 1)];

        process_kill(user);
        process_start(user);
    }
    for (int i = 0; i <= USERS; i++) process_kill(&users[i]);
    check_end();
}

#endif

int main(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 100000);

#ifdef __SANITIZE_THREAD__
    test_start("porttable-sharing-tsan");
#else
    test_start("porttable-sharing");
#endif
    test_seed();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
    {
        perror("mmap");
        return 1;
    }
    race(race_delete, race_uncertain, rounds * 5);
    race(race_bind, race_reclaim, rounds * 5);
    race(race_publish, race_find, rounds * 20);
    test_threads(rounds);
#ifndef __SANITIZE_THREAD__
    test_processes(rounds);
#endif
    munmap(shared, sizeof(*shared));
    return test_end();
}
