/* kafka_peer: the other side of a publisher, for tests: topics made by hand, and what a
 * read_committed consumer sees. Uses librdkafka directly. Every failure fails the test. */
#ifndef WALFERRY_TESTS_KAFKA_PEER_H
#define WALFERRY_TESTS_KAFKA_PEER_H

#include "base/arena.h"

#include <stdint.h>

#define PEER_RECORDS_MAX 4096
#define PEER_HEADERS_MAX 8

struct peer_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct span key;
    struct span value;
    uint32_t header_count;
    struct peer_header {
        struct span name;
        struct span value;
    } headers[PEER_HEADERS_MAX];
};

struct peer_records {
    struct arena *arena;
    uint32_t count;
    struct peer_record items[PEER_RECORDS_MAX];
};

/* WALFERRY_TEST_BOOTSTRAP, or NULL where there is no Kafka to test with. */
const char *peer_bootstrap(void);
/* settings: names and values in turn, ended by NULL; may be NULL. */
void peer_create_topic(const char *topic, int partitions, const char *const *settings);
void peer_add_partitions(const char *topic, int partitions);
/* A transaction of somebody else's with one record in partition 0 of the topic, which stays open
 * until it is ended. */
struct peer_txn;
struct peer_txn *peer_begin(const char *topic, const char *key, const char *value);
void peer_end(struct peer_txn *txn);
/* All committed records of the topic, by partition, then offset; waits until no transaction is
 * open in it. */
void peer_read(const char *topic, int partitions, struct peer_records *records);
/* The header's value, or an absent span. */
struct span peer_header(const struct peer_record *record, const char *name);

#endif
