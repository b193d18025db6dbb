/*
 * The files of a prefix, read only
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "files.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens it, but no pipe or device, which might wait or do something. */
static int file_open(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;

    if (fd == -1) return -1;
    if (!fstat(fd, &status) && S_ISREG(status.st_mode))
    {
        *size = status.st_size;
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

static bool file_read_open(int fd, struct file *file, size_t size)
{
    while (file->length < size)
    {
        ssize_t length = read(fd, file->bytes + file->length, size - file->length);

        if (length == -1 && errno == EINTR) continue;
        if (length == -1) return false;
        if (!length) break;
        file->length += length;
    }
    return true;
}

bool file_read(const char *directory, const char *name, struct file *file)
{
    char *path;
    size_t size;
    bool success;
    int fd, error;

    if (asprintf(&path, "%s/%s", directory, name) == -1) memory_fail();
    fd = file_open(path, &size);
    free(path);
    if (fd == -1) return false;
    /* One byte more, so that an empty file has memory, too. */
    *file = (struct file){.bytes = memory_allocate(size + 1)};
    success = file_read_open(fd, file, size);
    error = errno;
    close(fd);
    errno = error;
    if (!success) free(file->bytes);
    return success;
}
