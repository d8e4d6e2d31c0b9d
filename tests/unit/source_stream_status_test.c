/* source_stream_status: what the server is told and when, read from the bytes of the status updates
 * themselves: never more than was confirmed, in time, and no faster than it helps. */
#include "source/source.h"

#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS INT64_C(1000)
#define S (1000 * MS)
#define T0 (500 * S)
#define WALL_US INT64_C(1700000000123456)

struct fixture {
    struct stream *stream;
    struct buf out;
    struct error err;
    struct standby_status status;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stream_close(f->stream);
    buf_fini(&f->out);
    free(f);
    return 0;
}

static void open_patient(struct fixture *f, int64_t server_timeout_us, uint32_t patience)
{
    const struct stream_options options = {.start = {0x1000, 0},
                                           .server_timeout_us = server_timeout_us,
                                           .patience = patience,
                                           .now_us = T0};

    f->stream = stream_open(&options);
}

static void open_with(struct fixture *f, int64_t server_timeout_us)
{
    open_patient(f, server_timeout_us, 1);
}

/* Whether a status was due at T0 + after_us; it is then in f->status. */
static bool told(struct fixture *f, int64_t after_us)
{
    buf_reset(&f->out);
    if (!stream_status(f->stream, T0 + after_us, WALL_US, &f->out)) {
        assert_int_equal(f->out.len, 0);
        return false;
    }
    assert_true(read_status(buf_span(&f->out), &f->status));
    assert_int_equal(f->status.client_time_us, WALL_US);
    assert_int_equal(f->status.write_lsn, f->status.flush_lsn);
    assert_int_equal(f->status.apply_lsn, f->status.flush_lsn);
    return true;
}

static void keepalive(struct fixture *f, uint64_t wal_end, bool reply, int64_t after_us)
{
    struct buf data = BUF_EMPTY;
    struct change change;

    write_keepalive(&data, wal_end, 0, reply);
    assert_int_equal(stream_feed(f->stream, buf_span(&data), T0 + after_us, &f->err), 0);
    stream_next(f->stream, &change);
    buf_fini(&data);
}

static void confirm(struct fixture *f, uint64_t lsn, uint64_t seq)
{
    stream_confirm(f->stream, (struct position){lsn, seq});
}

static int64_t deadline(const struct fixture *f)
{
    return stream_deadline(f->stream) - T0;
}

static void the_start_is_confirmed_at_once(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    assert_true(deadline(f) <= 0);
    assert_true(told(f, 0));
    assert_int_equal(f->status.flush_lsn, 0x1000);
    assert_false(f->status.reply);
    assert_false(told(f, 0));
}

static void only_what_is_confirmed_is_told(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    assert_true(told(f, 0));
    keepalive(f, 0x5000, true, 1 * S); /* received, and a reply is asked for: still not confirmed */
    assert_true(told(f, 1 * S));
    assert_int_equal(f->status.flush_lsn, 0x1000);
    confirm(f, 0x3000, 0);
    assert_true(told(f, 2 * S));
    assert_int_equal(f->status.flush_lsn, 0x3000);
    confirm(f, 0x2000, 0); /* never back */
    assert_false(told(f, 3 * S));
    buf_reset(&f->out);
    stream_status_now(f->stream, T0 + 3 * S, WALL_US, &f->out);
    assert_true(read_status(buf_span(&f->out), &f->status));
    assert_int_equal(f->status.flush_lsn, 0x3000);
    assert_false(told(f, 3 * S));
}

/* Inside a split transaction the LSN of the position is still the commit before it. */
static void a_split_transaction_confirms_the_commit_before_it(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    assert_true(told(f, 0));
    confirm(f, 0x1000, 5000);
    assert_false(told(f, 5 * S));
    keepalive(f, 0x2000, false, 5 * S);
    confirm(f, 0x2000, 17);
    assert_true(told(f, 5 * S));
    assert_int_equal(f->status.flush_lsn, 0x2000);
}

static void confirmations_are_spaced(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    keepalive(f, 0x9000, false, 0);
    assert_true(told(f, 0));
    confirm(f, 0x2000, 0);
    assert_int_equal(deadline(f), 100 * MS);
    assert_false(told(f, 99 * MS));
    confirm(f, 0x2100, 0);
    assert_true(told(f, 100 * MS));
    assert_int_equal(f->status.flush_lsn, 0x2100);
    /* … unless the server asks and there is something new. */
    confirm(f, 0x2200, 0);
    assert_false(told(f, 101 * MS));
    keepalive(f, 0x9000, true, 102 * MS);
    assert_true(told(f, 102 * MS));
    assert_int_equal(f->status.flush_lsn, 0x2200);
}

