/* config_event_check: what goes together in a route as: event, and what of it other routes do not
 * have. Templates and programs are compiled by route/. */
#include "config/config_event_check.h"

#include "config/config_same.h"

#include <assert.h>
#include <stddef.h>

static bool is_event_key(const struct config_key *key)
{
    return key->scope == SCOPE_config_route && key->kind >= KEY_KIND_PAIRS &&
           key->offset >= offsetof(struct config_route, event) &&
           key->offset < offsetof(struct config_route, event) + sizeof(struct config_event);
}

/* The first of its keys that says something; NULL: none. */
static const char *event_key(const struct config_route *route, const struct config_route *bare)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const struct config_pairs *pairs = (const void *)((const char *)route + keys[i].offset);
        if (!is_event_key(&keys[i]))
            continue;
        if (keys[i].kind == KEY_KIND_PAIRS ? pairs->items != NULL
                                           : !config_same_value(&keys[i], route, bare))
            return keys[i].path;
    }
    return NULL;
}

static int refuse(const struct config_reader *reader, const struct config_route *route,
                  const char *path, const char *what, const char *hint, struct error *err)
{
    config_fail(err, reader, route->name.line, path, REASON_CONFIG_VALUE, "%s", what);
    return error_hint(err, "%s", hint);
}

static int missing(const struct config_reader *reader, const struct config_route *route,
                   const char *path, const char *hint, struct error *err)
{
    config_fail(err, reader, route->name.line, path, REASON_CONFIG_MISSING, "as: event needs it");
    return error_hint(err, "%s", hint);
}

static int check_other(const struct config_reader *reader, const struct config_route *route,
                       const struct config_route *bare, struct error *err)
{
    const char *path = event_key(route, bare);
    if (path != NULL)
        return refuse(reader, route, path, "it is for as: event", "delete it, or say as: event",
                      err);
    if (route->format == FORMAT_CLOUDEVENTS)
        return refuse(reader, route, "routes[].format", "format: cloudevents is for as: event",
                      "delete the line with the format", err);
    if (route->format != FORMAT_RAW && route->value_encoding == VALUE_BYTES)
        return refuse(reader, route, "routes[].value_encoding", "JSON is UTF-8",
                      "delete the line with the encoding", err);
    return 0;
}

static int check_columns(const struct config_reader *reader, const struct config_route *route,
                         struct error *err)
{
    const struct config_columns *c = &route->columns;
    const struct config_text *all[] = {&c->id,          &c->aggregate_type, &c->aggregate_id,
                                       &c->type,        &c->payload,        &c->headers,
                                       &c->timestamp,   &c->partition,      &c->headers_member,
                                       &c->header_keys, &c->header_values};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->text != NULL && all[i]->line != 0)
            return refuse(reader, route, "routes[].columns",
                          "as: event takes whole rows: it maps no columns",
                          "delete the columns, and name them in templates", err);
    return 0;
}

/* One thing says what the value is. */
static int check_value(const struct config_reader *reader, const struct config_route *route,
                       struct error *err)
{
    const struct config_event *e = &route->event;
    bool map = e->value.items != NULL, program = e->jq.text != NULL;
    bool row = e->shape != ROW_WHOLE || e->rename.items != NULL || e->drop.count > 0 ||
               e->constants.items != NULL;
    if (map && program)
        return refuse(reader, route, "routes[].jq", "a route has value or jq, not both",
                      "delete one of them", err);
    if (row && (map || program))
        return refuse(
            reader, route, "routes[].row",
            "row, rename, drop and constants shape the row, and value or jq takes its place",
            "delete the one or the other", err);
    return 0;
}

static int check_format(const struct config_reader *reader, const struct config_route *route,
                        struct error *err)
{
    const struct config_cloudevents *ce = &route->event.cloudevents;
    bool cloudevents = route->format == FORMAT_CLOUDEVENTS;
    bool said = ce->mode != CLOUDEVENTS_STRUCTURED || ce->source.text != NULL ||
                ce->subject.text != NULL || ce->correlationid.text != NULL ||
                ce->causationid.text != NULL || ce->traceparent.text != NULL;
    if (route->format == FORMAT_RAW)
        return refuse(
            reader, route, "routes[].format", "as: event makes JSON: raw is for one value",
            "delete the line with the format, or say json, json_string or cloudevents", err);
    if (said && !cloudevents)
        return refuse(reader, route, "routes[].cloudevents", "it is for format: cloudevents",
                      "delete it, or say format: cloudevents", err);
    if (cloudevents && route->event.type.text == NULL)
        return missing(reader, route, "routes[].type",
                       "CloudEvents have a type: add type: OrderPlaced", err);
    return 0;
}

int config_check_event(const struct config_reader *reader, const struct config_route *route,
                       const struct config_route *bare, struct error *err)
{
    assert(route != NULL && bare != NULL);
    if (route->as != ROUTE_EVENT)
        return check_other(reader, route, bare, err);
    if (strncmp(route->from.text, CONFIG_FROM_MESSAGE, sizeof CONFIG_FROM_MESSAGE - 1) == 0)
        return refuse(reader, route, "routes[].from",
                      "as: event takes rows of tables, not messages", "say as: outbox", err);
    if (route->topic.text == NULL)
        return missing(reader, route, "routes[].topic", "add a line such as topic: orders.events",
                       err);
    if (route->key.text == NULL)
        return missing(reader, route, "routes[].key",
                       "add a line such as key: \"{id}\"; \"\" gives events without a key", err);
    if (route->value_encoding == VALUE_BYTES)
        return refuse(reader, route, "routes[].value_encoding", "as: event is JSON, which is UTF-8",
                      "delete the line with the encoding", err);
    if (check_columns(reader, route, err) < 0 || check_value(reader, route, err) < 0)
        return -1;
    return check_format(reader, route, err);
}
