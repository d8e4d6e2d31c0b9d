/* types/: a cell and its type become text or bytes.
 *
 * First: what an outbox needs. Text cells are their text; a bytea cell in text form ("\x6869") is
 * its bytes; the binary form of the common types is turned into the text that PostgreSQL would
 * print with the session settings that the relay pins (ISO dates, UTC, hex bytea). Other binary
 * cells are ERROR_DATA: the stream asks for text. Every error here has the reason "bad_value" and
 * names neither column nor table: the caller knows them. */
#ifndef WALFERRY_TYPES_TYPES_H
#define WALFERRY_TYPES_TYPES_H

#include "base/arena.h"
#include "base/error.h"
#include "model/change.h"

/* The text of a cell that is neither NULL nor UNCHANGED; may point into the cell. A bytea is its
 * text form here. */
int types_text(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *text,
               struct error *err);
/* The payload bytes: as text, but bytea as its bytes. NULL gives an absent span. Never UNCHANGED.
 */
int types_raw(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *bytes,
              struct error *err);
/* timestamptz, timestamp (read as UTC) in text or binary, or an integer of milliseconds since 1970.
 * The text may also be ISO 8601 with T and Z, as JSON has it. Infinity is ERROR_DATA. */
int types_timestamp_us(const struct cell *cell, uint32_t type_oid, int64_t *unix_us,
                       struct error *err);
int types_int32(const struct cell *cell, uint32_t type_oid, int32_t *value, struct error *err);

#endif
