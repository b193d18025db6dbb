/*
 * curves: measures how what reservations cost goes with how many there are of this and that
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A sample is a line
 *     CURVE@X SIDE VALUE
 * with SIDE and VALUE as bench.c prints them: nanoseconds a call. What a curve and its X are stands
 * in curves.json. Many are named OPERATION-by-WHAT; those of one WHAT are taken together.
 *
 * curves full        draws from a block and a range of 1,000 ports, of which X % are used
 * curves processes   X processes draw from one range at the same time; VALUE is of one draw, as all
 *                    of them together make them
 * curves ports       operations by the ports of the block or range
 * curves blocks      … by the blocks that the process has, each by a socket of its own, and all by
 *                    the same one
 * curves sockets     … by the associated sockets that are open, bound and not
 * curves ranges      … by the persistent ranges that are stored
 * curves others      acquire anywhere, by the ports of another process's block, which lies where
 *                    such blocks are looked for first
 * curves memory      what a socket, or a block of one port, takes of the process's memory, as lines
 *                    ROW SIDE BYTES
 * curves draw SIDE PROTOCOL COUNT
 *                    draws from a block so often, and prints nothing, for "run --calls"
 *
 * Beside those, draw-with and hold-with are what "processes" and "others" start.
 */
#define MEASURE_NAME "curves"
#include "sides.h"

#include <fcntl.h>
#include <io.h>
#include <psapi.h>

#define RANGE_START    20000 /* automatic assignment does not come here */
#define DYNAMIC_START  49152 /* … but here, and acquiring a block anywhere */
#define FREE_START     19000 /* nobody is here */
#define RANGES_START   22000 /* of those that are only there */
#define BLOCK_PORTS    1000
#define DRAW_CALLS     8 /* as many as the smallest block has at least */
#define DRAW_PAIRS     101
#define SINGLE_SAMPLES 31
#define START_SAMPLES  9 /* of the service */
#define MANY_SOCKETS   5000
#define MOST_SOCKETS   6000
#define MOST_BLOCKS    1000
#define PROCESS_DRAWS  25 /* times DRAW_CALLS */
#define PROCESS_PAIRS  9
#define MOST_PROCESSES 8
#define MEMORY_SOCKETS 2000

static const struct protocol *const tcp = &protocols[0];

/* What is measured, and where on its curve. */
struct subject
{
    const char *by;
    unsigned int x;
    const struct protocol *protocol;
    INET_PORT_RESERVATION_TOKEN token;
    USHORT start; /* of the range in which ports are bound by number */
    USHORT count;
};

struct point
{
    char text[64];
};

/* The protocol is named only where both are measured. */
static struct point point(const char *operation, const struct subject *subject, BOOL both)
{
    struct point point;

    snprintf(point.text, sizeof(point.text), "%s-by-%s%s%s@%u", operation, subject->by,
             both ? "-" : "", both ? subject->protocol->name : "", subject->x);
    return point;
}

static void print_ours(const char *operation, const struct subject *subject, double time)
{
    printf("%s ours %.1f\n", point(operation, subject, FALSE).text, time);
}

static void draw(const struct winsock *winsock, void *context)
{
    const struct subject *subject = context;

    for (unsigned int i = 0; i < DRAW_CALLS; i++)
    {
        SOCKET s = make_socket(winsock, subject->protocol);

        if (winsock == &ours) associate(s, subject->token);
        bind_any(winsock, s);
        check(winsock->closesocket(s), "closesocket");
    }
}

static void measure_draw(const char *operation, struct subject *subject, BOOL both)
{
    compare(point(operation, subject, both).text, DRAW_PAIRS, DRAW_CALLS, NULL, draw, subject);
}

/* The reference binds ports that nobody has reserved. */
static void bind_number(const struct winsock *winsock, void *context)
{
    const struct subject *subject = context;

    for (unsigned int i = 0; i < DRAW_CALLS; i++)
    {
        SOCKET s = make_socket(winsock, subject->protocol);
        USHORT port = winsock == &ours ? subject->start + i % subject->count : FREE_START + i;
        struct sockaddr_in address = loopback(htons(port));

        bind_at(winsock, s, &address);
        check(winsock->closesocket(s), "closesocket");
    }
}

static void measure_number(struct subject *subject)
{
    compare(point("number", subject, TRUE).text, DRAW_PAIRS, DRAW_CALLS, NULL, bind_number,
            subject);
}

/* The parts of a draw, and listen, each for a few sockets together. */
enum phase
{
    PHASE_ASSOCIATE,
    PHASE_BIND,
    PHASE_LISTEN,
    PHASE_CLOSE,
    PHASES
};

