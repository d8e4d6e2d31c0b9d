/* operate/rebase: the mend of a refusal. It looks, says what going on would lose or repeat, and
 * only with that accepted takes the relay over and writes a record that says so.
 *
 * The position may go back: the generation grows, so (generation, position) still increases (I3). A
 * record that cannot be read counts as an unknown position. */
#include "operate/command.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct rebase {
    const struct command_options *o;
    const struct rebase_options *wish;
    struct kafka_options kafka;
    struct arena arena;
    struct pg_connection *sql;
    struct pg_system system;
    struct pg_slot slot;
    struct progress before;
    bool known;          /* `before` is a readable record of this system */
    uint64_t target_lsn; /* 0 for a new slot until it exists */
};

static bool is_unreadable(const struct error *err)
{
    return err->reason == REASON_PROGRESS_UNREADABLE || err->reason == REASON_PROGRESS_REGRESSED ||
           err->reason == REASON_PROGRESS_NEWER;
}

/* The slot first: beside a running relay progress that is read later is never behind it. */
static int look(struct rebase *r, struct error *err)
{
    bool topic_exists = false;
    bool have = false;
    if (pg_identify(r->sql, &r->system, err) < 0 ||
        pg_slot_state(r->sql, r->o->config->source.slot.text, &r->slot, err) < 0)
        return -1;
    if (r->slot.state == SLOT_PRESENT &&
        relay_check_slot_place(r->o->config->source.slot.text, &r->slot, &r->system, err) < 0)
        return -1;
    r->before = (struct progress){0};
    int result = relay_look(&r->kafka, &r->arena, &r->before, &have, &topic_exists, err);
    /* A commit that was answered may not be visible yet, beside a running relay. */
    if (result == 0 && have && r->slot.confirmed_flush_lsn > r->before.position.lsn)
        result = relay_look_through(&r->kafka, &r->arena, &r->before, &have, &topic_exists, err);
    if (result < 0 && !is_unreadable(err))
        return -1;
    r->known = result == 0 && have && r->before.mode == PROGRESS_WAL;
    *err = ERROR_INIT;
    return 0;
}

