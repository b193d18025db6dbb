/*
 * native: the host's side of the benchmarks
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * native serve          does what lines of standard input say, and answers with nanoseconds:
 *                           time PROTOCOL START COUNT
 *                       binds one socket a port, all open at once, and closes them: what it costs
 *                       the host at least to hold that many ports. Holding UDP ports takes one
 *                       setsockopt each. "bench serve" does the same by a reservation.
 * native find COUNT     prints the first of that many ports in a row that are free for both
 *                       protocols
 * native send PORT FLOWS RATE
 *                       sends datagrams to the port over IPv4 and loopback, from so many ports, so
 *                       many a second, until it is killed
 * native time PROGRAM [ARG...]
 *                       prints the nanoseconds from the start of a program to its end; the program
 *                       reads and writes nothing. Exits with its code.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* An interface that cannot exist. */
#define NO_INTERFACE 0x7fffffff

static int sockets[65536];

static void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "native: %s: %s.\n", what, strerror(errno));
    exit(1);
}

static double clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

/* As Wine does for its processes. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit)) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Says once which family covers all of the host's addresses. */
static int ports_family(void)
{
    static int family;
    int fd;

    if (family) return family;
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    family = fd == -1 && errno == EAFNOSUPPORT ? AF_INET : AF_INET6;
    if (fd != -1) close(fd);
    return family;
}

static int ports_bind(int fd, unsigned int port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (ports_family() == AF_INET) return bind(fd, (struct sockaddr *)&in, sizeof(in));
    return bind(fd, (struct sockaddr *)&in6, sizeof(in6));
}

/* Holds the ports from start on; how many it got, up to the first that is used. */
static unsigned int ports_hold(int type, unsigned int start, unsigned int count)
{
    int no_interface = NO_INTERFACE;

    for (unsigned int i = 0; i < count; i++)
    {
        sockets[i] = socket(ports_family(), type | SOCK_CLOEXEC, 0);
        if (sockets[i] == -1) fail("socket");
        if (ports_bind(sockets[i], start + i))
        {
            if (errno != EADDRINUSE) fail("bind");
            close(sockets[i]);
            return i;
        }
        if (type == SOCK_DGRAM && setsockopt(sockets[i], SOL_SOCKET, SO_BINDTOIFINDEX,
                                             &no_interface, sizeof(no_interface)))
            fail("setsockopt");
    }
    return count;
}

static void ports_drop(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) close(sockets[i]);
}

static int serve(void)
{
    unsigned int start, count, held;
    char line[80], protocol[8];

    allow_many_descriptors();
    ports_family();
    while (fgets(line, sizeof(line), stdin))
    {
        double begin;

        if (sscanf(line, "time %7s %u %u", protocol, &start, &count) != 3 || start + count > 65536)
        {
            fprintf(stderr, "native: not a command of serve: %s", line);
            return 1;
        }
        begin = clock_ns();
        held = ports_hold(strcmp(protocol, "udp") ? SOCK_STREAM : SOCK_DGRAM, start, count);
        ports_drop(held);
        if (held != count)
        {
            fprintf(stderr, "native: port %u is in use.\n", start + held);
            return 1;
        }
        printf("%.0f\n", clock_ns() - begin);
        fflush(stdout);
    }
    return 0;
}

static int find(const char *text)
{
    unsigned int count = strtoul(text, NULL, 10), start = 2048, held;

    allow_many_descriptors();
    while (count && start + count <= 65536)
    {
        held = ports_hold(SOCK_STREAM, start, count);
        ports_drop(held);
        if (held == count)
        {
            held = ports_hold(SOCK_DGRAM, start, count);
            ports_drop(held);
        }
        if (held == count)
        {
            printf("%u\n", start);
            return 0;
        }
        start += held + 1;
    }
    fprintf(stderr, "native: there are not %s free ports in a row.\n", text);
    return 1;
}

#define SEND_BATCH 16
#define SEND_SIZE  64

static void wait_until(double time)
{
    struct timespec when = {.tv_sec = (time_t)(time / 1e9)};

    when.tv_nsec = (long)(time - when.tv_sec * 1e9);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static int send_for_ever(unsigned int port, unsigned int flows, unsigned int rate)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct mmsghdr messages[SEND_BATCH];
    static char data[SEND_SIZE];
    struct iovec buffer = {data, sizeof(data)};
    double next = clock_ns();

    for (unsigned int i = 0; i < SEND_BATCH; i++)
        messages[i] = (struct mmsghdr){
            {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &buffer, .msg_iovlen = 1}, 0};
    for (unsigned int i = 0; i < flows; i++)
        if ((sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1) fail("socket");
    for (unsigned int i = 0;; i = (i + 1) % flows)
    {
        /* While nobody has the port, sending fails. */
        sendmmsg(sockets[i], messages, SEND_BATCH, 0);
        next += SEND_BATCH * 1e9 / rate;
        wait_until(next);
    }
}

static void __attribute__((noreturn)) become(char **argv)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) dup2(null, fd);
    execvp(argv[0], argv);
    _exit(127);
}

static int time_program(char **argv)
{
    double begin = clock_ns();
    pid_t child = fork();
    int status;

    if (child == -1) fail("fork");
    if (!child) become(argv);
    if (waitpid(child, &status, 0) == -1) fail("waitpid");
    printf("%.0f\n", clock_ns() - begin);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "serve")) return serve();
    if (argc == 3 && !strcmp(argv[1], "find")) return find(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "send") && atoi(argv[3]) > 0 && atoi(argv[4]) > 0)
        return send_for_ever(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    if (argc >= 3 && !strcmp(argv[1], "time")) return time_program(argv + 2);
    fputs("Usage: native serve | native find COUNT | native send PORT FLOWS RATE | "
          "native time PROGRAM [ARG...]\n",
          stderr);
    return 2;
}
