/*
 * Tests of what is shown: the report of a running prefix, put together with what is stored and what
 * the host says, as a listing, a map, and JSON
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "tools/show/view.h"

#include <json-c/json.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>

#include "tests/native/test.h"
#include "tools/show/document.h"
#include "tools/show/listing.h"
#include "tools/show/map.h"
#include "tools/show/text.h"

/* What the host says here, in the place of what it would. */
static struct host_use host_uses[8];
static unsigned int host_count;
static bool host_lists_bound = true;
static uint16_t host_held; /* a port with a placeholder */
static struct host host_asked;

void host_find(struct host *host, UT_array *uses)
{
    static const UT_icd icd = {sizeof(struct host_use), NULL, NULL, NULL};

    utarray_init(uses, &icd);
    for (unsigned int i = 0; i < host_count; i++) utarray_push_back(uses, &host_uses[i]);
    host->lists_bound = host_lists_bound;
    if (host_held) host->held[UNIX_TCP][host_held] = host->held[UNIX_UDP][host_held] = true;
    host_asked = *host;
}

static void host_add(enum unix_protocol protocol, uint16_t port, uint32_t process, const char *name)
{
    struct host_use use = {.protocol = protocol, .port = port, .process = process};

    snprintf(use.name, sizeof(use.name), "%s", name);
    host_uses[host_count++] = use;
}

static void host_reset(void)
{
    host_count = 0;
    host_held = 0;
    host_lists_bound = true;
}

/* A name as it is reported. */
#define NAME_CC570100 "00630063003500370030003100300030" /* 52311, 1 */
#define NAME_13881400 "00310033003800380031003400300030" /* 5000, 20 */
#define NAME_138A0100 "00310033003800610030003100300030" /* 5002, 1 */
#define NAME_ZZ       "007a007a"

#define REPORT_STORED                                                                              \
    "ports\t1\ngeneration\t5\nvalue\ttcp\tgood\t" NAME_13881400                                    \
    "\nvalue\ttcp\tgood\t" NAME_138A0100 "\nvalue\tudp\tgood\t" NAME_CC570100                      \
    "\nvalue\ttcp\tbad\t" NAME_ZZ "\n"
#define REPORT_PROCESSES                                                                           \
    "process\t32\t1301\tC:\\windows\\system32\\svchost.exe\n"                                      \
    "process\t40\t1302\tZ:\\work\\reserve.exe\nprocess\t44\t0\tC:\\Gr\xc3\xb6\xc3\x9f"             \
    "e.exe\n"
#define REPORT_RANGES                                                                              \
    "holder\t32\nrange\ttcp\t5000\t20\tpersistent\t1\t0\nrange\ttcp\t5002\t1\tpersistent\t0\t0\n"  \
    "range\ttcp\t49200\t1000\tblock\t1\t40\nrange\tudp\t1024\t300\tactive\t1\t0\n"                 \
    "range\tudp\t52311\t1\tpersistent\t1\t0\n"
#define REPORT_USES                                                                                \
    "use\ttcp\t5001\t40\nuse\ttcp\t5003\t44\nuse\ttcp\t5004\t44\nuse\ttcp\t5004\t40\n"             \
    "use\ttcp\t5004\t44\nuse\ttcp\t49200\t40\nuse\ttcp\t9\t40\n"
#define REPORT REPORT_STORED "pool\n" REPORT_PROCESSES REPORT_RANGES REPORT_USES "end\n"

static bool read_report(const char *text, size_t length, struct report *report,
                        struct stored *stored)
{
    FILE *file = fmemopen((void *)text, length, "r");
    bool success;

    stored_init(stored);
    success = report_read(file, report, stored);
    fclose(file);
    return success;
}

/* A view of this report, NULL for none. */
static struct stored stored;
static struct report report;
static struct view view;

static void view_new(const char *text, enum view_state state)
{
    bool success;

    stored_init(&stored);
    if (text)
    {
        stored_free(&stored);
        success = read_report(text, strlen(text), &report, &stored);
        ok(success, "the report was not read");
    }
    view_make(&view, "/home/anna/.wine", state, &stored, text ? &report : NULL);
}

static void view_end(bool reported)
{
    view_free(&view);
    if (reported) report_free(&report);
    stored_free(&stored);
}

