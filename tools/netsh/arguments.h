/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a command of netsh's means. Contexts, commands and the names of arguments may be shortened
 * and be in any letter case; arguments stand in the order of their names, or have these with them,
 * "startport=5000", in any order, and also with blanks around the "=".
 *
 * What is known: add, delete and show excludedportrange, show dynamicportrange, both in the
 * contexts "interface ipv4" and "interface ipv6"; beside these only their names, so far as to tell
 * a command that Windows has from one that nobody has.
 *
 * Plain C, without Windows or Unix; text is UTF-16, as on Windows.
 */
#ifndef TAWNY_NETSH_ARGUMENTS_H
#define TAWNY_NETSH_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

enum netsh_context
{
    NETSH_ROOT,
    NETSH_INTERFACE,
    NETSH_IPV4,
    NETSH_IPV6,
    NETSH_ELSEWHERE, /* in a context of which nothing is known */
};

#define NETSH_PUSHED_MOST 16

/* Where the commands of a script are: begins zeroed. */
struct netsh_place
{
    enum netsh_context context;
    enum netsh_context pushed[NETSH_PUSHED_MOST];
    unsigned int depth;
};

enum netsh_action
{
    NETSH_NOTHING, /* an empty line, a comment, a change of the context */
    NETSH_ADD_EXCLUDED,
    NETSH_DELETE_EXCLUDED,
    NETSH_SHOW_EXCLUDED,
    NETSH_SHOW_DYNAMIC,
    NETSH_HELP,      /* about the topic */
    NETSH_SCRIPT,    /* the file that culprit names has more commands */
    NETSH_LEAVE,     /* no more commands */
    NETSH_UNKNOWN,   /* perhaps one of Windows' commands */
    NETSH_NOT_FOUND, /* certainly none */
    /* Of the topic's command: */
    NETSH_BAD_VALUE, /* culprit is no value for the argument */
    NETSH_BAD_TAG,   /* culprit is no name of an argument, or an argument too many */
    NETSH_TWICE,     /* the argument is there twice */
    NETSH_MISSING,   /* one without which the command makes no sense */
};

enum netsh_topic
{
    NETSH_TOPIC_ROOT,
    NETSH_TOPIC_INTERFACE,
    NETSH_TOPIC_FAMILY,
    NETSH_TOPIC_ADD_EXCLUDED,
    NETSH_TOPIC_DELETE_EXCLUDED,
    NETSH_TOPIC_SHOW_EXCLUDED,
    NETSH_TOPIC_SHOW_DYNAMIC,
};

enum netsh_protocol
{
    NETSH_TCP,
    NETSH_UDP,
};

enum netsh_store
{
    NETSH_STORE_DEFAULT, /* nothing is said of it */
    NETSH_ACTIVE,
    NETSH_PERSISTENT,
};

struct netsh_command
{
    enum netsh_action action;
    enum netsh_topic topic;
    enum netsh_protocol protocol;
    enum netsh_store store;
    uint16_t start; /* host byte order; 0 is possible, as is a range past 65535 */
    uint16_t count;
    const char *argument;    /* the name of the one that something is wrong with */
    const char16_t *culprit; /* somewhere in the words */
    size_t culprit_length;
};

/* Parses a command of so many words; place is where it stands, and changes with it. */
void netsh_parse(struct netsh_place *place, const char16_t *const *words, unsigned int count,
                 struct netsh_command *command);

/* Splits a line into words, which blanks separate outside of double quotes; the quotes go. They are
 * written into room for as many characters as the line has, and one more; the pointers to them into
 * words, most at most. How many there are; -1 if there are more. */
int netsh_split(const char16_t *line, size_t length, char16_t *room, const char16_t **words,
                unsigned int most);

#endif