static void phase_run(enum phase phase, const struct winsock *winsock, const SOCKET *sockets,
                      const struct subject *subject)
{
    for (unsigned int i = 0; i < DRAW_CALLS; i++)
    {
        switch (phase)
        {
        case PHASE_ASSOCIATE:
            associate(sockets[i], subject->token);
            break;
        case PHASE_BIND:
            bind_any(winsock, sockets[i]);
            break;
        case PHASE_LISTEN:
            check(winsock->listen(sockets[i], 1), "listen");
            break;
        default:
            check(winsock->closesocket(sockets[i]), "closesocket");
            break;
        }
    }
}

static void phases_sample(const struct winsock *winsock, const struct subject *subject)
{
    static const char *const names[PHASES] = {"associate", "bind", "listen", "close"};
    SOCKET sockets[DRAW_CALLS];

    for (unsigned int i = 0; i < DRAW_CALLS; i++)
        sockets[i] = make_socket(winsock, subject->protocol);
    for (enum phase phase = winsock == &ours ? PHASE_ASSOCIATE : PHASE_BIND; phase < PHASES;
         phase++)
    {
        double start = clock_ns();

        phase_run(phase, winsock, sockets, subject);
        printf("%s %s %.1f\n", point(names[phase], subject, FALSE).text, winsock->side,
               (clock_ns() - start) / DRAW_CALLS);
    }
}

static void measure_phases(const struct subject *subject)
{
    for (unsigned int i = 0; i < DRAW_PAIRS; i++)
    {
        phases_sample(i % 2 ? &ours : &reference, subject);
        phases_sample(i % 2 ? &reference : &ours, subject);
    }
}

/* Small blocks that come and go: by acquire and release, and by acquire and closesocket. */
static void measure_acquire(const struct subject *subject)
{
    for (unsigned int i = 0; i < SINGLE_SAMPLES; i++)
    {
        SOCKET s = make_socket(&ours, tcp);
        INET_PORT_RESERVATION_TOKEN token;
        double start = clock_ns(), acquired;

        token = acquire(s, RANGE_START, 10);
        acquired = clock_ns();
        release(s, token);
        print_ours("acquire", subject, acquired - start);
        print_ours("release", subject, clock_ns() - acquired);
        acquire(s, RANGE_START, 10);
        start = clock_ns();
        check(ours.closesocket(s), "closesocket");
        print_ours("end", subject, clock_ns() - start);
    }
}

static void measure_create(const struct subject *subject)
{
    for (unsigned int i = 0; i < SINGLE_SAMPLES; i++)
    {
        double start = clock_ns(), created;

        create(tcp, RANGE_START, 10);
        created = clock_ns();
        delete (tcp, RANGE_START, 10);
        print_ours("create", subject, created - start);
        print_ours("delete", subject, clock_ns() - created);
    }
}

/* The service holds what is stored once it has started. */
static void measure_start(const struct subject *subject)
{
    for (unsigned int i = 0; i < START_SAMPLES; i++) print_ours("start", subject, holder_restart());
}

/* Binds sockets to the ports of a block, and keeps them. */
static void draw_keep(const struct subject *subject, SOCKET *sockets, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
    {
        sockets[i] = make_socket(&ours, subject->protocol);
        associate(sockets[i], subject->token);
        bind_any(&ours, sockets[i]);
    }
}

static void close_all(const SOCKET *sockets, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) check(ours.closesocket(sockets[i]), "closesocket");
}

/* Other processes */

/* What a process inherits that this one waits for. */
struct start_line
{
    HANDLE ready; /* a semaphore: each process that is prepared adds one to it */
    HANDLE go;    /* an event: now they are to begin */
    HANDLE done;  /* a semaphore, again */
};

static void start_line_make(struct start_line *line)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof(inherit), .bInheritHandle = TRUE};

    line->ready = CreateSemaphoreW(&inherit, 0, MOST_PROCESSES, NULL);
    line->go = CreateEventW(&inherit, TRUE, FALSE, NULL);
    line->done = CreateSemaphoreW(&inherit, 0, MOST_PROCESSES, NULL);
    check(!line->ready || !line->go || !line->done, "making semaphores");
}

static void start_line_close(const struct start_line *line)
{
    CloseHandle(line->ready);
    CloseHandle(line->go);
    CloseHandle(line->done);
}

