/* progress/: alone encodes and decodes the progress record, and alone says what may be confirmed.
 *
 * The record is JSON that a person can read with kcat, in a compacted topic, key "<relay>/<shard>".
 * publish/ moves its bytes without looking; the source alone reads `resume`. Invariants kept here:
 * I1 (nothing is confirmed that is not committed) and I3 ((generation, position) strictly
 * increases; the position may be equal only in a claim or a rebase). */
#ifndef WALFERRY_PROGRESS_PROGRESS_H
#define WALFERRY_PROGRESS_PROGRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/walferry_id.h"

#define PROGRESS_VERSION 1

enum progress_mode { PROGRESS_INTENT, PROGRESS_WAL, PROGRESS_POLL, PROGRESS_CLOSED };

#define PROGRESS_SKIPS_MAX 16

struct skip {
    uint64_t final_lsn;
    uint64_t ordinal;
};

struct progress {
    char relay[48];
    uint32_t shard;
    uint64_t generation;
    char instance[40]; /* of the claimant, random */
    uint64_t system_identifier;
    uint32_t timeline;
    char slot[64];
    enum progress_mode mode;
    struct position position; /* seq is 0 but in a partial */
    uint32_t xid;
    struct partial partial; /* final_lsn 0: null */
    struct span resume;     /* JSON text of the source; absent: null */
    struct {
        bool present;
        uint64_t from;
        uint64_t to;
        char why[64];
    } rebased;
    /* Changes that a person has passed over (`walferry skip`) and that are still ahead. */
    uint32_t skip_count;
    struct skip skips[PROGRESS_SKIPS_MAX];
    char config_hash[17];
    int64_t at_us; /* wall clock, Unix epoch */
};

const char *progress_mode_name(enum progress_mode mode);

/* Appends the JSON. */
void progress_encode(const struct progress *progress, struct buf *out);
/* Reads it. resume is copied into the arena. An unreadable record is ERROR_STOP (EXIT_REFUSED,
 * reason progress_unreadable), one with a greater v progress_newer, both with the rebase line as
 * hint. */
int progress_decode(struct span json, struct arena *arena, struct progress *progress,
                    struct error *err);
/* The record's key. Returns text. */
const char *progress_key(const char *relay, uint32_t shard, char text[80]);

/* The next record of a running epoch: `last` with the position, partial, xid and resume of `batch`,
 * skips behind the position dropped. Asserts I3. */
void progress_advance(const struct progress *last, const struct batch *batch, int64_t wall_us,
                      struct progress *next);
/* Is b a legal successor of a in the topic? (I3; a claim or rebase may repeat the position.) */
bool progress_follows(const struct progress *a, const struct progress *b);

#endif
