/*
 * Tests of the service that holds persistent reservations: stopped, killed, hung, and started again
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "service.h"

/* How a holder goes. */
enum gone
{
    STOPPED,
    KILLED,
};

static const char *const gone_names[] = {"stopped", "killed"};

static void holder_goes(enum gone gone)
{
    if (gone == STOPPED)
        service_stop();
    else
        service_kill();
}

/* Sockets that have ports of a range in every way. */
struct sockets
{
    SOCKET drawn;
    SOCKET listening;
    SOCKET specific;
    SOCKET by_number;
    SOCKET waiting;
};

#define RANGE_PORTS 8

static void sockets_open(struct sockets *sockets, const struct kind *kind,
                         const struct block *block)
{
    BOOL stream = kind->type == SOCK_STREAM;

    sockets->drawn = draw(kind, block, NULL);
    sockets->listening = draw(kind, block, NULL);
    if (stream) ok(!listen(sockets->listening, 5), "error %d\n", WSAGetLastError());
    sockets->specific = associated(kind, block);
    check_bind_to(sockets->specific, kind->dual ? "::1" : kind->loopback, 0, 0);
    sockets->by_number = open_socket(kind);
    check_bind(sockets->by_number, block->start + RANGE_PORTS - 1, 0);
    if (stream) ok(!listen(sockets->by_number, 5), "error %d\n", WSAGetLastError());
    sockets->waiting = associated(kind, block);
}

static USHORT check_new_port_(int line, SOCKET s, const struct block *block,
                              const struct sockets *sockets)
{
    USHORT port = check_port_in_(__FILE__, line, s, block);

    ok_(__FILE__, line)(port != port_of(sockets->drawn) && port != port_of(sockets->listening) &&
                            port != port_of(sockets->specific) &&
                            port != port_of(sockets->by_number),
                        "port %u was drawn twice\n", port);
    return port;
}
#define check_new_port(...) check_new_port_(__LINE__, __VA_ARGS__)

/* With a holder or without: what is reserved is used as ever. */
static void check_use(const struct kind *kind, const struct block *block,
                      const struct sockets *sockets)
{
    SOCKET s;

    check_lookup(kind, block->start, block->count, 0, block->token);
    s = draw(kind, block, NULL);
    check_new_port(s, block, sockets);
    if (kind->type == SOCK_STREAM) ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    check_conversation(kind, s);
    check_close(s);
    s = associated(kind, block);
    check_bind(s, port_of(sockets->by_number), WSAEADDRINUSE);
    check_bind(s, port_of(sockets->listening), WSAEADDRINUSE);
    check_close(s);
    s = open_socket(kind);
    check_bind(s, block->start + RANGE_PORTS - 2, 0);
    check_close(s);
    check_acquire_meets(kind, block->start, block->count);
    check_conversation(kind, sockets->listening);
    check_conversation(kind, sockets->by_number);
}

/* An outsider that tries to get a port of a range all the time. */
struct thief
{
    HANDLE thread;
    const struct kind *kind;
    const struct block *block;
    unsigned int tries;
    unsigned int got;
};

static DWORD WINAPI thief_thread(void *argument)
{
    struct thief *thief = argument;

    sscanf(outsider("steal %s %u %u 2 reuseaddr", protocol_name(thief->kind), thief->block->start,
                    thief->block->start + thief->block->count - 1),
           "ok %u %u", &thief->tries, &thief->got);
    return 0;
}

/* The sockets end, and the holder has their ports all the time. Nobody else may use the outsider
 * meanwhile. */
static void check_no_gap(const struct kind *kind, const struct block *block,
                         struct sockets *sockets)
{
    struct thief thief = {.kind = kind, .block = block};

    if (outsider_available()) thief.thread = CreateThread(NULL, 0, thief_thread, &thief, 0, NULL);
    Sleep(200);
    check_close(sockets->drawn);
    check_close(sockets->listening);
    check_close(sockets->specific);
    check_close(sockets->by_number);
    if (!thief.thread) return;
    ok(!WaitForSingleObject(thief.thread, 60000), "the outsider takes too long\n");
    CloseHandle(thief.thread);
    ok(thief.tries > 100, "%u tries: nothing is tested\n", thief.tries);
    ok(!thief.got, "an outsider got %u ports in %u tries\n", thief.got, thief.tries);
}

