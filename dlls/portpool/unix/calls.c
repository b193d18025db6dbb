/*
 * The Unix side's entry points
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine finds __wine_unix_call_funcs by its name and hands us a structure of ../unixlib.h.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "journal.h"
#include "occupied.h"
#include "placeholder.h"
#include "precedence.h"
#include "process.h"
#include "sharing.h"
#include "sockets.h"
#include "watch.h"
#include "wineserver.h"

typedef int32_t (*call_function)(void *args);

static void *call_pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static int32_t call_identify(void *args)
{
    struct unix_identify_params *params = args;

    params->owner = process_owner();
    return 0;
}

static int32_t call_alive(void *args)
{
    struct unix_alive_params *params = args;

    if (params->ending) process_await(params->owner);
    params->alive = process_alive(params->owner);
    return 0;
}

static int32_t call_random(void *args)
{
    struct unix_random_params *params = args;

    params->value = process_random();
    return 0;
}

static int32_t call_ephemeral(void *args)
{
    struct unix_ephemeral_params *params = args;

    process_ephemeral_range(&params->first, &params->last);
    return 0;
}

static int32_t call_inspect(void *args)
{
    struct unix_inspect_params *params = args;

    params->status = sockets_inspect(params->fd, params);
    return 0;
}

static int32_t call_inode(void *args)
{
    struct unix_inode_params *params = args;

    params->inode = sockets_inode(params->fd);
    return 0;
}

static int32_t call_close(void *args)
{
    struct unix_close_params *params = args;

    close(params->fd);
    return 0;
}

static int32_t call_hold(void *args)
{
    struct unix_hold_params *params = args;

    params->status = placeholder_hold(params->protocol, params->start, params->count,
                                      call_pointer(params->fds), &params->conflict);
    return 0;
}

static int32_t call_drop(void *args)
{
    struct unix_drop_params *params = args;

    placeholder_drop(call_pointer(params->fds), params->count);
    return 0;
}

static int32_t call_lend(void *args)
{
    struct unix_lend_params *params = args;

    params->status = placeholder_lend(params->placeholder, params->socket);
    return 0;
}

static int32_t call_settle(void *args)
{
    struct unix_lend_params *params = args;

    placeholder_settle(params->placeholder, params->socket, params->protocol, params->done);
    return 0;
}

static int32_t call_listen(void *args)
{
    struct unix_lend_params *params = args;

    params->status = placeholder_listen(params->placeholder);
    return 0;
}

static int32_t call_settle_listen(void *args)
{
    struct unix_lend_params *params = args;

    placeholder_settle_listen(params->placeholder, params->socket, params->done);
    return 0;
}

static int32_t call_watch_open(void *args)
{
    struct unix_watch_open_params *params = args;

    params->status = watch_open(&params->epoll, &params->entries);
    return 0;
}

static int32_t call_watch_close(void *args)
{
    struct unix_watch_close_params *params = args;

    watch_close(params->epoll, params->entries);
    return 0;
}

static int32_t call_watch_add(void *args)
{
    struct unix_watch_add_params *params = args;

    params->status =
        watch_add(params->epoll, params->socket, params->id, params->ready ? EPOLLOUT : 0);
    return 0;
}

static int32_t call_watch_ready(void *args)
{
    struct unix_watch_ready_params *params = args;

    params->count = watch_ready(params->epoll, call_pointer(params->ids), params->size);
    return 0;
}

static int32_t call_watch_list(void *args)
{
    struct unix_watch_list_params *params = args;

    params->status =
        watch_list(params->entries, call_pointer(params->ids), params->size, &params->count);
    return 0;
}

static int32_t call_share(void *args)
{
    struct unix_share_params *params = args;

    placeholder_share(call_pointer(params->fds), params->count);
    return 0;
}

static int32_t call_restore(void *args)
{
    struct unix_restore_params *params = args;

    params->status = placeholder_restore(params->protocol, params->start, params->count,
                                         call_pointer(params->fds), call_pointer(params->restored));
    return 0;
}

static int32_t call_make_room(void *args)
{
    struct unix_make_room_params *params = args;

    params->status =
        placeholder_make_room(params->socket, params->protocol, params->port, &params->placeholder);
    return 0;
}

static int32_t call_occupied(void *args)
{
    struct unix_occupied_params *params = args;

    params->status = occupied_list(params->protocol, params->start, params->count,
                                   call_pointer(params->occupied));
    return 0;
}

static int32_t call_overlap(void *args)
{
    struct unix_overlap_params *params = args;

    params->overlaps = occupied_overlaps(params->socket, params->address, params->port);
    return 0;
}

static int32_t call_journal_open(void *args)
{
    struct unix_journal_open_params *params = args;

    params->status = journal_open();
    return 0;
}

static int32_t call_journal_read(void *args)
{
    struct unix_journal_read_params *params = args;

    params->status = journal_read(call_pointer(params->records), params->size, &params->count);
    return 0;
}

static int32_t call_journal_append(void *args)
{
    struct unix_journal_append_params *params = args;

    params->status = journal_append(&params->record);
    return 0;
}

static int32_t call_journal_trim(void *args)
{
    struct unix_journal_trim_params *params = args;

    params->status = journal_trim(&params->remaining);
    return 0;
}

static int32_t call_join(void *args)
{
    struct unix_join_params *params = args;

    params->status = sharing_join(params->member, params->socket);
    return 0;
}

static int32_t call_share_socket(void *args)
{
    const struct unix_share_socket_params *params = args;

    sharing_set(params->socket, params->share);
    return 0;
}

static int32_t call_steer(void *args)
{
    struct unix_steer_params *params = args;

    params->status = sharing_steer(params->socket, call_pointer(params->processors), params->count);
    return 0;
}

static int32_t call_take_precedence(void *args)
{
    struct unix_precedence_params *params = args;

    params->status = precedence_take(params->protocol, params->start, params->count,
                                     call_pointer(params->taken));
    return 0;
}

static int32_t call_give_up_precedence(void *args)
{
    const struct unix_give_up_params *params = args;

    precedence_give_up(params->protocol, params->start, params->count);
    return 0;
}

static int32_t call_leave_precedence(void *args)
{
    (void)args;
    precedence_leave();
    return 0;
}

static int32_t call_follow_wineserver(void *args)
{
    (void)args;
    wineserver_follow();
    return 0;
}

__attribute__((visibility("default"))) const call_function __wine_unix_call_funcs[] = {
    [UNIX_CALL_IDENTIFY] = call_identify,
    [UNIX_CALL_ALIVE] = call_alive,
    [UNIX_CALL_RANDOM] = call_random,
    [UNIX_CALL_EPHEMERAL] = call_ephemeral,
    [UNIX_CALL_INSPECT] = call_inspect,
    [UNIX_CALL_INODE] = call_inode,
    [UNIX_CALL_CLOSE] = call_close,
    [UNIX_CALL_HOLD] = call_hold,
    [UNIX_CALL_DROP] = call_drop,
    [UNIX_CALL_LEND] = call_lend,
    [UNIX_CALL_SETTLE] = call_settle,
    [UNIX_CALL_LISTEN] = call_listen,
    [UNIX_CALL_SETTLE_LISTEN] = call_settle_listen,
    [UNIX_CALL_WATCH_OPEN] = call_watch_open,
    [UNIX_CALL_WATCH_CLOSE] = call_watch_close,
    [UNIX_CALL_WATCH_ADD] = call_watch_add,
    [UNIX_CALL_WATCH_READY] = call_watch_ready,
    [UNIX_CALL_WATCH_LIST] = call_watch_list,
    [UNIX_CALL_SHARE] = call_share,
    [UNIX_CALL_RESTORE] = call_restore,
    [UNIX_CALL_MAKE_ROOM] = call_make_room,
    [UNIX_CALL_OCCUPIED] = call_occupied,
    [UNIX_CALL_OVERLAP] = call_overlap,
    [UNIX_CALL_JOURNAL_OPEN] = call_journal_open,
    [UNIX_CALL_JOURNAL_READ] = call_journal_read,
    [UNIX_CALL_JOURNAL_APPEND] = call_journal_append,
    [UNIX_CALL_JOURNAL_TRIM] = call_journal_trim,
    [UNIX_CALL_JOIN] = call_join,
    [UNIX_CALL_SHARE_SOCKET] = call_share_socket,
    [UNIX_CALL_STEER] = call_steer,
    [UNIX_CALL_TAKE_PRECEDENCE] = call_take_precedence,
    [UNIX_CALL_GIVE_UP_PRECEDENCE] = call_give_up_precedence,
    [UNIX_CALL_LEAVE_PRECEDENCE] = call_leave_precedence,
    [UNIX_CALL_FOLLOW_WINESERVER] = call_follow_wineserver,
};

#ifdef __LP64__
/* For 32-bit programs of a Wine whose Unix side is of 64 bits only: the structures lie alike. */
extern __typeof__(__wine_unix_call_funcs) __wine_unix_call_wow64_funcs
    __attribute__((visibility("default"), alias("__wine_unix_call_funcs")));
#endif
