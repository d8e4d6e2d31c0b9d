/* recover/origin_claim_waits: a claim waits for rows that somebody has locked for as long as it
 * takes. Its session cannot say so meanwhile; another one sees for whom it waits. */
#include "recover/origin_poll_internal.h"

#include <stdio.h>

/* The lock that is waited for is a transaction's; which table it is about says the lock on the row,
 * which the first who waits has. An advisory lock of claiming has the table's oid as its second
 * half (claim_sql). Process 0 is a prepared transaction. PostgreSQL documentation, "pg_locks". */
static const char waits_sql[] =
    "SELECT format('%I.%I', n.nspname, c.relname), "
    "extract(epoch FROM clock_timestamp() - w.waitstart)::int, "
    "(SELECT string_agg(DISTINCT CASE p WHEN 0 THEN 'a prepared transaction' "
    "ELSE 'process ' || p END, ', ') FROM unnest(b.pids) p) "
    "FROM pg_stat_activity a JOIN pg_locks w ON w.pid = a.pid AND NOT w.granted "
    "CROSS JOIN LATERAL (SELECT pg_blocking_pids(a.pid)) b (pids) "
    "LEFT JOIN pg_locks t ON t.pid = a.pid AND t.granted AND t.locktype = 'tuple' "
    "LEFT JOIN pg_class c ON c.oid = coalesce(t.relation, w.relation, "
    "CASE WHEN w.locktype = 'advisory' THEN w.objid END) "
    "LEFT JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE a.application_name = $1 AND a.usename = current_user "
    "AND a.datname = current_database() "
    "AND w.waitstart < clock_timestamp() - interval '5 s' ORDER BY w.waitstart LIMIT 1";

static void write_waits(const struct pg_result *r, struct found_origin *state)
{
    struct span table = pg_result_cell(r, 0, 0), seconds = pg_result_cell(r, 0, 1);
    struct span pids = pg_result_cell(r, 0, 2);
    if (table.ptr == NULL)
        table = SPAN_LITERAL("a claimed table");
    if (pids.ptr == NULL)
        pids = SPAN_LITERAL("somebody");
    snprintf(state->waits, sizeof state->waits,
             "claiming has waited for %.*s s for a lock on %.*s, which is held by %.*s",
             SPAN_ARG(seconds), SPAN_ARG(table), SPAN_ARG(pids));
}

int claim_look_waits(struct origin_poll *o, struct found_origin *state, struct error *err)
{
    char application[64];
    struct pg_result *r = NULL;
    assert(o->base.sql != NULL && state != NULL);
    snprintf(application, sizeof application, "walferry:%s", o->o.config->name.text);
    const char *parameters[] = {application};
    if (pg_query(o->base.sql, waits_sql, 1, parameters, &r, err) < 0)
        return -1;
    if (pg_result_rows(r) > 0)
        write_waits(r, state);
    pg_result_free(r);
    return 0;
}
