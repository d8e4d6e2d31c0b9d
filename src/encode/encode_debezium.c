/* encode/encode_debezium: a change in the envelope of Debezium's connector for PostgreSQL (3.6), as
 * its JsonConverter without schemas writes it; a key as the object of its columns.
 *
 *   {"before":…,"after":…,"source":{…},"transaction":null,"op":"c","ts_ms":…,"ts_us":…,"ts_ns":…}
 *   {"op":"m","ts_ms":…,"source":{…},"transaction":null,"message":{"prefix":"…","content":"…"}}
 *
 * What is the same for every row of a table is made once for each version of it, so a row costs its
 * values. How a value looks is said in types/. Nothing is allocated for an event in steady state:
 * it is written into a buffer that stays, and copied from there once. It never asks for the time:
 * where Debezium writes the time of its own work this is when the server sent the change. */
#include "encode/encode_debezium.h"

#include "base/table.h"
#include "encode/encode_debezium_columns.h"

#include <assert.h>
#include <stdlib.h>

#define SCRATCH_BYTES (16 * (size_t)1024)
/* Whose envelope it is where it must look like one. */
#define DEBEZIUM_VERSION "3.6.1.Final"

struct layout_column {
    struct span name; /* "name": */
    struct debezium_column is;
    struct span instead; /* JSON of its default, where that stands for NULL; absent: it does not */
};

struct layout {
    uint64_t version;
    struct layout_column *columns; /* as many as the relation has */
    struct span table;             /* ,"schema":"…","table":"…","txId": */
};

struct debezium {
    struct encoder base; /* first: the ops find us through it */
    const struct config_debezium *options;
    struct debezium_modes modes, header_modes;
    struct metrics *metrics;
    uint32_t route;
    struct arena arena; /* what stays */
    struct arena scratch;
    struct table layouts; /* by the address of the relation */
    const struct relation *last_relation;
    struct layout *last;
    struct buf out;
    struct span head; /* "source":{"version":"…","connector":"…","name":"…","ts_ms": */
    struct span name; /* ,"db":"…","sequence":" */
};

/* ---- What stays ---- */

/* Names and texts of ours are escaped as the values are. */
static struct json_writer as_jackson(struct buf *out)
{
    struct json_writer w = json_writer(out);
    w.escapes = JSON_ESCAPES_JACKSON;
    return w;
}

