/* publish/kafka_txn: open, drain, commit, abort.
 *
 * Every call into the transaction API is a slice of at most a second and is made again until the
 * transaction's age passes its time-out; an EndTxn that is unanswered by then has an unknown
 * outcome, and the handle is never used again (I5). A transaction begins only after progress was
 * read under the producer's epoch (I2; see kafka_recover.c), and ends with the record of its own
 * progress (I4). What lies between two of them is not done here. */
#include "publish/kafka_txn.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static int64_t age_ms(const struct kafka_txn *txn)
{
    return (clock_monotonic_us() - txn->begun_us) / US_PER_MS;
}

static bool too_old(const struct kafka_txn *txn)
{
    return age_ms(txn) >= txn->session->options->delivery->transaction_timeout_ms;
}

/* Crash points count from the first transaction after the claim. */
#define COUNTED_CRASH_POINT(txn, point)                                                            \
    do {                                                                                           \
        if ((txn)->claimed)                                                                        \
            CRASH_POINT(point);                                                                    \
    } while (0)

void kafka_txn_init(struct kafka_txn *txn, struct kafka_session *session,
                    struct kafka_flight *flight, struct kafka_failure *failure)
{
    assert(session->options != NULL);
    *txn = (struct kafka_txn){.session = session,
                              .flight = flight,
                              .failure = failure,
                              .mark = KAFKA_PROGRESS_MARK,
                              .read_end = -1};
    kafka_progress_key(session->options, txn->key);
}

void kafka_txn_fini(struct kafka_txn *txn)
{
    buf_fini(&txn->note);
    for (int i = 0; i < KAFKA_TXN_RECORDS; i++)
        buf_fini(&txn->records[i]);
}

void kafka_txn_recovered(struct kafka_txn *txn, struct span newest, int64_t end)
{
    assert(!txn->recovered && end >= 0);
    assert(kafka_session_is_ours(txn->session)); /* I2 */
    assert(txn->phase == KAFKA_IDLE);
    buf_add(&txn->records[0], newest);
    txn->read_end = end;
    txn->recovered = true;
}

void kafka_txn_note(struct kafka_txn *txn, struct span note)
{
    assert(!txn->note_produced && note.len > 0);
    buf_reset(&txn->note);
    buf_add(&txn->note, note);
}

/* ---- Begin ---- */

static int begin(struct kafka_txn *txn, struct error *err)
{
    assert(txn->recovered); /* I2 */
    assert(!txn->in_transaction);
    assert(!txn->outcome_unknown); /* I5 */
    COUNTED_CRASH_POINT(txn, "C1");
    struct kafka_handle *handle = kafka_session_handle(txn->session);
    assert(kafka_session_is_ours(txn->session)); /* I2, I8 */
    kafka_watch_reset(&handle->watch);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(handle->client.rk);
    if (error != NULL)
        return kafka_failed_object(err, &handle->client.health, error, "beginning a transaction");
    txn->in_transaction = true;
    txn->first_offset = INT64_MAX;
    txn->begun_us = clock_monotonic_us();
    return 0;
}

int kafka_txn_open(struct kafka_txn *txn, struct error *err)
{
    assert(txn->phase == KAFKA_IDLE);
    txn->begun_us = clock_monotonic_us();
    if (!txn->session->apart && begin(txn, err) < 0)
        return -1;
    txn->phase = KAFKA_OPEN;
    return 0;
}

/* ---- Commit ---- */

enum step kafka_txn_drain(struct kafka_txn *txn, struct error *err)
{
    if (txn->flight->outstanding > 0)
        rd_kafka_flush(kafka_session_events(txn->session)->rk, KAFKA_SLICE_MS);
    if (txn->failure->failed)
        return kafka_fail_again(txn->failure, err);
    if (txn->flight->outstanding == 0)
        return STEP_DONE;
    if (too_old(txn))
        return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                           "%" PRIu64 " records are unreported after %" PRId64 " ms",
                           txn->flight->outstanding, age_ms(txn));
    return STEP_WAIT;
}

enum step kafka_txn_give_up(struct kafka_txn *txn, struct error *err)
{
    static const char doing[] = "giving a transaction up behind a refused record";
    struct kafka_handle *handle = kafka_session_handle(txn->session);
    assert(txn->phase == KAFKA_OPEN && !txn->session->apart);
    assert(txn->flight->outstanding == 0 && txn->records_outstanding == 0);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(handle->client.rk, KAFKA_SLICE_MS);
    if (txn->failure->failed) { /* it was served meanwhile */
        if (error != NULL)
            rd_kafka_error_destroy(error);
        return kafka_fail_again(txn->failure, err);
    }
    if (error != NULL && rd_kafka_error_is_retriable(error) && !too_old(txn)) {
        rd_kafka_error_destroy(error);
        return STEP_WAIT;
    }
    if (error != NULL)
        return kafka_failed_object(err, &handle->client.health, error, doing);
    txn->in_transaction = false;
    return begin(txn, err) < 0 ? STEP_FAILED : STEP_DONE;
}

