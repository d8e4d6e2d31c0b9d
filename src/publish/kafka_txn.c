/* publish/kafka_txn: begin, commit and what lies between.
 *
 * Every call into the transaction API is a slice of at most a second and is made again until the
 * transaction's age passes its time-out; an EndTxn that is unanswered by then has an unknown
 * outcome, and the handle is never used again (I5). A transaction begins only after progress was
 * read under the producer's epoch (I2), also where strict mode makes the producer anew. */
#include "publish/kafka_publisher.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>
#include <inttypes.h>

static int64_t age_ms(const struct kafka_publisher *p)
{
    return (clock_monotonic_us() - p->begun_us) / US_PER_MS;
}

static bool too_old(const struct kafka_publisher *p)
{
    return age_ms(p) >= p->options.delivery->transaction_timeout_ms;
}

/* Crash points count from the first transaction after the claim. */
#define COUNTED_CRASH_POINT(p, point)                                                              \
    do {                                                                                           \
        if ((p)->claimed)                                                                          \
            CRASH_POINT(point);                                                                    \
    } while (0)

/* ---- Between transactions ---- */

static int progress_moved(struct error *err)
{
    return error_retry(err, REASON_PROGRESS_MOVED,
                       "the newest progress record is not the one that was committed last");
}

/* Before fencing anybody: was somebody else here? The markers of our last transaction may still be
 * on their way, so the record before the last one is ours too. */
static int look_before_renewal(struct kafka_publisher *p, struct error *err)
{
    struct kafka_progress progress = {.topic_exists = false};
    int result = kafka_read_progress(&p->options, false, &progress, err);
    struct span newest = buf_span(&progress.newest);
    if (result == 0 && !span_equal(newest, buf_span(&p->committed)) &&
        !span_equal(newest, buf_span(&p->earlier)))
        result = progress_moved(err);
    kafka_progress_fini(&progress);
    return result;
}

/* The new producer epoch may go on only where the old one left off. */
static int check_after_renewal(struct kafka_publisher *p, struct error *err)
{
    struct kafka_progress progress = {.topic_exists = false};
    int result = kafka_publisher_read(p, &progress, err);
    if (result == 0 && !span_equal(buf_span(&progress.newest), buf_span(&p->committed)))
        result = progress_moved(err);
    kafka_progress_fini(&progress);
    return result;
}

static int renew(struct kafka_publisher *p, struct error *err)
{
    if (look_before_renewal(p, err) < 0)
        return -1;
    kafka_in_use_forget_handles(&p->topics);
    kafka_session_close(&p->session);
    p->session.batch_bytes = p->topics.smallest_bytes;
    if (kafka_session_open(&p->session, err) < 0 || check_after_renewal(p, err) < 0)
        return -1;
    if (p->options.metrics != NULL)
        metrics_add(p->options.metrics, METRIC_PRODUCERS_RECREATED, 1);
    return 0;
}

int kafka_between(struct kafka_publisher *p, struct error *err)
{
    assert(p->phase == KAFKA_IDLE);
    assert(p->flight.outstanding == 0 && !p->in_transaction);
    bool tainted = p->options.delivery->strict && kafka_watch_tainted(&p->session.watch);
    if (tainted || kafka_in_use_wants_smaller_batches(&p->topics))
        return renew(p, err);
    kafka_in_use_refresh(&p->topics);
    return 0;
}

/* ---- Begin ---- */

int kafka_begin(struct kafka_publisher *p, struct error *err)
{
    assert(p->recovered); /* I2 */
    assert(!p->in_transaction);
    COUNTED_CRASH_POINT(p, "C1");
    kafka_watch_reset(&p->session.watch);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(p->session.transactional.rk);
    if (error != NULL)
        return kafka_failed_object(err, &p->session.transactional.health, error,
                                   "beginning a transaction");
    p->in_transaction = true;
    p->begun_us = clock_monotonic_us();
    return 0;
}

/* ---- Commit ---- */

int kafka_drain(struct kafka_publisher *p, struct error *err)
{
    if (p->flight.outstanding > 0)
        rd_kafka_flush(p->session.events->rk, KAFKA_SLICE_MS);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    if (p->flight.outstanding == 0)
        return PUBLISH_DONE;
    if (too_old(p))
        return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                           "%" PRIu64 " records are unreported after %" PRId64 " ms",
                           p->flight.outstanding, age_ms(p));
    return PUBLISH_AGAIN;
}

