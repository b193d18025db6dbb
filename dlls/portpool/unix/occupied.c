/*
 * Which ports of a persistent range sockets use, the placeholders apart
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Placeholders of persistent ranges share their ports all the time, and so the kernel cannot be
 * asked by a bind: it is asked for its sockets.
 */
#define _GNU_SOURCE
#include "occupied.h"
#include "placeholder.h"
#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* In the array, while it is being filled in. */
#define OCCUPIED_USED 1
#define OCCUPIED_HELD 2

struct listing
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t count;
    uint8_t *occupied;
};

static void occupied_take(const struct host_socket *host_socket, void *context)
{
    struct listing *listing = context;
    uint8_t *port;

    if (host_socket->remnant || host_socket->port < listing->start ||
        host_socket->port - listing->start >= listing->count)
        return;
    port = &listing->occupied[host_socket->port - listing->start];
    /* A port has one placeholder: what looks like a second is a program's socket. */
    if (placeholder_recognises(listing->protocol, host_socket) && !(*port & OCCUPIED_HELD))
        *port |= OCCUPIED_HELD;
    else
        *port |= OCCUPIED_USED;
}

/* The socket that is looked for in the kernel's list. */
struct search
{
    uint32_t inode;
    bool found;
};

static void occupied_search(const struct host_socket *host_socket, void *context)
{
    struct search *search = context;

    if (host_socket->inode == search->inode) search->found = true;
}

/* Looks whether a socket that we bind, and do nothing else with, is in the kernel's list. */
static enum unix_status occupied_try_kernel(bool *lists_bound)
{
    struct sockaddr_in localhost = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    enum unix_status status = UNIX_FAILED;
    struct search search = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1) return errno == ENOMEM || errno == ENOBUFS ? UNIX_NO_MEMORY : UNIX_FAILED;
    if (!bind(fd, (struct sockaddr *)&localhost, sizeof(localhost)) &&
        (search.inode = sockets_inode(fd)) &&
        sockets_visit(UNIX_TCP, 1, 65535, occupied_search, &search))
    {
        *lists_bound = search.found;
        status = UNIX_SUCCESS;
    }
    close(fd);
    return status;
}

/* Says whether the kernel lists TCP sockets that are merely bound. */
static enum unix_status occupied_lists_bound(bool *lists_bound)
{
    static int cached = -1;
    int known = __atomic_load_n(&cached, __ATOMIC_RELAXED);
    enum unix_status status;

    if (known == -1)
    {
        if ((status = occupied_try_kernel(lists_bound))) return status;
        __atomic_store_n(&cached, *lists_bound, __ATOMIC_RELAXED);
        return UNIX_SUCCESS;
    }
    *lists_bound = known;
    return UNIX_SUCCESS;
}

enum unix_status occupied_list_knowing(bool lists_bound, enum unix_protocol protocol,
                                       uint16_t start, uint16_t count, uint8_t *occupied)
{
    struct listing listing = {protocol, start, count, occupied};
    bool known;

    memset(occupied, 0, count);
    known = sockets_visit(protocol, start, start + count - 1, occupied_take, &listing);
    for (uint32_t i = 0; i < count; i++)
        occupied[i] = known ? occupied[i] & OCCUPIED_USED : OCCUPIED_USED;
    return known && (lists_bound || protocol == UNIX_UDP) ? UNIX_SUCCESS : UNIX_FAILED;
}

enum unix_status occupied_list(enum unix_protocol protocol, uint16_t start, uint16_t count,
                               uint8_t *occupied)
{
    bool lists_bound = true;
    enum unix_status status;

    if (protocol == UNIX_TCP && (status = occupied_lists_bound(&lists_bound)))
    {
        memset(occupied, OCCUPIED_USED, count);
        return status;
    }
    return occupied_list_knowing(lists_bound, protocol, start, count, occupied);
}

/* A socket as far as it matters to the kernel whether its address overlaps another's. */
struct place
{
    uint8_t address[16];
    bool v6only;
    uint32_t interface;
};

struct comparison
{
    struct place place;
    bool overlaps;
};

static bool place_is_ipv4(const struct place *place)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return !memcmp(place->address, prefix, sizeof(prefix));
}

static bool place_is_any(const struct place *place)
{
    static const uint8_t zero[16];

    if (place_is_ipv4(place)) return !memcmp(place->address + 12, zero, 4);
    return !memcmp(place->address, zero, sizeof(zero));
}

/* Says whether one place, at a wildcard address, takes in the other. */
static bool place_covers(const struct place *place, const struct place *other)
{
    if (!place_is_any(place)) return false;
    if (place_is_ipv4(place)) return place_is_ipv4(other);
    return !place->v6only || !place_is_ipv4(other);
}

/* Two sockets that are tied to different interfaces do not meet. One that is tied to an interface
 * meets those that are not, also those at 127.0.0.1, where nothing comes in by that interface: so
 * it is under Wine, whose UDP sockets at an IPv4 interface's address are at the wildcard address
 * and tied to the interface. */
static bool place_overlaps(const struct place *place, const struct place *other)
{
    if (place->interface && other->interface && place->interface != other->interface) return false;
    return place_covers(place, other) || place_covers(other, place) ||
           !memcmp(place->address, other->address, sizeof(place->address));
}

static void occupied_compare(const struct host_socket *host_socket, void *context)
{
    struct comparison *comparison = context;
    struct place place = {.v6only = host_socket->v6only, .interface = host_socket->interface};

    if (placeholder_recognises(UNIX_UDP, host_socket)) return;
    memcpy(place.address, host_socket->address, sizeof(place.address));
    if (place_overlaps(&comparison->place, &place)) comparison->overlaps = true;
}

static int occupied_option(int fd, int level, int option)
{
    socklen_t length = sizeof(int);
    int value;

    return getsockopt(fd, level, option, &value, &length) ? 0 : value;
}

bool occupied_overlaps(int socket, const uint8_t address[16], uint16_t port)
{
    struct comparison comparison = {
        .place = {.v6only = occupied_option(socket, IPPROTO_IPV6, IPV6_V6ONLY),
                  .interface = occupied_option(socket, SOL_SOCKET, SO_BINDTOIFINDEX)}};

    /* The program asked for a port that others have. */
    if (occupied_option(socket, SOL_SOCKET, SO_REUSEADDR)) return false;
    memcpy(comparison.place.address, address, sizeof(comparison.place.address));
    return !sockets_visit(UNIX_UDP, port, port, occupied_compare, &comparison) ||
           comparison.overlaps;
}
