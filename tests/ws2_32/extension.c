/*
 * Tests of the functions that SIO_GET_EXTENSION_FUNCTION_POINTER hands out, and their kin
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Those that bind a socket in passing are tested with the other calls that do, too.
 */
#include "../conformance/target.h"

#define TIMEOUT 10000

static void *extension(SOCKET s, GUID guid)
{
    void *function = NULL;
    DWORD returned = 0;
    int ret;

    ret = WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), &function,
                   sizeof(function), &returned, NULL, NULL);
    ok(!ret && function && returned == sizeof(function), "no function, error %d\n",
       WSAGetLastError());
    return function;
}

/* Connections are to be ended by a reset: nothing is to remain in TIME_WAIT. */
static void close_hard(SOCKET s)
{
    struct linger hard = {1, 0};

    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof(hard));
    check_close(s);
}

static SOCKET open_listener(const struct kind *kind, SOCKADDR_STORAGE *address, int *length)
{
    SOCKET s = open_socket(kind);

    check_bind(s, 0, 0);
    ok(!listen(s, 5), "error %d\n", WSAGetLastError());
    *length = make_address(kind->loopback, port_of(s), address);
    return s;
}

/* The end of an overlapped call; its error. */
static int finish(SOCKET s, OVERLAPPED *overlapped, BOOL success, DWORD *bytes)
{
    int error = success ? 0 : WSAGetLastError();
    DWORD flags;

    if (error && error != WSA_IO_PENDING) return error;
    if (WaitForSingleObject(overlapped->hEvent, TIMEOUT)) return WAIT_TIMEOUT;
    return WSAGetOverlappedResult(s, overlapped, bytes, FALSE, &flags) ? 0 : WSAGetLastError();
}

static void check_exchange(SOCKET one, SOCKET other)
{
    char text[8] = "";
    WSABUF buffer = {5, (char *)"tawny"};
    DWORD sent = 0;
    int ret;

    ret = send(one, "tawny", 5, 0);
    ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = recv(other, text, 5, MSG_WAITALL);
    ok(ret == 5 && !strcmp(text, "tawny"), "received %d bytes, error %d\n", ret, WSAGetLastError());
    /* The same by the calls that bind an associated socket. */
    ret = sendto(other, "tawny", 5, 0, NULL, 0);
    ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    ret = WSASendTo(other, &buffer, 1, &sent, 0, NULL, 0, NULL, NULL);
    ok(!ret && sent == 5, "sent %lu bytes, error %d\n", sent, WSAGetLastError());
    memset(text, 0, sizeof(text));
    ret = recv(one, text, 5, MSG_WAITALL);
    ok(ret == 5 && !strcmp(text, "tawny"), "received %d bytes, error %d\n", ret, WSAGetLastError());
    ret = recv(one, text, 5, MSG_WAITALL);
    ok(ret == 5, "received %d bytes, error %d\n", ret, WSAGetLastError());
}

