/* recover/identities: see identities.h. The server answers with what falls short; which statement
 * mends it is decided here: nothing is made to tell less than it did. */
#include "recover/identities.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* So many of them stand in one statement. */
#define NAMED_MAX 6

/* The columns of the replica identity of relation c that is an index, by name and in their order.
 */
#define IDENTITY_COLUMNS(c)                                                                        \
    "ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a "      \
    "ON a.attrelid = " c ".oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) "      \
    "WHERE i.indrelid = " c ".oid AND i.indimmediate AND i.indisvalid AND "                        \
    "CASE " c ".relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident "         \
    "ELSE false END ORDER BY 1)"

static const char *oid_text(const struct partitioned_table *table, char text[16])
{
    assert(table->oid != 0);
    snprintf(text, 16, "%" PRIu32, table->oid);
    return text;
}

static void add_alter(struct buf *out, struct span schema, struct span name, const char *identity)
{
    buf_add_text(out, out->len > 0 ? "; ALTER TABLE " : "ALTER TABLE ");
    pg_quote_identifier(out, schema);
    buf_add_char(out, '.');
    pg_quote_identifier(out, name);
    buf_add_format(out, " REPLICA IDENTITY %s", identity);
}

/* ---- Partitions ---- */

/* The partitions that differ; whether the root is FULL, whether it has any identity but an index of
 * its choice, and whether all partitions are FULL. */
#define DIFFERENT_SQL                                                                              \
    "WITH t AS (SELECT c.oid, n.nspname, c.relname, c.relreplident = 'f' AS whole, "               \
    "c.relreplident = 'd' AS by_key, " IDENTITY_COLUMNS(                                           \
        "c") " AS columns "                                                                        \
             "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "               \
             "c.relnamespace "                                                                     \
             "WHERE c.oid = $1::oid OR (c.relkind = 'r' AND c.oid IN (SELECT x.relid "             \
             "FROM pg_catalog.pg_partition_tree($1::oid) x WHERE x.isleaf))) "                     \
             "SELECT l.nspname, l.relname, r.whole, r.by_key AND r.columns <> '{}', "              \
             "(SELECT bool_and(t.whole) FROM t WHERE t.oid <> r.oid) FROM t l JOIN t r ON r.oid "  \
             "= $1::oid "                                                                          \
             "WHERE l.oid <> r.oid AND (l.whole <> r.whole OR (NOT l.whole AND l.columns <> "      \
             "r.columns)) "                                                                        \
             "ORDER BY 1, 2"

static void add_mend(const struct partitioned_table *table, const struct pg_result *r,
                     struct error *err)
{
    bool whole = pg_result_true(r, 0, 2), by_key = pg_result_true(r, 0, 3),
         leaves_whole = pg_result_true(r, 0, 4);
    int rows = pg_result_rows(r) < NAMED_MAX ? pg_result_rows(r) : NAMED_MAX;
    struct buf statement = BUF_EMPTY;
    if (!whole && (!by_key || leaves_whole))
        add_alter(&statement, table->schema, table->name, "FULL");
    for (int i = 0; i < rows && (whole || !leaves_whole); i++)
        add_alter(&statement, pg_result_cell(r, i, 0), pg_result_cell(r, i, 1),
                  by_key ? "DEFAULT" : "FULL");
    error_mend_sql(err, "%s", buf_text(&statement));
    buf_fini(&statement);
}

static int refuse_partitions(const struct partitioned_table *table, const struct pg_result *r,
                             struct error *err)
{
    struct buf names = BUF_EMPTY;
    for (int i = 0; i < pg_result_rows(r) && i < NAMED_MAX; i++)
        buf_add_format(&names, "%s%.*s.%.*s", i > 0 ? ", " : "", SPAN_ARG(pg_result_cell(r, i, 0)),
                       SPAN_ARG(pg_result_cell(r, i, 1)));
    if (pg_result_rows(r) > NAMED_MAX)
        buf_add_format(&names, " and %d more", pg_result_rows(r) - NAMED_MAX);
    config_error(err, &table->route->from, REASON_REPLICA_IDENTITY,
                 "%.*s.%.*s of route %s: its partitions %s have another replica identity than it "
                 "has itself: of their old rows NULL would come where the two differ",
                 SPAN_ARG(table->schema), SPAN_ARG(table->name), table->route->name.text,
                 buf_text(&names));
    buf_fini(&names);
    add_mend(table, r, err);
    return -1;
}

