/* route/: as: event: which rows are taken, and what becomes of them. */
#include "route_fixture.h"

#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

#define COLUMNS 6

struct fixture {
    struct route_fixture f;
    struct cell before[FIXTURE_COLUMNS_MAX];
    struct config_text texts[8];
    struct config_pair pairs[8];
};

static struct config_event *config(struct fixture *t)
{
    return &t->f.configs[0].event;
}

static struct config_pair pair(const char *name, const char *value)
{
    return (struct config_pair){route_fixture_text(name), route_fixture_text(value)};
}

/* public.orders(id bigint key, status text, total numeric, paid boolean, tags jsonb, note text). */
static void set_up(struct fixture *t)
{
    *t = (struct fixture){.before = {{.kind = CELL_NULL}}};
    struct route_fixture *f = &t->f;
    route_fixture_init(f);
    f->relation.name = SPAN_LITERAL("orders");
    f->relation.column_count = 0;
    f->change.after.count = 0;
    route_fixture_set(f, "id", "4711");
    route_fixture_set(f, "status", "placed");
    route_fixture_set(f, "total", "12.50");
    route_fixture_set(f, "paid", "f");
    route_fixture_set(f, "tags", "{\"a\": [1, 2.0]}");
    route_fixture_set(f, "note", NULL);
    static const uint32_t OIDS[COLUMNS] = {TYPE_INT8, TYPE_TEXT,  1700,
                                           TYPE_BOOL, TYPE_JSONB, TYPE_TEXT};
    for (uint32_t i = 0; i < COLUMNS; i++) {
        f->columns[i].type_oid = OIDS[i];
        f->columns[i].key = i == 0;
    }
    struct config_route *route = &f->configs[0];
    route->from = route_fixture_text("public.orders");
    route->as = ROUTE_EVENT;
    route->format = FORMAT_JSON;
    route->topic = route_fixture_text("orders.events");
    route->key = route_fixture_text("{id}");
    route->columns = (struct config_columns){.id = {.text = NULL}};
}

static void tear_down(struct fixture *t)
{
    route_fixture_fini(&t->f);
}

static void open_router(struct fixture *t)
{
    if (route_fixture_open(&t->f) < 0)
        fail_msg("%s", t->f.err.text);
}

/* The old row is as the new one, but for what the test changes. */
static void update(struct fixture *t, char identity)
{
    t->f.change.op = CHANGE_UPDATE;
    t->f.relation.identity = identity;
    memcpy(t->before, t->f.cells, sizeof t->before);
    t->f.change.before = (struct row){.count = identity == 'f' ? COLUMNS : 0, .cells = t->before};
}

static struct cell *old(struct fixture *t, const char *column)
{
    return &t->before[route_fixture_column(&t->f, column) - t->f.columns];
}

static void set_old(struct fixture *t, const char *column, const char *value)
{
    *old(t, column) = (struct cell){.kind = CELL_TEXT, .bytes = span_of(value)};
}

static void set_texts(struct fixture *t, struct config_texts *list, const char *first,
                      const char *second)
{
    t->texts[0] = route_fixture_text(first);
    t->texts[1] = route_fixture_text(second);
    *list = (struct config_texts){second != NULL ? 2 : 1, t->texts};
}

static void expect_json(struct fixture *t, const char *wanted)
{
    if (route_fixture_route(&t->f) != 1)
        fail_msg("no event: %s", t->f.err.text);
    assert_int_equal(t->f.event.value.kind, CONTENT_JSON);
    assert_span(t->f.event.value.json, wanted);
}

static void expect_error(struct fixture *t, const char *reason, const char *text)
{
    assert_int_equal(route_fixture_route(&t->f), -1);
    assert_error(t->f.err, ERROR_DATA, reason, text);
}

/* ---- Values ---- */

