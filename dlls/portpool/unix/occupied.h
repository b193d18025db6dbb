/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_OCCUPIED_H
#define TAWNY_PORTPOOL_UNIX_OCCUPIED_H

#include <stdbool.h>
#include <stdint.h>

#include "../unixlib.h"

/* Sets occupied, one a port, to 1 where a socket other than a shared placeholder has the port, else
 * to 0. Remnants of connections have none. UNIX_FAILED: not all is known. Where nothing is, all are
 * 1; before Linux 6.8, those are 0 that at most TCP sockets have which are merely bound. */
enum unix_status occupied_list(enum unix_protocol protocol, uint16_t start, uint16_t count,
                               uint8_t *occupied);

/* The same, told whether the kernel lists TCP sockets that are merely bound. */
enum unix_status occupied_list_knowing(bool lists_bound, enum unix_protocol protocol,
                                       uint16_t start, uint16_t count, uint8_t *occupied);

/* Says whether the kernel, had the UDP port no placeholder, would refuse it to the socket for the
 * sake of another one; see struct unix_overlap_params. */
bool occupied_overlaps(int socket, const uint8_t address[16], uint16_t port);

#endif
