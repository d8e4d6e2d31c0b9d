/* relay/fill: a change becomes messages in the batch at hand.
 *
 * Routes it, encodes its events, and counts what is none. Every event of one change goes into one
 * batch, so that a change is never cut. It knows neither time nor positions, and it does not seal.
 */
#ifndef WALFERRY_RELAY_FILL_H
#define WALFERRY_RELAY_FILL_H

#include "encode/encode.h"
#include "relay/quarantine.h"
#include "relay/txn_metadata.h"
#include "relay/verdict.h"
#include "route/route.h"

struct filler_options {
    struct router *router;
    struct encoders *encoders;
    const struct verdict_facts *verdicts; /* routes, metrics and log, too */
    struct quarantine *quarantine;        /* NULL: no key is held */
    bool expects_refusals; /* some are known to be ahead: as filler_expect_refusals() */
    const struct txn_metadata_options *metadata; /* copied; NULL: none */
};

/* What the route at hand makes of the change. Its messages follow each other in the batch. */
struct filler_share {
    struct verdict_unit unit;
    enum verdict verdict;
    uint32_t first; /* messages of the batch before it */
    bool measured;  /* as its messages are */
    bool lettered;  /* its dead letter is in the batch, in the place of all that it is */
    const struct message *letter; /* kept beside its messages; NULL: none */
    struct held_key *held;        /* the group that its keys are held in; NULL: none */
};

struct filler {
    struct filler_options o;
    struct arena scratch;
    struct event event; /* of the change at hand, the one that was routed last */
    struct filler_share share;
    struct txn_metadata metadata;
    bool holding;           /* it waits for its encoder */
    uint32_t spare_letters; /* for so many changes to come a dead letter is made beside */
    bool warned_message;
};

enum fill {
    FILL_FAILED = -1, /* ERROR_DATA: the change cannot be published and its route does not pass it
                         over; what the batch holds of it must not go out */
    FILL_DONE,
    FILL_AGAIN /* an encoder is not ready: to be called again with the same change and the same
                  batch, which must not be sealed before */
};

void filler_init(struct filler *filler, const struct filler_options *options);
void filler_fini(struct filler *filler);

/* change: a row, a truncate or a transactional message. batch: has a free message for each route.
 */
enum fill filler_take(struct filler *filler, const struct change *change, struct batch *batch,
                      struct error *err);
/* The same of one that is `repeated`: nothing is published, but its events are counted. */
enum fill filler_recount(struct filler *filler, const struct change *change, struct error *err);
/* Makes again what one route makes of a change that was a dead letter: messages with the id that
 * the change has, in the place of a command. *made: how many. -1: *err, and the batch is as it was;
 * of ERROR_RETRY it may also be that an encoder or jq cannot be asked now. */
int filler_replay(struct filler *filler, const struct change *change, uint32_t route,
                  const struct change *command, struct batch *batch, uint32_t *made,
                  struct error *err);
/* The publisher has refused a message of a route that wants dead letters: for a while each of its
 * changes gets one beside, so that the writer has it at hand. Else a refusal costs an epoch, in
 * which the reader meets the change again. */
void filler_expect_refusals(struct filler *filler);
/* A message outside of transactions is never published: counted, and said once. */
void filler_ignore_message(struct filler *filler, const struct change *change);

#endif
