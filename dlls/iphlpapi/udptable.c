/*
 * UDP endpoints, without the sockets that only hold reserved ports
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine makes its tables of what the host lists, and the host lists placeholders: bound to the
 * wildcard address of IPv6, or of IPv4 where it has no IPv6, by the process that reserved. Windows
 * has no such sockets. TCP ones the host does not list, for they neither listen nor are connected.
 *
 * A placeholder's row is known by its process: another at the same port is that of a socket which
 * has the port, maybe as a placeholder could not be had. Where we cannot tell, the table stays as
 * Wine made it, which is better than one that lacks a program's own socket.
 *
 * A newer Wine makes its tables of what its server lists, which knows no placeholders: then a row
 * that looks like one is a program's. A sample tells.
 */
#include <winsock2.h>
#include <ws2ipdef.h>
#include <iphlpapi.h>

#include "common/pool.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(iphlpapi);

/* Wine's own, by way of builtin.def. */
DWORD WINAPI builtin_AllocateAndGetUdpTableFromStack(MIB_UDPTABLE **, BOOL, HANDLE, DWORD);
DWORD WINAPI builtin_GetExtendedUdpTable(void *, DWORD *, BOOL, ULONG, UDP_TABLE_CLASS, ULONG);
DWORD WINAPI builtin_GetIcmpStatisticsEx(MIB_ICMP_EX *, DWORD);
DWORD WINAPI builtin_GetUdp6Table(MIB_UDP6TABLE *, DWORD *, BOOL);
DWORD WINAPI builtin_GetUdpStatisticsEx(MIB_UDPSTATS *, DWORD);
DWORD WINAPI builtin_GetUdpTable(MIB_UDPTABLE *, DWORD *, BOOL);

/* Where things are in one of the tables. Each begins with the number of its rows, each row with its
 * address; the port is in a DWORD, in network byte order. */
struct layout
{
    SIZE_T rows;
    SIZE_T row_size;
    SIZE_T address_size;
    SIZE_T port;
    SIZE_T owner; /* a DWORD, the process; NO_OWNER: the table does not tell */
};

#define NO_OWNER 0

#define SPARE_ROWS 16

#define LAYOUT(table_type, row_type, address, owner_offset)                                        \
    {                                                                                              \
        FIELD_OFFSET(table_type, table), sizeof(row_type), sizeof(((row_type *)0)->address),       \
            FIELD_OFFSET(row_type, dwLocalPort), owner_offset                                      \
    }
#define LAYOUT_WITH_OWNER(table_type, row_type, address)                                           \
    LAYOUT(table_type, row_type, address, FIELD_OFFSET(row_type, dwOwningPid))

static const struct layout layouts_ipv4[] = {
    [UDP_TABLE_BASIC] = LAYOUT(MIB_UDPTABLE, MIB_UDPROW, dwLocalAddr, NO_OWNER),
    [UDP_TABLE_OWNER_PID] =
        LAYOUT_WITH_OWNER(MIB_UDPTABLE_OWNER_PID, MIB_UDPROW_OWNER_PID, dwLocalAddr),
    [UDP_TABLE_OWNER_MODULE] =
        LAYOUT_WITH_OWNER(MIB_UDPTABLE_OWNER_MODULE, MIB_UDPROW_OWNER_MODULE, dwLocalAddr),
};

static const struct layout layouts_ipv6[] = {
    [UDP_TABLE_BASIC] = LAYOUT(MIB_UDP6TABLE, MIB_UDP6ROW, dwLocalAddr, NO_OWNER),
    [UDP_TABLE_OWNER_PID] =
        LAYOUT_WITH_OWNER(MIB_UDP6TABLE_OWNER_PID, MIB_UDP6ROW_OWNER_PID, ucLocalAddr),
    [UDP_TABLE_OWNER_MODULE] =
        LAYOUT_WITH_OWNER(MIB_UDP6TABLE_OWNER_MODULE, MIB_UDP6ROW_OWNER_MODULE, ucLocalAddr),
};

static BYTE *table_row(void *table, const struct layout *layout, DWORD row)
{
    return (BYTE *)table + layout->rows + row * layout->row_size;
}

static BOOL row_is_wildcard(const struct layout *layout, const BYTE *row)
{
    static const IN6_ADDR any;

    return !memcmp(row, &any, layout->address_size);
}

static BOOL table_has_wildcard(void *table, const struct layout *layout)
{
    const DWORD *count = table;
    DWORD i;

    for (i = 0; i < *count; i++)
        if (row_is_wildcard(layout, table_row(table, layout, i))) return TRUE;
    return FALSE;
}

