/*
 * Tests of placeholders at ports that only root may bind, by one who is not root
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "outsiders.h"

#define START    800
#define COUNT    10
#define FIRST    1024 /* that everybody may bind */
#define ORDINARY 65534

/* Makes the process an ordinary user's, or, where root is the only user that there is, takes the
 * one privilege from it that matters. */
static bool become_ordinary(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    if (!setresgid(ORDINARY, ORDINARY, ORDINARY) && !setresuid(ORDINARY, ORDINARY, ORDINARY))
        return !prctl(PR_SET_DUMPABLE, 1);
    if (syscall(SYS_capget, &header, sets)) return false;
    sets[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
    sets[0].permitted &= ~(1u << CAP_NET_BIND_SERVICE);
    return !syscall(SYS_capset, &header, sets);
}

/* Runs a test as an ordinary user, in a child process. */
static void run_ordinary(void (*test)(enum unix_protocol, int), enum unix_protocol protocol,
                         int expected)
{
    pid_t child;
    int status;

    fflush(stdout);
    if (!(child = fork()))
    {
        bool ordinary = ok(become_ordinary(), "root stays root");
        int error = network_try(&network_shapes[SHAPE_ANY], socket_type(protocol), START, PLAIN);

        if (ok(error == EACCES, "error %d at a port of root's", error) && ordinary)
            test(protocol, expected);
        _exit(0);
    }
    ok(waitpid(child, &status, 0) == child && !status, "the child ended with status %#x", status);
}

static void check_hold(int line, enum unix_protocol protocol, uint16_t start, int expected)
{
    unsigned int before = network_descriptors();
    uint16_t conflict = 0;
    int32_t fds[COUNT];
    enum unix_status status = placeholder_hold(protocol, start, COUNT, fds, &conflict);

    if (expected)
        ok_(__FILE__, line, status == UNIX_IN_USE && conflict == expected,
            "%s from %u: status %u, conflict at %u, expected at %u", protocol_name(protocol), start,
            status, conflict, expected);
    else
        ok_(__FILE__, line, !status, "%s from %u: status %u, conflict at %u",
            protocol_name(protocol), start, status, conflict);
    for (uint16_t i = 0; i < COUNT; i++)
    {
        bool held = !status && start + i >= FIRST;

        ok_(__FILE__, line, (fds[i] != -1) == held, "port %u: placeholder %d", start + i, fds[i]);
        if (held) check_kept_out(protocol, start + i, SHARING_ALL);
    }
    placeholder_drop(fds, COUNT);
    ok_(__FILE__, line, network_descriptors() == before, "%u descriptors, before %u",
        network_descriptors(), before);
}

/* Expects a conflict at this port of the first block, or none if it is 0. */
static void ordinary_hold(enum unix_protocol protocol, int expected)
{
    check_hold(__LINE__, protocol, START, expected);
    check_hold(__LINE__, protocol, START + 100, 0);
    /* Some of root's and some of everybody's. */
    check_hold(__LINE__, protocol, FIRST - COUNT / 2, 0);
}

/* Of a persistent range, too, root's ports need no placeholder. */
static void ordinary_restore(enum unix_protocol protocol, int expected)
{
    int32_t fds[COUNT] = {[0 ... COUNT - 1] = -1};
    uint8_t restored[COUNT];
    uint16_t start = FIRST - COUNT / 2;
    enum unix_status status = placeholder_restore(protocol, start, COUNT, fds, restored);

    (void)expected;
    ok(!status, "status %u", status);
    for (uint16_t i = 0; i < COUNT; i++)
    {
        bool bare = start + i < FIRST;

        ok(restored[i] == (bare ? UNIX_BARE : UNIX_HELD) && (fds[i] == -1) == bare,
           "%s port %u: %u, placeholder %d", protocol_name(protocol), start + i, restored[i],
           fds[i]);
        if (!bare) check_kept_out(protocol, start + i, SHARING_STRANGERS);
    }
    placeholder_drop(fds, COUNT);
}

/* Nothing is to be done to a placeholder that is not there. */
static void ordinary_lend(enum unix_protocol protocol, int expected)
{
    int fd = network_socket(&network_shapes[SHAPE_ANY], socket_type(protocol), PLAIN), value = 1;
    socklen_t length = sizeof(value);

    (void)expected;
    ok(!placeholder_lend(-1, fd), "cannot lend");
    placeholder_settle(-1, fd, protocol, false);
    ok(!placeholder_listen(-1), "cannot listen");
    placeholder_settle_listen(-1, fd, false);
    ok(!getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &length) && !value,
       "SO_REUSEPORT was left on the socket");
    close(fd);
}

static void test_protocol(enum unix_protocol protocol)
{
    static const int places[] = {0, COUNT / 2, COUNT - 1};

    run_ordinary(ordinary_hold, protocol, 0);
    run_ordinary(ordinary_restore, protocol, 0);
    run_ordinary(ordinary_lend, protocol, 0);
    for (int i = 0; i < SHAPES; i++)
    {
        const struct shape *shape = &network_shapes[i];
        uint16_t port = START + places[i % 3];
        int fd;

        if (!shape_possible(shape)) continue;
        fd = network_open(shape, socket_type(protocol), port, PLAIN);
        ok(fd >= 0, "%s: error %d", shape->name, -fd);
        if (protocol == UNIX_TCP) ok(!listen(fd, 1), "error %d", errno);
        run_ordinary(ordinary_hold, protocol, port);
        close(fd);
    }
    run_ordinary(ordinary_hold, protocol, 0);
}

int main(void)
{
    test_start("privileged");
    test_seed();
    if (outsiders_start())
    {
        test_protocol(UNIX_TCP);
        test_protocol(UNIX_UDP);
    }
    else
    {
        skip("ports below 1024 are not held here: they are the host's");
        ordinary_lend(UNIX_TCP, 0);
        ordinary_lend(UNIX_UDP, 0);
    }
    return test_end();
}
