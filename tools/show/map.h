/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_MAP_H
#define TAWNY_SHOW_MAP_H

#include "screen.h"
#include "view.h"

/* What is most worth seeing of some ports, the least first. */
enum map_mark
{
    MAP_NOTHING,
    MAP_NOT_HELD,
    MAP_PERSISTENT,
    MAP_ACTIVE,
    MAP_RUNTIME,
    MAP_MARKS,
};

/* Some ports that are drawn as one. */
struct map_cell
{
    enum map_mark mark; /* of the ports used, if there are any */
    bool used;
};

/* Divides the ports from 0 to 65535 into count cells, a power of two. */
void map_find_cells(const struct view *view, enum unix_protocol protocol, struct map_cell *cells,
                    unsigned int count);

/* Draws the ports of the protocols that have ranges, and says what the signs mean. */
void map_draw(struct screen *screen, const struct view *view);

#endif