/* Starts this program again, with such a command for the start line. */
static HANDLE process_start(const struct start_line *line, const char *command, const char *first,
                            ULONG64 second)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    char path[MAX_PATH] = "", text[MAX_PATH + 160];

    check(!GetModuleFileNameA(NULL, path, sizeof(path)), "GetModuleFileName");
    snprintf(text, sizeof(text), "\"%s\" %s %s %llu %llu %llu %llu", path, command, first, second,
             (ULONG64)line->ready, (ULONG64)line->go, (ULONG64)line->done);
    check(!CreateProcessA(NULL, text, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info),
          "CreateProcess");
    CloseHandle(info.hThread);
    return info.hProcess;
}

static void await_each(HANDLE semaphore, unsigned int count)
{
    while (count--)
        check(WaitForSingleObject(semaphore, 60000) != WAIT_OBJECT_0, "waiting for a process");
}

/* full */

static void full_compare(const char *name, const struct protocol *protocol,
                         INET_PORT_RESERVATION_TOKEN token)
{
    static const unsigned int used[] = {0, 500, 900, 990, 999};
    struct subject subject = {.protocol = protocol, .token = token};
    SOCKET sockets[BLOCK_PORTS];
    unsigned int count = 0;
    char row[40];

    for (unsigned int i = 0; i < ARRAYSIZE(used); i++)
    {
        draw_keep(&subject, sockets + count, used[i] - count);
        count = used[i];
        snprintf(row, sizeof(row), "%s-%s@%g", name, protocol->name, count * 100.0 / BLOCK_PORTS);
        compare(row, DRAW_PAIRS, DRAW_CALLS, NULL, draw, &subject);
    }
    close_all(sockets, count);
}

static int curves_full(void)
{
    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
    {
        SOCKET acquirer = make_socket(&ours, &protocols[i]);

        full_compare("full", &protocols[i], acquire(acquirer, 0, BLOCK_PORTS));
        check(ours.closesocket(acquirer), "closesocket");
        full_compare("full-persistent", &protocols[i],
                     create(&protocols[i], RANGE_START, BLOCK_PORTS));
        delete (&protocols[i], RANGE_START, BLOCK_PORTS);
    }
    return 0;
}

/* ports */

/* What it costs to hear that all ports are used. */
static void measure_exhausted(const struct subject *subject)
{
    SOCKET *sockets = malloc(subject->x * sizeof(*sockets));
    struct sockaddr_in any = loopback(0);

    check(!sockets, "malloc");
    draw_keep(subject, sockets, subject->x);
    for (unsigned int i = 0; i < SINGLE_SAMPLES; i++)
    {
        SOCKET s = make_socket(&ours, subject->protocol);
        double start;

        associate(s, subject->token);
        start = clock_ns();
        check(!ours.bind(s, (struct sockaddr *)&any, sizeof(any)), "refusal of a bind");
        print_ours("exhausted", subject, clock_ns() - start);
        check(ours.closesocket(s), "closesocket");
    }
    close_all(sockets, subject->x);
    free(sockets);
}

static void ports_block(unsigned int count)
{
    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
    {
        struct subject subject = {.by = "ports", .x = count, .protocol = &protocols[i]};
        SOCKET acquirer = make_socket(&ours, &protocols[i]);

        subject.token = acquire(acquirer, RANGE_START, count);
        measure_draw("draw", &subject, TRUE);
        if (&protocols[i] == tcp) measure_phases(&subject);
        if (&protocols[i] == tcp && count <= BLOCK_PORTS) measure_exhausted(&subject);
        check(ours.closesocket(acquirer), "closesocket");
    }
}

static void ports_range(unsigned int count)
{
    for (unsigned int i = 0; i < ARRAYSIZE(protocols); i++)
    {
        struct subject subject = {.by = "ports",
                                  .x = count,
                                  .protocol = &protocols[i],
                                  .start = RANGE_START,
                                  .count = count};

        subject.token = create(&protocols[i], RANGE_START, count);
        measure_draw("draw-persistent", &subject, TRUE);
        measure_number(&subject);
        if (&protocols[i] == tcp) measure_start(&subject);
        delete (&protocols[i], RANGE_START, count);
    }
}

static int curves_ports(void)
{
    for (unsigned int count = 10; count <= 10000; count *= 10)
    {
        ports_block(count);
        ports_range(count);
    }
    return 0;
}

/* blocks */

static void measure_runtime(struct subject *subject)
{
    measure_draw("draw", subject, FALSE);
    measure_phases(subject);
    measure_acquire(subject);
}

/* The block that is drawn from is one of them. */
static void blocks_by(const char *by, BOOL one_socket)
{
    struct subject subject = {.by = by, .protocol = tcp};
    SOCKET sockets[MOST_BLOCKS];
    unsigned int count = 1;

    sockets[0] = make_socket(&ours, tcp);
    subject.token = acquire(sockets[0], 0, 100);
    for (subject.x = 1; subject.x <= MOST_BLOCKS; subject.x *= 10)
    {
        for (; count < subject.x; count++)
        {
            sockets[count] = one_socket ? sockets[0] : make_socket(&ours, tcp);
            acquire(sockets[count], 0, 1);
        }
        measure_runtime(&subject);
    }
    close_all(sockets, one_socket ? 1 : count);
}

