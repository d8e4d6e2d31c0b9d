/* otlp/otlp: the thread. Metrics are sent at their interval, spans as they come, each by a sender
 * of its own, so that neither waits for the other. */
#include "otlp/otlp.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/http.h"
#include "otlp/otlp_body.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS 500
/* While an attempt for metrics is under way: both senders share the thread. */
#define BUSY_MS 20
/* While spans come, so that the ring's 2,048 places are enough for 40,000 a second. */
#define FLOW_MS 50
#define SPANS_PER_BODY 512
/* An older value is of no use once there is a newer one; spans are worth some patience. */
#define METRICS_WAITING_MAX 1
#define SPANS_WAITING_MAX 8
#define GIVE_UP_US (INT64_C(60) * US_PER_S)

enum signal { SIGNAL_METRICS, SIGNAL_TRACES, SIGNALS };

struct otlp {
    struct otlp_options o;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    atomic_int_fast64_t by_us;
    pthread_mutex_t mutex;     /* the next two */
    struct config_otlp config; /* its texts are copies */
    bool changed;

    /* The thread's own, once it runs. */
    struct http *http[SIGNALS];
    struct trace_span *spans;
    int64_t start_wall_us;
    int64_t metrics_due_us;
    int64_t interval_us; /* 0: no metrics */
    bool on;
    bool flows;   /* spans have come since the last look */
    bool failing; /* and that was said */
};

/* ---- Its settings ---- */

static void forget_texts(struct config_otlp *config)
{
    struct config_pair *items = (struct config_pair *)config->headers.items;
    for (uint32_t i = 0; i < config->headers.count; i++) {
        free((char *)items[i].name.text);
        free((char *)items[i].value.text);
    }
    free(items);
    free((char *)config->endpoint.text);
    free((char *)config->ca_file.text);
}

static void copy_texts(struct config_otlp *config, const struct config_otlp *from)
{
    uint32_t count = from->headers.count;
    struct config_pair *items = memory_checked(calloc((size_t)count + 1, sizeof *items));
    for (uint32_t i = 0; i < count; i++) {
        items[i].name.text = memory_copy(from->headers.items[i].name.text);
        items[i].value.text = memory_copy(from->headers.items[i].value.text);
    }
    *config = *from;
    config->headers = (struct config_pairs){count, items};
    config->endpoint.text = memory_copy(from->endpoint.text);
    config->ca_file.text = memory_copy(from->ca_file.text);
}

/* Opens the sender, or aims it anew. */
static void aim(struct otlp *o, const struct config_otlp *config, enum signal signal)
{
    static const char *const paths[] = {"/v1/metrics", "/v1/traces"};
    struct buf url = BUF_EMPTY;
    size_t length = strlen(config->endpoint.text);
    while (length > 0 && config->endpoint.text[length - 1] == '/')
        length--;
    buf_add(&url, (struct span){config->endpoint.text, length});
    buf_add_text(&url, paths[signal]);
    uint32_t count = config->headers.count;
    struct http_pair *headers = memory_checked(calloc((size_t)count + 1, sizeof *headers));
    for (uint32_t i = 0; i < count; i++)
        headers[i] = (struct http_pair){config->headers.items[i].name.text,
                                        config->headers.items[i].value.text};
    const struct http_target target = {.url = buf_text(&url),
                                       .ca_file = config->ca_file.text,
                                       .headers = headers,
                                       .header_count = count,
                                       .timeout_ms = config->timeout_ms,
                                       .give_up_us = GIVE_UP_US,
                                       .queue_max = signal == SIGNAL_METRICS ? METRICS_WAITING_MAX
                                                                             : SPANS_WAITING_MAX,
                                       .picky = true};
    if (o->http[signal] == NULL)
        o->http[signal] = http_open(&target);
    else
        http_aim(o->http[signal], &target);
    free(headers);
    buf_fini(&url);
}

static void take(struct otlp *o, int64_t now_us)
{
    pthread_mutex_lock(&o->mutex);
    if (o->changed) {
        o->changed = false;
        o->on = o->config.endpoint.text != NULL;
        o->interval_us = o->on ? o->config.metrics_interval_ms * US_PER_MS : 0;
        o->metrics_due_us = now_us + o->interval_us;
        trace_ring_want(o->o.traces, o->on ? o->config.sample_one_in : 0);
        o->failing = false; /* what is said of the one says nothing of the other */
        for (enum signal signal = 0; signal < SIGNALS; signal++) {
            if (o->on)
                aim(o, &o->config, signal);
            else
                metrics_add(o->o.metrics, METRIC_OTLP_DROPPED, http_forget(o->http[signal]));
        }
    }
    pthread_mutex_unlock(&o->mutex);
}

/* ---- Sending ---- */

static void note(struct otlp *o, const struct http_result *result)
{
    const struct log *log = o->o.log;
    switch (result->outcome) {
    case HTTP_NOTHING:
        return;
    case HTTP_SENT:
        metrics_add(o->o.metrics, METRIC_OTLP_SENT, 1);
        if (o->failing)
            log_event(log, LOG_INFO, "otlp.works", NULL);
        o->failing = false;
        return;
    case HTTP_REFUSED:
    case HTTP_GIVEN_UP:
        metrics_add(o->o.metrics, METRIC_OTLP_FAILED, 1);
        break;
    case HTTP_RETRIED:
        break;
    }
    if (!o->failing)
        log_event(log, LOG_WARN, "otlp.failed", "detail", result->detail, NULL);
    o->failing = true;
}

static void put(struct otlp *o, enum signal signal, const struct buf *body, int64_t now_us)
{
    if (!http_put(o->http[signal], buf_span(body), now_us))
        metrics_add(o->o.metrics, METRIC_OTLP_DROPPED, 1);
}

