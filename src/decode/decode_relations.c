/* decode_relations: see the header. A description is first checked as it lies in the message, then
 * copied whole into the epoch arena; the names of the relation point into that copy. */
#include "decode/decode_relations.h"

#include "decode/decode_key.h"

#include <assert.h>

/* Bit 0 of a column's flags: part of the replica identity. */
#define COLUMN_FLAG_KEY 1

struct entry {
    struct relation relation; /* first: a pointer to it is a pointer to the entry */
    struct span description;  /* the message behind the oid, in the epoch arena */
    uint32_t capacity;        /* of relation.columns */
    uint32_t *key[2];         /* room for the numbers of so many columns; one of them is the key */
    bool *not_null;           /* and for what is said of each */
    struct span *defs;
};

void relations_init(struct relations *relations, struct type_registry *types,
                    const struct texts *texts, struct arena *epoch)
{
    assert(types != NULL && epoch != NULL);
    *relations = (struct relations){.epoch = epoch, .types = types, .texts = texts};
    table_init(&relations->by_oid, epoch);
}

static struct span oid_key(const uint32_t *oid)
{
    return (struct span){(const char *)oid, sizeof *oid};
}

const struct relation *relations_search(struct relations *relations, uint32_t oid)
{
    const struct entry *entry = table_get(&relations->by_oid, oid_key(&oid));
    if (entry == NULL)
        return NULL;
    assert(entry->relation.oid == oid);
    relations->last = &entry->relation;
    return &entry->relation;
}

static bool identity_known(char identity)
{
    return identity == 'd' || identity == 'n' || identity == 'f' || identity == 'i';
}

/* Everything of a description but the columns. pg_catalog goes over the wire as an empty string. */
static void read_head(struct reader *r, struct relation *relation)
{
    relation->schema = read_string(r);
    if (relation->schema.len == 0)
        relation->schema = SPAN_LITERAL("pg_catalog");
    relation->name = read_string(r);
    relation->identity = (char)read_u8(r);
    if (!r->failed && !identity_known(relation->identity))
        reader_fail(r, "unknown replica identity 0x%02x", (unsigned char)relation->identity);
    relation->column_count = read_u16(r);
}

static void read_column(struct reader *r, struct column *column)
{
    column->key = (read_u8(r) & COLUMN_FLAG_KEY) != 0;
    column->name = read_string(r);
    column->type_oid = read_u32(r);
    column->type_modifier = (int32_t)read_u32(r);
    column->type = NULL;
}

/* Walks over the whole description; false where it is not one, and then r says why. */
static bool check_description(struct reader *r)
{
    struct relation relation;
    read_head(r, &relation);
    for (uint32_t i = 0; i < relation.column_count && !r->failed; i++) {
        struct column column;
        read_column(r, &column);
    }
    if (!r->failed && reader_left(r) > 0)
        reader_fail(r, "%zu bytes too many", reader_left(r));
    return !r->failed;
}

static struct entry *new_entry(struct relations *relations, uint32_t oid)
{
    struct entry *entry = arena_alloc_zero(relations->epoch, sizeof *entry);
    entry->relation.oid = oid;
    table_put(&relations->by_oid, oid_key(&oid), entry);
    return entry;
}

/* `description` has passed check_description() and lives in the epoch arena. */
static void fill_entry(struct relations *relations, struct entry *entry, struct span description)
{
    struct relation *relation = &entry->relation;
    struct reader r;
    reader_init(&r, description);
    read_head(&r, relation);
    bool schema_good = texts_name(relations->texts, &relation->schema, relations->epoch);
    bool name_good = texts_name(relations->texts, &relation->name, relations->epoch);
    relation->not_utf8 = !schema_good || !name_good;
    if (relation->column_count > entry->capacity || relation->columns == NULL) {
        relation->columns =
            arena_alloc(relations->epoch, relation->column_count * sizeof *relation->columns);
        entry->capacity = relation->column_count;
        entry->key[0] = entry->key[1] = NULL;
        entry->not_null = NULL;
        entry->defs = NULL;
    }
    for (uint32_t i = 0; i < relation->column_count; i++) {
        struct column *column = &relation->columns[i];
        read_column(&r, column);
        (void)texts_name(relations->texts, &column->name, relations->epoch);
        column->type = type_registry_want(relations->types, column->type_oid);
    }
    assert(!r.failed && reader_left(&r) == 0);
    entry->description = description;
    relation->key = (struct relation_key){.asked = false};
    relation->version++;
    if (relations->columns_max < relation->column_count)
        relations->columns_max = relation->column_count;
}

