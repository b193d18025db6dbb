/*
 * Tests in the manner of Wine's
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names, the meaning and the output of Wine's own wine/test.h, in a text of its own, so that a
 * test can be moved into Wine's tree as it is. A test says what Windows does:
 *
 *   ok(condition, "message", …)     counts a check, and tells of one that fails
 *   todo_wine ok(…)                 fails on Wine as yet, and is to be told when it no longer does
 *   broken(condition)               what some Windows does, and Wine must not
 *   skip("message", …)              what cannot be checked here
 *   win_skip("message", …)          the same, for what only an old Windows lacks
 *   trace("message", …)             says something
 *
 * The program is called with a test's name, and what else winetest_get_mainargs is to give to it.
 * Its exit code is the number of failures, 255 at most. All may be called from any thread.
 *
 * In the environment: WINETEST_PLATFORM ("wine" or "windows") takes the place of what was found
 * out, WINETEST_DEBUG=0 silences traces, WINETEST_INTERACTIVE=1 and WINETEST_REPORT_SUCCESS=1 are
 * as in Wine.
 */
#ifndef __WINE_WINE_TEST_H
#define __WINE_WINE_TEST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windef.h>
#include <winbase.h>

#ifdef __MINGW_PRINTF_FORMAT
#define WINETEST_PRINTF(text, first) __attribute__((format(__MINGW_PRINTF_FORMAT, text, first)))
#else
#define WINETEST_PRINTF(text, first)
#endif

extern int winetest_debug;
extern int winetest_interactive;
extern int winetest_report_success;
extern const char *winetest_platform;

/* Where the calling thread's next check stands in the source. */
extern void winetest_set_location(const char *file, int line);

extern void winetest_ok(int condition, const char *format, ...) WINETEST_PRINTF(2, 3);
extern void winetest_skip(const char *format, ...) WINETEST_PRINTF(1, 2);
extern void winetest_win_skip(const char *format, ...) WINETEST_PRINTF(1, 2);
extern void winetest_trace(const char *format, ...) WINETEST_PRINTF(1, 2);
extern int broken(int condition);

extern void winetest_start_todo(int is_todo);
extern int winetest_loop_todo(void);
extern void winetest_end_todo(void);

/* Stands before the calling thread's messages until it is taken away. */
extern void winetest_push_context(const char *format, ...) WINETEST_PRINTF(1, 2);
extern void winetest_pop_context(void);

extern int winetest_get_mainargs(char ***argv);
extern LONG winetest_get_failures(void);
extern void winetest_add_failures(LONG count);
/* Waits for a process that runs this program, and counts its failures as ours. */
extern void winetest_wait_child_process(HANDLE process);

/* Text that lasts until the thread has asked for some dozens more. */
extern const char *wine_dbgstr_longlong(ULONGLONG value);

#define START_TEST(name)                                                                           \
    void func_##name(void);                                                                        \
    void func_##name(void)

#define winetest_at_(file, line, function)                                                         \
    (winetest_set_location(file, line), 0) ? (void)0 : function
#define ok_(file, line)                 winetest_at_(file, line, winetest_ok)
#define skip_(file, line)               winetest_at_(file, line, winetest_skip)
#define win_skip_(file, line)           winetest_at_(file, line, winetest_win_skip)
#define trace_(file, line)              winetest_at_(file, line, winetest_trace)
#define wait_child_process_(file, line) winetest_at_(file, line, winetest_wait_child_process)

#define ok                 ok_(__FILE__, __LINE__)
#define skip               skip_(__FILE__, __LINE__)
#define win_skip           win_skip_(__FILE__, __LINE__)
#define trace              trace_(__FILE__, __LINE__)
#define wait_child_process wait_child_process_(__FILE__, __LINE__)

#define todo_if(is_todo)                                                                           \
    for (winetest_start_todo(is_todo); winetest_loop_todo(); winetest_end_todo())
#define todo_wine             todo_if(!strcmp(winetest_platform, "wine"))
#define todo_wine_if(is_todo) todo_if((is_todo) && !strcmp(winetest_platform, "wine"))

/* The rest is for the one file, testlist.c, that makes a program of the tests. */
#ifdef STANDALONE

struct test
{
    const char *name;
    void (*func)(void);
};

extern const struct test winetest_testlist[]; /* ends with a NULL name */

int winetest_debug = 1;
int winetest_interactive;
int winetest_report_success;
const char *winetest_platform = "windows";

#define WINETEST_CONTEXTS       8
#define WINETEST_CONTEXT_LENGTH 128
#define WINETEST_STRINGS        32
#define WINETEST_CHILD_TIMEOUT  30000

