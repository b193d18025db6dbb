/*
 * Tests of the system's tables of endpoints: a reserved port is none
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every function that makes such a table is asked, for every kind of table. Windows lists a socket
 * for both families in both tables, Wine in one: of these only the table of IPv6 is looked at.
 */
#include "../conformance/target.h"
#include "util.h"

#define UNKNOWN     MAXDWORD /* the table does not tell the process */
#define NO_PROCESS  0
#define ROWS_LIMIT  16
#define SPARE_BYTES 4096

typedef DWORD(WINAPI *extended_function)(void *, DWORD *, BOOL, ULONG, int, ULONG);
typedef DWORD(WINAPI *simple_function)(void *, DWORD *, BOOL);
typedef DWORD(WINAPI *allocate_function)(void **, BOOL, HANDLE, DWORD);

/* A function, and where things are in its table. A row's port is in a DWORD, in network order. */
struct view
{
    const char *name;
    enum
    {
        EXTENDED,
        SIMPLE,
        ALLOCATE,
    } form;
    BOOL tcp;
    ULONG family;
    int class;
    SIZE_T rows;
    SIZE_T row_size;
    SIZE_T address;
    SIZE_T port;
    SIZE_T process; /* 0: not in this table */
};

#define VIEW(name, form, tcp, family, class, type, address, process)                               \
    {                                                                                              \
        name, form, tcp, family, class, FIELD_OFFSET(MIB_##type##_TABLE_, table),                  \
            sizeof(MIB_##type##_ROW_), FIELD_OFFSET(MIB_##type##_ROW_, address),                   \
            FIELD_OFFSET(MIB_##type##_ROW_, dwLocalPort), process                                  \
    }
#define PROCESS(type) FIELD_OFFSET(MIB_##type##_ROW_, dwOwningPid)

#define MIB_UDP4_TABLE_        MIB_UDPTABLE
#define MIB_UDP4_ROW_          MIB_UDPROW
#define MIB_UDP4_PID_TABLE_    MIB_UDPTABLE_OWNER_PID
#define MIB_UDP4_PID_ROW_      MIB_UDPROW_OWNER_PID
#define MIB_UDP4_MODULE_TABLE_ MIB_UDPTABLE_OWNER_MODULE
#define MIB_UDP4_MODULE_ROW_   MIB_UDPROW_OWNER_MODULE
#define MIB_UDP6_TABLE_        MIB_UDP6TABLE
#define MIB_UDP6_ROW_          MIB_UDP6ROW
#define MIB_UDP6_PID_TABLE_    MIB_UDP6TABLE_OWNER_PID
#define MIB_UDP6_PID_ROW_      MIB_UDP6ROW_OWNER_PID
#define MIB_UDP6_MODULE_TABLE_ MIB_UDP6TABLE_OWNER_MODULE
#define MIB_UDP6_MODULE_ROW_   MIB_UDP6ROW_OWNER_MODULE
#define MIB_TCP4_TABLE_        MIB_TCPTABLE
#define MIB_TCP4_ROW_          MIB_TCPROW
#define MIB_TCP4_2_TABLE_      MIB_TCPTABLE2
#define MIB_TCP4_2_ROW_        MIB_TCPROW2
#define MIB_TCP4_PID_TABLE_    MIB_TCPTABLE_OWNER_PID
#define MIB_TCP4_PID_ROW_      MIB_TCPROW_OWNER_PID
#define MIB_TCP4_MODULE_TABLE_ MIB_TCPTABLE_OWNER_MODULE
#define MIB_TCP4_MODULE_ROW_   MIB_TCPROW_OWNER_MODULE
#define MIB_TCP6_TABLE_        MIB_TCP6TABLE
#define MIB_TCP6_ROW_          MIB_TCP6ROW
#define MIB_TCP6_2_TABLE_      MIB_TCP6TABLE2
#define MIB_TCP6_2_ROW_        MIB_TCP6ROW2
#define MIB_TCP6_PID_TABLE_    MIB_TCP6TABLE_OWNER_PID
#define MIB_TCP6_PID_ROW_      MIB_TCP6ROW_OWNER_PID
#define MIB_TCP6_MODULE_TABLE_ MIB_TCP6TABLE_OWNER_MODULE
#define MIB_TCP6_MODULE_ROW_   MIB_TCP6ROW_OWNER_MODULE

#define UDP_VIEW(family, class, ...)                                                               \
    VIEW("GetExtendedUdpTable", EXTENDED, FALSE, family, class, __VA_ARGS__)
#define TCP_VIEW(family, class, ...)                                                               \
    VIEW("GetExtendedTcpTable", EXTENDED, TRUE, family, class, __VA_ARGS__)

/* In tables of TCP sockets no process is looked for: Wine does not always know it. */
static const struct view views[] = {
    UDP_VIEW(AF_INET, UDP_TABLE_BASIC, UDP4, dwLocalAddr, 0),
    UDP_VIEW(AF_INET, UDP_TABLE_OWNER_PID, UDP4_PID, dwLocalAddr, PROCESS(UDP4_PID)),
    UDP_VIEW(AF_INET, UDP_TABLE_OWNER_MODULE, UDP4_MODULE, dwLocalAddr, PROCESS(UDP4_MODULE)),
    UDP_VIEW(AF_INET6, UDP_TABLE_BASIC, UDP6, dwLocalAddr, 0),
    UDP_VIEW(AF_INET6, UDP_TABLE_OWNER_PID, UDP6_PID, ucLocalAddr, PROCESS(UDP6_PID)),
    UDP_VIEW(AF_INET6, UDP_TABLE_OWNER_MODULE, UDP6_MODULE, ucLocalAddr, PROCESS(UDP6_MODULE)),
    VIEW("GetUdpTable", SIMPLE, FALSE, AF_INET, 0, UDP4, dwLocalAddr, 0),
    VIEW("GetUdp6Table", SIMPLE, FALSE, AF_INET6, 0, UDP6, dwLocalAddr, 0),
    VIEW("AllocateAndGetUdpTableFromStack", ALLOCATE, FALSE, AF_INET, 0, UDP4, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_BASIC_LISTENER, TCP4, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_BASIC_CONNECTIONS, TCP4, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_BASIC_ALL, TCP4, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_PID_LISTENER, TCP4_PID, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_PID_CONNECTIONS, TCP4_PID, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_PID_ALL, TCP4_PID, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_MODULE_LISTENER, TCP4_MODULE, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_MODULE_CONNECTIONS, TCP4_MODULE, dwLocalAddr, 0),
    TCP_VIEW(AF_INET, TCP_TABLE_OWNER_MODULE_ALL, TCP4_MODULE, dwLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_BASIC_LISTENER, TCP6, LocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_BASIC_CONNECTIONS, TCP6, LocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_BASIC_ALL, TCP6, LocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_PID_LISTENER, TCP6_PID, ucLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_PID_CONNECTIONS, TCP6_PID, ucLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_PID_ALL, TCP6_PID, ucLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_MODULE_LISTENER, TCP6_MODULE, ucLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_MODULE_CONNECTIONS, TCP6_MODULE, ucLocalAddr, 0),
    TCP_VIEW(AF_INET6, TCP_TABLE_OWNER_MODULE_ALL, TCP6_MODULE, ucLocalAddr, 0),
    VIEW("GetTcpTable", SIMPLE, TRUE, AF_INET, TCP_TABLE_BASIC_ALL, TCP4, dwLocalAddr, 0),
    VIEW("GetTcpTable2", SIMPLE, TRUE, AF_INET, TCP_TABLE_BASIC_ALL, TCP4_2, dwLocalAddr, 0),
    VIEW("GetTcp6Table", SIMPLE, TRUE, AF_INET6, TCP_TABLE_BASIC_ALL, TCP6, LocalAddr, 0),
    VIEW("GetTcp6Table2", SIMPLE, TRUE, AF_INET6, TCP_TABLE_BASIC_ALL, TCP6_2, LocalAddr, 0),
    VIEW("AllocateAndGetTcpTableFromStack", ALLOCATE, TRUE, AF_INET, TCP_TABLE_BASIC_ALL, TCP4,
         dwLocalAddr, 0),
};

#define for_each_view(view) for ((view) = views; (view) < views + ARRAYSIZE(views); (view)++)

/* A socket that is to be in the tables, or a row of one. */
struct endpoint
{
    const struct kind *kind;
    const char *address;
    USHORT port;
    DWORD process;
};

/* Calls the view's function of a module. */
static DWORD view_call(HMODULE module, const struct view *view, void *table, DWORD *size,
                       BOOL order)
{
    FARPROC function = GetProcAddress(module, view->name);

    if (view->form == EXTENDED)
        return ((extended_function)(void *)function)(table, size, order, view->family, view->class,
                                                     0);
    return ((simple_function)(void *)function)(table, size, order);
}

static void *view_allocate(HMODULE module, const struct view *view, BOOL order, DWORD *size)
{
    FARPROC function = GetProcAddress(module, view->name);
    void *allocated = NULL, *table = NULL;
    DWORD error = ((allocate_function)(void *)function)(&allocated, order, GetProcessHeap(), 0);

    ok(!error, "%s: error %lu\n", view->name, error);
    if (error) return NULL;
    *size = view->rows + *(DWORD *)allocated * view->row_size;
    table = malloc(*size);
    memcpy(table, allocated, *size);
    HeapFree(GetProcessHeap(), 0, allocated);
    return table;
}

/* The table as a module makes it; the caller frees it. */
static void *view_get_from(HMODULE module, const struct view *view, BOOL order, DWORD *size)
{
    void *table = NULL;
    DWORD error;

    if (view->form == ALLOCATE) return view_allocate(module, view, order, size);
    *size = 0;
    while ((error = view_call(module, view, table, size, order)) == ERROR_INSUFFICIENT_BUFFER)
    {
        free(table);
        *size += SPARE_BYTES;
        table = calloc(1, *size);
    }
    ok(!error, "%s, family %lu, class %d: error %lu\n", view->name, view->family, view->class,
       error);
    if (!error) return table;
    free(table);
    return NULL;
}

static void *view_get(const struct view *view, BOOL order, DWORD *size)
{
    return view_get_from(GetModuleHandleA("iphlpapi.dll"), view, order, size);
}

static const BYTE *view_row(const struct view *view, const void *table, DWORD row)
{
    return (const BYTE *)table + view->rows + row * view->row_size;
}

static USHORT view_port(const struct view *view, const BYTE *row)
{
    return ntohs(*(const DWORD *)(row + view->port));
}

static DWORD view_process(const struct view *view, const BYTE *row)
{
    return view->process ? *(const DWORD *)(row + view->process) : UNKNOWN;
}

static BOOL view_lists_listeners(const struct view *view)
{
    return view->tcp && view->class % 3 != TCP_TABLE_BASIC_CONNECTIONS;
}

/* Says whether a row is this endpoint's. */
static BOOL row_is(const struct view *view, const BYTE *row, const struct endpoint *endpoint)
{
    SOCKADDR_STORAGE address;
    const void *bytes;
    DWORD process;

    if (endpoint->kind->family != (int)view->family) return FALSE;
    if (view_port(view, row) != endpoint->port) return FALSE;
    make_address(endpoint->address, endpoint->port, &address);
    bytes = view->family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    if (memcmp(row + view->address, bytes, view->family == AF_INET ? 4 : 16)) return FALSE;
    process = view_process(view, row);
    return endpoint->process == UNKNOWN || process == UNKNOWN || process == endpoint->process;
}

static BOOL view_has(const struct view *view, const struct endpoint *endpoint)
{
    if (view->family != (ULONG)endpoint->kind->family) return FALSE;
    return view->tcp ? view_lists_listeners(view) : TRUE;
}

/* Says whether a port may have a row in the table of the other family. */
static BOOL may_be_elsewhere(const struct view *view, USHORT port, const struct endpoint *endpoints,
                             unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        if (endpoints[i].port == port && endpoints[i].kind->dual && view->family == AF_INET)
            return TRUE;
    return FALSE;
}

static void check_view_(const char *file, int line, const struct view *view, BOOL order,
                        const struct block *block, const struct endpoint *endpoints,
                        unsigned int count)
{
    BOOL found[ROWS_LIMIT] = {FALSE};
    DWORD size, rows, i;
    void *table = view_get(view, order, &size);
    unsigned int j, others = 0;

    if (!table) return;
    rows = *(DWORD *)table;
    ok_(file, line)(size == view->rows + rows * view->row_size, "%lu rows have size %lu\n", rows,
                    size);
    for (i = 0; i < rows; i++)
    {
        const BYTE *row = view_row(view, table, i);
        USHORT port = view_port(view, row);

        if (!block_contains(block, port)) continue;
        for (j = 0; j < count && (found[j] || !row_is(view, row, &endpoints[j])); j++)
            ;
        if (j < count)
            found[j] = TRUE;
        else if (!may_be_elsewhere(view, port, endpoints, count))
        {
            trace("port %u of process %lu\n", port, view_process(view, row));
            others++;
        }
    }
    ok_(file, line)(!others, "%u endpoints that there are not\n", others);
    for (j = 0; j < count; j++)
        ok_(file, line)(found[j] == view_has(view, &endpoints[j]),
                        "[%s]:%u of process %lu is %slisted\n", endpoints[j].address,
                        endpoints[j].port, endpoints[j].process, found[j] ? "" : "not ");
    free(table);
}

/* Checks that of the block's ports the tables have these endpoints, and no others. */
static void check_endpoints_(const char *file, int line, BOOL tcp, const struct block *block,
                             const struct endpoint *endpoints, unsigned int count)
{
    const struct view *view;

    for_each_view(view)
    {
        if (view->tcp != tcp) continue;
        winetest_push_context("%s, family %lu, class %d", view->name, view->family, view->class);
        check_view_(file, line, view, FALSE, block, endpoints, count);
        check_view_(file, line, view, TRUE, block, endpoints, count);
        winetest_pop_context();
    }
}
#define check_endpoints(...) check_endpoints_(__FILE__, __LINE__, __VA_ARGS__)

/* How many rows of UDP tables the block's ports have as a module makes them, 16 bits of IPv4's
 * above 16 of IPv6's. */
static DWORD count_rows(HMODULE module, const struct block *block)
{
    const struct view *view;
    DWORD rows = 0;

    for_each_view(view)
    {
        DWORD size, i;
        void *table;

        if (view->tcp || view->class != UDP_TABLE_OWNER_PID) continue;
        if (!(table = view_get_from(module, view, TRUE, &size))) continue;
        for (i = 0; i < *(DWORD *)table; i++)
            if (block_contains(block, view_port(view, view_row(view, table, i))))
                rows += view->family == AF_INET ? 0x10000 : 1;
        free(table);
    }
    return rows;
}

/* rows START COUNT: the value is as above. */
static void command_rows(char **words, struct peer_answer *answer)
{
    struct block block = {atoi(words[1]), atoi(words[2]), 0};

    answer->value = count_rows(GetModuleHandleA("iphlpapi.dll"), &block);
}

/* Where a socket may be bound beside the wildcard address. */
static const char *specific_address(const struct kind *kind)
{
    return kind->dual ? "::ffff:127.0.0.1" : kind->loopback;
}

static struct endpoint endpoint_of(SOCKET s, const struct kind *kind, const char *address)
{
    return (struct endpoint){kind, address, port_of(s), GetCurrentProcessId()};
}

static void check_rows_elsewhere_(int line, struct peer *peer, const struct block *block,
                                  ULONG64 rows)
{
    ULONG64 seen = peer_ask_(__FILE__, line, peer, 0, "rows %u %u", block->start, block->count);

    ok_(__FILE__, line)(seen == rows, "another process sees rows %#llx, expected %#llx\n", seen,
                        rows);
}
#define check_rows_elsewhere(...) check_rows_elsewhere_(__LINE__, __VA_ARGS__)

/* A runtime block, with sockets of a kind at two of its ports. */
static void test_runtime(struct peer *peer, const struct kind *kind)
{
    BOOL tcp = kind->type == SOCK_STREAM, ipv4 = kind->family == AF_INET;
    struct endpoint endpoints[2];
    SOCKET acquirer, sockets[2];
    struct block block;
    unsigned int i;

    acquirer = acquire_any(kind, 5, &block);
    check_endpoints(tcp, &block, NULL, 0);
    if (!tcp) check_rows_elsewhere(peer, &block, 0);

    for (i = 0; i < 2; i++)
    {
        const char *address = i ? specific_address(kind) : kind->wildcard;

        sockets[i] = associated(kind, &block);
        check_bind_to(sockets[i], address, 0, 0);
        if (tcp) ok(!listen(sockets[i], 1), "error %d\n", WSAGetLastError());
        endpoints[i] = endpoint_of(sockets[i], kind, address);
    }
    check_endpoints(tcp, &block, endpoints, 2);
    if (!tcp && !kind->dual) check_rows_elsewhere(peer, &block, ipv4 ? 0x20000 : 2);

    check_close(sockets[1]);
    check_endpoints(tcp, &block, endpoints, 1);
    /* The socket stays when its block goes. */
    check_close(acquirer);
    check_endpoints(tcp, &block, endpoints, 1);
    check_close(sockets[0]);
    check_endpoints(tcp, &block, NULL, 0);
}

/* A persistent range, with sockets of two processes, one of which has its port by number. */
static void test_persistent(struct peer *peer, const struct kind *kind)
{
    BOOL tcp = kind->type == SOCK_STREAM;
    struct endpoint endpoints[3];
    ULONG64 values[2];
    struct block block;
    unsigned int i;
    SOCKET s;

    make_range(kind, 5, &block);
    check_endpoints(tcp, &block, NULL, 0);

    s = associated(kind, &block);
    check_bind(s, 0, 0);
    if (tcp) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    endpoints[0] = endpoint_of(s, kind, kind->wildcard);
    values[0] =
        peer_ask(peer, 0, "draw %u %llx %s 0", (UINT)(kind - kinds), block.token, kind->wildcard);
    values[1] =
        peer_ask(peer, 0, "bind %u %s %u", (UINT)(kind - kinds), kind->wildcard, block.start + 4);
    for (i = 0; i < 2; i++)
    {
        if (tcp) peer_ask(peer, 0, "listen %u", (UINT)(values[i] >> 16));
        endpoints[i + 1] =
            (struct endpoint){kind, kind->wildcard, (USHORT)values[i], GetProcessId(peer->process)};
    }
    check_endpoints(tcp, &block, endpoints, 3);
    for (i = 0; i < 2; i++) peer_ask(peer, 0, "close %u", (UINT)(values[i] >> 16));
    check_endpoints(tcp, &block, endpoints, 1);
    end_range(kind, &block);
    check_endpoints(tcp, &block, endpoints, 1);
    check_close(s);
    check_endpoints(tcp, &block, NULL, 0);
}

/* Of a socket that lives on in a child only, the row is not the placeholder's. */
static void test_inherited(void)
{
    const struct kind *kind = &kinds[UDP6];
    struct endpoint endpoint;
    struct block block;
    struct peer peer;
    SOCKET acquirer, s;
    USHORT port;

    acquirer = acquire_any(kind, 3, &block);
    s = draw(kind, &block, &port);
    if (!peer_start(&peer)) return;
    check_close(s);
    endpoint = (struct endpoint){kind, kind->wildcard, port, UNKNOWN};
    check_endpoints(FALSE, &block, &endpoint, 1);
    check_rows_elsewhere(&peer, &block, 1);
    peer_end(&peer, PEER_EXIT);
    check_endpoints(FALSE, &block, NULL, 0);
    check_close(acquirer);
}

/* What Wine lists of the host's other sockets stays: one that is nowhere near a block, and one that
 * keeps a range from having one of its ports. A newer Wine lists none. */
static void test_outsider(void)
{
    const struct kind *kind = &kinds[UDP_DUAL];
    struct endpoint endpoint = {kind, "::", 0, NO_PROCESS};
    struct block block = {find_ports(3), 3, 0};
    HMODULE builtin = LoadLibraryA("iphlpapi_wine.dll");
    char name[STORE_NAME_SIZE];
    unsigned int count;
    int id;

    if (!outsider_available() || !builtin) return;
    endpoint.port = block.start + 1;
    id = outsider_bind(kind, "::", endpoint.port, "");
    ok(id >= 0, "the outsider gets error %d\n", id);
    count = count_rows(builtin, &block);
    ok(count <= 1, "the outsider has rows %#x\n", count);
    check_endpoints(FALSE, &block, &endpoint, count);

    store_write(kind, block.start, block.count);
    await_range(kind, block.start, block.count, &block);
    check_endpoints(FALSE, &block, &endpoint, count);
    store_name(block.start, block.count, name);
    store_erase(kind, name);
    await_no_range(kind, block.start, block.count);
    check_endpoints(FALSE, &block, &endpoint, count);
    outsider("close %d", id);
    FreeLibrary(builtin);
}

static DWORD endpoint_count(void)
{
    MIB_UDPSTATS statistics = {0};
    DWORD error = GetUdpStatisticsEx(&statistics, AF_INET6);

    ok(!error, "error %lu\n", error);
    return statistics.dwNumAddrs;
}

/* Wine may count a socket only from when it is bound on, or from the start: a block's are to count
 * as others do, and the block not at all. */
static void test_statistics(void)
{
    const struct kind *kind = &kinds[UDP6];
    SOCKET acquirer = open_socket(kind), ordinary = open_socket(kind), s = open_socket(kind);
    DWORD before = endpoint_count(), bound, now;
    struct block block;

    check_bind(ordinary, 0, 0);
    bound = endpoint_count() - before;
    ok(bound <= 1, "a bound socket adds %lu endpoints\n", bound);

    check_acquire(acquirer, 0, 5, 0, &block);
    now = endpoint_count();
    ok(now == before + bound, "there are %lu endpoints, and were %lu\n", now, before + bound);
    check_associate(s, block.token, 0);
    check_bind(s, 0, 0);
    now = endpoint_count();
    ok(now == before + 2 * bound, "there are %lu endpoints, and were %lu\n", now, before + bound);
    check_close(s);
    check_close(ordinary);
    check_close(acquirer);
}

/* What is left of other tests' connections may go between two calls. */
#define ALIKE_TRIES 10

/* Calls both functions with the same arguments, with a buffer that lacks some bytes; says whether
 * it is all the same. */
static BOOL try_alike(HMODULE builtin, const struct view *view, BOOL order, DWORD full,
                      DWORD lacking, BOOL last)
{
    BYTE *ours = calloc(1, full + 1), *theirs = calloc(1, full + 1);
    DWORD our_size = full - lacking, their_size = full - lacking, our_error, their_error;
    BOOL alike;

    our_error = view_call(GetModuleHandleA("iphlpapi.dll"), view, ours, &our_size, order);
    their_error = view_call(builtin, view, theirs, &their_size, order);
    alike = our_error == their_error && our_size == their_size && !memcmp(ours, theirs, full);
    if (alike || last)
    {
        ok(our_error == their_error, "error %lu, Wine's %lu\n", our_error, their_error);
        ok(our_size == their_size, "size %lu, Wine's %lu\n", our_size, their_size);
        ok(!memcmp(ours, theirs, full), "the tables differ\n");
    }
    free(ours);
    free(theirs);
    return alike;
}

static void check_alike(HMODULE builtin, const struct view *view, BOOL order, DWORD full,
                        DWORD lacking)
{
    int tries = ALIKE_TRIES;

    while (--tries && !try_alike(builtin, view, order, full, lacking, FALSE)) Sleep(1);
    if (!tries) try_alike(builtin, view, order, full, lacking, TRUE);
}

static BOOL try_allocated_alike(HMODULE builtin, const struct view *view, BOOL order, DWORD *size)
{
    DWORD our_size;
    void *table = view_get_from(builtin, view, order, size), *ours = NULL;
    BOOL alike = table && (ours = view_get(view, order, &our_size)) && our_size == *size &&
                 !memcmp(ours, table, *size);

    free(ours);
    free(table);
    return alike;
}

static void check_view_alike(HMODULE builtin, const struct view *view, BOOL order)
{
    int tries = ALIKE_TRIES;
    DWORD size, error, their_error;
    BOOL alike;

    while (!(alike = try_allocated_alike(builtin, view, order, &size)) && --tries) Sleep(1);
    ok(alike, "the tables differ\n");
    if (!alike || view->form == ALLOCATE) return;

    check_alike(builtin, view, order, size, 0);
    check_alike(builtin, view, order, size, 1);
    check_alike(builtin, view, order, size, size);
    error = view_call(GetModuleHandleA("iphlpapi.dll"), view, NULL, NULL, order);
    their_error = view_call(builtin, view, NULL, NULL, order);
    ok(error == their_error, "error %lu, Wine's %lu\n", error, their_error);
}

/* Without reservations, but with endpoints of all sorts, ours are Wine's own tables. */
static void test_builtin(void)
{
    HMODULE builtin = LoadLibraryA("iphlpapi_wine.dll");
    MIB_UDPSTATS ours, theirs;
    const struct kind *kind;
    SOCKET sockets[2 * KIND_COUNT];
    unsigned int count = 0;
    const struct view *view;

    if (!builtin)
    {
        skip("iphlpapi.dll is not Tawny's: there is nothing to compare it with\n");
        return;
    }
    for_each_kind(kind)
    {
        sockets[count] = open_socket(kind);
        check_bind(sockets[count++], 0, 0);
        sockets[count] = open_socket(kind);
        check_bind_to(sockets[count], specific_address(kind), 0, 0);
        if (kind->type == SOCK_STREAM) listen(sockets[count], 1);
        count++;
    }
    for_each_view(view)
    {
        winetest_push_context("%s, family %lu, class %d", view->name, view->family, view->class);
        check_view_alike(builtin, view, FALSE);
        check_view_alike(builtin, view, TRUE);
        winetest_pop_context();
    }
    GetUdpStatisticsEx(&ours, AF_INET6);
    ((DWORD(WINAPI *)(MIB_UDPSTATS *, DWORD))(void *)GetProcAddress(builtin, "GetUdpStatisticsEx"))(
        &theirs, AF_INET6);
    ok(ours.dwNumAddrs == theirs.dwNumAddrs, "%lu endpoints, Wine counts %lu\n", ours.dwNumAddrs,
       theirs.dwNumAddrs);
    while (count) check_close(sockets[--count]);
    FreeLibrary(builtin);
}

static void test_all(void)
{
    const struct kind *kind;
    struct peer peer;

    if (!peer_start(&peer)) return;
    for_each_kind(kind)
    {
        winetest_push_context("%s", kind->name);
        test_runtime(&peer, kind);
        test_persistent(&peer, kind);
        winetest_pop_context();
    }
    peer_end(&peer, PEER_EXIT);
    test_inherited();
    test_outsider();
    test_statistics();
}

START_TEST(endpoints)
{
    static const struct peer_command commands[] = {
        {"rows", command_rows},     {"draw", command_draw},   {"bind", command_bind},
        {"listen", command_listen}, {"close", command_close}, {NULL, NULL},
    };
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
    if (!peer_serve(commands))
    {
        test_builtin();
        if (target_persists() && target_reserves_all())
        {
            ranges_begin();
            test_all();
            ranges_end();
        }
    }
    outsider_disconnect();
    WSACleanup();
}
