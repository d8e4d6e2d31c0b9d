/* recover/origin_claim_tables: the tables whose rows a relay claims: they have what routes[].poll
 * names, and the relay may do what it is to do; and the conditions in SQL that come of it. */
#include "recover/origin_poll_internal.h"

#include "recover/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_OID_INT8 20
#define TYPE_OID_INT2 21
#define TYPE_OID_INT4 23
#define TYPE_OID_TEXT 25
#define TYPE_OID_VARCHAR 1043
#define TYPE_OID_TIMESTAMPTZ 1184
#define TYPE_OID_UUID 2950
#define NO_COLUMN UINT32_MAX

/* $2: the column of routes[].poll.key, or NULL. */
static const char key_sql[] =
    "SELECT a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a "
    "ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = $1::oid "
    "AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL "
    "AND CASE WHEN $2::text IS NULL THEN i.indisprimary ELSE a.attname = $2::text END LIMIT 1";

/* $2: the column that orders; $3: the one that tells what is pending, or NULL. */
static const char facts_sql[] =
    "SELECT has_table_privilege($1::oid, 'SELECT') AND has_any_column_privilege($1::oid, 'UPDATE') "
    "AND CASE WHEN $3::text IS NULL THEN has_table_privilege($1::oid, 'DELETE') "
    "ELSE has_column_privilege($1::oid, $3::text, 'UPDATE') END, current_user, "
    "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a "
    "ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = $1::oid "
    "AND i.indisvalid AND (($3::text IS NULL AND i.indpred IS NULL AND a.attname = $2::text) "
    "OR ($3::text IS NOT NULL AND i.indpred IS NOT NULL AND a.attname = $2::text) "
    "OR a.attname = $3::text)), row_security_active($1::oid), "
    "has_schema_privilege(relnamespace, 'USAGE'), relkind = 'p' "
    "FROM pg_catalog.pg_class WHERE oid = $1::oid";

enum { MAY_CLAIM, ROLE, HAS_INDEX, IS_HIDDEN, MAY_USE, IS_PARTITIONED };

struct loading {
    struct origin_poll *o;
    const struct config_claim *config;
    struct claim_table *table;
    char oid[16];
    struct buf name; /* quoted, with its schema */
};

static int refuse_column(const struct loading *l, enum reason reason, const char *column,
                         const char *what, const char *hint, struct error *err)
{
    const struct relation *r = &l->table->relation;
    error_stop(err, reason, "table %.*s.%.*s cannot be claimed: %s column %s", SPAN_ARG(r->schema),
               SPAN_ARG(r->name), what, column);
    return error_hint(err, "%s", hint);
}

/* ---- Columns ---- */

static uint32_t find(const struct loading *l, const char *name)
{
    const struct relation *r = &l->table->relation;
    for (uint32_t i = 0; i < r->column_count; i++)
        if (span_equal_text(r->columns[i].name, name))
            return i;
    return NO_COLUMN;
}

/* Every column that routes[].poll names is there, and of a type that will do. */
static int check_column(const struct loading *l, const struct config_text *name,
                        const uint32_t *types, const char *of_type, struct error *err)
{
    if (name->text == NULL)
        return 0;
    uint32_t at = find(l, name->text);
    if (at == NO_COLUMN)
        return refuse_column(l, REASON_COLUMN_MISSING, name->text, "it has no",
                             "mend routes[].poll, which names it", err);
    for (const uint32_t *type = types; type != NULL && *type != 0; type++)
        if (l->table->relation.columns[at].type_oid == *type)
            return 0;
    return types == NULL ? 0
                         : refuse_column(l, REASON_COLUMN_TYPE, name->text, of_type,
                                         "change its type, or leave it out of routes[].poll", err);
}

static int check_columns(const struct loading *l, struct error *err)
{
    static const uint32_t times[] = {TYPE_OID_TIMESTAMPTZ, 0};
    static const uint32_t integers[] = {TYPE_OID_INT2, TYPE_OID_INT4, TYPE_OID_INT8, 0};
    const char *time = "timestamptz is not the type of", *integer = "no integer is in";
    const struct config_claim *c = l->config;
    return check_column(l, &c->column, NULL, "", err) < 0 ||
                   check_column(l, &c->order, NULL, "", err) < 0 ||
                   check_column(l, &c->available_at, times, time, err) < 0 ||
                   check_column(l, &c->lease, times, time, err) < 0 ||
                   check_column(l, &c->attempts, integers, integer, err) < 0
               ? -1
               : 0;
}

