/* relay/epoch: one connection and one producer, run by two threads until something ends them.
 *
 * The reader's loop runs on the relay's own thread, the writer's on a thread made for the epoch,
 * which also closes the publisher, because that can block. Closing order: the reader has stopped,
 * then the producer is destroyed and waited for, then the batches are given up whatever their
 * counts say. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "relay/wake.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#define BOARD_US 200000
#define QUESTION_LEAST_MS 5000
#define CLOSE_ABORT_MS 2000
/* What besides its source wakes the reader: a stop, a reload, a successor, the watch. */
#define WISH_FDS 4

/* No question outlasts the relay's patience by much; one of a slow broker has its time. */
static int64_t question_ms(const struct config_retry *retry)
{
    return retry->give_up_ms > 0 && retry->give_up_ms < QUESTION_LEAST_MS ? QUESTION_LEAST_MS
                                                                          : retry->give_up_ms;
}

void epoch_init(struct epoch *e, struct relay *relay, const struct config_relay *config)
{
    *e = (struct epoch){.relay = relay, .config = config};
    arena_init(&e->arena, 4096, 4096);
    quarantine_init(&e->quarantine, relay_holds_keys(config), config->name.text,
                    (uint32_t)config->dead_letter.keys_max, relay->o.metrics);
    e->quarantine.letters = relay_letter_topic(config);
    replay_init(&e->replay, 0);
    e->letters = letter_reader_open();
    e->kafka = relay_kafka_options(config, relay->o.log, &relay->stop);
    e->kafka.instance = relay->instance;
    e->kafka.timeout_ms = question_ms(&config->retry);
    e->kafka.retrying = &relay->retrying;
    e->kafka.metrics = relay->o.metrics;
    e->kafka.memory = relay->memory;
    e->kafka.suspect = relay->suspect;
}

struct behind {
    const struct progress *progress;
    uint64_t from_lsn; /* where the epoch began that had the refusals first */
};

/* The id of a claimed row names no place: it is tried again at once, in the window that follows. */
static bool is_behind(struct change_id id, const void *of)
{
    const struct behind *behind = of;
    const struct progress *progress = behind->progress;
    if (change_id_is_claimed(id))
        return progress->position.lsn > behind->from_lsn;
    if (id.kind == CHANGE_ID_POLL)
        return poll_resume_sees(progress->resume, id.xid);
    return id.final_lsn < progress->position.lsn ||
           (id.final_lsn == progress->partial.final_lsn && id.ordinal <= progress->partial.done);
}

/* What was refused and is behind the position has done its work. In the middle of a window that is
 * not known of a row of polling: where there is no room, it is learnt anew. */
static void keep_refusals(struct relay *relay, const struct progress *progress)
{
    struct refusals *refused = &relay->refused;
    struct behind behind = {progress, relay->refused_from.lsn};
    refusals_drop(refused, is_behind, &behind);
    if (refusals_full_at(refused).kind == CHANGE_ID_POLL &&
        position_compare(progress->position, relay->refused_from) > 0)
        refusals_clear(refused);
    refusals_take(refused, &relay->learnt);
    relay->refused_from = progress->position;
}

static struct verdict_facts verdict_facts(const struct epoch *e)
{
    const struct relay *relay = e->relay;
    return (struct verdict_facts){
        .routes = &e->config->routes,
        .metrics = relay->o.metrics,
        .log = relay->o.log,
        .system_identifier = e->opening.found.system.system_identifier,
        .skips = e->opening.found.progress.skips,
        .skip_count = e->opening.found.progress.skip_count,
        .refused = &relay->refused,
    };
}

/* jq takes its time, for one row and for many. */
static void meanwhile(void *epoch)
{
    reader_meanwhile(&((struct epoch *)epoch)->reader, clock_monotonic_us());
}

