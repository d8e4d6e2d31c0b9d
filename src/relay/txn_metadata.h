/* relay/txn_metadata: where in its PostgreSQL transaction an event stands, as Debezium's
 * provide.transaction.metadata says it: a number in each event of a route as: change, and a record
 * where such a transaction begins and one where it ends.
 *
 * What is counted is a matter of the write-ahead log and of the file alone: each event that a route
 * makes, whatever becomes of it later. So the numbers are the same after any restart: the done part
 * of a split transaction is read once more, and only counted. A transaction without such an event
 * has no records. */
#ifndef WALFERRY_RELAY_TXN_METADATA_H
#define WALFERRY_RELAY_TXN_METADATA_H

#include "base/buf.h"
#include "base/table.h"
#include "model/batch.h"
#include "relay/verdict.h"

struct txn_metadata_options {
    const char *topic;                    /* NULL: nothing is counted, and no record made */
    const char *id_header;                /* "" leaves it out */
    const struct verdict_facts *verdicts; /* whose system identifier goes into ids */
};

struct txn_collection;

struct txn_metadata {
    struct txn_metadata_options o;
    struct arena arena;       /* of the transaction at hand */
    struct table collections; /* by the name of the table */
    struct txn_collection *first, *last;
    uint64_t total;
    uint64_t begin_lsn;
    struct change_id last_id; /* of the change that was counted last */
    struct position last_position;
    struct buf out;
};

/* options: NULL: nothing is counted. */
void txn_metadata_init(struct txn_metadata *m, const struct txn_metadata_options *options);
void txn_metadata_fini(struct txn_metadata *m);

/* begin: of op BEGIN. */
void txn_metadata_begin(struct txn_metadata *m, const struct change *begin);
/* One that a route as: change made: counts it and puts its numbers into it; the first of its
 * transaction is preceded in the batch by the record of the beginning. Tombstones have no number.
 * The change is `repeated`: counted alone, batch may be NULL. */
void txn_metadata_event(struct txn_metadata *m, struct event *event, struct batch *batch);
/* commit: of op COMMIT; done: where the relay is before it, seq 0 where no change of it came. */
void txn_metadata_end(struct txn_metadata *m, const struct change *commit, struct position done,
                      struct batch *batch);

#endif
