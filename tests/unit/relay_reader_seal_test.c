/* relay/reader: when a batch is sealed: at a COMMIT with the input empty, past the soft limits,
 * when it is full; and when a position alone is. The test plays the writer, in model time. */
#include "reader_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* One step, and what was sealed by it, one batch. */
static struct batch *stepped(struct reader_bench *b)
{
    assert_int_equal(bench_step(b), 0);
    return bench_take(b);
}

static void sealed(struct reader_bench *b, const struct batch *batch, const char *shown)
{
    assert_string_equal(bench_show(b, batch), shown);
}

/* ---- Sealing ---- */

static void empty_input_is_committed_at_once(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 2);
    script_transaction(&b->source, 0x1200, 1);
    struct batch *batch = stepped(b);
    sealed(b, batch, "[1 2 1] 1210/0");
    assert_int_equal(batch->transactions, 2);
    assert_int_equal(batch->xid, 702);
    assert_int_equal(batch->ended.xid, 702);
    assert_int_equal(batch->ended.final_lsn, 0x1200);
    assert_int_equal(batch->ended.commit_at_us, INT64_C(1700000000000000));
    assert_int_equal(batch->commit_time_us, INT64_C(1700000000000000));
    assert_int_equal(batch->opened_us, b->now_us);
    assert_null(bench_take(b));
    assert_int_equal(b->source.confirms, 0);
    bench_commit(b, batch);
    assert_null(stepped(b));
    assert_int_equal(b->source.confirmed.lsn, 0x1210);
    assert_int_equal(b->source.confirms, 1);
}

/* More of a transaction is refused than is remembered: what is known goes out by itself, also where
 * nothing of it is an event. */
static void a_part_ends_behind_what_is_known_to_be_refused(void **state)
{
    struct reader_bench *b = *state;
    b->items[0].on_error = ON_ERROR_SKIP;
    bench_refuse(b, change_id_wal(0x1100, 1), 0);
    bench_refuse(b, change_id_wal(0x1100, 2), 0);
    b->options.cut_behind = change_id_wal(0x1100, 2);
    bench_start(b);
    script_transaction(&b->source, 0x1100, 4);
    struct batch *part = stepped(b);
    sealed(b, part, "[] 1000/2 open 1100");
    assert_true(part->cut);
    struct batch *rest = bench_take(b);
    sealed(b, rest, "[3 4] 1110/0");
    assert_false(rest->cut);
    bench_return(b, part, 0x1000, 2);
    bench_commit(b, rest);
    script_transaction(&b->source, 0x1200, 2);
    sealed(b, stepped(b), "[1 2] 1210/0");
    assert_null(bench_take(b));
}

/* Only to be dropped it would be sent once more at the next open. */
static void a_large_transaction_is_not_asked_for_again(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    for (int i = 0; i < 1000; i++)
        script_other(&b->source);
    script_insert(&b->source, "x");
    script_commit(&b->source);
    struct batch *batch = stepped(b);
    assert_int_equal(batch->ended.xid, 701);
    assert_int_equal(batch->ended.final_lsn, 0);
    bench_commit(b, batch);
    script_begin(&b->source, 0x1200);
    for (int i = 0; i < 990; i++)
        script_insert(&b->source, "x");
    script_commit(&b->source);
    for (batch = NULL; batch == NULL || !batch->ends_txn; batch = bench_take(b)) {
        if (batch != NULL)
            bench_return(b, batch, 0x1110, 0);
        assert_int_equal(bench_step(b), 0);
    }
    assert_int_equal(batch->ended.xid, 702);
    assert_int_equal(batch->ended.final_lsn, 0);
}

static void the_source_is_told_its_own_part_of_the_record(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    struct batch *batch = stepped(b);
    batch->committed_resume = arena_copy(&batch->arena, span_of("{\"last\":7}"));
    bench_commit(b, batch);
    assert_null(stepped(b));
    assert_int_equal(b->source.confirmed.lsn, 0x1110);
    assert_string_equal(b->source.resume, "{\"last\":7}");
}

