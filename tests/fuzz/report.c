/*
 * Fuzzing of what tawny show reads of a running prefix, and of how it makes strange texts harmless
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is what ports.exe, or whatever is in its place, prints.
 */
#include "tools/show/report.h"

#include "fuzz.h"
#include "tools/show/text.h"

/* Text that has been made valid is so, whoever asks; shown, it does nothing to a terminal. */
static void check_text(const char *bytes)
{
    char *valid = text_valid(bytes), *again = text_valid(valid);
    char *shown = text_shown(valid, true);

    must(!strcmp(valid, again), "the text was not valid yet");
    must(!*valid == !*bytes, "the text is lost");
    for (const char *next = shown; *next; next++)
        must(*next >= ' ' && *next <= '~', "%#x is shown", (unsigned char)*next);
    must(text_width(shown) == strlen(shown), "%zu columns", text_width(shown));
    free(shown);
    shown = text_shown(bytes, false);
    for (const char *next = shown; *next; next++)
        must((unsigned char)*next >= ' ' && *next != 0x7f, "%#x is shown", *next);
    free(shown);
    free(again);
    free(valid);
}

static void check_ranges(const struct report *report)
{
    for (unsigned int i = 0; i < utarray_len(&report->ranges); i++)
    {
        const struct report_range *range = array_at(struct report_range, &report->ranges, i);

        must(range->protocol <= UNIX_UDP && range->kind <= REPORT_SUSPENDED, "protocol %d, kind %d",
             range->protocol, range->kind);
        must(range->ports.start && range->ports.count &&
                 range->ports.start + range->ports.count <= 65536,
             "%u ports from %u", range->ports.count, range->ports.start);
    }
    for (unsigned int i = 0; i < utarray_len(&report->uses); i++)
    {
        const struct report_use *use = array_at(struct report_use, &report->uses, i);

        must(use->protocol <= UNIX_UDP && use->port, "port %u of protocol %d", use->port,
             use->protocol);
    }
}

/* A process is found by its number, by none of 0. */
static void check_processes(const struct report *report)
{
    must(!report_find(report, 0), "there is a process 0");
    for (unsigned int i = 0; i < utarray_len(&report->processes); i++)
    {
        const struct report_process *process =
            array_at(struct report_process, &report->processes, i);

        must(!process->process || report_find(report, process->process), "process %u is lost",
             process->process);
        check_text(process->path);
    }
}

/* What comes after the end is not looked at. */
static bool read_report(const uint8_t *bytes, size_t size, const char *more, struct report *report,
                        struct stored *stored)
{
    char *text = fuzz_allocate(size + strlen(more) + 1);
    FILE *file;
    bool whole;

    if (size) memcpy(text, bytes, size);
    strcpy(text + size, more);
    /* One byte more than an empty text has: there is no file of none. */
    file = fmemopen(text, size + strlen(more) + 1, "r");
    must(file, "no memory");
    stored_init(stored);
    whole = report_read(file, report, stored);
    fclose(file);
    free(text);
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct report report, again;
    struct stored stored, stored_again;
    bool whole = read_report(bytes, size, "", &report, &stored);

    check_ranges(&report);
    check_processes(&report);
    if (whole)
    {
        must(read_report(bytes, size, "\nrange\tudp\t0\nend\n", &again, &stored_again),
             "the report is not whole any more");
        must(utarray_len(&again.ranges) == utarray_len(&report.ranges) &&
                 utarray_len(&stored_again.ranges) == utarray_len(&stored.ranges),
             "there are more ranges now");
        report_free(&again);
        stored_free(&stored_again);
    }
    report_free(&report);
    stored_free(&stored);
    return 0;
}
