/*
 * reserve: acquires a runtime block of ports, draws one, binds it, and gives the block back
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A console program for Windows. It needs nothing of Tawny's: any implementation of the control
 * codes will do.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options
{
    int family;
    int type;
    int protocol;
    int start;
    int count;
    int hold; /* seconds */
};

static void usage(FILE *file)
{
    fputs("Usage: reserve FAMILY PROTOCOL START COUNT [HOLD]\n"
          "       reserve FAMILY TYPE PROTOCOL START COUNT [HOLD]\n"
          "Acquires a runtime reservation of ports, binds a socket to one of them, and gives all\n"
          "of it back.\n"
          "\n"
          "  FAMILY    inet or inet6, or a number: 2 or 23\n"
          "  TYPE      stream or dgram, or a number: 1 or 2\n"
          "  PROTOCOL  tcp or udp, or a number: 6 or 17\n"
          "  START     the first port, 0 for a block anywhere\n"
          "  COUNT     how many ports\n"
          "  HOLD      seconds to wait before giving the block back (default 0)\n"
          "\n"
          "Exit code: 0 if every step succeeded, 1 if one failed, 2 for wrong arguments.\n",
          file);
}

static int parse_name(const char *text, const char *first, int first_value, const char *second,
                      int second_value)
{
    if (!strcmp(text, first)) return first_value;
    if (!strcmp(text, second)) return second_value;
    return -1;
}

/* Takes a decimal number from 0 to limit; -1 if it is not one. */
static int parse_number(const char *text, int limit)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *text && !*end && value >= 0 && value <= limit ? value : -1;
}

static int parse(const char *text, const char *first, int first_value, const char *second,
                 int second_value)
{
    int value = parse_name(text, first, first_value, second, second_value);

    return value == -1 ? parse_number(text, 65535) : value;
}

static int complain(const char *what, const char *text)
{
    fprintf(stderr, "reserve: %s is not %s; see reserve --help.\n", text, what);
    return 0;
}

static int parse_options(int argc, char **argv, struct options *options)
{
    char **arg = argv + 1;
    int typed;

    if (argc < 5 || argc > 7)
    {
        fputs("reserve: wrong number of arguments; see reserve --help.\n", stderr);
        return 0;
    }
    /* With a type, the third argument is a protocol, and there are as many numbers after it. */
    typed = argc == 7 || parse_name(argv[2], "stream", 1, "dgram", 1) == 1 ||
            (argc == 6 && parse_number(argv[2], 2) > 0);

    if ((options->family = parse(*arg, "inet", AF_INET, "inet6", AF_INET6)) == -1)
        return complain("an address family", *arg);
    arg++;
    options->type = -1;
    if (typed && (options->type = parse(*arg++, "stream", SOCK_STREAM, "dgram", SOCK_DGRAM)) == -1)
        return complain("a socket type", arg[-1]);
    if ((options->protocol = parse(*arg, "tcp", IPPROTO_TCP, "udp", IPPROTO_UDP)) == -1)
        return complain("a protocol", *arg);
    if (!typed) options->type = options->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    arg++;
    if ((options->start = parse_number(*arg, 65535)) == -1)
        return complain("a port from 0 to 65535", *arg);
    arg++;
    if ((options->count = parse_number(*arg, 65535)) == -1)
        return complain("a number of ports", *arg);
    arg++;
    if (*arg && (options->hold = parse_number(*arg, 86400)) == -1)
        return complain("a number of seconds", *arg);
    return 1;
}

static int report(const char *what, int failed)
{
    if (failed)
        printf("%s failed with error %d\n", what, WSAGetLastError());
    else
        printf("%s succeeded", what);
    fflush(stdout);
    return failed;
}

static int ioctl(SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size)
{
    DWORD returned;

    return WSAIoctl(s, code, in, in_size, out, out_size, &returned, NULL, NULL);
}

/* Binds a second socket to whichever port of the block it gets. */
static int draw(const struct options *options, INET_PORT_RESERVATION_TOKEN *token)
{
    SOCKADDR_STORAGE address = {.ss_family = options->family};
    int length = options->family == AF_INET6 ? sizeof(SOCKADDR_IN6) : sizeof(SOCKADDR_IN);
    SOCKET s = socket(options->family, options->type, options->protocol);
    int failed = 1;

    if (report("socket, for the port", s == INVALID_SOCKET)) return 1;
    puts("");
    if (!report("SIO_ASSOCIATE_PORT_RESERVATION",
                ioctl(s, SIO_ASSOCIATE_PORT_RESERVATION, token, sizeof(*token), NULL, 0)))
    {
        puts("");
        if (!report("bind to port 0", bind(s, (struct sockaddr *)&address, length)))
        {
            length = sizeof(address);
            getsockname(s, (struct sockaddr *)&address, &length);
            printf(": port %u\n", ntohs(((SOCKADDR_IN *)&address)->sin_port));
            failed = 0;
        }
    }
    if (options->hold)
    {
        printf("waiting %d seconds\n", options->hold);
        fflush(stdout);
        Sleep(options->hold * 1000);
    }
    closesocket(s);
    return failed;
}

static int run(const struct options *options)
{
    INET_PORT_RANGE range = {htons(options->start), options->count};
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RESERVATION_TOKEN token;
    SOCKET s = socket(options->family, options->type, options->protocol);
    int failed;

    if (report("socket, for the block", s == INVALID_SOCKET)) return 1;
    puts("");
    if ((failed = report("SIO_ACQUIRE_PORT_RESERVATION",
                         ioctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                               sizeof(instance)))))
    {
        closesocket(s);
        return failed;
    }
    printf(": ports %u to %u, token %016llx\n", ntohs(instance.StartPort),
           ntohs(instance.StartPort) + instance.NumberOfPorts - 1, instance.Token);
    token.Token = instance.Token;

    failed = draw(options, &token);
    if (report("SIO_RELEASE_PORT_RESERVATION",
               ioctl(s, SIO_RELEASE_PORT_RESERVATION, &token, sizeof(token), NULL, 0)))
        failed = 1;
    else
        puts("");
    closesocket(s);
    return failed;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    WSADATA data;
    int failed;

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "/?")))
    {
        usage(stdout);
        return 0;
    }
    if (!parse_options(argc, argv, &options)) return 2;
    if ((failed = WSAStartup(MAKEWORD(2, 2), &data)))
    {
        fprintf(stderr, "reserve: WSAStartup failed with error %d.\n", failed);
        return 1;
    }
    failed = run(&options);
    WSACleanup();
    return failed ? 1 : 0;
}
