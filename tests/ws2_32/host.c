/*
 * Tests against native programs of the host, by way of the outsider
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A native program is to find a block's ports in use, whatever it tries. What is a limit of the
 * host instead is marked todo, with its reason.
 */
#include "util.h"

/* Also those of the same user that set SO_REUSEPORT. */
static void check_kept_out_wholly_(int line, const struct kind *kind, USHORT port)
{
    check_kept_out_plainly_(__FILE__, line, kind, port);
    check_kept_out_(__FILE__, line, kind, port, "reuseport");
    check_kept_out_(__FILE__, line, kind, port, "reuseaddr reuseport");
}
#define check_kept_out_wholly(...) check_kept_out_wholly_(__LINE__, __VA_ARGS__)

/* A port's life: held, lent, listening, returned, free. */
static void test_explicit(const struct kind *kind)
{
    BOOL stream = kind->type == SOCK_STREAM;
    const char *which = "";
    struct block block;
    unsigned int count;
    SOCKET owner, s;

    owner = open_socket(kind);
    check_acquire(owner, find_ports(3), 3, 0, &block);
    winetest_push_context("held");
    check_kept_out_wholly(kind, block.start);
    check_kept_out_wholly(kind, block.start + 2);
    winetest_pop_context();

    winetest_push_context("lent");
    s = associated(kind, &block);
    check_bind(s, block.start, 0);
    check_kept_out_plainly(kind, block.start);
    if (stream)
    {
        /* The host remembers of a TCP port that it was shared once. */
        count = outsider_gets(kind, block.start, "reuseport", &which);
        todo_wine ok(!count, "%u shapes of outsiders get the port, one is %s\n", count, which);
    }
    else
        check_kept_out_wholly(kind, block.start);
    check_kept_out_wholly(kind, block.start + 1);
    winetest_pop_context();

    if (stream)
    {
        winetest_push_context("listening");
        ok(!listen(s, 5), "error %d\n", WSAGetLastError());
        check_kept_out_plainly(kind, block.start);
        check_kept_out_wholly(kind, block.start + 1);
        winetest_pop_context();
    }

    winetest_push_context("returned");
    check_close(s);
    check_kept_out_plainly(kind, block.start);
    if (stream)
    {
        count = outsider_gets(kind, block.start, "reuseport", &which);
        todo_wine ok(!count, "%u shapes of outsiders get the port, one is %s\n", count, which);
    }
    else
        check_kept_out_wholly(kind, block.start);
    check_kept_out_wholly(kind, block.start + 1);
    winetest_pop_context();

    winetest_push_context("free");
    check_release(owner, block.token, 0);
    count = outsider_gets(kind, block.start, "", &which);
    ok(count == OUTSIDER_SHAPES, "%u shapes get the port\n", count);
    check_close(owner);
    winetest_pop_context();
}

/* A socket of ours that would share its port. */
static void test_reuseaddr(const struct kind *kind)
{
    SOCKET owner, s;
    struct block block;
    int on = 1;

    owner = open_socket(kind);
    check_acquire(owner, find_ports(1), 1, 0, &block);
    s = associated(kind, &block);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const char *)&on, sizeof(on));
    check_bind(s, 0, 0);
    check_kept_out_plainly(kind, block.start);
    if (kind->type == SOCK_DGRAM) check_kept_out_wholly(kind, block.start);
    check_close(s);
    check_close(owner);
}

/* Released, and lent still: the socket keeps the port by itself. */
static void test_released(const struct kind *kind)
{
    SOCKET owner, s;
    struct block block;
    int id;

    owner = open_socket(kind);
    check_acquire(owner, find_ports(2), 2, 0, &block);
    s = associated(kind, &block);
    check_bind(s, block.start, 0);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    check_release(owner, block.token, 0);
    id = outsider_bind(kind, kind->wildcard, block.start, "");
    ok(id == -LINUX_EADDRINUSE, "bound, %d\n", id);
    id = outsider_bind(kind, kind->loopback, block.start, "");
    ok(id == -LINUX_EADDRINUSE || kind->dual, "bound, %d\n", id);
    id = outsider_bind(kind, kind->wildcard, block.start + 1, "");
    ok(id > 0, "errno %d\n", -id);
    outsider("closeall");
    check_close(s);
    check_close(owner);
}

