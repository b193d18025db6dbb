/*
 * Tests of what netsh's commands mean
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "test.h"
#include "tools/netsh/arguments.h"

#define WORDS_MOST 64

/* A line in UTF-16, in memory of just its size; the words that it has been split into. */
struct line
{
    char16_t *text;
    size_t length;
    char16_t *room;
    const char16_t *words[WORDS_MOST];
    int count;
};

static void line_split(struct line *line, unsigned int most)
{
    line->room = malloc((line->length + 1) * sizeof(*line->room));
    line->count = netsh_split(line->text, line->length, line->room, line->words, most);
}

static struct line line_of(const char *text)
{
    struct line line = {.length = strlen(text)};

    line.text = malloc(line.length * sizeof(*line.text) + 1);
    for (size_t i = 0; i < line.length; i++) line.text[i] = (unsigned char)text[i];
    line_split(&line, WORDS_MOST);
    return line;
}

static void line_free(struct line *line)
{
    free(line->text);
    free(line->room);
}

static bool text_is(const char16_t *text, size_t length, const char *expected)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != (unsigned char)expected[i]) return false;
    return !expected[length];
}

static bool word_is(const char16_t *word, const char *expected)
{
    size_t length = 0;

    while (word[length]) length++;
    return text_is(word, length, expected);
}

/* The words are one text, with bars between them; ~ is one without characters. */
#define check_split(text, words) check_split_(__LINE__, text, words)
static void check_split_(int line_number, const char *text, const char *words)
{
    struct line line = line_of(text);
    char *copy = strdup(words), *next = copy;
    int i = 0;

    for (char *word; (word = strsep(&next, "|")) && *words; i++)
        ok_(__FILE__, line_number,
            i < line.count && word_is(line.words[i], *word == '~' ? "" : word),
            "word %d of [%s] is not [%s]", i, text, word);
    ok_(__FILE__, line_number, line.count == (*words ? i : 0), "[%s] has %d words", text,
        line.count);
    free(copy);
    line_free(&line);
}

static void test_split(void)
{
    struct line line;

    check_split("", "");
    check_split("  \t ", "");
    check_split("a", "a");
    check_split(" a\t\tbc ", "a|bc");
    check_split("\"a b\" c", "a b|c");
    check_split("a=\"b c\" d", "a=b c|d");
    check_split("a\"b\"c", "abc");
    check_split("\"a b", "a b");
    check_split("\"\"", "~");
    check_split("a \"\" b", "a|~|b");

    line = line_of("");
    line_free(&line);
    line.text = malloc(6);
    memcpy(line.text, u"a b", 6);
    line.length = 3;
    line_split(&line, 1);
    ok(line.count == -1, "two words are %d", line.count);
    line_free(&line);
}

/* Parses one command at the root. */
static struct netsh_command parse(const char *text)
{
    struct netsh_place place = {0};
    struct line line = line_of(text);
    struct netsh_command command;

    netsh_parse(&place, line.words, line.count, &command);
    /* They point into the words. */
    command.culprit = NULL;
    line_free(&line);
    return command;
}

struct expectation
{
    const char *text;
    enum netsh_action action;
    enum netsh_protocol protocol;
    uint16_t start;
    uint16_t count;
    enum netsh_store store;
};

