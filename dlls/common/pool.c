/*
 * A drop-in's way to the port pool
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "pool.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

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
