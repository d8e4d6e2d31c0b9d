/* relay/reader: at a guard it stops, before its transaction, until it is told to pass or to end.
 * What precedes is published, nothing behind is taken, and the server hears from it meanwhile. The
 * test plays the writer and whoever looks, in model time. */
#include "reader_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GUARD "{\"v\":1,\"guard\":\"ALTER PUBLICATION\"}"

static int setup(void **state)
{
    struct reader_bench *b = bench_open(1);
    b->options.relay = "orders";
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

/* Two rows, then a transaction with a row, a guard and a row, then another one. */
static void script_guarded(struct reader_bench *b)
{
    script_transaction(&b->source, 0x1100, 2);
    script_begin(&b->source, 0x1200);
    script_insert(&b->source, "before");
    script_message(&b->source, "walferry:orders", GUARD, true);
    script_insert(&b->source, "behind");
    script_commit(&b->source);
    script_transaction(&b->source, 0x1300, 1);
}

static void step(struct reader_bench *b)
{
    b->now_us += 1000;
    assert_int_equal(bench_step(b), 0);
}

static void nothing_behind_it_is_taken(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_guarded(b);
    step(b);
    assert_int_equal(b->reader.phase, READER_GUARDED);
    assert_int_equal(b->reader.guard.id.final_lsn, 0x1200);
    uint32_t taken = b->source.next, ticks = b->source.ticks;
    for (int i = 0; i < 20; i++)
        step(b);
    assert_int_equal(b->source.next, taken);
    assert_true(b->source.ticks >= ticks + 20);
    assert_int_equal(b->reader.phase, READER_GUARDED);
    assert_null(bench_take(b)); /* the guard's transaction has begun in the same batch */
}

static void passed_it_goes_on_as_if_nothing_had_been(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_guarded(b);
    step(b);
    reader_pass_guard(&b->reader, true);
    step(b);
    step(b);
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    assert_int_equal(batch->count, 4); /* half of a batch is sealed at a COMMIT */
    assert_int_equal(batch->end.lsn, 0x1210);
}

static void told_to_end_it_commits_what_precedes(void **state)
{
    struct reader_bench *b = *state;
    struct error changed = ERROR_INIT;
    bench_start(b);
    script_guarded(b);
    step(b);
    (void)error_retry(&changed, REASON_PUBLICATION_CHANGED, "changed");
    reader_end_with(&b->reader, &changed);
    step(b);
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->end.lsn, 0x1110);
    bench_commit(b, batch);
    channel_finish(b->circuit.empty, NULL);
    assert_int_equal(bench_step(b), -1);
    assert_int_equal(b->err.reason, REASON_PUBLICATION_CHANGED);
}

static void guards_of_one_transaction_are_one(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1200);
    for (int i = 0; i < 100; i++)
        script_message(&b->source, "walferry:orders", GUARD, true);
    script_insert(&b->source, "row");
    script_commit(&b->source);
    step(b);
    reader_pass_guard(&b->reader, true);
    step(b);
    step(b);
    assert_int_equal(b->reader.phase, READER_TAKING);
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    assert_int_equal(batch->count, 1);
}

/* The next one of its transaction is asked about, too, whatever is known of the first: a partition
 * that it names may be gone. */
static void each_of_one_transaction_may_name_another_table(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1200);
    script_message(&b->source, "walferry:orders", "{\"guard\":1,\"gone\":[\"table 5 a.b\"]}", true);
    script_message(&b->source, "walferry:orders", "{\"guard\":1,\"gone\":[\"table 6 a.c\"]}", true);
    script_insert(&b->source, "row");
    script_commit(&b->source);
    step(b);
    for (uint32_t oid = 5; oid <= 6; oid++) {
        assert_int_equal(b->reader.phase, READER_GUARDED);
        assert_int_equal(b->reader.guard.suspects.count, 1);
        assert_int_equal(b->reader.guard.suspects.oids[0], oid);
        reader_pass_guard(&b->reader, true);
        step(b);
    }
    step(b);
    assert_int_equal(b->reader.phase, READER_TAKING);
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    assert_int_equal(batch->count, 1);
}

static void what_a_person_has_decided_is_no_guard(void **state)
{
    struct reader_bench *b = *state;
    b->options.guard_lsn = 0x1200;
    bench_start(b);
    script_guarded(b);
    step(b);
    step(b);
    assert_int_equal(b->reader.phase, READER_TAKING);
    struct batch *batch = bench_take(b);
    assert_non_null(batch);
    assert_int_equal(batch->count, 4);
}

static void others_messages_stop_nobody(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1200);
    script_message(&b->source, "walferry:invoices", GUARD, true);
    script_message(&b->source, "walferry", GUARD, true);
    script_message(&b->source, "walferry:orders", GUARD, false);
    script_insert(&b->source, "row");
    script_commit(&b->source);
    step(b);
    step(b);
    assert_int_equal(b->reader.phase, READER_TAKING);
    assert_int_equal(bench_take(b)->count, 1);
}

static void unanswered_it_ends_the_epoch(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_guarded(b);
    step(b);
    b->now_us += INT64_C(29) * 1000000;
    step(b); /* longer than a stall, which it is not */
    b->now_us += INT64_C(1) * 1000000;
    assert_int_equal(bench_step(b), -1);
    assert_int_equal(b->err.reason, REASON_GUARD_UNANSWERED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_behind_it_is_taken),
        TEST(passed_it_goes_on_as_if_nothing_had_been),
        TEST(told_to_end_it_commits_what_precedes),
        TEST(guards_of_one_transaction_are_one),
        TEST(each_of_one_transaction_may_name_another_table),
        TEST(what_a_person_has_decided_is_no_guard),
        TEST(others_messages_stop_nobody),
        TEST(unanswered_it_ends_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
