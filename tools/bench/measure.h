/*
 * What the Windows programs that measure have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MEASURE_NAME is defined before, as the program's name in its complaints.
 */
#ifndef TAWNY_BENCH_MEASURE_H
#define TAWNY_BENCH_MEASURE_H

static inline void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "%s: %s failed, error %d.\n", MEASURE_NAME, what, WSAGetLastError());
    exit(1);
}

static inline void check(int failed, const char *what)
{
    if (failed) fail(what);
}

static inline double clock_ns(void)
{
    LARGE_INTEGER count, frequency;

    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return count.QuadPart * 1e9 / frequency.QuadPart;
}

static inline void *import(HMODULE module, const char *name)
{
    void *function = (void *)GetProcAddress(module, name);

    check(!function, name);
    return function;
}

#endif
