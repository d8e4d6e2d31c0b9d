/* pg/: sessions, queries, quoting and the catalogue, against a server of the test's own. */
#include "base/clock.h"
#include "pg/pg.h"
#include "private_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "assert_contains.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct private_postgres server;

static const char hba[] = "host all locked 127.0.0.1/32 scram-sha-256\n"
                          "host all barred 127.0.0.1/32 reject\n"
                          "host all all 127.0.0.1/32 trust\n";

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, NULL, hba))
        exit(77);
    private_postgres_sql(&server, "CREATE ROLE locked LOGIN PASSWORD 'right'");
    private_postgres_sql(&server, "CREATE ROLE barred LOGIN");
    private_postgres_sql(&server, "CREATE ROLE plain LOGIN");
    private_postgres_sql(&server, "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* ---- Helpers ---- */

static struct pg_connection *open_as(const char *user, const char *more)
{
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, user, more),
                                 .application_name = "walferry:test"};
    if (pg_open(&options, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static void refuse(const char *connection, enum error_kind kind, const char *reason,
                   struct error *err)
{
    struct pg_connection *c = NULL;
    struct pg_options options = {
        .connection = connection, .application_name = "walferry:test", .timeout_ms = 5000};
    assert_int_equal(pg_open(&options, &c, err), -1);
    if (strcmp(reason_slug(err->reason), reason) != 0)
        fail_msg("reason %s, not %s: %s", reason_slug(err->reason), reason, err->text);
    assert_int_equal(err->kind, kind);
    if (kind == ERROR_STOP)
        assert_int_equal(err->exit_code, EXIT_USAGE);
}

/* The first cell of a query without parameters. */
static void assert_answer(struct pg_connection *c, const char *query, const char *expected)
{
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    if (pg_query(c, query, 0, NULL, &r, &err) < 0)
        fail_msg("%s: %s", query, err.text);
    char text[256];
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    pg_result_free(r);
    assert_string_equal(text, expected);
}

/* ---- Opening ---- */

static void settings_are_pinned(void **state)
{
    (void)state;
    private_postgres_sql(&server, "ALTER ROLE plain SET bytea_output = 'escape'");
    private_postgres_sql(&server, "ALTER ROLE plain SET lc_monetary = 'C.UTF-8'");
    setenv("PGDATESTYLE", "SQL, DMY", 1);
    setenv("PGCLIENTENCODING", "LATIN1", 1);
    setenv("PGOPTIONS", "-c work_mem=7MB", 1);
    struct pg_connection *c = open_as("plain", "application_name=other");
    unsetenv("PGDATESTYLE");
    unsetenv("PGCLIENTENCODING");
    unsetenv("PGOPTIONS");
    assert_answer(c, "SHOW datestyle", "ISO, DMY");
    assert_answer(c, "SHOW client_encoding", "UTF8");
    assert_answer(c, "SHOW bytea_output", "hex");
    assert_answer(c, "SHOW lc_monetary", "C");
    assert_answer(c, "SHOW intervalstyle", "postgres");
    assert_answer(c, "SHOW extra_float_digits", "3");
    assert_answer(c, "SHOW search_path", "pg_catalog");
    assert_answer(c, "SHOW application_name", "walferry:test");
    assert_answer(c, "SHOW work_mem", "7MB"); /* the user's own options stay */
    pg_close(c);
}

static void refused_credentials_are_auth_failed(void **state)
{
    (void)state;
    struct error err;
    refuse(private_postgres_dsn(&server, "locked", "password=geheim"), ERROR_STOP, "auth_failed",
           &err);
    assert_contains(err.text, "password authentication failed for user \"locked\"");
    assert_null(strstr(err.text, "geheim"));
    assert_null(strstr(err.text, "28P01"));
    assert_null(strstr(err.text, "FATAL"));
    assert_contains(err.hint, "\"locked\"");
    refuse(private_postgres_dsn(&server, "locked", ""), ERROR_STOP, "auth_failed", &err);
    refuse(private_postgres_dsn(&server, "barred", ""), ERROR_STOP, "auth_failed", &err);
    assert_contains(err.text, "pg_hba.conf rejects connection");
    assert_contains(err.hint, "says reject");
    refuse(private_postgres_dsn(&server, "nobody", ""), ERROR_STOP, "auth_failed", &err);
    struct pg_connection *c = open_as("locked", "password=right");
    assert_answer(c, "SELECT current_user", "locked");
    pg_close(c);
}

static void what_must_be_given_stops(void **state)
{
    (void)state;
    struct error err;
    refuse(private_postgres_dsn(&server, "plain", "dbname=nowhere"), ERROR_STOP, "database_missing",
           &err);
    assert_string_equal(err.hint, "check dbname in source.connection");
    refuse(private_postgres_dsn(&server, "plain", "sslmode=require"), ERROR_STOP, "tls", &err);
    refuse(private_postgres_dsn(&server, "plain", "sslmode=maybe"), ERROR_STOP, "bad_connection",
           &err);
    refuse("host=x hots=y", ERROR_STOP, "bad_connection", &err);
    assert_contains(err.text, "invalid connection option \"hots\"");
}

static void a_bad_connection_string_is_not_quoted(void **state)
{
    (void)state;
    struct error err;
    refuse("host=x password=two geheim", ERROR_STOP, "bad_connection", &err);
    assert_null(strstr(err.text, "geheim"));
    refuse("postgresql://user:geheim@[::1/x", ERROR_STOP, "bad_connection", &err);
    assert_null(strstr(err.text, "geheim"));
    assert_string_equal(err.text, "the connection string cannot be read");
}

static void what_may_heal_is_retried(void **state)
{
    (void)state;
    struct error err;
    refuse("host=127.0.0.1 port=1 user=plain", ERROR_RETRY, "connect_failed", &err);
    assert_contains(err.text, "cannot connect to PostgreSQL: ");
    refuse(private_postgres_dsn(&server, "crowded", ""), ERROR_RETRY, "too_many_clients", &err);
}

/* A listener that accepts nobody: its queue is full, and the kernel drops every further SYN. */
static int black_hole(int *fds, int count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    for (int i = 1; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        (void)connect(fds[i], (struct sockaddr *)&address, size);
    }
    return ntohs(address.sin_port);
}

static void the_next_of_several_hosts_is_tried(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    char text[160];
    snprintf(text, sizeof text, "host=127.0.0.1,127.0.0.1 port=1,%d user=plain dbname=postgres",
             server.port);
    struct pg_options options = {.connection = text, .application_name = "walferry:test"};
    assert_int_equal(pg_open(&options, &c, &err), 0);
    pg_close(c);

    int fds[8];
    int port = black_hole(fds, 8);
    snprintf(text, sizeof text, "host=127.0.0.1,127.0.0.1 port=%d,%d user=plain dbname=postgres",
             port, server.port);
    options.timeout_ms = 4000;
    c = NULL;
    if (pg_open(&options, &c, &err) < 0)
        fail_msg("%s", err.text);
    pg_close(c);

    snprintf(text, sizeof text, "host=127.0.0.1 port=%d user=plain", port);
    options.timeout_ms = 300;
    int64_t start_us = clock_monotonic_us();
    assert_int_equal(pg_open(&options, &c, &err), -1);
    assert_string_equal(reason_slug(err.reason), "connect_timeout");
    assert_true(clock_monotonic_us() - start_us < 3 * US_PER_S);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* ---- Queries ---- */

static void parameters_arrive_as_they_are(void **state)
{
    (void)state;
    struct pg_connection *c = open_as("plain", "");
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    const char *const params[] = {"it's \\ \"$2\"", NULL, "ümlaut"};
    assert_int_equal(
        pg_query(c, "SELECT $1::text, $2::text, $3::text, 'not $1'::text", 3, params, &r, &err), 0);
    assert_int_equal(pg_result_rows(r), 1);
    assert_true(span_equal_text(pg_result_cell(r, 0, 0), params[0]));
    assert_null(pg_result_cell(r, 0, 1).ptr);
    assert_true(span_equal_text(pg_result_cell(r, 0, 2), "ümlaut"));
    assert_true(span_equal_text(pg_result_cell(r, 0, 3), "not $1"));
    pg_result_free(r);
    pg_close(c);
}

static void quoting_doubles(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    pg_quote_identifier(&out, SPAN_LITERAL("a\"b"));
    assert_string_equal(buf_text(&out), "\"a\"\"b\"");
    buf_reset(&out);
    pg_quote_literal(&out, SPAN_LITERAL("it's"));
    assert_string_equal(buf_text(&out), "'it''s'");
    buf_reset(&out);
    pg_quote_literal(&out, SPAN_LITERAL("\\'"));
    assert_string_equal(buf_text(&out), "E'\\\\'''");
    buf_fini(&out);
}

static void query_errors_are_sorted(void **state)
{
    (void)state;
    struct pg_connection *c = open_as("plain", "");
    struct error err = ERROR_INIT;
    assert_int_equal(pg_exec(c, "SELECT * FROM nowhere", &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_string_equal(err.text, "relation \"nowhere\" does not exist");
    assert_int_equal(pg_exec(c, "CREATE PUBLICATION p FOR ALL TABLES", &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(err.reason), "no_privilege");
    assert_contains(err.hint, "\"plain\"");
    assert_int_equal(pg_exec(c, "SELECT 1; SELECT * FROM nowhere", &err), -1);
    assert_int_equal(pg_exec(c, "SELECT 1", &err), 0); /* the session goes on */
    assert_int_equal(pg_exec(c, "SELECT pg_terminate_backend(pg_backend_pid())", &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "server_shutdown");
    pg_close(c);
}

static void queries_end_with_time_out_and_stop_flag(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    atomic_bool stop = false;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "plain", ""),
                                 .application_name = "walferry:test",
                                 .timeout_ms = 1000,
                                 .stop = &stop};
    assert_int_equal(pg_open(&options, &c, &err), 0);
    assert_int_equal(pg_exec(c, "SELECT pg_sleep(10)", &err), -1);
    assert_string_equal(reason_slug(err.reason), "timeout");
    assert_int_equal(err.kind, ERROR_RETRY);
    pg_close(c);
    assert_int_equal(pg_open(&options, &c, &err), 0);
    atomic_store(&stop, true);
    assert_int_equal(pg_exec(c, "SELECT pg_sleep(10)", &err), -1);
    assert_string_equal(reason_slug(err.reason), "stopping");
    pg_close(c);
}

/* ---- Catalogue ---- */

static void identify_tells_of_the_server(void **state)
{
    (void)state;
    struct pg_connection *c = open_as("plain", "");
    struct error err = ERROR_INIT;
    struct pg_system system;
    if (pg_identify(c, &system, &err) < 0)
        fail_msg("%s", err.text);
    char identifier[32];
    snprintf(identifier, sizeof identifier, "%llu", (unsigned long long)system.system_identifier);
    assert_string_equal(
        identifier,
        private_postgres_ask(&server, "SELECT system_identifier FROM pg_control_system()"));
    assert_int_equal(system.timeline, 1);
    assert_true(system.flush_lsn > 0);
    assert_true(system.server_version >= 140000);
    assert_false(system.in_recovery);
    assert_int_equal(system.wal_sender_timeout_ms, 60000);
    assert_string_equal(system.wal_level, "logical");
    assert_string_equal(system.database, "postgres");
    assert_string_equal(system.user, "plain");
    pg_close(c);
}

static void blocking_transactions_are_named(void **state)
{
    (void)state;
    struct pg_connection *writer = open_as("postgres", "");
    struct pg_connection *c = open_as("plain", "");
    struct error err = ERROR_INIT;
    struct buf lines = BUF_EMPTY;
    assert_int_equal(pg_blocking_transactions(c, &lines, &err), 0);
    assert_int_equal(lines.len, 0);
    assert_int_equal(pg_exec(writer, "BEGIN", &err), 0);
    assert_int_equal(pg_exec(writer, "SELECT pg_current_xact_id()", &err), 0);
    if (pg_blocking_transactions(c, &lines, &err) < 0)
        fail_msg("%s", err.text);
    assert_contains(buf_text(&lines), "application \"walferry:test\", role postgres");
    assert_contains(buf_text(&lines), "pid ");
    assert_int_equal(pg_exec(writer, "ROLLBACK", &err), 0);
    buf_fini(&lines);
    pg_close(c);
    pg_close(writer);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_pinned),
        cmocka_unit_test(refused_credentials_are_auth_failed),
        cmocka_unit_test(what_must_be_given_stops),
        cmocka_unit_test(a_bad_connection_string_is_not_quoted),
        cmocka_unit_test(what_may_heal_is_retried),
        cmocka_unit_test(the_next_of_several_hosts_is_tried),
        cmocka_unit_test(parameters_arrive_as_they_are),
        cmocka_unit_test(quoting_doubles),
        cmocka_unit_test(query_errors_are_sorted),
        cmocka_unit_test(queries_end_with_time_out_and_stop_flag),
        cmocka_unit_test(identify_tells_of_the_server),
        cmocka_unit_test(blocking_transactions_are_named),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
