/*
 * Tests of the questions about a persistent range's ports: which are used, and whether an address
 * overlaps another
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "dlls/portpool/unix/occupied.h"
#include "dlls/portpool/unix/sockets.h"
#include "outsiders.h"

#define COUNT  5
#define OFFSET 2 /* of the port that is used */

enum kind
{
    NOTHING,
    BOUND,
    LISTENER,
    ACCEPTED,  /* a connection, its listener gone */
    CONNECTED, /* a connection, or UDP's like of it, that began here */
    ORPHAN,    /* a connection that no program has any more, and that is not over */
    REMNANT,   /* a connection in TIME_WAIT */
    KINDS,
};

static const char *const kind_names[] = {"nothing",   "bound",  "listener", "accepted",
                                         "connected", "orphan", "remnant"};

/* What there is at a port. */
struct scene
{
    int occupant; /* -1: none */
    int peer;     /* the other end of its connection; -1: none */
};

static bool bound_sockets_listed;

static void find_inode(const struct host_socket *host_socket, void *context)
{
    uint64_t *inode = context;

    if (host_socket->inode == *inode) *inode = 0;
}

static bool kernel_lists_bound_sockets(void)
{
    int fd = network_open(&network_shapes[SHAPE_LOCALHOST], SOCK_STREAM, 0, PLAIN);
    uint64_t inode = sockets_inode(fd);

    ok(sockets_visit(UNIX_TCP, 1, 65535, find_inode, &inode), "the host does not say");
    close(fd);
    return !inode;
}

static void scene_accept(struct scene *scene, const struct shape *shape)
{
    int listener = scene->occupant;

    ok(!listen(listener, 1), "error %d", errno);
    scene->peer = network_connect(listener, shape, SOCK_STREAM);
    scene->occupant = accept(listener, NULL, NULL);
    close(listener);
}

static void scene_connect(struct scene *scene, enum unix_protocol protocol,
                          const struct shape *shape)
{
    const struct shape *target = network_client_shape(shape);
    union network_address address;

    scene->peer = network_open(target, socket_type(protocol), 0, PLAIN);
    if (protocol == UNIX_TCP) listen(scene->peer, 1);
    address = network_address(target, network_port(scene->peer));
    ok(!connect(scene->occupant, &address.any, network_address_length(&address)),
       "%s: cannot connect: error %d", shape->name, errno);
}

/* Waits until the peer knows that the other end is closed, and has it acknowledge that at once: the
 * kernel then makes a smaller thing of that end, and lists neither if it does so just then. */
