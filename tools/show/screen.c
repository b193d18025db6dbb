/*
 * What the output can show
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "memory.h"
#include "screen.h"
#include "text.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How a colour is asked for: in front, and behind. */
static const struct
{
    const char *front;
    const char *behind;
} codes[] = {
    [COLOUR_PERSISTENT] = {"34", "44"}, [COLOUR_RUNTIME] = {"32", "42"},
    [COLOUR_ACTIVE] = {"36", "46"},     [COLOUR_SUSPENDED] = {"35", "45"},
    [COLOUR_USED] = {"33", "43"},       [COLOUR_NOT_HELD] = {"31", "41"},
    [COLOUR_FAINT] = {"2", NULL},       [COLOUR_HEADING] = {"1", NULL},
};

static bool screen_is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value;
}

static bool screen_has_colours(void)
{
    const char *terminal = getenv("TERM");

    return terminal && *terminal && strcmp(terminal, "dumb") && !screen_is_set("NO_COLOR");
}

static unsigned int screen_find_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    long width;

    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) return size.ws_col;
    width = columns ? strtol(columns, NULL, 10) : 0;
    return width > 0 && width <= 10000 ? width : SCREEN_WIDTH;
}

void screen_open(struct screen *screen)
{
    bool terminal = isatty(STDOUT_FILENO);

    *screen = (struct screen){
        .file = stdout, .width = SCREEN_WIDTH, .front = COLOUR_NONE, .behind = COLOUR_NONE};
    screen->ascii = strcmp(nl_langinfo(CODESET), "UTF-8");
    if (!terminal) return;
    screen->width = screen_find_width();
    screen->colour = screen_has_colours();
    screen->blocks = screen->colour && !screen->ascii;
}

void screen_colours(struct screen *screen, enum colour front, enum colour behind)
{
    if (!screen->colour || (front == screen->front && behind == screen->behind)) return;
    screen->front = front;
    screen->behind = behind;
    fputs("\033[0", screen->file);
    if (front != COLOUR_NONE) fprintf(screen->file, ";%s", codes[front].front);
    if (behind != COLOUR_NONE) fprintf(screen->file, ";%s", codes[behind].behind);
    fputc('m', screen->file);
}

void screen_colour(struct screen *screen, enum colour front)
{
    screen_colours(screen, front, COLOUR_NONE);
}

void screen_plain(struct screen *screen)
{
    screen_colours(screen, COLOUR_NONE, COLOUR_NONE);
}

void screen_wrap(struct screen *screen, const char *words, unsigned int column)
{
    unsigned int at = column;

    while (*words)
    {
        size_t length = strcspn(words, " ");
        char *word = strndup(words, length);
        unsigned int width;

        if (!word) memory_fail();
        width = text_width(word);
        if (at > column && at + 1 + width > screen->width)
        {
            fprintf(screen->file, "\n%*s", column, "");
            at = column;
        }
        else if (at > column)
        {
            fputc(' ', screen->file);
            at++;
        }
        fputs(word, screen->file);
        at += width;
        free(word);
        words += length;
        words += strspn(words, " ");
    }
}
