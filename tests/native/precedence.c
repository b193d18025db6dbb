/*
 * Tests of which of a user's prefixes gives a port out: each prefix is a process here
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#define _GNU_SOURCE
#include "dlls/portpool/unix/precedence.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network.h"
#include "test.h"

#define COUNT     20
#define PREFIXES  8
#define ROUNDS    200
#define NONE      "...................."
#define EVERY_ONE "####################"

/* A process that does what it is told. */
struct prefix
{
    pid_t process;
    int connection;
};

struct command
{
    enum
    {
        TAKE,
        GIVE_UP,
        LEAVE
    } what;
    uint32_t protocol;
    uint16_t start;
    uint16_t count;
};

struct answer
{
    uint32_t status;
    uint8_t taken[COUNT];
};

static void serve(int connection)
{
    struct command command;

    while (recv(connection, &command, sizeof(command), 0) == sizeof(command))
    {
        struct answer answer = {0};

        if (command.what == TAKE)
            answer.status =
                precedence_take(command.protocol, command.start, command.count, answer.taken);
        else if (command.what == GIVE_UP)
            precedence_give_up(command.protocol, command.start, command.count);
        else
            precedence_leave();
        if (send(connection, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer)) _exit(1);
    }
    _exit(0);
}

static struct prefix start(void)
{
    struct prefix prefix;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) exit(1);
    fflush(stdout);
    if ((prefix.process = fork()) == -1) exit(1);
    if (!prefix.process)
    {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    prefix.connection = ends[0];
    return prefix;
}

static void stop(const struct prefix *prefix, int signal)
{
    kill(prefix->process, signal);
    close(prefix->connection);
    waitpid(prefix->process, NULL, 0);
}

static struct answer tell(const struct prefix *prefix, const struct command *command)
{
    struct answer answer = {.status = 99};

    send(prefix->connection, command, sizeof(*command), MSG_NOSIGNAL);
    recv(prefix->connection, &answer, sizeof(answer), 0);
    return answer;
}

#define check_take(prefix, protocol, start, expected)                                              \
    check_take_(__LINE__, prefix, protocol, start, expected)
static void check_take_(int line, const struct prefix *prefix, enum unix_protocol protocol,
                        uint16_t start, const char *expected)
{
    struct command command = {
        .what = TAKE, .protocol = protocol, .start = start, .count = strlen(expected)};
    struct answer answer = tell(prefix, &command);
    char got[COUNT + 1] = "";

    for (uint16_t i = 0; i < command.count; i++) got[i] = answer.taken[i] ? '#' : '.';
    ok_(__FILE__, line, !answer.status && !strcmp(got, expected), "status %u, got %s, expected %s",
        answer.status, got, expected);
}

static void give_up(const struct prefix *prefix, uint16_t start, uint16_t count)
{
    tell(prefix, &(struct command){.what = GIVE_UP, .start = start, .count = count});
}

static void test_two(void)
{
    struct prefix one = start(), other = start();

    check_take(&one, UNIX_TCP, 5000, EVERY_ONE);
    check_take(&other, UNIX_TCP, 5000, NONE);
    /* Once more is no less. */
    check_take(&one, UNIX_TCP, 5000, EVERY_ONE);
    /* The other protocol is another matter, and so are the ports before and after. */
    check_take(&other, UNIX_UDP, 5000, EVERY_ONE);
    check_take(&other, UNIX_TCP, 4990, "##########..........");
    check_take(&other, UNIX_TCP, 5019, ".###");
    check_take(&one, UNIX_TCP, 4999, ".###");
    check_take(&other, UNIX_TCP, 65535, "#");
    check_take(&one, UNIX_UDP, 1, "#");

    give_up(&one, 5005, 5);
    check_take(&other, UNIX_TCP, 5000, ".....#####..........");
    check_take(&one, UNIX_TCP, 5000, "#####.....##########");
    stop(&other, SIGKILL);
    check_take(&one, UNIX_TCP, 5000, EVERY_ONE);
    stop(&one, SIGTERM);
}

/* The name of the file that is there now. */
static const char *file_name(void)
{
    static char name[64];
    struct stat network;

    stat("/proc/self/ns/net", &network);
    snprintf(name, sizeof(name), "/tawny-ports-%u-%lu", (unsigned int)geteuid(),
             (unsigned long)network.st_ino);
    return name;
}

