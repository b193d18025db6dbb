/*
 * The holder as a service, in a process of svchost
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winsvc.h>

#include "service.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

/* In milliseconds. The holder may be in the midst of a change that must get to disk. */
#define STOP_PATIENCE 10000

static SERVICE_STATUS_HANDLE status_handle;
static HANDLE stop;

static void service_report(DWORD state, DWORD error)
{
    SERVICE_STATUS status = {
        .dwServiceType = SERVICE_WIN32_SHARE_PROCESS,
        .dwCurrentState = state,
        .dwControlsAccepted =
            state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0,
        .dwWin32ExitCode = error,
        .dwWaitHint = state == SERVICE_STOP_PENDING ? STOP_PATIENCE : 0,
    };

    TRACE("state %lu, error %lu\n", state, error);
    SetServiceStatus(status_handle, &status);
}

static DWORD WINAPI service_control(DWORD control, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    (void)context;
    switch (control)
    {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
        service_report(SERVICE_STOP_PENDING, NO_ERROR);
        SetEvent(stop);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

/* The prefix's first program waits until a service that starts with it reports for the first time.
 * Nothing has been reported before: no program can have been given one of the ports. */
static void service_is_ready(void)
{
    service_report(SERVICE_RUNNING, NO_ERROR);
}

/* Without the wineserver this process would be of no use, and in the next one's way. */
static DWORD WINAPI service_follow_wineserver(void *context)
{
    (void)context;
    unix_call(UNIX_CALL_FOLLOW_WINESERVER, NULL);
    WARN("the connection to the wineserver was not found\n");
    return 0;
}

static BOOL service_begin_following(void)
{
    static HANDLE thread;

    if (!thread) thread = CreateThread(NULL, 0, service_follow_wineserver, NULL, 0, NULL);
    if (!thread) ERR("no thread, error %lu\n", GetLastError());
    return !!thread;
}

void WINAPI ServiceMain(DWORD argc, WCHAR **argv)
{
    DWORD error = ERROR_NOT_READY;

    (void)argc;
    (void)argv;
    status_handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, service_control, NULL);
    if (!status_handle)
    {
        ERR("no service handler, error %lu\n", GetLastError());
        return;
    }
    if ((stop = CreateEventW(NULL, TRUE, FALSE, NULL)))
    {
        if (pool_is_ready() && service_begin_following() && holder_run(stop, service_is_ready))
            error = NO_ERROR;
        CloseHandle(stop);
    }
    service_report(SERVICE_STOPPED, error);
}
