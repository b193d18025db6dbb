/*
 * What a running prefix says of its ports
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_VERSION 1

static const UT_icd process_icd = {sizeof(struct report_process), NULL, NULL, NULL};
static const UT_icd range_icd = {sizeof(struct report_range), NULL, NULL, NULL};
static const UT_icd use_icd = {sizeof(struct report_use), NULL, NULL, NULL};

struct reading
{
    struct report *report;
    struct stored *stored;
    char *fields; /* what is left of the line */
    bool begun;
    bool ended;
};

/* Takes the next field of the line; NULL if there is none. */
static char *field(struct reading *reading)
{
    return reading->fields ? strsep(&reading->fields, "\t") : NULL;
}

static bool field_number(struct reading *reading, uint64_t limit, uint64_t *number)
{
    const char *text = field(reading);
    char *end;

    if (!text || *text < '0' || *text > '9') return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !errno && !*end && *number <= limit;
}

/* Takes one of these words; its number, -1 if it is another. */
static int field_word(struct reading *reading, const char *const *words, int count)
{
    const char *text = field(reading);

    for (int i = 0; text && i < count; i++)
        if (!strcmp(text, words[i])) return i;
    return -1;
}

static bool field_protocol(struct reading *reading, enum unix_protocol *protocol)
{
    static const char *const words[] = {[UNIX_TCP] = "tcp", [UNIX_UDP] = "udp"};
    int word = field_word(reading, words, 2);

    *protocol = word;
    return word != -1;
}

static bool field_process(struct reading *reading, uint32_t *process)
{
    uint64_t number;

    if (!field_number(reading, UINT32_MAX, &number)) return false;
    *process = number;
    return true;
}

/* Takes a name of UTF-16 units, to be freed; NULL if it is none. */
static uint16_t *field_units(struct reading *reading, uint32_t *length)
{
    const char *text = field(reading);
    uint16_t *units;

    if (!text || strlen(text) % 4 || strspn(text, "0123456789abcdef") != strlen(text)) return NULL;
    *length = strlen(text) / 4;
    units = memory_allocate(*length * sizeof(*units) + 1);
    for (uint32_t i = 0; i < *length; i++)
    {
        const char digits[] = {text[4 * i], text[4 * i + 1], text[4 * i + 2], text[4 * i + 3], 0};

        units[i] = strtoul(digits, NULL, 16);
    }
    return units;
}

static bool read_ports(struct reading *reading)
{
    uint64_t version;

    reading->begun = field_number(reading, UINT32_MAX, &version) && version == REPORT_VERSION;
    return reading->begun;
}

static bool read_pool(struct reading *reading)
{
    reading->report->has_pool = true;
    return true;
}

static bool read_generation(struct reading *reading)
{
    return field_number(reading, UINT64_MAX, &reading->report->generation);
}

static bool read_value(struct reading *reading)
{
    static const char *const words[] = {"bad", "good"};
    enum unix_protocol protocol;
    uint32_t length;
    uint16_t *name;
    int data;

    if (!field_protocol(reading, &protocol)) return false;
    if ((data = field_word(reading, words, 2)) == -1) return false;
    if (!(name = field_units(reading, &length))) return false;
    stored_add_value(reading->stored, protocol, name, length, data);
    free(name);
    return true;
}

static bool read_process(struct reading *reading)
{
    struct report_process process;
    const char *path;

    if (!field_process(reading, &process.process) || !field_process(reading, &process.host))
        return false;
    if (!(path = field(reading))) return false;
    if (!(process.path = strdup(path))) memory_fail();
    utarray_push_back(&reading->report->processes, &process);
    return true;
}

static bool read_holder(struct reading *reading)
{
    return field_process(reading, &reading->report->holder);
}

static bool read_range(struct reading *reading)
{
    static const char *const kinds[] = {[REPORT_BLOCK] = "block",
                                        [REPORT_PERSISTENT] = "persistent",
                                        [REPORT_ACTIVE] = "active",
                                        [REPORT_SUSPENDED] = "suspended"};
    struct report_range range;
    uint64_t start, count, held;
    int kind;

    if (!field_protocol(reading, &range.protocol) || !field_number(reading, 65535, &start) ||
        !field_number(reading, 65535, &count) || (kind = field_word(reading, kinds, 4)) == -1 ||
        !field_number(reading, 1, &held) || !field_process(reading, &range.process))
        return false;
    if (!start || !count || start + count > 65536) return false;
    range.ports = (struct range_name){.start = start, .count = count};
    range.kind = kind;
    range.held = held;
    utarray_push_back(&reading->report->ranges, &range);
    return true;
}

static bool read_use(struct reading *reading)
{
    struct report_use use;
    uint64_t port;

    if (!field_protocol(reading, &use.protocol) || !field_number(reading, 65535, &port) || !port ||
        !field_process(reading, &use.process))
        return false;
    use.port = port;
    utarray_push_back(&reading->report->uses, &use);
    return true;
}

static bool read_end(struct reading *reading)
{
    reading->ended = true;
    return true;
}

static const struct
{
    const char *keyword;
    bool (*read)(struct reading *reading);
} lines[] = {
    {"ports", read_ports}, {"pool", read_pool},       {"generation", read_generation},
    {"value", read_value}, {"process", read_process}, {"holder", read_holder},
    {"range", read_range}, {"use", read_use},         {"end", read_end},
};

/* False if the line is one of ours and not well formed. */
static bool read_line(struct reading *reading, char *line)
{
    const char *keyword;

    line[strcspn(line, "\r\n")] = 0;
    reading->fields = line;
    keyword = field(reading);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
    {
        if (strcmp(keyword, lines[i].keyword)) continue;
        if (!reading->begun && lines[i].read != read_ports) return false;
        return lines[i].read(reading);
    }
    return true;
}

bool report_read(FILE *file, struct report *report, struct stored *stored)
{
    struct reading reading = {.report = report, .stored = stored};
    bool success = true;
    char *line = NULL;
    size_t size = 0;

    *report = (struct report){0};
    utarray_init(&report->processes, &process_icd);
    utarray_init(&report->ranges, &range_icd);
    utarray_init(&report->uses, &use_icd);
    while (success && !reading.ended && getline(&line, &size, file) != -1)
        success = read_line(&reading, line);
    free(line);
    return success && reading.ended;
}

void report_free(struct report *report)
{
    for (unsigned int i = 0; i < utarray_len(&report->processes); i++)
        free(array_at(struct report_process, &report->processes, i)->path);
    utarray_done(&report->processes);
    utarray_done(&report->ranges);
    utarray_done(&report->uses);
}

const struct report_process *report_find(const struct report *report, uint32_t process)
{
    for (unsigned int i = 0; process && i < utarray_len(&report->processes); i++)
    {
        const struct report_process *found = array_at(struct report_process, &report->processes, i);

        if (found->process == process) return found;
    }
    return NULL;
}
