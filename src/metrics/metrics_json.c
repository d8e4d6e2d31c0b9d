/* metrics/metrics_json: the numbers of /metrics as one JSON object, for a page and for programs
 * that do not speak Prometheus. */
#include "metrics/metrics_internal.h"

#include "json/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void write_seconds(struct json_writer *w, uint64_t us)
{
    struct buf text = BUF_EMPTY;
    buf_add_format(&text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    json_write_raw(w, buf_span(&text));
    buf_fini(&text);
}

static void write_histogram(struct json_writer *w, const struct histogram *histogram)
{
    json_write_begin_object(w);
    json_write_name(w, "bounds");
    json_write_begin_array(w);
    for (uint32_t i = 0; i < HISTOGRAM_BOUNDS; i++)
        write_seconds(w, (uint64_t)histogram_bounds_us[i]);
    json_write_end_array(w);
    json_write_name(w, "counts");
    json_write_begin_array(w);
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        json_write_u64(w, load(&histogram->buckets[i]));
    json_write_end_array(w);
    json_write_name(w, "sum");
    write_seconds(w, load(&histogram->sum_us));
    json_write_end_object(w);
}

/* The caller holds the lock. */
static void write_by_label(const struct metrics *m, struct json_writer *w, enum metric metric)
{
    if (strcmp(metric_table[metric].label, "route") == 0) {
        for (uint32_t i = 0; i < m->route_count; i++)
            json_write_member_u64(w, m->routes[i]->name, load(&m->routes[i]->values[metric]));
        uint64_t rest = load(&m->overflow->values[metric]);
        if (rest > 0)
            json_write_member_u64(w, m->overflow->name, rest);
        return;
    }
    for (uint32_t i = 0; i < m->reason_counts[metric]; i++)
        json_write_member_u64(w, m->reasons[metric][i].reason, m->reasons[metric][i].value);
}

static void write_labelled(const struct metrics *m, struct json_writer *w, enum metric first)
{
    json_write_begin_object(w);
    if (metric_is_dynamic(first))
        write_by_label(m, w, first);
    else
        for (enum metric metric = first;
             metric < METRIC_COUNT &&
             strcmp(metric_table[metric].name, metric_table[first].name) == 0;
             metric++)
            json_write_member_u64(w, metric_table[metric].value, load(&m->values[metric]));
    json_write_end_object(w);
}

void metrics_write_json(const struct metrics *metrics, struct buf *out)
{
    assert(out != NULL);
    struct json_writer w = json_writer(out);
    json_write_begin_object(&w);
    pthread_mutex_t *mutex = metrics != NULL ? (pthread_mutex_t *)&metrics->mutex : NULL;
    if (metrics != NULL)
        pthread_mutex_lock(mutex);
    for (enum metric metric = 0; metrics != NULL && metric < METRIC_COUNT; metric++) {
        const struct metric_info *info = &metric_table[metric];
        if (metric > 0 && strcmp(metric_table[metric - 1].name, info->name) == 0)
            continue;
        json_write_name(&w, info->name);
        if (info->kind == METRIC_KIND_HISTOGRAM)
            write_histogram(&w, &metrics->histograms[metric]);
        else if (info->label[0] != '\0')
            write_labelled(metrics, &w, metric);
        else
            json_write_u64(&w, load(&metrics->values[metric]));
    }
    if (metrics != NULL)
        pthread_mutex_unlock(mutex);
    json_write_end_object(&w);
    buf_add_char(out, '\n');
}
