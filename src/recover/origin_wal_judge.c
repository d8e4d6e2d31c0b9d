/* recover/origin_wal_judge: may a relay go on from its recorded progress with its slot on this
 * server, and may a first run make or adopt one?
 *
 * Pure: what was found goes in, a verdict comes out. The checks stand in the order in which their
 * texts help most: what is missing first, then whose it is, then where it stands. */
#include "recover/origin_wal_internal.h"

#include "base/time.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- Going on ---- */

static int judge_record(const struct wal_facts *f, struct error *err)
{
    if (!f->found->have_progress && !f->found->origin.present) {
        error_stop(err, REASON_NOT_SET_UP,
                   "relay %s has neither progress in topic %s nor slot %s: it has not been set up",
                   f->relay, f->topic, f->slot_name);
        return error_mend(err, "setup");
    }
    if (!f->found->have_progress) {
        error_stop(err, REASON_PROGRESS_MISSING,
                   "slot %s exists, but topic %s holds no progress of relay %s: what was published "
                   "already is not known",
                   f->slot_name, f->topic, f->relay);
        error_hint(err, "publish again from where the slot stands");
        return error_mend(err, "rebase --to slot --accept-repeat");
    }
    if (f->found->progress.mode == PROGRESS_CLOSED) {
        error_stop(err, REASON_CLOSED, "relay %s was torn down", f->relay);
        return error_mend(err, "setup");
    }
    if (f->found->progress.mode == PROGRESS_POLL) {
        struct claim_record claims;
        error_stop(err, REASON_MODE_CHANGED,
                   "progress of relay %s was recorded under source.mode: poll, the file says wal",
                   f->relay);
        if (!claim_resume_read(f->found->progress.resume, &claims)) {
            error_hint(err, "move the relay over, without a gap or a repeat; or restore the file");
            return error_mend(err, "setup --switch-to wal");
        }
        error_hint(err, "begin with a new slot (what is committed before it is made, and was not "
                        "published, never will be)");
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    if (f->found->progress.mode == PROGRESS_INTENT) {
        error_stop(err, REASON_SETUP_UNFINISHED, "the setup of relay %s has not finished",
                   f->relay);
        error_hint(err, "it goes on where it stopped");
        return error_mend(err, "setup");
    }
    return 0;
}

static int judge_server(const struct wal_facts *f, struct error *err)
{
    const struct progress *p = &f->found->progress;
    if (p->system_identifier != f->found->system.system_identifier) {
        error_stop(err, REASON_OTHER_SYSTEM,
                   "progress is of the database system %" PRIu64 ", this server is %" PRIu64,
                   p->system_identifier, f->found->system.system_identifier);
        error_hint(err, "connect to the right server; or, where this one comes from it by "
                        "pg_upgrade, say rebase --upgraded "
                        "(docs/TASKS.md); or start anew on this one");
        return error_mend(err, "rebase --to %s --accept-loss",
                          !f->found->origin.present ? "new-slot" : "slot");
    }
    if (p->timeline == f->found->system.timeline)
        return 0;
    /* What is half published must be whole in the history, too. */
    if (f->timeline_switch != 0 && p->position.lsn <= f->timeline_switch &&
        (p->partial.final_lsn == 0 || p->partial.final_lsn < f->timeline_switch))
        return 0;
    char at[LSN_TEXT_MAX];
    error_stop(err, REASON_TIMELINE_CHANGED,
               "the server is on timeline %" PRIu32 " and its history does not hold position %s of "
               "timeline %" PRIu32 ": a tail of the write-ahead log was lost in a failover, or the "
               "relay ran while the standby that it reads from was promoted",
               f->found->system.timeline, lsn_format(p->position.lsn, at), p->timeline);
    error_hint(err, "go on from the slot");
    return error_mend(err, "rebase --to %s --accept-loss",
                      !f->found->origin.present ? "new-slot" : "slot");
}

/* A failover is under way, or this is a standby: the next connection may reach the primary. */
static int in_recovery(const struct wal_facts *f, const char *what, struct error *err)
{
    error_retry(err, REASON_IN_RECOVERY, "the server is in recovery, and %s %s", what,
                f->slot_name);
    return error_hint(err,
                      "point source.connection at the primary (target_session_attrs=read-write)");
}

int wal_judge_place(const struct wal_facts *f, struct error *err)
{
    const struct found_origin *slot = &f->found->origin;
    const char *database = f->found->system.database;
    if (!slot->present)
        return 0;
    if (strcmp(slot->kind, "pgoutput") != 0) {
        error_stop(err, REASON_SLOT_PLUGIN, "slot %s has the plugin %s, not pgoutput", f->slot_name,
                   slot->kind[0] != '\0' ? slot->kind : "(physical)");
        return error_hint(err, "name another slot in source.slot");
    }
    if (strcmp(slot->database, database) != 0) {
        error_stop(err, REASON_SLOT_DATABASE,
                   "slot %s belongs to database %s, the connection is to %s", f->slot_name,
                   slot->database, database);
        return error_hint(err, "name that database in source.connection, or another slot");
    }
    return 0;
}

static int judge_slot(const struct wal_facts *f, struct error *err)
{
    const struct found_origin *slot = &f->found->origin;
    char at[LSN_TEXT_MAX];
    lsn_format(f->found->progress.position.lsn, at);
    if (!slot->present && f->found->system.in_recovery)
        return in_recovery(f, "it does not have slot", err);
    if (!slot->present) {
        error_stop(
            err, REASON_SLOT_MISSING,
            "slot %s does not exist, but progress stands at %s: changes since then may be gone",
            f->slot_name, at);
        error_hint(err, "go on with a new slot");
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    if (wal_judge_place(f, err) < 0)
        return -1;
    if (slot->lost) {
        error_stop(err, REASON_SLOT_LOST,
                   "slot %s is lost: the server has removed write-ahead log that it needs "
                   "(max_slot_wal_keep_size)",
                   f->slot_name);
        error_hint(err, "go on with a new slot");
        return error_mend(err, "rebase --to new-slot --accept-loss");
    }
    if (slot->confirmed_lsn == 0)
        return error_retry(err, REASON_SLOT_IN_CREATION, "slot %s is still being created",
                           f->slot_name);
    return 0;
}

static int judge_position(const struct wal_facts *f, struct error *err)
{
    const struct found_origin *slot = &f->found->origin;
    const struct progress *p = &f->found->progress;
    char at[LSN_TEXT_MAX];
    char other[LSN_TEXT_MAX];
    lsn_format(p->position.lsn, at);
    if (slot->confirmed_lsn > p->position.lsn) {
        error_stop(err, REASON_SLOT_AHEAD,
                   "slot %s was advanced to %s behind our back, progress stands at %s: changes "
                   "between them are gone",
                   f->slot_name, lsn_format(slot->confirmed_lsn, other), at);
        error_hint(err, "go on behind the gap");
        return error_mend(err, "rebase --to slot --accept-loss");
    }
    if (p->position.lsn > slot->current_lsn && f->found->system.in_recovery)
        return in_recovery(f, "it has not replayed as far as the progress of slot", err);
    if (p->position.lsn > slot->current_lsn) {
        error_stop(
            err, REASON_POSITION_IN_FUTURE,
            "progress stands at %s, but the write-ahead log of the server ends at %s: it was "
            "restored to an earlier time",
            at, lsn_format(slot->current_lsn, other));
        error_hint(err, "go on from the slot");
        return error_mend(err, "rebase --to slot --accept-repeat");
    }
    if (p->partial.final_lsn != 0 && strcmp(p->config_hash, f->config_hash) != 0) {
        error_stop(err, REASON_PARTIAL_CONFIG_CHANGED,
                   "a split transaction is half published and the configuration of routes, "
                   "publication or slot has changed since");
        return error_hint(err,
                          "restore the file with which it began (config hash %s), let the "
                          "transaction end, then change it",
                          p->config_hash);
    }
    return 0;
}

/* Files that were put back to an earlier time and written to since are the same system on the same
 * timeline, and they reach beyond the position; but what was published last did not happen there.
 */
static int judge_history(const struct wal_facts *f, struct error *err)
{
    const struct progress *p = &f->found->progress;
    const struct pg_fate *fate = &f->fate;
    /* In a session with a replication origin that was given no time, the log has the epoch and the
     * catalogue the clock (PostgreSQL 15, xact.c, RecordTransactionCommit). */
    bool have_times = fate->commit_at_us != 0 && p->last.commit_at_us != 0 &&
                      p->last.commit_at_us != POSTGRES_EPOCH_US;
    bool other_time = have_times && fate->commit_at_us != p->last.commit_at_us;
    const char *what = fate->outcome == PG_FATE_FUTURE    ? "this server has not got as far as that"
                       : fate->outcome == PG_FATE_ABORTED ? "this server rolled it back"
                       : other_time ? "this server committed another one under that id"
                                    : NULL;
    if (what == NULL)
        return 0;
    char at[LSN_TEXT_MAX];
    error_stop(err, REASON_HISTORY_CHANGED,
               "transaction %" PRIu64 " was published last, but %s: it was restored to an earlier "
               "time, and what it wrote since below position %s was never published",
               p->last.xid8, what, lsn_format(p->position.lsn, at));
    error_hint(err, "go on from the slot");
    return error_mend(err, "rebase --to slot --accept-repeat");
}

struct stream_witness wal_witness(const struct progress *p, uint64_t confirmed_lsn)
{
    assert(confirmed_lsn <= p->position.lsn && p->last.lsn <= p->position.lsn);
    if (p->last.lsn == 0)
        return (struct stream_witness){.from_lsn = 0};
    bool held = p->last.lsn >= confirmed_lsn;
    struct stream_witness witness = {.from_lsn = held ? p->last.lsn : confirmed_lsn,
                                     .confirmed_lsn = confirmed_lsn};
    if (held && p->last.xid != 0) {
        witness.final_lsn = p->last.lsn;
        witness.xid = p->last.xid;
        witness.commit_time_us = p->last.commit_at_us;
    }
    return witness;
}

int wal_judge_start(const struct wal_facts *facts, struct error *err)
{
    assert(facts->found != NULL);
    assert(facts->relay != NULL && facts->slot_name != NULL && facts->config_hash != NULL);
    if (judge_record(facts, err) < 0 || judge_server(facts, err) < 0 || judge_slot(facts, err) < 0)
        return -1;
    if (judge_position(facts, err) < 0)
        return -1;
    return judge_history(facts, err);
}

/* ---- The first run ---- */

static int refuse_foreign(struct error *err)
{
    error_hint(err, "drop the slot if nobody needs it, or publish from where it stands");
    return error_mend(err, "rebase --to slot --accept-repeat");
}

/* An intent on another server says nothing about the slots of this one. */
static bool has_intent(const struct wal_facts *f)
{
    const struct progress *p = &f->found->progress;
    return f->found->have_progress && p->mode == PROGRESS_INTENT &&
           p->system_identifier == f->found->system.system_identifier &&
           strcmp(p->slot, f->slot_name) == 0;
}

int wal_judge_first(const struct wal_facts *f, struct error *err)
{
    assert(f->found != NULL && f->slot_name != NULL);
    if (has_intent(f) || !f->found->origin.present)
        return 0;
    error_stop(err, REASON_SLOT_WITHOUT_PROGRESS,
               "slot %s exists already, but relay %s has no progress: whose it is and what was "
               "published from it is not known",
               f->slot_name, f->relay);
    return refuse_foreign(err);
}

int wal_judge_adoption(const struct wal_facts *f, struct error *err)
{
    const struct found_origin *slot = &f->found->origin;
    const struct found_holder *holder = &slot->holder;
    assert(slot->present);
    if (holder->present && slot->confirmed_lsn == 0)
        return error_retry(err, REASON_SLOT_IN_CREATION,
                           "slot %s is still being created by process "
                           "%" PRId32,
                           f->slot_name, holder->pid);
    if (holder->present)
        return error_retry(err, REASON_SLOT_ACTIVE, "slot %s is in use by process %" PRId32,
                           f->slot_name, holder->pid);
    if (slot->confirmed_lsn >= f->found->progress.position.lsn)
        return 0;
    error_stop(err, REASON_SLOT_WITHOUT_PROGRESS,
               "slot %s is older than the setup of relay %s: it is not ours", f->slot_name,
               f->relay);
    return refuse_foreign(err);
}
