/* recover/setup: the first run. Intent, publication, slot, progress, in this order, each step
 * written down before the next, so that a crash between any two of them is seen and gone on from.
 *
 * The intent says "from here on a slot of this name is ours"; a slot without intent or progress is
 * somebody's and is refused. Beside a running relay only what is missing is added and nobody is
 * fenced, because the relay's transactional id is not touched. */
#include "recover/recover.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CREATE_SLICE_MS 1000

struct setup {
    const struct command_options *o;
    const char *admin_connection;
    struct kafka_options kafka;
    struct arena arena;
    struct router *router;
    struct pg_connection *sql;
    struct publisher *publisher;
    struct relay_facts facts;
};

/* ---- Creating a slot ---- */

static void tell_blockers(const struct command_options *o, struct pg_connection *sql, bool *told)
{
    struct buf lines = BUF_EMPTY;
    struct error err = ERROR_INIT;
    if (pg_blocking_transactions(sql, &lines, &err) == 0 && lines.len > 0 && !*told) {
        log_event(o->log, LOG_WARN, "slot.waiting", "slot", o->config->source.slot.text, "for",
                  buf_text(&lines), "hint",
                  "a slot is consistent once every transaction that writes now has ended", NULL);
        *told = true;
    }
    buf_fini(&lines);
}

static int wait_for_slot(const struct command_options *o, struct pg_replication *replication,
                         struct pg_connection *sql, uint64_t *consistent_lsn, struct error *err)
{
    bool told = false;
    for (;;) {
        int result = pg_replication_create_slot(replication, o->config->source.slot.text,
                                                CREATE_SLICE_MS, consistent_lsn, err);
        if (result <= 0)
            return result;
        if (o->stop != NULL && atomic_load(o->stop))
            return error_retry(err, REASON_STOPPING,
                               "asked to stop while the slot was being created");
        tell_blockers(o, sql, &told);
    }
}

int relay_create_slot(const struct command_options *o, uint64_t *consistent_lsn, struct error *err)
{
    struct pg_replication *replication = NULL;
    struct pg_connection *sql = NULL;
    int result = command_open_replication(o, &replication, err);
    if (result == 0)
        result = command_open_sql(o, NULL, &sql, err);
    if (result == 0)
        result = wait_for_slot(o, replication, sql, consistent_lsn, err);
    pg_close(sql);
    pg_replication_close(replication);
    return result;
}

/* ---- Steps ---- */

static bool is_first_run(const struct setup *s)
{
    return !s->facts.have_progress || s->facts.progress.mode == PROGRESS_CLOSED ||
           s->facts.progress.mode == PROGRESS_INTENT;
}

/* A first run fences, so it is not begun because the newest record is not visible yet. */
static int look_at_progress(struct setup *s, struct error *err)
{
    struct relay_facts *f = &s->facts;
    bool topic_exists = false;
    if (relay_look(&s->kafka, &s->arena, &f->progress, &f->have_progress, &topic_exists, err) < 0)
        return -1;
    if (!topic_exists || !is_first_run(s))
        return 0;
    return relay_look_through(&s->kafka, &s->arena, &f->progress, &f->have_progress, &topic_exists,
                              err);
}

/* Where there is a slot a missing topic is a reason to refuse, which a broker that has just come up
 * must not give. */
static int doubt_absence(struct setup *s, struct error *err)
{
    s->kafka.creates_progress = false;
    if (s->facts.have_progress || s->facts.slot.state == SLOT_ABSENT)
        return 0;
    return look_at_progress(s, err);
}

static int look(struct setup *s, struct error *err)
{
    s->kafka.creates_progress = true;
    if (look_at_progress(s, err) < 0 || pg_identify(s->sql, &s->facts.system, err) < 0 ||
        pg_slot_state(s->sql, s->o->config->source.slot.text, &s->facts.slot, err) < 0 ||
        doubt_absence(s, err) < 0)
        return -1;
    if (command_check_wal_level(&s->facts.system, err) < 0)
        return -1;
    return relay_check_before_setup(s->sql, s->o->config, s->router, err);
}

static int ensure_publication(struct setup *s, struct error *err)
{
    const struct config *config = s->o->config;
    if (s->admin_connection == NULL)
        return relay_ensure_publication(s->sql, config, s->router, s->o->out, err);
    struct pg_connection *admin = NULL;
    int result = command_open_admin(s->o, s->admin_connection, &s->facts.system, &admin, err);
    if (result == 0)
        result = relay_ensure_publication(admin, config, s->router, s->o->out, err);
    pg_close(admin);
    return result;
}

static int ensure_topics(struct setup *s, bool create_progress, struct error *err)
{
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&s->kafka, s->router, create_progress, &weak, err);
    if (result == 0)
        command_say(s->o->out, "topics: in place");
    if (result == 0 && weak.len > 0)
        command_say(s->o->out, "warning: %s; exactly-once does not survive the loss of a broker",
                    buf_text(&weak));
    buf_fini(&weak);
    return result;
}

/* Beside a relay that has progress: judge, add what is missing, fence nobody. */
static int complete_existing(struct setup *s, struct error *err)
{
    if (relay_judge(s->sql, s->o->config, &s->kafka, &s->arena, &s->facts, err) < 0 ||
        ensure_publication(s, err) < 0 || ensure_topics(s, false, err) < 0)
        return -1;
    char position[LSN_TEXT_MAX];
    command_say(s->o->out, "slot %s: in place", s->o->config->source.slot.text);
    command_say(s->o->out, "progress: at %s", lsn_format(s->facts.progress.position.lsn, position));
    return 0;
}

