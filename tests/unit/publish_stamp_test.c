/* publish/kafka_stamp: a timestamp is the wanted one where the topic takes it by the broker's
 * clock; else the true time goes beside it. */
#include "publish/kafka_stamp.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)

static const struct clamp_limits limits = {.oldest_ms = HOUR_MS, .ahead_ms = CLAMP_AHEAD_MS};

static int64_t now_ms(void)
{
    return clock_wall_us() / US_PER_MS;
}

static void assert_moved_to(const struct kafka_stamp *stamp, int64_t wanted_ms, int64_t about_ms)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)wanted_ms);
    assert_string_equal(stamp->true_time, text);
    assert_in_range(stamp->timestamp_ms, about_ms - 60000, about_ms + 60000);
}

static void what_the_topic_takes_is_not_moved(void **state)
{
    (void)state;
    struct kafka_clock clock = {.wall_ms = 0}; /* not looked at yet: far behind */
    struct kafka_stamp stamp = {.true_time = "left over"};
    int64_t wanted_ms = now_ms();
    kafka_stamp(&clock, &limits, wanted_ms, &stamp);
    assert_int_equal(stamp.timestamp_ms, wanted_ms);
    assert_string_equal(stamp.true_time, "");
    kafka_stamp(&clock, &limits, wanted_ms - HOUR_MS / 2, &stamp);
    assert_int_equal(stamp.timestamp_ms, wanted_ms - HOUR_MS / 2);
    assert_string_equal(stamp.true_time, "");
}

static void what_is_moved_keeps_its_true_time(void **state)
{
    (void)state;
    struct kafka_clock clock = {.wall_ms = 0};
    struct kafka_stamp stamp;
    int64_t now = now_ms();
    kafka_stamp(&clock, &limits, now + HOUR_MS, &stamp);
    assert_moved_to(&stamp, now + HOUR_MS, now);
    kafka_stamp(&clock, &limits, 1000, &stamp);
    assert_moved_to(&stamp, 1000, now - HOUR_MS);
}

static void the_brokers_clock_decides(void **state)
{
    (void)state;
    struct kafka_clock clock = {.broker_ahead_ms = -2 * HOUR_MS};
    struct kafka_stamp stamp;
    int64_t now = now_ms();
    kafka_stamp(&clock, &limits, now, &stamp);
    assert_moved_to(&stamp, now, now - 2 * HOUR_MS);
    kafka_stamp(&clock, &limits, now - 2 * HOUR_MS - 60000, &stamp);
    assert_string_equal(stamp.true_time, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_topic_takes_is_not_moved),
        cmocka_unit_test(what_is_moved_keeps_its_true_time),
        cmocka_unit_test(the_brokers_clock_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
