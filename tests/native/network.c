/*
 * Sockets of outsiders, in a network of the test's own
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where blocks are looked for. */
#define FIRST_PORT 10000
#define PORTS      20000

const struct shape network_shapes[SHAPES] = {
    {"0.0.0.0", AF_INET, false, "0.0.0.0"},
    {"127.0.0.1", AF_INET, false, "127.0.0.1"},
    {"127.0.0.2", AF_INET, false, "127.0.0.2"},
    {"::", AF_INET6, false, "::"},
    {":: (IPv6 only)", AF_INET6, true, "::"},
    {"::1", AF_INET6, false, "::1"},
    {"::1 (IPv6 only)", AF_INET6, true, "::1"},
    {"::ffff:127.0.0.1", AF_INET6, false, "::ffff:127.0.0.1"},
};

const char *sharing_name(enum sharing sharing)
{
    static const char *const names[] = {"plain", "SO_REUSEADDR", "SO_REUSEPORT",
                                        "SO_REUSEADDR and SO_REUSEPORT"};

    return names[sharing];
}

static bool network_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool success = fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd != -1) close(fd);
    return success;
}

/* Makes an ordinary user root in a user namespace. */
static bool network_become_root(uid_t user, gid_t group)
{
    char users[32], groups[32];

    snprintf(users, sizeof(users), "0 %u 1", user);
    snprintf(groups, sizeof(groups), "0 %u 1", group);
    return network_write("/proc/self/setgroups", "deny") &&
           network_write("/proc/self/uid_map", users) &&
           network_write("/proc/self/gid_map", groups);
}

static bool network_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool success = fd != -1 && !ioctl(fd, SIOCSIFFLAGS, &request);

    if (fd != -1) close(fd);
    return success;
}

static bool network_enter(void)
{
    uid_t user = geteuid();
    gid_t group = getegid();

    if (unshare(CLONE_NEWNET) &&
        (unshare(CLONE_NEWUSER | CLONE_NEWNET) || !network_become_root(user, group)))
        return false;
    return network_loopback_up();
}

bool network_isolate(void)
{
    const char *wish;
    pid_t child;
    int status;

    if ((wish = getenv("TAWNY_NAMESPACE")) && !strcmp(wish, "none")) return false;
    /* There is no way back: a child finds out first. */
    if (!(child = fork())) _exit(!network_enter());
    if (child == -1 || waitpid(child, &status, 0) != child || status) return false;
    return network_enter();
}

bool network_narrow_range(uint16_t first, uint16_t last)
{
    int file = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC), length;
    char text[32];

    length = snprintf(text, sizeof(text), "%u %u", first, last);
    if (file == -1) return false;
    length -= write(file, text, length);
    close(file);
    return !length;
}

bool network_has_ipv6(void)
{
    int error = network_try(&network_shapes[SHAPE_ANY_DUAL], SOCK_STREAM, 0, PLAIN);

    return error != EAFNOSUPPORT && error != EADDRNOTAVAIL;
}

int network_socket(const struct shape *shape, int type, enum sharing sharing)
{
    int fd = socket(shape->family, type | SOCK_CLOEXEC, 0), on = 1, only = shape->v6only;

    if (fd == -1) return -1;
    if (shape->family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (sharing & REUSEADDR) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (sharing & REUSEPORT) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    return fd;
}

union network_address network_address(const struct shape *shape, uint16_t port)
{
    union network_address address = {.any = {.sa_family = shape->family}};

    if (shape->family == AF_INET6)
    {
        address.in6.sin6_port = htons(port);
        inet_pton(AF_INET6, shape->address, &address.in6.sin6_addr);
    }
    else
    {
        address.in.sin_port = htons(port);
        inet_pton(AF_INET, shape->address, &address.in.sin_addr);
    }
    return address;
}

socklen_t network_address_length(const union network_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in);
}

int network_bind(int fd, const struct shape *shape, uint16_t port)
{
    union network_address address = network_address(shape, port);

    return bind(fd, &address.any, network_address_length(&address)) ? errno : 0;
}

int network_open(const struct shape *shape, int type, uint16_t port, enum sharing sharing)
{
    int fd = network_socket(shape, type, sharing), error;

    if (fd == -1) return -errno;
    if (!(error = network_bind(fd, shape, port))) return fd;
    close(fd);
    return -error;
}

int network_try(const struct shape *shape, int type, uint16_t port, enum sharing sharing)
{
    int fd = network_open(shape, type, port, sharing);

    if (fd < 0) return -fd;
    close(fd);
    return 0;
}

uint16_t network_port(int fd)
{
    union network_address address = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t length = sizeof(address);

    if (getsockname(fd, &address.any, &length)) return 0;
    if (address.any.sa_family == AF_INET6) return ntohs(address.in6.sin6_port);
    return address.any.sa_family == AF_INET ? ntohs(address.in.sin_port) : 0;
}

static bool network_port_is_free(uint16_t port)
{
    const struct shape *any = &network_shapes[network_has_ipv6() ? SHAPE_ANY_DUAL : SHAPE_ANY];

    return !network_try(any, SOCK_STREAM, port, PLAIN) &&
           !network_try(any, SOCK_DGRAM, port, PLAIN);
}

const struct shape *network_client_shape(const struct shape *shape)
{
    static const struct shape localhost6 = {"::1", AF_INET6, false, "::1"};
    static const struct shape localhost = {"127.0.0.1", AF_INET, false, "127.0.0.1"};

    if (!strcmp(shape->address, "::")) return &localhost6;
    return strcmp(shape->address, "0.0.0.0") ? shape : &localhost;
}

int network_connect(int fd, const struct shape *shape, int type)
{
    const struct shape *target = network_client_shape(shape);
    union network_address address = network_address(target, network_port(fd));
    int client = network_socket(target, type, PLAIN);

    if (client != -1 && !connect(client, &address.any, network_address_length(&address)))
        return client;
    perror("connection");
    exit(1);
}

int network_connection(int listener, const struct shape *shape, int *accepted)
{
    int client = network_connect(listener, shape, SOCK_STREAM);

    if ((*accepted = accept(listener, NULL, NULL)) != -1) return client;
    perror("connection");
    exit(1);
}

void network_remnant(int listener, const struct shape *shape)
{
    int accepted, client = network_connection(listener, shape, &accepted);

    /* He who closes first keeps the state. */
    close(accepted);
    close(client);
}

uint16_t network_free_block(uint16_t count)
{
    static uint16_t next;
    uint16_t found = 0;

    /* One block beside the other: scattered, the connections that they leave in TIME_WAIT would
     * leave no room for large ones. */
    if (!next) next = FIRST_PORT + random() % PORTS;
    for (unsigned int tries = 0; tries < 2 * PORTS && found < count; tries++)
    {
        if (next == FIRST_PORT + PORTS)
        {
            next = FIRST_PORT;
            found = 0;
        }
        found = network_port_is_free(next++) ? found + 1 : 0;
    }
    if (found == count) return next - count;
    fprintf(stderr, "no block of %u free ports on this host\n", count);
    exit(1);
}

unsigned int network_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    unsigned int count = 0;

    if (!directory)
    {
        perror("/proc/self/fd");
        exit(1);
    }
    while ((entry = readdir(directory))) count += entry->d_name[0] != '.';
    closedir(directory);
    /* Without the directory's own. */
    return count - 1;
}
