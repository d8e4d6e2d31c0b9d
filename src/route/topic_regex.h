/* route/topic_regex: a value and a regular expression become the name of a topic, as RegexRouter of
 * Kafka Connect and Debezium's EventRouter do it. Internal to the module.
 *
 * The expression is PCRE2's, which reads what Java's do, named groups too, and must match the whole
 * value; a value that it does not match is the name itself. How long one match may take is limited,
 * in steps and not in time, so that no row is refused because a machine has much to do. */
#ifndef WALFERRY_ROUTE_TOPIC_REGEX_H
#define WALFERRY_ROUTE_TOPIC_REGEX_H

#include "base/arena.h"
#include "base/error.h"

struct topic_regex;

/* Compiles; all that it ever takes lives in the arena. NULL, with *why in the arena: either text
 * cannot be read. */
struct topic_regex *topic_regex_compile(const char *regex, const char *replacement,
                                        struct arena *arena, const char **why);
/* *name: in scratch, in the value, or absent where it is longer than `max` bytes. ERROR_DATA,
 * "illegal_topic": the match takes too many steps. */
int topic_regex_apply(struct topic_regex *regex, struct span value, size_t max,
                      struct arena *scratch, struct span *name, struct error *err);

#endif
