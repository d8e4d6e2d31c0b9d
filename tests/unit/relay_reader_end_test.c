/* relay/reader: how a run ends (asked to stop, a data error, the writer's or the source's error),
 * and which changes are passed over on the way. The test plays the writer, in model time. */
#include "reader_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

static int setup(void **state)
{
    *state = bench_open(1);
    return 0;
}

static int setup_three_routes(void **state)
{
    *state = bench_open(3);
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static void sealed(struct reader_bench *b, const struct batch *batch, const char *shown)
{
    assert_string_equal(bench_show(b, batch), shown);
}

/* The writer has seen the end, done what it could, and says so. */
static int ended(struct reader_bench *b)
{
    assert_true(channel_finished(b->circuit.full, NULL));
    assert_int_equal(bench_step(b), 0);
    channel_finish(b->circuit.empty, NULL);
    return bench_step(b);
}

/* ---- The server cannot read on ---- */

/* It never can, so what came before must not be dropped: it would be in each epoch. */
static void what_precedes_a_missing_publication_is_committed(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    script_begin(&b->source, 0x1200);
    script_insert(&b->source, "dropped");
    (void)error_stop(&b->source.failure, REASON_PUBLICATION_MISSING, "no publication");
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[1] 1110/0");
    (void)error_retry(&b->source.tick_failure, REASON_CONNECTION_LOST, "gone");
    bench_commit(b, batch);
    assert_int_equal(ended(b), -1);
    assert_int_equal(b->err.reason, REASON_PUBLICATION_MISSING);
    assert_int_equal(b->err.kind, ERROR_STOP);
    assert_int_equal(reader_committed(&b->reader).lsn, 0x1110);
}

/* ---- Asked to stop ---- */

static void stop_with_nothing_at_hand_ends(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    assert_int_equal(bench_step(b), 0);
    reader_stop(&b->reader, READER_STOP);
    script_transaction(&b->source, 0x1100, 1);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->source.next, 0); /* nothing more is taken */
    assert_int_equal(ended(b), 1);
}

static void stop_commits_what_ends_on_a_commit_and_drops_the_rest(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_int_equal(bench_step(b), 0);
    struct batch *first = bench_take(b);
    script_transaction(&b->source, 0x1200, 1);
    script_begin(&b->source, 0x1300);
    script_insert(&b->source, "dropped");
    assert_int_equal(bench_step(b), 0);
    assert_null(bench_take(b));
    reader_stop(&b->reader, READER_STOP);
    assert_int_equal(bench_step(b), 0);
    struct batch *last = bench_take(b);
    sealed(b, last, "[1] 1210/0");
    assert_int_equal(last->xid, 702);
    assert_int_equal(last->transactions, 1);
    bench_commit(b, first);
    bench_commit(b, last);
    uint32_t ticks = b->source.ticks;
    assert_int_equal(ended(b), 1);
    assert_true(b->source.ticks > ticks); /* the connection lives as long as the drain takes */
    assert_int_equal(b->source.confirmed.lsn, 0x1210);
}

static void stop_leaves_a_transaction_that_has_begun_to_go_out(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 2);
    b->source.count -= 1;
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 2 3 4 5 6 7 8] 1000/8 open 1100");
    reader_stop(&b->reader, READER_STOP);
    assert_int_equal(bench_step(b), 0);
    assert_null(bench_take(b));
    assert_int_equal(ended(b), 1);
}

static void stop_whole_ends_the_transaction_first(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 2);
    script_transaction(&b->source, 0x1200, 1);
    uint32_t all = b->source.count;
    b->source.count = BENCH_EVENTS + 2; /* the last row and the COMMIT have not come */
    assert_int_equal(bench_step(b), 0);
    struct batch *part = bench_take(b);
    assert_false(part->ends_txn);
    reader_stop(&b->reader, READER_STOP_WHOLE);
    assert_int_equal(bench_step(b), 0);
    assert_false(channel_finished(b->circuit.full, NULL));
    b->source.count = BENCH_EVENTS + 4;
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[9 10] 1110/0");
    b->source.count = all;
    assert_int_equal(ended(b), 1);
}

static void stop_whole_waits_for_nothing_that_has_not_gone_out(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "dropped");
    assert_int_equal(bench_step(b), 0);
    reader_stop(&b->reader, READER_STOP_WHOLE);
    assert_int_equal(bench_step(b), 0);
    assert_null(bench_take(b));
    assert_int_equal(ended(b), 1);
}