static int curves_blocks(void)
{
    blocks_by("blocks", FALSE);
    blocks_by("blocks-of-one", TRUE);
    return 0;
}

/* sockets */

static void sockets_by(const char *by, BOOL bound)
{
    static const unsigned int counts[] = {1, 100, 1000, MANY_SOCKETS};
    struct subject subject = {.by = by, .protocol = tcp};
    SOCKET acquirer = make_socket(&ours, tcp), *sockets;
    unsigned int count = 0;

    sockets = malloc(MANY_SOCKETS * sizeof(*sockets));
    check(!sockets, "malloc");
    subject.token = acquire(acquirer, RANGE_START + 10, MOST_SOCKETS);
    for (unsigned int i = 0; i < ARRAYSIZE(counts); i++)
    {
        for (subject.x = counts[i]; count < subject.x; count++)
        {
            sockets[count] = make_socket(&ours, tcp);
            associate(sockets[count], subject.token);
            if (bound) bind_any(&ours, sockets[count]);
        }
        measure_runtime(&subject);
    }
    close_all(sockets, count);
    check(ours.closesocket(acquirer), "closesocket");
    free(sockets);
}

static int curves_sockets(void)
{
    sockets_by("sockets", TRUE);
    sockets_by("unbound", FALSE);
    return 0;
}

/* ranges */

static int curves_ranges(void)
{
    static const unsigned int counts[] = {1, 10, 100, 1000};
    struct subject subject = {.by = "ranges", .protocol = tcp, .start = RANGE_START, .count = 100};
    unsigned int count = 1;

    subject.token = create(tcp, RANGES_START, 100);
    subject.start = RANGES_START;
    for (unsigned int i = 0; i < ARRAYSIZE(counts); i++)
    {
        for (subject.x = counts[i]; count < subject.x; count++)
            create(tcp, RANGES_START + 100 + 2 * count, 1);
        measure_draw("draw", &subject, FALSE);
        measure_phases(&subject);
        measure_number(&subject);
        measure_acquire(&subject);
        measure_create(&subject);
        measure_start(&subject);
    }
    while (--count) delete (tcp, RANGES_START + 100 + 2 * count, 1);
    delete (tcp, RANGES_START, 100);
    return 0;
}

/* processes */

static void processes_sample(const struct winsock *winsock, unsigned int count,
                             INET_PORT_RESERVATION_TOKEN token)
{
    HANDLE processes[MOST_PROCESSES];
    struct start_line line;
    double start;

    start_line_make(&line);
    for (unsigned int i = 0; i < count; i++)
        processes[i] = process_start(&line, "draw-with", winsock->side, token.Token);
    await_each(line.ready, count);
    start = clock_ns();
    SetEvent(line.go);
    await_each(line.done, count);
    printf("processes@%u %s %.1f\n", count, winsock->side,
           (clock_ns() - start) / (count * PROCESS_DRAWS * DRAW_CALLS));
    for (unsigned int i = 0; i < count; i++)
    {
        await_each(processes[i], 1);
        CloseHandle(processes[i]);
    }
    start_line_close(&line);
}

static int curves_processes(void)
{
    INET_PORT_RESERVATION_TOKEN token = create(tcp, RANGE_START, BLOCK_PORTS);

    for (unsigned int count = 1; count <= MOST_PROCESSES; count *= 2)
        for (unsigned int i = 0; i < PROCESS_PAIRS; i++)
        {
            processes_sample(i % 2 ? &ours : &reference, count, token);
            processes_sample(i % 2 ? &reference : &ours, count, token);
        }
    delete (tcp, RANGE_START, BLOCK_PORTS);
    return 0;
}

static const struct winsock *side_named(const char *name)
{
    return strcmp(name, ours.side) ? &reference : &ours;
}

static struct start_line start_line_named(char **argv)
{
    return (struct start_line){.ready = (HANDLE)strtoull(argv[0], NULL, 10),
                               .go = (HANDLE)strtoull(argv[1], NULL, 10),
                               .done = (HANDLE)strtoull(argv[2], NULL, 10)};
}

