/* webhook/webhook_judge: what is told, when, and that nothing is told twice. */
#include "webhook/webhook_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND INT64_C(1000000)

static const struct config_notify config = {
    .lag_limit_ms = 60000, .stuck_ms = 30000, .quiet_ms = 100000};

struct watched {
    struct webhook_judge judge;
    struct status status;
    uint64_t keys_held;
    struct webhook_news news[WEBHOOK_TOPICS];
    uint32_t count;
};

static uint32_t at(struct watched *w, int64_t second)
{
    const struct webhook_look look = {
        .now_us = (second + 1) * SECOND, .status = &w->status, .keys_held = w->keys_held};
    w->count = webhook_judge(&w->judge, &look, &config, w->news);
    return w->count;
}

/* A relay that works, and what it told at its start is past. */
static struct watched working(void)
{
    struct watched w = {.status = {.state = STATE_STREAMING,
                                   .ready = true,
                                   .source_fresh = true,
                                   .publisher_fresh = true,
                                   .origin_known = true,
                                   .origin = "walferry_orders",
                                   .room_bytes = -1,
                                   .seconds_left = -1,
                                   .current_lsn = 1000,
                                   .committed = {.lsn = 1000}}};
    assert_int_equal(at(&w, 0), 1);
    assert_int_equal(w.news[0].topic, WEBHOOK_RELAY);
    assert_int_equal(w.news[0].severity, WEBHOOK_OK);
    assert_int_equal(at(&w, 1), 0);
    return w;
}

static void expect(const struct watched *w, enum webhook_topic topic,
                   enum webhook_severity severity, const char *detail)
{
    assert_int_equal(w->count, 1);
    assert_int_equal(w->news[0].topic, topic);
    assert_int_equal(w->news[0].severity, severity);
    if (strstr(w->news[0].detail, detail) == NULL)
        fail_msg("%s", w->news[0].detail);
}

/* The server writes all the time; the relay is 10 s behind, then stops at 100, then catches up. */
static void lag_is_told_by_time(void **state)
{
    (void)state;
    struct watched w = working();
    int64_t s = 2;
    for (; s < 100; s++) {
        w.status.current_lsn = 1000 + (uint64_t)s;
        w.status.committed.lsn = 1000 + (uint64_t)(s > 10 ? s - 10 : 0);
        assert_int_equal(at(&w, s), 0);
        assert_true(webhook_lag_us(&w.judge, (s + 1) * SECOND) <= 15 * SECOND);
    }
    for (; s < 145; s++) { /* published to 1089, which was there at 89 */
        w.status.current_lsn = 1000 + (uint64_t)s;
        assert_int_equal(at(&w, s), 0);
    }
    for (; w.count == 0 && s < 160; s++) {
        w.status.current_lsn = 1000 + (uint64_t)s;
        (void)at(&w, s);
    }
    expect(&w, WEBHOOK_LAG, WEBHOOK_WARNING, "is not published yet");
    assert_in_range(s, 149, 154);
    for (; s < 2000; s++) { /* long after: told once, and still known */
        w.status.current_lsn = 1000 + (uint64_t)s;
        assert_int_equal(at(&w, s), 0);
    }
    assert_in_range(webhook_lag_us(&w.judge, 2000 * SECOND), 1900 * SECOND, 1911 * SECOND);
    w.status.committed.lsn = 1000 + 1500; /* 500 s behind */
    assert_int_equal(at(&w, s++), 0);
    assert_in_range(webhook_lag_us(&w.judge, 2000 * SECOND), 300 * SECOND, 500 * SECOND);
    w.status.committed.lsn = w.status.current_lsn;
    (void)at(&w, s);
    expect(&w, WEBHOOK_LAG, WEBHOOK_OK, "is published");
    assert_in_range(w.news[0].lasted_s, 1840, 1860);
}

static void a_log_that_is_another_is_no_lag(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.current_lsn = 2000;
    assert_int_equal(at(&w, 2), 0);
    w.status.current_lsn = w.status.committed.lsn = 500;
    for (int64_t s = 3; s < 300; s++)
        assert_int_equal(at(&w, s), 0);
}

static void the_slot_is_told_once_for_each_step(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.risk = WAL_RISK_FILLING;
    w.status.retained_bytes = 600 << 20;
    w.status.room_bytes = 400 << 20;
    w.status.seconds_left = 3600;
    (void)at(&w, 2);
    expect(&w, WEBHOOK_SLOT, WEBHOOK_WARNING,
           "slot walferry_orders keeps 600 MB of log, and is lost after 400 MB more, in 60 min");
    w.status.risk = WAL_RISK_HIGH;
    w.status.ready = false; /* by the slot alone: the relay is not stuck */
    strcpy(w.status.risky, "is lost at the next checkpoint");
    (void)at(&w, 3);
    expect(&w, WEBHOOK_SLOT, WEBHOOK_CRITICAL, "is lost at the next checkpoint");
    w.status.risk = WAL_RISK_LOST;
    assert_int_equal(at(&w, 100), 0);
    w.status.risk = WAL_RISK_FILLING;
    w.status.ready = true;
    w.status.risky[0] = '\0';
    assert_int_equal(at(&w, 101), 0);
    w.status.risk = WAL_RISK_NONE;
    (void)at(&w, 102);
    expect(&w, WEBHOOK_SLOT, WEBHOOK_OK, "slot walferry_orders");
    assert_int_equal(w.news[0].lasted_s, 100);
}

