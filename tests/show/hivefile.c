/*
 * Tests of reading persistent ranges in the text of the registry, whole, odd, and broken
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/show/hivefile.h"

#include <string.h>

#include "tests/native/test.h"
#include "tools/show/text.h"

#define HEAD                                                                                       \
    "WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\Machine\n\n#arch=win64\n\n"
#define TCP  "\\\\Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\\\29] 1795953776\n"
#define UDP  "\\\\Control\\\\Nsi\\\\{eb004a02-9b1a-11d4-9123-0050047759bc}\\\\5] 1795953776\n"
#define TIME "#time=1dd7ff99256ead8\n"
#define GOOD "=hex:12,00,ff,ff\n"

/* The current control set under its own name, as Wine 8.0 writes it; its neighbours too. */
static const char wine8[] =
    HEAD "[Software\\\\Borland\\\\Database Engine\\\\Settings\\\\SYSTEM\\\\INIT] 1795953726\n" TIME
         "\"SHAREDMEMLOCATION\"=\"9000\"\n"
         "\n"
         "[System\\\\CurrentControlSet\\\\Control\\\\Nls\\\\Sorting\\\\Ids] 1795953723\n" TIME
         "@=\"00000001-57ee-1e5c-00b4-d0000bb1e11e\"\n"
         "\n"
         "[System\\\\CurrentControlSet" UDP TIME "\"13881400\"" GOOD "\n"
         "[System\\\\CurrentControlSet" TCP TIME "\"c4180a00\"" GOOD "\"zz\"" GOOD
         "\"cc570100\"=dword:ffff0012\n"
         "\n"
         "[System\\\\CurrentControlSet\\\\Control\\\\Print\\\\Environments\\\\Windows 4.0\\\\Print "
         "Processors\\\\wineps] 1795953726\n" TIME "\"13881400\"" GOOD;

/* The same as Wine 10.0 writes it: where the link leads to, and the link. */
#define LINK                                                                                       \
    "[System\\\\CurrentControlSet] 1795954469\n" TIME "#link\n"                                    \
    "\"SymbolicLinkValue\"=hex(6):5c,00,52,00,65,00,67,00,69,00,73,00,74,00,72,00,79,\\\n"         \
    "  00,5c,00,4d,00,61,00,63,00,68,00,69,00,6e,00,65,00,5c,00,53,00,79,00,73,00,\\\n"            \
    "  74,00,65,00,6d,00,5c,00,43,00,6f,00,6e,00,74,00,72,00,6f,00,6c,00,53,00,65,\\\n"            \
    "  00,74,00,30,00,30,00,31,00\n"
static const char wine10[] =
    HEAD "[System\\\\ControlSet001\\\\Control\\\\Nls\\\\Sorting\\\\Ids] 1795953723\n" TIME
         "@=\"00000001-57ee-1e5c-00b4-d0000bb1e11e\"\n"
         "\n"
         "[System\\\\ControlSet001" UDP TIME "\"13881400\"" GOOD "\n"
         "[System\\\\ControlSet001" TCP TIME "\"c4180a00\"" GOOD "\"zz\"" GOOD
         "\"cc570100\"=dword:ffff0012\n"
         "\n" LINK;

/* What was visited, in words: "tcp NAME good, udp NAME bad". */
static char visited[4096];
static unsigned int visits;

static void note(const struct hivefile_value *value, void *context)
{
    char *name = text_from_utf16(value->name, value->length);
    size_t length = strlen(visited);

    ok(context == &visits, "context %p", context);
    snprintf(visited + length, sizeof(visited) - length, "%s%s %s %s", length ? ", " : "",
             value->protocol == UNIX_TCP ? "tcp" : "udp", name,
             value->is_range_data ? "good" : "bad");
    free(name);
    visits++;
}

/* Visits a text that has nothing behind it: the sanitizer tells if more is read. */
static bool visit(const char *text, size_t length)
{
    char *copy = malloc(length + !length);
    bool is_hive;

    memcpy(copy, text, length);
    visited[0] = 0;
    visits = 0;
    is_hive = hivefile_visit(copy, length, note, &visits);
    free(copy);
    return is_hive;
}

#define check_visit(text, expected) check_visit_(__LINE__, text, expected)
static void check_visit_(int line, const char *text, const char *expected)
{
    bool is_hive = visit(text, strlen(text));

    ok_(__FILE__, line, is_hive, "not a hive");
    ok_(__FILE__, line, !strcmp(visited, expected), "\"%s\", expected \"%s\"", visited, expected);
}

