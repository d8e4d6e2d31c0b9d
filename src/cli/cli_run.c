/* cli/cli_run: the command run: wires configuration, metrics, admin and relay together, then waits
 * for signals and for the relay's end.
 *
 * Signals are taken by one descriptor in this thread; every other thread inherits them blocked, so
 * no call of a library is ever interrupted by one. The first configuration is kept until the end,
 * because the log goes on with what it says. */
#include "cli/cli_command.h"

#include "admin/admin.h"
#include "base/clock.h"
#include "base/waits.h"
#include "cli/cli_follow.h"
#include "cli/cli_live.h"
#include "cli/cli_notify.h"
#include "cli/cli_reread.h"
#include "operate/operate.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The relay itself leaves within 10 s; this is for the case that it cannot, inside a resolver, say.
 * Leaving is safe at any moment. */
#define STOP_US (INT64_C(9500) * US_PER_MS)
/* How long its threads are waited for once it has ended. */
#define CLOSE_US (INT64_C(3) * US_PER_S)
/* And how long what has not been told yet. */
#define TELL_US (INT64_C(2) * US_PER_S)
/* So often it looks whether what is waited for is to be told. */
#define LOOK_MS 500

struct daemon {
    const struct args *args;
    struct config *config; /* with which the process began; all later ones are the relay's */
    struct invocation as;
    struct log log;
    struct metrics *metrics;
    struct status_cell status;
    struct recent recent;
    struct log_ring problems;
    struct reload_cell reloads;
    struct admin *admin;
    struct relay *relay;
    struct webhook *webhook;
    struct trace_ring traces;
    struct otlp *otlp;
    struct notify notify;
    struct follow follow;
    int signal_fd;
    int64_t stop_by_us; /* 0: not asked to end */
};

/* ---- Signals ---- */

static int take_signals(struct daemon *d, struct error *err)
{
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    d->signal_fd = signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (d->signal_fd < 0)
        return error_retry(err, REASON_NO_SIGNALFD, "cannot make a signalfd: %s", strerror(errno));
    return 0;
}

