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

/* What the stream does not say of a table: what identifies its rows, and which columns are never
 * NULL. From the catalogue, once for each version, where somebody wants it. */
struct relation_key {
    bool asked;              /* since the table was described last */
    bool unknown;            /* altered since the rows, so that nobody can tell it */
    uint32_t count;          /* 0: nothing identifies a row, or nobody asked, or unknown */
    const uint32_t *columns; /* of the primary key, else of the first unique index that may; in the
                                order of the index */
    const bool *not_null;    /* of each column of the table; NULL: nobody asked */
    const struct span *defs; /* the expression of each default; absent: none. NULL: nobody asked */
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
    struct relation_key key;
};

/* Does an old row, where the server sends one, have the value of the column? */
static inline bool relation_tells_old(const struct relation *relation, uint32_t column)
{
    return relation->identity == 'f' || relation->columns[column].key;
}

#endif
