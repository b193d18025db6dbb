/*
 * Files of commands
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "netsh_private.h"

#include <stdlib.h>

/* Nobody writes so many commands by hand. */
#define SCRIPT_SIZE_MOST (16 << 20)

/* Reads all of a file, with room for one more byte pair at its end. */
static char *script_read_bytes(HANDLE file, DWORD *size)
{
    LARGE_INTEGER length;
    char *bytes;

    if (!GetFileSizeEx(file, &length)) return NULL;
    if (length.QuadPart > SCRIPT_SIZE_MOST)
    {
        SetLastError(ERROR_FILE_TOO_LARGE);
        return NULL;
    }
    if (!(bytes = calloc(1, (size_t)length.QuadPart + sizeof(WCHAR))))
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    if (ReadFile(file, bytes, (DWORD)length.QuadPart, size, NULL)) return bytes;
    free(bytes);
    return NULL;
}

/* What is no UTF-8 is in the system's own code page. */
static WCHAR *script_decode(const char *bytes, int size)
{
    UINT code_page = CP_UTF8;
    DWORD flags = MB_ERR_INVALID_CHARS;
    WCHAR *text;
    int length;

    if (!(length = MultiByteToWideChar(code_page, flags, bytes, size, NULL, 0)))
    {
        code_page = CP_ACP;
        flags = 0;
        length = MultiByteToWideChar(code_page, flags, bytes, size, NULL, 0);
    }
    if (!(text = calloc(length + 1, sizeof(*text)))) return NULL;
    MultiByteToWideChar(code_page, flags, bytes, size, text, length);
    return text;
}

WCHAR *script_read(const WCHAR *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    WCHAR *text = NULL;
    DWORD size = 0;
    char *bytes;

    if (file == INVALID_HANDLE_VALUE) return NULL;
    bytes = script_read_bytes(file, &size);
    CloseHandle(file);
    if (!bytes) return NULL;
    if (size >= 2 && !memcmp(bytes, "\xff\xfe", 2))
    {
        memmove(bytes, bytes + 2, size);
        return (WCHAR *)bytes;
    }
    if (size >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3))
        text = script_decode(bytes + 3, size - 3);
    else
        text = script_decode(bytes, size);
    if (!text) SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    free(bytes);
    return text;
}
