/* relay/guardian: when what the server keeps is about to be lost, and when a position stands. */
#include "relay/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND INT64_C(1000000)
#define MB (INT64_C(1) << 20)

static const struct guardian_options options = {.stands_us = 30 * SECOND, .stands_bytes = 2 * MB};

/* A look every two seconds; limit 1000 MB. */
static const struct guardian_verdict *look(struct guardian *g, int64_t second, int64_t room_mb,
                                           uint64_t position)
{
    const struct guardian_look now = {.at_us = (second + 1) * SECOND,
                                      .present = true,
                                      .room_bytes = room_mb * MB,
                                      .retained_bytes = (uint64_t)((1000 - room_mb) * MB),
                                      .current_lsn = (uint64_t)((2000 - room_mb) * MB),
                                      .committed = {.lsn = position}};
    return guardian_judge(g, &now, &options);
}

static void room_decides_where_nothing_shrinks(void **state)
{
    (void)state;
    static const struct {
        int64_t room_mb;
        enum wal_risk risk;
    } cases[] = {{1000, WAL_RISK_NONE},   {500, WAL_RISK_NONE}, {499, WAL_RISK_FILLING},
                 {143, WAL_RISK_FILLING}, {141, WAL_RISK_HIGH}, {0, WAL_RISK_HIGH}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guardian g = {.count = 0};
        assert_int_equal(look(&g, 0, cases[i].room_mb, 1)->risk, cases[i].risk);
        assert_int_equal(g.verdict.seconds_left, -1);
    }
}

/* 1 MB a second: 900 MB are 15 minutes; only half a minute of it is a pace. */
static void pace_forecasts(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    for (int64_t s = 0; s < 24; s += 2)
        assert_int_equal(look(&g, s, 900 - s, 1)->seconds_left, -1);
    for (int64_t s = 24; s <= 40; s += 2)
        (void)look(&g, s, 900 - s, 1);
    assert_in_range(g.verdict.seconds_left, 850, 870);
    assert_int_equal(g.verdict.risk, WAL_RISK_NONE); /* soon, but hardly anything is used yet */
    struct guardian f = {.count = 0};
    for (int64_t s = 0; s <= 40; s += 2)
        (void)look(&f, s, 740 - s, 1);
    assert_int_equal(f.verdict.risk, WAL_RISK_FILLING);
    struct guardian h = {.count = 0};
    for (int64_t s = 0; s <= 40; s += 2)
        (void)look(&h, s, 490 - s, 1);
    assert_int_equal(h.verdict.risk, WAL_RISK_HIGH);
    guardian_forget(&h);
    assert_int_equal(look(&h, 42, 448, 1)->seconds_left, -1);
}

/* 27 MB a second, of which the server lets go each seventeen seconds: it never comes to be lost. */
static void steps_are_no_pace(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    for (int64_t s = 0; s < 300; s += 2) {
        int64_t kept_mb = s % 17 * 27 + 27;
        const struct guardian_look now = {.at_us = (s + 1) * SECOND,
                                          .present = true,
                                          .room_bytes = (1000 - kept_mb) * MB,
                                          .retained_bytes = (uint64_t)(kept_mb * MB),
                                          .lag_bytes = (uint64_t)((s * 7 % 12) * MB),
                                          .current_lsn = (uint64_t)((1000 + s * 27) * MB),
                                          .committed = {.lsn = (uint64_t)s}};
        assert_int_equal(guardian_judge(&g, &now, &options)->seconds_left, -1);
        assert_int_equal(g.verdict.risk, WAL_RISK_NONE);
    }
}

