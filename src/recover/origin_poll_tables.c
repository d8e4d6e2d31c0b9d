/* recover/origin_poll_tables: the tables that a polling relay reads: they exist, and have what
 * routes and polling need. What only makes polling slow, or lets somebody take a row away before it
 * is published, is advice. */
#include "recover/origin_poll_internal.h"

#include "recover/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_OID_XID8 5069
#define TYPE_OID_INT8 20
#define TYPE_OID_INT4 23

static const char columns_sql[] =
    "SELECT attname, atttypid, atttypmod, attnotnull FROM pg_catalog.pg_attribute "
    "WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/* Of a partitioned table the index is that of the whole, which each partition has. */
static const char facts_sql[] =
    "SELECT has_table_privilege($1::oid, 'SELECT'), current_user, "
    "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a "
    "ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = $1::oid "
    "AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'xid'), "
    "EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = $1::oid "
    "AND tgname = 'walferry_poll_keep' AND tgenabled <> 'D'), "
    "row_security_active($1::oid), has_schema_privilege(relnamespace, 'USAGE'), relkind = 'p' "
    "FROM pg_catalog.pg_class WHERE oid = $1::oid";

enum { MAY_SELECT, ROLE, HAS_INDEX, HAS_KEEPER, IS_HIDDEN, MAY_USE, IS_PARTITIONED };

/* A table that is polled too ($2), and whose rows include those of this one. */
static const char above_sql[] =
    "WITH RECURSIVE above(oid) AS (SELECT inhparent FROM pg_catalog.pg_inherits "
    "WHERE inhrelid = $1::oid UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i "
    "JOIN above a ON i.inhrelid = a.oid) SELECT n.nspname, c.relname FROM above a "
    "JOIN pg_catalog.pg_class c ON c.oid = a.oid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE a.oid = ANY ($2::oid[]) LIMIT 1";

static uint32_t number(struct span cell)
{
    return (uint32_t)strtoul(cell.ptr, NULL, 10);
}

int poll_load_columns(struct origin_poll *o, const char *oid, struct relation *relation,
                      bool **not_null, struct error *err)
{
    struct pg_result *r = NULL;
    struct arena *arena = &o->arena;
    if (pg_query(o->base.sql, columns_sql, 1, &oid, &r, err) < 0)
        return -1;
    relation->column_count = (uint32_t)pg_result_rows(r);
    relation->columns = arena_alloc_zero(arena, relation->column_count * sizeof(struct column));
    *not_null = arena_alloc_zero(arena, relation->column_count * sizeof **not_null);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        struct column *c = &relation->columns[i];
        c->name = arena_copy(arena, pg_result_cell(r, (int)i, 0));
        c->type_oid = number(pg_result_cell(r, (int)i, 1));
        c->type_modifier = (int32_t)strtol(pg_result_cell(r, (int)i, 2).ptr, NULL, 10);
        (*not_null)[i] = span_equal_text(pg_result_cell(r, (int)i, 3), "t");
    }
    pg_result_free(r);
    return 0;
}

static int refuse_column(const struct poll_table *t, enum reason reason, const char *column,
                         const char *what, struct error *err)
{
    error_stop(err, reason, "table %.*s.%.*s cannot be polled: %s column %s",
               SPAN_ARG(t->relation.schema), SPAN_ARG(t->relation.name), what, column);
    return error_hint(err, "give it the columns seq (bigint, identity, primary key) and xid (xid8 "
                           "NOT NULL DEFAULT pg_current_xact_id()), as sql/001_outbox.sql does; "
                           "adding them to a table with rows rewrites it");
}

static int find_column(const struct poll_table *t, const char *name, uint32_t type, uint32_t other,
                       const bool *not_null, uint32_t *at, struct error *err)
{
    for (*at = 0; *at < t->relation.column_count; (*at)++)
        if (span_equal_text(t->relation.columns[*at].name, name))
            break;
    if (*at == t->relation.column_count)
        return refuse_column(t, REASON_COLUMN_MISSING, name, "it has no", err);
    uint32_t oid = t->relation.columns[*at].type_oid;
    if (oid != type && oid != other)
        return refuse_column(
            t, REASON_COLUMN_TYPE, name,
            type == TYPE_OID_XID8 ? "xid8 is not the type of" : "bigint is not the type of", err);
    if (!not_null[*at])
        return refuse_column(t, REASON_COLUMN_TYPE, name, "NULL is allowed in", err);
    return 0;
}

