/* encode/encode_raw: a value byte for byte, a bytea as its bytes, SQL NULL as no bytes at all: a
 * tombstone, a null key. It is the only thing in the pipeline that may be large, so it is written
 * exactly once: decoded into the batch's arena, or copied there. It does not look into it. */
#include "encode/encode_raw.h"

#include "types/types.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

/* Does the span lie within the cell that it was made from (and not in the arena)? */
static bool lies_in(struct span bytes, struct span cell)
{
    uintptr_t at = (uintptr_t)bytes.ptr, first = (uintptr_t)cell.ptr;
    return at >= first && at <= first + cell.len;
}

static bool is_literal(const struct cell *cell, uint32_t type_oid)
{
    return cell->kind == CELL_BINARY && type_oid != TYPE_BYTEA;
}

static int encode_cell(const struct content_cell *content, struct arena *arena, struct span *bytes,
                       struct error *err)
{
    const struct cell *cell = &content->value;
    if (cell->kind == CELL_UNCHANGED)
        return error_data(err, REASON_VALUE_UNCHANGED,
                          "the server did not send it, because the change left it as it was");
    struct span made;
    if (types_raw(cell, content->type_oid, arena, &made, err) < 0)
        return -1;
    /* The text of a binary cell may be a constant of types/. */
    if (made.ptr != NULL && (lies_in(made, cell->bytes) || is_literal(cell, content->type_oid)))
        made = arena_copy(arena, made);
    *bytes = made;
    return 0;
}

static int raw_encode(struct encoder *e, const struct content *content, struct arena *arena,
                      struct span *bytes, struct error *err)
{
    assert(e != NULL);
    switch (content->kind) {
    case CONTENT_CELL:
        /* Most by far. The text of anything but a bytea is its bytes. */
        if (content->cell.value.kind == CELL_TEXT && content->cell.type_oid != TYPE_BYTEA) {
            *bytes = arena_copy(arena, content->cell.value.bytes);
            return 0;
        }
        return encode_cell(&content->cell, arena, bytes, err);
    case CONTENT_JSON:
        *bytes = arena_copy(arena, content->json);
        return 0;
    case CONTENT_ROW:
        break;
    }
    return error_data(err, REASON_BAD_VALUE,
                      "a whole row has no form of its own: raw is for one value");
}

static void raw_close(struct encoder *e)
{
    free(e);
}

struct encoder *encoder_raw(void)
{
    static const struct encoder_ops ops = {.name = "raw", .encode = raw_encode, .close = raw_close};
    struct encoder *encoder = malloc(sizeof *encoder);
    if (encoder == NULL)
        abort();
    encoder->ops = &ops;
    return encoder;
}
