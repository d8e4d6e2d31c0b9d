/* relay/reader: see reader.h. The order of a step is fixed: take returned batches, keep the source
 * alive, take changes, then decide about sealing. Positions come from the source alone; this file
 * only carries them. It does not know Kafka, and it does not know PostgreSQL. I1 and I3 are kept
 * here: the source is told of nothing that was not sealed, and ends of batches increase. */
#include "relay/reader.h"

#include "base/crash.h"
#include "relay/guard.h"

#include <assert.h>
#include <inttypes.h>

#define CHANGES_PER_STEP 4096
/* Where changes may take long, a step has another one only below this. */
#define STEP_US (INT64_C(200) * 1000)
/* A transaction that the server sends so long after its commit is part of a backlog. */
#define BEHIND_US (INT64_C(1) * 1000000)
#define NAP_MAX_US 10000
/* A transaction with more is not asked for again at the next open, only to be dropped. */
#define ASKED_AGAIN_CHANGES 1000
#define ASKED_AGAIN_BYTES (512 * 1024)
/* While a commit is on its way the database is listened to only so often. */
#define GATHER_US 1000
/* And only for as long as a commit takes that does not hang. */
#define GATHER_MAX_US (INT64_C(200) * 1000)
/* How soon an encoder that was not ready is asked again. */
#define HOLD_US 10000
/* What is published is looked at within a moment, or the session that looks is broken. */
#define GUARD_MAX_US (INT64_C(30) * 1000000)

void reader_init(struct reader *reader, const struct reader_options *options)
{
    assert(options->source != NULL && options->circuit != NULL);
    assert(options->stall_us > 0);
    *reader = (struct reader){
        .o = *options,
        .phase = READER_STARVED, /* every batch is in `empty` */
        .state = {.open_parts = options->start.seq != 0,
                  .away = CIRCUIT_BATCHES,
                  .committed = options->start,
                  .progress_us = options->now_us},
        .cursor = options->start,
        .sealed = options->start,
        .last_change_us = options->now_us,
    };
    reader->o.seal.events_max = options->circuit->events_max;
    reader->o.seal.bytes_max = options->circuit->bytes_max;
    filler_init(&reader->filler, &options->fill);
    commander_init(&reader->commander, options->relay, options->fill.verdicts, options->outcomes);
    if (options->retry.letter_topic != NULL) {
        reader->retry = options->retry;
        reader->retry.filler = &reader->filler;
        reader->commander.retry = &reader->retry;
    }
}

void reader_fini(struct reader *reader)
{
    buf_fini(&reader->boundary_resume);
    buf_fini(&reader->mark_resume);
    buf_fini(&reader->committed_resume);
    filler_fini(&reader->filler);
    commander_fini(&reader->commander);
}

void reader_stop(struct reader *reader, enum reader_stop stop)
{
    assert(stop != READER_RUN);
    if (reader->stop != READER_STOP)
        reader->stop = stop;
}

/* ---- Batches ---- */

static void note_committed(struct reader *r, const struct batch *batch, int64_t now_us)
{
    assert(position_compare(batch->committed, r->sealed) <= 0); /* I1 */
    r->state.committed = batch->committed;
    r->state.progress_us = now_us;
    buf_reset(&r->committed_resume);
    buf_add(&r->committed_resume, batch->committed_resume);
    source_confirm(r->o.source, batch->committed, batch->committed_resume);
    if (r->o.outcomes != NULL)
        outcomes_commit(r->o.outcomes, batch->committed, r->o.fill.verdicts->metrics,
                        r->o.fill.verdicts->log);
}

/* True where committed progress moved. */
static bool take_returned(struct reader *r, int64_t now_us)
{
    bool moved = false;
    struct batch *batch;
    while ((batch = channel_take(r->o.circuit->empty)) != NULL) {
        assert(r->free_count < CIRCUIT_BATCHES && r->state.away > 0);
        r->state.away--;
        r->state.commits_away -= batch->ends_txn ? 1 : 0;
        if (position_compare(batch->committed, r->state.committed) > 0) {
            note_committed(r, batch, now_us);
            moved = true;
        }
        if (batch->refused)
            filler_expect_refusals(&r->filler);
        batch_reset(batch);
        r->free[r->free_count++] = batch;
    }
    metrics_set(r->o.fill.verdicts->metrics, METRIC_BATCHES_IN_FLIGHT, r->state.away);
    return moved;
}

