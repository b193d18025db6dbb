/*
 * Tests of the service provider's table: reservations and conversations through it alone
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "../ws2_32/processor.h"

#include <ws2spi.h>

static LPWSPSTARTUP startup;
static WSPPROC_TABLE table;

/* The error of a call that failed, 0 of one that did not. */
static int call_error(BOOL failed, int error)
{
    return failed ? error : 0;
}

/* Calls a function of the table whose last argument is lpErrno: its error, 0 for none. */
#define table_call(function, ...)                                                                  \
    ({                                                                                             \
        int error_ = 0xdead;                                                                       \
        BOOL failed_ = table.lpWSP##function(__VA_ARGS__, &error_) == SOCKET_ERROR;                \
                                                                                                   \
        ok(failed_ || error_ == 0xdead, "WSP" #function " succeeded and set error %d\n", error_);  \
        call_error(failed_, error_);                                                               \
    })

#define check_call(expected, function, ...)                                                        \
    do                                                                                             \
    {                                                                                              \
        int code_ = table_call(function, __VA_ARGS__), right_ = expected;                          \
                                                                                                   \
        ok(code_ == right_, "WSP" #function ": got error %d, expected %d\n", code_, right_);       \
    } while (0)

static SOCKET table_socket(int family, int type, int protocol)
{
    int error = 0;
    SOCKET s = table.lpWSPSocket(family, type, protocol, NULL, 0, WSA_FLAG_OVERLAPPED, &error);

    ok(s != INVALID_SOCKET, "WSPSocket(%d, %d, %d) failed, error %d\n", family, type, protocol,
       error);
    return s;
}

static int table_startup(WORD version, WSPDATA *data, WSPPROC_TABLE *procs)
{
    WSPUPCALLTABLE upcalls = {0};

    return startup(version, data, NULL, upcalls, procs);
}

static void call_startup(void)
{
    WSPDATA data;

    table_startup(MAKEWORD(2, 2), &data, &table);
}

static void test_startup(void)
{
    void *const *entries = (void *const *)&table;
    WSPPROC_TABLE other;
    WSPDATA data;
    int ret;

    ret = table_startup(MAKEWORD(1, 1), &data, &other);
    ok(ret == WSAVERNOTSUPPORTED, "version 1.1: got %d\n", ret);
    ret = table_startup(MAKEWORD(2, 2), NULL, &other);
    ok(ret == WSAEFAULT, "no data: got %d\n", ret);
    ret = table_startup(MAKEWORD(2, 2), &data, NULL);
    ok(ret == WSAEFAULT, "no table: got %d\n", ret);

    memset(&data, 0xcc, sizeof(data));
    ret = table_startup(MAKEWORD(2, 2), &data, &table);
    ok(!ret, "got %d\n", ret);
    ok(data.wVersion == MAKEWORD(2, 2), "got version %#x\n", data.wVersion);
    ok(data.wHighVersion == MAKEWORD(2, 2), "got high version %#x\n", data.wHighVersion);
    ok(lstrlenW(data.szDescription) < WSPDESCRIPTION_LEN, "the description does not end\n");
    for (unsigned int i = 0; i < sizeof(table) / sizeof(*entries); i++)
        ok(entries[i] != NULL, "entry %u of the table is empty\n", i);
}

/* The address of the family's loopback (or wildcard) at a port in host byte order. */
static int family_address(int family, BOOL any, USHORT port, SOCKADDR_STORAGE *address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    address->ss_family = family;
    in->sin_port = htons(port);
    if (family == AF_INET)
    {
        in->sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
        return sizeof(*in);
    }
    if (!any) in6->sin6_addr.s6_addr[15] = 1;
    return sizeof(*in6);
}

static int table_bind(SOCKET s, int family, BOOL any, USHORT port)
{
    SOCKADDR_STORAGE address;
    int length = family_address(family, any, port, &address);

    return table_call(Bind, s, (struct sockaddr *)&address, length);
}

static USHORT table_port(SOCKET s)
{
    SOCKADDR_STORAGE address;
    int length = sizeof(address);

    check_call(0, GetSockName, s, (struct sockaddr *)&address, &length);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* A control code without an OVERLAPPED: its error, 0 for none. */
static int table_ioctl(SOCKET s, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size,
                       DWORD *returned)
{
    return table_call(Ioctl, s, code, in, in_size, out, out_size, returned, NULL, NULL, NULL);
}

/* The whole life of a reservation. */
static void test_reservation(int family, int type, int protocol)
{
    SOCKET acquirer = table_socket(family, type, protocol);
    SOCKET associated = table_socket(family, type, protocol);
    SOCKET stranger = table_socket(family, type, protocol);
    INET_PORT_RESERVATION_INSTANCE instance;
    INET_PORT_RANGE range = {0, 4};
    DWORD returned = 0xdead;
    USHORT start, port;
    int error;

    error = table_ioctl(acquirer, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                        sizeof(instance), &returned);
    ok(!error, "acquire: error %d\n", error);
    ok(returned == sizeof(instance), "acquire: got %lu bytes\n", returned);
    ok(instance.Token != 0, "acquire: no token\n");
    start = ntohs(instance.StartPort);

    error = table_bind(stranger, family, TRUE, start + 1);
    ok(error == WSAEACCES, "stranger: got error %d\n", error);
    error = table_ioctl(stranger, SIO_ASSOCIATE_PORT_RESERVATION, &instance.Token,
                        sizeof(instance.Token) - 1, NULL, 0, &returned);
    ok(error == WSAEINVAL && !returned, "short token: got error %d, %lu bytes\n", error, returned);

    error = table_ioctl(associated, SIO_ASSOCIATE_PORT_RESERVATION, &instance.Token,
                        sizeof(instance.Token), NULL, 0, &returned);
    ok(!error && !returned, "associate: got error %d, %lu bytes\n", error, returned);
    error = table_bind(associated, family, TRUE, 0);
    ok(!error, "bind: error %d\n", error);
    port = table_port(associated);
    ok(port >= start && port < start + 4, "got port %u, block from %u\n", port, start);

    error = table_ioctl(acquirer, SIO_RELEASE_PORT_RESERVATION, &instance.Token,
                        sizeof(instance.Token), NULL, 0, &returned);
    ok(!error && !returned, "release: got error %d, %lu bytes\n", error, returned);
    error = table_ioctl(acquirer, SIO_RELEASE_PORT_RESERVATION, &instance.Token,
                        sizeof(instance.Token), NULL, 0, &returned);
    ok(error == WSAEINVAL, "second release: got error %d\n", error);
    error = table_bind(stranger, family, TRUE, port == start + 1 ? start + 2 : start + 1);
    ok(!error, "a port that was released: error %d\n", error);

    check_call(0, CloseSocket, acquirer);
    check_call(0, CloseSocket, associated);
    check_call(0, CloseSocket, stranger);
    check_call(WSAENOTSOCK, CloseSocket, stranger);
}

/* Two sockets on one port, each with a processor, where there are two. */
static void test_affinity(int family)
{
    SOCKET first = table_socket(family, SOCK_DGRAM, IPPROTO_UDP);
    SOCKET second = table_socket(family, SOCK_DGRAM, IPPROTO_UDP);
    USHORT processor = 0;
    SYSTEM_INFO info;
    DWORD returned;
    int error;

    GetSystemInfo(&info);
    error = table_ioctl(first, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, &returned);
    ok(!error && !returned, "got error %d, %lu bytes\n", error, returned);
    error = table_bind(first, family, TRUE, 0);
    ok(!error, "bind: error %d\n", error);
    table_ioctl(second, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, &returned);
    error = table_bind(second, family, TRUE, table_port(first));
    ok(error == WSAEADDRINUSE, "the same processor: got error %d\n", error);
    processor = 1;
    error =
        table_ioctl(second, SIO_CPU_AFFINITY, &processor, sizeof(processor), NULL, 0, &returned);
    ok(error == (info.dwNumberOfProcessors > 1 ? 0 : WSAEINVAL), "got error %d\n", error);
    error = table_bind(second, family, TRUE, table_port(first));
    ok(error == (info.dwNumberOfProcessors > 1 ? 0 : WSAEADDRINUSE), "got error %d\n", error);
    check_call(0, CloseSocket, first);
    check_call(0, CloseSocket, second);
}

/* lpErrno may be anything, as any other pointer. */
static void test_error_pointer(void)
{
    SOCKET s = table_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    void *unmapped = VirtualAlloc(NULL, 0x1000, MEM_RESERVE, PAGE_NOACCESS);
    DWORD returned;
    int ret;

    ret = table.lpWSPIoctl(s, SIO_RELEASE_PORT_RESERVATION, NULL, 0, NULL, 0, &returned, NULL, NULL,
                           NULL, NULL);
    ok(ret == SOCKET_ERROR, "no lpErrno: got %d\n", ret);
    ret = table.lpWSPIoctl(s, SIO_RELEASE_PORT_RESERVATION, NULL, 0, NULL, 0, &returned, NULL, NULL,
                           NULL, unmapped);
    ok(ret == SOCKET_ERROR, "unmapped lpErrno: got %d\n", ret);
    VirtualFree(unmapped, 0, MEM_RELEASE);
    check_call(0, CloseSocket, s);
}

/* What a completion routine was told. */
static struct
{
    DWORD thread, error, bytes;
    WSAOVERLAPPED *overlapped;
    LONG calls;
} routine_call;

static void CALLBACK completion_routine(DWORD error, DWORD bytes, WSAOVERLAPPED *overlapped,
                                        DWORD flags)
{
    (void)flags;
    routine_call.thread = GetCurrentThreadId();
    routine_call.error = error;
    routine_call.bytes = bytes;
    routine_call.overlapped = overlapped;
    InterlockedIncrement(&routine_call.calls);
}

static HANDLE alertable;

static DWORD WINAPI alertable_thread(void *stop)
{
    SetEvent(alertable);
    while (WaitForSingleObjectEx(stop, 20000, TRUE) == WAIT_IO_COMPLETION) continue;
    return 0;
}

/* Starts one that runs by now: Wine 8.0 crashes on its 64-bit Unix side where a 32-bit thread is
 * given an APC before that. */
static HANDLE start_alertable(HANDLE stop, DWORD *number)
{
    HANDLE thread;

    alertable = CreateEventW(NULL, FALSE, FALSE, NULL);
    thread = CreateThread(NULL, 0, alertable_thread, stop, 0, number);
    ok(!WaitForSingleObject(alertable, 10000), "the thread does not start\n");
    CloseHandle(alertable);
    return thread;
}

static void check_routine(DWORD thread, DWORD bytes, const WSAOVERLAPPED *overlapped)
{
    ok(routine_call.calls == 1, "the routine was called %ld times\n", routine_call.calls);
    ok(routine_call.thread == thread, "called in thread %04lx, expected %04lx\n",
       routine_call.thread, thread);
    ok(!routine_call.error, "got error %lu\n", routine_call.error);
    ok(routine_call.bytes == bytes, "got %lu bytes, expected %lu\n", routine_call.bytes, bytes);
    ok(routine_call.overlapped == overlapped, "got overlapped %p, expected %p\n",
       routine_call.overlapped, overlapped);
}

static void open_thread(DWORD number, WSATHREADID *id)
{
    id->ThreadHandle = OpenThread(THREAD_SET_CONTEXT | THREAD_QUERY_INFORMATION, FALSE, number);
    id->Reserved = 0;
    ok(id->ThreadHandle != NULL, "OpenThread failed, error %lu\n", GetLastError());
}

/* The WSATHREADID, and the handle in it, are gone as soon as the call has returned. */
static int acquire_overlapped(SOCKET s, DWORD thread, INET_PORT_RESERVATION_INSTANCE *instance,
                              WSAOVERLAPPED *overlapped)
{
    INET_PORT_RANGE range = {0, 2};
    WSATHREADID id;
    int error;

    memset(&routine_call, 0, sizeof(routine_call));
    memset(overlapped, 0, sizeof(*overlapped));
    open_thread(thread, &id);
    error = table_call(Ioctl, s, SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), instance,
                       sizeof(*instance), NULL, overlapped, completion_routine, &id);
    CloseHandle(id.ThreadHandle);
    memset(&id, 0xcc, sizeof(id));
    return error;
}

static void test_routine(void)
{
    SOCKET s = table_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    HANDLE stop = CreateEventW(NULL, TRUE, FALSE, NULL), thread;
    INET_PORT_RESERVATION_INSTANCE instance = {0};
    WSAOVERLAPPED overlapped;
    DWORD number, returned;
    int error;

    error = acquire_overlapped(s, GetCurrentThreadId(), &instance, &overlapped);
    ok(!error || error == WSA_IO_PENDING, "got error %d\n", error);
    ok(!routine_call.calls, "the routine was called inside the call\n");
    SleepEx(1000, TRUE);
    check_routine(GetCurrentThreadId(), sizeof(instance), &overlapped);
    ok(instance.Token != 0, "no token\n");

    thread = start_alertable(stop, &number);
    error = acquire_overlapped(s, number, &instance, &overlapped);
    ok(!error || error == WSA_IO_PENDING, "other thread: got error %d\n", error);
    for (int i = 0; i < 1000 && !routine_call.calls; i++) SleepEx(10, TRUE);
    check_routine(number, sizeof(instance), &overlapped);
    ok(!overlapped.Internal && overlapped.InternalHigh == sizeof(instance),
       "got status %#lx, %lu bytes\n", (ULONG)overlapped.Internal, (ULONG)overlapped.InternalHigh);

    /* A call that fails calls no routine. */
    memset(&routine_call, 0, sizeof(routine_call));
    error = table_call(Ioctl, s, SIO_ACQUIRE_PORT_RESERVATION, NULL, 0, &instance, sizeof(instance),
                       &returned, &overlapped, completion_routine,
                       (&(WSATHREADID){.ThreadHandle = thread}));
    ok(error == WSAEINVAL, "got error %d\n", error);
    error = table_call(Ioctl, s, SIO_ACQUIRE_PORT_RESERVATION, NULL, 0, &instance, sizeof(instance),
                       &returned, &overlapped, completion_routine, (WSATHREADID *)16);
    ok(error == WSAEFAULT, "unmapped lpThreadId: got error %d\n", error);
    SleepEx(50, TRUE);
    ok(!routine_call.calls, "the routine was called\n");

    SetEvent(stop);
    WaitForSingleObject(thread, 20000);
    CloseHandle(thread);
    CloseHandle(stop);
    check_call(0, CloseSocket, s);
}

static int CALLBACK accept_condition(WSABUF *caller, WSABUF *data, QOS *sqos, QOS *gqos,
                                     WSABUF *callee, WSABUF *answer, GROUP *group,
                                     DWORD_PTR context)
{
    (void)caller, (void)data, (void)sqos, (void)gqos, (void)callee, (void)answer, (void)group;
    return context == 0xabc ? CF_ACCEPT : CF_REJECT;
}

/* Sends a few bytes and reads them at the other end. */
static void check_stream(SOCKET from, SOCKET to, const char *text)
{
    WSABUF buffer = {strlen(text), (char *)text};
    DWORD sent = 0, received = 0, flags = 0;
    char data[32] = {0};

    check_call(0, Send, from, &buffer, 1, &sent, 0, NULL, NULL, NULL);
    ok(sent == buffer.len, "sent %lu bytes of %lu\n", sent, buffer.len);
    buffer = (WSABUF){sizeof(data) - 1, data};
    check_call(0, Recv, to, &buffer, 1, &received, &flags, NULL, NULL, NULL);
    ok(received == strlen(text) && !strcmp(data, text), "received %lu bytes, %s\n", received, data);
}

/* A receive that waits: by event, and by a routine in another thread. */
static void check_stream_overlapped(SOCKET from, SOCKET to)
{
    HANDLE stop = CreateEventW(NULL, TRUE, FALSE, NULL), thread;
    WSAOVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD flags = 0, received = 0, sent, number;
    char data[8] = {0};
    WSABUF in = {sizeof(data), data}, out = {3, (char *)"abc"};
    WSATHREADID id;
    BOOL success;
    int error = 0;

    check_call(WSA_IO_PENDING, Recv, to, &in, 1, NULL, &flags, &overlapped, NULL, NULL);
    success = table.lpWSPGetOverlappedResult(to, &overlapped, &received, FALSE, &flags, &error);
    ok(!success && error == WSA_IO_INCOMPLETE, "got %d, error %d\n", success, error);
    check_call(0, Send, from, &out, 1, &sent, 0, NULL, NULL, NULL);
    success = table.lpWSPGetOverlappedResult(to, &overlapped, &received, TRUE, &flags, &error);
    ok(success && received == 3, "got %d, error %d, %lu bytes\n", success, error, received);
    CloseHandle(overlapped.hEvent);

    thread = start_alertable(stop, &number);
    open_thread(number, &id);
    memset(&routine_call, 0, sizeof(routine_call));
    memset(&overlapped, 0, sizeof(overlapped));
    flags = 0;
    check_call(WSA_IO_PENDING, Recv, to, &in, 1, NULL, &flags, &overlapped, completion_routine,
               &id);
    CloseHandle(id.ThreadHandle);
    ok(overlapped.Internal == STATUS_PENDING, "got status %#lx\n", (ULONG)overlapped.Internal);
    check_call(0, Send, from, &out, 1, &sent, 0, NULL, NULL, NULL);
    for (int i = 0; i < 1000 && !routine_call.calls; i++) Sleep(10);
    check_routine(number, 3, &overlapped);
    SetEvent(stop);
    WaitForSingleObject(thread, 20000);
    CloseHandle(thread);
    CloseHandle(stop);
}

static void test_tcp(int family)
{
    SOCKET listener = table_socket(family, SOCK_STREAM, IPPROTO_TCP);
    SOCKET client = table_socket(family, SOCK_STREAM, IPPROTO_TCP), server;
    int length, error = 0, value = 1, size = sizeof(value);
    SOCKADDR_STORAGE address, peer;
    struct timeval patience = {10, 0};
    WSANETWORKEVENTS events;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    fd_set set;

    error = table_bind(listener, family, FALSE, 0);
    ok(!error, "bind: error %d\n", error);
    check_call(0, Listen, listener, 1);
    length = family_address(family, FALSE, table_port(listener), &address);
    check_call(0, Connect, client, (struct sockaddr *)&address, length, NULL, NULL, NULL, NULL);

    FD_ZERO(&set);
    FD_SET(listener, &set);
    error = 0;
    ok(table.lpWSPSelect(0, &set, NULL, NULL, &patience, &error) == 1, "WSPSelect: error %d\n",
       error);
    length = sizeof(peer);
    server = table.lpWSPAccept(listener, (struct sockaddr *)&peer, &length, accept_condition, 0xabc,
                               &error);
    ok(server != INVALID_SOCKET, "WSPAccept: error %d\n", error);
    ok(ntohs(((struct sockaddr_in *)&peer)->sin_port) == table_port(client), "wrong peer\n");
    length = sizeof(peer);
    check_call(0, GetPeerName, client, (struct sockaddr *)&peer, &length);
    ok(((struct sockaddr_in *)&peer)->sin_port == ((struct sockaddr_in *)&address)->sin_port,
       "WSPGetPeerName: wrong port\n");

    check_call(0, SetSockOpt, client, IPPROTO_TCP, TCP_NODELAY, (char *)&value, sizeof(value));
    value = 0;
    check_call(0, GetSockOpt, client, IPPROTO_TCP, TCP_NODELAY, (char *)&value, &size);
    ok(value == 1, "TCP_NODELAY: got %d\n", value);

    check_stream(client, server, "question");
    check_stream(server, client, "answer");
    check_stream_overlapped(client, server);

    check_call(0, EventSelect, server, event, FD_CLOSE);
    check_call(0, Shutdown, client, SD_SEND);
    ok(!WaitForSingleObject(event, 10000), "the end was not heard of\n");
    check_call(0, EnumNetworkEvents, server, event, &events);
    ok(events.lNetworkEvents == FD_CLOSE, "got events %#lx\n", events.lNetworkEvents);
    check_call(WSAENOTCONN, Shutdown, listener, SD_SEND);

    CloseHandle(event);
    check_call(0, CloseSocket, server);
    check_call(0, CloseSocket, client);
    check_call(0, CloseSocket, listener);
}

static void test_udp(int family)
{
    SOCKET a = table_socket(family, SOCK_DGRAM, IPPROTO_UDP);
    SOCKET b = table_socket(family, SOCK_DGRAM, IPPROTO_UDP);
    DWORD sent = 0, received = 0, flags = 0;
    char data[16] = {0};
    WSABUF out = {5, (char *)"hello"}, in = {sizeof(data), data};
    SOCKADDR_STORAGE address, from;
    int length, from_length = sizeof(from), error;

    error = table_bind(b, family, FALSE, 0);
    ok(!error, "bind: error %d\n", error);
    length = family_address(family, FALSE, table_port(b), &address);
    check_call(0, SendTo, a, &out, 1, &sent, 0, (struct sockaddr *)&address, length, NULL, NULL,
               NULL);
    ok(sent == 5, "sent %lu bytes\n", sent);
    check_call(0, RecvFrom, b, &in, 1, &received, &flags, (struct sockaddr *)&from, &from_length,
               NULL, NULL, NULL);
    ok(received == 5 && !memcmp(data, "hello", 5), "received %lu bytes\n", received);
    ok(ntohs(((struct sockaddr_in *)&from)->sin_port) == table_port(a), "wrong sender\n");
    check_call(0, CloseSocket, a);
    check_call(0, CloseSocket, b);
}

/* What the rest of the table says is what ws2_32 says. */
static void test_rest(void)
{
    SOCKET s = table_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), duplicate;
    WCHAR string[64], text[] = L"127.0.0.1:80";
    struct sockaddr_in address = {0};
    int length = sizeof(address), error = 0;
    DWORD size = ARRAYSIZE(string);
    WSAPROTOCOL_INFOW info;
    QOS qos;

    check_call(0, StringToAddress, text, AF_INET, NULL, (struct sockaddr *)&address, &length);
    ok(address.sin_port == htons(80) && address.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
       "got port %u\n", ntohs(address.sin_port));
    check_call(0, AddressToString, (struct sockaddr *)&address, length, NULL, string, &size);
    ok(!lstrcmpW(string, text), "got %ls\n", string);
    size = 1;
    check_call(WSAEFAULT, AddressToString, (struct sockaddr *)&address, length, NULL, string,
               &size);

    check_call(0, DuplicateSocket, s, GetCurrentProcessId(), &info);
    duplicate = table.lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info,
                                  0, 0, &error);
    ok(duplicate != INVALID_SOCKET, "WSPSocket of a duplicate: error %d\n", error);
    error = table_bind(duplicate, AF_INET, FALSE, 0);
    ok(!error && table_port(s) == table_port(duplicate), "bind: error %d\n", error);
    check_call(0, CloseSocket, duplicate);

    WSASetLastError(0);
    error = WSAAsyncSelect(s, (HWND)0xbad, 0x8000, FD_READ) ? WSAGetLastError() : 0;
    check_call(error, AsyncSelect, s, (HWND)0xbad, 0x8000, FD_READ);
    error = WSASendDisconnect(s, NULL) ? WSAGetLastError() : 0;
    check_call(error, SendDisconnect, s, NULL);
    error = WSARecvDisconnect(s, NULL) ? WSAGetLastError() : 0;
    check_call(error, RecvDisconnect, s, NULL);

    error = 0;
    ok(table.lpWSPGetQOSByName(s, NULL, &qos, &error) == WSAGetQOSByName(s, NULL, &qos),
       "WSPGetQOSByName: error %d\n", error);
    ok(table.lpWSPJoinLeaf(s, NULL, 0, NULL, NULL, NULL, NULL, 0, &error) == INVALID_SOCKET,
       "WSPJoinLeaf succeeded\n");
    error = 0;
    ok(table.lpWSPCancelBlockingCall(&error) == WSACancelBlockingCall(),
       "WSPCancelBlockingCall: error %d\n", error);
    check_call(0, CloseSocket, s);
}

