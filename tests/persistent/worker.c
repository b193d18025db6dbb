/*
 * A Windows program that does what a test tells it, a line for a line
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It begins with a line "ready PROCESS", its process id. Then each line that it reads is a command,
 * words with single blanks between them, and has a line for its answer: an error code, of Windows
 * or Winsock, and what is said below if that is 0. It ends with its input.
 *
 * PROTO is tcp or udp; ADDRESS an IPv4 or IPv6 address, which decides the socket's family; ports
 * are in host order; tokens are in hex; ID is a number that stands for a socket of this process.
 *
 *   create PROTO START COUNT              TOKEN
 *   delete PROTO START COUNT
 *   lookup PROTO START COUNT              TOKEN
 *       The functions of iphlpapi.
 *   store PROTO                           NAME=DATA ...
 *       The registry's values, DATA in hex.
 *   socket ID PROTO ADDRESS
 *   associate ID TOKEN
 *   bind ID ADDRESS PORT                  PORT
 *   listen ID
 *   acquire ID START COUNT                START TOKEN
 *   release ID TOKEN
 *   close ID
 *   draw ID PROTO ADDRESS TOKEN           PORT
 *       Makes a socket, associates it and binds it to port 0. It is closed if that fails.
 *   drain PROTO ADDRESS TOKEN             PORT ...
 *       Draws ports until no more can be had, and closes their sockets. The code is of what came
 *       last, and not 0.
 *   automatic PROTO ADDRESS MOST          PORT ...
 *       The same with sockets that are not associated; no more than MOST.
 *   wait PROCESS
 *       Until that process has ended, and all that it had open is closed.
 *   spawn PROGRAM ARGUMENT                PROCESS
 *       Starts a program that inherits what can be inherited, and neither input nor output.
 *
 * As "worker sleep" it only waits to be killed.
 */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <fcntl.h>
#include <io.h>
#include <mstcpip.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS     6
#define SOCKETS   4096
#define TIMEOUT   60000
#define LINE_SIZE 512

#define NSI_KEY "SYSTEM\\CurrentControlSet\\Control\\Nsi\\"

struct protocol
{
    const char *name;
    int type;
    int number;
    ULONG(WINAPI *create)(USHORT start, USHORT count, PULONG64 token);
    ULONG(WINAPI *delete)(USHORT start, USHORT count);
    ULONG(WINAPI *lookup)(USHORT start, USHORT count, PULONG64 token);
    const char *key;
};

static const struct protocol protocols[] = {
    {"tcp", SOCK_STREAM, IPPROTO_TCP, CreatePersistentTcpPortReservation,
     DeletePersistentTcpPortReservation, LookupPersistentTcpPortReservation,
     NSI_KEY "{eb004a03-9b1a-11d4-9123-0050047759bc}\\29"},
    {"udp", SOCK_DGRAM, IPPROTO_UDP, CreatePersistentUdpPortReservation,
     DeletePersistentUdpPortReservation, LookupPersistentUdpPortReservation,
     NSI_KEY "{eb004a02-9b1a-11d4-9123-0050047759bc}\\5"},
};

static char *words[WORDS];
static SOCKET sockets[SOCKETS];
static char answer[1 << 20];
static size_t length;

static void fail(const char *what)
{
    fprintf(stderr, "worker: %s\n", what);
    exit(2);
}

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    length += vsnprintf(answer + length, sizeof(answer) - length, format, args);
    va_end(args);
    if (length >= sizeof(answer)) fail("the answer is too long");
}

/* In one piece: whoever is killed has said all of it or nothing. */
static void flush_answer(void)
{
    DWORD written;

    say("\n");
    if (!WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), answer, length, &written, NULL)) exit(2);
    length = 0;
}

static const struct protocol *protocol_word(int word)
{
    if (!words[word]) fail("a word is missing");
    return &protocols[!strcmp(words[word], "udp")];
}

static unsigned int number_word(int word)
{
    if (!words[word]) fail("a word is missing");
    return strtoul(words[word], NULL, 10);
}

static ULONG64 token_word(int word)
{
    if (!words[word]) fail("a word is missing");
    return _strtoui64(words[word], NULL, 16);
}

