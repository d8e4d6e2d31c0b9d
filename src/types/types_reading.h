/* types/types_reading: cells become what the program itself works with. Part of types/types.h. */
#ifndef WALFERRY_TYPES_TYPES_READING_H
#define WALFERRY_TYPES_TYPES_READING_H

#include "base/arena.h"
#include "base/error.h"
#include "model/change.h"

/* timestamptz, timestamp (read as UTC) in text or binary, or an integer of milliseconds since 1970.
 * The text may also be ISO 8601 with T and Z, as JSON has it. Infinity is ERROR_DATA. */
int types_read_timestamp_us(const struct cell *cell, const struct type *type, int64_t *unix_us,
                            struct error *err);
int types_read_int32(const struct cell *cell, const struct type *type, int32_t *value,
                     struct error *err);
/* The elements of an array of one dimension, in the arena; of a NULL none, and a NULL element is
 * absent. Never UNCHANGED. */
int types_read_texts(const struct cell *cell, const struct type *type, struct arena *arena,
                     uint32_t *count, struct span **texts, struct error *err);

#endif
