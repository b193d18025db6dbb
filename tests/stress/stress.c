/*
 * One of the Windows programs of the stress test: threads that reserve, draw, bind and talk
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   stress.exe create MODEL                        creates the persistent ranges
 *   stress.exe work MODEL PROCESS SLOT THREADS     works until the model says to stop
 *   stress.exe verify MODEL                        checks that nothing is left, and deletes them
 *
 * MODEL is the file of model.h; PROCESS the number of this process there, SLOT its place.
 * tests/stress/host.c starts them. Exit code: 0, unless the program cannot work at all: what fails
 * is in the model.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <mstcpip.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#ifndef SIO_RELEASE_PORT_RESERVATION
#define SIO_RELEASE_PORT_RESERVATION _WSAIOW(IOC_VENDOR, 101)
#endif

#define BLOCKS      8 /* that the threads of a process share */
#define BLOCK_COUNT 8 /* the most ports of one */
#define HELD        4 /* sockets that a thread keeps */
#define PATIENCE    10000
#define MESSAGES    50 /* times that a datagram is sent */

struct block
{
    ULONG64 token; /* 0: there is none */
    SOCKET owner;
    unsigned int protocol;
    USHORT start;
    USHORT count;
    uint64_t entry;
};

static struct shared_block
{
    SRWLOCK lock; /* exclusive: to change it */
    struct block block;
} shared_blocks[BLOCKS];

/* A socket that the model has an entry for. */
struct held
{
    SOCKET s;
    unsigned int protocol;
    USHORT port; /* 0: none */
    uint64_t entry;
};

struct thread
{
    unsigned int number;
    uint32_t random;
    uint64_t last_entry;
    struct model_thread *shown;
    struct held held[HELD];
    struct block quiet; /* nothing is associated with it */
};

static struct model *model;
static unsigned int process_number, process_slot;

static const struct
{
    const char *address;
    BOOL dual;
    const char *reached_at;
} shapes[] = {
    {"0.0.0.0", FALSE, "127.0.0.1"}, {"127.0.0.1", FALSE, "127.0.0.1"}, {"::", FALSE, "::1"},
    {"::1", FALSE, "::1"},           {"::", TRUE, "127.0.0.1"},
};
#define SHAPES ARRAYSIZE(shapes)

static const char *const protocol_names[] = {"tcp", "udp"};

/* The director shows the line of a thread that does not come back. */
#define AT(thread) ((thread)->shown->line = __LINE__)

static void fail(const char *what)
{
    fprintf(stderr, "stress: %s\n", what);
    exit(2);
}

/*
 * The model
 */

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    model_report(model, format, args);
    va_end(args);
}

/* What this process sees counts no more when it is being killed: others do not respect it. */
static BOOL are_dying(void)
{
    return __atomic_load_n(&model->states[process_number], __ATOMIC_SEQ_CST) == STATE_DYING;
}

#define check(condition, ...)                                                                      \
    do                                                                                             \
    {                                                                                              \
        model_count(model, EVENT_CHECKS);                                                          \
        if (!(condition) && !are_dying()) report(__VA_ARGS__);                                     \
    } while (0)

static void begin(struct thread *thread, enum model_operation operation, unsigned int protocol,
                  unsigned int port)
{
    thread->shown->operation = operation;
    thread->shown->protocol = protocol;
    thread->shown->port = port;
    __atomic_fetch_add(&thread->shown->steps, 1, __ATOMIC_SEQ_CST);
}

static uint32_t number(struct thread *thread, uint32_t limit)
{
    return model_random(&thread->random) % limit;
}

static uint64_t new_entry(struct thread *thread, unsigned int low)
{
    thread->last_entry += ENTRY_STEP;
    return thread->last_entry | low;
}

/* Writes an entry down; says which true one was there, 0 if none. That of a dead process goes. */
static uint64_t write_down(uint64_t *place, uint64_t entry)
{
    uint64_t found = 0;

    while (!model_swap(place, &found, entry))
        if (model_is_true(model, found)) return found;
    return 0;
}

static void strike_out(uint64_t *place, uint64_t entry, const char *what, unsigned int port)
{
    uint64_t found = entry;

    check(model_swap(place, &found, 0), "%s %u of %llx: struck out by %llx", what, port,
          (unsigned long long)entry, (unsigned long long)found);
}

static uint64_t *block_of(unsigned int protocol, unsigned int port)
{
    return &model->blocks[protocol][port];
}

static uint64_t *socket_at(unsigned int protocol, unsigned int port)
{
    return &model->sockets[protocol][port];
}

/*
 * Calls
 */

