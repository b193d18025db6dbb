/*
 * The ranges of a prefix, for programs
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs rely on the keys: none changes its meaning or goes without another DOCUMENT_VERSION.
 */
#include "document.h"
#include "memory.h"

#include <json-c/json.h>
#include <stdlib.h>

#define DOCUMENT_VERSION 1

static struct json_object *document_object(void)
{
    struct json_object *object = json_object_new_object();

    if (!object) memory_fail();
    return object;
}

static struct json_object *document_array(void)
{
    struct json_object *array = json_object_new_array();

    if (!array) memory_fail();
    return array;
}

static void document_add(struct json_object *object, const char *key, struct json_object *value)
{
    if (json_object_object_add(object, key, value)) memory_fail();
}

static void document_append(struct json_object *array, struct json_object *value)
{
    if (json_object_array_add(array, value)) memory_fail();
}

static void document_add_text(struct json_object *object, const char *key, const char *text)
{
    struct json_object *value = text ? json_object_new_string(text) : NULL;

    if (text && !value) memory_fail();
    document_add(object, key, value);
}

static void document_add_number(struct json_object *object, const char *key, uint32_t number)
{
    struct json_object *value = json_object_new_int64(number);

    if (!value) memory_fail();
    document_add(object, key, value);
}

/* A number of which 0 means that it is not known, or not there. */
static void document_add_process(struct json_object *object, const char *key, uint32_t number)
{
    if (number)
        document_add_number(object, key, number);
    else
        document_add(object, key, NULL);
}

static void document_add_truth(struct json_object *object, const char *key, bool truth)
{
    struct json_object *value = json_object_new_boolean(truth);

    if (!value) memory_fail();
    document_add(object, key, value);
}

static struct json_object *document_program(const struct view_program *program)
{
    struct json_object *object;

    if (!program) return NULL;
    object = document_object();
    document_add_text(object, "name", *program->name ? program->name : NULL);
    document_add_text(object, "path", program->path);
    document_add_process(object, "pid", program->process);
    document_add_process(object, "windows_pid", program->windows);
    return object;
}

static struct json_object *document_use(const struct view_use *use)
{
    struct json_object *object = document_object();

    document_add_number(object, "port", use->port);
    document_add(object, "program", document_program(use->program));
    document_add_truth(object, "in_the_way", use->in_the_way);
    return object;
}

static const char *document_protocol(enum unix_protocol protocol)
{
    return protocol == UNIX_TCP ? "tcp" : "udp";
}

static void document_add_held(struct json_object *object, const struct view_range *range)
{
    if (range->held == VIEW_NOT_KNOWN)
        document_add(object, "held", NULL);
    else
        document_add_truth(object, "held", range->held == VIEW_HELD);
}

static struct json_object *document_range(const struct view_range *range)
{
    static const char *const kinds[] = {
        [VIEW_PERSISTENT] = "persistent",
        [VIEW_RUNTIME] = "runtime",
        [VIEW_ACTIVE] = "active",
        [VIEW_SUSPENDED] = "suspended",
    };
    struct json_object *object = document_object(), *uses = document_array();

    document_add_text(object, "protocol", document_protocol(range->protocol));
    document_add_number(object, "start", range->ports.start);
    document_add_number(object, "count", range->ports.count);
    document_add_text(object, "kind", kinds[range->kind]);
    document_add_held(object, range);
    document_add(object, "holder", document_program(range->holder));
    document_add_number(object, "used", view_count_used(range));
    for (unsigned int i = 0; i < utarray_len(&range->uses); i++)
        document_append(uses, document_use(array_at(struct view_use, &range->uses, i)));
    document_add(object, "uses", uses);
    return object;
}

static struct json_object *document_ignored(const struct view_ignored *ignored)
{
    struct json_object *object = document_object(), *overlapped = NULL;

    document_add_text(object, "protocol", document_protocol(ignored->protocol));
    document_add_text(object, "value", ignored->name);
    document_add_process(object, "start", ignored->ports.start);
    document_add_process(object, "count", ignored->ports.count);
    if (ignored->overlapped.count)
    {
        overlapped = document_object();
        document_add_number(overlapped, "start", ignored->overlapped.start);
        document_add_number(overlapped, "count", ignored->overlapped.count);
    }
    document_add(object, "overlaps", overlapped);
    return object;
}

static const char *document_state(enum view_state state)
{
    static const char *const states[] = {
        [VIEW_STOPPED] = "stopped",
        [VIEW_RUNNING] = "running",
        [VIEW_WITHOUT_TAWNY] = "without-tawny",
        [VIEW_STARTED_WITHOUT_TAWNY] = "started-without-tawny",
        [VIEW_ANOTHER_USER] = "another-user",
        [VIEW_NO_WINE] = "no-wine",
    };

    return states[state];
}

void document_write(FILE *file, const struct view *view)
{
    struct json_object *object = document_object(), *ranges = document_array(),
                       *ignored = document_array();
    const char *text;

    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        document_append(ranges, document_range(array_at(struct view_range, &view->ranges, i)));
    for (unsigned int i = 0; i < utarray_len(&view->ignored); i++)
        document_append(ignored,
                        document_ignored(array_at(struct view_ignored, &view->ignored, i)));
    document_add_number(object, "version", DOCUMENT_VERSION);
    document_add_text(object, "prefix", view->prefix);
    document_add_text(object, "state", document_state(view->state));
    document_add(object, "holder", document_program(view->holder));
    document_add(object, "ranges", ranges);
    document_add(object, "ignored", ignored);
    text = json_object_to_json_string_ext(object,
                                          JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!text) memory_fail();
    fprintf(file, "%s\n", text);
    json_object_put(object);
}
