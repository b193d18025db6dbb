/*
 * The way to the native program of tests/native/outsider.c
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Without that program tests skip what concerns it.
 */
#ifndef TAWNY_TESTS_OUTSIDER_H
#define TAWNY_TESTS_OUTSIDER_H

#include <winsock2.h>

#include "wine/test.h"

struct kind;

BOOL outsider_available(void);
/* Sends a command; its answer, until the next call. */
const char *outsider(const char *format, ...) WINETEST_PRINTF(1, 2);
/* The same for an answer that begins with a number, which it returns; or the negative errno. */
int outsider_number(const char *format, ...) WINETEST_PRINTF(1, 2);
/* Before WSACleanup. The outsider closes what it opened for us. */
void outsider_disconnect(void);

/* As Linux numbers them. */
#define LINUX_EADDRINUSE 98
#define LINUX_EACCES     13
#define LINUX_SIGSTOP    19
#define LINUX_SIGCONT    18

/* Every shape of a native bind. */
struct outsider_shape
{
    const char *address;
    const char *option;
};

#define OUTSIDER_SHAPES 7
extern const struct outsider_shape outsider_shapes[OUTSIDER_SHAPES];

/* As commands name the kind's protocol. */
const char *protocol_name(const struct kind *kind);

/* Binds the outsider: its socket's number, or the negative errno. */
int outsider_bind(const struct kind *kind, const char *address, USHORT port, const char *options);
int outsider_bind_shape(const struct kind *kind, const struct outsider_shape *shape, USHORT port,
                        const char *options);

/* Of all shapes, how many the outsider can bind; the last that it could. */
unsigned int outsider_gets(const struct kind *kind, USHORT port, const char *options,
                           const char **which);

void check_kept_out_(const char *file, int line, const struct kind *kind, USHORT port,
                     const char *options);
#define check_kept_out(...) check_kept_out_(__FILE__, __LINE__, __VA_ARGS__)

/* Those that do not set SO_REUSEPORT. */
void check_kept_out_plainly_(const char *file, int line, const struct kind *kind, USHORT port);
#define check_kept_out_plainly(...) check_kept_out_plainly_(__FILE__, __LINE__, __VA_ARGS__)

/* The process of the host that has the word in its command line. */
int outsider_find_process(const char *word);

#endif
