/*
 * The ranges of a prefix, for a person
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table, if it fits the width as it is; a paragraph a range, if not.
 */
#define _GNU_SOURCE
#include "listing.h"
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum column
{
    COLUMN_PROTOCOL,
    COLUMN_PORTS,
    COLUMN_COUNT,
    COLUMN_KIND,
    COLUMN_HOLDER,
    COLUMN_USED,
    COLUMNS,
};

/* Between two columns. */
#define LISTING_GAP 2

/* Before what is said of a range, and before what goes on from there. */
#define LISTING_INDENT   4
#define LISTING_CONTINUE 8

static const char *const headings[] = {"PROTOCOL", "PORTS", "COUNT", "KIND", "HELD BY", "IN USE"};

static const char *const kinds[] = {
    [VIEW_PERSISTENT] = "persistent",
    [VIEW_RUNTIME] = "runtime",
    [VIEW_ACTIVE] = "active",
    [VIEW_SUSPENDED] = "suspended",
};

struct row
{
    char *cells[COLUMNS];
};

static char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) == -1) memory_fail();
    va_end(args);
    return text;
}

static const struct view_range *listing_range(const struct view *view, unsigned int i)
{
    return array_at(struct view_range, &view->ranges, i);
}

static const char *protocol_word(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP ? "tcp" : "udp";
}

static char *ports_text(uint32_t first, uint32_t count)
{
    return count == 1 ? format("%u", first) : format("%u-%u", first, first + count - 1);
}

/* Names a program, as short as it can be done. */
static char *program_text(struct screen *screen, const struct view_program *program)
{
    char *name, *text;

    if (!program->windows && !program->process) return format("another user's program");
    name = text_shown(*program->name ? program->name : "process", screen->ascii);
    if (program->process)
        text = format("%s (%u)%s", name, program->process,
                      program->windows ? "" : ", a native program");
    else
        text = format("%s (Windows process %u)", name, program->windows);
    free(name);
    return text;
}

static char *holder_text(struct screen *screen, const struct view *view,
                         const struct view_range *range)
{
    if (range->held == VIEW_NOT_KNOWN) return format("not known");
    if (range->held == VIEW_NOT_HELD || !range->holder) return format("nobody");
    if (range->holder != view->holder) return program_text(screen, range->holder);
    return format("PortPool (%u)", range->holder->process);
}

static struct row row_make(struct screen *screen, const struct view *view,
                           const struct view_range *range)
{
    return (struct row){{
        [COLUMN_PROTOCOL] = format("%s", protocol_word(range->protocol)),
        [COLUMN_PORTS] = ports_text(range->ports.start, range->ports.count),
        [COLUMN_COUNT] = format("%u", range->ports.count),
        [COLUMN_KIND] = format("%s", kinds[range->kind]),
        [COLUMN_HOLDER] = holder_text(screen, view, range),
        [COLUMN_USED] = format("%u", view_count_used(range)),
    }};
}

static void row_free(struct row *row)
{
    for (unsigned int i = 0; i < COLUMNS; i++) free(row->cells[i]);
}

static enum colour cell_colour(const struct view_range *range, unsigned int column)
{
    switch (column)
    {
    case COLUMN_KIND:
        return (enum colour)range->kind;
    case COLUMN_HOLDER:
        return range->held == VIEW_NOT_HELD ? COLOUR_NOT_HELD : COLOUR_NONE;
    case COLUMN_USED:
        return utarray_len(&range->uses) ? COLOUR_USED : COLOUR_NONE;
    default:
        return COLOUR_NONE;
    }
}

static bool column_is_number(unsigned int column)
{
    return column == COLUMN_COUNT || column == COLUMN_USED;
}

static void listing_write_cell(struct screen *screen, const char *text, unsigned int column,
                               unsigned int width, enum colour colour)
{
    unsigned int blanks = width - text_width(text);
    bool number = column_is_number(column);

    fprintf(screen->file, "%*s", (column ? LISTING_GAP : 0) + (number ? blanks : 0), "");
    screen_colour(screen, colour);
    fputs(text, screen->file);
    screen_plain(screen);
    if (!number && column + 1 < COLUMNS) fprintf(screen->file, "%*s", blanks, "");
}

