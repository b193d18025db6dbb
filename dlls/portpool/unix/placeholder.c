/*
 * Placeholders: the host sockets that keep a block's ports from everybody else
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A placeholder is bound to the wildcard address of both families and does nothing else. While it
 * exists, the kernel refuses its port to every other socket of the host. SO_REUSEPORT, set on it
 * for an instant, lets in one socket that we mean to let in. SO_REUSEADDR would let in strangers.
 * A shared placeholder, of a persistent range, has SO_REUSEPORT set all the time.
 */
#define _GNU_SOURCE
#include "placeholder.h"
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* An interface that cannot exist: a UDP socket tied to it matches no datagram, yet occupies its
 * port as any other does. */
#define PLACEHOLDER_INTERFACE 0x7fffffff

/* Descriptors that a block leaves to the rest of the process: without them the program that
 * reserved could not so much as open the socket that is to use the block. */
#define PLACEHOLDER_SPARE_DESCRIPTORS 64

/* What a shared TCP placeholder has for its traffic class, by which it is known from a program's
 * socket that is merely bound. It has no traffic. Nobody has assigned this one a meaning. */
#define PLACEHOLDER_TRAFFIC_CLASS 0xfc

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* A port for which the bind did not prove that nobody else has it. */
struct doubt
{
    bool exists;
    uint32_t inode; /* of the placeholder, 0 if there is none */
    bool listed;    /* the host names the placeholder among its sockets: it names all, then */
    bool remnant;   /* … what is left of a connection */
    bool occupied;  /* … somebody else's socket, which bars the port */
    bool seen;      /* … anything but the placeholder */
};

struct holding
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t count;
    int32_t *fds;
    struct doubt *doubts; /* one a port, NULL while no port needs one */
    rlim_t limit;         /* of descriptors */
    int family;
    bool dual; /* placeholders must be told to cover IPv4 too */
    /* Sockets that share the ports are no hindrance, and this one is not either. */
    bool restoring;
    uint32_t friend_inode;
    bool looked; /* at the host's sockets, before a port was in doubt */
    bool known;  /* … and it named them */
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

static rlim_t placeholder_descriptor_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) ? RLIM_INFINITY : limit.rlim_cur;
}

static int placeholder_socket(const struct holding *holding)
{
    int type = holding->protocol == UNIX_TCP ? SOCK_STREAM : SOCK_DGRAM, off = 0;
    int fd = socket(holding->family, type | SOCK_CLOEXEC, 0);

    if (fd == -1) return -1;
    /* The kernel gives the lowest number that is free: all those below are taken. */
    if ((rlim_t)fd + PLACEHOLDER_SPARE_DESCRIPTORS >= holding->limit)
    {
        close(fd);
        errno = EMFILE;
        return -1;
    }
    if (holding->dual) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return fd;
}

/* Makes a placeholder a shared one. */
static bool placeholder_share_one(int fd)
{
    int mark = PLACEHOLDER_TRAFFIC_CLASS;

    if (setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &mark, sizeof(mark)) &&
        setsockopt(fd, IPPROTO_IP, IP_TOS, &mark, sizeof(mark)))
        return false;
    return placeholder_set(fd, SO_REUSEPORT, 1);
}

/* Finds out, once for the block, which kind of socket covers all of the host's addresses. */
static enum unix_status placeholder_probe_family(struct holding *holding)
{
    socklen_t length = sizeof(int);
    int only = 0, fd;

    holding->limit = placeholder_descriptor_limit();
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

static bool placeholder_make_doubts(struct holding *holding)
{
    if (!holding->doubts) holding->doubts = calloc(holding->count, sizeof(*holding->doubts));
    return holding->doubts != NULL;
}

static enum unix_status placeholder_doubt(struct holding *holding, uint16_t port, uint32_t inode)
{
    if (!placeholder_make_doubts(holding)) return UNIX_NO_MEMORY;
    holding->doubts[port - holding->start] = (struct doubt){.exists = true, .inode = inode};
    return UNIX_SUCCESS;
}

/* Says whether a socket is bound to the port at the wildcard address; with sharing, one that does
 * not share it. Remnants of connections do not count, for they have addresses of their own, and
 * nobody has this one. */
static bool placeholder_wildcard_taken(uint16_t port, bool sharing)
{
    struct sockaddr_in unused = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x7f4d4d4d)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken;

    if (fd == -1) return true;
    if (sharing) placeholder_set(fd, SO_REUSEPORT, 1);
    taken = bind(fd, (struct sockaddr *)&unused, sizeof(unused));
    close(fd);
    return taken;
}

/* Says whether a socket keeps us from holding a port of a persistent range again, past which
 * SO_REUSEADDR let us. A listener shares, else the kernel had refused us; a connection is not
 * harmed. One that is merely bound may be, when it listens. */
