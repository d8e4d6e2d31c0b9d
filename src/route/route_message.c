/* route/route_message: see route_message.h. The JSON is walked once and never becomes a tree. */
#include "route/route_message.h"

#include "json/json_slice.h"
#include "types/types.h"

#include <assert.h>

/* CELL_UNCHANGED marks, while a message is being read, the fields that have not been seen. */
static void forget(struct route *route)
{
    for (uint32_t i = 0; i < route->fields.count; i++)
        route->message_cells[i] = (struct cell){.kind = CELL_UNCHANGED};
}

static int bad_json(const struct change *change, struct error *err)
{
    struct error why = *err;
    return error_data(err, REASON_BAD_MESSAGE_JSON,
                      "the content of message %.*s is not a JSON object: %s",
                      SPAN_ARG(change->message.prefix), why.text);
}

static uint32_t find_field(const struct route *route, struct span name)
{
    for (uint32_t i = 0; i < route->fields.count; i++)
        if (span_equal(route->fields.names[i], name))
            return i;
    return FIELD_NONE;
}

static int take_value(struct route *route, uint32_t field, const struct json_member *member,
                      struct arena *scratch, struct error *err)
{
    struct cell *cell = &route->message_cells[field];
    struct field_slot *slot = &route->message_slots[field];
    slot->type = types_plain_json();
    *cell = (struct cell){.kind = CELL_TEXT, .bytes = member->value};
    if (member->kind == JSON_KIND_NULL) {
        *cell = (struct cell){.kind = CELL_NULL};
    } else if (member->kind == JSON_KIND_STRING) {
        slot->type = types_plain_text();
        return json_slice_unescape(member->value, scratch, &cell->bytes, err);
    }
    return 0;
}

static int take_member(struct route *route, const struct change *change,
                       const struct json_member *member, struct arena *scratch, struct error *err)
{
    struct span name;
    if (json_slice_unescape(member->name, scratch, &name, err) < 0)
        return bad_json(change, err);
    uint32_t field = find_field(route, name);
    if (field == FIELD_NONE)
        return 0;
    if (route->message_cells[field].kind != CELL_UNCHANGED)
        return error_data(err, REASON_BAD_MESSAGE_JSON,
                          "the content of message %.*s has %.*s twice",
                          SPAN_ARG(change->message.prefix), SPAN_ARG(name));
    if (take_value(route, field, member, scratch, err) < 0)
        return bad_json(change, err);
    return 0;
}

/* What was not seen is NULL, but for what the kind of route cannot do without. */
static int settle(struct route *route, const struct change *change, struct error *err)
{
    for (uint32_t i = 0; i < route->fields.count; i++) {
        struct cell *cell = &route->message_cells[i];
        if (cell->kind != CELL_UNCHANGED)
            continue;
        if (i < route->member_count)
            return error_data(
                err, REASON_COLUMN_MISSING, "message %.*s has no member %.*s, which route %s needs",
                SPAN_ARG(change->message.prefix), SPAN_ARG(route->fields.names[i]), route->name);
        *cell = (struct cell){.kind = CELL_NULL};
    }
    return 0;
}

int route_message_read(struct route *route, const struct change *change, struct arena *scratch,
                       struct error *err)
{
    assert(route->match.of_message && route->message_cells != NULL);
    assert(change->op == CHANGE_MESSAGE);
    struct json_slice slice;
    struct json_member member;
    if (change->message.not_utf8)
        return error_data(err, REASON_NOT_UTF8,
                          "the content of message %.*s is not UTF-8, as JSON is",
                          SPAN_ARG(change->message.prefix));
    forget(route);
    if (json_slice_open(&slice, change->message.content, err) < 0)
        return bad_json(change, err);
    int got;
    while ((got = json_slice_next(&slice, &member, err)) > 0)
        if (take_member(route, change, &member, scratch, err) < 0)
            return -1;
    if (got < 0)
        return bad_json(change, err);
    return settle(route, change, err);
}
