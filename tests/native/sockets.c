/*
 * Tests of the questions about sockets: what one is, and which there are
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dlls/portpool/unix/sockets.h"
#include "outsiders.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Inspects and closes a descriptor that others could inherit. */
#define check_inspect(fd, protocol, family, bound)                                                 \
    check_inspect_(__LINE__, fd, protocol, family, bound)
static void check_inspect_(int line, int fd, enum unix_protocol protocol, unsigned int family,
                           bool bound)
{
    struct unix_inspect_params params = {.protocol = 99, .family = 99, .port = 99};
    enum unix_status status;

    if (!ok_(__FILE__, line, fd >= 0, "no descriptor: error %d", errno)) return;
    fcntl(fd, F_SETFD, 0);
    status = sockets_inspect(fd, &params);
    ok_(__FILE__, line, !status, "status %u", status);
    ok_(__FILE__, line, params.protocol == protocol, "protocol %u, expected %u", params.protocol,
        protocol);
    ok_(__FILE__, line, params.family == family, "family %u, expected %u", params.family, family);
    ok_(__FILE__, line, (params.port != 0) == bound && params.port == network_port(fd),
        "port %u, expected %u", params.port, network_port(fd));
    ok_(__FILE__, line, fcntl(fd, F_GETFD) & FD_CLOEXEC, "child processes inherit it");
    close(fd);
}

#define check_no_socket(fd) check_no_socket_(__LINE__, fd)
static void check_no_socket_(int line, int fd)
{
    struct unix_inspect_params params = {.protocol = 99};
    enum unix_status status = sockets_inspect(fd, &params);

    ok_(__FILE__, line, status == UNIX_NOT_A_SOCKET, "status %u", status);
}

static void test_inspect(void)
{
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        for (int i = 0; i < SHAPES; i++)
        {
            const struct shape *shape = &network_shapes[i];
            int type = socket_type(protocol);

            if (!shape_possible(shape)) continue;
            check_inspect(network_socket(shape, type, PLAIN), protocol, shape->family, false);
            check_inspect(network_open(shape, type, 0, PLAIN), protocol, shape->family, true);
            check_inspect(network_open(shape, type, network_free_block(1), REUSEADDR), protocol,
                          shape->family, true);
        }
    }
}

/* Bound by connecting, and a connection's other end. */
static void test_inspect_connection(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    int listener = network_open(shape, SOCK_STREAM, 0, PLAIN), client, datagram;
    union network_address address = network_address(shape, network_port(listener));

    client = network_socket(shape, SOCK_STREAM, PLAIN);
    ok(!listen(listener, 1), "error %d", errno);
    ok(!connect(client, &address.any, sizeof(address.in)), "error %d", errno);
    check_inspect(accept(listener, NULL, NULL), UNIX_TCP, AF_INET, true);
    check_inspect(client, UNIX_TCP, AF_INET, true);
    check_inspect(listener, UNIX_TCP, AF_INET, true);

    datagram = network_socket(shape, SOCK_DGRAM, PLAIN);
    ok(!connect(datagram, &address.any, sizeof(address.in)), "error %d", errno);
    check_inspect(datagram, UNIX_UDP, AF_INET, true);
}

/* Sockets that have nothing to do with ports. */
static void test_inspect_other(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int pair[2], named = socket(AF_UNIX, SOCK_STREAM, 0);

    check_inspect(socket(AF_UNIX, SOCK_STREAM, 0), UNIX_OTHER, AF_UNIX, false);
    check_inspect(socket(AF_UNIX, SOCK_DGRAM, 0), UNIX_OTHER, AF_UNIX, false);
    ok(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "error %d", errno);
    check_inspect(pair[0], UNIX_OTHER, AF_UNIX, false);
    check_inspect(pair[1], UNIX_OTHER, AF_UNIX, false);
    /* A name of the kernel's choice. */
    ok(!bind(named, (struct sockaddr *)&name, sizeof(name.sun_family)), "error %d", errno);
    check_inspect(named, UNIX_OTHER, AF_UNIX, false);
    check_inspect(socket(AF_NETLINK, SOCK_RAW, 0), UNIX_OTHER, AF_NETLINK, false);
}

/* Some hosts let nobody open datagram sockets for ICMP. */
static void allow_ping(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ping_group_range", "we");

    if (!ok(file != NULL, "error %d", errno)) return;
    fprintf(file, "0 0");
    ok(!fclose(file), "the groups cannot be set");
}

