/*
 * Tests of the store: a registry key that others write to as well
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "util.h"

static const BYTE right_data[] = {0x12, 0x00, 0xff, 0xff};

/* A range that somebody writes and erases. */
static void test_written(const struct kind *kind, USHORT count)
{
    USHORT start = find_ports(count);
    char name[STORE_NAME_SIZE];
    struct block block;
    SOCKET s;

    store_name(start, count, name);
    store_write(kind, start, count);
    if (await_range(kind, start, count, &block))
    {
        ok(published_token(kind, start, count) == block.token, "another token is published\n");
        check_held(kind, start, count);
        check_acquire_meets(kind, start, 1);
        check_create(kind, start, count, ERROR_SHARING_VIOLATION, NULL);
        s = draw(kind, &block, NULL);
        check_close(s);
    }
    store_erase(kind, name);
    await_no_range(kind, start, count);
    await_held(kind, start, FALSE);
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_close(s);

    /* Written by hand, deleted by function. */
    store_write(kind, start, count);
    if (await_range(kind, start, count, &block)) end_range(kind, &block);
    /* Created by function, erased by hand. */
    check_create(kind, start, count, 0, &block);
    store_erase(kind, name);
    await_no_range(kind, start, count);
    await_held(kind, start, FALSE);
    check_delete(kind, start, count, ERROR_NOT_FOUND);
    check_create(kind, start, count, 0, &block);
    end_range(kind, &block);
}

/* A value written by hand, and deleted so soon that perhaps nobody has seen it. */
static void test_deleted_at_once(const struct kind *kind)
{
    USHORT start = find_ports(2);
    unsigned int i;

    for (i = 0; i < 20; i++)
    {
        store_write(kind, start, 2);
        check_delete(kind, start, 2, 0);
        check_stored(kind, start, 2, FALSE);
    }
    await_no_range(kind, start, 2);
    await_held(kind, start, FALSE);
}

/* Names with letters of either case mean the same; nothing rewrites them. */
static void test_upper_case(const struct kind *kind)
{
    static const char name[] = "ABCD0200"; /* 43981 */
    struct block block;

    store_write_value(kind, name, REG_BINARY, right_data, sizeof(right_data));
    if (await_range(kind, 0xabcd, 2, &block))
    {
        check_held(kind, 0xabcd, 2);
        check_close(draw(kind, &block, NULL));
        end_range(kind, &block);
    }
    ok(!store_read(kind, name, NULL, NULL, 0), "the value is left\n");
    await_held(kind, 0xabcd, FALSE);
}