static void messages_carry_what_the_writer_needs(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_other(&b->source);
    script_insert(&b->source, "x");
    script_commit(&b->source);
    struct batch *batch = stepped(b);
    const struct message *m = &batch->messages[0];
    assert_true(span_equal_text(m->topic, "outbox.event.shop"));
    assert_true(span_equal_text(m->key, "k1"));
    assert_int_equal(m->id.final_lsn, 0x1100);
    assert_int_equal(m->id.ordinal, 2);
    assert_int_equal(batch->xid, 701);
    assert_int_equal(batch->commit_time_us, INT64_C(1700000000000000));
    assert_int_equal(batch->end.lsn, 0x1110);
    assert_int_equal(batch->end.seq, 0);
    const struct header *id = &m->headers[m->header_count - 1];
    assert_true(span_equal_text(id->name, "walferry-id"));
    assert_true(span_equal_text(id->value, "7000-0000000000001100-2"));
    assert_int_equal(metrics_get(b->metrics, METRIC_IGNORED_UNROUTED), 1);
}

static void a_commit_in_flight_holds_the_next_back(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    struct batch *first = stepped(b);
    assert_non_null(first);
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + BENCH_INTERVAL_US);
    script_transaction(&b->source, 0x1300, 1);
    b->now_us += BENCH_INTERVAL_US - 1;
    assert_null(stepped(b));
    bench_commit(b, first);
    sealed(b, stepped(b), "[1 1] 1310/0");
}

static void the_interval_ends_the_wait(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_non_null(stepped(b));
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    b->now_us += BENCH_INTERVAL_US;
    sealed(b, stepped(b), "[1] 1210/0");
    /* With two on their way a third waits for half a batch. */
    script_transaction(&b->source, 0x1300, 1);
    b->now_us += 10 * BENCH_INTERVAL_US;
    assert_null(stepped(b));
    assert_true(b->wait.deadline_us > b->now_us);
    b->now_us += BENCH_INTERVAL_US;
    assert_null(stepped(b));
    script_transaction(&b->source, 0x1400, BENCH_EVENTS / 2);
    sealed(b, stepped(b), "[1 1 2 3 4] 1410/0");
}

static void half_a_batch_is_sealed_under_backlog(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    for (uint64_t lsn = 0x1100; lsn <= 0x1500; lsn += 0x100)
        script_transaction(&b->source, lsn, 1);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 1 1 1] 1410/0");
    assert_null(bench_take(b)); /* the fifth waits for the commit of the others */
}

static void half_the_memory_is_sealed_under_backlog(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->reader.o.seal.bytes_max = 1000; /* one small message counts above 500 */
    script_transaction(&b->source, 0x1100, 1);
    script_transaction(&b->source, 0x1200, 1);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1] 1110/0");
    sealed(b, bench_take(b), "[1] 1210/0");
}

static void a_full_batch_is_sealed_in_mid_transaction(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    script_transaction(&b->source, 0x1200, 10);
    assert_int_equal(bench_step(b), 0);
    struct batch *part = bench_take(b);
    sealed(b, part, "[1 1 2 3 4 5 6 7] 1110/7 open 1200");
    assert_int_equal(part->partial.done, 7);
    assert_int_equal(part->transactions, 1);
    /* The first COMMIT behind it ends the Kafka transaction, whatever is in flight. */
    struct batch *rest = bench_take(b);
    sealed(b, rest, "[8 9 10] 1210/0");
    assert_int_equal(rest->partial.final_lsn, 0);
}

static void a_commit_right_behind_a_full_batch_has_a_batch_of_its_own(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 2 3 4 5 6 7 8] 1000/8 open 1100");
    sealed(b, bench_take(b), "[] 1110/0");
}

static void what_gives_no_event_counts_for_the_position(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    for (int i = 0; i < BENCH_EVENTS; i++) {
        script_row(&b->source, CHANGE_DELETE, "shop", "gone");
        script_insert(&b->source, "x");
    }
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    struct batch *part = bench_take(b);
    assert_int_equal(part->count, BENCH_EVENTS);
    assert_int_equal(part->end.seq, 2 * BENCH_EVENTS);
    assert_int_equal(part->messages[0].id.ordinal, 2);
    assert_int_equal(metrics_get(b->metrics, METRIC_IGNORED_UPDATE), BENCH_EVENTS);
}

