/* source/source_keys: see source_keys.h. One question for one version of one relation. Which of the
 * columns are the key is decided by decode/, which knows what the stream said. */
#include "source/source_keys.h"

#include "base/clock.h"
#include "decode/decode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    /* Of a table, dropped ones included. */
    COLUMNS_MAX = 1600,
    /* Where the server ends no silent connection. */
    BOUND_DEFAULT_US = 15000000
};

/* The primary key, else the first unique index in the order of java.sql.DatabaseMetaData
 * (getIndexInfo: clustered ones first, then by name). One with a WHERE or an expression identifies
 * no row by columns. A column list is that of the table or of a root above it, by name. */
static const char keys_sql[] =
    "WITH i AS (SELECT x.indkey, x.indnkeyatts FROM pg_catalog.pg_index x "
    "JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid "
    "WHERE x.indrelid = %" PRIu32 " AND x.indisunique AND x.indisvalid AND x.indpred IS NULL "
    "AND x.indexprs IS NULL ORDER BY NOT x.indisprimary, NOT x.indisclustered, c.relname LIMIT 1), "
    "l AS (SELECT r.prpubid, r.prrelid, "
    "' ' || translate(to_jsonb(r)->>'prattrs', '[],', '   ') || ' ' AS numbers "
    "FROM pg_catalog.pg_publication_rel r WHERE coalesce(to_jsonb(r)->>'prattrs', '') <> '' "
    "AND r.prrelid IN (SELECT %" PRIu32 "::oid UNION ALL "
    "SELECT x.relid FROM pg_catalog.pg_partition_ancestors(%" PRIu32 ") x)) "
    "SELECT a.attname, a.attisdropped, a.attgenerated <> '' OR EXISTS (SELECT FROM l "
    "WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute p WHERE p.attrelid = l.prrelid "
    "AND p.attname = a.attname AND l.numbers LIKE '%% ' || p.attnum || ' %%')), "
    "a.attnotnull, coalesce(k.place, 0), pg_catalog.pg_get_expr(d.adbin, d.adrelid) "
    "FROM pg_catalog.pg_attribute a "
    "LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "AND a.attgenerated = '' "
    "LEFT JOIN (i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)) "
    "ON k.number = a.attnum AND k.place <= i.indnkeyatts "
    "WHERE a.attrelid = %" PRIu32 " AND a.attnum > 0 ORDER BY a.attnum";

void key_lookup_init(struct key_lookup *lookup, const struct stream_options *options)
{
    *lookup = (struct key_lookup){.connection = options->keys ? options->connection : NULL,
                                  .password_command = options->password_command,
                                  .bound_us = options->server_timeout_us > 0
                                                  ? options->server_timeout_us / 4
                                                  : BOUND_DEFAULT_US};
    if (lookup->connection == NULL)
        return;
    assert(options->application != NULL);
    snprintf(lookup->application, sizeof lookup->application, "%s:keys", options->application);
}

void key_lookup_fini(struct key_lookup *lookup)
{
    pg_question_close(lookup->question);
    lookup->question = NULL;
}

static int ask(struct key_lookup *lookup, const struct pg_replication *beside,
               const struct relation *relation, struct error *err)
{
    const struct pg_options options = {.connection = lookup->connection,
                                       .password_command = lookup->password_command,
                                       .application_name = lookup->application};
    char sql[sizeof keys_sql + 64];
    snprintf(sql, sizeof sql, keys_sql, relation->oid, relation->oid, relation->oid, relation->oid);
    return pg_question_open(&options, beside, sql, &lookup->question, err);
}

static uint32_t number_of(struct span text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.len; i++)
        number = number * 10 + (uint32_t)(text.ptr[i] - '0');
    return number;
}

static void learn(struct stream *stream, const struct relation *relation, const struct pg_result *r)
{
    struct relation_fact columns[COLUMNS_MAX];
    struct relation_facts facts = {.columns = columns};
    for (int row = 0; row < pg_result_rows(r) && facts.count < COLUMNS_MAX; row++)
        columns[facts.count++] =
            (struct relation_fact){.name = pg_result_cell(r, row, 0),
                                   .dropped = pg_result_true(r, row, 1),
                                   .unsent = pg_result_true(r, row, 2),
                                   .not_null = pg_result_true(r, row, 3),
                                   .def = pg_result_cell(r, row, 5),
                                   .key_place = number_of(pg_result_cell(r, row, 4))};
    stream_learn_relation(stream, relation, &facts);
}

static int fail(struct key_lookup *lookup, const struct relation *relation, struct error *err)
{
    key_lookup_fini(lookup);
    return error_wrap(err, "asking for the key of %.*s.%.*s", SPAN_ARG(relation->schema),
                      SPAN_ARG(relation->name));
}

int key_lookup_step(struct key_lookup *lookup, const struct pg_replication *beside,
                    struct stream *stream, const struct relation *relation, int64_t now_us,
                    struct error *err)
{
    assert(relation != NULL && err != NULL);
    if (relation->key.asked || lookup->connection == NULL)
        return 1;
    if (lookup->question == NULL) {
        lookup->deadline_us = now_us + lookup->bound_us;
        if (ask(lookup, beside, relation, err) < 0)
            return fail(lookup, relation, err);
    }
    struct pg_result *result = NULL;
    int got = pg_question_step(lookup->question, &result, err);
    if (got == 0 && now_us < lookup->deadline_us)
        return 0;
    if (got == 0)
        got = error_retry(err, REASON_TIMEOUT, "PostgreSQL did not answer within %" PRId64 " ms",
                          lookup->bound_us / US_PER_MS);
    if (got < 0)
        return fail(lookup, relation, err);
    learn(stream, relation, result);
    pg_result_free(result);
    key_lookup_fini(lookup);
    return 1;
}

void key_lookup_wait(const struct key_lookup *lookup, int *fd, int64_t *deadline_us)
{
    assert(lookup->question != NULL);
    *fd = pg_question_fd(lookup->question);
    if (lookup->deadline_us < *deadline_us)
        *deadline_us = lookup->deadline_us;
}
