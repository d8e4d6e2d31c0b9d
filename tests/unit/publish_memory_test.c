/* publish/kafka_memory: what is kept from one publisher to the next, and for how long. */
#include "publish/kafka_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MINUTE_US (INT64_C(60) * 1000000)

static int setup(void **state)
{
    *state = kafka_memory_open();
    return 0;
}

static int teardown(void **state)
{
    kafka_memory_close(*state);
    return 0;
}

static void keep(struct kafka_memory *memory, const char *name, int64_t limit, int64_t now_us)
{
    struct kafka_topic_settings settings = {.known = true, .max_message_bytes = limit};
    kafka_memory_keep(memory, span_of(name), &settings, now_us);
}

static int64_t limit_of(const struct kafka_memory *memory, const char *name, int64_t now_us)
{
    const struct kafka_known_topic *known = kafka_memory_find(memory, span_of(name), now_us);
    return known != NULL ? known->settings.max_message_bytes : -1;
}

static void a_topic_is_known_for_minutes(void **state)
{
    struct kafka_memory *memory = *state;
    assert_int_equal(limit_of(memory, "orders", 0), -1);
    keep(memory, "orders", 1000, MINUTE_US);
    keep(memory, "bills", 2000, MINUTE_US);
    assert_int_equal(limit_of(memory, "orders", 5 * MINUTE_US), 1000);
    assert_int_equal(limit_of(memory, "bills", 5 * MINUTE_US), 2000);
    assert_int_equal(limit_of(memory, "orders", 6 * MINUTE_US), -1);
    keep(memory, "orders", 3000, 6 * MINUTE_US);
    assert_int_equal(limit_of(memory, "orders", 10 * MINUTE_US), 3000);
    size_t cursor = 0;
    const struct kafka_known_topic *known = kafka_memory_next(memory, &cursor, 10 * MINUTE_US);
    assert_string_equal(known->name, "orders");
    assert_null(kafka_memory_next(memory, &cursor, 10 * MINUTE_US));
}

static void a_doubted_one_is_not(void **state)
{
    struct kafka_memory *memory = *state;
    keep(memory, "orders", 1000, 0);
    kafka_memory_doubt(memory, SPAN_LITERAL("orders"));
    kafka_memory_doubt(memory, SPAN_LITERAL("nobody"));
    assert_int_equal(limit_of(memory, "orders", 0), -1);
}

static void topics_without_end_fill_no_memory(void **state)
{
    struct kafka_memory *memory = *state;
    char name[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "topic-%d", i);
        keep(memory, name, i + 1, 0);
        assert_in_range(memory->topics.count, 1, 4096);
    }
    assert_int_equal(limit_of(memory, "topic-99999", 0), 100000);
}

static void the_smallest_topic_is_forgotten_too(void **state)
{
    struct kafka_memory *memory = *state;
    assert_int_equal(kafka_memory_smallest(memory, 0), 0);
    kafka_memory_keep_smallest(memory, 2000, MINUTE_US);
    assert_int_equal(kafka_memory_smallest(memory, 5 * MINUTE_US), 2000);
    assert_int_equal(kafka_memory_smallest(memory, 6 * MINUTE_US), 0);
}

/* A broker's limit may have been lowered since a large event came through. */
static void the_largest_event_is_of_late(void **state)
{
    struct kafka_memory *memory = *state;
    kafka_memory_took(memory, 200000, MINUTE_US);
    kafka_memory_took(memory, 100000, 3 * MINUTE_US);
    assert_int_equal(kafka_memory_largest(memory, 5 * MINUTE_US), 200000);
    kafka_memory_took(memory, 200000, 5 * MINUTE_US);
    assert_int_equal(kafka_memory_largest(memory, 9 * MINUTE_US), 200000);
    assert_int_equal(kafka_memory_largest(memory, 10 * MINUTE_US), 0);
    kafka_memory_took(memory, 100000, 10 * MINUTE_US);
    assert_int_equal(kafka_memory_largest(memory, 10 * MINUTE_US), 100000);
}

