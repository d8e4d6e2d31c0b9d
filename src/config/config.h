/* config/: one table of keys becomes parser, validator, JSON Schema, man page and sample file.
 *
 * A configuration is read whole, checked whole and then never changed: a reload makes a new one.
 * Each room is handed its own section and nothing else. Strings carry file and line, so that a room
 * which finds a value wrong later (a template, a librdkafka property) can point at it. */
#ifndef WALFERRY_CONFIG_CONFIG_H
#define WALFERRY_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"

#include <stdint.h>

/* A string of the file. text is NUL-terminated, after expansion of ${env:} and ${file:}; NULL where
 * the key is absent and has no default. line is 0 for a default. */
struct config_text {
    const char *text;
    const char *file;
    uint32_t line;
    bool secret; /* part of it came from ${env:} or ${file:}, or the key is a secret: never print */
};

struct config_pair {
    struct config_text name;
    struct config_text value;
};

struct config_pairs {
    uint32_t count;
    const struct config_pair *items;
};

enum source_mode { SOURCE_WAL };
enum source_snapshot { SNAPSHOT_NEVER };

struct config_source {
    enum source_mode mode;
    struct config_text connection; /* libpq conninfo or URI; "": all from libpq's environment */
    struct config_text slot;
    struct config_text publication;
    enum source_snapshot snapshot;
};

struct config_kafka {
    struct config_pairs properties; /* librdkafka's own, as written; bootstrap.servers among them */
};

enum guarantee { GUARANTEE_EXACTLY_ONCE, GUARANTEE_AT_LEAST_ONCE };

struct config_topics {
    bool create;
    int32_t partitions;         /* -1: the broker's default */
    int32_t replication_factor; /* -1: the broker's default */
};

struct config_delivery {
    enum guarantee guarantee;
    int64_t commit_interval_ms;     /* 1 to 10000 */
    int64_t transaction_timeout_ms; /* 1000 to 900000 */
    bool strict;
    uint64_t memory_limit; /* bytes, at least 8MB */
    int64_t batch_events;  /* 1 to 1000000 */
    struct config_text progress_topic;
    struct config_text transactional_id; /* without the shard */
    struct config_text id_header;        /* "" leaves it out */
    uint64_t idle_progress_bytes;
    int64_t idle_progress_interval_ms;
    struct config_topics topics;
    bool require_replication;
};

struct config_retry {
    int64_t min_ms;
    int64_t max_ms;
    int64_t give_up_ms;    /* 0: never */
    int64_t auth_grace_ms; /* how long refused credentials are retried once they have worked */
};

enum route_as { ROUTE_OUTBOX };
enum route_format { FORMAT_RAW };
enum on_error { ON_ERROR_STOP, ON_ERROR_SKIP };

/* Names of columns; text NULL: not mapped (headers, timestamp, partition). */
struct config_columns {
    struct config_text id, aggregate_type, aggregate_id, type, payload;
    struct config_text headers, timestamp, partition;
};

struct config_route {
    struct config_text name;
    struct config_text from; /* schema.table, a glob, or message:<prefix> */
    enum route_as as;
    struct config_columns columns;
    struct config_text topic;    /* template; defaults are filled in from the mapped columns */
    struct config_text key;      /* template */
    bool has_headers;            /* false: the default, id only */
    struct config_pairs headers; /* name and template */
    enum route_format format;
    enum on_error on_error;
    bool continue_matching; /* continue: true */
};

#define CONFIG_ROUTES_MAX 256

struct config_routes {
    uint32_t count;
    const struct config_route *items;
};

struct config_admin {
    struct config_text listen; /* host:port, or "off" */
    int64_t ready_grace_ms;
};

struct config_log {
    enum log_level level;
    enum log_format format;
};

struct config {
    struct arena arena;
    const char *path;
    struct config_text relay;
    struct config_source source;
    struct config_kafka kafka;
    struct config_delivery delivery;
    struct config_retry retry;
    struct config_routes routes;
    struct config_admin admin;
    struct config_log log;
    /* 16 hex digits over what decides which events come out of a change: routes, publication,
     * id_header, slot, pgoutput options. Recorded in progress. */
    char hash[17];
};

/* Reads and checks the file. Every error is ERROR_STOP with EXIT_USAGE and reads
 * "<file>:<line>: <key>: what is wrong", the hint saying how to mend it. path NULL:
 * $WALFERRY_CONFIG, then /etc/walferry/walferry.yaml. */
int config_open(const char *path, struct config **config, struct error *err);
/* The same from memory; `name` stands for the file in messages. */
int config_parse(struct span yaml, const char *name, struct config **config, struct error *err);
void config_close(struct config *config); /* NULL is legal */

/* Which key keeps a running relay from taking `next` over without a restart, or NULL. */
const char *config_needs_restart(const struct config *running, const struct config *next);

/* An error that points at a value: "file:line: text". Returns -1. */
int config_error(struct error *err, const struct config_text *at, enum reason reason,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What is generated from the table: the JSON Schema, the annotated sample file, the key section of
 * the man page (mdoc). */
void config_write_schema(struct buf *out);
void config_write_sample(struct buf *out);
void config_write_man(struct buf *out);

#endif