static int check_key_type(const struct loading *l, const char *key, bool not_null,
                          struct error *err)
{
    uint32_t type = l->table->relation.columns[l->table->key].type_oid;
    bool integer = type == TYPE_OID_INT2 || type == TYPE_OID_INT4 || type == TYPE_OID_INT8;
    bool text = type == TYPE_OID_TEXT || type == TYPE_OID_VARCHAR;
    if (!not_null || (!integer && !text && type != TYPE_OID_UUID))
        return refuse_column(l, REASON_COLUMN_TYPE, key,
                             not_null ? "neither an integer, a uuid nor a text is in"
                                      : "NULL is allowed in",
                             "add one that is an identity column with a unique index, and name it "
                             "in routes[].poll.key",
                             err);
    if (integer || l->config->order.text != NULL)
        return 0;
    return refuse_column(l, REASON_COLUMN_TYPE, key, "rows have no order in",
                         "name the column that orders them in routes[].poll.order", err);
}

static int find_key(struct loading *l, const bool *not_null, struct error *err)
{
    const char *const parameters[] = {l->oid, l->config->key.text};
    struct pg_result *r = NULL;
    if (pg_query(l->o->base.sql, key_sql, 2, parameters, &r, err) < 0)
        return -1;
    bool found = pg_result_rows(r) > 0;
    const char *key =
        found ? arena_format(&l->o->arena, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0))) : "";
    pg_result_free(r);
    if (!found)
        return refuse_column(l, REASON_COLUMN_MISSING,
                             l->config->key.text != NULL ? l->config->key.text : "as primary key",
                             "it has no unique index on one",
                             "give it a primary key of one column, or name another column with a "
                             "unique index in routes[].poll.key",
                             err);
    l->table->key = find(l, key);
    l->table->order =
        l->config->order.text != NULL ? find(l, l->config->order.text) : l->table->key;
    return check_key_type(l, key, not_null[l->table->key], err);
}

/* ---- Conditions ---- */

static void add_column(struct buf *sql, const struct config_text *name)
{
    pg_quote_identifier(sql, span_of(name->text));
}

static void add_until(struct buf *sql, const struct config_text *name)
{
    if (name->text == NULL)
        return;
    buf_add_text(sql, " AND (");
    add_column(sql, name);
    buf_add_text(sql, " IS NULL OR ");
    add_column(sql, name);
    buf_add_text(sql, " <= now())");
}

static const char *keep(const struct loading *l, struct buf *sql)
{
    const char *text = arena_format(&l->o->arena, "%s", buf_text(sql));
    return text;
}

static void make_pending(const struct loading *l, struct buf *sql)
{
    const struct config_claim *c = l->config;
    if (c->done == POLL_DONE_DELETE) {
        buf_add_text(sql, "true");
    } else {
        add_column(sql, &c->column);
        buf_add_text(sql, c->pending.text != NULL ? " = " : " IS NULL");
        if (c->pending.text != NULL)
            pg_quote_literal(sql, span_of(c->pending.text));
    }
    l->table->pending = keep(l, sql);
}

static void make_due(const struct loading *l, struct buf *sql)
{
    const struct config_claim *c = l->config;
    add_until(sql, &c->available_at);
    add_until(sql, &c->lease);
    if (c->attempts.text != NULL) {
        buf_add_text(sql, " AND coalesce(");
        add_column(sql, &c->attempts);
        buf_add_format(sql, ", 0) < %" PRId64, c->attempts_max);
    }
    l->table->due = keep(l, sql);
}

static void make_done(const struct loading *l, struct buf *sql)
{
    const struct config_claim *c = l->config;
    if (c->done == POLL_DONE_DELETE)
        return;
    buf_reset(sql);
    add_column(sql, &c->column);
    buf_add_text(sql, " = ");
    pg_quote_literal(sql, span_of(c->value.text));
    if (c->attempts.text != NULL) {
        buf_add_text(sql, ", ");
        add_column(sql, &c->attempts);
        buf_add_text(sql, " = coalesce(");
        add_column(sql, &c->attempts);
        buf_add_text(sql, ", 0) + 1");
    }
    l->table->done = keep(l, sql);
}

