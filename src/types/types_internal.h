/* types_internal: what the files of types/ share. Not for other modules. */
#ifndef WALFERRY_TYPES_TYPES_INTERNAL_H
#define WALFERRY_TYPES_TYPES_INTERNAL_H

#include "types/types.h"

/* ---- types_render ---- */
/* ERROR_DATA of a CELL_BYTES. Returns -1. */
int types_not_utf8(struct span bytes, struct error *err);

/* ---- types_bytes ---- */
/* Two digits a byte, lower case; returns what is behind them. */
char *types_put_hex(char *out, const char *bytes, size_t count);
/* False: there is another character, or an odd number of them. */
bool types_unhex(struct span text, struct arena *arena, struct span *bytes);

/* ---- types_binary_number ---- */
int types_binary_numeric(struct span bytes, struct arena *arena, struct span *text,
                         struct error *err);
struct span types_binary_float(double value, bool is_float4, struct arena *arena);
struct span types_binary_money(int64_t cents, struct arena *arena);

/* ---- types_binary_time ---- */
struct span types_binary_date(int32_t since_2000, struct arena *arena);
struct span types_binary_time(int64_t us, struct arena *arena);
struct span types_binary_timetz(int64_t us, int32_t west_s, struct arena *arena);
struct span types_binary_interval(int64_t us, int32_t days, int32_t months, struct arena *arena);

/* ---- types_binary_network ---- */
int types_binary_inet(struct span bytes, struct arena *arena, struct span *text, struct error *err);
struct span types_binary_macaddr(struct span bytes, struct arena *arena);

/* ---- types_binary ---- */
/* ERROR_DATA "\"…\" is not <what>", with as much of the text as helps. Returns -1. */
int types_bad_text(struct span text, const char *what, struct error *err);
/* Is the binary form of the type known, and are the bytes as many as it has? base: no domain. */
int types_check_binary(struct span bytes, const struct type *base, struct error *err);
/* Big-endian and sign-extended; 1 to 8 bytes. */
int64_t types_binary_int(struct span bytes);

#endif
