/* otlp/otlp_body: requests as JSON (opentelemetry-proto 1.x, trace_service.proto and
 * metrics_service.proto). */
#ifndef WALFERRY_OTLP_OTLP_BODY_H
#define WALFERRY_OTLP_OTLP_BODY_H

#include "base/buf.h"
#include "metrics/metrics.h"
#include "model/trace_ring.h"

/* An ExportMetricsServiceRequest. Times since 1970. */
void otlp_body_metrics(const struct metrics *metrics, const char *relay, int64_t start_us,
                       int64_t now_us, struct buf *out);
/* An ExportTraceServiceRequest. */
void otlp_body_spans(const struct trace_span *spans, uint32_t count, const char *relay,
                     struct buf *out);

#endif