static void make_conditions(const struct loading *l)
{
    struct buf sql = BUF_EMPTY;
    make_pending(l, &sql);
    make_due(l, &sql);
    make_done(l, &sql);
    buf_fini(&sql);
}

/* ---- What the server says of them ---- */

/* What is written must not be pending, and both must be values of the column: PostgreSQL tells by a
 * statement that changes nothing. */
static int check_values(const struct loading *l, struct error *err)
{
    const struct config_claim *c = l->config;
    struct buf sql = BUF_EMPTY;
    struct pg_result *r = NULL;
    if (c->done == POLL_DONE_DELETE)
        return 0;
    buf_add_text(&sql, "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
                       "$1::oid AND attname = $2");
    const char *const parameters[] = {l->oid, c->column.text};
    int result = pg_query(l->o->base.sql, buf_text(&sql), 2, parameters, &r, err);
    if (result == 0) {
        struct span type = pg_result_cell(r, 0, 0);
        buf_reset(&sql);
        buf_add_text(&sql, "SELECT CAST(");
        pg_quote_literal(&sql, span_of(c->value.text));
        buf_add_format(&sql, " AS %.*s) IS NOT DISTINCT FROM CAST(", SPAN_ARG(type));
        if (c->pending.text != NULL)
            pg_quote_literal(&sql, span_of(c->pending.text));
        else
            buf_add_text(&sql, "NULL");
        buf_add_format(&sql, " AS %.*s)", SPAN_ARG(type));
        pg_result_free(r);
        r = NULL;
        result = pg_query(l->o->base.sql, buf_text(&sql), 0, NULL, &r, err);
    }
    if (result == 0 && pg_result_true(r, 0, 0))
        result = refuse_column(l, REASON_COLUMN_TYPE, c->column.text,
                               "value and pending of routes[].poll are the same in",
                               "say what a row has that is published, and what one has that is not",
                               err);
    pg_result_free(r);
    buf_fini(&sql);
    return result;
}

static void add_advice(const struct loading *l, const struct buf *text)
{
    char *advice = l->o->base.advice;
    size_t len = strlen(advice), size = sizeof l->o->base.advice;
    snprintf(advice + len, size - len, "%s%s", len > 0 ? "; " : "", text->len > 0 ? text->ptr : "");
}

static void advise_index(const struct loading *l, bool partitioned)
{
    const struct relation *r = &l->table->relation;
    struct buf text = BUF_EMPTY;
    buf_add_format(&text,
                   "without an index on what is pending each look reads all of table %s: CREATE "
                   "INDEX %sON %s (",
                   buf_text((struct buf *)&l->name), partitioned ? "" : "CONCURRENTLY ",
                   buf_text((struct buf *)&l->name));
    pg_quote_identifier(&text, r->columns[l->table->order].name);
    if (l->table->order != l->table->key) {
        buf_add_text(&text, ", ");
        pg_quote_identifier(&text, r->columns[l->table->key].name);
    }
    buf_add_text(&text, ")");
    if (l->config->done == POLL_DONE_UPDATE)
        buf_add_format(&text, " WHERE %s", l->table->pending);
    (void)buf_text(&text);
    add_advice(l, &text);
    buf_fini(&text);
}

static int refuse_rights(const struct loading *l, const struct pg_result *r, struct error *err)
{
    struct buf role = BUF_EMPTY, schema = BUF_EMPTY;
    const char *table = buf_text((struct buf *)&l->name);
    pg_quote_identifier(&role, pg_result_cell(r, 0, ROLE));
    pg_quote_identifier(&schema, l->table->relation.schema);
    if (pg_result_true(r, 0, IS_HIDDEN)) {
        poll_refuse_hidden(table, buf_text(&role), err);
    } else {
        bool usage = pg_result_true(r, 0, MAY_USE);
        error_stop(err, REASON_NO_PRIVILEGE, "the role %s may not claim rows of table %s",
                   buf_text(&role), table);
        error_hint(err, usage ? "as the table's owner" : "as the schema's owner");
        if (usage)
            error_mend_sql(err, "GRANT SELECT, UPDATE%s ON %s TO %s",
                           l->config->done == POLL_DONE_DELETE ? ", DELETE" : "", table,
                           buf_text(&role));
        else
            error_mend_sql(err, "GRANT USAGE ON SCHEMA %s TO %s", buf_text(&schema),
                           buf_text(&role));
    }
    buf_fini(&schema);
    buf_fini(&role);
    return -1;
}

