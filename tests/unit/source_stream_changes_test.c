/* source_stream_changes: which changes the stream hands on, with which position and ordinal: the
 * start guard, transactions split over parts, messages outside transactions, MARKs, and what is
 * refused. */
#include "source/source.h"

#include "change_dump.h"
#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define SHOP 16400

struct fixture {
    struct stream *stream;
    struct buf message;
    struct buf data;
    struct error err;
    struct change change;
};

static struct column columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL}};
static const struct relation shop = {
    SHOP, SPAN_STATIC("public"), SPAN_STATIC("shop"), 'd', 1, columns, 0, false, {.count = 0}};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stream_close(f->stream);
    buf_fini(&f->message);
    buf_fini(&f->data);
    free(f);
    return 0;
}

static void open_repeating(struct fixture *f, uint64_t lsn, uint64_t final_lsn, uint64_t done,
                           bool repeats)
{
    const struct stream_options options = {.start = {lsn, done},
                                           .partial = {.final_lsn = final_lsn, .done = done},
                                           .server_timeout_us = 60000000,
                                           .repeats = repeats,
                                           .now_us = 1000};

    stream_close(f->stream);
    f->stream = stream_open(&options);
}

static void open_at(struct fixture *f, uint64_t lsn, uint64_t final_lsn, uint64_t done)
{
    open_repeating(f, lsn, final_lsn, done, false);
}

/* At 0/1000, with what commits from 0/F00 on asked for. final_lsn 0: there must be nothing. */
static void open_with_witness(struct fixture *f, uint64_t final_lsn)
{
    const struct stream_options options = {
        .start = {0x1000, 0},
        .witness = {.from_lsn = final_lsn != 0 ? final_lsn : 0xf00,
                    .confirmed_lsn = 0xe00,
                    .final_lsn = final_lsn,
                    .xid = final_lsn != 0 ? 6 : 0,
                    .commit_time_us = final_lsn != 0 ? INT64_C(1700000000000000) : 0},
        .server_timeout_us = 60000000,
        .now_us = 1000};

    stream_close(f->stream);
    f->stream = stream_open(&options);
    f->err = ERROR_INIT;
}

/* 1 and f->change, 0, or -1 and f->err. */
static int fed(struct fixture *f)
{
    int result = stream_feed(f->stream, buf_span(&f->data), 2000, &f->err);

    if (result < 0)
        return result;
    result = stream_next(f->stream, &f->change);
    struct change more;

    assert_int_equal(stream_next(f->stream, &more), 0);
    return result;
}

static int feed_message(struct fixture *f, uint64_t wal)
{
    buf_reset(&f->data);
    write_xlogdata(&f->data, wal, wal, 0, buf_span(&f->message));
    buf_reset(&f->message);
    return fed(f);
}

static int begin(struct fixture *f, uint64_t final_lsn, uint32_t xid)
{
    write_begin(&f->message, final_lsn, INT64_C(1700000000000000), xid);
    int result = feed_message(f, final_lsn);

    write_relation(&f->message, &shop);
    if (result >= 0)
        assert_int_equal(feed_message(f, 0), 0);
    buf_reset(&f->message);
    return result;
}

static int insert(struct fixture *f, const char *id)
{
    struct cell cell = cell_text(id);

    write_insert(&f->message, SHOP, &(struct row){.count = 1, .cells = &cell});
    return feed_message(f, 0x10);
}

static int commit(struct fixture *f, uint64_t final_lsn, uint64_t end_lsn)
{
    write_commit(&f->message, final_lsn, end_lsn, INT64_C(1700000000000000));
    return feed_message(f, end_lsn);
}

static int keepalive(struct fixture *f, uint64_t wal_end, bool reply)
{
    buf_reset(&f->data);
    write_keepalive(&f->data, wal_end, 0, reply);
    return fed(f);
}

static void is_at(const struct fixture *f, enum change_op op, uint64_t lsn, uint64_t seq)
{
    assert_int_equal(f->change.op, op);
    assert_int_equal(f->change.position.lsn, lsn);
    assert_int_equal(f->change.position.seq, seq);
    assert_int_equal(f->change.id.ordinal, seq);
}

static void refused(const struct fixture *f, const char *reason, const char *text)
{
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_int_equal(f->err.exit_code, EXIT_REFUSED);
    assert_string_equal(reason_slug(f->err.reason), reason);
    assert_string_equal(f->err.text, text);
    assert_true(f->err.hint[0] != '\0');
}

