/*
 * Sockets of outsiders, in a network of the test's own
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_TESTS_NATIVE_NETWORK_H
#define TAWNY_TESTS_NATIVE_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union network_address
{
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* An address as a program may give it to bind. */
struct shape
{
    const char *name;
    int family;
    bool v6only;
    const char *address;
};

#define SHAPES 8
extern const struct shape network_shapes[SHAPES];
#define SHAPE_ANY       0
#define SHAPE_LOCALHOST 1
#define SHAPE_ANY_DUAL  3
#define SHAPE_ANY_V6    4

/* What an outsider sets on its socket before bind; may be combined. */
enum sharing
{
    PLAIN = 0,
    REUSEADDR = 1,
    REUSEPORT = 2,
    SHARINGS = 4,
};

const char *sharing_name(enum sharing sharing);

/* Moves the process to a network namespace of its own, in which only loopback exists; false, and
 * nothing changed, if the host does not allow that, or TAWNY_NAMESPACE=none is in the environment.
 * The process must have one thread. */
bool network_isolate(void);
bool network_has_ipv6(void);
/* Has the kernel choose from these ports alone, in a network of the test's own; false if it will
 * not. */
bool network_narrow_range(uint16_t first, uint16_t last);

/* A TCP or UDP socket for the shape; -1 with errno set. */
int network_socket(const struct shape *shape, int type, enum sharing sharing);
union network_address network_address(const struct shape *shape, uint16_t port);
socklen_t network_address_length(const union network_address *address);
/* Binds it; the error, or 0. */
int network_bind(int fd, const struct shape *shape, uint16_t port);
/* Makes and binds one; a descriptor, or minus the error. */
int network_open(const struct shape *shape, int type, uint16_t port, enum sharing sharing);
/* The error of an outsider's bind, 0 if it can have the port. */
int network_try(const struct shape *shape, int type, uint16_t port, enum sharing sharing);

/* 0 if it is not bound. */
uint16_t network_port(int fd);

/* Where a client finds a socket of this shape. */
const struct shape *network_client_shape(const struct shape *shape);
/* Connects to a socket, from a new one: its descriptor. */
int network_connect(int fd, const struct shape *shape, int type);
/* The same to a listener: the client's end, and the server's in *accepted. */
int network_connection(int listener, const struct shape *shape, int *accepted);
/* Leaves a connection of the listener's in TIME_WAIT. */
void network_remnant(int listener, const struct shape *shape);

/* Finds a block of ports that is free for TCP and UDP, outside of the range for automatic
 * assignment. */
uint16_t network_free_block(uint16_t count);

/* Descriptors that the process has open. */
unsigned int network_descriptors(void);

#endif
