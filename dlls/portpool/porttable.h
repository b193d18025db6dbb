/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose port is it? One table, shared by the processes of a prefix, with an entry a port and
 * protocol, changed by compare-and-swap alone: no lock can be left behind by a process that dies.
 * The kernel, not this table, keeps a port from others; the table says who reserved it, and which
 * ports of a block are given out. A runtime block whose owner is dead counts as free.
 *
 * A persistent range belongs to no process, and may outlive the one that holds it. Each of its
 * ports is idle; or drawn by a process, which gives it back; or uncertain: it was bound by number,
 * by a process that does not keep count, or its drawer is dead, and only the host knows whether it
 * is still used. Uncertain ports are reclaimed, when a draw finds no idle one, by whoever has asked
 * the host.
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
    PORT_PERSISTENT,
};

/* Ports share locks, a power of two of them. */
#define PORT_TABLE_LOCKS 256

struct port_table
{
    /* Bits 0 and 1: enum port_kind. Bit 2: drawn. Bit 3 of a persistent port: uncertain, never with
     * drawn; of a runtime one: the first of a block that is published. From bit 4 on, 60 bits: the
     * owner; of a persistent port its drawer, or, if it is uncertain, a number that changes each
     * time it is made so. */
    uint64_t entries[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    /* Where to look for a port to draw: a bit a port, a bit a word of those. Hints only: the entry
     * decides. */
    uint64_t idle[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS / 64];
    uint64_t idle_words[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS / 64 / 64];
    /* How many ports have come back: who finds none looks again if it has changed meanwhile. */
    uint64_t returned[PORT_TABLE_PROTOCOLS];
    /* Of the published range that starts at a port, if one does: its token, else 0; how many ports
     * it has, or the published block has that does; which one of the range was drawn last. */
    uint64_t tokens[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    uint16_t counts[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    uint16_t last_drawn[PORT_TABLE_PROTOCOLS][PORT_TABLE_PORTS];
    /* Who is just binding a persistent port of those that share the lock, 0 for nobody. */
    uint64_t locks[PORT_TABLE_LOCKS];
    uint64_t marks;  /* the last number that made a port uncertain */
    uint64_t holder; /* who holds the persistent ranges on the host, 0 before the first */
};

/* Says whether an owner lives; asked only when its entry is in somebody's way. */
typedef bool (*port_owner_alive)(uint64_t owner);

/* Makes a block of ports the owner's. All or none: false, with *conflict set, if one of them has a
 * living owner already. */
bool port_table_claim(struct port_table *table, unsigned int protocol, uint16_t start,
                      uint32_t count, uint64_t owner, port_owner_alive alive, uint16_t *conflict);

/* Makes a claimed block one that others find, before anything is drawn from it. */
void port_table_publish_block(struct port_table *table, unsigned int protocol, uint16_t start,
                              uint16_t count, uint64_t owner);

/* Finds the published block that begins at a port: its count, 0 if none does. An owner's death is
 * not looked at. */
uint16_t port_table_find_block(const struct port_table *table, unsigned int protocol,
                               uint16_t start, uint64_t *owner);

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

/* What the port is; *owner is its owner, nothing for a persistent one. An owner's death is not
 * looked at. */
enum port_kind port_table_lookup(const struct port_table *table, unsigned int protocol,
                                 uint16_t port, uint64_t *owner);

/* Says whether a port is reserved and nobody uses it, as far as the table knows. */
bool port_table_is_idle(const struct port_table *table, unsigned int protocol, uint16_t port);

/* Keeps a port from being claimed while the owner binds it by number; false, with nothing kept, if
 * it is reserved or persistent. True without keeping it if another owner is binding it too: the
 * host decides between those. *kept says which. */
bool port_table_begin_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                           uint64_t owner, port_owner_alive alive, bool *kept);
void port_table_end_bind(struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t owner);

/* Makes a block of ports persistent. Those that are persistent already stay as they are: the holder
 * may have been started again. All or none of the others: false, with *conflict set, if one of them
 * has a living owner. */
bool port_table_claim_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                 uint32_t count, port_owner_alive alive, uint16_t *conflict);

/* Gives a persistent block back, whatever its ports are used for. */
void port_table_free_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                uint32_t count);

/* Makes a persistent range known by its token, whose low 16 bits are the start port. From when it
 * is withdrawn on, nothing is drawn by that token. */
void port_table_publish(struct port_table *table, unsigned int protocol, uint16_t start,
                        uint16_t count, uint64_t token);
void port_table_withdraw(struct port_table *table, unsigned int protocol, uint16_t start);

/* Finds the range that a token stands for: its count, 0 if there is none. *start is its start. */
uint16_t port_table_find_token(const struct port_table *table, unsigned int protocol,
                               uint64_t token, uint16_t *start);

/* Gives out an idle port of the persistent range; 0 if none is. Constant, as port_table_draw. */
uint16_t port_table_draw_persistent(struct port_table *table, unsigned int protocol, uint16_t start,
                                    uint32_t count, uint64_t drawer);

/* Gives out this port; false if it is not idle. */
bool port_table_draw_exact_persistent(struct port_table *table, unsigned int protocol,
                                      uint16_t port, uint64_t drawer);

/* Says whether the port is still the drawer's, and not made uncertain since. */
bool port_table_is_drawn(const struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t drawer);

/* Takes back a port that was drawn; nothing happens if it has been made uncertain since. */
void port_table_return_persistent(struct port_table *table, unsigned int protocol, uint16_t port,
                                  uint64_t drawer);

/* Makes a persistent port uncertain, drawn or not; false if it is not persistent. */
bool port_table_make_uncertain(struct port_table *table, unsigned int protocol, uint16_t port);

/* Reclaiming: first note the entries of the ports that may be (uncertain, or drawn by the dead, and
 * nobody is just binding there); then ask the host; then reclaim those that it says nobody uses. 0
 * where there is nothing to reclaim. */
uint64_t port_table_reclaimable(const struct port_table *table, unsigned int protocol,
                                uint16_t port, port_owner_alive alive);
bool port_table_reclaim(struct port_table *table, unsigned int protocol, uint16_t port,
                        uint64_t noted);

/* Keeps others from binding the port; false if somebody living has the lock. Whoever binds a
 * persistent port, drawn or by number, holds it meanwhile. */
bool port_table_try_lock(struct port_table *table, unsigned int protocol, uint16_t port,
                         uint64_t owner, port_owner_alive alive);
void port_table_unlock(struct port_table *table, unsigned int protocol, uint16_t port,
                       uint64_t owner);

#endif