static void test_a_map_keeps_types(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    t.pairs[0] = pair("order_id", "{id}");
    t.pairs[1] = pair("total", "{total}");
    t.pairs[2] = pair("paid", "{paid}");
    t.pairs[3] = pair("tags", "{tags}");
    t.pairs[4] = pair("note", "{note}");
    t.pairs[5] = pair("label", "{{{status|upper}}}/{note:none}");
    t.pairs[6] = pair("at", "{@commit_ms}");
    t.pairs[7] = pair("note2", "{note:-}");
    config(&t)->value = (struct config_pairs){8, t.pairs};
    config(&t)->type = route_fixture_text("Order{status}");
    open_router(&t);
    expect_json(&t, "{\"order_id\":4711,\"total\":12.50,\"paid\":false,\"tags\":{\"a\": [1, 2.0]},"
                    "\"note\":null,\"label\":\"{PLACED}/none\",\"at\":1700000000123,"
                    "\"note2\":\"-\"}");
    assert_span(t.f.event.topic, "orders.events");
    assert_span(t.f.event.key.cell.value.bytes, "4711");
    assert_span(t.f.event.type, "Orderplaced");
    assert_int_equal(t.f.event.header_count, 1);
    assert_span(t.f.event.headers[0].name, "eventType");
    assert_span(t.f.event.headers[0].value, "Orderplaced");
    assert_int_equal(t.f.event.timestamp_us, 1700000000123456);
    assert_int_equal(t.f.event.index, 1);
    assert_int_equal(route_fixture_next(&t.f), 0);
    tear_down(&t);
}

static void test_a_map_of_what_is_null(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    t.pairs[0] = pair("label", "x{note}");
    config(&t)->value = (struct config_pairs){1, t.pairs};
    open_router(&t);
    expect_error(&t, "null_in_template",
                 "column note of public.orders is NULL, and the value.label of route outbox has no "
                 "default for it");
    tear_down(&t);
}

static void test_the_row_and_its_shapes(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    t.pairs[0] = pair("total", "amount");
    t.pairs[1] = pair("version", "1");
    config(&t)->rename = (struct config_pairs){1, &t.pairs[0]};
    config(&t)->constants = (struct config_pairs){1, &t.pairs[1]};
    set_texts(&t, &config(&t)->drop, "tags", "note");
    open_router(&t);
    expect_json(&t, "{\"id\":4711,\"status\":\"placed\",\"amount\":12.50,\"paid\":false,"
                    "\"version\":\"1\"}");
    tear_down(&t);
    set_up(&t);
    config(&t)->shape = ROW_CHANGED;
    open_router(&t);
    update(&t, 'f');
    set_old(&t, "status", "new");
    *route_fixture_cell(&t.f, "tags") = (struct cell){.kind = CELL_UNCHANGED};
    expect_json(&t, "{\"status\":\"placed\"}");
    tear_down(&t);
    set_up(&t);
    config(&t)->shape = ROW_DIFFERENCE;
    open_router(&t);
    update(&t, 'f');
    set_old(&t, "note", "x");
    set_old(&t, "total", "9");
    expect_json(&t, "{\"total\":{\"before\":9,\"after\":12.50},\"note\":{\"before\":\"x\","
                    "\"after\":null}}");
    tear_down(&t);
}

static void test_a_deleted_row(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->filter = route_fixture_text(".op == \"delete\" and .after == null");
    open_router(&t);
    update(&t, 'd');
    t.f.change.op = CHANGE_DELETE;
    t.f.change.before.count = COLUMNS;
    for (uint32_t i = 1; i < COLUMNS; i++)
        t.before[i] = (struct cell){.kind = CELL_NULL};
    t.f.change.after.count = 0;
    expect_json(&t, "{\"id\":4711}");
    assert_span(t.f.event.key.cell.value.bytes, "4711");
    tear_down(&t);
}

static void delete_row(struct fixture *t, char identity)
{
    update(t, identity);
    t->f.change.op = CHANGE_DELETE;
    t->f.change.before.count = COLUMNS;
    t->f.change.after.count = 0;
    for (uint32_t i = 1; i < COLUMNS && identity != 'f'; i++)
        t->before[i] = (struct cell){.kind = CELL_NULL};
}

