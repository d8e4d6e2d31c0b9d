/* base/table: open addressing with linear probing, at most 70 % full. The hash is enough for topic
 * and relation names. Nothing is ever taken out. */
#include "base/table.h"

#include "base/hash.h"

#include <assert.h>

static uint64_t hash_of(struct span key)
{
    return hash_add(HASH_INIT, key.ptr, key.len);
}

void table_init(struct table *table, struct arena *arena)
{
    *table = (struct table){.arena = arena};
}

/* The slot of the key, or the free one where it would go. */
static struct table_slot *find(const struct table *table, struct span key, uint64_t hash)
{
    assert(table->size > table->count);
    size_t i = (size_t)hash & (table->size - 1);
    while (table->slots[i].value != NULL) {
        if (table->slots[i].hash == hash && span_equal(table->slots[i].key, key))
            break;
        i = (i + 1) & (table->size - 1);
    }
    return &table->slots[i];
}

void *table_get(const struct table *table, struct span key)
{
    if (table->count == 0)
        return NULL;
    return find(table, key, hash_of(key))->value;
}

static void grow(struct table *table)
{
    struct table old = *table;
    table->size = old.size == 0 ? 16 : old.size * 2;
    table->slots = arena_alloc_zero(table->arena, table->size * sizeof *table->slots);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value != NULL)
            *find(table, old.slots[i].key, old.slots[i].hash) = old.slots[i];
}

void table_put(struct table *table, struct span key, void *value)
{
    assert(table->arena != NULL);
    assert(value != NULL);
    if ((table->count + 1) * 10 > table->size * 7)
        grow(table);
    uint64_t hash = hash_of(key);
    struct table_slot *slot = find(table, key, hash);
    if (slot->value == NULL) {
        slot->key = arena_copy(table->arena, key);
        slot->hash = hash;
        table->count++;
    }
    slot->value = value;
}

bool table_next(const struct table *table, size_t *cursor, struct span *key, void **value)
{
    while (*cursor < table->size) {
        const struct table_slot *slot = &table->slots[(*cursor)++];
        if (slot->value == NULL)
            continue;
        *key = slot->key;
        *value = slot->value;
        return true;
    }
    return false;
}
