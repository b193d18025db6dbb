/*
 * Tests of holding the ports of a persistent range again, beside sockets that use them
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dlls/portpool/unix/sockets.h"
#include "outsiders.h"

#define COUNT     4
#define OFFSET    1 /* of the port that is used */
#define DATAGRAMS 2000
/* That placeholders leave to the rest of the process. */
#define SPARE_DESCRIPTORS 64

static const char *const restored_names[] = {"held", "bare", "occupied"};

/* A range as its holder has it. */
struct range
{
    enum unix_protocol protocol;
    uint16_t start;
    uint16_t port; /* the one that is used */
    int32_t fds[COUNT];
    uint8_t restored[COUNT];
};

/* A range of which nothing is held. */
static void range_make(struct range *range, enum unix_protocol protocol)
{
    range->protocol = protocol;
    range->start = network_free_block(COUNT);
    range->port = range->start + OFFSET;
    for (int i = 0; i < COUNT; i++) range->fds[i] = -1;
}

static void range_drop(struct range *range)
{
    placeholder_drop(range->fds, COUNT);
}

/* Holds the range again, and checks what becomes of the used port; the rest is held. */
#define check_restore(range, expected) check_restore_(__LINE__, range, expected)
static void check_restore_(int line, struct range *range, enum unix_restored expected)
{
    enum unix_status status;

    memset(range->restored, 99, sizeof(range->restored));
    status = placeholder_restore(range->protocol, range->start, COUNT, range->fds, range->restored);
    ok_(__FILE__, line, !status, "status %u", status);
    for (int i = 0; i < COUNT; i++)
    {
        enum unix_restored due = i == OFFSET ? expected : UNIX_HELD;

        ok_(__FILE__, line, range->restored[i] == due, "%s port %d: %u, expected %s",
            protocol_name(range->protocol), i, range->restored[i], restored_names[due]);
        ok_(__FILE__, line, (range->fds[i] != -1) == (due == UNIX_HELD), "port %d: placeholder %d",
            i, range->fds[i]);
        if (range->fds[i] == -1) continue;
        ok_(__FILE__, line, reuses_port(range->fds[i]), "port %d is not shared", i);
        check_kept_out_(__FILE__, line, range->protocol, range->start + i, SHARING_STRANGERS);
    }
}

static void find_placeholder(const struct host_socket *host_socket, void *context)
{
    struct range *range = context;

    if (placeholder_recognises(range->protocol, host_socket)) range->restored[0]++;
}

static unsigned int count_placeholders(struct range *range)
{
    range->restored[0] = 0;
    ok(sockets_visit(range->protocol, range->start, range->start + COUNT - 1, find_placeholder,
                     range),
       "the host does not say");
    return range->restored[0];
}

/* Nobody is there. What is held already is left as it is. */
static void test_free(enum unix_protocol protocol)
{
    unsigned int before = network_descriptors(), placeholders;
    uint64_t inodes[COUNT];
    struct range range;

    range_make(&range, protocol);
    check_restore(&range, UNIX_HELD);
    for (int i = 0; i < COUNT; i++) inodes[i] = sockets_inode(range.fds[i]);
    placeholder_drop(&range.fds[2], 1);
    check_let_in(protocol, range.start + 2);
    check_restore(&range, UNIX_HELD);
    for (int i = 0; i < COUNT; i++)
        ok((inodes[i] == sockets_inode(range.fds[i])) == (i != 2), "port %d has another one", i);
    check_restore(&range, UNIX_HELD);
    placeholders = count_placeholders(&range);
    ok(placeholders == COUNT, "%u placeholders are recognised", placeholders);
    range_drop(&range);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
    check_let_in(protocol, range.port);
}

/* Gives a socket the port as a client does, from a holder that then dies. */
static int make_client(struct range *range, const struct shape *shape)
{
    int fd;

    check_restore(range, UNIX_HELD);
    fd = lend_port(UNIX_PLACEHOLDER_SHARED, range->protocol, shape, range->port);
    ok(fd >= 0, "%s: error %d", shape->name, -fd);
    return fd;
}