/* An outsider has the port: so we cannot. */
static void test_outsider_first(const struct kind *kind)
{
    static const char *const options[] = {"", "reuseaddr", "reuseport"};
    USHORT start = find_ports(3);
    unsigned int i, j;
    int id;

    for (i = 0; i < OUTSIDER_SHAPES; i++)
    {
        for (j = 0; j < ARRAYSIZE(options); j++)
        {
            SOCKET s = open_socket(kind);

            winetest_push_context("%s %s %s", outsider_shapes[i].address, outsider_shapes[i].option,
                                  options[j]);
            id = outsider_bind_shape(kind, &outsider_shapes[i], start + 1, options[j]);
            ok(id > 0, "errno %d\n", -id);
            check_acquire(s, start, 3, WSAEADDRINUSE, NULL);
            check_acquire(s, start + 1, 1, WSAEADDRINUSE, NULL);
            check_free(kind, start, 1);
            outsider("close %d", id);
            check_acquire(s, start, 3, 0, NULL);
            check_close(s);
            winetest_pop_context();
        }
    }
}

/* A program of the host that is bound to a device. */
static void test_device(void)
{
    char device[32], options[64];
    struct block block;
    SOCKET owner;
    int id;

    if (!GetEnvironmentVariableA("TAWNY_DEVICE", device, sizeof(device)))
    {
        skip("no device to bind an outsider to\n");
        return;
    }
    snprintf(options, sizeof(options), "device=%s", device);
    owner = acquire_any(&kinds[TCP4], 1, &block);
    id = outsider_bind(&kinds[TCP4], "0.0.0.0", block.start, options);
    ok(id == -LINUX_EADDRINUSE, "bound, %d\n", id);
    id = outsider_bind(&kinds[TCP4], "::", block.start, options);
    ok(id == -LINUX_EADDRINUSE, "bound, %d\n", id);
    check_close(owner);

    owner = acquire_any(&kinds[UDP4], 1, &block);
    id = outsider_bind(&kinds[UDP4], "0.0.0.0", block.start, options);
    /* What holds a UDP port is bound to another device, for it must not take datagrams. */
    todo_wine ok(id == -LINUX_EADDRINUSE, "the outsider gets the port\n");
    outsider("closeall");
    check_close(owner);

    /* The other way round nothing is taken away. */
    id = outsider_bind(&kinds[UDP4], "0.0.0.0", block.start, options);
    ok(id > 0, "errno %d\n", -id);
    owner = open_socket(&kinds[UDP4]);
    check_acquire(owner, block.start, 1, WSAEADDRINUSE, NULL);
    outsider("closeall");
    check_acquire(owner, block.start, 1, 0, NULL);
    check_close(owner);
}

/* The ports that the host assigns by itself are no block's. */
static void test_ephemeral(const struct kind *kind)
{
    static const char *const commands[] = {"ephemeral", "ephemeral-connect"};
    SOCKET owner = open_socket(kind), drawn;
    struct block blocks[3];
    unsigned int i, j;

    for (i = 0; i < ARRAYSIZE(blocks); i++)
        check_acquire(owner, 0, many_ports(2000), 0, &blocks[i]);
    drawn = draw(kind, &blocks[0], NULL);
    for (i = 0; i < ARRAYSIZE(commands); i++)
    {
        for (j = 0; j < ARRAYSIZE(blocks); j++)
        {
            unsigned int inside = 1, bound = 0;

            sscanf(outsider("%s %s 500 %u %u", commands[i], protocol_name(kind), blocks[j].start,
                            blocks[j].start + blocks[j].count - 1),
                   "ok %u %u", &inside, &bound);
            ok(bound == 500, "%s: only %u ports\n", commands[i], bound);
            ok(!inside, "%s: %u of %u ports are of the block\n", commands[i], inside, bound);
        }
    }

    /* Nor can a connection be made from one by number. */
    if (kind->type == SOCK_STREAM)
    {
        SOCKET listener = open_socket(kind);
        int id;

        check_bind_to(listener, kind->wildcard, 0, 0);
        ok(!listen(listener, 5), "error %d\n", WSAGetLastError());
        id = outsider_number("connect tcp %s %u bind=%u", kind->loopback, port_of(listener),
                             blocks[1].start);
        ok(id == -LINUX_EADDRINUSE, "connected, %d\n", id);
        id = outsider_number("connect tcp %s %u bind=%u reuseaddr", kind->loopback,
                             port_of(listener), blocks[1].start);
        ok(id == -LINUX_EADDRINUSE, "connected, %d\n", id);
        check_close(listener);
    }
    check_close(drawn);
    check_close(owner);
}

