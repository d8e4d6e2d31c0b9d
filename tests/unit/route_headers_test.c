/* route/route_headers: headers of the route, then those of the headers column. */
#include "route_fixture.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

static void open_with(struct route_fixture *f, const char *json)
{
    route_fixture_init(f);
    f->configs[0].columns.headers = route_fixture_text("headers");
    route_fixture_set(f, "headers", json);
    route_fixture_column(f, "headers")->type_oid = TYPE_JSONB;
    assert_int_equal(route_fixture_open(f), 0);
}

static void test_members(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(
        &f, "{\"trace\": \"a\\u00e4\\n\", \"n\": 2.50, \"none\": null, \"deep\": {\"x\": [1, 2]}, "
            "\"yes\": true, \"tr\\u0061ce2\": \"\"}");
    assert_int_equal(route_fixture_route(&f), 1);
    const char *const wanted[][2] = {{"id", "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f"},
                                     {"trace", "a\xC3\xA4\n"},
                                     {"n", "2.50"},
                                     {"none", NULL},
                                     {"deep", "{\"x\": [1, 2]}"},
                                     {"yes", "true"},
                                     {"trace2", ""}};
    assert_int_equal(f.event.header_count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_span(f.event.headers[i].name, wanted[i][0]);
        if (wanted[i][1] == NULL)
            assert_absent(f.event.headers[i].value);
        else
            assert_span(f.event.headers[i].value, wanted[i][1]);
    }
    route_fixture_fini(&f);
}

/* Beside a member of the column headers; not opened yet. */
static void open_with_pairs(struct route_fixture *f, struct config_pairs pairs)
{
    route_fixture_init(f);
    f->configs[0].has_headers = true;
    f->configs[0].headers = pairs;
    f->configs[0].columns.headers = route_fixture_text("headers");
    route_fixture_set(f, "headers", "{\"member\": 1}");
    route_fixture_column(f, "headers")->type_oid = TYPE_JSONB;
}

static void expect_optional(const char *value, bool there, const char *wanted)
{
    struct route_fixture f;
    struct config_pair pairs[] = {
        {route_fixture_text("first"), route_fixture_text("1")},
        {route_fixture_text("cause"), route_fixture_text("{\"causation id\"|optional}")},
        {route_fixture_text("last"), route_fixture_text("{type}")}};
    uint32_t named = wanted != NULL ? 3 : 2;
    open_with_pairs(&f, (struct config_pairs){3, pairs});
    if (there)
        route_fixture_set(&f, "causation id", value);
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.header_count, named + 1);
    assert_int_equal(f.event.named_headers, named); /* the name behind them goes with the row */
    assert_span(f.event.headers[0].name, "first");
    assert_span(f.event.headers[named - 1].name, "last");
    assert_span(f.event.headers[named].name, "member");
    if (wanted != NULL) {
        assert_span(f.event.headers[1].name, "cause");
        assert_span(f.event.headers[1].value, wanted);
    }
    route_fixture_fini(&f);
}

/* NULL, or no such column: no header. An empty text is one. */
static void test_optional(void **state)
{
    (void)state;
    expect_optional("e-1", true, "e-1");
    expect_optional("", true, "");
    expect_optional(NULL, true, NULL);
    expect_optional(NULL, false, NULL);
}

/* What another part of the route needs must be there all the same. */
static void test_optional_and_needed(void **state)
{
    (void)state;
    struct route_fixture f;
    struct config_pair pair = {route_fixture_text("cause"),
                               route_fixture_text("{causation_id|optional}")};
    route_fixture_init(&f);
    f.configs[0].has_headers = true;
    f.configs[0].headers = (struct config_pairs){1, &pair};
    f.configs[0].key = route_fixture_text("{causation_id}");
    assert_int_equal(route_fixture_open(&f), 0);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "column_missing",
                 "public.outbox has no column causation_id, which route outbox needs");
    route_fixture_fini(&f);
}

