/*
 * uthash on the process heap, for a DLL without a C runtime
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_HASH_H
#define TAWNY_PORTPOOL_HASH_H

/* An element that could not be added has a NULL hh.tbl. */
#define HASH_NONFATAL_OOM        1
#define uthash_malloc(size)      HeapAlloc(GetProcessHeap(), 0, size)
#define uthash_free(block, size) HeapFree(GetProcessHeap(), 0, block)

#include "uthash.h"

#endif
