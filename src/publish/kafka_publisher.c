/* publish/kafka_publisher: opening, recovering, serving and closing; the ops table.
 *
 * Nothing here retries what an epoch's end and a new one do better. What is put and committed
 * stands in kafka_produce.c and kafka_txn.c, what is reported in kafka_report.c. */
#include "publish/kafka_publisher.h"

#include "base/crash.h"

#include <assert.h>
#include <stdlib.h>

static struct kafka_publisher *kafka_of(struct publisher *base)
{
    assert(base != NULL);
    return (struct kafka_publisher *)base;
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
    assert(p->session.events->rk != NULL || p->failure.failed);
    if (!p->failure.failed)
        kafka_session_serve(&p->session, wait_ms);
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
        p->session.transactional.rk == NULL || p->session.transactional.health.auth_failed ||
        p->session.transactional.health.brokers_down)
        return;
    if (p->failure.failed && (p->failure.error.reason == REASON_FENCED ||
                              p->failure.error.reason == REASON_PRODUCER_FATAL))
        return;
    p->session.transactional.listener = NULL;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(p->session.transactional.rk, abort_ms);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

static void disconnect(struct kafka_publisher *p)
{
    kafka_in_use_forget_handles(&p->topics);
    kafka_session_close(&p->session);
}

static void free_publisher(struct kafka_publisher *p)
{
    buf_fini(&p->committed);
    buf_fini(&p->earlier);
    buf_fini(&p->previous);
    kafka_in_use_fini(&p->topics);
    kafka_flight_fini(&p->flight);
    free(p);
}

static void op_close(struct publisher *base, int abort_ms)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(abort_ms >= 0);
    try_abort(p, abort_ms);
    disconnect(p);
    assert(p->session.transactional.rk == NULL && p->session.idempotent.rk == NULL);
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
    struct kafka_listener listener = {
        .owner = p, .on_report = kafka_publisher_report, .on_fatal = kafka_publisher_fatal};
    kafka_session_init(&p->session, &p->options, &listener);
    kafka_in_use_init(&p->topics, &p->session);
    kafka_progress_key(options, p->key);
    return p;
}

int kafka_publisher_open(const struct kafka_options *options, struct publisher **publisher,
                         struct error *err)
{
    assert(options != NULL && options->kafka != NULL && options->delivery != NULL);
    assert(publisher != NULL);
    struct kafka_publisher *p = new_publisher(options);
    if (kafka_session_open(&p->session, err) < 0) {
        disconnect(p);
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
