/* route/route_outbox: `as: outbox`: a row, or a message, is an event that the application wrote, as
 * it stands. Internal to the module.
 *
 * Only what is inserted is an event: what becomes of the row later is housekeeping. */
#ifndef WALFERRY_ROUTE_ROUTE_OUTBOX_H
#define WALFERRY_ROUTE_ROUTE_OUTBOX_H

#include "route/route_compile.h"

int route_outbox_compile(struct compilation *c);
/* The three questions of route_kind.h. */
enum route_made route_outbox_event(struct route *route, const struct route_row *row,
                                   struct arena *scratch, struct event *event, struct error *err);
const char *route_outbox_must_be(const struct route *route, uint32_t field,
                                 const struct type *type);

#endif