static void stop(struct daemon *d, uint32_t number)
{
    if (d->stop_by_us != 0)
        return;
    d->stop_by_us = clock_monotonic_us() + STOP_US;
    log_event(&d->log, LOG_INFO, "relay.stopping", "signal",
              number == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
    notify_stopping(&d->notify);
    relay_stop(d->relay);
}

static void on_signals(struct daemon *d)
{
    struct signalfd_siginfo info;
    while (read(d->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            (void)reload_cell_ask(&d->reloads, false, NULL, true);
        else
            stop(d, info.ssi_signo);
    }
}

static void log_if_exposed(const struct daemon *d)
{
    if (admin_is_exposed(d->admin))
        log_event(&d->log, LOG_WARN, "admin.exposed", "listen", d->config->admin.listen.text,
                  "hint",
                  "whoever reaches it may read status, metrics, the file and keys of events: set "
                  "admin.token, or see to it that only Prometheus and the probes reach it",
                  NULL);
}

static void heed_wish(struct daemon *d)
{
    struct reload wish;
    bool asked = reload_cell_next(&d->reloads, &wish);
    if (d->stop_by_us != 0)
        return;
    bool exposed = admin_is_exposed(d->admin);
    const struct reread reread = {.path = d->args->values[OPTION_CONFIG],
                                  .relay = d->relay,
                                  .log = &d->log,
                                  .reloads = &d->reloads,
                                  .admin = d->admin};
    if (asked)
        reread_file(&reread, &wish);
    follow_settings(&d->follow);
    if (!exposed)
        log_if_exposed(d);
}

/* How long the end may be waited for before something else is due; -1: for ever. */
static int wait_ms(const struct daemon *d, int64_t left_us)
{
    if (d->stop_by_us != 0)
        return (int)(left_us / US_PER_MS) + 1;
    int notify = notify_wait_ms(&d->notify),
        follow = follow_wait_ms(&d->follow, clock_monotonic_us());
    int ms = notify < 0 || (follow >= 0 && follow < notify) ? follow : notify;
    bool silent = !waits_held(d->log.waits);
    return silent && (ms < 0 || ms > LOOK_MS) ? LOOK_MS : ms;
}

/* Until the first epoch is open, or has failed, nothing else may be logged for half a minute. */
static void tell_waits(struct daemon *d)
{
    char text[WAITS_TEXT_MAX], after[24];
    int64_t seconds;
    if (waits_held(d->log.waits) || !waits_due(d->log.waits, clock_monotonic_us(), text, &seconds))
        return;
    snprintf(after, sizeof after, "%lld", (long long)seconds);
    log_event(&d->log, LOG_INFO, "epoch.waits", "detail", text, "#seconds", after, NULL);
}

static void tell_supervisor(struct daemon *d)
{
    struct status status;
    uint64_t written = status_cell_get(&d->status, &status);
    if (d->stop_by_us == 0)
        notify_look(&d->notify, &status, written, clock_monotonic_us());
}

/* True once the relay has ended; false where it did not in time. */
static bool wait_for_end(struct daemon *d)
{
    for (;;) {
        tell_supervisor(d);
        tell_waits(d);
        struct pollfd fds[3] = {{.fd = d->signal_fd, .events = POLLIN},
                                {.fd = relay_fd(d->relay), .events = POLLIN},
                                {.fd = d->reloads.fd, .events = POLLIN}};
        int64_t left_us = d->stop_by_us - clock_monotonic_us();
        if (d->stop_by_us != 0 && left_us <= 0)
            return false;
        poll(fds, 3, wait_ms(d, left_us));
        if ((fds[1].revents & POLLIN) != 0)
            return true;
        if ((fds[0].revents & POLLIN) != 0)
            on_signals(d);
        if ((fds[2].revents & POLLIN) != 0)
            heed_wish(d);
        if (d->stop_by_us == 0)
            follow_secrets(&d->follow, clock_monotonic_us());
    }
}

/* ---- Lifecycle ---- */

static void log_started(const struct daemon *d)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    char port[8] = ""; /* absent where it is off */
    if (d->admin != NULL)
        snprintf(port, sizeof port, "%u", (unsigned)admin_port(d->admin));
    log_event(&d->log, LOG_INFO, "relay.started", "version", WALFERRY_VERSION, "librdkafka",
              relay_kafka_version(), "libpq", relay_pg_version(), "config", d->config->path,
              "#admin_port", port[0] != '\0' ? port : NULL, "#pid", pid, NULL);
    log_if_exposed(d);
}

static void open_metrics(struct daemon *d, const struct config_relay *config)
{
    const char **names = calloc((size_t)config->routes.count + 1, sizeof *names);
    if (names == NULL)
        abort();
    for (uint32_t i = 0; i < config->routes.count; i++)
        names[i] = config->routes.items[i].name.text;
    d->metrics = metrics_open(config->name.text, config->routes.count, names);
    metrics_set_build_info(d->metrics, WALFERRY_VERSION, relay_kafka_version(), relay_pg_version());
    free(names);
}

/* A port that is taken by this very relay is no matter of ports: with another one the second start
 * would fence the first. */
static int explain_port(const struct config_relay *config, struct error *err)
{
    char instance[320];
    if (err->reason != REASON_ADMIN_LISTEN ||
        !live_instance(config, false, instance, sizeof instance))
        return -1;
    error_stop(err, REASON_RELAY_RUNNING, "relay %s is running already: %s", config->name.text,
               instance);
    return error_hint(err, "run one instance of a relay; to replace this one, stop it first");
}

static void open_tellers(struct daemon *d, const struct config *config)
{
    const struct webhook_options webhook = {
        .config = &config->notify, .metrics = d->metrics, .status = &d->status, .log = &d->log};
    const struct otlp_options otlp = {.config = &config->otlp,
                                      .relay = config_only_relay(config)->name.text,
                                      .metrics = d->metrics,
                                      .traces = &d->traces,
                                      .log = &d->log};
    d->webhook = webhook_open(&webhook);
    d->otlp = otlp_open(&otlp);
}

/* False: one of them is inside a resolver still. */
static bool close_tellers(struct daemon *d, const struct error *err, int64_t by_us)
{
    otlp_stop(d->otlp, by_us);
    bool webhook = webhook_close(d->webhook, err, by_us);
    return otlp_close(d->otlp, by_us) && webhook;
}

static int start(struct daemon *d, struct error *err)
{
    struct config *config = NULL;
    if (d->reloads.fd < 0)
        return error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd");
    if (take_signals(d, err) < 0 || config_open(d->args->values[OPTION_CONFIG], &config, err) < 0)
        return -1;
    d->config = config;
    const struct config_relay *only = config_only_relay(config);
    d->log = (struct log){.level = config->log.level,
                          .format = config->log.format,
                          .fd = STDERR_FILENO,
                          .journal = d->log.journal,
                          .relay = only->name.text,
                          .as = &d->as,
                          .ring = &d->problems,
                          .waits = waits_open()};
    d->as.file = config->path;
    bool hold = args_has(d->args, OPTION_HOLD_ON_REFUSAL);
    if (!hold && reread_check(&d->log, only, err) < 0)
        return -1; /* else it is said, and held, by the relay itself */
    open_metrics(d, only);
    const struct admin_options admin = {.config = &config->admin,
                                        .metrics = d->metrics,
                                        .status = &d->status,
                                        .recent = &d->recent,
                                        .problems = &d->problems,
                                        .reloads = &d->reloads};
    if (admin_open(&admin, &d->admin, err) < 0)
        return explain_port(only, err);
    log_started(d);
    open_tellers(d, config);
    const struct relay_options relay = {.config = only,
                                        .metrics = d->metrics,
                                        .status = &d->status,
                                        .recent = &d->recent,
                                        .reloads = &d->reloads,
                                        .traces = &d->traces,
                                        .log = &d->log,
                                        .hold_on_refusal = hold,
                                        .setup = args_has(d->args, OPTION_SETUP),
                                        .until_caught_up =
                                            args_has(d->args, OPTION_UNTIL_CAUGHT_UP)};
    if (relay_open(&relay, &d->relay, err) < 0)
        return -1;
    follow_begin(&d->follow, config,
                 &(struct follow_options){.relay = d->relay,
                                          .log = &d->log,
                                          .webhook = d->webhook,
                                          .otlp = d->otlp,
                                          .admin = d->admin});
    return 0;
}

static int log_stopped(const struct daemon *d, const struct error *err, bool abandoned)
{
    bool failed = err->kind != ERROR_NONE;
    int code = failed ? (int)err->exit_code : EXIT_OK;
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    struct buf advice = BUF_EMPTY;
    error_advice(err, &d->as, &advice);
    log_event(&d->log, failed ? LOG_ERROR : LOG_INFO, "relay.stopped", "#exit_code", text,
              "#abandoned", abandoned ? "true" : NULL, "kind",
              failed ? error_kind_name(err->kind) : NULL, "reason",
              failed ? reason_slug(err->reason) : NULL, "error", failed ? err->text : NULL, "hint",
              advice.len > 0 ? buf_text(&advice) : NULL, NULL);
    buf_fini(&advice);
    return code;
}

static void end(struct daemon *d)
{
    notify_close(&d->notify);
    follow_end(&d->follow);
    admin_close(d->admin);
    metrics_close(d->metrics);
    status_cell_fini(&d->status);
    recent_fini(&d->recent);
    d->log.ring = NULL;
    waits_close(d->log.waits);
    d->log.waits = NULL;
    log_ring_fini(&d->problems);
    reload_cell_fini(&d->reloads);
    trace_ring_fini(&d->traces);
    if (d->signal_fd >= 0)
        close(d->signal_fd);
    config_close(d->config);
}

/* limit_us from now, but in time where the process was asked to end. */
static int64_t close_by_us(const struct daemon *d, int64_t limit_us)
{
    int64_t by_us = clock_monotonic_us() + limit_us;
    return d->stop_by_us != 0 && d->stop_by_us < by_us ? d->stop_by_us : by_us;
}

int command_run(const struct args *args)
{
    assert(args != NULL);
    if (args_has(args, OPTION_PUBLISHER) && strcmp(args->values[OPTION_PUBLISHER], "kafka") != 0)
        return command_show(args);
    struct daemon d = {.args = args,
                       .as = {.program = args->program},
                       .log = {.level = LOG_INFO,
                               .format = LOG_LOGFMT,
                               .fd = STDERR_FILENO,
                               .journal = notify_is_journal(STDERR_FILENO)},
                       .signal_fd = -1};
    struct error err = ERROR_INIT;
    bool abandoned = false;
    notify_open(&d.notify, clock_monotonic_us());
    status_cell_init(&d.status);
    recent_init(&d.recent);
    log_ring_init(&d.problems);
    reload_cell_init(&d.reloads);
    trace_ring_init(&d.traces);
    if (start(&d, &err) == 0) {
        if (wait_for_end(&d))
            relay_result(d.relay, &err, &abandoned);
        else
            abandoned = true;
    }
    notify_stopping(&d.notify);
    bool told = close_tellers(&d, &err, close_by_us(&d, TELL_US));
    /* Its threads have ended long before, but in a resolver. */
    bool closed = !abandoned && relay_close(d.relay, close_by_us(&d, CLOSE_US)) && told;
    int code = log_stopped(&d, &err, abandoned);
    if (!closed)
        _exit(code); /* a thread still uses what would be freed */
    end(&d);
    return code;
}
