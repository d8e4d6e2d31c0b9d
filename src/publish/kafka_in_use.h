/* publish/kafka_in_use: the topics in use and the partition of a message. Internal to the module.
 */
#ifndef WALFERRY_PUBLISH_KAFKA_IN_USE_H
#define WALFERRY_PUBLISH_KAFKA_IN_USE_H

#include "base/table.h"
#include "publish/kafka_session.h"
#include "publish/kafka_topics.h"

struct kafka_topic {
    const char *name;
    /* Of what events go out through (kafka_session_events_index()); NULL before it was used, and
     * after that was closed. */
    rd_kafka_topic_t *rkts[KAFKA_HANDLES];
    int32_t partitions; /* 0: missing or refused when last looked at */
    int64_t max_message_bytes;
    bool compacts; /* so it takes no message without a key */
    struct clamp_limits clamp;
    int64_t checked_us;       /* when its metadata was asked for, monotonic */
    int64_t settings_us;      /* the same of its configuration */
    uint64_t refused_ahead;   /* the look ahead that did not find it, or refused it; 0: none */
    bool of_row;              /* a row chose it */
    const char *reserved;     /* what makes it a relay's progress; NULL: nothing */
    const char *denied;       /* operations that the ACLs deny; NULL: none */
    const char *illegal;      /* what the brokers say of its name; NULL: nothing */
    const char *weak;         /* how weakly it is replicated; NULL: it is not, or that was told */
    const char *weak_text;    /* what was said of that last, kept because it is said again */
    int64_t unreported_bytes; /* while it is counted */
    int32_t sticky_partition; /* where null keys go, -1: choose */
    int64_t sticky_bytes;
    struct kafka_topic *next; /* all topics, newest first */
};

struct kafka_in_use {
    struct kafka_session *session; /* what its events go out through asks, too */
    struct arena arena;
    struct table table;
    size_t kept; /* of the table, when the missing ones were dropped */
    struct kafka_topic *newest;
    struct kafka_topic *last;    /* of the last message */
    struct kafka_topic *refresh; /* the next whose partition count is looked at */
    int64_t refreshed_us;
    bool small;         /* some topic takes less than a batch of the session */
    bool counting;      /* so what is under way is counted, all of it */
    int smallest_bytes; /* what the smallest topic takes, at most KAFKA_BATCH_BYTES */
    uint64_t random;
    uint64_t aheads; /* looks ahead so far */
};

/* A topic that is missing or refused is not asked for again for this long. */
#define KAFKA_REFUSED_US (1 * US_PER_S)

void kafka_in_use_init(struct kafka_in_use *topics, struct kafka_session *session);
/* Handles were forgotten before. */
void kafka_in_use_fini(struct kafka_in_use *topics);
/* Before the session is closed. */
void kafka_in_use_forget_handles(struct kafka_in_use *topics);

/* The topic, not looked up yet where it is new. A name that is not for events: ERROR_DATA. */
int kafka_in_use_get(struct kafka_in_use *topics, struct span name, struct kafka_topic **topic,
                     struct error *err);
/* For what events go out through now. A name that librdkafka does not take: ERROR_DATA. */
int kafka_in_use_open_handle(struct kafka_in_use *topics, struct kafka_topic *topic,
                             struct error *err);
static inline rd_kafka_topic_t **kafka_in_use_rkt(const struct kafka_in_use *topics,
                                                  struct kafka_topic *topic)
{
    return &topic->rkts[kafka_session_events_index(topics->session)];
}
void kafka_in_use_forget_handle(struct kafka_topic *topic);
/* Before a batch: rows can name topics without end, so that those that are not there are forgotten
 * now and then; nothing is under way to them. No pointer to a topic stays good. */
void kafka_in_use_drop_missing(struct kafka_in_use *topics);
/* What is found out of its replication; absent: it is not weak. */
void kafka_in_use_set_weak(struct kafka_in_use *topics, struct kafka_topic *topic,
                           struct span weak);
/* Takes its configuration over. */
void kafka_in_use_set(struct kafka_in_use *topics, struct kafka_topic *topic,
                      const struct kafka_topic_settings *settings, int64_t learnt_us);
/* Whether rows chose the topic; false for one that no message was for. */
bool kafka_in_use_is_of_row(const struct kafka_in_use *topics, const char *name);

/* One that the topic does not have is ERROR_DATA. */
int kafka_in_use_partition(struct kafka_in_use *topics, struct kafka_topic *topic,
                           const struct message *message, int32_t *partition, struct error *err);

/* Nothing is under way: from here on it is counted, where some topic is small. */
void kafka_in_use_count(struct kafka_in_use *topics);
/* The topic has so much under way that the message must wait for reports. Also where something is
 * that was not counted: what is subtracted at its report must have been added. */
bool kafka_in_use_is_full(const struct kafka_in_use *topics, const struct kafka_topic *topic,
                          const struct message *message);
void kafka_in_use_sent(const struct kafka_in_use *topics, struct kafka_topic *topic,
                       const struct message *message);
void kafka_in_use_reported(struct kafka_in_use *topics, const struct message *message);

/* Between transactions: whether the session's batches are larger than some topic takes. */
bool kafka_in_use_wants_smaller_batches(const struct kafka_in_use *topics);
/* Between transactions: looks at one topic's partition count, now and then. */
void kafka_in_use_refresh(struct kafka_in_use *topics);

#endif
