/* relay/writer: see writer.h. Held batches form a queue: those before the newest are wholly
 * produced. A batch without ends_txn is returned when its reports are in, one with it after its
 * commit. I4 is kept here: the record handed to publisher_commit() is the one of the batch, or of
 * the part of it, that was produced last. */
#include "relay/writer.h"

#include "base/crash.h"
#include "encode/encode.h"
#include "model/header_name.h"
#include "relay/learn.h"
#include "source/source.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How often reports are asked for while nothing else wakes the loop. */
#define REPORT_POLL_US 1000
#define IDLE_POLL_US 500000
#define REPORT_WAIT_MS 10
/* After so many messages the clock is looked at. */
#define MESSAGES_PER_STEP 64

void writer_init(struct writer *writer, const struct writer_options *options)
{
    assert(options->publisher != NULL && options->circuit != NULL);
    assert(options->claim != NULL && options->pace != NULL && options->split_us > 0);
    assert(options->claim->generation > 0); /* I6: the open sequence has claimed */
    assert(options->learnt != NULL && options->learnt->count == 0);
    assert(options->verdicts != NULL && options->verdicts->metrics != NULL);
    assert(options->verdicts->routes->count <= CONFIG_ROUTES_MAX);
    *writer = (struct writer){.o = *options,
                              .last = *options->claim,
                              .generation = options->claim->generation,
                              .tracer = {.ring = options->traces, .id_header = options->id_header}};
    shortener_init(&writer->shortener, options->verdicts, options->publisher, options->claims,
                   options->trouble);
}

void writer_fini(struct writer *writer)
{
    tracer_fini(&writer->tracer);
    buf_fini(&writer->record_json);
    buf_fini(&writer->tail_resume);
    buf_fini(&writer->last_resume);
}

bool writer_busy(const struct writer *writer)
{
    return writer->held_count > 0;
}

static struct batch *newest(const struct writer *w)
{
    assert(w->held_count > 0);
    return w->held[w->held_count - 1];
}

static void give_back(struct writer *w, struct batch *batch)
{
    batch->committed = w->last.position;
    batch->committed_resume =
        w->last.resume.ptr != NULL ? arena_copy(&batch->arena, w->last.resume) : span_null();
    channel_send(w->o.circuit->empty, batch);
}

/* Batches in the middle of a transaction whose reports are in. The newest stays while it is being
 * produced. */
static void reclaim_reported(struct writer *w)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->held_count; i++) {
        struct batch *batch = w->held[i];
        bool producing = w->phase != WRITER_WAITING && i + 1 == w->held_count;
        if (!producing && !batch->ends_txn && batch->outstanding == 0)
            give_back(w, batch);
        else
            w->held[kept++] = batch;
    }
    w->held_count = kept;
}

/* ---- Commit ---- */

/* The bytes of *resume, which live in a batch, become the writer's own. */
static void keep_resume(struct buf *kept, struct span *resume)
{
    buf_reset(kept);
    buf_add(kept, *resume);
    *resume = resume->ptr != NULL ? buf_span(kept) : span_null();
}

/* Batches in the middle of a transaction are returned before it is committed, so what the record
 * needs of the last one is kept apart. */
static void keep_tail(struct writer *w, const struct batch *batch)
{
    struct batch_ended before = w->tail.ended;
    w->tail = *batch;
    if (batch->ended.xid == 0 && !batch->ended.unknown)
        w->tail.ended = before;
    keep_resume(&w->tail_resume, &w->tail.resume);
    if (batch->transactions > w->cut_transactions)
        w->txn_transactions += batch->transactions - w->cut_transactions;
    w->cut_transactions = 0;
}

/* The same for the newest batch as far as it is produced: up to the end of a transaction where the
 * next message belongs to another one, else in the middle of it. What lies between two transactions
 * with messages has none. */
static void keep_cut(struct writer *w)
{
    const struct batch *batch = newest(w);
    assert(w->next > 0 && w->next < batch->count && batch->resume.ptr == NULL);
    const struct message *done = &batch->messages[w->next - 1];
    const struct message *next = &batch->messages[w->next];
    uint32_t counted = w->cut_transactions;
    keep_tail(w, &(struct batch){.ended = {.unknown = true}});
    w->cut_transactions = counted;
    w->tail.ends_txn = done->id.final_lsn != next->id.final_lsn;
    w->tail.end = done->position;
    w->tail.partial = (struct partial){.final_lsn = done->id.final_lsn, .done = done->position.seq};
    if (!w->tail.ends_txn)
        return;
    w->tail.end = (struct position){next->position.lsn, 0};
    w->tail.partial = (struct partial){0};
    w->cut_transactions++;
    w->txn_transactions++;
}

