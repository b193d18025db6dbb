/*
 * The rest of what we wrap: control codes, closing, starting and cleaning up
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ws2_32_private.h"

/* Successful calls of WSAStartup less those of WSACleanup. */
static volatile LONG startup_count;

/* Wine hands out its own WSASendMsg, past ours. */
static void ioctl_wrap_extension(const GUID *in, void **out, DWORD out_size)
{
    static const GUID wsasendmsg = WSAID_WSASENDMSG;
    LPFN_WSASENDMSG ours = WSASendMsg;
    GUID guid;

    if (out_size < sizeof(ours) || !memory_read(&guid, in, sizeof(guid))) return;
    if (!memcmp(&guid, &wsasendmsg, sizeof(guid))) memory_write(out, &ours, sizeof(ours));
}

int WINAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size,
                    LPDWORD returned, LPWSAOVERLAPPED overlapped,
                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    int ret;

    if (control_is_ours(s, code))
        return control_call(s, code, in, in_size, out, out_size, returned, overlapped, routine);
    ret = builtin_WSAIoctl(s, code, in, in_size, out, out_size, returned, overlapped, routine);
    if (!ret && code == SIO_GET_EXTENSION_FUNCTION_POINTER) ioctl_wrap_extension(in, out, out_size);
    return ret;
}

struct close_call
{
    SOCKET s;
    DWORD error;
};

static BOOL close_call(void *context)
{
    struct close_call *call = context;
    BOOL success = !builtin_closesocket(call->s);

    call->error = GetLastError();
    return success;
}

int WINAPI closesocket(SOCKET s)
{
    struct close_call call = {.s = s};
    int ret;

    AcquireSRWLockShared(control_lock(s));
    if (!pool_tracks_sockets())
        ret = builtin_closesocket(s);
    else
    {
        ret = pool->close((HANDLE)s, close_call, &call) ? SOCKET_ERROR : 0;
        SetLastError(call.error);
    }
    ReleaseSRWLockShared(control_lock(s));
    return ret;
}

int WINAPI WSAStartup(WORD version, LPWSADATA data)
{
    int ret = builtin_WSAStartup(version, data);

    if (!ret) InterlockedIncrement(&startup_count);
    return ret;
}

int WINAPI WSACleanup(void)
{
    int ret = builtin_WSACleanup();

    /* At zero Wine has closed every socket of the process, past our closesocket. */
    if (!ret && !InterlockedDecrement(&startup_count) && pool) pool->close_all();
    return ret;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) DisableThreadLibraryCalls(instance);
    return TRUE;
}
