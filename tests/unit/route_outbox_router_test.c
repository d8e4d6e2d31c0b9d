/* route/route_outbox_router: what the EventRouter's options make of a row. Expected values are what
 * its documentation says, or what JSON says where its own expansion loses something. */
#include "route_fixture.h"

#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_text.h"

/* The kind, the reason and a part of the text. */
static void assert_says(struct error err, enum error_kind kind, const char *reason,
                        const char *text)
{
    assert_int_equal(err.kind, kind);
    assert_string_equal(reason_slug(err.reason), reason);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static struct config_event_router *begin(struct route_fixture *f)
{
    route_fixture_init(f);
    f->configs[0].format = FORMAT_JSON;
    f->configs[0].router.route_topic_replacement =
        route_fixture_text("outbox.event.${routedByValue}");
    return &f->configs[0].router;
}

static void set_regex(struct route_fixture *f, const char *regex, const char *replacement)
{
    f->configs[0].topic.line = 0;
    f->configs[0].router.route_topic_regex = route_fixture_text(regex);
    if (replacement != NULL)
        f->configs[0].router.route_topic_replacement = route_fixture_text(replacement);
}

/* ---- Topics ---- */

static void test_topics_by_an_expression(void **state)
{
    (void)state;
    static const struct {
        const char *regex, *replacement, *value, *topic;
    } cases[] = {
        {"(?<routedByValue>.*)", NULL, "order", "outbox.event.order"},
        {"(?<routedByValue>.*)", NULL, "Order", "outbox.event.Order"},
        {"order", "orders", "order", "orders"},
        {"order", "orders", "order2", "order2"}, /* the whole value, or none of it */
        {"order", "orders", "an-order", "an-order"},
        {"([a-z]+)\\.([a-z]+)", "$2.$1.v1", "shop.order", "order.shop.v1"},
        {"(a)|(b)", "x$1${2}y", "b", "xby"}, /* a group that matched nothing is nothing */
        {"(?i)ORDER", "orders", "OrDeR", "orders"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_fixture f;
        begin(&f);
        set_regex(&f, cases[i].regex, cases[i].replacement);
        assert_int_equal(route_fixture_open(&f), 0);
        for (int again = 0; again < 2; again++) {
            route_fixture_set(&f, "aggregatetype", "something-else");
            assert_int_equal(route_fixture_route(&f), 1);
            route_fixture_set(&f, "aggregatetype", cases[i].value);
            for (int twice = 0; twice < 2; twice++) {
                assert_int_equal(route_fixture_route(&f), 1);
                assert_span(f.event.topic, cases[i].topic);
                assert_int_equal(f.event.topic.ptr[f.event.topic.len], 0);
                assert_true(f.event.topic_of_row);
            }
        }
        route_fixture_fini(&f);
    }
}

static void expect_no_topic(const char *regex, const char *replacement, const char *value,
                            const char *reason, const char *text)
{
    struct route_fixture f;
    begin(&f);
    set_regex(&f, regex, replacement);
    assert_int_equal(route_fixture_open(&f), 0);
    route_fixture_set(&f, "aggregatetype", "fine");
    assert_int_equal(route_fixture_route(&f), 1);
    route_fixture_set(&f, "aggregatetype", value);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(route_fixture_route(&f), -1);
        assert_says(f.err, ERROR_DATA, reason, text);
        f.err = ERROR_INIT;
    }
    route_fixture_set(&f, "aggregatetype", "fine");
    assert_int_equal(route_fixture_route(&f), 1);
    route_fixture_fini(&f);
}

static void test_topics_that_cannot_be(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    expect_no_topic("x", "y", "a b", "illegal_topic", "a b");
    expect_no_topic("(x.*)", "$1", name, "illegal_topic", "249");
    expect_no_topic("x", "y", name, "illegal_topic", "249");
    expect_no_topic("p", "walferry.orders.progress", "p", "reserved_topic", "");
    expect_no_topic("p", "__internal", "p", "reserved_topic", "");
    expect_no_topic("(e*)*x|fine", "t", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee!",
                    "illegal_topic", "match limit");
}

static void test_expressions_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *regex, *replacement, *text;
    } cases[] = {
        {"(", "x", "missing closing parenthesis"},
        {"(a)", "$2", "$2 names no group"},
        {"(a)", "${name}", "${name} names no group"},
        {"(a)", "${1", "names no group"},
        {"(a)", "a$", "$ names no group"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_fixture f;
        begin(&f);
        set_regex(&f, cases[i].regex, cases[i].replacement);
        assert_int_equal(route_fixture_open(&f), -1);
        assert_says(f.err, ERROR_STOP, "config_value", cases[i].text);
        assert_non_null(strstr(f.err.text, "routes[0].event_router.route_topic_regex"));
        route_fixture_fini(&f);
    }
    struct route_fixture f;
    begin(&f);
    f.configs[0].router.route_topic_regex = route_fixture_text("a");
    assert_int_equal(route_fixture_open(&f), -1);
    assert_says(f.err, ERROR_STOP, "config_value", "not both");
    route_fixture_fini(&f);
}

