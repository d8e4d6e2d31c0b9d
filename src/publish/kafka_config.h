/* publish/kafka_config: the properties of each kind of handle. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_CONFIG_H
#define WALFERRY_PUBLISH_KAFKA_CONFIG_H

#include "publish/publish.h"

#include <librdkafka/rdkafka.h>

/* Record batches of this size; topics with a smaller max.message.bytes lower it. */
#define KAFKA_BATCH_BYTES 1000000

enum kafka_role {
    KAFKA_ADMIN,              /* a plain producer handle, for metadata and topics */
    KAFKA_TRANSACTIONAL,      /* with a transactional.id */
    KAFKA_IDEMPOTENT,         /* events of at_least_once */
    KAFKA_CONSUMER_COMMITTED, /* isolation.level=read_committed */
    KAFKA_CONSUMER_UNCOMMITTED,
    KAFKA_FOLLOWER /* as KAFKA_CONSUMER_COMMITTED, but asks twice a second only */
};

struct kafka_conf_options {
    enum kafka_role role;
    const struct config_kafka *kafka;
    const struct config_delivery *delivery;
    const char *client_id;
    const char *transactional_id; /* KAFKA_TRANSACTIONAL */
    int batch_bytes;              /* of producers; 0: KAFKA_BATCH_BYTES */
    bool offline;                 /* without bootstrap.servers: nothing is connected to */
};

/* *conf is the caller's to hand on or destroy. Fails with ERROR_STOP. */
int kafka_conf_build(const struct kafka_conf_options *how, rd_kafka_conf_t **conf,
                     struct error *err);
/* librdkafka makes no handle of these properties: ERROR_STOP with its text and the line of the
 * property that it names. Returns -1. */
int kafka_conf_refused(const struct config_kafka *kafka, const char *text, struct error *err);
rd_kafka_type_t kafka_type_of(enum kafka_role role);
/* A property as it is written in the file, or NULL. */
const char *kafka_property(const struct config_kafka *kafka, const char *name);
/* bootstrap.servers as one word of a shell, behind --bootstrap-server of Kafka's scripts; of many
 * the first ones. Where they want a login or TLS, that of an administrator stands behind it, by the
 * option and the file's name that docs/OPERATIONS.md has. Returns text. */
#define KAFKA_SERVERS_MAX 256
const char *kafka_servers(const struct config_kafka *kafka, char text[KAFKA_SERVERS_MAX]);

#endif
