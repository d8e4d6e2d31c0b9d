/* pg/pg_question: one question without waiting, beside a replication session. */
#include "base/clock.h"
#include "pg/pg.h"
#include "private_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "assert_text.h"

static struct private_postgres server;
static struct pg_replication *beside;

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, NULL, NULL))
        exit(77);
    struct error err = ERROR_INIT;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:test"};
    if (pg_replication_open(&options, &beside, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_replication_close(beside);
    private_postgres_stop(&server);
    return 0;
}

/* Waits as a loop does, on the descriptor alone. No step may take long. */
static int answer(struct pg_question *q, struct pg_result **result, struct error *err)
{
    int64_t end_us = clock_monotonic_us() + 20 * US_PER_S;
    for (;;) {
        int64_t before_us = clock_monotonic_us();
        int got = pg_question_step(q, result, err);
        assert_true(clock_monotonic_us() - before_us < US_PER_S);
        if (got != 0)
            return got;
        struct pollfd fd = {.fd = pg_question_fd(q), .events = POLLIN};
        assert_true(poll(&fd, 1, 20000) > 0);
        assert_true(clock_monotonic_us() < end_us);
    }
}

static int ask(const char *connection, const char *sql, struct pg_result **result,
               struct error *err)
{
    struct pg_question *q = NULL;
    struct pg_options options = {.connection = connection, .application_name = "walferry:question"};
    if (pg_question_open(&options, beside, sql, &q, err) < 0)
        return -1;
    int got = answer(q, result, err);
    pg_question_close(q);
    return got;
}

static void expect(const char *connection, const char *sql, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    if (ask(connection, sql, &r, &err) != 1)
        fail_msg("%s", err.text);
    assert_int_equal(pg_result_rows(r), 1);
    assert_span(pg_result_cell(r, 0, 0), wanted);
    pg_result_free(r);
}

static void test_answers(void **state)
{
    (void)state;
    const char *dsn = private_postgres_dsn(&server, "postgres", "");
    expect(dsn, "SELECT 1", "1");
    expect(dsn, "SELECT current_setting('application_name')", "walferry:question");
    expect(dsn, "SELECT current_setting('search_path')", "pg_catalog");
    expect(dsn, "SELECT sum(length(repeat('x', 1000))) FROM generate_series(1, 500)", "500000");
    expect(dsn, "SELECT sum(length(x)) FROM (SELECT repeat('x', 300000) x) s", "300000");
}

/* What fits into no buffer comes in parts. */
static void test_a_long_answer(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    const char *dsn = private_postgres_dsn(&server, "postgres", "");
    assert_int_equal(ask(dsn, "SELECT repeat('x', 1000) FROM generate_series(1, 5000)", &r, &err),
                     1);
    assert_int_equal(pg_result_rows(r), 5000);
    pg_result_free(r);
}

/* The first server of a list may be another one than that which streams. */
static void test_it_is_the_server_beside(void **state)
{
    (void)state;
    char dsn[256], port[16];
    snprintf(port, sizeof port, "%d", server.port);
    snprintf(dsn, sizeof dsn, "host=192.0.2.1,nowhere.invalid port=1,2 dbname=other user=nobody");
    expect(dsn, "SELECT current_setting('port')", port);
    expect(dsn, "SELECT current_user || ' ' || current_database()", "postgres postgres");
    expect("hostaddr=192.0.2.1,192.0.2.2 port=1", "SELECT current_setting('port')", port);
}

static void refuse(const char *connection, const char *sql, const char *reason)
{
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    assert_int_equal(ask(connection, sql, &r, &err), -1);
    assert_null(r);
    assert_string_equal(reason_slug(err.reason), reason);
}

static void test_failures(void **state)
{
    (void)state;
    const char *dsn = private_postgres_dsn(&server, "postgres", "");
    refuse(dsn, "SELECT 1 / 0", "query_refused");
    refuse(dsn, "SELECT nothing", "query_refused");
    refuse(dsn, "SELECT pg_terminate_backend(pg_backend_pid())", "server_shutdown");
    refuse("host='", "SELECT 1", "bad_connection");
    refuse(private_postgres_dsn(&server, "postgres", "sslmode=require"), "SELECT 1", "tls");
}

/* One session, and what it sees of what was committed in between. */
static void test_asked_again(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_question *q = NULL;
    struct pg_result *r = NULL;
    const char *dsn = private_postgres_dsn(&server, "postgres", "");
    struct pg_options options = {.connection = dsn, .application_name = "walferry:question"};
    const char *pid = "SELECT pg_backend_pid()";
    assert_int_equal(pg_question_open(&options, beside, pid, &q, &err), 0);
    assert_int_equal(answer(q, &r, &err), 1);
    char first[32];
    snprintf(first, sizeof first, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    for (int i = 0; i < 3; i++) {
        pg_result_free(r);
        assert_int_equal(pg_question_again(q, pid, &err), 0);
        assert_int_equal(answer(q, &r, &err), 1);
        assert_span(pg_result_cell(r, 0, 0), first);
    }
    pg_result_free(r);
    assert_int_equal(pg_question_again(q, "SELECT 1 / 0", &err), 0);
    assert_int_equal(answer(q, &r, &err), -1);
    assert_int_equal(err.reason, REASON_QUERY_REFUSED);
    pg_question_close(q);
}

/* A server that takes connections and says nothing: the caller's deadline is the only one. */
static void test_a_silent_server_blocks_nobody(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_question *q = NULL;
    struct pg_result *r = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:question"};
    kill(server.pid, SIGSTOP);
    int64_t before_us = clock_monotonic_us();
    assert_int_equal(pg_question_open(&options, beside, "SELECT 1", &q, &err), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pg_question_step(q, &r, &err), 0);
        struct pollfd fd = {.fd = pg_question_fd(q), .events = POLLIN};
        poll(&fd, 1, 10);
    }
    assert_true(clock_monotonic_us() - before_us < 2 * US_PER_S);
    kill(server.pid, SIGCONT);
    assert_int_equal(answer(q, &r, &err), 1);
    pg_result_free(r);
    pg_question_close(q);
}

/* However far it has come. */
static void test_closed_in_between(void **state)
{
    (void)state;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:question"};
    for (int steps = 0; steps < 8; steps++) {
        struct error err = ERROR_INIT;
        struct pg_question *q = NULL;
        struct pg_result *r = NULL;
        assert_int_equal(pg_question_open(&options, beside, "SELECT 1", &q, &err), 0);
        int got = 0;
        for (int i = 0; i < steps && got == 0; i++) {
            struct pollfd fd = {.fd = pg_question_fd(q), .events = POLLIN};
            poll(&fd, 1, 1000);
            got = pg_question_step(q, &r, &err);
        }
        pg_result_free(r);
        pg_question_close(q);
    }
    pg_question_close(NULL);
}

static const char *const slow_password[] = {"sh", "-c", "sleep 0.3; echo secret", NULL};

/* A program is asked for the password, and nobody waits for it; what it prints is what libpq says
 * in answer to a server that asks for one, which this one does not. */
static void test_a_program_gives_the_password(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_question *q = NULL;
    struct pg_result *r = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:question",
                                 .password_command = slow_password};
    int64_t before_us = clock_monotonic_us();
    assert_int_equal(pg_question_open(&options, beside, "SELECT 'asked'", &q, &err), 0);
    assert_int_equal(pg_question_step(q, &r, &err), 0);
    assert_true(clock_monotonic_us() - before_us < 250 * US_PER_MS);
    assert_int_equal(answer(q, &r, &err), 1);
    assert_true(clock_monotonic_us() - before_us >= 300 * US_PER_MS);
    assert_span(pg_result_cell(r, 0, 0), "asked");
    pg_result_free(r);
    pg_question_close(q);
    const char *const fails[] = {"sh", "-c", "echo no role >&2; exit 7", NULL};
    options.password_command = fails;
    assert_int_equal(pg_question_open(&options, beside, "SELECT 1", &q, &err), 0);
    assert_int_equal(answer(q, &r, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(err.text, "source.password_command: sh ended with exit code 7; it says: no "
                                  "role");
    pg_question_close(q);
}

static void test_closed_while_the_program_runs(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_question *q = NULL;
    const char *const sleeps[] = {"sleep", "60", NULL};
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:question",
                                 .password_command = sleeps};
    int64_t before_us = clock_monotonic_us();
    assert_int_equal(pg_question_open(&options, beside, "SELECT 1", &q, &err), 0);
    pg_question_close(q);
    assert_true(clock_monotonic_us() - before_us < US_PER_S);
}

/* Inside TLS the descriptor alone is waited for, too: nothing may stay behind in its buffers. */
static void test_over_tls(void **state)
{
    (void)state;
    char pem[16384];
    FILE *openssl = popen("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                          "-nodes -subj /CN=test -days 2 -keyout /dev/stdout -out /dev/stdout "
                          "2>/dev/null",
                          "r");
    assert_non_null(openssl);
    pem[fread(pem, 1, sizeof pem - 1, openssl)] = '\0';
    if (pclose(openssl) != 0)
        skip(); /* there is no openssl */
    private_postgres_write(&server, "server.crt", pem);
    private_postgres_write(&server, "server.key", pem);
    private_postgres_sql(&server, "ALTER SYSTEM SET ssl = on");
    private_postgres_sql(&server, "SELECT pg_reload_conf()");
    const char *dsn = private_postgres_dsn(&server, "postgres", "sslmode=require");
    struct error err = ERROR_INIT;
    struct pg_result *r = NULL;
    for (int i = 0; i < 200 && ask(dsn, "SELECT 1", &r, &err) != 1; i++)
        clock_sleep_us(10000);
    pg_result_free(r);
    expect(dsn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t");
    for (int length = 100; length < 40000; length = length * 3 / 2) {
        char sql[96];
        snprintf(sql, sizeof sql, "SELECT repeat('x', %d) FROM generate_series(1, 100)", length);
        assert_int_equal(ask(dsn, sql, &r, &err), 1);
        assert_int_equal(pg_result_rows(r), 100);
        pg_result_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_long_answer),
        cmocka_unit_test(test_it_is_the_server_beside),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_a_silent_server_blocks_nobody),
        cmocka_unit_test(test_closed_in_between),
        cmocka_unit_test(test_a_program_gives_the_password),
        cmocka_unit_test(test_closed_while_the_program_runs),
        cmocka_unit_test(test_over_tls),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
