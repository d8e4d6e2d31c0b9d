/* pg_catalog: questions to the server about itself, slots, publications and tables.
 *
 * Every name is qualified or in pg_catalog by the pinned search_path, and every statement is plain
 * SQL, so that a walsender answers it too. Nothing is cached: the caller asks when it wants to
 * know. */
#include "pg/pg_internal.h"

#include "model/position.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Cells ---- */

static void cell_text(const struct pg_result *r, int row, int column, char *out, size_t size)
{
    struct span cell = pg_result_cell(r, row, column);
    snprintf(out, size, "%.*s", SPAN_ARG(cell));
}

/* 0 for NULL. */
static int64_t cell_number(const struct pg_result *r, int column)
{
    struct span cell = pg_result_cell(r, 0, column);
    return cell.ptr != NULL ? strtoll(cell.ptr, NULL, 10) : 0;
}

static uint64_t cell_lsn(const struct pg_result *r, int column)
{
    uint64_t lsn = 0;
    struct span cell = pg_result_cell(r, 0, column);
    return cell.ptr != NULL && lsn_parse(cell, &lsn) ? lsn : 0;
}

/* ---- The server ---- */

/* systemid | timeline | xlogpos | dbname; PostgreSQL documentation, "Streaming Replication
 * Protocol". Asked of the walsender itself where there is one: it is the session that will stream.
 */
static int identify_walsender(struct pg_connection *c, struct pg_system *system, struct error *err)
{
    PGresult *result = NULL;
    if (pg_run(c, "IDENTIFY_SYSTEM", &result, err) < 0)
        return -1;
    int done = 0;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        pg_result_error(c, PG_QUERY, result, err);
        if (err->reason == REASON_QUERY_REFUSED) {
            char text[sizeof err->text];
            memcpy(text, err->text, sizeof text);
            pg_not_a_walsender(c, text, err);
        }
        done = -1;
    } else if (PQntuples(result) != 1 || PQnfields(result) < 4 || PQgetisnull(result, 0, 3) != 0) {
        done =
            pg_not_a_walsender(c, "its answer to IDENTIFY_SYSTEM names no system or database", err);
    } else {
        const char *lsn = PQgetvalue(result, 0, 2);
        system->system_identifier = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        system->timeline = (uint32_t)strtoul(PQgetvalue(result, 0, 1), NULL, 10);
        if (system->system_identifier == 0 || !lsn_parse(span_of(lsn), &system->flush_lsn))
            done = pg_not_a_walsender(c, "its answer to IDENTIFY_SYSTEM cannot be read", err);
    }
    PQclear(result);
    struct error late = ERROR_INIT;
    return pg_drain(c, done < 0 ? &late : err) < 0 ? -1 : done;
}

/* The time line of the control file lags behind a promotion until the next checkpoint; the name of
 * the current WAL file does not, but cannot be had in recovery. */
static const char system_sql[] =
    "SELECT s.system_identifier, "
    "CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint()) "
    "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END, "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_flush_lsn() END, "
    "pg_is_in_recovery(), "
    "(SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'), "
    "current_setting('wal_level'), current_database(), current_user "
    "FROM pg_control_system() s";

int pg_identify(struct pg_connection *connection, struct pg_system *system, struct error *err)
{
    assert(connection != NULL && system != NULL);
    assert(err != NULL);
    *system = (struct pg_system){0};
    struct pg_system walsender = {0};
    if (connection->replication && identify_walsender(connection, &walsender, err) < 0)
        return -1;
    struct pg_result *r = NULL;
    if (pg_query(connection, system_sql, 0, NULL, &r, err) < 0)
        return -1;
    system->system_identifier = (uint64_t)cell_number(r, 0);
    system->timeline = (uint32_t)cell_number(r, 1);
    system->flush_lsn = cell_lsn(r, 2);
    system->in_recovery = pg_result_true(r, 0, 3);
    system->wal_sender_timeout_ms = cell_number(r, 4);
    cell_text(r, 0, 5, system->wal_level, sizeof system->wal_level);
    cell_text(r, 0, 6, system->database, sizeof system->database);
    cell_text(r, 0, 7, system->user, sizeof system->user);
    pg_result_free(r);
    const char *encoding = PQparameterStatus(connection->conn, "server_encoding");
    snprintf(system->encoding, sizeof system->encoding, "%s", encoding != NULL ? encoding : "UTF8");
    system->server_version = PQserverVersion(connection->conn);
    if (connection->replication) {
        system->system_identifier = walsender.system_identifier;
        system->timeline = walsender.timeline;
        system->flush_lsn = walsender.flush_lsn;
    }
    return 0;
}

