/*
 * The service that holds persistent reservations, as its tests need it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service.h"

#include "portpool/porttable.h"

#define NAME    "PortPool"
#define TIMEOUT 30000

static const char table_name[] = "Global\\tawny_port_table_3";

/* What of an owner in the port table is the process' number on the host. */
#define PROCESS_MASK ((1 << 22) - 1)

static SC_HANDLE service_open(void)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT), service;

    ok(!!manager, "no service manager, error %lu\n", GetLastError());
    service = OpenServiceA(manager, NAME, SERVICE_START | SERVICE_STOP | SERVICE_QUERY_STATUS);
    CloseServiceHandle(manager);
    return service;
}

DWORD service_state(void)
{
    SC_HANDLE service = service_open();
    SERVICE_STATUS status = {0};

    if (!service) return 0;
    ok(QueryServiceStatus(service, &status), "error %lu\n", GetLastError());
    CloseServiceHandle(service);
    return status.dwCurrentState;
}

BOOL service_await_state_(const char *file, int line, DWORD state)
{
    DWORD begin = GetTickCount(), now;

    while ((now = service_state()) != state && GetTickCount() - begin < TIMEOUT) Sleep(20);
    ok_(file, line)(now == state, "the service's state is %lu, expected %lu\n", now, state);
    return now == state;
}

void service_start_(const char *file, int line)
{
    SC_HANDLE service = service_open();
    DWORD begin = GetTickCount(), error = 0;

    /* One that was killed just now counts as running for a while. */
    while (!StartServiceA(service, 0, NULL) && GetTickCount() - begin < TIMEOUT)
    {
        error = GetLastError();
        if (error == ERROR_SERVICE_ALREADY_RUNNING && service_process()) break;
        Sleep(20);
    }
    CloseServiceHandle(service);
    if (!service_await_state_(file, line, SERVICE_RUNNING))
        ok_(file, line)(0, "the service was not started, error %lu\n", error);
}

void service_stop_(const char *file, int line)
{
    SC_HANDLE service = service_open();
    SERVICE_STATUS status;
    BOOL ret;

    ret = ControlService(service, SERVICE_CONTROL_STOP, &status);
    ok_(file, line)(ret, "the service does not stop, error %lu\n", GetLastError());
    CloseServiceHandle(service);
    service_await_state_(file, line, SERVICE_STOPPED);
}

/* Says whether the process is there; not if only its parent has yet to hear of its end. */
static BOOL process_lives(int process)
{
    return process && outsider_number("descriptors %d", process) > 0;
}

int service_process(void)
{
    HANDLE section = OpenFileMappingA(FILE_MAP_READ, FALSE, table_name);
    const struct port_table *table;
    int process = 0;

    if (!section) return 0;
    if ((table = MapViewOfFile(section, FILE_MAP_READ, 0, 0, sizeof(*table))))
    {
        process = *(const volatile uint64_t *)&table->holder & PROCESS_MASK;
        UnmapViewOfFile(table);
    }
    CloseHandle(section);
    return process_lives(process) ? process : 0;
}

void service_kill_(const char *file, int line)
{
    DWORD begin = GetTickCount();
    int process = service_process();

    ok_(file, line)(process, "there is no holder to kill\n");
    if (!process) return;
    outsider("kill %d", process);
    while (process_lives(process) && GetTickCount() - begin < TIMEOUT) Sleep(5);
    ok_(file, line)(!process_lives(process), "the holder has not ended\n");
}

void service_freeze_(const char *file, int line, BOOL freeze)
{
    int process = service_process();

    ok_(file, line)(process, "there is no holder\n");
    if (process)
        ok_(file,
            line)(!outsider_number("signal %d %d", process, freeze ? LINUX_SIGSTOP : LINUX_SIGCONT),
                  "no signal was sent\n");
}