/* The holder goes, and comes again. */
static void test_restart(const struct kind *kind, enum gone gone)
{
    struct sockets sockets;
    SOCKET all[RANGE_PORTS];
    struct block block;
    unsigned int i;

    make_range(kind, RANGE_PORTS, &block);
    sockets_open(&sockets, kind, &block);
    holder_goes(gone);
    winetest_push_context("away");
    check_stored(kind, block.start, block.count, TRUE);
    check_use(kind, &block, &sockets);
    winetest_pop_context();

    service_start();
    winetest_push_context("back");
    check_use(kind, &block, &sockets);
    check_held(kind, block.start, block.count);
    check_bind(sockets.waiting, 0, 0);
    check_new_port(sockets.waiting, &block, &sockets);
    check_close(sockets.waiting);
    check_no_gap(kind, &block, &sockets);
    check_held(kind, block.start, block.count);
    for (i = 0; i < RANGE_PORTS; i++) all[i] = draw(kind, &block, NULL);
    for (i = 0; i < RANGE_PORTS; i++) check_close(all[i]);
    check_held(kind, block.start, block.count);
    end_range(kind, &block);
    check_free(kind, block.start, block.count);
    winetest_pop_context();
}

/* What the store says when the holder comes is what it holds. */
static void test_store_changed(const struct kind *kind, enum gone gone)
{
    struct block kept, erased, written, emptied;
    char name[STORE_NAME_SIZE];
    SOCKET s;

    make_range(kind, 3, &kept);
    make_range(kind, 3, &erased);
    make_range(kind, 3, &emptied);
    written.start = find_ports(3);
    s = draw(kind, &erased, NULL);
    holder_goes(gone);
    store_name(erased.start, 3, name);
    store_erase(kind, name);
    store_name(emptied.start, 3, name);
    store_erase(kind, name);
    store_write(kind, written.start, 3);
    check_lookup(kind, written.start, 3, ERROR_NOT_FOUND, 0);
    service_start();
    check_lookup(kind, kept.start, 3, 0, kept.token);
    check_lookup(kind, erased.start, 3, ERROR_NOT_FOUND, 0);
    check_lookup(kind, emptied.start, 3, ERROR_NOT_FOUND, 0);
    ok(!published_token(kind, erased.start, 3), "a token is left\n");
    check_held(kind, kept.start, 3);
    check_not_held(kind, emptied.start);
    check_free(kind, emptied.start, 3);
    check_acquire_meets(kind, port_of(s), 1);
    check_close(s);
    check_free(kind, erased.start, 3);
    /* Nobody waits for those: a service that runs holds what was there before. */
    ok(!lookup_range(kind, written.start, 3, &written.token), "the range is not held\n");
    written.count = 3;
    check_held(kind, written.start, 3);
    check_close(draw(kind, &written, NULL));
    s = open_socket(kind);
    check_associate(s, erased.token, WSAEINVAL);
    check_close(s);
    end_range(kind, &written);
    end_range(kind, &kept);
}

/* Whoever asks for something has the holder started. */
static void test_started_by_client(const struct kind *kind, enum gone gone)
{
    struct block block;

    holder_goes(gone);
    make_range(kind, 3, &block);
    ok(service_state() == SERVICE_RUNNING, "state %lu\n", service_state());
    check_held(kind, block.start, 3);
    holder_goes(gone);
    end_range(kind, &block);
    ok(service_state() == SERVICE_RUNNING, "state %lu\n", service_state());
    check_free(kind, block.start, 3);
}

/* The holder dies while it is being asked. */
static void test_killed_meanwhile(struct peer *peer, const struct kind *kind)
{
    unsigned int index = kind - kinds, i;
    USHORT start = find_ports(3);
    ULONG64 token;

    for (i = 0; i < 8; i++)
    {
        struct peer_answer answer;

        winetest_push_context("round %u", i);
        peer_post(peer, "create %u %u 3", index, start);
        if (i % 4) Sleep(i % 4);
        service_kill();
        answer = peer_fetch(peer);
        ok(!answer.error, "Create: error %d\n", answer.error);
        check_stored(kind, start, 3, TRUE);
        check_lookup(kind, start, 3, 0, answer.value);
        service_start();
        ok(!lookup_range(kind, start, 3, &token) && token == answer.value, "the token is %s\n",
           wine_dbgstr_longlong(token));
        check_held(kind, start, 3);

        peer_post(peer, "delete %u %u 3", index, start);
        if (i % 4) Sleep(i % 4);
        service_kill();
        answer = peer_fetch(peer);
        ok(!answer.error, "Delete: error %d\n", answer.error);
        check_stored(kind, start, 3, FALSE);
        service_start();
        check_lookup(kind, start, 3, ERROR_NOT_FOUND, 0);
        check_free(kind, start, 3);
        winetest_pop_context();
    }
}

