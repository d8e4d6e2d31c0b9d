/* relay/circuit: see circuit.h. It neither fills nor publishes; who may touch a batch is said in
 * model/batch.h. */
#include "relay/circuit.h"

#include <assert.h>

int circuit_open(struct circuit *circuit, uint32_t batch_events, uint32_t slack,
                 uint64_t memory_limit, struct error *err)
{
    assert(batch_events >= 1);
    assert(memory_limit >= CIRCUIT_BATCHES);
    *circuit = (struct circuit){.events_max = batch_events,
                                .bytes_max = (size_t)(memory_limit / CIRCUIT_BATCHES)};
    if (channel_open(CIRCUIT_BATCHES, &circuit->full, err) < 0)
        return -1;
    if (channel_open(CIRCUIT_BATCHES, &circuit->empty, err) < 0) {
        channel_close_free(circuit->full);
        circuit->full = NULL;
        return -1;
    }
    assert(circuit->bytes_max > 0);
    for (int i = 0; i < CIRCUIT_BATCHES; i++) {
        batch_init(&circuit->batches[i], batch_events + slack, circuit->bytes_max);
        channel_send(circuit->empty, &circuit->batches[i]);
    }
    return 0;
}

void circuit_close(struct circuit *circuit)
{
    if (circuit->full == NULL)
        return;
    for (int i = 0; i < CIRCUIT_BATCHES; i++)
        batch_fini(&circuit->batches[i]);
    channel_close_free(circuit->full);
    channel_close_free(circuit->empty);
    *circuit = (struct circuit){.full = NULL};
}
