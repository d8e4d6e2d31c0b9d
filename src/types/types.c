/* types/: see types.h. Here is only what has an oid in the place of a type. An oid that is not
 * PostgreSQL's own is that of a type of which nothing is known. */
#include "types/types.h"

#include <assert.h>

/* Fills *unknown where the table has no such type. */
static const struct type *type_of(uint32_t oid, struct type *unknown)
{
    const struct type *builtin = types_builtin(oid);
    if (builtin != NULL)
        return builtin;
    *unknown = (struct type){.oid = oid, .binary_len = -1, .base = unknown};
    return unknown;
}

int types_text(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *text,
               struct error *err)
{
    assert(text != NULL);
    struct type unknown;
    struct rendering rendering;
    if (types_render_text(cell, type_of(type_oid, &unknown), arena, &rendering, err) < 0)
        return -1;
    *text = rendering.bytes;
    return 0;
}

int types_raw(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *bytes,
              struct error *err)
{
    assert(bytes != NULL);
    struct type unknown;
    struct rendering rendering;
    if (types_render_raw(cell, type_of(type_oid, &unknown), arena, &rendering, err) < 0)
        return -1;
    *bytes = rendering.bytes;
    return 0;
}

int types_timestamp_us(const struct cell *cell, uint32_t type_oid, int64_t *unix_us,
                       struct error *err)
{
    struct type unknown;
    return types_read_timestamp_us(cell, type_of(type_oid, &unknown), unix_us, err);
}

int types_int32(const struct cell *cell, uint32_t type_oid, int32_t *value, struct error *err)
{
    struct type unknown;
    return types_read_int32(cell, type_of(type_oid, &unknown), value, err);
}
