/*
 * Tests of bad pointers: the documented error, no crash, and nothing created
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "util.h"

#define LAST_ERROR 0xdeadbeef

static void check_last_error_(int line)
{
    DWORD error = GetLastError();

    ok_(__FILE__, line)(error == LAST_ERROR, "the last error is now %lu\n", error);
}
#define check_last_error() check_last_error_(__LINE__)

/* Create and Lookup must refuse the pointer, before they do anything. */
static void check_pointer(const struct kind *kind, USHORT start, const struct block *there,
                          ULONG64 *token)
{
    ULONG error;

    SetLastError(LAST_ERROR);
    error = create_range(kind, start, 3, token);
    check_last_error();
    ok(error == ERROR_INVALID_PARAMETER, "Create: error %lu\n", error);
    check_lookup(kind, start, 3, ERROR_NOT_FOUND, 0);
    check_stored(kind, start, 3, FALSE);
    check_not_held(kind, start);

    SetLastError(LAST_ERROR);
    error = lookup_range(kind, there->start, there->count, token);
    check_last_error();
    ok(error == ERROR_INVALID_PARAMETER, "Lookup: error %lu\n", error);

    /* Not even for a range that cannot be had, or is not there. */
    error = create_range(kind, there->start, there->count, token);
    ok(error == ERROR_INVALID_PARAMETER, "Create of what is there: error %lu\n", error);
    error = lookup_range(kind, start, 3, token);
    ok(error == ERROR_INVALID_PARAMETER, "Lookup of what is not there: error %lu\n", error);
}

static void test_pointers(const struct kind *kind)
{
    static const ULONG64 constant = 0;
    USHORT start = find_ports(3);
    struct block there;
    char *memory;
    DWORD old;

    make_range(kind, 2, &there);

    winetest_push_context("NULL");
    check_pointer(kind, start, &there, NULL);
    winetest_pop_context();
    winetest_push_context("nearly NULL");
    check_pointer(kind, start, &there, (ULONG64 *)8);
    winetest_pop_context();
    winetest_push_context("past the end");
    check_pointer(kind, start, &there, (ULONG64 *)~(ULONG_PTR)7);
    winetest_pop_context();
    winetest_push_context("wraps around");
    check_pointer(kind, start, &there, (ULONG64 *)~(ULONG_PTR)3);
    winetest_pop_context();
    winetest_push_context("constant");
    check_pointer(kind, start, &there, (ULONG64 *)&constant);
    winetest_pop_context();
    winetest_push_context("code");
    check_pointer(kind, start, &there, (ULONG64 *)(ULONG_PTR)test_pointers);
    winetest_pop_context();

    winetest_push_context("straddling");
    memory = alloc_before_hole(8);
    check_pointer(kind, start, &there, (ULONG64 *)(memory + 1));
    check_pointer(kind, start, &there, (ULONG64 *)(memory + 4));
    check_pointer(kind, start, &there, (ULONG64 *)(memory + 7));
    check_pointer(kind, start, &there, (ULONG64 *)(memory + 8));
    winetest_pop_context();
    winetest_push_context("read-only");
    VirtualProtect(memory, 8, PAGE_READONLY, &old);
    check_pointer(kind, start, &there, (ULONG64 *)memory);
    winetest_pop_context();
    winetest_push_context("no access");
    VirtualProtect(memory, 8, PAGE_NOACCESS, &old);
    check_pointer(kind, start, &there, (ULONG64 *)memory);
    winetest_pop_context();
    winetest_push_context("freed");
    free_before_hole(memory);
    check_pointer(kind, start, &there, (ULONG64 *)memory);
    winetest_pop_context();

    end_range(kind, &there);
}

/* Where a token can be written it is, and not a byte beside. */
static void test_places(const struct kind *kind)
{
    USHORT start = find_ports(1);
    ULONG64 token, found;
    char buffer[32], *memory;
    unsigned int offset, i;
    ULONG error;

    for (offset = 8; offset < 16; offset++)
    {
        memset(buffer, 0x55, sizeof(buffer));
        SetLastError(LAST_ERROR);
        error = create_range(kind, start, 1, (ULONG64 *)(buffer + offset));
        check_last_error();
        ok(!error, "offset %u: error %lu\n", offset, error);
        memcpy(&token, buffer + offset, sizeof(token));
        check_lookup(kind, start, 1, 0, token);
        SetLastError(LAST_ERROR);
        error = lookup_range(kind, start, 1, (ULONG64 *)(buffer + offset));
        check_last_error();
        memcpy(&found, buffer + offset, sizeof(found));
        ok(!error && found == token, "offset %u: error %lu, token %s\n", offset, error,
           wine_dbgstr_longlong(found));
        for (i = 0; i < sizeof(buffer); i++)
            if (i < offset || i >= offset + 8)
                ok(buffer[i] == 0x55, "offset %u: byte %u was overwritten\n", offset, i);
        check_delete(kind, start, 1, 0);
    }

    memory = alloc_before_hole(8);
    error = create_range(kind, start, 1, (ULONG64 *)memory);
    ok(!error, "at the end of memory: error %lu\n", error);
    memcpy(&token, memory, sizeof(token));
    check_lookup(kind, start, 1, 0, token);
    free_before_hole(memory);
    check_delete(kind, start, 1, 0);
}

/* Success and failure leave the last error alone. */
static void test_last_error(const struct kind *kind)
{
    USHORT start = find_ports(2);
    ULONG64 token;
    ULONG error;

    SetLastError(LAST_ERROR);
    error = create_range(kind, 0, 1, &token);
    check_last_error();
    ok(error == ERROR_INVALID_PARAMETER, "error %lu\n", error);
    error = lookup_range(kind, start, 2, &token);
    check_last_error();
    ok(error == ERROR_NOT_FOUND, "error %lu\n", error);
    error = delete_range(kind, start, 2);
    check_last_error();
    ok(error == ERROR_NOT_FOUND, "error %lu\n", error);
    error = create_range(kind, start, 2, &token);
    check_last_error();
    ok(!error, "error %lu\n", error);
    error = create_range(kind, start, 1, &token);
    check_last_error();
    ok(error == ERROR_SHARING_VIOLATION, "error %lu\n", error);
    error = delete_range(kind, start, 2);
    check_last_error();
    ok(!error, "error %lu\n", error);
}

static void test_all(void)
{
    static const unsigned int protocols[] = {TCP4, UDP4};
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(protocols); i++)
    {
        winetest_push_context("%s", kinds[protocols[i]].name);
        test_pointers(&kinds[protocols[i]]);
        test_places(&kinds[protocols[i]]);
        test_last_error(&kinds[protocols[i]]);
        winetest_pop_context();
    }
}

START_TEST(input)
{
    ranges_test(NULL, test_all);
}
