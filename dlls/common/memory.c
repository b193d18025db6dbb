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

#define MEMORY_PAGE 0x1000

struct memory_access
{
    void (*touch)(const struct memory_access *access);
    void *bytes;
    const void *source; /* of a copy */
    SIZE_T size;
    BOOL write; /* if it is not a copy */
};

#ifdef __i386__

/* On 32-bit Windows handlers are a list on the stack. Wine's own come from a library that is to be
 * had for the machine of the host only; this is all that is needed here. */
struct memory_frame
{
    EXCEPTION_REGISTRATION_RECORD record;
    void *landing[5]; /* __builtin_setjmp's: the frame pointer, where to go on, the stack pointer */
};

/* The thread's innermost handler. What the headers have for it, gcc takes for a null pointer. */
static EXCEPTION_REGISTRATION_RECORD *memory_get_handler(void)
{
    EXCEPTION_REGISTRATION_RECORD *handler;

    __asm__ volatile("movl %%fs:0, %0" : "=r"(handler));
    return handler;
}

static void memory_set_handler(EXCEPTION_REGISTRATION_RECORD *handler)
{
    __asm__ volatile("movl %0, %%fs:0" : : "r"(handler) : "memory");
}

static DWORD CDECL memory_fault(EXCEPTION_RECORD *record, EXCEPTION_REGISTRATION_RECORD *frame,
                                CONTEXT *context, void *dispatcher)
{
    struct memory_frame *memory = CONTAINING_RECORD(frame, struct memory_frame, record);

    (void)dispatcher;
    if (record->ExceptionFlags) return ExceptionContinueSearch; /* unwinding, or no way to go on */
    context->Ebp = (DWORD)memory->landing[0];
    context->Eip = (DWORD)memory->landing[1];
    context->Esp = (DWORD)memory->landing[2];
    return ExceptionContinueExecution;
}

static BOOL memory_try(const struct memory_access *access)
{
    struct memory_frame frame;
    volatile BOOL success = FALSE;

    frame.record.Next = memory_get_handler();
    frame.record.Handler = (void *)memory_fault;
    if (!__builtin_setjmp(frame.landing))
    {
        memory_set_handler(&frame.record);
        access->touch(access);
        success = TRUE;
    }
    memory_set_handler(frame.record.Next);
    return success;
}

#else

#include <wine/exception.h>

static BOOL memory_try(const struct memory_access *access)
{
    volatile BOOL success = TRUE;

    __TRY
    {
        access->touch(access);
    }
    __EXCEPT_ALL
    {
        success = FALSE;
    }
    __ENDTRY
    return success;
}

#endif

static void memory_copy(const struct memory_access *access)
{
    memcpy(access->bytes, access->source, access->size);
}

static void memory_touch_byte(volatile char *byte, BOOL write)
{
    char value = *byte;

    if (write) *byte = value;
}

/* Memory is there by the page. */
static void memory_touch_pages(const struct memory_access *access)
{
    char *bytes = access->bytes;

    for (SIZE_T i = 0; i < access->size; i += MEMORY_PAGE)
        memory_touch_byte(bytes + i, access->write);
    if (access->size) memory_touch_byte(bytes + access->size - 1, access->write);
}

BOOL memory_read(void *destination, const void *source, SIZE_T size)
{
    struct memory_access access = {memory_copy, destination, source, size};

    return memory_try(&access);
}

BOOL memory_readable(const void *address, SIZE_T size)
{
    struct memory_access access = {memory_touch_pages, (void *)address, NULL, size};

    return memory_try(&access);
}

BOOL memory_writable(void *address, SIZE_T size)
{
    struct memory_access access = {memory_touch_pages, address, NULL, size, TRUE};

    return memory_try(&access);
}

BOOL memory_write(void *destination, const void *source, SIZE_T size)
{
    /* A copy that is broken off half-way would leave its first half. */
    return memory_writable(destination, size) && memory_read(destination, source, size);
}
