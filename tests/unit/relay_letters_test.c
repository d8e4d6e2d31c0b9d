/* relay: dead letters, made by the reader or put in the place of a refused message by the writer:
 * both loops, between a scripted source and a publisher that refuses what the test says. */
#include "reader_bench.h"
#include "relay/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

/* ---- A publisher that writes down what it takes ---- */

struct picky {
    struct publisher base;
    char journal[2000];   /* "<value>; ", "letter <id>: <reason> <topic>; ", "commit; " */
    const char *refuse;   /* value of the message that is too large; NULL: none */
    bool small;           /* and so is every dead letter with a value */
    enum reason letters;  /* with what it refuses every dead letter; 0: with nothing */
    enum reason held;     /* the same, of records of held keys */
    const char *last_key; /* of the last letter */
};

static void note(struct picky *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct picky *p, const char *format, ...)
{
    size_t len = strlen(p->journal);
    va_list args;
    va_start(args, format);
    vsnprintf(p->journal + len, sizeof p->journal - len, format, args);
    va_end(args);
}

static struct span header(const struct message *message, const char *name)
{
    for (uint32_t i = 0; i < message->header_count; i++)
        if (span_equal_text(message->headers[i].name, name))
            return message->headers[i].value;
    return span_null();
}

static void note_letter(struct picky *p, const struct message *letter)
{
    static char key[32];
    snprintf(key, sizeof key, "%.*s", SPAN_ARG(letter->key));
    p->last_key = key;
    assert_span(letter->topic, BENCH_LETTERS);
    note(p, "letter %.*s: %.*s", SPAN_ARG(header(letter, "walferry-id")),
         SPAN_ARG(header(letter, "walferry-error-reason")));
    struct span topic = header(letter, "walferry-error-topic");
    if (topic.ptr != NULL)
        note(p, " %.*s", SPAN_ARG(topic));
    if (letter->value.ptr == NULL)
        note(p, " truncated");
    note(p, "; ");
}

static enum step put(struct publisher *base, struct batch *batch, const struct message *message,
                     struct error *err)
{
    struct picky *p = (struct picky *)base;
    (void)batch;
    if (message->own_state) {
        if (p->held != REASON_NONE)
            return error_data(err, p->held, "not this topic");
        note(p, "held %.*s; ", SPAN_ARG(message->key));
        return STEP_DONE;
    }
    if (message->dead_letter) {
        if (p->letters != REASON_NONE)
            return error_data(err, p->letters, "not this topic");
        if (p->small && message->value.ptr != NULL)
            return error_data(err, REASON_MESSAGE_TOO_LARGE, "letters are too large");
        note_letter(p, message);
        return STEP_DONE;
    }
    if (p->refuse != NULL && span_equal_text(message->value, p->refuse))
        return error_data(err, REASON_MESSAGE_TOO_LARGE, "it is too large");
    note(p, "%.*s; ", SPAN_ARG(message->value));
    return STEP_DONE;
}

static int serve(struct publisher *base, int wait_ms, struct error *err)
{
    (void)base, (void)wait_ms, (void)err;
    return 0;
}

static enum step commit(struct publisher *base, struct span record, struct error *err)
{
    (void)record, (void)err;
    note((struct picky *)base, "commit; ");
    return STEP_DONE;
}

/* ---- The bench ---- */

struct fixture {
    struct reader_bench *bench;
    struct picky publisher;
    struct refusals refused, learnt;
    struct writer writer;
    struct pace pace;
    struct progress claim;
    struct error err;
    uint64_t lsn; /* of the last transaction */
    struct quarantine held;
};

static int open_fixture(void **state, uint32_t routes)
{
    static const struct publisher_ops ops = {
        .name = "picky", .put = put, .poll = serve, .commit = commit};
    struct fixture *f = calloc(1, sizeof *f);
    f->bench = bench_open(routes);
    f->bench->items[0].on_error = ON_ERROR_DEAD_LETTER;
    f->publisher.base.ops = &ops;
    f->lsn = 0x1000;
    refusals_init(&f->refused, 100);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return open_fixture(state, 2);
}

static int setup_again(void **state)
{
    return open_fixture(state, 3);
}

static void start(struct fixture *f)
{
    bench_start(f->bench);
    f->claim = (struct progress){
        .relay = "bench", .generation = 1, .mode = PROGRESS_WAL, .position = {BENCH_START, 0}};
    refusals_init(&f->learnt, 2);
    pace_begin(&f->pace, 1 << 20, 60000000, f->bench->now_us);
    struct writer_options options = {.publisher = &f->publisher.base,
                                     .circuit = &f->bench->circuit,
                                     .pace = &f->pace,
                                     .verdicts = &f->bench->verdicts,
                                     .claim = &f->claim,
                                     .learnt = &f->learnt,
                                     .split_us = 30000000};
    writer_init(&f->writer, &options);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    writer_fini(&f->writer);
    refusals_fini(&f->learnt);
    refusals_fini(&f->refused);
    bench_close(f->bench);
    quarantine_fini(&f->held);
    free(f);
    return 0;
}