static void make_loops(struct epoch *e)
{
    struct relay *relay = e->relay;
    const struct config_delivery *delivery = &e->config->delivery;
    keep_refusals(relay, &e->opening.found.progress);
    if (relay->suspect_lsn < e->opening.found.progress.position.lsn) {
        relay->suspect = (struct publish_suspect){0};
        relay->suspect_lsn = 0;
    }
    e->verdicts = verdict_facts(e);
    const struct txn_metadata_options metadata = {
        .topic = delivery->transaction_metadata ? delivery->transaction_topic.text : NULL,
        .id_header = delivery->id_header.text,
        .verdicts = &e->verdicts};
    struct reader_options reader = {
        .source = e->source,
        .circuit = &e->circuit,
        .fill = {.router = e->router,
                 .encoders = e->encoders,
                 .verdicts = &e->verdicts,
                 .quarantine = &e->quarantine,
                 .expects_refusals = relay->refused.count > 0,
                 .metadata = &metadata},
        .seal = {.commit_interval_us = delivery->commit_interval_ms * US_PER_MS,
                 .part_age_us = delivery->transaction_timeout_ms * US_PER_MS / 2,
                 .idle_bytes = delivery->idle_progress_bytes,
                 .idle_interval_us = delivery->idle_progress_interval_ms * US_PER_MS,
                 .until_lsn = relay->until_lsn,
                 .suspect_lsn = relay->suspect_lsn},
        .relay = e->config->name.text,
        .outcomes = &relay->outcomes,
        .retry = {.quarantine = &e->quarantine,
                  .replay = &e->replay,
                  .letters = e->letters,
                  .letter_topic = e->config->dead_letter.topic.text},
        .guard_lsn = e->opening.found.progress.guard,
        .cut_behind = refusals_full_at(&relay->refused),
        .start = e->opening.found.progress.position,
        .stall_us = delivery->transaction_timeout_ms * US_PER_MS / 4,
        .patient = relay->lessons.patient,
        .clock_us = router_looks_ahead(e->router) ? clock_monotonic_us : NULL,
        .now_us = clock_monotonic_us(),
    };
    reader_init(&e->reader, &reader);
    router_meanwhile(e->router, meanwhile, e);
    pace_begin(&relay->pace, delivery->memory_limit, delivery->transaction_timeout_ms * US_PER_MS,
               clock_monotonic_us());
    struct writer_options writer = {
        .publisher = e->opening.publisher,
        .circuit = &e->circuit,
        .pace = &relay->pace,
        .verdicts = &e->verdicts,
        .claim = &e->opening.found.progress,
        .learnt = &relay->learnt,
        .claims = e->claims,
        .trouble = &relay->claim_trouble,
        .remember = {.recent = relay->o.recent,
                     .routes = &e->config->routes,
                     .payloads = e->config->process->admin.show_payloads},
        .traces = relay->o.traces,
        .id_header = span_of(delivery->id_header.text),
        .split_us = delivery->transaction_timeout_ms * US_PER_MS / 2,
    };
    writer_init(&e->writer, &writer);
    e->made = true;
}

/* Sleeps as *wait says, or until one of the extra descriptors is readable. */
static void sleep_for(const struct wait *wait, const int *extra, int extra_count)
{
    struct pollfd fds[WAIT_FDS_MAX + WISH_FDS];
    nfds_t count = 0;
    for (int i = 0; i < wait->fd_count; i++)
        fds[count++] = (struct pollfd){.fd = wait->fds[i], .events = POLLIN};
    for (int i = 0; i < extra_count; i++)
        fds[count++] = (struct pollfd){.fd = extra[i], .events = POLLIN};
    int64_t left_us = wait->deadline_us - clock_monotonic_us();
    if (left_us <= 0)
        return;
    struct timespec timeout = {.tv_sec = left_us / US_PER_S,
                               .tv_nsec = (left_us % US_PER_S) * 1000};
    ppoll(fds, count, &timeout, NULL);
}

/* ---- The writer's thread ---- */