static void scene_await_end(const struct scene *scene)
{
    int on = 1;
    char byte;

    ok(!recv(scene->peer, &byte, 1, 0), "errno %d", errno);
    setsockopt(scene->peer, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    usleep(1000);
}

/* Sets the scene at a port, with the socket lent the port if it has a placeholder. */
static bool scene_make(struct scene *scene, enum kind kind, enum unix_protocol protocol,
                       const struct shape *shape, uint16_t port)
{
    *scene = (struct scene){-1, -1};
    if (kind == NOTHING) return true;
    scene->occupant = lend_port(UNIX_PLACEHOLDER_SHARED, protocol, shape, port);
    if (!ok(scene->occupant >= 0, "%s: error %d", shape->name, -scene->occupant)) return false;

    if (kind == LISTENER) ok(!listen(scene->occupant, 1), "error %d", errno);
    if (kind == CONNECTED) scene_connect(scene, protocol, shape);
    if (kind == ACCEPTED || kind == ORPHAN || kind == REMNANT) scene_accept(scene, shape);
    if (kind == ORPHAN || kind == REMNANT)
    {
        close(scene->occupant);
        scene->occupant = -1;
        scene_await_end(scene);
    }
    if (kind == REMNANT)
    {
        close(scene->peer);
        scene->peer = -1;
    }
    return true;
}

static void scene_end(struct scene *scene)
{
    struct linger reset = {.l_onoff = 1};

    if (scene->peer != -1) setsockopt(scene->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (scene->peer != -1) close(scene->peer);
    if (scene->occupant != -1) close(scene->occupant);
}

static enum unix_status expected_status(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP && !bound_sockets_listed ? UNIX_FAILED : UNIX_SUCCESS;
}

/* Checks which port of the range is used; none if it is -1. */
#define check_occupied(protocol, start, used, what)                                                \
    check_occupied_(__LINE__, protocol, start, used, what)
static void check_occupied_(int line, enum unix_protocol protocol, uint16_t start, int used,
                            const char *what)
{
    uint8_t occupied[COUNT + 2];
    enum unix_status status;

    memset(occupied, 99, sizeof(occupied));
    status = occupied_list(protocol, start, COUNT, occupied + 1);
    ok_(__FILE__, line, status == expected_status(protocol), "status %u", status);
    for (int i = 0; i < COUNT; i++)
    {
        uint8_t expected = i == used;

        ok_(__FILE__, line, occupied[i + 1] == expected, "%s, %s, port %d: %u, expected %u",
            protocol_name(protocol), what, i, occupied[i + 1], expected);
    }
    ok_(__FILE__, line, occupied[0] == 99 && occupied[COUNT + 1] == 99, "more than the array");
}

static bool kind_possible(enum kind kind, enum unix_protocol protocol)
{
    if (protocol == UNIX_UDP) return kind == NOTHING || kind == BOUND || kind == CONNECTED;
    return kind != BOUND || bound_sockets_listed;
}

static void test_occupied(enum kind kind, enum unix_protocol protocol, const struct shape *shape)
{
    uint16_t start = network_free_block(COUNT);
    int used = kind == NOTHING || kind == ORPHAN || kind == REMNANT ? -1 : OFFSET;
    int32_t fds[COUNT] = {[0 ... COUNT - 1] = -1};
    uint8_t restored[COUNT];
    struct scene scene;

    /* Without placeholders, with them, and again without. */
    if (!scene_make(&scene, kind, protocol, shape, start + OFFSET)) return;
    check_occupied(protocol, start, used, kind_names[kind]);
    scene_end(&scene);
    start = network_free_block(COUNT);
    ok(!placeholder_restore(protocol, start, COUNT, fds, restored), "no placeholders");
    check_occupied(protocol, start, -1, "placeholders");
    if (!scene_make(&scene, kind, protocol, shape, start + OFFSET)) return;
    check_occupied(protocol, start, used, kind_names[kind]);
    placeholder_drop(fds, COUNT);
    check_occupied(protocol, start, used, kind_names[kind]);
    scene_end(&scene);
    check_occupied(protocol, start, -1, "nothing any more");
}

/* Placeholders are made by hold and share, too, and by make_room, in any process. */
static void test_placeholders(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(COUNT), conflict;
    int32_t fds[COUNT];
    int status, ends[2];
    pid_t child;
    char byte;

    if (!ok(!pipe(ends), "error %d", errno)) return;
    fflush(stdout);
    if (!(child = fork()))
    {
        int fd = network_open(&network_shapes[SHAPE_LOCALHOST], socket_type(protocol),
                              start + OFFSET, PLAIN);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fd < 0 || placeholder_make_room(fd, protocol, start + OFFSET, fds) ||
            placeholder_hold(protocol, start, OFFSET, fds, &conflict))
            _exit(1);
        placeholder_share(fds, OFFSET);
        close(fd);
        if (write(ends[1], "x", 1) == 1) pause();
        _exit(1);
    }
    close(ends[1]);
    ok(read(ends[0], &byte, 1) == 1, "the child failed");
    close(ends[0]);
    check_occupied(protocol, start, -1, "another process's placeholders");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);

    /* Those of a block at runtime are no business of a persistent range's; UDP's look the same. */
    ok(!placeholder_hold(protocol, start + OFFSET, 1, fds, &conflict), "conflict at %u", conflict);
    check_occupied(protocol, start, protocol == UNIX_TCP && bound_sockets_listed ? OFFSET : -1,
                   "a block's placeholder");
    placeholder_drop(fds, 1);
}

/* What a program binds and does nothing with is not taken for a placeholder, whatever it is like.
 */
static void test_likeness(void)
{
    const struct shape *shape = &network_shapes[outsiders_ipv6 ? SHAPE_ANY_DUAL : SHAPE_ANY];
    uint16_t start = network_free_block(COUNT);
    int32_t placeholder = -1;
    uint8_t restored;
    int fd;

    for (enum sharing sharing = PLAIN; sharing < SHARINGS; sharing++)
    {
        fd = network_open(shape, SOCK_STREAM, start + OFFSET, sharing);
        check_occupied(UNIX_TCP, start, OFFSET, sharing_name(sharing));
        close(fd);
    }
    if (outsiders_ipv6)
    {
        fd = network_open(&network_shapes[SHAPE_ANY_V6], SOCK_STREAM, start + OFFSET, PLAIN);
        placeholder_share(&fd, 1);
        check_occupied(UNIX_TCP, start, OFFSET, "IPv6 only");
        close(fd);
    }
    ok(!placeholder_restore(UNIX_TCP, start + OFFSET, 1, &placeholder, &restored), "not held");
    fd = network_open(shape, SOCK_STREAM, start + OFFSET, REUSEPORT);
    ok(fd >= 0, "error %d", -fd);
    check_occupied(UNIX_TCP, start, OFFSET, "beside the placeholder");
    /* Even the very same a second time is somebody's. */
    placeholder_share(&fd, 1);
    check_occupied(UNIX_TCP, start, OFFSET, "a second placeholder");
    close(fd);
    check_occupied(UNIX_TCP, start, -1, "the placeholder");
    placeholder_drop(&placeholder, 1);
}

