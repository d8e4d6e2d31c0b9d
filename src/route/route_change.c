/* route/route_change: see route_change.h. It says what an event is about; how the envelope looks is
 * the encoder's. It never asks for a value that the server did not send: a large one that an UPDATE
 * left as it was is taken from the old row where that has it, and goes on as unchanged where not.
 */
#include "route/route_change.h"

#include "json/json_write.h"
#include "types/types.h"

#include <assert.h>

#define NEW_KEY "__debezium.newkey"
#define OLD_KEY "__debezium.oldkey"

static const struct row NO_ROW = {.count = 0};

/* ---- Compiling ---- */

static uint32_t operations_of(const struct compilation *c)
{
    static const struct {
        char letter;
        enum change_op op;
    } skippable[] = {
        {'c', CHANGE_INSERT}, {'u', CHANGE_UPDATE}, {'d', CHANGE_DELETE}, {'t', CHANGE_TRUNCATE}};
    const char *skipped = c->config->debezium.skipped_operations.text;
    bool none = strcmp(skipped, "none") == 0;
    uint32_t operations = change_bit(CHANGE_READ);
    for (size_t i = 0; i < sizeof skippable / sizeof skippable[0]; i++)
        if (none || strchr(skipped, skippable[i].letter) == NULL)
            operations |= change_bit(skippable[i].op);
    c->route->change.made = operations;
    /* One that moves a row to another key is no update there, but a delete and an insert. Who takes
     * neither updates nor deletes is spared the replica identity that it needs. */
    if ((operations & change_bit(CHANGE_DELETE)) != 0)
        operations |= change_bit(CHANGE_UPDATE);
    return operations;
}

/* The key of every message of the prefix. */
static void compile_message_key(struct compilation *c)
{
    struct buf key = BUF_EMPTY;
    struct json_writer w = json_writer(&key);
    json_write_begin_object(&w);
    json_write_member_string(&w, "prefix", c->route->match.prefix);
    json_write_end_object(&w);
    c->route->change.message_key = arena_copy(c->arena, buf_span(&key));
    buf_fini(&key);
}

int route_change_compile(struct compilation *c)
{
    struct route *route = c->route;
    assert(c->config->debezium.skipped_operations.text != NULL);
    route->topic.of_any_name = true;
    route->change.options = &c->config->debezium;
    route->change.tombstones = c->config->debezium.tombstones_on_delete;
    route->operations = route->match.of_message ? change_bit(CHANGE_MESSAGE) : operations_of(c);
    if (route_compile_topic(c) < 0)
        return -1;
    if (route->match.of_message)
        compile_message_key(c);
    route->required_count = route->fields.count;
    if (!route->match.of_message || route->fields.count == 0)
        return 0;
    return config_error(c->err, &c->config->topic, REASON_BAD_TEMPLATE,
                        "%s.topic: a message has no columns under as: change", c->path);
}

/* The columns that the file gives the table, each once, in the order of the file and then of the
 * table; none where it gives none, and the key stays. */
static void given_key(const char *list, const struct relation *relation, struct arena *arena,
                      struct route_key *key)
{
    uint32_t *columns = arena_alloc(arena, (relation->column_count + 1) * sizeof *columns);
    uint32_t count = 0;
    struct key_column given;
    while (config_key_column_next(&list, &given)) {
        bool found = false;
        for (uint32_t i = 0; i < relation->column_count; i++) {
            if (!config_key_column_matches(&given, relation->schema, relation->name,
                                           relation->columns[i].name))
                continue;
            found = true;
            bool twice = false;
            for (uint32_t j = 0; j < count; j++)
                twice = twice || columns[j] == i;
            if (!twice)
                columns[count++] = i;
        }
        if (!found && key->missing.ptr == NULL &&
            config_key_column_is_of(&given, relation->schema, relation->name))
            key->missing = given.column;
    }
    if (count == 0)
        return;
    key->count = count;
    key->columns = columns;
    key->given = true;
}

void route_change_key(const struct route *route, const struct relation *relation,
                      struct arena *arena, struct route_key *key)
{
    assert(route->as == ROUTE_CHANGE && arena != NULL);
    *key = (struct route_key){.count = relation->key.count, .columns = relation->key.columns};
    const char *list = route->change.options->message_key_columns.text;
    if (list != NULL)
        given_key(list, relation, arena, key);
}

const char *route_change_lacks(const struct route *route, const struct relation *relation,
                               struct arena *arena, struct span *column)
{
    const struct config_debezium *options = route->change.options;
    struct route_key key;
    route_change_key(route, relation, arena, &key);
    *column = key.missing;
    for (uint32_t i = 0; i < relation->column_count && key.missing.ptr == NULL; i++) {
        struct column typed = relation->columns[i];
        if (typed.type == NULL)
            typed.type = types_builtin(typed.type_oid);
        if (types_debezium_may_mask(&typed) ||
            config_column_treatment(options, relation->schema, relation->name, typed.name).rule ==
                COLUMN_AS_IS)
            continue;
        *column = typed.name;
        return "a text, because it is cut, masked or hashed under routes[].debezium,";
    }
    return NULL;
}

