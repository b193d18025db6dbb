/*
 * Tests of finding the native programs that have ports of a prefix's ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In a network of their own, but for TAWNY_NAMESPACE=none.
 */
#define _GNU_SOURCE
#include "tools/show/host.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "tests/native/network.h"
#include "tests/native/test.h"

#define COUNT 8

static struct host host;
static UT_array uses;
static char prefix[64];
static uint16_t start; /* of COUNT free ports */

/* Asks about the block; holder is the process that would have its placeholders. */
static void look(uint32_t holder)
{
    memset(&host, 0, sizeof(host));
    host.prefix = prefix;
    for (unsigned int i = 0; i < COUNT; i++)
    {
        host.wanted[UNIX_TCP][start + i] = host.wanted[UNIX_UDP][start + i] = true;
        host.holders[UNIX_TCP][start + i] = host.holders[UNIX_UDP][start + i] = holder;
    }
    host_find(&host, &uses);
}

#define check_uses(...) check_uses_(__LINE__, __VA_ARGS__)
/* The first use, count of them in all. */
static void check_uses_(int line, unsigned int count, enum unix_protocol protocol, uint16_t port,
                        uint32_t process)
{
    const struct host_use *use = utarray_len(&uses) ? utarray_eltptr(&uses, 0) : NULL;

    ok_(__FILE__, line, utarray_len(&uses) == count, "%u uses, expected %u", utarray_len(&uses),
        count);
    if (!use || !count) return;
    ok_(__FILE__, line,
        use->protocol == protocol && use->port == port && use->process == process &&
            !strcmp(use->name, "host"),
        "protocol %u, port %u by %u, \"%s\"", use->protocol, use->port, use->process, use->name);
}

