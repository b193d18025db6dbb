/*
 * Fuzzing of reading what Wine writes: values of any names and data, in the form of its hive file
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input says what is in the registry. Of each value the first byte says in which key it is and
 * of what type, then come its name and its data, each after its length. Both readers of the file
 * must find all that is theirs in it, as it is, and nothing else.
 */
#include "tools/show/hivefile.h"

#include <ctype.h>
#include <inttypes.h>

#include "dlls/portpool/rangename.h"
#include "dlls/portpool/unix/hive.h"
#include "fuzz.h"

#define VALUES_MOST 24
#define NAME_MOST   31
#define DATA_MOST   63

/* Where Wine breaks a line of bytes. */
#define LINE_WIDTH 76

enum key
{
    KEY_TCP,
    KEY_UDP,
    KEY_PARAMETERS,
    KEY_ELSEWHERE,
    KEYS,
};

/* As they are written; keys of names that want escapes are nobody's. */
static const char *const key_names[KEYS] = {
    [KEY_TCP] = "Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\\\29",
    [KEY_UDP] = "Control\\\\Nsi\\\\{eb004a02-9b1a-11d4-9123-0050047759bc}\\\\5",
    [KEY_PARAMETERS] = "Services\\\\PortPool\\\\Parameters",
    [KEY_ELSEWHERE] = "Control\\\\Nsi\\\\\\[{eb004a02-9b1a-11d4-9123-0050047759bc}\\]\\\\5",
};

enum type
{
    TYPE_BINARY,
    TYPE_TEXT,
    TYPE_DWORD,
    TYPE_QWORD,
    TYPES,
};

struct value
{
    enum key key;
    enum type type;
    uint16_t name[NAME_MOST];
    uint32_t name_length;
    uint8_t data[DATA_MOST];
    uint32_t data_length;
};

struct registry
{
    struct value values[VALUES_MOST];
    unsigned int count;
    bool linked; /* as newer Wines have the current control set */
    unsigned int visited;
};

/* Registry values' names have no zeros; the rest goes as it comes. */
static void value_take(struct value *value, struct input *input)
{
    uint8_t what = input_byte(input);

    value->key = what % KEYS;
    value->type = what / KEYS % TYPES;
    value->name_length = input_byte(input) % (NAME_MOST + 1);
    for (uint32_t i = 0; i < value->name_length; i++)
    {
        value->name[i] = what & 0x80 ? input_short(input) : input_byte(input);
        if (!value->name[i]) value->name[i] = '0';
    }
    value->data_length = input_byte(input) % (DATA_MOST + 1);
    for (uint32_t i = 0; i < value->data_length; i++) value->data[i] = input_byte(input);
}

/* The rest is as it is in the server of Wine that writes the file. */
static void write_unit(FILE *file, uint16_t unit, uint16_t next)
{
    static const char escapes[33] = ".......abtnvfr.............e....";

    if (unit > 127)
        fprintf(file, next < 128 && isxdigit(next) ? "\\x%04x" : "\\x%x", unit);
    else if (unit < 32 && escapes[unit] != '.')
        fprintf(file, "\\%c", escapes[unit]);
    else if (unit < 32)
        fprintf(file, next >= '0' && next <= '7' ? "\\%03o" : "\\%o", unit);
    else
        fprintf(file, unit == '\\' || unit == '"' ? "\\%c" : "%c", unit);
}

static int write_name(FILE *file, const struct value *value)
{
    long before = ftell(file);

    fputc('"', file);
    for (uint32_t i = 0; i < value->name_length; i++)
        write_unit(file, value->name[i], i + 1 < value->name_length ? value->name[i + 1] : 0);
    fputs("\"=", file);
    return ftell(file) - before;
}

static void write_bytes(FILE *file, const uint8_t *bytes, uint32_t length, int column)
{
    for (uint32_t i = 0; i < length; i++)
    {
        column += fprintf(file, "%02x", bytes[i]);
        if (i + 1 == length) break;
        fputc(',', file);
        if (++column <= LINE_WIDTH) continue;
        fputs("\\\n  ", file);
        column = 2;
    }
}

