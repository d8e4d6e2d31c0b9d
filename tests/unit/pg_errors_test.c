/* pg/: what a server says becomes a kind, a reason and a mend. The server is a script: a child
 * process that sends fixed protocol messages, so that old servers, poolers and other languages can
 * be had. */
#include "base/buf.h"
#include "pg/pg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_text.h"
#include "assert_contains.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The scripted server ---- */

static void add_message(struct buf *out, char type, struct span body)
{
    buf_add_char(out, type);
    buf_add_u32(out, (uint32_t)body.len + 4);
    buf_add(out, body);
}

static void add_error(struct buf *out, const char *severity, const char *sqlstate, const char *text)
{
    struct buf body = BUF_EMPTY;
    buf_add_format(&body, "S%s%cVFATAL%cC%s%cM%s%cFx.c%cL1%cRf%c%c", severity, 0, 0, sqlstate, 0,
                   text, 0, 0, 0, 0, 0);
    add_message(out, 'E', buf_span(&body));
    buf_fini(&body);
}

static void add_parameter(struct buf *out, const char *name, const char *value)
{
    struct buf body = BUF_EMPTY;
    buf_add_format(&body, "%s%c%s%c", name, 0, value, 0);
    add_message(out, 'S', buf_span(&body));
    buf_fini(&body);
}

static void add_welcome(struct buf *out, const char *version)
{
    add_message(out, 'R', (struct span){"\0\0\0\0", 4});
    add_parameter(out, "server_version", version);
    add_parameter(out, "client_encoding", "UTF8");
    add_message(out, 'K', (struct span){"\0\0\0\1\0\0\0\2", 8});
    add_message(out, 'Z', SPAN_LITERAL("I"));
}

static void add_done(struct buf *out)
{
    add_message(out, 'C', (struct span){"SELECT 1", 9});
    add_message(out, 'Z', SPAN_LITERAL("I"));
}

/* Answers what the client sends, message for message, with answers[0], answers[1], … and hangs up.
 */
static pid_t serve(const struct buf *answers, int count, int *port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        int fd = accept(listener, NULL, NULL);
        char heard[4096];
        for (int i = 0; i < count; i++)
            if (read(fd, heard, sizeof heard) <= 0 ||
                write(fd, answers[i].ptr, answers[i].len) != (ssize_t)answers[i].len)
                _exit(1);
        _exit(0);
    }
    close(listener);
    return pid;
}

/* given_by: what the connection was given as; NULL: the key of the file. */
static int talk_as(const char *given_by, struct buf *answers, int count, bool replication,
                   struct error *err)
{
    int port = 0;
    pid_t pid = serve(answers, count, &port);
    char text[128];
    snprintf(text, sizeof text, "host=127.0.0.1 port=%d user=wally dbname=shop sslmode=disable",
             port);
    struct pg_options options = {.connection = text,
                                 .given_by = given_by,
                                 .application_name = "walferry:test",
                                 .timeout_ms = 5000};
    struct pg_connection *c = NULL;
    struct pg_replication *r = NULL;
    struct pg_system system;
    int done = replication ? pg_replication_open(&options, &r, err) : pg_open(&options, &c, err);
    if (done == 0)
        done = pg_identify(replication ? pg_replication_sql(r) : c, &system, err);
    pg_replication_close(r);
    pg_close(c);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < count; i++)
        buf_fini(&answers[i]);
    return done;
}

static int talk(struct buf *answers, int count, bool replication, struct error *err)
{
    return talk_as(NULL, answers, count, replication, err);
}

static void refused_with(const char *sqlstate, const char *text, bool replication,
                         struct error *err)
{
    struct buf answer = BUF_EMPTY;
    add_error(&answer, "SCHWERWIEGEND", sqlstate, text);
    assert_int_equal(talk(&answer, 1, replication, err), -1);
}

/* ---- Tests ---- */

static void the_text_may_be_in_any_language(void **state)
{
    (void)state;
    struct error err;
    refused_with("28P01", "Passwort-Authentifizierung für Benutzer »wally« fehlgeschlagen", false,
                 &err);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_string_equal(reason_slug(err.reason), "auth_failed");
    assert_contains(err.text, "failed: Passwort-Authentifizierung für Benutzer");
    assert_null(strstr(err.text, "SCHWERWIEGEND"));
    assert_null(strstr(err.text, "x.c"));
    refused_with("57P03", "das Datenbanksystem startet", false, &err);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "starting_up");
    refused_with("53300", "tut mir leid, schon zu viele Verbindungen", false, &err);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "too_many_clients");
    refused_with("42501", "keine Berechtigung, um WAL-Sender zu starten", true, &err);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "no_replication_privilege");
    assert_advice(err, "as a superuser (Amazon RDS: GRANT rds_replication TO the role): "
                       "ALTER ROLE \"wally\" REPLICATION");
    refused_with("XX000", "etwas", false, &err);
    assert_int_equal(err.kind, ERROR_RETRY);
}

