/* relay/writer: batches in, Kafka transactions out, against a publisher that writes down what it
 * was handed and answers as the test says. Time is the test's. */
#include "relay/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

#include "scripted_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPLIT_US 30000000
#define SYSTEM UINT64_C(7000)

/* ---- A publisher that is told how to answer ---- */

struct fake_publisher {
    struct publisher base;
    char journal[2000]; /* "put <value> [part=<n>]; " and "commit <lsn>/<seq> …; " in order */
    uint32_t calls;     /* of put, poll and commit */
    struct batch *unreported[64];
    uint32_t unreported_count;
    bool hold_reports;
    uint32_t renew_at;      /* this call of put makes the handles anew; 0: none */
    uint32_t room;          /* puts before the queue is full */
    uint32_t queue_full;    /* puts that find the queue full */
    uint32_t slices;        /* commits that are not done yet */
    const char *refuse;     /* value of the message that is refused */
    bool by_broker;         /* by itself */
    struct error commits;   /* with a kind: what commit gives */
    struct error polls;     /* the same for poll */
    struct progress record; /* the last committed */
    struct arena arena;
};

static void note(struct fake_publisher *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct fake_publisher *p, const char *format, ...)
{
    size_t len = strlen(p->journal);
    va_list args;
    va_start(args, format);
    vsnprintf(p->journal + len, sizeof p->journal - len, format, args);
    va_end(args);
}

static void report(struct fake_publisher *p)
{
    while (p->unreported_count > 0)
        p->unreported[--p->unreported_count]->outstanding--;
}

static enum step fake_put(struct publisher *base, struct batch *batch,
                          const struct message *message, struct error *err)
{
    struct fake_publisher *p = (struct fake_publisher *)base;
    p->calls++;
    assert_false(p->base.claim_due);
    if (p->renew_at > 0 && --p->renew_at == 0) {
        p->base.claim_due = true;
        return STEP_WAIT;
    }
    if (p->room > 0) {
        p->room--;
    } else if (p->queue_full > 0) {
        p->queue_full--;
        return STEP_WAIT;
    }
    if (p->refuse != NULL && span_equal_text(message->value, p->refuse)) {
        p->base.refusals += p->by_broker ? 1 : 0;
        return error_data(err, REASON_MESSAGE_TOO_LARGE,
                          "the record has 9 bytes, the topic takes 5");
    }
    note(p, "put %.*s", SPAN_ARG(message->value));
    for (uint32_t i = 0; i < message->header_count; i++)
        if (span_equal_text(message->headers[i].name, "walferry-part"))
            note(p, " part=%.*s", SPAN_ARG(message->headers[i].value));
    note(p, "; ");
    batch->outstanding++;
    p->unreported[p->unreported_count++] = batch;
    return STEP_DONE;
}

static int fake_poll(struct publisher *base, int wait_ms, struct error *err)
{
    struct fake_publisher *p = (struct fake_publisher *)base;
    p->calls++;
    assert_int_equal(wait_ms, 0);
    if (p->polls.kind != ERROR_NONE) {
        *err = p->polls;
        return -1;
    }
    if (!p->hold_reports)
        report(p);
    return 0;
}

static enum step fake_commit(struct publisher *base, struct span record, struct error *err)
{
    struct fake_publisher *p = (struct fake_publisher *)base;
    p->calls++;
    if (p->slices > 0) {
        p->slices--;
        return STEP_WAIT;
    }
    if (p->base.refusals > 0)
        return error_retry(err, REASON_RECORD_REFUSED, "some records are refused");
    if (p->commits.kind != ERROR_NONE) {
        *err = p->commits;
        return -1;
    }
    assert_int_equal(progress_decode(record, &p->arena, &p->record, err), 0);
    if (p->base.claim_due)
        note(p, "claim %llu: ", (unsigned long long)p->record.generation);
    p->base.claim_due = false;
    note(p, "commit %llx/%llu", (unsigned long long)p->record.position.lsn,
         (unsigned long long)p->record.position.seq);
    if (p->record.partial.final_lsn != 0)
        note(p, " partial %llx done %llu", (unsigned long long)p->record.partial.final_lsn,
             (unsigned long long)p->record.partial.done);
    note(p, "; ");
    report(p);
    return STEP_DONE;
}

static const struct publisher_ops fake_ops = {
    .name = "fake", .put = fake_put, .poll = fake_poll, .commit = fake_commit};

static enum step fake_check(struct publisher *base, const struct batch *batch,
                            const struct message *message, struct error *err)
{
    const struct fake_publisher *p = (const struct fake_publisher *)base;
    (void)batch;
    return span_equal_text(message->value, p->refuse)
               ? error_data(err, REASON_MESSAGE_TOO_LARGE, "too large")
               : STEP_DONE;
}

