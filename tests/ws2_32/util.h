/*
 * What the tests of port reservations have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each check carries its caller's place in the source, so that a failure points at the row of the
 * test that failed. Ports are in host byte order; an expected error of 0 is success.
 */
#ifndef TAWNY_TESTS_UTIL_H
#define TAWNY_TESTS_UTIL_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <mstcpip.h>

#include "wine/test.h"

#include "outsider.h"

/* The sockets that the rules are tried with. */
struct kind
{
    const char *name;
    int family;
    int type;
    int protocol;
    BOOL dual; /* IPv4 as well */
    const char *loopback;
    const char *wildcard;
};

enum
{
    TCP4,
    TCP6,
    TCP_DUAL,
    UDP4,
    UDP6,
    UDP_DUAL,
    KIND_COUNT
};
extern const struct kind kinds[KIND_COUNT];

#define for_each_kind(kind) for ((kind) = kinds; (kind) < kinds + KIND_COUNT; (kind)++)

/* An INET_PORT_RESERVATION_INSTANCE. */
struct block
{
    USHORT start;
    USHORT count;
    ULONG64 token;
};

/* The address that text is, at the port; its length. */
int make_address(const char *text, USHORT port, SOCKADDR_STORAGE *address);
USHORT address_port(const SOCKADDR_STORAGE *address);

SOCKET open_socket_(const char *file, int line, const struct kind *kind);
#define open_socket(...) open_socket_(__FILE__, __LINE__, __VA_ARGS__)

/* One of the three control codes without an OVERLAPPED: 0, or the error. Success is checked to
 * return, and failure not to have returned, as many bytes as it must. */
int reservation_ioctl_(const char *file, int line, SOCKET s, DWORD code, const void *in,
                       DWORD in_size, void *out, DWORD out_size);
#define reservation_ioctl(...) reservation_ioctl_(__FILE__, __LINE__, __VA_ARGS__)

/* block may be NULL. */
/* Says whether a block can be acquired, which ends again at once. */
BOOL can_acquire_block(const struct kind *kind, USHORT start, USHORT count);
void check_acquire_(const char *file, int line, SOCKET s, USHORT start, USHORT count, int error,
                    struct block *block);
#define check_acquire(...) check_acquire_(__FILE__, __LINE__, __VA_ARGS__)

void check_associate_(const char *file, int line, SOCKET s, ULONG64 token, int error);
#define check_associate(...) check_associate_(__FILE__, __LINE__, __VA_ARGS__)

void check_release_(const char *file, int line, SOCKET s, ULONG64 token, int error);
#define check_release(...) check_release_(__FILE__, __LINE__, __VA_ARGS__)

/* Binds to the wildcard address of the socket's family. */
void check_bind_(const char *file, int line, SOCKET s, USHORT port, int error);
#define check_bind(...) check_bind_(__FILE__, __LINE__, __VA_ARGS__)

void check_bind_to_(const char *file, int line, SOCKET s, const char *address, USHORT port,
                    int error);
#define check_bind_to(...) check_bind_to_(__FILE__, __LINE__, __VA_ARGS__)

void check_close_(const char *file, int line, SOCKET s);
#define check_close(...) check_close_(__FILE__, __LINE__, __VA_ARGS__)

/* The port that the socket is bound to, 0 if it is not. */
USHORT port_of(SOCKET s);
BOOL block_contains(const struct block *block, USHORT port);

/* Checks that the socket has a port of the block, and says which. */
USHORT check_port_in_(const char *file, int line, SOCKET s, const struct block *block);
#define check_port_in(...) check_port_in_(__FILE__, __LINE__, __VA_ARGS__)

/* Acquires a block wherever it fits, on a new socket. */
SOCKET acquire_any_(const char *file, int line, const struct kind *kind, USHORT count,
                    struct block *block);
#define acquire_any(...) acquire_any_(__FILE__, __LINE__, __VA_ARGS__)

/* A new socket, associated but not bound. */
SOCKET associated_(const char *file, int line, const struct kind *kind, const struct block *block);
#define associated(...) associated_(__FILE__, __LINE__, __VA_ARGS__)

/* A new socket that has drawn a port of the block. */
SOCKET draw_(const char *file, int line, const struct kind *kind, const struct block *block,
             USHORT *port);
#define draw(...) draw_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that a port is in a live block: a new socket that is not associated gets WSAEACCES. */
void check_reserved_(const char *file, int line, const struct kind *kind, USHORT port);
#define check_reserved(...) check_reserved_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that a port is anybody's: a new socket that is not associated can bind to it. No
 * reservation call is made, which might notice only now what should have happened before. */
void check_unreserved_(const char *file, int line, const struct kind *kind, USHORT port);
#define check_unreserved(...) check_unreserved_(__FILE__, __LINE__, __VA_ARGS__)

/* Checks that nothing has these ports: a new socket can acquire them. */
void check_free_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count);
#define check_free(...) check_free_(__FILE__, __LINE__, __VA_ARGS__)

/* Finds ports in a row that are free for TCP and UDP, outside of all ranges of automatic ports. No
 * two calls in a process find the same. */
USHORT find_ports_(const char *file, int line, USHORT count);
#define find_ports(...) find_ports_(__FILE__, __LINE__, __VA_ARGS__)

/* How many files the host lets a process open, and so ports that it may hold; 0 if the runner has
 * not said it. */
unsigned int descriptor_limit(void);
/* So many ports that several such blocks can be held. */
USHORT many_ports(USHORT most);

/* Has a client talk with a socket that is bound, over loopback: a TCP one listens already. */
void check_conversation_(const char *file, int line, const struct kind *kind, SOCKET s);
#define check_conversation(...) check_conversation_(__FILE__, __LINE__, __VA_ARGS__)

/* Accepts a connection that is on its way; INVALID_SOCKET if none comes. */
SOCKET accept_soon(SOCKET listener);

/* Bytes of whole pages, of which the last is followed by none. */
void *alloc_before_hole(SIZE_T size);
void free_before_hole(void *end);

/* A word that no other process of the host has in its command line, not even in another run of the
 * same test: by it the outsider finds a child. */
const char *unique_word(void);

/* Runs the test's function in a child process, for START_TEST, with the number that the host has
 * for that process, 0 without the outsider. seconds is how long it may take. */
void run_in_child(void (*function)(int process), unsigned int seconds);

/* Runs this program's current test again with more arguments, in another process. */
HANDLE start_child(const char *format, ...) WINETEST_PRINTF(1, 2);

/* What the environment says for a number, such as the seed of what is random. */
int environment_number(const char *name, int otherwise);
/* The next of the numbers that begin with the seed that *state is at first. */
UINT next_random(UINT *state);

#endif
