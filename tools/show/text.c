/*
 * Texts that come from elsewhere
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of files may be any bytes, and names of programs any characters. JSON is to be valid, and a
 * terminal to be told nothing by them.
 */
#define _GNU_SOURCE
#include "memory.h"
#include "text.h"

#include <string.h>
#include <wchar.h>

#define REPLACEMENT 0xfffd

/* Writes a character, four bytes at the most; what follows it. */
static char *text_put(char *next, uint32_t character)
{
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned int length = 1;

    if (character >= 0x80) length++;
    if (character >= 0x800) length++;
    if (character >= 0x10000) length++;
    for (unsigned int i = length - 1; i; i--)
    {
        next[i] = 0x80 | (character & 0x3f);
        character >>= 6;
    }
    next[0] = marks[length] | character;
    return next + length;
}

/* How many bytes a character takes that begins with this one; 0 if none does. */
static unsigned int text_length(uint8_t first)
{
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

/* Reads a character, U+FFFD where there is none; what follows it. Not for an empty text. */
static const char *text_take(const char *text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned int length = text_length(*text);

    *character = REPLACEMENT;
    if (!length) return text + 1;
    *character = length == 1 ? *text : *text & (0x7f >> length);
    for (unsigned int i = 1; i < length; i++)
    {
        /* Also the zero byte at the end. */
        if ((text[i] & 0xc0) != 0x80)
        {
            *character = REPLACEMENT;
            return text + i;
        }
        *character = *character << 6 | (text[i] & 0x3f);
    }
    if (*character < least[length] || *character > 0x10ffff ||
        (*character >= 0xd800 && *character < 0xe000))
        *character = REPLACEMENT;
    return text + length;
}

char *text_from_utf16(const uint16_t *units, uint32_t length)
{
    char *text = memory_allocate(3 * (size_t)length + 1), *next = text;

    for (uint32_t i = 0; i < length; i++)
    {
        uint32_t character = units[i];

        if (character >= 0xd800 && character < 0xdc00 && i + 1 < length && units[i + 1] >= 0xdc00 &&
            units[i + 1] < 0xe000)
            character = 0x10000 + ((character - 0xd800) << 10) + (units[++i] - 0xdc00);
        else if (!character || (character >= 0xd800 && character < 0xe000))
            character = REPLACEMENT;
        next = text_put(next, character);
    }
    *next = 0;
    return text;
}

char *text_valid(const char *bytes)
{
    char *text = memory_allocate(3 * strlen(bytes) + 1), *next = text;
    uint32_t character;

    while (*bytes)
    {
        bytes = text_take(bytes, &character);
        next = text_put(next, character);
    }
    *next = 0;
    return text;
}

/* Says whether a character does nothing to a terminal but fill columns, in the order in which it
 * stands. */
static bool text_is_harmless(uint32_t character)
{
    if (character < 0x20 || (character >= 0x7f && character < 0xa0)) return false;
    /* Marks that turn the direction of writing. */
    if (character == 0x200e || character == 0x200f || character == 0x061c) return false;
    if (character >= 0x2028 && character <= 0x202e) return false;
    return character < 0x2066 || character > 0x2069;
}

char *text_shown(const char *text, bool ascii)
{
    char *shown = memory_allocate(3 * strlen(text) + 1), *next = shown;
    uint32_t character;

    while (*text)
    {
        text = text_take(text, &character);
        if (!text_is_harmless(character) || (ascii && character >= 0x80)) character = '?';
        /* Nor do we know how many columns such a one takes. */
        if (character >= 0x80 && wcwidth(character) < 0) character = '?';
        next = text_put(next, character);
    }
    *next = 0;
    return shown;
}

size_t text_width(const char *shown)
{
    size_t width = 0;
    uint32_t character;

    while (*shown)
    {
        shown = text_take(shown, &character);
        width += character < 0x80 ? 1 : wcwidth(character);
    }
    return width;
}
