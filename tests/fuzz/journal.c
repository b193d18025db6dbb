/*
 * Fuzzing of the journal: what is read in it, added to it and trimmed, and what tawny show makes of
 * it
 *
 * Copyright 2026 the Tawny authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input is its text, but for the first byte, which is the generation of the store. Where a "~"
 * ends a line, the checksum of what stands before it is put in its place: nobody finds one by
 * chance.
 */
#include "fuzz.h"

/* A process opens one journal in its life, as long as nobody resets what is static there. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "dlls/portpool/unix/journal.c"
#include "tools/show/stored.h"

static char prefix[PATH_MAX];

/* Nothing here is to outlast a power cut, and the disk takes its time. */
int fsync(int fd)
{
    return fd == -1 ? -1 : 0;
}

int fdatasync(int fd)
{
    return fsync(fd);
}

static void remove_prefix(void)
{
    if (chdir(prefix)) return;
    unlink(JOURNAL_NAME);
    unlink(JOURNAL_NEW_NAME);
    unlink(JOURNAL_HIVE);
    rmdir(prefix);
}

/* One for all inputs; never that of whoever runs this. */
static void make_prefix(void)
{
    const char *directory = getenv("TMPDIR");

    if (*prefix) return;
    snprintf(prefix, sizeof(prefix), "%s/tawny-fuzz-XXXXXX", directory ? directory : "/tmp");
    must(mkdtemp(prefix), "%s: error %d", prefix, errno);
    must(!setenv("WINEPREFIX", prefix, 1), "error %d", errno);
    atexit(remove_prefix);
}

static void write_file(const char *name, const char *text, size_t length)
{
    int fd = openat(journal.directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd != -1 && journal_write(fd, text, length, 0), "%s: error %d", name, errno);
    close(fd);
}

/* As a process that has just started. */
static void reopen(void)
{
    if (journal.fd != -1) close(journal.fd);
    journal.fd = journal.end = -1;
    must(!journal_open(), "the journal is not to be had: error %d", errno);
}

