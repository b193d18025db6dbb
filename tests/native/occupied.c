/*
 * Tests of placeholders: which sockets of the host make a port count as used
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "dlls/portpool/unix/sockets.h"
#include "outsiders.h"

#define COUNT  4
#define OFFSET 2 /* of the port that the outsider has */

enum kind
{
    BOUND,
    LISTENER,
    ACCEPTED,  /* a connection, its listener gone */
    CONNECTED, /* a connection that began here */
    NOTHING,
    KINDS,
};

static const char *const kind_names[] = {"bound", "listener", "accepted", "connected", "nothing"};

/* What there is at a port. */
struct scene
{
    int occupant; /* -1: none */
    int peer;     /* the other end of its connection; -1: none */
};

static bool bound_sockets_listed;

/* Connects from a port, to a listener elsewhere. */
static void scene_connect(struct scene *scene, const struct shape *shape)
{
    const struct shape *target = network_client_shape(shape);
    int listener = network_open(target, SOCK_STREAM, 0, PLAIN);
    union network_address address = network_address(target, network_port(listener));

    if (!listen(listener, 1) &&
        !connect(scene->occupant, &address.any, network_address_length(&address)) &&
        (scene->peer = accept(listener, NULL, NULL)) != -1)
    {
        close(listener);
        return;
    }
    perror("connection");
    exit(1);
}

/* Sets the scene. The occupant is there before the remnants: it could not come after them unless
 * it had set SO_REUSEADDR. */
static bool scene_make(struct scene *scene, enum kind kind, const struct shape *shape,
                       uint16_t port, enum sharing sharing, bool remnants)
{
    int accepted = -1;

    *scene = (struct scene){-1, -1};
    if ((scene->occupant = network_open(shape, SOCK_STREAM, port, sharing)) < 0)
        return ok(false, "%s: error %d", shape->name, -scene->occupant);
    if (remnants || kind == LISTENER || kind == ACCEPTED) listen(scene->occupant, 8);
    if (remnants) network_remnant(scene->occupant, shape);

    switch (kind)
    {
    case ACCEPTED:
        scene->peer = network_connection(scene->occupant, shape, &accepted);
        close(scene->occupant);
        scene->occupant = accepted;
        break;
    case NOTHING:
        close(scene->occupant);
        scene->occupant = -1;
        break;
    case BOUND:
    case CONNECTED:
        /* It listens no more, but stays bound. */
        if (remnants) shutdown(scene->occupant, SHUT_RDWR);
        if (kind == CONNECTED) scene_connect(scene, shape);
        break;
    default:
        break;
    }
    return kind == NOTHING ||
           ok(network_port(scene->occupant) == port, "%s, %s: at port %u, not %u", kind_names[kind],
              shape->name, network_port(scene->occupant), port);
}

static void scene_end(struct scene *scene)
{
    struct linger reset = {.l_onoff = 1};

    if (scene->occupant != -1)
    {
        setsockopt(scene->occupant, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(scene->occupant);
    }
    if (scene->peer != -1) close(scene->peer);
}

/* What holding a block with the scene in it must say. Windows minds no remnants. The host's kernel
 * does mind those of sockets that had not set SO_REUSEADDR, as all of Wine's have: no bind gets
 * past them, a limit that is documented. */
static enum unix_status scene_status(enum kind kind, enum sharing sharing, bool remnants)
{
    if (kind != NOTHING) return UNIX_IN_USE;
    return remnants && !(sharing & REUSEADDR) ? UNIX_IN_USE : UNIX_SUCCESS;
}

/* Holds a block with the scene in it. */
static void check_scene(enum kind kind, const struct shape *shape, enum sharing sharing,
                        bool remnants)
{
    uint16_t start = network_free_block(COUNT), conflict = 0;
    enum unix_status expected = scene_status(kind, sharing, remnants), status;
    unsigned int before;
    int32_t fds[COUNT];
    struct scene scene;

    if (!scene_make(&scene, kind, shape, start + OFFSET, sharing, remnants)) return;
    /* Else the test would prove nothing. */
    if (kind == NOTHING && remnants)
        ok(network_try(shape, SOCK_STREAM, start + OFFSET, PLAIN) == EADDRINUSE,
           "%s: nothing in TIME_WAIT", shape->name);

    before = network_descriptors();
    status = placeholder_hold(UNIX_TCP, start, COUNT, fds, &conflict);
    ok(status == expected && (status != UNIX_IN_USE || conflict == start + OFFSET),
       "%s, %s, %s%s: status %u, expected %u, conflict at %u, expected at %u", kind_names[kind],
       shape->name, sharing_name(sharing), remnants ? ", remnants" : "", status, expected, conflict,
       start + OFFSET);
    if (status)
        ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(),
           before);
    else
        check_kept_out(UNIX_TCP, start + OFFSET, SHARING_ALL);
    placeholder_drop(fds, COUNT);
    scene_end(&scene);

    /* Of the scene at most remnants remain. */
    expected = scene_status(NOTHING, sharing, remnants);
    status = placeholder_hold(UNIX_TCP, start, COUNT, fds, &conflict);
    ok(status == expected, "%s, %s, %s%s: status %u after the end, expected %u", kind_names[kind],
       shape->name, sharing_name(sharing), remnants ? ", remnants" : "", status, expected);
    placeholder_drop(fds, COUNT);
}