static int make_address(const char *text, USHORT port, SOCKADDR_STORAGE *address)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    memset(address, 0, sizeof(*address));
    if (strchr(text, ':'))
    {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        if (strcmp(text, "::")) in6->sin6_addr.s6_addr[15] = 1;
        return sizeof(*in6);
    }
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = strcmp(text, "0.0.0.0") ? htonl(INADDR_LOOPBACK) : 0;
    return sizeof(*in);
}

static SOCKET make_socket(unsigned int protocol, unsigned int shape)
{
    int family = strchr(shapes[shape].address, ':') ? AF_INET6 : AF_INET;
    SOCKET s = socket(family, protocol == MODEL_TCP ? SOCK_STREAM : SOCK_DGRAM, 0);
    DWORD off = 0;

    check(s != INVALID_SOCKET, "socket: error %d", WSAGetLastError());
    if (shapes[shape].dual)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off));
    return s;
}

static int try_bind(SOCKET s, unsigned int shape, USHORT *port)
{
    SOCKADDR_STORAGE storage;
    int size = make_address(shapes[shape].address, *port, &storage);

    if (bind(s, (struct sockaddr *)&storage, size)) return WSAGetLastError();
    if (getsockname(s, (struct sockaddr *)&storage, &size)) return WSAGetLastError();
    /* IPv6 has it in the same place. */
    *port = ntohs(((struct sockaddr_in *)&storage)->sin_port);
    return 0;
}

static USHORT port_of(SOCKET s)
{
    SOCKADDR_STORAGE storage;
    int size = sizeof(storage);

    if (getsockname(s, (struct sockaddr *)&storage, &size)) return 0;
    return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

/* Associates with a token, or releases it. */
static int try_token(SOCKET s, DWORD code, ULONG64 token)
{
    DWORD returned;

    return WSAIoctl(s, code, &token, sizeof(token), NULL, 0, &returned, NULL, NULL)
               ? WSAGetLastError()
               : 0;
}

static int try_associate(SOCKET s, ULONG64 token)
{
    return try_token(s, SIO_ASSOCIATE_PORT_RESERVATION, token);
}

static int try_acquire(SOCKET s, USHORT start, USHORT count, USHORT *got, ULONG64 *token)
{
    INET_PORT_RANGE range = {htons(start), count};
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned;

    if (WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                 sizeof(instance), &returned, NULL, NULL))
        return WSAGetLastError();
    *got = ntohs(instance.StartPort);
    *token = instance.Token;
    return 0;
}

static int try_release(SOCKET s, ULONG64 token)
{
    return try_token(s, SIO_RELEASE_PORT_RESERVATION, token);
}

static void close_socket(SOCKET s)
{
    int error = closesocket(s) ? WSAGetLastError() : 0;

    check(!error, "closesocket: error %d", error);
}

/* Not every connection is to leave something in TIME_WAIT. */
static void close_hard(SOCKET s)
{
    struct linger linger = {1, 0};

    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger));
    close_socket(s);
}

static BOOL lacks_resources(int error)
{
    if (error != WSAEMFILE && error != WSA_NOT_ENOUGH_MEMORY) return FALSE;
    model_count(model, EVENT_NO_MEMORY);
    return TRUE;
}

/*
 * Sockets
 */

static void drop(struct thread *thread, struct held *held)
{
    if (!held->port) return;
    begin(thread, OPERATION_CLOSE, held->protocol, held->port);
    if (held->entry)
        strike_out(socket_at(held->protocol, held->port), held->entry, "the port", held->port);
    AT(thread);
    close_socket(held->s);
    model_count(model, EVENT_CLOSED);
    memset(held, 0, sizeof(*held));
}

static struct held *place_for_socket(struct thread *thread)
{
    struct held *held = &thread->held[number(thread, HELD)];

    drop(thread, held);
    return held;
}

/* Takes note of a socket that was drawn; 0 if another has the port, which is wrong, but for one
 * thing: once the block has ended, sockets that have nothing to do with blocks may be bound at
 * other addresses of the port, even before this one is noted. */
static uint64_t note_drawn(struct thread *thread, const struct block *block, unsigned int protocol,
                           unsigned int shape, USHORT port, const char *how)
{
    uint64_t entry = new_entry(thread, shape | ENTRY_DRAWN);
    uint64_t other = write_down(socket_at(protocol, port), entry);
    BOOL ended = block && model_get(block_of(protocol, port)) != block->entry;
    BOOL may_be = ended && !(other & ENTRY_DRAWN) && ENTRY_SHAPE(other) != shape;

    if (other && may_be) model_count(model, EVENT_ENDED_SHARED);
    check(!other || may_be, "%s port %u was given twice: %s, to %llx, and %llx has it",
          protocol_names[protocol], port, how, (unsigned long long)entry,
          (unsigned long long)other);
    return other ? 0 : entry;
}