static const struct publisher_ops checking_ops = {
    .name = "fake", .put = fake_put, .check = fake_check, .poll = fake_poll, .commit = fake_commit};

/* ---- The fixture ---- */

struct fixture {
    struct fake_publisher publisher;
    struct circuit circuit;
    struct config_route routes_items[2];
    struct config_routes routes;
    struct metrics *metrics;
    struct log log;
    struct progress claim;
    struct pace pace;
    struct verdict_facts verdicts;
    struct refusals learnt;
    struct writer writer;
    struct wait wait;
    struct error err;
    int64_t now_us;
};

static int setup(void **state)
{
    static const char *const names[] = {"outbox", "lax"};
    struct fixture *f = calloc(1, sizeof *f);
    f->publisher.base.ops = &fake_ops;
    arena_init(&f->publisher.arena, 4096, 4096);
    assert_int_equal(circuit_open(&f->circuit, 8, 2, 1 << 20, &f->err), 0);
    f->routes_items[0] = script_route();
    f->routes_items[1] = script_route();
    f->routes_items[1].name = script_text("lax");
    f->routes_items[1].on_error = ON_ERROR_SKIP;
    f->routes = (struct config_routes){2, f->routes_items};
    f->metrics = metrics_open("orders", 2, names);
    f->log = (struct log){.level = LOG_DEBUG, .fd = memfd_create("log", MFD_CLOEXEC)};
    f->claim = (struct progress){.relay = "orders",
                                 .generation = 3,
                                 .instance = "me",
                                 .system_identifier = SYSTEM,
                                 .timeline = 1,
                                 .slot = "walferry_orders",
                                 .mode = PROGRESS_WAL,
                                 .position = {0x1000, 0},
                                 .config_hash = "0123456789abcdef"};
    f->verdicts = (struct verdict_facts){
        .routes = &f->routes, .metrics = f->metrics, .log = &f->log, .system_identifier = SYSTEM};
    refusals_init(&f->learnt, 2);
    pace_begin(&f->pace, 1 << 20, 2 * SPLIT_US, f->now_us);
    struct writer_options options = {.publisher = &f->publisher.base,
                                     .circuit = &f->circuit,
                                     .pace = &f->pace,
                                     .verdicts = &f->verdicts,
                                     .claim = &f->claim,
                                     .learnt = &f->learnt,
                                     .split_us = SPLIT_US};
    writer_init(&f->writer, &options);
    f->now_us = 1000000;
    f->writer.wall_us = INT64_C(1700000001000000);
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
    free(f);
    return 0;
}

/* A writer that starts from another claim. */
static void start_over(struct fixture *f)
{
    struct writer_options options = f->writer.o;
    options.claim = &f->claim;
    writer_fini(&f->writer);
    writer_init(&f->writer, &options);
    f->writer.wall_us = INT64_C(1700000001000000);
}

static bool logged(const struct fixture *f, const char *part)
{
    char text[4096] = "";
    ssize_t len = pread(f->log.fd, text, sizeof text - 1, 0);
    return len > 0 && strstr(text, part) != NULL;
}

/* ---- Batches by hand ---- */

static struct batch *take(struct fixture *f)
{
    struct batch *batch = channel_take(f->circuit.empty);
    assert_non_null(batch);
    return batch;
}

static void put_text(struct batch *batch, uint32_t route, uint64_t final_lsn, uint64_t ordinal,
                     const char *value)
{
    struct message *message = batch_next(batch);
    message->topic = SPAN_LITERAL("t");
    message->key = SPAN_LITERAL("key");
    message->value = span_of(value);
    message->route = route;
    message->id = change_id_wal(final_lsn, ordinal);
    batch_add(batch);
}

static void send_whole(struct fixture *f, struct batch *batch, uint64_t end_lsn)
{
    batch->end = (struct position){end_lsn, 0};
    batch->xid = 77;
    batch->commit_time_us = INT64_C(1700000000000000);
    batch->transactions++;
    batch->ends_txn = true;
    channel_send(f->circuit.full, batch);
}

static void send_part(struct fixture *f, struct batch *batch, uint64_t lsn, uint64_t final_lsn,
                      uint64_t done)
{
    batch->end = (struct position){lsn, done};
    batch->partial = (struct partial){.final_lsn = final_lsn, .done = done};
    batch->xid = 77;
    batch->ends_txn = false;
    channel_send(f->circuit.full, batch);
}

static int step(struct fixture *f)
{
    return writer_step(&f->writer, f->now_us, &f->wait, &f->err);
}

