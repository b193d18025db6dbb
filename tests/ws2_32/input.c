/*
 * Tests of bad input: every pointer, size, socket, count and token that is wrong
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The documented error, no crash, and nothing held.
 */
#include "../conformance/target.h"

static const DWORD codes[] = {
    SIO_ACQUIRE_PORT_RESERVATION,
    SIO_ASSOCIATE_PORT_RESERVATION,
    SIO_RELEASE_PORT_RESERVATION,
};

/* Where a call is to fail: all in memory of our own, but for what a test changes. */
struct input
{
    SOCKET s;
    INET_PORT_RANGE range;
    ULONG64 token; /* of a block */
    INET_PORT_RESERVATION_INSTANCE instance;
    void *in;
    DWORD in_size;
    void *out;
    DWORD out_size;
    DWORD returned;
    DWORD *returned_pointer;
};

static struct block live_block; /* on TCP */

static void input_init(struct input *input, DWORD code, SOCKET s)
{
    memset(input, 0, sizeof(*input));
    input->s = s;
    input->range.StartPort = htons(live_block.start + live_block.count);
    input->range.NumberOfPorts = 2;
    input->token = live_block.token;
    input->returned = 0xdeadbeef;
    input->returned_pointer = &input->returned;
    if (code == SIO_ACQUIRE_PORT_RESERVATION)
    {
        input->in = &input->range;
        input->in_size = sizeof(input->range);
        input->out = &input->instance;
        input->out_size = sizeof(input->instance);
        return;
    }
    input->in = &input->token;
    input->in_size = sizeof(input->token);
}

/* Makes the call, which must fail and leave everything as it was. */
static void check_input_(int line, struct input *input, DWORD code, int error)
{
    const struct kind *kind = &kinds[TCP4];
    int ret, got;
    SOCKET s;

    ret = WSAIoctl(input->s, code, input->in, input->in_size, input->out, input->out_size,
                   input->returned_pointer, NULL, NULL);
    got = WSAGetLastError();
    ok_(__FILE__, line)(ret == SOCKET_ERROR, "returned %d\n", ret);
    ok_(__FILE__, line)(got == error, "error %d, expected %d\n", got, error);
    if (input->returned_pointer == &input->returned)
        ok_(__FILE__, line)(!input->returned, "%lu bytes returned\n", input->returned);
    check_free_(__FILE__, line, kind, live_block.start + live_block.count, 2);
    check_reserved_(__FILE__, line, kind, live_block.start);
    s = draw_(__FILE__, line, kind, &live_block, NULL);
    closesocket(s);
}
#define check_input(...) check_input_(__LINE__, __VA_ARGS__)

static void test_sizes(DWORD code, SOCKET s)
{
    struct input input;
    DWORD size;

    input_init(&input, code, s);
    for (size = 0; size < (code == SIO_ACQUIRE_PORT_RESERVATION ? 4u : 8u); size++)
    {
        winetest_push_context("%lu bytes in", size);
        input_init(&input, code, s);
        input.in_size = size;
        check_input(&input, code, WSAEINVAL);
        winetest_pop_context();
    }
    /* The size says that there is nothing to look at. */
    input_init(&input, code, s);
    input.in = NULL;
    input.in_size = 0;
    check_input(&input, code, WSAEINVAL);
    if (code != SIO_ACQUIRE_PORT_RESERVATION) return;

    for (size = 0; size < 16; size++)
    {
        winetest_push_context("%lu bytes out", size);
        input_init(&input, code, s);
        input.out_size = size;
        check_input(&input, code, WSAEINVAL);
        winetest_pop_context();
    }
    input_init(&input, code, s);
    input.out = NULL;
    input.out_size = 0;
    check_input(&input, code, WSAEINVAL);
}

static void *pointer(ULONG_PTR value)
{
    return (void *)value;
}

