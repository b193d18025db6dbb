/*
 * probe: tries on this host, as the user who runs it, what portpool's Unix side does
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For tawny doctor, which turns what this prints into advice. A line for each attempt, its first
 * word what was tried, its second how that ended: library   loading portpool.so, as Wine does tcp,
 * udp  holding a port: held, refused, or busy if each of some free ports was taken meanwhile ipv6
 * sockets of IPv6: there, without an address, or absent
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dlls/portpool/unixlib.h"

/* Somebody may take a port between the moment in which it is found free and the one in which it is
 * to be held. */
#define ATTEMPTS 8

typedef int32_t (*unix_call)(void *params);

/* Prints what was wrong if there are none. */
static const unix_call *load_calls(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    const unix_call *calls = library ? dlsym(library, "__wine_unix_call_funcs") : NULL;

    if (calls)
        puts("library loaded");
    else
        printf("library refused %s\n", dlerror());
    return calls;
}

/* Finds a port that nobody has; 0 if there is none. */
static uint16_t find_free_port(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, type, 0);

    if (fd == -1) return 0;
    if (bind(fd, (struct sockaddr *)&address, size) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        address.sin_port = 0;
    close(fd);
    return ntohs(address.sin_port);
}

static uint32_t hold(const unix_call *calls, enum unix_protocol protocol, uint16_t port)
{
    int32_t fd = -1;
    struct unix_hold_params holding = {
        .fds = (uintptr_t)&fd, .protocol = protocol, .start = port, .count = 1};
    struct unix_drop_params dropping = {.fds = (uintptr_t)&fd, .count = 1};

    calls[UNIX_CALL_HOLD](&holding);
    if (holding.status == UNIX_SUCCESS) calls[UNIX_CALL_DROP](&dropping);
    return holding.status;
}

static void try_to_hold(const unix_call *calls, const char *name, enum unix_protocol protocol,
                        int type)
{
    uint32_t status = UNIX_IN_USE;
    uint16_t port;

    for (unsigned int i = 0; i < ATTEMPTS && status == UNIX_IN_USE; i++)
        if ((port = find_free_port(type))) status = hold(calls, protocol, port);
    if (status == UNIX_SUCCESS)
        printf("%s held\n", name);
    else
        printf("%s %s\n", name, status == UNIX_IN_USE ? "busy" : "refused");
}

/* That the port is somebody else's is found out after whether it may be bound at all. */
static void try_low_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(1)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool refused =
        fd == -1 || (bind(fd, (struct sockaddr *)&address, sizeof(address)) && errno == EACCES);

    printf("low %s\n", refused ? "refused" : "allowed");
    if (fd != -1) close(fd);
}

static void try_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    if (fd == -1)
    {
        puts("ipv6 absent");
        return;
    }
    puts(bind(fd, (struct sockaddr *)&address, sizeof(address)) ? "ipv6 without" : "ipv6 there");
    close(fd);
}

int main(int argc, char **argv)
{
    const unix_call *calls;

    if (argc != 2)
    {
        fputs("usage: probe PORTPOOL.SO\n", stderr);
        return 2;
    }
    if ((calls = load_calls(argv[1])))
    {
        try_to_hold(calls, "tcp", UNIX_TCP, SOCK_STREAM);
        try_to_hold(calls, "udp", UNIX_UDP, SOCK_DGRAM);
    }
    try_low_port();
    try_ipv6();
    return calls ? 0 : 1;
}
