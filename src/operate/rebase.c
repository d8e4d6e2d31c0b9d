/* operate/rebase: the mend of a refusal. It looks, says what going on would lose or repeat, and
 * only with that accepted takes the relay over and writes a record that says so.
 *
 * The position may go back: the generation grows, so (generation, position) still increases (I3). A
 * record that cannot be read counts as an unknown position. */
#include "operate/command.h"
#include "operate/upgraded.h"

#include "base/clock.h"
#include "base/waits.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct rebase {
    const struct command_options *o;
    const struct rebase_options *wish;
    struct command_ends ends;
    struct found found;  /* found.progress: what the rebase is measured against */
    bool known;          /* that is a readable record of this system */
    uint64_t target_lsn; /* 0 for a new origin until it exists */
    struct router *router;
    struct published published; /* what is sent from now on */
    struct error unfit;         /* with a kind: that is not what the routes need */
    bool reads_less;            /* the publication of change routes is younger than the position */
    uint64_t more_from;         /* from where on it can be read through; 0: not known */
};

static bool decides(const struct rebase *r)
{
    return r->wish->target == REBASE_GUARD || r->wish->target == REBASE_ANEW;
}

static bool is_unreadable(const struct error *err)
{
    return err->reason == REASON_PROGRESS_UNREADABLE || err->reason == REASON_PROGRESS_REGRESSED ||
           err->reason == REASON_PROGRESS_NEWER || err->reason == REASON_PROGRESS_FORGED;
}

/* The origin first: beside a running relay progress that is read later is never behind it. */
static int look(struct rebase *r, struct error *err)
{
    struct found *f = &r->found;
    struct origin *origin = r->ends.r.origin;
    if (origin_identify(origin, &f->system, err) < 0 || origin_look(origin, &f->origin, err) < 0 ||
        origin_judge(origin, ORIGIN_IS_OURS, f, err) < 0)
        return -1;
    int result = relay_look(&r->ends.r, f, err);
    /* A commit that was answered may not be visible yet, beside a running relay. */
    if (result == 0 && f->have_progress && f->origin.confirmed_lsn > f->progress.position.lsn)
        result = relay_look_through(&r->ends.r, 0, f, err);
    if (result < 0 && !is_unreadable(err))
        return -1;
    r->known = result == 0 && found_begun(f);
    *err = ERROR_INIT;
    return 0;
}

/* Through what is there now the server may not be able to read what comes behind the position. What
 * is only of change routes can be left out until then. */
static int check_read(struct rebase *r, struct error *err)
{
    const struct config_source *source = &r->o->config->source;
    const char *missing = NULL;
    if (relay_find_missing(&r->ends.r, &r->found, &missing, err) < 0)
        return -1;
    r->reads_less = missing != NULL && strcmp(missing, source->changes.text) == 0;
    if (missing == NULL || r->reads_less)
        return 0;
    return relay_refuse_gone(&r->ends.r, source, missing, &r->found, r->found.origin.current_lsn,
                             err);
}

/* The position stays; it must be one that can be gone on from. */
static int check_guard(struct rebase *r, struct error *err)
{
    r->target_lsn = r->found.progress.position.lsn;
    if (r->known)
        return origin_judge(r->ends.r.origin, ORIGIN_MAY_GO_ON, &r->found, err) < 0
                   ? -1
                   : check_read(r, err);
    error_stop(err, REASON_NOT_SET_UP, "there is no progress that could be kept");
    return error_mend(err, "rebase --to %s --accept-repeat", r->ends.r.origin->ops->here);
}

static int find_target(struct rebase *r, struct error *err)
{
    const struct origin *origin = r->ends.r.origin;
    const struct found_origin *at = &r->found.origin;
    if (r->wish->target == REBASE_ANEW)
        return 0;
    if (!at->present || at->lost || at->confirmed_lsn == 0) {
        error_stop(err, REASON_SLOT_UNUSABLE, "%s does not exist or is lost", origin->name);
        return error_mend(err, "rebase --to %s --accept-loss", origin->ops->anew);
    }
    r->target_lsn = at->confirmed_lsn;
    if (r->wish->target == REBASE_HERE)
        return 0;
    if (r->wish->target == REBASE_GUARD)
        return check_guard(r, err);
    r->target_lsn = r->wish->lsn;
    char low[LSN_TEXT_MAX], high[LSN_TEXT_MAX], wanted[LSN_TEXT_MAX];
    if (r->target_lsn < at->confirmed_lsn || r->target_lsn > at->current_lsn) {
        error_stop(err, REASON_LSN_OUT_OF_RANGE, "%s can start from %s to %s, not from %s",
                   origin->name, lsn_format(at->confirmed_lsn, low),
                   lsn_format(at->current_lsn, high), lsn_format(r->target_lsn, wanted));
        return error_hint(err, "give an LSN of that range");
    }
    return 0;
}

