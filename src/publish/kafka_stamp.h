/* publish/kafka_stamp: a record's timestamp, by the broker's clock. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_STAMP_H
#define WALFERRY_PUBLISH_KAFKA_STAMP_H

#include "model/header_name.h"
#include "publish/clamp.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_TIME_DIGITS_MAX 20

/* Begins as zeros: nothing is known of the broker's clock. */
struct kafka_clock {
    int64_t wall_ms;         /* our clock when last looked at */
    int64_t broker_ahead_ms; /* broker's clock less ours, learned from LogAppendTime */
};

struct kafka_stamp {
    int64_t timestamp_ms;
    char true_time[KAFKA_TIME_DIGITS_MAX + 4]; /* empty where the timestamp is the true time */
};

/* From the report of a record whose topic has LogAppendTime; others teach nothing. */
void kafka_clock_learn(struct kafka_clock *clock, const rd_kafka_message_t *report);
/* The timestamp that comes closest to wanted_ms within the topic's limits. */
void kafka_stamp(struct kafka_clock *clock, const struct clamp_limits *limits, int64_t wanted_ms,
                 struct kafka_stamp *stamp);

#endif
