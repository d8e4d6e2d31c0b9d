/* route/: logical messages become events; the table-less outbox. */
#include "route_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

#define HEAD "{\"id\": \"i1\", \"aggregatetype\": \"order\", \"aggregateid\": \"4711\", "

static void open_with(struct route_fixture *f, const char *content)
{
    route_fixture_init(f);
    f->configs[0].name = route_fixture_text("said");
    f->configs[0].from = route_fixture_text("message:outbox");
    route_fixture_message(f, "outbox", content);
    assert_int_equal(route_fixture_open(f), 0);
}

static void test_message(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, HEAD "\"extra\": [1], \"type\": \"Said\", \"payload\": {\"b\":1.50, \"a\" : "
                       "12345678901234567890.0}}");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.answer, ROUTER_TAKEN);
    assert_span(f.event.topic, "outbox.event.order");
    assert_span(f.event.key.cell.value.bytes, "4711");
    assert_span(f.event.id, "i1");
    assert_span(f.event.type, "Said");
    assert_span(f.event.value.cell.value.bytes, "{\"b\":1.50, \"a\" : 12345678901234567890.0}");
    assert_int_equal(f.event.timestamp_us, 1700000000123456);
    assert_int_equal(f.event.partition, -1);
    assert_int_equal(f.event.header_count, 1);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_message_that_is_no_utf8(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, HEAD "\"payload\": \"caf\xe9\"}");
    f.change.message.not_utf8 = true;
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "not_utf8",
                 "the content of message outbox is not UTF-8, as JSON is");
    route_fixture_fini(&f);
}

static void test_bytes_are_for_tables(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text("message:outbox");
    f.configs[0].value_encoding = VALUE_BYTES;
    assert_int_equal(route_fixture_open(&f), -1);
    assert_error(f.err, ERROR_STOP, "config_value",
                 "shop.yaml:7: routes[0].value_encoding: bytes is for tables: the content of a "
                 "message is JSON, which is UTF-8");
    route_fixture_fini(&f);
}

static void expect_payload(const char *json, const char *wanted)
{
    char content[256];
    struct route_fixture f;
    snprintf(content, sizeof content, HEAD "\"payload\": %s}", json);
    open_with(&f, content);
    assert_int_equal(route_fixture_route(&f), 1);
    if (wanted == NULL) {
        assert_int_equal(f.event.value.cell.value.kind, CELL_NULL);
    } else {
        assert_int_equal(f.event.value.cell.value.kind, CELL_TEXT);
        assert_span(f.event.value.cell.value.bytes, wanted);
    }
    route_fixture_fini(&f);
}

static void test_payloads(void **state)
{
    (void)state;
    expect_payload("[1, 2]", "[1, 2]");
    expect_payload("1e400", "1e400");
    expect_payload("true", "true");
    expect_payload("\"plain\"", "plain");
    expect_payload("\"a\\\"b\\u00e4\\ud83d\\ude00\"", "a\"b\xC3\xA4\xF0\x9F\x98\x80");
    expect_payload("\"\"", "");
    expect_payload("null", NULL);
    expect_payload("{\"lone\": \"\\ud800\"}", "{\"lone\": \"\\ud800\"}");
}

static void test_members_become_text(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, "{\"id\":17,\"aggregatetype\":\"o\\u0072der\",\"aggregateid\":[1, 2],"
                  "\"\\u0070ayload\":{}}");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.id, "17");
    assert_span(f.event.topic, "outbox.event.order");
    assert_span(f.event.key.cell.value.bytes, "[1, 2]");
    assert_span(f.event.value.cell.value.bytes, "{}");
    assert_absent(f.event.type);
    route_fixture_fini(&f);
}

