/*
 * The names that Windows gives to persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rangename.h"

/* The value of a hex digit; -1 if it is none. */
static int digit_value(uint16_t digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool range_name_parse(const uint16_t *name, uint32_t length, struct range_name *range)
{
    uint8_t bytes[RANGE_NAME_LENGTH / 2] = {0};

    if (length != RANGE_NAME_LENGTH) return false;
    for (unsigned int i = 0; i < RANGE_NAME_LENGTH; i++)
    {
        int value = digit_value(name[i]);

        if (value == -1) return false;
        bytes[i / 2] = bytes[i / 2] << 4 | value;
    }
    range->start = bytes[0] << 8 | bytes[1];
    range->count = bytes[3] << 8 | bytes[2];
    return range->start && range->count && range->start + range->count <= 65536;
}

void range_name_format(const struct range_name *range, uint16_t name[RANGE_NAME_LENGTH + 1])
{
    static const uint8_t digits[] = "0123456789abcdef";
    const uint8_t bytes[] = {range->start >> 8, range->start & 255, range->count & 255,
                             range->count >> 8};

    for (unsigned int i = 0; i < RANGE_NAME_LENGTH; i++)
        name[i] = digits[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
    name[RANGE_NAME_LENGTH] = 0;
}
