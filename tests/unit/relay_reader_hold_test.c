/* relay/reader: a change is held while an encoder is not ready for it. Order, completeness and an
 * end in the middle. The test plays the writer, in model time. */
#include "reader_bench.h"
#include "slow_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NOT_YET UINT32_MAX

static int setup(void **state)
{
    *state = bench_open(1);
    return 0;
}

static int setup_two_routes(void **state)
{
    *state = bench_open(3);
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static struct slow_encoder *slow_value(struct reader_bench *b, uint32_t route, uint32_t again)
{
    return slow_encoder_in(&b->encoders->of_route[route].value, again);
}

/* One step, and what was sealed by it, one batch. */
static struct batch *stepped(struct reader_bench *b)
{
    b->now_us += 1000;
    assert_int_equal(bench_step(b), 0);
    return bench_take(b);
}

static void sealed(struct reader_bench *b, const struct batch *batch, const char *shown)
{
    assert_string_equal(bench_show(b, batch), shown);
}

/* Steps until a batch comes: its payloads, or the end. */
static struct batch *awaited(struct reader_bench *b)
{
    struct batch *batch = NULL;
    for (int i = 0; i < 200 && batch == NULL; i++)
        batch = stepped(b);
    assert_non_null(batch);
    return batch;
}

static int ended(struct reader_bench *b)
{
    for (int i = 0; i < 10; i++) {
        int result = bench_step(b);
        if (result != 0)
            return result;
        if (channel_finished(b->circuit.full, NULL))
            channel_finish(b->circuit.empty, NULL);
    }
    return 0;
}

static void nothing_behind_a_held_change_is_taken(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *slow = slow_value(b, 0, NOT_YET);
    script_transaction(&b->source, 0x1100, 2);
    for (int i = 0; i < 20; i++)
        assert_null(stepped(b));
    assert_int_equal(b->source.next, 2); /* BEGIN and the first row */
    assert_int_equal(b->source.nexts, 2);
    assert_int_equal(b->source.ticks, 20); /* the connection is kept alive meanwhile */
    assert_int_equal(b->reader.phase, READER_HOLDING);
    slow->again = 0;
    sealed(b, stepped(b), "[1 2] 1110/0");
    assert_int_equal(b->reader.phase, READER_TAKING);
}

static void it_is_asked_again_soon_and_the_input_wakes_nobody(void **state)
{
    struct reader_bench *b = *state;
    b->source.fd = 77;
    bench_start(b);
    slow_value(b, 0, NOT_YET);
    script_transaction(&b->source, 0x1100, 1);
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 10000);
    for (int i = 0; i < b->wait.fd_count; i++)
        assert_int_not_equal(b->wait.fds[i], 77);
}

static void order_holds_over_many_batches(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *value = slow_value(b, 0, 3);
    struct slow_encoder *key = slow_encoder_in(&b->encoders->of_route[0].key, 2);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 3);
    script_transaction(&b->source, 0x1200, 2);
    struct batch *batch = awaited(b);
    sealed(b, batch, "[1 2 3 4 5 6 7 8] 1000/8 open 1100");
    bench_return(b, batch, BENCH_START, 0);
    batch = awaited(b);
    sealed(b, batch, "[9 10 11] 1110/0");
    bench_commit(b, batch);
    batch = awaited(b);
    sealed(b, batch, "[1 2] 1210/0");
    bench_commit(b, batch);
    assert_null(stepped(b));
    assert_int_equal(b->source.confirmed.lsn, 0x1210);
    /* Each content was made once. */
    assert_int_equal(value->made, BENCH_EVENTS + 5);
    assert_int_equal(key->made, BENCH_EVENTS + 5);
    for (uint32_t i = 0; i < batch->count; i++)
        assert_true(span_equal_text(batch->messages[i].key, "k1"));
}

/* The first of two events of the change is in the batch already. */
static void a_change_is_not_cut(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *first = slow_value(b, 0, 0);
    struct slow_encoder *second = slow_value(b, 2, 2);
    script_begin(&b->source, 0x1100);
    for (int i = 0; i < BENCH_EVENTS / 2; i++) {
        const char payload[] = {(char)('A' + i), 0};
        script_insert(&b->source, payload);
    }
    script_insert(&b->source, "last");
    script_commit(&b->source);
    struct batch *batch = awaited(b);
    sealed(b, batch, "[A A B B C C D D] 1000/4 open 1100");
    bench_return(b, batch, BENCH_START, 0);
    sealed(b, awaited(b), "[last last] 1110/0");
    assert_int_equal(first->made, BENCH_EVENTS / 2 + 1);
    assert_int_equal(second->made, BENCH_EVENTS / 2 + 1);
}

