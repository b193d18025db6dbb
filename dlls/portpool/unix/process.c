/*
 * Processes of the host, and what the host says about itself
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Reads a small file of /proc whole; its length, or -1 with errno set. */
static ssize_t process_read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd == -1) return -1;
    length = read(fd, buffer, size - 1);
    close(fd);
    if (length >= 0) buffer[length] = 0;
    return length;
}

/* Finds the state and start time of a process; 0, or -1 with errno set. */
static int process_stat(unsigned int number, char *state, uint64_t *start)
{
    char path[32], text[1024], *field;
    int i;

    snprintf(path, sizeof(path), "/proc/%u/stat", number);
    if (process_read_file(path, text, sizeof(text)) <= 0) return -1;

    /* The second field is the program's name, which may itself hold blanks and brackets. */
    if (!(field = strrchr(text, ')')) || field[1] != ' ')
    {
        errno = EINVAL;
        return -1;
    }
    *state = field[2];
    field += 2;
    for (i = 3; field && i < 22; i++)
        if ((field = strchr(field, ' '))) field++;
    if (!field)
    {
        errno = EINVAL;
        return -1;
    }
    *start = strtoull(field, NULL, 10);
    return 0;
}

static uint64_t process_make_owner(unsigned int number, uint64_t start)
{
    return (number | start << PROCESS_NUMBER_BITS) & ((UINT64_C(1) << PROCESS_OWNER_BITS) - 1);
}

uint64_t process_owner(void)
{
    unsigned int number = getpid();
    uint64_t start;
    char state;

    if (process_stat(number, &state, &start)) return 0;
    return process_make_owner(number, start);
}

bool process_alive(uint64_t owner)
{
    unsigned int number = owner & ((1u << PROCESS_NUMBER_BITS) - 1);
    uint64_t start;
    char state;

    if (process_stat(number, &state, &start)) return errno != ENOENT && errno != ESRCH;
    if (state == 'Z' || state == 'X') return false;
    return process_make_owner(number, start) == owner;
}

uint64_t process_random(void)
{
    struct timespec now;
    uint64_t value;

    for (;;)
    {
        if (getrandom(&value, sizeof(value), 0) != sizeof(value))
        {
            /* Only a kernel still booting lacks random numbers; unique must then do. */
            clock_gettime(CLOCK_MONOTONIC, &now);
            value = ((uint64_t)getpid() << 40) ^ ((uint64_t)now.tv_sec << 30) ^ now.tv_nsec;
        }
        if (value) return value;
    }
}

void process_ephemeral_range(uint16_t *first, uint16_t *last)
{
    unsigned int low, high;
    char text[64];

    *first = 32768;
    *last = 60999;
    if (process_read_file("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof(text)) <= 0)
        return;
    if (sscanf(text, "%u %u", &low, &high) != 2 || !low || low > high || high > 65535) return;
    *first = low;
    *last = high;
}
