/* model/change_id: the name of a change as text, and how names compare. */
#include "model/change_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_format(void **state)
{
    (void)state;
    char text[CHANGE_ID_TEXT_MAX];
    assert_string_equal(
        change_id_format(7318349394477056000, change_id_wal(0x16B374D848, 42), text),
        "7318349394477056000-00000016B374D848-42");
    assert_string_equal(change_id_format(0, change_id_wal(0, 0), text), "0-0000000000000000-0");
    size_t len = change_id_format_event(1, change_id_wal(2, 3), 1, text);
    assert_string_equal(text, "1-0000000000000002-3");
    assert_int_equal(len, 20);
    len =
        change_id_format_event(UINT64_MAX, change_id_wal(UINT64_MAX, UINT64_MAX), UINT32_MAX, text);
    assert_string_equal(text, "18446744073709551615-FFFFFFFFFFFFFFFF-18446744073709551615."
                              "4294967295");
    assert_true(len < CHANGE_ID_TEXT_MAX);
}

/* The same text, whatever was formatted before. */
static void test_format_behind(void **state)
{
    (void)state;
    const struct change_id ids[] = {change_id_wal(0, 1),
                                    change_id_wal(0x16B374D848, 42),
                                    change_id_wal(0x16B374D848, 43),
                                    change_id_poll(731, 7, 42),
                                    change_id_wal(0x16B374D848, UINT64_MAX),
                                    change_id_wal(0x16B374D849, 1),
                                    change_id_wal(UINT64_MAX, 1)};
    struct change_id_prefix prefix = {.len = 0};
    char text[CHANGE_ID_TEXT_MAX], expected[CHANGE_ID_TEXT_MAX];
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        for (uint32_t event = 1; event <= UINT32_MAX / 2; event += UINT32_MAX / 4) {
            size_t len = change_id_format_event(UINT64_MAX, ids[i], event, expected);
            assert_int_equal(change_id_format_behind(&prefix, UINT64_MAX, &ids[i], event, text),
                             len);
            assert_string_equal(text, expected);
        }
}

static void test_format_of_polling(void **state)
{
    (void)state;
    char text[CHANGE_ID_TEXT_MAX];
    assert_string_equal(change_id_format(7318349394477056000, change_id_poll(731, 0, 42), text),
                        "7318349394477056000-x731-42");
    size_t len = change_id_format_event(
        UINT64_MAX, change_id_poll(UINT64_MAX, UINT32_MAX, UINT64_MAX), UINT32_MAX, text);
    assert_string_equal(text, "18446744073709551615-x18446744073709551615t4294967295-"
                              "18446744073709551615."
                              "4294967295");
    assert_int_equal(len, 85);
    assert_true(len < CHANGE_ID_TEXT_MAX);
}

