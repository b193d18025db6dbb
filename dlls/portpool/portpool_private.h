/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_PRIVATE_H
#define TAWNY_PORTPOOL_PRIVATE_H

#include "portpool.h"
#include "porttable.h"
#include "requestslot.h"
#include "unixlib.h"

/* unixcall.c: the way to the Unix side. */
BOOL unix_call_init(HMODULE module);
void unix_call(enum unix_call code, void *params);

/* descriptor.c: a Windows socket's host socket. */
#define HOST_AF_INET 2

struct descriptor
{
    int fd;
    UINT protocol; /* UNIX_TCP or UNIX_UDP, which are also the port table's protocols */
    UINT family;   /* the host's number, HOST_AF_INET or IPv6's */
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

/* The same of a socket that is closed and not yet gone. */
#define CLOSED_PATIENCE 50

/* table.c: the prefix's port table, and our name in it. */
struct port_table *table_map(void);         /* makes it if need be; NULL if that fails */
struct port_table *table_find(void);        /* NULL while no process has made it */
struct request_slots *table_requests(void); /* in the same section; as table_map */
UINT64 table_owner(void);                   /* 0: the host does not say who we are */
bool table_owner_alive(uint64_t owner);
DWORD table_owner_process(UINT64 owner); /* 0: it has ended */
/* Calls back for each process that has made itself known in the table; FALSE if it cannot. */
BOOL table_visit_owners(void (*visit)(UINT64 owner, DWORD process, void *context), void *context);

/* held.c: fills in the process that has each port's placeholder, 0 for none. FALSE if nobody has
 * one. */
BOOL held_list(enum portpool_protocol protocol, DWORD processes[PORTPOOL_PORTS]);
/* Calls back while a port is held that nobody knows of; FALSE, without calling, if none could. */
BOOL held_sample(enum portpool_protocol protocol, portpool_look_function look, void *context);

/* The process that holds the persistent ranges; FALSE if there is none. */
BOOL held_find_holder(DWORD *process, UINT64 *owner);

/* uses.c: who uses what is reserved; see portpool.h. */
enum portpool_status uses_list(UINT protocol, BYTE wanted[PORTPOOL_PORTS],
                               struct portpool_use **uses, UINT *count);

/* list.c: what is reserved; see portpool.h. */
enum portpool_status list_make(UINT protocol, struct portpool_listed **listed, UINT *count);

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
/* Ends the blocks whose sockets have ended otherwise than by closesocket: all of them, or those of
 * the socket that acquired the one with this token. */
void reservation_sweep(void);
void reservation_sweep_token(UINT64 token);
BOOL reservation_has_acquirer(HANDLE socket);
/* Around closesocket. closing takes the handle from the acquirer, so that a new socket with the
 * same handle does not meet it (NULL if it acquired nothing), and finds out which handle of the
 * process stays, NULL if none does; closed lets the acquirer go on with that one, ends its blocks,
 * or puts it back if the socket was not closed. */
struct acquirer *reservation_closing(HANDLE socket, HANDLE *other);
void reservation_closed(struct acquirer *acquirer, BOOL success, HANDLE other);
void reservation_end_all(void);

/* Finds a live block of the process, or a persistent range, by its token, with a reference.
 * INVALID_TOKEN (also if it is another protocol's), ACCESS_DENIED, NO_RESOURCES. */
enum portpool_status reservation_find(UINT protocol, UINT64 token, struct reservation **result);
void reservation_reference(struct reservation *reservation);
void reservation_dereference(struct reservation *reservation);
USHORT reservation_count(const struct reservation *reservation);
BOOL reservation_is_persistent(const struct reservation *reservation);
/* Says whether both draw from the same block. A persistent range has one structure a use. */
BOOL reservation_is_same(const struct reservation *reservation, const struct reservation *other);

/* Keeps the block from ending while a port of it is being lent; FALSE if it has ended. try_enter
 * does not wait, and may be called by a thread that has entered; FALSE if it ends or has ended. */
BOOL reservation_enter(struct reservation *reservation);
BOOL reservation_try_enter(struct reservation *reservation);
void reservation_leave(struct reservation *reservation);
/* Between those two. Ports given out, 0 or FALSE if there are none; the port's placeholder. */
USHORT reservation_draw(struct reservation *reservation);
BOOL reservation_draw_exact(struct reservation *reservation, USHORT port);
void reservation_return(struct reservation *reservation, USHORT port);
/* Around the bind of a port that was given out. FALSE if it is not to be had after all: somebody
 * has bound it by number, as anybody may with those of a persistent range. It is no longer given
 * out then. */
BOOL reservation_begin_bind(struct reservation *reservation, USHORT port);
void reservation_end_bind(struct reservation *reservation, USHORT port);
/* Between those two, in the place of reservation_return: the host says that somebody has it. */
void reservation_refuse(struct reservation *reservation, USHORT port);
/* Asks the host which ports of a persistent range nobody uses any more, of this one or of all if it
 * is 0, and makes them idle. */
void reservation_reclaim(struct reservation *reservation, USHORT port);
BOOL reservation_contains(const struct reservation *reservation, USHORT port);
/* What UNIX_CALL_LEND wants to know. */
int reservation_placeholder(const struct reservation *reservation, USHORT port);
/* Says whether the port may be one that only root may bind. */
BOOL reservation_may_be_bare(const struct reservation *reservation, USHORT port);

/* association.c: the sockets that draw from blocks. */
enum portpool_status association_make(HANDLE socket, UINT64 token);
/* The socket, if it is associated, has acquired a block. */
void association_note_acquirer(HANDLE socket);
/* Ends associations whose sockets were closed before they were bound, otherwise than by
 * closesocket. What we keep of such a socket keeps it alive on the host, and with it the blocks
 * that it acquired: only the wineserver can tell. */
void association_sweep_unbound(void);
BOOL association_awaits_port(HANDLE socket, UINT *family);
/* The address is as in portpool.h's bind. */
enum portpool_status association_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                      portpool_bind_function bind, void *context);
enum portpool_status association_listen(HANDLE socket, portpool_call_function listen,
                                        void *context);