static void note_looks(const struct writer *w, struct progress *record)
{
    struct progress_fingerprint *f = &record->fingerprint;
    if (f->hash[0] == '\0')
        return;
    if (w->published_lsn > f->lsn)
        f->lsn = w->published_lsn;
    if (w->untouched_xid > f->xid && record->position.lsn >= w->untouched_lsn)
        f->xid = w->untouched_xid;
}

/* That a claimed row is behind is told by the record that holds its window, and by no place. */
static void drop_claimed_skips(struct progress *record)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < record->skip_count; i++)
        if (!claim_resume_has(record->resume, record->skips[i].id))
            record->skips[kept++] = record->skips[i];
    record->skip_count = kept;
}

static void begin_commit(struct writer *w, int64_t now_us)
{
    assert(w->phase != WRITER_COMMITTING);
    if (!w->tail.ends_txn) {
        bool same = w->last.partial.final_lsn == w->tail.partial.final_lsn;
        w->tail.partial.part = same ? w->last.partial.part + 1 : 1;
    }
    progress_advance(&w->last, &w->tail, w->wall_us, &w->record);
    drop_claimed_skips(&w->record);
    note_looks(w, &w->record);
    if (w->record.last.xid8 == 0)
        w->record.last.xid8 = progress_xid8(w->record.last.xid, w->next_xid);
    buf_reset(&w->record_json);
    progress_encode(&w->record, &w->record_json);
    w->commit_began_us = now_us;
    w->reported = false;
    w->phase = WRITER_COMMITTING;
}

/* Called in the step after the commit, because the commit itself takes time. */
static void count_commit(struct writer *w, int64_t now_us)
{
    struct metrics *metrics = w->o.verdicts->metrics;
    w->committed_uncounted = false;
    enum metric kind = METRIC_TRANSACTIONS_KAFKA;
    if (w->tail.mark)
        kind = METRIC_TRANSACTIONS_IDLE;
    else if (!w->tail.ends_txn)
        kind = METRIC_TRANSACTIONS_SPLIT;
    metrics_add(metrics, kind, 1);
    metrics_add(metrics, METRIC_TRANSACTIONS_POSTGRES, w->txn_transactions);
    for (uint32_t i = 0; i < w->o.verdicts->routes->count; i++) {
        metrics_add_route(metrics, METRIC_EVENTS, i, w->txn_events[i]);
        metrics_add_route(metrics, METRIC_EVENT_BYTES, i, w->txn_bytes[i]);
        metrics_add_route(metrics, METRIC_DEAD_LETTERS, i, w->txn_letters[i]);
    }
    metrics_observe_us(metrics, METRIC_COMMIT_SECONDS, now_us - w->commit_began_us);
    int64_t age_us = w->wall_us - w->tail.commit_time_us;
    if (w->tail.commit_time_us != 0 && !w->tail.mark)
        metrics_observe_us(metrics, METRIC_VISIBLE_SECONDS, age_us > 0 ? age_us : 0);
    tracer_commit(&w->tracer, w->wall_us);
    w->txn_transactions = 0;
    memset(w->txn_events, 0, sizeof w->txn_events);
    memset(w->txn_bytes, 0, sizeof w->txn_bytes);
    memset(w->txn_letters, 0, sizeof w->txn_letters);
}

static void log_split(const struct writer *w)
{
    char lsn[LSN_TEXT_MAX], part[16], done[24];
    snprintf(part, sizeof part, "%" PRIu32, w->last.partial.part);
    snprintf(done, sizeof done, "%" PRIu64, w->last.partial.done);
    log_event(w->o.verdicts->log, LOG_WARN, "transaction.split", "final_lsn",
              lsn_format(w->last.partial.final_lsn, lsn), "#part", part, "#changes", done, NULL);
}

/* Behind a cut the next message belongs to another part. */
static void unflag(struct writer *w)
{
    assert(!w->sent);
    if (!w->flagged)
        return;
    struct message *message = &newest(w)->messages[w->next];
    message->headers = w->plain_headers;
    message->header_count = w->plain_header_count;
    w->flagged = false;
}

