/* config_relay: what the file says of one relay, a struct for each section. Includers take it from
 * config.h. What belongs to the process (admin, log) is not here. */
#ifndef WALFERRY_CONFIG_RELAY_H
#define WALFERRY_CONFIG_RELAY_H

#include "config/config_claim.h"
#include "config/config_debezium.h"
#include "config/config_event.h"
#include "config/config_event_router.h"
#include "config/config_oversize.h"
#include "config/config_poll.h"
#include "config/config_retention.h"

enum source_mode { SOURCE_WAL, SOURCE_POLL };
enum source_snapshot { SNAPSHOT_NEVER };

struct config_source {
    enum source_mode mode;
    struct config_text connection; /* libpq conninfo or URI; "": all from libpq's environment */
    struct config_command password_command;
    struct config_text slot;
    struct config_text publication; /* of routes as: outbox */
    struct config_text changes;     /* of all others: the same name with _changes behind it */
    enum source_snapshot snapshot;
    struct config_poll poll; /* of mode: poll */
};

struct config_kafka {
    struct config_pairs properties; /* librdkafka's own, as written; bootstrap.servers among them */
    struct config_command token_command; /* kafka_token_command */
};

enum guarantee { GUARANTEE_EXACTLY_ONCE, GUARANTEE_AT_LEAST_ONCE };

struct config_topics {
    bool create;
    int32_t partitions;         /* -1: the broker's default */
    int32_t replication_factor; /* -1: the broker's default */
    struct config_texts allow;  /* globs; none: no event is held to any */
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
    bool transaction_metadata;
    struct config_text transaction_topic;
    int64_t jq_cpu_ms;  /* of a row */
    uint64_t jq_memory; /* of a row, bytes */
};

enum quarantine_of { QUARANTINE_NONE, QUARANTINE_KEY };

struct config_dead_letter {
    struct config_text topic;
    enum quarantine_of quarantine;
    int64_t keys_max;
};

struct config_retry {
    int64_t min_ms;
    int64_t max_ms;
    int64_t give_up_ms;    /* 0: never */
    int64_t auth_grace_ms; /* how long refused credentials are retried once they have worked */
};

enum route_as { ROUTE_OUTBOX, ROUTE_CHANGE, ROUTE_EVENT };
enum route_format {
    FORMAT_RAW,
    FORMAT_DEBEZIUM,
    FORMAT_JSON,
    FORMAT_JSON_STRING,
    FORMAT_CLOUDEVENTS
};
enum value_encoding { VALUE_UTF8, VALUE_BYTES };
enum on_error { ON_ERROR_STOP, ON_ERROR_SKIP, ON_ERROR_DEAD_LETTER };

/* Names of columns; text NULL: not mapped (all but the first five). */
struct config_columns {
    struct config_text id, aggregate_type, aggregate_id, type, payload;
    struct config_text headers, timestamp, partition;
    struct config_text headers_member; /* of the object in headers */
    struct config_text header_keys, header_values;
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
    bool debezium_compatible;
    struct config_debezium debezium;
    struct config_event event;
    struct config_event_router router;
    enum value_encoding value_encoding;
    enum on_error on_error;
    struct config_claim claim;
    struct config_oversize oversize;
    bool continue_matching; /* continue: true */
};

/* `from:` of a route, read: a table, a glob over tables, or the prefix of logical messages.
 *
 * In a glob * stands for any run of characters, the empty one too, and ? for one character; neither
 * crosses the dot between schema and table, which is the first one. A part in double quotes is
 * SQL's own quoting ("" is a quote): it is no glob, and dots in it are its own. Names are compared
 * as the catalogue has them, case and all. */
struct config_from {
    bool of_message;
    bool schema_glob; /* it has a * or ? */
    bool table_glob;
    struct span prefix; /* of messages; compared whole */
    struct span schema;
    struct span table;
};

#define CONFIG_FROM_MESSAGE "message:"
/* What every `from:` looks like, as an extended regular expression. */
#define CONFIG_FROM_RULE CONFIG_FROM_MESSAGE ".+|[^.:]+[.].+"

#define CONFIG_ROUTES_MAX 256
struct config_routes {
    uint32_t count;
    const struct config_route *items;
};

struct config;

/* What one relay is made of: all that recover/, relay/ and operate/ are handed. */
struct config_relay {
    const struct config *process; /* the file that it stands in, with what it shares with others */
    struct config_text name;
    struct config_source source;
    struct config_kafka kafka;
    struct config_delivery delivery;
    struct config_routes routes;
    struct config_dead_letter dead_letter;
    struct config_retention retention;
    struct config_retry retry;
    /* 16 hex digits over what decides which events come out of a change: routes, publication,
     * id_header, slot, pgoutput options. Recorded in progress. */
    char hash[17];
};

#endif
