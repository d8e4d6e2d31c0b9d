/* publish/kafka_recover: see kafka_recover.h.
 *
 * A transaction begins only after both handles were initialised and progress was read behind that
 * (I2), also where strict mode, or a topic that takes less than a batch, makes them anew. That
 * fences, so it is done only where the newest record is our own. Nothing is retried: an epoch's end
 * and a new one do that better. */
#include "publish/kafka_recover.h"

#include <assert.h>

static int progress_moved(struct error *err)
{
    return error_retry(err, REASON_PROGRESS_MOVED,
                       "the newest progress record is not the one that was committed last");
}

/* As far as the last transaction that was open in the topic. */
static int read_through(const struct kafka_options *options, struct kafka_progress *progress,
                        struct error *err)
{
    if (kafka_read_progress(options, true, progress, err) < 0)
        return -1;
    if (!progress->topic_exists)
        return error_retry(err, REASON_PROGRESS_TOPIC_MISSING, "progress topic %s does not exist",
                           options->delivery->progress_topic.text);
    return 0;
}

int kafka_recover(struct kafka_txn *txn, struct buf *record, struct buf *previous, bool *forged,
                  struct error *err)
{
    assert(!txn->recovered);
    assert(txn->phase == KAFKA_IDLE);
    struct kafka_progress progress = {.topic_exists = false};
    int result = read_through(txn->session->options, &progress, err);
    if (result == 0) {
        buf_add(record, buf_span(&progress.newest));
        buf_add(previous, buf_span(&progress.previous));
        *forged = kafka_progress_forged(&progress);
        kafka_txn_recovered(txn, buf_span(&progress.newest), progress.end);
    }
    kafka_progress_fini(&progress);
    return result;
}

/* ---- Between transactions ---- */

/* Before fencing anybody: was somebody else here? The markers of our last two transactions may
 * still be on their way; those of the one before them are written, or its handle had not begun
 * another. */
static int look_before_renewal(const struct kafka_txn *txn, struct error *err)
{
    struct kafka_progress progress = {.topic_exists = false};
    int result = kafka_read_progress(txn->session->options, false, &progress, err);
    bool ours = false;
    for (int i = 0; i < KAFKA_TXN_RECORDS; i++)
        ours |= span_equal(buf_span(&progress.newest), buf_span(&txn->records[i]));
    if (result == 0 && !ours)
        result = progress_moved(err);
    kafka_progress_fini(&progress);
    return result;
}

int kafka_check_claim(struct kafka_txn *txn, struct error *err)
{
    assert(txn->recovered);
    assert(!txn->in_transaction); /* else it would wait for its own */
    struct kafka_progress progress = {.topic_exists = false};
    int result = read_through(txn->session->options, &progress, err);
    if (result == 0 && !span_equal(buf_span(&progress.newest), buf_span(&txn->records[0])))
        result = progress_moved(err);
    txn->read_end = progress.end;
    kafka_progress_fini(&progress);
    return result;
}

/* Steps 1 and 2 of the open. No handle is made anew by itself (I8), and nothing goes through the
 * second one before a claim was answered on the first. */
static int renew(struct kafka_txn *txn, struct kafka_in_use *topics, struct error *err)
{
    struct kafka_session *session = txn->session;
    if (look_before_renewal(txn, err) < 0)
        return -1;
    kafka_in_use_forget_handles(topics);
    kafka_session_close(session);
    session->batch_bytes = topics->smallest_bytes;
    if (kafka_session_open(session, err) < 0 || kafka_check_claim(txn, err) < 0)
        return -1;
    txn->claimed = false;
    metrics_add(session->options->metrics, METRIC_PRODUCERS_RECREATED, 1);
    return 0;
}

static bool is_tainted(const struct kafka_session *session)
{
    for (uint32_t i = 0; i < KAFKA_HANDLES; i++)
        if (kafka_watch_tainted(&session->handles[i].watch))
            return true;
    return false;
}

int kafka_between(struct kafka_txn *txn, struct kafka_in_use *topics, struct error *err)
{
    assert(txn->phase == KAFKA_IDLE);
    assert(txn->flight->outstanding == 0 && !txn->in_transaction);
    const struct kafka_session *session = txn->session;
    bool tainted = session->options->delivery->strict && is_tainted(session);
    if (txn->claimed && (tainted || kafka_in_use_wants_smaller_batches(topics)))
        return renew(txn, topics, err);
    kafka_in_use_refresh(topics);
    return 0;
}
