/* types/types_table: the rows of types.def against the catalogue of the server that the machine
 * has; tests/e2e compares them with other versions. */
#include "pg/pg.h"
#include "private_postgres.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

static struct private_postgres server;

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, NULL, NULL))
        exit(77);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* All that a column can have and that is no row type of a table of the catalogue. */
static const char catalogue[] =
    "SELECT t.oid, t.typname, t.typlen, t.typtype, "
    "coalesce((SELECT e.oid FROM pg_type e WHERE e.typarray = t.oid), r.rngsubtype, m.rngtypid, 0) "
    "FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid "
    "LEFT JOIN pg_range m ON m.rngmultitypid = t.oid "
    "WHERE t.oid < 10000 AND t.typisdefined AND t.typtype <> 'p' AND t.typrelid = 0 "
    "AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid "
    "AND (e.typtype = 'p' OR e.typrelid <> 0))";

static long number(const struct pg_result *r, int row, int column)
{
    char text[32];
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(pg_result_cell(r, row, column)));
    return strtol(text, NULL, 10);
}

static enum type_kind kind_of(char typtype, bool made_of_another)
{
    if (typtype == 'r')
        return TYPE_KIND_RANGE;
    if (typtype == 'm')
        return TYPE_KIND_MULTIRANGE;
    return made_of_another ? TYPE_KIND_ARRAY : TYPE_KIND_BASE;
}

static void compare(const struct pg_result *r, int row)
{
    const struct type *type = types_builtin((uint32_t)number(r, row, 0));
    struct span name = pg_result_cell(r, row, 1);
    long length = number(r, row, 2), element = number(r, row, 4);
    if (type == NULL)
        fail_msg("%.*s is not in types.def", SPAN_ARG(name));
    if (!span_equal(type->name, name))
        fail_msg("%.*s is called %.*s in types.def", SPAN_ARG(name), SPAN_ARG(type->name));
    assert_ptr_equal(types_builtin_named(name), type);
    assert_int_equal(type->kind, kind_of(pg_result_cell(r, row, 3).ptr[0], element != 0));
    if (element != 0)
        assert_int_equal(type->element->oid, element);
    else
        assert_null(type->element);
    /* What is sent is not what is stored; what cannot be sent at all. */
    if (span_equal_text(name, "name") || span_equal_text(name, "aclitem"))
        length = -1;
    if (type->binary_len != length)
        fail_msg("%.*s has %ld bytes, not %d", SPAN_ARG(name), length, (int)type->binary_len);
}

static void test_every_type_of_the_server(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_result *r = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "types_table_test"};
    if (pg_open(&options, &c, &err) < 0 || pg_query(c, catalogue, 0, NULL, &r, &err) < 0)
        fail_msg("%s", err.text);
    int rows = pg_result_rows(r), known = 0;
    assert_true(rows > 140);
    for (int row = 0; row < rows; row++)
        compare(r, row);
    const struct type *type;
    for (size_t i = 0; (type = types_builtin_at(i)) != NULL; i++)
        known += type->oid != 0 ? 1 : 0;
    assert_int_equal(known, rows);
    pg_result_free(r);
    pg_close(c);
}

static void test_rows_are_whole(void **state)
{
    (void)state;
    const struct type *type;
    for (size_t i = 0; (type = types_builtin_at(i)) != NULL; i++) {
        if (type->oid == 0)
            continue;
        assert_ptr_equal(types_builtin(type->oid), type);
        assert_ptr_equal(type->base, type);
        assert_span(type->schema, "pg_catalog");
        assert_true(type->sql.len > 0 && type->oid < TYPES_OID_OWN);
    }
    assert_null(types_builtin(0));
    assert_null(types_builtin(705)); /* unknown: a pseudo-type */
    assert_null(types_builtin(16384));
    assert_null(types_builtin_named(SPAN_LITERAL("")));
    assert_null(types_builtin_named(SPAN_LITERAL("record")));
}

