/* types_render: a cell becomes text or bytes. One function for each kind of binary form; the forms
 * are those of the types' send functions (PostgreSQL, src/backend/utils/adt: boolsend, int8send,
 * uuid_send, jsonb_send, …). A domain is rendered as what it is over. Constants are copied too, so
 * that bytes are the arena's or the cell's and nothing else. */
#include "types/types_internal.h"

#include "types/types_array.h"
#include "types/types_text.h"
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

/* double_from of float8send. */
static double float_value(struct span bytes)
{
    uint64_t bits = (uint64_t)types_binary_int(bytes);
    if (bytes.len == sizeof(float)) {
        uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static struct span part(struct span bytes, size_t from, size_t len)
{
    return (struct span){bytes.ptr + from, len};
}

/* x and y: "(1,2.5)". */
static struct span point_text(struct span bytes, struct arena *arena)
{
    struct span x = types_binary_float(float_value(part(bytes, 0, 8)), false, arena);
    struct span y = types_binary_float(float_value(part(bytes, 8, 8)), false, arena);
    return span_of(arena_format(arena, "(%.*s,%.*s)", SPAN_ARG(x), SPAN_ARG(y)));
}

/* How many bits, then the bits, the first one highest. */
static int bits_text(struct span bytes, struct arena *arena, struct span *text, struct error *err)
{
    int64_t count = bytes.len >= 4 ? types_binary_int(part(bytes, 0, 4)) : -1;
    if (count < 0 || bytes.len - 4 != ((size_t)count + 7) / 8)
        return error_data(err, REASON_BAD_VALUE, "a binary bit string of %zu bytes", bytes.len);
    char *out = arena_alloc_bytes(arena, (size_t)count);
    for (size_t i = 0; i < (size_t)count; i++)
        out[i] = ((unsigned char)bytes.ptr[4 + i / 8] >> (7 - i % 8) & 1) != 0 ? '1' : '0';
    *text = (struct span){out, (size_t)count};
    return 0;
}

static struct span number_text(struct span bytes, const struct type *base, struct arena *arena)
{
    int64_t value = types_binary_int(bytes);
    switch (base->text_form) {
    case TEXT_FORM_BOOL:
        return arena_copy(arena, value != 0 ? SPAN_LITERAL("t") : SPAN_LITERAL("f"));
    case TEXT_FORM_OID:
        return span_of(arena_format(arena, "%" PRIu64,
                                    bytes.len == 4 ? (uint64_t)(uint32_t)value : (uint64_t)value));
    case TEXT_FORM_FLOAT4:
    case TEXT_FORM_FLOAT8:
        return types_binary_float(float_value(bytes), base->text_form == TEXT_FORM_FLOAT4, arena);
    case TEXT_FORM_MONEY:
        return types_binary_money(value, arena);
    default:
        return int_text(value, arena);
    }
}

static struct span time_text(struct span bytes, const struct type *base, struct arena *arena)
{
    int64_t first = types_binary_int(part(bytes, 0, bytes.len < 8 ? 4 : 8));
    switch (base->text_form) {
    case TEXT_FORM_DATE:
        return types_binary_date((int32_t)first, arena);
    case TEXT_FORM_TIME:
        return types_binary_time(first, arena);
    case TEXT_FORM_TIMETZ:
        return types_binary_timetz(first, (int32_t)types_binary_int(part(bytes, 8, 4)), arena);
    case TEXT_FORM_INTERVAL:
        return types_binary_interval(first, (int32_t)types_binary_int(part(bytes, 8, 4)),
                                     (int32_t)types_binary_int(part(bytes, 12, 4)), arena);
    default:
        return timestamp_text(first, base->text_form == TEXT_FORM_TIMESTAMPTZ, arena);
    }
}

/* The bytes are as many as the type has. */
static int base_text(struct span bytes, const struct type *base, struct arena *arena,
                     struct rendering *out, struct error *err)
{
    *out = (struct rendering){.owner = OWNER_ARENA};
    switch (base->text_form) {
    case TEXT_FORM_BOOL:
    case TEXT_FORM_INT:
    case TEXT_FORM_OID:
    case TEXT_FORM_FLOAT4:
    case TEXT_FORM_FLOAT8:
    case TEXT_FORM_MONEY:
        out->bytes = number_text(bytes, base, arena);
        return 0;
    case TEXT_FORM_DATE:
    case TEXT_FORM_TIME:
    case TEXT_FORM_TIMETZ:
    case TEXT_FORM_TIMESTAMP:
    case TEXT_FORM_TIMESTAMPTZ:
    case TEXT_FORM_INTERVAL:
        out->bytes = time_text(bytes, base, arena);
        return 0;
    case TEXT_FORM_NUMERIC:
        return types_binary_numeric(bytes, arena, &out->bytes, err);
    case TEXT_FORM_BITS:
        return bits_text(bytes, arena, &out->bytes, err);
    case TEXT_FORM_INET:
        return types_binary_inet(bytes, arena, &out->bytes, err);
    case TEXT_FORM_MACADDR:
        out->bytes = types_binary_macaddr(bytes, arena);
        return 0;
    case TEXT_FORM_POINT:
        out->bytes = point_text(bytes, arena);
        return 0;
    case TEXT_FORM_BYTEA:
        out->bytes = bytea_text(bytes, arena);
        return 0;
    case TEXT_FORM_UUID:
        out->bytes = uuid_text(bytes, arena);
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

/* ---- What is made of others ---- */

/* Takes a length of four bytes and so many bytes; -1 is NULL, an absent span. */
static bool take_value(struct span *rest, struct span *value)
{
    if (rest->len < 4)
        return false;
    int64_t len = types_binary_int(part(*rest, 0, 4));
    if (len < -1 || (len > 0 && (uint64_t)len > rest->len - 4))
        return false;
    *value = len < 0 ? span_null() : part(*rest, 4, (size_t)len);
    size_t used = 4 + (len > 0 ? (size_t)len : 0);
    *rest = part(*rest, used, rest->len - used);
    return true;
}

static int bad_made(const char *what, struct span bytes, struct error *err)
{
    return error_data(err, REASON_BAD_VALUE, "a binary %s of %zu bytes", what, bytes.len);
}

enum { RANGE_EMPTY = 1, LOWER_IN = 2, UPPER_IN = 4, LOWER_OPEN = 8, UPPER_OPEN = 16 };

/* Flags, then the bounds that there are. */
static int add_range(struct types_text *text, struct span bytes, const struct type *of,
                     struct error *err)
{
    if (bytes.len == 0)
        return bad_made("range", bytes, err);
    unsigned flags = (unsigned char)bytes.ptr[0];
    struct span rest = part(bytes, 1, bytes.len - 1), value;
    if ((flags & RANGE_EMPTY) != 0) {
        text_add(text, SPAN_LITERAL("empty"));
        return 0;
    }
    text_add_char(text, (flags & LOWER_IN) != 0 ? '[' : '(');
    for (int upper = 0; upper < 2; upper++) {
        struct rendering bound;
        if (upper == 1)
            text_add_char(text, ',');
        if ((flags & (upper == 1 ? UPPER_OPEN : LOWER_OPEN)) != 0)
            continue;
        if (!take_value(&rest, &value) || value.ptr == NULL)
            return bad_made("range", bytes, err);
        if (types_check_binary(value, of->base, err) < 0 ||
            base_text(value, of->base, text->arena, &bound, err) < 0)
            return -1;
        text_add_bound(text, bound.bytes);
    }
    text_add_char(text, (flags & UPPER_IN) != 0 ? ']' : ')');
    return rest.len == 0 ? 0 : bad_made("range", bytes, err);
}

static int add_multirange(struct types_text *text, struct span bytes, const struct type *range,
                          struct error *err)
{
    int64_t count = bytes.len >= 4 ? types_binary_int(part(bytes, 0, 4)) : -1;
    struct span rest = part(bytes, 4, bytes.len >= 4 ? bytes.len - 4 : 0), value;
    text_add_char(text, '{');
    for (int64_t i = 0; i < count; i++) {
        if (i > 0)
            text_add_char(text, ',');
        if (!take_value(&rest, &value) || value.ptr == NULL)
            return bad_made("multirange", bytes, err);
        if (add_range(text, value, range->element, err) < 0)
            return -1;
    }
    text_add_char(text, '}');
    return count >= 0 && rest.len == 0 ? 0 : bad_made("multirange", bytes, err);
}

/* All but arrays. */
static int single_text(struct span bytes, const struct type *base, struct arena *arena,
                       struct rendering *out, struct error *err)
{
    struct types_text text = {.arena = arena};
    int failed = 0;
    switch (base->kind) {
    case TYPE_KIND_ENUM:
        *out = (struct rendering){bytes, OWNER_CELL};
        return 0;
    case TYPE_KIND_RANGE:
        failed = add_range(&text, bytes, base->element, err);
        break;
    case TYPE_KIND_MULTIRANGE:
        failed = add_multirange(&text, bytes, base->element, err);
        break;
    default:
        return types_check_binary(bytes, base, err) < 0 ? -1
                                                        : base_text(bytes, base, arena, out, err);
    }
    *out = (struct rendering){{text.ptr, text.len}, OWNER_ARENA};
    return failed;
}

/* ---- Arrays ---- */

enum { DIMENSIONS_MAX = 6, ARRAY_HEADER_BYTES = 12 };

struct dimensions {
    int count;
    int64_t size[DIMENSIONS_MAX];
    int64_t lower[DIMENSIONS_MAX];
    int64_t elements;
};

static bool take_dimensions(struct span *rest, struct dimensions *d)
{
    if (rest->len < ARRAY_HEADER_BYTES)
        return false;
    int64_t count = types_binary_int(part(*rest, 0, 4));
    if (count < 0 || count > DIMENSIONS_MAX || rest->len < ARRAY_HEADER_BYTES + 8 * (size_t)count)
        return false;
    d->count = (int)count;
    d->elements = count > 0;
    for (int i = 0; i < d->count; i++) {
        size_t at = ARRAY_HEADER_BYTES + 8 * (size_t)i;
        d->size[i] = types_binary_int(part(*rest, at, 4));
        d->lower[i] = types_binary_int(part(*rest, at + 4, 4));
        if (d->size[i] < 1 || d->size[i] > (int64_t)rest->len)
            return false;
        d->elements *= d->size[i];
    }
    size_t used = ARRAY_HEADER_BYTES + 8 * (size_t)count;
    *rest = part(*rest, used, rest->len - used);
    return d->elements <= (int64_t)rest->len;
}

/* "[0:1][3:4]=", where one does not begin with 1. */
static void add_bounds(struct types_text *text, const struct dimensions *d)
{
    bool plain = true;
    for (int i = 0; i < d->count; i++)
        plain = plain && d->lower[i] == 1;
    for (int i = 0; i < d->count && !plain; i++)
        text_add(text, span_of(arena_format(text->arena, "[%" PRId64 ":%" PRId64 "]", d->lower[i],
                                            d->lower[i] + d->size[i] - 1)));
    if (!plain)
        text_add_char(text, '=');
}

/* How many of the innermost dimensions begin, or end, with that element. */
static int brackets(const struct dimensions *d, int64_t element)
{
    int count = 0;
    for (int64_t block = 1; count < d->count; count++) {
        block *= d->size[d->count - 1 - count];
        if (element % block != 0)
            break;
    }
    return count;
}

static void add_repeated(struct types_text *text, char c, int count)
{
    for (int i = 0; i < count; i++)
        text_add_char(text, c);
}

static int add_element(struct types_text *text, struct span *rest, const struct type *element,
                       struct error *err)
{
    struct span value;
    struct rendering made;
    if (!take_value(rest, &value))
        return bad_made("array", *rest, err);
    if (value.ptr == NULL) {
        text_add(text, SPAN_LITERAL("NULL"));
        return 0;
    }
    if (single_text(value, element, text->arena, &made, err) < 0)
        return -1;
    text_add_element(text, made.bytes, array_delimiter(element));
    return 0;
}

static int array_text(struct span bytes, const struct type *element, struct arena *arena,
                      struct rendering *out, struct error *err)
{
    struct types_text text = {.arena = arena};
    struct dimensions d;
    struct span rest = bytes;
    if (!take_dimensions(&rest, &d))
        return bad_made("array", bytes, err);
    add_bounds(&text, &d);
    if (d.count == 0)
        text_add(&text, SPAN_LITERAL("{}"));
    for (int64_t i = 0; i < d.elements; i++) {
        int opened = brackets(&d, i);
        if (i > 0)
            text_add_char(&text, array_delimiter(element));
        add_repeated(&text, '{', opened);
        if (add_element(&text, &rest, element, err) < 0)
            return -1;
        add_repeated(&text, '}', brackets(&d, i + 1));
    }
    *out = (struct rendering){{text.ptr, text.len}, OWNER_ARENA};
    return rest.len == 0 ? 0 : bad_made("array", bytes, err);
}

static int binary_text(struct span bytes, const struct type *base, struct arena *arena,
                       struct rendering *out, struct error *err)
{
    if (base->kind == TYPE_KIND_ARRAY && base->element != NULL)
        return array_text(bytes, base->element->base, arena, out, err);
    return single_text(bytes, base, arena, out, err);
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
