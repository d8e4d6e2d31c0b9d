/* relay/reader: see reader.h. The order of a step is fixed: take batches home, keep the source
 * alive, take changes, then decide about sealing. Positions come from the source alone; this file
 * only carries them. It does not know Kafka, and it does not know PostgreSQL. */
#include "relay/reader.h"

#include "base/crash.h"
#include "relay/data_error.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHANGES_PER_STEP 4096
#define SCRATCH_BYTES (64 * 1024)
/* Of a batch whose records are sent one by one. */
#define SUSPECT_EVENTS 64
/* A transaction that the server sends so long after its commit is part of a backlog. Then nobody
 * waits for its latency, and a Kafka transaction may grow for so many commit intervals: each costs
 * the broker and librdkafka the same, however large it is. */
#define BEHIND_US (INT64_C(1) * 1000000)
#define BEHIND_INTERVALS 20
#define NAP_MAX_US 10000

void reader_init(struct reader *reader, const struct reader_options *options)
{
    assert(options->source != NULL && options->router != NULL && options->encoder != NULL);
    assert(options->circuit != NULL && options->log != NULL);
    *reader = (struct reader){
        .o = *options,
        .open_parts = options->start.seq != 0,
        .cursor = options->start,
        .committed = options->start,
        .last_change_us = options->now_us,
        .progress_us = options->now_us,
    };
    arena_init(&reader->scratch, SCRATCH_BYTES, SCRATCH_BYTES);
    reader->events_max = options->circuit->events_max;
    if (options->suspect_lsn != 0 && options->circuit->events_max > SUSPECT_EVENTS)
        options->circuit->events_max = SUSPECT_EVENTS;
}

void reader_fini(struct reader *reader)
{
    arena_fini(&reader->scratch);
}

void reader_stop(struct reader *reader, enum reader_stop stop)
{
    if (reader->stop != READER_STOP)
        reader->stop = stop;
}

/* ---- Batches ---- */

/* True where committed progress moved. */
static bool take_home(struct reader *r, int64_t now_us)
{
    bool moved = false;
    struct batch *batch;
    while ((batch = channel_take(r->o.circuit->empty)) != NULL) {
        assert(r->free_count < CIRCUIT_BATCHES);
        if (batch->ends_txn)
            r->commits_in_flight--;
        if (position_compare(batch->committed, r->committed) > 0) {
            r->committed = batch->committed;
            r->progress_us = now_us;
            moved = true;
            source_confirm(r->o.source, r->committed, batch->committed_resume);
            if (r->o.suspect_lsn != 0 && r->committed.lsn > r->o.suspect_lsn)
                r->o.circuit->events_max = r->events_max;
        }
        batch_reset(batch);
        r->free[r->free_count++] = batch;
    }
    uint32_t here = r->free_count + (r->batch != NULL ? 1 : 0);
    metrics_set(r->o.metrics, METRIC_BATCHES_IN_FLIGHT, CIRCUIT_BATCHES - here);
    return moved;
}

static bool all_home(const struct reader *r)
{
    return r->free_count + (r->batch != NULL ? 1 : 0) == CIRCUIT_BATCHES;
}

static void seal(struct reader *r, bool ends_txn)
{
    struct batch *batch = r->batch;
    assert(batch != NULL);
    assert(!ends_txn || !r->in_txn || r->stop != READER_RUN || r->failure.kind != ERROR_NONE);
    batch->ends_txn = ends_txn;
    if (!ends_txn) {
        batch->end = r->cursor;
        batch->partial = (struct partial){.final_lsn = r->final_lsn, .done = r->cursor.seq};
        batch->xid = r->xid;
    }
    assert(batch->end.lsn != 0);
    r->open_parts = !ends_txn;
    r->commits_in_flight += ends_txn ? 1 : 0;
    r->boundary = (struct position){0, 0};
    r->boundary_count = 0;
    r->batch = NULL;
    channel_send(r->o.circuit->full, batch);
}

/* ---- Changes ---- */

static bool is_skipped(const struct reader *r, const struct change *change)
{
    for (uint32_t i = 0; i < r->o.skip_count; i++)
        if (change_id_equal(r->o.skips[i].id, change->id))
            return true;
    return false;
}

static bool is_condemned(const struct reader *r, const struct change *change)
{
    for (uint32_t i = 0; i < r->o.verdict_count; i++)
        if (change_id_equal(r->o.verdicts[i], change->id))
            return true;
    return false;
}

