/*
 * Tests of placeholders against ports that the kernel assigns: it must not assign held ones
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "dlls/portpool/unix/process.h"
#include "outsiders.h"

#define SOCKETS 2000

/* The ports that are held, and how many of the range remain. */
static uint16_t start, count, remaining;

static bool is_held(uint16_t port)
{
    return port >= start && port - start < count;
}

/* Gives sockets ports of the kernel's choice until it has no more, or there are plenty. */
static void check_assigned(const char *what, enum unix_protocol protocol, const struct shape *shape,
                           const union network_address *target)
{
    int fds[SOCKETS], made, error = 0;
    unsigned int held = 0;

    for (made = 0; made < SOCKETS && !error; made++)
    {
        fds[made] = network_socket(shape, socket_type(protocol), PLAIN);
        if (!target)
            error = network_bind(fds[made], shape, 0);
        else if (connect(fds[made], &target->any, network_address_length(target)))
            error = errno;
        if (!error) held += is_held(network_port(fds[made]));
    }
    ok(!held, "%s %s, %s: %u of %d ports were held ones", protocol_name(protocol), what,
       shape->name, held, made);
    ok(made > 1, "%s %s, %s: error %d", protocol_name(protocol), what, shape->name, error);
    if (remaining)
        ok(made == remaining + 1 &&
               (error == EADDRINUSE || error == EADDRNOTAVAIL || error == EAGAIN),
           "%s %s, %s: %d ports of %u, then error %d", protocol_name(protocol), what, shape->name,
           made - 1, remaining, error);
    while (made--)
    {
        struct linger reset = {.l_onoff = 1};

        setsockopt(fds[made], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fds[made]);
    }
}

static void test_bind(enum unix_protocol protocol)
{
    for (int i = 0; i < SHAPES; i++)
        if (shape_possible(&network_shapes[i]))
            check_assigned("bind", protocol, &network_shapes[i], NULL);
}

static void test_connect(enum unix_protocol protocol)
{
    static const struct shape targets[] = {
        {"127.0.0.1", AF_INET, false, "127.0.0.1"},
        {"::1", AF_INET6, false, "::1"},
        {"::ffff:127.0.0.1", AF_INET6, false, "::ffff:127.0.0.1"},
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
    {
        union network_address address;
        uint16_t port;
        int fd;

        if (!shape_possible(&targets[i])) continue;
        port = network_free_block(1);
        fd = network_open(&targets[i], socket_type(protocol), port, PLAIN);
        address = network_address(&targets[i], port);
        ok(fd >= 0, "%s: error %d", targets[i].name, -fd);
        if (protocol == UNIX_TCP) ok(!listen(fd, SOCKETS), "error %d", errno);
        check_assigned("connect", protocol, &targets[i], &address);
        close(fd);
    }
}

static void test_block(enum unix_protocol protocol, bool shared)
{
    uint16_t conflict = 0;
    int32_t *fds = calloc(count, sizeof(*fds));
    enum unix_status status = placeholder_hold(protocol, start, count, fds, &conflict);

    if (ok(!status, "status %u, conflict at %u", status, conflict))
    {
        if (shared) placeholder_share(fds, count);
        test_bind(protocol);
        test_connect(protocol);
    }
    placeholder_drop(fds, count);
    free(fds);
}

static void test_protocol(enum unix_protocol protocol)
{
    test_block(protocol, false);
    test_block(protocol, true);
}

int main(void)
{
    uint16_t first, last;

    test_start("automatic");
    test_seed();
    if (outsiders_start() && ok(network_narrow_range(40000, 40399), "the range cannot be set"))
    {
        process_ephemeral_range(&first, &last);
        ok(first == 40000 && last == 40399, "the range is %u to %u", first, last);
        /* At the beginning, at the end, and in the middle. */
        for (start = 40000; start <= 40020; start += 10)
        {
            count = 380;
            remaining = 20;
            test_protocol(UNIX_TCP);
            test_protocol(UNIX_UDP);
        }
    }
    else
    {
        process_ephemeral_range(&first, &last);
        count = 100;
        start = first + random() % (last - first - count);
        test_protocol(UNIX_TCP);
        test_protocol(UNIX_UDP);
    }
    return test_end();
}
