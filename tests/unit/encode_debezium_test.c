/* encode/encode_debezium: the envelope of each operation, and keys. How single values look is the
 * matter of types/. */
#include "encode/encode.h"
#include "encode/encode_debezium_columns.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_text.h"

#define COLUMNS 3

struct run {
    struct config_route route;
    struct config_routes routes;
    struct encoders *encoders;
    struct metrics *metrics;
    struct arena arena;
    struct column columns[COLUMNS];
    struct relation relation;
    struct cell before_cells[COLUMNS], after_cells[COLUMNS];
    struct row before, after, none;
    bool not_null[COLUMNS];
    struct change change;
    struct event event;
    struct message message;
    struct error err;
};

static struct cell text(const char *value)
{
    return value == NULL ? (struct cell){.kind = CELL_NULL}
                         : (struct cell){.kind = CELL_TEXT, .bytes = span_of(value)};
}

static void open_encoders(struct run *r)
{
    struct encoders_options options = {.routes = &r->routes,
                                       .system_identifier = 7318349394477056000,
                                       .id_header = "walferry-id",
                                       .database = "shop",
                                       .metrics = r->metrics};
    encoders_close(r->encoders);
    assert_int_equal(encoders_open(&options, &r->encoders, &r->err), 0);
}

/* customers (id int primary key, name text not null, note text): {1, "Anne", NULL}. */
static void begin(struct run *r)
{
    *r = (struct run){.err = ERROR_INIT};
    arena_init(&r->arena, 256, 256);
    r->route.as = ROUTE_CHANGE;
    r->route.format = FORMAT_DEBEZIUM;
    r->route.debezium.topic_prefix.text = "srv";
    r->route.debezium.unavailable_value_placeholder.text = "__debezium_unavailable_value";
    r->routes = (struct config_routes){1, &r->route};
    open_encoders(r);
    const char *const names[] = {"id", "name", "note"};
    for (int i = 0; i < COLUMNS; i++)
        r->columns[i] = (struct column){.name = span_of(names[i]),
                                        .type_oid = i == 0 ? TYPE_INT4 : TYPE_TEXT,
                                        .type_modifier = -1,
                                        .key = i == 0,
                                        .type = types_builtin(i == 0 ? TYPE_INT4 : TYPE_TEXT)};
    r->not_null[0] = r->not_null[1] = true;
    r->relation = (struct relation){.oid = 16400,
                                    .schema = SPAN_LITERAL("public"),
                                    .name = SPAN_LITERAL("customers"),
                                    .identity = 'd',
                                    .column_count = COLUMNS,
                                    .columns = r->columns,
                                    .version = 1,
                                    .key = {.asked = true, .not_null = r->not_null}};
    r->after_cells[0] = text("1");
    r->after_cells[1] = text("Anne");
    r->before_cells[0] = text("1");
    r->after = (struct row){.count = COLUMNS, .cells = r->after_cells};
    r->before = (struct row){.count = COLUMNS, .cells = r->before_cells};
    r->change = (struct change){.op = CHANGE_INSERT,
                                .id = change_id_wal(24023200, 1),
                                .position = {24023000, 1},
                                .lsn = 24023128,
                                .xid = 555,
                                .commit_time_us = 1700000000123456,
                                .sent_time_us = 1700000000200111,
                                .relation = &r->relation};
    r->event = (struct event){
        .change = &r->change, .index = 1, .topic = SPAN_LITERAL("t"), .partition = -1};
    content_set_text(&r->event.key, span_null());
}

static void end(struct run *r)
{
    encoders_close(r->encoders);
    metrics_close(r->metrics);
    arena_fini(&r->arena);
}

static const struct message *encode(struct run *r, enum change_op op, const struct row *before,
                                    const struct row *after)
{
    r->event.value.kind = CONTENT_CHANGE;
    r->event.value.change =
        (struct content_change){.change = &r->change,
                                .op = op,
                                .relation = op == CHANGE_MESSAGE ? NULL : &r->relation,
                                .before = before,
                                .after = after};
    r->message = (struct message){.partition = -1};
    if (encode_message(r->encoders, &r->event, &r->arena, &r->message, &r->err) < 0)
        fail_msg("%s", r->err.text);
    return &r->message;
}

#define SOURCE(connector, version, snapshot, schema, table)                                        \
    "\"source\":{\"version\":\"" version "\",\"connector\":\"" connector                           \
    "\",\"name\":\"srv\",\"ts_ms\":1700000000123,\"snapshot\":\"" snapshot                         \
    "\",\"db\":\"shop\",\"sequence\":\"[\\\"24023000\\\",\\\"24023128\\\"]\","                     \
    "\"ts_us\":1700000000123456,\"ts_ns\":1700000000123456000,\"schema\":\"" schema                \
    "\",\"table\":\"" table "\",\"txId\":555,\"lsn\":24023128,\"xmin\":null,\"origin\":null,"      \
    "\"origin_lsn\":null}"
