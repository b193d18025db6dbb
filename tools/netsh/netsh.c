/*
 * netsh: the commands about reserved ports, of all that Windows' netsh has
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A drop-in for Wine's own, which does nothing and is content with everything. So is this one with
 * what it does not know: install scripts have always got by with that.
 */
#include "netsh_private.h"

#include <stdlib.h>

#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(netsh);

/* Files of commands that name files of commands. */
#define SCRIPT_DEPTH_MOST 16

/* A line's. */
#define WORDS_MOST 256

/* The C runtime is not to look for files where the command line has a question mark. */
int _dowildcard = 0;

struct session
{
    struct netsh_place place;
    unsigned int depth; /* of scripts */
    BOOL leaving;
    BOOL failed;
};

static void session_run(struct session *session, const WCHAR *const *words, unsigned int count);

/* As Wine's netsh does with everything. */
static void report_unknown(const WCHAR *const *words, unsigned int count)
{
    if (!FIXME_ON(netsh)) return;
    FIXME("stub:");
    for (unsigned int i = 0; i < count; i++) wine_dbg_printf(" %s", wine_dbgstr_w(words[i]));
    wine_dbg_printf("\n");
}

static void report_not_found(const WCHAR *const *words, unsigned int count)
{
    output_text(L"The following command was not found:");
    for (unsigned int i = 0; i < count; i++)
    {
        output_text(L" ");
        output_text(words[i]);
    }
    output_text(L".\r\n");
}

/* Windows' netsh shows how it is right, and does not call it a failure. */
static void report_syntax(const struct netsh_command *command)
{
    output_text(L"The syntax supplied for this command is not valid. Check help for the correct "
                L"syntax.\r\n");
    help_print(command->topic);
}

static void report_bad_tag(const struct netsh_command *command)
{
    output_text(L"'");
    output_write(command->culprit, command->culprit_length);
    output_text(L"' is not a valid argument for this command.\r\n");
    report_syntax(command);
}

static void report_missing(const struct netsh_command *command)
{
    output_text(L"One or more essential parameters were not entered.\r\n"
                L"Verify the required parameters, and reenter them.\r\n");
    report_syntax(command);
}

static void report_bad_value(const struct netsh_command *command)
{
    output_write(command->culprit, command->culprit_length);
    output_print(L" is not an acceptable value for %hs.\r\n", command->argument);
    output_error(ERROR_INVALID_PARAMETER);
}

/* Windows' own range, which wildcard blocks are taken from first. */
static BOOL show_dynamic(const struct netsh_command *command)
{
    output_print(L"\r\nProtocol %ls Dynamic Port Range\r\n"
                 L"---------------------------------\r\n",
                 command->protocol == NETSH_UDP ? L"udp" : L"tcp");
    output_text(L"Start Port      : 49152\r\n"
                L"Number of Ports : 16384\r\n\r\n");
    return TRUE;
}

/* Carries out a line of a script. */
static void session_run_line(struct session *session, const WCHAR *line, size_t length)
{
    WCHAR *room = malloc((length + 1) * sizeof(*room));
    const WCHAR *words[WORDS_MOST];
    int count = room ? netsh_split(line, length, room, words, WORDS_MOST) : -1;

    if (count == -1)
    {
        output_error(room ? ERROR_INVALID_PARAMETER : ERROR_NOT_ENOUGH_MEMORY);
        session->failed = TRUE;
    }
    else
        session_run(session, words, count);
    free(room);
}

/* All commands are carried out, also after one that failed. */
static void session_run_script(struct session *session, const WCHAR *path)
{
    WCHAR *text = NULL;
    const WCHAR *line;

    if (session->depth < SCRIPT_DEPTH_MOST)
        text = script_read(path);
    else
        SetLastError(ERROR_FILE_NOT_FOUND);
    if (!text)
    {
        output_error(GetLastError());
        session->failed = TRUE;
        return;
    }
    session->depth++;
    for (line = text; *line && !session->leaving;)
    {
        size_t length = wcscspn(line, L"\r\n");

        session_run_line(session, line, length);
        line += length;
        line += wcsspn(line, L"\r\n");
    }
    session->depth--;
    free(text);
}

