/* recover/table_columns: see table_columns.h. It reads; tables.c judges. */
#include "recover/table_columns.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A domain can be read as what it is over, and as nothing else. */
#define BASE_OF_TYPE                                                                               \
    "CASE WHEN y.typtype <> 'd' THEN y.oid ELSE "                                                  \
    "(WITH RECURSIVE b(oid) AS (SELECT y.typbasetype UNION ALL SELECT t.typbasetype FROM b "       \
    "JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype = 'd') "                           \
    "SELECT t.oid FROM b JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd') END"

/* prattrs is read as JSON, because before 15 there is none. */
static const char COLUMNS_SQL[] =
    "SELECT w.number, a.attname, " BASE_OF_TYPE ", a.attgenerated <> '', a.attgenerated = 's', "
    "coalesce(to_jsonb(r)->>'prattrs', '') <> '', "
    "coalesce(' ' || translate(to_jsonb(r)->>'prattrs', '[],', '   ') || ' ' "
    "LIKE '% ' || a.attnum || ' %', true) "
    "FROM unnest($1::oid[]) WITH ORDINALITY w(oid, number) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid "
    "JOIN pg_catalog.pg_type y ON y.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_publication p ON p.pubname = $2 "
    "LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = a.attrelid "
    "WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY w.number, a.attnum";

static uint32_t number_of(const struct pg_result *r, int row, int column)
{
    char digits[16];
    struct span cell = pg_result_cell(r, row, column);
    assert(cell.len < sizeof digits);
    memcpy(digits, cell.ptr, cell.len);
    digits[cell.len] = '\0';
    return (uint32_t)strtoul(digits, NULL, 10);
}

static void take(const struct pg_result *r, struct table_columns *const *tables, uint32_t count,
                 struct arena *arena)
{
    int rows = pg_result_rows(r);
    struct table_column *columns = arena_alloc_zero(arena, ((size_t)rows + 1) * sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        tables[i]->items = columns;
        tables[i]->count = 0;
    }
    for (int i = 0; i < rows; i++) {
        uint32_t number = number_of(r, i, 0);
        assert(number >= 1 && number <= count);
        struct table_columns *table = tables[number - 1];
        if (table->count++ == 0)
            table->items = &columns[i];
        columns[i] =
            (struct table_column){.name = arena_copy(arena, pg_result_cell(r, i, 1)),
                                  .type_oid = number_of(r, i, 2),
                                  .generated = pg_result_true(r, i, 3),
                                  .stored = pg_result_true(r, i, 4),
                                  .has_list = pg_result_true(r, i, 5),
                                  .listed = !pg_result_true(r, i, 5) || pg_result_true(r, i, 6)};
    }
}

int table_columns_load(struct pg_connection *sql, const char *publication,
                       struct table_columns *const *tables, uint32_t count, struct arena *arena,
                       struct error *err)
{
    struct buf oids = BUF_EMPTY;
    buf_add_char(&oids, '{');
    for (uint32_t i = 0; i < count; i++)
        buf_add_format(&oids, "%s%" PRIu32, i > 0 ? "," : "", tables[i]->oid);
    buf_add_char(&oids, '}');
    const char *parameters[] = {buf_text(&oids), publication};
    struct pg_result *r = NULL;
    int result = pg_query(sql, COLUMNS_SQL, 2, parameters, &r, err);
    if (result == 0)
        take(r, tables, count, arena);
    pg_result_free(r);
    buf_fini(&oids);
    return result;
}
