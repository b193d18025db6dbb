/*
 * Fuzzing of the names of persistent ranges, and of which values of the store make sense
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is a value's name.
 */
#include "dlls/portpool/rangename.h"

#include "fuzz.h"
#include "tools/show/stored.h"

static bool range_is_possible(const struct range_name *range)
{
    return range->start && range->count && range->start + range->count <= 65536;
}

static uint16_t lower_case(uint16_t unit)
{
    return unit >= 'A' && unit <= 'Z' ? unit + 'a' - 'A' : unit;
}

/* A name that says something is the one that would be written, but for the case of letters. */
static void check_valid(const struct units *name, const struct range_name *range)
{
    uint16_t written[RANGE_NAME_LENGTH + 1];

    must(range_is_possible(range), "%u ports from %u", range->count, range->start);
    must(name->length == RANGE_NAME_LENGTH, "%zu units are valid", name->length);
    range_name_format(range, written);
    for (int i = 0; i < RANGE_NAME_LENGTH; i++)
        must(written[i] == lower_case(name->units[i]), "unit %d was %#x, is %#x", i, name->units[i],
             written[i]);
    must(!written[RANGE_NAME_LENGTH], "the name has no end");
}

/* Any two numbers can be written; they are read again if they are a range. */
static void check_format(uint16_t start, uint16_t count)
{
    struct range_name range = {start, count}, again = {0};
    uint16_t written[RANGE_NAME_LENGTH + 1];
    bool valid;

    range_name_format(&range, written);
    valid = range_name_parse(written, RANGE_NAME_LENGTH, &again);
    must(valid == range_is_possible(&range), "%u ports from %u: valid %d", count, start, valid);
    must(!valid || (again.start == start && again.count == count),
         "%u ports from %u became %u from %u", count, start, again.count, again.start);
}

/* A value is a range, or else it is an oddity, and its name can be shown. */
static void check_stored(const struct units *name, bool valid, bool is_range_data)
{
    struct stored stored;
    unsigned int ranges, oddities;

    stored_init(&stored);
    stored_add_value(&stored, UNIX_UDP, name->units, name->length, is_range_data);
    ranges = utarray_len(&stored.ranges);
    oddities = utarray_len(&stored.oddities);
    must(ranges == (valid && is_range_data) && ranges + oddities == 1, "%u ranges, %u oddities",
         ranges, oddities);
    if (oddities)
        must(!*array_at(struct stored_oddity, &stored.oddities, 0)->name == !name->length,
             "an oddity's name is lost");
    stored_free(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size}, numbers = {bytes, size};
    struct units name = input_units(&input);
    struct range_name range = {0};
    bool valid = range_name_parse(name.units, name.length, &range);
    uint16_t start = input_short(&numbers);

    if (valid) check_valid(&name, &range);
    check_format(start, input_short(&numbers));
    check_stored(&name, valid, false);
    check_stored(&name, valid, true);
    free(name.units);
    return 0;
}
