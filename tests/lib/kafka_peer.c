/* kafka_peer: see kafka_peer.h. */
#include "kafka_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#define WAIT_MS 20000

const char *peer_bootstrap(void)
{
    return getenv("WALFERRY_TEST_BOOTSTRAP");
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail_msg("%s", text);
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, const char *isolation)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", peer_bootstrap());
    set(conf, "allow.auto.create.topics", "false");
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "isolation.level", isolation);
        set(conf, "enable.partition.eof", "true");
        set(conf, "fetch.wait.max.ms", "10");
    }
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        fail_msg("%s", text);
    return rk;
}

/* ---- Topics ---- */

/* A broker answers at once that it does not know a topic yet: without a nap between the questions
 * all of them are asked before a loaded one has heard of it. */
static void await_partitions(rd_kafka_t *rk, const char *topic, int partitions)
{
    const struct timespec nap = {.tv_nsec = 50 * 1000 * 1000};
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    int seen = 0;
    for (int i = 0; i < 400 && seen != partitions; i++) {
        const struct rd_kafka_metadata *metadata;
        if (i > 0)
            nanosleep(&nap, NULL);
        if (rd_kafka_metadata(rk, 0, rkt, &metadata, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        seen = metadata->topics[0].partition_cnt;
        for (int p = 0; p < seen; p++)
            if (metadata->topics[0].partitions[p].leader < 0)
                seen = 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(rkt);
    assert_int_equal(seen, partitions);
}

static void await_admin(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    assert_non_null(event);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail_msg("%s", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

void peer_create_topic(const char *topic, int partitions, const char *const *settings)
{
    rd_kafka_t *rk = open_handle(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *plan = rd_kafka_NewTopic_new(topic, partitions, 1, NULL, 0);
    for (const char *const *at = settings; at != NULL && *at != NULL; at += 2)
        rd_kafka_NewTopic_set_config(plan, at[0], at[1]);
    rd_kafka_CreateTopics(rk, &plan, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(plan);
    await_admin(queue);
    await_partitions(rk, topic, partitions);
    rd_kafka_destroy(rk);
}

void peer_add_partitions(const char *topic, int partitions)
{
    rd_kafka_t *rk = open_handle(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewPartitions_t *plan = rd_kafka_NewPartitions_new(topic, (size_t)partitions, NULL, 0);
    rd_kafka_CreatePartitions(rk, &plan, 1, NULL, queue);
    rd_kafka_NewPartitions_destroy(plan);
    await_admin(queue);
    await_partitions(rk, topic, partitions);
    rd_kafka_destroy(rk);
}

/* ---- A transaction ---- */

struct peer_txn {
    rd_kafka_t *rk;
};

static void must(rd_kafka_error_t *error)
{
    if (error != NULL)
        fail_msg("%s", rd_kafka_error_string(error));
}

struct peer_txn *peer_begin(const char *topic, const char *key, const char *value)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", peer_bootstrap());
    set(conf, "transactional.id", topic);
    set(conf, "transaction.timeout.ms", "60000");
    struct peer_txn *txn = calloc(1, sizeof *txn);
    txn->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (txn->rk == NULL)
        fail_msg("%s", text);
    must(rd_kafka_init_transactions(txn->rk, WAIT_MS));
    must(rd_kafka_begin_transaction(txn->rk));
    rd_kafka_resp_err_t code = rd_kafka_producev(
        txn->rk, RD_KAFKA_VTYPE_TOPIC, topic, RD_KAFKA_VTYPE_PARTITION, (int32_t)0,
        RD_KAFKA_VTYPE_KEY, key, strlen(key), RD_KAFKA_VTYPE_VALUE, value, strlen(value),
        RD_KAFKA_VTYPE_MSGFLAGS, (int)RD_KAFKA_MSG_F_COPY, RD_KAFKA_VTYPE_END);
    assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(txn->rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    return txn;
}

void peer_end(struct peer_txn *txn)
{
    must(rd_kafka_commit_transaction(txn->rk, WAIT_MS));
    rd_kafka_destroy(txn->rk);
    free(txn);
}

/* ---- Reading ---- */

static struct span copy(struct arena *arena, const void *bytes, size_t length)
{
    return arena_copy(arena, (struct span){bytes, length});
}

static void keep_headers(struct arena *arena, const rd_kafka_message_t *message,
                         struct peer_record *record)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (size_t i = 0; i < PEER_HEADERS_MAX; i++) {
        if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        record->headers[record->header_count++] = (struct peer_header){
            .name = copy(arena, name, strlen(name)), .value = copy(arena, value, size)};
    }
}

static void keep(struct peer_records *records, const rd_kafka_message_t *message)
{
    assert_true(records->count < PEER_RECORDS_MAX);
    struct peer_record *record = &records->items[records->count++];
    *record = (struct peer_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = copy(records->arena, message->key, message->key_len),
        .value = copy(records->arena, message->payload, message->len),
    };
    keep_headers(records->arena, message, record);
}

/* A commit returns before its markers stand in every partition, so the last stable offset is waited
 * for. A transaction that is left open fails the test. */
static int64_t end_of(rd_kafka_t *rk, rd_kafka_t *uncommitted, const char *topic, int32_t partition)
{
    int64_t low, stable = -1, high = 0;
    for (int i = 0; i < 500 && stable != high; i++) {
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(uncommitted, topic, partition, &low, &high, WAIT_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &stable, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            stable = -1; /* a topic that was just made may have no leader yet */
        if (stable != high)
            usleep(10000);
    }
    assert_int_equal(stable, high);
    return high;
}

static void read_partition(rd_kafka_topic_t *rkt, int32_t partition, int64_t end,
                           struct peer_records *records)
{
    if (end == 0)
        return;
    assert_int_equal(rd_kafka_consume_start(rkt, partition, 0), 0);
    for (int64_t position = 0; position < end;) {
        rd_kafka_message_t *message = rd_kafka_consume(rkt, partition, WAIT_MS);
        assert_non_null(message);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            keep(records, message);
        else
            assert_int_equal(message->err, RD_KAFKA_RESP_ERR__PARTITION_EOF);
        position = message->offset + (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(rkt, partition);
}

void peer_read(const char *topic, int partitions, struct peer_records *records)
{
    records->count = 0;
    rd_kafka_t *rk = open_handle(RD_KAFKA_CONSUMER, "read_committed");
    rd_kafka_t *uncommitted = open_handle(RD_KAFKA_CONSUMER, "read_uncommitted");
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    for (int32_t p = 0; p < partitions; p++)
        read_partition(rkt, p, end_of(rk, uncommitted, topic, p), records);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
    rd_kafka_destroy(uncommitted);
}

struct span peer_header(const struct peer_record *record, const char *name)
{
    for (uint32_t i = 0; i < record->header_count; i++)
        if (span_equal_text(record->headers[i].name, name))
            return record->headers[i].value;
    return span_null();
}
