/*
 * The service provider's face of Winsock: WSPStartup and the table that it fills
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whoever loads a provider calls its functions past ws2_32. Here it is the other way round: the
 * functions of the table are those of ws2_32, reservations included, with the error in *lpErrno
 * instead of the thread's last error.
 */
#include "provider.h"

#include "common/memory.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(mswsock);

static const WCHAR description[] = L"Tawny, over Wine's sockets";

/* Passes on what a function of Winsock's left as its error. */
static void provider_tell(BOOL failed, int *error)
{
    int code = WSAGetLastError();

    if (failed && error) memory_write(error, &code, sizeof(code));
}

static int provider_result(int result, int *error)
{
    provider_tell(result == SOCKET_ERROR, error);
    return result;
}

static SOCKET provider_socket(SOCKET s, int *error)
{
    provider_tell(s == INVALID_SOCKET, error);
    return s;
}

static int provider_fail(int code, int *error)
{
    WSASetLastError(code);
    return provider_result(SOCKET_ERROR, error);
}

/* The calls that move data or control a socket, all that may be overlapped. */
struct transfer
{
    SOCKET s;
    WSABUF *buffers;
    DWORD count;
    DWORD *bytes;
    DWORD *flags; /* of those that receive */
    DWORD sending_flags;
    const struct sockaddr *to;
    int to_length;
    struct sockaddr *from;
    int *from_length;
    DWORD code; /* of a control code, and its buffers */
    void *in, *out;
    DWORD in_size, out_size;
};