static void advise(struct origin_poll *o, const struct poll_table *t, const struct pg_result *r)
{
    struct buf text = BUF_EMPTY, name = BUF_EMPTY, literal = BUF_EMPTY;
    buf_add_text(&text, o->base.advice);
    tables_add_name(&name, t->relation.schema, t->relation.name);
    pg_quote_literal(&literal, buf_span(&name));
    if (!pg_result_true(r, 0, HAS_INDEX))
        buf_add_format(&text,
                       "%swithout an index on xid each look reads all of table %s: CREATE INDEX "
                       "%sON %s (xid)",
                       text.len > 0 ? "; " : "", buf_text(&name),
                       pg_result_true(r, 0, IS_PARTITIONED) ? "" : "CONCURRENTLY ",
                       buf_text(&name));
    if (!pg_result_true(r, 0, HAS_KEEPER))
        buf_add_format(&text,
                       "%srows of %s can be changed, and deleted before they are published: SELECT "
                       "walferry.poll_keep(%s, '%s'), of sql/007_poll.sql",
                       text.len > 0 ? "; " : "", buf_text(&name), buf_text(&literal),
                       o->o.config->name.text);
    snprintf(o->base.advice, sizeof o->base.advice, "%s", buf_text(&text));
    buf_fini(&literal);
    buf_fini(&name);
    buf_fini(&text);
}

/* A row that a policy hides would be taken for published. */
int poll_refuse_hidden(const char *name, const char *role, struct error *err)
{
    error_stop(err, REASON_NO_PRIVILEGE,
               "row-level security of table %s may hide rows from the role %s", name, role);
    error_hint(err,
               "as a superuser; of the table's owner: ALTER TABLE %s NO FORCE ROW LEVEL "
               "SECURITY",
               name);
    return error_mend_sql(err, "ALTER ROLE %s BYPASSRLS", role);
}

static int check_rights(const struct poll_table *t, const struct pg_result *r, struct error *err)
{
    bool usage = pg_result_true(r, 0, MAY_USE), select = pg_result_true(r, 0, MAY_SELECT);
    if (usage && select && !pg_result_true(r, 0, IS_HIDDEN))
        return 0;
    struct buf role = BUF_EMPTY, name = BUF_EMPTY, schema = BUF_EMPTY;
    pg_quote_identifier(&role, pg_result_cell(r, 0, ROLE));
    pg_quote_identifier(&schema, t->relation.schema);
    tables_add_name(&name, t->relation.schema, t->relation.name);
    if (usage && select) {
        poll_refuse_hidden(buf_text(&name), buf_text(&role), err);
    } else {
        error_stop(err, REASON_NO_PRIVILEGE, "the role %s may not read table %s", buf_text(&role),
                   buf_text(&name));
        error_hint(err, usage ? "as the table's owner" : "as the schema's owner");
        if (usage)
            error_mend_sql(err, "GRANT SELECT ON %s TO %s", buf_text(&name), buf_text(&role));
        else
            error_mend_sql(err, "GRANT USAGE ON SCHEMA %s TO %s", buf_text(&schema),
                           buf_text(&role));
    }
    buf_fini(&schema);
    buf_fini(&name);
    buf_fini(&role);
    return -1;
}

static int check_facts(struct origin_poll *o, const struct poll_table *t, const char *oid,
                       struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(o->base.sql, facts_sql, 1, &oid, &r, err) < 0)
        return -1;
    int result = check_rights(t, r, err);
    if (result == 0)
        advise(o, t, r);
    pg_result_free(r);
    return result;
}

/* Rows of a transaction that is still to come were copied from another server. No window has them
 * now, and one will when this server has got as far. */
static int check_xids(struct origin_poll *o, const struct poll_table *t, struct error *err)
{
    struct pg_result *r = NULL;
    struct buf sql = BUF_EMPTY, name = BUF_EMPTY;
    tables_add_name(&name, t->relation.schema, t->relation.name);
    buf_add_format(&sql,
                   "SELECT pg_snapshot_xmax(pg_current_snapshot()) FROM %s WHERE xid >= "
                   "pg_snapshot_xmax(pg_current_snapshot()) LIMIT 1",
                   buf_text(&name));
    int result = pg_query(o->base.sql, buf_text(&sql), 0, NULL, &r, err);
    if (result == 0 && pg_result_rows(r) > 0) {
        struct span next = pg_result_cell(r, 0, 0);
        result = error_stop(err, REASON_XID_AHEAD,
                            "table %s holds rows of transactions from %.*s on, which this server "
                            "has not handed out: they were copied from another one",
                            buf_text(&name), SPAN_ARG(next));
        error_hint(err,
                   "delete those that are published, and have the rest published: ALTER TABLE %s "
                   "DISABLE TRIGGER USER; UPDATE %s SET xid = DEFAULT WHERE xid >= '%.*s'; ALTER "
                   "TABLE %s ENABLE TRIGGER USER",
                   buf_text(&name), buf_text(&name), SPAN_ARG(next), buf_text(&name));
    }
    pg_result_free(r);
    buf_fini(&name);
    buf_fini(&sql);
    return result;
}