static void hold(struct thread *thread, struct held *held, SOCKET s, const struct block *block,
                 unsigned int protocol, unsigned int shape, USHORT port, const char *how)
{
    held->s = s;
    held->protocol = protocol;
    held->port = port;
    held->entry = note_drawn(thread, block, protocol, shape, port, how);
}

/* The same for one that has nothing to do with blocks: where it is bound, there is none; but there
 * may be other sockets, at other addresses. */
static void hold_plain(struct thread *thread, struct held *held, SOCKET s, unsigned int protocol,
                       unsigned int shape, USHORT port, const char *how)
{
    uint64_t entry = new_entry(thread, shape), other;
    uint64_t block = model_get(block_of(protocol, port));

    check(!model_is_true(model, block), "%s port %u of a block: %s, %llx is bound, %llx has it",
          protocol_names[protocol], port, how, (unsigned long long)entry,
          (unsigned long long)block);
    held->s = s;
    held->protocol = protocol;
    held->port = port;
    other = write_down(socket_at(protocol, port), entry);
    held->entry = other ? 0 : entry;
    check(!other || ENTRY_SHAPE(other) != shape,
          "%s port %u at %s was given twice: %s, to %llx, and %llx has it",
          protocol_names[protocol], port, shapes[shape].address, how, (unsigned long long)entry,
          (unsigned long long)other);
}

/*
 * Blocks
 */

/* Nobody has, or binds, what was just acquired. */
static void note_block(struct thread *thread, struct block *block, BOOL quiet)
{
    uint32_t recent;
    uint64_t other;

    block->entry = new_entry(thread, quiet ? ENTRY_QUIET : 0);
    for (unsigned int port = block->start; port < (unsigned int)block->start + block->count; port++)
    {
        other = write_down(block_of(block->protocol, port), block->entry);
        check(!other, "%s port %u was reserved twice: by %llx, and %llx has it",
              protocol_names[block->protocol], port, (unsigned long long)block->entry,
              (unsigned long long)other);
        other = model_get(socket_at(block->protocol, port));
        check(!model_is_true(model, other), "%s port %u was reserved by %llx while %llx is bound",
              protocol_names[block->protocol], port, (unsigned long long)block->entry,
              (unsigned long long)other);
        other = model_get(&model->natives[block->protocol][port]);
        check(!other, "%s port %u was reserved by %llx while the native program %u is bound",
              protocol_names[block->protocol], port, (unsigned long long)block->entry,
              ENTRY_THREAD(other));
    }
    recent = __atomic_fetch_add(&model->recent_next, 1, __ATOMIC_RELAXED) % MODEL_RECENT;
    model->recent[recent] = block->protocol << 16 | block->start;
}

static BOOL acquire(struct thread *thread, struct block *block, BOOL quiet)
{
    unsigned int protocol = number(thread, MODEL_PROTOCOLS), shape = number(thread, SHAPES);
    USHORT count = 1 + number(thread, BLOCK_COUNT), start = 0;
    SOCKET s;
    int error;

    if (number(thread, 4))
        start = REGION_FIRST + number(thread, REGION_LAST - REGION_FIRST + 2 - count);
    begin(thread, OPERATION_ACQUIRE, protocol, start);
    memset(block, 0, sizeof(*block));
    if ((s = make_socket(protocol, shape)) == INVALID_SOCKET) return FALSE;
    AT(thread);
    error = try_acquire(s, start, count, &block->start, &block->token);
    if (error)
    {
        check(error == WSAEADDRINUSE || lacks_resources(error), "acquire %s %u %u: error %d",
              protocol_names[protocol], start, count, error);
        check(start || error != WSAEADDRINUSE, "acquire %s 0 %u: error %d",
              protocol_names[protocol], count, error);
        model_count(model, EVENT_ACQUIRE_BUSY);
        block->token = 0;
        close_socket(s);
        return FALSE;
    }
    check(start ? block->start == start : block->start >= DYNAMIC_FIRST, "acquire %s %u %u: got %u",
          protocol_names[protocol], start, count, block->start);
    block->owner = s;
    block->protocol = protocol;
    block->count = count;
    note_block(thread, block, quiet);
    model_count(model, EVENT_ACQUIRED);
    return TRUE;
}

