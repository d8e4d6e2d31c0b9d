/* encode/encode_cloudevents: a message becomes a CloudEvent 1.0, by the Kafka protocol binding.
 * Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_CLOUDEVENTS_H
#define WALFERRY_ENCODE_ENCODE_CLOUDEVENTS_H

#include "encode/encode.h"

/* The attributes: those of the event, in their order, then id, time, sequence. */
struct cloudevent {
    const struct event *event;
    struct span id; /* the walferry-id */
};

/* structured: message->value, JSON or absent, becomes data of the event. */
void cloudevents_wrap(const struct cloudevent *e, struct arena *arena, struct message *message);
/* The headers of either mode. Writes at most cloudevents_header_count() of them. Returns how many.
 */
uint32_t cloudevents_headers(const struct cloudevent *e, enum cloudevents_mode mode,
                             struct arena *arena, struct header *headers);
uint32_t cloudevents_header_count(const struct event *event);

#endif
