/*
 * The port table
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "porttable.h"

#define ENTRY_KIND        UINT64_C(3)
#define ENTRY_DRAWN       UINT64_C(4)
#define ENTRY_UNCERTAIN   UINT64_C(8) /* of a persistent port */
#define ENTRY_FIRST       UINT64_C(8) /* of a runtime one */
#define ENTRY_OWNER_SHIFT 4

/* An idle port of a persistent range. */
#define ENTRY_PERSISTENT entry_make(PORT_PERSISTENT, 0)

static uint64_t entry_make(enum port_kind kind, uint64_t owner)
{
    return kind | owner << ENTRY_OWNER_SHIFT;
}

static enum port_kind entry_kind(uint64_t entry)
{
    return (enum port_kind)(entry & ENTRY_KIND);
}

static uint64_t entry_owner(uint64_t entry)
{
    return entry >> ENTRY_OWNER_SHIFT;
}

static uint64_t entry_load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

/* Says whether the port may be drawn by those who know its block. */
static bool entry_is_idle(uint64_t entry)
{
    return entry_kind(entry) == PORT_RUNTIME ? !(entry & ENTRY_DRAWN) : entry == ENTRY_PERSISTENT;
}

static uint64_t entry_drawn(uint64_t drawer)
{
    return entry_make(PORT_PERSISTENT, drawer) | ENTRY_DRAWN;
}