static int check_facts(const struct loading *l, struct error *err)
{
    const struct relation *relation = &l->table->relation;
    const char *order =
        arena_format(&l->o->arena, "%.*s", SPAN_ARG(relation->columns[l->table->order].name));
    const char *const parameters[] = {l->oid, order, l->config->column.text};
    struct pg_result *r = NULL;
    if (pg_query(l->o->base.sql, facts_sql, 3, parameters, &r, err) < 0)
        return -1;
    int result = 0;
    if (!pg_result_true(r, 0, MAY_USE) || !pg_result_true(r, 0, MAY_CLAIM) ||
        pg_result_true(r, 0, IS_HIDDEN))
        result = refuse_rights(l, r, err);
    else if (!pg_result_true(r, 0, HAS_INDEX))
        advise_index(l, pg_result_true(r, 0, IS_PARTITIONED));
    pg_result_free(r);
    return result;
}

/* Rows that were tried too often are said, and left to a person. */
static int advise_abandoned(const struct loading *l, struct error *err)
{
    struct buf sql = BUF_EMPTY;
    struct pg_result *r = NULL;
    if (l->config->attempts.text == NULL)
        return 0;
    buf_add_format(&sql, "SELECT count(*) FROM %s WHERE %s AND ", buf_text((struct buf *)&l->name),
                   l->table->pending);
    add_column(&sql, &l->config->attempts);
    buf_add_format(&sql, " >= %" PRId64, l->config->attempts_max);
    int result = pg_query(l->o->base.sql, buf_text(&sql), 0, NULL, &r, err);
    if (result == 0 && !span_equal_text(pg_result_cell(r, 0, 0), "0")) {
        buf_reset(&sql);
        buf_add_format(&sql, "%.*s rows of %s are abandoned: they were tried %" PRId64 " times",
                       SPAN_ARG(pg_result_cell(r, 0, 0)), buf_text((struct buf *)&l->name),
                       l->config->attempts_max);
        (void)buf_text(&sql);
        add_advice(l, &sql);
    }
    pg_result_free(r);
    buf_fini(&sql);
    return result;
}

/* ---- All of them ---- */

static int load_table(struct loading *l, const struct routed_table *from, const char *oids,
                      struct error *err)
{
    struct relation *relation = &l->table->relation;
    bool *not_null = NULL;
    *relation = (struct relation){.oid = from->oid,
                                  .schema = from->schema,
                                  .name = from->name,
                                  .identity = 'd',
                                  .version = 1};
    snprintf(l->oid, sizeof l->oid, "%" PRIu32, from->oid);
    tables_add_name(&l->name, from->schema, from->name);
    if (poll_load_columns(l->o, l->oid, relation, &not_null, err) < 0 ||
        check_columns(l, err) < 0 || find_key(l, not_null, err) < 0 ||
        poll_check_apart(l->o, relation, l->oid, oids, err) < 0)
        return -1;
    make_conditions(l);
    l->table->shape = claim_shape(l->config);
    if (check_facts(l, err) < 0 || check_values(l, err) < 0)
        return -1;
    return advise_abandoned(l, err);
}

int claim_load_tables(struct origin_poll *o, const struct router *router, struct error *err)
{
    struct tables tables;
    const char *oids;
    if (poll_routed_tables(o, router, &tables, &oids, err) < 0)
        return -1;
    o->claimed = arena_alloc_zero(&o->arena, tables.count * sizeof *o->claimed);
    for (uint32_t i = 0; i < tables.count; i++) {
        struct loading l = {.o = o,
                            .config = &o->o.config->routes.items[tables.items[i].route].claim,
                            .table = &o->claimed[o->table_count++],
                            .name = BUF_EMPTY};
        int result = load_table(&l, &tables.items[i], oids, err);
        buf_fini(&l.name);
        if (result < 0)
            return -1;
    }
    return 0;
}
