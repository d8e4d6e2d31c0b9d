/* types_debezium: see types.h. By the form of the column's type in types.def a text goes
 * to the function that knows it; what a binary cell means is its text. A domain is what it is over.
 * It knows no option by its name. */
#include "types/types_array.h"
#include "types/types_debezium_internal.h"

#include <assert.h>

/* Of time, timetz, timestamp and timestamptz. */
static uint32_t fraction_digits(int32_t modifier)
{
    return modifier >= 0 && modifier <= 6 ? (uint32_t)modifier : 6;
}

static int write_bool(struct json_writer *w, struct span text, struct error *err)
{
    if (!span_equal_text(text, "t") && !span_equal_text(text, "f"))
        return types_bad_text(text, "a boolean", err);
    json_write_bool(w, text.ptr[0] == 't');
    return 0;
}

static int write_integer(struct json_writer *w, struct span text, struct error *err)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    bool digits = text.len > at && text.len - at <= 19;
    for (; at < text.len; at++)
        digits = digits && text.ptr[at] >= '0' && text.ptr[at] <= '9';
    if (!digits)
        return types_bad_text(text, "an integer", err);
    json_write_raw(w, text);
    return 0;
}

static const struct type *base_of(const struct column *column)
{
    return column->type != NULL ? column->type->base : types_unknown();
}

/* A range of PostgreSQL's own is its text. */
static enum debezium_form form_of(const struct type *base)
{
    switch (base->kind) {
    case TYPE_KIND_BASE:
    case TYPE_KIND_UNKNOWN:
        return base->debezium_form;
    case TYPE_KIND_ENUM:
        return DEBEZIUM_FORM_STRING;
    case TYPE_KIND_RANGE:
        return types_builtin(base->oid) != NULL ? DEBEZIUM_FORM_STRING : DEBEZIUM_FORM_UNKNOWN;
    default:
        return DEBEZIUM_FORM_UNKNOWN;
    }
}

static int write_bytea(struct json_writer *w, struct span text, enum debezium_binary mode,
                       struct arena *scratch, struct error *err)
{
    struct cell cell = {CELL_TEXT, text};
    struct rendering made;
    if (types_render_raw(&cell, types_builtin(TYPE_BYTEA), scratch, &made, err) < 0)
        return -1;
    types_debezium_bytes(w, made.bytes, mode, scratch);
    return 0;
}

/* Of types that people install; and the text of all others. */
static int write_extension(struct json_writer *w, struct span text, enum debezium_form form,
                           const struct debezium_modes *modes, struct arena *scratch,
                           struct error *err)
{
    switch (form) {
    case DEBEZIUM_FORM_HSTORE:
        return types_debezium_hstore(w, text, modes->hstore, scratch, err);
    case DEBEZIUM_FORM_GEOMETRY:
        return types_debezium_geometry(w, text, scratch, err);
    case DEBEZIUM_FORM_VECTOR:
    case DEBEZIUM_FORM_HALFVEC:
        return types_debezium_vector(w, text, form == DEBEZIUM_FORM_HALFVEC, err);
    case DEBEZIUM_FORM_SPARSEVEC:
        return types_debezium_sparse_vector(w, text, err);
    case DEBEZIUM_FORM_STRING:
        json_write_string(w, text);
        return 0;
    default:
        json_write_string(w, text);
        return 1;
    }
}

/* The forms that know no modifier. */
static int write_plain(struct json_writer *w, struct span text, enum debezium_form form,
                       const struct debezium_modes *modes, struct arena *scratch, struct error *err)
{
    switch (form) {
    case DEBEZIUM_FORM_BOOLEAN:
        return write_bool(w, text, err);
    case DEBEZIUM_FORM_INTEGER:
        return write_integer(w, text, err);
    case DEBEZIUM_FORM_FLOAT4:
    case DEBEZIUM_FORM_FLOAT8:
        return types_debezium_float(w, text, form == DEBEZIUM_FORM_FLOAT4, err);
    case DEBEZIUM_FORM_MONEY:
        return types_debezium_money(w, text, modes->money_fraction_digits, modes->decimal, scratch,
                                    err);
    case DEBEZIUM_FORM_BYTES:
        return write_bytea(w, text, modes->binary, scratch, err);
    case DEBEZIUM_FORM_DATE:
        return types_debezium_date(w, text, modes->time, err);
    case DEBEZIUM_FORM_TIMETZ:
        return types_debezium_timetz(w, text, err);
    case DEBEZIUM_FORM_INTERVAL:
        return types_debezium_interval(w, text, modes->interval, err);
    case DEBEZIUM_FORM_POINT:
        return types_debezium_point(w, text, scratch, err);
    default:
        return write_extension(w, text, form, modes, scratch, err);
    }
}

static int write_text(struct json_writer *w, struct span text, enum debezium_form form,
                      int32_t modifier, const struct debezium_modes *modes, struct arena *scratch,
                      struct error *err)
{
    uint32_t digits = fraction_digits(modifier);
    switch (form) {
    case DEBEZIUM_FORM_NUMERIC:
        return types_debezium_numeric(w, text, modifier, modes->decimal, scratch, err);
    case DEBEZIUM_FORM_BITS:
        return modifier == 1 ? types_debezium_bit(w, text, err)
                             : types_debezium_bits(w, text, scratch, err);
    case DEBEZIUM_FORM_TIME:
        return types_debezium_time(w, text, digits, modes->time, err);
    case DEBEZIUM_FORM_TIMESTAMP:
        return types_debezium_timestamp(w, text, digits, modes->time, err);
    case DEBEZIUM_FORM_TIMESTAMPTZ:
        return types_debezium_timestamptz(w, text, digits, err);
    default:
        return write_plain(w, text, form, modes, scratch, err);
    }
}