static int check_target(struct rebase *r, struct error *err)
{
    if (find_target(r, err) < 0)
        return -1;
    return r->wish->old.end_lsn != 0
               ? rebase_check_upgraded(r->ends.r.origin, &r->found, r->known, r->o, r->wish, err)
               : 0;
}

static bool is_other_history(const struct rebase *r)
{
    const struct progress *before = &r->found.progress;
    const struct pg_system *system = &r->found.system;
    return r->known && (before->system_identifier != system->system_identifier ||
                        before->timeline != system->timeline);
}

/* What going on at the target means. */
static void consequences(const struct rebase *r, bool *loss, bool *repeat)
{
    const struct progress *before = &r->found.progress;
    bool anew = r->wish->target == REBASE_ANEW;
    bool other = is_other_history(r);
    bool guard = r->wish->target == REBASE_GUARD;
    *loss = *repeat = false;
    if (r->wish->old.end_lsn != 0) /* check_target() has proved it */
        return;
    *loss = other || anew || guard || (r->known && r->target_lsn > before->position.lsn);
    /* What is done of a split transaction is done behind the position. */
    bool part =
        !guard && before->partial.final_lsn != 0 && r->target_lsn <= before->partial.final_lsn;
    *repeat = !other && !anew && (!r->known || part || r->target_lsn < before->position.lsn);
}

/* Which rows, as far as it is known: nothing may have changed, or anything. */
static void describe_lost(const struct rebase *r)
{
    struct published lost;
    struct error why = ERROR_INIT;
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    const struct published_options options = {.router = r->router, .source = &r->o->config->source};
    if (relay_check_published(&r->ends.r, &options, &r->found, &lost, &why) < 0 &&
        why.reason == REASON_PUBLICATION_CHANGED)
        command_say(r->o->out,
                    "what has changed: %s\nLOSS: rows that were written between %s and %s, while "
                    "they were not sent, will never be published",
                    lost.what, lsn_format(lost.lost_lsn, from), lsn_format(lost.now.end_lsn, to));
    else
        command_say(r->o->out, "LOSS: rows that were written while the publication did not send "
                               "them will never be published");
}

static void describe(const struct rebase *r, bool loss, bool repeat)
{
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    struct buf *out = r->o->out;
    const struct found *f = &r->found;
    uint64_t now_lsn = f->origin.current_lsn != 0 ? f->origin.current_lsn : f->system.flush_lsn;
    if (r->known)
        command_say(out, "progress stands at %s", lsn_format(f->progress.position.lsn, from));
    else
        command_say(out, "progress is not known");
    if (r->wish->target == REBASE_ANEW)
        command_say(out, "a new %s begins at the present end of the write-ahead log (now %s)",
                    r->ends.r.origin->ops->noun, lsn_format(now_lsn, to));
    else
        command_say(out, "the relay would go on from %s", lsn_format(r->target_lsn, to));
    if (r->wish->target == REBASE_GUARD)
        describe_lost(r);
    else if (loss)
        command_say(out, "LOSS: events committed before that and not published yet will never be "
                         "published");
    if (repeat)
        command_say(out,
                    "REPEAT: events committed after that and published already will be "
                    "published again%s",
                    r->ends.r.origin->ops->mode == PROGRESS_POLL &&
                            config_retains(&r->o->config->retention)
                        ? ", but for rows that retention has deleted"
                        : "");
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
    const struct origin_ops *origin = r->ends.r.origin->ops;
    char to[LSN_TEXT_MAX + 8], lsn[LSN_TEXT_MAX];
    snprintf(to, sizeof to, "%s",
             r->wish->target == REBASE_ANEW    ? origin->anew
             : r->wish->target == REBASE_GUARD ? "guard"
                                               : origin->here);
    if (r->wish->target == REBASE_LSN)
        snprintf(to, sizeof to, "lsn:%s", lsn_format(r->wish->lsn, lsn));
    return error_mend(err, "rebase --to %s%s%s", to,
                      loss || r->wish->accept_loss ? " --accept-loss" : "",
                      repeat || r->wish->accept_repeat ? " --accept-repeat" : "");
}

