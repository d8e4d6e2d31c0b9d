/* operate/sample_read: see sample_read.h. A value is what PostgreSQL would write: of a string its
 * text, of everything else its JSON; which type a column has, where the file does not say, follows
 * from its first value. */
#include "operate/sample_read.h"

#include "types/types.h"

#include <assert.h>
#include <string.h>

/* As many as a table of PostgreSQL can have. */
#define COLUMNS_MAX 1600

struct sample {
    const struct json_tree *node;
    uint64_t n;
    struct arena *arena;
    struct relation *relation;
};

#define WRONG(s, err, ...)                                                                         \
    (error_stop(err, REASON_SAMPLE, __VA_ARGS__),                                                  \
     error_wrap(err, "change %llu", (unsigned long long)(s)->n))

/* ---- Columns ---- */

static uint32_t find(const struct relation *relation, const char *name)
{
    uint32_t i = 0;
    while (i < relation->column_count && !span_equal_text(relation->columns[i].name, name))
        i++;
    return i;
}

static const char *guess(const struct json_tree *value)
{
    switch (json_tree_kind(value)) {
    case JSON_TREE_BOOL:
        return "bool";
    case JSON_TREE_INTEGER:
        return "int8";
    case JSON_TREE_REAL:
        return "numeric";
    case JSON_TREE_ARRAY:
    case JSON_TREE_OBJECT:
        return "jsonb";
    case JSON_TREE_STRING:
    case JSON_TREE_NULL:
    case JSON_TREE_ABSENT:
        break;
    }
    return "text";
}

/* The type that the file gives the column, else the one that its first value suggests. */
static int type_of(const struct sample *s, const char *column, const struct type **type,
                   int32_t *modifier, struct error *err)
{
    const char *const rows[] = {"after", "before"};
    struct span name = span_of("text");
    const struct json_tree *said = json_tree_member(json_tree_member(s->node, "types"), column);
    if (said != NULL && !json_tree_string(said, &name))
        return WRONG(s, err, "types.%s is no string", column);
    for (size_t i = 0; said == NULL && i < 2; i++) {
        const struct json_tree *value =
            json_tree_member(json_tree_member(s->node, rows[i]), column);
        if (value == NULL || json_tree_is_null(value))
            continue;
        name = span_of(guess(value));
        break;
    }
    *type = types_written(name, modifier);
    if (*type != NULL)
        return 0;
    WRONG(s, err, "types.%s: PostgreSQL itself has no type %.*s", column, SPAN_ARG(name));
    return error_hint(err, "write it as in SQL: bigint, numeric(10,2), timestamptz, text[]; what "
                           "an extension or the application made is text");
}

static int add_column(struct sample *s, const char *name, struct error *err)
{
    struct relation *relation = s->relation;
    uint32_t at = find(relation, name);
    if (at < relation->column_count)
        return 0;
    if (at == COLUMNS_MAX)
        return WRONG(s, err, "more than %d columns", COLUMNS_MAX);
    const struct type *type;
    int32_t modifier;
    if (type_of(s, name, &type, &modifier, err) < 0)
        return -1;
    relation->columns[at] =
        (struct column){.name = span_of(arena_text(s->arena, span_of(name))),
                        .type_oid = type->oid,
                        .type_modifier = modifier,
                        .key = json_tree_member(json_tree_member(s->node, "before"), name) != NULL,
                        .type = type};
    relation->column_count++;
    return 0;
}

/* In the order in which they stand in types, then in the rows. */
static int read_columns(struct sample *s, struct error *err)
{
    const char *const objects[] = {"types", "after", "before"};
    size_t most = 0;
    for (size_t i = 0; i < 3; i++)
        most += json_tree_count(json_tree_member(s->node, objects[i]));
    size_t size = most < COLUMNS_MAX ? most : COLUMNS_MAX;
    s->relation->columns = arena_alloc_zero(s->arena, (size + 1) * sizeof *s->relation->columns);
    for (size_t i = 0; i < 3; i++) {
        const struct json_tree *object = json_tree_member(s->node, objects[i]);
        const char *name;
        if (object != NULL && !json_tree_is_null(object) &&
            json_tree_kind(object) != JSON_TREE_OBJECT)
            return WRONG(s, err, "%s is no object", objects[i]);
        for (size_t j = 0; (name = json_tree_name_at(object, j)) != NULL; j++)
            if (add_column(s, name, err) < 0)
                return -1;
    }
    return 0;
}

/* ---- Key ---- */

/* `key`, else what `before` has where that is not all: then that is the replica identity. */
static int read_key(struct sample *s, struct error *err)
{
    struct relation *relation = s->relation;
    const struct json_tree *names = json_tree_member(s->node, "key");
    uint32_t *columns = arena_alloc(s->arena, (relation->column_count + 1) * sizeof *columns);
    uint32_t told = 0, count = 0;
    for (uint32_t i = 0; i < relation->column_count; i++)
        told += relation->columns[i].key;
    relation->identity = told > 0 && told == relation->column_count ? 'f' : 'd';
    for (uint32_t i = 0; names == NULL && relation->identity == 'd' && i < relation->column_count;
         i++)
        if (relation->columns[i].key)
            columns[count++] = i;
    for (size_t i = 0; i < json_tree_count(names); i++) {
        struct span name;
        uint32_t at = relation->column_count;
        if (json_tree_string(json_tree_at(names, i), &name))
            at = find(relation, name.ptr);
        if (at == relation->column_count || count == relation->column_count)
            return WRONG(s, err, "key names what is no column");
        columns[count++] = at;
        relation->columns[at].key |= told == 0;
    }
    relation->key =
        (struct relation_key){.asked = true, .count = count, .columns = columns, .not_null = NULL};
    return 0;
}

