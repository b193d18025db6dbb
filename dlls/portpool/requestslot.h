/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a client asks the holder to change the store: a few slots in memory that the prefix's
 * processes share, changed by compare-and-swap alone. Whoever dies leaves a slot in a state from
 * which the others go on. Who waits for whom, and how, is not known here.
 *
 *   FREE -claim-> FILLING -post-> PENDING -take-> TAKEN -commit-> COMMITTING
 *   TAKEN, COMMITTING -answer-> DONE -release-> FREE;  FILLING, PENDING -release-> FREE
 *
 * A client that gives up may release a slot that nobody has taken yet: then nothing will be done.
 * One that is taken it must leave: abandoned, it is not done if the holder has not committed
 * itself, and the holder frees it. A holder that is started in the place of a dead one finds the
 * slots that were taken and never answered.
 *
 * Plain C, without Windows or Unix: the caller brings the memory, zeroed.
 */
#ifndef TAWNY_PORTPOOL_REQUESTSLOT_H
#define TAWNY_PORTPOOL_REQUESTSLOT_H

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_SLOTS 16

enum request_operation
{
    REQUEST_CREATE,
    REQUEST_DELETE,
};

enum request_store
{
    REQUEST_PERSISTENT,
    REQUEST_ACTIVE,
};

struct request
{
    uint32_t operation; /* enum request_operation */
    uint32_t store;     /* enum request_store */
    uint32_t protocol;
    uint16_t start; /* host byte order */
    uint16_t count;
};

struct request_answer
{
    uint32_t status; /* the asker's and the answerer's own numbers */
    uint64_t token;
};

struct request_slot
{
    /* Bits 0 to 2: the state. Bit 3: abandoned. From bit 4 on: the client, 60 bits. */
    uint64_t state;
    struct request request;
    struct request_answer answer;
};

struct request_slots
{
    struct request_slot slots[REQUEST_SLOTS];
};

typedef bool (*request_client_alive)(uint64_t client);

/* Finds a slot and puts the request there, PENDING: its number, -1 if all are in use. Slots of dead
 * clients that nobody has taken are used again. */
int request_post(struct request_slots *slots, uint64_t client, const struct request *request,
                 request_client_alive alive);

/* The client's look: false until it is answered. The slot is FREE afterwards. */
bool request_fetch(struct request_slots *slots, int slot, uint64_t client,
                   struct request_answer *answer);

/* The client gives up: true if nobody had taken the request, and nothing will come of it. With
 * false it is taken, or answered by now: request_fetch tells for as long as the client waits on. */
bool request_cancel(struct request_slots *slots, int slot, uint64_t client);

/* The client goes without having fetched an answer from a taken slot. True if nothing will come of
 * the request: the holder was not committed yet, and will not be. */
bool request_abandon(struct request_slots *slots, int slot, uint64_t client);

/* The holder's: the number of a PENDING slot, TAKEN now; -1 if there is none. Pending requests of
 * dead clients are dropped. */
int request_take(struct request_slots *slots, struct request *request, request_client_alive alive);

/* A slot from "after" + 1 on that an earlier holder took and did not answer; -1 if there is none
 * left. *committing says whether it may have changed the store already. Abandoned ones that had not
 * are dropped. */
int request_next_taken(struct request_slots *slots, int after, struct request *request,
                       bool *committing);

/* From here on, the store may have been changed. False if the client has abandoned the request: it
 * must not be then, and request_give_answer frees the slot. */
bool request_commit(struct request_slots *slots, int slot);

/* Answers, or frees a slot whose client is gone. False if the client has abandoned it, and so been
 * told that the request has failed; one that is dead was told nothing. */
bool request_give_answer(struct request_slots *slots, int slot, const struct request_answer *answer,
                         request_client_alive alive);

#endif
