/*
 * What the tests of netsh have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

#define LINE_SIZE 2048

/* No command takes as long, and a test that waits for ever says nothing. Milliseconds. */
#define PATIENCE 60000

static char *read_all(HANDLE input)
{
    DWORD size = 0, room = 4096, got;
    char *text = malloc(room);

    while (text && ReadFile(input, text + size, room - size - 1, &got, NULL) && got)
    {
        size += got;
        if (room - size < 1024) text = realloc(text, room *= 2);
    }
    if (text) text[size] = 0;
    return text;
}

static BOOL start(char *command_line, const char *directory, HANDLE token, STARTUPINFOA *info,
                  PROCESS_INFORMATION *process)
{
    if (token)
        return CreateProcessAsUserA(token, NULL, command_line, NULL, NULL, TRUE, 0, NULL, directory,
                                    info, process);
    return CreateProcessA(NULL, command_line, NULL, NULL, TRUE, 0, NULL, directory, info, process);
}

struct said run_program(const char *command_line, const char *directory, HANDLE token)
{
    SECURITY_ATTRIBUTES inherited = {sizeof(inherited), NULL, TRUE};
    STARTUPINFOA info = {.cb = sizeof(info), .dwFlags = STARTF_USESTDHANDLES};
    struct said said = {.code = ~0u};
    PROCESS_INFORMATION process;
    char words[LINE_SIZE];
    HANDLE output;

    ok(CreatePipe(&output, &info.hStdOutput, &inherited, 0), "error %lu\n", GetLastError());
    SetHandleInformation(output, HANDLE_FLAG_INHERIT, 0);
    info.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    snprintf(words, sizeof(words), "%s", command_line);
    if (!start(words, directory, token, &info, &process))
    {
        ok(0, "%s does not start, error %lu\n", command_line, GetLastError());
        CloseHandle(info.hStdOutput);
        CloseHandle(output);
        said.text = calloc(1, 1);
        return said;
    }
    CloseHandle(info.hStdOutput);
    said.text = read_all(output);
    ok(WaitForSingleObject(process.hProcess, PATIENCE) == WAIT_OBJECT_0, "%s does not end\n",
       command_line);
    GetExitCodeProcess(process.hProcess, &said.code);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    CloseHandle(output);
    return said;
}

static struct said run_netsh_with(const char *arguments)
{
    char command_line[LINE_SIZE], directory[MAX_PATH];

    GetSystemDirectoryA(directory, sizeof(directory));
    snprintf(command_line, sizeof(command_line), "%s\\netsh.exe %s", directory, arguments);
    return run_program(command_line, NULL, NULL);
}

