/* route/route_event_json: see route_event_json.h. Values are written by types/, as they are for any
 * other JSON; it decides only which. */
#include "route/route_event_json.h"

#include "types/types.h"

#include <assert.h>

/* ---- Cells ---- */

static const struct type *type_of(const struct route_row *row, uint32_t column)
{
    const struct column *described = &row->relation->columns[column];
    const struct type *type = described->type;
    if (type == NULL)
        type = types_builtin(described->type_oid);
    return type != NULL ? type : types_unknown();
}

static bool has_old(const struct route_row *row, uint32_t column)
{
    return row->change->before.count > 0 && relation_tells_old(row->relation, column);
}

/* The cell of the new row, as far as anything has it. */
static const struct cell *new_cell(const struct route_row *row, uint32_t column)
{
    const struct cell *cell = &row->change->after.cells[column];
    if (cell->kind == CELL_UNCHANGED && has_old(row, column))
        return &row->change->before.cells[column];
    return cell;
}

static int wrap_column(const struct route_row *row, uint32_t column, struct error *err)
{
    char name[ROW_NAME_MAX];
    return error_wrap(err, "column %.*s of %s", SPAN_ARG(row->relation->columns[column].name),
                      route_row_name(row->change, name));
}

static int write_cell(const struct route_row *row, uint32_t column, const struct cell *cell,
                      struct json_writer *w, struct arena *scratch, struct error *err)
{
    if (types_write_json(w, cell, type_of(row, column), scratch, err) == 0)
        return 0;
    return wrap_column(row, column, err);
}

static bool is_same(const struct cell *a, const struct cell *b)
{
    return a->kind == b->kind && (a->kind == CELL_NULL || span_equal(a->bytes, b->bytes));
}

/* Where no old row is sent, what the replica identity holds has not changed. */
int event_json_changes(const struct route_row *row, uint32_t column, struct error *err)
{
    const struct change *change = row->change;
    assert(change->op == CHANGE_UPDATE && column < change->after.count);
    if (change->after.cells[column].kind == CELL_UNCHANGED)
        return 0;
    if (has_old(row, column))
        return !is_same(&change->before.cells[column], &change->after.cells[column]);
    /* FULL always sends one: where none came, the partition has another identity than its root. */
    if (row->relation->identity != 'f' && relation_tells_old(row->relation, column))
        return 0;
    error_data(err, REASON_OLD_NOT_SENT,
               "route %s asks whether it changes, and the server does not "
               "send the old value: it is not in the replica identity",
               row->route);
    wrap_column(row, column, err);
    return route_row_whole(row->relation, err);
}

/* ---- What jq is given ---- */

/* NULL: all are. */
static bool is_read(const bool *columns, uint32_t column)
{
    return columns == NULL || columns[column];
}

static int write_before(const struct route_row *row, struct json_writer *w, struct arena *scratch,
                        struct error *err)
{
    const struct row *before = &row->change->before;
    if (before->count == 0) {
        json_write_null(w);
        return 0;
    }
    json_write_begin_object(w);
    for (uint32_t i = 0; i < before->count; i++) {
        if (!is_read(row->columns->before, i) || !relation_tells_old(row->relation, i))
            continue;
        json_write_name_span(w, row->relation->columns[i].name);
        if (write_cell(row, i, &before->cells[i], w, scratch, err) < 0)
            return -1;
    }
    json_write_end_object(w);
    return 0;
}

static int write_after(const struct route_row *row, struct json_writer *w, struct arena *scratch,
                       uint32_t *unchanged, struct error *err)
{
    uint32_t count = row->change->after.count;
    if (count == 0) {
        json_write_null(w);
        return 0;
    }
    json_write_begin_object(w);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = new_cell(row, i);
        if (cell->kind == CELL_UNCHANGED) {
            ++*unchanged;
            continue;
        }
        if (!is_read(row->columns->after, i))
            continue;
        json_write_name_span(w, row->relation->columns[i].name);
        if (write_cell(row, i, cell, w, scratch, err) < 0)
            return -1;
    }
    json_write_end_object(w);
    return 0;
}

