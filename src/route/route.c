/* route/: see route.h. One change at a time: router_begin() finds the routes that take it, and each
 * call of router_next() applies one of them. */
#include "route/route.h"

#include "route/route_headers.h"
#include "route/route_message.h"
#include "route/route_plan.h"
#include "types/types.h"

#include <assert.h>
#include <stdlib.h>

#define ROUTER_CHUNK_BYTES (16 * 1024)

struct router {
    struct arena arena;
    struct route *routes;
    uint32_t route_count;
    struct plan_cache plans;
    /* The change at hand. Rows have a plan; a message's routes are looked for one by one. */
    const struct change *change;
    struct arena *scratch;
    const struct plan *plan;
    uint32_t next;   /* match of the plan, or route to try on the message */
    uint32_t events; /* matches so far, those that failed too: an id must not depend on them */
    bool matched;
};

/* A route whose every change an earlier one takes was meant to do something, and never will. */
static int refuse_unreachable(const struct router_options *options, const struct router *router,
                              uint32_t item, struct error *err)
{
    for (uint32_t i = 0; i < item; i++) {
        const struct route *earlier = &router->routes[i];
        if (earlier->continue_matching ||
            !route_match_covers(&earlier->match, &router->routes[item].match))
            continue;
        config_error(err, &options->routes->items[item].from, REASON_ROUTE_UNREACHABLE,
                     "routes[%u] (%s) is never reached: routes[%u] (%s) takes all that it names",
                     item, router->routes[item].name, i, earlier->name);
        return error_hint(err, "put it before that route, or give that one continue: true");
    }
    return 0;
}

int router_open(const struct router_options *options, struct router **router, struct error *err)
{
    assert(options->routes != NULL && options->relay != NULL && options->progress_topic != NULL);
    assert(router != NULL && err != NULL);
    struct router *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    arena_init(&made->arena, ROUTER_CHUNK_BYTES, ROUTER_CHUNK_BYTES);
    made->route_count = options->routes->count;
    made->routes = arena_alloc_zero(&made->arena, made->route_count * sizeof *made->routes);
    for (uint32_t i = 0; i < made->route_count; i++) {
        if (route_compile(options, i, &made->arena, &made->routes[i], err) < 0 ||
            refuse_unreachable(options, made, i, err) < 0) {
            router_close(made);
            return -1;
        }
    }
    plan_cache_init(&made->plans, &made->arena, made->routes, made->route_count);
    *router = made;
    return 0;
}

void router_close(struct router *router)
{
    if (router == NULL)
        return;
    arena_fini(&router->arena);
    free(router);
}

/* The next route that takes the message, from `next` on; NULL: none. */
static struct route *next_message_route(struct router *router)
{
    while (router->next < router->route_count) {
        struct route *route = &router->routes[router->next++];
        if (!route_match_message(&route->match, router->change->message.prefix))
            continue;
        if (!route->continue_matching)
            router->next = router->route_count;
        return route;
    }
    return NULL;
}

void router_begin(struct router *router, const struct change *change, struct arena *scratch)
{
    assert(router != NULL && change != NULL);
    assert(scratch != NULL);
    router->change = change;
    router->scratch = scratch;
    router->plan = NULL;
    router->events = 0;
    router->matched = false;
    router->next = router->route_count;
    if (change->op == CHANGE_INSERT || change->op == CHANGE_READ) {
        assert(change->relation != NULL);
        assert(change->after.count == change->relation->column_count);
        router->next = 0;
        router->plan = plan_of(&router->plans, change->relation);
        router->matched = router->plan->match_count > 0;
    } else if (change->op == CHANGE_MESSAGE && change->message.transactional) {
        router->next = 0;
        router->matched = next_message_route(router) != NULL;
        router->next = 0;
    }
}

bool router_matched(const struct router *router)
{
    return router->matched;
}

static int unchanged(struct error *err)
{
    return error_data(err, REASON_VALUE_UNCHANGED, "the server did not send the value");
}

static int fill_timestamp(const struct route *route, const struct route_row *row,
                          struct event *event, struct error *err)
{
    event->timestamp_us = row->change->commit_time_us;
    if (route->timestamp == FIELD_NONE)
        return 0;
    const struct cell *cell = route_row_cell(row, route->timestamp);
    if (cell->kind == CELL_NULL)
        return 0;
    uint32_t type_oid = row->slots[route->timestamp].type_oid;
    int result = cell->kind == CELL_UNCHANGED
                     ? unchanged(err)
                     : types_timestamp_us(cell, type_oid, &event->timestamp_us, err);
    return result < 0 ? route_row_wrap(row, route->timestamp, err) : 0;
}

