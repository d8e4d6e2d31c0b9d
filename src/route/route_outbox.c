/* route/route_outbox: see route_outbox.h. What stands in a column that is mapped to a part of the
 * event, and what has to be in it. Templates, topics and headers are made by their own files. */
#include "route/route_outbox.h"

#include "route/route_headers.h"
#include "route/route_outbox_router.h"
#include "types/types.h"

#include <assert.h>

/* ---- Compiling ---- */

static int compile_arrays(struct compilation *c)
{
    const struct config_columns *columns = &c->config->columns;
    struct outbox_fields *fields = &c->route->outbox;
    fields->header_keys = route_compile_column(c, &columns->header_keys);
    fields->header_values = route_compile_column(c, &columns->header_values);
    if (fields->header_keys == FIELD_NONE || !c->route->match.of_message)
        return 0;
    config_error(c->err, &columns->header_keys, REASON_CONFIG_VALUE,
                 "%s.columns.header_keys: a message has its headers in an object", c->path);
    return error_hint(c->err, "name it under columns.headers");
}

int route_outbox_compile(struct compilation *c)
{
    const struct config_columns *columns = &c->config->columns;
    struct route *route = c->route;
    struct outbox_fields *fields = &route->outbox;
    assert(columns->payload.text != NULL);
    route->operations = route->match.of_message
                            ? change_bit(CHANGE_MESSAGE)
                            : change_bit(CHANGE_INSERT) | change_bit(CHANGE_READ);
    if (!route->match.of_message && c->config->router.invalid_operation != INVALID_OPERATION_WARN)
        route->operations |= change_bit(CHANGE_UPDATE);
    fields->id = route_compile_column(c, &columns->id);
    fields->payload = route_compile_column(c, &columns->payload);
    /* An event without id or payload would be a different event. */
    route->member_count = route->fields.count;
    fields->headers = route_compile_column(c, &columns->headers);
    if (columns->headers_member.text != NULL)
        fields->headers_member = span_of(columns->headers_member.text);
    if (compile_arrays(c) < 0)
        return -1;
    fields->timestamp = route_compile_column(c, &columns->timestamp);
    fields->partition = route_compile_column(c, &columns->partition);
    if (outbox_router_topic(c) < 0 || route_compile_key(c) < 0 || route_compile_headers(c) < 0)
        return -1;
    if (!c->config->has_headers && fields->id != FIELD_NONE)
        route_compile_header_of(c, SPAN_LITERAL("id"), "header id", fields->id);
    const struct config_event_router *router = &c->config->router;
    bool must_be_there = router->additional_missing == ADDITIONAL_MISSING_ERROR;
    if (must_be_there && outbox_router_columns(c) < 0)
        return -1;
    route->required_count = route->fields.count;
    if (!must_be_there && outbox_router_columns(c) < 0)
        return -1;
    route_compile_optional_headers(c);
    fields->type = route_compile_column(c, &columns->type);
    fields->tracing = route_compile_column(c, &router->tracing_field);
    fields->tombstone_on_empty = router->tombstone_on_empty_payload;
    fields->expand = router->expand_json_payload;
    fields->payload_text = c->config->format == FORMAT_JSON_STRING;
    return 0;
}

/* Types of which no value can be read as what the route needs. Others may hold one that can: a text
 * with a number in it. A domain is what it is over. */
static bool is_never(const struct type *type, bool timestamps_too, bool numbers_too)
{
    switch (type->base->oid) {
    case TYPE_BOOL:
    case TYPE_BYTEA:
    case TYPE_UUID:
        return true;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return timestamps_too;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return numbers_too;
    case TYPE_JSON:
    case TYPE_JSONB:
        return !numbers_too;
    default:
        return false;
    }
}

const char *route_outbox_must_be(const struct route *route, uint32_t field, const struct type *type)
{
    if (field == route->outbox.timestamp && is_never(type, false, false))
        return "a timestamp or a number of milliseconds";
    if (field == route->outbox.partition && is_never(type, true, false))
        return "an integer";
    if (field == route->outbox.headers && is_never(type, true, true))
        return "a JSON object";
    bool of_headers = field == route->outbox.header_keys || field == route->outbox.header_values;
    if (of_headers && type->base->kind == TYPE_KIND_BASE &&
        (is_never(type, true, true) || is_never(type, true, false)))
        return "an array of texts";
    return NULL;
}

/* ---- Events ---- */

static int unchanged(struct error *err)
{
    return error_data(err, REASON_VALUE_UNCHANGED, "the server did not send the value");
}

static int fill_timestamp(const struct route *route, const struct route_row *row,
                          struct event *event, struct error *err)
{
    event->timestamp_us = row->change->commit_time_us;
    if (route->outbox.timestamp == FIELD_NONE)
        return 0;
    const struct cell *cell = route_row_cell(row, route->outbox.timestamp);
    if (cell->kind == CELL_NULL)
        return 0;
    const struct type *type = row->slots[route->outbox.timestamp].type;
    int result = cell->kind == CELL_UNCHANGED
                     ? unchanged(err)
                     : types_read_timestamp_us(cell, type, &event->timestamp_us, err);
    return result < 0 ? route_row_wrap(row, route->outbox.timestamp, err) : 0;
}

