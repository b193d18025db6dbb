/*
 * What the export table of a drop-in must be, beside that of the installed Wine
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine's own DLL is there as NAME_wine.dll. Its spec file may give numbers to some exports: these
 * are for good. The others get theirs when Wine is built, in alphabetical order, and so one more
 * export changes the numbers of those behind it. Nobody can rely on these, but one who did would
 * have them from Wine 8.0, and so ours are always Wine 8.0's. Of a later Wine only the names, and
 * the numbers of the first sort, must be the same.
 */
#ifndef TAWNY_TESTS_EXPORTTABLE_H
#define TAWNY_TESTS_EXPORTTABLE_H

#include <windef.h>
#include <winbase.h>

struct export
{
    WORD ordinal;
    const char *name;
};

struct export_table
{
    const struct export *wine_8_0;
    unsigned int wine_8_0_count;
    const char *const *own; /* what is not forwarded, because it is ours */
    unsigned int own_count;
    BOOL (*is_fixed)(WORD ordinal); /* numbered by Wine's spec file */
};

/* The number of a module's export, 0 if it has none of the name. */
WORD export_ordinal(HMODULE module, const char *name);

void check_export_table_(const char *file, int line, const struct export_table *table, HMODULE ours,
                         HMODULE builtin);
#define check_export_table(...) check_export_table_(__FILE__, __LINE__, __VA_ARGS__)

#endif
