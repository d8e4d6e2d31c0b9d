/* types_render: a cell becomes text or bytes. One function for each binary form; the forms are
 * those of the types' send functions (PostgreSQL, src/backend/utils/adt: boolsend, int8send,
 * uuid_send, jsonb_send, …). A domain is rendered as what it is over. Constants are copied too, so
 * that bytes are the arena's or the cell's and nothing else. */
#include "types/types_internal.h"

#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static struct span int_text(int64_t value, struct arena *arena)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    return arena_copy(arena, (struct span){digits, (size_t)length});
}

static struct span bytea_text(struct span bytes, struct arena *arena)
{
    char *out = arena_alloc_bytes(arena, 2 + 2 * bytes.len);
    out[0] = '\\';
    out[1] = 'x';
    types_put_hex(out + 2, bytes.ptr, bytes.len);
    return (struct span){out, 2 + 2 * bytes.len};
}

static struct span uuid_text(struct span bytes, struct arena *arena)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    char *out = arena_alloc_bytes(arena, 36);
    char *at = out;
    size_t from = 0;
    for (size_t i = 0; i < 5; i++) {
        if (i > 0)
            *at++ = '-';
        at = types_put_hex(at, bytes.ptr + from, groups[i]);
        from += groups[i];
    }
    return (struct span){out, 36};
}

/* INT64_MAX and INT64_MIN stand for the infinities. */
static struct span timestamp_text(int64_t since_2000_us, bool offset, struct arena *arena)
{
    if (since_2000_us == INT64_MAX)
        return arena_copy(arena, SPAN_LITERAL("infinity"));
    if (since_2000_us == INT64_MIN)
        return arena_copy(arena, SPAN_LITERAL("-infinity"));
    char text[TIMESTAMP_TEXT_MAX];
    size_t len = timestamp_format(since_2000_us, offset, text);
    return arena_copy(arena, (struct span){text, len});
}

/* jsonb_send puts a version, 1, before the text. */
static int jsonb_text(struct span bytes, struct span *text, struct error *err)
{
    if (bytes.len < 1 || bytes.ptr[0] != 1)
        return error_data(err, REASON_BAD_VALUE, "a binary jsonb of a version other than 1");
    *text = (struct span){bytes.ptr + 1, bytes.len - 1};
    return 0;
}

static int binary_text(struct span bytes, const struct type *base, struct arena *arena,
                       struct rendering *out, struct error *err)
{
    if (types_check_binary(bytes, base, err) < 0)
        return -1;
    *out = (struct rendering){.owner = OWNER_ARENA};
    switch (base->text_form) {
    case TEXT_FORM_BOOL:
        out->bytes = arena_copy(arena, bytes.ptr[0] != 0 ? SPAN_LITERAL("t") : SPAN_LITERAL("f"));
        return 0;
    case TEXT_FORM_INT:
        out->bytes = int_text(types_binary_int(bytes), arena);
        return 0;
    case TEXT_FORM_BYTEA:
        out->bytes = bytea_text(bytes, arena);
        return 0;
    case TEXT_FORM_UUID:
        out->bytes = uuid_text(bytes, arena);
        return 0;
    case TEXT_FORM_TIMESTAMP:
    case TEXT_FORM_TIMESTAMPTZ:
        out->bytes = timestamp_text(types_binary_int(bytes),
                                    base->text_form == TEXT_FORM_TIMESTAMPTZ, arena);
        return 0;
    case TEXT_FORM_JSONB:
        out->owner = OWNER_CELL;
        return jsonb_text(bytes, &out->bytes, err);
    case TEXT_FORM_SAME:
    case TEXT_FORM_NONE:
        break;
    }
    *out = (struct rendering){bytes, OWNER_CELL};
    return 0;
}

int types_not_utf8(struct span bytes, struct error *err)
{
    size_t at = 0;
    while (at < bytes.len && (unsigned char)bytes.ptr[at] < 0x80)
        at++;
    return error_data(err, REASON_NOT_UTF8,
                      "%zu bytes of text that are not UTF-8 (the first beyond ASCII is byte %zu, "
                      "0x%02x)",
                      bytes.len, at + 1, at < bytes.len ? (unsigned char)bytes.ptr[at] : 0);
}

int types_render_text(const struct cell *cell, const struct type *type, struct arena *arena,
                      struct rendering *out, struct error *err)
{
    assert(cell->kind != CELL_NULL && cell->kind != CELL_UNCHANGED);
    assert(type != NULL && out != NULL && err != NULL);
    if (cell->kind == CELL_BYTES)
        return types_not_utf8(cell->bytes, err);
    if (cell->kind == CELL_BINARY)
        return binary_text(cell->bytes, type->base, arena, out, err);
    *out = (struct rendering){cell->bytes, OWNER_CELL};
    return 0;
}

static int bytea_bytes(struct span text, struct arena *arena, struct span *bytes, struct error *err)
{
    if (!span_starts_with(text, SPAN_LITERAL("\\x")) ||
        !types_unhex((struct span){text.ptr + 2, text.len - 2}, arena, bytes))
        return types_bad_text(text, "a bytea in hexadecimal form", err);
    return 0;
}

int types_render_raw(const struct cell *cell, const struct type *type, struct arena *arena,
                     struct rendering *out, struct error *err)
{
    assert(cell->kind != CELL_UNCHANGED);
    assert(type != NULL && out != NULL && err != NULL);
    if (cell->kind == CELL_NULL) {
        *out = (struct rendering){span_null(), OWNER_ARENA};
        return 0;
    }
    if (type->base->text_form != TEXT_FORM_BYTEA)
        return types_render_text(cell, type, arena, out, err);
    if (cell->kind == CELL_TEXT) {
        out->owner = OWNER_ARENA;
        return bytea_bytes(cell->bytes, arena, &out->bytes, err);
    }
    *out = (struct rendering){cell->bytes, OWNER_CELL};
    return 0;
}

struct span rendering_keep(struct rendering rendering, struct arena *arena)
{
    if (rendering.owner == OWNER_ARENA)
        return rendering.bytes;
    return arena_copy(arena, rendering.bytes);
}