static bool entry_change(uint64_t *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(entry, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Says that a port may be drawn. The word's bit is set last, and cleared only by someone who then
 * looks at the word again: a set bit of a port is never hidden for good. */
static void idle_set(struct port_table *table, unsigned int protocol, uint16_t port)
{
    unsigned int word = port / 64;

    __atomic_fetch_or(&table->idle[protocol][word], UINT64_C(1) << port % 64, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&table->idle_words[protocol][word / 64], UINT64_C(1) << word % 64,
                      __ATOMIC_SEQ_CST);
}

static void idle_clear(struct port_table *table, unsigned int protocol, uint16_t port)
{
    unsigned int word = port / 64;
    uint64_t *ports = &table->idle[protocol][word];
    uint64_t *words = &table->idle_words[protocol][word / 64], bit = UINT64_C(1) << word % 64;

    if (__atomic_and_fetch(ports, ~(UINT64_C(1) << port % 64), __ATOMIC_SEQ_CST)) return;
    __atomic_fetch_and(words, ~bit, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(ports, __ATOMIC_SEQ_CST)) __atomic_fetch_or(words, bit, __ATOMIC_SEQ_CST);
}

/* Says that a port may not be drawn any more, unless it has come back meanwhile. Whoever brings it
 * back changes its entry first. */
static void idle_forget(struct port_table *table, unsigned int protocol, uint16_t port)
{
    idle_clear(table, protocol, port);
    if (entry_is_idle(entry_load(&table->entries[protocol][port]))) idle_set(table, protocol, port);
}

/* The bits first to last of a word. */
static uint64_t bits_between(unsigned int first, unsigned int last)
{
    return (~UINT64_C(0) << first) & (~UINT64_C(0) >> (63 - last));
}

static unsigned int lowest_bit(uint64_t word)
{
    return __builtin_ctzll(word);
}

/* Finds a set bit from first to last in a word; -1 if there is none. */
static int idle_find_in_word(const struct port_table *table, unsigned int protocol,
                             unsigned int word, uint32_t first, uint32_t last)
{
    uint64_t bits = __atomic_load_n(&table->idle[protocol][word], __ATOMIC_SEQ_CST);

    bits &= bits_between(first > word * 64 ? first - word * 64 : 0,
                         last < word * 64 + 63 ? last - word * 64 : 63);
    return bits ? (int)(word * 64 + lowest_bit(bits)) : -1;
}

/* Finds the lowest port from first to last that may be drawn; -1 if there is none. At most 16
 * words of words are read, however many ports there are. */
static int idle_find(const struct port_table *table, unsigned int protocol, uint32_t first,
                     uint32_t last)
{
    unsigned int first_word = first / 64, last_word = last / 64, word, i;
    int port = idle_find_in_word(table, protocol, first_word, first, last);

    if (port != -1 || first_word == last_word) return port;
    for (i = (first_word + 1) / 64; i <= last_word / 64; i++)
    {
        uint64_t words = __atomic_load_n(&table->idle_words[protocol][i], __ATOMIC_SEQ_CST);

        words &= bits_between(first_word + 1 > i * 64 ? first_word + 1 - i * 64 : 0,
                              last_word < i * 64 + 63 ? last_word - i * 64 : 63);
        for (; words; words &= words - 1)
        {
            word = i * 64 + lowest_bit(words);
            if ((port = idle_find_in_word(table, protocol, word, first, last)) != -1) return port;
        }
    }
    return -1;
}

/* Says whether an entry is in the way of somebody who claims the port or binds it by number. */
static bool entry_is_taken(uint64_t entry, port_owner_alive alive)
{
    switch (entry_kind(entry))
    {
    case PORT_FREE:
        return false;
    case PORT_PERSISTENT:
        return true;
    case PORT_RUNTIME:
    case PORT_BINDING:
        break;
    }
    return alive(entry_owner(entry));
}

/* Gives a port that is free, or whose owner is dead, this entry. */
static bool claim_port(uint64_t *entry, uint64_t claimed, port_owner_alive alive)
{
    for (;;)
    {
        uint64_t old = entry_load(entry);

        if (entry_is_taken(old, alive)) return false;
        if (entry_change(entry, old, claimed)) return true;
    }
}

bool port_table_claim(struct port_table *table, unsigned int protocol, uint16_t start,
                      uint32_t count, uint64_t owner, port_owner_alive alive, uint16_t *conflict)
{
    for (uint32_t i = 0; i < count; i++)
    {
        if (!claim_port(&table->entries[protocol][start + i], entry_make(PORT_RUNTIME, owner),
                        alive))
        {
            port_table_free(table, protocol, start, i, owner);
            *conflict = start + i;
            return false;
        }
        idle_set(table, protocol, start + i);
    }
    return true;
}

void port_table_free(struct port_table *table, unsigned int protocol, uint16_t start,
                     uint32_t count, uint64_t owner)
{
    for (uint32_t i = 0; i < count; i++)
    {
        uint64_t *entry = &table->entries[protocol][start + i], old = entry_load(entry);

        if (entry_kind(old) != PORT_RUNTIME || entry_owner(old) != owner) continue;
        /* The hint first: once the entry is free, the port may become another block's. */
        idle_clear(table, protocol, start + i);
        while (!entry_change(entry, old, entry_make(PORT_FREE, 0))) old = entry_load(entry);
    }
}

void port_table_publish_block(struct port_table *table, unsigned int protocol, uint16_t start,
                              uint16_t count, uint64_t owner)
{
    uint64_t first = entry_make(PORT_RUNTIME, owner);

    /* Whoever sees that a block begins there sees its count, too. */
    __atomic_store_n(&table->counts[protocol][start], count, __ATOMIC_RELEASE);
    entry_change(&table->entries[protocol][start], first, first | ENTRY_FIRST);
}

/* How many ports the range or block has that is published at a port. One that is impossible was
 * written by somebody else than us: then there is none. */
static uint16_t published_count(const struct port_table *table, unsigned int protocol,
                                uint16_t start)
{
    uint16_t count = __atomic_load_n(&table->counts[protocol][start], __ATOMIC_ACQUIRE);

    return start && start + count <= PORT_TABLE_PORTS ? count : 0;
}

/* Says whether a published block begins at a port with this entry. */
static bool entry_begins_block(uint64_t entry)
{
    return entry_kind(entry) == PORT_RUNTIME && entry & ENTRY_FIRST;
}

uint16_t port_table_find_block(const struct port_table *table, unsigned int protocol,
                               uint16_t start, uint64_t *owner)
{
    const uint64_t *entry = &table->entries[protocol][start];
    uint64_t old = entry_load(entry), now;
    uint16_t count;

    if (!entry_begins_block(old)) return 0;
    *owner = entry_owner(old);
    count = published_count(table, protocol, start);
    now = entry_load(entry);
    /* If that was another block's count already, this one is gone by now. */
    return entry_begins_block(now) && entry_owner(now) == *owner ? count : 0;
}

/* What a port's entry is before it is drawn, and after. */
struct drawing
{
    uint64_t idle;
    uint64_t drawn;
};

/* What the first port of a block has beside that, both times. */
static uint64_t drawing_mark(struct drawing drawing)
{
    return entry_kind(drawing.idle) == PORT_RUNTIME ? ENTRY_FIRST : 0;
}

static struct drawing drawing_runtime(uint64_t owner)
{
    uint64_t idle = entry_make(PORT_RUNTIME, owner);

    return (struct drawing){idle, idle | ENTRY_DRAWN};
}

static struct drawing drawing_persistent(uint64_t drawer)
{
    return (struct drawing){ENTRY_PERSISTENT, entry_drawn(drawer)};
}

/* Nearly no port is the first of its block: that is tried last. */
static bool drawing_change(uint64_t *entry, uint64_t from, uint64_t to, struct drawing drawing)
{
    uint64_t mark = drawing_mark(drawing);

    if (entry_change(entry, from, to)) return true;
    return mark && entry_change(entry, from | mark, to | mark);
}

/* Sets the hints of the ports from first to last that may be drawn; false if there are none. */
static bool idle_mend(struct port_table *table, unsigned int protocol, uint32_t first,
                      uint32_t last, struct drawing drawing)
{
    uint64_t mark = drawing_mark(drawing);
    bool found = false;

    for (uint32_t port = first; port <= last; port++)
    {
        if ((entry_load(&table->entries[protocol][port]) & ~mark) != drawing.idle) continue;
        idle_set(table, protocol, port);
        found = true;
    }
    return found;
}

static bool draw_port(struct port_table *table, unsigned int protocol, uint16_t port,
                      struct drawing drawing)
{
    if (!drawing_change(&table->entries[protocol][port], drawing.idle, drawing.drawn, drawing))
        return false;
    idle_forget(table, protocol, port);
    return true;
}

/* Tries the ports from first to last that may be idle. */
static uint16_t draw_between(struct port_table *table, unsigned int protocol, uint32_t first,
                             uint32_t last, struct drawing drawing)
{
    int port;

    while (first <= last && (port = idle_find(table, protocol, first, last)) != -1)
    {
        if (draw_port(table, protocol, port, drawing)) return port;
        /* Drawn by number since, and its hint not cleared yet; or idle, but another's since the
         * block was freed: go past it. */
        idle_forget(table, protocol, port);
        first = port + 1u;
    }
    return 0;
}

static uint16_t draw_after(struct port_table *table, unsigned int protocol, uint32_t start,
                           uint32_t end, struct drawing drawing, uint16_t after)
{
    uint16_t port;

    if (after < start || after >= end) return draw_between(table, protocol, start, end, drawing);
    if ((port = draw_between(table, protocol, after + 1u, end, drawing))) return port;
    return draw_between(table, protocol, start, after, drawing);
}

static uint16_t draw(struct port_table *table, unsigned int protocol, uint16_t start,
                     uint32_t count, struct drawing drawing, uint16_t after)
{
    uint32_t end = start + count - 1;
    uint64_t *returned = &table->returned[protocol], before, now;
    uint16_t port;

    now = __atomic_load_n(returned, __ATOMIC_SEQ_CST);
    do
    {
        before = now;
        if ((port = draw_after(table, protocol, start, end, drawing, after))) return port;
        now = __atomic_load_n(returned, __ATOMIC_SEQ_CST);
        /* A process that dies at the wrong instant leaves the hint of an idle port cleared: look at
         * the entries before saying that there is none. */
    } while (now != before || idle_mend(table, protocol, start, end, drawing));
    return 0;
}

uint16_t port_table_draw(struct port_table *table, unsigned int protocol, uint16_t start,
                         uint32_t count, uint64_t owner, uint16_t after)
{
    return draw(table, protocol, start, count, drawing_runtime(owner), after);
}

bool port_table_draw_exact(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner)
{
    return draw_port(table, protocol, port, drawing_runtime(owner));
}

static void return_port(struct port_table *table, unsigned int protocol, uint16_t port,
                        struct drawing drawing)
{
    if (!drawing_change(&table->entries[protocol][port], drawing.drawn, drawing.idle, drawing))
        return;
    idle_set(table, protocol, port);
    __atomic_fetch_add(&table->returned[protocol], 1, __ATOMIC_SEQ_CST);
}

void port_table_return(struct port_table *table, unsigned int protocol, uint16_t port,
                       uint64_t owner)
{
    return_port(table, protocol, port, drawing_runtime(owner));
}

enum port_kind port_table_lookup(const struct port_table *table, unsigned int protocol,
                                 uint16_t port, uint64_t *owner)
{
    uint64_t entry = entry_load(&table->entries[protocol][port]);

    *owner = entry_kind(entry) == PORT_PERSISTENT ? 0 : entry_owner(entry);
    return entry_kind(entry);
}

bool port_table_is_idle(const struct port_table *table, unsigned int protocol, uint16_t port)
{
    return entry_is_idle(entry_load(&table->entries[protocol][port]));
}

bool port_table_begin_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner, port_owner_alive alive, bool *kept)
{
    uint64_t *entry = &table->entries[protocol][port];

    for (;;)
    {
        uint64_t old = entry_load(entry);

        *kept = false;
        if (entry_is_taken(old, alive)) return entry_kind(old) == PORT_BINDING;
        if (entry_change(entry, old, entry_make(PORT_BINDING, owner))) break;
    }
    return *kept = true;
}

void port_table_end_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t owner)
{
    entry_change(&table->entries[protocol][port], entry_make(PORT_BINDING, owner),
                 entry_make(PORT_FREE, 0));
}

