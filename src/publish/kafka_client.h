/* publish/kafka_client: one librdkafka handle with its callbacks. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_CLIENT_H
#define WALFERRY_PUBLISH_KAFKA_CLIENT_H

#include "publish/kafka_config.h"
#include "publish/kafka_error.h"
#include "publish/kafka_strict.h"

/* No single wait on librdkafka is longer, so that the stop flag is looked at. */
#define KAFKA_SLICE_MS 1000
#define KAFKA_QUESTION_MS 30000

/* Who hears of a producer's records. Both are called in the thread that serves the handle. */
struct kafka_listener {
    void *owner;
    void (*on_report)(void *owner, const rd_kafka_message_t *report);
    /* librdkafka has given the producer up. */
    void (*on_fatal)(void *owner, const struct kafka_health *health, rd_kafka_resp_err_t code,
                     const char *text);
};

struct kafka_client {
    rd_kafka_t *rk; /* NULL: closed */
    bool transactional;
    struct kafka_health health;
    const struct kafka_listener *listener; /* NULL: nobody */
    struct kafka_token token;
    /* The topic that the broker does not let into a transaction: only a log line names it. Written
     * once, by librdkafka's thread, before the flag is set. */
    char denied_topic[256];
    atomic_bool denied_topic_known;
};

struct kafka_client_options {
    const struct kafka_options *options;
    enum kafka_role role;
    const char *transactional_id;          /* KAFKA_TRANSACTIONAL */
    int batch_bytes;                       /* of producers; 0: KAFKA_BATCH_BYTES */
    const struct kafka_listener *listener; /* NULL: reports are not asked for */
    struct kafka_watch *watch;             /* NULL: no interceptors */
};

/* `client` must stay where it is until it is closed, what `how` points to must outlive it. */
int kafka_client_open(struct kafka_client *client, const struct kafka_client_options *how,
                      struct error *err);
/* Drops what is queued and waits until librdkafka holds no pointer of ours. */
void kafka_client_close(struct kafka_client *client);
/* init_transactions in slices. */
int kafka_client_init(struct kafka_client *client, const char *transactional_id, struct error *err);

/* Bounds a wait: 0 while it may go on, else -1 with ERROR_RETRY ("stopping", or what `doing`
 * missed). */
int64_t kafka_deadline_us(const struct kafka_options *options);
int kafka_keep_waiting(struct kafka_client *client, int64_t deadline_us, const char *doing,
                       struct error *err);

#endif
