/*
 * The host socket behind a Windows socket
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winternl.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* Exported by Wine's ntdll. The descriptor is a duplicate, the caller's to close. */
NTSTATUS CDECL wine_server_handle_to_fd(HANDLE handle, unsigned int access, int *fd,
                                        unsigned int *options);

enum portpool_status descriptor_open(HANDLE socket, struct descriptor *descriptor)
{
    struct unix_inspect_params params = {0};
    NTSTATUS status;

    if ((status = wine_server_handle_to_fd(socket, 0, &params.fd, NULL)))
    {
        TRACE("%p has no descriptor, status %#lx\n", socket, status);
        return PORTPOOL_NOT_A_SOCKET;
    }
    unix_call(UNIX_CALL_INSPECT, &params);
    if (params.status || params.protocol == UNIX_OTHER)
    {
        descriptor_close(params.fd);
        return params.status ? PORTPOOL_NOT_A_SOCKET : PORTPOOL_UNSUPPORTED_SOCKET;
    }
    descriptor->fd = params.fd;
    descriptor->protocol = params.protocol;
    descriptor->family = params.family;
    descriptor->port = params.port;
    return PORTPOOL_SUCCESS;
}

UINT64 descriptor_inode(int fd)
{
    struct unix_inode_params params = {.fd = fd};

    unix_call(UNIX_CALL_INODE, &params);
    return params.inode;
}

void descriptor_close(int fd)
{
    struct unix_close_params params = {.fd = fd};

    unix_call(UNIX_CALL_CLOSE, &params);
}
