/*
 * Tests of where datagrams go when sockets share a port
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "processor.h"

#define FLOWS 500
#define MANY  50000 /* datagrams */
#define FEW   5000
#define MOST  8

/* So many at a time as one socket has room for. */
#define BATCH 100

struct datagram
{
    UINT flow;
    UINT number; /* of the flow's, from 0 on */
};

/* One sender's address and port, to one receiver's. */
struct flow
{
    SOCKET client;
    SOCKADDR_STORAGE to;
    int length;
    UINT sent;
    UINT received;
    int receiver; /* which socket gets it, -1 before the first datagram */
};

/* Where senders of every kind find the sockets. */
static const char *const targets[] = {"127.0.0.1", "::ffff:127.0.0.1", "::1"};
#define IPV4_TARGETS 2

static void flow_open(struct flow *flow, const char *target, USHORT port)
{
    int off = 0;

    flow->length = make_address(target, port, &flow->to);
    flow->client = socket(flow->to.ss_family, SOCK_DGRAM, IPPROTO_UDP);
    setsockopt(flow->client, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off));
    flow->receiver = -1;
    flow->sent = flow->received = 0;
}

static void flow_send(struct flow *flow, UINT number)
{
    struct datagram datagram = {number, flow->sent++};
    int ret = sendto(flow->client, (char *)&datagram, sizeof(datagram), 0,
                     (struct sockaddr *)&flow->to, flow->length);

    ok(ret == sizeof(datagram), "flow %u: sent %d bytes, error %d\n", number, ret,
       WSAGetLastError());
}

/* Notes a datagram; it must be the next of its flow, at the same socket as the last. */
static void flow_receive(struct flow *flows, const struct datagram *datagram, int receiver)
{
    struct flow *flow = &flows[datagram->flow];

    if (flow->receiver == -1) flow->receiver = receiver;
    ok(flow->receiver == receiver, "flow %u went from socket %d to %d\n", datagram->flow,
       flow->receiver, receiver);
    ok(datagram->number == flow->received, "flow %u: datagram %u after %u\n", datagram->flow,
       datagram->number, flow->received);
    flow->received++;
}

static UINT receive_all(struct flow *flows, const SOCKET *sockets, unsigned int count)
{
    struct datagram datagram;
    UINT i, received = 0;
    u_long waiting;

    for (i = 0; i < count; i++)
        while (!ioctlsocket(sockets[i], FIONREAD, &waiting) && waiting &&
               recv(sockets[i], (char *)&datagram, sizeof(datagram), 0) == sizeof(datagram))
        {
            flow_receive(flows, &datagram, i);
            received++;
        }
    return received;
}

static void check_flows(struct flow *flows, unsigned int count)
{
    UINT i, of_socket[MOST] = {0};

    for (i = 0; i < FLOWS; i++)
    {
        ok(flows[i].received == flows[i].sent, "flow %u: %u of %u datagrams came\n", i,
           flows[i].received, flows[i].sent);
        if (flows[i].receiver >= 0) of_socket[flows[i].receiver]++;
        closesocket(flows[i].client);
    }
    for (i = 0; i < count; i++)
        ok(of_socket[i] > FLOWS / count / 4, "socket %u of %u has %u flows\n", i, count,
           of_socket[i]);
}

/* A reserved port, or one that is not. */
static void test_delivery(const struct kind *kind, unsigned int count, BOOL reserved,
                          UINT datagrams)
{
    UINT target_count = kind->family == AF_INET ? IPV4_TARGETS : ARRAYSIZE(targets);
    SOCKET sockets[MOST], owner = open_socket(kind);
    struct flow *flows = malloc(FLOWS * sizeof(*flows));
    struct block block = {.start = find_ports(1)};
    UINT i, j, received = 0;

    if (reserved) check_acquire(owner, block.start, 1, 0, &block);
    open_sharing(kind, sockets, count, block.start, block.token);
    for (i = 0; i < FLOWS; i++) flow_open(&flows[i], targets[i % target_count], block.start);
    for (i = 0; i < datagrams; i += BATCH)
    {
        for (j = 0; j < BATCH; j++) flow_send(&flows[(i + j) % FLOWS], (i + j) % FLOWS);
        received += receive_all(flows, sockets, count);
    }
    ok(received == datagrams, "%u of %u datagrams came\n", received, datagrams);
    check_flows(flows, count);
    for (i = 0; i < count; i++) check_close(sockets[i]);
    check_close(owner);
    check_free(kind, block.start, 1);
    free(flows);
}

START_TEST(sharing)
{
    static const unsigned int counts[] = {1, 2, MOST};
    const struct kind *kind = &kinds[UDP_DUAL];
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!processor_pretend(MOST))
        todo_wine ok(0, "this Wine does not let the number of processors be changed\n");
    else if (target_reserves(kind))
    {
        for (i = 0; i < ARRAYSIZE(counts); i++)
        {
            winetest_push_context("%u sockets", counts[i]);
            test_delivery(kind, counts[i], TRUE, MANY);
            test_delivery(kind, counts[i], FALSE, FEW);
            winetest_pop_context();
        }
        winetest_push_context("IPv4");
        test_delivery(&kinds[UDP4], MOST, TRUE, FEW);
        test_delivery(&kinds[UDP4], MOST, FALSE, FEW);
        winetest_pop_context();
    }
    WSACleanup();
}
