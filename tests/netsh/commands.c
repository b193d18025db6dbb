/*
 * Tests of the forms that netsh's commands may have, and of how it refuses them
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util.h"

/* %1$u does not exist here: each has one place for a port, and means two ports from there on. */
static const char *const additions[] = {
    ("interface ipv4 add excludedportrange protocol=tcp startport=%u numberofports=2 "
     "store=persistent"),
    "interface ipv4 add excludedportrange protocol=tcp startport=%u numberofports=2",
    "int ipv4 add excludedportrange protocol=tcp numberofports=2 startport=%u",
    "int ipv4 add excludedportrange store=persistent numberofports=2 startport=%u protocol=tcp",
    "int ipv4 add excludedportrange tcp startport=%u numberofports=2 store=persistent",
    "int ipv4 add excludedportrange tcp %u 2",
    "int ipv4 add excludedportrange tcp %u 2 persistent",
    "int ipv4 add excludedportrange startport=%u tcp 2",
    "interface ipv6 add excludedportrange tcp %u 2",
    "interface ip add excludedportrange tcp %u 2",
    ("INTERFACE IPV4 ADD EXCLUDEDPORTRANGE PROTOCOL=TCP STARTPORT=%u NUMBEROFPORTS=2 "
     "STORE=PERSISTENT"),
    "Int IPv4 Add ExcludedPortRange Protocol=Tcp StartPort=%u NumberOfPorts=2 Store=Persistent",
    "i i a e t %u 2 p",
    "int ip add ex prot=tcp start=%u num=2 sto=pers",
    "int ipv add excludedport pr=t st=%u n=2",
    "interface ipv4 add excludedportrange protocol = tcp startport = %u numberofports = 2",
    "interface ipv4 add excludedportrange protocol= tcp startport =%u numberofports =2",
    "\"interface\" \"ipv4\" add \"excludedportrange\" \"protocol=tcp\" startport=\"%u\" 2",
    "-c interface ipv4 add excludedportrange tcp %u 2",
    "-c \"interface ipv4\" add excludedportrange tcp %u 2",
    "-C int ipv4 add ex tcp %u 2",
};

static void test_forms(void)
{
    const struct kind *kind = &kinds[TCP4];

    for (unsigned int i = 0; i < ARRAYSIZE(additions); i++)
    {
        USHORT start = find_ports(2);

        check_netsh(0, OK, additions[i], start);
        check_listed(kind, start, 2, PORTPOOL_KIND_PERSISTENT, TRUE);
        check_stored(kind, start, 2, TRUE);
        check_held(kind, start, 2);
        check_netsh(0, OK, "interface ipv6 delete excludedportrange tcp %u 2", start);
        check_not_listed(kind, start, 2);
        check_stored(kind, start, 2, FALSE);
        check_not_held(kind, start);
    }
}

static void test_deletions(void)
{
    static const char *const deletions[] = {
        "interface ipv4 delete excludedportrange protocol=udp startport=%u numberofports=3",
        ("interface ipv6 delete excludedportrange protocol=udp startport=%u numberofports=3 "
         "store=persistent"),
        "int ipv4 del ex udp %u 3",
        "int ipv4 delete excludedportrange numberofports=3 startport=%u protocol=UDP",
        "i i d e u %u 3",
    };
    const struct kind *kind = &kinds[UDP4];

    for (unsigned int i = 0; i < ARRAYSIZE(deletions); i++)
    {
        USHORT start = find_ports(3);

        check_create(kind, start, 3, 0, NULL);
        check_netsh(0, OK, deletions[i], start);
        check_not_listed(kind, start, 3);
        check_stored(kind, start, 3, FALSE);
        check_netsh(1, NOT_THERE, deletions[i], start);
    }
}

