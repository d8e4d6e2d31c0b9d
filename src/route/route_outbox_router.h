/* route/route_outbox_router: what a route as: outbox has of Debezium's EventRouter beside columns,
 * topic, key and headers: columns in headers, in the value and as the partition, a topic by a
 * regular expression, payloads of JSON in columns of text, the context of a trace. Internal to the
 * module.
 *
 * All of it is off where routes[].event_router says nothing, and costs nothing then. */
#ifndef WALFERRY_ROUTE_ROUTE_OUTBOX_ROUTER_H
#define WALFERRY_ROUTE_ROUTE_OUTBOX_ROUTER_H

#include "route/route_compile.h"

/* The topic, by the template or by the expression. */
int outbox_router_topic(struct compilation *c);
/* The columns that are placed; those that a table must have before route->required_count is set.
 * Sets the partition, too, where one is placed there. */
int outbox_router_columns(struct compilation *c);

/* Is the cell of the payload one that makes a tombstone? Of texts; NULL is one anyway. */
bool outbox_router_is_empty(const struct outbox_fields *fields, const struct cell *payload);
/* The value as JSON in scratch, where it is not the payload's cell alone, which stands in
 * event->value. ERROR_DATA as types_write_json(). */
int outbox_router_value(const struct route *route, const struct route_row *row,
                        struct arena *scratch, struct event *event, struct error *err);
/* Adds to the headers that the event has. ERROR_DATA: "bad_headers", "reserved_header". */
int outbox_router_headers(const struct route *route, const struct route_row *row,
                          struct arena *scratch, struct event *event, struct error *err);

#endif