/* The range that starts there. */
static const struct view_range *find(enum unix_protocol protocol, uint16_t start)
{
    for (unsigned int i = 0; i < utarray_len(&view.ranges); i++)
    {
        const struct view_range *range = array_at(struct view_range, &view.ranges, i);

        if (range->protocol == protocol && range->ports.start == start) return range;
    }
    return NULL;
}

/* The uses of a range: "PORT NAME(PROCESS/WINDOWS)", with "!" where that is in the way. */
static const char *uses_of(const struct view_range *range)
{
    static char text[4096];
    size_t length = 0;

    text[0] = 0;
    for (unsigned int i = 0; range && i < utarray_len(&range->uses); i++)
    {
        const struct view_use *use = array_at(struct view_use, &range->uses, i);

        length += sprintf(text + length, "%s%u%s %s(%u/%u)", length ? ", " : "", use->port,
                          use->in_the_way ? "!" : "", use->program->name, use->program->process,
                          use->program->windows);
    }
    return range ? text : "no range";
}

#define check_uses(protocol, start, expected) check_uses_(__LINE__, protocol, start, expected)
static void check_uses_(int line, enum unix_protocol protocol, uint16_t start, const char *expected)
{
    const char *uses = uses_of(find(protocol, start));

    ok_(__FILE__, line, !strcmp(uses, expected), "\"%s\", expected \"%s\"", uses, expected);
}

#define check_range(protocol, start, count, kind, held, holder)                                    \
    check_range_(__LINE__, protocol, start, count, kind, held, holder)
static void check_range_(int line, enum unix_protocol protocol, uint16_t start, uint16_t count,
                         enum view_kind kind, enum view_held held, uint32_t holder)
{
    const struct view_range *range = find(protocol, start);
    uint32_t found = range && range->holder ? range->holder->process : 0;

    ok_(__FILE__, line,
        range && range->ports.count == count && range->kind == kind && range->held == held &&
            found == holder,
        "%u: count %u, kind %u, held %u, by %u", start, range ? range->ports.count : 0,
        range ? range->kind : 0, range ? range->held : 0, found);
}

static void test_report(void)
{
    host_reset();
    view_new(REPORT, VIEW_RUNNING);
    ok(view.state == VIEW_RUNNING && view.holder && view.holder->process == 1301, "state %u",
       view.state);
    ok(utarray_len(&view.ranges) == 4, "%u ranges", utarray_len(&view.ranges));
    check_range(UNIX_TCP, 5000, 20, VIEW_PERSISTENT, VIEW_HELD, 1301);
    check_range(UNIX_TCP, 49200, 1000, VIEW_RUNTIME, VIEW_HELD, 1302);
    check_range(UNIX_UDP, 1024, 300, VIEW_ACTIVE, VIEW_HELD, 1301);
    check_range(UNIX_UDP, 52311, 1, VIEW_PERSISTENT, VIEW_HELD, 1301);
    /* Each once, by port; what is in no range is left out. */
    check_uses(UNIX_TCP, 5000,
               "5001 reserve.exe(1302/40), 5003 Gr\xc3\xb6\xc3\x9f"
               "e.exe(0/44), 5004 reserve.exe(1302/40), 5004 Gr\xc3\xb6\xc3\x9f"
               "e.exe(0/44)");
    ok(view_count_used(find(UNIX_TCP, 5000)) == 3, "%u ports used",
       view_count_used(find(UNIX_TCP, 5000)));
    check_uses(UNIX_TCP, 49200, "49200 reserve.exe(1302/40)");
    check_uses(UNIX_UDP, 1024, "");
    ok(utarray_len(&view.ignored) == 2, "%u ignored", utarray_len(&view.ignored));
    ok(array_at(struct view_ignored, &view.ignored, 0)->overlapped.start == 5000, "another one");
    ok(!strcmp(array_at(struct view_ignored, &view.ignored, 1)->name, "zz"), "another value");
    /* The host was asked about these ports and no others, and told who holds them. */
    ok(host_asked.wanted[UNIX_TCP][5000] && host_asked.wanted[UNIX_TCP][5019] &&
           !host_asked.wanted[UNIX_TCP][4999] && !host_asked.wanted[UNIX_TCP][5020] &&
           !host_asked.wanted[UNIX_UDP][5000] && host_asked.wanted[UNIX_UDP][52311],
       "asked about others");
    ok(host_asked.holders[UNIX_TCP][5000] == 1301 && host_asked.holders[UNIX_TCP][49200] == 1302,
       "holders %u, %u", host_asked.holders[UNIX_TCP][5000], host_asked.holders[UNIX_TCP][49200]);
    view_keep(&view, UNIX_UDP);
    ok(utarray_len(&view.ranges) == 2 && !utarray_len(&view.ignored), "%u ranges, %u ignored",
       utarray_len(&view.ranges), utarray_len(&view.ignored));
    view_end(true);
}