/* An intent on another server says nothing about the slots of this one. */
static bool has_intent(const struct setup *s)
{
    const struct relay_facts *f = &s->facts;
    return f->have_progress && f->progress.mode == PROGRESS_INTENT &&
           f->progress.system_identifier == f->system.system_identifier &&
           strcmp(f->progress.slot, s->o->config->source.slot.text) == 0;
}

static int refuse_foreign_slot(const struct setup *s, struct error *err)
{
    if (has_intent(s) || s->facts.slot.state == SLOT_ABSENT)
        return 0;
    error_stop(err, REASON_SLOT_WITHOUT_PROGRESS,
               "slot %s exists already, but relay %s has no progress: whose it is and what was "
               "published from it is not known",
               s->o->config->source.slot.text, s->o->config->relay.text);
    error_hint(err, "drop the slot if nobody needs it, or publish from where it stands");
    error_mend(err, "rebase --to slot --accept-repeat");
    return -1;
}

static int write_intent(struct setup *s, struct error *err)
{
    if (has_intent(s))
        return 0;
    struct progress intent;
    command_first_record(s->o->config, &s->facts.system,
                         s->facts.have_progress ? &s->facts.progress : NULL, &intent);
    intent.mode = PROGRESS_INTENT;
    intent.position.lsn = s->facts.system.flush_lsn;
    if (relay_write_record(s->publisher, &intent, s->o->stop,
                           s->o->config->delivery.transaction_timeout_ms, err) < 0)
        return error_wrap(err, "recording the intent");
    s->facts.progress = intent;
    s->facts.have_progress = true;
    return 0;
}

/* A slot that an interrupted setup left behind is ours where it is younger than the intent. */
static int adopt_slot(struct setup *s, uint64_t *position, struct error *err)
{
    const char *name = s->o->config->source.slot.text;
    if (s->facts.slot.active && s->facts.slot.confirmed_flush_lsn == 0)
        return error_retry(err, REASON_SLOT_IN_CREATION,
                           "slot %s is still being created by process "
                           "%" PRId32,
                           name, s->facts.slot.active_pid);
    if (s->facts.slot.active)
        return error_retry(err, REASON_SLOT_ACTIVE, "slot %s is in use by process %" PRId32, name,
                           s->facts.slot.active_pid);
    if (s->facts.slot.confirmed_flush_lsn < s->facts.progress.position.lsn) {
        error_stop(err, REASON_SLOT_WITHOUT_PROGRESS,
                   "slot %s is older than the setup of relay %s: it is not ours", name,
                   s->o->config->relay.text);
        error_hint(err, "drop the slot if nobody needs it, or publish from where it stands");
        error_mend(err, "rebase --to slot --accept-repeat");
        return -1;
    }
    *position = s->facts.slot.confirmed_flush_lsn;
    command_say(s->o->out, "slot %s: taken over from an interrupted setup", name);
    return 0;
}

static int ensure_slot(struct setup *s, uint64_t *position, struct error *err)
{
    if (pg_slot_state(s->sql, s->o->config->source.slot.text, &s->facts.slot, err) < 0)
        return -1;
    if (s->facts.slot.state == SLOT_PRESENT)
        return adopt_slot(s, position, err);
    if (relay_create_slot(s->o, position, err) < 0)
        return -1;
    command_say(s->o->out, "slot %s: created", s->o->config->source.slot.text);
    return 0;
}

static int write_progress(struct setup *s, uint64_t position, struct error *err)
{
    struct progress first;
    command_first_record(s->o->config, &s->facts.system, &s->facts.progress, &first);
    first.position.lsn = position;
    if (relay_write_record(s->publisher, &first, s->o->stop,
                           s->o->config->delivery.transaction_timeout_ms, err) < 0)
        return error_wrap(err, "recording the first progress");
    char text[LSN_TEXT_MAX];
    command_say(s->o->out, "progress: begins at %s", lsn_format(position, text));
    return 0;
}

static int first_run(struct setup *s, struct error *err)
{
    if (refuse_foreign_slot(s, err) < 0 || ensure_topics(s, true, err) < 0)
        return -1;
    if (relay_take_over(&s->kafka, &s->arena, &s->publisher, &s->facts.progress,
                        &s->facts.have_progress, err) < 0)
        return -1;
    if (!is_first_run(s))
        return error_retry(err, REASON_SETUP_RACED, "another setup of relay %s has just finished",
                           s->o->config->relay.text);
    if (refuse_foreign_slot(s, err) < 0 || write_intent(s, err) < 0)
        return -1;
    CRASH_POINT("C12");
    uint64_t position = 0;
    if (ensure_publication(s, err) < 0)
        return -1;
    CRASH_POINT("C12");
    if (ensure_slot(s, &position, err) < 0)
        return -1;
    CRASH_POINT("C12");
    return write_progress(s, position, err);
}

int relay_setup(const struct command_options *o, const char *admin_connection, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct setup s = {.o = o, .admin_connection = admin_connection};
    arena_init(&s.arena, 4096, 4096);
    s.kafka = relay_kafka_options(o->config, o->log, o->stop);
    int result = relay_open_router(o->config, &s.router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = command_open_sql(o, NULL, &s.sql, err);
    if (result == 0)
        result = look(&s, err);
    if (result == 0)
        result = is_first_run(&s) ? first_run(&s, err) : complete_existing(&s, err);
    publisher_close(s.publisher, 0);
    pg_close(s.sql);
    router_close(s.router);
    arena_fini(&s.arena);
    return result;
}