static void test_pointers(DWORD code, SOCKET s)
{
    char *reserved = VirtualAlloc(NULL, 0x10000, MEM_RESERVE, PAGE_NOACCESS);
    char *read_only = VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    char *hole = alloc_before_hole(2);
    char *pages = VirtualAlloc(NULL, 0x2000, MEM_RESERVE, PAGE_NOACCESS);
    char *after_hole = VirtualAlloc(pages + 0x1000, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    void *bad[] = {NULL,     pointer(1), pointer(0xdeadbeef), pointer(~(ULONG_PTR)0 - 1),
                   reserved, hole,       after_hole - 4};
    struct input input;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(bad); i++)
    {
        winetest_push_context("%p", bad[i]);
        input_init(&input, code, s);
        input.in = bad[i];
        check_input(&input, code, WSAEFAULT);

        if (code == SIO_ACQUIRE_PORT_RESERVATION)
        {
            input_init(&input, code, s);
            input.out = bad[i];
            check_input(&input, code, WSAEFAULT);
        }
        input_init(&input, code, s);
        input.returned_pointer = bad[i];
        check_input(&input, code, WSAEFAULT);
        winetest_pop_context();
    }

    /* What can be read but not written. */
    if (code == SIO_ACQUIRE_PORT_RESERVATION)
    {
        input_init(&input, code, s);
        input.out = read_only;
        check_input(&input, code, WSAEFAULT);
        /* Of 16 bytes, 12 are there. */
        input_init(&input, code, s);
        input.out = hole + 2 - 12;
        check_input(&input, code, WSAEFAULT);
    }
    input_init(&input, code, s);
    input.returned_pointer = (DWORD *)read_only;
    check_input(&input, code, WSAEFAULT);

    VirtualFree(reserved, 0, MEM_RELEASE);
    VirtualFree(read_only, 0, MEM_RELEASE);
    VirtualFree(pages, 0, MEM_RELEASE);
    free_before_hole(hole);
}

/* What is unusual and not wrong. */
static void test_accepted(SOCKET s)
{
    char *end = alloc_before_hole(0), *page;
    union
    {
        INET_PORT_RANGE range;
        INET_PORT_RESERVATION_INSTANCE instance;
        char bytes[100];
    } buffer;
    DWORD returned, old;
    struct input input;
    int ret;

    /* Long buffers, and one for both. */
    input_init(&input, SIO_ACQUIRE_PORT_RESERVATION, s);
    memset(&buffer, 0x55, sizeof(buffer));
    buffer.range = input.range;
    returned = 0xdeadbeef;
    ret = WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &buffer, sizeof(buffer), &buffer,
                   sizeof(buffer), &returned, NULL, NULL);
    ok(!ret && returned == 16, "returned %d, error %d, %lu bytes\n", ret, WSAGetLastError(),
       returned);
    ok(buffer.instance.StartPort == input.range.StartPort && buffer.instance.NumberOfPorts == 2,
       "got %u ports from %u\n", buffer.instance.NumberOfPorts, ntohs(buffer.instance.StartPort));
    ok(buffer.bytes[16] == 0x55, "more than 16 bytes were written\n");
    ret = WSAIoctl(s, SIO_RELEASE_PORT_RESERVATION, &buffer.instance.Token, 60, &buffer,
                   sizeof(buffer), &returned, NULL, NULL);
    ok(!ret && !returned, "returned %d, error %d, %lu bytes\n", ret, WSAGetLastError(), returned);

    /* The last bytes before a hole, at addresses that are not aligned, the input read-only. */
    page = end - 0x1000;
    memcpy(end - 4, &input.range, 4);
    ret = WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, end - 4, 4, page + 1, 16,
                   (DWORD *)(page + 0x103), NULL, NULL);
    ok(!ret, "error %d\n", WSAGetLastError());
    memcpy(&returned, page + 0x103, 4);
    ok(returned == 16, "%lu bytes returned\n", returned);
    memcpy(end - 8, page + 1 + 8, 8);
    VirtualProtect(page, 0x1000, PAGE_READONLY, &old);
    ret = WSAIoctl(s, SIO_RELEASE_PORT_RESERVATION, end - 8, 8, NULL, 0, &returned, NULL, NULL);
    ok(!ret && !returned, "returned %d, error %d, %lu bytes\n", ret, WSAGetLastError(), returned);
    free_before_hole(end - 1);

    input_init(&input, SIO_ACQUIRE_PORT_RESERVATION, s);
    end = alloc_before_hole(16);
    ret =
        WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &input.range, 4, end, 16, &returned, NULL, NULL);
    ok(!ret, "error %d\n", WSAGetLastError());
    ret = WSAIoctl(s, SIO_RELEASE_PORT_RESERVATION, end + 8, 8, NULL, 0, &returned, NULL, NULL);
    ok(!ret, "error %d\n", WSAGetLastError());
    free_before_hole(end);
}