/* What the server does not send is no NULL: neither a default nor an empty key may come of it. */
static void test_templates_of_a_deleted_row(void **state)
{
    (void)state;
    enum { TOPIC, KEY, TYPE, HEADER, MEMBER, JOINED, PLACES };
    for (int place = TOPIC; place < PLACES; place++) {
        struct fixture t;
        set_up(&t);
        struct config_route *route = &t.f.configs[0];
        const char *wanted = "{status:none}";
        if (place == TOPIC)
            route->topic = route_fixture_text("orders.{status:none}");
        else if (place == KEY)
            route->key = route_fixture_text(wanted);
        else if (place == TYPE)
            config(&t)->type = route_fixture_text(wanted);
        t.pairs[0] = pair("a", place == JOINED ? "{id}-{status|upper:none}" : wanted);
        if (place == HEADER) {
            route->has_headers = true;
            route->headers = (struct config_pairs){1, t.pairs};
        } else if (place >= MEMBER) {
            config(&t)->value = (struct config_pairs){1, t.pairs};
        }
        open_router(&t);
        delete_row(&t, 'd');
        expect_error(&t, "old_not_sent",
                     "column status of public.orders is needed by route outbox of an old row, and "
                     "the server does not send it: it is not in the replica identity");
        assert_string_equal(t.f.err.hint,
                            "ALTER TABLE \"public\".\"orders\" REPLICA IDENTITY FULL lets the "
                            "server send it of what changes from then on");
        delete_row(&t, 'f');
        t.f.relation.version++;
        assert_int_equal(route_fixture_route(&t.f), 1);
        tear_down(&t);
    }
}

/* ---- Which rows ---- */

static void test_operations(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    set_texts(&t, &config(&t)->operations, "update", "delete");
    open_router(&t);
    assert_int_equal(route_fixture_route(&t.f), 0);
    assert_int_equal(t.f.answer, ROUTER_NOT_THIS_OPERATION);
    update(&t, 'd');
    assert_int_equal(route_fixture_route(&t.f), 1);
    tear_down(&t);
}

static void test_changed_columns(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    set_texts(&t, &config(&t)->changed, "status", "note");
    open_router(&t);
    assert_int_equal(route_fixture_route(&t.f), 1); /* every new row */
    update(&t, 'f');
    assert_int_equal(route_fixture_route(&t.f), 0);
    set_old(&t, "total", "1");
    assert_int_equal(route_fixture_route(&t.f), 0);
    set_old(&t, "note", ""); /* which is no NULL */
    assert_int_equal(route_fixture_route(&t.f), 1);
    *route_fixture_cell(&t.f, "note") = (struct cell){.kind = CELL_UNCHANGED};
    assert_int_equal(route_fixture_route(&t.f), 0);
    set_old(&t, "status", "new");
    assert_int_equal(route_fixture_route(&t.f), 1);
    tear_down(&t);
}

static void test_changed_without_old_values(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    set_texts(&t, &config(&t)->changed, "id", "status");
    open_router(&t);
    update(&t, 'd');
    expect_error(&t, "old_not_sent",
                 "column status of public.orders: route outbox asks whether it changes, and the "
                 "server does not send the old value: it is not in the replica identity");
    tear_down(&t);
    set_up(&t);
    set_texts(&t, &config(&t)->changed, "id", NULL);
    open_router(&t);
    update(&t, 'f'); /* the root's, and the leaf has another: an old row would have come */
    t.f.change.before.count = 0;
    assert_int_equal(route_fixture_route(&t.f), -1);
    assert_string_equal(reason_slug(t.f.err.reason), "old_not_sent");
    update(&t, 'd');
    assert_int_equal(route_fixture_route(&t.f), 0); /* no old key is sent: it is the same */
    t.f.change.before.count = COLUMNS;
    set_old(&t, "id", "1");
    assert_int_equal(route_fixture_route(&t.f), 1);
    tear_down(&t);
}

/* ---- jq ---- */

