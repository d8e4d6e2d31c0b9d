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
#include "model/change_id.h"

/* What is written. 2 added last, publications, fingerprint, guard, command, and routes of skips. 3
 * adds nothing: it says that the relay writes through two transactional ids in turn, of which a
 * program that knows 2 would fence the first one alone. */
#define PROGRESS_VERSION 3

enum progress_mode { PROGRESS_INTENT, PROGRESS_WAL, PROGRESS_POLL, PROGRESS_CLOSED };

#define PROGRESS_SKIPS_MAX 16

#define PROGRESS_PUBLICATIONS_MAX 4

struct skip {
    struct change_id id;
    char route[65]; /* empty: whatever any route makes of the change */
};

/* What was asked for when. A stream from before a publication was made fails in decoding for ever
 * (PostgreSQL 14 to 17), so it is asked for only from `from` on. */
struct progress_publication {
    char name[64];
    uint64_t from;
};

/* Of what decides which rows the server sends (recover/fingerprint.h). A hash that begins with this
 * is none: rows may be missing, and nobody has decided about them; the note says which. */
#define PROGRESS_LOST "lost"
struct progress_fingerprint {
    char hash[33]; /* empty: none was taken yet */
    uint64_t lsn;  /* whatever has changed it since was committed behind this */
    /* Transactions below this id were over before anything that commits behind the position was:
     * what they wrote last into the catalogue, nothing ahead has touched. 0: not known. */
    uint64_t xid;
};

struct progress {
    uint32_t version;        /* of the record that was read; what is encoded is PROGRESS_VERSION */
    uint32_t version_before; /* it was written on the way back from that version; 0: it was not */
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
    struct {
        uint32_t xid;  /* of the last transaction that was published or passed; 0: none */
        uint64_t xid8; /* the same with its epoch; 0: the epoch is not known */
        /* Its final LSN; where xid is 0, the place from which on there was none. 0: not known, or
         * too large to be asked for again. */
        uint64_t lsn;
        int64_t commit_at_us; /* its commit, by the server's clock, Unix epoch; 0: unknown */
        uint64_t witness;     /* LSN of the newest message of ours that was seen; 0: none */
    } last;
    uint32_t publication_count;
    struct progress_publication publications[PROGRESS_PUBLICATIONS_MAX];
    struct progress_fingerprint fingerprint;
    /* mode poll: a slot of the relay's name that is confirmed from here on is ours, made by a
     * switch to wal that has not ended, or left by one from there. 0: there is none. */
    uint64_t slot_from;
    uint64_t guard; /* up to this LSN a person has decided about what guards told; 0: none */
    struct {
        bool present;
        uint64_t id;
        uint64_t done; /* of its parts */
    } command;         /* that is under way */
    char config_hash[17];
    int64_t at_us; /* wall clock, Unix epoch */
};

const char *progress_mode_name(enum progress_mode mode);
/* Does it say that rows may be missing? */
bool progress_is_lost(const struct progress_fingerprint *fingerprint);

/* Appends the JSON. */
void progress_encode(const struct progress *progress, struct buf *out);
/* The same as an older version has it, from 1. What that one cannot say is left out, so ask before.
 * It says which version it follows: progress_follows() takes no other step back. */
void progress_encode_as(const struct progress *progress, uint32_t version, struct buf *out);
/* What of the record would be lost in that version, a line each, appended; nothing: it fits. */
void progress_lost_in(const struct progress *progress, uint32_t version, struct buf *lines);
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
/* The whole of a transaction id of which the stream carries the lower half; next_xid: a place near
 * which it was given out. 0 where either is. */
uint64_t progress_xid8(uint32_t xid, uint64_t next_xid);
/* Is b a legal successor of a in the topic? (I3; a claim or rebase may repeat the position. Nobody
 * goes back to an older version but by progress_encode_as().) */
bool progress_follows(const struct progress *a, const struct progress *b);

#endif