/* ---- Values ---- */

static void expect_json(struct route_fixture *f, const char *json)
{
    assert_int_equal(route_fixture_route(f), 1);
    assert_int_equal(f->event.value.kind, CONTENT_JSON);
    assert_span(f->event.value.json, json);
}

/* What is lost or changed by an expansion into a schema and back: nulls, empty arrays, arrays of
 * several types, nested ones, numbers beyond a double, escapes. */
static void test_json_of_a_text(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"a\": null, \"b\": [null]}",
        "{\"a\": [], \"b\": {}}",
        "[1, \"two\", {\"three\": 3}, [4, null], true]",
        "[[{\"a\": 1}, {\"b\": [2]}], []]",
        "{\"n\": 9007199254740993, \"d\": 1.10, \"e\": 1e400}",
        "{\"u\": \"\\u00e9\\ud83d\\ude00\\u0000\", \"q\": \"\\\"\"}",
        "{\"a\":1,\"a\":2}",
        "{\"a.b\": 1, \"\": 2}",
        "{\"a\": 1}\n ",
    };
    struct route_fixture f;
    begin(&f)->expand_json_payload = true;
    assert_int_equal(route_fixture_open(&f), 0);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        route_fixture_set(&f, "payload", same[i]);
        expect_json(&f, same[i]);
    }
    static const char *const texts[] = {"{\"a\": 1", "[1,]", "{} {}", "{a: 1}", "12",
                                        "\"x\"",     "null", "",      " {}",    "[\x01]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        route_fixture_set(&f, "payload", texts[i]);
        assert_int_equal(route_fixture_route(&f), 1);
        assert_int_equal(f.event.value.kind, CONTENT_CELL);
        assert_span(f.event.value.cell.value.bytes, texts[i]);
    }
    route_fixture_fini(&f);
}

static void test_empty_payloads(void **state)
{
    (void)state;
    static const char *const blank[] = {NULL, "", " ", "\t\r\n "};
    for (int on = 0; on < 2; on++) {
        struct route_fixture f;
        begin(&f)->tombstone_on_empty_payload = on == 1;
        f.configs[0].router.additional_placement = route_fixture_text("type:envelope");
        assert_int_equal(route_fixture_open(&f), 0);
        for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++) {
            route_fixture_set(&f, "payload", blank[i]);
            if (on == 0 && i == 0)
                expect_json(&f, "{\"payload\":null,\"type\":\"OrderPlaced\"}");
            if (on == 0 && i == 2)
                expect_json(&f, "{\"payload\":\" \",\"type\":\"OrderPlaced\"}");
            if (on == 0)
                continue;
            assert_int_equal(route_fixture_route(&f), 1);
            assert_int_equal(f.event.value.kind, CONTENT_CELL);
            assert_int_equal(f.event.value.cell.value.kind, CELL_NULL);
        }
        route_fixture_set(&f, "payload", "x");
        expect_json(&f, "{\"payload\":\"x\",\"type\":\"OrderPlaced\"}");
        route_fixture_fini(&f);
    }
}