static void release(struct thread *thread, struct block *block)
{
    unsigned int how = number(thread, 2);

    begin(thread, OPERATION_RELEASE, block->protocol, block->start);
    for (unsigned int port = block->start; port < (unsigned int)block->start + block->count; port++)
        strike_out(block_of(block->protocol, port), block->entry, "the block's port", port);
    AT(thread);
    if (how)
    {
        int error = try_release(block->owner, block->token);

        check(!error, "release of %s %u: error %d", protocol_names[block->protocol], block->start,
              error);
    }
    AT(thread);
    close_socket(block->owner);
    memset(block, 0, sizeof(*block));
    model_count(model, EVENT_RELEASED);
}

/* Ends a block that others may be drawing from, makes one where there is none. */
static void change_block(struct thread *thread)
{
    struct shared_block *shared = &shared_blocks[number(thread, BLOCKS)];

    AcquireSRWLockExclusive(&shared->lock);
    if (shared->block.token)
        release(thread, &shared->block);
    else
        acquire(thread, &shared->block, FALSE);
    ReleaseSRWLockExclusive(&shared->lock);
}

static void change_quiet(struct thread *thread)
{
    if (thread->quiet.token)
        release(thread, &thread->quiet);
    else
        acquire(thread, &thread->quiet, TRUE);
}

/* One of the process's blocks, which may end as soon as we have it: true if there is one. */
static BOOL pick_block(struct thread *thread, struct block *block)
{
    struct shared_block *shared = &shared_blocks[number(thread, BLOCKS)];

    AcquireSRWLockShared(&shared->lock);
    *block = shared->block;
    ReleaseSRWLockShared(&shared->lock);
    return block->token != 0;
}

/* What an error of a call that draws may be. */
static void check_draw_error(const struct block *block, const char *what, USHORT port, int error)
{
    BOOL lives = model_get(block_of(block->protocol, block->start)) == block->entry;

    if (lacks_resources(error)) return;
    if (error == WSAEINVAL)
    {
        check(!lives, "%s, port %u of living %s %u: error %d", what, port,
              protocol_names[block->protocol], block->start, error);
        model_count(model, EVENT_ENDED);
        return;
    }
    check(error == (port ? WSAEADDRINUSE : WSAENOBUFS), "%s, port %u of %s %u: error %d", what,
          port, protocol_names[block->protocol], block->start, error);
    model_count(model, port ? EVENT_EXACT_BUSY : EVENT_EXHAUSTED);
}

/* Binds a socket from one of the process's blocks; NULL if that could not be. */
static struct held *draw(struct thread *thread, const struct block *block, unsigned int shape,
                         USHORT port)
{
    struct held *held = place_for_socket(thread);
    USHORT wanted = port;
    SOCKET s;
    int error;

    begin(thread, port ? OPERATION_DRAW_EXACT : OPERATION_DRAW, block->protocol,
          port ? port : block->start);
    if ((s = make_socket(block->protocol, shape)) == INVALID_SOCKET) return NULL;
    AT(thread);
    error = try_associate(s, block->token);
    if (error)
        check(error == WSAEINVAL || lacks_resources(error), "associate %s %u: error %d",
              protocol_names[block->protocol], block->start, error);
    AT(thread);
    if (!error && !(error = try_bind(s, shape, &port)))
    {
        check(wanted ? port == wanted : port >= block->start && port - block->start < block->count,
              "port %u of %s %u %u, wanted %u", port, protocol_names[block->protocol], block->start,
              block->count, wanted);
        hold(thread, held, s, block, block->protocol, shape, port, wanted ? "by number" : "drawn");
        model_count(model, wanted ? EVENT_EXACT : EVENT_DRAWN);
        return held;
    }
    check_draw_error(block, "draw", wanted, error);
    close_socket(s);
    return NULL;
}

static struct held *draw_some(struct thread *thread, unsigned int *shape)
{
    struct block block;
    USHORT port = 0;

    if (!pick_block(thread, &block)) return NULL;
    if (!number(thread, 4)) port = block.start + number(thread, block.count);
    *shape = number(thread, SHAPES);
    return draw(thread, &block, *shape, port);
}

