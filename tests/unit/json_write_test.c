/* json/json_write, json/json_utf8, base/utf8: what is written can be read by anybody. */
#include "json/json_write.h"

#include "base/utf8.h"
#include "json/json_read.h"
#include "json/json_utf8.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_document(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    json_write_begin_object(&w);
    json_write_member_u64(&w, "u", UINT64_MAX);
    json_write_member_i64(&w, "i", INT64_MIN);
    json_write_member_u64(&w, "zero", 0);
    json_write_member_bool(&w, "t", true);
    json_write_member_bool(&w, "f", false);
    json_write_member_null(&w, "n");
    json_write_member_text(&w, "text", "x");
    json_write_member_text(&w, "no text", NULL);
    json_write_member_string(&w, "s", SPAN_LITERAL(""));
    json_write_member_string(&w, "absent", span_null());
    json_write_member_raw(&w, "raw", SPAN_LITERAL("{\"a\": 1.0}"));
    json_write_name(&w, "a");
    json_write_begin_array(&w);
    json_write_u64(&w, 1);
    json_write_begin_object(&w);
    json_write_end_object(&w);
    json_write_begin_array(&w);
    json_write_end_array(&w);
    json_write_raw(&w, SPAN_LITERAL("2"));
    json_write_end_array(&w);
    json_write_name(&w, "o");
    json_write_begin_object(&w);
    json_write_member_null(&w, "q\"");
    json_write_end_object(&w);
    json_write_end_object(&w);
    assert_int_equal(w.depth, 0);
    assert_string_equal(
        buf_text(&out),
        "{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"zero\":0,\"t\":true,\"f\":false,"
        "\"n\":null,\"text\":\"x\",\"no text\":null,\"s\":\"\",\"absent\":null,"
        "\"raw\":{\"a\": 1.0},\"a\":[1,{},[],2],\"o\":{\"q\\\"\":null}}");
    buf_fini(&out);
}

static void expect_written(struct span text, const char *wanted)
{
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    json_write_string(&w, text);
    assert_string_equal(buf_text(&out), wanted);
    buf_fini(&out);
}

static void test_strings(void **state)
{
    (void)state;
    expect_written(SPAN_LITERAL("plain"), "\"plain\"");
    expect_written(SPAN_LITERAL("\"\\/"), "\"\\\"\\\\/\"");
    expect_written(SPAN_LITERAL("\n\r\t\b\f\x1F\0"), "\"\\n\\r\\t\\u0008\\u000c\\u001f\\u0000\"");
    expect_written(SPAN_LITERAL("\x7F"), "\"\\u007f\"");
    expect_written(SPAN_LITERAL("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"),
                   "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    expect_written(SPAN_LITERAL("a\xFF"
                                "b\xC3"),
                   "\"a\xEF\xBF\xBD"
                   "b\xEF\xBF\xBD\"");
}

static void expect_as(enum json_escapes escapes, struct span text, const char *wanted)
{
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    w.escapes = escapes;
    json_write_string(&w, text);
    assert_string_equal(buf_text(&out), wanted);
    buf_fini(&out);
}

static void test_jackson(void **state)
{
    (void)state;
    struct span control = SPAN_LITERAL("\n\r\t\b\f\x1F\0\x7F\"\\/");
    const char *wanted = "\"\\n\\r\\t\\b\\f\\u001F\\u0000\x7F\\\"\\\\/\"";
    expect_as(JSON_ESCAPES_JACKSON_TEXT, control, wanted);
    expect_as(JSON_ESCAPES_JACKSON, control, wanted);
    struct span beyond = SPAN_LITERAL("\xC3\xA4\xF0\x9F\x98\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
    expect_as(JSON_ESCAPES_JACKSON_TEXT, beyond,
              "\"\xC3\xA4\xF0\x9F\x98\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"");
    expect_as(JSON_ESCAPES_JACKSON, beyond,
              "\"\xC3\xA4\\uD83D\\uDE00\\uD800\\uDC00\\uDBFF\\uDFFF\"");
}

static size_t length(const char *bytes)
{
    return utf8_length(bytes, bytes + strlen(bytes));
}

static void test_utf8(void **state)
{
    (void)state;
    const char *const good[] = {"a",
                                "\x7F",
                                "\xC2\x80",
                                "\xDF\xBF",
                                "\xE0\xA0\x80",
                                "\xED\x9F\xBF",
                                "\xEE\x80\x80",
                                "\xEF\xBF\xBF",
                                "\xF0\x90\x80\x80",
                                "\xF1\x80\x80\x80",
                                "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(length(good[i]), strlen(good[i]));
    const char *const bad[] = {"\x80",
                               "\xBF",
                               "\xC0\x80",
                               "\xC1\xBF",
                               "\xC2",
                               "\xC2\x41",
                               "\xE0\x80\x80",
                               "\xE0\x9F\xBF",
                               "\xE2\x82",
                               "\xE2\x82\x41",
                               "\xED\xA0\x80",
                               "\xED\xBF\xBF",
                               "\xF0\x8F\xBF\xBF",
                               "\xF0\x90\x80",
                               "\xF4\x90\x80\x80",
                               "\xF5\x80\x80\x80",
                               "\xFF",
                               "\xF0\x90\x80\x41"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(length(bad[i]), 0);
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        char bytes[4];
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        size_t len = json_utf8_encode(code, bytes);
        if (utf8_length(bytes, bytes + len) != len)
            fail_msg("U+%04X", code);
    }
}

/* Each byte at each place of a text says what it says alone, however many are looked at together.
 */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    static const enum json_escapes ESCAPES[] = {JSON_ESCAPES_OURS, JSON_ESCAPES_JACKSON,
                                                JSON_ESCAPES_HEADER};
    for (size_t e = 0; e < sizeof ESCAPES / sizeof ESCAPES[0]; e++)
        for (int c = 0; c < 256; c++)
            for (size_t at = 0; at < 20; at++) {
                char text[20], byte = (char)c;
                struct buf whole = BUF_EMPTY, alone = BUF_EMPTY;
                struct json_writer w = json_writer(&whole), one = json_writer(&alone);
                w.escapes = one.escapes = ESCAPES[e];
                memset(text, '~', sizeof text);
                text[at] = byte;
                json_write_string(&w, (struct span){text, sizeof text});
                json_write_string(&one, (struct span){&byte, 1});
                assert_int_equal(whole.len, alone.len + sizeof text - 1);
                assert_memory_equal(whole.ptr + 1 + at, alone.ptr + 1, alone.len - 2);
                for (size_t i = 1; i <= at; i++)
                    assert_int_equal(whole.ptr[i], '~');
                for (size_t i = at + alone.len - 1; i < whole.len - 1; i++)
                    assert_int_equal(whole.ptr[i], '~');
                buf_fini(&whole);
                buf_fini(&alone);
            }
}

static void test_numbers(void **state)
{
    (void)state;
    char text[24];
    for (uint64_t power = 1; power <= UINT64_C(1000000000000000000); power *= 10)
        for (uint64_t i = 0; i < 3; i++) {
            struct buf out = BUF_EMPTY;
            struct json_writer w = json_writer(&out);
            json_write_u64(&w, power - 1 + i);
            snprintf(text, sizeof text, "%" PRIu64, power - 1 + i);
            assert_string_equal(buf_text(&out), text);
            buf_fini(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),         cmocka_unit_test(test_strings),
        cmocka_unit_test(test_jackson),          cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
