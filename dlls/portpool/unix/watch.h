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

/* Watches the host socket behind a descriptor, which the caller may then close. In one set, all are
 * added with the same events: EPOLLOUT, for sockets that carry little, lets watch_ready work. */
enum unix_status watch_add(int epoll, int socket, uint64_t id, uint32_t events);

/* Lists sockets of the set that live, size of them at the most, much faster than watch_list does;
 * but not those that listen, or cannot take more to send. */
uint32_t watch_ready(int epoll, uint64_t *ids, uint32_t size);

/* Lists the sockets of the set that still live, at most size of them; *count may be more. */
enum unix_status watch_list(int entries, uint64_t *ids, uint32_t size, uint32_t *count);

#endif
