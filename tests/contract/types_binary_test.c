/* types/: what the binary form of a value means is what the server prints of it, and Debezium's
 * JSON is the same of both. Random values of every type that is known in binary, sent and printed
 * by a server of the test's own. */
#include "pg/pg.h"
#include "private_postgres.h"
#include "random_values.h"
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
    for (size_t i = 0; i < RANDOM_VALUES_COUNT; i++)
        run(RANDOM_VALUES[i].type, RANDOM_VALUES[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_is_what_the_server_prints),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
