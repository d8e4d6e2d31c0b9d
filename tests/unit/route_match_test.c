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

static struct route_match compile(const char *from)
{
    struct route_match match;
    struct error err = ERROR_INIT;
    struct config_text text = {.text = from};
    assert_int_equal(route_match_compile(&text, "routes[0].from", &match, &err), 0);
    return match;
}

static bool takes(const struct route_match *match, const char *schema, const char *table)
{
    return route_match_table(match, span_of(schema), span_of(table));
}

static void test_tables(void **state)
{
    (void)state;
    struct route_match exact = compile("public.outbox");
    assert_false(exact.glob);
    assert_true(takes(&exact, "public", "outbox"));
    assert_false(takes(&exact, "public", "outbox2"));
    assert_false(takes(&exact, "Public", "outbox"));
    assert_false(route_match_message(&exact, SPAN_LITERAL("public.outbox")));
    struct route_match globbed = compile("shop_*.out?ox");
    assert_true(takes(&globbed, "shop_", "outbox"));
    assert_true(takes(&globbed, "shop_de.at", "outbox"));
    assert_false(takes(&globbed, "shop", "outbox"));
    struct route_match dotted = compile("public.a.b");
    assert_true(takes(&dotted, "public", "a.b"));
    /* A * in one half does not eat the dot and the other half. */
    struct route_match half = compile("*.box");
    assert_false(takes(&half, "public", "outbox"));
}

static void test_messages(void **state)
{
    (void)state;
    struct route_match match = compile("message:out*");
    assert_true(match.of_message);
    assert_true(route_match_message(&match, SPAN_LITERAL("out*")));
    assert_false(route_match_message(&match, SPAN_LITERAL("outbox")));
    assert_false(route_match_message(&match, SPAN_LITERAL("out")));
    assert_false(takes(&match, "message", "out*"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_glob_takes_no_eternity),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
