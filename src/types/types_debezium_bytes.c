/* types_debezium_bytes: what Debezium makes of bytes: a bytea, a bit string, a point's WKB. */
#include "types/types_debezium_internal.h"

#include <assert.h>
#include <stdlib.h>

static struct span hex(struct span bytes, struct arena *arena)
{
    char *out = arena_alloc_bytes(arena, 2 * bytes.len);
    types_put_hex(out, bytes.ptr, bytes.len);
    return (struct span){out, 2 * bytes.len};
}

void types_debezium_bytes(struct json_writer *w, struct span bytes, enum debezium_binary mode,
                          struct arena *arena)
{
    assert(w != NULL && bytes.ptr != NULL);
    if (mode == DEBEZIUM_BINARY_HEX)
        json_write_string(w, hex(bytes, arena));
    else if (mode == DEBEZIUM_BINARY_BASE64_URL_SAFE)
        json_write_string(w, types_base64(bytes, BASE64_URL, arena));
    else
        json_write_string(w, types_base64(bytes, BASE64_STANDARD, arena));
}

int types_debezium_bit(struct json_writer *w, struct span text, struct error *err)
{
    assert(w != NULL && err != NULL);
    if (text.len == 0) {
        json_write_null(w); /* of varbit(1): neither is it true nor false */
        return 1;
    }
    bool one = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0' && text.ptr[i] != '1')
            return types_bad_text(text, "a bit string", err);
        one = one || text.ptr[i] == '1';
    }
    json_write_bool(w, one);
    return 0;
}

/* The last bit of the text is the lowest of the first byte; bytes above the highest 1 are none. */
int types_debezium_bits(struct json_writer *w, struct span text, struct arena *arena,
                        struct error *err)
{
    assert(w != NULL && err != NULL);
    size_t size = text.len / 8 + 1, used = 0;
    char *bytes = arena_alloc_bytes(arena, size);
    memset(bytes, 0, size);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[text.len - 1 - i];
        if (c != '0' && c != '1')
            return types_bad_text(text, "a bit string", err);
        if (c == '1') {
            bytes[i / 8] = (char)(unsigned char)((unsigned char)bytes[i / 8] | 1U << i % 8);
            used = i / 8 + 1;
        }
    }
    json_write_string(w, types_base64((struct span){bytes, used}, BASE64_STANDARD, arena));
    return 0;
}

/* ---- Points ---- */

/* A little-endian double, as WKB has it. */
static void put_double(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < 8; i++)
        out[i] = (char)(unsigned char)(bits >> 8 * i);
}

static bool take_double(const char **at, const char *end, char stop, struct span *text,
                        double *value)
{
    const char *first = *at;
    while (*at < end && **at != stop)
        (*at)++;
    char digits[64];
    *text = (struct span){first, (size_t)(*at - first)};
    if (*at == end || text->len == 0 || text->len >= sizeof digits)
        return false;
    memcpy(digits, first, text->len);
    digits[text->len] = '\0';
    char *behind = NULL;
    *value = strtod(digits, &behind);
    (*at)++;
    return *behind == '\0';
}

/* WKB of a point: byte order 1, type 1, x, y. */
int types_debezium_point(struct json_writer *w, struct span text, struct arena *arena,
                         struct error *err)
{
    assert(w != NULL && err != NULL);
    const char *at = text.ptr + 1, *end = text.ptr + text.len;
    struct span x, y;
    double x_value, y_value;
    if (text.len < 5 || text.ptr[0] != '(' || !take_double(&at, end, ',', &x, &x_value) ||
        !take_double(&at, end, ')', &y, &y_value) || at != end)
        return types_bad_text(text, "a point", err);
    char wkb[21] = {1, 1, 0, 0, 0};
    put_double(wkb + 5, x_value);
    put_double(wkb + 13, y_value);
    json_write_begin_object(w);
    json_write_name(w, "x");
    int failed = types_debezium_float(w, x, false, err);
    json_write_name(w, "y");
    failed |= types_debezium_float(w, y, false, err);
    json_write_member_string(w, "wkb",
                             types_base64((struct span){wkb, sizeof wkb}, BASE64_STANDARD, arena));
    json_write_member_null(w, "srid");
    json_write_end_object(w);
    return failed;
}
