/*
 * The port table
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "porttable.h"

#define ENTRY_KIND        UINT64_C(3)
#define ENTRY_DRAWN       UINT64_C(4)
#define ENTRY_OWNER_SHIFT 4

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

/* The same without the bits of words. */
static int idle_find_slowly(const struct port_table *table, unsigned int protocol, uint32_t first,
                            uint32_t last)
{
    int port = -1;

    for (unsigned int word = first / 64; port == -1 && word <= last / 64; word++)
        port = idle_find_in_word(table, protocol, word, first, last);
    return port;
}

typedef int (*idle_search)(const struct port_table *table, unsigned int protocol, uint32_t first,
                           uint32_t last);

/* Makes one port the owner's. */
static bool claim_port(uint64_t *entry, uint64_t owner, port_owner_alive alive)
{
    for (;;)
    {
        uint64_t old = entry_load(entry);

        if (entry_kind(old) != PORT_FREE && alive(entry_owner(old))) return false;
        if (entry_change(entry, old, entry_make(PORT_RUNTIME, owner))) return true;
    }
}

bool port_table_claim(struct port_table *table, unsigned int protocol, uint16_t start,
                      uint32_t count, uint64_t owner, port_owner_alive alive, uint16_t *conflict)
{
    for (uint32_t i = 0; i < count; i++)
    {
        if (!claim_port(&table->entries[protocol][start + i], owner, alive))
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

bool port_table_draw_exact(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner)
{
    uint64_t idle = entry_make(PORT_RUNTIME, owner);

    if (!entry_change(&table->entries[protocol][port], idle, idle | ENTRY_DRAWN)) return false;
    idle_clear(table, protocol, port);
    return true;
}

/* Tries the ports from first to last that a search finds. */
static uint16_t draw_between(struct port_table *table, unsigned int protocol, uint32_t first,
                             uint32_t last, uint64_t owner, idle_search search)
{
    int port;

    if (first > last) return 0;
    while ((port = search(table, protocol, first, last)) != -1)
    {
        if (port_table_draw_exact(table, protocol, port, owner)) return port;
        /* Drawn by number since, and its hint not cleared yet. It may be coming back just now. */
        idle_clear(table, protocol, port);
        if (entry_load(&table->entries[protocol][port]) == entry_make(PORT_RUNTIME, owner))
            idle_set(table, protocol, port);
    }
    return 0;
}

static uint16_t draw_after(struct port_table *table, unsigned int protocol, uint32_t start,
                           uint32_t end, uint64_t owner, uint16_t after, idle_search search)
{
    uint16_t port;

    if (after < start || after >= end)
        return draw_between(table, protocol, start, end, owner, search);
    if ((port = draw_between(table, protocol, after + 1u, end, owner, search))) return port;
    return draw_between(table, protocol, start, after, owner, search);
}

uint16_t port_table_draw(struct port_table *table, unsigned int protocol, uint16_t start,
                         uint32_t count, uint64_t owner, uint16_t after)
{
    uint32_t end = start + count - 1;
    uint64_t *returned = &table->returned[protocol], before, now;
    uint16_t port;

    now = __atomic_load_n(returned, __ATOMIC_SEQ_CST);
    do
    {
        before = now;
        if ((port = draw_after(table, protocol, start, end, owner, after, idle_find))) return port;
        /* A process that dies at the wrong instant leaves a word's bit cleared: look at all words
         * before saying that there is none. */
        if ((port = draw_after(table, protocol, start, end, owner, after, idle_find_slowly)))
            return port;
        now = __atomic_load_n(returned, __ATOMIC_SEQ_CST);
    } while (now != before);
    return 0;
}

void port_table_return(struct port_table *table, unsigned int protocol, uint16_t port,
                       uint64_t owner)
{
    uint64_t idle = entry_make(PORT_RUNTIME, owner);

    if (!entry_change(&table->entries[protocol][port], idle | ENTRY_DRAWN, idle)) return;
    idle_set(table, protocol, port);
    __atomic_fetch_add(&table->returned[protocol], 1, __ATOMIC_SEQ_CST);
}

enum port_kind port_table_lookup(const struct port_table *table, unsigned int protocol,
                                 uint16_t port, uint64_t *owner)
{
    uint64_t entry = entry_load(&table->entries[protocol][port]);

    *owner = entry_owner(entry);
    return entry_kind(entry);
}

bool port_table_begin_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner, port_owner_alive alive, bool *kept)
{
    uint64_t *entry = &table->entries[protocol][port];

    for (;;)
    {
        uint64_t old = entry_load(entry);

        *kept = false;
        if (entry_kind(old) != PORT_FREE && alive(entry_owner(old)))
            return entry_kind(old) == PORT_BINDING;
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