/* Reader and writer in turn, until neither has anything to do. */
static int run(struct fixture *f)
{
    struct wait wait;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(bench_step(f->bench), 0);
        if (writer_step(&f->writer, f->bench->now_us, &wait, &f->err) < 0)
            return -1;
    }
    writer_settle(&f->writer, f->bench->now_us);
    return 0;
}

/* Three rows a, x, c in a transaction of their own. */
static void transaction(struct fixture *f, const char *topic, const char *payload)
{
    f->lsn += 0x100;
    script_begin(&f->bench->source, f->lsn);
    script_insert(&f->bench->source, "a");
    script_row(&f->bench->source, CHANGE_INSERT, topic, payload);
    script_insert(&f->bench->source, "c");
    script_commit(&f->bench->source);
}

#define journal_is(f, text) assert_string_equal((f)->publisher.journal, text)
#define letters_of(f) metrics_get_route((f)->bench->metrics, METRIC_DEAD_LETTERS, 0)

/* ---- Made by the reader ---- */

static void what_cannot_be_routed_goes_there_in_its_place(void **state)
{
    struct fixture *f = *state;
    start(f);
    transaction(f, "no topic!", "bad");
    transaction(f, NULL, "bad");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: illegal_topic; c; "
                  "a; letter 7000-0000000000001200-2: null_in_template; c; commit; ");
    assert_string_equal(f->publisher.last_key, "k1"); /* told, though there was no topic */
    assert_int_equal(letters_of(f), 2);
    assert_int_equal(metrics_get_route(f->bench->metrics, METRIC_EVENTS, 0), 4);
    assert_int_equal(metrics_get_route(f->bench->metrics, METRIC_SKIPPED, 0), 0);
    assert_int_equal(bench_log_count(f->bench, "event=event.dead_letter"), 2);
    assert_true(bench_logged(f->bench, "id=7000-0000000000001100-2"));
}

/* The other route's events of the same change are its own matter. */
static void a_letter_is_of_one_route_alone(void **state)
{
    struct fixture *f = *state;
    f->bench->items[0].topic = script_text("first.{aggregatetype}");
    f->bench->items[2].topic = script_text("again.{type}");
    start(f);
    transaction(f, "no topic!", "x");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; a; letter 7000-0000000000001100-2: illegal_topic; x; c; c; commit; ");
}

static void what_the_broker_refused_goes_there_the_next_time(void **state)
{
    struct fixture *f = *state;
    struct verdict_refusal refused = {.unit = {change_id_wal(0x1100, 2), 0},
                                      .reason = REASON_RECORD_REFUSED,
                                      .text = "the broker refuses this record by itself"};
    assert_true(refusals_add(&f->refused, &refused));
    f->bench->verdicts.refused = &f->refused;
    start(f);
    transaction(f, "shop", "x");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: record_refused outbox.event.shop; c; "
                  "commit; ");
}

/* ---- Held keys ---- */

static void hold_keys(struct fixture *f)
{
    quarantine_init(&f->held, true, "bench", 10, f->bench->metrics);
    f->held.system_identifier = BENCH_SYSTEM;
    f->bench->options.fill.quarantine = &f->held;
}

static void later_events_of_a_held_key_go_there_too(void **state)
{
    struct fixture *f = *state;
    hold_keys(f);
    start(f);
    transaction(f, "no topic!", "bad");
    transaction(f, "shop", "x");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: illegal_topic; held [\"outbox\",\"k1\"]; "
                  "letter 7000-0000000000001100-3: key_held outbox.event.shop; commit; "
                  "letter 7000-0000000000001200-1: key_held outbox.event.shop; "
                  "letter 7000-0000000000001200-2: key_held outbox.event.shop; "
                  "letter 7000-0000000000001200-3: key_held outbox.event.shop; commit; ");
    assert_int_equal(letters_of(f), 5);
    assert_int_equal(metrics_get(f->bench->metrics, METRIC_KEYS_HELD), 1);
    assert_int_equal(metrics_get_route(f->bench->metrics, METRIC_EVENTS_HELD, 0), 4);
}