static bool placeholder_bars(const struct holding *holding, const struct host_socket *host_socket)
{
    return host_socket->merely_bound && host_socket->inode != holding->friend_inode &&
           !placeholder_recognises(UNIX_TCP, host_socket);
}

static void placeholder_look_at(const struct host_socket *host_socket, void *context)
{
    struct holding *holding = context;
    struct doubt *doubt;

    if (host_socket->port < holding->start) return;
    if (host_socket->port - holding->start >= holding->count) return;
    doubt = &holding->doubts[host_socket->port - holding->start];
    if (doubt->inode && host_socket->inode == doubt->inode)
    {
        doubt->listed = true;
        return;
    }
    doubt->seen = true;
    if (host_socket->remnant)
        doubt->remnant = true;
    else if (!holding->restoring || placeholder_bars(holding, host_socket))
        doubt->occupied = true;
}

static bool placeholder_look(struct holding *holding)
{
    return sockets_visit(holding->protocol, holding->start, holding->start + holding->count - 1,
                         placeholder_look_at, holding);
}

/* Looks at the host's sockets. Twice: the kernel lists those that listen first, and a socket that
 * begins to listen only then, or just tries to, it lists neither among those nor among the merely
 * bound ones. */
static void placeholder_look_twice(struct holding *holding)
{
    holding->known = placeholder_look(holding);
    holding->known = placeholder_look(holding) && holding->known;
    holding->looked = true;
}

/* Says whether the host names what is at the port. It may name nothing, for that has gone since, or
 * begun or ceased to listen each time that we looked. */
static bool placeholder_sees(struct holding *holding, uint16_t port)
{
    const struct doubt *doubt = &holding->doubts[port - holding->start];

    if (!holding->looked) placeholder_look_twice(holding);
    if (!doubt->seen) placeholder_look_twice(holding);
    return doubt->seen;
}

/* Binds past whoever has set SO_REUSEADDR. As long as the placeholder has, too, a socket that is
 * merely bound there can listen all the same. */
static enum unix_status placeholder_bind_past(struct holding *holding, int fd, uint16_t port)
{
    uint32_t inode;

    if (placeholder_wildcard_taken(port, holding->restoring)) return UNIX_IN_USE;
    placeholder_set(fd, SO_REUSEADDR, 1);
    if (placeholder_bind(holding, fd, port)) return placeholder_failure();
    if (!(inode = sockets_inode(fd))) return UNIX_FAILED;
    return placeholder_doubt(holding, port, inode);
}

/* What keeps a TCP port may be remnants of connections alone: in TIME_WAIT, which Windows does not
 * mind, or on the way there. What else there was is found out later, for the whole block. */
static enum unix_status placeholder_bind_past_remnants(struct holding *holding, int fd,
                                                       uint16_t port)
{
    if (!placeholder_make_doubts(holding)) return UNIX_NO_MEMORY;
    if (!holding->restoring) return placeholder_bind_past(holding, fd, port);

    /* Before sockets that share are passed it must be found out: the kernel would remember that one
     * let us in, and not look the next time. */
    if (!placeholder_sees(holding, port))
        return placeholder_bind(holding, fd, port) ? placeholder_failure() : UNIX_SUCCESS;
    if (!holding->known || holding->doubts[port - holding->start].occupied) return UNIX_IN_USE;
    return placeholder_bind_past(holding, fd, port);
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
            status = placeholder_bind_past_remnants(holding, fd, port);
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

static bool placeholder_dispels(const struct doubt *doubt)
{
    if (!doubt->exists) return true;
    if (doubt->occupied) return false;
    /* There was something in the way. A kernel that does not list sockets that are merely bound
     * must show that it was the remnant of a connection, and not one of those. */
    return !doubt->inode || doubt->listed || doubt->remnant;
}

/* Nothing was seen at the port: if what there was has gone, the placeholder needs no SO_REUSEADDR.
 */
static bool placeholder_bind_again(const struct holding *holding, uint16_t port)
{
    int *fd = &holding->fds[port - holding->start];

    close(*fd);
    if ((*fd = placeholder_socket(holding)) == -1) return false;
    return (!holding->restoring || placeholder_share_one(*fd)) &&
           !placeholder_bind(holding, *fd, port);
}

/* Has the placeholder hear of no packet that has fewer than 255 hops left, as all have unless their
 * sender asked for so many; or hear of all again. */
static void placeholder_set_deaf(int fd, bool deaf)
{
    int hops = deaf ? 255 : 0;

    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof(hops));
}

