/*
 * Tests of what a call leaves behind: the thread's last error, and the number of bytes returned
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A call that succeeds does to the last error what other calls of its kind do, which the tests find
 * out by one that has nothing to do with reservations.
 */
#include "../conformance/target.h"

#define TIMEOUT 10000
#define BEFORE  0xdeadbeef

static int WSAAPI own_bind(SOCKET s, const struct sockaddr *address, int length)
{
    return bind(s, address, length);
}

static int WSAAPI own_listen(SOCKET s, int backlog)
{
    return listen(s, backlog);
}

static int WSAAPI own_connect(SOCKET s, const struct sockaddr *address, int length)
{
    return connect(s, address, length);
}

static int WSAAPI own_closesocket(SOCKET s)
{
    return closesocket(s);
}

/* The functions that make up a socket's life. */
struct functions
{
    const char *name;
    int(WSAAPI *bind)(SOCKET, const struct sockaddr *, int);
    int(WSAAPI *listen)(SOCKET, int);
    int(WSAAPI *connect)(SOCKET, const struct sockaddr *, int);
    int(WSAAPI *closesocket)(SOCKET);
};

static const struct functions own = {"own", own_bind, own_listen, own_connect, own_closesocket};

/* What each of them leaves when it succeeds. */
struct left
{
    DWORD bind;
    DWORD listen;
    DWORD connect;
    DWORD closesocket;
};

