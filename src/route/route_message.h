/* route/route_message: the JSON of a logical message becomes the cells of a row. Internal to the
 * module.
 *
 * Members are found by the names that the route maps; others are passed over. A string is its
 * unescaped text, null and an absent member are NULL (but id and payload must be there), anything
 * else keeps its JSON text byte for byte. */
#ifndef WALFERRY_ROUTE_ROUTE_MESSAGE_H
#define WALFERRY_ROUTE_ROUTE_MESSAGE_H

#include "route/route_compile.h"

/* Fills the route's message cells; they point into scratch and into the content. ERROR_DATA,
 * "bad_message_json" or "column_missing". */
int route_message_read(struct route *route, const struct change *change, struct arena *scratch,
                       struct error *err);

#endif
