/*
 * All that is known of a prefix's ports, put together
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "view.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const UT_icd range_icd = {sizeof(struct view_range), NULL, NULL, NULL};
static const UT_icd ignored_icd = {sizeof(struct view_ignored), NULL, NULL, NULL};
static const UT_icd program_icd = {sizeof(struct view_program *), NULL, NULL, NULL};
static const UT_icd use_icd = {sizeof(struct view_use), NULL, NULL, NULL};

static struct view_range *view_range_at(const struct view *view, unsigned int i)
{
    return array_at(struct view_range, &view->ranges, i);
}

static const struct view_program *view_add_program(struct view *view, const char *name,
                                                   const char *path, uint32_t process,
                                                   uint32_t windows)
{
    struct view_program *program = memory_allocate(sizeof(*program));

    *program = (struct view_program){.name = text_valid(name),
                                     .path = path && *path ? text_valid(path) : NULL,
                                     .process = process,
                                     .windows = windows};
    utarray_push_back(&view->programs, &program);
    return program;
}

/* Finds a process of the prefix, or makes it known; NULL if it has ended since. */
static const struct view_program *
view_windows_program(struct view *view, const struct report *report, uint32_t windows)
{
    const struct report_process *process = report_find(report, windows);
    const char *name;

    for (unsigned int i = 0; i < utarray_len(&view->programs); i++)
    {
        const struct view_program *program = *array_at(struct view_program *, &view->programs, i);

        if (windows && program->windows == windows) return program;
    }
    if (!process) return NULL;
    name = strrchr(process->path, '\\');
    return view_add_program(view, name ? name + 1 : process->path, process->path, process->host,
                            windows);
}

static const struct view_program *view_native_program(struct view *view, const struct host_use *use)
{
    for (unsigned int i = 0; i < utarray_len(&view->programs); i++)
    {
        const struct view_program *program = *array_at(struct view_program *, &view->programs, i);

        if (!program->windows && program->process == use->process) return program;
    }
    return view_add_program(view, use->name, NULL, use->process, 0);
}

static struct view_range *view_add_range(struct view *view, enum unix_protocol protocol,
                                         struct range_name ports, enum view_kind kind,
                                         enum view_held held)
{
    struct view_range range = {.protocol = protocol, .ports = ports, .kind = kind, .held = held};

    utarray_init(&range.uses, &use_icd);
    utarray_push_back(&view->ranges, &range);
    return array_at(struct view_range, &view->ranges, utarray_len(&view->ranges) - 1);
}

/* What the port pool says of a stored range; NULL if it says nothing, or nobody was asked. */
static const struct report_range *report_persistent(const struct report *report,
                                                    enum unix_protocol protocol,
                                                    const struct range_name *ports)
{
    for (unsigned int i = 0; report && i < utarray_len(&report->ranges); i++)
    {
        const struct report_range *range = array_at(struct report_range, &report->ranges, i);

        if (range->protocol == protocol && range->ports.start == ports->start &&
            range->ports.count == ports->count &&
            (range->kind == REPORT_PERSISTENT || range->kind == REPORT_SUSPENDED))
            return range;
    }
    return NULL;
}

static bool view_is_held(enum unix_protocol protocol, const struct range_name *ports, void *context)
{
    const struct report_range *range = report_persistent(context, protocol, ports);

    return range && range->held;
}

static void view_add_stored(struct view *view, const struct stored *stored,
                            const struct report *report)
{
    for (unsigned int i = 0; i < utarray_len(&stored->ranges); i++)
    {
        const struct stored_range *range = array_at(struct stored_range, &stored->ranges, i);
        const struct report_range *said = report_persistent(report, range->protocol, &range->ports);
        struct view_ignored ignored = {
            .protocol = range->protocol, .ports = range->ports, .overlapped = range->overlapped};
        enum view_held held = said && said->held ? VIEW_HELD : VIEW_NOT_HELD;

        if (range->overlapped.count)
        {
            utarray_push_back(&view->ignored, &ignored);
            continue;
        }
        if (view->state == VIEW_ANOTHER_USER || view->state == VIEW_NO_WINE) held = VIEW_NOT_KNOWN;
        view_add_range(view, range->protocol, range->ports,
                       said && said->kind == REPORT_SUSPENDED ? VIEW_SUSPENDED : VIEW_PERSISTENT,
                       held)
            ->holder = held == VIEW_HELD ? view->holder : NULL;
    }
}

