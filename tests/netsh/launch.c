/*
 * Tests of netsh as install scripts call it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

#define BATCH "netsh-test.bat"

/* Command lines that people have published, in documents, install scripts and images. Each
 * reserves ports, and what it reserves is deleted after it. */
static const struct
{
    const char *line;
    unsigned int kind;
    USHORT start;
    USHORT count;
} published[] = {
    /* for gRPC, and for what WinNAT takes away */
    {"netsh int ipv4 add excludedportrange protocol=tcp startport=50051 numberofports=1 "
     "store=persistent",
     TCP4, 50051, 1},
    {"netsh interface ipv4 add excludedportrange protocol=tcp startport=8080 numberofports=1 "
     "store=persistent",
     TCP4, 8080, 1},
    {"netsh int ipv4 add excludedportrange protocol=tcp numberofports=100 startport=50000", TCP4,
     50000, 100},
    {"netsh interface ipv4 add excludedportrange tcp 5985 2", TCP4, 5985, 2},
    {"netsh int ipv6 add excludedportrange protocol=tcp startport=52520 numberofports=100", TCP6,
     52520, 100},
    /* of Microsoft's documents, for probes of SQL Server's listeners */
    {"netsh int ipv4 add excludedportrange tcp startport=59999 numberofports=1 store=persistent",
     TCP4, 59999, 1},
    /* of images of virtual machines, for a port that their network drops */
    {"netsh int ipv4 add excludedportrange udp 65330 1 persistent", UDP4, 65330, 1},
    {"netsh int ipv4 Add excludedportrange protocol=udp startport=65330 numberofports=1 "
     "store=persistent",
     UDP4, 65330, 1},
    /* of a maker of a management agent */
    {"netsh.exe int ipv4 add excludedportrange udp 52311 1", UDP4, 52311, 1},
};

static void check_published(const char *how, const char *line)
{
    char command[512];

    snprintf(command, sizeof(command), "%s%s", how, line);
    check_said_(__FILE__, __LINE__, command, run_program(command, test_directory(), NULL), 0, OK);
}

/* Through the command interpreter, and by a program that relies on the path. */
static void test_published(void)
{
    static const char *const ways[] = {"cmd.exe /c ", ""};

    for (unsigned int i = 0; i < ARRAYSIZE(published); i++)
    {
        for (unsigned int j = 0; j < ARRAYSIZE(ways); j++)
        {
            const struct kind *kind = &kinds[published[i].kind];

            check_published(ways[j], published[i].line);
            check_listed(kind, published[i].start, published[i].count, PORTPOOL_KIND_PERSISTENT,
                         TRUE);
            check_stored(kind, published[i].start, published[i].count, TRUE);
            check_delete(kind, published[i].start, published[i].count, 0);
        }
    }
}

/* A batch file that does what many do: look, add, say what came of it. */
static void test_batch(void)
{
    static const char batch[] =
        "@echo off\r\n"
        "netsh interface ipv4 show excludedportrange protocol=tcp | find \" 8181 \" >nul\r\n"
        "if not errorlevel 1 echo there already\r\n"
        "netsh int ipv4 add excludedportrange tcp 8181 10 >nul 2>&1\r\n"
        "if %ERRORLEVEL% EQU 0 (echo excluded) else (echo failed)\r\n"
        "netsh int ipv4 add excludedportrange tcp 8181 10 >nul 2>&1\r\n"
        "if %ERRORLEVEL% EQU 0 (echo excluded) else (echo failed)\r\n"
        "netsh int ipv4 delete excludedportrange protocol=tcp startport=8181 numberofports=10 "
        "&& echo deleted\r\n"
        "netsh int ipv4 delete excludedportrange protocol=tcp startport=8181 numberofports=10 "
        "|| echo not there\r\n"
        "exit /b 0\r\n";
    char line[512];

    snprintf(line, sizeof(line), "cmd.exe /c \"%s\"",
             write_test_file(BATCH, batch, sizeof(batch) - 1));
    check_said_(__FILE__, __LINE__, "batch file", run_program(line, test_directory(), NULL), 0,
                "excluded\r\nfailed\r\n" OK "deleted\r\n" NOT_THERE "not there\r\n");
    check_not_listed(&kinds[TCP4], 8181, 10);
    DeleteFileA(write_test_file(BATCH, "", 0));
}

/* What netsh does not know here does nothing and succeeds, as with Wine's own. */
static void test_unknown(void)
{
    static const char *const lines[] = {
        "",
        "dump",
        "winsock reset",
        "winhttp import proxy source=ie",
        "int ip reset",
        "int ipv4 dump",
        "-c interface dump",
        "interface dump",
        "int ip set address \"Local Area Connection\" static 192.168.0.2 255.255.255.0",
        "interface ipv4 set dynamicport tcp start=10000 num=1000",
        "int ipv6 isatap set state disabled",
        "int tcp set global autotuninglevel=normal",
        "interface portproxy add v4tov4 listenport=8080 connectport=80 connectaddress=127.0.0.1",
        ("advfirewall firewall add rule name=\"A rule\" dir=in action=allow protocol=TCP "
         "localport=80"),
        "firewall add portopening protocol = TCP port = 80 name = Web mode = ENABLE",
        "http add urlacl url=http://+:80/ user=Everyone",
        "-r another int ipv4 add excludedportrange tcp 5000 1",
        "something nobody has ever heard of",
    };

    for (unsigned int i = 0; i < ARRAYSIZE(lines); i++) check_netsh(0, "", "%s", lines[i]);
    check_not_listed(&kinds[TCP4], 5000, 1);
}

static void test_launch(void)
{
    test_published();
    test_batch();
    test_unknown();
}

START_TEST(launch)
{
    ranges_test(NULL, test_launch);
}