static bool use_goes_with(const struct view_use *use, const struct view_use *other)
{
    return use->program == other->program && use->in_the_way == other->in_the_way;
}

/* Writes the ports of the uses that go with this one, those that follow each other as one. */
static void uses_write_ports(FILE *file, const struct view_range *range, const struct view_use *use)
{
    uint32_t start = 0, count = 0;
    char *ports;

    /* One turn more than there are uses, for the last ports. */
    for (unsigned int i = 0; i <= utarray_len(&range->uses); i++)
    {
        const struct view_use *other = NULL;

        if (i < utarray_len(&range->uses)) other = array_at(struct view_use, &range->uses, i);
        if (other && !use_goes_with(use, other)) continue;
        if (other && count && other->port == start + count)
        {
            count++;
            continue;
        }
        if (count)
        {
            ports = ports_text(start, count);
            fprintf(file, " %s", ports);
            free(ports);
        }
        start = other ? other->port : 0;
        count = 1;
    }
}

/* Says which ports of a range a program uses. */
static void listing_write_use(struct screen *screen, const struct view_range *range,
                              const struct view_use *use)
{
    char *program = program_text(screen, use->program), *words = NULL;
    size_t size;
    FILE *file = open_memstream(&words, &size);

    if (!file) memory_fail();
    fprintf(file, "%s:", program);
    uses_write_ports(file, range, use);
    if (use->in_the_way) fputs(", held as soon as free", file);
    if (fclose(file)) memory_fail();

    fprintf(screen->file, "%*s", LISTING_INDENT, "");
    screen_colour(screen, COLOUR_USED);
    screen_wrap(screen, words, LISTING_INDENT);
    screen_plain(screen);
    fputc('\n', screen->file);
    free(program);
    free(words);
}

/* Says whether an earlier use goes with this one. */
static bool uses_has_earlier(const struct view_range *range, unsigned int i)
{
    const struct view_use *use = array_at(struct view_use, &range->uses, i);

    while (i--)
        if (use_goes_with(use, array_at(struct view_use, &range->uses, i))) return true;
    return false;
}

static void listing_write_uses(struct screen *screen, const struct view_range *range)
{
    for (unsigned int i = 0; i < utarray_len(&range->uses); i++)
        if (!uses_has_earlier(range, i))
            listing_write_use(screen, range, array_at(struct view_use, &range->uses, i));
}

static void listing_write_table(struct screen *screen, const struct view *view,
                                const struct row *rows, const unsigned int *widths)
{
    for (unsigned int column = 0; column < COLUMNS; column++)
        listing_write_cell(screen, headings[column], column, widths[column], COLOUR_HEADING);
    fputc('\n', screen->file);
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
    {
        const struct view_range *range = listing_range(view, i);

        for (unsigned int column = 0; column < COLUMNS; column++)
            listing_write_cell(screen, rows[i].cells[column], column, widths[column],
                               cell_colour(range, column));
        fputc('\n', screen->file);
        listing_write_uses(screen, range);
    }
}

static void listing_write_paragraphs(struct screen *screen, const struct view *view,
                                     const struct row *rows)
{
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
    {
        const struct view_range *range = listing_range(view, i);
        char *const *cells = rows[i].cells;
        char *words = format("%s: %s %s, %s,", cells[COLUMN_PORTS], cells[COLUMN_COUNT],
                             range->ports.count == 1 ? "port" : "ports", cells[COLUMN_KIND]);
        char *rest = format("held by %s, %s in use", cells[COLUMN_HOLDER], cells[COLUMN_USED]);

        screen_colour(screen, (enum colour)range->kind);
        fprintf(screen->file, "%s ", cells[COLUMN_PROTOCOL]);
        screen_wrap(screen, words, LISTING_INDENT);
        screen_plain(screen);
        fprintf(screen->file, "\n%*s", LISTING_INDENT, "");
        screen_wrap(screen, rest, LISTING_INDENT);
        fputc('\n', screen->file);
        listing_write_uses(screen, range);
        free(words);
        free(rest);
    }
}