/* What SQL makes of each, the server itself says. */
static void test_as_people_write_them(void **state)
{
    (void)state;
    static const char *const written[] = {
        "bigint",
        "int",
        "integer",
        "decimal",
        "numeric(10,2)",
        "NUMERIC( 5 )",
        "numeric(1000,1000)",
        "real",
        "float",
        "double precision",
        "boolean",
        "text[]",
        "bigint []",
        "varchar(20)[]",
        "character varying(20)",
        "character varying",
        "char",
        "char(3)",
        "character",
        "\"char\"",
        "bpchar",
        "bit",
        "bit(5)",
        "bit varying(7)",
        "varbit",
        "time(3)",
        "time (2) with time zone",
        "timestamp",
        "timestamp(3)",
        "timestamp(3) with time zone",
        "timestamptz(0)",
        "Timestamp Without Time Zone",
        "interval",
        "interval(3)",
        "jsonb",
        "_int4",
        "int4range",
        "uuid",
        "bytea",
        "dec(4,1)[]",
    };
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "types_table_test"};
    if (pg_open(&options, &c, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        char sql[200];
        struct pg_result *r = NULL;
        snprintf(sql, sizeof sql, "CREATE TEMP TABLE written_%zu (a %s)", i, written[i]);
        if (pg_query(c, sql, 0, NULL, &r, &err) < 0)
            fail_msg("%s: %s", written[i], err.text);
        pg_result_free(r);
        snprintf(sql, sizeof sql,
                 "SELECT atttypid, atttypmod FROM pg_attribute WHERE attnum = 1 "
                 "AND attrelid = 'written_%zu'::regclass",
                 i);
        assert_int_equal(pg_query(c, sql, 0, NULL, &r, &err), 0);
        int32_t modifier;
        const struct type *type = types_written(span_of(written[i]), &modifier);
        if (type == NULL)
            fail_msg("%s is not known", written[i]);
        if (type->oid != number(r, 0, 0) || modifier != number(r, 0, 1))
            fail_msg("%s is (%u, %d) here, (%ld, %ld) there", written[i], type->oid, (int)modifier,
                     number(r, 0, 0), number(r, 0, 1));
        pg_result_free(r);
    }
    pg_close(c);
}

static void test_what_nobody_writes(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "int99",
        "numeric(",
        "numeric)",
        "numeric()",
        "numeric(1,2,3)",
        "int4(3)",
        "timestamp(7)",
        "numeric(0)",
        "varchar(0)",
        "varchar(1,2)",
        "numeric(a)",
        "numeric(1",
        "((int4))",
        "[]",
        "int4[][]",
        "numeric(99999999999)",
        "numeric(99999)",
        "a type with a name that is longer than any type of PostgreSQL itself has one",
    };
    int32_t modifier;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (types_written(span_of(wrong[i]), &modifier) != NULL)
            fail_msg("%s is taken", wrong[i]);
}

/* The oids that code names are those of the rows. */
static void test_names_in_code(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        const char *name;
    } named[] = {
        {TYPE_BOOL, "bool"},
        {TYPE_BYTEA, "bytea"},
        {TYPE_INT8, "int8"},
        {TYPE_INT2, "int2"},
        {TYPE_INT4, "int4"},
        {TYPE_TEXT, "text"},
        {TYPE_JSON, "json"},
        {TYPE_BPCHAR, "bpchar"},
        {TYPE_VARCHAR, "varchar"},
        {TYPE_TIMESTAMP, "timestamp"},
        {TYPE_UUID, "uuid"},
        {TYPE_JSONB, "jsonb"},
        {TYPE_TIMESTAMPTZ, "timestamptz"},
    };
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        assert_span(types_builtin(named[i].oid)->name, named[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_of_the_server),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_as_people_write_them),
        cmocka_unit_test(test_what_nobody_writes),
        cmocka_unit_test(test_names_in_code),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