/* Makes ports free again of which some bits say that they are persistent since just now. */
static void claim_undo(struct port_table *table, unsigned int protocol, const uint64_t *made)
{
    for (uint32_t port = 0; port < PORT_TABLE_PORTS; port++)
        if (made[port / 64] >> port % 64 & 1) port_table_free_persistent(table, protocol, port, 1);
}

bool port_table_claim_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                 uint32_t count, port_owner_alive alive, uint16_t *conflict)
{
    uint64_t made[PORT_TABLE_PORTS / 64] = {0};

    for (uint32_t port = start; port < start + count; port++)
    {
        uint64_t *entry = &table->entries[protocol][port];

        /* Nobody but the holder makes a port persistent, or ends that. */
        if (entry_kind(entry_load(entry)) == PORT_PERSISTENT) continue;
        if (!claim_port(entry, ENTRY_PERSISTENT, alive))
        {
            claim_undo(table, protocol, made);
            *conflict = port;
            return false;
        }
        made[port / 64] |= UINT64_C(1) << port % 64;
        idle_set(table, protocol, port);
    }
    return true;
}

void port_table_free_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                uint32_t count)
{
    for (uint32_t port = start; port < start + count; port++)
    {
        uint64_t *entry = &table->entries[protocol][port], old = entry_load(entry);

        if (entry_kind(old) != PORT_PERSISTENT) continue;
        /* The hint first, as in port_table_free. */
        idle_clear(table, protocol, port);
        while (!entry_change(entry, old, entry_make(PORT_FREE, 0))) old = entry_load(entry);
    }
}

