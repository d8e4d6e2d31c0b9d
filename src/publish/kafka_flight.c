/* publish/kafka_flight: what went out and what came back.
 *
 * A report names its message only, so the batches are known by their arrays of messages; there are
 * a handful of them for a publisher's time. What a report says is no matter here. */
#include "publish/kafka_flight.h"

#include <assert.h>
#include <stdlib.h>

static struct kafka_flight_batch *know_batch(struct kafka_flight *flight, struct batch *batch)
{
    uint32_t count = flight->batch_count;
    if (flight->at < count && flight->batches[flight->at].batch == batch)
        return &flight->batches[flight->at];
    for (uint32_t i = 0; i < count; i++)
        if (flight->batches[i].batch == batch)
            return &flight->batches[flight->at = i];
    struct kafka_flight_batch *batches = realloc(flight->batches, (count + 1) * sizeof *batches);
    if (batches == NULL)
        abort();
    batches[count] = (struct kafka_flight_batch){.batch = batch};
    flight->batches = batches;
    flight->batch_count++;
    return &batches[flight->at = count];
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
    struct kafka_flight_batch *of = know_batch(flight, batch);
    if (of->outstanding++ == 0) {
        of->messages = batch->messages;
        of->end = batch->messages + batch->capacity;
    }
    batch->outstanding++;
    batch->outstanding_bytes += message->bytes;
    batch->handed++;
    flight->outstanding++;
}

static bool holds(const struct kafka_flight_batch *of, const struct message *message)
{
    return of->outstanding > 0 && message >= of->messages && message < of->end;
}

static struct kafka_flight_batch *batch_of(struct kafka_flight *flight,
                                           const struct message *message)
{
    if (holds(&flight->batches[flight->at], message))
        return &flight->batches[flight->at];
    for (uint32_t i = 0; i < flight->batch_count; i++)
        if (holds(&flight->batches[i], message))
            return &flight->batches[flight->at = i];
    abort(); /* our bug: a report for a message that was never put */
}

void kafka_flight_reported(struct kafka_flight *flight, const struct message *message)
{
    assert(flight->outstanding > 0);
    struct kafka_flight_batch *of = batch_of(flight, message);
    struct batch *batch = of->batch;
    assert(batch->outstanding > 0);
    of->outstanding--;
    batch->outstanding--;
    batch->outstanding_bytes -= message->bytes;
    flight->outstanding--;
}

void kafka_flight_fini(struct kafka_flight *flight)
{
    free(flight->batches);
    *flight = (struct kafka_flight){.outstanding = 0};
}