/* The new holder has TCP ports at once: their sockets share them. */
static void test_live_tcp(const struct shape *shape, bool listening, bool connected)
{
    int fd, client = -1, accepted = -1, error;
    struct range range;

    range_make(&range, UNIX_TCP);
    fd = make_client(&range, shape);
    if (listening)
        ok(!lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 8), "%s: cannot listen", shape->name);
    if (connected) client = network_connection(fd, shape, &accepted);
    if (connected) network_remnant(fd, shape);
    range_drop(&range);

    check_restore(&range, UNIX_HELD);
    if (!listening)
    {
        error = lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 8);
        ok(!error, "%s: listen: error %d", shape->name, error);
    }
    network_remnant(fd, shape);
    close(fd);
    check_kept_out(UNIX_TCP, range.port, SHARING_STRANGERS);
    if (connected)
    {
        /* Only the connection lives. */
        range_drop(&range);
        check_restore(&range, UNIX_HELD);
        close(accepted);
        close(client);
    }
    check_kept_out(UNIX_TCP, range.port, SHARING_STRANGERS);
    /* Only remnants remain. */
    range_drop(&range);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);
}

static unsigned int exchange(int receiver, const struct shape *shape)
{
    const struct shape *target = network_client_shape(shape);
    union network_address address = network_address(target, network_port(receiver));
    int sender = network_socket(target, SOCK_DGRAM, PLAIN);
    unsigned int received = 0;
    char byte;

    for (int i = 0; i < DATAGRAMS; i++)
    {
        sendto(sender, "x", 1, 0, &address.any, network_address_length(&address));
        while (recv(receiver, &byte, 1, MSG_DONTWAIT) == 1) received++;
    }
    close(sender);
    return received;
}

/* A UDP socket shares its port for an instant, when it is told to make room. */
static void test_live_udp(const struct shape *shape)
{
    unsigned int received;
    enum unix_status status;
    struct range range;
    int fd;

    range_make(&range, UNIX_UDP);
    fd = make_client(&range, shape);
    range_drop(&range);
    check_restore(&range, UNIX_OCCUPIED);
    status = placeholder_make_room(fd, UNIX_UDP, range.port, &range.fds[OFFSET]);
    ok(!status && range.fds[OFFSET] != -1, "%s: status %u, placeholder %d", shape->name, status,
       range.fds[OFFSET]);
    ok(!reuses_port(fd), "%s: the socket still shares the port", shape->name);
    check_restore(&range, UNIX_HELD);
    ok(count_placeholders(&range) == COUNT, "not all placeholders are recognised");
    received = exchange(fd, shape);
    ok(received == DATAGRAMS, "%s: %u of %u datagrams", shape->name, received, DATAGRAMS);
    close(fd);
    check_kept_out(UNIX_UDP, range.port, SHARING_STRANGERS);
    range_drop(&range);
}

/* The placeholder takes no datagram in the instant in which it comes, either. */
static struct
{
    int fd;
    bool end;
    unsigned int sent;
} stream;

static void *stream_thread(void *context)
{
    union network_address address = network_address(context, network_port(stream.fd));
    int sender = network_socket(context, SOCK_DGRAM, PLAIN);

    while (!__atomic_load_n(&stream.end, __ATOMIC_SEQ_CST))
    {
        int waiting = 0;

        if (sendto(sender, "x", 1, 0, &address.any, network_address_length(&address)) != 1) break;
        __atomic_fetch_add(&stream.sent, 1, __ATOMIC_SEQ_CST);
        /* No more than the receiver has room for. */
        do
        {
            if (waiting++) sched_yield();
        } while (__atomic_load_n(&stream.sent, __ATOMIC_SEQ_CST) % 32 == 0 && waiting < 100);
    }
    close(sender);
    return NULL;
}

