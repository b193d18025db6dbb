/*
 * Fuzzing of the port table, in memory that others have written to
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any process of the prefix may write anything there: no operation may leave the table's bounds for
 * that, or go on without end, or give out what is not the asker's. The random tests of
 * tests/native/porttable.c check what a sound table does.
 *
 * The input is operations of eight bytes: which, protocol and owner, a start, a count, and a number
 * of 16 bits. Some of them write to the table as anybody could.
 */
#include "dlls/portpool/porttable.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define PORTS  PORT_TABLE_PORTS
#define OWNERS 8

/* As porttable.h says. */
#define KIND        3
#define DRAWN       4
#define OWNER_SHIFT 4

struct operation
{
    uint8_t which;
    unsigned int protocol;
    uint64_t owner;
    uint16_t start;
    uint16_t count; /* at least 1, and not past the last port, as all callers see to */
    uint16_t number;
};

static struct port_table *table;
static uint8_t living;

static bool owner_alive(uint64_t owner)
{
    return living >> owner % OWNERS & 1;
}

/* Memory of zeros, which ends where the table does; only what was written to is made anew. */
static void table_new(void)
{
    size_t page = sysconf(_SC_PAGESIZE), size = (sizeof(*table) + page - 1) / page * page;
    static uint8_t *memory;

    if (!memory)
    {
        memory = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(memory != MAP_FAILED, "no memory");
        must(!mprotect(memory + page, size, PROT_READ | PROT_WRITE), "no memory");
        table = (struct port_table *)(memory + page + size - sizeof(*table));
    }
    must(!madvise(memory + page, size, MADV_DONTNEED), "the table is not empty");
}

static uint64_t entry_of(const struct operation *operation, uint32_t port)
{
    return table->entries[operation->protocol][port];
}

static bool is_owned(const struct operation *operation, uint32_t port)
{
    uint64_t entry = entry_of(operation, port);

    return (entry & KIND) == PORT_RUNTIME && entry >> OWNER_SHIFT == operation->owner;
}

/* Nothing, or a port of the range, which the drawer has then until it gives it back. */
static void check_drawn(const struct operation *operation, uint16_t port, enum port_kind kind)
{
    uint64_t owner = operation->owner << OWNER_SHIFT | kind | DRAWN;

    if (!port) return;
    must(port >= operation->start && port < operation->start + operation->count,
         "drew %u of %u from %u", port, operation->count, operation->start);
    /* But for the mark of a block's first port. */
    must((entry_of(operation, port) & ~(uint64_t)(kind == PORT_RUNTIME ? 8 : 0)) == owner,
         "drew %u, which is another's", port);
}

/* Nothing is left of what was begun, up to where it came to an end. */
static void check_conflict(const struct operation *operation, uint16_t conflict)
{
    must(conflict >= operation->start && conflict < operation->start + operation->count,
         "conflict at %u", conflict);
    for (uint32_t port = operation->start; port < conflict; port++)
        must((entry_of(operation, port) & KIND) == PORT_FREE, "%u is not free", port);
}

static void claim(const struct operation *operation)
{
    uint16_t conflict = 0;

    if (!port_table_claim(table, operation->protocol, operation->start, operation->count,
                          operation->owner, owner_alive, &conflict))
    {
        check_conflict(operation, conflict);
        return;
    }
    for (uint32_t i = 0; i < operation->count; i++)
        must(is_owned(operation, operation->start + i), "%u is not claimed", operation->start + i);
    port_table_publish_block(table, operation->protocol, operation->start, operation->count,
                             operation->owner);
}

static void give_back(const struct operation *operation)
{
    port_table_free(table, operation->protocol, operation->start, operation->count,
                    operation->owner);
    for (uint32_t i = 0; i < operation->count; i++)
        must(!is_owned(operation, operation->start + i), "%u is not free", operation->start + i);
}

static uint32_t count_persistent(const struct operation *operation)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < operation->count; i++)
        count += (entry_of(operation, operation->start + i) & KIND) == PORT_PERSISTENT;
    return count;
}

static void claim_persistent(const struct operation *operation)
{
    uint32_t before = count_persistent(operation);
    uint16_t conflict = 0;
    bool claimed = port_table_claim_persistent(table, operation->protocol, operation->start,
                                               operation->count, owner_alive, &conflict);

    if (!claimed)
    {
        must(conflict >= operation->start && conflict < operation->start + operation->count,
             "conflict at %u", conflict);
        must(count_persistent(operation) == before, "some of %u are persistent now",
             operation->count);
        return;
    }
    must(count_persistent(operation) == operation->count, "not all of %u are persistent",
         operation->count);
    port_table_publish(table, operation->protocol, operation->start, operation->count,
                       (uint64_t)operation->number << 16 | operation->start);
}

static void give_back_persistent(const struct operation *operation)
{
    port_table_withdraw(table, operation->protocol, operation->start);
    port_table_free_persistent(table, operation->protocol, operation->start, operation->count);
    for (uint32_t i = 0; i < operation->count; i++)
        must((entry_of(operation, operation->start + i) & KIND) != PORT_PERSISTENT,
             "%u is persistent", operation->start + i);
}

static void draw_by_number(const struct operation *operation)
{
    uint16_t port = operation->start;

    if (port_table_draw_exact(table, operation->protocol, port, operation->owner))
        check_drawn(operation, port, PORT_RUNTIME);
    if (port_table_draw_exact_persistent(table, operation->protocol, port, operation->owner))
    {
        check_drawn(operation, port, PORT_PERSISTENT);
        must(port_table_is_drawn(table, operation->protocol, port, operation->owner),
             "%u is not drawn", port);
    }
}

