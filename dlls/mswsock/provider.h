/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_MSWSOCK_PROVIDER_H
#define TAWNY_MSWSOCK_PROVIDER_H

#include <winsock2.h>
#include <ws2spi.h>

/* relay.c: an overlapped call whose completion routine is to be called in another thread than the
 * one that makes the call. Winsock calls a routine in the calling thread only; so the call is made
 * with an OVERLAPPED and an event of our own, and its end is passed on. */
struct relay;

/* Says whether the routine must be relayed: 1; that it need not: 0; -1 if the WSATHREADID, which is
 * copied before this returns, cannot be read. A NULL one stands for the calling thread. */
int relay_needed(const WSATHREADID *id, WSATHREADID *copy);

/* Prepares the relay; NULL if there are not the means for it. *overlapped is what the call is to be
 * made with, without a routine. */
struct relay *relay_create(SOCKET s, const WSATHREADID *id, WSAOVERLAPPED *callers,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSAOVERLAPPED **overlapped);

/* The call has succeeded, or is pending: the relay looks after itself from now on. */
void relay_start(struct relay *relay);

/* The call has failed. */
void relay_destroy(struct relay *relay);

#endif
