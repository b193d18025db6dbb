/*
 * The native side of the stress test: what starts and kills its Windows programs, and thieves
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   stress-host SECONDS SEED PROCESSES THREADS TAWNY STRESS.EXE
 *
 * Run by tests/stress/run, in a network namespace, with WINEPREFIX set to a prefix that is set up.
 * Ends with the counts of what was done and a line "stress: N passed, N failed".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

#define MODEL_NAME "stress.model"
#define STUCK      60.0 /* seconds in one operation */
#define PATIENCE   15.0 /* for what is on its way already */

/* Each thief is a process. */
static const struct thief_kind
{
    const char *name;
    bool reuseaddr;
    bool reuseport;
    bool other_user;
    const char *device;
} thief_kinds[] = {
    {"plain", false, false, false, NULL},
    {"SO_REUSEADDR", true, false, false, NULL},
    {"SO_REUSEPORT of another user", false, true, true, NULL},
    {"both of another user", true, true, true, NULL},
    {"SO_REUSEPORT of the same user", false, true, false, NULL},
    {"bound to a device", false, false, false, "lo"},
};
#define THIEF_KINDS (sizeof(thief_kinds) / sizeof(thief_kinds[0]))

/* What thieves count, in memory that they share with the director. */
struct thief
{
    pid_t pid; /* 0: skipped */
    uint64_t tries;
    uint64_t reserved; /* at ports that were reserved before and after */
    uint64_t free;     /* that were not, and which it got */
    uint64_t allowed;  /* reserved ones that it got, as it may */
};

struct process
{
    pid_t pid;
    unsigned int number;
    uint64_t steps[MODEL_THREADS];
    double changed[MODEL_THREADS];
};

static struct model *model;
static struct thief *thieves;
static struct process processes[MODEL_SLOTS];
static unsigned int process_count, thread_count, next_process = FIRST_PROCESS;
static const char *tawny, *program, *prefix;
static char model_file[PATH_MAX];
static uint32_t random_state, reported;

static const char *const protocol_names[] = {"tcp", "udp"};
static const char *const operation_names[] = {
#define OPERATION_NAME(name, text) text,
    MODEL_OPERATIONS(OPERATION_NAME)};
static const char *const event_names[] = {
#define EVENT_NAME(name, text) text,
    MODEL_EVENTS(EVENT_NAME)};

static void fail(const char *what)
{
    fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void doze(unsigned int microseconds)
{
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};

    nanosleep(&time, NULL);
}

static void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    model_report(model, format, args);
    va_end(args);
}

#define check(condition, ...)                                                                      \
    do                                                                                             \
    {                                                                                              \
        model_count(model, EVENT_CHECKS);                                                          \
        if (!(condition)) report(__VA_ARGS__);                                                     \
    } while (0)

static void show_progress(double passed, double all)
{
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r\033[K");
    if (all)
        fprintf(stderr, "stress: %.0f of %.0f seconds, %llu ports drawn, %u failures", passed, all,
                (unsigned long long)model->events[EVENT_DRAWN], model->failures);
}

/* Says what has failed since. */
static void show_failures(void)
{
    while (reported < MODEL_FAILURES &&
           __atomic_load_n(&model->lines_ready[reported], __ATOMIC_SEQ_CST))
    {
        show_progress(0, 0);
        printf("not ok: %s\n", model->lines[reported++]);
        fflush(stdout);
    }
}

/*
 * Thieves
 */

static const struct
{
    const char *address;
    bool v6only;
    bool wildcard;
} thief_shapes[] = {
    {"0.0.0.0", false, true},
    {"127.0.0.1", false, false},
    {"127.0.0.2", false, false},
    {"::", false, true},
    {"::", true, true},
    {"::1", false, false},
    {"::ffff:127.0.0.1", false, false},
};
#define THIEF_SHAPES (sizeof(thief_shapes) / sizeof(thief_shapes[0]))

static void thief_set(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value))) fail("a thief's option");
}

