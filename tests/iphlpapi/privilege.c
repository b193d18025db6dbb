/*
 * Tests of what only Administrators may do
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The effective token decides: a thread that impersonates somebody else is that one.
 */
#include "../conformance/target.h"
#include "util.h"

/* Going past the functions is not to help either. Wine does not protect keys that nobody has given
 * a security descriptor, and saves none. */
static void check_store_closed(const struct kind *kind)
{
    static const char tokens[] = "SYSTEM\\CurrentControlSet\\Control\\PortPool\\Tokens";
    const char *paths[] = {store_path(kind), tokens};
    HKEY key;

    for (unsigned int i = 0; i < ARRAYSIZE(paths); i++)
    {
        LSTATUS error = RegOpenKeyExA(HKEY_LOCAL_MACHINE, paths[i], 0, KEY_SET_VALUE, &key);

        todo_wine ok(error == ERROR_ACCESS_DENIED || error == ERROR_FILE_NOT_FOUND,
                     "%s can be written to, error %ld\n", paths[i], error);
        if (!error) RegCloseKey(key);
    }
}

/* By a thread that is no administrator. there is a range, start ports where none is. */
static void check_restricted(const struct kind *kind, const struct block *there, USHORT start)
{
    SOCKET s = open_socket(kind), owner;
    struct block runtime;

    check_create(kind, start, 2, ERROR_ACCESS_DENIED, NULL);
    check_stored(kind, start, 2, FALSE);
    check_not_held(kind, start);
    check_delete(kind, there->start, there->count, ERROR_ACCESS_DENIED);
    check_stored(kind, there->start, there->count, TRUE);
    check_lookup(kind, there->start, there->count, 0, there->token);
    check_lookup(kind, start, 2, ERROR_NOT_FOUND, 0);
    /* Who may not delete is not told that there is nothing to delete. */
    check_delete(kind, start, 2, ERROR_ACCESS_DENIED);
    check_store_closed(kind);

    check_associate(s, there->token, WSAEACCES);
    check_bind(s, 0, 0);
    ok(!block_contains(there, port_of(s)), "got port %u of the range\n", port_of(s));
    check_close(s);

    /* What is wrong anyway is said first. */
    check_create(kind, 0, 2, ERROR_INVALID_PARAMETER, NULL);
    check_create(kind, 65535, 2, ERROR_INVALID_PARAMETER, NULL);
    check_delete(kind, start, 0, ERROR_INVALID_PARAMETER);
    ok(create_range(kind, start, 2, NULL) == ERROR_INVALID_PARAMETER, "a NULL pointer is taken\n");
    s = open_socket(kind);
    check_associate(s, there->token ^ (ULONG64)1 << 63, WSAEINVAL);

    /* Binding by number is for everybody, and so are reservations of one's own. */
    check_bind(s, there->start, 0);
    check_close(s);
    owner = acquire_any(kind, 2, &runtime);
    check_close(draw(kind, &runtime, NULL));
    check_close(owner);
}

static DWORD WINAPI administrator_thread(void *argument)
{
    const struct kind *kind = argument;
    struct block block;

    make_range(kind, 1, &block);
    check_close(draw(kind, &block, NULL));
    end_range(kind, &block);
    return 0;
}

static void test_impersonation(const struct kind *kind)
{
    HANDLE token = restricted_token(TokenImpersonation), thread;
    USHORT start = find_ports(2);
    struct block block;
    SOCKET before, s;

    make_range(kind, 2, &block);
    before = associated(kind, &block);
    ok(ImpersonateLoggedOnUser(token), "error %lu\n", GetLastError());
    check_restricted(kind, &block, start);
    /* The right was asked for when the socket was associated. */
    check_bind(before, 0, 0);
    check_port_in(before, &block);
    /* Other threads are who they were. */
    thread = CreateThread(NULL, 0, administrator_thread, (void *)kind, 0, NULL);
    ok(!WaitForSingleObject(thread, 60000), "the thread takes too long\n");
    CloseHandle(thread);
    check_create(kind, start, 2, ERROR_ACCESS_DENIED, NULL);

    ok(RevertToSelf(), "error %lu\n", GetLastError());
    s = draw(kind, &block, NULL);
    check_close(s);
    check_close(before);
    end_range(kind, &block);
    check_create(kind, start, 2, 0, &block);
    end_range(kind, &block);
    CloseHandle(token);
}

static void test_all(void)
{
    const struct kind *kind;

    for_each_kind(kind)
    {
        winetest_push_context("%s", kind->name);
        test_impersonation(kind);
        winetest_pop_context();
    }
}

START_TEST(privilege)
{
    ranges_test(NULL, test_all);
}
