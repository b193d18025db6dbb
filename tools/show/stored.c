/*
 * The persistent ranges that a prefix has stored, judged as the holder judges them
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stored.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dlls/portpool/unix/record.h"

/* As for the holder: a number beyond this is nobody's that counts. */
#define GENERATION_LIMIT (UINT64_C(1) << 62)

static const UT_icd range_icd = {sizeof(struct stored_range), NULL, NULL, NULL};
static const UT_icd oddity_icd = {sizeof(struct stored_oddity), NULL, NULL, NULL};

static struct stored_range *stored_at(const struct stored *stored, unsigned int i)
{
    return array_at(struct stored_range, &stored->ranges, i);
}

void stored_init(struct stored *stored)
{
    utarray_init(&stored->ranges, &range_icd);
    utarray_init(&stored->oddities, &oddity_icd);
}

void stored_free(struct stored *stored)
{
    for (unsigned int i = 0; i < utarray_len(&stored->oddities); i++)
        free(array_at(struct stored_oddity, &stored->oddities, i)->name);
    utarray_done(&stored->ranges);
    utarray_done(&stored->oddities);
}

void stored_add_value(struct stored *stored, enum unix_protocol protocol, const uint16_t *name,
                      uint32_t length, bool is_range_data)
{
    struct stored_range range = {.protocol = protocol};
    struct stored_oddity oddity = {.protocol = protocol};

    if (is_range_data && range_name_parse(name, length, &range.ports))
    {
        utarray_push_back(&stored->ranges, &range);
        return;
    }
    oddity.name = text_from_utf16(name, length);
    utarray_push_back(&stored->oddities, &oddity);
}

static int stored_compare(const void *one, const void *other)
{
    const struct stored_range *a = one, *b = other;

    if (a->protocol != b->protocol) return a->protocol < b->protocol ? -1 : 1;
    if (a->ports.start != b->ports.start) return a->ports.start < b->ports.start ? -1 : 1;
    return a->ports.count - b->ports.count;
}

static void stored_remove(struct stored *stored, const struct stored_range *range)
{
    for (unsigned int i = utarray_len(&stored->ranges); i--;)
        if (!stored_compare(stored_at(stored, i), range)) utarray_erase(&stored->ranges, i, 1);
}

/* The value of that name, if its data made no sense, is written anew or deleted. */
static void stored_forget_oddity(struct stored *stored, const struct stored_range *range)
{
    uint16_t units[RANGE_NAME_LENGTH + 1];
    struct stored_oddity *oddity;
    char *name;

    range_name_format(&range->ports, units);
    name = text_from_utf16(units, RANGE_NAME_LENGTH);
    for (unsigned int i = utarray_len(&stored->oddities); i--;)
    {
        oddity = array_at(struct stored_oddity, &stored->oddities, i);
        if (oddity->protocol != range->protocol || strcasecmp(oddity->name, name)) continue;
        free(oddity->name);
        utarray_erase(&stored->oddities, i, 1);
    }
    free(name);
}

void stored_replay(struct stored *stored, const char *journal, size_t length, uint64_t generation)
{
    struct unix_journal_record record;
    size_t offset = 0, taken;

    if (generation >= GENERATION_LIMIT) generation = 0;
    while ((taken = record_parse(journal + offset, length - offset, &record)))
    {
        struct stored_range range = {.protocol = record.protocol,
                                     .ports = {.start = record.start, .count = record.count}};

        offset += taken;
        if (record.generation <= generation) continue;
        stored_forget_oddity(stored, &range);
        stored_remove(stored, &range);
        if (!record.remove) utarray_push_back(&stored->ranges, &range);
    }
}

/* A name may be there in upper and in lower case. */
static void stored_sort(struct stored *stored)
{
    unsigned int count = 0;

    array_sort(&stored->ranges, stored_compare);
    for (unsigned int i = 0; i < utarray_len(&stored->ranges); i++)
    {
        if (count && !stored_compare(stored_at(stored, count - 1), stored_at(stored, i))) continue;
        *stored_at(stored, count++) = *stored_at(stored, i);
    }
    utarray_resize(&stored->ranges, count);
}

/* For each port, 1 and the number of the range that has it, 0 for none. */
struct taken
{
    uint32_t by[2][65536];
};

static void taken_add(struct taken *taken, const struct stored_range *range, unsigned int number)
{
    for (uint32_t i = 0; i < range->ports.count; i++)
        taken->by[range->protocol][range->ports.start + i] = number + 1;
}

/* The range that has the first port taken of these; 0 for none, else 1 and its number. */
static uint32_t taken_find(const struct taken *taken, const struct stored_range *range)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < range->ports.count && !found; i++)
        found = taken->by[range->protocol][range->ports.start + i];
    return found;
}

void stored_settle(struct stored *stored, stored_is_held is_held, void *context)
{
    struct taken *taken = memory_allocate(sizeof(*taken));
    struct stored_range *range;
    uint32_t other;

    memset(taken, 0, sizeof(*taken));
    stored_sort(stored);
    for (unsigned int i = 0; is_held && i < utarray_len(&stored->ranges); i++)
    {
        range = stored_at(stored, i);
        if (is_held(range->protocol, &range->ports, context)) taken_add(taken, range, i);
    }
    for (unsigned int i = 0; i < utarray_len(&stored->ranges); i++)
    {
        range = stored_at(stored, i);
        other = taken_find(taken, range);
        if (!other)
            taken_add(taken, range, i);
        else if (other != i + 1)
            range->overlapped = stored_at(stored, other - 1)->ports;
    }
    free(taken);
}
