/* route/route_plan: which routes take the rows of a relation, and where their fields are in it.
 * Internal to the module.
 *
 * Made once for each (relation, version); after that a row costs a comparison of two words. A plan
 * that is made anew, because the table was altered, leaves its old memory to the router's arena,
 * which goes with the epoch. */
#ifndef WALFERRY_ROUTE_ROUTE_PLAN_H
#define WALFERRY_ROUTE_ROUTE_PLAN_H

#include "base/table.h"
#include "route/route_compile.h"

struct plan_match {
    struct route *route;
    uint32_t operations; /* which the route takes of this relation: a set of change_bit() */
    uint32_t missing; /* the first required field that the relation does not have, or FIELD_NONE */
    struct field_slot *slots;
    struct route_key key;
    struct route_columns columns; /* for jq */
};

struct plan {
    const struct relation *relation;
    uint64_t version;
    uint32_t operations; /* which any route takes */
    uint32_t match_count;
    struct plan_match *matches; /* in the order of the routes */
};

struct plan_cache {
    struct arena *arena;
    struct route *routes;
    uint32_t route_count;
    uint32_t operations; /* which any route takes of any relation */
    struct table plans;  /* by the address of the relation */
    struct plan *last;
};

void plan_cache_init(struct plan_cache *cache, struct arena *arena, struct route *routes,
                     uint32_t route_count);
/* See router_lacks(): for one route that takes the relation's rows. */
bool route_lacks(const struct route *route, const struct relation *relation,
                 struct router_lack *lack);
/* Makes the plan where there is none or the relation has changed. */
const struct plan *plan_find(struct plan_cache *cache, const struct relation *relation);

static inline const struct plan *plan_of(struct plan_cache *cache, const struct relation *relation)
{
    const struct plan *last = cache->last;
    if (last != NULL && last->relation == relation && last->version == relation->version)
        return last;
    return plan_find(cache, relation);
}

#endif
