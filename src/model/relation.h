/* model/relation: a table as the stream described it before its first row.
 *
 * Lives in the epoch's arena. When the server describes the same oid anew and differently, the
 * cached struct is updated in place and `version` grows, so whoever compiled something for a
 * relation compares (pointer, version). An identical description changes nothing. */
#ifndef WALFERRY_MODEL_RELATION_H
#define WALFERRY_MODEL_RELATION_H

#include "model/type.h"

#include <stdbool.h>

struct column {
    struct span name;
    uint32_t type_oid;
    int32_t type_modifier;   /* atttypmod, -1 where there is none */
    bool key;                /* part of the replica identity */
    const struct type *type; /* of what the stream described never NULL; NULL: oid alone is known */
};

struct relation {
    uint32_t oid;
    struct span schema; /* never empty: pg_catalog comes as an empty string and is put here */
    struct span name;
    char identity; /* pg_class.relreplident: 'd' 'n' 'f' 'i' */
    uint32_t column_count;
    struct column *columns;
    uint64_t version; /* from 1 */
    bool not_utf8;    /* schema or name cannot be made UTF-8: they are the database's bytes */
};

#endif