static void session_run_named_script(struct session *session, const struct netsh_command *command)
{
    WCHAR path[MAX_PATH];

    if (command->culprit_length >= ARRAYSIZE(path))
    {
        output_error(ERROR_FILE_NOT_FOUND);
        session->failed = TRUE;
        return;
    }
    memcpy(path, command->culprit, command->culprit_length * sizeof(*path));
    path[command->culprit_length] = 0;
    session_run_script(session, path);
}

/* FALSE if the command failed. */
static BOOL session_do(struct session *session, const struct netsh_command *command)
{
    switch (command->action)
    {
    case NETSH_ADD_EXCLUDED:
        return ranges_add(command);
    case NETSH_DELETE_EXCLUDED:
        return ranges_delete(command);
    case NETSH_SHOW_EXCLUDED:
        return ranges_show(command);
    case NETSH_SHOW_DYNAMIC:
        return show_dynamic(command);
    case NETSH_HELP:
        help_print(command->topic);
        return TRUE;
    case NETSH_SCRIPT:
        session_run_named_script(session, command);
        return TRUE;
    case NETSH_LEAVE:
        session->leaving = TRUE;
        return TRUE;
    case NETSH_BAD_TAG:
        report_bad_tag(command);
        return TRUE;
    case NETSH_MISSING:
        report_missing(command);
        return TRUE;
    case NETSH_TWICE:
        report_syntax(command);
        return TRUE;
    case NETSH_BAD_VALUE:
        report_bad_value(command);
        return FALSE;
    case NETSH_NOTHING:
    case NETSH_UNKNOWN:
    case NETSH_NOT_FOUND:
        break;
    }
    return command->action != NETSH_NOT_FOUND;
}

static void session_run(struct session *session, const WCHAR *const *words, unsigned int count)
{
    struct netsh_command command;

    netsh_parse(&session->place, words, count, &command);
    if (command.action == NETSH_UNKNOWN) report_unknown(words, count);
    if (command.action == NETSH_NOT_FOUND) report_not_found(words, count);
    if (!session_do(session, &command)) session->failed = TRUE;
}

/* What netsh is called with before the command. */
struct options
{
    const WCHAR *script;
    WCHAR *context;
    BOOL remote;
};

/* The letter of an option that has a value; 0 if the word is none. */
static WCHAR option_letter(const WCHAR *word)
{
    WCHAR letter;

    if ((word[0] != '-' && word[0] != '/') || !word[1] || word[2]) return 0;
    letter = word[1] | 0x20;
    return wcschr(L"acfprru", letter) ? letter : 0;
}

/* Takes the options; how many words they are, -1 if one lacks its value. */
static int options_take(struct options *options, WCHAR **words, int count)
{
    WCHAR letter;
    int i = 0;

    for (; i < count && (letter = option_letter(words[i])); i += 2)
    {
        if (i + 1 == count) return -1;
        if (letter == 'f') options->script = words[i + 1];
        if (letter == 'c') options->context = words[i + 1];
        if (letter == 'r') options->remote = TRUE;
    }
    return i;
}

/* Says whether Wine runs its own DLLs. It does not run its own netsh then, if a 32-bit wine was
 * asked for this one: the directory of 32-bit programs is none to it that Wine's own would come
 * before. */
static BOOL is_plain_wine(void)
{
    HMODULE iphlpapi = LoadLibraryExW(L"iphlpapi.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);

    return !iphlpapi || !GetProcAddress(iphlpapi, "CreatePersistentTcpPortReservation");
}

int wmain(int argc, WCHAR **argv)
{
    struct session session = {0};
    struct options options = {0};
    int taken = options_take(&options, argv + 1, argc - 1);

    if (is_plain_wine())
    {
        report_unknown((const WCHAR *const *)argv, argc);
        return 0;
    }
    if (taken == -1)
    {
        help_print(NETSH_TOPIC_ROOT);
        return 1;
    }
    /* Another computer's ports are nothing that could be done here, and a prompt is nothing that a
     * script could answer. */
    if (options.remote || (taken == argc - 1 && !options.script))
    {
        report_unknown((const WCHAR *const *)argv, argc);
        return 0;
    }
    if (options.context) session_run_line(&session, options.context, wcslen(options.context));
    if (options.script) session_run_script(&session, options.script);
    if (taken < argc - 1)
        session_run(&session, (const WCHAR *const *)argv + 1 + taken, argc - 1 - taken);
    return session.failed;
}
