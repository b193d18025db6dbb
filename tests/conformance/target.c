/*
 * What the tests of port reservations find out about the implementation that they run on
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "target.h"

#include <iphlpapi.h>

/* What a function raises that Wine has the name of only. */
#define EXCEPTION_WINE_STUB 0x80000100

BOOL target_is_tawny(void)
{
    /* The drop-in has Wine's own DLL beside it. */
    return outsider_available() || GetModuleHandleA("ws2_32_wine.dll");
}

static BOOL can_acquire(const char *file, int line, const struct kind *kind)
{
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RANGE range = {0, 1};
    SOCKET s = open_socket_(file, line, kind);
    int error;

    if (s == INVALID_SOCKET) return FALSE;
    error = reservation_ioctl_(file, line, s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range),
                               &instance, sizeof(instance));
    ok_(file, line)(!error, "%s: no port can be acquired, error %d\n", kind->name, error);
    closesocket(s);
    return !error;
}

BOOL target_reserves_(const char *file, int line, const struct kind *kind)
{
    static BOOL is_known[KIND_COUNT], reserves[KIND_COUNT];
    unsigned int i = kind - kinds;

    if (!is_known[i]) reserves[i] = can_acquire(file, line, kind);
    is_known[i] = TRUE;
    return reserves[i];
}

BOOL target_reserves_all_(const char *file, int line)
{
    const struct kind *kind;
    BOOL all = TRUE;

    for_each_kind(kind) all &= target_reserves_(file, line, kind);
    return all;
}

static void *stub_way_out[5];

static LONG CALLBACK leave_stub(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode == EXCEPTION_WINE_STUB)
        __builtin_longjmp(stub_way_out, 1);
    return EXCEPTION_CONTINUE_SEARCH;
}

BOOL target_implements(void (*call)(void))
{
    void *handler = AddVectoredExceptionHandler(TRUE, leave_stub);
    volatile BOOL returned = FALSE;

    if (!__builtin_setjmp(stub_way_out))
    {
        call();
        returned = TRUE;
    }
    RemoveVectoredExceptionHandler(handler);
    return returned;
}

static void look_up_range(void)
{
    ULONG64 token;

    LookupPersistentTcpPortReservation(htons(1), 1, &token);
}

BOOL target_persists_(const char *file, int line)
{
    HMODULE module = LoadLibraryA("iphlpapi.dll");
    BOOL found = GetProcAddress(module, "LookupPersistentTcpPortReservation") != NULL &&
                 target_implements(look_up_range);

    FreeLibrary(module);
    ok_(file, line)(found, "there are no functions for persistent reservations\n");
    return found;
}