static void not_ready_is_stuck_after_a_while(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.ready = false;
    w.status.state = STATE_BACKOFF;
    strcpy(w.status.last_error, "connection refused");
    assert_int_equal(at(&w, 2), 0);
    assert_int_equal(at(&w, 30), 0);
    (void)at(&w, 31);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "backoff, not ready for 30 s: connection refused");
    w.status.state = STATE_STREAMING; /* not ready yet */
    assert_int_equal(at(&w, 40), 0);
    w.status.ready = true;
    (void)at(&w, 41);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_OK, "again");
    assert_int_equal(w.news[0].lasted_s, 10);
}

/* It has two reasons not to be ready, and the slot is the smaller one. */
static void a_slot_at_risk_does_not_hide_that_kafka_is_away(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.ready = w.status.publisher_fresh = false;
    assert_int_equal(at(&w, 2), 0);
    (void)at(&w, 31);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "not ready for 30 s");
    w.status.risk = WAL_RISK_HIGH;
    strcpy(w.status.risky, "is lost at the next checkpoint");
    (void)at(&w, 32);
    expect(&w, WEBHOOK_SLOT, WEBHOOK_CRITICAL, "is lost at the next checkpoint");
    w.status.publisher_fresh = true;
    w.status.source_fresh = false;
    assert_int_equal(at(&w, 33), 0);
    w.status.source_fresh = true;
    (void)at(&w, 34);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_OK, "again");
}

static void held_and_standing_are_stuck_at_once(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.ready = false;
    w.status.stands = true;
    strcpy(w.status.risky, "progress stands for 200 s");
    (void)at(&w, 2);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "progress stands for 200 s");
    struct watched b = working(); /* the cause, not what it leads to */
    b.status.ready = false;
    b.status.stands = true;
    b.status.state = STATE_BACKOFF;
    strcpy(b.status.risky, "progress stands for 200 s");
    strcpy(b.status.last_error, "no broker answers");
    (void)at(&b, 2);
    expect(&b, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "no broker answers");
    struct watched h = working();
    h.status.ready = false;
    h.status.state = STATE_HELD;
    (void)at(&h, 2);
    expect(&h, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "held");
    h.status.state = STATE_STOPPING; /* asked to end: no news */
    assert_int_equal(at(&h, 3), 0);
}

static void a_start_that_does_not_get_on_is_stuck(void **state)
{
    (void)state;
    struct watched w = {.status = {.state = STATE_STARTING}};
    assert_int_equal(at(&w, 0), 0);
    assert_int_equal(at(&w, 29), 0);
    (void)at(&w, 30);
    expect(&w, WEBHOOK_STUCK, WEBHOOK_CRITICAL, "starting");
}

static void dead_letters_are_over_when_it_is_quiet(void **state)
{
    (void)state;
    struct watched w = working();
    w.status.dead_letters = 2;
    (void)at(&w, 2);
    expect(&w, WEBHOOK_DEAD_LETTERS, WEBHOOK_WARNING, "2 changes");
    w.status.dead_letters = 3;
    assert_int_equal(at(&w, 50), 0);
    assert_int_equal(at(&w, 149), 0);
    w.keys_held = 1;
    assert_int_equal(at(&w, 151), 0);
    w.keys_held = 0;
    (void)at(&w, 160);
    expect(&w, WEBHOOK_DEAD_LETTERS, WEBHOOK_OK, "for 110 s; 3 had");
    w.status.dead_letters = 0; /* another file: other routes */
    assert_int_equal(at(&w, 161), 0);
    w.status.dead_letters = 1;
    (void)at(&w, 162);
    expect(&w, WEBHOOK_DEAD_LETTERS, WEBHOOK_WARNING, "1 change ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_is_told_by_time),
        cmocka_unit_test(a_log_that_is_another_is_no_lag),
        cmocka_unit_test(the_slot_is_told_once_for_each_step),
        cmocka_unit_test(not_ready_is_stuck_after_a_while),
        cmocka_unit_test(a_slot_at_risk_does_not_hide_that_kafka_is_away),
        cmocka_unit_test(held_and_standing_are_stuck_at_once),
        cmocka_unit_test(a_start_that_does_not_get_on_is_stuck),
        cmocka_unit_test(dead_letters_are_over_when_it_is_quiet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
