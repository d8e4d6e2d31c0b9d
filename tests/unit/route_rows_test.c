/* route/: rows of tables become events. */
#include "route_fixture.h"

#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_outbox_defaults(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_ptr_equal(f.event.change, &f.change);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(f.event.index, 1);
    assert_span(f.event.topic, "outbox.event.order");
    assert_int_equal(f.event.topic.ptr[f.event.topic.len], 0);
    assert_span(f.event.key.cell.value.bytes, "4711");
    assert_span(f.event.id, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    assert_span(f.event.type, "OrderPlaced");
    assert_int_equal(f.event.value.cell.value.kind, CELL_TEXT);
    assert_span(f.event.value.cell.value.bytes, "{\"total\": 12.50}");
    assert_ptr_equal(f.event.value.cell.type, types_plain_text());
    assert_int_equal(f.event.partition, -1);
    assert_int_equal(f.event.timestamp_us, 1700000000123456);
    assert_int_equal(f.event.header_count, 1);
    assert_span(f.event.headers[0].name, "id");
    assert_span(f.event.headers[0].value, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    assert_int_equal(f.answer, ROUTER_TAKEN);
    assert_int_equal(route_fixture_next(&f), 0);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_columns_in_any_order(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_set(&f, "extra", "x");
    struct column column = f.columns[0];
    struct cell cell = f.cells[0];
    f.columns[0] = f.columns[5];
    f.cells[0] = f.cells[5];
    f.columns[5] = column;
    f.cells[5] = cell;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.id, "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    assert_span(f.event.key.cell.value.bytes, "4711");
    route_fixture_fini(&f);
}

static void test_only_new_rows_are_events(void **state)
{
    (void)state;
    const enum change_op none[] = {CHANGE_BEGIN,  CHANGE_UPDATE, CHANGE_DELETE, CHANGE_TRUNCATE,
                                   CHANGE_COMMIT, CHANGE_MARK,   CHANGE_MESSAGE};
    struct route_fixture f;
    route_fixture_init(&f);
    const struct relation *truncated = &f.relation;
    f.change.truncate.count = 1;
    f.change.truncate.relations = &truncated;
    assert_int_equal(route_fixture_open(&f), 0);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        f.change.op = none[i];
        assert_int_equal(route_fixture_route(&f), 0);
        assert_int_equal(f.answer, ROUTER_NOT_THIS_OPERATION);
    }
    f.change.op = CHANGE_READ;
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.answer, ROUTER_TAKEN);
    route_fixture_fini(&f);
}

static void test_other_tables_are_no_events(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.relation.name = SPAN_LITERAL("outbox2");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 0);
    assert_int_equal(f.answer, ROUTER_NO_ROUTE);
    route_fixture_fini(&f);
}

static void test_topic_follows_its_column(void **state)
{
    (void)state;
    const char *const types[] = {"order", "order", "orders", "o", "order", "rder"};
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text("a.{aggregatetype}.b");
    assert_int_equal(route_fixture_open(&f), 0);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "a.%s.b", types[i]);
        route_fixture_set(&f, "aggregatetype", types[i]);
        assert_int_equal(route_fixture_route(&f), 1);
        assert_span(f.event.topic, wanted);
    }
    /* A bad one in between is not remembered. */
    route_fixture_set(&f, "aggregatetype", "no good");
    assert_int_equal(route_fixture_route(&f), -1);
    route_fixture_set(&f, "aggregatetype", "rder");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.topic, "a.rder.b");
    route_fixture_set(&f, "aggregatetype", "no good");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_int_equal(route_fixture_route(&f), -1);
    route_fixture_fini(&f);
}

static void test_topic_of_two_columns(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text("{aggregatetype}.{type}");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.topic, "order.OrderPlaced");
    route_fixture_set(&f, "type", "OrderPaid");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.topic, "order.OrderPaid");
    assert_int_equal(f.event.topic.ptr[f.event.topic.len], 0);
    route_fixture_fini(&f);
}

