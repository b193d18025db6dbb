/*
 * A record of the journal as text
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A line is "GENERATION add|remove tcp|udp START COUNT CHECKSUM": numbers in decimal, the checksum
 * the CRC-32 of all that stands before it, in 8 hex digits.
 */
#include "record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static uint32_t record_checksum(const char *text, size_t length)
{
    uint32_t sum = ~0u;

    for (size_t i = 0; i < length; i++)
    {
        sum ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return ~sum;
}

size_t record_format(const struct unix_journal_record *record, char line[RECORD_SIZE])
{
    int length =
        snprintf(line, RECORD_SIZE, "%" PRIu64 " %s %s %u %u ", record->generation,
                 record->remove ? "remove" : "add", record->protocol == UNIX_TCP ? "tcp" : "udp",
                 record->start, record->count);

    return length + snprintf(line + length, RECORD_SIZE - length, "%08" PRIx32 "\n",
                             record_checksum(line, length));
}

static bool record_makes_sense(const struct unix_journal_record *record)
{
    return record->generation && record->start && record->count &&
           record->start + record->count <= 65536;
}

size_t record_parse(const char *text, size_t length, struct unix_journal_record *record)
{
    char line[RECORD_SIZE], again[RECORD_SIZE], verb[8], protocol[8];
    const char *end = memchr(text, '\n', length);

    if (!end || end - text >= RECORD_SIZE - 1) return 0;
    length = end + 1 - text;
    memcpy(line, text, length);
    line[length] = 0;

    if (sscanf(line, "%" SCNu64 " %7s %7s %" SCNu16 " %" SCNu16, &record->generation, verb,
               protocol, &record->start, &record->count) != 5)
        return 0;
    record->remove = !strcmp(verb, "remove");
    record->protocol = strcmp(protocol, "tcp") ? UNIX_UDP : UNIX_TCP;
    /* A line is sound if it is what we would write ourselves: its checksum then is, too. */
    if (!record_makes_sense(record) || record_format(record, again) != length ||
        memcmp(again, line, length))
        return 0;
    return length;
}
