/*
 * show: shows the reserved ports of a prefix; the part of tawny show that runs on the host
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "files.h"
#include "hivefile.h"
#include "document.h"
#include "listing.h"
#include "map.h"
#include "report.h"
#include "screen.h"
#include "stored.h"
#include "view.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "dlls/portpool/unix/hive.h"

#define HIVE    "system.reg"
#define JOURNAL "portpool.journal"

struct options
{
    const char *prefix;
    enum view_state state;
    bool json;
    enum unix_protocol protocol; /* UNIX_OTHER: both */
};

static const struct
{
    const char *word;
    enum view_state state;
} states[] = {
    {"stopped", VIEW_STOPPED},           {"without-tawny", VIEW_WITHOUT_TAWNY},
    {"running", VIEW_RUNNING},           {"started-without-tawny", VIEW_STARTED_WITHOUT_TAWNY},
    {"another-user", VIEW_ANOTHER_USER}, {"no-wine", VIEW_NO_WINE},
};

static void usage(FILE *file)
{
    fputs("Usage: show [--json] [--tcp | --udp] [--state STATE] PREFIX\n"
          "Shows the reserved ports of a Wine prefix. It is called by tawny show, which says\n"
          "more about the output.\n"
          "\n"
          "  STATE    what is known of the prefix:\n"
          "    stopped                  no Wine process runs in it (the default)\n"
          "    without-tawny            nor is Tawny there\n"
          "    running                  one does; what ports.exe prints of it comes in\n"
          "    started-without-tawny    the same, and the service PortPool cannot run\n"
          "    another-user             its owner would know\n"
          "    no-wine                  a Wine would know\n"
          "\n"
          "Exit code: 0 for success, 1 for failure, 2 for wrong arguments.\n",
          file);
}

static int fail(const char *before, const char *what, const char *after)
{
    fprintf(stderr, "tawny: %s%s%s\n", before, what, after);
    return 1;
}

static int usage_error(const char *before, const char *what, const char *after)
{
    fail(before, what, after);
    return 2;
}

static bool parse_state(const char *word, enum view_state *state)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
    {
        if (strcmp(word, states[i].word)) continue;
        *state = states[i].state;
        return true;
    }
    return false;
}

/* -1 if the program is to go on, else its exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"json", no_argument, NULL, 'j'}, {"tcp", no_argument, NULL, 't'},
        {"udp", no_argument, NULL, 'u'},  {"state", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;

    opterr = 0;
    *options = (struct options){.protocol = UNIX_OTHER};
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
    {
        switch (option)
        {
        case 'j':
            options->json = true;
            break;
        case 't':
        case 'u':
            if (options->protocol != UNIX_OTHER)
                return usage_error("", "--tcp and --udp", " together are not possible.");
            options->protocol = option == 't' ? UNIX_TCP : UNIX_UDP;
            break;
        case 's':
            if (!parse_state(optarg, &options->state))
                return usage_error("there is no state ", optarg, ".");
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return usage_error("show has no option ", argv[optind - 1], ".");
        }
    }
    if (argc - optind != 1) return usage_error("", "show", " needs one prefix.");
    options->prefix = argv[optind];
    return -1;
}

static void take_value(const struct hivefile_value *value, void *context)
{
    stored_add_value(context, value->protocol, value->name, value->length, value->is_range_data);
}

/* Takes what the hive file has; 0, or the exit code. */
static int read_hive(const char *prefix, struct stored *stored, uint64_t *generation)
{
    struct file hive;
    bool success;

    if (!file_read(prefix, HIVE, &hive))
    {
        if (errno == ENOENT)
            return fail("", prefix, " is not a Wine prefix, as it has no system.reg.");
        if (errno == EACCES)
            return fail("you may not read ", prefix,
                        "/system.reg; change its permissions, or run tawny show as its owner.");
        return fail("system.reg of ", prefix, " cannot be read.");
    }
    *generation = hive_generation(hive.bytes, hive.length);
    success = hivefile_visit(hive.bytes, hive.length, take_value, stored);
    free(hive.bytes);
    return success ? 0 : fail("system.reg of ", prefix, " is not the registry of a Wine prefix.");
}

/* The journal is read before the hive file: what is taken out of it since is in that. */
static bool read_journal(const char *prefix, struct file *journal)
{
    static char nothing[1];

    if (file_read(prefix, JOURNAL, journal)) return true;
    *journal = (struct file){.bytes = nothing};
    return errno == ENOENT;
}

static int collect(const struct options *options, struct stored *stored, struct report *report)
{
    uint64_t generation = 0;
    struct file journal;
    int code = 0;

    if (!read_journal(options->prefix, &journal))
        return fail("portpool.journal of ", options->prefix,
                    " cannot be read; ask its owner to make it readable.");
    if (!report)
        code = read_hive(options->prefix, stored, &generation);
    else if (report_read(stdin, report, stored))
        generation = report->generation;
    else
        code = fail("the programs of ", options->prefix,
                    " cannot be asked; see tawny doctor, or try again.");
    /* What a holder that runs has done, the registry has, too. */
    if (!code && (!report || !report->holder))
        stored_replay(stored, journal.bytes, journal.length, generation);
    if (journal.length) free(journal.bytes);
    return code;
}

static int write_view(const struct options *options, const struct view *view)
{
    struct screen screen;

    if (options->json)
    {
        document_write(stdout, view);
    }
    else
    {
        screen_open(&screen);
        listing_write(&screen, view);
        if (utarray_len(&view->ranges)) fputc('\n', stdout);
        map_draw(&screen, view);
    }
    if (!fflush(stdout) && !ferror(stdout)) return 0;
    return fail("", "the output", " cannot be written.");
}

int main(int argc, char **argv)
{
    struct options options;
    struct report report = {0};
    struct stored stored;
    struct view view;
    bool asked;
    int code;

    setlocale(LC_CTYPE, "");
    if ((code = parse_options(argc, argv, &options)) != -1) return code;
    asked = options.state == VIEW_RUNNING || options.state == VIEW_STARTED_WITHOUT_TAWNY;
    stored_init(&stored);
    if (!(code = collect(&options, &stored, asked ? &report : NULL)))
    {
        view_make(&view, options.prefix, options.state, &stored, asked ? &report : NULL);
        if (options.protocol != UNIX_OTHER) view_keep(&view, options.protocol);
        code = write_view(&options, &view);
        view_free(&view);
    }
    if (asked) report_free(&report);
    stored_free(&stored);
    return code;
}
