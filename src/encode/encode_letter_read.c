/* encode/encode_letter_read: a dead letter's value becomes the change that it was. It mirrors
 * encode_letter.c member by member. */
#include "encode/encode.h"

#include "base/table.h"
#include "json/json_read.h"
#include "types/types.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES (16 * 1024)
#define SCRATCH_BYTES (64 * 1024)
/* As many as a table of PostgreSQL can have. */
#define COLUMNS_MAX 1600
#define TABLES_MAX 10000

struct letter_reader {
    struct arena keep;      /* relations and their types */
    struct table relations; /* what a letter says of a table → struct relation */
    struct arena scratch;
    struct json_tree *tree; /* the strings of the change */
    struct buf text;
};

struct letter_reader *letter_reader_open(void)
{
    struct letter_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    arena_init(&r->keep, KEEP_BYTES, KEEP_BYTES);
    arena_init(&r->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
    table_init(&r->relations, &r->keep);
    assert(r->tree == NULL);
    return r;
}

void letter_reader_close(struct letter_reader *r)
{
    if (r == NULL)
        return;
    json_tree_free(r->tree);
    buf_fini(&r->text);
    arena_fini(&r->scratch);
    arena_fini(&r->keep);
    free(r);
}

static int bad(struct error *err, const char *what)
{
    return error_data(err, REASON_BAD_LETTER, "the letter's value: %s", what);
}

/* ---- Tables ---- */

static struct span kept(struct letter_reader *r, const struct json_tree *node, const char *member)
{
    struct span text;
    return json_tree_member_string(node, member, &text) ? arena_copy(&r->keep, text)
                                                        : SPAN_LITERAL("");
}

static enum type_kind kind_of(const struct json_tree *node)
{
    static const struct {
        const char *name;
        enum type_kind kind;
    } kinds[] = {{"base", TYPE_KIND_BASE},          {"array", TYPE_KIND_ARRAY},
                 {"enum", TYPE_KIND_ENUM},          {"domain", TYPE_KIND_DOMAIN},
                 {"range", TYPE_KIND_RANGE},        {"multirange", TYPE_KIND_MULTIRANGE},
                 {"composite", TYPE_KIND_COMPOSITE}};
    struct span name;
    if (json_tree_member_string(node, "kind", &name))
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (span_equal_text(name, kinds[i].name))
                return kinds[i].kind;
    return TYPE_KIND_UNKNOWN;
}

static void learn_types(struct letter_reader *r, const struct json_tree *types,
                        struct type_registry *registry)
{
    for (size_t i = 0; i < json_tree_count(types); i++) {
        const struct json_tree *node = json_tree_at(types, i);
        const struct json_tree *labels = json_tree_member(node, "labels");
        uint64_t oid = 0, of = 0;
        int64_t modifier = -1;
        (void)json_tree_member_u64(node, "oid", &oid);
        (void)json_tree_member_u64(node, "of", &of);
        (void)json_tree_member_i64(node, "modifier", &modifier);
        const struct type_facts facts = {.oid = (uint32_t)oid,
                                         .kind = kind_of(node),
                                         .of = (uint32_t)of,
                                         .modifier = (int32_t)modifier,
                                         .schema = kept(r, node, "schema"),
                                         .name = kept(r, node, "name")};
        if (oid == 0 || facts.kind == TYPE_KIND_UNKNOWN)
            continue;
        type_registry_learn(registry, &facts);
        struct span label;
        for (size_t j = 0; j < json_tree_count(labels); j++)
            if (json_tree_string(json_tree_at(labels, j), &label))
                type_registry_learn_label(registry, label);
    }
}

static int read_column(struct letter_reader *r, const struct json_tree *node,
                       struct type_registry *registry, struct column *column, struct error *err)
{
    uint64_t oid;
    int64_t modifier = -1;
    struct span name;
    if (!json_tree_member_string(node, "name", &name) ||
        !json_tree_member_u64(node, "type_oid", &oid) || oid > UINT32_MAX)
        return bad(err, "a column has no name or no type");
    (void)json_tree_member_i64(node, "type_modifier", &modifier);
    *column = (struct column){.name = span_of(arena_text(&r->keep, name)),
                              .type_oid = (uint32_t)oid,
                              .type_modifier = (int32_t)modifier};
    (void)json_tree_member_bool(node, "identity", &column->key);
    struct span type = kept(r, node, "type");
    if (type.len > 0 && types_builtin(column->type_oid) == NULL)
        type_registry_announce(registry, column->type_oid, kept(r, node, "type_schema"), type);
    column->type = type_registry_get(registry, column->type_oid);
    return 0;
}

static int read_key(struct letter_reader *r, const struct json_tree *node,
                    const struct json_tree *columns, struct relation *relation, struct error *err)
{
    const struct json_tree *names = json_tree_member(node, "primary_key");
    uint32_t count = 0;
    uint32_t *key = arena_alloc(&r->keep, (json_tree_count(names) + 1) * sizeof *key);
    bool *not_null = arena_alloc_zero(&r->keep, (relation->column_count + 1) * sizeof *not_null);
    for (uint32_t i = 0; i < relation->column_count; i++)
        (void)json_tree_member_bool(json_tree_at(columns, i), "not_null", &not_null[i]);
    for (size_t i = 0; i < json_tree_count(names); i++) {
        struct span name;
        uint32_t at = 0;
        if (!json_tree_string(json_tree_at(names, i), &name))
            return bad(err, "primary_key");
        while (at < relation->column_count && !span_equal(relation->columns[at].name, name))
            at++;
        if (at == relation->column_count)
            return bad(err, "primary_key names what is no column");
        key[count++] = at;
    }
    relation->key =
        (struct relation_key){.asked = true, .count = count, .columns = key, .not_null = not_null};
    return 0;
}

static int make_relation(struct letter_reader *r, const struct json_tree *node,
                         struct relation *relation, struct error *err)
{
    const struct json_tree *columns = json_tree_member(node, "columns");
    size_t count = json_tree_count(columns);
    uint64_t oid = 0;
    struct span identity;
    (void)json_tree_member_u64(node, "table_oid", &oid);
    relation->oid = (uint32_t)oid;
    relation->version = 1;
    relation->schema = kept(r, node, "schema");
    relation->name = kept(r, node, "table");
    if (!json_tree_member_string(node, "replica_identity", &identity) || identity.len != 1 ||
        relation->name.len == 0 || count > COLUMNS_MAX)
        return bad(err, "it names no table");
    relation->identity = identity.ptr[0];
    relation->column_count = (uint32_t)count;
    relation->columns = arena_alloc_zero(&r->keep, (count + 1) * sizeof *relation->columns);
    struct type_registry *registry = type_registry_open(&r->keep);
    learn_types(r, json_tree_member(node, "types"), registry);
    for (size_t i = 0; i < count; i++)
        if (read_column(r, json_tree_at(columns, i), registry, &relation->columns[i], err) < 0)
            return -1;
    return read_key(r, node, columns, relation, err);
}

/* The one that was made of the same words before, else a new one. */
static int read_relation(struct letter_reader *r, const struct json_tree *node,
                         const struct relation **relation, struct error *err)
{
    static const char *const members[] = {"schema",  "table", "table_oid",  "replica_identity",
                                          "columns", "types", "primary_key"};
    buf_reset(&r->text);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct json_tree *member = json_tree_member(node, members[i]);
        if (member != NULL)
            json_tree_write(member, &r->text);
        buf_add_char(&r->text, '\n');
    }
    *relation = table_get(&r->relations, buf_span(&r->text));
    if (*relation != NULL)
        return 0;
    struct relation *made = arena_alloc_zero(&r->keep, sizeof *made);
    if (make_relation(r, node, made, err) < 0)
        return -1;
    table_put(&r->relations, arena_copy(&r->keep, buf_span(&r->text)), made);
    *relation = made;
    return 0;
}