static int read_partition(const struct cell *cell, const struct type *type, int32_t *partition,
                          struct error *err)
{
    if (cell->kind == CELL_UNCHANGED)
        return unchanged(err);
    if (types_read_int32(cell, type, partition, err) < 0)
        return -1;
    if (*partition < 0)
        return error_data(err, REASON_BAD_PARTITION, "%d is not the number of a partition",
                          *partition);
    return 0;
}

static int fill_partition(const struct route *route, const struct route_row *row,
                          struct event *event, struct error *err)
{
    event->partition = -1;
    if (route->outbox.partition == FIELD_NONE)
        return 0;
    if (row->slots[route->outbox.partition].column == FIELD_NONE)
        return 0; /* it may be missing */
    const struct cell *cell = route_row_cell(row, route->outbox.partition);
    if (cell->kind == CELL_NULL)
        return 0;
    const struct type *type = row->slots[route->outbox.partition].type;
    if (read_partition(cell, type, &event->partition, err) < 0)
        return route_row_wrap(row, route->outbox.partition, err);
    return 0;
}

/* The text of a field that may be missing, not mapped or NULL: absent then. */
static int fill_optional(const struct route_row *row, uint32_t field, struct arena *scratch,
                         struct span *text, struct error *err)
{
    *text = span_null();
    if (field == FIELD_NONE || row->slots[field].column == FIELD_NONE ||
        route_row_cell(row, field)->kind == CELL_NULL)
        return 0;
    return route_row_text(row, field, scratch, text, err);
}

static int fill_payload(const struct route *route, const struct route_row *row,
                        struct arena *scratch, struct event *event, struct error *err)
{
    uint32_t field = route->outbox.payload;
    const struct cell *cell = route_row_cell(row, field);
    if (route->raw_value && row->change->after.raw != NULL)
        cell = &row->change->after.raw[row->slots[field].column];
    content_set_cell(&event->value, cell, row->slots[field].type);
    if (cell->kind == CELL_UNCHANGED) {
        unchanged(err);
        return route_row_wrap(row, field, err);
    }
    if (outbox_router_is_empty(&route->outbox, cell)) {
        content_set_text(&event->value, span_null());
        return 0;
    }
    if (cell->kind == CELL_NULL && route->outbox.tombstone_on_empty)
        return 0;
    return outbox_router_value(route, row, scratch, event, err);
}

static int fill_key(const struct route *route, const struct route_row *row, struct arena *scratch,
                    struct event *event, struct error *err)
{
    struct span text = span_null();
    if (route->has_key && template_render(&route->key, row, scratch, &text, err) < 0)
        return -1;
    content_set_text(&event->key, text);
    return 0;
}

static enum route_made refuse_update(const struct route_row *row, struct error *err)
{
    char name[ROW_NAME_MAX];
    error_data(
        err, REASON_INVALID_OPERATION,
        "a row of %s was updated: an outbox is written once, and its events are sent as they "
        "were inserted",
        route_row_name(row->change, name));
    return ROUTE_FAILED;
}

/* Not inline: an error is large, and every row would pay for making it empty. */
__attribute__((noinline)) static int no_topic(const struct route *route,
                                              const struct route_row *row, struct arena *scratch,
                                              struct event *event)
{
    struct error none = ERROR_INIT;
    (void)fill_key(route, row, scratch, event, &none);
    return -1;
}

/* Where there is no topic the key is told all the same. */
static int fill_destination(struct route *route, const struct route_row *row, struct arena *scratch,
                            struct event *event, struct error *err)
{
    if (route_topic_of(&route->topic, row, scratch, &event->topic, err) < 0)
        return no_topic(route, row, scratch, event);
    return fill_key(route, row, scratch, event, err);
}

enum route_made route_outbox_event(struct route *route, const struct route_row *row,
                                   struct arena *scratch, struct event *event, struct error *err)
{
    const struct outbox_fields *fields = &route->outbox;
    if (row->change->op == CHANGE_UPDATE)
        return refuse_update(row, err);
    event->topic_of_row = !route->topic.literal;
    if (fill_destination(route, row, scratch, event, err) < 0 ||
        fill_optional(row, fields->id, scratch, &event->id, err) < 0 ||
        fill_optional(row, fields->type, scratch, &event->type, err) < 0 ||
        fill_payload(route, row, scratch, event, err) < 0 ||
        fill_timestamp(route, row, event, err) < 0 || fill_partition(route, row, event, err) < 0 ||
        route_headers(route, row, fields->headers, scratch, event, err) < 0 ||
        route_header_arrays(route, row, scratch, event, err) < 0 ||
        outbox_router_headers(route, row, scratch, event, err) < 0)
        return ROUTE_FAILED;
    return ROUTE_LAST;
}
