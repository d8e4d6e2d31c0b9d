/* route/route_plan: see route_plan.h. It looks at names and types, never at a cell. */
#include "route/route_plan.h"

#include "types/types.h"

#include "route/route_change.h"
#include "route/route_event.h"
#include "route/route_kind.h"

#include <assert.h>

#define LACK_BYTES 4096

void plan_cache_init(struct plan_cache *cache, struct arena *arena, struct route *routes,
                     uint32_t route_count)
{
    assert(arena != NULL);
    *cache = (struct plan_cache){.arena = arena, .routes = routes, .route_count = route_count};
    for (uint32_t i = 0; i < route_count; i++)
        if (!routes[i].match.of_message)
            cache->operations |= routes[i].operations;
    table_init(&cache->plans, arena);
}

/* From the catalogue a column comes with its oid alone. */
static const struct type *type_of(const struct column *column)
{
    const struct type *type = column->type;
    if (type == NULL)
        type = types_builtin(column->type_oid);
    return type != NULL ? type : types_unknown();
}

static struct field_slot find_column(const struct relation *relation, struct span name)
{
    for (uint32_t i = 0; i < relation->column_count; i++)
        if (span_equal(relation->columns[i].name, name))
            return (struct field_slot){.column = i, .type = type_of(&relation->columns[i])};
    return (struct field_slot){.column = FIELD_NONE};
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
static bool is_never_topic(const struct type *type)
{
    enum text_form form = type->base->text_form;
    return form == TEXT_FORM_BYTEA || form == TEXT_FORM_TIMESTAMP || form == TEXT_FORM_TIMESTAMPTZ;
}

static const char *must_be(const struct route *route, uint32_t field, const struct type *type)
{
    const char *wanted = route_must_be(route, field, type);
    if (wanted == NULL && is_never_topic(type) && is_in_topic(route, field))
        return "a value that a topic name can hold";
    return wanted;
}

/* What it says lives as long as the relation and the file. */
static bool change_lacks(const struct route *route, const struct relation *relation,
                         struct router_lack *lack)
{
    struct arena arena;
    struct span column;
    arena_init(&arena, LACK_BYTES, LACK_BYTES);
    const char *wanted = route_change_lacks(route, relation, &arena, &column);
    arena_fini(&arena);
    if (column.ptr == NULL)
        return false;
    *lack = (struct router_lack){.route = route->index, .column = column, .must_be = wanted};
    return true;
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
        lack->must_be = must_be(route, i, slot.type);
        if (lack->must_be != NULL)
            return true;
    }
    return route->as == ROUTE_CHANGE && change_lacks(route, relation, lack);
}

static void fill_match(struct plan_match *match, struct route *route,
                       const struct relation *relation, struct arena *arena)
{
    uint32_t count = route->fields.count;
    match->route = route;
    match->missing = FIELD_NONE;
    match->slots = arena_alloc(arena, count * sizeof *match->slots);
    route_kind_key(route, relation, arena, &match->key);
    if (route->as == ROUTE_EVENT)
        route_event_columns(route, relation, arena, &match->columns);
    for (uint32_t i = 0; i < count; i++) {
        match->slots[i] = find_column(relation, route->fields.names[i]);
        if (match->slots[i].column == FIELD_NONE && i < route->required_count &&
            match->missing == FIELD_NONE)
            match->missing = i;
    }
}

/* A route takes what it names of what no route before it has taken for itself. */
static void fill(struct plan_cache *cache, struct plan *plan, const struct relation *relation)
{
    uint32_t left = cache->operations;
    plan->relation = relation;
    plan->version = relation->version;
    plan->operations = 0;
    plan->match_count = 0;
    plan->matches = arena_alloc(cache->arena, cache->route_count * sizeof *plan->matches);
    for (uint32_t i = 0; i < cache->route_count && left != 0; i++) {
        struct route *route = &cache->routes[i];
        uint32_t operations = route->operations & left;
        if (operations == 0 || !route_match_table(&route->match, relation->schema, relation->name))
            continue;
        struct plan_match *match = &plan->matches[plan->match_count++];
        fill_match(match, route, relation, cache->arena);
        match->operations = operations;
        plan->operations |= operations;
        if (!route->continue_matching)
            left &= ~operations;
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
