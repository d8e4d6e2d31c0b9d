/* publish/kafka_strict: what interceptors saw of requests. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_STRICT_H
#define WALFERRY_PUBLISH_KAFKA_STRICT_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Since a transaction began. Written by librdkafka's threads. */
struct kafka_watch {
    atomic_uint end_txn_sent;
    atomic_uint transport_failures; /* of Produce, AddPartitionsToTxn and EndTxn */
    atomic_bool crash_at_end_txn;   /* the commit is one that crash point C4 counts */
    /* Not of a transaction: connections in a row that ended while a Produce request was unanswered.
     * One that ends takes several requests with it. */
    atomic_uint produce_lost;
    atomic_llong produce_lost_us; /* when the newest of them ended, monotonic */
};

/* Interceptors that count into *watch, which must outlive the handle. */
void kafka_watch_install(rd_kafka_conf_t *conf, struct kafka_watch *watch);
void kafka_watch_reset(struct kafka_watch *watch);
/* A Produce request was lost with its connection. */
void kafka_watch_lost(struct kafka_watch *watch, int64_t now_us);
/* A delayed EndTxn of this transaction may still be under way to the broker. */
bool kafka_watch_tainted(const struct kafka_watch *watch);

#endif
