/* publish/kafka_publisher: opening, recovering, serving and closing; the ops table.
 *
 * Nothing here retries what an epoch's end and a new one do better. What is put and committed
 * stands in kafka_produce.c and kafka_txn.c, what is reported in kafka_report.c. */
#include "publish/kafka_publisher.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static struct kafka_publisher *kafka_of(struct publisher *base)
{
    assert(base != NULL);
    return (struct kafka_publisher *)base;
}

/* ---- Handles ---- */

static int open_handle(struct kafka_publisher *p, struct kafka_client *client, enum kafka_role role,
                       struct error *err)
{
    struct kafka_client_options how = {.options = &p->options,
                                       .role = role,
                                       .batch_bytes = p->batch_bytes,
                                       .listener = &p->listener};
    if (role == KAFKA_TRANSACTIONAL) {
        how.transactional_id = p->transactional_id;
        how.watch = &p->watch;
    }
    return kafka_client_open(client, &how, err);
}

int kafka_publisher_connect(struct kafka_publisher *p, struct error *err)
{
    assert(p->transactional.rk == NULL && p->idempotent.rk == NULL);
    kafka_watch_reset(&p->watch);
    if (open_handle(p, &p->transactional, KAFKA_TRANSACTIONAL, err) < 0)
        return -1;
    p->events = &p->transactional;
    if (p->options.delivery->guarantee == GUARANTEE_AT_LEAST_ONCE) {
        if (open_handle(p, &p->idempotent, KAFKA_IDEMPOTENT, err) < 0)
            return -1;
        p->events = &p->idempotent;
    }
    p->progress_rkt =
        rd_kafka_topic_new(p->transactional.rk, p->options.delivery->progress_topic.text, NULL);
    if (p->progress_rkt == NULL)
        return kafka_failed(err, &p->transactional.health, rd_kafka_last_error(), NULL,
                            "naming the progress topic");
    return kafka_client_init(&p->transactional, p->transactional_id, err);
}

void kafka_publisher_disconnect(struct kafka_publisher *p)
{
    kafka_forget_handles(p);
    if (p->progress_rkt != NULL)
        rd_kafka_topic_destroy(p->progress_rkt);
    p->progress_rkt = NULL;
    kafka_client_close(&p->transactional);
    kafka_client_close(&p->idempotent);
}

void kafka_publisher_serve(struct kafka_publisher *p, int wait_ms)
{
    rd_kafka_poll(p->events->rk, wait_ms);
    if (p->events != &p->transactional)
        rd_kafka_poll(p->transactional.rk, 0);
}

/* ---- Recovery ---- */

int kafka_publisher_read(struct kafka_publisher *p, struct kafka_progress *progress,
                         struct error *err)
{
    if (kafka_read_progress(&p->options, true, progress, err) < 0)
        return -1;
    if (!progress->topic_exists)
        return error_retry(err, REASON_PROGRESS_TOPIC_MISSING, "progress topic %s does not exist",
                           p->options.delivery->progress_topic.text);
    return 0;
}

static int op_recover(struct publisher *base, struct buf *record, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(!p->recovered);
    assert(p->phase == KAFKA_IDLE);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    struct kafka_progress progress = {.topic_exists = false};
    int result = kafka_publisher_read(p, &progress, err);
    if (result == 0) {
        buf_add(record, buf_span(&progress.newest));
        buf_add(&p->committed, buf_span(&progress.newest));
        buf_add(&p->previous, buf_span(&progress.previous));
        p->recovered = true;
    }
    kafka_progress_fini(&progress);
    return result < 0 ? kafka_fail(&p->failure, err, err) : 0;
}

/* ---- The other ops ---- */

static int op_put(struct publisher *base, struct batch *batch, const struct message *message,
                  struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(p->recovered); /* I2 */
    assert(message >= batch->messages && message < batch->messages + batch->count);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    int result = kafka_put(p, batch, message, err);
    if (result < 0 && err->kind != ERROR_DATA)
        return kafka_fail(&p->failure, err, err);
    return result;
}

static int op_poll(struct publisher *base, int wait_ms, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(wait_ms >= 0);
    assert(p->events->rk != NULL || p->failure.failed);
    if (!p->failure.failed)
        kafka_publisher_serve(p, wait_ms);
    return p->failure.failed ? kafka_fail_again(&p->failure, err) : 0;
}

