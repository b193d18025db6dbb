/*
 * The registry's lists of ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A key a list and protocol, a value a range; the value's name says which. Anybody may write
 * there, and whatever they write: what makes no sense is left where it is.
 */
#include "portpool_private.h"

#include <stdlib.h>
#include <winreg.h>

#include "hash.h"
#include "rangename.h"
#include "service.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

#define STORE_CONTROL_KEY L"SYSTEM\\CurrentControlSet\\Control"
#define STORE_NSI_KEY     STORE_CONTROL_KEY L"\\Nsi\\"

/* The most that the registry allows, with an end. */
#define STORE_NAME_SIZE 16384

/* Beyond this, adding to it would soon start from 0 again. Nobody but a joker has written it. */
#define STORE_GENERATION_LIMIT (UINT64_C(1) << 62)

#define STORE_PROTOCOLS 2

static const WCHAR *const store_keys[STORE_LISTS][STORE_PROTOCOLS] = {
    [STORE_PERSISTENT] = {[UNIX_TCP] = STORE_NSI_KEY L"{eb004a03-9b1a-11d4-9123-0050047759bc}\\29",
                          [UNIX_UDP] = STORE_NSI_KEY L"{eb004a02-9b1a-11d4-9123-0050047759bc}\\5"},
    [STORE_ACTIVE] =
        {[UNIX_TCP] = SERVICE_ACTIVE_KEY L"\\Tcp", [UNIX_UDP] = SERVICE_ACTIVE_KEY L"\\Udp"},
    [STORE_SUSPENDED] =
        {[UNIX_TCP] = SERVICE_SUSPENDED_KEY L"\\Tcp", [UNIX_UDP] = SERVICE_SUSPENDED_KEY L"\\Udp"},
};

/* A value that makes no sense, and of which a warning has been given. */
struct oddity
{
    UT_hash_handle hh;
    UINT64 name; /* a hash: two names that share one share their warning */
    UINT listing;
};

/* Of the holder's one thread. */
static struct oddity *oddities;
static UINT listings;

struct listing
{
    struct store_range *ranges;
    UINT count;
    UINT size;
    BOOL warn;
};

static UINT64 oddity_hash(UINT protocol, const WCHAR *name, UINT length)
{
    UINT64 hash = 0xcbf29ce484222325 + protocol;

    while (length--) hash = (hash ^ *name++) * 0x100000001b3;
    return hash;
}

static void oddity_warn(UINT protocol, const WCHAR *name, UINT length)
{
    UINT64 hash = oddity_hash(protocol, name, length);
    struct oddity *oddity;

    HASH_FIND(hh, oddities, &hash, sizeof(hash), oddity);
    if (!oddity)
    {
        WARN("value %s in a list of %s ranges makes no sense, ignored\n",
             wine_dbgstr_wn(name, length), protocol_name(protocol));
        if (!(oddity = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*oddity)))) return;
        oddity->name = hash;
        HASH_ADD(hh, oddities, name, sizeof(oddity->name), oddity);
        if (!oddity->hh.tbl)
        {
            HeapFree(GetProcessHeap(), 0, oddity);
            return;
        }
    }
    oddity->listing = listings;
}

/* Forgets those that are not there any more. */
static void oddity_sweep(void)
{
    struct oddity *oddity, *next;

    HASH_ITER(hh, oddities, oddity, next)
    {
        if (oddity->listing == listings) continue;
        HASH_DELETE(hh, oddities, oddity);
        HeapFree(GetProcessHeap(), 0, oddity);
    }
}

static BOOL listing_add(struct listing *listing, const struct store_range *range)
{
    struct store_range *ranges;

    if (listing->count == listing->size)
    {
        ranges = HeapReAlloc(GetProcessHeap(), 0, listing->ranges,
                             2 * listing->size * sizeof(*listing->ranges));
        if (!ranges) return FALSE;
        listing->ranges = ranges;
        listing->size *= 2;
    }
    listing->ranges[listing->count++] = *range;
    return TRUE;
}

/* Windows gives every value the same data. What other data of that form would mean is not known:
 * the range is there. */
static BOOL store_is_range(DWORD type, DWORD size)
{
    return type == REG_BINARY && size == RANGE_DATA_SIZE;
}