static int check_target(struct rebase *r, struct error *err)
{
    const char *name = r->o->config->source.slot.text;
    if (r->wish->target == REBASE_NEW_SLOT)
        return 0;
    bool usable = r->slot.state == SLOT_PRESENT && strcmp(r->slot.wal_status, "lost") != 0 &&
                  r->slot.confirmed_flush_lsn != 0;
    if (!usable) {
        error_stop(err, REASON_SLOT_UNUSABLE, "slot %s does not exist or is lost", name);
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    r->target_lsn = r->slot.confirmed_flush_lsn;
    if (r->wish->target == REBASE_SLOT)
        return 0;
    r->target_lsn = r->wish->lsn;
    char low[LSN_TEXT_MAX], high[LSN_TEXT_MAX], at[LSN_TEXT_MAX];
    if (r->target_lsn < r->slot.confirmed_flush_lsn || r->target_lsn > r->slot.current_lsn) {
        error_stop(err, REASON_LSN_OUT_OF_RANGE, "slot %s can start from %s to %s, not from %s",
                   name, lsn_format(r->slot.confirmed_flush_lsn, low),
                   lsn_format(r->slot.current_lsn, high), lsn_format(r->target_lsn, at));
        return error_hint(err, "give an LSN of that range");
    }
    return 0;
}

/* What going on at the target means. */
static void consequences(const struct rebase *r, bool *loss, bool *repeat)
{
    bool other = r->known && (r->before.system_identifier != r->system.system_identifier ||
                              r->before.timeline != r->system.timeline);
    *loss = other || r->wish->target == REBASE_NEW_SLOT ||
            (r->known && r->target_lsn > r->before.position.lsn);
    /* What is done of a split transaction is done behind the position. */
    bool part = r->before.partial.final_lsn != 0 && r->target_lsn <= r->before.partial.final_lsn;
    *repeat = !other && r->wish->target != REBASE_NEW_SLOT &&
              (!r->known || part || r->target_lsn < r->before.position.lsn);
}

static void describe(const struct rebase *r, bool loss, bool repeat)
{
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    struct buf *out = r->o->out;
    if (r->known)
        command_say(out, "progress stands at %s", lsn_format(r->before.position.lsn, from));
    else
        command_say(out, "progress is not known");
    if (r->wish->target == REBASE_NEW_SLOT)
        command_say(
            out, "a new slot begins at the present end of the write-ahead log (now %s)",
            lsn_format(r->slot.current_lsn != 0 ? r->slot.current_lsn : r->system.flush_lsn, to));
    else
        command_say(out, "the relay would go on from %s", lsn_format(r->target_lsn, to));
    if (loss)
        command_say(out, "LOSS: events committed before that and not published yet will never be "
                         "published");
    if (repeat)
        command_say(out, "REPEAT: events committed after that and published already will be "
                         "published again");
    if (!loss && !repeat)
        command_say(out, "nothing is lost or repeated");
}

static int check_accepted(const struct rebase *r, bool loss, bool repeat, struct error *err)
{
    if ((!loss || r->wish->accept_loss) && (!repeat || r->wish->accept_repeat))
        return 0;
    error_stop(err, REASON_NOT_ACCEPTED, "this rebase would %s events",
               loss && !r->wish->accept_loss ? "lose" : "repeat");
    error_hint(err, "if that is meant");
    char to[LSN_TEXT_MAX + 8] = "slot", lsn[LSN_TEXT_MAX];
    if (r->wish->target == REBASE_NEW_SLOT)
        snprintf(to, sizeof to, "new-slot");
    else if (r->wish->target == REBASE_LSN)
        snprintf(to, sizeof to, "lsn:%s", lsn_format(r->wish->lsn, lsn));
    return error_mend(err, "rebase --to %s%s%s", to,
                      loss || r->wish->accept_loss ? " --accept-loss" : "",
                      repeat || r->wish->accept_repeat ? " --accept-repeat" : "");
}

static int check_consequences(const struct rebase *r, struct error *err)
{
    bool loss, repeat;
    consequences(r, &loss, &repeat);
    return check_accepted(r, loss, repeat, err);
}

/* ---- Doing it ---- */

static int new_slot(struct rebase *r, struct error *err)
{
    const char *name = r->o->config->source.slot.text;
    if (r->slot.state == SLOT_PRESENT) {
        if (command_query(r->sql, "SELECT pg_catalog.pg_drop_replication_slot($1)", name, err) < 0)
            return error_wrap(err, "dropping slot %s", name);
    }
    if (relay_create_slot(r->o, &r->target_lsn, err) < 0)
        return -1;
    command_say(r->o->out, "slot %s: created", name);
    return 0;
}

/* The generation must outgrow a record that cannot be read: seconds since 1970 do. */
static void next_record(struct rebase *r, const struct progress *found, bool readable,
                        struct progress *record)
{
    command_first_record(r->o->config, &r->system, readable ? found : NULL, record);
    if (!readable)
        record->generation = (uint64_t)(clock_wall_us() / US_PER_S);
    record->position.lsn = r->target_lsn;
    record->rebased.present = true;
    record->rebased.from = r->known ? r->before.position.lsn : 0;
    record->rebased.to = r->target_lsn;
    static const char *const why[] = {"slot", "new-slot", "lsn"};
    snprintf(record->rebased.why, sizeof record->rebased.why, "%s", why[r->wish->target]);
}

/* What was recovered, in the place of what was looked at: a relay that ran until now went on. */
static int take_found(struct rebase *r, const struct buf *json, struct progress *found,
                      bool *readable, struct error *err)
{
    *found = (struct progress){0};
    *readable = json->len == 0; /* none at all: generation 1 */
    if (json->len > 0) {
        *readable = progress_decode(buf_span(json), &r->arena, found, err) == 0;
        if (!*readable && !is_unreadable(err))
            return -1;
        *err = ERROR_INIT;
    }
    if (!r->known)
        return 0; /* that it is not known was said, and the worst was accepted */
    r->known = json->len > 0 && *readable && found->mode == PROGRESS_WAL;
    r->before = *found;
    return 0;
}

static int write_rebased(struct rebase *r, struct publisher *publisher,
                         const struct progress *found, bool readable, struct error *err)
{
    struct progress record;
    next_record(r, found, readable, &record);
    return relay_write_record(publisher, &record, r->o->stop,
                              r->o->config->delivery.transaction_timeout_ms, err);
}

static int apply(struct rebase *r, struct error *err)
{
    struct buf weak = BUF_EMPTY;
    struct buf json = BUF_EMPTY;
    struct publisher *publisher = NULL;
    struct progress found = {0};
    bool readable = false;
    log_event(r->o->log, LOG_WARN, "rebase.taking_over", "relay", r->o->config->relay.text,
              "detail", "a running instance of this relay is fenced now", NULL);
    int result = kafka_prepare_topics(&r->kafka, NULL, 0, true, &weak, err);
    if (result == 0)
        result = kafka_publisher_open(&r->kafka, &publisher, err);
    if (result == 0)
        result = publisher_recover(publisher, &json, err);
    if (result == 0)
        result = take_found(r, &json, &found, &readable, err);
    if (result == 0 && json.len > 0 && readable)
        result = command_claim(r->o, publisher, &found, err);
    if (result == 0)
        result = command_free_slot(r->o, r->sql, err);
    /* A relay that ran until now may have moved the slot since we looked. */
    if (result == 0)
        result = pg_slot_state(r->sql, r->o->config->source.slot.text, &r->slot, err);
    if (result == 0)
        result = check_target(r, err);
    if (result == 0)
        result = check_consequences(r, err);
    if (result == 0 && r->wish->target == REBASE_NEW_SLOT)
        result = new_slot(r, err);
    if (result == 0)
        result = write_rebased(r, publisher, &found, readable, err);
    publisher_close(publisher, 0);
    if (result == 0) {
        char to[LSN_TEXT_MAX];
        command_say(r->o->out, "rebased: the relay goes on from %s", lsn_format(r->target_lsn, to));
    }
    buf_fini(&json);
    buf_fini(&weak);
    return result;
}

int relay_rebase(const struct command_options *o, const struct rebase_options *wish,
                 struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    assert(wish->target != REBASE_LSN || wish->lsn != 0);
    struct rebase r = {.o = o, .wish = wish};
    arena_init(&r.arena, 4096, 4096);
    r.kafka = relay_kafka_options(o->config, o->log, o->stop);
    int result = command_open_sql(o, NULL, &r.sql, err);
    if (result == 0)
        result = look(&r, err);
    if (result == 0)
        result = check_target(&r, err);
    if (result == 0) {
        bool loss, repeat;
        consequences(&r, &loss, &repeat);
        if (!wish->apply)
            describe(&r, loss, repeat);
        result = check_accepted(&r, loss, repeat, err);
    }
    if (result == 0 && wish->apply)
        result = apply(&r, err);
    pg_close(r.sql);
    arena_fini(&r.arena);
    return result;
}
