/*
 * Tests of shared placeholders: another process holds the ports of a persistent range, and lends
 * them all the time
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
#define DATAGRAMS   5000
#define VISITORS    2
#define ORDINARY    65534

/* A process that holds a range. */
struct holder
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t port; /* the one that is lent */
    pid_t child;
};

static void holder_main(const struct holder *holder, int ready)
{
    uint16_t conflict;
    int32_t fds[COUNT];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (placeholder_hold(holder->protocol, holder->start, COUNT, fds, &conflict)) _exit(1);
    placeholder_share(fds, COUNT);
    if (write(ready, "x", 1) != 1) _exit(1);
    for (;;) pause();
}

static bool holder_start(struct holder *holder, enum unix_protocol protocol)
{
    int ends[2];
    char byte;
    bool success;

    holder->protocol = protocol;
    holder->start = network_free_block(COUNT);
    holder->port = holder->start + 1;
    if (!ok(!pipe(ends), "error %d", errno)) return false;
    fflush(stdout);
    if (!(holder->child = fork())) holder_main(holder, ends[1]);
    close(ends[1]);
    success = ok(read(ends[0], &byte, 1) == 1, "the holder could not hold the range");
    close(ends[0]);
    return success;
}

static void holder_kill(const struct holder *holder)
{
    int status;

    kill(holder->child, SIGKILL);
    ok(waitpid(holder->child, &status, 0) == holder->child && WIFSIGNALED(status), "status %#x",
       status);
}

static int holder_lend(const struct holder *holder, const struct shape *shape)
{
    return lend_port(UNIX_PLACEHOLDER_SHARED, holder->protocol, shape, holder->port);
}

/* Programs of the same user that set SO_REUSEPORT themselves are let in, as on Windows everybody
 * is: a limit that is documented. */
static void test_lend(enum unix_protocol protocol, const struct shape *shape)
{
    struct holder holder;
    int fd, error;

    if (!holder_start(&holder, protocol)) return;
    check_kept_out(protocol, holder.port, SHARING_STRANGERS);
    for (int round = 0; round < 2; round++)
    {
        fd = holder_lend(&holder, shape);
        if (!ok(fd >= 0, "%s, %s: error %d", protocol_name(protocol), shape->name, -fd)) break;
        ok(network_port(fd) == holder.port, "port %u", network_port(fd));
        ok(reuses_port(fd) == (protocol == UNIX_TCP), "%s: SO_REUSEPORT: %d",
           protocol_name(protocol), reuses_port(fd));
        check_kept_out(protocol, holder.port, SHARING_STRANGERS);
        if (protocol == UNIX_TCP)
        {
            error = lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 1);
            ok(!error, "%s: listen: error %d", shape->name, error);
            check_kept_out(protocol, holder.port, SHARING_STRANGERS);
        }
        close(fd);
        check_kept_out(protocol, holder.port, SHARING_STRANGERS);
        check_kept_out(protocol, holder.start + 2, SHARING_STRANGERS);
    }
    holder_kill(&holder);
    check_let_in(protocol, holder.port);
}

/* The socket is bound when the holder dies, and keeps the port. */
static void test_death(enum unix_protocol protocol, const struct shape *shape)
{
    struct holder holder;
    int fd, error;

    if (!holder_start(&holder, protocol)) return;
    fd = holder_lend(&holder, shape);
    ok(fd >= 0, "%s: error %d", shape->name, -fd);
    holder_kill(&holder);
    error = network_try(shape, socket_type(protocol), holder.port, PLAIN);
    ok(error == EADDRINUSE, "%s, %s: error %d", protocol_name(protocol), shape->name, error);
    check_let_in(protocol, holder.start);
    if (protocol == UNIX_TCP)
    {
        error = lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 1);
        ok(!error, "%s: listen: error %d", shape->name, error);
    }
    close(fd);
    check_let_in(protocol, holder.port);
}

static void test_failed_bind(enum unix_protocol protocol)
{
    static const struct shape nobody = {"192.0.2.1", AF_INET, false, "192.0.2.1"};
    struct holder holder;
    int fd, error;

    if (!holder_start(&holder, protocol)) return;
    fd = wine_socket(protocol, &nobody);
    ok(!placeholder_lend(UNIX_PLACEHOLDER_SHARED, fd), "cannot lend");
    ok(reuses_port(fd), "the socket does not share the port");
    error = network_bind(fd, &nobody, holder.port);
    ok(error == EADDRNOTAVAIL, "error %d", error);
    placeholder_settle(UNIX_PLACEHOLDER_SHARED, fd, protocol, false);
    ok(!reuses_port(fd), "the socket still shares the port");
    error = network_bind(fd, &network_shapes[SHAPE_ANY], holder.port);
    ok(error == EADDRINUSE, "error %d", error);
    close(fd);
    holder_kill(&holder);
}

