/*
 * Tests of the journal: its records, what a crash or a full disk leaves of it, and trimming
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A process opens one journal in its life: each test has a process, and a prefix, of its own.
 */
#define _GNU_SOURCE
#include "dlls/portpool/unix/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/hive.h"
#include "dlls/portpool/unix/record.h"
#include "test.h"

#define JOURNAL "portpool.journal"
#define HIVE    "system.reg"
#define LIMIT   100000 /* of a file's text */

static char prefix[64];

static const char *prefix_path(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", prefix, name);
    return path;
}

static void make_prefix(void)
{
    strcpy(prefix, "/tmp/tawny-journal-XXXXXX");
    if (!mkdtemp(prefix))
    {
        perror(prefix);
        exit(1);
    }
    setenv("WINEPREFIX", prefix, 1);
}

static void remove_prefix(void)
{
    unlink(prefix_path(JOURNAL));
    unlink(prefix_path(JOURNAL ".new"));
    unlink(prefix_path(HIVE));
    ok(!rmdir(prefix), "%s holds something else: error %d", prefix, errno);
}

/* Runs a function in a child, and says whether it ended by itself. */
static void run_child(void (*function)(void))
{
    pid_t child;
    int status;

    fflush(stdout);
    if (!(child = fork()))
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        function();
        /* With the sanitizers' look for leaks. */
        exit(0);
    }
    ok(waitpid(child, &status, 0) == child && !status, "the child ended with status %#x", status);
}

/* Runs a test in a process and a prefix of its own. */
static void run_test(void (*test)(void))
{
    make_prefix();
    run_child(test);
    remove_prefix();
}

static void write_file(const char *name, const char *text, size_t length)
{
    int fd = open(prefix_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd == -1 || write(fd, text, length) != (ssize_t)length)
    {
        perror(prefix_path(name));
        exit(1);
    }
    close(fd);
}

/* Reads a file of the prefix; its length, -1 if there is none. */
static ssize_t read_file(const char *name, char text[LIMIT])
{
    int fd = open(prefix_path(name), O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd == -1) return -1;
    length = read(fd, text, LIMIT);
    close(fd);
    return length;
}

static struct unix_journal_record some_record(uint64_t generation)
{
    return (struct unix_journal_record){.generation = generation,
                                        .remove = generation % 3 == 0,
                                        .protocol = generation % 2 ? UNIX_TCP : UNIX_UDP,
                                        .start = 1000 + generation % 50000,
                                        .count = 1 + generation % 100};
}

static bool same_record(const struct unix_journal_record *record,
                        const struct unix_journal_record *other)
{
    return record->generation == other->generation && record->remove == other->remove &&
           record->protocol == other->protocol && record->start == other->start &&
           record->count == other->count;
}

/* The text of the records from first to last. */
static size_t format_records(char *text, uint64_t first, uint64_t last)
{
    size_t length = 0;

    for (uint64_t i = first; i <= last; i++)
    {
        struct unix_journal_record record = some_record(i);

        length += record_format(&record, text + length);
    }
    return length;
}

/* Checks that the open journal lists the records from first to last. */
#define check_records(first, last) check_records_(__LINE__, first, last)
static void check_records_(int line, uint64_t first, uint64_t last)
{
    struct unix_journal_record records[200], expected;
    enum unix_status status;
    uint32_t count = 99999;

    status = journal_read(records, 200, &count);
    ok_(__FILE__, line, !status && count == last + 1 - first, "status %u, %u records, expected %u",
        status, count, (unsigned int)(last + 1 - first));
    for (uint32_t i = 0; i < count && i < 200; i++)
    {
        expected = some_record(first + i);
        ok_(__FILE__, line, same_record(&records[i], &expected),
            "record %u: generation %" PRIu64 ", start %u", i, records[i].generation,
            records[i].start);
    }
}

