/*
 * Processes of the host, and what the host says about itself
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* A process, or a thread of one. */
struct process
{
    char state;
    unsigned int flags;
    unsigned int threads;
    uint64_t start; /* clock ticks since boot */
};

/* The kernel's flag of a thread that ends; its process's descriptors may be open for a moment. */
#define PROCESS_EXITING 0x4

/* How long a process that ends is waited for, in milliseconds. */
#define PROCESS_PATIENCE 1000

/* Reads a stat file of /proc; 0, or -1 with errno set. */
static int process_stat(const char *path, struct process *process)
{
    char text[1024], *name_end;

    if (process_read_file(path, text, sizeof(text)) <= 0) return -1;
    /* The second field is the program's name, which may itself hold blanks and brackets. */
    if ((name_end = strrchr(text, ')')) &&
        sscanf(name_end + 1,
               " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u %*d %" SCNu64,
               &process->state, &process->flags, &process->threads, &process->start) == 4)
        return 0;
    errno = EINVAL;
    return -1;
}

static unsigned int process_number(uint64_t owner)
{
    return owner & ((1u << PROCESS_NUMBER_BITS) - 1);
}

static uint64_t process_make_owner(unsigned int number, uint64_t start)
{
    return (number | start << PROCESS_NUMBER_BITS) & ((UINT64_C(1) << PROCESS_OWNER_BITS) - 1);
}

uint64_t process_owner(void)
{
    struct process process;

    if (process_stat("/proc/self/stat", &process)) return 0;
    return process_make_owner(getpid(), process.start);
}

/* Says whether a thread has been sent SIGKILL and has not begun to end. */
static bool process_thread_is_killed(unsigned int number, const char *thread)
{
    char path[64], text[4096], *line;

    snprintf(path, sizeof(path), "/proc/%u/task/%.16s/status", number, thread);
    if (process_read_file(path, text, sizeof(text)) <= 0) return false;
    for (line = text; (line = strstr(line, "Pnd:")); line++)
        if (strtoull(line + 4, NULL, 16) & (1u << (SIGKILL - 1))) return true;
    return false;
}

/* Says whether a process has a thread that is not about to end. The first may have ended long
 * before the others: then it is a zombie, and the process is not. */
static bool process_has_living_thread(unsigned int number)
{
    struct process thread;
    struct dirent *entry;
    bool living = false;
    char path[64];
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%u/task", number);
    if (!(tasks = opendir(path))) return errno != ENOENT && errno != ESRCH;
    while (!living && (entry = readdir(tasks)))
    {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "/proc/%u/task/%.16s/stat", number, entry->d_name);
        living = !process_stat(path, &thread) && !(thread.flags & PROCESS_EXITING) &&
                 !process_thread_is_killed(number, entry->d_name);
    }
    closedir(tasks);
    return living;
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

/* Finds the process that owner names; false if there is none any more. */
static bool process_find(uint64_t owner, struct process *process)
{
    unsigned int number = process_number(owner);
    char path[32];

    snprintf(path, sizeof(path), "/proc/%u/stat", number);
    if (process_stat(path, process))
    {
        /* What cannot be read is taken to be alive. */
        process->state = 'R';
        return errno != ENOENT && errno != ESRCH;
    }
    return process_make_owner(number, process->start) == owner;
}

bool process_alive(uint64_t owner)
{
    struct process process;

    for (bool waited = false;; waited = true)
    {
        if (!process_find(owner, &process)) return false;
        if ((process.state == 'Z' || process.state == 'X') && process.threads <= 1) return false;
        if (waited || process_has_living_thread(process_number(owner))) return true;
        process_wait(process_number(owner));
    }
}

void process_await(uint64_t owner)
{
    struct process process;

    if (process_find(owner, &process)) process_wait(process_number(owner));
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
