/*
 * What the fuzz targets share
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Included by the one file of each target. libFuzzer brings main(), and calls the function below
 * with each input.
 */
#ifndef TAWNY_TESTS_FUZZ_FUZZ_H
#define TAWNY_TESTS_FUZZ_FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the program if something is not as it must be: libFuzzer keeps the input then. */
#define must(condition, ...) must_(__FILE__, __LINE__, condition, __VA_ARGS__)
static inline void must_(const char *file, int line, bool condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline void must_(const char *file, int line, bool condition, const char *format, ...)
{
    va_list args;

    if (condition) return;
    va_start(args, format);
    fprintf(stderr, "%s:%d: Test failed: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* Memory of just this size, so that the sanitizer sees who goes past it. */
static inline void *fuzz_allocate(size_t size)
{
    void *memory = malloc(size);

    must(memory || !size, "no memory");
    return memory;
}

/* An input that is read from its beginning on. Where it has ended, there are zeros. */
struct input
{
    const uint8_t *next;
    size_t left;
};

static inline uint8_t input_byte(struct input *input)
{
    if (!input->left) return 0;
    input->left--;
    return *input->next++;
}

static inline uint16_t input_short(struct input *input)
{
    uint16_t low = input_byte(input);

    return low | input_byte(input) << 8;
}

/* Copies what is left of the input, up to a size; how much that is. */
static inline size_t input_copy(struct input *input, void *memory, size_t size)
{
    if (size > input->left) size = input->left;
    /* An empty input may have no memory. */
    if (size) memcpy(memory, input->next, size);
    input->next += size;
    input->left -= size;
    return size;
}

/* Text in UTF-16. */
struct units
{
    uint16_t *units; /* to be freed */
    size_t length;
};

/* Makes text of all that is left: UTF-16 after a byte order mark, else Latin-1, as in files that
 * are written by hand. */
static inline struct units input_units(struct input *input)
{
    bool wide = input->left >= 2 && input->next[0] == 0xff && input->next[1] == 0xfe;
    struct units text = {.length = wide ? input->left / 2 - 1 : input->left};

    if (wide) input_short(input);
    text.units = fuzz_allocate(text.length * sizeof(*text.units));
    for (size_t i = 0; i < text.length; i++)
        text.units[i] = wide ? input_short(input) : input_byte(input);
    return text;
}

#endif
