/* operate/switch: a relay goes from one source.mode to the other, see operate.h.
 *
 *   look    nothing is changed, and what would be refused later is refused here
 *   cut     the relay is claimed (S1); then the cut is made: a place C in the WAL and the snapshot
 *           S of what had committed before it (S2)
 *   drain   what precedes C still comes the former way, and nothing else (S3)
 *   finish  one record says: this mode, from C and S on (S4); then what the former one has at the
 *           server goes
 *
 * Up to that record the former mode is in force, and it goes on from wherever it stands; C and S
 * are made anew. What was made at the server for nothing is known by slot_from in the record, which
 * is written before it is made; so is what outlives the record of the new mode. */
#include "operate/command.h"

#include "base/clock.h"
#include "base/crash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct switch_over {
    struct command_options o;
    struct config_relay former;
    struct command_ends ends;   /* in the mode of the file */
    struct command_ends before; /* in the former one */
    struct router *router;
    struct found found;
    struct published published; /* to wal: from before the cut */
    enum switch_need need;
    uint64_t lsn; /* of the cut; 0: none was made */
    struct buf snapshot;
};

static bool polls_from_now_on(const struct switch_over *s)
{
    return s->o.config->source.mode == SOURCE_POLL;
}

static const char *mode_name(enum source_mode mode)
{
    return mode == SOURCE_POLL ? "poll" : "wal";
}

/* ---- Looking ---- */

static int refuse(struct error *err, const char *why, const char *hint)
{
    error_stop(err, REASON_SWITCH_REFUSED, "setup --switch-to: %s", why);
    return error_hint(err, "%s", hint);
}

static int check_record(const struct switch_over *s, struct error *err)
{
    const struct found *f = &s->found;
    if (!found_begun(f)) {
        error_stop(err, REASON_NOT_SET_UP,
                   "relay %s has no progress that could be switched: it begins in the mode of the "
                   "file",
                   s->o.config->name.text);
        return error_mend(err, "setup");
    }
    if (f->progress.command.present)
        return refuse(err, "a command to the relay is under way",
                      "let the relay end it, then switch");
    return 0;
}

/* Which rows are done stands in the table itself there, and cannot be told as of a snapshot. */
static int check_claims(const struct switch_over *s, struct error *err)
{
    struct claim_record record;
    bool claimed = claim_resume_read(s->found.progress.resume, &record);
    if (!claimed && s->o.config->source.poll.strategy != POLL_CLAIM)
        return 0;
    return refuse(
        err,
        "strategy: claim marks in the table what is done, and a cut by a snapshot knows nothing "
        "of that",
        "switch by strategy: snapshot, or stop the writers, let the relay publish what is pending, "
        "tear it down and set it up anew");
}

/* Polling them comes to nothing, and they are drained by it. */
static int check_routes(const struct switch_over *s, struct error *err)
{
    const struct config_routes *routes = &s->o.config->routes;
    bool more = s->o.config->delivery.transaction_metadata ||
                s->o.config->dead_letter.quarantine != QUARANTINE_NONE;
    for (uint32_t i = 0; i < routes->count; i++)
        more |= routes->items[i].as != ROUTE_OUTBOX ||
                strpbrk(routes->items[i].from.text, "*?:") != NULL;
    if (!more || polls_from_now_on(s))
        return 0;
    return refuse(err, "the file asks for more than the polling relay could do until now",
                  "switch with the outbox routes on named tables alone; then add change and event "
                  "routes, routes of messages or globs, quarantine and transaction_metadata");
}

/* In the former mode, as a start would be judged. */
static int check_former(struct switch_over *s, struct error *err)
{
    struct recovery *r = &s->before.r;
    const struct published_options options = {.router = s->router, .source = &s->former.source};
    struct published now;
    if (origin_connect(r->origin, err) < 0 || relay_judge(r, true, &s->found, err) < 0)
        return -1;
    if (s->found.system.in_recovery) {
        error_stop(err, REASON_IN_RECOVERY,
                   "source.connection leads to a standby, and a relay is switched on its primary");
        return error_hint(err, "name the primary (target_session_attrs=read-write)");
    }
    if (origin_check(r->origin, &s->found.system, s->router, false, err) < 0)
        return -1;
    return relay_check_published(r, &options, &s->found, &now, err);
}

