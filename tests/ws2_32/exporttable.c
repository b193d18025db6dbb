/*
 * What the export table of a drop-in must be, beside that of the installed Wine
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "wine/test.h"

#include "exporttable.h"

static const IMAGE_EXPORT_DIRECTORY *export_directory(HMODULE module)
{
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)module;
    const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)((const char *)module + dos->e_lfanew);

    return (const IMAGE_EXPORT_DIRECTORY *)((const char *)module +
                                            nt->OptionalHeader.DataDirectory[0].VirtualAddress);
}

/* The index-th name of a module's exports, and its number. */
static struct export export_at(HMODULE module, DWORD index)
{
    const IMAGE_EXPORT_DIRECTORY *directory = export_directory(module);
    const char *base = (const char *)module;
    struct export export = {
        .ordinal =
            directory->Base + ((const WORD *)(base + directory->AddressOfNameOrdinals))[index],
        .name = base + ((const DWORD *)(base + directory->AddressOfNames))[index],
    };

    return export;
}

WORD export_ordinal(HMODULE module, const char *name)
{
    const IMAGE_EXPORT_DIRECTORY *directory = export_directory(module);
    DWORD i;

    for (i = 0; i < directory->NumberOfNames; i++)
    {
        struct export export = export_at(module, i);

        if (!strcmp(export.name, name)) return export.ordinal;
    }
    return 0;
}

static BOOL is_own(const struct export_table *table, const char *name)
{
    unsigned int i;

    for (i = 0; i < table->own_count; i++)
        if (!strcmp(table->own[i], name)) return TRUE;
    return FALSE;
}

static BOOL was_in_wine_8_0(const struct export_table *table, const char *name)
{
    unsigned int i;

    for (i = 0; i < table->wine_8_0_count; i++)
        if (!strcmp(table->wine_8_0[i].name, name)) return TRUE;
    return FALSE;
}

/* Says whether the installed Wine has the exports of Wine 8.0, and so its numbers, all of them. */
static BOOL is_wine_8_0(const struct export_table *table, HMODULE builtin)
{
    DWORD i, count = export_directory(builtin)->NumberOfNames;

    if (count != table->wine_8_0_count) return FALSE;
    for (i = 0; i < count; i++)
        if (!was_in_wine_8_0(table, export_at(builtin, i).name)) return FALSE;
    return TRUE;
}

static void check_ordinals_(const char *file, int line, const struct export_table *table,
                            HMODULE ours)
{
    DWORD i;

    for (i = 0; i < table->wine_8_0_count; i++)
    {
        const struct export *export = &table->wine_8_0[i];
        WORD ordinal = export_ordinal(ours, export->name);

        ok_(file, line)(ordinal == export->ordinal, "%s has number %u, in Wine 8.0 %u\n",
                        export->name, ordinal, export->ordinal);
    }
    /* What came later must not be in the way of a number that Wine may yet give. */
    for (i = 0; i < export_directory(ours)->NumberOfNames; i++)
    {
        struct export export = export_at(ours, i);

        if (was_in_wine_8_0(table, export.name)) continue;
        ok_(file, line)(export.ordinal >= 400 && export.ordinal < 500, "%s has number %u\n",
                        export.name, export.ordinal);
    }
}

static void check_against_builtin_(const char *file, int line, const struct export_table *table,
                                   HMODULE ours, HMODULE builtin)
{
    DWORD i, count = export_directory(builtin)->NumberOfNames;
    BOOL all = is_wine_8_0(table, builtin);

    /* A later Wine has more, if anything. */
    ok_(file, line)(count >= table->wine_8_0_count, "only %lu exports\n", count);
    for (i = 0; i < count; i++)
    {
        struct export export = export_at(builtin, i);
        WORD ordinal = export_ordinal(ours, export.name);

        ok_(file, line)(ordinal, "%s, number %u, is not exported\n", export.name, export.ordinal);
        if (all || table->is_fixed(export.ordinal))
            ok_(file, line)(ordinal == export.ordinal, "%s has number %u, Wine's has %u\n",
                            export.name, ordinal, export.ordinal);
    }
}

static HMODULE module_of(FARPROC address)
{
    HMODULE module = NULL;

    GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                           GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                       (const char *)address, &module);
    return module;
}

/* The loader binds callers to Wine's own code. What this Wine lacks is nothing, as without us. */
static void check_addresses_(const char *file, int line, const struct export_table *table,
                             HMODULE ours, HMODULE builtin)
{
    DWORD i;

    for (i = 0; i < export_directory(ours)->NumberOfNames; i++)
    {
        struct export export = export_at(ours, i);
        FARPROC address = GetProcAddress(ours, export.name);
        FARPROC theirs = GetProcAddress(builtin, export.name);

        if (is_own(table, export.name))
            ok_(file, line)(address && module_of(address) == ours, "%s is at %p, Wine's at %p\n",
                            export.name, address, theirs);
        else
            ok_(file, line)(address == theirs, "%s is at %p, Wine's at %p\n", export.name, address,
                            theirs);
        ok_(file, line)(GetProcAddress(ours, (const char *)(ULONG_PTR) export.ordinal) == address,
                        "number %u is not %s\n", export.ordinal, export.name);
    }
    for (i = 0; i < table->own_count; i++)
        ok_(file, line)(export_ordinal(ours, table->own[i]) != 0, "%s is not exported\n",
                        table->own[i]);
}

void check_export_table_(const char *file, int line, const struct export_table *table, HMODULE ours,
                         HMODULE builtin)
{
    check_ordinals_(file, line, table, ours);
    check_against_builtin_(file, line, table, ours, builtin);
    check_addresses_(file, line, table, ours, builtin);
}
