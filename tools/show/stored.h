/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_STORED_H
#define TAWNY_SHOW_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlls/portpool/rangename.h"
#include "dlls/portpool/unixlib.h"
#include "memory.h"

/* What the prefix has stored as a persistent range. */
struct stored_range
{
    enum unix_protocol protocol;
    struct range_name ports;
    /* An earlier one that it overlaps, for which the holder ignores it; its count is 0 if there is
     * none. */
    struct range_name overlapped;
};

/* What stands there and makes no sense. */
struct stored_oddity
{
    enum unix_protocol protocol;
    char *name; /* UTF-8 */
};

struct stored
{
    UT_array ranges;   /* struct stored_range */
    UT_array oddities; /* struct stored_oddity */
};

void stored_init(struct stored *stored);
void stored_free(struct stored *stored);

/* Adds a value of the registry's list; is_range_data says whether its type and size are right. */
void stored_add_value(struct stored *stored, enum unix_protocol protocol, const uint16_t *name,
                      uint32_t length, bool is_range_data);

/* Does what a journal's text says was done after this generation, as the holder does when it
 * starts. */
void stored_replay(struct stored *stored, const char *journal, size_t length, uint64_t generation);

typedef bool (*stored_is_held)(enum unix_protocol protocol, const struct range_name *ports,
                               void *context);

/* Sorts the ranges by protocol, start, and count, and finds those that are ignored: they overlap
 * one that is_held says is held, or else one that comes before. */
void stored_settle(struct stored *stored, stored_is_held is_held, void *context);

#endif
