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

/* Types of which no value can be read as what the route needs. Others may hold one that can: a text
 * with a number in it, a domain. */
static bool is_never(uint32_t type_oid, bool timestamps_too, bool numbers_too)
{
    switch (type_oid) {
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

/* Of a part with a default the NULLs may be what is meant. */
static bool is_in_topic(const struct route *route, uint32_t field)
{
    const struct template *topic = &route->topic.template;
    for (uint32_t i = 0; i < topic->count; i++) {
        const struct part *part = &topic->parts[i];
        if (part->kind == PART_FIELD && part->field == field && part->text.ptr == NULL)
            return true;
    }
    return false;
}

/* A bytea is \x and digits, and a time has a blank and colons. */
static bool is_never_topic(uint32_t type_oid)
{
    return type_oid == TYPE_BYTEA || type_oid == TYPE_TIMESTAMP || type_oid == TYPE_TIMESTAMPTZ;
}

static const char *must_be(const struct route *route, uint32_t field, uint32_t type_oid)
{
    if (field == route->timestamp && is_never(type_oid, false, false))
        return "a timestamp or a number of milliseconds";
    if (field == route->partition && is_never(type_oid, true, false))
        return "an integer";
    if (field == route->headers && is_never(type_oid, true, true))
        return "a JSON object";
    if (is_never_topic(type_oid) && is_in_topic(route, field))
        return "a value that a topic name can hold";
    return NULL;
}

bool route_lacks(const struct route *route, const struct relation *relation,
                 struct router_lack *lack)
{
    for (uint32_t i = 0; i < route->fields.count; i++) {
        struct field_slot slot = find_column(relation, route->fields.names[i]);
        *lack = (struct router_lack){.route = route->index, .column = route->fields.names[i]};
        if (slot.column == FIELD_NONE && i < route->required_count)
            return true;
        if (slot.column == FIELD_NONE)
            continue;
        lack->must_be = must_be(route, i, slot.type_oid);
        if (lack->must_be != NULL)
            return true;
    }
    return false;
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
