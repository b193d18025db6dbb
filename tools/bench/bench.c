/*
 * bench: measures the drop-in DLLs against Wine's own, from inside a Windows program
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both DLLs are loaded in one process, ours as ws2_32.dll and Wine's as ws2_32_wine.dll, and both
 * are called by turns: one batch of calls each, and each goes first in every other pair. Wine's
 * clock ticks every 100 ns, so that only batches are timed. A sample is a line
 *     ROW SIDE VALUE
 * where SIDE is "ours" or "reference" and VALUE is nanoseconds a call, unless said otherwise
 * below. What a row means and may cost stands in budgets.json; "run" makes medians of the samples.
 *
 * bench environment    what this process was started with, as lines NAME=VALUE
 * bench addresses      for each function that moves data: 1 if Wine's code runs, without a step of
 *                      ours in between; the reference is always 1
 * bench send           send calls, without a reservation in the process and with one
 * bench bind           bind + closesocket of sockets made beforehand, without a reservation
 * bench draw           socket, associate, bind to port 0, closesocket, with a block and with a
 *                      persistent range; the reference does not associate
 * bench requests       single calls, each between two CloseHandle of handles that do not exist.
 *                      VALUE is "THREAD BEGIN END", as the wineserver's trace shows those.
 * bench serve          does what lines of standard input say, and answers with nanoseconds:
 *                          time PROTOCOL START COUNT   acquires and releases
 *                          most PROTOCOL START COUNT   answers how many ports can be acquired, of
 *                                                      those at most
 *                          hold PROTOCOL START COUNT   acquires, and does not release
 *                          create PROTOCOL START COUNT creates a persistent range, and deletes it
 *                                                      outside of what is timed
 *                          store PROTOCOL START COUNT  creates a persistent range
 *                          delete PROTOCOL START COUNT deletes one
 *                          restart PROTOCOL START COUNT stops the service that holds persistent
 *                                                      ranges, and times its start; the rest of the
 *                                                      line is ignored
 *                      The reference of "time" and "create" is native.c's "time".
 * bench start          WSAStartup, one socket, and out: "run" measures the whole process
 */
#define MEASURE_NAME "bench"
#include "sides.h"

#include <fcntl.h>
#include <io.h>

#define BLOCK_PORTS  1000
#define RANGE_START  20000 /* of persistent ranges: automatic assignment does not come here */
#define DATAGRAM     64
#define SEND_CALLS   100
#define SEND_PAIRS   201
#define BIND_SOCKETS 32
#define BIND_PAIRS   201
#define DRAW_CALLS   8
#define DRAW_PAIRS   151
#define ROUNDS       9 /* of counting requests */

/* Finds an IPv4 address of this machine that is not the loopback's. Nothing is sent there. */
static BOOL find_interface(struct sockaddr_in *address)
{
    SOCKET s = make_socket(&reference, &protocols[1]);
    char buffer[4096];
    SOCKET_ADDRESS_LIST *list = (SOCKET_ADDRESS_LIST *)buffer;
    BOOL found = FALSE;
    DWORD size;

    check(WSAIoctl(s, SIO_ADDRESS_LIST_QUERY, NULL, 0, list, sizeof(buffer), &size, NULL, NULL),
          "SIO_ADDRESS_LIST_QUERY");
    for (int i = 0; !found && i < list->iAddressCount; i++)
    {
        *address = *(struct sockaddr_in *)list->Address[i].lpSockaddr;
        address->sin_port = 0;
        /* Wine lists an interface without an address too, as 0.0.0.0. */
        found = address->sin_addr.s_addr != INADDR_ANY && address->sin_addr.S_un.S_un_b.s_b1 != 127;
    }
    reference.closesocket(s);
    return found;
}

/* environment */

static int bench_environment(void)
{
    static const char *const names[] = {"WINEDLLPATH", "WINEDLLOVERRIDES"};

    for (unsigned int i = 0; i < ARRAYSIZE(names); i++)
    {
        const char *value = getenv(names[i]);

        printf("%s=%s\n", names[i], value ? value : "");
    }
    return 0;
}