static void write_unchanged(const struct route_row *row, struct json_writer *w)
{
    json_write_name(w, "unchanged");
    json_write_begin_array(w);
    for (uint32_t i = 0; i < row->change->after.count; i++)
        if (new_cell(row, i)->kind == CELL_UNCHANGED)
            json_write_string(w, row->relation->columns[i].name);
    json_write_end_array(w);
}

static const char *op_name(enum change_op op)
{
    return op == CHANGE_INSERT   ? "insert"
           : op == CHANGE_UPDATE ? "update"
           : op == CHANGE_DELETE ? "delete"
                                 : "read";
}

bool event_json_tells_old(const struct route_row *row)
{
    const struct change *change = row->change;
    if (change->op != CHANGE_UPDATE)
        return true;
    for (uint32_t i = 0; i < change->after.count; i++)
        if (!has_old(row, i))
            return false;
    return true;
}

static void write_source(const struct route *route, const struct route_row *row, uint32_t unchanged,
                         struct json_writer *w)
{
    const struct change *change = row->change;
    char lsn[LSN_TEXT_MAX];
    json_write_name(w, "source");
    json_write_begin_object(w);
    json_write_member_text(w, "relay", route->event.relay);
    json_write_member_string(w, "schema", row->relation->schema);
    json_write_member_string(w, "table", row->relation->name);
    json_write_member_text(w, "lsn", lsn_format(change->id.final_lsn, lsn));
    json_write_member_u64(w, "xid", change->xid);
    json_write_member_i64(w, "commit_ms", change->commit_time_us / 1000);
    if (unchanged > 0)
        write_unchanged(row, w);
    json_write_end_object(w);
}

static int write_rows(const struct route *route, const struct route_row *row, struct json_writer *w,
                      struct arena *scratch, uint32_t *unchanged, struct error *err)
{
    const uint32_t members = route->event.reads.members;
    if ((members & JQ_BEFORE) != 0) {
        json_write_name(w, "before");
        if (write_before(row, w, scratch, err) < 0)
            return -1;
    }
    /* Where it comes from says which columns of it are not there. */
    if ((members & (JQ_AFTER | JQ_SOURCE)) == 0)
        return 0;
    json_write_name(w, "after");
    if (row->change->op == CHANGE_DELETE)
        json_write_null(w);
    else if (write_after(row, w, scratch, unchanged, err) < 0)
        return -1;
    return 0;
}

int event_json_input(const struct route *route, const struct route_row *row, struct json_writer *w,
                     struct arena *scratch, struct error *err)
{
    const uint32_t members = route->event.reads.members;
    uint32_t unchanged = 0;
    assert(row->relation != NULL && row->columns != NULL);
    json_write_begin_object(w);
    if ((members & JQ_OP) != 0)
        json_write_member_text(w, "op", op_name(row->change->op));
    if (write_rows(route, row, w, scratch, &unchanged, err) < 0)
        return -1;
    if ((members & JQ_SOURCE) != 0)
        write_source(route, row, unchanged, w);
    json_write_end_object(w);
    return 0;
}

/* ---- A map of templates ---- */

static int write_template(const struct header_template *member, const struct route_row *row,
                          struct json_writer *w, struct arena *scratch, struct error *err)
{
    const struct template *t = &member->value;
    uint32_t field = template_only_field(t);
    struct span text;
    if (field != FIELD_NONE) {
        uint32_t column = row->slots[field].column;
        const struct cell *cell = route_row_cell(row, field);
        if (route_row_check(row, field, err) < 0)
            return -1;
        if (cell->kind == CELL_UNCHANGED && has_old(row, column))
            cell = &row->change->before.cells[column];
        bool by_default = cell->kind == CELL_NULL && t->parts[0].text.ptr != NULL;
        if (!by_default && cell->kind != CELL_UNCHANGED)
            return write_cell(row, column, cell, w, scratch, err);
    }
    if (t->count == 1 && (t->parts[0].kind == PART_XID || t->parts[0].kind == PART_COMMIT_MS)) {
        if (template_render(t, row, scratch, &text, err) < 0)
            return -1;
        json_write_raw(w, text);
        return 0;
    }
    if (template_render(t, row, scratch, &text, err) < 0)
        return -1;
    json_write_string(w, text);
    return 0;
}