void port_table_publish(struct port_table *table, unsigned int protocol, uint16_t start,
                        uint16_t count, uint64_t token)
{
    /* A token never stands for another count than it did, not even for an instant. */
    if (__atomic_load_n(&table->tokens[protocol][start], __ATOMIC_RELAXED) != token)
        port_table_withdraw(table, protocol, start);
    __atomic_store_n(&table->counts[protocol][start], count, __ATOMIC_RELEASE);
    __atomic_store_n(&table->tokens[protocol][start], token, __ATOMIC_RELEASE);
}

void port_table_withdraw(struct port_table *table, unsigned int protocol, uint16_t start)
{
    __atomic_store_n(&table->tokens[protocol][start], 0, __ATOMIC_RELEASE);
}

uint16_t port_table_find_token(const struct port_table *table, unsigned int protocol,
                               uint64_t token, uint16_t *start)
{
    const uint64_t *published;
    uint16_t count;

    *start = token;
    published = &table->tokens[protocol][*start];
    if (__atomic_load_n(published, __ATOMIC_ACQUIRE) != token) return 0;
    count = published_count(table, protocol, *start);
    /* If that was the next range's count already, the token is gone by now. */
    return __atomic_load_n(published, __ATOMIC_ACQUIRE) == token ? count : 0;
}