/* What makes no sense. */
static const struct
{
    const char *name;
    DWORD type;
    BYTE data[6];
    DWORD size;
} oddities[] = {
    {"", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"1", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"1388140", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"138814000", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"1388140000000000", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"1388140g", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"0x138814", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {" 1388140", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"-1388140", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"+1388140", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"13880000", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4}, /* no ports */
    {"00000100", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4}, /* from port 0 */
    {"00000000", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"ffff0200", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4}, /* past the last port */
    {"ff00ffff", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"0002ffff", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"ffffffff", REG_BINARY, {0x12, 0x00, 0xff, 0xff}, 4},
    {"tawny is here", REG_SZ, "hello", 6},
};

static BOOL oddity_is_there(const struct kind *kind, unsigned int i)
{
    BYTE data[16] = {0};
    DWORD type = REG_NONE, size;

    size = store_read(kind, oddities[i].name, &type, data, sizeof(data));
    return size == oddities[i].size && type == oddities[i].type &&
           !memcmp(data, oddities[i].data, size);
}

static void test_oddities(const struct kind *kind)
{
    USHORT start = find_ports(12);
    struct block before, after;
    unsigned int i;

    check_create(kind, start, 4, 0, &before);
    for (i = 0; i < ARRAYSIZE(oddities); i++)
        store_write_value(kind, oddities[i].name, oddities[i].type, oddities[i].data,
                          oddities[i].size);
    store_write(kind, start + 4, 4);
    if (await_range(kind, start + 4, 4, &after)) check_held(kind, start + 4, 4);
    check_lookup(kind, start, 4, 0, before.token);
    check_held(kind, start, 4);
    check_close(draw(kind, &before, NULL));
    end_range(kind, &after);
    check_create(kind, start + 8, 4, 0, &after);
    end_range(kind, &after);
    end_range(kind, &before);
    check_not_held(kind, 5000);
    for (i = 0; i < ARRAYSIZE(oddities); i++)
    {
        ok(oddity_is_there(kind, i), "\"%s\" is not as it was\n", oddities[i].name);
        store_erase(kind, oddities[i].name);
    }
}

/* Subkeys are nobody's business, whatever they are named. */
static void test_subkeys(const struct kind *kind)
{
    USHORT start = find_ports(2);
    char name[STORE_NAME_SIZE];
    HKEY key = store_open(kind), subkey;
    struct block block;
    LSTATUS error;

    store_name(start, 2, name);
    error = RegCreateKeyExA(key, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &subkey, NULL);
    ok(!error, "error %ld\n", error);
    error = RegSetValueExA(subkey, name, 0, REG_BINARY, right_data, sizeof(right_data));
    ok(!error, "error %ld\n", error);
    check_create(kind, start + 1, 1, 0, &block);
    check_lookup(kind, start, 2, ERROR_NOT_FOUND, 0);
    check_lookup(kind, start + 1, 1, 0, block.token);
    end_range(kind, &block);
    error = RegQueryValueExA(subkey, name, NULL, NULL, NULL, NULL);
    ok(!error, "the subkey was touched, error %ld\n", error);
    RegCloseKey(subkey);
    error = RegDeleteKeyA(key, name);
    ok(!error, "error %ld\n", error);
    RegCloseKey(key);
}

/* Of two ranges that overlap, the one that is there is held. The other comes when it may. */
static void test_overlap(const struct kind *kind)
{
    USHORT start = find_ports(10);
    char name[STORE_NAME_SIZE];
    struct block first, second, beside;

    check_create(kind, start, 5, 0, &first);
    store_write(kind, start + 3, 5);
    check_create(kind, start + 9, 1, 0, &beside);
    check_lookup(kind, start + 3, 5, ERROR_NOT_FOUND, 0);
    check_lookup(kind, start, 5, 0, first.token);
    check_held(kind, start, 5);
    check_stored(kind, start + 3, 5, TRUE);
    /* What the store says counts for those to come. */
    check_create(kind, start + 7, 1, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start + 3, 5, ERROR_SHARING_VIOLATION, NULL);
    end_range(kind, &first);
    if (await_range(kind, start + 3, 5, &second)) check_held(kind, start + 3, 5);
    await_held(kind, start, FALSE);
    check_lookup(kind, start + 9, 1, 0, beside.token);

    /* The other may be deleted before it has ever been held. */
    store_write(kind, start, 5);
    check_create(kind, start + 8, 1, 0, &first);
    check_delete(kind, start, 5, 0);
    check_stored(kind, start, 5, FALSE);
    check_lookup(kind, start + 3, 5, 0, second.token);
    end_range(kind, &first);
    end_range(kind, &beside);
    store_name(start + 3, 5, name);
    store_erase(kind, name);
    await_no_range(kind, start + 3, 5);
}

/* A range where somebody's runtime block is. */
static void test_runtime(const struct kind *kind)
{
    USHORT start = find_ports(6);
    SOCKET owner = open_socket(kind);
    struct block runtime, block, other;

    check_acquire(owner, start + 2, 2, 0, &runtime);
    store_write(kind, start, 4);
    check_create(kind, start + 5, 1, 0, &other);
    check_close(draw(kind, &runtime, NULL));
    check_reserved(kind, start + 2);
    check_close(owner);
    /* Something has changed. */
    end_range(kind, &other);
    if (await_range(kind, start, 4, &block))
    {
        check_held(kind, start, 4);
        end_range(kind, &block);
    }
}

/* A range where sockets of the prefix are: these keep their ports, and the rest is held. */
static void test_in_use(const struct kind *kind)
{
    USHORT start = find_ports(4), port;
    SOCKET s = open_socket(kind), drawn[3];
    struct block block;
    unsigned int i;

    check_bind(s, start + 1, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    store_write(kind, start, 4);
    if (await_range(kind, start, 4, &block))
    {
        check_held(kind, start, 4);
        check_held(kind, start + 1, 1);
        check_conversation(kind, s);
        for (i = 0; i < 3; i++)
        {
            drawn[i] = draw(kind, &block, &port);
            ok(port != start + 1, "the port was drawn that a socket has\n");
        }
        check_close(s);
        check_held(kind, start + 1, 1);
        s = draw(kind, &block, &port);
        ok(port == start + 1, "got port %u, expected %u\n", port, start + 1);
        check_held(kind, start + 1, 1);
        for (i = 0; i < 3; i++) check_close(drawn[i]);
    }
    check_close(s);
    check_held(kind, start, 4);
    check_delete(kind, start, 4, 0);
}

/* The keys themselves may go, and come again. */
static void test_keys(const struct kind *kind)
{
    char path[MAX_PATH], name[STORE_NAME_SIZE], *end;
    USHORT start = find_ports(4);
    struct block block;
    unsigned int i;
    LSTATUS error;

    strcpy(path, store_path(kind));
    store_name(start, 4, name);
    /* The key, its parent, and the parent's parent. */
    for (i = 0; i < 3; i++)
    {
        winetest_push_context("%s", path);
        check_create(kind, start, 4, 0, &block);
        error = RegDeleteTreeA(HKEY_LOCAL_MACHINE, path);
        ok(!error, "error %ld\n", error);
        await_no_range(kind, start, 4);
        await_held(kind, start, FALSE);
        check_lookup(kind, start, 4, ERROR_NOT_FOUND, 0);
        check_delete(kind, start, 4, ERROR_NOT_FOUND);
        store_write(kind, start, 4);
        if (await_range(kind, start, 4, &block)) check_held(kind, start, 4);
        error = RegDeleteTreeA(HKEY_LOCAL_MACHINE, path);
        ok(!error, "error %ld\n", error);
        await_no_range(kind, start, 4);
        check_create(kind, start, 4, 0, &block);
        check_stored(kind, start, 4, TRUE);
        store_erase(kind, name);
        await_no_range(kind, start, 4);
        store_write(kind, start, 4);
        if (await_range(kind, start, 4, &block)) end_range(kind, &block);
        winetest_pop_context();
        if ((end = strrchr(path, '\\'))) *end = 0;
    }
}

/* Runs reg.exe. */
static void run_reg(const char *format, ...) WINETEST_PRINTF(1, 2);
static void run_reg(const char *format, ...)
{
    STARTUPINFOA startup = {sizeof(startup)};
    PROCESS_INFORMATION info;
    DWORD code = ~0u;
    char command[1024];
    va_list args;
    BOOL ret;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    ret = CreateProcessA(NULL, command, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &startup,
                         &info);
    ok(ret, "cannot start %s, error %lu\n", command, GetLastError());
    if (!ret) return;
    ok(!WaitForSingleObject(info.hProcess, 60000), "%s takes too long\n", command);
    GetExitCodeProcess(info.hProcess, &code);
    ok(!code, "%s: exit code %lu\n", command, code);
    CloseHandle(info.hProcess);
    CloseHandle(info.hThread);
}

static void temporary_file(char path[MAX_PATH])
{
    char directory[MAX_PATH];

    GetTempPathA(sizeof(directory), directory);
    ok(!!GetTempFileNameA(directory, "twn", 0, path), "error %lu\n", GetLastError());
}

/* Two ranges of each protocol, as somebody may have written them down. */
static const char registry_file[] = "Windows Registry Editor Version 5.00\r\n\r\n"
                                    "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Nsi\\"
                                    "{eb004a03-9b1a-11d4-9123-0050047759bc}\\29]\r\n"
                                    "\"13881400\"=hex:12,00,ff,ff\r\n"
                                    "\"cc570100\"=hex:12,00,ff,ff\r\n\r\n"
                                    "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Nsi\\"
                                    "{eb004a02-9b1a-11d4-9123-0050047759bc}\\5]\r\n"
                                    "\"13881400\"=hex:12,00,ff,ff\r\n"
                                    "\"cc570100\"=hex:12,00,ff,ff\r\n\r\n";

/* As regedit writes files: in UTF-16. Or as one writes them by hand. */
static void write_registry_file(const char *path, BOOL wide)
{
    HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    WCHAR text[ARRAYSIZE(registry_file)] = {0xfeff};
    DWORD written, i;
    BOOL ret;

    for (i = 1; i < ARRAYSIZE(text); i++) text[i] = (unsigned char)registry_file[i - 1];
    if (wide)
        ret = WriteFile(file, text, sizeof(text), &written, NULL);
    else
        ret = WriteFile(file, registry_file, sizeof(registry_file) - 1, &written, NULL);
    ok(ret, "error %lu\n", GetLastError());
    CloseHandle(file);
}

static void test_import(BOOL wide)
{
    static const unsigned int protocols[] = {TCP4, UDP4};
    char path[MAX_PATH];
    DWORD begin;
    unsigned int i;

    winetest_push_context("%s", wide ? "UTF-16" : "ASCII");
    temporary_file(path);
    write_registry_file(path, wide);
    run_reg("reg.exe import \"%s\"", path);
    begin = GetTickCount();
    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        await_range(&kinds[protocols[i]], 5000, 20, NULL);
        await_range(&kinds[protocols[i]], 52311, 1, NULL);
    }
    trace("held after %lu ms\n", GetTickCount() - begin);
    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        const struct kind *kind = &kinds[protocols[i]];
        struct block block;

        check_held(kind, 5000, 20);
        check_held(kind, 52311, 1);
        check_not_held(kind, 5020);
        check_acquire_meets(kind, 5000, 20);
        if (await_range(kind, 5000, 20, &block)) end_range(kind, &block);
        if (await_range(kind, 52311, 1, &block)) end_range(kind, &block);
    }
    DeleteFileA(path);
    winetest_pop_context();
}

