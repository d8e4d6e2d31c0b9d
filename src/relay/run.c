/* relay/run: the lifecycle of a relay: open an epoch, run it, close it, back off with jitter, open
 * again.
 *
 * The one place that decides what follows an error: its kind says so (base/error.h). Two things are
 * known only here: credentials that have worked, or that a program gives, are retried for a while
 * when they are refused (rotation), and a fenced producer first waits and looks who took over. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "base/jitter.h"
#include "base/waits.h"
#include "relay/wake.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --until-caught-up ends where a server stays away, though retry.give_up_ms says never. */
#define CATCH_UP_GIVE_UP_US (INT64_C(60) * 1000000)
#define SUCCESSOR_LOOK_MS 2000
#define FENCED_WAIT_US (INT64_C(1) * 1000000)
/* An epoch that has lived so long was a good one: the back-off starts anew. */
#define GOOD_EPOCH_US (INT64_C(10) * 1000000)

struct lifecycle {
    struct relay *relay;
    int64_t back_off_us;
    int64_t failing_since_us; /* 0: not failing */
    int64_t auth_since_us;    /* 0: credentials are not being refused */
};

/* ---- What follows an error ---- */

/* What a program gives may have run out on its way, or not be known everywhere yet. */
static bool asks_for_credentials(const struct config_relay *config)
{
    return config->source.password_command.arguments != NULL ||
           config->kafka.token_command.arguments != NULL;
}

static void soften_auth(struct lifecycle *lifecycle, int64_t now_us, struct error *err)
{
    const struct relay *relay = lifecycle->relay;
    if (err->reason != REASON_AUTH_FAILED) {
        lifecycle->auth_since_us = 0;
        return;
    }
    if (lifecycle->auth_since_us == 0)
        lifecycle->auth_since_us = now_us;
    int64_t grace_us = relay->config->retry.auth_grace_ms * US_PER_MS;
    if ((relay->worked || asks_for_credentials(relay->config)) &&
        now_us - lifecycle->auth_since_us < grace_us)
        err->kind = ERROR_RETRY;
    else if (err->kind == ERROR_RETRY) {
        err->kind = ERROR_STOP;
        err->exit_code = EXIT_USAGE;
    }
}

static void give_up_if_due(struct lifecycle *lifecycle, int64_t now_us, struct error *err)
{
    int64_t limit_us = lifecycle->relay->config->retry.give_up_ms * US_PER_MS;
    bool own = limit_us == 0 && lifecycle->relay->o.until_caught_up;
    if (own)
        limit_us = CATCH_UP_GIVE_UP_US;
    if (lifecycle->failing_since_us == 0)
        lifecycle->failing_since_us = now_us;
    if (err->kind != ERROR_RETRY || limit_us == 0 ||
        now_us - lifecycle->failing_since_us < limit_us)
        return;
    err->kind = ERROR_STOP;
    err->exit_code = EXIT_GAVE_UP;
    error_wrap(err, "gave up after %" PRId64 " ms (%s)",
               (now_us - lifecycle->failing_since_us) / 1000,
               own ? "--until-caught-up" : "retry.give_up_ms");
}

static void back_off(struct lifecycle *lifecycle, const struct error *err)
{
    struct relay *relay = lifecycle->relay;
    const struct config_retry *retry = &relay->config->retry;
    int64_t wait_us = jitter_us(lifecycle->back_off_us);
    if (err->reason == REASON_FENCED && wait_us < FENCED_WAIT_US)
        wait_us = FENCED_WAIT_US;
    lifecycle->back_off_us *= 2;
    if (lifecycle->back_off_us > retry->max_ms * US_PER_MS)
        lifecycle->back_off_us = retry->max_ms * US_PER_MS;
    char in_ms[24];
    snprintf(in_ms, sizeof in_ms, "%" PRId64, wait_us / 1000);
    log_event(relay->o.log, LOG_INFO, "epoch.backoff", "#wait_ms", in_ms, NULL);
    board_state(relay, STATE_BACKOFF);
    struct pollfd stop = {.fd = relay->stop_fd, .events = POLLIN};
    poll(&stop, 1, (int)(wait_us / 1000) + 1);
}

