/* route/route_match: globs and prefixes. */
#include "route/route_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool glob(const char *pattern, const char *text)
{
    return route_match_glob(span_of(pattern), span_of(text));
}

static void test_globs(void **state)
{
    (void)state;
    assert_true(glob("", ""));
    assert_true(glob("*", ""));
    assert_true(glob("*", "anything"));
    assert_true(glob("**", "x"));
    assert_true(glob("a*", "a"));
    assert_true(glob("a*c", "abbbc"));
    assert_true(glob("a*b*c", "a-b-b-c"));
    assert_true(glob("*.c", "a.c.c"));
    assert_true(glob("*ab", "aab"));
    assert_true(glob("a?c", "abc"));
    assert_true(glob("a?c", "a\xC3\xA4"
                            "c"));
    assert_true(glob("?*", "\xF0\x9F\x98\x80"));
    assert_true(glob("*\xC3\xA4", "x\xC3\xA4"));
    assert_false(glob("", "a"));
    assert_false(glob("?", ""));
    assert_false(glob("a?c", "ac"));
    assert_false(glob("a*c", "abcd"));
    assert_false(glob("a*b*c", "a-c-b"));
    assert_false(glob("Abc", "abc"));
    assert_false(glob("?", "ab"));
}

/* The classic that is exponential where a matcher goes back to every star. */
static void test_glob_takes_no_eternity(void **state)
{
    (void)state;
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_false(glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static struct arena arena;

static struct config_from compile(const char *from)
{
    struct config_from match;
    struct error err = ERROR_INIT;
    struct config_text text = {.text = from};
    assert_int_equal(config_from_parse(&text, "routes[0].from", &arena, &match, &err), 0);
    return match;
}

static bool takes(const struct config_from *match, const char *schema, const char *table)
{
    return route_match_table(match, span_of(schema), span_of(table));
}

static void test_tables(void **state)
{
    (void)state;
    struct config_from exact = compile("public.outbox");
    assert_false(exact.schema_glob || exact.table_glob);
    assert_true(takes(&exact, "public", "outbox"));
    assert_false(takes(&exact, "public", "outbox2"));
    assert_false(takes(&exact, "Public", "outbox"));
    assert_false(route_match_message(&exact, SPAN_LITERAL("public.outbox")));
    struct config_from globbed = compile("shop_*.out?ox");
    assert_true(takes(&globbed, "shop_", "outbox"));
    assert_true(takes(&globbed, "shop_de.at", "outbox"));
    assert_false(takes(&globbed, "shop", "outbox"));
    struct config_from dotted = compile("public.a.b");
    assert_true(takes(&dotted, "public", "a.b"));
    /* A * in one half does not eat the dot and the other half. */
    struct config_from half = compile("*.box");
    assert_false(takes(&half, "public", "outbox"));
}

static void test_quoted_names(void **state)
{
    (void)state;
    struct config_from match = compile("\"Next.Ware\".outbox");
    assert_true(takes(&match, "Next.Ware", "outbox"));
    assert_false(takes(&match, "\"Next", "Ware\".outbox"));
    match = compile("public.\"a.b\"");
    assert_true(takes(&match, "public", "a.b"));
    match = compile("\"a.b\".\"c\"\"d\"");
    assert_true(takes(&match, "a.b", "c\"d"));
    /* Quoted, a * is a star; the other part is a glob all the same. */
    match = compile("\"*\".out*");
    assert_true(takes(&match, "*", "outbox"));
    assert_false(takes(&match, "public", "outbox"));
}

static bool covers(const char *a, const char *b)
{
    struct config_from one = compile(a), other = compile(b);
    return route_match_covers(&one, &other);
}

static void test_covering(void **state)
{
    (void)state;
    assert_true(covers("public.outbox", "public.outbox"));
    assert_false(covers("public.outbox", "public.inbox"));
    assert_true(covers("public.*", "public.outbox"));
    assert_true(covers("*.*", "shop_*.out?ox"));
    assert_true(covers("public.*_box", "public.out_*_box"));
    assert_false(covers("public.outbox", "public.out*"));
    assert_false(covers("shop.*", "public.outbox"));
    assert_false(covers("public.a?", "public.a*")); /* a* takes "a", too */
    assert_true(covers("public.a?", "public.a?"));
    assert_true(covers("public.a?", "public.ab"));
    assert_true(covers("message:a", "message:a"));
    assert_false(covers("message:a", "message:b"));
    assert_false(covers("*.*", "message:a.b"));
}

static void test_messages(void **state)
{
    (void)state;
    struct config_from match = compile("message:out*");
    assert_true(match.of_message);
    assert_true(route_match_message(&match, SPAN_LITERAL("out*")));
    assert_false(route_match_message(&match, SPAN_LITERAL("outbox")));
    assert_false(route_match_message(&match, SPAN_LITERAL("out")));
    assert_false(takes(&match, "message", "out*"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),    cmocka_unit_test(test_glob_takes_no_eternity),
        cmocka_unit_test(test_tables),   cmocka_unit_test(test_quoted_names),
        cmocka_unit_test(test_covering), cmocka_unit_test(test_messages),
    };
    arena_init(&arena, 1024, 1024);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