static void test_failed_lend(void)
{
    int ends[2];

    if (!ok(!pipe(ends), "error %d", errno)) return;
    ok(placeholder_lend(UNIX_PLACEHOLDER_SHARED, ends[0]) == UNIX_FAILED, "lent to a pipe");
    close(ends[0]);
    close(ends[1]);
}

/* Another user's program does not get in by sharing ports either. */
static void test_other_user(enum unix_protocol protocol)
{
    struct holder holder;
    pid_t child;
    int status;

    if (!holder_start(&holder, protocol)) return;
    fflush(stdout);
    if (!(child = fork()))
    {
        if (geteuid() == ORDINARY || setresuid(ORDINARY, ORDINARY, ORDINARY)) _exit(1);
        check_kept_out(protocol, holder.port, SHARING_ALL);
        _exit(0);
    }
    ok(waitpid(child, &status, 0) == child && WIFEXITED(status), "status %#x", status);
    if (status) skip("there is no other user here: SO_REUSEPORT of another user is not tested");
    holder_kill(&holder);
}

/* What a socket of the port's at one shape of address is reached by. */
struct route
{
    int shape;
    const char *destination;
};

static const struct route routes[] = {
    {SHAPE_ANY, "127.0.0.1"},
    {SHAPE_ANY, "127.0.0.2"},
    {SHAPE_ANY, "::ffff:127.0.0.1"},
    {SHAPE_LOCALHOST, "127.0.0.1"},
    {SHAPE_ANY_DUAL, "127.0.0.1"},
    {SHAPE_ANY_DUAL, "::1"},
    {SHAPE_ANY_DUAL, "::ffff:127.0.0.1"},
    {SHAPE_ANY_V6, "::1"},
    {SHAPES - 3, "::1"},
    {SHAPES - 1, "127.0.0.1"},
    {SHAPES - 1, "::ffff:127.0.0.1"},
};

static struct shape route_target(const struct route *route)
{
    return (struct shape){route->destination, strchr(route->destination, ':') ? AF_INET6 : AF_INET,
                          false, route->destination};
}

/* No datagram goes to the placeholder, which nobody reads. */
static void test_datagrams(const struct route *route)
{
    const struct shape *shape = &network_shapes[route->shape], target = route_target(route);
    union network_address address;
    unsigned int received = 0;
    struct holder holder;
    int fd, sender;
    char byte;

    if (!shape_possible(shape) || !shape_possible(&target) || !holder_start(&holder, UNIX_UDP))
        return;
    fd = holder_lend(&holder, shape);
    sender = network_socket(&target, SOCK_DGRAM, PLAIN);
    ok(fd >= 0 && sender >= 0, "%s: error %d", shape->name, -fd);
    address = network_address(&target, holder.port);
    for (int i = 0; i < DATAGRAMS; i++)
    {
        /* From many ports: what is shared out is shared out by them. */
        if (i % 50 == 49)
        {
            close(sender);
            sender = network_socket(&target, SOCK_DGRAM, PLAIN);
        }
        sendto(sender, "x", 1, 0, &address.any, network_address_length(&address));
        while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1) received++;
    }
    ok(received == DATAGRAMS, "%s: %u of %u datagrams to %s", shape->name, received, DATAGRAMS,
       route->destination);
    close(sender);
    close(fd);
    holder_kill(&holder);
}

/* Connects once; true if the listener has the connection. */
static bool connect_once(const struct shape *target, uint16_t port, int listener)
{
    struct pollfd event = {.fd = listener, .events = POLLIN};
    union network_address address = network_address(target, port);
    int client = network_socket(target, SOCK_STREAM, PLAIN), accepted = -1;

    if (!connect(client, &address.any, network_address_length(&address)) &&
        poll(&event, 1, 10000) > 0)
        accepted = accept(listener, NULL, NULL);
    close(client);
    if (accepted != -1) close(accepted);
    return accepted != -1;
}

/* All connections reach the lent socket, even beside an outsider that listens at the same address.
 */