static void test_mapped_extras(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text("message:outbox");
    f.configs[0].columns.headers = route_fixture_text("headers");
    f.configs[0].columns.timestamp = route_fixture_text("at");
    f.configs[0].columns.partition = route_fixture_text("part");
    assert_int_equal(route_fixture_open(&f), 0);
    route_fixture_message(
        &f, "outbox",
        HEAD "\"payload\":1,\"part\":3,\"at\":1700000000001,\"headers\":{\"a\":\"b\"}}");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.partition, 3);
    assert_int_equal(f.event.timestamp_us, 1700000000001000);
    assert_int_equal(f.event.header_count, 2);
    assert_span(f.event.headers[1].name, "a");
    assert_span(f.event.headers[1].value, "b");
    route_fixture_message(&f, "outbox", HEAD "\"payload\":1,\"at\":\"2024-02-29T12:00:00Z\"}");
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.partition, -1);
    assert_int_equal(f.event.timestamp_us, 1709208000000000);
    assert_int_equal(f.event.header_count, 1);
    route_fixture_message(&f, "outbox", HEAD "\"payload\":1,\"part\":1.5}");
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "bad_value",
                 "member part of message outbox: \"1.5\" is not an integer");
    route_fixture_fini(&f);
}

static void expect_refused(const char *content, const char *reason, const char *text)
{
    struct route_fixture f;
    open_with(&f, content);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, reason, text);
    assert_int_equal(f.event.route, 0);
    assert_int_equal(f.answer, ROUTER_TAKEN);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

static void test_bad_messages(void **state)
{
    (void)state;
    expect_refused(
        "hello", "bad_message_json",
        "the content of message outbox is not a JSON object: byte 0: an object must stand "
        "here");
    expect_refused("", "bad_message_json",
                   "the content of message outbox is not a JSON object: byte 0: the text ends too "
                   "early");
    expect_refused(
        "[1]", "bad_message_json",
        "the content of message outbox is not a JSON object: byte 0: an object must stand "
        "here");
    expect_refused(
        "{\"id\": 1,}", "bad_message_json",
        "the content of message outbox is not a JSON object: byte 9: a string must stand "
        "here");
    expect_refused("{\"id\": 1, \"id\": 2}", "bad_message_json",
                   "the content of message outbox has id twice");
    expect_refused("{\"id\": \"\\ud800\"}", "bad_message_json",
                   "the content of message outbox is not a JSON object: a string holds half of a "
                   "surrogate pair");
    expect_refused("{\"id\": \"\xFF\"}", "bad_message_json",
                   "the content of message outbox is not a JSON object: byte 8: not valid UTF-8");
    expect_refused("{\"id\": 1}", "column_missing",
                   "message outbox has no member payload, which route said needs");
    expect_refused("{\"payload\": 1}", "column_missing",
                   "message outbox has no member id, which route said needs");
    expect_refused(
        "{\"id\": 1, \"payload\": 1}", "null_in_template",
        "member aggregatetype of message outbox is null or absent, and the topic of route "
        "said has no default for it");
    expect_refused("{\"id\": 1, \"payload\": 1, \"aggregatetype\": \"a b\"}", "illegal_topic",
                   "the topic name \"outbox.event.a b\" holds a character other than "
                   "a-z A-Z 0-9 . _ -");
}

static void test_prefixes(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, HEAD "\"payload\": 1}");
    f.change.message.prefix = SPAN_LITERAL("outbox2");
    assert_int_equal(route_fixture_route(&f), 0);
    assert_int_equal(f.answer, ROUTER_NO_ROUTE);
    f.change.message.prefix = SPAN_LITERAL("outbox");
    f.change.message.transactional = false;
    assert_int_equal(route_fixture_route(&f), 0);
    assert_int_equal(f.answer, ROUTER_NOT_THIS_OPERATION);
    route_fixture_fini(&f);
}

static void test_continue(void **state)
{
    (void)state;
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text("message:outbox");
    f.configs[0].continue_matching = true;
    route_fixture_add_route(&f, "table", "public.outbox");
    route_fixture_add_route(&f, "again", "message:outbox")->continue_matching = false;
    route_fixture_add_route(&f, "other", "message:other");
    route_fixture_message(&f, "outbox", HEAD "\"payload\": 1}");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.index, 1);
    assert_int_equal(route_fixture_next(&f), 1);
    assert_int_equal(f.event.index, 2);
    assert_int_equal(f.event.route, 2);
    assert_int_equal(route_fixture_next(&f), 0);
    route_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_message_that_is_no_utf8),
        cmocka_unit_test(test_bytes_are_for_tables),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_members_become_text),
        cmocka_unit_test(test_mapped_extras),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