static void expect_topic_error(const char *type, const char *reason, const char *text)
{
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text("{aggregatetype}");
    route_fixture_set(&f, "aggregatetype", type);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, reason, text);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_bad_topics(void **state)
{
    (void)state;
    char long_name[256];
    memset(long_name, 'x', 250);
    long_name[250] = '\0';
    expect_topic_error("", "illegal_topic", "the topic name is empty");
    expect_topic_error("a b", "illegal_topic",
                       "the topic name \"a b\" holds a character other than a-z A-Z 0-9 . _ -");
    expect_topic_error("a\nb\xC3\xA4", "illegal_topic",
                       "the topic name \"a?b??\" holds a character other than a-z A-Z 0-9 . _ -");
    expect_topic_error(".", "illegal_topic", "\".\" is not a topic name");
    expect_topic_error("..", "illegal_topic", "\"..\" is not a topic name");
    expect_topic_error(
        long_name, "illegal_topic",
        "the topic name \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xx...\" has 250 bytes, more than 249");
    expect_topic_error("__consumer_offsets", "reserved_topic",
                       "topic __consumer_offsets begins with __, which is for Kafka's own topics");
    expect_topic_error("walferry.orders.progress", "reserved_topic",
                       "topic walferry.orders.progress is the progress topic");
    expect_topic_error(
        NULL, "null_in_template",
        "column aggregatetype of public.outbox is NULL, and the topic of route outbox "
        "has no default for it");
}

static void test_rows_reach_what_is_allowed(void **state)
{
    (void)state;
    const struct config_text globs[] = {route_fixture_text("outbox.event.*"),
                                        route_fixture_text("audit-?")};
    const struct config_texts allowed = {2, globs};
    const char *const topics[] = {"outbox.event.", "outbox.event.a.b", "audit-1",     "audit-10",
                                  "secrets",       "xoutbox.event.a",  "outbox.event"};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        struct route_fixture f;
        char text[80];
        route_fixture_init(&f);
        f.topics_allowed = &allowed;
        f.configs[0].topic = route_fixture_text("{aggregatetype}");
        route_fixture_set(&f, "aggregatetype", topics[i]);
        assert_int_equal(route_fixture_open(&f), 0);
        assert_int_equal(route_fixture_route(&f), i < 3 ? 1 : -1);
        snprintf(text, sizeof text, "topic %s matches none of delivery.topics.allow", topics[i]);
        if (i >= 3)
            assert_error(f.err, ERROR_DATA, "topic_not_allowed", text);
        route_fixture_fini(&f);
    }
}

static void test_longest_topic(void **state)
{
    (void)state;
    char name[250];
    memset(name, 'x', 249);
    name[249] = '\0';
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].topic = route_fixture_text("{aggregatetype}");
    route_fixture_set(&f, "aggregatetype", name);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.topic, name);
    route_fixture_fini(&f);
}

static void test_null_and_default_in_key(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_set(&f, "aggregateid", NULL);
    route_fixture_add_route(&f, "other", "public.outbox");
    f.configs[0].continue_matching = true;
    f.configs[1].key = route_fixture_text("{aggregateid:}");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "null_in_template",
                 "column aggregateid of public.outbox is NULL, and the key of route outbox has no "
                 "default for it");
    /* The failed event counts, so that the id of the second does not depend on it. */
    assert_int_equal(route_fixture_next(&f), 1);
    assert_int_equal(f.event.index, 2);
    assert_int_equal(f.event.route, 1);
    assert_span(f.event.key.cell.value.bytes, "");
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_no_key(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].key = route_fixture_text("");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_absent(f.event.key.cell.value.bytes);
    route_fixture_fini(&f);
}

static void test_null_id(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_set(&f, "id", NULL);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "null_in_template",
                 "column id of public.outbox is NULL, and the header id of route outbox has no "
                 "default for it");
    route_fixture_fini(&f);
    route_fixture_init(&f);
    route_fixture_set(&f, "id", NULL);
    route_fixture_set(&f, "type", NULL);
    f.configs[0].has_headers = true;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_absent(f.event.id);
    assert_absent(f.event.type);
    assert_int_equal(f.event.header_count, 0);
    route_fixture_fini(&f);
}

static void expect_missing(const char *column, const char *text)
{
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_column(&f, column)->name = SPAN_LITERAL("something_else");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "column_missing", text);
    assert_int_equal(f.answer, ROUTER_TAKEN);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_missing_columns(void **state)
{
    (void)state;
    expect_missing("id", "public.outbox has no column id, which route outbox needs");
    expect_missing("payload", "public.outbox has no column payload, which route outbox needs");
    expect_missing("aggregatetype",
                   "public.outbox has no column aggregatetype, which route outbox needs");
    expect_missing("aggregateid",
                   "public.outbox has no column aggregateid, which route outbox needs");
}