static void test_states(void)
{
    host_reset();
    /* Without the holder. */
    view_new(REPORT_STORED "pool\nrange\ttcp\t5000\t20\tpersistent\t0\t0\nend\n",
             VIEW_STARTED_WITHOUT_TAWNY);
    ok(view.state == VIEW_STARTED_WITHOUT_TAWNY && !view.holder, "state %u", view.state);
    check_range(UNIX_TCP, 5000, 20, VIEW_PERSISTENT, VIEW_NOT_HELD, 0);
    view_end(true);
    /* With it, the prefix cannot have been started without Tawny. */
    view_new(REPORT, VIEW_STARTED_WITHOUT_TAWNY);
    ok(view.state == VIEW_RUNNING, "state %u", view.state);
    view_end(true);
    /* Tawny is not in it. */
    view_new(REPORT_STORED "end\n", VIEW_RUNNING);
    ok(view.state == VIEW_WITHOUT_TAWNY, "state %u", view.state);
    check_range(UNIX_TCP, 5000, 20, VIEW_PERSISTENT, VIEW_NOT_HELD, 0);
    view_end(true);
    /* Deleted until the prefix ends. */
    view_new(REPORT_STORED "pool\nprocess\t32\t1301\t\nholder\t32\n"
                           "range\ttcp\t5000\t20\tsuspended\t0\t0\nend\n",
             VIEW_RUNNING);
    check_range(UNIX_TCP, 5000, 20, VIEW_SUSPENDED, VIEW_NOT_HELD, 0);
    view_end(true);
    /* A process that is not named has ended. */
    view_new("ports\t1\npool\nrange\ttcp\t5000\t20\tblock\t1\t99\nuse\ttcp\t5000\t99\nend\n",
             VIEW_RUNNING);
    check_range(UNIX_TCP, 5000, 20, VIEW_RUNTIME, VIEW_HELD, 0);
    check_uses(UNIX_TCP, 5000, "");
    view_end(true);
    view_new(NULL, VIEW_STOPPED);
    ok(!utarray_len(&view.ranges), "%u ranges", utarray_len(&view.ranges));
    view_end(false);
}

static void test_native(void)
{
    host_reset();
    host_add(UNIX_TCP, 5005, 77, "python3");
    host_add(UNIX_TCP, 5006, 77, "python3");
    host_add(UNIX_TCP, 5007, 0, "");
    host_add(UNIX_TCP, 49210, 77, "python3");
    host_held = 5006;
    view_new(REPORT, VIEW_RUNNING);
    /* In the way where no placeholder is. A block is held whole, or not at all. */
    check_uses(UNIX_TCP, 5000,
               "5001 reserve.exe(1302/40), 5003 Gr\xc3\xb6\xc3\x9f"
               "e.exe(0/44), 5004 reserve.exe(1302/40), 5004 Gr\xc3\xb6\xc3\x9f"
               "e.exe(0/44), 5005! python3(77/0), 5006 python3(77/0), 5007! (0/0)");
    check_uses(UNIX_TCP, 49200, "49200 reserve.exe(1302/40), 49210 python3(77/0)");
    view_end(true);
    /* Where the host does not list placeholders, nobody can say. */
    host_lists_bound = false;
    view_new(REPORT_STORED
             "pool\nprocess\t32\t1301\t\nholder\t32\nrange\ttcp\t5000\t20\tpersistent\t1\t0\nend\n",
             VIEW_RUNNING);
    check_uses(UNIX_TCP, 5000, "5005 python3(77/0), 5006 python3(77/0), 5007 (0/0)");
    view_end(true);
    /* Nor is anything in the way of what nobody holds. */
    host_lists_bound = true;
    view_new(REPORT_STORED "pool\nrange\ttcp\t5000\t20\tpersistent\t0\t0\nend\n", VIEW_RUNNING);
    check_uses(UNIX_TCP, 5000, "5005 python3(77/0), 5006 python3(77/0), 5007 (0/0)");
    view_end(true);
}