/* Around closesocket. closing takes the association out, so that a new socket with the same handle
 * does not meet it; closed ends it, or puts it back if the socket was not closed. */
struct association *association_closing(HANDLE socket);
void association_closed(struct association *association, BOOL success);
void association_end_all(void);

/* affinity.c: UDP sockets of this process that share a port, one a processor. */
struct sharing;

/* NOT_A_SOCKET, UNSUPPORTED_SOCKET, ALREADY_BOUND, NO_RESOURCES. */
enum portpool_status affinity_set(HANDLE socket, USHORT processor);
BOOL affinity_get(HANDLE socket, USHORT *processor);
/* Has a socket with a processor, whose descriptor is fd, bound beside those that have the port at
 * the address. bind does it, while they stay: UNIX_CALL_LEND and UNIX_CALL_SETTLE around it have
 * the host let the socket in. What bind says; NOT_ASSOCIATED if there is nobody to share with,
 * IN_USE if one of them has its processor. */
typedef enum portpool_status (*sharing_bind_function)(struct sharing *sharing, void *context);
enum portpool_status affinity_join(int fd, const BYTE address[16], USHORT port,
                                   sharing_bind_function bind, void *context);
/* A socket, which may have a processor, has been bound, but not by affinity_join: from now on,
 * others may share its port. With the reservation that the port is drawn from, the sharing is the
 * caller's to leave; NULL if there is none. */
struct sharing *affinity_bound(UINT64 inode, UINT family, const BYTE address[16], USHORT port,
                               struct reservation *reservation);
BOOL sharing_is_drawn_from(const struct sharing *sharing, const struct reservation *reservation);
/* One more socket has a port that is drawn; FALSE if the last has just left. */
BOOL sharing_enter(struct sharing *sharing);
/* The reservation, with a reference, which the last one to leave returns the port to; else NULL. */
struct reservation *sharing_leave(struct sharing *sharing);
/* The same for sockets that are not associated; see portpool.h. */
enum portpool_status affinity_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                   portpool_bind_function bind, void *context);
void affinity_bound_alone(HANDLE socket, const BYTE address[16]);
/* Around closesocket: closing tells the socket's inode, 0 if it has no processor, and another
 * handle of it in this process, if there is one. */
UINT64 affinity_closing(HANDLE socket, HANDLE *other);
void affinity_closed(HANDLE socket, HANDLE other, UINT64 inode, BOOL success);
void affinity_end_all(void);

/* lend.c: binds the socket of a descriptor to a port that is lent to it meanwhile. placeholder is
 * as in UNIX_CALL_LEND. */
enum portpool_bind_result lend_bind(int placeholder, int fd, UINT protocol, USHORT port,
                                    portpool_bind_function bind, void *context);

/* interface.c: UDP sockets at specific addresses, which are not associated. */
enum portpool_status interface_bind(HANDLE socket, USHORT port, portpool_bind_function bind,
                                    void *context);
enum portpool_status interface_check_reserved(HANDLE socket, USHORT port);

/* persistent.c: a client's side of persistent ranges. See portpool.h for the statuses. */
enum portpool_status persistent_create(enum request_store store, UINT protocol, USHORT start,
                                       USHORT count, UINT64 *token);
enum portpool_status persistent_delete(enum request_store store, UINT protocol, USHORT start,
                                       USHORT count);