static void commit_done(struct writer *w)
{
    assert(position_compare(w->record.position, w->last.position) > 0); /* I3 */
    remember_events(&w->o.remember, w->last.position, w->wall_us, w->held, w->held_count);
    w->last = w->record;
    w->tail.ended = (struct batch_ended){.xid = 0};
    keep_resume(&w->last_resume, &w->last.resume);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < w->held_count; i++) {
        struct batch *batch = w->held[i];
        assert(batch->outstanding == 0);
        if (i + 1 == w->held_count && w->next < batch->count)
            w->held[kept++] = batch; /* it was cut */
        else
            give_back(w, batch);
    }
    w->held_count = kept;
    w->txn_opened_us = 0;
    if (kept == 0) /* else what comes next may refer to something already */
        shortener_settle(&w->shortener);
    w->phase = kept > 0 ? WRITER_PRODUCING : WRITER_WAITING;
    w->committed_uncounted = true;
    pace_committed(w->o.pace);
    unflag(w);
    if (!w->tail.ends_txn) {
        log_split(w);
        CRASH_POINT("C9");
    }
}

static uint64_t in_flight(const struct writer *w)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < w->held_count; i++)
        bytes += w->held[i]->outstanding_bytes;
    return bytes;
}

/* DONE: what is to be committed refers to nothing, or all of it is reported, and was fresh then. */
static enum step check_references(struct writer *w, struct error *err)
{
    if (!shortener_refers(&w->shortener))
        return STEP_DONE;
    bool reported = w->reported; /* in a step before: now is after that */
    w->reported = in_flight(w) == 0;
    if (reported)
        return shortener_check_fresh(&w->shortener, err) < 0 ? STEP_FAILED : STEP_DONE;
    if (w->reported)
        return STEP_WAIT;
    return publisher_poll(w->o.publisher, REPORT_WAIT_MS, err) < 0 ? STEP_FAILED : STEP_WAIT;
}

static enum step commit_step(struct writer *w, struct error *err)
{
    assert(position_compare(w->record.position, w->tail.end) == 0); /* I4: of what went before */
    enum step fresh = check_references(w, err);
    if (fresh != STEP_DONE)
        return fresh;
    enum step result = publisher_commit(w->o.publisher, buf_span(&w->record_json), err);
    if (result == STEP_DONE)
        commit_done(w);
    return result;
}

/* ---- Claim ---- */

/* The publisher's handles are new: before what waits comes a claim of the same place. */
static void begin_claim(struct writer *w)
{
    assert(w->phase == WRITER_PRODUCING && w->txn_opened_us == 0 && !w->sent);
    w->record = w->last;
    w->record.generation++; /* I3 */
    w->record.rebased.present = false;
    w->record.at_us = w->wall_us;
    buf_reset(&w->record_json);
    progress_encode(&w->record, &w->record_json);
    w->phase = WRITER_CLAIMING;
}

static enum step claim_step(struct writer *w, struct error *err)
{
    enum step result = publisher_commit(w->o.publisher, buf_span(&w->record_json), err);
    if (result == STEP_DONE) {
        w->last = w->record;
        atomic_store(&w->generation, w->last.generation);
        w->phase = WRITER_PRODUCING;
    }
    return result;
}

/* ---- Produce ---- */

static struct verdict_unit unit_of(const struct message *message)
{
    return (struct verdict_unit){message->id, message->route};
}

/* The next epoch asks about the unit before it begins: one part of what a route makes of a change
 * is out, and another was refused (what is out comes back only with the whole Kafka transaction),
 * or it has no dead letter, which the reader makes when it meets the change again. uncut: to cut it
 * was tried before, and is not to be tried again. */
static int begin_anew(struct writer *w, struct verdict_unit unit, bool uncut, const char *what,
                      struct error *err)
{
    struct error cause = *err;
    learn_refusal(w->o.learnt, unit, uncut, &cause);
    return error_retry(err, REASON_RECORD_REFUSED, "%s: %s", what, cause.text);
}

/* The transaction is lost. All that it would have held is sent all the same, to learn in one epoch
 * what else is refused; `by_broker`: this is, and else it can be seen again. */
static int on_refused_for_good(struct writer *w, const struct message *message, bool by_broker,
                               struct error *err)
{
    struct verdict_unit unit = unit_of(message);
    w->passed_over = unit;
    if (by_broker && (!learn_refusal(w->o.learnt, unit, message->measured, err) ||
                      verdict_ends(w->o.verdicts, unit, err)))
        return begin_anew(w, unit, message->measured, "one record by itself", err);
    *err = ERROR_INIT;
    return 0;
}

