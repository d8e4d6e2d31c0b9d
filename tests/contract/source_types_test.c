/* The stream looks up the types of the columns before the first row: against a server of the test's
 * own, which also refuses, says nothing, or is left in between. */
#include "base/clock.h"
#include "pg/pg.h"
#include "private_postgres.h"
#include "source/source.h"
#include "types/types.h"

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

#define SERVER_TIMEOUT_US (2 * US_PER_S)

static struct private_postgres server;

static const char *const schema[] = {
    "CREATE SCHEMA ours",
    "CREATE DOMAIN ours.bytes AS bytea",
    "CREATE DOMAIN ours.sealed AS ours.bytes",
    "CREATE TYPE ours.mood AS ENUM ('sad', 'so so', 'o,k''\"')",
    "ALTER TYPE ours.mood ADD VALUE 'first' BEFORE 'sad'",
    "CREATE DOMAIN ours.my_mood AS ours.mood",
    "CREATE DOMAIN ours.our_mood AS ours.my_mood",
    "CREATE TYPE ours.pair AS (a int, b ours.mood)",
    "CREATE TYPE ours.span AS RANGE (subtype = ours.our_mood, multirange_type_name = ours.spans)",
    "CREATE DOMAIN ours.price AS numeric(10,2)",
    "CREATE DOMAIN ours.our_price AS ours.price",
    "CREATE TABLE public.t (id int PRIMARY KEY, sealed ours.sealed, mood ours.mood, "
    "our_mood ours.our_mood, pair ours.pair, span ours.span, spans ours.spans, "
    "moods ours.mood[], seals ours.sealed[], ints int[], range int4range, price ours.our_price)",
    "CREATE TABLE public.plain (id int PRIMARY KEY, sealed ours.sealed)",
    "CREATE PUBLICATION pub FOR TABLE public.t, public.plain",
};

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "wal_sender_timeout = 2s", NULL))
        exit(77);
    for (size_t i = 0; i < sizeof schema / sizeof schema[0]; i++)
        private_postgres_sql(&server, schema[i]);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* ---- A stream ---- */

struct fixture {
    struct source *source;
    int64_t slowest_us; /* of one call */
};

static void open_stream(struct fixture *f, const char *connection)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = NULL;
    uint64_t lsn = 0;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:test"};
    if (pg_replication_open(&options, &r, &err) < 0 ||
        pg_replication_create_slot(r, "s", 10000, &lsn, &err) != 0)
        fail_msg("%s", err.text);
    struct stream_options stream = {.start = {lsn, 0},
                                    .server_timeout_us = SERVER_TIMEOUT_US,
                                    .now_us = clock_monotonic_us(),
                                    .connection = connection,
                                    .application = "walferry:test"};
    *f = (struct fixture){.source = NULL};
    if (pg_replication_start(r, "s", "pub", NULL, lsn, &err) < 0 ||
        stream_source_open(r, &stream, &f->source, &err) < 0)
        fail_msg("%s", err.text);
}

static void close_stream(struct fixture *f)
{
    source_close(f->source, 0);
    for (int i = 0; i < 500; i++) {
        const char *active = private_postgres_ask(&server, "SELECT count(*) FROM "
                                                           "pg_replication_slots WHERE active");
        if (strcmp(active, "0") == 0)
            break;
        clock_sleep_us(10000);
    }
    private_postgres_sql(&server, "SELECT pg_drop_replication_slot('s')");
}

/* One turn of a reader's loop. */
static int turn(struct fixture *f, int64_t wait_us, struct change *change)
{
    struct error err = ERROR_INIT;
    int fd;
    int64_t now_us = clock_monotonic_us(), deadline_us;
    int got = source_tick(f->source, now_us, &err);
    if (got == 0)
        got = source_next(f->source, now_us, change, &err);
    if (got < 0)
        fail_msg("%s", err.text);
    int64_t took_us = clock_monotonic_us() - now_us;
    f->slowest_us = took_us > f->slowest_us ? took_us : f->slowest_us;
    if (got > 0)
        return got;
    source_wait(f->source, &fd, &deadline_us);
    int64_t left_us = deadline_us - clock_monotonic_us();
    left_us = left_us < wait_us ? left_us : wait_us;
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    struct timespec ts = {.tv_nsec = left_us > 0 ? left_us * 1000 : 0};
    ppoll(&pfd, fd >= 0 ? 1 : 0, &ts, NULL);
    return 0;
}

