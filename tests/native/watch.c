/*
 * Tests of watches: which sockets still live
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/watch.h"
#include "network.h"
#include "test.h"

#define SOCKETS 1000

static int epoll = -1, entries = -1;

static void set_open(void)
{
    enum unix_status status = watch_open(&epoll, &entries);

    if (ok(!status, "status %u", status)) return;
    exit(test_end());
}

static void set_close(void)
{
    watch_close(epoll, entries);
}

static int socket_open(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

#define check_add(fd, id) check_add_(__LINE__, fd, id)
static void check_add_(int line, int fd, uint64_t id)
{
    enum unix_status status = watch_add(epoll, fd, id, 0);

    ok_(__FILE__, line, !status, "status %u", status);
}

static int compare_ids(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

/* Checks that exactly these sockets, at most four, live. */
#define check_live(count, ...) check_live_(__LINE__, count, (uint64_t[4]){__VA_ARGS__})
static void check_live_(int line, uint32_t count, const uint64_t *expected)
{
    uint64_t ids[4] = {0};
    uint32_t found = 12345;
    enum unix_status status = watch_list(entries, ids, 4, &found);

    ok_(__FILE__, line, !status && found == count, "status %u, %u live, expected %u", status, found,
        count);
    if (found > 4) return;
    qsort(ids, found, sizeof(ids[0]), compare_ids);
    for (uint32_t i = 0; i < found && i < count; i++)
        ok_(__FILE__, line, ids[i] == expected[i], "entry %u: %#lx, expected %#lx", i,
            (unsigned long)ids[i], (unsigned long)expected[i]);
}

static void test_close(void)
{
    unsigned int before = network_descriptors();
    int first, second, third;

    set_open();
    ok(fcntl(epoll, F_GETFD) & FD_CLOEXEC, "the epoll descriptor is inherited");
    ok(fcntl(entries, F_GETFD) & FD_CLOEXEC, "the entries' descriptor is inherited");
    check_live(0, 0);

    first = socket_open();
    second = socket_open();
    third = socket_open();
    /* All 64 bits of an ID count. */
    check_add(first, 1);
    check_live(1, 1);
    check_add(second, UINT64_C(0x123456789abcdef));
    check_add(third, UINT64_MAX);
    check_live(3, 1, UINT64_C(0x123456789abcdef), UINT64_MAX);
    check_live(3, 1, UINT64_C(0x123456789abcdef), UINT64_MAX);
    close(second);
    check_live(2, 1, UINT64_MAX);
    close(first);
    check_live(1, UINT64_MAX);
    close(third);
    check_live(0, 0);
    set_close();
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

/* The file counts, not the descriptor. */
static void test_duplicate(void)
{
    int fd = socket_open(), copy = dup(fd);

    set_open();
    check_add(fd, 7);
    close(fd);
    check_live(1, 7);
    close(copy);
    check_live(0, 0);
    set_close();
}

/* A number that stands for another file by now is another socket. */
static void test_number_of_another(void)
{
    int fd = socket_open(), copy = dup(fd), other;

    set_open();
    check_add(fd, 1);
    other = socket_open();
    ok(dup2(other, fd) == fd, "error %d", errno);
    close(other);
    check_add(fd, 2);
    check_live(2, 1, 2);
    close(copy);
    check_live(1, 2);
    close(fd);
    check_live(0, 0);
    set_close();
}

/* A descriptor of the same file, closed and opened again under the same number, as happens to a
 * socket that is fetched from Wine twice. */
static void test_number_again(void)
{
    int fd = socket_open(), keep = dup(fd);
    unsigned int before;

    set_open();
    before = network_descriptors();
    for (uint64_t id = 1; id <= 4; id++)
    {
        check_add(fd, id);
        close(fd);
        ok(dup2(keep, fd) == fd, "error %d", errno);
    }
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
    check_live(4, 1, 2, 3, 4);
    close(fd);
    check_live(4, 1, 2, 3, 4);
    close(keep);
    check_live(0, 0);
    set_close();
}

/* Another process that holds the socket keeps it alive, and its death ends it. */
static void test_other_process(bool killed)
{
    int fd = socket_open(), ends[2], status;
    pid_t child;
    char byte;

    set_open();
    check_add(fd, 9);
    if (!ok(!pipe(ends), "error %d", errno)) return;
    fflush(stdout);
    if (!(child = fork()))
    {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 1);
    }
    close(fd);
    close(ends[0]);
    check_live(1, 9);
    if (killed)
        kill(child, SIGKILL);
    else
        ok(write(ends[1], "x", 1) == 1, "error %d", errno);
    ok(waitpid(child, &status, 0) == child && (killed ? WIFSIGNALED(status) : !status),
       "the child ended with status %#x", status);
    check_live(0, 0);
    close(ends[1]);
    set_close();
}