static SOCKET *socket_word(int word)
{
    unsigned int id = number_word(word);

    if (id >= SOCKETS) fail("there is no such socket");
    return &sockets[id];
}

static int address_word(int word, USHORT port, SOCKADDR_STORAGE *address)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    if (!words[word]) fail("a word is missing");
    memset(address, 0, sizeof(*address));
    if (strchr(words[word], ':'))
    {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        inet_pton(AF_INET6, words[word], &in6->sin6_addr);
        return sizeof(*in6);
    }
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, words[word], &in->sin_addr);
    return sizeof(*in);
}

static void do_create(void)
{
    ULONG64 token = 0;
    ULONG error = protocol_word(1)->create(htons(number_word(2)), number_word(3), &token);

    say("%lu", error);
    if (!error) say(" %I64x", token);
}

static void do_delete(void)
{
    say("%lu", protocol_word(1)->delete (htons(number_word(2)), number_word(3)));
}

static void do_lookup(void)
{
    ULONG64 token = 0;
    ULONG error = protocol_word(1)->lookup(htons(number_word(2)), number_word(3), &token);

    say("%lu", error);
    if (!error) say(" %I64x", token);
}

static void say_values(HKEY key)
{
    BYTE data[16];
    char name[64];

    for (DWORD i = 0;; i++)
    {
        DWORD name_size = sizeof(name), size = sizeof(data);
        LONG error = RegEnumValueA(key, i, name, &name_size, NULL, NULL, data, &size);

        if (error == ERROR_NO_MORE_ITEMS) return;
        if (error) continue;
        say(" %s=", name);
        for (DWORD j = 0; j < size; j++) say("%02x", data[j]);
    }
}

static void do_store(void)
{
    HKEY key;
    LONG error = RegOpenKeyExA(HKEY_LOCAL_MACHINE, protocol_word(1)->key, 0, KEY_READ, &key);

    say("%ld", error == ERROR_FILE_NOT_FOUND ? 0 : error);
    if (error) return;
    say_values(key);
    RegCloseKey(key);
}

static SOCKET make_socket(const struct protocol *protocol, int address)
{
    SOCKADDR_STORAGE storage;

    address_word(address, 0, &storage);
    return socket(storage.ss_family, protocol->type, protocol->number);
}

static void do_socket(void)
{
    SOCKET *s = socket_word(1);

    *s = make_socket(protocol_word(2), 3);
    say("%d", *s == INVALID_SOCKET ? WSAGetLastError() : 0);
}

static int associate(SOCKET s, ULONG64 token)
{
    DWORD returned;

    return WSAIoctl(s, SIO_ASSOCIATE_PORT_RESERVATION, &token, sizeof(token), NULL, 0, &returned,
                    NULL, NULL)
               ? WSAGetLastError()
               : 0;
}

static int bind_to(SOCKET s, int address, USHORT *port)
{
    SOCKADDR_STORAGE storage;
    int size = address_word(address, *port, &storage);

    if (bind(s, (struct sockaddr *)&storage, size)) return WSAGetLastError();
    if (getsockname(s, (struct sockaddr *)&storage, &size)) return WSAGetLastError();
    /* IPv6 has it in the same place. */
    *port = ntohs(((struct sockaddr_in *)&storage)->sin_port);
    return 0;
}

static void do_associate(void)
{
    say("%d", associate(*socket_word(1), token_word(2)));
}

static void do_bind(void)
{
    USHORT port = number_word(3);
    int error = bind_to(*socket_word(1), 2, &port);

    say("%d", error);
    if (!error) say(" %u", port);
}

static void do_listen(void)
{
    say("%d", listen(*socket_word(1), 5) ? WSAGetLastError() : 0);
}

static void do_acquire(void)
{
    INET_PORT_RANGE range = {htons(number_word(2)), number_word(3)};
    INET_PORT_RESERVATION_INSTANCE instance;
    DWORD returned;

    if (WSAIoctl(*socket_word(1), SIO_ACQUIRE_PORT_RESERVATION, &range, sizeof(range), &instance,
                 sizeof(instance), &returned, NULL, NULL))
        say("%d", WSAGetLastError());
    else
        say("0 %u %I64x", ntohs(instance.StartPort), instance.Token);
}

