/*
 * Winsock's way to the port pool
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(ws2_32);

const struct portpool *pool;

static BOOL CALLBACK pool_init(INIT_ONCE *once, void *param, void **context)
{
    const struct portpool *(WINAPI * get)(void);
    const struct portpool *loaded;
    HMODULE module;

    (void)once;
    (void)param;
    (void)context;
    /* Ours, not one that lies beside the program. Never unloaded: it holds what was reserved. */
    if (!(module = LoadLibraryExW(L"portpool.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32)))
    {
        ERR("portpool.dll could not be loaded, error %lu: was this started by tawny run?\n",
            GetLastError());
        return TRUE;
    }
    get = (void *)GetProcAddress(module, "portpool_get");
    loaded = get ? get() : NULL;
    if (loaded && loaded->version != PORTPOOL_VERSION)
    {
        ERR("portpool.dll is of another version: run tawny setup\n");
        loaded = NULL;
    }
    pool = loaded;
    return TRUE;
}

const struct portpool *pool_load(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    DWORD error = GetLastError();

    InitOnceExecuteOnce(&once, pool_init, NULL, NULL);
    SetLastError(error);
    return pool;
}

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
        return WSAEACCES;
    case PORTPOOL_EXHAUSTED:
    case PORTPOOL_NO_RESOURCES:
        return WSAENOBUFS;
    case PORTPOOL_ENDED:
    case PORTPOOL_CALL_FAILED:
        break; /* its caller keeps the error of the call that failed */
    }
    return WSAEINVAL;
}
