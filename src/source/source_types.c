/* source/source_types: see source_types.h. One question for all types that are wanted, with all
 * that they are made of. It decides nothing about rendering. */
#include "source/source_types.h"

#include "base/clock.h"
#include "source/source.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* Of one question. A table can have 1,600 columns; what is beyond stays text. */
    OIDS_MAX = 1600,
    /* Where the server ends no silent connection. */
    BOUND_DEFAULT_US = 15000000
};

/* What a type is made of is walked to its end, so that it comes before the type: array → element,
 * domain → what it is over, multirange → range → type of the bounds. oid | schema | name | kind |
 * what it is made of | label | modifier; an enum has a row for each of its labels. */
#define MADE_OF                                                                                    \
    "CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype "                       \
    "WHEN 'm' THEN m.rngtypid ELSE e.oid END"
#define TYPES_AND_PARTS                                                                            \
    "JOIN pg_catalog.pg_type t ON t.oid = w.oid "                                                  \
    "LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid "                                       \
    "LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid "                                  \
    "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid "
static const char before_oids[] = "WITH RECURSIVE walk(oid, depth) AS (SELECT unnest('{";
static const char behind_oids[] =
    "}'::oid[]), 0 UNION ALL SELECT " MADE_OF ", w.depth + 1 FROM walk w " TYPES_AND_PARTS
    "WHERE w.depth < 64), "
    "deepest(oid, depth) AS (SELECT oid, max(depth) FROM walk WHERE oid IS NOT NULL GROUP BY oid) "
    "SELECT t.oid, n.nspname, t.typname, CASE WHEN e.oid IS NULL THEN t.typtype ELSE 'a' END, "
    "coalesce(" MADE_OF ", 0), l.enumlabel, t.typtypmod FROM deepest w " TYPES_AND_PARTS
    "JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
    "LEFT JOIN pg_catalog.pg_enum l ON l.enumtypid = t.oid "
    "ORDER BY w.depth DESC, t.oid, l.enumsortorder";

void type_lookup_init(struct type_lookup *lookup, const struct stream_options *options)
{
    assert(options->connection == NULL || options->application != NULL);
    *lookup = (struct type_lookup){
        .connection = options->connection,
        .password_command = options->password_command,
        .bound_us =
            options->server_timeout_us > 0 ? options->server_timeout_us / 4 : BOUND_DEFAULT_US,
    };
    if (options->connection != NULL)
        snprintf(lookup->application, sizeof lookup->application, "%s:types", options->application);
}

void type_lookup_fini(struct type_lookup *lookup)
{
    pg_question_close(lookup->question);
    lookup->question = NULL;
}

/* ---- Asking ---- */

static int ask(struct type_lookup *lookup, const struct pg_replication *beside,
               const struct type_registry *types, struct error *err)
{
    uint32_t oids[OIDS_MAX];
    uint32_t count = type_registry_wanted(types, OIDS_MAX, oids);
    struct pg_options options = {.connection = lookup->connection,
                                 .password_command = lookup->password_command,
                                 .application_name = lookup->application};
    struct buf sql = BUF_EMPTY;
    buf_add_text(&sql, before_oids);
    for (uint32_t i = 0; i < count && i < OIDS_MAX; i++)
        buf_add_format(&sql, "%s%" PRIu32, i == 0 ? "" : ",", oids[i]);
    buf_add_text(&sql, behind_oids);
    int opened = pg_question_open(&options, beside, buf_text(&sql), &lookup->question, err);
    buf_fini(&sql);
    return opened;
}

/* ---- The answer ---- */

static uint32_t oid_cell(const struct pg_result *r, int row, int column)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%.*s", SPAN_ARG(pg_result_cell(r, row, column)));
    return (uint32_t)strtoul(digits, NULL, 10);
}

static int32_t modifier_cell(const struct pg_result *r, int row, int column)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%.*s", SPAN_ARG(pg_result_cell(r, row, column)));
    return (int32_t)strtol(digits, NULL, 10);
}

/* pg_type.typtype, or 'a'. A pseudo-type is nothing that a column can have. */
static enum type_kind kind_of(struct span letter)
{
    switch (letter.len == 1 ? letter.ptr[0] : '\0') {
    case 'a':
        return TYPE_KIND_ARRAY;
    case 'b':
        return TYPE_KIND_BASE;
    case 'c':
        return TYPE_KIND_COMPOSITE;
    case 'd':
        return TYPE_KIND_DOMAIN;
    case 'e':
        return TYPE_KIND_ENUM;
    case 'm':
        return TYPE_KIND_MULTIRANGE;
    case 'r':
        return TYPE_KIND_RANGE;
    default:
        return TYPE_KIND_UNKNOWN;
    }
}

static void learn(struct type_registry *types, const struct pg_result *r)
{
    uint32_t before = 0;
    for (int row = 0; row < pg_result_rows(r); row++) {
        struct type_facts facts = {.oid = oid_cell(r, row, 0),
                                   .kind = kind_of(pg_result_cell(r, row, 3)),
                                   .of = oid_cell(r, row, 4),
                                   .modifier = modifier_cell(r, row, 6),
                                   .schema = pg_result_cell(r, row, 1),
                                   .name = pg_result_cell(r, row, 2)};
        struct span label = pg_result_cell(r, row, 5);
        if (facts.oid != before)
            type_registry_learn(types, &facts);
        before = facts.oid;
        if (label.ptr != NULL)
            type_registry_learn_label(types, label);
    }
}

/* ---- Steps ---- */

/* Whatever came of it, nothing is wanted any more; the next version of a relation asks again. */
static bool end(struct type_lookup *lookup, struct type_registry *types)
{
    type_lookup_fini(lookup);
    type_registry_settle(types);
    return true;
}

static bool fail(struct type_lookup *lookup, struct type_registry *types, const struct error *err)
{
    lookup->failures++;
    lookup->failure = *err;
    return end(lookup, types);
}

bool type_lookup_step(struct type_lookup *lookup, const struct pg_replication *beside,
                      struct type_registry *types, int64_t now_us)
{
    if (type_registry_wanted(types, 0, NULL) == 0)
        return true;
    if (lookup->connection == NULL)
        return end(lookup, types);
    struct error err = ERROR_INIT;
    if (lookup->question == NULL) {
        lookup->deadline_us = now_us + lookup->bound_us;
        if (ask(lookup, beside, types, &err) < 0)
            return fail(lookup, types, &err);
    }
    struct pg_result *result = NULL;
    int got = pg_question_step(lookup->question, &result, &err);
    if (got > 0) {
        learn(types, result);
        pg_result_free(result);
        return end(lookup, types);
    }
    if (got == 0 && now_us < lookup->deadline_us)
        return false;
    if (got == 0)
        error_retry(&err, REASON_TIMEOUT, "PostgreSQL did not answer within %" PRId64 " ms",
                    lookup->bound_us / US_PER_MS);
    return fail(lookup, types, &err);
}

void type_lookup_wait(const struct type_lookup *lookup, int *fd, int64_t *deadline_us)
{
    assert(lookup->question != NULL);
    *fd = pg_question_fd(lookup->question);
    if (lookup->deadline_us < *deadline_us)
        *deadline_us = lookup->deadline_us;
}
