/*
 * What portpool's Windows side and its Unix side say to each other
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each call takes a pointer to its structure below and fills in the members named "out". Only
 * integers of fixed width, so that 32- and 64-bit callers share one table. A pointer travels as
 * unix_uint64. Ports are in host byte order. Every call returns 0; what went wrong is in "status".
 */
#ifndef TAWNY_PORTPOOL_UNIXLIB_H
#define TAWNY_PORTPOOL_UNIXLIB_H

#include <stdint.h>

/* A uint64_t that lies alike for all: Linux on i386 would put it on any four bytes, Windows does on
 * eight only. */
typedef uint64_t unix_uint64 __attribute__((aligned(8)));

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
    UNIX_DISK_FULL, /* what must be safe on disk is not */
    UNIX_FAILED,    /* the host cannot do it at all: too old, or /proc is missing */
};

/* A process of the host, also after another has taken its number. */
struct unix_identify_params
{
    unix_uint64 owner; /* out: see unix/process.h */
};

struct unix_alive_params
{
    unix_uint64 owner;
    uint32_t ending; /* it is known to be about to end: wait for that */
    uint32_t alive;  /* out */
};

struct unix_random_params
{
    unix_uint64 value; /* out: 64 bits that nobody can guess, never 0 */
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
    unix_uint64 inode; /* out: tells host sockets apart while they live */
};

struct unix_close_params
{
    int32_t fd;
};

/* Holds count ports with a placeholder each, or none of them. */
struct unix_hold_params
{
    unix_uint64 fds; /* int32_t[count], filled in: placeholders, -1 where none is needed */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
    uint32_t status;   /* out: SUCCESS, IN_USE, NO_DESCRIPTORS, NO_MEMORY, FAILED */
    uint16_t conflict; /* out: with IN_USE, the port */
};

struct unix_drop_params
{
    unix_uint64 fds; /* int32_t[count] */
    uint32_t count;
};

/* In the place of a placeholder: the port is lent from a persistent range. Its placeholder, in
 * another process, lends all the time. */
#define UNIX_PLACEHOLDER_SHARED (-2)

/* Before and after Wine binds (or listens on) a socket at the placeholder's port. */
struct unix_lend_params
{
    int32_t placeholder; /* UNIX_PLACEHOLDER_SHARED; -1: none, nothing to do to it */
    int32_t socket;
    uint32_t protocol;
    uint32_t done;   /* settling only: Wine's call succeeded */
    uint32_t status; /* out: SUCCESS, FAILED */
};

/* From now on, until they are dropped, all these placeholders lend their ports to whoever of the
 * same user sets SO_REUSEPORT, as a client of the persistent range does. */
struct unix_share_params
{
    unix_uint64 fds; /* int32_t[count] */
    uint32_t count;
};

enum unix_restored
{
    UNIX_HELD,     /* by a placeholder, which shares its port already */
    UNIX_BARE,     /* needs no placeholder: a port that only root may bind */
    UNIX_OCCUPIED, /* not held: it has another owner, who does not share */
};

/* Holds those ports of a persistent range that can be held, beside sockets that share them. */
struct unix_restore_params
{
    unix_uint64 fds;      /* int32_t[count], in and out: those not -1 are left as they are */
    unix_uint64 restored; /* uint8_t[count], filled in: enum unix_restored */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
    uint32_t status; /* out: SUCCESS; NO_DESCRIPTORS, NO_MEMORY, FAILED: some may be held */
};

/* Holds a port that a socket has which does not share: makes it share for an instant. */
struct unix_make_room_params
{
    int32_t socket; /* a descriptor of that socket, the caller's */
    uint32_t protocol;
    uint16_t port;
    int32_t placeholder; /* out, shared; -1 if it did not succeed */
    uint32_t status;     /* out: SUCCESS, IN_USE (another one is there too), NO_DESCRIPTORS, … */
};

/* Takes precedence at the ports of a persistent range before the user's other prefixes, where none
 * of those has it; keeps it for as long as the process lives. */
struct unix_precedence_params
{
    unix_uint64 taken; /* uint8_t[count], filled in: 0 where another prefix has it */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
    uint32_t status; /* out: SUCCESS; FAILED: it cannot be told, and none is taken */
};

struct unix_give_up_params
{
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
};