static void test_missing_type_matters_only_where_used(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_column(&f, "type")->name = SPAN_LITERAL("kind");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_absent(f.event.type);
    route_fixture_fini(&f);

    route_fixture_init(&f);
    route_fixture_column(&f, "type")->name = SPAN_LITERAL("kind");
    struct config_pair header = {route_fixture_text("eventType"),
                                 route_fixture_text("{type:none}")};
    f.configs[0].has_headers = true;
    f.configs[0].headers = (struct config_pairs){1, &header};
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "column_missing",
                 "public.outbox has no column type, which route outbox needs");
    route_fixture_fini(&f);
}

static void test_mapped_extras_must_exist(void **state)
{
    (void)state;
    const char *const names[] = {"headers", "timestamp", "partition"};
    for (size_t i = 0; i < 3; i++) {
        char wanted[128];
        struct route_fixture f;
        route_fixture_init(&f);
        struct config_columns *columns = &f.configs[0].columns;
        struct config_text *const mapped[] = {&columns->headers, &columns->timestamp,
                                              &columns->partition};
        *mapped[i] = route_fixture_text(names[i]);
        snprintf(wanted, sizeof wanted, "public.outbox has no column %s, which route outbox needs",
                 names[i]);
        assert_int_equal(route_fixture_open(&f), 0);
        assert_int_equal(route_fixture_route(&f), -1);
        assert_error(f.err, ERROR_DATA, "column_missing", wanted);
        route_fixture_fini(&f);
    }
}

static void test_payload_kinds(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    assert_int_equal(route_fixture_open(&f), 0);
    route_fixture_set(&f, "payload", NULL);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.value.cell.value.kind, CELL_NULL);
    route_fixture_cell(&f, "payload")->kind = CELL_UNCHANGED;
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "value_unchanged",
                 "column payload of public.outbox: the server did not send the value");
    route_fixture_fini(&f);
}

/* Cells of a database of SQL_ASCII: the value alone may be bytes, and only where the route says so.
 */
static void test_bytes_are_no_text(void **state)
{
    (void)state;
    static const char *const columns[] = {"aggregatetype", "aggregateid", "id", "type"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.configs[0].value_encoding = VALUE_BYTES;
        assert_int_equal(route_fixture_open(&f), 0);
        *route_fixture_cell(&f, columns[i]) = (struct cell){CELL_BYTES, SPAN_LITERAL("caf\xe9")};
        char wanted[160];
        snprintf(wanted, sizeof wanted,
                 "column %s of public.outbox: 4 bytes of text that are not UTF-8 (the first beyond "
                 "ASCII is byte 4, 0xe9)",
                 columns[i]);
        assert_int_equal(route_fixture_route(&f), -1);
        assert_error(f.err, ERROR_DATA, "not_utf8", wanted);
        route_fixture_fini(&f);
    }
}

static void test_a_name_that_is_no_utf8(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].key = route_fixture_text("{@table}");
    assert_int_equal(route_fixture_open(&f), 0);
    f.relation.not_utf8 = true;
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "not_utf8",
                 "the name public.outbox is not UTF-8, and the key of route outbox names it");
    route_fixture_fini(&f);
}

static void test_value_in_its_own_encoding(void **state)
{
    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        struct route_fixture f;
        route_fixture_init(&f);
        f.configs[0].value_encoding = bytes ? VALUE_BYTES : VALUE_UTF8;
        assert_int_equal(route_fixture_open(&f), 0);
        struct cell raw[FIXTURE_COLUMNS_MAX];
        memcpy(raw, f.cells, sizeof raw);
        raw[route_fixture_cell(&f, "payload") - f.cells].bytes = SPAN_LITERAL("caf\xe9");
        raw[route_fixture_cell(&f, "aggregateid") - f.cells].bytes = SPAN_LITERAL("\xe9");
        route_fixture_set(&f, "payload", "café");
        route_fixture_set(&f, "aggregateid", "é");
        f.change.after.raw = raw;
        assert_int_equal(route_fixture_route(&f), 1);
        assert_span(f.event.key.cell.value.bytes, "é");
        assert_span(f.event.value.cell.value.bytes, bytes ? "caf\xe9" : "café");
        route_fixture_fini(&f);
    }
}

static void test_timestamp_column(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].columns.timestamp = route_fixture_text("at");
    route_fixture_set(&f, "at", "2024-02-29 12:00:00.000001+00");
    route_fixture_column(&f, "at")->type_oid = TYPE_TIMESTAMPTZ;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.timestamp_us, 1709208000000001);
    route_fixture_set(&f, "at", NULL);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.timestamp_us, 1700000000123456);
    route_fixture_set(&f, "at", "infinity");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "bad_value",
                 "column at of public.outbox: \"infinity\" is not a timestamp");
    route_fixture_fini(&f);
}