static void positions_follow_the_commits(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x1000, 0, 0);
    assert_int_equal(begin(f, 0x1100, 7), 1);
    is_at(f, CHANGE_BEGIN, 0x1000, 0);
    assert_int_equal(f->change.id.final_lsn, 0x1100);
    assert_int_equal(f->change.xid, 7);
    assert_true(stream_in_transaction(f->stream));
    assert_int_equal(insert(f, "1"), 1);
    is_at(f, CHANGE_INSERT, 0x1000, 1);
    assert_int_equal(f->change.id.final_lsn, 0x1100);
    assert_int_equal(f->change.commit_time_us, INT64_C(1700000000000000));
    write_truncate(&f->message, 1, (uint32_t[]){SHOP}, false, false);
    assert_int_equal(feed_message(f, 0x20), 1);
    is_at(f, CHANGE_TRUNCATE, 0x1000, 2);
    write_message(&f->message, true, 0x1050, "outbox", SPAN_LITERAL("{}"));
    assert_int_equal(feed_message(f, 0x30), 1);
    is_at(f, CHANGE_MESSAGE, 0x1000, 3);
    assert_int_equal(commit(f, 0x1100, 0x1130), 1);
    is_at(f, CHANGE_COMMIT, 0x1130, 0);
    assert_int_equal(f->change.xid, 7);
    assert_false(stream_in_transaction(f->stream));
    assert_int_equal(begin(f, 0x1130, 8), 1); /* adjacent commit records */
    is_at(f, CHANGE_BEGIN, 0x1130, 0);
    assert_int_equal(insert(f, "2"), 1);
    is_at(f, CHANGE_INSERT, 0x1130, 1);
}

static void what_is_behind_the_start_is_dropped_whole(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    assert_int_equal(begin(f, 0x1fff, 7), 0);
    assert_true(stream_in_transaction(f->stream));
    assert_int_equal(insert(f, "1"), 0);
    assert_int_equal(keepalive(f, 0x3000, true), 0);
    assert_int_equal(commit(f, 0x1fff, 0x2000), 0);
    assert_false(stream_in_transaction(f->stream));
    assert_int_equal(begin(f, 0x2000, 8), 1);
    is_at(f, CHANGE_BEGIN, 0x2000, 0);
    /* The relation was described in the dropped transaction, too. */
    assert_int_equal(insert(f, "2"), 1);
    is_at(f, CHANGE_INSERT, 0x2000, 1);
    assert_int_equal(f->change.relation->version, 1);
    assert_int_equal(commit(f, 0x2000, 0x2030), 1);
}

/* What a status update would confirm now. */
static uint64_t confirmed(struct fixture *f)
{
    struct standby_status status;
    buf_reset(&f->data);
    stream_status_now(f->stream, 3000, INT64_C(1700000000000000), &f->data);
    assert_true(read_status(buf_span(&f->data), &status));
    return status.flush_lsn;
}

static void the_last_transaction_comes_again(void **state)
{
    struct fixture *f = *state;

    open_with_witness(f, 0xf80);
    assert_int_equal(confirmed(f), 0xe00);
    assert_int_equal(keepalive(f, 0xf00, false), 0);
    assert_int_equal(keepalive(f, 0xf80, false), 0);
    assert_int_equal(begin(f, 0xf80, 6), 0);
    assert_int_equal(insert(f, "1"), 0);
    assert_int_equal(commit(f, 0xf80, 0xfc0), 0);
    assert_int_equal(confirmed(f), 0xe00); /* others may come before the start */
    assert_int_equal(begin(f, 0x1000, 7), 1);
    assert_int_equal(confirmed(f), 0x1000);
    assert_int_equal(insert(f, "2"), 1);
    is_at(f, CHANGE_INSERT, 0x1000, 1);
    assert_int_equal(commit(f, 0x1000, 0x1100), 1);

    open_with_witness(f, 0xf80);
    assert_int_equal(begin(f, 0xf00, 5), 0); /* the server went back further than it was asked */
    assert_int_equal(commit(f, 0xf00, 0xf40), 0);
    assert_int_equal(begin(f, 0xf80, 6), 0);
    assert_int_equal(commit(f, 0xf80, 0xfc0), 0);
    stream_confirm(f->stream, (struct position){0x1000, 0}); /* is no proof */
    assert_int_equal(confirmed(f), 0xe00);
    assert_int_equal(keepalive(f, 0xfff, false), 0);
    assert_int_equal(confirmed(f), 0xe00);
    assert_int_equal(keepalive(f, 0x1000, false), 0);
    assert_int_equal(confirmed(f), 0x1000);
}

