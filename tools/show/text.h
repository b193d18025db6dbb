/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_TEXT_H
#define TAWNY_SHOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each gives a new string, for the caller to free; they end the program where there is no memory.
 */

/* Makes UTF-8 of UTF-16, U+FFFD of halves of surrogate pairs. */
char *text_from_utf16(const uint16_t *units, uint32_t length);

/* Makes valid UTF-8 of bytes that should be, with U+FFFD where they are not. */
char *text_valid(const char *bytes);

/* Makes of UTF-8 what can be shown on one line, with question marks for all that cannot: what does
 * something to a terminal, and if told so, what is not ASCII. */
char *text_shown(const char *text, bool ascii);

/* The columns that a shown text takes. */
size_t text_width(const char *shown);

#endif
