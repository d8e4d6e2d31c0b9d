/* publish/kafka_report: what the broker answered for a record that it did not take.
 *
 * A refusal condemns the whole transaction, because a broker refuses record batches and not
 * records: where its cause can lie in a record, the messages since the last commit become suspects;
 * only a record that was sent alone becomes a verdict: of put() where the transaction can be given
 * up behind it, else of a publisher that has failed with it. Authorisation, unknown topics and
 * time-outs never do. It counts nothing; what is under way is kafka_flight.c's. */
#include "publish/kafka_report.h"

#include "base/clock.h"
#include "publish/kafka_memory.h"

#include <assert.h>
#include <stdio.h>

/* Connections in a row; some end by chance. */
#define LOST_MAX 5
/* The same for one record by itself, where larger ones came through: what a broker takes is not
 * told by the size before compression. */
#define LOST_ALONE_MAX 15

static bool can_be_the_records_fault(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

static void suspect_all(const struct kafka_txn *txn, const char *topic, const char *why)
{
    struct error err;
    txn->failure->suspect = (struct publish_suspect){txn->flight->first, txn->flight->last};
    error_retry(&err, REASON_BATCH_REFUSED, "Kafka refuses a batch of records of topic %s: %s",
                topic, why);
    kafka_fail(txn->failure, &err, NULL);
}

static void refuse_record(const struct kafka_txn *txn, const struct message *message,
                          rd_kafka_resp_err_t code)
{
    struct error err;
    kafka_memory_doubt(txn->session->options->memory, message->topic);
    if (txn->flight->awaited == message && !txn->session->apart) {
        txn->failure->refused = code;
        return;
    }
    if (txn->flight->awaited == message) {
        txn->failure->verdict = message->id;
        txn->failure->verdict_route = message->route;
        error_retry(&err, REASON_RECORD_REFUSED, "Kafka refuses one record of topic %s: %s",
                    message->topic.ptr, rd_kafka_err2str(code));
        kafka_fail(txn->failure, &err, NULL);
    } else {
        suspect_all(txn, message->topic.ptr, rd_kafka_err2str(code));
    }
}

/* When librdkafka condemns a transaction, it purges what is queued; the cause is what any call of
 * the transaction API then returns. Beginning one is the call that does nothing while one is open.
 */
static rd_kafka_resp_err_t cause_of_purge(const struct kafka_txn *txn, rd_kafka_resp_err_t purged,
                                          char *text, size_t text_size)
{
    rd_kafka_error_t *error =
        txn->in_transaction
            ? rd_kafka_begin_transaction(kafka_session_handle(txn->session)->client.rk)
            : NULL;
    if (error == NULL)
        return purged;
    rd_kafka_resp_err_t code = purged;
    if (rd_kafka_error_txn_requires_abort(error) || rd_kafka_error_is_fatal(error)) {
        code = rd_kafka_error_code(error);
        snprintf(text, text_size, "%s", rd_kafka_error_string(error));
    }
    rd_kafka_error_destroy(error);
    return code;
}

/* client: the handle that the record was produced on. */
static void undelivered(const struct kafka_txn *txn, const struct kafka_client *client,
                        const rd_kafka_message_t *report, const char *topic)
{
    struct error err;
    rd_kafka_resp_err_t code = report->err;
    char cause[256] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(client->rk, cause, sizeof cause);
    else if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        code = cause_of_purge(txn, code, cause, sizeof cause);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        const struct kafka_client *transactional = &kafka_session_handle(txn->session)->client;
        bool named = atomic_load(&transactional->denied_topic_known);
        if (named)
            topic = transactional->denied_topic;
        if (named || report->err == code)
            txn->failure->denied = topic;
        kafka_denied(&err, &client->health, "topic", topic, KAFKA_USE_OPERATIONS);
    } else if (report->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        /* Of ours, and said of itself: what comes of it is the same the next time. One that was
         * purged because of others is not meant. */
        error_stop(&err, REASON_PROGRESS_TOPIC_SMALL,
                   "progress topic %s does not take a record of ours: %s", topic,
                   rd_kafka_err2str(code));
        error_hint(&err, "raise max.message.bytes of topic %s", topic);
    } else if (kafka_is_fenced(code) || kafka_is_denied(code) || client->health.auth_failed) {
        kafka_failed(&err, &client->health, code, cause, "producing");
    } else {
        enum reason reason = code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT ? REASON_DELIVERY_TIMEOUT
                                                                      : REASON_DELIVERY_FAILED;
        error_retry(&err, reason, "a record of topic %s was not delivered: %s (%s)", topic,
                    cause[0] != '\0' ? cause : rd_kafka_err2str(code), rd_kafka_err2name(code));
    }
    kafka_fail(txn->failure, &err, NULL);
}

