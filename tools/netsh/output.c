/*
 * What netsh says
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "netsh_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* How netsh on Windows words the errors that a range may meet: install scripts look for these, and
 * Wine's own texts are others. */
static const struct
{
    DWORD error;
    const WCHAR *text;
} error_texts[] = {
    {ERROR_FILE_NOT_FOUND, L"The system cannot find the file specified."},
    {ERROR_ACCESS_DENIED, L"Access is denied."},
    {ERROR_NOT_ENOUGH_MEMORY,
     L"Not enough memory resources are available to process this command."},
    {ERROR_SHARING_VIOLATION, L"The process cannot access the file because it is being used by "
                              L"another process."},
    {ERROR_NOT_SUPPORTED, L"The request is not supported."},
    {ERROR_INVALID_PARAMETER, L"The parameter is incorrect."},
    {ERROR_DISK_FULL, L"There is not enough space on the disk."},
    {ERROR_ELEVATION_REQUIRED,
     L"The requested operation requires elevation (Run as administrator)."},
    {ERROR_SERVICE_NOT_ACTIVE, L"The service has not been started."},
    {ERROR_NOT_FOUND, L"Element not found."},
};

/* Those who read from a file or a pipe expect the console's code page, whether or not there is a
 * console. */
static UINT output_code_page(void)
{
    UINT code_page = GetConsoleOutputCP();

    return code_page ? code_page : GetOEMCP();
}

static void output_write_bytes(HANDLE output, const WCHAR *text, size_t length)
{
    UINT code_page = output_code_page();
    int size = WideCharToMultiByte(code_page, 0, text, (int)length, NULL, 0, NULL, NULL);
    char *bytes = malloc(size);
    DWORD written;

    if (!bytes) return;
    WideCharToMultiByte(code_page, 0, text, (int)length, bytes, size, NULL, NULL);
    WriteFile(output, bytes, size, &written, NULL);
    free(bytes);
}

void output_write(const WCHAR *text, size_t length)
{
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD mode, written;

    if (!length) return;
    if (GetConsoleMode(output, &mode))
        WriteConsoleW(output, text, (DWORD)length, &written, NULL);
    else
        output_write_bytes(output, text, length);
}

void output_text(const WCHAR *text)
{
    output_write(text, wcslen(text));
}

void output_print(const WCHAR *format, ...)
{
    WCHAR text[256];
    va_list args;
    int length;

    va_start(args, format);
    length = _vsnwprintf(text, ARRAYSIZE(text), format, args);
    va_end(args);
    if (length >= 0) output_write(text, length);
}

void output_error(DWORD error)
{
    WCHAR text[512];

    for (size_t i = 0; i < ARRAYSIZE(error_texts); i++)
    {
        if (error_texts[i].error != error) continue;
        output_text(error_texts[i].text);
        output_text(L"\r\n\r\n");
        return;
    }
    if (!FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0,
                        text, ARRAYSIZE(text), NULL))
        _snwprintf(text, ARRAYSIZE(text), L"Error %lu.\r\n", error);
    output_text(text);
    output_text(L"\r\n");
}
