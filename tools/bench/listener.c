/*
 * listener: measures a listener that has a socket for each processor, all on one port
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Samples are lines as bench.c prints them. The sockets are what MsQuic's are: UDP over both IPv6
 * and IPv4, with a processor each, associated with a reservation of one port.
 *
 * listener open          opens and closes listeners of 1 to 64 sockets; the reference is as many
 *                        sockets of Wine's, each bound to a port of its own
 * listener receive PORT  receives what somebody sends to the port, by a thread a socket, for a time
 *                        each; the reference is one socket of Wine's. VALUE is nanoseconds a
 *                        datagram.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <winternl.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURE_NAME "listener"
#include "measure.h"

#define SIO_CPU_AFFINITY _WSAIOW(IOC_VENDOR, 21)

#define MOST          64
#define OPEN_PAIRS    31
#define RECEIVE_PAIRS 9
#define WARM_UP       100 /* milliseconds */
#define RECEIVE_TIME  500

struct winsock
{
    const char *side;
    SOCKET(WINAPI *socket)(int, int, int);
    int(WINAPI *setsockopt)(SOCKET, int, int, const char *, int);
    int(WINAPI *bind)(SOCKET, const struct sockaddr *, int);
    int(WINAPI *recv)(SOCKET, char *, int, int);
    int(WINAPI *closesocket)(SOCKET);
};

static struct winsock ours = {.side = "ours"};
static struct winsock reference = {.side = "reference"};

static void winsock_load(struct winsock *winsock, const WCHAR *name)
{
    HMODULE module = GetModuleHandleW(name);

    if (!module)
    {
        fputs("listener: Wine's own ws2_32.dll is in use; start this with tawny run.\n", stderr);
        exit(1);
    }
    winsock->socket = import(module, "socket");
    winsock->setsockopt = import(module, "setsockopt");
    winsock->bind = import(module, "bind");
    winsock->recv = import(module, "recv");
    winsock->closesocket = import(module, "closesocket");
}

/* More sockets than this machine has processors are measured, too: Wine looks for their number in
 * the process's environment block. */
static void pretend_processors(DWORD count)
{
    PROCESS_BASIC_INFORMATION info;
    DWORD *number;

    check(NtQueryInformationProcess(GetCurrentProcess(), ProcessBasicInformation, &info,
                                    sizeof(info), NULL),
          "NtQueryInformationProcess");
    number = (DWORD *)((char *)info.PebBaseAddress + 0xb8);
    if (*number < count) *number = count;
}

static void control(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out, DWORD out_size,
                    const char *what)
{
    DWORD size;

    check(WSAIoctl(s, code, (void *)in, in_size, out, out_size, &size, NULL, NULL), what);
}

static SOCKET open_socket(const struct winsock *winsock)
{
    /* winsock_load has been there. */
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    SOCKET s = winsock->socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    int off = 0;

    check(s == INVALID_SOCKET, "socket");
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    check(winsock->setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off)),
          "setsockopt");
    return s;
}

static void bind_socket(const struct winsock *winsock, SOCKET s, USHORT port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};

    check(winsock->bind(s, (struct sockaddr *)&address, sizeof(address)), "bind");
}

/* Port 0: any. In network byte order. */
static void listener_open(SOCKET *sockets, unsigned int count, USHORT port)
{
    INET_PORT_RANGE range = {port, 1};
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RESERVATION_TOKEN token;

    for (unsigned int i = 0; i < count; i++)
    {
        USHORT processor = i;

        sockets[i] = open_socket(&ours);
        control(sockets[i], SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0,
                "SIO_CPU_AFFINITY");
    }
    control(sockets[0], SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
            sizeof(instance), "SIO_ACQUIRE_PORT_RESERVATION");
    token.Token = instance.Token;
    for (unsigned int i = 0; i < count; i++)
        control(sockets[i], SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0,
                "SIO_ASSOCIATE_PORT_RESERVATION");
    for (unsigned int i = 0; i < count; i++) bind_socket(&ours, sockets[i], instance.StartPort);
}

