/*
 * A native Linux program for tests of Windows programs to command
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * "outsider --listen" listens on a TCP port of 127.0.0.1 and prints its number and a newline. Any
 * number of connections are served at once, each by a process of its own, which ends with the
 * connection and closes all that it had opened. They end with the first process too. A command is a
 * line of words with single blanks between them, and has a line for its answer: "ok" and what is
 * said below, or "error ERRNO NAME", as in "error 98 EADDRINUSE".
 *
 * PROTO is tcp or udp; ADDRESS an IPv4 or IPv6 address, which decides the socket's family; PORT a
 * number in host order, 0 for any; ID stands for a socket of this connection. Words in brackets may
 * be left out, and come in any order. An IPv6 socket is dual-stack unless v6only is given.
 *
 *   bind PROTO ADDRESS PORT [reuseaddr] [reuseport] [v6only] [device=NAME]    ok ID PORT
 *       Makes and binds a socket, and keeps it.
 *   listen ID                                                                 ok
 *   connect PROTO ADDRESS PORT [bind=PORT] [reuseaddr]                        ok ID LOCALPORT
 *       With bind=, from that port, of the wildcard address.
 *   accept ID                                                                 ok ID PEERPORT
 *       ETIMEDOUT if no connection comes for ten seconds.
 *   close ID [linger0]                                                        ok
 *       With linger0 a TCP connection is reset, and nothing remains in TIME_WAIT.
 *   closeall                                                                  ok
 *   send ID ADDRESS PORT COUNT                                                ok SENT
 *       Sends datagrams of 8 bytes, the sequence numbers from 0 on, in little-endian order.
 *   receive ID TIMEOUT_MS                                                     ok COUNT
 *       Counts datagrams until none has come for the given time.
 *   ephemeral PROTO COUNT FIRST LAST                                          ok INSIDE BOUND
 *       Binds sockets of both families to port 0, COUNT in all or as many as can be had, says how
 *       many were given a port from FIRST to LAST and how many there were, and closes them.
 *   ephemeral-connect PROTO COUNT FIRST LAST                                  ok INSIDE BOUND
 *       The same by connect() of sockets that are not bound.
 *   steal PROTO FIRST LAST SECONDS [reuseaddr] [reuseport]                    ok TRIES GOT
 *       For that time binds sockets to ports from FIRST to LAST and to addresses of every shape, at
 *       random, closing at once those that could be bound: GOT of them.
 *   kill PID                                                                  ok
 *       By SIGKILL.
 *   signal PID NUMBER                                                         ok
 *       Sends the signal of that number.
 *   find-process NAME-PART                                                    ok [PID ...]
 *       Processes whose command line contains the rest of the line, which may hold blanks.
 *   descriptors PID                                                           ok COUNT
 *   memory PID                                                                ok VMRSS RSSANON
 *       In KiB.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_TIMEOUT 10000
#define WORDS_LIMIT    10
#define KEPT_LIMIT     65536

union address
{
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* What the words after a command's required ones ask for. */
struct options
{
    bool reuseaddr;
    bool reuseport;
    bool v6only;
    bool linger0;
    unsigned int bind_port;
    const char *device;
};

/* A descriptor is its socket's ID. */
static bool kept[KEPT_LIMIT];
static FILE *answers;

static bool answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(answers, format, args);
    va_end(args);
    fputc('\n', answers);
    return true;
}

static bool answer_error(int error)
{
    const char *name = strerrorname_np(error);

    return answer("error %d %s", error, name ? name : "?");
}

/* Answers with errno, having closed fd. */
static bool answer_failure(int fd)
{
    int error = errno;

    if (fd != -1) close(fd);
    return answer_error(error);
}

static bool parse_number(const char *word, unsigned long limit, unsigned int *number)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);

    *number = value;
    return *word >= '0' && *word <= '9' && !*end && value <= limit;
}

static bool parse_protocol(const char *word, int *type)
{
    *type = strcmp(word, "tcp") ? SOCK_DGRAM : SOCK_STREAM;
    return *type == SOCK_STREAM || !strcmp(word, "udp");
}