/* Behind a dead letter there is nothing but itself without its value. */
static int on_refused_letter(struct writer *w, struct message *letter, struct error *err)
{
    letter->headers = w->plain_headers;
    letter->header_count = w->plain_header_count;
    if (err->reason == REASON_MESSAGE_TOO_LARGE && letter_truncate(letter, &newest(w)->arena)) {
        *err = ERROR_INIT;
        return 1;
    }
    return verdict_on_letter(w->o.verdicts, unit_of(letter), err);
}

static void take_letter(struct writer *w, struct message *message, const struct error *why)
{
    struct batch *batch = newest(w);
    struct span topic = message->topic;
    w->passed_over = unit_of(message);
    *message = *message->letter;
    letter_blame(message, why, topic, &batch->arena);
    batch->refused = true;
}

/* 0: on behind the message. 1: something else stands in its place. 2: what is to stand there is not
 * ready. before: what the broker had refused until then. */
static int on_refused(struct writer *w, struct message *message, uint32_t before, struct error *err)
{
    uint32_t refusals = w->o.publisher->refusals;
    if (err->kind != ERROR_DATA)
        return -1;
    if (message->dead_letter)
        return refusals > before ? verdict_on_letter(w->o.verdicts, unit_of(message), err)
                                 : on_refused_letter(w, message, err);
    if (message->own_state)
        return verdict_on_state(message->topic, err);
    if (refusals > 0)
        return on_refused_for_good(w, message, refusals > before, err);
    struct verdict_unit unit = unit_of(message);
    if (!message_has_route(unit.route)) {
        verdict_on_own(w->o.verdicts, unit, err);
        return 0;
    }
    message->headers = w->plain_headers;
    message->header_count = w->plain_header_count;
    enum shortened shortened = SHORTENED_NOT;
    if (!w->rest_refused)
        shortened = shorten(&w->shortener, message, &newest(w)->arena, err);
    if (shortened != SHORTENED_NOT)
        return shortened == SHORTENED_FAILED ? -1 : shortened == SHORTENED ? 1 : 2;
    bool tried = message->measured || w->o.publisher->excess > 0;
    if (message->replayed)
        return begin_anew(w, unit, tried, "a dead letter that is sent again", err);
    if (verdict_unit_equal(unit, w->produced))
        return begin_anew(w, unit, tried, "one of several records of a change", err);
    if (message->letter == NULL && verdict_wants_letters(w->o.verdicts, unit.route)) {
        (void)begin_anew(w, unit, tried, "the next epoch makes a dead letter of a change", err);
        learn_ahead(w->o.learnt, w->o.publisher, w->o.verdicts, newest(w), w->next + 1);
        return -1;
    }
    switch (verdict_on_message(w->o.verdicts, unit, err)) {
    case VERDICT_PASS_OVER:
        w->passed_over = unit;
        return 0;
    case VERDICT_DEAD_LETTER:
        take_letter(w, message, err);
        *err = ERROR_INIT;
        return 1;
    case VERDICT_PUBLISH:
    case VERDICT_HOLD:
        assert(false);
        return -1;
    case VERDICT_END:
        return -1;
    }
    return -1;
}

static bool is_of_last_part(const struct writer *w, const struct message *message)
{
    const struct progress *last = &w->last;
    if (last->partial.final_lsn == 0)
        return false;
    /* The id of a polled row does not name its window; its position begins with it. */
    return change_id_is_polled(message->id) ? message->position.lsn == last->position.lsn
                                            : message->id.final_lsn == last->partial.final_lsn;
}

/* What belongs to a transaction of which parts are committed already says so. The batch is the
 * writer's until it is returned, its arena too. */
static void flag_part(const struct writer *w, struct batch *batch, struct message *message)
{
    if (!is_of_last_part(w, message))
        return;
    uint32_t count = message->header_count;
    struct header *headers = arena_alloc(&batch->arena, (count + 1) * sizeof *headers);
    for (uint32_t i = 0; i < count; i++)
        headers[i] = message->headers[i];
    const char *part = arena_format(&batch->arena, "%" PRIu32, w->last.partial.part + 1);
    headers[count] = (struct header){SPAN_LITERAL(HEADER_PART), span_of(part)};
    message->headers = headers;
    message->header_count = count + 1;
}

static void count_message(struct writer *w, const struct message *message)
{
    if (message->dead_letter) {
        w->txn_letters[message->route]++;
        return;
    }
    if (!message_has_route(message->route))
        return;
    w->txn_events[message->route]++;
    w->txn_bytes[message->route] += message->bytes;
    if (w->tracer.on)
        tracer_note(&w->tracer, message);
}

