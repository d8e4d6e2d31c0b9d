/* metrics/metrics_internal: what a struct metrics holds, for the files of this module: metrics.c
 * counts, metrics_text.c prints. */
#ifndef WALFERRY_METRICS_METRICS_INTERNAL_H
#define WALFERRY_METRICS_METRICS_INTERNAL_H

#include "metrics/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define HISTOGRAM_BOUNDS 19
#define REASONS_MAX 64
#define ROUTE_SERIES_MAX 512
#define BUILD_INFO_FIELDS 3

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *label; /* "" none */
    const char *value; /* "" where the value of the label is known only at run time */
    const char *help;  /* "" on all but the first series of a name */
};

extern const struct metric_info metric_table[METRIC_COUNT];
/* Upper bounds in rising order; one bucket more takes the rest. */
extern const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
    atomic_uint_fast64_t buckets[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
    atomic_uint_fast64_t sum_us;
};

struct route_series {
    char *name;
    atomic_uint_fast64_t values[METRIC_COUNT];
};

struct reason_series {
    char reason[48];
    uint64_t value;
};

struct metrics {
    char *relay;
    atomic_uint_fast64_t values[METRIC_COUNT];
    struct histogram histograms[METRIC_COUNT];

    /* Changes only between epochs; index → series. */
    struct route_series **by_index;
    uint32_t index_count;
    struct route_series *overflow;

    pthread_mutex_t mutex; /* what follows; mutable, so that printing may take it */
    struct route_series *routes[ROUTE_SERIES_MAX];
    uint32_t route_count;
    struct reason_series reasons[METRIC_COUNT][REASONS_MAX + 1];
    uint32_t reason_counts[METRIC_COUNT];
    char *build_info[BUILD_INFO_FIELDS]; /* NULL: not set yet */
};

/* Is the value of its label known only at run time? */
static inline bool metric_is_dynamic(enum metric metric)
{
    return metric_table[metric].label[0] != '\0' && metric_table[metric].value[0] == '\0';
}

#endif