static void test_shows(void)
{
    static const char *const forms[] = {
        "interface ipv4 show excludedportrange protocol=tcp",
        "interface ipv6 show excludedportrange protocol=tcp store=active",
        "int ipv4 show excludedportrange tcp",
        "int ipv4 sh excludedportrange TCP",
        "int ip show excludedportrange tcp",
        "int ip sh ex t a",
        "int ipv4 show excludedportrange store=active protocol=tcp",
        "interface ipv4 show excludedportrange tcp store=persistent",
    };

    for (unsigned int i = 0; i < ARRAYSIZE(forms); i++)
        check_netsh(0,
                    "\r\nProtocol tcp Port Exclusion Ranges\r\n\r\n"
                    "Start Port    End Port      \r\n"
                    "----------    --------      \r\n"
                    "\r\n* - Administered port exclusions.\r\n\r\n",
                    "%s", forms[i]);
}

/* What is no command is refused, and changes nothing. */
static void test_failures(void)
{
    USHORT start = find_ports(4);

    check_create(&kinds[TCP4], start, 2, 0, NULL);
    check_netsh(1, IN_USE, "int ipv4 add excludedportrange tcp %u 2", start);
    check_netsh(1, IN_USE, "int ipv4 add excludedportrange tcp %u 2 active", start);
    check_netsh(1, IN_USE, "int ipv6 add excludedportrange tcp %u 1", start + 1);
    check_netsh(1, NOT_THERE, "int ipv4 delete excludedportrange tcp %u 1", start);
    check_netsh(1, NOT_THERE, "int ipv4 delete excludedportrange tcp %u 3", start);
    check_netsh(1, NOT_THERE, "int ipv4 delete excludedportrange udp %u 2", start);
    check_netsh(1, NOT_THERE, "int ipv4 delete excludedportrange udp %u 2 active", start);
    check_listed(&kinds[TCP4], start, 2, PORTPOOL_KIND_PERSISTENT, TRUE);
    check_delete(&kinds[TCP4], start, 2, 0);

    check_netsh(1, BAD_RANGE, "int ipv4 add excludedportrange tcp 0 1");
    check_netsh(1, BAD_RANGE, "int ipv4 add excludedportrange tcp %u 0", start);
    check_netsh(1, BAD_RANGE, "int ipv4 add excludedportrange tcp 65535 2");
    check_netsh(1, BAD_RANGE, "int ipv4 add excludedportrange tcp 65535 2 store=active");
    check_netsh(1, BAD_RANGE, "int ipv4 delete excludedportrange tcp 0 1");
    check_netsh(1, BAD_RANGE, "int ipv4 delete excludedportrange tcp 1 0 active");

    check_netsh(1, "sctp is not an acceptable value for protocol.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange sctp %u 2", start);
    check_netsh(1, "65536 is not an acceptable value for startport.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp 65536 2");
    check_netsh(1, "-1 is not an acceptable value for startport.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp -1 2");
    check_netsh(1, "0x10 is not an acceptable value for startport.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp 0x10 2");
    check_netsh(1, "two is not an acceptable value for numberofports.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp %u two", start);
    check_netsh(1,
                "99999999999999999999 is not an acceptable value for numberofports.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp %u 99999999999999999999", start);
    check_netsh(1, "forever is not an acceptable value for store.\r\n" BAD_RANGE,
                "int ipv4 add excludedportrange tcp %u 2 forever", start);
    check_netsh(1, "x is not an acceptable value for protocol.\r\n" BAD_RANGE,
                "int ipv4 show excludedportrange x");
    check_stored(&kinds[TCP4], start, 2, FALSE);
}