static void test_jq_filters_and_maps(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->filter = route_fixture_text(".before.status != .after.status");
    config(&t)->jq = route_fixture_text(
        ".source as $s | {id: .after.id, old: .before.status, total: .after.total, s: $s}, null, "
        "(.after.tags.a[] | {a: .})");
    open_router(&t);
    update(&t, 'f');
    assert_int_equal(route_fixture_route(&t.f), 0);
    set_old(&t, "status", "new");
    expect_json(&t, "{\"id\":4711,\"old\":\"new\",\"total\":12.5,\"s\":{\"relay\":\"orders\","
                    "\"schema\":\"public\",\"table\":\"orders\",\"lsn\":\"16/B374D848\","
                    "\"xid\":731,\"commit_ms\":1700000000123}}");
    assert_int_equal(t.f.event.index, 1);
    assert_int_equal(route_fixture_next(&t.f), 1);
    assert_int_equal(t.f.event.value.kind, CONTENT_CELL);
    assert_int_equal(t.f.event.value.cell.value.kind, CELL_NULL);
    assert_int_equal(t.f.event.index, 2);
    assert_int_equal(route_fixture_next(&t.f), 1);
    assert_span(t.f.event.value.json, "{\"a\":1}");
    assert_int_equal(t.f.event.index, 3);
    assert_int_equal(route_fixture_next(&t.f), 1);
    assert_span(t.f.event.value.json, "{\"a\":2}");
    assert_int_equal(t.f.event.index, 4);
    assert_int_equal(route_fixture_next(&t.f), 0);
    tear_down(&t);
}

static void test_jq_gives_nothing_or_no_object(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->jq = route_fixture_text(".after | if .paid then .id else empty end");
    open_router(&t);
    assert_int_equal(route_fixture_route(&t.f), 0);
    assert_int_equal(t.f.answer, ROUTER_TAKEN);
    route_fixture_set(&t.f, "paid", "t");
    expect_error(&t, "jq_failed",
                 "jq: it gives 4711 where an object is needed, of a row of public.orders");
    assert_non_null(strstr(t.f.err.hint, "put it into an object"));
    assert_int_equal(route_fixture_next(&t.f), 0);
    tear_down(&t);
}

/* Whether a program looks at the old row is told by what it does, and not by its letters; where
 * that cannot be told, it does. */
static void test_jq_without_the_old_row(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        bool named; /* so that check refuses it where the identity is not FULL */
        bool looks; /* at the row at hand */
    } cases[] = {
        {".after", false, false},
        {"{id: .after.id, status: .after.status} # not before", false, false},
        {"{id: .after.id, text: \"before\"}", false, false},
        {"{before: .after.id}", false, false},
        {".after | {id, before: .status}", false, false},
        {".after.tags | {n: (.before // 1)}", false, false},
        {"{n: (.after.tags.before // 1)}", false, false},
        {"{a: .before.status}", true, true},
        {"{before}", true, true},
        {"{a: .[\"before\"]}", true, true},
        {"{a: .[\"be\" + \"fore\"]}", true, true},
        {"{a: .[\"be\\u0066ore\"].status?}", true, true},
        {"{a: (.[\"be\" + \"fore\"] | .status? == \"paid\")}", true, true},
        {". as {before: $b} | {a: $b}", true, true},
        {".", true, true},
        {"with_entries(select(.key == \"after\"))", true, true},
        {"{a: [.. | select(. == \"placed\")?]}", true, true},
        {"{n: (to_entries | length)}", true, true},
        {"{n: ([paths] | length > 50)}", true, true},
        {"{a: (.[] | objects | .status?)}", true, true},
        {"if .op == \"insert\" then . else .after end", true, true},
        {"del(.before, .source)", false, false},
        {".after | with_entries(.value |= tostring)", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture t;
        bool whole;
        set_up(&t);
        config(&t)->jq = route_fixture_text(cases[i].program);
        open_router(&t);
        print_message("%s\n", cases[i].program);
        assert_int_equal(router_asks_for_old(t.f.router, 0, SPAN_LITERAL("public"),
                                             SPAN_LITERAL("orders"), &whole) &&
                             whole,
                         cases[i].named);
        assert_int_equal(route_fixture_route(&t.f), 1); /* a new row has none */
        update(&t, 'd');
        if (cases[i].looks)
            expect_error(&t, "old_not_sent",
                         "jq looks at before, and the server does not send the whole old row of "
                         "public.orders: it is not in the replica identity");
        else
            assert_int_equal(route_fixture_route(&t.f), 1);
        update(&t, 'f');
        t.f.relation.version++;
        assert_int_equal(route_fixture_route(&t.f), 1);
        tear_down(&t);
    }
}

