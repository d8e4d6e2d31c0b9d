/* publish/kafka_letters: see kafka_letter.h. */
#include "publish/kafka_reading.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <stdlib.h>

#define HEADERS_MAX 32

struct kafka_letters {
    struct kafka_options options;
    struct kafka_reading reading;
    int32_t partitions;
    bool begun;                              /* the partition at hand */
    bool through;                            /* up to the high watermark, */
    struct kafka_reading all;                /* which this one sees */
    const struct kafka_letter_range *ranges; /* of the first partitions; NULL: of none */
    uint32_t range_count;
    rd_kafka_message_t *message;
    struct header headers[HEADERS_MAX];
};

static int open_topic(const struct kafka_options *options, const char *topic, bool through,
                      enum kafka_doubt doubt, struct kafka_letters **letters, struct error *err)
{
    assert(topic != NULL && letters != NULL);
    struct kafka_letters *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->options = *options;
    made->through = through;
    struct kafka_topic_facts facts;
    struct kafka_reading *r = &made->reading;
    if (kafka_reading_open(r, &made->options, KAFKA_CONSUMER_COMMITTED, topic, "reading topic",
                           err) < 0 ||
        (through && kafka_reading_open(&made->all, &made->options, KAFKA_CONSUMER_UNCOMMITTED,
                                       topic, "reading the end of topic", err) < 0) ||
        kafka_topic_facts(&r->client, r->rkt, r->deadline_us, "Read,Describe", doubt, &facts, err) <
            0) {
        kafka_letters_close(made);
        return -1;
    }
    made->partitions = facts.partitions;
    *letters = made;
    return 0;
}

int kafka_letters_open(const struct kafka_options *options, struct kafka_letters **letters,
                       struct error *err)
{
    return open_topic(options, options->letter_topic, false, KAFKA_DOUBT_LAG, letters, err);
}

int kafka_letters_open_through(const struct kafka_options *options, const char *topic,
                               struct kafka_letters **letters, struct error *err)
{
    return open_topic(options, topic, true, KAFKA_DOUBT_LAG, letters, err);
}

int kafka_letters_open_old(const struct kafka_options *options, const char *topic,
                           struct kafka_letters **letters, struct error *err)
{
    return open_topic(options, topic, true, KAFKA_DOUBT_NONE, letters, err);
}

void kafka_letters_close(struct kafka_letters *letters)
{
    if (letters == NULL)
        return;
    if (letters->message != NULL)
        rd_kafka_message_destroy(letters->message);
    if (letters->begun)
        kafka_reading_stop(&letters->reading);
    kafka_reading_close(&letters->reading);
    if (letters->through)
        kafka_reading_close(&letters->all);
    free(letters);
}

static void take_headers(struct kafka_letters *l, struct kafka_letter *letter)
{
    rd_kafka_headers_t *headers;
    letter->headers = l->headers;
    if (rd_kafka_message_headers(l->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const char *name;
    const void *value;
    size_t len;
    while (letter->header_count < HEADERS_MAX &&
           rd_kafka_header_get_all(headers, letter->header_count, &name, &value, &len) ==
               RD_KAFKA_RESP_ERR_NO_ERROR)
        l->headers[letter->header_count++] = (struct header){span_of(name), {value, len}};
}

static void fill(struct kafka_letters *l, struct kafka_letter *letter)
{
    const rd_kafka_message_t *message = l->message;
    *letter = (struct kafka_letter){.partition = message->partition,
                                    .offset = message->offset,
                                    .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
                                    .key = {message->key, message->key_len},
                                    .value = {message->payload, message->len}};
    take_headers(l, letter);
}

static int64_t clamp(int64_t offset, int64_t low, int64_t high)
{
    return offset < low ? low : offset > high ? high : offset;
}

static struct kafka_letter_range range_of(const struct kafka_letters *l)
{
    const struct kafka_reading *r = &l->reading;
    struct kafka_letter_range range = {r->low, r->end};
    if ((uint32_t)r->partition < l->range_count) {
        range.from = clamp(l->ranges[r->partition].from, r->low, r->end);
        range.until = clamp(l->ranges[r->partition].until, range.from, r->end);
    }
    return range;
}

static int begin(struct kafka_letters *l, struct error *err)
{
    struct kafka_reading *r = &l->reading;
    if (kafka_reading_find_end(r, err) < 0)
        return -1;
    if (l->through) {
        l->all.partition = r->partition;
        l->all.deadline_us = r->deadline_us;
        if (kafka_reading_find_end(&l->all, err) < 0)
            return -1;
        r->end = l->all.end;
    }
    struct kafka_letter_range range = range_of(l);
    if (kafka_reading_start(r, range.from, range.until, err) < 0)
        return -1;
    l->begun = true;
    return 0;
}

void kafka_letters_begin(struct kafka_letters *l, const struct kafka_letter_range *ranges,
                         uint32_t count)
{
    assert(l != NULL && (ranges != NULL || count == 0));
    if (l->begun)
        kafka_reading_stop(&l->reading);
    l->begun = false;
    l->reading.partition = 0;
    l->ranges = ranges;
    l->range_count = count;
}

int kafka_letters_open_end(const struct kafka_options *options, const char *topic,
                           struct kafka_letters **letters, struct error *err)
{
    *letters = NULL;
    if (open_topic(options, topic, false, KAFKA_DOUBT_LAG, letters, err) < 0)
        return -1;
    struct kafka_letters *l = *letters;
    struct kafka_reading *r = &l->reading;
    if (l->partitions == 0) {
        kafka_letters_close(l);
        *letters = NULL;
        return 0;
    }
    l->partitions = 1;
    if (kafka_reading_find_end(r, err) == 0 &&
        kafka_reading_start(r, r->end, INT64_MAX, err) == 0) {
        l->begun = true;
        return 0;
    }
    kafka_letters_close(l);
    *letters = NULL;
    return -1;
}

int kafka_letters_next(struct kafka_letters *l, struct kafka_letter *letter, struct error *err)
{
    assert(l != NULL && letter != NULL);
    struct kafka_reading *r = &l->reading;
    if (l->message != NULL)
        rd_kafka_message_destroy(l->message);
    l->message = NULL;
    for (; r->partition < l->partitions; r->partition++) {
        r->deadline_us = kafka_deadline_us(&l->options); /* each is a question of its own */
        if (!l->begun && begin(l, err) < 0)
            return -1;
        int got = kafka_reading_next(r, &l->message, err);
        if (got == 1)
            fill(l, letter);
        else
            l->message = NULL;
        if (got != 0)
            return got;
        kafka_reading_stop(r);
        l->begun = false;
    }
    return 0;
}

struct span kafka_letter_header(const struct kafka_letter *letter, const char *name)
{
    assert(name != NULL);
    for (uint32_t i = 0; i < letter->header_count; i++)
        if (span_equal_text(letter->headers[i].name, name))
            return letter->headers[i].value;
    return span_null();
}
