/* relay/fill: a change becomes messages in the batch at hand.
 *
 * Routes it, encodes its events, and counts what is none. Every event of one change goes into one
 * batch, so that a change is never cut. It knows neither time nor positions, and it does not seal.
 */
#ifndef WALFERRY_RELAY_FILL_H
#define WALFERRY_RELAY_FILL_H

#include "encode/encode.h"
#include "metrics/metrics.h"
#include "model/batch.h"
#include "progress/progress.h"
#include "route/route.h"

#define VERDICTS_MAX 256

struct filler_options {
    struct router *router;
    struct encoder *encoder;
    struct encoder_options encoding;
    const struct config_routes *routes;
    struct metrics *metrics;
    const struct log *log;
    uint64_t system_identifier;
    const struct skip *skips;
    uint32_t skip_count;
    const struct change_id *verdicts; /* of records that the broker refused alone */
    uint32_t verdict_count;
};

struct filler {
    struct filler_options o;
    struct arena scratch;
    bool warned_message;
};

void filler_init(struct filler *filler, const struct filler_options *options);
void filler_fini(struct filler *filler);

/* change: a row, a truncate or a transactional message. batch: has a free message for each route.
 * -1: ERROR_DATA, the change cannot be published and its route does not pass it over; what the
 * batch holds of it must not go out. */
int filler_take(struct filler *filler, const struct change *change, struct batch *batch,
                struct error *err);
/* A message outside of transactions is never published: counted, and said once. */
void filler_ignore_message(struct filler *filler, const struct change *change);

#endif