static int read_partition(const struct cell *cell, uint32_t type_oid, int32_t *partition,
                          struct error *err)
{
    if (cell->kind == CELL_UNCHANGED)
        return unchanged(err);
    if (types_int32(cell, type_oid, partition, err) < 0)
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
    if (route->partition == FIELD_NONE)
        return 0;
    const struct cell *cell = route_row_cell(row, route->partition);
    if (cell->kind == CELL_NULL)
        return 0;
    uint32_t type_oid = row->slots[route->partition].type_oid;
    if (read_partition(cell, type_oid, &event->partition, err) < 0)
        return route_row_wrap(row, route->partition, err);
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

static int fill_payload(const struct route *route, const struct route_row *row, struct event *event,
                        struct error *err)
{
    event->payload = *route_row_cell(row, route->payload);
    event->payload_type_oid = row->slots[route->payload].type_oid;
    if (event->payload.kind != CELL_UNCHANGED)
        return 0;
    unchanged(err);
    return route_row_wrap(row, route->payload, err);
}

/* The outbox pattern: a row is an event as it stands. */
static int fill_event(struct route *route, const struct route_row *row, struct arena *scratch,
                      struct event *event, struct error *err)
{
    if (route_topic_of(&route->topic, row, scratch, &event->topic, err) < 0)
        return -1;
    if (route->has_key && template_render(&route->key, row, scratch, &event->key, err) < 0)
        return -1;
    if (fill_optional(row, route->id, scratch, &event->id, err) < 0 ||
        fill_optional(row, route->type, scratch, &event->type, err) < 0 ||
        fill_payload(route, row, event, err) < 0 || fill_timestamp(route, row, event, err) < 0 ||
        fill_partition(route, row, event, err) < 0)
        return -1;
    return route_headers(route, row, scratch, event, err);
}

static void start_event(struct router *router, const struct route *route, struct event *event)
{
    *event =
        (struct event){.change = router->change, .route = route->index, .index = ++router->events};
}

static int next_of_row(struct router *router, struct event *event, struct error *err)
{
    const struct plan_match *match = &router->plan->matches[router->next++];
    struct route *route = match->route;
    const struct change *change = router->change;
    start_event(router, route, event);
    if (match->missing != FIELD_NONE) {
        char name[ROW_NAME_MAX];
        return error_data(err, REASON_COLUMN_MISSING, "%s has no column %.*s, which route %s needs",
                          route_row_name(change, name),
                          SPAN_ARG(route->fields.names[match->missing]), route->name);
    }
    struct route_row row = {.change = change,
                            .cells = change->after.cells,
                            .slots = match->slots,
                            .fields = &route->fields,
                            .route = route->name};
    return fill_event(route, &row, router->scratch, event, err) < 0 ? -1 : 1;
}

static int next_of_message(struct router *router, struct event *event, struct error *err)
{
    struct route *route = next_message_route(router);
    if (route == NULL)
        return 0;
    start_event(router, route, event);
    if (route_message_read(route, router->change, router->scratch, err) < 0)
        return -1;
    struct route_row row = {.change = router->change,
                            .cells = route->message_cells,
                            .slots = route->message_slots,
                            .fields = &route->fields,
                            .route = route->name};
    return fill_event(route, &row, router->scratch, event, err) < 0 ? -1 : 1;
}

int router_next(struct router *router, struct event *event, struct error *err)
{
    assert(router->change != NULL);
    assert(event != NULL && err != NULL);
    if (router->plan == NULL)
        return next_of_message(router, event, err);
    if (router->next >= router->plan->match_count)
        return 0;
    return next_of_row(router, event, err);
}

/* Does the route before `end` name the same topic? Then it was given already. */
static bool literal_before(const struct router *router, uint32_t end)
{
    for (uint32_t i = 0; i < end; i++)
        if (router->routes[i].topic.literal &&
            strcmp(router->routes[i].topic.text, router->routes[end].topic.text) == 0)
            return true;
    return false;
}

const char *router_literal_topic(const struct router *router, uint32_t index)
{
    assert(router != NULL);
    for (uint32_t i = 0; i < router->route_count; i++)
        if (router->routes[i].topic.literal && !literal_before(router, i) && index-- == 0)
            return router->routes[i].topic.text;
    return NULL;
}

bool router_table_of_route(const struct router *router, uint32_t route, struct span *schema,
                           struct span *table)
{
    assert(route < router->route_count);
    const struct route_match *match = &router->routes[route].match;
    if (match->of_message || match->schema_glob || match->table_glob)
        return false;
    *schema = match->schema;
    *table = match->table;
    return true;
}

bool router_lacks(const struct router *router, const struct relation *relation,
                  struct router_lack *lack)
{
    assert(relation != NULL && lack != NULL);
    for (uint32_t i = 0; i < router->route_count; i++) {
        const struct route *route = &router->routes[i];
        if (!route_match_table(&route->match, relation->schema, relation->name))
            continue;
        if (route_lacks(route, relation, lack))
            return true;
        if (!route->continue_matching)
            return false;
    }
    return false;
}

int router_route_of_table(const struct router *router, struct span schema, struct span table)
{
    for (uint32_t i = 0; i < router->route_count; i++)
        if (route_match_table(&router->routes[i].match, schema, table))
            return (int)router->routes[i].index;
    return -1;
}
