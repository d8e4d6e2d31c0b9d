/* relay/watch: a thread with an SQL session of its own that looks at the origin from outside: how
 * far it lags, what it retains, its state, and what decides which rows the server sends (for
 * relay/lookout). It also computes readiness, because that is a matter of
 * time passing. It changes nothing on the server and never disturbs the pipeline: when its session
 * fails it says so once and tries again. */
#include "relay/watch_internal.h"

#include "base/clock.h"
#include "relay/wake.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_TICK_MS 250
#define WATCH_QUERY_US (INT64_C(2) * 1000000)
/* Commands told at once; nobody who stands at a guard waits long for them. */
#define WATCH_TOLD_MAX 200
#define WATCH_CLEAN_US (INT64_C(10) * 1000000)
#define WATCH_RETRY_US (INT64_C(5) * 1000000)
/* Who stands at a guard asks anew until the guard's transaction is over; not back to back. */
#define WATCH_ASKED_US (INT64_C(100) * 1000)

struct watch {
    struct relay *relay;
    struct origin *origin; /* NULL: not connected */
    struct router *router; /* of the same configuration */
    char application[80];
    int64_t next_us;
    int64_t looked_us; /* when it looked last */
    bool failed;
    bool told;        /* that it failed */
    bool claims;      /* a route wants walferry.claim */
    bool uncleaned;   /* its last cleaning failed, and that was said */
    int64_t clean_us; /* when it is due again */
    char state[16];   /* of the origin, as it was logged last */
    bool waits;       /* the relay's session waits for a lock, and that was said */
    struct guardian guardian;
};

static void disconnect(struct watch *w)
{
    origin_close(w->origin);
    router_close(w->router);
    w->origin = NULL;
    w->router = NULL;
}

static int connect_origin(struct watch *w, struct error *err)
{
    struct relay *relay = w->relay;
    snprintf(w->application, sizeof w->application, "%s:watch", relay->application);
    const struct config_relay *config = configs_use(relay, CONFIG_WATCH);
    const struct origin_options options = {.config = config,
                                           .log = relay->o.log,
                                           .stop = &relay->stop,
                                           .session = ORIGIN_SQL,
                                           .application = w->application,
                                           .timeout_ms = 5000};
    w->origin = origin_open(&options);
    w->claims = relay_claims(config);
    if (relay_open_router(config, &w->router, err) < 0)
        return -1;
    return origin_connect(w->origin, err);
}

/* A partition that was detached may be dropped by the time an open can judge; so what differs is
 * judged now, and that is what was seen. */
static int judge_detached(struct watch *w, struct arena *arena, struct fingerprint *seen,
                          struct error *err)
{
    const char *hash;
    struct fingerprint_change change = {.what = BUF_EMPTY, .gone = BUF_EMPTY};
    struct span before = lookout_recall(&w->relay->lookout, arena, &hash);
    if (before.ptr == NULL)
        return 0;
    int result = w->origin->ops->compare(w->origin, w->router, before, seen->text, &change, err);
    if (result == 0 && change.gone.len > 0 && change.verdict == FINGERPRINT_LOST)
        seen->text =
            span_of(arena_format(arena, FINGERPRINT_LOST_WORD " %s", buf_text(&change.what)));
    buf_fini(&change.what);
    buf_fini(&change.gone);
    return result;
}

static int look_out(struct watch *w, struct error *err)
{
    uint64_t epoch;
    struct lookout *lookout = &w->relay->lookout;
    struct origin *origin = w->origin;
    if (origin->ops->fingerprint == NULL || !lookout_wanted(lookout, &epoch))
        return 0;
    struct arena arena;
    struct fingerprint seen;
    struct lookout_guard guard;
    struct lookout_touched touched = {.guard = NULL};
    struct buf names = BUF_EMPTY;
    arena_init(&arena, 4096, 4096);
    int result = origin->ops->fingerprint(origin, w->router, &arena, &seen, err);
    if (result == 0 && lookout_is_other(lookout, &seen))
        result = judge_detached(w, &arena, &seen, err);
    if (result == 0 && lookout_asked(lookout, &seen, &guard)) {
        touched.guard = &guard;
        result =
            origin->ops->touched(origin, w->router, &guard.suspects, &touched.any, &names, err);
        touched.names = buf_span(&names);
    }
    if (result == 0)
        lookout_tell(lookout, epoch, &seen, touched.guard != NULL ? &touched : NULL);
    buf_fini(&names);
    arena_fini(&arena);
    return result;
}

/* Best effort: the topic has the answers for certain. */
static int tell_outcomes(struct watch *w, const struct found_commands *commands, struct error *err)
{
    struct outcome outcome;
    int result = 0;
    for (int i = 0;
         i < WATCH_TOLD_MAX && result == 0 && outcomes_take(&w->relay->outcomes, &outcome); i++) {
        if (commands->writable)
            result = relay_tell_command(w->origin->sql, outcome.id,
                                        outcome.done ? "done" : "failed", outcome.json, err);
        free(outcome.json);
    }
    return result;
}

