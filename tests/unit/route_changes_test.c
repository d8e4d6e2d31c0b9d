/* route/: `as: change`: which events a row, a key that moves, a truncate and a message give. */
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define KEY_COLUMN 0

struct changes {
    struct route_fixture f;
    struct cell before[FIXTURE_COLUMNS_MAX];
    uint32_t key[2];
};

static void init(struct changes *c)
{
    struct route_fixture *f = &c->f;
    route_fixture_init(f);
    f->configs[0].as = ROUTE_CHANGE;
    f->configs[0].format = FORMAT_DEBEZIUM;
    f->configs[0].topic = route_fixture_text("orders.{@schema}.{@table}");
    f->configs[0].debezium.tombstones_on_delete = true;
    f->configs[0].debezium.skipped_operations = route_fixture_text("t");
    c->key[0] = KEY_COLUMN;
    f->columns[KEY_COLUMN].key = true;
    f->relation.key = (struct relation_key){.asked = true, .count = 1, .columns = c->key};
}

/* The old row, as the replica identity has it: of the key alone, or of all. */
static void set_before(struct changes *c, const char *id)
{
    struct route_fixture *f = &c->f;
    for (uint32_t i = 0; i < f->relation.column_count; i++)
        c->before[i] = f->relation.identity == 'f' ? f->cells[i] : (struct cell){CELL_NULL, {0}};
    c->before[KEY_COLUMN] = (struct cell){CELL_TEXT, span_of(id)};
    f->change.before = (struct row){.count = f->relation.column_count, .cells = c->before};
}

static void fini(struct changes *c)
{
    route_fixture_fini(&c->f);
}

static void assert_key(const struct content *key, const char *id)
{
    assert_int_equal(key->kind, CONTENT_ROW);
    assert_int_equal(key->row.count, 1);
    assert_span(key->row.cells->cells[key->row.columns[0]].bytes, id);
}

static void assert_change(const struct route_fixture *f, enum change_op op, bool before, bool after)
{
    assert_int_equal(f->event.value.kind, CONTENT_CHANGE);
    assert_int_equal(f->event.value.change.op, op);
    assert_int_equal(f->event.value.change.before->count > 0, before);
    assert_int_equal(f->event.value.change.after->count > 0, after);
}

static void assert_tombstone(const struct route_fixture *f)
{
    assert_int_equal(f->event.value.kind, CONTENT_CELL);
    assert_int_equal(f->event.value.cell.value.kind, CELL_NULL);
}

#define ID "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f"

static void test_an_inserted_row(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_span(c.f.event.topic, "orders.public.outbox");
    assert_key(&c.f.event.key, ID);
    assert_change(&c.f, CHANGE_INSERT, false, true);
    assert_int_equal(c.f.event.index, 1);
    assert_null(c.f.event.other_key.name.ptr);
    assert_int_equal(route_fixture_next(&c.f), 0);
    c.f.change.op = CHANGE_READ;
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_READ, false, true);
    fini(&c);
}

static void test_an_updated_row(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_UPDATE;
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_UPDATE, false, true);
    assert_int_equal(route_fixture_next(&c.f), 0);
    set_before(&c, ID); /* it is sent where the key is large, too */
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_UPDATE, true, true);
    assert_int_equal(route_fixture_next(&c.f), 0);
    fini(&c);
}

/* d and its tombstone under the old key, then c under the new one; the ids tell them apart. */
static void test_a_key_that_moves(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_UPDATE;
    set_before(&c, "old");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_DELETE, true, false);
    assert_key(&c.f.event.key, "old");
    assert_span(c.f.event.other_key.name, "__debezium.newkey");
    assert_key(&c.f.event.other_key.key, ID);
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_tombstone(&c.f);
    assert_key(&c.f.event.key, "old");
    assert_span(c.f.event.other_key.name, "__debezium.newkey");
    assert_int_equal(c.f.event.index, 2);
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_change(&c.f, CHANGE_INSERT, false, true);
    assert_key(&c.f.event.key, ID);
    assert_span(c.f.event.other_key.name, "__debezium.oldkey");
    assert_key(&c.f.event.other_key.key, "old");
    assert_int_equal(c.f.event.index, 3);
    assert_int_equal(route_fixture_next(&c.f), 0);
    fini(&c);
}