/* Ends that SO_REUSEADDR lets others in. The kernel remembers whom it let in last, and if that one
 * shares, as it may have while we looked, would let the like of it in without looking. It forgets
 * that when somebody listens: the placeholder, for an instant, and deaf, with nobody else let in.
 * One that shares must not listen, for a program's listener may be there: it forgets it for another
 * socket, too, that is bound beside it. */
static bool placeholder_close_to_all(const struct holding *holding, uint16_t port)
{
    int fd = holding->fds[port - holding->start];
    bool closed;

    if (holding->restoring)
        return placeholder_set(fd, SO_REUSEADDR, 0) && !placeholder_wildcard_taken(port, true);
    placeholder_set_deaf(fd, true);
    closed = !listen(fd, 0) && placeholder_set(fd, SO_REUSEADDR, 0) && !shutdown(fd, SHUT_RDWR);
    placeholder_set_deaf(fd, false);
    return closed;
}

/* Closes the ports at which only remnants were seen. */
static void placeholder_close_doubtful(struct holding *holding)
{
    for (uint32_t i = 0; i < holding->count; i++)
    {
        struct doubt *doubt = &holding->doubts[i];

        if (!doubt->exists || !doubt->inode || doubt->occupied) continue;
        if (doubt->seen)
            doubt->occupied = !placeholder_close_to_all(holding, holding->start + i);
        else if (placeholder_bind_again(holding, holding->start + i))
            doubt->exists = false;
        else
            doubt->occupied = true;
    }
}

/* Says whether there is a doubt, and about which port. */
static bool placeholder_in_doubt(const struct holding *holding, uint16_t *port)
{
    for (uint32_t i = 0; holding->doubts && i < holding->count; i++)
    {
        if (!holding->doubts[i].exists) continue;
        *port = holding->start + i;
        return true;
    }
    return false;
}

/* Asks the host for its sockets, for all ports in doubt: before they are closed to everybody, for
 * a socket that is there is to have no trouble, and after that, for nobody new can come then. The
 * doubts that are left exist still. Where the host does not say, a port in doubt counts as used. */
static void placeholder_check_doubts(struct holding *holding)
{
    uint16_t port;

    if (!placeholder_in_doubt(holding, &port)) return;
    placeholder_look_twice(holding);
    if (!holding->known) return;
    placeholder_close_doubtful(holding);
    placeholder_look_twice(holding);
    if (!holding->known) return;
    for (uint32_t i = 0; i < holding->count; i++)
        if (placeholder_dispels(&holding->doubts[i])) holding->doubts[i].exists = false;
}

