/* encode/encode_raw: a value byte for byte, a bytea as its bytes, SQL NULL as no bytes at all: a
 * tombstone, a null key. It is the only thing in the pipeline that may be large, so it is written
 * exactly once: decoded into the batch's arena, or copied there. It does not look into it. */
#include "encode/encode_raw.h"

#include "types/types.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

static bool is_bytea(const struct type *type)
{
    return type != NULL && type->base->text_form == TEXT_FORM_BYTEA;
}

/* The only place where such bytes may go, if the route says so. */
static int not_utf8(const struct cell *cell, struct arena *arena, struct error *err)
{
    struct rendering none;
    (void)types_render_text(cell, types_plain_text(), arena, &none, err);
    return error_hint(err, "value_encoding: bytes on the route sends values as they are");
}

/* Not inline: what is rare must not cost the texts a frame. */
__attribute__((noinline)) static int encode_cell(const struct content_cell *content,
                                                 struct arena *arena, struct span *bytes,
                                                 struct error *err)
{
    const struct cell *cell = &content->value;
    if (cell->kind == CELL_UNCHANGED)
        return error_data(err, REASON_VALUE_UNCHANGED,
                          "the server did not send it, because the change left it as it was");
    struct rendering made;
    if (cell->kind == CELL_BYTES)
        return not_utf8(cell, arena, err);
    const struct type *type = content->type != NULL ? content->type : types_plain_text();
    if (types_render_raw(cell, type, arena, &made, err) < 0)
        return -1;
    *bytes = rendering_keep(made, arena);
    return 0;
}

static int raw_encode(struct encoder *e, const struct content *content, struct arena *arena,
                      struct span *bytes, struct error *err)
{
    assert(e != NULL);
    switch (content->kind) {
    case CONTENT_CELL:
        /* Most by far. The text of anything but a bytea is its bytes. */
        if (content->cell.value.kind == CELL_TEXT && !is_bytea(content->cell.type)) {
            *bytes = arena_copy(arena, content->cell.value.bytes);
            return 0;
        }
        return encode_cell(&content->cell, arena, bytes, err);
    case CONTENT_JSON:
        *bytes = arena_copy(arena, content->json);
        return 0;
    case CONTENT_ROW:
    case CONTENT_CHANGE:
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
