/* types_debezium_absent: what stands where there is no value: the placeholder of one that was not
 * sent because it did not change, and the zero of a column that must have one. */
#include "types/types_debezium_internal.h"

#include "types/types_digest.h"

#include <assert.h>

/* ---- Unchanged ---- */

static struct span bytes_of(const struct debezium_modes *modes)
{
    return modes->unavailable_bytes.ptr != NULL ? modes->unavailable_bytes : modes->unavailable;
}

static void write_codes(struct json_writer *w, struct span bytes)
{
    json_write_begin_array(w);
    for (size_t i = 0; i < bytes.len; i++)
        json_write_i64(w, (signed char)bytes.ptr[i]);
    json_write_end_array(w);
}

/* The UUID of that name (RFC 4122, version 3, without a name space). */
static void write_uuid(struct json_writer *w, struct span name)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    unsigned char digest[DIGEST_BYTES_MAX] = {0};
    digest_of(DEBEZIUM_DIGEST_MD5, name, digest);
    digest[6] = (unsigned char)((digest[6] & 0x0F) | 0x30);
    digest[8] = (unsigned char)((digest[8] & 0x3F) | 0x80);
    char text[36], *at = text;
    const char *from = (const char *)digest;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; from += groups[i++]) {
        if (i > 0)
            *at++ = '-';
        at = types_put_hex(at, from, groups[i]);
    }
    json_write_string(w, (struct span){text, sizeof text});
}

/* Debezium has no placeholder for it: null, which nothing tells from a NULL. Who need not be like
 * Debezium says that the value is not there. */
static int write_none(struct json_writer *w, bool array, const struct debezium_modes *modes)
{
    if (modes->compatible) {
        json_write_null(w);
        return 1;
    }
    if (array)
        json_write_begin_array(w);
    json_write_string(w, modes->unavailable);
    if (array)
        json_write_end_array(w);
    return 1;
}

static int write_unchanged_array(struct json_writer *w, const struct type *element,
                                 const struct debezium_modes *modes, struct arena *arena)
{
    bool days = modes->time != DEBEZIUM_TIME_ISOSTRING && modes->time != DEBEZIUM_TIME_CONNECT;
    switch (element->oid) {
    case TYPE_INT4:
    case TYPE_INT8:
        write_codes(w, bytes_of(modes));
        return 0;
    case TYPE_DATE:
        if (!days)
            return write_none(w, true, modes);
        write_codes(w, bytes_of(modes));
        return 0;
    case TYPE_BYTEA:
        if (modes->binary != DEBEZIUM_BINARY_BYTES)
            return write_none(w, true, modes);
        break;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_UUID:
        break;
    default:
        return write_none(w, true, modes);
    }
    json_write_begin_array(w);
    if (element->oid == TYPE_UUID)
        write_uuid(w, bytes_of(modes));
    else if (element->oid == TYPE_BYTEA)
        json_write_string(w, types_base64(bytes_of(modes), BASE64_STANDARD, arena));
    else
        json_write_string(w, modes->unavailable);
    json_write_end_array(w);
    return 0;
}

/* In base64 Debezium has none, in hex it is the text. */
static int write_unchanged_bytes(struct json_writer *w, const struct debezium_modes *modes,
                                 struct arena *arena)
{
    switch (modes->binary) {
    case DEBEZIUM_BINARY_BYTES:
        types_debezium_bytes(w, bytes_of(modes), modes->binary, arena);
        return 0;
    case DEBEZIUM_BINARY_HEX:
        json_write_string(w, modes->unavailable);
        return 0;
    default:
        return write_none(w, false, modes);
    }
}

int types_debezium_unchanged(struct json_writer *w, const struct type *base,
                             enum debezium_form form, const struct debezium_modes *modes,
                             struct arena *arena)
{
    assert(w != NULL && base != NULL && arena != NULL);
    struct span placeholder = modes->unavailable;
    if (base->kind == TYPE_KIND_ARRAY && base->element != NULL)
        return write_unchanged_array(w, base->element, modes, arena);
    switch (form) {
    case DEBEZIUM_FORM_BYTES:
        return write_unchanged_bytes(w, modes, arena);
    case DEBEZIUM_FORM_NUMERIC:
        if (modes->decimal != DEBEZIUM_DECIMAL_STRING)
            return write_none(w, false, modes);
        json_write_string(w, placeholder);
        return 0;
    case DEBEZIUM_FORM_HSTORE:
        types_debezium_hstore_pair(w, placeholder, placeholder, modes->hstore, arena);
        return 0;
    case DEBEZIUM_FORM_STRING:
        json_write_string(w, placeholder);
        return 0;
    default:
        return write_none(w, false, modes);
    }
}