#define OURS(snapshot) SOURCE("walferry", WALFERRY_VERSION, snapshot, "public", "customers")
#define TIMES "\"ts_ms\":1700000000200,\"ts_us\":1700000000200111,\"ts_ns\":1700000000200111000}"
#define ANNE "{\"id\":1,\"name\":\"Anne\",\"note\":null}"

static void test_operations(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    assert_span(encode(&r, CHANGE_INSERT, &r.none, &r.after)->value,
                "{\"before\":null,\"after\":" ANNE
                "," OURS("false") ",\"transaction\":null,\"op\":\"c\"," TIMES);
    assert_span(encode(&r, CHANGE_READ, &r.none, &r.after)->value,
                "{\"before\":null,\"after\":" ANNE
                "," OURS("true") ",\"transaction\":null,\"op\":\"r\"," TIMES);
    assert_span(encode(&r, CHANGE_UPDATE, &r.none, &r.after)->value,
                "{\"before\":null,\"after\":" ANNE
                "," OURS("false") ",\"transaction\":null,\"op\":\"u\"," TIMES);
    assert_span(encode(&r, CHANGE_TRUNCATE, &r.none, &r.none)->value,
                "{\"before\":null,\"after\":null," OURS(
                    "false") ",\"transaction\":null,\"op\":\"t\"," TIMES);
    r.event.value.change.total_order = 7;
    r.event.value.change.collection_order = 3;
    r.message = (struct message){.partition = -1};
    assert_int_equal(encode_message(r.encoders, &r.event, &r.arena, &r.message, &r.err), 0);
    assert_span(r.message.value,
                "{\"before\":null,\"after\":null," OURS(
                    "false") ",\"transaction\":{\"id\":\"555:24023128\",\"total_order\":7,"
                             "\"data_collection_order\":3},\"op\":\"t\"," TIMES);
    end(&r);
}

/* Of an old row the server tells the replica identity: the rest is NULL, or the type's zero. */
static void test_old_rows(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    assert_span(encode(&r, CHANGE_DELETE, &r.before, &r.none)->value,
                "{\"before\":{\"id\":1,\"name\":\"\",\"note\":null},\"after\":null," OURS(
                    "false") ",\"transaction\":null,\"op\":\"d\"," TIMES);
    r.relation.identity = 'f';
    r.before_cells[1] = text("Bob");
    assert_span(encode(&r, CHANGE_DELETE, &r.before, &r.none)->value,
                "{\"before\":{\"id\":1,\"name\":\"Bob\",\"note\":null},\"after\":null," OURS(
                    "false") ",\"transaction\":null,\"op\":\"d\"," TIMES);
    end(&r);
}

static void test_an_unchanged_value(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.after_cells[2] = (struct cell){.kind = CELL_UNCHANGED};
    const struct message *m = encode(&r, CHANGE_UPDATE, &r.none, &r.after);
    assert_non_null(memmem(m->value.ptr, m->value.len,
                           ",\"note\":\"__debezium_unavailable_value\"}",
                           strlen(",\"note\":\"__debezium_unavailable_value\"}")));
    end(&r);
}

/* A type that nobody knows, and a value that its type has no form for, are counted for the route.
 */
static void test_what_is_not_understood_is_counted(void **state)
{
    (void)state;
    struct run r;
    const char *const names[] = {"all"};
    begin(&r);
    r.metrics = metrics_open("orders", 1, names);
    open_encoders(&r);
    (void)encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_int_equal(metrics_get_route(r.metrics, METRIC_VALUES_AS_TEXT, 0), 0);
    r.columns[1].type = types_unknown();
    r.columns[1].type_oid = 99999;
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_non_null(memmem(m->value.ptr, m->value.len, ANNE, strlen(ANNE)));
    assert_int_equal(metrics_get_route(r.metrics, METRIC_VALUES_AS_TEXT, 0), 1);
    r.columns[2].type = types_builtin(1700);
    r.columns[2].type_oid = 1700;
    r.after_cells[2] = text("NaN");
    m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_non_null(memmem(m->value.ptr, m->value.len, ANNE, strlen(ANNE)));
    assert_int_equal(metrics_get_route(r.metrics, METRIC_VALUES_AS_TEXT, 0), 3);
    end(&r);
}

