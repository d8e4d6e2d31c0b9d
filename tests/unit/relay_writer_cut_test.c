/* relay/writer beside a broker that takes its time: no more is handed over than the pace allows,
 * and a Kafka transaction that grows old is cut between two changes of a batch. */
#include "relay/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scripted_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPLIT_US 30000000
#define ROW_BYTES 30000

/* Reports as many messages as it is told to, and writes down what it was handed. */
struct slow_publisher {
    struct publisher base;
    char journal[1000]; /* "<ordinal>[/<part>] " of messages, "[<lsn>/<seq>] " of commits */
    struct batch *batches[64];
    size_t bytes[64];
    uint32_t handed, reported;
    bool full;           /* its queue */
    uint32_t questions;  /* so many puts only ask one */
    uint64_t refuse_to;  /* the rows from the second to this one are refused after a question */
    int64_t question_us; /* how long that takes */
    int64_t *now_us;
    struct progress record;
    struct arena arena;
};

static void note(struct slow_publisher *p, const char *text)
{
    size_t len = strlen(p->journal);
    snprintf(p->journal + len, sizeof p->journal - len, "%s", text);
}

static void report(struct slow_publisher *p, uint32_t count)
{
    for (; count > 0 && p->reported < p->handed; count--) {
        p->batches[p->reported]->outstanding--;
        p->batches[p->reported]->outstanding_bytes -= p->bytes[p->reported];
        p->reported++;
    }
}

static enum step slow_put(struct publisher *base, struct batch *batch,
                          const struct message *message, struct error *err)
{
    struct slow_publisher *p = (struct slow_publisher *)base;
    if (p->full)
        return STEP_WAIT;
    if (p->questions > 0) {
        p->questions--;
        *p->now_us += p->question_us;
        return STEP_WAIT;
    }
    if (message->id.ordinal > 1 && message->id.ordinal <= p->refuse_to) {
        *p->now_us += p->question_us;
        return error_data(err, REASON_TOPIC_MISSING, "there is no such topic");
    }
    char text[64];
    snprintf(text, sizeof text, "%llu", (unsigned long long)message->id.ordinal);
    note(p, text);
    for (uint32_t i = 0; i < message->header_count; i++) {
        snprintf(text, sizeof text, "/%.*s", SPAN_ARG(message->headers[i].value));
        note(p, text);
    }
    note(p, " ");
    batch->outstanding++;
    batch->outstanding_bytes += message->bytes;
    batch->handed++;
    p->batches[p->handed] = batch;
    p->bytes[p->handed++] = message->bytes;
    return STEP_DONE;
}

static int slow_poll(struct publisher *base, int wait_ms, struct error *err)
{
    (void)base, (void)wait_ms, (void)err;
    return 0;
}

static enum step slow_commit(struct publisher *base, struct span record, struct error *err)
{
    struct slow_publisher *p = (struct slow_publisher *)base;
    assert_int_equal(progress_decode(record, &p->arena, &p->record, err), 0);
    char text[64];
    snprintf(text, sizeof text, "[%llx/%llu] ", (unsigned long long)p->record.position.lsn,
             (unsigned long long)p->record.position.seq);
    note(p, text);
    report(p, UINT32_MAX);
    return STEP_DONE;
}

static const struct publisher_ops slow_ops = {
    .name = "slow", .put = slow_put, .poll = slow_poll, .commit = slow_commit};

struct fixture {
    struct slow_publisher publisher;
    struct circuit circuit;
    struct config_route route;
    struct config_routes routes;
    struct metrics *metrics;
    struct log log;
    struct progress claim;
    struct verdict_facts verdicts;
    struct pace pace;
    struct refusals learnt;
    struct writer writer;
    int64_t now_us;
    char *value;
};

