/*
 * What the tests of persistent reservations have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

#include "../conformance/target.h"

#define TOKENS_PATH "SYSTEM\\CurrentControlSet\\Control\\PortPool\\Tokens\\"

static const BYTE store_data[] = {0x12, 0x00, 0xff, 0xff};

static BOOL is_tcp(const struct kind *kind)
{
    return kind->type == SOCK_STREAM;
}

ULONG create_range(const struct kind *kind, USHORT start, USHORT count, ULONG64 *token)
{
    if (is_tcp(kind)) return CreatePersistentTcpPortReservation(htons(start), count, token);
    return CreatePersistentUdpPortReservation(htons(start), count, token);
}

ULONG delete_range(const struct kind *kind, USHORT start, USHORT count)
{
    if (is_tcp(kind)) return DeletePersistentTcpPortReservation(htons(start), count);
    return DeletePersistentUdpPortReservation(htons(start), count);
}

ULONG lookup_range(const struct kind *kind, USHORT start, USHORT count, ULONG64 *token)
{
    if (is_tcp(kind)) return LookupPersistentTcpPortReservation(htons(start), count, token);
    return LookupPersistentUdpPortReservation(htons(start), count, token);
}

#define UNTOUCHED 0xdeadbeefdeadbeef

void check_create_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error, struct block *block)
{
    ULONG64 token = UNTOUCHED;
    ULONG got = create_range(kind, start, count, &token);

    ok_(file, line)(got == error, "creating %u ports from %u: error %lu, expected %lu\n", count,
                    start, got, error);
    if (got)
        ok_(file, line)(token == UNTOUCHED, "a failing call gave token %s\n",
                        wine_dbgstr_longlong(token));
    else
        ok_(file, line)(token && token != UNTOUCHED, "got token %s\n", wine_dbgstr_longlong(token));
    if (block) *block = (struct block){start, count, got ? 0 : token};
}

void check_delete_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error)
{
    ULONG got = delete_range(kind, start, count);

    ok_(file, line)(got == error, "deleting %u ports from %u: error %lu, expected %lu\n", count,
                    start, got, error);
}

void check_lookup_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error, ULONG64 token)
{
    ULONG64 found = UNTOUCHED, expected = error ? UNTOUCHED : token;
    ULONG got = lookup_range(kind, start, count, &found);

    ok_(file, line)(got == error, "looking up %u ports from %u: error %lu, expected %lu\n", count,
                    start, got, error);
    ok_(file, line)(found == expected, "found token %s, expected %s\n", wine_dbgstr_longlong(found),
                    wine_dbgstr_longlong(expected));
}

void make_range_(const char *file, int line, const struct kind *kind, USHORT count,
                 struct block *block)
{
    check_create_(file, line, kind, find_ports_(file, line, count), count, 0, block);
}

void end_range_(const char *file, int line, const struct kind *kind, const struct block *block)
{
    check_delete_(file, line, kind, block->start, block->count, 0);
    check_lookup_(file, line, kind, block->start, block->count, ERROR_NOT_FOUND, 0);
    check_stored_(file, line, kind, block->start, block->count, FALSE);
    ok_(file, line)(!published_token(kind, block->start, block->count), "the token is left\n");
}

BOOL await_range_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                  struct block *block)
{
    DWORD begin = GetTickCount();
    ULONG64 token = 0;
    ULONG error;

    while ((error = lookup_range(kind, start, count, &token)) && GetTickCount() - begin < SOON)
        Sleep(10);
    ok_(file, line)(!error, "%u ports from %u are not held, error %lu\n", count, start, error);
    if (block) *block = (struct block){start, count, token};
    return !error;
}

void await_no_range_(const char *file, int line, const struct kind *kind, USHORT start,
                     USHORT count)
{
    DWORD begin = GetTickCount();
    ULONG64 token;
    ULONG error;

    while (!(error = lookup_range(kind, start, count, &token)) && GetTickCount() - begin < SOON)
        Sleep(10);
    ok_(file, line)(error == ERROR_NOT_FOUND, "%u ports from %u are there still, error %lu\n",
                    count, start, error);
}

void check_held_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count)
{
    if (!outsider_available()) return;
    check_kept_out_plainly_(file, line, kind, start);
    if (count > 1) check_kept_out_plainly_(file, line, kind, start + count - 1);
    if (count > 2) check_kept_out_plainly_(file, line, kind, start + count / 2);
}

void check_not_held_(const char *file, int line, const struct kind *kind, USHORT port)
{
    const char *which;
    unsigned int count;

    if (!outsider_available()) return;
    count = outsider_gets(kind, port, "", &which);
    ok_(file, line)(count == OUTSIDER_SHAPES, "%u of %u shapes get port %u\n", count,
                    OUTSIDER_SHAPES, port);
}

void await_held_(const char *file, int line, const struct kind *kind, USHORT port, BOOL held)
{
    DWORD begin = GetTickCount();
    const char *which;
    BOOL now;

    if (!outsider_available()) return;
    while ((now = !outsider_gets(kind, port, "", &which)) != held && GetTickCount() - begin < SOON)
        Sleep(10);
    ok_(file, line)(now == held, "port %u is %s\n", port, now ? "still held" : "not held");
}

void check_acquire_meets_(const char *file, int line, const struct kind *kind, USHORT start,
                          USHORT count)
{
    SOCKET s = open_socket_(file, line, kind);
    USHORT i;

    check_acquire_(file, line, s, start, count, WSAEADDRINUSE, NULL);
    for (i = 0; i < count; i++) check_acquire_(file, line, s, start + i, 1, WSAEADDRINUSE, NULL);
    closesocket(s);
}

HANDLE restricted_token(DWORD type)
{
    SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
    HANDLE process_token, restricted = NULL, token = NULL;
    SID_AND_ATTRIBUTES disabled = {0};

    ok(OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &process_token), "error %lu\n",
       GetLastError());
    ok(AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS,
                                0, 0, 0, 0, 0, 0, &disabled.Sid),
       "error %lu\n", GetLastError());
    ok(CreateRestrictedToken(process_token, 0, 1, &disabled, 0, NULL, 0, NULL, &restricted),
       "error %lu\n", GetLastError());
    ok(DuplicateTokenEx(restricted, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, type, &token),
       "error %lu\n", GetLastError());
    FreeSid(disabled.Sid);
    CloseHandle(restricted);
    CloseHandle(process_token);
    return token;
}

void store_name(USHORT start, USHORT count, char name[STORE_NAME_SIZE])
{
    snprintf(name, STORE_NAME_SIZE, "%04x%02x%02x", start, count & 0xff, count >> 8);
}

const char *store_path(const struct kind *kind)
{
    return is_tcp(kind) ? "SYSTEM\\CurrentControlSet\\Control\\Nsi\\"
                          "{eb004a03-9b1a-11d4-9123-0050047759bc}\\29"
                        : "SYSTEM\\CurrentControlSet\\Control\\Nsi\\"
                          "{eb004a02-9b1a-11d4-9123-0050047759bc}\\5";
}

HKEY store_open(const struct kind *kind)
{
    LSTATUS error;
    HKEY key;

    error = RegCreateKeyExA(HKEY_LOCAL_MACHINE, store_path(kind), 0, NULL, 0, KEY_ALL_ACCESS, NULL,
                            &key, NULL);
    ok(!error, "no key %s, error %ld\n", store_path(kind), error);
    return error ? NULL : key;
}

void store_write_value(const struct kind *kind, const char *name, DWORD type, const void *data,
                       DWORD size)
{
    HKEY key = store_open(kind);
    LSTATUS error = RegSetValueExA(key, name, 0, type, data, size);

    ok(!error, "cannot write %s, error %ld\n", name, error);
    RegCloseKey(key);
}

void store_write(const struct kind *kind, USHORT start, USHORT count)
{
    char name[STORE_NAME_SIZE];

    store_name(start, count, name);
    store_write_value(kind, name, REG_BINARY, store_data, sizeof(store_data));
}

void store_erase(const struct kind *kind, const char *name)
{
    HKEY key = store_open(kind);
    LSTATUS error = RegDeleteValueA(key, name);

    ok(!error, "cannot delete %s, error %ld\n", name, error);
    RegCloseKey(key);
}

DWORD store_read(const struct kind *kind, const char *name, DWORD *type, void *data, DWORD size)
{
    HKEY key;

    if (RegOpenKeyExA(HKEY_LOCAL_MACHINE, store_path(kind), 0, KEY_READ, &key)) return 0;
    if (RegQueryValueExA(key, name, NULL, type, data, &size)) size = 0;
    RegCloseKey(key);
    return size;
}

void check_stored_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   BOOL stored)
{
    DWORD size, type = REG_NONE;
    char name[STORE_NAME_SIZE];
    BYTE data[16];

    store_name(start, count, name);
    size = store_read(kind, name, &type, data, sizeof(data));
    if (!stored)
    {
        ok_(file, line)(!size, "%s is in the store\n", name);
        return;
    }
    ok_(file, line)(type == REG_BINARY, "%s has type %lu\n", name, type);
    ok_(file, line)(size == sizeof(store_data) && !memcmp(data, store_data, size),
                    "%s has %lu bytes, %02x %02x %02x %02x\n", name, size, data[0], data[1],
                    data[2], data[3]);
}

ULONG64 published_token(const struct kind *kind, USHORT start, USHORT count)
{
    const char *path = is_tcp(kind) ? TOKENS_PATH "Tcp" : TOKENS_PATH "Udp";
    char name[STORE_NAME_SIZE];
    ULONG64 token = 0;
    DWORD size = sizeof(token);

    store_name(start, count, name);
    RegGetValueA(HKEY_LOCAL_MACHINE, path, name, RRF_RT_REG_QWORD, NULL, &token, &size);
    return token;
}

/* What is in the store that is not the test's. */
#define KEPT_LIMIT 64
static char kept[2][KEPT_LIMIT][64];

