/*
 * The service that holds persistent reservations, as its tests need it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_TESTS_SERVICE_H
#define TAWNY_TESTS_SERVICE_H

#include "util.h"

/* What the service manager says: SERVICE_RUNNING and the like; 0 if it has no such service. */
DWORD service_state(void);
BOOL service_await_state_(const char *file, int line, DWORD state);
#define service_await_state(...) service_await_state_(__FILE__, __LINE__, __VA_ARGS__)

/* Starts it, and waits until it runs; nothing happens if it does. */
void service_start_(const char *file, int line);
#define service_start() service_start_(__FILE__, __LINE__)

/* Tells it to stop, once, and waits until it has. Not to be told to one that hangs: the service
 * manager would hang with it. */
void service_stop_(const char *file, int line);
#define service_stop() service_stop_(__FILE__, __LINE__)

/* The number of the holder's process on the host, 0 if there is none. */
int service_process(void);

/* Ends it by SIGKILL, and waits until it is gone. */
void service_kill_(const char *file, int line);
#define service_kill() service_kill_(__FILE__, __LINE__)

/* Has it hang, and go on. */
void service_freeze_(const char *file, int line, BOOL freeze);
#define service_freeze(freeze) service_freeze_(__FILE__, __LINE__, freeze)

#endif