/* ---- A transaction of the past ---- */

/* Its commit time is asked for by the lower half of the id, so only of a transaction that is young
 * enough for its outcome to be known. Microseconds as whole numbers. */
static const char fate_sql[] =
    "SELECT f.outcome, CASE WHEN f.outcome = 'committed' "
    "AND current_setting('track_commit_timestamp')::bool "
    "THEN (extract(epoch FROM pg_xact_commit_timestamp('%" PRIu32 "'::xid)) * 1000000)::bigint END "
    "FROM (SELECT pg_xact_status('%" PRIu64 "'::xid8) AS outcome) f";

#define INVALID_PARAMETER_VALUE "22023"

static void take_fate(const PGresult *result, struct pg_fate *fate)
{
    const char *outcome = PQgetvalue(result, 0, 0); /* empty for NULL */
    if (strcmp(outcome, "committed") == 0)
        fate->outcome = PG_FATE_COMMITTED;
    else if (strcmp(outcome, "aborted") == 0)
        fate->outcome = PG_FATE_ABORTED;
    fate->commit_at_us = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
}

/* What may not be asked is not known; that an id is not given out yet comes as an error. */
static int take_no_fate(const struct pg_connection *c, const PGresult *result, struct pg_fate *fate,
                        struct error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate != NULL && strcmp(sqlstate, INVALID_PARAMETER_VALUE) == 0) {
        fate->outcome = PG_FATE_FUTURE;
        return 0;
    }
    pg_result_error(c, PG_QUERY, result, err);
    if (err->kind == ERROR_RETRY)
        return -1;
    *err = ERROR_INIT;
    return 0;
}

int pg_transaction_fate(struct pg_connection *connection, uint64_t xid8, struct pg_fate *fate,
                        struct error *err)
{
    assert(connection != NULL && fate != NULL);
    assert(xid8 != 0 && err != NULL);
    *fate = (struct pg_fate){.outcome = PG_FATE_UNKNOWN};
    char statement[512];
    snprintf(statement, sizeof statement, fate_sql, (uint32_t)xid8, xid8);
    PGresult *result = NULL;
    if (pg_run(connection, statement, &result, err) < 0)
        return -1;
    int done = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        take_fate(result, fate);
    else
        done = take_no_fate(connection, result, fate, err);
    PQclear(result);
    struct error late = ERROR_INIT;
    return pg_drain(connection, done < 0 ? &late : err) < 0 ? -1 : done;
}

/* ---- The slot ---- */

/* Always one row. */
static const char slot_sql[] =
    "SELECT s.slot_name, s.plugin, s.database, s.wal_status, s.active, s.temporary, s.active_pid, "
    "a.application_name, a.usename, s.restart_lsn, s.confirmed_flush_lsn, "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, "
    "CASE WHEN s.wal_status IN ('unreserved', 'lost') OR s.safe_wal_size < 0 THEN 0 "
    "ELSE coalesce(s.safe_wal_size, -1) END, "
    "a.state = 'active' AND coalesce(a.wait_event_type, '') NOT IN ('Client', 'Activity', 'Lock') "
    "FROM (SELECT 1) one LEFT JOIN pg_replication_slots s ON s.slot_name = $1 "
    "LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid";

