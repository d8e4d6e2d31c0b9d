/* publish/publish_internal: the Kafka publisher as its parts. Internal to the module.
 *
 * One thread drives all of it; reports and errors are served by rd_kafka_poll() in that thread.
 * Only kafka_publisher.c and kafka_produce.c know the whole; every other file is handed its part.
 */
#ifndef WALFERRY_PUBLISH_PUBLISH_INTERNAL_H
#define WALFERRY_PUBLISH_PUBLISH_INTERNAL_H

#include "publish/kafka_in_use.h"
#include "publish/kafka_stamp.h"
#include "publish/kafka_txn.h"

struct kafka_publisher {
    struct publisher base;
    struct kafka_options options;
    struct kafka_session session;
    struct kafka_in_use topics;
    struct kafka_flight flight;
    struct kafka_txn txn;
    struct kafka_failure failure;
    struct kafka_clock clock;
    struct kafka_memory *own_memory; /* where the options have none; else NULL */
    const struct message *ahead;     /* the topics from it on are looked up, it is not out */
    bool refused_other;              /* some record, for something else than its size */
    struct buf previous;             /* the record before the one that recover gave */
    bool forged;                     /* that one lacks the header which this one has */
    /* Only where events go out beside the transaction: */
    int64_t awake_us; /* clock_boot_us() at the last call's beginning or end; 0: none yet */
    bool slept;       /* the process did, and the claim has not been looked at since */
    bool gap;         /* a record was not taken, so nothing behind it is; its report says why */
};

/* kafka_produce.c: would a message be taken? As publisher_ops has it. */
enum step kafka_check(struct kafka_publisher *p, const struct message *message, struct error *err);
/* kafka_produce.c: one message of an open transaction, as publisher_ops has it. */
enum step kafka_put(struct kafka_publisher *p, struct batch *batch, const struct message *message,
                    struct error *err);

#endif