static int setup(void **state)
{
    static const char *const names[] = {"outbox"};
    struct fixture *f = calloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    f->publisher.base.ops = &slow_ops;
    arena_init(&f->publisher.arena, 4096, 4096);
    assert_int_equal(circuit_open(&f->circuit, 16, 1, 1 << 20, &err), 0);
    f->route = script_route();
    f->routes = (struct config_routes){1, &f->route};
    f->metrics = metrics_open("orders", 1, names);
    f->log = (struct log){.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    f->claim = (struct progress){.relay = "orders",
                                 .generation = 3,
                                 .instance = "me",
                                 .system_identifier = 7000,
                                 .timeline = 1,
                                 .slot = "walferry_orders",
                                 .mode = PROGRESS_WAL,
                                 .position = {0x1000, 0},
                                 .config_hash = "0123456789abcdef"};
    f->verdicts = (struct verdict_facts){
        .routes = &f->routes, .metrics = f->metrics, .log = &f->log, .system_identifier = 7000};
    f->now_us = 1000000;
    /* A window of two rows, which stays: no round is long. */
    refusals_init(&f->learnt, 2);
    pace_begin(&f->pace, 1 << 20, 100 * INT64_C(60000000), f->now_us);
    struct writer_options options = {.publisher = &f->publisher.base,
                                     .circuit = &f->circuit,
                                     .pace = &f->pace,
                                     .verdicts = &f->verdicts,
                                     .claim = &f->claim,
                                     .learnt = &f->learnt,
                                     .split_us = SPLIT_US};
    writer_init(&f->writer, &options);
    f->value = calloc(1, ROW_BYTES);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    writer_fini(&f->writer);
    refusals_fini(&f->learnt);
    circuit_close(&f->circuit);
    arena_fini(&f->publisher.arena);
    metrics_close(f->metrics);
    close(f->log.fd);
    free(f->value);
    free(f);
    return 0;
}

/* A row of the transaction that commits at final_lsn and follows before_lsn. */
static void put_row(struct fixture *f, struct batch *batch, uint64_t before_lsn, uint64_t final_lsn,
                    uint64_t ordinal)
{
    struct message *message = batch_next(batch);
    message->topic = SPAN_LITERAL("t");
    message->value = (struct span){f->value, ROW_BYTES};
    message->id = change_id_wal(final_lsn, ordinal);
    message->position = (struct position){before_lsn, ordinal};
    batch_add(batch);
}

static void send_whole(struct fixture *f, struct batch *batch, uint64_t end_lsn)
{
    batch->end = (struct position){end_lsn, 0};
    batch->xid = 77;
    batch->transactions = 2;
    batch->ends_txn = true;
    channel_send(f->circuit.full, batch);
}

static void run(struct fixture *f)
{
    struct wait wait = {.deadline_us = 0};
    struct error err = ERROR_INIT;
    for (int i = 0; i < 100 && wait.deadline_us <= f->now_us; i++)
        assert_int_equal(writer_step(&f->writer, f->now_us, &wait, &err), 0);
    assert_true(wait.deadline_us > f->now_us);
}

static void journal_is(const struct fixture *f, const char *journal)
{
    assert_string_equal(f->publisher.journal, journal);
}

static void no_more_is_handed_over_than_the_window_holds(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 4; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    run(f);
    journal_is(f, "1 2 ");
    report(&f->publisher, 1);
    run(f);
    journal_is(f, "1 2 3 ");
    report(&f->publisher, 2);
    run(f);
    journal_is(f, "1 2 3 4 [1110/0] ");
}

static void an_old_transaction_is_cut_inside_a_batch(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 4; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    run(f);
    f->now_us += SPLIT_US - 1;
    run(f);
    journal_is(f, "1 2 ");
    f->now_us += 1;
    run(f);
    /* The batch stays, and what is left of it says which part it is. */
    journal_is(f, "1 2 [1000/2] 3/2 4/2 [1110/0] ");
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_SPLIT), 1);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_POSTGRES), 2);
}

/* Between two transactions nothing is cut apart. */
static void it_is_cut_between_two_transactions_where_it_stands_there(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1000, 0x1100, 1);
    put_row(f, batch, 0x1000, 0x1100, 2);
    put_row(f, batch, 0x1180, 0x1200, 1);
    send_whole(f, batch, 0x1210);
    run(f);
    f->now_us += SPLIT_US;
    run(f);
    journal_is(f, "1 2 [1180/0] 1 [1210/0] ");
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_SPLIT), 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_POSTGRES), 2);
}

/* Which transaction ended last below a cut between two of them nobody has told: the next open asks
 * for none. */
static void what_ended_last_before_a_cut_is_not_known(void **state)
{
    struct fixture *f = *state;
    f->writer.last.last.xid = 70;
    f->writer.last.last.lsn = 0x900;
    struct batch *batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1000, 0x1080, 1);
    send_whole(f, batch, 0x1090);
    run(f);
    assert_int_equal(f->publisher.record.last.lsn, 0x900);
    batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1090, 0x1100, 1);
    put_row(f, batch, 0x1090, 0x1100, 2);
    put_row(f, batch, 0x1180, 0x1200, 1);
    send_whole(f, batch, 0x1210);
    run(f);
    f->now_us += SPLIT_US;
    run(f);
    journal_is(f, "1 [1090/0] 1 2 [1180/0] 1 [1210/0] ");
    assert_int_equal(f->publisher.record.last.lsn, 0);
}