static bool placeholder_descriptors_suffice(uint32_t count)
{
    return (rlim_t)count + PLACEHOLDER_SPARE_DESCRIPTORS <= placeholder_descriptor_limit();
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
    if (!status) placeholder_check_doubts(&holding);
    if (!status && placeholder_in_doubt(&holding, conflict)) status = UNIX_IN_USE;
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

void placeholder_share(const int32_t *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (fds[i] != -1) placeholder_share_one(fds[i]);
}

bool placeholder_recognises(enum unix_protocol protocol, const struct host_socket *host_socket)
{
    static const uint8_t any[16], any_mapped[16] = {[10] = 0xff, [11] = 0xff};

    if (protocol == UNIX_UDP) return host_socket->interface == PLACEHOLDER_INTERFACE;
    return host_socket->merely_bound && !host_socket->v6only && !host_socket->interface &&
           host_socket->traffic_class == PLACEHOLDER_TRAFFIC_CLASS &&
           (!memcmp(host_socket->address, any, sizeof(any)) ||
            !memcmp(host_socket->address, any_mapped, sizeof(any_mapped)));
}

/* Holds a port beside sockets that share it. For UDP the kernel lets us in as soon as it meets one
 * that does, even if another does not: then the port is held nevertheless, and that other socket
 * is none the worse for it. UNIX_SUCCESS without a descriptor: it needs no placeholder. */
static enum unix_status placeholder_restore_port(struct holding *holding, uint16_t port)
{
    enum unix_status status = UNIX_SUCCESS;
    int fd = placeholder_socket(holding);

    if (fd == -1) return placeholder_failure();
    /* Tied to its interface from the start, unlike in a block of nobody's ports: it must take no
     * datagram from the sockets that are there, nor join with them in sharing out datagrams. Those
     * that are bound to a device it does not notice; they do not keep it from holding the port. */
    if (!placeholder_share_one(fd) ||
        (holding->protocol == UNIX_UDP &&
         !placeholder_set(fd, SO_BINDTOIFINDEX, PLACEHOLDER_INTERFACE)))
        status = UNIX_FAILED;
    else if (placeholder_bind(holding, fd, port))
    {
        if (errno == EACCES)
        {
            /* A port that only root may bind. */
            close(fd);
            return UNIX_SUCCESS;
        }
        if (errno == EADDRINUSE && holding->protocol == UNIX_TCP)
            status = placeholder_bind_past_remnants(holding, fd, port);
        else
            status = placeholder_failure();
    }
    if (status)
        close(fd);
    else
        holding->fds[port - holding->start] = fd;
    return status;
}

/* Gives up the ports that turned out to have another owner. */
static void placeholder_yield_doubtful(struct holding *holding, uint8_t *restored)
{
    placeholder_check_doubts(holding);
    for (uint32_t i = 0; holding->doubts && i < holding->count; i++)
    {
        if (!holding->doubts[i].exists) continue;
        placeholder_drop(&holding->fds[i], 1);
        restored[i] = UNIX_OCCUPIED;
    }
}

enum unix_status placeholder_restore(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                     int32_t *fds, uint8_t *restored)
{
    struct holding holding = {
        .protocol = protocol, .start = start, .count = count, .fds = fds, .restoring = true};
    enum unix_status status;
    uint32_t missing = 0;

    for (uint32_t i = 0; i < count; i++)
    {
        restored[i] = fds[i] == -1 ? UNIX_OCCUPIED : UNIX_HELD;
        missing += fds[i] == -1;
    }
    if (!placeholder_descriptors_suffice(missing)) return UNIX_NO_DESCRIPTORS;
    if ((status = placeholder_probe_family(&holding))) return status;

    for (uint32_t i = 0; i < count; i++)
    {
        if (fds[i] != -1) continue;
        status = placeholder_restore_port(&holding, start + i);
        if (!status) restored[i] = fds[i] == -1 ? UNIX_BARE : UNIX_HELD;
        if (status && status != UNIX_IN_USE) break;
        status = UNIX_SUCCESS;
    }
    placeholder_yield_doubtful(&holding, restored);
    free(holding.doubts);
    return status;
}

enum unix_status placeholder_make_room(int socket, enum unix_protocol protocol, uint16_t port,
                                       int32_t *placeholder)
{
    struct holding holding = {.protocol = protocol,
                              .start = port,
                              .count = 1,
                              .fds = placeholder,
                              .restoring = true,
                              .friend_inode = sockets_inode(socket)};
    uint8_t restored = UNIX_HELD;
    enum unix_status status;

    *placeholder = -1;
    if ((status = placeholder_probe_family(&holding))) return status;
    if (!placeholder_set(socket, SO_REUSEPORT, 1)) return UNIX_FAILED;
    status = placeholder_restore_port(&holding, port);
    if (!status) placeholder_yield_doubtful(&holding, &restored);
    free(holding.doubts);
    /* A TCP socket goes on sharing, as those that were lent the port do: it may yet listen, and
     * others of the port may yet have to be told to share. */
    if (protocol == UNIX_UDP) placeholder_set(socket, SO_REUSEPORT, 0);
    return !status && restored == UNIX_OCCUPIED ? UNIX_IN_USE : status;
}

enum unix_status placeholder_lend(int placeholder, int socket)
{
    if (placeholder == -1) return UNIX_SUCCESS;
    if (!placeholder_set(socket, SO_REUSEPORT, 1)) return UNIX_FAILED;
    if (placeholder == UNIX_PLACEHOLDER_SHARED) return UNIX_SUCCESS;
    if (placeholder_set(placeholder, SO_REUSEPORT, 1)) return UNIX_SUCCESS;
    placeholder_set(socket, SO_REUSEPORT, 0);
    return UNIX_FAILED;
}

void placeholder_settle(int placeholder, int socket, enum unix_protocol protocol, bool bound)
{
    if (placeholder == -1) return;
    if (placeholder != UNIX_PLACEHOLDER_SHARED) placeholder_set(placeholder, SO_REUSEPORT, 0);
    /* A bound TCP socket keeps its flag: the kernel looks once more when it listens. */
    if (protocol == UNIX_UDP || !bound) placeholder_set(socket, SO_REUSEPORT, 0);
}

enum unix_status placeholder_listen(int placeholder)
{
    if (placeholder == -1 || placeholder == UNIX_PLACEHOLDER_SHARED) return UNIX_SUCCESS;
    return placeholder_set(placeholder, SO_REUSEPORT, 1) ? UNIX_SUCCESS : UNIX_FAILED;
}

void placeholder_settle_listen(int placeholder, int socket, bool listening)
{
    /* The kernel lets a program of the same user that sets SO_REUSEPORT listen beside us from now
     * on. This gives every connection to the first that did: us. */
    struct sock_filter choose_first = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &choose_first};

    if (placeholder != -1 && placeholder != UNIX_PLACEHOLDER_SHARED)
        placeholder_set(placeholder, SO_REUSEPORT, 0);
    if (!listening) return;
    setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}
