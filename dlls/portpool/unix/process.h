/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_PROCESS_H
#define TAWNY_PORTPOOL_UNIX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* An owner: the process number in the low 22 bits (the most that Linux gives out), above it the
 * low 38 bits of its start time in clock ticks since boot. 0 where /proc does not say. */
#define PROCESS_NUMBER_BITS 22
#define PROCESS_OWNER_BITS  60

uint64_t process_owner(void);

/* Says whether the very process that owner names still runs. A zombie does not: its sockets are
 * closed. One that is about to end is waited for, a second at most. Where /proc cannot be read it
 * says true, for taking a living owner's ports is worse than leaving a dead one's. */
bool process_alive(uint64_t owner);

/* Waits, a second at most, for a process that is known to be about to end. */
void process_await(uint64_t owner);

/* 64 random bits, never 0. */
uint64_t process_random(void);

/* The host's range of ports for automatic assignment, both ends included. */
void process_ephemeral_range(uint16_t *first, uint16_t *last);

#endif
