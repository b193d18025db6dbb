/*
 * Tests of the outsider, on whose word the tests of the Windows side rely
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outsiders.h"

/* A connection, and the answer to the last command. */
struct control
{
    FILE *lines;
    char answer[1024];
};

static pid_t outsider;
static uint16_t control_port;

static void outsider_start(const char *path)
{
    char line[16] = "";
    int ends[2];
    FILE *output;

    if (pipe(ends) || (outsider = fork()) == -1)
    {
        perror("fork");
        exit(1);
    }
    if (!outsider)
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(path, path, "--listen", NULL);
        _exit(127);
    }
    close(ends[1]);
    output = fdopen(ends[0], "r");
    ok(fgets(line, sizeof(line), output) && (control_port = atoi(line)), "%s says \"%s\"", path,
       line);
    fclose(output);
}

static void control_open(struct control *control)
{
    union network_address address = network_address(&network_shapes[SHAPE_LOCALHOST], control_port);
    int fd = network_socket(&network_shapes[SHAPE_LOCALHOST], SOCK_STREAM, PLAIN);

    if (!connect(fd, &address.any, sizeof(address.in)) && (control->lines = fdopen(fd, "r+")))
        return;
    perror("connection");
    exit(1);
}

static void command(struct control *control, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void command(struct control *control, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(control->lines, format, args);
    va_end(args);
    fputc('\n', control->lines);
    fflush(control->lines);
    *control->answer = 0;
    if (!fgets(control->answer, sizeof(control->answer), control->lines)) return;
    control->answer[strcspn(control->answer, "\n")] = 0;
}

#define check_answer(control, expected) check_answer_(__LINE__, control, expected)
static void check_answer_(int line, const struct control *control, const char *expected)
{
    ok_(__FILE__, line, !strcmp(control->answer, expected), "\"%s\", expected \"%s\"",
        control->answer, expected);
}

/* The numbers of an answer, of which there are so many. */
#define check_numbers(control, count, numbers) check_numbers_(__LINE__, control, count, numbers)
static bool check_numbers_(int line, const struct control *control, int count,
                           unsigned int *numbers)
{
    int end = 0,
        found = sscanf(control->answer, "ok %u%n %u%n", &numbers[0], &end, &numbers[1], &end);

    return ok_(__FILE__, line, found == count && !control->answer[end],
               "\"%s\", expected %d numbers", control->answer, count);
}

static void test_bad_commands(struct control *control)
{
    static const char *const lines[] = {
        "",
        "nonsense",
        "bind",
        "bind tcp 127.0.0.1",
        "bind sctp 127.0.0.1 0",
        "bind tcp localhost 0",
        "bind tcp 127.0.0.1 65536",
        "bind tcp 127.0.0.1 -1",
        "bind tcp 127.0.0.1 0 nonsense",
        "listen 1",
        "close 0",
        "accept x",
        "steal tcp 10 9 1",
        "kill 0",
        "kill 1",
        "kill -1",
        "signal 1 15",
        "signal 2",
        "signal 4194303 0",
        "signal 4194303 65",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
    {
        command(control, "%s", lines[i]);
        ok(!strcmp(control->answer, "error 22 EINVAL"), "\"%s\": \"%s\"", lines[i],
           control->answer);
    }
}

static void test_bind(struct control *control)
{
    static const char *const protocols[] = {"tcp", "udp"};
    uint16_t port = network_free_block(1);
    unsigned int numbers[2];

    for (enum unix_protocol protocol = UNIX_TCP; protocol <= UNIX_UDP; protocol++)
    {
        command(control, "bind %s 127.0.0.1 %u", protocols[protocol], port);
        if (!check_numbers(control, 2, numbers)) continue;
        ok(numbers[1] == port, "port %u", numbers[1]);
        ok(network_try(&network_shapes[SHAPE_LOCALHOST], socket_type(protocol), port, PLAIN) ==
               EADDRINUSE,
           "nobody is there");
        command(control, "bind %s 0.0.0.0 %u", protocols[protocol], port);
        check_answer(control, "error 98 EADDRINUSE");
        command(control, "bind %s 127.0.0.2 %u reuseaddr", protocols[protocol], port);
        check_numbers(control, 2, &numbers[0]);
        command(control, "closeall");
        check_answer(control, "ok");
        check_let_in(protocol, port);
    }
}

static void test_options(struct control *control)
{
    uint16_t port = network_free_block(1);
    unsigned int numbers[2];

    for (int i = 0; i < 2; i++)
    {
        command(control, "bind udp 0.0.0.0 %u reuseport", port);
        check_numbers(control, 2, numbers);
    }
    command(control, "bind udp 0.0.0.0 %u", port);
    check_answer(control, "error 98 EADDRINUSE");
    command(control, "closeall");
    for (int i = 0; i < 2; i++)
    {
        command(control, "bind tcp 0.0.0.0 %u reuseaddr", port);
        check_numbers(control, 2, numbers);
    }
    command(control, "closeall");
    command(control, "bind udp 0.0.0.0 %u device=lo", port);
    check_numbers(control, 2, numbers);
    command(control, "bind udp 0.0.0.0 %u device=nonsense", port);
    check_answer(control, "error 19 ENODEV");
    command(control, "closeall");
    if (!outsiders_ipv6) return;
    command(control, "bind udp :: %u v6only", port);
    check_numbers(control, 2, numbers);
    command(control, "bind udp 0.0.0.0 %u", port);
    check_numbers(control, 2, numbers);
    command(control, "bind udp :: %u", port);
    check_answer(control, "error 98 EADDRINUSE");
    command(control, "closeall");
}

static void test_connection(struct control *server, struct control *client)
{
    unsigned int listener[2], accepted[2], connected[2];
    uint16_t port = network_free_block(1);

    command(server, "bind tcp 127.0.0.1 0");
    if (!check_numbers(server, 2, listener)) return;
    command(client, "connect tcp 127.0.0.1 %u", listener[1]);
    check_answer(client, "error 111 ECONNREFUSED");
    command(server, "listen %u", listener[0]);
    check_answer(server, "ok");
    command(client, "connect tcp 127.0.0.1 %u bind=%u reuseaddr", listener[1], port);
    check_numbers(client, 2, connected);
    ok(connected[1] == port, "from port %u, expected %u", connected[1], port);
    command(server, "accept %u", listener[0]);
    check_numbers(server, 2, accepted);
    ok(accepted[1] == port, "from port %u, expected %u", accepted[1], port);

    /* Sockets are their connection's. */
    command(client, "close %u", listener[0] == connected[0] ? accepted[0] : listener[0]);
    check_answer(client, "error 22 EINVAL");
    command(client, "close %u linger0", connected[0]);
    check_answer(client, "ok");
    check_let_in(UNIX_TCP, port);
    command(server, "closeall");
}

static void test_datagrams(struct control *control)
{
    unsigned int receiver[2], sender[2], count[1];

    command(control, "bind udp 127.0.0.1 0");
    check_numbers(control, 2, receiver);
    command(control, "bind udp %s 0", outsiders_ipv6 ? "::" : "0.0.0.0");
    check_numbers(control, 2, sender);
    command(control, "send %u 127.0.0.1 %u 100", sender[0], receiver[1]);
    check_answer(control, "ok 100");
    command(control, "receive %u 200", receiver[0]);
    check_answer(control, "ok 100");
    command(control, "receive %u 1", receiver[0]);
    check_answer(control, "ok 0");
    command(control, "descriptors %d", getpid());
    ok(sscanf(control->answer, "ok %u", count) == 1 && *count == network_descriptors(),
       "\"%s\", expected %u", control->answer, network_descriptors());
    command(control, "closeall");
}

static void test_ephemeral(struct control *control)
{
    static const char *const protocols[] = {"tcp", "udp"};
    unsigned int numbers[2];

    for (int i = 0; i < 4; i++)
    {
        const char *name = i % 2 ? "ephemeral-connect" : "ephemeral";

        command(control, "%s %s 50 1 65535", name, protocols[i / 2]);
        check_numbers(control, 2, numbers);
        ok(numbers[0] == numbers[1] && numbers[1] >= 25 && numbers[1] <= 50, "\"%s\"",
           control->answer);
        command(control, "%s %s 50 1 2", name, protocols[i / 2]);
        check_numbers(control, 2, numbers);
        ok(!numbers[0] && numbers[1], "\"%s\"", control->answer);
    }
}

static void test_steal(struct control *control, struct control *other)
{
    uint16_t port = network_free_block(1);
    unsigned int numbers[2];

    command(control, "steal udp %u %u 0.1", port, port);
    check_numbers(control, 2, numbers);
    ok(numbers[1] && numbers[1] <= numbers[0], "\"%s\"", control->answer);
    command(other, "bind udp %s %u", outsiders_ipv6 ? "::" : "0.0.0.0", port);
    check_numbers(other, 2, numbers);
    if (outsiders_ipv6)
    {
        command(control, "steal udp %u %u 0.1 reuseaddr reuseport", port, port);
        check_numbers(control, 2, numbers);
        ok(numbers[0] && !numbers[1], "\"%s\"", control->answer);
    }
    command(other, "closeall");
}

static bool names_process(const char *answer, pid_t process)
{
    while ((answer = strchr(answer, ' ')))
        if (atoi(++answer) == process) return true;
    return false;
}

static void test_processes(struct control *control)
{
    pid_t child = fork();
    unsigned int numbers[2];
    int status;

    if (!child) pause();
    command(control, "memory %d", child);
    check_numbers(control, 2, numbers);
    ok(numbers[0] && numbers[1] && numbers[1] <= numbers[0], "\"%s\"", control->answer);
    command(control, "find-process outsider --listen");
    /* Others may run as well, for other tests. */
    ok(names_process(control->answer, outsider), "\"%s\", expected %d", control->answer, outsider);
    command(control, "find-process a name that no process has, with blanks");
    check_answer(control, "ok");
    command(control, "kill %d", child);
    check_answer(control, "ok");
    ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
       "the child ended with status %#x", status);
    command(control, "kill %d", child);
    check_answer(control, "error 3 ESRCH");
    command(control, "descriptors %d", child);
    check_answer(control, "error 2 ENOENT");
}

/* Stops a process, lets it go on, and ends it. */
static void test_signal(struct control *control)
{
    pid_t child = fork();
    int status;

    if (!child)
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    command(control, "signal %d %d", child, SIGSTOP);
    check_answer(control, "ok");
    ok(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "status %#x", status);
    command(control, "signal %d %d", child, SIGCONT);
    check_answer(control, "ok");
    ok(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "status %#x", status);
    command(control, "signal %d %d", child, SIGTERM);
    check_answer(control, "ok");
    ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
       "the child ended with status %#x", status);
    command(control, "signal %d %d", child, SIGTERM);
    check_answer(control, "error 3 ESRCH");
}

