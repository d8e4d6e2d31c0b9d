/* types/types_time: timestamps as text and as microseconds, held against the C library. */
#include "types/types_time.h"

#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "assert_text.h"

static void expect(const char *text, int64_t wanted)
{
    int64_t us = 0;
    if (!timestamp_parse(span_of(text), &us))
        fail_msg("refused: %s", text);
    assert_int_equal(us, wanted);
}

static void test_parse(void **state)
{
    (void)state;
    expect("1970-01-01 00:00:00+00", 0);
    expect("1970-01-01 00:00:00", 0);
    expect("1970-01-01T00:00:00Z", 0);
    expect("1970-01-01 00:00:00.000001+00", 1);
    expect("1970-01-01 00:00:00.1+00", 100000);
    expect("1970-01-01 00:00:00.1234567Z", 123456);
    expect("1970-01-01 00:00:00.123456789Z", 123456);
    expect("1969-12-31 23:59:59.999999+00", -1);
    expect("1970-01-01 05:30:00+05:30", 0);
    expect("1969-12-31 16:00:00-08", 0);
    expect("1970-01-01 00:19:32+00:19:32", 0);
    expect("2000-01-01 00:00:00+00", POSTGRES_EPOCH_US);
    expect("2024-02-29 13:14:15.000016+05:30", 1709192655000016);
    expect("294246-12-31 23:59:59.999999+00", 9223371244799999999);
    expect("0001-01-01 00:00:00+00", -62135596800000000);
    expect("0001-12-31 00:00:00+00 BC", -62135683200000000);
    expect("4714-11-24 00:00:00 BC", -210866803200000000);
}

static void test_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "infinity",
                               "-infinity",
                               "now",
                               "2024-02-30 00:00:00",
                               "2023-02-29 00:00:00",
                               "2024-13-01 00:00:00",
                               "2024-00-01 00:00:00",
                               "2024-01-00 00:00:00",
                               "2024-01-01",
                               "2024-01-01 24:00:00",
                               "2024-01-01 00:60:00",
                               "2024-01-01 00:00:60",
                               "2024-01-01 00:00",
                               "2024-01-01 00:00:00.",
                               "2024-01-01 00:00:00.1234567890",
                               "2024-01-01 00:00:00+",
                               "2024-01-01 00:00:00+1",
                               "2024-01-01 00:00:00+16",
                               "2024-01-01 00:00:00+01:60",
                               "2024-01-01 00:00:00+01:",
                               "2024-01-01 00:00:00Z ",
                               "2024-01-01 00:00:00 BCE",
                               "2024-01-01 00:00:00 AD",
                               "24-01-01 00:00:00",
                               "2024-1-1 00:00:00",
                               " 2024-01-01 00:00:00",
                               "2024/01/01 00:00:00",
                               "01.01.2024 00:00:00",
                               "999999-01-01 00:00:00",
                               "294247-01-01 00:00:00",
                               "1700000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us;
        if (timestamp_parse(span_of(bad[i]), &us))
            fail_msg("taken: \"%s\"", bad[i]);
    }
}

