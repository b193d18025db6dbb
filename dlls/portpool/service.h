/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the holder is registered as a service, and what it keeps in the registry, all under HKLM.
 */
#ifndef TAWNY_PORTPOOL_SERVICE_H
#define TAWNY_PORTPOOL_SERVICE_H

#define SERVICE_NAME L"PortPool"

#define SERVICE_KEY            L"SYSTEM\\CurrentControlSet\\Services\\" SERVICE_NAME
#define SERVICE_PARAMETERS_KEY SERVICE_KEY L"\\Parameters"
#define SERVICE_HOST_KEY       L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\SvcHost"

/* Under SERVICE_PARAMETERS_KEY, REG_QWORD: the number of the last change of the store. unix/hive.c
 * looks for it in the hive file. */
#define SERVICE_GENERATION_VALUE L"Generation"

/* Volatile; below it Tcp and Udp, each with a value a range: named as in the store, its token as
 * REG_QWORD. */
#define SERVICE_VOLATILE_KEY L"SYSTEM\\CurrentControlSet\\Control\\" SERVICE_NAME
#define SERVICE_TOKENS_KEY   SERVICE_VOLATILE_KEY L"\\Tokens"

/* The like, with values as in the store: ranges that end with the prefix, and such of the store as
 * are to be as if deleted until then. */
#define SERVICE_ACTIVE_KEY    SERVICE_VOLATILE_KEY L"\\Active"
#define SERVICE_SUSPENDED_KEY SERVICE_VOLATILE_KEY L"\\Suspended"

#endif
