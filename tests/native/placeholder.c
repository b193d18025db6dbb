/*
 * Tests of placeholders: what is held, and what a failure leaves behind
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/placeholder.h"
#include "outsiders.h"

#define COUNT 16

static bool isolated;

#define check_hold(protocol, start, count, fds, expected)                                          \
    check_hold_(__LINE__, protocol, start, count, fds, expected)
static void check_hold_(int line, enum unix_protocol protocol, uint16_t start, uint16_t count,
                        int32_t *fds, enum unix_status expected)
{
    uint16_t conflict = 0;
    enum unix_status status = placeholder_hold(protocol, start, count, fds, &conflict);

    ok_(__FILE__, line, status == expected, "%s, %u ports from %u: status %u, expected %u, at %u",
        protocol_name(protocol), count, start, status, expected, conflict);
}

/* What an attempt that failed must leave behind: nothing. */
#define check_nothing_held(fds, count, before) check_nothing_held_(__LINE__, fds, count, before)
static void check_nothing_held_(int line, const int32_t *fds, uint16_t count, unsigned int before)
{
    unsigned int open = network_descriptors(), kept = 0;

    for (uint16_t i = 0; i < count; i++) kept += fds[i] != -1;
    ok_(__FILE__, line, !kept, "%u placeholders are left", kept);
    ok_(__FILE__, line, open == before, "%u descriptors, before %u", open, before);
}

static void test_hold(enum unix_protocol protocol)
{
    enum unix_protocol other = protocol == UNIX_TCP ? UNIX_UDP : UNIX_TCP;
    uint16_t around = network_free_block(COUNT + 2), start = around + 1;
    unsigned int before = network_descriptors();
    int32_t fds[COUNT];

    check_hold(protocol, start, COUNT, fds, UNIX_SUCCESS);
    ok(network_descriptors() == before + COUNT, "%u descriptors, before %u", network_descriptors(),
       before);
    for (int i = 0; i < COUNT; i++)
    {
        int flags = fcntl(fds[i], F_GETFD);

        ok(network_port(fds[i]) == start + i, "placeholder %d is at port %u, not %u", i,
           network_port(fds[i]), start + i);
        ok(flags != -1 && flags & FD_CLOEXEC, "placeholder %d: flags %#x", i, flags);
        check_kept_out(protocol, start + i, SHARING_ALL);
    }
    check_let_in(protocol, around);
    check_let_in(protocol, start + COUNT);
    check_let_in(other, start);

    placeholder_drop(fds, COUNT);
    check_nothing_held(fds, COUNT, before);
    for (int i = 0; i < COUNT; i++) check_let_in(protocol, start + i);
}

static void test_smallest_and_last(enum unix_protocol protocol)
{
    int32_t fds[6];

    check_hold(protocol, network_free_block(1), 1, fds, UNIX_SUCCESS);
    placeholder_drop(fds, 1);
    /* Dropping twice does no harm. */
    placeholder_drop(fds, 1);

    if (!isolated) return;
    check_hold(protocol, 65530, 6, fds, UNIX_SUCCESS);
    check_kept_out(protocol, 65530, SHARING_ALL);
    check_kept_out(protocol, 65535, SHARING_ALL);
    placeholder_drop(fds, 6);
}

/* A block is the holder's alone, for its own process as well. */
static void test_hold_twice(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(COUNT);
    int32_t fds[COUNT], more[COUNT];
    uint16_t conflict = 0;
    unsigned int before;

    check_hold(protocol, start, COUNT / 2, fds, UNIX_SUCCESS);
    before = network_descriptors();
    check_hold(protocol, start, COUNT, more, UNIX_IN_USE);
    check_nothing_held(more, COUNT, before);
    ok(placeholder_hold(protocol, start + COUNT / 2 - 1, 2, more, &conflict) == UNIX_IN_USE &&
           conflict == start + COUNT / 2 - 1,
       "conflict at %u", conflict);
    check_hold(protocol, start + COUNT / 2, COUNT / 2, more, UNIX_SUCCESS);
    placeholder_drop(more, COUNT / 2);
    placeholder_drop(fds, COUNT / 2);
}

static void test_conflict_at(enum unix_protocol protocol, const struct shape *shape,
                             enum sharing sharing, uint16_t offset)
{
    uint16_t start = network_free_block(COUNT), conflict = 0;
    int outsider = network_open(shape, socket_type(protocol), start + offset, sharing);
    unsigned int before = network_descriptors();
    enum unix_status status;
    int32_t fds[COUNT];

    ok(outsider >= 0, "%s: error %d", shape->name, -outsider);
    status = placeholder_hold(protocol, start, COUNT, fds, &conflict);
    ok(status == UNIX_IN_USE && conflict == start + offset,
       "%s, %s, %s: status %u, conflict at %u, expected at %u", protocol_name(protocol),
       shape->name, sharing_name(sharing), status, conflict, start + offset);
    check_nothing_held(fds, COUNT, before);
    for (int i = 0; i < COUNT; i++)
        if (i != offset) check_let_in(protocol, start + i);

