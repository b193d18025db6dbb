/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_JOURNAL_H
#define TAWNY_PORTPOOL_UNIX_JOURNAL_H

#include "../unixlib.h"

/* The prefix's journal, which one process has at a time. Its functions must not be called by two
 * threads at once. */

/* Opens it, made if need be, until the process ends; does nothing if it is open. */
enum unix_status journal_open(void);

/* Lists the sound records, size of them at the most; *count may be more. */
enum unix_status journal_read(struct unix_journal_record *records, uint32_t size, uint32_t *count);

/* Adds a record, safe on disk when this returns UNIX_SUCCESS; else the journal is as it was. */
enum unix_status journal_append(const struct unix_journal_record *record);

/* Drops the records that the hive file on disk has. */
enum unix_status journal_trim(uint32_t *remaining);

#endif