/* What is known of the placeholders while a table is gone through. */
struct placeholders
{
    DWORD holders[PORTPOOL_PORTS];   /* the process that has the port's, 0 for none */
    BYTE listed[PORTPOOL_PORTS / 8]; /* a bit a port: it has a row */
};

/* Says whether a row is a placeholder's, or may be if the table has no owners. */
static BOOL row_is_held(const struct placeholders *placeholders, const struct layout *layout,
                        const BYTE *row, USHORT *port)
{
    DWORD holder;

    if (!row_is_wildcard(layout, row)) return FALSE;
    *port = __builtin_bswap16(*(const DWORD *)(row + layout->port));
    if (!(holder = placeholders->holders[*port])) return FALSE;
    return layout->owner == NO_OWNER || *(const DWORD *)(row + layout->owner) == holder;
}

static BOOL is_listed(const struct placeholders *placeholders, USHORT port)
{
    return placeholders->listed[port / 8] >> port % 8 & 1;
}

/* Notes which placeholders a table with owners has; how many. */
static DWORD placeholders_note(struct placeholders *placeholders, const struct layout *layout,
                               void *table)
{
    const DWORD *count = table;
    DWORD found = 0, i;
    USHORT port;

    for (i = 0; i < *count; i++)
    {
        if (!row_is_held(placeholders, layout, table_row(table, layout, i), &port)) continue;
        /* The other row is that of a socket which has got the port from the same process. */
        if (is_listed(placeholders, port)) continue;
        placeholders->listed[port / 8] |= 1 << port % 8;
        found++;
    }
    return found;
}

/* Wine's own table with owners, which the caller frees; NULL if it is not to be had. Wine is slow
 * to make one that is long: expected says for how many rows there should be room from the start. */
static void *table_with_owners(ULONG family, DWORD expected)
{
    DWORD size = sizeof(MIB_UDP6TABLE_OWNER_PID) + expected * sizeof(MIB_UDP6ROW_OWNER_PID), code;
    void *table;

    do
    {
        /* There may be more sockets by now. */
        size += SPARE_ROWS * sizeof(MIB_UDP6ROW_OWNER_PID);
        if (!(table = HeapAlloc(GetProcessHeap(), 0, size))) return NULL;
        code = builtin_GetExtendedUdpTable(table, &size, FALSE, family, UDP_TABLE_OWNER_PID, 0);
        if (!code) return table;
        HeapFree(GetProcessHeap(), 0, table);
    } while (code == ERROR_INSUFFICIENT_BUFFER);
    return NULL;
}

/* Notes those that such a table has now; *known says whether it could be had. */
static DWORD placeholders_note_now(struct placeholders *placeholders, ULONG family, DWORD expected,
                                   BOOL *known)
{
    const struct layout *layouts = family == AF_INET6 ? layouts_ipv6 : layouts_ipv4;
    void *table = table_with_owners(family, expected);
    DWORD found;

    if (!(*known = !!table)) return 0;
    found = placeholders_note(placeholders, &layouts[UDP_TABLE_OWNER_PID], table);
    HeapFree(GetProcessHeap(), 0, table);
    return found;
}

struct sample
{
    ULONG family;
    DWORD expected;
    BOOL known; /* the table could be had */
    BOOL listed;
};

static void sample_look(USHORT port, void *context)
{
    struct sample *sample = context;
    struct placeholders *placeholders;

    placeholders = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*placeholders));
    if (!placeholders) return;
    placeholders->holders[port] = GetCurrentProcessId();
    sample->listed =
        placeholders_note_now(placeholders, sample->family, sample->expected, &sample->known);
    HeapFree(GetProcessHeap(), 0, placeholders);
}

/* Says whether Wine's tables have placeholders at all. */
static BOOL placeholders_are_listed(ULONG family, DWORD expected)
{
    static volatile LONG listed = -1;
    struct sample sample = {.family = family, .expected = expected};

    if (listed == -1 && pool->hold_one(PORTPOOL_UDP, sample_look, &sample) && sample.known)
    {
        TRACE("placeholders are %slisted\n", sample.listed ? "" : "not ");
        listed = sample.listed;
    }
    return listed == 1;
}

/* Notes those of a table, or, if that has no owners, those that there are now. */
static DWORD placeholders_find(struct placeholders *placeholders, ULONG family,
                               const struct layout *layout, void *table)
{
    DWORD rows = *(const DWORD *)table, found;
    BOOL known;

    if (layout->owner == NO_OWNER)
        found = placeholders_note_now(placeholders, family, rows, &known);
    else
        found = placeholders_note(placeholders, layout, table);
    return found && placeholders_are_listed(family, rows) ? found : 0;
}

