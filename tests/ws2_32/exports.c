/*
 * Tests of the export table, against that of the installed Wine
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine's own ws2_32.dll is here as ws2_32_wine.dll. Its spec file gives numbers to some exports:
 * these are for good. The others get theirs when Wine is built, in alphabetical order, and so one
 * more export changes the numbers of those behind it. Nobody can rely on these, but one who did
 * would have them from Wine 8.0, and so ours are always Wine 8.0's. Of a later Wine only the names,
 * and the numbers of the first sort, must be the same.
 */
#include "util.h"

struct export
{
    WORD ordinal;
    const char *name;
};

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

static BOOL is_wrapped(const char *name)
{
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(wrapped); i++)
        if (!strcmp(wrapped[i], name)) return TRUE;
    return FALSE;
}

static const IMAGE_EXPORT_DIRECTORY *export_directory(HMODULE module)
{
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)module;
    const IMAGE_NT_HEADERS *nt = (const IMAGE_NT_HEADERS *)((const char *)module + dos->e_lfanew);

    return (const IMAGE_EXPORT_DIRECTORY *)((const char *)module +
                                            nt->OptionalHeader.DataDirectory[0].VirtualAddress);
}

/* The index-th name of a module's exports, and its number. */
static struct export export_at(HMODULE module, DWORD index)
{
    const IMAGE_EXPORT_DIRECTORY *directory = export_directory(module);
    const char *base = (const char *)module;
    struct export export = {
        .ordinal =
            directory->Base + ((const WORD *)(base + directory->AddressOfNameOrdinals))[index],
        .name = base + ((const DWORD *)(base + directory->AddressOfNames))[index],
    };

    return export;
}

/* The number of a module's export, 0 if it has none of the name. */
static WORD export_ordinal(HMODULE module, const char *name)
{
    const IMAGE_EXPORT_DIRECTORY *directory = export_directory(module);
    DWORD i;

    for (i = 0; i < directory->NumberOfNames; i++)
    {
        struct export export = export_at(module, i);

        if (!strcmp(export.name, name)) return export.ordinal;
    }
    return 0;
}

static const struct export *wine_8_0_export(const char *name)
{
    unsigned int i;

    for (i = 0; i < ARRAYSIZE(wine_8_0); i++)
        if (!strcmp(wine_8_0[i].name, name)) return &wine_8_0[i];
    return NULL;
}

/* Says whether the installed Wine has the exports of Wine 8.0, and so its numbers, all of them. */
static BOOL is_wine_8_0(HMODULE builtin)
{
    DWORD i, count = export_directory(builtin)->NumberOfNames;

    if (count != ARRAYSIZE(wine_8_0)) return FALSE;
    for (i = 0; i < count; i++)
        if (!wine_8_0_export(export_at(builtin, i).name)) return FALSE;
    return TRUE;
}

static void test_ordinals(HMODULE ours)
{
    DWORD i;

    for (i = 0; i < ARRAYSIZE(wine_8_0); i++)
    {
        WORD ordinal = export_ordinal(ours, wine_8_0[i].name);

        ok(ordinal == wine_8_0[i].ordinal, "%s has number %u, in Wine 8.0 %u\n", wine_8_0[i].name,
           ordinal, wine_8_0[i].ordinal);
    }
    /* What came later must not be in the way of a number that Wine may yet give. */
    for (i = 0; i < export_directory(ours)->NumberOfNames; i++)
    {
        struct export export = export_at(ours, i);

        if (wine_8_0_export(export.name)) continue;
        ok(export.ordinal >= 400 && export.ordinal < 500, "%s has number %u\n", export.name,
           export.ordinal);
    }
}

static void test_against_builtin(HMODULE ours, HMODULE builtin)
{
    DWORD i, count = export_directory(builtin)->NumberOfNames;
    BOOL all = is_wine_8_0(builtin);

    ok(count >= 130, "only %lu exports\n", count);
    for (i = 0; i < count; i++)
    {
        struct export export = export_at(builtin, i);
        WORD ordinal = export_ordinal(ours, export.name);

        ok(ordinal, "%s, number %u, is not exported\n", export.name, export.ordinal);
        if (all || is_fixed(export.ordinal))
            ok(ordinal == export.ordinal, "%s has number %u, Wine's has %u\n", export.name, ordinal,
               export.ordinal);
    }
}

/* The loader binds callers to Wine's own code. What this Wine lacks is nothing, as without us. */
static void test_addresses(HMODULE ours, HMODULE builtin)
{
    DWORD i;

    for (i = 0; i < export_directory(ours)->NumberOfNames; i++)
    {
        struct export export = export_at(ours, i);
        FARPROC address = GetProcAddress(ours, export.name);
        FARPROC theirs = GetProcAddress(builtin, export.name);

        if (is_wrapped(export.name))
            ok(address && theirs && address != theirs, "%s is at %p, Wine's at %p\n", export.name,
               address, theirs);
        else
            ok(address == theirs, "%s is at %p, Wine's at %p\n", export.name, address, theirs);
        ok(GetProcAddress(ours, (const char *)(ULONG_PTR) export.ordinal) == address,
           "number %u is not %s\n", export.ordinal, export.name);
    }
    for (i = 0; i < ARRAYSIZE(wrapped); i++)
        ok(export_ordinal(ours, wrapped[i]) != 0, "%s is not exported\n", wrapped[i]);
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
    HMODULE ours = GetModuleHandleA("ws2_32.dll"), builtin = GetModuleHandleA("ws2_32_wine.dll");
    WSADATA data;

    ok(!!builtin, "ws2_32.dll is not the drop-in\n");
    if (!builtin) return;
    test_ordinals(ours);
    test_against_builtin(ours, builtin);
    test_addresses(ours, builtin);
    WSAStartup(MAKEWORD(2, 2), &data);
    test_loaded_when_needed();
    WSACleanup();
}
