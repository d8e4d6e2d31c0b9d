/* publish/kafka_in_use: the topics in use and the partition of a message. Internal to the module.
 */
#ifndef WALFERRY_PUBLISH_KAFKA_IN_USE_H
#define WALFERRY_PUBLISH_KAFKA_IN_USE_H

#include "base/table.h"
#include "publish/clamp.h"
#include "publish/kafka_session.h"

struct kafka_topic {
    const char *name;
    rd_kafka_topic_t *rkt; /* of the session's handle for events; NULL after that was closed */
    int32_t partitions;    /* 0: missing when last looked at */
    int64_t max_message_bytes;
    struct clamp_limits clamp;
    int64_t checked_us;       /* when its metadata was asked for, monotonic */
    int64_t settings_us;      /* the same of its configuration */
    uint64_t missing_ahead;   /* the look ahead that did not find it; 0: none */
    int64_t unreported_bytes; /* counted only where some topic takes less than a batch */
    int32_t sticky_partition; /* where null keys go, -1: choose */
    int64_t sticky_bytes;
    struct kafka_topic *next; /* all topics, newest first */
};

struct kafka_in_use {
    struct kafka_session *session; /* whose handle for events asks and produces */
    struct arena arena;
    struct table table;
    struct kafka_topic *newest;
    struct kafka_topic *last;    /* of the last message */
    struct kafka_topic *refresh; /* the next whose partition count is looked at */
    int64_t refreshed_us;
    bool small;         /* some topic takes less than a batch of the session */
    int smallest_bytes; /* what the smallest topic takes, at most KAFKA_BATCH_BYTES */
    uint64_t random;
    uint64_t aheads; /* looks ahead so far */
};

void kafka_in_use_init(struct kafka_in_use *topics, struct kafka_session *session);
/* Handles were forgotten before. */
void kafka_in_use_fini(struct kafka_in_use *topics);
/* Before the session is closed. */
void kafka_in_use_forget_handles(struct kafka_in_use *topics);

/* Looks topics of messages up that are not known yet, together; in the first call also those that
 * an earlier publisher knew. What is not plain is left to kafka_in_use_find(). */
int kafka_in_use_look_ahead(struct kafka_in_use *topics, const struct message *messages,
                            uint32_t count, struct error *err);
/* The message's topic, looked up or created at its first use. Illegal or missing: ERROR_DATA. */
int kafka_in_use_find(struct kafka_in_use *topics, const struct message *message,
                      struct kafka_topic **topic, struct error *err);
/* A message is too large for what is known of the topic: its configuration is read again, where
 * that was not done just now. */
int kafka_in_use_reread(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err);
/* One that the topic does not have is ERROR_DATA. */
int kafka_in_use_partition(struct kafka_in_use *topics, struct kafka_topic *topic,
                           const struct message *message, int32_t *partition, struct error *err);

/* What is under way is counted only while `small`. is_full: the topic has so much of it that the
 * message must wait for reports. */
bool kafka_in_use_is_full(const struct kafka_in_use *topics, const struct kafka_topic *topic,
                          const struct message *message);
void kafka_in_use_sent(struct kafka_topic *topic, const struct message *message);
void kafka_in_use_reported(const rd_kafka_message_t *report);

/* Between transactions: whether the session's batches are larger than some topic takes. */
bool kafka_in_use_wants_smaller_batches(const struct kafka_in_use *topics);
/* Between transactions: looks at one topic's partition count, now and then. */
void kafka_in_use_refresh(struct kafka_in_use *topics);

#endif
