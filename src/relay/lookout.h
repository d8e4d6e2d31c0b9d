/* relay/lookout: what the epoch and the watch tell each other about what the server sends.
 *
 * The epoch says which fingerprint stands in its record; the watch takes one now and then, and at
 * once where the reader has met a guard. A fingerprint that differs ends the epoch, and so does a
 * guard behind which something was changed and put back: whether the next one may begin is for its
 * open to judge, which is told what was seen, though it be undone by then. Private to this module;
 * any thread, but that only one watches. */
#ifndef WALFERRY_RELAY_LOOKOUT_H
#define WALFERRY_RELAY_LOOKOUT_H

#include "recover/recover.h"

#include <pthread.h>

/* A guard that the reader has met, and what its message names. */
struct lookout_guard {
    uint32_t xid;
    struct change_id id;
    struct fingerprint_suspects suspects;
};

enum lookout_answer {
    LOOKOUT_UNANSWERED,
    LOOKOUT_PASSES,    /* nothing that it names was changed */
    LOOKOUT_PASSES_ALL /* nothing was, so no guard of its transaction matters */
};

/* A look whose place in the log is still ahead. */
struct lookout_ahead {
    uint64_t xid; /* 0: there is none */
    uint64_t lsn; /* whatever ends behind this was not over at that look */
};

struct lookout {
    pthread_mutex_t mutex;
    uint64_t epoch;                       /* grows with each */
    int asked_fd;                         /* readable: the watch is to look now */
    int answered_fd;                      /* readable: something is new for the epoch */
    struct progress_fingerprint recorded; /* of the epoch; hash empty: there is none */
    struct buf text;                      /* of the newest recorded hash; kept over epochs */
    char text_hash[33];                   /* whose text that is */
    char keys[33];                        /* as the open has seen them; fingerprint.keys */
    bool keys_moved;                      /* a look of this epoch has seen others */
    struct lookout_ahead ahead;
    struct {
        uint64_t lsn;      /* becomes recorded.lsn once the transactions of its snapshot are over */
        uint64_t next_xid; /* 0: there is none */
    } ripening;
    atomic_bool news;  /* answered_fd is to be lowered */
    uint64_t next_xid; /* with its epoch, of the newest look, the open's or the watch's; 0: the
                          newest failed, so that it may be of long ago */

    /* ---- Guards ---- */
    struct lookout_guard guard; /* asked about */
    bool asked;
    bool passes;        /* the answer about it */
    struct buf clean;   /* snapshot of the newest look at which nothing had been touched */
    uint64_t clean_xid; /* by a transaction from this on */
    bool looked_clean;  /* there was one in this epoch */
    struct buf gone;    /* oids of partitions that opens have found gone, with commas */
    uint64_t gone_lsn;  /* guards before this may tell that one was detached before */

    /* ---- What was seen; kept until an open has judged it ---- */
    bool changed;         /* another fingerprint was seen, or a guard that does not pass */
    struct buf seen;      /* that fingerprint's text */
    struct buf touched;   /* what was changed and put back, for a person */
    uint64_t changed_lsn; /* a place behind the look that saw it; 0: nothing was seen */

    /* ---- Publications that are younger than the position; kept over epochs ---- */
    struct {
        bool wanted;
        uint64_t next_xid; /* of a look that came after one was seen; 0: none did yet */
        uint64_t lsn;      /* of one at which all of before that were over; 0: none was yet */
    } more;
};

int lookout_open(struct lookout *lookout, struct error *err);
void lookout_close(struct lookout *lookout);

/* ---- The epoch ---- */

/* recorded: as the record has it; now: what the open has seen, of the same hash. What was seen
 * before is judged by then, and forgotten. */
void lookout_begin(struct lookout *lookout, const struct progress_fingerprint *recorded,
                   const struct fingerprint *now);
void lookout_end(struct lookout *lookout);
/* Has the watch told anything since the last call? Costs a load where it has not. */
bool lookout_news(struct lookout *lookout);
bool lookout_changed(struct lookout *lookout);
/* Are other columns the key of a table than at the open? Nothing is lost then; they must be asked
 * for anew. */
bool lookout_keys_moved(struct lookout *lookout);
/* Partitions that an open has found gone, and passed; lsn: fingerprint.behind_lsn of its look.
 * Before a record is written that no longer knows them. */
void lookout_gone(struct lookout *lookout, struct span oids, uint64_t lsn);
/* Asks for a look because of a guard; one that names what is gone is a change without one. */
void lookout_ask(struct lookout *lookout, const struct lookout_guard *guard);
/* Has a look after the end of its transaction found the recorded fingerprint, and nothing of what
 * it names touched since before that transaction? */
enum lookout_answer lookout_answer(struct lookout *lookout, const struct lookout_guard *guard);
/* Was the transaction over when the snapshot (the text of a pg_snapshot) was taken? Pure. */
bool lookout_is_over(struct span snapshot, uint32_t xid);
/* Whatever changes the recorded fingerprint from now on is committed behind it; *near_xid:
 * next_xid. committed_lsn: of the newest committed record; *ahead: for the next one. */
uint64_t lookout_lsn(struct lookout *lookout, uint64_t committed_lsn, uint64_t *near_xid,
                     struct lookout_ahead *ahead);
/* There is a publication that no transaction which is open now may be read through. */
void lookout_await_more(struct lookout *lookout);
/* The LSN from which on all can be; 0: not known yet. */
uint64_t lookout_more_from(struct lookout *lookout);
/* The text of the fingerprint that was recorded last, copied, and its hash; absent: none is known.
 */
struct span lookout_recall(struct lookout *lookout, struct arena *arena, const char **hash);
/* What was seen beside that and no open has judged, copied. */
void lookout_recall_seen(struct lookout *lookout, struct arena *arena, struct published_seen *seen);

/* ---- The watch ---- */

/* Is there an epoch to look for? *epoch: for lookout_tell(). */
bool lookout_wanted(struct lookout *lookout, uint64_t *epoch);
/* Is what was seen not what is recorded? */
bool lookout_is_other(struct lookout *lookout, const struct fingerprint *seen);
/* Is there a guard that this look can answer, but for what was touched? Fills *guard. */
bool lookout_asked(struct lookout *lookout, const struct fingerprint *seen,
                   struct lookout_guard *guard);
/* What a look has found; guard: whom `touched` (as of fingerprint_touched()) answers; NULL: none.
 */
struct lookout_touched {
    const struct lookout_guard *guard;
    bool any;
    struct span names;
};
void lookout_tell(struct lookout *lookout, uint64_t epoch, const struct fingerprint *seen,
                  const struct lookout_touched *touched);
/* It cannot look. */
void lookout_blind(struct lookout *lookout);

#endif
