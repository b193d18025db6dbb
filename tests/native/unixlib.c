/*
 * Tests of the Unix side as Wine's loader sees it: one table of entry points
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same calls go through the table that is linked in, which the sanitizers look into, and
 * through the one of portpool.so, whose path may be given.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/process.h"
#include "outsiders.h"

#define COUNT 4
#define CALLS (UNIX_CALL_FOLLOW_WINESERVER + 1)

typedef int32_t (*call_function)(void *args);

extern const call_function __wine_unix_call_funcs[];

static const call_function *calls;

#define check_call(code, params) check_call_(__LINE__, code, params)
static void check_call_(int line, enum unix_call code, void *params)
{
    int32_t result = calls[code](params);

    ok_(__FILE__, line, !result, "call %u returned %#x", code, result);
}

static uint64_t address_of(const void *pointer)
{
    return (uintptr_t)pointer;
}

static void test_host(void)
{
    struct unix_ephemeral_params ephemeral = {0}, expected = {0};
    struct unix_random_params random = {0};
    struct unix_alive_params alive = {0};
    struct unix_identify_params identify = {0};

    check_call(UNIX_CALL_IDENTIFY, &identify);
    ok(identify.owner == process_owner(), "the owner is %#lx", (unsigned long)identify.owner);
    alive.owner = identify.owner;
    check_call(UNIX_CALL_ALIVE, &alive);
    ok(alive.alive == 1, "alive %u", alive.alive);
    alive.owner ^= UINT64_C(1) << PROCESS_NUMBER_BITS;
    check_call(UNIX_CALL_ALIVE, &alive);
    ok(!alive.alive, "alive %u", alive.alive);
    check_call(UNIX_CALL_RANDOM, &random);
    ok(random.value != 0, "0 is not random");
    check_call(UNIX_CALL_EPHEMERAL, &ephemeral);
    process_ephemeral_range(&expected.first, &expected.last);
    ok(ephemeral.first == expected.first && ephemeral.last == expected.last, "%u to %u",
       ephemeral.first, ephemeral.last);
}

static void test_lend(const struct unix_hold_params *hold, const int32_t *fds)
{
    const struct shape *shape = &network_shapes[SHAPE_LOCALHOST];
    struct unix_lend_params lend = {
        .placeholder = fds[1], .protocol = hold->protocol, .status = 99};
    struct unix_inspect_params inspect = {.status = 99};
    struct unix_inode_params inode = {0};
    struct unix_close_params close_params;

    lend.socket = network_socket(shape, socket_type(hold->protocol), REUSEADDR);
    check_call(UNIX_CALL_LEND, &lend);
    ok(!lend.status, "status %u", lend.status);
    lend.done = !network_bind(lend.socket, shape, hold->start + 1);
    ok(lend.done, "error %d", errno);
    check_call(UNIX_CALL_SETTLE, &lend);
    if (hold->protocol == UNIX_TCP)
    {
        lend.status = 99;
        check_call(UNIX_CALL_LISTEN, &lend);
        ok(!lend.status, "status %u", lend.status);
        lend.done = !listen(lend.socket, 1);
        ok(lend.done, "error %d", errno);
        check_call(UNIX_CALL_SETTLE_LISTEN, &lend);
    }
    check_kept_out(hold->protocol, hold->start + 1, SHARING_STRANGERS);

    inspect.fd = inode.fd = close_params.fd = lend.socket;
    check_call(UNIX_CALL_INSPECT, &inspect);
    ok(!inspect.status && inspect.protocol == hold->protocol && inspect.family == AF_INET &&
           inspect.port == hold->start + 1,
       "status %u, protocol %u, family %u, port %u", inspect.status, inspect.protocol,
       inspect.family, inspect.port);
    check_call(UNIX_CALL_INODE, &inode);
    ok(inode.inode != 0, "no inode");
    check_call(UNIX_CALL_CLOSE, &close_params);
    check_call(UNIX_CALL_INODE, &inode);
    ok(!inode.inode, "the socket is still open");
}

static void test_hold(enum unix_protocol protocol)
{
    int32_t fds[COUNT], more[COUNT];
    struct unix_hold_params hold = {.fds = address_of(fds), .protocol = protocol, .count = COUNT};
    struct unix_drop_params drop = {.fds = address_of(fds), .count = COUNT};
    unsigned int before = network_descriptors();

    hold.start = network_free_block(COUNT);
    hold.status = 99;
    check_call(UNIX_CALL_HOLD, &hold);
    if (!ok(!hold.status, "status %u", hold.status)) return;
    check_kept_out(protocol, hold.start, SHARING_ALL);
    check_kept_out(protocol, hold.start + COUNT - 1, SHARING_ALL);
    test_lend(&hold, fds);

    hold.fds = address_of(more);
    hold.start += COUNT - 1;
    check_call(UNIX_CALL_HOLD, &hold);
    ok(hold.status == UNIX_IN_USE && hold.conflict == hold.start, "status %u, conflict at %u",
       hold.status, hold.conflict);
    check_call(UNIX_CALL_DROP, &drop);
    check_let_in(protocol, hold.start);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

static void test_watch(uint32_t ready)
{
    struct unix_watch_open_params set = {.status = 99};
    uint64_t ids[2] = {0};
    struct unix_watch_add_params add = {.id = UINT64_C(0x1122334455667788), .ready = ready};
    struct unix_watch_ready_params look = {.size = 2, .ids = address_of(ids)};
    struct unix_watch_list_params list = {.size = 2, .ids = address_of(ids), .status = 99};
    struct unix_watch_close_params end;
    unsigned int before = network_descriptors();

    check_call(UNIX_CALL_WATCH_OPEN, &set);
    if (!ok(!set.status, "status %u", set.status)) return;
    add.epoll = look.epoll = end.epoll = set.epoll;
    list.entries = end.entries = set.entries;
    add.socket = network_socket(&network_shapes[SHAPE_ANY], SOCK_DGRAM, PLAIN);
    add.status = 99;
    check_call(UNIX_CALL_WATCH_ADD, &add);
    ok(!add.status, "status %u", add.status);
    check_call(UNIX_CALL_WATCH_READY, &look);
    ok(look.count == ready && ids[0] == (ready ? add.id : 0), "%u live, the first %#lx", look.count,
       (unsigned long)ids[0]);
    check_call(UNIX_CALL_WATCH_LIST, &list);
    ok(!list.status && list.count == 1 && ids[0] == add.id, "status %u, %u live, the first %#lx",
       list.status, list.count, (unsigned long)ids[0]);
    close(add.socket);
    check_call(UNIX_CALL_WATCH_LIST, &list);
    ok(!list.status && !list.count, "status %u, %u live", list.status, list.count);
    check_call(UNIX_CALL_WATCH_CLOSE, &end);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

static void test_occupied(const struct unix_restore_params *restore, uint8_t expected)
{
    uint8_t occupied[COUNT] = {99, 99, 99, 99};
    struct unix_occupied_params params = {.occupied = address_of(occupied),
                                          .protocol = restore->protocol,
                                          .start = restore->start,
                                          .count = COUNT,
                                          .status = 99};

    check_call(UNIX_CALL_OCCUPIED, &params);
    ok(!params.status && occupied[1] == expected, "status %u, occupied %u, expected %u",
       params.status, occupied[1], expected);
}

static void test_overlap(const struct unix_restore_params *restore, uint32_t expected)
{
    struct unix_overlap_params params = {
        .address = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
        .port = restore->start + 1,
        .overlaps = 99};

    params.socket = network_socket(&network_shapes[SHAPE_LOCALHOST], SOCK_DGRAM, PLAIN);
    check_call(UNIX_CALL_OVERLAP, &params);
    ok(params.overlaps == expected, "overlaps %u, expected %u", params.overlaps, expected);
    close(params.socket);
}

/* A socket is in the way, makes room, and is lent the port again by its like. */
static void test_restore(enum unix_protocol protocol)
{
    int32_t fds[COUNT] = {-1, -1, -1, -1};
    uint8_t restored[COUNT] = {99, 99, 99, 99};
    struct unix_restore_params restore = {.fds = address_of(fds),
                                          .restored = address_of(restored),
                                          .protocol = protocol,
                                          .start = network_free_block(COUNT),
                                          .count = COUNT,
                                          .status = 99};
    struct unix_make_room_params room = {
        .protocol = protocol, .port = restore.start + 1, .placeholder = 99, .status = 99};
    struct unix_drop_params drop = {.fds = address_of(fds), .count = COUNT};
    struct unix_share_params share = {.fds = address_of(fds), .count = COUNT};
    unsigned int before = network_descriptors();

    room.socket = network_open(&network_shapes[SHAPE_ANY], socket_type(protocol), room.port, PLAIN);
    if (protocol == UNIX_TCP) listen(room.socket, 1);
    check_call(UNIX_CALL_RESTORE, &restore);
    ok(!restore.status && restored[0] == UNIX_HELD && restored[1] == UNIX_OCCUPIED,
       "status %u, ports %u and %u", restore.status, restored[0], restored[1]);
    ok(fds[0] != -1 && fds[1] == -1, "placeholders %d and %d", fds[0], fds[1]);
    if (protocol == UNIX_UDP) test_overlap(&restore, 1);
    test_occupied(&restore, 1);
    check_call(UNIX_CALL_MAKE_ROOM, &room);
    ok(!room.status && room.placeholder != -1, "status %u, placeholder %d", room.status,
       room.placeholder);
    fds[1] = room.placeholder;
    close(room.socket);
    if (protocol == UNIX_UDP) test_overlap(&restore, 0);
    if (protocol == UNIX_UDP) test_occupied(&restore, 0);
    check_call(UNIX_CALL_SHARE, &share);
    check_kept_out(protocol, room.port, SHARING_STRANGERS);
    test_lend(&(struct unix_hold_params){.start = restore.start, .protocol = protocol},
              (int32_t[]){-1, UNIX_PLACEHOLDER_SHARED});
    check_call(UNIX_CALL_DROP, &drop);
    ok(network_descriptors() == before, "%u descriptors, before %u", network_descriptors(), before);
}

