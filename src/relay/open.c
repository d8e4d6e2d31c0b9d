/* relay/open: how an epoch begins, at the start and after anything that went wrong.
 *
 *   0 look at progress and server without taking anything over; what would be refused is refused
 * here 1 new producer: an older instance is fenced, its transaction ended 2 read progress again,
 * now under our producer epoch 3 write the claim 4 ask the server again; end an older instance's
 * hold on the slot 5 (first run: recover/setup.c) 6 START_REPLICATION from the recorded position
 *
 * Keeps I2 and I6. A refused start fences nobody, because every refusal stands before step 1. */
#include "relay/life.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLOT_WAIT_US (INT64_C(15) * 1000000)
#define SLOT_POLL_US 50000
/* For so long a topic that held our claim is looked for, with a new client each time. */
#define AWAY_US (INT64_C(10) * 1000000)

/* A zombie must not fence its successor. */
static int check_successor(const struct epoch *e, struct error *err)
{
    const struct progress *p = &e->facts.progress;
    if (!e->relay->claimed || !e->facts.have_progress ||
        strcmp(p->instance, e->relay->instance) == 0)
        return 0;
    return successor_error(e->config, p->instance, p->generation, err);
}

/* Beside a successor the server looks as if something had been lost: its slot has moved beyond what
 * we know. So nobody who has ever claimed refuses anything before asking who claimed last. */
static int judge(struct epoch *e, const struct kafka_options *kafka, struct error *err)
{
    if (relay_judge(pg_replication_sql(e->replication), e->config, kafka, &e->arena, &e->facts,
                    err) == 0)
        return 0;
    struct error other = ERROR_INIT;
    if (err->kind == ERROR_STOP && e->relay->claimed && successor_ask(e, 0, &other) < 0)
        *err = other;
    return -1;
}

/* Who has claimed knows that the topic was there. So brokers that deny it are asked anew for a
 * while before it is believed that somebody has deleted it. */
static int check_away(struct epoch *e, bool topic_exists, struct error *err)
{
    struct relay *relay = e->relay;
    int64_t now_us = clock_monotonic_us();
    if (topic_exists || !relay->claimed) {
        relay->away_since_us = 0;
        return 0;
    }
    if (relay->away_since_us == 0)
        relay->away_since_us = now_us;
    if (now_us - relay->away_since_us >= AWAY_US)
        return 0; /* judged like any start */
    return error_retry(err, REASON_PROGRESS_AWAY,
                       "progress topic %s, which held our claim, is not listed",
                       e->config->delivery.progress_topic.text);
}

static int look(struct epoch *e, struct error *err)
{
    bool topic_exists = false;
    if (relay_open_router(e->config, &e->router, err) < 0 ||
        relay_check_connection(e->config, err) < 0)
        return -1;
    if (relay_look(&e->kafka, &e->arena, &e->facts.progress, &e->facts.have_progress, &topic_exists,
                   err) < 0)
        return -1;
    if (check_away(e, topic_exists, err) < 0 || check_successor(e, err) < 0)
        return -1;
    const struct relay *relay = e->relay;
    struct pg_options pg = {.connection = e->config->source.connection.text,
                            .application_name = relay->application,
                            .stop = &relay->stop};
    if (pg_replication_open(&pg, &e->replication, err) < 0)
        return -1;
    if (judge(e, &e->kafka, err) < 0 || check_successor(e, err) < 0)
        return -1;
    return relay_check_publication(pg_replication_sql(e->replication), e->config, e->router, err);
}

static int prepare(struct epoch *e, struct error *err)
{
    e->encoding = (struct encoder_options){.system_identifier = e->facts.system.system_identifier,
                                           .id_header = e->config->delivery.id_header.text};
    if (encoder_open(FORMAT_RAW, &e->encoding, &e->encoder, err) < 0)
        return -1;
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&e->kafka, e->router, false, &weak, err);
    if (result == 0 && weak.len > 0 && !e->relay->warned_weak) {
        log_event(e->relay->o.log, LOG_WARN, "kafka.replication_weak", "detail", buf_text(&weak),
                  "hint", "exactly-once does not survive the loss of a broker", NULL);
        e->relay->warned_weak = true;
    }
    buf_fini(&weak);
    return result;
}

