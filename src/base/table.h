/* base/table: a hash table from bytes to a pointer.
 *
 * Keys are copied into the arena given at init and live as long as it does; there is no removal of
 * a single key, the whole table goes with its arena. Open addressing, grown at 70 %. */
#ifndef WALFERRY_BASE_TABLE_H
#define WALFERRY_BASE_TABLE_H

#include "base/arena.h"

#include <stdint.h>

struct table_slot {
    struct span key;
    uint64_t hash;
    void *value;
};

struct table {
    struct arena *arena;
    struct table_slot *slots;
    size_t size;
    size_t count;
};

void table_init(struct table *table, struct arena *arena);
void *table_get(const struct table *table, struct span key);
/* value: not NULL. Replaces what was there. */
void table_put(struct table *table, struct span key, void *value);
/* Iterates: *cursor starts at 0; false at the end. The order is undefined. */
bool table_next(const struct table *table, size_t *cursor, struct span *key, void **value);

#endif
