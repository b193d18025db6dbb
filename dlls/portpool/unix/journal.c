/*
 * The journal: changes of the store, safe on disk before Wine saves the registry
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file beside the prefix's hive file, locked by the process that has it open. What is torn at its
 * end was never reported as done: it ends the journal on reading, and is cut off before a record
 * is added.
 */
#define _GNU_SOURCE
#include "journal.h"
#include "hive.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_NAME     "portpool.journal"
#define JOURNAL_NEW_NAME "portpool.journal.new"
#define JOURNAL_HIVE     "system.reg"

static struct
{
    int directory;
    int fd;
    off_t end;     /* of the last sound record; -1: not known */
    bool unsynced; /* the directory may still have the file that this one has replaced */
} journal = {.directory = -1, .fd = -1, .end = -1};

/* A file's text. */
struct text
{
    char *bytes;
    size_t length;
};

static enum unix_status journal_failure(void)
{
    switch (errno)
    {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
        return UNIX_DISK_FULL;
    case EWOULDBLOCK:
        return UNIX_IN_USE;
    default:
        return UNIX_FAILED;
    }
}

static bool journal_write(int fd, const char *bytes, size_t length, off_t offset)
{
    while (length)
    {
        ssize_t written = pwrite(fd, bytes, length, offset);

        if (written == -1 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        length -= written;
        offset += written;
    }
    return true;
}

static bool journal_sync_directory(void)
{
    /* Some file systems have no such operation, and need none. */
    if (!fsync(journal.directory) || errno == EINVAL)
        journal.unsynced = false;
    else
        journal.unsynced = true;
    return !journal.unsynced;
}

/* Reads a file whole; its bytes are to be freed. */
static bool journal_read_text(int fd, struct text *text)
{
    struct stat status;
    size_t size;

    *text = (struct text){NULL, 0};
    if (fstat(fd, &status)) return false;
    size = status.st_size;
    /* One byte more than there is, so that an empty file has some memory too. */
    if (!(text->bytes = malloc(size + 1))) return false;
    while (text->length < size)
    {
        ssize_t length = pread(fd, text->bytes + text->length, size - text->length, text->length);

        if (length == -1 && errno == EINTR) continue;
        if (length < 0) break;
        if (!length) return true;
        text->length += length;
    }
    if (text->length == size) return true;
    free(text->bytes);
    return false;
}

/* The length of the sound records with which the text begins; copies size of those that come after
 * a generation, and counts them. */
static size_t journal_parse(const struct text *text, uint64_t after,
                            struct unix_journal_record *records, uint32_t size, uint32_t *count)
{
    struct unix_journal_record record;
    size_t offset = 0, length;

    *count = 0;
    while ((length = record_parse(text->bytes + offset, text->length - offset, &record)))
    {
        offset += length;
        if (record.generation <= after) continue;
        if (*count < size) records[*count] = record;
        ++*count;
    }
    return offset;
}

static enum unix_status journal_open_directory(void)
{
    const char *prefix = getenv("WINEPREFIX"), *home = getenv("HOME");
    char path[PATH_MAX];

    if (journal.directory != -1) return UNIX_SUCCESS;
    if (prefix && *prefix)
        snprintf(path, sizeof(path), "%s", prefix);
    else if (home)
        snprintf(path, sizeof(path), "%s/.wine", home);
    else
        return UNIX_FAILED;
    journal.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return journal.directory == -1 ? journal_failure() : UNIX_SUCCESS;
}

/* Says whether the file is still the journal, and not one that was replaced by trimming. */
static bool journal_is_current(int fd)
{
    struct stat ours, current;

    return !fstat(fd, &ours) && !fstatat(journal.directory, JOURNAL_NAME, &current, 0) &&
           ours.st_dev == current.st_dev && ours.st_ino == current.st_ino;
}

enum unix_status journal_open(void)
{
    enum unix_status status;

    if (journal.fd != -1) return UNIX_SUCCESS;
    if ((status = journal_open_directory())) return status;
    while (journal.fd == -1)
    {
        int fd = openat(journal.directory, JOURNAL_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd == -1) return journal_failure();
        if (flock(fd, LOCK_EX | LOCK_NB) || !journal_sync_directory())
        {
            status = journal_failure();
            close(fd);
            return status;
        }
        /* Between the two, the process that had it may have put another in its place. */
        if (journal_is_current(fd))
            journal.fd = fd;
        else
            close(fd);
    }
    return UNIX_SUCCESS;
}

enum unix_status journal_read(struct unix_journal_record *records, uint32_t size, uint32_t *count)
{
    struct text text;

    *count = 0;
    if (!journal_read_text(journal.fd, &text)) return UNIX_FAILED;
    journal_parse(&text, 0, records, size, count);
    free(text.bytes);
    return UNIX_SUCCESS;
}

/* Makes the journal end with its last sound record: behind something torn none would be read. */
static bool journal_cut(void)
{
    struct stat status;
    struct text text;
    uint32_t count;

    if (fstat(journal.fd, &status)) return false;
    if (status.st_size == journal.end) return true;
    if (!journal_read_text(journal.fd, &text)) return false;
    journal.end = journal_parse(&text, 0, NULL, 0, &count);
    free(text.bytes);
    return !ftruncate(journal.fd, journal.end);
}

enum unix_status journal_append(const struct unix_journal_record *record)
{
    char line[RECORD_SIZE];
    size_t length = record_format(record, line);

    if (!journal_cut()) return UNIX_DISK_FULL;
    if (journal.unsynced && !journal_sync_directory()) return UNIX_DISK_FULL;
    if (journal_write(journal.fd, line, length, journal.end) && !fdatasync(journal.fd))
    {
        journal.end += length;
        return UNIX_SUCCESS;
    }
    /* If this fails too, nothing more can be done. */
    if (!ftruncate(journal.fd, journal.end)) fdatasync(journal.fd);
    return UNIX_DISK_FULL;
}

/* Learns the generation of the hive file, as it is safely on disk. */
static bool journal_saved_generation(uint64_t *generation)
{
    int fd = openat(journal.directory, JOURNAL_HIVE, O_RDONLY | O_CLOEXEC);
    struct stat ours, current;
    struct text text;
    bool success;

    *generation = 0;
    /* Wine has not saved anything yet. */
    if (fd == -1) return errno == ENOENT;
    /* Wine syncs neither the file, nor the directory when it puts the file into the old one's
     * place. If it has done that again since, the file there may not be safe. */
    success = !fsync(fd) && journal_sync_directory() && !fstat(fd, &ours) &&
              !fstatat(journal.directory, JOURNAL_HIVE, &current, 0) &&
              ours.st_ino == current.st_ino && journal_read_text(fd, &text);
    close(fd);
    if (!success) return false;
    *generation = hive_generation(text.bytes, text.length);
    free(text.bytes);
    return true;
}

/* Writes a journal of these records beside the present one; its descriptor, locked, or -1. */
static int journal_write_new(const struct unix_journal_record *records, uint32_t count)
{
    int fd =
        openat(journal.directory, JOURNAL_NEW_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool success = fd != -1 && !flock(fd, LOCK_EX | LOCK_NB);
    char line[RECORD_SIZE];
    off_t offset = 0;

    for (uint32_t i = 0; success && i < count; i++)
    {
        size_t length = record_format(&records[i], line);

        success = journal_write(fd, line, length, offset);
        offset += length;
    }
    if (success && !fsync(fd)) return fd;
    if (fd != -1) close(fd);
    unlinkat(journal.directory, JOURNAL_NEW_NAME, 0);
    return -1;
}

/* Puts a journal of these records into the place of the present one. */
static bool journal_replace(const struct unix_journal_record *records, uint32_t count)
{
    int fd = journal_write_new(records, count);

    if (fd == -1) return false;
    if (renameat(journal.directory, JOURNAL_NEW_NAME, journal.directory, JOURNAL_NAME))
    {
        close(fd);
        unlinkat(journal.directory, JOURNAL_NEW_NAME, 0);
        return false;
    }
    close(journal.fd);
    journal.fd = fd;
    journal.end = -1;
    /* Should the old one come back after a power cut, its records too many do no harm. But those
     * added from now on would be missing: journal_append tries again if this fails. */
    journal_sync_directory();
    return true;
}

/* Drops the records of the text up to a generation. */
static enum unix_status journal_drop(const struct text *text, uint64_t generation,
                                     uint32_t *remaining)
{
    struct unix_journal_record *records;
    uint32_t all = *remaining;
    bool success;

    if (!(records = calloc(all, sizeof(*records)))) return UNIX_FAILED;
    journal_parse(text, generation, records, all, remaining);
    success = *remaining == all || journal_replace(records, *remaining);
    if (!success) *remaining = all;
    free(records);
    return success ? UNIX_SUCCESS : UNIX_FAILED;
}

enum unix_status journal_trim(uint32_t *remaining)
{
    enum unix_status status = UNIX_SUCCESS;
    uint64_t generation;
    struct text text;

    *remaining = 0;
    if (!journal_read_text(journal.fd, &text)) return UNIX_FAILED;
    journal_parse(&text, 0, NULL, 0, remaining);
    if (*remaining)
    {
        if (journal_saved_generation(&generation))
            status = journal_drop(&text, generation, remaining);
        else
            status = UNIX_FAILED;
    }
    free(text.bytes);
    return status;
}
