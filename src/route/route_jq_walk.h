/* route/route_jq_walk: runs a jq program over its tokens with sets of parts of the input instead of
 * values. Internal to route_jq_reads.c.
 *
 * The grammar is that of jq 1.6 to 1.8 (src/parser.y) as far as it says of what an expression is
 * evaluated; more than they take is taken, because libjq has compiled the program before. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_WALK_H
#define WALFERRY_ROUTE_ROUTE_JQ_WALK_H

#include "route/route_jq_parts.h"

/* A program, or what stands in brackets: up to a token that ends it. */
jq_parts walk_pipe(struct walk *w, jq_parts input);

#endif
