/*
 * Another process that runs the same test, and does what it is told, a command at a time
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "peer.h"

#define TIMEOUT     60000
#define WORDS_LIMIT 10

/* In memory that both share, and in turn use. */
struct peer_page
{
    char command[256];
    struct peer_answer answer;
};

enum
{
    SECTION,
    COMMAND,
    ANSWER,
};

/* The objects are found by their names. */
static const char *object_name(const char *mark, unsigned int which)
{
    static char name[64];

    snprintf(name, sizeof(name), "%s-%u", mark, which);
    return name;
}

static BOOL open_objects(struct peer *peer)
{
    peer->section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                       sizeof(*peer->page), object_name(peer->mark, SECTION));
    peer->command = CreateEventA(NULL, FALSE, FALSE, object_name(peer->mark, COMMAND));
    peer->answer = CreateEventA(NULL, FALSE, FALSE, object_name(peer->mark, ANSWER));
    peer->page = MapViewOfFile(peer->section, FILE_MAP_WRITE, 0, 0, sizeof(*peer->page));
    ok(peer->page && peer->command && peer->answer, "no memory to share, error %lu\n",
       GetLastError());
    return peer->page && peer->command && peer->answer;
}

static void close_objects(struct peer *peer)
{
    if (peer->page) UnmapViewOfFile(peer->page);
    if (peer->section) CloseHandle(peer->section);
    if (peer->command) CloseHandle(peer->command);
    if (peer->answer) CloseHandle(peer->answer);
    if (peer->process) CloseHandle(peer->process);
    memset(peer, 0, sizeof(*peer));
}

static void run_command(const struct peer_command *commands, struct peer_page *page)
{
    char *words[WORDS_LIMIT + 1] = {NULL}, *next = page->command;
    const struct peer_command *command;
    unsigned int count = 0;

    while (next && count < WORDS_LIMIT)
    {
        words[count++] = next;
        if ((next = strchr(next, ' '))) *next++ = 0;
    }
    memset(&page->answer, 0, sizeof(page->answer));
    for (command = commands; command->name; command++)
        if (!strcmp(command->name, words[0])) break;
    ok(!!command->name, "there is no command %s\n", words[0]);
    if (command->name) command->run(words, &page->answer);
}

BOOL peer_serve(const struct peer_command *commands)
{
    struct peer peer = {0};
    int argc;
    char **argv;

    argc = winetest_get_mainargs(&argv);
    if (argc != 4 || strcmp(argv[2], "peer")) return FALSE;
    snprintf(peer.mark, sizeof(peer.mark), "%s", argv[3]);
    if (!open_objects(&peer)) return TRUE;
    SetEvent(peer.answer);
    for (;;)
    {
        /* A parent that does not live any more cannot say so. */
        if (WaitForSingleObject(peer.command, 2 * TIMEOUT))
        {
            ok(0, "no command came\n");
            break;
        }
        if (!strcmp(peer.page->command, "end")) break;
        run_command(commands, peer.page);
        SetEvent(peer.answer);
    }
    return TRUE;
}

static BOOL wait_answer(const char *file, int line, struct peer *peer)
{
    HANDLE handles[] = {peer->answer, peer->process};
    DWORD result;

    if (!peer->process) return FALSE;
    result = WaitForMultipleObjects(2, handles, FALSE, TIMEOUT);
    ok_(file, line)(result == WAIT_OBJECT_0, "the peer %s\n",
                    result == WAIT_TIMEOUT ? "does not answer" : "has ended");
    return result == WAIT_OBJECT_0;
}

BOOL peer_start_(const char *file, int line, struct peer *peer)
{
    memset(peer, 0, sizeof(*peer));
    snprintf(peer->mark, sizeof(peer->mark), "%s", unique_word());
    if (!open_objects(peer)) return FALSE;
    peer->process = start_child("peer %s", peer->mark);
    return wait_answer(file, line, peer);
}

static void post(struct peer *peer, const char *format, va_list args)
{
    if (!peer->process) return;
    vsnprintf(peer->page->command, sizeof(peer->page->command), format, args);
    SetEvent(peer->command);
}

void peer_post(struct peer *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    post(peer, format, args);
    va_end(args);
}

struct peer_answer peer_fetch_(const char *file, int line, struct peer *peer)
{
    struct peer_answer answer = {-1, 0};

    if (wait_answer(file, line, peer)) answer = peer->page->answer;
    return answer;
}

ULONG64 peer_ask_(const char *file, int line, struct peer *peer, int error, const char *format, ...)
{
    struct peer_answer answer;
    va_list args;

    va_start(args, format);
    post(peer, format, args);
    answer = peer_fetch_(file, line, peer);
    ok_(file, line)(answer.error == error, "the peer's \"%s\": error %d, expected %d\n", format,
                    answer.error, error);
    va_end(args);
    return answer.value;
}

void peer_end_(const char *file, int line, struct peer *peer, enum peer_end end)
{
    if (!peer->process) return;
    switch (end)
    {
    case PEER_EXIT:
        peer_post(peer, "end");
        wait_child_process_(file, line)(peer->process);
        break;
    case PEER_TERMINATE:
        ok_(file, line)(TerminateProcess(peer->process, 1), "error %lu\n", GetLastError());
        break;
    case PEER_KILL:
        outsider("kill %d", outsider_find_process(peer->mark));
        break;
    }
    ok_(file, line)(!WaitForSingleObject(peer->process, TIMEOUT), "the peer has not ended\n");
    close_objects(peer);
}