static struct span member(struct arena *arena, const char *before, struct span text,
                          const char *behind)
{
    struct buf made = BUF_EMPTY;
    struct json_writer w = as_jackson(&made);
    buf_add_text(&made, before);
    json_write_string(&w, text);
    buf_add_text(&made, behind);
    struct span kept = arena_copy(arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}

/* Of a table that is read anew, so that it costs a row nothing. */
static struct span default_of(struct debezium *d, const struct relation *relation, uint32_t at)
{
    struct cell cell;
    struct buf made = BUF_EMPTY;
    struct json_writer w = as_jackson(&made);
    struct span kept = span_null();
    struct error none = ERROR_INIT;
    const struct column *column = &relation->columns[at];
    if (!d->options->replace_null || relation->key.defs == NULL ||
        !types_debezium_default(column, relation->key.defs[at], &cell, &d->scratch))
        return kept;
    if (types_debezium_write(&w, &cell, column, &d->modes, &d->scratch, &none) == 0)
        kept = arena_copy(&d->arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}

static void make_layout(struct debezium *d, const struct relation *relation, struct layout *layout)
{
    uint32_t count = relation->column_count;
    layout->version = relation->version;
    layout->columns = arena_alloc_zero(&d->arena, count * sizeof *layout->columns);
    for (uint32_t i = 0; i < count; i++) {
        const struct column *column = &relation->columns[i];
        layout->columns[i].name = member(&d->arena, "", column->name, ":");
        layout->columns[i].is = debezium_column_of(d->options, &d->modes, relation, column);
        layout->columns[i].instead = default_of(d, relation, i);
    }
    struct span schema = member(&d->arena, ",\"schema\":", relation->schema, ",\"table\":");
    struct span table = member(&d->arena, "", relation->name, ",\"txId\":");
    char *both = arena_alloc_bytes(&d->arena, schema.len + table.len);
    memcpy(both, schema.ptr, schema.len);
    memcpy(both + schema.len, table.ptr, table.len);
    layout->table = (struct span){both, schema.len + table.len};
}

static const struct layout *find_layout(struct debezium *d, const struct relation *relation)
{
    struct span key = {(const char *)&relation, sizeof relation};
    struct layout *layout = table_get(&d->layouts, key);
    if (layout == NULL) {
        layout = arena_alloc_zero(&d->arena, sizeof *layout);
        table_put(&d->layouts, key, layout);
    }
    if (layout->version != relation->version)
        make_layout(d, relation, layout);
    d->last_relation = relation;
    d->last = layout;
    return layout;
}

static const struct layout *layout_of(struct debezium *d, const struct relation *relation)
{
    if (d->last_relation == relation && d->last->version == relation->version)
        return d->last;
    return find_layout(d, relation);
}

/* ---- Rows ---- */

static int write_cell_as(struct debezium *d, const struct cell *cell, const struct column *column,
                         const struct debezium_modes *modes, struct error *err)
{
    struct json_writer w = as_jackson(&d->out);
    int wrote = types_debezium_write(&w, cell, column, modes, &d->scratch, err);
    if (wrote > 0)
        metrics_add_route(d->metrics, METRIC_VALUES_AS_TEXT, d->route, 1);
    if (wrote >= 0)
        return 0;
    return column->name.len == 0 ? -1 : error_wrap(err, "column %.*s", SPAN_ARG(column->name));
}

static int write_cell(struct debezium *d, const struct cell *cell, const struct column *column,
                      struct error *err)
{
    return write_cell_as(d, cell, column, &d->modes, err);
}

/* A column that is cut, hidden or hashed. */
static int write_masked(struct debezium *d, const struct cell *cell,
                        const struct relation *relation, const struct column *column,
                        const struct debezium_column *is, struct error *err)
{
    struct json_writer w = as_jackson(&d->out);
    if (is->refused != NULL) {
        error_data(err, REASON_BAD_VALUE,
                   "column %.*s of %.*s.%.*s is no text: debezium.%s cannot hide it",
                   SPAN_ARG(column->name), SPAN_ARG(relation->schema), SPAN_ARG(relation->name),
                   is->refused);
        return error_hint(err, "leave it out by debezium.column_exclude_list");
    }
    if (types_debezium_write_masked(&w, cell, column, &is->mask, &d->modes, &d->scratch, err) == 0)
        return 0;
    return error_wrap(err, "column %.*s", SPAN_ARG(column->name));
}

/* A column of an old row of which the server sends the replica identity alone. */
static int write_untold(struct debezium *d, const struct relation *relation, uint32_t column,
                        const struct layout_column *layout, struct error *err)
{
    const struct debezium_column *is = &layout->is;
    struct json_writer w = as_jackson(&d->out);
    bool not_null = relation->key.not_null != NULL && relation->key.not_null[column];
    if (is->mask.kind != DEBEZIUM_MASK_NONE) {
        const struct cell cell = {not_null ? CELL_TEXT : CELL_NULL, SPAN_LITERAL("")};
        return write_masked(d, &cell, relation, &relation->columns[column], is, err);
    }
    if (layout->instead.ptr != NULL)
        buf_add(&d->out, layout->instead);
    else if (not_null)
        types_debezium_write_zero(&w, &relation->columns[column], &d->modes, &d->scratch);
    else
        json_write_null(&w);
    return 0;
}

/* One value of a row. */
static int write_column(struct debezium *d, const struct relation *relation, uint32_t at,
                        const struct cell *cell, const struct layout_column *layout, bool old,
                        struct error *err)
{
    const struct column *column = &relation->columns[at];
    if (old && !relation_tells_old(relation, at))
        return write_untold(d, relation, at, layout, err);
    if (layout->is.mask.kind != DEBEZIUM_MASK_NONE)
        return write_masked(d, cell, relation, column, &layout->is, err);
    if (cell->kind == CELL_NULL && layout->instead.ptr != NULL) {
        buf_add(&d->out, layout->instead);
        return 0;
    }
    return write_cell(d, cell, column, err);
}

static int write_row(struct debezium *d, const struct relation *relation, const struct row *row,
                     bool old, struct error *err)
{
    const struct layout *layout = layout_of(d, relation);
    assert(row->count == relation->column_count);
    char before = '{';
    for (uint32_t i = 0; i < row->count; i++) {
        if (layout->columns[i].is.left_out)
            continue;
        buf_add_char(&d->out, before);
        buf_add(&d->out, layout->columns[i].name);
        before = ',';
        if (write_column(d, relation, i, &row->cells[i], &layout->columns[i], old, err) < 0)
            return -1;
    }
    buf_add_text(&d->out, before == '{' ? "{}" : "}");
    return 0;
}

static int write_row_or_null(struct debezium *d, const struct relation *relation,
                             const struct row *row, bool old, struct error *err)
{
    if (row->count > 0)
        return write_row(d, relation, row, old, err);
    buf_add_text(&d->out, "null");
    return 0;
}

static void write_header_name(struct debezium *d, struct span name)
{
    struct json_writer w = json_writer(&d->out);
    w.escapes = JSON_ESCAPES_HEADER;
    json_write_string(&w, name);
    buf_add_char(&d->out, ':');
}

static int write_key(struct debezium *d, const struct content_row *key, struct error *err)
{
    const struct layout *layout = layout_of(d, key->relation);
    if (key->columns == NULL)
        return write_row(d, key->relation, key->cells, false, err);
    assert(key->count > 0);
    const struct debezium_modes *modes = key->in_header ? &d->header_modes : &d->modes;
    char before = '{';
    for (uint32_t i = 0; i < key->count; i++) {
        uint32_t at = key->columns[i];
        const struct column *column = &key->relation->columns[at];
        assert(at < key->cells->count);
        buf_add_char(&d->out, before);
        if (key->in_header)
            write_header_name(d, column->name);
        else
            buf_add(&d->out, layout->columns[at].name);
        before = ',';
        if (write_cell_as(d, &key->cells->cells[at], column, modes, err) < 0)
            return -1;
    }
    buf_add_char(&d->out, '}');
    return 0;
}

/* ---- The envelope ---- */

static void add_u64(struct buf *out, uint64_t value)
{
    struct json_writer w = as_jackson(out);
    json_write_u64(&w, value);
}

static void add_i64(struct buf *out, int64_t value)
{
    struct json_writer w = as_jackson(out);
    json_write_i64(&w, value);
}

static void add_ns(struct buf *out, int64_t us)
{
    int64_t ns;
    add_i64(out, __builtin_mul_overflow(us, 1000, &ns) ? 0 : ns);
}

/* Towards the past also before 1970. */
static int64_t ms_from_us(int64_t us)
{
    return us / 1000 - (us % 1000 < 0 ? 1 : 0);
}

static void write_origin(struct buf *out, const struct change *change)
{
    struct json_writer w = as_jackson(out);
    if (change->origin.ptr == NULL) {
        buf_add_text(out, "null,\"origin_lsn\":null");
        return;
    }
    json_write_string(&w, change->origin);
    buf_add_text(out, ",\"origin_lsn\":");
    add_u64(out, change->origin_lsn);
}

/* The sequence is the end of the last commit, and this record: what tells two events of one
 * transaction apart, and orders all. */
static void write_source(struct debezium *d, const struct content_change *content)
{
    const struct change *change = content->change;
    struct buf *out = &d->out;
    buf_add(out, d->head);
    add_i64(out, ms_from_us(change->commit_time_us));
    buf_add_text(out,
                 content->op == CHANGE_READ ? ",\"snapshot\":\"true\"" : ",\"snapshot\":\"false\"");
    buf_add(out, d->name);
    buf_add_text(out, "[\\\"");
    add_u64(out, change->position.lsn);
    buf_add_text(out, "\\\",\\\"");
    add_u64(out, change->lsn);
    buf_add_text(out, "\\\"]\",\"ts_us\":");
    add_i64(out, change->commit_time_us);
    buf_add_text(out, ",\"ts_ns\":");
    add_ns(out, change->commit_time_us);
    if (content->relation != NULL)
        buf_add(out, layout_of(d, content->relation)->table);
    else
        buf_add_text(out, ",\"schema\":\"\",\"table\":\"\",\"txId\":");
    if (change->xid != 0)
        add_u64(out, change->xid);
    else
        buf_add_text(out, "null");
    buf_add_text(out, ",\"lsn\":");
    add_u64(out, change->lsn);
    buf_add_text(out, ",\"xmin\":null,\"origin\":");
    write_origin(out, change);
    buf_add_char(out, '}');
}

static char letter_of(enum change_op op)
{
    switch (op) {
    case CHANGE_INSERT:
        return 'c';
    case CHANGE_UPDATE:
        return 'u';
    case CHANGE_DELETE:
        return 'd';
    case CHANGE_TRUNCATE:
        return 't';
    case CHANGE_READ:
        return 'r';
    default:
        assert(false);
        return '?';
    }
}

/* Which transaction, and where in it; a consumer compares what stands before the colon. */
static void write_transaction(struct debezium *d, const struct content_change *content)
{
    struct buf *out = &d->out;
    if (content->total_order == 0) {
        buf_add_text(out, ",\"transaction\":null");
        return;
    }
    buf_add_text(out, ",\"transaction\":{\"id\":\"");
    add_u64(out, content->change->xid);
    buf_add_char(out, ':');
    add_u64(out, content->change->lsn);
    buf_add_text(out, "\",\"total_order\":");
    add_u64(out, content->total_order);
    buf_add_text(out, ",\"data_collection_order\":");
    add_u64(out, content->collection_order);
    buf_add_char(out, '}');
}

static int64_t work_time_us(const struct change *change)
{
    return change->sent_time_us != 0 ? change->sent_time_us : change->commit_time_us;
}

static int write_change(struct debezium *d, const struct content_change *content, struct error *err)
{
    struct buf *out = &d->out;
    int64_t work_us = work_time_us(content->change);
    buf_add_text(out, "{\"before\":");
    if (write_row_or_null(d, content->relation, content->before, true, err) < 0)
        return -1;
    buf_add_text(out, ",\"after\":");
    if (content->made.ptr != NULL)
        buf_add(out, content->made);
    else if (write_row_or_null(d, content->relation, content->after, false, err) < 0)
        return -1;
    buf_add_char(out, ',');
    write_source(d, content);
    write_transaction(d, content);
    buf_add_text(out, ",\"op\":\"");
    buf_add_char(out, letter_of(content->op));
    buf_add_text(out, "\",\"ts_ms\":");
    add_i64(out, ms_from_us(work_us));
    buf_add_text(out, ",\"ts_us\":");
    add_i64(out, work_us);
    buf_add_text(out, ",\"ts_ns\":");
    add_ns(out, work_us);
    buf_add_char(out, '}');
    return 0;
}

static int write_message(struct debezium *d, const struct content_change *content,
                         struct error *err)
{
    struct buf *out = &d->out;
    const struct change *change = content->change;
    const struct column bytes = {.name = SPAN_LITERAL("content"),
                                 .type_oid = TYPE_BYTEA,
                                 .type_modifier = -1,
                                 .type = types_builtin(TYPE_BYTEA)};
    const struct cell cell = {CELL_BINARY, change->message.content};
    struct json_writer w = as_jackson(out);
    buf_add_text(out, "{\"op\":\"m\",\"ts_ms\":");
    add_i64(out, ms_from_us(work_time_us(change)));
    buf_add_char(out, ',');
    write_source(d, content);
    write_transaction(d, content);
    buf_add_text(out, ",\"message\":{\"prefix\":");
    json_write_string(&w, change->message.prefix);
    buf_add_text(out, ",\"content\":");
    if (write_cell(d, &cell, &bytes, err) < 0)
        return -1;
    buf_add_text(out, "}}");
    return 0;
}

/* ---- The encoder ---- */

static int write_value(struct debezium *d, const struct content_cell *content, struct error *err)
{
    const struct type *type = content->type != NULL ? content->type : types_plain_text();
    const struct column column = {.type_oid = type->oid, .type_modifier = -1, .type = type};
    if (content->value.kind == CELL_UNCHANGED)
        return error_data(err, REASON_VALUE_UNCHANGED,
                          "the server did not send it, because the change left it as it was");
    return write_cell(d, &content->value, &column, err);
}

static int write_content(struct debezium *d, const struct content *content, struct error *err)
{
    switch (content->kind) {
    case CONTENT_CELL:
        return write_value(d, &content->cell, err);
    case CONTENT_ROW:
        return write_key(d, &content->row, err);
    case CONTENT_JSON:
        buf_add(&d->out, content->json);
        return 0;
    case CONTENT_CHANGE:
        return content->change.op == CHANGE_MESSAGE ? write_message(d, &content->change, err)
                                                    : write_change(d, &content->change, err);
    }
    abort();
}

static int debezium_encode(struct encoder *e, const struct content *content, struct arena *arena,
                           struct span *bytes, struct error *err)
{
    struct debezium *d = (struct debezium *)e;
    assert(d != NULL);
    if (content->kind == CONTENT_CELL && content->cell.value.kind == CELL_NULL) {
        *bytes = span_null();
        return 0;
    }
    buf_reset(&d->out);
    arena_reset(&d->scratch);
    if (write_content(d, content, err) < 0)
        return -1;
    *bytes = arena_copy(arena, buf_span(&d->out));
    return 0;
}

static void debezium_close(struct encoder *e)
{
    struct debezium *d = (struct debezium *)e;
    buf_fini(&d->out);
    arena_fini(&d->scratch);
    arena_fini(&d->arena);
    free(d);
}

static struct debezium_modes modes_of(const struct config_route *route)
{
    const struct config_debezium *c = &route->debezium;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    modes.decimal = (enum debezium_decimal)c->decimal_handling;
    modes.money_fraction_digits = (uint32_t)c->money_fraction_digits;
    modes.time = (enum debezium_time)c->time_precision;
    modes.interval = (enum debezium_interval)c->interval_handling;
    modes.binary = (enum debezium_binary)c->binary_handling;
    modes.hstore = (enum debezium_hstore)c->hstore_handling;
    modes.compatible = route->debezium_compatible;
    return modes;
}

struct encoder *encoder_debezium(const struct encoder_options *options)
{
    const struct config_route *route = options->route;
    const char *database = options->database != NULL ? options->database : "";
    static const struct encoder_ops ops = {
        .name = "debezium", .encode = debezium_encode, .close = debezium_close};
    static_assert((int)DECIMAL_STRING == (int)DEBEZIUM_DECIMAL_STRING &&
                      (int)TIME_NANOSECONDS == (int)DEBEZIUM_TIME_NANOSECONDS &&
                      (int)INTERVAL_STRING == (int)DEBEZIUM_INTERVAL_STRING &&
                      (int)BINARY_HEX == (int)DEBEZIUM_BINARY_HEX &&
                      (int)HSTORE_MAP == (int)DEBEZIUM_HSTORE_MAP,
                  "the words of the file stand in the order of the modes");
    struct debezium *d = calloc(1, sizeof *d);
    if (d == NULL)
        abort();
    d->base.ops = &ops;
    d->options = &route->debezium;
    d->modes = modes_of(route);
    d->metrics = options->metrics;
    d->route = options->index;
    arena_init(&d->arena, SCRATCH_BYTES, SCRATCH_BYTES);
    arena_init(&d->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
    debezium_placeholder(d->options->unavailable_value_placeholder.text, &d->modes, &d->arena);
    d->header_modes = debezium_modes_of_header(d->modes);
    table_init(&d->layouts, &d->arena);
    d->out = BUF_EMPTY;
    const char *prefix = route->debezium.topic_prefix.text;
    d->head = member(&d->arena,
                     route->debezium_compatible ? "\"source\":{\"version\":\"" DEBEZIUM_VERSION
                                                  "\",\"connector\":\"postgresql\",\"name\":"
                                                : "\"source\":{\"version\":\"" WALFERRY_VERSION
                                                  "\",\"connector\":\"walferry\",\"name\":",
                     span_of(prefix != NULL ? prefix : ""), ",\"ts_ms\":");
    d->name = member(&d->arena, ",\"db\":", span_of(database), ",\"sequence\":\"");
    return &d->base;
}