static void test_connections(const struct route *route, bool beside)
{
    const struct shape *shape = &network_shapes[route->shape], target = route_target(route);
    struct holder holder;
    int fd, outsider = -1, reached = 0;

    if (!shape_possible(shape) || !shape_possible(&target) || !holder_start(&holder, UNIX_TCP))
        return;
    fd = holder_lend(&holder, shape);
    ok(fd >= 0 && !lend_listen(UNIX_PLACEHOLDER_SHARED, fd, CONNECTIONS), "%s: error %d",
       shape->name, -fd);
    if (beside)
    {
        outsider = network_open(shape, SOCK_STREAM, holder.port, REUSEPORT);
        ok(outsider >= 0 && !listen(outsider, CONNECTIONS), "%s: error %d", shape->name, -outsider);
    }
    while (reached < CONNECTIONS && connect_once(&target, holder.port, fd)) reached++;
    ok(reached == CONNECTIONS, "%s: %d of %d connections to %s", shape->name, reached, CONNECTIONS,
       route->destination);
    if (outsider >= 0) close(outsider);
    close(fd);
    holder_kill(&holder);
}

/* Outsiders that try to bind the port all the while. */
struct visitor
{
    pthread_t thread;
    unsigned int seed;
    const struct holder *holder;
    unsigned long tries;
    unsigned long got;
};

static bool visitors_end;

static void *visitor_thread(void *context)
{
    struct visitor *visitor = context;

    while (!__atomic_load_n(&visitors_end, __ATOMIC_RELAXED))
    {
        const struct shape *shape = &network_shapes[rand_r(&visitor->seed) % SHAPES];
        enum sharing sharing = rand_r(&visitor->seed) % 2 ? PLAIN : REUSEADDR;

        if (!shape_possible(shape)) continue;
        if (!network_try(shape, socket_type(visitor->holder->protocol), visitor->holder->port,
                         sharing))
            __atomic_fetch_add(&visitor->got, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&visitor->tries, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Lends itself the port many times; says how often that failed. */
static unsigned long lend_often(const struct holder *holder, unsigned long lendings)
{
    unsigned long failed = 0;

    for (unsigned long i = 0; i < lendings; i++)
    {
        const struct shape *shape = &network_shapes[random() % SHAPES];
        int fd;

        if (!shape_possible(shape)) continue;
        if ((fd = holder_lend(holder, shape)) < 0)
        {
            failed++;
            continue;
        }
        if (holder->protocol == UNIX_TCP && i % 2)
            failed += lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 1) != 0;
        close(fd);
    }
    return failed;
}

static void test_stress(enum unix_protocol protocol)
{
    unsigned long lendings = test_setting("TAWNY_LENDINGS", 5000), failed;
    struct visitor visitors[VISITORS];
    struct holder holder;

    if (!holder_start(&holder, protocol)) return;
    __atomic_store_n(&visitors_end, false, __ATOMIC_RELAXED);
    for (int i = 0; i < VISITORS; i++)
    {
        visitors[i] = (struct visitor){.seed = random(), .holder = &holder};
        if (!pthread_create(&visitors[i].thread, NULL, visitor_thread, &visitors[i])) continue;
        perror("pthread_create");
        exit(1);
    }
    for (int i = 0; i < VISITORS; i++)
        while (__atomic_load_n(&visitors[i].tries, __ATOMIC_RELAXED) < 10) sched_yield();
    failed = lend_often(&holder, lendings);
    for (int i = 0; i < VISITORS; i++)
        ok(!__atomic_load_n(&visitors[i].got, __ATOMIC_RELAXED), "%s: an outsider got the port",
           protocol_name(protocol));
    ok(!failed, "%s: %lu of %lu lendings failed", protocol_name(protocol), failed, lendings);

    /* The same outsiders, with nobody to keep them out. */
    holder_kill(&holder);
    for (int i = 0; i < VISITORS; i++)
        while (!__atomic_load_n(&visitors[i].got, __ATOMIC_RELAXED) &&
               __atomic_load_n(&visitors[i].tries, __ATOMIC_RELAXED) < 1000000)
            sched_yield();
    __atomic_store_n(&visitors_end, true, __ATOMIC_RELAXED);
    for (int i = 0; i < VISITORS; i++) pthread_join(visitors[i].thread, NULL);
    ok(visitors[0].got && visitors[1].got, "the outsiders could not get a free port either");
}

int main(void)
{
    test_start("shared");
    test_seed();
    outsiders_start();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        for (int i = 0; i < SHAPES; i++)
        {
            if (!shape_possible(&network_shapes[i])) continue;
            test_lend(protocol, &network_shapes[i]);
            test_death(protocol, &network_shapes[i]);
        }
        test_failed_bind(protocol);
        test_other_user(protocol);
        test_stress(protocol);
    }
    test_failed_lend();
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
    {
        test_datagrams(&routes[i]);
        test_connections(&routes[i], false);
        test_connections(&routes[i], true);
    }
    return test_end();
}
