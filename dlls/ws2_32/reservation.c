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

/* The host knows sockets that Winsock does not: Wine's named pipes, for one. */
static int socket_error_code(SOCKET s, enum portpool_status status)
{
    int type, size = sizeof(type);

    if (status == PORTPOOL_UNSUPPORTED_SOCKET &&
        builtin_getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size))
        return WSAENOTSOCK;
    return pool_error(status);
}

/* The error of a call whose buffers are wrong: not to be a socket comes first. A correct call is
 * spared the question. */
static int buffer_error_code(SOCKET s, int error)
{
    int type, size = sizeof(type);

    return builtin_getsockopt(s, SOL_SOCKET, SO_TYPE, (char *)&type, &size) ? WSAENOTSOCK : error;
}

static int reservation_acquire(SOCKET s, const void *in, DWORD in_size, void *out, DWORD out_size)
{
    INET_PORT_RESERVATION_INSTANCE instance = {0};
    struct portpool_block block;
    enum portpool_status status;
    INET_PORT_RANGE range;

    if (in_size < sizeof(range) || out_size < sizeof(instance))
        return buffer_error_code(s, WSAEINVAL);
    if (!memory_read(&range, in, sizeof(range)) || !memory_writable(out, sizeof(instance)))
        return buffer_error_code(s, WSAEFAULT);

    status = pool->acquire((HANDLE)s, port_swap(range.StartPort), range.NumberOfPorts, &block);
    if (status) return socket_error_code(s, status);

    instance.StartPort = port_swap(block.start);
    instance.NumberOfPorts = block.count;
    instance.Token = block.token;
    if (memory_write(out, &instance, sizeof(instance))) return 0;

    /* Gone since we looked. Nobody will ever know the token. */
    pool->release((HANDLE)s, block.token);
    return WSAEFAULT;
}

static int reservation_use_token(SOCKET s, const void *in, DWORD in_size,
                                 enum portpool_status (*use)(HANDLE, UINT64))
{
    INET_PORT_RESERVATION_TOKEN token;

    if (in_size < sizeof(token)) return buffer_error_code(s, WSAEINVAL);
    if (!memory_read(&token, in, sizeof(token))) return buffer_error_code(s, WSAEFAULT);
    return socket_error_code(s, use((HANDLE)s, token.Token));
}

static int reservation_call(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out,
                            DWORD out_size)
{
    if (!pool_load()) return WSAEOPNOTSUPP;
    switch (code)
    {
    case SIO_ACQUIRE_PORT_RESERVATION:
        return reservation_acquire(s, in, in_size, out, out_size);
    case SIO_ASSOCIATE_PORT_RESERVATION:
        return reservation_use_token(s, in, in_size, pool->associate);
    default:
        return reservation_use_token(s, in, in_size, pool->release);
    }
}

int reservation_ioctl(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out,
                      DWORD out_size, DWORD *returned, WSAOVERLAPPED *overlapped,
                      LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    DWORD none = 0,
          bytes = code == SIO_ACQUIRE_PORT_RESERVATION ? sizeof(INET_PORT_RESERVATION_INSTANCE) : 0;
    BOOL overlapping = overlapped && overlapped_applies(s, overlapped, routine);
    int error;

    TRACE("socket %#Ix, %s, in %p size %lu, out %p size %lu, returned %p, overlapped %p, routine "
          "%p\n",
          s, ioctl_name(code), in, in_size, out, out_size, returned, overlapped, routine);

    if (overlapping && !memory_writable(overlapped, sizeof(*overlapped)))
        error = WSAEFAULT;
    else if ((returned || !overlapping) && !memory_write(returned, &none, sizeof(none)))
        error = WSAEFAULT;
    else
        error = reservation_call(s, code, in, in_size, out, out_size);

    if (!error && returned) memory_write(returned, &bytes, sizeof(bytes));
    if (!error && overlapping) error = overlapped_complete(s, bytes, overlapped, routine);

    TRACE("socket %#Ix, %s: %s %d\n", s, ioctl_name(code), error ? "error" : "success", error);
    SetLastError(error);
    return error ? SOCKET_ERROR : 0;
}
