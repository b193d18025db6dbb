/*
 * uthash for the static analyser, which makes thousands of paths of a hash function, and does not
 * know what the links of a hash have to do with its head
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include_next <uthash.h>

/* Some function: what it does to the head and to the element, nobody knows. */
void *analysed_hash(const void *head, const void *key, size_t length);

#undef HASH_FIND
#undef HASH_ADD
#undef HASH_DELETE

#define HASH_FIND(hh, head, key, length, out) ((out) = analysed_hash(head, key, length))
#define HASH_ADD(hh, head, field, length, add)                                                     \
    ((add)->hh.tbl = analysed_hash(head, &(add)->field, length),                                   \
     (head) = analysed_hash(head, add, 0))
#define HASH_DELETE(hh, head, element) ((head) = analysed_hash(head, element, 0))