/* ---- Doing it ---- */

/* What belongs to a position that stays. */
static void keep_place(const struct progress *before, struct progress *record)
{
    record->xid = before->xid;
    record->partial = before->partial;
    record->position.seq = before->position.seq;
    record->resume = before->resume;
    record->last = before->last;
    if (strcmp(record->config_hash, before->config_hash) != 0)
        record->last.lsn = 0; /* as in a claim */
    record->skip_count = before->skip_count;
    memcpy(record->skips, before->skips, sizeof record->skips);
}

/* Only who says `guard`, or begins anew, decides about what was sent in between. On another history
 * nothing that is known of the catalogue counts. */
static bool keeps_published(const struct rebase *r)
{
    return r->known && !decides(r) && !is_other_history(r) &&
           r->found.progress.fingerprint.hash[0] != '\0';
}

/* A transaction that was open when the publication was made may have written before. So all that
 * had begun at one look must be over at another. */
#define MORE_WAIT_US (INT64_C(20) * US_PER_S)
#define MORE_LOOK_US (INT64_C(200) * US_PER_MS)

static int find_more_from(struct rebase *r, struct error *err)
{
    const char *name = r->o->config->source.changes.text;
    uint64_t next_xid = r->published.now.next_xid;
    int64_t until_us = clock_monotonic_us() + MORE_WAIT_US;
    struct published look = r->published;
    char lsn[LSN_TEXT_MAX];
    waits_phase(log_waits(r->o->log), "until the transactions that are open now have ended");
    while (next_xid == 0 || look.now.id.xid < next_xid) {
        if (clock_monotonic_us() > until_us || (r->o->stop != NULL && atomic_load(r->o->stop))) {
            command_say(r->o->out,
                        "what publication %s alone sends is published once the transactions that "
                        "are open now have ended",
                        name);
            waits_phase(log_waits(r->o->log), "%s", "");
            return 0;
        }
        clock_sleep_us(MORE_LOOK_US);
        if (relay_take_published(&r->ends.r, r->router, &look, err) < 0)
            return -1;
        next_xid = next_xid != 0 ? next_xid : look.now.next_xid;
    }
    waits_phase(log_waits(r->o->log), "%s", "");
    r->more_from = look.now.end_lsn;
    command_say(r->o->out, "what publication %s alone sends is published from %s on", name,
                lsn_format(r->more_from, lsn));
    return 0;
}

/* From where on the server can read through a publication stays, unless all begins anew, or it was
 * made again. */
static void keep_publications(const struct rebase *r, const struct progress *before,
                              struct progress *record)
{
    const char *changes = r->o->config->source.changes.text;
    for (uint32_t i = 0; i < before->publication_count; i++) {
        struct progress_publication kept = before->publications[i];
        bool known = false;
        for (uint32_t k = 0; k < record->publication_count; k++)
            known |= strcmp(kept.name, record->publications[k].name) == 0;
        if (r->reads_less && strcmp(kept.name, changes) == 0)
            kept.from = r->more_from;
        if (!known && kept.from != 0 && record->publication_count < PROGRESS_PUBLICATIONS_MAX)
            record->publications[record->publication_count++] = kept;
    }
}

/* The generation must outgrow a record that cannot be read: seconds since 1970 do. taken: what was
 * taken over; its progress counts where it is readable. */
