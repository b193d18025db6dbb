/*
 * Binding a socket to a port that is lent to it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

enum portpool_bind_result lend_bind(int placeholder, int fd, UINT protocol, USHORT port,
                                    portpool_bind_function bind, void *context)
{
    struct unix_lend_params params = {
        .placeholder = placeholder, .socket = fd, .protocol = protocol};
    enum portpool_bind_result result;

    unix_call(UNIX_CALL_LEND, &params);
    if (params.status) return PORTPOOL_BIND_CONFLICT;
    result = bind(port, context);
    params.done = result == PORTPOOL_BIND_DONE;
    unix_call(UNIX_CALL_SETTLE, &params);
    return result;
}
