/* route/route_headers: headers of the route, then those of the headers column. */
#include "route_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),      cmocka_unit_test(test_no_members),
        cmocka_unit_test(test_binary_jsonb), cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_bad_members),  cmocka_unit_test(test_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