/* Who has not reserved a port is refused while somebody else has. */
static void bind_foreign(struct thread *thread)
{
    unsigned int protocol, shape = number(thread, SHAPES);
    USHORT port = model_pick_port(model, &thread->random, &protocol);
    struct held *held = place_for_socket(thread);
    uint64_t before, after;
    int error;
    SOCKET s;

    begin(thread, OPERATION_FOREIGN, protocol, port);
    if ((s = make_socket(protocol, shape)) == INVALID_SOCKET) return;
    before = model_get(block_of(protocol, port));
    AT(thread);
    error = try_bind(s, shape, &port);
    after = model_get(block_of(protocol, port));
    if (before == after && model_is_true(model, before))
    {
        check(error == WSAEACCES, "bind to %s %u at %s, which %llx reserves: error %d",
              protocol_names[protocol], port, shapes[shape].address, (unsigned long long)before,
              error);
        model_count(model, EVENT_FOREIGN_REFUSED);
    }
    else
        model_count(model, EVENT_FOREIGN_FREE);
    if (!error)
        hold_plain(thread, held, s, protocol, shape, port, "by number");
    else
    {
        check(error == WSAEACCES || error == WSAEADDRINUSE || lacks_resources(error),
              "bind to %s %u at %s: error %d", protocol_names[protocol], port,
              shapes[shape].address, error);
        close_socket(s);
    }
}

static struct held *bind_plain(struct thread *thread, unsigned int protocol, unsigned int shape)
{
    struct held *held = place_for_socket(thread);
    USHORT port = 0;
    int error;
    SOCKET s;

    begin(thread, OPERATION_PLAIN, protocol, 0);
    if ((s = make_socket(protocol, shape)) == INVALID_SOCKET) return NULL;
    AT(thread);
    if (!(error = try_bind(s, shape, &port)))
    {
        hold_plain(thread, held, s, protocol, shape, port, "automatically");
        check(port < PERSISTENT_FIRST || port >= PERSISTENT_FIRST + PERSISTENT_COUNT,
              "%s port %u of a persistent range was given out", protocol_names[protocol], port);
        model_count(model, EVENT_PLAIN_BOUND);
        return held;
    }
    check(error == WSAEADDRINUSE || error == WSAENOBUFS || lacks_resources(error),
          "automatic bind of %s: error %d", protocol_names[protocol], error);
    model_count(model, EVENT_PLAIN_NONE);
    close_socket(s);
    return NULL;
}

/*
 * Conversations
 */

static void begin_talking(void)
{
    __atomic_fetch_add(&model->talking[process_slot], 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&model->doomed[process_slot], __ATOMIC_SEQ_CST)) return;
    __atomic_fetch_sub(&model->talking[process_slot], 1, __ATOMIC_SEQ_CST);
    Sleep(INFINITE);
}

static void end_talking(void)
{
    __atomic_fetch_sub(&model->talking[process_slot], 1, __ATOMIC_SEQ_CST);
}

static int say(SOCKET s, uint64_t message, const SOCKADDR_STORAGE *to, int size)
{
    int sent;

    begin_talking();
    sent = sendto(s, (const char *)&message, sizeof(message), 0, (const struct sockaddr *)to, size);
    end_talking();
    return sent;
}

/* There is something to hear. */
static int hear(SOCKET s, uint64_t *message, SOCKADDR_STORAGE *from, int *size)
{
    int got;

    begin_talking();
    got = recvfrom(s, (char *)message, sizeof(*message), 0, (struct sockaddr *)from, size);
    end_talking();
    return got;
}

static SOCKET hear_client(SOCKET s)
{
    SOCKET accepted;

    begin_talking();
    accepted = accept(s, NULL, NULL);
    end_talking();
    return accepted;
}

static BOOL wait_readable(SOCKET s, unsigned int milliseconds)
{
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    fd_set set;
    int count;

    FD_ZERO(&set);
    FD_SET(s, &set);
    begin_talking();
    count = select(0, &set, NULL, NULL, &time);
    end_talking();
    return count == 1;
}

static BOOL say_and_hear(SOCKET from, SOCKET to, uint64_t message)
{
    uint64_t got = 0;

    return say(from, message, NULL, 0) == sizeof(message) && wait_readable(to, PATIENCE) &&
           hear(to, &got, NULL, NULL) == sizeof(got) && got == message;
}

/* Connects to a listener, from a port of a block now and then; the entry that was made for that. */
static SOCKET connect_to(struct thread *thread, const struct held *listener, const char *address,
                         struct held *client)
{
    SOCKADDR_STORAGE storage;
    int size = make_address(address, listener->port, &storage), error = 0;
    unsigned int shape = storage.ss_family == AF_INET6 ? 2 : 0;
    SOCKET s = make_socket(MODEL_TCP, shape);
    struct block block = {0};
    uint64_t other;

