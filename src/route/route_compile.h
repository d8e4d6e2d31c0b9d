/* route/route_compile: one route of the configuration, ready to be applied. Internal to the room.
 *
 * Compiled once and then constant, but for the two places at the end that belong to the change at
 * hand: the topic as it was last rendered, and the cells of a message. */
#ifndef WALFERRY_ROUTE_ROUTE_COMPILE_H
#define WALFERRY_ROUTE_ROUTE_COMPILE_H

#include "route/route.h"
#include "route/route_match.h"
#include "route/route_template.h"
#include "route/route_topic.h"

struct header_template {
    struct span name;
    struct template value;
};

struct route {
    uint32_t index;
    const char *name;
    bool continue_matching;
    struct route_match match;
    struct field_list fields;
    /* The fields below this number must be there; the others may be missing. */
    uint32_t required_count;
    /* FIELD_NONE where the column is not mapped; payload always is. */
    uint32_t id, type, payload, headers, timestamp, partition;
    bool has_key; /* false: every event has a null key */
    struct template key;
    uint32_t header_count;
    struct header_template *header_templates;

    struct route_topic topic;
    struct cell *message_cells; /* one for each field; of message routes only */
    struct field_slot *message_slots;
};

/* item: the route's place in the list, from 0. What is compiled lives in the arena and points into
 * the configuration. */
int route_compile(const struct router_options *options, uint32_t item, struct arena *arena,
                  struct route *route, struct error *err);

#endif
