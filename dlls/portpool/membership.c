/*
 * Which of the registry's lists have a range, and what requests make of that
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A range is stored, for this and all later runs of the prefix; or there until the prefix ends, by
 * way of a list that is not saved. One that is stored may be deleted until the prefix ends: it
 * stays stored, and another list that is not saved has it as well.
 */
#include "portpool_private.h"

struct membership membership_of(const struct store_range *range)
{
    struct membership membership;

    for (enum store_list list = 0; list < STORE_LISTS; list++)
        membership.has[list] = store_has(list, range);
    return membership;
}

BOOL membership_is_effective(const struct membership *membership)
{
    return membership->has[STORE_ACTIVE] ||
           (membership->has[STORE_PERSISTENT] && !membership->has[STORE_SUSPENDED]);
}

BOOL membership_is_found(const struct membership *membership, const struct request *request)
{
    if (request->store == REQUEST_ACTIVE) return membership_is_effective(membership);
    return membership->has[STORE_PERSISTENT] || membership->has[STORE_ACTIVE];
}

BOOL membership_is_same(const struct membership *one, const struct membership *other)
{
    for (enum store_list list = 0; list < STORE_LISTS; list++)
        if (!one->has[list] != !other->has[list]) return FALSE;
    return TRUE;
}

struct membership membership_wanted(const struct membership *membership,
                                    const struct request *request)
{
    struct membership wanted = {0};

    if (request->store == REQUEST_PERSISTENT)
    {
        wanted.has[STORE_PERSISTENT] = request->operation == REQUEST_CREATE;
        return wanted;
    }
    wanted.has[STORE_PERSISTENT] = membership->has[STORE_PERSISTENT];
    if (request->operation == REQUEST_CREATE)
        wanted.has[STORE_ACTIVE] = !membership->has[STORE_PERSISTENT];
    else
        wanted.has[STORE_SUSPENDED] = membership->has[STORE_PERSISTENT];
    return wanted;
}

static BOOL membership_set(enum store_list list, const struct store_range *range, BOOL member)
{
    return member ? store_add(list, range) : store_remove(list, range);
}

static enum portpool_status membership_set_persistent(const struct store_range *range, BOOL member)
{
    enum portpool_status status;

    if ((status = journal_note(range, !member))) return status;
    if (!membership_set(STORE_PERSISTENT, range, member))
    {
        /* The journal must not do later what could not be done now. */
        journal_note(range, member);
        status = PORTPOOL_DISK_FULL;
    }
    journal_settle();
    return status;
}

static enum portpool_status membership_set_list(enum store_list list,
                                                const struct store_range *range, BOOL member)
{
    if (list == STORE_PERSISTENT) return membership_set_persistent(range, member);
    return membership_set(list, range, member) ? PORTPOOL_SUCCESS : PORTPOOL_DISK_FULL;
}

enum portpool_status membership_change(const struct store_range *range,
                                       const struct membership *from, const struct membership *to)
{
    /* One that is deleted is never there in between. */
    static const enum store_list order[] = {STORE_ACTIVE, STORE_PERSISTENT, STORE_SUSPENDED};
    enum portpool_status status = PORTPOOL_SUCCESS;
    UINT done = 0;

    for (; !status && done < ARRAYSIZE(order); done++)
    {
        enum store_list list = order[done];

        if (!from->has[list] != !to->has[list])
            status = membership_set_list(list, range, to->has[list]);
    }
    if (!status) return status;
    for (UINT i = 0; i + 1 < done; i++)
        if (!from->has[order[i]] != !to->has[order[i]])
            membership_set_list(order[i], range, from->has[order[i]]);
    return status;
}
