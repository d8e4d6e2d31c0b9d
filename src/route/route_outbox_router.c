/* route/route_outbox_router: see route_outbox_router.h. The grammar of a placement is checked with
 * the file; what is wrong here is only what does not go together. */
#include "route/route_outbox_router.h"

#include "json/json_slice.h"
#include "model/header_name.h"
#include "route/route_headers.h"
#include "types/types.h"

#include <assert.h>
#include <string.h>

static const char section[] = "event_router";

/* ---- Compiling ---- */

static int refuse(struct compilation *c, const struct config_text *at, const char *key,
                  const char *what)
{
    return config_error(c->err, at, REASON_CONFIG_VALUE, "%s.%s.%s: %s", c->path, section, key,
                        what);
}

int outbox_router_topic(struct compilation *c)
{
    const struct config_event_router *config = &c->config->router;
    if (config->route_topic_regex.text == NULL)
        return route_compile_topic(c);
    static const char key[] = "route_topic_regex";
    if (c->config->topic.line != 0)
        return refuse(c, &c->config->topic, key, "a route has a topic or this, not both");
    const char *why = NULL;
    struct topic_regex *regex = topic_regex_compile(
        config->route_topic_regex.text, config->route_topic_replacement.text, c->arena, &why);
    if (regex == NULL)
        return refuse(c, &config->route_topic_regex, key, why);
    struct template value = route_compile_field(
        c, "topic", route_compile_column(c, &c->config->columns.aggregate_type));
    route_topic_init(&c->route->topic, &value, c->options);
    c->route->topic.regex = regex;
    return 0;
}