/* Parts of it were committed before the start: another configuration must not meet the rest. */
static void stop_whole_ends_a_transaction_that_was_split_before_the_start(void **state)
{
    struct reader_bench *b = *state;
    b->options.start.seq = 2;
    bench_start(b);
    reader_stop(&b->reader, READER_STOP_WHOLE);
    assert_int_equal(bench_step(b), 0);
    assert_false(channel_finished(b->circuit.full, NULL));
    script_begin(&b->source, 0x1100);
    b->source.ordinal = 2; /* the source passes over what is done */
    script_insert(&b->source, "3");
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    struct batch *rest = bench_take(b);
    sealed(b, rest, "[3] 1110/0");
    bench_commit(b, rest);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(ended(b), 1);
}

static void the_end_of_a_split_transaction_is_recorded_at_once(void **state)
{
    struct reader_bench *b = *state;
    b->options.start.seq = 2;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[] 1110/0");
}

static void a_stronger_wish_wins(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 2);
    b->source.count -= 1;
    assert_int_equal(bench_step(b), 0);
    reader_stop(&b->reader, READER_STOP);
    reader_stop(&b->reader, READER_STOP_WHOLE);
    assert_int_equal(bench_step(b), 0);
    assert_false(bench_take(b)->ends_txn);
    assert_int_equal(ended(b), 1);
}

/* ---- The other ends ---- */

static void the_writers_error_arrives_here(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_int_equal(bench_step(b), 0);
    struct error fenced = ERROR_INIT;
    error_retry(&fenced, REASON_FENCED, "fenced by another instance");
    channel_finish(b->circuit.empty, &fenced);
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "fenced");
    assert_int_equal(b->source.confirms, 0);
}

static void the_writers_error_arrives_in_the_drain_too(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    reader_stop(&b->reader, READER_STOP);
    assert_int_equal(bench_step(b), 0);
    struct error lost = ERROR_INIT;
    error_retry(&lost, REASON_COMMIT_OUTCOME_UNKNOWN, "the outcome is not known");
    channel_finish(b->circuit.empty, &lost);
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "commit_outcome_unknown");
}

static void what_returned_before_an_error_is_confirmed(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_int_equal(bench_step(b), 0);
    bench_commit(b, bench_take(b));
    error_retry(&b->source.failure, REASON_CONNECTION_LOST, "server closed the connection");
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "connection_lost");
    assert_int_equal(b->source.confirmed.lsn, 0x1110);
}

static void a_silent_server_ends_it_under_back_pressure(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, CIRCUIT_BATCHES * BENCH_EVENTS + 3);
    assert_int_equal(bench_step(b), 0);
    error_retry(&b->source.tick_failure, REASON_SERVER_SILENT, "nothing came");
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "server_silent");
}

/* ---- Data errors ---- */

static void on_error_stop_publishes_what_precedes(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 2);
    script_begin(&b->source, 0x1200);
    script_insert(&b->source, "good");
    script_row(&b->source, CHANGE_INSERT, "no topic!", "bad");
    script_insert(&b->source, "never");
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->err.kind, ERROR_NONE);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[1 2] 1110/0");
    assert_null(bench_take(b));
    bench_commit(b, batch);
    assert_int_equal(ended(b), -1);
    assert_int_equal(b->source.confirmed.lsn, 0x1110);
    assert_int_equal(b->err.kind, ERROR_DATA);
    assert_int_equal(b->err.exit_code, EXIT_DATA);
    assert_string_equal(reason_slug(b->err.reason), "illegal_topic");
    assert_non_null(strstr(b->err.text, "route outbox, change 7000-0000000000001200-2: "));
    assert_advice(b->err,
                  "mend route outbox in the file, or what its rows hold, and start again; only "
                  "to lose this change for good: walferry skip 7000-0000000000001200-2");
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 0), 0);
}

static void on_error_skip_leaves_out_one(void **state)
{
    struct reader_bench *b = *state;
    b->items[0].on_error = ON_ERROR_SKIP;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "a");
    script_row(&b->source, CHANGE_INSERT, NULL, "bad");
    script_insert(&b->source, "c");
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->err.kind, ERROR_NONE); /* what was mended is not handed up */
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[a c] 1110/0");
    assert_int_equal(batch->messages[1].id.ordinal, 3);
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 0), 1);
    assert_int_equal(bench_log_count(b, "event.skipped"), 1);
    assert_true(bench_logged(b, "id=7000-0000000000001100-2"));
    assert_true(bench_logged(b, "route=outbox"));
}