static struct
{
    const struct kind *kind;
    struct block block;
    volatile LONG stopping, draws;
} lending;

/* Draws and returns ports all the time. */
static DWORD CALLBACK lend_thread(void *argument)
{
    (void)argument;
    while (!lending.stopping)
    {
        SOCKET s = draw(lending.kind, &lending.block, NULL);

        if (lending.kind->type == SOCK_STREAM && lending.draws % 2)
            ok(!listen(s, 1), "error %d\n", WSAGetLastError());
        check_close(s);
        InterlockedIncrement(&lending.draws);
    }
    return 0;
}

/* An outsider that tries all the time, while ports are lent and returned. */
static void test_steal(const struct kind *kind, const char *options)
{
    unsigned int tries = 0, got = 1;
    HANDLE threads[2];
    SOCKET owner;
    int i;

    owner = open_socket(kind);
    check_acquire(owner, find_ports(8), 8, 0, &lending.block);
    lending.kind = kind;
    lending.stopping = lending.draws = 0;
    for (i = 0; i < 2; i++) threads[i] = CreateThread(NULL, 0, lend_thread, NULL, 0, NULL);
    sscanf(outsider("steal %s %u %u 1 %s", protocol_name(kind), lending.block.start,
                    lending.block.start + lending.block.count - 1, options),
           "ok %u %u", &tries, &got);
    lending.stopping = 1;
    WaitForMultipleObjects(2, threads, TRUE, INFINITE);
    for (i = 0; i < 2; i++) CloseHandle(threads[i]);
    ok(tries > 100 && lending.draws > 10, "%u tries, %ld draws: nothing is tested\n", tries,
       lending.draws);
    ok(!got, "an outsider with \"%s\" got %u ports in %u tries\n", options, got, tries);
    check_close(owner);
}

/* Datagrams from the host reach the socket, and nothing else that has its port. */
static void test_datagrams(const struct kind *kind)
{
    enum
    {
        BATCHES = 100,
        BATCH = 100
    };
    unsigned int i, j, lost = 0, wrong = 0;
    DWORD timeout = 5000;
    struct block block;
    SOCKET owner, s;
    int id, got;

    owner = open_socket(kind);
    check_acquire(owner, 0, 1, 0, &block);
    s = draw(kind, &block, NULL);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof(timeout));
    id = outsider_bind(kind, kind->dual ? "::" : kind->loopback, 0, "");
    ok(id > 0, "errno %d\n", -id);
    for (i = 0; i < BATCHES && !lost; i++)
    {
        BOOL seen[BATCH] = {FALSE};

        /* No more at once than the host's buffer takes. */
        got = outsider_number("send %d %s %u %u", id, kind->dual && i % 2 ? "::1" : kind->loopback,
                              block.start, BATCH);
        ok(got == BATCH, "sent %d\n", got);
        for (j = 0; j < BATCH; j++)
        {
            ULONG64 number = ~(ULONG64)0;

            if (recv(s, (char *)&number, sizeof(number), 0) != sizeof(number)) break;
            if (number >= BATCH || seen[number])
                wrong++;
            else
                seen[number] = TRUE;
        }
        lost += BATCH - j;
    }
    ok(i == BATCHES && !lost, "%u datagrams lost of %u\n", lost, i * BATCH);
    ok(!wrong, "%u datagrams that were not sent\n", wrong);
    outsider("closeall");
    check_close(s);
    check_close(owner);
}

static void close_hard(SOCKET s)
{
    struct linger linger = {1, 0};

    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger));
    check_close(s);
}

/* Counts the connections of 100 that reach the listener. */
static unsigned int count_connections(const struct kind *kind, SOCKET listener)
{
    SOCKADDR_STORAGE address;
    int length = make_address(kind->loopback, port_of(listener), &address);
    unsigned int i, count = 0;

    for (i = 0; i < 100; i++)
    {
        SOCKET client = socket(address.ss_family, SOCK_STREAM, IPPROTO_TCP), server;
        struct timeval timeout = {1, 0};
        fd_set set;

        ok(!connect(client, (struct sockaddr *)&address, length), "error %d\n", WSAGetLastError());
        FD_ZERO(&set);
        FD_SET(listener, &set);
        if (select(0, &set, NULL, NULL, &timeout) == 1)
        {
            server = accept(listener, NULL, NULL);
            count += server != INVALID_SOCKET;
            closesocket(server);
        }
        close_hard(client);
        if (count != i + 1) break; /* each of the others would take a second */
    }
    return count;
}

