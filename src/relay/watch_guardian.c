/* relay/watch_guardian: what the watch makes of its looks at the origin: a verdict of the guardian,
 * logged where it changes, shown on the board, and a reason for the relay not to be ready where
 * events are about to be lost, or where nothing gets on. */
#include "relay/watch_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MB (INT64_C(1) << 20)

/* A position has moved after three times the longest transaction, whatever the broker does. */
#define STANDS_TRANSACTIONS 3

static struct guardian_options options_of(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    const struct config_delivery *delivery = &relay->config->delivery;
    struct guardian_options options = {.stands_us = STANDS_TRANSACTIONS *
                                                    delivery->transaction_timeout_ms * US_PER_MS,
                                       .stands_bytes = 2 * delivery->idle_progress_bytes};
    if (relay->config->source.mode != SOURCE_WAL)
        options.stands_us = INT64_MAX; /* nothing of the log is for who polls */
    pthread_mutex_unlock(&relay->mutex);
    return options;
}

static struct position committed(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    struct position position = relay->board.committed;
    pthread_mutex_unlock(&relay->mutex);
    return position;
}

static void write_risk(const struct guardian_verdict *v, const struct guardian_look *look,
                       const char *origin, char *text, size_t size)
{
    int64_t kept_mb = (int64_t)look->retained_bytes / MB;
    int used;
    if (look->lost) {
        snprintf(text, size, "%s is lost", origin);
        return;
    }
    if (look->due)
        used = snprintf(text, size, "%s keeps %" PRId64 " MB, and is lost at the next checkpoint",
                        origin, kept_mb);
    else
        used = snprintf(text, size, "%s keeps %" PRId64 " MB, and is lost after %" PRId64 " more",
                        origin, kept_mb, look->room_bytes / MB);
    if (v->seconds_left >= 0 && !look->due && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ", in %" PRId64 " min at this pace",
                 v->seconds_left / 60);
}

/* What is not routed is sent nobody, so all that is seen of a large transaction of such rows is a
 * server that reads. A restart of the relay makes it begin anew. */
static void write_stands(const struct guardian_verdict *v, const struct found_origin *found,
                         char *text, size_t size)
{
    int used = snprintf(
        text, size, "progress stands for %" PRId64 " s while the server has written %" PRIu64 " MB",
        v->stands_s, v->stands_bytes / MB);
    if (found->holder.ours && found->at_work && (size_t)used < size)
        snprintf(text + used, size - (size_t)used,
                 "; its walsender %d is at work, as inside a large transaction, and waits for "
                 "nobody",
                 (int)found->holder.pid);
}

static void log_risk(struct relay *relay, enum wal_risk before, enum wal_risk now,
                     const char *detail)
{
    const struct log *log = relay->o.log;
    if (now == before)
        return;
    if (now == WAL_RISK_NONE)
        log_event(log, LOG_INFO, "wal.safe", NULL);
    else if (now == WAL_RISK_FILLING)
        log_event(log, LOG_WARN, "wal.filling", "detail", detail, NULL);
    else
        log_event(log, LOG_ERROR, "wal.at_risk", "detail", detail, NULL);
}

static void log_stands(struct relay *relay, bool before, const struct guardian_verdict *v,
                       const char *detail)
{
    if (v->stands && !before)
        log_event(relay->o.log, LOG_WARN, "progress.stands", "detail", detail, NULL);
    else if (before && !v->stands)
        log_event(relay->o.log, LOG_INFO, "progress.moves", NULL);
}

void watch_judge(struct relay *relay, struct guardian *guardian, const char *origin,
                 const struct found_origin *found)
{
    assert(guardian != NULL && found != NULL);
    const struct guardian_verdict before = guardian->verdict;
    const struct guardian_options options = options_of(relay);
    const struct guardian_look look = {.at_us = clock_monotonic_us(),
                                       .present = found->present,
                                       .lost = found->lost,
                                       .due = found->due,
                                       .room_bytes = found->limited ? found->room_bytes : -1,
                                       .retained_bytes = found_behind(found, found->retained_lsn),
                                       .lag_bytes = found_behind(found, found->confirmed_lsn),
                                       .current_lsn = found->current_lsn,
                                       .committed = committed(relay)};
    const struct guardian_verdict *v = guardian_judge(guardian, &look, &options);
    char risk[200] = "", stands[240] = "";
    if (v->risk != WAL_RISK_NONE)
        write_risk(v, &look, origin, risk, sizeof risk);
    if (v->stands)
        write_stands(v, found, stands, sizeof stands);
    log_risk(relay, before.risk, v->risk, risk);
    log_stands(relay, before.stands, v, stands);
    board_verdict(relay, v, look.room_bytes, v->risk >= WAL_RISK_HIGH ? risk : stands);
}