static void do_release(void)
{
    ULONG64 token = token_word(2);
    DWORD returned;

    say("%d", WSAIoctl(*socket_word(1), SIO_RELEASE_PORT_RESERVATION, &token, sizeof(token), NULL,
                       0, &returned, NULL, NULL)
                  ? WSAGetLastError()
                  : 0);
}

static void do_close(void)
{
    say("%d", closesocket(*socket_word(1)) ? WSAGetLastError() : 0);
}

/* The token is 0 where the socket is not to be associated. */
static SOCKET draw(const struct protocol *protocol, int address, ULONG64 token, USHORT *port,
                   int *error)
{
    SOCKET s = make_socket(protocol, address);

    *port = 0;
    *error = s == INVALID_SOCKET ? WSAGetLastError() : 0;
    if (!*error && token) *error = associate(s, token);
    if (!*error) *error = bind_to(s, address, port);
    if (!*error) return s;
    if (s != INVALID_SOCKET) closesocket(s);
    return INVALID_SOCKET;
}

static void do_draw(void)
{
    USHORT port;
    int error;

    *socket_word(1) = draw(protocol_word(2), 3, token_word(4), &port, &error);
    say("%d", error);
    if (!error) say(" %u", port);
}

static void say_drawn(const struct protocol *protocol, int address, ULONG64 token,
                      unsigned int most)
{
    static USHORT ports[SOCKETS];
    static SOCKET drawn[SOCKETS];
    unsigned int count;
    int error = 0;

    for (count = 0; count < most; count++)
    {
        drawn[count] = draw(protocol, address, token, &ports[count], &error);
        if (error) break;
    }
    say("%d", error);
    for (unsigned int i = 0; i < count; i++)
    {
        say(" %u", ports[i]);
        closesocket(drawn[i]);
    }
}

static void do_drain(void)
{
    say_drawn(protocol_word(1), 2, token_word(3), SOCKETS);
}

static void do_automatic(void)
{
    unsigned int most = number_word(3);

    say_drawn(protocol_word(1), 2, 0, most < SOCKETS ? most : SOCKETS);
}

static void do_wait(void)
{
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, number_word(1));
    DWORD result = process ? WaitForSingleObject(process, TIMEOUT) : WAIT_OBJECT_0;

    say("%lu", result == WAIT_OBJECT_0 ? 0 : ERROR_TIMEOUT);
    if (process) CloseHandle(process);
}

static void do_spawn(void)
{
    STARTUPINFOA startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    char line[LINE_SIZE];

    if (!words[1] || !words[2]) fail("a word is missing");
    snprintf(line, sizeof(line), "\"%s\" %s", words[1], words[2]);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
    {
        say("%lu", GetLastError());
        return;
    }
    say("0 %lu", process.dwProcessId);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
}

static const struct
{
    const char *name;
    void (*function)(void);
} commands[] = {
    {"create", do_create},   {"delete", do_delete}, {"lookup", do_lookup},
    {"store", do_store},     {"socket", do_socket}, {"associate", do_associate},
    {"bind", do_bind},       {"listen", do_listen}, {"acquire", do_acquire},
    {"release", do_release}, {"close", do_close},   {"draw", do_draw},
    {"drain", do_drain},     {"wait", do_wait},     {"automatic", do_automatic},
    {"spawn", do_spawn},
};

static void obey(char *line)
{
    size_t i;

    memset(words, 0, sizeof(words));
    words[0] = strtok(line, " \r\n");
    for (i = 1; i < WORDS && words[i - 1]; i++) words[i] = strtok(NULL, " \r\n");
    for (i = 0; i < ARRAYSIZE(commands); i++)
    {
        if (!words[0] || strcmp(words[0], commands[i].name)) continue;
        say("=");
        commands[i].function();
        flush_answer();
        return;
    }
    fail("a command that is none");
}

int main(int argc, char **argv)
{
    char line[LINE_SIZE];
    WSADATA data;

    if (argc > 1 && !strcmp(argv[1], "sleep")) Sleep(INFINITE);
    if (WSAStartup(MAKEWORD(2, 2), &data)) fail("WSAStartup failed");
    _setmode(_fileno(stdin), _O_BINARY);
    say("=ready %lu", GetCurrentProcessId());
    flush_answer();
    while (fgets(line, sizeof(line), stdin)) obey(line);
    return 0;
}
