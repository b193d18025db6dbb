/*
 * Fuzzing of what is read in the text of the registry, by tawny show and by the journal
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is the text.
 */
#include "tools/show/hivefile.h"

#include "dlls/portpool/unix/hive.h"
#include "fuzz.h"
#include "tools/show/stored.h"

/* What comes after the text, and is nobody's. A line that the text's last one may be continued by
 * stands before it: Wine, too, takes whatever comes then for the rest of a value. */
#define END "\n\n"
#define JUNK                                                                                       \
    "[Software\\\\Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\\\29] 1\n"             \
    "\"13881400\"=hex:12,00,ff,ff\n\"13881400"

/* A value's name in UTF-16 is shorter than this. */
#define NAME_LIMIT 16384

/* Every third range is held, as far as the test goes. */
static bool is_held(enum unix_protocol protocol, const struct range_name *ports, void *context)
{
    must(!context && protocol <= UNIX_UDP, "protocol %d", protocol);
    return ports->start % 3 == 0;
}

static void note(const struct hivefile_value *value, void *context)
{
    must(value->protocol == UNIX_TCP || value->protocol == UNIX_UDP, "protocol %d",
         value->protocol);
    must(value->length <= NAME_LIMIT, "a name of %u units", value->length);
    stored_add_value(context, value->protocol, value->name, value->length, value->is_range_data);
}

static struct stored_range *range_at(const struct stored *stored, unsigned int i)
{
    return array_at(struct stored_range, &stored->ranges, i);
}

static bool ranges_overlap(const struct range_name *one, const struct range_name *other)
{
    return one->start < other->start + other->count && other->start < one->start + one->count;
}

/* A range is in its place, and if it is ignored, it overlaps what it says. */
static void check_range(const struct stored *stored, unsigned int i)
{
    const struct stored_range *range = range_at(stored, i), *before;

    must(range->ports.start && range->ports.count &&
             range->ports.start + range->ports.count <= 65536,
         "%u ports from %u", range->ports.count, range->ports.start);
    must(!range->overlapped.count || ranges_overlap(&range->ports, &range->overlapped),
         "%u does not overlap %u", range->ports.start, range->overlapped.start);
    if (!i) return;
    before = range_at(stored, i - 1);
    must(
        before->protocol < range->protocol || before->ports.start < range->ports.start ||
            (before->ports.start == range->ports.start && before->ports.count < range->ports.count),
        "%u comes after %u", range->ports.start, before->ports.start);
}

/* Those that count have no port in common, unless two that overlap are held. */
static void check_settled(struct stored *stored)
{
    stored_settle(stored, is_held, NULL);
    for (unsigned int i = 0; i < utarray_len(&stored->ranges); i++)
    {
        const struct stored_range *range = range_at(stored, i), *other;

        check_range(stored, i);
        for (unsigned int j = 0; j < i; j++)
        {
            other = range_at(stored, j);
            if (other->protocol != range->protocol || other->overlapped.count ||
                range->overlapped.count)
                continue;
            if (is_held(other->protocol, &other->ports, NULL) &&
                is_held(range->protocol, &range->ports, NULL))
                continue;
            must(!ranges_overlap(&range->ports, &other->ports), "%u and %u overlap",
                 range->ports.start, other->ports.start);
        }
    }
}

static void check_same(const struct stored *stored, const struct stored *again)
{
    unsigned int ranges = utarray_len(&stored->ranges), oddities = utarray_len(&stored->oddities);

    must(utarray_len(&again->ranges) == ranges && utarray_len(&again->oddities) == oddities,
         "%u ranges and %u oddities became %u and %u", ranges, oddities,
         utarray_len(&again->ranges), utarray_len(&again->oddities));
    for (unsigned int i = 0; i < ranges; i++)
        must(range_at(stored, i)->protocol == range_at(again, i)->protocol &&
                 range_at(stored, i)->ports.start == range_at(again, i)->ports.start &&
                 range_at(stored, i)->ports.count == range_at(again, i)->ports.count,
             "range %u has changed", i);
}

/* Keys that are not ours, behind the text, change nothing. */
static void check_junk(const struct input *input)
{
    size_t length = input->left + strlen(END);
    struct stored stored, again;
    struct input rest = *input;
    char *text = fuzz_allocate(length + strlen(JUNK));
    bool is_hive;

    input_copy(&rest, text, input->left);
    memcpy(text + input->left, END JUNK, strlen(END JUNK));
    stored_init(&stored);
    stored_init(&again);
    is_hive = hivefile_visit(text, length, note, &stored);
    must(hivefile_visit(text, length + strlen(JUNK), note, &again) == is_hive,
         "the text is %s hive", is_hive ? "no more a" : "now a");
    check_same(&stored, &again);
    must(hive_generation(text, length) == hive_generation(text, length + strlen(JUNK)),
         "the generation is another");
    stored_free(&again);
    stored_free(&stored);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct stored stored;

    stored_init(&stored);
    if (!hivefile_visit((const char *)bytes, size, note, &stored))
        must(!utarray_len(&stored.ranges) && !utarray_len(&stored.oddities),
             "values of what is no hive");
    hive_generation((const char *)bytes, size);
    check_junk(&input);
    if (utarray_len(&stored.ranges)) check_settled(&stored);
    stored_free(&stored);
    return 0;
}
