/*
 * The six functions of persistent reservations, looked up when they are called
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A test program that imported them would not start on a Windows that lacks one of them, and would
 * crash on such a Wine.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>

typedef ULONG(WINAPI *create_function)(USHORT start, USHORT count, ULONG64 *token);
typedef ULONG(WINAPI *delete_function)(USHORT start, USHORT count);

/* The last error, at which a test may be about to look, stays as it is. */
static FARPROC look_up(const char *name)
{
    static HMODULE module;
    DWORD error = GetLastError();
    FARPROC function;

    if (!module) module = LoadLibraryA("iphlpapi.dll");
    function = GetProcAddress(module, name);
    SetLastError(error);
    return function;
}

/* Lookup has the same arguments. */
static ULONG call_create(const char *name, USHORT start, USHORT count, ULONG64 *token)
{
    create_function function = (create_function)(void *)look_up(name);

    return function ? function(start, count, token) : ERROR_PROC_NOT_FOUND;
}

static ULONG call_delete(const char *name, USHORT start, USHORT count)
{
    delete_function function = (delete_function)(void *)look_up(name);

    return function ? function(start, count) : ERROR_PROC_NOT_FOUND;
}

ULONG WINAPI CreatePersistentTcpPortReservation(USHORT start, USHORT count, ULONG64 *token)
{
    return call_create(__func__, start, count, token);
}

ULONG WINAPI CreatePersistentUdpPortReservation(USHORT start, USHORT count, ULONG64 *token)
{
    return call_create(__func__, start, count, token);
}

ULONG WINAPI LookupPersistentTcpPortReservation(USHORT start, USHORT count, ULONG64 *token)
{
    return call_create(__func__, start, count, token);
}

ULONG WINAPI LookupPersistentUdpPortReservation(USHORT start, USHORT count, ULONG64 *token)
{
    return call_create(__func__, start, count, token);
}

ULONG WINAPI DeletePersistentTcpPortReservation(USHORT start, USHORT count)
{
    return call_delete(__func__, start, count);
}

ULONG WINAPI DeletePersistentUdpPortReservation(USHORT start, USHORT count)
{
    return call_delete(__func__, start, count);
}
