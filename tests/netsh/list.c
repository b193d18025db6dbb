/*
 * Tests of the list of what is reserved
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

static const struct peer_command commands[] = {{"acquire", command_acquire}, {NULL, NULL}};

static void check_own_block_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    struct portpool_listed item;

    check_listed_(__FILE__, line, kind, start, count, PORTPOOL_KIND_BLOCK, TRUE);
    find_listed(kind, start, count, &item);
    ok_(__FILE__, line)(item.process == GetCurrentProcessId() && item.owner,
                        "%u ports from %u are of process %lu, owner %s\n", count, start,
                        item.process, wine_dbgstr_longlong(item.owner));
}
#define check_own_block(...) check_own_block_(__LINE__, __VA_ARGS__)

/* Blocks side by side, of one socket and of several, stay apart. */
static void test_blocks(const struct kind *kind, const struct kind *other)
{
    USHORT start = find_ports(10);
    SOCKET s = open_socket(kind), t = open_socket(kind);
    struct portpool_listed one, two;
    struct block block, middle;

    check_not_listed(kind, start, 4);
    check_acquire(s, start, 4, 0, &block);
    check_acquire(s, start + 4, 1, 0, &middle);
    check_acquire(t, start + 5, 5, 0, NULL);
    check_own_block(kind, start, 4);
    check_own_block(kind, start + 4, 1);
    check_own_block(kind, start + 5, 5);
    check_not_listed(other, start, 4);
    find_listed(kind, start, 4, &one);
    find_listed(kind, start + 5, 5, &two);
    ok(one.owner == two.owner, "one process is two owners\n");

    /* Whether their ports are drawn does not matter. */
    while (TRUE)
    {
        SOCKET drawn = associated(kind, &block);
        SOCKADDR_STORAGE address;
        int length = make_address(kind->wildcard, 0, &address);

        if (bind(drawn, (struct sockaddr *)&address, length)) break;
        check_own_block(kind, start, 4);
    }
    ok(WSAGetLastError() == WSAENOBUFS, "error %d\n", WSAGetLastError());

    check_release(s, middle.token, 0);
    check_not_listed(kind, start + 4, 1);
    check_own_block(kind, start, 4);
    check_own_block(kind, start + 5, 5);

    /* What did not come off is not there. */
    check_acquire(t, start + 3, 2, WSAEADDRINUSE, NULL);
    check_not_listed(kind, start + 3, 2);
    check_own_block(kind, start, 4);
    check_close(s);
    check_not_listed(kind, start, 4);
    check_own_block(kind, start + 5, 5);
    check_close(t);
    check_not_listed(kind, start + 5, 5);
}

/* Another process's, which goes with it in whichever way that ends. */
static void test_processes(const struct kind *kind)
{
    static const enum peer_end ends[] = {PEER_EXIT, PEER_TERMINATE, PEER_KILL};
    struct portpool_listed item, own;
    USHORT start = find_ports(6);
    SOCKET s = open_socket(kind);
    struct peer peer;

    check_acquire(s, start + 3, 3, 0, NULL);
    for (unsigned int i = 0; i < ARRAYSIZE(ends); i++)
    {
        if (ends[i] == PEER_KILL && !outsider_available()) continue;
        peer_start(&peer);
        peer_ask(&peer, 0, "acquire %u %u 3", (unsigned int)(kind - kinds), start);
        check_listed(kind, start, 3, PORTPOOL_KIND_BLOCK, TRUE);
        check_own_block(kind, start + 3, 3);
        find_listed(kind, start, 3, &item);
        find_listed(kind, start + 3, 3, &own);
        ok(item.process == GetProcessId(peer.process), "process %lu, expected %lu\n", item.process,
           GetProcessId(peer.process));
        ok(item.owner != own.owner, "two processes are one owner\n");
        peer_end(&peer, ends[i]);
        check_not_listed(kind, start, 3);
    }
    check_own_block(kind, start + 3, 3);
    check_close(s);
}

