/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_RECORD_H
#define TAWNY_PORTPOOL_UNIX_RECORD_H

#include <stddef.h>

#include "../unixlib.h"

/* Room for the longest line and the zero byte after it. */
#define RECORD_SIZE 64

/* Writes a record as a line with its newline; the line's length. */
size_t record_format(const struct unix_journal_record *record, char line[RECORD_SIZE]);

/* Reads the record with which a text begins; the length of its line, or 0 if there is no whole and
 * sound one. */
size_t record_parse(const char *text, size_t length, struct unix_journal_record *record);

#endif
