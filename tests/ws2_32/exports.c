/*
 * Tests of the export table, and of what a program that reserves nothing pays
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "../conformance/target.h"
#include "exporttable.h"

static const struct export wine_8_0[] = {
    {1, "accept"},
    {2, "bind"},
    {3, "closesocket"},
    {4, "connect"},
    {5, "getpeername"},
    {6, "getsockname"},
    {7, "getsockopt"},
    {8, "htonl"},
    {9, "htons"},
    {10, "ioctlsocket"},
    {11, "inet_addr"},
    {12, "inet_ntoa"},
    {13, "listen"},
    {14, "ntohl"},
    {15, "ntohs"},
    {16, "recv"},
    {17, "recvfrom"},
    {18, "select"},
    {19, "send"},
    {20, "sendto"},
    {21, "setsockopt"},
    {22, "shutdown"},
    {23, "socket"},
    {24, "FreeAddrInfoEx"},
    {25, "FreeAddrInfoExW"},
    {26, "FreeAddrInfoW"},
    {27, "GetAddrInfoExCancel"},
    {28, "GetAddrInfoExOverlappedResult"},
    {29, "GetAddrInfoExW"},
    {30, "GetAddrInfoW"},
    {31, "GetHostNameW"},
    {32, "GetNameInfoW"},
    {33, "InetNtopW"},
    {34, "InetPtonW"},
    {35, "WSApSetPostRoutine"},
    {36, "WPUCompleteOverlappedRequest"},
    {37, "WSAAccept"},
    {38, "WSAAddressToStringA"},
    {39, "WSAAddressToStringW"},
    {40, "WSACloseEvent"},
    {41, "WSAConnect"},
    {42, "WSAConnectByNameA"},
    {43, "WSAConnectByNameW"},
    {44, "WSACreateEvent"},
    {45, "WSADuplicateSocketA"},
    {46, "WSADuplicateSocketW"},
    {47, "WSAEnumNameSpaceProvidersA"},
    {48, "WSAEnumNameSpaceProvidersW"},
    {49, "WSAEnumNetworkEvents"},
    {50, "WSAEnumProtocolsA"},
    {51, "gethostbyaddr"},
    {52, "gethostbyname"},
    {53, "getprotobyname"},
    {54, "getprotobynumber"},
    {55, "getservbyname"},
    {56, "getservbyport"},
    {57, "gethostname"},
    {58, "WSAEnumProtocolsW"},
    {59, "WSAEventSelect"},
    {60, "WSAGetOverlappedResult"},
    {61, "WSAGetQOSByName"},
    {62, "WSAGetServiceClassInfoA"},
    {63, "WSAGetServiceClassInfoW"},
    {64, "WSAGetServiceClassNameByClassIdA"},
    {65, "WSAGetServiceClassNameByClassIdW"},
    {66, "WSAHtonl"},
    {67, "WSAHtons"},
    {68, "WSAInstallServiceClassA"},
    {69, "WSAInstallServiceClassW"},
    {70, "WSAIoctl"},
    {71, "WSAJoinLeaf"},
    {72, "WSALookupServiceBeginA"},
    {73, "WSALookupServiceBeginW"},
    {74, "WSALookupServiceEnd"},
    {75, "WSALookupServiceNextA"},
    {76, "WSALookupServiceNextW"},
    {77, "WSANSPIoctl"},
    {78, "WSANtohl"},
    {79, "WSANtohs"},
    {80, "WSAPoll"},
    {81, "WSAProviderConfigChange"},
    {82, "WSARecv"},
    {83, "WSARecvDisconnect"},
    {84, "WSARecvFrom"},
    {85, "WSARemoveServiceClass"},
    {86, "WSAResetEvent"},
    {87, "WSASend"},
    {88, "WSASendDisconnect"},
    {89, "WSASendMsg"},
    {90, "WSASendTo"},
    {91, "WSASetEvent"},
    {92, "WSASetServiceA"},
    {93, "WSASetServiceW"},
    {94, "WSASocketA"},
    {95, "WSASocketW"},
    {96, "WSAStringToAddressA"},
    {97, "WSAStringToAddressW"},
    {98, "WSAWaitForMultipleEvents"},
    {99, "WSCDeinstallProvider"},
    {100, "WSCEnableNSProvider"},
    {101, "WSAAsyncSelect"},
    {102, "WSAAsyncGetHostByAddr"},
    {103, "WSAAsyncGetHostByName"},
    {104, "WSAAsyncGetProtoByNumber"},
    {105, "WSAAsyncGetProtoByName"},
    {106, "WSAAsyncGetServByPort"},
    {107, "WSAAsyncGetServByName"},
    {108, "WSACancelAsyncRequest"},
    {109, "WSASetBlockingHook"},
    {110, "WSAUnhookBlockingHook"},
    {111, "WSAGetLastError"},
    {112, "WSASetLastError"},
    {113, "WSACancelBlockingCall"},
    {114, "WSAIsBlocking"},
    {115, "WSAStartup"},
    {116, "WSACleanup"},
    {117, "WSCEnumProtocols"},
    {118, "WSCGetProviderInfo"},
    {119, "WSCGetProviderPath"},
    {120, "WSCInstallNameSpace"},
    {121, "WSCInstallProvider"},
    {122, "WSCSetApplicationCategory"},
    {123, "WSCUnInstallNameSpace"},
    {124, "WSCUpdateProvider"},
    {125, "WSCWriteNameSpaceOrder"},
    {126, "WSCWriteProviderOrder"},
    {127, "freeaddrinfo"},
    {128, "getaddrinfo"},
    {129, "getnameinfo"},
    {130, "inet_ntop"},
    {131, "inet_pton"},
    {151, "__WSAFDIsSet"},
    {500, "WEP"},
};

/* What is not forwarded, because we wrap it. */
static const char *const wrapped[] = {
    "WSACleanup", "WSAConnect",  "WSAConnectByNameA", "WSAConnectByNameW",
    "WSAIoctl",   "WSASendMsg",  "WSASendTo",         "WSAStartup",
    "bind",       "closesocket", "connect",           "listen",
    "sendto",
};

