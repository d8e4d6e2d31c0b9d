/* publish/kafka_produce: one message to librdkafka.
 *
 * The payload is not copied: it stays in its batch until the report. The partition is ours, the
 * timestamp is moved into what the topic takes, and what can be seen to be unpublishable is refused
 * here, where it condemns one record and not a batch. Under suspicion a message is sent alone and
 * its report waited for. */
#include "publish/publish_internal.h"

#include "base/crash.h"
#include "publish/kafka_find.h"
#include "publish/kafka_size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- Limits ---- */

static bool is_compressed(const struct config_kafka *kafka)
{
    const char *codec = kafka_property(kafka, "compression.type");
    if (codec == NULL)
        codec = kafka_property(kafka, "compression.codec");
    return codec != NULL && strcmp(codec, "none") != 0;
}

static int check_key(const struct kafka_topic *topic, const struct message *message,
                     struct error *err)
{
    if (!topic->compacts || message->key.ptr != NULL)
        return 0;
    error_data(err, REASON_RECORD_REFUSED,
               "a message without a key for topic %s, which is compacted", topic->name);
    return error_hint(err,
                      "give the route a key, or take compact out of cleanup.policy of topic %s",
                      topic->name);
}

/* With compression only the broker knows; its refusal is found out record by record. Behind a dead
 * letter there is nothing to find out with. */
static int check_size(struct kafka_publisher *p, struct kafka_topic *topic,
                      const struct message *message, const struct kafka_stamp *stamp,
                      struct error *err)
{
    int64_t bytes = kafka_message_bytes(message, strlen(stamp->true_time));
    p->base.excess = 0;
    if (bytes <= topic->max_message_bytes ||
        (!message->dead_letter && !message->measured && is_compressed(p->options.kafka)))
        return 0;
    if (kafka_find_limit(&p->topics, topic, err) < 0)
        return -1;
    if (bytes <= topic->max_message_bytes)
        return 0;
    p->base.excess = (size_t)(bytes - topic->max_message_bytes);
    error_data(err, REASON_MESSAGE_TOO_LARGE,
               "a message of %" PRId64 " bytes for topic %s, which takes %" PRId64
               " (max.message.bytes)",
               bytes, topic->name, topic->max_message_bytes);
    return error_hint(err, "raise max.message.bytes of topic %s", topic->name);
}

/* ---- Producing ---- */

static rd_kafka_headers_t *headers_of(const struct message *message,
                                      const struct kafka_stamp *stamp)
{
    const char *true_time = stamp->true_time;
    uint32_t count = message->header_count + (true_time[0] != '\0' ? 1 : 0);
    if (count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count);
    for (uint32_t i = 0; i < message->header_count; i++) {
        const struct header *header = &message->headers[i];
        rd_kafka_header_add(headers, header->name.ptr, (ssize_t)header->name.len, header->value.ptr,
                            (ssize_t)header->value.len);
    }
    if (true_time[0] != '\0')
        rd_kafka_header_add(headers, HEADER_TIME, -1, true_time, -1);
    return headers;
}

/* Room comes from reports; where none is to come the message by itself is more than the queue ever
 * takes. */
static enum step queue_is_full(const struct kafka_txn *txn, const struct kafka_topic *topic,
                               const struct message *message, struct error *err)
{
    if (txn->flight->outstanding > 0 || txn->records_outstanding > 0)
        return STEP_WAIT;
    error_data(err, REASON_MESSAGE_TOO_LARGE,
               "a message of %" PRId64 " bytes for topic %s is more than librdkafka's queue takes "
               "under this delivery.memory_limit",
               kafka_message_bytes_max(message), topic->name);
    return error_hint(err, "raise delivery.memory_limit");
}

static enum step not_produced(struct kafka_txn *txn, const struct kafka_topic *topic,
                              const struct message *message, rd_kafka_resp_err_t code,
                              struct error *err)
{
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return queue_is_full(txn, topic, message, err);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return error_data(err, REASON_MESSAGE_TOO_LARGE,
                          "a message for topic %s is larger than kafka.message.max.bytes",
                          topic->name);
    kafka_session_serve(txn->session, 0); /* the cause may be waiting there */
    if (txn->failure->failed)
        return kafka_fail_again(txn->failure, err);
    if (code == RD_KAFKA_RESP_ERR__FATAL) /* why is on its way */
        return STEP_WAIT;
    char doing[320];
    snprintf(doing, sizeof doing, "producing to topic %s", topic->name);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return error_retry(err, REASON_TOPIC_CHANGED, "%s: %s", doing, rd_kafka_err2str(code));
    return kafka_failed(err, &kafka_session_events(txn->session)->health, code, NULL, doing);
}