/* Two events of one change are in one part. */
static void it_is_never_cut_inside_a_change(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1000, 0x1100, 1);
    put_row(f, batch, 0x1000, 0x1100, 2);
    put_row(f, batch, 0x1000, 0x1100, 2);
    put_row(f, batch, 0x1000, 0x1100, 3);
    send_whole(f, batch, 0x1110);
    run(f);
    f->now_us += SPLIT_US;
    run(f);
    journal_is(f, "1 2 ");
    report(&f->publisher, 1);
    run(f);
    journal_is(f, "1 2 2 [1000/2] 3/2 [1110/0] ");
}

/* A message that met a full queue in one part goes out in the next, and says so once. */
static void what_met_a_full_queue_belongs_to_the_next_part(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 5; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    run(f);
    f->now_us += SPLIT_US;
    run(f);
    journal_is(f, "1 2 [1000/2] 3/2 4/2 ");
    f->publisher.full = true;
    run(f);
    f->now_us += SPLIT_US;
    run(f);
    f->publisher.full = false;
    run(f);
    journal_is(f, "1 2 [1000/2] 3/2 4/2 [1000/4] 5/3 [1110/0] ");
}

/* Two batches in one Kafka transaction, and nothing of the second is out yet. */
static void it_is_cut_before_a_batch_that_has_not_begun(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1000, 0x1100, 1);
    put_row(f, batch, 0x1000, 0x1100, 2);
    batch->end = (struct position){0x1000, 2};
    batch->partial = (struct partial){.final_lsn = 0x1100, .done = 2};
    channel_send(f->circuit.full, batch);
    batch = channel_take(f->circuit.empty);
    put_row(f, batch, 0x1000, 0x1100, 3);
    send_whole(f, batch, 0x1110);
    run(f);
    journal_is(f, "1 2 ");
    f->now_us += SPLIT_US;
    run(f);
    journal_is(f, "1 2 [1000/2] 3/2 [1110/0] ");
}

/* After trouble transactions are shorter. */
/* A refusal may have cost a question to the brokers, and a row's topic as long as that. */
static void refusals_that_take_time_are_cut_between(void **state)
{
    struct fixture *f = *state;
    f->route.on_error = ON_ERROR_SKIP;
    f->publisher.refuse_to = 5;
    f->publisher.question_us = SPLIT_US / 2;
    f->publisher.now_us = &f->now_us;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 6; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    for (int i = 0; i < 4; i++)
        run(f);
    journal_is(f, "1 [1000/4] 6/2 [1110/0] ");
}

static void what_is_asked_before_it_begins_does_not_make_it_older(void **state)
{
    struct fixture *f = *state;
    f->publisher.questions = 1;
    f->publisher.question_us = SPLIT_US;
    f->publisher.now_us = &f->now_us;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 3; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    run(f);
    run(f);
    journal_is(f, "1 2 ");
    report(&f->publisher, 2);
    run(f);
    journal_is(f, "1 2 3 [1110/0] ");
}

static void trouble_cuts_earlier(void **state)
{
    struct fixture *f = *state;
    f->pace.trouble = 2;
    struct batch *batch = channel_take(f->circuit.empty);
    for (uint64_t i = 1; i <= 3; i++)
        put_row(f, batch, 0x1000, 0x1100, i);
    send_whole(f, batch, 0x1110);
    run(f);
    f->now_us += SPLIT_US / 4;
    run(f);
    journal_is(f, "1 2 [1000/2] 3/2 [1110/0] ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_is_handed_over_than_the_window_holds),
        TEST(an_old_transaction_is_cut_inside_a_batch),
        TEST(it_is_cut_between_two_transactions_where_it_stands_there),
        TEST(what_ended_last_before_a_cut_is_not_known),
        TEST(it_is_never_cut_inside_a_change),
        TEST(what_met_a_full_queue_belongs_to_the_next_part),
        TEST(it_is_cut_before_a_batch_that_has_not_begun),
        TEST(refusals_that_take_time_are_cut_between),
        TEST(what_is_asked_before_it_begins_does_not_make_it_older),
        TEST(trouble_cuts_earlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