/* True where another epoch is to follow. */
static bool react(struct lifecycle *lifecycle, struct error *err)
{
    struct relay *relay = lifecycle->relay;
    int64_t now_us = clock_monotonic_us();
    if (atomic_load(&relay->stop) && err->kind == ERROR_RETRY) {
        *err = ERROR_INIT; /* asked to end: what could not be done now is done at the next start */
        return false;
    }
    soften_auth(lifecycle, now_us, err);
    /* A file that an epoch was opened with is right: what answers instead of the broker will go,
     * and a certificate that has expired will be renewed. */
    if ((err->reason == REASON_SECURITY_PROTOCOL || err->reason == REASON_TLS) &&
        relay->opened_config == relay->config)
        err->kind = ERROR_RETRY;
    give_up_if_due(lifecycle, now_us, err);
    metrics_add_reason(relay->o.metrics, METRIC_ERRORS, error_kind_name(err->kind), 1);
    board_error(relay, err);
    atomic_store(&relay->kept_out, err->reason != REASON_AUTH_FAILED);
    if (err->kind != ERROR_RETRY)
        return false;
    log_error(relay->o.log, LOG_WARN, "epoch.failed", err);
    atomic_store(&relay->retrying, true);
    back_off(lifecycle, err);
    if (!atomic_load(&relay->stop))
        return true;
    *err = ERROR_INIT; /* asked to end in the meantime */
    return false;
}

/* ---- One epoch ---- */

static void log_opened(const struct epoch *e)
{
    char position[LSN_TEXT_MAX];
    char generation[24];
    snprintf(generation, sizeof generation, "%" PRIu64, e->opening.found.progress.generation);
    log_event(e->relay->o.log, LOG_INFO, "epoch.opened", "position",
              lsn_format(e->opening.found.progress.position.lsn, position), "#generation",
              generation, e->opening.ends.origin->ops->noun, e->opening.ends.origin->label,
              "instance", e->relay->instance, NULL);
}

/* Whoever takes over ends the older instance's session, which reads like a server that
 * shuts down. The claim came before that, so the progress topic knows. */
static void find_successor(struct epoch *e, struct error *err)
{
    struct error other = ERROR_INIT;
    if (err->reason == REASON_SERVER_SHUTDOWN &&
        opening_ask(&e->opening, SUCCESSOR_LOOK_MS, &other) < 0 && other.kind == ERROR_STOP &&
        other.reason == REASON_FENCED)
        *err = other;
}

/* The stream finds no publication, though the open has just seen one: it was dropped since then, or
 * it was made after the place in the log that is read. The next open can tell. */
static void doubt_publication(struct epoch *e, struct error *err)
{
    if (err->kind != ERROR_STOP || err->reason != REASON_PUBLICATION_MISSING)
        return;
    e->relay->gone_lsn = e->reader.state.committed.lsn;
    e->relay->gone_generation = e->opening.found.progress.generation;
    e->relay->gone_changes = strstr(err->text, e->config->source.changes.text) != NULL;
    err->kind = ERROR_RETRY;
}

static void count_end(struct relay *relay, int result, const struct error *err)
{
    const char *reason = "stop";
    if (result < 0)
        reason = reason_slug(err->reason);
    else if (!atomic_load(&relay->stop) && !relay->o.until_caught_up)
        reason = "reload";
    metrics_add_reason(relay->o.metrics, METRIC_EPOCHS, reason, 1);
    recent_close_epoch(relay->o.recent, reason, clock_wall_us());
    log_event(relay->o.log, LOG_INFO, "epoch.closed", "reason", reason, NULL);
}

/* A part of a split transaction moves the writer's position, and the reader may not have seen it.
 */
static void learn(struct epoch *e, struct position before, const struct error *err)
{
    bool moved = e->made && position_compare(e->writer.last.position, before) > 0;
    lessons_learn(&e->relay->lessons, &e->relay->pace, err, moved);
}