/* As EventRouter has it: what a column of JSON holds is a string beside other members. */
static void test_json_in_a_string(void **state)
{
    (void)state;
    struct route_fixture f;
    begin(&f)->additional_placement = route_fixture_text("type:envelope");
    f.configs[0].format = FORMAT_JSON_STRING;
    assert_int_equal(route_fixture_open(&f), 0);
    route_fixture_column(&f, "payload")->type_oid = TYPE_JSONB;
    route_fixture_column(&f, "payload")->type = types_builtin(TYPE_JSONB);
    route_fixture_set(&f, "payload", "{\"a\": \"b\"}");
    expect_json(&f, "{\"payload\":\"{\\\"a\\\": \\\"b\\\"}\",\"type\":\"OrderPlaced\"}");
    route_fixture_set(&f, "payload", NULL);
    expect_json(&f, "{\"payload\":null,\"type\":\"OrderPlaced\"}");
    route_fixture_fini(&f);
}

static void test_columns_beside_the_payload(void **state)
{
    (void)state;
    struct route_fixture f;
    struct config_event_router *router = begin(&f);
    router->additional_placement = route_fixture_text(
        "version:envelope, type : envelope : eventType,at:envelope:the \"time\"");
    router->expand_json_payload = true;
    route_fixture_set(&f, "version", "3");
    route_fixture_column(&f, "version")->type_oid = TYPE_INT4;
    route_fixture_set(&f, "at", NULL);
    assert_int_equal(route_fixture_open(&f), 0);
    expect_json(&f, "{\"payload\":{\"total\": 12.50},\"version\":3,\"eventType\":\"OrderPlaced\","
                    "\"the \\\"time\\\"\":null}");
    route_fixture_fini(&f);
}

/* ---- Headers and partition ---- */

static void expect_header(const struct event *event, uint32_t i, const char *name,
                          const char *value)
{
    assert_true(i < event->header_count);
    assert_span(event->headers[i].name, name);
    if (value == NULL)
        assert_null(event->headers[i].value.ptr);
    else
        assert_span(event->headers[i].value, value);
}

static void test_columns_in_headers(void **state)
{
    (void)state;
    struct route_fixture f;
    struct config_event_router *router = begin(&f);
    f.configs[0].format = FORMAT_RAW;
    router->additional_placement = route_fixture_text("type:header:eventType,region:header,gone:"
                                                      "header,shard:partition");
    router->additional_missing = ADDITIONAL_MISSING_IGNORE;
    router->tracing_field = route_fixture_text("trace");
    route_fixture_set(&f, "region", NULL);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.header_count, 3);
    expect_header(&f.event, 0, "id", "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f");
    expect_header(&f.event, 1, "eventType", "OrderPlaced");
    expect_header(&f.event, 2, "region", NULL);
    assert_int_equal(f.event.partition, -1);

    f.relation.version++;
    route_fixture_set(&f, "shard", "5");
    route_fixture_set(&f, "trace",
                      "#Fri Nov 14\r\ntraceparent=00-4bf92f-00f067-01\nuber\\=x\n\nb=a\\:1\\=2\n");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.partition, 5);
    assert_int_equal(f.event.header_count, 6);
    expect_header(&f.event, 3, "traceparent", "00-4bf92f-00f067-01");
    expect_header(&f.event, 5, "b", "a:1=2");

    route_fixture_set(&f, "trace", "walferry-id=1");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_says(f.err, ERROR_DATA, "reserved_header", "walferry-id");
    route_fixture_fini(&f);
}

static void test_a_column_that_is_missing(void **state)
{
    (void)state;
    static const char *const places[] = {"gone:header", "gone:envelope", "gone:partition"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct route_fixture f;
        struct config_event_router *router = begin(&f);
        router->additional_placement = route_fixture_text(places[i]);
        assert_int_equal(route_fixture_open(&f), 0);
        struct router_lack lack;
        assert_true(router_lacks(f.router, &f.relation, &lack));
        assert_span(lack.column, "gone");
        assert_int_equal(route_fixture_route(&f), -1);
        assert_says(f.err, ERROR_DATA, "column_missing", "gone");
        route_fixture_fini(&f);

        begin(&f);
        f.configs[0].router =
            (struct config_event_router){.additional_placement = route_fixture_text(places[i]),
                                         .additional_missing = ADDITIONAL_MISSING_IGNORE};
        assert_int_equal(route_fixture_open(&f), 0);
        assert_false(router_lacks(f.router, &f.relation, &lack));
        assert_int_equal(route_fixture_route(&f), 1);
        route_fixture_fini(&f);
    }
}

