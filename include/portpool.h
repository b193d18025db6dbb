/*
 * The port pool as Winsock's face sees it
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
#define PORTPOOL_VERSION 1

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
    PORTPOOL_ENDED,         /* in the block of a process that has ended */
    PORTPOOL_EXHAUSTED,     /* no port left to assign, or no block of that size */
    PORTPOOL_NO_RESOURCES,  /* descriptors or memory */
    PORTPOOL_CALL_FAILED,   /* the callback failed; its own error stands */
};

struct portpool_block
{
    UINT64 token; /* never 0 */
    USHORT start;
    USHORT count;
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

    /* Lets the socket draw its port from the token's block. A later call replaces an earlier.
     * NOT_A_SOCKET, UNSUPPORTED_SOCKET, INVALID_TOKEN, ALREADY_BOUND, NO_RESOURCES. */
    enum portpool_status (*associate)(HANDLE socket, UINT64 token);

    /* Ends a block of this process. Sockets bound from it keep their ports.
     * NOT_A_SOCKET, UNSUPPORTED_SOCKET, INVALID_TOKEN. */
    enum portpool_status (*release)(HANDLE socket, UINT64 token);

    /* Says whether the socket is associated and not bound yet, and its address family as the
     * host numbers them (AF_INET 2, AF_INET6 10). */
    BOOL (*awaits_port)(HANDLE socket, UINT *family);

    /* Binds an associated socket to the port of its block (0: any), which bind is called with.
     * NOT_ASSOCIATED, INVALID_TOKEN (the block has ended), OUTSIDE_BLOCK, IN_USE, EXHAUSTED,
     * NO_RESOURCES, CALL_FAILED. */
    enum portpool_status (*bind)(HANDLE socket, USHORT port, portpool_bind_function bind,
                                 void *context);

    /* Binds an unassociated socket to an address for which Wine may bind UDP sockets to a
     * device, where the host's kernel would not keep them out of blocks.
     * NOT_ASSOCIATED (not such a socket), RESERVED, EXHAUSTED, CALL_FAILED. */
    enum portpool_status (*bind_interface)(HANDLE socket, USHORT port, portpool_bind_function bind,
                                           void *context);

    /* After a bind to the port has failed: RESERVED if it lies in a runtime block for the socket's
     * protocol, ENDED if it did and the bind may succeed now, SUCCESS if it has nothing to do with
     * blocks. */
    enum portpool_status (*check_reserved)(HANDLE socket, USHORT port);

    /* Lets an associated socket listen. NOT_ASSOCIATED, CALL_FAILED. */
    enum portpool_status (*listen)(HANDLE socket, portpool_call_function listen, void *context);

    /* Closes a socket and ends what depended on it: the blocks that it acquired, its
     * association. SUCCESS, CALL_FAILED. */
    enum portpool_status (*close)(HANDLE socket, portpool_call_function close, void *context);

    /* Ends every block and association of the process: all its sockets are gone. */
    void (*close_all)(void);
};

/* portpool.dll's one export; NULL where its Unix side cannot be reached. */
const struct portpool *WINAPI portpool_get(void);

#endif