static unsigned int stream_receive(void)
{
    unsigned int received = 0;
    char byte;

    while (recv(stream.fd, &byte, 1, MSG_DONTWAIT) == 1) received++;
    return received;
}

static void test_stream(const struct shape *shape)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 1000), failed = 0;
    unsigned int received = 0;
    int size = 1 << 24;
    struct range range;
    pthread_t thread;

    range_make(&range, UNIX_UDP);
    stream.fd = make_client(&range, shape);
    stream.end = false;
    stream.sent = 0;
    range_drop(&range);
    setsockopt(stream.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (!ok(!pthread_create(&thread, NULL, stream_thread, (void *)network_client_shape(shape)),
            "no thread"))
        return;
    for (unsigned long i = 0; i < rounds; i++)
    {
        failed += placeholder_make_room(stream.fd, UNIX_UDP, range.port, &range.fds[OFFSET]) != 0;
        received += stream_receive();
        placeholder_drop(&range.fds[OFFSET], 1);
        received += stream_receive();
    }
    __atomic_store_n(&stream.end, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    received += stream_receive();
    ok(!failed, "%s: %lu of %lu times no room", shape->name, failed, rounds);
    ok(received == stream.sent && received, "%s: %u of %u datagrams", shape->name, received,
       stream.sent);
    close(stream.fd);
}

/* Somebody else's socket, until it is gone. */
static void test_outsider(enum unix_protocol protocol, const struct shape *shape,
                          enum sharing sharing, bool listening)
{
    int fd, error;
    struct range range;
    /* Sharing sockets of the same user might as well be clients. */
    enum unix_restored expected = sharing & REUSEPORT ? UNIX_HELD : UNIX_OCCUPIED;

    range_make(&range, protocol);
    fd = network_open(shape, socket_type(protocol), range.port, sharing);
    if (!ok(fd >= 0, "%s: error %d", shape->name, -fd)) return;
    if (listening) ok(!listen(fd, 1), "error %d", errno);
    check_restore(&range, expected);
    check_restore(&range, expected);
    error = protocol == UNIX_TCP && listen(fd, 1) ? errno : 0;
    ok(!error, "%s, %s: the outsider cannot listen: error %d", shape->name, sharing_name(sharing),
       error);
    close(fd);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);
}

/* An outsider that is bound to a device: the port is held beside it. */
static void test_device(const struct shape *shape)
{
    struct range range;
    int fd;

    range_make(&range, UNIX_UDP);
    fd = network_socket(shape, SOCK_DGRAM, PLAIN);
    ok(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "error %d", errno);
    ok(!network_bind(fd, shape, range.port), "%s: error %d", shape->name, errno);
    check_restore(&range, UNIX_HELD);
    ok(exchange(fd, shape) == DATAGRAMS, "%s: datagrams are lost", shape->name);
    close(fd);
    check_kept_out(UNIX_UDP, range.port, SHARING_STRANGERS);
    range_drop(&range);
}

