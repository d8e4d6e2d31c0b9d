/* model/trace_ring: spans of events that Kafka has committed, from the relay to who sends them on.
 *
 * A traceparent is that of W3C Trace Context, level 1 (section 3.2). The ring is bounded and drops
 * what does not fit: the writer never waits for it. While nobody wants spans it has no memory, and
 * asking costs one load. */
#ifndef WALFERRY_MODEL_TRACE_RING_H
#define WALFERRY_MODEL_TRACE_RING_H

#include "base/span.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define TRACE_RING_SPANS 2048
/* Texts that are longer are cut. */
#define TRACE_TEXT_MAX 96

struct trace_context {
    unsigned char trace_id[16];
    unsigned char parent_id[8];
    bool sampled;
};

struct trace_span {
    struct trace_context context;
    int64_t start_us, end_us; /* since 1970; end_us >= start_us */
    uint32_t route;
    uint64_t number;         /* tells it from others of its trace: of its id, where it has one */
    char id[TRACE_TEXT_MAX]; /* the header delivery.id_header; empty: not known */
    char topic[TRACE_TEXT_MAX];
};

struct trace_ring {
    /* A trace is wanted where half of the low 64 bits of its id is below it, as OpenTelemetry's
     * TraceIdRatioBased does; 0: none is. */
    atomic_uint_fast64_t threshold;
    pthread_mutex_t mutex; /* what follows */
    struct trace_span *spans;
    uint32_t first, count;
    uint64_t dropped;
};

/* False: it is none, and nothing was set. */
bool trace_context_parse(struct span text, struct trace_context *context);

void trace_ring_init(struct trace_ring *ring);
void trace_ring_fini(struct trace_ring *ring);
/* One of so many sampled traces is wanted; 0: none. */
void trace_ring_want(struct trace_ring *ring, int64_t one_in);
static inline bool trace_ring_wants_any(const struct trace_ring *ring)
{
    return ring != NULL && atomic_load_explicit(&ring->threshold, memory_order_relaxed) != 0;
}
bool trace_ring_wants(const struct trace_ring *ring, const struct trace_context *context);
void trace_ring_put(struct trace_ring *ring, const struct trace_span *spans, uint32_t count);
/* Counts what was not even put. */
void trace_ring_lose(struct trace_ring *ring, uint64_t count);
/* The oldest, at most max; returns how many. *dropped: since the last time. */
uint32_t trace_ring_take(struct trace_ring *ring, struct trace_span *spans, uint32_t max,
                         uint64_t *dropped);

#endif