int event_json_map(const struct route *route, const struct route_row *row, struct json_writer *w,
                   struct arena *scratch, struct error *err)
{
    assert(route->event.has_map);
    json_write_begin_object(w);
    for (uint32_t i = 0; i < route->event.map_count; i++) {
        json_write_name_span(w, route->event.map[i].name);
        if (write_template(&route->event.map[i], row, w, scratch, err) < 0)
            return -1;
    }
    json_write_end_object(w);
    return 0;
}

/* ---- The row, shaped ---- */

static bool is_dropped(const struct config_event *config, struct span name)
{
    for (uint32_t i = 0; i < config->drop.count; i++)
        if (span_equal_text(name, config->drop.items[i].text))
            return true;
    return false;
}

static struct span new_name(const struct config_event *config, struct span name)
{
    for (uint32_t i = 0; i < config->rename.count; i++)
        if (span_equal_text(name, config->rename.items[i].name.text))
            return span_of(config->rename.items[i].value.text);
    return name;
}

static int write_or_null(const struct route_row *row, uint32_t column, const struct row *cells,
                         struct json_writer *w, struct arena *scratch, struct error *err)
{
    if (cells->count == 0) {
        json_write_null(w);
        return 0;
    }
    const struct cell *cell =
        cells == &row->change->after ? new_cell(row, column) : &cells->cells[column];
    return write_cell(row, column, cell, w, scratch, err);
}

/* Of a row that is new there is nothing before it, of one that is gone nothing after. */
static int write_difference(const struct route_row *row, uint32_t column, struct json_writer *w,
                            struct arena *scratch, struct error *err)
{
    const struct row none = {.count = 0}, *after = &row->change->after;
    if (row->change->op == CHANGE_DELETE)
        after = &none;
    json_write_begin_object(w);
    json_write_name(w, "before");
    if (write_or_null(row, column, &row->change->before, w, scratch, err) < 0)
        return -1;
    json_write_name(w, "after");
    if (write_or_null(row, column, after, w, scratch, err) < 0)
        return -1;
    json_write_end_object(w);
    return 0;
}

/* 1: the column is told of; 0: not. */
static int is_shown(const struct config_event *config, const struct route_row *row, uint32_t column,
                    struct error *err)
{
    const struct change *change = row->change;
    if (is_dropped(config, row->relation->columns[column].name))
        return 0;
    if (change->op == CHANGE_DELETE)
        return relation_tells_old(row->relation, column);
    if (config->shape != ROW_WHOLE && change->op == CHANGE_UPDATE)
        return event_json_changes(row, column, err);
    return new_cell(row, column)->kind != CELL_UNCHANGED;
}

int event_json_row(const struct route *route, const struct route_row *row, struct json_writer *w,
                   struct arena *scratch, struct error *err)
{
    const struct config_event *config = route->event.config;
    assert(row->relation != NULL);
    json_write_begin_object(w);
    for (uint32_t i = 0; i < row->relation->column_count; i++) {
        int shown = is_shown(config, row, i, err);
        if (shown < 0)
            return -1;
        if (shown == 0)
            continue;
        json_write_name_span(w, new_name(config, row->relation->columns[i].name));
        const struct cell *cell =
            row->change->op == CHANGE_DELETE ? &row->change->before.cells[i] : new_cell(row, i);
        if ((config->shape == ROW_DIFFERENCE ? write_difference(row, i, w, scratch, err)
                                             : write_cell(row, i, cell, w, scratch, err)) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < config->constants.count; i++)
        json_write_member_text(w, config->constants.items[i].name.text,
                               config->constants.items[i].value.text);
    json_write_end_object(w);
    return 0;
}
