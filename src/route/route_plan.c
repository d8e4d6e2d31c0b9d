/* route/route_plan: see route_plan.h. */
#include "route/route_plan.h"

#include <assert.h>

void plan_cache_init(struct plan_cache *cache, struct arena *arena, struct route *routes,
                     uint32_t route_count)
{
    assert(arena != NULL);
    *cache = (struct plan_cache){.arena = arena, .routes = routes, .route_count = route_count};
    table_init(&cache->plans, arena);
}

static struct field_slot find_column(const struct relation *relation, struct span name)
{
    for (uint32_t i = 0; i < relation->column_count; i++)
        if (span_equal(relation->columns[i].name, name))
            return (struct field_slot){.column = i, .type_oid = relation->columns[i].type_oid};
    return (struct field_slot){.column = FIELD_NONE};
}

static void fill_match(struct plan_match *match, struct route *route,
                       const struct relation *relation, struct arena *arena)
{
    uint32_t count = route->fields.count;
    match->route = route;
    match->missing = FIELD_NONE;
    match->slots = arena_alloc(arena, count * sizeof *match->slots);
    for (uint32_t i = 0; i < count; i++) {
        match->slots[i] = find_column(relation, route->fields.names[i]);
        if (match->slots[i].column == FIELD_NONE && i < route->required_count &&
            match->missing == FIELD_NONE)
            match->missing = i;
    }
}

static void fill(struct plan_cache *cache, struct plan *plan, const struct relation *relation)
{
    plan->relation = relation;
    plan->version = relation->version;
    plan->match_count = 0;
    plan->matches = arena_alloc(cache->arena, cache->route_count * sizeof *plan->matches);
    for (uint32_t i = 0; i < cache->route_count; i++) {
        struct route *route = &cache->routes[i];
        if (!route_match_table(&route->match, relation->schema, relation->name))
            continue;
        fill_match(&plan->matches[plan->match_count++], route, relation, cache->arena);
        if (!route->continue_matching)
            return;
    }
}

const struct plan *plan_find(struct plan_cache *cache, const struct relation *relation)
{
    assert(relation != NULL);
    assert(relation->version >= 1);
    struct span key = {(const char *)&relation, sizeof relation};
    struct plan *plan = table_get(&cache->plans, key);
    if (plan == NULL) {
        plan = arena_alloc_zero(cache->arena, sizeof *plan);
        table_put(&cache->plans, key, plan);
    }
    if (plan->version != relation->version)
        fill(cache, plan, relation);
    cache->last = plan;
    return plan;
}
