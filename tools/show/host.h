/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_HOST_H
#define TAWNY_SHOW_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "dlls/portpool/unixlib.h"
#include "memory.h"

#define HOST_PORTS 65536

/* What is asked of the host, and part of the answer. */
struct host
{
    const char *prefix; /* its directory: sockets of its programs are not looked for */
    bool wanted[2][HOST_PORTS];
    uint32_t holders[2][HOST_PORTS]; /* the process that has the placeholder; 0: not known */
    bool held[2][HOST_PORTS];        /* out: there is a placeholder */
    bool lists_bound; /* out: of TCP, too; older kernels do not list those placeholders */
};

/* A native program has a socket at a wanted port. */
struct host_use
{
    enum unix_protocol protocol;
    uint16_t port;
    uint32_t process; /* 0: it is another user's, and the host does not say which */
    char name[64];    /* empty if it is not known */
};

/* Finds the sockets of native programs at wanted ports, in this network namespace: an array of
 * struct host_use, to be freed with utarray_done. Empty if the host does not say. */
void host_find(struct host *host, UT_array *uses);

#endif