/* Remnants of connections of a socket that did not share, and what may be there with them. */
static void test_remnants(const struct shape *shape)
{
    int fd, client, accepted, bound;
    enum unix_status status;
    struct range range;

    range_make(&range, UNIX_TCP);
    fd = network_open(shape, SOCK_STREAM, range.port, REUSEADDR);
    ok(fd >= 0 && !listen(fd, 8), "%s: error %d", shape->name, -fd);
    network_remnant(fd, shape);
    client = network_connection(fd, shape, &accepted);
    check_restore(&range, UNIX_OCCUPIED);
    /* The listener is told, but its connection, a socket that does not share either, is there. The
     * kernel lets us pass it as it does remnants, and it is not harmed. */
    status = placeholder_make_room(fd, UNIX_TCP, range.port, &range.fds[OFFSET]);
    ok(!status && range.fds[OFFSET] != -1, "%s: status %u", shape->name, status);
    ok(send(client, "x", 1, 0) == 1 && recv(accepted, &(char){0}, 1, 0) == 1, "error %d", errno);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);

    /* Without the listener. */
    close(fd);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);
    close(accepted);
    close(client);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);

    /* With one who is bound and may yet listen. */
    ok(network_try(shape, SOCK_STREAM, range.port, PLAIN) == EADDRINUSE, "nothing in TIME_WAIT");
    bound = network_open(shape, SOCK_STREAM, range.port, REUSEADDR);
    ok(bound >= 0, "%s: error %d", shape->name, -bound);
    check_restore(&range, UNIX_OCCUPIED);
    status = placeholder_make_room(bound, UNIX_TCP, range.port, &range.fds[OFFSET]);
    ok(!status && range.fds[OFFSET] != -1, "%s: status %u", shape->name, status);
    ok(!listen(bound, 1), "%s: listen: error %d", shape->name, errno);
    close(bound);
    check_kept_out(UNIX_TCP, range.port, SHARING_STRANGERS);
    range_drop(&range);
}

/* A socket that comes at a port with remnants, in the moment between the look at the host's sockets
 * and the bind. */
static struct
{
    uint16_t port; /* 0: none comes */
    int fd;
} intruder;

/* In the place of the C library's. */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    uint16_t port = intruder.port;
    socklen_t size = sizeof(int);
    int passing = 0;

    getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &passing, &size);
    if (port && passing)
    {
        intruder.port = 0;
        intruder.fd = network_open(&network_shapes[SHAPE_LOCALHOST], SOCK_STREAM, port, REUSEADDR);
        ok(intruder.fd >= 0, "the intruder cannot come: error %d", -intruder.fd);
    }
    return syscall(SYS_bind, fd, address, length);
}