/* Checks that the journal's file has the records from first to last and nothing else. */
#define check_file(first, last) check_file_(__LINE__, first, last)
static void check_file_(int line, uint64_t first, uint64_t last)
{
    static char expected[LIMIT], text[LIMIT];
    size_t length = format_records(expected, first, last);
    ssize_t found = read_file(JOURNAL, text);

    ok_(__FILE__, line, found == (ssize_t)length && !memcmp(text, expected, length),
        "%zd bytes, expected %zu, or others", found, length);
}

#define check_append(generation, expected) check_append_(__LINE__, generation, expected)
static void check_append_(int line, uint64_t generation, enum unix_status expected)
{
    struct unix_journal_record record = some_record(generation);
    enum unix_status status = journal_append(&record);

    ok_(__FILE__, line, status == expected, "status %u, expected %u", status, expected);
}

#define check_open(expected) check_open_(__LINE__, expected)
static void check_open_(int line, enum unix_status expected)
{
    enum unix_status status = journal_open();

    ok_(__FILE__, line, status == expected, "status %u, expected %u", status, expected);
}

/* The text form, as it is for all time. */
static void test_record_text(void)
{
    static const struct
    {
        struct unix_journal_record record;
        const char *line;
    } rows[] = {
        {{1, 0, UNIX_TCP, 5000, 20}, "1 add tcp 5000 20 95495a3d\n"},
        {{2, 1, UNIX_UDP, 52311, 1}, "2 remove udp 52311 1 6cc6f09b\n"},
        {{UINT64_MAX, 1, UNIX_UDP, 1, 65535}, "18446744073709551615 remove udp 1 65535 3b7e0c5b\n"},
        {{10, 0, UNIX_UDP, 65535, 1}, "10 add udp 65535 1 3d165c81\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    {
        struct unix_journal_record record;
        char line[RECORD_SIZE];
        size_t length = record_format(&rows[i].record, line);

        ok(length == strlen(rows[i].line) && !strcmp(line, rows[i].line), "\"%s\"", line);
        ok(record_parse(rows[i].line, length, &record) == length &&
               same_record(&record, &rows[i].record),
           "\"%s\" is read as another record", rows[i].line);
        /* Other text may follow. */
        strcat(line, "x");
        ok(record_parse(line, length + 1, &record) == length, "\"%s\" is not read", line);
    }
}

/* Parses a text of which not one byte more can be read. */
static size_t parse_exactly(const char *text, size_t length, struct unix_journal_record *record)
{
    char *copy = malloc(length ? length : 1);
    size_t parsed;

    memcpy(copy, text, length);
    parsed = record_parse(length ? copy : copy + 1, length, record);
    free(copy);
    return parsed;
}

/* A line that differs in a byte, or ends early, is none. */
static void test_record_damage(uint64_t generation)
{
    struct unix_journal_record record = some_record(generation), parsed;
    char line[RECORD_SIZE], damaged[RECORD_SIZE];
    size_t length = record_format(&record, line);

    ok(parse_exactly(line, length, &parsed) == length && same_record(&record, &parsed), "\"%s\"",
       line);
    for (size_t i = 0; i < length; i++)
    {
        ok(!parse_exactly(line, i, &parsed), "%zu bytes of \"%s\" are a record", i, line);
        for (int byte = 0; byte < 256; byte++)
        {
            memcpy(damaged, line, sizeof(line));
            damaged[i] = byte;
            if (damaged[i] != line[i] && parse_exactly(damaged, length, &parsed))
                ok(false, "\"%s\" is a record", damaged);
        }
    }
}

/* Lines that have the right checksum, and no sense. */
static void test_record_sense(void)
{
    static const struct unix_journal_record records[] = {
        {0, 0, UNIX_TCP, 5000, 20}, {1, 0, UNIX_TCP, 0, 20},    {1, 0, UNIX_TCP, 5000, 0},
        {1, 0, UNIX_TCP, 65535, 2}, {1, 0, UNIX_TCP, 1, 65535},
    };

    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
    {
        struct unix_journal_record record;
        char line[RECORD_SIZE];
        size_t length = record_format(&records[i], line);
        bool sound = record_parse(line, length, &record);

        /* The last one is all there is. */
        ok(sound == (i == sizeof(records) / sizeof(records[0]) - 1), "\"%s\": %d", line, sound);
    }
}

/* A line that is far longer than any of ours. */
static void test_record_length(void)
{
    struct unix_journal_record record;
    char text[1000];

    memset(text, '1', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    for (size_t i = 0; i < sizeof(text); i++)
        ok(!parse_exactly(text + i, sizeof(text) - i, &record), "%zu digits are a record",
           sizeof(text) - 1 - i);
}

#define KEY8  "[System\\\\CurrentControlSet\\\\Services\\\\PortPool\\\\Parameters] 1700000000\n"
#define KEY10 "[System\\\\ControlSet001\\\\Services\\\\PortPool\\\\Parameters] 1700000000\n"
#define KEY2  "[System\\\\ControlSet002\\\\Services\\\\PortPool\\\\Parameters] 1700000000\n"
#define OTHER "[System\\\\CurrentControlSet\\\\Services\\\\PortPool] 1700000000\n"
#define FIVE  "\"Generation\"=hex(b):05,00,00,00,00,00,00,00\n"
#define SIX   "\"Generation\"=hex(b):06,00,00,00,00,00,00,00\n"
#define NONE  "\"Generation\"=hex(b):00,00,00,00,00,00,00,00\n"

static const struct
{
    const char *text;
    uint64_t generation;
} hives[] = {
    {"", 0},
    {"WINE REGISTRY Version 2\n;; All keys relative to \\\\Machine\n\n#arch=win64\n\n" KEY8
     "#time=1da0000000000\n\"ServiceDll\"=\"C:\\\\x.dll\"\n" FIVE "\n[System\\\\Z] 1\n",
     5},
    {KEY10 FIVE, 5},
    {OTHER "\"x\"=dword:00000001\n\n" KEY8 FIVE, 5},
    {KEY8 "\"Generation\"=hex(b):08,07,06,05,04,03,02,01\n", UINT64_C(0x0102030405060708)},
    {KEY8 "\"Generation\"=hex(b):ff,FF,ff,ff,ff,ff,ff,fF", UINT64_MAX},
    {KEY8 "\"Generation\"=hex(b):05,00,\\\n  00,00,00,00,00,00\n", 5},
    {KEY8 "\"Generation\"=hex(b):\\\n  05,\\\n  00,00,00,00,00,00,\\\r\n\t00\r\n", 5},
    {"[SYSTEM\\\\currentcontrolset\\\\services\\\\portpool\\\\parameters]\n\"generation\"=HEX(B):"
     "05,00,00,00,00,00,00,00\n",
     5},
    {KEY8 "\"Generations\"=hex(b):06,00,00,00,00,00,00,00\n" FIVE, 5},
    /* Several control sets: the lowest. */
    {KEY8 FIVE KEY10 SIX, 5},
    {KEY8 SIX KEY10 FIVE, 5},
    {KEY8 SIX KEY10 NONE KEY2 FIVE, 0},
    /* Elsewhere. */
    {FIVE, 0},
    {OTHER FIVE, 0},
    {KEY8 "\n" OTHER FIVE, 0},
    {"[System\\\\A\\\\B\\\\Services\\\\PortPool\\\\Parameters]\n" FIVE, 0},
    {"[Software\\\\CurrentControlSet\\\\Services\\\\PortPool\\\\Parameters]\n" FIVE, 0},
    {"[System\\\\Services\\\\PortPool\\\\Parameters]\n" FIVE, 0},
    {"[System\\\\CurrentControlSet\\\\Services\\\\PortPool\\\\Parameters\\\\X]\n" FIVE, 0},
    {"x" KEY8 FIVE, 0},
    {"\"a\"=\"\n" OTHER FIVE, 0},
    /* Not such a number. */
    {KEY8 "\"Generation\"=dword:00000005\n", 0},
    {KEY8 "\"Generation\"=hex(b):05,00,00,00\n", 0},
    {KEY8 "\"Generation\"=hex(b):05,00,00,00,00,00,00,00,00\n", 0},
    {KEY8 "\"Generation\"=hex(b):05,00,00,00,00,00,00,0\n", 0},
    {KEY8 "\"Generation\"=hex(b):05,00,00,00,00,00,00,\n", 0},
    {KEY8 "\"Generation\"=hex(b):05 00 00 00 00 00 00 00\n", 0},
    {KEY8 "\"Generation\"=hex(b):0x,00,00,00,00,00,00,00\n", 0},
    {KEY8 "\"Generation\"=hex(b):\\\n", 0},
    {KEY8 "\"Generation\"=hex:05,00,00,00,00,00,00,00\n", 0},
    {KEY8 "\"Generation\"=\"5\"\n", 0},
    {KEY8 "\"Generation\"", 0},
};

static uint64_t generation_exactly(const char *text, size_t length)
{
    char *copy = malloc(length ? length : 1);
    uint64_t generation;

    memcpy(copy, text, length);
    generation = hive_generation(copy, length);
    free(copy);
    return generation;
}

static void test_hives(void)
{
    for (size_t i = 0; i < sizeof(hives) / sizeof(hives[0]); i++)
    {
        uint64_t generation = generation_exactly(hives[i].text, strlen(hives[i].text));

        ok(generation == hives[i].generation, "row %zu: %" PRIx64 ", expected %" PRIx64, i,
           generation, hives[i].generation);
    }
}

/* Texts that are torn off, or have bytes changed: whatever comes out, nothing else is read. */
static void test_hive_damage(void)
{
    char text[1024];

    for (size_t i = 0; i < sizeof(hives) / sizeof(hives[0]); i++)
    {
        size_t length = strlen(hives[i].text);

        for (size_t end = 0; end < length; end++)
        {
            uint64_t generation = generation_exactly(hives[i].text, end);

            /* A value that is torn off is none. Where there are two, the other one counts. */
            ok(!generation || generation == 5 || generation == 6 ||
                   generation == hives[i].generation,
               "row %zu, %zu bytes: %" PRIx64, i, end, generation);
        }
        for (int round = 0; round < 2000 && length; round++)
        {
            memcpy(text, hives[i].text, length);
            for (int changes = random() % 4; changes >= 0; changes--)
                text[random() % length] =
                    random() % 2 ? "\\\n\"[]=,:\r 0"[random() % 11] : random();
            generation_exactly(text, random() % (length + 1));
        }
    }
}

static void test_open(void)
{
    struct stat status;
    int flags = 0;

    check_open(UNIX_SUCCESS);
    check_open(UNIX_SUCCESS);
    ok(!stat(prefix_path(JOURNAL), &status) && (status.st_mode & 07777) == 0600, "mode %o",
       status.st_mode);
    /* No descriptor of it is for child processes. */
    for (int fd = 3; fd < 20; fd++)
    {
        struct stat own;

        if (fstat(fd, &own) || own.st_dev != status.st_dev) continue;
        if (!S_ISDIR(own.st_mode) && own.st_ino != status.st_ino) continue;
        ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "descriptor %d is inherited", fd);
        flags++;
    }
    ok(flags >= 2, "%d descriptors found", flags);
    check_records(1, 0);
}

static void append_one(void)
{
    check_open(UNIX_SUCCESS);
    check_append(3, UNIX_SUCCESS);
    check_records(1, 3);
}

/* Says whether a program that does not know us finds that somebody has the journal. */
static bool others_locked_out(void)
{
    pid_t child;
    int status;

    fflush(stdout);
    if (!(child = fork()))
    {
        execl("/proc/self/exe", "journal", "open", NULL);
        _exit(2);
    }
    return waitpid(child, &status, 0) == child && !status;
}

static void test_append(void)
{
    struct unix_journal_record records[2], expected = some_record(1);
    uint32_t count;

    check_open(UNIX_SUCCESS);
    check_append(1, UNIX_SUCCESS);
    check_append(2, UNIX_SUCCESS);
    check_records(1, 2);
    check_file(1, 2);
    /* More than there is room for. */
    records[1].generation = 77;
    ok(!journal_read(records, 1, &count) && count == 2, "%u records", count);
    ok(same_record(&records[0], &expected) && records[1].generation == 77, "more than the array");
    ok(!journal_read(NULL, 0, &count) && count == 2, "%u records", count);
    ok(others_locked_out(), "another process could open the journal");
    check_file(1, 2);
}

/* In one process after the other. */
static void test_lock(void)
{
    make_prefix();
    run_child(test_append);
    ok(!others_locked_out(), "the journal is locked, and nobody has it");
    run_child(append_one);
    check_file(1, 3);
    remove_prefix();
}

static void open_nowhere(void)
{
    check_open(UNIX_FAILED);
}

static void test_no_prefix(void)
{
    char wine[128];

    run_child(open_nowhere);
    make_prefix();
    rmdir(prefix);
    run_child(open_nowhere);

    /* Without WINEPREFIX. */
    make_prefix();
    unsetenv("WINEPREFIX");
    setenv("HOME", prefix, 1);
    strcat(prefix, "/.wine");
    strcpy(wine, prefix);
    mkdir(prefix, 0700);
    run_child(test_append);
    check_file(1, 2);
    remove_prefix();
    *strrchr(wine, '/') = 0;
    rmdir(wine);
    unsetenv("HOME");
    run_child(open_nowhere);
}

/* What stands behind the sound records when a journal is opened. */
static char torn_text[LIMIT];
static size_t torn_length;

static void open_torn(void)
{
    check_open(UNIX_SUCCESS);
    check_records(1, 3);
    check_append(4, UNIX_SUCCESS);
    check_records(1, 4);
    check_append(5, UNIX_SUCCESS);
    check_file(1, 5);
}

static void check_torn(const char *tail, size_t length)
{
    torn_length = format_records(torn_text, 1, 3);
    memcpy(torn_text + torn_length, tail, length);
    torn_length += length;
    write_file(JOURNAL, torn_text, torn_length);
    run_child(open_torn);
}

/* A crash leaves a part of a record; or, on some file systems, zeroes, or what stood there. */
static void test_torn(void)
{
    char line[RECORD_SIZE], tail[LIMIT];
    struct unix_journal_record record = some_record(4);
    size_t length = record_format(&record, line);

    make_prefix();
    for (size_t i = 0; i < length; i++)
    {
        memcpy(tail, line, length);
        check_torn(tail, i);
        memset(tail + i, 0, length - i);
        check_torn(tail, length);
        /* A record after it is lost, too: it was never reported. */
        memcpy(tail + length, line, length);
        check_torn(tail, 2 * length);
    }
    check_torn("\n", 1);
    check_torn("\n\n\n", 3);
    memset(tail, 'x', 50000);
    check_torn(tail, 50000);
    remove_prefix();
}

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    ok(!setrlimit(RLIMIT_FSIZE, &limit), "error %d", errno);
}

