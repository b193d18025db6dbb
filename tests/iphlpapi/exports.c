/*
 * Tests of the export table, and of what a program that reserves nothing pays
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../ws2_32/util.h"

#include <iphlpapi.h>

#include "../ws2_32/exporttable.h"

static const struct export wine_8_0[] = {
    {1, "AddIPAddress"},
    {2, "AllocateAndGetArpEntTableFromStack"},
    {3, "AllocateAndGetIfTableFromStack"},
    {4, "AllocateAndGetIpAddrTableFromStack"},
    {5, "AllocateAndGetIpForwardTableFromStack"},
    {6, "AllocateAndGetIpNetTableFromStack"},
    {7, "AllocateAndGetTcpExTableFromStack"},
    {8, "AllocateAndGetTcpTableFromStack"},
    {9, "AllocateAndGetUdpTableFromStack"},
    {10, "CancelIPChangeNotify"},
    {11, "CancelMibChangeNotify2"},
    {12, "ConvertGuidToStringA"},
    {13, "ConvertGuidToStringW"},
    {14, "ConvertInterfaceAliasToLuid"},
    {15, "ConvertInterfaceGuidToLuid"},
    {16, "ConvertInterfaceIndexToLuid"},
    {17, "ConvertInterfaceLuidToAlias"},
    {18, "ConvertInterfaceLuidToGuid"},
    {19, "ConvertInterfaceLuidToIndex"},
    {20, "ConvertInterfaceLuidToNameA"},
    {21, "ConvertInterfaceLuidToNameW"},
    {22, "ConvertInterfaceNameToLuidA"},
    {23, "ConvertInterfaceNameToLuidW"},
    {24, "ConvertLengthToIpv4Mask"},
    {25, "ConvertStringToGuidW"},
    {26, "CreateIpForwardEntry"},
    {27, "CreateIpNetEntry"},
    {28, "CreateProxyArpEntry"},
    {29, "CreateSortedAddressPairs"},
    {30, "DeleteIPAddress"},
    {31, "DeleteIpForwardEntry"},
    {32, "DeleteIpNetEntry"},
    {33, "DeleteProxyArpEntry"},
    {34, "EnableRouter"},
    {35, "FlushIpNetTable"},
    {36, "FlushIpNetTableFromStack"},
    {37, "FreeMibTable"},
    {38, "GetAdapterIndex"},
    {39, "GetAdapterOrderMap"},
    {40, "GetAdaptersAddresses"},
    {41, "GetAdaptersInfo"},
    {42, "GetBestInterface"},
    {43, "GetBestInterfaceEx"},
    {44, "GetBestInterfaceFromStack"},
    {45, "GetBestRoute"},
    {46, "GetBestRoute2"},
    {47, "GetBestRouteFromStack"},
    {48, "GetExtendedTcpTable"},
    {49, "GetExtendedUdpTable"},
    {50, "GetFriendlyIfIndex"},
    {51, "GetIcmpStatisticsEx"},
    {52, "GetIcmpStatistics"},
    {53, "GetIcmpStatsFromStack"},
    {54, "GetIfEntry"},
    {55, "GetIfEntry2"},
    {56, "GetIfEntry2Ex"},
    {57, "GetIfEntryFromStack"},
    {58, "GetIfTable"},
    {59, "GetIfTable2"},
    {60, "GetIfTable2Ex"},
    {61, "GetIfTableFromStack"},
    {62, "GetIgmpList"},
    {63, "GetInterfaceInfo"},
    {64, "GetIpAddrTable"},
    {65, "GetIpAddrTableFromStack"},
    {66, "GetIpForwardTable"},
    {67, "GetIpForwardTable2"},
    {68, "GetIpForwardTableFromStack"},
    {69, "GetIpInterfaceTable"},
    {70, "GetIpNetTable"},
    {71, "GetIpNetTable2"},
    {72, "GetIpNetTableFromStack"},
    {73, "GetIpStatisticsEx"},
    {74, "GetIpStatistics"},
    {75, "GetIpStatsFromStack"},
    {76, "GetNetworkParams"},
    {77, "GetNumberOfInterfaces"},
    {78, "GetPerAdapterInfo"},
    {79, "GetRTTAndHopCount"},
    {80, "GetTcp6Table"},
    {81, "GetTcp6Table2"},
    {82, "GetTcpStatisticsEx"},
    {83, "GetTcpStatistics"},
    {84, "GetTcpStatsFromStack"},
    {85, "GetTcpTable"},
    {86, "GetTcpTable2"},
    {87, "GetTcpTableFromStack"},
    {88, "GetUdp6Table"},
    {89, "GetUdpStatisticsEx"},
    {90, "GetUdpStatistics"},
    {91, "GetUdpStatsFromStack"},
    {92, "GetUdpTable"},
    {93, "GetUdpTableFromStack"},
    {94, "GetUnicastIpAddressEntry"},
    {95, "GetUnicastIpAddressTable"},
    {96, "GetUniDirectionalAdapterInfo"},
    {97, "Icmp6CreateFile"},
    {98, "Icmp6SendEcho2"},
    {99, "IcmpCloseHandle"},
    {100, "IcmpCreateFile"},
    {101, "IcmpParseReplies"},
    {102, "IcmpSendEcho2Ex"},
    {103, "IcmpSendEcho2"},
    {104, "IcmpSendEcho"},
    {105, "if_indextoname"},
    {106, "if_nametoindex"},
    {107, "InternalCreateIpForwardEntry"},
    {108, "InternalCreateIpNetEntry"},
    {109, "InternalDeleteIpForwardEntry"},
    {110, "InternalDeleteIpNetEntry"},
    {111, "InternalGetIfTable"},
    {112, "InternalGetIpAddrTable"},
    {113, "InternalGetIpForwardTable"},
    {114, "InternalGetIpNetTable"},
    {115, "InternalGetTcpTable"},
    {116, "InternalGetUdpTable"},
    {117, "InternalSetIfEntry"},
    {118, "InternalSetIpForwardEntry"},
    {119, "InternalSetIpNetEntry"},
    {120, "InternalSetIpStats"},
    {121, "InternalSetTcpEntry"},
    {122, "IpReleaseAddress"},
    {123, "IpRenewAddress"},
    {124, "IsLocalAddress"},
    {125, "NhGetGuidFromInterfaceName"},
    {126, "NhGetInterfaceNameFromGuid"},
    {127, "NhpAllocateAndGetInterfaceInfoFromStack"},
    {128, "NhpGetInterfaceIndexFromStack"},
    {129, "NotifyAddrChange"},
    {130, "NotifyIpInterfaceChange"},
    {131, "NotifyRouteChange"},
    {132, "NotifyRouteChange2"},
    {133, "NotifyRouteChangeEx"},
    {134, "NotifyUnicastIpAddressChange"},
    {135, "ParseNetworkString"},
    {136, "_PfAddFiltersToInterface@24"},
    {137, "_PfAddGlobalFilterToInterface@8"},
    {138, "_PfBindInterfaceToIPAddress@12"},
    {139, "_PfBindInterfaceToIndex@16"},
    {140, "_PfCreateInterface@24"},
    {141, "_PfDeleteInterface@4"},
    {142, "_PfDeleteLog@0"},
    {143, "_PfGetInterfaceStatistics@16"},
    {144, "_PfMakeLog@4"},
    {145, "_PfRebindFilters@8"},
    {146, "_PfRemoveFilterHandles@12"},
    {147, "_PfRemoveFiltersFromInterface@20"},
    {148, "_PfRemoveGlobalFilterFromInterface@8"},
    {149, "_PfSetLogBuffer@28"},
    {150, "_PfTestPacket@20"},
    {151, "_PfUnBindInterface@4"},
    {152, "SendARP"},
    {153, "SetAdapterIpAddress"},
    {154, "SetBlockRoutes"},
    {155, "SetIfEntry"},
    {156, "SetIfEntryToStack"},
    {157, "SetIpForwardEntry"},
    {158, "SetIpForwardEntryToStack"},
    {159, "SetIpMultihopRouteEntryToStack"},
    {160, "SetIpNetEntry"},
    {161, "SetIpNetEntryToStack"},
    {162, "SetIpRouteEntryToStack"},
    {163, "SetIpStatistics"},
    {164, "SetIpStatsToStack"},
    {165, "SetIpTTL"},
    {166, "SetPerTcpConnectionEStats"},
    {167, "SetProxyArpEntryToStack"},
    {168, "SetRouteWithRef"},
    {169, "SetTcpEntry"},
    {170, "SetTcpEntryToStack"},
    {171, "UnenableRouter"},
};

static const char *const own[] = {
    "AllocateAndGetUdpTableFromStack",
    "CreatePersistentTcpPortReservation",
    "CreatePersistentUdpPortReservation",
    "DeletePersistentTcpPortReservation",
    "DeletePersistentUdpPortReservation",
    "GetExtendedUdpTable",
    "GetUdp6Table",
    "GetUdpStatisticsEx",
    "GetUdpTable",
    "LookupPersistentTcpPortReservation",
    "LookupPersistentUdpPortReservation",
};

/* Wine's spec file gives no numbers. */
static BOOL is_fixed(WORD ordinal)
{
    (void)ordinal;
    return FALSE;
}