static enum step produce(struct kafka_publisher *p, struct kafka_topic *topic,
                         const struct message *message, int32_t partition,
                         const struct kafka_stamp *stamp, struct error *err)
{
    rd_kafka_headers_t *headers = headers_of(message, stamp);
    /* The types are written out: the macros of the header are GNU C under clang. */
    rd_kafka_resp_err_t code = rd_kafka_producev(
        kafka_session_events(&p->session)->rk, RD_KAFKA_VTYPE_RKT,
        *kafka_in_use_rkt(&p->topics, topic), RD_KAFKA_VTYPE_PARTITION, partition,
        RD_KAFKA_VTYPE_VALUE, message->value.ptr, message->value.len, RD_KAFKA_VTYPE_KEY,
        message->key.ptr, message->key.len, RD_KAFKA_VTYPE_TIMESTAMP, stamp->timestamp_ms,
        RD_KAFKA_VTYPE_OPAQUE, message, RD_KAFKA_VTYPE_HEADERS, headers, RD_KAFKA_VTYPE_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (stamp->true_time[0] != '\0')
            metrics_add(p->options.metrics, METRIC_TIMESTAMPS_CLAMPED, 1);
        return STEP_DONE;
    }
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    return not_produced(&p->txn, topic, message, code, err);
}

/* ---- Suspicion ---- */

/* Ids of polling have no order, so all are until the relay takes the suspicion back. */
static bool is_suspect(const struct publish_suspect *s, const struct message *m)
{
    if (change_id_is_polled(s->from) || change_id_is_polled(m->id))
        return change_id_is_polled(s->from);
    return !change_id_is_none(s->from) && change_id_compare(s->from, m->id) <= 0 &&
           change_id_compare(m->id, s->to) <= 0;
}

/* The broker refused it by itself: what it stood in is lost. What it is to blame for is told, and
 * the next ones are sent in another transaction, which nobody commits. */
static enum step give_up(struct kafka_publisher *p, struct error *err)
{
    rd_kafka_resp_err_t code = p->failure.refused;
    enum step given_up = kafka_txn_give_up(&p->txn, err);
    if (given_up != STEP_DONE)
        return given_up;
    p->failure.refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    p->flight.awaited = NULL;
    p->base.refusals++;
    bool size = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    p->refused_other |= !size;
    return error_data(err, size ? REASON_MESSAGE_TOO_LARGE : REASON_RECORD_REFUSED,
                      "the broker refuses this record by itself: %s", rd_kafka_err2str(code));
}

/* The report may also have come in by a poll between two calls. */
static enum step await_alone(struct kafka_publisher *p, const struct message *message,
                             struct error *err)
{
    assert(p->flight.awaited == message);
    enum step drained = kafka_txn_drain(&p->txn, err);
    if (drained == STEP_DONE && p->failure.refused != RD_KAFKA_RESP_ERR_NO_ERROR)
        return give_up(p, err);
    if (drained == STEP_DONE)
        p->flight.awaited = NULL;
    return drained;
}

/* Where nothing is committed any more, to send it would teach nothing; and behind a gap in its
 * sequence numbers, which a refused record leaves, the broker would take no other one. */
static bool cannot_be_refused(const struct kafka_publisher *p, const struct kafka_topic *topic,
                              const struct message *message, const struct kafka_stamp *stamp)
{
    return p->base.refusals > 0 && !p->refused_other &&
           kafka_message_bytes(message, strlen(stamp->true_time)) <= topic->max_message_bytes;
}

/* ---- Put ---- */

enum step kafka_check(struct kafka_publisher *p, const struct message *message, struct error *err)
{
    struct kafka_topic *topic;
    int32_t partition;
    enum step found = kafka_find(&p->topics, message, &topic, err);
    if (found != STEP_DONE)
        return found;
    struct kafka_stamp stamp;
    kafka_stamp(&p->clock, &topic->clamp, message->timestamp_ms, &stamp);
    if (check_key(topic, message, err) < 0 || check_size(p, topic, message, &stamp, err) < 0 ||
        kafka_in_use_partition(&p->topics, topic, message, &partition, err) < 0)
        return STEP_FAILED;
    return STEP_DONE;
}

enum step kafka_put(struct kafka_publisher *p, struct batch *batch, const struct message *message,
                    struct error *err)
{
    if (p->flight.awaited != NULL)
        return await_alone(p, message, err);
    assert(p->txn.phase == KAFKA_OPEN);
    struct kafka_topic *topic;
    int32_t partition;
    enum step found = kafka_find(&p->topics, message, &topic, err);
    if (found != STEP_DONE)
        return found;
    struct kafka_stamp stamp;
    kafka_stamp(&p->clock, &topic->clamp, message->timestamp_ms, &stamp);
    if (check_key(topic, message, err) < 0 || check_size(p, topic, message, &stamp, err) < 0 ||
        kafka_in_use_partition(&p->topics, topic, message, &partition, err) < 0)
        return -1;
    if (cannot_be_refused(p, topic, message, &stamp))
        return STEP_DONE;
    bool alone = p->base.refusals > 0 || is_suspect(&p->options.suspect, message);
    bool behind_all = p->session.apart && message->behind_all;
    if (p->flight.outstanding > 0 &&
        (alone || behind_all || kafka_in_use_is_full(&p->topics, topic, message))) {
        enum step drained = kafka_txn_drain(&p->txn, err);
        if (drained != STEP_DONE)
            return drained;
    }
    if (p->flight.outstanding == 0)
        kafka_in_use_count(&p->topics);
    enum step result = produce(p, topic, message, partition, &stamp, err);
    if (result != STEP_DONE)
        return result;
    kafka_flight_sent(&p->flight, batch, message);
    kafka_in_use_sent(&p->topics, topic, message);
    if (p->txn.claimed)
        CRASH_POINT("C2");
    if (!alone)
        return STEP_DONE;
    p->flight.awaited = message;
    return await_alone(p, message, err);
}