/* What a connection opened ends with it. */
static void test_end_of_connection(void)
{
    uint16_t port = network_free_block(1);
    struct control control;
    unsigned int numbers[2];
    char byte;

    control_open(&control);
    command(&control, "bind udp 127.0.0.1 %u", port);
    check_numbers(&control, 2, numbers);
    shutdown(fileno(control.lines), SHUT_WR);
    /* Its end is the end of the process. */
    ok(!recv(fileno(control.lines), &byte, 1, 0), "there is more");
    fclose(control.lines);
    check_let_in(UNIX_UDP, port);
}

int main(int argc, char **argv)
{
    struct control first, second;
    char path[] = "native/outsider";
    int status;

    test_start("outsider-protocol");
    test_seed();
    outsiders_start();
    outsider_start(argc > 1 ? argv[1] : path);
    control_open(&first);
    control_open(&second);
    test_bad_commands(&first);
    test_bind(&first);
    test_options(&first);
    test_connection(&first, &second);
    test_datagrams(&first);
    test_ephemeral(&first);
    test_steal(&first, &second);
    test_processes(&first);
    test_signal(&first);
    test_end_of_connection();
    fclose(first.lines);
    fclose(second.lines);
    kill(outsider, SIGTERM);
    ok(waitpid(outsider, &status, 0) == outsider && WIFSIGNALED(status), "status %#x", status);
    return test_end();
}
