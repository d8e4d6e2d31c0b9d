/* types/: the text of a database in another encoding becomes UTF-8, or says that it cannot. */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256, 256);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void expect(const char *name, const char *bytes, const char *wanted)
{
    struct text_encoding *encoding = text_encoding_open(name);
    struct span in = span_of(bytes), text;
    bool good = text_encoding_to_utf8(encoding, in, &arena, &text);
    assert_int_equal(good, wanted != NULL);
    assert_span(text, wanted != NULL ? wanted : bytes);
    /* What needs no change is not copied. */
    if (strcmp(bytes, wanted != NULL ? wanted : bytes) == 0)
        assert_ptr_equal(text.ptr, in.ptr);
    text_encoding_close(encoding);
}

static void test_utf8_is_nothing(void **state)
{
    (void)state;
    assert_null(text_encoding_open("UTF8"));
    assert_false(text_encoding_reads(NULL));
    text_encoding_close(NULL);
    struct span text;
    assert_true(text_encoding_to_utf8(NULL, SPAN_LITERAL("\xff"), &arena, &text));
    assert_span(text, "\xff");
}

static void test_tables(void **state)
{
    (void)state;
    expect("LATIN1", "plain", "plain");
    expect("LATIN1", "", "");
    expect("LATIN1",
           "Stra\xdf"
           "e",
           "Straße");
    expect("LATIN9", "\xa4", "€");
    expect("WIN1252", "\x80 \x92", "€ ’");
    expect("WIN1251", "\xcf\xf0\xe8", "При");
    expect("KOI8R", "\xf0\xd2\xc9", "При");
    expect("ISO_8859_7", "\xe1", "α");
    /* Its converter keeps letters back, because an accent may follow. */
    expect("WIN1258", "\xc2\xec", "Â\xcc\x81");
    expect("WIN1255", "\xe0\xc7", "א\xd6\xb7");
    /* Bytes without a character. */
    expect("WIN1252", "a\x81z", NULL);
    expect("WIN1253", "\xaa", NULL);
}

static void test_sql_ascii(void **state)
{
    (void)state;
    expect("SQL_ASCII", "plain", "plain");
    expect("SQL_ASCII", "café ☃ 😀", "café ☃ 😀");
    expect("SQL_ASCII", "caf\xe9", NULL);
    expect("SQL_ASCII", "caf\xc3", NULL);
    expect("SQL_ASCII", "\xed\xa0\x80", NULL);
}

static void test_unknown(void **state)
{
    (void)state;
    struct text_encoding *encoding = text_encoding_open("EUC_JP");
    assert_non_null(encoding);
    assert_false(text_encoding_reads(encoding));
    text_encoding_close(encoding);
    expect("EUC_JP", "plain", "plain");
    /* These bytes are UTF-8 by accident, and mean something else. */
    expect("EUC_JP", "\xc3\xa9", NULL);
}

static void expect_back(const char *name, const char *text, const char *wanted)
{
    struct text_encoding *encoding = text_encoding_open(name);
    struct buf out = BUF_EMPTY;
    assert_int_equal(text_encoding_from_utf8(encoding, text, &out), wanted != NULL);
    if (wanted != NULL)
        assert_string_equal(buf_text(&out), wanted);
    buf_fini(&out);
    text_encoding_close(encoding);
}

static void test_back(void **state)
{
    (void)state;
    expect_back("UTF8", "é", "é");
    expect_back("SQL_ASCII", "é", "é");
    expect_back("LATIN1", "a-é", "a-\xe9");
    expect_back("LATIN9", "€", "\xa4");
    expect_back("LATIN1", "€", NULL);
    expect_back("LATIN1", "\xff", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_utf8_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tables, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sql_ascii, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