static void test_no_members(void **state)
{
    (void)state;
    const char *const none[] = {NULL, "{}", " { } "};
    for (size_t i = 0; i < 3; i++) {
        struct route_fixture f;
        open_with(&f, none[i]);
        assert_int_equal(route_fixture_route(&f), 1);
        assert_int_equal(f.event.header_count, 1);
        route_fixture_fini(&f);
    }
}

static void test_binary_jsonb(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, "");
    *route_fixture_cell(&f, "headers") =
        (struct cell){CELL_BINARY, SPAN_LITERAL("\1{\"a\": \"b\"}")};
    assert_int_equal(route_fixture_route(&f), 1);
    assert_span(f.event.headers[1].value, "b");
    route_fixture_fini(&f);
}

static void test_many_members(void **state)
{
    (void)state;
    char json[2048] = "{";
    size_t len = 1;
    for (int i = 0; i < 100; i++)
        len +=
            (size_t)snprintf(json + len, sizeof json - len, "%s\"h%d\":%d", i > 0 ? "," : "", i, i);
    snprintf(json + len, sizeof json - len, "}");
    struct route_fixture f;
    open_with(&f, json);
    assert_int_equal(route_fixture_route(&f), 1);
    assert_int_equal(f.event.header_count, 101);
    assert_span(f.event.headers[0].name, "id");
    assert_span(f.event.headers[100].name, "h99");
    assert_span(f.event.headers[100].value, "99");
    route_fixture_fini(&f);
}

static void expect_refused(const char *json, const char *reason, const char *text)
{
    struct route_fixture f;
    open_with(&f, json);
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, reason, text);
    route_fixture_fini(&f);
}

static void test_bad_members(void **state)
{
    (void)state;
    expect_refused(
        "[1]", "bad_headers",
        "column headers of public.outbox: not a JSON object: byte 0: an object must stand "
        "here");
    expect_refused(
        "null", "bad_headers",
        "column headers of public.outbox: not a JSON object: byte 0: an object must stand "
        "here");
    expect_refused("", "bad_headers",
                   "column headers of public.outbox: not a JSON object: byte 0: the text ends too "
                   "early");
    expect_refused("{\"\": 1}", "bad_headers",
                   "column headers of public.outbox: a header has no name");
    expect_refused("{\"a\\u0000b\": 1}", "bad_headers",
                   "column headers of public.outbox: the name of a header holds a zero byte");
    expect_refused("{\"walferry-id\": 1}", "reserved_header",
                   "column headers of public.outbox: header walferry-id: names that begin with "
                   "walferry- are walferry's own");
    expect_refused("{\"walf\\u0065rry-x\": 1}", "reserved_header",
                   "column headers of public.outbox: header walferry-x: names that begin with "
                   "walferry- are walferry's own");
    expect_refused("{\"a\": \"\\udc00\"}", "bad_headers",
                   "column headers of public.outbox: not a JSON object: a string holds half of a "
                   "surrogate pair");
}

static void test_unchanged(void **state)
{
    (void)state;
    struct route_fixture f;
    open_with(&f, "{}");
    route_fixture_cell(&f, "headers")->kind = CELL_UNCHANGED;
    assert_int_equal(route_fixture_route(&f), -1);
    assert_error(f.err, ERROR_DATA, "value_unchanged",
                 "column headers of public.outbox: the server did not send the value");
    route_fixture_fini(&f);
}

/* As goharvest has it: names and values in two arrays. */
static int arrays(struct route_fixture *f, const char *keys, const char *values)
{
    route_fixture_init(f);
    f->configs[0].columns.header_keys = route_fixture_text("kafka_header_keys");
    f->configs[0].columns.header_values = route_fixture_text("kafka_header_values");
    route_fixture_set(f, "kafka_header_keys", keys);
    route_fixture_set(f, "kafka_header_values", values);
    route_fixture_column(f, "kafka_header_keys")->type = types_builtin_named(SPAN_LITERAL("_text"));
    route_fixture_column(f, "kafka_header_values")->type =
        types_builtin_named(SPAN_LITERAL("_text"));
    assert_int_equal(route_fixture_open(f), 0);
    return route_fixture_route(f);
}

