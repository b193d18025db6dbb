/*
 * Tests of tokens: nobody can guess one
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether numbers are random cannot be seen from them, but whether they count up, are made of a few
 * bits, or repeat, can.
 */
#include "util.h"

#define TOKENS 256

/* Of as many fair bits, fewer or more are set once in 10^15 times. */
#define LEAST_SET (TOKENS / 2 - 8 * 8)
#define MOST_SET  (TOKENS / 2 + 8 * 8)

static int compare_tokens(const void *one, const void *other)
{
    const ULONG64 *a = one, *b = other;

    return (*a > *b) - (*a < *b);
}

static unsigned int count_set(const ULONG64 *values, unsigned int count, unsigned int bit)
{
    unsigned int set = 0;

    for (unsigned int i = 0; i < count; i++) set += values[i] >> bit & 1;
    return set;
}

/* Each bit from the first on is set in about half of the tokens, and differs between about half of
 * the neighbours. */
static void check_random(const char *what, const ULONG64 tokens[TOKENS], unsigned int first_bit)
{
    ULONG64 changes[TOKENS - 1], sorted[TOKENS];

    for (unsigned int i = 0; i + 1 < TOKENS; i++) changes[i] = tokens[i] ^ tokens[i + 1];
    for (unsigned int bit = first_bit; bit < 64; bit++)
    {
        unsigned int set = count_set(tokens, TOKENS, bit);
        unsigned int changed = count_set(changes, TOKENS - 1, bit);

        ok(set > LEAST_SET && set < MOST_SET, "%s: bit %u is set in %u of %u\n", what, bit, set,
           TOKENS);
        ok(changed > LEAST_SET && changed < MOST_SET, "%s: bit %u changes %u times of %u\n", what,
           bit, changed, TOKENS);
    }
    memcpy(sorted, tokens, sizeof(sorted));
    qsort(sorted, TOKENS, sizeof(*sorted), compare_tokens);
    for (unsigned int i = 0; i + 1 < TOKENS; i++)
        ok(sorted[i] != sorted[i + 1], "%s: %s twice\n", what, wine_dbgstr_longlong(sorted[i]));
    ok(sorted[0] != INVALID_PORT_RESERVATION_TOKEN, "%s: 0 is no token\n", what);
}

/* Who knows a token knows no other: none that differs in one bit is any. */
static void check_neighbours(const struct kind *kind, const struct block *block)
{
    SOCKET s = open_socket(kind);

    for (unsigned int bit = 0; bit < 64; bit++)
        check_associate(s, block->token ^ (ULONG64)1 << bit, WSAEINVAL);
    check_associate(s, block->token + 1, WSAEINVAL);
    check_associate(s, block->token - 1, WSAEINVAL);
    check_associate(s, ~block->token, WSAEINVAL);
    check_close(s);
}

static void test_runtime(const struct kind *kind)
{
    ULONG64 tokens[TOKENS];
    struct block block;

    for (unsigned int i = 0; i < TOKENS; i++)
    {
        SOCKET owner = acquire_any(kind, 2, &block);

        tokens[i] = block.token;
        if (!i) check_neighbours(kind, &block);
        check_close(owner);
    }
    check_random("a block", tokens, 0);
}

/* The start port is in the low 16 bits. */
static void test_persistent(const struct kind *kind)
{
    USHORT start = find_ports(2);
    ULONG64 tokens[TOKENS];
    struct block block;

    for (unsigned int i = 0; i < TOKENS; i++)
    {
        check_create(kind, start, 2, 0, &block);
        tokens[i] = block.token;
        if (!i) check_neighbours(kind, &block);
        check_delete(kind, start, 2, 0);
    }
    check_random("a range", tokens, 16);
}

static void test_all(void)
{
    test_runtime(&kinds[0]);
    test_persistent(&kinds[0]);
}

START_TEST(tokens)
{
    ranges_test(NULL, test_all);
}