/* Of a value; a key has all of its columns. */
static void test_columns_that_are_left_out(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.route.debezium.column_exclude_list.text = "public\\.customers\\.(id|note)";
    open_encoders(&r);
    static const uint32_t key[] = {0};
    r.event.key.kind = CONTENT_ROW;
    r.event.key.row = (struct content_row){&r.relation, &r.after, 1, key, false};
    const struct message *m = encode(&r, CHANGE_DELETE, &r.before, &r.none);
    assert_span(m->key, "{\"id\":1}");
    assert_non_null(memmem(m->value.ptr, m->value.len, "{\"before\":{\"name\":\"\"},", 22));
    r.route.debezium.column_exclude_list.text = NULL;
    r.route.debezium.column_include_list.text = ".*\\.note, .*\\.name";
    open_encoders(&r);
    m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_non_null(
        memmem(m->value.ptr, m->value.len, "\"after\":{\"name\":\"Anne\",\"note\":null}", 35));
    end(&r);
}

static const struct config_pairs *one_pair(struct run *r, const char *name, const char *list)
{
    struct config_pair *pair = arena_alloc_zero(&r->arena, sizeof *pair);
    struct config_pairs *pairs = arena_alloc_zero(&r->arena, sizeof *pairs);
    pair->name.text = name;
    pair->value.text = list;
    *pairs = (struct config_pairs){1, pair};
    return pairs;
}

#define HIDDEN(before, after) "{\"before\":" before ",\"after\":" after ",\"source\""

/* The first of the four that matches decides; a key is never touched. */
static void test_columns_that_are_hidden(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    struct config_debezium *d = &r.route.debezium;
    d->column_truncate = *one_pair(&r, "2", ".*\\.customers\\.name");
    d->column_mask = *one_pair(&r, "4", "public\\.customers\\.(name|note)");
    static const uint32_t key[] = {1};
    r.event.key.kind = CONTENT_ROW;
    r.event.key.row = (struct content_row){
        .relation = &r.relation, .cells = &r.after, .count = 1, .columns = key};
    open_encoders(&r);
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_span(m->key, "{\"name\":\"Anne\"}");
    const char *wanted = HIDDEN("null", "{\"id\":1,\"name\":\"An\",\"note\":\"****\"}");
    assert_memory_equal(m->value.ptr, wanted, strlen(wanted));
    /* What the server does not send of an old row is masked as what stands there. */
    d->column_truncate.count = 0;
    d->column_mask = *one_pair(&r, "1", "public\\.customers\\.note");
    d->column_hash_v2 = *one_pair(&r, "MD5.with.salt.salt", "public\\.customers\\.name");
    open_encoders(&r);
    m = encode(&r, CHANGE_DELETE, &r.before, &r.none);
    wanted =
        HIDDEN("{\"id\":1,\"name\":\"ceb20772e0c9d240c75eb26b0e37abee\",\"note\":\"*\"}", "null");
    assert_memory_equal(m->value.ptr, wanted, strlen(wanted));
    d->column_mask = *one_pair(&r, "1", ".*\\.id");
    open_encoders(&r);
    r.event.value.change.op = CHANGE_INSERT;
    r.event.value.change.before = &r.none;
    r.event.value.change.after = &r.after;
    assert_int_equal(encode_message(r.encoders, &r.event, &r.arena, &r.message, &r.err), -1);
    assert_error(r.err, ERROR_DATA, "bad_value",
                 "payload: column id of public.customers is no text: "
                 "debezium.column_mask_with_length_chars cannot hide it");
    end(&r);
}

static void test_origin_and_money(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.change.origin = SPAN_LITERAL("up \"stream\"");
    r.change.origin_lsn = 18446744073709551615U;
    r.route.debezium.money_fraction_digits = 3;
    open_encoders(&r);
    r.columns[2].type = types_builtin_named(SPAN_LITERAL("money"));
    r.after_cells[2] = text("$1.25");
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    const char *origin = "\"origin\":\"up \\\"stream\\\"\",\"origin_lsn\":18446744073709551615}";
    assert_non_null(memmem(m->value.ptr, m->value.len, origin, strlen(origin)));
    assert_non_null(memmem(m->value.ptr, m->value.len, "\"note\":\"BOI=\"", 13)); /* 1250 */
    end(&r);
}