/* 1: ended in order. -1: *err. */
static int one_epoch(struct lifecycle *lifecycle, struct error *err)
{
    struct relay *relay = lifecycle->relay;
    struct epoch *e = malloc(sizeof *e);
    if (e == NULL)
        abort();
    epoch_init(e, relay, relay->config);
    int64_t began_us = clock_monotonic_us();
    int result = epoch_open(e, err);
    waits_hold(log_waits(relay->o.log)); /* it is open, or is told why not */
    if (result < 0 && lifecycle->failing_since_us == 0)
        lifecycle->failing_since_us = began_us; /* the waits of a failed open count, too */
    if (result == 0) {
        log_opened(e);
        atomic_store(&relay->retrying, false);
        board_epoch(e);
        retention_begin(e);
        relay->worked = true;
        relay->opened_config = e->config;
        configs_tell_opened(relay);
        lifecycle->auth_since_us = 0;
        int64_t opened_us = clock_monotonic_us();
        struct position before = e->opening.found.progress.position;
        result = epoch_run(e, &relay->abandoned, err);
        if (clock_monotonic_us() - opened_us > GOOD_EPOCH_US ||
            (e->made && position_compare(reader_committed(&e->reader), before) > 0) ||
            relay->learnt.count > 0) {
            lifecycle->failing_since_us = 0;
            lifecycle->back_off_us = relay->config->retry.min_ms * US_PER_MS;
        }
        if (result < 0) {
            find_successor(e, err);
            doubt_publication(e, err);
        }
        if (!relay->abandoned)
            learn(e, before, err);
        count_end(relay, result, err);
        errand_note(e);
        if (result < 0 && err->reason == REASON_LETTERS_WANTED) {
            relay->more_due = true;
            *err = ERROR_INIT;
            result = 1;
        }
    }
    retention_end(relay);
    if (relay->abandoned)
        return 1; /* the writer's thread still uses it */
    epoch_close(e);
    free(e);
    return result;
}

static bool wants_another(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    bool reload = relay->next_config != NULL;
    pthread_mutex_unlock(&relay->mutex);
    bool more = relay->more_due;
    relay->more_due = false;
    return (reload || more) && !atomic_load(&relay->stop) && !relay->abandoned;
}

static int setup_first(struct relay *relay, struct error *err)
{
    struct buf out = BUF_EMPTY;
    struct command_options options = {
        .config = relay->config, .log = relay->o.log, .stop = &relay->stop, .out = &out};
    int result = relay_setup(&options, NULL, err);
    buf_fini(&out);
    return result;
}

/* What would end the process is held instead, where that is wanted. */
static bool release(struct lifecycle *lifecycle, struct error *err)
{
    struct relay *relay = lifecycle->relay;
    if (!hold_wanted(relay, err))
        return false;
    configs_tell_held(relay, err);
    bool again = hold(relay, err);
    *err = ERROR_INIT; /* asked to end: in order */
    lifecycle->back_off_us = relay->config->retry.min_ms * US_PER_MS;
    lifecycle->failing_since_us = 0;
    lifecycle->auth_since_us = 0;
    return again;
}

/* A file that cannot be taken over is not the end of a relay that runs. */
static bool go_back(struct lifecycle *lifecycle, struct error *err)
{
    struct relay *relay = lifecycle->relay;
    if (!configs_go_back(relay, err))
        return false;
    if (err->exit_code != EXIT_GAVE_UP)
        lifecycle->failing_since_us = 0;
    lifecycle->auth_since_us = 0;
    lifecycle->back_off_us = relay->config->retry.min_ms * US_PER_MS;
    *err = ERROR_INIT;
    return !atomic_load(&relay->stop);
}

static void *lifecycle_main(void *argument)
{
    struct relay *relay = argument;
    struct lifecycle lifecycle = {.relay = relay,
                                  .back_off_us = relay->config->retry.min_ms * US_PER_MS};
    struct error err = ERROR_INIT;
    bool set_up = !relay->o.setup;
    bool again = true;
    while (again) {
        err = ERROR_INIT;
        configs_take_next(relay);
        int result = set_up ? 0 : setup_first(relay, &err);
        if (result < 0)
            waits_hold(log_waits(relay->o.log));
        if (result == 0) {
            set_up = true;
            result = one_epoch(&lifecycle, &err);
        }
        if (result >= 0) {
            relay->hold_config = false;
            again = wants_another(relay);
        } else {
            again = configs_defer(relay, &err) || react(&lifecycle, &err) ||
                    go_back(&lifecycle, &err) || release(&lifecycle, &err);
        }
    }
    relay->result = err;
    board_state(relay, STATE_STOPPED);
    wake_raise(relay->done_fd);
    return NULL;
}