static void test_partition_column(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].columns.partition = route_fixture_text("part");
    route_fixture_set(&f, "part", "11");
    route_fixture_column(&f, "part")->type_oid = TYPE_INT4;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.partition, 11);
    route_fixture_set(&f, "part", NULL);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.partition, -1);
    route_fixture_set(&f, "part", "-1");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "bad_partition",
                 "column part of public.outbox: -1 is not the number of a partition");
    route_fixture_set(&f, "part", "many");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "bad_value",
                 "column part of public.outbox: \"many\" is not an integer");
    route_fixture_fini(&f);
}

/* The event's value has the type that the column points to, and a domain is what it is over. */
static void test_columns_point_to_their_types(void **state)
{
    (void)state;
    struct route_fixture f;
    struct type moment = {.oid = 16385,
                          .kind = TYPE_KIND_DOMAIN,
                          .binary_len = -1,
                          .base = types_builtin(TYPE_TIMESTAMPTZ)};
    route_fixture_init(&f);
    f.configs[0].columns.timestamp = route_fixture_text("at");
    route_fixture_set(&f, "at", "x");
    *route_fixture_cell(&f, "at") = (struct cell){CELL_BINARY, {"\0\0\0\0\0\0\0\1", 8}};
    route_fixture_column(&f, "at")->type_oid = 16385;
    route_fixture_column(&f, "at")->type = &moment;
    route_fixture_column(&f, "payload")->type_oid = 16385;
    route_fixture_column(&f, "payload")->type = &moment;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.timestamp_us, INT64_C(946684800000001));
    assert_ptr_equal(f.event.value.cell.type, &moment);
    /* Nothing but an oid, and nobody knows it: text. */
    f.relation.version++;
    route_fixture_column(&f, "payload")->type = NULL;
    assert_int_equal(route_fixture_route(&f), 1);
    assert_ptr_equal(f.event.value.cell.type, types_unknown());
    route_fixture_fini(&f);
}

static void test_binary_cells(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    *route_fixture_cell(&f, "aggregateid") = (struct cell){CELL_BINARY, {"\0\0\x12\x67", 4}};
    route_fixture_column(&f, "aggregateid")->type_oid = TYPE_INT4;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.key.cell.value.bytes, "4711");
    f.relation.version++;
    route_fixture_column(&f, "aggregateid")->type_oid = 3614;
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "bad_value",
                 "column aggregateid of public.outbox: the binary form of type oid 3614 is not "
                 "known");
    route_fixture_fini(&f);
}

static void test_altered_table(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    /* ALTER TABLE: the same struct, another version, columns elsewhere. */
    struct column column = f.columns[1];
    struct cell cell = f.cells[1];
    f.columns[1] = f.columns[2];
    f.cells[1] = f.cells[2];
    f.columns[2] = column;
    f.cells[2] = cell;
    f.relation.version = 2;
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.key.cell.value.bytes, "4711");
    assert_span(f.event.topic, "outbox.event.order");
    f.relation.name = SPAN_LITERAL("renamed");
    f.relation.version = 3;
    assert_int_equal(route_fixture_route(&f), 0);
    route_fixture_fini(&f);
}

static void test_two_relations_in_turn(void **state)
{
    (void)state;
    struct route_fixture f, g;
    route_fixture_init(&f);
    route_fixture_init(&g);
    route_fixture_add_route(&f, "g", "public.g");
    g.relation.name = SPAN_LITERAL("g");
    assert_int_equal(route_fixture_open(&f), 0);
    for (int i = 0; i < 4; i++) {
        f.change.relation = i % 2 == 0 ? &f.relation : &g.relation;
        f.change.after.cells = i % 2 == 0 ? f.cells : g.cells;
        assert_int_equal(route_fixture_route(&f), 1);
        assert_int_equal(f.event.route, i % 2);
    }
    route_fixture_fini(&f);
    route_fixture_fini(&g);
}