/* A child that has what this process has open, and works in that directory. */
static pid_t start_child(const char *directory)
{
    int ready[2];
    pid_t child;
    char byte;

    if (pipe(ready)) exit(1);
    fflush(stdout);
    if (!(child = fork()))
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(directory) || write(ready[1], "", 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    ok(read(ready[0], &byte, 1) == 1, "no child");
    close(ready[0]);
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void test_nobody(void)
{
    look(0);
    check_uses(0, 0, 0, 0);
    utarray_done(&uses);
}

/* Not even this program, for what it does to look. */
static void test_all_ports(void)
{
    memset(&host, 0, sizeof(host));
    host.prefix = prefix;
    memset(host.wanted, true, sizeof(host.wanted));
    host_find(&host, &uses);
    check_uses(0, 0, 0, 0);
    utarray_done(&uses);
}

static void test_sockets(int type, enum unix_protocol protocol)
{
    for (unsigned int i = 0; i < SHAPES; i++)
    {
        const struct shape *shape = &network_shapes[i];
        int fd = network_open(shape, type, start + 2, PLAIN), other, connected = -1, accepted = -1;

        if (fd < 0) continue;
        other = network_open(shape, type, start + COUNT, PLAIN);
        if (type == SOCK_STREAM)
        {
            ok(!listen(fd, 1), "%s: not listening", shape->name);
            connected = network_connection(fd, shape, &accepted);
        }
        look(0);
        /* Its own end of a connection is at the same port, and the same program's. */
        check_uses(1, protocol, start + 2, getpid());
        utarray_done(&uses);
        close(fd);
        close(other);
        if (connected != -1) close(connected);
        if (accepted != -1) close(accepted);
    }
}

/* A TCP socket that is only bound is told of since Linux 6.8. */
static void test_bound(void)
{
    int fd = network_open(&network_shapes[SHAPE_ANY], SOCK_STREAM, start, PLAIN);

    look(0);
    check_uses(host.lists_bound, UNIX_TCP, start, getpid());
    utarray_done(&uses);
    close(fd);
}

static void test_placeholders(enum unix_protocol protocol, bool shared)
{
    int32_t fds[COUNT];
    uint16_t conflict = 0;
    pid_t child;
    int fd;

    ok(!placeholder_hold(protocol, start, COUNT, fds, &conflict), "not held, %u", conflict);
    if (shared) placeholder_share(fds, COUNT);
    /* The process that is known to hold them does not use them, whether they are recognised or not.
     */
    look(getpid());
    check_uses(0, 0, 0, 0);
    utarray_done(&uses);
    for (unsigned int i = 0; i < COUNT; i++)
    {
        bool expected = protocol == UNIX_UDP || (shared && host.lists_bound);

        ok(host.held[protocol][start + i] == expected, "%u: held %u", i,
           host.held[protocol][start + i]);
        ok(!host.held[!protocol][start + i], "%u: held, too", i);
    }
    /* Another program beside one. */
    if (shared)
    {
        fd = network_open(&network_shapes[SHAPE_ANY],
                          protocol == UNIX_TCP ? SOCK_STREAM : SOCK_DGRAM, start + 1, REUSEPORT);
        ok(fd >= 0, "not bound: %d", -fd);
        if (protocol == UNIX_TCP) ok(!listen(fd, 1), "not listening");
        child = start_child("/");
        close(fd);
        look(getpid());
        check_uses(1, protocol, start + 1, child);
        utarray_done(&uses);
        end_child(child);
    }
    placeholder_drop(fds, COUNT);
}

/* What the wineserver of the prefix has, the prefix's programs have; that of another does not
 * count. */
static void test_server(void)
{
    int fd = network_open(&network_shapes[SHAPE_ANY], SOCK_DGRAM, start + 3, PLAIN);
    char directory[128];
    struct stat status;
    pid_t child;

    ok(!stat(prefix, &status), "no prefix");
    snprintf(directory, sizeof(directory), "%s/server-%lx-%lx", prefix,
             (unsigned long)status.st_dev, (unsigned long)status.st_ino);
    ok(!mkdir(directory, 0700), "no directory");
    child = start_child(directory);
    look(0);
    check_uses(0, 0, 0, 0);
    utarray_done(&uses);
    end_child(child);
    child = start_child(prefix);
    look(0);
    check_uses(1, UNIX_UDP, start + 3, getpid());
    utarray_done(&uses);
    end_child(child);
    rmdir(directory);
    close(fd);
}

/* Two programs, each with two sockets at a port. */
static void test_two(void)
{
    int first = network_open(&network_shapes[SHAPE_ANY], SOCK_DGRAM, start, REUSEPORT);
    int second = network_open(&network_shapes[SHAPE_ANY], SOCK_DGRAM, start, REUSEPORT);
    pid_t child = start_child("/");
    int third, fourth;

    close(first);
    close(second);
    third = network_open(&network_shapes[SHAPE_ANY], SOCK_DGRAM, start, REUSEPORT);
    fourth = network_open(&network_shapes[SHAPE_ANY], SOCK_DGRAM, start, REUSEPORT);
    look(0);
    check_uses(2, UNIX_UDP, start, getpid() < child ? getpid() : child);
    utarray_done(&uses);
    end_child(child);
    close(third);
    close(fourth);
}

/* What is left of a connection is no program's. */
static void test_remnant(void)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    int fd = network_open(shape, SOCK_STREAM, start, REUSEADDR);

    ok(!listen(fd, 1), "not listening");
    network_remnant(fd, shape);
    close(fd);
    look(0);
    check_uses(0, 0, 0, 0);
    utarray_done(&uses);
}

int main(void)
{
    bool isolated;

    test_start("show-host");
    prctl(PR_SET_NAME, "host");
    isolated = network_isolate();
    if (!isolated) skip("the host's own ports are used, of which some are others'");
    strcpy(prefix, "/tmp/tawny-show-XXXXXX");
    if (!mkdtemp(prefix)) exit(1);
    start = network_free_block(COUNT + 1);
    test_nobody();
    if (isolated) test_all_ports();
    test_sockets(SOCK_STREAM, UNIX_TCP);
    test_sockets(SOCK_DGRAM, UNIX_UDP);
    test_bound();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        test_placeholders(protocol, false);
        test_placeholders(protocol, true);
    }
    test_server();
    test_two();
    test_remnant();
    rmdir(prefix);
    return test_end();
}
