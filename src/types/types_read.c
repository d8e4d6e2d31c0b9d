/* types_read: cells become what the program itself works with. A text may hold what its type does
 * not promise: a column of text with numbers in it is as good as one of integers. Nothing is
 * rounded. */
#include "types/types_internal.h"

#include "types/types_array.h"
#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>

/* An optional minus and 1 to 18 digits: no overflow is possible. */
static bool parse_int(struct span text, int64_t *value)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    size_t at = minus ? 1 : 0;
    int64_t sum = 0;
    if (text.len == at || text.len - at > 18)
        return false;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        sum = sum * 10 + (text.ptr[at] - '0');
    }
    *value = minus ? -sum : sum;
    return true;
}

static bool is_timestamp(const struct type *type)
{
    enum text_form form = type->base->text_form;
    return form == TEXT_FORM_TIMESTAMP || form == TEXT_FORM_TIMESTAMPTZ;
}

static bool is_int(const struct type *type)
{
    return type->base->text_form == TEXT_FORM_INT;
}

static int from_ms(int64_t ms, int64_t *unix_us, struct error *err)
{
    if (ms > INT64_MAX / 1000 || ms < INT64_MIN / 1000)
        return error_data(err, REASON_BAD_VALUE,
                          "%" PRId64 " milliseconds are beyond every timestamp", ms);
    *unix_us = ms * 1000;
    return 0;
}

int types_read_timestamp_us(const struct cell *cell, const struct type *type, int64_t *unix_us,
                            struct error *err)
{
    assert(cell->kind != CELL_NULL && cell->kind != CELL_UNCHANGED);
    assert(unix_us != NULL && err != NULL);
    if (cell->kind == CELL_BYTES)
        return types_not_utf8(cell->bytes, err);
    bool timestamp = is_timestamp(type);
    int64_t number;
    if (cell->kind == CELL_TEXT) {
        if (!timestamp && parse_int(cell->bytes, &number))
            return from_ms(number, unix_us, err);
        if (timestamp_parse(cell->bytes, unix_us))
            return 0;
        return types_bad_text(cell->bytes, "a timestamp", err);
    }
    if (!timestamp && !is_int(type))
        return error_data(err, REASON_BAD_VALUE, "type oid %" PRIu32 " is not a timestamp",
                          type->oid);
    if (types_check_binary(cell->bytes, type->base, err) < 0)
        return -1;
    number = types_binary_int(cell->bytes);
    if (!timestamp)
        return from_ms(number, unix_us, err);
    if (number == INT64_MIN || number == INT64_MAX)
        return error_data(err, REASON_BAD_VALUE, "\"%sinfinity\" is not a timestamp",
                          number < 0 ? "-" : "");
    if (number > INT64_MAX - POSTGRES_EPOCH_US)
        return error_data(err, REASON_BAD_VALUE, "a timestamp later than the year 294246");
    *unix_us = number + POSTGRES_EPOCH_US;
    return 0;
}

int types_read_int32(const struct cell *cell, const struct type *type, int32_t *value,
                     struct error *err)
{
    assert(cell->kind != CELL_NULL && cell->kind != CELL_UNCHANGED);
    assert(value != NULL && err != NULL);
    if (cell->kind == CELL_BYTES)
        return types_not_utf8(cell->bytes, err);
    int64_t number;
    if (cell->kind == CELL_TEXT) {
        if (!parse_int(cell->bytes, &number))
            return types_bad_text(cell->bytes, "an integer", err);
    } else {
        if (!is_int(type))
            return error_data(err, REASON_BAD_VALUE, "type oid %" PRIu32 " is not an integer",
                              type->oid);
        if (types_check_binary(cell->bytes, type->base, err) < 0)
            return -1;
        number = types_binary_int(cell->bytes);
    }
    if (number > INT32_MAX || number < INT32_MIN)
        return error_data(err, REASON_BAD_VALUE, "%" PRId64 " is beyond an integer of 32 bits",
                          number);
    *value = (int32_t)number;
    return 0;
}

static struct span *add_text(uint32_t *count, struct span **texts, struct arena *arena)
{
    if ((*count & (*count - 1)) == 0) { /* as many as there is room for */
        struct span *more = arena_alloc(arena, (2 * (size_t)*count + 1) * sizeof *more);
        if (*count > 0)
            memcpy(more, *texts, *count * sizeof *more);
        *texts = more;
    }
    return &(*texts)[(*count)++];
}

int types_read_texts(const struct cell *cell, const struct type *type, struct arena *arena,
                     uint32_t *count, struct span **texts, struct error *err)
{
    struct rendering made;
    assert(cell->kind != CELL_UNCHANGED && count != NULL && texts != NULL);
    *count = 0;
    *texts = NULL;
    if (cell->kind == CELL_NULL)
        return 0;
    if (types_render_text(cell, type, arena, &made, err) < 0)
        return -1;
    struct array_reader reader = array_reader(made.bytes, ',');
    for (;;) {
        struct span element;
        switch (array_reader_next(&reader, arena, &element)) {
        case ARRAY_OPEN:
            if (reader.depth > 1)
                return types_bad_text(made.bytes, "an array of one dimension", err);
            break;
        case ARRAY_CLOSE:
            break;
        case ARRAY_NULL:
            *add_text(count, texts, arena) = span_null();
            break;
        case ARRAY_ELEMENT:
            *add_text(count, texts, arena) = element;
            break;
        case ARRAY_END:
            return 0;
        case ARRAY_BROKEN:
            return types_bad_text(made.bytes, "an array", err);
        }
    }
}
