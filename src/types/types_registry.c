/* types_registry: the types that one connection has met. Those of PostgreSQL itself are the rows of
 * the table; of others there is one struct for each oid, made at its first mention. What the stream
 * says wins over all else, because it is of the time of the row; so that no struct has to move, it
 * is changed in place. */
#include "types/types.h"

#include "base/table.h"

#include <assert.h>

struct own_type {
    struct type type; /* first: a pointer to it is a pointer to this */
    struct own_type *next_wanted;
    bool wanted;
    bool learnt;         /* from the catalogue */
    struct span *labels; /* type.labels, to write into */
    uint32_t labels_size;
};

struct type_registry {
    struct arena *arena;
    struct table by_oid;
    struct own_type *wanted; /* a list */
    uint32_t wanted_count;
    struct own_type *learnt; /* the last one */
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
        .modifier = -1,
    };
}

/* What people install, by name as Debezium knows it, whatever its schema. */
static enum debezium_form form_of_extension(struct span name)
{
    static const struct {
        const char *name;
        enum debezium_form form;
    } known[] = {{"hstore", DEBEZIUM_FORM_HSTORE},      {"citext", DEBEZIUM_FORM_STRING},
                 {"ltree", DEBEZIUM_FORM_STRING},       {"isbn", DEBEZIUM_FORM_STRING},
                 {"geometry", DEBEZIUM_FORM_GEOMETRY},  {"geography", DEBEZIUM_FORM_GEOMETRY},
                 {"vector", DEBEZIUM_FORM_VECTOR},      {"halfvec", DEBEZIUM_FORM_HALFVEC},
                 {"sparsevec", DEBEZIUM_FORM_SPARSEVEC}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_equal_text(name, known[i].name))
            return known[i].form;
    return DEBEZIUM_FORM_UNKNOWN;
}

static struct own_type *own_type(struct type_registry *registry, uint32_t oid)
{
    struct span key = {(const char *)&oid, sizeof oid};
    struct own_type *own = table_get(&registry->by_oid, key);
    if (own == NULL) {
        own = arena_alloc_zero(registry->arena, sizeof *own);
        forget(&own->type, oid);
        table_put(&registry->by_oid, key, own);
    }
    assert(own->type.oid == oid);
    return own;
}

const struct type *type_registry_get(struct type_registry *registry, uint32_t oid)
{
    assert(registry != NULL);
    const struct type *builtin = types_builtin(oid);
    return builtin != NULL ? builtin : &own_type(registry, oid)->type;
}

/* The same again, after an invalidation, takes no memory. */
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
    struct own_type *own = own_type(registry, oid);
    struct type *type = &own->type;
    const struct type *base = schema.len == 0 ? types_builtin_named(name) : NULL;
    if (base != NULL) {
        if (type->kind == TYPE_KIND_DOMAIN && type->base == base)
            return;
        forget(type, oid);
        own->learnt = false;
        type->kind = TYPE_KIND_DOMAIN;
        type->base = base;
        return;
    }
    if (is_over_builtin(type)) {
        forget(type, oid); /* the oid is another type's now */
        own->learnt = false;
    }
    if (type->kind == TYPE_KIND_UNKNOWN) {
        set_text(registry, &type->schema, schema);
        set_text(registry, &type->name, name);
        type->debezium_form = form_of_extension(name);
    }
}

/* ---- The catalogue ---- */

/* Is there a domain's modifier to be known? */
static bool takes_modifier(const struct type *base)
{
    switch (base->kind == TYPE_KIND_ARRAY ? base->element->debezium_form : base->debezium_form) {
    case DEBEZIUM_FORM_NUMERIC:
    case DEBEZIUM_FORM_BITS:
    case DEBEZIUM_FORM_TIME:
    case DEBEZIUM_FORM_TIMESTAMP:
    case DEBEZIUM_FORM_TIMESTAMPTZ:
        return true;
    default:
        return false;
    }
}

const struct type *type_registry_want(struct type_registry *registry, uint32_t oid)
{
    assert(registry != NULL);
    const struct type *builtin = types_builtin(oid);
    if (builtin != NULL)
        return builtin;
    struct own_type *own = own_type(registry, oid);
    bool whole = own->learnt || !takes_modifier(own->type.base);
    if (own->wanted || (is_over_builtin(&own->type) && whole))
        return &own->type;
    own->wanted = true;
    own->next_wanted = registry->wanted;
    registry->wanted = own;
    registry->wanted_count++;
    return &own->type;
}

uint32_t type_registry_wanted(const struct type_registry *registry, uint32_t max, uint32_t *oids)
{
    assert(registry != NULL);
    assert(oids != NULL || max == 0);
    const struct own_type *own = registry->wanted;
    for (uint32_t i = 0; i < max && own != NULL; i++) {
        oids[i] = own->type.oid;
        own = own->next_wanted;
    }
    return registry->wanted_count;
}

void type_registry_settle(struct type_registry *registry)
{
    assert(registry != NULL);
    while (registry->wanted != NULL) {
        struct own_type *own = registry->wanted;
        registry->wanted = own->next_wanted;
        own->wanted = false;
    }
    registry->wanted_count = 0;
    registry->learnt = NULL;
}

void type_registry_learn(struct type_registry *registry, const struct type_facts *facts)
{
    assert(registry != NULL && facts != NULL);
    registry->learnt = NULL;
    if (types_builtin(facts->oid) != NULL)
        return;
    struct own_type *own = own_type(registry, facts->oid);
    struct type *type = &own->type;
    const struct type *of = facts->of != 0 ? type_registry_get(registry, facts->of) : NULL;
    type->kind = facts->kind;
    type->element = NULL;
    type->base = type;
    if (facts->kind == TYPE_KIND_DOMAIN && of != NULL)
        type->base = of->base;
    else if (of != NULL)
        type->element = of;
    type->modifier = facts->modifier;
    if (facts->kind == TYPE_KIND_DOMAIN && of != NULL && facts->modifier < 0)
        type->modifier = of->kind == TYPE_KIND_DOMAIN ? of->modifier : -1;
    type->debezium_form = form_of_extension(facts->name);
    type->label_count = 0;
    own->learnt = true;
    set_text(registry, &type->schema, facts->schema);
    set_text(registry, &type->name, facts->name);
    registry->learnt = own;
}

void type_registry_learn_label(struct type_registry *registry, struct span label)
{
    assert(registry != NULL);
    struct own_type *own = registry->learnt;
    if (own == NULL || own->type.kind != TYPE_KIND_ENUM)
        return;
    uint32_t at = own->type.label_count;
    if (at == own->labels_size) {
        uint32_t size = at == 0 ? 8 : at * 2;
        struct span *labels = arena_alloc_zero(registry->arena, size * sizeof *labels);
        if (at > 0)
            memcpy(labels, own->labels, at * sizeof *labels);
        own->labels = labels;
        own->labels_size = size;
        own->type.labels = labels;
    }
    set_text(registry, &own->labels[at], label);
    own->type.label_count++;
}