/* An event of the domain, in the envelope: JSON in the place of the row; its key is no columns. */
static void test_made_json(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.route.as = ROUTE_EVENT;
    open_encoders(&r);
    content_set_text(&r.event.key, SPAN_LITERAL("k"));
    r.event.value.kind = CONTENT_CHANGE;
    r.event.value.change = (struct content_change){.change = &r.change,
                                                   .op = CHANGE_INSERT,
                                                   .relation = &r.relation,
                                                   .before = &r.none,
                                                   .after = &r.none,
                                                   .made = SPAN_LITERAL("{\"total\":1.50}")};
    r.message = (struct message){.partition = -1};
    assert_int_equal(encode_message(r.encoders, &r.event, &r.arena, &r.message, &r.err), 0);
    assert_span(r.message.key, "k");
    assert_span(r.message.value, "{\"before\":null,\"after\":{\"total\":1.50}," OURS(
                                     "false") ",\"transaction\":null,\"op\":\"c\"," TIMES);
    end(&r);
}

static void test_compatible(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.route.debezium_compatible = true;
    open_encoders(&r);
    assert_span(encode(&r, CHANGE_INSERT, &r.none, &r.after)->value,
                "{\"before\":null,\"after\":" ANNE
                "," SOURCE("postgresql", "3.6.1.Final", "false", "public",
                           "customers") ",\"transaction\":null,\"op\":\"c\"," TIMES);
    end(&r);
}

/* A key is columns in the order that the route says; so is the header of a key that moved. */
static void test_keys(void **state)
{
    (void)state;
    static const uint32_t both[] = {1, 0};
    struct run r;
    begin(&r);
    struct content key = {.kind = CONTENT_ROW, .row = {&r.relation, &r.after, 2, both, false}};
    r.event.key = key;
    r.event.other_key = (struct key_header){SPAN_LITERAL("__debezium.newkey"), key};
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_span(m->key, "{\"name\":\"Anne\",\"id\":1}");
    assert_int_equal(m->header_count, 2);
    assert_span(m->headers[0].name, "__debezium.newkey");
    assert_span(m->headers[0].value, "{\"name\":\"Anne\",\"id\":1}");
    assert_span(m->headers[1].name, "walferry-id");
    key.row.count = 1;
    r.event.key = key;
    r.event.other_key.name = span_null();
    m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_span(m->key, "{\"name\":\"Anne\"}");
    assert_int_equal(m->header_count, 1);
    end(&r);
}

/* A header is what Connect's SimpleHeaderConverter prints of the key: a decimal is the number, and
 * nothing but quotes and backslashes is escaped. */
static void test_a_key_in_a_header(void **state)
{
    (void)state;
    static const uint32_t both[] = {1, 2};
    struct run r;
    begin(&r);
    r.columns[1].name = SPAN_LITERAL("a\nname");
    r.after_cells[1] = text("x\n\"\\\xF0\x9F\x98\x80");
    r.columns[2].type = types_builtin(1700);
    r.columns[2].type_oid = 1700;
    r.columns[2].type_modifier = (10 << 16 | 2) + 4;
    r.after_cells[2] = text("-5.00");
    struct content key = {.kind = CONTENT_ROW, .row = {&r.relation, &r.after, 2, both, false}};
    r.event.key = key;
    key.row.in_header = true;
    r.event.other_key = (struct key_header){SPAN_LITERAL("__debezium.newkey"), key};
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_span(m->key, "{\"a\\nname\":\"x\\n\\\"\\\\\\uD83D\\uDE00\",\"note\":\"/gw=\"}");
    assert_span(m->headers[0].value,
                "{\"a\nname\":\"x\n\\\"\\\\\xF0\x9F\x98\x80\",\"note\":-5.00}");
    end(&r);
}

/* The same relation anew, with other columns. */
static void test_another_version(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    (void)encode(&r, CHANGE_INSERT, &r.none, &r.after);
    r.columns[1].name = SPAN_LITERAL("the \"name\"");
    r.relation.name = SPAN_LITERAL("c\xc3\xa4");
    r.relation.version++;
    assert_span(
        encode(&r, CHANGE_INSERT, &r.none, &r.after)->value,
        "{\"before\":null,\"after\":{\"id\":1,\"the \\\"name\\\"\":\"Anne\",\"note\":null}," SOURCE(
            "walferry", WALFERRY_VERSION, "false", "public",
            "c\xc3\xa4") ",\"transaction\":null,\"op\":\"c\"," TIMES);
    end(&r);
}

static void test_a_tombstone(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    content_set_text(&r.event.value, span_null());
    r.message = (struct message){.partition = -1};
    assert_int_equal(encode_message(r.encoders, &r.event, &r.arena, &r.message, &r.err), 0);
    assert_null(r.message.value.ptr);
    assert_null(r.message.key.ptr);
    end(&r);
}

