/*
 * Watches: which host sockets still live, without a word to the wineserver
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An entry of an epoll set does not keep its file open, and the kernel removes it when the last
 * descriptor of the file, in whichever process, is closed. /proc lists the entries that are left.
 * So we see a socket end however it does: closesocket, CloseHandle, or the death of a process that
 * had inherited it.
 */
#define _GNU_SOURCE
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static enum unix_status watch_failure(void)
{
    switch (errno)
    {
    case EMFILE:
    case ENFILE:
        return UNIX_NO_DESCRIPTORS;
    case ENOSPC:
    case ENOMEM:
        return UNIX_NO_MEMORY;
    default:
        return UNIX_FAILED;
    }
}

enum unix_status watch_open(int *epoll, int *entries)
{
    char path[48];

    if ((*epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) return watch_failure();
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *epoll);
    if ((*entries = open(path, O_RDONLY | O_CLOEXEC)) == -1)
    {
        enum unix_status status = watch_failure();
        close(*epoll);
        return status;
    }
    return UNIX_SUCCESS;
}

void watch_close(int epoll, int entries)
{
    close(epoll);
    close(entries);
}

enum unix_status watch_add(int epoll, int socket, uint64_t id, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.u64 = id}};
    enum unix_status status = UNIX_SUCCESS;
    int copy;

    if (!epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event)) return UNIX_SUCCESS;
    if (errno != EEXIST) return watch_failure();

    /* An entry is a file and a descriptor's number: the file is here already, and was added under
     * this number, since closed and given out again. Another number makes another entry. */
    if ((copy = fcntl(socket, F_DUPFD_CLOEXEC, socket + 1)) == -1) return watch_failure();
    status = watch_add(epoll, copy, id, events);
    close(copy);
    return status;
}

uint32_t watch_ready(int epoll, uint64_t *ids, uint32_t size)
{
    struct epoll_event events[64];
    int count;

    if (size > sizeof(events) / sizeof(*events)) size = sizeof(events) / sizeof(*events);
    count = epoll_wait(epoll, events, size, 0);
    if (count < 0) return 0;
    for (int i = 0; i < count; i++) ids[i] = events[i].data.u64;
    return count;
}

/* Takes one line of the listing: "tfd: N events: E data: ID pos: …", numbers but N in hex. */
static void watch_parse_line(const char *line, uint64_t *ids, uint32_t size, uint32_t *count)
{
    const char *data;

    if (strncmp(line, "tfd:", 4) || !(data = strstr(line, "data:"))) return;
    if (*count < size) ids[*count] = strtoull(data + 5, NULL, 16);
    ++*count;
}

enum unix_status watch_list(int entries, uint64_t *ids, uint32_t size, uint32_t *count)
{
    char text[4097];
    size_t used = 0;
    off_t offset = 0;

    *count = 0;
    for (;;)
    {
        ssize_t length = pread(entries, text + used, sizeof(text) - 1 - used, offset);
        char *line = text, *end;

        if (length == -1 && errno == EINTR) continue;
        if (length < 0) return UNIX_FAILED;
        if (!length) return UNIX_SUCCESS;
        offset += length;
        used += length;
        text[used] = 0;
        while ((end = strchr(line, '\n')))
        {
            *end = 0;
            watch_parse_line(line, ids, size, count);
            line = end + 1;
        }
        used -= line - text;
        memmove(text, line, used);
        /* No line of the kernel's is that long. */
        if (used == sizeof(text) - 1) return UNIX_FAILED;
    }
}
