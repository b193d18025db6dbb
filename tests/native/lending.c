/*
 * Tests of lending: one socket gets a held port, and nobody else, at no moment
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outsiders.h"

#define COUNT       4
#define CONNECTIONS 100
#define DATAGRAMS   10000
#define VISITORS    2
#define ORDINARY    65534

/* A block, and the port of it that is lent. */
struct block
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t port;
    int32_t fds[COUNT];
    int placeholder;
};

static bool block_hold(struct block *block, enum unix_protocol protocol)
{
    uint16_t conflict = 0;

    block->protocol = protocol;
    block->start = network_free_block(COUNT);
    block->port = block->start + 1;
    if (!ok(!placeholder_hold(protocol, block->start, COUNT, block->fds, &conflict),
            "conflict at %u", conflict))
        return false;
    block->placeholder = block->fds[1];
    return true;
}

static void block_drop(struct block *block)
{
    placeholder_drop(block->fds, COUNT);
}

/* Lends the port to a new socket: a descriptor, or minus the error. */
static int block_lend(const struct block *block, const struct shape *shape)
{
    return lend_port(block->placeholder, block->protocol, shape, block->port);
}

static int block_listen(const struct block *block, int fd)
{
    return lend_listen(block->placeholder, fd, CONNECTIONS);
}

/* A program of the same user that sets SO_REUSEPORT itself may bind a TCP port once it was lent: a
 * limit that is documented. Everybody else stays out. */
static unsigned int kept_out(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP ? SHARING_STRANGERS : SHARING_ALL;
}

static void test_lend(enum unix_protocol protocol, const struct shape *shape)
{
    struct block block;
    int fd;

    if (!block_hold(&block, protocol)) return;
    /* The second time nothing is as it was, in the kernel's eyes. */
    for (int round = 0; round < 2; round++)
    {
        fd = block_lend(&block, shape);
        if (!ok(fd >= 0, "%s, %s: error %d", protocol_name(protocol), shape->name, -fd)) break;
        ok(network_port(fd) == block.port, "port %u", network_port(fd));
        ok(!reuses_port(block.placeholder), "the placeholder still shares its port");
        check_kept_out(protocol, block.port, kept_out(protocol));
        if (protocol == UNIX_TCP)
        {
            int error = block_listen(&block, fd);

            ok(!error, "listen: error %d", error);
            ok(!reuses_port(block.placeholder), "the placeholder still shares its port");
            check_kept_out(protocol, block.port, kept_out(protocol));
        }
        close(fd);
        check_kept_out(protocol, block.port, kept_out(protocol));
        /* The rest of the block has not noticed anything. */
        check_kept_out(protocol, block.start, SHARING_ALL);
        check_kept_out(protocol, block.start + 2, SHARING_ALL);
    }
    block_drop(&block);
    check_let_in(protocol, block.port);
}

/* Lends a port at which connections remain, live ones or in TIME_WAIT, from the time before. */
static void test_lend_again(const struct shape *shape, bool live)
{
    union network_address address;
    int fd, client, accepted;
    struct block block;

    if (!block_hold(&block, UNIX_TCP)) return;
    fd = block_lend(&block, shape);
    ok(fd >= 0 && !block_listen(&block, fd), "%s: cannot listen, error %d", shape->name, errno);
    address = network_address(shape, block.port);
    client = network_socket(shape, SOCK_STREAM, PLAIN);
    ok(!connect(client, &address.any, network_address_length(&address)), "error %d", errno);
    ok((accepted = accept(fd, NULL, NULL)) != -1, "error %d", errno);
    close(fd);
    if (!live)
    {
        close(accepted);
        close(client);
    }
    check_kept_out(UNIX_TCP, block.port, SHARING_STRANGERS);
    fd = block_lend(&block, shape);
    ok(fd >= 0 && !block_listen(&block, fd), "%s: error %d, live connection %d", shape->name, -fd,
       live);
    check_kept_out(UNIX_TCP, block.port, SHARING_STRANGERS);
    if (live)
    {
        close(accepted);
        close(client);
    }
    close(fd);
    block_drop(&block);
}

/* Wine's bind may fail for reasons of its own. */
static void test_failed_bind(enum unix_protocol protocol)
{
    static const struct shape nobody = {"192.0.2.1", AF_INET, false, "192.0.2.1"};
    struct block block;
    int fd, error;

    if (!block_hold(&block, protocol)) return;
    fd = wine_socket(protocol, &nobody);
    ok(!placeholder_lend(block.placeholder, fd), "cannot lend");
    error = network_bind(fd, &nobody, block.port);
    ok(error == EADDRNOTAVAIL, "error %d", error);
    placeholder_settle(block.placeholder, fd, protocol, false);
    ok(!reuses_port(fd), "the socket still shares its port");
    ok(!reuses_port(block.placeholder), "the placeholder still shares its port");
    check_kept_out(protocol, block.port, SHARING_ALL);
    /* Another try of the same socket, without having been lent the port. */
    error = network_bind(fd, &network_shapes[SHAPE_ANY], block.port);
    ok(error == EADDRINUSE, "error %d", error);
    close(fd);

    fd = block_lend(&block, &network_shapes[SHAPE_ANY]);
    ok(fd >= 0, "error %d", -fd);
    close(fd);
    block_drop(&block);
}