static int thief_bind(const struct thief_kind *kind, unsigned int protocol, unsigned int port,
                      unsigned int shape)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    bool is_in6 = inet_pton(AF_INET, thief_shapes[shape].address, &in.sin_addr) != 1;
    int fd = socket(is_in6 ? AF_INET6 : AF_INET,
                    (protocol == MODEL_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

    if (fd == -1) return -1;
    if (is_in6) inet_pton(AF_INET6, thief_shapes[shape].address, &in6.sin6_addr);
    if (is_in6) thief_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, thief_shapes[shape].v6only);
    if (kind->reuseaddr) thief_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (kind->reuseport) thief_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (kind->device &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, kind->device, strlen(kind->device)))
        fail("a thief's device");
    if (!(is_in6 ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
                 : bind(fd, (struct sockaddr *)&in, sizeof(in))))
        return fd;
    close(fd);
    return -1;
}

/* The README's Limits have what some may get: ports to which a socket of the block is or was bound,
 * or a UDP port. */
static bool thief_may(const struct thief_kind *kind, unsigned int protocol, uint64_t block)
{
    if (kind->device) return protocol == MODEL_UDP;
    return kind->reuseport && !kind->other_user && !(block & ENTRY_QUIET);
}

static void steal(unsigned int number, uint32_t *random, uint64_t *entry)
{
    bool persistent = !(model_random(random) % 6), reserved;
    const struct thief_kind *kind = &thief_kinds[number];
    unsigned int protocol, port = model_pick_port(model, random, &protocol);
    unsigned int shape = model_random(random) % THIEF_SHAPES;
    struct thief *thief = &thieves[number];
    bool visits = kind->reuseport && !kind->other_user;
    uint64_t before, after, *native;
    int fd;

    if (persistent) port = PERSISTENT_FIRST + model_random(random) % PERSISTENT_COUNT;
    before = model_get(&model->blocks[protocol][port]);
    if (visits) __atomic_fetch_add(&model->visits[protocol][port], 1, __ATOMIC_SEQ_CST);
    fd = thief_bind(kind, protocol, port, shape);
    after = model_get(&model->blocks[protocol][port]);
    /* One that was reserved after the bind is as bad. */
    reserved = persistent || model_is_true(model, after);
    thief->tries++;
    thief->reserved += persistent || (before == after && reserved);
    model_count(model, EVENT_CHECKS);
    if (fd == -1)
    {
        if (visits) __atomic_fetch_add(&model->visits[protocol][port], 1, __ATOMIC_SEQ_CST);
        return;
    }
    if (reserved && thief_may(kind, protocol, after))
        thief->allowed++;
    else if (reserved)
        report("a native program, %s, got %s port %u at %s%s, which %s%llx reserves", kind->name,
               protocol_names[protocol], port, thief_shapes[shape].address,
               thief_shapes[shape].v6only ? " (IPv6 only)" : "", persistent ? "a range, " : "",
               (unsigned long long)after);
    else
        thief->free++;
    native = NULL;
    if (!reserved && thief_shapes[shape].wildcard && !kind->device &&
        (!kind->reuseport || kind->other_user))
    {
        uint64_t none = 0;

        *entry += ENTRY_STEP;
        if (model_swap(&model->natives[protocol][port], &none, *entry))
            native = &model->natives[protocol][port];
    }
    doze(model_random(random) % 5000);
    if (native) __atomic_store_n(native, 0, __ATOMIC_SEQ_CST);
    close(fd);
    if (visits) __atomic_fetch_add(&model->visits[protocol][port], 1, __ATOMIC_SEQ_CST);
}

