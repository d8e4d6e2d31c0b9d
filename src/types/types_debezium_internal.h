/* types_debezium_internal: what the files that write Debezium's JSON share. Not for other modules.
 *
 * A function that writes takes the text of a value as PostgreSQL prints it under the pinned
 * settings and returns what types_debezium_write returns. */
#ifndef WALFERRY_TYPES_TYPES_DEBEZIUM_INTERNAL_H
#define WALFERRY_TYPES_TYPES_DEBEZIUM_INTERNAL_H

#include "types/types_internal.h"

/* ---- types_debezium_time ---- */
/* precision: digits of the second's fraction, 0 to 6. */
int types_debezium_date(struct json_writer *w, struct span text, enum debezium_time mode,
                        struct error *err);
int types_debezium_time(struct json_writer *w, struct span text, uint32_t precision,
                        enum debezium_time mode, struct error *err);
int types_debezium_timetz(struct json_writer *w, struct span text, struct error *err);
int types_debezium_timestamp(struct json_writer *w, struct span text, uint32_t precision,
                             enum debezium_time mode, struct error *err);
int types_debezium_timestamptz(struct json_writer *w, struct span text, uint32_t precision,
                               struct error *err);

/* ---- types_debezium_number ---- */
/* As Java prints it: digits are PostgreSQL's, which are the shortest that tell the value apart. */
int types_debezium_float(struct json_writer *w, struct span text, bool is_float4,
                         struct error *err);

#endif