/* ---- Rows ---- */

/* The new row with what is unchanged put in, as far as the old row has it. */
static const struct row *whole_row(const struct change *change, struct arena *scratch)
{
    const struct relation *relation = change->relation;
    const struct row *after = &change->after;
    struct row *whole = NULL;
    for (uint32_t i = 0; i < after->count; i++) {
        if (after->cells[i].kind != CELL_UNCHANGED || i >= change->before.count ||
            !relation_tells_old(relation, i))
            continue;
        if (whole == NULL) {
            whole = arena_alloc_zero(scratch, sizeof *whole);
            whole->count = after->count;
            whole->cells = arena_alloc(scratch, after->count * sizeof *whole->cells);
            memcpy(whole->cells, after->cells, after->count * sizeof *whole->cells);
        }
        whole->cells[i] = change->before.cells[i];
    }
    return whole != NULL ? whole : after;
}

static bool is_same(const struct cell *a, const struct cell *b)
{
    return a->kind == b->kind && (a->kind == CELL_NULL || span_equal(a->bytes, b->bytes));
}

static bool has_new_key(const struct route_row *row, const struct row *after)
{
    const struct row *before = &row->change->before;
    if (before->count == 0)
        return false;
    for (uint32_t i = 0; i < row->key->count; i++) {
        uint32_t column = row->key->columns[i];
        if (after->cells[column].kind != CELL_UNCHANGED &&
            !is_same(&before->cells[column], &after->cells[column]))
            return true;
    }
    return false;
}

/* ---- Events ---- */

static void set_key(const struct route_row *row, const struct row *cells, struct content *key)
{
    if (row->key->count == 0) {
        content_set_text(key, span_null());
        return;
    }
    key->kind = CONTENT_ROW;
    key->row = (struct content_row){.relation = row->relation,
                                    .cells = cells,
                                    .count = row->key->count,
                                    .columns = row->key->columns};
}

static void set_value(const struct route_row *row, enum change_op op, const struct row *before,
                      const struct row *after, struct event *event)
{
    event->value.kind = CONTENT_CHANGE;
    event->value.change = (struct content_change){.change = row->change,
                                                  .op = op,
                                                  .relation = row->relation,
                                                  .before = before,
                                                  .after = after};
}

static int refuse_unknown_key(const struct route_row *row, struct error *err)
{
    char name[ROW_NAME_MAX];
    error_data(
        err, REASON_KEY_UNKNOWN,
        "the key of %s is not known to route %s: the table has been altered since, and which "
        "columns the key had then cannot be told",
        route_row_name(row->change, name), row->route);
    return error_hint(err, "give the columns that were renamed their names back until the changes "
                           "from before are through");
}

/* A key that the server did not send would be another one. */
static int check_key(const struct route_row *row, const struct row *cells, bool old,
                     struct error *err)
{
    char name[ROW_NAME_MAX];
    if (row->key->missing.ptr != NULL) {
        error_data(err, REASON_COLUMN_MISSING,
                   "route %s needs column %.*s of %s for the key, which is not there", row->route,
                   SPAN_ARG(row->key->missing), route_row_name(row->change, name));
        return error_hint(err, "mend debezium.message_key_columns");
    }
    if (row->relation->key.unknown && !row->key->given)
        return refuse_unknown_key(row, err);
    for (uint32_t i = 0; i < row->key->count; i++) {
        uint32_t column = row->key->columns[i];
        bool sent = old ? relation_tells_old(row->relation, column)
                        : cells->cells[column].kind != CELL_UNCHANGED;
        if (sent)
            continue;
        error_data(err, REASON_KEY_NOT_SENT,
                   "column %.*s of %s is part of the key of route %s, and the server does not "
                   "send it: it is not in the replica identity",
                   SPAN_ARG(row->relation->columns[column].name), route_row_name(row->change, name),
                   row->route);
        return route_row_whole(row->relation, err);
    }
    return 0;
}

static enum route_made delete_event(const struct route *route, const struct route_row *row,
                                    bool tombstone, struct event *event, struct error *err)
{
    const struct row *before = &row->change->before;
    if (check_key(row, before, true, err) < 0)
        return ROUTE_FAILED;
    set_key(row, before, &event->key);
    if (tombstone)
        content_set_text(&event->value, span_null());
    else
        set_value(row, CHANGE_DELETE, before, &NO_ROW, event);
    return !tombstone && route->change.tombstones ? ROUTE_MORE : ROUTE_LAST;
}

static void set_other_key(const struct route_row *row, const char *name, const struct row *cells,
                          struct event *event)
{
    event->other_key.name = span_of(name);
    set_key(row, cells, &event->other_key.key);
    if (event->other_key.key.kind == CONTENT_ROW)
        event->other_key.key.row.in_header = true;
}

/* Of a row that leaves its key the old one names the topic: there its consumers wait. What was made
 * for another event of the change must stay. */
