/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_VIEW_H
#define TAWNY_SHOW_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "dlls/portpool/rangename.h"
#include "dlls/portpool/unixlib.h"
#include "host.h"
#include "memory.h"
#include "report.h"
#include "stored.h"

enum view_state
{
    VIEW_STOPPED,
    VIEW_RUNNING,
    VIEW_WITHOUT_TAWNY,         /* running or not, and Tawny is not in it */
    VIEW_STARTED_WITHOUT_TAWNY, /* running, but nobody can hold its persistent ranges */
    VIEW_ANOTHER_USER,          /* running or not: that user can tell */
    VIEW_NO_WINE,               /* running or not: no Wine is there to tell */
};

enum view_held
{
    VIEW_HELD,
    VIEW_NOT_HELD,
    VIEW_NOT_KNOWN,
};

enum view_kind
{
    VIEW_PERSISTENT,
    VIEW_RUNTIME,
    VIEW_ACTIVE,
    VIEW_SUSPENDED,
    VIEW_KINDS,
};

/* All texts in what follows are valid UTF-8. */

struct view_program
{
    char *name;       /* of the file without its directories; empty if it is not known */
    char *path;       /* as Windows writes it; NULL if it is not known */
    uint32_t process; /* the host's number; 0 if it is not known */
    uint32_t windows; /* Wine's number; 0 for a native program */
};

struct view_use
{
    uint16_t port;
    bool in_the_way; /* the port is not held, for the sake of this program */
    const struct view_program *program;
};

struct view_range
{
    enum unix_protocol protocol;
    struct range_name ports;
    enum view_kind kind;
    enum view_held held;
    const struct view_program *holder; /* NULL if nobody, or nobody known */
    UT_array uses;                     /* struct view_use, by port and program */
};

/* What is stored and makes no range. */
struct view_ignored
{
    enum unix_protocol protocol;
    char *name;                   /* of a value that makes no sense; NULL if it makes sense */
    struct range_name ports;      /* of one that makes sense */
    struct range_name overlapped; /* … and is ignored for the sake of this one */
};

struct view
{
    char *prefix;
    enum view_state state;
    const struct view_program *holder;
    UT_array ranges;   /* struct view_range, by protocol, start, and count */
    UT_array ignored;  /* struct view_ignored */
    UT_array programs; /* struct view_program * */
};

/* Puts together what is known; report is NULL where no Wine process was asked. stored must not have
 * been settled. */
void view_make(struct view *view, const char *prefix, enum view_state state, struct stored *stored,
               const struct report *report);
void view_free(struct view *view);

/* Leaves of ranges and of what is ignored one protocol's. */
void view_keep(struct view *view, enum unix_protocol protocol);

/* How many ports of a range are in use. */
uint32_t view_count_used(const struct view_range *range);

#endif
