/* publish/kafka_publisher: the ops table; opening, closing, and what the handles tell.
 *
 * It puts the parts together (publish_internal.h) and hands each what concerns it. A publisher
 * fails once: every call asks first whether it has, and keeps the first error that condemns it.
 * Nothing here retries what an epoch's end and a new one do better. */
#include "publish/publish_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "publish/kafka_ahead.h"
#include "publish/kafka_memory.h"
#include "publish/kafka_recover.h"
#include "publish/kafka_report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Between two calls, and inside one, no more time passes but where the process or the whole machine
 * sleeps, or a busy one lets it wait (in milliseconds). The writer asks for reports twice a second.
 */
#define BETWEEN_CALLS_MS 750
#define WITHIN_CALL_MS (KAFKA_SLICE_MS + 500)

/* ---- What the handles tell ---- */

/* Behind a record that was not taken everything else is given back. What that one's report says is
 * the cause; it may come after theirs, where they are of another broker. */
static bool is_behind_gap(const struct kafka_publisher *p, const rd_kafka_message_t *report)
{
    return p->gap && p->flight.outstanding > 0 &&
           (report->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
            report->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
            report->err == RD_KAFKA_RESP_ERR__FATAL);
}

/* A denied topic that a row chose does not end the relay: the next epoch refuses what is for it. */
static void learn_denial(struct kafka_publisher *p)
{
    const char *topic = p->failure.denied;
    p->failure.denied = NULL;
    if (topic == NULL || !kafka_in_use_is_of_row(&p->topics, topic) ||
        !kafka_memory_deny(p->options.memory, span_of(topic), clock_monotonic_us()))
        return;
    error_retry(&p->failure.error, REASON_BATCH_REFUSED,
                "Kafka denies Write on topic %s, which a row chose: the next epoch leaves out what "
                "is for it",
                topic);
}

static void on_report(void *owner, const rd_kafka_message_t *report)
{
    struct kafka_publisher *p = owner;
    bool delivered = report->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (kafka_txn_is_record(&p->txn, report)) {
        kafka_txn_record_reported(&p->txn, report->offset);
        if (delivered)
            kafka_clock_learn(&p->clock, report);
    } else {
        struct message *message = report->_private;
        kafka_flight_reported(&p->flight, message);
        if (delivered) {
            message->placed = report->partition;
            message->next_offset = report->offset >= 0 ? report->offset + 1 : -1;
            kafka_memory_came_through(p->options.memory, message);
        }
        if (delivered && message->bytes >= KAFKA_LARGE_BYTES)
            kafka_memory_took(p->options.memory, message->bytes, clock_monotonic_us());
        kafka_in_use_reported(&p->topics, message);
    }
    if (!delivered && !p->failure.failed && !is_behind_gap(p, report)) {
        kafka_report_failed(&p->txn, report);
        learn_denial(p);
    }
}

static void on_fatal(void *owner, const struct kafka_health *health, rd_kafka_resp_err_t code,
                     const char *text)
{
    struct kafka_publisher *p = owner;
    if (code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE)
        p->gap = true;
    else
        kafka_report_fatal(&p->failure, health, code, text);
}

/* ---- After a pause ---- */

/* The broker fences who commits and who produces in a transaction; nobody fences the handle that
 * takes events beside it. What an instance hands over that has slept, and was succeeded meanwhile,
 * would stand behind newer events. */
static void stay_awake(struct kafka_publisher *p, int64_t most_ms)
{
    if (!p->session.apart)
        return;
    int64_t now_us = clock_boot_us();
    if (p->awake_us != 0 && now_us - p->awake_us > most_ms * US_PER_MS)
        p->slept = true;
    p->awake_us = now_us;
}

static int check_claim_if_slept(struct kafka_publisher *p, struct error *err)
{
    if (!p->slept)
        return 0;
    p->slept = false;
    if (kafka_check_claim(&p->txn, err) < 0)
        return -1;
    p->awake_us = clock_boot_us(); /* the question is no sleep, however long it took */
    return 0;
}