static void thief_run(unsigned int number)
{
    uint32_t random = model_seed(model->seed, 0x1000000 + number);
    uint64_t entry = (uint64_t)NATIVE_PROCESS << 48 | (uint64_t)number << 40;

    if (thief_kinds[number].other_user && (setgid(65534) || setuid(65534)))
        fail("a thief cannot be another user");
    while (!__atomic_load_n(&model->stopping, __ATOMIC_SEQ_CST))
    {
        steal(number, &random, &entry);
        doze(model_random(&random) % 2000);
    }
}

static void start_thieves(void)
{
    pid_t pid;

    for (unsigned int i = 0; i < THIEF_KINDS; i++)
    {
        if (thief_kinds[i].other_user && getuid())
        {
            printf("stress: skipped: a native program, %s: that takes root\n", thief_kinds[i].name);
            continue;
        }
        fflush(stdout);
        pid = fork();
        if (pid == -1) fail("fork");
        if (!pid)
        {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            thief_run(i);
            _exit(0);
        }
        thieves[i].pid = pid;
    }
}

static void end_thieves(void)
{
    for (unsigned int i = 0; i < THIEF_KINDS; i++)
    {
        int status = 0;

        if (!thieves[i].pid) continue;
        waitpid(thieves[i].pid, &status, 0);
        check(!status, "the native program \"%s\" ended with status %x", thief_kinds[i].name,
              status);
    }
}

/*
 * Windows programs
 */

static pid_t start_program(char **arguments)
{
    pid_t pid = fork();
    int input;

    if (pid == -1) fail("fork");
    if (pid) return pid;
    input = open("/dev/null", O_RDONLY);
    dup2(input, STDIN_FILENO);
    execv(tawny, arguments);
    _exit(127);
}

/* As Wine's programs see the file. */
static const char model_argument[] = "C:\\" MODEL_NAME;

static void start_process(struct process *process)
{
    unsigned int slot = process - processes;
    char number_text[16], slot_text[16], threads_text[16];
    char *arguments[] = {(char *)tawny, "run",     (char *)program, "work", (char *)model_argument,
                         number_text,   slot_text, threads_text,    NULL};

    if (next_process > MODEL_PROCESSES) fail("too many processes");
    process->number = next_process++;
    __atomic_store_n(&model->doomed[slot], 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&model->talking[slot], 0, __ATOMIC_SEQ_CST);
    snprintf(number_text, sizeof(number_text), "%u", process->number);
    snprintf(slot_text, sizeof(slot_text), "%u", slot);
    snprintf(threads_text, sizeof(threads_text), "%u", thread_count);
    for (unsigned int i = 0; i < thread_count; i++)
    {
        memset(&model->threads[slot][i], 0, sizeof(model->threads[slot][i]));
        model->threads[slot][i].operation = OPERATION_START;
        process->steps[i] = 0;
        process->changed[i] = now();
    }
    __atomic_store_n(&model->states[process->number], STATE_LIVING, __ATOMIC_SEQ_CST);
    process->pid = start_program(arguments);
}

static void strike_out(uint64_t *entries, unsigned int number)
{
    for (unsigned int i = 0; i < MODEL_PROTOCOLS * MODEL_PORTS; i++)
    {
        uint64_t entry = model_get(&entries[i]);

        if (ENTRY_PROCESS(entry) == number) model_swap(&entries[i], &entry, 0);
    }
}

static void process_ended(struct process *process)
{
    __atomic_store_n(&model->states[process->number], STATE_NONE, __ATOMIC_SEQ_CST);
    strike_out(&model->blocks[0][0], process->number);
    strike_out(&model->sockets[0][0], process->number);
    process->pid = 0;
}

static void kill_process(struct process *process)
{
    unsigned int slot = process - processes;
    double end = now() + 10;

    __atomic_store_n(&model->doomed[slot], 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&model->talking[slot], __ATOMIC_SEQ_CST) && now() < end) doze(1000);
    __atomic_store_n(&model->states[process->number], STATE_DYING, __ATOMIC_SEQ_CST);
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    process_ended(process);
    model_count(model, EVENT_KILLED);
}