static int curves_draw_with(char **argv)
{
    const struct winsock *winsock = side_named(argv[0]);
    struct subject subject = {.protocol = tcp, .token.Token = strtoull(argv[1], NULL, 10)};
    struct start_line line = start_line_named(argv + 2);

    /* What a process does the first time only is not meant. */
    draw(winsock, &subject);
    ReleaseSemaphore(line.ready, 1, NULL);
    await_each(line.go, 1);
    for (unsigned int i = 0; i < PROCESS_DRAWS; i++) draw(winsock, &subject);
    ReleaseSemaphore(line.done, 1, NULL);
    return 0;
}

/* others */

static int curves_hold_with(char **argv)
{
    struct start_line line = start_line_named(argv + 2);

    acquire(make_socket(&ours, tcp), DYNAMIC_START, strtoul(argv[1], NULL, 10));
    ReleaseSemaphore(line.ready, 1, NULL);
    await_each(line.go, 1);
    return 0;
}

static void measure_anywhere(const struct subject *subject)
{
    SOCKET s = make_socket(&ours, tcp);

    for (unsigned int i = 0; i < SINGLE_SAMPLES; i++)
    {
        double start = clock_ns();
        INET_PORT_RESERVATION_TOKEN token = acquire(s, 0, 10);

        print_ours("acquire", subject, clock_ns() - start);
        release(s, token);
    }
    check(ours.closesocket(s), "closesocket");
}

static int curves_others(void)
{
    struct subject subject = {.by = "others"};

    for (subject.x = 10; subject.x <= 10000; subject.x *= 10)
    {
        struct start_line line;
        HANDLE process;

        start_line_make(&line);
        process = process_start(&line, "hold-with", "tcp", subject.x);
        await_each(line.ready, 1);
        measure_anywhere(&subject);
        SetEvent(line.go);
        await_each(process, 1);
        CloseHandle(process);
        start_line_close(&line);
    }
    return 0;
}

/* memory */

static double memory_used(void)
{
    PROCESS_MEMORY_COUNTERS counters;

    check(!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters)),
          "GetProcessMemoryInfo");
    return counters.WorkingSetSize;
}

static void memory_print(const char *row, const struct winsock *winsock, double before)
{
    printf("%s %s %.1f\n", row, winsock->side, (memory_used() - before) / MEMORY_SOCKETS);
}

static int curves_memory(void)
{
    static SOCKET sockets[3][MEMORY_SOCKETS];
    SOCKET acquirer = make_socket(&ours, tcp);
    struct subject subject = {.protocol = tcp, .token = acquire(acquirer, 0, MOST_SOCKETS)};
    double before;

    draw(&reference, &subject);
    draw(&ours, &subject);
    before = memory_used();
    for (unsigned int i = 0; i < MEMORY_SOCKETS; i++)
        bind_any(&reference, sockets[0][i] = make_socket(&reference, tcp));
    memory_print("memory-socket", &reference, before);
    before = memory_used();
    draw_keep(&subject, sockets[1], MEMORY_SOCKETS);
    memory_print("memory-socket", &ours, before);
    before = memory_used();
    for (unsigned int i = 0; i < MEMORY_SOCKETS; i++)
        acquire(sockets[2][i] = make_socket(&ours, tcp), 0, 1);
    memory_print("memory-block", &ours, before);
    return 0;
}

/* draw */

static int curves_draw(char **argv)
{
    const struct winsock *winsock = side_named(argv[0]);
    struct subject subject = {.protocol = &protocols[!strcmp(argv[1], "udp")]};
    unsigned int count = strtoul(argv[2], NULL, 10);
    SOCKET acquirer = make_socket(&ours, subject.protocol);

    subject.token = acquire(acquirer, 0, BLOCK_PORTS);
    for (unsigned int i = 0; i < count; i += DRAW_CALLS) draw(winsock, &subject);
    return 0;
}

static int usage(void)
{
    fputs("Usage: curves full|processes|ports|blocks|sockets|ranges|others|memory |\n"
          "       curves draw SIDE PROTOCOL COUNT\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct
    {
        const char *name;
        int (*function)(void);
    } commands[] = {
        {"full", curves_full},     {"processes", curves_processes}, {"ports", curves_ports},
        {"blocks", curves_blocks}, {"sockets", curves_sockets},     {"ranges", curves_ranges},
        {"others", curves_others}, {"memory", curves_memory},
    };

    _setmode(_fileno(stdout), _O_BINARY);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (argc < 2) return usage();
    winsock_load_both();
    if (argc == 5 && !strcmp(argv[1], "draw")) return curves_draw(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "draw-with")) return curves_draw_with(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "hold-with")) return curves_hold_with(argv + 2);
    for (unsigned int i = 0; argc == 2 && i < ARRAYSIZE(commands); i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].function();
    return usage();
}