static struct span trim(struct span text)
{
    while (text.len > 0 && text.ptr[0] == ' ')
        text = (struct span){text.ptr + 1, text.len - 1};
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* What stands before the separator, or all; *rest is what follows it. */
static struct span cut(struct span *rest, char separator)
{
    const char *at = memchr(rest->ptr, separator, rest->len);
    size_t len = at != NULL ? (size_t)(at - rest->ptr) : rest->len;
    struct span first = {rest->ptr, len};
    size_t skip = at != NULL ? len + 1 : len;
    *rest = (struct span){rest->ptr + skip, rest->len - skip};
    return trim(first);
}

static void add(struct placed_list *list, uint32_t max, struct span name, uint32_t field,
                struct arena *arena)
{
    if (list->items == NULL)
        list->items = arena_alloc(arena, max * sizeof *list->items);
    assert(list->count < max);
    list->items[list->count++] = (struct placed){name, field};
}

static int place_header(struct compilation *c, uint32_t max, struct span name, uint32_t field)
{
    static const char key[] = "table_fields_additional_placement";
    if (header_name_is_ours(name))
        return refuse(c, &c->config->router.additional_placement, key,
                      "headers that begin with " HEADER_PREFIX " are walferry's own");
    add(&c->route->outbox.headers_too, max, name, field, c->arena);
    return 0;
}

/* column:where[:name] */
static int place(struct compilation *c, uint32_t max, struct span entry)
{
    static const char key[] = "table_fields_additional_placement";
    const struct config_text *at = &c->config->router.additional_placement;
    struct outbox_fields *fields = &c->route->outbox;
    struct span column = cut(&entry, ':');
    struct span where = cut(&entry, ':');
    struct span name = trim(entry).len > 0 ? trim(entry) : column;
    uint32_t field = field_list_add(&c->route->fields, c->arena, column);
    if (span_equal_text(where, "header"))
        return place_header(c, max, name, field);
    if (span_equal_text(where, "envelope")) {
        if (c->config->format == FORMAT_RAW)
            return refuse(c, at, key, "envelope makes JSON of the value: say format: json");
        add(&fields->members, max, name, field, c->arena);
        return 0;
    }
    if (fields->partition != FIELD_NONE)
        return refuse(c, at, key, "the partition is said already");
    fields->partition = field;
    return 0;
}

int outbox_router_columns(struct compilation *c)
{
    if (c->config->router.expand_json_payload && c->config->format == FORMAT_RAW)
        return refuse(c, &c->config->name, "table_expand_json_payload",
                      "it makes JSON of the value: say format: json");
    struct span rest = span_of(c->config->router.additional_placement.text);
    uint32_t max = 1;
    for (size_t i = 0; i < rest.len; i++)
        max += rest.ptr[i] == ',';
    while (rest.len > 0)
        if (place(c, max, cut(&rest, ',')) < 0)
            return -1;
    return 0;
}

/* ---- The value ---- */

static bool is_text(const struct type *type)
{
    return type == NULL || type->base->json_form == JSON_FORM_STRING;
}

bool outbox_router_is_empty(const struct outbox_fields *fields, const struct cell *payload)
{
    if (!fields->tombstone_on_empty || payload->kind != CELL_TEXT)
        return false;
    for (size_t i = 0; i < payload->bytes.len; i++)
        if ((unsigned char)payload->bytes.ptr[i] > ' ')
            return false;
    return true;
}

/* Where it is no JSON after all it is the text that it is. */
static bool holds_json(const struct content_cell *payload)
{
    struct span text = payload->value.bytes;
    enum json_kind kind;
    struct error why = ERROR_INIT;
    return payload->value.kind == CELL_TEXT && is_text(payload->type) && text.len > 0 &&
           (text.ptr[0] == '{' || text.ptr[0] == '[') && json_slice_check(text, &kind, &why) == 0;
}

static int write_payload(const struct route *route, const struct content_cell *payload,
                         struct json_writer *w, struct arena *scratch, struct error *err)
{
    bool enveloped = route->outbox.members.count > 0;
    if (route->outbox.expand && holds_json(payload)) {
        json_write_raw(w, payload->value.bytes);
        return 0;
    }
    if (enveloped && route->outbox.payload_text && payload->type != NULL &&
        payload->type->base->json_form == JSON_FORM_RAW && payload->value.kind == CELL_TEXT) {
        json_write_string(w, payload->value.bytes);
        return 0;
    }
    const struct type *type = payload->type != NULL ? payload->type : types_plain_text();
    if (types_write_json(w, &payload->value, type, scratch, err) < 0)
        return error_wrap(err, "payload");
    return 0;
}

static int write_members(const struct route *route, const struct route_row *row,
                         struct json_writer *w, struct arena *scratch, struct error *err)
{
    const struct placed_list *members = &route->outbox.members;
    for (uint32_t i = 0; i < members->count; i++) {
        uint32_t field = members->items[i].field;
        if (row->slots[field].column == FIELD_NONE)
            continue;
        const struct cell *cell = route_row_cell(row, field);
        json_write_name_span(w, members->items[i].name);
        if (cell->kind == CELL_UNCHANGED)
            error_data(err, REASON_VALUE_UNCHANGED, "the server did not send the value");
        if (cell->kind == CELL_UNCHANGED ||
            types_write_json(w, cell, row->slots[field].type, scratch, err) < 0)
            return route_row_wrap(row, field, err);
    }
    return 0;
}

int outbox_router_value(const struct route *route, const struct route_row *row,
                        struct arena *scratch, struct event *event, struct error *err)
{
    assert(event->value.kind == CONTENT_CELL);
    const struct content_cell payload = event->value.cell;
    bool enveloped = route->outbox.members.count > 0;
    if (!enveloped && (!route->outbox.expand || !holds_json(&payload)))
        return 0;
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    int result = 0;
    if (enveloped) {
        json_write_begin_object(&w);
        json_write_name(&w, "payload");
    }
    result = write_payload(route, &payload, &w, scratch, err);
    if (result == 0 && enveloped) {
        result = write_members(route, row, &w, scratch, err);
        json_write_end_object(&w);
    }
    if (result == 0) {
        event->value.kind = CONTENT_JSON;
        event->value.json = arena_copy(scratch, buf_span(&out));
    }
    buf_fini(&out);
    return result;
}

/* ---- Headers ---- */

static struct header *make_room(struct event *event, uint32_t more, struct arena *scratch)
{
    struct header *headers = arena_alloc(scratch, (event->header_count + more) * sizeof *headers);
    if (event->header_count > 0)
        memcpy(headers, event->headers, event->header_count * sizeof *headers);
    event->headers = headers;
    return headers;
}

static int add_placed(const struct route_row *row, const struct placed_list *list,
                      struct arena *scratch, struct event *event, struct error *err)
{
    if (list->count == 0)
        return 0;
    struct header *headers = make_room(event, list->count, scratch);
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t field = list->items[i].field;
        if (row->slots[field].column == FIELD_NONE)
            continue;
        struct header *header = &headers[event->header_count++];
        *header = (struct header){.name = list->items[i].name, .value = span_null()};
        if (route_row_cell(row, field)->kind != CELL_NULL &&
            route_row_text(row, field, scratch, &header->value, err) < 0)
            return -1;
    }
    return 0;
}

/* Java's Properties write a colon, an equals sign and a space with a backslash before them. */
static struct span unescape(struct span text, struct arena *scratch)
{
    char *plain = arena_alloc_bytes(scratch, text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
        plain[len++] = text.ptr[i];
    }
    return (struct span){plain, len};
}

static size_t lines(struct span text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

static int add_tracing(const struct route_row *row, uint32_t field, struct arena *scratch,
                       struct event *event, struct error *err)
{
    struct span text;
    if (field == FIELD_NONE || row->slots[field].column == FIELD_NONE ||
        route_row_cell(row, field)->kind == CELL_NULL)
        return 0;
    if (route_row_text(row, field, scratch, &text, err) < 0)
        return -1;
    struct header *headers = make_room(event, (uint32_t)lines(text), scratch);
    while (text.len > 0) {
        struct span line = cut(&text, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.ptr[0] == '#' || memchr(line.ptr, '=', line.len) == NULL)
            continue;
        struct span name = cut(&line, '=');
        if (route_headers_check_name(name, err) < 0)
            return route_row_wrap(row, field, err);
        headers[event->header_count++] =
            (struct header){.name = name, .value = unescape(line, scratch)};
    }
    return 0;
}

int outbox_router_headers(const struct route *route, const struct route_row *row,
                          struct arena *scratch, struct event *event, struct error *err)
{
    const struct outbox_fields *fields = &route->outbox;
    if (add_placed(row, &fields->headers_too, scratch, event, err) < 0)
        return -1;
    return add_tracing(row, fields->tracing, scratch, event, err);
}