static void test_inspect_raw(void)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const struct
    {
        int type;
        int protocol;
    } kinds[] = {
        {SOCK_RAW, IPPROTO_TCP},    {SOCK_RAW, IPPROTO_UDP},       {SOCK_RAW, IPPROTO_ICMP},
        {SOCK_RAW, IPPROTO_RAW},    {SOCK_DGRAM, IPPROTO_ICMP},    {SOCK_DGRAM, IPPROTO_ICMPV6},
        {SOCK_RAW, IPPROTO_ICMPV6}, {SOCK_DGRAM, IPPROTO_UDPLITE}, {SOCK_STREAM, IPPROTO_MPTCP},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    {
        for (int j = 0; j < 1 + outsiders_ipv6; j++)
        {
            struct unix_inspect_params params;
            int fd = socket(families[j], kinds[i].type, kinds[i].protocol);

            if (fd == -1)
            {
                /* ICMP is another in IPv6; the others depend on the kernel, or are root's. */
                if (errno != EPROTONOSUPPORT)
                    skip("type %d, protocol %d, family %d: %s", kinds[i].type, kinds[i].protocol,
                         families[j], strerror(errno));
                continue;
            }
            ok(!sockets_inspect(fd, &params), "not a socket");
            ok(params.protocol == UNIX_OTHER && params.family == (unsigned int)families[j],
               "type %d, protocol %d, family %d: protocol %u, family %u", kinds[i].type,
               kinds[i].protocol, families[j], params.protocol, params.family);
            close(fd);
        }
    }
}

static void test_inspect_file(void)
{
    int ends[2], file = memfd_create("test", 0);

    ok(!pipe(ends), "error %d", errno);
    check_no_socket(ends[0]);
    check_no_socket(ends[1]);
    check_no_socket(file);
    close(ends[0]);
    close(ends[1]);
    close(file);
    /* Closed by now, and never open. */
    check_no_socket(file);
    check_no_socket(-1);
    check_no_socket(0x7fffffff);
}

static void test_inode(void)
{
    int first = network_socket(&network_shapes[SHAPE_ANY], SOCK_DGRAM, PLAIN), copy = dup(first);
    int second = network_socket(&network_shapes[SHAPE_ANY], SOCK_DGRAM, PLAIN);
    uint64_t inode = sockets_inode(first);

    ok(inode && inode == sockets_inode(copy), "inode %lu, of the duplicate %lu",
       (unsigned long)inode, (unsigned long)sockets_inode(copy));
    ok(inode != sockets_inode(second), "two sockets are one");
    ok(sockets_inode(second) != 0, "no inode");
    close(first);
    ok(sockets_inode(copy) == inode, "another inode now");
    close(copy);
    close(second);
    ok(!sockets_inode(copy), "a closed descriptor has an inode");
    ok(!sockets_inode(-1), "no descriptor has an inode");
}

/* How many sockets there are at a port, and the inode of one of them. */
struct census
{
    uint16_t port;
    unsigned int count;
    uint32_t inode;
};

static void count_socket(const struct host_socket *host_socket, void *context)
{
    struct census *census = context;

    if (host_socket->port != census->port || host_socket->remnant) return;
    census->count++;
    census->inode = host_socket->inode;
}

#define check_count(protocol, port, expected) check_count_(__LINE__, protocol, port, expected)
static uint32_t check_count_(int line, enum unix_protocol protocol, uint16_t port,
                             unsigned int expected)
{
    struct census census = {.port = port};

    ok_(__FILE__, line, sockets_visit(protocol, port, port, count_socket, &census),
        "the host does not say");
    ok_(__FILE__, line, census.count == expected, "%s port %u: %u sockets, expected %u",
        protocol_name(protocol), port, census.count, expected);
    return census.inode;
}

/* The ports that were visited of a range, as bits. */
struct range
{
    uint16_t first;
    unsigned int visited;
    unsigned int others;
};

static void note_port(const struct host_socket *host_socket, void *context)
{
    struct range *range = context;
    unsigned int offset = host_socket->port - range->first;

    if (offset < 8)
        range->visited |= 1u << offset;
    else
        range->others++;
}

static void test_visit_range(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(8);
    struct range range;
    int fds[8];

    for (int i = 0; i < 8; i++)
    {
        fds[i] = network_open(&network_shapes[i % SHAPES], socket_type(protocol), start + i, PLAIN);
        if (fds[i] >= 0 && protocol == UNIX_TCP) listen(fds[i], 1);
    }
    for (unsigned int first = 0; first < 8; first++)
    {
        for (unsigned int last = first; last < 8; last++)
        {
            unsigned int expected = 0;

            for (unsigned int i = first; i <= last; i++) expected |= (fds[i] >= 0) << i;
            range = (struct range){.first = start};
            ok(sockets_visit(protocol, start + first, start + last, note_port, &range),
               "the host does not say");
            ok(range.visited == expected && !range.others,
               "%s from %u to %u: %#x, expected %#x, and %u others", protocol_name(protocol), first,
               last, range.visited, expected, range.others);
        }
    }
    for (int i = 0; i < 8; i++)
        if (fds[i] >= 0) close(fds[i]);
    range = (struct range){.first = start};
    ok(sockets_visit(protocol, 65535, 65535, note_port, &range) && !range.visited,
       "sockets at other ports than asked for");
}

static void copy_socket(const struct host_socket *host_socket, void *context)
{
    *(struct host_socket *)context = *host_socket;
}