static void test_parse(void **state)
{
    (void)state;
    char text[CHANGE_ID_TEXT_MAX];
    uint64_t system;
    struct change_id id;
    change_id_format(UINT64_MAX, change_id_wal(0xABCDEF0123456789, 7), text);
    assert_true(change_id_parse(text, &system, &id, NULL));
    assert_true(system == UINT64_MAX);
    assert_true(change_id_equal(id, change_id_wal(0xABCDEF0123456789, 7)));
    assert_true(change_id_parse("1-x18446744073709551615-3", &system, &id, NULL));
    assert_true(system == 1 && change_id_equal(id, change_id_poll(UINT64_MAX, 0, 3)));
    assert_true(change_id_parse("1-x5t77-3", &system, &id, NULL));
    assert_true(system == 1 && change_id_equal(id, change_id_poll(5, 77, 3)));
    assert_true(change_id_parse("1-abcdef0123456789-7", &system, &id, NULL));
    assert_true(system == 1 && change_id_equal(id, change_id_wal(0xABCDEF0123456789, 7)));
    const char *const bad[] = {"",
                               "1",
                               "1-",
                               "-0000000000000002-3",
                               "1-x5t-3",
                               "1-x5t0-3",
                               "1-xt7-3",
                               "1-x5t4294967296-3",
                               "1-000000000000002-3",
                               "1-00000000000000002-3",
                               "1-000000000000000g-3",
                               "1-0000000000000002-",
                               "1-0000000000000002-3.2",
                               "1-0000000000000002-3 ",
                               " 1-0000000000000002-3",
                               "+1-0000000000000002-3",
                               "18446744073709551616-0000000000000002-3",
                               "1-0000000000000002-18446744073709551616",
                               "1-x-3",
                               "1-x731",
                               "1-x731-",
                               "1-x731-3.2",
                               "1-X731-3",
                               "1-x18446744073709551616-3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(change_id_parse(bad[i], &system, &id, NULL));
    assert_true(system == 1 && change_id_equal(id, change_id_wal(0xABCDEF0123456789, 7)));
}

static void test_parse_of_a_further_event(void **state)
{
    (void)state;
    uint64_t system = 0;
    uint32_t event = 0;
    struct change_id id;
    assert_true(change_id_parse("1-0000000000000002-3", &system, &id, &event));
    assert_int_equal(event, 1);
    assert_true(change_id_parse("1-0000000000000002-3.2", &system, &id, &event));
    assert_int_equal(event, 2);
    assert_true(system == 1 && change_id_equal(id, change_id_wal(2, 3)));
    assert_true(change_id_parse("1-x7-3.4294967295", &system, &id, &event));
    assert_int_equal(event, UINT32_MAX);
    const char *const bad[] = {"1-0000000000000002-3.",  "1-0000000000000002-3.0",
                               "1-0000000000000002-3.1", "1-0000000000000002-3.2.2",
                               "1-0000000000000002-3.x", "1-0000000000000002-3.4294967296"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(change_id_parse(bad[i], &system, &id, &event));
    assert_int_equal(event, UINT32_MAX);
}

static void test_equal(void **state)
{
    (void)state;
    struct change_id none = {.kind = CHANGE_ID_NONE};
    assert_true(change_id_is_none(none));
    assert_false(change_id_is_none(change_id_wal(0, 0)));
    assert_true(change_id_equal(change_id_wal(5, 6), change_id_wal(5, 6)));
    assert_false(change_id_equal(change_id_wal(5, 6), change_id_wal(5, 7)));
    assert_false(change_id_equal(change_id_wal(5, 6), change_id_wal(4, 6)));
    assert_false(change_id_equal(change_id_wal(5, 6), change_id_poll(5, 0, 6)));
    assert_true(change_id_equal(change_id_poll(5, 0, 6), change_id_poll(5, 0, 6)));
    assert_false(change_id_equal(change_id_poll(5, 7, 6), change_id_poll(5, 8, 6)));
}

static void test_order(void **state)
{
    (void)state;
    const struct change_id rising[] = {change_id_wal(0, 9), change_id_wal(1, 0),
                                       change_id_wal(1, 1), change_id_wal(1, UINT64_MAX),
                                       change_id_wal(UINT64_MAX, 0)};
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = change_id_compare(rising[i], rising[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void an_id_of_claiming_names_a_row(void **state)
{
    (void)state;
    static const char *const keys[] = {"0", "-9223372036854775808", "9223372036854775807",
                                       "01234567-89ab-cdef-fedc-ba9876543210"};
    char text[CHANGE_ID_TEXT_MAX], key[CHANGE_ID_KEY_MAX];
    struct change_id id, read;
    uint64_t system;
    uint32_t event;
    for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        uint32_t table = i % 2 == 0 ? 0 : UINT32_MAX;
        assert_true(change_id_of_key(keys[i], strlen(keys[i]), table, &id));
        assert_int_equal(change_id_format_key(id, key), strlen(keys[i]));
        assert_string_equal(key, keys[i]);
        change_id_format_event(UINT64_MAX, id, UINT32_MAX, text);
        assert_true(change_id_parse(text, &system, &read, &event));
        assert_true(change_id_equal(id, read) && event == UINT32_MAX && system == UINT64_MAX);
    }
    assert_string_equal(text, "18446744073709551615-t4294967295k01234567-89ab-cdef-fedc-"
                              "ba9876543210.4294967295");
    assert_false(change_id_parse("1-k", &system, &read, NULL));
    assert_false(change_id_parse("1-t5", &system, &read, NULL));
    assert_false(change_id_parse("1-t0k5", &system, &read, NULL));
}

/* A text that a number or a uuid could be written as is itself, and all come back as they were. */
static void a_text_names_a_row(void **state)
{
    (void)state;
    static const char *const keys[][2] = {
        {"", "%"},
        {"-", "-"},
        {"-0", "-0"},
        {"007", "007"},
        {"1x", "1x"},
        {"9223372036854775808", "9223372036854775808"},
        {"01234567-89AB-cdef-fedc-ba9876543210", "01234567-89AB-cdef-fedc-ba9876543210"},
        {"%", "%25"},
        {"a.b,c", "a%2Eb%2Cc"},
        {"\xC3\xA9\x01 ~_", "%C3%A9%01%20~_"}};
    char text[CHANGE_ID_TEXT_MAX], key[CHANGE_ID_KEY_MAX], longest[CHANGE_ID_STRING_MAX + 1];
    struct change_id id, read;
    uint64_t system;
    uint32_t event;
    for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_true(change_id_of_key(keys[i][0], strlen(keys[i][0]), i, &id));
        assert_int_equal(id.kind, CHANGE_ID_STRING);
        assert_int_equal(change_id_format_key(id, key), strlen(keys[i][1]));
        assert_string_equal(key, keys[i][1]);
        change_id_format_event(7, id, 2, text);
        assert_true(change_id_parse(text, &system, &read, &event));
        assert_true(change_id_equal(id, read) && event == 2 && read.table == i);
        assert_false(change_id_equal(id, change_id_wal(0, 0)));
    }
    memset(longest, '.', sizeof longest);
    assert_false(change_id_of_key(longest, sizeof longest, 0, &id));
    assert_true(change_id_of_key(longest, CHANGE_ID_STRING_MAX, UINT32_MAX, &id));
    assert_int_equal(change_id_format_event(UINT64_MAX, id, UINT32_MAX, text),
                     CHANGE_ID_TEXT_MAX - 1);
    assert_true(change_id_parse(text, &system, &read, &event));
    assert_true(change_id_equal(id, read));
    read.string[CHANGE_ID_STRING_MAX - 1] = ',';
    assert_false(change_id_equal(id, read));
}

/* Only what is printed is read: one row has one name. */
static void another_spelling_is_no_id(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "%4",  "%2c", "%41", "%31", "%%", "a%",
                                      "a b", "%GG", ",",   "a/b", "\"",  "%2", "\xC3\xA9"};
    struct change_id id;
    char longer[3 * CHANGE_ID_STRING_MAX + 1];
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(change_id_parse_key(bad[i], strlen(bad[i]), 0, &id));
    memset(longer, 'x', sizeof longer);
    assert_true(change_id_parse_key(longer, CHANGE_ID_STRING_MAX, 0, &id));
    assert_false(change_id_parse_key(longer, CHANGE_ID_STRING_MAX + 1, 0, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_names_a_row),
        cmocka_unit_test(another_spelling_is_no_id),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_behind),
        cmocka_unit_test(test_format_of_polling),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_of_a_further_event),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_order),
        cmocka_unit_test(an_id_of_claiming_names_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