enum portpool_status persistent_lookup(UINT protocol, USHORT start, USHORT count, UINT64 *token);
/* Finds the range that a token stands for: its count, 0 if there is none. */
USHORT persistent_find_token(UINT protocol, UINT64 token, uint16_t *start);
/* Binds an unassociated socket by number. */
enum portpool_status persistent_bind(HANDLE socket, const BYTE address[16], USHORT port,
                                     portpool_bind_function bind, void *context);
/* Lets an unassociated socket listen; NOT_ASSOCIATED if none was bound by number. */
enum portpool_status persistent_listen(HANDLE socket, portpool_call_function listen, void *context);
/* Waits until nobody else is just binding the port, or a while at most; FALSE then. */
BOOL persistent_lock(struct port_table *table, UINT protocol, USHORT port);
void persistent_unlock(struct port_table *table, UINT protocol, USHORT port);
/* Locks a port that is about to be bound by number, and keeps it from being drawn from then on.
 * IN_USE: it is being bound all the time, or another of the user's prefixes gives it out;
 * NOT_ASSOCIATED: it is persistent no longer, and the table has nothing to say about it. */
enum portpool_status persistent_begin_number(struct port_table *table, UINT protocol, USHORT port);
/* What reservation.c does with a range's ports. *draw tells a port's draws by this process apart.
 */
USHORT persistent_draw(UINT protocol, USHORT start, USHORT count, UINT *draw);
BOOL persistent_draw_exact(UINT protocol, USHORT port, UINT *draw);
void persistent_return(UINT protocol, USHORT port, UINT draw);
BOOL persistent_begin_bind(UINT protocol, USHORT port, UINT draw);
void persistent_reclaim(UINT protocol, USHORT start, USHORT count);

/* request.c: asks the holder, and has it started if it does not run.
 * The holder's own statuses; NO_HOLDER, NO_RESOURCES. */
enum portpool_status request_ask(const struct request *request, UINT64 *token);
/* Has the holder started if it does not run, and does not wait for what it does then. */
void request_ensure_holder(void);
/* The events that both sides share; made if need be, NULL if that fails. Not to be closed: they
 * stay for as long as the process lives. */
HANDLE request_event(void);            /* set when a request is posted */
HANDLE request_answer_event(int slot); /* set when the slot's is answered */

/* privilege.c: says whether the effective token is a member of Administrators. */
BOOL privilege_is_administrator(void);

/* tokens.c: the volatile registry key that tells each persistent range's token, for as long as the
 * prefix runs. The holder writes, everybody reads. */
UINT64 tokens_get(UINT protocol, USHORT start, USHORT count); /* 0: there is none */
BOOL tokens_has(UINT protocol, UINT64 token); /* whatever range's it is; not for 0 */
BOOL tokens_set(UINT protocol, USHORT start, USHORT count, UINT64 token);
void tokens_remove(UINT protocol, USHORT start, USHORT count);
/* Calls back for each token there is; it may remove that one. */
void tokens_visit(void (*visit)(UINT protocol, USHORT start, USHORT count, UINT64 token));

/* store.c: the registry's lists of ranges, in Windows' own form. */
enum store_list
{
    STORE_PERSISTENT, /* Windows' own; only this one is saved */
    STORE_ACTIVE,     /* there beside those */
    STORE_SUSPENDED,  /* persistent, and to be as if deleted */
    STORE_LISTS,
};

struct store_range
{
    UINT protocol;
    USHORT start;
    USHORT count;
};
/* Says whether it names ports at all; the other functions take valid ranges only. */
BOOL store_is_valid(const struct store_range *range);
/* Lists the ranges of both protocols that make sense, sorted as store_compare does (protocol,
 * start, count); NULL if they cannot be listed. The caller frees it with HeapFree. */
struct store_range *store_list(enum store_list list, UINT *count);
/* The same of the ranges that are to be held: of the persistent ones those that are not suspended,
 * and the active ones. Warns, once each, of what makes no sense; the holder's alone. */
struct store_range *store_list_effective(UINT *count);
int store_compare(const void *one, const void *other); /* for qsort and bsearch */
BOOL store_has(enum store_list list, const struct store_range *range);
BOOL store_add(enum store_list list, const struct store_range *range);
/* TRUE if it was not there, too. */
BOOL store_remove(enum store_list list, const struct store_range *range);
/* The number of the last change that the registry knows of, beside the ranges themselves. */
UINT64 store_generation(void);
BOOL store_set_generation(UINT64 generation);
/* An event that is set when somebody may have changed the store, and never before it could be
 * watched. To be called again after each time. */
BOOL store_watch(HANDLE event);

