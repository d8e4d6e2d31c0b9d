/* route/: see route.h. One change at a time: router_begin() finds the routes that take it, and each
 * call of router_next() applies one of them. */
#include "route/route.h"

#include "route/route_event.h"
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
    struct event_tools tools;
    /* The change at hand. Rows have a plan; a message's routes are looked for one by one. */
    const struct change *change;
    struct arena *scratch;
    const struct plan *plan;
    uint32_t operation; /* change_bit() of the change */
    uint32_t next;   /* match of the plan, or route to try on the message or the truncated tables */
    uint32_t table;  /* of those truncated */
    uint32_t nth;    /* how many events the route at hand has made of the change */
    uint32_t events; /* and all routes; those that failed too: an id must not depend on them */
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

/* One change in one topic twice is meant by nobody. Whether two templates give one name is only
 * known of two that are the same. */
static int refuse_twice(const struct router_options *options, const struct router *router,
                        uint32_t item, struct error *err)
{
    const struct route *route = &router->routes[item];
    const struct config_route *config = &options->routes->items[item];
    for (uint32_t i = 0; i < item; i++) {
        const struct route *earlier = &router->routes[i];
        if (earlier->as != ROUTE_CHANGE || route->as != ROUTE_CHANGE ||
            !earlier->continue_matching || (earlier->operations & route->operations) == 0 ||
            strcmp(options->routes->items[i].topic.text, config->topic.text) != 0 ||
            (!route_match_covers(&earlier->match, &route->match) &&
             !route_match_covers(&route->match, &earlier->match)))
            continue;
        config_error(err, &config->from, REASON_CONFIG_VALUE,
                     "routes[%u] (%s) and routes[%u] (%s) would write one change to topic %s twice",
                     i, earlier->name, item, route->name, config->topic.text);
        return error_hint(err, "give one of them another topic, or take continue out of routes[%u]",
                          i);
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
        if (route_compile(options, i, &made->tools, &made->arena, &made->routes[i], err) < 0 ||
            refuse_unreachable(options, made, i, err) < 0 ||
            refuse_twice(options, made, i, err) < 0) {
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
    jq_cage_close(router->tools.cage);
    buf_fini(&router->tools.out);
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

static enum router_answer begin_truncate(struct router *router)
{
    const struct change *change = router->change;
    enum router_answer answer = ROUTER_NO_ROUTE;
    for (uint32_t i = 0; i < change->truncate.count; i++) {
        enum router_answer one = begin_row(router, change->truncate.relations[i]);
        if (one == ROUTER_TAKEN)
            return one;
        if (one == ROUTER_NOT_THIS_OPERATION)
            answer = one;
    }
    return answer;
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
    router->table = 0;
    router->nth = 0;
    router->events = 0;
    if (change->op == CHANGE_MESSAGE) {
        router->answer = begin_message(router);
    } else if (change->op == CHANGE_TRUNCATE) {
        router->answer = begin_truncate(router);
    } else {
        router->answer = begin_row(router, change->relation);
    }
    return router->answer;
}

static enum route_made make_event(struct router *router, struct route *route, struct route_row *row,
                                  struct event *event, struct error *err)
{
    row->change = router->change;
    row->fields = &route->fields;
    row->route = route->name;
    event->other_key.name = span_null();
    event->attribute_count = 0;
    return route_event(route, row, router->nth, router->scratch, event, err);
}

/* What templates see: the new row, of a deleted one the old, of a truncated table nothing. */
static const struct cell *visible_cells(const struct router *router,
                                        const struct relation *relation)
{
    const struct change *change = router->change;
    const struct row *row = change->op == CHANGE_DELETE ? &change->before : &change->after;
    if (change->op == CHANGE_TRUNCATE)
        return arena_alloc_zero(router->scratch, relation->column_count * sizeof(struct cell));
    assert(row->count == relation->column_count);
    return row->cells;
}

/* An error names the route, too. */
static void start_event(struct router *router, const struct route *route, struct event *event)
{
    event->change = router->change;
    event->route = route->index;
    event->topic = span_null();
    content_set_text(&event->key, span_null());
    event->index = router->events + 1;
}

static enum route_made event_of_row(struct router *router, const struct plan_match *match,
                                    const struct relation *relation, struct event *event,
                                    struct error *err)
{
    const struct change *change = router->change;
    char name[ROW_NAME_MAX];
    start_event(router, match->route, event);
    if (match->missing == FIELD_NONE) {
        struct route_row row = {.relation = relation,
                                .key = &match->key,
                                .cells = visible_cells(router, relation),
                                .old = change->op == CHANGE_DELETE,
                                .slots = match->slots,
                                .columns = &match->columns};
        return make_event(router, match->route, &row, event, err);
    }
    error_data(err, REASON_COLUMN_MISSING, "%s has no column %.*s, which route %s needs",
               route_row_name(change, name), SPAN_ARG(match->route->fields.names[match->missing]),
               match->route->name);
    error_hint(err, "map the column that it has under routes[].columns, or mend the template");
    return ROUTE_FAILED;
}

static enum route_made event_of_message(struct router *router, struct event *event,
                                        struct error *err)
{
    struct route *route = router->message_route;
    start_event(router, route, event);
    if (router->nth == 0 && route_reads_messages(route) &&
        route_message_read(route, router->change, router->scratch, err) < 0)
        return ROUTE_FAILED;
    struct route_row row = {.cells = route->message_cells, .slots = route->message_slots};
    return make_event(router, route, &row, event, err);
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
            made = event_of_row(router, match, router->change->relation, event, err);
        if (is_done(router, made))
            router->next++;
        if (made != ROUTE_NOTHING)
            return made == ROUTE_FAILED ? -1 : 1;
    }
    return 0;
}

/* What the route makes of a table that is truncated; NULL: nothing. */
static const struct plan_match *truncates(struct router *router, const struct relation *relation,
                                          uint32_t route)
{
    const struct plan *plan = plan_of(&router->plans, relation);
    for (uint32_t i = 0; i < plan->match_count; i++)
        if (plan->matches[i].route->index == route &&
            (plan->matches[i].operations & router->operation) != 0)
            return &plan->matches[i];
    return NULL;
}

/* Table by table, but a route after the other: what one route makes of a change stands together. */
static int next_of_truncate(struct router *router, struct event *event, struct error *err)
{
    const struct change *change = router->change;
    for (; router->next < router->route_count; router->next++, router->table = 0)
        while (router->table < change->truncate.count) {
            const struct relation *relation = change->truncate.relations[router->table++];
            const struct plan_match *match = truncates(router, relation, router->next);
            if (match == NULL)
                continue;
            enum route_made made = event_of_row(router, match, relation, event, err);
            router->events++;
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
    if (router->change->op == CHANGE_TRUNCATE)
        return next_of_truncate(router, event, err);
    return router->plan != NULL ? next_of_row(router, event, err)
                                : next_of_message(router, event, err);
}

/* ---- Ahead of the need ---- */

bool router_looks_ahead(const struct router *router)
{
    assert(router != NULL);
    return router->tools.cage != NULL;
}

void router_meanwhile(struct router *router, void (*meanwhile)(void *with), void *with)
{
    assert(router != NULL);
    if (router_looks_ahead(router))
        jq_cage_meanwhile(router->tools.cage, meanwhile, with);
}

bool router_has_room(const struct router *router)
{
    assert(router != NULL);
    return !router_looks_ahead(router) || jq_cage_has_room(router->tools.cage);
}

void router_expect(struct router *router, const struct change *change, struct arena *scratch)
{
    assert(router != NULL && scratch != NULL);
    uint32_t operation = change_bit(change->op);
    if (!router_looks_ahead(router) || change->relation == NULL || change->op == CHANGE_TRUNCATE)
        return;
    const struct plan *plan = plan_of(&router->plans, change->relation);
    for (uint32_t i = 0; i < plan->match_count; i++) {
        const struct plan_match *match = &plan->matches[i];
        if ((match->operations & operation) == 0 || match->missing != FIELD_NONE ||
            match->route->as != ROUTE_EVENT)
            continue;
        bool old = change->op == CHANGE_DELETE;
        struct route_row row = {.change = change,
                                .relation = change->relation,
                                .key = &match->key,
                                .cells = old ? change->before.cells : change->after.cells,
                                .old = old,
                                .slots = match->slots,
                                .columns = &match->columns,
                                .fields = &match->route->fields,
                                .route = match->route->name};
        route_event_expect(match->route, &row, scratch);
    }
}

static enum router_share share_of(const struct route *route)
{
    return route->as == ROUTE_OUTBOX ? ROUTER_INSERTS : ROUTER_CHANGES;
}

enum router_share router_share_of_route(const struct router *router, uint32_t route)
{
    assert(route < router->route_count);
    return share_of(&router->routes[route]);
}

uint32_t router_operations(const struct router *router, enum router_share share)
{
    assert(router != NULL);
    uint32_t operations = 0;
    for (uint32_t i = 0; i < router->route_count; i++)
        if (!router->routes[i].match.of_message && share_of(&router->routes[i]) == share)
            operations |= router->routes[i].operations;
    return operations;
}

uint32_t router_operations_of_table(const struct router *router, uint32_t route, struct span schema,
                                    struct span table)
{
    assert(route < router->route_count);
    const struct route *r = &router->routes[route];
    if (r->match.of_message || !route_match_table(&r->match, schema, table))
        return 0;
    return r->operations;
}

bool router_has_share(const struct router *router, enum router_share share)
{
    assert(share < ROUTER_SHARES);
    return router_operations(router, share) != 0;
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

bool router_asks_for_old(const struct router *router, uint32_t route, struct span schema,
                         struct span table, bool *whole)
{
    assert(route < router->route_count && whole != NULL);
    const struct route *r = &router->routes[route];
    return r->as == ROUTE_EVENT && route_match_table(&r->match, schema, table) &&
           route_event_wants_old(r, whole);
}

int router_route_of_share(const struct router *router, enum router_share share, struct span schema,
                          struct span table)
{
    assert(share < ROUTER_SHARES);
    for (uint32_t i = 0; i < router->route_count; i++)
        if (share_of(&router->routes[i]) == share &&
            route_match_table(&router->routes[i].match, schema, table))
            return (int)router->routes[i].index;
    return -1;
}

int router_route_of_table(const struct router *router, struct span schema, struct span table)
{
    for (uint32_t i = 0; i < router->route_count; i++)
        if (route_match_table(&router->routes[i].match, schema, table))
            return (int)router->routes[i].index;
    return -1;
}
