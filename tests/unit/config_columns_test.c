/* config_columns: lists of columns as Debezium writes them. */
#include "config/config_columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool match(const char *list, const char *column)
{
    char why[COLUMN_WHY_MAX];
    if (!config_columns_check(list, why))
        fail_msg("%s", why);
    return config_columns_match(list, SPAN_LITERAL("shop"), SPAN_LITERAL("customers"),
                                span_of(column), false);
}

static void whole_names_match(void **state)
{
    (void)state;
    assert_true(match("shop\\.customers\\.secret", "secret"));
    assert_true(match("SHOP.Customers.Secret", "secret"));
    assert_false(match("customers.secret", "secret"));
    assert_false(match("shop.customers.sec", "secret"));
    assert_false(match("shop.customers.secret|x", "secrets"));
    assert_true(match(".*\\.(secret|salt)", "salt"));
    assert_true(match("shop\\.customers\\.\\w+_\\d", "salt_2"));
    assert_false(match("shop\\.customers\\.\\w+_\\d", "salt_x"));
    assert_false(match("shopXcustomers\\.secret", "secret"));
}

/* Nobody can tell in time: the answer is what hides the column. */
static void what_takes_too_long_is_in_doubt(void **state)
{
    (void)state;
    static const char slow[] = "shop\\.customers\\.(a+)+(a+)+c";
    const struct span column = SPAN_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    const struct span schema = SPAN_LITERAL("shop"), table = SPAN_LITERAL("customers");
    assert_true(config_columns_match(slow, schema, table, column, true));
    assert_false(config_columns_match(slow, schema, table, column, false));
    assert_false(config_columns_match("shop\\.customers\\.b", schema, table, column, true));
}

static void commas_divide(void **state)
{
    (void)state;
    assert_true(match("a.b.c, shop.customers.secret", "secret"));
    assert_true(match("a.b.c,shop.customers.[a-z]{2\\,6}", "secret"));
    assert_false(match("a.b.c,shop.customers.[a-z]{2\\,5}", "secret"));
    assert_false(match("a.b.c", "secret"));
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    char why[COLUMN_WHY_MAX];
    assert_false(config_columns_check("a.b.c,shop.(", why));
    assert_string_equal(why, "\"shop.(\": missing closing parenthesis");
    assert_false(config_columns_check("a.b.c,,x", why));
    assert_string_equal(why, "\"\": nothing stands there");
}

static void the_first_treatment_counts(void **state)
{
    (void)state;
    const struct config_pair cut[] = {{{.text = "5"}, {.text = "a.b.c"}},
                                      {{.text = "7"}, {.text = "a.b.d"}}};
    const struct config_pair hash = {{.text = "MD5.with.salt.x"}, {.text = "a.b.[cde]"}};
    const struct config_debezium options = {.column_truncate = {2, cut}, .column_hash = {1, &hash}};
    struct span a = SPAN_LITERAL("a"), b = SPAN_LITERAL("b");
    struct column_treatment t = config_column_treatment(&options, a, b, SPAN_LITERAL("d"));
    assert_int_equal(t.rule, COLUMN_TRUNCATED);
    assert_string_equal(t.name, "7");
    t = config_column_treatment(&options, a, b, SPAN_LITERAL("e"));
    assert_int_equal(t.rule, COLUMN_HASHED);
    t = config_column_treatment(&options, a, b, SPAN_LITERAL("f"));
    assert_int_equal(t.rule, COLUMN_AS_IS);
}

static void keys_name_tables_and_columns(void **state)
{
    (void)state;
    const char *list = " shop.a:x , y;(.*)\\.b:z";
    static const char *const wanted[][2] = {{"shop.a", "x"}, {"shop.a", "y"}, {"(.*)\\.b", "z"}};
    struct key_column key;
    for (size_t i = 0; i < 3; i++) {
        assert_true(config_key_column_next(&list, &key));
        assert_true(span_equal_text(key.table, wanted[i][0]));
        assert_true(span_equal_text(key.column, wanted[i][1]));
    }
    assert_true(
        config_key_column_matches(&key, SPAN_LITERAL("s"), SPAN_LITERAL("B"), SPAN_LITERAL("z")));
    assert_true(config_key_column_is_of(&key, SPAN_LITERAL("s"), SPAN_LITERAL("b")));
    assert_false(config_key_column_is_of(&key, SPAN_LITERAL("s"), SPAN_LITERAL("c")));
    assert_false(config_key_column_next(&list, &key));
    char why[COLUMN_WHY_MAX];
    assert_false(config_key_columns_check("a.b:c;a.(:d", why));
    assert_string_equal(why, "\"a.(.d\": missing closing parenthesis");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_names_match),
        cmocka_unit_test(what_takes_too_long_is_in_doubt),
        cmocka_unit_test(commas_divide),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(the_first_treatment_counts),
        cmocka_unit_test(keys_name_tables_and_columns),
    };
    return cmocka_run_group_tests_name("config_columns", tests, NULL, NULL);
}