/* The first route's event of the failing change fills the batch: it must not go out as a part that
 * says this change is done. */
static void a_failing_change_is_never_done(void **state)
{
    struct reader_bench *b = *state;
    b->items[0].on_error = ON_ERROR_SKIP;
    b->items[2].on_error = ON_ERROR_STOP;
    b->items[2].topic = script_text("again.{type}");
    bench_start(b);
    script_begin(&b->source, 0x1100);
    for (int i = 0; i < 3; i++)
        script_insert(&b->source, "x");
    script_insert(&b->source, "y");
    script_commit(&b->source);
    b->reader.o.seal.events_max = 7;
    b->source.items[4].cells[3] = (struct cell){CELL_NULL, span_null()}; /* no type, no topic */
    assert_int_equal(bench_step(b), 0);
    assert_null(bench_take(b));
    assert_int_equal(ended(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "null_in_template");
}

static void a_condemned_change_is_a_data_error(void **state)
{
    struct reader_bench *b = *state;
    bench_refuse(b, change_id_wal(0x1100, 9), 0);
    bench_refuse(b, change_id_wal(0x1100, 2), 0);
    b->items[0].on_error = ON_ERROR_SKIP;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    script_transaction(&b->source, 0x1200, 1);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 3 1] 1210/0");
    assert_true(bench_logged(b, "record_refused"));
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 0), 1);
}

static void a_condemned_change_stops_where_the_route_says_so(void **state)
{
    struct reader_bench *b = *state;
    bench_refuse(b, change_id_wal(0x1100, 2), 0);
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    assert_int_equal(bench_step(b), 0);
    assert_null(bench_take(b));
    assert_int_equal(ended(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "record_refused");
    assert_string_equal(b->err.text, "route outbox, change 7000-0000000000001100-2: the broker "
                                     "refuses this record by itself");
}

static void what_a_person_skipped_is_passed_over(void **state)
{
    struct reader_bench *b = *state;
    const struct skip skips[] = {{change_id_wal(0x1100, 2), ""}, {change_id_wal(0x1200, 7), ""}};
    b->verdicts.skips = skips;
    b->verdicts.skip_count = 2;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "a");
    script_row(&b->source, CHANGE_INSERT, "no topic!", "bad");
    script_insert(&b->source, "c");
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[a c] 1110/0");
    assert_int_equal(batch->messages[1].id.ordinal, 3); /* it still counts */
    assert_int_equal(bench_log_count(b, "change.passed_over"), 1);
    assert_true(bench_logged(b, "id=7000-0000000000001100-2"));
}

/* Two routes take the change; what the broker or a person decided about one of them is not the
 * other's. */
static void a_refusal_is_of_one_route_alone(void **state)
{
    struct reader_bench *b = *state;
    bench_refuse(b, change_id_wal(0x1100, 2), 2);
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[1 1 2 3 3] 1110/0");
    assert_int_equal(batch->messages[2].route, 0);
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 0), 0);
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 2), 1);
    assert_true(bench_logged(b, "route=again id=7000-0000000000001100-2"));
}

static void a_refusal_that_ends_names_its_route(void **state)
{
    struct reader_bench *b = *state;
    bench_refuse(b, change_id_wal(0x1100, 2), 2);
    b->items[2].on_error = ON_ERROR_STOP;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(ended(b), -1);
    assert_string_equal(b->err.text, "route again, change 7000-0000000000001100-2: the broker "
                                     "refuses this record by itself");
    assert_advice(b->err,
                  "mend route again in the file, or what its rows hold, and start again; only to "
                  "lose this change for good: walferry skip 7000-0000000000001100-2 --route again");
}

static void a_skip_may_be_of_one_route_alone(void **state)
{
    struct reader_bench *b = *state;
    const struct skip skips[] = {{change_id_wal(0x1100, 2), "again"},
                                 {change_id_wal(0x1100, 1), "outbox"},
                                 {change_id_wal(0x1100, 3), "gone"}};
    b->verdicts.skips = skips;
    b->verdicts.skip_count = 3;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[1 2 3 3] 1110/0");
    assert_int_equal(batch->messages[0].route, 2);
    assert_int_equal(batch->messages[1].route, 0);
    assert_int_equal(bench_log_count(b, "change.passed_over"), 2);
    assert_true(bench_logged(b, "route=again id=7000-0000000000001100-2"));
    assert_true(bench_logged(b, "route=outbox id=7000-0000000000001100-1"));
}