static void write_value(FILE *file, const struct value *value)
{
    int column = write_name(file, value);

    switch (value->type)
    {
    case TYPE_TEXT:
        fputc('"', file);
        for (uint32_t i = 0; i < value->data_length; i++)
            if (value->data[i]) write_unit(file, value->data[i], 0x80);
        fputc('"', file);
        break;
    case TYPE_DWORD:
        fprintf(file, "dword:%02x0000%02x", value->data[0], value->data[1]);
        break;
    case TYPE_BINARY:
    case TYPE_QWORD:
    case TYPES:
        column += fprintf(file, value->type == TYPE_QWORD ? "hex(b):" : "hex:");
        write_bytes(file, value->data, value->data_length, column);
        break;
    }
    fputc('\n', file);
}

static void write_link(FILE *file)
{
    static const char target[] = "\\REGISTRY\\Machine\\System\\ControlSet001";
    uint8_t bytes[2 * sizeof(target)] = {0};

    for (size_t i = 0; i < sizeof(target) - 1; i++) bytes[2 * i] = target[i];
    fputs("\n[System\\\\CurrentControlSet] 1\n#time=1\n#link\n", file);
    write_bytes(file, bytes, 2 * (sizeof(target) - 1),
                fprintf(file, "\"SymbolicLinkValue\"=hex(6):"));
    fputc('\n', file);
}

/* Writes the file; its text is to be freed. */
static char *registry_write(const struct registry *registry, size_t *length)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, length);

    must(file, "no memory");
    fputs("WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\Machine\n\n#arch=win64\n",
          file);
    for (unsigned int i = 0; i < registry->count; i++)
    {
        fprintf(file, "\n[System\\\\%s\\\\%s] 1\n#time=1dd7ff99256ead8\n",
                registry->linked ? "ControlSet001" : "CurrentControlSet",
                key_names[registry->values[i].key]);
        write_value(file, &registry->values[i]);
    }
    if (registry->linked) write_link(file);
    fclose(file);
    return text;
}

static void visit(const struct hivefile_value *found, void *context)
{
    struct registry *registry = context;
    const struct value *value;
    bool good;

    while (registry->visited < registry->count && registry->values[registry->visited].key > KEY_UDP)
        registry->visited++;
    must(registry->visited < registry->count, "a value too many");
    value = &registry->values[registry->visited++];
    good = value->type == TYPE_BINARY && value->data_length == RANGE_DATA_SIZE;
    must(found->protocol == (value->key == KEY_TCP ? UNIX_TCP : UNIX_UDP), "protocol %d",
         found->protocol);
    must(found->length == value->name_length &&
             !memcmp(found->name, value->name, found->length * sizeof(*found->name)),
         "the name is another");
    must(found->is_range_data == good, "the data is good: %d", found->is_range_data);
}

static bool value_is_generation(const struct value *value)
{
    static const char name[] = "generation";

    if (value->key != KEY_PARAMETERS || value->type != TYPE_QWORD) return false;
    if (value->data_length != sizeof(uint64_t) || value->name_length != sizeof(name) - 1)
        return false;
    for (uint32_t i = 0; i < value->name_length; i++)
        if (value->name[i] > 127 || tolower(value->name[i]) != name[i]) return false;
    return true;
}

/* Of several, the lowest: there is only one in a registry. */
static void check_generation(const struct registry *registry, const char *text, size_t length)
{
    uint64_t expected = UINT64_MAX, number, found = hive_generation(text, length);
    bool given = false;

    for (unsigned int i = 0; i < registry->count; i++)
    {
        const struct value *value = &registry->values[i];

        if (!value_is_generation(value)) continue;
        number = 0;
        for (unsigned int j = sizeof(number); j--;) number = number << 8 | value->data[j];
        if (number < expected) expected = number;
        given = true;
    }
    must(found == (given ? expected : 0), "generation %" PRIu64, found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct registry registry = {.linked = input_byte(&input) % 2};
    size_t length;
    char *text;

    while (input.left && registry.count < VALUES_MOST)
        value_take(&registry.values[registry.count++], &input);
    text = registry_write(&registry, &length);
    must(hivefile_visit(text, length, visit, &registry), "not a hive");
    for (; registry.visited < registry.count; registry.visited++)
        must(registry.values[registry.visited].key > KEY_UDP, "a value was not visited");
    check_generation(&registry, text, length);
    free(text);
    return 0;
}
