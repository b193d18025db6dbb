/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_WATCH_H
#define TAWNY_PORTPOOL_UNIX_WATCH_H

#include "../unixlib.h"

/* Opens a watch set: two descriptors, closed together. */
enum unix_status watch_open(int *epoll, int *entries);
void watch_close(int epoll, int entries);

/* Watches the host socket behind a descriptor, which the caller may then close. */
enum unix_status watch_add(int epoll, int socket, uint64_t id);

/* Lists the sockets of the set that still live, at most size of them; *count may be more. */
enum unix_status watch_list(int entries, uint64_t *ids, uint32_t size, uint32_t *count);

#endif
