/* metrics/metrics: the values. metrics_text.c prints them.
 *
 * Counting is one relaxed addition: no order between two metrics is promised, and none is needed by
 * a reader that comes every few seconds. Only series that appear while running (a reason, a new
 * route) are made under the lock; they are never removed, so that a printed counter never goes
 * back. */
#include "metrics/metrics_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct metric_info metric_table[METRIC_COUNT] = {
#define METRIC(id, metric_name, metric_kind, metric_label, metric_value, metric_help)              \
    [id] = {.name = (metric_name),                                                                 \
            .kind = METRIC_KIND_##metric_kind,                                                     \
            .label = (metric_label),                                                               \
            .value = (metric_value),                                                               \
            .help = (metric_help)},
#include "metrics/metrics.def"
#undef METRIC
};

const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    500,    1000,   2000,   3000,    5000,    7500,    10000,    15000,    25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};

static const char other[] = "other";

/* ---- Routes ---- */

/* The caller holds the lock. A name beyond the room shares the last series. */
static struct route_series *route_series_of(struct metrics *metrics, const char *name)
{
    for (uint32_t i = 0; i < metrics->route_count; i++)
        if (strcmp(metrics->routes[i]->name, name) == 0)
            return metrics->routes[i];
    if (metrics->route_count == ROUTE_SERIES_MAX)
        return metrics->overflow;
    struct route_series *made = memory_checked(calloc(1, sizeof *made));
    made->name = memory_checked(strdup(name));
    metrics->routes[metrics->route_count++] = made;
    return made;
}

void metrics_set_routes(struct metrics *metrics, uint32_t route_count, const char *const *routes)
{
    if (metrics == NULL)
        return;
    assert(route_count == 0 || routes != NULL);
    pthread_mutex_lock(&metrics->mutex);
    free(metrics->by_index);
    metrics->by_index = memory_checked(calloc((size_t)route_count + 1, sizeof *metrics->by_index));
    metrics->index_count = route_count;
    for (uint32_t i = 0; i < route_count; i++)
        metrics->by_index[i] = route_series_of(metrics, routes[i]);
    pthread_mutex_unlock(&metrics->mutex);
}

static struct route_series *route_at(const struct metrics *metrics, uint32_t route)
{
    return route < metrics->index_count ? metrics->by_index[route] : metrics->overflow;
}

/* ---- Lifecycle ---- */

struct metrics *metrics_open(const char *relay, uint32_t route_count, const char *const *routes)
{
    assert(relay != NULL);
    assert(route_count == 0 || routes != NULL);
    struct metrics *metrics = memory_checked(calloc(1, sizeof *metrics));
    metrics->relay = memory_checked(strdup(relay));
    metrics->overflow = memory_checked(calloc(1, sizeof *metrics->overflow));
    metrics->overflow->name = memory_checked(strdup(other));
    pthread_mutex_init(&metrics->mutex, NULL);
    metrics_set_routes(metrics, route_count, routes);
    return metrics;
}

static void route_series_free(struct route_series *series)
{
    free(series->name);
    free(series);
}

void metrics_close(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (uint32_t i = 0; i < metrics->route_count; i++)
        route_series_free(metrics->routes[i]);
    route_series_free(metrics->overflow);
    free(metrics->by_index);
    for (int i = 0; i < BUILD_INFO_FIELDS; i++)
        free(metrics->build_info[i]);
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics->relay);
    free(metrics);
}

void metrics_set_build_info(struct metrics *metrics, const char *version, const char *rdkafka,
                            const char *libpq)
{
    if (metrics == NULL)
        return;
    assert(version != NULL && rdkafka != NULL);
    assert(libpq != NULL);
    const char *const texts[BUILD_INFO_FIELDS] = {version, rdkafka, libpq};
    pthread_mutex_lock(&metrics->mutex);
    for (int i = 0; i < BUILD_INFO_FIELDS; i++) {
        free(metrics->build_info[i]);
        metrics->build_info[i] = memory_checked(strdup(texts[i]));
    }
    pthread_mutex_unlock(&metrics->mutex);
}