/* It is a delete and an insert to who skips updates, and each of the two can be skipped. */
static void test_a_key_that_moves_and_is_skipped(void **state)
{
    (void)state;
    static const struct {
        const char *skipped;
        enum change_op ops[3]; /* BEGIN: a tombstone; COMMIT: none */
    } cases[] = {
        {"u", {CHANGE_DELETE, CHANGE_BEGIN, CHANGE_INSERT}},
        {"u, d", {CHANGE_COMMIT, CHANGE_COMMIT, CHANGE_COMMIT}},
        {"d", {CHANGE_INSERT, CHANGE_COMMIT, CHANGE_COMMIT}},
        {"c", {CHANGE_DELETE, CHANGE_BEGIN, CHANGE_COMMIT}},
        {"c, d", {CHANGE_COMMIT, CHANGE_COMMIT, CHANGE_COMMIT}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct changes c;
        init(&c);
        c.f.configs[0].debezium.skipped_operations = route_fixture_text(cases[i].skipped);
        c.f.change.op = CHANGE_UPDATE;
        set_before(&c, "old");
        assert_int_equal(route_fixture_open(&c.f), 0);
        for (int nth = 0; nth < 3; nth++) {
            enum change_op op = cases[i].ops[nth];
            int made = nth == 0 ? route_fixture_route(&c.f) : route_fixture_next(&c.f);
            assert_int_equal(made, op != CHANGE_COMMIT);
            if (op == CHANGE_COMMIT)
                break;
            if (op == CHANGE_BEGIN)
                assert_tombstone(&c.f);
            else
                assert_change(&c.f, op, op == CHANGE_DELETE, op == CHANGE_INSERT);
        }
        fini(&c);
    }
}

static void test_a_deleted_row(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_DELETE;
    set_before(&c, "gone");
    c.f.change.after = (struct row){.count = 0};
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_DELETE, true, false);
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_tombstone(&c.f);
    assert_key(&c.f.event.key, "gone");
    assert_int_equal(route_fixture_next(&c.f), 0);
    router_close(c.f.router);
    c.f.configs[0].debezium.tombstones_on_delete = false;
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_int_equal(route_fixture_next(&c.f), 0);
    fini(&c);
}

/* The topics that rows choose: an old row goes where it has been. */
static void test_topics_of_old_rows(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.configs[0].topic = route_fixture_text("orders.{aggregatetype:none}");
    c.f.change.op = CHANGE_UPDATE;
    c.f.relation.identity = 'f';
    set_before(&c, "old");
    c.before[route_fixture_cell(&c.f, "aggregatetype") - c.f.cells].bytes = span_of("parcel");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    struct span first = c.f.event.topic;
    assert_span(first, "orders.parcel");
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_tombstone(&c.f);
    assert_span(c.f.event.topic, "orders.parcel");
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_span(c.f.event.topic, "orders.order");
    assert_span(first, "orders.parcel"); /* which lives until the next change */
    c.f.relation.identity = 'd';
    c.f.relation.version++;
    set_before(&c, "old");
    for (int op = 0; op < 2; op++) {
        c.f.change.op = op == 0 ? CHANGE_UPDATE : CHANGE_DELETE;
        assert_int_equal(route_fixture_route(&c.f), -1);
        assert_error(c.f.err, ERROR_DATA, "old_not_sent",
                     "column aggregatetype of public.outbox is needed by route outbox of an old "
                     "row, and the server does not send it: it is not in the replica identity");
        c.f.change.after.count = 0;
    }
    fini(&c);
}

/* What an UPDATE left as it was comes from the old row, where that has it. */
static void test_unchanged_values(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_UPDATE;
    c.f.relation.identity = 'f';
    set_before(&c, ID);
    struct cell *payload = route_fixture_cell(&c.f, "payload");
    size_t at = (size_t)(payload - c.f.cells);
    *payload = (struct cell){.kind = CELL_UNCHANGED};
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_span(c.f.event.value.change.after->cells[at].bytes, "{\"total\": 12.50}");
    c.f.relation.identity = 'd';
    c.f.relation.version++;
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_int_equal(c.f.event.value.change.after->cells[at].kind, CELL_UNCHANGED);
    fini(&c);
}

/* Of a partition that has another identity than its root. */
static void test_no_old_row_under_full(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_UPDATE;
    c.f.relation.identity = 'f';
    route_fixture_cell(&c.f, "payload")->kind = CELL_UNCHANGED;
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), -1);
    assert_error(c.f.err, ERROR_DATA, "old_not_sent",
                 "the replica identity of public.outbox is FULL, and the server sends no old row: "
                 "the partition that holds it has another one");
    fini(&c);
}

