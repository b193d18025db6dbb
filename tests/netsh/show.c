/*
 * Tests of what netsh shows
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes are those that netsh on Windows was seen to write, by those who have published them.
 */
#include "util.h"

static const struct peer_command commands[] = {{"acquire", command_acquire}, {NULL, NULL}};

static void test_bytes(void)
{
    check_netsh(0,
                "\r\n"
                "Protocol tcp Port Exclusion Ranges\r\n"
                "\r\n"
                "Start Port    End Port      \r\n"
                "----------    --------      \r\n"
                "\r\n"
                "* - Administered port exclusions.\r\n"
                "\r\n",
                "interface ipv4 show excludedportrange protocol=tcp");
    check_netsh(0, OK, "int ipv4 add excludedportrange udp 50000 60");
    check_netsh(0, OK, "int ipv4 add excludedportrange udp 80 1");
    check_netsh(0,
                "\r\n"
                "Protocol udp Port Exclusion Ranges\r\n"
                "\r\n"
                "Start Port    End Port      \r\n"
                "----------    --------      \r\n"
                "        80          80     *\r\n"
                "     50000       50059     *\r\n"
                "\r\n"
                "* - Administered port exclusions.\r\n"
                "\r\n",
                "interface ipv6 show excludedportrange protocol=udp");
    check_netsh(0, OK, "int ipv4 delete excludedportrange udp 80 1");
    check_netsh(0, OK, "int ipv4 delete excludedportrange udp 50000 60");
}

static void test_dynamic(void)
{
    static const char *const families[] = {"ipv4", "ipv6", "ip"};
    static const char *const ends[] = {"", " store=active", " persistent"};

    for (unsigned int i = 0; i < ARRAYSIZE(families); i++)
    {
        check_netsh(0,
                    "\r\n"
                    "Protocol tcp Dynamic Port Range\r\n"
                    "---------------------------------\r\n"
                    "Start Port      : 49152\r\n"
                    "Number of Ports : 16384\r\n"
                    "\r\n",
                    "int %s show dynamicport tcp%s", families[i], ends[i]);
        check_netsh(0,
                    "\r\n"
                    "Protocol udp Dynamic Port Range\r\n"
                    "---------------------------------\r\n"
                    "Start Port      : 49152\r\n"
                    "Number of Ports : 16384\r\n"
                    "\r\n",
                    "interface %s show dynamicportrange protocol=udp%s", families[i], ends[i]);
    }
}

/* Blocks of programs have no star, ranges have one; all in the order of their ports. */
static void test_rows(const struct kind *kind, const struct kind *other)
{
    USHORT start = find_ports(20);
    SOCKET s = open_socket(kind);
    const struct row all[] = {{start, 2, FALSE},    {start + 2, 3, FALSE},  {start + 5, 1, TRUE},
                              {start + 6, 4, TRUE}, {start + 10, 1, FALSE}, {start + 11, 1, FALSE},
                              {start + 13, 7, TRUE}};
    const struct row persistent[] = {{start + 5, 1, TRUE}, {start + 13, 7, TRUE}};
    struct peer peer;

    peer_start(&peer);
    check_create(kind, start + 13, 7, 0, NULL);
    check_acquire(s, start + 11, 1, 0, NULL);
    check_acquire(s, start, 2, 0, NULL);
    peer_ask(&peer, 0, "acquire %u %u 1", (unsigned int)(kind - kinds), start + 10);
    check_acquire(s, start + 2, 3, 0, NULL);
    check_netsh(0, OK, "int ip add excludedportrange %s %u 4 active", protocol_word(kind),
                start + 6);
    check_create(kind, start + 5, 1, 0, NULL);

    check_shown(kind, NULL, all, ARRAYSIZE(all));
    check_shown(kind, "active", all, ARRAYSIZE(all));
    check_shown(kind, "persistent", persistent, ARRAYSIZE(persistent));
    check_shown(other, NULL, NULL, 0);

    /* Nobody gives back what a program has, not even a part of it. */
    check_netsh(1, DENIED, "int ip delete excludedportrange %s %u 2", protocol_word(kind), start);
    check_netsh(1, DENIED, "int ip delete excludedportrange %s %u 2 active", protocol_word(kind),
                start);
    check_netsh(1, NOT_THERE, "int ip delete excludedportrange %s %u 1", protocol_word(kind),
                start);
    check_shown(kind, NULL, all, ARRAYSIZE(all));

    peer_end(&peer, PEER_TERMINATE);
    check_close(s);
    check_netsh(0, OK, "int ip delete excludedportrange %s %u 4 active", protocol_word(kind),
                start + 6);
    check_delete(kind, start + 5, 1, 0);
    check_shown(kind, NULL, all + 6, 1);
    check_delete(kind, start + 13, 7, 0);
    check_shown(kind, NULL, NULL, 0);
    check_shown(kind, "persistent", NULL, 0);
}

/* Who is no administrator may look. */
static void test_privilege(void)
{
    HANDLE token = restricted_token(TokenPrimary);
    USHORT start = find_ports(3);
    char directory[MAX_PATH], line[512];
    struct said said;

    GetSystemDirectoryA(directory, sizeof(directory));
    check_create(&kinds[TCP4], start, 3, 0, NULL);
    snprintf(line, sizeof(line), "%s\\netsh.exe int ipv4 show ex tcp", directory);
    said = run_program(line, NULL, token);
    ok(!said.code && strstr(said.text, "     *\r\n"), "exit code %lu: %s\n", said.code, said.text);
    free(said.text);
    snprintf(line, sizeof(line), "%s\\netsh.exe int ipv4 add ex udp %u 3", directory, start);
    check_said_(__FILE__, __LINE__, line, run_program(line, NULL, token), 1, ELEVATION);
    snprintf(line, sizeof(line), "%s\\netsh.exe int ipv4 add ex udp %u 3 active", directory, start);
    check_said_(__FILE__, __LINE__, line, run_program(line, NULL, token), 1, ELEVATION);
    snprintf(line, sizeof(line), "%s\\netsh.exe int ipv4 del ex tcp %u 3", directory, start);
    check_said_(__FILE__, __LINE__, line, run_program(line, NULL, token), 1, ELEVATION);
    snprintf(line, sizeof(line), "%s\\netsh.exe int ipv4 del ex tcp %u 3 active", directory, start);
    check_said_(__FILE__, __LINE__, line, run_program(line, NULL, token), 1, ELEVATION);
    check_listed(&kinds[TCP4], start, 3, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_delete(&kinds[TCP4], start, 3, 0);
    CloseHandle(token);
}

static void test_show(void)
{
    test_bytes();
    test_dynamic();
    test_rows(&kinds[TCP4], &kinds[UDP4]);
    test_rows(&kinds[UDP_DUAL], &kinds[TCP_DUAL]);
    test_privilege();
}

START_TEST(show)
{
    ranges_test(commands, test_show);
}
