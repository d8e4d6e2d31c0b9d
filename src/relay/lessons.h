/* relay/lessons: what the next epoch does otherwise because of how the last one ended.
 *
 * A cause that lies in the data (a transaction of which little is published, a large row) comes
 * back with the data, and whoever tries the same again for ever makes no progress. So each reason
 * of that kind changes something until the position has moved (docs/ARCHITECTURE.md, "What changes
 * the next time"). Pure: numbers in, numbers out. */
#ifndef WALFERRY_RELAY_LESSONS_H
#define WALFERRY_RELAY_LESSONS_H

#include "base/error.h"
#include "relay/pace.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a server that may have to be waited for, in whole time-outs of its own. */
#define PATIENCE_MAX 8

struct lessons {
    uint32_t patience; /* so many time-outs of the server may pass without a sign of it, from 1 */
    bool patient;      /* silence inside a transaction is no stall; the writer commits in parts */
};

#define LESSONS_INIT ((struct lessons){.patience = 1})

/* An epoch that was open has ended. err: why; kind NONE: in order. moved: the position did. What is
 * to be learnt of how much the broker takes goes to the pace. */
void lessons_learn(struct lessons *lessons, struct pace *pace, const struct error *err, bool moved);

#endif
