/* relay/refusals: see refusals.h. Linear probing, never more than half full; it grows with what is
 * refused, which costs nothing where nothing is. */
#include "relay/refusals.h"

#include <assert.h>
#include <stdlib.h>

#define SIZE_MIN 16

void refusals_init(struct refusals *r, uint32_t max)
{
    assert(max > 0);
    *r = (struct refusals){.max = max};
}

void refusals_fini(struct refusals *r)
{
    free(r->items);
    free(r->buckets);
    *r = (struct refusals){.max = r->max};
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint32_t bucket_of(const struct refusals *r, struct verdict_unit unit)
{
    uint64_t hash = mix(mix(unit.route, unit.id.final_lsn), unit.id.ordinal);
    return (uint32_t)mix(hash, unit.id.table) & (r->bucket_count - 1);
}

/* The bucket of the unit, or the free one where it would stand. */
static uint32_t look(const struct refusals *r, struct verdict_unit unit)
{
    uint32_t bucket = bucket_of(r, unit);
    while (r->buckets[bucket] != 0 &&
           !verdict_unit_equal(r->items[r->buckets[bucket] - 1].unit, unit))
        bucket = (bucket + 1) & (r->bucket_count - 1);
    return bucket;
}

static struct verdict_refusal *find(const struct refusals *r, struct verdict_unit unit)
{
    if (r->count == 0)
        return NULL;
    uint32_t found = r->buckets[look(r, unit)];
    return found != 0 ? &r->items[found - 1] : NULL;
}

const struct verdict_refusal *refusals_find(const struct refusals *r, struct verdict_unit unit)
{
    return find(r, unit);
}

static void index_all(struct refusals *r)
{
    for (uint32_t i = 0; i < r->bucket_count; i++)
        r->buckets[i] = 0;
    for (uint32_t i = 0; i < r->count; i++)
        r->buckets[look(r, r->items[i].unit)] = i + 1;
}

static void grow(struct refusals *r)
{
    r->size = r->size > 0 ? r->size * 2 : SIZE_MIN;
    r->bucket_count = r->size * 2;
    r->items = realloc(r->items, r->size * sizeof *r->items);
    r->buckets = realloc(r->buckets, r->bucket_count * sizeof *r->buckets);
    if (r->items == NULL || r->buckets == NULL)
        abort();
    index_all(r);
}

struct change_id refusals_full_at(const struct refusals *r)
{
    if (r->count < r->max)
        return (struct change_id){.kind = CHANGE_ID_NONE};
    return r->items[r->count - 1].unit.id;
}

bool refusals_add(struct refusals *r, const struct verdict_refusal *refusal)
{
    assert(!change_id_is_none(refusal->unit.id));
    struct verdict_refusal *known = find(r, refusal->unit);
    if (known != NULL) {
        known->uncut |= refusal->uncut;
        return true;
    }
    if (r->count >= r->max && !change_id_equal(refusals_full_at(r), refusal->unit.id))
        return false;
    if (r->count == r->size)
        grow(r);
    uint32_t bucket = look(r, refusal->unit);
    r->items[r->count++] = *refusal;
    r->buckets[bucket] = r->count;
    return true;
}

void refusals_take(struct refusals *r, struct refusals *other)
{
    assert(r != other);
    for (uint32_t i = 0; i < other->count; i++)
        if (!refusals_add(r, &other->items[i]))
            break;
    refusals_clear(other);
}

void refusals_clear(struct refusals *r)
{
    refusals_fini(r);
}

void refusals_drop(struct refusals *r, bool (*behind)(struct change_id id, const void *of),
                   const void *of)
{
    assert(behind != NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (!behind(r->items[i].unit.id, of))
            r->items[kept++] = r->items[i];
    r->count = kept;
    index_all(r);
}
