/* publish/kafka_strict: sees what librdkafka does not tell.
 *
 * A commit that returned OK may have sent EndTxn more than once, or over a connection that failed.
 * With the transaction protocol of brokers without KIP-890 such a delayed request can reach the
 * broker inside the next transaction of the same producer epoch and end that one. Interceptors
 * count both; under delivery.strict the producer is then made anew, which raises the epoch, before
 * the next transaction begins (kafka_txn.c). Callbacks run on librdkafka's threads. */
#include "publish/kafka_strict.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>

/* Kafka protocol guide, "Api Keys". */
enum { API_PRODUCE = 0, API_ADD_PARTITIONS_TO_TXN = 24, API_END_TXN = 26 };

/* What is lost so soon after another one was lost with it. Longer than it takes librdkafka to give
 * the requests of a connection up, shorter than it waits before the next (reconnect.backoff.ms). */
#define LOST_TOGETHER_US (50 * US_PER_MS)

static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *rk, int socket, const char *broker_name,
                                           int32_t broker, int16_t api_key, int16_t api_version,
                                           int32_t correlation, size_t size, void *opaque)
{
    (void)rk, (void)socket, (void)broker_name, (void)broker;
    (void)api_version, (void)correlation, (void)size;
    struct kafka_watch *watch = opaque;
    if (api_key != API_END_TXN)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    atomic_fetch_add(&watch->end_txn_sent, 1);
    if (atomic_load(&watch->crash_at_end_txn))
        CRASH_POINT("C4");
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_watch_lost(struct kafka_watch *watch, int64_t now_us)
{
    if (now_us - atomic_exchange(&watch->produce_lost_us, now_us) > LOST_TOGETHER_US)
        atomic_fetch_add(&watch->produce_lost, 1);
}

static rd_kafka_resp_err_t on_response_received(rd_kafka_t *rk, int socket, const char *broker_name,
                                                int32_t broker, int16_t api_key,
                                                int16_t api_version, int32_t correlation,
                                                size_t size, int64_t rtt, rd_kafka_resp_err_t code,
                                                void *opaque)
{
    (void)rk, (void)socket, (void)broker_name, (void)broker;
    (void)api_version, (void)correlation, (void)size, (void)rtt;
    struct kafka_watch *watch = opaque;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && api_key == API_PRODUCE)
        atomic_store(&watch->produce_lost, 0);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__DESTROY)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (api_key == API_PRODUCE && code == RD_KAFKA_RESP_ERR__TRANSPORT)
        kafka_watch_lost(watch, clock_monotonic_us());
    if (api_key == API_PRODUCE || api_key == API_ADD_PARTITIONS_TO_TXN || api_key == API_END_TXN)
        atomic_fetch_add(&watch->transport_failures, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t text_size)
{
    (void)conf, (void)text, (void)text_size;
    rd_kafka_interceptor_add_on_request_sent(rk, "walferry", on_request_sent, opaque);
    rd_kafka_interceptor_add_on_response_received(rk, "walferry", on_response_received, opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_watch_install(rd_kafka_conf_t *conf, struct kafka_watch *watch)
{
    assert(watch != NULL);
    rd_kafka_conf_interceptor_add_on_new(conf, "walferry", on_new, watch);
}

void kafka_watch_reset(struct kafka_watch *watch)
{
    atomic_store(&watch->end_txn_sent, 0);
    atomic_store(&watch->transport_failures, 0);
}

bool kafka_watch_tainted(const struct kafka_watch *watch)
{
    return atomic_load(&watch->end_txn_sent) > 1 || atomic_load(&watch->transport_failures) > 0;
}