static void the_events_of_a_change_stay_together(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_row(&b->source, CHANGE_INSERT, "shop", "0");
    for (int i = 1; i <= BENCH_EVENTS; i++)
        script_insert(&b->source, i % 2 ? "odd" : "even");
    script_message(&b->source, "outbox",
                   "{\"id\":\"1\",\"aggregatetype\":\"shop\",\"payload\":\"m\"}", true);
    script_commit(&b->source);
    assert_int_equal(bench_step(b), 0);
    struct batch *part = bench_take(b);
    sealed(b, part, "[0 0 odd odd even even odd odd] 1000/4 open 1100");
    assert_true(span_equal_text(part->messages[1].headers[1].value, "7000-0000000000001100-1.2"));
}

/* The interval counts from the first message of the batch and not from a row without event. */
static void a_row_without_event_starts_no_interval(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_other(&b->source);
    script_commit(&b->source);
    assert_null(stepped(b));
    b->now_us += 10 * BENCH_INTERVAL_US;
    script_transaction(&b->source, 0x1200, 1);
    script_transaction(&b->source, 0x1300, 1);
    struct batch *batch = stepped(b);
    sealed(b, batch, "[1 1] 1310/0");
    assert_int_equal(batch->opened_us, b->now_us);
}

/* ---- A backlog ---- */

/* What the server sends long after its commit waits for nobody: fewer and larger transactions. */
static void a_backlog_makes_larger_batches(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.sent_time_us = b->source.commit_time_us + 1000001;
    for (uint64_t lsn = 0x1100; lsn <= 0x1800; lsn += 0x100)
        script_transaction(&b->source, lsn, 1);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 1 1 1 1 1 1] 1710/0"); /* seven eighths */
    assert_null(bench_take(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 20 * BENCH_INTERVAL_US);
    b->now_us += 20 * BENCH_INTERVAL_US - 1;
    assert_null(stepped(b));
    b->now_us += 1;
    sealed(b, stepped(b), "[1] 1810/0");
}

static void a_second_behind_is_no_backlog(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.sent_time_us = b->source.commit_time_us + 1000000;
    for (uint64_t lsn = 0x1100; lsn <= 0x1500; lsn += 0x100)
        script_transaction(&b->source, lsn, 1);
    assert_int_equal(bench_step(b), 0);
    sealed(b, bench_take(b), "[1 1 1 1] 1410/0");
}

/* The times come from the wire: any difference of them is taken. */
static void mad_clocks_do_no_harm(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.sent_time_us = INT64_MAX;
    b->source.commit_time_us = INT64_MIN;
    script_transaction(&b->source, 0x1100, 1);
    b->source.sent_time_us = INT64_MIN;
    b->source.commit_time_us = INT64_MAX;
    script_transaction(&b->source, 0x1200, 1);
    sealed(b, stepped(b), "[1 1] 1210/0");
}

/* A paced source gives nothing for a moment although there is more: under a backlog that ends no
 * batch. */
static void a_nap_is_no_empty_input_behind(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.commit_time_us = 1;
    b->source.sent_time_us = 2000000;
    script_transaction(&b->source, 0x1100, 1);
    b->source.deadline_us = b->now_us + 400;
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 400);
    b->now_us += 400;
    b->source.deadline_us = b->now_us + 1000000;
    sealed(b, stepped(b), "[1] 1110/0");
}

/* Who keeps up waits for no more, where no commit is on its way. */
static void a_nap_is_an_empty_input_for_who_keeps_up(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.commit_time_us = 1;
    b->source.sent_time_us = 900000;
    b->source.deadline_us = b->now_us + 400;
    script_transaction(&b->source, 0x1100, 1);
    sealed(b, stepped(b), "[1] 1110/0");
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 400);
}

/* What cannot be sealed before a commit has returned is not worth a wake-up for each transaction.
 */
static void while_a_commit_is_in_flight_the_database_is_listened_to_now_and_then(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.fd = 99;
    script_transaction(&b->source, 0x1100, 1);
    struct batch *first = stepped(b);
    assert_null(stepped(b));
    assert_int_equal(b->wait.fd_count, 2); /* the batch at hand is empty */
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    assert_int_equal(b->wait.fd_count, 1);
    assert_int_equal(b->wait.fds[0], channel_fd(b->circuit.empty));
    assert_int_equal(b->wait.deadline_us, b->now_us + 1000);
    bench_commit(b, first);
    sealed(b, stepped(b), "[1] 1210/0");
    assert_int_equal(b->wait.fd_count, 2);
}

