/* recover/opening: the steps with which a relay begins or goes on, at the start and after anything
 * that went wrong:
 *
 *   0  look at progress and origin without taking anything over; what would be refused is refused
 *   1  take over: an older instance is fenced, its transaction ended
 *   2  read progress again, now as the only one who may write
 *   3  write the claim
 *   4  ask the server again; end an older instance's hold on the origin
 *   5  (a first run: setup.c)
 *   6  start the origin from the recorded position
 *
 * Keeps I2 and I6. A refused start fences nobody, because every refusal stands before step 1. It
 * never sleeps and never asks for the time, so that it can be simulated whole. */
#ifndef WALFERRY_RECOVER_OPENING_H
#define WALFERRY_RECOVER_OPENING_H

#include "recover/published.h"

/* What a process remembers of its claims, over all its epochs. */
struct claimant {
    const char *instance;  /* random, of this process */
    bool claimed;          /* it has written a claim */
    uint64_t generation;   /* of that claim */
    int64_t away_since_us; /* since when the topic of that claim is denied; 0: it is not */
};

struct opening {
    struct recovery ends;
    struct claimant *claimant;
    const struct config_relay *config;
    const struct router *router;
    struct found found;          /* as looked at, recovered, then claimed */
    struct published published;  /* what the server sends, compared with the record */
    struct span remembered;      /* as in published_options, for the hash beside it */
    const char *remembered_hash; /* NULL: nobody remembers one */
    struct published_seen seen;  /* what was seen beside that one, as in published_options */
    uint64_t guard_lsn;          /* where a guard was met; 0: nowhere */
    bool unversioned;            /* the record had a fingerprint without an xid */
    struct publisher *publisher; /* from step 1 on; the caller closes it */
    int64_t win_until_us;        /* of step 4 */
    int32_t ended_pid;
};

/* Step 0. */
int opening_look(struct opening *o, int64_t now_us, struct error *err);
/* After a look that was refused: where rows may be missing, and this process holds the relay, the
 * record says so from now on, so that no later start takes what was put back for what was never
 * away. 0: it does, or need not. */
int opening_keep_loss(struct opening *o, int64_t wall_us, struct error *err);
/* Steps 1 to 3. What was judged is judged again before the claim. */
int opening_take_over(struct opening *o, int64_t wall_us, struct error *err);
/* Step 4. 0: the origin is ours. 1: not yet, to be called again after OPENING_WIN_US. */
#define OPENING_WIN_US 50000
int opening_win(struct opening *o, int64_t now_us, struct error *err);
/* It is still held and there is no more time: ERROR_RETRY. */
int opening_held(const struct opening *o, struct error *err);
/* Step 6. */
int opening_start(struct opening *o, int64_t now_us, struct source **source, struct error *err);

/* Is the newest claim still ours? Reads progress through to its end, for timeout_ms (0: as long as
 * any answer may take). 0: it is, or there is none. -1: another's (ERROR_STOP, fenced), or it
 * cannot be told now. */
int opening_ask(const struct opening *o, int64_t timeout_ms, struct error *err);
/* Another instance has taken the relay over: ERROR_STOP, EXIT_FENCED. */
int relay_taken_over(const char *relay, const char *instance, uint64_t generation,
                     struct error *err);

#endif
