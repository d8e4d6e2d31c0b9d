/* sim/dump: see the header. FNV-1a, because it is ten lines and no adversary is about. */
#include "dump.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * FNV_PRIME;
    return hash;
}

/* The length goes in, too, so that two spans cannot pass for one; a NULL is no empty one. */
static uint64_t hash_span(uint64_t hash, struct span span)
{
    uint64_t len = span.ptr == NULL ? UINT64_MAX : span.len;
    hash = hash_bytes(hash, &len, sizeof len);
    return span.ptr == NULL ? hash : hash_bytes(hash, span.ptr, span.len);
}

static uint64_t hash_headers(const struct message *message)
{
    uint64_t hash = FNV_BASIS;
    for (uint32_t i = 0; i < message->header_count; i++) {
        if (span_equal_text(message->headers[i].name, "walferry-part"))
            continue;
        hash = hash_span(hash, message->headers[i].name);
        hash = hash_span(hash, message->headers[i].value);
    }
    return hash;
}

/* A base from before struct change_id (same.sh) has the two numbers loose. */
#if __has_include("model/change_id.h")
#define FINAL_LSN_OF(message) ((message)->id.final_lsn)
#define ORDINAL_OF(message) ((message)->id.ordinal)
#else
#define FINAL_LSN_OF(message) ((message)->final_lsn)
#define ORDINAL_OF(message) ((message)->ordinal)
#endif

void dump_line(const struct message *message, char line[DUMP_LINE_MAX])
{
    snprintf(line, DUMP_LINE_MAX,
             "event %" PRIx64 "/%" PRIu64 " %.*s %" PRId32 " %016" PRIx64 " %016" PRIx64
             " %016" PRIx64,
             FINAL_LSN_OF(message), ORDINAL_OF(message), (int)message->topic.len,
             message->topic.ptr, message->partition, hash_span(FNV_BASIS, message->key),
             hash_span(FNV_BASIS, message->value), hash_headers(message));
}

/* One more line, into the file and into the hash. */
static void add(struct dump *dump, uint64_t *hash, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add(struct dump *dump, uint64_t *hash, const char *format, ...)
{
    char line[DUMP_LINE_MAX + 32];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    *hash = hash_bytes(*hash, line, strlen(line) + 1);
    if (dump->whole)
        fprintf(dump->file, "%s\n", line);
}

static uint64_t hash_workload(const struct workload *work)
{
    uint64_t hash = FNV_BASIS;
    for (uint32_t i = 0; i < work->record_count; i++) {
        const struct pg_record *record = &work->records[i];
        uint64_t words[] = {record->kind, record->lsn, record->end_lsn, record->xid,
                            record->change_count};
        hash = hash_bytes(hash, words, sizeof words);
        hash = hash_bytes(hash, record->changes, record->change_count * sizeof *record->changes);
    }
    return hash;
}

void dump_begin(struct dump *dump, const struct workload *work)
{
    dump->events_hash = dump->boundaries_hash = FNV_BASIS;
    dump->events = dump->boundaries = 0;
    if (dump->file != NULL)
        add(dump, &dump->events_hash, "workload %016" PRIx64, hash_workload(work));
}

void dump_event(struct dump *dump, const char *line, bool part)
{
    if (dump->file == NULL)
        return;
    add(dump, &dump->events_hash, "%s", line);
    dump->events++;
    if (part)
        add(dump, &dump->boundaries_hash, "part %" PRIu32, dump->events);
}

void dump_commit(struct dump *dump, const struct progress *record)
{
    if (dump->file == NULL)
        return;
    add(dump, &dump->boundaries_hash,
        "commit %" PRIx64 "/%" PRIu64 " %" PRIx64 "/%" PRIu64 " after %" PRIu32 " events",
        record->position.lsn, record->position.seq, record->partial.final_lsn, record->partial.done,
        dump->events);
    dump->boundaries++;
}

void dump_end(struct dump *dump, uint64_t seed)
{
    if (dump->file != NULL)
        fprintf(dump->file,
                "seed %" PRIu64 " events %" PRIu32 " %016" PRIx64 " boundaries %" PRIu32
                " %016" PRIx64 "\n",
                seed, dump->events, dump->events_hash, dump->boundaries, dump->boundaries_hash);
}