static void a_pooler_is_named(void **state)
{
    (void)state;
    struct error err;
    refused_with("08P01", "unsupported startup parameter: replication", true, &err);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "pooler");
    assert_contains(err.text, "PgBouncer");
    assert_contains(err.hint, "point source.connection at PostgreSQL itself");
}

static void admin_refused_with(const char *sqlstate, const char *text, struct error *err)
{
    struct buf answer = BUF_EMPTY;
    add_error(&answer, "FATAL", sqlstate, text);
    assert_int_equal(talk_as("--admin-connection", &answer, 1, false, err), -1);
}

/* A key of the file would be the wrong place to mend. */
static void the_hint_names_what_was_given(void **state)
{
    (void)state;
    struct error err;
    admin_refused_with("28P01", "password authentication failed for user \"wally\"", &err);
    assert_string_equal(err.hint, "check user and password in --admin-connection, the role in "
                                  "PostgreSQL and pg_hba.conf, for role \"wally\"");
    admin_refused_with("3D000", "database \"shop\" does not exist", &err);
    assert_string_equal(err.hint, "check dbname in --admin-connection");
    admin_refused_with("28000", "Peer authentication failed for user \"wally\"", &err);
    assert_string_equal(err.hint,
                        "over a socket the server takes only the system user of the role's name: "
                        "run the command as that user (sudo -u \"wally\"), or give role \"wally\" "
                        "a password and --admin-connection a host");
    struct pg_options options = {.connection = "host='x",
                                 .given_by = "--admin-connection",
                                 .application_name = "walferry:test"};
    struct pg_connection *none = NULL;
    assert_int_equal(pg_open(&options, &none, &err), -1);
    assert_contains(err.hint, "write --admin-connection as ");
    options.connection = "host=h port=x";
    assert_int_equal(pg_open(&options, &none, &err), -1);
    assert_string_equal(err.hint, "mend --admin-connection");
}

/* It takes the replication parameter and drops it: IDENTIFY_SYSTEM is a syntax error then. */
static void a_pooler_that_hides_is_named_too(void **state)
{
    (void)state;
    struct error err;
    struct buf answers[4] = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    add_welcome(&answers[0], "15.4");
    add_done(&answers[1]);
    add_done(&answers[2]);
    add_error(&answers[3], "ERROR", "42601", "syntax error at or near \"IDENTIFY_SYSTEM\"");
    add_message(&answers[3], 'Z', SPAN_LITERAL("I"));
    assert_int_equal(talk(answers, 4, true, &err), -1);
    assert_string_equal(reason_slug(err.reason), "pooler");
    assert_contains(err.text, "syntax error");
    struct buf empty[4] = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    add_welcome(&empty[0], "15.4");
    add_done(&empty[1]);
    add_done(&empty[2]);
    add_done(&empty[3]);
    assert_int_equal(talk(empty, 4, true, &err), -1);
    assert_string_equal(reason_slug(err.reason), "pooler");
}

static void an_old_server_is_refused(void **state)
{
    (void)state;
    struct error err;
    struct buf answer = BUF_EMPTY;
    add_welcome(&answer, "13.22");
    assert_int_equal(talk(&answer, 1, false, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "server_too_old");
    assert_string_equal(err.text,
                        "PostgreSQL 13.22 is too old: version 14 is the oldest that will do");
}

static void a_hang_up_is_retried(void **state)
{
    (void)state;
    struct error err;
    struct buf answer = BUF_EMPTY;
    add_welcome(&answer, "15.4");
    assert_int_equal(talk(&answer, 1, false, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "connection_lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_may_be_in_any_language),
        cmocka_unit_test(a_pooler_is_named),
        cmocka_unit_test(the_hint_names_what_was_given),
        cmocka_unit_test(a_pooler_that_hides_is_named_too),
        cmocka_unit_test(an_old_server_is_refused),
        cmocka_unit_test(a_hang_up_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