static socklen_t address_length(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in);
}

static unsigned int address_port(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                    : address->in.sin_port);
}

static bool parse_address(const char *host, const char *port, union address *address)
{
    unsigned int number;

    memset(address, 0, sizeof(*address));
    if (!parse_number(port, 65535, &number)) return false;
    if (inet_pton(AF_INET, host, &address->in.sin_addr) == 1)
    {
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons(number);
        return true;
    }
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons(number);
    return inet_pton(AF_INET6, host, &address->in6.sin6_addr) == 1;
}

static bool parse_options(char **words, struct options *options)
{
    memset(options, 0, sizeof(*options));
    for (; *words; words++)
    {
        if (!strcmp(*words, "reuseaddr"))
            options->reuseaddr = true;
        else if (!strcmp(*words, "reuseport"))
            options->reuseport = true;
        else if (!strcmp(*words, "v6only"))
            options->v6only = true;
        else if (!strcmp(*words, "linger0"))
            options->linger0 = true;
        else if (!strncmp(*words, "device=", 7))
            options->device = *words + 7;
        else if (strncmp(*words, "bind=", 5) ||
                 !parse_number(*words + 5, 65535, &options->bind_port))
            return false;
    }
    return true;
}

static bool parse_socket(const char *word, int *fd)
{
    unsigned int number;

    if (!parse_number(word, KEPT_LIMIT - 1, &number)) return false;
    *fd = number;
    return kept[number];
}

static bool socket_set(int fd, int level, int option, int value)
{
    return !setsockopt(fd, level, option, &value, sizeof(value));
}

/* Makes a socket as the options say; -1 with errno set. */
static int socket_make(int family, int type, const struct options *options)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0), error;

    if (fd == -1) return -1;
    if ((family != AF_INET6 || socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6only)) &&
        (!options->reuseaddr || socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) &&
        (!options->reuseport || socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
        (!options->device ||
         !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options->device, strlen(options->device))))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static unsigned int socket_port(int fd)
{
    union address address;
    socklen_t length = sizeof(address);

    return getsockname(fd, &address.any, &length) ? 0 : address_port(&address);
}

static int socket_bind_any(int fd, int family, unsigned int port)
{
    union address any = {.any = {.sa_family = family}};

    if (family == AF_INET6)
        any.in6.sin6_port = htons(port);
    else
        any.in.sin_port = htons(port);
    return bind(fd, &any.any, address_length(&any));
}

/* Keeps a socket and answers with its ID and a port. */
static bool socket_keep(int fd, unsigned int port)
{
    if (fd >= KEPT_LIMIT)
    {
        errno = EMFILE;
        return answer_failure(fd);
    }
    kept[fd] = true;
    return answer("ok %d %u", fd, port);
}

/* The commands. Each answers, or returns false if its words make no sense. */

static bool command_bind(char **words)
{
    union address address;
    struct options options;
    int type, fd;

    if (!parse_protocol(words[1], &type) || !parse_address(words[2], words[3], &address) ||
        !parse_options(words + 4, &options))
        return false;
    fd = socket_make(address.any.sa_family, type, &options);
    if (fd == -1 || bind(fd, &address.any, address_length(&address))) return answer_failure(fd);
    return socket_keep(fd, socket_port(fd));
}

static bool command_listen(char **words)
{
    int fd;

    if (!parse_socket(words[1], &fd)) return false;
    return listen(fd, 128) ? answer_error(errno) : answer("ok");
}

static bool command_connect(char **words)
{
    union address address;
    struct options options;
    int type, fd;

    if (!parse_protocol(words[1], &type) || !parse_address(words[2], words[3], &address) ||
        !parse_options(words + 4, &options))
        return false;
    fd = socket_make(address.any.sa_family, type, &options);
    if (fd == -1 ||
        (options.bind_port && socket_bind_any(fd, address.any.sa_family, options.bind_port)) ||
        connect(fd, &address.any, address_length(&address)))
        return answer_failure(fd);
    return socket_keep(fd, socket_port(fd));
}