uint16_t port_table_draw_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                    uint32_t count, uint64_t drawer)
{
    uint16_t *last = &table->last_drawn[protocol][start], port;

    /* A port that was just given back is drawn last: its peers may still send to it. */
    port = draw(table, protocol, start, count, drawing_persistent(drawer),
                __atomic_load_n(last, __ATOMIC_RELAXED));
    if (port) __atomic_store_n(last, port, __ATOMIC_RELAXED);
    return port;
}

bool port_table_draw_exact_persistent(struct port_table *table, unsigned int protocol,
                                      uint16_t port, uint64_t drawer)
{
    return draw_port(table, protocol, port, drawing_persistent(drawer));
}

bool port_table_is_drawn(const struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t drawer)
{
    return entry_load(&table->entries[protocol][port]) == entry_drawn(drawer);
}

void port_table_return_persistent(struct port_table *table, unsigned int protocol, uint16_t port,
                                  uint64_t drawer)
{
    return_port(table, protocol, port, drawing_persistent(drawer));
}

bool port_table_make_uncertain(struct port_table *table, unsigned int protocol, uint16_t port)
{
    uint64_t *entry = &table->entries[protocol][port], old = entry_load(entry), mark;

    if (entry_kind(old) != PORT_PERSISTENT) return false;
    mark = entry_make(PORT_PERSISTENT, __atomic_add_fetch(&table->marks, 1, __ATOMIC_RELAXED));
    while (!entry_change(entry, old, mark | ENTRY_UNCERTAIN))
    {
        old = entry_load(entry);
        if (entry_kind(old) != PORT_PERSISTENT) return false;
    }
    if (entry_is_idle(old)) idle_forget(table, protocol, port);
    return true;
}

static unsigned int lock_number(unsigned int protocol, uint16_t port)
{
    return (port + protocol * PORT_TABLE_LOCKS / PORT_TABLE_PROTOCOLS) % PORT_TABLE_LOCKS;
}

uint64_t port_table_reclaimable(const struct port_table *table, unsigned int protocol,
                                uint16_t port, port_owner_alive alive)
{
    uint64_t entry = entry_load(&table->entries[protocol][port]), locker;

    if (entry_kind(entry) != PORT_PERSISTENT || entry_is_idle(entry)) return 0;
    if (entry & ENTRY_DRAWN && alive(entry_owner(entry))) return 0;
    /* After the entry: who makes it uncertain has the lock before, and until the port is bound. */
    locker = entry_load(&table->locks[lock_number(protocol, port)]);
    return locker && alive(locker) ? 0 : entry;
}

bool port_table_reclaim(struct port_table *table, unsigned int protocol, uint16_t port,
                        uint64_t noted)
{
    if (!entry_change(&table->entries[protocol][port], noted, ENTRY_PERSISTENT)) return false;
    idle_set(table, protocol, port);
    __atomic_fetch_add(&table->returned[protocol], 1, __ATOMIC_SEQ_CST);
    return true;
}

bool port_table_try_lock(struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t owner, port_owner_alive alive)
{
    uint64_t *lock = &table->locks[lock_number(protocol, port)], locker = entry_load(lock);

    if (locker && alive(locker)) return false;
    return entry_change(lock, locker, owner);
}

void port_table_unlock(struct port_table *table, unsigned int protocol, uint16_t port,
                       uint64_t owner)
{
    entry_change(&table->locks[lock_number(protocol, port)], owner, 0);
}