/* What is created here, Windows would understand. */
static void test_export(const struct kind *kind)
{
    struct block first, second;
    char path[MAX_PATH], narrow[16384];
    WCHAR text[16384] = {0};
    DWORD size = 0, i;
    HANDLE file;

    check_create(kind, 5000, 20, 0, &first);
    check_create(kind, 52311, 1, 0, &second);
    temporary_file(path);
    run_reg("reg.exe export \"HKLM\\%s\" \"%s\" /y", store_path(kind), path);
    file = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    ok(ReadFile(file, text, sizeof(text) - sizeof(*text), &size, NULL), "error %lu\n",
       GetLastError());
    CloseHandle(file);
    for (i = 0; i < ARRAYSIZE(narrow); i++) narrow[i] = text[i] < 0x80 ? text[i] : '?';
    ok(!!strstr(narrow, "\"13881400\"=hex:12,00,ff,ff\r\n"), "no 13881400 in %s\n", narrow);
    ok(!!strstr(narrow, "\"cc570100\"=hex:12,00,ff,ff\r\n"), "no cc570100 in %s\n", narrow);
    DeleteFileA(path);
    end_range(kind, &first);
    end_range(kind, &second);
}

/* Many at once. */
static void test_many(const struct kind *kind)
{
    enum
    {
        RANGES = 100
    };
    USHORT start = find_ports(2 * RANGES);
    char name[STORE_NAME_SIZE];
    HKEY key = store_open(kind);
    struct block block;
    unsigned int i;

    for (i = 0; i < RANGES; i++) store_write(kind, start + 2 * i, 2);
    for (i = 0; i < RANGES; i++) await_range(kind, start + 2 * i, 2, &block);
    check_held(kind, start, 2 * RANGES);
    check_acquire_meets(kind, start + RANGES, 2);
    for (i = 0; i < RANGES; i++)
    {
        store_name(start + 2 * i, 2, name);
        RegDeleteValueA(key, name);
    }
    for (i = 0; i < RANGES; i++) await_no_range(kind, start + 2 * i, 2);
    RegCloseKey(key);
    await_held(kind, start, FALSE);
    check_create(kind, start, 2 * RANGES, 0, &block);
    end_range(kind, &block);
}

START_TEST(store)
{
    static const unsigned int protocols[] = {TCP4, UDP4};
    unsigned int i;
    WSADATA data;

    if (!target_is_tawny())
    {
        skip("odd values are not to be written to the registry of Windows\n");
        return;
    }
    WSAStartup(MAKEWORD(2, 2), &data);
    ranges_begin();
    if (!outsider_available()) skip("no outsider: the host is not asked\n");
    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        const struct kind *kind = &kinds[protocols[i]];

        winetest_push_context("%s", kind->name);
        test_written(kind, 1);
        test_written(kind, 50);
        test_deleted_at_once(kind);
        test_upper_case(kind);
        test_oddities(kind);
        test_subkeys(kind);
        test_overlap(kind);
        test_runtime(kind);
        test_in_use(kind);
        /* On Windows other things are there, too. */
        if (!strcmp(winetest_platform, "wine"))
            test_keys(kind);
        else
            skip("the keys are not to be deleted\n");
        test_many(kind);
        test_export(kind);
        winetest_pop_context();
    }
    test_import(FALSE);
    test_import(TRUE);
    ranges_end();
    outsider_disconnect();
    WSACleanup();
}
