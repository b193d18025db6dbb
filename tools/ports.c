/*
 * ports: prints what is reserved in the prefix, and who uses it, for tawny show to read
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A console program for Windows. It asks only what is there already, and changes nothing. The form
 * of its lines stands in tools/show/report.h.
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portpool.h"

/* The most that the registry allows, with an end. */
#define NAME_SIZE 16384

/* Of the data of each value that is a range. */
#define DATA_SIZE 4

#define PATH_SIZE 32768

/* Of an owner, as dlls/portpool/unix/process.h has it: the host's number of the process. */
#define OWNER_HOST ((1 << 22) - 1)

#define CONTROL_SET L"SYSTEM\\CurrentControlSet\\"

static const struct
{
    enum portpool_protocol number;
    const char *name;
    const WCHAR *key;
} protocols[] = {
    {PORTPOOL_TCP, "tcp", CONTROL_SET L"Control\\Nsi\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\29"},
    {PORTPOOL_UDP, "udp", CONTROL_SET L"Control\\Nsi\\{eb004a02-9b1a-11d4-9123-0050047759bc}\\5"},
};

static const struct portpool *pool;

/* NULL if Tawny is not in the prefix, or another version of it. */
static const struct portpool *load_pool(void)
{
    HMODULE module = LoadLibraryExW(L"portpool.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    const struct portpool *(WINAPI * get)(void);
    const struct portpool *loaded;

    if (!module) return NULL;
    get = (const struct portpool *(WINAPI *)(void))(void *)GetProcAddress(module, "portpool_get");
    loaded = get ? get() : NULL;
    return loaded && loaded->version == PORTPOOL_VERSION ? loaded : NULL;
}

static void print_generation(void)
{
    DWORD type, size = sizeof(ULONG64);
    ULONG64 generation = 0;
    LSTATUS error;
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, CONTROL_SET L"Services\\PortPool\\Parameters", 0,
                      KEY_QUERY_VALUE, &key))
        return;
    error = RegQueryValueExW(key, L"Generation", NULL, &type, (BYTE *)&generation, &size);
    RegCloseKey(key);
    if (!error && type == REG_QWORD && size == sizeof(generation))
        printf("generation\t%llu\n", generation);
}

static void print_value(const char *protocol, const WCHAR *name, DWORD length, BOOL good)
{
    printf("value\t%s\t%s\t", protocol, good ? "good" : "bad");
    for (DWORD i = 0; i < length; i++) printf("%04x", name[i]);
    putchar('\n');
}

/* Prints the stored ranges, and all that stands among them. FALSE if they cannot be listed. */
static BOOL print_values(const char *protocol, const WCHAR *path)
{
    static WCHAR name[NAME_SIZE];
    DWORD length, type, size;
    LSTATUS error;
    HKEY key;

    error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_QUERY_VALUE, &key);
    if (error) return error == ERROR_FILE_NOT_FOUND;
    for (DWORD i = 0; !error || error == ERROR_MORE_DATA; i++)
    {
        length = NAME_SIZE;
        size = 0;
        error = RegEnumValueW(key, i, name, &length, NULL, &type, NULL, &size);
        if (!error) print_value(protocol, name, length, type == REG_BINARY && size == DATA_SIZE);
    }
    RegCloseKey(key);
    return error == ERROR_NO_MORE_ITEMS || error == ERROR_KEY_DELETED;
}

/* Prints a path in UTF-8. Tabs and the like cannot be in it on Windows, but here. */
static void print_path(const WCHAR *path)
{
    static char text[3 * PATH_SIZE];
    int length = WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof(text), NULL, NULL);

    for (int i = 0; i < length - 1; i++) putchar((unsigned char)text[i] < ' ' ? '?' : text[i]);
    putchar('\n');
}

/* Prints a process before it is named for the first time. */
static void print_process(DWORD process, UINT64 owner)
{
    static WCHAR path[PATH_SIZE];
    static DWORD *printed;
    static size_t count;
    DWORD length = PATH_SIZE, *more;
    HANDLE handle;

    for (size_t i = 0; i < count; i++)
        if (printed[i] == process) return;
    if ((more = realloc(printed, (count + 1) * sizeof(*printed))))
    {
        printed = more;
        printed[count++] = process;
    }
    handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process);
    if (!handle || !QueryFullProcessImageNameW(handle, 0, path, &length)) *path = 0;
    if (handle) CloseHandle(handle);
    printf("process\t%lu\t%lu\t", process, (DWORD)(owner & OWNER_HOST));
    print_path(path);
}

static void print_holder(void)
{
    DWORD process;
    UINT64 owner;

    if (!pool->find_holder(&process, &owner)) return;
    print_process(process, owner);
    printf("holder\t%lu\n", process);
}

static void print_range(const char *protocol, const struct portpool_listed *range)
{
    static const char *const kinds[] = {
        [PORTPOOL_KIND_BLOCK] = "block",
        [PORTPOOL_KIND_PERSISTENT] = "persistent",
        [PORTPOOL_KIND_ACTIVE] = "active",
        [PORTPOOL_KIND_SUSPENDED] = "suspended",
    };

    if (range->process) print_process(range->process, range->owner);
    printf("range\t%s\t%u\t%u\t%s\t%d\t%lu\n", protocol, range->start, range->count,
           kinds[range->kind], !!range->held, range->process);
}

/* Prints who uses wanted ports. */
static BOOL print_uses(enum portpool_protocol number, const char *protocol,
                       BYTE wanted[PORTPOOL_PORTS])
{
    struct portpool_use *uses;
    UINT count;

    if (pool->list_uses(number, wanted, &uses, &count)) return FALSE;
    for (UINT i = 0; i < count; i++)
    {
        print_process(uses[i].process, uses[i].owner);
        printf("use\t%s\t%u\t%lu\n", protocol, uses[i].port, uses[i].process);
    }
    HeapFree(GetProcessHeap(), 0, uses);
    return TRUE;
}

static BOOL print_ranges(enum portpool_protocol number, const char *protocol)
{
    static BYTE wanted[PORTPOOL_PORTS];
    struct portpool_listed *listed;
    UINT count;

    memset(wanted, 0, sizeof(wanted));
    if (pool->list(number, &listed, &count)) return FALSE;
    for (UINT i = 0; i < count; i++)
    {
        print_range(protocol, &listed[i]);
        memset(wanted + listed[i].start, TRUE, listed[i].count);
    }
    HeapFree(GetProcessHeap(), 0, listed);
    return print_uses(number, protocol, wanted);
}

static BOOL print_all(void)
{
    size_t i;

    puts("ports\t1");
    print_generation();
    for (i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
        if (!print_values(protocols[i].name, protocols[i].key)) return FALSE;
    if ((pool = load_pool()))
    {
        puts("pool");
        print_holder();
        for (i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
            if (!print_ranges(protocols[i].number, protocols[i].name)) return FALSE;
    }
    puts("end");
    return TRUE;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
    {
        puts(
            "Usage: ports\nPrints, for tawny show to read, the reserved ports of the Wine prefix.");
        return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
    }
    if (print_all() && !fflush(stdout)) return 0;
    fputs("ports: the reserved ports cannot be listed.\n", stderr);
    return 1;
}
