/*
 * Memory, or the end
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

noreturn void memory_fail(void)
{
    fputs("tawny: there is not enough memory; end some programs and try again.\n", stderr);
    exit(1);
}

void *memory_allocate(size_t size)
{
    void *memory = malloc(size);

    if (!memory) memory_fail();
    return memory;
}
