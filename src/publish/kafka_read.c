/* publish/kafka_read: see kafka_read.h.
 *
 * What must be read is bounded by an end offset asked for first. A read_committed query of the end
 * returns the last stable offset, so for recovery a second, read_uncommitted handle asks. Reading
 * starts WINDOW records before the end and goes backwards in doubled windows until our key is
 * found.
 *
 * Where relays share a topic, the last stable offset can stand before an open transaction of
 * another one, and before records that we committed behind it. A look then waits until that
 * transaction has ended, since what it would find is old. An open transaction of our own hides
 * nothing: there is one at a time. */
#include "publish/kafka_read.h"

#include "base/clock.h"
#include "publish/kafka_reading.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define WINDOW 1000
#define LOOK_AGAIN_US (50 * US_PER_MS)
/* So many offsets from its end, a topic is looked at for records of ours. */
#define MARKED_WINDOW 100
/* Stands for a record without a value, so that it is the newest one all the same and is refused as
 * one that cannot be read. None of ours is one. */
#define TOMBSTONE "tombstone"

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

/* ---- One window ---- */

/* A value that is no version below ours is one of a relay that we do not know. */
static uint32_t mark_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, KAFKA_PROGRESS_HEADER, &value, &len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    struct span text = {value, len};
    if (span_equal_text(text, "1"))
        return 1;
    return span_equal_text(text, "2") ? 2 : KAFKA_PROGRESS_MARK;
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
    progress->previous_mark = progress->newest_mark;
    progress->newest_mark = empty ? KAFKA_PROGRESS_MARK : mark_of(message);
}

static struct span key_of(const rd_kafka_message_t *message)
{
    return (struct span){message->key, message->key_len};
}

static int read_window(struct kafka_reading *r, struct span key, int64_t from, int64_t until,
                       struct kafka_progress *progress, struct error *err)
{
    if (kafka_reading_start(r, from, until, err) < 0)
        return -1;
    rd_kafka_message_t *message;
    int more;
    while ((more = kafka_reading_next(r, &message, err)) == 1) {
        if (message->key != NULL && span_equal(key_of(message), key))
            keep_record(progress, message);
        rd_kafka_message_destroy(message);
    }
    kafka_reading_stop(r);
    return more;
}

static int read_backwards(struct kafka_reading *r, struct span key, struct kafka_progress *progress,
                          struct error *err)
{
    int64_t until = r->end;
    for (int64_t window = WINDOW; until > r->low; window *= 2) {
        int64_t from = until - window > r->low ? until - window : r->low;
        if (read_window(r, key, from, until, progress, err) < 0)
            return -1;
        if (progress->newest.len > 0)
            return 0;
        until = from;
    }
    return 0;
}

/* ---- Behind the last stable offset ---- */

/* Of our relay and shard, whatever stands behind them. */
static bool is_of_relay(const struct kafka_options *options, const rd_kafka_message_t *message)
{
    char text[KAFKA_KEY_MAX];
    struct span key = key_of(message);
    struct span ours = span_of(kafka_progress_key(options, text));
    return message->key != NULL && span_starts_with(key, ours) &&
           (key.len == ours.len || key.ptr[ours.len] == '/');
}

/* The first record there belongs to the oldest transaction that is open. Where that is not ours,
 * records of ours behind it may be committed. */
static int scan_tail(struct kafka_reading *tail, int64_t from, bool *hidden, struct error *err)
{
    if (kafka_reading_start(tail, from, tail->end, err) < 0)
        return -1;
    rd_kafka_message_t *message;
    bool first_is_ours = false;
    int more;
    for (int i = 0; (more = kafka_reading_next(tail, &message, err)) == 1; i++) {
        bool ours = is_of_relay(tail->options, message);
        rd_kafka_message_destroy(message);
        first_is_ours = i == 0 ? ours : first_is_ours;
        *hidden = ours && !first_is_ours;
        if (ours)
            break;
    }
    kafka_reading_stop(tail);
    return more < 0 ? -1 : 0;
}

static int look_behind(const struct kafka_reading *r, bool *hidden, struct error *err)
{
    int64_t low = 0;
    int64_t high = -1;
    *hidden = false;
    /* As the last answer to a fetch said; where nothing was fetched, nothing is known. */
    if (r->end > r->low &&
        rd_kafka_get_watermark_offsets(r->client.rk, r->topic, 0, &low, &high) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        high >= 0 && high <= r->end)
        return 0;
    struct kafka_reading tail;
    int result = kafka_reading_open(&tail, r->options, KAFKA_CONSUMER_UNCOMMITTED, r->topic,
                                    "reading behind the open transactions of topic", err);
    tail.deadline_us = r->deadline_us;
    if (result == 0)
        result = kafka_reading_find_end(&tail, err);
    if (result == 0 && tail.end > r->end)
        result = scan_tail(&tail, r->end, hidden, err);
    kafka_reading_close(&tail);
    return result;
}

static int stays_hidden(const struct kafka_reading *r, struct error *err)
{
    return error_retry(err, REASON_BROKER_TIMEOUT,
                       "%s: another relay's transaction stays open in it, before records of ours",
                       r->doing);
}

/* ---- All of it ---- */

