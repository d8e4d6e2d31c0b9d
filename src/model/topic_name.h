/* model/topic_name: which names a topic may have. It does not ask whether the topic exists.
 *
 * What a legal name is: Apache Kafka, class org.apache.kafka.common.internals.Topic. */
#ifndef WALFERRY_MODEL_TOPIC_NAME_H
#define WALFERRY_MODEL_TOPIC_NAME_H

#include "base/error.h"
#include "base/span.h"

#define TOPIC_NAME_MAX 249
/* The same as an extended regular expression, but that no dot comes first: "." and ".." are no
 * names. */
#define TOPIC_NAME_RULE "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}"

/* 1 to 249 of [A-Za-z0-9._-], not "." or "..". ERROR_DATA, "illegal_topic". */
int topic_name_check(struct span topic, struct error *err);
/* And one for events: none of Kafka's own, not the progress topic, none that a relay has or may
 * have for itself. ERROR_DATA, "illegal_topic" or "reserved_topic". */
int topic_name_check_event(struct span topic, const char *progress_topic, struct error *err);
/* And one for what a relay keeps itself, of which end is the use: ".progress" and the like. None of
 * Kafka's own, none that a relay has or may have for another use. ERROR_DATA, "illegal_topic" or
 * "reserved_topic". */
int topic_name_check_own(struct span topic, const char *end, struct error *err);
/* The topic that has the answers to commands: "walferry.<relay>.control". Returns text. */
#define TOPIC_NAME_CONTROL_MAX 64
const char *topic_name_control(const char *relay, char text[TOPIC_NAME_CONTROL_MAX]);
/* And the one that has the keys that are held: "walferry.<relay>.quarantine". */
#define TOPIC_NAME_QUARANTINE_MAX 64
const char *topic_name_quarantine(const char *relay, char text[TOPIC_NAME_QUARANTINE_MAX]);

#endif
