/*
 * What the tests of port reservations have in common
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

/* Neither Windows' nor Linux' automatic ports. */
#define FIND_FIRST 10000
#define FIND_LAST  31999
/* Each test starts somewhere else, past what earlier ones left in TIME_WAIT. */
#define FIND_TEST_SPAN 1000

#define TIMEOUT 10000 /* for what is on its way already */

const struct kind kinds[KIND_COUNT] = {
    [TCP4] = {"TCP over IPv4", AF_INET, SOCK_STREAM, IPPROTO_TCP, FALSE, "127.0.0.1", "0.0.0.0"},
    [TCP6] = {"TCP over IPv6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, FALSE, "::1", "::"},
    [TCP_DUAL] = {"TCP over both", AF_INET6, SOCK_STREAM, IPPROTO_TCP, TRUE, "127.0.0.1", "::"},
    [UDP4] = {"UDP over IPv4", AF_INET, SOCK_DGRAM, IPPROTO_UDP, FALSE, "127.0.0.1", "0.0.0.0"},
    [UDP6] = {"UDP over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP, FALSE, "::1", "::"},
    [UDP_DUAL] = {"UDP over both", AF_INET6, SOCK_DGRAM, IPPROTO_UDP, TRUE, "127.0.0.1", "::"},
};

int make_address(const char *text, USHORT port, SOCKADDR_STORAGE *address)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    memset(address, 0, sizeof(*address));
    if (strchr(text, ':'))
    {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        inet_pton(AF_INET6, text, &in6->sin6_addr);
        return sizeof(*in6);
    }
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, text, &in->sin_addr);
    return sizeof(*in);
}

USHORT address_port(const SOCKADDR_STORAGE *address)
{
    /* IPv6 has it in the same place. */
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

SOCKET open_socket_(const char *file, int line, const struct kind *kind)
{
    SOCKET s = socket(kind->family, kind->type, kind->protocol);
    int off = 0;

    ok_(file, line)(s != INVALID_SOCKET, "no socket for %s, error %d\n", kind->name,
                    WSAGetLastError());
    if (kind->dual) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof(off));
    return s;
}

int reservation_ioctl_(const char *file, int line, SOCKET s, DWORD code, const void *in,
                       DWORD in_size, void *out, DWORD out_size)
{
    DWORD expected = code == SIO_ACQUIRE_PORT_RESERVATION ? 16 : 0, returned = 0xdeadbeef;
    int ret, error;

    WSASetLastError(0xdeadbeef);
    ret = WSAIoctl(s, code, (void *)in, in_size, out, out_size, &returned, NULL, NULL);
    error = WSAGetLastError();
    ok_(file, line)(!ret || ret == SOCKET_ERROR, "WSAIoctl returned %d\n", ret);
    if (!ret)
    {
        ok_(file, line)(returned == expected, "%lu bytes returned\n", returned);
        return 0;
    }
    ok_(file, line)(!returned, "%lu bytes returned by a failing call\n", returned);
    return error;
}

void check_acquire_(const char *file, int line, SOCKET s, USHORT start, USHORT count, int error,
                    struct block *block)
{
    INET_PORT_RANGE range = {htons(start), count};
    INET_PORT_RESERVATION_INSTANCE instance = {0};
    int got = reservation_ioctl_(file, line, s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range),
                                 &instance, sizeof(instance));

    ok_(file, line)(got == error, "acquiring %u ports from %u: error %d, expected %d\n", count,
                    start, got, error);
    if (block) memset(block, 0, sizeof(*block));
    if (got) return;
    ok_(file, line)(instance.NumberOfPorts == count, "got %u ports, wanted %u\n",
                    instance.NumberOfPorts, count);
    ok_(file, line)(!start || instance.StartPort == htons(start), "got ports from %u, wanted %u\n",
                    ntohs(instance.StartPort), start);
    ok_(file, line)(instance.Token != INVALID_PORT_RESERVATION_TOKEN, "got no token\n");
    if (!block) return;
    block->start = ntohs(instance.StartPort);
    block->count = instance.NumberOfPorts;
    block->token = instance.Token;
}