    memset(client, 0, sizeof(*client));
    if (number(thread, 2) || !pick_block(thread, &block) || block.protocol != MODEL_TCP)
        block.token = 0;
    AT(thread);
    if (block.token && (error = try_associate(s, block.token)))
    {
        check_draw_error(&block, "associate", 0, error);
        block.token = error = 0;
    }
    AT(thread);
    begin_talking();
    if (connect(s, (struct sockaddr *)&storage, size)) error = WSAGetLastError();
    end_talking();
    if (!error)
    {
        client->s = s;
        client->port = port_of(s);
        other = model_get(block_of(MODEL_TCP, client->port));
        check(block.token || !model_is_true(model, other),
              "tcp port %u of a block: connected from it, %llx has it", client->port,
              (unsigned long long)other);
        if (!block.token) return s;
        check(client->port >= block.start && client->port - block.start < block.count,
              "connected from %u, not from tcp %u %u", client->port, block.start, block.count);
        client->entry = note_drawn(thread, &block, MODEL_TCP, shape, client->port, "by connect");
        model_count(model, EVENT_CONNECTED_DRAWN);
        return s;
    }
    if (block.token && (error == WSAEINVAL || error == WSAENOBUFS))
        check_draw_error(&block, "connect", 0, error);
    else
    {
        /* Something of an earlier connection between the same two ports is still there. */
        check(error == WSAEADDRINUSE || error == WSAEADDRNOTAVAIL || lacks_resources(error),
              "connect to tcp %u at %s%s: error %d", listener->port, address,
              block.token ? " from a block" : "", error);
        model_count(model, EVENT_CONVERSED_NOT);
    }
    close_socket(s);
    return INVALID_SOCKET;
}

/* A listener in a block gets its connections, and its clients theirs. */
static void converse(struct thread *thread, struct held *held, unsigned int shape)
{
    const uint32_t *visits = &model->visits[MODEL_TCP][held->port];
    const char *address = shapes[shape].reached_at;
    struct held client;
    SOCKET accepted;
    uint32_t before;
    int error;

    begin(thread, OPERATION_CONVERSE, held->protocol, held->port);
    AT(thread);
    before = __atomic_load_n(visits, __ATOMIC_SEQ_CST);
    error = listen(held->s, 5) ? WSAGetLastError() : 0;
    if (error == WSAEADDRINUSE &&
        (before % 2 || before != __atomic_load_n(visits, __ATOMIC_SEQ_CST)))
    {
        model_count(model, EVENT_LISTEN_REFUSED);
        return;
    }
    check(!error, "listen at tcp %u, %s: error %d", held->port, shapes[shape].address, error);
    if (error || connect_to(thread, held, address, &client) == INVALID_SOCKET) return;
    AT(thread);
    if (wait_readable(held->s, PATIENCE) && (accepted = hear_client(held->s)) != INVALID_SOCKET)
    {
        AT(thread);
        check(say_and_hear(client.s, accepted, thread->last_entry) &&
                  say_and_hear(accepted, client.s, ~thread->last_entry),
              "what is said at tcp %u is not heard, error %d", held->port, WSAGetLastError());
        model_count(model, EVENT_CONVERSED);
        if (number(thread, 2))
            close_socket(accepted);
        else
            close_hard(accepted);
    }
    else
        check(FALSE, "a connection to tcp %u at %s from %u is not accepted, error %d", held->port,
              address, client.port, WSAGetLastError());
    if (client.entry)
        strike_out(socket_at(MODEL_TCP, client.port), client.entry, "the client's port",
                   client.port);
    if (number(thread, 4))
        close_hard(client.s);
    else
        close_socket(client.s);
}

/* Until the message has come; others may have sent some to whoever had the port before. */
static BOOL await_message(SOCKET s, uint64_t message, SOCKADDR_STORAGE *from, int *size)
{
    uint64_t got;

    while (wait_readable(s, 100))
    {
        *size = sizeof(*from);
        if (hear(s, &got, from, size) == sizeof(got) && got == message) return TRUE;
    }
    return FALSE;
}

/* A native program that may share the port takes a datagram now and then, as long as it does. */
static void exchange(struct thread *thread, struct held *held, unsigned int shape)
{
    SOCKADDR_STORAGE to, from;
    int size = make_address(shapes[shape].reached_at, held->port, &to), from_size;
    SOCKET s = make_socket(MODEL_UDP, to.ss_family == AF_INET6 ? 2 : 0);
    uint64_t message = thread->last_entry;
    BOOL done = FALSE;

    begin(thread, OPERATION_EXCHANGE, held->protocol, held->port);
    if (s == INVALID_SOCKET) return;
    for (unsigned int i = 0; i < MESSAGES && !done && !model->stopping; i++)
    {
        if (i) model_count(model, EVENT_EXCHANGE_AGAIN);
        AT(thread);
        say(s, message, &to, size);
        if (!await_message(held->s, message, &from, &from_size)) continue;
        AT(thread);
        message = ~message;
        say(held->s, message, &from, from_size);
        done = await_message(s, message, &from, &from_size);
        message = ~message;
    }
    check(done || model->stopping, "datagrams to udp %u at %s do not arrive", held->port,
          shapes[shape].reached_at);
    if (done) model_count(model, EVENT_EXCHANGED);
    close_socket(s);
}