/* What is said of a socket that is bound, and then listens. */
static void test_visit_details(enum unix_protocol protocol, const struct shape *shape, bool tied)
{
    uint16_t port = network_free_block(1);
    int fd = network_socket(shape, socket_type(protocol), PLAIN), traffic_class = 0x28;
    union network_address address = network_address(shape, port);
    struct host_socket seen = {0};
    struct in6_addr expected = {{{[10] = 0xff, [11] = 0xff}}};

    if (shape->family == AF_INET6)
        expected = address.in6.sin6_addr;
    else
        memcpy(&expected.s6_addr[12], &address.in.sin_addr, 4);
    setsockopt(fd, IPPROTO_IP, IP_TOS, &traffic_class, sizeof(traffic_class));
    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof(traffic_class));
    if (tied) ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "error %d", errno);
    ok(!network_bind(fd, shape, port), "%s: error %d", shape->name, errno);
    for (int listening = 0; listening < 2; listening++)
    {
        seen = (struct host_socket){0};
        if (listening && protocol == UNIX_TCP) ok(!listen(fd, 1), "error %d", errno);
        ok(sockets_visit(protocol, port, port, copy_socket, &seen), "the host does not say");
        /* Before Linux 6.8. */
        if (!seen.port && !listening && protocol == UNIX_TCP) continue;
        ok(seen.port == port && seen.inode == sockets_inode(fd) && !seen.remnant,
           "%s: port %u, inode %u", shape->name, seen.port, seen.inode);
        ok(seen.merely_bound == (protocol == UNIX_TCP && !listening), "%s: merely bound: %d",
           shape->name, seen.merely_bound);
        /* The kernel says so of any socket at a certain IPv6 address, too. */
        if (!strcmp(shape->address, "::"))
            ok(seen.v6only == shape->v6only, "%s: IPv6 only: %d", shape->name, seen.v6only);
        ok(!memcmp(seen.address, &expected, sizeof(expected)), "%s: another address", shape->name);
        ok(seen.interface == (tied ? if_nametoindex("lo") : 0), "%s: interface %u", shape->name,
           seen.interface);
        ok(seen.traffic_class == traffic_class, "%s: traffic class %#x", shape->name,
           seen.traffic_class);
    }
    close(fd);
}

static void test_visit_tcp(const struct shape *shape)
{
    union network_address address;
    int listener, client, accepted;
    uint16_t port;
    uint32_t inode;

    listener = network_open(shape, SOCK_STREAM, network_free_block(1), REUSEADDR);
    port = network_port(listener);
    address = network_address(shape, port);
    ok(!listen(listener, 1), "error %d", errno);
    inode = check_count(UNIX_TCP, port, 1);
    ok(inode == sockets_inode(listener), "inode %u", inode);
    check_count(UNIX_UDP, port, 0);

    client = network_socket(shape, SOCK_STREAM, PLAIN);
    ok(!connect(client, &address.any, network_address_length(&address)), "error %d", errno);
    ok((accepted = accept(listener, NULL, NULL)) != -1, "error %d", errno);
    check_count(UNIX_TCP, port, 2);
    check_count(UNIX_TCP, network_port(client), 1);

    /* What remains in TIME_WAIT is in nobody's way. */
    close(accepted);
    close(client);
    check_count(UNIX_TCP, port, 1);
    close(listener);
    check_count(UNIX_TCP, port, 0);
}

static void test_visit_udp(const struct shape *shape)
{
    int fd = network_open(shape, SOCK_DGRAM, network_free_block(1), PLAIN);
    uint16_t port = network_port(fd);
    uint32_t inode = check_count(UNIX_UDP, port, 1);

    ok(inode == sockets_inode(fd), "%s: inode %u", shape->name, inode);
    check_count(UNIX_TCP, port, 0);
    close(fd);
    check_count(UNIX_UDP, port, 0);
}

/* More than fit into one answer of the kernel. */
static void test_visit_many(void)
{
    struct census census = {.port = 0};
    int fds[500], i;

    for (i = 0; i < 500; i++)
    {
        fds[i] = network_open(&network_shapes[SHAPE_LOCALHOST], SOCK_DGRAM, 0, PLAIN);
        if (!ok(fds[i] >= 0, "error %d", -fds[i])) break;
    }
    for (int j = 0; j < i; j++)
    {
        census = (struct census){.port = network_port(fds[j])};
        if (j % 50 == 0 || j == i - 1) check_count(UNIX_UDP, census.port, 1);
    }
    while (i--) close(fds[i]);
}

int main(void)
{
    test_start("sockets");
    test_seed();
    test_inspect_file();
    if (outsiders_start()) allow_ping();
    test_inspect();
    test_inspect_connection();
    test_inspect_other();
    test_inspect_raw();
    test_inode();
    for (int i = 0; i < SHAPES; i++)
        if (shape_possible(&network_shapes[i])) test_visit_udp(&network_shapes[i]);
    test_visit_tcp(&network_shapes[SHAPE_LOCALHOST]);
    if (outsiders_ipv6) test_visit_tcp(&network_shapes[SHAPES - 2]);
    test_visit_many();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        test_visit_range(protocol);
        for (int i = 0; i < 2 * SHAPES; i++)
            if (shape_possible(&network_shapes[i / 2]))
                test_visit_details(protocol, &network_shapes[i / 2], i % 2);
    }
    return test_end();
}