/* Numbered by Wine's spec file. */
static BOOL is_fixed(WORD ordinal)
{
    return ordinal <= 23 || (ordinal >= 51 && ordinal <= 57) ||
           (ordinal >= 101 && ordinal <= 116) || ordinal == 151 || ordinal == 500;
}

/* The loader would not say that Wine lacks one of them: it would crash only when called. */
static void test_wrapped(HMODULE builtin)
{
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(wrapped); i++)
        ok(export_ordinal(builtin, wrapped[i]) != 0, "Wine lacks %s\n", wrapped[i]);
}

static void check_not_loaded_(int line)
{
    ok_(__FILE__, line)(!GetModuleHandleA("portpool.dll"), "portpool.dll is loaded\n");
}
#define check_not_loaded() check_not_loaded_(__LINE__)

/* A program that reserves nothing does not load the port pool. */
static void test_loaded_when_needed(void)
{
    const struct kind *kind;
    SOCKET s, other;

    check_not_loaded();
    for_each_kind(kind)
    {
        winetest_push_context("%s", kind->name);
        s = open_socket(kind);
        other = open_socket(kind);
        check_not_loaded();
        check_bind(s, 0, 0);
        check_bind_to(other, kind->family == AF_INET6 ? "::1" : "127.0.0.1", 0, 0);
        check_not_loaded();
        if (kind->type == SOCK_STREAM) ok(!listen(s, 1), "error %d\n", WSAGetLastError());
        check_conversation(kind, s);
        check_not_loaded();
        check_close(s);
        check_close(other);
        winetest_pop_context();
    }
    /* A TCP socket at the address of an interface is nobody else's concern either. */
    s = open_socket(&kinds[TCP4]);
    check_bind_to(s, "127.3.4.5", 0, 0);
    check_close(s);
    check_not_loaded();

    s = open_socket(&kinds[UDP4]);
    check_acquire(s, 0, 1, 0, NULL);
    ok(!!GetModuleHandleA("portpool.dll"), "portpool.dll is not loaded\n");
    check_close(s);
}

START_TEST(exports)
{
    static const struct export_table table = {
        .wine_8_0 = wine_8_0,
        .wine_8_0_count = ARRAYSIZE(wine_8_0),
        .own = wrapped,
        .own_count = ARRAYSIZE(wrapped),
        .is_fixed = is_fixed,
    };
    HMODULE ours = GetModuleHandleA("ws2_32.dll"), builtin = GetModuleHandleA("ws2_32_wine.dll");
    WSADATA data;

    if (!target_is_tawny())
    {
        skip("ws2_32.dll is not Tawny's: it forwards nothing\n");
        return;
    }
    ok(!!builtin, "ws2_32.dll is not the drop-in\n");
    if (!builtin) return;
    check_export_table(&table, ours, builtin);
    test_wrapped(builtin);
    WSAStartup(MAKEWORD(2, 2), &data);
    test_loaded_when_needed();
    WSACleanup();
}