/* journal.c: makes changes of the store safe on disk before Wine saves the registry. */
BOOL journal_open(void);   /* waits a moment for an earlier holder to let go */
BOOL journal_replay(void); /* applies what the registry has not */
enum portpool_status journal_note(const struct store_range *range, BOOL remove);
void journal_settle(void); /* the registry has all that was noted */
/* Drops what the saved registry has by now; to be called now and then. FALSE if nothing is left. */
BOOL journal_trim(void);

/* membership.c: which of the lists have a range. */
struct membership
{
    BOOL has[STORE_LISTS];
};
struct membership membership_of(const struct store_range *range);
BOOL membership_is_effective(const struct membership *membership); /* the range is to be held */
/* Says whether there is what a request wants to delete. */
BOOL membership_is_found(const struct membership *membership, const struct request *request);
/* What a request makes of it. */
struct membership membership_wanted(const struct membership *membership,
                                    const struct request *request);
BOOL membership_is_same(const struct membership *one, const struct membership *other);
/* Changes the lists, so that neither a crash nor a power cut can undo it. DISK_FULL: they are as
 * they were. */
enum portpool_status membership_change(const struct store_range *range,
                                       const struct membership *from, const struct membership *to);

/* range.c: the holder's ranges, and the store. */
void range_restore_all(BOOL first); /* to begin with; first: the table has not had a holder yet */
void range_match_store(void);       /* somebody else may have changed the store */
BOOL range_is_incomplete(void); /* something is not held that may be held later, by range_retry */
void range_retry(void);
/* *token is the new range's, or that which the deleted one had, 0 if it was not held. */
enum portpool_status range_serve(const struct request *request, int slot, UINT64 *token);
/* Brings a request to its end that an earlier holder died over. */
enum portpool_status range_resume(const struct request *request, int slot, BOOL committing,
                                  UINT64 *token);
/* The request that was served or resumed last succeeded, but its client has been told that it did
 * not. token is the range's. */
void range_undo(const struct request *request, UINT64 token);
void range_leave_all(void); /* the holder stops: the host is left to itself, the table is not */

/* hold.c: what holds a persistent range. fds has room for a placeholder a port, -1 for none. */
BOOL hold_claim(const struct store_range *range); /* in the table alone; FALSE: a runtime block */
/* Claims and holds a range that nobody has a port of. IN_USE, NO_RESOURCES. */
enum portpool_status hold_new(const struct store_range *range, int *fds);
/* Holds what can be held of a range that is claimed; missing counts the rest. Thorough: also beside
 * sockets of the prefix that do not share. NO_RESOURCES: some may be held. */
enum portpool_status hold_fill(const struct store_range *range, int *fds, UINT *missing,
                               BOOL thorough);
/* Keeps ports that another of the user's prefixes gives out from being given out in this one;
 * counts them. To be done again until there are none. */
UINT hold_take_precedence(const struct store_range *range);
void hold_drop(const struct store_range *range, int *fds); /* undoes all of these */
/* Keeps ports that sockets use from being drawn; ports has a bit for each that may be marked so. */
void hold_mark_used(UINT protocol, USHORT first, USHORT last, const UINT64 *ports);

/* endpoint.c: sockets by their handles. Says whether a handle of this process stands for the host
 * socket with this inode. */
BOOL endpoint_is(HANDLE socket, UINT64 inode);
/* Says whether no other handle stands for the same socket, in this process or another. */
BOOL endpoint_is_last_handle(HANDLE socket);
/* Finds a handle of this process that stands for the host socket, but for one; NULL if there is
 * none. FALSE if that is not to be known. Takes long. */
BOOL endpoint_find_own(UINT64 inode, HANDLE except, HANDLE *found);
/* Finds the sockets of the prefix's processes that are bound to a port of a range, and calls back
 * with a descriptor of each, which is closed afterwards, and the process's number as Windows knows
 * it. FALSE if it cannot. */
typedef void (*endpoint_visitor)(int fd, USHORT port, DWORD process, void *context);
BOOL endpoint_visit(UINT protocol, USHORT start, USHORT count, endpoint_visitor visit,
                    void *context);
/* Fills in, for each port of a persistent range, 1 if a socket uses it; occupied is zeroed by the
 * caller. FALSE if that is not to be known. */
BOOL endpoint_occupied(UINT protocol, USHORT start, USHORT count, BYTE *occupied);

/* holder.c: serves until stop is set. ready is called once everything is held. */
BOOL holder_run(HANDLE stop, void (*ready)(void));

/* main.c */
extern volatile LONG tracked_sockets;
extern volatile LONG unbound_sockets;
extern HMODULE this_module;
/* The Unix side can be called; for those who do not come by portpool_get. */
BOOL pool_is_ready(void);
const char *status_name(enum portpool_status status);
const char *protocol_name(UINT protocol);
enum portpool_status status_from_unix(UINT status);

#endif
