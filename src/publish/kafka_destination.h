/* publish/kafka_destination: may events go to a topic that is there? Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_DESTINATION_H
#define WALFERRY_PUBLISH_KAFKA_DESTINATION_H

#include "publish/kafka_topics.h"

/* *why: what makes the topic a relay's progress, for kafka_destination_refuse(); NULL: it is none.
 * Reads records only of a topic that could be one by its layout, or of one whose layout may not be
 * known. -1: no answer. */
int kafka_destination_check(const struct kafka_options *options, const char *topic,
                            int32_t partitions, const struct kafka_topic_settings *settings,
                            const char **why, struct error *err);
/* ERROR_DATA, "reserved_topic". Returns -1. */
int kafka_destination_refuse(const char *topic, const char *why, struct error *err);

/* Appends why the loss of one broker may lose what was acknowledged; nothing where it cannot. */
void kafka_destination_weak(const char *topic, int32_t replicas,
                            const struct kafka_topic_settings *settings, struct buf *weak);
/* ERROR_DATA, "replication_weak". Returns -1. */
int kafka_destination_refuse_weak(const char *weak, struct error *err);

#endif
