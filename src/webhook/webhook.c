/* webhook/webhook: the thread: it looks, lets webhook_judge say what is to be told, and drives the
 * sender. Nothing that a server does makes it miss a look, because http/ never waits for one. What
 * a receiver does not take is said once in the log, and counted. */
#include "webhook/webhook.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/http.h"
#include "webhook/webhook_body.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_US (INT64_C(1) * US_PER_S)

struct webhook {
    struct webhook_options o;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t mutex;       /* the next two */
    struct config_notify config; /* its texts are copies */
    bool changed;
    struct http *http; /* NULL: there is no thread yet */
    struct error end;  /* before stop is set */
    atomic_int_fast64_t by_us;

    /* The thread's own. */
    struct webhook_judge judge;
    struct config_notify limits; /* without the texts */
    bool on;
    bool failing; /* and that was said */
};

static struct config_text copy_text(const struct config_text *text)
{
    return (struct config_text){.text = memory_copy(text->text), .secret = text->secret};
}

static void forget_texts(struct config_notify *config)
{
    free((char *)config->url.text);
    free((char *)config->secret.text);
    free((char *)config->ca_file.text);
}

static struct http_target target_of(const struct config_notify *config)
{
    return (struct http_target){.url = config->url.text,
                                .ca_file = config->ca_file.text,
                                .secret = config->secret.text,
                                .timeout_ms = config->timeout_ms,
                                .give_up_us = config->give_up_ms * US_PER_MS,
                                .queue_max = WEBHOOK_QUEUE_MAX};
}

/* ---- What a send gave ---- */

static void note(struct webhook *w, const struct http_result *result)
{
    const struct log *log = w->o.log;
    switch (result->outcome) {
    case HTTP_NOTHING:
        return;
    case HTTP_SENT:
        metrics_add(w->o.metrics, METRIC_NOTIFIED, 1);
        if (w->failing)
            log_event(log, LOG_INFO, "webhook.works", NULL);
        w->failing = false;
        return;
    case HTTP_RETRIED:
        metrics_add(w->o.metrics, METRIC_NOTIFY_RETRIES, 1);
        if (!w->failing)
            log_event(log, LOG_WARN, "webhook.failed", "detail", result->detail, NULL);
        w->failing = true;
        return;
    case HTTP_REFUSED:
    case HTTP_GIVEN_UP:
        metrics_add(w->o.metrics, METRIC_NOTIFY_FAILED, 1);
        log_event(log, LOG_WARN, "webhook.given_up", "detail", result->detail, NULL);
        return;
    }
}

/* ---- Looking ---- */

static void put(struct webhook *w, const struct webhook_look *look, const struct webhook_news *news,
                int exit_code)
{
    struct buf body = BUF_EMPTY;
    const struct webhook_message message = {.news = news,
                                            .status = look->status,
                                            .keys_held = look->keys_held,
                                            .lag_us = webhook_lag_us(&w->judge, look->now_us),
                                            .wall_us = clock_wall_us(),
                                            .exit_code = exit_code};
    webhook_body(&message, &body);
    if (!http_put(w->http, buf_span(&body), look->now_us)) {
        metrics_add(w->o.metrics, METRIC_NOTIFY_DROPPED, 1);
        log_event(w->o.log, LOG_WARN, "webhook.dropped", "detail",
                  "more messages wait than are kept, and the oldest went", NULL);
    }
    buf_fini(&body);
}

static void take(struct webhook *w)
{
    pthread_mutex_lock(&w->mutex);
    if (w->changed) {
        w->changed = false;
        w->on = w->config.url.text != NULL;
        w->limits = w->config;
        w->failing = false; /* what is said of the one says nothing of the other */
        if (w->on) {
            const struct http_target target = target_of(&w->config);
            http_aim(w->http, &target);
        } else {
            metrics_add(w->o.metrics, METRIC_NOTIFY_DROPPED, http_forget(w->http));
        }
    }
    pthread_mutex_unlock(&w->mutex);
}

/* While nobody is told nothing is judged: what begins meanwhile is news once somebody is. */
static void look(struct webhook *w, int64_t now_us)
{
    struct status status;
    struct webhook_news news[WEBHOOK_TOPICS];
    if (!w->on) {
        w->judge.working_us = 0; /* not seen yet */
        return;
    }
    status_cell_get(w->o.status, &status);
    const struct webhook_look seen = {.now_us = now_us,
                                      .status = &status,
                                      .keys_held = metrics_get(w->o.metrics, METRIC_KEYS_HELD)};
    uint32_t count = webhook_judge(&w->judge, &seen, &w->limits, news);
    for (uint32_t i = 0; i < count; i++)
        put(w, &seen, &news[i], -1);
}

