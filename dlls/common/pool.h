/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_COMMON_POOL_H
#define TAWNY_COMMON_POOL_H

#include "portpool.h"

/* The port pool, loaded when first needed; NULL if it cannot be. Leaves the last error. */
const struct portpool *pool_load(void);
/* Does not load it. */
extern const struct portpool *pool;

static inline BOOL pool_tracks_sockets(void)
{
    return pool && *pool->tracked;
}

static inline BOOL pool_awaits_ports(void)
{
    return pool && *pool->unbound;
}

#endif