/* addresses */

static int bench_addresses(void)
{
    static const char *const names[] = {"send", "recv", "WSASend", "WSARecv", "select"};
    HMODULE drop_in = GetModuleHandleW(L"ws2_32.dll");
    HMODULE builtin = GetModuleHandleW(L"ws2_32_wine.dll");

    for (unsigned int i = 0; i < ARRAYSIZE(names); i++)
    {
        printf("data-path ours %d\n", import(drop_in, names[i]) == import(builtin, names[i]));
        printf("data-path reference 1\n");
    }
    return 0;
}

/* send */

struct sender
{
    SOCKET s;
    struct sockaddr_in sink;
    char data[DATAGRAM];
};

static void send_sendto(const struct winsock *winsock, void *context)
{
    struct sender *sender = context;

    for (int i = 0; i < SEND_CALLS; i++)
        check(winsock->sendto(sender->s, sender->data, DATAGRAM, 0,
                              (struct sockaddr *)&sender->sink, sizeof(sender->sink)) != DATAGRAM,
              "sendto");
}

static void send_WSASendTo(const struct winsock *winsock, void *context)
{
    struct sender *sender = context;
    WSABUF buffer = {DATAGRAM, sender->data};
    DWORD sent;

    for (int i = 0; i < SEND_CALLS; i++)
        check(winsock->WSASendTo(sender->s, &buffer, 1, &sent, 0, (struct sockaddr *)&sender->sink,
                                 sizeof(sender->sink), NULL, NULL),
              "WSASendTo");
}

static void send_WSASendMsg(const struct winsock *winsock, void *context)
{
    struct sender *sender = context;
    WSABUF buffer = {DATAGRAM, sender->data};
    WSAMSG message = {.name = (struct sockaddr *)&sender->sink,
                      .namelen = sizeof(sender->sink),
                      .lpBuffers = &buffer,
                      .dwBufferCount = 1};
    DWORD sent;

    for (int i = 0; i < SEND_CALLS; i++)
        check(winsock->WSASendMsg(sender->s, &message, 0, &sent, NULL, NULL), "WSASendMsg");
}

static void send_compare(const char *suffix, struct sender *sender)
{
    static const struct
    {
        const char *name;
        work_function work;
    } calls[] = {
        {"sendto", send_sendto}, {"WSASendTo", send_WSASendTo}, {"WSASendMsg", send_WSASendMsg}};
    char row[40];

    for (unsigned int i = 0; i < ARRAYSIZE(calls); i++)
    {
        snprintf(row, sizeof(row), "%s-%s", calls[i].name, suffix);
        /* The sink is full after this, as nobody reads it, and stays so: each datagram costs the
         * same. */
        for (int j = 0; j < 10; j++) calls[i].work(&reference, sender);
        compare(row, SEND_PAIRS, SEND_CALLS, NULL, calls[i].work, sender);
    }
}

static int bench_send(void)
{
    SOCKET sink = make_socket(&reference, &protocols[1]), acquirer, associated;
    struct sender sender = {.s = make_socket(&reference, &protocols[1])};
    int length = sizeof(sender.sink);

    bind_any(&reference, sink);
    bind_any(&reference, sender.s);
    check(getsockname(sink, (struct sockaddr *)&sender.sink, &length), "getsockname");
    send_compare("idle", &sender);

    acquirer = make_socket(&ours, &protocols[1]);
    associated = make_socket(&ours, &protocols[1]);
    associate(associated, acquire(acquirer, 0, BLOCK_PORTS));
    bind_any(&ours, associated);
    send_compare("reserved", &sender);
    return 0;
}

/* bind */

struct binder
{
    const struct protocol *protocol;
    struct sockaddr_in address;
    SOCKET sockets[BIND_SOCKETS];
};

static void bind_prepare(const struct winsock *winsock, void *context)
{
    struct binder *binder = context;

    for (int i = 0; i < BIND_SOCKETS; i++)
        binder->sockets[i] = make_socket(winsock, binder->protocol);
}

