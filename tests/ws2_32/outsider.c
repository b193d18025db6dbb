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

const struct outsider_shape outsider_shapes[OUTSIDER_SHAPES] = {
    {"0.0.0.0", ""},  {"127.0.0.1", ""}, {"127.0.0.2", ""},        {"::", ""},
    {"::", "v6only"}, {"::1", ""},       {"::ffff:127.0.0.1", ""},
};

const char *protocol_name(const struct kind *kind)
{
    return kind->type == SOCK_STREAM ? "tcp" : "udp";
}

int outsider_bind(const struct kind *kind, const char *address, USHORT port, const char *options)
{
    return outsider_number("bind %s %s %u %s", protocol_name(kind), address, port, options);
}

int outsider_bind_shape(const struct kind *kind, const struct outsider_shape *shape, USHORT port,
                        const char *options)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%s%s", options, *options ? " " : "", shape->option);
    return outsider_bind(kind, shape->address, port, text);
}

unsigned int outsider_gets(const struct kind *kind, USHORT port, const char *options,
                           const char **which)
{
    unsigned int i, count = 0;

    for (i = 0; i < OUTSIDER_SHAPES; i++)
    {
        const struct outsider_shape *shape = &outsider_shapes[i];
        int id = outsider_bind_shape(kind, shape, port, options);

        if (id < 0)
        {
            ok(id == -LINUX_EADDRINUSE, "%s %s: errno %d\n", shape->address, shape->option, -id);
            continue;
        }
        *which = shape->address;
        count++;
        outsider("close %d", id);
    }
    return count;
}

void check_kept_out_(const char *file, int line, const struct kind *kind, USHORT port,
                     const char *options)
{
    const char *which = "";
    unsigned int count = outsider_gets(kind, port, options, &which);

    ok_(file, line)(!count, "%u shapes of outsiders with \"%s\" get port %u, one is %s\n", count,
                    options, port, which);
}

void check_kept_out_plainly_(const char *file, int line, const struct kind *kind, USHORT port)
{
    check_kept_out_(file, line, kind, port, "");
    check_kept_out_(file, line, kind, port, "reuseaddr");
}

int outsider_find_process(const char *word)
{
    int number = outsider_number("find-process %s", word);

    ok(number > 0, "the host does not know the process\n");
    return number;
}
