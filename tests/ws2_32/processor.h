/*
 * Sockets that are given a processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_TESTS_PROCESSOR_H
#define TAWNY_TESTS_PROCESSOR_H

#include "util.h"

/* In no header of mingw-w64's. */
#ifndef SIO_CPU_AFFINITY
#define SIO_CPU_AFFINITY _WSAIOW(IOC_VENDOR, 21)
#endif
#ifndef SIO_QUERY_RSS_PROCESSOR_INFO
#define SIO_QUERY_RSS_PROCESSOR_INFO _WSAIOR(IOC_WS2, 37)
#endif

/* Has this process find so many processors, if it has fewer. FALSE if it cannot. */
BOOL processor_pretend(unsigned int count);

void check_affinity_(const char *file, int line, SOCKET s, USHORT processor, int error);
#define check_affinity(...) check_affinity_(__FILE__, __LINE__, __VA_ARGS__)

/* A new socket that has the processor. */
SOCKET open_for_processor_(const char *file, int line, const struct kind *kind, USHORT processor);
#define open_for_processor(...) open_for_processor_(__FILE__, __LINE__, __VA_ARGS__)

/* Opens sockets for the processors from 0 on, each bound to the port, as those that have a block's
 * token unless that is 0. Port 0 is what the first of them gets. */
USHORT open_sharing_(const char *file, int line, const struct kind *kind, SOCKET *sockets,
                     unsigned int count, USHORT port, ULONG64 token);
#define open_sharing(...) open_sharing_(__FILE__, __LINE__, __VA_ARGS__)

/* Has clients send to the address from new ports; each datagram must reach one of the sockets, and
 * none be lost. None of the sockets is INVALID_SOCKET but where one was closed. */
void check_reached_(const char *file, int line, const SOCKET *sockets, unsigned int count,
                    const char *address, USHORT port);
#define check_reached(...) check_reached_(__FILE__, __LINE__, __VA_ARGS__)

/* Calls back for each order of count things, at most 4: order has their numbers. */
void for_each_order(unsigned int count, void (*call)(const unsigned int *order, void *context),
                    void *context);

#endif