static bool have_batch(struct reader *r)
{
    if (r->batch == NULL && r->free_count > 0)
        r->batch = r->free[--r->free_count];
    return r->batch != NULL;
}

/* What the source has to say of a place where it may be gone on from, kept for the batch that ends
 * there. */
static void note_resume(struct reader *r, struct buf *kept)
{
    const struct source_ops *ops = r->o.source->ops;
    buf_reset(kept);
    if (ops->resume != NULL)
        ops->resume(r->o.source, kept);
}

static void set_resume(struct reader *r, const struct buf *kept)
{
    if (kept->len > 0)
        r->batch->resume = arena_copy(&r->batch->arena, buf_span(kept));
}

static void set_part(struct reader *r)
{
    struct batch *batch = r->batch;
    note_resume(r, &r->boundary_resume);
    set_resume(r, &r->boundary_resume);
    batch->end = r->cursor;
    batch->partial = (struct partial){.final_lsn = r->final_lsn, .done = r->cursor.seq};
    batch->xid = r->xid;
}

static void seal(struct reader *r, bool ends_txn)
{
    struct batch *batch = r->batch;
    assert(batch != NULL);
    assert(!ends_txn || !r->state.in_txn || r->stop != READER_RUN || r->failure.kind != ERROR_NONE);
    batch->ends_txn = ends_txn;
    if (!ends_txn)
        set_part(r);
    else
        set_resume(r, batch->mark ? &r->mark_resume : &r->boundary_resume);
    assert(position_compare(batch->end, r->sealed) > 0); /* I3 */
    r->sealed = batch->end;
    r->state.open_parts = !ends_txn;
    r->part_out = !ends_txn;
    r->state.away++;
    r->state.commits_away += ends_txn ? 1 : 0;
    r->boundary = (struct position){0, 0};
    r->boundary_count = 0;
    r->batch = NULL;
    channel_send(r->o.circuit->full, batch);
}

/* More of the transaction at hand is refused than can be remembered at once. */
static bool is_cut_due(const struct reader *r)
{
    return r->state.in_txn && change_id_equal(r->change.id, r->o.cut_behind) &&
           position_compare(r->cursor, r->sealed) > 0;
}

static void seal_if_due(struct reader *r, int64_t now_us, bool input_empty)
{
    if (is_cut_due(r)) {
        r->batch->cut = true;
        seal(r, false);
        return;
    }
    switch (seal_due(&r->o.seal, &r->state, r->batch, input_empty, now_us)) {
    case SEAL_NOT:
        return;
    case SEAL_COMMIT:
        seal(r, true);
        return;
    case SEAL_PART:
        /* A part has at least one change: a transaction that has only begun waits for its first. */
        if (r->cursor.seq > 0)
            seal(r, false);
        return;
    }
}

static void seal_mark_if_due(struct reader *r, int64_t now_us)
{
    if (seal_mark_done(&r->state, r->batch))
        r->state.urgent = false;
    if (!seal_mark_due(&r->o.seal, &r->state, r->batch, now_us))
        return;
    r->state.urgent = false;
    r->batch->mark = true;
    r->batch->over_xid = r->mark_over_xid;
    r->batch->end = r->state.mark;
    r->batch->partial = (struct partial){0};
    seal(r, true);
}

/* ---- Changes ---- */

static void move_up(struct reader *r, const struct change *change)
{
    if (position_compare(change->position, r->state.mark) <= 0)
        return;
    r->state.mark = change->position;
    r->mark_over_xid = change->over_xid;
    note_resume(r, &r->mark_resume);
}

