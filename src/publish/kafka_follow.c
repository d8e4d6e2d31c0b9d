/* publish/kafka_follow: the progress topic as it grows, for one who asks whether somebody else has
 * taken over. One plain read_committed consumer; what ails it heals by itself or is found by the
 * pipeline, so errors of single fetches are no news here. */
#include "base/clock.h"
#include "publish/kafka_read.h"

#include <assert.h>
#include <stdlib.h>

/* Markers and other relays' records lie between ours. What was missed before is in what follows,
 * for each record names its writer. */
#define FOLLOW_TAIL 100

struct kafka_follower {
    struct kafka_options options;
    struct kafka_client client;
    rd_kafka_topic_t *rkt;
    bool consuming;
    char key[KAFKA_KEY_MAX];
};

int kafka_follow_open(const struct kafka_options *options, struct kafka_follower **follower,
                      struct error *err)
{
    assert(options != NULL && follower != NULL);
    struct kafka_follower *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->options = *options;
    made->options.log = NULL; /* the producer's own lines tell of the same brokers */
    kafka_progress_key(&made->options, made->key);
    struct kafka_client_options how = {.options = &made->options, .role = KAFKA_FOLLOWER};
    const char *topic = made->options.delivery->progress_topic.text;
    int result = kafka_client_open(&made->client, &how, err);
    if (result == 0) {
        made->rkt = rd_kafka_topic_new(made->client.rk, topic, NULL);
        made->consuming =
            made->rkt != NULL &&
            rd_kafka_consume_start(made->rkt, 0, RD_KAFKA_OFFSET_TAIL(FOLLOW_TAIL)) == 0;
        if (!made->consuming)
            result = kafka_failed(err, &made->client.health, rd_kafka_last_error(), NULL,
                                  "following the progress topic");
    }
    if (result < 0) {
        kafka_follow_close(made);
        return -1;
    }
    *follower = made;
    return 0;
}

bool kafka_follow_next(struct kafka_follower *f, int wait_ms, struct buf *record)
{
    assert(f != NULL && record != NULL);
    rd_kafka_message_t *message = rd_kafka_consume(f->rkt, 0, wait_ms);
    if (message == NULL)
        return false;
    bool ours = message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->payload != NULL &&
                message->key != NULL &&
                span_equal((struct span){message->key, message->key_len}, span_of(f->key));
    buf_reset(record);
    if (ours)
        buf_add(record, (struct span){message->payload, message->len});
    bool failed = message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_message_destroy(message);
    if (failed) /* they may come in a row */
        clock_sleep_us((int64_t)wait_ms * US_PER_MS);
    return ours;
}

void kafka_follow_close(struct kafka_follower *f)
{
    if (f == NULL)
        return;
    /* What follows may wait for ever, and then outlives the file that names the program. */
    kafka_token_close(&f->client.token);
    if (f->consuming)
        rd_kafka_consume_stop(f->rkt, 0);
    if (f->rkt != NULL)
        rd_kafka_topic_destroy(f->rkt);
    kafka_client_close(&f->client);
    free(f);
}
