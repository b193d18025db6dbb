/*
 * The persistent ranges in the prefix's registry as Wine saves it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine 8 writes the current control set under its own name. Later ones write a link, and that which
 * it leads to:
 *
 *   [System\\ControlSet001\\Control\\Nsi\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\29] 1700000000
 *   #time=1da0000000000
 *   "13881400"=hex:12,00,ff,ff
 *
 *   [System\\CurrentControlSet] 1700000000
 *   #time=1da0000000000
 *   #link
 *   "SymbolicLinkValue"=hex(6):5c,00,52,00,45,00,47,00,...
 *
 * A newer Wine that is given an older one's file reads it by way of the link, so that both names
 * may mean the same. Names are in Latin-1 with escapes for the rest, and in any case of letters.
 */
#include "hivefile.h"

#include <string.h>
#include <strings.h>

#include "dlls/portpool/rangename.h"

/* The longest that a value's name can be. What is longer means nothing here. */
#define NAME_SIZE 16384

/* Enough for a control set's name. */
#define SET_SIZE 64

#define CURRENT_SET  "CurrentControlSet"
#define ORDINARY_SET "ControlSet001"

static const char *const range_keys[] = {
    [UNIX_TCP] = "\\Control\\Nsi\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\29",
    [UNIX_UDP] = "\\Control\\Nsi\\{eb004a02-9b1a-11d4-9123-0050047759bc}\\5",
};

/* A text that is read from its beginning on. */
struct reader
{
    const char *next;
    const char *end;
};

/* A name in UTF-16. */
struct name
{
    uint16_t units[NAME_SIZE];
    uint32_t length;
};

/* A part of one. */
struct part
{
    const uint16_t *units;
    uint32_t length;
};

/* What the file says of control sets. */
struct sets
{
    bool has_current; /* keys below CurrentControlSet */
    bool has_link;
    uint16_t target[SET_SIZE]; /* of the link: the name of a control set */
    uint32_t target_length;
};

static bool reader_at(const struct reader *reader, char character)
{
    return reader->next < reader->end && *reader->next == character;
}

/* Reads what is expected, in upper or lower case, if it comes next. */
static bool reader_take(struct reader *reader, const char *expected)
{
    size_t length = strlen(expected);

    if ((size_t)(reader->end - reader->next) < length) return false;
    /* Stops at a zero byte, which nothing expected has. */
    if (strncasecmp(reader->next, expected, length)) return false;
    reader->next += length;
    return true;
}

static void reader_skip_line(struct reader *reader)
{
    const char *newline = memchr(reader->next, '\n', reader->end - reader->next);

    reader->next = newline ? newline + 1 : reader->end;
}

static void reader_skip_blanks(struct reader *reader)
{
    while (reader_at(reader, ' ') || reader_at(reader, '\t') || reader_at(reader, '\r'))
        reader->next++;
}

/* Reads a digit of a number; -1 if there is none. */
static int reader_take_digit(struct reader *reader, int base)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit;
    int character;

    if (reader->next == reader->end) return -1;
    character = (unsigned char)*reader->next;
    if (character >= 'A' && character <= 'F') character += 'a' - 'A';
    if (!character || !(digit = strchr(digits, character)) || digit - digits >= base) return -1;
    reader->next++;
    return digit - digits;
}

/* Reads a number of up to so many digits; -1 if there is not even one. */
static int32_t reader_take_number(struct reader *reader, int base, int digits)
{
    int32_t number = -1;
    int digit;

    while (digits-- && (digit = reader_take_digit(reader, base)) != -1)
        number = number == -1 ? digit : number * base + digit;
    return number;
}

/* Reads what stands after a backslash: something does. */
static uint16_t name_take_escape(struct reader *reader)
{
    static const char letters[] = "abefnrtv", meanings[] = "\a\b\x1b\f\n\r\t\v";
    const char *letter;
    int32_t number;
    char character;

    if (reader_take(reader, "x"))
    {
        number = reader_take_number(reader, 16, 4);
        return number == -1 ? 'x' : number;
    }
    if ((number = reader_take_number(reader, 8, 3)) != -1) return number;
    character = *reader->next++;
    letter = character ? strchr(letters, character) : NULL;
    return letter ? meanings[letter - letters] : (unsigned char)character;
}

/* Reads a name up to the character that ends it, and that one too; false if the line ends before.
 */
static bool name_take(struct name *name, struct reader *reader, char end)
{
    name->length = 0;
    while (reader->next < reader->end && *reader->next != '\n')
    {
        uint16_t unit = (unsigned char)*reader->next++;

        if (unit == (unsigned char)end) return true;
        if (unit == '\\')
        {
            if (reader->next == reader->end || *reader->next == '\n') return false;
            unit = name_take_escape(reader);
        }
        if (name->length < NAME_SIZE) name->units[name->length++] = unit;
    }
    return false;
}

static uint16_t lower_case(uint16_t unit)
{
    return unit >= 'A' && unit <= 'Z' ? unit + 'a' - 'A' : unit;
}

/* Says whether a part of a name is this text, in whatever case. */
static bool part_is(struct part part, const char *text)
{
    if (part.length != strlen(text)) return false;
    for (uint32_t i = 0; i < part.length; i++)
        if (lower_case(part.units[i]) != lower_case((unsigned char)text[i])) return false;
    return true;
}

static bool part_equals(struct part part, const uint16_t *units, uint32_t length)
{
    if (part.length != length) return false;
    for (uint32_t i = 0; i < length; i++)
        if (lower_case(part.units[i]) != lower_case(units[i])) return false;
    return true;
}

