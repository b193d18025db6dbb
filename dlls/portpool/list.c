/*
 * What is reserved in the prefix
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <stdlib.h>

struct list
{
    struct portpool_listed *items;
    UINT count;
    UINT size;
};

static BOOL list_add(struct list *list, const struct portpool_listed *item)
{
    struct portpool_listed *items;

    if (list->count == list->size)
    {
        items = HeapReAlloc(GetProcessHeap(), 0, list->items, 2 * list->size * sizeof(*items));
        if (!items) return FALSE;
        list->items = items;
        list->size *= 2;
    }
    list->items[list->count++] = *item;
    return TRUE;
}

/* A block whose owner has ended is none any more. */
static BOOL list_add_blocks(struct list *list, UINT protocol, const struct port_table *table)
{
    UINT64 owner, last = 0;
    DWORD process = 0;

    for (UINT start = 1; start < PORT_TABLE_PORTS; start++)
    {
        struct portpool_listed item = {.start = start, .kind = PORTPOOL_KIND_BLOCK, .held = TRUE};

        if (!(item.count = port_table_find_block(table, protocol, start, &owner))) continue;
        /* A process's blocks often lie together: Wine is asked once about it. */
        if (owner != last) process = table_owner_process(last = owner);
        item.owner = owner;
        if ((item.process = process) && !list_add(list, &item)) return FALSE;
    }
    return TRUE;
}

static BOOL list_has_holder(const struct port_table *table)
{
    UINT64 holder = __atomic_load_n(&table->holder, __ATOMIC_ACQUIRE);

    return holder && table_owner_alive(holder);
}

/* Says whether the holder has made a range known, of exactly this count. */
static BOOL list_is_published(const struct port_table *table, const struct store_range *range)
{
    UINT64 token = __atomic_load_n(&table->tokens[range->protocol][range->start], __ATOMIC_ACQUIRE);
    uint16_t start;

    return token && port_table_find_token(table, range->protocol, token, &start) == range->count;
}

/* A persistent range may be there in the other way, too: by hand alone. */
static enum portpool_kind list_kind(const struct store_range *range, enum store_list from)
{
    if (from == STORE_ACTIVE) return PORTPOOL_KIND_ACTIVE;
    if (store_has(STORE_SUSPENDED, range) && !store_has(STORE_ACTIVE, range))
        return PORTPOOL_KIND_SUSPENDED;
    return PORTPOOL_KIND_PERSISTENT;
}

static BOOL list_add_ranges(struct list *list, UINT protocol, enum store_list from,
                            const struct port_table *table)
{
    BOOL success = TRUE, held = table && list_has_holder(table);
    struct store_range *ranges;
    UINT count;

    if (!(ranges = store_list(from, &count))) return FALSE;
    for (UINT i = 0; success && i < count; i++)
    {
        struct portpool_listed item = {.start = ranges[i].start,
                                       .count = ranges[i].count,
                                       .held = held && list_is_published(table, &ranges[i])};

        if (ranges[i].protocol != protocol) continue;
        if (from == STORE_ACTIVE && store_has(STORE_PERSISTENT, &ranges[i])) continue;
        item.kind = list_kind(&ranges[i], from);
        success = list_add(list, &item);
    }
    HeapFree(GetProcessHeap(), 0, ranges);
    return success;
}

static int list_compare(const void *one, const void *other)
{
    const struct portpool_listed *a = one, *b = other;

    return a->start != b->start ? a->start - b->start : a->count - b->count;
}

enum portpool_status list_make(UINT protocol, struct portpool_listed **listed, UINT *count)
{
    const struct port_table *table = table_find();
    struct list list = {.size = 64};

    if (!(list.items = HeapAlloc(GetProcessHeap(), 0, list.size * sizeof(*list.items))))
        return PORTPOOL_NO_RESOURCES;
    if ((table && !list_add_blocks(&list, protocol, table)) ||
        !list_add_ranges(&list, protocol, STORE_PERSISTENT, table) ||
        !list_add_ranges(&list, protocol, STORE_ACTIVE, table))
    {
        HeapFree(GetProcessHeap(), 0, list.items);
        return PORTPOOL_NO_RESOURCES;
    }
    qsort(list.items, list.count, sizeof(*list.items), list_compare);
    *listed = list.items;
    *count = list.count;
    return PORTPOOL_SUCCESS;
}