/* A port of the block, by number or not, for ConnectEx; and what may follow. */
static void test_ConnectEx(const struct kind *kind, BOOL by_number)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    LPFN_CONNECTEX connect_ex;
    LPFN_DISCONNECTEX disconnect_ex;
    SOCKET owner, s, listener, server, again;
    SOCKADDR_STORAGE to;
    struct block block;
    DWORD bytes = 0;
    char text[8] = "";
    int length, error;
    USHORT port;

    listener = open_listener(kind, &to, &length);
    owner = acquire_any(kind, 2, &block);
    s = associated(kind, &block);
    connect_ex = extension(s, (GUID)WSAID_CONNECTEX);
    disconnect_ex = extension(s, (GUID)WSAID_DISCONNECTEX);
    if (!connect_ex || !disconnect_ex) return;

    error =
        finish(s, &overlapped,
               connect_ex(s, (struct sockaddr *)&to, length, NULL, 0, NULL, &overlapped), &bytes);
    ok(error == WSAEINVAL, "error %d\n", error);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind(s, by_number ? block.start + 1 : 0, 0);
    port = check_port_in(s, &block);
    error =
        finish(s, &overlapped,
               connect_ex(s, (struct sockaddr *)&to, length, (void *)"tawny", 5, NULL, &overlapped),
               &bytes);
    ok(!error && bytes == 5, "error %d, %lu bytes\n", error, bytes);
    ok(!setsockopt(s, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0), "error %d\n",
       WSAGetLastError());
    server = accept_soon(listener);
    ok(recv(server, text, 5, MSG_WAITALL) == 5 && !strcmp(text, "tawny"), "received %s\n", text);
    check_exchange(server, s);
    ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));

    /* In use for as long as the socket lives, connected or not. */
    again = associated(kind, &block);
    check_bind(again, port, WSAEADDRINUSE);
    ResetEvent(overlapped.hEvent);
    error = finish(s, &overlapped, disconnect_ex(s, &overlapped, 0, 0), &bytes);
    ok(!error, "error %d\n", error);
    ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));
    check_bind(again, port, WSAEADDRINUSE);
    close_hard(server);
    close_hard(s);
    check_bind(again, port, 0);
    check_close(again);
    check_close(owner);
    check_close(listener);
    CloseHandle(overlapped.hEvent);
}

/* What is made of the socket that AcceptEx is to fill. */
enum acceptor
{
    PLAIN,
    ASSOCIATED,
    ACQUIRER,
    ACCEPTOR_COUNT
};

static const char *const acceptor_names[ACCEPTOR_COUNT] = {"plain", "associated", "acquirer"};

static void test_AcceptEx(const struct kind *kind, enum acceptor acceptor)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    struct block block, other;
    SOCKET owner = acquire_any(kind, 2, &block), listener, accepted, client, s;
    char addresses[2 * (sizeof(SOCKADDR_STORAGE) + 16)];
    INET_PORT_RESERVATION_TOKEN token;
    LPFN_ACCEPTEX accept_ex;
    SOCKADDR_STORAGE to;
    int length, error;
    DWORD bytes = 0;
    USHORT port;

    listener = draw(kind, &block, &port);
    ok(!listen(listener, 5), "error %d\n", WSAGetLastError());
    length = make_address(kind->loopback, port, &to);
    if (!(accept_ex = extension(listener, (GUID)WSAID_ACCEPTEX))) return;
    accepted = open_socket(kind);
    if (acceptor == ASSOCIATED) check_associate(accepted, block.token, 0);
    if (acceptor == ACQUIRER) check_acquire(accepted, 0, 1, 0, &other);

    error = accept_ex(listener, accepted, addresses, 0, sizeof(addresses) / 2,
                      sizeof(addresses) / 2, NULL, &overlapped)
                ? 0
                : WSAGetLastError();
    ok(error == WSA_IO_PENDING, "error %d\n", error);
    client = open_socket(kind->dual ? &kinds[TCP4] : kind);
    ok(!connect(client, (struct sockaddr *)&to, length), "error %d\n", WSAGetLastError());
    error = finish(listener, &overlapped, TRUE, &bytes);
    ok(!error, "error %d\n", error);
    ok(!setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
                   sizeof(listener)),
       "error %d\n", WSAGetLastError());
    ok(port_of(accepted) == port, "accepted on port %u, not %u\n", port_of(accepted), port);
    check_exchange(client, accepted);
    check_bind(accepted, 0, WSAEINVAL);
    check_bind(accepted, port == block.start ? port + 1 : block.start, WSAEINVAL);
    check_exchange(client, accepted);
    if (acceptor == ACQUIRER)
    {
        token.Token = other.token;
        s = open_socket(kind);
        error =
            reservation_ioctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0);
        /* Wine puts another host socket in the place of the one that acquired. */
        todo_wine ok(!error, "error %d\n", error);
        check_close(s);
    }

    /* The connection keeps the port in use when the listener is gone. */
    check_close(listener);
    check_release(owner, block.token, 0);
    s = open_socket(kind);
    check_acquire(s, block.start, 2, WSAEADDRINUSE, NULL);
    close_hard(client);
    close_hard(accepted);
    check_acquire(s, block.start, 2, 0, NULL);
    check_close(s);
    if (acceptor == ACQUIRER) check_free(kind, other.start, 1);
    check_close(owner);
    CloseHandle(overlapped.hEvent);
}

