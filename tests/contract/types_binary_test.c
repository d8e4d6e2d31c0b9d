/* types/: what the binary form of a value means is what the server prints of it, and Debezium's
 * JSON is the same of both. Random values of every type that is known in binary, sent and printed
 * by a server of the test's own. */
#include "pg/pg.h"
#include "private_postgres.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct private_postgres server;
static struct pg_connection *connection;
static struct arena arena;
static double seed;

static struct pg_result *ask(const char *query)
{
    struct error err = ERROR_INIT;
    struct pg_result *result = NULL;
    if (pg_query(connection, query, 0, NULL, &result, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    return result;
}

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 16, 1 << 16);
    if (!private_postgres_start(&server, "", NULL))
        return 0;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "test",
                                 .timeout_ms = 30000};
    struct error err = ERROR_INIT;
    if (pg_open(&options, &connection, &err) < 0)
        fail_msg("%s", err.text);
    pg_result_free(ask("SET lc_monetary = 'C'"));
    pg_result_free(ask("CREATE TYPE pg_catalog.mood AS ENUM ('sad', 'so so', 'o,k\"{}')"));
    const char *given = getenv("WALFERRY_TEST_SEED");
    seed = given != NULL ? strtod(given, NULL) : (double)(time(NULL) % 100000) / 100000;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (connection != NULL) {
        pg_close(connection);
        private_postgres_stop(&server);
    }
    arena_fini(&arena);
    return 0;
}

/* ---- One value ---- */

static struct span unhex(struct span hex)
{
    struct cell cell = {CELL_TEXT, hex};
    struct error err = ERROR_INIT;
    struct rendering made;
    if (types_render_raw(&cell, types_builtin(TYPE_BYTEA), &arena, &made, &err) < 0)
        fail_msg("%s", err.text);
    return rendering_keep(made, &arena);
}

static void json_of(const struct cell *cell, const struct column *column, struct buf *out)
{
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    struct error err = ERROR_INIT;
    struct json_writer w = json_writer(out);
    if (types_debezium_write(&w, cell, column, &modes, &arena, &err) < 0)
        fail_msg("%s", err.text);
}

static void compare(const char *type, const struct column *column, struct span text,
                    struct span binary)
{
    struct cell printed = {CELL_TEXT, text}, sent = {CELL_BINARY, unhex(binary)};
    struct error err = ERROR_INIT;
    struct rendering made;
    if (types_render_text(&sent, column->type, &arena, &made, &err) < 0)
        fail_msg("%s %.*s: %s", type, SPAN_ARG(text), err.text);
    if (!span_equal(made.bytes, text))
        fail_msg("seed %.5f, %s: %.*s, but the server prints %.*s", seed, type,
                 SPAN_ARG(made.bytes), SPAN_ARG(text));
    struct buf of_text = BUF_EMPTY, of_binary = BUF_EMPTY;
    json_of(&printed, column, &of_text);
    json_of(&sent, column, &of_binary);
    if (!span_equal(buf_span(&of_text), buf_span(&of_binary)))
        fail_msg("%s: %.*s in binary, %.*s in text", type, SPAN_ARG(buf_span(&of_binary)),
                 SPAN_ARG(buf_span(&of_text)));
    buf_fini(&of_text);
    buf_fini(&of_binary);
}

