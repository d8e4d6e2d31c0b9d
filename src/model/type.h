/* model/type: what the values of a column are.
 *
 * A column points to its type, so that no event looks one up. Types of PostgreSQL itself are rows
 * of types/types.def; those that people have made live in the epoch's arena and are filled in place
 * as more becomes known of them, so a pointer stays good for the epoch. */
#ifndef WALFERRY_MODEL_TYPE_H
#define WALFERRY_MODEL_TYPE_H

#include "base/span.h"

#include <stdint.h>

enum type_kind {
    TYPE_KIND_UNKNOWN, /* not built in, and the catalogue has not been asked or did not answer */
    TYPE_KIND_BASE,
    TYPE_KIND_ARRAY,
    TYPE_KIND_ENUM,
    TYPE_KIND_DOMAIN,
    TYPE_KIND_RANGE,
    TYPE_KIND_MULTIRANGE,
    TYPE_KIND_COMPOSITE
};

/* How the binary form becomes the text that PostgreSQL prints under the pinned settings. */
enum text_form {
    TEXT_FORM_NONE, /* not known: such a cell is an error */
    TEXT_FORM_SAME, /* the bytes are the text */
    TEXT_FORM_BOOL,
    TEXT_FORM_INT,
    TEXT_FORM_BYTEA,
    TEXT_FORM_UUID,
    TEXT_FORM_TIMESTAMP,
    TEXT_FORM_TIMESTAMPTZ,
    TEXT_FORM_JSONB,
    TEXT_FORM_OID, /* an integer without sign */
    TEXT_FORM_FLOAT4,
    TEXT_FORM_FLOAT8,
    TEXT_FORM_NUMERIC,
    TEXT_FORM_MONEY,
    TEXT_FORM_DATE,
    TEXT_FORM_TIME,
    TEXT_FORM_TIMETZ,
    TEXT_FORM_INTERVAL,
    TEXT_FORM_BITS,
    TEXT_FORM_INET,
    TEXT_FORM_MACADDR,
    TEXT_FORM_POINT
};

/* What the text becomes in JSON. */
enum json_form {
    JSON_FORM_STRING,
    JSON_FORM_NUMBER,  /* but for NaN and the infinities, which are strings */
    JSON_FORM_BOOLEAN, /* "t" and "f" */
    JSON_FORM_RAW,     /* is JSON already */
    JSON_FORM_BASE64   /* a string of the bytes */
};

/* What Debezium makes of the text, under the modes that are set (types/debezium_modes.h). */
enum debezium_form {
    DEBEZIUM_FORM_UNKNOWN, /* nothing: it leaves such a column out */
    DEBEZIUM_FORM_STRING,
    DEBEZIUM_FORM_BOOLEAN,
    DEBEZIUM_FORM_INTEGER,
    DEBEZIUM_FORM_FLOAT4,
    DEBEZIUM_FORM_FLOAT8,
    DEBEZIUM_FORM_NUMERIC,
    DEBEZIUM_FORM_MONEY,
    DEBEZIUM_FORM_BYTES,
    DEBEZIUM_FORM_BITS,
    DEBEZIUM_FORM_DATE,
    DEBEZIUM_FORM_TIME,
    DEBEZIUM_FORM_TIMETZ,
    DEBEZIUM_FORM_TIMESTAMP,
    DEBEZIUM_FORM_TIMESTAMPTZ,
    DEBEZIUM_FORM_INTERVAL,
    DEBEZIUM_FORM_POINT,
    DEBEZIUM_FORM_HSTORE,
    DEBEZIUM_FORM_GEOMETRY,
    DEBEZIUM_FORM_VECTOR,
    DEBEZIUM_FORM_HALFVEC,
    DEBEZIUM_FORM_SPARSEVEC
};

struct type {
    uint32_t oid;
    enum type_kind kind;
    struct span schema; /* empty: not known */
    struct span name;   /* pg_type.typname; empty: not known */
    struct span sql;    /* as people write it: "integer"; never empty for a built-in type */
    int32_t binary_len; /* of the binary form; -1: any */
    enum text_form text_form;
    enum json_form json_form;
    enum debezium_form debezium_form;
    const struct type *element; /* ARRAY: of its elements; RANGE: of its bounds; MULTIRANGE: its
                                   range; NULL for others */
    const struct type *base;    /* what its values look like: for a domain the type behind all
                                   domains, for any other the type itself. Never NULL */
    int32_t modifier;           /* DOMAIN: what it asks of its base as a column's modifier; -1:
                                   nothing, or it is not known */
    uint32_t label_count;       /* ENUM */
    const struct span *labels;  /* in their order */
};

/* The oids that code names; all others stand in types/types.def alone. */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_CHAR = 18,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_JSON = 114,
    TYPE_XML = 142,
    TYPE_BOX = 603,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_TIME = 1083,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_INTERVAL = 1186,
    TYPE_BIT = 1560,
    TYPE_VARBIT = 1562,
    TYPE_NUMERIC = 1700,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802
};

#endif
