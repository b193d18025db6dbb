/*
 * Tests of what is stored: the registry's values and the journal together, and what is ignored
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/show/stored.h"

#include <string.h>

#include "dlls/portpool/unix/record.h"
#include "tests/native/test.h"

static struct stored stored;

static void stored_new(void)
{
    stored_free(&stored);
    stored_init(&stored);
}

static void add(enum unix_protocol protocol, const char *name, bool is_range_data)
{
    uint16_t units[64];

    for (size_t i = 0; name[i]; i++) units[i] = (unsigned char)name[i];
    stored_add_value(&stored, protocol, units, strlen(name), is_range_data);
}

/* A journal's text, with what record is to be added. */
struct journal
{
    char text[4096];
    size_t length;
};

static void journal_add(struct journal *journal, uint64_t generation, bool remove,
                        enum unix_protocol protocol, uint16_t start, uint16_t count)
{
    struct unix_journal_record record = {.generation = generation,
                                         .remove = remove,
                                         .protocol = protocol,
                                         .start = start,
                                         .count = count};

    journal->length += record_format(&record, journal->text + journal->length);
}

static void replay(const struct journal *journal, size_t length, uint64_t generation)
{
    char *copy = malloc(length + !length);

    memcpy(copy, journal->text, length);
    stored_replay(&stored, copy, length, generation);
    free(copy);
}

/* The ranges "tcp START+COUNT", with "<START+COUNT" behind those that overlap another, and then the
 * oddities "!tcp NAME". */
static const char *describe(void)
{
    static char text[4096];
    size_t length = 0;

    text[0] = 0;
    for (unsigned int i = 0; i < utarray_len(&stored.ranges); i++)
    {
        const struct stored_range *range = array_at(struct stored_range, &stored.ranges, i);

        length += sprintf(text + length, "%s%s %u+%u", length ? ", " : "",
                          range->protocol == UNIX_TCP ? "tcp" : "udp", range->ports.start,
                          range->ports.count);
        if (range->overlapped.count)
            length +=
                sprintf(text + length, "<%u+%u", range->overlapped.start, range->overlapped.count);
    }
    for (unsigned int i = 0; i < utarray_len(&stored.oddities); i++)
    {
        const struct stored_oddity *oddity = array_at(struct stored_oddity, &stored.oddities, i);

        length += sprintf(text + length, "%s!%s %s", length ? ", " : "",
                          oddity->protocol == UNIX_TCP ? "tcp" : "udp", oddity->name);
    }
    return text;
}

#define check_stored(expected) check_stored_(__LINE__, expected)
static void check_stored_(int line, const char *expected)
{
    ok_(__FILE__, line, !strcmp(describe(), expected), "\"%s\", expected \"%s\"", describe(),
        expected);
}

static void test_values(void)
{
    stored_new();
    add(UNIX_UDP, "13881400", true);
    add(UNIX_TCP, "cc570100", true);
    add(UNIX_TCP, "13881400", true);
    add(UNIX_TCP, "zz", true);
    add(UNIX_TCP, "13880000", true);
    add(UNIX_UDP, "ffff0200", true);
    add(UNIX_UDP, "17701400", false);
    stored_settle(&stored, NULL, NULL);
    check_stored("tcp 5000+20, tcp 52311+1, udp 5000+20, "
                 "!tcp zz, !tcp 13880000, !udp ffff0200, !udp 17701400");
    /* The same name in other letters is the same range. */
    stored_new();
    add(UNIX_TCP, "cc570100", true);
    add(UNIX_TCP, "CC570100", true);
    stored_settle(&stored, NULL, NULL);
    check_stored("tcp 52311+1");
    stored_new();
    stored_settle(&stored, NULL, NULL);
    check_stored("");
}

static void test_overlaps(void)
{
    /* The first of two that overlap counts, the shorter of two that begin together, and one that
     * overlaps none but an ignored one. */
    stored_new();
    add(UNIX_TCP, "13880a00", true); /* 5000, 10 */
    add(UNIX_TCP, "13881400", true); /* 5000, 20 */
    add(UNIX_TCP, "13920500", true); /* 5010, 5: past the first, inside the second */
    add(UNIX_TCP, "13910200", true); /* 5009, 2 */
    add(UNIX_UDP, "13910200", true);
    stored_settle(&stored, NULL, NULL);
    check_stored("tcp 5000+10, tcp 5000+20<5000+10, tcp 5009+2<5000+10, tcp 5010+5, udp 5009+2");
    /* At both ends of the port space. */
    stored_new();
    add(UNIX_TCP, "0001ffff", true);
    add(UNIX_TCP, "ffff0100", true);
    add(UNIX_TCP, "00010100", true);
    stored_settle(&stored, NULL, NULL);
    check_stored("tcp 1+1, tcp 1+65535<1+1, tcp 65535+1");
}

static bool is_held(enum unix_protocol protocol, const struct range_name *ports, void *context)
{
    const struct range_name *held = context;

    return protocol == UNIX_TCP && ports->start == held->start && ports->count == held->count;
}

