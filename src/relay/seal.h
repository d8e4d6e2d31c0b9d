/* relay/seal: when a batch goes to the writer.
 *
 * Pure: numbers in, an answer out. The rules, in the order in which they are asked:
 *
 *   where the batch stands        sealed
 *   COMMIT of a split transaction at once, whatever is on its way
 *   COMMIT, with messages         past its share of events or bytes
 *                                 past the interval, with fewer than two commits on their way
 *                                 with the input empty and no commit on its way
 *   mid-transaction               when it is full
 *                                 past the age of a part, at the next change: what arrives slowly
 * is published in parts, what does not arrive is waited for empty, no transaction         as a
 * mark: see seal_mark_due()
 */
#ifndef WALFERRY_RELAY_SEAL_H
#define WALFERRY_RELAY_SEAL_H

#include "model/batch.h"

struct seal_limits {
    uint32_t events_max; /* of one batch, from 1 */
    size_t bytes_max;    /* of one batch */
    int64_t commit_interval_us;
    int64_t part_age_us; /* of a batch in mid-transaction */
    uint64_t idle_bytes; /* so much WAL without an event is worth a mark */
    int64_t idle_interval_us;
    uint64_t until_lsn; /* progress is wanted up to here; 0: no such wish */
    /* Up to this LSN each record is produced alone and waited for, which takes its time: batches
     * are small until progress is behind it, so that no Kafka transaction outlives its time-out. 0:
     * none */
    uint64_t suspect_lsn;
};

struct seal_state {
    bool in_txn;           /* inside a PostgreSQL transaction */
    bool open_parts;       /* parts of the transaction at hand are with the writer or committed */
    bool behind;           /* the last transaction was sent long after it was committed */
    uint32_t away;         /* batches that are with the writer */
    uint32_t commits_away; /* those of them behind which Kafka commits */
    struct position committed; /* newest committed progress */
    int64_t progress_us;       /* when it moved */
    struct position mark;      /* nothing before it is to come */
    bool urgent;               /* the server waits for a mark */
};

enum seal { SEAL_NOT, SEAL_COMMIT, SEAL_PART };

/* batch: being filled. input_empty: the source has nothing for now, or naps and the relay keeps up.
 */
enum seal seal_due(const struct seal_limits *limits, const struct seal_state *state,
                   const struct batch *batch, bool input_empty, int64_t now_us);
/* Idle progress: the empty batch is sealed with nothing but a position. */
bool seal_mark_due(const struct seal_limits *limits, const struct seal_state *state,
                   const struct batch *batch, int64_t now_us);
/* The mark is committed already and nothing is on its way: nobody waits for it any more. */
bool seal_mark_done(const struct seal_state *state, const struct batch *batch);
/* When time alone makes one of the two due; INT64_MAX: never. */
int64_t seal_due_us(const struct seal_limits *limits, const struct seal_state *state,
                    const struct batch *batch);

#endif