/* One value of the TCP key. */
#define check_value(value, expected) check_value_(__LINE__, value, expected)
static void check_value_(int line, const char *value, const char *expected)
{
    char text[4096];

    snprintf(text, sizeof(text), "%s[System\\\\CurrentControlSet%s%s%s", HEAD, TCP, TIME, value);
    check_visit_(line, text, expected);
}

static void test_wines(void)
{
    static const char all[] = "udp 13881400 good, tcp c4180a00 good, tcp zz good, tcp cc570100 bad";

    check_visit(wine8, all);
    check_visit(wine10, all);
    check_visit(HEAD, "");
}

static void test_control_sets(void)
{
    /* An older file that a newer Wine has not read yet, beside what is nobody's. */
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\CurrentControlSet" TCP "\"c4180a00\"" GOOD,
                "tcp c4180a00 good");
    /* Nothing current, no link. */
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD, "tcp 13881400 good");
    check_visit(HEAD "[System\\\\ControlSet002" TCP "\"13881400\"" GOOD, "");
    /* The link decides. */
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\ControlSet002" TCP "\"c4180a00\"" GOOD LINK,
                "tcp 13881400 good");
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\ControlSet002" TCP "\"c4180a00\"" GOOD
                     "[System\\\\CurrentControlSet]\n#link\n"
                     "\"SymbolicLinkValue\"=hex(6):5c,00,43,00,4F,00,6e,00,74,00,72,00,6f,00,6c,00,"
                     "53,00,65,00,74,00,30,00,30,00,32,00,00,00\n",
                "tcp c4180a00 good");
    /* A key of that name which is no link; a link that leads nowhere. */
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\CurrentControlSet] 1\n\"a\"=\"b\"\n",
                "tcp 13881400 good");
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\CurrentControlSet] 1\n#link\n",
                "");
    check_visit(HEAD "[System\\\\ControlSet001" TCP "\"13881400\"" GOOD
                     "[System\\\\CurrentControlSet] 1\n#link\n\"SymbolicLinkValue\"=hex(6):5c,x\n",
                "");
}

static void test_keys(void)
{
    /* In any case, with the time or without, and blanks. */
    check_visit("wine registry version 2\n  [SYSTEM\\\\currentcontrolset\\\\CONTROL\\\\nsi\\\\"
                "{EB004A03-9B1A-11D4-9123-0050047759BC}\\\\29]\n  \"13881400\"" GOOD,
                "tcp 13881400 good");
    /* With line ends of another system. */
    check_visit(
        "WINE REGISTRY Version 2\r\n[System\\\\CurrentControlSet\\\\Control\\\\Nsi\\\\"
        "{eb004a02-9b1a-11d4-9123-0050047759bc}\\\\5] 1\r\n\"13881400\"=hex:12,00,ff,ff\r\n",
        "udp 13881400 good");
    /* With escapes. */
    check_visit(HEAD "[S\\x79stem\\\\Current\\x0043ontrolSet\\\\\\103ontrol\\\\Nsi\\\\{eb004a03-"
                     "9b1a-11d4-9123-0050047759bc}\\\\29] 1\n\"13881400\"" GOOD,
                "tcp 13881400 good");
    /* Others: above it, below it, elsewhere, not ended. */
    check_visit(HEAD "[System\\\\CurrentControlSet\\\\Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-"
                     "0050047759bc}] 1\n\"13881400\"" GOOD,
                "");
    check_visit(HEAD "[System\\\\CurrentControlSet\\\\Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-"
                     "0050047759bc}\\\\29\\\\1] 1\n\"13881400\"" GOOD,
                "");
    check_visit(HEAD "[Software\\\\CurrentControlSet" TCP "\"13881400\"" GOOD, "");
    check_visit(HEAD "[CurrentControlSet" TCP "\"13881400\"" GOOD, "");
    check_visit(HEAD "[System\\\\CurrentControlSet\\\\Control\\\\Nsi\\\\{eb004a03-9b1a-11d4-9123-"
                     "0050047759bc}\\\\29\n\"13881400\"" GOOD,
                "");
    check_visit(HEAD "[System]\n\"13881400\"" GOOD "[]\n\"13881400\"" GOOD "[System\\\\] 1\n"
                     "\"13881400\"" GOOD "\"13881400\"" GOOD,
                "");
}

