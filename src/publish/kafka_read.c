/* publish/kafka_read: see kafka_read.h.
 *
 * What must be read is bounded by an end offset asked for first. Offsets have holes (transaction
 * markers, compaction), so the end is reached when the *position* of the consumer is there, and
 * neither at "end of partition" (which is the last stable offset while a transaction is open) nor
 * at "the last record's offset + 1". A read_committed query of the end would return the last stable
 * offset, so for recovery a second, read_uncommitted handle asks. Reading starts WINDOW records
 * before the end and goes backwards in doubled windows until our key is found. A time-out is never
 * taken for "there is no record". The simple consumer is used: it needs no group and no ACL for
 * one. */
#include "publish/kafka_read.h"

#include "base/clock.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define WINDOW 1000
#define CONSUME_MS 100
/* Stands for a record without a value, so that it is the newest one all the same and is refused as
 * one that cannot be read. None of ours is one. */
#define TOMBSTONE "tombstone"

struct reading {
    const struct kafka_options *options;
    const char *topic;
    struct span key;
    char key_text[KAFKA_KEY_MAX];
    struct kafka_client client;
    rd_kafka_topic_t *rkt;
    int64_t deadline_us;
    int64_t low;
    int64_t end;
    char doing[320];
};

const char *kafka_progress_key(const struct kafka_options *options, char text[KAFKA_KEY_MAX])
{
    snprintf(text, KAFKA_KEY_MAX, "%s/%" PRIu32, options->relay, options->shard);
    return text;
}

void kafka_progress_fini(struct kafka_progress *progress)
{
    buf_fini(&progress->newest);
    buf_fini(&progress->previous);
}

static int topic_failed(struct reading *r, rd_kafka_resp_err_t code, struct error *err)
{
    if (kafka_is_denied(code))
        return kafka_denied(err, &r->client.health, "topic", r->topic, "Read,Describe");
    return kafka_failed(err, &r->client.health, code, NULL, r->doing);
}

/* ---- Where the end is ---- */

/* librdkafka sends the query to the leader it knows and does not ask for another one, though that
 * broker is dead. */
static void look_for_leader(const struct reading *r, struct kafka_client *client)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(client->rk, r->topic, NULL);
    if (rkt == NULL)
        return;
    if (rd_kafka_metadata(client->rk, 0, rkt, &metadata, KAFKA_SLICE_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
}

/* ListOffsets with one of its special timestamps (RD_KAFKA_OFFSET_BEGINNING, _END; Kafka protocol,
 * ListOffsets). rd_kafka_query_watermark_offsets asks the same, but does not end before its
 * requests do: to a leader that is dead that is socket.timeout.ms for each of its tries. */
static rd_kafka_resp_err_t list_offset(const struct reading *r, struct kafka_client *client,
                                       int64_t timestamp, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, r->topic, 0)->offset = timestamp;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->rk, list, KAFKA_SLICE_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[0].offset < 0)
        code = RD_KAFKA_RESP_ERR__TIMED_OUT; /* no answer of this partition */
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static int query_end(struct reading *r, struct kafka_client *client, struct error *err)
{
    for (;;) {
        rd_kafka_resp_err_t code = list_offset(r, client, RD_KAFKA_OFFSET_BEGINNING, &r->low);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = list_offset(r, client, RD_KAFKA_OFFSET_END, &r->end);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (kafka_is_denied(code))
            return topic_failed(r, code, err);
        if (kafka_keep_waiting(client, r->deadline_us, r->doing, err) < 0)
            return -1;
        clock_sleep_us(20 * US_PER_MS);
        look_for_leader(r, client);
    }
}

static int find_end(struct reading *r, bool to_high_watermark, struct error *err)
{
    if (!to_high_watermark)
        return query_end(r, &r->client, err);
    struct kafka_client second;
    struct kafka_client_options how = {.options = r->options, .role = KAFKA_CONSUMER_UNCOMMITTED};
    if (kafka_client_open(&second, &how, err) < 0)
        return -1;
    int result = query_end(r, &second, err);
    kafka_client_close(&second);
    return result;
}

