/* recover/identities: do old rows come with what change and event routes make of them? Internal to
 * the module.
 *
 * A row of a partition comes under the name of the root and as its replica identity says it, but
 * with the columns of the partition's own: what the two do not share is NULL, and nothing tells. */
#ifndef WALFERRY_RECOVER_IDENTITIES_H
#define WALFERRY_RECOVER_IDENTITIES_H

#include "recover/partitions.h"

/* Each partition that holds rows has the replica identity of the root. ERROR_STOP
 * "replica_identity", with the partitions and what makes them alike. */
int identities_check_partitions(struct pg_connection *sql, const struct partitioned_table *table,
                                struct error *err);
/* The replica identity holds the columns of the key of as: change: else nobody could tell that a
 * row has left its key. ERROR_STOP "replica_identity". */
int identities_check_key(struct pg_connection *sql, const struct partitioned_table *table,
                         struct error *err);

#endif
