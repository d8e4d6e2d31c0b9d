/* route/route_kind: the one switch by kind of route (`as:`). Internal to the module.
 *
 * A kind answers four questions: what it makes of its part of the configuration, which columns are
 * the key of a table's events, which events it makes of a row, and what the types of its columns
 * must be. A new kind is a file of its own and a case in each of them. */
#ifndef WALFERRY_ROUTE_ROUTE_KIND_H
#define WALFERRY_ROUTE_ROUTE_KIND_H

#include "route/route_compile.h"

/* item: the route's place in the list, from 0. What is compiled lives in the arena and points into
 * the configuration. ERROR_STOP, EXIT_USAGE. */
int route_compile(const struct router_options *options, uint32_t item, struct event_tools *tools,
                  struct arena *arena, struct route *route, struct error *err);
/* Asked once for each version of a relation. */
void route_kind_key(const struct route *route, const struct relation *relation, struct arena *arena,
                    struct route_key *key);
/* Does it read the JSON of a message, or take the message as it is? */
bool route_reads_messages(const struct route *route);
/* The events that the route makes of the row, one a call; nth counts them from 0. Change, route and
 * index of *event are the caller's, all else the kind fills. Errors as for router_next(). */
enum route_made route_event(struct route *route, const struct route_row *row, uint32_t nth,
                            struct arena *scratch, struct event *event, struct error *err);
/* What a value of the field must be where one of this type never is it; NULL: it may be. */
const char *route_must_be(const struct route *route, uint32_t field, const struct type *type);

#endif
