/*
 * persist: creates, looks up and deletes a persistent range of ports, and draws ports from it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A console program for Windows. It needs nothing of Tawny's: any implementation of the functions
 * will do. It looks for them when it runs, and so can say what is wrong where there are none.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef ULONG(WINAPI *create_function)(USHORT start, USHORT count, ULONG64 *token);
typedef ULONG(WINAPI *lookup_function)(USHORT start, USHORT count, ULONG64 *token);
typedef ULONG(WINAPI *delete_function)(USHORT start, USHORT count);

struct protocol
{
    const char *name;
    int type;
    int number;
    const char *create;
    const char *lookup;
    const char *delete;
};

static const struct protocol protocols[] = {
    {"tcp", SOCK_STREAM, IPPROTO_TCP, "CreatePersistentTcpPortReservation",
     "LookupPersistentTcpPortReservation", "DeletePersistentTcpPortReservation"},
    {"udp", SOCK_DGRAM, IPPROTO_UDP, "CreatePersistentUdpPortReservation",
     "LookupPersistentUdpPortReservation", "DeletePersistentUdpPortReservation"},
};

struct range
{
    const struct protocol *protocol;
    USHORT start; /* in our byte order */
    USHORT count;
    ULONG64 token; /* 0: not known yet */
};

/* What an error of these calls means. */
static const struct
{
    int code;
    const char *name;
    const char *meaning;
} errors[] = {
    {ERROR_ACCESS_DENIED, "ERROR_ACCESS_DENIED", "only administrators may do that"},
    {ERROR_NOT_ENOUGH_MEMORY, "ERROR_NOT_ENOUGH_MEMORY",
     "there is not enough memory, or no process may open that many files"},
    {ERROR_SHARING_VIOLATION, "ERROR_SHARING_VIOLATION",
     "a port of the range is in use, or reserved already"},
    {ERROR_NOT_SUPPORTED, "ERROR_NOT_SUPPORTED", "there are no port reservations here"},
    {ERROR_INVALID_PARAMETER, "ERROR_INVALID_PARAMETER",
     "the range has no ports, or some that do not exist"},
    {ERROR_DISK_FULL, "ERROR_DISK_FULL", "the range cannot be stored"},
    {ERROR_SERVICE_NOT_ACTIVE, "ERROR_SERVICE_NOT_ACTIVE",
     "the service that holds the ports does not run"},
    {ERROR_NOT_FOUND, "ERROR_NOT_FOUND", "there is no range with exactly these ports"},
    {WSAEACCES, "WSAEACCES", "only administrators may do that"},
    {WSAEINVAL, "WSAEINVAL", "the token is not, or no longer, that of a range"},
    {WSAEOPNOTSUPP, "WSAEOPNOTSUPP", "there are no port reservations here"},
    {WSAEADDRINUSE, "WSAEADDRINUSE", "the port is in use"},
    {WSAENOBUFS, "WSAENOBUFS", "no port of the range is free"},
};

static void usage(FILE *file)
{
    fputs("Usage: persist PROTOCOL START COUNT [STEP...]\n"
          "Does something with a persistent reservation of ports, step by step.\n"
          "\n"
          "  PROTOCOL       tcp or udp\n"
          "  START          the first port\n"
          "  COUNT          how many ports\n"
          "  STEP           one of these, done in the order given, until one fails:\n"
          "    create       reserve the ports, for good\n"
          "    lookup       look up the reservation's token\n"
          "    draw         bind a socket to whichever port of it is free, and keep that port to\n"
          "                 the end\n"
          "    wait SECONDS\n"
          "    delete       delete the reservation\n"
          "Without a STEP: create lookup draw delete.\n"
          "\n"
          "Exit code: 0 if every step succeeded, 1 if one failed, 2 for wrong arguments.\n",
          file);
}

static int report_error(const char *what, int code)
{
    size_t i;

    printf("%s failed with error %d", what, code);
    for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        if (errors[i].code == code) printf(", %s: %s", errors[i].name, errors[i].meaning);
    puts("");
    fflush(stdout);
    return 1;
}

/* NULL, and said so, if this Windows has no such function. */
static FARPROC find_function(const char *name)
{
    HMODULE module = LoadLibraryA("iphlpapi.dll");
    FARPROC function = module ? GetProcAddress(module, name) : NULL;

    if (!function) printf("%s is missing: this iphlpapi.dll does not have it\n", name);
    return function;
}

static int step_create(struct range *range)
{
    const char *name = range->protocol->create;
    create_function function = (create_function)(void *)find_function(name);
    ULONG error;

    if (!function) return 1;
    if ((error = function(htons(range->start), range->count, &range->token)))
        return report_error(name, error);
    printf("%s succeeded: ports %u to %u, token %016llx\n", name, range->start,
           range->start + range->count - 1, range->token);
    return 0;
}

