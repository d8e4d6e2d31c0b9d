/* relay/open: how an epoch begins, at the start and after anything that went wrong.
 *
 *   0 look at progress and server without taking anything over; what would be refused is refused
 * here 1 new producer: an older instance is fenced, its transaction ended 2 read progress again,
 * now under our producer epoch 3 write the claim 4 ask the server again; end an older instance's
 * hold on the slot 5 (first run: setup.c) 6 START_REPLICATION from the recorded position
 *
 * Keeps I2 and I6. A refused start fences nobody, because every refusal stands before step 1. */
#include "relay/command.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SLOT_WAIT_US (INT64_C(15) * 1000000)
#define SLOT_POLL_US 50000

void relay_instance(char text[33])
{
    unsigned char bytes[16];
    ssize_t got = getrandom(bytes, sizeof bytes, 0);
    assert(got == (ssize_t)sizeof bytes);
    (void)got;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void relay_complete_hint(const struct config *config, struct error *err)
{
    if (strstr(err->hint, "walferry rebase") == NULL && strstr(err->hint, "walferry skip") == NULL)
        return;
    if (strstr(err->hint, " -c ") != NULL)
        return; /* it is whole already */
    size_t used = strlen(err->hint);
    snprintf(err->hint + used, sizeof err->hint - used, " -c %s", config->path);
}

struct kafka_options relay_kafka_options(const struct config *config, const struct log *log,
                                         const atomic_bool *stop)
{
    return (struct kafka_options){.kafka = &config->kafka,
                                  .delivery = &config->delivery,
                                  .relay = config->relay.text,
                                  .instance = "command",
                                  .log = log,
                                  .stop = stop};
}

/* ---- Progress ---- */

static int decode_record(const struct buf *json, struct arena *arena, struct progress *progress,
                         bool *have_progress, struct error *err)
{
    *have_progress = json->len > 0;
    return *have_progress ? progress_decode(buf_span(json), arena, progress, err) : 0;
}

/* A record that does not follow the one before it was not written by a relay that knew it. What
 * cannot be read any more was rebased, and says nothing. */
static int check_succession(struct span before, struct arena *arena, const struct progress *newest,
                            struct error *err)
{
    struct progress previous;
    struct error unreadable = ERROR_INIT;
    if (before.len == 0 || progress_decode(before, arena, &previous, &unreadable) < 0 ||
        progress_follows(&previous, newest))
        return 0;
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    error_stop(err, EXIT_REFUSED, "progress_regressed",
               "the newest progress record (%s, %s, generation %" PRIu64
               ") cannot follow the one before it (%s, %s, generation %" PRIu64 ")",
               progress_mode_name(newest->mode), lsn_format(newest->position.lsn, to),
               newest->generation, progress_mode_name(previous.mode),
               lsn_format(previous.position.lsn, from), previous.generation);
    return error_hint(err, "find out who wrote it, then publish again from where the slot stands: "
                           "walferry rebase --to slot --accept-repeat");
}

static int look_closely(const struct kafka_options *kafka, bool through, struct arena *arena,
                        struct progress *progress, bool *have_progress, bool *topic_exists,
                        struct error *err)
{
    struct buf json = BUF_EMPTY;
    struct buf before = BUF_EMPTY;
    int result = kafka_look_closely(kafka, through, &json, &before, topic_exists, err);
    if (result == 0)
        result = decode_record(&json, arena, progress, have_progress, err);
    if (result == 0 && *have_progress)
        result = check_succession(buf_span(&before), arena, progress, err);
    buf_fini(&before);
    buf_fini(&json);
    return result;
}

int relay_look(const struct kafka_options *kafka, struct arena *arena, struct progress *progress,
               bool *have_progress, bool *topic_exists, struct error *err)
{
    return look_closely(kafka, false, arena, progress, have_progress, topic_exists, err);
}

int relay_look_through(const struct kafka_options *kafka, struct arena *arena,
                       struct progress *progress, bool *have_progress, bool *topic_exists,
                       struct error *err)
{
    return look_closely(kafka, true, arena, progress, have_progress, topic_exists, err);
}

int relay_take_over(const struct kafka_options *kafka, struct arena *arena,
                    struct publisher **publisher, struct progress *progress, bool *have_progress,
                    struct error *err)
{
    if (kafka_publisher_open(kafka, publisher, err) < 0)
        return -1;
    struct buf json = BUF_EMPTY;
    int result = publisher_recover(*publisher, &json, err);
    if (result == 0)
        result = decode_record(&json, arena, progress, have_progress, err);
    if (result == 0 && *have_progress)
        result = check_succession(kafka_publisher_previous(*publisher), arena, progress, err);
    buf_fini(&json);
    return result;
}

int relay_write_record(struct publisher *publisher, const struct progress *record,
                       const atomic_bool *stop, int64_t timeout_ms, struct error *err)
{
    struct buf json = BUF_EMPTY;
    progress_encode(record, &json);
    int64_t give_up_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    int result;
    while ((result = publisher_commit(publisher, buf_span(&json), err)) == PUBLISH_AGAIN) {
        if (stop != NULL && atomic_load(stop))
            result = error_retry(err, "stopping", "asked to stop");
        else if (clock_monotonic_us() > give_up_us)
            result = error_retry(err, "commit_timeout",
                                 "a progress record could not be committed within %" PRId64 " ms",
                                 timeout_ms);
        if (result < 0)
            break;
    }
    buf_fini(&json);
    return result;
}

/* ---- The server's side ---- */

/* The history is asked of a replication session; the commands come with an ordinary one. */
static int find_switch(struct pg_connection *sql, const struct config *config,
                       const struct relay_facts *f, uint64_t *lsn, struct error *err)
{
    uint32_t present = f->system.timeline;
    if (pg_is_walsender(sql) || f->progress.timeline >= present)
        return timeline_switch(sql, present, f->progress.timeline, lsn, err);
    char application[80];
    snprintf(application, sizeof application, "walferry:%s:command", config->relay.text);
    struct pg_options options = {.connection = config->source.connection.text,
                                 .application_name = application};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    int result =
        timeline_switch(pg_replication_sql(replication), present, f->progress.timeline, lsn, err);
    pg_replication_close(replication);
    return result;
}

static int judge_facts(struct pg_connection *sql, const struct config *config,
                       const struct relay_facts *f, struct error *err)
{
    struct judge_facts facts = {.relay = config->relay.text,
                                .slot_name = config->source.slot.text,
                                .topic = config->delivery.progress_topic.text,
                                .config_hash = config->hash,
                                .have_progress = f->have_progress,
                                .progress = &f->progress,
                                .system = &f->system,
                                .slot = &f->slot};
    bool same_system =
        f->have_progress && f->progress.system_identifier == f->system.system_identifier;
    if (same_system && find_switch(sql, config, f, &facts.timeline_switch, err) < 0)
        return -1;
    return judge_start(&facts, err);
}

/* Nothing is refused on what may be old news. Beside a running relay the slot may have moved since
 * progress was read, and a commit that was answered may not be visible at the last stable offset
 * yet. Progress that is read through to the end after the slot is never behind it (I1), and never
 * beyond a WAL position that is read after that. */
static int look_again(struct pg_connection *sql, const struct config *config,
                      const struct kafka_options *kafka, struct arena *arena, struct relay_facts *f,
                      struct error *err)
{
    uint64_t confirmed_flush_lsn = f->slot.confirmed_flush_lsn;
    bool topic_exists = false;
    if (relay_look_through(kafka, arena, &f->progress, &f->have_progress, &topic_exists, err) < 0 ||
        pg_slot_state(sql, config->source.slot.text, &f->slot, err) < 0)
        return -1;
    if (f->slot.state == SLOT_PRESENT)
        f->slot.confirmed_flush_lsn = confirmed_flush_lsn;
    return judge_facts(sql, config, f, err);
}

int relay_judge(struct pg_connection *sql, const struct config *config,
                const struct kafka_options *kafka, struct arena *arena, struct relay_facts *f,
                struct error *err)
{
    if (pg_identify(sql, &f->system, err) < 0 ||
        pg_slot_state(sql, config->source.slot.text, &f->slot, err) < 0)
        return -1;
    int result = judge_facts(sql, config, f, err);
    if (result < 0 && kafka != NULL && err->kind == ERROR_STOP) {
        *err = ERROR_INIT;
        result = look_again(sql, config, kafka, arena, f, err);
    }
    if (result < 0)
        relay_complete_hint(config, err);
    return result;
}

int relay_prepare_topics(const struct kafka_options *kafka, const struct router *router,
                         bool create_progress, struct buf *weak, struct error *err)
{
    const char *topics[CONFIG_ROUTES_MAX];
    uint32_t count = 0;
    while (count < CONFIG_ROUTES_MAX &&
           (topics[count] = router_literal_topic(router, count)) != NULL)
        count++;
    if (kafka_prepare_topics(kafka, topics, count, create_progress, weak, err) < 0)
        return -1;
    if (weak->len == 0 || !kafka->delivery->require_replication)
        return 0;
    error_stop(err, EXIT_USAGE, "replication_weak",
               "%s: exactly-once does not survive the loss of "
               "a broker",
               buf_text(weak));
    return error_hint(err, "raise replication factor and min.insync.replicas of the topic, or take "
                           "delivery.require_replication out");
}

/* ---- Steps ---- */

/* A zombie must not fence its successor. */
static int check_successor(const struct epoch *e, struct error *err)
{
    const struct progress *p = &e->facts.progress;
    if (!e->relay->claimed || !e->facts.have_progress ||
        strcmp(p->instance, e->relay->instance) == 0)
        return 0;
    error_stop(err, EXIT_FENCED, "fenced",
               "another instance (%s, generation %" PRIu64 ") has taken relay %s over", p->instance,
               p->generation, e->config->relay.text);
    return error_hint(err, "run one instance of a relay; this one has ended");
}

static int look(struct epoch *e, struct error *err)
{
    bool topic_exists = false;
    if (relay_look(&e->kafka, &e->arena, &e->facts.progress, &e->facts.have_progress, &topic_exists,
                   err) < 0) {
        relay_complete_hint(e->config, err);
        return -1;
    }
    if (check_successor(e, err) < 0)
        return -1;
    const struct relay *relay = e->relay;
    struct pg_options pg = {.connection = e->config->source.connection.text,
                            .application_name = relay->application,
                            .stop = &relay->stop};
    if (pg_replication_open(&pg, &e->replication, err) < 0)
        return -1;
    if (relay_judge(pg_replication_sql(e->replication), e->config, &e->kafka, &e->arena, &e->facts,
                    err) < 0 ||
        check_successor(e, err) < 0)
        return -1;
    return relay_check_publication(pg_replication_sql(e->replication), e->config, err);
}

static int prepare(struct epoch *e, struct error *err)
{
    if (relay_open_router(e->config, &e->router, err) < 0)
        return -1;
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
    return 0;
}

/* Whoever ran until now may have written more since we looked: the beginning of a split transaction
 * under another configuration, a teardown, a claim. So what was judged then is judged again, before
 * the claim says that it is ours. */
static int take_over(struct epoch *e, struct error *err)
{
    uint64_t seen = e->facts.progress.generation;
    if (relay_take_over(&e->kafka, &e->arena, &e->publisher, &e->facts.progress,
                        &e->facts.have_progress, err) < 0) {
        relay_complete_hint(e->config, err);
        return -1;
    }
    if (!e->facts.have_progress || e->facts.progress.generation < seen)
        return error_retry(err, "progress_vanished",
                           "the progress record that was there a moment ago is gone");
    if (check_successor(e, err) < 0 ||
        relay_judge(pg_replication_sql(e->replication), e->config, NULL, NULL, &e->facts, err) < 0)
        return -1;
    return claim(e, err);
}

/* Step 4: after our claim nobody else may hold the slot. An idle older instance does not notice
 * that it is fenced, so its session is ended for it. */
static int win_slot(struct epoch *e, struct error *err)
{
    struct pg_connection *sql = pg_replication_sql(e->replication);
    const char *slot = e->config->source.slot.text;
    int64_t give_up_us = clock_monotonic_us() + SLOT_WAIT_US;
    bool told = false;
    for (;;) {
        if (relay_judge(sql, e->config, NULL, NULL, &e->facts, err) < 0)
            return -1;
        if (!e->facts.slot.active)
            return 0;
        bool ended = false;
        if (pg_terminate_slot_owner(sql, slot, e->relay->application, &ended, err) < 0)
            return -1;
        if (ended && !told) {
            char pid[16];
            snprintf(pid, sizeof pid, "%" PRId32, e->facts.slot.active_pid);
            log_event(e->relay->o.log, LOG_WARN, "slot.owner_ended", "slot", slot, "pid", pid,
                      NULL);
            told = true;
        }
        if (atomic_load(&e->relay->stop) || clock_monotonic_us() > give_up_us)
            return error_retry(err, "slot_active", "slot %s is in use by process %" PRId32 " (%s)",
                               slot, e->facts.slot.active_pid, e->facts.slot.active_application);
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