/* Splits a key's name "System\SET..." into the set and what follows, which may be nothing; false
 * for other keys. */
static bool key_split(const struct name *key, struct part *set, struct part *rest)
{
    static const char parent[] = "System\\";
    const uint32_t start = sizeof(parent) - 1;
    uint32_t end = start;

    if (key->length <= start) return false;
    if (!part_is((struct part){key->units, start}, parent)) return false;
    while (end < key->length && key->units[end] != '\\') end++;
    *set = (struct part){key->units + start, end - start};
    *rest = (struct part){key->units + end, key->length - end};
    return true;
}

/* Reads bytes "12,00,ff" up to the line's end, which a backslash puts off, and stores up to size of
 * them; their number, -1 if it is not such a list. */
static int64_t bytes_take(struct reader *reader, uint8_t *bytes, size_t size)
{
    int64_t count = 0;
    int32_t byte;

    for (;;)
    {
        reader_skip_blanks(reader);
        if (reader_at(reader, '\\'))
        {
            reader->next++;
            reader_skip_blanks(reader);
            if (!reader_at(reader, '\n')) return -1;
            reader->next++;
            continue;
        }
        if (reader->next == reader->end || reader_at(reader, '\n')) return count;
        if ((byte = reader_take_number(reader, 16, 2)) == -1) return -1;
        if ((size_t)count < size) bytes[count] = byte;
        count++;
        reader_skip_blanks(reader);
        if (reader_at(reader, ',')) reader->next++;
    }
}

/* Reads what a link leads to: the last part of its path. */
static void sets_take_target(struct sets *sets, struct reader *reader)
{
    uint8_t bytes[512];
    int64_t length = bytes_take(reader, bytes, sizeof(bytes));

    sets->target_length = 0;
    if (length < 0 || length > (int64_t)sizeof(bytes)) return;
    for (int64_t i = 0; i + 1 < length; i += 2)
    {
        uint16_t unit = bytes[i] | bytes[i + 1] << 8;

        if (unit == '\\')
            sets->target_length = 0;
        else if (unit && sets->target_length < SET_SIZE)
            sets->target[sets->target_length++] = unit;
    }
}

/* Finds out which control sets the file has. name is room for one. */
static void sets_find(struct sets *sets, struct reader reader, struct name *name)
{
    bool inside = false;
    struct part set, rest;

    *sets = (struct sets){0};
    for (; reader.next < reader.end; reader_skip_line(&reader))
    {
        reader_skip_blanks(&reader);
        if (reader_take(&reader, "["))
        {
            inside = name_take(name, &reader, ']') && key_split(name, &set, &rest) &&
                     part_is(set, CURRENT_SET);
            if (inside && rest.length)
            {
                sets->has_current = true;
                inside = false;
            }
        }
        else if (inside && reader_take(&reader, "#link"))
            sets->has_link = true;
        else if (inside && reader_take(&reader, "\"SymbolicLinkValue\"=hex(6):"))
            sets_take_target(sets, &reader);
    }
}

static bool sets_includes(const struct sets *sets, struct part set)
{
    if (part_is(set, CURRENT_SET)) return true;
    if (sets->has_link) return part_equals(set, sets->target, sets->target_length);
    /* Neither the one nor the other: this is what a newer Wine will make a link to. */
    return !sets->has_current && part_is(set, ORDINARY_SET);
}

/* Says which protocol's ranges a key lists; UNIX_OTHER if none's. */
static enum unix_protocol key_protocol(const struct name *key, const struct sets *sets)
{
    struct part set, rest;

    if (!key_split(key, &set, &rest) || !sets_includes(sets, set)) return UNIX_OTHER;
    if (part_is(rest, range_keys[UNIX_TCP])) return UNIX_TCP;
    if (part_is(rest, range_keys[UNIX_UDP])) return UNIX_UDP;
    return UNIX_OTHER;
}

/* Reads a value, of which the quotation mark has been read. */
static void value_take(struct reader *reader, struct name *name, enum unix_protocol protocol,
                       hivefile_visitor visitor, void *context)
{
    struct hivefile_value value = {.protocol = protocol, .name = name->units};

    if (!name_take(name, reader, '"') || !reader_take(reader, "=")) return;
    value.length = name->length;
    value.is_range_data =
        reader_take(reader, "hex:") && bytes_take(reader, NULL, 0) == RANGE_DATA_SIZE;
    visitor(&value, context);
}

static void values_visit(const struct sets *sets, struct reader reader, struct name *name,
                         hivefile_visitor visitor, void *context)
{
    enum unix_protocol protocol = UNIX_OTHER;

    for (; reader.next < reader.end; reader_skip_line(&reader))
    {
        reader_skip_blanks(&reader);
        if (reader_take(&reader, "["))
            protocol = name_take(name, &reader, ']') ? key_protocol(name, sets) : UNIX_OTHER;
        else if (protocol != UNIX_OTHER && reader_take(&reader, "\""))
            value_take(&reader, name, protocol, visitor, context);
    }
}

bool hivefile_visit(const char *text, size_t length, hivefile_visitor visitor, void *context)
{
    struct reader reader = {text, text + length};
    struct name name;
    struct sets sets;

    if (!reader_take(&reader, "WINE REGISTRY Version 2")) return false;
    sets_find(&sets, reader, &name);
    values_visit(&sets, reader, &name, visitor, context);
    return true;
}
