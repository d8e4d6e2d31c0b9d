/* publish/kafka_publisher: the Kafka publisher from inside. Internal to the room.
 *
 * One thread drives all of it; reports and errors are served by rd_kafka_poll() in that thread. In
 * exactly_once `events` is the transactional handle itself; in at_least_once events go through an
 * idempotent handle of their own, and only the progress record is written in a transaction. */
#ifndef WALFERRY_PUBLISH_KAFKA_PUBLISHER_H
#define WALFERRY_PUBLISH_KAFKA_PUBLISHER_H

#include "publish/kafka_failure.h"
#include "publish/kafka_flight.h"
#include "publish/kafka_in_use.h"
#include "publish/kafka_read.h"
#include "publish/kafka_stamp.h"

/* IDLE ─put→ OPEN ─commit→ RECORDED ─flushed→ ENDING ─committed→ IDLE. In at_least_once OPEN means
 * that events are out; the transaction begins with RECORDED. */
enum kafka_phase { KAFKA_IDLE, KAFKA_OPEN, KAFKA_RECORDED, KAFKA_ENDING };

struct kafka_publisher {
    struct publisher base;
    struct kafka_options options;
    char key[KAFKA_KEY_MAX];
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

    struct kafka_clock clock;
    struct kafka_session session;
    struct kafka_in_use topics;
};

/* kafka_publisher.c */
int kafka_publisher_read(struct kafka_publisher *p, struct kafka_progress *progress,
                         struct error *err);

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

#endif