static void view_add_oddities(struct view *view, const struct stored *stored)
{
    for (unsigned int i = 0; i < utarray_len(&stored->oddities); i++)
    {
        const struct stored_oddity *oddity = array_at(struct stored_oddity, &stored->oddities, i);
        struct view_ignored ignored = {.protocol = oddity->protocol,
                                       .name = text_valid(oddity->name)};

        utarray_push_back(&view->ignored, &ignored);
    }
}

/* Those that are not stored: blocks, and ranges that end with the prefix. */
static void view_add_reported(struct view *view, const struct report *report)
{
    for (unsigned int i = 0; i < utarray_len(&report->ranges); i++)
    {
        const struct report_range *said = array_at(struct report_range, &report->ranges, i);
        enum view_held held = said->held ? VIEW_HELD : VIEW_NOT_HELD;

        if (said->kind == REPORT_ACTIVE)
            view_add_range(view, said->protocol, said->ports, VIEW_ACTIVE, held)->holder =
                said->held ? view->holder : NULL;
        else if (said->kind == REPORT_BLOCK)
            view_add_range(view, said->protocol, said->ports, VIEW_RUNTIME, held)->holder =
                view_windows_program(view, report, said->process);
    }
}

static int range_compare(const void *one, const void *other)
{
    const struct view_range *a = one, *b = other;

    if (a->protocol != b->protocol) return a->protocol < b->protocol ? -1 : 1;
    if (a->ports.start != b->ports.start) return a->ports.start < b->ports.start ? -1 : 1;
    return a->ports.count - b->ports.count;
}

static void view_add_use(struct view *view, enum unix_protocol protocol, const struct view_use *use)
{
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
    {
        struct view_range *range = view_range_at(view, i);

        if (range->protocol == protocol && use->port >= range->ports.start &&
            use->port - range->ports.start < range->ports.count)
            utarray_push_back(&range->uses, use);
    }
}

static void view_add_windows_uses(struct view *view, const struct report *report)
{
    for (unsigned int i = 0; i < utarray_len(&report->uses); i++)
    {
        const struct report_use *said = array_at(struct report_use, &report->uses, i);
        struct view_use use = {.port = said->port,
                               .program = view_windows_program(view, report, said->process)};

        if (use.program) view_add_use(view, said->protocol, &use);
    }
}

static void view_ask_about(struct host *host, const struct view_range *range)
{
    for (uint32_t port = range->ports.start; port < range->ports.start + range->ports.count; port++)
    {
        host->wanted[range->protocol][port] = true;
        if (range->holder) host->holders[range->protocol][port] = range->holder->process;
    }
}

/* Says whether a range that is held is not held at a port that a native program has. Below 1024, it
 * may be without a placeholder. */
static bool view_lacks(const struct view *view, const struct host *host,
                       enum unix_protocol protocol, uint16_t port)
{
    if (port < 1024 || host->held[protocol][port]) return false;
    if (protocol == UNIX_TCP && !host->lists_bound) return false;
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
    {
        const struct view_range *range = view_range_at(view, i);

        if (range->protocol == protocol && port >= range->ports.start &&
            port - range->ports.start < range->ports.count && range->held == VIEW_HELD &&
            range->kind != VIEW_RUNTIME)
            return true;
    }
    return false;
}

