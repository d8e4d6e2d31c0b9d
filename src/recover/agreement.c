/* recover/agreement: see agreement.h. All tables are compared, also those that no route names: the
 * server ends the stream at a row of any. */
#include "recover/agreement.h"

#include "recover/tables.h"

#include <assert.h>
#include <stdio.h>

/* What the publication p holds of table c: the outermost of it and what it is a partition of, and
 * whether by name. %s: see HOLDS_SCHEMA_SQL in tables.c. */
#define HOLDS_SQL                                                                                  \
    "CROSS JOIN LATERAL (SELECT x.relid AS oid FROM unnest(ARRAY[c.oid] || ARRAY("                 \
    "SELECT a.relid::oid FROM pg_catalog.pg_partition_ancestors(c.oid) a)) "                       \
    "WITH ORDINALITY x(relid, depth) JOIN pg_catalog.pg_class xc ON xc.oid = x.relid "             \
    "WHERE p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel r "                 \
    "WHERE r.prpubid = p.oid AND r.prrelid = x.relid) OR %s ORDER BY x.depth DESC LIMIT 1) top "

/* For each of the two the name under which rows of c come, and the column list that goes with it.
 */
#define DIFFERENT_SQL                                                                              \
    "WITH h AS (SELECT p.pubname, p.pubviaroot, c.oid, top.oid AS top, s.oid AS sent, "            \
    "r.oid IS NOT NULL AS named, coalesce((SELECT string_agg(quote_ident(a.attname), ', ' "        \
    "ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = s.oid AND "              \
    "' ' || translate(to_jsonb(r)->>'prattrs', '[],', '   ') || ' ' "                              \
    "LIKE '%% ' || a.attnum || ' %%'), '') AS list "                                               \
    "FROM pg_catalog.pg_publication p CROSS JOIN pg_catalog.pg_class c " HOLDS_SQL                 \
    "CROSS JOIN LATERAL (SELECT CASE WHEN p.pubviaroot THEN top.oid ELSE c.oid END AS oid) s "     \
    "LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = s.oid "        \
    "WHERE p.pubname IN ($1, $2) AND c.relkind = 'r' AND c.relpersistence = 'p' "                  \
    "AND c.oid >= 16384) "                                                                         \
    "SELECT n.nspname, t.relname, a.sent <> b.sent, a.pubviaroot, b.pubviaroot, a.named, a.list, " \
    "b.list, un.nspname, u.relname FROM h a JOIN h b ON a.oid = b.oid "                            \
    "AND a.pubname = $1 AND b.pubname = $2 "                                                       \
    "JOIN pg_catalog.pg_class t ON t.oid = CASE WHEN a.sent = b.sent THEN a.sent ELSE a.oid END "  \
    "JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace "                                    \
    "JOIN pg_catalog.pg_class u ON u.oid = CASE WHEN t.oid <> a.sent THEN a.sent ELSE b.sent END " \
    "JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace "                                  \
    "WHERE a.sent <> b.sent OR a.list <> b.list ORDER BY 3 DESC, 1, 2 LIMIT 1"
#define HOLDS_SCHEMA_SQL                                                                           \
    "EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = p.oid "           \
    "AND s.pnnspid = xc.relnamespace)"

enum answer {
    SCHEMA,
    TABLE,
    OTHER_NAME,
    VIA_ROOT,
    CHANGES_VIA_ROOT,
    NAMED,
    LIST,
    CHANGES_LIST,
    SENT_SCHEMA,
    SENT_TABLE
};

struct disagreement {
    const struct config_text *inserts; /* the two publications */
    const struct config_text *changes;
    const struct pg_result *r;
};

static struct span cell(const struct disagreement *d, enum answer column)
{
    return pg_result_cell(d->r, 0, (int)column);
}

static bool is_true(const struct disagreement *d, enum answer column)
{
    return span_equal_text(cell(d, column), "t");
}

static void add_publication(struct buf *out, const struct config_text *name)
{
    buf_add_text(out, "ALTER PUBLICATION ");
    pg_quote_identifier(out, span_of(name->text));
}

static int mend(struct buf *statement, struct error *err)
{
    return error_mend_sql(err, "%s", buf_text(statement));
}

