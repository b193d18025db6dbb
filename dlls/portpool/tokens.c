/*
 * The volatile registry key that tells the persistent ranges' tokens
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winreg.h>

#include "rangename.h"
#include "service.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

static const WCHAR *const tokens_keys[] = {
    [UNIX_TCP] = SERVICE_TOKENS_KEY L"\\Tcp",
    [UNIX_UDP] = SERVICE_TOKENS_KEY L"\\Udp",
};

static BOOL tokens_open(UINT protocol, REGSAM access, HKEY *key)
{
    return !RegOpenKeyExW(HKEY_LOCAL_MACHINE, tokens_keys[protocol], 0, access, key);
}

/* The key's parents are made with it, and as volatile: it would not be allowed otherwise. */
static LSTATUS tokens_make(UINT protocol, HKEY *key)
{
    return RegCreateKeyExW(HKEY_LOCAL_MACHINE, tokens_keys[protocol], 0, NULL, REG_OPTION_VOLATILE,
                           KEY_SET_VALUE, NULL, key, NULL);
}

UINT64 tokens_get(UINT protocol, USHORT start, USHORT count)
{
    struct range_name range = {.start = start, .count = count};
    DWORD type, size = sizeof(UINT64);
    WCHAR name[RANGE_NAME_LENGTH + 1];
    UINT64 token = 0;
    LSTATUS error;
    HKEY key;

    if (!tokens_open(protocol, KEY_QUERY_VALUE, &key)) return 0;
    range_name_format(&range, name);
    error = RegQueryValueExW(key, name, NULL, &type, (BYTE *)&token, &size);
    RegCloseKey(key);
    return !error && type == REG_QWORD && size == sizeof(token) ? token : 0;
}

BOOL tokens_set(UINT protocol, USHORT start, USHORT count, UINT64 token)
{
    struct range_name range = {.start = start, .count = count};
    WCHAR name[RANGE_NAME_LENGTH + 1];
    LSTATUS error;
    HKEY key;

    range_name_format(&range, name);
    if (!(error = tokens_make(protocol, &key)))
    {
        error = RegSetValueExW(key, name, 0, REG_QWORD, (BYTE *)&token, sizeof(token));
        RegCloseKey(key);
    }
    if (error) ERR("a token could not be written, error %ld\n", error);
    return !error;
}

void tokens_remove(UINT protocol, USHORT start, USHORT count)
{
    struct range_name range = {.start = start, .count = count};
    WCHAR name[RANGE_NAME_LENGTH + 1];
    HKEY key;

    if (!tokens_open(protocol, KEY_SET_VALUE, &key)) return;
    range_name_format(&range, name);
    RegDeleteValueW(key, name);
    RegCloseKey(key);
}

BOOL tokens_has(UINT protocol, UINT64 token)
{
    WCHAR name[RANGE_NAME_LENGTH + 1];
    DWORD index = 0, length, type, size;
    LSTATUS error = 0;
    UINT64 value;
    HKEY key;

    if (!tokens_open(protocol, KEY_QUERY_VALUE, &key)) return FALSE;
    /* A name too long is not one of ours. */
    for (value = 0; value != token && (!error || error == ERROR_MORE_DATA); index++)
    {
        length = ARRAYSIZE(name);
        size = sizeof(value);
        error = RegEnumValueW(key, index, name, &length, NULL, &type, (BYTE *)&value, &size);
        if (error || type != REG_QWORD || size != sizeof(value)) value = 0;
    }
    RegCloseKey(key);
    return value == token;
}

static void tokens_visit_value(UINT protocol, HKEY key, DWORD index,
                               void (*visit)(UINT protocol, USHORT start, USHORT count,
                                             UINT64 token))
{
    DWORD length = RANGE_NAME_LENGTH + 1, type, size = sizeof(UINT64);
    WCHAR name[RANGE_NAME_LENGTH + 1];
    struct range_name range;
    UINT64 token;

    if (RegEnumValueW(key, index, name, &length, NULL, &type, (BYTE *)&token, &size)) return;
    if (type != REG_QWORD || size != sizeof(token)) return;
    if (range_name_parse(name, length, &range)) visit(protocol, range.start, range.count, token);
}

void tokens_visit(void (*visit)(UINT protocol, USHORT start, USHORT count, UINT64 token))
{
    DWORD count;
    HKEY key;

    for (UINT protocol = 0; protocol < ARRAYSIZE(tokens_keys); protocol++)
    {
        if (!tokens_open(protocol, KEY_QUERY_VALUE, &key)) continue;
        if (RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, &count, NULL, NULL, NULL,
                             NULL))
            count = 0;
        /* Backwards: when one is removed, only those behind it move. */
        while (count--) tokens_visit_value(protocol, key, count, visit);
        RegCloseKey(key);
    }
}