static bool command_accept(char **words)
{
    union address peer;
    socklen_t length = sizeof(peer);
    struct pollfd event = {.events = POLLIN};
    int fd;

    if (!parse_socket(words[1], &event.fd)) return false;
    if (!poll(&event, 1, ACCEPT_TIMEOUT)) return answer_error(ETIMEDOUT);
    if ((fd = accept4(event.fd, &peer.any, &length, SOCK_CLOEXEC)) == -1)
        return answer_error(errno);
    return socket_keep(fd, address_port(&peer));
}

static bool command_close(char **words)
{
    struct linger now = {.l_onoff = 1};
    struct options options;
    int fd;

    if (!parse_socket(words[1], &fd) || !parse_options(words + 2, &options)) return false;
    if (options.linger0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    kept[fd] = false;
    close(fd);
    return answer("ok");
}

static void close_kept(void)
{
    for (int fd = 0; fd < KEPT_LIMIT; fd++)
    {
        if (kept[fd]) close(fd);
        kept[fd] = false;
    }
}

static bool command_closeall(char **words)
{
    (void)words;
    close_kept();
    return answer("ok");
}

/* Turns an IPv4 address into the form in which an IPv6 socket takes it. */
static void address_map(union address *address)
{
    struct sockaddr_in in = address->in;

    memset(address, 0, sizeof(*address));
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = in.sin_port;
    address->in6.sin6_addr.s6_addr[10] = address->in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(address->in6.sin6_addr.s6_addr + 12, &in.sin_addr, sizeof(in.sin_addr));
}

static bool command_send(char **words)
{
    socklen_t length = sizeof(int);
    union address address;
    unsigned int count;
    int fd, family;

    if (!parse_socket(words[1], &fd) || !parse_address(words[2], words[3], &address) ||
        !parse_number(words[4], UINT_MAX, &count))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length)) return answer_error(errno);
    if (family == AF_INET6 && address.any.sa_family == AF_INET) address_map(&address);
    for (unsigned int i = 0; i < count; i++)
    {
        uint64_t sequence = i;

        if (sendto(fd, &sequence, sizeof(sequence), 0, &address.any, address_length(&address)) !=
            sizeof(sequence))
            return answer_error(errno);
    }
    return answer("ok %u", count);
}

static bool command_receive(char **words)
{
    struct pollfd event = {.events = POLLIN};
    unsigned int timeout, count = 0;
    char datagram[64];

    if (!parse_socket(words[1], &event.fd) || !parse_number(words[2], INT_MAX, &timeout))
        return false;
    while (poll(&event, 1, timeout) > 0)
    {
        if (recv(event.fd, datagram, sizeof(datagram), MSG_DONTWAIT) >= 0)
            count++;
        else if (errno != EAGAIN)
            return answer_error(errno);
    }
    return answer("ok %u", count);
}

/* Opens a socket that connections can reach, for sockets that are to be bound by connecting. */
static int target_make(int family, int type, union address *address)
{
    struct options none = {0};
    socklen_t length = sizeof(*address);
    int fd = socket_make(family, type, &none);

    if (fd == -1) return -1;
    if (socket_bind_any(fd, family, 0) || (type == SOCK_STREAM && listen(fd, SOMAXCONN)) ||
        getsockname(fd, &address->any, &length))
    {
        close(fd);
        return -1;
    }
    if (family == AF_INET6)
        address->in6.sin6_addr = in6addr_loopback;
    else
        address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd;
}

/* Gives a socket a port of the kernel's choice: the port, or 0. */
static unsigned int ephemeral_port(int fd, int family, const union address *target)
{
    int result =
        target ? connect(fd, &target->any, address_length(target)) : socket_bind_any(fd, family, 0);

    return result ? 0 : socket_port(fd);
}

