/* Random tables and random changes of them, as a server sends them in text and in binary, decode to
 * the same changes, and what leaves is the same: in Debezium's envelope, as JSON, and as plain
 * bytes. WALFERRY_TEST_SEED plays one run again. */
#include "decode/decode.h"
#include "encode/encode.h"
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

#define TABLES 16
#define COLUMNS_MAX 9
#define ROWS "24"

static struct private_postgres server;
static struct pg_connection *connection;
static unsigned seed;

static struct pg_result *ask(const char *query)
{
    struct error err = ERROR_INIT;
    struct pg_result *result = NULL;
    if (pg_query(connection, query, 0, NULL, &result, &err) < 0)
        fail_msg("seed %u: %s: %s", seed, query, err.text);
    return result;
}

static void sql(const char *query)
{
    pg_result_free(ask(query));
}

static int start(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "", NULL))
        return 0;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "test",
                                 .timeout_ms = 60000};
    struct error err = ERROR_INIT;
    if (pg_open(&options, &connection, &err) < 0)
        fail_msg("%s", err.text);
    const char *given = getenv("WALFERRY_TEST_SEED");
    seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) % 100000;
    srand(seed);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (connection != NULL) {
        pg_close(connection);
        private_postgres_stop(&server);
    }
    return 0;
}

/* ---- Tables and their changes ---- */

static unsigned draw(unsigned below)
{
    return (unsigned)rand() % below;
}

/* A type that people have made is looked up by the stream, not by the decoder. */
static const struct random_value *draw_value(void)
{
    const struct random_value *drawn;
    do
        drawn = &RANDOM_VALUES[draw((unsigned)RANDOM_VALUES_COUNT)];
    while (strncmp(drawn->type, "mood", 4) == 0);
    return drawn;
}

static void make_table(unsigned number, const struct random_value **columns, unsigned count)
{
    struct buf query = BUF_EMPTY;
    buf_add_format(&query, "CREATE TABLE public.t%u (id int PRIMARY KEY, big text", number);
    for (unsigned i = 0; i < count; i++) {
        columns[i] = draw_value();
        buf_add_format(&query, ", \"c %u\" %s", i, columns[i]->type);
    }
    buf_add_text(&query, ")");
    sql(buf_text(&query));
    buf_reset(&query);
    buf_add_format(&query, "ALTER TABLE public.t%u ALTER big SET STORAGE EXTERNAL", number);
    sql(buf_text(&query));
    buf_reset(&query);
    buf_add_format(&query, "ALTER TABLE public.t%u REPLICA IDENTITY %s", number,
                   draw(2) == 0 ? "FULL" : "DEFAULT");
    sql(buf_text(&query));
    buf_fini(&query);
}

static void change_table(unsigned number, const struct random_value *const *columns, unsigned count)
{
    struct buf query = BUF_EMPTY;
    buf_add_format(
        &query, "INSERT INTO public.t%u SELECT g, CASE WHEN g %% 4 = 0 THEN repeat('x', 3000) END",
        number);
    for (unsigned i = 0; i < count; i++)
        buf_add_format(&query, ", CASE WHEN random() > 0.15 THEN (%s)::%s END", columns[i]->value,
                       columns[i]->type);
    buf_add_text(&query,
                 " FROM (SELECT g, random() AS r FROM generate_series(1, " ROWS ") g OFFSET 0) s");
    sql(buf_text(&query));
    for (unsigned i = 0; i < count; i += 1 + draw(3)) {
        buf_reset(&query);
        buf_add_format(
            &query,
            "UPDATE public.t%u t SET \"c %u\" = (SELECT (%s)::%s FROM (SELECT t.id + 3 AS g, "
            "random() AS r OFFSET 0) s) WHERE id %% 3 = %u",
            number, i, columns[i]->value, columns[i]->type, draw(3));
        sql(buf_text(&query));
    }
    buf_reset(&query);
    buf_add_format(&query, "UPDATE public.t%u SET id = id + 1000 WHERE id %% 5 = 0", number);
    sql(buf_text(&query));
    buf_reset(&query);
    buf_add_format(&query, "DELETE FROM public.t%u WHERE id %% 3 = 0", number);
    sql(buf_text(&query));
    buf_fini(&query);
}

