/* publish/clamp: timestamps never in the future of the broker's clock, never so old that the topic
 * would refuse or delete at once. */
#include "publish/clamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000)
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static const struct clamp_config nothing = {
    .retention_ms = -1, .before_max_ms = -1, .after_max_ms = -1, .difference_max_ms = -1};

static int64_t clamp(const struct clamp_config *config, int64_t wanted_ms)
{
    struct clamp_limits limits = clamp_limits_of(config);
    return clamp_timestamp(wanted_ms, NOW, &limits);
}

static void within_bounds_nothing_moves(void **state)
{
    (void)state;
    assert_int_equal(clamp(&nothing, NOW), NOW);
    assert_int_equal(clamp(&nothing, NOW - 1000 * DAY), NOW - 1000 * DAY);
    assert_int_equal(clamp(&nothing, NOW + CLAMP_AHEAD_MS), NOW + CLAMP_AHEAD_MS);
}

static void the_future_becomes_now(void **state)
{
    (void)state;
    assert_int_equal(clamp(&nothing, NOW + CLAMP_AHEAD_MS + 1), NOW);
    assert_int_equal(clamp(&nothing, NOW + 2 * HOUR), NOW);
    assert_int_equal(clamp(&nothing, INT64_MAX), NOW);
}

static void a_narrow_after_max_narrows_the_tolerance(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.after_max_ms = 100;
    assert_int_equal(clamp(&config, NOW + 50), NOW + 50);
    assert_int_equal(clamp(&config, NOW + 51), NOW);
    config.after_max_ms = 0;
    assert_int_equal(clamp(&config, NOW + 1), NOW);
    config.after_max_ms = HOUR; /* the broker's default from 4.0 on: our own tolerance holds */
    assert_int_equal(clamp(&config, NOW + CLAMP_AHEAD_MS + 1), NOW);
}

static void retention_bounds_the_age_where_it_deletes(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.retention_ms = 7 * DAY;
    assert_int_equal(clamp(&config, NOW - 30 * DAY), NOW - 30 * DAY); /* compacted only */
    config.deletes = true;
    assert_int_equal(clamp(&config, NOW - 30 * DAY), NOW - 7 * DAY / 2);
    assert_int_equal(clamp(&config, NOW - 7 * DAY / 2), NOW - 7 * DAY / 2);
    config.retention_ms = -1; /* for ever */
    assert_int_equal(clamp(&config, NOW - 3000 * DAY), NOW - 3000 * DAY);
}

static void before_max_bounds_the_age(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.before_max_ms = DAY;
    assert_int_equal(clamp(&config, NOW - 2 * DAY), NOW - DAY + 60000);
    config.before_max_ms = 1000;
    assert_int_equal(clamp(&config, NOW - 2000), NOW - 500);
    config.before_max_ms = INT64_MAX; /* the broker's default: any */
    assert_int_equal(clamp(&config, NOW - 10000 * DAY), NOW - 10000 * DAY);
}

static void difference_max_of_older_brokers_bounds_both_sides(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.difference_max_ms = 400;
    assert_int_equal(clamp(&config, NOW - 1000), NOW - 200);
    assert_int_equal(clamp(&config, NOW + 201), NOW);
    config.difference_max_ms = INT64_MAX;
    assert_int_equal(clamp(&config, NOW + CLAMP_AHEAD_MS), NOW + CLAMP_AHEAD_MS);
}

static void the_narrowest_bound_wins(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.deletes = true;
    config.retention_ms = 2 * HOUR;
    config.before_max_ms = DAY;
    assert_int_equal(clamp(&config, NOW - 3 * DAY), NOW - HOUR);
}

static void a_broker_that_stamps_itself_takes_anything(void **state)
{
    (void)state;
    struct clamp_config config = nothing;
    config.log_append_time = true;
    config.deletes = true;
    config.retention_ms = 1000;
    config.before_max_ms = 1000;
    assert_int_equal(clamp(&config, NOW + 1000 * DAY), NOW + 1000 * DAY);
    assert_int_equal(clamp(&config, NOW - 1000 * DAY), NOW - 1000 * DAY);
}

static void before_1970_becomes_the_first_millisecond(void **state)
{
    (void)state;
    /* 0 means "now" to librdkafka and -1 "no timestamp" to Kafka. */
    assert_int_equal(clamp(&nothing, 0), 1);
    assert_int_equal(clamp(&nothing, -5 * DAY), 1);
    assert_int_equal(clamp(&nothing, INT64_MIN), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_bounds_nothing_moves),
        cmocka_unit_test(the_future_becomes_now),
        cmocka_unit_test(a_narrow_after_max_narrows_the_tolerance),
        cmocka_unit_test(retention_bounds_the_age_where_it_deletes),
        cmocka_unit_test(before_max_bounds_the_age),
        cmocka_unit_test(difference_max_of_older_brokers_bounds_both_sides),
        cmocka_unit_test(the_narrowest_bound_wins),
        cmocka_unit_test(a_broker_that_stamps_itself_takes_anything),
        cmocka_unit_test(before_1970_becomes_the_first_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