/* A listener that is closed meanwhile. */
static void test_AcceptEx_pending(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    char addresses[2 * (sizeof(SOCKADDR_STORAGE) + 16)];
    SOCKET owner, listener, accepted;
    LPFN_ACCEPTEX accept_ex;
    struct block block;
    int i, error;

    owner = acquire_any(kind, 1, &block);
    for (i = 0; i < 3; i++)
    {
        listener = draw(kind, &block, NULL);
        ok(!listen(listener, 5), "error %d\n", WSAGetLastError());
        if (!(accept_ex = extension(listener, (GUID)WSAID_ACCEPTEX))) return;
        accepted = associated(kind, &block);
        ResetEvent(overlapped.hEvent);
        error = accept_ex(listener, accepted, addresses, 0, sizeof(addresses) / 2,
                          sizeof(addresses) / 2, NULL, &overlapped)
                    ? 0
                    : WSAGetLastError();
        ok(error == WSA_IO_PENDING, "error %d\n", error);
        check_close(listener);
        ok(!WaitForSingleObject(overlapped.hEvent, TIMEOUT), "the call does not end\n");
        /* What was to be filled is as it was. */
        check_bind(accepted, 0, 0);
        check_port_in(accepted, &block);
        check_close(accepted);
    }
    check_close(owner);
    CloseHandle(overlapped.hEvent);
}

static HANDLE open_file(void)
{
    char path[MAX_PATH], name[MAX_PATH];
    HANDLE file;
    DWORD size;

    GetTempPathA(sizeof(path), path);
    GetTempFileNameA(path, "twn", 0, name);
    file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                       FILE_FLAG_DELETE_ON_CLOSE, NULL);
    ok(file != INVALID_HANDLE_VALUE, "no file, error %lu\n", GetLastError());
    ok(WriteFile(file, "tawny", 5, &size, NULL) && size == 5, "error %lu\n", GetLastError());
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    return file;
}

static void test_TransmitFile(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    SOCKET owner, s, listener, server;
    LPFN_TRANSMITFILE transmit_file;
    HANDLE file = open_file();
    SOCKADDR_STORAGE to;
    struct block block;
    DWORD bytes = 0;
    char text[8] = "";
    int length, ret;
    USHORT port;

    listener = open_listener(kind, &to, &length);
    owner = acquire_any(kind, 1, &block);
    s = associated(kind, &block);
    if (!(transmit_file = extension(s, (GUID)WSAID_TRANSMITFILE))) return;

    /* It does not bind. */
    ret = transmit_file(s, file, 0, 0, &overlapped, NULL, 0);
    ok(!ret && WSAGetLastError() == WSAENOTCONN, "returned %d, error %d\n", ret, WSAGetLastError());
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    ok(!connect(s, (struct sockaddr *)&to, length), "error %d\n", WSAGetLastError());
    port = check_port_in(s, &block);
    server = accept_soon(listener);
    ret = finish(s, &overlapped, transmit_file(s, file, 0, 0, &overlapped, NULL, 0), &bytes);
    ok(!ret && bytes == 5, "error %d, %lu bytes\n", ret, bytes);
    ret = recv(server, text, 5, MSG_WAITALL);
    ok(ret == 5 && !strcmp(text, "tawny"), "received %d bytes, error %d\n", ret, WSAGetLastError());
    ok(port_of(s) == port, "moved from port %u to %u\n", port, port_of(s));
    close_hard(server);
    close_hard(s);
    CloseHandle(file);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
    check_close(listener);
    CloseHandle(overlapped.hEvent);
}