/* A change that cannot be published: passed over and counted (*err is empty then), or the end. */
static int on_data_error(struct reader *r, const struct change *change, uint32_t route,
                         struct error *err)
{
    assert(route < r->o.routes->count);
    const struct data_error at = {.route = &r->o.routes->items[route],
                                  .route_index = route,
                                  .metrics = r->o.metrics,
                                  .system_identifier = r->o.system_identifier,
                                  .id = change->id};
    char id[CHANGE_ID_TEXT_MAX];
    if (!data_error_skips(&at, id, err))
        return -1;
    log_event(r->o.log, LOG_WARN, "event.skipped", "route", at.route->name.text, "id", id, "reason",
              reason_slug(err->reason), "error", err->text, NULL);
    *err = ERROR_INIT;
    return 0;
}

static int put_event(struct reader *r, const struct event *event, struct error *err)
{
    struct batch *batch = r->batch;
    struct message *message = batch_next(batch);
    if (encode_message(r->o.encoder, &r->o.encoding, event, &batch->arena, message, err) < 0)
        return -1;
    batch_add(batch);
    return 0;
}

/* Every event of one change goes into one batch, so that a change is never cut: a batch has room
 * for one event of each route beyond the limit at which it counts as full. */
static int publish_change(struct reader *r, const struct change *change, struct error *err)
{
    arena_reset(&r->scratch);
    router_begin(r->o.router, change, &r->scratch);
    struct event event = {.route = 0};
    for (;;) {
        int got = router_next(r->o.router, &event, err);
        if (got == 0)
            return 0;
        if (got > 0 && is_condemned(r, change))
            got =
                error_data(err, REASON_RECORD_REFUSED, "the broker refuses this record by itself");
        if (got > 0)
            got = put_event(r, &event, err);
        if (got < 0 && on_data_error(r, change, event.route, err) < 0)
            return -1;
    }
}

static void count_ignored(struct reader *r, const struct change *change)
{
    if (r->o.metrics == NULL)
        return;
    if (change->op == CHANGE_UPDATE || change->op == CHANGE_DELETE || change->op == CHANGE_TRUNCATE)
        metrics_add(r->o.metrics, METRIC_IGNORED_UPDATE, 1);
    else if (!router_matched(r->o.router))
        metrics_add(r->o.metrics, METRIC_IGNORED_UNROUTED, 1);
}

static void ignore_message(struct reader *r, const struct change *change)
{
    metrics_add(r->o.metrics, METRIC_IGNORED_MESSAGE, 1);
    if (r->warned_message)
        return;
    r->warned_message = true;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%.*s", SPAN_ARG(change->message.prefix));
    log_event(r->o.log, LOG_WARN, "message.non_transactional", "prefix", prefix, "hint",
              "such a message may come from a transaction that was rolled back and is never "
              "published; emit it with transactional = true",
              NULL);
}

/* The command `skip` was given for it. It counts for the route that would have taken it. */
static void pass_over(struct reader *r, const struct change *change)
{
    char id[CHANGE_ID_TEXT_MAX];
    change_id_format(r->o.system_identifier, change->id, id);
    log_event(r->o.log, LOG_WARN, "change.passed_over", "id", id, NULL);
    struct event event = {.route = 0};
    struct error ignored = ERROR_INIT;
    arena_reset(&r->scratch);
    router_begin(r->o.router, change, &r->scratch);
    if (router_next(r->o.router, &event, &ignored) != 0)
        metrics_add_route(r->o.metrics, METRIC_SKIPPED, event.route, 1);
}

static int take_row(struct reader *r, const struct change *change, struct error *err)
{
    r->cursor = change->position;
    if (is_skipped(r, change)) {
        pass_over(r, change);
        return 0;
    }
    uint32_t before = r->batch->count;
    if (change->op == CHANGE_INSERT || change->op == CHANGE_READ || change->op == CHANGE_MESSAGE) {
        if (publish_change(r, change, err) < 0)
            return -1;
    }
    if (r->batch->count == before)
        count_ignored(r, change);
    return 0;
}

static void take_commit(struct reader *r, const struct change *change)
{
    assert(r->in_txn);
    r->in_txn = false;
    r->cursor = change->position;
    r->batch->end = change->position;
    r->batch->partial = (struct partial){0};
    r->batch->xid = change->xid;
    r->batch->commit_time_us = change->commit_time_us;
    r->batch->transactions++;
    r->boundary = change->position;
    r->boundary_count = r->batch->count;
    /* Both are the server's, so neither may be trusted with a difference. */
    r->behind = change->commit_time_us > 0 && change->sent_time_us > 0 &&
                change->sent_time_us - change->commit_time_us > BEHIND_US;
    if (r->open_parts) {
        seal(r, true);
        return;
    }
    /* A transaction without events only moves the position, as a keepalive does. */
    if (r->batch->count == 0 && position_compare(change->position, r->mark) > 0)
        r->mark = change->position;
}

