/* recover/origin_wal_cut: the place at which a relay goes from one way of getting changes to the
 * other. A slot's consistent point is exact: the snapshot that is exported with it sees each
 * transaction whose commit record stands before it in the WAL, and no other.
 *
 * That order is not the one in which other sessions come to see transactions: a commit is in the
 * WAL before that, and for long where it waits for a synchronous standby. So one waits until they
 * see all that the snapshot does; whoever polls on from it would else give what comes into sight
 * twice, and whoever polls up to it would miss it. */
#include "recover/origin_wal_internal.h"

#include "base/clock.h"
#include "recover/recover.h"

#include <assert.h>
#include <stdio.h>

#define CREATE_SLICE_MS 1000
#define CREATE_TRIES_MAX 20
#define CREATE_AGAIN_US (500 * US_PER_MS)
#define SIGHT_LOOK_US 10000
#define SIGHT_TELL_US (2 * US_PER_S)

static bool is_asked_to_stop(const struct command_options *o)
{
    return o->stop != NULL && atomic_load(o->stop);
}

static int make_once(const struct command_options *o, struct pg_replication *replication,
                     struct pg_connection *sql, const char *slot, uint64_t *lsn, struct error *err)
{
    int64_t tell_us = 0;
    for (;;) {
        int result = pg_replication_create_slot(replication, slot, CREATE_SLICE_MS, lsn, err);
        if (result <= 0)
            return result;
        if (is_asked_to_stop(o))
            return error_retry(err, REASON_STOPPING,
                               "asked to stop before every transaction that was writing had ended");
        wal_tell_blockers(o->log, sql, slot, false, &tell_us);
    }
}

/* A snapshot holds about as many transactions as the server has sessions, and one that is exported
 * lists with those that are open, and their subtransactions, what was rolled back since the oldest
 * of them: where that is too much ("initial slot snapshot too large", SQLSTATE 40001; nothing is
 * left of the slot) another place may do. */
static int make(const struct command_options *o, struct pg_replication *replication,
                struct pg_connection *sql, const char *slot, uint64_t *lsn, struct error *err)
{
    for (int tries = 1;; tries++) {
        if (make_once(o, replication, sql, slot, lsn, err) == 0)
            return 0;
        if (err->reason != REASON_SERIALIZATION || is_asked_to_stop(o))
            return -1;
        if (tries == CREATE_TRIES_MAX)
            return error_hint(err, "too many transactions are rolled back while others stay open: "
                                   "run the command again when there are fewer of either, or "
                                   "raise max_connections");
        log_event(o->log, LOG_WARN, "switch.again", "relay", o->config->name.text, "detail",
                  err->text, NULL);
        *err = ERROR_INIT;
        clock_sleep_us(CREATE_AGAIN_US);
    }
}

/* ---- The snapshot ---- */

