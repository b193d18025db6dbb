/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_HIVE_H
#define TAWNY_PORTPOOL_UNIX_HIVE_H

#include <stddef.h>
#include <stdint.h>

/* Finds the generation of the store in the text of the hive file: the number of the last change of
 * which the text has all. 0 if it does not say. */
uint64_t hive_generation(const char *text, size_t length);

#endif
