/* config_from: `from:` of a route, read. What is taken by it is route/'s. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;

static struct config_from parse(const char *text)
{
    struct config_from from;
    struct error err = ERROR_INIT;
    struct config_text given = {.text = text};
    assert_int_equal(config_from_parse(&given, "routes[0].from", &arena, &from, &err), 0);
    return from;
}

static void assert_table(const char *text, const char *schema, const char *table, bool schema_glob,
                         bool table_glob)
{
    struct config_from from = parse(text);
    assert_false(from.of_message);
    assert_true(span_equal_text(from.schema, schema));
    assert_true(span_equal_text(from.table, table));
    assert_int_equal(from.schema_glob, schema_glob);
    assert_int_equal(from.table_glob, table_glob);
}

static void tables_and_globs_are_told_apart(void **state)
{
    (void)state;
    assert_table("public.outbox", "public", "outbox", false, false);
    assert_table("public.a.b", "public", "a.b", false, false);
    assert_table("shop_*.out?ox", "shop_*", "out?ox", true, true);
    assert_table("*.outbox", "*", "outbox", true, false);
    assert_table("public.*", "public", "*", false, true);
    assert_table("\"Next.Ware\".outbox", "Next.Ware", "outbox", false, false);
    assert_table("\"*\".\"a\"\"?\"", "*", "a\"?", false, false);
}

static void a_prefix_is_taken_whole(void **state)
{
    (void)state;
    struct config_from from = parse("message:out*");
    assert_true(from.of_message);
    assert_true(span_equal_text(from.prefix, "out*"));
    assert_true(span_equal_text(parse("message:a:b.c").prefix, "a:b.c"));
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"message:",
                                      "message:walferry",
                                      "message:walferry:orders",
                                      "a",
                                      "a.",
                                      ".a",
                                      "\"a.b",
                                      "\"\".a",
                                      "a.\"\"",
                                      "\"a\"b.c",
                                      "a.\"b\"c",
                                      "\"a\".",
                                      "a.b\"",
                                      "a\"b.c",
                                      "\"a\"",
                                      "\"a\"c"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config_from match;
        struct error err = ERROR_INIT;
        struct config_text text = {.text = bad[i]};
        if (config_from_parse(&text, "routes[0].from", &arena, &match, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(reason_slug(err.reason), "bad_from");
    }
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1024, 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_and_globs_are_told_apart),
        cmocka_unit_test(a_prefix_is_taken_whole),
        cmocka_unit_test(names_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
