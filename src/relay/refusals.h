/* relay/refusals: what the broker refused by itself, and is not to be sent again.
 *
 * Bounded: where a transaction holds more than are remembered, what is known of it is committed in
 * a part of its own, and the rest is learnt anew (see reader_options.cut_behind). Found by a hash,
 * because the reader asks for every change. */
#ifndef WALFERRY_RELAY_REFUSALS_H
#define WALFERRY_RELAY_REFUSALS_H

#include "base/reason.h"
#include "model/change_id.h"

/* What one route makes of one change. */
struct verdict_unit {
    struct change_id id;
    uint32_t route; /* index into the configured routes */
};

static inline bool verdict_unit_equal(struct verdict_unit a, struct verdict_unit b)
{
    return a.route == b.route && change_id_equal(a.id, b.id);
}

/* A unit that was refused when it was on its way, and why. */
struct verdict_refusal {
    struct verdict_unit unit;
    enum reason reason;
    bool uncut; /* larger than its topic takes, and nothing in it can be cut */
    char text[200];
};

/* Remembered at most, but that what is begun of a change is remembered whole: a megabyte. */
#define REFUSALS_MAX 4096

struct refusals {
    struct verdict_refusal *items; /* in the order in which they were learnt */
    uint32_t count;
    uint32_t size;
    uint32_t max;
    uint32_t *buckets; /* 1 + index into items; 0: free */
    uint32_t bucket_count;
};

void refusals_init(struct refusals *refusals, uint32_t max);
void refusals_fini(struct refusals *refusals);

/* NULL: it was not refused. */
const struct verdict_refusal *refusals_find(const struct refusals *refusals,
                                            struct verdict_unit unit);
/* What is there already is left as it is, but that it may turn out not to be cut. False: there is
 * no room for another change. */
bool refusals_add(struct refusals *refusals, const struct verdict_refusal *refusal);
/* Adds what there is room for, and empties the other one. */
void refusals_take(struct refusals *refusals, struct refusals *other);
void refusals_clear(struct refusals *refusals);
/* Forgets those of which `behind` is true. */
void refusals_drop(struct refusals *refusals, bool (*behind)(struct change_id id, const void *of),
                   const void *of);
/* The change that was learnt last, where there is no room for another; else NONE. */
struct change_id refusals_full_at(const struct refusals *refusals);

#endif