static void expect_refused(const char *placement, enum route_format format, const char *text)
{
    struct route_fixture f;
    struct config_event_router *router = begin(&f);
    f.configs[0].format = format;
    router->additional_placement = route_fixture_text(placement);
    assert_int_equal(route_fixture_open(&f), -1);
    assert_says(f.err, ERROR_STOP, "config_value", text);
    route_fixture_fini(&f);
}

/* An UPDATE is taken where it is to be told, and refused. */
static void test_an_updated_row(void **state)
{
    (void)state;
    for (int op = INVALID_OPERATION_WARN; op <= INVALID_OPERATION_FATAL; op++) {
        struct route_fixture f;
        begin(&f)->invalid_operation = (enum invalid_operation)op;
        assert_int_equal(route_fixture_open(&f), 0);
        bool told = op != INVALID_OPERATION_WARN;
        uint32_t wanted = change_bit(CHANGE_INSERT) | change_bit(CHANGE_READ);
        wanted |= told ? change_bit(CHANGE_UPDATE) : 0;
        assert_int_equal(router_operations(f.router, ROUTER_INSERTS), wanted);
        assert_int_equal(route_fixture_route(&f), 1);
        f.change.op = CHANGE_UPDATE;
        assert_int_equal(route_fixture_route(&f), told ? -1 : 0);
        assert_int_equal(f.answer, told ? ROUTER_TAKEN : ROUTER_NOT_THIS_OPERATION);
        if (told)
            assert_says(f.err, ERROR_DATA, "invalid_operation",
                        "a row of public.outbox was updated");
        route_fixture_fini(&f);
    }
}

static void test_what_does_not_go_together(void **state)
{
    (void)state;
    expect_refused("a:envelope", FORMAT_RAW, "format: json");
    expect_refused("a:partition,b:partition", FORMAT_JSON, "the partition is said already");
    expect_refused("a:header:walferry-x", FORMAT_JSON, "walferry's own");
    struct route_fixture f;
    begin(&f)->expand_json_payload = true;
    f.configs[0].format = FORMAT_RAW;
    assert_int_equal(route_fixture_open(&f), -1);
    assert_says(f.err, ERROR_STOP, "config_value", "format: json");
    route_fixture_fini(&f);
}

static void test_members_of_a_message(void **state)
{
    (void)state;
    struct route_fixture f;
    struct config_event_router *router = begin(&f);
    f.configs[0].from = route_fixture_text("message:shop");
    router->additional_placement = route_fixture_text("v:envelope,region:header");
    assert_int_equal(route_fixture_open(&f), 0);
    route_fixture_message(&f, "shop",
                          "{\"id\":\"1\",\"aggregatetype\":\"order\",\"aggregateid\":\"7\","
                          "\"payload\":{\"a\": [1, null]},\"v\":2}");
    expect_json(&f, "{\"payload\":{\"a\": [1, null]},\"v\":2}");
    expect_header(&f.event, 1, "region", NULL);
    route_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_in_a_string),
        cmocka_unit_test(test_topics_by_an_expression),
        cmocka_unit_test(test_topics_that_cannot_be),
        cmocka_unit_test(test_expressions_that_cannot_be),
        cmocka_unit_test(test_json_of_a_text),
        cmocka_unit_test(test_empty_payloads),
        cmocka_unit_test(test_columns_beside_the_payload),
        cmocka_unit_test(test_columns_in_headers),
        cmocka_unit_test(test_a_column_that_is_missing),
        cmocka_unit_test(test_an_updated_row),
        cmocka_unit_test(test_what_does_not_go_together),
        cmocka_unit_test(test_members_of_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
