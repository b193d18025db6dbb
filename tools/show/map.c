/*
 * A map of the port space
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Eight rows of ports, as many to a character as the width asks for. With colours, a character
 * shows two cells, its left and its right half; without, it shows one, as a letter.
 */
#include "map.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define MAP_PORTS  65536
#define MAP_ROWS   8
#define MAP_MARGIN 8 /* columns for the first port of a row */
#define MAP_SCALE  8 /* columns from one mark of the scale to the next */
#define MAP_WIDEST 128

/* Between two signs. */
#define LEGEND_GAP 2

static const struct
{
    char letter;
    enum colour colour;
    const char *name;
} marks[] = {
    [MAP_NOTHING] = {'.', COLOUR_FAINT, "nothing"},
    [MAP_NOT_HELD] = {'n', COLOUR_NOT_HELD, "not held"},
    [MAP_PERSISTENT] = {'p', COLOUR_PERSISTENT, "persistent"},
    [MAP_ACTIVE] = {'a', COLOUR_ACTIVE, "active"},
    [MAP_RUNTIME] = {'r', COLOUR_RUNTIME, "runtime"},
};

static enum map_mark map_mark_of(const struct view_range *range)
{
    if (range->held == VIEW_NOT_HELD || range->kind == VIEW_SUSPENDED) return MAP_NOT_HELD;
    if (range->kind == VIEW_RUNTIME) return MAP_RUNTIME;
    return range->kind == VIEW_ACTIVE ? MAP_ACTIVE : MAP_PERSISTENT;
}

static void map_add_range(const struct view_range *range, struct map_cell *cells, uint32_t size)
{
    uint32_t first = range->ports.start / size;
    uint32_t last = (range->ports.start + range->ports.count - 1) / size;
    enum map_mark mark = map_mark_of(range);

    for (uint32_t i = first; i <= last; i++)
        if (mark > cells[i].mark) cells[i].mark = mark;
}

static void map_add_uses(const struct view_range *range, struct map_cell *cells, uint32_t size)
{
    enum map_mark mark = map_mark_of(range);

    for (unsigned int i = 0; i < utarray_len(&range->uses); i++)
    {
        struct map_cell *cell = &cells[array_at(struct view_use, &range->uses, i)->port / size];

        if (!cell->used || mark > cell->mark) cell->mark = mark;
        cell->used = true;
    }
}

static const struct view_range *map_range_at(const struct view *view, unsigned int i)
{
    return array_at(struct view_range, &view->ranges, i);
}

void map_find_cells(const struct view *view, enum unix_protocol protocol, struct map_cell *cells,
                    unsigned int count)
{
    memset(cells, 0, count * sizeof(*cells));
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        if (map_range_at(view, i)->protocol == protocol)
            map_add_range(map_range_at(view, i), cells, MAP_PORTS / count);
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        if (map_range_at(view, i)->protocol == protocol)
            map_add_uses(map_range_at(view, i), cells, MAP_PORTS / count);
}

/* The columns of a row. */
static unsigned int map_width(struct screen *screen)
{
    unsigned int width = MAP_WIDEST;

    while (width > 2 * MAP_SCALE && MAP_MARGIN + width > screen->width) width /= 2;
    return width;
}

static enum colour cell_colour(const struct map_cell *cell)
{
    if (cell->used) return COLOUR_USED;
    return cell->mark == MAP_NOTHING ? COLOUR_NONE : marks[cell->mark].colour;
}

static void map_draw_letter(struct screen *screen, const struct map_cell *cell)
{
    char letter = marks[cell->mark].letter;

    screen_colour(screen, cell->used ? COLOUR_USED : marks[cell->mark].colour);
    fputc(cell->used ? letter - 'a' + 'A' : letter, screen->file);
}

/* Draws two cells as the halves of a character. */
static void map_draw_halves(struct screen *screen, const struct map_cell *cells)
{
    enum colour left = cell_colour(&cells[0]), right = cell_colour(&cells[1]);
    const char *character = "▌";

    if (left == COLOUR_NONE && right == COLOUR_NONE)
    {
        left = COLOUR_FAINT;
        character = "·";
    }
    else if (left == COLOUR_NONE)
    {
        left = right;
        right = COLOUR_NONE;
        character = "▐";
    }
    else if (left == right)
    {
        right = COLOUR_NONE;
        character = "█";
    }
    screen_colours(screen, left, right);
    fputs(character, screen->file);
}

