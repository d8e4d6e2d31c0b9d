/* recover/old_rows: see old_rows.h. The server answers with the first table that falls short, and
 * with the column, where it is one. */
#include "recover/old_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* $2: the columns, an array; NULL: all. */
#define SHORT_SQL                                                                                  \
    "SELECT n.nspname, l.relname, w.name FROM pg_catalog.pg_class l "                              \
    "JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace "                                    \
    "CROSS JOIN unnest(coalesce($2::text[], ARRAY[NULL])) w(name) "                                \
    "WHERE l.relkind = 'r' AND l.relreplident <> 'f' AND l.oid IN (SELECT $1::oid UNION ALL "      \
    "SELECT x.relid FROM pg_catalog.pg_partition_tree($1::oid) x WHERE x.isleaf) "                 \
    "AND (w.name IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.pg_index i "                        \
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = l.oid AND a.attnum = ANY (i.indkey) "          \
    "WHERE i.indrelid = l.oid AND a.attname = w.name AND i.indimmediate AND CASE l.relreplident "  \
    "WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)) "                \
    "ORDER BY 1, 2, 3 LIMIT 1"

/* An array in PostgreSQL's own form. */
static const char *array_of(const struct config_texts *names, struct buf *out)
{
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < names->count; i++) {
        buf_add_text(out, i > 0 ? ",\"" : "\"");
        for (const char *at = names->items[i].text; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                buf_add_char(out, '\\');
            buf_add_char(out, *at);
        }
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
    return buf_text(out);
}

static int refuse(const struct old_rows *old, const struct pg_result *r, struct error *err)
{
    struct span column = pg_result_cell(r, 0, 2);
    struct buf table = BUF_EMPTY;
    pg_quote_identifier(&table, pg_result_cell(r, 0, 0));
    buf_add_char(&table, '.');
    pg_quote_identifier(&table, pg_result_cell(r, 0, 1));
    config_error(err, &old->route->from, REASON_REPLICA_IDENTITY,
                 "%.*s.%.*s of route %s: %s%.*s of an updated row is asked for, and the replica "
                 "identity of %s does not hold it",
                 SPAN_ARG(old->schema), SPAN_ARG(old->name), old->route->name.text,
                 column.ptr != NULL ? "the old " : "the whole old state", SPAN_ARG(column),
                 buf_text(&table));
    error_mend_sql(err, "ALTER TABLE %s REPLICA IDENTITY FULL", buf_text(&table));
    buf_fini(&table);
    return -1;
}

int old_rows_check(struct pg_connection *sql, const struct old_rows *old, bool whole,
                   struct error *err)
{
    assert(old->oid != 0 && old->route->event.changed.count + whole > 0);
    char oid[16];
    struct buf names = BUF_EMPTY;
    struct pg_result *r = NULL;
    snprintf(oid, sizeof oid, "%" PRIu32, old->oid);
    const char *parameters[] = {oid, whole ? NULL : array_of(&old->route->event.changed, &names)};
    int result = pg_query(sql, SHORT_SQL, 2, parameters, &r, err);
    if (result == 0 && pg_result_rows(r) > 0)
        result = refuse(old, r, err);
    pg_result_free(r);
    buf_fini(&names);
    return result;
}
