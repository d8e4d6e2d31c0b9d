/* route/route_headers: the headers of an event: those of the route, then the members of its headers
 * column. Internal to the module. */
#ifndef WALFERRY_ROUTE_ROUTE_HEADERS_H
#define WALFERRY_ROUTE_ROUTE_HEADERS_H

#include "route/route_compile.h"

/* Sets headers and header_count. column: a field, or FIELD_NONE. ERROR_DATA: "null_in_template",
 * "bad_headers", "reserved_header".
 */
int route_headers(const struct route *route, const struct route_row *row, uint32_t column,
                  struct arena *scratch, struct event *event, struct error *err);

/* Appends those of two arrays, where the route, an outbox, has them. Errors as above. */
int route_header_arrays(const struct route *route, const struct route_row *row,
                        struct arena *scratch, struct event *event, struct error *err);

/* May a row give a header this name? ERROR_DATA: "bad_headers", "reserved_header". */
int route_headers_check_name(struct span name, struct error *err);

#endif