static void view_add_native_uses(struct view *view, const char *prefix)
{
    struct host *host = memory_allocate(sizeof(*host));
    UT_array uses;

    memset(host, 0, sizeof(*host));
    host->prefix = prefix;
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        view_ask_about(host, view_range_at(view, i));
    host_find(host, &uses);
    for (unsigned int i = 0; i < utarray_len(&uses); i++)
    {
        const struct host_use *found = array_at(struct host_use, &uses, i);
        struct view_use use = {.port = found->port,
                               .in_the_way = view_lacks(view, host, found->protocol, found->port),
                               .program = view_native_program(view, found)};

        view_add_use(view, found->protocol, &use);
    }
    utarray_done(&uses);
    free(host);
}

static int use_compare(const void *one, const void *other)
{
    const struct view_use *a = one, *b = other;

    if (a->port != b->port) return a->port < b->port ? -1 : 1;
    if (a->program->windows != b->program->windows)
        return a->program->windows < b->program->windows ? -1 : 1;
    return (a->program->process > b->program->process) -
           (a->program->process < b->program->process);
}

/* A program may have several sockets at a port. */
static void view_sort_uses(UT_array *uses)
{
    unsigned int count = 0;

    array_sort(uses, use_compare);
    for (unsigned int i = 0; i < utarray_len(uses); i++)
    {
        struct view_use *use = array_at(struct view_use, uses, i);

        if (count && !use_compare(use, array_at(struct view_use, uses, count - 1))) continue;
        *array_at(struct view_use, uses, count++) = *use;
    }
    utarray_resize(uses, count);
}

void view_make(struct view *view, const char *prefix, enum view_state state, struct stored *stored,
               const struct report *report)
{
    *view = (struct view){.prefix = text_valid(prefix), .state = state};
    utarray_init(&view->ranges, &range_icd);
    utarray_init(&view->ignored, &ignored_icd);
    utarray_init(&view->programs, &program_icd);

    if (report)
    {
        if (!report->has_pool) view->state = VIEW_WITHOUT_TAWNY;
        view->holder = view_windows_program(view, report, report->holder);
        if (view->holder) view->state = VIEW_RUNNING;
        view_add_reported(view, report);
    }
    stored_settle(stored, report ? view_is_held : NULL, (void *)report);
    view_add_stored(view, stored, report);
    view_add_oddities(view, stored);
    array_sort(&view->ranges, range_compare);

    if (report) view_add_windows_uses(view, report);
    view_add_native_uses(view, prefix);
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        view_sort_uses(&view_range_at(view, i)->uses);
}

void view_keep(struct view *view, enum unix_protocol protocol)
{
    for (unsigned int i = utarray_len(&view->ranges); i--;)
    {
        struct view_range *range = view_range_at(view, i);

        if (range->protocol == protocol) continue;
        utarray_done(&range->uses);
        utarray_erase(&view->ranges, i, 1);
    }
    for (unsigned int i = utarray_len(&view->ignored); i--;)
    {
        struct view_ignored *ignored = array_at(struct view_ignored, &view->ignored, i);

        if (ignored->protocol == protocol) continue;
        free(ignored->name);
        utarray_erase(&view->ignored, i, 1);
    }
}

static void view_free_program(struct view_program *program)
{
    free(program->name);
    free(program->path);
    free(program);
}

void view_free(struct view *view)
{
    for (unsigned int i = 0; i < utarray_len(&view->ranges); i++)
        utarray_done(&view_range_at(view, i)->uses);
    for (unsigned int i = 0; i < utarray_len(&view->ignored); i++)
        free(array_at(struct view_ignored, &view->ignored, i)->name);
    for (unsigned int i = 0; i < utarray_len(&view->programs); i++)
        view_free_program(*array_at(struct view_program *, &view->programs, i));
    utarray_done(&view->ranges);
    utarray_done(&view->ignored);
    utarray_done(&view->programs);
    free(view->prefix);
}

uint32_t view_count_used(const struct view_range *range)
{
    uint32_t count = 0;

    for (unsigned int i = 0; i < utarray_len(&range->uses); i++)
    {
        const struct view_use *use = array_at(struct view_use, &range->uses, i);

        if (!i || array_at(struct view_use, &range->uses, i - 1)->port != use->port) count++;
    }
    return count;
}