static void listing_write_ranges(struct screen *screen, const struct view *view)
{
    unsigned int count = utarray_len(&view->ranges), widths[COLUMNS], all = 0;
    struct row *rows = memory_allocate((count + 1) * sizeof(*rows));

    for (unsigned int i = 0; i < count; i++)
        rows[i] = row_make(screen, view, listing_range(view, i));
    for (unsigned int column = 0; column < COLUMNS; column++)
    {
        widths[column] = strlen(headings[column]);
        for (unsigned int i = 0; i < count; i++)
        {
            unsigned int width = text_width(rows[i].cells[column]);

            if (width > widths[column]) widths[column] = width;
        }
        all += widths[column] + (column ? LISTING_GAP : 0);
    }
    if (all <= screen->width)
        listing_write_table(screen, view, rows, widths);
    else
        listing_write_paragraphs(screen, view, rows);
    for (unsigned int i = 0; i < count; i++) row_free(&rows[i]);
    free(rows);
}

static void listing_write_ignored_one(struct screen *screen, const struct view_ignored *ignored)
{
    char *words, *name, *ports, *other;

    if (ignored->name)
    {
        name = text_shown(ignored->name, screen->ascii);
        words = format("%s value \"%s\": makes no sense", protocol_word(ignored->protocol), name);
        free(name);
    }
    else
    {
        ports = ports_text(ignored->ports.start, ignored->ports.count);
        other = ports_text(ignored->overlapped.start, ignored->overlapped.count);
        words = format("%s %s: overlaps %s", protocol_word(ignored->protocol), ports, other);
        free(ports);
        free(other);
    }
    fprintf(screen->file, "%*s", LISTING_INDENT, "");
    screen_wrap(screen, words, LISTING_CONTINUE);
    fputc('\n', screen->file);
    free(words);
}

static void listing_write_ignored(struct screen *screen, const struct view *view)
{
    if (!utarray_len(&view->ignored)) return;
    fputs("\nStored, but ignored:\n", screen->file);
    for (unsigned int i = 0; i < utarray_len(&view->ignored); i++)
        listing_write_ignored_one(screen, array_at(struct view_ignored, &view->ignored, i));
}

static char *state_text(const struct view *view)
{
    switch (view->state)
    {
    case VIEW_STOPPED:
        return format("not running; persistent ranges are held once tawny run starts a program");
    case VIEW_RUNNING:
        if (view->holder)
            return format("running; the service PortPool (%u) holds persistent ranges",
                          view->holder->process);
        return format("running, but the service PortPool is not: persistent ranges are not held; "
                      "start it with tawny run net start PortPool");
    case VIEW_WITHOUT_TAWNY:
        return format("Tawny is not in it: persistent ranges are not held; run tawny setup");
    case VIEW_STARTED_WITHOUT_TAWNY:
        return format("running, but started without Tawny: persistent ranges are not held; end all "
                      "its programs, and start them again with tawny run");
    case VIEW_ANOTHER_USER:
        return format("another user's, who alone can see what is held");
    case VIEW_NO_WINE:
        break;
    }
    return format("not known, as no Wine that works is here to tell what is held");
}

static void listing_write_header(struct screen *screen, const struct view *view)
{
    char *prefix = text_shown(view->prefix, screen->ascii), *state = state_text(view);

    screen_colour(screen, COLOUR_HEADING);
    fputs("Prefix", screen->file);
    screen_plain(screen);
    fprintf(screen->file, "  %s\n", prefix);
    screen_colour(screen, COLOUR_HEADING);
    fputs("State", screen->file);
    screen_plain(screen);
    fputs("   ", screen->file);
    screen_wrap(screen, state, LISTING_CONTINUE);
    fputs("\n\n", screen->file);
    free(prefix);
    free(state);
}

void listing_write(struct screen *screen, const struct view *view)
{
    listing_write_header(screen, view);
    if (utarray_len(&view->ranges))
        listing_write_ranges(screen, view);
    else
        fputs("No ports are reserved.\n", screen->file);
    listing_write_ignored(screen, view);
}