static int check_new(struct switch_over *s, struct error *err)
{
    struct origin *origin = s->ends.r.origin;
    if (origin_check(origin, &s->found.system, s->router, true, err) < 0)
        return -1;
    if (origin->advice[0] != '\0')
        command_say(s->o.out, "warning: %s", origin->advice);
    if (!polls_from_now_on(s) && relay_check_left(origin, &s->found, err) < 0)
        return -1;
    return relay_check_cut(origin->sql, !polls_from_now_on(s) && s->found.origin.present, err);
}

/* What the former mode may have left: only the record tells. */
static void find_need(struct switch_over *s, enum switch_need *need)
{
    const struct progress *p = &s->found.progress;
    bool same = p->mode == s->ends.r.origin->ops->mode;
    *need = !same ? SWITCH_ALL : p->slot_from != 0 ? SWITCH_CLEAN_UP : SWITCH_NOTHING;
    s->need = *need;
    if (*need == SWITCH_NOTHING)
        command_say(s->o.out, "relay %s is in source.mode: %s already: nothing to do",
                    s->o.config->name.text, mode_name(s->o.config->source.mode));
    else if (*need == SWITCH_CLEAN_UP)
        command_say(s->o.out,
                    "relay %s is in source.mode: poll already; of a switch that was interrupted "
                    "%s may be left",
                    s->o.config->name.text, s->before.r.origin->name);
}

static int look(struct switch_over *s, enum switch_need *need, struct error *err)
{
    if (relay_check_connection(s->o.config, err) < 0 ||
        relay_open_router(s->o.config, &s->router, err) < 0 ||
        origin_connect(s->ends.r.origin, err) < 0 ||
        relay_look_through(&s->ends.r, 0, &s->found, err) < 0 || check_record(s, err) < 0)
        return -1;
    find_need(s, need);
    const struct command_ends *streams = polls_from_now_on(s) ? &s->before : &s->ends;
    if (relay_check_left_name(streams->r.origin, &s->found.progress, err) < 0)
        return -1;
    if (*need == SWITCH_CLEAN_UP)
        return origin_connect(s->before.r.origin, err);
    if (*need == SWITCH_NOTHING)
        return 0;
    if (check_claims(s, err) < 0 || check_routes(s, err) < 0 || check_former(s, err) < 0)
        return -1;
    return check_new(s, err);
}

int relay_switch_open(const struct command_options *o, enum source_mode to,
                      struct switch_over **switch_over, enum switch_need *need, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    enum source_mode said = o->config->source.mode;
    if (said != to) {
        error_stop(err, REASON_USAGE, "setup: --switch-to %s, but the file says source.mode: %s",
                   mode_name(to), mode_name(said));
        return error_hint(err, "change the file first: it says how the relay is to go on");
    }
    struct switch_over *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->o = *o;
    s->former = *o->config;
    s->former.source.mode = to == SOURCE_POLL ? SOURCE_WAL : SOURCE_POLL;
    struct command_options former = *o;
    former.config = &s->former;
    command_ends_open(&s->o, &s->ends);
    command_ends_open(&former, &s->before);
    *switch_over = s;
    return look(s, need, err);
}

const struct config_relay *relay_switch_former(const struct switch_over *s)
{
    return &s->former;
}

void relay_switch_close(struct switch_over *s)
{
    if (s == NULL)
        return;
    router_close(s->router);
    command_ends_close(&s->ends);
    command_ends_close(&s->before);
    buf_fini(&s->snapshot);
    free(s);
}

/* ---- The cut ---- */

static int ensure_publication(const struct switch_over *s, const char *admin_connection,
                              struct error *err)
{
    const struct config_relay *config = s->o.config;
    struct pg_connection *admin = NULL;
    if (admin_connection == NULL)
        return relay_ensure_publication(s->ends.r.origin->sql, config, s->router, true, s->o.out,
                                        err);
    int result = command_open_admin(&s->o, admin_connection, &s->found.system, &admin, err);
    if (result == 0)
        result = relay_ensure_publication(admin, config, s->router, true, s->o.out, err);
    pg_close(admin);
    return result;
}

