/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_PRIVATE_H
#define TAWNY_PORTPOOL_PRIVATE_H

#include "portpool.h"
#include "porttable.h"
#include "unixlib.h"

/* unixcall.c: the way to the Unix side. */
BOOL unix_call_init(HMODULE module);
void unix_call(enum unix_call code, void *params);

/* descriptor.c: a Windows socket's host socket. */
struct descriptor
{
    int fd;
    UINT protocol; /* UNIX_TCP or UNIX_UDP, which are also the port table's protocols */
    UINT family;   /* the host's number */
    USHORT port;   /* 0: not bound */
};

/* Fetches the descriptor of a TCP or UDP socket; the caller closes it.
 * NOT_A_SOCKET, UNSUPPORTED_SOCKET. */
enum portpool_status descriptor_open(HANDLE socket, struct descriptor *descriptor);
void descriptor_close(int fd);
/* Tells host sockets apart while they live: a handle's value does not. */
UINT64 descriptor_inode(int fd);

/* How long a port is waited for that somebody is just binding by number, in milliseconds. */
#define BINDING_PATIENCE 50

/* table.c: the prefix's port table, and our name in it. */
struct port_table *table_map(void);  /* makes it if need be; NULL if that fails */
struct port_table *table_find(void); /* NULL while no process has made it */
UINT64 table_owner(void);            /* 0: the host does not say who we are */
bool table_owner_alive(uint64_t owner);

/* watch.c: learns that sockets have ended. One set serves many watches; a set is not locked: its
 * user does that. */
struct watch
{
    UINT64 id; /* 0: not watching */
    struct watch_bucket *bucket;
    BOOL gone; /* set by watch_sweep */
};

struct watch_set
{
    /* For sockets that carry little: sweeps are several times faster, but each datagram that such a
     * socket sends wakes the set. */
    BOOL ready;
    struct watch_bucket *buckets; /* with room for more */
    struct watch_bucket *full;
};

enum portpool_status watch_start(struct watch_set *set, struct watch *watch, int fd);
void watch_stop(struct watch *watch);
/* Looks at the sockets that share the watch's bucket, or at all of them. */
void watch_sweep(struct watch *watch);
void watch_sweep_all(struct watch_set *set);

/* reservation.c: the process's blocks. */
struct reservation;

enum portpool_status reservation_acquire(HANDLE socket, USHORT start, USHORT count,
                                         struct portpool_block *block);
enum portpool_status reservation_release(HANDLE socket, UINT64 token);
/* Ends the blocks whose sockets have ended otherwise than by closesocket. */
void reservation_sweep(void);
BOOL reservation_has_acquirer(HANDLE socket);
/* Around closesocket. closing takes the handle from the acquirer, so that a new socket with the
 * same handle does not meet it (NULL if it acquired nothing); closed ends its blocks, or puts it
 * back if the socket was not closed. */
struct acquirer *reservation_closing(HANDLE socket, BOOL *last_handle);
void reservation_closed(struct acquirer *acquirer, BOOL success, BOOL last_handle);
void reservation_end_all(void);

/* Finds a live block by its token, with a reference; NULL if there is none. */
struct reservation *reservation_find(UINT64 token);
void reservation_dereference(struct reservation *reservation);
UINT reservation_protocol(const struct reservation *reservation);
USHORT reservation_count(const struct reservation *reservation);

/* Keeps the block from ending while a port of it is being lent; FALSE if it has ended. try_enter
 * does not wait, and may be called by a thread that has entered; FALSE if it ends or has ended. */
BOOL reservation_enter(struct reservation *reservation);
BOOL reservation_try_enter(struct reservation *reservation);
void reservation_leave(struct reservation *reservation);
/* Between those two. Ports given out, 0 or FALSE if there are none; the port's placeholder. */
USHORT reservation_draw(struct reservation *reservation);
BOOL reservation_draw_exact(struct reservation *reservation, USHORT port);
void reservation_return(struct reservation *reservation, USHORT port);
BOOL reservation_contains(const struct reservation *reservation, USHORT port);
int reservation_placeholder(const struct reservation *reservation, USHORT port);

/* association.c: the sockets that draw from blocks. */
enum portpool_status association_make(HANDLE socket, UINT64 token);
/* The socket, if it is associated, has acquired a block. */
void association_note_acquirer(HANDLE socket);
/* Ends associations whose sockets were closed before they were bound, otherwise than by
 * closesocket. What we keep of such a socket keeps it alive on the host, and with it the blocks
 * that it acquired: only the wineserver can tell. */
void association_sweep_unbound(void);
BOOL association_awaits_port(HANDLE socket, UINT *family);
enum portpool_status association_bind(HANDLE socket, USHORT port, portpool_bind_function bind,
                                      void *context);
enum portpool_status association_listen(HANDLE socket, portpool_call_function listen,
                                        void *context);
/* Around closesocket. closing takes the association out, so that a new socket with the same handle
 * does not meet it; closed ends it, or puts it back if the socket was not closed. */
struct association *association_closing(HANDLE socket);
void association_closed(struct association *association, BOOL success);
void association_end_all(void);

/* interface.c: UDP sockets at specific addresses, which are not associated. */
enum portpool_status interface_bind(HANDLE socket, USHORT port, portpool_bind_function bind,
                                    void *context);
enum portpool_status interface_check_reserved(HANDLE socket, USHORT port);

/* main.c */
extern volatile LONG tracked_sockets;
extern volatile LONG unbound_sockets;
const char *status_name(enum portpool_status status);
enum portpool_status status_from_unix(UINT status);

#endif