static void what_fails_in_the_end_is_passed_over_by_its_route_alone(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *slow = slow_value(b, 2, 2);
    slow->fails = true;
    script_transaction(&b->source, 0x1100, 2);
    sealed(b, awaited(b), "[1 2] 1110/0");
    assert_int_equal(bench_log_count(b, "event.skipped"), 2);
}

static void what_fails_in_the_end_ends_the_epoch_behind_what_is_whole(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *slow = slow_value(b, 0, 0);
    script_transaction(&b->source, 0x1100, 1);
    bench_commit(b, awaited(b));
    slow->again = 2;
    slow->fails = true;
    script_transaction(&b->source, 0x1200, 1);
    for (int i = 0; i < 5; i++)
        assert_null(stepped(b));
    assert_int_equal(ended(b), -1);
    assert_int_equal(b->err.kind, ERROR_DATA);
    assert_int_equal(b->source.confirmed.lsn, 0x1110);
}

static void stop_drops_a_held_change_and_commits_what_is_before_it(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *slow = slow_value(b, 0, 0);
    script_transaction(&b->source, 0x1100, 1);
    struct batch *first = stepped(b);
    sealed(b, first, "[1] 1110/0");
    script_transaction(&b->source, 0x1200, 1); /* waits for that commit */
    assert_null(stepped(b));
    slow->again = NOT_YET;
    script_transaction(&b->source, 0x1300, 2);
    assert_null(stepped(b));
    assert_int_equal(b->reader.phase, READER_HOLDING);
    reader_stop(&b->reader, READER_STOP);
    struct batch *last = stepped(b);
    sealed(b, last, "[1] 1210/0");
    bench_commit(b, first);
    bench_commit(b, last);
    assert_int_equal(ended(b), 1);
    assert_int_equal(b->source.confirmed.lsn, 0x1210);
}

static void stop_whole_waits_for_a_transaction_that_has_begun_to_go_out(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    struct slow_encoder *slow = slow_value(b, 0, 0);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 1);
    b->source.count -= 2; /* the last row and the COMMIT have not come */
    sealed(b, stepped(b), "[1 2 3 4 5 6 7 8] 1000/8 open 1100");
    slow->again = 5;
    b->source.count += 2;
    reader_stop(&b->reader, READER_STOP_WHOLE);
    assert_null(stepped(b));
    assert_int_equal(b->reader.phase, READER_HOLDING);
    assert_false(channel_finished(b->circuit.full, NULL));
    sealed(b, awaited(b), "[9] 1110/0");
    assert_int_equal(ended(b), 1);
}

/* What is held keeps a Kafka transaction open, so it may not be held for ever. */
static void an_encoder_that_is_never_ready_is_a_stall(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    slow_value(b, 0, NOT_YET);
    script_transaction(&b->source, 0x1100, 1);
    assert_null(stepped(b));
    b->now_us += BENCH_STALL_US - 1;
    assert_int_equal(bench_step(b), 0);
    b->now_us += 1;
    assert_int_equal(bench_step(b), -1);
    assert_int_equal(b->err.kind, ERROR_RETRY);
    assert_int_equal(b->err.reason, REASON_STALLED);
    assert_string_equal(b->err.text, "no encoder was ready for a change for 15000 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_behind_a_held_change_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_asked_again_soon_and_the_input_wakes_nobody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(order_holds_over_many_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_not_cut, setup_two_routes, teardown),
        cmocka_unit_test_setup_teardown(what_fails_in_the_end_is_passed_over_by_its_route_alone,
                                        setup_two_routes, teardown),
        cmocka_unit_test_setup_teardown(what_fails_in_the_end_ends_the_epoch_behind_what_is_whole,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(stop_drops_a_held_change_and_commits_what_is_before_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(stop_whole_waits_for_a_transaction_that_has_begun_to_go_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_encoder_that_is_never_ready_is_a_stall, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
