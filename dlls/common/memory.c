/*
 * Memory that a program names and that need not be there
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is touched under an exception handler, not asked about beforehand: another thread may unmap
 * it in between, and watched pages must behave as they do on any other access. A guard page is a
 * fault, as it is to Windows' kernel, and is one once.
 */
#include "memory.h"

#include <wine/exception.h>

#define MEMORY_PAGE 0x1000

static BOOL memory_copy(void *destination, const void *source, SIZE_T size)
{
    volatile BOOL success = TRUE;

    __TRY
    {
        memcpy(destination, source, size);
    }
    __EXCEPT_ALL
    {
        success = FALSE;
    }
    __ENDTRY
    return success;
}

BOOL memory_read(void *destination, const void *source, SIZE_T size)
{
    return memory_copy(destination, source, size);
}

BOOL memory_write(void *destination, const void *source, SIZE_T size)
{
    return memory_copy(destination, source, size);
}

static void memory_touch(volatile char *byte, BOOL write)
{
    char value = *byte;

    if (write) *byte = value;
}

/* Memory is there by the page. */
static void memory_touch_pages(char *bytes, SIZE_T size, BOOL write)
{
    for (SIZE_T i = 0; i < size; i += MEMORY_PAGE) memory_touch(bytes + i, write);
    if (size) memory_touch(bytes + size - 1, write);
}

static BOOL memory_is_there(char *bytes, SIZE_T size, BOOL write)
{
    volatile BOOL success = TRUE;

    __TRY
    {
        memory_touch_pages(bytes, size, write);
    }
    __EXCEPT_ALL
    {
        success = FALSE;
    }
    __ENDTRY
    return success;
}

BOOL memory_readable(const void *address, SIZE_T size)
{
    return memory_is_there((char *)address, size, FALSE);
}

BOOL memory_writable(void *address, SIZE_T size)
{
    return memory_is_there(address, size, TRUE);
}
