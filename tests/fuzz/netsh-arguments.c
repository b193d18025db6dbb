/*
 * Fuzzing of what netsh's commands mean
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is a script: a command a line.
 */
#include "tools/netsh/arguments.h"

#include "fuzz.h"

#define WORDS_MOST 24

/* A line that has been split into words. */
struct words
{
    char16_t *room;
    size_t size;
    const char16_t *words[WORDS_MOST];
    int count;
};

static size_t word_length(const char16_t *word)
{
    size_t length = 0;

    while (word[length]) length++;
    return length;
}

static void words_split(struct words *words, const char16_t *line, size_t length)
{
    words->size = length + 1;
    words->room = fuzz_allocate(words->size * sizeof(*words->room));
    words->count = netsh_split(line, length, words->room, words->words, WORDS_MOST);
    must(words->count >= -1 && words->count <= WORDS_MOST, "%d words", words->count);
    for (int i = 0; i < words->count; i++)
        must(words->words[i] >= words->room &&
                 words->words[i] + word_length(words->words[i]) < words->room + words->size,
             "word %d is somewhere else", i);
}

/* What was split, written with quotes, is split into the same again. */
static void check_quoted(const struct words *words)
{
    char16_t *line = fuzz_allocate((3 * words->size + 3 * WORDS_MOST) * sizeof(*line));
    struct words again;
    size_t length = 0;

    for (int i = 0; i < words->count; i++)
    {
        line[length++] = '"';
        for (const char16_t *next = words->words[i]; *next; next++) line[length++] = *next;
        line[length++] = '"';
        line[length++] = i % 2 ? ' ' : '\t';
    }
    words_split(&again, line, length);
    must(again.count == words->count, "%d words became %d", words->count, again.count);
    for (int i = 0; i < words->count; i++)
        must(!memcmp(again.words[i], words->words[i],
                     (word_length(words->words[i]) + 1) * sizeof(char16_t)),
             "word %d has changed", i);
    free(again.room);
    free(line);
}

static bool command_is_same(const struct netsh_command *one, const struct netsh_command *other)
{
    return one->action == other->action && one->topic == other->topic &&
           one->protocol == other->protocol && one->store == other->store &&
           one->start == other->start && one->count == other->count &&
           one->argument == other->argument && one->culprit_length == other->culprit_length;
}

/* Letters' case does not matter. */
static void check_upper_case(const struct words *words, const struct netsh_place *before,
                             const struct netsh_place *after, const struct netsh_command *command)
{
    struct netsh_place place = *before;
    struct netsh_command again;

    for (size_t i = 0; i < words->size; i++)
        if (words->room[i] >= 'a' && words->room[i] <= 'z') words->room[i] += 'A' - 'a';
    netsh_parse(&place, words->words, words->count, &again);
    must(command_is_same(command, &again), "action %d is %d in upper case", command->action,
         again.action);
    must(place.context == after->context && place.depth == after->depth,
         "the context is another in upper case");
}

/* Says whether a text is this number in decimal. */
static bool text_is_number(const char16_t *text, uint16_t number)
{
    uint64_t value = 0;

    if (!*text) return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (value <= UINT16_MAX) value = value * 10 + *text - '0';
    return !*text && value == number;
}

/* Says whether a word, or what stands behind the "=" in one, is this number. */
static bool words_have_number(const struct words *words, uint16_t number)
{
    for (int i = 0; i < words->count; i++)
    {
        const char16_t *equals = words->words[i];

        if (text_is_number(equals, number)) return true;
        while (*equals && *equals != '=') equals++;
        if (*equals && text_is_number(equals + 1, number)) return true;
    }
    return false;
}

/* What is done means the same written out at length. */
static void check_accepted(const struct words *words, const struct netsh_command *command)
{
    static const char *const stores[] = {
        [NETSH_STORE_DEFAULT] = "", [NETSH_ACTIVE] = "active", [NETSH_PERSISTENT] = "persistent"};
    struct netsh_place place = {0};
    struct netsh_command again;
    struct words full;
    char16_t line[160];
    char text[160];
    int length;

    must(command->protocol == NETSH_TCP || command->protocol == NETSH_UDP, "protocol %d",
         command->protocol);
    must(command->store <= NETSH_PERSISTENT, "store %d", command->store);
    must(words_have_number(words, command->start), "nobody said start %u", command->start);
    must(words_have_number(words, command->count), "nobody said count %u", command->count);
    length = snprintf(text, sizeof(text),
                      "interface ipv4 %s excludedportrange numberofports=%u startport= %u "
                      "protocol =%s %s",
                      command->action == NETSH_ADD_EXCLUDED ? "add" : "delete", command->count,
                      command->start, command->protocol == NETSH_TCP ? "tcp" : "udp",
                      stores[command->store]);
    for (int i = 0; i < length; i++) line[i] = (unsigned char)text[i];
    words_split(&full, line, length);
    netsh_parse(&place, full.words, full.count, &again);
    must(command_is_same(command, &again), "action %d at length is %d", command->action,
         again.action);
    free(full.room);
}

/* What a complaint is about lies in the words, and is known by its name. */
static void check_complaint(const struct words *words, const struct netsh_command *command)
{
    bool has_name = command->action == NETSH_BAD_VALUE || command->action == NETSH_TWICE ||
                    command->action == NETSH_MISSING;

    must(command->action <= NETSH_MISSING && command->topic <= NETSH_TOPIC_SHOW_DYNAMIC,
         "action %d about %d", command->action, command->topic);
    must(!command->argument == !has_name, "action %d about argument %s", command->action,
         command->argument ? command->argument : "none");
    must(command->culprit || !command->culprit_length, "no culprit of %zu characters",
         command->culprit_length);
    if (!command->culprit) return;
    must(command->culprit >= words->room &&
             command->culprit + command->culprit_length < words->room + words->size,
         "the culprit is somewhere else");
}

static void check_line(const char16_t *line, size_t length, struct netsh_place *place)
{
    struct netsh_place before = *place;
    struct netsh_command command;
    struct words words;

    words_split(&words, line, length);
    if (words.count != -1)
    {
        check_quoted(&words);
        netsh_parse(place, words.words, words.count, &command);
        must(place->context <= NETSH_ELSEWHERE, "context %d", place->context);
        check_complaint(&words, &command);
        if (command.action == NETSH_ADD_EXCLUDED || command.action == NETSH_DELETE_EXCLUDED)
            check_accepted(&words, &command);
        check_upper_case(&words, &before, place, &command);
    }
    free(words.room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct units script = input_units(&input);
    struct netsh_place place = {0};

    for (size_t start = 0, end; start < script.length; start = end + 1)
    {
        char16_t *line;

        for (end = start; end < script.length && script.units[end] != '\n';) end++;
        line = fuzz_allocate((end - start) * sizeof(*line));
        for (size_t i = start; i < end; i++) line[i - start] = script.units[i];
        check_line(line, end - start, &place);
        free(line);
    }
    free(script.units);
    return 0;
}
