/* relay/tracer: a span for each event whose header traceparent (or ce_traceparent) says that its
 * trace is sampled: from the event's timestamp to the return of the Kafka commit that has it. What
 * is not committed gives none. */
#ifndef WALFERRY_RELAY_TRACER_H
#define WALFERRY_RELAY_TRACER_H

#include "model/message.h"
#include "model/trace_ring.h"

struct tracer {
    struct trace_ring *ring;  /* NULL: never */
    struct span id_header;    /* the header with the event's id; empty or absent: there is none */
    bool on;                  /* spans are wanted, as of tracer_begin() */
    struct trace_span *spans; /* of the open Kafka transaction; NULL: none ever */
    uint32_t count;
    uint64_t lost; /* of it, those beyond the room */
};

/* Asks whether spans are wanted; once for many messages. */
static inline void tracer_begin(struct tracer *tracer)
{
    tracer->on = trace_ring_wants_any(tracer->ring);
}
/* The message is in the open Kafka transaction. Only while on. */
void tracer_note(struct tracer *tracer, const struct message *message);
/* That one is committed. */
void tracer_commit(struct tracer *tracer, int64_t wall_us);
void tracer_fini(struct tracer *tracer);

#endif
