/* types/types_json: cells become values of JSON; where PostgreSQL has the same rule, held against
 * its to_json(). */
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

#define TEXT(bytes) ((struct cell){CELL_TEXT, SPAN_LITERAL(bytes)})
#define BINARY(bytes) ((struct cell){CELL_BINARY, SPAN_LITERAL(bytes)})

static struct arena arena;
static struct private_postgres server;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256, 256);
    if (!private_postgres_start(&server, NULL, NULL))
        exit(77);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    arena_fini(&arena);
    return 0;
}

static void expect(struct cell cell, const struct type *type, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    if (types_write_json(&w, &cell, type, &arena, &err) < 0)
        fail_msg("%s", err.text);
    if (strcmp(buf_text(&out), wanted) != 0)
        fail_msg("%.*s of %.*s is %s, not %s", SPAN_ARG(cell.bytes), SPAN_ARG(type->name),
                 buf_text(&out), wanted);
    buf_fini(&out);
}

static void expect_oid(struct cell cell, uint32_t oid, const char *wanted)
{
    expect(cell, types_builtin(oid), wanted);
}

static void test_forms(void **state)
{
    (void)state;
    expect_oid((struct cell){.kind = CELL_NULL}, TYPE_INT4, "null");
    expect_oid(TEXT("t"), TYPE_BOOL, "true");
    expect_oid(BINARY("\0"), TYPE_BOOL, "false");
    expect_oid(BINARY("\xFF\xFF\xFF\xFF"), TYPE_INT4, "-1");
    expect_oid(TEXT("9223372036854775807"), TYPE_INT8, "9223372036854775807");
    expect_oid(TEXT("a \"b\"\n"), TYPE_TEXT, "\"a \\\"b\\\"\\n\"");
    expect_oid(TEXT("{\"a\":  1.50}"), TYPE_JSON, "{\"a\":  1.50}");
    expect_oid(BINARY("\1[1]"), TYPE_JSONB, "[1]");
    expect_oid(TEXT("{1,2}"), 1007, "\"{1,2}\"");
}

/* RFC 4648, section 10. */
static void test_base64(void **state)
{
    (void)state;
    expect_oid(BINARY(""), TYPE_BYTEA, "\"\"");
    expect_oid(BINARY("f"), TYPE_BYTEA, "\"Zg==\"");
    expect_oid(BINARY("fo"), TYPE_BYTEA, "\"Zm8=\"");
    expect_oid(BINARY("foo"), TYPE_BYTEA, "\"Zm9v\"");
    expect_oid(BINARY("foob"), TYPE_BYTEA, "\"Zm9vYg==\"");
    expect_oid(BINARY("fooba"), TYPE_BYTEA, "\"Zm9vYmE=\"");
    expect_oid(TEXT("\\x666f6f626172"), TYPE_BYTEA, "\"Zm9vYmFy\"");
    expect_oid(TEXT("\\xfbff"), TYPE_BYTEA, "\"+/8=\"");
}

static void test_domains_and_unknown_types(void **state)
{
    (void)state;
    struct type domain = {
        .oid = 16385, .kind = TYPE_KIND_DOMAIN, .base = types_builtin(TYPE_BYTEA)};
    expect(TEXT("\\x666f6f"), &domain, "\"Zm9v\"");
    domain.base = types_builtin(TYPE_INT8);
    expect(TEXT("7"), &domain, "7");
    struct type_registry *registry = type_registry_open(&arena);
    expect(TEXT("7"), type_registry_get(registry, 16390), "\"7\"");
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        struct cell cell;
        uint32_t oid;
        const char *text;
    } bad[] = {
        {{CELL_TEXT, {"maybe", 5}}, TYPE_BOOL, "\"maybe\" is not a boolean"},
        {{CELL_TEXT, {"xyz", 3}}, TYPE_BYTEA, "\"xyz\" is not a bytea in hexadecimal form"},
        {{CELL_BINARY, {"xyz", 3}}, 3614, "the binary form of type oid 3614 is not known"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_EMPTY;
        struct json_writer w = json_writer(&out);
        assert_int_equal(
            types_write_json(&w, &bad[i].cell, types_builtin(bad[i].oid), &arena, &err), -1);
        assert_error(err, ERROR_DATA, "bad_value", bad[i].text);
        buf_fini(&out);
    }
}

/* oid, text and to_json() of values of which PostgreSQL says in JSON what we do. */
static const char values[] =
    "SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES (1::int2), (-32768)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(0::float8), (1e300), (-1.5e-300), ('NaN'), ('Infinity'), ('-Infinity'), (0.1)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(0::float4), (1e30), ('NaN')) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(0::numeric), (1.50), ('NaN'), ('-Infinity'), (12345678901234567890.123456789)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('{\"b\": 1, \"a\": [1, 2.50]}'::jsonb), ('null'), ('\"x\"')) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('16/B374D848'::pg_lsn)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('1 day 02:03:04'::interval)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('192.0.2.1/24'::inet)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f'::uuid)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('pg_class'::regclass)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(4294967295::oid)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('2024-02-29'::date), ('infinity')) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(B'101'::varbit)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "('[1,5)'::int4range)) a(v) "
    "UNION ALL SELECT pg_typeof(v)::oid, v::text, to_json(v)::text FROM (VALUES "
    "(E'\\u00fc \\t\\\\ \"'::varchar)) a(v)";

static void test_as_postgres_has_it(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_result *r = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "types_json_test"};
    if (pg_open(&options, &c, &err) < 0 || pg_query(c, values, 0, NULL, &r, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(pg_result_rows(r), 31);
    for (int row = 0; row < pg_result_rows(r); row++) {
        struct cell cell = {CELL_TEXT, pg_result_cell(r, row, 1)};
        uint32_t oid = (uint32_t)strtoul(pg_result_cell(r, row, 0).ptr, NULL, 10);
        expect_oid(cell, oid, pg_result_cell(r, row, 2).ptr);
    }
    pg_result_free(r);
    pg_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_domains_and_unknown_types),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_as_postgres_has_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