static void test_commands(void)
{
    static const struct expectation expectations[] = {
        {"interface ipv4 add excludedportrange tcp 5000 2", NETSH_ADD_EXCLUDED, NETSH_TCP, 5000, 2,
         NETSH_STORE_DEFAULT},
        {"interface ipv4 add excludedportrange tcp 5000 2 active", NETSH_ADD_EXCLUDED, NETSH_TCP,
         5000, 2, NETSH_ACTIVE},
        {"interface ipv6 add excludedportrange udp 1 65535 persistent", NETSH_ADD_EXCLUDED,
         NETSH_UDP, 1, 65535, NETSH_PERSISTENT},
        {"int ip add ex store=active num=7 start=9 prot=udp", NETSH_ADD_EXCLUDED, NETSH_UDP, 9, 7,
         NETSH_ACTIVE},
        {"i i a e startport=9 tcp 7 p", NETSH_ADD_EXCLUDED, NETSH_TCP, 9, 7, NETSH_PERSISTENT},
        {"I IPV A E TCP 0009 00007", NETSH_ADD_EXCLUDED, NETSH_TCP, 9, 7, NETSH_STORE_DEFAULT},
        {"i i a e protocol = tcp startport= 9 numberofports =7 store =active", NETSH_ADD_EXCLUDED,
         NETSH_TCP, 9, 7, NETSH_ACTIVE},
        {"i i a e \"protocol=tcp\" 0 0", NETSH_ADD_EXCLUDED, NETSH_TCP, 0, 0, NETSH_STORE_DEFAULT},
        {"int ipv4 delete excludedportrange u 65535 1", NETSH_DELETE_EXCLUDED, NETSH_UDP, 65535, 1,
         NETSH_STORE_DEFAULT},
        {"int ipv6 d e t 80 1 a", NETSH_DELETE_EXCLUDED, NETSH_TCP, 80, 1, NETSH_ACTIVE},
        {"int ip show excludedportrange tcp", NETSH_SHOW_EXCLUDED, NETSH_TCP, 0, 0,
         NETSH_STORE_DEFAULT},
        {"int ip sh ex s=per p=udp", NETSH_SHOW_EXCLUDED, NETSH_UDP, 0, 0, NETSH_PERSISTENT},
        {"int ip sh dy udp active", NETSH_SHOW_DYNAMIC, NETSH_UDP, 0, 0, NETSH_ACTIVE},
    };

    for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++)
    {
        const struct expectation *expected = &expectations[i];
        struct netsh_command command = parse(expected->text);

        ok(command.action == expected->action, "[%s]: action %u, expected %u", expected->text,
           command.action, expected->action);
        ok(command.protocol == expected->protocol && command.start == expected->start &&
               command.count == expected->count && command.store == expected->store,
           "[%s]: protocol %u, %u ports from %u, store %u", expected->text, command.protocol,
           command.count, command.start, command.store);
    }
}

