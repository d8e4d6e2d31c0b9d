/* model/recent: rings that keep the newest, and texts that are cut between two characters. */
#include "model/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void test_texts(void **state)
{
    (void)state;
    struct recent_text text;
    recent_text_set(&text, span_null());
    assert_true(text.absent);
    recent_text_set(&text, span_of(""));
    assert_false(text.absent);
    assert_int_equal(text.len, 0);
    char long_text[200];
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text + sizeof text.bytes - 2, "\xE2\x82\xAC", 3); /* a euro sign across the end */
    recent_text_set(&text, (struct span){long_text, sizeof long_text});
    assert_int_equal(text.whole_bytes, sizeof long_text);
    assert_int_equal(text.len, sizeof text.bytes - 2);
    memset(long_text, 0x80, sizeof long_text); /* no text at all is cut anywhere */
    recent_text_set(&text, (struct span){long_text, sizeof long_text});
    assert_int_equal(text.len, sizeof text.bytes);
    memcpy(long_text + sizeof text.bytes - 3, "\xE2\x82\xAC", 3); /* one that just fits */
    recent_text_set(&text, (struct span){long_text, sizeof long_text});
    assert_int_equal(text.len, sizeof text.bytes);
}

static void test_events(void **state)
{
    (void)state;
    struct recent recent;
    recent_init(&recent);
    struct recent_event events[RECENT_EVENTS];
    memset(events, 0, sizeof events);
    for (int i = 0; i < 7; i++) {
        recent_payload_set(&events[0], span_of("secret"));
        recent_add_events(&recent, events, 5);
    }
    struct recent_lists *lists = malloc(sizeof *lists);
    recent_copy(&recent, lists);
    assert_int_equal(lists->event_count, 35);
    for (uint64_t number = 16; number <= 35; number++)
        assert_int_equal(lists->events[(number - 1) % RECENT_EVENTS].number, number);
    assert_true(lists->events[(31 - 1) % RECENT_EVENTS].has_payload);
    recent_forget_payloads(&recent);
    recent_copy(&recent, lists);
    for (int i = 0; i < RECENT_EVENTS; i++) {
        assert_false(lists->events[i].has_payload);
        assert_int_equal(lists->events[i].payload.bytes[0], 0);
    }
    free(lists);
    recent_fini(&recent);
}

static void test_samples_and_epochs(void **state)
{
    (void)state;
    struct recent recent;
    recent_init(&recent);
    assert_true(recent_wants_sample(&recent, 1000));
    recent_add_sample(&recent, &(struct recent_sample){.wall_us = 1000});
    assert_false(recent_wants_sample(&recent, 1000 + RECENT_SAMPLE_US - 1));
    assert_true(recent_wants_sample(&recent, 1000 + RECENT_SAMPLE_US));
    assert_true(recent_wants_sample(&recent, 999)); /* the clock was set back */
    for (int64_t i = 0; i < 3 * RECENT_EPOCHS; i++) {
        recent_open_epoch(&recent, (uint64_t)i + 7, 100 + i);
        if (i + 1 < 3 * RECENT_EPOCHS)
            recent_close_epoch(&recent, "broker_down", 200 + i);
    }
    struct recent_lists *lists = malloc(sizeof *lists);
    recent_copy(&recent, lists);
    const struct recent_epoch *newest = &lists->epochs[(lists->epoch_count - 1) % RECENT_EPOCHS];
    const struct recent_epoch *before = &lists->epochs[(lists->epoch_count - 2) % RECENT_EPOCHS];
    assert_int_equal(newest->closed_wall_us, 0);
    assert_int_equal(before->generation + 1, newest->generation);
    assert_string_equal(before->reason, "broker_down");
    free(lists);
    recent_fini(&recent);
}

static void test_nobody_keeps(void **state)
{
    (void)state;
    recent_add_events(NULL, NULL, 3);
    recent_forget_payloads(NULL);
    assert_false(recent_wants_sample(NULL, 1));
    recent_add_sample(NULL, NULL);
    recent_open_epoch(NULL, 1, 1);
    recent_close_epoch(NULL, "stop", 1);
    recent_set_config(NULL, span_of("x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_samples_and_epochs),
        cmocka_unit_test(test_nobody_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
