/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_SCREEN_H
#define TAWNY_SHOW_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

/* The columns of what is no terminal, or does not say how many it has. */
#define SCREEN_WIDTH 80

/* Colours go from what a range is, by way of the map, to the table: the numbers are enum
 * view_kind's for the first ones. */
enum colour
{
    COLOUR_PERSISTENT,
    COLOUR_RUNTIME,
    COLOUR_ACTIVE,
    COLOUR_SUSPENDED,
    COLOUR_USED,
    COLOUR_NOT_HELD,
    COLOUR_FAINT,
    COLOUR_HEADING,
    COLOUR_NONE,
};

/* What is written to, and what it can show. */
struct screen
{
    FILE *file;
    unsigned int width; /* columns */
    bool colour;
    bool ascii;        /* nothing else can be shown */
    bool blocks;       /* the map may be drawn with characters that are half filled */
    enum colour front; /* of what is being written */
    enum colour behind;
};

/* Finds out what the program's standard output can show. The locale must have been set. */
void screen_open(struct screen *screen);

/* From here on, what is written has a colour, and perhaps another one behind it. */
void screen_colour(struct screen *screen, enum colour front);
void screen_colours(struct screen *screen, enum colour front, enum colour behind);
/* From here on, it has none. */
void screen_plain(struct screen *screen);

/* Writes words, separated by blanks, that begin in this column; those that do not fit go on the
 * next line, to where the first one stands. */
void screen_wrap(struct screen *screen, const char *words, unsigned int column);

#endif
