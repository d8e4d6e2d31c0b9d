/* recover/retention: may the tables of outbox routes be emptied by retention, as an SQL session
 * sees them: they tell which rows are published and how old they are, the role may delete, and
 * nobody else needs the rows. Who deletes is relay/'s. */
#include "recover/recover.h"

#include "recover/origin_poll_internal.h"
#include "recover/tables.h"

#include <assert.h>
#include <stdio.h>

/* Of the catalogue, so that what is missing or not allowed is an answer and no error. Locking a row
 * takes a right to UPDATE some column. $3: the trigger of sql/007_poll.sql that wakes this relay;
 * one of another name wakes another relay, which polls the table. So does whoever a table is kept
 * for that this relay streams ($4) and is not woken by. */
#define DROPPER                                                                                    \
    "f.oid IS NOT NULL, pg_catalog.has_schema_privilege(f.pronamespace, 'USAGE') AND "             \
    "pg_catalog.has_function_privilege(f.oid, 'EXECUTE'), "                                        \
    "pg_catalog.pg_has_role(f.proowner, c.relowner, 'USAGE') AND "                                 \
    "(NOT pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER') OR "                          \
    "pg_catalog.pg_has_role(session_user, f.proowner, 'MEMBER')), "                                \
    "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(f.proowner)), "                             \
    "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) "