    /* Once the outsider is gone, nothing is in the way. */
    close(outsider);
    check_hold(protocol, start, COUNT, fds, UNIX_SUCCESS);
    placeholder_drop(fds, COUNT);
}

static void test_conflict(enum unix_protocol protocol)
{
    for (int i = 0; i < SHAPES; i++)
    {
        if (!shape_possible(&network_shapes[i])) continue;
        test_conflict_at(protocol, &network_shapes[i], PLAIN, 0);
        test_conflict_at(protocol, &network_shapes[i], PLAIN, COUNT / 2);
        test_conflict_at(protocol, &network_shapes[i], REUSEPORT, COUNT - 1);
        /* For TCP see occupied.c. */
        if (protocol == UNIX_UDP)
            test_conflict_at(protocol, &network_shapes[i], REUSEADDR, COUNT - 1);
    }
}

static void limit_descriptors(rlim_t soft)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = soft;
    if (!setrlimit(RLIMIT_NOFILE, &limit)) return;
    perror("setrlimit");
    exit(1);
}

static void test_descriptors(enum unix_protocol protocol)
{
    uint16_t start = network_free_block(200);
    int32_t fds[200], others[100];
    struct rlimit limit;
    unsigned int before;

    getrlimit(RLIMIT_NOFILE, &limit);
    before = network_descriptors();

    /* Plainly too many. */
    limit_descriptors(128);
    check_hold(protocol, start, 200, fds, UNIX_NO_DESCRIPTORS);
    check_nothing_held(fds, 200, before);
    /* A process with all its descriptors in its own block could not use that. */
    check_hold(protocol, start, 120, fds, UNIX_NO_DESCRIPTORS);
    check_nothing_held(fds, 120, before);

    /* There would be enough, were they not in use: found out in the middle. */
    limit_descriptors(300);
    for (int i = 0; i < 100; i++) others[i] = dup(1);
    before = network_descriptors();
    check_hold(protocol, start, 200, fds, UNIX_NO_DESCRIPTORS);
    check_nothing_held(fds, 200, before);
    for (int i = 0; i < 200; i += 20) check_let_in(protocol, start + i);
    check_hold(protocol, start, 100, fds, UNIX_SUCCESS);
    placeholder_drop(fds, 100);
    for (int i = 0; i < 100; i++) close(others[i]);

    limit_descriptors(limit.rlim_cur);
    check_hold(protocol, start, 200, fds, UNIX_SUCCESS);
    placeholder_drop(fds, 200);
}

/* A host that has no IPv6 at all, as far as this process can see. */
static bool refuse_ipv6(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void without_ipv6(void)
{
    uint16_t start = network_free_block(COUNT);
    int32_t fds[COUNT];

    if (!refuse_ipv6())
    {
        skip("the host allows no system call filters: nothing tested without IPv6");
        return;
    }
    outsiders_ipv6 = false;
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        check_hold(protocol, start, COUNT, fds, UNIX_SUCCESS);
        check_kept_out(protocol, start, SHARING_ALL);
        check_kept_out(protocol, start + COUNT - 1, SHARING_ALL);
        placeholder_drop(fds, COUNT);
        check_let_in(protocol, start);
    }
}

static void test_without_ipv6(void)
{
    pid_t child;
    int status;

    fflush(stdout);
    if (!(child = fork()))
    {
        without_ipv6();
        _exit(0);
    }
    ok(waitpid(child, &status, 0) == child && !status, "the child ended with status %#x", status);
}

/* On some hosts IPv6 sockets leave IPv4 alone unless told otherwise. */
static void test_v6only_host(void)
{
    static const char setting[] = "/proc/sys/net/ipv6/bindv6only";
    uint16_t start = network_free_block(COUNT);
    int32_t fds[COUNT];
    int file;

    if (!outsiders_ipv6) return;
    file = isolated ? open(setting, O_WRONLY | O_CLOEXEC) : -1;
    if (file == -1 || write(file, "1", 1) != 1)
    {
        skip("bindv6only cannot be set here");
        return;
    }
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        check_hold(protocol, start, COUNT, fds, UNIX_SUCCESS);
        check_kept_out(protocol, start, SHARING_ALL);
        placeholder_drop(fds, COUNT);
    }
    ok(pwrite(file, "0", 1, 0) == 1, "bindv6only stays set");
    close(file);
}

int main(void)
{
    test_start("placeholder");
    test_seed();
    isolated = outsiders_start();
    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        test_hold(protocol);
        test_smallest_and_last(protocol);
        test_hold_twice(protocol);
        test_conflict(protocol);
        test_descriptors(protocol);
    }
    test_without_ipv6();
    test_v6only_host();
    return test_end();
}
