/* metrics/metrics_text: the Prometheus text exposition format 0.0.4.
 *
 * All series of one name stand together under one HELP and one TYPE line, which the order of
 * metrics.def gives. A histogram's count is the sum of the buckets that were read, so that the page
 * agrees with itself whatever is counted meanwhile. */
#include "metrics/metrics_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static void add_label(struct buf *out, const char *name, const char *value)
{
    buf_add_text(out, name);
    buf_add_text(out, "=\"");
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"')
            buf_add_char(out, '\\');
        if (*c == '\n')
            buf_add_text(out, "\\n");
        else
            buf_add_char(out, *c);
    }
    buf_add_char(out, '"');
}

/* name{relay="…",label="value" — the closing brace is the caller's, who may add another label. */
static void begin_series(const struct metrics *metrics, struct buf *out, const char *name,
                         const char *suffix, const char *label, const char *value)
{
    buf_add_text(out, name);
    buf_add_text(out, suffix);
    buf_add_char(out, '{');
    add_label(out, "relay", metrics->relay);
    if (label[0] != '\0') {
        buf_add_char(out, ',');
        add_label(out, label, value);
    }
}

static void add_series(const struct metrics *metrics, struct buf *out,
                       const struct metric_info *info, const char *label_value, uint64_t value)
{
    begin_series(metrics, out, info->name, "", info->label, label_value);
    buf_add_format(out, "} %" PRIu64 "\n", value);
}

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void add_histogram(const struct metrics *metrics, struct buf *out, enum metric metric)
{
    const struct metric_info *info = &metric_table[metric];
    const struct histogram *histogram = &metrics->histograms[metric];
    uint64_t count = 0;
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < HISTOGRAM_BOUNDS)
            snprintf(bound, sizeof bound, "%g", (double)histogram_bounds_us[i] / 1e6);
        count += load(&histogram->buckets[i]);
        begin_series(metrics, out, info->name, "_bucket", "le", bound);
        buf_add_format(out, "} %" PRIu64 "\n", count);
    }
    begin_series(metrics, out, info->name, "_sum", "", "");
    buf_add_format(out, "} %.6f\n", (double)load(&histogram->sum_us) / 1e6);
    begin_series(metrics, out, info->name, "_count", "", "");
    buf_add_format(out, "} %" PRIu64 "\n", count);
}

static void add_routes(const struct metrics *metrics, struct buf *out, enum metric metric)
{
    const struct metric_info *info = &metric_table[metric];
    for (uint32_t i = 0; i < metrics->route_count; i++)
        add_series(metrics, out, info, metrics->routes[i]->name,
                   load(&metrics->routes[i]->values[metric]));
    uint64_t rest = load(&metrics->overflow->values[metric]);
    if (rest > 0)
        add_series(metrics, out, info, metrics->overflow->name, rest);
}

static void add_reasons(const struct metrics *metrics, struct buf *out, enum metric metric)
{
    for (uint32_t i = 0; i < metrics->reason_counts[metric]; i++)
        add_series(metrics, out, &metric_table[metric], metrics->reasons[metric][i].reason,
                   metrics->reasons[metric][i].value);
}

static void add_heading(struct buf *out, const char *name, const char *help, enum metric_kind kind)
{
    buf_add_format(out, "# HELP %s %s\n", name, help);
    buf_add_format(out, "# TYPE %s %s\n", name, kind_names[kind]);
}

static void add_metric(const struct metrics *metrics, struct buf *out, enum metric metric)
{
    const struct metric_info *info = &metric_table[metric];
    if (metric == 0 || strcmp(metric_table[metric - 1].name, info->name) != 0)
        add_heading(out, info->name, info->help, info->kind);
    if (info->kind == METRIC_KIND_HISTOGRAM)
        add_histogram(metrics, out, metric);
    else if (!metric_is_dynamic(metric))
        add_series(metrics, out, info, info->value, load(&metrics->values[metric]));
    else if (strcmp(info->label, "route") == 0)
        add_routes(metrics, out, metric);
    else
        add_reasons(metrics, out, metric);
}

static void add_build_info(const struct metrics *metrics, struct buf *out)
{
    static const char *const names[BUILD_INFO_FIELDS] = {"version", "librdkafka", "libpq"};
    if (metrics->build_info[0] == NULL)
        return;
    add_heading(out, "walferry_build_info", "Versions in use; always 1", METRIC_KIND_GAUGE);
    begin_series(metrics, out, "walferry_build_info", "", "", "");
    for (int i = 0; i < BUILD_INFO_FIELDS; i++) {
        buf_add_char(out, ',');
        add_label(out, names[i], metrics->build_info[i]);
    }
    buf_add_text(out, "} 1\n");
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    if (metrics == NULL)
        return;
    assert(out != NULL);
    pthread_mutex_t *mutex = (pthread_mutex_t *)&metrics->mutex;
    pthread_mutex_lock(mutex);
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
        add_metric(metrics, out, metric);
    add_build_info(metrics, out);
    pthread_mutex_unlock(mutex);
}