/* Looked at once, though it may meet a full queue again and again. False: enough is on its way. */
static bool prepare(struct writer *w, struct batch *batch, struct message *message)
{
    if (w->flagged)
        return true;
    message->bytes = message_size(message);
    if (!pace_takes(w->o.pace, in_flight(w), message->bytes))
        return false;
    w->plain_headers = message->headers;
    w->plain_header_count = message->header_count;
    flag_part(w, batch, message);
    if (message->header_count != w->plain_header_count)
        message->bytes = message_size(message);
    return true;
}

/* A unit goes out whole or not at all, so what follows its first message is looked at before that
 * one is handed over. */
static enum step check_rest(struct writer *w, struct batch *batch, const struct message *message,
                            struct error *err)
{
    struct verdict_unit unit = unit_of(message);
    enum step result = STEP_DONE;
    w->rest_refused = false;
    if (w->sent || message->dead_letter || !message_has_route(unit.route) ||
        verdict_unit_equal(unit, w->produced))
        return STEP_DONE;
    for (uint32_t i = w->next + 1; i < batch->count && result == STEP_DONE; i++) {
        struct message *m = &batch->messages[i];
        if (!verdict_unit_equal(unit_of(m), unit))
            break;
        result = publisher_check(w->o.publisher, batch, m, err);
        enum shortened shortened = SHORTENED_NOT;
        if (result == STEP_FAILED && err->kind == ERROR_DATA)
            shortened = shorten(&w->shortener, m, &batch->arena, err);
        if (shortened == SHORTENED)
            result = publisher_check(w->o.publisher, batch, m, err);
        else if (shortened == SHORTENED_LATER)
            result = STEP_WAIT;
    }
    w->rest_refused = result == STEP_FAILED;
    return result;
}

/* What the publisher asks before a transaction begins does not make it older. */
static enum step put(struct writer *w, struct batch *batch, const struct message *message,
                     int64_t now_us, struct error *err)
{
    uint32_t handed = batch->handed;
    enum step result = check_rest(w, batch, message, err);
    if (result == STEP_DONE)
        result = publisher_put(w->o.publisher, batch, message, err);
    if (w->txn_opened_us == 0 && (result != STEP_WAIT || batch->handed != handed))
        w->txn_opened_us = now_us;
    if (batch->handed != handed)
        pace_handed(w->o.pace, in_flight(w), message->bytes, now_us);
    w->flagged = result == STEP_WAIT;
    w->sent = result == STEP_WAIT && (w->sent || batch->handed != handed);
    return result;
}

/* Done: the batch is out. Wait: the publisher's queue is full or it has asked a question, enough is
 * on its way, or the time is to be looked at. */
static enum step produce(struct writer *w, int64_t now_us, struct error *err)
{
    struct batch *batch = newest(w);
    bool refused = false; /* that may have cost a question */
    for (uint32_t i = 0; w->next < batch->count; i++) {
        struct message *message = &batch->messages[w->next];
        if (!message->dead_letter && verdict_unit_equal(unit_of(message), w->passed_over)) {
            w->next++;
            continue;
        }
        if (i == MESSAGES_PER_STEP || refused || !prepare(w, batch, message))
            return STEP_WAIT;
        uint32_t refusals = w->o.publisher->refusals;
        enum step result = put(w, batch, message, now_us, err);
        if (result == STEP_WAIT)
            return STEP_WAIT;
        refused = result < 0;
        int in_its_place = refused ? on_refused(w, message, refusals, err) : 0;
        if (in_its_place < 0)
            return STEP_FAILED;
        if (in_its_place > 1)
            return STEP_WAIT;
        if (w->o.publisher->refusals > refusals)
            w->txn_opened_us = now_us; /* of another one, which only learns */
        if (in_its_place > 0)
            continue;
        if (result == STEP_DONE) {
            w->produced = unit_of(message);
            count_message(w, message);
        }
        w->next++;
    }
    return STEP_DONE;
}

static bool too_old(const struct writer *w, int64_t now_us)
{
    return w->txn_opened_us != 0 &&
           now_us - w->txn_opened_us >= pace_split_us(w->o.pace, w->o.split_us);
}