/* ---- One window ---- */

static bool is_marked(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    return rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           rd_kafka_header_get_last(headers, KAFKA_PROGRESS_HEADER, &value, &len) ==
               RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void keep_record(struct kafka_progress *progress, const rd_kafka_message_t *message)
{
    struct buf older = progress->previous;
    progress->previous = progress->newest;
    progress->newest = older;
    buf_reset(&progress->newest);
    bool empty = message->payload == NULL || message->len == 0;
    if (empty)
        buf_add_text(&progress->newest, TOMBSTONE);
    else
        buf_add(&progress->newest, (struct span){message->payload, message->len});
    progress->previous_marked = progress->newest_marked;
    progress->newest_marked = empty || is_marked(message);
}

static bool is_ours(const struct reading *r, const rd_kafka_message_t *message)
{
    return message->key != NULL &&
           span_equal((struct span){message->key, message->key_len}, r->key);
}

/* The consumer's position counts markers and aborted records that it passed over. */
static int64_t position_of(const struct reading *r)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, r->topic, 0);
    rd_kafka_position(r->client.rk, list);
    int64_t position = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return position;
}

/* Takes one message; raises *position. 0, or -1 on an error that waiting does not mend. */
static int take(struct reading *r, rd_kafka_message_t *message, int64_t until, int64_t *position,
                struct kafka_progress *progress, struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (message->offset > *position)
            *position = message->offset;
        return 0;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(r->client.health.detail, sizeof r->client.health.detail, "%s",
                 rd_kafka_message_errstr(message));
        return kafka_is_denied(message->err) ? topic_failed(r, message->err, err) : 0;
    }
    if (message->offset < until && is_ours(r, message))
        keep_record(progress, message);
    if (message->offset + 1 > *position)
        *position = message->offset + 1;
    return 0;
}

/* Consumes [from, until) and keeps the newest records of our key. */
static int consume_window(struct reading *r, int64_t from, int64_t until,
                          struct kafka_progress *progress, struct error *err)
{
    int64_t position = from;
    while (position < until) {
        rd_kafka_message_t *message = rd_kafka_consume(r->rkt, 0, CONSUME_MS);
        int result = 0;
        if (message != NULL) {
            result = take(r, message, until, &position, progress, err);
            rd_kafka_message_destroy(message);
        }
        if (result < 0)
            return -1;
        if (message == NULL || position < until) {
            int64_t passed = message == NULL ? position_of(r) : position;
            position = passed > position ? passed : position;
        }
        if (message == NULL && kafka_keep_waiting(&r->client, r->deadline_us, r->doing, err) < 0)
            return -1;
        if (clock_monotonic_us() >= r->deadline_us)
            return error_retry(err, REASON_BROKER_TIMEOUT, "%s: not at its end in time", r->doing);
    }
    return 0;
}

static int read_window(struct reading *r, int64_t from, int64_t until,
                       struct kafka_progress *progress, struct error *err)
{
    if (rd_kafka_consume_start(r->rkt, 0, from) < 0)
        return topic_failed(r, rd_kafka_last_error(), err);
    int result = consume_window(r, from, until, progress, err);
    rd_kafka_consume_stop(r->rkt, 0);
    return result;
}

static int read_backwards(struct reading *r, struct kafka_progress *progress, struct error *err)
{
    int64_t until = r->end;
    for (int64_t window = WINDOW; until > r->low; window *= 2) {
        int64_t from = until - window > r->low ? until - window : r->low;
        if (read_window(r, from, until, progress, err) < 0)
            return -1;
        if (progress->newest.len > 0)
            return 0;
        until = from;
    }
    return 0;
}

/* ---- All of it ---- */

