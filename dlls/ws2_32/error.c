/*
 * The port pool's statuses as Winsock's errors
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

int pool_error(enum portpool_status status)
{
    switch (status)
    {
    case PORTPOOL_SUCCESS:
        return 0;
    case PORTPOOL_NOT_A_SOCKET:
        return WSAENOTSOCK;
    case PORTPOOL_UNSUPPORTED_SOCKET:
        return WSAEOPNOTSUPP;
    case PORTPOOL_NOT_ASSOCIATED:
    case PORTPOOL_INVALID_RANGE:
    case PORTPOOL_INVALID_TOKEN:
    case PORTPOOL_ALREADY_BOUND:
    case PORTPOOL_OUTSIDE_BLOCK:
        return WSAEINVAL;
    case PORTPOOL_IN_USE:
        return WSAEADDRINUSE;
    case PORTPOOL_RESERVED:
    case PORTPOOL_ACCESS_DENIED:
        return WSAEACCES;
    case PORTPOOL_EXHAUSTED:
    case PORTPOOL_NO_RESOURCES:
        return WSAENOBUFS;
    case PORTPOOL_PERSISTENT:
    case PORTPOOL_ENDED:
    case PORTPOOL_CALL_FAILED:
        break; /* its caller keeps the error of the call that failed */
    case PORTPOOL_NOT_FOUND:
    case PORTPOOL_DISK_FULL:
    case PORTPOOL_NO_HOLDER:
        break; /* not of any function that Winsock calls */
    }
    return WSAEINVAL;
}