typedef int (*transfer_function)(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

static int transfer_recv(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSARecv(transfer->s, transfer->buffers, transfer->count, transfer->bytes,
                   transfer->flags, overlapped, routine);
}

static int transfer_recv_from(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSARecvFrom(transfer->s, transfer->buffers, transfer->count, transfer->bytes,
                       transfer->flags, transfer->from, transfer->from_length, overlapped, routine);
}

static int transfer_send(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSASend(transfer->s, transfer->buffers, transfer->count, transfer->bytes,
                   transfer->sending_flags, overlapped, routine);
}

static int transfer_send_to(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSASendTo(transfer->s, transfer->buffers, transfer->count, transfer->bytes,
                     transfer->sending_flags, transfer->to, transfer->to_length, overlapped,
                     routine);
}

static int transfer_ioctl(const struct transfer *transfer, WSAOVERLAPPED *overlapped,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return WSAIoctl(transfer->s, transfer->code, transfer->in, transfer->in_size, transfer->out,
                    transfer->out_size, transfer->bytes, overlapped, routine);
}

/* Makes a call whose completion routine belongs to another thread. */
static int transfer_relay(const struct transfer *transfer, transfer_function function,
                          const WSATHREADID *thread, WSAOVERLAPPED *overlapped,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, int *error)
{
    struct relay *relay;
    WSAOVERLAPPED *relayed;
    int result, code;

    if (!memory_writable(overlapped, sizeof(*overlapped))) return provider_fail(WSAEFAULT, error);
    if (!(relay = relay_create(transfer->s, thread, overlapped, routine, &relayed)))
        return provider_fail(WSAENOBUFS, error);
    result = function(transfer, relayed, NULL);
    code = WSAGetLastError();
    if (result == SOCKET_ERROR && code != WSA_IO_PENDING)
        relay_destroy(relay);
    else
        relay_start(relay);
    WSASetLastError(code);
    return provider_result(result, error);
}

static int transfer_start(const struct transfer *transfer, transfer_function function,
                          WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                          const WSATHREADID *thread, int *error)
{
    WSATHREADID copy;

    if (overlapped && routine)
    {
        switch (relay_needed(thread, &copy))
        {
        case 0:
            break;
        case 1:
            return transfer_relay(transfer, function, &copy, overlapped, routine, error);
        default:
            return provider_fail(WSAEFAULT, error);
        }
    }
    return provider_result(function(transfer, overlapped, routine), error);
}

static SOCKET WSPAPI provider_Accept(SOCKET s, struct sockaddr *address, int *length,
                                     LPCONDITIONPROC condition, DWORD_PTR context, int *error)
{
    return provider_socket(WSAAccept(s, address, length, condition, context), error);
}

static int WSPAPI provider_AddressToString(struct sockaddr *address, DWORD length,
                                           WSAPROTOCOL_INFOW *info, WCHAR *string,
                                           DWORD *string_length, int *error)
{
    return provider_result(WSAAddressToStringW(address, length, info, string, string_length),
                           error);
}

static int WSPAPI provider_AsyncSelect(SOCKET s, HWND window, unsigned int message, long events,
                                       int *error)
{
    return provider_result(WSAAsyncSelect(s, window, message, events), error);
}

static int WSPAPI provider_Bind(SOCKET s, const struct sockaddr *address, int length, int *error)
{
    return provider_result(bind(s, address, length), error);
}

static int WSPAPI provider_CancelBlockingCall(int *error)
{
    return provider_result(WSACancelBlockingCall(), error);
}

static int WSPAPI provider_Cleanup(int *error)
{
    return provider_result(WSACleanup(), error);
}

static int WSPAPI provider_CloseSocket(SOCKET s, int *error)
{
    return provider_result(closesocket(s), error);
}

static int WSPAPI provider_Connect(SOCKET s, const struct sockaddr *address, int length,
                                   WSABUF *caller, WSABUF *callee, QOS *sqos, QOS *gqos, int *error)
{
    return provider_result(WSAConnect(s, address, length, caller, callee, sqos, gqos), error);
}

static int WSPAPI provider_DuplicateSocket(SOCKET s, DWORD process, WSAPROTOCOL_INFOW *info,
                                           int *error)
{
    return provider_result(WSADuplicateSocketW(s, process, info), error);
}

static int WSPAPI provider_EnumNetworkEvents(SOCKET s, WSAEVENT event, WSANETWORKEVENTS *events,
                                             int *error)
{
    return provider_result(WSAEnumNetworkEvents(s, event, events), error);
}

static int WSPAPI provider_EventSelect(SOCKET s, WSAEVENT event, long events, int *error)
{
    return provider_result(WSAEventSelect(s, event, events), error);
}

static BOOL WSPAPI provider_GetOverlappedResult(SOCKET s, WSAOVERLAPPED *overlapped, DWORD *bytes,
                                                BOOL wait, DWORD *flags, int *error)
{
    BOOL success = WSAGetOverlappedResult(s, overlapped, bytes, wait, flags);

    provider_tell(!success, error);
    return success;
}

static int WSPAPI provider_GetPeerName(SOCKET s, struct sockaddr *address, int *length, int *error)
{
    return provider_result(getpeername(s, address, length), error);
}

static int WSPAPI provider_GetSockName(SOCKET s, struct sockaddr *address, int *length, int *error)
{
    return provider_result(getsockname(s, address, length), error);
}

static int WSPAPI provider_GetSockOpt(SOCKET s, int level, int option, char *value, int *length,
                                      int *error)
{
    return provider_result(getsockopt(s, level, option, value, length), error);
}

static BOOL WSPAPI provider_GetQOSByName(SOCKET s, WSABUF *name, QOS *qos, int *error)
{
    BOOL success = WSAGetQOSByName(s, name, qos);

    provider_tell(!success, error);
    return success;
}

static int WSPAPI provider_Ioctl(SOCKET s, DWORD code, void *in, DWORD in_size, void *out,
                                 DWORD out_size, DWORD *returned, WSAOVERLAPPED *overlapped,
                                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread,
                                 int *error)
{
    struct transfer transfer = {.s = s,
                                .code = code,
                                .in = in,
                                .in_size = in_size,
                                .out = out,
                                .out_size = out_size,
                                .bytes = returned};

    return transfer_start(&transfer, transfer_ioctl, overlapped, routine, thread, error);
}

static SOCKET WSPAPI provider_JoinLeaf(SOCKET s, const struct sockaddr *address, int length,
                                       WSABUF *caller, WSABUF *callee, QOS *sqos, QOS *gqos,
                                       DWORD flags, int *error)
{
    return provider_socket(WSAJoinLeaf(s, address, length, caller, callee, sqos, gqos, flags),
                           error);
}

static int WSPAPI provider_Listen(SOCKET s, int backlog, int *error)
{
    return provider_result(listen(s, backlog), error);
}

static int WSPAPI provider_Recv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *received,
                                DWORD *flags, WSAOVERLAPPED *overlapped,
                                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread,
                                int *error)
{
    struct transfer transfer = {
        .s = s, .buffers = buffers, .count = count, .bytes = received, .flags = flags};

    return transfer_start(&transfer, transfer_recv, overlapped, routine, thread, error);
}

static int WSPAPI provider_RecvDisconnect(SOCKET s, WSABUF *data, int *error)
{
    return provider_result(WSARecvDisconnect(s, data), error);
}

static int WSPAPI provider_RecvFrom(SOCKET s, WSABUF *buffers, DWORD count, DWORD *received,
                                    DWORD *flags, struct sockaddr *from, int *from_length,
                                    WSAOVERLAPPED *overlapped,
                                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread,
                                    int *error)
{
    struct transfer transfer = {.s = s,
                                .buffers = buffers,
                                .count = count,
                                .bytes = received,
                                .flags = flags,
                                .from = from,
                                .from_length = from_length};

    return transfer_start(&transfer, transfer_recv_from, overlapped, routine, thread, error);
}

static int WSPAPI provider_Select(int count, fd_set *reading, fd_set *writing, fd_set *failing,
                                  const PTIMEVAL timeout, int *error)
{
    return provider_result(select(count, reading, writing, failing, timeout), error);
}

static int WSPAPI provider_Send(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags,
                                WSAOVERLAPPED *overlapped,
                                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread,
                                int *error)
{
    struct transfer transfer = {
        .s = s, .buffers = buffers, .count = count, .bytes = sent, .sending_flags = flags};

    return transfer_start(&transfer, transfer_send, overlapped, routine, thread, error);
}

