/*
 * Which of a user's prefixes gives a port out
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Placeholders of persistent ranges share their ports with all that the user has share them, those
 * of other prefixes included: the host keeps strangers off, and would let each prefix give the same
 * port out. So there are locks, in a file that a user has for each network, a byte a port and
 * protocol. It is they that count, and not what is in the file. The kernel drops them with the
 * process.
 */
#define _GNU_SOURCE
#include "precedence.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRECEDENCE_PORTS 65536

/* Behind the ports' bytes: whoever has the file open has a share in this one, and who has all of it
 * may remove the file. */
#define PRECEDENCE_PRESENCE (PRECEDENCE_PORTS * 2)

/* How often the file is opened anew, a millisecond apart, while others remove it. */
#define PRECEDENCE_TRIES 100

static int file = -1;
static char file_name[64];

static bool precedence_make_name(void)
{
    struct stat network;

    if (stat("/proc/self/ns/net", &network)) return false;
    snprintf(file_name, sizeof(file_name), "/tawny-ports-%u-%lu", (unsigned int)geteuid(),
             (unsigned long)network.st_ino);
    return true;
}

/* Of the open file, not of the process: that would lose them with any other descriptor of it. */
static bool precedence_lock(int fd, short type, uint32_t start, uint32_t count)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = count};

    return !fcntl(fd, F_OFD_SETLK, &lock);
}

static bool precedence_lock_ports(short type, enum unix_protocol protocol, uint32_t start,
                                  uint32_t count)
{
    return precedence_lock(file, type, protocol * PRECEDENCE_PORTS + start, count);
}

/* The directory is everybody's. What somebody else has put there is not to be relied on. */
static bool precedence_is_ours(int fd, struct stat *status)
{
    return !fstat(fd, status) && S_ISREG(status->st_mode) && status->st_uid == geteuid();
}

static bool precedence_open(void)
{
    struct stat status;

    if (file != -1) return true;
    if (!precedence_make_name()) return false;
    for (int tries = 0; tries < PRECEDENCE_TRIES; tries++)
    {
        int fd = shm_open(file_name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd == -1) return false;
        if (!precedence_is_ours(fd, &status))
        {
            close(fd);
            return false;
        }
        /* Before we had our share, whoever had it last may have removed the file. */
        if (precedence_lock(fd, F_RDLCK, PRECEDENCE_PRESENCE, 1) && !fstat(fd, &status) &&
            status.st_nlink)
        {
            file = fd;
            return true;
        }
        close(fd);
        usleep(1000);
    }
    return false;
}

enum unix_status precedence_take(enum unix_protocol protocol, uint16_t start, uint16_t count,
                                 uint8_t *taken)
{
    bool all;

    memset(taken, 0, count);
    if (!precedence_open()) return UNIX_FAILED;
    all = precedence_lock_ports(F_WRLCK, protocol, start, count);
    memset(taken, all, count);
    for (uint32_t i = 0; !all && i < count; i++)
        taken[i] = precedence_lock_ports(F_WRLCK, protocol, start + i, 1);
    return UNIX_SUCCESS;
}

void precedence_give_up(enum unix_protocol protocol, uint16_t start, uint16_t count)
{
    if (file != -1) precedence_lock_ports(F_UNLCK, protocol, start, count);
}

void precedence_leave(void)
{
    if (file == -1) return;
    if (precedence_lock(file, F_WRLCK, PRECEDENCE_PRESENCE, 1)) shm_unlink(file_name);
    close(file);
    file = -1;
}
