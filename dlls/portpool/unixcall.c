/*
 * The way to portpool's Unix side
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winternl.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Wine's own information class: the handle of the .so that belongs to a DLL. */
#define MEMORY_WINE_UNIX_FUNCS 1000

typedef NTSTATUS(WINAPI *unix_call_dispatcher)(UINT64 handle, unsigned int code, void *args);

NTSTATUS WINAPI NtQueryVirtualMemory(HANDLE process, const void *address, int class, void *buffer,
                                     SIZE_T size, SIZE_T *length);

static unix_call_dispatcher dispatcher;
static UINT64 handle;

BOOL unix_call_init(HMODULE module)
{
    unix_call_dispatcher *exported;
    NTSTATUS status;

    /* ntdll exports the pointer, not the function. */
    exported = (unix_call_dispatcher *)(void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"),
                                                              "__wine_unix_call_dispatcher");
    if (!exported)
    {
        ERR("this is not Wine, or one too old\n");
        return FALSE;
    }
    dispatcher = *exported;

    status = NtQueryVirtualMemory(GetCurrentProcess(), module, MEMORY_WINE_UNIX_FUNCS, &handle,
                                  sizeof(handle), NULL);
    if (status)
        ERR("this Wine does not find portpool.so, so there are no port reservations: start the "
            "program with tawny run, or see tawny doctor (status %#lx)\n",
            status);
    return !status;
}

void unix_call(enum unix_call code, void *params)
{
    dispatcher(handle, code, params);
}
