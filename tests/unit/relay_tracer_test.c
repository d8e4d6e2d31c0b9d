/* relay/tracer: which events give a span, and that each has one of its own. */
#include "relay/tracer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define LONG                                                                                       \
    "7000-k0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"  \
    "567890123456789"
#define WALL_US INT64_C(1700000000000000)

struct traced {
    struct trace_ring ring;
    struct tracer tracer;
    struct trace_span spans[16];
};

static int setup(void **state)
{
    static struct traced traced;
    traced = (struct traced){.tracer = {.ring = &traced.ring}};
    trace_ring_init(&traced.ring);
    trace_ring_want(&traced.ring, 1);
    *state = &traced;
    return 0;
}

static int teardown(void **state)
{
    struct traced *t = *state;
    tracer_fini(&t->tracer);
    trace_ring_fini(&t->ring);
    return 0;
}

/* An event with a header of that name; NULL: with none. */
static void note(struct traced *t, const char *name, const char *id, int64_t timestamp_ms)
{
    const struct header headers[] = {{SPAN_LITERAL("traceparent"), SPAN_LITERAL(PARENT)},
                                     {span_of(name != NULL ? name : ""), span_of(id)}};
    const struct message message = {.topic = SPAN_LITERAL("orders"),
                                    .timestamp_ms = timestamp_ms,
                                    .header_count = name != NULL ? 2 : 1,
                                    .headers = headers};
    tracer_begin(&t->tracer);
    assert_true(t->tracer.on);
    tracer_note(&t->tracer, &message);
}

static void commit(struct traced *t, int64_t wall_us, uint32_t count)
{
    uint64_t dropped;
    tracer_commit(&t->tracer, wall_us);
    assert_int_equal(trace_ring_take(&t->ring, t->spans, 16, &dropped), count);
    assert_int_equal(dropped, 0);
}

static void the_id_stands_where_the_file_says(void **state)
{
    struct traced *t = *state;
    t->tracer.id_header = SPAN_LITERAL("event-id");
    note(t, "event-id", "7-16-1", 1);
    note(t, "walferry-id", "7-16-1", 1);
    commit(t, WALL_US, 2);
    assert_string_equal(t->spans[0].id, "7-16-1");
    assert_string_equal(t->spans[1].id, "");
}

static void ids_that_are_cut_are_two(void **state)
{
    struct traced *t = *state;
    t->tracer.id_header = SPAN_LITERAL("walferry-id");
    note(t, "walferry-id", LONG "1", 1);
    note(t, "walferry-id", LONG "2", 1);
    commit(t, WALL_US, 2);
    assert_string_equal(t->spans[0].id, t->spans[1].id);
    assert_true(t->spans[0].number != t->spans[1].number);
    uint64_t number = t->spans[0].number;
    note(t, "walferry-id", LONG "1", 1); /* another time, and another place in the transaction */
    note(t, "walferry-id", LONG "1", 1);
    commit(t, WALL_US + 1, 2);
    assert_true(t->spans[0].number == number && t->spans[1].number == number);
}

static void events_without_an_id_are_two(void **state)
{
    struct traced *t = *state;
    note(t, NULL, "", 1);
    note(t, NULL, "", 1);
    commit(t, WALL_US, 2);
    assert_true(t->spans[0].number != t->spans[1].number);
    uint64_t number = t->spans[0].number;
    note(t, NULL, "", 1);
    commit(t, WALL_US + 1, 1);
    assert_true(t->spans[0].number != number);
}

static void a_time_that_is_not_known_is_that_of_the_commit(void **state)
{
    struct traced *t = *state;
    static const int64_t none[] = {0, -1, INT64_MIN, INT64_MAX, WALL_US / 1000 + 1};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        note(t, NULL, "", none[i]);
    note(t, NULL, "", WALL_US / 1000 - 5);
    commit(t, WALL_US, 6);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(t->spans[i].start_us, WALL_US);
    assert_int_equal(t->spans[5].start_us, WALL_US - 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_id_stands_where_the_file_says, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_that_are_cut_are_two, setup, teardown),
        cmocka_unit_test_setup_teardown(events_without_an_id_are_two, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_that_is_not_known_is_that_of_the_commit, setup,
                                        teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