static void check_not_socket_(int line, SOCKET s, int error)
{
    struct input input;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(codes); i++)
    {
        input_init(&input, codes[i], s);
        check_input_(line, &input, codes[i], error);
        /* That it is no socket comes before what else is wrong. */
        if (error != WSAENOTSOCK) continue;
        input_init(&input, codes[i], s);
        input.in_size = 1;
        check_input_(line, &input, codes[i], WSAENOTSOCK);
        input_init(&input, codes[i], s);
        input.in = NULL;
        check_input_(line, &input, codes[i], WSAENOTSOCK);
    }
}
#define check_not_socket(...) check_not_socket_(__LINE__, __VA_ARGS__)

static void test_sockets(void)
{
    static const SOCKET bogus[] = {0,      INVALID_SOCKET, 1,         0xdeadbeef,
                                   0xfff0, (SOCKET)-2,     (SOCKET)-5};
    char path[MAX_PATH], name[MAX_PATH];
    HANDLE event, file, read_pipe, write_pipe, named_pipe, port;
    SOCKET closed;
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(bogus); i++)
    {
        winetest_push_context("%p", pointer(bogus[i]));
        check_not_socket(bogus[i], WSAENOTSOCK);
        winetest_pop_context();
    }

    /* Enough later ones are open while it is tried that none gets this handle. */
    closed = open_socket(&kinds[TCP4]);
    event = CreateEventW(NULL, FALSE, FALSE, NULL);
    closesocket(closed);
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    if (port == (HANDLE)closed)
        check_not_socket(closed, WSAENOTSOCK);
    else
        win_skip("the handle was not used again\n");
    check_not_socket((SOCKET)event, WSAENOTSOCK);
    CloseHandle(event);
    CloseHandle(port);

    GetTempPathA(sizeof(path), path);
    GetTempFileNameA(path, "twn", 0, name);
    file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                       FILE_FLAG_DELETE_ON_CLOSE, NULL);
    check_not_socket((SOCKET)file, WSAENOTSOCK);
    CloseHandle(file);

    /* Wine makes pipes of host sockets. */
    CreatePipe(&read_pipe, &write_pipe, NULL, 0);
    check_not_socket((SOCKET)read_pipe, WSAENOTSOCK);
    check_not_socket((SOCKET)write_pipe, WSAENOTSOCK);
    CloseHandle(read_pipe);
    CloseHandle(write_pipe);
    named_pipe = CreateNamedPipeA("\\\\.\\pipe\\tawny", PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 0,
                                  0, 0, NULL);
    check_not_socket((SOCKET)named_pipe, WSAENOTSOCK);
    CloseHandle(named_pipe);
    check_not_socket((SOCKET)GetCurrentThread(), WSAENOTSOCK);
}

/* Sockets that are neither TCP nor UDP. */
static void test_other_protocols(void)
{
    static const struct
    {
        const char *name;
        int family, type, protocol;
    } others[] = {
        {"raw", AF_INET, SOCK_RAW, IPPROTO_RAW},
        {"raw ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {"raw UDP", AF_INET, SOCK_RAW, IPPROTO_UDP},
    };
    unsigned int i;
    SOCKET s;

    for (i = 0; i < ARRAYSIZE(others); i++)
    {
        s = socket(others[i].family, others[i].type, others[i].protocol);
        if (s == INVALID_SOCKET)
        {
            skip("a %s socket is not permitted, error %d\n", others[i].name, WSAGetLastError());
            continue;
        }
        winetest_push_context("%s", others[i].name);
        check_not_socket(s, WSAEOPNOTSUPP);
        check_close(s);
        winetest_pop_context();
    }
}

static void test_ranges(const struct kind *kind)
{
    USHORT start = find_ports(2);
    SOCKET s = open_socket(kind);

    check_acquire(s, start, 0, WSAEINVAL, NULL);
    check_acquire(s, 0, 0, WSAEINVAL, NULL);
    check_acquire(s, 65535, 0, WSAEINVAL, NULL);
    check_acquire(s, 65535, 2, WSAEINVAL, NULL);
    check_acquire(s, 65534, 3, WSAEINVAL, NULL);
    check_acquire(s, 2, 65535, WSAEINVAL, NULL);
    check_acquire(s, 32768, 32769, WSAEINVAL, NULL);
    check_acquire(s, 65535, 65535, WSAEINVAL, NULL);
    check_free(kind, start, 2);
    check_acquire(s, 65535, 1, 0, NULL);
    check_acquire(s, 65533, 2, 0, NULL);
    check_close(s);
    check_free(kind, 65533, 3);
}

/* All ports there are, which include ports in use, in a block, and more than can be held. */
static void test_all_ports(const struct kind *kind)
{
    INET_PORT_RANGE range = {htons(1), 65535};
    INET_PORT_RESERVATION_INSTANCE instance;
    SOCKET s = open_socket(kind), used = open_socket(kind);
    USHORT port = find_ports(1);
    int error;

    check_bind(used, port, 0);
    error = reservation_ioctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                              sizeof(instance));
    ok(error == WSAENOBUFS || error == WSAEADDRINUSE, "error %d\n", error);
    check_free(kind, port - 1, 1);
    check_free(kind, 65535, 1);
    check_free(kind, 1025, 1);
    check_close(used);
    check_close(s);
}