static void make_history(void)
{
    const struct random_value *columns[TABLES][COLUMNS_MAX];
    unsigned count[TABLES];
    char query[64];
    snprintf(query, sizeof query, "SELECT setseed(%.5f)", (double)(seed % 100000) / 100000);
    sql("SET lc_monetary = 'C'");
    sql("SET timezone = 'UTC'");
    sql("CREATE PUBLICATION pub FOR ALL TABLES");
    sql(query);
    for (unsigned i = 0; i < TABLES; i++) {
        count[i] = 1 + draw(COLUMNS_MAX);
        make_table(i, columns[i], count[i]);
    }
    sql("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
    for (unsigned i = 0; i < TABLES; i++)
        change_table(i, columns[i], count[i]);
}

/* ---- One of the two forms ---- */

struct form {
    struct pg_result *messages;
    struct decoder *decoder;
    struct encoders *encoders;
    struct arena epoch, scratch;
    struct change change;
    uint64_t cells[CELL_BYTES + 1]; /* how many of each kind there were */
};

static const struct config_route ROUTE = {.format = FORMAT_DEBEZIUM};
static const struct config_routes ROUTES = {1, (struct config_route *)&ROUTE};

static void open_form(struct form *form, const char *more)
{
    struct encoders_options options = {.routes = &ROUTES,
                                       .system_identifier = 7318349394477056000,
                                       .id_header = "",
                                       .database = "shop"};
    struct error err = ERROR_INIT;
    char query[256];
    snprintf(query, sizeof query,
             "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('s', NULL, NULL, "
             "'proto_version', '1', 'publication_names', 'pub'%s)",
             more);
    *form = (struct form){.messages = ask(query)};
    arena_init(&form->epoch, 4096, 4096);
    arena_init(&form->scratch, 65536, 65536);
    form->decoder = decoder_open(&form->epoch, NULL);
    assert_int_equal(encoders_open(&options, &form->encoders, &err), 0);
}

static void close_form(struct form *form)
{
    encoders_close(form->encoders);
    decoder_close(form->decoder);
    arena_fini(&form->scratch);
    arena_fini(&form->epoch);
    pg_result_free(form->messages);
}

static int next(struct form *form, int row)
{
    struct span hex = pg_result_cell(form->messages, row, 0);
    struct error err = ERROR_INIT;
    arena_reset(&form->scratch);
    char *bytes = arena_alloc_bytes(&form->scratch, hex.len / 2);
    for (size_t i = 0; i < hex.len / 2; i++) {
        const char digits[3] = {hex.ptr[2 * i], hex.ptr[2 * i + 1], '\0'};
        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    int got = decoder_next(form->decoder, (struct span){bytes, hex.len / 2}, &form->change, &err);
    if (got < 0)
        fail_msg("seed %u: %s", seed, err.text);
    return got;
}

/* ---- What leaves ---- */

static struct span envelope(struct form *form)
{
    static const struct row none = {.count = 0};
    const struct change *change = &form->change;
    struct event event = {
        .change = change, .index = 1, .topic = SPAN_LITERAL("t"), .partition = -1};
    struct message message = {.partition = -1};
    struct error err = ERROR_INIT;
    content_set_text(&event.key, span_null());
    event.value.kind = CONTENT_CHANGE;
    event.value.change =
        (struct content_change){.change = change,
                                .op = change->op,
                                .relation = change->relation,
                                .before = change->before.count > 0 ? &change->before : &none,
                                .after = change->after.count > 0 ? &change->after : &none};
    if (encode_message(form->encoders, &event, &form->scratch, &message, &err) < 0)
        fail_msg("seed %u: %s", seed, err.text);
    return message.value;
}

static struct span plain(struct form *form, const struct row *row)
{
    const struct relation *relation = form->change.relation;
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct json_writer w = json_writer(&out);
    json_write_begin_array(&w);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct cell *cell = &row->cells[i];
        const struct type *type = relation->columns[i].type;
        struct rendering raw;
        form->cells[cell->kind]++;
        if (cell->kind == CELL_UNCHANGED)
            continue;
        if (types_write_json(&w, cell, type, &form->scratch, &err) < 0 ||
            types_render_raw(cell, type, &form->scratch, &raw, &err) < 0)
            fail_msg("seed %u: %s", seed, err.text);
        buf_add(&out, raw.bytes); /* as it is: no JSON, but a text to compare */
    }
    json_write_end_array(&w);
    struct span kept = arena_copy(&form->scratch, buf_span(&out));
    buf_fini(&out);
    return kept;
}

static void equal(const char *what, struct span text, struct span binary)
{
    if (!span_equal(text, binary))
        fail_msg("seed %u: %s\n  text   %.*s\n  binary %.*s", seed, what, SPAN_ARG(text),
                 SPAN_ARG(binary));
}

static bool is_row(enum change_op op)
{
    return op == CHANGE_INSERT || op == CHANGE_UPDATE || op == CHANGE_DELETE;
}

static void both_forms_are_one(void **state)
{
    (void)state;
    if (connection == NULL)
        skip();
    struct form text, binary;
    uint64_t rows = 0;
    make_history();
    open_form(&text, "");
    open_form(&binary, ", 'binary', 'true'");
    assert_int_equal(pg_result_rows(text.messages), pg_result_rows(binary.messages));
    for (int i = 0; i < pg_result_rows(text.messages); i++) {
        int got = next(&text, i);
        assert_int_equal(got, next(&binary, i));
        assert_int_equal(text.change.op, binary.change.op);
        if (got == 0 || !is_row(text.change.op))
            continue;
        rows++;
        equal("an envelope", envelope(&text), envelope(&binary));
        equal("an old row", plain(&text, &text.change.before),
              plain(&binary, &binary.change.before));
        equal("a new row", plain(&text, &text.change.after), plain(&binary, &binary.change.after));
    }
    assert_true(rows > (uint64_t)TABLES * 24);
    assert_int_equal(text.cells[CELL_BINARY], 0);
    assert_int_equal(binary.cells[CELL_TEXT], 0);
    assert_true(binary.cells[CELL_BINARY] > 1000 && binary.cells[CELL_NULL] > 100);
    assert_true(binary.cells[CELL_UNCHANGED] > 0);
    assert_int_equal(text.cells[CELL_UNCHANGED], binary.cells[CELL_UNCHANGED]);
    close_form(&text);
    close_form(&binary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_are_one),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