/* A socket that is listed by all kernels. */
static int open_used(enum unix_protocol protocol, uint16_t port)
{
    int fd = network_open(&network_shapes[SHAPE_LOCALHOST], socket_type(protocol), port, PLAIN);

    ok(fd >= 0, "port %u: error %d", port, -fd);
    if (protocol == UNIX_TCP) ok(!listen(fd, 1), "error %d", errno);
    return fd;
}

/* Kernels before Linux 6.8: what they list counts, and it is said that it is not all. */
static void test_old_kernel(void)
{
    uint16_t start = network_free_block(COUNT);
    int32_t fds[COUNT] = {[0 ... COUNT - 1] = -1};
    uint8_t restored[COUNT], occupied[COUNT];
    enum unix_status status;
    int fd = open_used(UNIX_TCP, start + OFFSET);

    ok(!placeholder_restore(UNIX_TCP, start, COUNT, fds, restored), "no placeholders");
    status = occupied_list_knowing(false, UNIX_TCP, start, COUNT, occupied);
    ok(status == UNIX_FAILED, "status %u", status);
    for (int i = 0; i < COUNT; i++) ok(occupied[i] == (i == OFFSET), "port %d: %u", i, occupied[i]);
    status = occupied_list_knowing(false, UNIX_UDP, start, COUNT, occupied);
    ok(!status, "status %u", status);
    placeholder_drop(fds, COUNT);
    close(fd);
}

static void test_device(const struct shape *shape)
{
    uint16_t start = network_free_block(COUNT);
    int fd = network_socket(shape, SOCK_DGRAM, PLAIN);

    ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "error %d", errno);
    ok(!network_bind(fd, shape, start + OFFSET), "%s: error %d", shape->name, errno);
    check_occupied(UNIX_UDP, start, OFFSET, "bound to a device");
    close(fd);
}

/* At the ends of the range, and of all ports. */
static void test_ends(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(COUNT + 2);
    static uint8_t all[65536];
    enum unix_status status;
    int before, first, last, after, top;

    before = open_used(protocol, start);
    first = open_used(protocol, start + 1);
    last = open_used(protocol, start + COUNT);
    after = open_used(protocol, start + COUNT + 1);
    check_occupied(protocol, start - COUNT + 1, COUNT - 1, "before the range");
    close(first);
    check_occupied(protocol, start + 1, COUNT - 1, "the last port");
    close(last);
    check_occupied(protocol, start + 1, -1, "beside the range");
    check_occupied(protocol, start + COUNT + 1, 0, "the first port");

    top = open_used(protocol, 65535);
    status = occupied_list(protocol, 1, 65535, all + 1);
    ok(status == expected_status(protocol), "status %u", status);
    ok(all[start] == 1 && all[start + COUNT + 1] == 1 && all[65535] == 1, "%u, %u and %u",
       all[start], all[start + COUNT + 1], all[65535]);
    ok(!all[start + 1] && !all[65534], "%u and %u", all[start + 1], all[65534]);
    close(top);
    close(before);
    close(after);
}

/* More addresses than the common ones. */
static const struct shape more_shapes[] = {
    {"::ffff:0.0.0.0", AF_INET6, false, "::ffff:0.0.0.0"},
    {"::ffff:127.0.0.2", AF_INET6, false, "::ffff:127.0.0.2"},
};

#define ALL_SHAPES (SHAPES + 2)

static const struct shape *any_shape(int i)
{
    return i < SHAPES ? &network_shapes[i] : &more_shapes[i - SHAPES];
}

/* An address as OVERLAP wants it. */
static void put_address(const struct shape *shape, uint8_t address[16])
{
    union network_address name = network_address(shape, 0);

    memset(address, 0, 16);
    if (shape->family == AF_INET6)
    {
        memcpy(address, &name.in6.sin6_addr, 16);
        return;
    }
    address[10] = address[11] = 0xff;
    memcpy(address + 12, &name.in.sin_addr, 4);
}

/* How the two sockets of a comparison are made. */
struct manner
{
    const char *name;
    bool connected;   /* the first one */
    bool first_tied;  /* to a device */
    bool second_tied; /* likewise */
};

static const struct manner manners[] = {
    {"plain", false, false, false},     {"connected", true, false, false},
    {"first tied", false, true, false}, {"second tied", false, false, true},
    {"both tied", false, true, true},
};

static int make_socket(const struct shape *shape, bool tied)
{
    int fd = network_socket(shape, SOCK_DGRAM, PLAIN);

    if (tied) ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "error %d", errno);
    return fd;
}