/* ---- Under which name ---- */

/* Where both send by roots, one holds more of the tree than the other. */
static int refuse_name(const struct disagreement *d, struct error *err)
{
    bool via = is_true(d, VIA_ROOT), changes_via = is_true(d, CHANGES_VIA_ROOT);
    struct buf statement = BUF_EMPTY;
    config_error(err, d->changes, REASON_PUBLICATION_ROOT,
                 "publications %s and %s send the rows of %.*s.%.*s under two names, of which the "
                 "server takes %.*s.%.*s for both: routes that wait for the other get nothing",
                 d->inserts->text, d->changes->text, SPAN_ARG(cell(d, SCHEMA)),
                 SPAN_ARG(cell(d, TABLE)), SPAN_ARG(cell(d, SENT_SCHEMA)),
                 SPAN_ARG(cell(d, SENT_TABLE)));
    if (via != changes_via) {
        add_publication(&statement, via ? d->changes : d->inserts);
        buf_add_text(&statement, " SET (publish_via_partition_root = true)");
        mend(&statement, err);
    } else {
        error_hint(err, "let both hold %.*s.%.*s, or neither", SPAN_ARG(cell(d, SENT_SCHEMA)),
                   SPAN_ARG(cell(d, SENT_TABLE)));
    }
    buf_fini(&statement);
    return -1;
}

/* ---- Which columns ---- */

static void add_again(const struct disagreement *d, const struct config_text *publication,
                      struct span list, struct buf *out)
{
    add_publication(out, publication);
    buf_add_text(out, " DROP TABLE ");
    tables_add_name(out, cell(d, SCHEMA), cell(d, TABLE));
    buf_add_text(out, "; ");
    add_publication(out, publication);
    buf_add_text(out, " ADD TABLE ");
    tables_add_name(out, cell(d, SCHEMA), cell(d, TABLE));
    if (list.len > 0)
        buf_add_format(out, " (%.*s)", SPAN_ARG(list));
}

/* The list of changes holds what the server needs of it for UPDATE and DELETE, so that of inserts
 * follows it, unless it cannot have one: a table that comes with its schema, or with all. */
static int refuse_list(const struct disagreement *d, struct error *err)
{
    struct span list = cell(d, LIST), changes = cell(d, CHANGES_LIST);
    struct buf statement = BUF_EMPTY;
    config_error(err, d->changes, REASON_PUBLICATION_COLUMN,
                 "publications %s and %s send other columns of %.*s.%.*s each: %s%.*s and %s%.*s; "
                 "the server ends the stream at the first row of it",
                 d->inserts->text, d->changes->text, SPAN_ARG(cell(d, SCHEMA)),
                 SPAN_ARG(cell(d, TABLE)), list.len > 0 ? "" : "all", SPAN_ARG(list),
                 changes.len > 0 ? "" : "all", SPAN_ARG(changes));
    if (is_true(d, NAMED))
        add_again(d, d->inserts, changes, &statement);
    else
        add_again(d, d->changes, SPAN_LITERAL(""), &statement);
    mend(&statement, err);
    buf_fini(&statement);
    return -1;
}

int publications_agree(struct pg_connection *sql, const struct config_relay *config,
                       struct error *err)
{
    bool schemas = false;
    struct disagreement d = {.inserts = tables_publication(config, ROUTER_INSERTS),
                             .changes = tables_publication(config, ROUTER_CHANGES)};
    const char *parameters[] = {d.inserts->text, d.changes->text};
    char statement[4096];
    struct pg_result *r = NULL;
    if (tables_server_has_schemas(sql, &schemas, err) < 0)
        return -1;
    int len =
        snprintf(statement, sizeof statement, DIFFERENT_SQL, schemas ? HOLDS_SCHEMA_SQL : "false");
    assert(len > 0 && (size_t)len < sizeof statement);
    if (pg_query(sql, statement, 2, parameters, &r, err) < 0)
        return -1;
    int result = 0;
    d.r = r;
    if (pg_result_rows(r) > 0)
        result = is_true(&d, OTHER_NAME) ? refuse_name(&d, err) : refuse_list(&d, err);
    pg_result_free(r);
    return result;
}
