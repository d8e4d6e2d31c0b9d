/* pg/: the walsender session: slots, the COPY, its end and its errors, against a server of the
 * test's own. Payloads are looked at just as far as needed; decoding them is tested elsewhere. */
#include "base/clock.h"
#include "model/position.h"
#include "pg/pg.h"
#include "private_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assert_text.h"
#include "assert_contains.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct private_postgres server;

/* ---- Helpers ---- */

static struct pg_options options_for(const char *user, const char *more)
{
    return (struct pg_options){.connection = private_postgres_dsn(&server, user, more),
                               .application_name = "walferry:test"};
}

static struct pg_replication *open_replication(const char *more)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = NULL;
    struct pg_options options = options_for("relay", more);
    if (pg_replication_open(&options, &r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static struct pg_slot slot_state(const char *name)
{
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_slot slot = {.state = SLOT_ABSENT};
    struct pg_options options = options_for("relay", "");
    if (pg_open(&options, &c, &err) < 0 || pg_slot_state(c, name, &slot, &err) < 0)
        fail_msg("%s", err.text);
    pg_close(c);
    return slot;
}

static uint64_t make_slot(const char *name)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication("");
    uint64_t lsn = 0;
    if (pg_replication_create_slot(r, name, 10000, &lsn, &err) != 0)
        fail_msg("%s", err.text);
    pg_replication_close(r);
    return lsn;
}

static void drop_slots(void)
{
    private_postgres_sql(&server, "SELECT pg_drop_replication_slot(slot_name) "
                                  "FROM pg_replication_slots");
}

static struct pg_replication *start(const char *slot, uint64_t lsn, const char *more)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication(more);
    if (pg_replication_start(r, slot, "pub", NULL, lsn, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

/* The next payload, as a relay waits for it: poll(2) only where pg/ says that nothing is pending.
 */
static int take_within(struct pg_replication *r, int64_t timeout_us, struct span *data,
                       struct error *err)
{
    int64_t deadline_us = clock_monotonic_us() + timeout_us;
    while (clock_monotonic_us() < deadline_us) {
        int got = pg_replication_take(r, data, err);
        if (got != 0)
            return got;
        struct pollfd fd = {.fd = pg_replication_fd(r), .events = POLLIN};
        if (!pg_replication_pending(r) && poll(&fd, 1, 100) == 0)
            continue;
        if (pg_replication_fill(r, err) < 0)
            return -1;
    }
    return 0;
}

static uint64_t number_at(struct span data, size_t offset)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)data.ptr[offset + i];
    return value;
}

/* Reads up to the next Commit: the types of the WAL messages before it, and its end LSN. */
static uint64_t read_transaction(struct pg_replication *r, char *types, size_t size)
{
    size_t count = 0;
    for (;;) {
        struct error err = ERROR_INIT;
        struct span data;
        int got = take_within(r, 10 * US_PER_S, &data, &err);
        if (got <= 0)
            fail_msg("no payload: %s", err.text);
        if (data.ptr[0] != 'w')
            continue;
        char type = data.ptr[25];
        if (count + 1 < size)
            types[count++] = type;
        types[count] = '\0';
        if (type == 'C')
            return number_at(data, 25 + 2 + 8);
    }
}

static void send_status(struct pg_replication *r, uint64_t lsn)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_EMPTY;
    buf_add_char(&out, 'r');
    for (int i = 0; i < 3; i++)
        buf_add_u64(&out, lsn);
    buf_add_u64(&out, 0);
    buf_add_u8(&out, 0);
    if (pg_replication_send(r, buf_span(&out), &err) < 0)
        fail_msg("%s", err.text);
    buf_fini(&out);
}

/* ---- Groups ---- */

/* The server starts without wal_level = logical: that is the first refusal to look at. */
static void wal_level_is_named(void)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication("");
    uint64_t lsn = 0;
    assert_int_equal(pg_replication_create_slot(r, "s", 10000, &lsn, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "wal_level");
    assert_advice_contains(err, "ALTER SYSTEM SET wal_level = 'logical'");
    pg_replication_close(r);
}

