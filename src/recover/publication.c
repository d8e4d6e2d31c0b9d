/* recover/publication: the tables of the routes against the publication, and how it is made.
 *
 * Which table belongs to a route is the router's word alone, so a glob means the same here as it
 * does for a row. Nothing is ever taken out of a publication: it may be somebody else's, too. */
#include "recover/recover.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_PREFIX "message:"

/* "schema.table" of a route that names one table; false for globs and messages. */
static bool plain_table(const struct config_route *route, struct span *schema, struct span *table)
{
    const char *from = route->from.text;
    const char *dot = strchr(from, '.');
    if (strncmp(from, MESSAGE_PREFIX, strlen(MESSAGE_PREFIX)) == 0 || dot == NULL ||
        strpbrk(from, "*?") != NULL)
        return false;
    *schema = (struct span){from, (size_t)(dot - from)};
    *table = span_of(dot + 1);
    return true;
}

static bool listed(const struct pg_table *tables, uint32_t count, struct span schema,
                   struct span table)
{
    for (uint32_t i = 0; i < count; i++)
        if (span_equal_text(schema, tables[i].schema) && span_equal_text(table, tables[i].name))
            return true;
    return false;
}

int relay_check_publication(struct pg_connection *sql, const struct config *config,
                            struct error *err)
{
    const char *publication = config->source.publication.text;
    struct pg_table *tables = NULL;
    uint32_t count = 0;
    if (pg_publication_tables(sql, publication, &tables, &count, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < config->routes.count && result == 0; i++) {
        const struct config_route *route = &config->routes.items[i];
        struct span schema, table;
        if (!plain_table(route, &schema, &table) || listed(tables, count, schema, table))
            continue;
        result = config_error(err, &route->from, "publication_table",
                              "publication %s does not hold table %s of route %s: its events would "
                              "never come",
                              publication, route->from.text, route->name.text);
        error_hint(err, "run: walferry setup, or: ALTER PUBLICATION %s ADD TABLE %s", publication,
                   route->from.text);
    }
    free(tables);
    return result;
}

/* ---- Making it ---- */

static void add_table_name(struct buf *out, struct span schema, struct span table)
{
    pg_quote_identifier(out, schema);
    buf_add_char(out, '.');
    pg_quote_identifier(out, table);
}

/* Appends the routed tables that are not in `have`, comma-separated; *added counts them. */
static int add_missing_tables(struct pg_connection *sql, const struct router *router,
                              const struct pg_table *have, uint32_t have_count, struct buf *out,
                              uint32_t *added, struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(sql,
                 "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c "
                 "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                 "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
                 "AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_%' "
                 "AND n.nspname <> 'information_schema' ORDER BY 1, 2",
                 0, NULL, &result, err) < 0)
        return -1;
    for (int i = 0; i < pg_result_rows(result); i++) {
        struct span schema = pg_result_cell(result, i, 0);
        struct span table = pg_result_cell(result, i, 1);
        if (router_route_of_table(router, schema, table) < 0 ||
            listed(have, have_count, schema, table))
            continue;
        if ((*added)++ > 0)
            buf_add_text(out, ", ");
        add_table_name(out, schema, table);
    }
    pg_result_free(result);
    return 0;
}

static int check_tables_exist(struct pg_connection *sql, const struct config *config,
                              struct error *err)
{
    for (uint32_t i = 0; i < config->routes.count; i++) {
        const struct config_route *route = &config->routes.items[i];
        struct span schema, table;
        if (!plain_table(route, &schema, &table))
            continue;
        char schema_text[64], table_text[64];
        snprintf(schema_text, sizeof schema_text, "%.*s", SPAN_ARG(schema));
        snprintf(table_text, sizeof table_text, "%.*s", SPAN_ARG(table));
        char **names = NULL;
        uint32_t count = 0;
        if (pg_table_columns(sql, schema_text, table_text, &names, &count, err) < 0)
            return -1;
        free(names);
        if (count > 0)
            continue;
        config_error(err, &route->from, "table_missing", "table %s of route %s does not exist",
                     route->from.text, route->name.text);
        return error_hint(err, "apply the migrations in sql/ first, or mend routes[].from");
    }
    return 0;
}

static int publication_exists(struct pg_connection *sql, const char *publication, bool *exists,
                              struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(sql, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = $1", 1, &publication,
                 &result, err) < 0)
        return -1;
    *exists = pg_result_rows(result) > 0;
    pg_result_free(result);
    return 0;
}

static int build_statement(struct pg_connection *sql, const struct config *config,
                           const struct router *router, bool exists, struct buf *statement,
                           uint32_t *added, struct error *err)
{
    const char *publication = config->source.publication.text;
    struct pg_table *have = NULL;
    uint32_t have_count = 0;
    if (exists && pg_publication_tables(sql, publication, &have, &have_count, err) < 0)
        return -1;
    struct buf tables = BUF_EMPTY;
    int result = add_missing_tables(sql, router, have, have_count, &tables, added, err);
    if (result == 0) {
        buf_add_text(statement, exists ? "ALTER PUBLICATION " : "CREATE PUBLICATION ");
        pg_quote_identifier(statement, span_of(publication));
        if (*added > 0) {
            buf_add_text(statement, exists ? " ADD TABLE " : " FOR TABLE ");
            buf_add(statement, buf_span(&tables));
        }
        if (!exists)
            buf_add_text(statement,
                         " WITH (publish = 'insert', publish_via_partition_root = true)");
    }
    free(have);
    buf_fini(&tables);
    return result;
}

int relay_ensure_publication(struct pg_connection *sql, const struct config *config,
                             const struct router *router, struct buf *out, struct error *err)
{
    const char *publication = config->source.publication.text;
    bool exists = false;
    uint32_t added = 0;
    if (check_tables_exist(sql, config, err) < 0 ||
        publication_exists(sql, publication, &exists, err) < 0)
        return -1;
    struct buf statement = BUF_EMPTY;
    int result = build_statement(sql, config, router, exists, &statement, &added, err);
    if (result == 0 && (!exists || added > 0)) {
        result = pg_exec(sql, buf_text(&statement), err);
        if (result < 0)
            error_hint(err,
                       "let the owner of the tables run: walferry setup --admin-connection "
                       "…, or by hand: %s",
                       buf_text(&statement));
        else
            command_say(out, "publication %s: %s", publication,
                        exists ? "tables added" : "created");
    } else if (result == 0) {
        command_say(out, "publication %s: in place", publication);
    }
    buf_fini(&statement);
    return result;
}

int relay_publication_sql(struct pg_connection *sql, const struct config *config,
                          const struct router *router, struct buf *out, struct error *err)
{
    uint32_t added = 0;
    if (build_statement(sql, config, router, false, out, &added, err) < 0)
        return -1;
    buf_add_text(out, ";\n");
    return 0;
}