/* The next try is the next look's: a full hundred means that there are more. What fails is said
 * once and costs nothing but room in the table. */
static void clean_claims(struct watch *w)
{
    struct relay *relay = w->relay;
    struct error err = ERROR_INIT;
    uint32_t deleted = 0;
    if (!w->claims || w->looked_us < w->clean_us)
        return;
    bool cleaned = relay_clean_claims(w->origin->sql, &deleted, &err) == 0;
    if (!cleaned && !w->uncleaned && !atomic_load(&relay->stop))
        log_error(relay->o.log, LOG_WARN, "claims.not_cleaned", &err);
    w->uncleaned = !cleaned;
    metrics_add(relay->o.metrics, METRIC_CLAIMS_DELETED, deleted);
    w->clean_us = deleted > 0 ? 0 : w->looked_us + WATCH_CLEAN_US;
}

/* Said once for each time that it waits. */
static void tell_waits(struct watch *w, const struct found_origin *found)
{
    struct relay *relay = w->relay;
    struct error waits = ERROR_INIT;
    bool waited = w->waits;
    w->waits = found->waits[0] != '\0';
    if (w->waits == waited)
        return;
    if (waited) {
        log_event(relay->o.log, LOG_INFO, "claim.waited", "detail",
                  "the lock that claiming waited for is gone", NULL);
        return;
    }
    (void)error_retry(&waits, REASON_LOCKED, "%s", found->waits);
    (void)error_hint(&waits,
                     "nothing is published until that transaction is over, because the order of a "
                     "key would break; pg_terminate_backend(pid) or ROLLBACK PREPARED ends it");
    log_error(relay->o.log, LOG_WARN, "claim.waits", &waits);
    board_error(relay, &waits);
}

static bool has_begun(struct relay *relay)
{
    return atomic_load(&relay->source_up_us) != 0;
}

static int look(struct watch *w, struct error *err)
{
    struct relay *relay = w->relay;
    if (configs_moved(relay, CONFIG_WATCH))
        disconnect(w);
    if (w->origin == NULL && connect_origin(w, err) < 0)
        return -1;
    struct found_origin found;
    if (origin_look(w->origin, &found, err) < 0)
        return -1;
    watch_judge(relay, &w->guardian, w->origin->name, &found);
    board_origin(relay, &found);
    w->origin->ops->log_change(w->origin, w->state, &found);
    snprintf(w->state, sizeof w->state, "%s", found.state);
    tell_waits(w, &found);
    if (!has_begun(relay))
        return 0;
    if (look_out(w, err) < 0)
        return -1;
    clean_claims(w);
    return tell_outcomes(w, &found.commands, err);
}

static void look_if_due(struct watch *w, int64_t now_us)
{
    if (now_us < w->next_us)
        return;
    struct error err = ERROR_INIT;
    w->looked_us = now_us;
    if (look(w, &err) == 0) {
        w->failed = w->told = false;
        w->next_us = now_us + WATCH_QUERY_US;
        return;
    }
    disconnect(w);
    guardian_forget(&w->guardian);
    lookout_blind(&w->relay->lookout);
    w->next_us = now_us + WATCH_RETRY_US;
    w->failed = true;
    if (w->told || !has_begun(w->relay) || atomic_load(&w->relay->stop))
        return;
    log_error(w->relay->o.log, LOG_WARN, "watch.failed", &err);
    w->told = true;
}

static int tick_ms(const struct watch *w)
{
    int64_t left_ms = (w->next_us - clock_monotonic_us()) / 1000 + 1;
    return left_ms < 0 ? 0 : left_ms < WATCH_TICK_MS ? (int)left_ms : WATCH_TICK_MS;
}

/* Until the relay itself has got through its session is the only one, so that a wrong password is
 * reported once, by the one who needs it. But one that cannot begin, because the broker is away or
 * something is refused, has an origin that fills meanwhile: that is looked at, and a look that
 * fails is not told, because the relay tells what keeps it out. */
static bool may_look(struct relay *relay)
{
    return has_begun(relay) || atomic_load(&relay->kept_out);
}

/* Who asks is answered at once, but where the session has just failed, or has just looked. */
static void wait(struct watch *w)
{
    struct relay *relay = w->relay;
    struct pollfd fds[] = {{.fd = relay->stop_fd, .events = POLLIN},
                           {.fd = relay->lookout.asked_fd, .events = POLLIN}};
    poll(fds, w->failed ? 1 : 2, may_look(relay) ? tick_ms(w) : WATCH_TICK_MS);
    if (fds[1].revents == 0)
        return;
    wake_lower(relay->lookout.asked_fd);
    if (w->next_us > w->looked_us + WATCH_ASKED_US)
        w->next_us = w->looked_us + WATCH_ASKED_US;
}

void *watch_main(void *argument)
{
    struct watch w = {.relay = argument};
    while (!atomic_load(&w.relay->stop)) {
        int64_t now_us = clock_monotonic_us();
        board_ready(w.relay, now_us);
        if (may_look(w.relay))
            look_if_due(&w, now_us);
        wait(&w);
    }
    disconnect(&w);
    return NULL;
}
