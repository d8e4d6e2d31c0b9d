/* route/route_change: `as: change`: what happens to a row is the event, whole, as Debezium's
 * connector tells it. Internal to the module.
 *
 *   INSERT, READ       c or r
 *   UPDATE             u; of another key: d of the old one, its tombstone, c of the new one
 *   DELETE             d, its tombstone
 *   TRUNCATE           t, one for each table
 *   MESSAGE            m
 *
 * The rows before and after come as far as the replica identity has them. */
#ifndef WALFERRY_ROUTE_ROUTE_CHANGE_H
#define WALFERRY_ROUTE_ROUTE_CHANGE_H

#include "route/route_compile.h"

int route_change_compile(struct compilation *c);
/* Which columns are the key of a relation's events. In the arena. */
void route_change_key(const struct route *route, const struct relation *relation,
                      struct arena *arena, struct route_key *key);
/* What is wrong with every row of a relation, from its names and types alone. A column of the key
 * is not there: *column is it, and the answer is NULL. One has a type that cannot be: what it must
 * be. Else *column is absent. */
const char *route_change_lacks(const struct route *route, const struct relation *relation,
                               struct arena *arena, struct span *column);
/* See route_kind.h. */
enum route_made route_change_event(struct route *route, const struct route_row *row, uint32_t nth,
                                   struct arena *scratch, struct event *event, struct error *err);

#endif