static int topic_exists(struct kafka_reading *r, bool *exists, struct error *err)
{
    struct kafka_topic_facts facts;
    enum kafka_doubt doubt = r->options->creates_progress ? KAFKA_DOUBT_NONE : KAFKA_DOUBT_LAG;
    if (kafka_topic_facts(&r->client, r->rkt, r->deadline_us, "Read,Describe", doubt, &facts, err) <
        0)
        return -1;
    *exists = facts.partitions > 0;
    return 0;
}

static void forget_records(struct kafka_progress *progress)
{
    buf_reset(&progress->newest);
    buf_reset(&progress->previous);
    progress->newest_mark = progress->previous_mark = 0;
}

static int read_stable(struct kafka_reading *r, struct span key, struct kafka_progress *progress,
                       struct error *err)
{
    for (bool waited = false;; waited = true) {
        bool hidden;
        if (kafka_reading_find_end(r, err) < 0 || read_backwards(r, key, progress, err) < 0 ||
            look_behind(r, &hidden, err) < 0)
            return waited && err->reason == REASON_BROKER_TIMEOUT ? stays_hidden(r, err) : -1;
        if (!hidden)
            return 0;
        if (clock_monotonic_us() >= r->deadline_us)
            return stays_hidden(r, err);
        if (kafka_keep_waiting(&r->client, r->deadline_us, r->doing, err) < 0)
            return -1;
        forget_records(progress);
        clock_sleep_us(LOOK_AGAIN_US);
    }
}

static int read_through(struct kafka_reading *r, struct span key, struct kafka_progress *progress,
                        struct error *err)
{
    struct kafka_reading all;
    int result = kafka_reading_open(&all, r->options, KAFKA_CONSUMER_UNCOMMITTED, r->topic,
                                    "reading progress topic", err);
    if (result == 0)
        result = kafka_reading_find_end(&all, err);
    r->low = all.low;
    r->end = all.end;
    kafka_reading_close(&all);
    return result == 0 ? read_backwards(r, key, progress, err) : -1;
}

static int read_key(const struct kafka_options *options, const char *suffix, bool to_high_watermark,
                    struct kafka_progress *progress, struct error *err)
{
    assert(options != NULL && options->delivery != NULL);
    assert(progress->newest.len == 0 && progress->previous.len == 0);
    char own[KAFKA_KEY_MAX];
    char text[KAFKA_KEY_MAX + sizeof KAFKA_NOTE_SUFFIX];
    snprintf(text, sizeof text, "%s%s", kafka_progress_key(options, own), suffix);
    struct span key = span_of(text);
    struct kafka_reading r;
    int result =
        kafka_reading_open(&r, options, KAFKA_CONSUMER_COMMITTED,
                           options->delivery->progress_topic.text, "reading progress topic", err);
    if (result == 0)
        result = topic_exists(&r, &progress->topic_exists, err);
    if (result == 0 && progress->topic_exists)
        result = to_high_watermark ? read_through(&r, key, progress, err)
                                   : read_stable(&r, key, progress, err);
    progress->end = r.end;
    kafka_reading_close(&r);
    return result;
}

int kafka_read_progress(const struct kafka_options *options, bool to_high_watermark,
                        struct kafka_progress *progress, struct error *err)
{
    return read_key(options, "", to_high_watermark, progress, err);
}

/* Read uncommitted: what stands at `until` is of a transaction that is open still. */
int kafka_progress_between(const struct kafka_options *options, int64_t from, int64_t until,
                           bool *found, struct error *err)
{
    assert(from >= 0 && from < until);
    assert(found != NULL);
    char key[KAFKA_KEY_MAX];
    struct kafka_progress progress = {.topic_exists = true};
    struct kafka_reading r;
    int result =
        kafka_reading_open(&r, options, KAFKA_CONSUMER_UNCOMMITTED,
                           options->delivery->progress_topic.text, "reading progress topic", err);
    if (result == 0)
        result =
            read_window(&r, span_of(kafka_progress_key(options, key)), from, until, &progress, err);
    kafka_reading_close(&r);
    *found = progress.newest.len > 0;
    kafka_progress_fini(&progress);
    return result;
}

/* ---- A topic for events ---- */

static int find_marked(struct kafka_reading *r, bool *marked, struct error *err)
{
    int64_t from = r->end - MARKED_WINDOW > r->low ? r->end - MARKED_WINDOW : r->low;
    if (from >= r->end)
        return 0;
    if (kafka_reading_start(r, from, r->end, err) < 0)
        return -1;
    rd_kafka_message_t *message;
    int more = 0;
    while (!*marked && (more = kafka_reading_next(r, &message, err)) == 1) {
        *marked = mark_of(message) != 0;
        rd_kafka_message_destroy(message);
    }
    kafka_reading_stop(r);
    return *marked || more == 0 ? 0 : -1;
}

int kafka_read_is_marked(const struct kafka_options *options, const char *topic, bool *marked,
                         struct error *err)
{
    assert(topic != NULL && marked != NULL);
    *marked = false;
    struct kafka_reading r;
    int result = kafka_reading_open(&r, options, KAFKA_CONSUMER_UNCOMMITTED, topic,
                                    "looking for progress in topic", err);
    if (result == 0)
        result = kafka_reading_find_end(&r, err);
    if (result == 0)
        result = find_marked(&r, marked, err);
    kafka_reading_close(&r);
    if (result == 0 || err->reason != REASON_ACL_DENIED)
        return result;
    *err = ERROR_INIT;
    return 0;
}

/* ---- What others ask ---- */

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