void check_associate_(const char *file, int line, SOCKET s, ULONG64 token, int error)
{
    INET_PORT_RESERVATION_TOKEN input = {token};
    int got = reservation_ioctl_(file, line, s, SIO_ASSOCIATE_PORT_RESERVATION, &input,
                                 sizeof(input), NULL, 0);

    ok_(file, line)(got == error, "associating with token %s: error %d, expected %d\n",
                    wine_dbgstr_longlong(token), got, error);
}

void check_release_(const char *file, int line, SOCKET s, ULONG64 token, int error)
{
    INET_PORT_RESERVATION_TOKEN input = {token};
    int got = reservation_ioctl_(file, line, s, SIO_RELEASE_PORT_RESERVATION, &input, sizeof(input),
                                 NULL, 0);

    ok_(file, line)(got == error, "releasing token %s: error %d, expected %d\n",
                    wine_dbgstr_longlong(token), got, error);
}

static int family_of(SOCKET s)
{
    WSAPROTOCOL_INFOW info = {0};
    int size = sizeof(info);

    getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &size);
    return info.iAddressFamily;
}

void check_bind_to_(const char *file, int line, SOCKET s, const char *text, USHORT port, int error)
{
    SOCKADDR_STORAGE address;
    int length = make_address(text, port, &address), got = 0;

    WSASetLastError(0xdeadbeef);
    if (bind(s, (struct sockaddr *)&address, length)) got = WSAGetLastError();
    ok_(file, line)(got == error, "binding to %s, port %u: error %d, expected %d\n", text, port,
                    got, error);
    if (!got && port)
        ok_(file, line)(port_of(s) == port, "bound to port %u, wanted %u\n", port_of(s), port);
}

void check_bind_(const char *file, int line, SOCKET s, USHORT port, int error)
{
    check_bind_to_(file, line, s, family_of(s) == AF_INET6 ? "::" : "0.0.0.0", port, error);
}

void check_close_(const char *file, int line, SOCKET s)
{
    int ret = closesocket(s);

    ok_(file, line)(!ret, "closesocket failed, error %d\n", WSAGetLastError());
}

USHORT port_of(SOCKET s)
{
    SOCKADDR_STORAGE address = {0};
    int length = sizeof(address);

    getsockname(s, (struct sockaddr *)&address, &length);
    return address_port(&address);
}

BOOL block_contains(const struct block *block, USHORT port)
{
    return port >= block->start && port - block->start < block->count;
}

USHORT check_port_in_(const char *file, int line, SOCKET s, const struct block *block)
{
    USHORT port = port_of(s);

    ok_(file, line)(block_contains(block, port), "port %u is not one of the %u from %u\n", port,
                    block->count, block->start);
    return port;
}

SOCKET acquire_any_(const char *file, int line, const struct kind *kind, USHORT count,
                    struct block *block)
{
    SOCKET s = open_socket_(file, line, kind);

    check_acquire_(file, line, s, 0, count, 0, block);
    return s;
}

SOCKET associated_(const char *file, int line, const struct kind *kind, const struct block *block)
{
    SOCKET s = open_socket_(file, line, kind);

    check_associate_(file, line, s, block->token, 0);
    return s;
}

SOCKET draw_(const char *file, int line, const struct kind *kind, const struct block *block,
             USHORT *port)
{
    SOCKET s = associated_(file, line, kind, block);
    USHORT drawn;

    check_bind_(file, line, s, 0, 0);
    drawn = check_port_in_(file, line, s, block);
    if (port) *port = drawn;
    return s;
}

void check_reserved_(const char *file, int line, const struct kind *kind, USHORT port)
{
    SOCKET s = open_socket_(file, line, kind);

    check_bind_(file, line, s, port, WSAEACCES);
    closesocket(s);
}

void check_unreserved_(const char *file, int line, const struct kind *kind, USHORT port)
{
    SOCKET s = open_socket_(file, line, kind);

    check_bind_(file, line, s, port, 0);
    closesocket(s);
}