/* Steps until the writer waits for something; 0, 1 or -1 as the last step said. */
static int run(struct fixture *f)
{
    for (int i = 0; i < 100; i++) {
        int result = step(f);
        if (result != 0 || f->wait.deadline_us > f->now_us)
            return result;
    }
    fail_msg("the writer does not come to rest");
    return -1;
}

static void journal_is(const struct fixture *f, const char *journal)
{
    assert_string_equal(f->publisher.journal, journal);
}

/* ---- Tests ---- */

static void a_whole_transaction_is_committed_and_returned(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    put_text(batch, 0, 0x1100, 2, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; put b; commit 1110/0; ");
    assert_int_equal(f->publisher.record.generation, 3);
    assert_int_equal(f->publisher.record.xid, 77);
    assert_int_equal(f->publisher.record.at_us, f->writer.wall_us);
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES);
    assert_int_equal(batch->committed.lsn, 0x1110);
    assert_false(writer_busy(&f->writer));
}

static void an_idle_writer_sleeps_on_the_channel(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f), 0);
    assert_int_equal(f->wait.fd_count, 1);
    assert_int_equal(f->wait.fds[0], channel_fd(f->circuit.full));
    assert_true(f->wait.deadline_us - f->now_us >= 100000);
    journal_is(f, "");
}

static void kafka_commits_only_behind_the_end_of_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct batch *first = take(f);
    put_text(first, 0, 0x1100, 1, "a");
    send_part(f, first, 0x1000, 0x1100, 1);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; ");
    /* Its reports are in, so it is returned, stamped with what was committed before. */
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES);
    assert_int_equal(first->committed.lsn, 0x1000);
    assert_int_equal(first->committed.seq, 0);
    struct batch *last = take(f);
    send_whole(f, last, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; commit 1110/0; ");
    assert_int_equal(last->committed.lsn, 0x1110);
}

static void an_unreported_batch_stays(void **state)
{
    struct fixture *f = *state;
    f->publisher.hold_reports = true;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_part(f, batch, 0x1000, 0x1100, 1);
    assert_int_equal(run(f), 0);
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES - 1);
    assert_true(writer_busy(&f->writer));
    f->publisher.hold_reports = false;
    assert_int_equal(run(f), 0);
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES);
}

static void a_claim_comes_before_what_waits_for_new_handles(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct batch *batch = take(f);
        put_text(batch, 0, 0x1100 + (uint64_t)i * 0x100, 1, i == 0 ? "a" : "b");
        send_whole(f, batch, 0x1110 + (uint64_t)i * 0x100);
        f->publisher.slices = 1;
        f->publisher.renew_at = i == 0 ? 0 : 1;
        assert_int_equal(run(f), 0);
    }
    journal_is(f, "put a; commit 1110/0; claim 4: commit 1110/0; put b; commit 1210/0; ");
    assert_int_equal(f->publisher.record.generation, 4);
    assert_string_equal(f->publisher.record.instance, "me");
    assert_int_equal(atomic_load(&f->writer.generation), 4);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_KAFKA), 2);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_IDLE), 0);
}

static void a_mark_is_a_commit_without_messages(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    batch->end = (struct position){0x9000, 0};
    batch->mark = true;
    batch->ends_txn = true;
    channel_send(f->circuit.full, batch);
    assert_int_equal(run(f), 0);
    journal_is(f, "commit 9000/0; ");
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_IDLE), 1);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_KAFKA), 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_POSTGRES), 0);
}

static void a_full_queue_is_waited_for(void **state)
{
    struct fixture *f = *state;
    f->publisher.queue_full = 2;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "");
    assert_true(f->wait.deadline_us > f->now_us);
    assert_int_equal(run(f), 0);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; commit 1110/0; ");
}

static void a_commit_is_called_again_with_the_same_record(void **state)
{
    struct fixture *f = *state;
    f->publisher.slices = 3;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    struct batch *next = take(f);
    put_text(next, 0, 0x1200, 1, "b");
    send_whole(f, next, 0x1210);
    for (int i = 0; i < 5; i++)
        assert_int_equal(step(f), 0);
    /* What comes behind waits until the outcome is known. */
    journal_is(f, "put a; ");
    assert_true(writer_busy(&f->writer));
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; commit 1110/0; put b; commit 1210/0; ");
    assert_int_equal(batch->committed.lsn, 0x1110);
    assert_int_equal(next->committed.lsn, 0x1210);
}