/* A report that breaks off is none. */
static void test_truncated_report(void)
{
    for (size_t length = 1; length + 1 < strlen(REPORT); length++)
    {
        struct report partial;
        struct stored none;
        /* The last line is whole without its newline. */
        bool success = read_report(REPORT, length, &partial, &none);

        ok(!success, "%zu bytes are a report", length);
        report_free(&partial);
        stored_free(&none);
    }
}

static void test_bad_report(void)
{
    static const char *const lines[] = {
        "generation\t",
        "generation\t-1",
        "generation\t1x",
        "generation\t99999999999999999999",
        "value\tsctp\tgood\t0031",
        "value\ttcp\tfine\t0031",
        "value\ttcp\tgood",
        "value\ttcp\tgood\t003",
        "value\ttcp\tgood\t003g",
        "process\t1",
        "process\t1\t2",
        "process\tx\t2\tp",
        "process\t4294967296\t2\tp",
        "holder",
        "range\ttcp\t0\t1\tblock\t1\t0",
        "range\ttcp\t1\t0\tblock\t1\t0",
        "range\ttcp\t65535\t2\tblock\t1\t0",
        "range\ttcp\t1\t65536\tblock\t1\t0",
        "range\ttcp\t1\t1\tother\t1\t0",
        "range\ttcp\t1\t1\tblock\t2\t0",
        "range\ttcp\t1\t1\tblock\t1",
        "use\ttcp\t0\t1",
        "use\ttcp\t65536\t1",
        "use\ttcp\t1",
        "ports\t2",
        "ports",
    };
    char text[256];
    struct stored none;
    struct report bad;

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
    {
        snprintf(text, sizeof(text), "ports\t1\n%s\nend\n", lines[i]);
        ok(!read_report(text, strlen(text), &bad, &none), "\"%s\" is a line", lines[i]);
        report_free(&bad);
        stored_free(&none);
    }
    /* What Wine prints, before and between, with line ends of Windows. */
    strcpy(text, "002c:fixme:a\r\nports\t1\r\n\r\n\tx\r\nother\ttext\r\nend\r\nmore\r\n");
    ok(read_report(text, strlen(text), &bad, &none), "not read");
    report_free(&bad);
    stored_free(&none);
    strcpy(text, "pool\nports\t1\nend\n");
    ok(!read_report(text, strlen(text), &bad, &none), "read without its version");
    report_free(&bad);
    stored_free(&none);
}

/* What is written, with the last screen's settings; the text is this function's. */
static struct screen screen;
static char *written_text;

static const char *written(void (*write)(struct screen *screen, const struct view *view))
{
    size_t size;

    free(written_text);
    screen.front = screen.behind = COLOUR_NONE;
    screen.file = open_memstream(&written_text, &size);
    write(&screen, &view);
    fclose(screen.file);
    return written_text;
}

/* The widest line, colours apart. */
static unsigned int widest(const char *text)
{
    unsigned int most = 0;

    while (*text)
    {
        size_t length = strcspn(text, "\n");
        char line[4096], *next = line;

        for (size_t i = 0; i < length; i++)
        {
            if (text[i] == '\033')
                while (i < length && text[i] != 'm') i++;
            else
                *next++ = text[i];
        }
        *next = 0;
        if (text_width(line) > most) most = text_width(line);
        text += length + (text[length] == '\n');
    }
    return most;
}

static bool has_line(const char *text, const char *line)
{
    char wanted[512], whole[8192];

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    snprintf(whole, sizeof(whole), "\n%s", text);
    return strstr(whole, wanted);
}

#define check_line(text, line) check_line_(__LINE__, text, line)
static void check_line_(int number, const char *text, const char *line)
{
    ok_(__FILE__, number, has_line(text, line), "no line \"%s\" in:\n%s", line, text);
}

