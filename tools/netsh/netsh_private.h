/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_NETSH_PRIVATE_H
#define TAWNY_NETSH_PRIVATE_H

#include <windows.h>

#include "arguments.h"

#ifndef ERROR_ELEVATION_REQUIRED
#define ERROR_ELEVATION_REQUIRED 740
#endif

/* output.c: what netsh says, on a console or into whatever standard output is, with lines that end
 * as Windows' do. */
void output_write(const WCHAR *text, size_t length);
void output_text(const WCHAR *text);
void output_print(const WCHAR *format, ...); /* as swprintf, of 255 characters at most */
/* Says what an error of Windows' is, and ends the paragraph. */
void output_error(DWORD error);

/* help.c */
void help_print(enum netsh_topic topic);

/* ranges.c: the commands about ranges. TRUE if they did what they should; they say so, or why not.
 */
BOOL ranges_add(const struct netsh_command *command);
BOOL ranges_delete(const struct netsh_command *command);
BOOL ranges_show(const struct netsh_command *command);

/* script.c: reads a file of commands, in UTF-8 or, with a byte order mark, in UTF-16. The caller
 * frees it with free; NULL, with the last error, if it cannot be read. */
WCHAR *script_read(const WCHAR *path);

#endif
