/* publish/kafka_reading: a partition of a topic, read up to an end that was asked for first.
 * Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_READING_H
#define WALFERRY_PUBLISH_KAFKA_READING_H

#include "publish/kafka_client.h"

struct kafka_reading {
    const struct kafka_options *options;
    const char *topic;
    struct kafka_client client;
    rd_kafka_topic_t *rkt;
    int32_t partition; /* 0 until somebody sets another one, between two windows */
    int64_t deadline_us;
    int64_t low; /* the first offset that is there */
    int64_t end; /* as far as the role sees: the last stable offset or the high watermark */
    int64_t position, until; /* of the window that is read */
    char doing[320];
};

/* doing: for what went wrong, as "reading topic". Close also what failed to open. */
int kafka_reading_open(struct kafka_reading *r, const struct kafka_options *options,
                       enum kafka_role role, const char *topic, const char *doing,
                       struct error *err);
void kafka_reading_close(struct kafka_reading *r);
/* What the broker says of the topic, as an error. Returns -1. */
int kafka_reading_failed(struct kafka_reading *r, rd_kafka_resp_err_t code, struct error *err);

/* Asks for low and end. */
int kafka_reading_find_end(struct kafka_reading *r, struct error *err);

/* Begins a window; stop before the next one. */
int kafka_reading_start(struct kafka_reading *r, int64_t from, int64_t until, struct error *err);
/* 1: the next message of the window, to be destroyed; 0: there is no other. */
int kafka_reading_next(struct kafka_reading *r, rd_kafka_message_t **message, struct error *err);
void kafka_reading_stop(struct kafka_reading *r);

#endif