/* What the publisher could not go on behind. */
static bool find_refusal(const struct epoch *e, struct verdict_refusal *refusal)
{
    *refusal = (struct verdict_refusal){.reason = REASON_RECORD_REFUSED,
                                        .text = "the broker refuses this record by itself"};
    return kafka_publisher_verdict(e->opening.publisher, &refusal->unit.id, &refusal->unit.route);
}

static void note_refusal(struct epoch *e, struct error *err)
{
    struct relay *relay = e->relay;
    struct verdict_refusal refusal;
    char id[CHANGE_ID_TEXT_MAX];
    if (find_refusal(e, &refusal)) {
        /* What was refused once is not sent again, but for its dead letter. */
        if (refusals_find(&relay->refused, refusal.unit) != NULL)
            error_stop(err, REASON_DEAD_LETTER_REFUSED,
                       "topic %s does not take the dead letter of change %s: %s",
                       e->config->dead_letter.topic.text,
                       change_id_format(e->verdicts.system_identifier, refusal.unit.id, id),
                       refusal.text);
        else
            refusals_add(&relay->learnt, &refusal); /* no room: it is learnt again behind the cut */
        return;
    }
    struct publish_suspect suspect = {0};
    if (!kafka_publisher_suspect(e->opening.publisher, &suspect))
        return;
    relay->suspect = suspect;
    /* Where a window of polling begins is all that is known of its place. */
    relay->suspect_lsn =
        suspect.to.kind == CHANGE_ID_WAL ? suspect.to.final_lsn : e->writer.last.position.lsn;
}

static void heed_looks(struct epoch *e)
{
    struct writer *w = &e->writer;
    struct lookout_ahead ahead;
    w->published_lsn = lookout_lsn(&e->relay->lookout, w->last.position.lsn, &w->next_xid, &ahead);
    w->untouched_xid = ahead.xid;
    w->untouched_lsn = ahead.lsn;
}

static void *writer_main(void *argument)
{
    struct epoch *e = argument;
    struct error err = ERROR_INIT;
    int result = 0;
    while (result == 0 && !atomic_load(&e->writer_stop)) {
        struct wait wait;
        e->writer.wall_us = clock_wall_us();
        heed_looks(e);
        int64_t now_us = clock_monotonic_us();
        result = writer_step(&e->writer, now_us, &wait, &err);
        if (!writer_busy(&e->writer))
            atomic_store(&e->relay->publisher_up_us, now_us);
        if (result == 0)
            sleep_for(&wait, NULL, 0);
    }
    writer_settle(&e->writer, clock_monotonic_us());
    if (result < 0)
        note_refusal(e, &err);
    publisher_close(e->opening.publisher, CLOSE_ABORT_MS);
    e->opening.publisher = NULL;
    e->writer_error = err;
    channel_finish(e->circuit.empty, result < 0 ? &err : NULL);
    return NULL;
}

/* False where the relay was asked to stop and the writer does not end in time. */
static bool join_writer(struct epoch *e, pthread_t thread)
{
    atomic_store(&e->writer_stop, true);
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100 * 1000 * 1000;
        if (until.tv_nsec >= 1000 * 1000 * 1000) {
            until.tv_sec++;
            until.tv_nsec -= 1000 * 1000 * 1000;
        }
        if (pthread_timedjoin_np(thread, NULL, &until) == 0)
            return true;
        int64_t stop_us = atomic_load(&e->relay->stop_us);
        if (stop_us != 0 && clock_monotonic_us() - stop_us > STOP_DRAIN_US)
            return false;
    }
}

/* ---- The reader's loop ---- */

static void note_guard(struct epoch *e)
{
    char id[CHANGE_ID_TEXT_MAX];
    e->relay->guard_lsn = e->reader.guard.id.final_lsn;
    change_id_format(e->opening.found.system.system_identifier, e->reader.guard.id, id);
    log_event(e->relay->o.log, LOG_WARN, "guard.met", "id", id, "detail",
              "DDL has changed what is published at this place in the log; nothing behind it is "
              "published before that is looked into",
              NULL);
}