static void a_long_transaction_is_split(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_part(f, batch, 0x1000, 0x1100, 1);
    assert_int_equal(run(f), 0);
    f->now_us += SPLIT_US - 1;
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; ");
    f->now_us += 1;
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; commit 1000/1 partial 1100 done 1; ");
    assert_int_equal(f->publisher.record.partial.part, 1);
    assert_true(logged(f, "transaction.split"));
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_SPLIT), 1);

    batch = take(f);
    put_text(batch, 0, 0x1100, 2, "b");
    send_part(f, batch, 0x1000, 0x1100, 2);
    assert_int_equal(run(f), 0);
    f->now_us += SPLIT_US;
    assert_int_equal(run(f), 0);
    assert_int_equal(f->publisher.record.partial.part, 2);
    batch = take(f);
    put_text(batch, 0, 0x1100, 3, "c");
    send_whole(f, batch, 0x1110);
    batch = take(f);
    put_text(batch, 0, 0x1200, 1, "d");
    send_whole(f, batch, 0x1210);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; commit 1000/1 partial 1100 done 1; "
                  "put b part=2; commit 1000/2 partial 1100 done 2; "
                  "put c part=3; commit 1110/0; put d; commit 1210/0; ");
    assert_int_equal(f->publisher.record.partial.part, 0);
}

/* The age counts from the first message of the Kafka transaction and not from its first batch. */
static void an_old_batch_is_cut_at_its_end(void **state)
{
    struct fixture *f = *state;
    f->publisher.room = 1;
    f->publisher.queue_full = 2;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    put_text(batch, 0, 0x1100, 2, "b");
    send_part(f, batch, 0x1000, 0x1100, 2);
    assert_int_equal(run(f), 0);
    f->now_us += SPLIT_US;
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; put b; commit 1000/2 partial 1100 done 2; ");
    assert_int_equal(batch->committed.seq, 2);
}

static void what_follows_a_recovered_part_is_flagged(void **state)
{
    struct fixture *f = *state;
    f->claim.position.seq = 4;
    f->claim.partial = (struct partial){.final_lsn = 0x1100, .done = 4, .part = 2};
    start_over(f);
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 5, "e");
    put_text(batch, 0, 0x1200, 1, "f");
    f->publisher.queue_full = 1;
    send_whole(f, batch, 0x1210);
    assert_int_equal(run(f), 0);
    assert_int_equal(run(f), 0);
    journal_is(f, "put e part=3; put f; commit 1210/0; ");
}

static void a_refused_message_stops_the_relay(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    put_text(batch, 0, 0x1100, 2, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "put a; ");
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_int_equal(f->err.exit_code, EXIT_DATA);
    assert_string_equal(reason_slug(f->err.reason), "message_too_large");
    assert_string_equal(f->err.text, "route outbox, change 7000-0000000000001100-2: the record has "
                                     "9 bytes, the topic takes 5");
    assert_advice(f->err,
                  "mend route outbox in the file, or what its rows hold, and start again; only "
                  "to lose this change for good: walferry skip 7000-0000000000001100-2 --route "
                  "outbox");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 0), 0);
}

static void a_refused_message_is_skipped_where_its_route_says_so(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "a");
    put_text(batch, 1, 0x1100, 2, "b");
    put_text(batch, 1, 0x1100, 3, "c");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; put c; commit 1110/0; ");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 1);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 1), 2);
    assert_true(logged(f, "message.skipped"));
    assert_true(logged(f, "id=7000-0000000000001100-2"));
}

/* What one route makes of a change is published whole or not at all; the other route's is its own
 * matter. */
static void what_follows_a_refused_message_of_its_unit_is_left_out(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "b");
    put_text(batch, 1, 0x1100, 1, "c");
    put_text(batch, 0, 0x1100, 1, "d");
    put_text(batch, 1, 0x1100, 2, "e");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "put d; put e; commit 1110/0; ");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 1);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 1), 1);
    assert_int_equal(f->learnt.count, 0);
}

static void a_message_refused_behind_another_of_its_unit_begins_anew(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "a");
    put_text(batch, 1, 0x1100, 1, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "put a; ");
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "record_refused");
    assert_string_equal(f->err.text, "one of several records of a change: the record has 9 bytes, "
                                     "the topic takes 5");
    assert_int_equal(f->learnt.count, 1);
    const struct verdict_refusal *refusal = &f->learnt.items[0];
    assert_true(
        verdict_unit_equal(refusal->unit, (struct verdict_unit){change_id_wal(0x1100, 1), 1}));
    assert_string_equal(reason_slug(refusal->reason), "message_too_large");
    assert_string_equal(refusal->text, "the record has 9 bytes, the topic takes 5");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 0);
}

/* What can be seen before anything of the unit is out costs no epoch. */
static void all_of_a_unit_is_looked_at_before_its_first_message(void **state)
{
    struct fixture *f = *state;
    f->publisher.base.ops = &checking_ops;
    f->publisher.refuse = "b";
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    put_text(batch, 1, 0x1100, 2, "c");
    put_text(batch, 1, 0x1100, 2, "b");
    put_text(batch, 0, 0x1100, 2, "d");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "put a; put d; commit 1110/0; ");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 1);
}