static void test_listing(void)
{
    const char *text;

    host_reset();
    host_add(UNIX_TCP, 5005, 77, "python3");
    host_add(UNIX_TCP, 5007, 0, "");
    screen = (struct screen){.width = 80};
    view_new(REPORT, VIEW_RUNNING);
    text = written(listing_write);
    check_line(text, "Prefix  /home/anna/.wine");
    check_line(text, "State   running; the service PortPool (1301) holds persistent ranges");
    check_line(text, "PROTOCOL  PORTS        COUNT  KIND        HELD BY             IN USE");
    check_line(text, "tcp       5000-5019       20  persistent  PortPool (1301)          5");
    check_line(text, "    reserve.exe (1302): 5001 5004");
    check_line(text, "    Gr\xc3\xb6\xc3\x9f"
                     "e.exe (Windows process 44): 5003-5004");
    check_line(text, "    python3 (77), a native program: 5005, held as soon as free");
    check_line(text, "    another user's program: 5007, held as soon as free");
    check_line(text, "tcp       49200-50199   1000  runtime     reserve.exe (1302)       1");
    check_line(text, "udp       52311            1  persistent  PortPool (1301)          0");
    check_line(text, "    tcp 5002: overlaps 5000-5019");
    check_line(text, "    tcp value \"zz\": makes no sense");
    ok(!strchr(text, '\033'), "colours");
    /* Nothing but ASCII. */
    screen.ascii = true;
    check_line(written(listing_write), "    Gr??e.exe (Windows process 44): 5003-5004");
    /* Narrow. */
    screen.width = 40;
    text = written(listing_write);
    check_line(text, "tcp 5000-5019: 20 ports, persistent,");
    check_line(text, "    held by PortPool (1301), 5 in use");
    check_line(text, "udp 52311: 1 port, persistent,");
    ok(widest(text) <= 40, "%u columns", widest(text));
    view_end(true);

    view_new(NULL, VIEW_STOPPED);
    screen.width = 80;
    check_line(written(listing_write), "No ports are reserved.");
    view_end(false);
}

/* No line is wider than the screen, whatever the width, and colours change nothing but colours. */
static void test_widths(void)
{
    host_reset();
    view_new(REPORT, VIEW_RUNNING);
    for (unsigned int width = 40; width <= 250; width++)
    {
        char *plain;
        unsigned int columns;

        screen = (struct screen){.width = width};
        columns = widest(written(listing_write));
        ok(columns <= width, "listing at %u: %u columns", width, columns);
        columns = widest(written(map_draw));
        ok(columns <= width, "map at %u: %u columns", width, columns);
        ok(columns > width / 3 || columns == 136, "map at %u: %u columns only", width, columns);
        plain = strdup(written(listing_write));
        screen.colour = true;
        ok(strchr(written(listing_write), '\033') != NULL, "no colours");
        ok(widest(written(listing_write)) == widest(plain), "%u: %u columns", width,
           widest(written(listing_write)));
        screen.blocks = true;
        columns = widest(written(map_draw));
        ok(columns <= width, "map of blocks at %u: %u columns", width, columns);
        free(plain);
    }
    view_end(true);
}

static void test_wrapped_ports(void)
{
    static char text[20000];
    size_t length = sprintf(text, "ports\t1\npool\nprocess\t40\t1302\tZ:\\a.exe\n"
                                  "range\ttcp\t5000\t1000\tblock\t1\t40\n");

    host_reset();
    for (unsigned int port = 5000; port < 5600; port += 2)
        length += sprintf(text + length, "use\ttcp\t%u\t40\n", port);
    strcpy(text + length, "end\n");
    view_new(text, VIEW_RUNNING);
    screen = (struct screen){.width = 60};
    ok(widest(written(listing_write)) <= 60, "%u columns", widest(written(listing_write)));
    ok(strstr(written(listing_write), " 5598\n") != NULL, "the last port is missing");
    view_end(true);
}

/* The cells as letters, as the map without colours has them. */
static const char *cells_text(enum unix_protocol protocol, unsigned int count)
{
    static const char letters[] = ".npar", used[] = ".NPAR";
    static char text[4096];
    struct map_cell cells[4096];

    map_find_cells(&view, protocol, cells, count);
    for (unsigned int i = 0; i < count; i++)
        text[i] = cells[i].used ? used[cells[i].mark] : letters[cells[i].mark];
    text[count] = 0;
    return text;
}

