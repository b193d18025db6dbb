/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_LISTING_H
#define TAWNY_SHOW_LISTING_H

#include "screen.h"
#include "view.h"

/* Writes the prefix and its state, its ranges and what is in use, for a person. */
void listing_write(struct screen *screen, const struct view *view);

#endif
