/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_DOCUMENT_H
#define TAWNY_SHOW_DOCUMENT_H

#include <stdio.h>

#include "view.h"

/* Writes all of a view as one JSON object, whose keys README lists. */
void document_write(FILE *file, const struct view *view);

#endif