/* ---- Rows ---- */

static int read_cell(struct letter_reader *r, const struct json_tree *node, struct cell *cell,
                     struct error *err)
{
    struct span text;
    bool unchanged = false;
    if (json_tree_is_null(node)) {
        cell->kind = CELL_NULL;
        return 0;
    }
    cell->kind = CELL_TEXT;
    if (json_tree_string(node, &cell->bytes))
        return 0;
    if (json_tree_member_bool(node, "unchanged", &unchanged) && unchanged) {
        cell->kind = CELL_UNCHANGED;
        return 0;
    }
    cell->kind = CELL_BYTES;
    if (!json_tree_member_string(node, "base64", &text)) {
        cell->kind = CELL_BINARY;
        if (!json_tree_member_string(node, "binary", &text))
            return bad(err, "a cell is neither text nor null nor bytes");
    }
    return types_from_base64(text, &r->scratch, &cell->bytes) ? 0 : bad(err, "base64 of a cell");
}

static int read_row(struct letter_reader *r, const struct json_tree *object,
                    const struct relation *relation, struct row *row, struct error *err)
{
    if (object == NULL)
        return 0;
    row->count = relation->column_count;
    row->cells = arena_alloc_zero(&r->scratch, (row->count + 1) * sizeof *row->cells);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct json_tree *node = json_tree_member(object, relation->columns[i].name.ptr);
        row->cells[i].kind = CELL_NULL; /* an old row tells its key alone */
        if (node != NULL && read_cell(r, node, &row->cells[i], err) < 0)
            return -1;
    }
    return 0;
}

/* The database's own bytes, where they are others than those in UTF-8. */
static int read_raw(struct letter_reader *r, const struct json_tree *object,
                    const struct relation *relation, struct row *row, struct error *err)
{
    bool differs = object != NULL;
    for (uint32_t i = 0; i < row->count; i++)
        differs = differs || row->cells[i].kind == CELL_BYTES;
    if (!differs)
        return 0;
    struct cell *raw = arena_alloc(&r->scratch, (row->count + 1) * sizeof *raw);
    for (uint32_t i = 0; i < row->count; i++) {
        struct span text;
        raw[i] = row->cells[i];
        if (raw[i].kind == CELL_BYTES)
            raw[i].kind = CELL_TEXT;
        if (json_tree_member_string(object, relation->columns[i].name.ptr, &text) &&
            !types_from_base64(text, &r->scratch, &raw[i].bytes))
            return bad(err, "base64 of a cell of after_raw");
    }
    row->raw = raw;
    return 0;
}

