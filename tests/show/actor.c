/*
 * A Windows program for tests of tawny show: takes ports in the ways that it is told, and keeps
 * them
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its arguments are steps: "create PROTOCOL START COUNT" and "delete ...", a persistent range;
 * "acquire PROTOCOL START COUNT", a block; "draw PROTOCOL", a port of the last of these; "lookup
 * PROTOCOL START COUNT", to draw from such a range; "bind PROTOCOL PORT", by number; "share", a
 * second process that has all handles of the last socket; "end". It prints its number, the port of
 * each socket, and "ready" after the last step; then, but for "end", it waits to be killed. TCP
 * sockets listen.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef ULONG(WINAPI *range_function)(USHORT start, USHORT count, ULONG64 *token);

static INET_PORT_RESERVATION_TOKEN token;
static SOCKET last;

static int fail(const char *what)
{
    printf("%s: error %d\n", what, WSAGetLastError());
    return 1;
}

static SOCKET make_socket(const char *protocol)
{
    BOOL udp = !strcmp(protocol, "udp");

    return last = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, udp ? IPPROTO_UDP : IPPROTO_TCP);
}

static int bind_socket(SOCKET s, const char *protocol, USHORT port)
{
    SOCKADDR_IN address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int length = sizeof(address);

    if (bind(s, (struct sockaddr *)&address, length)) return fail("bind");
    if (!strcmp(protocol, "tcp") && listen(s, 1)) return fail("listen");
    if (getsockname(s, (struct sockaddr *)&address, &length)) return fail("getsockname");
    printf("port %u\n", ntohs(address.sin_port));
    return 0;
}

/* The verb begins the function's name. The token of a range that is deleted is not asked for. */
static int change_range(const char *verb, char **argv)
{
    HMODULE module = LoadLibraryA("iphlpapi.dll");
    range_function function;
    char name[64];
    ULONG error;

    snprintf(name, sizeof(name), "%sPersistent%sPortReservation", verb,
             strcmp(argv[0], "udp") ? "Tcp" : "Udp");
    function = (range_function)(void *)GetProcAddress(module, name);
    if (!function) return fail(name);
    if (!(error = function(htons(atoi(argv[1])), atoi(argv[2]), &token.Token))) return 0;
    SetLastError(error);
    return fail(name);
}

static int acquire(char **argv)
{
    INET_PORT_RANGE range = {htons(atoi(argv[1])), atoi(argv[2])};
    INET_PORT_RESERVATION_INSTANCE instance;
    SOCKET s = make_socket(argv[0]);
    DWORD returned;

    if (WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                 sizeof(instance), &returned, NULL, NULL))
        return fail("acquire");
    token.Token = instance.Token;
    return 0;
}

static int draw(char **argv)
{
    SOCKET s = make_socket(argv[0]);
    DWORD returned;

    if (WSAIoctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &returned, NULL,
                 NULL))
        return fail("associate");
    return bind_socket(s, argv[0], 0);
}

/* Starts itself with nothing to do but to have the handle that is inheritable. */
static int share(void)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    char path[MAX_PATH], command[MAX_PATH + 16];

    GetModuleFileNameA(NULL, path, sizeof(path));
    snprintf(command, sizeof(command), "\"%s\" wait", path);
    if (!SetHandleInformation((HANDLE)last, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) ||
        !CreateProcessA(path, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return fail("share");
    printf("child %lu\n", process.dwProcessId);
    return 0;
}

/* Does one step; how many arguments it took, 0 if it failed. */
static int step(int argc, char **argv)
{
    if (!strcmp(argv[0], "end")) exit(0);
    if (!strcmp(argv[0], "share")) return share() ? 0 : 1;
    if (!strcmp(argv[0], "wait")) return 1;
    if (argc > 1 && !strcmp(argv[0], "draw")) return draw(argv + 1) ? 0 : 2;
    if (argc > 2 && !strcmp(argv[0], "bind"))
        return bind_socket(make_socket(argv[1]), argv[1], atoi(argv[2])) ? 0 : 3;
    if (argc < 4) return 0;
    if (!strcmp(argv[0], "create")) return change_range("Create", argv + 1) ? 0 : 4;
    if (!strcmp(argv[0], "delete")) return change_range("Delete", argv + 1) ? 0 : 4;
    if (!strcmp(argv[0], "lookup")) return change_range("Lookup", argv + 1) ? 0 : 4;
    if (!strcmp(argv[0], "acquire")) return acquire(argv + 1) ? 0 : 4;
    return 0;
}

int main(int argc, char **argv)
{
    WSADATA data;
    int taken;

    WSAStartup(MAKEWORD(2, 2), &data);
    printf("process %lu\n", GetCurrentProcessId());
    /* Before a second process says the same. */
    fflush(stdout);
    for (int i = 1; i < argc; i += taken)
    {
        if ((taken = step(argc - i, argv + i))) continue;
        printf("failed at %s\n", argv[i]);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    Sleep(INFINITE);
    return 0;
}