struct said run_netsh(const char *format, ...)
{
    char arguments[LINE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    return run_netsh_with(arguments);
}

/* Text on one line, with its line ends to be seen; until the fourth next call. */
static const char *visible(const char *text)
{
    static char results[4][8192];
    static unsigned int which;
    char *result = results[which++ % ARRAYSIZE(results)], *end = result + 8192 - 3, *at = result;

    for (; *text && at < end; text++)
    {
        if (*text == '\r' || *text == '\n')
        {
            *at++ = '\\';
            *at++ = *text == '\r' ? 'r' : 'n';
        }
        else
            *at++ = *text;
    }
    *at = 0;
    return result;
}

void check_said_(const char *file, int line, const char *what, struct said said, DWORD code,
                 const char *text)
{
    ok_(file, line)(said.code == code, "%s: exit code %lu, expected %lu: %s\n", what, said.code,
                    code, visible(said.text));
    ok_(file, line)(!strcmp(said.text, text), "%s: said    %s\n", what, visible(said.text));
    if (strcmp(said.text, text)) trace("%s: expected %s\n", what, visible(text));
    free(said.text);
}

void check_netsh_(const char *file, int line, DWORD code, const char *text, const char *format, ...)
{
    char arguments[LINE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    check_said_(file, line, arguments, run_netsh_with(arguments), code, text);
}

void check_netsh_says_(const char *file, int line, DWORD code, const char *text, const char *format,
                       ...)
{
    char arguments[LINE_SIZE];
    struct said said;
    va_list args;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    said = run_netsh_with(arguments);
    ok_(file, line)(said.code == code, "%s: exit code %lu, expected %lu\n", arguments, said.code,
                    code);
    ok_(file, line)(strstr(said.text, text) != NULL, "%s: said %s\n", arguments,
                    visible(said.text));
    free(said.text);
}

const char *protocol_word(const struct kind *kind)
{
    return kind->type == SOCK_STREAM ? "tcp" : "udp";
}

void check_shown_(const char *file, int line, const struct kind *kind, const char *store,
                  const struct row *rows, unsigned int count)
{
    static const char *const families[] = {"ipv4", "ipv6"};
    char expected[8192], arguments[LINE_SIZE];
    int length;

    length = snprintf(expected, sizeof(expected),
                      "\r\nProtocol %s Port Exclusion Ranges\r\n\r\n"
                      "Start Port    End Port      \r\n"
                      "----------    --------      \r\n",
                      protocol_word(kind));
    for (unsigned int i = 0; i < count; i++)
        length +=
            snprintf(expected + length, sizeof(expected) - length, "%10u  %10u     %s\r\n",
                     rows[i].start, rows[i].start + rows[i].count - 1, rows[i].star ? "*" : " ");
    snprintf(expected + length, sizeof(expected) - length,
             "\r\n* - Administered port exclusions.\r\n\r\n");
    for (unsigned int i = 0; i < ARRAYSIZE(families); i++)
    {
        snprintf(arguments, sizeof(arguments),
                 "interface %s show excludedportrange protocol=%s%s%s", families[i],
                 protocol_word(kind), store ? " store=" : "", store ? store : "");
        check_said_(file, line, arguments, run_netsh_with(arguments), 0, expected);
    }
}

const struct portpool *load_portpool(void)
{
    static const struct portpool *pool;
    const struct portpool *(WINAPI * get)(void);
    HMODULE module;

    if (pool) return pool;
    module = LoadLibraryExA("portpool.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    get = (void *)GetProcAddress(module, "portpool_get");
    pool = get ? get() : NULL;
    ok(pool && pool->version == PORTPOOL_VERSION, "no port pool of version %u\n", PORTPOOL_VERSION);
    return pool;
}

BOOL find_listed(const struct kind *kind, USHORT start, USHORT count, struct portpool_listed *item)
{
    enum portpool_protocol protocol = kind->type == SOCK_STREAM ? PORTPOOL_TCP : PORTPOOL_UDP;
    struct portpool_listed *listed;
    enum portpool_status status;
    BOOL found = FALSE;
    UINT total;

    memset(item, 0, sizeof(*item));
    status = load_portpool()->list(protocol, &listed, &total);
    ok(!status, "nothing is listed, status %u\n", status);
    if (status) return FALSE;
    for (UINT i = 0; i < total; i++)
    {
        if (i)
            ok(listed[i - 1].start < listed[i].start || (listed[i - 1].start == listed[i].start &&
                                                         listed[i - 1].count <= listed[i].count),
               "%u, %u is listed before %u, %u\n", listed[i - 1].start, listed[i - 1].count,
               listed[i].start, listed[i].count);
        if (listed[i].start != start || listed[i].count != count) continue;
        ok(!found, "%u ports from %u are listed twice\n", count, start);
        *item = listed[i];
        found = TRUE;
    }
    HeapFree(GetProcessHeap(), 0, listed);
    return found;
}

void check_listed_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   enum portpool_kind expected, BOOL held)
{
    struct portpool_listed item;

    if (!find_listed(kind, start, count, &item))
    {
        ok_(file, line)(0, "%u ports from %u are not listed\n", count, start);
        return;
    }
    ok_(file, line)(item.kind == expected, "%u ports from %u are of kind %u, expected %u\n", count,
                    start, item.kind, expected);
    ok_(file, line)(item.held == held, "%u ports from %u are %s\n", count, start,
                    item.held ? "held" : "not held");
    if (item.kind != PORTPOOL_KIND_BLOCK)
        ok_(file, line)(!item.process && !item.owner, "a range has process %lu, owner %s\n",
                        item.process, wine_dbgstr_longlong(item.owner));
}

void check_not_listed_(const char *file, int line, const struct kind *kind, USHORT start,
                       USHORT count)
{
    struct portpool_listed item;

    ok_(file, line)(!find_listed(kind, start, count, &item), "%u ports from %u are listed\n", count,
                    start);
}

BOOL is_in_volatile(const struct kind *kind, const char *list, USHORT start, USHORT count)
{
    char path[128], name[STORE_NAME_SIZE];
    BYTE data[16];
    DWORD size = sizeof(data);

    snprintf(path, sizeof(path), "SYSTEM\\CurrentControlSet\\Control\\PortPool\\%s\\%s", list,
             protocol_word(kind));
    store_name(start, count, name);
    return !RegGetValueA(HKEY_LOCAL_MACHINE, path, name, RRF_RT_REG_BINARY, NULL, data, &size) &&
           size == 4 && !memcmp(data, "\x12\x00\xff\xff", 4);
}

void command_acquire(char **words, struct peer_answer *answer)
{
    SOCKET s = open_socket(&kinds[atoi(words[1])]);

    check_acquire(s, atoi(words[2]), atoi(words[3]), 0, NULL);
    answer->value = s;
}

const char *test_directory(void)
{
    static char directory[MAX_PATH];

    if (!*directory) GetTempPathA(sizeof(directory), directory);
    return directory;
}

const char *write_test_file(const char *name, const void *bytes, DWORD size)
{
    static char path[MAX_PATH];
    DWORD written;
    HANDLE file;

    snprintf(path, sizeof(path), "%s%s", test_directory(), name);
    file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    ok(file != INVALID_HANDLE_VALUE, "%s cannot be made, error %lu\n", path, GetLastError());
    ok(WriteFile(file, bytes, size, &written, NULL) && written == size, "error %lu\n",
       GetLastError());
    CloseHandle(file);
    return path;
}