static BOOL listing_add_value(struct listing *listing, UINT protocol, const WCHAR *name,
                              UINT length, DWORD type, DWORD size)
{
    struct store_range range = {.protocol = protocol};
    struct range_name parsed;

    if (!range_name_parse(name, length, &parsed) || !store_is_range(type, size))
    {
        if (listing->warn) oddity_warn(protocol, name, length);
        return TRUE;
    }
    range.start = parsed.start;
    range.count = parsed.count;
    return listing_add(listing, &range);
}

/* FALSE if that what is there could not be listed. name is room for a name. */
static BOOL listing_add_key(struct listing *listing, enum store_list list, UINT protocol,
                            WCHAR *name)
{
    BOOL success = TRUE;
    LSTATUS error;
    HKEY key;

    error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, store_keys[list][protocol], 0, KEY_QUERY_VALUE, &key);
    if (error) return error == ERROR_FILE_NOT_FOUND;
    for (DWORD i = 0; success; i++)
    {
        DWORD length = STORE_NAME_SIZE, type, size = 0;

        error = RegEnumValueW(key, i, name, &length, NULL, &type, NULL, &size);
        if (!error)
            success = listing_add_value(listing, protocol, name, length, type, size);
        else if (error != ERROR_MORE_DATA)
            break;
    }
    RegCloseKey(key);
    return success && (error == ERROR_NO_MORE_ITEMS || error == ERROR_KEY_DELETED);
}

BOOL store_is_valid(const struct store_range *range)
{
    return range->protocol < STORE_PROTOCOLS && range->start && range->count &&
           range->start + range->count <= PORT_TABLE_PORTS;
}

int store_compare(const void *one, const void *other)
{
    const struct store_range *a = one, *b = other;

    if (a->protocol != b->protocol) return a->protocol < b->protocol ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return a->count - b->count;
}

/* Sorts, and drops what somebody who wrote meanwhile has made appear twice. */
static void listing_sort(struct listing *listing)
{
    UINT count = 0;

    qsort(listing->ranges, listing->count, sizeof(*listing->ranges), store_compare);
    for (UINT i = 0; i < listing->count; i++)
    {
        if (i && !store_compare(&listing->ranges[i - 1], &listing->ranges[i])) continue;
        listing->ranges[count++] = listing->ranges[i];
    }
    listing->count = count;
}

static BOOL listing_open(struct listing *listing, BOOL warn)
{
    listing->count = 0;
    listing->size = 64;
    listing->warn = warn;
    listing->ranges = HeapAlloc(GetProcessHeap(), 0, listing->size * sizeof(*listing->ranges));
    return !!listing->ranges;
}

static BOOL listing_add_list(struct listing *listing, enum store_list list)
{
    WCHAR *name = HeapAlloc(GetProcessHeap(), 0, STORE_NAME_SIZE * sizeof(*name));
    BOOL success = !!name;

    for (UINT protocol = 0; success && protocol < STORE_PROTOCOLS; protocol++)
        success = listing_add_key(listing, list, protocol, name);
    HeapFree(GetProcessHeap(), 0, name);
    return success;
}

static struct store_range *listing_finish(struct listing *listing, BOOL success, UINT *count)
{
    if (!success)
    {
        ERR("the ranges could not be listed\n");
        HeapFree(GetProcessHeap(), 0, listing->ranges);
        return NULL;
    }
    listing_sort(listing);
    *count = listing->count;
    return listing->ranges;
}

struct store_range *store_list(enum store_list list, UINT *count)
{
    struct listing listing;
    BOOL success = listing_open(&listing, FALSE) && listing_add_list(&listing, list);

    return listing_finish(&listing, success, count);
}

/* Drops those that are suspended. */
static BOOL listing_drop_suspended(struct listing *listing)
{
    struct store_range *suspended;
    UINT suspended_count, count = 0;

    if (!(suspended = store_list(STORE_SUSPENDED, &suspended_count))) return FALSE;
    for (UINT i = 0; i < listing->count; i++)
        if (!bsearch(&listing->ranges[i], suspended, suspended_count, sizeof(*suspended),
                     store_compare))
            listing->ranges[count++] = listing->ranges[i];
    listing->count = count;
    HeapFree(GetProcessHeap(), 0, suspended);
    return TRUE;
}

