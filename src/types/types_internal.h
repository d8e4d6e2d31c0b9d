/* types_internal: what the files of types/ share. Not for other modules. */
#ifndef WALFERRY_TYPES_TYPES_INTERNAL_H
#define WALFERRY_TYPES_TYPES_INTERNAL_H

#include "types/types.h"

/* ---- types_render ---- */
/* ERROR_DATA of a CELL_BYTES. Returns -1. */
int types_not_utf8(struct span bytes, struct error *err);

/* ---- types_binary ---- */
/* ERROR_DATA "\"…\" is not <what>", with as much of the text as helps. Returns -1. */
int types_bad_text(struct span text, const char *what, struct error *err);
/* Is the binary form of the type known, and are the bytes as many as it has? base: no domain. */
int types_check_binary(struct span bytes, const struct type *base, struct error *err);
/* Big-endian and sign-extended; 1 to 8 bytes. */
int64_t types_binary_int(struct span bytes);

#endif
