/* types_json: a cell becomes a value of JSON, by the JSON form of its type in types.def. What has
 * none of its own is its text in a string: arrays, ranges, and whatever is not known. Numbers and
 * JSON are written as PostgreSQL printed them, digit for digit. */
#include "types/types_internal.h"

#include <assert.h>

/* NaN, Infinity and -Infinity are no numbers of JSON. */
static bool is_json_number(struct span text)
{
    return text.len > 0 && text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9';
}

static int write_bool(struct json_writer *w, struct span text, struct error *err)
{
    if (!span_equal_text(text, "t") && !span_equal_text(text, "f"))
        return types_bad_text(text, "a boolean", err);
    json_write_bool(w, text.ptr[0] == 't');
    return 0;
}

int types_write_json(struct json_writer *w, const struct cell *cell, const struct type *type,
                     struct arena *scratch, struct error *err)
{
    assert(w != NULL && cell->kind != CELL_UNCHANGED);
    assert(type != NULL && scratch != NULL);
    enum json_form form = type->base->json_form;
    struct rendering made;
    if (cell->kind == CELL_NULL) {
        json_write_null(w);
        return 0;
    }
    if (form == JSON_FORM_BASE64) {
        if (types_render_raw(cell, type, scratch, &made, err) < 0)
            return -1;
        json_write_string(w, types_base64(made.bytes, BASE64_STANDARD, scratch));
        return 0;
    }
    if (types_render_text(cell, type, scratch, &made, err) < 0)
        return -1;
    if (form == JSON_FORM_BOOLEAN)
        return write_bool(w, made.bytes, err);
    if (form == JSON_FORM_RAW || (form == JSON_FORM_NUMBER && is_json_number(made.bytes)))
        json_write_raw(w, made.bytes);
    else
        json_write_string(w, made.bytes);
    return 0;
}
