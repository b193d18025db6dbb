/*
 * The port pool as the drop-ins see it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * portpool.dll is loaded when a program first needs it and hands out one table of functions.
 * It knows ports, blocks, tokens and sockets; it knows neither Winsock's error codes nor its
 * addresses: the caller converts both. Port numbers are in host byte order everywhere here.
 * All functions may be called from any thread.
 */
#ifndef TAWNY_PORTPOOL_H
#define TAWNY_PORTPOOL_H

#include <windef.h>
#include <winbase.h>

/* Changes whenever struct portpool does. */
#define PORTPOOL_VERSION 5

#define PORTPOOL_PORTS 65536

enum portpool_status
{
    PORTPOOL_SUCCESS,
    PORTPOOL_NOT_A_SOCKET,       /* the handle is closed, or has no host socket behind it */
    PORTPOOL_UNSUPPORTED_SOCKET, /* a host socket, but neither TCP nor UDP over IPv4 or IPv6 */
    PORTPOOL_NOT_ASSOCIATED,     /* the socket draws from no block: treat it as Wine does */
    PORTPOOL_INVALID_RANGE,      /* no ports, or some past 65535 */
    PORTPOOL_INVALID_TOKEN,      /* unknown, ended, another process's, or another protocol's */
    PORTPOOL_ALREADY_BOUND,
    PORTPOOL_OUTSIDE_BLOCK, /* explicit port that the socket's block does not contain */
    PORTPOOL_IN_USE,        /* a port is bound or reserved already */
    PORTPOOL_RESERVED,      /* explicit port inside somebody's runtime block */
    PORTPOOL_PERSISTENT, /* explicit port inside a persistent range: bind_persistent may bind it */
    PORTPOOL_ENDED,      /* in the block of a process that has ended */
    PORTPOOL_EXHAUSTED,  /* no port left to assign, or no block of that size */
    PORTPOOL_NO_RESOURCES,  /* descriptors or memory */
    PORTPOOL_NOT_FOUND,     /* no persistent range has exactly this start and count */
    PORTPOOL_ACCESS_DENIED, /* the effective token is not a member of Administrators */
    PORTPOOL_DISK_FULL,     /* the range could not be made safe on disk */
    PORTPOOL_NO_HOLDER,   /* the service that holds persistent ranges does not run, or not answer */
    PORTPOOL_CALL_FAILED, /* the callback failed; its own error stands */
};

/* The numbers are those of the port table's protocols. */
enum portpool_protocol
{
    PORTPOOL_TCP,
    PORTPOOL_UDP,
};

struct portpool_block
{
    UINT64 token; /* never 0 */
    USHORT start;
    USHORT count;
};

enum portpool_kind
{
    PORTPOOL_KIND_BLOCK,      /* a process acquired it, and has it */
    PORTPOOL_KIND_PERSISTENT, /* a range that the store keeps */
    PORTPOOL_KIND_ACTIVE,     /* a range that ends with the prefix */
    PORTPOOL_KIND_SUSPENDED,  /* a range that the store keeps, deleted until the prefix ends */
};

struct portpool_listed
{
    USHORT start;
    USHORT count;
    enum portpool_kind kind;
    DWORD process; /* a block's owner, as Windows numbers it; else 0 */
    UINT64 owner;  /* the same as the host numbers it, see UNIX_CALL_IDENTIFY; else 0 */
    BOOL held;     /* the host keeps its ports, but for such as were in use before */
};

/* A process of the prefix has a socket that is bound to a port. */
struct portpool_use
{
    USHORT port;
    DWORD process; /* as Windows numbers it */
    UINT64 owner;  /* as the host does, see UNIX_CALL_IDENTIFY; 0 if it has not made itself known */
};

/* What the real bind said. */
enum portpool_bind_result
{
    PORTPOOL_BIND_DONE,
    PORTPOOL_BIND_CONFLICT, /* the address is in use: another port may do */
    PORTPOOL_BIND_FAILED,   /* no port would help */
};