/* Every 61 days and a bit from 1 AD to 9999, there and back, as gmtime has it. */
static void test_there_and_back(void **state)
{
    (void)state;
    for (int64_t us = -62135596800000000; us < 253402300799000000; us += 5277599123457) {
        char text[TIMESTAMP_TEXT_MAX], wanted[TIMESTAMP_TEXT_MAX];
        int64_t parsed = 0;
        size_t len = timestamp_format(us - POSTGRES_EPOCH_US, true, text);
        assert_int_equal(len, strlen(text));
        assert_true(timestamp_parse((struct span){text, len}, &parsed));
        assert_int_equal(parsed, us);
        time_t seconds = (time_t)((us - 999999 * (us < 0)) / 1000000);
        struct tm utc;
        gmtime_r(&seconds, &utc);
        snprintf(wanted, sizeof wanted, "%04d-%02d-%02d %02d:%02d:%02d", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
        assert_memory_equal(text, wanted, strlen(wanted));
    }
}

static void test_format(void **state)
{
    (void)state;
    const struct {
        int64_t us;
        bool offset;
        const char *text;
    } cases[] = {
        {0, true, "1970-01-01 00:00:00+00"},
        {0, false, "1970-01-01 00:00:00"},
        {1, true, "1970-01-01 00:00:00.000001+00"},
        {120000, true, "1970-01-01 00:00:00.12+00"},
        {-1, true, "1969-12-31 23:59:59.999999+00"},
        {-62135596800000001, true, "0001-12-31 23:59:59.999999+00 BC"},
        {-62135596800000001, false, "0001-12-31 23:59:59.999999 BC"},
        {9223371244799999999, true, "294246-12-31 23:59:59.999999+00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TIMESTAMP_TEXT_MAX];
        size_t len = timestamp_format(cases[i].us - POSTGRES_EPOCH_US, cases[i].offset, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(len, strlen(text));
    }
}

static void expect_cell(struct cell cell, uint32_t oid, int64_t wanted)
{
    struct error err = ERROR_INIT;
    int64_t us = 0;
    if (types_read_timestamp_us(&cell, types_builtin(oid), &us, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(us, wanted);
}

static void refuse_cell(struct cell cell, uint32_t oid, const char *wanted)
{
    struct error err = ERROR_INIT;
    int64_t us;
    assert_int_equal(types_read_timestamp_us(&cell, types_builtin(oid), &us, &err), -1);
    assert_error(err, ERROR_DATA, "bad_value", wanted);
}

#define BINARY(bytes) ((struct cell){CELL_BINARY, SPAN_LITERAL(bytes)})
#define TEXT(bytes) ((struct cell){CELL_TEXT, SPAN_LITERAL(bytes)})

static void test_cells(void **state)
{
    (void)state;
    expect_cell(TEXT("2000-01-01 00:00:00+00"), TYPE_TIMESTAMPTZ, POSTGRES_EPOCH_US);
    expect_cell(TEXT("2000-01-01 00:00:00"), TYPE_TIMESTAMP, POSTGRES_EPOCH_US);
    expect_cell(TEXT("2000-01-01T01:00:00+01:00"), TYPE_TEXT, POSTGRES_EPOCH_US);
    expect_cell(TEXT("1700000000001"), TYPE_INT8, 1700000000001000);
    expect_cell(TEXT("-5"), TYPE_TEXT, -5000);
    expect_cell(BINARY("\0\0\0\0\0\0\0\1"), TYPE_TIMESTAMPTZ, POSTGRES_EPOCH_US + 1);
    expect_cell(BINARY("\0\0\0\0\0\0\0\1"), TYPE_TIMESTAMP, POSTGRES_EPOCH_US + 1);
    expect_cell(BINARY("\0\0\0\0\0\0\0\1"), TYPE_INT8, 1000);
    expect_cell(BINARY("\0\0\0\2"), TYPE_INT4, 2000);
    refuse_cell(TEXT("infinity"), TYPE_TIMESTAMPTZ, "\"infinity\" is not a timestamp");
    refuse_cell(TEXT("1700000000001"), TYPE_TIMESTAMPTZ, "\"1700000000001\" is not a timestamp");
    refuse_cell(TEXT("soon"), TYPE_TEXT, "\"soon\" is not a timestamp");
    refuse_cell(TEXT("99999999999999999"), TYPE_INT8,
                "99999999999999999 milliseconds are beyond every timestamp");
    refuse_cell(BINARY("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), TYPE_TIMESTAMPTZ,
                "\"infinity\" is not a timestamp");
    refuse_cell(BINARY("\x80\0\0\0\0\0\0\0"), TYPE_TIMESTAMP, "\"-infinity\" is not a timestamp");
    refuse_cell(BINARY("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE"), TYPE_TIMESTAMP,
                "a timestamp later than the year 294246");
    refuse_cell(BINARY("x"), TYPE_TIMESTAMP, "a binary timestamp of 1 bytes instead of 8");
    refuse_cell(BINARY("x"), TYPE_TEXT, "type oid 25 is not a timestamp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_format),
        cmocka_unit_test(test_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
