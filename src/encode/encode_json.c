/* encode/encode_json: a content as JSON: a cell by the JSON form of its type, a row as an object of
 * its columns, JSON as it stands. A NULL is no bytes: a tombstone. json_string puts the same text
 * into a string of JSON, for consumers that read a string and parse it themselves. */
#include "encode/encode_json.h"

#include "types/types.h"

#include <assert.h>
#include <stdlib.h>

#define SCRATCH_BYTES (16 * (size_t)1024)

struct json_encoder {
    struct encoder base; /* first: the ops find us through it */
    bool in_a_string;
    struct arena scratch;
    struct buf out;
};

static const struct type *type_or_text(const struct type *type)
{
    return type != NULL ? type : types_plain_text();
}

static int not_sent(struct error *err)
{
    return error_data(err, REASON_VALUE_UNCHANGED,
                      "the server did not send it, because the change left it as it was");
}

static int write_row(struct json_encoder *e, const struct content_row *row, struct json_writer *w,
                     struct error *err)
{
    uint32_t count = row->columns != NULL ? row->count : row->relation->column_count;
    json_write_begin_object(w);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = row->columns != NULL ? row->columns[i] : i;
        const struct column *column = &row->relation->columns[at];
        const struct cell *cell = &row->cells->cells[at];
        json_write_name_span(w, column->name);
        int result = cell->kind == CELL_UNCHANGED
                         ? not_sent(err)
                         : types_write_json(w, cell, type_or_text(column->type), &e->scratch, err);
        if (result < 0)
            return error_wrap(err, "column %.*s", SPAN_ARG(column->name));
    }
    json_write_end_object(w);
    return 0;
}

/* 1: written; 0: a NULL. */
static int write_content(struct json_encoder *e, const struct content *content,
                         struct json_writer *w, struct error *err)
{
    switch (content->kind) {
    case CONTENT_CELL:
        if (content->cell.value.kind == CELL_NULL)
            return 0;
        if (content->cell.value.kind == CELL_UNCHANGED)
            return not_sent(err);
        return types_write_json(w, &content->cell.value, type_or_text(content->cell.type),
                                &e->scratch, err) < 0
                   ? -1
                   : 1;
    case CONTENT_JSON:
        json_write_raw(w, content->json);
        return 1;
    case CONTENT_ROW:
        return write_row(e, &content->row, w, err) < 0 ? -1 : 1;
    case CONTENT_CHANGE:
        break;
    }
    return error_data(err, REASON_BAD_VALUE, "a whole change has no form but debezium");
}

static int json_encode(struct encoder *base, const struct content *content, struct arena *arena,
                       struct span *bytes, struct error *err)
{
    struct json_encoder *e = (struct json_encoder *)base;
    assert(content != NULL && bytes != NULL);
    struct json_writer w = json_writer(&e->out);
    buf_reset(&e->out);
    arena_reset(&e->scratch);
    int written = write_content(e, content, &w, err);
    if (written < 0)
        return -1;
    *bytes = span_null();
    if (written == 0)
        return 0;
    struct span text = buf_span(&e->out);
    if (e->in_a_string) {
        text = arena_copy(&e->scratch, text);
        buf_reset(&e->out);
        w = json_writer(&e->out);
        json_write_string(&w, text);
        text = buf_span(&e->out);
    }
    *bytes = arena_copy(arena, text);
    return 0;
}

static void json_close(struct encoder *base)
{
    struct json_encoder *e = (struct json_encoder *)base;
    arena_fini(&e->scratch);
    buf_fini(&e->out);
    free(e);
}

struct encoder *encoder_json(enum route_format format)
{
    static const struct encoder_ops json = {"json", json_encode, json_close};
    static const struct encoder_ops string = {"json_string", json_encode, json_close};
    static const struct encoder_ops cloudevents = {"cloudevents", json_encode, json_close};
    assert(format == FORMAT_JSON || format == FORMAT_JSON_STRING || format == FORMAT_CLOUDEVENTS);
    struct json_encoder *e = calloc(1, sizeof *e);
    if (e == NULL)
        abort();
    e->base.ops = format == FORMAT_JSON_STRING   ? &string
                  : format == FORMAT_CLOUDEVENTS ? &cloudevents
                                                 : &json;
    e->in_a_string = format == FORMAT_JSON_STRING;
    arena_init(&e->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
    return &e->base;
}