static bool ephemeral(char **words, bool connecting)
{
    static const int families[] = {AF_INET, AF_INET6};
    unsigned int count, first, last, port, bound = 0, inside = 0, made = 0;
    struct linger reset = {.l_onoff = 1}; /* nothing is to remain in TIME_WAIT */
    struct options none = {0};
    union address targets[2];
    int target_fds[2] = {-1, -1}, type, *fds;

    if (!parse_protocol(words[1], &type) || !parse_number(words[2], 65535, &count) ||
        !parse_number(words[3], 65535, &first) || !parse_number(words[4], 65535, &last))
        return false;
    if (!(fds = calloc(count + 1, sizeof(*fds)))) return answer_error(errno);
    for (int i = 0; connecting && i < 2; i++)
        target_fds[i] = target_make(families[i], type, &targets[i]);

    for (unsigned int i = 0; i < count; i++)
    {
        int which = i % 2, fd = socket_make(families[which], type, &none);

        if (fd == -1) continue;
        fds[made++] = fd;
        /* Nobody accepts: a full backlog must not make connect wait. The port is chosen anyway. */
        if (connecting) fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        port = ephemeral_port(fd, families[which], connecting ? &targets[which] : NULL);
        if (!port && errno == EINPROGRESS) port = socket_port(fd);
        bound += port != 0;
        inside += port && port >= first && port <= last;
    }
    while (made) close(fds[--made]);
    for (int i = 0; i < 2; i++)
        if (target_fds[i] != -1) close(target_fds[i]);
    free(fds);
    return answer("ok %u %u", inside, bound);
}

static bool command_ephemeral(char **words)
{
    return ephemeral(words, false);
}

static bool command_ephemeral_connect(char **words)
{
    return ephemeral(words, true);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* Tries to bind one socket; says whether that was possible. */
static bool steal_once(int type, unsigned int port, const struct options *options)
{
    static const char *const shapes[] = {
        "0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::", "::1", "::ffff:127.0.0.1"};
    unsigned int shape = random() % (sizeof(shapes) / sizeof(shapes[0]));
    struct options chosen = *options;
    union address address;
    char number[8];
    bool success;
    int fd;

    snprintf(number, sizeof(number), "%u", port);
    parse_address(shapes[shape], number, &address);
    /* The second of the two wildcard addresses of IPv6. */
    chosen.v6only = shape == 4;
    if ((fd = socket_make(address.any.sa_family, type, &chosen)) == -1) return false;
    success = !bind(fd, &address.any, address_length(&address));
    close(fd);
    return success;
}

static bool command_steal(char **words)
{
    unsigned int first, last, tries = 0, got = 0;
    struct options options;
    double seconds, end;
    char *rest;
    int type;

    seconds = strtod(words[4], &rest);
    if (!parse_protocol(words[1], &type) || !parse_number(words[2], 65535, &first) ||
        !parse_number(words[3], 65535, &last) || first > last || *rest || !(seconds >= 0) ||
        !parse_options(words + 5, &options))
        return false;
    for (end = seconds_now() + seconds; seconds_now() < end; tries++)
        got += steal_once(type, first + random() % (last - first + 1), &options);
    return answer("ok %u %u", tries, got);
}

static bool send_signal(const char *word, int number)
{
    unsigned int pid;

    /* 0 and 1 would not be one process. */
    if (!parse_number(word, INT_MAX, &pid) || pid < 2) return false;
    return kill(pid, number) ? answer_error(errno) : answer("ok");
}

static bool command_kill(char **words)
{
    return send_signal(words[1], SIGKILL);
}

static bool command_signal(char **words)
{
    unsigned int number;

    return parse_number(words[2], SIGRTMAX, &number) && number && send_signal(words[1], number);
}

/* Reads a file of /proc/PID as text, with blanks for the zeroes; false if it cannot be read. */
static bool process_read(const char *pid, const char *name, char *text, size_t size)
{
    char path[PATH_MAX];
    size_t length;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    if (!(file = fopen(path, "re"))) return false;
    length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = 0;
    for (size_t i = 0; i < length; i++)
        if (!text[i]) text[i] = ' ';
    return true;
}

static bool command_find_process(char **words)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    unsigned int pid;
    char text[4096];

    if (!directory) return answer_error(errno);
    fputs("ok", answers);
    while ((entry = readdir(directory)))
    {
        if (!parse_number(entry->d_name, INT_MAX, &pid) || pid == (unsigned int)getpid()) continue;
        if (process_read(entry->d_name, "cmdline", text, sizeof(text)) && strstr(text, words[1]))
            fprintf(answers, " %u", pid);
    }
    closedir(directory);
    return answer("%s", "");
}