/* Where keys are held the reader alone makes letters, and each refusal would cost an epoch. */
static void what_else_can_be_seen_to_be_refused_is_learnt_with_it(void **state)
{
    struct fixture *f = *state;
    f->publisher.base.ops = &checking_ops;
    f->publisher.refuse = "b";
    f->routes_items[1].on_error = ON_ERROR_DEAD_LETTER;
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "a");
    put_text(batch, 1, 0x1100, 2, "b");
    put_text(batch, 1, 0x1100, 3, "c");
    put_text(batch, 1, 0x1100, 4, "b");
    put_text(batch, 0, 0x1100, 5, "b"); /* its route says stop */
    put_text(batch, 1, 0x1100, 6, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    journal_is(f, "put a; ");
    assert_int_equal(f->learnt.count, 2);
    assert_non_null(refusals_find(&f->learnt, (struct verdict_unit){change_id_wal(0x1100, 2), 1}));
    assert_non_null(refusals_find(&f->learnt, (struct verdict_unit){change_id_wal(0x1100, 4), 1}));
}

/* Else the next epoch would publish it again, to be cut, and so for ever. */
static void what_could_not_be_cut_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    const struct verdict_unit unit = {change_id_wal(0x1100, 1), 1};
    struct error err = ERROR_INIT;
    f->publisher.base.ops = &checking_ops;
    f->publisher.base.excess = 2;
    f->publisher.refuse = "b";
    f->routes_items[1].on_error = ON_ERROR_DEAD_LETTER;
    f->routes_items[1].oversize.policy = OVERSIZE_TRUNCATE;
    f->routes_items[1].oversize.field = script_text("a");
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    f->verdicts.refused = &f->learnt;
    assert_false(verdict_measures(&f->verdicts, unit));
    assert_int_equal(verdict_before(&f->verdicts, unit, &err), VERDICT_DEAD_LETTER);
}

/* Behind a record that the broker has refused by itself nothing is committed, but all is sent. */
static void what_else_is_refused_is_learnt_at_once(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    f->publisher.by_broker = true;
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "a");
    put_text(batch, 1, 0x1100, 1, "b");
    put_text(batch, 1, 0x1100, 1, "of its unit");
    put_text(batch, 1, 0x1100, 2, "b");
    put_text(batch, 1, 0x1100, 3, "d");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    journal_is(f, "put a; put d; ");
    assert_int_equal(f->learnt.count, 2);
    assert_non_null(refusals_find(&f->learnt, (struct verdict_unit){change_id_wal(0x1100, 1), 1}));
    assert_non_null(refusals_find(&f->learnt, (struct verdict_unit){change_id_wal(0x1100, 2), 1}));
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 0);
}

/* Two are remembered here; a route that ends the relay needs no second one. */
static void learning_ends_where_nothing_is_gained(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    f->publisher.by_broker = true;
    struct batch *batch = take(f);
    for (uint64_t n = 1; n <= 4; n++)
        put_text(batch, 1, 0x1100, n, n < 4 ? "b" : "d");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "");
    assert_int_equal(f->learnt.count, 2);
    assert_string_equal(f->err.text, "one record by itself: the record has 9 bytes, the topic "
                                     "takes 5");
}

static void one_refusal_is_enough_where_it_is_the_end(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    f->publisher.by_broker = true;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "b");
    put_text(batch, 0, 0x1100, 2, "d");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "");
    assert_int_equal(f->learnt.count, 1);
}

static void behind_a_cut_the_part_is_committed(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    batch->cut = true;
    send_part(f, batch, 0x1000, 0x1100, 7);
    assert_int_equal(run(f), 0);
    journal_is(f, "commit 1000/7 partial 1100 done 7; ");
}

/* Behind a refusal the writer looks at the clock. */
static void run_on(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        assert_int_equal(run(f), 0);
}

/* Also the second of a unit; and what cannot be cut is as on_error says. */
static void what_is_too_large_is_cut(void **state)
{
    struct fixture *f = *state;
    f->publisher.base.ops = &checking_ops;
    f->publisher.base.excess = 2;
    f->publisher.refuse = "{\"a\":\"0123456789012345678901234567890123456789"
                          "012345678901234567890123456789\"}";
    f->routes_items[1].oversize.policy = OVERSIZE_TRUNCATE;
    f->routes_items[1].oversize.field = script_text("a");
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, f->publisher.refuse);
    put_text(batch, 1, 0x1100, 2, "x");
    put_text(batch, 1, 0x1100, 2, f->publisher.refuse);
    send_whole(f, batch, 0x1110);
    run_on(f);
    journal_is(f, "put {\"a\":\"01234567\"}; put x; put {\"a\":\"01234567\"}; commit 1110/0; ");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_TRUNCATED, 1), 2);
    f->routes_items[1].oversize.field = script_text("b");
    batch = take(f);
    put_text(batch, 1, 0x1200, 1, f->publisher.refuse);
    send_whole(f, batch, 0x1210);
    run_on(f);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 1);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_TRUNCATED, 1), 2);
}