/* ---- Rows ---- */

static void read_cell(const struct sample *s, const struct json_tree *value, struct cell *cell)
{
    struct span text;
    bool truth;
    cell->kind = CELL_TEXT;
    if (json_tree_string(value, &text)) {
        cell->bytes = text;
    } else if (json_tree_is_null(value)) {
        cell->kind = CELL_NULL;
    } else if (json_tree_bool(value, &truth)) {
        cell->bytes = truth ? SPAN_LITERAL("t") : SPAN_LITERAL("f");
    } else {
        struct buf json = BUF_EMPTY;
        json_tree_write(value, &json);
        cell->bytes = arena_copy(s->arena, buf_span(&json));
        buf_fini(&json);
    }
}

/* A column that an updated row does not name was left as it was and not sent, as a large value; of
 * an inserted one it is NULL. */
static void read_row(const struct sample *s, const char *name, enum cell_kind missing,
                     struct row *row)
{
    const struct json_tree *object = json_tree_member(s->node, name);
    const struct relation *relation = s->relation;
    if (json_tree_kind(object) != JSON_TREE_OBJECT)
        return;
    row->count = relation->column_count;
    row->cells = arena_alloc_zero(s->arena, (row->count + 1) * sizeof *row->cells);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct json_tree *value = json_tree_member(object, relation->columns[i].name.ptr);
        row->cells[i].kind = missing;
        if (value != NULL)
            read_cell(s, value, &row->cells[i]);
    }
}

static int read_table(struct sample *s, struct change *change, struct error *err)
{
    struct relation *relation = s->relation;
    relation->oid = 16384;
    relation->version = 1;
    relation->schema = SPAN_LITERAL("public");
    (void)json_tree_member_string(s->node, "schema", &relation->schema);
    if (!json_tree_member_string(s->node, "table", &relation->name))
        return WRONG(s, err, "table is missing");
    if (read_columns(s, err) < 0 || read_key(s, err) < 0)
        return -1;
    change->relation = relation;
    read_row(s, "before", CELL_NULL, &change->before);
    read_row(s, "after", change->op == CHANGE_UPDATE ? CELL_UNCHANGED : CELL_NULL, &change->after);
    if (change->op != CHANGE_DELETE && change->after.count == 0)
        return WRONG(s, err, "after is missing");
    if (change->op == CHANGE_DELETE && change->before.count == 0)
        return WRONG(s, err, "before is missing: the columns of the replica identity");
    if (change->op == CHANGE_DELETE)
        change->after.count = 0;
    return 0;
}

static int read_message(const struct sample *s, struct change *change, struct error *err)
{
    change->message.transactional = true;
    if (!json_tree_member_string(s->node, "prefix", &change->message.prefix))
        return WRONG(s, err, "prefix is missing");
    if (!json_tree_member_string(s->node, "content", &change->message.content))
        return WRONG(s, err, "content is missing, a string");
    return 0;
}

static int read_operation(const struct sample *s, enum change_op *op, struct error *err)
{
    static const struct {
        const char *name;
        enum change_op op;
    } operations[] = {{"insert", CHANGE_INSERT},
                      {"update", CHANGE_UPDATE},
                      {"delete", CHANGE_DELETE},
                      {"read", CHANGE_READ},
                      {"message", CHANGE_MESSAGE}};
    struct span name;
    if (json_tree_kind(s->node) != JSON_TREE_OBJECT)
        return WRONG(s, err, "it is no object");
    if (json_tree_member_string(s->node, "op", &name))
        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            if (span_equal_text(name, operations[i].name)) {
                *op = operations[i].op;
                return 0;
            }
    return WRONG(s, err, "op is insert, update, delete, read or message");
}

/* A misspelt name would be a change that is not the one that was meant. */
static int refuse_others(const struct sample *s, struct error *err)
{
    static const char *const known[] = {"op",    "schema", "table",  "types",  "before",
                                        "after", "key",    "prefix", "content"};
    const char *name;
    for (size_t i = 0; (name = json_tree_name_at(s->node, i)) != NULL; i++) {
        size_t at = 0;
        while (at < sizeof known / sizeof known[0] && strcmp(known[at], name) != 0)
            at++;
        if (at == sizeof known / sizeof known[0])
            return WRONG(s, err,
                         "%s is none of op, schema, table, types, before, after, key, prefix, "
                         "content",
                         name);
    }
    return 0;
}

int sample_read(const struct json_tree *node, uint64_t n, struct arena *arena,
                struct change *change, struct error *err)
{
    assert(arena != NULL && change != NULL && n > 0);
    struct sample s = {.node = node, .n = n, .arena = arena};
    *change = (struct change){.id = change_id_wal(1, n), .xid = 1, .position = {1, n}, .lsn = 1};
    s.relation = arena_alloc_zero(arena, sizeof *s.relation);
    if (read_operation(&s, &change->op, err) < 0 || refuse_others(&s, err) < 0)
        return -1;
    return change->op == CHANGE_MESSAGE ? read_message(&s, change, err)
                                        : read_table(&s, change, err);
}
