/*
 * Tests of the names of persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "dlls/portpool/rangename.h"

#include <string.h>

#include "test.h"

/* Parses a name that has nothing behind it: the sanitizer tells if more is read. */
static bool parse(const char *text, struct range_name *range)
{
    uint32_t length = strlen(text);
    uint16_t *name = malloc(length * sizeof(*name) + !length);
    bool valid;

    for (uint32_t i = 0; i < length; i++) name[i] = (unsigned char)text[i];
    valid = range_name_parse(name, length, range);
    free(name);
    return valid;
}

#define check_valid(text, start, count) check_valid_(__LINE__, text, start, count)
static void check_valid_(int line, const char *text, uint16_t start, uint16_t count)
{
    struct range_name range = {0};
    bool valid = parse(text, &range);

    ok_(__FILE__, line, valid && range.start == start && range.count == count,
        "%s: %s, %u from %u, expected %u from %u", text, valid ? "valid" : "invalid", range.count,
        range.start, count, start);
}

#define check_invalid(text) check_invalid_(__LINE__, text)
static void check_invalid_(int line, const char *text)
{
    struct range_name range = {0};

    ok_(__FILE__, line, !parse(text, &range), "%s is valid", text);
}

#define check_format(start, count, text) check_format_(__LINE__, start, count, text)
static void check_format_(int line, uint16_t start, uint16_t count, const char *text)
{
    struct range_name range = {start, count};
    uint16_t name[RANGE_NAME_LENGTH + 1];
    bool same = true;

    memset(name, 0xff, sizeof(name));
    range_name_format(&range, name);
    for (int i = 0; i <= RANGE_NAME_LENGTH; i++) same &= name[i] == (unsigned char)text[i];
    ok_(__FILE__, line, same, "%u from %u is not %s", count, start, text);
}

static void test_parse(void)
{
    /* The two that are known from Windows. */
    check_valid("cc570100", 52311, 1);
    check_valid("13881400", 5000, 20);
    check_valid("CC570100", 52311, 1);
    check_valid("cC570100", 52311, 1);
    check_valid("00010100", 1, 1);
    check_valid("0001ffff", 1, 65535);
    check_valid("ffff0100", 65535, 1);
    check_valid("80000080", 0x8000, 0x8000);
    check_valid("12340201", 0x1234, 0x0102);

    /* Nothing at all, or past the end. */
    check_invalid("00000100");
    check_invalid("13880000");
    check_invalid("00000000");
    check_invalid("0002ffff");
    check_invalid("ffff0200");
    check_invalid("80000180");
    check_invalid("ffffffff");

    /* Too long, too short. */
    check_invalid("");
    check_invalid("1");
    check_invalid("1388140");
    check_invalid("138814000");
    check_invalid("1388140000000000");
    check_invalid(" 13881400");
    check_invalid("0x138814");
    check_invalid("1388-140");
    check_invalid("+3881400");
}

/* Each character in each place: only hex digits will do, half a UTF-16 unit is not one. */
static void test_digits(void)
{
    for (unsigned int place = 0; place < RANGE_NAME_LENGTH; place++)
    {
        for (uint32_t character = 0; character <= UINT16_MAX; character++)
        {
            uint16_t name[] = {'0', '1', '0', '1', '0', '1', '0', '1'};
            bool digit =
                character < 128 && character && strchr("0123456789abcdefABCDEF", character);
            struct range_name range;

            name[place] = character;
            if (range_name_parse(name, RANGE_NAME_LENGTH, &range) == digit) continue;
            ok(false, "%#x at %u: expected %u", character, place, digit);
            return;
        }
    }
    ok(true, "every character");
}

static void test_format(void)
{
    check_format(52311, 1, "cc570100");
    check_format(5000, 20, "13881400");
    check_format(1, 65535, "0001ffff");
    check_format(65535, 1, "ffff0100");
    check_format(0x1234, 0x0102, "12340201");
    check_format(0xabcd, 0x4321, "abcd2143");
}

/* All that can be written can be read again. */
static void test_both(void)
{
    for (uint32_t start = 1; start <= 65535; start++)
    {
        struct range_name range = {start, 1 + random() % (65536 - start)}, read = {0};
        uint16_t name[RANGE_NAME_LENGTH + 1];

        range_name_format(&range, name);
        if (range_name_parse(name, RANGE_NAME_LENGTH, &read) && read.start == range.start &&
            read.count == range.count)
            continue;
        ok(false, "%u from %u became %u from %u", range.count, range.start, read.count, read.start);
        return;
    }
    ok(true, "every start");
}

int main(void)
{
    test_start("rangename");
    test_seed();
    test_parse();
    test_digits();
    test_format();
    test_both();
    return test_end();
}
