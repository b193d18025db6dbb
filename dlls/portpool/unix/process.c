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
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
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

struct process
{
    char state;
    unsigned int flags;
    uint64_t start; /* clock ticks since boot */
};

/* The kernel's flag of a process that ends; its descriptors may be open for another moment. */
#define PROCESS_EXITING 0x4

/* How long such a process is waited for, in milliseconds. */
#define PROCESS_PATIENCE 1000

/* Finds a process in /proc; 0, or -1 with errno set. */
static int process_stat(unsigned int number, struct process *process)
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
    process->state = field[2];
    field += 2;
    for (i = 3; i < 22; i++)
    {
        if (i == 9) process->flags = strtoul(field, NULL, 10);
        if (!(field = strchr(field, ' ')))
        {
            errno = EINVAL;
            return -1;
        }
        field++;
    }
    process->start = strtoull(field, NULL, 10);
    return 0;
}

static uint64_t process_make_owner(unsigned int number, uint64_t start)
{
    return (number | start << PROCESS_NUMBER_BITS) & ((UINT64_C(1) << PROCESS_OWNER_BITS) - 1);
}

uint64_t process_owner(void)
{
    unsigned int number = getpid();
    struct process process;

    if (process_stat(number, &process)) return 0;
    return process_make_owner(number, process.start);
}

/* Says whether a process has been sent SIGKILL and has not begun to end. */
static bool process_is_killed(unsigned int number)
{
    char path[32], text[4096], *line;

    snprintf(path, sizeof(path), "/proc/%u/status", number);
    if (process_read_file(path, text, sizeof(text)) <= 0) return false;
    for (line = text; (line = strstr(line, "Pnd:")); line++)
        if (strtoull(line + 4, NULL, 16) & (1u << (SIGKILL - 1))) return true;
    return false;
}

/* Waits for a process to end. A process that is reported gone by Wine may still have its
 * descriptors open, for Wine does not wait for the host to close them. */
static void process_wait(unsigned int number)
{
    struct pollfd poll_entry = {.fd = syscall(SYS_pidfd_open, number, 0), .events = POLLIN};

    if (poll_entry.fd == -1) return;
    while (poll(&poll_entry, 1, PROCESS_PATIENCE) == -1 && errno == EINTR) continue;
    close(poll_entry.fd);
}

bool process_alive(uint64_t owner)
{
    unsigned int number = owner & ((1u << PROCESS_NUMBER_BITS) - 1);
    struct process process;

    for (unsigned int waited = 0;; waited++)
    {
        if (process_stat(number, &process)) return errno != ENOENT && errno != ESRCH;
        if (process.state == 'Z' || process.state == 'X') return false;
        if (process_make_owner(number, process.start) != owner) return false;
        if (waited) return true;
        if (!(process.flags & PROCESS_EXITING) && !process_is_killed(number)) return true;
        process_wait(number);
    }
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
