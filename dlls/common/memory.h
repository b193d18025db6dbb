/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_COMMON_MEMORY_H
#define TAWNY_COMMON_MEMORY_H

#include <windef.h>
#include <winbase.h>

/* The caller's memory, which may be anything: FALSE, where others would crash. */
BOOL memory_read(void *destination, const void *source, SIZE_T size);
BOOL memory_write(void *destination, const void *source, SIZE_T size);

/* Say whether memory_read and memory_write would succeed, and leave what is there. */
BOOL memory_readable(const void *address, SIZE_T size);
BOOL memory_writable(void *address, SIZE_T size);

#endif