static int claim_once(void *of, struct error *err)
{
    struct switch_over *s = of;
    struct publisher *publisher = NULL;
    struct progress *p = &s->found.progress;
    int result = relay_take_over(&s->before.r, &publisher, &s->found, err);
    if (result == 0 && p->mode != s->before.r.origin->ops->mode)
        result = error_retry(err, REASON_PROGRESS_MOVED, "the relay was switched by somebody else");
    if (result == 0)
        result = check_record(s, err);
    if (result == 0 && !polls_from_now_on(s) && !s->found.origin.present)
        relay_sign_left(p, s->ends.r.origin->label, s->found.system.flush_lsn);
    if (result == 0)
        result = command_claim(&s->before.r, publisher, &s->found, err);
    publisher_close(publisher, 0);
    return result;
}

/* What a relay that ran until now did since the look is in the record. */
static int claim(struct switch_over *s, struct error *err)
{
    log_event(s->o.log, LOG_WARN, "switch.taking_over", "relay", s->o.config->name.text, "detail",
              "an instance of this relay that still runs is fenced now: it ends with exit code 4",
              NULL);
    return command_claim_until(claim_once, s, err);
}

static int drop(const struct switch_over *s, struct origin *origin, struct error *err)
{
    uint64_t place;
    if (command_release(&s->o, origin, err) < 0)
        return -1;
    return origin_prepare(origin, ORIGIN_GONE, &s->found, &place, err);
}

static int cut_to_poll(struct switch_over *s, struct error *err)
{
    char name[64], chance[33];
    relay_instance(chance); /* one that was killed may still wait at the server by its name */
    snprintf(name, sizeof name, "walferry_%.40s_%.8s", s->o.config->name.text, chance);
    if (command_release(&s->o, s->before.r.origin, err) < 0)
        return -1;
    return relay_cut(&s->o, s->before.r.origin->sql, name, false, &s->lsn, &s->snapshot, err);
}

static int cut_to_wal(struct switch_over *s, struct error *err)
{
    struct origin *origin = s->ends.r.origin;
    if (relay_take_published(&s->ends.r, s->router, &s->published, err) < 0)
        return -1;
    if (s->found.origin.present && drop(s, origin, err) < 0)
        return -1;
    return relay_cut(&s->o, origin->sql, origin->label, true, &s->lsn, &s->snapshot, err);
}

int relay_switch_cut(struct switch_over *s, const char *admin_connection, struct source_end *end,
                     struct error *err)
{
    assert(s->need == SWITCH_ALL && s->lsn == 0);
    if (!polls_from_now_on(s) && ensure_publication(s, admin_connection, err) < 0)
        return -1;
    if (claim(s, err) < 0)
        return -1;
    CRASH_POINT("S1");
    int result = polls_from_now_on(s) ? cut_to_poll(s, err) : cut_to_wal(s, err);
    if (result < 0)
        return -1;
    CRASH_POINT("S2");
    *end = (struct source_end){.lsn = s->lsn, .snapshot = buf_span(&s->snapshot)};
    char at[LSN_TEXT_MAX];
    command_say(s->o.out, "cut: at %s; what committed before it comes by %s, the rest by %s",
                lsn_format(s->lsn, at), mode_name(s->former.source.mode),
                mode_name(s->o.config->source.mode));
    return 0;
}

/* ---- The end ---- */

/* Exactly what precedes the cut is published. */
static int check_drained(const struct switch_over *s, struct error *err)
{
    const struct progress *p = &s->found.progress;
    struct buf prev = BUF_EMPTY;
    uint64_t xmax;
    bool drained = s->found.have_progress && p->mode == s->before.r.origin->ops->mode &&
                   p->partial.final_lsn == 0 && !p->command.present;
    if (drained && polls_from_now_on(s))
        drained = p->position.lsn == s->lsn;
    else if (drained)
        drained = poll_resume_read(p->resume, &prev, &xmax) &&
                  span_equal(buf_span(&prev), buf_span(&s->snapshot));
    buf_fini(&prev);
    if (drained)
        return 0;
    error_retry(err, REASON_PROGRESS_MOVED,
                "the relay does not stand at the cut: somebody else has gone on with it");
    return error_hint(err, "stop every instance of the relay, then run the command again");
}

