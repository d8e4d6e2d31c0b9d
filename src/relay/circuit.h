/* relay/circuit: the fixed set of batches and the two channels in which they circulate.
 *
 * Made anew for each epoch, so that a batch which a dead publisher never reported is simply gone
 * with it. Memory has a ceiling by construction: `count` batches of `bytes_max`. */
#ifndef WALFERRY_RELAY_CIRCUIT_H
#define WALFERRY_RELAY_CIRCUIT_H

#include "base/channel.h"
#include "model/batch.h"

#define CIRCUIT_BATCHES 4

struct circuit {
    struct batch batches[CIRCUIT_BATCHES];
    struct channel *full;  /* reader → writer */
    struct channel *empty; /* writer → reader */
    uint32_t events_max;   /* of one batch; it takes `slack` more */
    size_t bytes_max;      /* of one batch */
};

/* slack: events that one change can give at most. memory_limit: bytes for all batches together. All
 * batches start in `empty`. */
int circuit_open(struct circuit *circuit, uint32_t batch_events, uint32_t slack,
                 uint64_t memory_limit, struct error *err);
void circuit_close(struct circuit *circuit);

#endif