/* ---- Counting ---- */

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t delta)
{
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT);
    assert(!metric_is_dynamic(metric));
    atomic_fetch_add_explicit(&metrics->values[metric], delta, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum metric metric, uint64_t value)
{
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT);
    assert(metric_table[metric].kind == METRIC_KIND_GAUGE && !metric_is_dynamic(metric));
    atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

uint64_t metrics_get(const struct metrics *metrics, enum metric metric)
{
    if (metrics == NULL)
        return 0;
    assert(metric < METRIC_COUNT);
    return atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
}

void metrics_add_route(struct metrics *metrics, enum metric metric, uint32_t route, uint64_t delta)
{
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT);
    assert(strcmp(metric_table[metric].label, "route") == 0);
    struct route_series *series = route_at(metrics, route);
    atomic_fetch_add_explicit(&series->values[metric], delta, memory_order_relaxed);
}

uint64_t metrics_get_route(const struct metrics *metrics, enum metric metric, uint32_t route)
{
    if (metrics == NULL)
        return 0;
    assert(metric < METRIC_COUNT);
    return atomic_load_explicit(&route_at(metrics, route)->values[metric], memory_order_relaxed);
}

uint64_t metrics_sum_routes(const struct metrics *metrics, enum metric metric)
{
    if (metrics == NULL)
        return 0;
    assert(metric < METRIC_COUNT);
    assert(strcmp(metric_table[metric].label, "route") == 0);
    pthread_mutex_t *mutex = (pthread_mutex_t *)&metrics->mutex;
    pthread_mutex_lock(mutex);
    uint64_t sum = atomic_load_explicit(&metrics->overflow->values[metric], memory_order_relaxed);
    for (uint32_t i = 0; i < metrics->route_count; i++)
        sum += atomic_load_explicit(&metrics->routes[i]->values[metric], memory_order_relaxed);
    pthread_mutex_unlock(mutex);
    return sum;
}

/* The caller holds the lock. The last place is "other", for whatever comes once the room is used.
 */
static struct reason_series *reason_series_of(struct metrics *metrics, enum metric metric,
                                              const char *reason)
{
    struct reason_series *series = metrics->reasons[metric];
    uint32_t count = metrics->reason_counts[metric];
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(series[i].reason, reason, sizeof series[i].reason - 1) == 0)
            return &series[i];
    if (count > REASONS_MAX)
        return &series[REASONS_MAX];
    snprintf(series[count].reason, sizeof series[count].reason, "%s",
             count == REASONS_MAX ? other : reason);
    metrics->reason_counts[metric]++;
    return &series[count];
}

void metrics_add_reason(struct metrics *metrics, enum metric metric, const char *reason,
                        uint64_t delta)
{
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT && reason != NULL);
    assert(metric_is_dynamic(metric) && strcmp(metric_table[metric].label, "route") != 0);
    pthread_mutex_lock(&metrics->mutex);
    reason_series_of(metrics, metric, reason)->value += delta;
    pthread_mutex_unlock(&metrics->mutex);
}

void metrics_observe_us(struct metrics *metrics, enum metric metric, int64_t value_us)
{
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT);
    assert(metric_table[metric].kind == METRIC_KIND_HISTOGRAM);
    if (value_us < 0)
        value_us = 0;
    struct histogram *histogram = &metrics->histograms[metric];
    uint32_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && value_us > histogram_bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)value_us, memory_order_relaxed);
}

void metrics_get_histogram(const struct metrics *metrics, enum metric metric, uint64_t *count,
                           uint64_t *sum_us)
{
    *count = 0;
    *sum_us = 0;
    if (metrics == NULL)
        return;
    assert(metric < METRIC_COUNT);
    assert(metric_table[metric].kind == METRIC_KIND_HISTOGRAM);
    const struct histogram *histogram = &metrics->histograms[metric];
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        *count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    *sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}
