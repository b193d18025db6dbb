/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_SHOW_MEMORY_H
#define TAWNY_SHOW_MEMORY_H

#include <stddef.h>
#include <stdnoreturn.h>

/* Memory to be freed; where there is none, the program ends. */
void *memory_allocate(size_t size);

/* Says that there is not enough memory, and ends the program. */
noreturn void memory_fail(void);

#define utarray_oom() memory_fail()
#include <utarray.h>

/* The array's item with this number, which must be there, as a pointer to its type. */
#define array_at(type, array, number) ((type *)array_item(array, number))

static inline void *array_item(const UT_array *array, unsigned int number)
{
    return _utarray_eltptr(array, number);
}

/* An empty array has no memory that qsort would do with. */
static inline void array_sort(UT_array *array, int (*compare)(const void *, const void *))
{
    if (utarray_len(array)) utarray_sort(array, compare);
}

#endif
