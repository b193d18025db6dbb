/*
 * The control codes that are ours: of port reservations, and of a socket's processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(ws2_32);

BOOL control_is_ours(SOCKET s, DWORD code)
{
    USHORT processor;

    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
    case SIO_ASSOCIATE_PORT_RESERVATION:
    case SIO_RELEASE_PORT_RESERVATION:
    case SIO_CPU_AFFINITY:
        return TRUE;
    case SIO_QUERY_RSS_PROCESSOR_INFO:
        /* Of a socket that has not been given a processor, Wine knows as much as we. */
        return pool_tracks_sockets() && pool->get_affinity((HANDLE)s, &processor);
    default:
        return FALSE;
    }
}

static const char *ioctl_name(DWORD code)
{
    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return "SIO_ACQUIRE_PORT_RESERVATION";
    case SIO_ASSOCIATE_PORT_RESERVATION:
        return "SIO_ASSOCIATE_PORT_RESERVATION";
    case SIO_RELEASE_PORT_RESERVATION:
        return "SIO_RELEASE_PORT_RESERVATION";
    case SIO_CPU_AFFINITY:
        return "SIO_CPU_AFFINITY";
    default:
        return "SIO_QUERY_RSS_PROCESSOR_INFO";
    }
}

static DWORD ioctl_input_size(DWORD code)
{
    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return sizeof(INET_PORT_RANGE);
    case SIO_CPU_AFFINITY:
        return sizeof(USHORT);
    case SIO_QUERY_RSS_PROCESSOR_INFO:
        return 0;
    default:
        return sizeof(INET_PORT_RESERVATION_TOKEN);
    }
}

static DWORD ioctl_output_size(DWORD code)
{
    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return sizeof(INET_PORT_RESERVATION_INSTANCE);
    case SIO_QUERY_RSS_PROCESSOR_INFO:
        return sizeof(struct socket_processor_affinity);
    default:
        return 0;
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

struct control_call
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
        USHORT processor;
    } input;
    UINT64 acquired; /* the token of the block that it has got */
};

/* Reads the input, and makes sure of all else that the call names before anything is written or
 * done: some of it may be one memory. */
static int control_check(struct control_call *call)
{
    DWORD in_size = ioctl_input_size(call->code);

    if (call->in_size < in_size || call->out_size < call->bytes) return WSAEINVAL;
    /* A buffer must be there in its whole length, though less is used. */
    if (!memory_writable(call->out, call->out_size)) return WSAEFAULT;
    if (in_size && (!memory_readable(call->in, call->in_size) ||
                    !memory_read(&call->input, call->in, in_size)))
        return WSAEFAULT;
    if ((call->returned || !call->overlapping) &&
        !memory_writable(call->returned, sizeof(*call->returned)))
        return WSAEFAULT;
    return call->overlapping ? overlapped_check(call->s, call->overlapped, call->routine) : 0;
}

static int control_acquire(struct control_call *call)
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

static int control_set_processor(const struct control_call *call)
{
    enum portpool_status status;
    SYSTEM_INFO system;

    GetSystemInfo(&system);
    if (call->input.processor >= system.dwNumberOfProcessors)
        return argument_error_code(call->s, WSAEINVAL);
    status = pool->set_affinity((HANDLE)call->s, call->input.processor);
    return socket_error_code(call->s, status);
}

/* The NUMA node that a processor belongs to, 0 if the system does not tell. */
static USHORT processor_node(USHORT processor)
{
    PROCESSOR_NUMBER number = {.Group = processor / 64, .Number = processor % 64};
    USHORT node;

    return GetNumaProcessorNodeEx(&number, &node) && node != 0xffff ? node : 0;
}

static int control_query_processor(const struct control_call *call)
{
    struct socket_processor_affinity answer = {0};
    USHORT processor;

    if (!pool->get_affinity((HANDLE)call->s, &processor)) return WSAEOPNOTSUPP;
    answer.processor.Group = processor / 64;
    answer.processor.Number = processor % 64;
    answer.node = processor_node(processor);
    return memory_write(call->out, &answer, sizeof(answer)) ? 0 : WSAEFAULT;
}

static int control_do(struct control_call *call)
{
    UINT64 token = call->input.token.Token;

    switch (call->code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return control_acquire(call);
    case SIO_ASSOCIATE_PORT_RESERVATION:
        return socket_error_code(call->s, pool->associate((HANDLE)call->s, token));
    case SIO_CPU_AFFINITY:
        return control_set_processor(call);
    case SIO_QUERY_RSS_PROCESSOR_INFO:
        return control_query_processor(call);
    default:
        return socket_error_code(call->s, pool->release((HANDLE)call->s, token));
    }
}

/* Tells the caller by the method that it chose. If that cannot be, there is to be no block. */
static int control_complete(const struct control_call *call)
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

SRWLOCK *control_lock(SOCKET s)
{
    return &socket_locks[s / 4 % ARRAYSIZE(socket_locks)];
}

static int control_do_and_complete(struct control_call *call)
{
    int error = control_do(call);

    if (error) return error;
    if (call->returned) memory_write(call->returned, &call->bytes, sizeof(call->bytes));
    return call->overlapping ? control_complete(call) : 0;
}

static int control_run(struct control_call *call)
{
    DWORD none = 0;
    int error;

    if (!pool_load())
        error = WSAEOPNOTSUPP;
    else if ((error = control_check(call)))
        error = argument_error_code(call->s, error);
    else
    {
        AcquireSRWLockExclusive(control_lock(call->s));
        error = control_do_and_complete(call);
        ReleaseSRWLockExclusive(control_lock(call->s));
    }
    if (error && error != WSA_IO_PENDING && call->returned)
        memory_write(call->returned, &none, sizeof(none));
    return error;
}

int control_call(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out, DWORD out_size,
                 DWORD *returned, WSAOVERLAPPED *overlapped,
                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    struct control_call call = {
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
    call.bytes = ioctl_output_size(code);

    error = control_run(&call);

    TRACE("socket %#Ix, %s: %s %d\n", s, ioctl_name(code), error ? "error" : "success", error);
    SetLastError(error);
    return error ? SOCKET_ERROR : 0;
}