static void write_hive(uint64_t generation)
{
    char text[256];
    size_t length = sprintf(text, "WINE REGISTRY Version 2\n\n%s\"Generation\"=hex(b):", KEY10);

    for (int i = 0; i < 8; i++)
        length += sprintf(text + length, "%02x%s", (unsigned int)(generation >> 8 * i & 0xff),
                          i < 7 ? "," : "\n");
    write_file(HIVE, text, length);
}

/* Whatever part of a record the disk has room for. */
static void test_full(void)
{
    char line[RECORD_SIZE], text[LIMIT];
    struct unix_journal_record record = some_record(3);
    size_t length = record_format(&record, line), before = format_records(text, 1, 2);
    uint32_t remaining;

    signal(SIGXFSZ, SIG_IGN);
    check_open(UNIX_SUCCESS);
    check_append(1, UNIX_SUCCESS);
    check_append(2, UNIX_SUCCESS);
    for (size_t room = 0; room < length; room++)
    {
        limit_file_size(before + room);
        check_append(3, UNIX_DISK_FULL);
        check_file(1, 2);
        check_records(1, 2);
    }
    /* Trimming needs room as well. */
    limit_file_size(RLIM_INFINITY);
    write_hive(1);
    limit_file_size(10);
    ok(journal_trim(&remaining) == UNIX_FAILED && remaining == 2, "%u remaining", remaining);
    limit_file_size(RLIM_INFINITY);
    check_file(1, 2);
    ok(access(prefix_path(JOURNAL ".new"), F_OK), "a file is left over");
    check_append(3, UNIX_SUCCESS);
    check_file(1, 3);
}

