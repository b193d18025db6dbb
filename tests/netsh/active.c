/*
 * Tests of ranges that last until the prefix ends, and of ranges that are deleted until then
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What becomes of them at the next start, tests/persistent/active tests.
 */
#include "util.h"

#define ADD_ACTIVE    "int ipv4 add excludedportrange %s %u %u active"
#define DELETE_ACTIVE "int ipv4 delete excludedportrange %s %u %u active"

static void check_added_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    check_netsh_(__FILE__, line, 0, OK, ADD_ACTIVE, protocol_word(kind), start, count);
    check_listed_(__FILE__, line, kind, start, count, PORTPOOL_KIND_ACTIVE, TRUE);
    check_stored_(__FILE__, line, kind, start, count, FALSE);
    ok_(__FILE__, line)(is_in_volatile(kind, "Active", start, count), "it is not in the list\n");
    check_held_(__FILE__, line, kind, start, count);
}
#define check_added(...) check_added_(__LINE__, __VA_ARGS__)

static void check_gone_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    check_not_listed_(__FILE__, line, kind, start, count);
    check_lookup_(__FILE__, line, kind, start, count, ERROR_NOT_FOUND, 0);
    check_stored_(__FILE__, line, kind, start, count, FALSE);
    ok_(__FILE__, line)(!is_in_volatile(kind, "Active", start, count), "it is in the list\n");
    ok_(__FILE__, line)(!is_in_volatile(kind, "Suspended", start, count), "it is suspended\n");
    check_not_held_(__FILE__, line, kind, start);
}
#define check_gone(...) check_gone_(__LINE__, __VA_ARGS__)

/* To programs it is a range like any other. */
static void test_use(const struct kind *kind)
{
    USHORT start = find_ports(4);
    struct block block = {start, 4, 0};
    SOCKET s, t;

    check_added(kind, start, 4);
    ok(!lookup_range(kind, start, 4, &block.token) && block.token, "there is no token\n");
    ok(published_token(kind, start, 4) == block.token, "it is not the published one\n");
    check_acquire_meets(kind, start, 4);
    check_create(kind, start, 4, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start + 3, 2, ERROR_SHARING_VIOLATION, NULL);
    s = draw(kind, &block, NULL);
    t = open_socket(kind);
    check_bind(t, port_of(s) == start + 2 ? start + 1 : start + 2, 0);
    check_close(s);
    check_close(t);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start, 4);
    check_gone(kind, start, 4);
    s = open_socket(kind);
    check_associate(s, block.token, WSAEINVAL);
    check_close(s);
}

/* Whoever deletes a range for good deletes this one, too. */
static void test_deletion(const struct kind *kind)
{
    USHORT start = find_ports(4);

    check_added(kind, start, 2);
    check_netsh(1, NOT_THERE, DELETE_ACTIVE, protocol_word(kind), start, 1);
    check_netsh(1, NOT_THERE, DELETE_ACTIVE, protocol_word(kind), start, 3);
    check_netsh(0, OK, "int ipv4 delete excludedportrange %s %u 2", protocol_word(kind), start);
    check_gone(kind, start, 2);
    check_added(kind, start, 2);
    check_delete(kind, start, 2, 0);
    check_gone(kind, start, 2);
    check_netsh(1, NOT_THERE, DELETE_ACTIVE, protocol_word(kind), start, 2);
    check_delete(kind, start, 2, ERROR_NOT_FOUND);
}

static void check_suspended_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    check_listed_(__FILE__, line, kind, start, count, PORTPOOL_KIND_SUSPENDED, FALSE);
    check_lookup_(__FILE__, line, kind, start, count, ERROR_NOT_FOUND, 0);
    check_stored_(__FILE__, line, kind, start, count, TRUE);
    ok_(__FILE__, line)(!published_token(kind, start, count), "the token is left\n");
    check_not_held_(__FILE__, line, kind, start);
}
#define check_suspended(...) check_suspended_(__LINE__, __VA_ARGS__)

static void check_back_(int line, const struct kind *kind, USHORT start, USHORT count)
{
    check_listed_(__FILE__, line, kind, start, count, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_stored_(__FILE__, line, kind, start, count, TRUE);
    ok_(__FILE__, line)(!is_in_volatile(kind, "Suspended", start, count), "it is suspended\n");
    ok_(__FILE__, line)(!is_in_volatile(kind, "Active", start, count), "it is in two lists\n");
    check_held_(__FILE__, line, kind, start, count);
}
#define check_back(...) check_back_(__LINE__, __VA_ARGS__)

/* A stored range that is deleted until the prefix ends. */
static void test_suspension(const struct kind *kind)
{
    USHORT start = find_ports(4);
    const struct row row = {start, 4, TRUE};
    SOCKET s = open_socket(kind);
    struct block block;

    check_create(kind, start, 4, 0, &block);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start, 4);
    check_suspended(kind, start, 4);
    check_shown(kind, NULL, NULL, 0);
    check_shown(kind, "persistent", &row, 1);
    check_associate(s, block.token, WSAEINVAL);
    check_netsh(1, NOT_THERE, DELETE_ACTIVE, protocol_word(kind), start, 4);

    /* Its ports are free, but not to be stored twice. */
    check_acquire(s, start + 1, 1, 0, NULL);
    check_close(s);
    check_create(kind, start + 1, 1, ERROR_SHARING_VIOLATION, NULL);
    check_create(kind, start + 3, 2, ERROR_SHARING_VIOLATION, NULL);
    check_netsh(0, OK, ADD_ACTIVE, protocol_word(kind), start + 1, 1);
    check_netsh(1, IN_USE, ADD_ACTIVE, protocol_word(kind), start, 4);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start + 1, 1);

    /* Added again, in whichever way, it is there again. */
    check_netsh(0, OK, ADD_ACTIVE, protocol_word(kind), start, 4);
    check_back(kind, start, 4);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start, 4);
    check_create(kind, start, 4, 0, NULL);
    check_back(kind, start, 4);

    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start, 4);
    check_suspended(kind, start, 4);
    check_delete(kind, start, 4, 0);
    check_gone(kind, start, 4);
    check_create(kind, start, 4, 0, NULL);
    check_back(kind, start, 4);
    check_delete(kind, start, 4, 0);
    check_gone(kind, start, 4);
}