/* Cut anywhere, or with a byte changed, it is an error or a text, and nothing worse. */
static void mangle(const struct column *column, struct span binary)
{
    char whole[64];
    struct span bytes = unhex(binary);
    size_t most = bytes.len < sizeof whole ? bytes.len : sizeof whole;
    memcpy(whole, bytes.ptr, most);
    struct arena scratch;
    arena_init(&scratch, 4096, 4096);
    for (size_t len = 0; len <= most; len++) {
        char *copy = malloc(len + 1); /* so that a sanitizer sees a step beyond it */
        memcpy(copy, whole, len);
        struct cell cell = {CELL_BINARY, {copy, len}};
        struct error err = ERROR_INIT;
        struct rendering made;
        types_render_text(&cell, column->type, &scratch, &made, &err);
        for (size_t i = 0; i < len; i++) {
            copy[i] = (char)~copy[i];
            types_render_text(&cell, column->type, &scratch, &made, &err);
            copy[i] = (char)~copy[i];
        }
        free(copy);
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
}

/* ---- The types ---- */

static const struct {
    const char *type;
    const char *value; /* g counts from 1, r is random() */
} VALUES[] = {
    {"bool", "r < 0.5"},
    {"int2", "((r - 0.5) * 65535)::int"},
    {"int4", "((r - 0.5) * 4294967295)::int8"},
    {"int8", "((r - 0.5) * 1e18)::int8"},
    {"oid", "(r * 4294967295)::int8"},
    {"float4", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::float4 ELSE "
               "((r - 0.5) * 10.0 ^ (random() * 70 - 36))::float4 END"},
    {"float4", "(r * 10000)::int / 100.0"},
    {"float8", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::float8 ELSE "
               "(r - 0.5) * 10.0::float8 ^ (random() * 600 - 300) END"},
    {"float8", "(r * 1000000)::int / 1000.0"},
    {"float8", "(r * 1000)::int * 10.0::float8 ^ (g % 30)"},
    {"numeric", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::numeric ELSE "
                "(r - 0.5)::numeric * 10::numeric ^ ((random() * 80)::int - 40) END"},
    {"numeric", "round((r * 1000000)::numeric, g % 9)"},
    {"numeric", "(g - 100)::numeric * 10::numeric ^ (g % 20)"},
    {"money", "((r - 0.5) * 10.0 ^ (g % 16))::numeric::money"},
    {"text", "md5(r::text)"},
    {"varchar", "left(md5(r::text), g % 10)"},
    {"bpchar", "md5(r::text)"},
    {"name", "md5(r::text)"},
    {"uuid", "md5(r::text)::uuid"},
    {"json", "json_build_object('a', r)"},
    {"jsonb", "jsonb_build_object('a', r)"},
    {"bytea", "decode(left(md5(r::text), 2 * (g % 16)), 'hex')"},
    {"bit", "(r * 1e9)::int::bit(30)"},
    {"varbit", "substring((r * 1e9)::int::bit(32) FOR g % 32)"},
    {"date", "CASE WHEN g < 3 THEN (array['infinity','-infinity'])[g]::date ELSE "
             "'0001-01-01'::date + ((r - 0.3) * 5000000)::int END"},
    {"time", "'00:00'::time + r * interval '1 day'"},
    {"timetz", "(('00:00'::time + r * interval '1 day')::text || '+' || lpad((g % 15)::text, 2, "
               "'0') || ':' || lpad((g * 7 % 60)::text, 2, '0'))::timetz"},
    {"timetz", "(('00:00'::time + r * interval '1 day')::text || '-' || lpad((g % 15)::text, 2, "
               "'0') || ':00:' || lpad((g * 7 % 60)::text, 2, '0'))::timetz"},
    {"timestamp", "CASE WHEN g < 3 THEN (array['infinity','-infinity'])[g]::timestamp ELSE "
                  "'0001-01-01'::timestamp + (r - 0.3) * interval '10000 years' END"},
    {"timestamptz", "'2000-01-01'::timestamptz + (r - 0.5) * interval '10000 years'"},
    {"interval", "make_interval((r * 100)::int * (g % 3 - 1), (random() * 30)::int * (g / 3 % 3 - "
                 "1), 0, (random() * 40)::int * (g / 9 % 3 - 1), 0, 0, ((random() * 1e6)::int * (g "
                 "/ 27 % 3 - 1)) / 100.0)"},
    {"interval", "(r - 0.5) * interval '1 day'"},
    {"inet", "'0.0.0.0'::inet + (r * 4294967295)::int8"},
    {"inet", "set_masklen('0.0.0.0'::inet + (r * 4294967295)::int8, g % 33)"},
    {"inet", "(to_hex((r * 65535)::int * (g % 2)) || ':0:0:' || to_hex((r * 99)::int * (g / 2 % "
             "2)) || ':0:0:0:' || to_hex(g % 3) || '/' || g % 129)::inet"},
    {"inet", "('::' || ('0.0.0.0'::inet + (r * 4294967295)::int8)::text)::inet"},
    {"inet", "('::ffff:' || host('0.0.0.0'::inet + (r * 4294967295)::int8))::inet"},
    {"cidr", "network(set_masklen('0.0.0.0'::inet + (r * 4294967295)::int8, g % 33))"},
    {"macaddr", "left(md5(r::text), 12)::macaddr"},
    {"macaddr8", "left(md5(r::text), 16)::macaddr8"},
    {"point", "point((r * 1000)::int / 8.0, (random() - 0.5) * 1e20)"},
    {"int4range", "CASE WHEN g = 1 THEN 'empty' WHEN g = 2 THEN '(,)' ELSE int4range((r * "
                  "100)::int, 101 + g, (array['[]','()','[)','(]'])[1 + g % 4])::text END"},
    {"int8range", "int8range((r * 100)::int, NULL)"},
    {"numrange", "numrange(r::numeric, NULL, (array['[]','()','[)','(]'])[1 + g % 4])"},
    {"daterange", "daterange('2000-01-01'::date + g, 'infinity')"},
    {"tsrange", "tsrange('2000-01-01'::timestamp + r * interval '1 year', NULL)"},
    {"tstzrange", "tstzrange('2000-01-01'::timestamptz + r * interval '1 year', 'infinity')"},
    {"int4multirange", "int4multirange(int4range(g, g + 2), int4range(g + 5, NULL))"},
    {"nummultirange", "nummultirange(numrange(r::numeric, 2), numrange(3, 4))"},
    {"int4[]", "array[(r * 100)::int, NULL, g]"},
    {"int4[]", "CASE WHEN g % 2 = 0 THEN '{}' ELSE '[-1:0][2:3]={{5,6},{7,NULL}}' END::int[]"},
    {"int4[]", "array[[[g, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]"},
    {"text[]", "array[md5(r::text), '', ' x', 'NULL', 'null', 'a,b', '{}', E'q\\\"\\\\\\\\', NULL, "
               "E'tab\\\\t', ';', 'ü']"},
    {"numeric[]", "array[round(r::numeric, 3), NULL, 'NaN']"},
    {"float8[]", "array[r, 1e100, 'Infinity']"},
    {"bool[]", "array[r < 0.5, NULL]"},
    {"bytea[]", "array[decode(md5(r::text), 'hex'), '']"},
    {"timestamptz[]", "array['2000-01-01'::timestamptz + r * interval '1 year', NULL]"},
    {"timestamp[]", "array['2000-01-01'::timestamp + r * interval '1 year']"},
    {"date[]", "array['2000-01-01'::date + g]"},
    {"uuid[]", "array[md5(r::text)::uuid]"},
    {"jsonb[]", "array[jsonb_build_object('a', r)]"},
    {"inet[]", "array['10.0.0.0'::inet + g]"},
    {"point[]", "array[point(g, r)]"},
    {"int4range[]", "array[int4range(g, g + 2), NULL, 'empty']"},
    {"mood", "(array['sad', 'so so', 'o,k\"{}'])[1 + g % 3]"},
    {"mood[]", "array['sad', 'so so', 'o,k\"{}', NULL]"},
};

/* The one that people have made here is told as the catalogue tells it. */
static const struct type *type_of(const char *name, uint32_t oid)
{
    const struct type *builtin = types_builtin(oid);
    if (builtin != NULL)
        return builtin;
    struct type_registry *registry = type_registry_open(&arena);
    struct pg_result *found = ask("SELECT oid::text, typarray::text FROM pg_type WHERE typname = "
                                  "'mood'");
    struct span of = pg_result_cell(found, 0, 0);
    struct type_facts label = {.oid = (uint32_t)strtoul(of.ptr, NULL, 10),
                               .kind = TYPE_KIND_ENUM,
                               .modifier = -1,
                               .schema = SPAN_LITERAL("pg_catalog"),
                               .name = SPAN_LITERAL("mood")};
    type_registry_learn(registry, &label);
    if (strchr(name, '[') != NULL) {
        struct type_facts array = label;
        array.of = label.oid;
        array.oid = oid;
        array.kind = TYPE_KIND_ARRAY;
        type_registry_learn(registry, &array);
    }
    pg_result_free(found);
    return type_registry_get(registry, oid);
}

static void run(const char *type, const char *value)
{
    char query[2048];
    snprintf(query, sizeof query,
             "SELECT t.oid::text, p.proname FROM pg_type t, pg_proc p WHERE p.oid = t.typsend AND "
             "t.oid = '%s'::regtype",
             type);
    struct pg_result *found = ask(query);
    assert_int_equal(pg_result_rows(found), 1);
    struct column column = {.type_modifier = -1};
    column.type_oid = (uint32_t)strtoul(pg_result_cell(found, 0, 0).ptr, NULL, 10);
    column.type = type_of(type, column.type_oid);
    snprintf(query, sizeof query,
             "SELECT format('%%s', x), %.*s(x)::text FROM (SELECT (%s)::%s AS x FROM (SELECT g, "
             "random() AS "
             "r FROM generate_series(1, 200) g OFFSET 0) s OFFSET 0) s",
             SPAN_ARG(pg_result_cell(found, 0, 1)), value, type);
    pg_result_free(found);
    struct pg_result *rows = ask(query);
    assert_int_equal(pg_result_rows(rows), 200);
    for (int i = 0; i < 200; i++)
        compare(type, &column, pg_result_cell(rows, i, 0), pg_result_cell(rows, i, 1));
    mangle(&column, pg_result_cell(rows, 99, 1));
    pg_result_free(rows);
    arena_reset(&arena);
}

static void binary_is_what_the_server_prints(void **state)
{
    (void)state;
    if (connection == NULL)
        skip();
    char query[64];
    snprintf(query, sizeof query, "SELECT setseed(%.5f)", seed);
    pg_result_free(ask(query));
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++)
        run(VALUES[i].type, VALUES[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_is_what_the_server_prints),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