static void talk(struct thread *thread, struct held *held, unsigned int shape)
{
    if (!held || !number(thread, 3)) return;
    if (held->protocol == MODEL_TCP)
        converse(thread, held, shape);
    else
        exchange(thread, held, shape);
    /* A listener stays a listener: there is nothing more to do with it. */
    if (number(thread, 2)) drop(thread, held);
}

/*
 * Persistent ranges: all sockets are bound to one address, so that no two may have a port.
 */

static struct held *use_persistent(struct thread *thread)
{
    unsigned int protocol = number(thread, MODEL_PROTOCOLS), shape = 0;
    BOOL exact = number(thread, 2);
    struct held *held = place_for_socket(thread);
    USHORT port = 0;
    int error = 0;
    SOCKET s;

    if (exact) port = PERSISTENT_FIRST + number(thread, PERSISTENT_COUNT);
    begin(thread, exact ? OPERATION_PERSISTENT_EXACT : OPERATION_PERSISTENT_DRAW, protocol, port);
    if ((s = make_socket(protocol, shape)) == INVALID_SOCKET) return NULL;
    AT(thread);
    /* By number, whether it is associated or not. */
    if (!exact || number(thread, 2)) error = try_associate(s, model->tokens[protocol]);
    check(!error || lacks_resources(error), "associate with the persistent range of %s: error %d",
          protocol_names[protocol], error);
    AT(thread);
    if (!error && !(error = try_bind(s, shape, &port)))
    {
        check(port >= PERSISTENT_FIRST && port < PERSISTENT_FIRST + PERSISTENT_COUNT,
              "%s %u is not in the persistent range", protocol_names[protocol], port);
        hold(thread, held, s, NULL, protocol, shape, port, exact ? "by number" : "drawn");
        model_count(model, exact ? EVENT_PERSISTENT_EXACT : EVENT_PERSISTENT_DRAWN);
        return held;
    }
    check(error == (exact ? WSAEADDRINUSE : WSAENOBUFS) || lacks_resources(error),
          "%s bind in the persistent range of %s, port %u: error %d", exact ? "exact" : "drawing",
          protocol_names[protocol], port, error);
    model_count(model, EVENT_PERSISTENT_BUSY);
    close_socket(s);
    return NULL;
}

/*
 * Threads
 */

static void step(struct thread *thread)
{
    unsigned int shape = 0;
    struct held *held;

    switch (number(thread, 16))
    {
    case 0:
    case 1:
        change_block(thread);
        break;
    case 2:
        change_quiet(thread);
        break;
    case 3:
    case 4:
        bind_foreign(thread);
        break;
    case 5:
        shape = number(thread, SHAPES);
        held = bind_plain(thread, number(thread, MODEL_PROTOCOLS), shape);
        talk(thread, held, shape);
        break;
    case 6:
    case 7:
        held = use_persistent(thread);
        talk(thread, held, 0);
        break;
    case 8:
    case 9:
        drop(thread, &thread->held[number(thread, HELD)]);
        break;
    default:
        held = draw_some(thread, &shape);
        talk(thread, held, shape);
    }
}

static DWORD CALLBACK work_thread(void *argument)
{
    struct thread *thread = argument;

    while (!__atomic_load_n(&model->stopping, __ATOMIC_SEQ_CST))
    {
        step(thread);
        begin(thread, OPERATION_IDLE, 0, 0);
        if (!number(thread, 8)) Sleep(number(thread, 20));
    }
    for (unsigned int i = 0; i < HELD; i++) drop(thread, &thread->held[i]);
    if (thread->quiet.token) release(thread, &thread->quiet);
    begin(thread, OPERATION_IDLE, 0, 0);
    return 0;
}

