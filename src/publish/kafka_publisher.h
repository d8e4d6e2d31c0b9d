/* publish/kafka_publisher: the Kafka publisher from inside. Internal to the room.
 *
 * One thread drives all of it; reports and errors are served by rd_kafka_poll() in that thread. In
 * exactly_once `events` is the transactional handle itself; in at_least_once events go through an
 * idempotent handle of their own, and only the progress record is written in a transaction. */
#ifndef WALFERRY_PUBLISH_KAFKA_PUBLISHER_H
#define WALFERRY_PUBLISH_KAFKA_PUBLISHER_H

#include "base/table.h"
#include "publish/kafka_failure.h"
#include "publish/kafka_flight.h"
#include "publish/kafka_read.h"
#include "publish/kafka_stamp.h"
#include "publish/kafka_topics.h"

/* IDLE ─put→ OPEN ─commit→ RECORDED ─flushed→ ENDING ─committed→ IDLE. In at_least_once OPEN means
 * that events are out; the transaction begins with RECORDED. */
enum kafka_phase { KAFKA_IDLE, KAFKA_OPEN, KAFKA_RECORDED, KAFKA_ENDING };

struct kafka_topic {
    const char *name;
    rd_kafka_topic_t *rkt; /* of the handle in use; NULL after that was made anew */
    int32_t partitions;    /* 0: missing when last looked at */
    int64_t max_message_bytes;
    struct clamp_limits clamp;
    int64_t checked_us;       /* when its metadata was asked for, monotonic */
    int64_t unreported_bytes; /* counted only where max_message_bytes is below the batch size */
    int32_t sticky_partition; /* where null keys go, -1: choose */
    int64_t sticky_bytes;
    struct kafka_topic *next; /* all topics, newest first */
};

struct kafka_publisher {
    struct publisher base;
    struct kafka_options options;
    char transactional_id[300];
    char key[KAFKA_KEY_MAX];
    int batch_bytes; /* of the handles in use */

    struct kafka_listener listener; /* to both handles */
    struct kafka_client transactional;
    struct kafka_client idempotent;
    struct kafka_client *events; /* one of the two */
    struct kafka_watch watch;
    rd_kafka_topic_t *progress_rkt; /* of the transactional handle */

    enum kafka_phase phase;
    bool in_transaction; /* begin_transaction was called and not yet ended */
    bool recovered;      /* I2 */
    bool claimed;        /* the first commit is done: crash points count from then on */
    bool outcome_unknown;
    int64_t begun_us;        /* monotonic: the transaction, or its first event */
    bool record_outstanding; /* the progress record is produced and not reported */
    struct buf committed;    /* the newest record that is known to be committed */
    struct buf earlier;      /* the one before it, of this publisher's own */
    struct buf previous;     /* the one before what recover gave */

    struct kafka_failure failure;
    struct kafka_flight flight;

    struct arena arena; /* topics */
    struct table topics;
    struct kafka_topic *newest_topic;
    struct kafka_topic *last_topic;    /* of the last put */
    struct kafka_topic *refresh_topic; /* the next whose partition count is looked at */
    int64_t refreshed_us;
    bool small_topics;  /* some topic takes less than batch_bytes */
    int smallest_topic; /* bytes that the smallest topic takes, at most KAFKA_BATCH_BYTES */

    struct kafka_clock clock;
    uint64_t random;
};

/* kafka_publisher.c */
/* Opens the handles and init_transactions. */
int kafka_publisher_connect(struct kafka_publisher *p, struct error *err);
void kafka_publisher_disconnect(struct kafka_publisher *p);
int kafka_publisher_read(struct kafka_publisher *p, struct kafka_progress *progress,
                         struct error *err);
void kafka_publisher_serve(struct kafka_publisher *p, int wait_ms);

/* kafka_report.c */
/* What the handles' callbacks are told; owner: the publisher. */
void kafka_publisher_report(void *owner, const rd_kafka_message_t *report);
void kafka_publisher_fatal(void *owner, const struct kafka_health *health, rd_kafka_resp_err_t code,
                           const char *text);

/* kafka_produce.c */
int kafka_put(struct kafka_publisher *p, struct batch *batch, const struct message *message,
              struct error *err);
/* kafka_txn.c */
int kafka_begin(struct kafka_publisher *p, struct error *err);
int kafka_commit(struct kafka_publisher *p, struct span record, struct error *err);
/* What is done between transactions, before the next begins. */
int kafka_between(struct kafka_publisher *p, struct error *err);
/* Sends and serves until no event is outstanding; PUBLISH_AGAIN after a slice. */
int kafka_drain(struct kafka_publisher *p, struct error *err);

/* kafka_route.c: topics in use */
int kafka_topic_of(struct kafka_publisher *p, const struct message *message,
                   struct kafka_topic **topic, struct error *err);
int kafka_choose_partition(struct kafka_publisher *p, struct kafka_topic *topic,
                           const struct message *message, int32_t *partition, struct error *err);
/* Looks at one topic's partition count, now and then. */
void kafka_refresh_topics(struct kafka_publisher *p);
void kafka_forget_handles(struct kafka_publisher *p);

#endif