/* Names the store's values from the given one on that are not kept; FALSE if there is none. */
static BOOL find_new(unsigned int which, HKEY key, DWORD *index, char name[64])
{
    for (;; (*index)++)
    {
        DWORD size = 64;
        unsigned int i;

        if (RegEnumValueA(key, *index, name, &size, NULL, NULL, NULL, NULL)) return FALSE;
        for (i = 0; i < KEPT_LIMIT && strcmp(kept[which][i], name); i++)
            ;
        if (i == KEPT_LIMIT) return TRUE;
    }
}

void ranges_begin(void)
{
    unsigned int which, count;

    for (which = 0; which < 2; which++)
    {
        HKEY key = store_open(&kinds[which ? UDP4 : TCP4]);
        DWORD index = 0;
        char name[64];

        for (count = 0; count < KEPT_LIMIT && find_new(which, key, &index, name); count++)
        {
            trace("%s is in the store\n", name);
            strcpy(kept[which][count], name);
        }
        ok(count < KEPT_LIMIT, "the store is too full for this test\n");
        RegCloseKey(key);
    }
}

void ranges_end(void)
{
    unsigned int which;

    for (which = 0; which < 2; which++)
    {
        HKEY key = store_open(&kinds[which ? UDP4 : TCP4]);
        DWORD index = 0;
        char name[64];

        while (find_new(which, key, &index, name))
        {
            ok(0, "%s was left in the store\n", name);
            if (RegDeleteValueA(key, name)) break;
        }
        RegCloseKey(key);
    }
}