/* The holder hangs. Whoever asks is told so some time, and then nothing has happened. */
static void test_hung(struct peer *peers)
{
    unsigned int i;
    struct block blocks[2];
    USHORT starts[2];

    for (i = 0; i < 2; i++)
    {
        make_range(&kinds[i ? UDP4 : TCP4], 3, &blocks[i]);
        starts[i] = find_ports(3);
    }
    service_freeze(TRUE);
    for (i = 0; i < 2; i++)
    {
        peer_post(&peers[2 * i], "create %u %u 3", i ? UDP4 : TCP4, starts[i]);
        peer_post(&peers[2 * i + 1], "delete %u %u 3", i ? UDP4 : TCP4, blocks[i].start);
    }
    for (i = 0; i < 4; i++)
    {
        int error = peer_fetch(&peers[i]).error;

        ok(error == ERROR_SERVICE_NOT_ACTIVE, "peer %u: error %d\n", i, error);
    }
    for (i = 0; i < 2; i++)
    {
        const struct kind *kind = &kinds[i ? UDP4 : TCP4];

        winetest_push_context("%s", kind->name);
        check_stored(kind, starts[i], 3, FALSE);
        check_stored(kind, blocks[i].start, 3, TRUE);
        check_lookup(kind, starts[i], 3, ERROR_NOT_FOUND, 0);
        check_lookup(kind, blocks[i].start, 3, 0, blocks[i].token);
        check_close(draw(kind, &blocks[i], NULL));
        check_unreserved(kind, blocks[i].start);
        check_held(kind, blocks[i].start, 3);
        winetest_pop_context();
    }

    /* Awake again, it does not do what nobody waits for. What comes next it does. */
    service_freeze(FALSE);
    for (i = 0; i < 2; i++)
    {
        const struct kind *kind = &kinds[i ? UDP4 : TCP4];
        struct block other;

        winetest_push_context("%s, awake", kind->name);
        make_range(kind, 1, &other);
        end_range(kind, &other);
        check_stored(kind, starts[i], 3, FALSE);
        check_lookup(kind, starts[i], 3, ERROR_NOT_FOUND, 0);
        check_lookup(kind, blocks[i].start, 3, 0, blocks[i].token);
        check_held(kind, blocks[i].start, 3);
        check_free(kind, starts[i], 3);
        end_range(kind, &blocks[i]);
        winetest_pop_context();
    }
}

/* It hangs only for a while: that is waited for. */
static void test_slow(struct peer *peer)
{
    struct block block;

    make_range(&kinds[TCP4], 3, &block);
    service_freeze(TRUE);
    peer_post(peer, "delete %u %u 3", TCP4, block.start);
    Sleep(2000);
    service_freeze(FALSE);
    ok(!peer_fetch(peer).error, "it was not waited for\n");
    check_stored(&kinds[TCP4], block.start, 3, FALSE);
    check_free(&kinds[TCP4], block.start, 3);
}

/* It hangs, and is killed. */
static void test_hung_and_killed(struct peer *peer)
{
    struct block block;
    SOCKET s;

    make_range(&kinds[UDP4], 3, &block);
    s = draw(&kinds[UDP4], &block, NULL);
    service_freeze(TRUE);
    peer_post(peer, "delete %u %u 3", UDP4, block.start);
    Sleep(200);
    service_kill();
    ok(!peer_fetch(peer).error, "the range was not deleted\n");
    check_stored(&kinds[UDP4], block.start, 3, FALSE);
    check_lookup(&kinds[UDP4], block.start, 3, ERROR_NOT_FOUND, 0);
    check_close(s);
    check_free(&kinds[UDP4], block.start, 3);
    service_start();
}

static void set_start_type(DWORD type)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT), service;
    BOOL ret;

    service = OpenServiceA(manager, "PortPool", SERVICE_CHANGE_CONFIG);
    ret = ChangeServiceConfigA(service, SERVICE_NO_CHANGE, type, SERVICE_NO_CHANGE, NULL, NULL,
                               NULL, NULL, NULL, NULL, NULL);
    ok(ret, "error %lu\n", GetLastError());
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
}