static void reference_open(SOCKET *sockets, unsigned int count, USHORT port)
{
    for (unsigned int i = 0; i < count; i++)
    {
        sockets[i] = open_socket(&reference);
        bind_socket(&reference, sockets[i], port);
    }
}

static void sockets_close(const struct winsock *winsock, const SOCKET *sockets, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) check(winsock->closesocket(sockets[i]), "closesocket");
}

static void open_sample(const struct winsock *winsock, unsigned int count)
{
    SOCKET sockets[MOST];
    double start = clock_ns();

    if (winsock == &ours)
        listener_open(sockets, count, 0);
    else
        reference_open(sockets, count, 0);
    sockets_close(winsock, sockets, count);
    printf("listener-%u %s %.0f\n", count, winsock->side, clock_ns() - start);
}

static int bench_open(void)
{
    for (unsigned int count = 1; count <= MOST; count *= 2)
        for (unsigned int i = 0; i < OPEN_PAIRS; i++)
        {
            open_sample(i % 2 ? &ours : &reference, count);
            open_sample(i % 2 ? &reference : &ours, count);
        }
    return 0;
}

struct receiver
{
    const struct winsock *winsock;
    SOCKET s;
    volatile LONG64 received;
};

static DWORD WINAPI receive(void *context)
{
    struct receiver *receiver = context;
    char data[2048];

    while (receiver->winsock->recv(receiver->s, data, sizeof(data), 0) > 0) receiver->received++;
    return 0;
}

static LONG64 received_by(const struct receiver *receivers, unsigned int count)
{
    LONG64 sum = 0;

    for (unsigned int i = 0; i < count; i++) sum += receivers[i].received;
    return sum;
}

static void receive_sample(const struct winsock *winsock, const char *row, unsigned int count,
                           USHORT port)
{
    struct receiver receivers[MOST] = {0};
    HANDLE threads[MOST];
    SOCKET sockets[MOST];
    LONG64 before;
    double start;

    if (winsock == &ours)
        listener_open(sockets, count, port);
    else
        reference_open(sockets, count, port);
    for (unsigned int i = 0; i < count; i++)
    {
        receivers[i].winsock = winsock;
        receivers[i].s = sockets[i];
        threads[i] = CreateThread(NULL, 0, receive, &receivers[i], 0, NULL);
        check(!threads[i], "CreateThread");
    }
    Sleep(WARM_UP);
    before = received_by(receivers, count);
    start = clock_ns();
    Sleep(RECEIVE_TIME);
    before = received_by(receivers, count) - before;
    check(!before, "to receive anything");
    printf("%s %s %.1f\n", row, winsock->side, (clock_ns() - start) / before);
    sockets_close(winsock, sockets, count);
    WaitForMultipleObjects(count, threads, TRUE, 5000);
    for (unsigned int i = 0; i < count; i++) CloseHandle(threads[i]);
}

static int bench_receive(USHORT port)
{
    char row[16];

    for (unsigned int count = 1; count <= 4; count *= 2)
    {
        snprintf(row, sizeof(row), "receive-%u", count);
        for (unsigned int i = 0; i < RECEIVE_PAIRS; i++)
        {
            if (i % 2) receive_sample(&ours, row, count, port);
            receive_sample(&reference, row, 1, port);
            if (!(i % 2)) receive_sample(&ours, row, count, port);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    WSADATA data;

    _setmode(_fileno(stdout), _O_BINARY);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    winsock_load(&ours, L"ws2_32.dll");
    winsock_load(&reference, L"ws2_32_wine.dll");
    check(WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    pretend_processors(MOST);
    if (argc == 2 && !strcmp(argv[1], "open")) return bench_open();
    if (argc == 3 && !strcmp(argv[1], "receive")) return bench_receive(htons(atoi(argv[2])));
    fputs("Usage: listener open | listener receive PORT\n", stderr);
    return 2;
}
