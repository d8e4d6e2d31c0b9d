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
                                span_of(column));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_names_match),
        cmocka_unit_test(commas_divide),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests_name("config_columns", tests, NULL, NULL);
}
