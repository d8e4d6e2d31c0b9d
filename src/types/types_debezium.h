/* types/types_debezium: how a cell is written as Debezium writes it. A part of types/types.h, which
 * includes it; nobody else does. */
#ifndef WALFERRY_TYPES_TYPES_DEBEZIUM_H
#define WALFERRY_TYPES_TYPES_DEBEZIUM_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json_write.h"
#include "model/change.h"
#include "types/debezium_modes.h"

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

#endif
