/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names of the registry values that Windows stores persistent ranges under: eight hex digits,
 * the start port's two bytes in network order and then the count's two bytes in little-endian order
 * (BigFix fixlet 27007): cc570100 is one port, 52311. Plain C, without Windows or Unix.
 */
#ifndef TAWNY_PORTPOOL_RANGENAME_H
#define TAWNY_PORTPOOL_RANGENAME_H

#include <stdbool.h>
#include <stdint.h>

#define RANGE_NAME_LENGTH 8

/* Every value's data, on Windows and here. */
#define RANGE_DATA                                                                                 \
    {                                                                                              \
        0x12, 0x00, 0xff, 0xff                                                                     \
    }
#define RANGE_DATA_SIZE 4

/* Both in host byte order. count is 1 or more, and the range does not run past 65535. */
struct range_name
{
    uint16_t start;
    uint16_t count;
};

/* Says what a value's name means; false if it makes no sense: another length, not hex (either case
 * will do), start or count 0, past 65535. The name is UTF-16 and need not be terminated. */
bool range_name_parse(const uint16_t *name, uint32_t length, struct range_name *range);

/* Writes the name that Windows would, in lower case, terminated. */
void range_name_format(const struct range_name *range, uint16_t name[RANGE_NAME_LENGTH + 1]);

#endif
