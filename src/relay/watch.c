/* relay/watch: a thread with an SQL session of its own that looks at the slot from outside: lag,
 * retained WAL, wal_status. It also computes readiness, because that is a matter of time passing.
 * It changes nothing on the server and never disturbs the pipeline: when its session fails it says
 * so once and tries again. */
#include "relay/life.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define WATCH_TICK_MS 250
#define WATCH_QUERY_US (INT64_C(2) * 1000000)
#define WATCH_RETRY_US (INT64_C(5) * 1000000)

struct watch {
    struct relay *relay;
    struct pg_connection *sql;
    int64_t next_us;
    bool failed;
    char wal_status[16];
};

static void report_status(struct watch *w, const struct pg_slot *slot)
{
    if (strcmp(w->wal_status, slot->wal_status) == 0)
        return;
    bool bad = strcmp(slot->wal_status, "unreserved") == 0 || strcmp(slot->wal_status, "lost") == 0;
    if (bad || w->wal_status[0] != '\0')
        log_event(w->relay->o.log, bad ? LOG_WARN : LOG_INFO, "slot.wal_status", "status",
                  slot->wal_status, "before", w->wal_status, NULL);
    snprintf(w->wal_status, sizeof w->wal_status, "%s", slot->wal_status);
}

static int look(struct watch *w, struct error *err)
{
    struct relay *relay = w->relay;
    pthread_mutex_lock(&relay->mutex);
    const struct config *config = relay->config;
    pthread_mutex_unlock(&relay->mutex);
    if (w->sql == NULL) {
        char application[80];
        snprintf(application, sizeof application, "%s:watch", relay->application);
        struct pg_options options = {.connection = config->source.connection.text,
                                     .application_name = application,
                                     .timeout_ms = 5000,
                                     .stop = &relay->stop};
        if (pg_open(&options, &w->sql, err) < 0)
            return -1;
    }
    struct pg_slot slot;
    if (pg_slot_state(w->sql, config->source.slot.text, &slot, err) < 0)
        return -1;
    board_slot(relay, &slot);
    report_status(w, &slot);
    return 0;
}

static void look_if_due(struct watch *w, int64_t now_us)
{
    if (now_us < w->next_us)
        return;
    struct error err = ERROR_INIT;
    if (look(w, &err) == 0) {
        w->failed = false;
        w->next_us = now_us + WATCH_QUERY_US;
        return;
    }
    pg_close(w->sql);
    w->sql = NULL;
    w->next_us = now_us + WATCH_RETRY_US;
    if (!w->failed && !atomic_load(&w->relay->stop))
        log_error(w->relay->o.log, LOG_WARN, "watch.failed", &err);
    w->failed = true;
}

void *watch_main(void *argument)
{
    struct watch w = {.relay = argument};
    /* The first look waits until the relay itself has got through, so that a wrong password is
     * reported once, by the one who needs it. */
    while (!atomic_load(&w.relay->stop)) {
        int64_t now_us = clock_monotonic_us();
        board_ready(w.relay, now_us);
        if (atomic_load(&w.relay->source_up_us) != 0)
            look_if_due(&w, now_us);
        struct pollfd stop = {.fd = w.relay->stop_fd, .events = POLLIN};
        poll(&stop, 1, WATCH_TICK_MS);
    }
    pg_close(w.sql);
    return NULL;
}
