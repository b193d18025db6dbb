/*
 * Sockets that are given a processor
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "processor.h"

#include <winternl.h>

/* Of the process's environment block, which is where Wine looks; NULL if that is not to be had. */
static DWORD *processor_count(void)
{
    NTSTATUS(WINAPI * query)(HANDLE, PROCESSINFOCLASS, void *, ULONG, ULONG *);
    PROCESS_BASIC_INFORMATION info;

    query = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationProcess");
    if (!query || query(GetCurrentProcess(), ProcessBasicInformation, &info, sizeof(info), NULL))
        return NULL;
    return (DWORD *)((char *)info.PebBaseAddress + (sizeof(void *) == 8 ? 0xb8 : 0x64));
}

BOOL processor_pretend(unsigned int count)
{
    SYSTEM_INFO info;
    DWORD *number;

    GetSystemInfo(&info);
    if (info.dwNumberOfProcessors >= count) return TRUE;
    if (!(number = processor_count())) return FALSE;
    *number = count;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors == count;
}

void check_affinity_(const char *file, int line, SOCKET s, USHORT processor, int error)
{
    int got =
        reservation_ioctl_(file, line, s, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0);

    ok_(file, line)(got == error, "processor %u: error %d, expected %d\n", processor, got, error);
}

SOCKET open_for_processor_(const char *file, int line, const struct kind *kind, USHORT processor)
{
    SOCKET s = open_socket_(file, line, kind);

    check_affinity_(file, line, s, processor, 0);
    return s;
}

USHORT open_sharing_(const char *file, int line, const struct kind *kind, SOCKET *sockets,
                     unsigned int count, USHORT port, ULONG64 token)
{
    unsigned int i;

    for (i = 0; i < count; i++)
    {
        sockets[i] = open_for_processor_(file, line, kind, i);
        if (token) check_associate_(file, line, sockets[i], token, 0);
        check_bind_(file, line, sockets[i], port, 0);
        if (!port) port = port_of(sockets[i]);
    }
    return port;
}

/* Takes what has come; the number of datagrams. */
static unsigned int take_all(const SOCKET *sockets, unsigned int count)
{
    unsigned int i, taken = 0;
    u_long waiting;
    char text[16];

    for (i = 0; i < count; i++)
    {
        if (sockets[i] == INVALID_SOCKET) continue;
        while (!ioctlsocket(sockets[i], FIONREAD, &waiting) && waiting &&
               recv(sockets[i], text, sizeof(text), 0) == 5)
            taken++;
    }
    return taken;
}

void check_reached_(const char *file, int line, const SOCKET *sockets, unsigned int count,
                    const char *address, USHORT port)
{
    enum
    {
        CLIENTS = 24
    };
    SOCKADDR_STORAGE to;
    int length = make_address(address, port, &to), ret;
    unsigned int i, taken;
    SOCKET client;

    for (i = 0; i < CLIENTS; i++)
    {
        client = socket(to.ss_family, SOCK_DGRAM, IPPROTO_UDP);
        ret = sendto(client, "tawny", 5, 0, (struct sockaddr *)&to, length);
        ok_(file, line)(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
        closesocket(client);
    }
    /* On the loopback interface a datagram is there once it is sent. */
    taken = take_all(sockets, count);
    ok_(file, line)(taken == CLIENTS, "%u of %u datagrams to %s, port %u, came\n", taken, CLIENTS,
                    address, port);
}

static void for_each_order_from(unsigned int *order, unsigned int done, unsigned int count,
                                void (*call)(const unsigned int *order, void *context),
                                void *context)
{
    unsigned int i, swap;

    if (done == count) call(order, context);
    for (i = done; i < count; i++)
    {
        swap = order[done], order[done] = order[i], order[i] = swap;
        for_each_order_from(order, done + 1, count, call, context);
        swap = order[done], order[done] = order[i], order[i] = swap;
    }
}

void for_each_order(unsigned int count, void (*call)(const unsigned int *order, void *context),
                    void *context)
{
    unsigned int order[4] = {0, 1, 2, 3};

    for_each_order_from(order, 0, count, call, context);
}
