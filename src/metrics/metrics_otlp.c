/* metrics/metrics_otlp: the values as an ExportMetricsServiceRequest of OTLP in its JSON encoding
 * (opentelemetry-proto 1.x, metrics.proto; "JSON Protobuf Encoding" of the OTLP specification:
 * 64-bit integers are texts, enums numbers). Names and values are those of /metrics. */
#include "metrics/metrics_internal.h"

#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* AggregationTemporality: since the start of the process. */
#define CUMULATIVE 2

struct exporting {
    struct json_writer w;
    const struct metrics *metrics;
    char start_ns[24], now_ns[24];
};

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void write_text_u64(struct json_writer *w, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    json_write_text(w, text);
}

void metrics_write_otlp_attribute(struct json_writer *w, const char *key, const char *value)
{
    assert(key != NULL && value != NULL);
    json_write_begin_object(w);
    json_write_member_text(w, "key", key);
    json_write_name(w, "value");
    json_write_begin_object(w);
    json_write_member_text(w, "stringValue", value);
    json_write_end_object(w);
    json_write_end_object(w);
}

/* What every point begins with; label "": no more than the relay. */
static void begin_point(struct exporting *x, const char *label, const char *value)
{
    struct json_writer *w = &x->w;
    json_write_begin_object(w);
    json_write_name(w, "attributes");
    json_write_begin_array(w);
    metrics_write_otlp_attribute(w, "relay", x->metrics->relay);
    if (label[0] != '\0')
        metrics_write_otlp_attribute(w, label, value);
    json_write_end_array(w);
    json_write_member_text(w, "startTimeUnixNano", x->start_ns);
    json_write_member_text(w, "timeUnixNano", x->now_ns);
}

static void write_point(struct exporting *x, const char *label, const char *label_value,
                        uint64_t value)
{
    begin_point(x, label, label_value);
    json_write_name(&x->w, "asInt");
    /* asInt is signed; what is beyond stands for "no limit" anyway. */
    write_text_u64(&x->w, value > INT64_MAX ? (uint64_t)INT64_MAX : value);
    json_write_end_object(&x->w);
}

static void write_histogram(struct exporting *x, enum metric metric)
{
    const struct histogram *histogram = &x->metrics->histograms[metric];
    struct json_writer *w = &x->w;
    uint64_t counts[HISTOGRAM_BOUNDS + 1], total = 0;
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        counts[i] = load(&histogram->buckets[i]);
        total += counts[i];
    }
    begin_point(x, "", "");
    json_write_name(w, "count");
    write_text_u64(w, total);
    char number[40];
    snprintf(number, sizeof number, "%.6f", (double)load(&histogram->sum_us) / 1e6);
    json_write_member_raw(w, "sum", span_of(number));
    json_write_name(w, "bucketCounts");
    json_write_begin_array(w);
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        write_text_u64(w, counts[i]);
    json_write_end_array(w);
    json_write_name(w, "explicitBounds");
    json_write_begin_array(w);
    for (uint32_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        snprintf(number, sizeof number, "%g", (double)histogram_bounds_us[i] / 1e6);
        json_write_raw(w, span_of(number));
    }
    json_write_end_array(w);
    json_write_end_object(w);
}

static void write_points(struct exporting *x, enum metric metric)
{
    const struct metrics *m = x->metrics;
    const struct metric_info *info = &metric_table[metric];
    if (info->kind == METRIC_KIND_HISTOGRAM) {
        write_histogram(x, metric);
    } else if (!metric_is_dynamic(metric)) {
        write_point(x, info->label, info->value, load(&m->values[metric]));
    } else if (strcmp(info->label, "route") == 0) {
        for (uint32_t i = 0; i < m->route_count; i++)
            write_point(x, "route", m->routes[i]->name, load(&m->routes[i]->values[metric]));
        uint64_t rest = load(&m->overflow->values[metric]);
        if (rest > 0)
            write_point(x, "route", m->overflow->name, rest);
    } else {
        for (uint32_t i = 0; i < m->reason_counts[metric]; i++)
            write_point(x, info->label, m->reasons[metric][i].reason, m->reasons[metric][i].value);
    }
}

static bool same_name(enum metric a, enum metric b)
{
    return strcmp(metric_table[a].name, metric_table[b].name) == 0;
}

/* All series of one name are points of one metric. Returns the first of the next name. */
static enum metric write_metric(struct exporting *x, enum metric metric)
{
    static const char *const members[] = {"sum", "gauge", "histogram"};
    const struct metric_info *info = &metric_table[metric];
    struct json_writer *w = &x->w;
    json_write_begin_object(w);
    json_write_member_text(w, "name", info->name);
    json_write_member_text(w, "description", info->help);
    bool seconds = strstr(info->name, "_seconds") != NULL;
    json_write_member_text(w, "unit",
                           seconds                                ? "s"
                           : strstr(info->name, "_bytes") != NULL ? "By"
                                                                  : "1");
    json_write_name(w, members[info->kind]);
    json_write_begin_object(w);
    json_write_name(w, "dataPoints");
    json_write_begin_array(w);
    enum metric next = metric;
    for (; next < METRIC_COUNT && same_name(next, metric); next++)
        write_points(x, next);
    json_write_end_array(w);
    if (info->kind != METRIC_KIND_GAUGE)
        json_write_member_u64(w, "aggregationTemporality", CUMULATIVE);
    if (info->kind == METRIC_KIND_COUNTER)
        json_write_member_bool(w, "isMonotonic", true);
    json_write_end_object(w);
    json_write_end_object(w);
    return next;
}

void metrics_write_otlp(const struct metrics *metrics, int64_t start_us, int64_t now_us,
                        struct buf *out)
{
    assert(metrics != NULL && out != NULL);
    struct exporting x = {.w = json_writer(out), .metrics = metrics};
    snprintf(x.start_ns, sizeof x.start_ns, "%" PRId64 "000", start_us);
    snprintf(x.now_ns, sizeof x.now_ns, "%" PRId64 "000", now_us);
    pthread_mutex_t *mutex = (pthread_mutex_t *)&metrics->mutex;
    json_write_begin_array(&x.w);
    pthread_mutex_lock(mutex);
    for (enum metric metric = 0; metric < METRIC_COUNT;)
        metric = write_metric(&x, metric);
    pthread_mutex_unlock(mutex);
    json_write_end_array(&x.w);
}
