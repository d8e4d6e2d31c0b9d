/* migrate/: the configuration of a Debezium connector for PostgreSQL becomes a walferry.yaml.
 *
 * It reads what people have: Kafka Connect's {"name", "config"} or the bare map of the config, in
 * JSON; the same as a file of properties; Debezium Server's application.properties. Every property
 * has a remark in the result, as a comment: taken over, the same by default, without a meaning
 * here, to look at, or not supported. Names and defaults are Debezium's of 3.6 (documentation,
 * "Debezium connector for PostgreSQL", "Outbox Event Router", "Debezium Server").
 *
 * It asks no server and reads no other file. Secrets stand in the result as they stand in the
 * source, but never in a remark. */
#ifndef WALFERRY_MIGRATE_MIGRATE_H
#define WALFERRY_MIGRATE_MIGRATE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

/* A file larger than that is no connector's configuration. */
#define MIGRATE_FILE_BYTES_MAX (1024 * 1024)

struct migrated {
    struct buf yaml;
    uint32_t lost; /* properties that are not supported: the relay does otherwise than Debezium */
    uint32_t look; /* what a person has to look at or to fill in */
};

/* text: the content of the file; name: what stands for it in messages and remarks. out->yaml is
 * appended to; the caller ends it. ERROR_STOP, EXIT_USAGE where this is no such file:
 * "config_syntax" or "config_value". */
int migrate_debezium(struct span text, const char *name, struct migrated *out, struct error *err);

/* Where a connector has stopped; see migrate_offset.c. */
struct migrate_offset {
    /* The end of the transaction before the last one of which an event was sent: everything up to
     * there was, and slot and offset mean the same by it. 0: none has ended yet. */
    uint64_t commit_lsn;
    /* Of the change whose event was sent last, or one below commit_lsn where nothing was sent
     * behind that; 0: not known. */
    uint64_t event_lsn;
    bool in_snapshot;
    char server[256]; /* topic.prefix; empty: not known */
};

/* text: of a file of offsets. server: whose offset is wanted where there are several. ERROR_STOP,
 * EXIT_USAGE, "config_value" where there is none, or the connector's snapshot has not ended. */
int migrate_offset(struct span text, const char *name, const char *server,
                   struct migrate_offset *out, struct error *err);

#endif
