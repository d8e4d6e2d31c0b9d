/* metrics/: counters, gauges and histograms, declared in one table (metrics.def).
 *
 * One struct metrics for each relay, handed to the modules at open. Each metric has one writing
 * thread; values are relaxed atomics, so that a scrape never stops the pipeline. Labels with a
 * fixed set of values are part of the table, `route` labels are given at open. */
#ifndef WALFERRY_METRICS_METRICS_H
#define WALFERRY_METRICS_METRICS_H

#include "base/buf.h"

#include <stdint.h>

enum metric {
#define METRIC(id, ...) id,
#include "metrics/metrics.def"
#undef METRIC
    METRIC_COUNT
};

struct metrics;

/* relay and route names are copied. The label `relay` is on every series. */
struct metrics *metrics_open(const char *relay, uint32_t route_count, const char *const *routes);
void metrics_close(struct metrics *metrics); /* NULL is legal */

/* What follows takes NULL for `metrics` and then does nothing, so that a caller without metrics
 * needs no branch of its own. */

/* After a reload: from now on the indices mean these routes; what was counted stays under its name.
 * Only while no thread counts by route (between two epochs). At most 512 names in a lifetime; an
 * index or a name beyond is counted under "other". */
void metrics_set_routes(struct metrics *metrics, uint32_t route_count, const char *const *routes);
/* The labels of walferry_build_info, which is not printed before. The texts are copied. */
void metrics_set_build_info(struct metrics *metrics, const char *version, const char *rdkafka,
                            const char *libpq);

/* For METRIC_KIND_COUNTER and _GAUGE without a dynamic label. */
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t delta);
void metrics_set(struct metrics *metrics, enum metric metric, uint64_t value);
uint64_t metrics_get(const struct metrics *metrics, enum metric metric);
/* For metrics with the label `route`. */
void metrics_add_route(struct metrics *metrics, enum metric metric, uint32_t route, uint64_t delta);
uint64_t metrics_get_route(const struct metrics *metrics, enum metric metric, uint32_t route);
/* For metrics whose label value is an error reason (a stable slug; at most 64 distinct values, then
 * "other"). Any thread; takes a lock. */
void metrics_add_reason(struct metrics *metrics, enum metric metric, const char *reason,
                        uint64_t delta);
/* Histograms; value in microseconds, printed in seconds. */
void metrics_observe_us(struct metrics *metrics, enum metric metric, int64_t value_us);

/* Of a metric with the label `route`, over all names there ever were. Takes a lock. */
uint64_t metrics_sum_routes(const struct metrics *metrics, enum metric metric);
void metrics_get_histogram(const struct metrics *metrics, enum metric metric, uint64_t *count,
                           uint64_t *sum_us);

struct json_writer;
/* A KeyValue of OTLP whose value is a string. */
void metrics_write_otlp_attribute(struct json_writer *w, const char *key, const char *value);
/* The member "metrics" of an OTLP ScopeMetrics, as JSON: an array with a Metric for each name.
 * Times in microseconds since 1970, of the start of the process and of now. */
void metrics_write_otlp(const struct metrics *metrics, int64_t start_us, int64_t now_us,
                        struct buf *out);
/* Prometheus text exposition format 0.0.4. */
void metrics_write(const struct metrics *metrics, struct buf *out);
/* The same numbers as one JSON object, by name: a number; or an object of numbers by the value of
 * the label; or of a histogram {"bounds": seconds, "counts": of each, and one beyond, "sum":
 * seconds}. */
void metrics_write_json(const struct metrics *metrics, struct buf *out);

#endif