void check_free_(const char *file, int line, const struct kind *kind, USHORT start, USHORT count)
{
    SOCKET s = open_socket_(file, line, kind);

    check_acquire_(file, line, s, start, count, 0, NULL);
    closesocket(s);
}

BOOL can_acquire_block(const struct kind *kind, USHORT start, USHORT count)
{
    SOCKET s = socket(kind->family, kind->type, kind->protocol);
    INET_PORT_RANGE range = {htons(start), count};
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned;
    BOOL success;

    success = !WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                        sizeof(instance), &returned, NULL, NULL);
    closesocket(s);
    return success;
}

static USHORT find_first(void)
{
    char **argv, *name;
    UINT hash = 0;

    winetest_get_mainargs(&argv);
    for (name = argv[1]; *name; name++) hash = hash * 31 + *name;
    return FIND_FIRST + hash % ((FIND_LAST - FIND_FIRST) / FIND_TEST_SPAN) * FIND_TEST_SPAN;
}

USHORT find_ports_(const char *file, int line, USHORT count)
{
    static USHORT next;
    USHORT tries, found;

    if (!next) next = find_first();
    for (tries = 0; tries < 1000; tries++)
    {
        if (next + count > FIND_LAST) next = FIND_FIRST;
        found = next;
        /* One between two blocks, to be free beside them. */
        next += count + 1;
        if (can_acquire_block(&kinds[TCP4], found, count) &&
            can_acquire_block(&kinds[UDP4], found, count))
            return found;
    }
    ok_(file, line)(0, "no %u free ports in a row\n", count);
    return FIND_FIRST;
}

unsigned int descriptor_limit(void)
{
    char text[32];
    DWORD length = GetEnvironmentVariableA("TAWNY_DESCRIPTORS", text, sizeof(text));

    if (!length || length >= sizeof(text)) return 0;
    return strcmp(text, "unlimited") ? strtoul(text, NULL, 10) : ~0u;
}

USHORT many_ports(USHORT most)
{
    unsigned int limit = descriptor_limit();

    return limit && limit / 8 < most ? limit / 8 : most;
}