static void the_interval_follows_the_servers_timeout(void **state)
{
    struct fixture *f = *state;
    const struct {
        int64_t timeout_us;
        int64_t interval_us;
    } cases[] = {
        {60 * S, 10 * S}, {2 * S, 500 * MS}, {0, 10 * S}, {40 * S, 10 * S}, {8 * S, 2 * S}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(f, cases[i].timeout_us);
        assert_true(told(f, 0));
        assert_int_equal(deadline(f), cases[i].interval_us);
        assert_false(told(f, cases[i].interval_us - 1));
        assert_true(told(f, cases[i].interval_us));
        stream_close(f->stream);
        f->stream = NULL;
    }
}

static void silence_is_asked_about_and_then_ends_the_epoch(void **state)
{
    struct fixture *f = *state;

    open_with(f, 6 * S);
    keepalive(f, 0x1000, false, 1 * S);
    assert_true(told(f, 2999 * MS));
    assert_false(f->status.reply);
    assert_true(told(f, 4499 * MS));
    assert_true(f->status.reply);
    assert_int_equal(stream_tick(f->stream, T0 + 6999 * MS, &f->err), 0);
    assert_true(told(f, 6999 * MS));
    assert_int_equal(deadline(f), 7 * S);
    assert_int_equal(stream_tick(f->stream, T0 + 7 * S, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "server_silent");
    assert_string_equal(f->err.text,
                        "nothing came from the server for 6000 ms, its whole wal_sender_timeout");
    /* Bytes that wait unread are a sign of life, too. */
    stream_heard(f->stream, T0 + 7 * S);
    assert_int_equal(stream_tick(f->stream, T0 + 7 * S, &f->err), 0);
    assert_true(told(f, 9 * S - 501 * MS));
    assert_false(f->status.reply);
}

/* A server that decodes what it does not send looks at what we say every half of its time-out: it
 * is asked at a third, so that its answer is there before the whole is over. */
static void it_is_asked_once_at_a_third_of_the_timeout(void **state)
{
    struct fixture *f = *state;

    open_with(f, 6 * S);
    assert_true(told(f, 0));
    keepalive(f, 0x1000, false, 100 * MS);
    assert_true(told(f, 1500 * MS));
    assert_int_equal(deadline(f), 2100 * MS);
    assert_false(told(f, 2100 * MS - 1));
    assert_true(told(f, 2100 * MS));
    assert_true(f->status.reply);
    assert_int_equal(deadline(f), 3600 * MS);
    keepalive(f, 0x1000, false, 2500 * MS);
    assert_int_equal(deadline(f), 3600 * MS);
    assert_true(told(f, 3600 * MS));
    assert_false(f->status.reply);
    assert_int_equal(deadline(f), 4500 * MS);
}

static void without_a_timeout_ours_is_taken(void **state)
{
    struct fixture *f = *state;

    open_with(f, 0);
    assert_true(told(f, 0));
    assert_true(told(f, 10 * S));
    assert_false(f->status.reply);
    assert_true(told(f, 20 * S));
    assert_true(f->status.reply);
    assert_int_equal(stream_tick(f->stream, T0 + 60 * S - 1, &f->err), 0);
    assert_int_equal(stream_tick(f->stream, T0 + 60 * S, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "server_silent");
    assert_string_equal(f->err.text, "nothing came from the server for 60000 ms, and its "
                                     "wal_sender_timeout is off");
}

static void a_patient_one_waits_for_several_timeouts(void **state)
{
    struct fixture *f = *state;

    open_patient(f, 6 * S, 4);
    assert_int_equal(stream_tick(f->stream, T0 + 24 * S - 1, &f->err), 0);
    assert_int_equal(stream_tick(f->stream, T0 + 24 * S, &f->err), -1);
    assert_string_equal(reason_slug(f->err.reason), "server_silent");
}

static void requests_are_answered_at_once(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    assert_true(told(f, 0));
    for (int i = 1; i <= 3; i++) {
        keepalive(f, 0x2000, true, i * MS);
        assert_true(deadline(f) <= i * MS);
        assert_true(told(f, i * MS));
        assert_false(told(f, i * MS));
    }
    /* At other LSNs for as long as it likes. */
    for (int i = 10; i <= 50; i++) {
        keepalive(f, 0x2000 + (uint64_t)i, true, i * MS);
        assert_true(told(f, i * MS));
    }
    /* And at one LSN at the pace of a short wal_sender_timeout. */
    for (int i = 1; i <= 20; i++) {
        keepalive(f, 0x3000, true, i * 500 * MS);
        assert_true(told(f, i * 500 * MS));
    }
    assert_int_equal(stream_tick(f->stream, T0 + 11 * S, &f->err), 0);
}

static void the_fourth_request_within_a_second_waits(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    for (int i = 0; i < 3; i++) {
        keepalive(f, 0x2000, true, i * 300 * MS);
        assert_true(told(f, i * 300 * MS));
    }
    keepalive(f, 0x2000, true, 650 * MS);
    assert_false(told(f, 650 * MS));
    assert_int_equal(deadline(f), 700 * MS);
    assert_true(told(f, 700 * MS));
    /* A pause of more than a second, and the server counts as patient again. */
    keepalive(f, 0x2000, true, 1700 * MS);
    assert_true(told(f, 1700 * MS));
    keepalive(f, 0x2000, true, 1710 * MS);
    assert_true(told(f, 1710 * MS));
    assert_int_equal(stream_tick(f->stream, T0 + 6 * S, &f->err), 0);
}

static void an_insistent_server_is_answered_slowly(void **state)
{
    struct fixture *f = *state;
    int answers = 0;

    open_with(f, 60 * S);
    assert_true(told(f, 0));
    for (int ms = 1; ms < 5000; ms++) {
        keepalive(f, 0x2000, true, ms * MS);
        assert_int_equal(stream_tick(f->stream, T0 + ms * MS, &f->err), 0);
        if (told(f, ms * MS))
            answers++;
    }
    assert_in_range(answers, 45, 53);
    assert_int_equal(stream_tick(f->stream, T0 + 1 * MS + 5 * S, &f->err), -1);
    assert_int_equal(f->err.kind, ERROR_RETRY);
    assert_string_equal(reason_slug(f->err.reason), "shutdown_unconfirmed");
    assert_string_equal(f->err.text,
                        "the server waits for 0/2000 to be confirmed, as in a shutdown, "
                        "and only 0/1000 could be within 5000 ms");
}

static void an_insistent_server_is_content_once_confirmed(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    assert_true(told(f, 0));
    for (int ms = 1; ms <= 10; ms++) {
        keepalive(f, 0x2000, true, ms * MS);
        told(f, ms * MS);
    }
    assert_true(deadline(f) > 10 * MS);
    confirm(f, 0x2000, 0);
    assert_true(told(f, 11 * MS)); /* what it waits for is not held back */
    assert_int_equal(f->status.flush_lsn, 0x2000);
    assert_int_equal(stream_tick(f->stream, T0 + 20 * S, &f->err), 0);
}

static void an_insistent_server_that_moves_on_is_no_shutdown(void **state)
{
    struct fixture *f = *state;

    open_with(f, 60 * S);
    for (int ms = 1; ms <= 10; ms++)
        keepalive(f, 0x2000, true, ms * MS);
    keepalive(f, 0x2100, true, 20 * MS);
    assert_true(told(f, 20 * MS));
    assert_int_equal(stream_tick(f->stream, T0 + 20 * S, &f->err), 0);
    for (int ms = 21; ms <= 30; ms++)
        keepalive(f, 0x2100, true, ms * MS);
    assert_int_equal(deadline(f), 120 * MS);
    told(f, 120 * MS);
    assert_int_equal(deadline(f), 20 * MS + 5 * S); /* since the first request at this LSN */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_start_is_confirmed_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_confirmed_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_split_transaction_confirms_the_commit_before_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(confirmations_are_spaced, setup, teardown),
        cmocka_unit_test_setup_teardown(the_interval_follows_the_servers_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_asked_about_and_then_ends_the_epoch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_is_asked_once_at_a_third_of_the_timeout, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_timeout_ours_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_patient_one_waits_for_several_timeouts, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_fourth_request_within_a_second_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(an_insistent_server_is_answered_slowly, setup, teardown),
        cmocka_unit_test_setup_teardown(an_insistent_server_is_content_once_confirmed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_insistent_server_that_moves_on_is_no_shutdown, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("source_stream_status", tests, NULL, NULL);
}