static void test_journal(void)
{
    struct unix_journal_record record = {0};
    struct unix_journal_open_params open = {.status = 99};
    struct unix_journal_append_params append = {
        .record = {.generation = 7, .remove = 1, .protocol = UNIX_UDP, .start = 5000, .count = 20},
        .status = 99};
    struct unix_journal_read_params read = {
        .records = address_of(&record), .size = 1, .count = 99, .status = 99};
    struct unix_journal_trim_params trim = {.remaining = 99, .status = 99};
    char prefix[] = "/tmp/tawny-unixlib-XXXXXX", path[64];

    if (!ok(mkdtemp(prefix) != NULL, "error %d", errno)) return;
    setenv("WINEPREFIX", prefix, 1);
    check_call(UNIX_CALL_JOURNAL_OPEN, &open);
    ok(!open.status, "status %u", open.status);
    check_call(UNIX_CALL_JOURNAL_APPEND, &append);
    ok(!append.status, "status %u", append.status);
    check_call(UNIX_CALL_JOURNAL_READ, &read);
    ok(!read.status && read.count == 1 && record.generation == 7 && record.remove == 1 &&
           record.protocol == UNIX_UDP && record.start == 5000 && record.count == 20,
       "status %u, %u records", read.status, read.count);
    check_call(UNIX_CALL_JOURNAL_TRIM, &trim);
    ok(!trim.status && trim.remaining == 1, "status %u, %u remaining", trim.status, trim.remaining);
    snprintf(path, sizeof(path), "%s/portpool.journal", prefix);
    ok(!unlink(path) && !rmdir(prefix), "error %d", errno);
}

