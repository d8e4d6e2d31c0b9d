/* route/route_headers: see route_headers.h. A member that is a string becomes its text, null a null
 * header, anything else its JSON text. */
#include "route/route_headers.h"

#include "json/json_slice.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>

struct header_list {
    uint32_t count;
    uint32_t size;
    struct header *items;
};

static struct header *add(struct header_list *list, struct arena *scratch)
{
    if (list->count == list->size) {
        uint32_t size = list->size * 2 + 6;
        struct header *items = arena_alloc(scratch, size * sizeof *items);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->size = size;
    }
    return &list->items[list->count++];
}

/* A librdkafka header name is a C string on its way. */
int route_headers_check_name(struct span name, struct error *err)
{
    if (name.len == 0)
        return error_data(err, REASON_BAD_HEADERS, "a header has no name");
    if (memchr(name.ptr, '\0', name.len) != NULL)
        return error_data(err, REASON_BAD_HEADERS, "the name of a header holds a zero byte");
    if (header_name_is_ours(name))
        return error_data(err, REASON_RESERVED_HEADER,
                          "header %.*s: names that begin with " HEADER_PREFIX " are walferry's own",
                          (int)(name.len < 64 ? name.len : 64), name.ptr);
    return 0;
}

static int add_member(struct header_list *list, const struct json_member *member,
                      struct arena *scratch, struct error *err)
{
    struct header *header = add(list, scratch);
    if (json_slice_unescape(member->name, scratch, &header->name, err) < 0 ||
        route_headers_check_name(header->name, err) < 0)
        return -1;
    header->value = member->value;
    if (member->kind == JSON_KIND_NULL)
        header->value = span_null();
    else if (member->kind == JSON_KIND_STRING)
        return json_slice_unescape(member->value, scratch, &header->value, err);
    return 0;
}

static int add_members(struct header_list *list, struct span json, struct arena *scratch,
                       struct error *err)
{
    struct json_slice slice;
    struct json_member member;
    if (json_slice_open(&slice, json, err) < 0)
        return -1;
    int got;
    while ((got = json_slice_next(&slice, &member, err)) > 0)
        if (add_member(list, &member, scratch, err) < 0)
            return -1;
    return got;
}

/* The object in a member of the object; absent where there is none, or null. */
static int find_object(struct span json, struct span name, struct arena *scratch,
                       struct span *object, struct error *err)
{
    struct json_slice slice;
    struct json_member member;
    *object = span_null();
    if (json_slice_open(&slice, json, err) < 0)
        return -1;
    int got;
    while ((got = json_slice_next(&slice, &member, err)) > 0) {
        struct span text;
        if (json_slice_unescape(member.name, scratch, &text, err) < 0)
            return -1;
        if (!span_equal(text, name))
            continue;
        if (member.kind != JSON_KIND_OBJECT && member.kind != JSON_KIND_NULL)
            return error_data(err, REASON_BAD_HEADERS, "member %.*s is no object", SPAN_ARG(name));
        *object = member.kind == JSON_KIND_NULL ? span_null() : member.value;
    }
    return got;
}

static int add_object(const struct route *route, struct span json, struct header_list *list,
                      struct arena *scratch, struct error *err)
{
    bool of_member = route->as == ROUTE_OUTBOX && route->outbox.headers_member.ptr != NULL;
    if (of_member && find_object(json, route->outbox.headers_member, scratch, &json, err) < 0)
        return -1;
    return json.ptr == NULL ? 0 : add_members(list, json, scratch, err);
}

static int add_column(const struct route *route, const struct route_row *row, uint32_t column,
                      struct header_list *list, struct arena *scratch, struct error *err)
{
    struct span json;
    if (route_row_cell(row, column)->kind == CELL_NULL)
        return 0;
    if (route_row_text(row, column, scratch, &json, err) < 0)
        return -1;
    if (add_object(route, json, list, scratch, err) == 0)
        return 0;
    struct error why = *err;
    if (why.reason == REASON_BAD_JSON)
        error_data(err, REASON_BAD_HEADERS, "not a JSON object: %s", why.text);
    return route_row_wrap(row, column, err);
}

int route_headers(const struct route *route, const struct route_row *row, uint32_t column,
                  struct arena *scratch, struct event *event, struct error *err)
{
    assert(event != NULL && err != NULL);
    struct header_list list = {.size = route->header_count};
    event->header_count = event->named_headers = 0;
    event->headers = NULL;
    if (route->header_count > 0)
        list.items = arena_alloc(scratch, route->header_count * sizeof *list.items);
    for (uint32_t i = 0; i < route->header_count; i++) {
        const struct header_template *template = &route->header_templates[i];
        struct span value;
        if (template_render(&template->value, row, scratch, &value, err) < 0)
            return -1;
        if (value.ptr != NULL)
            *add(&list, scratch) = (struct header){.name = template->name, .value = value};
    }
    event->named_headers = list.count;
    if (column != FIELD_NONE && add_column(route, row, column, &list, scratch, err) < 0)
        return -1;
    event->header_count = list.count;
    event->headers = list.items;
    return 0;
}

/* ---- Two arrays ---- */

static int read_array(const struct route_row *row, uint32_t field, struct arena *scratch,
                      uint32_t *count, struct span **texts, struct error *err)
{
    const struct cell *cell = route_row_cell(row, field);
    if (cell->kind == CELL_UNCHANGED)
        error_data(err, REASON_VALUE_UNCHANGED, "the server did not send the value");
    else if (types_read_texts(cell, row->slots[field].type, scratch, count, texts, err) == 0)
        return 0;
    return route_row_wrap(row, field, err);
}

static int add_pairs(struct event *event, uint32_t count, const struct span *names,
                     const struct span *values, struct arena *scratch, struct error *err)
{
    struct header_list list = {.size = event->header_count + count};
    list.items = arena_alloc(scratch, list.size * sizeof *list.items);
    if (event->header_count > 0)
        memcpy(list.items, event->headers, event->header_count * sizeof *list.items);
    list.count = event->header_count;
    for (uint32_t i = 0; i < count; i++) {
        if (route_headers_check_name(names[i], err) < 0)
            return -1;
        *add(&list, scratch) = (struct header){.name = names[i], .value = values[i]};
    }
    event->headers = list.items;
    event->header_count = list.count;
    return 0;
}

int route_header_arrays(const struct route *route, const struct route_row *row,
                        struct arena *scratch, struct event *event, struct error *err)
{
    const struct outbox_fields *fields = &route->outbox;
    uint32_t count, others;
    struct span *names, *values;
    assert(route->as == ROUTE_OUTBOX);
    if (fields->header_keys == FIELD_NONE)
        return 0;
    if (read_array(row, fields->header_keys, scratch, &count, &names, err) < 0 ||
        read_array(row, fields->header_values, scratch, &others, &values, err) < 0)
        return -1;
    if (count != others)
        error_data(err, REASON_BAD_HEADERS, "%u names of headers, and %u values", count, others);
    else if (count == 0 || add_pairs(event, count, names, values, scratch, err) == 0)
        return 0;
    return route_row_wrap(row, fields->header_keys, err);
}