/* The same, and the relay takes 20 of 27 MB: 7 a second are lost, however the steps fall. */
static void who_falls_behind_is_forecast(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    for (int64_t s = 0; s < 96; s += 2) {
        int64_t lag_mb = s * 7;
        int64_t kept_mb = lag_mb + s % 17;
        const struct guardian_look now = {.at_us = (s + 1) * SECOND,
                                          .present = true,
                                          .room_bytes = (1000 - kept_mb) * MB,
                                          .retained_bytes = (uint64_t)(kept_mb * MB),
                                          .lag_bytes = (uint64_t)(lag_mb * MB),
                                          .current_lsn = (uint64_t)((1000 + s * 27) * MB),
                                          .committed = {.lsn = (uint64_t)s}};
        int64_t left = guardian_judge(&g, &now, &options)->seconds_left;
        int64_t truth = (1000 - lag_mb) / 7;
        assert_true(s < 26 ? left == -1 : left >= truth - 4 && left <= truth + 1);
    }
    assert_int_equal(g.verdict.risk, WAL_RISK_HIGH);
}

static void lower_comes_late_and_higher_at_once(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    assert_int_equal(look(&g, 0, 100, 1)->risk, WAL_RISK_HIGH);
    for (int64_t s = 2; s < 12; s += 2)
        assert_int_equal(look(&g, s, 1000, 1)->risk, WAL_RISK_HIGH);
    assert_int_equal(look(&g, 12, 1000, 1)->risk, WAL_RISK_NONE);
    (void)look(&g, 14, 100, 1);
    (void)look(&g, 16, 1000, 1);
    (void)look(&g, 22, 100, 1); /* it begins again */
    assert_int_equal(look(&g, 30, 1000, 1)->risk, WAL_RISK_HIGH);
}

static void servers_own_word_stands_above_numbers(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    struct guardian_look now = {.at_us = SECOND, .present = true, .room_bytes = -1};
    assert_int_equal(guardian_judge(&g, &now, &options)->risk, WAL_RISK_NONE);
    assert_int_equal(g.verdict.seconds_left, -1);
    now.due = true;
    assert_int_equal(guardian_judge(&g, &now, &options)->risk, WAL_RISK_HIGH);
    assert_int_equal(g.verdict.seconds_left, 0);
    now.lost = true;
    assert_int_equal(guardian_judge(&g, &now, &options)->risk, WAL_RISK_LOST);
}

static void position_stands_while_the_log_moves(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    for (int64_t s = 0; s < 30; s += 2)
        assert_false(look(&g, s, 900 - s, 7)->stands);
    assert_true(look(&g, 30, 870, 7)->stands);
    assert_int_equal(g.verdict.stands_s, 30);
    assert_int_equal(g.verdict.stands_bytes, 30 * MB);
    assert_false(look(&g, 32, 868, 8)->stands);

    struct guardian idle = {.count = 0}; /* nothing was written */
    for (int64_t s = 0; s < 100; s += 2)
        assert_false(look(&idle, s, 900, 7)->stands);
    assert_false(look(&idle, 100, 899, 7)->stands); /* too little */
    assert_true(look(&idle, 102, 898, 7)->stands);
}

/* Who could not look for a moment has seen nothing move. */
static void position_stands_behind_a_look_that_failed(void **state)
{
    (void)state;
    struct guardian g = {.count = 0};
    for (int64_t s = 0; s <= 30; s += 2)
        (void)look(&g, s, 900 - s, 7);
    assert_true(g.verdict.stands);
    guardian_forget(&g);
    assert_true(look(&g, 36, 864, 7)->stands);
    assert_int_equal(g.verdict.stands_s, 36);
    guardian_forget(&g);
    assert_false(look(&g, 42, 858, 8)->stands);
    guardian_forget(&g); /* one that did not stand begins anew: the server was away itself */
    for (int64_t s = 1000; s < 1030; s += 2)
        assert_false(look(&g, s, 800, 8)->stands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_decides_where_nothing_shrinks),
        cmocka_unit_test(pace_forecasts),
        cmocka_unit_test(steps_are_no_pace),
        cmocka_unit_test(who_falls_behind_is_forecast),
        cmocka_unit_test(lower_comes_late_and_higher_at_once),
        cmocka_unit_test(servers_own_word_stands_above_numbers),
        cmocka_unit_test(position_stands_while_the_log_moves),
        cmocka_unit_test(position_stands_behind_a_look_that_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
