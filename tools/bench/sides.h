/*
 * Both implementations of Winsock in one process, ours and Wine's own, and port reservations
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MEASURE_NAME is defined before, as for measure.h.
 */
#ifndef TAWNY_BENCH_SIDES_H
#define TAWNY_BENCH_SIDES_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <mswsock.h>
#include <iphlpapi.h>
#include <winsvc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* One of the two implementations. */
struct winsock
{
    const char *side;
    SOCKET(WINAPI *socket)(int, int, int);
    int(WINAPI *bind)(SOCKET, const struct sockaddr *, int);
    int(WINAPI *listen)(SOCKET, int);
    int(WINAPI *closesocket)(SOCKET);
    int(WINAPI *sendto)(SOCKET, const char *, int, int, const struct sockaddr *, int);
    int(WINAPI *WSASendTo)(SOCKET, WSABUF *, DWORD, DWORD *, DWORD, const struct sockaddr *, int,
                           WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE);
    int(WINAPI *WSASendMsg)(SOCKET, WSAMSG *, DWORD, DWORD *, WSAOVERLAPPED *,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE);
};

static struct winsock ours = {.side = "ours"};
static struct winsock reference = {.side = "reference"};

static const struct protocol
{
    const char *name;
    int type;
    int number;
} protocols[] = {{"tcp", SOCK_STREAM, IPPROTO_TCP}, {"udp", SOCK_DGRAM, IPPROTO_UDP}};

static inline void winsock_load(struct winsock *winsock, HMODULE module)
{
    winsock->socket = import(module, "socket");
    winsock->bind = import(module, "bind");
    winsock->listen = import(module, "listen");
    winsock->closesocket = import(module, "closesocket");
    winsock->sendto = import(module, "sendto");
    winsock->WSASendTo = import(module, "WSASendTo");
    winsock->WSASendMsg = import(module, "WSASendMsg");
}

/* Loads both implementations. */
static inline void winsock_load_both(void)
{
    HMODULE drop_in = GetModuleHandleW(L"ws2_32.dll");
    HMODULE builtin = GetModuleHandleW(L"ws2_32_wine.dll");
    WSADATA data;

    if (!builtin)
    {
        fputs(MEASURE_NAME ": Wine's own ws2_32.dll is in use; start this with tawny run.\n",
              stderr);
        exit(1);
    }
    check(WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    winsock_load(&ours, drop_in);
    winsock_load(&reference, builtin);
}

typedef void (*work_function)(const struct winsock *winsock, void *context);

/* Times both implementations by turns; prepare may be NULL, and is not timed. */
static inline void compare(const char *row, unsigned int pairs, unsigned int calls,
                           work_function prepare, work_function work, void *context)
{
    const struct winsock *sides[] = {&ours, &reference};

    for (unsigned int i = 0; i < pairs * 2; i++)
    {
        const struct winsock *winsock = sides[(i + i / 2) % 2];
        double start;

        if (prepare) prepare(winsock, context);
        start = clock_ns();
        work(winsock, context);
        printf("%s %s %.1f\n", row, winsock->side, (clock_ns() - start) / calls);
    }
}

static inline struct sockaddr_in loopback(USHORT port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline SOCKET make_socket(const struct winsock *winsock, const struct protocol *protocol)
{
    /* winsock_load_both has been there. */
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    SOCKET s = winsock->socket(AF_INET, protocol->type, protocol->number);

    check(s == INVALID_SOCKET, "socket");
    return s;
}

static inline void bind_at(const struct winsock *winsock, SOCKET s,
                           const struct sockaddr_in *address)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    check(winsock->bind(s, (const struct sockaddr *)address, sizeof(*address)), "bind");
}

static inline void bind_any(const struct winsock *winsock, SOCKET s)
{
    struct sockaddr_in address = loopback(0);

    bind_at(winsock, s, &address);
}

static inline BOOL try_acquire(SOCKET s, USHORT start, USHORT count,
                               INET_PORT_RESERVATION_INSTANCE *instance)
{
    INET_PORT_RANGE range = {htons(start), count};
    DWORD size;

    return !WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), instance,
                     sizeof(*instance), &size, NULL, NULL);
}

static inline INET_PORT_RESERVATION_TOKEN acquire(SOCKET s, USHORT start, USHORT count)
{
    INET_PORT_RESERVATION_INSTANCE instance;

    check(!try_acquire(s, start, count, &instance), "SIO_ACQUIRE_PORT_RESERVATION");
    return (INET_PORT_RESERVATION_TOKEN){instance.Token};
}

static inline void associate(SOCKET s, INET_PORT_RESERVATION_TOKEN token)
{
    DWORD size;

    check(WSAIoctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &size, NULL,
                   NULL),
          "SIO_ASSOCIATE_PORT_RESERVATION");
}

static inline void release(SOCKET s, INET_PORT_RESERVATION_TOKEN token)
{
    DWORD size;

    check(WSAIoctl(s, SIO_RELEASE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &size, NULL,
                   NULL),
          "SIO_RELEASE_PORT_RESERVATION");
}

static inline void check_code(ULONG code, const char *what)
{
    WSASetLastError(code);
    check(code != NO_ERROR, what);
}

static inline INET_PORT_RESERVATION_TOKEN create(const struct protocol *protocol, USHORT start,
                                                 USHORT count)
{
    INET_PORT_RESERVATION_TOKEN token;

    check_code(protocol->type == SOCK_STREAM
                   ? CreatePersistentTcpPortReservation(htons(start), count, &token.Token)
                   : CreatePersistentUdpPortReservation(htons(start), count, &token.Token),
               "CreatePersistentPortReservation");
    return token;
}

static inline void delete (const struct protocol *protocol, USHORT start, USHORT count)
{
    check_code(protocol->type == SOCK_STREAM
                   ? DeletePersistentTcpPortReservation(htons(start), count)
                   : DeletePersistentUdpPortReservation(htons(start), count),
               "DeletePersistentPortReservation");
}

static inline void service_await(SC_HANDLE service, DWORD state)
{
    SERVICE_STATUS status;

    for (;;)
    {
        check(!QueryServiceStatus(service, &status), "QueryServiceStatus");
        if (status.dwCurrentState == state) return;
        Sleep(1);
    }
}

/* Stops the service that holds persistent ranges, and times its start. */
static inline double holder_restart(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service;
    SERVICE_STATUS status;
    double time;

    check(!manager, "OpenSCManager");
    service = OpenServiceW(manager, L"PortPool", SERVICE_ALL_ACCESS);
    check(!service, "OpenService");
    check(!ControlService(service, SERVICE_CONTROL_STOP, &status), "ControlService");
    service_await(service, SERVICE_STOPPED);
    time = clock_ns();
    check(!StartServiceW(service, 0, NULL), "StartService");
    service_await(service, SERVICE_RUNNING);
    time = clock_ns() - time;
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    return time;
}

#endif