static int begin_with(struct pg_connection *sql, const char *name, struct error *err)
{
    struct buf set = BUF_EMPTY;
    buf_add_text(&set, "SET TRANSACTION SNAPSHOT ");
    pg_quote_literal(&set, span_of(name));
    int result = pg_exec(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    if (result == 0)
        result = pg_exec(sql, buf_text(&set), err);
    buf_fini(&set);
    return result;
}

/* Where nothing has committed since its oldest transaction was found, an exported snapshot has an
 * xmin beyond its xmax, which is no pg_snapshot to read: everything below xmin has ended. */
#define EXPORTED_SQL                                                                               \
    "SELECT CASE WHEN pg_snapshot_xmin(s) > pg_snapshot_xmax(s) THEN format('%s:%s:', "            \
    "pg_snapshot_xmin(s), pg_snapshot_xmin(s)) ELSE s::text END FROM pg_current_snapshot() AS s"

static int read_exported(struct pg_connection *sql, const char *name, struct buf *snapshot,
                         struct error *err)
{
    struct pg_result *r = NULL;
    struct error ignored = ERROR_INIT;
    int result = begin_with(sql, name, err);
    if (result == 0)
        result = pg_query(sql, EXPORTED_SQL, 0, NULL, &r, err);
    if (result == 0)
        buf_add(snapshot, pg_result_cell(r, 0, 0));
    pg_result_free(r);
    (void)pg_exec(sql, "ROLLBACK", &ignored);
    return result < 0 ? error_wrap(err, "taking the snapshot of a slot") : 0;
}

#define IN_SIGHT_SQL                                                                               \
    "SELECT pg_snapshot_xmax(now) >= pg_snapshot_xmax($1::pg_snapshot) AND NOT EXISTS (SELECT "    \
    "FROM pg_snapshot_xip(now) AS x WHERE pg_visible_in_snapshot(x, $1::pg_snapshot)) "            \
    "FROM pg_current_snapshot() AS now"

/* Backends whose transaction is in the WAL, and waits for a standby before it comes into sight. */
#define WAITING_SQL                                                                                \
    "SELECT string_agg(format('process %s (%s)', pid, coalesce(nullif(application_name, ''), "     \
    "usename)), ', ' ORDER BY pid), current_setting('synchronous_standby_names') FROM "            \
    "pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'"

static void tell_waiting(const struct command_options *o, struct pg_connection *sql)
{
    struct pg_result *r = NULL;
    struct error ignored = ERROR_INIT;
    struct buf who = BUF_EMPTY;
    if (pg_query(sql, WAITING_SQL, 0, NULL, &r, &ignored) == 0) {
        struct span waiting = pg_result_cell(r, 0, 0), standbys = pg_result_cell(r, 0, 1);
        if (waiting.ptr != NULL)
            buf_add_format(&who,
                           "commits that wait for a synchronous standby "
                           "(synchronous_standby_names = '%.*s'): %.*s",
                           SPAN_ARG(standbys), SPAN_ARG(waiting));
    }
    pg_result_free(r);
    if (who.len == 0)
        buf_add_text(&who, "commits that are in the write-ahead log and not visible yet");
    log_event(o->log, LOG_WARN, "switch.waits", "for", buf_text(&who), "hint",
              "the switch goes on once that standby is there again, or is none of "
              "synchronous_standby_names any more",
              NULL);
    buf_fini(&who);
}

static int await_sight(const struct command_options *o, struct pg_connection *sql,
                       const char *snapshot, struct error *err)
{
    int64_t tell_us = clock_monotonic_us() + SIGHT_TELL_US;
    for (;;) {
        struct pg_result *r = NULL;
        if (pg_query(sql, IN_SIGHT_SQL, 1, &snapshot, &r, err) < 0)
            return -1;
        bool all = pg_result_true(r, 0, 0);
        pg_result_free(r);
        if (all)
            return 0;
        if (is_asked_to_stop(o))
            return error_retry(err, REASON_STOPPING,
                               "asked to stop before every commit that is in the write-ahead log "
                               "was visible (does one wait for a synchronous standby?)");
        if (clock_monotonic_us() > tell_us) {
            tell_waiting(o, sql);
            tell_us = INT64_MAX;
        }
        clock_sleep_us(SIGHT_LOOK_US);
    }
}

/* ---- The cut ---- */

int relay_cut(const struct command_options *o, struct pg_connection *sql, const char *slot,
              bool keep, uint64_t *lsn, struct buf *snapshot, struct error *err)
{
    assert(sql != NULL && slot != NULL);
    assert(lsn != NULL && snapshot != NULL && snapshot->len == 0);
    char application[88];
    snprintf(application, sizeof application, "walferry:%s:command", o->config->name.text);
    const struct pg_options options = {.connection = o->config->source.connection.text,
                                       .password_command =
                                           o->config->source.password_command.arguments,
                                       .application_name = application,
                                       .stop = o->stop,
                                       .waits = log_waits(o->log)};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    if (!keep)
        pg_replication_temporary(replication);
    const char *name = pg_replication_export(replication);
    int result = make(o, replication, sql, slot, lsn, err);
    if (result == 0)
        result = read_exported(sql, name, snapshot, err);
    pg_replication_close(replication);
    return result < 0 ? -1 : await_sight(o, sql, buf_text(snapshot), err);
}

/* ---- Before it ---- */

int relay_check_cut(struct pg_connection *sql, bool replaces, struct error *err)
{
    static const char text[] = "SELECT count(*) < current_setting('max_replication_slots')::int "
                               "FROM pg_catalog.pg_replication_slots";
    struct pg_result *r = NULL;
    assert(sql != NULL);
    if (pg_query(sql, text, 0, NULL, &r, err) < 0)
        return -1;
    bool room = pg_result_true(r, 0, 0) || replaces;
    pg_result_free(r);
    if (room)
        return 0;
    error_stop(err, REASON_NO_FREE_SLOT,
               "all replication slots of the server are in use, and the cut is made by one");
    return error_hint(
        err, "drop a slot that nobody uses, or raise max_replication_slots and restart PostgreSQL");
}

/* One that was made before the record spoke of it is somebody else's. */
int relay_check_left(struct origin *origin, struct found *found, struct error *err)
{
    struct found_origin *slot = &found->origin;
    uint64_t from = found->progress.slot_from;
    assert(found->have_progress && found->progress.mode == PROGRESS_POLL);
    if (origin_look(origin, slot, err) < 0 || origin_judge(origin, ORIGIN_IS_OURS, found, err) < 0)
        return -1;
    bool unborn = slot->confirmed_lsn == 0;
    if (!slot->present || (from != 0 && (unborn || slot->confirmed_lsn >= from)))
        return 0;
    error_stop(err, REASON_SLOT_WITHOUT_PROGRESS,
               "%s exists already, and the polling relay has none: whose it is is not known",
               origin->name);
    error_hint(err, "drop it if nobody needs it");
    return error_mend_sql(err, "SELECT pg_drop_replication_slot('%s')", origin->label);
}

/* ---- What is left ---- */

void relay_sign_left(struct progress *record, const char *label, uint64_t from)
{
    assert(from != 0);
    record->slot_from = from;
    snprintf(record->slot, sizeof record->slot, "%s", label);
}

/* Nobody else drops the slot of a relay that read the WAL until now. */
void relay_leave_behind(const struct progress *before, struct progress *record, struct buf *out)
{
    if (before->slot_from != 0)
        relay_sign_left(record, before->slot, before->slot_from);
    if (before->mode != PROGRESS_WAL || before->slot[0] == '\0')
        return;
    relay_sign_left(record, before->slot, 1);
    command_say(out,
                "warning: slot %s of the relay that read the write-ahead log is left, and keeps "
                "write-ahead log until it is dropped: walferry setup --switch-to poll",
                before->slot);
}

void relay_name_left(const struct progress *record, struct config_relay *config)
{
    config->source.mode = SOURCE_WAL;
    config->source.slot.text = record->slot;
}

/* A slot of another name may be anybody's. */
int relay_check_left_name(const struct origin *origin, const struct progress *record,
                          struct error *err)
{
    if (record->slot_from == 0 || origin->ops->signed_by(origin, record))
        return 0;
    error_stop(err, REASON_SWITCH_REFUSED,
               "setup --switch-to: slot %s may be left of a switch that was interrupted, and "
               "source.slot names %s",
               record->slot, origin->label);
    return error_hint(err, "let source.slot be %s until setup --switch-to has dropped that one",
                      record->slot);
}
