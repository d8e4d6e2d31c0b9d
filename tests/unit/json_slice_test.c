/* json/json_slice: members byte for byte, and nothing that is not JSON. */
#include "json/json_slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

/* "name=kind:value;" of each member, then the error if there is one. */
static const char *slice(struct span text, char out[1024])
{
    struct json_slice s;
    struct json_member m;
    struct error err = ERROR_INIT;
    size_t len = 0;
    out[0] = '\0';
    int got = json_slice_open(&s, text, &err);
    while (got == 0 && (got = json_slice_next(&s, &m, &err)) > 0) {
        len += (size_t)snprintf(out + len, 1024 - len, "%.*s=%c:%.*s;", SPAN_ARG(m.name),
                                "sNOABn"[m.kind], SPAN_ARG(m.value));
        got = 0;
    }
    if (got < 0) {
        assert_int_equal(err.kind, ERROR_DATA);
        assert_string_equal(reason_slug(err.reason), "bad_json");
        snprintf(out + len, 1024 - len, "%s", err.text);
    }
    return out;
}

static void expect(const char *text, const char *wanted)
{
    char out[1024];
    assert_string_equal(slice(span_of(text), out), wanted);
}

static void test_members(void **state)
{
    (void)state;
    expect("{}", "");
    expect(" \t\r\n{ } \n", "");
    expect("{\"a\":1}", "a=N:1;");
    expect("{ \"a\" : 1 , \"b\" : \"x\" }", "a=N:1;b=s:x;");
    expect("{\"s\":\"\",\"n\":null,\"t\":true,\"f\":false}", "s=s:;n=n:null;t=B:true;f=B:false;");
    expect("{\"o\":{\"b\":1,  \"a\":[ 1,2 ]},\"x\":0}", "o=O:{\"b\":1,  \"a\":[ 1,2 ]};x=N:0;");
    expect("{\"a\":[],\"b\":[ ],\"c\":{},\"d\":{ },\"e\":[[],[{}]]}",
           "a=A:[];b=A:[ ];c=O:{};d=O:{ };e=A:[[],[{}]];");
    expect("{\"a\":[\"s\"],\"b\":{\"x\":\"s\"}}", "a=A:[\"s\"];b=O:{\"x\":\"s\"};");
    expect("{\"a\\\"\":\"\\\\\\n}\"}", "a\\\"=s:\\\\\\n};");
    expect("{\"\":1,\"\":2}", "=N:1;=N:2;");
    expect("{\"a\":\"\xC3\xA4\"}", "a=s:\xC3\xA4;");
}

static void test_numbers(void **state)
{
    (void)state;
    expect("{\"a\":-0,\"b\":10,\"c\":0.10,\"d\":1e5,\"e\":-1.5E+10,\"f\":2e-3}",
           "a=N:-0;b=N:10;c=N:0.10;d=N:1e5;e=N:-1.5E+10;f=N:2e-3;");
    expect("{\"a\":123456789012345678901234567890.123456789012345678901234567890}",
           "a=N:123456789012345678901234567890.123456789012345678901234567890;");
    expect("{\"a\":01}", "a=N:0;byte 6: a comma or } must stand here");
    expect("{\"a\":+1}", "byte 5: a value must stand here");
    expect("{\"a\":.5}", "byte 5: a value must stand here");
    expect("{\"a\":1.}", "byte 7: a digit must stand here");
    expect("{\"a\":-}", "byte 6: a digit must stand here");
    expect("{\"a\":1e}", "byte 7: a digit must stand here");
    expect("{\"a\":NaN}", "byte 5: a value must stand here");
    expect("{\"a\":0x1}", "a=N:0;byte 6: a comma or } must stand here");
}

