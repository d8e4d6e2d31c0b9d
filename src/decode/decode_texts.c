/* decode/decode_texts: see decode_texts.h. The content of a message is the database's own bytes
 * whatever the session speaks: the server converts all but that (logicalrep_write_message). */
#include "decode/decode_texts.h"

#include "types/types.h"

#include <assert.h>

#define TEXTS_CHUNK_BYTES (16 * (size_t)1024)

void texts_init(struct texts *texts, const struct text_encoding *encoding)
{
    assert(texts != NULL);
    *texts = (struct texts){.encoding = encoding, .by_us = text_encoding_reads(encoding)};
    arena_init(&texts->arena, TEXTS_CHUNK_BYTES, TEXTS_CHUNK_BYTES);
}

void texts_fini(struct texts *texts)
{
    assert(texts != NULL);
    arena_fini(&texts->arena);
}

void texts_reset(struct texts *texts)
{
    assert(texts->encoding != NULL || !texts->by_us);
    if (texts->encoding != NULL)
        arena_reset(&texts->arena);
}

bool texts_name(const struct texts *texts, struct span *name, struct arena *arena)
{
    assert(name != NULL && arena != NULL);
    return !texts->by_us || text_encoding_to_utf8(texts->encoding, *name, arena, name);
}

/* The row's cells are copied before the first that differs. */
static struct cell *different(struct texts *texts, struct row *row)
{
    if (row->raw == NULL) {
        struct cell *copy = arena_alloc(&texts->arena, row->count * sizeof *copy);
        memcpy(copy, row->cells, row->count * sizeof *copy);
        row->raw = row->cells;
        row->cells = copy;
    }
    return row->cells;
}

static void convert_row(struct texts *texts, struct row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        struct span bytes = row->cells[i].bytes, text;
        if (row->cells[i].kind != CELL_TEXT)
            continue;
        if (!text_encoding_to_utf8(texts->encoding, bytes, &texts->arena, &text))
            different(texts, row)[i].kind = CELL_BYTES;
        else if (text.ptr != bytes.ptr)
            different(texts, row)[i].bytes = text;
    }
}

void texts_convert(struct texts *texts, struct change *change)
{
    assert(change != NULL);
    if (texts->encoding == NULL)
        return;
    if (change->op == CHANGE_MESSAGE) {
        struct span *content = &change->message.content;
        (void)texts_name(texts, &change->message.prefix, &texts->arena);
        change->message.not_utf8 =
            !text_encoding_to_utf8(texts->encoding, *content, &texts->arena, content);
    } else if (texts->by_us) {
        convert_row(texts, &change->before);
        convert_row(texts, &change->after);
    }
}