static void map_draw_scale(struct screen *screen, enum unix_protocol protocol, unsigned int width)
{
    unsigned int step = MAP_PORTS / MAP_ROWS / (width / MAP_SCALE);

    screen_colour(screen, COLOUR_HEADING);
    fprintf(screen->file, "%-*s", MAP_MARGIN, protocol == UNIX_TCP ? "TCP" : "UDP");
    screen_plain(screen);
    screen_colour(screen, COLOUR_FAINT);
    for (unsigned int i = 0; i < width / MAP_SCALE; i++)
    {
        /* No blanks at the end. */
        if (i + 1 < width / MAP_SCALE)
            fprintf(screen->file, "+%-*u", MAP_SCALE - 1, i * step);
        else
            fprintf(screen->file, "+%u", i * step);
    }
    screen_plain(screen);
    fputc('\n', screen->file);
}

static void map_draw_protocol(struct screen *screen, const struct view *view,
                              enum unix_protocol protocol, unsigned int width)
{
    unsigned int halves = screen->blocks ? 2 : 1;
    struct map_cell cells[MAP_ROWS * MAP_WIDEST * 2], *cell = cells;

    map_find_cells(view, protocol, cells, MAP_ROWS * width * halves);
    map_draw_scale(screen, protocol, width);
    for (unsigned int row = 0; row < MAP_ROWS; row++)
    {
        screen_colour(screen, COLOUR_FAINT);
        fprintf(screen->file, "%*u ", MAP_MARGIN - 1, row * MAP_PORTS / MAP_ROWS);
        for (unsigned int i = 0; i < width; i++, cell += halves)
        {
            if (screen->blocks)
                map_draw_halves(screen, cell);
            else
                map_draw_letter(screen, cell);
        }
        screen_plain(screen);
        fputc('\n', screen->file);
    }
}

/* Which marks there are; used says whether anything is in use. */
static void map_find_marks(const struct view *view, bool there[MAP_MARKS], bool *used)
{
    *used = false;
    memset(there, 0, MAP_MARKS * sizeof(*there));
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
    {
        there[map_mark_of(map_range_at(view, i))] = true;
        if (utarray_len(&map_range_at(view, i)->uses)) *used = true;
    }
}

/* Writes a sign and what it means where a line has got to, or on the next; where it is then. */
static unsigned int legend_write(struct screen *screen, unsigned int at, unsigned int margin,
                                 enum colour colour, const char *sign, const char *meaning)
{
    unsigned int width = text_width(sign) + 1 + text_width(meaning);

    if (at > margin && at + LEGEND_GAP + width > screen->width)
    {
        fprintf(screen->file, "\n%*s", margin, "");
        at = margin;
    }
    else if (at > margin)
    {
        fprintf(screen->file, "%*s", LEGEND_GAP, "");
        at += LEGEND_GAP;
    }
    screen_colour(screen, colour);
    fputs(sign, screen->file);
    screen_plain(screen);
    fprintf(screen->file, " %s", meaning);
    return at + width;
}

static void map_draw_legend(struct screen *screen, const struct view *view, unsigned int width)
{
    unsigned int margin = screen->width < SCREEN_WIDTH ? 0 : MAP_MARGIN, at = margin;
    unsigned int ports = MAP_PORTS / MAP_ROWS / width;
    bool there[MAP_MARKS], used;

    map_find_marks(view, there, &used);
    fprintf(screen->file, "%*s", margin, "");
    for (unsigned int mark = MAP_NOTHING; mark < MAP_MARKS; mark++)
    {
        const char letter[] = {marks[mark].letter, 0}, *block = mark == MAP_NOTHING ? "·" : "█";

        if (there[mark] || mark == MAP_NOTHING)
            at = legend_write(screen, at, margin, marks[mark].colour,
                              screen->blocks ? block : letter, marks[mark].name);
    }
    if (used) legend_write(screen, at, margin, COLOUR_USED, screen->blocks ? "█" : "ABC", "in use");
    fprintf(screen->file, "\n%*s", margin, "");
    if (screen->blocks)
        fprintf(screen->file, "half a character is %u ports\n", ports / 2);
    else
        fprintf(screen->file, "a character is %u ports\n", ports);
}

void map_draw(struct screen *screen, const struct view *view)
{
    unsigned int width = map_width(screen);
    bool there[2] = {false};

    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        there[map_range_at(view, i)->protocol] = true;
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        if (!there[protocol]) continue;
        map_draw_protocol(screen, view, protocol, width);
        fputc('\n', screen->file);
    }
    if (utarray_len(&view->ranges)) map_draw_legend(screen, view, width);
}