/* Takes a row for each placeholder that was noted out of the table; how many that were. */
static DWORD placeholders_drop(struct placeholders *placeholders, const struct layout *layout,
                               void *table)
{
    DWORD *count = table, all = *count, kept = 0, i;
    USHORT port;

    for (i = 0; i < all; i++)
    {
        const BYTE *row = table_row(table, layout, i);

        if (row_is_held(placeholders, layout, row, &port) && is_listed(placeholders, port))
        {
            placeholders->listed[port / 8] &= ~(1 << port % 8);
            continue;
        }
        if (kept != i) memmove(table_row(table, layout, kept), row, layout->row_size);
        kept++;
    }
    *count = kept;
    return all - kept;
}

/* The caller frees it; NULL if there are no placeholders. */
static struct placeholders *placeholders_list(void)
{
    struct placeholders *placeholders;

    if (!pool_load()) return NULL;
    placeholders = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*placeholders));
    if (!placeholders || pool->list_held(PORTPOOL_UDP, placeholders->holders)) return placeholders;
    HeapFree(GetProcessHeap(), 0, placeholders);
    return NULL;
}

/* Says whether placeholders are of this family. Only a host without IPv6 does not count what IPv6
 * has sent. */
static BOOL placeholders_have_family(ULONG family)
{
    static volatile LONG host_has_ipv6 = -1;
    MIB_ICMP_EX statistics;

    if (family == AF_INET6) return TRUE;
    if (host_has_ipv6 == -1) host_has_ipv6 = !builtin_GetIcmpStatisticsEx(&statistics, AF_INET6);
    return !host_has_ipv6;
}

/* Filters a table that Wine has just filled in. size may be NULL. */
static void udptable_filter(ULONG family, UDP_TABLE_CLASS class, void *table, DWORD *size)
{
    const struct layout *layout = family == AF_INET6 ? &layouts_ipv6[class] : &layouts_ipv4[class];
    struct placeholders *placeholders;
    DWORD dropped = 0;

    /* A program that has none loads nothing, and one whose sockets are at addresses neither. */
    if (!table_has_wildcard(table, layout) || !placeholders_have_family(family)) return;
    if (!(placeholders = placeholders_list())) return;

    if (placeholders_find(placeholders, family, layout, table))
        dropped = placeholders_drop(placeholders, layout, table);
    HeapFree(GetProcessHeap(), 0, placeholders);
    if (size) *size -= dropped * layout->row_size;
    if (dropped) TRACE("%lu placeholders, %lu rows left\n", dropped, *(const DWORD *)table);
}

DWORD WINAPI GetUdpTable(MIB_UDPTABLE *table, DWORD *size, BOOL order)
{
    DWORD code = builtin_GetUdpTable(table, size, order);

    if (!code) udptable_filter(AF_INET, UDP_TABLE_BASIC, table, size);
    return code;
}

DWORD WINAPI GetUdp6Table(MIB_UDP6TABLE *table, DWORD *size, BOOL order)
{
    DWORD code = builtin_GetUdp6Table(table, size, order);

    if (!code) udptable_filter(AF_INET6, UDP_TABLE_BASIC, table, size);
    return code;
}

DWORD WINAPI AllocateAndGetUdpTableFromStack(MIB_UDPTABLE **table, BOOL order, HANDLE heap,
                                             DWORD flags)
{
    DWORD code = builtin_AllocateAndGetUdpTableFromStack(table, order, heap, flags);

    if (!code) udptable_filter(AF_INET, UDP_TABLE_BASIC, *table, NULL);
    return code;
}

DWORD WINAPI GetExtendedUdpTable(void *table, DWORD *size, BOOL order, ULONG family,
                                 UDP_TABLE_CLASS class, ULONG reserved)
{
    DWORD code = builtin_GetExtendedUdpTable(table, size, order, family, class, reserved);

    /* What Wine has not filled in, or in a form that we do not know, is not ours to touch. */
    if (!code && (family == AF_INET || family == AF_INET6) && class <= UDP_TABLE_OWNER_MODULE)
        udptable_filter(family, class, table, size);
    return code;
}

/* Of IPv4's endpoints Wine gives another number than that of its table. */
DWORD WINAPI GetUdpStatisticsEx(MIB_UDPSTATS *statistics, DWORD family)
{
    DWORD code = builtin_GetUdpStatisticsEx(statistics, family), found;
    struct placeholders *placeholders;
    BOOL known;

    if (code || family != AF_INET6 || !statistics->dwNumAddrs) return code;
    if (!(placeholders = placeholders_list())) return code;
    found = placeholders_note_now(placeholders, family, statistics->dwNumAddrs, &known);
    HeapFree(GetProcessHeap(), 0, placeholders);
    if (!found || !placeholders_are_listed(family, statistics->dwNumAddrs)) return code;
    statistics->dwNumAddrs -= min(found, statistics->dwNumAddrs);
    return code;
}
