/* json/json_read: trees, and getters that never convert. */
#include "json/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

static struct json_tree *parse(const char *text)
{
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    if (json_tree_parse(span_of(text), &tree, &err) < 0)
        fail_msg("%s: %s", err.text, text);
    return tree;
}

static void test_kinds_and_getters(void **state)
{
    (void)state;
    struct json_tree *tree =
        parse("{\"u\":7,\"i\":-7,\"s\":\"a\\u00e4\",\"b\":true,\"n\":null,\"r\":1.5,"
              "\"digits\":\"18446744073709551615\",\"a\":[1,\"x\"],\"o\":{\"x\":false}}");
    uint64_t u;
    int64_t i;
    bool b;
    struct span s;
    assert_true(json_tree_member_u64(tree, "u", &u) && u == 7);
    assert_true(json_tree_member_u64(tree, "digits", &u) && u == UINT64_MAX);
    assert_false(json_tree_member_u64(tree, "i", &u));
    assert_false(json_tree_member_u64(tree, "s", &u));
    assert_false(json_tree_member_u64(tree, "r", &u));
    assert_true(json_tree_member_i64(tree, "i", &i) && i == -7);
    assert_false(json_tree_member_i64(tree, "digits", &i));
    assert_false(json_tree_member_i64(tree, "r", &i));
    assert_true(json_tree_member_string(tree, "s", &s));
    assert_span(s, "a\xC3\xA4");
    assert_int_equal(s.ptr[s.len], 0);
    assert_false(json_tree_member_string(tree, "u", &s));
    assert_true(json_tree_member_bool(tree, "b", &b) && b);
    assert_false(json_tree_member_bool(tree, "n", &b));
    assert_true(json_tree_is_null(json_tree_member(tree, "n")));
    assert_false(json_tree_is_null(NULL));
    assert_false(json_tree_member_bool(tree, "missing", &b));
    assert_int_equal(json_tree_kind(json_tree_member(tree, "r")), JSON_TREE_REAL);
    assert_int_equal(json_tree_kind(json_tree_member(tree, "missing")), JSON_TREE_ABSENT);
    const struct json_tree *array = json_tree_member(tree, "a");
    assert_int_equal(json_tree_count(array), 2);
    assert_true(json_tree_string(json_tree_at(array, 1), &s));
    assert_null(json_tree_at(array, 2));
    assert_null(json_tree_at(tree, 0));
    assert_int_equal(json_tree_count(tree), 9);
    assert_int_equal(json_tree_count(NULL), 0);
    assert_true(json_tree_member_bool(json_tree_member(tree, "o"), "x", &b) && !b);
    assert_null(json_tree_member(array, "x"));
    json_tree_free(tree);
    json_tree_free(NULL);
}

static void test_write(void **state)
{
    (void)state;
    struct json_tree *tree = parse("{ \"b\" : [1, 2.5, \"\\u00e4\"], \"a\" : null }");
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, "<");
    json_tree_write(tree, &out);
    assert_string_equal(buf_text(&out), "<{\"b\":[1,2.5,\"\xC3\xA4\"],\"a\":null}");
    buf_reset(&out);
    json_tree_write(json_tree_at(json_tree_member(tree, "b"), 0), &out);
    assert_string_equal(buf_text(&out), "1");
    buf_fini(&out);
    json_tree_free(tree);
}

static void expect_refused(struct span text, const char *wanted)
{
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(json_tree_parse(text, &tree, &err), -1);
    assert_null(tree);
    assert_int_equal(err.kind, ERROR_DATA);
    assert_string_equal(reason_slug(err.reason), "bad_json");
    if (strstr(err.text, wanted) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", err.text, wanted);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused(span_null(), "line 1, column 0: ");
    expect_refused(SPAN_LITERAL("{\n\"a\": ?}"), "line 2, column ");
    expect_refused(SPAN_LITERAL("{\"a\": 1, \"a\": 2}"), "duplicate");
    expect_refused(SPAN_LITERAL("{} x"), "end of file expected");
    expect_refused(SPAN_LITERAL("\"\xFF\""), "unable to decode byte 0xff");
    expect_refused(SPAN_LITERAL("\"a\\u0000\""), "\\u0000");
    expect_refused(SPAN_LITERAL("99999999999999999999"), "too big integer");
    expect_refused(SPAN_LITERAL("[1,]"), "line 1");
    expect_refused(SPAN_LITERAL("[1\0]"), "byte 2: a zero byte");
}

static void test_digits(void **state)
{
    (void)state;
    const char *const bad[] = {"\"\"",    "\"18446744073709551616\"", "\"-1\"", "\"1 \"",
                               "\"0x1\"", "\"000000000000000000001\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json_tree *tree = parse(bad[i]);
        uint64_t value;
        assert_false(json_tree_u64(tree, &value));
        json_tree_free(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_getters),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