static void take_begin(struct reader *r, const struct change *change)
{
    assert(!r->state.in_txn);
    r->state.in_txn = true;
    r->txn_bytes = 0;
    r->final_lsn = change->id.final_lsn;
    r->xid = change->xid;
    r->cursor = change->position;
    txn_metadata_begin(&r->filler.metadata, change);
}

/* Where it ends may be a record of its own, which goes with it. */
static void end_metadata(struct reader *r, const struct change *change, int64_t now_us)
{
    bool empty = r->batch->count == 0;
    txn_metadata_end(&r->filler.metadata, change, r->cursor, r->batch);
    if (empty && r->batch->count > 0)
        r->batch->opened_us = now_us;
}

static void take_commit(struct reader *r, const struct change *change, int64_t now_us)
{
    assert(r->state.in_txn);
    r->state.in_txn = false;
    end_metadata(r, change, now_us);
    bool small = r->cursor.seq <= ASKED_AGAIN_CHANGES && r->txn_bytes <= ASKED_AGAIN_BYTES;
    r->batch->ended = (struct batch_ended){.xid = change->xid,
                                           .final_lsn = small ? change->id.final_lsn : 0,
                                           .commit_at_us = change->commit_time_us};
    r->cursor = change->position;
    r->batch->end = change->position;
    r->batch->partial = (struct partial){0};
    r->batch->xid = change->xid;
    r->batch->commit_time_us = change->commit_time_us;
    r->batch->transactions++;
    r->batch->over_xid = change->over_xid;
    r->boundary = change->position;
    r->boundary_count = r->batch->count;
    note_resume(r, &r->boundary_resume);
    /* Both are the server's, so neither may be trusted with a difference. */
    r->state.behind = change->commit_time_us > 0 && change->sent_time_us > 0 &&
                      change->sent_time_us - change->commit_time_us > BEHIND_US;
    /* A transaction without events only moves the position, as a keepalive does. */
    if (!r->state.open_parts && r->batch->count == 0)
        move_up(r, change);
}

/* Nothing behind a change that is held may be taken, and no batch be sealed in the middle of it. */
static void take_row(struct reader *r, int64_t now_us, struct error *err)
{
    assert(r->state.in_txn);
    bool empty = r->batch->count == 0;
    size_t bytes = r->batch->bytes;
    enum fill got = filler_take(&r->filler, &r->change, r->batch, err);
    r->txn_bytes += r->batch->bytes - bytes;
    if (empty && r->batch->count > 0)
        r->batch->opened_us = now_us;
    switch (got) {
    case FILL_DONE:
        r->cursor = r->change.position;
        r->phase = READER_TAKING;
        return;
    case FILL_AGAIN:
        r->phase = READER_HOLDING;
        return;
    case FILL_FAILED:
        r->failure = *err;
        *err = ERROR_INIT;
        return;
    }
}

/* Its answer is a message of the batch at hand, as an event is. */
static void take_command(struct reader *r, int64_t now_us, struct error *err)
{
    bool empty = r->batch->count == 0;
    size_t bytes = r->batch->bytes;
    enum commanded got = commander_take(&r->commander, &r->change, r->batch, err);
    if (got != COMMAND_TAKEN) {
        if (got == COMMAND_WAITS)
            (void)error_retry(err, REASON_LETTERS_WANTED, "a command works on dead letters");
        r->failure = *err;
        *err = ERROR_INIT;
        return;
    }
    r->txn_bytes += r->batch->bytes - bytes;
    if (empty && r->batch->count > 0)
        r->batch->opened_us = now_us;
    r->cursor = r->change.position;
}

/* walferry's own messages are no row's business. At a guard nothing more is taken until somebody
 * has looked whether what is published is still what was; the position stays before its
 * transaction. One that names tables is asked about by itself: a partition of them may be gone. */
