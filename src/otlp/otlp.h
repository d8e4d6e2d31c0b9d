/* otlp/: metrics and spans to an OpenTelemetry collector, by OTLP over HTTP in its JSON encoding.
 *
 * It sees the metrics and the ring of spans, from a thread of its own that never waits for the
 * collector; without an endpoint there is no thread, and the relay makes no span. What a collector
 * does not take for long is dropped and counted. docs/TRACING.md says what comes. */
#ifndef WALFERRY_OTLP_OTLP_H
#define WALFERRY_OTLP_OTLP_H

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/trace_ring.h"

#include <stdbool.h>

struct otlp;

struct otlp_options {
    const struct config_otlp *config; /* copied; without an endpoint nothing is sent */
    const char *relay;                /* its name; these must outlive it */
    struct metrics *metrics;
    struct trace_ring *traces;
    const struct log *log;
};

struct otlp *otlp_open(const struct otlp_options *options);
/* What a reloaded file says; copied. Where there is no endpoint what waits is dropped. Any thread,
 * but one at a time. */
void otlp_take(struct otlp *otlp, const struct config_otlp *config);
/* Begins the end, and returns at once: what there is gets one more attempt, until the monotonic
 * time by_us at most. NULL is legal. */
void otlp_stop(struct otlp *otlp, int64_t by_us);
/* After otlp_stop(). False: the thread is inside a resolver still, and nothing was freed; leave
 * with _exit(). NULL is legal. */
bool otlp_close(struct otlp *otlp, int64_t by_us);

#endif
