/* publish/kafka_ahead: topics that a batch needs, looked up together. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_AHEAD_H
#define WALFERRY_PUBLISH_KAFKA_AHEAD_H

#include "publish/kafka_in_use.h"

/* Looks topics of messages up that are not known yet, together; in the first call also those that
 * an earlier publisher knew. What is not plain is left to kafka_find(). STEP_WAIT: brokers were
 * asked, which took time; not to be called again for the same messages. */
enum step kafka_look_ahead(struct kafka_in_use *topics, const struct message *messages,
                           uint32_t count, struct error *err);

#endif
