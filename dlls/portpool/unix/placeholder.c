/*
 * Placeholders: the host sockets that keep a block's ports from everybody else
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A placeholder is bound to the wildcard address of both families and does nothing else. While it
 * exists, the kernel refuses its port to every other socket of the host. SO_REUSEPORT, set on it
 * for an instant, lets in one socket that we mean to let in. SO_REUSEADDR would let in strangers.
 */
#define _GNU_SOURCE
#include "placeholder.h"
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* An interface that cannot exist: a UDP socket tied to it matches no datagram, yet occupies its
 * port as any other does. */
#define PLACEHOLDER_INTERFACE 0x7fffffff

/* Descriptors that a block leaves to the rest of the process: without them the program that
 * reserved could not so much as open the socket that is to use the block. */
#define PLACEHOLDER_SPARE_DESCRIPTORS 64

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* A port for which the bind did not prove that nobody else has it. */
struct doubt
{
    bool exists;
    uint32_t inode; /* of the placeholder, 0 if there is none */
    bool listed;    /* the host names the placeholder among its sockets: it names all, then */
    bool time_wait; /* … a connection in TIME_WAIT */
    bool occupied;  /* … somebody else's socket */
};

struct holding
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t count;
    int32_t *fds;
    struct doubt *doubts; /* one a port, NULL while no port needs one */
    int family;
    bool dual; /* placeholders must be told to cover IPv4 too */
};

static bool placeholder_set(int fd, int option, int value)
{
    return !setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

static enum unix_status placeholder_failure(void)
{
    switch (errno)
    {
    case EMFILE:
    case ENFILE:
        return UNIX_NO_DESCRIPTORS;
    case ENOBUFS:
    case ENOMEM:
        return UNIX_NO_MEMORY;
    case EADDRINUSE:
        return UNIX_IN_USE;
    default:
        return UNIX_FAILED;
    }
}

static int placeholder_socket(const struct holding *holding)
{
    int type = holding->protocol == UNIX_TCP ? SOCK_STREAM : SOCK_DGRAM, off = 0;
    int fd = socket(holding->family, type | SOCK_CLOEXEC, 0);

    if (fd != -1 && holding->dual) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return fd;
}

/* Finds out, once for the block, which kind of socket covers all of the host's addresses. */
static enum unix_status placeholder_probe_family(struct holding *holding)
{
    socklen_t length = sizeof(int);
    int only = 0, fd;

    holding->family = AF_INET6;
    if ((fd = placeholder_socket(holding)) == -1)
    {
        if (errno != EAFNOSUPPORT) return placeholder_failure();
        holding->family = AF_INET;
        return UNIX_SUCCESS;
    }
    holding->dual = !getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length) && only;
    close(fd);
    return UNIX_SUCCESS;
}

static int placeholder_bind(const struct holding *holding, int fd, uint16_t port)
{
    union
    {
        struct sockaddr address;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } any;

    if (holding->family == AF_INET6)
    {
        any.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        return bind(fd, &any.address, sizeof(any.in6));
    }
    any.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    return bind(fd, &any.address, sizeof(any.in));
}

static enum unix_status placeholder_doubt(struct holding *holding, uint16_t port, uint32_t inode)
{
    if (!holding->doubts && !(holding->doubts = calloc(holding->count, sizeof(*holding->doubts))))
        return UNIX_NO_MEMORY;
    holding->doubts[port - holding->start] = (struct doubt){.exists = true, .inode = inode};
    return UNIX_SUCCESS;
}

/* Says whether a socket is bound to the port at the wildcard address. One in TIME_WAIT does not
 * count, for it has an address of its own, and nobody has this one. */
static bool placeholder_wildcard_taken(uint16_t port)
{
    struct sockaddr_in unused = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x7f4d4d4d)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken = fd == -1 || bind(fd, (struct sockaddr *)&unused, sizeof(unused));

    if (fd != -1) close(fd);
    return taken;
}

/* What keeps a TCP port may be connections in TIME_WAIT alone, which Windows does not mind. With
 * SO_REUSEADDR the bind passes those, but also whoever else has set it: that is checked once the
 * whole block is bound and nobody new can come. */
static enum unix_status placeholder_bind_past_time_wait(struct holding *holding, int fd,
                                                        uint16_t port)
{
    struct stat status;

    if (placeholder_wildcard_taken(port)) return UNIX_IN_USE;
    placeholder_set(fd, SO_REUSEADDR, 1);
    if (placeholder_bind(holding, fd, port)) return placeholder_failure();
    placeholder_set(fd, SO_REUSEADDR, 0);
    if (fstat(fd, &status)) return UNIX_FAILED;
    return placeholder_doubt(holding, port, status.st_ino);
}

static enum unix_status placeholder_hold_port(struct holding *holding, uint16_t port)
{
    enum unix_status status = UNIX_SUCCESS;
    int fd = placeholder_socket(holding);

    if (fd == -1) return placeholder_failure();