/* The next epoch's reader does, because what comes behind depends on it. */
static void the_writer_makes_no_letter_where_keys_are_held(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "x";
    f->bench->options.fill.expects_refusals = true;
    hold_keys(f);
    start(f);
    transaction(f, "shop", "x");
    assert_int_equal(run(f), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    journal_is(f, "a; ");
}

static void what_is_held_is_never_left_out(void **state)
{
    struct fixture *f = *state;
    f->publisher.held = REASON_TOPIC_MISSING;
    hold_keys(f);
    start(f);
    transaction(f, "no topic!", "bad");
    assert_int_equal(run(f), -1);
    assert_error(f->err, ERROR_STOP, "quarantine_topic",
                 "topic walferry.bench.quarantine does not take a record: not this topic");
}

static void more_than_may_be_held_ends_behind_what_was_before(void **state)
{
    struct fixture *f = *state;
    hold_keys(f);
    f->held.keys_max = 0;
    start(f);
    transaction(f, "shop", "x");
    transaction(f, "no topic!", "bad");
    struct wait wait;
    int result = 0;
    for (int i = 0; i < 200 && result == 0; i++) {
        result = bench_step(f->bench);
        if (result == 0 && writer_step(&f->writer, f->bench->now_us, &wait, &f->err) == 1)
            channel_finish(f->bench->circuit.empty, NULL);
    }
    assert_int_equal(result, -1);
    assert_string_equal(reason_slug(f->bench->err.reason), "quarantine_full");
    journal_is(f, "a; x; c; commit; ");
}

/* ---- Put in its place by the writer ---- */

static void the_first_refusal_costs_an_epoch(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "x";
    start(f);
    transaction(f, "shop", "x");
    assert_int_equal(run(f), -1);
    journal_is(f, "a; ");
    assert_int_equal(f->err.kind, ERROR_RETRY);
    const struct verdict_refusal *refusal =
        refusals_find(&f->learnt, (struct verdict_unit){change_id_wal(0x1100, 2), 0});
    assert_non_null(refusal);
    assert_string_equal(reason_slug(refusal->reason), "message_too_large");
    assert_string_equal(refusal->text, "it is too large");
    assert_int_equal(bench_log_count(f->bench, "dead_letter"), 0);
}

static void those_that_follow_cost_none(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "x";
    f->bench->options.fill.expects_refusals = true;
    start(f);
    transaction(f, "shop", "x");
    transaction(f, "shop", "x");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: message_too_large outbox.event.shop; c; "
                  "a; letter 7000-0000000000001200-2: message_too_large outbox.event.shop; c; "
                  "commit; ");
    assert_string_equal(f->publisher.last_key, "k1");
    assert_int_equal(letters_of(f), 2);
    assert_int_equal(metrics_get_route(f->bench->metrics, METRIC_EVENTS, 0), 4);
    assert_int_equal(bench_log_count(f->bench, "event=message.dead_letter"), 2);
}

/* Three messages of one unit, the first of which is refused: put into the batch by hand, because a
 * scripted row gives one. */
static void all_of_a_unit_is_one_letter(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "x";
    f->bench->options.fill.expects_refusals = true;
    start(f);
    transaction(f, "shop", "x");
    assert_int_equal(bench_step(f->bench), 0);
    struct batch *batch = bench_take(f->bench);
    assert_int_equal(batch->count, 3);
    batch->messages[2].id = batch->messages[1].id;
    batch->messages[2].position = batch->messages[1].position;
    channel_send(f->bench->circuit.full, batch);
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: message_too_large outbox.event.shop; "
                  "commit; ");
    assert_int_equal(letters_of(f), 1);
}

/* Letters are made beside for a while behind a refusal, and the writer says that there was one. */
static void a_refusal_keeps_letters_at_hand(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "x";
    f->bench->options.fill.expects_refusals = true;
    start(f);
    f->bench->reader.filler.spare_letters = 3;
    transaction(f, "shop", "x");
    assert_int_equal(run(f), 0);
    assert_true(f->bench->reader.filler.spare_letters > 1000);
    transaction(f, "shop", "x");
    assert_int_equal(run(f), 0);
    assert_int_equal(letters_of(f), 2);
}

static void a_letter_that_is_too_large_goes_without_its_value(void **state)
{
    struct fixture *f = *state;
    f->publisher.small = true;
    start(f);
    transaction(f, "no topic!", "bad");
    assert_int_equal(run(f), 0);
    journal_is(f, "a; letter 7000-0000000000001100-2: illegal_topic truncated; c; commit; ");
}

static void a_letter_that_is_not_taken_is_the_end(void **state)
{
    struct fixture *f = *state;
    f->publisher.letters = REASON_TOPIC_MISSING;
    start(f);
    transaction(f, "no topic!", "bad");
    assert_int_equal(run(f), -1);
    assert_error(f->err, ERROR_STOP, "dead_letter_refused",
                 "a dead letter of route outbox, change 7000-0000000000001100-2: not this topic");
}

static void nothing_is_made_beside_without_a_reason(void **state)
{
    struct fixture *f = *state;
    start(f);
    transaction(f, "shop", "x");
    assert_int_equal(bench_step(f->bench), 0);
    struct batch *batch = bench_take(f->bench);
    for (uint32_t i = 0; i < batch->count; i++)
        assert_null(batch->messages[i].letter);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_cannot_be_routed_goes_there_in_its_place),
        cmocka_unit_test_setup_teardown(a_letter_is_of_one_route_alone, setup_again, teardown),
        T(what_the_broker_refused_goes_there_the_next_time),
        T(later_events_of_a_held_key_go_there_too),
        T(the_writer_makes_no_letter_where_keys_are_held),
        T(what_is_held_is_never_left_out),
        T(more_than_may_be_held_ends_behind_what_was_before),
        T(the_first_refusal_costs_an_epoch),
        T(those_that_follow_cost_none),
        T(all_of_a_unit_is_one_letter),
        T(a_refusal_keeps_letters_at_hand),
        T(a_letter_that_is_too_large_goes_without_its_value),
        T(a_letter_that_is_not_taken_is_the_end),
        T(nothing_is_made_beside_without_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