static void test_cells(void)
{
    host_reset();
    view_new("ports\t1\npool\nprocess\t1\t2\tx\nholder\t1\n"
             "value\ttcp\tgood\t" NAME_13881400 "\n"
             "range\ttcp\t5000\t20\tpersistent\t1\t0\n"
             "range\ttcp\t1\t4095\tblock\t1\t1\n"
             "range\ttcp\t65535\t1\tblock\t1\t1\n"
             "range\ttcp\t8191\t2\tactive\t1\t0\n"
             "range\ttcp\t12288\t4096\tblock\t1\t1\n"
             "use\ttcp\t12288\t1\n"
             "range\tudp\t4095\t1\tblock\t1\t1\nuse\tudp\t4095\t1\nend\n",
             VIEW_RUNNING);
    ok(!strcmp(cells_text(UNIX_TCP, 16), "raaR...........r"), "%s", cells_text(UNIX_TCP, 16));
    ok(!strncmp(cells_text(UNIX_TCP, 64), "rrrrp..aa...Rrrr....", 20), "%s",
       cells_text(UNIX_TCP, 64));
    ok(!strcmp(cells_text(UNIX_UDP, 16), "R..............."), "%s", cells_text(UNIX_UDP, 16));
    view_end(true);

    view_new("ports\t1\npool\nvalue\ttcp\tgood\t" NAME_13881400 "\nend\n", VIEW_RUNNING);
    ok(!strcmp(cells_text(UNIX_TCP, 16), ".n.............."), "%s", cells_text(UNIX_TCP, 16));
    ok(!strcmp(cells_text(UNIX_UDP, 16), "................"), "%s", cells_text(UNIX_UDP, 16));
    view_end(true);
    /* Stored, and held or not. */
    view_new(NULL, VIEW_ANOTHER_USER);
    ok(!strcmp(cells_text(UNIX_TCP, 16), "................"), "%s", cells_text(UNIX_TCP, 16));
    view_end(false);
}

static void test_map(void)
{
    const char *text;

    host_reset();
    view_new(REPORT, VIEW_RUNNING);
    screen = (struct screen){.width = 80, .ascii = true};
    text = written(map_draw);
    check_line(text, "TCP     +0      +1024   +2048   +3072   +4096   +5120   +6144   +7168");
    check_line(text, "      0 .......................................P........................");
    check_line(text, "  49152 Rrrrrrrrr.......................................................");
    check_line(text, "  57344 ................................................................");
    check_line(text, "        . nothing  p persistent  a active  r runtime  ABC in use");
    check_line(text, "        a character is 128 ports");
    ok(strspn(text, "\n 0123456789+.TCPUDarpRABCnothigespvcmuk") == strlen(text), "\"%s\"",
       text + strspn(text, "\n 0123456789+.TCPUDarpRABCnothigespvcmuk"));
    screen.colour = screen.blocks = true;
    text = written(map_draw);
    ok(strstr(text, "\033[0;33m\xe2\x96\x8c") != NULL, "no half of a character:\n%s", text);
    ok(strstr(text, "half a character is 64 ports\n") != NULL, "another scale");
    /* One protocol alone. */
    view_keep(&view, UNIX_UDP);
    screen = (struct screen){.width = 80};
    text = written(map_draw);
    ok(!strstr(text, "TCP") && strstr(text, "UDP"), "not UDP alone:\n%s", text);
    view_end(true);
    view_new(NULL, VIEW_STOPPED);
    ok(!*written(map_draw), "a map of nothing:\n%s", written(map_draw));
    view_end(false);
}