/* Both ends have a port of the block. */
static void test_messages(const struct kind *kind)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    struct block block;
    SOCKET owner = acquire_any(kind, 2, &block), s = associated(kind, &block), receiver;
    LPFN_WSASENDMSG send_message = extension(s, (GUID)WSAID_WSASENDMSG);
    LPFN_WSARECVMSG receive_message;
    SOCKADDR_STORAGE to, from = {0};
    char text[16] = "", control[128];
    WSABUF out = {5, (char *)"tawny"}, in = {sizeof(text), text};
    WSAMSG message = {0};
    DWORD bytes = 0;
    USHORT port;
    int error;

    receiver = draw(kind, &block, &port);
    receive_message = extension(receiver, (GUID)WSAID_WSARECVMSG);
    if (!send_message || !receive_message) return;
    message.name = (struct sockaddr *)&to;
    message.namelen = make_address(kind->loopback, port, &to);
    message.lpBuffers = &out;
    message.dwBufferCount = 1;
    error = finish(s, &overlapped, !send_message(s, &message, 0, NULL, &overlapped, NULL), &bytes);
    ok(!error && bytes == 5, "error %d, %lu bytes\n", error, bytes);
    check_port_in(s, &block);

    memset(&message, 0, sizeof(message));
    message.name = (struct sockaddr *)&from;
    message.namelen = sizeof(from);
    message.lpBuffers = &in;
    message.dwBufferCount = 1;
    message.Control.buf = control;
    message.Control.len = sizeof(control);
    ResetEvent(overlapped.hEvent);
    error = finish(receiver, &overlapped,
                   !receive_message(receiver, &message, NULL, &overlapped, NULL), &bytes);
    ok(!error && bytes == 5 && !memcmp(text, "tawny", 5), "error %d, %lu bytes\n", error, bytes);
    ok(address_port(&from) == port_of(s), "from port %u, not %u\n", address_port(&from),
       port_of(s));
    check_close(s);
    check_close(receiver);
    check_close(owner);
    CloseHandle(overlapped.hEvent);
}

/* Receiving does not bind. */
static void test_receive_unbound(const struct kind *kind)
{
    struct block block;
    SOCKET owner = acquire_any(kind, 1, &block), s = associated(kind, &block);
    LPFN_WSARECVMSG receive_message = extension(s, (GUID)WSAID_WSARECVMSG);
    SOCKADDR_STORAGE from;
    char text[16];
    WSABUF buffer = {sizeof(text), text};
    WSAMSG message = {(struct sockaddr *)&from, sizeof(from), &buffer, 1};
    ULONG on = 1;
    DWORD bytes;
    int ret;

    if (!receive_message) return;
    ioctlsocket(s, FIONBIO, &on);
    ret = receive_message(s, &message, &bytes, NULL, NULL);
    ok(ret == SOCKET_ERROR, "returned %d\n", ret);
    /* Wine lets a socket that is not bound wait. */
    todo_wine ok(WSAGetLastError() == WSAEINVAL, "error %d\n", WSAGetLastError());
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind(s, 0, 0);
    check_port_in(s, &block);
    check_close(s);
    check_close(owner);
}

