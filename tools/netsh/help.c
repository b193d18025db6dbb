/*
 * How netsh is used
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "netsh_private.h"

#define ARGUMENTS_OF_RANGE                                                                         \
    L"[protocol=]tcp|udp\r\n"                                                                      \
    L"             [startport=]<integer> [numberofports=]<integer>\r\n"                            \
    L"             [[store=]active|persistent]\r\n"

#define ARGUMENTS_OF_SHOW                                                                          \
    L"[protocol=]tcp|udp\r\n"                                                                      \
    L"             [[store=]active|persistent]\r\n"

static const WCHAR *const help_texts[] = {
    [NETSH_TOPIC_ROOT] =
        L"\r\n"
        L"Usage: netsh [-c Context] [Command | -f ScriptFile]\r\n"
        L"\r\n"
        L"Of netsh there is here:\r\n"
        L"\r\n"
        L"  interface ipv4|ipv6 add excludedportrange      reserves ports\r\n"
        L"  interface ipv4|ipv6 delete excludedportrange   gives them back\r\n"
        L"  interface ipv4|ipv6 show excludedportrange     lists reserved ports\r\n"
        L"  interface ipv4|ipv6 show dynamicportrange      shows which ports are automatic\r\n"
        L"  exec ScriptFile                                carries out a file of commands\r\n"
        L"\r\n"
        L"All other commands do nothing. To learn more of one, put a ? after it.\r\n",
    [NETSH_TOPIC_INTERFACE] = L"\r\n"
                              L"Usage: netsh interface ipv4|ipv6 Command\r\n"
                              L"\r\n"
                              L"To see which commands there are: netsh interface ipv4 ?\r\n",
    [NETSH_TOPIC_FAMILY] = L"\r\n"
                           L"add excludedportrange      - Reserves ports, for IPv4 and IPv6.\r\n"
                           L"delete excludedportrange   - Gives reserved ports back.\r\n"
                           L"show dynamicportrange      - Shows which ports are automatic.\r\n"
                           L"show excludedportrange     - Lists the ports that are reserved.\r\n",
    [NETSH_TOPIC_ADD_EXCLUDED] =
        L"\r\n"
        L"Usage: add excludedportrange " ARGUMENTS_OF_RANGE L"\r\n"
        L"       protocol       - whose ports: tcp or udp\r\n"
        L"       startport      - the first port\r\n"
        L"       numberofports  - how many ports\r\n"
        L"       store          - how long: active, until the prefix ends, or\r\n"
        L"                        persistent, until they are deleted (the default)\r\n"
        L"\r\n"
        L"Reserves ports for programs that bind them by number, both of IPv4 and IPv6.\r\n",
    [NETSH_TOPIC_DELETE_EXCLUDED] =
        L"\r\n"
        L"Usage: delete excludedportrange " ARGUMENTS_OF_RANGE L"\r\n"
        L"       protocol       - whose ports: tcp or udp\r\n"
        L"       startport      - the first port, as it was added\r\n"
        L"       numberofports  - how many ports, as it was added\r\n"
        L"       store          - for how long: active, until the prefix ends, or\r\n"
        L"                        persistent, for good (the default)\r\n"
        L"\r\n"
        L"Gives back ports that add excludedportrange has reserved.\r\n",
    [NETSH_TOPIC_SHOW_EXCLUDED] =
        L"\r\n"
        L"Usage: show excludedportrange " ARGUMENTS_OF_SHOW L"\r\n"
        L"       protocol       - whose ports: tcp or udp\r\n"
        L"       store          - which: active, those that are reserved now (the default),\r\n"
        L"                        or persistent, those that are whenever the prefix runs\r\n"
        L"\r\n"
        L"Lists reserved ports; those of programs have no star.\r\n",
    [NETSH_TOPIC_SHOW_DYNAMIC] =
        L"\r\n"
        L"Usage: show dynamicportrange " ARGUMENTS_OF_SHOW L"\r\n"
        L"       protocol       - whose ports: tcp or udp\r\n"
        L"       store          - active or persistent, which are the same\r\n"
        L"\r\n"
        L"Shows from which ports those are taken that programs are given automatically.\r\n",
};

void help_print(enum netsh_topic topic)
{
    output_text(help_texts[topic]);
    output_text(L"\r\n");
}
