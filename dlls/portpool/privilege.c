/*
 * Who may use persistent ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

/* The token that the thread acts by: its own while it impersonates, else its process's. */
#define EFFECTIVE_TOKEN ((HANDLE)(LONG_PTR)-6)

/* What was found out last, and of which token: to find it out takes seven requests to the
 * wineserver, to see that it is the same token, unchanged, takes one. */
static SRWLOCK known_lock = SRWLOCK_INIT;
static struct
{
    LUID token;
    LUID modified; /* 0 at first, which no token has */
    BOOL administrator;
} known;

static BOOL luid_is(const LUID *a, const LUID *b)
{
    return a->LowPart == b->LowPart && a->HighPart == b->HighPart;
}

static BOOL privilege_ask(void)
{
    BYTE administrators[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof(administrators);
    BOOL member;

    /* Without a token, it is the effective one. */
    return CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &size) &&
           CheckTokenMembership(NULL, administrators, &member) && member;
}

BOOL privilege_is_administrator(void)
{
    TOKEN_STATISTICS statistics;
    BOOL administrator, same;
    DWORD size;

    if (!GetTokenInformation(EFFECTIVE_TOKEN, TokenStatistics, &statistics, sizeof(statistics),
                             &size))
        return privilege_ask();

    AcquireSRWLockShared(&known_lock);
    same = luid_is(&known.token, &statistics.TokenId) &&
           luid_is(&known.modified, &statistics.ModifiedId);
    administrator = known.administrator;
    ReleaseSRWLockShared(&known_lock);
    if (same) return administrator;

    administrator = privilege_ask();
    AcquireSRWLockExclusive(&known_lock);
    known.token = statistics.TokenId;
    known.modified = statistics.ModifiedId;
    known.administrator = administrator;
    ReleaseSRWLockExclusive(&known_lock);
    return administrator;
}