/* Its rows would come twice. */
int poll_check_apart(struct origin_poll *o, const struct relation *relation, const char *oid,
                     const char *polled, struct error *err)
{
    const char *const parameters[] = {oid, polled};
    struct pg_result *r = NULL;
    if (pg_query(o->base.sql, above_sql, 2, parameters, &r, err) < 0)
        return -1;
    int result = 0;
    if (pg_result_rows(r) > 0) {
        result = error_stop(err, REASON_ROUTE_UNREACHABLE,
                            "table %.*s.%.*s is part of %.*s.%.*s, which is polled, too: its rows "
                            "would be published twice",
                            SPAN_ARG(relation->schema), SPAN_ARG(relation->name),
                            SPAN_ARG(pg_result_cell(r, 0, 0)), SPAN_ARG(pg_result_cell(r, 0, 1)));
        error_hint(err, "keep the route of one of them");
    }
    pg_result_free(r);
    return result;
}

static int load_table(struct origin_poll *o, const struct routed_table *from, const char *polled,
                      struct poll_table *table, struct error *err)
{
    char oid[16];
    bool *not_null = NULL;
    snprintf(oid, sizeof oid, "%" PRIu32, from->oid);
    *table = (struct poll_table){.relation = {.oid = from->oid,
                                              .schema = from->schema,
                                              .name = from->name,
                                              .identity = 'd',
                                              .version = 1}};
    if (poll_load_columns(o, oid, &table->relation, &not_null, err) < 0)
        return -1;
    if (find_column(table, "seq", TYPE_OID_INT8, TYPE_OID_INT4, not_null, &table->seq, err) < 0 ||
        find_column(table, "xid", TYPE_OID_XID8, TYPE_OID_XID8, not_null, &table->xid, err) < 0)
        return -1;
    if (poll_check_apart(o, &table->relation, oid, polled, err) < 0 ||
        check_facts(o, table, oid, err) < 0)
        return -1;
    return check_xids(o, table, err);
}

static int by_route(const void *a, const void *b)
{
    const struct routed_table *left = a, *right = b;
    return left->route < right->route ? -1 : left->route > right->route;
}

/* The oids of all, as an array of SQL. */
static const char *oids_of(struct arena *arena, const struct tables *tables)
{
    struct buf text = BUF_EMPTY;
    for (uint32_t i = 0; i < tables->count; i++)
        buf_add_format(&text, "%s%" PRIu32, i > 0 ? "," : "", tables->items[i].oid);
    const char *array = arena_format(arena, "{%s}", buf_text(&text));
    buf_fini(&text);
    return array;
}

/* Nothing of a publication matters. */
static void forget_publication(struct tables *tables)
{
    for (uint32_t i = 0; i < tables->count; i++)
        tables->items[i].published = tables->items[i].filtered = false;
}

int poll_routed_tables(struct origin_poll *o, const struct router *router, struct tables *tables,
                       const char **oids, struct error *err)
{
    const struct config_relay *config = o->o.config;
    o->base.advice[0] = '\0';
    o->table_count = 0;
    arena_reset(&o->arena);
    if (tables_load(o->base.sql, config, router, ROUTER_INSERTS, &o->arena, tables, err) < 0)
        return -1;
    forget_publication(tables);
    if (tables_check(o->base.sql, config, router, tables, &o->arena, err) < 0)
        return -1;
    qsort(tables->items, tables->count, sizeof *tables->items, by_route);
    *oids = oids_of(&o->arena, tables);
    return 0;
}

int poll_load_tables(struct origin_poll *o, const struct router *router, struct error *err)
{
    struct tables tables;
    const char *polled;
    if (poll_routed_tables(o, router, &tables, &polled, err) < 0)
        return -1;
    o->tables = arena_alloc_zero(&o->arena, tables.count * sizeof *o->tables);
    for (uint32_t i = 0; i < tables.count; i++)
        if (load_table(o, &tables.items[i], polled, &o->tables[o->table_count++], err) < 0)
            return -1;
    return 0;
}