static void test_a_key_that_is_not_sent(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.change.op = CHANGE_DELETE;
    c.f.relation.identity = 'i';
    c.f.columns[KEY_COLUMN].key = false;
    set_before(&c, "unknown");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), -1);
    assert_error(c.f.err, ERROR_DATA, "key_not_sent",
                 "column id of public.outbox is part of the key of route outbox, and the server "
                 "does not send it: it is not in the replica identity");
    /* It may have moved, and its old key would stay for ever. */
    c.f.change.op = CHANGE_UPDATE;
    c.f.change.after.count = c.f.relation.column_count;
    c.f.change.before.count = 0;
    assert_int_equal(route_fixture_route(&c.f), -1);
    assert_string_equal(reason_slug(c.f.err.reason), "key_not_sent");
    c.f.change.op = CHANGE_INSERT;
    assert_int_equal(route_fixture_route(&c.f), 1);
    fini(&c);
}

static void test_a_key_that_nobody_knows(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.relation.key = (struct relation_key){.asked = true, .unknown = true};
    assert_int_equal(route_fixture_open(&c.f), 0);
    for (int op = 0; op < 3; op++) {
        c.f.change.op = op == 0 ? CHANGE_INSERT : op == 1 ? CHANGE_UPDATE : CHANGE_DELETE;
        set_before(&c, ID);
        assert_int_equal(route_fixture_route(&c.f), -1);
        assert_error(c.f.err, ERROR_DATA, "key_unknown",
                     "the key of public.outbox is not known to route outbox: the table has been "
                     "altered since, and which columns the key had then cannot be told");
    }
    fini(&c);
}

static void test_a_row_that_nothing_identifies(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.relation.key = (struct relation_key){.asked = true, .count = 0};
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_int_equal(c.f.event.key.kind, CONTENT_CELL);
    assert_int_equal(c.f.event.key.cell.value.kind, CELL_NULL);
    fini(&c);
}

/* An event of each table that the route takes, and what one route makes stands together. */
static void test_truncated_tables(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    struct relation second = c.f.relation, other = c.f.relation;
    second.name = SPAN_LITERAL("second");
    other.schema = SPAN_LITERAL("elsewhere");
    const struct relation *tables[] = {&c.f.relation, &other, &second};
    c.f.change.op = CHANGE_TRUNCATE;
    c.f.change.truncate.count = 3;
    c.f.change.truncate.relations = tables;
    c.f.configs[0].from = route_fixture_text("public.*");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 0);
    assert_int_equal(c.f.answer, ROUTER_NOT_THIS_OPERATION);
    router_close(c.f.router);
    c.f.configs[0].debezium.skipped_operations = route_fixture_text("none");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_span(c.f.event.topic, "orders.public.outbox");
    assert_change(&c.f, CHANGE_TRUNCATE, false, false);
    assert_int_equal(route_fixture_next(&c.f), 1);
    assert_span(c.f.event.topic, "orders.public.second");
    assert_int_equal(c.f.event.index, 2);
    assert_int_equal(route_fixture_next(&c.f), 0);
    fini(&c);
}

static void test_messages(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.configs[0].from = route_fixture_text("message:a \"b\"");
    c.f.configs[0].topic = route_fixture_text("orders.message");
    route_fixture_message(&c.f, "a \"b\"", "no JSON at all");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_int_equal(c.f.event.key.kind, CONTENT_JSON);
    assert_span(c.f.event.key.json, "{\"prefix\":\"a \\\"b\\\"\"}");
    assert_change(&c.f, CHANGE_MESSAGE, false, false);
    fini(&c);
}

static void test_skipped_operations(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.configs[0].debezium.skipped_operations = route_fixture_text("u, d");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(router_operations(c.f.router, ROUTER_CHANGES),
                     change_bit(CHANGE_INSERT) | change_bit(CHANGE_TRUNCATE) |
                         change_bit(CHANGE_READ));
    assert_int_equal(router_operations(c.f.router, ROUTER_INSERTS), 0);
    fini(&c);
}

/* What a topic name cannot hold is an underscore, two where Java has two characters. */
static void test_names_of_topics(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.relation.name = SPAN_LITERAL("Od d\xc3\xa4.\xf0\x9f\x98\x80$");
    c.f.configs[0].from = route_fixture_text("public.*");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_span(c.f.event.topic, "orders.public.Od_d_.___");
    c.f.relation.name = SPAN_LITERAL("later");
    c.f.relation.version++;
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_span(c.f.event.topic, "orders.public.later");
    fini(&c);
}

