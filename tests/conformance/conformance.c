/*
 * conformance: runs the test programs that lie beside it, and prints one report
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Needs nothing but Windows, or what takes its place: the report is how one implementation of port
 * reservations is compared with another. Each test runs in a process of its own, which is ended,
 * with all that it has started, when its time is over. What the tests say goes to a log, out of
 * which the report is made.
 */
#include <windows.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_SUFFIX "_test.exe"
#define LOG_NAME       "conformance.log"
#define REPORT_NAME    "conformance.txt"
#define LIST_HEAD      "The tests are:"

#define NAME_SIZE      64
#define PROGRAMS_LIMIT 32
#define NOTE_SIZE      240

/* What a test, or all of them together, came to. */
struct result
{
    unsigned int passed;
    unsigned int failed;
    unsigned int todo;
    unsigned int skipped;
};

/* A place in the tests where a check failed or was skipped, with what it said the first time. */
struct note
{
    char test[2 * NAME_SIZE];
    char place[NAME_SIZE]; /* file and line */
    char text[NOTE_SIZE];
    unsigned int count;
};

struct notes
{
    const char *title;
    const char *mark; /* by which the log's lines of this kind are known */
    unsigned int count;
    struct note *notes;
};

static struct notes skips = {.title = "Skipped", .mark = ": Tests skipped: "};
static struct notes failures = {.title = "Failed", .mark = ": Test failed: "};
static struct notes news = {.title = "Passed, though marked todo",
                            .mark = ": Test succeeded inside todo block: "};

static char directory[MAX_PATH];
static DWORD patience = 120000;
static HANDLE log_writer, log_reader;
static FILE *report;

static void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "conformance: %s failed, error %lu.\n", what, GetLastError());
    exit(2);
}

static void usage(FILE *to)
{
    fputs(
        "Usage: conformance [--timeout SECONDS] [TEST...]\n"
        "Runs the tests of port reservations and prints a report: all of them, those of a\n"
        "program (ws2_32), or single ones (ws2_32:bind). The report goes to the file\n" REPORT_NAME
        " as well, and what the tests say to " LOG_NAME ". Start it where these\n"
        "can be written, as an administrator.\n"
        "\n"
        "  --timeout SECONDS   what one test may take (default 120)\n"
        "\n"
        "Exit code: 0 if no check failed, 1 if one did, 2 if the tests could not be run.\n",
        to);
}

static void __attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2))) say(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fputs(text, stdout);
    fflush(stdout);
    fputs(text, report);
}

/* The tests write where the one before them has ended: their handle is this one. */
static void open_files(void)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};

    log_writer = CreateFileA(LOG_NAME, GENERIC_WRITE, FILE_SHARE_READ, &inherit, CREATE_ALWAYS,
                             FILE_ATTRIBUTE_NORMAL, NULL);
    if (log_writer == INVALID_HANDLE_VALUE) fail("writing " LOG_NAME);
    log_reader = CreateFileA(LOG_NAME, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                             OPEN_EXISTING, 0, NULL);
    if (log_reader == INVALID_HANDLE_VALUE) fail("reading " LOG_NAME);
    if (!(report = fopen(REPORT_NAME, "w"))) fail("writing " REPORT_NAME);
}

/* Sets a heading into the log. What follows it is what the next program says. */
static void log_begin(const char *what)
{
    char text[3 * MAX_PATH];
    DWORD written;
    int length = snprintf(text, sizeof(text), "=== %s\r\n", what);

    WriteFile(log_writer, text, length, &written, NULL);
    SetFilePointer(log_reader, 0, NULL, FILE_END);
}

/* What was written since log_begin. The caller frees it. */
static char *log_read(void)
{
    DWORD start = SetFilePointer(log_reader, 0, NULL, FILE_CURRENT), got = 0;
    DWORD size = GetFileSize(log_reader, NULL) - start;
    char *text = malloc(size + 1);

    if (!text) fail("malloc");
    if (size && !ReadFile(log_reader, text, size, &got, NULL)) fail("reading " LOG_NAME);
    text[got] = 0;
    return text;
}

/* A program under way, in a job that ends all that it starts. */
struct child
{
    PROCESS_INFORMATION process;
    HANDLE job;
};

/* FALSE if that is no program for this system. */
static BOOL child_start(struct child *child, char *command)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    STARTUPINFOA info = {.cb = sizeof(info), .dwFlags = STARTF_USESTDHANDLES};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    BOOL success;

    info.hStdOutput = info.hStdError = log_writer;
    info.hStdInput = CreateFileA("NUL", GENERIC_READ, 0, &inherit, OPEN_EXISTING, 0, NULL);
    child->job = CreateJobObjectA(NULL, NULL);
    SetInformationJobObject(child->job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
    success = CreateProcessA(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, directory,
                             &info, &child->process);
    if (success)
    {
        AssignProcessToJobObject(child->job, child->process.hProcess);
        ResumeThread(child->process.hThread);
    }
    else
        CloseHandle(child->job);
    CloseHandle(info.hStdInput);
    return success;
}

