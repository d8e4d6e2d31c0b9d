/* model/batch: see batch.h. Messages and arena are allocated once and kept; what a batch is full
 * of is decided by relay/seal, and its memory is counted, not limited, here. */
#include "model/batch.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH_CHUNK_BYTES (256 * 1024)

void batch_init(struct batch *batch, uint32_t capacity, size_t arena_keep_bytes)
{
    assert(capacity >= 1);
    *batch = (struct batch){.capacity = capacity};
    size_t keep = arena_keep_bytes > BATCH_CHUNK_BYTES ? arena_keep_bytes : BATCH_CHUNK_BYTES;
    arena_init(&batch->arena, BATCH_CHUNK_BYTES, keep);
    batch->messages = calloc(capacity, sizeof *batch->messages);
    if (batch->messages == NULL)
        abort();
}

void batch_fini(struct batch *batch)
{
    arena_fini(&batch->arena);
    free(batch->messages);
    *batch = (struct batch){.messages = NULL};
}

void batch_reset(struct batch *batch)
{
    struct arena arena = batch->arena;
    arena_reset(&arena);
    *batch =
        (struct batch){.arena = arena, .messages = batch->messages, .capacity = batch->capacity};
}

void batch_widen(struct batch *batch, uint32_t more)
{
    uint32_t capacity = batch->capacity;
    if (capacity - batch->count >= more)
        return;
    capacity += more > capacity ? more : capacity;
    struct message *grown = realloc(batch->messages, capacity * sizeof *grown);
    if (grown == NULL)
        abort();
    batch->messages = grown;
    batch->capacity = capacity;
}

struct message *batch_next(struct batch *batch)
{
    assert(batch->count < batch->capacity);
    struct message *message = &batch->messages[batch->count];
    *message = (struct message){.partition = -1};
    return message;
}

static size_t size_of(const struct message *message)
{
    size_t bytes = MESSAGE_OVERHEAD_BYTES + message->key.len + message->value.len;
    for (uint32_t i = 0; i < message->header_count; i++)
        bytes += HEADER_OVERHEAD_BYTES +
                 2 * (message->headers[i].name.len + message->headers[i].value.len);
    return message->letter != NULL ? bytes + size_of(message->letter) : bytes;
}

void batch_add(struct batch *batch)
{
    assert(batch->count < batch->capacity);
    assert(batch->messages[batch->count].topic.len > 0);
    batch->bytes += size_of(&batch->messages[batch->count]);
    batch->count++;
}

void batch_truncate(struct batch *batch, uint32_t count)
{
    assert(count <= batch->count);
    while (batch->count > count)
        batch->bytes -= size_of(&batch->messages[--batch->count]);
}