/* Each startup has its cleanup, beside those of WSAStartup. */
static void test_cleanup(void)
{
    WSPPROC_TABLE other;
    int ret, error = 0;
    WSPDATA data;
    SOCKET s;

    ret = table_startup(MAKEWORD(2, 2), &data, &other);
    ok(!ret, "got %d\n", ret);
    ok(!other.lpWSPCleanup(&error), "WSPCleanup: error %d\n", error);
    s = table_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    ok(!table.lpWSPCleanup(&error), "WSPCleanup: error %d\n", error);
    ok(table.lpWSPCloseSocket(s, &error) == SOCKET_ERROR, "the socket is still there\n");
    ok(table.lpWSPCleanup(&error) == SOCKET_ERROR && error == WSANOTINITIALISED,
       "one cleanup too many: error %d\n", error);
}

START_TEST(provider)
{
    const struct kind *kind;
    int error;

    startup = (LPWSPSTARTUP)(void *)GetProcAddress(LoadLibraryA("mswsock.dll"), "WSPStartup");
    if (!startup)
    {
        ok(0, "mswsock.dll has no WSPStartup\n");
        return;
    }
    if (!target_implements(call_startup))
    {
        ok(0, "WSPStartup is a stub\n");
        return;
    }
    table.lpWSPCleanup(&error);
    test_startup();
    for_each_kind(kind)
    {
        if (!kind->dual) test_reservation(kind->family, kind->type, kind->protocol);
    }
    test_affinity(AF_INET);
    test_affinity(AF_INET6);
    test_error_pointer();
    test_routine();
    test_tcp(AF_INET);
    test_tcp(AF_INET6);
    test_udp(AF_INET);
    test_udp(AF_INET6);
    test_rest();
    test_cleanup();
}
