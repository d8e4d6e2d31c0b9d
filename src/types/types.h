/* types/: which types there are, and how a cell and its type become text, bytes or numbers.
 *
 * Text cells are their text; a bytea in text form ("\x6869") is its bytes; the binary form of the
 * common types is turned into the text that PostgreSQL would print with the session settings that
 * the relay pins (ISO dates, UTC, hex bytea). Other binary cells are ERROR_DATA: the stream asks
 * for text. A domain is what it is over. Every error here has the reason "bad_value", or "not_utf8"
 * of a CELL_BYTES, and names neither column nor table: the caller knows them. */
#ifndef WALFERRY_TYPES_TYPES_H
#define WALFERRY_TYPES_TYPES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "json/json_write.h"
#include "model/change.h"

/* ---- Types ---- */

/* From here on oids are given to what people make; below they are the same on every server. */
#define TYPES_OID_OWN 10000

/* A type of PostgreSQL itself that a column can have, arrays included (types.def); NULL: none. */
const struct type *types_builtin(uint32_t oid);
/* By pg_type.typname. */
const struct type *types_builtin_named(struct span name);
/* As SQL or pg_type has it: "bigint", "numeric(10,2)", "varchar(20)[]". modifier: as
 * pg_attribute.atttypmod, -1: none. NULL: there is no such type. */
const struct type *types_written(struct span text, int32_t *modifier);
/* text and json: of values that are no column's. */
const struct type *types_plain_text(void);
const struct type *types_plain_json(void);
/* One of which nothing is known, not even its oid; it is rendered as text. */
const struct type *types_unknown(void);
/* All of them, index from 0; NULL at the end; one of oid 0 is none. */
const struct type *types_builtin_at(size_t index);

/* The types that one connection has met. Lives in the arena, which must outlive all who hold one of
 * its types; there is nothing to close. */
struct type_registry;
struct type_registry *type_registry_open(struct arena *epoch);
/* Never NULL; the same pointer for the same oid. One of which nothing is known is TYPE_KIND_UNKNOWN
 * and is rendered as text. */
const struct type *type_registry_get(struct type_registry *registry, uint32_t oid);
/* What a Type message says. It comes before each description of a relation, for each column whose
 * type is not PostgreSQL's own; schema "" is pg_catalog. The oid is the column's, but schema and
 * name are those of the type behind all domains (logicalrep_write_typ), so for a domain over a type
 * of PostgreSQL itself this is all there is to know. Other types only get a name. */
void type_registry_announce(struct type_registry *registry, uint32_t oid, struct span schema,
                            struct span name);

/* The same for a column that was described just now: what nothing but the catalogue can tell of the
 * type is wanted from here on, once more with each version of a relation. */
const struct type *type_registry_want(struct type_registry *registry, uint32_t oid);
/* How many types are wanted; their oids, as many as `max`. */
uint32_t type_registry_wanted(const struct type_registry *registry, uint32_t max, uint32_t *oids);
/* The catalogue was asked, or could not be: nothing is wanted any more. What is known stays. */
void type_registry_settle(struct type_registry *registry);

/* A row of pg_type. One that others are made of comes before them. */
struct type_facts {
    uint32_t oid;
    enum type_kind kind;
    uint32_t of; /* ARRAY: of its elements; RANGE: of its bounds; MULTIRANGE: of its range; DOMAIN:
                    of what it is over, a domain too; else 0 */
    int32_t modifier; /* DOMAIN: pg_type.typtypmod; else -1 */
    struct span schema;
    struct span name;
};
/* Spans are copied. A type of PostgreSQL itself is left as it is. */
void type_registry_learn(struct type_registry *registry, const struct type_facts *facts);
/* One more label of an enum that was learnt last. */
void type_registry_learn_label(struct type_registry *registry, struct span label);

/* ---- The encoding of a database ---- */

/* What the bytes of its text mean where that is not UTF-8. */
struct text_encoding;

/* The name is PostgreSQL's (server_encoding). NULL for UTF8. Of an encoding that is not known here,
 * nothing beyond ASCII can be read. */
struct text_encoding *text_encoding_open(const char *name);
void text_encoding_close(struct text_encoding *encoding); /* NULL is legal */
/* Can it be read here, so that the server need not convert it? False for NULL. */
bool text_encoding_reads(const struct text_encoding *encoding);
/* *text: UTF-8, in the arena, or the bytes themselves where they are that already (of SQL_ASCII
 * always). False: they cannot be made UTF-8; *text is the bytes. */
bool text_encoding_to_utf8(const struct text_encoding *encoding, struct span bytes,
                           struct arena *arena, struct span *text);
/* Appends what the server takes for the text. False: the encoding has no such character. */
bool text_encoding_from_utf8(const struct text_encoding *encoding, const char *text,
                             struct buf *out);

/* ---- Rendering ---- */

/* Whose bytes are in a rendering. */
enum owner {
    OWNER_ARENA, /* the arena's that was handed in, or there are none */
    OWNER_CELL   /* the cell's own, or a part of them: gone with the change */
};

struct rendering {
    struct span bytes;
    enum owner owner;
};

/* The text of a cell that is neither NULL nor UNCHANGED. A bytea is its text form here. */
int types_render_text(const struct cell *cell, const struct type *type, struct arena *arena,
                      struct rendering *rendering, struct error *err);
/* The payload bytes: as text, but bytea as its bytes. NULL: an absent span. Never UNCHANGED. */
int types_render_raw(const struct cell *cell, const struct type *type, struct arena *arena,
                     struct rendering *rendering, struct error *err);
/* As a value of JSON: the JSON form of the type, or its text in a string where there is none. NULL
 * is null. Never UNCHANGED. What was written before an error is the caller's to drop. */
int types_write_json(struct json_writer *writer, const struct cell *cell, const struct type *type,
                     struct arena *scratch, struct error *err);
/* Bytes that live as long as the arena: copied there where they are the cell's. */
struct span rendering_keep(struct rendering rendering, struct arena *arena);

/* Bytes as base64, with padding. */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };
struct span types_base64(struct span bytes, enum base64_alphabet alphabet, struct arena *arena);
/* And back, of the standard alphabet; in the arena. False: it is none. */
bool types_from_base64(struct span text, struct arena *arena, struct span *bytes);
/* Any bytes as a value of JSON: a string, or {"base64": "..."} where they are no UTF-8. Absent ones
 * are null. */
void types_write_bytes(struct json_writer *writer, struct span bytes, struct arena *scratch);

/* ---- Reading ---- */

/* timestamptz, timestamp (read as UTC) in text or binary, or an integer of milliseconds since 1970.
 * The text may also be ISO 8601 with T and Z, as JSON has it. Infinity is ERROR_DATA. */
int types_read_timestamp_us(const struct cell *cell, const struct type *type, int64_t *unix_us,
                            struct error *err);
int types_read_int32(const struct cell *cell, const struct type *type, int32_t *value,
                     struct error *err);
/* The elements of an array of one dimension, in the arena; NULL has none, a NULL one is absent. */
int types_read_texts(const struct cell *cell, const struct type *type, struct arena *arena,
                     uint32_t *count, struct span **texts, struct error *err);

#include "types/debezium_modes.h"

#endif