static void put_back(const struct operation *operation)
{
    uint16_t port = operation->start;

    port_table_return(table, operation->protocol, port, operation->owner);
    port_table_return_persistent(table, operation->protocol, port, operation->owner);
    must(!port_table_is_drawn(table, operation->protocol, port, operation->owner),
         "%u is still drawn", port);
}

static void bind_port(const struct operation *operation)
{
    uint16_t port = operation->start;
    bool kept;

    if (port_table_try_lock(table, operation->protocol, port, operation->owner, owner_alive))
        port_table_unlock(table, operation->protocol, port, operation->owner);
    if (!port_table_begin_bind(table, operation->protocol, port, operation->owner, owner_alive,
                               &kept))
        must(!kept, "%u is kept", port);
    if (operation->number % 2)
        port_table_end_bind(table, operation->protocol, port, operation->owner);
}

/* What nobody alive uses can be had again. */
static void reclaim(const struct operation *operation)
{
    uint16_t port = operation->start;
    uint64_t noted;

    if (operation->number % 2) port_table_make_uncertain(table, operation->protocol, port);
    noted = port_table_reclaimable(table, operation->protocol, port, owner_alive);
    if (noted && port_table_reclaim(table, operation->protocol, port, noted))
        must(port_table_is_idle(table, operation->protocol, port), "%u is not idle", port);
}

/* Ranges that others are told about are ranges; then ports are drawn from them, as callers do who
 * have found them here. */
static void draw_found(const struct operation *operation)
{
    struct operation found = *operation;
    uint64_t token = table->tokens[operation->protocol][operation->start], owner = 0;

    found.count = port_table_find_block(table, operation->protocol, operation->start, &owner);
    must(found.start + found.count <= PORTS, "a block of %u ports from %u", found.count,
         found.start);
    if (found.count) must(owner == entry_of(&found, found.start) >> OWNER_SHIFT, "another's block");
    found.count = port_table_find_token(table, operation->protocol, token, &found.start);
    must(found.start + found.count <= PORTS, "a range of %u ports from %u", found.count,
         found.start);
    if (!found.count) return;
    must(found.start, "a range from 0");
    check_drawn(
        &found,
        port_table_draw_persistent(table, found.protocol, found.start, found.count, found.owner),
        PORT_PERSISTENT);
}

static void draw(const struct operation *operation)
{
    check_drawn(operation,
                port_table_draw(table, operation->protocol, operation->start, operation->count,
                                operation->owner, operation->number),
                PORT_RUNTIME);
    check_drawn(operation,
                port_table_draw_persistent(table, operation->protocol, operation->start,
                                           operation->count, operation->owner),
                PORT_PERSISTENT);
}

/* Writes what a program that has gone mad might. */
static void spoil(const struct operation *operation, uint8_t what)
{
    unsigned int protocol = operation->protocol;
    /* The last of the owners writes where no port is. */
    uint16_t port = operation->owner == OWNERS - 1 ? 0 : operation->start;
    uint64_t bits = operation->number * UINT64_C(0x9e3779b97f4a7c15);

    switch (what % 8)
    {
    case 0:
        table->entries[protocol][port] = operation->number;
        break;
    case 1:
        table->idle[protocol][port / 64] = bits;
        break;
    case 2:
        table->idle_words[protocol][port / 64 / 64] = bits;
        break;
    case 3:
        table->counts[protocol][port] = operation->number;
        break;
    case 4:
        table->tokens[protocol][port] = (uint64_t)operation->owner << 16 | port;
        break;
    case 5:
        table->last_drawn[protocol][port] = operation->number;
        break;
    case 6:
        table->locks[operation->number % PORT_TABLE_LOCKS] = operation->owner;
        table->marks = bits;
        break;
    case 7:
        for (uint32_t i = 0; i < operation->count && i < 100; i++)
            table->entries[protocol][port + i] = operation->number;
        break;
    }
}

/* A few ports, at the ends of words and of words of words, and small blocks are likelier than
 * others: the largest take their time. */
static struct operation operation_take(struct input *input)
{
    static const uint16_t ports[] = {1,    2,    63,   64,    65,    127,   128,   4095,
                                     4096, 4097, 5000, 61439, 61440, 65472, 65534, 65535};
    struct operation operation = {.which = input_byte(input)};
    uint8_t byte = input_byte(input);

    operation.protocol = byte % PORT_TABLE_PROTOCOLS;
    operation.owner = byte / PORT_TABLE_PROTOCOLS % OWNERS;
    if (byte & 0x80) operation.owner |= (UINT64_C(1) << 60) - OWNERS;
    operation.start = input_short(input);
    operation.count = input_short(input);
    operation.number = input_short(input);
    if (byte & 0x40) operation.start = ports[operation.start % 16];
    if (!operation.start) operation.start = 1;
    if (byte & 0x60)
        operation.count %= 256;
    else if ((operation.which & 0x60) != 0x60)
        operation.count %= 5000;
    if (!operation.count) operation.count = 1;
    if (operation.start + operation.count > PORTS) operation.count = PORTS - operation.start;
    return operation;
}

static void (*const operations[])(const struct operation *) = {
    claim,    give_back, claim_persistent, give_back_persistent, draw_by_number,
    put_back, bind_port, reclaim,          draw_found,           draw};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct operation operation;

    table_new();
    living = 0x55;
    while (input.left)
    {
        operation = operation_take(&input);
        if (operation.which & 0x80)
            spoil(&operation, operation.which);
        else if (operation.which == 0x7f)
            living = operation.number;
        else
            operations[operation.which % OPERATIONS](&operation);
    }
    return 0;
}
