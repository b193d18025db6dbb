/*
 * Tests of servers that are started again: what their last run has left on their ports
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"

#define RESTARTS    10
#define CONNECTIONS 5

/* A server: the socket that reserves its port, and the one that listens there. */
struct server
{
    SOCKET acquirer;
    SOCKET listener;
};

static struct server server_start(const struct kind *kind, USHORT port)
{
    struct server server = {.acquirer = open_socket(kind), .listener = open_socket(kind)};
    struct block block;

    check_acquire(server.acquirer, port, 1, 0, &block);
    check_associate(server.listener, block.token, 0);
    check_bind(server.listener, port, 0);
    ok(!listen(server.listener, CONNECTIONS), "listen: error %d\n", WSAGetLastError());
    return server;
}

static void server_stop(struct server *server)
{
    check_close(server->listener);
    check_close(server->acquirer);
}

static SOCKET client_connect(const struct kind *kind, USHORT port)
{
    SOCKADDR_STORAGE address;
    int length = make_address(kind->loopback, port, &address);
    /* A server for both families is reached over either. */
    SOCKET client = socket(address.ss_family, kind->type, kind->protocol);

    ok(client != INVALID_SOCKET, "socket: error %d\n", WSAGetLastError());
    ok(!connect(client, (SOCKADDR *)&address, length), "connect: error %d\n", WSAGetLastError());
    return client;
}

/* Waits until the other side has closed. */
static void check_end(SOCKET s)
{
    char byte;
    int got = recv(s, &byte, 1, 0);

    ok(!got, "recv returned %d, error %d\n", got, WSAGetLastError());
}

/* Serves a connection, and is the first to close: its side goes to TIME_WAIT. */
static void serve(const struct kind *kind, const struct server *server, USHORT port)
{
    SOCKET client = client_connect(kind, port), accepted = accept_soon(server->listener);

    ok(accepted != INVALID_SOCKET, "accept: error %d\n", WSAGetLastError());
    ok(send(accepted, "x", 1, 0) == 1, "send: error %d\n", WSAGetLastError());
    shutdown(accepted, SD_SEND);
    ok(recv(client, &(char){0}, 1, 0) == 1, "recv: error %d\n", WSAGetLastError());
    check_end(client);
    check_close(client);
    check_end(accepted);
    check_close(accepted);
}

static void test_restart(const struct kind *kind)
{
    USHORT port = find_ports(1);

    for (int i = 0; i < RESTARTS; i++)
    {
        struct server server = server_start(kind, port);

        winetest_push_context("start %d", i);
        for (int j = 0; j < CONNECTIONS; j++) serve(kind, &server, port);
        server_stop(&server);
        winetest_pop_context();
    }
}

/* A connection that lives keeps its port in use, though nobody listens there any more. */
static void test_established(const struct kind *kind)
{
    USHORT port = find_ports(1);
    struct server server = server_start(kind, port);
    SOCKET client = client_connect(kind, port), accepted = accept_soon(server.listener);
    SOCKET s = open_socket(kind);

    ok(accepted != INVALID_SOCKET, "accept: error %d\n", WSAGetLastError());
    server_stop(&server);
    check_acquire(s, port, 1, WSAEADDRINUSE, NULL);

    /* One that is half closed lives, too. */
    shutdown(accepted, SD_SEND);
    check_end(client);
    check_acquire(s, port, 1, WSAEADDRINUSE, NULL);

    check_close(client);
    check_end(accepted);
    check_close(accepted);
    check_acquire(s, port, 1, 0, NULL);
    check_close(s);
}

/* A connection that its server has closed is nobody's, though its client is not done with it. */
static void test_closed(const struct kind *kind)
{
    USHORT port = find_ports(1);
    struct server server = server_start(kind, port);
    SOCKET client = client_connect(kind, port), accepted = accept_soon(server.listener);

    ok(accepted != INVALID_SOCKET, "accept: error %d\n", WSAGetLastError());
    check_close(accepted);
    server_stop(&server);
    server = server_start(kind, port);
    check_end(client);
    serve(kind, &server, port);
    server_stop(&server);
    check_close(client);
}

/* Bound and not listening is in use. */
static void test_bound(const struct kind *kind)
{
    USHORT port = find_ports(1);
    SOCKET bound = open_socket(kind), s = open_socket(kind);

    check_bind_to(bound, kind->dual ? kind->wildcard : kind->loopback, port, 0);
    check_acquire(s, port, 1, WSAEADDRINUSE, NULL);
    check_close(bound);
    check_acquire(s, port, 1, 0, NULL);
    check_close(s);
}

START_TEST(restart)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        if (kind->type == SOCK_STREAM)
        {
            test_restart(kind);
            test_established(kind);
            test_closed(kind);
        }
        test_bound(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