#define call_leaves(left, call)                                                                    \
    do                                                                                             \
    {                                                                                              \
        int ret_;                                                                                  \
        SetLastError(BEFORE);                                                                      \
        ret_ = (call);                                                                             \
        (left) = GetLastError();                                                                   \
        ok(!ret_, #call " failed, error %lu\n", (left));                                           \
    } while (0)

/* Takes a socket through its life. It is associated, or is to have any port. */
static struct left live(const struct kind *kind, const struct functions *functions, SOCKET s)
{
    SOCKET peer = open_socket(kind), client = open_socket(kind);
    SOCKADDR_STORAGE address;
    struct left left = {0};
    int length;

    length = make_address(kind->family == AF_INET6 ? "::1" : "127.0.0.1", 0, &address);
    call_leaves(left.bind, functions->bind(s, (struct sockaddr *)&address, length));
    bind(peer, (struct sockaddr *)&address, length);
    if (kind->type == SOCK_STREAM)
    {
        call_leaves(left.listen, functions->listen(s, 1));
        listen(peer, 1);
    }
    length = make_address(kind->family == AF_INET6 ? "::1" : "127.0.0.1", port_of(peer), &address);
    call_leaves(left.connect, functions->connect(kind->type == SOCK_STREAM ? client : s,
                                                 (struct sockaddr *)&address, length));
    /* By a reset: nothing is to remain in TIME_WAIT. */
    setsockopt(client, SOL_SOCKET, SO_LINGER, (const char *)&(struct linger){1, 0},
               sizeof(struct linger));
    closesocket(client);
    closesocket(peer);
    call_leaves(left.closesocket, functions->closesocket(s));
    return left;
}

static void check_left_(int line, const char *what, const struct left *left,
                        const struct left *expected)
{
    ok_(__FILE__, line)(left->bind == expected->bind, "%s: bind leaves %lu, expected %lu\n", what,
                        left->bind, expected->bind);
    ok_(__FILE__, line)(left->listen == expected->listen, "%s: listen leaves %lu, expected %lu\n",
                        what, left->listen, expected->listen);
    ok_(__FILE__, line)(left->connect == expected->connect,
                        "%s: connect leaves %lu, expected %lu\n", what, left->connect,
                        expected->connect);
    ok_(__FILE__, line)(left->closesocket == expected->closesocket,
                        "%s: closesocket leaves %lu, expected %lu\n", what, left->closesocket,
                        expected->closesocket);
}
#define check_left(...) check_left_(__LINE__, __VA_ARGS__)

/* Where Wine's own functions are, if there are two kinds. */
static BOOL find_builtin(struct functions *functions)
{
    HMODULE module = GetModuleHandleA("ws2_32_wine.dll");

    functions->name = "builtin";
    functions->bind = (void *)GetProcAddress(module, "bind");
    functions->listen = (void *)GetProcAddress(module, "listen");
    functions->connect = (void *)GetProcAddress(module, "connect");
    functions->closesocket = (void *)GetProcAddress(module, "closesocket");
    return module && functions->bind && functions->listen && functions->connect &&
           functions->closesocket;
}

/* The calls that reservations have to do with, on sockets that they have nothing to do with and on
 * others. */
static void test_calls(const struct kind *kind)
{
    struct functions builtin;
    struct left plain, left;
    struct block block;
    SOCKET owner, s;

    plain = live(kind, &own, open_socket(kind));
    if (find_builtin(&builtin))
    {
        left = live(kind, &builtin, open_socket(kind));
        check_left("plain", &plain, &left);
    }
    else
        skip("there is no ws2_32_wine.dll to compare with\n");

    owner = acquire_any(kind, 2, &block);
    left = live(kind, &own, open_socket(kind));
    check_left("plain beside a block", &left, &plain);
    s = associated(kind, &block);
    left = live(kind, &own, open_socket(kind));
    check_left("plain beside an associated one", &left, &plain);
    left = live(kind, &own, s);
    check_left("associated", &left, &plain);
    s = associated(kind, &block);
    check_acquire(s, 0, 3, 0, NULL);
    left = live(kind, &own, s);
    check_left("associated and acquiring", &left, &plain);
    call_leaves(left.closesocket, closesocket(owner));
    ok(left.closesocket == plain.closesocket, "closesocket leaves %lu, expected %lu\n",
       left.closesocket, plain.closesocket);
}

/* Binds in passing. */
static void test_implicit(const struct kind *kind)
{
    SOCKET owner, peer = open_socket(kind), s;
    SOCKADDR_STORAGE address;
    struct block block;
    DWORD plain, left;
    int length;

    check_bind_to(peer, kind->family == AF_INET6 ? "::1" : "127.0.0.1", 0, 0);
    length = make_address(kind->family == AF_INET6 ? "::1" : "127.0.0.1", port_of(peer), &address);
    owner = acquire_any(kind, 2, &block);
    s = open_socket(kind);
    call_leaves(plain, sendto(s, "tawny", 5, 0, (struct sockaddr *)&address, length) != 5);
    check_close(s);
    s = associated(kind, &block);
    call_leaves(left, sendto(s, "tawny", 5, 0, (struct sockaddr *)&address, length) != 5);
    ok(left == plain, "sendto leaves %lu, expected %lu\n", left, plain);
    check_close(s);
    s = open_socket(kind);
    call_leaves(plain, connect(s, (struct sockaddr *)&address, length));
    check_close(s);
    s = associated(kind, &block);
    call_leaves(left, connect(s, (struct sockaddr *)&address, length));
    ok(left == plain, "connect leaves %lu, expected %lu\n", left, plain);
    check_close(s);
    check_close(peer);
    check_close(owner);
}

/* What a control code that has nothing to do with reservations leaves. */
static DWORD ioctl_leaves(SOCKET s)
{
    GUID guid = WSAID_WSARECVMSG;
    DWORD returned, first, second;
    void *function;
    u_long size;
    int ret;

    SetLastError(BEFORE);
    ret = WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &function,
                   sizeof(function), &returned, NULL, NULL);
    first = GetLastError();
    ok(!ret, "error %lu\n", first);
    SetLastError(BEFORE);
    ret = WSAIoctl(s, FIONREAD, NULL, 0, &size, sizeof(size), &returned, NULL, NULL);
    second = GetLastError();
    ok(!ret, "error %lu\n", second);
    ok(first == second, "one leaves %lu, another %lu\n", first, second);
    return first;
}

/* A call of one of the codes. */
struct call
{
    SOCKET s;
    DWORD code;
    const void *in;
    DWORD in_size;
    void *out;
    DWORD out_size;
    OVERLAPPED *overlapped;
};

