/* route/route_kind: see route_kind.h. What the kinds have in common is done here around the
 * switches; it decides nothing else. */
#include "route/route_kind.h"

#include "route/route_change.h"
#include "route/route_event.h"
#include "route/route_outbox.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static int compile_kind(struct compilation *c)
{
    switch (c->route->as) {
    case ROUTE_OUTBOX:
        return route_outbox_compile(c);
    case ROUTE_CHANGE:
        return route_change_compile(c);
    case ROUTE_EVENT:
        return route_event_compile(c);
    }
    abort(); /* config/ knows no other word */
}

static void make_message_cells(struct route *route, struct arena *arena)
{
    uint32_t count = route->fields.count;
    route->message_cells = arena_alloc_zero(arena, count * sizeof *route->message_cells);
    route->message_slots = arena_alloc_zero(arena, count * sizeof *route->message_slots);
    for (uint32_t i = 0; i < count; i++)
        route->message_slots[i].column = i;
}

int route_compile(const struct router_options *options, uint32_t item, struct event_tools *tools,
                  struct arena *arena, struct route *route, struct error *err)
{
    assert(item < options->routes->count);
    const struct config_route *config = &options->routes->items[item];
    struct compilation c = {.options = options,
                            .config = config,
                            .arena = arena,
                            .route = route,
                            .tools = tools,
                            .err = err};
    snprintf(c.path, sizeof c.path, "routes[%u]", item);
    *route = (struct route){.index = item,
                            .name = config->name.text,
                            .as = config->as,
                            .continue_matching = config->continue_matching,
                            .raw_value = config->value_encoding == VALUE_BYTES};
    char from[48];
    snprintf(from, sizeof from, "%s.from", c.path);
    if (config_from_parse(&config->from, from, arena, &route->match, err) < 0 ||
        compile_kind(&c) < 0)
        return -1;
    assert(route->operations != 0);
    if (route->match.of_message && route->raw_value)
        return config_error(err, &config->from, REASON_CONFIG_VALUE,
                            "%s.value_encoding: bytes is for tables: the content of a message is "
                            "JSON, which is UTF-8",
                            c.path);
    if (route->match.of_message)
        make_message_cells(route, arena);
    return 0;
}

void route_kind_key(const struct route *route, const struct relation *relation, struct arena *arena,
                    struct route_key *key)
{
    assert(route != NULL && relation != NULL);
    *key = (struct route_key){.count = 0};
    if (route->as == ROUTE_CHANGE)
        route_change_key(route, relation, arena, key);
}

bool route_reads_messages(const struct route *route)
{
    assert(route->match.of_message);
    return route->as == ROUTE_OUTBOX;
}

enum route_made route_event(struct route *route, const struct route_row *row, uint32_t nth,
                            struct arena *scratch, struct event *event, struct error *err)
{
    assert(row->change != NULL && row->fields == &route->fields);
    switch (route->as) {
    case ROUTE_OUTBOX:
        assert(nth == 0);
        return route_outbox_event(route, row, scratch, event, err);
    case ROUTE_CHANGE:
        return route_change_event(route, row, nth, scratch, event, err);
    case ROUTE_EVENT:
        return route_event_next(route, row, nth, scratch, event, err);
    }
    abort();
}

const char *route_must_be(const struct route *route, uint32_t field, const struct type *type)
{
    switch (route->as) {
    case ROUTE_OUTBOX:
        return route_outbox_must_be(route, field, type);
    case ROUTE_CHANGE:
    case ROUTE_EVENT:
        return NULL;
    }
    abort();
}