static void take_message(struct reader *r, int64_t now_us, struct error *err)
{
    const struct change *change = &r->change;
    struct fingerprint_suspects suspects;
    enum guard_kind kind = guard_of(r->o.relay, change, &suspects);
    if (kind == GUARD_NOT_OURS) {
        take_row(r, now_us, err);
        return;
    }
    if (change->message.command != NULL) {
        take_command(r, now_us, err);
        return;
    }
    r->cursor = change->position;
    metrics_add(r->o.fill.verdicts->metrics, METRIC_IGNORED_OWN, 1);
    if (kind == GUARD_STOP && change->id.final_lsn > r->o.guard_lsn &&
        (change->xid != r->passed_xid || suspects.count > 0)) {
        r->phase = READER_GUARDED;
        r->guard = (struct reader_guard){
            .xid = change->xid, .id = change->id, .since_us = now_us, .suspects = suspects};
    }
}

void reader_pass_guard(struct reader *r, bool all)
{
    assert(r->phase == READER_GUARDED);
    r->phase = r->batch != NULL ? READER_TAKING : READER_STARVED;
    if (all)
        r->passed_xid = r->guard.xid;
}

void reader_end_with(struct reader *r, const struct error *failure)
{
    assert(failure->kind != ERROR_NONE);
    if (r->failure.kind == ERROR_NONE)
        r->failure = *failure;
}

static int check_guard(struct reader *r, int64_t now_us, struct error *err)
{
    r->last_change_us = now_us; /* the server is not the slow side */
    if (now_us - r->guard.since_us < GUARD_MAX_US)
        return 0;
    return error_retry(err, REASON_GUARD_UNANSWERED,
                       "what is published could not be looked at for %" PRId64 " s",
                       GUARD_MAX_US / 1000000);
}

/* Of the part that is published already, only what is counted matters. */
static void take_repeated(struct reader *r, struct error *err)
{
    struct fingerprint_suspects suspects;
    const struct change *change = &r->change;
    if (change->op == CHANGE_MESSAGE && guard_of(r->o.relay, change, &suspects) != GUARD_NOT_OURS)
        return;
    if (filler_recount(&r->filler, change, err) == FILL_DONE)
        return;
    r->failure = *err;
    *err = ERROR_INIT;
}

static void take_change(struct reader *r, int64_t now_us, struct error *err)
{
    const struct change *change = &r->change;
    r->last_change_us = now_us;
    if (change->repeated) {
        take_repeated(r, err);
        return;
    }
    switch (change->op) {
    case CHANGE_BEGIN:
        take_begin(r, change);
        return;
    case CHANGE_COMMIT:
        take_commit(r, change, now_us);
        return;
    case CHANGE_MARK:
        move_up(r, change);
        r->state.urgent |= change->urgent;
        return;
    case CHANGE_MESSAGE:
        if (change->message.transactional)
            take_message(r, now_us, err);
        else
            filler_ignore_message(&r->filler, change);
        return;
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
    case CHANGE_TRUNCATE:
    case CHANGE_READ:
        take_row(r, now_us, err);
        return;
    }
}

/* A source that paces its reading gives nothing during a nap, although there is more. */
static bool is_napping(struct reader *r, int64_t now_us)
{
    int fd = -1;
    int64_t deadline_us = now_us + 1000000;
    source_wait(r->o.source, &fd, &deadline_us);
    return fd < 0 && deadline_us - now_us < NAP_MAX_US;
}

/* What the server cannot read now it can never, so what came before is committed first: else each
 * epoch would come as far, and drop it again. Nothing follows on such a stream. */
static int take_end(struct reader *r, struct error *err)
{
    if (err->reason != REASON_PUBLICATION_MISSING)
        return -1;
    r->source_ended = true;
    r->failure = *err;
    *err = ERROR_INIT;
    return 0;
}

/* A step that lasts: nobody was silent meanwhile, but who asked late. */
static bool is_long(struct reader *r, int64_t began_us)
{
    if (r->o.clock_us == NULL)
        return false;
    r->last_change_us = r->o.clock_us();
    return r->last_change_us - began_us >= STEP_US;
}

/* Takes changes until the input is dry, no batch is free, one is held or the step is long enough.
 */
