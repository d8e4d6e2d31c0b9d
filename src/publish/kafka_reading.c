/* publish/kafka_reading: see kafka_reading.h.
 *
 * Offsets have holes (transaction markers, compaction), so the end is reached when the *position*
 * of the consumer is there, and neither at "end of partition" (which is the last stable offset
 * while a transaction is open) nor at "the last record's offset + 1". A time-out is never taken for
 * "there is nothing". The simple consumer is used: it needs no group and no ACL for one. */
#include "publish/kafka_reading.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

#define CONSUME_MS 100

int kafka_reading_failed(struct kafka_reading *r, rd_kafka_resp_err_t code, struct error *err)
{
    if (kafka_is_denied(code))
        return kafka_denied(err, &r->client.health, "topic", r->topic, "Read,Describe");
    return kafka_failed(err, &r->client.health, code, NULL, r->doing);
}

int kafka_reading_open(struct kafka_reading *r, const struct kafka_options *options,
                       enum kafka_role role, const char *topic, const char *doing,
                       struct error *err)
{
    assert(topic != NULL);
    *r = (struct kafka_reading){
        .options = options, .topic = topic, .deadline_us = kafka_deadline_us(options)};
    snprintf(r->doing, sizeof r->doing, "%s %s", doing, topic);
    struct kafka_client_options how = {.options = options, .role = role};
    if (kafka_client_open(&r->client, &how, err) < 0)
        return -1;
    r->rkt = rd_kafka_topic_new(r->client.rk, topic, NULL);
    return r->rkt != NULL ? 0 : kafka_reading_failed(r, rd_kafka_last_error(), err);
}

void kafka_reading_close(struct kafka_reading *r)
{
    if (r->rkt != NULL)
        rd_kafka_topic_destroy(r->rkt);
    r->rkt = NULL;
    kafka_client_close(&r->client);
}

/* ---- Where the end is ---- */

/* librdkafka sends the query to the leader it knows and does not ask for another one, though that
 * broker is dead. */
static void look_for_leader(const struct kafka_reading *r)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(r->client.rk, 0, r->rkt, &metadata, KAFKA_SLICE_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

/* ListOffsets with one of its special timestamps (RD_KAFKA_OFFSET_BEGINNING, _END; Kafka protocol,
 * ListOffsets). rd_kafka_query_watermark_offsets asks the same, but does not end before its
 * requests do: to a leader that is dead that is socket.timeout.ms for each of its tries. */
static rd_kafka_resp_err_t list_offset(const struct kafka_reading *r, int64_t timestamp,
                                       int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, r->topic, r->partition)->offset = timestamp;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(r->client.rk, list, KAFKA_SLICE_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[0].offset < 0)
        code = RD_KAFKA_RESP_ERR__TIMED_OUT; /* no answer of this partition */
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

int kafka_reading_find_end(struct kafka_reading *r, struct error *err)
{
    assert(r->rkt != NULL);
    for (;;) {
        rd_kafka_resp_err_t code = list_offset(r, RD_KAFKA_OFFSET_BEGINNING, &r->low);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = list_offset(r, RD_KAFKA_OFFSET_END, &r->end);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (kafka_is_denied(code))
            return kafka_reading_failed(r, code, err);
        if (kafka_keep_waiting(&r->client, r->deadline_us, r->doing, err) < 0)
            return -1;
        clock_sleep_us(20 * US_PER_MS);
        look_for_leader(r);
    }
}

/* ---- One window ---- */

int kafka_reading_start(struct kafka_reading *r, int64_t from, int64_t until, struct error *err)
{
    assert(r->rkt != NULL);
    assert(from <= until);
    r->position = from;
    r->until = until;
    if (rd_kafka_consume_start(r->rkt, r->partition, from) < 0)
        return kafka_reading_failed(r, rd_kafka_last_error(), err);
    return 0;
}

void kafka_reading_stop(struct kafka_reading *r)
{
    assert(r->rkt != NULL);
    rd_kafka_consume_stop(r->rkt, r->partition);
}

static void pass(struct kafka_reading *r, int64_t position)
{
    r->position = position > r->position ? position : r->position;
}

/* The consumer's position counts markers and aborted records that it passed over. */
static int64_t position_of(const struct kafka_reading *r)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, r->topic, r->partition);
    rd_kafka_position(r->client.rk, list);
    int64_t position = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return position;
}

/* 1: it is one of the window; 0: it is not; -1: an error that waiting does not mend. */
static int take(struct kafka_reading *r, const rd_kafka_message_t *message, struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        pass(r, message->offset);
        return 0;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(r->client.health.detail, sizeof r->client.health.detail, "%s",
                 rd_kafka_message_errstr(message));
        return kafka_is_denied(message->err) ? kafka_reading_failed(r, message->err, err) : 0;
    }
    pass(r, message->offset + 1);
    return message->offset < r->until ? 1 : 0;
}

int kafka_reading_next(struct kafka_reading *r, rd_kafka_message_t **message, struct error *err)
{
    while (r->position < r->until) {
        *message = rd_kafka_consume(r->rkt, r->partition, CONSUME_MS);
        if (*message != NULL) {
            int taken = take(r, *message, err);
            if (taken == 1)
                return 1;
            rd_kafka_message_destroy(*message);
            if (taken < 0)
                return -1;
        } else {
            pass(r, position_of(r));
            if (kafka_keep_waiting(&r->client, r->deadline_us, r->doing, err) < 0)
                return -1;
        }
        if (clock_monotonic_us() >= r->deadline_us)
            return error_retry(err, REASON_BROKER_TIMEOUT, "%s: not at its end in time", r->doing);
    }
    return 0;
}
