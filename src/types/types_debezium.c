/* types_debezium: see types.h. By the form of the column's type in types.def a text goes
 * to the function that knows it; what a binary cell means is its text. A domain is what it is over.
 * It knows no option by its name. */
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

/* Returns what types_debezium_write returns. */
static int write_text(struct json_writer *w, struct span text, enum debezium_form form,
                      int32_t modifier, const struct debezium_modes *modes, struct error *err)
{
    uint32_t digits = fraction_digits(modifier);
    switch (form) {
    case DEBEZIUM_FORM_BOOLEAN:
        return write_bool(w, text, err);
    case DEBEZIUM_FORM_INTEGER:
        return write_integer(w, text, err);
    case DEBEZIUM_FORM_FLOAT4:
    case DEBEZIUM_FORM_FLOAT8:
        return types_debezium_float(w, text, form == DEBEZIUM_FORM_FLOAT4, err);
    case DEBEZIUM_FORM_DATE:
        return types_debezium_date(w, text, modes->time, err);
    case DEBEZIUM_FORM_TIME:
        return types_debezium_time(w, text, digits, modes->time, err);
    case DEBEZIUM_FORM_TIMETZ:
        return types_debezium_timetz(w, text, err);
    case DEBEZIUM_FORM_TIMESTAMP:
        return types_debezium_timestamp(w, text, digits, modes->time, err);
    case DEBEZIUM_FORM_TIMESTAMPTZ:
        return types_debezium_timestamptz(w, text, digits, err);
    case DEBEZIUM_FORM_STRING:
        json_write_string(w, text);
        return 0;
    default:
        json_write_string(w, text);
        return 1;
    }
}

bool types_debezium_omits(const struct debezium_modes *modes, const struct column *column)
{
    assert(modes != NULL && column != NULL);
    const struct type *base = base_of(column);
    return modes->compatible && base->kind == TYPE_KIND_BASE &&
           base->debezium_form == DEBEZIUM_FORM_UNKNOWN;
}

int types_debezium_write(struct json_writer *w, const struct cell *cell,
                         const struct column *column, const struct debezium_modes *modes,
                         struct arena *scratch, struct error *err)
{
    assert(w != NULL && column != NULL);
    assert(modes != NULL && err != NULL);
    if (cell->kind == CELL_NULL) {
        json_write_null(w);
        return 0;
    }
    if (cell->kind == CELL_UNCHANGED) {
        json_write_string(w, modes->unavailable);
        return 0;
    }
    const struct type *base = base_of(column);
    struct rendering made;
    if (types_render_text(cell, base, scratch, &made, err) < 0)
        return -1;
    enum debezium_form form =
        base->kind == TYPE_KIND_BASE ? base->debezium_form : DEBEZIUM_FORM_STRING;
    return write_text(w, made.bytes, form, column->type_modifier, modes, err);
}

void types_debezium_write_zero(struct json_writer *w, const struct column *column,
                               const struct debezium_modes *modes, struct arena *scratch)
{
    assert(w != NULL && column != NULL);
    assert(modes != NULL && scratch != NULL);
    switch (base_of(column)->debezium_form) {
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
    case DEBEZIUM_FORM_DATE:
    case DEBEZIUM_FORM_TIME:
    case DEBEZIUM_FORM_TIMESTAMP:
        if (modes->time != DEBEZIUM_TIME_ISOSTRING) {
            json_write_i64(w, 0);
            return;
        }
        json_write_text(w, "");
        return;
    case DEBEZIUM_FORM_TIMESTAMPTZ:
        json_write_text(w, "1970-01-01T00:00:00Z");
        return;
    default:
        json_write_text(w, "");
    }
}