static int op_commit(struct publisher *base, struct span record, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(p->recovered); /* I2 */
    assert(record.len > 0);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    int result = kafka_commit(p, record, err);
    return result < 0 ? kafka_fail(&p->failure, err, err) : result;
}

/* An abort spares readers the wait for the transaction's time-out. After an EndTxn that may have
 * been sent nothing is tried on the handle any more. */
static void try_abort(struct kafka_publisher *p, int abort_ms)
{
    if (abort_ms <= 0 || !p->in_transaction || p->phase == KAFKA_ENDING || p->outcome_unknown ||
        p->transactional.rk == NULL || p->transactional.health.auth_failed ||
        p->transactional.health.brokers_down)
        return;
    if (p->failure.failed && (p->failure.error.reason == REASON_FENCED ||
                              p->failure.error.reason == REASON_PRODUCER_FATAL))
        return;
    p->transactional.listener = NULL;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(p->transactional.rk, abort_ms);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

static void free_publisher(struct kafka_publisher *p)
{
    buf_fini(&p->committed);
    buf_fini(&p->earlier);
    buf_fini(&p->previous);
    arena_fini(&p->arena);
    kafka_flight_fini(&p->flight);
    free(p);
}

static void op_close(struct publisher *base, int abort_ms)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(abort_ms >= 0);
    try_abort(p, abort_ms);
    kafka_publisher_disconnect(p);
    assert(p->transactional.rk == NULL && p->idempotent.rk == NULL);
    free_publisher(p);
}

static const struct publisher_ops kafka_ops = {.name = "kafka",
                                               .recover = op_recover,
                                               .put = op_put,
                                               .poll = op_poll,
                                               .commit = op_commit,
                                               .close = op_close};

/* ---- Opening ---- */

static struct kafka_publisher *new_publisher(const struct kafka_options *options)
{
    struct kafka_publisher *p = calloc(1, sizeof *p);
    if (p == NULL)
        abort();
    p->base.ops = &kafka_ops;
    p->options = *options;
    p->events = &p->transactional;
    p->listener = (struct kafka_listener){
        .owner = p, .on_report = kafka_publisher_report, .on_fatal = kafka_publisher_fatal};
    p->batch_bytes = KAFKA_BATCH_BYTES;
    p->smallest_topic = KAFKA_BATCH_BYTES;
    snprintf(p->transactional_id, sizeof p->transactional_id, "%s.%" PRIu32,
             options->delivery->transactional_id.text, options->shard);
    kafka_progress_key(options, p->key);
    arena_init(&p->arena, 16 * 1024, 16 * 1024);
    table_init(&p->topics, &p->arena);
    p->refreshed_us = clock_monotonic_us();
    if (getrandom(&p->random, sizeof p->random, 0) != (ssize_t)sizeof p->random || p->random == 0)
        p->random = (uint64_t)clock_wall_us() | 1;
    return p;
}

int kafka_publisher_open(const struct kafka_options *options, struct publisher **publisher,
                         struct error *err)
{
    assert(options != NULL && options->kafka != NULL && options->delivery != NULL);
    assert(publisher != NULL);
    struct kafka_publisher *p = new_publisher(options);
    if (kafka_publisher_connect(p, err) < 0) {
        kafka_publisher_disconnect(p);
        free_publisher(p);
        return -1;
    }
    CRASH_POINT("C13");
    *publisher = &p->base;
    return 0;
}

static const struct kafka_publisher *kafka_of_const(const struct publisher *base)
{
    assert(base != NULL);
    return (const struct kafka_publisher *)base;
}

bool kafka_publisher_suspect(const struct publisher *publisher, struct publish_suspect *suspect)
{
    const struct kafka_publisher *p = kafka_of_const(publisher);
    assert(suspect != NULL);
    *suspect = p->failure.suspect;
    return !change_id_is_none(suspect->from);
}

bool kafka_publisher_verdict(const struct publisher *publisher, struct change_id *verdict)
{
    const struct kafka_publisher *p = kafka_of_const(publisher);
    assert(verdict != NULL);
    *verdict = p->failure.verdict;
    return !change_id_is_none(*verdict);
}

struct span kafka_publisher_previous(const struct publisher *publisher)
{
    return buf_span(&kafka_of_const(publisher)->previous);
}
