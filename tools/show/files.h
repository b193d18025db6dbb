/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_FILES_H
#define TAWNY_SHOW_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* A file's bytes, to be freed. */
struct file
{
    char *bytes;
    size_t length;
};

/* Reads a regular file of a directory whole, and does nothing else to it: neither makes nor locks
 * it. False with errno set, EINVAL for what is not a regular file. */
bool file_read(const char *directory, const char *name, struct file *file);

#endif