static void a_skip_without_a_route_is_of_all(void **state)
{
    struct reader_bench *b = *state;
    const struct skip skips[] = {{change_id_wal(0x1100, 2), ""}};
    b->verdicts.skips = skips;
    b->verdicts.skip_count = 1;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 1 3 3] 1110/0");
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 0), 1);
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 2), 1);
}

/* A route that fails does not take the other's event with it. */
static void a_failing_route_is_left_out_alone(void **state)
{
    struct reader_bench *b = *state;
    b->items[0].on_error = ON_ERROR_SKIP;
    b->items[2].topic = script_text("again.{type}");
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "x");
    script_insert(&b->source, "y");
    script_commit(&b->source);
    b->source.items[2].cells[3] = (struct cell){CELL_NULL, span_null()}; /* no type, no topic */
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[x x y] 1110/0");
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 2), 1);
}

/* ---- Messages ---- */

static void messages_outside_transactions_are_warned_of_once(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_message(&b->source, "outbox", "{}", false);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "a");
    script_message(&b->source, "outbox", "{}", false);
    script_insert(&b->source, "b");
    script_commit(&b->source);
    script_message(&b->source, "outbox", "{}", false);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[a b] 1110/0");
    assert_int_equal(batch->messages[1].id.ordinal, 2); /* they count for nothing */
    assert_int_equal(metrics_get(b->metrics, METRIC_IGNORED_MESSAGE), 3);
    assert_int_equal(bench_log_count(b, "message.non_transactional"), 1);
    assert_true(bench_logged(b, "prefix=outbox"));
}

static void messages_inside_transactions_are_events(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_message(&b->source, "outbox",
                   "{\"id\":\"5\",\"aggregatetype\":\"cart\",\"aggregateid\":\"k\",\"payload\":{}}",
                   true);
    script_message(&b->source, "else", "{}", true);
    script_message(&b->source, "outbox", "no json", true);
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    sealed(b, batch, "[{}] 1110/0");
    assert_true(span_equal_text(batch->messages[0].topic, "outbox.event.cart"));
    assert_int_equal(metrics_get_route(b->metrics, METRIC_SKIPPED, 1), 1);
    assert_int_equal(metrics_get(b->metrics, METRIC_IGNORED_UNROUTED), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_ROUTES(name) cmocka_unit_test_setup_teardown(name, setup_three_routes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_precedes_a_missing_publication_is_committed),
        TEST(stop_with_nothing_at_hand_ends),
        TEST(stop_commits_what_ends_on_a_commit_and_drops_the_rest),
        TEST(stop_leaves_a_transaction_that_has_begun_to_go_out),
        TEST(stop_whole_ends_the_transaction_first),
        TEST(stop_whole_waits_for_nothing_that_has_not_gone_out),
        TEST(stop_whole_ends_a_transaction_that_was_split_before_the_start),
        TEST(the_end_of_a_split_transaction_is_recorded_at_once),
        TEST(a_stronger_wish_wins),
        TEST(the_writers_error_arrives_here),
        TEST(the_writers_error_arrives_in_the_drain_too),
        TEST(what_returned_before_an_error_is_confirmed),
        TEST(a_silent_server_ends_it_under_back_pressure),
        TEST(on_error_stop_publishes_what_precedes),
        TEST(on_error_skip_leaves_out_one),
        TEST_ROUTES(a_failing_change_is_never_done),
        TEST(a_condemned_change_is_a_data_error),
        TEST(a_condemned_change_stops_where_the_route_says_so),
        TEST(what_a_person_skipped_is_passed_over),
        TEST_ROUTES(a_refusal_is_of_one_route_alone),
        TEST_ROUTES(a_refusal_that_ends_names_its_route),
        TEST_ROUTES(a_skip_may_be_of_one_route_alone),
        TEST_ROUTES(a_skip_without_a_route_is_of_all),
        TEST_ROUTES(a_failing_route_is_left_out_alone),
        TEST(messages_outside_transactions_are_warned_of_once),
        TEST_ROUTES(messages_inside_transactions_are_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