/* Its report names the transaction. (The macros of rd_kafka_producev are no ISO C.) */
static enum step produce_ours(struct kafka_txn *txn, const char *key, struct span value,
                              struct error *err)
{
    struct kafka_handle *handle = kafka_session_handle(txn->session);
    char version[12];
    int version_len = snprintf(version, sizeof version, "%" PRIu32, txn->mark);
    /* Ours until it is taken: headers that librdkafka makes itself it frees twice where it takes
     * nothing. */
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, KAFKA_PROGRESS_HEADER, -1, version, version_len);
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = handle->progress_rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)key, .size = strlen(key)}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)value.ptr, .size = value.len}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = txn}};
    rd_kafka_error_t *error =
        rd_kafka_produceva(handle->client.rk, parts, sizeof parts / sizeof parts[0]);
    if (error == NULL) {
        txn->records_outstanding++;
        return STEP_DONE;
    }
    rd_kafka_headers_destroy(headers);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    kafka_session_serve(txn->session, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
    if (txn->failure->failed)
        return kafka_fail_again(txn->failure, err);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return STEP_WAIT;
    return kafka_failed(err, &handle->client.health, code, NULL, "producing the progress record");
}

static enum step produce_note(struct kafka_txn *txn, struct error *err)
{
    char key[KAFKA_KEY_MAX + sizeof KAFKA_NOTE_SUFFIX];
    if (txn->note.len == 0 || txn->note_produced)
        return STEP_DONE;
    snprintf(key, sizeof key, "%s%s", txn->key, KAFKA_NOTE_SUFFIX);
    enum step result = produce_ours(txn, key, buf_span(&txn->note), err);
    txn->note_produced = result == STEP_DONE;
    return result;
}

/* The progress record is the last message of its transaction. */
static enum step produce_record(struct kafka_txn *txn, struct span record, struct error *err)
{
    enum step result = produce_note(txn, err);
    if (result == STEP_DONE)
        result = produce_ours(txn, txn->key, record, err);
    if (result == STEP_DONE)
        txn->phase = KAFKA_RECORDED;
    return result;
}

/* Both guarantees: when this returns DONE the transaction is open and holds the record (I4). */
static enum step add_record(struct kafka_txn *txn, struct span record, struct error *err)
{
    if (txn->session->apart) {
        enum step drained = kafka_txn_drain(txn, err);
        if (drained != STEP_DONE)
            return drained;
    }
    if (!txn->in_transaction && begin(txn, err) < 0)
        return -1;
    return produce_record(txn, record, err);
}

static enum step flush_all(struct kafka_txn *txn, struct error *err)
{
    if (txn->flight->outstanding > 0 || txn->records_outstanding > 0)
        rd_kafka_flush(kafka_session_handle(txn->session)->client.rk, KAFKA_SLICE_MS);
    if (txn->failure->failed)
        return kafka_fail_again(txn->failure, err);
    if (txn->flight->outstanding == 0 && txn->records_outstanding == 0)
        return STEP_DONE;
    if (too_old(txn))
        return error_retry(err, REASON_TRANSACTION_TIMEOUT,
                           "%" PRIu64 " records are unreported after %" PRId64 " ms",
                           txn->flight->outstanding + 1, age_ms(txn));
    return STEP_WAIT;
}

/* Progress is read from the broker that says it leads. One that is cut off from its controllers
 * says so, does not know that it was deposed, and shows an old end. Nothing can be written there:
 * where the first record behind the reading stands tells what was not read. It is not committed
 * behind a record of ours, nor where the log is shorter than what was read. */
static int check_reading(const struct kafka_txn *txn, struct error *err)
{
    bool missed = txn->first_offset < txn->read_end;
    if (txn->first_offset > txn->read_end &&
        kafka_progress_between(txn->session->options, txn->read_end, txn->first_offset, &missed,
                               err) < 0)
        return -1;
    if (!missed)
        return 0;
    return error_retry(err, REASON_PROGRESS_MOVED,
                       "progress was read up to offset %" PRId64
                       ", and the next record of this relay stands at %" PRId64
                       " with others between them",
                       txn->read_end, txn->first_offset);
}

static void keep_record(struct kafka_txn *txn, struct span record)
{
    struct buf oldest = txn->records[KAFKA_TXN_RECORDS - 1];
    memmove(txn->records + 1, txn->records, (KAFKA_TXN_RECORDS - 1) * sizeof *txn->records);
    txn->records[0] = oldest;
    buf_reset(&txn->records[0]);
    buf_add(&txn->records[0], record);
}

static void committed(struct kafka_txn *txn, struct span record)
{
    COUNTED_CRASH_POINT(txn, "C5");
    txn->read_end = -1;
    txn->phase = KAFKA_IDLE;
    txn->in_transaction = false;
    txn->claimed = true;
    txn->flight->produced = 0;
    if (txn->note_produced)
        buf_reset(&txn->note);
    txn->note_produced = false;
    keep_record(txn, record);
    kafka_session_handle(txn->session)->client.health.brokers_down = false;
    kafka_session_next(txn->session);
}