static void test_tcp(void)
{
    for (enum kind kind = BOUND; kind < KINDS; kind++)
    {
        for (int i = 0; i < SHAPES; i++)
        {
            const struct shape *shape = &network_shapes[i];

            for (enum sharing sharing = PLAIN; sharing < SHARINGS && shape_possible(shape);
                 sharing++)
            {
                check_scene(kind, shape, sharing, false);
                /* Seen by nobody before Linux 6.8. */
                if (kind != BOUND || !(sharing & REUSEADDR) || bound_sockets_listed)
                    check_scene(kind, shape, sharing, true);
            }
        }
    }
}

/* Leaves a connection in TIME_WAIT at the port from which it was made. */
static void make_client_remnant(const struct shape *shape, uint16_t port)
{
    struct scene scene;

    if (!scene_make(&scene, CONNECTED, shape, port, REUSEADDR, false)) return;
    close(scene.occupant);
    close(scene.peer);
    ok(network_try(shape, SOCK_STREAM, port, PLAIN) == EADDRINUSE, "nothing in TIME_WAIT");
}

/* Remnants of several connections, at several ports of a block, and one live connection. */
static void test_many_remnants(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    uint16_t start = network_free_block(200), conflict = 0;
    int32_t fds[200];
    enum unix_status status;
    struct scene scene;

    for (uint16_t i = 0; i < 200; i += 2)
        if (scene_make(&scene, NOTHING, shape, start + i, REUSEADDR, true)) scene_end(&scene);
    for (uint16_t i = 0; i < 200; i += 5) make_client_remnant(shape, start + i);
    status = placeholder_hold(UNIX_TCP, start, 200, fds, &conflict);
    ok(!status, "status %u, conflict at %u", status, conflict);
    for (uint16_t i = 0; i < 200; i += 17) check_kept_out(UNIX_TCP, start + i, SHARING_ALL);
    placeholder_drop(fds, 200);

    if (!scene_make(&scene, ACCEPTED, shape, start + 150, REUSEADDR, true)) return;
    status = placeholder_hold(UNIX_TCP, start, 200, fds, &conflict);
    ok(status == UNIX_IN_USE && conflict == start + 150,
       "status %u, conflict at %u, expected at %u", status, conflict, start + 150);
    placeholder_drop(fds, 200);
    scene_end(&scene);
}

/* Connections that a program has closed and the kernel has not seen to their end: whoever closes
 * first, or the other side not at all. */
static void test_closing(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    uint16_t port = network_free_block(1), conflict;
    enum unix_status status;
    struct scene scene;
    int32_t fd;

    for (unsigned int i = 0; i < 600; i++)
    {
        if (!scene_make(&scene, ACCEPTED, shape, port, REUSEADDR, false)) return;
        if (i % 3 == 0) close(scene.peer);
        close(scene.occupant);
        if (i % 3 == 1) close(scene.peer);
        status = placeholder_hold(UNIX_TCP, port, 1, &fd, &conflict);
        ok(!status, "round %u: status %u", i, status);
        placeholder_drop(&fd, 1);
        if (i % 3 == 2) close(scene.peer);
    }
}

/* An outsider that comes and goes at a port with remnants while blocks are held and dropped. */
static struct
{
    uint16_t port;
    enum sharing sharing;
    bool end;
    bool held;               /* the block is */
    unsigned int tries;      /* of the outsider, whole ones */
    unsigned int successes;  /* of those */
    unsigned int trespasses; /* it had the port and the block was held */
} visits;

