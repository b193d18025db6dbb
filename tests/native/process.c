/*
 * Tests of the names of processes, and of what the host says about itself
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlls/portpool/unix/process.h"
#include "network.h"
#include "test.h"

/* A process to be asked about: it tells its owner's number and waits for the end of the pipe. */
struct child
{
    pid_t pid;
    int pipe;
    uint64_t owner;
};

static bool tell_owner(int out)
{
    uint64_t owner = process_owner();

    return write(out, &owner, sizeof(owner)) == sizeof(owner);
}

static void wait_for_end(int in)
{
    char byte;

    _exit(read(in, &byte, 1) != 0);
}

static struct child child_start(void (*run)(int in, int out))
{
    int to[2], from[2];
    struct child child;

    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) || (child.pid = fork()) == -1)
    {
        perror("fork");
        exit(1);
    }
    if (!child.pid)
    {
        close(to[1]);
        run(to[0], from[1]);
        _exit(1);
    }
    close(to[0]);
    close(from[1]);
    child.pipe = to[1];
    ok(read(from[0], &child.owner, sizeof(child.owner)) == sizeof(child.owner),
       "the child says nothing");
    close(from[0]);
    return child;
}

/* Waits until the child is a zombie, and leaves it one. */
static void child_await_death(const struct child *child)
{
    siginfo_t info;

    ok(!waitid(P_PID, child->pid, &info, WEXITED | WNOWAIT), "the child cannot be waited for");
}

static void child_reap(const struct child *child)
{
    int status;

    ok(waitpid(child->pid, &status, 0) == child->pid, "the child cannot be waited for");
}

static void run_plain(int in, int out)
{
    if (tell_owner(out)) wait_for_end(in);
}

/* /proc/PID/stat has the program's name in it, as it is. */
static void run_odd_name(int in, int out)
{
    prctl(PR_SET_NAME, ") Z 1 2 (3 4) ");
    if (tell_owner(out)) wait_for_end(in);
}

static struct
{
    int in;
    int out;
} threads;

/* What is said of a process is said of its first thread. */
static char first_thread_state(void)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char state = 0;

    if (!file) return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 0;
    fclose(file);
    return state;
}

static void *other_thread(void *context)
{
    (void)context;
    /* To join it is more than AddressSanitizer can do in a process that was forked. */
    while (first_thread_state() != 'Z') sched_yield();
    if (tell_owner(threads.out)) wait_for_end(threads.in);
    _exit(1);
}

/* The first thread ends, as Windows programs let it, and the process goes on. */
static void run_without_first_thread(int in, int out)
{
    pthread_t other;

    threads.in = in;
    threads.out = out;
    if (!pthread_create(&other, NULL, other_thread, NULL)) pthread_exit(NULL);
}

static void test_self(void)
{
    uint64_t owner = process_owner();

    ok(owner && !(owner >> PROCESS_OWNER_BITS), "the owner is %#lx", (unsigned long)owner);
    ok(owner == process_owner(), "another owner at another time");
    ok((owner & ((1u << PROCESS_NUMBER_BITS) - 1)) == (unsigned int)getpid(), "the owner is %#lx",
       (unsigned long)owner);
    ok(process_alive(owner), "dead");
    ok(process_alive(owner), "dead");
    /* Our number, but the process before us that had it. */
    ok(!process_alive(owner ^ (UINT64_C(1) << PROCESS_NUMBER_BITS)), "alive at another time");
    ok(!process_alive(owner ^ (UINT64_C(1) << (PROCESS_OWNER_BITS - 1))), "alive at another time");
    ok(!process_alive(owner & ((1u << PROCESS_NUMBER_BITS) - 1)), "alive at the beginning");
    /* The highest number that there can be, which nobody has. */
    ok(!process_alive(owner | ((1u << PROCESS_NUMBER_BITS) - 1)), "nobody is alive");
}

static void test_child(void (*run)(int in, int out), bool killed)
{
    struct child child = child_start(run);

    ok((child.owner & ((1u << PROCESS_NUMBER_BITS) - 1)) == (unsigned int)child.pid,
       "the owner is %#lx", (unsigned long)child.owner);
    ok(child.owner != process_owner(), "parent and child are the same");
    ok(process_alive(child.owner), "dead while it lives");
    if (killed) kill(child.pid, SIGKILL);
    close(child.pipe);
    child_await_death(&child);
    ok(!process_alive(child.owner), "a zombie is alive");
    child_reap(&child);
    ok(!process_alive(child.owner), "alive after its death");
}

/* Stopped is not dead. */
static void test_stopped(void)
{
    struct child child = child_start(run_plain);
    siginfo_t info;

    kill(child.pid, SIGSTOP);
    ok(!waitid(P_PID, child.pid, &info, WSTOPPED), "the child does not stop");
    ok(process_alive(child.owner), "dead while it is stopped");
    kill(child.pid, SIGKILL);
    close(child.pipe);
    child_reap(&child);
}

/* Process 1 is root's, and /proc tells everybody about it, or only root. */
static void test_other_user(void)
{
    ok(!process_alive(1 | UINT64_C(0x123456789) << PROCESS_NUMBER_BITS) ||
           access("/proc/1/stat", R_OK),
       "process 1 started at the wrong time");
}

static int compare_values(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static void test_random(void)
{
    static uint64_t values[10000];
    const size_t count = sizeof(values) / sizeof(values[0]);
    uint64_t ones = 0, zeroes = 0;
    unsigned int doubled = 0;

    for (size_t i = 0; i < count; i++)
    {
        values[i] = process_random();
        ones |= values[i];
        zeroes |= ~values[i];
    }
    qsort(values, count, sizeof(values[0]), compare_values);
    ok(values[0], "0 is among the values");
    for (size_t i = 1; i < count; i++) doubled += values[i] == values[i - 1];
    ok(!doubled, "%u of %zu values came twice", doubled, count);
    ok(ones == UINT64_MAX && zeroes == UINT64_MAX, "some bits never change: %#lx, %#lx",
       (unsigned long)ones, (unsigned long)zeroes);
}

static void test_ephemeral_range(void)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
    static const unsigned int ranges[][2] = {{32768, 60999}, {1024, 65535}, {2000, 2001}};
    uint16_t first = 0, last = 0;
    unsigned int low, high;
    FILE *file = fopen(path, "re");

    if (ok(file && fscanf(file, "%u %u", &low, &high) == 2, "cannot read %s", path))
    {
        process_ephemeral_range(&first, &last);
        ok(first == low && last == high, "%u to %u, expected %u to %u", first, last, low, high);
    }
    if (file) fclose(file);

    if (!network_isolate())
    {
        skip("THE HOST ALLOWS NO NETWORK NAMESPACE: the range cannot be changed");
        return;
    }
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
    {
        ok(network_narrow_range(ranges[i][0], ranges[i][1]), "the range cannot be set");
        process_ephemeral_range(&first, &last);
        ok(first == ranges[i][0] && last == ranges[i][1], "%u to %u, expected %u to %u", first,
           last, ranges[i][0], ranges[i][1]);
    }
}

int main(void)
{
    test_start("process");
    test_self();
    test_child(run_plain, false);
    test_child(run_plain, true);
    test_child(run_odd_name, true);
    test_child(run_without_first_thread, false);
    test_child(run_without_first_thread, true);
    test_stopped();
    test_other_user();
    test_random();
    test_ephemeral_range();
    return test_end();
}