static void nothing_comes_between(void **state)
{
    struct fixture *f = *state;

    open_with_witness(f, 0);
    assert_int_equal(confirmed(f), 0xe00);
    assert_int_equal(keepalive(f, 0x2000, false), 1);
    is_at(f, CHANGE_MARK, 0x2000, 0);
    assert_int_equal(confirmed(f), 0x1000);
}

#define OTHER_HISTORY                                                                              \
    "transaction 6, which was published last and commits at 0/F80, does not come again: "

static void another_history_is_refused(void **state)
{
    struct fixture *f = *state;

    open_with_witness(f, 0xf80);
    assert_int_equal(begin(f, 0xf80, 7), -1); /* another id */
    refused(f, "history_changed",
            "stream at 0/F80: " OTHER_HISTORY "one came that commits at 0/F80");
    assert_advice(f->err, "the server was restored to an earlier time, and what it wrote since "
                          "below position 0/1000 was never published; go on from the slot: "
                          "walferry rebase --to slot --accept-repeat");

    open_with_witness(f, 0xf80);
    assert_int_equal(begin(f, 0xf81, 6), -1); /* another place */
    refused(f, "history_changed",
            "stream at 0/F81: " OTHER_HISTORY "one came that commits at 0/F81");

    open_with_witness(f, 0xf80);
    write_begin(&f->message, 0xf80, INT64_C(1700000000000001), 6); /* another time */
    assert_int_equal(feed_message(f, 0xf80), -1);
    refused(f, "history_changed",
            "stream at 0/F80: " OTHER_HISTORY "one came that commits at 0/F80");

    open_with_witness(f, 0xf80);
    assert_int_equal(begin(f, 0x1000, 8), -1); /* none */
    refused(f, "history_changed",
            "stream at 0/1000: " OTHER_HISTORY "one came that commits at 0/1000");

    open_with_witness(f, 0xf80);
    assert_int_equal(keepalive(f, 0xf81, true), -1);
    refused(f, "history_changed", OTHER_HISTORY "the server is past it, at 0/F81");
    assert_int_equal(confirmed(f), 0xe00);

    open_with_witness(f, 0xf80);
    assert_int_equal(begin(f, 0xf80, 6), 0);
    assert_int_equal(commit(f, 0xf80, 0xfc0), 0);
    assert_int_equal(begin(f, 0xfc0, 7), -1); /* one more */
    refused(f, "history_changed",
            "stream at 0/FC0: nothing more was to come before position 0/1000, but one came that "
            "commits at 0/FC0");

    open_with_witness(f, 0);
    assert_int_equal(begin(f, 0xf00, 7), -1);
    refused(f, "history_changed",
            "stream at 0/F00: nothing more was to come before position 0/1000, but one came that "
            "commits at 0/F00");
}

static void a_split_transaction_goes_on(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(begin(f, 0x1f00, 6), 0); /* behind the start */
    assert_int_equal(commit(f, 0x1f00, 0x1f30), 0);
    assert_int_equal(begin(f, 0x2500, 7), 1);
    is_at(f, CHANGE_BEGIN, 0x2000, 0);
    assert_int_equal(insert(f, "1"), 0);
    assert_int_equal(insert(f, "2"), 0);
    assert_int_equal(insert(f, "3"), 1);
    is_at(f, CHANGE_INSERT, 0x2000, 3);
    assert_true(span_equal_text(f->change.after.cells[0].bytes, "3"));
    assert_int_equal(commit(f, 0x2500, 0x2530), 1);
    is_at(f, CHANGE_COMMIT, 0x2530, 0);
    /* The next one is whole again. */
    assert_int_equal(begin(f, 0x2600, 8), 1);
    assert_int_equal(insert(f, "1"), 1);
    is_at(f, CHANGE_INSERT, 0x2530, 1);
}

static void a_split_transaction_may_have_been_done_but_for_its_end(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0x2500, 1);
    assert_int_equal(begin(f, 0x2500, 7), 1);
    assert_int_equal(insert(f, "1"), 0);
    assert_int_equal(commit(f, 0x2500, 0x2530), 1);
    is_at(f, CHANGE_COMMIT, 0x2530, 0);
}

