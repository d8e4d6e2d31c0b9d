/* recover/tables: see tables.h. It reads and judges; publication.c changes. Which table belongs to
 * a route is the router's word alone, so a glob means the same here as it does for a row. */
#include "recover/identities.h"
#include "recover/old_rows.h"
#include "recover/partitions.h"
#include "recover/tables.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct config_text *tables_publication(const struct config_relay *config,
                                             enum router_share share)
{
    return share == ROUTER_CHANGES ? &config->source.changes : &config->source.publication;
}

void tables_add_name(struct buf *out, struct span schema, struct span name)
{
    pg_quote_identifier(out, schema);
    buf_add_char(out, '.');
    pg_quote_identifier(out, name);
}

/* ---- Reading ---- */

static char one_char(const struct pg_result *r, int row, int column)
{
    struct span cell = pg_result_cell(r, row, column);
    return cell.len > 0 ? cell.ptr[0] : '\0';
}

static struct span keep(struct arena *arena, struct span cell)
{
    return cell.ptr == NULL ? cell : arena_copy(arena, cell);
}

/* What 18 added is read as JSON, which any version has. */
static int load_publication(struct pg_connection *sql, const char *name, struct arena *arena,
                            struct publication *out, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT pubviaroot, pubinsert, pubupdate, pubdelete, pubtruncate, "
                 "coalesce(to_jsonb(p)->>'pubgencols', 'n') = 's', "
                 "concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END, "
                 "CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END, "
                 "CASE WHEN pubtruncate THEN 'truncate' END), "
                 "coalesce(pg_catalog.obj_description(oid, 'pg_publication'), '') "
                 "FROM pg_catalog.pg_publication p WHERE pubname = $1",
                 1, &name, &r, err) < 0)
        return -1;
    *out = (struct publication){.exists = pg_result_rows(r) > 0};
    if (out->exists) {
        static const enum change_op ops[] = {CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE,
                                             CHANGE_TRUNCATE};
        out->via_root = pg_result_true(r, 0, 0);
        for (int i = 0; i < 4; i++)
            out->operations |= pg_result_true(r, 0, i + 1) ? change_bit(ops[i]) : 0;
        out->stored_generated = pg_result_true(r, 0, 5);
        out->publishes = keep(arena, pg_result_cell(r, 0, 6));
        out->comment = keep(arena, pg_result_cell(r, 0, 7));
    }
    pg_result_free(r);
    return 0;
}

int tables_server_has_schemas(struct pg_connection *sql, bool *has, struct error *err)
{
    struct pg_result *r = NULL;
    if (pg_query(sql, "SELECT to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL", 0,
                 NULL, &r, err) < 0)
        return -1;
    *has = pg_result_true(r, 0, 0);
    pg_result_free(r);
    return 0;
}

/* Which of the tables that hold rows, itself or the leaves below it, lack a replica identity: the
 * server refuses their UPDATE and DELETE where these are published. */
#define UNIDENTIFIED_SQL                                                                           \
    "LEFT JOIN LATERAL (SELECT ln.nspname, l.relname FROM (SELECT c.oid UNION ALL "                \
    "SELECT x.relid FROM pg_catalog.pg_partition_tree(c.oid) x WHERE c.relkind = 'p' "             \
    "AND x.isleaf) held(oid) JOIN pg_catalog.pg_class l ON l.oid = held.oid "                      \
    "JOIN pg_catalog.pg_namespace ln ON ln.oid = l.relnamespace WHERE l.relkind = 'r' AND "        \
    "l.relreplident <> 'f' AND NOT EXISTS ("                                                       \
    "SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = l.oid AND i.indisvalid "                 \
    "AND i.indimmediate AND CASE l.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN "       \
    "i.indisreplident "                                                                            \
    "ELSE false END) ORDER BY 1, 2 LIMIT 1) u ON true "

/* "top" is the table, or the outermost one that it is a partition of, that the publication holds.
 * %s: whether it holds the schema (15 and later). */
