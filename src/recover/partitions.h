/* recover/partitions: are the partitions of a routed table replicated? Private to this module. */
#ifndef WALFERRY_RECOVER_PARTITIONS_H
#define WALFERRY_RECOVER_PARTITIONS_H

#include "config/config.h"
#include "pg/pg.h"

struct partitioned_table {
    uint32_t oid;
    struct span schema;
    struct span name;
    const struct config_route *route; /* that takes its rows */
};

/* ERROR_STOP, EXIT_USAGE, table_kind, where a partition is UNLOGGED. */
int partitions_check(struct pg_connection *sql, const struct partitioned_table *table,
                     struct error *err);

#endif