/* Makes the call: its error, also as the last error has it, and the bytes that it says. */
static void check_call_(int line, const struct call *call, int error, DWORD left, DWORD bytes)
{
    DWORD returned = BEFORE, last;
    int ret, wsa;

    SetLastError(BEFORE);
    ret = WSAIoctl(call->s, call->code, (void *)call->in, call->in_size, call->out, call->out_size,
                   &returned, call->overlapped, NULL);
    last = GetLastError();
    wsa = WSAGetLastError();
    ok_(__FILE__, line)(ret == (error ? SOCKET_ERROR : 0), "returned %d\n", ret);
    ok_(__FILE__, line)(last == (error ? (DWORD)error : left), "left %lu, expected %lu\n", last,
                        error ? (DWORD)error : left);
    ok_(__FILE__, line)((DWORD)wsa == last, "WSAGetLastError says %d, GetLastError %lu\n", wsa,
                        last);
    ok_(__FILE__, line)(returned == bytes, "%lu bytes returned, expected %lu\n", returned, bytes);
}
#define check_call(...) check_call_(__LINE__, __VA_ARGS__)

static struct call token_call(SOCKET s, DWORD code, const ULONG64 *token)
{
    return (struct call){.s = s, .code = code, .in = token, .in_size = sizeof(*token)};
}

static struct call acquire_call(SOCKET s, const INET_PORT_RANGE *range,
                                INET_PORT_RESERVATION_INSTANCE *instance)
{
    return (struct call){.s = s,
                         .code = SIO_ACQUIRE_PORT_RESERVATION,
                         .in = range,
                         .in_size = sizeof(*range),
                         .out = instance,
                         .out_size = sizeof(*instance)};
}

/* Every way for the codes to succeed and to fail, in one reservation's life. */
static void test_codes(const struct kind *kind)
{
    const struct kind *other_kind = kind->type == SOCK_STREAM ? &kinds[UDP4] : &kinds[TCP4];
    static const DWORD token_codes[] = {SIO_ASSOCIATE_PORT_RESERVATION,
                                        SIO_RELEASE_PORT_RESERVATION};
    SOCKET s = open_socket(kind), bound = open_socket(kind), other = open_socket(other_kind);
    SOCKET raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RANGE range = {htons(find_ports(3)), 3};
    DWORD left = ioctl_leaves(s);
    ULONG64 none = 0;
    struct call call;
    unsigned int i;

    call = acquire_call(s, &range, &instance);
    check_call(&call, 0, left, 16);
    check_call(&call, WSAEADDRINUSE, 0, 0);
    range.NumberOfPorts = 0;
    check_call(&call, WSAEINVAL, 0, 0);
    call.in_size = 3;
    check_call(&call, WSAEINVAL, 0, 0);
    call = acquire_call(s, &range, NULL);
    check_call(&call, WSAEFAULT, 0, 0);
    call = acquire_call(s, &range, &instance);
    call.out_size = 15;
    check_call(&call, WSAEINVAL, 0, 0);
    call = acquire_call(INVALID_SOCKET, &range, &instance);
    check_call(&call, WSAENOTSOCK, 0, 0);
    if (raw != INVALID_SOCKET)
    {
        call.s = raw;
        check_call(&call, WSAEOPNOTSUPP, 0, 0);
    }

    check_bind(bound, 0, 0);
    for (i = 0; i < ARRAYSIZE(token_codes); i++)
    {
        winetest_push_context("code %#lx", token_codes[i]);
        call = token_call(s, token_codes[i], &none);
        check_call(&call, WSAEINVAL, 0, 0);
        call = token_call(other, token_codes[i], &instance.Token);
        check_call(&call, WSAEINVAL, 0, 0);
        call = token_call(s, token_codes[i], NULL);
        check_call(&call, WSAEFAULT, 0, 0);
        call = token_call(s, token_codes[i], &instance.Token);
        call.in_size = 7;
        check_call(&call, WSAEINVAL, 0, 0);
        call = token_call(INVALID_SOCKET, token_codes[i], &instance.Token);
        check_call(&call, WSAENOTSOCK, 0, 0);
        winetest_pop_context();
    }
    call = token_call(bound, SIO_ASSOCIATE_PORT_RESERVATION, &instance.Token);
    check_call(&call, WSAEINVAL, 0, 0);
    call = token_call(s, SIO_ASSOCIATE_PORT_RESERVATION, &instance.Token);
    check_call(&call, 0, left, 0);
    call = token_call(s, SIO_RELEASE_PORT_RESERVATION, &instance.Token);
    check_call(&call, 0, left, 0);
    check_call(&call, WSAEINVAL, 0, 0);
    closesocket(raw);
    check_close(other);
    check_close(bound);
    check_close(s);
}

