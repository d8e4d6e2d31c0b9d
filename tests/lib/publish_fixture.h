/* publish_fixture: a Kafka publisher with a relay name, topics and a batch of its own, for tests.
 * Every failure that is not expected fails the test. */
#ifndef WALFERRY_TESTS_PUBLISH_FIXTURE_H
#define WALFERRY_TESTS_PUBLISH_FIXTURE_H

#include "kafka_peer.h"
#include "publish/publish.h"

#define FIXTURE_PROPERTIES_MAX 4

struct fixture {
    char relay[48];
    char progress_topic[80];
    char transactional_id[80];
    char topic[80]; /* not created */
    struct config_pair properties[FIXTURE_PROPERTIES_MAX];
    struct config_kafka kafka;
    struct config_delivery delivery;
    struct kafka_options options;
    struct metrics *metrics;
    atomic_bool stop;
    struct batch *batch;
    uint64_t next_lsn; /* of the next message, also its transaction */
    struct publisher *publisher;
    const char *committed; /* the newest record, which a claim repeats; "claim": none yet */
    char refused[64];      /* the test's */
    struct error err;
    struct arena arena;
    struct peer_records *seen;
};

/* For cmocka_unit_test_setup_teardown; skips nothing. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct batch *fixture_batch(void);
void fixture_batch_free(struct batch *batch);
void fixture_property(struct fixture *f, const char *name, const char *value);
/* prepare, open, recover; the recovered record's text lives until the next call. */
void fixture_open(struct fixture *f);
const char *fixture_reopen(struct fixture *f);
void fixture_close(struct fixture *f, int abort_ms);
/* A message of the batch, to be changed and then put. */
struct message *fixture_message(struct fixture *f, const char *topic, const char *key,
                                const char *value);
/* Puts until it is done or failed. Claims where that is due. */
int fixture_put(struct fixture *f, const struct message *message);
int fixture_commit(struct fixture *f, const char *record);
void fixture_must_put(struct fixture *f, const struct message *message);
void fixture_must_commit(struct fixture *f, const char *record);
/* What a read_committed consumer sees of a topic. */
const struct peer_records *fixture_read(struct fixture *f, const char *topic, int partitions);

#endif