/* ---- The ops ---- */

static struct kafka_publisher *kafka_of(struct publisher *base)
{
    assert(base != NULL);
    return (struct kafka_publisher *)base;
}

static int op_recover(struct publisher *base, struct buf *record, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(!p->txn.recovered);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    int result = kafka_recover(&p->txn, record, &p->previous, &p->forged, err);
    base->claim_due = !p->txn.claimed;
    return result < 0 ? kafka_fail(&p->failure, err, err) : 0;
}

/* Where the handles are new nothing but the claim may open: STEP_WAIT. */
static enum step look_between(struct kafka_publisher *p, struct error *err)
{
    if (kafka_between(&p->txn, &p->topics, err) < 0)
        return STEP_FAILED;
    return p->txn.claimed ? STEP_DONE : STEP_WAIT;
}

static enum step open_if_idle(struct kafka_publisher *p, struct error *err)
{
    if (p->txn.phase != KAFKA_IDLE)
        return STEP_DONE;
    enum step result = look_between(p, err);
    if (result == STEP_DONE && kafka_txn_open(&p->txn, err) < 0)
        return STEP_FAILED;
    return result;
}

/* Topics are looked up before the transaction that needs them begins, together; those of its later
 * batches when the batch comes. Where that takes time the transaction is not to be older for it:
 * STEP_WAIT, and the next call goes on. */
static enum step look_ahead(struct kafka_publisher *p, const struct batch *batch,
                            const struct message *message, struct error *err)
{
    bool idle = p->txn.phase == KAFKA_IDLE;
    if ((!idle && message != batch->messages) || message == p->ahead)
        return STEP_DONE;
    enum step between = idle ? look_between(p, err) : STEP_DONE;
    if (between != STEP_DONE)
        return between;
    uint32_t count = batch->count - (uint32_t)(message - batch->messages);
    p->ahead = message;
    return kafka_look_ahead(&p->topics, message, count, err);
}

static enum step op_put(struct publisher *base, struct batch *batch, const struct message *message,
                        struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(p->txn.recovered); /* I2 */
    assert(p->txn.claimed);   /* I3: it is answered, so both handles are ours */
    assert(message >= batch->messages && message < batch->messages + batch->count);
    kafka_report_lost(&p->txn);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    stay_awake(p, BETWEEN_CALLS_MS);
    /* What is learnt may want smaller batches. */
    enum step result = look_ahead(p, batch, message, err);
    stay_awake(p, WITHIN_CALL_MS);
    if (result == STEP_DONE)
        result = open_if_idle(p, err);
    if (result == STEP_DONE && check_claim_if_slept(p, err) < 0)
        result = STEP_FAILED;
    if (result == STEP_DONE)
        result = kafka_put(p, batch, message, err);
    if (result != STEP_WAIT)
        p->ahead = NULL;
    base->claim_due = !p->txn.claimed;
    stay_awake(p, WITHIN_CALL_MS);
    if (result < 0 && err->kind != ERROR_DATA)
        return kafka_fail(&p->failure, err, err);
    return result;
}

static enum step op_check(struct publisher *base, const struct batch *batch,
                          const struct message *message, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(p->txn.recovered && p->txn.claimed);
    assert(message >= batch->messages && message < batch->messages + batch->count);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    stay_awake(p, BETWEEN_CALLS_MS);
    enum step result = look_ahead(p, batch, message, err);
    if (result == STEP_DONE)
        result = kafka_check(p, message, err);
    base->claim_due = !p->txn.claimed;
    stay_awake(p, WITHIN_CALL_MS);
    if (result < 0 && err->kind != ERROR_DATA)
        return kafka_fail(&p->failure, err, err);
    return result;
}

static int op_poll(struct publisher *base, int wait_ms, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(wait_ms >= 0);
    assert(kafka_session_events(&p->session)->rk != NULL || p->failure.failed);
    stay_awake(p, BETWEEN_CALLS_MS);
    kafka_report_lost(&p->txn);
    if (!p->failure.failed)
        kafka_session_serve(&p->session, wait_ms);
    return p->failure.failed ? kafka_fail_again(&p->failure, err) : 0;
}

