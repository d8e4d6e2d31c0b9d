/* types_registry: the types that one connection has met. Those of PostgreSQL itself are the rows of
 * the table; of others there is one struct for each oid, made at its first mention. What the stream
 * says wins over all else, because it is of the time of the row; so that no struct has to move, it
 * is changed in place. */
#include "types/types.h"

#include "base/table.h"

#include <assert.h>

struct type_registry {
    struct arena *arena;
    struct table by_oid;
};

struct type_registry *type_registry_open(struct arena *epoch)
{
    assert(epoch != NULL);
    struct type_registry *registry = arena_alloc_zero(epoch, sizeof *registry);
    registry->arena = epoch;
    table_init(&registry->by_oid, epoch);
    return registry;
}

/* A type of which nothing is known is text. */
static void forget(struct type *type, uint32_t oid)
{
    *type = (struct type){
        .oid = oid,
        .kind = TYPE_KIND_UNKNOWN,
        .schema = SPAN_LITERAL(""),
        .name = SPAN_LITERAL(""),
        .sql = SPAN_LITERAL(""),
        .binary_len = -1,
        .text_form = TEXT_FORM_NONE,
        .json_form = JSON_FORM_STRING,
        .base = type,
    };
}

static struct type *own_type(struct type_registry *registry, uint32_t oid)
{
    struct span key = {(const char *)&oid, sizeof oid};
    struct type *type = table_get(&registry->by_oid, key);
    if (type == NULL) {
        type = arena_alloc(registry->arena, sizeof *type);
        forget(type, oid);
        table_put(&registry->by_oid, key, type);
    }
    assert(type->oid == oid);
    return type;
}

const struct type *type_registry_get(struct type_registry *registry, uint32_t oid)
{
    assert(registry != NULL);
    const struct type *builtin = types_builtin(oid);
    return builtin != NULL ? builtin : own_type(registry, oid);
}

static void set_text(struct type_registry *registry, struct span *text, struct span wanted)
{
    if (!span_equal(*text, wanted))
        *text = arena_copy(registry->arena, wanted);
}

/* Does it stand for one of PostgreSQL's own types? */
static bool is_over_builtin(const struct type *type)
{
    return type->base != type && types_builtin(type->base->oid) == type->base;
}

void type_registry_announce(struct type_registry *registry, uint32_t oid, struct span schema,
                            struct span name)
{
    assert(registry != NULL && schema.ptr != NULL);
    assert(name.ptr != NULL);
    if (types_builtin(oid) != NULL)
        return;
    struct type *type = own_type(registry, oid);
    const struct type *base = schema.len == 0 ? types_builtin_named(name) : NULL;
    if (base != NULL) {
        if (type->kind == TYPE_KIND_DOMAIN && type->base == base)
            return;
        forget(type, oid);
        type->kind = TYPE_KIND_DOMAIN;
        type->base = base;
        return;
    }
    if (is_over_builtin(type))
        forget(type, oid); /* the oid is another type's now */
    if (type->kind == TYPE_KIND_UNKNOWN) {
        set_text(registry, &type->schema, schema);
        set_text(registry, &type->name, name);
    }
}
