/* types_table: the types of PostgreSQL itself, from types.def. An array is the row of its elements
 * seen from the other side. The rows stand by oid. Looked through once for a column, never for an
 * event. */
#include "types/types.h"

#include <assert.h>

enum type_row {
#define TYPE(id, ...) ROW_##id,
#define RANGE(id, ...) ROW_##id,
#define MULTIRANGE(id, ...) ROW_##id,
#include "types/types.def"
#undef TYPE
#undef RANGE
#undef MULTIRANGE
    ROW_COUNT
};

#define TEXT_OF(literal)                                                                           \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define CATALOG TEXT_OF("pg_catalog")

static const struct type TYPES[ROW_COUNT] = {
#define TYPE(id_, name_, sql_, oid_, array_, len_, text_, json_, debezium_)                        \
    [ROW_##id_] = {.oid = (oid_),                                                                  \
                   .kind = TYPE_KIND_BASE,                                                         \
                   .schema = CATALOG,                                                              \
                   .name = TEXT_OF(name_),                                                         \
                   .sql = TEXT_OF(sql_),                                                           \
                   .binary_len = (len_),                                                           \
                   .text_form = TEXT_FORM_##text_,                                                 \
                   .json_form = JSON_FORM_##json_,                                                 \
                   .debezium_form = DEBEZIUM_FORM_##debezium_,                                     \
                   .base = &TYPES[ROW_##id_]},
#define MADE_OF(id_, name_, oid_, kind_, of_)                                                      \
    [ROW_##id_] = {.oid = (oid_),                                                                  \
                   .kind = (kind_),                                                                \
                   .schema = CATALOG,                                                              \
                   .name = TEXT_OF(name_),                                                         \
                   .sql = TEXT_OF(name_),                                                          \
                   .binary_len = -1,                                                               \
                   .element = &TYPES[ROW_##of_],                                                   \
                   .base = &TYPES[ROW_##id_]},
#define RANGE(id_, name_, oid_, array_, of_) MADE_OF(id_, name_, oid_, TYPE_KIND_RANGE, of_)
#define MULTIRANGE(id_, name_, oid_, array_, of_)                                                  \
    MADE_OF(id_, name_, oid_, TYPE_KIND_MULTIRANGE, of_)
#include "types/types.def"
#undef TYPE
#undef RANGE
#undef MULTIRANGE
};

/* oid 0: there is no array of the type. */
static const struct type ARRAYS[ROW_COUNT] = {
#define ARRAY_OF(id_, name_, array_)                                                               \
    [ROW_##id_] = {.oid = (array_),                                                                \
                   .kind = TYPE_KIND_ARRAY,                                                        \
                   .schema = CATALOG,                                                              \
                   .name = TEXT_OF("_" name_),                                                     \
                   .sql = TEXT_OF("_" name_),                                                      \
                   .binary_len = -1,                                                               \
                   .element = &TYPES[ROW_##id_],                                                   \
                   .base = &ARRAYS[ROW_##id_]},
#define TYPE(id_, name_, sql_, oid_, array_, ...) ARRAY_OF(id_, name_, array_)
#define RANGE(id_, name_, oid_, array_, of_) ARRAY_OF(id_, name_, array_)
#define MULTIRANGE(id_, name_, oid_, array_, of_) ARRAY_OF(id_, name_, array_)
#include "types/types.def"
#undef TYPE
#undef RANGE
#undef MULTIRANGE
};

const struct type *types_builtin(uint32_t oid)
{
    if (oid == 0 || oid >= TYPES_OID_OWN)
        return NULL;
    size_t from = 0, to = ROW_COUNT;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (TYPES[middle].oid == oid)
            return &TYPES[middle];
        if (TYPES[middle].oid < oid)
            from = middle + 1;
        else
            to = middle;
    }
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ARRAYS[i].oid == oid)
            return &ARRAYS[i];
    return NULL;
}

const struct type *types_builtin_named(struct span name)
{
    assert(name.ptr != NULL);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (span_equal(TYPES[i].name, name))
            return &TYPES[i];
        if (ARRAYS[i].oid != 0 && span_equal(ARRAYS[i].name, name))
            return &ARRAYS[i];
    }
    return NULL;
}

const struct type *types_plain_text(void)
{
    return &TYPES[ROW_TEXT];
}

const struct type *types_plain_json(void)
{
    return &TYPES[ROW_JSON];
}

const struct type *types_unknown(void)
{
    static const struct type unknown = {.schema = TEXT_OF(""),
                                        .name = TEXT_OF(""),
                                        .sql = TEXT_OF(""),
                                        .binary_len = -1,
                                        .base = &unknown};
    return &unknown;
}

const struct type *types_builtin_at(size_t index)
{
    if (index < ROW_COUNT)
        return &TYPES[index];
    index -= ROW_COUNT;
    return index < ROW_COUNT ? &ARRAYS[index] : NULL;
}
