/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_SHARING_H
#define TAWNY_PORTPOOL_UNIX_SHARING_H

#include <stdbool.h>
#include <stdint.h>

#include "../unixlib.h"

/* Has a socket that is bound share its port with one that is about to be bound there, too.
 * UNIX_IN_USE, with nothing changed, if the host would not make one group of them. */
enum unix_status sharing_join(int member, int socket);

/* Has a socket share its port, or share it no longer. */
void sharing_set(int socket, bool share);

/* Has each datagram go to the socket of the processor that received it, where the host's network
 * interface spreads flows over processors; elsewhere, and where no socket has that processor, its
 * flow decides. socket is one of the group, processors are those of all of them, in the order in
 * which they joined; a socket that left has been replaced by the last. UNIX_FAILED: always the flow
 * decides. */
enum unix_status sharing_steer(int socket, const uint16_t *processors, uint32_t count);

#endif