/* It would be cut again and again for what stands behind it. */
static void the_first_of_a_unit_is_not_cut_for_the_second(void **state)
{
    struct fixture *f = *state;
    f->publisher.base.ops = &checking_ops;
    f->publisher.base.excess = 2;
    f->publisher.refuse = "{\"b\":\"0123456789\"}";
    f->routes_items[1].oversize.policy = OVERSIZE_TRUNCATE;
    f->routes_items[1].oversize.field = script_text("a");
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1,
             "{\"a\":\"0123456789012345678901234567890123456789"
             "012345678901234567890123456789\"}");
    put_text(batch, 1, 0x1100, 1, f->publisher.refuse);
    send_whole(f, batch, 0x1110);
    run_on(f);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_TRUNCATED, 1), 0);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 1), 1);
}

/* Though on_error says stop: the next epoch cuts them. */
static void all_that_is_to_be_cut_is_learnt_at_once(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    f->publisher.by_broker = true;
    f->routes_items[0].oversize.policy = OVERSIZE_TRUNCATE;
    f->routes_items[0].oversize.field = script_text("a");
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "b");
    put_text(batch, 0, 0x1100, 2, "b");
    send_whole(f, batch, 0x1110);
    for (int i = 0; i < 5 && f->err.kind == ERROR_NONE; i++)
        (void)run(f);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_int_equal(f->learnt.count, 2);
}

/* A store that answers when it is told to, and writes into the publisher's journal. */
struct fake_claims {
    struct claim_store base;
    struct fake_publisher *publisher;
    uint32_t slices; /* not committed yet */
    struct error fails;
};

static enum step fake_claim(struct claim_store *base, struct span id, struct span payload,
                            const char *keep, int64_t now_us, struct claim_receipt *receipt,
                            struct error *err)
{
    struct fake_claims *c = (struct fake_claims *)base;
    (void)now_us;
    assert_string_equal(keep, "2h");
    if (c->fails.kind != ERROR_NONE) {
        *err = c->fails;
        return STEP_FAILED;
    }
    if (c->slices > 0) {
        c->slices--;
        return STEP_WAIT;
    }
    note(c->publisher, "claim %.*s of %zu; ", SPAN_ARG(id), payload.len);
    snprintf(receipt->id, sizeof receipt->id, "%.*s", SPAN_ARG(id));
    snprintf(receipt->sha256, sizeof receipt->sha256, "5e");
    return STEP_DONE;
}

static const struct claim_store_ops fake_claim_ops = {.put = fake_claim};

static struct fake_claims claims_of(struct fixture *f)
{
    f->publisher.base.ops = &checking_ops;
    f->routes_items[0].oversize.policy = OVERSIZE_CLAIM_CHECK;
    f->routes_items[0].oversize.keep = script_text("2h");
    return (struct fake_claims){.base.ops = &fake_claim_ops, .publisher = &f->publisher};
}

static void put_large(struct fixture *f, struct batch *batch, uint64_t ordinal, const char *id)
{
    put_text(batch, 0, 0x1100, ordinal, f->publisher.refuse);
    batch->messages[batch->count - 1].claim_id = span_of(id);
}

/* Also the second of a unit. Nothing is handed over before the answer. */
static void a_reference_follows_what_it_refers_to(void **state)
{
    struct fixture *f = *state;
    char large[2000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    struct fake_claims claims = claims_of(f);
    f->writer.shortener.claims = &claims.base;
    f->publisher.refuse = large;
    claims.slices = 3;
    struct batch *batch = take(f);
    put_large(f, batch, 1, "a");
    put_text(batch, 0, 0x1100, 2, "y");
    put_large(f, batch, 2, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), 0);
    journal_is(f, "");
    for (int i = 0; i < 12; i++)
        assert_int_equal(run(f), 0);
    journal_is(f, "claim a of 1999; put {\"id\":\"a\",\"bytes\":1999,\"sha256\":\"5e\"}; "
                  "claim b of 1999; put y; put {\"id\":\"b\",\"bytes\":1999,\"sha256\":\"5e\"}; "
                  "commit 1110/0; ");
    assert_int_equal(metrics_get_route(f->metrics, METRIC_CLAIMS, 0), 2);
}