static const struct relation *next_row(struct fixture *f)
{
    struct change change;
    int64_t end_us = clock_monotonic_us() + 20 * US_PER_S;
    for (;;) {
        if (turn(f, 100000, &change) > 0 && change.op == CHANGE_INSERT)
            return change.relation;
        assert_true(clock_monotonic_us() < end_us);
    }
}

static const struct type *type_of(const struct relation *relation, const char *column)
{
    for (uint32_t i = 0; i < relation->column_count; i++)
        if (span_equal_text(relation->columns[i].name, column))
            return relation->columns[i].type;
    fail_msg("there is no column %s", column);
    return NULL;
}

static void expect_type(const struct type *type, enum type_kind kind, const char *name)
{
    assert_int_equal(type->kind, kind);
    assert_span(type->schema, "ours");
    assert_span(type->name, name);
}

static const char *dsn(void)
{
    return private_postgres_dsn(&server, "postgres", "");
}

/* ---- What is learnt ---- */

static void test_all_kinds(void **state)
{
    (void)state;
    struct fixture f;
    open_stream(&f, dsn());
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (1)");
    const struct relation *t = next_row(&f);
    const struct type *mood = type_of(t, "mood");
    expect_type(mood, TYPE_KIND_ENUM, "mood");
    assert_int_equal(mood->label_count, 4);
    assert_span(mood->labels[0], "first");
    assert_span(mood->labels[1], "sad");
    assert_span(mood->labels[2], "so so");
    assert_span(mood->labels[3], "o,k'\"");
    expect_type(type_of(t, "our_mood"), TYPE_KIND_DOMAIN, "our_mood");
    assert_ptr_equal(type_of(t, "our_mood")->base, mood);
    assert_ptr_equal(type_of(t, "sealed")->base, types_builtin(TYPE_BYTEA));
    assert_int_equal(type_of(t, "price")->modifier, (10 << 16 | 2) + 4);
    expect_type(type_of(t, "pair"), TYPE_KIND_COMPOSITE, "pair");
    expect_type(type_of(t, "moods"), TYPE_KIND_ARRAY, "_mood");
    assert_ptr_equal(type_of(t, "moods")->element, mood);
    expect_type(type_of(t, "seals"), TYPE_KIND_ARRAY, "_sealed");
    expect_type(type_of(t, "seals")->element, TYPE_KIND_DOMAIN, "sealed");
    assert_ptr_equal(type_of(t, "seals")->element->base, types_builtin(TYPE_BYTEA));
    expect_type(type_of(t, "span"), TYPE_KIND_RANGE, "span");
    assert_ptr_equal(type_of(t, "span")->element, type_of(t, "our_mood"));
    expect_type(type_of(t, "spans"), TYPE_KIND_MULTIRANGE, "spans");
    assert_ptr_equal(type_of(t, "spans")->element, type_of(t, "span"));
    assert_ptr_equal(type_of(t, "ints"), types_builtin(1007));
    assert_ptr_equal(type_of(t, "range"), types_builtin(3904));
    assert_int_equal(source_report(f.source).type_failures, 0);
    assert_true(f.slowest_us < US_PER_S);
    close_stream(&f);
}

/* The session is gone, and no row after the first one asks. */
static void test_asked_once_for_a_version(void **state)
{
    (void)state;
    struct fixture f;
    open_stream(&f, dsn());
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (10)");
    const struct relation *t = next_row(&f);
    const struct type *mood = type_of(t, "mood");
    private_postgres_sql(&server, "ALTER TYPE ours.mood ADD VALUE 'last'");
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (11)");
    assert_ptr_equal(next_row(&f), t);
    assert_int_equal(mood->label_count, 4);
    private_postgres_sql(&server, "ALTER TABLE public.t ADD more text");
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (12)");
    assert_ptr_equal(next_row(&f), t);
    assert_ptr_equal(type_of(t, "mood"), mood);
    assert_int_equal(mood->label_count, 5);
    assert_span(mood->labels[4], "last");
    assert_string_equal(private_postgres_ask(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                                      "application_name = 'walferry:test:types'"),
                        "0");
    close_stream(&f);
}