static void next_record(const struct rebase *r, const struct found *taken, bool readable,
                        struct progress *record)
{
    const struct origin *origin = r->ends.r.origin;
    const char *const why[] = {[REBASE_HERE] = origin->ops->here,
                               [REBASE_ANEW] = origin->ops->anew,
                               [REBASE_LSN] = "lsn",
                               [REBASE_GUARD] = "guard"};
    command_first_record(r->o->config, origin, taken, readable, record);
    if (!readable)
        record->generation = (uint64_t)(clock_wall_us() / US_PER_S);
    command_place_record(origin, r->target_lsn, record);
    if (r->wish->target != REBASE_ANEW && readable)
        keep_publications(r, &taken->progress, record);
    if (r->wish->target == REBASE_GUARD)
        keep_place(&taken->progress, record);
    if (record->mode == PROGRESS_POLL && readable)
        relay_leave_behind(&taken->progress, record, r->o->out);
    record->rebased.present = true;
    record->rebased.from = r->known ? r->found.progress.position.lsn : 0;
    record->rebased.to = r->target_lsn;
    snprintf(record->rebased.why, sizeof record->rebased.why, "%s", why[r->wish->target]);
}

/* What stands there once nobody else can write. A record that cannot be read is none. */
static int recover(struct rebase *r, struct publisher *publisher, struct found *taken,
                   bool *readable, struct error *err)
{
    struct buf newest = BUF_EMPTY;
    struct buf before = BUF_EMPTY;
    struct ledger *ledger = r->ends.r.ledger;
    int result = ledger->ops->read(ledger, publisher, &newest, &before, err);
    bool forged = result < 0 && err->reason == REASON_PROGRESS_FORGED;
    if (forged)
        result = 0;
    *taken = (struct found){.system = r->found.system};
    *readable = newest.len == 0; /* none at all: generation 1 */
    if (result == 0 && newest.len > 0) {
        *readable = !forged &&
                    progress_decode(buf_span(&newest), &r->ends.arena, &taken->progress, err) == 0;
        taken->have_progress = *readable;
        if (!*readable && !is_unreadable(err))
            result = -1;
        else
            *err = ERROR_INIT;
    }
    buf_fini(&before);
    buf_fini(&newest);
    return result;
}

/* What was recovered, in the place of what was looked at: a relay that ran until now went on. Where
 * it was not known that was said, and the worst was accepted. */
static void take_found(struct rebase *r, const struct found *taken)
{
    if (!r->known)
        return;
    r->known = found_begun(taken);
    r->found.progress = taken->progress;
}

/* Behind the claim: a relay that ran until now may have moved the origin since we looked. */
static int move_origin(struct rebase *r, struct error *err)
{
    struct origin *origin = r->ends.r.origin;
    bool loss, repeat;
    if (command_release(r->o, origin, err) < 0 || origin_look(origin, &r->found.origin, err) < 0 ||
        check_target(r, err) < 0)
        return -1;
    consequences(r, &loss, &repeat);
    if (check_accepted(r, loss, repeat, err) < 0)
        return -1;
    if (r->wish->target == REBASE_ANEW &&
        origin_prepare(origin, ORIGIN_ANEW, &r->found, &r->target_lsn, err) < 0)
        return -1;
    return rebase_check_upgraded_late(origin, &r->found, r->o, r->wish, err);
}

/* What is sent from now on stands in the record. Where that is not what the routes need, a later
 * start would take what is mended by then for something that came in addition. */
static struct span sign_published(struct rebase *r, struct progress *record)
{
    struct published *p = &r->published;
    struct span note = published_sign(p, &r->ends.arena, record);
    record->guard = p->now.behind_lsn;
    if (r->unfit.kind == ERROR_NONE || record->fingerprint.hash[0] == '\0')
        return note;
    snprintf(p->what, sizeof p->what, "%.*s", (int)sizeof p->what - 1, r->unfit.text);
    p->before = p->now.text;
    p->lost_lsn = record->fingerprint.lsn;
    p->lost = true;
    return published_sign_lost(p, &r->ends.arena, record);
}

struct claiming {
    struct rebase *r;
    struct publisher **publisher;
    struct found *taken;
    bool *readable;
};

static int claim_once(void *of, struct error *err)
{
    const struct claiming *c = of;
    struct ledger *ledger = c->r->ends.r.ledger;
    publisher_close(*c->publisher, 0);
    *c->publisher = NULL;
    if (ledger->ops->take_over(ledger, c->publisher, err) < 0 ||
        recover(c->r, *c->publisher, c->taken, c->readable, err) < 0)
        return -1;
    take_found(c->r, c->taken);
    return c->taken->have_progress ? command_claim(&c->r->ends.r, *c->publisher, c->taken, err) : 0;
}

