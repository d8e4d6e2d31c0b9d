/* What every source owes its reader, whatever it reads from. A source joins by a row in `fixtures`:
 * how it is set up, opened, and how a transaction is written into its database. */
#include "base/clock.h"
#include "pg/pg.h"
#include "private_postgres.h"
#include "source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct private_postgres server;

struct fixture {
    const char *name;
    void (*setup)(void);
    /* From a position that was handed on before; {0, 0}: from the beginning. */
    struct source *(*open)(struct position from);
    uint64_t (*confirmed)(void); /* what the database has been told, once the source is closed */
};

/* ---- The stream ---- */

static uint64_t stream_start_lsn;

static struct pg_slot ask_slot(void)
{
    struct error err = ERROR_INIT;
    struct pg_connection *c = NULL;
    struct pg_slot slot = {.state = SLOT_ABSENT};
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:test"};
    if (pg_open(&options, &c, &err) < 0 || pg_slot_state(c, "s", &slot, &err) < 0)
        fail_msg("%s", err.text);
    pg_close(c);
    return slot;
}

static void stream_setup(void)
{
    private_postgres_sql(&server, "CREATE PUBLICATION pub FOR TABLE public.t");
    private_postgres_sql(&server, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
    stream_start_lsn = ask_slot().confirmed_flush_lsn;
}

static struct source *stream_fixture_open(struct position from)
{
    struct error err = ERROR_INIT;
    struct pg_replication *r = NULL;
    struct source *source = NULL;
    struct pg_options options = {.connection = private_postgres_dsn(&server, "postgres", ""),
                                 .application_name = "walferry:test"};
    if (from.lsn == 0)
        from.lsn = stream_start_lsn;
    struct stream_options stream = {
        .start = from, .server_timeout_us = 2 * US_PER_S, .now_us = clock_monotonic_us()};
    /* The session of the test before may still be on its way out. */
    for (int i = 0; ask_slot().active && i < 200; i++)
        clock_sleep_us(10000);
    if (pg_replication_open(&options, &r, &err) < 0 ||
        pg_replication_start(r, "s", "pub", NULL, from.lsn, &err) < 0 ||
        stream_source_open(r, &stream, &source, &err) < 0)
        fail_msg("%s", err.text);
    return source;
}

static uint64_t stream_confirmed(void)
{
    return ask_slot().confirmed_flush_lsn;
}

static const struct fixture fixtures[] = {
    {"stream", stream_setup, stream_fixture_open, stream_confirmed},
};

/* ---- Helpers ---- */

static const struct fixture *given(void **state)
{
    return *state;
}

/* As a reader's loop does it: 1, or 0 when nothing came in time. */
static int next_within(struct source *s, int64_t timeout_us, struct change *change)
{
    struct error err = ERROR_INIT;
    int64_t end_us = clock_monotonic_us() + timeout_us;
    for (;;) {
        int64_t now_us = clock_monotonic_us();
        if (source_tick(s, now_us, &err) < 0)
            fail_msg("tick: %s", err.text);
        int got = source_next(s, now_us, change, &err);
        if (got < 0)
            fail_msg("next: %s", err.text);
        if (got > 0)
            return 1;
        if (now_us >= end_us)
            return 0;
        int fd;
        int64_t deadline_us;
        source_wait(s, &fd, &deadline_us);
        int64_t left_us = (deadline_us < end_us ? deadline_us : end_us) - clock_monotonic_us();
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        struct timespec ts = {.tv_sec = left_us / US_PER_S, .tv_nsec = left_us % US_PER_S * 1000};
        if (left_us > 0)
            ppoll(&pfd, fd >= 0 ? 1 : 0, &ts, NULL);
    }
}

static void expect(struct source *s, enum change_op op, struct change *change)
{
    do {
        if (next_within(s, 10 * US_PER_S, change) == 0)
            fail_msg("nothing came, expected op %d", (int)op);
    } while (change->op == CHANGE_MARK);
    assert_int_equal(change->op, op);
}

/* A whole transaction of rows (first, first + 1, …): gives its COMMIT's position. */
static struct position expect_rows(struct source *s, int first, int count)
{
    struct change change;
    expect(s, CHANGE_BEGIN, &change);
    struct position last = change.position;
    uint64_t final_lsn = change.id.final_lsn;
    for (int i = 0; i < count; i++) {
        expect(s, CHANGE_INSERT, &change);
        char text[16];
        snprintf(text, sizeof text, "%d", first + i);
        assert_true(span_equal_text(change.after.cells[0].bytes, text));
        assert_int_equal(change.id.ordinal, i + 1);
        assert_int_equal(change.id.final_lsn, final_lsn);
        assert_true(position_compare(change.position, last) > 0);
        last = change.position;
    }
    expect(s, CHANGE_COMMIT, &change);
    assert_int_equal(change.position.seq, 0);
    assert_true(position_compare(change.position, last) > 0);
    return change.position;
}

static void write_rows(int first, int count)
{
    char text[160];
    snprintf(text, sizeof text,
             "INSERT INTO public.t SELECT g, repeat('x', 300) FROM generate_series(%d, %d) g",
             first, first + count - 1);
    private_postgres_sql(&server, text);
}

/* ---- The contract ---- */

static struct position reached; /* the end of what the tests before have confirmed */
static int row = 1;             /* the next row to write */

static void transactions_come_whole_and_in_order(void **state)
{
    struct source *s = given(state)->open(reached);
    write_rows(row, 3);
    write_rows(row + 3, 1);
    struct position first = expect_rows(s, row, 3);
    struct position second = expect_rows(s, row + 3, 1);
    assert_true(position_compare(second, first) > 0);
    source_confirm(s, first, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    /* An orderly end tells the database what was confirmed, and no more. */
    assert_int_equal(given(state)->confirmed(), first.lsn);

    s = given(state)->open(first);
    assert_int_equal(position_compare(expect_rows(s, row + 3, 1), second), 0);
    source_confirm(s, second, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    reached = second;
    row += 4;
}

static void what_was_not_confirmed_comes_again(void **state)
{
    struct source *s = given(state)->open(reached);
    write_rows(row, 2);
    expect_rows(s, row, 2);
    source_close(s, 0); /* just leaves */
    s = given(state)->open(reached);
    reached = expect_rows(s, row, 2);
    source_confirm(s, reached, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    row += 2;
}

/* An idle source asks for its descriptor to be waited on, and is woken by what comes. */
static void an_idle_source_sleeps_and_wakes(void **state)
{
    struct source *s = given(state)->open(reached);
    struct change change;
    while (next_within(s, 300 * US_PER_MS, &change) > 0)
        assert_int_equal(change.op, CHANGE_MARK);
    int fd = -1;
    int64_t deadline_us = 0;
    source_wait(s, &fd, &deadline_us);
    assert_true(fd >= 0);
    assert_true(deadline_us > clock_monotonic_us() + 10 * US_PER_MS);
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&pfd, 1, 0), 0);
    write_rows(row, 1);
    assert_int_equal(poll(&pfd, 1, 5000), 1);
    reached = expect_rows(s, row, 1);
    source_confirm(s, reached, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    row++;
}

/* Without room for changes only tick is called, for longer than either side's patience. */
static void tick_alone_keeps_it_alive(void **state)
{
    struct source *s = given(state)->open(reached);
    struct error err = ERROR_INIT;
    write_rows(row, 500);
    struct change change;
    expect(s, CHANGE_BEGIN, &change);
    int64_t end_us = clock_monotonic_us() + 3 * US_PER_S;
    int calls = 0;
    for (int64_t now_us; (now_us = clock_monotonic_us()) < end_us; calls++) {
        if (source_tick(s, now_us, &err) < 0)
            fail_msg("%s", err.text);
        int fd;
        int64_t deadline_us;
        source_wait(s, &fd, &deadline_us);
        int64_t left_us = (deadline_us < end_us ? deadline_us : end_us) - clock_monotonic_us();
        clock_sleep_us(left_us);
    }
    assert_true(calls < 50); /* it does not make its caller spin */
    for (int i = 0; i < 500; i++)
        expect(s, CHANGE_INSERT, &change);
    expect(s, CHANGE_COMMIT, &change);
    reached = change.position;
    source_confirm(s, reached, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    row += 500;
}

static void a_backlog_comes_complete(void **state)
{
    enum { TRANSACTIONS = 30, ROWS = 400 };
    for (int i = 0; i < TRANSACTIONS; i++)
        write_rows(row + i * ROWS, ROWS);
    struct source *s = given(state)->open(reached);
    for (int i = 0; i < TRANSACTIONS; i++)
        reached = expect_rows(s, row + i * ROWS, ROWS);
    source_confirm(s, reached, span_null());
    source_close(s, clock_monotonic_us() + 5 * US_PER_S);
    assert_int_equal(given(state)->confirmed(), reached.lsn);
    row += TRANSACTIONS * ROWS;
}

static void a_lost_database_is_an_error(void **state)
{
    struct source *s = given(state)->open(reached);
    struct error err = ERROR_INIT;
    struct change change;
    private_postgres_halt(&server, SIGQUIT);
    int got = 0;
    for (int i = 0; i < 500 && got >= 0; i++) {
        got = source_next(s, clock_monotonic_us(), &change, &err);
        clock_sleep_us(10000);
    }
    assert_int_equal(got, -1);
    assert_int_equal(err.kind, ERROR_RETRY);
    source_close(s, clock_monotonic_us() + 5 * US_PER_S); /* legal, and does not wait in vain */
    private_postgres_resume(&server);
}

/* ---- Run ---- */

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "wal_sender_timeout = 2s", NULL))
        exit(77);
    private_postgres_sql(&server, "CREATE TABLE public.t (id int PRIMARY KEY, v text)");
    fixtures[0].setup();
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

#define CONTRACT_TEST(function) cmocka_unit_test_prestate(function, (void *)&fixtures[0])

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(transactions_come_whole_and_in_order),
        CONTRACT_TEST(what_was_not_confirmed_comes_again),
        CONTRACT_TEST(an_idle_source_sleeps_and_wakes),
        CONTRACT_TEST(tick_alone_keeps_it_alive),
        CONTRACT_TEST(a_backlog_comes_complete),
        CONTRACT_TEST(a_lost_database_is_an_error),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