static int commit_failed(struct kafka_txn *txn, rd_kafka_error_t *error, struct error *err)
{
    static const char doing[] = "committing the transaction";
    const struct kafka_health *health = &kafka_session_handle(txn->session)->client.health;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (kafka_is_fenced(code)) {
        txn->outcome_unknown = true;
        return kafka_failed_object(err, health, error, doing);
    }
    if (rd_kafka_error_txn_requires_abort(error)) {
        kafka_failed_object(err, health, error, doing);
        if (err->kind == ERROR_RETRY && err->reason == REASON_KAFKA_ERROR)
            err->reason = REASON_TRANSACTION_ABORTED;
        txn->phase = KAFKA_RECORDED; /* it has not ended: an abort is what it wants */
        return -1;
    }
    txn->outcome_unknown = true;
    bool fatal = rd_kafka_error_is_fatal(error);
    error_retry(err, fatal ? REASON_PRODUCER_FATAL : REASON_COMMIT_OUTCOME_UNKNOWN, "%s: %s (%s)",
                doing, rd_kafka_error_string(error), rd_kafka_err2name(code));
    rd_kafka_error_destroy(error);
    return -1;
}

static enum step end_transaction(struct kafka_txn *txn, struct span record, struct error *err)
{
    rd_kafka_error_t *error =
        rd_kafka_commit_transaction(kafka_session_handle(txn->session)->client.rk, KAFKA_SLICE_MS);
    if (error == NULL) {
        committed(txn, record);
        return STEP_DONE;
    }
    if (txn->failure->failed) { /* a fatal error was served meanwhile */
        txn->outcome_unknown = true;
        rd_kafka_error_destroy(error);
        return kafka_fail_again(txn->failure, err);
    }
    if (rd_kafka_error_is_retriable(error) && !too_old(txn)) {
        rd_kafka_error_destroy(error);
        return STEP_WAIT;
    }
    if (rd_kafka_error_is_retriable(error)) {
        txn->outcome_unknown = true;
        error_retry(err, REASON_COMMIT_OUTCOME_UNKNOWN,
                    "no answer to the commit within %" PRId64 " ms", age_ms(txn));
        rd_kafka_error_destroy(error);
        return -1;
    }
    return commit_failed(txn, error, err);
}

enum step kafka_txn_commit(struct kafka_txn *txn, struct span record, struct error *err)
{
    assert(txn->phase != KAFKA_IDLE);
    enum step result = STEP_DONE;
    if (txn->phase == KAFKA_OPEN)
        result = add_record(txn, record, err);
    if (result != STEP_DONE)
        return result;
    if (txn->phase == KAFKA_RECORDED) {
        result = flush_all(txn, err);
        if (result != STEP_DONE)
            return result;
        if (txn->read_end >= 0 && check_reading(txn, err) < 0)
            return -1;
        if (txn->flight->produced == 0)
            COUNTED_CRASH_POINT(txn, "C10");
        COUNTED_CRASH_POINT(txn, "C3");
        atomic_store(&kafka_session_handle(txn->session)->watch.crash_at_end_txn, txn->claimed);
        txn->phase = KAFKA_ENDING;
    }
    assert(txn->phase == KAFKA_ENDING);
    return end_transaction(txn, record, err);
}

/* An abort spares readers the wait for the transaction's time-out. After an EndTxn that may have
 * been sent nothing is tried on the handle any more, nor after a request of the transaction was
 * lost: librdkafka's abort can fail an assertion then (txn_req_cnt > 0). The next epoch's
 * init_transactions aborts what is left. */
void kafka_txn_abort(struct kafka_txn *txn, int abort_ms)
{
    struct kafka_handle *handle = kafka_session_handle(txn->session);
    struct kafka_client *client = &handle->client;
    assert(!txn->in_transaction || txn->recovered); /* I2 */
    if (abort_ms <= 0 || !txn->in_transaction || txn->phase == KAFKA_ENDING ||
        txn->outcome_unknown || kafka_watch_tainted(&handle->watch) || client->rk == NULL ||
        client->health.auth_failed || client->health.brokers_down)
        return;
    const struct kafka_failure *failure = txn->failure;
    if (failure->failed &&
        (failure->error.reason == REASON_FENCED || failure->error.reason == REASON_PRODUCER_FATAL))
        return;
    client->listener = NULL;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(client->rk, abort_ms);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

/* ---- The record's report ---- */

bool kafka_txn_is_record(const struct kafka_txn *txn, const rd_kafka_message_t *report)
{
    return report->_private == txn;
}

void kafka_txn_record_reported(struct kafka_txn *txn, int64_t offset)
{
    assert(txn->records_outstanding > 0);
    txn->records_outstanding--;
    if (offset < txn->first_offset)
        txn->first_offset = offset;
}