/* The holder keeps what it holds already. */
static void test_held(void)
{
    struct range_name held = {.start = 5000, .count = 20};

    stored_new();
    add(UNIX_TCP, "13880a00", true);
    add(UNIX_TCP, "13881400", true);
    add(UNIX_TCP, "13840a00", true); /* 4996, 10 */
    stored_settle(&stored, is_held, &held);
    check_stored("tcp 4996+10<5000+20, tcp 5000+10<5000+20, tcp 5000+20");
}

static void test_journal(void)
{
    struct journal journal = {.length = 0};

    journal_add(&journal, 5, false, UNIX_TCP, 6000, 10);
    journal_add(&journal, 6, true, UNIX_TCP, 5000, 20);
    journal_add(&journal, 7, false, UNIX_UDP, 5000, 20);
    journal_add(&journal, 8, true, UNIX_TCP, 7000, 1); /* of what is not there */
    journal_add(&journal, 9, true, UNIX_TCP, 6000, 10);
    journal_add(&journal, 10, false, UNIX_TCP, 6000, 10);

    /* What the registry has is not done once more. */
    static const struct
    {
        uint64_t generation;
        const char *expected;
    } rows[] = {
        {0, "tcp 6000+10, udp 5000+20"},
        {4, "tcp 6000+10, udp 5000+20"},
        {5, "tcp 6000+10, udp 5000+20"},
        {6, "tcp 5000+20, tcp 6000+10, udp 5000+20"},
        {7, "tcp 5000+20, tcp 6000+10"},
        {9, "tcp 5000+20, tcp 6000+10"},
        {10, "tcp 5000+20"},
        {11, "tcp 5000+20"},
        {UINT64_C(1) << 62, "tcp 6000+10, udp 5000+20"},
        {UINT64_MAX, "tcp 6000+10, udp 5000+20"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    {
        stored_new();
        add(UNIX_TCP, "13881400", true);
        replay(&journal, journal.length, rows[i].generation);
        stored_settle(&stored, NULL, NULL);
        ok(!strcmp(describe(), rows[i].expected), "%llu: \"%s\", expected \"%s\"",
           (unsigned long long)rows[i].generation, describe(), rows[i].expected);
    }
}

/* A value that makes no sense for its data alone is written anew, or deleted. */
static void test_journal_oddity(void)
{
    struct journal journal = {.length = 0};

    journal_add(&journal, 1, false, UNIX_TCP, 5000, 20);
    journal_add(&journal, 2, true, UNIX_TCP, 52311, 1);
    stored_new();
    add(UNIX_TCP, "13881400", false);
    add(UNIX_UDP, "13881400", false);
    add(UNIX_TCP, "CC570100", false);
    add(UNIX_TCP, "zz", false);
    replay(&journal, journal.length, 0);
    stored_settle(&stored, NULL, NULL);
    check_stored("tcp 5000+20, !udp 13881400, !tcp zz");
}

/* Something torn ends the journal, wherever. */
static void test_torn_journal(void)
{
    struct journal journal = {.length = 0};
    size_t first, second;

    journal_add(&journal, 1, false, UNIX_TCP, 5000, 20);
    first = journal.length;
    journal_add(&journal, 2, false, UNIX_TCP, 6000, 20);
    second = journal.length;
    for (size_t length = 0; length <= second; length++)
    {
        const char *expected = "tcp 5000+20, tcp 6000+20";

        if (length < second) expected = "tcp 5000+20";
        if (length < first) expected = "";
        stored_new();
        replay(&journal, length, 0);
        ok(!strcmp(describe(), expected), "%zu bytes: \"%s\", expected \"%s\"", length, describe(),
           expected);
    }
    journal.text[first - 2] ^= 1;
    stored_new();
    replay(&journal, second, 0);
    check_stored("");
}

/* As many as there can be, and all of them in each other's way. */
static void test_many(void)
{
    unsigned int kept = 0;

    stored_new();
    for (uint32_t start = 1; start < 65536; start++)
    {
        struct range_name range = {.start = start, .count = start % 2 ? 1 : 65536 - start};
        uint16_t name[RANGE_NAME_LENGTH + 1];

        range_name_format(&range, name);
        stored_add_value(&stored, UNIX_TCP, name, RANGE_NAME_LENGTH, true);
    }
    stored_settle(&stored, NULL, NULL);
    for (unsigned int i = 0; i < utarray_len(&stored.ranges); i++)
        if (!array_at(struct stored_range, &stored.ranges, i)->overlapped.count) kept++;
    ok(utarray_len(&stored.ranges) == 65535, "%u ranges", utarray_len(&stored.ranges));
    ok(kept == 2, "%u of them are kept", kept);
}

int main(void)
{
    test_start("show-stored");
    test_values();
    test_overlaps();
    test_held();
    test_journal();
    test_journal_oddity();
    test_torn_journal();
    test_many();
    stored_free(&stored);
    return test_end();
}