static void another_transaction_than_the_split_one_is_refused(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(begin(f, 0x2400, 7), -1);
    refused(f, "partial_mismatch",
            "stream at 0/2400: the transaction that commits at 0/2500 was published in part (2 "
            "changes) and must come first from 0/2000, but one came that commits at 0/2400");
    assert_advice_contains(f->err, "walferry rebase --to lsn:0/2000 --accept-repeat");
    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(begin(f, 0x2508, 7), -1);
    assert_string_equal(reason_slug(f->err.reason), "partial_mismatch");
}

static void a_split_transaction_that_shrank_is_refused(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(begin(f, 0x2500, 7), 1);
    assert_int_equal(insert(f, "1"), 0);
    assert_int_equal(commit(f, 0x2500, 0x2530), -1);
    refused(f, "partial_mismatch",
            "stream at 0/2530: the transaction that commits at 0/2500 was published in part (2 "
            "changes) and must come first from 0/2000, but it has fewer changes now; it ends at "
            "0/2530");
}

/* A MARK would move the position past the split transaction, and what is done of it be forgotten.
 */
static void no_mark_while_a_split_transaction_is_awaited(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(keepalive(f, 0x2400, true), 0);
    assert_int_equal(keepalive(f, 0x2500, false), 0);
    assert_int_equal(keepalive(f, 0x2501, false), -1);
    refused(
        f, "partial_mismatch",
        "the transaction that commits at 0/2500 was published in part (2 changes) and must come "
        "first from 0/2000, but the server is past it, at 0/2501");
    open_at(f, 0x2000, 0x2500, 2);
    assert_int_equal(begin(f, 0x2500, 7), 1);
    is_at(f, CHANGE_BEGIN, 0x2000, 0);
}

static void messages_outside_transactions(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    write_message(&f->message, false, 0x1fff, "old", SPAN_LITERAL("x"));
    assert_int_equal(feed_message(f, 0x1fff), 0);
    write_message(&f->message, false, 0x2100, "p", SPAN_LITERAL("x"));
    assert_int_equal(feed_message(f, 0x2100), 1);
    is_at(f, CHANGE_MESSAGE, 0x2100, 0);
    assert_false(f->change.message.transactional);
    assert_int_equal(f->change.xid, 0);
    assert_true(span_equal_text(f->change.message.prefix, "p"));
    /* Outside the order: the position of what follows is as before. */
    assert_int_equal(begin(f, 0x2200, 7), 1);
    is_at(f, CHANGE_BEGIN, 0x2000, 0);
}

static void marks_move_the_position(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    assert_int_equal(keepalive(f, 0x1000, true), 0); /* the first one after a start is behind it */
    assert_int_equal(keepalive(f, 0x2000, true), 0);
    assert_int_equal(keepalive(f, 0x2100, false), 1);
    is_at(f, CHANGE_MARK, 0x2100, 0);
    assert_false(f->change.urgent);
    assert_int_equal(keepalive(f, 0x2100, false), 0);
    assert_int_equal(keepalive(f, 0x2200, true), 1);
    is_at(f, CHANGE_MARK, 0x2200, 0);
    assert_true(f->change.urgent);
    assert_int_equal(begin(f, 0x2200, 7), 1);
    is_at(f, CHANGE_BEGIN, 0x2200, 0);
    assert_int_equal(keepalive(f, 0x2300, true), 0); /* inside a transaction */
    assert_int_equal(commit(f, 0x2200, 0x2230), 1);
    assert_int_equal(keepalive(f, 0x2230, false), 0);
    assert_int_equal(keepalive(f, 0x2300, false), 1);
    is_at(f, CHANGE_MARK, 0x2300, 0);
}

/* A shutting down server first reports its end, and asks for a confirmation of just that
 * afterwards. */
static void a_position_becomes_urgent_once(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    assert_int_equal(keepalive(f, 0x2100, false), 1);
    assert_int_equal(keepalive(f, 0x2100, true), 1);
    is_at(f, CHANGE_MARK, 0x2100, 0);
    assert_true(f->change.urgent);
    assert_int_equal(keepalive(f, 0x2100, true), 0);
    assert_int_equal(keepalive(f, 0x2200, false), 1);
    stream_confirm(f->stream, (struct position){0x2200, 0});
    assert_int_equal(keepalive(f, 0x2200, true), 0); /* nothing left to hurry for */
    /* So does the end of a transaction, which may have given no event. */
    assert_int_equal(begin(f, 0x2300, 7), 1);
    assert_int_equal(commit(f, 0x2300, 0x2330), 1);
    assert_int_equal(keepalive(f, 0x2330, false), 0);
    assert_int_equal(keepalive(f, 0x2330, true), 1);
    is_at(f, CHANGE_MARK, 0x2330, 0);
    assert_true(f->change.urgent);
    assert_int_equal(keepalive(f, 0x2330, true), 0);
    assert_int_equal(keepalive(f, 0x2300, true), 0); /* behind the position */
}

