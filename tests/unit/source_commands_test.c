/* source/source_commands: which row a message in the stream is of, asked of a real server. A row
 * counts only with its number, relay, transaction and place; what cannot be asked ends the epoch
 * and no more. */
#include "base/clock.h"
#include "private_postgres.h"
#include "source/source_commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "assert_text.h"

#define TABLE                                                                                      \
    "CREATE SCHEMA walferry; CREATE TABLE walferry.command (id bigint, relay text, "               \
    "command jsonb, xid xid8, lsn pg_lsn)"

static struct private_postgres server;
static struct pg_replication *beside;
static struct pg_connection *sql;
static struct command_lookup lookup;
static struct error err;

static void run(const char *text)
{
    if (pg_exec(sql, text, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, NULL, NULL))
        exit(77);
    const struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                       .application_name = "walferry:test"};
    if (pg_replication_open(&options, &beside, &err) < 0 || pg_open(&options, &sql, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_close(sql);
    pg_replication_close(beside);
    private_postgres_stop(&server);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    err = ERROR_INIT;
    const struct stream_options options = {.connection =
                                               private_postgres_dsn(&server, "postgres", ""),
                                           .application = "walferry:orders",
                                           .relay = "orders",
                                           .server_timeout_us = 4 * US_PER_S};
    command_lookup_init(&lookup, &options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    command_lookup_fini(&lookup);
    run("DROP SCHEMA IF EXISTS walferry CASCADE");
    return 0;
}

static struct change message(uint32_t xid, const char *prefix, const char *body)
{
    return (struct change){
        .op = CHANGE_MESSAGE,
        .xid = xid,
        .lsn = 0x1234,
        .message = {.prefix = span_of(prefix), .content = span_of(body), .transactional = true}};
}

/* Waits as the loop does. */
static int ask(struct change *change)
{
    int got;
    while ((got = command_lookup_step(&lookup, beside, change, clock_monotonic_us(), &err)) == 0) {
        int fd = -1;
        int64_t deadline_us = clock_monotonic_us() + 20 * US_PER_S;
        command_lookup_wait(&lookup, &fd, &deadline_us);
        struct pollfd one = {.fd = fd, .events = POLLIN};
        poll(&one, fd >= 0 ? 1 : 0, (int)((deadline_us - clock_monotonic_us()) / 1000) + 1);
    }
    return got;
}

/* A row of a transaction of its own; its xid. */
static uint32_t send(const char *id)
{
    char text[256];
    struct pg_result *r = NULL;
    snprintf(text, sizeof text,
             "INSERT INTO walferry.command VALUES (%s, 'orders', '{\"do\": \"ping\"}', "
             "pg_current_xact_id(), '0/1234') RETURNING xid",
             id);
    assert_int_equal(pg_query(sql, text, 0, NULL, &r, &err), 0);
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    pg_result_free(r);
    return (uint32_t)strtoul(text, NULL, 10);
}

static void expect(struct change change, enum command_row row)
{
    if (ask(&change) != 1)
        fail_msg("%s", err.text);
    assert_non_null(change.message.command);
    assert_int_equal(change.message.command->row, row);
    if (row == COMMAND_ROW)
        assert_span(change.message.command->text, "{\"do\": \"ping\"}");
}

static void a_row_counts_in_its_place_only(void **state)
{
    (void)state;
    run(TABLE);
    uint32_t xid = send("7"), other = send("8");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_ROW);
    expect(message(other, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_NO_ROW);
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":8}"), COMMAND_NO_ROW);
    struct change moved = message(xid, "walferry:orders", "{\"v\":1,\"id\":7}");
    moved.lsn++;
    expect(moved, COMMAND_NO_ROW);
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":9223372036854775807}"), COMMAND_NO_ROW);
}

static void what_is_no_command_is_not_asked_about(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "{\"id\":7}",
                                         "{\"v\":2,\"id\":7}",
                                         "{\"v\":1,\"id\":\"7\"}",
                                         "{\"v\":1,\"id\":-7}",
                                         "{\"v\":1,\"id\":7,\"guard\":1}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct change change = message(1, "walferry:orders", bodies[i]);
        assert_int_equal(ask(&change), 1);
        assert_null(change.message.command);
    }
    struct change other = message(1, "walferry:orders2", "{\"v\":1,\"id\":7}");
    assert_int_equal(ask(&other), 1);
    assert_null(other.message.command);
    assert_null(lookup.question);
}

static void without_a_table_nothing_was_sent(void **state)
{
    (void)state;
    expect(message(700, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_NO_ROW);
    run(TABLE); /* the session asks again */
    uint32_t xid = send("7");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_ROW);
}

/* Whoever may write a message would stop the relay for good. */
static void a_table_of_somebody_else_is_none(void **state)
{
    (void)state;
    run("CREATE SCHEMA walferry; CREATE TABLE walferry.command (id bigint, relay text)");
    expect(message(700, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_NO_ROW);
    run("DROP SCHEMA walferry CASCADE; " TABLE);
    uint32_t xid = send("7");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_ROW);
    run("ALTER TABLE walferry.command DROP COLUMN lsn"); /* a session that has read it asks again */
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_NO_ROW);
    run("DROP TABLE walferry.command; CREATE VIEW walferry.command AS SELECT 1 / 0 AS id, "
        "NULL::text AS relay, NULL::jsonb AS command, NULL::xid8 AS xid, NULL::pg_lsn AS lsn");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_NO_ROW);
}

static void a_session_that_has_gone_is_opened_anew(void **state)
{
    (void)state;
    run(TABLE);
    uint32_t xid = send("7");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_ROW);
    run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
        "'walferry:orders:commands'");
    expect(message(xid, "walferry:orders", "{\"v\":1,\"id\":7}"), COMMAND_ROW);
    command_lookup_tick(&lookup, clock_monotonic_us() + 10 * US_PER_S);
    assert_null(lookup.question);
}

/* Also what a session calls a reason to stop: it is one for whoever streams to say. */
static void what_cannot_be_asked_ends_the_epoch_only(void **state)
{
    (void)state;
    run(TABLE "; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nobody FOREIGN DATA WRAPPER "
              "nothing; CREATE FOREIGN TABLE walferry.part () INHERITS (walferry.command) "
              "SERVER nobody");
    struct change change = message(700, "walferry:orders", "{\"v\":1,\"id\":7}");
    assert_int_equal(ask(&change), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_non_null(strstr(err.text, "command 7"));
    run("DROP FOREIGN DATA WRAPPER nothing CASCADE");
}

static void one_that_is_under_way_is_waited_for(void **state)
{
    (void)state;
    run(TABLE);
    run("BEGIN");
    uint32_t xid = send("7");
    struct change change = message(xid, "walferry:orders", "{\"v\":1,\"id\":7}");
    assert_int_equal(ask(&change), -1);
    assert_int_equal(err.reason, REASON_TIMEOUT);
    err = ERROR_INIT;
    int got = 0;
    for (int i = 0; i < 20 && got == 0; i++) {
        got = command_lookup_step(&lookup, beside, &change, clock_monotonic_us(), &err);
        clock_sleep_us(20000);
    }
    assert_int_equal(got, 0);
    run("COMMIT");
    expect(change, COMMAND_ROW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_row_counts_in_its_place_only),
        TEST(what_is_no_command_is_not_asked_about),
        TEST(without_a_table_nothing_was_sent),
        TEST(a_table_of_somebody_else_is_none),
        TEST(a_session_that_has_gone_is_opened_anew),
        TEST(what_cannot_be_asked_ends_the_epoch_only),
        TEST(one_that_is_under_way_is_waited_for),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