static void read_text(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void read_text(char *text, size_t size, const char *format, ...)
{
    char name[PATH_MAX];
    ssize_t length;
    va_list args;
    int fd;

    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    length = fd == -1 ? 0 : read(fd, text, size - 1);
    text[length > 0 ? length : 0] = 0;
    if (fd != -1) close(fd);
}

/* Where each thread of a process is, on the host. */
static void show_host_threads(pid_t pid)
{
    char pattern[64], where[64];
    glob_t found;

    snprintf(pattern, sizeof(pattern), "/proc/%d/task/*", pid);
    if (glob(pattern, 0, NULL, &found)) return;
    for (size_t i = 0; i < found.gl_pathc; i++)
    {
        read_text(where, sizeof(where), "%s/wchan", found.gl_pathv[i]);
        printf("    %s %s\n", found.gl_pathv[i], where);
    }
    globfree(&found);
}

/* False if a thread does not come back from an operation. */
static bool watch_threads(struct process *process)
{
    unsigned int slot = process - processes;
    double time = now();

    for (unsigned int i = 0; i < thread_count; i++)
    {
        const struct model_thread *thread = &model->threads[slot][i];
        uint64_t steps = model_get(&thread->steps);

        if (steps != process->steps[i]) process->changed[i] = time;
        process->steps[i] = steps;
        if (time - process->changed[i] < STUCK) continue;
        report("thread %u of process %u (%d) hangs: %s, %s %u, at line %u", i, process->number,
               process->pid, operation_names[thread->operation], protocol_names[thread->protocol],
               thread->port, thread->line);
        show_host_threads(process->pid);
        return false;
    }
    return true;
}

/* Takes note of what has ended; the director has killed none of them. False if one hangs. */
static bool watch_processes(bool replace)
{
    for (unsigned int i = 0; i < process_count; i++)
    {
        struct process *process = &processes[i];
        int status;

        if (!process->pid) continue;
        if (waitpid(process->pid, &status, WNOHANG) == process->pid)
        {
            check(!replace && !status, "process %u ended with status %x", process->number, status);
            process_ended(process);
            if (replace) start_process(process);
        }
        else if (replace && !watch_threads(process))
            return false;
    }
    return true;
}

static bool processes_run(void)
{
    for (unsigned int i = 0; i < process_count; i++)
        if (processes[i].pid) return true;
    return false;
}

static void run_to_end(const char *word)
{
    char *arguments[] = {(char *)tawny,          "run", (char *)program, (char *)word,
                         (char *)model_argument, NULL};
    double end = now() + STUCK;
    pid_t pid = start_program(arguments);
    int status;

    while (!waitpid(pid, &status, WNOHANG))
    {
        doze(10000);
        if (now() < end) continue;
        show_host_threads(pid);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        break;
    }
    check(!status, "\"%s\" ended with status %x", word, status);
}

/*
 * The host
 */

/* A process of the prefix by what its command line contains; 0 if there is none. */
static pid_t find_process(const char *first, const char *second)
{
    char line[4096], wanted[PATH_MAX + 16];
    static char environment[1 << 17];
    glob_t found;
    pid_t pid = 0;

    snprintf(wanted, sizeof(wanted), "WINEPREFIX=%s", prefix);
    if (glob("/proc/[0-9]*", 0, NULL, &found)) return 0;
    for (size_t i = 0; i < found.gl_pathc && !pid; i++)
    {
        ssize_t length;
        int fd;

        snprintf(line, sizeof(line), "%s/environ", found.gl_pathv[i]);
        fd = open(line, O_RDONLY | O_CLOEXEC);
        length = fd == -1 ? 0 : read(fd, environment, sizeof(environment) - 1);
        if (fd != -1) close(fd);
        if (length <= 0 || !memmem(environment, length, wanted, strlen(wanted))) continue;
        snprintf(line, sizeof(line), "%s/cmdline", found.gl_pathv[i]);
        fd = open(line, O_RDONLY | O_CLOEXEC);
        length = fd == -1 ? 0 : read(fd, line, sizeof(line));
        if (fd != -1) close(fd);
        if (length > 0 && memmem(line, length, first, strlen(first)) &&
            memmem(line, length, second, strlen(second)))
            pid = atoi(found.gl_pathv[i] + strlen("/proc/"));
    }
    globfree(&found);
    return pid;
}

static unsigned int count_descriptors(pid_t pid)
{
    unsigned int count = 0;
    char name[64];
    DIR *directory;

    snprintf(name, sizeof(name), "/proc/%d/fd", pid);
    if (!(directory = opendir(name))) return 0;
    while (readdir(directory)) count++;
    closedir(directory);
    return count - 2;
}

/* In KiB. */
static unsigned long memory_of(pid_t pid)
{
    char text[8192];
    const char *line;

    read_text(text, sizeof(text), "/proc/%d/status", pid);
    line = strstr(text, "\nRssAnon:");
    return line ? strtoul(line + strlen("\nRssAnon:"), NULL, 10) : 0;
}

/* A port between these that a socket of the host is bound to, 0 if there is none; connections that
 * have ended are no sockets. */
static unsigned int bound_between(const char *protocol, unsigned int first, unsigned int last)
{
    unsigned int port, state, found = 0;
    char name[64], line[512];
    FILE *file;

    snprintf(name, sizeof(name), "/proc/net/%s", protocol);
    if (!(file = fopen(name, "re"))) return 0;
    while (!found && fgets(line, sizeof(line), file))
        if (sscanf(line, " %*[0-9]: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
            port >= first && port <= last && state != 6)
            found = port;
    fclose(file);
    return found;
}

/* Says which processes have a socket of the host, by its number. */
static void show_owners(unsigned long inode)
{
    char wanted[32], link[64], name[64];
    glob_t found;
    ssize_t length;

    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    if (!inode || glob("/proc/[0-9]*/fd/*", 0, NULL, &found)) return;
    for (size_t i = 0; i < found.gl_pathc; i++)
    {
        length = readlink(found.gl_pathv[i], link, sizeof(link) - 1);
        link[length > 0 ? length : 0] = 0;
        if (strcmp(link, wanted)) continue;
        read_text(name, sizeof(name), "/proc/%d/comm", atoi(found.gl_pathv[i] + strlen("/proc/")));
        printf("        %s, %s", found.gl_pathv[i], name);
    }
    globfree(&found);
}

/* Shows the sockets that have to do with a port, the other ends of connections among them. */
static void show_port(const char *protocol, unsigned int port)
{
    char name[64], line[512], wanted[16];
    unsigned long inode;
    FILE *file;

    snprintf(name, sizeof(name), "/proc/net/%s", protocol);
    snprintf(wanted, sizeof(wanted), ":%04X ", port);
    if (!(file = fopen(name, "re"))) return;
    while (fgets(line, sizeof(line), file))
    {
        if (!strstr(line, wanted)) continue;
        printf("    %s", line);
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %lu", &inode) == 1)
            show_owners(inode);
    }
    fclose(file);
}

static void check_nothing_bound(const char *when, unsigned int first, unsigned int last)
{
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6"};
    double end = now() + PATIENCE;

    for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
    {
        unsigned int port;

        while ((port = bound_between(tables[i], first, last)) && now() < end) doze(100000);
        check(!port, "%s, %s port %u is bound on the host", when, tables[i], port);
        if (port) show_port(tables[i], port);
    }
}

static void check_descriptors(const char *what, pid_t pid, unsigned int most)
{
    double end = now() + PATIENCE;
    unsigned int count;

    while ((count = count_descriptors(pid)) > most && now() < end) doze(100000);
    check(count && count <= most, "%s has %u descriptors at the end, and was to have %u", what,
          count, most);
}

static void check_memory(const char *what, unsigned long middle, unsigned long end)
{
    printf("stress: memory of %s: %lu KiB in the middle, %lu KiB at the end\n", what, middle, end);
    check(end && end <= middle + middle / 4 + 2048, "the memory of %s grows from %lu to %lu KiB",
          what, middle, end);
}

/*
 * All of it
 */

static void make_model(uint32_t seed)
{
    int fd;

    snprintf(model_file, sizeof(model_file), "%s/drive_c/" MODEL_NAME, prefix);
    fd = open(model_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd == -1 || ftruncate(fd, sizeof(*model))) fail(model_file);
    model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    thieves = mmap(NULL, THIEF_KINDS * sizeof(*thieves), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (model == MAP_FAILED || thieves == MAP_FAILED) fail("mmap");
    close(fd);
    model->version = MODEL_VERSION;
    model->seed = seed;
    model->states[NATIVE_PROCESS] = STATE_LIVING;
}

/* Until the time is over; false if something hangs. */
static bool run(double seconds, pid_t server, pid_t holder, unsigned long middle[2])
{
    double start = now(), next_kill = start + 2, time;

    for (unsigned int i = 0; i < process_count; i++) start_process(&processes[i]);
    start_thieves();
    while ((time = now()) < start + seconds)
    {
        if (!watch_processes(true)) return false;
        if (kill(server, 0))
        {
            report("the wineserver (%d) has ended", server);
            return false;
        }
        show_failures();
        show_progress(time - start, seconds);
        /* More would say no more. */
        if (model->failures > MODEL_FAILURES / 2) return true;
        if (time >= next_kill)
        {
            struct process *process = &processes[model_random(&random_state) % process_count];

            kill_process(process);
            start_process(process);
            next_kill = time + 0.5 + model_random(&random_state) % 2500 / 1000.0;
        }
        if (time < start + seconds / 2)
        {
            middle[0] = memory_of(server);
            middle[1] = memory_of(holder);
        }
        doze(200000);
    }
    return true;
}

static void stop_all(void)
{
    double end = now() + STUCK;

    __atomic_store_n(&model->stopping, 1, __ATOMIC_SEQ_CST);
    while (processes_run() && now() < end)
    {
        watch_processes(false);
        doze(20000);
    }
    for (unsigned int i = 0; i < process_count; i++)
    {
        unsigned int thread = 0;

        if (!processes[i].pid) continue;
        while (thread + 1 < thread_count && model->threads[i][thread].operation == OPERATION_IDLE)
            thread++;
        report("process %u (%d) does not end; thread %u: %s, at line %u", processes[i].number,
               processes[i].pid, thread, operation_names[model->threads[i][thread].operation],
               model->threads[i][thread].line);
        show_host_threads(processes[i].pid);
        kill_process(&processes[i]);
    }
    end_thieves();
}

static void check_model_empty(void)
{
    for (unsigned int i = 0; i < MODEL_PROTOCOLS * MODEL_PORTS; i++)
    {
        uint64_t block = (&model->blocks[0][0])[i], used = (&model->sockets[0][0])[i];

        if (!block && !used) continue;
        report("at the end, %s port %u is still in the model: block %llx, socket %llx",
               protocol_names[i / MODEL_PORTS], i % MODEL_PORTS, (unsigned long long)block,
               (unsigned long long)used);
        return;
    }
}

static void show_counts(void)
{
    const char *separator = "stress: ";

    for (unsigned int i = 0; i < EVENTS; i++, separator = ", ")
        printf("%s%s %llu", separator, event_names[i], (unsigned long long)model->events[i]);
    printf("\n");
    for (unsigned int i = 0; i < THIEF_KINDS; i++)
        if (thieves[i].pid)
            printf("stress: native program, %s: tries %llu, at reserved ports %llu, got free ones "
                   "%llu, got reserved ones as it may %llu\n",
                   thief_kinds[i].name, (unsigned long long)thieves[i].tries,
                   (unsigned long long)thieves[i].reserved, (unsigned long long)thieves[i].free,
                   (unsigned long long)thieves[i].allowed);
}

/* What did not happen was not tested. */
static void check_counts(void)
{
    static const enum model_event wanted[] = {
        EVENT_ACQUIRED,        EVENT_ACQUIRE_BUSY,    EVENT_RELEASED,        EVENT_DRAWN,
        EVENT_EXHAUSTED,       EVENT_EXACT,           EVENT_FOREIGN_REFUSED, EVENT_PLAIN_BOUND,
        EVENT_CONVERSED,       EVENT_CONNECTED_DRAWN, EVENT_EXCHANGED,       EVENT_PERSISTENT_DRAWN,
        EVENT_PERSISTENT_EXACT};

    for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        check(model->events[wanted[i]], "nothing is tested: %s 0", event_names[wanted[i]]);
    for (unsigned int i = 0; i < THIEF_KINDS; i++)
        check(!thieves[i].pid || thieves[i].reserved, "nothing is tested: %s never tried",
              thief_kinds[i].name);
}

static void check_end(pid_t server, pid_t holder, const unsigned int descriptors[2],
                      const unsigned long middle[2])
{
    check_model_empty();
    check(find_process("svchost", "PortPool") == holder, "the holder has been started again");
    check_nothing_bound("after the end", REGION_FIRST, PERSISTENT_FIRST - 1);
    check_nothing_bound("after the end", DYNAMIC_FIRST, DYNAMIC_LAST);
    check_descriptors("the holder", holder, descriptors[1]);
    /* The server may keep one or another for itself. */
    check_descriptors("the wineserver", server, descriptors[0] + 16);
    check_memory("the wineserver", middle[0], memory_of(server));
    check_memory("the holder", middle[1], memory_of(holder));
    /* A run that was broken off has not come to all. */
    if (!model->failures) check_counts();
    run_to_end("verify");
    check_nothing_bound("after the deletion", PERSISTENT_FIRST,
                        PERSISTENT_FIRST + PERSISTENT_COUNT - 1);
}

int main(int argc, char **argv)
{
    unsigned int descriptors[2];
    unsigned long middle[2] = {0};
    pid_t server, holder;
    uint64_t checks;

    if (argc != 7 || !(prefix = getenv("WINEPREFIX")))
    {
        fprintf(stderr, "stress-host: wrong arguments: tests/stress/run knows them\n");
        return 2;
    }
    process_count = atoi(argv[3]);
    thread_count = atoi(argv[4]);
    if (!process_count || process_count > MODEL_SLOTS || !thread_count ||
        thread_count > MODEL_THREADS)
    {
        fprintf(stderr, "stress-host: at most %u processes of %u threads\n", MODEL_SLOTS,
                MODEL_THREADS);
        return 2;
    }
    tawny = argv[5];
    program = argv[6];
    make_model(strtoul(argv[2], NULL, 10));
    random_state = model_seed(model->seed, 0);

    run_to_end("create");
    show_failures();
    server = find_process("wineserver", "");
    holder = find_process("svchost", "PortPool");
    if (model->failures || !server || !holder)
    {
        printf("not ok: the persistent ranges could not be created: server %d, holder %d\n", server,
               holder);
        printf("stress: 0 passed, 1 failed\n");
        return 1;
    }
    descriptors[0] = count_descriptors(server);
    descriptors[1] = count_descriptors(holder);

    if (!run(atof(argv[1]), server, holder, middle)) printf("not ok: the run is given up\n");
    show_progress(0, 0);
    stop_all();
    check_end(server, holder, descriptors, middle);
    show_failures();
    show_counts();
    checks = model->events[EVENT_CHECKS];
    printf("stress: %llu passed, %u failed\n",
           (unsigned long long)(checks > model->failures ? checks - model->failures : 0),
           model->failures);
    return model->failures != 0;
}
