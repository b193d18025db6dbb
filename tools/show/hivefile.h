/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_HIVEFILE_H
#define TAWNY_SHOW_HIVEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlls/portpool/unixlib.h"

/* A value of one of the two keys that list persistent ranges. */
struct hivefile_value
{
    enum unix_protocol protocol;
    const uint16_t *name; /* UTF-16, not terminated; the visitor's while it is called */
    uint32_t length;      /* of the name, in units */
    bool is_range_data;   /* REG_BINARY of as many bytes as a range has */
};

typedef void (*hivefile_visitor)(const struct hivefile_value *value, void *context);

/* Visits the values that list persistent ranges, in the text of the hive file system.reg, whatever
 * its bytes. Of the control sets, those count that Wine would take for the current one. False,
 * without a visit, if the text is not a hive file at all. */
bool hivefile_visit(const char *text, size_t length, hivefile_visitor visitor, void *context);

#endif