/* Where it hangs, a nap after the other would be a thousand wake-ups a second for nothing. */
static void while_a_commit_hangs_there_are_no_naps(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->reader.o.seal.commit_interval_us = INT64_C(10) * 1000000;
    b->source.fd = 99;
    script_transaction(&b->source, 0x1100, 1);
    assert_non_null(stepped(b));
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    b->now_us += 199999;
    b->source.deadline_us = b->now_us + 1000000;
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 1000);
    b->now_us += 1;
    assert_null(stepped(b));
    assert_int_equal(b->wait.fd_count, 2);
    assert_true(b->wait.deadline_us > b->now_us + 900000);
}

/* The rest of a transaction that is cut is not kept waiting. */
static void in_a_split_transaction_the_database_is_listened_to_all_the_time(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.fd = 99;
    script_transaction(&b->source, 0x1100, 1);
    assert_non_null(stepped(b));
    script_begin(&b->source, 0x1200);
    for (int i = 0; i <= BENCH_EVENTS; i++)
        script_insert(&b->source, "x");
    assert_non_null(stepped(b));
    assert_int_equal(b->reader.batch->count, 1);
    assert_int_equal(b->wait.fd_count, 2);
}

/* ---- Back-pressure ---- */

static void without_a_batch_nothing_is_taken_but_the_source_lives(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    b->source.fd = 99;
    script_transaction(&b->source, 0x1100, CIRCUIT_BATCHES * BENCH_EVENTS + 3);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(channel_count(b->circuit.full), CIRCUIT_BATCHES);
    assert_int_equal(b->source.next, 1 + CIRCUIT_BATCHES * BENCH_EVENTS);
    uint32_t ticks = b->source.ticks;
    uint32_t nexts = b->source.nexts;
    b->source.deadline_us = b->now_us + 300;
    b->now_us += 10 * INT64_C(1000000);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->source.ticks, ticks + 1);
    assert_int_equal(b->source.nexts, nexts);
    /* Only the writer, or the source's own deadline, wakes it. */
    assert_int_equal(b->wait.fd_count, 1);
    assert_int_equal(b->wait.fds[0], channel_fd(b->circuit.empty));
    assert_int_equal(b->wait.deadline_us, b->source.deadline_us);
    bench_return(b, bench_take(b), BENCH_START, 0);
    assert_int_equal(bench_step(b), 0);
    assert_true(b->source.nexts > nexts);
    assert_int_equal(metrics_get(b->metrics, METRIC_BATCHES_IN_FLIGHT), 3);
}

static int64_t each_change_takes_us, time_us;

static int64_t slow_clock(void)
{
    return time_us += each_change_takes_us;
}

/* Between two of them it answers the server, however many there are and however long one takes. */
static void a_step_has_an_end_where_changes_take_long(void **state)
{
    struct reader_bench *b = *state;
    b->options.clock_us = slow_clock;
    bench_start(b);
    time_us = b->now_us;
    each_change_takes_us = 70000;
    script_transaction(&b->source, 0x1100, 5);
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->source.next, 3);
    b->now_us = time_us;
    uint32_t ticks = b->source.ticks;
    assert_null(bench_take(b));
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(b->source.ticks, ticks + 1);
    assert_int_equal(b->source.next, 6);
    sealed(b, stepped(b), "[1 2 3 4 5] 1110/0");
}

/* One change that outlasts what may be silent, and nothing behind it yet: nobody has stalled. */
static void a_slow_change_is_no_stall(void **state)
{
    struct reader_bench *b = *state;
    b->options.clock_us = slow_clock;
    each_change_takes_us = 1;
    time_us = b->now_us;
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 1);
    b->source.count -= 2; /* neither its last row nor its COMMIT has come yet */
    assert_int_equal(bench_step(b), 0);
    each_change_takes_us = 10 * BENCH_STALL_US;
    b->source.count++;
    assert_int_equal(bench_step(b), 0);
    b->now_us = time_us;
    assert_int_equal(bench_step(b), 0);
    b->now_us += BENCH_STALL_US - 1;
    assert_int_equal(bench_step(b), 0);
    b->now_us += 1;
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "stalled");
}

