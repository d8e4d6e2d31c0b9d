/* types_debezium_mask: texts that are cut, hidden or hashed, as Debezium's column mappers do it:
 * what they are given is what would have been written, so a value that the server did not send is
 * its placeholder there, too. */
#include "types/types_debezium_internal.h"
#include "types/types_digest.h"

#include <assert.h>

/* How many bytes the first characters are, a character beyond U+FFFF counting as the two that it is
 * to Java; no half of one is left. */
static size_t cut(struct span text, uint64_t units)
{
    size_t at = 0;
    while (at < text.len && units > 0) {
        unsigned char lead = (unsigned char)text.ptr[at];
        size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        uint64_t takes = length == 4 ? 2 : 1;
        if (takes > units || at + length > text.len)
            break;
        units -= takes;
        at += length;
    }
    return at;
}

/* ---- Java's serialisation (Java Object Serialization Specification, 6.4) ---- */

/* Modified UTF-8: a character beyond U+FFFF is a pair of surrogates, three bytes each. */
static void add_modified(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char lead = (unsigned char)text.ptr[i];
        if (lead < 0xF0 || i + 3 >= text.len) {
            buf_add_char(out, text.ptr[i]);
            continue;
        }
        const unsigned char *p = (const unsigned char *)text.ptr + i;
        uint32_t point = ((uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
                          (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3FU)) -
                         0x10000;
        for (int half = 0; half < 2; half++) {
            uint32_t unit = half == 0 ? 0xD800 + (point >> 10) : 0xDC00 + (point & 0x3FF);
            buf_add_u8(out, (uint8_t)(0xE0 | unit >> 12));
            buf_add_u8(out, (uint8_t)(0x80 | (unit >> 6 & 0x3F)));
            buf_add_u8(out, (uint8_t)(0x80 | (unit & 0x3F)));
        }
        i += 3;
    }
}

/* STREAM_MAGIC, STREAM_VERSION, then TC_STRING with a length of two bytes or TC_LONGSTRING with one
 * of eight. */
static void add_serialised(struct buf *out, struct span text)
{
    struct buf modified = BUF_EMPTY;
    add_modified(&modified, text);
    buf_add_u32(out, 0xACED0005U);
    if (modified.len <= UINT16_MAX) {
        buf_add_u8(out, 0x74);
        buf_add_u16(out, (uint16_t)modified.len);
    } else {
        buf_add_u8(out, 0x7C);
        buf_add_u64(out, modified.len);
    }
    buf_add(out, buf_span(&modified));
    buf_fini(&modified);
}

/* ---- Values ---- */

static int write_hash(struct json_writer *w, struct span text, const struct debezium_mask *mask,
                      struct error *err)
{
    struct buf bytes = BUF_EMPTY;
    unsigned char digest[DIGEST_BYTES_MAX];
    char digits[2 * DIGEST_BYTES_MAX];
    buf_add(&bytes, mask->salt);
    if (mask->kind == DEBEZIUM_MASK_HASH)
        add_serialised(&bytes, text);
    else
        buf_add(&bytes, text);
    size_t length = digest_of(mask->digest, buf_span(&bytes), digest);
    buf_fini(&bytes);
    if (length == 0)
        return error_data(err, REASON_BAD_VALUE,
                          "OpenSSL, as it is configured here, has not the digest of "
                          "debezium.column_mask_hash");
    types_put_hex(digits, (const char *)digest, length);
    length *= 2;
    if (mask->length > 0 && length > mask->length)
        length = mask->length;
    json_write_string(w, (struct span){digits, length});
    return 0;
}

static void write_asterisks(struct json_writer *w, uint32_t count, struct arena *scratch)
{
    char *stars = arena_alloc_bytes(scratch, count + 1);
    memset(stars, '*', count);
    json_write_string(w, (struct span){stars, count});
}

bool types_debezium_may_mask(const struct column *column)
{
    const struct type *base = column->type != NULL ? column->type->base : types_unknown();
    if (base->kind == TYPE_KIND_ARRAY)
        return false;
    return base->debezium_form == DEBEZIUM_FORM_STRING ||
           base->debezium_form == DEBEZIUM_FORM_UNKNOWN;
}

uint32_t types_debezium_column_length(const struct column *column)
{
    const struct type *type = column->type;
    if (type == NULL || type->base == NULL)
        return 0;
    int32_t modifier = type->kind == TYPE_KIND_DOMAIN ? type->modifier : column->type_modifier;
    if (type->base->oid == TYPE_CHAR)
        return 1;
    bool has = type->base->oid == TYPE_BPCHAR || type->base->oid == TYPE_VARCHAR;
    return has && modifier > 4 ? (uint32_t)modifier - 4 : 0;
}

int types_debezium_write_masked(struct json_writer *w, const struct cell *cell,
                                const struct column *column, const struct debezium_mask *mask,
                                const struct debezium_modes *modes, struct arena *scratch,
                                struct error *err)
{
    struct rendering made = {.bytes = modes->unavailable};
    assert(w != NULL && mask->kind != DEBEZIUM_MASK_NONE && types_debezium_may_mask(column));
    enum json_escapes before = w->escapes;
    w->escapes = JSON_ESCAPES_JACKSON;
    if (mask->kind == DEBEZIUM_MASK_ASTERISKS)
        write_asterisks(w, mask->length, scratch);
    else if (cell->kind == CELL_NULL)
        json_write_null(w);
    else if (cell->kind != CELL_UNCHANGED &&
             types_render_text(cell, column->type != NULL ? column->type->base : types_unknown(),
                               scratch, &made, err) < 0)
        return -1;
    else if (mask->kind == DEBEZIUM_MASK_TRUNCATE)
        json_write_string(w, (struct span){made.bytes.ptr, cut(made.bytes, mask->length)});
    else if (write_hash(w, made.bytes, mask, err) < 0)
        return -1;
    w->escapes = before;
    return 0;
}