/* A disk that is really full: a small file system in memory. */
static void test_small_disk(void)
{
    static char filler[16384];
    unsigned int appended = 0;
    struct unix_journal_record record;
    uint32_t count;
    int fd;

    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", prefix, "tmpfs", 0, "size=16k"))
    {
        skip("THE HOST ALLOWS NO MOUNT NAMESPACE: a disk that is full is not tested");
        return;
    }
    fd = open(prefix_path("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ok(write(fd, filler, 8192) == 8192, "error %d", errno);
    check_open(UNIX_SUCCESS);
    for (; appended < 10000; appended++)
    {
        record = some_record(appended + 1);
        if (journal_append(&record)) break;
    }
    ok(appended > 10 && appended < 1000, "%u records", appended);
    check_append(appended + 1, UNIX_DISK_FULL);
    ok(!journal_read(NULL, 0, &count) && count == appended, "%u records, expected %u", count,
       appended);
    check_file(1, appended);
    /* Room again. */
    ok(!ftruncate(fd, 0), "error %d", errno);
    check_append(appended + 1, UNIX_SUCCESS);
    check_file(1, appended + 1);
    close(fd);
}

#define check_trim(expected) check_trim_(__LINE__, expected)
static void check_trim_(int line, uint32_t expected)
{
    uint32_t remaining = 99999;
    enum unix_status status = journal_trim(&remaining);

    ok_(__FILE__, line, !status && remaining == expected, "status %u, %u remaining, expected %u",
        status, remaining, expected);
    ok_(__FILE__, line, access(prefix_path(JOURNAL ".new"), F_OK), "a file is left over");
}

static void test_trim(void)
{
    static char leftover[LIMIT];
    struct stat status;

    check_open(UNIX_SUCCESS);
    for (uint64_t i = 1; i <= 20; i++) check_append(i, UNIX_SUCCESS);
    /* Nothing is saved yet, or nothing of ours. */
    check_trim(20);
    write_file(HIVE, KEY8, strlen(KEY8));
    check_trim(20);
    write_hive(0);
    check_trim(20);
    check_file(1, 20);

    /* One who was killed has left this behind. */
    write_file(JOURNAL ".new", leftover, format_records(leftover, 1, 100));
    write_hive(5);
    check_trim(15);
    check_file(6, 20);
    check_records(6, 20);
    ok(!stat(prefix_path(JOURNAL), &status) && (status.st_mode & 07777) == 0600, "mode %o",
       status.st_mode);
    check_trim(15);
    check_append(21, UNIX_SUCCESS);
    check_file(6, 21);
    write_hive(20);
    check_trim(1);
    check_file(21, 21);
    write_hive(1000);
    check_trim(0);
    check_file(1, 0);
    check_trim(0);
    check_append(1001, UNIX_SUCCESS);
    check_trim(1);
    check_file(1001, 1001);
    ok(others_locked_out(), "another process could open the journal");
}

/* Trimming cuts off what is torn, too. */
static void trim_torn(void)
{
    check_open(UNIX_SUCCESS);
    check_trim(1);
    check_file(3, 3);
    check_append(4, UNIX_SUCCESS);
    check_file(3, 4);
}

static void test_trim_torn(void)
{
    torn_length = format_records(torn_text, 1, 3);
    write_file(JOURNAL, torn_text, torn_length);
    torn_length += sprintf(torn_text + torn_length, "4 add tcp");
    write_file(JOURNAL, torn_text, torn_length);
    write_hive(2);
    trim_torn();
}

/* Others that try to open the journal while it is replaced over and over. */
static void test_trim_lock(void)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 1000), failed = 0;
    struct unix_journal_record record;
    uint32_t remaining;
    int status = 0;
    pid_t child;

    check_open(UNIX_SUCCESS);
    fflush(stdout);
    if (!(child = fork()))
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* What we inherit is the parent's lock as well. */
        for (int fd = 3; fd < 20; fd++) close(fd);
        while (others_locked_out()) continue;
        _exit(1);
    }
    for (unsigned long i = 1; i <= rounds; i++)
    {
        record = some_record(i);
        failed += journal_append(&record) != 0;
        write_hive(i);
        failed += journal_trim(&remaining) || remaining;
    }
    ok(!failed, "%lu failures", failed);
    ok(!waitpid(child, &status, WNOHANG), "another process could open the journal");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* Appends, and trims now and then, and says after each record that it is safe. */