static int take_changes(struct reader *r, int64_t now_us, bool *input_empty, struct error *err)
{
    *input_empty = false;
    for (uint32_t i = 0; i < CHANGES_PER_STEP && have_batch(r); i++) {
        enum step got = source_next(r->o.source, now_us, &r->change, err);
        if (got != STEP_DONE) {
            /* Under a backlog that is no reason to end a Kafka transaction. Without one a commit
             * that the writer can take gains more than it costs. */
            *input_empty = got == STEP_WAIT && !(r->state.behind && is_napping(r, now_us));
            return got == STEP_WAIT ? 0 : take_end(r, err);
        }
        take_change(r, now_us, err);
        if (r->phase != READER_TAKING || r->failure.kind != ERROR_NONE)
            return 0;
        seal_if_due(r, now_us, false);
        if (is_long(r, now_us))
            return 0;
    }
    return 0;
}

/* Silence matters where a Kafka transaction waits for what is to come: it has begun only once a
 * part is with the writer. Who is patient leaves it to the writer, which commits what it has. */
static bool may_stall(const struct reader *r)
{
    return r->state.in_txn && r->part_out && !r->o.patient;
}

static int check_stall(struct reader *r, int64_t now_us, struct error *err)
{
    /* Bytes are life: skipped changes, keepalives, a part of a large row. */
    if (r->last_change_us < r->o.source->data_us)
        r->last_change_us = r->o.source->data_us;
    if (!may_stall(r) || now_us - r->last_change_us < r->o.stall_us)
        return 0;
    return error_retry(err, REASON_STALLED,
                       "nothing came for %" PRId64 " ms inside a transaction of the database",
                       (now_us - r->last_change_us) / 1000);
}

static int check_hold(const struct reader *r, int64_t now_us, struct error *err)
{
    if (now_us - r->last_change_us < r->o.stall_us)
        return 0;
    return error_retry(err, REASON_STALLED, "no encoder was ready for a change for %" PRId64 " ms",
                       (now_us - r->last_change_us) / 1000);
}

/* ---- The end ---- */

static bool caught_up(const struct reader *r)
{
    uint64_t until_lsn = r->o.seal.until_lsn;
    return until_lsn != 0 && r->state.committed.lsn >= until_lsn && !r->state.in_txn &&
           r->state.away == 0;
}

static bool may_stop(const struct reader *r)
{
    if (r->stop == READER_STOP || r->failure.kind != ERROR_NONE)
        return true;
    return r->stop == READER_STOP_WHOLE && !r->state.open_parts;
}

/* Sends what ends on a COMMIT and drops the rest; then the writer is told that nothing follows. */
static void begin_drain(struct reader *r)
{
    if (r->batch != NULL && !r->state.open_parts && r->boundary.lsn != 0 && r->boundary_count > 0) {
        batch_truncate(r->batch, r->boundary_count);
        r->batch->end = r->boundary;
        seal(r, true);
    }
    r->phase = READER_DRAINING;
    channel_finish(r->o.circuit->full, NULL);
}

/* The writer has ended: with an error (in *err), or because it was told that nothing follows. */
static int writer_ended(const struct reader *r, struct error *err)
{
    if (err->kind != ERROR_NONE)
        return -1;
    assert(r->phase == READER_DRAINING);
    if (r->failure.kind == ERROR_NONE)
        return 1;
    *err = r->failure;
    return -1;
}

/* ---- One step ---- */

/* We are the slow side: that is no stall. */
static void starve(struct reader *r, int64_t now_us)
{
    r->phase = READER_STARVED;
    r->last_change_us = now_us;
}

static int take_step(struct reader *r, int64_t now_us, bool *input_empty, struct error *err)
{
    if (take_changes(r, now_us, input_empty, err) < 0)
        return -1;
    if (r->failure.kind != ERROR_NONE || r->phase != READER_TAKING)
        return 0;
    if (r->batch != NULL)
        seal_if_due(r, now_us, *input_empty);
    if (!have_batch(r)) {
        starve(r, now_us);
        return 0;
    }
    seal_mark_if_due(r, now_us);
    if (caught_up(r))
        reader_stop(r, READER_STOP);
    return check_stall(r, now_us, err);
}