void relations_read(struct relations *relations, struct reader *r)
{
    uint32_t oid = read_u32(r);
    struct span description = {r->at, reader_left(r)};
    if (r->failed || !check_description(r))
        return;
    struct entry *entry = table_get(&relations->by_oid, oid_key(&oid));
    if (entry != NULL && span_equal(entry->description, description)) {
        entry->relation.key.asked = false; /* it may have another key all the same */
        return;
    }
    if (entry == NULL)
        entry = new_entry(relations, oid);
    fill_entry(relations, entry, arena_copy(relations->epoch, description));
}

/* ---- What the catalogue says ---- */

static bool learn_not_null(struct entry *entry, const struct relation_facts *facts,
                           const struct key_alignment *alignment)
{
    const struct relation *relation = &entry->relation;
    bool news = relation->key.not_null == NULL;
    for (uint32_t i = 0; i < relation->column_count; i++) {
        uint16_t fact = alignment->fact_of[i];
        bool not_null = fact != KEY_COLUMN_NONE && facts->columns[fact].not_null;
        news |= entry->not_null[i] != not_null;
        entry->not_null[i] = not_null;
    }
    return news;
}

/* Texts are kept once for each change of them. */
static bool learn_defaults(struct entry *entry, const struct relation_facts *facts,
                           const struct key_alignment *alignment, struct arena *epoch)
{
    bool news = false;
    for (uint32_t i = 0; i < entry->relation.column_count; i++) {
        uint16_t fact = alignment->fact_of[i];
        struct span def = fact != KEY_COLUMN_NONE ? facts->columns[fact].def : span_null();
        struct span *kept = &entry->defs[i];
        if ((def.ptr == NULL) == (kept->ptr == NULL) && span_equal(def, *kept))
            continue;
        *kept = def.ptr != NULL ? arena_copy(epoch, def) : def;
        news = true;
    }
    return news;
}

/* The array that does not hold the key. */
static uint32_t *spare(struct relations *relations, struct entry *entry)
{
    size_t count = (size_t)entry->capacity + 1;
    if (entry->not_null == NULL) {
        for (int i = 0; i < 2; i++)
            entry->key[i] = arena_alloc(relations->epoch, count * sizeof **entry->key);
        entry->not_null = arena_alloc_zero(relations->epoch, count * sizeof *entry->not_null);
        entry->defs = arena_alloc_zero(relations->epoch, count * sizeof *entry->defs);
    }
    return entry->key[entry->relation.key.columns == entry->key[0] ? 1 : 0];
}

void relations_learn(struct relations *relations, uint32_t oid, const struct relation_facts *facts)
{
    struct entry *entry = table_get(&relations->by_oid, oid_key(&oid));
    assert(entry != NULL && facts != NULL);
    struct relation *relation = &entry->relation;
    struct relation_key *key = &relation->key;
    uint32_t *found = spare(relations, entry);
    struct key_alignment alignment;
    key_align(relation, facts, &alignment);
    int result = key_find(relation, facts, &alignment, found);
    uint32_t count = result < 0 ? 0 : (uint32_t)result;
    bool news = learn_not_null(entry, facts, &alignment);
    news |= learn_defaults(entry, facts, &alignment, relations->epoch);
    key->asked = true;
    news |= count != key->count || key->unknown != (result < 0) ||
            (count > 0 && memcmp(found, key->columns, count * sizeof *found) != 0);
    if (!news)
        return;
    *key = (struct relation_key){.asked = true,
                                 .unknown = result < 0,
                                 .count = count,
                                 .columns = found,
                                 .not_null = entry->not_null,
                                 .defs = entry->defs};
    relation->version++;
}
