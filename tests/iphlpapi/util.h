/*
 * What the tests of persistent reservations have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Of a kind only the protocol matters to a range. Ports are in host byte order; an expected error
 * of 0 is success.
 */
#ifndef TAWNY_TESTS_IPHLPAPI_UTIL_H
#define TAWNY_TESTS_IPHLPAPI_UTIL_H

#include "../ws2_32/peer.h"

#include <iphlpapi.h>

/* For what happens by itself soon. Milliseconds; none of the tests takes this long if all is well.
 */
#define SOON 10000

/* Around a test, in its first process. Each range that the test leaves in the store is a failed
 * check, and removed. */
void ranges_begin(void);
void ranges_end(void);
/* A test that needs nothing else: in a child process it serves the commands, if there are any. */
void ranges_test(const struct peer_command *commands, void (*test)(void));

ULONG create_range(const struct kind *kind, USHORT start, USHORT count, ULONG64 *token);
ULONG delete_range(const struct kind *kind, USHORT start, USHORT count);
ULONG lookup_range(const struct kind *kind, USHORT start, USHORT count, ULONG64 *token);

/* block may be NULL. After a failure the token must be as it was. */
void check_create_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error, struct block *block);
#define check_create(...) check_create_(__FILE__, __LINE__, __VA_ARGS__)

void check_delete_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error);
#define check_delete(...) check_delete_(__FILE__, __LINE__, __VA_ARGS__)

/* The token is the one that success must tell. */
void check_lookup_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   ULONG error, ULONG64 token);
#define check_lookup(...) check_lookup_(__FILE__, __LINE__, __VA_ARGS__)

/* Creates a range somewhere. */
void make_range_(const char *file, int line, const struct kind *kind, USHORT count,
                 struct block *block);
#define make_range(...) make_range_(__FILE__, __LINE__, __VA_ARGS__)

/* Deletes it, and checks that nothing is left of it, sockets apart. */
void end_range_(const char *file, int line, const struct kind *kind, const struct block *block);
#define end_range(...) end_range_(__FILE__, __LINE__, __VA_ARGS__)

/* Waits until the range is held; FALSE, and a failed check, if it is not soon. */
BOOL await_range_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                  struct block *block);
#define await_range(...) await_range_(__FILE__, __LINE__, __VA_ARGS__)

/* Waits until there is no such range any more. */
void await_no_range_(const char *file, int line, const struct kind *kind, USHORT start,
                     USHORT count);
#define await_no_range(...) await_no_range_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that the host keeps outsiders off the range's first, middle and last port. Needs the
 * outsider, and checks nothing without it. */
void check_held_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count);
#define check_held(...) check_held_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that the host keeps nobody off the port. */
void check_not_held_(const char *file, int line, const struct kind *kind, USHORT port);
#define check_not_held(...) check_not_held_(__FILE__, __LINE__, __VA_ARGS__)

/* Waits until the host keeps outsiders off the port, or no longer does. */
void await_held_(const char *file, int line, const struct kind *kind, USHORT port, BOOL held);
#define await_held(...) await_held_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that an acquire meets the range on each of its ports. */
void check_acquire_meets_(const char *file, int line, const struct kind *kind, USHORT start,
                          USHORT count);
#define check_acquire_meets(...) check_acquire_meets_(__FILE__, __LINE__, __VA_ARGS__)

/* This process' token, without Administrators. */
HANDLE restricted_token(DWORD type);

/* The registry, as Windows has it. */
#define STORE_NAME_SIZE 9
void store_name(USHORT start, USHORT count, char name[STORE_NAME_SIZE]);
const char *store_path(const struct kind *kind);
/* Makes the key if need be. */
HKEY store_open(const struct kind *kind);
/* Writes a value as Windows does, or another. */
void store_write(const struct kind *kind, USHORT start, USHORT count);
void store_write_value(const struct kind *kind, const char *name, DWORD type, const void *data,
                       DWORD size);
void store_erase(const struct kind *kind, const char *name);
/* Reads a value's data; its size, 0 if it is not there. */
DWORD store_read(const struct kind *kind, const char *name, DWORD *type, void *data, DWORD size);
/* Checks that the range's value is there, byte for byte as Windows writes it, or is not. */
void check_stored_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count,
                   BOOL stored);
#define check_stored(...) check_stored_(__FILE__, __LINE__, __VA_ARGS__)

/* The token in the volatile key; 0 if there is none. */
ULONG64 published_token(const struct kind *kind, USHORT start, USHORT count);

/* What a peer can be told. K is a kind's number; ports are decimal, tokens hexadecimal. The
 * answer's error is the call's, and a socket's value is its ID above 16 bits of port. create K
 * START COUNT, lookup K START COUNT     the value is the token delete K START COUNT draw K TOKEN
 * ADDRESS PORT                      associates and binds bind K ADDRESS PORT listen ID, close ID,
 * closeall
 */
void command_create(char **words, struct peer_answer *answer);
void command_lookup(char **words, struct peer_answer *answer);
void command_delete(char **words, struct peer_answer *answer);
void command_draw(char **words, struct peer_answer *answer);
void command_bind(char **words, struct peer_answer *answer);
void command_listen(char **words, struct peer_answer *answer);
void command_close(char **words, struct peer_answer *answer);
void command_closeall(char **words, struct peer_answer *answer);

#define RANGE_COMMANDS                                                                             \
    {"create", command_create}, {"lookup", command_lookup}, {"delete", command_delete},            \
        {"draw", command_draw}, {"bind", command_bind}, {"listen", command_listen},                \
        {"close", command_close},                                                                  \
    {                                                                                              \
        "closeall", command_closeall                                                               \
    }

#endif
