/*
 * Puts the holder into the list of services, and takes it out
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "portpool_private.h"

#include <winreg.h>
#include <winsvc.h>

#include "service.h"
#include "tawny_debug.h"

WINE_DEFAULT_DEBUG_CHANNEL(portpool);

#define SERVICE_DISPLAY_NAME L"Tawny port reservations"
#define SERVICE_COMMAND      L"%SystemRoot%\\system32\\svchost.exe -k " SERVICE_NAME
#define SERVICE_DLL          L"%SystemRoot%\\system32\\portpool.dll"
#define SERVICE_GROUP        SERVICE_NAME L"\0" /* a list of one service */

/* In milliseconds. */
#define STOP_PATIENCE 15000
#define STOP_STEP     50

static LSTATUS register_value(const WCHAR *path, const WCHAR *name, DWORD type, const WCHAR *value,
                              DWORD size)
{
    LSTATUS error;
    HKEY key;

    error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_SET_VALUE | KEY_WOW64_64KEY,
                            NULL, &key, NULL);
    if (error) return error;
    error = RegSetValueExW(key, name, 0, type, (const BYTE *)value, size);
    RegCloseKey(key);
    return error;
}

static LSTATUS register_values(void)
{
    LSTATUS error;

    error = register_value(SERVICE_PARAMETERS_KEY, L"ServiceDll", REG_EXPAND_SZ, SERVICE_DLL,
                           sizeof(SERVICE_DLL));
    if (error) return error;
    return register_value(SERVICE_HOST_KEY, SERVICE_NAME, REG_MULTI_SZ, SERVICE_GROUP,
                          sizeof(SERVICE_GROUP));
}

static void unregister_group(void)
{
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, SERVICE_HOST_KEY, 0, KEY_SET_VALUE | KEY_WOW64_64KEY,
                      &key))
        return;
    RegDeleteValueW(key, SERVICE_NAME);
    RegCloseKey(key);
}

/* Makes the service; one that is there already is made what it should be. *created says which. */
static SC_HANDLE register_service(SC_HANDLE manager, BOOL *created)
{
    SC_HANDLE service;

    service = CreateServiceW(manager, SERVICE_NAME, SERVICE_DISPLAY_NAME, SERVICE_ALL_ACCESS,
                             SERVICE_WIN32_SHARE_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                             SERVICE_COMMAND, NULL, NULL, NULL, NULL, NULL);
    *created = !!service;
    if (service || GetLastError() != ERROR_SERVICE_EXISTS) return service;

    if (!(service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS))) return NULL;
    if (!ChangeServiceConfigW(service, SERVICE_WIN32_SHARE_PROCESS, SERVICE_AUTO_START,
                              SERVICE_ERROR_NORMAL, SERVICE_COMMAND, NULL, NULL, NULL, NULL, NULL,
                              SERVICE_DISPLAY_NAME))
    {
        DWORD error = GetLastError();

        CloseServiceHandle(service);
        SetLastError(error);
        return NULL;
    }
    return service;
}

static DWORD register_with(SC_HANDLE manager)
{
    SC_HANDLE service;
    BOOL created;
    LSTATUS error;

    if (!(service = register_service(manager, &created))) return GetLastError();
    error = register_values();
    if (error && created)
    {
        /* The rest is of no use, and was not there before. */
        DeleteService(service);
        unregister_group();
    }
    CloseServiceHandle(service);
    return error;
}

HRESULT WINAPI DllRegisterServer(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    DWORD error = manager ? register_with(manager) : GetLastError();

    if (manager) CloseServiceHandle(manager);
    if (error) ERR("the service could not be registered, error %lu\n", error);
    return HRESULT_FROM_WIN32(error);
}

/* Stops the service and waits, but not for ever, until it has. */
static DWORD unregister_stop(SC_HANDLE service)
{
    SERVICE_STATUS status;

    if (!ControlService(service, SERVICE_CONTROL_STOP, &status) &&
        GetLastError() == ERROR_SERVICE_NOT_ACTIVE)
        return NO_ERROR;
    for (UINT waited = 0; waited < STOP_PATIENCE; waited += STOP_STEP)
    {
        if (!QueryServiceStatus(service, &status)) return GetLastError();
        if (status.dwCurrentState == SERVICE_STOPPED) return NO_ERROR;
        /* One that was just starting did not hear of it. */
        if (status.dwCurrentState == SERVICE_RUNNING)
            ControlService(service, SERVICE_CONTROL_STOP, &status);
        Sleep(STOP_STEP);
    }
    return ERROR_SERVICE_REQUEST_TIMEOUT;
}

static DWORD unregister_service(SC_HANDLE manager)
{
    SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS);
    DWORD error;

    if (!service) return GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST ? NO_ERROR : GetLastError();
    error = unregister_stop(service);
    if (!error && !DeleteService(service)) error = GetLastError();
    CloseServiceHandle(service);
    return error == ERROR_SERVICE_MARKED_FOR_DELETE ? NO_ERROR : error;
}

/* The ranges themselves stay in the registry: they are the user's. */
static DWORD unregister_with(SC_HANDLE manager)
{
    DWORD error = unregister_service(manager);

    if (error) return error;
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, SERVICE_KEY);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, SERVICE_VOLATILE_KEY);
    unregister_group();
    return NO_ERROR;
}

HRESULT WINAPI DllUnregisterServer(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    DWORD error = manager ? unregister_with(manager) : GetLastError();

    if (manager) CloseServiceHandle(manager);
    if (error) ERR("the service could not be removed, error %lu\n", error);
    return HRESULT_FROM_WIN32(error);
}