/* Ports that an ordinary user cannot bind can be reserved all the same. */
static void test_low_ports(const struct kind *kind)
{
    SOCKET s = open_socket(kind), other = open_socket(kind);

    check_acquire(s, 1, 3, 0, NULL);
    check_acquire(other, 2, 1, WSAEADDRINUSE, NULL);
    check_acquire(other, 1020, 10, 0, NULL);
    check_close(other);
    check_close(s);
    check_free(kind, 1, 3);
    check_free(kind, 1020, 10);
}

static void test_tokens(const struct kind *kind)
{
    static const ULONG64 fixed[] = {INVALID_PORT_RESERVATION_TOKEN, 1, 0x80000000, ~(ULONG64)0};
    SOCKET s = open_socket(kind), owner;
    struct block block;
    unsigned int i;

    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < ARRAYSIZE(fixed); i++) check_associate(s, fixed[i], WSAEINVAL);
    for (i = 0; i < 64; i++) check_associate(s, block.token ^ (ULONG64)1 << i, WSAEINVAL);
    /* Stale. */
    check_release(owner, block.token, 0);
    check_associate(s, block.token, WSAEINVAL);
    check_release(s, block.token, WSAEINVAL);
    check_close(owner);
    check_associate(s, block.token, WSAEINVAL);
    check_bind(s, block.start, 0);
    check_close(s);
}

/* The codes beside the three are Wine's to judge. */
static void test_other_codes(SOCKET s)
{
    INET_PORT_RANGE range = {0, 1};
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned = 0xdeadbeef, code;
    int ret;

    for (code = SIO_ACQUIRE_PORT_RESERVATION - 1; code <= SIO_ASSOCIATE_PORT_RESERVATION + 1;
         code++)
    {
        if (code >= SIO_ACQUIRE_PORT_RESERVATION && code <= SIO_ASSOCIATE_PORT_RESERVATION)
            continue;
        ret = WSAIoctl(s, code, &range, sizeof(range), &instance, sizeof(instance), &returned, NULL,
                       NULL);
        ok(ret == SOCKET_ERROR && WSAGetLastError() == WSAEOPNOTSUPP, "returned %d, error %d\n",
           ret, WSAGetLastError());
    }
}

/* What is wrong with a call, rather than with what it asks for. */
static void test_calls(void)
{
    SOCKET owner = open_socket(&kinds[TCP4]), s;
    unsigned int i;

    /* The block, and two ports beside it for what would be held. */
    check_acquire(owner, find_ports(4), 2, 0, &live_block);
    if (!live_block.token) return;
    s = open_socket(&kinds[TCP4]);
    for (i = 0; i < ARRAYSIZE(codes); i++)
    {
        winetest_push_context("code %#lx", codes[i]);
        test_sizes(codes[i], s);
        test_pointers(codes[i], s);
        winetest_pop_context();
    }
    test_accepted(s);
    test_other_codes(s);
    test_sockets();
    test_other_protocols();
    check_close(s);
    check_close(owner);
}

START_TEST(input)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (target_reserves(&kinds[TCP4])) test_calls();
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_ranges(kind);
        test_all_ports(kind);
        test_low_ports(kind);
        test_tokens(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
