/*
 * Sharing: UDP sockets of one process that have one port, each for a processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel makes one group of sockets that share a port at one address with SO_REUSEPORT. Which
 * of them a datagram goes to depends on its flow, unless a program that belongs to the group says
 * otherwise.
 */
#include "sharing.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What a program returns to leave the choice to the kernel: no group has so many sockets. */
#define SHARING_BY_FLOW 0xffffffff

static bool sharing_is_v6only(int socket)
{
    socklen_t length = sizeof(int);
    int only = 0;

    return !getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length) && only;
}

/* Says whether a socket of IPv6 that is bound may take IPv4's datagrams, were it not told
 * otherwise: only at the wildcard address. At any other, the kernel itself has told it. */
static bool sharing_is_wildcard(int socket)
{
    struct sockaddr_in6 name = {.sin6_family = AF_UNSPEC};
    socklen_t length = sizeof(name);

    return !getsockname(socket, (struct sockaddr *)&name, &length) &&
           name.sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&name.sin6_addr);
}

void sharing_set(int socket, bool share)
{
    int value = share;

    setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

enum unix_status sharing_join(int member, int socket)
{
    if (sharing_is_wildcard(member) && sharing_is_v6only(member) != sharing_is_v6only(socket))
        return UNIX_IN_USE;
    sharing_set(member, true);
    return UNIX_SUCCESS;
}

/* An interface with several queues keeps a flow in one of them, and a queue to one processor, and
 * notes the queue in the datagram. One without, as the loopback interface, leaves a datagram to the
 * processor that the sender happens to run on: by that, a flow would wander. */
static const struct sock_filter sharing_prologue[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_QUEUE)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SHARING_BY_FLOW),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_CPU)),
};

#define SHARING_PROLOGUE (sizeof(sharing_prologue) / sizeof(*sharing_prologue))

enum unix_status sharing_steer(int socket, const uint16_t *processors, uint32_t count)
{
    struct sock_fprog program = {.len = SHARING_PROLOGUE + 2 * count + 1};
    enum unix_status status = UNIX_SUCCESS;
    struct sock_filter *next;

    if (count > (BPF_MAXINSNS - SHARING_PROLOGUE - 1) / 2) return UNIX_FAILED;
    if (!(program.filter = malloc(program.len * sizeof(*program.filter)))) return UNIX_FAILED;
    next = program.filter;
    for (size_t i = 0; i < SHARING_PROLOGUE; i++) *next++ = sharing_prologue[i];
    for (uint32_t i = 0; i < count; i++)
    {
        *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, processors[i], 0, 1);
        *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, i);
    }
    *next = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SHARING_BY_FLOW);
    if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)))
        status = UNIX_FAILED;
    free(program.filter);
    return status;
}