/* A key of an object, as JSON text. */
static const char *member(struct json_object *object, const char *key)
{
    return json_object_to_json_string_ext(json_object_object_get(object, key),
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

#define check_member(object, key, expected) check_member_(__LINE__, object, key, expected)
static void check_member_(int line, struct json_object *object, const char *key,
                          const char *expected)
{
    const char *text = member(object, key);

    ok_(__FILE__, line, !strcmp(text, expected), "%s: %s, expected %s", key, text, expected);
}

static struct json_object *parse_document(void)
{
    struct json_object *object;
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    document_write(file, &view);
    fclose(file);
    object = json_tokener_parse(text);
    ok(object != NULL, "not JSON: %s", text);
    free(text);
    return object;
}

static struct json_object *element(struct json_object *object, const char *key, size_t i)
{
    return json_object_array_get_idx(json_object_object_get(object, key), i);
}

static void test_document(void)
{
    struct json_object *object, *range;

    host_reset();
    host_add(UNIX_UDP, 52311, 0, "");
    view_new(REPORT, VIEW_RUNNING);
    object = parse_document();
    check_member(object, "version", "1");
    check_member(object, "prefix", "\"/home/anna/.wine\"");
    check_member(object, "state", "\"running\"");
    check_member(object, "holder",
                 "{\"name\":\"svchost.exe\",\"path\":\"C:\\\\windows\\\\system32\\\\svchost.exe\","
                 "\"pid\":1301,\"windows_pid\":32}");
    range = element(object, "ranges", 0);
    check_member(range, "protocol", "\"tcp\"");
    check_member(range, "start", "5000");
    check_member(range, "count", "20");
    check_member(range, "kind", "\"persistent\"");
    check_member(range, "held", "true");
    check_member(range, "used", "3");
    check_member(element(range, "uses", 1), "program",
                 "{\"name\":\"Gr\xc3\xb6\xc3\x9f"
                 "e.exe\",\"path\":\"C:\\\\Gr\xc3\xb6\xc3\x9f"
                 "e.exe\",\"pid\":null,\"windows_pid\":44}");
    range = element(object, "ranges", 3);
    check_member(range, "uses",
                 "[{\"port\":52311,\"program\":{\"name\":null,\"path\":null,\"pid\":null,"
                 "\"windows_pid\":null},\"in_the_way\":true}]");
    check_member(object, "ignored",
                 "[{\"protocol\":\"tcp\",\"value\":null,\"start\":5002,\"count\":1,"
                 "\"overlaps\":{\"start\":5000,\"count\":20}},"
                 "{\"protocol\":\"tcp\",\"value\":\"zz\",\"start\":null,\"count\":null,"
                 "\"overlaps\":null}]");
    json_object_put(object);
    view_end(true);
}

/* Names that are no text, or would do something to a terminal. */
static void test_odd_names(void)
{
    static const char odd[] =
        "ports\t1\npool\nvalue\ttcp\tgood\t001b005b00330031006d000ad83d0022202e\n"
        "process\t40\t1302\tZ:\\\x1b[2J\xff\"\xe2\x80\xae.exe\n"
        "range\ttcp\t5000\t20\tblock\t1\t40\nend\n";
    struct json_object *object;
    const char *text;

    host_reset();
    view_new(odd, VIEW_RUNNING);
    screen = (struct screen){.width = 80};
    text = written(listing_write);
    ok(!strpbrk(text, "\033\r\b"), "something for the terminal:\n%s", text);
    ok(strstr(text, "?[2J") != NULL, "no name:\n%s", text);
    ok(!strstr(text, "\xe2\x80\xae"), "another direction:\n%s", text);
    object = parse_document();
    ok(!strcmp(json_object_get_string(json_object_object_get(
                   json_object_object_get(element(object, "ranges", 0), "holder"), "name")),
               "\x1b[2J\xef\xbf\xbd\"\xe2\x80\xae.exe"),
       "%s", member(element(object, "ranges", 0), "holder"));
    ok(!strcmp(
           json_object_get_string(json_object_object_get(element(object, "ignored", 0), "value")),
           "\x1b[31m\n\xef\xbf\xbd\"\xe2\x80\xae"),
       "%s", member(element(object, "ignored", 0), "value"));
    json_object_put(object);
    view_end(true);
}

static void test_text(void)
{
    static const struct
    {
        const char *bytes, *valid;
    } rows[] = {
        {"", ""},
        {"abc", "abc"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd"},
        {"\xe2\x82z", "\xef\xbf\xbdz"},
        {"\x80\xff", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\x80", "\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd"},
        {"\xf8\x88\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    {
        char *copy = strdup(rows[i].bytes), *valid = text_valid(copy);

        ok(!strcmp(valid, rows[i].valid), "%zu: \"%s\", expected \"%s\"", i, valid, rows[i].valid);
        free(valid);
        free(copy);
    }
}

int main(void)
{
    test_start("show-view");
    /* Any locale of UTF-8 will do, for wide characters. */
    if (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "C.utf8"))
        ok(false, "there is no locale C.UTF-8");
    test_report();
    test_states();
    test_native();
    test_truncated_report();
    test_bad_report();
    test_listing();
    test_widths();
    test_wrapped_ports();
    test_cells();
    test_map();
    test_document();
    test_odd_names();
    test_text();
    free(written_text);
    return test_end();
}
