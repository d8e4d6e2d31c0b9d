/* types_internal: what the files of types/ share. Not for other modules. */
#ifndef WALFERRY_TYPES_TYPES_INTERNAL_H
#define WALFERRY_TYPES_TYPES_INTERNAL_H

#include "types/types.h"

/* ---- types_render ---- */
/* ERROR_DATA of a CELL_BYTES. Returns -1. */
int types_not_utf8(struct span bytes, struct error *err);

/* ---- types_bytes ---- */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };
struct span types_base64(struct span bytes, enum base64_alphabet alphabet, struct arena *arena);
/* Two digits a byte, lower case; returns what is behind them. */
char *types_put_hex(char *out, const char *bytes, size_t count);
/* False: there is another character, or an odd number of them. */
bool types_unhex(struct span text, struct arena *arena, struct span *bytes);

/* ---- types_binary ---- */
/* ERROR_DATA "\"…\" is not <what>", with as much of the text as helps. Returns -1. */
int types_bad_text(struct span text, const char *what, struct error *err);
/* Is the binary form of the type known, and are the bytes as many as it has? base: no domain. */
int types_check_binary(struct span bytes, const struct type *base, struct error *err);
/* Big-endian and sign-extended; 1 to 8 bytes. */
int64_t types_binary_int(struct span bytes);

#endif