static void test_precedence(void)
{
    uint8_t taken[3] = {99, 99, 99};
    struct unix_precedence_params take = {
        .taken = address_of(taken), .protocol = UNIX_UDP, .start = 5000, .count = 3, .status = 99};
    struct unix_give_up_params give_up = {.protocol = UNIX_UDP, .start = 5001, .count = 1};

    check_call(UNIX_CALL_TAKE_PRECEDENCE, &take);
    ok(!take.status && taken[0] == 1 && taken[1] == 1 && taken[2] == 1,
       "status %u, ports %u, %u and %u", take.status, taken[0], taken[1], taken[2]);
    check_call(UNIX_CALL_GIVE_UP_PRECEDENCE, &give_up);
    check_call(UNIX_CALL_LEAVE_PRECEDENCE, NULL);
}

/* A process ends with its wineserver. Run anew: it is the environment at its start that counts. */
static void test_follow(const char *program, const char *library)
{
    char variable[48], byte;
    int ends[2], status;
    pid_t child;

    for (int connected = 0; connected < 2; connected++)
    {
        if (!ok(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "error %d", errno)) return;
        snprintf(variable, sizeof(variable), "WINESERVERSOCKET=%d", connected ? ends[1] : 9999);
        fflush(stdout);
        if (!(child = fork()))
        {
            close(ends[0]);
            execle(program, "unixlib", "follow", library, NULL, (char *[]){variable, NULL});
            _exit(99);
        }
        close(ends[1]);
        /* The child's end is its own alone, and it says when it is about to wait. */
        if (connected) ok(recv(ends[0], &byte, 1, 0) == 1, "the child did not start");
        if (connected) ok(!waitpid(child, &status, WNOHANG), "the child has ended before");
        close(ends[0]);
        /* 7: the call came back. */
        ok(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
               WEXITSTATUS(status) == (connected ? 0 : 7),
           "the child ended with status %#x", status);
    }
}

