/* publish/kafka_lookup: what the brokers say of many topics at once. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_LOOKUP_H
#define WALFERRY_PUBLISH_KAFKA_LOOKUP_H

#include "publish/kafka_topics.h"

struct kafka_asked_topic {
    const char *name;
    bool has_settings;     /* they are known already */
    int64_t remembered_us; /* when they were learnt; 0: only now */
    bool wanted;           /* created where it is missing and may be */
    bool coming;           /* the controller took its creation */
    /* What is found out; where nothing is, the topic is to be asked for by itself. */
    enum { KAFKA_ASKED_OPEN, KAFKA_ASKED_THERE, KAFKA_ASKED_MISSING, KAFKA_ASKED_DENIED } found;
    const char *denied; /* operations that Kafka's ACLs deny */
    int32_t partitions;
    int32_t replicas; /* of the partition that has fewest */
    struct kafka_topic_settings settings;
};

struct kafka_lookup {
    const struct kafka_options *options;
    struct kafka_client *client; /* while it is asked */
    struct kafka_asked_topic *topics;
    uint32_t count;
    const struct config_topics *how; /* of those that are missing */
    int64_t deadline_us;
};

/* A few questions, however many topics. Fails only where the relay is asked to stop or no broker
 * answers; what is not a plain answer is left open. */
int kafka_look_up(struct kafka_lookup *lookup, struct error *err);

#endif
