/*
 * The way to the native program of tests/native/outsider.c
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

static SOCKET outsider_socket = INVALID_SOCKET;

static USHORT outsider_port(void)
{
    char text[16];
    DWORD length = GetEnvironmentVariableA("TAWNY_OUTSIDER", text, sizeof(text));

    return length && length < sizeof(text) ? atoi(text) : 0;
}

BOOL outsider_available(void)
{
    return outsider_port() != 0;
}

static BOOL outsider_connect(void)
{
    SOCKADDR_STORAGE address;
    int length = make_address("127.0.0.1", outsider_port(), &address), on = 1;

    if (outsider_socket != INVALID_SOCKET) return TRUE;
    outsider_socket = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (!connect(outsider_socket, (struct sockaddr *)&address, length))
    {
        setsockopt(outsider_socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
        return TRUE;
    }
    ok(0, "cannot connect to the outsider, error %d\n", WSAGetLastError());
    outsider_disconnect();
    return FALSE;
}

void outsider_disconnect(void)
{
    if (outsider_socket != INVALID_SOCKET) closesocket(outsider_socket);
    outsider_socket = INVALID_SOCKET;
}

static const char *outsider_call(const char *format, va_list args)
{
    static char text[1024];
    int length, got;

    if (!outsider_connect()) return "";
    length = vsnprintf(text, sizeof(text) - 1, format, args);
    /* What a caller leaves out at the end leaves blanks, of which the outsider wants none. */
    while (length && text[length - 1] == ' ') length--;
    text[length++] = '\n';
    send(outsider_socket, text, length, 0);
    for (length = 0; !length || text[length - 1] != '\n'; length += got)
    {
        got = recv(outsider_socket, text + length, sizeof(text) - 1 - length, 0);
        ok(got > 0, "the outsider does not answer, error %d\n", WSAGetLastError());
        if (got <= 0) return "";
    }
    text[length - 1] = 0;
    return text;
}

const char *outsider(const char *format, ...)
{
    const char *answer;
    va_list args;

    va_start(args, format);
    answer = outsider_call(format, args);
    va_end(args);
    return answer;
}

int outsider_number(const char *format, ...)
{
    const char *answer;
    va_list args;

    va_start(args, format);
    answer = outsider_call(format, args);
    va_end(args);
    if (!strncmp(answer, "ok ", 3)) return atoi(answer + 3);
    if (!strcmp(answer, "ok")) return 0;
    if (!strncmp(answer, "error ", 6)) return -atoi(answer + 6);
    ok(0, "the outsider answered \"%s\"\n", answer);
    return -1;
}
