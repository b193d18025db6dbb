/*
 * Sockets that are lent a port, and checks that outsiders are kept off it, or let in
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_TESTS_NATIVE_OUTSIDERS_H
#define TAWNY_TESTS_NATIVE_OUTSIDERS_H

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "network.h"
#include "test.h"

static bool outsiders_ipv6;

static inline int socket_type(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP ? SOCK_STREAM : SOCK_DGRAM;
}

static inline const char *protocol_name(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP ? "TCP" : "UDP";
}

/* Must come before any other of these; true if the network is the test's own. */
static inline bool outsiders_start(void)
{
    bool isolated = network_isolate();

    if (!isolated)
        skip("THE HOST ALLOWS NO NETWORK NAMESPACE: what needs one is not tested, and programs "
             "that are running may disturb the rest");
    if (!(outsiders_ipv6 = network_has_ipv6()))
        skip("THE HOST HAS NO IPV6: nothing of it is tested");
    return isolated;
}

static inline bool shape_possible(const struct shape *shape)
{
    return outsiders_ipv6 || shape->family == AF_INET;
}

/* A socket as the wineserver makes them. */
static inline int wine_socket(enum unix_protocol protocol, const struct shape *shape)
{
    return network_socket(shape, socket_type(protocol), protocol == UNIX_TCP ? REUSEADDR : PLAIN);
}

/* Lends a placeholder's port to a new socket: a descriptor, or minus the error. */
static inline int lend_port(int placeholder, enum unix_protocol protocol, const struct shape *shape,
                            uint16_t port)
{
    int fd = wine_socket(protocol, shape), error = EIO;

    if (fd == -1) return -errno;
    if (!placeholder_lend(placeholder, fd))
    {
        error = network_bind(fd, shape, port);
        placeholder_settle(placeholder, fd, protocol, !error);
    }
    if (!error) return fd;
    close(fd);
    return -error;
}

/* Listens on it: the error, or 0. */
static inline int lend_listen(int placeholder, int fd, int backlog)
{
    int error;

    if (placeholder_listen(placeholder)) return EIO;
    error = listen(fd, backlog) ? errno : 0;
    placeholder_settle_listen(placeholder, fd, !error);
    return error;
}

static inline bool reuses_port(int fd)
{
    socklen_t length = sizeof(int);
    int value = -1;

    ok(!getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &length), "error %d", errno);
    return value;
}

/* Checks that nobody can bind the port, at whatever address, who sets any of these on his socket,
 * given as bits 1 << enum sharing. */
#define SHARING_ALL                                                                                \
    (1u << PLAIN | 1u << REUSEADDR | 1u << REUSEPORT | 1u << (REUSEADDR | REUSEPORT))
#define SHARING_STRANGERS (1u << PLAIN | 1u << REUSEADDR)

#define check_kept_out(protocol, port, sharings)                                                   \
    check_kept_out_(__FILE__, __LINE__, protocol, port, sharings)
static inline void check_kept_out_(const char *file, int line, enum unix_protocol protocol,
                                   uint16_t port, unsigned int sharings)
{
    for (int i = 0; i < SHAPES; i++)
    {
        const struct shape *shape = &network_shapes[i];

        for (enum sharing sharing = PLAIN; sharing < SHARINGS && shape_possible(shape); sharing++)
        {
            int error;

            if (!(sharings & 1u << sharing)) continue;
            error = network_try(shape, socket_type(protocol), port, sharing);
            ok_(file, line, error == EADDRINUSE, "%s port %u, %s, %s: error %d (%s)",
                protocol_name(protocol), port, shape->name, sharing_name(sharing), error,
                strerror(error));
        }
    }
}

/* Checks that anybody can bind the port. */
#define check_let_in(protocol, port) check_let_in_(__FILE__, __LINE__, protocol, port)
static inline void check_let_in_(const char *file, int line, enum unix_protocol protocol,
                                 uint16_t port)
{
    for (int i = 0; i < SHAPES; i++)
    {
        int error;

        if (!shape_possible(&network_shapes[i])) continue;
        error = network_try(&network_shapes[i], socket_type(protocol), port, PLAIN);
        ok_(file, line, !error, "%s port %u, %s: error %d (%s)", protocol_name(protocol), port,
            network_shapes[i].name, error, strerror(error));
    }
}

#endif