static void work(unsigned int count)
{
    static struct thread threads[MODEL_THREADS];
    HANDLE handles[MODEL_THREADS];

    for (unsigned int i = 0; i < BLOCKS; i++) InitializeSRWLock(&shared_blocks[i].lock);
    for (unsigned int i = 0; i < count; i++)
    {
        threads[i].number = i;
        threads[i].random = model_seed(model->seed, process_number << 8 | i);
        threads[i].last_entry = (uint64_t)process_number << 48 | (uint64_t)i << 40;
        threads[i].shown = &model->threads[process_slot][i];
        handles[i] = CreateThread(NULL, 0, work_thread, &threads[i], 0, NULL);
        if (!handles[i]) fail("no thread");
    }
    for (unsigned int i = 0; i < count; i++)
    {
        WaitForSingleObject(handles[i], INFINITE);
        CloseHandle(handles[i]);
    }
    for (unsigned int i = 0; i < BLOCKS; i++)
        if (shared_blocks[i].block.token) release(&threads[0], &shared_blocks[i].block);
    begin(&threads[0], OPERATION_END, 0, 0);
}

/*
 * Beginning and end
 */

static ULONG(WINAPI *const create_functions[])(USHORT, USHORT, PULONG64) = {
    CreatePersistentTcpPortReservation, CreatePersistentUdpPortReservation};
static ULONG(WINAPI *const delete_functions[])(USHORT, USHORT) = {
    DeletePersistentTcpPortReservation, DeletePersistentUdpPortReservation};

static void create(void)
{
    for (unsigned int protocol = 0; protocol < MODEL_PROTOCOLS; protocol++)
    {
        ULONG64 token;
        ULONG error = create_functions[protocol](htons(PERSISTENT_FIRST), PERSISTENT_COUNT, &token);

        check(!error, "creating the persistent range of %s: error %lu", protocol_names[protocol],
              error);
        model->tokens[protocol] = token;
    }
}

/* What was in a connection may take a moment to be free. */
static void verify_block(unsigned int protocol, unsigned int first, unsigned int last)
{
    SOCKET s = make_socket(protocol, 0);
    ULONG64 token;
    USHORT start;
    int error = -1;

    for (unsigned int i = 0; i < 100 && error; i++)
    {
        if (i) Sleep(100);
        error = try_acquire(s, first, last - first + 1, &start, &token);
    }
    check(!error, "after the end, %s %u to %u cannot be reserved: error %d",
          protocol_names[protocol], first, last, error);
    close_socket(s);
}

static void verify_persistent(unsigned int protocol)
{
    SOCKET sockets[PERSISTENT_COUNT + 1];
    unsigned int count;
    int error = 0;
    ULONG result;
    USHORT port;

    for (count = 0; count <= PERSISTENT_COUNT && !error; count++)
    {
        sockets[count] = make_socket(protocol, 0);
        port = 0;
        error = try_associate(sockets[count], model->tokens[protocol]);
        if (!error) error = try_bind(sockets[count], 0, &port);
    }
    check(error == WSAENOBUFS && count == PERSISTENT_COUNT + 1,
          "after the end, %u of %u ports of the persistent range of %s can be drawn: error %d",
          count - 1, PERSISTENT_COUNT, protocol_names[protocol], error);
    while (count--) close_socket(sockets[count]);
    result = delete_functions[protocol](htons(PERSISTENT_FIRST), PERSISTENT_COUNT);
    check(!result, "deleting the persistent range of %s: error %lu", protocol_names[protocol],
          result);
}

static void verify(void)
{
    for (unsigned int protocol = 0; protocol < MODEL_PROTOCOLS; protocol++)
    {
        verify_block(protocol, REGION_FIRST, REGION_LAST);
        for (unsigned int first = DYNAMIC_FIRST; first < DYNAMIC_LAST; first += 512)
            verify_block(protocol, first, first + 511);
        verify_persistent(protocol);
    }
}

static void map_model(const char *name)
{
    HANDLE file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);

    model = mapping ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(*model)) : NULL;
    if (!model) fail("the model cannot be mapped");
    if (model->version != MODEL_VERSION) fail("the model is another one");
    CloseHandle(mapping);
    CloseHandle(file);
}

int main(int argc, char **argv)
{
    unsigned int count;
    WSADATA data;

    if (argc < 3) fail("wrong arguments");
    map_model(argv[2]);
    if (WSAStartup(MAKEWORD(2, 2), &data)) fail("WSAStartup failed");
    if (argc == 3 && !strcmp(argv[1], "create"))
        create();
    else if (argc == 3 && !strcmp(argv[1], "verify"))
        verify();
    else if (argc == 6 && !strcmp(argv[1], "work"))
    {
        process_number = atoi(argv[3]);
        process_slot = atoi(argv[4]);
        count = atoi(argv[5]);
        if (process_slot >= MODEL_SLOTS || !count || count > MODEL_THREADS) fail("wrong numbers");
        work(count);
    }
    else
        fail("wrong arguments");
    WSACleanup();
    return 0;
}
