/* route/route_event_json: a row as JSON: what jq is given, and the values that are made without it.
 * Internal to the module.
 *
 *   {"op":"update","before":{…},"after":{…},"source":{"relay":…,"schema":…,"table":…,"lsn":…,
 *    "xid":…,"commit_ms":…}}
 *
 * before has the columns that the server sends of an old row, after all. A large value that an
 * UPDATE left as it was is taken from the old row; where that has it not either it is left out, and
 * its column is named in source.unchanged. */
#ifndef WALFERRY_ROUTE_ROUTE_EVENT_JSON_H
#define WALFERRY_ROUTE_ROUTE_EVENT_JSON_H

#include "json/json_write.h"
#include "route/route_compile.h"

/* Does the UPDATE change the column? 1, 0; -1: ERROR_DATA "old_not_sent": nobody can tell. */
int event_json_changes(const struct route_row *row, uint32_t column, struct error *err);
/* Did the server send all of the old row, where the change has one that is asked for (UPDATE)? */
bool event_json_tells_old(const struct route_row *row);
/* Each appends one value. ERROR_DATA: "bad_value", "not_utf8", "value_unchanged",
 * "null_in_template", "old_not_sent". */
/* For jq: as far as the programs of the route look at it. */
int event_json_input(const struct route *route, const struct route_row *row, struct json_writer *w,
                     struct arena *scratch, struct error *err);
int event_json_map(const struct route *route, const struct route_row *row, struct json_writer *w,
                   struct arena *scratch, struct error *err);
int event_json_row(const struct route *route, const struct route_row *row, struct json_writer *w,
                   struct arena *scratch, struct error *err);

#endif