/* Made before the cut, so it can be read through from there on. */
static int add_changes(const struct switch_over *s, struct progress *record, struct error *err)
{
    const char *name = s->o.config->source.changes.text;
    struct pg_result *r = NULL;
    if (pg_query(s->ends.r.origin->sql, "SELECT FROM pg_catalog.pg_publication WHERE pubname = $1",
                 1, &name, &r, err) < 0)
        return -1;
    bool exists = pg_result_rows(r) > 0;
    pg_result_free(r);
    if (!exists || record->publication_count == PROGRESS_PUBLICATIONS_MAX)
        return 0;
    struct progress_publication *added = &record->publications[record->publication_count++];
    *added = (struct progress_publication){.from = s->lsn};
    snprintf(added->name, sizeof added->name, "%s", name);
    return 0;
}

static int write_record(struct switch_over *s, struct publisher *publisher, struct error *err)
{
    struct progress record;
    struct span note = span_null();
    struct buf resume = BUF_EMPTY;
    const struct origin *origin = s->ends.r.origin;
    const struct progress *before = &s->found.progress;
    command_first_record(s->o.config, origin, &s->found, true, &record);
    if (polls_from_now_on(s)) {
        poll_resume_write(buf_span(&s->snapshot), &resume);
        record.resume = arena_copy(&s->ends.arena, buf_span(&resume));
        record.slot_from = 1;
    }
    buf_fini(&resume);
    command_place_record(origin, s->lsn, &record);
    record.rebased.present = true;
    record.rebased.from = before->position.lsn;
    record.rebased.to = s->lsn;
    snprintf(record.rebased.why, sizeof record.rebased.why, "switched");
    if (!polls_from_now_on(s)) {
        if (add_changes(s, &record, err) < 0)
            return -1;
        note = published_sign(&s->published, &s->ends.arena, &record);
    }
    if (before->skip_count > 0)
        command_say(s->o.out,
                    "warning: %" PRIu32 " changes that were to be passed over have other "
                    "ids now; say so again where they are met",
                    before->skip_count);
    if (relay_write_record(&s->ends.r, publisher, &record, note, err) < 0)
        return error_wrap(err, "recording the switch");
    s->found.progress = record;
    return 0;
}

/* The record does not speak of it any more once it is gone. */
static int clean_up(struct switch_over *s, struct publisher *publisher, struct error *err)
{
    if (drop(s, s->before.r.origin, err) < 0)
        return -1;
    s->found.progress.slot_from = 0;
    return command_claim(&s->ends.r, publisher, &s->found, err);
}

static int finish(struct switch_over *s, struct publisher *publisher, struct error *err)
{
    if (s->need == SWITCH_ALL) {
        if (check_drained(s, err) < 0)
            return -1;
        CRASH_POINT("S3");
        if (write_record(s, publisher, err) < 0)
            return -1;
        CRASH_POINT("S4");
        command_say(s->o.out, "switched: the relay goes on by %s",
                    mode_name(s->o.config->source.mode));
    } else if (s->found.progress.mode != PROGRESS_POLL || s->found.progress.slot_from == 0) {
        return 0; /* somebody else was quicker */
    }
    return polls_from_now_on(s) ? clean_up(s, publisher, err) : 0;
}

int relay_switch_finish(struct switch_over *s, struct error *err)
{
    struct publisher *publisher = NULL;
    assert(s->need != SWITCH_NOTHING && (s->need == SWITCH_CLEAN_UP || s->lsn != 0));
    int result = relay_take_over(&s->ends.r, &publisher, &s->found, err);
    if (result == 0)
        result = finish(s, publisher, err);
    publisher_close(publisher, 0);
    return result;
}
