/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_PLACEHOLDER_H
#define TAWNY_PORTPOOL_UNIX_PLACEHOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "../unixlib.h"

struct host_socket;

/* Holds a block: one placeholder a port in fds, -1 for a port that an ordinary user can neither
 * hold nor take. All or nothing; with UNIX_IN_USE, *conflict is the port in the way. */
enum unix_status placeholder_hold(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                  int32_t *fds, uint16_t *conflict);

/* Closes the placeholders of a block and forgets them. */
void placeholder_drop(int32_t *fds, uint32_t count);

/* From now on, until they are dropped, these placeholders of one range lend their ports. */
void placeholder_share(const int32_t *fds, uint32_t count);

/* Holds those ports of a range that have no placeholder yet and can have one, a shared one;
 * restored, one a port, says what became of each. A failure other than of a port leaves in fds
 * what could be done. */
enum unix_status placeholder_restore(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                     int32_t *fds, uint8_t *restored);

/* Makes a shared placeholder at a port that a socket has which does not share it. */
enum unix_status placeholder_make_room(int socket, enum unix_protocol protocol, uint16_t port,
                                       int32_t *placeholder);

/* Says whether a socket of the host is a shared placeholder; of UDP, any placeholder. */
bool placeholder_recognises(enum unix_protocol protocol, const struct host_socket *host_socket);

/* placeholder, below, is also -1, with nothing to do, or UNIX_PLACEHOLDER_SHARED. */

/* Before Wine binds the socket to the placeholder's port: from here until placeholder_settle,
 * both share the port, and at no instant is it free. */
enum unix_status placeholder_lend(int placeholder, int socket);

/* After Wine's bind, successful (bound) or not. */
void placeholder_settle(int placeholder, int socket, enum unix_protocol protocol, bool bound);

/* Before Wine listens on a TCP socket bound at the placeholder's port, and after. */
enum unix_status placeholder_listen(int placeholder);
void placeholder_settle_listen(int placeholder, int socket, bool listening);

#endif