/* An overlapped call that fails has not begun; one that succeeds is pending, or over. */
static void test_overlapped(const struct kind *kind)
{
    INET_PORT_RANGE range = {htons(find_ports(1)), 1};
    INET_PORT_RESERVATION_INSTANCE instance;
    OVERLAPPED overlapped = {0};
    SOCKET s = open_socket(kind);
    DWORD left = ioctl_leaves(s), begin = GetTickCount(), returned = BEFORE, last, flags;
    struct call call;
    BOOL success;
    int ret;

    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    SetLastError(BEFORE);
    ret = WSAIoctl(s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                   sizeof(instance), &returned, &overlapped, NULL);
    last = GetLastError();
    ok(last == (ret ? (DWORD)WSA_IO_PENDING : left), "returned %d, left %lu\n", ret, last);
    ok(returned == 16 || !returned, "%lu bytes returned\n", returned);
    if (ret && last != WSA_IO_PENDING) return;
    while (!HasOverlappedIoCompleted(&overlapped) && GetTickCount() - begin < TIMEOUT) Sleep(1);

    /* Asking for the result is another call, Wine's. It says what it says of other calls. */
    SetLastError(BEFORE);
    success = WSAGetOverlappedResult(s, &overlapped, &returned, FALSE, &flags);
    ok(success && returned == 16, "error %lu, %lu bytes\n", GetLastError(), returned);

    call = acquire_call(s, &range, &instance);
    call.overlapped = &overlapped;
    check_call(&call, WSAEADDRINUSE, 0, 0);
    call.in_size = 3;
    check_call(&call, WSAEINVAL, 0, 0);
    call = acquire_call(s, NULL, &instance);
    call.overlapped = &overlapped;
    check_call(&call, WSAEFAULT, 0, 0);
    CloseHandle(overlapped.hEvent);
    check_close(s);
}

/* Calls on associated sockets that fail. */
static void test_failures(const struct kind *kind)
{
    SOCKADDR_STORAGE address;
    SOCKET owner, s;
    struct block block;
    int length, ret;

    owner = acquire_any(kind, 1, &block);
    s = draw(kind, &block, NULL);
    length = make_address(kind->wildcard, 0, &address);
    SetLastError(BEFORE);
    ret = bind(s, (struct sockaddr *)&address, length);
    ok(ret == SOCKET_ERROR && GetLastError() == WSAEINVAL, "returned %d, left %lu\n", ret,
       GetLastError());
    check_close(s);
    SetLastError(BEFORE);
    ret = closesocket(s);
    ok(ret == SOCKET_ERROR && GetLastError() == WSAENOTSOCK, "returned %d, left %lu\n", ret,
       GetLastError());

    s = associated(kind, &block);
    if (kind->type == SOCK_STREAM)
    {
        SetLastError(BEFORE);
        ret = listen(s, 1);
        ok(ret == SOCKET_ERROR && GetLastError() == WSAEINVAL, "returned %d, left %lu\n", ret,
           GetLastError());
    }
    SetLastError(BEFORE);
    ret = bind(s, NULL, length);
    ok(ret == SOCKET_ERROR && GetLastError() == WSAEFAULT, "returned %d, left %lu\n", ret,
       GetLastError());
    SetLastError(BEFORE);
    ret = bind(s, (struct sockaddr *)&address, 2);
    ok(ret == SOCKET_ERROR && GetLastError() == WSAEFAULT, "returned %d, left %lu\n", ret,
       GetLastError());
    check_bind(s, 0, 0);
    check_close(s);
    check_close(owner);
}

/* The process's first call, which loads what the others have. */
static void test_first(void)
{
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RANGE range = {0, 1};
    SOCKET s = open_socket(&kinds[TCP4]);
    DWORD left = ioctl_leaves(s);
    struct call call = acquire_call(s, &range, &instance);

    check_call(&call, 0, left, 16);
    check_close(s);
}

START_TEST(lasterror)
{
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    test_first();
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        test_calls(kind);
        if (kind->type == SOCK_DGRAM) test_implicit(kind);
        test_codes(kind);
        test_overlapped(kind);
        test_failures(kind);
        winetest_pop_context();
    }
    WSACleanup();
}
