/* recover/partitions: what stands below a table that a route takes. The publication holds the root,
 * so the server sends what is inserted into a partition, unless that has no WAL: each partition is
 * logged or not for itself. Foreign partitions are let be: they hold what was moved away. */
#include "recover/partitions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static int refuse_partition(const struct partitioned_table *table, struct span schema,
                            struct span name, struct error *err)
{
    struct buf quoted = BUF_EMPTY;
    pg_quote_identifier(&quoted, schema);
    buf_add_char(&quoted, '.');
    pg_quote_identifier(&quoted, name);
    config_error(err, &table->route->from, REASON_TABLE_KIND,
                 "%.*s.%.*s of route %s has the partition %.*s.%.*s, which is UNLOGGED: its rows "
                 "are not in the WAL",
                 SPAN_ARG(table->schema), SPAN_ARG(table->name), table->route->name.text,
                 SPAN_ARG(schema), SPAN_ARG(name));
    error_mend_sql(err, "ALTER TABLE %s SET LOGGED", buf_text(&quoted));
    buf_fini(&quoted);
    return -1;
}

int partitions_check(struct pg_connection *sql, const struct partitioned_table *table,
                     struct error *err)
{
    assert(table->oid != 0 && table->route != NULL);
    char oid[16];
    snprintf(oid, sizeof oid, "%" PRIu32, table->oid);
    const char *parameter = oid;
    struct pg_result *r = NULL;
    if (pg_query(sql,
                 "SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_tree($1::oid) x "
                 "JOIN pg_catalog.pg_class c ON c.oid = x.relid "
                 "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                 "WHERE x.isleaf AND c.relpersistence = 'u' ORDER BY 1, 2 LIMIT 1",
                 1, &parameter, &r, err) < 0)
        return -1;
    int result = pg_result_rows(r) == 0 ? 0
                                        : refuse_partition(table, pg_result_cell(r, 0, 0),
                                                           pg_result_cell(r, 0, 1), err);
    pg_result_free(r);
    return result;
}
