/* publish/kafka_read: the progress record is read from the end of its topic. Internal to the
 * module. */
#ifndef WALFERRY_PUBLISH_KAFKA_READ_H
#define WALFERRY_PUBLISH_KAFKA_READ_H

#include "publish/kafka_client.h"

/* "<relay>/<shard>" and its NUL. */
#define KAFKA_KEY_MAX 80

const char *kafka_progress_key(const struct kafka_options *options, char text[KAFKA_KEY_MAX]);

struct kafka_progress {
    bool topic_exists;
    struct buf newest;   /* the newest committed record of our key; empty: none */
    struct buf previous; /* the one before it, where it was passed on the way */
};

/* to_high_watermark: waits until every transaction that is open in the topic has ended (recovery,
 * after our own has been fenced); else as far as the last stable offset (a look). */
int kafka_read_progress(const struct kafka_options *options, bool to_high_watermark,
                        struct kafka_progress *progress, struct error *err);
void kafka_progress_fini(struct kafka_progress *progress);

#endif