static void test_jq_and_values_that_were_not_sent(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->jq = route_fixture_text("{a: .after, u: .source.unchanged}");
    open_router(&t);
    update(&t, 'd');
    *route_fixture_cell(&t.f, "tags") = (struct cell){.kind = CELL_UNCHANGED};
    expect_json(&t, "{\"a\":{\"id\":4711,\"status\":\"placed\",\"total\":12.5,\"paid\":false,"
                    "\"note\":null},\"u\":[\"tags\"]}");
    update(&t, 'f');
    set_old(&t, "tags", "[7]");
    expect_json(&t, "{\"a\":{\"id\":4711,\"status\":\"placed\",\"total\":12.5,\"paid\":false,"
                    "\"tags\":[7],\"note\":null},\"u\":null}");
    tear_down(&t);
}

/* What no program of the route reads is not given to it: it costs nothing, and cannot fail. */
static void test_jq_is_given_what_it_reads(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->filter = route_fixture_text(".op == \"insert\" and (.after.paid | not)");
    config(&t)->jq = route_fixture_text(".after | {status, total, none}");
    config(&t)->jq_numbers = JQ_NUMBERS_ERROR;
    route_fixture_set(&t.f, "id", "9007199254740993");
    open_router(&t);
    expect_json(&t, "{\"status\":\"placed\",\"total\":12.5,\"none\":null}");
    t.f.columns[2].name = SPAN_LITERAL("sum"); /* altered: a version has its own columns */
    t.f.relation.version++;
    expect_json(&t, "{\"status\":\"placed\",\"total\":null,\"none\":null}");
    tear_down(&t);
    set_up(&t);
    config(&t)->jq = route_fixture_text("{u: .source.unchanged, id: .after.id}");
    open_router(&t);
    update(&t, 'd');
    *route_fixture_cell(&t.f, "tags") = (struct cell){.kind = CELL_UNCHANGED};
    expect_json(&t, "{\"u\":[\"tags\"],\"id\":4711}");
    tear_down(&t);
}

static void test_jq_and_large_numbers(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->jq = route_fixture_text("{id: .after.id, total: .after.total}");
    route_fixture_set(&t.f, "id", "9007199254740993");
    route_fixture_set(&t.f, "total", "1234567890123456789012345678.0123456789");
    open_router(&t);
    expect_json(&t, "{\"id\":\"9007199254740993\","
                    "\"total\":\"1234567890123456789012345678.0123456789\"}");
    tear_down(&t);
    set_up(&t);
    config(&t)->jq = route_fixture_text("{id: .after.id}");
    config(&t)->jq_numbers = JQ_NUMBERS_ERROR;
    route_fixture_set(&t.f, "id", "9007199254740993");
    open_router(&t);
    expect_error(&t, "jq_failed", "row: the number 9007199254740993 is one that jq would round");
    tear_down(&t);
}