static void all_can_be_forgotten(void **state)
{
    struct kafka_memory *memory = *state;
    keep(memory, "orders", 1000, 0);
    kafka_memory_keep_smallest(memory, 2000, 0);
    kafka_memory_took(memory, 100000, 0);
    kafka_memory_forget(memory);
    assert_int_equal(limit_of(memory, "orders", 0), -1);
    assert_int_equal(kafka_memory_smallest(memory, 0), 0);
    assert_int_equal(kafka_memory_largest(memory, 0), 0);
}

static void what_was_looked_into_is_plain_until_it_is_read_again(void **state)
{
    struct kafka_memory *memory = *state;
    keep(memory, "orders", 1000, 0);
    assert_false(kafka_memory_find(memory, SPAN_LITERAL("orders"), 0)->plain);
    kafka_memory_keep_plain(memory, SPAN_LITERAL("orders"));
    assert_true(kafka_memory_find(memory, SPAN_LITERAL("orders"), 0)->plain);
    keep(memory, "orders", 1000, 1);
    assert_false(kafka_memory_find(memory, SPAN_LITERAL("orders"), 1)->plain);
}

static void weak_replication_is_told_once(void **state)
{
    struct kafka_memory *memory = *state;
    assert_false(kafka_memory_warn(memory, SPAN_LITERAL("orders")));
    keep(memory, "orders", 1000, 0);
    assert_true(kafka_memory_warn(memory, SPAN_LITERAL("orders")));
    keep(memory, "orders", 2000, 10 * MINUTE_US);
    assert_false(kafka_memory_warn(memory, SPAN_LITERAL("orders")));
}

/* Each costs an epoch: the first is not forgotten while new ones come. */
static void what_is_denied_is_forgotten_a_while_after_the_newest(void **state)
{
    struct kafka_memory *memory = *state;
    int64_t second_us = MINUTE_US / 60;
    assert_true(kafka_memory_deny(memory, SPAN_LITERAL("a"), 0));
    assert_false(kafka_memory_deny(memory, SPAN_LITERAL("a"), 0)); /* no better the next time */
    assert_true(kafka_memory_deny(memory, SPAN_LITERAL("b"), 50 * second_us));
    assert_true(kafka_memory_is_denied(memory, SPAN_LITERAL("a"), 100 * second_us));
    assert_true(kafka_memory_is_denied(memory, SPAN_LITERAL("b"), 100 * second_us));
    assert_false(kafka_memory_is_denied(memory, SPAN_LITERAL("c"), 100 * second_us));
    assert_false(kafka_memory_is_denied(memory, SPAN_LITERAL("a"), 110 * second_us));
    assert_true(kafka_memory_deny(memory, SPAN_LITERAL("b"), 110 * second_us));
    assert_false(kafka_memory_is_denied(memory, SPAN_LITERAL("a"), 110 * second_us));
    kafka_memory_forget(memory);
    assert_false(kafka_memory_is_denied(memory, SPAN_LITERAL("b"), 110 * second_us));
}

static void topics_do_not_drive_out_what_is_denied(void **state)
{
    struct kafka_memory *memory = *state;
    char name[32];
    assert_true(kafka_memory_deny(memory, SPAN_LITERAL("denied"), 0));
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "topic-%d", i);
        keep(memory, name, 1000, 0);
    }
    assert_true(kafka_memory_is_denied(memory, SPAN_LITERAL("denied"), 0));
    bool room = true;
    for (int i = 0; i < 10000 && room; i++) {
        snprintf(name, sizeof name, "topic-%d", i);
        room = kafka_memory_deny(memory, span_of(name), 0);
        assert_in_range(memory->denied.count, 1, 4096);
    }
    assert_false(room);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_topic_is_known_for_minutes),
        T(a_doubted_one_is_not),
        T(topics_without_end_fill_no_memory),
        T(the_smallest_topic_is_forgotten_too),
        T(the_largest_event_is_of_late),
        T(all_can_be_forgotten),
        T(what_was_looked_into_is_plain_until_it_is_read_again),
        T(weak_replication_is_told_once),
        T(what_is_denied_is_forgotten_a_while_after_the_newest),
        T(topics_do_not_drive_out_what_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
