/* relay/open: how an epoch begins: the steps of recover/opening.h, with what they need and what the
 * loops need after them.
 *
 * The steps decide; here the clock is read, one is slept for, and what an operator should know is
 * logged. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "relay/ahead.h"

#include <assert.h>
#include <stdio.h>

static struct origin *make_origin(const struct epoch *e)
{
    const struct origin_options options = {.config = e->config,
                                           .log = e->relay->o.log,
                                           .stop = &e->relay->stop,
                                           .session = ORIGIN_STREAM,
                                           .application = e->relay->application,
                                           .end = e->relay->o.end,
                                           .more_from = lookout_more_from(&e->relay->lookout),
                                           .trouble = &e->relay->finish_trouble,
                                           .patience = e->relay->lessons.patience};
    return origin_open(&options);
}

static int look(struct epoch *e, struct error *err)
{
    struct opening *o = &e->opening;
    if (relay_open_router(e->config, &e->router, err) < 0 ||
        relay_check_connection(e->config, err) < 0)
        return -1;
    ledger_kafka_init(&e->ledger, &e->kafka);
    o->ends =
        (struct recovery){.origin = make_origin(e), .ledger = &e->ledger.base, .arena = &e->arena};
    o->claimant = &e->relay->claimant;
    o->remembered = lookout_recall(&e->relay->lookout, &e->arena, &o->remembered_hash);
    lookout_recall_seen(&e->relay->lookout, &e->arena, &o->seen);
    o->guard_lsn = e->relay->guard_lsn;
    o->config = e->config;
    o->router = e->router;
    if (opening_look(o, clock_monotonic_us(), err) < 0)
        return -1;
    return relay_check_claims(o->ends.origin->sql, e->config, err);
}

static int open_claims(struct epoch *e, struct error *err)
{
    char application[sizeof e->relay->application + 8];
    snprintf(application, sizeof application, "%s:claims", e->relay->application);
    const struct pg_options options = {.connection = e->config->source.connection.text,
                                       .password_command =
                                           e->config->source.password_command.arguments,
                                       .application_name = application,
                                       .stop = &e->relay->stop,
                                       .shared = true};
    if (!relay_claims(e->config))
        return 0;
    return claim_store_open(&options, e->config->delivery.transaction_timeout_ms * US_PER_MS / 4,
                            &e->claims, err);
}

/* Without it commands are carried out and not answered, which ends no relay: somebody may have made
 * their table while it ran. */
static int prepare_control(struct epoch *e, struct error *err)
{
    if (!e->opening.found.origin.commands.present ||
        kafka_prepare_control(&e->kafka, NULL, err) == 0)
        return 0;
    if (err->kind == ERROR_RETRY)
        return -1;
    log_error(e->relay->o.log, LOG_WARN, "control.unusable", err);
    *err = ERROR_INIT;
    return 0;
}

static int prepare(struct epoch *e, struct error *err)
{
    struct encoders_options encoding = {
        .routes = &e->config->routes,
        .system_identifier = e->opening.found.system.system_identifier,
        .id_header = e->config->delivery.id_header.text,
        .database = e->opening.found.system.database,
        .run = e->relay->instance,
        .metrics = e->relay->o.metrics,
        .letter_topic = relay_letter_topic(e->config),
        .letter_bytes_max = (size_t)(e->config->delivery.memory_limit / CIRCUIT_BATCHES)};
    if (encoders_open(&encoding, &e->encoders, err) < 0)
        return -1;
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&e->kafka, e->router, false, &weak, NULL, err);
    if (result == 0 && weak.len > 0 && !e->relay->warned_weak) {
        log_event(e->relay->o.log, LOG_WARN, "kafka.replication_weak", "detail", buf_text(&weak),
                  "hint", "exactly-once does not survive the loss of a broker", NULL);
        e->relay->warned_weak = true;
    }
    buf_fini(&weak);
    const char *advice = e->opening.ends.origin->advice;
    if (result == 0 && advice[0] != '\0' && !e->relay->advised) {
        log_event(e->relay->o.log, LOG_WARN, "poll.advice", "detail", advice, NULL);
        e->relay->advised = true;
    }
    return result < 0 ? -1 : prepare_control(e, err);
}

