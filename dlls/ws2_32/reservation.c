/*
 * SIO_ACQUIRE_, SIO_ASSOCIATE_ and SIO_RELEASE_PORT_RESERVATION
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(ws2_32);

BOOL reservation_is_ioctl(DWORD code)
{
    return code == SIO_ACQUIRE_PORT_RESERVATION || code == SIO_ASSOCIATE_PORT_RESERVATION ||
           code == SIO_RELEASE_PORT_RESERVATION;
}

static const char *ioctl_name(DWORD code)
{
    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return "SIO_ACQUIRE_PORT_RESERVATION";
    case SIO_ASSOCIATE_PORT_RESERVATION:
        return "SIO_ASSOCIATE_PORT_RESERVATION";
    default:
        return "SIO_RELEASE_PORT_RESERVATION";
    }
}

/* The error of a call whose arguments are wrong: not to be a socket comes first. A correct call is
 * spared the question. */
static int argument_error_code(SOCKET s, int error)
{
    int type, size = sizeof(type);

    return builtin_getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size) ? WSAENOTSOCK : error;
}

/* The host knows sockets that Winsock does not: Wine's named pipes, for one. */
static int socket_error_code(SOCKET s, enum portpool_status status)
{
    int error = pool_error(status);

    return status == PORTPOOL_UNSUPPORTED_SOCKET ? argument_error_code(s, error) : error;
}

struct reservation_call
{
    SOCKET s;
    DWORD code;
    const void *in;
    DWORD in_size;
    void *out;
    DWORD out_size;
    DWORD *returned;
    WSAOVERLAPPED *overlapped;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
    BOOL overlapping;
    DWORD bytes; /* that it returns if it succeeds */
    union
    {
        INET_PORT_RANGE range;
        INET_PORT_RESERVATION_TOKEN token;
    } input;
    UINT64 acquired; /* the token of the block that it has got */
};

/* Reads the input, and makes sure of all else that the call names before anything is written or
 * done: some of it may be one memory. */
static int reservation_check(struct reservation_call *call)
{
    DWORD in_size = call->code == SIO_ACQUIRE_PORT_RESERVATION ? sizeof(call->input.range)
                                                               : sizeof(call->input.token);

    if (call->in_size < in_size || call->out_size < call->bytes) return WSAEINVAL;
    /* A buffer must be there in its whole length, though less is used. */
    if (!memory_readable(call->in, call->in_size) || !memory_writable(call->out, call->out_size))
        return WSAEFAULT;
    if (!memory_read(&call->input, call->in, in_size)) return WSAEFAULT;
    if ((call->returned || !call->overlapping) &&
        !memory_writable(call->returned, sizeof(*call->returned)))
        return WSAEFAULT;
    return call->overlapping ? overlapped_check(call->s, call->overlapped, call->routine) : 0;
}

static int reservation_acquire(struct reservation_call *call)
{
    INET_PORT_RESERVATION_INSTANCE instance = {0};
    struct portpool_block block;
    enum portpool_status status;

    status = pool->acquire((HANDLE)call->s, port_swap(call->input.range.StartPort),
                           call->input.range.NumberOfPorts, &block);
    if (status) return socket_error_code(call->s, status);

    instance.StartPort = port_swap(block.start);
    instance.NumberOfPorts = block.count;
    instance.Token = call->acquired = block.token;
    if (memory_write(call->out, &instance, sizeof(instance))) return 0;

    /* Gone since we looked. Nobody will ever know the token. */
    pool->release((HANDLE)call->s, block.token);
    return WSAEFAULT;
}

static int reservation_do(struct reservation_call *call)
{
    UINT64 token = call->input.token.Token;

    switch (call->code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return reservation_acquire(call);
    case SIO_ASSOCIATE_PORT_RESERVATION:
        return socket_error_code(call->s, pool->associate((HANDLE)call->s, token));
    default:
        return socket_error_code(call->s, pool->release((HANDLE)call->s, token));
    }
}

/* Tells the caller by the method that it chose. If that cannot be, there is to be no block. */
static int reservation_complete(const struct reservation_call *call)
{
    int error = overlapped_complete(call->s, call->bytes, call->overlapped, call->routine);

    if (error && error != WSA_IO_PENDING && call->acquired)
        pool->release((HANDLE)call->s, call->acquired);
    return error;
}

/* A call that has begun ends before its socket does: otherwise it would do its work for a handle
 * that is nobody's, and Wine would lose its completion. Sockets share these locks; few are closed
 * while others are the subject of a call. */
static SRWLOCK socket_locks[64];

SRWLOCK *reservation_lock(SOCKET s)
{
    return &socket_locks[s / 4 % ARRAYSIZE(socket_locks)];
}

static int reservation_do_and_complete(struct reservation_call *call)
{
    int error = reservation_do(call);

    if (error) return error;
    if (call->returned) memory_write(call->returned, &call->bytes, sizeof(call->bytes));
    return call->overlapping ? reservation_complete(call) : 0;
}

static int reservation_call(struct reservation_call *call)
{
    DWORD none = 0;
    int error;

    if (!pool_load())
        error = WSAEOPNOTSUPP;
    else if ((error = reservation_check(call)))
        error = argument_error_code(call->s, error);
    else
    {
        AcquireSRWLockExclusive(reservation_lock(call->s));
        error = reservation_do_and_complete(call);
        ReleaseSRWLockExclusive(reservation_lock(call->s));
    }
    if (error && error != WSA_IO_PENDING && call->returned)
        memory_write(call->returned, &none, sizeof(none));
    return error;
}

int reservation_ioctl(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out,
                      DWORD out_size, DWORD *returned, WSAOVERLAPPED *overlapped,
                      LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct reservation_call call = {
        .s = s,
        .code = code,
        .in = in,
        .in_size = in_size,
        .out = out,
        .out_size = out_size,
        .returned = returned,
        .overlapped = overlapped,
        .routine = routine,
        .overlapping = overlapped && overlapped_applies(s),
    };
    int error;

    TRACE("socket %#Ix, %s, in %p size %lu, out %p size %lu, returned %p, overlapped %p, routine "
          "%p\n",
          s, ioctl_name(code), in, in_size, out, out_size, returned, overlapped, routine);
    if (code == SIO_ACQUIRE_PORT_RESERVATION) call.bytes = sizeof(INET_PORT_RESERVATION_INSTANCE);

    error = reservation_call(&call);

    TRACE("socket %#Ix, %s: %s %d\n", s, ioctl_name(code), error ? "error" : "success", error);
    SetLastError(error);
    return error ? SOCKET_ERROR : 0;
}
