/*
 * Tests of the export table
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "../ws2_32/exporttable.h"

static const struct export wine_8_0[] = {
    {1, "AcceptEx"},
    {2, "EnumProtocolsA"},
    {3, "EnumProtocolsW"},
    {4, "GetAcceptExSockaddrs"},
    {5, "GetAddressByNameA"},
    {6, "GetAddressByNameW"},
    {7, "GetNameByTypeA"},
    {8, "GetNameByTypeW"},
    {9, "GetServiceA"},
    {10, "GetServiceW"},
    {11, "GetTypeByNameA"},
    {12, "GetTypeByNameW"},
    {13, "MigrateWinsockConfiguration"},
    {14, "NPLoadNameSpaces"},
    {15, "NSPStartup"},
    {16, "ServiceMain"},
    {17, "SetServiceA"},
    {18, "SetServiceW"},
    {19, "StartWsdpService"},
    {20, "StopWsdpService"},
    {21, "SvchostPushServiceGlobals"},
    {22, "TransmitFile"},
    {23, "WSARecvEx"},
    {24, "WSPStartup"},
    {25, "dn_expand"},
    {26, "getnetbyname"},
    {27, "inet_network"},
    {28, "rcmd"},
    {29, "rexec"},
    {30, "rresvport"},
    {31, "s_perror"},
    {32, "sethostname"},
};

static const char *const own[] = {"WSPStartup"};

/* Wine's spec file gives no numbers. */
static BOOL is_fixed(WORD ordinal)
{
    (void)ordinal;
    return FALSE;
}

START_TEST(exports)
{
    static const struct export_table table = {
        .wine_8_0 = wine_8_0,
        .wine_8_0_count = ARRAYSIZE(wine_8_0),
        .own = own,
        .own_count = ARRAYSIZE(own),
        .is_fixed = is_fixed,
    };
    HMODULE ours = LoadLibraryA("mswsock.dll"), builtin = LoadLibraryA("mswsock_wine.dll");

    if (!target_is_tawny())
    {
        skip("mswsock.dll is not Tawny's\n");
        return;
    }
    ok(!!builtin, "mswsock.dll is not the drop-in\n");
    if (!builtin) return;
    check_export_table(&table, ours, builtin);
    FreeLibrary(builtin);
    FreeLibrary(ours);
}