/* Who waits within a step keeps the source alive; what is found then ends the next one. */
static void the_source_is_kept_alive_in_a_step(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    assert_int_equal(bench_step(b), 0);
    uint32_t ticks = b->source.ticks;
    reader_meanwhile(&b->reader, b->now_us);
    assert_int_equal(b->source.ticks, ticks + 1);
    error_retry(&b->source.tick_failure, REASON_TIMEOUT, "gone");
    reader_meanwhile(&b->reader, b->now_us);
    reader_meanwhile(&b->reader, b->now_us);
    assert_int_equal(b->source.ticks, ticks + 2);
    b->source.tick_failure = ERROR_INIT;
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(b->err.text, "gone");
}

static void being_slow_ourselves_is_no_stall(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, CIRCUIT_BATCHES * BENCH_EVENTS + 3);
    b->source.count -= 1; /* its COMMIT has not come yet */
    assert_int_equal(bench_step(b), 0);
    b->now_us += 10 * BENCH_STALL_US;
    assert_int_equal(bench_step(b), 0);
    bench_return(b, bench_take(b), BENCH_START, 0);
    assert_int_equal(bench_step(b), 0);
    b->now_us += BENCH_STALL_US - 1;
    assert_int_equal(bench_step(b), 0);
}

/* A Kafka transaction waits: one batch is full, and a change more has come. */
static void start_with_a_part_out(struct reader_bench *b)
{
    bench_start(b);
    script_transaction(&b->source, 0x1100, BENCH_EVENTS + 1);
    b->source.count -= 1;
    assert_int_equal(bench_step(b), 0);
    assert_int_equal(channel_count(b->circuit.full), 1);
}

static void silence_with_a_part_out_is_a_stall(void **state)
{
    struct reader_bench *b = *state;
    start_with_a_part_out(b);
    b->now_us += BENCH_STALL_US - 1;
    assert_int_equal(bench_step(b), 0);
    assert_true(b->wait.deadline_us <= b->now_us + 1);
    b->now_us += 1;
    assert_int_equal(bench_step(b), -1);
    assert_int_equal(b->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(b->err.reason), "stalled");
    assert_string_equal(b->err.text,
                        "nothing came for 15000 ms inside a transaction of the database");
}

/* What is skipped, keepalives, a part of a large row. */
static void bytes_are_no_stall(void **state)
{
    struct reader_bench *b = *state;
    start_with_a_part_out(b);
    b->now_us += BENCH_STALL_US;
    b->source.base.data_us = b->now_us - 1;
    assert_int_equal(bench_step(b), 0);
    b->now_us += BENCH_STALL_US - 1;
    assert_int_equal(bench_step(b), -1);
    assert_string_equal(reason_slug(b->err.reason), "stalled");
}

static void who_is_patient_does_not_stall(void **state)
{
    struct reader_bench *b = *state;
    b->options.patient = true;
    start_with_a_part_out(b);
    b->now_us += 100 * BENCH_STALL_US;
    assert_int_equal(bench_step(b), 0);
    assert_true(b->wait.deadline_us > b->now_us);
}

/* No Kafka transaction is open, so nothing is sealed for it and nothing ends. */
static void where_no_part_is_out_silence_is_waited_for(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 3);
    b->source.count -= 1; /* its COMMIT has not come yet */
    assert_null(stepped(b));
    b->now_us += 100 * BENCH_STALL_US;
    assert_null(stepped(b));
    assert_true(b->wait.deadline_us > b->now_us);
}

/* The rest of a split transaction is awaited, and none of it has gone out in this epoch. */
static void after_a_restart_in_a_split_transaction_it_is_waited_for_too(void **state)
{
    struct reader_bench *b = *state;
    b->options.start.seq = 3;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    assert_null(stepped(b));
    b->now_us += 100 * BENCH_STALL_US;
    assert_null(stepped(b));
}

