/*
 * Persistent reservations: the six functions that Wine's iphlpapi lacks
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <windef.h>
#include <winbase.h>
#include <iphlpapi.h>

#include "common/memory.h"
#include "common/pool.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(iphlpapi);

/* The one conversion to Win32's codes. */
static ULONG persistent_error(enum portpool_status status)
{
    switch (status)
    {
    case PORTPOOL_SUCCESS:
        return NO_ERROR;
    case PORTPOOL_INVALID_RANGE:
        return ERROR_INVALID_PARAMETER;
    case PORTPOOL_IN_USE:
        return ERROR_SHARING_VIOLATION;
    case PORTPOOL_NOT_FOUND:
        return ERROR_NOT_FOUND;
    case PORTPOOL_ACCESS_DENIED:
        return ERROR_ACCESS_DENIED;
    case PORTPOOL_NO_RESOURCES:
        return ERROR_NOT_ENOUGH_MEMORY;
    case PORTPOOL_DISK_FULL:
        return ERROR_DISK_FULL;
    case PORTPOOL_NO_HOLDER:
        return ERROR_SERVICE_NOT_ACTIVE;
    default: /* about sockets, which these functions have none of */
        return ERROR_INTERNAL_ERROR;
    }
}

/* What the functions do for either protocol; start is in our byte order. */
typedef ULONG (*persistent_function)(enum portpool_protocol protocol, USHORT start, USHORT count,
                                     ULONG64 *token);

static ULONG persistent_create(enum portpool_protocol protocol, USHORT start, USHORT count,
                               ULONG64 *token)
{
    enum portpool_status status;
    UINT64 created;

    if (!memory_writable(token, sizeof(*token))) return ERROR_INVALID_PARAMETER;
    if (!pool_load()) return ERROR_NOT_SUPPORTED;
    status = pool->create_persistent(protocol, start, count, &created);
    if (status) return persistent_error(status);
    if (memory_write(token, &created, sizeof(created))) return NO_ERROR;

    /* Gone since we looked. A call that fails must not leave a range behind. */
    if (pool->delete_persistent(protocol, start, count))
        ERR("the range of %u ports from %u on could not be deleted again\n", count, start);
    return ERROR_INVALID_PARAMETER;
}

static ULONG persistent_delete(enum portpool_protocol protocol, USHORT start, USHORT count,
                               ULONG64 *token)
{
    (void)token;
    if (!pool_load()) return ERROR_NOT_SUPPORTED;
    return persistent_error(pool->delete_persistent(protocol, start, count));
}

static ULONG persistent_lookup(enum portpool_protocol protocol, USHORT start, USHORT count,
                               ULONG64 *token)
{
    enum portpool_status status;
    UINT64 found;

    if (!memory_writable(token, sizeof(*token))) return ERROR_INVALID_PARAMETER;
    if (!pool_load()) return ERROR_NOT_SUPPORTED;
    status = pool->lookup_persistent(protocol, start, count, &found);
    if (status) return persistent_error(status);
    return memory_write(token, &found, sizeof(found)) ? NO_ERROR : ERROR_INVALID_PARAMETER;
}

/* The error is the returned one; the thread's last error is not these functions' to change. */
static ULONG persistent_call(const char *name, persistent_function function,
                             enum portpool_protocol protocol, USHORT start, USHORT count,
                             ULONG64 *token)
{
    DWORD last_error = GetLastError();
    ULONG error;

    start = __builtin_bswap16(start);
    TRACE("%s: %u ports from %u on, token at %p\n", name, count, start, token);
    error = function(protocol, start, count, token);
    TRACE("%s: %s %lu\n", name, error ? "error" : "success", error);
    SetLastError(last_error);
    return error;
}

ULONG WINAPI CreatePersistentTcpPortReservation(USHORT start, USHORT count, PULONG64 token)
{
    return persistent_call(__func__, persistent_create, PORTPOOL_TCP, start, count, token);
}

ULONG WINAPI CreatePersistentUdpPortReservation(USHORT start, USHORT count, PULONG64 token)
{
    return persistent_call(__func__, persistent_create, PORTPOOL_UDP, start, count, token);
}

ULONG WINAPI DeletePersistentTcpPortReservation(USHORT start, USHORT count)
{
    return persistent_call(__func__, persistent_delete, PORTPOOL_TCP, start, count, NULL);
}

ULONG WINAPI DeletePersistentUdpPortReservation(USHORT start, USHORT count)
{
    return persistent_call(__func__, persistent_delete, PORTPOOL_UDP, start, count, NULL);
}

ULONG WINAPI LookupPersistentTcpPortReservation(USHORT start, USHORT count, PULONG64 token)
{
    return persistent_call(__func__, persistent_lookup, PORTPOOL_TCP, start, count, token);
}

ULONG WINAPI LookupPersistentUdpPortReservation(USHORT start, USHORT count, PULONG64 token)
{
    return persistent_call(__func__, persistent_lookup, PORTPOOL_UDP, start, count, token);
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) DisableThreadLibraryCalls(instance);
    return TRUE;
}