static void going_back_is_refused(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    assert_int_equal(keepalive(f, 0x2100, false), 1);
    assert_int_equal(begin(f, 0x20ff, 7), -1);
    refused(f, "out_of_order",
            "stream at 0/20FF: a transaction commits at 0/20FF although the stream "
            "is at 0/2100 already");
    open_at(f, 0x2000, 0, 0);
    assert_int_equal(begin(f, 0x2000, 7), 1);
    assert_int_equal(commit(f, 0x2000, 0x2000), -1);
    refused(f, "out_of_order",
            "stream at 0/2000: a transaction ends at 0/2000 although the stream is "
            "at 0/2000 already");
}

static void other_bytes_are_refused(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    buf_reset(&f->data);
    assert_int_equal(fed(f), -1);
    refused(f, "undecodable",
            "replication message 0x00 of 0 bytes: neither WAL data nor a keepalive");
    buf_add_text(&f->data, "x12345678901234567890123456789");
    assert_int_equal(fed(f), -1);
    refused(f, "undecodable",
            "replication message 0x78 of 30 bytes: neither WAL data nor a keepalive");
    for (size_t len = 1; len < 25; len++) {
        buf_reset(&f->data);
        write_xlogdata(&f->data, 1, 1, 0, SPAN_LITERAL(""));
        f->data.len = len;
        assert_int_equal(fed(f), -1);
    }
    for (size_t len = 1; len < 18; len++) {
        buf_reset(&f->data);
        write_keepalive(&f->data, 1, 0, false);
        f->data.len = len;
        assert_int_equal(fed(f), -1);
    }
    buf_add_text(&f->message, "Z");
    assert_int_equal(feed_message(f, 0x2345), -1);
    refused(f, "undecodable",
            "stream at 0/2345: pgoutput message 'Z' (0x5a) at offset 0: unknown message type");
}

static void the_newest_lsn_is_known(void **state)
{
    struct fixture *f = *state;

    open_at(f, 0x2000, 0, 0);
    assert_int_equal(stream_received_lsn(f->stream), 0x2000);
    assert_int_equal(keepalive(f, 0x1000, false), 0);
    assert_int_equal(stream_received_lsn(f->stream), 0x2000);
    assert_int_equal(keepalive(f, 0x2100, false), 1);
    assert_int_equal(stream_received_lsn(f->stream), 0x2100);
    buf_reset(&f->data);
    write_origin(&f->message, 1, "o");
    write_xlogdata(&f->data, 0x2200, 0x2300, 0, buf_span(&f->message));
    assert_int_equal(fed(f), 0);
    assert_int_equal(stream_received_lsn(f->stream), 0x2300);
}

/* Whoever counts the events of a transaction is given the done part of it, too. */
static void a_done_part_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    open_repeating(f, 0x1000, 0x2000, 2, true);
    assert_int_equal(begin(f, 0x2000, 7), 1);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(insert(f, "1"), 1);
        is_at(f, CHANGE_INSERT, 0x1000, i);
        assert_int_equal(f->change.repeated, i <= 2);
    }
    assert_int_equal(commit(f, 0x2000, 0x2010), 1);
    assert_int_equal(begin(f, 0x3000, 8), 1);
    assert_int_equal(insert(f, "1"), 1);
    assert_false(f->change.repeated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_done_part_may_be_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(positions_follow_the_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_behind_the_start_is_dropped_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_transaction_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_comes_between, setup, teardown),
        cmocka_unit_test_setup_teardown(another_history_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_split_transaction_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_split_transaction_may_have_been_done_but_for_its_end,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_transaction_than_the_split_one_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_split_transaction_that_shrank_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_mark_while_a_split_transaction_is_awaited, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(messages_outside_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_move_the_position, setup, teardown),
        cmocka_unit_test_setup_teardown(a_position_becomes_urgent_once, setup, teardown),
        cmocka_unit_test_setup_teardown(going_back_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_lsn_is_known, setup, teardown),
    };

    return cmocka_run_group_tests_name("source_stream_changes", tests, NULL, NULL);
}