/* The child. */
static int follow(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *connection = getenv("WINESERVERSOCKET");

    calls = library ? dlsym(library, "__wine_unix_call_funcs") : NULL;
    if (!calls || !connection) return 3;
    if (send(atoi(connection), "x", 1, MSG_NOSIGNAL) != 1 && atoi(connection) != 9999) return 4;
    calls[UNIX_CALL_FOLLOW_WINESERVER](NULL);
    return 7;
}

static void test_calls(const call_function *table)
{
    calls = table;
    for (int i = 0; i < CALLS; i++)
        if (!ok(table[i] != NULL, "call %d is missing", i)) return;
    test_host();
    test_hold(UNIX_TCP);
    test_hold(UNIX_UDP);
    test_watch(0);
    test_watch(1);
    test_restore(UNIX_TCP);
    test_restore(UNIX_UDP);
    test_journal();
    test_precedence();
}

static void test_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const ElfW(Sym) * symbol;
    const call_function *table;
    Dl_info info;

    if (!ok(library != NULL, "%s", dlerror())) return;
    table = dlsym(library, "__wine_unix_call_funcs");
    if (ok(table != NULL, "%s has no table", path) &&
        ok(dladdr1(table, &info, (void **)&symbol, RTLD_DL_SYMENT), "%s", dlerror()) &&
        ok(symbol->st_size == CALLS * sizeof(*table), "the table has %lu entries, expected %u",
           (unsigned long)(symbol->st_size / sizeof(*table)), CALLS))
        test_calls(table);
    dlclose(library);
}

int main(int argc, char **argv)
{
    char path[] = "x86_64-unix/portpool.so";

    if (argc == 3 && !strcmp(argv[1], "follow")) return follow(argv[2]);
    test_start("unixlib");
    test_seed();
    outsiders_start();
    test_calls(__wine_unix_call_funcs);
    test_library(argc > 1 ? argv[1] : path);
    test_follow("/proc/self/exe", argc > 1 ? argv[1] : path);
    return test_end();
}
