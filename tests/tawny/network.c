/*
 * network: a program that uses the network and no reservations, as most do
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A console program for Windows. It talks to itself, by way of ws2_32, mswsock and iphlpapi, and
 * says "the network works", exit code 0, or what does not.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <iphlpapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(condition, what)                                                                     \
    do                                                                                             \
    {                                                                                              \
        if (!(condition)) fail(what);                                                              \
    } while (0)

static void fail(const char *what)
{
    printf("%s failed, error %d\n", what, WSAGetLastError());
    exit(1);
}

static void use_names(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    char host[256];

    check(!gethostname(host, sizeof(host)), "gethostname");
    /* A name that every host knows. */
    check(!getaddrinfo("127.0.0.1", "80", &hints, &list), "getaddrinfo");
    check(((struct sockaddr_in *)list->ai_addr)->sin_port == htons(80), "getaddrinfo's port");
    freeaddrinfo(list);
    check(gethostbyname("127.0.0.1"), "gethostbyname");
    check(getservbyname("http", "tcp"), "getservbyname");
}

static void use_interfaces(void)
{
    ULONG size = 65536;
    IP_ADAPTER_ADDRESSES *addresses = malloc(size);

    check(addresses, "malloc");
    check(!GetAdaptersAddresses(AF_UNSPEC, 0, NULL, addresses, &size), "GetAdaptersAddresses");
    free(addresses);
}

static SOCKET bound_socket(int type, struct sockaddr_in *address)
{
    SOCKET s = socket(AF_INET, type, 0);
    int size = sizeof(*address);

    check(s != INVALID_SOCKET, "socket");
    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(!bind(s, (struct sockaddr *)address, size), "bind");
    check(!getsockname(s, (struct sockaddr *)address, &size), "getsockname");
    return s;
}

static void talk(SOCKET from, SOCKET to)
{
    char buffer[8];

    check(send(from, "network", 8, 0) == 8, "send");
    check(recv(to, buffer, sizeof(buffer), 0) == 8, "recv");
    check(!strcmp(buffer, "network"), "what was received");
}

static void use_tcp(void)
{
    struct sockaddr_in address;
    SOCKET listener = bound_socket(SOCK_STREAM, &address), client, server;

    check(!listen(listener, 1), "listen");
    client = socket(AF_INET, SOCK_STREAM, 0);
    check(!connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
    server = accept(listener, NULL, NULL);
    check(server != INVALID_SOCKET, "accept");
    talk(client, server);
    talk(server, client);
    closesocket(client);
    closesocket(server);
    closesocket(listener);
}

static void use_extensions(void)
{
    struct sockaddr_in address;
    SOCKET listener = bound_socket(SOCK_STREAM, &address), client, server;
    OVERLAPPED overlapped = {.hEvent = WSACreateEvent()};
    char buffer[2 * (sizeof(address) + 16)];
    DWORD received;

    check(!listen(listener, 1), "listen");
    server = socket(AF_INET, SOCK_STREAM, 0);
    check(AcceptEx(listener, server, buffer, 0, sizeof(address) + 16, sizeof(address) + 16,
                   &received, &overlapped) ||
              WSAGetLastError() == ERROR_IO_PENDING,
          "AcceptEx");
    client = socket(AF_INET, SOCK_STREAM, 0);
    check(!connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
    check(GetOverlappedResult((HANDLE)listener, &overlapped, &received, TRUE), "AcceptEx's end");
    talk(client, server);
    closesocket(client);
    closesocket(server);
    closesocket(listener);
    WSACloseEvent(overlapped.hEvent);
}

static void use_udp(void)
{
    struct sockaddr_in address;
    SOCKET server = bound_socket(SOCK_DGRAM, &address), client = socket(AF_INET, SOCK_DGRAM, 0);
    char buffer[8];

    check(sendto(client, "network", 8, 0, (struct sockaddr *)&address, sizeof(address)) == 8,
          "sendto");
    check(recv(server, buffer, sizeof(buffer), 0) == 8, "recv");
    closesocket(client);
    closesocket(server);
}

static const char *export_name(HMODULE module, DWORD index)
{
    const BYTE *base = (const BYTE *)module;
    const IMAGE_NT_HEADERS *headers =
        (const void *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);
    const IMAGE_DATA_DIRECTORY *entry =
        &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
    const IMAGE_EXPORT_DIRECTORY *exports = (const void *)(base + entry->VirtualAddress);
    const DWORD *names = (const void *)(base + exports->AddressOfNames);

    return index < exports->NumberOfNames ? (const char *)base + names[index] : NULL;
}

/* Behind the name of Wine's own DLL, as it is in a prefix with Tawny; without Tawny there is none.
 */
static void check_exports(const char *name)
{
    HMODULE used = LoadLibraryA(name), own;
    char path[MAX_PATH];
    const char *export;

    snprintf(path, sizeof(path), "C:\\windows\\system32\\tawny\\%s", name);
    check(used, name);
    if (!(own = LoadLibraryA(path))) return;
    for (DWORD i = 0; (export = export_name(own, i)); i++)
        check(GetProcAddress(used, export), export);
}

int main(void)
{
    WSADATA data;

    check(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    use_names();
    use_interfaces();
    use_tcp();
    use_extensions();
    use_udp();
    WSACleanup();
    check_exports("ws2_32.dll");
    check_exports("iphlpapi.dll");
    check_exports("mswsock.dll");
    puts("the network works");
    return 0;
}