/* Between two changes, and nothing of the next one is with the publisher. */
static bool may_cut(const struct writer *w)
{
    const struct batch *batch = newest(w);
    return w->next > w->cut_at && batch->messages[w->next].id.kind == CHANGE_ID_WAL &&
           batch->resume.ptr == NULL &&
           !change_id_equal(batch->messages[w->next - 1].id, batch->messages[w->next].id);
}

/* Once the transaction is old it is committed with what was handed over, in the midst of the newest
 * batch or right before it. */
static bool cut_while_producing(struct writer *w, int64_t now_us)
{
    if (!too_old(w, now_us) || w->sent)
        return false;
    if (may_cut(w))
        keep_cut(w);
    else if (w->next > w->cut_at || position_compare(w->tail.end, w->last.position) <= 0)
        return false;
    w->cut_at = w->next;
    begin_commit(w, now_us);
    return true;
}

static int produce_step(struct writer *w, int64_t now_us, struct error *err)
{
    uint32_t from = w->next;
    enum step done = produce(w, now_us, err);
    if (done == STEP_FAILED)
        return -1;
    if (done == STEP_WAIT && w->o.publisher->claim_due) {
        begin_claim(w);
        return 1;
    }
    if (done == STEP_WAIT)
        return cut_while_producing(w, now_us) || w->next > from ? 1 : 0;
    const struct batch *batch = newest(w);
    keep_tail(w, batch);
    if (batch->ends_txn || batch->cut || too_old(w, now_us))
        begin_commit(w, now_us);
    else
        w->phase = WRITER_WAITING;
    return 1;
}

/* ---- Waiting ---- */

/* True where a batch was taken. */
static bool take_batch(struct writer *w)
{
    struct batch *batch = channel_take(w->o.circuit->full);
    if (batch == NULL)
        return false;
    assert(w->held_count < CIRCUIT_BATCHES);
    assert(batch->outstanding == 0);
    w->held[w->held_count++] = batch;
    w->next = 0;
    w->cut_at = 0;
    tracer_begin(&w->tracer);
    w->phase = WRITER_PRODUCING;
    return true;
}

/* A Kafka transaction that waits in the middle of a PostgreSQL transaction, with everything
 * reported and its batches perhaps returned already, is cut once it is too old. */
static bool split_while_waiting(struct writer *w, int64_t now_us)
{
    if (!too_old(w, now_us))
        return false;
    begin_commit(w, now_us);
    return true;
}

static void plan_wait(const struct writer *w, int64_t now_us, struct wait *wait)
{
    switch (w->phase) {
    case WRITER_WAITING:
        wait_for_fd(wait, channel_fd(w->o.circuit->full));
        wait_until(wait, now_us + (w->held_count > 0 ? REPORT_POLL_US : IDLE_POLL_US));
        return;
    case WRITER_PRODUCING:
        wait_until(wait, now_us + REPORT_POLL_US);
        return;
    case WRITER_CLAIMING:
    case WRITER_COMMITTING:
        wait_until(wait, now_us);
        return;
    }
}

/* One transition of the state machine: 1 if there was one, 0 if it must wait, -1 on error. */
static int advance(struct writer *w, int64_t now_us, struct error *err)
{
    switch (w->phase) {
    case WRITER_WAITING:
        return take_batch(w) || split_while_waiting(w, now_us) ? 1 : 0;
    case WRITER_PRODUCING:
        return produce_step(w, now_us, err);
    case WRITER_CLAIMING:
        return claim_step(w, err);
    case WRITER_COMMITTING:
        return commit_step(w, err);
    }
    return 0;
}

void writer_settle(struct writer *w, int64_t now_us)
{
    assert(w->o.publisher != NULL);
    if (w->committed_uncounted)
        count_commit(w, now_us);
}

int writer_step(struct writer *w, int64_t now_us, struct wait *wait, struct error *err)
{
    assert(wait != NULL && err->kind == ERROR_NONE);
    *wait = (struct wait){.deadline_us = now_us + IDLE_POLL_US};
    writer_settle(w, now_us);
    w->shortener.now_us = now_us;
    w->shortener.wall_us = w->wall_us;
    if (publisher_poll(w->o.publisher, 0, err) < 0)
        return -1;
    pace_acknowledged(w->o.pace, in_flight(w), now_us);
    reclaim_reported(w);
    int moved = advance(w, now_us, err);
    if (moved < 0)
        return -1;
    if (moved > 0) {
        wait_until(wait, now_us);
        return 0;
    }
    if (w->phase == WRITER_WAITING && channel_finished(w->o.circuit->full, NULL))
        return 1;
    plan_wait(w, now_us, wait);
    return 0;
}
