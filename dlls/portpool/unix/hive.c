/*
 * The prefix's registry as Wine saves it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * We look for a value that stands like this in the text; a long one is continued on the next line
 * after a backslash.
 *
 *   [System\\ControlSet001\\Services\\PortPool\\Parameters] 1700000000
 *   #time=1da0000000000
 *   "Generation"=hex(b):05,00,00,00,00,00,00,00
 */
#include "hive.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* A text that is read from its beginning on. */
struct reader
{
    const char *next;
    const char *end;
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
    while (reader_at(reader, ' ') || reader_at(reader, '\t')) reader->next++;
}

/* Reads past a backslash that continues the line on the next one, if there is one. */
static void reader_continue_line(struct reader *reader)
{
    if (!reader_at(reader, '\\')) return;
    reader->next++;
    if (reader_at(reader, '\r')) reader->next++;
    if (reader_at(reader, '\n')) reader->next++;
    reader_skip_blanks(reader);
}

/* Reads the rest of a line, which must be empty. */
static bool reader_take_line_end(struct reader *reader)
{
    reader_skip_blanks(reader);
    if (reader_at(reader, '\r')) reader->next++;
    return reader->next == reader->end || reader_at(reader, '\n');
}

static int hive_digit(char character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

static bool hive_take_byte(struct reader *reader, uint64_t *byte)
{
    int high, low;

    if (reader->end - reader->next < 2) return false;
    high = hive_digit(reader->next[0]);
    low = hive_digit(reader->next[1]);
    if (high < 0 || low < 0) return false;
    reader->next += 2;
    *byte = high << 4 | low;
    return true;
}

/* Reads the eight bytes of the value, the lowest first. */
static bool hive_take_number(struct reader *reader, uint64_t *number)
{
    uint64_t byte;

    *number = 0;
    for (unsigned int i = 0; i < 8; i++)
    {
        if (i && !reader_take(reader, ",")) return false;
        reader_continue_line(reader);
        if (!hive_take_byte(reader, &byte)) return false;
        *number |= byte << 8 * i;
    }
    return reader_take_line_end(reader);
}

/* Reads a key's name, if it is that of our parameters in one of the control sets. */
static bool hive_take_key(struct reader *reader)
{
    if (!reader_take(reader, "[System\\\\")) return false;
    while (reader->next < reader->end && *reader->next != '\\' && *reader->next != ']' &&
           *reader->next != '\n')
        reader->next++;
    return reader_take(reader, "\\\\Services\\\\PortPool\\\\Parameters]");
}

uint64_t hive_generation(const char *text, size_t length)
{
    struct reader reader = {text, text + length};
    uint64_t generation = 0, number;
    bool inside = false, found = false;

    for (; reader.next < reader.end; reader_skip_line(&reader))
    {
        if (reader_at(&reader, '['))
            inside = hive_take_key(&reader);
        else if (inside && reader_take(&reader, "\"Generation\"=hex(b):") &&
                 hive_take_number(&reader, &number))
        {
            /* Of several control sets only one is in use. The lowest number never says that
             * something is safe that is not. */
            if (!found || number < generation) generation = number;
            found = true;
        }
    }
    return generation;
}
