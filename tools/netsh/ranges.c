/*
 * The commands about ranges of ports
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is said is what netsh on Windows was seen to say, blanks and empty lines included: scripts
 * read it.
 */
#include "netsh_private.h"

#include "common/pool.h"

static enum portpool_protocol range_protocol(const struct netsh_command *command)
{
    return command->protocol == NETSH_UDP ? PORTPOOL_UDP : PORTPOOL_TCP;
}

static const WCHAR *protocol_name(const struct netsh_command *command)
{
    return command->protocol == NETSH_UDP ? L"udp" : L"tcp";
}

static DWORD error_of(enum portpool_status status)
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
        return ERROR_ELEVATION_REQUIRED;
    case PORTPOOL_NO_RESOURCES:
        return ERROR_NOT_ENOUGH_MEMORY;
    case PORTPOOL_DISK_FULL:
        return ERROR_DISK_FULL;
    case PORTPOOL_NO_HOLDER:
        return ERROR_SERVICE_NOT_ACTIVE;
    default: /* about sockets */
        return ERROR_INTERNAL_ERROR;
    }
}

static BOOL report(DWORD error)
{
    if (error)
        output_error(error);
    else
        output_text(L"Ok.\r\n\r\n");
    return !error;
}

BOOL ranges_add(const struct netsh_command *command)
{
    enum portpool_status status;
    UINT64 token;

    if (!pool_load()) return report(ERROR_NOT_SUPPORTED);
    if (command->store == NETSH_ACTIVE)
        status =
            pool->create_active(range_protocol(command), command->start, command->count, &token);
    else
        status = pool->create_persistent(range_protocol(command), command->start, command->count,
                                         &token);
    return report(error_of(status));
}

/* Says whether a program has reserved exactly these ports: nobody else may give them back. */
static BOOL is_block(const struct netsh_command *command)
{
    struct portpool_listed *listed;
    BOOL found = FALSE;
    UINT count;

    if (pool->list(range_protocol(command), &listed, &count)) return FALSE;
    for (UINT i = 0; i < count; i++)
        if (listed[i].kind == PORTPOOL_KIND_BLOCK && listed[i].start == command->start &&
            listed[i].count == command->count)
            found = TRUE;
    HeapFree(GetProcessHeap(), 0, listed);
    return found;
}

BOOL ranges_delete(const struct netsh_command *command)
{
    enum portpool_status status;

    if (!pool_load()) return report(ERROR_NOT_SUPPORTED);
    if (command->store == NETSH_ACTIVE)
        status = pool->delete_active(range_protocol(command), command->start, command->count);
    else
        status = pool->delete_persistent(range_protocol(command), command->start, command->count);
    if (status == PORTPOOL_NOT_FOUND && is_block(command)) return report(ERROR_ACCESS_DENIED);
    return report(error_of(status));
}

/* Says whether a range is in the store that is shown, which is the active one by default. */
static BOOL is_shown(const struct portpool_listed *listed, enum netsh_store store)
{
    switch (listed->kind)
    {
    case PORTPOOL_KIND_PERSISTENT:
        return TRUE;
    case PORTPOOL_KIND_BLOCK:
    case PORTPOOL_KIND_ACTIVE:
        return store != NETSH_PERSISTENT;
    case PORTPOOL_KIND_SUSPENDED:
        return store == NETSH_PERSISTENT;
    }
    return FALSE;
}

/* A star for those that an administrator has excluded. */
static void print_listed(const struct portpool_listed *listed)
{
    output_print(L"%10u  %10u     %c\r\n", listed->start, listed->start + listed->count - 1,
                 listed->kind == PORTPOOL_KIND_BLOCK ? L' ' : L'*');
}

BOOL ranges_show(const struct netsh_command *command)
{
    enum portpool_status status;
    struct portpool_listed *listed;
    UINT count;

    if (!pool_load()) return report(ERROR_NOT_SUPPORTED);
    if ((status = pool->list(range_protocol(command), &listed, &count)))
        return report(error_of(status));
    output_print(L"\r\nProtocol %ls Port Exclusion Ranges\r\n\r\n", protocol_name(command));
    output_text(L"Start Port    End Port      \r\n"
                L"----------    --------      \r\n");
    for (UINT i = 0; i < count; i++)
        if (is_shown(&listed[i], command->store)) print_listed(&listed[i]);
    output_text(L"\r\n* - Administered port exclusions.\r\n\r\n");
    HeapFree(GetProcessHeap(), 0, listed);
    return TRUE;
}
