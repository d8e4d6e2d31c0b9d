/* config_poll_check: what a route can be under source.mode: poll, and what
 * retention asks of the file. Internal to the module. */
#ifndef WALFERRY_CONFIG_POLL_CHECK_H
#define WALFERRY_CONFIG_POLL_CHECK_H

#include "config/config.h"
#include "config/config_reader.h"

/* A plainly named table of events, whose templates name no place in the log. */
int config_check_polled(const struct config_reader *reader, const struct config_route *route,
                        struct error *err);
/* And what routes[].poll says of it goes together. start: source.poll.start. */
int config_check_claimed(const struct config_reader *reader, const struct config_route *route,
                         enum poll_start start, struct error *err);
/* Retention is for tables that are named, whose rows nobody else finishes. */
int config_check_retention(const struct config_reader *reader, const struct config_relay *relay,
                           struct error *err);

#endif
