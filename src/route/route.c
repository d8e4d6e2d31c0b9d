/* route/: see route.h. One change at a time: router_begin() finds the routes that take it, and each
 * call of router_next() applies one of them. */
#include "route/route.h"

#include "route/route_kind.h"
#include "route/route_message.h"
#include "route/route_plan.h"

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
    uint32_t operation; /* change_bit() of the change */
    uint32_t next;      /* match of the plan, or route to try on the message */
    uint32_t nth;       /* how many events the route at hand has made of the change */
    uint32_t events;    /* and all routes; those that failed too: an id must not depend on them */
    struct route *message_route; /* the route at hand, of a message */
    enum router_answer answer;
};

/* A route whose every change an earlier one takes was meant to do something, and never will. */
static int refuse_unreachable(const struct router_options *options, const struct router *router,
                              uint32_t item, struct error *err)
{
    for (uint32_t i = 0; i < item; i++) {
        const struct route *earlier = &router->routes[i];
        if (earlier->continue_matching ||
            (router->routes[item].operations & ~earlier->operations) != 0 ||
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

static enum router_answer begin_row(struct router *router, const struct relation *relation)
{
    if ((router->plans.operations & router->operation) == 0)
        return router->plans.operations == 0 ? ROUTER_NO_ROUTE : ROUTER_NOT_THIS_OPERATION;
    assert(relation != NULL);
    router->plan = plan_of(&router->plans, relation);
    if ((router->plan->operations & router->operation) != 0)
        return ROUTER_TAKEN;
    return router->plan->match_count == 0 ? ROUTER_NO_ROUTE : ROUTER_NOT_THIS_OPERATION;
}

/* What is sent outside a transaction is no change of the database. */
static enum router_answer begin_message(struct router *router)
{
    if (!router->change->message.transactional)
        return ROUTER_NOT_THIS_OPERATION;
    bool taken = next_message_route(router) != NULL;
    router->next = 0;
    return taken ? ROUTER_TAKEN : ROUTER_NO_ROUTE;
}

enum router_answer router_begin(struct router *router, const struct change *change,
                                struct arena *scratch)
{
    assert(router != NULL && change != NULL);
    assert(scratch != NULL);
    router->change = change;
    router->scratch = scratch;
    router->plan = NULL;
    router->message_route = NULL;
    router->operation = change_bit(change->op);
    router->next = 0;
    router->nth = 0;
    router->events = 0;
    if (change->op == CHANGE_MESSAGE) {
        router->answer = begin_message(router);
    } else {
        router->answer = begin_row(router, change->relation);
    }
    return router->answer;
}

static enum route_made make_event(struct router *router, struct route *route,
                                  const struct cell *cells, const struct field_slot *slots,
                                  struct event *event, struct error *err)
{
    struct route_row row = {.change = router->change,
                            .cells = cells,
                            .slots = slots,
                            .fields = &route->fields,
                            .route = route->name};
    return route_event(route, &row, router->nth, router->scratch, event, err);
}

/* An error names the route, too. */
static void start_event(struct router *router, const struct route *route, struct event *event)
{
    event->change = router->change;
    event->route = route->index;
    event->index = router->events + 1;
}

static enum route_made event_of_row(struct router *router, const struct plan_match *match,
                                    struct event *event, struct error *err)
{
    const struct change *change = router->change;
    char name[ROW_NAME_MAX];
    start_event(router, match->route, event);
    if (match->missing == FIELD_NONE) {
        assert(change->after.count == change->relation->column_count);
        return make_event(router, match->route, change->after.cells, match->slots, event, err);
    }
    error_data(err, REASON_COLUMN_MISSING, "%s has no column %.*s, which route %s needs",
               route_row_name(change, name), SPAN_ARG(match->route->fields.names[match->missing]),
               match->route->name);
    return ROUTE_FAILED;
}

static enum route_made event_of_message(struct router *router, struct event *event,
                                        struct error *err)
{
    struct route *route = router->message_route;
    start_event(router, route, event);
    if (router->nth == 0 && route_message_read(route, router->change, router->scratch, err) < 0)
        return ROUTE_FAILED;
    return make_event(router, route, route->message_cells, route->message_slots, event, err);
}

/* Counts what was made; true: the route at hand makes nothing more of the change. */
static bool is_done(struct router *router, enum route_made made)
{
    router->events += made != ROUTE_NOTHING;
    router->nth = made == ROUTE_MORE ? router->nth + 1 : 0;
    return made != ROUTE_MORE;
}

static int next_of_row(struct router *router, struct event *event, struct error *err)
{
    while (router->next < router->plan->match_count) {
        const struct plan_match *match = &router->plan->matches[router->next];
        enum route_made made = ROUTE_NOTHING;
        if ((match->operations & router->operation) != 0)
            made = event_of_row(router, match, event, err);
        if (is_done(router, made))
            router->next++;
        if (made != ROUTE_NOTHING)
            return made == ROUTE_FAILED ? -1 : 1;
    }
    return 0;
}

static int next_of_message(struct router *router, struct event *event, struct error *err)
{
    while (router->message_route != NULL ||
           (router->message_route = next_message_route(router)) != NULL) {
        enum route_made made = event_of_message(router, event, err);
        if (is_done(router, made))
            router->message_route = NULL;
        if (made != ROUTE_NOTHING)
            return made == ROUTE_FAILED ? -1 : 1;
    }
    return 0;
}

int router_next(struct router *router, struct event *event, struct error *err)
{
    assert(router->change != NULL);
    assert(event != NULL && err != NULL);
    if (router->answer != ROUTER_TAKEN)
        return 0;
    return router->plan != NULL ? next_of_row(router, event, err)
                                : next_of_message(router, event, err);
}

uint32_t router_operations(const struct router *router)
{
    assert(router != NULL);
    return router->plans.operations;
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
    const struct config_from *match = &router->routes[route].match;
    if (match->of_message || match->schema_glob || match->table_glob)
        return false;
    *schema = match->schema;
    *table = match->table;
    return true;
}

bool router_pattern_of_route(const struct router *router, uint32_t route,
                             struct router_pattern *pattern)
{
    assert(router != NULL && pattern != NULL);
    *pattern = (struct router_pattern){.schema_glob = false};
    if (route >= router->route_count)
        return false;
    const struct config_from *match = &router->routes[route].match;
    if (!match->of_message)
        *pattern = (struct router_pattern){.schema = match->schema,
                                           .table = match->table,
                                           .schema_glob = match->schema_glob,
                                           .table_glob = match->table_glob};
    return true;
}

bool router_lacks(const struct router *router, const struct relation *relation,
                  struct router_lack *lack)
{
    assert(relation != NULL && lack != NULL);
    uint32_t left = router->plans.operations;
    for (uint32_t i = 0; i < router->route_count && left != 0; i++) {
        const struct route *route = &router->routes[i];
        if ((route->operations & left) == 0 ||
            !route_match_table(&route->match, relation->schema, relation->name))
            continue;
        if (route_lacks(route, relation, lack))
            return true;
        if (!route->continue_matching)
            left &= ~route->operations;
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