static bool command_descriptors(char **words)
{
    unsigned int pid, count = 0;
    struct dirent *entry;
    char path[PATH_MAX];
    DIR *directory;

    if (!parse_number(words[1], INT_MAX, &pid)) return false;
    snprintf(path, sizeof(path), "/proc/%u/fd", pid);
    if (!(directory = opendir(path))) return answer_error(errno);
    while ((entry = readdir(directory))) count += entry->d_name[0] != '.';
    closedir(directory);
    return answer("ok %u", count);
}

static unsigned long memory_line(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

static bool command_memory(char **words)
{
    char text[8192];
    unsigned int pid;

    if (!parse_number(words[1], INT_MAX, &pid)) return false;
    if (!process_read(words[1], "status", text, sizeof(text))) return answer_error(errno);
    return answer("ok %lu %lu", memory_line(text, "\nVmRSS:"), memory_line(text, "\nRssAnon:"));
}

static const struct command
{
    const char *name;
    int least; /* words, its name among them */
    int most;
    bool (*run)(char **words);
} commands[] = {
    {"bind", 4, 8, command_bind},
    {"listen", 2, 2, command_listen},
    {"connect", 4, 6, command_connect},
    {"accept", 2, 2, command_accept},
    {"close", 2, 3, command_close},
    {"closeall", 1, 1, command_closeall},
    {"send", 5, 5, command_send},
    {"receive", 3, 3, command_receive},
    {"ephemeral", 5, 5, command_ephemeral},
    {"ephemeral-connect", 5, 5, command_ephemeral_connect},
    {"steal", 5, 7, command_steal},
    {"kill", 2, 2, command_kill},
    {"signal", 3, 3, command_signal},
    {"find-process", 2, 2, command_find_process},
    {"descriptors", 2, 2, command_descriptors},
    {"memory", 2, 2, command_memory},
};

static bool run_command(char *line)
{
    char *words[WORDS_LIMIT + 1] = {NULL}, *next = line;
    const struct command *command;
    int count = 0;

    line[strcspn(line, "\r\n")] = 0;
    while (next && count < WORDS_LIMIT)
    {
        words[count++] = next;
        /* What find-process looks for may hold blanks. */
        if (count == 2 && !strcmp(words[0], "find-process")) break;
        if ((next = strchr(next, ' '))) *next++ = 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
    {
        command = &commands[i];
        if (strcmp(command->name, words[0])) continue;
        return count >= command->least && count <= command->most && command->run(words);
    }
    return false;
}

static void serve(int connection, unsigned int seed)
{
    FILE *lines = fdopen(connection, "r");
    char line[1024];

    if (!lines || !(answers = fdopen(dup(connection), "w"))) return;
    srandom(seed);
    while (fgets(line, sizeof(line), lines))
    {
        if (!run_command(line)) answer_error(EINVAL);
        if (fflush(answers)) break;
    }
    /* Before the connection: he who sees that end can count on it. */
    close_kept();
}

int main(int argc, char **argv)
{
    struct options none = {0};
    union address address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    int listener, connection, parent = getpid();
    unsigned int served = 0;

    if (argc != 2 || strcmp(argv[1], "--listen"))
    {
        fprintf(stderr, "outsider: the only argument is --listen\n");
        return 2;
    }
    listener = socket_make(AF_INET, SOCK_STREAM, &none);
    if (listener == -1 || bind(listener, &address.any, sizeof(address.in)) || listen(listener, 64))
    {
        fprintf(stderr, "outsider: cannot listen on 127.0.0.1: %s\n", strerror(errno));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    printf("%u\n", socket_port(listener));
    fflush(stdout);

    while ((connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1 || errno == EINTR ||
           errno == ECONNABORTED)
    {
        if (connection == -1) continue;
        served++;
        if (!fork())
        {
            close(listener);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent) serve(connection, served);
            return 0;
        }
        close(connection);
    }
    fprintf(stderr, "outsider: accept: %s\n", strerror(errno));
    return 1;
}
