/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_WS2_32_PRIVATE_H
#define TAWNY_WS2_32_PRIVATE_H

/* These functions are defined here, not imported. */
#define WINSOCK_API_LINKAGE
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <mstcpip.h>

#include "common/memory.h"
#include "common/pool.h"

/* In no header of mingw-w64's or Wine's. The first's input is a USHORT, the processor. */
#define SIO_CPU_AFFINITY             _WSAIOW(IOC_VENDOR, 21)
#define SIO_QUERY_RSS_PROCESSOR_INFO _WSAIOR(IOC_WS2, 37)
struct socket_processor_affinity
{
    PROCESSOR_NUMBER processor;
    USHORT node;
    USHORT reserved;
};

/* Wine's own functions: see builtin.def. */
int WINAPI builtin_bind(SOCKET, const struct sockaddr *, int);
int WINAPI builtin_closesocket(SOCKET);
int WINAPI builtin_connect(SOCKET, const struct sockaddr *, int);
int WINAPI builtin_getsockopt(SOCKET, int, int, char *, int *);
int WINAPI builtin_listen(SOCKET, int);
int WINAPI builtin_sendto(SOCKET, const char *, int, int, const struct sockaddr *, int);
int WINAPI builtin_WSACleanup(void);
int WINAPI builtin_WSAConnect(SOCKET, const struct sockaddr *, int, WSABUF *, WSABUF *, QOS *,
                              QOS *);
BOOL WINAPI builtin_WSAConnectByNameA(SOCKET, char *, char *, DWORD *, struct sockaddr *, DWORD *,
                                      struct sockaddr *, struct timeval *, WSAOVERLAPPED *);
BOOL WINAPI builtin_WSAConnectByNameW(SOCKET, WCHAR *, WCHAR *, DWORD *, struct sockaddr *, DWORD *,
                                      struct sockaddr *, struct timeval *, WSAOVERLAPPED *);
int WINAPI builtin_WSAIoctl(SOCKET, DWORD, void *, DWORD, void *, DWORD, DWORD *, WSAOVERLAPPED *,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE);
int WINAPI builtin_WSASendMsg(SOCKET, WSAMSG *, DWORD, DWORD *, WSAOVERLAPPED *,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
int WINAPI builtin_WSASendTo(SOCKET, WSABUF *, DWORD, DWORD *, DWORD, const struct sockaddr *, int,
                             WSAOVERLAPPED *, LPWSAOVERLAPPED_COMPLETION_ROUTINE);
int WINAPI builtin_WSAStartup(WORD, WSADATA *);

/* Between the network's byte order and ours. */
static inline USHORT port_swap(USHORT port)
{
    return __builtin_bswap16(port);
}

/* error.c: the one conversion to Winsock's codes. */
int pool_error(enum portpool_status status);

/* bind.c: gives an associated, unbound socket a port of its block before a call that would make
 * Wine bind it. FALSE, with the last error set, if it gets none. */
BOOL bind_implicitly(SOCKET s);

/* overlapped.c: completes a call that has succeeded, by the method that the caller chose. Only the
 * sockets that overlapping applies to have one; the others' callers wait. */
BOOL overlapped_applies(SOCKET s);
/* Before anything is done: 0, or the error. */
int overlapped_check(SOCKET s, WSAOVERLAPPED *overlapped,
                     LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int overlapped_complete(SOCKET s, DWORD bytes, WSAOVERLAPPED *overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

/* control.c: the control codes that are ours. */
BOOL control_is_ours(SOCKET s, DWORD code);
/* Held, exclusively, by a call on the socket. Who closes the socket shares it. */
SRWLOCK *control_lock(SOCKET s);
int control_call(SOCKET s, DWORD code, const void *in, DWORD in_size, void *out, DWORD out_size,
                 DWORD *returned, WSAOVERLAPPED *overlapped,
                 LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

#endif