/* What precedes the change is committed first. Whether anything was missed is for the next open to
 * say, which knows what has changed. */
static void end_for_change(struct epoch *e)
{
    struct error changed = ERROR_INIT;
    if (e->reader.failure.kind != ERROR_NONE || e->reader.phase == READER_DRAINING)
        return;
    if (e->reader.phase == READER_GUARDED)
        note_guard(e);
    (void)error_retry(&changed, REASON_PUBLICATION_CHANGED,
                      PUBLISHED_HAS_CHANGED "; the next open finds out how");
    reader_end_with(&e->reader, &changed);
}

/* The stream does not tell of it, and the next open asks anew. */
static void end_for_keys(struct epoch *e)
{
    struct error moved = ERROR_INIT;
    if (e->reader.failure.kind != ERROR_NONE || e->reader.phase == READER_DRAINING)
        return;
    (void)error_retry(&moved, REASON_PUBLICATION_CHANGED,
                      "other columns are the key of a table than before; the next open asks which");
    reader_end_with(&e->reader, &moved);
}

static struct lookout_guard guard_at_hand(const struct epoch *e)
{
    const struct reader_guard *met = &e->reader.guard;
    assert(e->reader.phase == READER_GUARDED);
    return (struct lookout_guard){.xid = met->xid, .id = met->id, .suspects = met->suspects};
}

static void heed_guard(struct epoch *e)
{
    struct lookout *lookout = &e->relay->lookout;
    struct lookout_guard guard = guard_at_hand(e);
    switch (lookout_answer(lookout, &guard)) {
    case LOOKOUT_UNANSWERED:
        lookout_ask(lookout, &guard);
        return;
    case LOOKOUT_PASSES:
        reader_pass_guard(&e->reader, false);
        return;
    case LOOKOUT_PASSES_ALL:
        reader_pass_guard(&e->reader, true);
        return;
    }
}

static void heed_lookout(struct epoch *e)
{
    bool guarded = e->reader.phase == READER_GUARDED;
    if (!lookout_news(&e->relay->lookout) && !guarded)
        return;
    if (lookout_changed(&e->relay->lookout))
        end_for_change(e);
    else if (guarded)
        heed_guard(e);
    else if (lookout_keys_moved(&e->relay->lookout))
        end_for_keys(e);
}

/* A look may have answered before the reader asked: then nobody would wake it. */
static bool is_answered(struct epoch *e)
{
    if (e->reader.phase != READER_GUARDED)
        return false;
    struct lookout_guard guard = guard_at_hand(e);
    return lookout_answer(&e->relay->lookout, &guard) != LOOKOUT_UNANSWERED;
}

/* The next epoch asks for what this one could not. */
static void heed_more(struct epoch *e)
{
    const struct origin *origin = e->opening.ends.origin;
    if (!origin->reads_less)
        return;
    uint64_t from =
        origin->more_from != 0 ? origin->more_from : lookout_more_from(&e->relay->lookout);
    if (from == 0 || reader_committed(&e->reader).lsn < from)
        return;
    e->relay->more_due = true;
    reader_stop(&e->reader, READER_STOP_WHOLE);
}

static void heed_wishes(struct epoch *e)
{
    struct relay *relay = e->relay;
    heed_lookout(e);
    if (atomic_load(&relay->stop)) {
        reader_stop(&e->reader, READER_STOP);
        return;
    }
    pthread_mutex_lock(&relay->mutex);
    bool reload = relay->next_config != NULL;
    pthread_mutex_unlock(&relay->mutex);
    if (reload)
        reader_stop(&e->reader, READER_STOP_WHOLE);
    heed_more(e);
}

static bool drain_overdue(const struct epoch *e, int64_t now_us)
{
    int64_t stop_us = atomic_load(&e->relay->stop_us);
    return stop_us != 0 && now_us - stop_us > STOP_DRAIN_US;
}