/* Asks Wine's code, as the loader has bound us to it. */
static BOOL has_listener(USHORT port)
{
    MIB_TCPTABLE *table = NULL;
    BOOL found = FALSE;
    DWORD i, error;
    ULONG size = 0;

    while ((error = GetTcpTable(table, &size, FALSE)) == ERROR_INSUFFICIENT_BUFFER)
        table = realloc(table, size);
    ok(!error, "error %lu\n", error);
    for (i = 0; !error && i < table->dwNumEntries; i++)
        if (table->table[i].dwLocalPort == htons(port)) found = TRUE;
    free(table);
    return found;
}

static void check_not_loaded_(int line)
{
    ok_(__FILE__, line)(!GetModuleHandleA("portpool.dll"), "portpool.dll is loaded\n");
}
#define check_not_loaded() check_not_loaded_(__LINE__)

/* A program that reserves nothing does not load the port pool. */
static void test_loaded_when_needed(void)
{
    ULONG64 token = 0x1234;
    DWORD error;
    SOCKET s;

    check_not_loaded();
    s = open_socket(&kinds[TCP4]);
    check_bind(s, 0, 0);
    ok(!listen(s, 1), "error %d\n", WSAGetLastError());
    ok(has_listener(port_of(s)), "the table of connections lacks it\n");
    check_close(s);
    check_not_loaded();

    error = LookupPersistentTcpPortReservation(htons(1), 1, &token);
    ok(error == ERROR_NOT_FOUND, "error %lu\n", error);
    ok(token == 0x1234, "the token is %#llx\n", token);
    ok(!!GetModuleHandleA("portpool.dll"), "portpool.dll is not loaded\n");
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
    HMODULE ours = GetModuleHandleA("iphlpapi.dll"), builtin = LoadLibraryA("iphlpapi_wine.dll");
    WSADATA data;

    ok(!!builtin, "iphlpapi.dll is not the drop-in\n");
    if (!builtin) return;
    check_export_table(&table, ours, builtin);
    WSAStartup(MAKEWORD(2, 2), &data);
    test_loaded_when_needed();
    WSACleanup();
    FreeLibrary(builtin);
}