/* The checksum as it stands at the end of a line, found by its description in record.c. */
static void seal(FILE *file, const char *line, size_t length)
{
    uint32_t sum = ~0u;

    for (size_t i = 0; i < length; i++)
    {
        sum ^= (unsigned char)line[i];
        for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    fprintf(file, "%.*s%08x", (int)length, line, ~sum);
}

/* Makes the journal's text of the input; its bytes are to be freed. */
static struct text text_make(struct input *input)
{
    struct text text = {NULL, 0};
    FILE *file = open_memstream(&text.bytes, &text.length);

    must(file, "no memory");
    while (input->left)
    {
        const char *line = (const char *)input->next;
        const char *end = memchr(line, '\n', input->left);
        size_t length = end ? (size_t)(end - line) : input->left;

        if (length && line[length - 1] == '~' && !memchr(line, 0, length))
            seal(file, line, length - 1);
        else
            fwrite(line, 1, length, file);
        if (end) fputc('\n', file);
        length += !!end;
        input->next += length;
        input->left -= length;
    }
    fclose(file);
    return text;
}

/* The records of a text, as they come. */
struct records
{
    struct unix_journal_record *records;
    uint32_t count;
    size_t length; /* of the text that has them */
};

/* Each line that is a record is what would be written, and makes sense. */
static struct records records_parse(const struct text *text)
{
    struct records records = {NULL, 0, 0};
    struct unix_journal_record record;
    char line[RECORD_SIZE];
    size_t length;

    records.records = fuzz_allocate((text->length / 16 + 1) * sizeof(record));
    while ((length =
                record_parse(text->bytes + records.length, text->length - records.length, &record)))
    {
        must(length <= text->length - records.length, "a line of %zu bytes", length);
        must(record.generation && record.start && record.count &&
                 record.start + record.count <= 65536,
             "%u ports from %u", record.count, record.start);
        must(record.protocol <= UNIX_UDP && record.remove <= 1, "protocol %u", record.protocol);
        must(record_format(&record, line) == length &&
                 !memcmp(line, text->bytes + records.length, length),
             "another line would be written");
        records.records[records.count++] = record;
        records.length += length;
    }
    return records;
}

static bool record_is(const struct unix_journal_record *one,
                      const struct unix_journal_record *other)
{
    return one->generation == other->generation && one->protocol == other->protocol &&
           one->start == other->start && one->count == other->count && one->remove == other->remove;
}

/* The file has those of the records that are after a generation, and then perhaps another. */
static void check_file(const struct records *records, uint64_t after,
                       const struct unix_journal_record *added)
{
    struct unix_journal_record *found;
    uint32_t size = records->count + 1, count, expected = 0;

    found = fuzz_allocate(size * sizeof(*found));
    must(!journal_read(found, size, &count) && count <= size, "%u records", count);
    for (uint32_t i = 0; i < records->count; i++)
    {
        if (records->records[i].generation <= after) continue;
        must(expected < count && record_is(&found[expected], &records->records[i]),
             "record %u is another", expected);
        expected++;
    }
    if (added)
        must(expected < count && record_is(&found[expected++], added), "what was added is another");
    must(count == expected, "%u records, expected %u", count, expected);
    free(found);
}

static void write_hive(uint64_t generation)
{
    char text[256];
    size_t length = snprintf(text, sizeof(text),
                             "WINE REGISTRY Version 2\n"
                             "[System\\\\CurrentControlSet\\\\Services\\\\PortPool\\\\Parameters]\n"
                             "\"Generation\"=hex(b):");

    for (int i = 0; i < 8; i++)
        length += snprintf(text + length, sizeof(text) - length, i ? ",%02x" : "%02x",
                           (unsigned int)(generation >> 8 * i & 255));
    write_file(JOURNAL_HIVE, text, length);
}

/* What is torn at the end is in nobody's way, whatever is done to the journal. */
static void check_journal(const struct text *text, const struct records *records,
                          uint64_t generation)
{
    struct unix_journal_record more = {.generation = 300, .start = 65535, .count = 1};
    uint32_t remaining, expected = generation < more.generation;

    must(!journal_open_directory(), "error %d", errno);
    write_file(JOURNAL_NAME, text->bytes, text->length);
    reopen();
    check_file(records, 0, NULL);
    must(!journal_append(&more), "nothing can be added");
    check_file(records, 0, &more);
    reopen();
    check_file(records, 0, &more);
    write_hive(generation);
    must(!journal_trim(&remaining), "the journal cannot be trimmed");
    for (uint32_t i = 0; i < records->count; i++)
        expected += records->records[i].generation > generation;
    must(remaining == expected, "%u records remain, expected %u", remaining, expected);
    check_file(records, generation, &more);
}

static bool range_is(const struct stored_range *range, const struct unix_journal_record *record)
{
    return range->protocol == record->protocol && range->ports.start == record->start &&
           range->ports.count == record->count;
}

/* The last record of a range says whether it is there. */
static void check_last(const struct stored *stored, const struct records *records,
                       uint64_t generation, uint32_t number)
{
    const struct unix_journal_record *record = &records->records[number];
    unsigned int found = 0;

    if (record->generation <= generation) return;
    for (uint32_t i = number + 1; i < records->count; i++)
    {
        const struct unix_journal_record *later = &records->records[i];

        if (later->generation > generation && later->protocol == record->protocol &&
            later->start == record->start && later->count == record->count)
            return;
    }
    for (unsigned int i = 0; i < utarray_len(&stored->ranges); i++)
        found += range_is(array_at(struct stored_range, &stored->ranges, i), record);
    must(found == !record->remove, "%u ports from %u are there %u times", record->count,
         record->start, found);
}

/* What tawny show makes of it, where two values stand in the registry before. */
static void check_replay(const struct text *text, const struct records *records,
                         uint64_t generation)
{
    static const uint16_t good[] = {'1', '3', '8', '8', '1', '4', '0', '0'};
    static const uint16_t odd[] = {'C', 'C', '5', '7', '0', '1', '0', '0'};
    struct stored stored;

    stored_init(&stored);
    stored_add_value(&stored, UNIX_TCP, good, RANGE_NAME_LENGTH, true);
    stored_add_value(&stored, UNIX_UDP, odd, RANGE_NAME_LENGTH, false);
    stored_replay(&stored, text->bytes, text->length, generation);
    for (uint32_t i = 0; i < records->count; i++) check_last(&stored, records, generation, i);
    must(utarray_len(&stored.ranges) <= records->count + 1 && utarray_len(&stored.oddities) <= 1,
         "ranges from nowhere");
    stored_free(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    uint64_t generation = input_byte(&input);
    struct text text = text_make(&input);
    struct records records = records_parse(&text);

    make_prefix();
    check_journal(&text, &records, generation);
    check_replay(&text, &records, generation);
    free(records.records);
    free(text.bytes);
    return 0;
}