static void test_ranges(const struct kind *kind, const struct kind *other)
{
    USHORT start = find_ports(9);
    SOCKET s = open_socket(kind);

    check_create(kind, start, 3, 0, NULL);
    check_acquire(s, start + 3, 3, 0, NULL);
    check_create(kind, start + 6, 3, 0, NULL);
    check_listed(kind, start, 3, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_own_block(kind, start + 3, 3);
    check_listed(kind, start + 6, 3, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_not_listed(other, start, 3);
    check_delete(kind, start, 3, 0);
    check_not_listed(kind, start, 3);
    check_listed(kind, start + 6, 3, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_delete(kind, start + 6, 3, 0);
    check_close(s);
}

/* What the store names and cannot be held is there, and not held; nonsense is nowhere. */
static void test_store(const struct kind *kind)
{
    static const BYTE data[] = {0x12, 0x00, 0xff, 0xff};
    USHORT start = find_ports(6);
    char name[STORE_NAME_SIZE];

    check_create(kind, start, 4, 0, NULL);
    store_write(kind, start + 2, 4);
    store_name(start, 5, name);
    store_write_value(kind, name, REG_SZ, data, sizeof(data));
    /* The holder has seen them once it has answered this. */
    check_create(kind, start + 3, 1, ERROR_SHARING_VIOLATION, NULL);
    check_listed(kind, start, 4, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_listed(kind, start + 2, 4, PORTPOOL_KIND_PERSISTENT, FALSE);
    check_not_listed(kind, start, 5);
    store_erase(kind, name);
    store_name(start + 2, 4, name);
    store_erase(kind, name);
    check_not_listed(kind, start + 2, 4);
    check_delete(kind, start, 4, 0);
}

static DWORD WINAPI list_as_anybody(void *argument)
{
    const struct block *block = argument;

    check_own_block(&kinds[TCP4], block->start, block->count);
    check_listed(&kinds[TCP4], block->start + block->count, 2, PORTPOOL_KIND_PERSISTENT, TRUE);
    return 0;
}

/* Nobody has to be an administrator, nor to have used a range before. */
static void test_privilege(void)
{
    HANDLE token = restricted_token(TokenImpersonation);
    struct block block = {find_ports(5), 3, 0};
    SOCKET s = open_socket(&kinds[TCP4]);

    check_acquire(s, block.start, block.count, 0, NULL);
    check_create(&kinds[TCP4], block.start + block.count, 2, 0, NULL);
    ok(ImpersonateLoggedOnUser(token), "error %lu\n", GetLastError());
    list_as_anybody(&block);
    RevertToSelf();
    check_delete(&kinds[TCP4], block.start + block.count, 2, 0);
    check_close(s);
    CloseHandle(token);
}

/* Without a holder, and before anybody has the port table, there is what the store says. */
static void test_without_table(const struct kind *kind)
{
    USHORT start = find_ports(3);

    service_stop();
    store_write(kind, start, 3);
    check_listed(kind, start, 3, PORTPOOL_KIND_PERSISTENT, FALSE);
    service_start();
    await_range(kind, start, 3, NULL);
    check_listed(kind, start, 3, PORTPOOL_KIND_PERSISTENT, TRUE);
    service_stop();
    check_listed(kind, start, 3, PORTPOOL_KIND_PERSISTENT, FALSE);
    service_start();
    await_range(kind, start, 3, NULL);
    check_delete(kind, start, 3, 0);
    check_not_listed(kind, start, 3);
}

static void test_list(void)
{
    /* First, as this process has not needed the table yet. */
    test_without_table(&kinds[UDP4]);
    test_blocks(&kinds[TCP4], &kinds[UDP4]);
    test_blocks(&kinds[UDP_DUAL], &kinds[TCP_DUAL]);
    test_processes(&kinds[TCP_DUAL]);
    test_processes(&kinds[UDP4]);
    test_ranges(&kinds[TCP4], &kinds[UDP4]);
    test_ranges(&kinds[UDP6], &kinds[TCP6]);
    test_store(&kinds[TCP4]);
    test_privilege();
}

START_TEST(list)
{
    ranges_test(commands, test_list);
}