static void test_one_change_in_one_topic_twice(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    route_fixture_add_route(&c.f, "again", "public.*");
    c.f.configs[0].continue_matching = true;
    assert_int_equal(route_fixture_open(&c.f), -1);
    assert_error(c.f.err, ERROR_STOP, "config_value",
                 "shop.yaml:7: routes[0] (outbox) and routes[1] (again) would write one change to "
                 "topic orders.{@schema}.{@table} twice");
    c.f.configs[1].topic = route_fixture_text("copies.{@table}");
    assert_int_equal(route_fixture_open(&c.f), 0);
    fini(&c);
}

/* message_key_columns: in the order of the file; other tables keep theirs. */
static void test_a_given_key(void **state)
{
    (void)state;
    struct changes c;
    init(&c);
    c.f.relation.key.unknown = true; /* which does not matter here */
    c.f.configs[0].debezium.message_key_columns =
        route_fixture_text("other.*:x;(.*)\\.outbox: type, aggregate.*,type");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_int_equal(route_fixture_route(&c.f), 1);
    const struct content_row *key = &c.f.event.key.row;
    assert_int_equal(key->count, 3);
    assert_span(c.f.columns[key->columns[0]].name, "type");
    assert_span(c.f.columns[key->columns[1]].name, "aggregatetype");
    assert_span(c.f.columns[key->columns[2]].name, "aggregateid");
    /* Nobody could tell whether it moved. */
    c.f.change.op = CHANGE_UPDATE;
    set_before(&c, ID);
    assert_int_equal(route_fixture_route(&c.f), -1);
    assert_string_equal(reason_slug(c.f.err.reason), "key_not_sent");
    c.f.relation.identity = 'f';
    c.f.relation.version++;
    set_before(&c, ID);
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_UPDATE, true, true);
    c.before[route_fixture_cell(&c.f, "type") - c.f.cells].bytes = span_of("Other");
    assert_int_equal(route_fixture_route(&c.f), 1);
    assert_change(&c.f, CHANGE_DELETE, true, false);
    fini(&c);
}

static void test_what_a_table_lacks(void **state)
{
    (void)state;
    struct changes c;
    struct router_lack lack;
    init(&c);
    struct config_debezium *d = &c.f.configs[0].debezium;
    d->message_key_columns = route_fixture_text("public\\.outbox:type,region");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_true(router_lacks(c.f.router, &c.f.relation, &lack));
    assert_span(lack.column, "region");
    assert_null(lack.must_be);
    assert_int_equal(route_fixture_route(&c.f), -1);
    assert_error(c.f.err, ERROR_DATA, "column_missing",
                 "route outbox needs column region of public.outbox for the key, which is not "
                 "there");
    router_close(c.f.router);
    d->message_key_columns.text = NULL;
    const struct config_pair mask = {route_fixture_text("3"), route_fixture_text(".*\\.n")};
    d->column_mask = (struct config_pairs){1, &mask};
    route_fixture_set(&c.f, "n", "5");
    assert_int_equal(route_fixture_open(&c.f), 0);
    assert_false(router_lacks(c.f.router, &c.f.relation, &lack));
    struct column *n = route_fixture_column(&c.f, "n");
    n->type = NULL; /* from the catalogue: the oid alone */
    n->type_oid = TYPE_INT4;
    assert_true(router_lacks(c.f.router, &c.f.relation, &lack));
    assert_span(lack.column, "n");
    assert_string_equal(lack.must_be,
                        "a text, because it is cut, masked or hashed under routes[].debezium,");
    fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_that_moves_and_is_skipped),
        cmocka_unit_test(test_an_inserted_row),
        cmocka_unit_test(test_an_updated_row),
        cmocka_unit_test(test_a_key_that_moves),
        cmocka_unit_test(test_a_deleted_row),
        cmocka_unit_test(test_topics_of_old_rows),
        cmocka_unit_test(test_unchanged_values),
        cmocka_unit_test(test_no_old_row_under_full),
        cmocka_unit_test(test_a_key_that_is_not_sent),
        cmocka_unit_test(test_a_key_that_nobody_knows),
        cmocka_unit_test(test_a_row_that_nothing_identifies),
        cmocka_unit_test(test_truncated_tables),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_skipped_operations),
        cmocka_unit_test(test_names_of_topics),
        cmocka_unit_test(test_one_change_in_one_topic_twice),
        cmocka_unit_test(test_a_given_key),
        cmocka_unit_test(test_what_a_table_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