static void without_its_row_no_reference_goes_out(void **state)
{
    struct fixture *f = *state;
    char large[2000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    struct fake_claims claims = claims_of(f);
    f->writer.shortener.claims = &claims.base;
    f->publisher.refuse = large;
    error_retry(&claims.fails, REASON_DATABASE, "no answer");
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "y");
    put_large(f, batch, 2, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "put y; ");
    assert_int_equal(f->err.kind, ERROR_RETRY);
}

/* What is no larger than a reference would be is as on_error says. */
static void what_is_small_is_not_put_away(void **state)
{
    struct fixture *f = *state;
    struct fake_claims claims = claims_of(f);
    f->writer.shortener.claims = &claims.base;
    f->publisher.refuse = "small";
    f->routes_items[0].on_error = ON_ERROR_SKIP;
    struct batch *batch = take(f);
    put_large(f, batch, 1, "a");
    put_text(batch, 0, 0x1100, 2, "y");
    send_whole(f, batch, 0x1110);
    run_on(f);
    journal_is(f, "put y; commit 1110/0; ");
}

static void oversize_has_a_policy_of_its_own(void **state)
{
    struct fixture *f = *state;
    f->publisher.refuse = "b";
    f->routes_items[0].oversize.policy = OVERSIZE_SKIP;
    f->routes_items[1].oversize.policy = OVERSIZE_STOP;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "b");
    put_text(batch, 0, 0x1100, 2, "a");
    put_text(batch, 1, 0x1100, 3, "b");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    journal_is(f, "put a; ");
    assert_int_equal(f->err.kind, ERROR_DATA);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_SKIPPED, 0), 1);
}

static void an_error_of_the_broker_is_not_the_messages(void **state)
{
    struct fixture *f = *state;
    error_retry(&f->publisher.polls, REASON_FENCED, "fenced");
    struct batch *batch = take(f);
    put_text(batch, 1, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    assert_string_equal(reason_slug(f->err.reason), "fenced");
    assert_string_equal(f->err.text, "fenced");
    assert_int_equal(f->publisher.calls, 1); /* I5: the poll that failed was the last */
}

static void an_unknown_outcome_is_handed_up(void **state)
{
    struct fixture *f = *state;
    error_retry(&f->publisher.commits, REASON_COMMIT_OUTCOME_UNKNOWN, "the outcome is not known");
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    assert_int_equal(run(f), -1);
    assert_string_equal(reason_slug(f->err.reason), "commit_outcome_unknown");
    /* I1: nobody is told of a commit, the batch is not returned. */
    assert_int_equal(channel_count(f->circuit.empty), CIRCUIT_BATCHES - 1);
    assert_int_equal(f->writer.last.position.lsn, 0x1000);
    uint32_t calls = f->publisher.calls;
    writer_fini(&f->writer);
    assert_int_equal(f->publisher.calls, calls);
    f->writer.record_json = f->writer.tail_resume = f->writer.last_resume = BUF_EMPTY;
}

static struct batch *returned(struct fixture *f)
{
    struct batch *back = NULL;
    for (size_t i = channel_count(f->circuit.empty); i > 0; i--) {
        struct batch *batch = take(f);
        if (back == NULL && batch->committed.lsn != 0)
            back = batch;
        else
            channel_send(f->circuit.empty, batch);
    }
    assert_non_null(back);
    return back;
}

/* The source's own part is what the record of the stamped position holds, whatever the batch that
 * carries it was. */
static void a_batch_is_returned_with_the_resume_of_what_is_committed(void **state)
{
    struct fixture *f = *state;
    f->claim.resume = span_of("{\"last\":0}");
    start_over(f);
    struct batch *first = take(f);
    put_text(first, 0, 0x1100, 1, "a");
    first->resume = span_of("{\"last\":1}");
    send_part(f, first, 0x1000, 0x1100, 1);
    assert_int_equal(run(f), 0);
    assert_true(span_equal_text(returned(f)->committed_resume, "{\"last\":0}"));

    struct batch *second = take(f);
    put_text(second, 0, 0x1100, 2, "b");
    second->resume = arena_copy(&second->arena, span_of("{\"last\":2}"));
    send_whole(f, second, 0x1110);
    assert_int_equal(run(f), 0);
    assert_true(span_equal_text(f->publisher.record.resume, "{\"last\":2}"));
    struct batch *back = returned(f);
    assert_int_equal(back->committed.lsn, 0x1110);
    assert_true(span_equal_text(back->committed_resume, "{\"last\":2}"));
    batch_reset(back);

    /* Nothing of a batch that is gone is used. */
    struct batch *third = back;
    put_text(third, 0, 0x1200, 1, "c");
    third->resume = span_of("{\"last\":3}");
    send_part(f, third, 0x1110, 0x1200, 1);
    assert_int_equal(run(f), 0);
    assert_true(span_equal_text(returned(f)->committed_resume, "{\"last\":2}"));
}

static void commits_are_counted(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "abcd");
    put_text(batch, 1, 0x1200, 1, "ef");
    batch->transactions = 4;
    send_whole(f, batch, 0x1210);
    assert_int_equal(run(f), 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_KAFKA), 1);
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_POSTGRES), 5);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 0), 1);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENT_BYTES, 0), 7);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENT_BYTES, 1), 5);
    struct buf page = BUF_EMPTY;
    metrics_write(f->metrics, &page);
    assert_non_null(strstr(buf_text(&page), "walferry_visible_seconds_sum{relay=\"orders\"} 1"));
    assert_non_null(strstr(buf_text(&page), "walferry_commit_seconds_count{relay=\"orders\"} 1"));
    buf_fini(&page);
}

