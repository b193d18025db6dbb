/*
 * Wine's debug channels, for a DLL that has no C runtime but ntdll's
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_DEBUG_H
#define TAWNY_DEBUG_H

#include <stdarg.h>
#include <stdio.h>

/* ntdll has the underscored function only, which leaves a full buffer without an end. */
static inline int tawny_vsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
    int length = _vsnprintf(buffer, size, format, args);

    buffer[size - 1] = 0;
    return length;
}

#define vsnprintf tawny_vsnprintf
#define __WINESRC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <wine/debug.h>
#pragma GCC diagnostic pop
#undef __WINESRC__
#undef vsnprintf

#endif
