/*
 * Native programs that have ports of a prefix's ranges
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel lists its sockets, and /proc which processes have each open. A wineserver has all
 * sockets of its prefix's programs: those that it does not have are of native programs, but for the
 * placeholders.
 */
#define _GNU_SOURCE
#include "host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define uthash_fatal(message) memory_fail()
#include <uthash.h>

#include "dlls/portpool/unix/placeholder.h"
#include "dlls/portpool/unix/sockets.h"

static const UT_icd use_icd = {sizeof(struct host_use), NULL, NULL, NULL};

/* A socket at a wanted port. */
struct found
{
    UT_hash_handle hh; /* by inode */
    uint32_t inode;
    enum unix_protocol protocol;
    uint16_t port;
    uint32_t process; /* the first that has it */
    bool ours;        /* the prefix's, or a placeholder */
};

struct looking
{
    struct host *host;
    enum unix_protocol protocol;
    uint32_t sample; /* the inode of a socket that is merely bound */
    struct found *found;
};

/* Opens a TCP socket that is bound, and nothing else. */
static int host_bind_sample(void)
{
    struct sockaddr_in localhost = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd != -1) bind(fd, (struct sockaddr *)&localhost, sizeof(localhost));
    return fd;
}

static void host_take(const struct host_socket *host_socket, void *context)
{
    struct looking *looking = context;
    uint32_t inode = host_socket->inode;
    struct found *found;

    /* Ours, wherever it is. */
    if (looking->sample && inode == looking->sample)
    {
        looking->host->lists_bound = true;
        return;
    }
    if (!looking->host->wanted[looking->protocol][host_socket->port]) return;
    if (placeholder_recognises(looking->protocol, host_socket))
    {
        looking->host->held[looking->protocol][host_socket->port] = true;
        return;
    }
    /* What is left of a connection is no program's. */
    if (!inode) return;
    HASH_FIND(hh, looking->found, &inode, sizeof(inode), found);
    if (found) return;
    found = memory_allocate(sizeof(*found));
    *found =
        (struct found){.inode = inode, .protocol = looking->protocol, .port = host_socket->port};
    HASH_ADD(hh, looking->found, inode, sizeof(found->inode), found);
}

/* The name of the directory that a wineserver of the prefix works in. */
static void host_server_directory(const char *prefix, char *name, size_t size)
{
    struct stat status;

    *name = 0;
    if (stat(prefix, &status)) return;
    snprintf(name, size, "server-%lx-%lx", (unsigned long)status.st_dev,
             (unsigned long)status.st_ino);
}

static bool process_is_server(const char *process, const char *directory)
{
    char path[64], target[4096], *name;
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/%.16s/cwd", process);
    if ((length = readlink(path, target, sizeof(target) - 1)) <= 0) return false;
    target[length] = 0;
    name = strrchr(target, '/');
    return name && *directory && !strcmp(name + 1, directory);
}

/* Says whether a process is one of the prefix's that have sockets looked for: it has a placeholder
 * of one, or is the wineserver. */
static bool process_is_ours(const struct looking *looking, const char *process, const char *server)
{
    uint32_t number = strtoul(process, NULL, 10);
    const struct found *found;

    for (found = looking->found; found; found = found->hh.next)
        if (number == looking->host->holders[found->protocol][found->port]) return true;
    return process_is_server(process, server);
}

/* Notes that a process has a socket. One that holds a port may use another as any program does. */
static void found_note(struct found *found, const struct host *host, uint32_t process,
                       bool is_server)
{
    if (!found->process || process < found->process) found->process = process;
    if (is_server || process == host->holders[found->protocol][found->port]) found->ours = true;
}

/* Looks through the descriptors of a process. */
static void process_look(const struct looking *looking, const char *process, const char *server)
{
    bool is_server = process_is_server(process, server);
    char path[64], target[64];
    struct dirent *entry;
    struct found *found;
    DIR *descriptors;
    uint32_t inode;

    snprintf(path, sizeof(path), "/proc/%.16s/fd", process);
    if (!(descriptors = opendir(path))) return;
    while ((entry = readdir(descriptors)))
    {
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);

        if (length <= 0) continue;
        target[length] = 0;
        if (sscanf(target, "socket:[%u]", &inode) != 1) continue;
        HASH_FIND(hh, looking->found, &inode, sizeof(inode), found);
        if (found) found_note(found, looking->host, strtoul(process, NULL, 10), is_server);
    }
    closedir(descriptors);
}

/* Looks through the processes that are the prefix's, or through the others. */
static void host_look_through_processes(const struct looking *looking, bool ours)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    char server[64];

    if (!processes) return;
    host_server_directory(looking->host->prefix, server, sizeof(server));
    while ((entry = readdir(processes)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            process_is_ours(looking, entry->d_name, server) == ours)
            process_look(looking, entry->d_name, server);
    closedir(processes);
}

/* Forgets the sockets that are the prefix's. */
static void host_forget_ours(struct looking *looking)
{
    struct found *found, *next;

    HASH_ITER(hh, looking->found, found, next)
    {
        if (!found->ours) continue;
        HASH_DEL(looking->found, found);
        free(found);
    }
}

static void process_name(uint32_t process, char *name, size_t size)
{
    char path[64];
    FILE *file;

    *name = 0;
    snprintf(path, sizeof(path), "/proc/%u/comm", process);
    if (!(file = fopen(path, "re"))) return;
    if (fgets(name, size, file)) name[strcspn(name, "\n")] = 0;
    fclose(file);
}

static int use_compare(const void *one, const void *other)
{
    const struct host_use *a = one, *b = other;

    if (a->protocol != b->protocol) return a->protocol < b->protocol ? -1 : 1;
    if (a->port != b->port) return a->port < b->port ? -1 : 1;
    return (a->process > b->process) - (a->process < b->process);
}

/* Makes uses of the sockets found, and forgets those. A program may have several at a port. */
static void host_conclude(struct looking *looking, UT_array *uses)
{
    struct found *found, *next;

    HASH_ITER(hh, looking->found, found, next)
    {
        struct host_use use = {
            .protocol = found->protocol, .port = found->port, .process = found->process};

        if (use.process) process_name(use.process, use.name, sizeof(use.name));
        utarray_push_back(uses, &use);
        HASH_DEL(looking->found, found);
        free(found);
    }
    array_sort(uses, use_compare);
    for (unsigned int i = utarray_len(uses); i-- > 1;)
        if (!use_compare(array_item(uses, i - 1), array_item(uses, i))) utarray_erase(uses, i, 1);
}

void host_find(struct host *host, UT_array *uses)
{
    struct looking looking = {.host = host};
    int sample = host_bind_sample();
    struct stat status;

    utarray_init(uses, &use_icd);
    if (sample != -1 && !fstat(sample, &status)) looking.sample = status.st_ino;
    for (looking.protocol = UNIX_TCP; looking.protocol <= UNIX_UDP; looking.protocol++)
        sockets_visit(looking.protocol, 1, HOST_PORTS - 1, host_take, &looking);
    if (sample != -1) close(sample);
    /* Nearly always, that is all. */
    if (looking.found) host_look_through_processes(&looking, true);
    host_forget_ours(&looking);
    if (looking.found) host_look_through_processes(&looking, false);
    host_forget_ours(&looking);
    host_conclude(&looking, uses);
}
