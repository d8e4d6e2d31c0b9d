/* publish/kafka_find: the topic of a message, looked up where it is not known. Internal to the
 * module. */
#ifndef WALFERRY_PUBLISH_KAFKA_FIND_H
#define WALFERRY_PUBLISH_KAFKA_FIND_H

#include "publish/kafka_in_use.h"
#include "publish/kafka_lookup.h"

/* The message's topic, looked up or created at its first use. Illegal, missing, a relay's own, and
 * denied or too weakly replicated where a row chose it: ERROR_DATA. STEP_WAIT: it was asked for by
 * itself, which takes time; it is known at the next call. */
enum step kafka_find(struct kafka_in_use *topics, const struct message *message,
                     struct kafka_topic **topic, struct error *err);
/* A message is too large for what is known of the topic: its configuration is read again, where
 * that was not done just now. */
int kafka_find_limit(struct kafka_in_use *topics, struct kafka_topic *topic, struct error *err);
/* Takes over what was asked of the topic together with others. What was left open is asked for by
 * itself at its next message. */
void kafka_find_take(struct kafka_in_use *topics, struct kafka_topic *topic,
                     const struct kafka_asked_topic *asked);

#endif
