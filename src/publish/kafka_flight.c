/* publish/kafka_flight: what went out and what came back.
 *
 * A report names its message only, so the batches are known by their arrays of messages; there are
 * a handful of them for a publisher's time. What a report says is no matter here. */
#include "publish/kafka_flight.h"

#include <assert.h>
#include <stdlib.h>

static void know_batch(struct kafka_flight *flight, struct batch *batch)
{
    flight->batch = batch;
    for (uint32_t i = 0; i < flight->batch_count; i++)
        if (flight->batches[i] == batch)
            return;
    struct batch **batches = realloc(flight->batches, (flight->batch_count + 1) * sizeof(*batches));
    if (batches == NULL)
        abort();
    flight->batches = batches;
    flight->batches[flight->batch_count++] = batch;
}

void kafka_flight_sent(struct kafka_flight *flight, struct batch *batch,
                       const struct message *message)
{
    assert(batch != NULL);
    assert(message >= batch->messages && message < batch->messages + batch->capacity);
    flight->last = message->id;
    if (flight->produced++ == 0) {
        flight->first = flight->last;
        flight->largest = 0;
    }
    if (message->bytes > flight->largest)
        flight->largest = message->bytes;
    if (flight->batch != batch)
        know_batch(flight, batch);
    batch->outstanding++;
    batch->outstanding_bytes += message->bytes;
    batch->handed++;
    flight->outstanding++;
}

static bool holds(const struct batch *batch, const struct message *message)
{
    return message >= batch->messages && message < batch->messages + batch->capacity;
}

static struct batch *batch_of(struct kafka_flight *flight, const struct message *message)
{
    if (holds(flight->batch, message))
        return flight->batch;
    for (uint32_t i = 0; i < flight->batch_count; i++)
        if (holds(flight->batches[i], message))
            return flight->batch = flight->batches[i];
    abort(); /* our bug: a report for a message that was never put */
}

void kafka_flight_reported(struct kafka_flight *flight, const struct message *message)
{
    assert(flight->outstanding > 0);
    struct batch *batch = batch_of(flight, message);
    assert(batch->outstanding > 0);
    batch->outstanding--;
    batch->outstanding_bytes -= message->bytes;
    flight->outstanding--;
}

void kafka_flight_fini(struct kafka_flight *flight)
{
    free(flight->batches);
    *flight = (struct kafka_flight){.outstanding = 0};
}