/* Binds the socket that context describes to the port, through Wine. */
typedef enum portpool_bind_result (*portpool_bind_function)(USHORT port, void *context);
/* Makes the wrapped call that context describes; FALSE if it failed. */
typedef BOOL (*portpool_call_function)(void *context);

/* Looks at a port that is held for the purpose. */
typedef void (*portpool_look_function)(USHORT port, void *context);

struct portpool
{
    unsigned int version; /* PORTPOOL_VERSION */

    /* Sockets of this process that reserve or are associated, and those of them that are
     * associated and not bound yet. Read without a lock: 0 means that no wrapped call has
     * anything to do. */
    const volatile LONG *tracked;
    const volatile LONG *unbound;

    /* Reserves count ports from start on (0: anywhere) for as long as the socket lives.
     * NOT_A_SOCKET, UNSUPPORTED_SOCKET, INVALID_RANGE, IN_USE, EXHAUSTED, NO_RESOURCES;
     * nothing stays reserved after any of them. */
    enum portpool_status (*acquire)(HANDLE socket, USHORT start, USHORT count,
                                    struct portpool_block *block);

    /* Lets the socket draw its port from the token's block or persistent range. A later call
     * replaces an earlier. NOT_A_SOCKET, UNSUPPORTED_SOCKET, INVALID_TOKEN, ALREADY_BOUND,
     * ACCESS_DENIED (a persistent range, and not an administrator), NO_RESOURCES. */
    enum portpool_status (*associate)(HANDLE socket, UINT64 token);

    /* Ends a block of this process. Sockets bound from it keep their ports.
     * NOT_A_SOCKET, UNSUPPORTED_SOCKET, INVALID_TOKEN. */
    enum portpool_status (*release)(HANDLE socket, UINT64 token);

    /* Says whether the socket is associated and not bound yet, and its address family as the
     * host numbers them (AF_INET 2, AF_INET6 10). */
    BOOL (*awaits_port)(HANDLE socket, UINT *family);

    /* Gives a UDP socket that is not bound yet a processor, by the host's number, which must exist.
     * Sockets of this process that have one, each another, may be bound to one port at one address.
     * A later call replaces an earlier. NOT_A_SOCKET, UNSUPPORTED_SOCKET, ALREADY_BOUND,
     * NO_RESOURCES. */
    enum portpool_status (*set_affinity)(HANDLE socket, USHORT processor);
    /* FALSE if the socket has not been given one. */
    BOOL (*get_affinity)(HANDLE socket, USHORT *processor);

    /* Binds a socket that is associated to the port of its block (0: any), which bind is called
     * with, or one that has a processor beside others that have the port. The address is IPv6's, in
     * network byte order; an IPv4 one is mapped (::ffff:0:0 for its wildcard).
     * NOT_ASSOCIATED (bind it as Wine does), INVALID_TOKEN (the block has ended), OUTSIDE_BLOCK,
     * IN_USE, EXHAUSTED, NO_RESOURCES, CALL_FAILED. */
    enum portpool_status (*bind)(HANDLE socket, const BYTE address[16], USHORT port,
                                 portpool_bind_function bind, void *context);
    /* The socket, for which bind said NOT_ASSOCIATED, has been bound at the address. */
    void (*bound)(HANDLE socket, const BYTE address[16]);

    /* Binds an unassociated socket to an address for which Wine may bind UDP sockets to a
     * device, where the host's kernel would not keep them out of blocks.
     * NOT_ASSOCIATED (not such a socket), RESERVED, EXHAUSTED, CALL_FAILED. */
    enum portpool_status (*bind_interface)(HANDLE socket, USHORT port, portpool_bind_function bind,
                                           void *context);

    /* After a bind to the port has failed: RESERVED if it lies in a runtime block for the socket's
     * protocol, PERSISTENT if in a persistent range, ENDED if it did lie in one and the bind may
     * succeed now, SUCCESS if it has nothing to do with either. */
    enum portpool_status (*check_reserved)(HANDLE socket, USHORT port);