int identities_check_partitions(struct pg_connection *sql, const struct partitioned_table *table,
                                struct error *err)
{
    char oid[16];
    const char *parameter = oid_text(table, oid);
    struct pg_result *r = NULL;
    if (pg_query(sql, DIFFERENT_SQL, 1, &parameter, &r, err) < 0)
        return -1;
    int result = 0;
    if (pg_result_rows(r) > 0)
        result = refuse_partitions(table, r, err);
    pg_result_free(r);
    return result;
}

/* ---- Keys ---- */

/* The first column of the key that the identity lacks, and whether the key can be the identity by
 * default, as a primary key is that may not be deferred. Which index it is: see source_keys.c. */
#define LACKING_SQL                                                                                \
    "WITH k AS (SELECT x.indkey, x.indnkeyatts, x.indisprimary AND x.indimmediate AS by_default "  \
    "FROM pg_catalog.pg_index x "                                                                  \
    "JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = $1::oid "               \
    "AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL "             \
    "ORDER BY NOT x.indisprimary, NOT x.indisclustered, c.relname LIMIT 1) "                       \
    "SELECT a.attname, k.by_default FROM k JOIN pg_catalog.pg_class c ON c.oid = $1::oid "         \
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "                                        \
    "AND a.attnum = ANY ((k.indkey::int2[])[0:k.indnkeyatts - 1]) "                                \
    "WHERE c.relreplident <> 'f' AND a.attname <> ALL (" IDENTITY_COLUMNS(                         \
        "c") ") "                                                                                  \
             "ORDER BY a.attnum LIMIT 1"

static int refuse_key(const struct partitioned_table *table, struct span column,
                      const char *identity, struct error *err)
{
    struct buf statement = BUF_EMPTY;
    config_error(err, &table->route->from, REASON_REPLICA_IDENTITY,
                 "%.*s.%.*s of route %s: column %.*s is part of the key of its events, and its "
                 "replica identity does not hold it: a row that leaves its key would stay under it",
                 SPAN_ARG(table->schema), SPAN_ARG(table->name), table->route->name.text,
                 SPAN_ARG(column));
    add_alter(&statement, table->schema, table->name, identity);
    error_mend_sql(err, "%s", buf_text(&statement));
    buf_fini(&statement);
    return -1;
}

/* The columns, and whether an old row has them. */
#define COLUMNS_SQL                                                                                \
    "SELECT a.attname, c.relreplident = 'f' OR a.attname = ANY (" IDENTITY_COLUMNS(                \
        "c") ") "                                                                                  \
             "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "    \
             "WHERE c.oid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"

/* Of the columns that debezium.message_key_columns gives the table: *given, there are any. */
static int check_given_key(const struct partitioned_table *table, const struct pg_result *r,
                           bool *given, struct error *err)
{
    const char *list = table->route->debezium.message_key_columns.text;
    struct key_column key;
    *given = false;
    while (config_key_column_next(&list, &key))
        for (int i = 0; i < pg_result_rows(r); i++) {
            struct span column = pg_result_cell(r, i, 0);
            if (!config_key_column_matches(&key, table->schema, table->name, column))
                continue;
            *given = true;
            if (!pg_result_true(r, i, 1))
                return refuse_key(table, column, "FULL", err);
        }
    return 0;
}

int identities_check_key(struct pg_connection *sql, const struct partitioned_table *table,
                         struct error *err)
{
    char oid[16];
    const char *parameter = oid_text(table, oid);
    struct pg_result *r = NULL;
    bool given = false;
    int result = 0;
    assert(table->route->as == ROUTE_CHANGE);
    if (table->route->debezium.message_key_columns.text != NULL) {
        if (pg_query(sql, COLUMNS_SQL, 1, &parameter, &r, err) < 0)
            return -1;
        result = check_given_key(table, r, &given, err);
        pg_result_free(r);
    }
    if (given || result < 0)
        return result;
    if (pg_query(sql, LACKING_SQL, 1, &parameter, &r, err) < 0)
        return -1;
    if (pg_result_rows(r) > 0)
        result = refuse_key(table, pg_result_cell(r, 0, 0),
                            pg_result_true(r, 0, 1) ? "DEFAULT" : "FULL", err);
    pg_result_free(r);
    return result;
}
