/*
 * What the tests of port reservations find out about the implementation that they run on
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test programs run on Windows, on Wine, and on what else there is, as well as on Tawny. A test
 * of what is Tawny's alone is skipped elsewhere. One of port reservations fails where there are
 * none, once: what it would go on to ask of a block that it has not got would say nothing.
 */
#ifndef TAWNY_TESTS_TARGET_H
#define TAWNY_TESTS_TARGET_H

#include "../ws2_32/util.h"

/* Whether Winsock is Tawny's, or must be: Tawny's own runner of tests has an outsider, and there
 * nothing is skipped for this reason. */
BOOL target_is_tawny(void);

/* Whether a socket of the kind can acquire a port. If not, the first call is a failed check. */
BOOL target_reserves_(const char *file, int line, const struct kind *kind);
#define target_reserves(kind) target_reserves_(__FILE__, __LINE__, kind)

/* The same for all kinds. */
BOOL target_reserves_all_(const char *file, int line);
#define target_reserves_all() target_reserves_all_(__FILE__, __LINE__)

/* Makes a call into a function that Wine may have the name of only; FALSE then. In one thread at a
 * time. */
BOOL target_implements(void (*call)(void));

/* Whether the system has the functions for persistent reservations; a failed check if it has not.
 */
BOOL target_persists_(const char *file, int line);
#define target_persists() target_persists_(__FILE__, __LINE__)

#endif