static int winetest_argc;
static char **winetest_argv;
static const char *winetest_name;
static DWORD winetest_tls;

static volatile LONG winetest_succeeded;
static volatile LONG winetest_failed;
static volatile LONG winetest_skipped;
static volatile LONG winetest_todo;           /* failed where that is known */
static volatile LONG winetest_todo_succeeded; /* succeeded where that is news */

struct winetest_thread
{
    const char *file;
    int line;
    /* A bit for each todo block that we are in, the innermost lowest: whether it is one. */
    unsigned int todo_blocks;
    int todo_entering;
    unsigned int context_count;
    char contexts[WINETEST_CONTEXTS][WINETEST_CONTEXT_LENGTH];
    unsigned int string_count;
    char strings[WINETEST_STRINGS][24];
};

static struct winetest_thread *winetest_thread(void)
{
    /* The last error, at which a test may be about to look, stays as it is. */
    DWORD error = GetLastError();
    struct winetest_thread *thread = TlsGetValue(winetest_tls);

    if (!thread)
    {
        thread = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*thread));
        if (!thread) ExitProcess(255);
        thread->file = "";
        TlsSetValue(winetest_tls, thread);
    }
    SetLastError(error);
    return thread;
}

/* Writes one line, whole, whatever other threads and processes write: one write is one piece. */
static void winetest_print(const char *kind, const char *format, va_list args)
{
    struct winetest_thread *thread = winetest_thread();
    DWORD error = GetLastError(), written;
    char text[4096];
    int length, size = sizeof(text) - 1;
    unsigned int i;

    length = snprintf(text, size, "%s:%d: %s", thread->file, thread->line, kind);
    for (i = 0; i < thread->context_count && length < size; i++)
        length += snprintf(text + length, size - length, "%s: ", thread->contexts[i]);
    if (length < size) length += vsnprintf(text + length, size - length, format, args);
    if (length > size - 1) length = size - 1;
    if (!length || text[length - 1] != '\n') text[length++] = '\n';
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, length, &written, NULL);
    SetLastError(error);
}

static void winetest_say(const char *kind, const char *format, ...) WINETEST_PRINTF(2, 3);

static void winetest_say(const char *kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    winetest_print(kind, format, args);
    va_end(args);
}

void winetest_set_location(const char *file, int line)
{
    struct winetest_thread *thread = winetest_thread();
    const char *name = file;

    for (; *file; file++)
        if (*file == '/' || *file == '\\') name = file + 1;
    thread->file = name;
    thread->line = line;
}

static void winetest_vok(int condition, const char *format, va_list args)
{
    int todo = winetest_thread()->todo_blocks != 0;

    if (todo && condition)
    {
        winetest_print("Test succeeded inside todo block: ", format, args);
        InterlockedIncrement(&winetest_todo_succeeded);
    }
    else if (todo)
    {
        if (winetest_debug > 0) winetest_print("Test marked todo: ", format, args);
        InterlockedIncrement(&winetest_todo);
    }
    else if (condition)
    {
        if (winetest_report_success) winetest_print("Test succeeded: ", format, args);
        InterlockedIncrement(&winetest_succeeded);
    }
    else
    {
        winetest_print("Test failed: ", format, args);
        InterlockedIncrement(&winetest_failed);
    }
}

void winetest_ok(int condition, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    winetest_vok(condition, format, args);
    va_end(args);
}

void winetest_skip(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    winetest_print("Tests skipped: ", format, args);
    va_end(args);
    InterlockedIncrement(&winetest_skipped);
}

void winetest_win_skip(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!strcmp(winetest_platform, "windows"))
    {
        winetest_print("Tests skipped: ", format, args);
        InterlockedIncrement(&winetest_skipped);
    }
    else
        winetest_vok(0, format, args);
    va_end(args);
}

void winetest_trace(const char *format, ...)
{
    va_list args;

    if (winetest_debug <= 0) return;
    va_start(args, format);
    winetest_print("", format, args);
    va_end(args);
}

int broken(int condition)
{
    return condition && !strcmp(winetest_platform, "windows");
}

void winetest_start_todo(int is_todo)
{
    struct winetest_thread *thread = winetest_thread();

    thread->todo_blocks = thread->todo_blocks << 1 | (is_todo != 0);
    thread->todo_entering = 1;
}

int winetest_loop_todo(void)
{
    struct winetest_thread *thread = winetest_thread();
    int entering = thread->todo_entering;

    thread->todo_entering = 0;
    return entering;
}

void winetest_end_todo(void)
{
    winetest_thread()->todo_blocks >>= 1;
}