static void what_arrives_slowly_is_sealed_by_age(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_insert(&b->source, "a");
    assert_null(stepped(b));
    b->now_us += BENCH_PART_AGE_US;
    assert_null(stepped(b)); /* nothing has come */
    script_insert(&b->source, "b");
    sealed(b, stepped(b), "[a b] 1000/2 open 1100");
}

static void silence_between_transactions_is_none(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_non_null(stepped(b));
    b->now_us += 10 * BENCH_STALL_US;
    assert_null(stepped(b));
}

/* ---- Idle progress ---- */

static void a_small_mark_waits_for_the_interval(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_mark(&b->source, BENCH_START + 0x100, false);
    assert_null(stepped(b));
    b->now_us += BENCH_IDLE_US - 1;
    assert_null(stepped(b));
    assert_int_equal(b->wait.deadline_us, b->now_us + 1);
    b->now_us += 1;
    struct batch *batch = stepped(b);
    sealed(b, batch, "[] 1100/0 mark");
    bench_commit(b, batch);
    assert_null(stepped(b));
    assert_int_equal(b->source.confirmed.lsn, 0x1100);
    /* Once is enough. */
    b->now_us += 10 * BENCH_IDLE_US;
    assert_null(stepped(b));
}

static void much_wal_is_marked_at_once(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_mark(&b->source, BENCH_START + BENCH_IDLE_BYTES - 1, false);
    assert_null(stepped(b));
    script_mark(&b->source, BENCH_START + BENCH_IDLE_BYTES, false);
    sealed(b, stepped(b), "[] 11000/0 mark");
}

static void an_urgent_mark_is_sealed_at_once(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_mark(&b->source, BENCH_START + 1, true);
    sealed(b, stepped(b), "[] 1001/0 mark");
}

static void a_mark_waits_until_everything_has_returned(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    struct batch *batch = stepped(b);
    script_mark(&b->source, 0x1200, true);
    assert_null(stepped(b));
    b->now_us += 2 * BENCH_IDLE_US;
    assert_null(stepped(b));
    bench_commit(b, batch);
    sealed(b, stepped(b), "[] 1200/0 mark");
}

static void a_mark_at_or_below_the_position_is_ignored(void **state)
{
    struct reader_bench *b = *state;
    b->options.start.lsn = 0x3000;
    bench_start(b);
    script_mark(&b->source, 0x2000, true);
    script_mark(&b->source, 0x3000, true);
    assert_null(stepped(b));
    script_mark(&b->source, 0x3001, false);
    assert_null(stepped(b)); /* the hurry of the others is not its own */
    b->now_us += BENCH_IDLE_US;
    sealed(b, stepped(b), "[] 3001/0 mark");
}

static void transactions_without_events_are_marks(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_begin(&b->source, 0x1100);
    script_other(&b->source);
    script_commit(&b->source);
    assert_null(stepped(b));
    b->now_us += BENCH_IDLE_US;
    sealed(b, stepped(b), "[] 1110/0 mark");
}

static void no_mark_inside_a_transaction(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_mark(&b->source, 0x1100, true);
    script_begin(&b->source, 0x1200);
    script_other(&b->source);
    assert_null(stepped(b));
    script_commit(&b->source);
    sealed(b, stepped(b), "[] 1210/0 mark");
}

static void until_stops_once_progress_is_there(void **state)
{
    struct reader_bench *b = *state;
    b->options.seal.until_lsn = 0x1200;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    script_mark(&b->source, 0x1150, false);
    script_mark(&b->source, 0x1200, false);
    struct batch *batch = stepped(b);
    sealed(b, batch, "[1] 1110/0");
    bench_commit(b, batch);
    batch = stepped(b);
    sealed(b, batch, "[] 1200/0 mark"); /* although neither bytes nor interval ask for it */
    assert_false(channel_finished(b->circuit.full, NULL));
    bench_commit(b, batch);
    assert_null(stepped(b));
    assert_true(channel_finished(b->circuit.full, NULL));
    channel_finish(b->circuit.empty, NULL);
    assert_int_equal(bench_step(b), 1);
}

