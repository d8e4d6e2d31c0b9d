/* base/time: RFC 3339 there and back, and what is not taken for it. */
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_text.h"

static void instants_are_written_as_rfc_3339(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    assert_string_equal(time_format(0, 6, text), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(time_format(POSTGRES_EPOCH_US, 6, text), "2000-01-01T00:00:00.000000Z");
    assert_string_equal(time_format(INT64_C(1709212455999999), 6, text),
                        "2024-02-29T13:14:15.999999Z");
    assert_string_equal(time_format(INT64_C(1709212455999999), 3, text),
                        "2024-02-29T13:14:15.999Z");
    assert_string_equal(time_format(INT64_C(1709212455000999), 3, text),
                        "2024-02-29T13:14:15.000Z");
    assert_string_equal(time_format(TIME_MAX_US, 6, text), "9999-12-31T23:59:59.999999Z");
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    int64_t read = -1;
    /* Every 61 days and a bit, so that each month and each leap year is met. */
    for (int64_t us = 0; us <= TIME_MAX_US; us += INT64_C(5270400123457)) {
        assert_true(time_parse(span_of(time_format(us, 6, text)), &read));
        assert_int_equal(read, us);
    }
    assert_true(time_parse(span_of(time_format(TIME_MAX_US, 6, text)), &read));
    assert_int_equal(read, TIME_MAX_US);
}

static void nothing_else_is_read(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2024-05-06T07:08:09Z",
        "2024-05-06T07:08:09.012Z",
        "2024-05-06T07:08:09.012345",
        "2024-05-06T07:08:09.012345z",
        "2024-05-06 07:08:09.012345Z",
        "2024-05-06T07:08:09.012345+0",
        "2024-02-30T07:08:09.012345Z",
        "2023-02-29T07:08:09.012345Z",
        "2024-00-06T07:08:09.012345Z",
        "2024-13-06T07:08:09.012345Z",
        "2024-05-06T24:08:09.012345Z",
        "2024-05-06T07:60:09.012345Z",
        "2024-05-06T07:08:60.012345Z",
        "1969-12-31T23:59:59.999999Z",
        "2024-0x-06T07:08:09.012345Z",
        "2024-05-06T07:08:09.01234 Z",
        "-024-05-06T07:08:09.012345Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 42;
        if (time_parse(span_of(bad[i]), &us))
            fail_msg("%s was read as %lld", bad[i], (long long)us);
        assert_int_equal(us, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_written_as_rfc_3339),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_else_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
