/* operate/upgraded: is this the server that progress is of, after pg_upgrade, and was everything
 * published that the old one had? Then `rebase --upgraded` goes on without a loss.
 *
 * The server after pg_upgrade has another system identifier, goes on counting transactions and WAL
 * behind the end of the old one (pg_upgrade.c, copy_xact_xlog_xid), and has all rows. The old one's
 * last checkpoint is its shutdown: no commit is behind it. So where progress stands behind that,
 * nothing of the old server is missing; what is written to the new one before its origin is there
 * would be, so nothing may have been.
 *
 * Only one thing is not shown: that the old server was not started once more behind that shutdown.
 */
#include "operate/command.h"

#include "operate/upgraded.h"

#include "base/clock.h"
#include "base/waits.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct error *err, const char *hint)
{
    return error_hint(err, "%s", hint);
}

/* The shutdown checkpoint is the last record of the old log. Its own bytes, some 120, and the
 * headers of a page and of a segment. */
#define CHECKPOINT_BYTES_MAX 256

#define AS_SHUT_DOWN                                                                               \
    "give what pg_controldata said of the old directory after the shutdown and before pg_upgrade"

static int refuse_far(const char *at, const char *end, struct error *err)
{
    error_stop(err, REASON_NOT_ACCEPTED,
               "progress stands at %s, far behind %s, so that is not where the old server was shut "
               "down",
               at, end);
    return refuse(err, AS_SHUT_DOWN);
}

/* Is the file of the old server, and says that it was shut down? */
static int check_file(const struct progress *progress, const struct controldata *old,
                      struct error *err)
{
    if (old->system_identifier != progress->system_identifier)
        error_stop(err, REASON_NOT_ACCEPTED,
                   "pg_controldata spoke of the database system %" PRIu64
                   ", progress is of %" PRIu64,
                   old->system_identifier, progress->system_identifier);
    else if (!old->shut_down)
        error_stop(err, REASON_NOT_ACCEPTED,
                   "pg_controldata does not say of the old server that it was shut down, so its "
                   "last checkpoint is not its end");
    else
        return 0;
    return refuse(err, AS_SHUT_DOWN);
}

static int check_old(const struct found *f, bool known, const struct controldata *old,
                     struct error *err)
{
    char at[LSN_TEXT_MAX], end[LSN_TEXT_MAX];
    const uint64_t end_lsn = old->end_lsn;
    lsn_format(f->progress.position.lsn, at);
    lsn_format(end_lsn, end);
    known = known && f->progress.mode == PROGRESS_WAL;
    if (!known || f->progress.system_identifier == f->system.system_identifier) {
        error_stop(err, REASON_USAGE,
                   known
                       ? "rebase: progress is of this very server: it was not upgraded"
                       : "rebase: --upgraded needs progress of source.mode: wal that can be read");
        return refuse(err, "leave out --upgraded");
    }
    if (check_file(&f->progress, old, err) < 0)
        return -1;
    bool published = f->progress.position.lsn >= end_lsn && f->progress.partial.final_lsn == 0;
    if (published && f->progress.position.lsn - end_lsn >= CHECKPOINT_BYTES_MAX)
        return refuse_far(at, end, err);
    if (published)
        return 0;
    error_stop(err, REASON_NOT_ACCEPTED,
               "the old server was shut down at %s, but progress stands at %s: what was written "
               "between may not have been published",
               end, at);
    return refuse(err,
                  "start the old server once more, let the relay run, and shut the server down "
                  "while it runs; then upgrade");
}

/* A restored dump, or a new cluster, counts from the beginning. */
static int check_new(struct pg_connection *sql, const struct found *f,
                     const struct controldata *old, struct error *err)
{
    uint64_t known_xid =
        old->next_xid > f->progress.last.xid8 ? old->next_xid - 1 : f->progress.last.xid8;
    struct pg_result *r = NULL;
    char end[LSN_TEXT_MAX], now[LSN_TEXT_MAX];
    if (pg_query(sql, "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text",
                 0, NULL, &r, err) < 0)
        return -1;
    uint64_t next_xid = strtoull(pg_result_cell(r, 0, 0).ptr, NULL, 10);
    pg_result_free(r);
    if (f->origin.current_lsn >= old->end_lsn && next_xid > known_xid)
        return 0;
    error_stop(
        err, REASON_NOT_ACCEPTED,
        "this server has not been made by pg_upgrade of the one that progress is of: it is at "
        "%s and transaction %" PRIu64 ", the old one was at %s and %" PRIu64,
        lsn_format(f->origin.current_lsn, now), next_xid, lsn_format(old->end_lsn, end), known_xid);
    return refuse(err, "a restored dump has rows that nobody knows to be published or not");
}

/* Where what was written leaves no trace nothing can be shown. */
static int check_messages(const struct config_relay *config, struct error *err)
{
    const size_t length = sizeof CONFIG_FROM_MESSAGE - 1;
    for (uint32_t i = 0; i < config->routes.count; i++) {
        if (strncmp(config->routes.items[i].from.text, CONFIG_FROM_MESSAGE, length) != 0)
            continue;
        error_stop(err, REASON_NOT_ACCEPTED,
                   "route %.100s takes messages: whether any were written since the upgrade cannot "
                   "be seen",
                   config->routes.items[i].name.text);
        return refuse(err, "make sure that nobody wrote any, and say it without --upgraded and "
                           "with --accept-loss");
    }
    return 0;
}

