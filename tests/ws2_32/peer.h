/*
 * Another process that runs the same test, and does what it is told, a command at a time
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A command is a line of words with single blanks between them. The test has a table of them, and
 * begins with peer_serve, which in a peer serves the commands. A peer inherits the sockets that are
 * open when it is started: where that matters it comes before them. Its failures are its parent's
 * once it has ended.
 */
#ifndef TAWNY_TESTS_PEER_H
#define TAWNY_TESTS_PEER_H

#include "util.h"

struct peer
{
    HANDLE process;
    char mark[40]; /* a word of its command line, by which the outsider finds it */
    struct peer_page *page;
    HANDLE section;
    HANDLE command;
    HANDLE answer;
};

struct peer_answer
{
    int error; /* 0 is success */
    ULONG64 value;
};

struct peer_command
{
    const char *name;
    void (*run)(char **words, struct peer_answer *answer); /* the first word is the name */
};

/* Says whether this process is a peer, which has now served and is to end. The table ends with a
 * NULL name. */
BOOL peer_serve(const struct peer_command *commands);

/* FALSE, and a failed check, if it does not start. */
BOOL peer_start_(const char *file, int line, struct peer *peer);
#define peer_start(peer) peer_start_(__FILE__, __LINE__, peer)

/* Sends a command, and does not wait for the answer. */
void peer_post(struct peer *peer, const char *format, ...) WINETEST_PRINTF(2, 3);
struct peer_answer peer_fetch_(const char *file, int line, struct peer *peer);
#define peer_fetch(peer) peer_fetch_(__FILE__, __LINE__, peer)

/* Both; checks that it has this error. The answer's value. */
ULONG64 peer_ask_(const char *file, int line, struct peer *peer, int error, const char *format, ...)
    WINETEST_PRINTF(5, 6);
#define peer_ask(peer, error, ...) peer_ask_(__FILE__, __LINE__, peer, error, __VA_ARGS__)

/* How a peer's end comes about. */
enum peer_end
{
    PEER_EXIT,      /* by itself, leaving all open */
    PEER_TERMINATE, /* by TerminateProcess */
    PEER_KILL,      /* by SIGKILL; needs the outsider */
};

/* Has it end, and waits until it has. */
void peer_end_(const char *file, int line, struct peer *peer, enum peer_end end);
#define peer_end(...) peer_end_(__FILE__, __LINE__, __VA_ARGS__)

#endif
