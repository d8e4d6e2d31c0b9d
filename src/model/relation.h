/* model/relation: a table as the stream described it before its first row.
 *
 * Lives in the epoch's arena. When the server describes the same oid anew and differently, the
 * cached struct is updated in place and `version` grows, so whoever compiled something for a
 * relation compares (pointer, version). An identical description changes nothing. */
#ifndef WALFERRY_MODEL_RELATION_H
#define WALFERRY_MODEL_RELATION_H

#include "base/span.h"

#include <stdint.h>

struct column {
    struct span name;
    uint32_t type_oid;
    int32_t type_modifier; /* atttypmod, -1 where there is none */
    bool key;              /* part of the replica identity */
};

struct relation {
    uint32_t oid;
    struct span schema; /* never empty: pg_catalog comes as an empty string and is put here */
    struct span name;
    char identity; /* pg_class.relreplident: 'd' 'n' 'f' 'i' */
    uint32_t column_count;
    struct column *columns;
    uint64_t version; /* from 1 */
};

/* Type oids that the program knows by name (pg_type.dat of PostgreSQL). */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_JSON = 114,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802
};

#endif
