/* base/arena: chunks are a singly linked chain; `current` is the one being filled and everything
 * behind it is empty. A chunk that is too small for a request is passed over, not split. Nothing is
 * freed alone. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t chunk_bytes, size_t keep_bytes)
{
    assert(chunk_bytes >= 64);
    assert(keep_bytes >= chunk_bytes);
    *arena = (struct arena){.chunk_bytes = chunk_bytes, .keep_bytes = keep_bytes};
}

static void free_chain(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_fini(struct arena *arena)
{
    free_chain(arena->first);
    arena->first = NULL;
    arena->current = NULL;
    arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    size_t kept = 0;
    struct arena_chunk **link = &arena->first;
    while (*link != NULL && kept + (*link)->size <= arena->keep_bytes) {
        (*link)->used = 0;
        kept += (*link)->size;
        link = &(*link)->next;
    }
    free_chain(*link);
    *link = NULL;
    arena->current = arena->first;
    arena->used_bytes = 0;
}

static struct arena_chunk *new_chunk(size_t size)
{
    assert(size < SIZE_MAX / 2);
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        abort();
    chunk->next = NULL;
    chunk->size = size;
    chunk->used = 0;
    return chunk;
}

/* The first chunk from `current` on with room, or a new one behind it. */
static struct arena_chunk *chunk_with_room(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->current;
    while (chunk != NULL && chunk->size - chunk->used < size && chunk->next != NULL)
        chunk = chunk->next;
    if (chunk != NULL && chunk->size - chunk->used >= size) {
        arena->current = chunk;
        return chunk;
    }
    struct arena_chunk *fresh = new_chunk(size > arena->chunk_bytes ? size : arena->chunk_bytes);
    if (chunk == NULL)
        arena->first = fresh;
    else
        chunk->next = fresh;
    arena->current = fresh;
    return fresh;
}

char *arena_alloc_bytes(struct arena *arena, size_t size)
{
    assert(arena->chunk_bytes > 0);
    struct arena_chunk *chunk = arena->current;
    if (chunk == NULL || chunk->size - chunk->used < size)
        chunk = chunk_with_room(arena, size);
    char *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->used_bytes += size;
    return bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    assert(size < SIZE_MAX / 2);
    struct arena_chunk *chunk = arena->current;
    size_t padding = chunk == NULL ? 0 : (align - chunk->used % align) % align;
    if (chunk == NULL || chunk->size - chunk->used < padding + size) {
        chunk = chunk_with_room(arena, size + align);
        padding = (align - chunk->used % align) % align;
    }
    chunk->used += padding;
    char *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->used_bytes += padding + size;
    return bytes;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_grow(struct arena *arena, void *items, uint32_t count, uint32_t *size,
                 size_t item_bytes)
{
    assert(count <= *size);
    if (count < *size)
        return items;
    *size = *size == 0 ? 16 : *size * 2;
    void *made = arena_alloc(arena, *size * item_bytes);
    if (count > 0)
        memcpy(made, items, count * item_bytes);
    return made;
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
    if (bytes.ptr == NULL)
        return span_null();
    char *copy = arena_alloc_bytes(arena, bytes.len);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return (struct span){copy, bytes.len};
}

char *arena_text(struct arena *arena, struct span bytes)
{
    char *copy = arena_alloc_bytes(arena, bytes.len + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    char *text = arena_alloc_bytes(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
