/* cli/cli_switch: setup --switch-to: look, ask, and then the three steps of operate/, with a relay
 * between them that publishes what precedes the cut. That relay is an ordinary one, in the former
 * mode, without an admin port. */
#include "cli/cli_answer.h"

#include "base/clock.h"
#include "base/waits.h"
#include "relay/relay.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 100
#define STOP_US (INT64_C(9500) * US_PER_MS)
#define CLOSE_US (INT64_C(3) * US_PER_S)

static struct metrics *open_metrics(const struct config_relay *config)
{
    const char *names[CONFIG_ROUTES_MAX];
    for (uint32_t i = 0; i < config->routes.count; i++)
        names[i] = config->routes.items[i].name.text;
    return metrics_open(config->name.text, config->routes.count, names);
}

static void tell(struct waits *waits, const struct relay_options *relay)
{
    struct status status;
    status_cell_get(relay->status, &status);
    uint64_t at = status.committed.lsn, end = relay->end.lsn;
    if (at == 0 || at >= end)
        waits_phase(waits, "publishing the former way what precedes the cut");
    else
        waits_phase(waits, "publishing the former way, %" PRIu64 " bytes of WAL before the cut",
                    end - at);
    waits_on(waits, "%s", status.state == STATE_BACKOFF ? status.last_error : "");
}

/* False: it did not end in time. */
static bool wait_for_end(struct answer *answer, struct relay *relay,
                         const struct relay_options *options)
{
    struct pollfd end = {.fd = relay_fd(relay), .events = POLLIN};
    int64_t by_us = INT64_MAX;
    while (poll(&end, 1, LOOK_MS) <= 0) {
        tell(answer->log.waits, options);
        if (by_us == INT64_MAX && atomic_load(&answer->stop)) {
            by_us = clock_monotonic_us() + STOP_US;
            relay_stop(relay);
        }
        if (clock_monotonic_us() > by_us)
            return false;
    }
    return true;
}

/* A thread that still uses what would be freed: what was done is in the record. */
static void leave(const struct answer *answer, const struct error *err)
{
    waits_hold(answer->log.waits);
    if (err->kind != ERROR_NONE)
        answer_print_error(err, &answer->as);
    _exit(err->kind == ERROR_STOP ? (int)err->exit_code : EXIT_GAVE_UP);
}

static int drain(struct answer *answer, const struct config_relay *former,
                 const struct source_end *end, struct error *err)
{
    struct status_cell status;
    struct relay *relay = NULL;
    bool abandoned = false;
    struct log log = answer->log;
    log.waits = NULL; /* it waits for events as a matter of course */
    status_cell_init(&status);
    const struct relay_options options = {.config = former,
                                          .metrics = open_metrics(former),
                                          .status = &status,
                                          .log = &log,
                                          .until_caught_up = true,
                                          .end = *end};
    if (relay_open(&options, &relay, err) == 0) {
        if (wait_for_end(answer, relay, &options))
            relay_result(relay, err, &abandoned);
        else
            abandoned = true;
        if (abandoned || !relay_close(relay, clock_monotonic_us() + CLOSE_US))
            leave(answer, err);
    }
    metrics_close(options.metrics);
    status_cell_fini(&status);
    if (err->kind == ERROR_NONE && atomic_load(&answer->stop))
        return error_retry(err, REASON_STOPPING,
                           "asked to stop before all that precedes the cut "
                           "was published");
    return err->kind == ERROR_NONE ? 0 : -1;
}

/* Who may be running does so in the former mode, and holds what belongs to that. */
static int meet_living(struct answer *answer, const struct config_relay *former, struct error *err)
{
    const struct config_relay *file = answer->options.config;
    answer->options.config = former;
    int result = answer_meet_living(answer, err);
    answer->options.config = file;
    return result;
}

static int go(struct answer *answer, struct switch_over *s, enum switch_need need,
              struct error *err)
{
    struct source_end end;
    if (need == SWITCH_NOTHING)
        return 0;
    if (meet_living(answer, relay_switch_former(s), err) < 0 ||
        answer_confirm(answer, "switch the relay", err) < 0)
        return -1;
    answer_flush(answer);
    if (need == SWITCH_ALL &&
        (relay_switch_cut(s, answer->args->values[OPTION_ADMIN_CONNECTION], &end, err) < 0 ||
         drain(answer, relay_switch_former(s), &end, err) < 0))
        return -1;
    waits_phase(answer->log.waits, "%s", "");
    return relay_switch_finish(s, err);
}

int answer_switch(struct answer *answer, struct error *err)
{
    const char *to = answer->args->values[OPTION_SWITCH_TO];
    struct switch_over *s = NULL;
    enum switch_need need = SWITCH_NOTHING;
    bool poll = strcmp(to, "poll") == 0;
    if (!poll && strcmp(to, "wal") != 0) {
        error_stop(err, REASON_USAGE, "setup: --switch-to %s is no source.mode", to);
        return error_hint(err, "say poll or wal");
    }
    int result =
        relay_switch_open(&answer->options, poll ? SOURCE_POLL : SOURCE_WAL, &s, &need, err);
    if (result == 0)
        result = go(answer, s, need, err);
    relay_switch_close(s);
    return result;
}
