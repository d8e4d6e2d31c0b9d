/* source/poll_snapshot: pg_snapshot, as far as polling must read one itself: which transactions a
 * snapshot sees, and a smaller one that sees only those below a transaction id.
 *
 * Text form (PostgreSQL documentation, "Transaction ID and Snapshot Information Functions"):
 *
 *   xmin:xmax:xip,xip…   ids of 64 bits; below xmin all are over, from xmax on none is, and of
 *                        those between the xip are not; xmin <= xip < xmax, ascending
 *
 * Pure. */
#ifndef WALFERRY_SOURCE_POLL_SNAPSHOT_H
#define WALFERRY_SOURCE_POLL_SNAPSHOT_H

#include "base/buf.h"

#include <stdint.h>

/* Points into the text that it was read from. */
struct snapshot {
    uint64_t xmin;
    uint64_t xmax;
    struct span xip; /* "10,12"; empty: none */
};

/* What nothing is visible in: 3 is the first id that a transaction can have. */
#define SNAPSHOT_EMPTY "3:3:"

/* False where the text is anything else. */
bool snapshot_parse(struct span text, struct snapshot *snapshot);
/* Is the transaction over in it? */
bool snapshot_sees(const struct snapshot *snapshot, uint64_t xid);
/* Appends the snapshot that sees what this one sees of the ids below xmax; xmax: not above its own.
 */
void snapshot_below(const struct snapshot *snapshot, uint64_t xmax, struct buf *text);

#endif