/* A record alone is as good as a claim: it goes through the first handle and takes no events along.
 */
static int open_for_record(struct kafka_publisher *p, struct error *err)
{
    if (p->txn.phase != KAFKA_IDLE)
        return 0;
    if (kafka_between(&p->txn, &p->topics, err) < 0)
        return -1;
    return kafka_txn_open(&p->txn, err);
}

static enum step op_commit(struct publisher *base, struct span record, struct error *err)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(p->txn.recovered); /* I2 */
    assert(record.len > 0);
    kafka_report_lost(&p->txn);
    if (p->failure.failed)
        return kafka_fail_again(&p->failure, err);
    if (base->refusals > 0) {
        error_retry(err, REASON_RECORD_REFUSED,
                    "Kafka refuses %" PRIu32 " records of a transaction, one by one",
                    base->refusals);
        return kafka_fail(&p->failure, err, err);
    }
    stay_awake(p, BETWEEN_CALLS_MS);
    int result = open_for_record(p, err);
    if (result == 0)
        result = kafka_txn_commit(&p->txn, record, err);
    base->claim_due = !p->txn.claimed;
    stay_awake(p, WITHIN_CALL_MS);
    return result < 0 ? kafka_fail(&p->failure, err, err) : result;
}

static void disconnect(struct kafka_publisher *p)
{
    kafka_in_use_forget_handles(&p->topics);
    kafka_session_close(&p->session);
}

static void free_publisher(struct kafka_publisher *p)
{
    kafka_txn_fini(&p->txn);
    buf_fini(&p->previous);
    kafka_in_use_fini(&p->topics);
    kafka_flight_fini(&p->flight);
    kafka_memory_close(p->own_memory);
    free(p);
}

static void op_close(struct publisher *base, int abort_ms)
{
    struct kafka_publisher *p = kafka_of(base);
    assert(abort_ms >= 0);
    kafka_report_keep_lost(&p->txn);
    kafka_txn_abort(&p->txn, abort_ms);
    disconnect(p);
    assert(p->session.handles[0].client.rk == NULL && p->session.idempotent.rk == NULL);
    free_publisher(p);
}

static const struct publisher_ops kafka_ops = {.name = "kafka",
                                               .recover = op_recover,
                                               .put = op_put,
                                               .check = op_check,
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
    if (options->memory == NULL)
        p->options.memory = p->own_memory = kafka_memory_open();
    struct kafka_listener listener = {.owner = p, .on_report = on_report, .on_fatal = on_fatal};
    kafka_session_init(&p->session, &p->options, &listener);
    kafka_in_use_init(&p->topics, &p->session);
    kafka_txn_init(&p->txn, &p->session, &p->flight, &p->failure);
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

bool kafka_publisher_verdict(const struct publisher *publisher, struct change_id *change,
                             uint32_t *route)
{
    const struct kafka_publisher *p = kafka_of_const(publisher);
    assert(change != NULL && route != NULL);
    *change = p->failure.verdict;
    *route = p->failure.verdict_route;
    return !change_id_is_none(*change);
}

int kafka_publisher_check(const struct publisher *publisher, struct error *err)
{
    const struct kafka_publisher *p = kafka_of_const(publisher);
    return kafka_progress_check(&p->options, p->forged, err);
}

void kafka_publisher_note(struct publisher *publisher, struct span note)
{
    kafka_txn_note(&kafka_of(publisher)->txn, note);
}

void kafka_publisher_version(struct publisher *publisher, uint32_t version)
{
    assert(version >= 1 && version <= KAFKA_PROGRESS_MARK);
    kafka_of(publisher)->txn.mark = version;
}

struct span kafka_publisher_previous(const struct publisher *publisher)
{
    return buf_span(&kafka_of_const(publisher)->previous);
}
