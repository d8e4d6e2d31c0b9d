/* types_debezium_vector: PostGIS' geometries and pgvector's vectors as Debezium writes them. Their
 * texts are hexadecimal EWKB, "[1,2.5]" and "{1:0.5,3:2}/5". */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <stdlib.h>

#define EWKB_HAS_SRID 0x20000000U

static uint32_t ewkb_u32(const unsigned char *bytes, bool little)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++)
        value = value << 8 | bytes[little ? 3 - i : i];
    return value;
}

int types_debezium_geometry(struct json_writer *w, struct span text, struct arena *arena,
                            struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    struct span ewkb;
    if (!types_unhex(text, arena, &ewkb) || ewkb.len < 9)
        return types_bad_text(text, "a geometry in hexadecimal form", err);
    const unsigned char *bytes = (const unsigned char *)ewkb.ptr;
    bool little = bytes[0] != 0;
    json_write_begin_object(w);
    json_write_member_string(w, "wkb", types_base64(ewkb, BASE64_STANDARD, arena));
    if ((ewkb_u32(bytes + 1, little) & EWKB_HAS_SRID) != 0)
        json_write_member_i64(w, "srid", (int32_t)ewkb_u32(bytes + 5, little));
    else
        json_write_member_null(w, "srid");
    json_write_end_object(w);
    return 0;
}

/* What stands before the next stop, and the stop itself. */
static struct span take_until(struct span *rest, char stop)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != stop)
        len++;
    struct span part = {rest->ptr, len};
    size_t used = len < rest->len ? len + 1 : len;
    rest->ptr += used;
    rest->len -= used;
    return part;
}

int types_debezium_vector(struct json_writer *w, struct span text, bool is_halfvec,
                          struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    if (text.len < 3 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return types_bad_text(text, "a vector", err);
    struct span rest = {text.ptr + 1, text.len - 2};
    json_write_begin_array(w);
    while (rest.len > 0)
        if (types_debezium_float(w, take_until(&rest, ','), is_halfvec, err) < 0)
            return -1;
    json_write_end_array(w);
    return 0;
}

/* ---- Sparse vectors ---- */

/* Digits alone, as many as fit. */
static bool small_number(struct span text, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *value = *value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.len <= 9;
}

/* In the order of their text: Java's order by the bits of small indices is that one, too, as long
 * as there are fewer than its buckets. */
static int write_pairs(struct json_writer *w, struct span rest, struct error *err)
{
    json_write_begin_array(w);
    while (rest.len > 0) {
        struct span value = take_until(&rest, ',');
        struct span index = take_until(&value, ':');
        uint32_t number;
        if (!small_number(index, &number))
            return types_bad_text(index, "an index of a sparse vector", err);
        json_write_begin_array(w);
        json_write_u64(w, number);
        if (types_debezium_float(w, value, false, err) < 0)
            return -1;
        json_write_end_array(w);
    }
    json_write_end_array(w);
    return 0;
}

int types_debezium_sparse_vector(struct json_writer *w, struct span text, struct error *err)
{
    assert(w != NULL && text.ptr != NULL);
    struct span dimensions = text;
    struct span pairs = take_until(&dimensions, '/');
    uint32_t count;
    if (!small_number(dimensions, &count) || pairs.len < 2 || pairs.ptr[0] != '{' ||
        pairs.ptr[pairs.len - 1] != '}')
        return types_bad_text(text, "a sparse vector", err);
    json_write_begin_object(w);
    json_write_member_u64(w, "dimensions", count);
    json_write_name(w, "vector");
    if (write_pairs(w, (struct span){pairs.ptr + 1, pairs.len - 2}, err) < 0)
        return -1;
    json_write_end_object(w);
    return 0;
}