/* Asks the host which ports of a range a socket uses, placeholders apart. */
struct unix_occupied_params
{
    unix_uint64 occupied; /* uint8_t[count], filled in: 1 if a socket has the port */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
    /* out: SUCCESS; NO_MEMORY; FAILED: not all is known. Before Linux 6.8 that is so of TCP: 1 is
     * where a listed socket is, 0 elsewhere. Where the host says nothing, 1 is everywhere. */
    uint32_t status;
};

/* Asks the host whether a UDP socket, placeholders apart, has the port at an address that overlaps
 * the one given: the kernel does not tell a second one of a shared port. */
struct unix_overlap_params
{
    int32_t socket;      /* about to be bound: its family and IPV6_V6ONLY matter */
    uint8_t address[16]; /* IPv6, network byte order; an IPv4 one is mapped */
    uint16_t port;
    uint32_t
        overlaps; /* out: 1 also where the host does not say; 0 if the socket has SO_REUSEADDR */
};

/* Before a UDP socket is bound beside another that has the port at the same address: that one
 * shares the port from here on. */
struct unix_join_params
{
    int32_t member;
    int32_t socket;
    uint32_t status; /* out: SUCCESS; IN_USE: the host would not share datagrams out to them both */
};

/* Has a socket share its port, or share it no longer. */
struct unix_share_socket_params
{
    int32_t socket;
    uint32_t share;
};

/* Says which of the sockets that share a port are whose processor's. */
struct unix_steer_params
{
    int32_t socket;         /* one of them */
    unix_uint64 processors; /* uint16_t[count]: the host's numbers, in the order of the sockets */
    uint32_t count;
    uint32_t status; /* out: SUCCESS, FAILED: only a datagram's flow decides which socket gets it */
};

/* One line of the journal: what was done to the store, and its place in the order of all such. */
struct unix_journal_record
{
    unix_uint64 generation; /* 1 and up */
    uint32_t remove;        /* 0: the range was added; 1: removed */
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
};

/* Opens the prefix's journal, made if need be, for as long as the process lives. */
struct unix_journal_open_params
{
    uint32_t status; /* out: SUCCESS, IN_USE (another process has it), DISK_FULL, FAILED */
};

/* Reads the sound records in their order. One that is torn ends the journal. */
struct unix_journal_read_params
{
    unix_uint64 records; /* struct unix_journal_record[size], filled in */
    uint32_t size;
    uint32_t count;  /* out: how many there are, may be more than size */
    uint32_t status; /* out: SUCCESS, FAILED */
};

/* Adds a record and syncs it to disk. */
struct unix_journal_append_params
{
    struct unix_journal_record record;
    uint32_t status; /* out: SUCCESS, DISK_FULL: the journal is as it was */
};

/* Drops the records that the hive file on disk, synced, has already. */
struct unix_journal_trim_params
{
    uint32_t remaining; /* out: records left */
    uint32_t status;    /* out: SUCCESS, FAILED: the journal is as it was */
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
    unix_uint64 id;  /* unique in the set */
    uint32_t ready;  /* for unix_watch_ready_params: all of a set, or none */
    uint32_t status; /* out: SUCCESS, NO_DESCRIPTORS, NO_MEMORY */
};

/* A fast look: sockets that live, but perhaps not all of them. */
struct unix_watch_ready_params
{
    int32_t epoll;
    uint32_t size;   /* of ids */
    unix_uint64 ids; /* uint64_t[size], filled in */
    uint32_t count;  /* out */
};

/* The thorough look. */
struct unix_watch_list_params
{
    int32_t entries;
    uint32_t size;   /* of ids */
    unix_uint64 ids; /* uint64_t[size], filled in: those whose sockets live */
    uint32_t count;  /* out: how many live, may be more than size */
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
    UNIX_CALL_SHARE,
    UNIX_CALL_RESTORE,
    UNIX_CALL_MAKE_ROOM,
    UNIX_CALL_OCCUPIED,
    UNIX_CALL_OVERLAP,
    UNIX_CALL_JOURNAL_OPEN,
    UNIX_CALL_JOURNAL_READ,
    UNIX_CALL_JOURNAL_APPEND,
    UNIX_CALL_JOURNAL_TRIM,
    UNIX_CALL_JOIN,
    UNIX_CALL_SHARE_SOCKET,
    UNIX_CALL_STEER,
    UNIX_CALL_TAKE_PRECEDENCE,
    UNIX_CALL_GIVE_UP_PRECEDENCE,
    UNIX_CALL_LEAVE_PRECEDENCE,  /* no structure: gives up all */
    UNIX_CALL_FOLLOW_WINESERVER, /* no structure; comes back only if it cannot be done */
};

#endif
