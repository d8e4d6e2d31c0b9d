/* route/route_compile: what every kind of route has in common: the topic, the key and the headers
 * of the configuration, compiled. Internal to the module.
 *
 * A route is compiled once and then constant, but for the two places at its end that belong to the
 * change at hand: the topic as it was last rendered, and the cells of a message. The kind itself
 * stands in a file of its own (route_outbox.c), which calls these in the order in which it wants
 * its fields to be missed. */
#ifndef WALFERRY_ROUTE_ROUTE_COMPILE_H
#define WALFERRY_ROUTE_ROUTE_COMPILE_H

#include "route/route.h"
#include "route/route_jq.h"
#include "route/route_match.h"
#include "route/route_template.h"
#include "route/route_topic.h"

struct header_template {
    struct span name;
    struct template value;
};

/* A column under a name that the configuration gives it. */
struct placed {
    struct span name;
    uint32_t field;
};

struct placed_list {
    uint32_t count;
    struct placed *items;
};

/* The fields of an outbox row. FIELD_NONE where the column is not mapped; payload always is. */
struct outbox_fields {
    uint32_t id, type, payload, headers, timestamp, partition;
    struct span headers_member; /* of the object in headers; absent: it is the whole object */
    uint32_t header_keys, header_values; /* arrays of one length */
    uint32_t tracing;                    /* lines name=value, each a header */
    bool tombstone_on_empty;             /* a blank payload is a NULL */
    bool payload_text;                   /* beside other members it is a string, JSON or not */
    bool expand;                         /* a text that is an object or an array of JSON is that */
    struct placed_list headers_too;      /* behind the others; NULL is a header without a value */
    struct placed_list members; /* of the value, behind the payload; none: it is the payload */
};

struct change_fields {
    const struct config_debezium *options;
    bool tombstones;         /* behind each deleted row */
    uint32_t made;           /* operations of which events are made, a bit each */
    struct span message_key; /* JSON; of messages */
};

/* What routes as: event share: one process for all programs, one buffer to write into. */
struct event_tools {
    struct jq_cage *cage; /* NULL: no route has had a program */
    struct buf out;
};

struct event_fields {
    const struct config_event *config;
    const char *relay;
    struct event_tools *tools;
    uint32_t changed_count;
    const uint32_t *changed; /* fields of which an UPDATE must change one */
    uint32_t filter, value;  /* programs; JQ_NONE */
    struct jq_reads reads;   /* what they look at: nothing else is written for them */
    bool has_type;
    struct template type;
    bool has_map;
    uint32_t map_count;
    struct header_template *map;
    bool is_debezium; /* the value stands in its envelope, as the new row */
    bool is_cloudevent;
    uint32_t attribute_count; /* of CloudEvents */
    struct header_template *attributes;
    struct jq_answer answer; /* to the change at hand */
};

struct route {
    uint32_t index;
    const char *name;
    enum route_as as;
    uint32_t operations; /* which it takes: a set of change_bit() */
    bool continue_matching;
    bool raw_value; /* value_encoding: bytes */
    struct config_from match;
    struct field_list fields;
    /* The fields below this number must be there; the others may be missing. */
    uint32_t required_count;
    /* The fields below this one must be members of a message; others are NULL where they are not.
     */
    uint32_t member_count;
    bool has_key; /* false: every event has a null key */
    struct template key;
    uint32_t header_count;
    struct header_template *header_templates;
    union { /* by `as` */
        struct outbox_fields outbox;
        struct change_fields change;
        struct event_fields event;
    };

    struct route_topic topic;
    struct cell *message_cells; /* one for each field; of message routes only */
    struct field_slot *message_slots;
};

/* What a route makes of a change, one event a call. */
enum route_made {
    ROUTE_FAILED = -1, /* ERROR_DATA; nothing more of this change */
    ROUTE_NOTHING,     /* no event (any more) */
    ROUTE_LAST,        /* an event, the last one */
    ROUTE_MORE         /* an event, and perhaps another one */
};

/* A route while it is being compiled. What is compiled lives in the arena and points into the
 * configuration. */
struct compilation {
    const struct router_options *options;
    const struct config_route *config;
    struct arena *arena;
    struct route *route;
    struct event_tools *tools;
    struct error *err;
    char path[32]; /* "routes[0]" */
};

/* The field of a mapped column, added where it is new; FIELD_NONE where none is mapped. */
uint32_t route_compile_column(struct compilation *c, const struct config_text *name);
/* what: the key below the route's; kept in the template, for messages. */
int route_compile_template(struct compilation *c, const struct config_text *source,
                           const char *what, struct template *out);
int route_compile_topic(struct compilation *c);
int route_compile_key(struct compilation *c);
/* Those of the file, nothing where it has none. */
int route_compile_headers(struct compilation *c);
/* Their columns that may be missing; behind required_count. */
void route_compile_optional_headers(struct compilation *c);
/* A template that is one field and nothing else. */
struct template route_compile_field(struct compilation *c, const char *what, uint32_t field);
/* One header, whose value is a field. */
void route_compile_header_of(struct compilation *c, struct span name, const char *what,
                             uint32_t field);

#endif
