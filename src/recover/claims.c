/* recover/claims: the table walferry.claim (sql/011_claim.sql) as an SQL session sees it: is it
 * what routes with policy: claim_check need, and what of it is past its time. Who writes into it is
 * relay/'s. */
#include "recover/recover.h"

#include "recover/tables.h"

#include <assert.h>
#include <stdio.h>

/* Of the catalogue, so that what is missing or not allowed is an answer and no error. */
static const char rights_sql[] =
    "SELECT (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid "
    "AND a.attnum > 0 AND NOT a.attisdropped AND (a.attname::text, a.atttypid::oid) IN ("
    "('id', 'pg_catalog.text'::pg_catalog.regtype::oid), "
    "('payload', 'pg_catalog.bytea'::pg_catalog.regtype::oid), "
    "('created_at', 'pg_catalog.timestamptz'::pg_catalog.regtype::oid), "
    "('expires_at', 'pg_catalog.timestamptz'::pg_catalog.regtype::oid))) = 4, "
    "pg_catalog.has_schema_privilege(n.oid, 'USAGE'), "
    "pg_catalog.has_table_privilege(c.oid, 'SELECT') "
    "AND pg_catalog.has_table_privilege(c.oid, 'INSERT') "
    "AND pg_catalog.has_table_privilege(c.oid, 'DELETE') "
    "AND (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid "
    "AND a.attname IN ('created_at', 'expires_at') "
    "AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE')) = 2, "
    "pg_catalog.quote_ident(current_user::text) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'walferry' AND c.relname = 'claim' AND c.relkind = 'r'";

/* SKIP LOCKED: one whose event comes again just now is about to live longer. */
static const char clean_sql[] =
    "DELETE FROM walferry.claim WHERE id IN (SELECT id FROM walferry.claim "
    "WHERE expires_at < pg_catalog.now() ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED) "
    "RETURNING 1";

bool relay_claims(const struct config_relay *config)
{
    for (uint32_t i = 0; i < config->routes.count; i++)
        if (config->routes.items[i].oversize.policy == OVERSIZE_CLAIM_CHECK)
            return true;
    return false;
}

static int judge(const struct pg_result *r, struct error *err)
{
    if (pg_result_rows(r) == 0 || !pg_result_true(r, 0, 0)) {
        error_stop(err, REASON_CLAIMS_MISSING,
                   "there is no table walferry.claim with the columns that oversize.policy: "
                   "claim_check needs");
        return error_hint(err, "apply sql/011_claim.sql in this database");
    }
    struct span role = pg_result_cell(r, 0, 3);
    if (pg_result_true(r, 0, 1) && pg_result_true(r, 0, 2))
        return 0;
    error_stop(err, REASON_NO_PRIVILEGE, "the role %.*s may not use the table walferry.claim",
               SPAN_ARG(role));
    error_hint(err, "as its owner");
    return error_mend_sql(err,
                          "GRANT USAGE ON SCHEMA walferry TO %.*s; GRANT SELECT, INSERT, DELETE, "
                          "UPDATE (created_at, expires_at) ON walferry.claim TO %.*s",
                          SPAN_ARG(role), SPAN_ARG(role));
}

int relay_check_claims(struct pg_connection *sql, const struct config_relay *config,
                       struct error *err)
{
    assert(sql != NULL && config != NULL);
    struct pg_result *r = NULL;
    if (!relay_claims(config))
        return 0;
    if (tables_refuse_standby(sql, "oversize.policy: claim_check writes",
                              "give the routes another policy", err) < 0 ||
        pg_query(sql, rights_sql, 0, NULL, &r, err) < 0)
        return -1;
    int result = judge(r, err);
    pg_result_free(r);
    return result;
}

int relay_clean_claims(struct pg_connection *sql, uint32_t *deleted, struct error *err)
{
    assert(sql != NULL && deleted != NULL);
    struct pg_result *r = NULL;
    if (pg_query(sql, clean_sql, 0, NULL, &r, err) < 0)
        return -1;
    *deleted = (uint32_t)pg_result_rows(r);
    pg_result_free(r);
    return 0;
}