static int produce_record(struct kafka_publisher *p, struct span record, struct error *err)
{
    int result =
        rd_kafka_produce(p->session.progress_rkt, 0, RD_KAFKA_MSG_F_COPY,
                         (void *)(uintptr_t)record.ptr, record.len, p->key, strlen(p->key), p);
    if (result == 0) {
        p->record_outstanding = true;
        p->phase = KAFKA_RECORDED;
        return PUBLISH_DONE;
    }
    rd_kafka_resp_err_t code = rd_kafka_last_error();
    kafka_session_serve(&p->session, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return PUBLISH_AGAIN;
    return kafka_failed(err, &p->session.transactional.health, code, NULL,
                        "producing the progress record");
}

/* Both guarantees: when this returns DONE the transaction is open and holds the record (I4). */
static int add_record(struct kafka_publisher *p, struct span record, struct error *err)
{
    if (kafka_session_is_apart(&p->session)) {
        int drained = kafka_drain(p, err);
        if (drained != PUBLISH_DONE)
            return drained;
    }
    if (!p->in_transaction && kafka_begin(p, err) < 0)
        return -1;
    return produce_record(p, record, err);
}

static int flush_all(struct kafka_publisher *p, struct error *err)
{
    if (p->flight.outstanding > 0 || p->record_outstanding)
        rd_kafka_flush(p->session.transactional.rk, KAFKA_SLICE_MS);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    if (p->flight.outstanding == 0 && !p->record_outstanding)
        return PUBLISH_DONE;
    if (too_old(p))
        return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                           "%" PRIu64 " records are unreported after %" PRId64 " ms",
                           p->flight.outstanding + 1, age_ms(p));
    return PUBLISH_AGAIN;
}

static void committed(struct kafka_publisher *p, struct span record)
{
    COUNTED_CRASH_POINT(p, "C5");
    p->phase = KAFKA_IDLE;
    p->in_transaction = false;
    p->claimed = true;
    p->flight.produced = 0;
    struct buf earlier = p->earlier;
    p->earlier = p->committed;
    p->committed = earlier;
    buf_reset(&p->committed);
    buf_add(&p->committed, record);
    p->session.transactional.health.brokers_down = false;
}

static int commit_failed(struct kafka_publisher *p, rd_kafka_error_t *error, struct error *err)
{
    static const char doing[] = "committing the transaction";
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (kafka_is_fenced(code)) {
        p->outcome_unknown = true;
        return kafka_failed_object(err, &p->session.transactional.health, error, doing);
    }
    if (rd_kafka_error_txn_requires_abort(error)) {
        kafka_failed_object(err, &p->session.transactional.health, error, doing);
        if (err->kind == ERROR_RETRY && err->reason == REASON_KAFKA_ERROR)
            err->reason = REASON_TRANSACTION_ABORTED;
        p->phase = KAFKA_RECORDED; /* it has not ended: an abort is what it wants */
        return -1;
    }
    p->outcome_unknown = true;
    bool fatal = rd_kafka_error_is_fatal(error);
    error_retry(err, fatal ? REASON_PRODUCER_FATAL : REASON_COMMIT_OUTCOME_UNKNOWN, "%s: %s (%s)",
                doing, rd_kafka_error_string(error), rd_kafka_err2name(code));
    rd_kafka_error_destroy(error);
    return -1;
}

static int end_transaction(struct kafka_publisher *p, struct span record, struct error *err)
{
    rd_kafka_error_t *error =
        rd_kafka_commit_transaction(p->session.transactional.rk, KAFKA_SLICE_MS);
    if (error == NULL) {
        committed(p, record);
        return PUBLISH_DONE;
    }
    if (p->failure.failed) { /* a fatal error was served meanwhile */
        p->outcome_unknown = true;
        rd_kafka_error_destroy(error);
        return kafka_fail_again(&p->failure, err);
    }
    if (rd_kafka_error_is_retriable(error) && !too_old(p)) {
        rd_kafka_error_destroy(error);
        return PUBLISH_AGAIN;
    }
    if (rd_kafka_error_is_retriable(error)) {
        p->outcome_unknown = true;
        error_retry(err, REASON_COMMIT_OUTCOME_UNKNOWN,
                    "no answer to the commit within %" PRId64 " ms", age_ms(p));
        rd_kafka_error_destroy(error);
        return -1;
    }
    return commit_failed(p, error, err);
}

static int start_commit(struct kafka_publisher *p, struct span record, struct error *err)
{
    if (p->phase == KAFKA_IDLE) {
        if (kafka_between(p, err) < 0)
            return -1;
        p->begun_us = clock_monotonic_us();
        p->phase = KAFKA_OPEN;
    }
    return add_record(p, record, err);
}

int kafka_commit(struct kafka_publisher *p, struct span record, struct error *err)
{
    int result = PUBLISH_DONE;
    if (p->phase == KAFKA_IDLE || p->phase == KAFKA_OPEN)
        result = start_commit(p, record, err);
    if (result != PUBLISH_DONE)
        return result;
    if (p->phase == KAFKA_RECORDED) {
        result = flush_all(p, err);
        if (result != PUBLISH_DONE)
            return result;
        if (p->flight.produced == 0)
            COUNTED_CRASH_POINT(p, "C10");
        COUNTED_CRASH_POINT(p, "C3");
        atomic_store(&p->session.watch.crash_at_end_txn, p->claimed);
        p->phase = KAFKA_ENDING;
    }
    assert(p->phase == KAFKA_ENDING);
    return end_transaction(p, record, err);
}