static int set_topic(struct route *route, const struct route_row *row, bool old,
                     struct arena *scratch, struct event *event, struct error *err)
{
    struct route_row seen = *row;
    struct span topic;
    if (old) {
        seen.cells = row->change->before.cells;
        seen.old = true;
    }
    if (route_topic_of(&route->topic, &seen, scratch, &topic, err) < 0)
        return -1;
    event->topic = old ? (struct span){arena_text(scratch, topic), topic.len} : topic;
    return 0;
}

/* The row leaves its old key, for good, and comes under a new one. */
static enum route_made moved_event(struct route *route, const struct route_row *row,
                                   const struct row *after, uint32_t nth, struct arena *scratch,
                                   struct event *event, struct error *err)
{
    bool leaves = (route->change.made & change_bit(CHANGE_DELETE)) != 0;
    bool comes = (route->change.made & change_bit(CHANGE_INSERT)) != 0;
    uint32_t last = !leaves ? 0 : route->change.tombstones ? 2 : 1;
    if (check_key(row, after, false, err) < 0 ||
        set_topic(route, row, nth < last, scratch, event, err) < 0)
        return ROUTE_FAILED;
    if (nth < last) {
        set_other_key(row, NEW_KEY, after, event);
        (void)delete_event(route, row, nth == 1, event, err);
        return comes || nth + 1 < last ? ROUTE_MORE : ROUTE_LAST;
    }
    if (!comes)
        return ROUTE_NOTHING;
    set_key(row, after, &event->key);
    set_value(row, CHANGE_INSERT, &NO_ROW, after, event);
    set_other_key(row, OLD_KEY, &row->change->before, event);
    return ROUTE_LAST;
}

/* FULL always sends the old row of an UPDATE: the partition has another identity than its root. */
static int check_whole(const struct route_row *row, struct error *err)
{
    char name[ROW_NAME_MAX];
    if (row->relation->identity != 'f' || row->change->before.count > 0)
        return 0;
    error_data(err, REASON_OLD_NOT_SENT,
               "the replica identity of %s is FULL, and the server sends no old row: the partition "
               "that holds it has another one",
               route_row_name(row->change, name));
    return error_hint(err, "ALTER TABLE ... REPLICA IDENTITY FULL of each partition; check "
                           "--connect names them");
}

static enum route_made new_row_event(struct route *route, const struct route_row *row, uint32_t nth,
                                     struct arena *scratch, struct event *event, struct error *err)
{
    const struct change *change = row->change;
    const struct row *after = whole_row(change, scratch);
    /* Nobody could tell whether it has left its key. */
    if (change->op == CHANGE_UPDATE &&
        (check_whole(row, err) < 0 || check_key(row, &change->before, true, err) < 0))
        return ROUTE_FAILED;
    if (change->op == CHANGE_UPDATE && has_new_key(row, after))
        return moved_event(route, row, after, nth, scratch, event, err);
    if (change->op == CHANGE_UPDATE && (route->change.made & change_bit(CHANGE_UPDATE)) == 0)
        return ROUTE_NOTHING;
    if (check_key(row, after, false, err) < 0)
        return ROUTE_FAILED;
    set_key(row, after, &event->key);
    if (set_topic(route, row, false, scratch, event, err) < 0)
        return ROUTE_FAILED;
    set_value(row, change->op, &change->before, after, event);
    return ROUTE_LAST;
}

static enum route_made message_event(const struct route *route, const struct route_row *row,
                                     struct event *event)
{
    event->key.kind = CONTENT_JSON;
    event->key.json = route->change.message_key;
    set_value(row, CHANGE_MESSAGE, &NO_ROW, &NO_ROW, event);
    return ROUTE_LAST;
}

enum route_made route_change_event(struct route *route, const struct route_row *row, uint32_t nth,
                                   struct arena *scratch, struct event *event, struct error *err)
{
    assert(row->relation != NULL || row->change->op == CHANGE_MESSAGE);
    event->topic_of_row = !route->topic.literal;
    event->partition = -1;
    event->timestamp_us = row->change->commit_time_us;
    event->id = event->type = span_null();
    event->header_count = event->named_headers = 0;
    event->headers = NULL;
    enum change_op op = row->change->op;
    if (op == CHANGE_INSERT || op == CHANGE_READ || op == CHANGE_UPDATE)
        return new_row_event(route, row, nth, scratch, event, err);
    if (set_topic(route, row, op == CHANGE_DELETE, scratch, event, err) < 0)
        return ROUTE_FAILED;
    switch (op) {
    case CHANGE_DELETE:
        return delete_event(route, row, nth == 1, event, err);
    case CHANGE_TRUNCATE:
        content_set_text(&event->key, span_null());
        set_value(row, CHANGE_TRUNCATE, &NO_ROW, &NO_ROW, event);
        return ROUTE_LAST;
    case CHANGE_MESSAGE:
        return message_event(route, row, event);
    default:
        assert(false);
        return ROUTE_NOTHING;
    }
}