static const char facts_sql[] =
    "SELECT pg_catalog.quote_ident(n.nspname::text) || '.' || "
    "pg_catalog.quote_ident(c.relname::text), pg_catalog.quote_ident(n.nspname::text), "
    "pg_catalog.quote_ident(current_user::text), "
    "EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 "
    "AND a.attname = 'xid' AND a.atttypid = 'pg_catalog.xid8'::pg_catalog.regtype), "
    "EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 "
    "AND a.attname = 'created_at' "
    "AND a.atttypid = 'pg_catalog.timestamptz'::pg_catalog.regtype), "
    "pg_catalog.has_schema_privilege(n.oid, 'USAGE'), "
    "pg_catalog.has_table_privilege(c.oid, 'SELECT') "
    "AND pg_catalog.has_table_privilege(c.oid, 'DELETE') "
    "AND pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'), "
    "pg_catalog.row_security_active(c.oid), "
    "(SELECT pg_catalog.substr(t.tgname::text, 20) FROM pg_catalog.pg_trigger t "
    "WHERE t.tgrelid = c.oid AND pg_catalog.starts_with(t.tgname::text, 'walferry_poll_wake_') "
    "AND t.tgname <> $3 ORDER BY 1 LIMIT 1), "
    "$4 = 'wal' AND EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid "
    "AND t.tgname = 'walferry_poll_keep') AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t "
    "WHERE t.tgrelid = c.oid AND t.tgname = $3), "
    "(SELECT x.relid::regclass FROM pg_catalog.pg_partition_tree(c.oid) x "
    "JOIN pg_catalog.pg_foreign_table y ON y.ftrelid = x.relid ORDER BY 1 LIMIT 1), "
    "EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a "
    "ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = c.oid "
    "AND p.partstrat = 'r' AND p.partnatts = 1 AND a.attname = 'created_at'), " DROPPER
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN (pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace "
    "AND fn.nspname = 'walferry') ON f.proname = 'drop_published_partition' "
    "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

enum {
    TABLE,
    SCHEMA,
    ROLE,
    HAS_XID,
    HAS_TIME,
    MAY_USE,
    MAY_DELETE,
    IS_HIDDEN,
    OTHER_RELAY,
    IS_KEPT,
    FOREIGN,
    HAS_DAYS,
    HAS_DROPPER,
    MAY_CALL,
    DROPPER_OWNS,
    DROPPER_OWNER,
    OWNER
};

static int refuse_column(struct span table, bool xid, struct error *err)
{
    const char *column = xid ? "xid xid8 NOT NULL DEFAULT pg_current_xact_id()"
                             : "created_at timestamptz NOT NULL DEFAULT now()";
    error_stop(err, REASON_RETENTION_REFUSED,
               "table %.*s has no column %s, which tells retention %s", SPAN_ARG(table),
               xid ? "xid of type xid8" : "created_at of type timestamptz",
               xid ? "which rows are published" : "how old a row is");
    return error_hint(err,
                      "leave retention out, or as the table's owner, which rewrites a table with "
                      "rows: ALTER TABLE %.*s ADD COLUMN %s",
                      SPAN_ARG(table), column);
}

static int refuse_rights(const struct pg_result *r, struct error *err)
{
    struct span table = pg_result_cell(r, 0, TABLE), role = pg_result_cell(r, 0, ROLE);
    struct span schema = pg_result_cell(r, 0, SCHEMA);
    error_stop(err, REASON_NO_PRIVILEGE,
               "the role %.*s may not lock and delete rows of table %.*s, as retention does",
               SPAN_ARG(role), SPAN_ARG(table));
    error_hint(err, "as its owner");
    return error_mend_sql(err,
                          "GRANT USAGE ON SCHEMA %.*s TO %.*s; GRANT SELECT, DELETE, UPDATE "
                          "(created_at) ON %.*s TO %.*s",
                          SPAN_ARG(schema), SPAN_ARG(role), SPAN_ARG(table), SPAN_ARG(role));
}

static int refuse_hidden(const struct pg_result *r, struct error *err)
{
    char table[160], role[160];
    snprintf(table, sizeof table, "%.*s", SPAN_ARG(pg_result_cell(r, 0, TABLE)));
    snprintf(role, sizeof role, "%.*s", SPAN_ARG(pg_result_cell(r, 0, ROLE)));
    return poll_refuse_hidden(table, role, err);
}

static int refuse_call(const struct pg_result *r, struct error *err)
{
    struct span role = pg_result_cell(r, 0, ROLE);
    error_stop(err, REASON_NO_PRIVILEGE,
               "the role %.*s may not call walferry.drop_published_partition, as retention does",
               SPAN_ARG(role));
    error_hint(err, "as its owner");
    return error_mend_sql(err,
                          "GRANT USAGE ON SCHEMA walferry TO %.*s; GRANT EXECUTE ON FUNCTION "
                          "walferry.drop_published_partition TO %.*s",
                          SPAN_ARG(role), SPAN_ARG(role));
}

/* strategy: drop_partition. A DROP is the right of the owner alone. */
static int judge_dropper(const struct pg_result *r, struct error *err)
{
    struct span table = pg_result_cell(r, 0, TABLE), owner = pg_result_cell(r, 0, DROPPER_OWNER);
    if (!pg_result_true(r, 0, HAS_DAYS)) {
        error_stop(err, REASON_RETENTION_REFUSED,
                   "table %.*s is not partitioned by ranges of created_at alone, so retention has "
                   "nothing to drop",
                   SPAN_ARG(table));
        return error_hint(err, "set retention.strategy: delete");
    }
    if (!pg_result_true(r, 0, HAS_DROPPER)) {
        error_stop(err, REASON_RETENTION_REFUSED,
                   "there is no function walferry.drop_published_partition in this database");
        return error_hint(err, "apply sql/013_retention.sql as the owner of table %.*s",
                          SPAN_ARG(table));
    }
    if (!pg_result_true(r, 0, MAY_CALL))
        return refuse_call(r, err);
    if (pg_result_true(r, 0, DROPPER_OWNS))
        return 0;
    error_stop(err, REASON_RETENTION_REFUSED,
               "walferry.drop_published_partition belongs to %.*s, who does not own table %.*s",
               SPAN_ARG(owner), SPAN_ARG(table));
    error_hint(err, "the function has the rights of its owner");
    return error_mend_sql(err, "ALTER FUNCTION walferry.drop_published_partition OWNER TO %.*s",
                          SPAN_ARG(pg_result_cell(r, 0, OWNER)));
}

static int refuse_other(struct span table, struct span relay, struct error *err)
{
    error_stop(
        err, REASON_RETENTION_REFUSED,
        "relay %.*s polls table %.*s, too, and would never see what retention deletes before "
        "it has got there",
        SPAN_ARG(relay), SPAN_ARG(table));
    return error_hint(
        err,
        "leave retention out; or, where there is no such relay any more: DROP TRIGGER "
        "\"walferry_poll_wake_%.*s\" ON %.*s",
        SPAN_ARG(relay), SPAN_ARG(table));
}

static int refuse_kept(struct span table, struct error *err)
{
    error_stop(err, REASON_RETENTION_REFUSED,
               "table %.*s is kept for a relay that polls it, which would never see what retention "
               "deletes before it has got there",
               SPAN_ARG(table));
    return error_hint(err,
                      "leave retention out; or, where no relay polls it any more: DROP TRIGGER "
                      "walferry_poll_keep ON %.*s",
                      SPAN_ARG(table));
}

/* What was moved away is an archive, and a DELETE of the whole table reaches it. */
static int refuse_foreign(struct span table, struct span partition, struct error *err)
{
    error_stop(err, REASON_RETENTION_REFUSED,
               "partition %.*s of table %.*s is a foreign table, of which retention would delete "
               "rows, too",
               SPAN_ARG(partition), SPAN_ARG(table));
    return error_hint(err,
                      "leave retention out, or keep that table apart: ALTER TABLE %.*s DETACH "
                      "PARTITION %.*s",
                      SPAN_ARG(table), SPAN_ARG(partition));
}

static int judge(const struct pg_result *r, bool drops, struct error *err)
{
    struct span table = pg_result_cell(r, 0, TABLE), other = pg_result_cell(r, 0, OTHER_RELAY);
    if (!pg_result_true(r, 0, HAS_XID) || !pg_result_true(r, 0, HAS_TIME))
        return refuse_column(table, !pg_result_true(r, 0, HAS_XID), err);
    if (!pg_result_true(r, 0, MAY_USE) || !pg_result_true(r, 0, MAY_DELETE))
        return refuse_rights(r, err);
    if (pg_result_true(r, 0, IS_HIDDEN))
        return refuse_hidden(r, err);
    if (other.ptr != NULL)
        return refuse_other(table, other, err);
    if (pg_result_true(r, 0, IS_KEPT))
        return refuse_kept(table, err);
    if (pg_result_cell(r, 0, FOREIGN).ptr != NULL)
        return refuse_foreign(table, pg_result_cell(r, 0, FOREIGN), err);
    return drops ? judge_dropper(r, err) : 0;
}

static int look_at_table(struct pg_connection *sql, const struct config_relay *config,
                         const struct config_route *route, struct arena *arena, struct error *err)
{
    struct config_from from;
    struct pg_result *r = NULL;
    if (config_from_parse(&route->from, "routes[].from", arena, &from, err) < 0)
        return -1;
    if (route->as != ROUTE_OUTBOX || from.of_message)
        return 0;
    const char *const parameters[] = {
        arena_format(arena, "%.*s", SPAN_ARG(from.schema)),
        arena_format(arena, "%.*s", SPAN_ARG(from.table)),
        arena_format(arena, "walferry_poll_wake_%s", config->name.text),
        config->source.mode == SOURCE_POLL ? "poll" : "wal"};
    if (pg_query(sql, facts_sql, 4, parameters, &r, err) < 0)
        return -1;
    bool drops = config->retention.strategy == RETENTION_DROP_PARTITION;
    /* That a table is not there is for others to say, who know whether it must be. */
    int result = pg_result_rows(r) > 0 ? judge(r, drops, err) : 0;
    pg_result_free(r);
    return result;
}

int relay_check_retention(struct pg_connection *sql, const struct config_relay *config,
                          struct error *err)
{
    assert(sql != NULL && config != NULL);
    if (!config_retains(&config->retention))
        return 0;
    if (tables_refuse_standby(sql, "retention deletes rows", "leave retention out", err) < 0)
        return -1;
    struct arena arena;
    int result = 0;
    arena_init(&arena, 4096, 4096);
    for (uint32_t i = 0; i < config->routes.count && result == 0; i++)
        result = look_at_table(sql, config, &config->routes.items[i], &arena, err);
    arena_fini(&arena);
    return result;
}