static void test_many(void)
{
    static int fds[SOCKETS];
    uint64_t ids[SOCKETS + 1];
    bool seen[SOCKETS + 1] = {false};
    uint32_t count = 0, wrong = 0;

    set_open();
    for (int i = 0; i < SOCKETS; i++)
    {
        fds[i] = socket_open();
        check_add(fds[i], i + 1);
    }
    ok(!watch_list(entries, ids, SOCKETS + 1, &count) && count == SOCKETS, "%u live", count);
    for (uint32_t i = 0; i < count && i <= SOCKETS; i++)
    {
        wrong += !ids[i] || ids[i] > SOCKETS || seen[ids[i]];
        if (ids[i] <= SOCKETS) seen[ids[i]] = true;
    }
    ok(!wrong, "%u of %u entries are wrong", wrong, count);

    /* Room for fewer than there are: that many are filled in, and no more. */
    memset(ids, 0, sizeof(ids));
    ok(!watch_list(entries, ids, 10, &count) && count == SOCKETS, "%u live", count);
    ok(ids[9] && !ids[10], "the tenth is %lu, the eleventh %lu", (unsigned long)ids[9],
       (unsigned long)ids[10]);
    ok(!watch_list(entries, NULL, 0, &count) && count == SOCKETS, "%u live", count);

    for (int i = 0; i < SOCKETS; i++)
        if (i != 500) close(fds[i]);
    check_live(1, 501);
    close(fds[500]);
    check_live(0, 0);
    set_close();
}

static int count_ready(uint64_t *ids, uint32_t size)
{
    memset(ids, 0, size * sizeof(*ids));
    return watch_ready(epoll, ids, size);
}

/* The fast look. It may miss some, but never says that one lives that does not. */
static void test_ready(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int udp = socket_open(), tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), copy = dup(udp);
    uint64_t ids[100];
    int count;

    set_open();
    ok(!count_ready(ids, 100), "something lives in an empty set");
    ok(!watch_add(epoll, udp, 1, EPOLLOUT), "cannot add the UDP socket");
    ok(!watch_add(epoll, tcp, 2, EPOLLOUT), "cannot add the TCP socket");
    count = count_ready(ids, 100);
    ok(count == 2 && ids[0] + ids[1] == 3, "%d live", count);
    ids[1] = 0;
    ok(count_ready(ids, 1) == 1 && !ids[1], "more than there is room for");

    /* Bound it lives on; listening it is missed, but is still there for the thorough look. */
    ok(!bind(tcp, (struct sockaddr *)&address, sizeof(address)), "error %d", errno);
    ok(count_ready(ids, 100) == 2, "a bound socket is missed");
    ok(!listen(tcp, 1), "error %d", errno);
    ok(count_ready(ids, 100) == 1 && ids[0] == 1, "a listening socket is not missed");
    check_live(2, 1, 2);

    close(udp);
    ok(count_ready(ids, 100) == 1 && ids[0] == 1, "a duplicate does not keep the socket alive");
    close(copy);
    ok(!count_ready(ids, 100), "the closed socket lives");
    check_live(1, 2);
    close(tcp);
    check_live(0, 0);
    set_close();
    ok(!watch_ready(-1, ids, 100), "something lives in no set");
}

/* Of many sockets each look shows some, and none of those that are gone. */
static void test_many_ready(void)
{
    static int fds[SOCKETS];
    bool seen[SOCKETS] = {false};
    uint32_t found = 0, gone = 0;
    uint64_t ids[SOCKETS];

    set_open();
    for (int i = 0; i < SOCKETS; i++)
    {
        fds[i] = socket_open();
        ok(!watch_add(epoll, fds[i], i, EPOLLOUT), "cannot add socket %d", i);
    }
    for (int i = 0; i < SOCKETS; i += 2) close(fds[i]);
    for (int i = 0; i < SOCKETS; i++)
    {
        uint32_t count = watch_ready(epoll, ids, SOCKETS);

        ok(count && count <= SOCKETS, "%u live", count);
        for (uint32_t j = 0; j < count; j++)
        {
            gone += ids[j] % 2 == 0;
            found += !seen[ids[j]];
            seen[ids[j]] = true;
        }
    }
    ok(found == SOCKETS / 2 && !gone, "%u of %u found, %u that are gone", found, SOCKETS / 2, gone);
    for (int i = 1; i < SOCKETS; i += 2) close(fds[i]);
    ok(!watch_ready(epoll, ids, SOCKETS), "the closed sockets live");
    set_close();
}

/* Room for no descriptor, and for one of the two. */
static void test_no_descriptors(void)
{
    int lowest = socket_open(), no_epoll, no_entries;
    struct rlimit limit, low;
    unsigned int before;

    close(lowest);
    before = network_descriptors();
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    for (low.rlim_cur = lowest; low.rlim_cur <= (rlim_t)lowest + 1; low.rlim_cur++)
    {
        enum unix_status status;

        ok(!setrlimit(RLIMIT_NOFILE, &low), "error %d", errno);
        status = watch_open(&no_epoll, &no_entries);
        ok(!setrlimit(RLIMIT_NOFILE, &limit), "error %d", errno);
        ok(status == UNIX_NO_DESCRIPTORS, "limit %lu: status %u", (unsigned long)low.rlim_cur,
           status);
        ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(),
           before);
    }
}

static void test_no_socket(void)
{
    set_open();
    ok(watch_add(epoll, -1, 1, 0), "a socket that is none was added");
    check_live(0, 0);
    set_close();
}

int main(void)
{
    struct rlimit limit;

    test_start("watch");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    test_close();
    test_duplicate();
    test_number_of_another();
    test_number_again();
    test_other_process(false);
    test_other_process(true);
    test_many();
    test_ready();
    test_many_ready();
    test_no_descriptors();
    test_no_socket();
    return test_end();
}