/* An epoch that ends right behind a commit counts it all the same. */
static void the_last_commit_of_an_epoch_is_counted(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    for (int i = 0; i < 100 && f->writer.last.position.lsn != 0x1110; i++)
        assert_int_equal(step(f), 0);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 0), 0);
    writer_settle(&f->writer, f->now_us);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 0), 1);
    writer_settle(&f->writer, f->now_us);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 0), 1);
}

/* Nothing counts that was not committed. */
static void events_are_counted_with_their_commit(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_part(f, batch, 0x1000, 0x1100, 1);
    assert_int_equal(run(f), 0);
    assert_int_equal(metrics_get_route(f->metrics, METRIC_EVENTS, 0), 0);
}

static void it_ends_once_the_reader_has_ended_and_all_is_committed(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_whole(f, batch, 0x1110);
    channel_finish(f->circuit.full, NULL);
    assert_int_equal(run(f), 1);
    journal_is(f, "put a; commit 1110/0; ");
    assert_int_equal(metrics_get(f->metrics, METRIC_TRANSACTIONS_KAFKA), 1);
}

static void what_ends_in_mid_transaction_is_left_to_be_aborted(void **state)
{
    struct fixture *f = *state;
    struct batch *batch = take(f);
    put_text(batch, 0, 0x1100, 1, "a");
    send_part(f, batch, 0x1000, 0x1100, 1);
    channel_finish(f->circuit.full, NULL);
    assert_int_equal(run(f), 1);
    journal_is(f, "put a; ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_transaction_is_committed_and_returned),
        TEST(an_idle_writer_sleeps_on_the_channel),
        TEST(kafka_commits_only_behind_the_end_of_a_transaction),
        TEST(an_unreported_batch_stays),
        TEST(a_claim_comes_before_what_waits_for_new_handles),
        TEST(a_mark_is_a_commit_without_messages),
        TEST(a_full_queue_is_waited_for),
        TEST(a_commit_is_called_again_with_the_same_record),
        TEST(a_long_transaction_is_split),
        TEST(an_old_batch_is_cut_at_its_end),
        TEST(what_follows_a_recovered_part_is_flagged),
        TEST(a_refused_message_stops_the_relay),
        TEST(a_refused_message_is_skipped_where_its_route_says_so),
        TEST(what_follows_a_refused_message_of_its_unit_is_left_out),
        TEST(a_message_refused_behind_another_of_its_unit_begins_anew),
        TEST(all_of_a_unit_is_looked_at_before_its_first_message),
        TEST(what_else_can_be_seen_to_be_refused_is_learnt_with_it),
        TEST(what_could_not_be_cut_is_not_tried_again),
        TEST(what_else_is_refused_is_learnt_at_once),
        TEST(learning_ends_where_nothing_is_gained),
        TEST(one_refusal_is_enough_where_it_is_the_end),
        TEST(behind_a_cut_the_part_is_committed),
        TEST(what_is_too_large_is_cut),
        TEST(the_first_of_a_unit_is_not_cut_for_the_second),
        TEST(all_that_is_to_be_cut_is_learnt_at_once),
        TEST(a_reference_follows_what_it_refers_to),
        TEST(without_its_row_no_reference_goes_out),
        TEST(what_is_small_is_not_put_away),
        TEST(oversize_has_a_policy_of_its_own),
        TEST(an_error_of_the_broker_is_not_the_messages),
        TEST(an_unknown_outcome_is_handed_up),
        TEST(a_batch_is_returned_with_the_resume_of_what_is_committed),
        TEST(commits_are_counted),
        TEST(the_last_commit_of_an_epoch_is_counted),
        TEST(events_are_counted_with_their_commit),
        TEST(it_ends_once_the_reader_has_ended_and_all_is_committed),
        TEST(what_ends_in_mid_transaction_is_left_to_be_aborted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