/* Nested arrays as they are nested. Returns 1 where an element did. */
static int write_array(struct json_writer *w, struct span text, const struct type *element,
                       int32_t modifier, const struct debezium_modes *modes, struct arena *scratch,
                       struct error *err)
{
    struct array_reader reader = array_reader(text, array_delimiter(element));
    enum debezium_form form = form_of(element);
    int counted = 0;
    for (;;) {
        struct span value;
        int wrote = 0;
        switch (array_reader_next(&reader, scratch, &value)) {
        case ARRAY_OPEN:
            json_write_begin_array(w);
            break;
        case ARRAY_CLOSE:
            json_write_end_array(w);
            break;
        case ARRAY_NULL:
            json_write_null(w);
            break;
        case ARRAY_ELEMENT:
            wrote = write_text(w, value, form, modifier, modes, scratch, err);
            break;
        case ARRAY_END:
            return counted;
        case ARRAY_BROKEN:
            return types_bad_text(text, "an array", err);
        }
        if (wrote < 0)
            return -1;
        counted |= wrote;
    }
}

/* Of bit strings in an array Debezium makes nothing that its own schema takes. */
static bool is_never_taken(const struct type *base, const struct debezium_modes *modes)
{
    return modes->compatible && base->kind == TYPE_KIND_ARRAY && base->element != NULL &&
           base->element->debezium_form == DEBEZIUM_FORM_BITS;
}

/* Which arrays Debezium writes: not those whose elements are domains, nor a handful of others that
 * it has as single values. */
static bool omits_array(const struct type *element)
{
    if (element == NULL || element->kind == TYPE_KIND_DOMAIN)
        return true;
    switch (element->debezium_form) {
    case DEBEZIUM_FORM_MONEY:
    case DEBEZIUM_FORM_INTERVAL:
    case DEBEZIUM_FORM_POINT:
        return true;
    default:
        break;
    }
    switch (element->oid) {
    case TYPE_NAME:
    case TYPE_XML:
    case TYPE_VARBIT:
        return true;
    default:
        return form_of(element) == DEBEZIUM_FORM_UNKNOWN;
    }
}

bool types_debezium_omits(const struct debezium_modes *modes, const struct column *column)
{
    assert(modes != NULL && column != NULL);
    const struct type *base = base_of(column);
    if (!modes->compatible)
        return false;
    if (base->kind == TYPE_KIND_ARRAY)
        return omits_array(base->element);
    return form_of(base) == DEBEZIUM_FORM_UNKNOWN;
}

/* A domain's own word; of an array it is the elements'. */
static int32_t modifier_of(const struct column *column)
{
    const struct type *type = column->type;
    if (type != NULL && type->kind == TYPE_KIND_DOMAIN)
        return type->modifier;
    if (type != NULL && type->element != NULL && type->element->kind == TYPE_KIND_DOMAIN)
        return type->element->modifier;
    return column->type_modifier;
}

/* A text that is no value of its type as it was understood (an interval that is infinite, money of
 * another locale): what was begun is taken back, and the text stands there. */
static int write_as_text(struct json_writer *w, const struct json_writer *begun, size_t len,
                         struct span text)
{
    *w = *begun;
    w->out->len = len;
    json_write_string(w, text);
    return 1;
}

static int write_cell(struct json_writer *w, const struct cell *cell, const struct column *column,
                      const struct debezium_modes *modes, struct arena *scratch, struct error *err)
{
    const struct type *base = base_of(column);
    if (cell->kind == CELL_NULL) {
        json_write_null(w);
        return 0;
    }
    if (cell->kind == CELL_UNCHANGED)
        return types_debezium_unchanged(w, base, form_of(base), modes, scratch);
    if (is_never_taken(base, modes)) {
        json_write_null(w);
        return 1;
    }
    struct rendering made;
    if (types_render_text(cell, base, scratch, &made, err) < 0)
        return -1;
    struct json_writer begun = *w;
    size_t len = w->out->len;
    int32_t modifier = modifier_of(column);
    int wrote = base->kind == TYPE_KIND_ARRAY && base->element != NULL
                    ? write_array(w, made.bytes, base->element->base, modifier, modes, scratch, err)
                    : write_text(w, made.bytes, form_of(base), modifier, modes, scratch, err);
    return wrote >= 0 ? wrote : write_as_text(w, &begun, len, made.bytes);
}

int types_debezium_write(struct json_writer *w, const struct cell *cell,
                         const struct column *column, const struct debezium_modes *modes,
                         struct arena *scratch, struct error *err)
{
    assert(w != NULL && column != NULL);
    assert(modes != NULL && err != NULL);
    enum json_escapes before = w->escapes;
    w->escapes = modes->header ? JSON_ESCAPES_HEADER : JSON_ESCAPES_JACKSON;
    int wrote = write_cell(w, cell, column, modes, scratch, err);
    w->escapes = before;
    return wrote;
}

void types_debezium_write_zero(struct json_writer *w, const struct column *column,
                               const struct debezium_modes *modes, struct arena *scratch)
{
    assert(w != NULL && column != NULL);
    const struct type *base = base_of(column);
    if (base->kind == TYPE_KIND_ARRAY)
        json_write_raw(w, SPAN_LITERAL("[]"));
    else
        types_debezium_zero_of(w, form_of(base), modifier_of(column), modes, scratch);
}