/* Runs a command to its end: its exit code, or STILL_ACTIVE if its time was over. One that does not
 * start has said nothing. */
static DWORD child_run(char *command, DWORD *id)
{
    DWORD code = STILL_ACTIVE;
    struct child child;

    log_begin(command);
    *id = 0;
    if (!child_start(&child, command)) return 0;
    *id = child.process.dwProcessId;
    if (WaitForSingleObject(child.process.hProcess, patience) == WAIT_OBJECT_0)
        GetExitCodeProcess(child.process.hProcess, &code);
    /* What the test has left behind would be in the way of the next. */
    TerminateJobObject(child.job, 1);
    WaitForSingleObject(child.process.hProcess, 10000);
    CloseHandle(child.job);
    CloseHandle(child.process.hThread);
    CloseHandle(child.process.hProcess);
    return code;
}

/* The line after this one; NULL after the last. Ends this one. */
static char *next_line(char *line)
{
    char *end = strpbrk(line, "\r\n");

    if (!end) return NULL;
    while (*end == '\r' || *end == '\n') *end++ = 0;
    return *end ? end : NULL;
}

static void result_add(struct result *result, const struct result *other)
{
    result->passed += other->passed;
    result->failed += other->failed;
    result->todo += other->todo;
    result->skipped += other->skipped;
}

/* Reads the line in which a process of the test says what came of it, which begins with the number
 * of the process. A parent has counted its child's failures as its own, but no more than the 255
 * that an exit code can tell. TRUE if it is the line of the test itself. */
static BOOL result_read(struct result *result, const char *test, DWORD id, const char *line)
{
    unsigned int executed, todo, failed, skipped;
    char name[NAME_SIZE], failures_word[16];
    DWORD process;

    if (sscanf(line,
               "%lx:%63[^:]: %u tests executed (%u marked as todo, %u %15[failures]), %u skipped.",
               &process, name, &executed, &todo, &failed, failures_word, &skipped) != 7)
        return FALSE;
    if (strcmp(name, test)) return FALSE;
    result->passed += executed - todo - failed;
    result->todo += todo;
    result->skipped += skipped;
    if (process == id)
        result->failed += failed;
    else if (failed > 255)
        result->failed += failed - 255;
    return process == id;
}

static struct note *note_find(struct notes *notes, const char *test, const char *place)
{
    struct note *note;
    unsigned int i;

    for (i = 0; i < notes->count; i++)
        if (!strcmp(notes->notes[i].test, test) && !strcmp(notes->notes[i].place, place))
            return &notes->notes[i];
    notes->notes = realloc(notes->notes, ++notes->count * sizeof(*note));
    if (!notes->notes) fail("realloc");
    note = &notes->notes[i];
    memset(note, 0, sizeof(*note));
    snprintf(note->test, sizeof(note->test), "%s", test);
    snprintf(note->place, sizeof(note->place), "%s", place);
    return note;
}

/* Takes note of a line of this kind, once for each place in the source. */
static void note_read(struct notes *notes, const char *test, const char *line)
{
    const char *mark = strstr(line, notes->mark);
    char place[NAME_SIZE];
    struct note *note;

    if (!mark) return;
    snprintf(place, sizeof(place), "%.*s", (int)(mark - line), line);
    note = note_find(notes, test, place);
    if (note->count++) return;
    snprintf(note->text, sizeof(note->text), "%s", mark + strlen(notes->mark));
}

static void notes_print(const struct notes *notes)
{
    const struct note *note;

    if (!notes->count) return;
    say("\n%s:\n", notes->title);
    for (note = notes->notes; note < notes->notes + notes->count; note++)
    {
        say("  %s %s", note->test, note->place);
        if (note->count > 1) say(" (%u times, first)", note->count);
        say(": %s\n", note->text);
    }
}

static void run_test(const char *program, const char *test, struct result *total)
{
    char command[2 * MAX_PATH], full_name[2 * NAME_SIZE], *text, *line, *next;
    struct result result = {0};
    const char *remark = "";
    BOOL has_ended = FALSE;
    DWORD code, id;

    snprintf(full_name, sizeof(full_name), "%s:%s", program, test);
    snprintf(command, sizeof(command), "\"%s\\%s" PROGRAM_SUFFIX "\" %s", directory, program, test);
    code = child_run(command, &id);
    text = log_read();
    for (line = text; line; line = next)
    {
        next = next_line(line);
        has_ended |= result_read(&result, test, id, line);
        note_read(&skips, full_name, line);
        note_read(&failures, full_name, line);
        note_read(&news, full_name, line);
    }
    free(text);

    if (code == STILL_ACTIVE)
        remark = "timed out";
    else if (!has_ended || (code && !result.failed))
        remark = "crashed";
    if (*remark) result.failed++;
    say("%-10s %-12s %8u %8u %8u %8u  %s\n", program, test, result.passed, result.failed,
        result.todo, result.skipped, remark);
    result_add(total, &result);
}

