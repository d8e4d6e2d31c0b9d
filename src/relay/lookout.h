/* relay/lookout: what the epoch and the watch tell each other about what the server sends.
 *
 * The epoch says which fingerprint stands in its record; the watch takes one now and then, and at
 * once where the reader has met a guard. A fingerprint that differs ends the epoch: whether the
 * next one may begin is for its open to judge. Private to this module; any thread, but that only
 * one watches. */
#ifndef WALFERRY_RELAY_LOOKOUT_H
#define WALFERRY_RELAY_LOOKOUT_H

#include "recover/recover.h"

#include <pthread.h>

struct lookout {
    pthread_mutex_t mutex;
    int asked_fd;                         /* readable: the watch is to look now */
    int answered_fd;                      /* readable: something is new for the epoch */
    struct progress_fingerprint recorded; /* of the epoch; hash empty: there is none */
    struct buf text;                      /* of the newest recorded hash; kept over epochs */
    char text_hash[33];                   /* whose text that is */
    bool changed;                         /* another one was seen */
    atomic_bool news;                     /* answered_fd is to be lowered */
    bool looked;                          /* since the epoch began */
    struct buf snapshot;                  /* of before the newest look: "xmin:xmax:xid,xid" */
    uint64_t next_xid; /* with its epoch, of the newest look, the open's or the watch's; 0: the
                          newest failed, so that it may be of long ago */
};

int lookout_open(struct lookout *lookout, struct error *err);
void lookout_close(struct lookout *lookout);

/* ---- The epoch ---- */

void lookout_begin(struct lookout *lookout, const struct fingerprint *recorded);
void lookout_end(struct lookout *lookout);
/* Has the watch told anything since the last call? Costs a load where it has not. */
bool lookout_news(struct lookout *lookout);
bool lookout_changed(struct lookout *lookout);
/* Asks for a look. */
void lookout_ask(struct lookout *lookout);
/* Has a look after the end of that transaction found the recorded fingerprint? */
bool lookout_passes(struct lookout *lookout, uint32_t xid);
/* Was the transaction over when the snapshot (the text of a pg_snapshot) was taken? Pure. */
bool lookout_is_over(struct span snapshot, uint32_t xid);
/* Where the recorded fingerprint was last seen to hold; *near_xid: next_xid. */
uint64_t lookout_lsn(struct lookout *lookout, uint64_t *near_xid);
/* The text of the fingerprint that was recorded last, copied, and its hash; absent: none is known.
 */
struct span lookout_recall(struct lookout *lookout, struct arena *arena, const char **hash);

/* ---- The watch ---- */

/* Is there an epoch to look for? */
bool lookout_wanted(struct lookout *lookout);
void lookout_tell(struct lookout *lookout, const struct fingerprint *seen);
/* It cannot look. */
void lookout_blind(struct lookout *lookout);

#endif
