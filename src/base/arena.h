/* base/arena: memory with one lifetime, given back whole.
 *
 * A bump allocator over a chain of chunks. arena_reset() keeps the first chunks up to `keep_bytes`
 * and frees the rest, so a lifetime that repeats (a batch, a change) allocates nothing in steady
 * state. Not thread-safe: an arena belongs to one thread at a time. Allocation never returns NULL:
 * a process that cannot get memory aborts, and a restart is safe. */
#ifndef WALFERRY_BASE_ARENA_H
#define WALFERRY_BASE_ARENA_H

#include "base/span.h"

#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *first;
    struct arena_chunk *current;
    size_t chunk_bytes; /* size of an ordinary chunk */
    size_t keep_bytes;  /* what a reset keeps */
    size_t used_bytes;  /* handed out since the last reset */
};

/* chunk_bytes: at least 64; keep_bytes: at least chunk_bytes. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t chunk_bytes, size_t keep_bytes);
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena);

/* Aligned for any type, not cleared. size 0 gives a valid, unusable pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same without alignment, for bytes. */
char *arena_alloc_bytes(struct arena *arena, size_t size);
void *arena_alloc_zero(struct arena *arena, size_t size);

/* An array with room for one item more behind `count`: `items` itself, or a copy of twice *size, at
 * least 16. NULL and a size of 0 are an empty one. */
void *arena_grow(struct arena *arena, void *items, uint32_t count, uint32_t *size,
                 size_t item_bytes);

/* Copies bytes; an absent span stays absent, an empty one stays empty. */
struct span arena_copy(struct arena *arena, struct span bytes);
/* Copies and ends with a NUL that the span's length does not count. */
char *arena_text(struct arena *arena, struct span bytes);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