/* There is no holder, and none can be started. */
static void test_disabled(struct peer *peers)
{
    USHORT start = find_ports(3);
    struct block block;

    make_range(&kinds[TCP4], 3, &block);
    service_stop();
    set_start_type(SERVICE_DISABLED);
    peer_post(&peers[0], "create %u %u 3", UDP4, start);
    peer_post(&peers[1], "delete %u %u 3", TCP4, block.start);
    ok(peer_fetch(&peers[0]).error == ERROR_SERVICE_NOT_ACTIVE, "the range was created\n");
    ok(peer_fetch(&peers[1]).error == ERROR_SERVICE_NOT_ACTIVE, "the range was deleted\n");
    check_stored(&kinds[UDP4], start, 3, FALSE);
    check_stored(&kinds[TCP4], block.start, 3, TRUE);
    check_lookup(&kinds[TCP4], block.start, 3, 0, block.token);
    check_close(draw(&kinds[TCP4], &block, NULL));
    set_start_type(SERVICE_AUTO_START);
    service_start();
    check_lookup(&kinds[UDP4], start, 3, ERROR_NOT_FOUND, 0);
    check_lookup(&kinds[TCP4], block.start, 3, 0, block.token);
    check_held(&kinds[TCP4], block.start, 3);
    end_range(&kinds[TCP4], &block);
    check_free(&kinds[UDP4], start, 3);
}

/* More who ask at once than there is room for requests. */
static DWORD WINAPI crowd_thread(void *argument)
{
    const struct kind *kind = &kinds[(ULONG_PTR)argument >> 16];
    USHORT start = (ULONG_PTR)argument & 0xffff;
    struct block block;
    int i;

    for (i = 0; i < 5; i++)
    {
        check_create(kind, start, 2, 0, &block);
        check_lookup(kind, start, 2, 0, block.token);
        end_range(kind, &block);
    }
    return 0;
}

static void test_crowd(void)
{
    enum
    {
        THREADS = 40
    };
    HANDLE threads[THREADS];
    USHORT start = find_ports(2 * THREADS);
    ULONG_PTR i;

    for (i = 0; i < THREADS; i++)
        threads[i] = CreateThread(NULL, 0, crowd_thread,
                                  (void *)((i % 2 ? UDP4 : TCP4) << 16 | (start + 2 * i)), 0, NULL);
    ok(WaitForMultipleObjects(THREADS, threads, TRUE, 60000) < THREADS, "it takes too long\n");
    for (i = 0; i < THREADS; i++) CloseHandle(threads[i]);
    check_free(&kinds[TCP4], start, 2 * THREADS);
    check_free(&kinds[UDP4], start, 2 * THREADS);
}

/* Started again and again, it leaves nothing, and loses nothing. */
static void test_often(enum gone gone)
{
    struct block blocks[2];
    unsigned int i, j;

    for (j = 0; j < 2; j++) make_range(&kinds[j ? UDP4 : TCP4], 20, &blocks[j]);
    for (i = 0; i < 5; i++)
    {
        holder_goes(gone);
        service_start();
        for (j = 0; j < 2; j++)
        {
            check_lookup(&kinds[j ? UDP4 : TCP4], blocks[j].start, 20, 0, blocks[j].token);
            check_held(&kinds[j ? UDP4 : TCP4], blocks[j].start, 20);
        }
    }
    for (j = 0; j < 2; j++) end_range(&kinds[j ? UDP4 : TCP4], &blocks[j]);
}

static void test_gone(enum gone gone)
{
    const struct kind *kind;

    for_each_kind(kind)
    {
        winetest_push_context("%s, %s", gone_names[gone], kind->name);
        test_restart(kind, gone);
        winetest_pop_context();
    }
    winetest_push_context("%s", gone_names[gone]);
    test_store_changed(&kinds[TCP4], gone);
    test_store_changed(&kinds[UDP4], gone);
    test_started_by_client(&kinds[TCP4], gone);
    test_started_by_client(&kinds[UDP4], gone);
    test_often(gone);
    winetest_pop_context();
}

static void test_all(void)
{
    struct peer peers[4];
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(peers); i++)
        if (!peer_start(&peers[i])) return;
    if (!service_await_state(SERVICE_RUNNING)) return;
    test_gone(STOPPED);
    test_disabled(peers);
    test_crowd();
    if (outsider_available())
    {
        test_gone(KILLED);
        test_killed_meanwhile(&peers[0], &kinds[TCP4]);
        test_killed_meanwhile(&peers[0], &kinds[UDP4]);
        test_slow(&peers[0]);
        test_hung_and_killed(&peers[0]);
        test_hung(peers);
    }
    else
        skip("no outsider to kill the holder\n");
    for (i = 0; i < ARRAYSIZE(peers); i++) peer_end(&peers[i], PEER_EXIT);
}

START_TEST(holder)
{
    static const struct peer_command commands[] = {RANGE_COMMANDS, {NULL}};
    WSADATA data;

    if (!target_is_tawny())
    {
        skip("there is no such service\n");
        return;
    }
    WSAStartup(MAKEWORD(2, 2), &data);
    if (!peer_serve(commands))
    {
        ranges_begin();
        test_all();
        ranges_end();
    }
    outsider_disconnect();
    WSACleanup();
}