/* Who writes into the registry by hand. */
static void test_by_hand(const struct kind *kind)
{
    static const BYTE data[] = {0x12, 0x00, 0xff, 0xff};
    USHORT start = find_ports(2);
    char path[128], name[STORE_NAME_SIZE];

    store_name(start, 2, name);
    /* A suspension does not outlast what it is of. */
    check_create(kind, start, 2, 0, NULL);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), start, 2);
    store_erase(kind, name);
    check_create(kind, start + 1, 1, 0, NULL);
    check_delete(kind, start + 1, 1, 0);
    check_gone(kind, start, 2);
    store_write(kind, start, 2);
    await_range(kind, start, 2, NULL);
    check_back(kind, start, 2);
    store_erase(kind, name);
    await_no_range(kind, start, 2);
    check_gone(kind, start, 2);

    /* The list of active ranges takes effect like the store. */
    check_added(kind, start, 2);
    snprintf(path, sizeof(path), "SYSTEM\\CurrentControlSet\\Control\\PortPool\\Active\\%s",
             protocol_word(kind));
    ok(!RegDeleteKeyValueA(HKEY_LOCAL_MACHINE, path, name), "the list has no %s\n", name);
    await_no_range(kind, start, 2);
    check_gone(kind, start, 2);
    ok(!RegSetKeyValueA(HKEY_LOCAL_MACHINE, path, name, REG_BINARY, data, sizeof(data)),
       "the list cannot be written\n");
    await_range(kind, start, 2, NULL);
    check_listed(kind, start, 2, PORTPOOL_KIND_ACTIVE, TRUE);

    /* In both lists, it is there until it is in neither. */
    store_write(kind, start, 2);
    check_listed(kind, start, 2, PORTPOOL_KIND_PERSISTENT, TRUE);
    store_erase(kind, name);
    check_listed(kind, start, 2, PORTPOOL_KIND_ACTIVE, TRUE);
    check_delete(kind, start, 2, 0);
    check_gone(kind, start, 2);
}

/* Waits until the range is not held any more. A process that was killed may take its time to let go
 * of its ports. */
static void await_not_held(const struct kind *kind, USHORT start, USHORT count)
{
    DWORD begin = GetTickCount();
    struct portpool_listed item;

    while (find_listed(kind, start, count, &item) && item.held && GetTickCount() - begin < SOON)
        Sleep(10);
    check_listed(kind, start, count, PORTPOOL_KIND_ACTIVE, FALSE);
}

/* The holder's end is not the prefix's. */
static void test_holder(const struct kind *kind, BOOL killed)
{
    USHORT active = find_ports(3), suspended = find_ports(3);
    ULONG64 token = 0;

    check_added(kind, active, 3);
    lookup_range(kind, active, 3, &token);
    check_create(kind, suspended, 3, 0, NULL);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), suspended, 3);
    if (killed)
        service_kill();
    else
        service_stop();
    await_not_held(kind, active, 3);
    check_suspended(kind, suspended, 3);
    service_start();
    await_range(kind, active, 3, NULL);
    check_lookup(kind, active, 3, 0, token);
    check_listed(kind, active, 3, PORTPOOL_KIND_ACTIVE, TRUE);
    check_held(kind, active, 3);
    check_suspended(kind, suspended, 3);
    check_netsh(0, OK, DELETE_ACTIVE, protocol_word(kind), active, 3);
    check_gone(kind, active, 3);
    check_delete(kind, suspended, 3, 0);
    check_gone(kind, suspended, 3);
}

static void test_active(void)
{
    test_use(&kinds[TCP4]);
    test_use(&kinds[UDP_DUAL]);
    test_deletion(&kinds[TCP6]);
    test_deletion(&kinds[UDP4]);
    test_suspension(&kinds[TCP_DUAL]);
    test_suspension(&kinds[UDP4]);
    test_by_hand(&kinds[TCP4]);
    test_by_hand(&kinds[UDP6]);
    test_holder(&kinds[TCP4], FALSE);
    test_holder(&kinds[UDP4], FALSE);
    if (outsider_available())
    {
        test_holder(&kinds[TCP_DUAL], TRUE);
        test_holder(&kinds[UDP4], TRUE);
    }
}

START_TEST(active)
{
    ranges_test(NULL, test_active);
}
