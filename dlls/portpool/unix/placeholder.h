/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_PLACEHOLDER_H
#define TAWNY_PORTPOOL_UNIX_PLACEHOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "../unixlib.h"

/* Holds a block: one placeholder a port in fds, -1 for a port that an ordinary user can neither
 * hold nor take. All or nothing; with UNIX_IN_USE, *conflict is the port in the way. */
enum unix_status placeholder_hold(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                  int32_t *fds, uint16_t *conflict);

/* Closes the placeholders of a block and forgets them. */
void placeholder_drop(int32_t *fds, uint32_t count);

/* Before Wine binds the socket to the placeholder's port: from here until placeholder_settle,
 * both share the port, and at no instant is it free. */
enum unix_status placeholder_lend(int placeholder, int socket);

/* After Wine's bind, successful (bound) or not. */
void placeholder_settle(int placeholder, int socket, enum unix_protocol protocol, bool bound);

/* Before Wine listens on a TCP socket bound at the placeholder's port, and after. */
enum unix_status placeholder_listen(int placeholder);
void placeholder_settle_listen(int placeholder, int socket, bool listening);

#endif