void ranges_test(const struct peer_command *commands, void (*test)(void))
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!(commands && peer_serve(commands)) && target_persists())
    {
        ranges_begin();
        test();
        ranges_end();
    }
    outsider_disconnect();
    WSACleanup();
}

/* A peer's part. */

#define SOCKETS_LIMIT 4096
static SOCKET sockets[SOCKETS_LIMIT]; /* 0: none has the ID */

static const struct kind *word_kind(const char *word)
{
    return &kinds[atoi(word)];
}

void command_create(char **words, struct peer_answer *answer)
{
    answer->error =
        create_range(word_kind(words[1]), atoi(words[2]), atoi(words[3]), &answer->value);
}

void command_lookup(char **words, struct peer_answer *answer)
{
    answer->error =
        lookup_range(word_kind(words[1]), atoi(words[2]), atoi(words[3]), &answer->value);
}

void command_delete(char **words, struct peer_answer *answer)
{
    answer->error = delete_range(word_kind(words[1]), atoi(words[2]), atoi(words[3]));
}

static void bind_and_keep(SOCKET s, const char *text, USHORT port, struct peer_answer *answer)
{
    SOCKADDR_STORAGE address;
    int length = make_address(text, port, &address);
    unsigned int id;

    for (id = 1; id < SOCKETS_LIMIT && sockets[id]; id++)
        ;
    ok(id < SOCKETS_LIMIT, "too many sockets\n");
    if (id == SOCKETS_LIMIT || bind(s, (struct sockaddr *)&address, length))
    {
        answer->error = WSAGetLastError();
        closesocket(s);
        return;
    }
    sockets[id] = s;
    answer->value = id << 16 | port_of(s);
}

void command_draw(char **words, struct peer_answer *answer)
{
    SOCKET s = open_socket(word_kind(words[1]));
    INET_PORT_RESERVATION_TOKEN token = {strtoull(words[2], NULL, 16)};

    answer->error =
        reservation_ioctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0);
    if (answer->error)
        closesocket(s);
    else
        bind_and_keep(s, words[3], atoi(words[4]), answer);
}

void command_bind(char **words, struct peer_answer *answer)
{
    bind_and_keep(open_socket(word_kind(words[1])), words[2], atoi(words[3]), answer);
}

void command_listen(char **words, struct peer_answer *answer)
{
    if (listen(sockets[atoi(words[1])], SOMAXCONN)) answer->error = WSAGetLastError();
}

void command_close(char **words, struct peer_answer *answer)
{
    if (closesocket(sockets[atoi(words[1])])) answer->error = WSAGetLastError();
    sockets[atoi(words[1])] = 0;
}

void command_closeall(char **words, struct peer_answer *answer)
{
    unsigned int id;

    (void)words;
    (void)answer;
    for (id = 1; id < SOCKETS_LIMIT; id++)
    {
        if (sockets[id]) closesocket(sockets[id]);
        sockets[id] = 0;
    }
}