/* Nothing that is not a socket can be lent to, and the placeholder is not open meanwhile. */
static void test_failed_lend(enum unix_protocol protocol)
{
    struct block block;
    int ends[2];

    if (!block_hold(&block, protocol)) return;
    if (!ok(!pipe(ends), "error %d", errno)) return;
    ok(placeholder_lend(block.placeholder, ends[0]) == UNIX_FAILED, "lent to a pipe");
    ok(!reuses_port(block.placeholder), "the placeholder shares its port");
    check_kept_out(protocol, block.port, SHARING_ALL);
    close(ends[0]);
    close(ends[1]);
    block_drop(&block);
}

/* Connects and says which of the two listeners has the connection: 0, 1, or -1. */
static int connect_to(const struct shape *target, uint16_t port, int first, int second)
{
    struct pollfd events[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    union network_address address = network_address(target, port);
    int client = network_socket(target, SOCK_STREAM, PLAIN), which = -1, accepted;

    if (!connect(client, &address.any, network_address_length(&address)) &&
        poll(events, 2, 10000) > 0)
    {
        which = !(events[0].revents & POLLIN);
        if ((accepted = accept(events[which].fd, NULL, NULL)) != -1) close(accepted);
    }
    close(client);
    return which;
}

/* A lent socket that listens, and beside it a program of the same user that shares ports: who gets
 * the connections to an address? */
static void check_second_listener(const struct shape *shape, const struct shape *outsiders,
                                  const struct shape *target, int expected)
{
    int fd, outsider, which, taken = 0, lost = 0;
    struct block block;

    if (!shape_possible(shape) || !block_hold(&block, UNIX_TCP)) return;
    fd = block_lend(&block, shape);
    ok(fd >= 0 && !block_listen(&block, fd), "%s: cannot listen, error %d", shape->name, errno);
    outsider = network_open(outsiders, SOCK_STREAM, block.port, REUSEPORT);
    /* The limit; were it gone, there would be nothing to test here. */
    if (ok(outsider >= 0, "%s beside %s: error %d", outsiders->name, shape->name, -outsider) &&
        ok(!listen(outsider, CONNECTIONS), "%s: error %d", outsiders->name, errno))
    {
        for (int i = 0; i < CONNECTIONS; i++)
        {
            which = connect_to(target, block.port, fd, outsider);
            taken += which == 1;
            lost += which == -1;
        }
        ok(taken == expected && !lost,
           "%s beside %s: of %d connections the outsider got %d, expected %d, and %d failed",
           outsiders->name, shape->name, CONNECTIONS, taken, expected, lost);
    }
    if (outsider >= 0) close(outsider);
    close(fd);
    block_drop(&block);
}

static void test_second_listener(void)
{
    static const struct shape localhost6 = {"::1", AF_INET6, false, "::1"};
    const struct shape *localhost = &network_shapes[SHAPE_LOCALHOST], *target;

    for (int i = 0; i < SHAPES; i++)
    {
        const struct shape *shape = &network_shapes[i];

        target = shape;
        if (i == SHAPE_ANY || i == SHAPE_ANY_DUAL) target = localhost;
        if (i == SHAPE_ANY_V6) target = &localhost6;
        check_second_listener(shape, shape, target, 0);
    }
    check_second_listener(&network_shapes[SHAPE_ANY_DUAL], &network_shapes[SHAPE_ANY_DUAL],
                          &localhost6, 0);

    /* The kernel prefers whoever listens at the more specific address, and for IPv4 an IPv4 socket:
     * the rest of the limit. */
    check_second_listener(&network_shapes[SHAPE_ANY], localhost, localhost, CONNECTIONS);
    check_second_listener(&network_shapes[SHAPE_ANY_DUAL], localhost, localhost, CONNECTIONS);
    check_second_listener(&network_shapes[SHAPE_ANY_DUAL], &network_shapes[SHAPE_ANY], localhost,
                          CONNECTIONS);
    check_second_listener(&network_shapes[SHAPE_ANY_DUAL], &network_shapes[SHAPE_ANY], &localhost6,
                          0);
}

/* Another user's program does not get in by sharing ports either. */
static void test_other_user(void)
{
    struct block block;
    pid_t child;
    int status, fd;

    if (!block_hold(&block, UNIX_TCP)) return;
    fd = block_lend(&block, &network_shapes[SHAPE_ANY]);
    ok(fd >= 0 && !block_listen(&block, fd), "cannot listen, error %d", errno);
    fflush(stdout);
    if (!(child = fork()))
    {
        if (geteuid() == ORDINARY || setresuid(ORDINARY, ORDINARY, ORDINARY)) _exit(1);
        check_kept_out(UNIX_TCP, block.port, SHARING_ALL);
        _exit(0);
    }
    ok(waitpid(child, &status, 0) == child && WIFEXITED(status), "the child ended with status %#x",
       status);
    if (status) skip("there is no other user here: SO_REUSEPORT of another user is not tested");
    close(fd);
    block_drop(&block);
}

/* Sends datagrams, and counts those that come. */
static unsigned int exchange(int receiver, int sender, const union network_address *address)
{
    unsigned int received = 0;
    uint64_t sequence;

    for (unsigned int i = 0; i < DATAGRAMS; i++)
    {
        sequence = i;
        if (sendto(sender, &sequence, sizeof(sequence), 0, &address->any,
                   network_address_length(address)) != sizeof(sequence))
            return received;
        /* No more than the receive buffer has room for. */
        if (i % 50 != 49 && i + 1 != DATAGRAMS) continue;
        while (recv(receiver, &sequence, sizeof(sequence), MSG_DONTWAIT) == sizeof(sequence))
            received++;
    }
    return received;
}

/* No datagram goes to the placeholder, which nobody reads. */
static void test_datagrams(const struct shape *shape, const char *destination, bool mapped)
{
    struct shape target = {destination, strchr(destination, ':') ? AF_INET6 : AF_INET, false,
                           destination};
    union network_address address;
    unsigned int received;
    struct block block;
    int fd, sender;

    if (!shape_possible(shape) || !shape_possible(&target) || !block_hold(&block, UNIX_UDP)) return;
    fd = block_lend(&block, shape);
    sender = network_socket(&target, SOCK_DGRAM, PLAIN);
    ok(fd >= 0 && sender >= 0, "%s: error %d", shape->name, -fd);
    address = network_address(&target, block.port);
    received = exchange(fd, sender, &address);
    ok(received == DATAGRAMS, "%s: %u of %u datagrams to %s%s", shape->name, received, DATAGRAMS,
       destination, mapped ? " (mapped)" : "");
    close(sender);
    close(fd);
    block_drop(&block);
}

static void test_all_datagrams(void)
{
    test_datagrams(&network_shapes[SHAPE_ANY], "127.0.0.1", false);
    test_datagrams(&network_shapes[SHAPE_ANY], "127.0.0.2", false);
    test_datagrams(&network_shapes[SHAPE_ANY], "::ffff:127.0.0.1", true);
    test_datagrams(&network_shapes[SHAPE_LOCALHOST], "127.0.0.1", false);
    test_datagrams(&network_shapes[SHAPE_ANY_DUAL], "127.0.0.1", false);
    test_datagrams(&network_shapes[SHAPE_ANY_DUAL], "::1", false);
    test_datagrams(&network_shapes[SHAPE_ANY_DUAL], "::ffff:127.0.0.1", true);
    test_datagrams(&network_shapes[SHAPE_ANY_V6], "::1", false);
    test_datagrams(&network_shapes[SHAPES - 3], "::1", false);
    test_datagrams(&network_shapes[SHAPES - 1], "127.0.0.1", false);
    test_datagrams(&network_shapes[SHAPES - 1], "::ffff:127.0.0.1", true);
}

/* Outsiders that try to bind the port all the while. */
struct visitor
{
    pthread_t thread;
    unsigned int seed;
    const struct block *block;
    unsigned long tries;
    unsigned long got;
    unsigned long other_errors;
};

static bool visitors_end;

static void *visitor_thread(void *context)
{
    struct visitor *visitor = context;

    while (!__atomic_load_n(&visitors_end, __ATOMIC_RELAXED))
    {
        const struct shape *shape = &network_shapes[rand_r(&visitor->seed) % SHAPES];
        enum sharing sharing = rand_r(&visitor->seed) % 2 ? PLAIN : REUSEADDR;
        int error;

        if (!shape_possible(shape)) continue;
        error = network_try(shape, socket_type(visitor->block->protocol), visitor->block->port,
                            sharing);
        __atomic_fetch_add(&visitor->got, !error, __ATOMIC_RELAXED);
        visitor->other_errors += error && error != EADDRINUSE;
        __atomic_fetch_add(&visitor->tries, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void start_visitors(struct visitor *visitors, const struct block *block)
{
    __atomic_store_n(&visitors_end, false, __ATOMIC_RELAXED);
    for (int i = 0; i < VISITORS; i++)
    {
        visitors[i] = (struct visitor){.seed = random(), .block = block};
        if (!pthread_create(&visitors[i].thread, NULL, visitor_thread, &visitors[i])) continue;
        perror("pthread_create");
        exit(1);
    }
}

static void end_visitors(struct visitor *visitors)
{
    __atomic_store_n(&visitors_end, true, __ATOMIC_RELAXED);
    for (int i = 0; i < VISITORS; i++) pthread_join(visitors[i].thread, NULL);
}

/* Lends many times; says how often that failed. */
static unsigned long lend_often(const struct block *block, unsigned long lendings)
{
    unsigned long failed = 0;

    for (unsigned long i = 0; i < lendings; i++)
    {
        const struct shape *shape = &network_shapes[random() % SHAPES];
        int fd;

        if (!shape_possible(shape)) continue;
        if ((fd = block_lend(block, shape)) < 0)
        {
            failed++;
            continue;
        }
        if (block->protocol == UNIX_TCP && i % 2) failed += block_listen(block, fd) != 0;
        close(fd);
    }
    return failed;
}

static void test_stress(enum unix_protocol protocol)
{
    unsigned long lendings = test_setting("TAWNY_LENDINGS", 5000), failed;
    struct visitor visitors[VISITORS];
    struct block block;

    if (!block_hold(&block, protocol)) return;
    start_visitors(visitors, &block);
    /* Not before all of them are at it. */
    for (int i = 0; i < VISITORS; i++)
        while (__atomic_load_n(&visitors[i].tries, __ATOMIC_RELAXED) < 10) sched_yield();
    failed = lend_often(&block, lendings);
    end_visitors(visitors);
    ok(!failed, "%s: %lu of %lu lendings failed", protocol_name(protocol), failed, lendings);
    for (int i = 0; i < VISITORS; i++)
    {
        ok(!visitors[i].got, "%s: an outsider got the port %lu times in %lu tries",
           protocol_name(protocol), visitors[i].got, visitors[i].tries);
        ok(!visitors[i].other_errors, "%s: %lu tries failed otherwise", protocol_name(protocol),
           visitors[i].other_errors);
    }
    check_kept_out(protocol, block.port, kept_out(protocol));
    block_drop(&block);

    /* The same outsiders, with nobody to keep them out. */
    start_visitors(visitors, &block);
    for (int i = 0; i < VISITORS; i++)
        while (!__atomic_load_n(&visitors[i].got, __ATOMIC_RELAXED) &&
               __atomic_load_n(&visitors[i].tries, __ATOMIC_RELAXED) < 1000000)
            sched_yield();
    end_visitors(visitors);
    ok(visitors[0].got && visitors[1].got, "the outsiders could not get a free port either");
}

/* A process that dies with ports held and lent leaves nothing behind. */
static void test_death(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(COUNT), conflict;
    int32_t fds[COUNT];
    int ends[2], status;
    pid_t child;
    char byte;

    if (!ok(!pipe(ends), "error %d", errno)) return;
    fflush(stdout);
    if (!(child = fork()))
    {
        struct block block = {.protocol = protocol, .start = start, .port = start + 1};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (placeholder_hold(protocol, start, COUNT, block.fds, &conflict)) _exit(1);
        block.placeholder = block.fds[1];
        if (write(ends[1], "x", 1) != 1) _exit(1);
        lend_often(&block, ~0ul);
        _exit(1);
    }
    close(ends[1]);
    ok(read(ends[0], &byte, 1) == 1, "the child could not hold the block");
    close(ends[0]);
    check_kept_out(protocol, start, SHARING_STRANGERS);
    check_kept_out(protocol, start + 1, SHARING_STRANGERS);
    kill(child, SIGKILL);
    ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "status %#x", status);
    status = placeholder_hold(protocol, start, COUNT, fds, &conflict);
    ok(!status, "status %u, conflict at %u", status, conflict);
    placeholder_drop(fds, COUNT);
    check_let_in(protocol, start + 1);
}

static void test_protocol(enum unix_protocol protocol)
{
    for (int i = 0; i < SHAPES; i++)
        if (shape_possible(&network_shapes[i])) test_lend(protocol, &network_shapes[i]);
    test_failed_bind(protocol);
    test_failed_lend(protocol);
    test_death(protocol);
    test_stress(protocol);
}

int main(void)
{
    test_start("lending");
    test_seed();
    outsiders_start();
    test_protocol(UNIX_TCP);
    test_protocol(UNIX_UDP);
    for (int i = 0; i < 2; i++)
    {
        test_lend_again(&network_shapes[SHAPE_LOCALHOST], i);
        if (outsiders_ipv6) test_lend_again(&network_shapes[SHAPES - 1], i);
    }
    test_second_listener();
    test_other_user();
    test_all_datagrams();
    return test_end();
}