static int WSPAPI provider_SendDisconnect(SOCKET s, WSABUF *data, int *error)
{
    return provider_result(WSASendDisconnect(s, data), error);
}

static int WSPAPI provider_SendTo(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent, DWORD flags,
                                  const struct sockaddr *to, int to_length,
                                  WSAOVERLAPPED *overlapped,
                                  LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, WSATHREADID *thread,
                                  int *error)
{
    struct transfer transfer = {.s = s,
                                .buffers = buffers,
                                .count = count,
                                .bytes = sent,
                                .sending_flags = flags,
                                .to = to,
                                .to_length = to_length};

    return transfer_start(&transfer, transfer_send_to, overlapped, routine, thread, error);
}

static int WSPAPI provider_SetSockOpt(SOCKET s, int level, int option, const char *value,
                                      int length, int *error)
{
    return provider_result(setsockopt(s, level, option, value, length), error);
}

static int WSPAPI provider_Shutdown(SOCKET s, int how, int *error)
{
    return provider_result(shutdown(s, how), error);
}

static SOCKET WSPAPI provider_Socket(int family, int type, int protocol, WSAPROTOCOL_INFOW *info,
                                     GROUP group, DWORD flags, int *error)
{
    return provider_socket(WSASocketW(family, type, protocol, info, group, flags), error);
}

static int WSPAPI provider_StringToAddress(WCHAR *string, int family, WSAPROTOCOL_INFOW *info,
                                           struct sockaddr *address, int *length, int *error)
{
    return provider_result(WSAStringToAddressW(string, family, info, address, length), error);
}

static const WSPPROC_TABLE provider_table = {
    .lpWSPAccept = provider_Accept,
    .lpWSPAddressToString = provider_AddressToString,
    .lpWSPAsyncSelect = provider_AsyncSelect,
    .lpWSPBind = provider_Bind,
    .lpWSPCancelBlockingCall = provider_CancelBlockingCall,
    .lpWSPCleanup = provider_Cleanup,
    .lpWSPCloseSocket = provider_CloseSocket,
    .lpWSPConnect = provider_Connect,
    .lpWSPDuplicateSocket = provider_DuplicateSocket,
    .lpWSPEnumNetworkEvents = provider_EnumNetworkEvents,
    .lpWSPEventSelect = provider_EventSelect,
    .lpWSPGetOverlappedResult = provider_GetOverlappedResult,
    .lpWSPGetPeerName = provider_GetPeerName,
    .lpWSPGetSockName = provider_GetSockName,
    .lpWSPGetSockOpt = provider_GetSockOpt,
    .lpWSPGetQOSByName = provider_GetQOSByName,
    .lpWSPIoctl = provider_Ioctl,
    .lpWSPJoinLeaf = provider_JoinLeaf,
    .lpWSPListen = provider_Listen,
    .lpWSPRecv = provider_Recv,
    .lpWSPRecvDisconnect = provider_RecvDisconnect,
    .lpWSPRecvFrom = provider_RecvFrom,
    .lpWSPSelect = provider_Select,
    .lpWSPSend = provider_Send,
    .lpWSPSendDisconnect = provider_SendDisconnect,
    .lpWSPSendTo = provider_SendTo,
    .lpWSPSetSockOpt = provider_SetSockOpt,
    .lpWSPShutdown = provider_Shutdown,
    .lpWSPSocket = provider_Socket,
    .lpWSPStringToAddress = provider_StringToAddress,
};

/* The table's functions count as Winsock's users do: each successful call is undone by the table's
 * lpWSPCleanup. The upcalls are not needed. */
int WINAPI WSPStartup(WORD version, WSPDATA *data, WSAPROTOCOL_INFOW *info, WSPUPCALLTABLE upcalls,
                      WSPPROC_TABLE *table)
{
    WSPDATA answer = {.wVersion = MAKEWORD(2, 2), .wHighVersion = MAKEWORD(2, 2)};
    WSADATA winsock;
    int code;

    (void)info;
    (void)upcalls;
    TRACE("version %#x, data %p, info %p, table %p\n", version, data, info, table);
    if (LOBYTE(version) != 2) return WSAVERNOTSUPPORTED;
    if (HIBYTE(version) < 2) answer.wVersion = version;
    memcpy(answer.szDescription, description, sizeof(description));

    if (!memory_writable(data, sizeof(*data)) || !memory_writable(table, sizeof(*table)))
        return WSAEFAULT;
    if ((code = WSAStartup(answer.wVersion, &winsock))) return code;
    if (memory_write(data, &answer, sizeof(answer)) &&
        memory_write(table, &provider_table, sizeof(provider_table)))
        return 0;
    /* Gone since we looked. */
    WSACleanup();
    return WSAEFAULT;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) DisableThreadLibraryCalls(instance);
    return TRUE;
}
