/* types/debezium_modes: how Debezium is told to write values: its options of these names and their
 * values, each the default where it is 0 but for the last three; and writing under them. Part of
 * types/types.h. */
#ifndef WALFERRY_TYPES_DEBEZIUM_MODES_H
#define WALFERRY_TYPES_DEBEZIUM_MODES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "json/json_write.h"
#include "model/change.h"

#include <stdbool.h>
#include <stdint.h>

enum debezium_decimal { /* decimal.handling.mode */
                        DEBEZIUM_DECIMAL_PRECISE,
                        DEBEZIUM_DECIMAL_DOUBLE,
                        DEBEZIUM_DECIMAL_STRING,
                        DEBEZIUM_DECIMAL_NUMBER /* no option: PRECISE in a header */
};

enum debezium_time { /* time.precision.mode */
                     DEBEZIUM_TIME_ADAPTIVE,
                     DEBEZIUM_TIME_ADAPTIVE_TIME_MICROSECONDS,
                     DEBEZIUM_TIME_CONNECT,
                     DEBEZIUM_TIME_ISOSTRING,
                     DEBEZIUM_TIME_MICROSECONDS,
                     DEBEZIUM_TIME_NANOSECONDS,
                     DEBEZIUM_TIME_DATES /* no option: CONNECT in a header */
};

enum debezium_interval { /* interval.handling.mode */
                         DEBEZIUM_INTERVAL_NUMERIC,
                         DEBEZIUM_INTERVAL_STRING
};

enum debezium_binary { /* binary.handling.mode */
                       DEBEZIUM_BINARY_BYTES,
                       DEBEZIUM_BINARY_BASE64,
                       DEBEZIUM_BINARY_BASE64_URL_SAFE,
                       DEBEZIUM_BINARY_HEX
};

enum debezium_hstore { /* hstore.handling.mode */
                       DEBEZIUM_HSTORE_JSON,
                       DEBEZIUM_HSTORE_MAP
};

enum debezium_digest {
    DEBEZIUM_DIGEST_MD5,
    DEBEZIUM_DIGEST_SHA1,
    DEBEZIUM_DIGEST_SHA224,
    DEBEZIUM_DIGEST_SHA256,
    DEBEZIUM_DIGEST_SHA384,
    DEBEZIUM_DIGEST_SHA512
};

/* What becomes of the texts of a column. */
enum debezium_mask_kind {
    DEBEZIUM_MASK_NONE,
    DEBEZIUM_MASK_TRUNCATE,  /* column.truncate.to.N.chars */
    DEBEZIUM_MASK_ASTERISKS, /* column.mask.with.N.chars; of NULL, too */
    DEBEZIUM_MASK_HASH,      /* column.mask.hash.ALGORITHM.with.salt.SALT */
    DEBEZIUM_MASK_HASH_V2    /* column.mask.hash.v2.… */
};

struct debezium_mask {
    enum debezium_mask_kind kind;
    uint32_t length; /* characters; of a hash that of the column, 0: it has none */
    enum debezium_digest digest;
    struct span salt;
};

struct debezium_modes {
    enum debezium_decimal decimal;
    enum debezium_time time;
    enum debezium_interval interval;
    enum debezium_binary binary;
    enum debezium_hstore hstore;
    uint32_t money_fraction_digits;
    struct span unavailable; /* unavailable.value.placeholder; UTF-8 */
    /* The same as bytes, where it was "hex:…" and they may be no text; absent: those of the text */
    struct span unavailable_bytes;
    bool compatible; /* leave out what Debezium leaves out */
    bool header;     /* not JSON, but what Connect's SimpleHeaderConverter prints */
};

/* The same in the value of a header. */
static inline struct debezium_modes debezium_modes_of_header(struct debezium_modes modes)
{
    modes.header = true;
    if (modes.decimal == DEBEZIUM_DECIMAL_PRECISE)
        modes.decimal = DEBEZIUM_DECIMAL_NUMBER;
    if (modes.time == DEBEZIUM_TIME_CONNECT)
        modes.time = DEBEZIUM_TIME_DATES;
    return modes;
}

#define DEBEZIUM_UNAVAILABLE "__debezium_unavailable_value"
/* Debezium's defaults. */
#define DEBEZIUM_MODES_DEFAULT                                                                     \
    ((struct debezium_modes){.money_fraction_digits = 2,                                           \
                             .unavailable = SPAN_LITERAL(DEBEZIUM_UNAVAILABLE)})

/* ---- Writing ---- */

/* The JSON of Debezium 3.6 (JsonConverter without schemas). What it does not know or cannot
 * convert is never an end: it is text, or null where Debezium writes null, and is counted. */

/* Is it left out under these modes? Only where they are compatible. What is known of a type can
 * grow with a version of its relation. */
bool types_debezium_omits(const struct debezium_modes *modes, const struct column *column);
/* Writes one value. 0: it was. 1: it was, but as text because type or value are not understood, or
 * as null because the value has no form under the modes (NaN of a precise numeric); to be counted.
 * -1: ERROR_DATA, text that is not UTF-8, or a binary form that is not known or broken; nothing was
 * written. UNCHANGED is the placeholder in the type's form. */
int types_debezium_write(struct json_writer *writer, const struct cell *cell,
                         const struct column *column, const struct debezium_modes *modes,
                         struct arena *scratch, struct error *err);
/* Is the value of such a column a text there, so that it can be masked? Of a type of which nothing
 * is known yet it is. */
bool types_debezium_may_mask(const struct column *column);
/* How many characters a column of text may hold; 0: any number. */
uint32_t types_debezium_column_length(const struct column *column);
/* The same of a column that is masked, and may be. */
int types_debezium_write_masked(struct json_writer *writer, const struct cell *cell,
                                const struct column *column, const struct debezium_mask *mask,
                                const struct debezium_modes *modes, struct arena *scratch,
                                struct error *err);
/* What stands for a NOT NULL column without a default that the server did not send (all but the key
 * in the old row of a DELETE): the type's zero. */
void types_debezium_write_zero(struct json_writer *writer, const struct column *column,
                               const struct debezium_modes *modes, struct arena *scratch);
/* What Debezium takes for the default of a column whose expression is def (absent: it has none): a
 * text to be written as any value. False: it takes none. */
bool types_debezium_default(const struct column *column, struct span def, struct cell *cell,
                            struct arena *arena);

#endif
