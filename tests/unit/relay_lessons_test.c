/* relay/lessons: what the next epoch does otherwise, and until when. */
#include "relay/lessons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ended(struct lessons *lessons, enum reason reason, bool moved)
{
    struct error err = ERROR_INIT;
    struct pace pace = {0};
    error_retry(&err, reason, "an end");
    lessons_learn(lessons, &pace, &err, moved);
    assert_int_equal(pace.window_bytes, 0); /* it never began */
}

static void a_silent_server_is_waited_for_twice_as_long_each_time(void **state)
{
    (void)state;
    struct lessons lessons = LESSONS_INIT;
    static const uint32_t expected[] = {2, 4, 8, 8, 8};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ended(&lessons, REASON_SERVER_SILENT, false);
        assert_int_equal(lessons.patience, expected[i]);
    }
    assert_false(lessons.patient);
}

static void a_stall_is_the_last_of_its_kind(void **state)
{
    (void)state;
    struct lessons lessons = LESSONS_INIT;
    ended(&lessons, REASON_STALLED, false);
    assert_true(lessons.patient);
    assert_int_equal(lessons.patience, 1);
}

static void other_ends_forget_nothing_and_teach_nothing(void **state)
{
    (void)state;
    struct lessons lessons = LESSONS_INIT;
    ended(&lessons, REASON_CONNECTION_LOST, false);
    assert_int_equal(lessons.patience, 1);
    assert_false(lessons.patient);
    ended(&lessons, REASON_SERVER_SILENT, false);
    ended(&lessons, REASON_STALLED, false);
    ended(&lessons, REASON_CONNECTION_LOST, false);
    assert_int_equal(lessons.patience, 2);
    assert_true(lessons.patient);
}

static void a_position_that_moved_begins_anew(void **state)
{
    (void)state;
    struct lessons lessons = LESSONS_INIT;
    ended(&lessons, REASON_SERVER_SILENT, false);
    ended(&lessons, REASON_STALLED, false);
    struct error none = ERROR_INIT;
    struct pace pace = {0};
    lessons_learn(&lessons, &pace, &none, true);
    assert_int_equal(lessons.patience, 1);
    assert_false(lessons.patient);
    ended(&lessons, REASON_SERVER_SILENT, false);
    ended(&lessons, REASON_SERVER_SILENT, true);
    assert_int_equal(lessons.patience, 2);
}

static void what_took_too_long_is_smaller_the_next_time(void **state)
{
    (void)state;
    static const enum reason reasons[] = {REASON_DELIVERY_TIMEOUT, REASON_TRANSACTION_TIMEOUT,
                                          REASON_TRANSACTION_ABORTED,
                                          REASON_COMMIT_OUTCOME_UNKNOWN};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        struct lessons lessons = LESSONS_INIT;
        struct pace pace = {0};
        pace_begin(&pace, 16000000, 60000000, 0);
        uint64_t window = pace.window_bytes;
        int64_t split_us = pace_split_us(&pace, 30000000);
        struct error err = ERROR_INIT;
        error_retry(&err, reasons[i], "an end");
        lessons_learn(&lessons, &pace, &err, false);
        assert_true(pace.window_bytes <= window / 4);
        assert_int_equal(pace_split_us(&pace, 30000000), split_us / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_is_waited_for_twice_as_long_each_time),
        cmocka_unit_test(a_stall_is_the_last_of_its_kind),
        cmocka_unit_test(other_ends_forget_nothing_and_teach_nothing),
        cmocka_unit_test(a_position_that_moved_begins_anew),
        cmocka_unit_test(what_took_too_long_is_smaller_the_next_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
