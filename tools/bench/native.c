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
 * native draw PAIRS     makes the host's system calls of a draw, as "run --calls" counts them, but
 *                       for messages between a process and the wineserver; the reference is what
 *                       Wine makes without us. Prints samples as bench.c does.
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

#define DRAW_CALLS 100

/* What draws have in common. */
struct drawing
{
    int type;
    int placeholder; /* of the port that is drawn */
    unsigned int port;
    int epoll;
    int pair[2]; /* descriptors go from the first to the second */
};

static int set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

static int get_option(int fd, int option)
{
    socklen_t length = sizeof(int);
    int value = 0;

    getsockopt(fd, SOL_SOCKET, option, &value, &length);
    return value;
}

static void get_name(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);

    getsockname(fd, (struct sockaddr *)&name, &length);
}

/* A copy of the descriptor that goes the way of those that the wineserver gives out. */
static int pass_descriptor(const int pair[2], int fd)
{
    union
    {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    unsigned int number = 0;
    struct iovec data = {&number, sizeof(number)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int copy = -1;

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    if (sendmsg(pair[0], &message, 0) == -1 || recvmsg(pair[1], &message, 0) == -1)
        fail("passing a descriptor");
    memcpy(&copy, CMSG_DATA(&control.header), sizeof(copy));
    fcntl(copy, F_SETFD, FD_CLOEXEC);
    return copy;
}

/* What the wineserver does. */
static int draw_socket(const struct drawing *drawing)
{
    int fd = socket(AF_INET, drawing->type, 0);

    if (fd == -1) fail("socket");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    set_option(fd, SO_REUSEADDR, drawing->type == SOCK_STREAM);
    if (drawing->type == SOCK_STREAM) set_option(fd, SO_OOBINLINE, 1);
    get_option(fd, SO_RCVBUF);
    get_option(fd, SO_SNDBUF);
    return fd;
}

static void draw_bind(int fd, unsigned int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    if (bind(fd, (struct sockaddr *)&address, sizeof(address))) fail("bind");
    get_name(fd);
}

static void draw_plain(const struct drawing *drawing)
{
    int fd = draw_socket(drawing);

    draw_bind(fd, 0);
    close(fd);
}

/* What our part of the process does in between. */
static void draw_lent(const struct drawing *drawing)
{
    struct epoll_event event = {0};
    int fd = draw_socket(drawing), copy;
    struct stat status;

    epoll_wait(drawing->epoll, &event, 1, 0);
    copy = pass_descriptor(drawing->pair, fd);
    fcntl(copy, F_SETFD, FD_CLOEXEC);
    get_option(copy, SO_PROTOCOL);
    get_name(copy);
    fstat(copy, &status);
    set_option(copy, SO_REUSEPORT, 1);
    set_option(drawing->placeholder, SO_REUSEPORT, 1);
    draw_bind(fd, drawing->port);
    set_option(drawing->placeholder, SO_REUSEPORT, 0);
    if (drawing->type == SOCK_DGRAM) set_option(copy, SO_REUSEPORT, 0);
    epoll_ctl(drawing->epoll, EPOLL_CTL_ADD, copy, &event);
    close(copy);
    close(fd);
}

static void draw_sample(const struct drawing *drawing, int ours)
{
    double begin = clock_ns();

    for (unsigned int i = 0; i < DRAW_CALLS; i++)
    {
        if (ours)
            draw_lent(drawing);
        else
            draw_plain(drawing);
    }
    printf("draw-host-%s %s %.1f\n", drawing->type == SOCK_STREAM ? "tcp" : "udp",
           ours ? "ours" : "reference", (clock_ns() - begin) / DRAW_CALLS);
}

static int draw(int pairs)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

    for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++)
    {
        struct drawing drawing = {.type = types[i], .epoll = epoll_create1(EPOLL_CLOEXEC)};

        if (drawing.epoll == -1 || socketpair(AF_UNIX, SOCK_STREAM, 0, drawing.pair))
            fail("socketpair");
        for (drawing.port = 2048; !ports_hold(drawing.type, drawing.port, 1);) drawing.port++;
        drawing.placeholder = sockets[0];
        for (int j = 0; j < pairs * 2; j++) draw_sample(&drawing, (j + j / 2) % 2);
        ports_drop(1);
        close(drawing.epoll);
        close(drawing.pair[0]);
        close(drawing.pair[1]);
    }
    return 0;
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
    if (argc == 3 && !strcmp(argv[1], "draw")) return draw(atoi(argv[2]));
    if (argc >= 3 && !strcmp(argv[1], "time")) return time_program(argv + 2);
    fputs("Usage: native serve | native find COUNT | native send PORT FLOWS RATE | "
          "native draw PAIRS | native time PROGRAM [ARG...]\n",
          stderr);
    return 2;
}