static void append_forever(int report)
{
    struct unix_journal_record record;
    uint32_t remaining;

    if (journal_open()) _exit(1);
    for (uint64_t i = 1;; i++)
    {
        record = some_record(i);
        if (journal_append(&record) || write(report, &i, sizeof(i)) != sizeof(i)) _exit(1);
        if (i % 7) continue;
        write_hive(i - 3);
        if (journal_trim(&remaining)) _exit(1);
    }
}

static uint64_t expected_last;

static void check_survived(void)
{
    struct unix_journal_record records[50], expected;
    uint32_t count = 0;

    check_open(UNIX_SUCCESS);
    ok(!journal_read(records, 50, &count) && count && count < 50, "%u records", count);
    for (uint32_t i = 0; i < count; i++)
    {
        expected = some_record(records[0].generation + i);
        ok(same_record(&records[i], &expected), "record %u: generation %" PRIu64, i,
           records[i].generation);
    }
    /* One more may be there than was reported. */
    if (count)
        ok(records[count - 1].generation - expected_last < 2,
           "the last is %" PRIu64 ", expected %" PRIu64, records[count - 1].generation,
           expected_last);
}

/* The process is killed at a moment of chance: what it had reported is there. */
static void test_killed(void)
{
    uint64_t number;
    int ends[2], status;
    pid_t child;

    make_prefix();
    if (!ok(!pipe(ends), "error %d", errno)) return;
    fflush(stdout);
    if (!(child = fork()))
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        append_forever(ends[1]);
    }
    close(ends[1]);
    for (long reports = 1 + random() % 30; reports; reports--)
        if (read(ends[0], &expected_last, sizeof(expected_last)) != sizeof(expected_last)) break;
    usleep(random() % 300);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "the child ended with status %#x", status);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number)) expected_last = number;
    close(ends[0]);
    run_child(check_survived);
    remove_prefix();
}

int main(int argc, char **argv)
{
    /* Run by test_trim_lock: says whether somebody has the journal. */
    if (argc == 2 && !strcmp(argv[1], "open")) return journal_open() != UNIX_IN_USE;

    test_start("journal");
    test_seed();
    unsetenv("WINEPREFIX");
    unsetenv("HOME");
    test_record_text();
    for (uint64_t i = 1; i < UINT64_C(1) << 60; i = i * 7 + random() % 5) test_record_damage(i);
    test_record_sense();
    test_record_length();
    test_hives();
    test_hive_damage();
    run_test(test_open);
    test_lock();
    test_no_prefix();
    test_torn();
    run_test(test_full);
    run_test(test_small_disk);
    run_test(test_trim);
    run_test(test_trim_torn);
    run_test(test_trim_lock);
    for (int i = 0; i < 50; i++) test_killed();
    return test_end();
}