static void test_refused(void **state)
{
    (void)state;
    expect("", "byte 0: the text ends too early");
    expect("  ", "byte 2: the text ends too early");
    expect("[]", "byte 0: an object must stand here");
    expect("\"a\"", "byte 0: an object must stand here");
    expect("\xEF\xBB\xBF{}", "byte 0: an object must stand here");
    expect("{", "byte 1: the text ends too early");
    expect("{,}", "byte 1: a string must stand here");
    expect("{a:1}", "byte 1: a string must stand here");
    expect("{'a':1}", "byte 1: a string must stand here");
    expect("{\"a\"}", "byte 4: a colon must stand here");
    expect("{\"a\":}", "byte 5: a value must stand here");
    expect("{\"a\":1", "a=N:1;byte 6: the text ends too early");
    expect("{\"a\":1,}", "a=N:1;byte 7: a string must stand here");
    expect("{\"a\":1 \"b\":2}", "a=N:1;byte 7: a comma or } must stand here");
    expect("{\"a\":tru}", "byte 5: a value must stand here");
    expect("{\"a\":truex}", "a=B:true;byte 9: a comma or } must stand here");
    expect("{\"a\":[1,]}", "byte 8: a value must stand here");
    expect("{\"a\":[1}", "byte 7: a comma or ] must stand here");
    expect("{\"a\":[1 2]}", "byte 8: a comma or ] must stand here");
    expect("{\"a\":{\"b\":1]}", "byte 11: a comma or } must stand here");
    expect("{\"a\":{\"b\"}}", "byte 9: a colon must stand here");
    expect("{\"a\":{1:2}}", "byte 6: a string must stand here");
    expect("{\"a\":{\"b\":1,}}", "byte 12: a string must stand here");
    expect("{} {}", "byte 3: more text behind the object");
    expect("{\"a\":1}x", "a=N:1;byte 7: more text behind the object");
    expect("{\"a\":\"x", "byte 7: the text ends too early");
    expect("{\"a\":\"\n\"}", "byte 6: a control character in a string");
    expect("{\"a\":\"\\x\"}", "byte 7: unknown escape");
    expect("{\"a\":\"\\u12G4\"}", "byte 10: four hexadecimal digits must follow \\u");
    expect("{\"a\":\"\\", "byte 7: the text ends too early");
    expect("{\"a\":\"\xC3\"}", "byte 6: not valid UTF-8");
    expect("{\"\x80\":1}", "byte 2: not valid UTF-8");
}

static void test_zero_bytes(void **state)
{
    (void)state;
    char out[1024];
    assert_string_equal(slice(SPAN_LITERAL("{\"a\":\0}"), out), "byte 5: a value must stand here");
    assert_string_equal(slice(SPAN_LITERAL("{}\0"), out), "byte 2: more text behind the object");
    assert_string_equal(slice(SPAN_LITERAL("{\"a\":\"\\\0\"}"), out), "byte 7: unknown escape");
}

/* n levels of [ inside the object's member. */
static bool nests(size_t n)
{
    char *text = malloc(2 * n + 16);
    assert_non_null(text);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', n);
    memset(text + 5 + n, ']', n);
    text[5 + 2 * n] = '}';
    struct json_slice s;
    struct json_member m;
    struct error err = ERROR_INIT;
    assert_int_equal(json_slice_open(&s, (struct span){text, 6 + 2 * n}, &err), 0);
    int got = json_slice_next(&s, &m, &err);
    if (got < 0)
        assert_string_equal(err.text, "byte 517: nested too deeply");
    free(text);
    return got > 0;
}

static void test_depth(void **state)
{
    (void)state;
    assert_true(nests(JSON_SLICE_DEPTH_MAX));
    assert_false(nests(JSON_SLICE_DEPTH_MAX + 1));
    assert_false(nests(1000000));
}

static void expect_text(const char *raw, const char *wanted, size_t len)
{
    struct arena arena;
    struct error err = ERROR_INIT;
    struct span text;
    arena_init(&arena, 64, 64);
    assert_int_equal(json_slice_unescape(span_of(raw), &arena, &text, &err), 0);
    assert_int_equal(text.len, len);
    assert_memory_equal(text.ptr, wanted, len);
    arena_fini(&arena);
}

static void test_unescape(void **state)
{
    (void)state;
    expect_text("", "", 0);
    expect_text("plain", "plain", 5);
    expect_text("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8);
    expect_text("x\\u0041\\u00e4\\u20AC\\uD83D\\uDE00y", "xA\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80y",
                12);
    expect_text("a\\u0000b", "a\0b", 3);
    expect_text("\\uFFFF\\ue000", "\xEF\xBF\xBF\xEE\x80\x80", 6);
    const char *const lone[] = {"\\ud800",    "\\udc00",        "\\ud800x",
                                "\\ud800\\n", "\\ud800\\ud800", "\\udc00\\ud800"};
    struct arena arena;
    arena_init(&arena, 64, 64);
    for (size_t i = 0; i < sizeof lone / sizeof lone[0]; i++) {
        struct error err = ERROR_INIT;
        struct span text;
        assert_int_equal(json_slice_unescape(span_of(lone[i]), &arena, &text, &err), -1);
        assert_error(err, ERROR_DATA, "bad_json", "a string holds half of a surrogate pair");
    }
    arena_fini(&arena);
}

static void test_unescape_copies_only_escapes(void **state)
{
    (void)state;
    struct arena arena;
    struct error err = ERROR_INIT;
    struct span text, raw = SPAN_LITERAL("plain");
    arena_init(&arena, 64, 64);
    assert_int_equal(json_slice_unescape(raw, &arena, &text, &err), 0);
    assert_ptr_equal(text.ptr, raw.ptr);
    assert_int_equal(arena.used_bytes, 0);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_unescape_copies_only_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