static void bind_and_close(const struct winsock *winsock, void *context)
{
    struct binder *binder = context;

    for (int i = 0; i < BIND_SOCKETS; i++)
    {
        bind_at(winsock, binder->sockets[i], &binder->address);
        check(winsock->closesocket(binder->sockets[i]), "closesocket");
    }
}

static int bench_bind(void)
{
    struct binder binder;
    struct sockaddr_in own;
    BOOL found = find_interface(&own);
    char row[40];

    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
    {
        binder.protocol = &protocols[i];
        binder.address = loopback(0);
        snprintf(row, sizeof(row), "bind-%s", protocols[i].name);
        compare(row, BIND_PAIRS, BIND_SOCKETS, bind_prepare, bind_and_close, &binder);
        if (!found) continue;
        binder.address = own;
        snprintf(row, sizeof(row), "bind-interface-%s", protocols[i].name);
        compare(row, BIND_PAIRS, BIND_SOCKETS, bind_prepare, bind_and_close, &binder);
    }
    return 0;
}

/* draw */

struct drawer
{
    const struct protocol *protocol;
    INET_PORT_RESERVATION_TOKEN token;
};

static void draw(const struct winsock *winsock, void *context)
{
    struct drawer *drawer = context;

    for (int i = 0; i < DRAW_CALLS; i++)
    {
        SOCKET s = make_socket(winsock, drawer->protocol);

        if (winsock == &ours) associate(s, drawer->token);
        bind_any(winsock, s);
        check(winsock->closesocket(s), "closesocket");
    }
}

/* Draws ports, and keeps the sockets that have them. */
static void draw_fill(const struct drawer *drawer, SOCKET *sockets, int count)
{
    for (int i = 0; i < count; i++)
    {
        sockets[i] = make_socket(&ours, drawer->protocol);
        associate(sockets[i], drawer->token);
        bind_any(&ours, sockets[i]);
    }
}

/* The rows of a block or range of BLOCK_PORTS ports that are idle at first, and are so again. */
static void draw_compare(const char *name, struct drawer *drawer)
{
    SOCKET sockets[BLOCK_PORTS * 9 / 10];
    char row[40];

    draw_fill(drawer, sockets, BLOCK_PORTS / 10);
    snprintf(row, sizeof(row), "%s-%s-10", name, drawer->protocol->name);
    compare(row, DRAW_PAIRS, DRAW_CALLS, NULL, draw, drawer);
    draw_fill(drawer, sockets + BLOCK_PORTS / 10, BLOCK_PORTS * 8 / 10);
    snprintf(row, sizeof(row), "%s-%s-90", name, drawer->protocol->name);
    compare(row, DRAW_PAIRS, DRAW_CALLS, NULL, draw, drawer);
    for (unsigned int i = 0; i < ARRAYSIZE(sockets); i++)
        check(ours.closesocket(sockets[i]), "closesocket");
}

static int bench_draw(void)
{
    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
    {
        struct drawer drawer = {.protocol = &protocols[i]};
        SOCKET acquirer = make_socket(&ours, drawer.protocol);

        drawer.token = acquire(acquirer, 0, BLOCK_PORTS);
        draw_compare("draw", &drawer);
        check(ours.closesocket(acquirer), "closesocket");

        drawer.token = create(drawer.protocol, RANGE_START, BLOCK_PORTS);
        draw_compare("draw-persistent", &drawer);
        delete (drawer.protocol, RANGE_START, BLOCK_PORTS);
    }
    return 0;
}

/* requests */

/* Leaves a line in the wineserver's trace: nothing else closes such a handle. */
static unsigned int mark(void)
{
    static unsigned int last = 0x7ead0000;

    last += 4;
    CloseHandle((HANDLE)(ULONG_PTR)last);
    return last;
}