static void test_what_cannot_be_compiled(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    config(&t)->filter = route_fixture_text(".after |\n  now");
    assert_int_equal(route_fixture_open(&t.f), -1);
    assert_error(t.f.err, ERROR_STOP, "bad_jq",
                 "shop.yaml:7: routes[0].when.jq: line 2, column 3: now reads the clock, and so is "
                 "refused");
    tear_down(&t);
    set_up(&t);
    config(&t)->filter = route_fixture_text("(.after.id");
    assert_int_equal(route_fixture_open(&t.f), -1);
    assert_non_null(strstr(t.f.err.hint, "bracket"));
    tear_down(&t);
    set_up(&t);
    t.pairs[0] = pair("a", "{id|title}");
    config(&t)->value = (struct config_pairs){1, t.pairs};
    assert_int_equal(route_fixture_open(&t.f), -1);
    assert_error(t.f.err, ERROR_STOP, "bad_template",
                 "shop.yaml:7: routes[0].value.a: behind a | stands upper or lower: title");
    tear_down(&t);
    set_up(&t);
    t.pairs[0] = pair("a", "{missing}");
    config(&t)->value = (struct config_pairs){1, t.pairs};
    open_router(&t);
    expect_error(&t, "column_missing",
                 "public.orders has no column missing, which route outbox needs");
    assert_non_null(strstr(t.f.err.hint, "mend the template"));
    tear_down(&t);
}

/* ---- CloudEvents ---- */

static void test_attributes(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    t.f.configs[0].format = FORMAT_CLOUDEVENTS;
    config(&t)->type = route_fixture_text("OrderPlaced");
    config(&t)->cloudevents.correlationid = route_fixture_text("{note:}");
    config(&t)->cloudevents.traceparent = route_fixture_text("{status}");
    open_router(&t);
    expect_error(&t, "bad_traceparent", "\"placed\" is no traceparent");
    const char *trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    route_fixture_set(&t.f, "status", trace);
    assert_int_equal(route_fixture_route(&t.f), 1);
    static const char *const WANTED[] = {
        "source", "/orders/public.orders", "type", "OrderPlaced", "subject",
        "4711",   "partitionkey",          "4711"};
    assert_int_equal(t.f.event.attribute_count, 5);
    for (uint32_t i = 0; i < 4; i++) {
        assert_span(t.f.event.attributes[i].name, WANTED[2 * i]);
        assert_span(t.f.event.attributes[i].value, WANTED[2 * i + 1]);
    }
    assert_span(t.f.event.attributes[4].name, "traceparent");
    assert_span(t.f.event.attributes[4].value, trace);
    assert_int_equal(t.f.event.header_count, 0);
    static const char *const BAD[] = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                      "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        route_fixture_set(&t.f, "status", BAD[i]);
        assert_int_equal(route_fixture_route(&t.f), -1);
    }
    tear_down(&t);
}

/* format: debezium: the value is the new row of something that is created. */
static void test_debezium(void **state)
{
    (void)state;
    struct fixture t;
    set_up(&t);
    t.f.configs[0].format = FORMAT_DEBEZIUM;
    t.pairs[0] = pair("sum", "{total}");
    config(&t)->value = (struct config_pairs){1, t.pairs};
    update(&t, 'f');
    open_router(&t);
    assert_int_equal(route_fixture_route(&t.f), 1);
    assert_span(t.f.event.key.cell.value.bytes, "4711");
    assert_int_equal(t.f.event.value.kind, CONTENT_CHANGE);
    const struct content_change *change = &t.f.event.value.change;
    assert_int_equal(change->op, CHANGE_INSERT);
    assert_span(change->made, "{\"sum\":12.50}");
    assert_int_equal(change->before->count, 0);
    assert_ptr_equal(change->relation, &t.f.relation);
    tear_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debezium),
        cmocka_unit_test(test_a_map_keeps_types),
        cmocka_unit_test(test_a_map_of_what_is_null),
        cmocka_unit_test(test_the_row_and_its_shapes),
        cmocka_unit_test(test_a_deleted_row),
        cmocka_unit_test(test_templates_of_a_deleted_row),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_changed_columns),
        cmocka_unit_test(test_changed_without_old_values),
        cmocka_unit_test(test_jq_filters_and_maps),
        cmocka_unit_test(test_jq_gives_nothing_or_no_object),
        cmocka_unit_test(test_jq_without_the_old_row),
        cmocka_unit_test(test_jq_and_values_that_were_not_sent),
        cmocka_unit_test(test_jq_is_given_what_it_reads),
        cmocka_unit_test(test_jq_and_large_numbers),
        cmocka_unit_test(test_what_cannot_be_compiled),
        cmocka_unit_test(test_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