void winetest_push_context(const char *format, ...)
{
    struct winetest_thread *thread = winetest_thread();
    va_list args;

    if (thread->context_count < WINETEST_CONTEXTS)
    {
        va_start(args, format);
        vsnprintf(thread->contexts[thread->context_count], WINETEST_CONTEXT_LENGTH, format, args);
        va_end(args);
        thread->contexts[thread->context_count][WINETEST_CONTEXT_LENGTH - 1] = 0;
    }
    thread->context_count++;
}

void winetest_pop_context(void)
{
    struct winetest_thread *thread = winetest_thread();

    if (thread->context_count) thread->context_count--;
}

int winetest_get_mainargs(char ***argv)
{
    *argv = winetest_argv;
    return winetest_argc;
}

LONG winetest_get_failures(void)
{
    return winetest_failed;
}

void winetest_add_failures(LONG count)
{
    while (count-- > 0) InterlockedIncrement(&winetest_failed);
}

void winetest_wait_child_process(HANDLE process)
{
    DWORD code;

    if (WaitForSingleObject(process, WINETEST_CHILD_TIMEOUT) != WAIT_OBJECT_0)
    {
        winetest_say("", "child process has not ended in %d seconds\n",
                     WINETEST_CHILD_TIMEOUT / 1000);
        TerminateProcess(process, 255);
        winetest_add_failures(1);
        return;
    }
    GetExitCodeProcess(process, &code);
    if (code > 255)
    {
        winetest_say("", "unhandled exception %08lx in child process\n", code);
        winetest_add_failures(1);
    }
    else if (code)
    {
        winetest_say("", "%lu failures in child process\n", code);
        winetest_add_failures(code);
    }
}

const char *wine_dbgstr_longlong(ULONGLONG value)
{
    struct winetest_thread *thread = winetest_thread();
    char *text = thread->strings[thread->string_count++ % WINETEST_STRINGS];

    if (value >> 32)
        snprintf(text, sizeof(thread->strings[0]), "%lx%08lx", (unsigned long)(value >> 32),
                 (unsigned long)value);
    else
        snprintf(text, sizeof(thread->strings[0]), "%lx", (unsigned long)value);
    return text;
}

static LONG WINAPI winetest_exception(EXCEPTION_POINTERS *pointers)
{
    winetest_say("", "unhandled exception %08lx at %p\n", pointers->ExceptionRecord->ExceptionCode,
                 pointers->ExceptionRecord->ExceptionAddress);
    /* No debugger, no dialogue: the code is the exit code. */
    return EXCEPTION_EXECUTE_HANDLER;
}

static int winetest_number(const char *variable, int otherwise)
{
    char text[16];
    DWORD length = GetEnvironmentVariableA(variable, text, sizeof(text));

    return length && length < sizeof(text) ? atoi(text) : otherwise;
}

static void winetest_init(int argc, char **argv)
{
    static char platform[16];
    DWORD length = GetEnvironmentVariableA("WINETEST_PLATFORM", platform, sizeof(platform));

    winetest_argc = argc;
    winetest_argv = argv;
    winetest_tls = TlsAlloc();
    if (GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_server_call"))
        winetest_platform = "wine";
    if (length && length < sizeof(platform)) winetest_platform = platform;
    winetest_debug = winetest_number("WINETEST_DEBUG", winetest_debug);
    winetest_interactive = winetest_number("WINETEST_INTERACTIVE", 0);
    winetest_report_success = winetest_number("WINETEST_REPORT_SUCCESS", 0);
    SetUnhandledExceptionFilter(winetest_exception);
}

static int winetest_run(const struct test *test)
{
    LONG failures;

    winetest_name = test->name;
    test->func();
    failures = winetest_failed + winetest_todo_succeeded;
    printf("%04lx:%s: %ld tests executed (%ld marked as todo, %ld %s), %ld skipped.\n",
           GetCurrentProcessId(), winetest_name,
           winetest_succeeded + winetest_failed + winetest_todo + winetest_todo_succeeded,
           winetest_todo, failures, failures == 1 ? "failure" : "failures", winetest_skipped);
    fflush(stdout);
    return failures > 255 ? 255 : failures;
}

int main(int argc, char **argv)
{
    const struct test *test;

    winetest_init(argc, argv);
    if (argc > 1)
        for (test = winetest_testlist; test->name; test++)
            if (!strcmp(test->name, argv[1])) return winetest_run(test);

    fprintf(stderr, "Usage: %s TEST [ARGUMENTS]\nThe tests are:\n", argv[0]);
    for (test = winetest_testlist; test->name; test++) fprintf(stderr, "  %s\n", test->name);
    return 2;
}

#endif /* STANDALONE */

#endif
