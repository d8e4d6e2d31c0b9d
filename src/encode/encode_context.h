/* encode/encode_context: Debezium's headers that say which task of which connector had a change at
 * hand (extended.headers.enabled). Internal to the module. */
#ifndef WALFERRY_ENCODE_ENCODE_CONTEXT_H
#define WALFERRY_ENCODE_ENCODE_CONTEXT_H

#include "encode/encode.h"

#define CONTEXT_HEADERS 4

/* Does the event have them? Rows of routes that say so have, messages never. */
bool context_is_wanted(const struct config_route *route, const struct event *event);
/* Writes them, in Debezium's order, behind all others of the route. */
void context_headers(const struct encoders_options *options, const struct config_route *route,
                     struct arena *arena, struct header headers[CONTEXT_HEADERS]);

#endif