static int claim(struct rebase *r, struct publisher **publisher, struct found *taken,
                 bool *readable, struct error *err)
{
    struct claiming claiming = {r, publisher, taken, readable};
    return command_claim_until(claim_once, &claiming, err);
}

static int rebase(struct rebase *r, struct publisher **publisher, struct error *err)
{
    struct found taken;
    bool readable = false;
    if (claim(r, publisher, &taken, &readable, err) < 0)
        return -1;
    if (relay_take_published(&r->ends.r, r->router, &r->published, err) < 0 ||
        move_origin(r, err) < 0 || (r->reads_less && find_more_from(r, err) < 0))
        return -1;
    struct progress record;
    next_record(r, &taken, readable, &record);
    struct span note = span_null();
    if (keeps_published(r)) {
        record.fingerprint = r->found.progress.fingerprint;
        record.guard = r->found.progress.guard;
    } else {
        note = sign_published(r, &record);
    }
    return relay_write_record(&r->ends.r, *publisher, &record, note, err);
}

static int apply(struct rebase *r, struct error *err)
{
    struct publisher *publisher = NULL;
    log_event(r->o->log, LOG_WARN, "rebase.taking_over", "relay", r->o->config->name.text, "detail",
              "an instance of this relay that still runs is fenced now: it ends with exit code 4",
              NULL);
    int result = kafka_prepare_topics(&r->ends.ledger.options, NULL, 0, true, NULL, NULL, err);
    if (result == 0)
        result = rebase(r, &publisher, err);
    publisher_close(publisher, 0);
    if (result == 0) {
        char to[LSN_TEXT_MAX];
        command_say(r->o->out, "rebased: the relay goes on from %s", lsn_format(r->target_lsn, to));
    }
    return result;
}

/* Who decides about what was not sent must not be asked again for what is not sent yet. A new
 * origin can be wanted before setup can mend the rest. */
static int check_fit(struct rebase *r, struct error *err)
{
    r->unfit = ERROR_INIT;
    int fit = origin_check(r->ends.r.origin, &r->found.system, r->router, false, &r->unfit);
    if (fit == 0 || (r->unfit.kind == ERROR_STOP && r->wish->target != REBASE_GUARD))
        return 0;
    *err = r->unfit;
    return -1;
}

/* Each way of getting changes has words of its own for where it may begin. */
static int check_word(const struct rebase *r, struct error *err)
{
    const struct origin_ops *ops = r->ends.r.origin->ops;
    bool polls = ops->mode == PROGRESS_POLL;
    bool known = !polls;
    if (r->wish->target == REBASE_HERE || r->wish->target == REBASE_ANEW)
        known = strcmp(r->wish->to, r->wish->target == REBASE_HERE ? ops->here : ops->anew) == 0;
    if (polls && r->wish->target == REBASE_ANEW &&
        r->o->config->source.poll.strategy == POLL_CLAIM) {
        error_stop(err, REASON_USAGE,
                   "rebase: strategy: claim publishes what is pending, so it cannot begin from now "
                   "on");
        return error_hint(err, "finish the rows that are not to be published, then say %s",
                          ops->here);
    }
    if (known)
        return 0;
    error_stop(err, REASON_USAGE, "rebase: --to %s is nothing under source.mode: %s", r->wish->to,
               ops->name);
    return error_hint(err, "say %s or %s%s", ops->here, ops->anew, polls ? "" : ", guard or lsn:X");
}

int relay_rebase(const struct command_options *o, const struct rebase_options *wish,
                 struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    assert(wish->target != REBASE_LSN || wish->lsn != 0);
    struct rebase r = {.o = o, .wish = wish};
    command_ends_open(o, &r.ends);
    int result = check_word(&r, err);
    if (result == 0)
        result = relay_open_router(o->config, &r.router, err);
    if (result == 0)
        result = origin_connect(r.ends.r.origin, err);
    if (result == 0)
        result = look(&r, err);
    if (result == 0)
        result = check_fit(&r, err);
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
    router_close(r.router);
    command_ends_close(&r.ends);
    return result;
}