/* What WSAConnectByName tells of both ends. */
static void test_WSAConnectByName(const struct kind *kind)
{
    SOCKADDR_STORAGE local = {0}, remote = {0}, to;
    DWORD local_length = sizeof(local), remote_length = sizeof(remote);
    SOCKET owner, s, listener;
    struct block block;
    char service[8];
    int length;
    BOOL ret;

    listener = open_listener(kind, &to, &length);
    owner = acquire_any(kind, 1, &block);
    s = associated(kind, &block);
    snprintf(service, sizeof(service), "%u", address_port(&to));
    ret = WSAConnectByNameA(s, (char *)kind->loopback, service, &local_length,
                            (struct sockaddr *)&local, &remote_length, (struct sockaddr *)&remote,
                            NULL, NULL);
    ok(ret, "error %d\n", WSAGetLastError());
    /* Wine tells nothing of the local end. */
    todo_wine ok(address_port(&local) == block.start, "local port %u, not %u\n",
                 address_port(&local), block.start);
    ok(address_port(&remote) == address_port(&to), "remote port %u\n", address_port(&remote));
    check_port_in(s, &block);
    close_hard(s);
    check_close(listener);

    /* Nobody is there: the port is drawn, and comes back. */
    s = associated(kind, &block);
    ret = WSAConnectByNameA(s, (char *)kind->loopback, service, NULL, NULL, NULL, NULL, NULL, NULL);
    ok(!ret && WSAGetLastError() == WSAECONNREFUSED, "returned %d, error %d\n", ret,
       WSAGetLastError());
    check_close(s);
    check_close(draw(kind, &block, NULL));
    check_close(owner);
}

/* These two exist on Windows. */
static void test_missing(void)
{
    HMODULE module = GetModuleHandleA("ws2_32.dll");
    BOOL(WINAPI * connect_by_list)
    (SOCKET, SOCKET_ADDRESS_LIST *, DWORD *, struct sockaddr *, DWORD *, struct sockaddr *,
     const struct timeval *, WSAOVERLAPPED *) = (void *)GetProcAddress(module, "WSAConnectByList");
    struct block block;
    SOCKET owner = acquire_any(&kinds[TCP6], 1, &block), listener, s;
    SOCKADDR_STORAGE to;
    SOCKET_ADDRESS_LIST list = {1, {{(struct sockaddr *)&to, 0}}};
    BOOL ret = FALSE;
    int length;

    listener = open_listener(&kinds[TCP6], &to, &length);
    list.Address[0].iSockaddrLength = length;
    s = associated(&kinds[TCP6], &block);
    if (connect_by_list) ret = connect_by_list(s, &list, NULL, NULL, NULL, NULL, NULL, NULL);
    todo_wine ok(ret, "error %d\n", WSAGetLastError());
    ok(!ret || block_contains(&block, port_of(s)), "bound to port %u\n", port_of(s));
    close_hard(s);
    check_close(listener);
    check_close(owner);

    owner = acquire_any(&kinds[UDP4], 1, &block);
    s = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL, 0,
                   WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF | WSA_FLAG_OVERLAPPED);
    ok(s != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError());
    check_associate(s, block.token, 0);
    length = make_address("239.255.1.2", 0, &to);
    ret = WSAJoinLeaf(s, (struct sockaddr *)&to, length, NULL, NULL, NULL, NULL, JL_BOTH) == s;
    todo_wine ok(ret, "error %d\n", WSAGetLastError());
    ok(!port_of(s) || block_contains(&block, port_of(s)), "bound to port %u\n", port_of(s));
    check_close(s);
    check_close(draw(&kinds[UDP4], &block, NULL));
    check_close(owner);
}

START_TEST(extension)
{
    enum acceptor acceptor;
    const struct kind *kind;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    for_each_kind(kind)
    {
        if (!target_reserves(kind)) continue;
        winetest_push_context("%s", kind->name);
        if (kind->type == SOCK_STREAM && !kind->dual)
        {
            test_ConnectEx(kind, FALSE);
            test_ConnectEx(kind, TRUE);
            test_TransmitFile(kind);
            test_WSAConnectByName(kind);
        }
        if (kind->type == SOCK_STREAM)
        {
            for (acceptor = 0; acceptor < ACCEPTOR_COUNT; acceptor++)
            {
                winetest_push_context("%s", acceptor_names[acceptor]);
                test_AcceptEx(kind, acceptor);
                winetest_pop_context();
            }
            test_AcceptEx_pending(kind);
        }
        if (kind->type == SOCK_DGRAM)
        {
            if (!kind->dual) test_messages(kind);
            test_receive_unbound(kind);
        }
        winetest_pop_context();
    }
    if (target_reserves_all()) test_missing();
    WSACleanup();
}