/* Step 3. Skips that are behind the position have done their work. */
static int claim(struct epoch *e, struct error *err)
{
    struct progress *p = &e->facts.progress;
    p->generation++;
    snprintf(p->instance, sizeof p->instance, "%s", e->relay->instance);
    snprintf(p->slot, sizeof p->slot, "%s", e->config->source.slot.text);
    snprintf(p->config_hash, sizeof p->config_hash, "%s", e->config->hash);
    p->timeline = e->facts.system.timeline;
    p->rebased.present = false;
    p->at_us = clock_wall_us();
    if (relay_write_record(e->publisher, p, &e->relay->stop,
                           e->config->delivery.transaction_timeout_ms, err) < 0)
        return error_wrap(err, "claiming the relay");
    e->relay->claimed = true;
    pthread_mutex_lock(&e->relay->mutex);
    e->relay->claimed_generation = p->generation;
    pthread_mutex_unlock(&e->relay->mutex);
    return 0;
}

/* Whoever ran until now may have written more since we looked: the beginning of a split transaction
 * under another configuration, a teardown, a claim. So what was judged then is judged again, before
 * the claim says that it is ours. */
static int take_over(struct epoch *e, struct error *err)
{
    uint64_t seen = e->facts.progress.generation;
    if (relay_take_over(&e->kafka, &e->arena, &e->publisher, &e->facts.progress,
                        &e->facts.have_progress, err) < 0)
        return -1;
    if (!e->facts.have_progress || e->facts.progress.generation < seen)
        return error_retry(err, REASON_PROGRESS_VANISHED,
                           "the progress record that was there a moment ago is gone");
    if (check_successor(e, err) < 0 || judge(e, NULL, err) < 0)
        return -1;
    return claim(e, err);
}

/* Ends the session that holds the slot, where it is one of ours and the claim is still ours: it
 * might be a successor's. */
static int end_owner(struct epoch *e, int32_t *ended_pid, struct error *err)
{
    struct pg_connection *sql = pg_replication_sql(e->replication);
    const char *slot = e->config->source.slot.text;
    bool ended = false;
    if (successor_ask(e, 0, err) < 0 ||
        pg_terminate_slot_owner(sql, slot, e->relay->application, &ended, err) < 0)
        return -1;
    if (!ended)
        return 0;
    *ended_pid = e->facts.slot.active_pid;
    char pid[16];
    snprintf(pid, sizeof pid, "%" PRId32, *ended_pid);
    log_event(e->relay->o.log, LOG_WARN, "slot.owner_ended", "slot", slot, "#pid", pid, NULL);
    return 0;
}

/* Step 4: after our claim nobody else may hold the slot. An idle older instance does not notice
 * that it is fenced, so its session is ended for it. */
static int win_slot(struct epoch *e, struct error *err)
{
    const char *slot = e->config->source.slot.text;
    int64_t give_up_us = clock_monotonic_us() + SLOT_WAIT_US;
    int32_t ended_pid = 0;
    for (;;) {
        if (judge(e, NULL, err) < 0)
            return -1;
        if (!e->facts.slot.active)
            return 0;
        if (e->facts.slot.active_pid != ended_pid && end_owner(e, &ended_pid, err) < 0)
            return -1;
        if (atomic_load(&e->relay->stop) || clock_monotonic_us() > give_up_us)
            return error_retry(err, REASON_SLOT_ACTIVE,
                               "slot %s is in use by process %" PRId32 " (%s)", slot,
                               e->facts.slot.active_pid, e->facts.slot.active_application);
        clock_sleep_us(SLOT_POLL_US);
    }
}

static int start_stream(struct epoch *e, struct error *err)
{
    if (pg_replication_start(e->replication, e->config->source.slot.text,
                             e->config->source.publication.text, e->facts.progress.position.lsn,
                             err) < 0)
        return -1;
    struct stream_options options = {.start = e->facts.progress.position,
                                     .partial = e->facts.progress.partial,
                                     .server_timeout_us =
                                         e->facts.system.wal_sender_timeout_ms * US_PER_MS,
                                     .now_us = clock_monotonic_us()};
    struct pg_replication *replication = e->replication;
    e->replication = NULL; /* the source's, even where it fails */
    return stream_source_open(replication, &options, &e->source, err);
}

int epoch_look(struct epoch *e, struct error *err)
{
    return look(e, err) < 0 || prepare(e, err) < 0 ? -1 : 0;
}

int epoch_open(struct epoch *e, struct error *err)
{
    assert(e->relay != NULL && e->publisher == NULL);
    if (look(e, err) < 0 || prepare(e, err) < 0 || take_over(e, err) < 0)
        return -1;
    if (win_slot(e, err) < 0)
        return -1;
    if (e->relay->o.until_caught_up && e->relay->until_lsn == 0)
        e->relay->until_lsn = e->facts.system.flush_lsn;
    return start_stream(e, err);
}