/* ---- The public header ---- */

static int open_fds(struct relay *relay, struct error *err)
{
    relay->stop_fd = wake_open();
    relay->reload_fd = wake_open();
    relay->done_fd = wake_open();
    relay->successor_fd = wake_open();
    if (relay->stop_fd < 0 || relay->reload_fd < 0 || relay->done_fd < 0 || relay->successor_fd < 0)
        return error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd");
    outcomes_init(&relay->outcomes);
    refusals_init(&relay->refused, REFUSALS_MAX);
    refusals_init(&relay->learnt, REFUSALS_MAX);
    return lookout_open(&relay->lookout, err);
}

int relay_open(const struct relay_options *options, struct relay **relay, struct error *err)
{
    assert(options->config != NULL && options->metrics != NULL);
    assert(options->status != NULL && options->log != NULL);
    struct relay *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->o = *options;
    made->config = options->config;
    relay_instance(made->instance);
    made->claimant.instance = made->instance;
    made->lessons = LESSONS_INIT;
    snprintf(made->application, sizeof made->application, "walferry:%s",
             options->config->name.text);
    snprintf(made->board.relay, sizeof made->board.relay, "%s", options->config->name.text);
    remember_config(options->recent, options->config->process);
    made->memory = kafka_memory_open();
    pthread_mutex_init(&made->mutex, NULL);
    if (open_fds(made, err) < 0) {
        kafka_memory_close(made->memory);
        free(made);
        return -1;
    }
    if (pthread_create(&made->watch, NULL, watch_main, made) != 0 ||
        pthread_create(&made->follower, NULL, successor_main, made) != 0 ||
        pthread_create(&made->retention.thread, NULL, retention_main, made) != 0 ||
        pthread_create(&made->thread, NULL, lifecycle_main, made) != 0)
        abort();
    *relay = made;
    return 0;
}

void relay_stop(struct relay *relay)
{
    if (atomic_exchange(&relay->stop, true))
        return;
    atomic_store(&relay->stop_us, clock_monotonic_us());
    wake_raise(relay->stop_fd);
}

int relay_fd(const struct relay *relay)
{
    return relay->done_fd;
}

void relay_result(struct relay *relay, struct error *err, bool *abandoned)
{
    pthread_join(relay->thread, NULL);
    *err = relay->result;
    *abandoned = relay->abandoned;
}

/* libpq waits for the resolver, which nobody can interrupt; such a thread holds nothing that has to
 * be put in order. */
static bool joined(pthread_t thread, int64_t by_us)
{
    int64_t left_us = by_us - clock_monotonic_us();
    int64_t until_us = clock_wall_us() + (left_us > 0 ? left_us : 0);
    struct timespec until = {.tv_sec = until_us / US_PER_S,
                             .tv_nsec = (until_us % US_PER_S) * 1000};
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

bool relay_close(struct relay *relay, int64_t by_us)
{
    if (relay == NULL)
        return true;
    relay_stop(relay);
    if (!joined(relay->watch, by_us) || !joined(relay->follower, by_us) ||
        !joined(relay->retention.thread, by_us))
        return false;
    close(relay->stop_fd);
    close(relay->reload_fd);
    close(relay->done_fd);
    close(relay->successor_fd);
    lookout_close(&relay->lookout);
    outcomes_fini(&relay->outcomes);
    refusals_fini(&relay->refused);
    refusals_fini(&relay->learnt);
    buf_fini(&relay->errand.text);
    letter_index_forget(&relay->errand.index);
    buf_fini(&relay->retention.basis.snapshot);
    configs_close(relay);
    pthread_mutex_destroy(&relay->mutex);
    kafka_memory_close(relay->memory);
    free(relay);
    return true;
}