int pg_slot_state(struct pg_connection *connection, const char *slot, struct pg_slot *state,
                  struct error *err)
{
    assert(connection != NULL && slot != NULL);
    assert(state != NULL && err != NULL);
    *state = (struct pg_slot){.state = SLOT_ABSENT};
    struct pg_result *r = NULL;
    if (pg_query(connection, slot_sql, 1, &slot, &r, err) < 0)
        return -1;
    if (pg_result_cell(r, 0, 0).ptr != NULL)
        state->state = SLOT_PRESENT;
    cell_text(r, 0, 1, state->plugin, sizeof state->plugin);
    cell_text(r, 0, 2, state->database, sizeof state->database);
    cell_text(r, 0, 3, state->wal_status, sizeof state->wal_status);
    state->active = pg_result_true(r, 0, 4);
    state->temporary = pg_result_true(r, 0, 5);
    state->active_pid = (int32_t)cell_number(r, 6);
    cell_text(r, 0, 7, state->active_application, sizeof state->active_application);
    cell_text(r, 0, 8, state->active_user, sizeof state->active_user);
    state->restart_lsn = cell_lsn(r, 9);
    state->confirmed_flush_lsn = cell_lsn(r, 10);
    state->current_lsn = cell_lsn(r, 11);
    state->safe_wal_size = cell_number(r, 12);
    state->at_work = pg_result_true(r, 0, 13);
    pg_result_free(r);
    return 0;
}

/* Name and role are compared where the signal is sent, in one statement: between a look and a
 * signal of ours the slot could change hands. */
static const char terminate_sql[] =
    "SELECT pg_terminate_backend(a.pid) FROM pg_replication_slots s "
    "JOIN pg_stat_activity a ON a.pid = s.active_pid "
    "WHERE s.slot_name = $1 AND a.application_name = $2 AND a.usename = current_user "
    "AND a.pid <> pg_backend_pid()";

int pg_terminate_slot_owner(struct pg_connection *connection, const char *slot,
                            const char *application, bool *ended, struct error *err)
{
    assert(connection != NULL && slot != NULL);
    assert(application != NULL && ended != NULL);
    struct pg_result *r = NULL;
    if (pg_query(connection, terminate_sql, 2, (const char *const[]){slot, application}, &r, err) <
        0)
        return -1;
    *ended = pg_result_rows(r) > 0 && pg_result_true(r, 0, 0);
    pg_result_free(r);
    return 0;
}

/* ---- What slot creation waits for ---- */

/* Transactions with an assigned xid, in every database of the cluster, and prepared ones. Of other
 * roles a role without pg_read_all_stats sees pid and name, but not state and age. */
static const char blocking_sql[] =
    "SELECT 'pid ' || a.pid || ', application \"' || coalesce(a.application_name, '') || "
    "'\", role ' || coalesce(a.usename, '?') || ', database ' || coalesce(a.datname, '?') || "
    "coalesce(', ' || a.state, '') || "
    "CASE WHEN a.wait_event = 'SyncRep' THEN ', waits for a synchronous standby' ELSE '' END || "
    "coalesce(', for ' || extract(epoch FROM now() - a.xact_start)::bigint || ' s', '') "
    "FROM pg_stat_activity a WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid() "
    "UNION ALL "
    "SELECT 'prepared transaction \"' || p.gid || '\", role ' || p.owner || ', database ' || "
    "p.database || ', for ' || extract(epoch FROM now() - p.prepared)::bigint || ' s' "
    "FROM pg_prepared_xacts p";

int pg_blocking_transactions(struct pg_connection *connection, struct buf *lines, struct error *err)
{
    assert(connection != NULL && lines != NULL);
    assert(err != NULL);
    struct pg_result *r = NULL;
    if (pg_query(connection, blocking_sql, 0, NULL, &r, err) < 0)
        return -1;
    for (int i = 0; i < pg_result_rows(r); i++) {
        buf_add_text(lines, i > 0 ? "; " : "");
        buf_add(lines, pg_result_cell(r, i, 0));
    }
    pg_result_free(r);
    return 0;
}