static void test_values(void)
{
    check_value("\"13881400\"=hex:12,00,ff,ff", "tcp 13881400 good");
    check_value("\"13881400\"=hex:0,0,0,0\n", "tcp 13881400 good");
    check_value("\"13881400\"=hex:12,00,\\\n  ff,\\\n  ff\n\"13881500\"" GOOD,
                "tcp 13881400 good, tcp 13881500 good");
    check_value("\"13881400\"=hex:12,00,ff\n", "tcp 13881400 bad");
    check_value("\"13881400\"=hex:12,00,ff,ff,00\n", "tcp 13881400 bad");
    check_value("\"13881400\"=hex:\n", "tcp 13881400 bad");
    check_value("\"13881400\"=hex:12,00,gg,ff\n\"13881500\"" GOOD,
                "tcp 13881400 bad, tcp 13881500 good");
    check_value("\"13881400\"=hex:12,00,ff,ff \\ \n", "tcp 13881400 good");
    check_value("\"13881400\"=hex:12,00,ff,ff \\x\n", "tcp 13881400 bad");
    check_value("\"13881400\"=hex(3):12,00,ff,ff\n", "tcp 13881400 bad");
    check_value("\"13881400\"=\"12,00,ff,ff\"\n", "tcp 13881400 bad");
    check_value("\"13881400\"=str(2):\"hex:\"\n", "tcp 13881400 bad");
    check_value("\"13881400\"\n", "");
    check_value("\"13881400\n\"=hex:12,00,ff,ff\n", "");
    check_value("@=hex:12,00,ff,ff\n", "");
    check_value("13881400=hex:12,00,ff,ff\n", "");
    check_value("\"\"" GOOD, "tcp  good");
    check_value("\"a\\\"b\\\\c\\x20ac;\\351\\t\\q\"" GOOD,
                "tcp a\"b\\c\xe2\x82\xac;\xc3\xa9\tq good");
    check_value("\"\xe9\\xd83d\\xde00\\xd83d\"" GOOD,
                "tcp \xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd good");
    check_value("\"a\\", "");
}

/* Longer than any name that the registry allows. */
static void test_long_name(void)
{
    size_t length = 100000;
    char *text = malloc(length + 300), *end;

    end = text + sprintf(text, "%s[System\\\\CurrentControlSet%s\"", HEAD, TCP);
    memset(end, '1', length);
    strcpy(end + length, "\"" GOOD);
    ok(visit(text, strlen(text)), "not a hive");
    ok(visits == 1, "%u values", visits);
    free(text);
}

static void test_not_a_hive(void)
{
    static const char *const texts[] = {
        "", "W", "WINE REGISTRY Version 1\n", "REGEDIT4\n\n", "\n" HEAD, "\xef\xbb\xbf" HEAD};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        ok(!visit(texts[i], strlen(texts[i])), "\"%s\" is a hive", texts[i]);
}

/* What is cut off has no more values than the whole. */
static void test_truncated(const char *text)
{
    unsigned int all;

    visit(text, strlen(text));
    all = visits;
    for (size_t length = 0; length < strlen(text); length++)
    {
        bool is_hive = visit(text, length);

        ok(is_hive == (length >= strlen("WINE REGISTRY Version 2")), "%zu bytes: %u", length,
           is_hive);
        ok(visits <= all, "%zu bytes: %u values of %u", length, visits, all);
    }
}

static char mutation_byte(void)
{
    static const char special[] = "[]\"\\=:,\n\r\t #x0fF;@";

    return random() % 2 ? special[random() % sizeof(special)] : (char)random();
}

/* Whatever stands there: nothing is read that is not there, and each visit ends. */
static void test_mutations(const char *text)
{
    unsigned long rounds = test_setting("TAWNY_ROUNDS", 3000);
    size_t length = strlen(text);
    char *copy = malloc(length);

    for (unsigned long i = 0; i < rounds; i++)
    {
        memcpy(copy, text, length);
        for (unsigned int changes = 1 + random() % 20; changes; changes--)
            copy[random() % length] = mutation_byte();
        visit(copy, length - random() % 20);
        ok(visits < 100, "%u values", visits);
    }
    free(copy);
}

int main(void)
{
    test_start("show-hivefile");
    test_seed();
    test_wines();
    test_control_sets();
    test_keys();
    test_values();
    test_long_name();
    test_not_a_hive();
    test_truncated(wine8);
    test_truncated(wine10);
    test_mutations(wine8);
    test_mutations(wine10);
    return test_end();
}
