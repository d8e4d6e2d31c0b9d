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

/* ---- types_debezium_interval ---- */
int types_debezium_interval(struct json_writer *w, struct span text, enum debezium_interval mode,
                            struct error *err);

/* ---- types_debezium_decimal ---- */
/* modifier: of the column, -1: of any precision. */
int types_debezium_numeric(struct json_writer *w, struct span text, int32_t modifier,
                           enum debezium_decimal mode, struct arena *arena, struct error *err);
int types_debezium_money(struct json_writer *w, struct span text, uint32_t fraction_digits,
                         enum debezium_decimal mode, struct arena *arena, struct error *err);

/* Digits behind the point of a numeric of that modifier; 0 where it may have any. */
int32_t types_debezium_scale(int32_t modifier);
/* "0.00" */
struct span types_debezium_zero(int32_t scale, struct arena *arena);

/* ---- types_debezium_bytes ---- */
void types_debezium_bytes(struct json_writer *w, struct span bytes, enum debezium_binary mode,
                          struct arena *arena);
/* One bit is a boolean, more are bytes. */
int types_debezium_bit(struct json_writer *w, struct span text, struct error *err);
int types_debezium_bits(struct json_writer *w, struct span text, struct arena *arena,
                        struct error *err);
int types_debezium_point(struct json_writer *w, struct span text, struct arena *arena,
                         struct error *err);

/* ---- types_debezium_hstore ---- */
int types_debezium_hstore(struct json_writer *w, struct span text, enum debezium_hstore mode,
                          struct arena *arena, struct error *err);
/* The hstore of one pair. */
void types_debezium_hstore_pair(struct json_writer *w, struct span key, struct span value,
                                enum debezium_hstore mode, struct arena *arena);

/* ---- types_debezium_absent ---- */
int types_debezium_unchanged(struct json_writer *w, const struct type *base,
                             enum debezium_form form, const struct debezium_modes *modes,
                             struct arena *arena);
void types_debezium_zero_of(struct json_writer *w, enum debezium_form form, int32_t modifier,
                            const struct debezium_modes *modes, struct arena *arena);

/* ---- types_debezium_vector ---- */
int types_debezium_geometry(struct json_writer *w, struct span text, struct arena *arena,
                            struct error *err);
int types_debezium_vector(struct json_writer *w, struct span text, bool is_halfvec,
                          struct error *err);
int types_debezium_sparse_vector(struct json_writer *w, struct span text, struct error *err);

/* ---- types_debezium_number ---- */
/* As Java prints it: digits are PostgreSQL's, which are the shortest that tell the value apart. */
int types_debezium_float(struct json_writer *w, struct span text, bool is_float4,
                         struct error *err);

#endif