static int topic_exists(struct reading *r, bool *exists, struct error *err)
{
    struct kafka_topic_facts facts;
    enum kafka_doubt doubt = r->options->creates_progress ? KAFKA_DOUBT_NONE : KAFKA_DOUBT_LAG;
    if (kafka_topic_facts(&r->client, r->rkt, r->deadline_us, "Read,Describe", doubt, &facts, err) <
        0)
        return -1;
    *exists = facts.partitions > 0;
    return 0;
}

static int read_open(struct reading *r, bool to_high_watermark, struct kafka_progress *progress,
                     struct error *err)
{
    struct kafka_client_options how = {.options = r->options, .role = KAFKA_CONSUMER_COMMITTED};
    if (kafka_client_open(&r->client, &how, err) < 0)
        return -1;
    r->rkt = rd_kafka_topic_new(r->client.rk, r->topic, NULL);
    if (r->rkt == NULL)
        return topic_failed(r, rd_kafka_last_error(), err);
    if (topic_exists(r, &progress->topic_exists, err) < 0)
        return -1;
    if (!progress->topic_exists)
        return 0;
    if (find_end(r, to_high_watermark, err) < 0)
        return -1;
    return read_backwards(r, progress, err);
}

static int read_key(const struct kafka_options *options, const char *suffix, bool to_high_watermark,
                    struct kafka_progress *progress, struct error *err)
{
    assert(options != NULL && options->delivery != NULL);
    assert(progress->newest.len == 0 && progress->previous.len == 0);
    struct reading r = {.options = options,
                        .topic = options->delivery->progress_topic.text,
                        .deadline_us = kafka_deadline_us(options)};
    char key[KAFKA_KEY_MAX + sizeof KAFKA_NOTE_SUFFIX];
    snprintf(key, sizeof key, "%s%s", kafka_progress_key(options, r.key_text), suffix);
    r.key = span_of(key);
    snprintf(r.doing, sizeof r.doing, "reading progress topic %s", r.topic);
    int result = read_open(&r, to_high_watermark, progress, err);
    if (r.rkt != NULL)
        rd_kafka_topic_destroy(r.rkt);
    kafka_client_close(&r.client);
    return result;
}

int kafka_read_progress(const struct kafka_options *options, bool to_high_watermark,
                        struct kafka_progress *progress, struct error *err)
{
    return read_key(options, "", to_high_watermark, progress, err);
}

int kafka_progress_check(const struct kafka_options *options, bool forged, struct error *err)
{
    if (!forged)
        return 0;
    return error_stop(err, REASON_PROGRESS_FORGED,
                      "the newest progress record in topic %s lacks the header %s: no relay, or an "
                      "older one, wrote it behind those of this version",
                      options->delivery->progress_topic.text, KAFKA_PROGRESS_HEADER);
}

int kafka_look_note(const struct kafka_options *options, struct buf *note, struct error *err)
{
    struct kafka_progress found = {.topic_exists = false};
    int result = read_key(options, KAFKA_NOTE_SUFFIX, false, &found, err);
    if (result == 0)
        buf_add(note, buf_span(&found.newest));
    kafka_progress_fini(&found);
    return result;
}

int kafka_look_closely(const struct kafka_options *options, bool through, struct buf *record,
                       struct buf *previous, bool *topic_exists_out, struct error *err)
{
    assert(record != NULL && previous != NULL);
    assert(topic_exists_out != NULL);
    struct kafka_progress progress = {.topic_exists = false};
    int result = kafka_read_progress(options, through, &progress, err);
    if (result == 0) {
        buf_add(record, buf_span(&progress.newest));
        buf_add(previous, buf_span(&progress.previous));
        *topic_exists_out = progress.topic_exists;
        result = kafka_progress_check(options, kafka_progress_forged(&progress), err);
    }
    kafka_progress_fini(&progress);
    return result;
}

int kafka_look(const struct kafka_options *options, struct buf *record, bool *topic_exists_out,
               struct error *err)
{
    struct buf previous = BUF_EMPTY;
    int result = kafka_look_closely(options, false, record, &previous, topic_exists_out, err);
    buf_fini(&previous);
    return result;
}