/* Types that stay unknown are text, and nothing ends. Said once in an epoch. */
static void tell_type_failures(struct epoch *e)
{
    struct source_status status = source_report(e->source);
    if (status.type_failures == e->type_failures)
        return;
    metrics_add(e->relay->o.metrics, METRIC_TYPE_FAILURES, status.type_failures - e->type_failures);
    if (e->type_failures == 0)
        log_error(e->relay->o.log, LOG_WARN, "types.unknown", status.type_failure);
    e->type_failures = status.type_failures;
}

/* 1: in order. 0: the drain took too long. -1: error. */
static int reader_loop(struct epoch *e, struct error *err)
{
    int64_t board_us = 0;
    for (;;) {
        struct wait wait;
        int64_t now_us = clock_monotonic_us();
        heed_wishes(e);
        if (successor_known(e->relay, err))
            return -1;
        int result = reader_step(&e->reader, now_us, &wait, err);
        if (result != 0)
            return result;
        if (is_answered(e))
            continue;
        atomic_store(&e->relay->source_up_us, now_us);
        if (now_us - board_us >= BOARD_US) {
            board_progress(e);
            retention_note(e);
            tell_type_failures(e);
            board_us = now_us;
        }
        if (drain_overdue(e, now_us))
            return 0;
        int wishes[WISH_FDS];
        int count = 0;
        wishes[count++] = e->relay->successor_fd;
        wishes[count++] = e->relay->lookout.answered_fd;
        if (e->reader.stop == READER_RUN)
            wishes[count++] = e->relay->reload_fd;
        if (e->reader.stop != READER_STOP)
            wishes[count++] = e->relay->stop_fd;
        if (e->reader.stop != READER_RUN)
            wait_until(&wait, now_us + 100000);
        sleep_for(&wait, wishes, count);
    }
}

int epoch_run(struct epoch *e, bool *abandoned, struct error *err)
{
    assert(e->source != NULL && e->opening.publisher != NULL); /* I6: it was opened, */
    assert(!e->made);                                          /* and runs once */
    *abandoned = false;
    const struct config_delivery *delivery = &e->config->delivery;
    if (circuit_open(&e->circuit, (uint32_t)delivery->batch_events, e->config->routes.count,
                     delivery->memory_limit, err) < 0)
        return -1;
    make_loops(e);
    /* The pace of reading is below the default slack of 50 µs. */
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, writer_main, e) != 0)
        return error_retry(err, REASON_NO_THREAD, "cannot start a thread");
    int result = reader_loop(e, err);
    board_progress(e);
    retention_note(e);
    tell_type_failures(e);
    if (!join_writer(e, thread)) {
        log_event(e->relay->o.log, LOG_WARN, "stop.abandoned", "detail",
                  "the broker does not answer; what is under way is settled at the next start",
                  NULL);
        source_close(e->source, 0);
        e->source = NULL;
        *abandoned = true;
        return 1;
    }
    if (result == 1) {
        source_close(e->source, clock_monotonic_us() + STOP_CLOSE_US);
        e->source = NULL;
    }
    return result == 0 ? 1 : result;
}

void epoch_close(struct epoch *e)
{
    lookout_end(&e->relay->lookout);
    outcomes_forget(&e->relay->outcomes);
    publisher_close(e->opening.publisher, 0);
    source_close(e->source, 0);
    origin_close(e->opening.ends.origin);
    if (e->made) {
        router_meanwhile(e->router, NULL, NULL);
        reader_fini(&e->reader);
        writer_fini(&e->writer);
    }
    circuit_close(&e->circuit);
    router_close(e->router);
    encoders_close(e->encoders);
    claim_store_close(e->claims);
    quarantine_fini(&e->quarantine);
    replay_fini(&e->replay);
    letter_reader_close(e->letters);
    arena_fini(&e->arena);
}