/* What the stream says itself needs no session: it would be refused here. */
static void test_a_domain_over_a_builtin_type_needs_no_session(void **state)
{
    (void)state;
    struct fixture f;
    open_stream(&f, private_postgres_dsn(&server, "postgres", "options='-c nonsense=1'"));
    private_postgres_sql(&server, "INSERT INTO public.plain (id) VALUES (1)");
    const struct relation *plain = next_row(&f);
    assert_int_equal(type_of(plain, "sealed")->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(type_of(plain, "sealed")->base, types_builtin(TYPE_BYTEA));
    assert_int_equal(source_report(f.source).type_failures, 0);
    close_stream(&f);
}

/* ---- What is not ---- */

static void expect_unknown(const struct relation *t)
{
    assert_int_equal(type_of(t, "mood")->kind, TYPE_KIND_UNKNOWN);
    assert_int_equal(type_of(t, "moods")->kind, TYPE_KIND_UNKNOWN);
    assert_ptr_equal(type_of(t, "sealed")->base, types_builtin(TYPE_BYTEA));
}

static void test_a_refused_session_ends_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_stream(&f, private_postgres_dsn(&server, "postgres", "options='-c nonsense=1'"));
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (20)");
    expect_unknown(next_row(&f));
    struct source_status status = source_report(f.source);
    assert_int_equal(status.type_failures, 1);
    assert_non_null(strstr(status.type_failure->text, "nonsense"));
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (21)");
    expect_unknown(next_row(&f));
    assert_int_equal(source_report(f.source).type_failures, 1);
    close_stream(&f);
}

static void test_without_a_connection_nothing_is_asked(void **state)
{
    (void)state;
    struct fixture f;
    open_stream(&f, NULL);
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (30)");
    expect_unknown(next_row(&f));
    assert_int_equal(source_report(f.source).type_failures, 0);
    close_stream(&f);
}

/* The postmaster stands still, the walsender does not: new sessions are taken and get no word. The
 * row waits for a quarter of the server's time-out, no call does. */
static void test_a_silent_server(void **state)
{
    (void)state;
    struct fixture f;
    struct change change;
    open_stream(&f, dsn());
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (40)");
    kill(server.pid, SIGSTOP);
    int64_t begun_us = clock_monotonic_us();
    expect_unknown(next_row(&f));
    int64_t waited_us = clock_monotonic_us() - begun_us;
    kill(server.pid, SIGCONT);
    assert_true(waited_us >= SERVER_TIMEOUT_US / 4 && waited_us < SERVER_TIMEOUT_US);
    assert_true(f.slowest_us < SERVER_TIMEOUT_US / 8);
    struct source_status status = source_report(f.source);
    assert_int_equal(status.type_failures, 1);
    assert_int_equal(status.type_failure->reason, REASON_TIMEOUT);
    while (turn(&f, 100000, &change) == 0)
        ;
    assert_int_equal(change.op, CHANGE_COMMIT);
    close_stream(&f);
}

static void test_closed_while_it_waits(void **state)
{
    (void)state;
    struct fixture f;
    struct change change;
    open_stream(&f, dsn());
    private_postgres_sql(&server, "INSERT INTO public.t (id) VALUES (50)");
    kill(server.pid, SIGSTOP);
    while (turn(&f, 100000, &change) == 0 || change.op != CHANGE_BEGIN)
        ;
    for (int i = 0; i < 3; i++)
        assert_int_equal(turn(&f, 1000, &change), 0);
    kill(server.pid, SIGCONT);
    close_stream(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_asked_once_for_a_version),
        cmocka_unit_test(test_a_domain_over_a_builtin_type_needs_no_session),
        cmocka_unit_test(test_a_refused_session_ends_nothing),
        cmocka_unit_test(test_without_a_connection_nothing_is_asked),
        cmocka_unit_test(test_a_silent_server),
        cmocka_unit_test(test_closed_while_it_waits),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