/* ---- The end ---- */

static void tell_end(struct webhook *w, int64_t now_us)
{
    struct status status;
    struct webhook_news news = {.topic = WEBHOOK_RELAY, .severity = WEBHOOK_CRITICAL};
    status_cell_get(w->o.status, &status);
    snprintf(news.detail, sizeof news.detail, "the process ended: %.600s", w->end.text);
    const struct webhook_look seen = {.now_us = now_us, .status = &status};
    put(w, &seen, &news, (int)w->end.exit_code);
}

static void flush(struct webhook *w)
{
    struct http_result result;
    take(w); /* it may end before its first look */
    if (w->on && w->end.kind != ERROR_NONE)
        tell_end(w, clock_monotonic_us());
    http_hurry(w->http);
    while (http_waiting(w->http) > 0) {
        int64_t now_us = clock_monotonic_us();
        int64_t left_us = atomic_load(&w->by_us) - now_us;
        if (!w->on || left_us <= 0)
            break;
        http_step(w->http, now_us, clock_wall_us(), (int)(left_us / US_PER_MS) + 1, &result);
        note(w, &result);
    }
    uint32_t unsent = http_waiting(w->http);
    if (unsent == 0)
        return;
    char number[16];
    snprintf(number, sizeof number, "%u", unsent);
    metrics_add(w->o.metrics, METRIC_NOTIFY_DROPPED, unsent);
    log_event(w->o.log, LOG_WARN, "webhook.unsent", "#messages", number, NULL);
}

static void *webhook_main(void *argument)
{
    struct webhook *w = argument;
    struct http_result result;
    int64_t next_us = 0;
    while (!atomic_load(&w->stop)) {
        int64_t now_us = clock_monotonic_us();
        if (now_us >= next_us) {
            take(w);
            look(w, now_us);
            next_us = now_us + TICK_US;
        }
        http_step(w->http, now_us, clock_wall_us(), (int)((next_us - now_us) / US_PER_MS) + 1,
                  &result);
        note(w, &result);
    }
    flush(w);
    return NULL;
}

/* ---- The public header ---- */

void webhook_take(struct webhook *w, const struct config_notify *config)
{
    assert(w != NULL && config != NULL);
    pthread_mutex_lock(&w->mutex);
    forget_texts(&w->config);
    w->config = *config;
    w->config.url = copy_text(&config->url);
    w->config.secret = copy_text(&config->secret);
    w->config.ca_file = copy_text(&config->ca_file);
    w->changed = true;
    pthread_mutex_unlock(&w->mutex);
    if (w->running || config->url.text == NULL)
        return;
    const struct http_target target = target_of(config);
    w->http = http_open(&target);
    if (pthread_create(&w->thread, NULL, webhook_main, w) != 0)
        abort();
    w->running = true;
}

struct webhook *webhook_open(const struct webhook_options *options)
{
    assert(options != NULL && options->config != NULL);
    assert(options->status != NULL && options->log != NULL);
    struct webhook *w = calloc(1, sizeof *w);
    if (w == NULL)
        abort();
    w->o = *options;
    pthread_mutex_init(&w->mutex, NULL);
    webhook_take(w, options->config);
    return w;
}

static bool joined(struct webhook *w, int64_t by_us)
{
    int64_t left_us = by_us - clock_monotonic_us();
    int64_t until_us = clock_wall_us() + (left_us > 0 ? left_us : 0);
    struct timespec until = {.tv_sec = until_us / US_PER_S,
                             .tv_nsec = (until_us % US_PER_S) * 1000};
    return pthread_timedjoin_np(w->thread, NULL, &until) == 0;
}

bool webhook_close(struct webhook *w, const struct error *err, int64_t by_us)
{
    if (w == NULL)
        return true;
    assert(err != NULL);
    if (w->running) {
        w->end = *err;
        atomic_store(&w->by_us, by_us);
        atomic_store(&w->stop, true);
        http_wake(w->http);
        /* It ends at by_us; a little later is soon enough for what follows. */
        if (!joined(w, by_us + US_PER_S / 2))
            return false;
    }
    http_close(w->http);
    forget_texts(&w->config);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    return true;
}