static void test_placeholder_of_bytes(void **state)
{
    (void)state;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    struct arena arena;
    arena_init(&arena, 4096, 4096);
    debezium_placeholder("hex:00fF61", &modes, &arena);
    assert_int_equal(modes.unavailable_bytes.len, 3);
    assert_memory_equal(modes.unavailable_bytes.ptr,
                        "\0\xFF"
                        "a",
                        3);
    assert_int_equal(modes.unavailable.len, 5);
    assert_memory_equal(modes.unavailable.ptr,
                        "\0\xEF\xBF\xBD"
                        "a",
                        5);
    modes = DEBEZIUM_MODES_DEFAULT;
    debezium_placeholder("gone", &modes, &arena);
    assert_span(modes.unavailable, "gone");
    assert_null(modes.unavailable_bytes.ptr);
    arena_fini(&arena);
}

/* What an expression gives: JSON, or that of the NULL itself. */
static void expect_default(const char *type, const char *def, const char *json)
{
    struct arena arena;
    struct cell cell;
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    struct error err = ERROR_INIT;
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    arena_init(&arena, 4096, 4096);
    const struct type *of = types_builtin_named(span_of(type));
    struct column column = {.type_oid = of->oid, .type_modifier = -1, .type = of};
    bool taken =
        types_debezium_default(&column, def != NULL ? span_of(def) : span_null(), &cell, &arena);
    if (taken && types_debezium_write(&w, &cell, &column, &modes, &arena, &err) < 0)
        fail_msg("%s %s: %s", type, def, err.text);
    if (!taken)
        json_write_null(&w);
    if (!span_equal_text(buf_span(&out), json))
        fail_msg("%s %s: %.*s", type, def, SPAN_ARG(buf_span(&out)));
    buf_fini(&out);
    arena_fini(&arena);
}

static void test_defaults(void **state)
{
    (void)state;
    expect_default("int4", NULL, "null");
    expect_default("int4", "5", "5");
    expect_default("int4", "'-5'::integer", "-5");
    expect_default("int4", "(1 + 1)", "null");
    expect_default("int4", "NULL::integer", "null");
    expect_default("int8", "nextval('a_seq'::regclass)", "0");
    expect_default("bool", "true", "true");
    expect_default("bool", "false", "false");
    expect_default("text", "'it''s (x)'::text", "\"it's (x)\"");
    expect_default("text", "''::text", "\"\"");
    expect_default("text", "CURRENT_DATE", "\"\"");
    expect_default("float8", "1.5", "1.5");
    expect_default("json", "'{}'::json", "\"{}\"");
    expect_default("jsonb", "jsonb_build_object()", "\"{}\"");
    expect_default("date", "'2016-11-04'::date", "17109");
    expect_default("timestamptz", "now()", "\"1970-01-01T00:00:00.000000Z\"");
    expect_default("interval", "'1 day'::interval", "86400000000");
    expect_default("uuid", "gen_random_uuid()", "\"00000000-0000-0000-0000-000000000000\"");
    expect_default("bytea", "'\\x01'::bytea", "null");
    expect_default("_text", "'{a}'::text[]", "null");
}

/* Behind all others of the route, but for our id; a message has none. */
static void test_headers_of_the_task(void **state)
{
    (void)state;
    struct run r;
    begin(&r);
    r.route.debezium.extended_headers = true;
    static const char *const wanted[][2] = {
        {"__debezium.context.connectorLogicalName", "srv"},
        {"__debezium.context.taskId", "0"},
        {"__debezium.context.connectorName", "walferry"},
        {"__debezium.context.runId", "00000000-0000-0000-0000-000000000000"},
        {"walferry-id", NULL},
    };
    const struct message *m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_int_equal(m->header_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_span(m->headers[i].name, wanted[i][0]);
        if (wanted[i][1] != NULL)
            assert_span(m->headers[i].value, wanted[i][1]);
    }
    r.encoders->o.run = "0123456789abcdef0123456789abcdef";
    m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_span(m->headers[3].value, "01234567-89ab-cdef-0123-456789abcdef");
    r.change.op = CHANGE_MESSAGE;
    m = encode(&r, CHANGE_INSERT, &r.none, &r.after);
    assert_int_equal(m->header_count, 1);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_placeholder_of_bytes),
        cmocka_unit_test(test_headers_of_the_task),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_old_rows),
        cmocka_unit_test(test_an_unchanged_value),
        cmocka_unit_test(test_what_is_not_understood_is_counted),
        cmocka_unit_test(test_columns_that_are_left_out),
        cmocka_unit_test(test_columns_that_are_hidden),
        cmocka_unit_test(test_origin_and_money),
        cmocka_unit_test(test_made_json),
        cmocka_unit_test(test_compatible),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_key_in_a_header),
        cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_a_tombstone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
