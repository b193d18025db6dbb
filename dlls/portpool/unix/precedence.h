/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_PRECEDENCE_H
#define TAWNY_PORTPOOL_UNIX_PRECEDENCE_H

#include "../unixlib.h"

/* Which of a user's prefixes gives a port out, of those that have it in a persistent range. Its
 * functions must not be called by two threads at once. */

/* Takes precedence at the ports at which no other prefix has it, until it is given up or the
 * process ends; says of each port in taken[count] whether it is ours. UNIX_FAILED: it cannot be
 * told, and none is taken. */
enum unix_status precedence_take(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                 uint8_t *taken);

void precedence_give_up(enum unix_protocol protocol, uint16_t start, uint16_t count);

/* Gives up all. */
void precedence_leave(void);

#endif