static int take_over(struct epoch *e, struct error *err)
{
    const struct published *published = &e->opening.published;
    lookout_gone(&e->relay->lookout, published->gone, published->now.behind_lsn);
    if (opening_take_over(&e->opening, clock_wall_us(), err) < 0)
        return -1;
    pthread_mutex_lock(&e->relay->mutex);
    e->relay->claimed_generation = e->opening.found.progress.generation;
    pthread_mutex_unlock(&e->relay->mutex);
    return 0;
}

static void tell_published(const struct epoch *e)
{
    const struct published *published = &e->opening.published;
    bool first = published->news == PUBLISHED_FIRST;
    char lsn[LSN_TEXT_MAX];
    lsn_format(published->now.id.lsn, lsn);
    if (first || e->opening.unversioned)
        log_event(e->relay->o.log, LOG_INFO, "publication.noted", "lsn", lsn, "detail",
                  first ? "what decides which rows the server sends is recorded from here on"
                        : "what was changed and put back is told by guards from here on",
                  NULL);
    if (published->news == PUBLISHED_GREW)
        log_event(e->relay->o.log, LOG_INFO, "publication.grew", "lsn", lsn, "detail",
                  published->what, NULL);
}

static int win(struct epoch *e, struct error *err)
{
    int result;
    while ((result = opening_win(&e->opening, clock_monotonic_us(), err)) > 0) {
        if (atomic_load(&e->relay->stop))
            return opening_held(&e->opening, err);
        clock_sleep_us(OPENING_WIN_US);
    }
    return result;
}

/* Up to PostgreSQL 17 decoding looks the publication up as of the row's own time, and fails there
 * for ever. What the open has compared by now is as it was recorded. */
static int check_gone(const struct epoch *e, struct error *err)
{
    const struct opening *o = &e->opening;
    const struct config_source *source = &e->config->source;
    const struct progress *p = &o->found.progress;
    if (e->relay->gone_lsn == 0 || e->relay->gone_lsn != p->position.lsn ||
        e->relay->gone_generation != p->generation)
        return 0;
    const struct config_text *gone =
        e->relay->gone_changes ? &source->changes : &source->publication;
    return relay_refuse_gone(&o->ends, source, gone->text, &o->found, o->published.now.end_lsn,
                             err);
}

/* Made later than the position: until that has passed it, what it alone sends does not come. */
static void await_more(const struct epoch *e)
{
    const struct origin *origin = e->opening.ends.origin;
    if (!origin->reads_less)
        return;
    log_event(
        e->relay->o.log, LOG_INFO, "publication.waits", "publication",
        e->config->source.changes.text, "detail",
        "it is younger than the position: what it alone sends is published once the relay has "
        "passed the transactions that were open when it was made",
        NULL);
    if (origin->more_from == 0)
        lookout_await_more(&e->relay->lookout);
}

int epoch_look(struct epoch *e, struct error *err)
{
    return look(e, err) < 0 || check_gone(e, err) < 0 || prepare(e, err) < 0 ? -1 : 0;
}

/* The refusal itself is told, but where it could not be recorded. */
static int refused(struct epoch *e, struct error *err)
{
    struct error unkept = ERROR_INIT;
    if (err->kind == ERROR_STOP && err->exit_code != EXIT_FENCED &&
        opening_keep_loss(&e->opening, clock_wall_us(), &unkept) < 0)
        *err = unkept;
    return -1;
}

int epoch_open(struct epoch *e, struct error *err)
{
    assert(e->relay != NULL && e->opening.publisher == NULL);
    if (epoch_look(e, err) < 0)
        return refused(e, err);
    if (open_claims(e, err) < 0)
        return -1;
    if (take_over(e, err) < 0 || win(e, err) < 0 || errand_read(e, err) < 0)
        return -1;
    if (e->relay->o.end.lsn != 0)
        e->relay->until_lsn = e->relay->o.end.lsn;
    else if (e->relay->o.until_caught_up && e->relay->until_lsn == 0)
        e->relay->until_lsn = e->opening.found.system.flush_lsn;
    if (opening_start(&e->opening, clock_monotonic_us(), &e->source, err) < 0)
        return -1;
    if (router_looks_ahead(e->router))
        e->source = ahead_open(e->source, e->router);
    tell_published(e);
    lookout_begin(&e->relay->lookout, &e->opening.found.progress.fingerprint,
                  &e->opening.published.now);
    await_more(e);
    e->relay->guard_lsn = 0;
    return 0;
}