static int step_lookup(struct range *range)
{
    const char *name = range->protocol->lookup;
    lookup_function function = (lookup_function)(void *)find_function(name);
    ULONG error;

    if (!function) return 1;
    if ((error = function(htons(range->start), range->count, &range->token)))
        return report_error(name, error);
    printf("%s succeeded: token %016llx\n", name, range->token);
    return 0;
}

static int step_delete(struct range *range)
{
    const char *name = range->protocol->delete;
    delete_function function = (delete_function)(void *)find_function(name);
    ULONG error;

    if (!function) return 1;
    if ((error = function(htons(range->start), range->count))) return report_error(name, error);
    printf("%s succeeded\n", name);
    return 0;
}

/* Associates a socket with the range and binds it to port 0. It is left open: closing it would give
 * its port back. */
static int step_draw(struct range *range)
{
    INET_PORT_RESERVATION_TOKEN token;
    SOCKADDR_IN address = {.sin_family = AF_INET};
    int length = sizeof(address);
    DWORD returned;
    SOCKET s;

    if (!range->token && step_lookup(range)) return 1;
    token.Token = range->token;
    s = socket(AF_INET, range->protocol->type, range->protocol->number);
    if (s == INVALID_SOCKET) return report_error("socket", WSAGetLastError());
    if (WSAIoctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &returned, NULL,
                 NULL))
        return report_error("SIO_ASSOCIATE_PORT_RESERVATION", WSAGetLastError());
    puts("SIO_ASSOCIATE_PORT_RESERVATION succeeded");
    if (bind(s, (struct sockaddr *)&address, length))
        return report_error("bind to port 0", WSAGetLastError());
    if (getsockname(s, (struct sockaddr *)&address, &length))
        return report_error("getsockname", WSAGetLastError());
    printf("bind to port 0 succeeded: port %u\n", ntohs(address.sin_port));
    return 0;
}

/* Takes a decimal number from 0 to limit; -1 if it is not one. */
static int parse_number(const char *text, int limit)
{
    char *end;
    long value = strtol(text, &end, 10);

    /* Where there is no text, check_steps has said so. */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    return *text && !*end && value >= 0 && value <= limit ? value : -1;
}

static int step_wait(const char *seconds)
{
    printf("waiting %s seconds\n", seconds);
    fflush(stdout);
    Sleep(parse_number(seconds, 86400) * 1000);
    return 0;
}

static const struct
{
    const char *name;
    int (*run)(struct range *range);
} steps[] = {
    {"create", step_create},
    {"lookup", step_lookup},
    {"draw", step_draw},
    {"delete", step_delete},
};

static int (*find_step(const char *name))(struct range *range)
{
    size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (!strcmp(name, steps[i].name)) return steps[i].run;
    return NULL;
}

static int complain(const char *what, const char *text)
{
    fprintf(stderr, "persist: %s is not %s; see persist --help.\n", text, what);
    return 0;
}

static int parse_range(char **argv, struct range *range)
{
    size_t i;
    int number;

    for (i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
        if (!strcmp(argv[0], protocols[i].name)) range->protocol = &protocols[i];
    if (!range->protocol) return complain("tcp or udp", argv[0]);
    if ((number = parse_number(argv[1], 65535)) == -1)
        return complain("a port from 0 to 65535", argv[1]);
    range->start = number;
    if ((number = parse_number(argv[2], 65535)) == -1)
        return complain("a number of ports", argv[2]);
    range->count = number;
    return 1;
}

/* All of them are looked at before the first is done. */
static int check_steps(char **argv)
{
    for (; *argv; argv++)
    {
        if (find_step(*argv)) continue;
        if (strcmp(*argv, "wait")) return complain("a step", *argv);
        if (!argv[1] || parse_number(argv[1], 86400) == -1)
            return complain("a number of seconds to wait", argv[1] ? argv[1] : "nothing");
        argv++;
    }
    return 1;
}

static int run(char **argv, struct range *range)
{
    int failed = 0;

    for (; *argv && !failed; argv++)
    {
        failed = strcmp(*argv, "wait") ? find_step(*argv)(range) : step_wait(*++argv);
        fflush(stdout);
    }
    return failed;
}

int main(int argc, char **argv)
{
    static char *all[] = {"create", "lookup", "draw", "delete", NULL};
    struct range range = {0};
    WSADATA data;
    int failed;

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "/?")))
    {
        usage(stdout);
        return 0;
    }
    if (argc < 4)
    {
        fputs("persist: wrong number of arguments; see persist --help.\n", stderr);
        return 2;
    }
    if (!parse_range(argv + 1, &range) || !check_steps(argv + 4)) return 2;
    if ((failed = WSAStartup(MAKEWORD(2, 2), &data)))
    {
        fprintf(stderr, "persist: WSAStartup failed with error %d.\n", failed);
        return 1;
    }
    failed = run(argc > 4 ? argv + 4 : all, &range);
    WSACleanup();
    return failed;
}
