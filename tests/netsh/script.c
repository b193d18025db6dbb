/*
 * Tests of netsh's files of commands
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

#define SCRIPT "netsh-script.txt"

/* Runs a script, with places for a port. */
static void check_script_(int line, USHORT port, DWORD code, const char *said, const char *format)
{
    char text[2048];
    const char *path;
    int length;

    length = snprintf(text, sizeof(text), format, port, port, port, port);
    path = write_test_file(SCRIPT, text, length);
    check_netsh_(__FILE__, line, code, said, "-f \"%s\"", path);
    DeleteFileA(path);
}
#define check_script(...) check_script_(__LINE__, __VA_ARGS__)

/* Contexts, comments, empty lines, and lines that end as they like. */
static void test_contexts(void)
{
    USHORT start = find_ports(1);

    check_script(start, 0, OK OK,
                 "interface ipv4 add excludedportrange tcp %u 1\r\n"
                 "int ipv6 delete excludedportrange tcp %u 1\r\n");
    check_script(start, 0, OK OK,
                 "# What netsh dump writes begins like this\n"
                 "pushd interface ipv4\n"
                 "\n"
                 "reset\n"
                 "add excludedportrange protocol=tcp startport=%u numberofports=1\n"
                 "popd\n"
                 "# End\n"
                 "interface\n"
                 "ipv6\n"
                 "\tdel ex tcp \"%u\" 1");
    check_script(start, 0, OK OK,
                 "int ip\r"
                 "add ex tcp %u 1\r"
                 "..\r"
                 "ipv6 del ex tcp %u 1\r"
                 "bye\r"
                 "int ipv4 add ex tcp %u 1\r");
    /* The context stays where it was put, and others are found from there. */
    check_script(start, 0, OK OK,
                 "interface ipv6\r\n"
                 "interface portproxy show all\r\n"
                 "winhttp show proxy\r\n"
                 "add ex tcp %u 1\r\n"
                 "winhttp\r\n"
                 "add ex tcp %u 1\r\n"
                 "int ip del ex tcp %u 1\r\n");
    check_not_listed(&kinds[TCP4], start, 1);
}

/* All is done, also after what failed; then all of it failed. */
static void test_failure(void)
{
    USHORT start = find_ports(1);

    check_script(start, 1, OK IN_USE OK NOT_THERE,
                 "int ip add ex udp %u 1\n"
                 "int ip add ex udp %u 1\n"
                 "int ip del ex udp %u 1\n"
                 "int ip del ex udp %u 1\n");
    check_script(start, 1, "The following command was not found: int ip add nothing.\r\n" OK OK,
                 "int ip add nothing\n"
                 "int ip add ex udp %u 1\n"
                 "int ip del ex udp %u 1\n");
    check_netsh(1, NO_FILE, "-f \"%snetsh-no-such-file.txt\"", test_directory());
    check_netsh(1, NO_FILE, "exec \"%snetsh-no-such-file.txt\"", test_directory());
}

static void test_encodings(void)
{
    static const WCHAR wide[] = L"\xfeff# \x00e4\x4e2d\r\nint ipv4 show dynamicport udp\r\n";
    static const char utf8[] = "\xef\xbb\xbfint ipv4 show dynamicport udp\r\n";
    static const char ansi[] = "# \xe4\xff\r\nint ipv4 show dynamicport udp\r\n";
    static const char said[] = "\r\nProtocol udp Dynamic Port Range\r\n"
                               "---------------------------------\r\n"
                               "Start Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
    const char *path;

    path = write_test_file(SCRIPT, wide, sizeof(wide) - sizeof(*wide));
    check_netsh(0, said, "-f %s", path);
    path = write_test_file(SCRIPT, utf8, sizeof(utf8) - 1);
    check_netsh(0, said, "exec %s", path);
    path = write_test_file(SCRIPT, ansi, sizeof(ansi) - 1);
    check_netsh(0, said, "/f %s", path);
    path = write_test_file(SCRIPT, NULL, 0);
    check_netsh(0, "", "-f %s", path);
    DeleteFileA(path);
}

/* A script that names itself comes to an end. */
static void test_recursion(void)
{
    char text[512];
    struct said said;
    const char *path;

    snprintf(text, sizeof(text), "exec \"%s%s\"\n", test_directory(), SCRIPT);
    path = write_test_file(SCRIPT, text, strlen(text));
    said = run_netsh("-f %s", path);
    ok(said.code == 1, "exit code %lu\n", said.code);
    ok(!strcmp(said.text, NO_FILE), "said %s\n", said.text);
    free(said.text);
    DeleteFileA(path);
}

static void test_script(void)
{
    test_contexts();
    test_failure();
    test_encodings();
    test_recursion();
}

START_TEST(script)
{
    ranges_test(NULL, test_script);
}