/* What is queued is purged when a record is refused, and may be reported before that one is. */
static bool is_purged_behind_a_refusal(const struct kafka_txn *txn,
                                       const rd_kafka_message_t *report)
{
    char cause[256];
    return report->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
           can_be_the_records_fault(cause_of_purge(txn, report->err, cause, sizeof cause));
}

void kafka_report_failed(const struct kafka_txn *txn, const rd_kafka_message_t *report)
{
    assert(report->err != RD_KAFKA_RESP_ERR_NO_ERROR);
    struct kafka_session *session = txn->session;
    if (is_purged_behind_a_refusal(txn, report)) {
        suspect_all(txn,
                    kafka_txn_is_record(txn, report)
                        ? session->options->delivery->progress_topic.text
                        : ((const struct message *)report->_private)->topic.ptr,
                    "a record before this one");
        return;
    }
    if (kafka_txn_is_record(txn, report)) {
        undelivered(txn, &kafka_session_handle(session)->client, report,
                    session->options->delivery->progress_topic.text);
        return;
    }
    const struct message *message = report->_private;
    if (can_be_the_records_fault(report->err))
        refuse_record(txn, message, report->err);
    else
        undelivered(txn, kafka_session_events(session), report, message->topic.ptr);
}

/* Connections of this epoch. */
static unsigned count_lost(const struct kafka_txn *txn)
{
    return atomic_load(&kafka_session_events_watch(txn->session)->produce_lost);
}

/* A broker that ends the connection on a request goes on taking others. One that was not reachable
 * meanwhile is ill, whatever it was sent, and no record is to blame for it. */
static bool is_broker_ill(const struct kafka_txn *txn)
{
    return kafka_away_unreachable(&kafka_session_events(txn->session)->health.away);
}

static bool has_its_verdict(const struct kafka_txn *txn, const struct message *message,
                            unsigned lost)
{
    if (is_broker_ill(txn))
        return false;
    const struct kafka_memory *memory = txn->session->options->memory;
    return lost >= LOST_ALONE_MAX ||
           message->bytes > kafka_memory_largest(memory, clock_monotonic_us());
}

void kafka_report_lost(const struct kafka_txn *txn)
{
    const struct kafka_memory *memory = txn->session->options->memory;
    assert(memory != NULL);
    const struct kafka_flight *flight = txn->flight;
    const struct message *message = flight->awaited;
    unsigned lost = count_lost(txn);
    if (lost > 0)
        lost += kafka_memory_lost(memory, message);
    if (lost < LOST_MAX || txn->failure->failed || flight->outstanding == 0 ||
        flight->largest < KAFKA_LARGE_BYTES)
        return;
    struct error err;
    if (message == NULL) {
        txn->failure->suspect = (struct publish_suspect){flight->first, flight->last};
        error_retry(&err, REASON_BATCH_REFUSED,
                    "a broker ended the connection %u times in a row on requests with records of "
                    "up to %zu bytes, without an answer",
                    lost, flight->largest);
    } else if (has_its_verdict(txn, message, lost)) {
        txn->failure->verdict = message->id;
        txn->failure->verdict_route = message->route;
        error_retry(&err, REASON_RECORD_REFUSED,
                    "a broker ended the connection %u times in a row on one record of %zu bytes of "
                    "topic %s, without an answer (socket.request.max.bytes?)",
                    lost, message->bytes, message->topic.ptr);
    } else {
        return;
    }
    kafka_fail(txn->failure, &err, NULL);
}

void kafka_report_keep_lost(const struct kafka_txn *txn)
{
    const struct kafka_failure *failure = txn->failure;
    bool judged = !change_id_is_none(failure->verdict) || !change_id_is_none(failure->suspect.from);
    bool counts = !judged && !is_broker_ill(txn);
    kafka_memory_keep_lost(txn->session->options->memory, counts ? count_lost(txn) : 0,
                           txn->flight->awaited);
}

void kafka_report_fatal(struct kafka_failure *failure, const struct kafka_health *health,
                        rd_kafka_resp_err_t code, const char *text)
{
    struct error err;
    kafka_failed(&err, health, code, text, "the producer");
    if (err.kind == ERROR_RETRY && err.reason == REASON_KAFKA_ERROR)
        error_retry(&err, REASON_PRODUCER_FATAL, "librdkafka gave the producer up: %s", text);
    kafka_fail(failure, &err, NULL);
}
