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
    error_retry(&err, reason, "an end");
    lessons_learn(lessons, &err, moved);
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
    lessons_learn(&lessons, &none, true);
    assert_int_equal(lessons.patience, 1);
    assert_false(lessons.patient);
    ended(&lessons, REASON_SERVER_SILENT, false);
    ended(&lessons, REASON_SERVER_SILENT, true);
    assert_int_equal(lessons.patience, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_is_waited_for_twice_as_long_each_time),
        cmocka_unit_test(a_stall_is_the_last_of_its_kind),
        cmocka_unit_test(other_ends_forget_nothing_and_teach_nothing),
        cmocka_unit_test(a_position_that_moved_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
