/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_SOCKETS_H
#define TAWNY_PORTPOOL_UNIX_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "../unixlib.h"

/* A socket of the host that has a local port. */
struct host_socket
{
    uint16_t port;
    uint32_t inode;        /* 0 for one that no program holds any more */
    bool remnant;          /* what is left of a connection that no program has any more */
    bool merely_bound;     /* TCP: neither listens nor is connected */
    bool v6only;           /* known of those without a connection */
    uint8_t address[16];   /* local; IPv6, network byte order; an IPv4 socket's is mapped */
    uint32_t interface;    /* that it is tied to; 0: none */
    uint8_t traffic_class; /* IPV6_TCLASS, or IP_TOS of an IPv4 socket */
};

typedef void (*sockets_visitor)(const struct host_socket *host_socket, void *context);

/* Visits the sockets of one protocol with ports from first to last, over IPv4 and IPv6, of every
 * user, in the network namespace. Before Linux 6.8, TCP sockets that are bound and neither listen
 * nor are connected are not among them. False if the host does not say. */
bool sockets_visit(enum unix_protocol protocol, uint16_t first, uint16_t last,
                   sockets_visitor visitor, void *context);

/* Says what a descriptor is; see struct unix_inspect_params. */
enum unix_status sockets_inspect(int fd, struct unix_inspect_params *params);

/* Tells host sockets apart while they live; 0 if the descriptor is not open. */
uint64_t sockets_inode(int fd);

#endif
