/*
 * What a command of netsh's means
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "arguments.h"

/* The names that Windows 10 and 11 know, as its documentation lists them, in the order in which a
 * shortened one is looked for: "netsh i i" was seen to be "interface ip". Each list ends with NULL.
 */
static const char *const root_names[] = {
    "interface", "add",      "advfirewall", "alias",     "branchcache", "bridge",
    "bye",       "delete",   "dhcpclient",  "dnsclient", "dump",        "exec",
    "exit",      "firewall", "help",        "http",      "ipsec",       "ipsecdosprotection",
    "lan",       "mbn",      "namespace",   "netio",     "nlm",         "p2p",
    "popd",      "pushd",    "quit",        "ras",       "rpc",         "set",
    "show",      "trace",    "unalias",     "wcn",       "wfp",         "winhttp",
    "winsock",   "wlan",     NULL};
static const char *const interface_names[] = {
    "ip",    "ipv4", "ipv6", "6to4", "add",         "clat",   "delete",
    "dump",  "fl48", "fl68", "help", "httpstunnel", "isatap", "portproxy",
    "reset", "set",  "show", "tcp",  "teredo",      "udp",    NULL};
static const char *const verb_names[] = {"add",    "delete", "dump", "help", "install",   "6to4",
                                         "isatap", "reset",  "set",  "show", "uninstall", NULL};
static const char *const add_names[] = {
    "address",      "dnsservers", "excludedportrange", "neighbors",   "potentialrouter",
    "prefixpolicy", "route",      "v6v4tunnel",        "winsservers", NULL};
static const char *const delete_names[] = {"address",    "arpcache",          "destinationcache",
                                           "dnsservers", "excludedportrange", "interface",
                                           "neighbors",  "potentialrouter",   "prefixpolicy",
                                           "route",      "winsservers",       NULL};
static const char *const set_names[] = {
    "address",      "compartment", "dnsservers",  "dynamicportrange",
    "global",       "interface",   "neighbors",   "potentialrouter",
    "prefixpolicy", "privacy",     "route",       "state",
    "subinterface", "teredo",      "winsservers", NULL};
static const char *const show_names[] = {"addresses",
                                         "compartments",
                                         "config",
                                         "destinationcache",
                                         "dnsservers",
                                         "dynamicportrange",
                                         "excludedportrange",
                                         "global",
                                         "icmpstats",
                                         "interfaces",
                                         "ipaddresses",
                                         "ipnettomedia",
                                         "ipstats",
                                         "joins",
                                         "neighbors",
                                         "offload",
                                         "potentialrouters",
                                         "prefixpolicies",
                                         "privacy",
                                         "route",
                                         "siteprefixes",
                                         "state",
                                         "subinterfaces",
                                         "tcpconnections",
                                         "tcpstats",
                                         "teredo",
                                         "udpconnections",
                                         "udpstats",
                                         "winsservers",
                                         NULL};

static const char *const protocol_names[] = {[NETSH_TCP] = "tcp", [NETSH_UDP] = "udp", NULL};
static const char *const store_names[] = {"active", "persistent", NULL};

enum argument
{
    ARGUMENT_PROTOCOL,
    ARGUMENT_START,
    ARGUMENT_COUNT,
    ARGUMENT_STORE,
    ARGUMENTS,
};

static const char *const argument_names[ARGUMENTS] = {"protocol", "startport", "numberofports",
                                                      "store"};

/* A command that is carried out. */
struct operation
{
    enum netsh_action action;
    enum netsh_topic topic;
    unsigned int count;
    enum argument arguments[ARGUMENTS]; /* in their order; the last may be missing */
};

static const struct operation add_excluded = {
    NETSH_ADD_EXCLUDED,
    NETSH_TOPIC_ADD_EXCLUDED,
    4,
    {ARGUMENT_PROTOCOL, ARGUMENT_START, ARGUMENT_COUNT, ARGUMENT_STORE}};
static const struct operation delete_excluded = {
    NETSH_DELETE_EXCLUDED,
    NETSH_TOPIC_DELETE_EXCLUDED,
    4,
    {ARGUMENT_PROTOCOL, ARGUMENT_START, ARGUMENT_COUNT, ARGUMENT_STORE}};
static const struct operation show_excluded = {
    NETSH_SHOW_EXCLUDED, NETSH_TOPIC_SHOW_EXCLUDED, 2, {ARGUMENT_PROTOCOL, ARGUMENT_STORE}};