/* Around the one call that is counted. */
#define COUNT(row, winsock, call)                                                                  \
    do                                                                                             \
    {                                                                                              \
        unsigned int begin = mark();                                                               \
        call;                                                                                      \
        requests_print(row, winsock, begin, mark());                                               \
    } while (0)

static BOOL requests_silent; /* while the process does things for the first time */

static void requests_print(const char *row, const struct winsock *winsock, unsigned int begin,
                           unsigned int end)
{
    if (requests_silent) return;
    printf("%s %s %04lx %04x %04x\n", row, winsock->side, GetCurrentThreadId(), begin, end);
}

/* What Wine's own calls cost, and ours for a socket that has nothing to do with reservations. */
static void requests_plain(const struct winsock *winsock, const struct protocol *protocol)
{
    SOCKET s = make_socket(winsock, protocol);
    struct sockaddr_in own;

    COUNT("requests-bind-other", winsock, bind_any(winsock, s));
    if (protocol->type == SOCK_STREAM)
        COUNT("requests-listen-other", winsock, check(winsock->listen(s, 1), "listen"));
    COUNT("requests-close-other", winsock, check(winsock->closesocket(s), "closesocket"));
    if (find_interface(&own))
    {
        s = make_socket(winsock, protocol);
        COUNT("requests-bind-interface", winsock, bind_at(winsock, s, &own));
        winsock->closesocket(s);
    }
    if (winsock == &ours) return;

    /* The same calls of Wine's are the reference for sockets that have to do with them. */
    s = make_socket(winsock, protocol);
    COUNT("requests-bind", winsock, bind_any(winsock, s));
    if (protocol->type == SOCK_STREAM)
        COUNT("requests-listen", winsock, check(winsock->listen(s, 1), "listen"));
    COUNT("requests-close-associated", winsock, check(winsock->closesocket(s), "closesocket"));
    s = make_socket(winsock, protocol);
    COUNT("requests-close-acquirer", winsock, check(winsock->closesocket(s), "closesocket"));
}

static void requests_reserved(const struct protocol *protocol)
{
    SOCKET acquirer = make_socket(&ours, protocol), s = make_socket(&ours, protocol);
    INET_PORT_RESERVATION_TOKEN token;

    COUNT("requests-acquire", &ours, token = acquire(acquirer, 0, 10));
    COUNT("requests-associate", &ours, associate(s, token));
    COUNT("requests-bind", &ours, bind_any(&ours, s));
    if (protocol->type == SOCK_STREAM)
        COUNT("requests-listen", &ours, check(ours.listen(s, 1), "listen"));
    COUNT("requests-close-associated", &ours, check(ours.closesocket(s), "closesocket"));
    COUNT("requests-release", &ours, release(acquirer, token));
    acquire(acquirer, 0, 10);
    requests_plain(&ours, protocol);
    COUNT("requests-close-acquirer", &ours, check(ours.closesocket(acquirer), "closesocket"));
}

static void requests_persistent(const struct protocol *protocol, INET_PORT_RESERVATION_TOKEN token)
{
    SOCKET s = make_socket(&ours, protocol);

    COUNT("requests-associate-persistent", &ours, associate(s, token));
    COUNT("requests-bind-persistent", &ours, bind_any(&ours, s));
    check(ours.closesocket(s), "closesocket");
    s = make_socket(&reference, protocol);
    COUNT("requests-bind-persistent", &reference, bind_any(&reference, s));
    check(reference.closesocket(s), "closesocket");
}

static int bench_requests(void)
{
    INET_PORT_RESERVATION_TOKEN tokens[ARRAYSIZE(protocols)];

    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
        tokens[i] = create(&protocols[i], RANGE_START, 10);
    for (int round = 0; round <= ROUNDS; round++)
    {
        requests_silent = !round;
        for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
        {
            requests_plain(&reference, &protocols[i]);
            requests_reserved(&protocols[i]);
            requests_persistent(&protocols[i], tokens[i]);
        }
    }
    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++) delete (&protocols[i], RANGE_START, 10);
    return 0;
}

/* serve */