/* A record that is produced alone takes its time, and a Kafka transaction has not much of it. */
static void batches_are_small_while_records_are_under_suspicion(void **state)
{
    struct reader_bench *b = *state;
    b->events = 1000;
    b->options.seal.suspect_lsn = 0x1200;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    script_transaction(&b->source, 0x1200, 65);
    assert_int_equal(bench_step(b), 0);
    struct batch *batch = bench_take(b);
    assert_int_equal(batch->count, 64);
    assert_false(batch->ends_txn);
    bench_return(b, batch, BENCH_START, 0);
    batch = bench_take(b);
    sealed(b, batch, "[64 65] 1210/0");
    assert_null(bench_take(b));
    bench_commit(b, batch);
    /* Progress is behind the suspects: a batch takes what it holds. */
    script_transaction(&b->source, 0x1300, 65);
    batch = stepped(b);
    assert_int_equal(batch->count, 65);
    assert_true(batch->ends_txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The batch is old when a transaction begins: a part of nothing is no part. */
static void a_transaction_that_has_only_begun_is_not_cut(void **state)
{
    struct reader_bench *b = *state;
    bench_start(b);
    script_transaction(&b->source, 0x1100, 1);
    assert_non_null(stepped(b)); /* its commit holds the next one back */
    script_transaction(&b->source, 0x1200, 1);
    assert_null(stepped(b));
    b->now_us += BENCH_PART_AGE_US;
    script_begin(&b->source, 0x1300);
    assert_null(stepped(b));
    script_insert(&b->source, "first");
    struct batch *part = stepped(b);
    assert_non_null(part);
    assert_false(part->ends_txn);
    assert_int_equal(part->partial.final_lsn, 0x1300);
    assert_int_equal(part->partial.done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_input_is_committed_at_once),
        TEST(batches_are_small_while_records_are_under_suspicion),
        TEST(a_part_ends_behind_what_is_known_to_be_refused),
        TEST(a_large_transaction_is_not_asked_for_again),
        TEST(the_source_is_told_its_own_part_of_the_record),
        TEST(messages_carry_what_the_writer_needs),
        TEST(a_commit_in_flight_holds_the_next_back),
        TEST(the_interval_ends_the_wait),
        TEST(half_a_batch_is_sealed_under_backlog),
        TEST(half_the_memory_is_sealed_under_backlog),
        TEST(a_full_batch_is_sealed_in_mid_transaction),
        TEST(a_commit_right_behind_a_full_batch_has_a_batch_of_its_own),
        TEST(what_gives_no_event_counts_for_the_position),
        cmocka_unit_test_setup_teardown(the_events_of_a_change_stay_together, setup_two_routes,
                                        teardown),
        TEST(a_row_without_event_starts_no_interval),
        TEST(a_backlog_makes_larger_batches),
        TEST(a_second_behind_is_no_backlog),
        TEST(mad_clocks_do_no_harm),
        TEST(a_nap_is_no_empty_input_behind),
        TEST(a_nap_is_an_empty_input_for_who_keeps_up),
        TEST(while_a_commit_is_in_flight_the_database_is_listened_to_now_and_then),
        TEST(while_a_commit_hangs_there_are_no_naps),
        TEST(in_a_split_transaction_the_database_is_listened_to_all_the_time),
        TEST(without_a_batch_nothing_is_taken_but_the_source_lives),
        TEST(a_step_has_an_end_where_changes_take_long),
        TEST(a_slow_change_is_no_stall),
        TEST(the_source_is_kept_alive_in_a_step),
        TEST(being_slow_ourselves_is_no_stall),
        TEST(silence_with_a_part_out_is_a_stall),
        TEST(bytes_are_no_stall),
        TEST(who_is_patient_does_not_stall),
        TEST(where_no_part_is_out_silence_is_waited_for),
        TEST(after_a_restart_in_a_split_transaction_it_is_waited_for_too),
        TEST(what_arrives_slowly_is_sealed_by_age),
        TEST(a_transaction_that_has_only_begun_is_not_cut),
        TEST(silence_between_transactions_is_none),
        TEST(a_small_mark_waits_for_the_interval),
        TEST(much_wal_is_marked_at_once),
        TEST(an_urgent_mark_is_sealed_at_once),
        TEST(a_mark_waits_until_everything_has_returned),
        TEST(a_mark_at_or_below_the_position_is_ignored),
        TEST(transactions_without_events_are_marks),
        TEST(no_mark_inside_a_transaction),
        TEST(until_stops_once_progress_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