/* The host prefers a listener at a more specific address, or of a narrower family. Our
 * clients connect to the kind's loopback address. */
static BOOL is_preferred(const struct kind *kind, const struct outsider_shape *shape)
{
    return strstr(shape->address, kind->loopback) ||
           (kind->dual && !strcmp(shape->address, "0.0.0.0"));
}

/* An outsider of the same user that sets SO_REUSEPORT may listen where we do. It gets nothing,
 * unless the host prefers its address to ours. */
static void test_listening_outsider(const struct kind *kind)
{
    unsigned int i, count, listening = 0;
    struct block block;
    SOCKET owner, s;
    int id;

    owner = open_socket(kind);
    for (i = 0; i < OUTSIDER_SHAPES; i++)
    {
        winetest_push_context("against %s %s", outsider_shapes[i].address,
                              outsider_shapes[i].option);
        check_acquire(owner, find_ports(1), 1, 0, &block);
        s = draw(kind, &block, NULL);
        ok(!listen(s, SOMAXCONN), "error %d\n", WSAGetLastError());
        id = outsider_bind_shape(kind, &outsider_shapes[i], block.start, "reuseport");
        if (id > 0 && !outsider_number("listen %d", id)) listening++;
        count = count_connections(kind, s);
        todo_wine_if(is_preferred(kind, &outsider_shapes[i]))
            ok(count == 100, "%u of 100 connections reached the listener\n", count);
        outsider("closeall");
        check_close(s);
        check_release(owner, block.token, 0);
        winetest_pop_context();
    }
    ok(listening, "no outsider can listen: nothing is tested\n");
    check_close(owner);
}

/* A server that has served, and starts again at its port, while TCP remembers its connections. */
static void test_restart(const struct kind *kind)
{
    SOCKET owner, s, server;
    struct block block;
    int i, j, id, error;

    owner = open_socket(kind);
    check_acquire(owner, find_ports(1), 1, 0, &block);
    for (i = 0; i < 4; i++)
    {
        winetest_push_context("start %d", i);
        s = associated(kind, &block);
        check_bind(s, i % 2 ? 0 : block.start, 0);
        error = listen(s, 5) ? WSAGetLastError() : 0;
        ok(!error, "listen: error %d\n", error);
        for (j = 0; j < 3; j++)
        {
            id = outsider_number("connect tcp %s %u", kind->loopback, block.start);
            ok(id > 0, "errno %d\n", -id);
            server = accept_soon(s);
            ok(server != INVALID_SOCKET, "no connection\n");
            /* Who closes first has to wait. */
            check_close(server);
            outsider("close %d", id);
        }
        check_close(s);
        winetest_pop_context();
    }

    /* One connection is alive when the server starts again. */
    s = associated(kind, &block);
    check_bind(s, 0, 0);
    ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    id = outsider_number("connect tcp %s %u", kind->loopback, block.start);
    ok(id > 0, "errno %d\n", -id);
    server = accept_soon(s);
    check_close(s);
    s = associated(kind, &block);
    check_bind(s, block.start, 0);
    ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    check_conversation(kind, s);
    check_close(server);
    check_close(s);
    outsider("closeall");

    /* And the block itself, acquired anew. */
    check_close(owner);
    check_free(kind, block.start, 1);
}

START_TEST(host)
{
    const struct kind *kind;
    WSADATA data;

    if (!outsider_available())
    {
        skip("no outsider: TAWNY_OUTSIDER is not set\n");
        return;
    }
    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        winetest_push_context("%s", kind->name);
        test_explicit(kind);
        test_reuseaddr(kind);
        test_released(kind);
        test_outsider_first(kind);
        test_ephemeral(kind);
        if (kind->type == SOCK_STREAM)
        {
            test_listening_outsider(kind);
            test_restart(kind);
        }
        else
            test_datagrams(kind);
        winetest_pop_context();
    }
    test_device();
    /* Without reuseport: at the instant when a port is lent, it is open to a program of the same
     * user that does as we do. What such a one gets between such instants is tested above. */
    test_steal(&kinds[TCP4], "");
    test_steal(&kinds[TCP_DUAL], "reuseaddr");
    test_steal(&kinds[UDP4], "reuseaddr");
    test_steal(&kinds[UDP_DUAL], "");
    outsider_disconnect();
    WSACleanup();
}
