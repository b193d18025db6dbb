/*
 * The end of the wineserver
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread that waits for an event does not hear of a wineserver's death: it has both ends of the
 * pipe that it would be woken by. Its process would live on, and keep what it holds on the host
 * from the next wineserver's processes.
 */
#include "wineserver.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINESERVER_VARIABLE "WINESERVERSOCKET="

/* Wine tells a process that it starts the descriptor of its connection by a variable, which the
 * process then takes out of its environment: the kernel still knows it. */
static int wineserver_find_connection(void)
{
    FILE *environment = fopen("/proc/self/environ", "re");
    char *variable = NULL;
    size_t size = 0;
    int fd = -1;

    if (!environment) return -1;
    while (fd == -1 && getdelim(&variable, &size, 0, environment) != -1)
    {
        if (!strncmp(variable, WINESERVER_VARIABLE, strlen(WINESERVER_VARIABLE)))
            fd = atoi(variable + strlen(WINESERVER_VARIABLE));
    }
    free(variable);
    fclose(environment);
    return fd;
}

void wineserver_follow(void)
{
    struct pollfd connection = {.fd = wineserver_find_connection()};
    socklen_t length = sizeof(int);
    int family;

    if (getsockopt(connection.fd, SOL_SOCKET, SO_DOMAIN, &family, &length)) return;
    if (family != AF_UNIX) return;
    /* Nothing is waited for but the hang-up, which cannot be left out. */
    while (poll(&connection, 1, -1) != 1) continue;
    _exit(0);
}