/* The source keeps the change until the next one is asked for. */
static int hold_step(struct reader *r, int64_t now_us, bool *input_empty, struct error *err)
{
    take_row(r, now_us, err);
    if (r->failure.kind != ERROR_NONE)
        return 0;
    if (r->phase == READER_HOLDING)
        return check_hold(r, now_us, err);
    r->last_change_us = now_us;
    seal_if_due(r, now_us, false);
    return take_step(r, now_us, input_empty, err);
}

static int advance(struct reader *r, int64_t now_us, bool *input_empty, struct error *err)
{
    switch (r->phase) {
    case READER_TAKING:
        if (!may_stop(r) && take_step(r, now_us, input_empty, err) < 0)
            return -1;
        break;
    case READER_HOLDING:
        if (!may_stop(r) && hold_step(r, now_us, input_empty, err) < 0)
            return -1;
        break;
    case READER_STARVED:
        starve(r, now_us);
        break;
    case READER_GUARDED:
        if (check_guard(r, now_us, err) < 0)
            return -1;
        break;
    case READER_DRAINING:
        return 0;
    }
    if (may_stop(r))
        begin_drain(r);
    return 0;
}

/* What comes before the commit that is on its way has returned waits for that anyhow, unless it is
 * much. To be woken for each transaction of the database takes time from the servers that are to
 * answer; the batch that returns wakes the reader at once. */
static bool may_gather(const struct reader *r, int64_t now_us, bool input_empty)
{
    bool streams = r->o.source->ops->resume == NULL; /* what is asked for comes all at once */
    return streams && input_empty && !r->state.behind && r->state.commits_away > 0 &&
           r->batch->count > 0 && !r->state.open_parts &&
           now_us - r->batch->opened_us < GATHER_MAX_US;
}

static void plan_wait(struct reader *r, int64_t now_us, bool input_empty, struct wait *wait)
{
    int fd = -1;
    int64_t deadline_us = now_us + 1000000;
    if (!r->source_ended)
        source_wait(r->o.source, &fd, &deadline_us);
    wait_until(wait, deadline_us);
    wait_for_fd(wait, channel_fd(r->o.circuit->empty));
    if (r->phase == READER_HOLDING)
        wait_until(wait, now_us + HOLD_US);
    if (r->phase != READER_TAKING || r->batch == NULL)
        return; /* only a batch that returns, or the clock, changes anything */
    if (fd >= 0 && may_gather(r, now_us, input_empty))
        wait_until(wait, now_us + GATHER_US);
    else
        wait_for_fd(wait, fd);
    if (!input_empty && fd >= 0)
        wait_until(wait, now_us);
    wait_until(wait, seal_due_us(&r->o.seal, &r->state, r->batch));
    if (may_stall(r))
        wait_until(wait, r->last_change_us + r->o.stall_us);
}

static int keep_alive(struct reader *r, int64_t now_us, struct error *err)
{
    if (r->lost.kind != ERROR_NONE) {
        *err = r->lost;
        return -1;
    }
    return r->source_ended ? 0 : source_tick(r->o.source, now_us, err);
}

void reader_meanwhile(struct reader *r, int64_t now_us)
{
    if (r->lost.kind == ERROR_NONE && !r->source_ended)
        (void)source_tick(r->o.source, now_us, &r->lost);
}

int reader_step(struct reader *r, int64_t now_us, struct wait *wait, struct error *err)
{
    assert(wait != NULL && err != NULL);
    *wait = (struct wait){.deadline_us = now_us + 1000000};
    bool moved = take_returned(r, now_us);
    if (channel_finished(r->o.circuit->empty, err))
        return writer_ended(r, err);
    if (keep_alive(r, now_us, err) < 0)
        return -1;
    if (moved)
        CRASH_POINT("C6");
    if (r->phase == READER_STARVED && have_batch(r))
        r->phase = READER_TAKING;
    bool input_empty = true;
    if (advance(r, now_us, &input_empty, err) < 0)
        return -1;
    plan_wait(r, now_us, input_empty, wait);
    return 0;
}
