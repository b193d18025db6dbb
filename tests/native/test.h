/*
 * Checks that are counted, in the manner of Wine's tests
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Included by the one file of each test program that has its main(). The counts are shared with
 * child processes, and may be changed by any thread.
 */
#ifndef TAWNY_TESTS_NATIVE_TEST_H
#define TAWNY_TESTS_NATIVE_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

struct test_counts
{
    unsigned long passed;
    unsigned long failed;
    unsigned long skipped;
};

static struct test_counts *test_counts;
static const char *test_name;

/* Must come first in main(). */
static inline void test_start(const char *name)
{
    test_name = name;
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_counts =
        mmap(NULL, sizeof(*test_counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test_counts != MAP_FAILED) return;
    perror("mmap");
    exit(1);
}

/* The value that main() returns. */
static inline int test_end(void)
{
    /* A program that checked nothing has not passed. */
    bool success = !test_counts->failed && test_counts->passed;

    if (test_counts->skipped) printf("%s: %lu SKIPPED\n", test_name, test_counts->skipped);
    printf("%s: %lu passed, %lu failed\n", test_name, test_counts->passed, test_counts->failed);
    return !success;
}

static inline bool ok_(const char *file, int line, bool condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline bool ok_(const char *file, int line, bool condition, const char *format, ...)
{
    va_list args;

    if (condition)
    {
        __atomic_fetch_add(&test_counts->passed, 1, __ATOMIC_RELAXED);
        return true;
    }
    __atomic_fetch_add(&test_counts->failed, 1, __ATOMIC_RELAXED);
    va_start(args, format);
    flockfile(stdout);
    printf("%s:%d: Test failed: ", file, line);
    vprintf(format, args);
    putchar('\n');
    funlockfile(stdout);
    va_end(args);
    return false;
}

static inline void skip_(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline void skip_(const char *file, int line, const char *format, ...)
{
    va_list args;

    __atomic_fetch_add(&test_counts->skipped, 1, __ATOMIC_RELAXED);
    va_start(args, format);
    printf("%s:%d: SKIPPED: ", file, line);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

#define ok(condition, ...) ok_(__FILE__, __LINE__, condition, __VA_ARGS__)
/* Says what could not be tested here. */
#define skip(...) skip_(__FILE__, __LINE__, __VA_ARGS__)

/* A number from the environment. */
static inline unsigned long test_setting(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);

    return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

/* Seeds random(), and says with what. */
static inline void test_seed(void)
{
    unsigned long seed = test_setting("TAWNY_SEED", time(NULL));

    printf("%s: TAWNY_SEED=%lu\n", test_name, seed);
    srandom(seed);
}

#endif