static void visit(unsigned int try)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    int fd = network_open(shape, SOCK_STREAM, visits.port, visits.sharing);

    if (fd < 0) return;
    visits.successes++;
    if (try % 2 || !bound_sockets_listed) listen(fd, 1);
    sched_yield();
    if (__atomic_load_n(&visits.held, __ATOMIC_SEQ_CST)) visits.trespasses++;
    close(fd);
}

static void *visitor_thread(void *context)
{
    (void)context;
    while (!__atomic_load_n(&visits.end, __ATOMIC_SEQ_CST))
    {
        visit(visits.tries);
        __atomic_fetch_add(&visits.tries, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void wait_for_visits(unsigned int count)
{
    unsigned int before = __atomic_load_n(&visits.tries, __ATOMIC_SEQ_CST);

    while (__atomic_load_n(&visits.tries, __ATOMIC_SEQ_CST) - before < count) sched_yield();
}

static void test_visitor(enum sharing sharing)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 1000), held = 0;
    uint16_t start = network_free_block(COUNT), conflict;
    struct scene scene;
    int32_t fds[COUNT];
    pthread_t thread;

    visits = (typeof(visits)){.port = start + OFFSET, .sharing = sharing};
    if (!scene_make(&scene, NOTHING, &network_shapes[SHAPE_LOCALHOST], visits.port, REUSEADDR,
                    true))
        return;
    if (pthread_create(&thread, NULL, visitor_thread, NULL))
    {
        ok(false, "no thread");
        return;
    }
    for (unsigned long i = 0; i < rounds || (!held && i < 100 * rounds); i++)
    {
        if (placeholder_hold(UNIX_TCP, start, COUNT, fds, &conflict))
        {
            /* The outsider may wait for a processor, and have the port all the while. */
            wait_for_visits(1);
            continue;
        }
        held++;
        __atomic_store_n(&visits.held, true, __ATOMIC_SEQ_CST);
        wait_for_visits(2);
        __atomic_store_n(&visits.held, false, __ATOMIC_SEQ_CST);
        placeholder_drop(fds, COUNT);
        wait_for_visits(random() % 3);
    }
    __atomic_store_n(&visits.end, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    ok(held && visits.successes, "%s: held %lu times, visited %u times", sharing_name(sharing),
       held, visits.successes);
    ok(!visits.trespasses, "%s: %u of %u visits while the block was held", sharing_name(sharing),
       visits.trespasses, visits.successes);
}

/* Sockets bound to a device do not conflict with those of another device. */
static void test_device(enum unix_protocol protocol)
{
    static const char device[] = "lo";

    for (int i = 0; i < SHAPES; i++)
    {
        const struct shape *shape = &network_shapes[i];
        uint16_t start = network_free_block(COUNT), conflict = 0;
        enum unix_status status;
        int32_t fds[COUNT];
        int fd;

        if (!shape_possible(shape)) continue;
        fd = network_socket(shape, socket_type(protocol), PLAIN);
        ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)), "error %d", errno);
        ok(!network_bind(fd, shape, start + OFFSET), "%s: error %d", shape->name, errno);

        status = placeholder_hold(protocol, start, COUNT, fds, &conflict);
        ok(status == UNIX_IN_USE && conflict == start + OFFSET,
           "%s, %s: status %u, conflict at %u, expected at %u", protocol_name(protocol),
           shape->name, status, conflict, start + OFFSET);
        placeholder_drop(fds, COUNT);
        close(fd);
    }
}

/* Once a block is held, such a socket is kept out for TCP. For UDP it is not: a limit that is
 * documented, and that portpool's Windows side makes up for where Wine's sockets are concerned. */
static void test_device_outsider(enum unix_protocol protocol)
{
    static const char device[] = "lo";
    int expected = protocol == UNIX_TCP ? EADDRINUSE : 0, error, fd;
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    uint16_t start = network_free_block(COUNT), conflict = 0;
    int32_t fds[COUNT];

    ok(!placeholder_hold(protocol, start, COUNT, fds, &conflict), "conflict at %u", conflict);
    fd = network_socket(shape, socket_type(protocol), PLAIN);
    ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)), "error %d", errno);
    error = network_bind(fd, shape, start);
    ok(error == expected, "%s: error %d, expected %d", protocol_name(protocol), error, expected);
    close(fd);
    placeholder_drop(fds, COUNT);
}

static void find_port(const struct host_socket *host_socket, void *context)
{
    int *wanted = context;

    if (host_socket->port == *wanted) *wanted = -1;
}

