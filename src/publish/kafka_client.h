/* publish/kafka_client: one librdkafka handle with its callbacks, and how its errors become ours.
 * Internal to the room. */
#ifndef WALFERRY_PUBLISH_KAFKA_CLIENT_H
#define WALFERRY_PUBLISH_KAFKA_CLIENT_H

#include "publish/publish.h"

#include <librdkafka/rdkafka.h>

/* No single wait on librdkafka is longer, so that the stop flag is looked at. */
#define KAFKA_SLICE_MS 1000
#define KAFKA_TIMEOUT_MS_DEFAULT 30000
/* Record batches of this size; topics with a smaller max.message.bytes lower it. */
#define KAFKA_BATCH_BYTES 1000000

enum kafka_role {
    KAFKA_ADMIN,              /* a plain producer handle, for metadata and topics */
    KAFKA_TRANSACTIONAL,      /* with a transactional.id */
    KAFKA_IDEMPOTENT,         /* events of at_least_once */
    KAFKA_CONSUMER_COMMITTED, /* isolation.level=read_committed */
    KAFKA_CONSUMER_UNCOMMITTED
};

/* What interceptors saw since a transaction began. Written by librdkafka's threads. */
struct kafka_watch {
    atomic_uint end_txn_sent;
    atomic_uint transport_failures; /* of Produce, AddPartitionsToTxn and EndTxn */
    atomic_bool crash_at_end_txn;   /* the commit is one that crash point C4 counts */
};

struct kafka_publisher;

struct kafka_client {
    rd_kafka_t *rk; /* NULL: closed */
    const struct kafka_options *options;
    struct kafka_publisher *publisher; /* whose reports come here; NULL: nobody's */
    struct kafka_watch *watch;         /* NULL: no interceptors */
    bool brokers_down;                 /* librdkafka said so, and nothing has worked since */
    bool auth_failed;
    char detail[384]; /* librdkafka's newest error text */
    /* The topic that the broker does not let into a transaction: only a log line names it. Written
     * once, by librdkafka's thread, before the flag is set. */
    char denied_topic[256];
    atomic_bool denied_topic_known;
};

struct kafka_client_options {
    const struct kafka_options *options;
    enum kafka_role role;
    const char *transactional_id; /* KAFKA_TRANSACTIONAL */
    int batch_bytes;              /* of producers; 0: KAFKA_BATCH_BYTES */
    struct kafka_publisher *publisher;
    struct kafka_watch *watch;
};

/* `client` must stay where it is until it is closed. */
int kafka_client_open(struct kafka_client *client, const struct kafka_client_options *how,
                      struct error *err);
/* Drops what is queued and waits until librdkafka holds no pointer of ours. */
void kafka_client_close(struct kafka_client *client);
/* init_transactions in slices. */
int kafka_client_init(struct kafka_client *client, const char *transactional_id, struct error *err);

/* kafka_config.c */
struct kafka_conf_options {
    enum kafka_role role;
    const struct config_kafka *kafka;
    const struct config_delivery *delivery;
    const char *client_id;
    const char *transactional_id;
    int batch_bytes;
    bool offline; /* without bootstrap.servers: nothing is connected to */
};
int kafka_conf_build(const struct kafka_conf_options *how, rd_kafka_conf_t **conf,
                     struct error *err);
/* A property as it is written in the file, or NULL. */
const char *kafka_property(const struct config_kafka *kafka, const char *name);

/* kafka_strict.c: interceptors that count into client->watch. */
void kafka_watch_install(rd_kafka_conf_t *conf, struct kafka_watch *watch);
void kafka_watch_reset(struct kafka_watch *watch);
/* A delayed EndTxn of this transaction may still be under way to the broker. */
bool kafka_watch_tainted(const struct kafka_watch *watch);

/* kafka_error.c: fills *err and returns -1. `doing` reads like "reading topic x". */
int kafka_failed(struct error *err, const struct kafka_client *client, rd_kafka_resp_err_t code,
                 const char *text, const char *doing);
/* The same for an error object, which is destroyed. */
int kafka_failed_object(struct error *err, const struct kafka_client *client,
                        rd_kafka_error_t *error, const char *doing);
/* ERROR_STOP that names the missing ACL; operations like "Write,Describe". */
int kafka_denied(struct error *err, const struct kafka_client *client, const char *resource,
                 const char *name, const char *operations);
bool kafka_is_denied(rd_kafka_resp_err_t code);
bool kafka_is_fenced(rd_kafka_resp_err_t code);

/* Bounds a wait: 0 while it may go on, else -1 with ERROR_RETRY ("stopping", or what `doing`
 * missed). */
int64_t kafka_deadline_us(const struct kafka_options *options);
int kafka_keep_waiting(struct kafka_client *client, int64_t deadline_us, const char *doing,
                       struct error *err);

#endif