static const struct operation show_dynamic = {
    NETSH_SHOW_DYNAMIC, NETSH_TOPIC_SHOW_DYNAMIC, 2, {ARGUMENT_PROTOCOL, ARGUMENT_STORE}};

/* Text that need not be terminated. */
struct text
{
    const char16_t *start;
    size_t length;
};

static struct text text_of(const char16_t *word)
{
    struct text text = {word, 0};

    while (word[text.length]) text.length++;
    return text;
}

static char16_t lower(char16_t c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Says whether the text is the name, or its beginning; *whole says which. */
static bool text_shortens(struct text text, const char *name, bool *whole)
{
    size_t i = 0;

    while (i < text.length && name[i] && lower(text.start[i]) == (char16_t)name[i]) i++;
    *whole = !name[i];
    return text.length && i == text.length;
}

/* Finds the name that is the text, or else the first that it shortens; -1 if there is none. */
static int find_name(struct text text, const char *const *names)
{
    int found = -1;
    bool whole;

    for (int i = 0; names[i]; i++)
    {
        if (!text_shortens(text, names[i], &whole)) continue;
        if (whole) return i;
        if (found == -1) found = i;
    }
    return found;
}

static const char *name_of(struct text text, const char *const *names)
{
    int found = find_name(text, names);

    return found == -1 ? "" : names[found];
}

static bool is_name(const char *one, const char *other)
{
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

/* Says whether the text asks for help. */
static bool is_question(struct text text)
{
    if (text.length && (text.start[0] == '/' || text.start[0] == '-')) text.start++, text.length--;
    return text.length == 1 && text.start[0] == '?';
}

/* A decimal number up to 65535. */
static bool parse_number(struct text text, uint16_t *number)
{
    uint32_t value = 0;

    if (!text.length) return false;
    for (size_t i = 0; i < text.length; i++)
    {
        if (text.start[i] < '0' || text.start[i] > '9') return false;
        value = value * 10 + (text.start[i] - '0');
        if (value > 65535) return false;
    }
    *number = value;
    return true;
}

/* What is being parsed. */
struct parsing
{
    const char16_t *const *words;
    unsigned int count;
    unsigned int next; /* the first word that is not parsed yet */
    struct netsh_command *command;
};

static bool is_at_end(const struct parsing *parsing)
{
    return parsing->next == parsing->count;
}

static struct text next_text(struct parsing *parsing)
{
    return text_of(parsing->words[parsing->next++]);
}

static void complain(struct netsh_command *command, enum netsh_action action, const char *argument,
                     struct text culprit)
{
    command->action = action;
    command->argument = argument;
    command->culprit = culprit.start;
    command->culprit_length = culprit.length;
}

/* One argument: its name, of which the start is NULL if it has none, and its value. */
struct pair
{
    struct text name;
    struct text value;
};

static struct text text_from(struct text text, size_t first)
{
    return (struct text){text.start + first, text.length - first};
}

/* Takes the next argument, of one word, or of more where blanks stand around the "=". */
static struct pair next_pair(struct parsing *parsing)
{
    struct pair pair = {.value = next_text(parsing)};
    struct text word = pair.value;
    size_t equals = 0;

    while (equals < word.length && word.start[equals] != '=') equals++;
    if (equals == word.length)
    {
        if (is_at_end(parsing) || parsing->words[parsing->next][0] != '=') return pair;
        pair.value = text_from(next_text(parsing), 1);
    }
    else
        pair.value = text_from(word, equals + 1);
    pair.name = (struct text){word.start, equals};
    if (!pair.value.length && !is_at_end(parsing)) pair.value = next_text(parsing);
    return pair;
}

static bool set_argument(struct netsh_command *command, enum argument argument, struct text value)
{
    int found;

    switch (argument)
    {
    case ARGUMENT_PROTOCOL:
        if ((found = find_name(value, protocol_names)) == -1) return false;
        command->protocol = (enum netsh_protocol)found;
        return true;
    case ARGUMENT_START:
        return parse_number(value, &command->start);
    case ARGUMENT_COUNT:
        return parse_number(value, &command->count);
    case ARGUMENT_STORE:
        if ((found = find_name(value, store_names)) == -1) return false;
        command->store = found ? NETSH_PERSISTENT : NETSH_ACTIVE;
        return true;
    case ARGUMENTS:
        break;
    }
    return false;
}

/* Finds which of the operation's arguments the pair is; its number there, -1 if it is none. One
 * without a name is the first that is not there yet. */
static int find_argument(const struct operation *operation, struct pair pair, const bool *given)
{
    int found = -1;
    bool whole;

    for (unsigned int i = 0; i < operation->count; i++)
    {
        if (!pair.name.start)
        {
            if (!given[i]) return i;
            continue;
        }
        if (!text_shortens(pair.name, argument_names[operation->arguments[i]], &whole)) continue;
        if (whole) return i;
        if (found == -1) found = i;
    }
    return found;
}

/* Takes one argument; false if it is wrong. */
static bool parse_argument(struct parsing *parsing, const struct operation *operation, bool *given)
{
    struct pair pair = next_pair(parsing);
    int which = find_argument(operation, pair, given);
    const char *name;

    if (which == -1)
    {
        complain(parsing->command, NETSH_BAD_TAG, NULL, pair.name.start ? pair.name : pair.value);
        return false;
    }
    name = argument_names[operation->arguments[which]];
    if (given[which])
    {
        complain(parsing->command, NETSH_TWICE, name, pair.value);
        return false;
    }
    given[which] = true;
    if (!set_argument(parsing->command, operation->arguments[which], pair.value))
    {
        complain(parsing->command, NETSH_BAD_VALUE, name, pair.value);
        return false;
    }
    return true;
}

static bool asks_for_help(const struct parsing *parsing)
{
    for (unsigned int i = parsing->next; i < parsing->count; i++)
        if (is_question(text_of(parsing->words[i]))) return true;
    return false;
}

static void parse_operation(struct parsing *parsing, const struct operation *operation)
{
    struct netsh_command *command = parsing->command;
    bool given[ARGUMENTS] = {false};

    command->topic = operation->topic;
    if (asks_for_help(parsing))
    {
        command->action = NETSH_HELP;
        return;
    }
    command->action = operation->action;
    while (!is_at_end(parsing))
        if (!parse_argument(parsing, operation, given)) return;
    for (unsigned int i = 0; i < operation->count; i++)
    {
        /* Every command can do without the store. */
        if (given[i] || operation->arguments[i] == ARGUMENT_STORE) continue;
        complain(command, NETSH_MISSING, argument_names[operation->arguments[i]],
                 (struct text){NULL, 0});
        return;
    }
}

static void parse_help(struct parsing *parsing, enum netsh_topic topic)
{
    parsing->command->action = NETSH_HELP;
    parsing->command->topic = topic;
}

/* A verb that has objects, in one of the two families' contexts. */
static void parse_object(struct parsing *parsing, const char *verb)
{
    const char *const *names = set_names;
    const char *object;

    if (is_name(verb, "add")) names = add_names;
    if (is_name(verb, "delete")) names = delete_names;
    if (is_name(verb, "show")) names = show_names;
    if (is_at_end(parsing) || is_question(text_of(parsing->words[parsing->next])))
    {
        parse_help(parsing, NETSH_TOPIC_FAMILY);
        return;
    }
    object = name_of(next_text(parsing), names);
    if (is_name(object, "excludedportrange"))
        parse_operation(parsing, names == add_names      ? &add_excluded
                                 : names == delete_names ? &delete_excluded
                                                         : &show_excluded);
    else if (is_name(object, "dynamicportrange") && names == show_names)
        parse_operation(parsing, &show_dynamic);
    else
        parsing->command->action = *object ? NETSH_UNKNOWN : NETSH_NOT_FOUND;
}

/* Says whether there is something of the name. */
static bool parse_in_family(struct parsing *parsing)
{
    struct text word = next_text(parsing);
    const char *verb = name_of(word, verb_names);

    if (is_question(word) || is_name(verb, "help"))
        parse_help(parsing, NETSH_TOPIC_FAMILY);
    else if (is_name(verb, "add") || is_name(verb, "delete") || is_name(verb, "set") ||
             is_name(verb, "show"))
        parse_object(parsing, verb);
    else
        parsing->command->action = *verb ? NETSH_UNKNOWN : NETSH_NOT_FOUND;
    return *verb || is_question(word);
}

/* A context that is named without a command is that of the commands to come. Says whether there is
 * something of the name. */
static bool parse_in_interface(struct netsh_place *place, struct parsing *parsing)
{
    struct text word = next_text(parsing);
    const char *name = name_of(word, interface_names);

    if (is_question(word) || is_name(name, "help"))
        parse_help(parsing, NETSH_TOPIC_INTERFACE);
    else if (is_name(name, "ip") || is_name(name, "ipv4") || is_name(name, "ipv6"))
    {
        if (is_at_end(parsing))
            place->context = is_name(name, "ipv6") ? NETSH_IPV6 : NETSH_IPV4;
        else
            parse_in_family(parsing);
    }
    else
    {
        parsing->command->action = NETSH_UNKNOWN;
        if (is_at_end(parsing)) place->context = NETSH_ELSEWHERE;
    }
    return *name || is_question(word);
}

static void parse_context(struct netsh_place *place, struct parsing *parsing)
{
    place->context = NETSH_ELSEWHERE;
    if (!is_name(name_of(next_text(parsing), root_names), "interface")) return;
    place->context = NETSH_INTERFACE;
    if (!is_at_end(parsing)) parse_in_interface(place, parsing);
}

static void parse_pushd(struct netsh_place *place, struct parsing *parsing)
{
    if (place->depth < NETSH_PUSHED_MOST) place->pushed[place->depth] = place->context;
    place->depth++;
    if (!is_at_end(parsing)) parse_context(place, parsing);
    /* A command behind the context is none, right or wrong. */
    *parsing->command = (struct netsh_command){.action = NETSH_NOTHING};
}

static void parse_popd(struct netsh_place *place)
{
    if (!place->depth) return;
    place->depth--;
    place->context = place->depth < NETSH_PUSHED_MOST ? place->pushed[place->depth] : NETSH_ROOT;
}

/* Says whether there is something of the name. */
static bool parse_in_root(struct netsh_place *place, struct parsing *parsing)
{
    struct text word = next_text(parsing);
    const char *name = name_of(word, root_names);

    if (is_name(name, "interface") && is_at_end(parsing))
        place->context = NETSH_INTERFACE;
    else if (is_name(name, "interface"))
        parse_in_interface(place, parsing);
    else if (is_question(word) || is_name(name, "help") ||
             (is_name(name, "exec") && is_at_end(parsing)))
        parse_help(parsing, NETSH_TOPIC_ROOT);
    else if (is_name(name, "bye") || is_name(name, "exit") || is_name(name, "quit"))
        parsing->command->action = NETSH_LEAVE;
    else if (is_name(name, "exec"))
        complain(parsing->command, NETSH_SCRIPT, NULL, next_text(parsing));
    else if (is_name(name, "pushd"))
        parse_pushd(place, parsing);
    else if (is_name(name, "popd"))
        parse_popd(place);
    else
    {
        parsing->command->action = NETSH_UNKNOWN;
        /* It may be a context, of which nothing is known. */
        if (is_at_end(parsing)) place->context = NETSH_ELSEWHERE;
    }
    return *name || is_question(word);
}

static enum netsh_context context_above(enum netsh_context context)
{
    return context == NETSH_IPV4 || context == NETSH_IPV6 ? NETSH_INTERFACE : NETSH_ROOT;
}

static bool is_up(const char16_t *word)
{
    return word[0] == '.' && word[1] == '.' && !word[2];
}

/* Parses words in the context where the place is; says whether there is something of the name. */
static bool parse_in_place(struct netsh_place *place, struct parsing *parsing)
{
    if (place->context == NETSH_INTERFACE) return parse_in_interface(place, parsing);
    if (place->context != NETSH_IPV4 && place->context != NETSH_IPV6) return false;
    return parse_in_family(parsing);
}

void netsh_parse(struct netsh_place *place, const char16_t *const *words, unsigned int count,
                 struct netsh_command *command)
{
    struct netsh_command outer = {0};
    struct netsh_place here = *place, there = *place;
    struct parsing inside = {words, count, 0, command}, outside = {words, count, 0, &outer};

    *command = outer;
    if (!count || words[0][0] == '#') return;
    if (is_up(words[0]))
    {
        place->context = context_above(place->context);
        return;
    }
    if (parse_in_place(&here, &inside))
    {
        *place = here;
        return;
    }
    /* From any context, the root's commands can be given, too. */
    if (!parse_in_root(&there, &outside) && inside.next)
    {
        *place = here;
        return;
    }
    *command = outer;
    *place = there;
}

int netsh_split(const char16_t *line, size_t length, char16_t *room, const char16_t **words,
                unsigned int most)
{
    unsigned int count = 0;
    size_t i = 0;

    for (;;)
    {
        bool quoted = false;

        while (i < length && (line[i] == ' ' || line[i] == '\t')) i++;
        if (i == length) return count;
        if (count == most) return -1;
        words[count++] = room;
        for (; i < length && (quoted || (line[i] != ' ' && line[i] != '\t')); i++)
        {
            if (line[i] == '"')
                quoted = !quoted;
            else
                *room++ = line[i];
        }
        *room++ = 0;
    }
}
