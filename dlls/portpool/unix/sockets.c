/*
 * The sockets of the host: which there are, and what one is
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Asks for the sockets of one protocol and family with ports from first to last. */
static bool sockets_request(int netlink, enum unix_protocol protocol, uint8_t family,
                            uint16_t first, uint16_t last)
{
    /* A program for the kernel: each comparison takes two entries, the second with the port, and
     * goes to the next one, or past the end, which means no. */
    enum
    {
        ENTRY = sizeof(struct inet_diag_bc_op),
        END = 4 * ENTRY,
    };
    struct
    {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
        struct nlattr filter;
        struct inet_diag_bc_op program[4];
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = protocol == UNIX_TCP ? IPPROTO_TCP : IPPROTO_UDP,
                 .idiag_ext = 1 << (INET_DIAG_TOS - 1) | 1 << (INET_DIAG_TCLASS - 1),
                 /* With the bit of merely bound ones, which kernels before 6.8 ignore. */
                 .idiag_states = ~0u},
        .filter = {.nla_len = sizeof(request.filter) + sizeof(request.program),
                   .nla_type = INET_DIAG_REQ_BYTECODE},
        .program = {{.code = INET_DIAG_BC_S_GE, .yes = 2 * ENTRY, .no = END + 4},
                    {.no = first},
                    {.code = INET_DIAG_BC_S_LE, .yes = 2 * ENTRY, .no = END - 2 * ENTRY + 4},
                    {.no = last}},
    };

    return send(netlink, &request, sizeof(request), 0) == sizeof(request);
}

/* Reads what the kernel says beyond the fixed part. */
static void sockets_read_attributes(const struct nlmsghdr *message, struct host_socket *host_socket)
{
    const struct inet_diag_msg *diag = NLMSG_DATA(message);
    const struct rtattr *attribute = (const struct rtattr *)(diag + 1);
    size_t length = NLMSG_PAYLOAD(message, sizeof(*diag));

    for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
    {
        const uint8_t *value = RTA_DATA(attribute);

        if (!RTA_PAYLOAD(attribute)) continue;
        if (attribute->rta_type == INET_DIAG_SKV6ONLY) host_socket->v6only = *value;
        /* A socket of IPv6 has both. */
        if (attribute->rta_type == INET_DIAG_TCLASS ||
            (attribute->rta_type == INET_DIAG_TOS && diag->idiag_family == AF_INET))
            host_socket->traffic_class = *value;
    }
}

/* Says whether the kernel alone has the socket, to see its connection to the end. One that waits to
 * be accepted has no inode either, but is in none of these states. */
static bool sockets_is_remnant(const struct inet_diag_msg *diag)
{
    static const unsigned int ending = 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSING |
                                       1 << TCP_LAST_ACK | 1 << TCP_TIME_WAIT;

    return !diag->idiag_inode && ending >> diag->idiag_state & 1;
}

static void sockets_take(const struct nlmsghdr *message, enum unix_protocol protocol,
                         sockets_visitor visitor, void *context)
{
    const struct inet_diag_msg *diag = NLMSG_DATA(message);
    struct host_socket host_socket = {
        .port = ntohs(diag->id.idiag_sport),
        .inode = diag->idiag_inode,
        .remnant = protocol == UNIX_TCP && sockets_is_remnant(diag),
        .merely_bound = protocol == UNIX_TCP && diag->idiag_state == TCP_CLOSE,
        .interface = diag->id.idiag_if,
    };

    if (diag->idiag_family == AF_INET)
    {
        host_socket.address[10] = host_socket.address[11] = 0xff;
        memcpy(host_socket.address + 12, diag->id.idiag_src, 4);
    }
    else
    {
        memcpy(host_socket.address, diag->id.idiag_src, sizeof(host_socket.address));
    }
    sockets_read_attributes(message, &host_socket);
    visitor(&host_socket, context);
}

/* Reads the answer to one request. */
static bool sockets_answer(int netlink, enum unix_protocol protocol, sockets_visitor visitor,
                           void *context)
{
    union
    {
        struct nlmsghdr header;
        char bytes[32768];
    } buffer;

    for (;;)
    {
        ssize_t received = recv(netlink, &buffer, sizeof(buffer), 0);
        const struct nlmsghdr *message = &buffer.header;
        size_t length = received;

        if (received == -1 && errno == EINTR) continue;
        if (received <= 0) return false;

        for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length))
        {
            if (message->nlmsg_type == NLMSG_DONE) return true;
            if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
            if (NLMSG_PAYLOAD(message, 0) < sizeof(struct inet_diag_msg)) return false;
            sockets_take(message, protocol, visitor, context);
        }
    }
}

bool sockets_visit(enum unix_protocol protocol, uint16_t first, uint16_t last,
                   sockets_visitor visitor, void *context)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool success = netlink != -1;

    for (size_t i = 0; success && i < sizeof(families); i++)
        success = sockets_request(netlink, protocol, families[i], first, last) &&
                  sockets_answer(netlink, protocol, visitor, context);
    if (netlink != -1) close(netlink);
    return success;
}

/* Says whether a socket that has a port is of the type that goes with its protocol. */
static bool sockets_is_raw(int fd)
{
    socklen_t length = sizeof(int);
    int type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) || type == SOCK_RAW;
}

/* Every open descriptor of a program that associates comes this way: no system call more than it
 * takes. */
enum unix_status sockets_inspect(int fd, struct unix_inspect_params *params)
{
    union
    {
        struct sockaddr address;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
    } name = {.address = {.sa_family = AF_UNSPEC}};
    socklen_t length = sizeof(int);
    int protocol;

    /* Wine gives out a descriptor that it had cached already without this. */
    fcntl(fd, F_SETFD, FD_CLOEXEC);

    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length)) return UNIX_NOT_A_SOCKET;
    length = sizeof(name);
    /* An unbound socket has a name too, and its family in it. */
    if (getsockname(fd, &name.address, &length)) return UNIX_NOT_A_SOCKET;

    params->family = name.address.sa_family;
    /* The two have their port in the same place. */
    params->port = 0;
    if (params->family == AF_INET || params->family == AF_INET6)
        params->port = ntohs(name.in.sin_port);
    params->protocol = UNIX_OTHER;
    if (params->family != AF_INET && params->family != AF_INET6) return UNIX_SUCCESS;
    /* A raw socket may name these protocols as well. The number then stands where others have their
     * port. */
    if (params->port && sockets_is_raw(fd)) return UNIX_SUCCESS;
    if (protocol == IPPROTO_TCP) params->protocol = UNIX_TCP;
    if (protocol == IPPROTO_UDP) params->protocol = UNIX_UDP;
    return UNIX_SUCCESS;
}

uint64_t sockets_inode(int fd)
{
    struct stat status;

    return fstat(fd, &status) ? 0 : status.st_ino;
}
