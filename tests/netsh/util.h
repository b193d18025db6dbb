/*
 * What the tests of netsh have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_TESTS_NETSH_UTIL_H
#define TAWNY_TESTS_NETSH_UTIL_H

#include "../iphlpapi/service.h"

#include "portpool.h"

/* What a program has written to its standard output, and how it ended. */
struct said
{
    DWORD code;
    char *text; /* terminated; to be freed with free */
};

/* Runs a command line to its end, by the current directory if directory is NULL, as this process's
 * user or, if token is not NULL, as that one. */
struct said run_program(const char *command_line, const char *directory, HANDLE token);
/* The same of the netsh in the system directory, with arguments. */
struct said run_netsh(const char *format, ...) WINETEST_PRINTF(1, 2);

void check_said_(const char *file, int line, const char *what, struct said said, DWORD code,
                 const char *text);

/* Runs netsh; checks how it ends and, to the byte, what it says. */
#define check_netsh(code, text, ...) check_netsh_(__FILE__, __LINE__, code, text, __VA_ARGS__)
void check_netsh_(const char *file, int line, DWORD code, const char *text, const char *format, ...)
    WINETEST_PRINTF(5, 6);

/* Runs netsh; checks how it ends, and that it says this among other things. */
#define check_netsh_says(code, text, ...)                                                          \
    check_netsh_says_(__FILE__, __LINE__, code, text, __VA_ARGS__)
void check_netsh_says_(const char *file, int line, DWORD code, const char *text, const char *format,
                       ...) WINETEST_PRINTF(5, 6);

#define OK "Ok.\r\n\r\n"
#define IN_USE                                                                                     \
    "The process cannot access the file because it is being used by another process.\r\n\r\n"
#define NOT_THERE   "Element not found.\r\n\r\n"
#define NO_FILE     "The system cannot find the file specified.\r\n\r\n"
#define BAD_RANGE   "The parameter is incorrect.\r\n\r\n"
#define ELEVATION   "The requested operation requires elevation (Run as administrator).\r\n\r\n"
#define DENIED      "Access is denied.\r\n\r\n"
#define NOT_RUNNING "The service has not been started.\r\n\r\n"

/* A row of what netsh shows. */
struct row
{
    USHORT start;
    USHORT count;
    BOOL star;
};

/* Checks that netsh shows exactly these, with one of its stores, NULL for none that is named, and
 * for both families. */
void check_shown_(const char *file, int line, const struct kind *kind, const char *store,
                  const struct row *rows, unsigned int count);
#define check_shown(...) check_shown_(__FILE__, __LINE__, __VA_ARGS__)

/* "tcp" or "udp". */
const char *protocol_word(const struct kind *kind);

/* portpool's table of functions. */
const struct portpool *load_portpool(void);

/* What portpool lists of exactly these ports; FALSE, and *item zeroed, if it is not there. */
BOOL find_listed(const struct kind *kind, USHORT start, USHORT count, struct portpool_listed *item);

#define check_listed(...) check_listed_(__FILE__, __LINE__, __VA_ARGS__)
void check_listed_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   enum portpool_kind expected, BOOL held);
#define check_not_listed(...) check_not_listed_(__FILE__, __LINE__, __VA_ARGS__)
void check_not_listed_(const char *file, int line, const struct kind *kind, USHORT start,
                       USHORT count);

/* Says whether a list of the volatile key has a range: Active or Suspended. */
BOOL is_in_volatile(const struct kind *kind, const char *list, USHORT start, USHORT count);

/* What a peer can be told: acquire K START COUNT, on a socket that stays open. */
void command_acquire(char **words, struct peer_answer *answer);

/* Where files of the test's may be, with a backslash at the end. */
const char *test_directory(void);
/* Writes a file there; its whole name, until the next call. */
const char *write_test_file(const char *name, const void *bytes, DWORD size);

#endif