static void test_arrays(void **state)
{
    (void)state;
    struct route_fixture f;
    assert_int_equal(arrays(&f, "{trace,\"a \\\"b\\\"\",c,d,e}", "{x,\"1,2\",NULL,\"\",\"NULL\"}"),
                     1);
    assert_int_equal(f.event.header_count, 6);
    const char *const wanted[][2] = {
        {"trace", "x"}, {"a \"b\"", "1,2"}, {"c", NULL}, {"d", ""}, {"e", "NULL"}};
    for (size_t i = 0; i < 5; i++) {
        assert_span(f.event.headers[i + 1].name, wanted[i][0]);
        if (wanted[i][1] == NULL)
            assert_absent(f.event.headers[i + 1].value);
        else
            assert_span(f.event.headers[i + 1].value, wanted[i][1]);
    }
    struct router_lack lack;
    assert_false(router_lacks(f.router, &f.relation, &lack));
    route_fixture_column(&f, "kafka_header_values")->type = types_builtin(TYPE_INT4);
    assert_true(router_lacks(f.router, &f.relation, &lack));
    assert_string_equal(lack.must_be, "an array of texts");
    route_fixture_fini(&f);
    assert_int_equal(arrays(&f, NULL, NULL), 1);
    assert_int_equal(f.event.header_count, 1);
    route_fixture_fini(&f);
    assert_int_equal(arrays(&f, "{}", "{}"), 1);
    assert_int_equal(f.event.header_count, 1);
    route_fixture_fini(&f);
}

static void test_bad_arrays(void **state)
{
    (void)state;
    const struct {
        const char *keys, *values, *reason, *text;
    } bad[] = {
        {"{a,b}", "{1}", "bad_headers",
         "column kafka_header_keys of public.outbox: 2 names of headers, and 1 values"},
        {"{a}", NULL, "bad_headers",
         "column kafka_header_keys of public.outbox: 1 names of headers, and 0 values"},
        {"{a,NULL}", "{1,2}", "bad_headers",
         "column kafka_header_keys of public.outbox: a header has no name"},
        {"{walferry-id}", "{1}", "reserved_header",
         "column kafka_header_keys of public.outbox: header walferry-id: names that begin with "
         "walferry- are walferry's own"},
        {"{{a},{b}}", "{1,2}", "bad_value",
         "column kafka_header_keys of public.outbox: \"{{a},{b}}\" is not an array of one "
         "dimension"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct route_fixture f;
        assert_int_equal(arrays(&f, bad[i].keys, bad[i].values), -1);
        assert_error(f.err, ERROR_DATA, bad[i].reason, bad[i].text);
        route_fixture_fini(&f);
    }
}

/* As sbmt-outbox has it: options {"headers": {…}, "key": …}. */
static void test_headers_of_a_member(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint32_t count;
    } all[] = {{"{\"key\": {\"x\": 1}, \"headers\": {\"a\": \"b\", \"c\": 1}}", 3},
               {"{\"headers\": null}", 1},
               {"{\"key\": \"k\"}", 1},
               {NULL, 1}};
    struct route_fixture f;
    for (size_t i = 0; i <= sizeof all / sizeof all[0]; i++) {
        route_fixture_init(&f);
        f.configs[0].columns.headers = route_fixture_text("options");
        f.configs[0].columns.headers_member = route_fixture_text("headers");
        bool last = i == sizeof all / sizeof all[0];
        route_fixture_set(&f, "options", last ? "{\"headers\": [1]}" : all[i].json);
        assert_int_equal(route_fixture_open(&f), 0);
        assert_int_equal(route_fixture_route(&f), last ? -1 : 1);
        if (!last)
            assert_int_equal(f.event.header_count, all[i].count);
        else
            assert_error(f.err, ERROR_DATA, "bad_headers",
                         "column options of public.outbox: member headers is no object");
        route_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_optional),
        cmocka_unit_test(test_optional_and_needed),
        cmocka_unit_test(test_no_members),
        cmocka_unit_test(test_binary_jsonb),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_bad_members),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_headers_of_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
