/*
 * Tests of binds to the address of an interface
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine binds a UDP socket at such an IPv4 address to the interface's device, and these the host
 * does not keep apart from the sockets that hold a block.
 */
#include "../conformance/target.h"

#include <iphlpapi.h>

/* Finds the first IPv4 address that is not loopback's; "" if there is none. */
static void find_address(char *text, ULONG size)
{
    ULONG length = 0, flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST;
    IP_ADAPTER_ADDRESSES *adapters, *adapter;

    *text = 0;
    if (GetEnvironmentVariableA("TAWNY_ADDRESS", text, size)) return;
    GetAdaptersAddresses(AF_INET, flags, NULL, NULL, &length);
    if (!(adapters = malloc(length))) return;
    if (GetAdaptersAddresses(AF_INET, flags, NULL, adapters, &length)) length = 0;
    for (adapter = adapters; length && adapter && !*text; adapter = adapter->Next)
    {
        SOCKADDR *address;

        if (!adapter->FirstUnicastAddress || adapter->IfType == IF_TYPE_SOFTWARE_LOOPBACK) continue;
        address = adapter->FirstUnicastAddress->Address.lpSockaddr;
        inet_ntop(AF_INET, &((struct sockaddr_in *)address)->sin_addr, text, size);
    }
    free(adapters);
}

static void test_reserved(const struct kind *kind, const char *address)
{
    SOCKET owner, s;
    struct block block;
    int on = 1;

    owner = acquire_any(kind, 2, &block);
    s = open_socket(kind);
    check_bind_to(s, address, block.start, WSAEACCES);
    check_bind_to(s, address, block.start + 1, WSAEACCES);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const char *)&on, sizeof(on));
    check_bind_to(s, address, block.start, WSAEACCES);
    ok(!port_of(s), "bound to port %u\n", port_of(s));
    check_bind_to(s, address, 0, 0);
    check_close(s);
    check_release(owner, block.token, 0);
    s = open_socket(kind);
    check_bind_to(s, address, block.start, 0);
    check_close(s);
    check_close(owner);
}

/* Ports that the system assigns are not a block's, and are given once. */
static void test_automatic(const struct kind *kind, const char *address)
{
    SOCKET owner = open_socket(kind), sockets[100];
    struct block blocks[3];
    unsigned int i, j;

    for (i = 0; i < ARRAYSIZE(blocks); i++)
        check_acquire(owner, 0, many_ports(3000), 0, &blocks[i]);
    for (i = 0; i < ARRAYSIZE(sockets); i++)
    {
        USHORT port;

        sockets[i] = open_socket(kind);
        check_bind_to(sockets[i], address, 0, 0);
        port = port_of(sockets[i]);
        for (j = 0; j < ARRAYSIZE(blocks); j++)
            ok(!block_contains(&blocks[j], port), "got port %u of a block\n", port);
        for (j = 0; j < i; j++) ok(port != port_of(sockets[j]), "port %u was given twice\n", port);
    }
    for (i = 0; i < ARRAYSIZE(sockets); i++) check_close(sockets[i]);
    check_close(owner);
}

static void test_in_use(const struct kind *kind, const char *address)
{
    SOCKET s = open_socket(kind), other = open_socket(kind);
    USHORT port = find_ports(3) + 1;

    check_bind_to(s, address, port, 0);
    check_acquire(other, port, 1, WSAEADDRINUSE, NULL);
    check_acquire(other, port - 1, 3, WSAEADDRINUSE, NULL);
    check_free(kind, port - 1, 1);
    check_free(kind, port + 1, 1);
    check_close(s);
    check_acquire(other, port - 1, 3, 0, NULL);
    check_close(other);

    /* The same for a port that the system assigned. */
    s = open_socket(kind);
    other = open_socket(kind);
    check_bind_to(s, address, 0, 0);
    check_acquire(other, port_of(s), 1, WSAEADDRINUSE, NULL);
    check_close(s);
    check_close(other);
}

static void test_associated(const struct kind *kind, const char *address)
{
    SOCKET owner, s, other;
    struct block block;
    USHORT port;

    owner = acquire_any(kind, 2, &block);
    s = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    port = check_port_in(s, &block);

    /* Beside another of the block's, at this address or any. */
    other = associated(kind, &block);
    check_bind_to(other, address, port, WSAEADDRINUSE);
    check_bind(other, port, WSAEADDRINUSE);
    check_bind_to(other, address, 0, 0);
    ok(port_of(other) != port, "port %u was given twice\n", port);
    check_port_in(other, &block);
    check_close(other);

    other = associated(kind, &block);
    check_bind_to(other, address, block.start - 1, WSAEINVAL);
    check_bind(other, 0, 0);
    check_close(s);
    s = associated(kind, &block);
    check_bind_to(s, address, port_of(other), WSAEADDRINUSE);
    check_bind_to(s, address, 0, 0);
    check_close(s);
    check_close(other);
    check_close(owner);
    check_free(kind, block.start, 2);
}

/* Says whether two sockets at the address can talk, drawn from a block or as Wine does alone. */
static void test_conversation(const struct kind *kind, const char *address)
{
    SOCKADDR_STORAGE to;
    SOCKET owner, s, client;
    struct timeval timeout = {5, 0};
    struct block block;
    char text[16];
    fd_set set;
    int length, ret;

    owner = acquire_any(kind, 2, &block);
    s = associated(kind, &block);
    client = associated(kind, &block);
    check_bind_to(s, address, 0, 0);
    check_bind_to(client, address, 0, 0);
    length = make_address(address, port_of(s), &to);
    ret = sendto(client, "tawny", 5, 0, (struct sockaddr *)&to, length);
    ok(ret == 5, "sent %d bytes, error %d\n", ret, WSAGetLastError());
    FD_ZERO(&set);
    FD_SET(s, &set);
    ok(select(0, &set, NULL, NULL, &timeout) == 1, "nothing came\n");
    ret = recv(s, text, sizeof(text), 0);
    ok(ret == 5, "received %d bytes, error %d\n", ret, WSAGetLastError());
    check_close(s);
    check_close(client);
    check_close(owner);
}

START_TEST(interface)
{
    static const unsigned int ipv4[] = {TCP4, UDP4};
    char address[INET_ADDRSTRLEN];
    unsigned int i;
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    find_address(address, sizeof(address));
    if (!*address) skip("no interface but loopback has an address\n");
    for (i = 0; *address && i < ARRAYSIZE(ipv4); i++)
    {
        if (!target_reserves(&kinds[ipv4[i]])) continue;
        winetest_push_context("%s at %s", kinds[ipv4[i]].name, address);
        test_reserved(&kinds[ipv4[i]], address);
        test_automatic(&kinds[ipv4[i]], address);
        test_in_use(&kinds[ipv4[i]], address);
        test_associated(&kinds[ipv4[i]], address);
        winetest_pop_context();
    }
    if (*address && target_reserves(&kinds[UDP4])) test_conversation(&kinds[UDP4], address);
    WSACleanup();
}