static int take_change(struct reader *r, const struct change *change, int64_t now_us,
                       struct error *err)
{
    r->last_change_us = now_us;
    switch (change->op) {
    case CHANGE_BEGIN:
        assert(!r->in_txn);
        r->in_txn = true;
        r->final_lsn = change->id.final_lsn;
        r->xid = change->xid;
        r->cursor = change->position;
        return 0;
    case CHANGE_COMMIT:
        take_commit(r, change);
        return 0;
    case CHANGE_MARK:
        if (position_compare(change->position, r->mark) > 0)
            r->mark = change->position;
        r->mark_urgent |= change->urgent;
        return 0;
    case CHANGE_MESSAGE:
        if (!change->message.transactional) {
            ignore_message(r, change);
            return 0;
        }
        break;
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
    case CHANGE_TRUNCATE:
    case CHANGE_READ:
        break;
    }
    assert(r->in_txn);
    bool empty = r->batch->count == 0;
    int result = take_row(r, change, err);
    if (empty && r->batch->count > 0)
        r->batch->opened_us = now_us;
    return result;
}

/* ---- Sealing ---- */

static bool at_boundary(const struct reader *r)
{
    return r->batch != NULL && !r->in_txn && r->batch->count > 0;
}

/* When the batch at hand is sealed at the next COMMIT although the input is not empty. */
static int64_t interval_end_us(const struct reader *r)
{
    return r->batch->opened_us + r->o.commit_interval_us * (r->behind ? BEHIND_INTERVALS : 1);
}

/* The soft limits, asked at each COMMIT under backlog. With two commits on their way already,
 * waiting for half a batch costs no time and saves the broker a transaction. */
static bool past_soft_limit(const struct reader *r, int64_t now_us)
{
    const struct batch *batch = r->batch;
    uint32_t events = r->o.circuit->events_max;
    size_t bytes = r->o.circuit->bytes_max;
    uint32_t eighths = r->behind ? 7 : 4;
    if (batch->count >= events - events / 8 * (8 - eighths) || batch->bytes >= bytes / 8 * eighths)
        return true;
    return r->commits_in_flight < 2 && now_us >= interval_end_us(r);
}

static void seal_if_due(struct reader *r, int64_t now_us, bool input_empty)
{
    if (r->batch == NULL)
        return;
    if (at_boundary(r) &&
        (past_soft_limit(r, now_us) || (input_empty && r->commits_in_flight == 0)))
        seal(r, true);
    else if (r->in_txn && circuit_batch_full(r->o.circuit, r->batch))
        seal(r, false);
}

/* Idle progress: a batch without messages that carries only a position. */
static void seal_mark_if_due(struct reader *r, int64_t now_us)
{
    if (r->in_txn || r->batch == NULL || r->batch->count > 0 || !all_home(r))
        return;
    if (position_compare(r->mark, r->committed) <= 0) {
        r->mark_urgent = false;
        return;
    }
    bool wanted = r->o.until_lsn != 0 && r->committed.lsn < r->o.until_lsn;
    if (!r->mark_urgent && !wanted && r->mark.lsn - r->committed.lsn < r->o.idle_bytes &&
        now_us - r->progress_us < r->o.idle_interval_us)
        return;
    r->batch->mark = true;
    r->batch->end = r->mark;
    r->batch->partial = (struct partial){0};
    r->mark_urgent = false;
    seal(r, true);
}

/* ---- The end ---- */

static bool may_stop(const struct reader *r)
{
    if (r->stop == READER_STOP || r->failure.kind != ERROR_NONE)
        return true;
    return r->stop == READER_STOP_WHOLE && !r->open_parts;
}

/* Sends what ends on a COMMIT and drops the rest; then the writer is told that nothing follows. */
static void begin_drain(struct reader *r)
{
    if (r->batch != NULL && !r->open_parts && r->boundary.lsn != 0 && r->boundary_count > 0) {
        batch_truncate(r->batch, r->boundary_count);
        r->batch->end = r->boundary;
        seal(r, true);
    }
    r->draining = true;
    channel_finish(r->o.circuit->full, NULL);
}