/* A dual-stack socket that is connected over IPv6 has no IPv4 address any more. The kernel refuses
 * 0.0.0.0 to others nevertheless, and not 127.0.0.1; we refuse neither. */
static bool kernel_errs(const struct shape *first, const struct shape *second,
                        const struct manner *manner)
{
    return manner->connected && first == &network_shapes[SHAPE_ANY_DUAL] &&
           second == &network_shapes[SHAPE_ANY];
}

/* The kernel says itself what overlaps, as long as there is no placeholder. */
static void check_overlap(const struct shape *first, const struct shape *second,
                          const struct manner *manner)
{
    uint16_t port = network_free_block(1);
    int32_t placeholder = -1;
    bool expected, overlaps;
    uint8_t address[16];
    struct scene scene = {.occupant = make_socket(first, manner->first_tied), .peer = -1};
    int fd = make_socket(second, manner->second_tied);

    put_address(second, address);
    overlaps = occupied_overlaps(fd, address, port);
    ok(!overlaps, "%s: overlaps nothing", second->name);
    ok(!network_bind(scene.occupant, first, port), "%s: error %d", first->name, errno);
    if (manner->connected) scene_connect(&scene, UNIX_UDP, first);
    expected = network_bind(fd, second, port) == EADDRINUSE && !kernel_errs(first, second, manner);
    close(fd);

    for (int held = 0; held < 2; held++)
    {
        if (held)
            ok(!placeholder_make_room(scene.occupant, UNIX_UDP, port, &placeholder), "no room");
        fd = make_socket(second, manner->second_tied);
        overlaps = occupied_overlaps(fd, address, port);
        ok(overlaps == expected, "%s beside %s, %s, placeholder %d: %d, expected %d", second->name,
           first->name, manner->name, held, overlaps, expected);
        ok(!network_port(fd), "the socket was bound");
        close(fd);
    }
    ok(!occupied_overlaps(scene.occupant, address, port + 1), "overlaps at another port");
    placeholder_drop(&placeholder, 1);
    scene_end(&scene);
}

static void test_overlaps(const struct manner *manner)
{
    for (int i = 0; i < ALL_SHAPES; i++)
        for (int j = 0; j < ALL_SHAPES; j++)
            if (shape_possible(any_shape(i)) && shape_possible(any_shape(j)))
                check_overlap(any_shape(i), any_shape(j), manner);
}

/* What the kernel does not say: whether those at different devices meet, for there is one here. */
static void test_other_device(void)
{
    const struct shape *shape = &network_shapes[SHAPE_ANY];
    uint16_t port = network_free_block(1);
    int fd = make_socket(shape, true), other = make_socket(shape, false), elsewhere = 12345;
    uint8_t address[16];

    put_address(shape, address);
    ok(!network_bind(fd, shape, port), "error %d", errno);
    ok(occupied_overlaps(other, address, port), "no overlap");
    if (setsockopt(other, SOL_SOCKET, 62 /* SO_BINDTOIFINDEX */, &elsewhere, sizeof(elsewhere)))
        skip("THIS KERNEL IS OLDER THAN LINUX 5.1: sockets cannot be tied to an interface");
    else
        ok(!occupied_overlaps(other, address, port), "overlap at another device");
    close(fd);
    close(other);
}

/* He who sets SO_REUSEADDR asks for it. */
static void test_reuse(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    uint16_t port = network_free_block(1);
    int fd = network_open(shape, SOCK_DGRAM, port, PLAIN);
    int other = network_socket(shape, SOCK_DGRAM, REUSEADDR);
    uint8_t address[16];

    put_address(shape, address);
    ok(!occupied_overlaps(other, address, port), "overlap in spite of SO_REUSEADDR");
    close(other);
    other = network_socket(shape, SOCK_DGRAM, PLAIN);
    ok(occupied_overlaps(other, address, port), "no overlap");
    close(other);
    close(fd);
}

int main(void)
{
    test_start("users");
    test_seed();
    outsiders_start();
    if (!(bound_sockets_listed = kernel_lists_bound_sockets()))
        skip("THIS KERNEL IS OLDER THAN LINUX 6.8: TCP sockets that are merely bound are not seen");
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        for (int i = 0; i < SHAPES; i++)
            for (enum kind kind = NOTHING; kind < KINDS; kind++)
                if (shape_possible(&network_shapes[i]) && kind_possible(kind, protocol))
                    test_occupied(kind, protocol, &network_shapes[i]);
        test_placeholders(protocol);
        test_ends(protocol);
    }
    test_old_kernel();
    if (bound_sockets_listed) test_likeness();
    for (int i = 0; i < SHAPES; i++)
        if (shape_possible(&network_shapes[i])) test_device(&network_shapes[i]);
    for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) test_overlaps(&manners[i]);
    test_other_device();
    test_reuse();
    return test_end();
}
