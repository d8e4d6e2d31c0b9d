/* config_event_check: what goes together in a route as: event. Internal to the module. */
#ifndef WALFERRY_CONFIG_EVENT_CHECK_H
#define WALFERRY_CONFIG_EVENT_CHECK_H

#include "config/config_value.h"

/* What a route as: event must have, and others must not. bare: the same route where nothing but its
 * kind is said. */
int config_check_event(const struct config_reader *reader, const struct config_route *route,
                       const struct config_route *bare, struct error *err);

#endif