/* What is wrongly put together shows how it is right, and, as on Windows, is no failure. */
static void test_syntax(void)
{
    static const char *const missing[] = {
        "int ipv4 add excludedportrange",
        "int ipv4 add excludedportrange tcp",
        "int ipv4 add excludedportrange tcp 5000",
        "int ipv4 add excludedportrange startport=5000 numberofports=2",
        "int ipv6 delete excludedportrange tcp numberofports=2",
        "int ipv4 show excludedportrange",
        "int ipv4 show dynamicportrange store=active",
    };

    for (unsigned int i = 0; i < ARRAYSIZE(missing); i++)
        check_netsh_says(0,
                         "One or more essential parameters were not entered.\r\n"
                         "Verify the required parameters, and reenter them.\r\n"
                         "The syntax supplied for this command is not valid. Check help for the "
                         "correct syntax.\r\n"
                         "\r\n"
                         "Usage: ",
                         "%s", missing[i]);
    check_netsh_says(0,
                     "'port' is not a valid argument for this command.\r\n"
                     "The syntax supplied for this command is not valid. Check help for the "
                     "correct syntax.\r\n"
                     "\r\n"
                     "Usage: add excludedportrange [protocol=]tcp|udp\r\n"
                     "             [startport=]<integer> [numberofports=]<integer>\r\n"
                     "             [[store=]active|persistent]\r\n",
                     "int ipv4 add excludedportrange tcp port=5000 numberofports=2");
    check_netsh_says(0, "'more' is not a valid argument for this command.\r\n",
                     "int ipv4 delete excludedportrange tcp 5000 2 active more");
    check_netsh_says(0, "The syntax supplied for this command is not valid.",
                     "int ipv4 add excludedportrange tcp 5000 2 protocol=udp");
    check_not_listed(&kinds[TCP4], 5000, 2);
    check_not_listed(&kinds[UDP4], 5000, 2);

    check_netsh(1, "The following command was not found: int ipv4 add excludedportranges tcp.\r\n",
                "int ipv4 add excludedportranges tcp");
    check_netsh(1,
                "The following command was not found: interface ipv6 remove excludedportrange.\r\n",
                "interface ipv6 remove excludedportrange");
}

static void test_help(void)
{
    static const char *const usages[][2] = {
        {"?", "Usage: netsh "},
        {"/?", "Usage: netsh "},
        {"help", "Usage: netsh "},
        {"interface ?", "Usage: netsh interface "},
        {"int ipv4 ?", "add excludedportrange "},
        {"int ipv6 /?", "show dynamicportrange "},
        {"int ipv4 add", "add excludedportrange "},
        {"int ipv4 show ?", "show excludedportrange "},
        {"int ipv4 add excludedportrange ?", "Usage: add excludedportrange [protocol=]tcp|udp\r\n"},
        {"int ipv4 add excludedportrange tcp 5000 2 ?", "Usage: add excludedportrange "},
        {"int ipv4 delete excludedportrange -?", "Usage: delete excludedportrange "},
        {"int ipv4 show excludedportrange /?", "Usage: show excludedportrange "},
        {"int ipv4 show dynamicport ?", "Usage: show dynamicportrange "},
    };
    HANDLE file;

    /* A question mark stays one, whatever files there are. */
    file = CreateFileA("q", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    for (unsigned int i = 0; i < ARRAYSIZE(usages); i++)
        check_netsh_says(0, usages[i][1], "%s", usages[i][0]);
    CloseHandle(file);
    check_not_listed(&kinds[TCP4], 5000, 2);
}

/* Without the holder, nothing can be changed. */
static void test_holder(void)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceA(manager, "PortPool", SERVICE_CHANGE_CONFIG);
    USHORT start = find_ports(2);

    service_stop();
    ok(ChangeServiceConfigA(service, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, NULL,
                            NULL, NULL, NULL, NULL, NULL, NULL),
       "error %lu\n", GetLastError());
    check_netsh(1, NOT_RUNNING, "int ipv4 add excludedportrange tcp %u 2", start);
    ok(ChangeServiceConfigA(service, SERVICE_NO_CHANGE, SERVICE_AUTO_START, SERVICE_NO_CHANGE, NULL,
                            NULL, NULL, NULL, NULL, NULL, NULL),
       "error %lu\n", GetLastError());
    /* Stopped, it is started by who needs it. */
    check_netsh(0, OK, "int ipv4 add excludedportrange tcp %u 2", start);
    check_netsh(0, OK, "int ipv4 delete excludedportrange tcp %u 2", start);
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
}

static void test_commands(void)
{
    test_forms();
    test_deletions();
    test_shows();
    test_failures();
    test_syntax();
    test_help();
    test_holder();
}

START_TEST(commands)
{
    ranges_test(NULL, test_commands);
}