/* Of a reset before 15 a time stands there although nothing was reset. A server that crashes begins
 * them anew and says so nowhere: but then those of pg_class lack what pg_upgrade has put there,
 * each table of this database and what belongs to it. */
static int check_counted(struct pg_connection *sql, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT pg_catalog.current_setting('track_counts') <> 'on', "
                 "pg_catalog.current_setting('server_version_num')::int >= 150000 AND EXISTS "
                 "(SELECT FROM pg_catalog.pg_stat_database WHERE datname = "
                 "pg_catalog.current_database() AND stats_reset IS NOT NULL), "
                 "(SELECT coalesce(sum(n_tup_ins), 0) FROM pg_catalog.pg_stat_sys_tables WHERE "
                 "relid = 'pg_catalog.pg_class'::regclass) < (SELECT count(*) FROM "
                 "pg_catalog.pg_class WHERE oid >= 16384)",
                 0, NULL, &r, err) < 0)
        return -1;
    bool off = pg_result_true(r, 0, 0), reset = pg_result_true(r, 0, 1);
    bool begun_anew = pg_result_true(r, 0, 2);
    pg_result_free(r);
    if (!off && !reset && !begun_anew)
        return 0;
    error_stop(
        err, REASON_NOT_ACCEPTED, "whether rows were written since the upgrade cannot be seen: %s",
        off     ? "track_counts is off"
        : reset ? "the counters of this database were reset"
                : "the counters of this database do not reach back to pg_upgrade, as after a "
                  "crash");
    return refuse(err, "make sure that nobody wrote any, and say it without --upgraded and with "
                       "--accept-loss");
}

/* The counters begin at 0 with pg_upgrade, which writes no rows of users. */
static int check_unwritten(struct pg_connection *sql, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT min(relid::regclass::text), sum(n_tup_ins + n_tup_upd + n_tup_del) FROM "
                 "pg_catalog.pg_stat_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0",
                 0, NULL, &r, err) < 0)
        return -1;
    int result = 0;
    if (pg_result_cell(r, 0, 0).ptr != NULL) {
        error_stop(err, REASON_NOT_ACCEPTED,
                   "%.*s rows of %.*s and others were written since the upgrade: nobody would "
                   "publish them",
                   SPAN_ARG(pg_result_cell(r, 0, 1)), SPAN_ARG(pg_result_cell(r, 0, 0)));
        result =
            refuse(err, "say it without --upgraded and with --accept-loss, and write those rows "
                        "again; the next time start the relay before the application");
    }
    pg_result_free(r);
    return result;
}

static int check_slot(const struct found *f, uint64_t end_lsn, struct error *err)
{
    char at[LSN_TEXT_MAX], end[LSN_TEXT_MAX];
    if (f->origin.confirmed_lsn >= end_lsn)
        return 0;
    return error_stop(err, REASON_NOT_ACCEPTED,
                      "what the server kept stands at %s, which is before %s",
                      lsn_format(f->origin.confirmed_lsn, at), lsn_format(end_lsn, end));
}

/* From 17 on pg_upgrade brings along what the relay reads from, so nothing written since is missed.
 * Below that somebody made it by hand, behind whatever was written until then. */
#define SLOTS_KEPT_VERSION 170000

static bool is_kept(const struct found *found, const struct rebase_options *wish)
{
    return wish->target == REBASE_HERE && found->system.server_version >= SLOTS_KEPT_VERSION;
}

/* An idle session tells its counters within 10 seconds (pgstat.c, PGSTAT_IDLE_INTERVAL). */
#define COUNTERS_US (INT64_C(11) * US_PER_S)
#define PAUSE_US (INT64_C(100) * US_PER_MS)

int rebase_check_upgraded_late(struct origin *origin, const struct found *found,
                               const struct command_options *options,
                               const struct rebase_options *wish, struct error *err)
{
    assert(origin->sql != NULL);
    int64_t until_us = clock_monotonic_us() + COUNTERS_US;
    if (wish->old.end_lsn == 0 || is_kept(found, wish))
        return 0;
    waits_on(log_waits(options->log), "waits until idle sessions have told what they wrote");
    while (clock_monotonic_us() < until_us) {
        if (options->stop != NULL && atomic_load(options->stop))
            return error_stop(err, REASON_NOT_ACCEPTED,
                              "interrupted before it was shown that nothing was written");
        clock_sleep_us(PAUSE_US);
    }
    return check_unwritten(origin->sql, err);
}

int rebase_check_upgraded(struct origin *origin, const struct found *found, bool known,
                          const struct command_options *options, const struct rebase_options *wish,
                          struct error *err)
{
    const struct controldata *old = &wish->old;
    assert(old->end_lsn != 0 && origin->sql != NULL);
    assert(wish->target == REBASE_HERE || wish->target == REBASE_ANEW);
    if (origin->ops->mode != PROGRESS_WAL)
        return error_stop(err, REASON_USAGE, "rebase: --upgraded is for source.mode: wal");
    if (check_old(found, known, old, err) < 0 || check_new(origin->sql, found, old, err) < 0)
        return -1;
    if (wish->target == REBASE_HERE && check_slot(found, old->end_lsn, err) < 0)
        return -1;
    if (is_kept(found, wish))
        return 0;
    return check_messages(options->config, err) < 0 || check_counted(origin->sql, err) < 0
               ? -1
               : check_unwritten(origin->sql, err);
}
