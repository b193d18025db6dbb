/*
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef TAWNY_PORTPOOL_UNIX_WINESERVER_H
#define TAWNY_PORTPOOL_UNIX_WINESERVER_H

/* Waits until the wineserver has ended, however it did, and ends this process then. Returns at
 * once, if the connection to it is not to be found. */
void wineserver_follow(void);

#endif