static double serve_time(const struct protocol *protocol, USHORT start, USHORT count)
{
    SOCKET s = make_socket(&ours, protocol);
    double time = clock_ns();

    release(s, acquire(s, start, count));
    time = clock_ns() - time;
    ours.closesocket(s);
    return time;
}

/* How many of the ports can be acquired, if not all of them can: a process may not have so many
 * open files. */
static double serve_most(const struct protocol *protocol, USHORT start, USHORT count)
{
    INET_PORT_RESERVATION_INSTANCE instance;
    SOCKET s = make_socket(&ours, protocol);
    unsigned int enough = 0, too_many = count + 1u;

    while (too_many - enough > 1)
    {
        unsigned int middle = (enough + too_many) / 2;

        if (try_acquire(s, start, middle, &instance))
        {
            release(s, (INET_PORT_RESERVATION_TOKEN){instance.Token});
            enough = middle;
        }
        else
            too_many = middle;
    }
    ours.closesocket(s);
    return enough;
}

static double serve_hold(const struct protocol *protocol, USHORT start, USHORT count)
{
    acquire(make_socket(&ours, protocol), start, count);
    return 0;
}

static double serve_create(const struct protocol *protocol, USHORT start, USHORT count)
{
    double time = clock_ns();

    create(protocol, start, count);
    time = clock_ns() - time;
    delete (protocol, start, count);
    return time;
}

static double serve_store(const struct protocol *protocol, USHORT start, USHORT count)
{
    create(protocol, start, count);
    return 0;
}

static double serve_delete(const struct protocol *protocol, USHORT start, USHORT count)
{
    double time = clock_ns();

    delete (protocol, start, count);
    return clock_ns() - time;
}

static double serve_restart(const struct protocol *protocol, USHORT start, USHORT count)
{
    (void)protocol;
    (void)start;
    (void)count;
    return holder_restart();
}

static int bench_serve(void)
{
    static const struct
    {
        const char *name;
        double (*function)(const struct protocol *protocol, USHORT start, USHORT count);
    } commands[] = {
        {"time", serve_time},       {"most", serve_most},   {"hold", serve_hold},
        {"create", serve_create},   {"store", serve_store}, {"delete", serve_delete},
        {"restart", serve_restart},
    };
    char line[80], command[8] = "", name[8];
    unsigned int start, count, i;

    while (fgets(line, sizeof(line), stdin))
    {
        int words = sscanf(line, "%7s %7s %u %u", command, name, &start, &count);

        for (i = 0; i < ARRAYSIZE(commands) && strcmp(command, commands[i].name); i++) continue;
        if (words != 4 || i == ARRAYSIZE(commands))
        {
            fprintf(stderr, "bench: not a command of serve: %s", line);
            return 1;
        }
        printf("%.0f\n", commands[i].function(&protocols[!strcmp(name, "udp")], start, count));
        fflush(stdout);
    }
    return 0;
}

/* start */

static int bench_start(void)
{
    WSADATA data;

    check(WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    check(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) == INVALID_SOCKET, "socket");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct
    {
        const char *name;
        int (*function)(void);
        BOOL compares; /* needs both implementations */
    } commands[] = {
        {"environment", bench_environment, FALSE},
        {"start", bench_start, FALSE},
        {"addresses", bench_addresses, TRUE},
        {"send", bench_send, TRUE},
        {"bind", bench_bind, TRUE},
        {"draw", bench_draw, TRUE},
        {"requests", bench_requests, TRUE},
        {"serve", bench_serve, TRUE},
    };

    /* Lines end as a Unix shell expects them to. */
    _setmode(_fileno(stdout), _O_BINARY);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (unsigned int i = 0; argc == 2 && i < ARRAYSIZE(commands); i++)
    {
        if (strcmp(argv[1], commands[i].name)) continue;
        if (commands[i].compares) winsock_load_both();
        return commands[i].function();
    }
    fputs("Usage: bench environment|start|addresses|send|bind|draw|requests|serve\n", stderr);
    return 2;
}