static int drain_step(struct reader *r, struct error *err)
{
    if (!channel_finished(r->o.circuit->empty, err))
        return 0;
    if (err->kind != ERROR_NONE)
        return -1;
    if (r->failure.kind != ERROR_NONE) {
        *err = r->failure;
        return -1;
    }
    return 1;
}

/* ---- One step ---- */

static bool have_batch(struct reader *r)
{
    if (r->batch == NULL && r->free_count > 0)
        r->batch = r->free[--r->free_count];
    return r->batch != NULL;
}

/* A source that paces its reading gives nothing during a nap, although there is more: that is no
 * reason to end a Kafka transaction. */
static bool is_napping(struct reader *r, int64_t now_us)
{
    int fd = -1;
    int64_t deadline_us = now_us + 1000000;
    source_wait(r->o.source, &fd, &deadline_us);
    return fd < 0 && deadline_us - now_us < NAP_MAX_US;
}

/* Takes changes until the input is dry, no batch is free or the step is long enough. */
static int take_changes(struct reader *r, int64_t now_us, bool *input_empty, struct error *err)
{
    *input_empty = false;
    for (int i = 0; i < CHANGES_PER_STEP; i++) {
        if (!have_batch(r)) {
            r->last_change_us = now_us; /* we are the slow side: that is no stall */
            return 0;
        }
        struct change change;
        int got = source_next(r->o.source, now_us, &change, err);
        if (got <= 0) {
            *input_empty = got == 0 && !is_napping(r, now_us);
            return got;
        }
        if (take_change(r, &change, now_us, err) < 0) {
            r->failure = *err;
            *err = ERROR_INIT;
            return 0;
        }
        seal_if_due(r, now_us, false);
    }
    return 0;
}

static int check_stall(struct reader *r, int64_t now_us, struct error *err)
{
    /* What a restart skips of a split transaction is no change, but it is life. */
    if (r->last_change_us < r->o.source->data_us)
        r->last_change_us = r->o.source->data_us;
    if (!r->in_txn || r->batch == NULL || now_us - r->last_change_us < r->o.stall_us)
        return 0;
    return error_retry(err, REASON_STALLED,
                       "no change for %" PRId64 " ms inside a transaction of the database",
                       (now_us - r->last_change_us) / 1000);
}

static void plan_wait(struct reader *r, int64_t now_us, bool input_empty, struct wait *wait)
{
    int fd = -1;
    int64_t deadline_us = now_us + 1000000;
    source_wait(r->o.source, &fd, &deadline_us);
    wait_until(wait, deadline_us);
    wait_for_fd(wait, channel_fd(r->o.circuit->empty));
    if (r->draining || r->batch == NULL)
        return; /* only a batch that comes home, or the clock, changes anything */
    wait_for_fd(wait, fd);
    if (!input_empty && fd >= 0)
        wait_until(wait, now_us);
    if (at_boundary(r) && r->commits_in_flight < 2)
        wait_until(wait, interval_end_us(r));
    if (!r->in_txn && position_compare(r->mark, r->committed) > 0 && all_home(r))
        wait_until(wait, r->progress_us + r->o.idle_interval_us);
    if (r->in_txn)
        wait_until(wait, r->last_change_us + r->o.stall_us);
}

static bool caught_up(const struct reader *r)
{
    return r->o.until_lsn != 0 && r->committed.lsn >= r->o.until_lsn && !r->in_txn && all_home(r);
}

int reader_step(struct reader *r, int64_t now_us, struct wait *wait, struct error *err)
{
    *wait = (struct wait){.deadline_us = now_us + 1000000};
    bool moved = take_home(r, now_us);
    if (r->draining) {
        int done = drain_step(r, err);
        if (done != 0)
            return done;
    } else if (channel_finished(r->o.circuit->empty, err)) {
        assert(err->kind != ERROR_NONE);
        return -1;
    }
    if (source_tick(r->o.source, now_us, err) < 0)
        return -1;
    if (moved)
        CRASH_POINT("C6");
    bool input_empty = true;
    if (!r->draining && !may_stop(r)) {
        if (take_changes(r, now_us, &input_empty, err) < 0)
            return -1;
        if (r->failure.kind == ERROR_NONE)
            seal_if_due(r, now_us, input_empty);
        if (r->failure.kind == ERROR_NONE && have_batch(r))
            seal_mark_if_due(r, now_us);
        if (check_stall(r, now_us, err) < 0)
            return -1;
        if (caught_up(r))
            reader_stop(r, READER_STOP);
    }
    if (!r->draining && may_stop(r))
        begin_drain(r);
    plan_wait(r, now_us, input_empty, wait);
    return 0;
}
