/* recover/doctor_tables: keys and indexes of the routed tables, which no relay needs to run and its
 * users miss later. Each check names the first table that lacks something, with the statement that
 * gives it that. */
#include "recover/checks_internal.h"

#include "recover/tables.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The name of a unique index that can stand for a primary key: all columns NOT NULL, no expression,
 * no condition, checked at once (PostgreSQL documentation, ALTER TABLE, REPLICA IDENTITY USING
 * INDEX). */
#define UNIQUE_INDEX_SQL(more)                                                                     \
    "(SELECT quote_ident(x.relname) FROM pg_catalog.pg_index i "                                   \
    "JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid "                 \
    "AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "                 \
    "AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a "                \
    "WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull) " more           \
    "ORDER BY i.indnatts, x.relname LIMIT 1)"
/* The index of a constraint cannot become another one's, and that of a primary key sorts as its
 * columns do by default (PostgreSQL, parse_utilcmd.c, transformIndexConstraint). */
#define FREE_SQL                                                                                   \
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) "     \
    "AND 0 = ALL (i.indoption) AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass o "               \
    "WHERE o.oid = ANY (i.indclass) AND NOT o.opcdefault) "                                        \
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a "                                       \
    "JOIN pg_catalog.pg_attribute s ON s.attrelid = i.indexrelid "                                 \
    "WHERE a.attrelid = c.oid AND a.attnum = i.indkey[s.attnum - 1] "                              \
    "AND s.attcollation <> a.attcollation) "
#define HAS_PRIMARY_KEY_SQL(more)                                                                  \
    "EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary" more ")"

/* A table without one cannot be updated where a publication sends updates; PostgreSQL refuses the
 * statement of the application (documentation, "Publication"). A primary key that may be deferred
 * is none. */
static const char identity_sql[] = "SELECT " UNIQUE_INDEX_SQL(
    "") ", (SELECT string_agg(quote_ident(p.pubname), ', ') "
        "FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_tables t "
        "ON t.pubname = p.pubname WHERE t.schemaname = n.nspname AND t.tablename = c.relname "
        "AND (p.pubupdate OR p.pubdelete)) FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid "
        "AND c.relkind = 'r' AND CASE c.relreplident WHEN 'd' THEN NOT " HAS_PRIMARY_KEY_SQL(
            " AND i.indimmediate") " "
                                   "WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i "
                                   "WHERE i.indrelid = c.oid "
                                   "AND i.indisreplident) ELSE c.relreplident = 'n' END";

static const char key_sql[] = "SELECT CASE WHEN c.relkind = 'r' THEN " UNIQUE_INDEX_SQL(
    FREE_SQL) " END, c.relkind = 'p' "
              "FROM pg_catalog.pg_class c WHERE c.oid = $1::oid AND c.relkind IN ('r', 'p') "
              "AND NOT " HAS_PRIMARY_KEY_SQL("");

/* No row where the column is indexed first of all, or is not there. */
static const char index_sql[] =
    "SELECT NULL::text, c.relkind = 'p' FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 "
    "AND NOT a.attisdropped WHERE c.oid = $1::oid AND c.relkind IN ('r', 'p') AND NOT EXISTS "
    "(SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid "
    "AND i.indpred IS NULL AND i.indkey[0] = a.attnum)";

/* What was found of one table; the cells are the first two columns of the answer. */
struct lack {
    const char *table;  /* quoted for SQL */
    const char *column; /* the id of an outbox, quoted; "": it is none */
    struct span first, second;
};

struct examination {
    const char *sql;
    bool of_outboxes; /* alone; $2 is the column of their id */
    int (*refuse)(const struct lack *lack, struct error *err);
};

/* ---- One table ---- */