static int read_rows(struct letter_reader *r, struct change *change, struct error *err)
{
    const struct json_tree *after = json_tree_member(r->tree, "after");
    const struct json_tree *before = json_tree_member(r->tree, "before");
    if (read_relation(r, r->tree, &change->relation, err) < 0)
        return -1;
    if ((change->op == CHANGE_DELETE ? before : after) == NULL)
        return bad(err, "it has no row");
    if (read_row(r, before, change->relation, &change->before, err) < 0 ||
        read_row(r, after, change->relation, &change->after, err) < 0)
        return -1;
    return read_raw(r, json_tree_member(r->tree, "after_raw"), change->relation, &change->after,
                    err);
}

static int read_truncate(struct letter_reader *r, struct change *change, struct error *err)
{
    const struct json_tree *tables = json_tree_member(r->tree, "tables");
    size_t count = json_tree_count(tables);
    if (count == 0 || count > TABLES_MAX)
        return bad(err, "it has no tables");
    const struct relation **relations =
        (const struct relation **)arena_alloc(&r->scratch, count * sizeof(void *));
    for (size_t i = 0; i < count; i++)
        if (read_relation(r, json_tree_at(tables, i), &relations[i], err) < 0)
            return -1;
    change->relation = relations[0];
    change->truncate.count = (uint32_t)count;
    change->truncate.relations = relations;
    (void)json_tree_member_bool(r->tree, "cascade", &change->truncate.cascade);
    (void)json_tree_member_bool(r->tree, "restart_identity", &change->truncate.restart_identity);
    return 0;
}

static int read_message(struct letter_reader *r, struct change *change, struct error *err)
{
    struct cell prefix, content;
    if (read_cell(r, json_tree_member(r->tree, "prefix"), &prefix, err) < 0 ||
        read_cell(r, json_tree_member(r->tree, "content"), &content, err) < 0)
        return -1;
    if (prefix.kind == CELL_NULL || content.kind == CELL_NULL)
        return bad(err, "it has no prefix or no content");
    change->message.prefix = prefix.bytes;
    change->message.content = content.bytes;
    change->message.transactional = true;
    change->message.not_utf8 = content.kind == CELL_BYTES;
    return 0;
}

/* ---- The change ---- */

static bool read_operation(const struct json_tree *tree, enum change_op *op)
{
    static const struct {
        const char *name;
        enum change_op op;
    } operations[] = {{"insert", CHANGE_INSERT},     {"update", CHANGE_UPDATE},
                      {"delete", CHANGE_DELETE},     {"read", CHANGE_READ},
                      {"truncate", CHANGE_TRUNCATE}, {"message", CHANGE_MESSAGE}};
    struct span name;
    if (json_tree_member_string(tree, "op", &name))
        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            if (span_equal_text(name, operations[i].name)) {
                *op = operations[i].op;
                return true;
            }
    return false;
}

static bool read_place(const struct json_tree *tree, struct change *change)
{
    uint64_t version, system, xid;
    struct span id, lsn;
    if (!json_tree_member_u64(tree, "v", &version) || version != 1 ||
        !json_tree_member_string(tree, "id", &id) ||
        !change_id_parse(id.ptr, &system, &change->id, NULL) ||
        !json_tree_member_u64(tree, "xid", &xid) || !json_tree_member_string(tree, "lsn", &lsn) ||
        !lsn_parse(lsn, &change->lsn))
        return false;
    change->xid = (uint32_t)xid;
    return json_tree_member_i64(tree, "commit_time_us", &change->commit_time_us) &&
           json_tree_member_i64(tree, "sent_time_us", &change->sent_time_us) &&
           read_operation(tree, &change->op);
}

/* Of a transaction that was replicated into the database. */
static void read_origin(const struct json_tree *tree, struct change *change)
{
    struct span lsn;
    if (!json_tree_member_string(tree, "origin", &change->origin))
        return;
    if (json_tree_member_string(tree, "origin_lsn", &lsn))
        (void)lsn_parse(lsn, &change->origin_lsn);
}

int letter_reader_read(struct letter_reader *r, struct span value, struct change *change,
                       struct error *err)
{
    struct error unreadable = ERROR_INIT;
    assert(r != NULL && change != NULL);
    assert(value.ptr != NULL && err != NULL);
    json_tree_free(r->tree);
    r->tree = NULL;
    arena_reset(&r->scratch);
    *change = (struct change){.op = CHANGE_MARK};
    if (json_tree_parse(value, &r->tree, &unreadable) < 0)
        return bad(err, unreadable.text);
    if (!read_place(r->tree, change))
        return bad(err, "one of v, id, op, xid, lsn and the times is not there");
    read_origin(r->tree, change);
    if (change->op == CHANGE_MESSAGE)
        return read_message(r, change, err);
    if (change->op == CHANGE_TRUNCATE)
        return read_truncate(r, change, err);
    return read_rows(r, change, err);
}