    if (placeholder_bind(holding, fd, port))
    {
        if (errno == EACCES)
        {
            /* A port that only root may bind: no other process of this user can have it either.
             * Whether root has it, the bind did not say. */
            close(fd);
            return placeholder_doubt(holding, port, 0);
        }
        if (errno == EADDRINUSE && holding->protocol == UNIX_TCP)
            status = placeholder_bind_past_time_wait(holding, fd, port);
        else
            status = placeholder_failure();
    }
    /* Only now: a socket tied to an interface from the start would not notice those that are
     * bound to a device, as Wine's are at a specific address. */
    if (!status && holding->protocol == UNIX_UDP &&
        !placeholder_set(fd, SO_BINDTOIFINDEX, PLACEHOLDER_INTERFACE))
        status = UNIX_FAILED;

    if (status)
        close(fd);
    else
        holding->fds[port - holding->start] = fd;
    return status;
}

static void placeholder_look_at(const struct host_socket *host_socket, void *context)
{
    struct holding *holding = context;
    struct doubt *doubt;

    if (host_socket->port < holding->start) return;
    if (host_socket->port - holding->start >= holding->count) return;
    doubt = &holding->doubts[host_socket->port - holding->start];
    if (host_socket->time_wait)
        doubt->time_wait = true;
    else if (doubt->inode && host_socket->inode == doubt->inode)
        doubt->listed = true;
    else
        doubt->occupied = true;
}

static bool placeholder_dispels(const struct doubt *doubt)
{
    if (!doubt->exists) return true;
    if (doubt->occupied) return false;
    /* There was something in the way. A kernel that does not list sockets that are merely bound
     * must show that it was a connection in TIME_WAIT, and not one of those. */
    return !doubt->inode || doubt->listed || doubt->time_wait;
}

/* Asks the host for its sockets, once for all ports in doubt, now that nobody new can come. */
static enum unix_status placeholder_check_doubts(struct holding *holding, uint16_t *conflict)
{
    bool known;

    if (!holding->doubts) return UNIX_SUCCESS;
    known = sockets_visit(holding->protocol, placeholder_look_at, holding);
    for (uint32_t i = 0; i < holding->count; i++)
    {
        /* Where the host does not say, a port in doubt counts as used. */
        if (known ? placeholder_dispels(&holding->doubts[i]) : !holding->doubts[i].exists) continue;
        *conflict = holding->start + i;
        return UNIX_IN_USE;
    }
    return UNIX_SUCCESS;
}

static bool placeholder_descriptors_suffice(uint16_t count)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) ||
           (rlim_t)count + PLACEHOLDER_SPARE_DESCRIPTORS <= limit.rlim_cur;
}

enum unix_status placeholder_hold(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                  int32_t *fds, uint16_t *conflict)
{
    struct holding holding = {.protocol = protocol, .start = start, .count = count, .fds = fds};
    enum unix_status status;
    uint32_t i;

    for (i = 0; i < count; i++) fds[i] = -1;
    if (!placeholder_descriptors_suffice(count)) return UNIX_NO_DESCRIPTORS;
    if ((status = placeholder_probe_family(&holding))) return status;

    for (i = 0; !status && i < count; i++)
    {
        *conflict = start + i;
        status = placeholder_hold_port(&holding, start + i);
    }
    if (!status) status = placeholder_check_doubts(&holding, conflict);
    if (status) placeholder_drop(fds, count);
    free(holding.doubts);
    return status;
}

void placeholder_drop(int32_t *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
    {
        if (fds[i] != -1) close(fds[i]);
        fds[i] = -1;
    }
}

enum unix_status placeholder_lend(int placeholder, int socket)
{
    if (placeholder == -1) return UNIX_SUCCESS;
    if (!placeholder_set(socket, SO_REUSEPORT, 1)) return UNIX_FAILED;
    if (placeholder_set(placeholder, SO_REUSEPORT, 1)) return UNIX_SUCCESS;
    placeholder_set(socket, SO_REUSEPORT, 0);
    return UNIX_FAILED;
}

void placeholder_settle(int placeholder, int socket, enum unix_protocol protocol, bool bound)
{
    if (placeholder == -1) return;
    placeholder_set(placeholder, SO_REUSEPORT, 0);
    /* A bound TCP socket keeps its flag: the kernel looks once more when it listens. */
    if (protocol == UNIX_UDP || !bound) placeholder_set(socket, SO_REUSEPORT, 0);
}

enum unix_status placeholder_listen(int placeholder)
{
    if (placeholder == -1 || placeholder_set(placeholder, SO_REUSEPORT, 1)) return UNIX_SUCCESS;
    return UNIX_FAILED;
}

void placeholder_settle_listen(int placeholder, int socket, bool listening)
{
    /* The kernel lets a program of the same user that sets SO_REUSEPORT listen beside us from now
     * on. This gives every connection to the first that did: us. */
    struct sock_filter choose_first = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &choose_first};

    if (placeholder != -1) placeholder_set(placeholder, SO_REUSEPORT, 0);
    if (!listening) return;
    setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}