static void test_actions(void)
{
    static const struct
    {
        const char *text;
        enum netsh_action action;
    } expectations[] = {
        {"", NETSH_NOTHING},
        {"# int ipv4 add excludedportrange tcp 5000 2", NETSH_NOTHING},
        {"interface", NETSH_NOTHING},
        {"interface ipv6", NETSH_NOTHING},
        {"..", NETSH_NOTHING},
        {"pushd interface ipv4", NETSH_NOTHING},
        {"popd", NETSH_NOTHING},
        {"bye", NETSH_LEAVE},
        {"QUIT", NETSH_LEAVE},
        {"exit", NETSH_LEAVE},
        {"exec file", NETSH_SCRIPT},
        {"exec", NETSH_HELP},
        {"?", NETSH_HELP},
        {"help", NETSH_HELP},
        {"interface /?", NETSH_HELP},
        {"interface help", NETSH_HELP},
        {"interface ip -?", NETSH_HELP},
        {"interface ip help", NETSH_HELP},
        {"interface ip add", NETSH_HELP},
        {"interface ip add ?", NETSH_HELP},
        {"interface ip set", NETSH_HELP},

        {"dump", NETSH_UNKNOWN},
        {"winsock reset", NETSH_UNKNOWN},
        {"nobody knows", NETSH_UNKNOWN},
        {"interface dump", NETSH_UNKNOWN},
        {"interface nobody knows", NETSH_UNKNOWN},
        {"interface ipv4 reset", NETSH_UNKNOWN},
        {"interface ipv4 set dynamicport tcp start=10000 num=1000", NETSH_UNKNOWN},
        {"interface ipv4 add address x", NETSH_UNKNOWN},
        {"interface ipv4 delete e", NETSH_MISSING},
        /* Shortened so far, these are others. */
        {"interface ipv4 show d tcp", NETSH_UNKNOWN},
        {"interface ipv4 s e tcp", NETSH_NOT_FOUND},
        {"interface ipv4 nothing", NETSH_NOT_FOUND},
        {"interface ipv4 add nothing", NETSH_NOT_FOUND},
        {"interface ipv4 add excludedportranges tcp 1 1", NETSH_NOT_FOUND},
        {"interface ipv4 show \"\"", NETSH_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++)
    {
        struct netsh_command command = parse(expectations[i].text);

        ok(command.action == expectations[i].action, "[%s]: action %u, expected %u",
           expectations[i].text, command.action, expectations[i].action);
    }
}

/* culprit is NULL where there is none. */
#define check_complaint(text, action, argument, culprit)                                           \
    check_complaint_(__LINE__, text, action, argument, culprit)
static void check_complaint_(int line_number, const char *text, enum netsh_action action,
                             const char *argument, const char *culprit)
{
    struct netsh_place place = {0};
    struct line line = line_of(text);
    struct netsh_command command;

    netsh_parse(&place, line.words, line.count, &command);
    ok_(__FILE__, line_number, command.action == action, "[%s]: action %u", text, command.action);
    ok_(__FILE__, line_number,
        argument ? command.argument && !strcmp(command.argument, argument) : !command.argument,
        "[%s]: argument %s", text, command.argument ? command.argument : "none");
    ok_(__FILE__, line_number,
        culprit ? command.culprit && text_is(command.culprit, command.culprit_length, culprit)
                : !command.culprit,
        "[%s]: the culprit is another", text);
    line_free(&line);
}

static void test_complaints(void)
{
    check_complaint("i i a e sctp 1 1", NETSH_BAD_VALUE, "protocol", "sctp");
    check_complaint("i i a e \"\" 1 1", NETSH_BAD_VALUE, "protocol", "");
    check_complaint("i i a e tcpx 1 1", NETSH_BAD_VALUE, "protocol", "tcpx");
    check_complaint("i i a e tcp 65536 1", NETSH_BAD_VALUE, "startport", "65536");
    check_complaint("i i a e tcp 4294967297 1", NETSH_BAD_VALUE, "startport", "4294967297");
    check_complaint("i i a e tcp 18446744073709551617 1", NETSH_BAD_VALUE, "startport",
                    "18446744073709551617");
    check_complaint("i i a e tcp +1 1", NETSH_BAD_VALUE, "startport", "+1");
    check_complaint("i i a e tcp 1.0 1", NETSH_BAD_VALUE, "startport", "1.0");
    check_complaint("i i a e tcp 1 number=x", NETSH_BAD_VALUE, "numberofports", "x");
    check_complaint("i i a e tcp 1 1 both", NETSH_BAD_VALUE, "store", "both");
    check_complaint("i i a e tcp 1 1 store=", NETSH_BAD_VALUE, "store", "");
    check_complaint("i i a e tcp 1 1 store =", NETSH_BAD_VALUE, "store", "");

    check_complaint("i i a e tcp 1 1 a more", NETSH_BAD_TAG, NULL, "more");
    check_complaint("i i a e ports=1", NETSH_BAD_TAG, NULL, "ports");
    check_complaint("i i a e startports=1", NETSH_BAD_TAG, NULL, "startports");
    check_complaint("i i a e =1", NETSH_BAD_TAG, NULL, "");
    check_complaint("i i a e =", NETSH_BAD_TAG, NULL, "");
    check_complaint("i i show e startport=1", NETSH_BAD_TAG, NULL, "startport");
    check_complaint("i i show dy tcp a x", NETSH_BAD_TAG, NULL, "x");

    check_complaint("i i a e tcp protocol=udp", NETSH_TWICE, "protocol", "udp");
    check_complaint("i i a e tcp 1 2 start=1", NETSH_TWICE, "startport", "1");

    check_complaint("i i a e", NETSH_MISSING, "protocol", NULL);
    check_complaint("i i a e tcp", NETSH_MISSING, "startport", NULL);
    check_complaint("i i d e udp numberofports=1", NETSH_MISSING, "startport", NULL);
    check_complaint("i i d e udp 1 store=a", NETSH_MISSING, "numberofports", NULL);
    check_complaint("i i show e", NETSH_MISSING, "protocol", NULL);
    check_complaint("i i show dy store=a", NETSH_MISSING, "protocol", NULL);
    check_complaint("exec \"a file\" more", NETSH_SCRIPT, NULL, "a file");
}

/* Lines of a script, each with what it is. */
struct step
{
    const char *text;
    enum netsh_action action;
    enum netsh_context context; /* afterwards */
};

static void check_steps(const struct step *steps, size_t count)
{
    struct netsh_place place = {0};

    for (size_t i = 0; i < count; i++)
    {
        struct line line = line_of(steps[i].text);
        struct netsh_command command;

        netsh_parse(&place, line.words, line.count, &command);
        ok(command.action == steps[i].action, "step %zu, [%s]: action %u, expected %u", i,
           steps[i].text, command.action, steps[i].action);
        ok(place.context == steps[i].context, "step %zu, [%s]: context %u, expected %u", i,
           steps[i].text, place.context, steps[i].context);
        line_free(&line);
    }
}

static void test_places(void)
{
    static const struct step steps[] = {
        {"show ex tcp", NETSH_UNKNOWN, NETSH_ROOT},
        {"interface", NETSH_NOTHING, NETSH_INTERFACE},
        {"show ex tcp", NETSH_UNKNOWN, NETSH_INTERFACE},
        {"ipv4 show ex tcp", NETSH_SHOW_EXCLUDED, NETSH_INTERFACE},
        {"ipv6", NETSH_NOTHING, NETSH_IPV6},
        {"show ex tcp", NETSH_SHOW_EXCLUDED, NETSH_IPV6},
        {"reset", NETSH_UNKNOWN, NETSH_IPV6},
        {"nothing", NETSH_NOT_FOUND, NETSH_IPV6},
        {"show nothing", NETSH_NOT_FOUND, NETSH_IPV6},
        {"interface ip show ex tcp", NETSH_SHOW_EXCLUDED, NETSH_IPV6},
        {"winsock reset", NETSH_UNKNOWN, NETSH_IPV6},
        {"int portproxy reset", NETSH_UNKNOWN, NETSH_IPV6},
        {"?", NETSH_HELP, NETSH_IPV6},
        {"..", NETSH_NOTHING, NETSH_INTERFACE},
        {"ip", NETSH_NOTHING, NETSH_IPV4},
        {"bye", NETSH_LEAVE, NETSH_IPV4},
        {"..", NETSH_NOTHING, NETSH_INTERFACE},
        {"winhttp show proxy", NETSH_UNKNOWN, NETSH_INTERFACE},
        {"..", NETSH_NOTHING, NETSH_ROOT},
        {"..", NETSH_NOTHING, NETSH_ROOT},
        {"winhttp", NETSH_UNKNOWN, NETSH_ELSEWHERE},
        {"show ex tcp", NETSH_UNKNOWN, NETSH_ELSEWHERE},
        {"int ipv4 show ex tcp", NETSH_SHOW_EXCLUDED, NETSH_ELSEWHERE},
        {"int", NETSH_NOTHING, NETSH_INTERFACE},
        {"tcp", NETSH_UNKNOWN, NETSH_ELSEWHERE},
        {"..", NETSH_NOTHING, NETSH_ROOT},
        {"int ipv4", NETSH_NOTHING, NETSH_IPV4},
        {"winhttp", NETSH_UNKNOWN, NETSH_ELSEWHERE},
    };
    static const struct step pushed[] = {
        {"popd", NETSH_NOTHING, NETSH_ROOT},
        {"pushd interface ipv4", NETSH_NOTHING, NETSH_IPV4},
        {"add ex tcp 1 1", NETSH_ADD_EXCLUDED, NETSH_IPV4},
        {"pushd", NETSH_NOTHING, NETSH_IPV4},
        {"pushd interface", NETSH_NOTHING, NETSH_INTERFACE},
        {"pushd winhttp", NETSH_NOTHING, NETSH_ELSEWHERE},
        {"pushd interface tcp", NETSH_NOTHING, NETSH_ELSEWHERE},
        {"popd", NETSH_NOTHING, NETSH_ELSEWHERE},
        {"popd", NETSH_NOTHING, NETSH_INTERFACE},
        {"popd", NETSH_NOTHING, NETSH_IPV4},
        {"ipv6", NETSH_NOT_FOUND, NETSH_IPV4},
        {"popd", NETSH_NOTHING, NETSH_IPV4},
        {"popd", NETSH_NOTHING, NETSH_ROOT},
        {"popd", NETSH_NOTHING, NETSH_ROOT},
    };

    check_steps(steps, sizeof(steps) / sizeof(*steps));
    check_steps(pushed, sizeof(pushed) / sizeof(*pushed));
}

/* However deep, and back. */
static void test_depth(void)
{
    struct netsh_place place = {0};
    struct netsh_command command;
    struct line push = line_of("pushd int ip"), pop = line_of("popd");

    for (unsigned int i = 0; i < 10 * NETSH_PUSHED_MOST; i++)
        netsh_parse(&place, push.words, push.count, &command);
    ok(place.context == NETSH_IPV4, "context %u", place.context);
    for (unsigned int i = 0; i < 10 * NETSH_PUSHED_MOST; i++)
        netsh_parse(&place, pop.words, pop.count, &command);
    ok(place.context == NETSH_ROOT, "context %u", place.context);
    line_free(&push);
    line_free(&pop);
}

/* Words that mean something, and such as nearly do. */
static const char *const vocabulary[] = {"int ip add ex",
                                         "int ip delete ex tcp",
                                         "interface ipv6 show ex udp",
                                         "udp 5000 7",
                                         "interface",
                                         "int",
                                         "i",
                                         "ip",
                                         "ipv4",
                                         "ipv6",
                                         "add",
                                         "delete",
                                         "show",
                                         "set",
                                         "excludedportrange",
                                         "ex",
                                         "dynamicport",
                                         "dy",
                                         "protocol=tcp",
                                         "udp",
                                         "tcp",
                                         "startport=5000",
                                         "start",
                                         "=",
                                         "=5",
                                         "5000",
                                         "numberofports=2",
                                         "2",
                                         "65536",
                                         "store=active",
                                         "persistent",
                                         "store=",
                                         "protocol",
                                         "?",
                                         "/?",
                                         "pushd",
                                         "popd",
                                         "..",
                                         "#",
                                         "exec",
                                         "bye",
                                         "winhttp",
                                         "reset",
                                         "\"a b\"",
                                         "\"",
                                         "\"\"",
                                         "==",
                                         "=="};

/* Some of it is wrong at one character or another. */
static struct line line_random(void)
{
    char text[512] = "";

    for (unsigned int count = random() % 12; count; count--)
    {
        strcat(text, vocabulary[random() % (sizeof(vocabulary) / sizeof(*vocabulary))]);
        strcat(text, random() % 8 ? " " : "");
    }
    for (unsigned int count = random() % 3; *text && count; count--)
        text[random() % strlen(text)] = 1 + random() % 255;
    return line_of(text);
}

static bool points_into(const struct line *line, const struct netsh_command *command)
{
    return command->culprit >= line->room &&
           command->culprit + command->culprit_length <= line->room + line->length + 1;
}

static void test_random(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 200000), wrong = 0, carried_out = 0;
    struct netsh_place place = {0};

    for (unsigned long i = 0; i < rounds; i++)
    {
        struct line line = line_random();
        struct netsh_command command;

        if (!(random() % 16)) memset(&place, 0, sizeof(place));
        netsh_parse(&place, line.words, line.count, &command);
        if (place.context > NETSH_ELSEWHERE || command.action > NETSH_MISSING) wrong++;
        if (command.culprit && !points_into(&line, &command)) wrong++;
        if ((command.action == NETSH_BAD_VALUE || command.action == NETSH_TWICE ||
             command.action == NETSH_MISSING) &&
            !command.argument)
            wrong++;
        if (command.action >= NETSH_ADD_EXCLUDED && command.action <= NETSH_SHOW_DYNAMIC)
            carried_out++;
        line_free(&line);
    }
    ok(!wrong, "%lu of %lu lines made no sense of nonsense", wrong, rounds);
    ok(carried_out, "no line meant anything");
}

int main(void)
{
    test_start("netsh-arguments");
    test_seed();
    test_split();
    test_commands();
    test_actions();
    test_complaints();
    test_places();
    test_depth();
    test_random();
    return test_end();
}
