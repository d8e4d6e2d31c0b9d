/* relay/board: the relay's word about itself, kept whole under the relay's mutex and copied to the
 * cell that admin/ reads. Readiness is a matter of the clock and is computed by the watch. */
#include "relay/watch_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The caller holds the mutex. */
static void publish(struct relay *relay)
{
    status_cell_set(relay->o.status, &relay->board);
}

void board_state(struct relay *relay, enum relay_state state)
{
    pthread_mutex_lock(&relay->mutex);
    relay->board.state = state;
    relay->board.since_wall_us = clock_wall_us();
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
}

void board_epoch(struct epoch *epoch)
{
    struct relay *relay = epoch->relay;
    const struct config_relay *config = epoch->config;
    pthread_mutex_lock(&relay->mutex);
    struct status *b = &relay->board;
    b->state = STATE_STREAMING;
    b->since_wall_us = clock_wall_us();
    b->epochs++;
    snprintf(b->origin, sizeof b->origin, "%s", epoch->opening.ends.origin->label);
    snprintf(b->publication, sizeof b->publication, "%s", config->source.publication.text);
    bool exactly_once = config->delivery.guarantee == GUARANTEE_EXACTLY_ONCE;
    snprintf(b->guarantee, sizeof b->guarantee, "%s",
             exactly_once ? "exactly_once" : "at_least_once");
    snprintf(b->instance, sizeof b->instance, "%s", relay->instance);
    snprintf(b->system_identifier, sizeof b->system_identifier, "%" PRIu64,
             epoch->opening.found.system.system_identifier);
    b->timeline = epoch->opening.found.system.timeline;
    b->generation = epoch->opening.found.progress.generation;
    b->committed = epoch->opening.found.progress.position;
    b->confirmed_lsn = epoch->opening.found.progress.position.lsn;
    b->in_partial = epoch->opening.found.progress.partial.final_lsn != 0;
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
    recent_open_epoch(relay->o.recent, epoch->opening.found.progress.generation, clock_wall_us());
}

void board_progress(struct epoch *epoch)
{
    struct relay *relay = epoch->relay;
    pthread_mutex_lock(&relay->mutex);
    struct status *b = &relay->board;
    struct position committed = reader_committed(&epoch->reader);
    if (position_compare(committed, b->committed) != 0)
        b->last_commit_wall_us = clock_wall_us();
    b->committed = committed;
    b->dead_letters = 0;
    for (uint32_t i = 0; i < epoch->config->routes.count; i++)
        b->dead_letters += metrics_get_route(relay->o.metrics, METRIC_DEAD_LETTERS, i);
    b->generation = atomic_load(&epoch->writer.generation);
    b->confirmed_lsn = committed.lsn;
    b->in_partial = committed.seq != 0;
    if (epoch->source != NULL)
        b->received_lsn = source_report(epoch->source).received_lsn;
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
}

void board_error(struct relay *relay, const struct error *err)
{
    pthread_mutex_lock(&relay->mutex);
    struct status *b = &relay->board;
    snprintf(b->last_error_reason, sizeof b->last_error_reason, "%s", reason_slug(err->reason));
    snprintf(b->last_error, sizeof b->last_error, "%.*s", (int)sizeof b->last_error - 1, err->text);
    b->last_error_wall_us = clock_wall_us();
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
}

void board_origin(struct relay *relay, const struct found_origin *origin)
{
    uint64_t confirmed = origin->confirmed_lsn;
    uint64_t retained = found_behind(origin, origin->retained_lsn);
    pthread_mutex_lock(&relay->mutex);
    struct status *b = &relay->board;
    /* The server knows nothing of how far who polls is. */
    if (relay->config->source.mode == SOURCE_POLL)
        confirmed = b->committed.lsn;
    uint64_t lag = found_behind(origin, confirmed);
    b->origin_known = origin->present;
    b->current_lsn = relay->config->source.mode == SOURCE_WAL ? origin->current_lsn : 0;
    snprintf(b->origin_state, sizeof b->origin_state, "%s", origin->state);
    b->lag_bytes = lag;
    b->retained_bytes = retained;
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
    metrics_set(relay->o.metrics, METRIC_ORIGIN_LAG, lag);
    metrics_set(relay->o.metrics, METRIC_ORIGIN_RETAINED, retained);
}

void board_verdict(struct relay *relay, const struct guardian_verdict *verdict, int64_t room_bytes,
                   const char *risky)
{
    pthread_mutex_lock(&relay->mutex);
    struct status *b = &relay->board;
    b->room_bytes = room_bytes;
    b->risk = verdict->risk;
    b->seconds_left = verdict->seconds_left;
    b->stands = verdict->stands;
    snprintf(b->risky, sizeof b->risky, "%s", risky);
    publish(relay);
    pthread_mutex_unlock(&relay->mutex);
    metrics_set(relay->o.metrics, METRIC_WAL_RISK, verdict->risk);
    metrics_set(relay->o.metrics, METRIC_WAL_ROOM,
                room_bytes >= 0 ? (uint64_t)room_bytes : (uint64_t)INT64_MAX);
    metrics_set(relay->o.metrics, METRIC_PROGRESS_STANDS, verdict->stands ? 1 : 0);
}

void board_ready(struct relay *relay, int64_t now_us)
{
    int64_t source_up_us = atomic_load(&relay->source_up_us);
    int64_t publisher_up_us = atomic_load(&relay->publisher_up_us);
    int64_t wall_us = clock_wall_us();
    pthread_mutex_lock(&relay->mutex);
    int64_t grace_us = relay->config->process->admin.ready_grace_ms * US_PER_MS;
    struct status *b = &relay->board;
    b->source_fresh = source_up_us != 0 && now_us - source_up_us <= grace_us;
    b->publisher_fresh = publisher_up_us != 0 && now_us - publisher_up_us <= grace_us;
    b->ready = b->source_fresh && b->publisher_fresh && b->state != STATE_STOPPED &&
               b->state != STATE_HELD && b->risky[0] == '\0';
    b->source_up_wall_us = source_up_us != 0 ? wall_us - (now_us - source_up_us) : 0;
    b->publisher_up_wall_us = publisher_up_us != 0 ? wall_us - (now_us - publisher_up_us) : 0;
    metrics_set(relay->o.metrics, METRIC_READY, b->ready ? 1 : 0);
    publish(relay);
    remember_sample(relay->o.recent, b, relay->o.metrics, wall_us);
    pthread_mutex_unlock(&relay->mutex);
}
