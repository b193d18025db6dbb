/*
 * What portpool's Windows side and its Unix side say to each other
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each call takes a pointer to its structure below and fills in the members named "out". Only
 * integers of fixed width, so that 32- and 64-bit callers share one table. A pointer travels as
 * uint64_t. Ports are in host byte order. Every call returns 0; what went wrong is in "status".
 */
#ifndef TAWNY_PORTPOOL_UNIXLIB_H
#define TAWNY_PORTPOOL_UNIXLIB_H

#include <stdint.h>

enum unix_protocol
{
    UNIX_TCP,
    UNIX_UDP,
    UNIX_OTHER,
};

enum unix_status
{
    UNIX_SUCCESS,
    UNIX_IN_USE,         /* a port has another owner on the host */
    UNIX_NO_DESCRIPTORS, /* the process or the host may open no more files */
    UNIX_NO_MEMORY,
    UNIX_NOT_A_SOCKET,
    UNIX_FAILED, /* the host cannot do it at all: too old, or /proc is missing */
};

/* A process of the host, also after another has taken its number. */
struct unix_identify_params
{
    uint64_t owner; /* out: see unix/process.h */
};

struct unix_alive_params
{
    uint64_t owner;
    uint32_t ending; /* it is known to be about to end: wait for that */
    uint32_t alive;  /* out */
};

struct unix_random_params
{
    uint64_t value; /* out: 64 bits that nobody can guess, never 0 */
};

struct unix_ephemeral_params
{
    uint16_t first; /* out: the host's range of automatic ports */
    uint16_t last;  /* out */
};

/* Takes a descriptor just received from Wine: keeps it from child processes, and describes it. */
struct unix_inspect_params
{
    int32_t fd;
    uint32_t status;   /* out: SUCCESS, NOT_A_SOCKET */
    uint32_t protocol; /* out: enum unix_protocol */
    uint32_t family;   /* out: the host's AF_INET or AF_INET6 */
    uint16_t port;     /* out: 0 if it is not bound */
};

struct unix_inode_params
{
    int32_t fd;
    uint64_t inode; /* out: tells host sockets apart while they live */
};

struct unix_close_params
{
    int32_t fd;
};

/* Holds count ports with a placeholder each, or none of them. */
struct unix_hold_params
{
    uint64_t fds; /* int32_t[count], filled in: placeholders, -1 where none is needed */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
    uint32_t status;   /* out: SUCCESS, IN_USE, NO_DESCRIPTORS, NO_MEMORY, FAILED */
    uint16_t conflict; /* out: with IN_USE, the port */
};

struct unix_drop_params
{
    uint64_t fds; /* int32_t[count] */
    uint32_t count;
};

/* Before and after Wine binds (or listens on) a socket at the placeholder's port. */
struct unix_lend_params
{
    int32_t placeholder; /* -1: none, nothing to do to it */
    int32_t socket;
    uint32_t protocol;
    uint32_t done;   /* settling only: Wine's call succeeded */
    uint32_t status; /* out: SUCCESS, FAILED */
};

/* A watch set tells which host sockets still live, without keeping any of them alive. */
struct unix_watch_open_params
{
    int32_t epoll;   /* out */
    int32_t entries; /* out */
    uint32_t status; /* out: SUCCESS, NO_DESCRIPTORS, FAILED */
};

struct unix_watch_close_params
{
    int32_t epoll;
    int32_t entries;
};

struct unix_watch_add_params
{
    int32_t epoll;
    int32_t socket;
    uint64_t id;     /* unique in the set */
    uint32_t ready;  /* for unix_watch_ready_params: all of a set, or none */
    uint32_t status; /* out: SUCCESS, NO_DESCRIPTORS, NO_MEMORY */
};

/* A fast look: sockets that live, but perhaps not all of them. */
struct unix_watch_ready_params
{
    int32_t epoll;
    uint32_t size;  /* of ids */
    uint64_t ids;   /* uint64_t[size], filled in */
    uint32_t count; /* out */
};

/* The thorough look. */
struct unix_watch_list_params
{
    int32_t entries;
    uint32_t size;  /* of ids */
    uint64_t ids;   /* uint64_t[size], filled in: those whose sockets live */
    uint32_t count; /* out: how many live, may be more than size */
    uint32_t status;
};

enum unix_call
{
    UNIX_CALL_IDENTIFY,
    UNIX_CALL_ALIVE,
    UNIX_CALL_RANDOM,
    UNIX_CALL_EPHEMERAL,
    UNIX_CALL_INSPECT,
    UNIX_CALL_INODE,
    UNIX_CALL_CLOSE,
    UNIX_CALL_HOLD,
    UNIX_CALL_DROP,
    UNIX_CALL_LEND,
    UNIX_CALL_SETTLE,
    UNIX_CALL_LISTEN,
    UNIX_CALL_SETTLE_LISTEN,
    UNIX_CALL_WATCH_OPEN,
    UNIX_CALL_WATCH_CLOSE,
    UNIX_CALL_WATCH_ADD,
    UNIX_CALL_WATCH_READY,
    UNIX_CALL_WATCH_LIST,
};

#endif
