/* migrate_internal: the properties of a connector, each with its remark, and what is made of them.
 * Everything lives in the arena. */
#ifndef WALFERRY_MIGRATE_MIGRATE_INTERNAL_H
#define WALFERRY_MIGRATE_MIGRATE_INTERNAL_H

#include "base/arena.h"
#include "migrate/migrate.h"

/* What became of a property, in the order in which remarks are printed. */
enum weight {
    WEIGHT_NONE, /* nobody has said anything yet */
    WEIGHT_LOST,
    WEIGHT_LOOK,
    WEIGHT_TAKEN,
    WEIGHT_SAME,
    WEIGHT_MOOT
};

struct property {
    const char *name;   /* as it is written */
    const char *key;    /* as the connector calls it: without debezium.source. and the like */
    const char *value;  /* references already as walferry writes them */
    const char *refers; /* the references that had to be written otherwise; NULL: none */
    enum weight weight;
    const char *remark;
};

enum converter {
    CONVERTER_UNKNOWN, /* the worker's */
    CONVERTER_JSON,
    CONVERTER_JSON_SCHEMAS,
    CONVERTER_STRING,
    CONVERTER_BYTES,
    CONVERTER_OTHER
};

/* One transform of the chain. */
struct transform {
    const char *name;
    const char *type;
    const char *predicate; /* the pattern of topics, where it has such a one; else NULL */
    bool negated;
};

#define TRANSFORMS_MAX 32

struct migrate {
    struct arena arena;
    const char *file;
    bool server; /* Debezium Server's */
    struct property *items;
    uint32_t count, size;
    struct buf general; /* remarks that belong to no property: lines "# …" */
    struct migrated *out;
    const char *relay;  /* made of the prefix */
    const char *prefix; /* topic.prefix */
    enum converter key_converter, value_converter;
    struct transform transforms[TRANSFORMS_MAX];
    uint32_t transform_count;
    struct buf kafka, delivery, routes; /* parts of the result, indented */
    struct buf envelope;                /* debezium: of each change route */
    bool skips_errors;                  /* on_error: skip */
    bool only_outbox;                   /* there is no route as: change */
    uint32_t route_count, change_count;
};

/* ---- migrate_read.c ---- */

/* Fills items, server and names. */
int migrate_read(struct migrate *m, struct span text, struct error *err);

/* ---- migrate_properties.c: properties and their remarks ---- */

struct property *migrate_find(struct migrate *m, const char *key); /* NULL: not given */
const char *migrate_value(struct migrate *m, const char *key);     /* NULL: not given, or empty */
bool migrate_is(struct migrate *m, const char *key, const char *value, const char *otherwise);
/* Gives the property its remark, where it is given and has none yet. */
void migrate_say(struct migrate *m, const char *key, enum weight weight, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A remark that belongs to no property; `lost` and `look` are counted as those of properties are.
 */
void migrate_note(struct migrate *m, enum weight weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What the table knows of all others. */
void migrate_judge_rest(struct migrate *m);
void migrate_write_remarks(struct migrate *m, struct buf *out);

/* "  name: "value"\n", `indent` blanks before it. */
void migrate_add(struct buf *out, unsigned indent, const char *name, const char *value);
void migrate_add_text(struct buf *out, const char *value); /* one YAML scalar in double quotes */

/* ---- migrate_regex.c ---- */

#define GLOBS_MAX 64
struct globs {
    uint32_t count, steps;
    const char *items[GLOBS_MAX];
};
/* A comma-separated list of regular expressions as globs, alternatives apart. False: one of them
 * is none, and *offender names it. */
bool migrate_globs(struct migrate *m, const char *list, struct globs *globs, const char **offender);

/* ---- migrate_source.c, migrate_kafka.c, migrate_change.c, migrate_routes.c ---- */

void migrate_source(struct migrate *m, struct buf *out);
void migrate_kafka(struct migrate *m);
void migrate_change_options(struct migrate *m);
void migrate_transforms(struct migrate *m);
/* NULL: the chain has none of that type. */
const struct transform *migrate_transform(const struct migrate *m, const char *type);
#define TRANSFORM_ROUTER "io.debezium.transforms.outbox.EventRouter"
#define TRANSFORM_DECODE                                                                           \
    "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent"
/* The part of an outbox route that the EventRouter's options make, indented, appended. */
void migrate_router(struct migrate *m, const struct transform *router, struct buf *out);
int migrate_routes(struct migrate *m, struct error *err);

#endif