static void put_metrics(struct otlp *o, int64_t now_us)
{
    struct buf body = BUF_EMPTY;
    if (o->interval_us == 0 || now_us < o->metrics_due_us)
        return;
    o->metrics_due_us = now_us + o->interval_us;
    otlp_body_metrics(o->o.metrics, o->o.relay, o->start_wall_us, clock_wall_us(), &body);
    put(o, SIGNAL_METRICS, &body, now_us);
    buf_fini(&body);
}

/* What the queue has no room for stays in the ring, which drops what is more than it holds. */
static bool put_spans(struct otlp *o, int64_t now_us)
{
    struct buf body = BUF_EMPTY;
    uint64_t dropped;
    bool room = http_waiting(o->http[SIGNAL_TRACES]) < SPANS_WAITING_MAX;
    uint32_t count = trace_ring_take(o->o.traces, o->spans, room ? SPANS_PER_BODY : 0, &dropped);
    metrics_add(o->o.metrics, METRIC_SPANS_DROPPED, dropped);
    if (count == 0)
        return false;
    o->flows = true;
    otlp_body_spans(o->spans, count, o->o.relay, &body);
    put(o, SIGNAL_TRACES, &body, now_us);
    metrics_add(o->o.metrics, METRIC_SPANS, count);
    buf_fini(&body);
    return count == SPANS_PER_BODY;
}

static void step(struct otlp *o, int64_t now_us, int wait_ms)
{
    struct http_result result;
    http_step(o->http[SIGNAL_METRICS], now_us, clock_wall_us(), 0, &result);
    note(o, &result);
    bool ended = result.outcome != HTTP_NOTHING; /* and the next one has not begun */
    if ((ended || http_busy(o->http[SIGNAL_METRICS])) && wait_ms > BUSY_MS)
        wait_ms = BUSY_MS;
    http_step(o->http[SIGNAL_TRACES], now_us, clock_wall_us(), wait_ms, &result);
    note(o, &result);
}

static uint32_t waiting(const struct otlp *o)
{
    return http_waiting(o->http[SIGNAL_METRICS]) + http_waiting(o->http[SIGNAL_TRACES]);
}

static void flush(struct otlp *o)
{
    int64_t now_us = clock_monotonic_us();
    take(o, now_us); /* it may end before its first look */
    if (!o->on)
        return;
    o->metrics_due_us = now_us;
    put_metrics(o, now_us);
    while (put_spans(o, now_us))
        ;
    for (enum signal signal = 0; signal < SIGNALS; signal++)
        http_hurry(o->http[signal]);
    for (int64_t left_us; waiting(o) > 0; now_us = clock_monotonic_us()) {
        left_us = atomic_load(&o->by_us) - now_us;
        if (left_us <= 0)
            break;
        step(o, now_us, (int)(left_us / US_PER_MS) + 1);
    }
}

static void *otlp_main(void *argument)
{
    struct otlp *o = argument;
    while (!atomic_load(&o->stop)) {
        int64_t now_us = clock_monotonic_us();
        take(o, now_us);
        o->flows = false;
        if (o->on) {
            put_metrics(o, now_us);
            while (put_spans(o, now_us))
                ;
        }
        step(o, now_us, o->flows ? FLOW_MS : TICK_MS);
    }
    flush(o);
    return NULL;
}

/* ---- The public header ---- */

void otlp_take(struct otlp *o, const struct config_otlp *config)
{
    assert(o != NULL && config != NULL);
    pthread_mutex_lock(&o->mutex);
    forget_texts(&o->config);
    copy_texts(&o->config, config);
    o->changed = true;
    pthread_mutex_unlock(&o->mutex);
    if (o->running || config->endpoint.text == NULL)
        return;
    o->spans = memory_checked(calloc(SPANS_PER_BODY, sizeof *o->spans));
    for (enum signal signal = 0; signal < SIGNALS; signal++)
        aim(o, config, signal);
    if (pthread_create(&o->thread, NULL, otlp_main, o) != 0)
        abort();
    o->running = true;
}

struct otlp *otlp_open(const struct otlp_options *options)
{
    assert(options != NULL && options->config != NULL && options->relay != NULL);
    assert(options->metrics != NULL && options->traces != NULL && options->log != NULL);
    struct otlp *o = memory_checked(calloc(1, sizeof *o));
    o->o = *options;
    o->start_wall_us = clock_wall_us();
    pthread_mutex_init(&o->mutex, NULL);
    otlp_take(o, options->config);
    return o;
}

void otlp_stop(struct otlp *o, int64_t by_us)
{
    if (o == NULL || !o->running)
        return;
    assert(!atomic_load(&o->stop));
    atomic_store(&o->by_us, by_us);
    atomic_store(&o->stop, true);
    http_wake(o->http[SIGNAL_TRACES]);
}

static bool joined(struct otlp *o, int64_t by_us)
{
    int64_t left_us = by_us - clock_monotonic_us();
    int64_t until_us = clock_wall_us() + (left_us > 0 ? left_us : 0);
    struct timespec until = {.tv_sec = until_us / US_PER_S,
                             .tv_nsec = (until_us % US_PER_S) * 1000};
    return pthread_timedjoin_np(o->thread, NULL, &until) == 0;
}

bool otlp_close(struct otlp *o, int64_t by_us)
{
    if (o == NULL)
        return true;
    assert(!o->running || atomic_load(&o->stop));
    /* It ends at the time that it was told; a little later is soon enough for what follows. */
    if (o->running && !joined(o, by_us + US_PER_S / 2))
        return false;
    for (enum signal signal = 0; signal < SIGNALS; signal++)
        http_close(o->http[signal]);
    forget_texts(&o->config);
    pthread_mutex_destroy(&o->mutex);
    free(o->spans);
    free(o);
    return true;
}