struct store_range *store_list_effective(UINT *count)
{
    struct listing listing;
    BOOL success;

    listings++;
    success = listing_open(&listing, TRUE) && listing_add_list(&listing, STORE_PERSISTENT) &&
              listing_drop_suspended(&listing) && listing_add_list(&listing, STORE_ACTIVE);
    if (success) oddity_sweep();
    return listing_finish(&listing, success, count);
}

struct value_name
{
    WCHAR text[RANGE_NAME_LENGTH + 1];
};

static struct value_name store_value_name(const struct store_range *range)
{
    struct range_name parsed = {.start = range->start, .count = range->count};
    struct value_name name;

    range_name_format(&parsed, name.text);
    return name;
}

BOOL store_has(enum store_list list, const struct store_range *range)
{
    struct value_name name = store_value_name(range);
    DWORD type, size = 0;
    LSTATUS error;
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, store_keys[list][range->protocol], 0, KEY_QUERY_VALUE,
                      &key))
        return FALSE;
    error = RegQueryValueExW(key, name.text, NULL, &type, NULL, &size);
    RegCloseKey(key);
    return !error && store_is_range(type, size);
}

BOOL store_add(enum store_list list, const struct store_range *range)
{
    static const BYTE data[] = RANGE_DATA;
    struct value_name name = store_value_name(range);
    LSTATUS error;
    HKEY key;

    error =
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, store_keys[list][range->protocol], 0, NULL,
                        list == STORE_PERSISTENT ? REG_OPTION_NON_VOLATILE : REG_OPTION_VOLATILE,
                        KEY_SET_VALUE, NULL, &key, NULL);
    if (!error)
    {
        error = RegSetValueExW(key, name.text, 0, REG_BINARY, data, sizeof(data));
        RegCloseKey(key);
    }
    if (error) ERR("%s could not be written, error %ld\n", wine_dbgstr_w(name.text), error);
    return !error;
}

BOOL store_remove(enum store_list list, const struct store_range *range)
{
    struct value_name name = store_value_name(range);
    LSTATUS error;
    HKEY key;

    error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, store_keys[list][range->protocol], 0, KEY_SET_VALUE,
                          &key);
    if (!error)
    {
        error = RegDeleteValueW(key, name.text);
        RegCloseKey(key);
    }
    if (!error || error == ERROR_FILE_NOT_FOUND) return TRUE;
    ERR("%s could not be deleted, error %ld\n", wine_dbgstr_w(name.text), error);
    return FALSE;
}

UINT64 store_generation(void)
{
    DWORD type, size = sizeof(UINT64);
    UINT64 generation = 0;
    LSTATUS error;
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, SERVICE_PARAMETERS_KEY, 0, KEY_QUERY_VALUE, &key))
        return 0;
    error =
        RegQueryValueExW(key, SERVICE_GENERATION_VALUE, NULL, &type, (BYTE *)&generation, &size);
    RegCloseKey(key);
    if (error || type != REG_QWORD || size != sizeof(generation)) return 0;
    return generation < STORE_GENERATION_LIMIT ? generation : 0;
}

BOOL store_set_generation(UINT64 generation)
{
    LSTATUS error;
    HKEY key;

    error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, SERVICE_PARAMETERS_KEY, 0, NULL, 0, KEY_SET_VALUE,
                            NULL, &key, NULL);
    if (!error)
    {
        error = RegSetValueExW(key, SERVICE_GENERATION_VALUE, 0, REG_QWORD, (BYTE *)&generation,
                               sizeof(generation));
        RegCloseKey(key);
    }
    if (error) ERR("the store's generation could not be written, error %ld\n", error);
    return !error;
}

BOOL store_watch(HANDLE event)
{
    static HKEY control;
    LSTATUS error = ERROR_SUCCESS;

    for (UINT i = 0; i < 2; i++)
    {
        /* A key that is deleted takes its watch along, hence one far above ours. */
        if (!control &&
            (error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, STORE_CONTROL_KEY, 0, KEY_NOTIFY, &control)))
            break;
        error = RegNotifyChangeKeyValue(
            control, TRUE, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET, event, TRUE);
        if (!error) return TRUE;
        RegCloseKey(control);
        control = NULL;
    }
    ERR("the registry cannot be watched, error %ld\n", error);
    return FALSE;
}
