/* publish/kafka_report: what the broker answered for each record.
 *
 * A report lowers its batch's count. A refusal condemns the whole transaction, because a broker
 * refuses record batches and not records: where its cause can lie in a record, the messages since
 * the last commit become suspects; only a record that was sent alone becomes a verdict.
 * Authorisation, unknown topics and time-outs never do. */
#include "publish/kafka_publisher.h"

#include <assert.h>
#include <stdio.h>

/* ---- Refusals ---- */

static bool can_be_the_records_fault(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

static void refuse_record(struct kafka_publisher *p, const struct message *message,
                          rd_kafka_resp_err_t code, struct error *err)
{
    if (p->flight.awaited == message) {
        p->failure.verdict = message->id;
        error_retry(err, REASON_RECORD_REFUSED, "Kafka refuses one record of topic %s: %s",
                    message->topic.ptr, rd_kafka_err2str(code));
        return;
    }
    p->failure.suspect = (struct publish_suspect){p->flight.first, p->flight.last};
    error_retry(err, REASON_BATCH_REFUSED, "Kafka refuses a batch of records of topic %s: %s",
                message->topic.ptr, rd_kafka_err2str(code));
}

/* When librdkafka condemns a transaction, it purges what is queued; the cause is what any call of
 * the transaction API then returns. Beginning one is the call that does nothing while one is open.
 */
static rd_kafka_resp_err_t cause_of_purge(struct kafka_publisher *p, rd_kafka_resp_err_t purged,
                                          char *text, size_t text_size)
{
    rd_kafka_error_t *error =
        p->in_transaction ? rd_kafka_begin_transaction(p->session.transactional.rk) : NULL;
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

static void undelivered(struct kafka_publisher *p, const rd_kafka_message_t *report,
                        const char *topic)
{
    struct error err;
    rd_kafka_resp_err_t code = report->err;
    char cause[256] = "";
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(p->session.events->rk, cause, sizeof cause);
    else if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        code = cause_of_purge(p, code, cause, sizeof cause);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        if (atomic_load(&p->session.transactional.denied_topic_known))
            topic = p->session.transactional.denied_topic;
        kafka_denied(&err, &p->session.events->health, "topic", topic, "Write,Describe");
    } else if (kafka_is_fenced(code) || kafka_is_denied(code) ||
               p->session.events->health.auth_failed) {
        kafka_failed(&err, &p->session.events->health, code, cause, "producing");
    } else {
        enum reason reason = code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT ? REASON_DELIVERY_TIMEOUT
                                                                      : REASON_DELIVERY_FAILED;
        error_retry(&err, reason, "a record of topic %s was not delivered: %s (%s)", topic,
                    cause[0] != '\0' ? cause : rd_kafka_err2str(code), rd_kafka_err2name(code));
    }
    kafka_fail(&p->failure, &err, NULL);
}

/* ---- Reports ---- */

static void report_record(struct kafka_publisher *p, const rd_kafka_message_t *report)
{
    assert(p->record_outstanding);
    p->record_outstanding = false;
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_clock_learn(&p->clock, report);
    else if (!p->failure.failed)
        undelivered(p, report, p->options.delivery->progress_topic.text);
}

static void report_event(struct kafka_publisher *p, const rd_kafka_message_t *report)
{
    const struct message *message = report->_private;
    kafka_flight_reported(&p->flight, message);
    kafka_in_use_reported(&p->topics, report);
    if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR && !p->failure.failed) {
        if (can_be_the_records_fault(report->err)) {
            struct error err;
            refuse_record(p, message, report->err, &err);
            kafka_fail(&p->failure, &err, NULL);
        } else {
            undelivered(p, report, message->topic.ptr);
        }
    }
}

void kafka_publisher_report(void *owner, const rd_kafka_message_t *report)
{
    struct kafka_publisher *p = owner;
    if (report->_private == p) /* the progress record's mark */
        report_record(p, report);
    else
        report_event(p, report);
}

void kafka_publisher_fatal(void *owner, const struct kafka_health *health, rd_kafka_resp_err_t code,
                           const char *text)
{
    struct kafka_publisher *p = owner;
    struct error err;
    kafka_failed(&err, health, code, text, "the producer");
    if (err.kind == ERROR_RETRY && err.reason == REASON_KAFKA_ERROR)
        error_retry(&err, REASON_PRODUCER_FATAL, "librdkafka gave the producer up: %s", text);
    kafka_fail(&p->failure, &err, NULL);
}
