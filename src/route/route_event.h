/* route/route_event: `as: event`: a row becomes events of the domain: which rows, of what type, and
 * what of the row they tell. Internal to the module.
 *
 * The value is a map of templates, or what a jq program gives, or the row itself, shaped. A program
 * may give several values: each is an event, in its order. */
#ifndef WALFERRY_ROUTE_ROUTE_EVENT_H
#define WALFERRY_ROUTE_ROUTE_EVENT_H

#include "route/route_compile.h"

int route_event_compile(struct compilation *c);
enum route_made route_event_next(struct route *route, const struct route_row *row, uint32_t nth,
                                 struct arena *scratch, struct event *event, struct error *err);
/* Puts the question to jq that the row's first event will want the answer of. */
void route_event_expect(const struct route *route, const struct route_row *row,
                        struct arena *scratch);
/* Which columns its programs look at; they lie in the arena. */
void route_event_columns(const struct route *route, const struct relation *relation,
                         struct arena *arena, struct route_columns *columns);
/* Does it ask for old values of rows that are updated? *whole: for those of all columns; else they
 * are those of route->event.changed. */
bool route_event_wants_old(const struct route *route, bool *whole);

#endif
