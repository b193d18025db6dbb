/*
 * Tests of UDP sockets that share a port, one a processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "dlls/portpool/unix/sharing.h"
#include "outsiders.h"

#define MOST  12
#define FLOWS 240

static const struct shape *const shapes[] = {
    &network_shapes[SHAPE_ANY], &network_shapes[SHAPE_ANY_DUAL], &network_shapes[SHAPE_ANY_V6]};

/* Sockets that share a reserved port. */
struct group
{
    const struct shape *shape;
    uint16_t port;
    int32_t placeholder;
    int count;
    int sockets[MOST];
};

/* As the Windows side does it, whose comment says why. */
static void group_join(struct group *group)
{
    int last = group->count ? group->sockets[group->count - 1] : -1;
    int fd = network_socket(group->shape, SOCK_DGRAM, PLAIN), error;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    ok(last == -1 || sharing_join(last, fd) == UNIX_SUCCESS, "socket %d was refused", group->count);
    placeholder_lend(group->placeholder, fd);
    error = network_bind(fd, group->shape, group->port);
    ok(!error, "socket %d: error %d", group->count, error);
    placeholder_settle(group->placeholder, fd, UNIX_UDP, !error);
    if (last != -1 && group->shape->family == AF_INET) sharing_set(fd, true);
    group->sockets[group->count++] = fd;
}

static void group_steer(const struct group *group, const uint16_t *processors)
{
    enum unix_status status = sharing_steer(group->sockets[0], processors, group->count);

    ok(status == UNIX_SUCCESS, "%d sockets: status %u", group->count, status);
}

static void group_open(struct group *group, const struct shape *shape, int count)
{
    static const uint16_t processors[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    uint16_t conflict;

    *group = (struct group){.shape = shape, .port = network_free_block(1)};
    placeholder_hold(UNIX_UDP, group->port, 1, &group->placeholder, &conflict);
    while (group->count < count) group_join(group);
    if (count > 1) group_steer(group, processors);
}

static void group_close(struct group *group)
{
    while (group->count) close(group->sockets[--group->count]);
    placeholder_drop(&group->placeholder, 1);
}

/* Takes what has come: how much; *receiver is the socket that had it. */
static int group_take(const struct group *group, int *receiver)
{
    char text[8];
    int taken = 0;

    for (int i = 0; i < group->count; i++)
        while (recv(group->sockets[i], text, sizeof(text), 0) == 1)
        {
            *receiver = i;
            taken++;
        }
    return taken;
}

/* Each datagram reaches one socket, those of a flow always the same; each socket has flows. */
static void test_flows(const struct shape *shape, int count)
{
    int of_socket[MOST] = {0}, first, receiver = -1;
    struct group group;

    group_open(&group, shape, count);
    for (int flow = 0; flow < FLOWS; flow++)
    {
        int client = network_connect(group.sockets[0], network_client_shape(shape), SOCK_DGRAM);

        first = -1;
        for (int i = 0; i < 8; i++)
        {
            ok(send(client, "x", 1, 0) == 1, "flow %d: errno %d", flow, errno);
            ok(group_take(&group, &receiver) == 1, "flow %d: datagram %d", flow, i);
            if (first == -1) first = receiver;
            ok(receiver == first, "flow %d went from %d to %d", flow, first, receiver);
        }
        of_socket[first]++;
        close(client);
    }
    for (int i = 0; i < count; i++) ok(of_socket[i], "socket %d of %d has no flow", i, count);
    group_close(&group);
}

/* Nobody else gets in, be it one that shares, as long as IPv6 is asked for. */
static void test_outsiders(const struct shape *shape, int count)
{
    struct group group;

    group_open(&group, shape, 1);
    while (group.count < count)
    {
        group_join(&group);
        if (shape->family == AF_INET6)
            check_kept_out(UNIX_UDP, group.port, SHARING_ALL);
        else
            check_kept_out(UNIX_UDP, group.port, 1 << PLAIN | 1 << REUSEADDR);
    }
    group_close(&group);
}

static void test_mismatch(void)
{
    struct group group;
    int fd = network_socket(&network_shapes[SHAPE_ANY_V6], SOCK_DGRAM, PLAIN), error;
    enum unix_status status;

    group_open(&group, &network_shapes[SHAPE_ANY_DUAL], 1);
    status = sharing_join(group.sockets[0], fd);
    ok(status == UNIX_IN_USE, "status %u", status);
    error = network_bind(fd, &network_shapes[SHAPE_ANY_V6], group.port);
    ok(error == EADDRINUSE, "error %d", error);
    close(fd);
    group_close(&group);
}

static void test_too_many(void)
{
    uint16_t processors[4096] = {0};
    struct group group;

    group_open(&group, &network_shapes[SHAPE_ANY_DUAL], 2);
    ok(sharing_steer(group.sockets[0], processors, 4096) == UNIX_FAILED, "the kernel took it");
    ok(sharing_steer(-1, processors, 2) == UNIX_FAILED, "no socket");
    group_close(&group);
}

/* A network interface that notes its queue in what it receives, as those do that have several:
 * what is written to it is received on the processor of the writer. */
static int interface_open(void)
{
    struct ifreq request = {.ifr_name = "tawny0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), control;
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;

    if (fd == -1 || ioctl(fd, TUNSETIFF, &request))
    {
        close(fd);
        return -1;
    }
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(0x0a090901)}};
    ok(!ioctl(control, SIOCSIFADDR, &request), "no address, errno %d", errno);
    request.ifr_flags = IFF_UP;
    ok(!ioctl(control, SIOCSIFFLAGS, &request), "not up, errno %d", errno);
    close(control);
    return fd;
}

