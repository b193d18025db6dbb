/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ports.exe prints of a running prefix. A line is a keyword and its fields, separated by tabs;
 * what begins with another keyword is not for us, for Wine prints what it likes:
 *
 *   ports 1                                    first of all: the form's version
 *   pool                                       the prefix has Tawny's port pool
 *   generation NUMBER                          of the registry's list of persistent ranges
 *   value PROTOCOL DATA NAME                   of that list; DATA is good or bad: its type and size
 *   process PROCESS HOST PATH                  a process that the lines below name
 *   holder PROCESS                             it holds the persistent ranges
 *   range PROTOCOL START COUNT KIND HELD PROCESS
 *                                              HELD is 1 or 0, PROCESS that of a block, else 0
 *   use PROTOCOL PORT PROCESS                  a process has a socket bound to a port
 *   end                                        last of all
 *
 * PROTOCOL is tcp or udp, KIND block, persistent, active or suspended. PROCESS is the number that
 * Windows programs know a process by, HOST that of the host, 0 if it is not known. A path is in
 * UTF-8, empty if it is not known; a name is in UTF-16, four hex digits a unit.
 */
#ifndef TAWNY_SHOW_REPORT_H
#define TAWNY_SHOW_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "memory.h"
#include "stored.h"

enum report_kind
{
    REPORT_BLOCK,
    REPORT_PERSISTENT,
    REPORT_ACTIVE,
    REPORT_SUSPENDED,
};

struct report_process
{
    uint32_t process;
    uint32_t host;
    char *path;
};

struct report_range
{
    enum unix_protocol protocol;
    struct range_name ports;
    enum report_kind kind;
    bool held;
    uint32_t process;
};

struct report_use
{
    enum unix_protocol protocol;
    uint16_t port;
    uint32_t process;
};

struct report
{
    bool has_pool;
    uint64_t generation;
    uint32_t holder;    /* 0: there is none */
    UT_array processes; /* struct report_process */
    UT_array ranges;    /* struct report_range */
    UT_array uses;      /* struct report_use */
};

/* Reads a report to its end, adding the values to what is stored; false if it is not a whole one.
 * To be freed in either case. */
bool report_read(FILE *file, struct report *report, struct stored *stored);
void report_free(struct report *report);

/* Finds a process by its number; NULL if it is not in the report. */
const struct report_process *report_find(const struct report *report, uint32_t process);

#endif
