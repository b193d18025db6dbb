/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose port is it? One table, shared by the processes of a prefix, with an entry a port and
 * protocol, changed by compare-and-swap alone: no lock can be left behind by a process that dies.
 * The kernel, not this table, keeps a port from others; the table says who reserved it, and which
 * ports of a block are given out. An entry whose owner is dead counts as free.
 *
 * Plain C, without Windows or Unix: the caller brings the memory, zeroed, and the means to tell
 * whether an owner lives. Ports are in host byte order; port 0 is not used.
 */
#ifndef TAWNY_PORTPOOL_PORTTABLE_H
#define TAWNY_PORTPOOL_PORTTABLE_H

#include <stdbool.h>
#include <stdint.h>

#define PORT_TABLE_PROTOCOLS 2
#define PORT_TABLE_PORTS     65536

enum port_kind
{
    PORT_FREE,
    PORT_RUNTIME, /* in a block that the owner acquired */
    PORT_BINDING, /* the owner is about to bind it by number: in use, for an instant */
};

struct port_table
{
    /* Bits 0 and 1: enum port_kind. Bit 2: drawn. From bit 4 on: the owner, 60 bits. */
    uint64_t entries[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    /* Where to look for a port to draw: a bit a port, a bit a word of those. Hints only: the entry
     * decides. */
    uint64_t idle[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS / 64];
    uint64_t idle_words[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS / 64 / 64];
    /* How many ports have come back: who finds none looks again if it has changed meanwhile. */
    uint64_t returned[PORT_TABLE_PROTOCOLS];
};

/* Says whether an owner lives; asked only when its entry is in somebody's way. */
typedef bool (*port_owner_alive)(uint64_t owner);

/* Makes a block of ports the owner's. All or none: false, with *conflict set, if one of them has a
 * living owner already. */
bool port_table_claim(struct port_table *table, unsigned int protocol, uint16_t start,
                      uint32_t count, uint64_t owner, port_owner_alive alive, uint16_t *conflict);

/* Gives a block back, drawn ports included. */
void port_table_free(struct port_table *table, unsigned int protocol, uint16_t start,
                     uint32_t count, uint64_t owner);

/* Gives out a port of the owner's block, the next after "after" that is idle; 0 if none is. The
 * time it takes to find one does not depend on how full the block is. */
uint16_t port_table_draw(struct port_table *table, unsigned int protocol, uint16_t start,
                         uint32_t count, uint64_t owner, uint16_t after);

/* Gives out this port of the owner's block; false if it is given out already. */
bool port_table_draw_exact(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner);

/* Takes back a port that was drawn. */
void port_table_return(struct port_table *table, unsigned int protocol, uint16_t port,
                       uint64_t owner);

/* What the port is; *owner is its owner. An owner's death is not looked at. */
enum port_kind port_table_lookup(const struct port_table *table, unsigned int protocol,
                                 uint16_t port, uint64_t *owner);

/* Keeps a port from being claimed while the owner binds it by number; false, with nothing kept, if
 * it is reserved. True without keeping it if another owner is binding it too: the host decides
 * between those. *kept says which. */
bool port_table_begin_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner, port_owner_alive alive, bool *kept);
void port_table_end_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t owner);

#endif