static void test_intruder(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    unsigned int before = network_descriptors();
    struct range range;
    int fd;

    range_make(&range, UNIX_TCP);
    fd = network_open(shape, SOCK_STREAM, range.port, REUSEADDR);
    ok(fd >= 0 && !listen(fd, 8), "error %d", -fd);
    network_remnant(fd, shape);
    close(fd);
    intruder.port = range.port;
    intruder.fd = -1;
    check_restore(&range, UNIX_OCCUPIED);
    ok(!intruder.port && !listen(intruder.fd, 1), "it cannot listen: error %d", errno);
    close(intruder.fd);
    check_restore(&range, UNIX_HELD);
    range_drop(&range);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

/* TCP sockets of the prefix that had the port before it was reserved. */
static void test_make_room_tcp(const struct shape *shape, bool listening)
{
    unsigned int before = network_descriptors();
    enum unix_status status;
    struct range range;
    int fd;

    range_make(&range, UNIX_TCP);
    fd = wine_socket(UNIX_TCP, shape);
    ok(!network_bind(fd, shape, range.port), "%s: error %d", shape->name, errno);
    if (listening) ok(!listen(fd, 8), "error %d", errno);
    check_restore(&range, UNIX_OCCUPIED);
    status = placeholder_make_room(fd, UNIX_TCP, range.port, &range.fds[OFFSET]);
    ok(!status && range.fds[OFFSET] != -1, "%s: status %u", shape->name, status);
    check_restore(&range, UNIX_HELD);
    ok(count_placeholders(&range) == COUNT, "not all placeholders are recognised");
    ok(!listen(fd, 8), "%s: listen: error %d", shape->name, errno);
    network_remnant(fd, shape);
    close(fd);
    check_kept_out(UNIX_TCP, range.port, SHARING_STRANGERS);
    range_drop(&range);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

/* Two at different addresses. When all have been told, the port is held. */
static void test_make_room_two(enum unix_protocol protocol)
{
    const struct shape *shapes[] = {&network_shapes[SHAPE_LOCALHOST],
                                    &network_shapes[SHAPE_LOCALHOST + 1]};
    enum unix_status statuses[2];
    unsigned int before = network_descriptors();
    struct range range;
    int fds[2];

    range_make(&range, protocol);
    for (int i = 0; i < 2; i++)
    {
        fds[i] = wine_socket(protocol, shapes[i]);
        ok(!network_bind(fds[i], shapes[i], range.port), "error %d", errno);
        if (protocol == UNIX_TCP) ok(!listen(fds[i], 1), "error %d", errno);
    }
    check_restore(&range, UNIX_OCCUPIED);
    for (int i = 0; i < 2; i++)
    {
        int32_t placeholder = 99;

        statuses[i] = placeholder_make_room(fds[i], protocol, range.port, &placeholder);
        ok((statuses[i] == UNIX_IN_USE && placeholder == -1) || (!statuses[i] && placeholder != -1),
           "%s: status %u, placeholder %d", protocol_name(protocol), statuses[i], placeholder);
        ok(reuses_port(fds[i]) == (protocol == UNIX_TCP), "%s: SO_REUSEPORT: %d",
           protocol_name(protocol), reuses_port(fds[i]));
        if (placeholder != -1) range.fds[OFFSET] = placeholder;
    }
    ok((statuses[0] == UNIX_IN_USE) + (statuses[1] == UNIX_IN_USE) == 1, "%s: statuses %u and %u",
       protocol_name(protocol), statuses[0], statuses[1]);
    check_restore(&range, UNIX_HELD);
    for (int i = 0; i < 2; i++) close(fds[i]);
    check_kept_out(protocol, range.port, SHARING_STRANGERS);
    range_drop(&range);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

static void test_make_room_failure(enum unix_protocol protocol)
{
    uint16_t port = network_free_block(1);
    int32_t placeholder = 99;
    enum unix_status status;
    int ends[2];

    if (!ok(!pipe(ends), "error %d", errno)) return;
    status = placeholder_make_room(ends[0], protocol, port, &placeholder);
    ok(status == UNIX_FAILED && placeholder == -1, "status %u, placeholder %d", status,
       placeholder);
    check_let_in(protocol, port);
    close(ends[0]);
    close(ends[1]);
}

static enum unix_status restore_with(struct range *range, rlim_t descriptors)
{
    struct rlimit limit, few;
    enum unix_status status;

    ok(!getrlimit(RLIMIT_NOFILE, &limit), "error %d", errno);
    few = limit;
    few.rlim_cur = descriptors;
    ok(!setrlimit(RLIMIT_NOFILE, &few), "error %d", errno);
    status = placeholder_restore(range->protocol, range->start, COUNT, range->fds, range->restored);
    setrlimit(RLIMIT_NOFILE, &limit);
    return status;
}

/* The last descriptors are left to the rest of the process, whatever has the others. */
static void test_descriptors(enum unix_protocol protocol)
{
    unsigned int before = network_descriptors();
    enum unix_status status;
    struct range range;
    int next = dup(1);

    /* The number that the first placeholder gets. */
    close(next);
    range_make(&range, protocol);
    for (int held = 0; held <= COUNT; held++)
    {
        status = restore_with(&range, next + held + SPARE_DESCRIPTORS);
        ok(status == (held < COUNT ? UNIX_NO_DESCRIPTORS : UNIX_SUCCESS), "%d: status %u", held,
           status);
        for (int i = 0; i < COUNT; i++)
            ok((range.fds[i] != -1) == (i < held) &&
                   range.restored[i] == (i < held ? UNIX_HELD : UNIX_OCCUPIED),
               "%d, port %d: %u, placeholder %d", held, i, range.restored[i], range.fds[i]);
        range_drop(&range);
    }
    status = restore_with(&range, COUNT);
    ok(status == UNIX_NO_DESCRIPTORS, "status %u", status);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

/* Outsiders that try to bind the port while it changes hands. */
static struct
{
    enum unix_protocol protocol;
    uint16_t port;
    bool end;
    unsigned int tries;
    unsigned int got;
} visits;

static void *visitor_thread(void *context)
{
    unsigned int seed = *(unsigned int *)context;

    while (!__atomic_load_n(&visits.end, __ATOMIC_SEQ_CST))
    {
        const struct shape *shape = &network_shapes[rand_r(&seed) % SHAPES];
        enum sharing sharing = rand_r(&seed) % 2 ? PLAIN : REUSEADDR;

        if (!shape_possible(shape)) continue;
        if (!network_try(shape, socket_type(visits.protocol), visits.port, sharing))
            __atomic_fetch_add(&visits.got, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&visits.tries, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* The holder dies, its successor comes, the socket closes: over and over, and the port is never
 * free. The socket is at the wildcard address, and if it is of TCP it listens: while it alone has
 * the port, it keeps others from no more than any socket does. */
static void test_no_gap(enum unix_protocol protocol)
{
    const struct shape *shape = &network_shapes[outsiders_ipv6 ? SHAPE_ANY_DUAL : SHAPE_ANY];
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 1000) / 4, failed = 0;
    unsigned int seed = random();
    struct range range;
    pthread_t thread;

    range_make(&range, protocol);
    check_restore(&range, UNIX_HELD);
    visits.protocol = protocol;
    visits.port = range.port;
    visits.end = false;
    visits.tries = visits.got = 0;
    if (!ok(!pthread_create(&thread, NULL, visitor_thread, &seed), "no thread")) return;
    for (unsigned long i = 0; i < rounds; i++)
    {
        int fd = lend_port(UNIX_PLACEHOLDER_SHARED, protocol, shape, range.port);

        failed += fd < 0;
        if (protocol == UNIX_TCP) failed += lend_listen(UNIX_PLACEHOLDER_SHARED, fd, 1) != 0;
        placeholder_drop(&range.fds[OFFSET], 1);
        sched_yield();
        failed += placeholder_restore(protocol, range.start, COUNT, range.fds, range.restored) != 0;
        if (range.fds[OFFSET] == -1)
            failed += placeholder_make_room(fd, protocol, range.port, &range.fds[OFFSET]) != 0;
        close(fd);
        sched_yield();
    }
    while (__atomic_load_n(&visits.tries, __ATOMIC_SEQ_CST) < 100) sched_yield();
    ok(!failed, "%s: %lu failures", protocol_name(protocol), failed);
    ok(!__atomic_load_n(&visits.got, __ATOMIC_SEQ_CST), "%s: an outsider got the port",
       protocol_name(protocol));
    range_drop(&range);
    /* It can, now. */
    while (!__atomic_load_n(&visits.got, __ATOMIC_SEQ_CST) &&
           __atomic_load_n(&visits.tries, __ATOMIC_SEQ_CST) < 1000000)
        sched_yield();
    __atomic_store_n(&visits.end, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    ok(visits.got, "the outsider could not get a free port either");
}

static void test_shape(const struct shape *shape)
{
    test_live_tcp(shape, false, false);
    test_live_tcp(shape, true, false);
    test_live_tcp(shape, true, true);
    test_live_udp(shape);
    test_stream(shape);
    test_device(shape);
    test_remnants(shape);
    test_make_room_tcp(shape, false);
    test_make_room_tcp(shape, true);
    for (enum sharing sharing = PLAIN; sharing < SHARINGS; sharing++)
    {
        test_outsider(UNIX_UDP, shape, sharing, false);
        test_outsider(UNIX_TCP, shape, sharing, false);
        test_outsider(UNIX_TCP, shape, sharing, true);
    }
}

int main(void)
{
    test_start("restore");
    test_seed();
    outsiders_start();
    for (int i = 0; i < SHAPES; i++)
        if (shape_possible(&network_shapes[i])) test_shape(&network_shapes[i]);
    test_intruder();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        test_free(protocol);
        test_make_room_two(protocol);
        test_make_room_failure(protocol);
        test_descriptors(protocol);
        test_no_gap(protocol);
    }
    return test_end();
}