static void test_first_match_wins(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_add_route(&f, "second", "public.*");
    route_fixture_add_route(&f, "third", "*.outbox");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(route_fixture_next(&f), 0);
    router_close(f.router);
    f.configs[0].continue_matching = true;
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(route_fixture_next(&f), 1);
    assert_int_equal(f.event.route, 1);
    assert_int_equal(f.event.index, 2);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_facts(void **state)
{
    (void)state;
    struct config_pair headers[] = {
        {route_fixture_text("s"), route_fixture_text("{@schema}")},
        {route_fixture_text("t"), route_fixture_text("{@table}")},
        {route_fixture_text("o"), route_fixture_text("{@op}")},
        {route_fixture_text("l"), route_fixture_text("{@lsn}")},
        {route_fixture_text("x"), route_fixture_text("{@xid}")},
        {route_fixture_text("c"), route_fixture_text("{@commit_ms}")},
        {route_fixture_text("r"), route_fixture_text("{@relay}")},
        {route_fixture_text("b"), route_fixture_text("{{{@op}}}")},
    };
    const char *const wanted[] = {"public", "outbox",        "insert", "16/B374D848",
                                  "731",    "1700000000123", "orders", "{insert}"};
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].has_headers = true;
    f.configs[0].headers = (struct config_pairs){8, headers};
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.header_count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_span(f.event.headers[i].value, wanted[i]);
    f.change.op = CHANGE_READ;
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.headers[2].value, "read");
    route_fixture_fini(&f);
}

static void test_literal_topics(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_add_route(&f, "a", "public.a")->topic = route_fixture_text("all.{@relay}");
    route_fixture_add_route(&f, "b", "public.b")->topic = route_fixture_text("b");
    route_fixture_add_route(&f, "c", "public.c")->topic = route_fixture_text("all.orders");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_string_equal(router_literal_topic(f.router, 0), "all.orders");
    assert_string_equal(router_literal_topic(f.router, 1), "b");
    assert_null(router_literal_topic(f.router, 2));
    f.relation.name = SPAN_LITERAL("c");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.topic, "all.orders");
    route_fixture_fini(&f);
}

static void test_route_of_table(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    route_fixture_add_route(&f, "messages", "message:audit");
    route_fixture_add_route(&f, "shard", "shard_?.outbox*");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(
        router_route_of_table(f.router, SPAN_LITERAL("public"), SPAN_LITERAL("outbox")), 0);
    assert_int_equal(
        router_route_of_table(f.router, SPAN_LITERAL("shard_1"), SPAN_LITERAL("outbox_old")), 2);
    assert_int_equal(router_route_of_table(f.router, SPAN_LITERAL("public"), SPAN_LITERAL("audit")),
                     -1);
    route_fixture_fini(&f);
}

/* What the server is asked to send follows from the routes. */
static void test_operations(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(router_operations(f.router, ROUTER_INSERTS),
                     change_bit(CHANGE_INSERT) | change_bit(CHANGE_READ));
    router_close(f.router);
    f.configs[0].from = route_fixture_text("message:outbox");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(router_operations(f.router, ROUTER_INSERTS), 0);
    assert_int_equal(route_fixture_route(&f), 0);
    assert_int_equal(f.answer, ROUTER_NO_ROUTE);
    route_fixture_fini(&f);
}

/* A route that fails has taken the change all the same. */
static void test_a_failure_is_taken(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].continue_matching = true;
    route_fixture_add_route(&f, "second", "public.*")->topic = route_fixture_text("all");
    route_fixture_set(&f, "aggregatetype", NULL);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_int_equal(f.answer, ROUTER_TAKEN);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(route_fixture_next(&f), 1);
    assert_int_equal(f.event.route, 1);
    assert_int_equal(f.event.index, 2);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_defaults),
        cmocka_unit_test(test_columns_in_any_order),
        cmocka_unit_test(test_only_new_rows_are_events),
        cmocka_unit_test(test_other_tables_are_no_events),
        cmocka_unit_test(test_topic_follows_its_column),
        cmocka_unit_test(test_topic_of_two_columns),
        cmocka_unit_test(test_bad_topics),
        cmocka_unit_test(test_rows_reach_what_is_allowed),
        cmocka_unit_test(test_longest_topic),
        cmocka_unit_test(test_null_and_default_in_key),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_null_id),
        cmocka_unit_test(test_missing_columns),
        cmocka_unit_test(test_missing_type_matters_only_where_used),
        cmocka_unit_test(test_mapped_extras_must_exist),
        cmocka_unit_test(test_payload_kinds),
        cmocka_unit_test(test_bytes_are_no_text),
        cmocka_unit_test(test_a_name_that_is_no_utf8),
        cmocka_unit_test(test_value_in_its_own_encoding),
        cmocka_unit_test(test_timestamp_column),
        cmocka_unit_test(test_partition_column),
        cmocka_unit_test(test_columns_point_to_their_types),
        cmocka_unit_test(test_binary_cells),
        cmocka_unit_test(test_altered_table),
        cmocka_unit_test(test_two_relations_in_turn),
        cmocka_unit_test(test_first_match_wins),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_literal_topics),
        cmocka_unit_test(test_route_of_table),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_a_failure_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