static BOOL is_chosen(const char *program, const char *test, char **chosen, int count)
{
    char name[2 * NAME_SIZE];

    snprintf(name, sizeof(name), "%s:%s", program, test);
    for (int i = 0; i < count; i++)
        if (!_stricmp(chosen[i], program) || !_stricmp(chosen[i], name)) return TRUE;
    return !count;
}

/* A test program that is not told what to run says what it could. */
static unsigned int run_program(const char *program, char **chosen, int count, struct result *total)
{
    char command[2 * MAX_PATH], *text, *line, *next;
    unsigned int ran = 0;
    BOOL is_listed = FALSE;
    DWORD id;

    snprintf(command, sizeof(command), "\"%s\\%s" PROGRAM_SUFFIX "\"", directory, program);
    child_run(command, &id);
    text = log_read();
    for (line = text; line; line = next)
    {
        next = next_line(line);
        line += strspn(line, " ");
        if (is_listed && is_chosen(program, line, chosen, count))
        {
            run_test(program, line, total);
            ran++;
        }
        if (!strcmp(line, LIST_HEAD)) is_listed = TRUE;
    }
    free(text);
    if (is_listed) return ran;
    say("%-10s %-12s %8u %8u %8u %8u  %s\n", program, "-", 0, 1, 0, 0, "does not start");
    total->failed++;
    return 1;
}

static int compare_names(const void *first, const void *second)
{
    return strcmp(first, second);
}

/* In the order of their names, wherever they are: reports are to be compared. */
static unsigned int run_programs(char **chosen, int count, struct result *total)
{
    char pattern[2 * MAX_PATH], programs[PROGRAMS_LIMIT][NAME_SIZE];
    unsigned int found_count = 0, ran = 0, i;
    WIN32_FIND_DATAA found;
    HANDLE search;

    snprintf(pattern, sizeof(pattern), "%s\\*" PROGRAM_SUFFIX, directory);
    if ((search = FindFirstFileA(pattern, &found)) == INVALID_HANDLE_VALUE) fail(pattern);
    do
    {
        int length = strlen(found.cFileName) - strlen(PROGRAM_SUFFIX);

        snprintf(programs[found_count++], NAME_SIZE, "%.*s", length, found.cFileName);
    } while (found_count < PROGRAMS_LIMIT && FindNextFileA(search, &found));
    FindClose(search);
    qsort(programs, found_count, NAME_SIZE, compare_names);
    for (i = 0; i < found_count; i++) ran += run_program(programs[i], chosen, count, total);
    return ran;
}

static BOOL is_administrator(void)
{
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof(sid);
    BOOL member = FALSE;

    if (CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &size))
        CheckTokenMembership(NULL, sid, &member);
    return member;
}

/* Says what is tested: the report is nothing without it. */
static void print_system(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    const char *(CDECL * wine_version)(void) = (void *)GetProcAddress(ntdll, "wine_get_version");
    LONG(WINAPI * version)(OSVERSIONINFOW *) = (void *)GetProcAddress(ntdll, "RtlGetVersion");
    OSVERSIONINFOW info = {.dwOSVersionInfoSize = sizeof(info)};

    version(&info);
    say("tests       of Tawny " TAWNY_VERSION "\n");
    say("system      Windows %lu.%lu.%lu\n", info.dwMajorVersion, info.dwMinorVersion,
        info.dwBuildNumber);
    /* Tawny's ws2_32.dll has Wine's own beside it. */
    LoadLibraryA("ws2_32.dll");
    if (wine_version)
        say("made by     Wine %s%s\n", wine_version(),
            GetModuleHandleA("ws2_32_wine.dll") ? " with Tawny" : "");
    else
        say("made by     Microsoft\n");
    say("rights      %s\n", is_administrator() ? "administrator" : "ordinary user");
    say("\n%-10s %-12s %8s %8s %8s %8s\n", "program", "test", "passed", "failed", "todo",
        "skipped");
}

static int run(char **chosen, int count)
{
    struct result total = {0};

    GetModuleFileNameA(NULL, directory, sizeof(directory));
    *strrchr(directory, '\\') = 0;
    open_files();
    /* A test that crashes is to end, not to ask. */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);

    print_system();
    if (!run_programs(chosen, count, &total))
    {
        fputs("conformance: no such test; see conformance --help.\n", stderr);
        return 2;
    }
    say("%-23s %8u %8u %8u %8u\n", "all", total.passed, total.failed, total.todo, total.skipped);
    notes_print(&skips);
    notes_print(&failures);
    notes_print(&news);
    return total.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    int first = 1;

    if (argc > 1 && !strcmp(argv[1], "--help")) return usage(stdout), 0;
    if (argc > 2 && !strcmp(argv[1], "--timeout") && atoi(argv[2]) > 0)
    {
        patience = atoi(argv[2]) * 1000;
        first = 3;
    }
    if (argc > first && argv[first][0] == '-') return usage(stderr), 2;
    return run(argv + first, argc - first);
}