static uint16_t packet_checksum(const uint8_t *header)
{
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2) sum += header[i] << 8 | header[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

/* One datagram of one byte, from 10.9.9.2 to 10.9.9.1. */
static void packet_write(int interface, uint16_t from, uint16_t to)
{
    uint8_t packet[29] = {0x45, 0, 0, 29, 0, 0, 0, 0,         64,   IPPROTO_UDP, 0,  0, 10,
                          9,    9, 2, 10, 9, 9, 1, from >> 8, from, to >> 8,     to, 0, 9};
    uint16_t checksum = packet_checksum(packet);

    packet[10] = checksum >> 8;
    packet[11] = checksum;
    ok(write(interface, packet, sizeof(packet)) == sizeof(packet), "errno %d", errno);
}

static bool processor_use(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return !sched_setaffinity(0, sizeof(set), &set);
}

/* What is received on a processor reaches the socket at this place. */
#define check_steered(group, interface, processor, place)                                          \
    check_steered_(__LINE__, group, interface, processor, place)
static void check_steered_(int line, const struct group *group, int interface, int processor,
                           int place)
{
    cpu_set_t before;

    sched_getaffinity(0, sizeof(before), &before);
    if (!processor_use(processor)) return;
    for (int flow = 0; flow < 50; flow++)
    {
        int receiver = -1, taken = 0;

        packet_write(interface, 2000 + flow, group->port);
        for (int waited = 0; !taken && waited < 1000; waited++)
        {
            if (waited) usleep(1000);
            taken = group_take(group, &receiver);
        }
        ok_(__FILE__, line, taken == 1 && receiver == place,
            "processor %d, flow %d: %d datagrams, the last for socket %d", processor, flow, taken,
            receiver);
    }
    sched_setaffinity(0, sizeof(before), &before);
}

static void test_steering(const struct shape *shape, int interface)
{
    static const uint16_t first[] = {3, 1, 0, 2}, then[] = {3, 2, 0};
    struct group group;

    group_open(&group, shape, 4);
    group_steer(&group, first);
    check_steered(&group, interface, 0, 2);
    check_steered(&group, interface, 1, 1);
    /* The last takes the place of one that leaves. */
    close(group.sockets[1]);
    group.sockets[1] = group.sockets[3];
    group.count--;
    group_steer(&group, then);
    check_steered(&group, interface, 0, 2);
    check_steered(&group, interface, 2, 1);
    group_close(&group);
}

static void test_interface(void)
{
    int interface = interface_open();

    if (interface == -1)
    {
        skip("no network interface can be made: whether processors are told apart is not tested");
        return;
    }
    test_steering(shapes[0], interface);
    if (outsiders_ipv6) test_steering(shapes[1], interface);
    close(interface);
}

int main(void)
{
    bool isolated;

    test_start("sharing");
    isolated = outsiders_start();
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
    {
        if (!shape_possible(shapes[i])) continue;
        test_flows(shapes[i], 1);
        test_flows(shapes[i], 2);
        test_flows(shapes[i], 8);
        test_outsiders(shapes[i], MOST);
    }
    if (outsiders_ipv6)
    {
        test_mismatch();
        test_too_many();
    }
    if (isolated) test_interface();
    return test_end();
}