static BOOL readable(SOCKET s)
{
    struct timeval timeout = {TIMEOUT / 1000, 0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(s, &set);
    return select(0, &set, NULL, NULL, &timeout) == 1;
}

SOCKET accept_soon(SOCKET listener)
{
    return readable(listener) ? accept(listener, NULL, NULL) : INVALID_SOCKET;
}

static void check_message(const char *file, int line, SOCKET from, SOCKET to)
{
    char text[16] = "";
    int ret;

    ret = send(from, "tawny", 5, 0);
    ok_(file, line)(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = readable(to) ? recv(to, text, sizeof(text) - 1, 0) : -1;
    ok_(file, line)(ret == 5 && !strcmp(text, "tawny"), "received %d bytes, \"%s\"\n", ret, text);
}

static void check_stream(const char *file, int line, SOCKET listener, SOCKET client)
{
    SOCKET server = accept_soon(listener);

    ok_(file, line)(server != INVALID_SOCKET, "no connection to accept, error %d\n",
                    WSAGetLastError());
    check_message(file, line, client, server);
    check_message(file, line, server, client);
    /* The client closes first, by a reset: nothing is to remain in TIME_WAIT. */
    setsockopt(client, SOL_SOCKET, SO_LINGER, (const char *)&(struct linger){1, 0},
               sizeof(struct linger));
    closesocket(client);
    closesocket(server);
}

static void check_datagrams(const char *file, int line, SOCKET s, SOCKET client)
{
    SOCKADDR_STORAGE from = {0};
    int length = sizeof(from), ret;
    char text[16];

    /* The client is connected, so that it receives from our port and no other. */
    ret = send(client, "tawny", 5, 0);
    ok_(file, line)(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = readable(s) ? recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &length) : -1;
    ok_(file, line)(ret == 5, "received %d bytes, error %d\n", ret, WSAGetLastError());
    ok_(file, line)(address_port(&from) == port_of(client), "from port %u\n", address_port(&from));
    ret = sendto(s, "tawny", 5, 0, (struct sockaddr *)&from, length);
    ok_(file, line)(ret == 5, "answered %d bytes, error %d\n", ret, WSAGetLastError());
    ret = readable(client) ? recv(client, text, sizeof(text), 0) : -1;
    ok_(file, line)(ret == 5, "received %d bytes of answer, error %d\n", ret, WSAGetLastError());
    closesocket(client);
}

void check_conversation_(const char *file, int line, const struct kind *kind, SOCKET s)
{
    SOCKADDR_STORAGE address;
    int length = make_address(kind->loopback, port_of(s), &address), ret;
    SOCKET client = socket(address.ss_family, kind->type, kind->protocol);

    ret = connect(client, (struct sockaddr *)&address, length);
    ok_(file, line)(!ret, "cannot connect to port %u, error %d\n", port_of(s), WSAGetLastError());
    if (ret)
        closesocket(client);
    else if (kind->type == SOCK_STREAM)
        check_stream(file, line, s, client);
    else
        check_datagrams(file, line, s, client);
}

static SIZE_T page_size(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;
}

void *alloc_before_hole(SIZE_T size)
{
    SIZE_T page = page_size();
    char *pages = VirtualAlloc(NULL, 2 * page, MEM_RESERVE, PAGE_NOACCESS);

    VirtualAlloc(pages, page, MEM_COMMIT, PAGE_READWRITE);
    return pages + page - size;
}

void free_before_hole(void *end)
{
    VirtualFree((void *)((ULONG_PTR)end & ~(page_size() - 1)), 0, MEM_RELEASE);
}

const char *unique_word(void)
{
    static char text[40];
    LARGE_INTEGER now;

    QueryPerformanceCounter(&now);
    snprintf(text, sizeof(text), "tawny-%s-%lu", wine_dbgstr_longlong(now.QuadPart),
             GetCurrentProcessId());
    return text;
}

/* This program, or the same for the other machine if TAWNY_CHILD_MACHINE asks for that. */
static void child_program(const char *program, char *child, unsigned int size)
{
    const char *own = strstr(program, sizeof(void *) == 8 ? "x86_64-windows" : "i386-windows");
    char machine[16];
    DWORD length = GetEnvironmentVariableA("TAWNY_CHILD_MACHINE", machine, sizeof(machine));

    if (own && length && length < sizeof(machine))
        snprintf(child, size, "%.*s%s%s", (int)(own - program), program, machine, strchr(own, '-'));
    else
        snprintf(child, size, "%s", program);
}

HANDLE start_child(const char *format, ...)
{
    STARTUPINFOA startup = {sizeof(startup)};
    PROCESS_INFORMATION info;
    char program[MAX_PATH], command[2 * MAX_PATH], **argv;
    va_list args;
    int length;
    BOOL ret;

    winetest_get_mainargs(&argv);
    child_program(argv[0], program, sizeof(program));
    length = snprintf(command, MAX_PATH + 32, "\"%s\" %s ", program, argv[1]);
    va_start(args, format);
    vsnprintf(command + length, sizeof(command) - length, format, args);
    va_end(args);
    ret = CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info);
    ok(ret, "cannot start %s, error %lu\n", command, GetLastError());
    CloseHandle(info.hThread);
    return info.hProcess;
}

void run_in_child(void (*function)(int process), unsigned int seconds)
{
    int process = 0, argc;
    HANDLE child;
    char **argv;

    argc = winetest_get_mainargs(&argv);
    if (argc < 4)
    {
        child = start_child("alone %s", unique_word());
        ok(!WaitForSingleObject(child, seconds * 1000), "the child takes too long\n");
        wait_child_process(child);
        CloseHandle(child);
        return;
    }
    if (outsider_available())
    {
        process = outsider_number("find-process %s", argv[3]);
        ok(process > 0, "the host does not know this process\n");
    }
    function(process);
}

int environment_number(const char *name, int otherwise)
{
    char text[16];
    DWORD length = GetEnvironmentVariableA(name, text, sizeof(text));

    return length && length < sizeof(text) ? atoi(text) : otherwise;
}

UINT next_random(UINT *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}
