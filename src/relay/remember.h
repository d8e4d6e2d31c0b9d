/* relay/remember: what the relay keeps for people who look (model/recent.h): the newest events, the
 * epochs, how it has fared. It decides nothing, and nothing here is on the way of an event. */
#ifndef WALFERRY_RELAY_REMEMBER_H
#define WALFERRY_RELAY_REMEMBER_H

#include "config/config.h"
#include "metrics/metrics.h"
#include "model/batch.h"
#include "model/recent.h"
#include "model/status.h"

struct remember {
    struct recent *recent; /* NULL: nothing is kept */
    const struct config_routes *routes;
    bool payloads; /* admin.show_payloads */
};

/* The newest of what has just been committed: held[0 .. count), oldest first, before they are
 * returned. after: what is not behind it was committed before. wall_us: our clock. */
void remember_events(const struct remember *how, struct position after, int64_t wall_us,
                     struct batch *const *held, uint32_t count);

/* What follows takes NULL for `recent` and then does nothing. */

/* The file in force, as `config show` prints it. */
void remember_config(struct recent *recent, const struct config *config);
/* The watch's, often; it is rarely due. */
void remember_sample(struct recent *recent, const struct status *status,
                     const struct metrics *metrics, int64_t wall_us);

#endif