static int examine_table(struct checking *c, const struct examination *how,
                         const struct routed_table *table, struct error *err)
{
    const struct config_route *route = &c->o->config->routes.items[table->route];
    bool outbox = route->as == ROUTE_OUTBOX;
    if (how->of_outboxes && (!outbox || route->columns.id.text == NULL))
        return 0;
    char oid[16];
    const char *values[] = {oid, route->columns.id.text};
    struct pg_result *r = NULL;
    snprintf(oid, sizeof oid, "%u", table->oid);
    if (pg_query(c->ends.r.origin->sql, how->sql, how->of_outboxes ? 2 : 1, values, &r, err) < 0)
        return -1;
    if (pg_result_rows(r) > 0) {
        struct buf name = BUF_EMPTY, column = BUF_EMPTY;
        tables_add_name(&name, table->schema, table->name);
        if (outbox && route->columns.id.text != NULL)
            pg_quote_identifier(&column, span_of(route->columns.id.text));
        const struct lack lack = {.table = buf_text(&name),
                                  .column = buf_text(&column),
                                  .first = pg_result_cell(r, 0, 0),
                                  .second = pg_result_cell(r, 0, 1)};
        (void)how->refuse(&lack, err);
        buf_fini(&name);
        buf_fini(&column);
    }
    pg_result_free(r);
    return err->kind == ERROR_NONE ? 0 : -1;
}

static int examine(struct checking *c, const struct examination *how, struct error *err)
{
    struct arena arena;
    int result = 0;
    arena_init(&arena, 4096, 4096);
    for (int share = 0; share < ROUTER_SHARES && result == 0; share++) {
        struct tables tables;
        result = tables_load(c->ends.r.origin->sql, c->o->config, c->router,
                             (enum router_share)share, &arena, &tables, err);
        for (uint32_t i = 0; result == 0 && i < tables.count; i++)
            result = examine_table(c, how, &tables.items[i], err);
    }
    arena_fini(&arena);
    return result;
}

/* ---- What is wrong with it ---- */

static int refuse_identity(const struct lack *lack, struct error *err)
{
    if (lack->second.ptr == NULL)
        return 0; /* no publication sends what wants one */
    error_stop(err, REASON_FINDING,
               "%s has no replica identity, and publication %.*s sends its updates or deletes: "
               "PostgreSQL refuses every UPDATE and DELETE of it",
               lack->table, SPAN_ARG(lack->second));
    if (lack->first.ptr != NULL)
        return error_mend_sql(err, "ALTER TABLE %s REPLICA IDENTITY USING INDEX %.*s;", lack->table,
                              SPAN_ARG(lack->first));
    error_hint(err, "a primary key under REPLICA IDENTITY DEFAULT is better");
    return error_mend_sql(err, "ALTER TABLE %s REPLICA IDENTITY FULL;", lack->table);
}

/* Its columns, where only that of an outbox's id is known: a person decides. */
static int refuse_key(const struct lack *lack, struct error *err)
{
    error_stop(err, REASON_FINDING,
               "%s has no primary key: nothing keeps a row from being there twice", lack->table);
    if (lack->first.ptr != NULL)
        return error_mend_sql(err, "ALTER TABLE %s ADD PRIMARY KEY USING INDEX %.*s;", lack->table,
                              SPAN_ARG(lack->first));
    if (lack->column[0] != '\0' && !span_equal_text(lack->second, "t"))
        return error_mend_sql(err, "ALTER TABLE %s ADD PRIMARY KEY (%s);", lack->table,
                              lack->column);
    return error_hint(err, "give it one: ALTER TABLE %s ADD PRIMARY KEY (…)", lack->table);
}

/* A unique index of a partitioned table must hold the partition key. */
static int refuse_index(const struct lack *lack, struct error *err)
{
    bool partitioned = span_equal_text(lack->second, "t");
    error_stop(err, REASON_FINDING,
               "column %s of %s has no index: nothing keeps an event from being there twice, and "
               "looking one up reads the whole table",
               lack->column, lack->table);
    return error_mend_sql(err, "CREATE %s ON %s (%s);",
                          partitioned ? "INDEX" : "UNIQUE INDEX CONCURRENTLY", lack->table,
                          lack->column);
}

/* ---- Each ---- */

int doctor_identity(struct checking *c, struct error *err)
{
    static const struct examination how = {identity_sql, false, refuse_identity};
    return examine(c, &how, err);
}

int doctor_primary_keys(struct checking *c, struct error *err)
{
    static const struct examination how = {key_sql, false, refuse_key};
    return examine(c, &how, err);
}

int doctor_outbox_index(struct checking *c, struct error *err)
{
    static const struct examination how = {index_sql, true, refuse_index};
    return examine(c, &how, err);
}