/* Whether the kernel lists TCP sockets that are bound and nothing else. */
static bool kernel_lists_bound_sockets(void)
{
    int fd = network_open(&network_shapes[SHAPE_LOCALHOST], SOCK_STREAM, 0, PLAIN);
    int wanted = network_port(fd);

    ok(sockets_visit(UNIX_TCP, 1, 65535, find_port, &wanted),
       "the host's sockets cannot be listed");
    close(fd);
    return wanted == -1;
}

struct attempts
{
    uint16_t port;
    bool enough;
};

static void *attempts_make(void *context)
{
    struct attempts *attempts = context;

    while (!__atomic_load_n(&attempts->enough, __ATOMIC_RELAXED))
    {
        uint16_t conflict = 0;
        int32_t fd;
        enum unix_status status = placeholder_hold(UNIX_TCP, attempts->port, 1, &fd, &conflict);

        ok(status == UNIX_IN_USE, "status %u, conflict at %u", status, conflict);
        if (!status) placeholder_drop(&fd, 1);
    }
    return NULL;
}

/* The kernel looks at the port once more when a socket listens: an attempt to reserve it, in vain,
 * must not be in the way then. */
static void test_listen_meanwhile(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    struct attempts attempts = {.port = network_free_block(1)};
    int fd = network_open(shape, SOCK_STREAM, attempts.port, REUSEADDR);
    pthread_t thread;

    if (!bound_sockets_listed) return; /* known above to be taken for connections in TIME_WAIT */
    ok(fd >= 0, "error %d", -fd);
    ok(!pthread_create(&thread, NULL, attempts_make, &attempts), "no thread");
    for (int i = 0; i < 2000; i++)
    {
        ok(!listen(fd, 1), "listen %d: error %d", i, errno);
        shutdown(fd, SHUT_RDWR);
    }
    __atomic_store_n(&attempts.enough, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    close(fd);
}

static struct
{
    bool end;
    unsigned int successes;
} automatic;

/* At an address at which there are no remnants, so that the kernel chooses the port. */
static void *automatic_thread(void *context)
{
    static const struct shape shape = {"127.0.0.2", AF_INET, false, "127.0.0.2"};

    (void)context;
    while (!__atomic_load_n(&automatic.end, __ATOMIC_RELAXED))
    {
        int fd = network_open(&shape, SOCK_STREAM, 0, REUSEADDR);

        if (fd < 0) continue;
        sched_yield();
        ok(!listen(fd, 1), "listen: error %d", errno);
        close(fd);
        __atomic_fetch_add(&automatic.successes, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A socket that the kernel puts at a port with remnants, just as a block is being made of it. */
static void test_automatic_meanwhile(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 1000), held = 0;
    uint16_t port = network_free_block(1), conflict;
    pthread_t thread;
    struct scene scene;
    int32_t fd;

    if (!scene_make(&scene, NOTHING, &network_shapes[SHAPE_LOCALHOST], port, REUSEADDR, true))
        return;
    if (!ok(network_narrow_range(port, port), "the range cannot be set")) return;
    ok(!pthread_create(&thread, NULL, automatic_thread, NULL), "no thread");
    for (unsigned long i = 0; i < rounds || !held; i++)
    {
        if (placeholder_hold(UNIX_TCP, port, 1, &fd, &conflict)) continue;
        held++;
        placeholder_drop(&fd, 1);
        sched_yield();
    }
    __atomic_store_n(&automatic.end, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ok(automatic.successes, "the kernel never chose the port");
}

int main(void)
{
    bool isolated;

    test_start("occupied");
    test_seed();
    isolated = outsiders_start();
    if (!(bound_sockets_listed = kernel_lists_bound_sockets()))
        skip("THIS KERNEL IS OLDER THAN LINUX 6.8: a TCP socket with SO_REUSEADDR that is only "
             "bound, at a port with connections in TIME_WAIT, is not noticed there");
    test_tcp();
    test_many_remnants();
    test_closing();
    test_visitor(REUSEADDR);
    /* The kernel has a memory of those that share. */
    test_visitor(REUSEADDR | REUSEPORT);
    test_listen_meanwhile();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        test_device(protocol);
        test_device_outsider(protocol);
    }
    /* The last: it leaves the kernel hardly a port. */
    if (isolated && bound_sockets_listed) test_automatic_meanwhile();
    return test_end();
}
