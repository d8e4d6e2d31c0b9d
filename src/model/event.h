/* model/event: a change that has a destination.
 *
 * Made by route/, read by encode/. Its memory is the scratch arena of the change. A key whose
 * content is NULL is a null key. */
#ifndef WALFERRY_MODEL_EVENT_H
#define WALFERRY_MODEL_EVENT_H

#include "model/content.h"

struct header {
    struct span name;  /* not empty */
    struct span value; /* absent: a null header value */
};

/* A header whose value is a content, and is written as keys are. */
struct key_header {
    struct span name; /* absent: there is none */
    struct content key;
};

struct event {
    const struct change *change;
    uint32_t route;    /* index into the configured routes */
    uint32_t index;    /* among the events of this change, from 1 */
    struct span topic; /* a legal topic name; NUL-terminated behind its length */
    bool topic_of_row; /* the row chose it: the route's topic is no plain text */
    struct content key;
    struct content value;
    struct span id;              /* text of the mapped id column; absent where there is none */
    struct span type;            /* text of the mapped type column; absent where there is none */
    int32_t partition;           /* a mapped partition column, or -1 */
    int64_t timestamp_us;        /* mapped timestamp column or commit time, Unix epoch, unclamped */
    struct key_header other_key; /* of an event that is one half of a change of the key */
    uint32_t header_count;
    uint32_t named_headers; /* the names of so many, the first ones, last as long as the routes */
    const struct header *headers; /* in the order in which they go on the wire */
    uint32_t attribute_count;
    const struct header *attributes; /* of CloudEvents, but for those that an encoder knows */
};

#endif