#define RELATIONS_SQL                                                                              \
    "SELECT n.nspname, c.relname, c.oid, c.relkind, c.relpersistence, c.relispartition, "          \
    "c.relhassubclass AND c.relkind = 'r', top.oid IS NOT NULL, "                                  \
    "EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid "                 \
    "AND r.prrelid = top.oid AND to_jsonb(r)->>'prqual' IS NOT NULL), tn.nspname, tc.relname, "    \
    "u.nspname, u.relname "                                                                        \
    "FROM pg_catalog.pg_class c "                                                                  \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "                                    \
    "LEFT JOIN pg_catalog.pg_publication p ON p.pubname = $1 "                                     \
    "LEFT JOIN LATERAL (SELECT x.relid AS oid FROM unnest(ARRAY[c.oid] || ARRAY("                  \
    "SELECT a.relid::oid FROM pg_catalog.pg_partition_ancestors(c.oid) a)) "                       \
    "WITH ORDINALITY x(relid, depth) JOIN pg_catalog.pg_class xc ON xc.oid = x.relid "             \
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND (p.puballtables OR EXISTS ("     \
    "SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid "                         \
    "AND r.prrelid = x.relid) OR %s) "                                                             \
    "ORDER BY x.depth DESC LIMIT 1) top ON true "                                                  \
    "LEFT JOIN pg_catalog.pg_class tc ON tc.oid = CASE WHEN p.pubviaroot THEN top.oid "            \
    "WHEN top.oid IS NOT NULL THEN c.oid END "                                                     \
    "LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace " UNIDENTIFIED_SQL           \
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%%' "               \
    "AND n.nspname <> 'information_schema' ORDER BY 1, 2"
#define HOLDS_SCHEMA_SQL                                                                           \
    "EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = p.oid "           \
    "AND s.pnnspid = xc.relnamespace)"

static bool named_plainly(const struct config_relay *config, const struct router *router,
                          enum router_share share, struct span schema, struct span name)
{
    struct span s, n;
    for (uint32_t i = 0; i < config->routes.count; i++)
        if (router_share_of_route(router, i) == share && router_table_of_route(router, i, &s, &n) &&
            span_equal(s, schema) && span_equal(n, name))
            return true;
    return false;
}

static void fill_table(const struct pg_result *r, int row, struct arena *arena,
                       struct routed_table *t)
{
    struct span oid = pg_result_cell(r, row, 2);
    t->schema = keep(arena, pg_result_cell(r, row, 0));
    t->name = keep(arena, pg_result_cell(r, row, 1));
    t->oid = (uint32_t)strtoul(arena_format(arena, "%.*s", SPAN_ARG(oid)), NULL, 10);
    t->kind = one_char(r, row, 3);
    t->persistence = one_char(r, row, 4);
    t->partition = pg_result_true(r, row, 5);
    t->has_children = pg_result_true(r, row, 6);
    t->published = pg_result_true(r, row, 7);
    t->filtered = pg_result_true(r, row, 8);
    t->sent_schema = keep(arena, pg_result_cell(r, row, 9));
    t->sent_name = keep(arena, pg_result_cell(r, row, 10));
    t->unidentified_schema = keep(arena, pg_result_cell(r, row, 11));
    t->unidentified_name = keep(arena, pg_result_cell(r, row, 12));
    t->identified = t->unidentified_name.ptr == NULL;
}

static int load_columns(struct pg_connection *sql, const struct tables *tables, struct arena *arena,
                        struct error *err)
{
    struct table_columns **each = arena_alloc(arena, ((size_t)tables->count + 1) * sizeof(*each));
    for (uint32_t i = 0; i < tables->count; i++) {
        each[i] = &tables->items[i].columns;
        each[i]->oid = tables->items[i].oid;
    }
    return table_columns_load(sql, tables->name->text, each, tables->count, arena, err);
}

int tables_load(struct pg_connection *sql, const struct config_relay *config,
                const struct router *router, enum router_share share, struct arena *arena,
                struct tables *tables, struct error *err)
{
    bool schemas = false;
    *tables = (struct tables){.share = share,
                              .name = tables_publication(config, share),
                              .operations = router_operations(router, share)};
    const char *publication = tables->name->text;
    if (load_publication(sql, publication, arena, &tables->publication, err) < 0 ||
        tables_server_has_schemas(sql, &schemas, err) < 0)
        return -1;
    char statement[6144];
    snprintf(statement, sizeof statement, RELATIONS_SQL, schemas ? HOLDS_SCHEMA_SQL : "false");
    struct pg_result *r = NULL;
    if (pg_query(sql, statement, 1, &publication, &r, err) < 0)
        return -1;
    int rows = pg_result_rows(r);
    tables->items = arena_alloc_zero(arena, ((size_t)rows + 1) * sizeof *tables->items);
    for (int i = 0; i < rows; i++) {
        struct span schema = pg_result_cell(r, i, 0), name = pg_result_cell(r, i, 1);
        int route = router_route_of_share(router, share, schema, name);
        if (route < 0)
            continue;
        struct routed_table *t = &tables->items[tables->count++];
        t->route = (uint32_t)route;
        t->plain = named_plainly(config, router, share, schema, name);
        fill_table(r, i, arena, t);
    }
    pg_result_free(r);
    return load_columns(sql, tables, arena, err);
}

/* ---- Judging: the tables ---- */

static int refuse(const struct config_relay *config, const struct routed_table *t,
                  enum reason reason, struct error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static int refuse(const struct config_relay *config, const struct routed_table *t,
                  enum reason reason, struct error *err, const char *format, ...)
{
    const struct config_route *route = &config->routes.items[t->route];
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return config_error(err, &route->from, reason, "%.*s.%.*s of route %s %s", SPAN_ARG(t->schema),
                        SPAN_ARG(t->name), route->name.text, text);
}

static const char *quoted(struct arena *arena, const struct routed_table *t)
{
    struct buf name = BUF_EMPTY;
    tables_add_name(&name, t->schema, t->name);
    const char *text = arena_format(arena, "%s", buf_text(&name));
    buf_fini(&name);
    return text;
}

static const char *quoted_publication(struct arena *arena, const struct tables *tables)
{
    struct buf name = BUF_EMPTY;
    pg_quote_identifier(&name, span_of(tables->name->text));
    const char *text = arena_format(arena, "%s", buf_text(&name));
    buf_fini(&name);
    return text;
}

static bool replicable(const struct routed_table *t)
{
    return (t->kind == 'r' || t->kind == 'p') && t->persistence == 'p';
}

static int refuse_kind(const struct config_relay *config, const struct routed_table *t,
                       struct arena *arena, struct error *err)
{
    if (t->persistence == 'u' && (t->kind == 'r' || t->kind == 'p')) {
        refuse(config, t, REASON_TABLE_KIND, err, "is UNLOGGED: its rows are not in the WAL");
        /* Up to 17 a partitioned table may be UNLOGGED, and SET LOGGED leaves it as it is. */
        if (t->kind == 'p')
            return error_hint(err, "make the table anew, without UNLOGGED");
        return error_mend_sql(err, "ALTER TABLE %s SET LOGGED", quoted(arena, t));
    }
    const char *kind = t->kind == 'v'   ? "a view"
                       : t->kind == 'm' ? "a materialized view"
                       : t->kind == 'f' ? "a foreign table"
                                        : "a temporary table";
    refuse(config, t, REASON_TABLE_KIND, err, "is %s: it has no rows in the WAL", kind);
    return error_hint(err, "mend routes[].from: name the table that the application inserts into");
}

static int refuse_missing(const struct config_relay *config, const struct router *router,
                          const struct tables *tables, struct error *err)
{
    struct span schema, name;
    for (uint32_t i = 0; i < config->routes.count; i++) {
        if (router_share_of_route(router, i) != tables->share ||
            !router_table_of_route(router, i, &schema, &name))
            continue;
        bool found = false;
        for (uint32_t k = 0; k < tables->count && !found; k++)
            found = span_equal(tables->items[k].schema, schema) &&
                    span_equal(tables->items[k].name, name);
        if (found)
            continue;
        const struct config_route *route = &config->routes.items[i];
        config_error(err, &route->from, REASON_TABLE_MISSING, "table %s of route %s does not exist",
                     route->from.text, route->name.text);
        return error_hint(err, "apply the migrations in sql/ first, or mend routes[].from (a part "
                               "with a dot in it stands in double quotes)");
    }
    return 0;
}

struct sent_column {
    bool generated;
    bool listed;
};

/* The columns of which the server sends values, as a relation; the others are in `unsent`. */
static void split_columns(const struct tables *tables, const struct routed_table *t, bool published,
                          struct arena *arena, struct relation *relation, struct relation *unsent,
                          struct sent_column **why)
{
    size_t count = (size_t)t->columns.count + 1;
    *relation = *unsent = (struct relation){.schema = t->schema, .name = t->name, .version = 1};
    relation->columns = arena_alloc_zero(arena, count * sizeof *relation->columns);
    unsent->columns = arena_alloc_zero(arena, count * sizeof *unsent->columns);
    *why = arena_alloc_zero(arena, count * sizeof **why);
    for (uint32_t i = 0; i < t->columns.count; i++) {
        const struct table_column *c = &t->columns.items[i];
        struct column column = {.name = c->name, .type_oid = c->type_oid};
        bool has_list = published && c->has_list;
        struct sent_column s = {.generated = c->generated, .listed = !has_list || c->listed};
        /* A column list of 18 sends the generated columns that it names. */
        bool sent_generated =
            c->stored && (tables->publication.stored_generated || (has_list && c->listed));
        if (s.listed && (!s.generated || sent_generated)) {
            relation->columns[relation->column_count++] = column;
        } else {
            (*why)[unsent->column_count] = s;
            unsent->columns[unsent->column_count++] = column;
        }
    }
}

static int refuse_unsent(const struct config_relay *config, const struct tables *tables,
                         const struct routed_table *t, struct span column,
                         const struct sent_column *why, struct arena *arena, struct error *err)
{
    if (why->generated) {
        refuse(config, t, REASON_COLUMN_MISSING, err,
               "needs column %.*s, which is generated: the server does not send it",
               SPAN_ARG(column));
        error_hint(err,
                   "let a trigger fill an ordinary column; on PostgreSQL 18 a stored one is sent "
                   "after");
        return error_mend_sql(err, "ALTER PUBLICATION %s SET (publish_generated_columns = stored)",
                              quoted_publication(arena, tables));
    }
    refuse(config, t, REASON_PUBLICATION_COLUMN, err,
           "needs column %.*s, which is not in the column list of publication %s", SPAN_ARG(column),
           tables->name->text);
    const char *publication = quoted_publication(arena, tables);
    return error_mend_sql(err,
                          "ALTER PUBLICATION %s DROP TABLE %s; ALTER PUBLICATION %s ADD TABLE %s",
                          publication, quoted(arena, t), publication, quoted(arena, t));
}

static int check_columns(const struct config_relay *config, const struct router *router,
                         const struct tables *tables, const struct routed_table *t, bool published,
                         struct arena *arena, struct error *err)
{
    struct relation relation, unsent;
    struct sent_column *why;
    struct router_lack lack;
    split_columns(tables, t, published, arena, &relation, &unsent, &why);
    if (!router_lacks(router, &relation, &lack))
        return 0;
    struct routed_table at = *t;
    at.route = lack.route;
    for (uint32_t i = 0; i < unsent.column_count; i++)
        if (lack.must_be == NULL && span_equal(unsent.columns[i].name, lack.column))
            return refuse_unsent(config, tables, &at, lack.column, &why[i], arena, err);
    if (lack.must_be != NULL) {
        refuse(config, &at, REASON_COLUMN_TYPE, err, "needs %s in column %.*s", lack.must_be,
               SPAN_ARG(lack.column));
        if (config->routes.items[lack.route].as == ROUTE_CHANGE)
            return error_hint(err, "change its type, or leave it out by "
                                   "debezium.column_exclude_list");
        return error_hint(err, "map another column, or change its type");
    }
    refuse(config, &at, REASON_COLUMN_MISSING, err, "has no column %.*s", SPAN_ARG(lack.column));
    if (config->routes.items[lack.route].as != ROUTE_OUTBOX)
        return error_hint(err, "mend the name in the file, or add the column to the table");
    return error_hint(err,
                      "map the column that it has under routes[].columns, or mend the template");
}

/* Asked before the table is published: from then on its UPDATE and DELETE would fail. */
static int check_identity(const struct config_relay *config, const struct tables *tables,
                          const struct routed_table *t, struct arena *arena, struct error *err)
{
    bool old = (tables->operations & change_bit(CHANGE_UPDATE)) != 0;
    if ((tables->share != ROUTER_CHANGES && !old) || t->identified)
        return 0;
    struct routed_table at = *t;
    at.schema = t->unidentified_schema;
    at.name = t->unidentified_name;
    refuse(config, &at, REASON_REPLICA_IDENTITY, err,
           "has no replica identity: published, its UPDATE and DELETE would fail");
    error_hint(err, "give it a primary key and REPLICA IDENTITY DEFAULT, or");
    return error_mend_sql(err, "ALTER TABLE %s REPLICA IDENTITY FULL", quoted(arena, &at));
}

static int check_partitions(struct pg_connection *sql, const struct config_relay *config,
                            const struct routed_table *t, struct error *err)
{
    const struct partitioned_table table = {.oid = t->oid,
                                            .schema = t->schema,
                                            .name = t->name,
                                            .route = &config->routes.items[t->route]};
    return t->kind == 'p' ? partitions_check(sql, &table, err) : 0;
}

/* Where routes take what has an old row. */
static int check_identities(struct pg_connection *sql, const struct config_relay *config,
                            const struct router *router, const struct routed_table *t,
                            struct error *err)
{
    const uint32_t old = change_bit(CHANGE_UPDATE) | change_bit(CHANGE_DELETE);
    struct partitioned_table table = {.oid = t->oid, .schema = t->schema, .name = t->name};
    for (uint32_t i = 0; i < config->routes.count; i++) {
        table.route = &config->routes.items[i];
        if (table.route->as == ROUTE_OUTBOX ||
            (router_operations_of_table(router, i, t->schema, t->name) & old) == 0)
            continue;
        if ((table.route->as == ROUTE_CHANGE && identities_check_key(sql, &table, err) < 0) ||
            (t->kind == 'p' && identities_check_partitions(sql, &table, err) < 0))
            return -1;
    }
    return 0;
}

/* Routes that ask what an UPDATE changes. */
static int check_old_rows(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, const struct routed_table *t,
                          struct error *err)
{
    bool whole;
    for (uint32_t i = 0; i < config->routes.count; i++) {
        const struct old_rows old = {
            .oid = t->oid, .schema = t->schema, .name = t->name, .route = &config->routes.items[i]};
        if (router_asks_for_old(router, i, t->schema, t->name, &whole) &&
            old_rows_check(sql, &old, whole, err) < 0)
            return -1;
    }
    return 0;
}

int tables_check(struct pg_connection *sql, const struct config_relay *config,
                 const struct router *router, const struct tables *tables, struct arena *arena,
                 struct error *err)
{
    if (refuse_missing(config, router, tables, err) < 0)
        return -1;
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct routed_table *t = &tables->items[i];
        if (!replicable(t)) {
            /* A glob may match views, which nobody inserts into; an unlogged table is a table. */
            if (t->plain || t->persistence == 'u')
                return refuse_kind(config, t, arena, err);
        } else if (check_partitions(sql, config, t, err) < 0 ||
                   check_identity(config, tables, t, arena, err) < 0 ||
                   check_columns(config, router, tables, t, t->published, arena, err) < 0 ||
                   (tables->share == ROUTER_CHANGES &&
                    check_identities(sql, config, router, t, err) < 0) ||
                   check_old_rows(sql, config, router, t, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- Judging: the publication ---- */

static const struct {
    enum change_op op;
    const char *name;
} published_ops[] = {{CHANGE_INSERT, "insert"},
                     {CHANGE_UPDATE, "update"},
                     {CHANGE_DELETE, "delete"},
                     {CHANGE_TRUNCATE, "truncate"}};

static int check_operations(const struct router *router, const struct tables *tables,
                            struct arena *arena, struct error *err)
{
    const struct publication *p = &tables->publication;
    uint32_t wanted = router_operations(router, tables->share);
    size_t at = 0;
    while (at < 4 && ((wanted & ~p->operations) & change_bit(published_ops[at].op)) == 0)
        at++;
    if (at == 4 || tables->count == 0)
        return 0;
    config_error(err, tables->name, REASON_PUBLICATION_INSERTS,
                 "publication %s does not publish %ss: no event of one would ever come",
                 tables->name->text, published_ops[at].name);
    struct buf list = BUF_EMPTY;
    for (size_t i = 0; i < 4; i++)
        if (((wanted | p->operations) & change_bit(published_ops[i].op)) != 0)
            buf_add_format(&list, "%s%s", list.len > 0 ? ", " : "", published_ops[i].name);
    error_mend_sql(err, "ALTER PUBLICATION %s SET (publish = '%s')",
                   quoted_publication(arena, tables), buf_text(&list));
    buf_fini(&list);
    return -1;
}

static int refuse_root(const struct config_relay *config, const struct tables *tables,
                       const struct routed_table *t, struct arena *arena, struct error *err)
{
    refuse(config, t, REASON_PUBLICATION_ROOT, err,
           "is partitioned, and publication %s sends such rows under the names of the partitions",
           tables->name->text);
    return error_mend_sql(err, "ALTER PUBLICATION %s SET (publish_via_partition_root = true)",
                          quoted_publication(arena, tables));
}

/* Under which name do the rows come, and does a route take that? */
static int check_name(const struct config_relay *config, const struct router *router,
                      const struct tables *tables, const struct routed_table *t, struct error *err)
{
    if (router_route_of_share(router, tables->share, t->sent_schema, t->sent_name) >= 0)
        return 0;
    refuse(config, t, REASON_PUBLICATION_ROOT, err,
           "is a partition, and publication %s sends its rows under the name of %.*s.%.*s",
           tables->name->text, SPAN_ARG(t->sent_schema), SPAN_ARG(t->sent_name));
    return error_hint(err, "mend routes[].from: name %.*s.%.*s", SPAN_ARG(t->sent_schema),
                      SPAN_ARG(t->sent_name));
}

/* FOR TABLE of a parent takes its children of that day in, each under its own name. */
static int check_children(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, const struct tables *tables,
                          const struct routed_table *t, struct error *err)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%" PRIu32, t->oid);
    const char *parameter = oid;
    struct pg_result *r = NULL;
    if (!t->has_children)
        return 0;
    if (pg_query(sql,
                 "WITH RECURSIVE x(relid) AS (SELECT inhrelid FROM pg_catalog.pg_inherits "
                 "WHERE inhparent = $1::oid UNION SELECT i.inhrelid FROM x "
                 "JOIN pg_catalog.pg_inherits i ON i.inhparent = x.relid) "
                 "SELECT n.nspname, c.relname FROM x JOIN pg_catalog.pg_class c ON c.oid = x.relid "
                 "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2",
                 1, &parameter, &r, err) < 0)
        return -1;
    int result = 0;
    for (int i = 0; i < pg_result_rows(r) && result == 0; i++) {
        struct span schema = pg_result_cell(r, i, 0), name = pg_result_cell(r, i, 1);
        if (router_route_of_share(router, tables->share, schema, name) >= 0)
            continue;
        result = refuse(config, t, REASON_INHERITED_TABLE, err,
                        "has the child %.*s.%.*s, whose rows no route takes: they come under its "
                        "own name",
                        SPAN_ARG(schema), SPAN_ARG(name));
        error_hint(err,
                   "give routes[].from a glob that takes both, or make the table a partitioned "
                   "one");
    }
    pg_result_free(r);
    return result;
}

static int check_published(struct pg_connection *sql, const struct config_relay *config,
                           const struct router *router, const struct tables *tables,
                           const struct routed_table *t, bool before_setup, struct arena *arena,
                           struct error *err)
{
    const char *publication = quoted_publication(arena, tables);
    /* First, because to be added to such a publication does not help the table. */
    if (t->kind == 'p' && !tables->publication.via_root)
        return refuse_root(config, tables, t, arena, err);
    if (!t->published && before_setup)
        return 0;
    if (!t->published) {
        refuse(config, t, REASON_PUBLICATION_TABLE, err,
               "is not in publication %s: its events would never come", tables->name->text);
        error_mend(err, "setup");
        return error_mend_sql(err, "ALTER PUBLICATION %s ADD TABLE %s", publication,
                              quoted(arena, t));
    }
    if (t->filtered) {
        refuse(config, t, REASON_PUBLICATION_FILTER, err,
               "has a row filter in publication %s: the rows that it leaves out would never come",
               tables->name->text);
        return error_mend_sql(
            err, "ALTER PUBLICATION %s DROP TABLE %s; ALTER PUBLICATION %s ADD TABLE %s",
            publication, quoted(arena, t), publication, quoted(arena, t));
    }
    if (check_name(config, router, tables, t, err) < 0 ||
        check_children(sql, config, router, tables, t, err) < 0)
        return -1;
    return check_columns(config, router, tables, t, true, arena, err);
}

static int check_all(struct pg_connection *sql, const struct config_relay *config,
                     const struct router *router, const struct tables *tables, bool before_setup,
                     struct arena *arena, struct error *err)
{
    if (check_operations(router, tables, arena, err) < 0)
        return -1;
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct routed_table *t = &tables->items[i];
        if (!replicable(t))
            continue;
        /* A partition that only a glob matches comes and goes with its root. */
        int result =
            t->partition && !t->plain
                ? (t->published ? check_name(config, router, tables, t, err) : 0)
                : check_published(sql, config, router, tables, t, before_setup, arena, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

int tables_check_published(struct pg_connection *sql, const struct config_relay *config,
                           const struct router *router, const struct tables *tables,
                           struct arena *arena, struct error *err)
{
    if (!tables->publication.exists) {
        if (tables->share == ROUTER_CHANGES && !router_has_share(router, tables->share))
            return 0; /* nobody asks for it */
        error_stop(err, REASON_PUBLICATION_MISSING, "publication \"%s\" does not exist",
                   tables->name->text);
        return error_mend(err, "setup");
    }
    return check_all(sql, config, router, tables, false, arena, err);
}

int tables_check_mendable(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, const struct tables *tables,
                          struct arena *arena, struct error *err)
{
    if (!tables->publication.exists)
        return 0;
    return check_all(sql, config, router, tables, true, arena, err);
}

int tables_refuse_standby(struct pg_connection *sql, const char *who_writes, const char *instead,
                          struct error *err)
{
    struct pg_result *r = NULL;
    assert(sql != NULL && who_writes != NULL && instead != NULL);
    if (pg_query(sql, "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL, &r, err) < 0)
        return -1;
    bool standby = pg_result_true(r, 0, 0);
    pg_result_free(r);
    if (!standby)
        return 0;
    error_stop(err, REASON_IN_RECOVERY, "source.connection leads to a standby, and %s", who_writes);
    return error_hint(err, "read from the primary, or %s", instead);
}