static bool file_exists(void)
{
    int fd = shm_open(file_name(), O_RDONLY, 0);

    if (fd != -1) close(fd);
    return fd != -1;
}

/* The last that leaves removes the file, and nobody is misled by that. */
static void test_leave(void)
{
    struct prefix one = start(), other = start();

    check_take(&one, UNIX_TCP, 5000, "#");
    check_take(&other, UNIX_TCP, 5001, "#");
    tell(&one, &(struct command){.what = LEAVE});
    ok(file_exists(), "the file is gone, and one has it open");
    check_take(&one, UNIX_TCP, 5000, "#.");
    tell(&other, &(struct command){.what = LEAVE});
    tell(&one, &(struct command){.what = LEAVE});
    ok(!file_exists(), "the file is left");
    check_take(&other, UNIX_TCP, 5000, "##");
    check_take(&one, UNIX_TCP, 5000, "..");
    stop(&one, SIGKILL);
    stop(&other, SIGKILL);
    shm_unlink(file_name());
}

/* The directory is everybody's: what another user or somebody's joke has put there is not used. */
static void test_foreign_file(void)
{
    struct prefix one;
    struct command take = {.what = TAKE, .start = 5000, .count = 1};
    char path[96];
    int fd;

    shm_unlink(file_name());
    snprintf(path, sizeof(path), "/dev/shm%s", file_name());
    if (!ok(!symlink("/dev/null", path), "error %d", errno)) return;
    one = start();
    ok(tell(&one, &take).status == UNIX_FAILED, "a link is followed");
    unlink(path);
    ok(!mkdir(path, 0700), "error %d", errno);
    ok(tell(&one, &take).status == UNIX_FAILED, "a directory is taken for the file");
    rmdir(path);
    fd = shm_open(file_name(), O_RDWR | O_CREAT, 0666);
    if (fchown(fd, 65534, 65534))
        skip("only root can make another user's file, error %d", errno);
    else
        ok(tell(&one, &take).status == UNIX_FAILED, "another user's file is used");
    close(fd);
    shm_unlink(file_name());
    check_take(&one, UNIX_TCP, 5000, "#");
    fd = shm_open(file_name(), O_RDWR, 0);
    if (ok(fd != -1, "error %d", errno))
    {
        struct stat status;

        fstat(fd, &status);
        ok((status.st_mode & 0777) == 0600, "mode %o", status.st_mode);
        close(fd);
    }
    stop(&one, SIGTERM);
    shm_unlink(file_name());
}

/* Who takes a port says so in memory that all share, and takes it back before giving it up: it is
 * never two. All come and go, also as the last. */
static void contend(uint32_t *holders, unsigned int seed)
{
    for (int round = 0; round < ROUNDS; round++)
    {
        uint8_t taken[COUNT];

        if (precedence_take(UNIX_TCP, 5000, COUNT, taken)) _exit(2);
        for (int i = 0; i < COUNT; i++)
            if (taken[i] && __atomic_add_fetch(&holders[i], 1, __ATOMIC_SEQ_CST) != 1) _exit(3);
        if (rand_r(&seed) % 2) sched_yield();
        for (int i = 0; i < COUNT; i++)
            if (taken[i]) __atomic_sub_fetch(&holders[i], 1, __ATOMIC_SEQ_CST);
        if (rand_r(&seed) % 2)
            precedence_give_up(UNIX_TCP, 5000, COUNT);
        else
            precedence_leave();
    }
    _exit(0);
}

static void test_contention(void)
{
    uint32_t *holders = mmap(NULL, COUNT * sizeof(*holders), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t processes[PREFIXES];
    int status;

    ok(holders != MAP_FAILED, "error %d", errno);
    if (holders == MAP_FAILED) return;
    fflush(stdout);
    for (int i = 0; i < PREFIXES; i++)
    {
        unsigned int seed = random();

        if (!(processes[i] = fork())) contend(holders, seed);
    }
    for (int i = 0; i < PREFIXES; i++)
    {
        ok(waitpid(processes[i], &status, 0) == processes[i] && !status,
           "status %#x; 0x300: two had a port", status);
    }
    munmap(holders, COUNT * sizeof(*holders));
    shm_unlink(file_name());
}

int main(void)
{
    test_start("precedence");
    test_seed();
    network_isolate();
    test_two();
    shm_unlink(file_name());
    test_leave();
    test_foreign_file();
    test_contention();
    return test_end();
}