    /* Binds an unassociated socket to a port of a persistent range, which anybody may do by number.
     * The address is as in bind. NOT_ASSOCIATED (no such range: bind as Wine does), IN_USE,
     * CALL_FAILED. */
    enum portpool_status (*bind_persistent)(HANDLE socket, const BYTE address[16], USHORT port,
                                            portpool_bind_function bind, void *context);

    /* Lets a socket listen that is associated, or bound in a persistent range. NOT_ASSOCIATED,
     * CALL_FAILED. */
    enum portpool_status (*listen)(HANDLE socket, portpool_call_function listen, void *context);

    /* Closes a socket and ends what depended on it: the blocks that it acquired, its
     * association. SUCCESS, CALL_FAILED. */
    enum portpool_status (*close)(HANDLE socket, portpool_call_function close, void *context);

    /* Ends every block and association of the process: all its sockets are gone. */
    void (*close_all)(void);

    /* Stores a persistent range and waits until it is safe on disk and held. *token is never 0.
     * INVALID_RANGE, ACCESS_DENIED, IN_USE (a port is bound, or reserved in whichever way),
     * NO_RESOURCES, DISK_FULL, NO_HOLDER; the store is as it was after any of them. */
    enum portpool_status (*create_persistent)(enum portpool_protocol protocol, USHORT start,
                                              USHORT count, UINT64 *token);

    /* Ends a persistent range. Sockets bound from it keep their ports. INVALID_RANGE,
     * ACCESS_DENIED, NOT_FOUND, DISK_FULL, NO_HOLDER; the store is as it was after any of them. */
    enum portpool_status (*delete_persistent)(enum portpool_protocol protocol, USHORT start,
                                              USHORT count);

    /* The same for a range that ends with the prefix: nothing of it is stored. A range that the
     * store keeps, and that delete_active has ended, is there again. */
    enum portpool_status (*create_active)(enum portpool_protocol protocol, USHORT start,
                                          USHORT count, UINT64 *token);

    /* Ends a range until the prefix ends, however it was created; what the store keeps stays there,
     * and is held again when the prefix is started next. As delete_persistent, which deletes a
     * range that create_active has created, too. */
    enum portpool_status (*delete_active)(enum portpool_protocol protocol, USHORT start,
                                          USHORT count);

    /* Tells the token of the range that has exactly this start and count.
     * INVALID_RANGE, NOT_FOUND. */
    enum portpool_status (*lookup_persistent)(enum portpool_protocol protocol, USHORT start,
                                              USHORT count, UINT64 *token);

    /* Lists the blocks and ranges of a protocol, sorted by start, then count; the caller frees the
     * list with HeapFree. Where the prefix has no port table there are no blocks, and no range is
     * held. Nobody needs to be an administrator for this. NO_RESOURCES. */
    enum portpool_status (*list)(enum portpool_protocol protocol, struct portpool_listed **listed,
                                 UINT *count);

    /* Fills in the process that holds each port on the host, with a socket of its own beside that
     * of whoever has got the port; 0 for none. FALSE if no port is held. */
    BOOL (*list_held)(enum portpool_protocol protocol, DWORD processes[PORTPOOL_PORTS]);

    /* Calls back while this process holds a port that nobody knows of: as that one is seen, all
     * are. FALSE, without calling, if none could be held. */
    BOOL (*hold_one)(enum portpool_protocol protocol, portpool_look_function look, void *context);

    /* Lists which wanted ports (one byte each, not 0) are in use by which processes of the prefix,
     * sorted by port, then process, each pair once; the caller frees the list with HeapFree. What
     * is reserved and known to be idle is dropped from wanted: if nothing is left, nothing is
     * looked at, else each process's sockets are, one by one. NO_RESOURCES. */
    enum portpool_status (*list_uses)(enum portpool_protocol protocol, BYTE wanted[PORTPOOL_PORTS],
                                      struct portpool_use **uses, UINT *count);

    /* Tells which process holds the persistent ranges; FALSE if none does. */
    BOOL (*find_holder)(DWORD *process, UINT64 *owner);
};

/* portpool.dll's way in; NULL where its Unix side cannot be reached. */
const struct portpool *WINAPI portpool_get(void);

#endif