/* A certificate for TLS; without openssl(1) the server goes without. */
static void make_certificate(void)
{
    char certificate[128], key[128];
    snprintf(certificate, sizeof certificate, "%s/data/server.crt", server.dir);
    snprintf(key, sizeof key, "%s/data/server.key", server.dir);
    private_postgres_write(&server, "server.crt", "");
    private_postgres_write(&server, "server.key", "");
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        execlp("openssl", "openssl", "req", "-new", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-out", certificate,
               "-keyout", key, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    if (status == 0)
        private_postgres_sql(&server, "ALTER SYSTEM SET ssl = on");
}

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server,
                                "wal_level = replica\nmax_replication_slots = 2\n"
                                "max_wal_senders = 6\nmax_prepared_transactions = 2",
                                NULL))
        exit(77);
    private_postgres_sql(&server, "CREATE ROLE relay LOGIN REPLICATION");
    private_postgres_sql(&server, "CREATE ROLE plain LOGIN");
    private_postgres_sql(&server, "CREATE DATABASE other");
    private_postgres_sql(&server, "CREATE TABLE public.t (id int PRIMARY KEY, v text)");
    private_postgres_sql(&server, "CREATE PUBLICATION pub FOR TABLE public.t");
    wal_level_is_named();
    private_postgres_sql(&server, "ALTER SYSTEM SET wal_level = 'logical'");
    make_certificate();
    private_postgres_halt(&server, SIGINT);
    private_postgres_resume(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* ---- Opening and slots ---- */

static void replication_needs_its_privilege(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_replication *r = NULL;
    struct pg_options options = options_for("plain", "");
    assert_int_equal(pg_replication_open(&options, &r, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "no_replication_privilege");
    assert_advice_contains(err, "ALTER ROLE \"plain\" REPLICATION");
}

static void the_walsender_answers_questions(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication("");
    struct pg_connection *sql = pg_replication_sql(r);
    struct pg_system system;
    if (pg_identify(sql, &system, &err) < 0)
        fail_msg("%s", err.text);
    char identifier[32];
    snprintf(identifier, sizeof identifier, "%llu", (unsigned long long)system.system_identifier);
    assert_string_equal(
        identifier,
        private_postgres_ask(&server, "SELECT system_identifier FROM pg_control_system()"));
    assert_int_equal(system.timeline, 1);
    assert_true(system.flush_lsn > 0);
    assert_string_equal(system.user, "relay");
    struct pg_slot slot = {.state = SLOT_ABSENT};
    assert_int_equal(pg_slot_state(sql, "it's not there", &slot, &err), 0);
    assert_int_equal(slot.state, SLOT_ABSENT);
    assert_true(slot.current_lsn > 0);
    pg_replication_close(r);
}

static void a_slot_is_made_once_and_only_where_there_is_room(void **state)
{
    (void)state;
    uint64_t lsn = make_slot("s");
    struct pg_slot slot = slot_state("s");
    assert_int_equal(slot.state, SLOT_PRESENT);
    assert_string_equal(slot.plugin, "pgoutput");
    assert_string_equal(slot.database, "postgres");
    assert_string_equal(slot.wal_status, "reserved");
    assert_false(slot.active);
    assert_false(slot.temporary);
    assert_int_equal(slot.confirmed_flush_lsn, lsn);
    assert_true(slot.restart_lsn > 0 && slot.restart_lsn <= lsn);

    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication("");
    assert_int_equal(pg_replication_create_slot(r, "s", 10000, &lsn, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "slot_exists");
    make_slot("s2");
    assert_int_equal(pg_replication_create_slot(r, "s3", 10000, &lsn, &err), -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "no_free_slot");
    assert_contains(err.hint, "max_replication_slots");
    pg_replication_close(r);
    drop_slots();
}

static void slot_creation_waits_and_can_be_given_up(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct pg_connection *writer = NULL;
    struct pg_options options = options_for("postgres", "");
    assert_int_equal(pg_open(&options, &writer, &err), 0);
    assert_int_equal(pg_exec(writer, "BEGIN", &err), 0);
    assert_int_equal(pg_exec(writer, "SELECT pg_current_xact_id()", &err), 0);

    uint64_t lsn = 0;
    struct pg_replication *r = open_replication("");
    assert_int_equal(pg_replication_create_slot(r, "s", 200, &lsn, &err), 1);
    assert_int_equal(pg_replication_create_slot(r, "s", 0, &lsn, &err), 1);
    struct pg_slot slot = slot_state("s"); /* in creation: active, and confirmed nothing */
    assert_int_equal(slot.state, SLOT_PRESENT);
    assert_true(slot.active);
    assert_int_equal(slot.confirmed_flush_lsn, 0);
    assert_string_equal(slot.active_application, "walferry:test");
    pg_replication_close(r);
    assert_int_equal(slot_state("s").state, SLOT_ABSENT);

    /* Given up just after it was made: it is nobody's, so it goes too. */
    r = open_replication("");
    assert_int_equal(pg_replication_create_slot(r, "s", 200, &lsn, &err), 1);
    assert_int_equal(pg_exec(writer, "COMMIT", &err), 0);
    clock_sleep_us(100000);
    pg_replication_close(r);
    assert_int_equal(slot_state("s").state, SLOT_ABSENT);

    assert_int_equal(pg_exec(writer, "BEGIN", &err), 0);
    assert_int_equal(pg_exec(writer, "SELECT pg_current_xact_id()", &err), 0);
    r = open_replication("");
    assert_int_equal(pg_replication_create_slot(r, "s", 100, &lsn, &err), 1);
    assert_int_equal(pg_exec(writer, "COMMIT", &err), 0);
    assert_int_equal(pg_replication_create_slot(r, "s", 10000, &lsn, &err), 0);
    assert_int_equal(slot_state("s").confirmed_flush_lsn, lsn);
    pg_replication_close(r);
    pg_close(writer);
    drop_slots();
}

/* ---- Starting ---- */

static void refuse_start(const char *slot, const char *more, enum error_kind kind,
                         enum exit_code code, const char *reason)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication(more);
    assert_int_equal(pg_replication_start(r, slot, "pub", NULL, 0, &err), -1);
    if (strcmp(reason_slug(err.reason), reason) != 0)
        fail_msg("reason %s, not %s: %s", reason_slug(err.reason), reason, err.text);
    assert_int_equal(err.kind, kind);
    if (kind == ERROR_STOP)
        assert_int_equal(err.exit_code, code);
    pg_replication_close(r);
}

static void a_start_says_what_is_wrong_with_the_slot(void **state)
{
    (void)state;
    refuse_start("absent", "", ERROR_STOP, EXIT_REFUSED, "slot_missing");
    make_slot("s");
    refuse_start("s", "dbname=other", ERROR_STOP, EXIT_USAGE, "slot_database");
    struct pg_replication *r = start("s", 0, "");
    refuse_start("s", "", ERROR_RETRY, EXIT_OK, "slot_active");
    pg_replication_close(r);
    drop_slots();
}

static void a_lost_slot_is_refused(void **state)
{
    (void)state;
    make_slot("s");
    private_postgres_sql(&server, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    private_postgres_sql(&server, "SELECT pg_reload_conf()");
    for (int i = 0; i < 6; i++) {
        private_postgres_sql(&server, "INSERT INTO public.t VALUES (-1); ");
        private_postgres_sql(&server, "DELETE FROM public.t WHERE id = -1");
        private_postgres_sql(&server, "SELECT pg_switch_wal()");
    }
    private_postgres_sql(&server, "CHECKPOINT");
    assert_string_equal(slot_state("s").wal_status, "lost");
    refuse_start("s", "", ERROR_STOP, EXIT_REFUSED, "slot_lost");
    private_postgres_sql(&server, "ALTER SYSTEM RESET max_slot_wal_keep_size");
    private_postgres_sql(&server, "SELECT pg_reload_conf()");
    drop_slots();
}

static void an_unknown_publication_ends_the_stream(void **state)
{
    (void)state;
    make_slot("s");
    struct error err = ERROR_INIT;
    struct pg_replication *r = open_replication("");
    assert_int_equal(pg_replication_start(r, "s", "no'such \"pub", "and,another", 0, &err), 0);
    private_postgres_sql(&server, "INSERT INTO public.t VALUES (1, 'x')");
    int got = 1;
    struct span data;
    while (got > 0)
        got = take_within(r, 10 * US_PER_S, &data, &err);
    assert_int_equal(got, -1);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(reason_slug(err.reason), "publication_missing");
    assert_string_equal(err.text, "publication \"no'such \"pub\" does not exist");
    pg_replication_close(r);
    private_postgres_sql(&server, "TRUNCATE public.t");
    drop_slots();
}

/* ---- Streaming ---- */

static void what_is_confirmed_moves_the_slot(void **state)
{
    (void)state;
    uint64_t lsn = make_slot("s");
    struct pg_replication *r = start("s", lsn, "");
    private_postgres_sql(&server, "INSERT INTO public.t VALUES (1, 'one'), (2, 'two')");
    private_postgres_sql(&server, "SELECT pg_logical_emit_message(true, 'p', 'x')");
    char types[16];
    uint64_t first = read_transaction(r, types, sizeof types);
    assert_string_equal(types, "BRIIC");
    uint64_t second = read_transaction(r, types, sizeof types);
    assert_string_equal(types, "BMC");
    assert_true(second > first);
    send_status(r, first);
    pg_replication_finish(r, clock_monotonic_us() + 5 * US_PER_S);
    pg_replication_close(r);
    struct pg_slot slot = slot_state("s");
    assert_false(slot.active);
    assert_int_equal(slot.confirmed_flush_lsn, first);

    r = start("s", first, ""); /* goes on behind what was confirmed */
    assert_int_equal(read_transaction(r, types, sizeof types), second);
    assert_string_equal(types, "BMC");
    pg_replication_close(r);
    private_postgres_sql(&server, "TRUNCATE public.t");
    drop_slots();
}

static void the_end_waits_no_longer_than_its_deadline(void **state)
{
    (void)state;
    make_slot("s");
    struct pg_replication *r = start("s", 0, "");
    private_postgres_sql(&server, "INSERT INTO public.t SELECT g, repeat('x', 1000) "
                                  "FROM generate_series(1, 3000) g");
    int64_t start_us = clock_monotonic_us();
    pg_replication_finish(r, start_us + 10 * US_PER_S); /* discards what comes in between */
    assert_true(clock_monotonic_us() - start_us < 5 * US_PER_S);
    pg_replication_close(r);
    r = start("s", 0, "");
    int pid = slot_state("s").active_pid;
    assert_true(pid > 0);
    kill(pid, SIGSTOP);
    start_us = clock_monotonic_us();
    pg_replication_finish(r, start_us + 300 * US_PER_MS);
    int64_t took_us = clock_monotonic_us() - start_us;
    kill(pid, SIGCONT);
    assert_true(took_us >= 300 * US_PER_MS && took_us < 3 * US_PER_S);
    pg_replication_close(r);
    private_postgres_sql(&server, "TRUNCATE public.t");
    for (int i = 0; slot_state("s").active && i < 100; i++)
        clock_sleep_us(20000);
    drop_slots();
}

/* Rows of all sizes, so that ends of TLS records and of payloads fall anywhere. PostgreSQL 15
 * itself never lets a record run over into the next payload; a proxy that ends TLS may. */
static void nothing_stays_behind_inside_tls(void **state)
{
    (void)state;
    if (strcmp(private_postgres_ask(&server, "SHOW ssl"), "on") != 0) {
        fprintf(stderr, "skipped: no openssl(1) to make a certificate with\n");
        skip();
    }
    uint64_t lsn = make_slot("s");
    struct pg_replication *r = start("s", lsn, "sslmode=require");
    private_postgres_sql(&server, "INSERT INTO public.t SELECT g, repeat('x', (g * 7919) % 40000) "
                                  "FROM generate_series(1, 300) g");
    for (int round = 0; round < 3; round++) {
        struct error err = ERROR_INIT;
        struct span data = {"", 0};
        int64_t start_us = clock_monotonic_us();
        while (data.len < 26 || data.ptr[0] != 'w' || data.ptr[25] != 'C')
            if (take_within(r, 5 * US_PER_S, &data, &err) <= 0)
                fail_msg("round %d: a payload is missing: %s", round, err.text);
        /* What stayed behind would come out with the next keepalive, 30 s later. */
        assert_true(clock_monotonic_us() - start_us < 10 * US_PER_S);
        private_postgres_sql(&server, "UPDATE public.t SET v = v || 'y' WHERE id % 3 = 0");
    }
    pg_replication_finish(r, clock_monotonic_us() + 5 * US_PER_S);
    pg_replication_close(r);
    private_postgres_sql(&server, "TRUNCATE public.t");
    drop_slots();
}

/* One row of 20 MB, read as it comes: each part of it is a sign of life, and nothing is none. */
static void parts_are_heard(const char *more)
{
    struct pg_replication *r = start("s", make_slot("s"), more);
    struct error err = ERROR_INIT;
    for (int i = 0; i < 5; i++) /* what stands between whole payloads is not asked for */
        assert_int_equal(pg_replication_fill(r, &err), 0);
    private_postgres_sql(&server, "INSERT INTO public.t VALUES (1, repeat('x', 20000000))");
    struct span data = {"", 0};
    uint32_t heard = 0;
    int64_t deadline_us = clock_monotonic_us() + 20 * US_PER_S;
    while (data.len < 20000000 && clock_monotonic_us() < deadline_us) {
        int got = pg_replication_take(r, &data, &err);
        if (got < 0)
            fail_msg("%s", err.text);
        if (got > 0)
            continue;
        heard += pg_replication_heard(r) ? 1 : 0;
        assert_false(pg_replication_heard(r));
        struct pollfd fd = {.fd = pg_replication_fd(r), .events = POLLIN};
        if (pg_replication_pending(r) || poll(&fd, 1, 100) > 0)
            assert_int_equal(pg_replication_fill(r, &err), 0);
    }
    assert_true(data.len > 20000000);
    assert_true(heard > 0);
    while (take_within(r, US_PER_S / 2, &data, &err) > 0)
        continue;
    (void)pg_replication_heard(r);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pg_replication_fill(r, &err), 0);
    assert_false(pg_replication_heard(r));
    pg_replication_close(r);
    private_postgres_sql(&server, "TRUNCATE public.t");
    drop_slots();
}

static void a_part_of_a_payload_is_heard(void **state)
{
    (void)state;
    parts_are_heard("");
    if (strcmp(private_postgres_ask(&server, "SHOW ssl"), "on") == 0)
        parts_are_heard("sslmode=require");
}

/* ---- Who else is there ---- */

static void only_our_own_session_is_ended(void **state)
{
    (void)state;
    make_slot("s");
    struct error err = ERROR_INIT;
    struct pg_replication *holder = start("s", 0, "");
    struct pg_connection *c = NULL, *foreign = NULL;
    struct pg_options options = options_for("relay", "");
    assert_int_equal(pg_open(&options, &c, &err), 0);
    options = options_for("postgres", "");
    assert_int_equal(pg_open(&options, &foreign, &err), 0);
    bool ended = true;
    assert_int_equal(pg_terminate_slot_owner(c, "s", "walferry:other", &ended, &err), 0);
    assert_false(ended);
    assert_int_equal(pg_terminate_slot_owner(foreign, "s", "walferry:test", &ended, &err), 0);
    assert_false(ended);
    assert_int_equal(pg_terminate_slot_owner(c, "s", "walferry:test", &ended, &err), 0);
    assert_true(ended);
    int got = 1;
    struct span data;
    while (got > 0)
        got = take_within(holder, 10 * US_PER_S, &data, &err);
    assert_int_equal(got, -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(err.reason), "server_shutdown");
    assert_int_equal(pg_replication_take(holder, &data, &err), -1); /* and stays ended */
    pg_replication_close(holder);
    pg_close(foreign);
    pg_close(c);
    drop_slots();
}

static void a_dead_server_ends_the_stream(void **state)
{
    (void)state;
    make_slot("s");
    struct error err = ERROR_INIT;
    struct pg_replication *r = start("s", 0, "");
    private_postgres_halt(&server, SIGQUIT);
    int got = 1;
    struct span data;
    while (got > 0)
        got = take_within(r, 10 * US_PER_S, &data, &err);
    assert_int_equal(got, -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    pg_replication_close(r);
    struct pg_options options = options_for("relay", "");
    assert_int_equal(pg_replication_open(&options, &r, &err), -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    private_postgres_resume(&server);
    drop_slots();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replication_needs_its_privilege),
        cmocka_unit_test(the_walsender_answers_questions),
        cmocka_unit_test(a_slot_is_made_once_and_only_where_there_is_room),
        cmocka_unit_test(slot_creation_waits_and_can_be_given_up),
        cmocka_unit_test(a_start_says_what_is_wrong_with_the_slot),
        cmocka_unit_test(a_lost_slot_is_refused),
        cmocka_unit_test(an_unknown_publication_ends_the_stream),
        cmocka_unit_test(what_is_confirmed_moves_the_slot),
        cmocka_unit_test(the_end_waits_no_longer_than_its_deadline),
        cmocka_unit_test(nothing_stays_behind_inside_tls),
        cmocka_unit_test(a_part_of_a_payload_is_heard),
        cmocka_unit_test(only_our_own_session_is_ended),
        cmocka_unit_test(a_dead_server_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
