/* recover/old_rows: does the replica identity of a table hold the old values that a route asks for?
 * Internal to the module.
 *
 * Of an updated row the server sends the columns of its replica identity alone. The tables that
 * hold the rows count: of a partitioned one its leaves. */
#ifndef WALFERRY_RECOVER_OLD_ROWS_H
#define WALFERRY_RECOVER_OLD_ROWS_H

#include "recover/recover.h"

struct old_rows {
    uint32_t oid;
    struct span schema;
    struct span name;
    const struct config_route *route;
};

/* whole: all columns; else those that the route's when.changed names. ERROR_STOP
 * "replica_identity", with the ALTER TABLE. */
int old_rows_check(struct pg_connection *sql, const struct old_rows *old, bool whole,
                   struct error *err);

#endif