/* ---- Zeros ---- */

static void write_zero_text(struct json_writer *w, bool text, const char *zero)
{
    if (text)
        json_write_text(w, zero);
    else
        json_write_i64(w, 0);
}

static void write_zero_time(struct json_writer *w, enum debezium_form form,
                            const struct debezium_modes *modes)
{
    bool iso = modes->time == DEBEZIUM_TIME_ISOSTRING;
    switch (form) {
    case DEBEZIUM_FORM_DATE:
        write_zero_text(w, iso, "1970-01-01Z");
        break;
    case DEBEZIUM_FORM_TIME:
        write_zero_text(w, iso, "00:00:00Z");
        break;
    case DEBEZIUM_FORM_TIMETZ:
        json_write_text(w, "00:00:00Z");
        break;
    case DEBEZIUM_FORM_TIMESTAMP:
        write_zero_text(w, iso, "1970-01-01T00:00:00Z");
        break;
    case DEBEZIUM_FORM_TIMESTAMPTZ:
        json_write_text(w, "1970-01-01T00:00:00Z");
        break;
    default:
        write_zero_text(w, modes->interval == DEBEZIUM_INTERVAL_STRING, "P0Y0M0DT0H0M0S");
    }
}

/* 0 with as many digits behind the point as the column has. */
static void write_zero_decimal(struct json_writer *w, enum debezium_form form, int32_t modifier,
                               const struct debezium_modes *modes, struct arena *arena)
{
    struct error err = ERROR_INIT;
    if (form == DEBEZIUM_FORM_NUMERIC) {
        struct span zero = types_debezium_zero(types_debezium_scale(modifier), arena);
        types_debezium_numeric(w, zero, modifier, modes->decimal, arena, &err);
        return;
    }
    struct span zero = types_debezium_zero((int32_t)modes->money_fraction_digits, arena);
    types_debezium_money(w, zero, modes->money_fraction_digits, modes->decimal, arena, &err);
}

void types_debezium_zero_of(struct json_writer *w, enum debezium_form form, int32_t modifier,
                            const struct debezium_modes *modes, struct arena *arena)
{
    assert(w != NULL && modes != NULL && arena != NULL);
    struct error err = ERROR_INIT;
    switch (form) {
    case DEBEZIUM_FORM_BOOLEAN:
        json_write_bool(w, false);
        return;
    case DEBEZIUM_FORM_INTEGER:
        json_write_i64(w, 0);
        return;
    case DEBEZIUM_FORM_FLOAT4:
    case DEBEZIUM_FORM_FLOAT8:
        json_write_raw(w, SPAN_LITERAL("0.0"));
        return;
    case DEBEZIUM_FORM_NUMERIC:
    case DEBEZIUM_FORM_MONEY:
        write_zero_decimal(w, form, modifier, modes, arena);
        return;
    case DEBEZIUM_FORM_BITS:
        if (modifier == 1)
            json_write_bool(w, false);
        else
            json_write_text(w, "");
        return;
    case DEBEZIUM_FORM_DATE:
    case DEBEZIUM_FORM_TIME:
    case DEBEZIUM_FORM_TIMETZ:
    case DEBEZIUM_FORM_TIMESTAMP:
    case DEBEZIUM_FORM_TIMESTAMPTZ:
    case DEBEZIUM_FORM_INTERVAL:
        write_zero_time(w, form, modes);
        return;
    case DEBEZIUM_FORM_POINT:
        types_debezium_point(w, SPAN_LITERAL("(0,0)"), arena, &err);
        return;
    case DEBEZIUM_FORM_HSTORE:
        types_debezium_hstore(w, SPAN_LITERAL(""), modes->hstore, arena, &err);
        return;
    case DEBEZIUM_FORM_GEOMETRY:
        types_debezium_geometry(w, SPAN_LITERAL("010700000000000000"), arena, &err);
        return;
    case DEBEZIUM_FORM_VECTOR:
    case DEBEZIUM_FORM_HALFVEC:
    case DEBEZIUM_FORM_SPARSEVEC:
        json_write_raw(w, SPAN_LITERAL("[]"));
        return;
    default:
        json_write_text(w, "");
    }
}
