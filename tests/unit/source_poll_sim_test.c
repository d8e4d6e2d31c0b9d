/* source/poll simulated: the real core over a model server that hands out transaction ids, commits
 * late, rolls back, loses what it had not flushed in a crash and hands those ids out again; and
 * over a Kafka that is a list of what was committed with the resume beside it. Each seed is a run;
 * what was published must be, once, what is committed. */
#include "source/source.h"

#include "base/clock.h"
#include "source/poll_snapshot.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 120
#define STEPS 600
#define ROWS_MAX 4000
#define OPEN_MAX 8
#define FIRST_XID ((UINT64_C(1) << 32) - 40) /* ids pass 32 bits in each run */

static uint64_t random_state;
static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

/* ---- The server ---- */

enum fate { OPEN, COMMITTED, ABORTED, LOST };

struct line {
    int64_t seq;
    uint32_t txn;
    uint32_t published; /* how often, in Kafka */
};

struct txn {
    uint64_t xid;
    enum fate fate;
    uint64_t lsn; /* behind its commit or abort record */
};

static struct {
    struct txn txns[ROWS_MAX];
    uint32_t txn_count;
    struct line rows[2][ROWS_MAX]; /* two tables */
    uint32_t row_count[2];
    uint64_t next_xid, insert_lsn, flush_lsn, checkpoint;
    int64_t next_seq;
} pg;

static uint32_t open_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pg.txn_count; i++)
        count += pg.txns[i].fate == OPEN;
    return count;
}

static void pg_end(struct txn *t, enum fate fate)
{
    pg.insert_lsn += 30 + below(40);
    t->fate = fate;
    t->lsn = pg.insert_lsn;
}

static void pg_write(void)
{
    if (pg.txn_count < ROWS_MAX / 8 && open_count() < OPEN_MAX && below(2) == 0)
        pg.txns[pg.txn_count++] = (struct txn){pg.next_xid++, OPEN, 0};
    for (uint32_t i = 0; i < pg.txn_count; i++) {
        struct txn *t = &pg.txns[i];
        uint32_t table = below(2);
        if (t->fate != OPEN)
            continue;
        if (below(3) == 0 && pg.row_count[table] < ROWS_MAX) {
            pg.insert_lsn += 50;
            pg.rows[table][pg.row_count[table]++] = (struct line){pg.next_seq++, i, 0};
        } else if (below(i % 5 == 0 ? 40 : 4) == 0) { /* every fifth is long open */
            pg_end(t, below(5) == 0 ? ABORTED : COMMITTED);
        }
    }
}

static void pg_flush(void)
{
    pg.flush_lsn = pg.insert_lsn;
}

/* What was not flushed has never been, and ids go on behind the last one that the WAL tells of. */
static void pg_crash(void)
{
    uint64_t next = FIRST_XID;
    for (uint32_t i = 0; i < pg.txn_count; i++) {
        struct txn *t = &pg.txns[i];
        if (t->fate == OPEN || t->lsn > pg.flush_lsn)
            t->fate = LOST;
        else if (t->fate != LOST && t->xid >= next)
            next = t->xid + 1;
    }
    pg.next_xid = next;
    pg.insert_lsn = pg.flush_lsn;
    pg.checkpoint++;
}

static void pg_snapshot(struct buf *text)
{
    uint64_t xmin = 0, xmax = FIRST_XID;
    struct buf xip = BUF_EMPTY;
    for (uint32_t i = 0; i < pg.txn_count; i++)
        if ((pg.txns[i].fate == COMMITTED || pg.txns[i].fate == ABORTED) && pg.txns[i].xid >= xmax)
            xmax = pg.txns[i].xid + 1;
    for (uint32_t i = 0; i < pg.txn_count; i++) {
        const struct txn *t = &pg.txns[i];
        if (t->fate != OPEN || t->xid >= xmax)
            continue;
        xmin = xmin == 0 ? t->xid : xmin;
        buf_add_format(&xip, "%s%" PRIu64, xip.len > 0 ? "," : "", t->xid);
    }
    buf_add_format(text, "%" PRIu64 ":%" PRIu64 ":%s", xmin != 0 ? xmin : xmax, xmax,
                   buf_text(&xip));
    buf_fini(&xip);
}

/* ---- Kafka, and the relay's process ---- */

static struct {
    struct buf resume;
    struct position position;
    struct partial partial;
} kafka;

static struct {
    struct poll *poll;
    struct poll_question question;
    struct column columns[2];
    struct poll_table tables[2];
    struct line *sent[ROWS_MAX]; /* not yet committed */
    uint32_t sent_count;
    uint64_t final_lsn;
    int64_t now_us;
    struct line *page[ROWS_MAX];
    uint32_t page_count, page_at;
} relay;

static struct source_end at_the_end; /* of what is to be read; lsn 0: there is none */

static void relay_open(void)
{
    struct error err = ERROR_INIT;
    for (uint32_t i = 0; i < 2; i++) {
        relay.columns[0].name = SPAN_LITERAL("seq");
        relay.columns[1].name = SPAN_LITERAL("xid");
        relay.tables[i] =
            (struct poll_table){.relation =
                                    {/* two names that are one without quotes */
                                     .schema = i == 0 ? SPAN_LITERAL("a.b") : SPAN_LITERAL("a"),
                                     .name = i == 0 ? SPAN_LITERAL("c") : SPAN_LITERAL("b.c"),
                                     .column_count = 2,
                                     .columns = relay.columns,
                                     .version = 1},
                                .xid = 1};
    }
    const struct poll_options options = {.tables = relay.tables,
                                         .table_count = 2,
                                         .start = kafka.position,
                                         .partial = kafka.partial,
                                         .resume = buf_span(&kafka.resume),
                                         .system_identifier = 7,
                                         .timeline = 1,
                                         .interval_us = 1000,
                                         .idle_interval_us = 8000,
                                         .page_rows = 1 + below(6),
                                         .end = at_the_end,
                                         .now_us = relay.now_us};
    relay.sent_count = 0;
    relay.question.ask = POLL_ASK_NOTHING;
    assert_int_equal(poll_open(&options, &relay.poll, &err), 0);
}

static void commit(struct position position, struct partial partial)
{
    assert_true(position_compare(position, kafka.position) > 0); /* I3 */
    for (uint32_t i = 0; i < relay.sent_count; i++)
        relay.sent[i]->published++;
    relay.sent_count = 0;
    kafka.position = position;
    kafka.partial = partial;
    buf_reset(&kafka.resume);
    poll_resume(relay.poll, &kafka.resume);
}

static struct line *find(uint32_t table, int64_t seq)
{
    for (uint32_t i = 0; i < pg.row_count[table]; i++)
        if (pg.rows[table][i].seq == seq)
            return &pg.rows[table][i];
    fail_msg("a row that was never there");
    return NULL;
}

static void take(const struct change *change)
{
    uint32_t table = change->relation == &relay.tables[1].relation;
    switch (change->op) {
    case CHANGE_BEGIN:
        assert_int_equal(relay.sent_count, 0);
        relay.final_lsn = change->id.final_lsn;
        return;
    case CHANGE_INSERT:
        relay.sent[relay.sent_count++] = find(table, (int64_t)change->id.seq);
        assert_int_equal(relay.sent[relay.sent_count - 1]->txn < pg.txn_count, 1);
        if (below(8) == 0) /* a window that is cut */
            commit(change->position, (struct partial){relay.final_lsn, change->position.seq, 0});
        return;
    default:
        commit(change->position, (struct partial){0, 0, 0});
    }
}

/* ---- Answers ---- */

static bool is_between(const struct line *row, const struct poll_question *q)
{
    struct snapshot prev, target;
    const struct txn *t = &pg.txns[row->txn];
    assert_true(snapshot_parse(q->prev, &prev) && snapshot_parse(q->target, &target));
    return t->fate == COMMITTED && !snapshot_sees(&prev, t->xid) &&
           snapshot_sees(&target, t->xid) && (!q->behind || row->seq >= q->last_seq);
}

static void fill_page(const struct poll_question *q)
{
    relay.page_count = relay.page_at = 0;
    for (uint32_t i = 0; q->ask == POLL_ASK_PAGE && i < pg.row_count[q->table]; i++)
        if (relay.page_count < q->limit && is_between(&pg.rows[q->table][i], q))
            relay.page[relay.page_count++] = &pg.rows[q->table][i];
}

static uint64_t bound(const struct poll_question *q)
{
    uint64_t least = 0;
    for (uint32_t table = 0; table < 2; table++) {
        uint64_t xids[ROWS_MAX];
        uint32_t count = 0;
        for (uint32_t i = 0; i < pg.row_count[table]; i++) {
            const struct txn *t = &pg.txns[pg.rows[table][i].txn];
            if (t->fate != COMMITTED || t->xid < q->bound_from)
                continue;
            uint32_t at = count++;
            for (; at > 0 && xids[at - 1] > t->xid; at--)
                xids[at] = xids[at - 1];
            xids[at] = t->xid;
        }
        if (count > q->bound_rows && (least == 0 || xids[q->bound_rows] < least))
            least = xids[q->bound_rows];
    }
    return least;
}

static int answer_guard(struct error *err)
{
    struct buf snapshot = BUF_EMPTY;
    pg_snapshot(&snapshot);
    const struct poll_guard guard = {
        .system_identifier = 7,
        .timeline = 1,
        .snapshot = buf_span(&snapshot),
        .insert_lsn = pg.insert_lsn,
        .flush_lsn = pg.flush_lsn,
        .checkpoint = pg.checkpoint,
        .time_us = 1,
        .bound_xid = relay.question.ask == POLL_ASK_TARGET ? bound(&relay.question) : 0};
    int result = poll_feed_guard(relay.poll, &guard, relay.now_us, err);
    buf_fini(&snapshot);
    fill_page(&relay.question);
    return result;
}

static void answer_row(struct line *row)
{
    struct error err = ERROR_INIT;
    struct change change;
    char seq[24], xid[24];
    struct cell cells[2] = {{.kind = CELL_TEXT}, {.kind = CELL_TEXT}};
    snprintf(seq, sizeof seq, "%" PRId64, row->seq);
    snprintf(xid, sizeof xid, "%" PRIu64, pg.txns[row->txn].xid);
    cells[0].bytes = span_of(seq);
    cells[1].bytes = span_of(xid);
    assert_int_equal(poll_feed_row(relay.poll, cells, &err), 0);
    while (poll_next(relay.poll, &change) > 0)
        take(&change);
}

static void drain(void)
{
    struct change change;
    while (poll_next(relay.poll, &change) > 0)
        take(&change);
}

static void relay_close(void)
{
    poll_close(relay.poll);
    relay.poll = NULL;
}

/* A step of the relay: asks, or is answered. The pooler between keeps its connection whatever the
 * server does, so nothing but the answers tells of a crash. */
static void relay_step(void)
{
    struct error err = ERROR_INIT;
    relay.now_us += 500;
    drain();
    if (relay.question.ask == POLL_ASK_NOTHING) {
        poll_question(relay.poll, relay.now_us, &relay.question);
        return;
    }
    if (answer_guard(&err) < 0) { /* the next open judges: here it may always go on */
        assert_int_equal(err.kind, ERROR_RETRY);
        relay_close();
        relay_open();
        return;
    }
    while (relay.page_at < relay.page_count)
        answer_row(relay.page[relay.page_at++]);
    relay.question.ask = POLL_ASK_NOTHING;
    poll_feed_end(relay.poll, relay.now_us);
    drain();
}

/* ---- A run ---- */

static void begin(uint64_t seed)
{
    random_state = seed * 7919;
    pg.txn_count = pg.row_count[0] = pg.row_count[1] = 0;
    pg.next_xid = FIRST_XID;
    pg.insert_lsn = pg.flush_lsn = 1000;
    pg.checkpoint = 1;
    pg.next_seq = 1;
    relay.now_us = 1;
    kafka.position = (struct position){POLL_BEGINNING_LSN, 0};
    kafka.partial = (struct partial){0, 0, 0};
    buf_reset(&kafka.resume);
    poll_resume_write(SPAN_LITERAL(SNAPSHOT_EMPTY), &kafka.resume);
    relay_open();
}

static void check(uint64_t seed)
{
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++) {
            const struct line *row = &pg.rows[table][i];
            bool committed = pg.txns[row->txn].fate == COMMITTED;
            if (row->published != committed)
                fail_msg("seed %" PRIu64 ": seq %" PRId64 " of xid %" PRIu64
                         " is %scommitted and published %u times",
                         seed, row->seq, pg.txns[row->txn].xid, committed ? "" : "not ",
                         row->published);
        }
}

static void each_committed_row_is_published_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int step = 0; step < STEPS; step++) {
            pg_write();
            if (below(6) == 0)
                pg_flush();
            if (below(80) == 0)
                pg_crash();
            for (uint32_t i = below(4); i > 0; i--)
                relay_step();
            if (below(60) == 0) { /* kill -9 */
                relay_close();
                relay_open();
            }
        }
        for (uint32_t i = 0; i < pg.txn_count; i++)
            if (pg.txns[i].fate == OPEN)
                pg_end(&pg.txns[i], COMMITTED);
        pg_flush();
        for (int step = 0; step < 20 * STEPS; step++)
            relay_step();
        check(seed);
        relay_close();
    }
    buf_fini(&kafka.resume);
}

/* Whoever drains it reads what a snapshot sees, in windows, and nothing of what is committed
 * meanwhile. */
static void check_drained(uint64_t seed)
{
    struct snapshot end;
    assert_true(snapshot_parse(at_the_end.snapshot, &end));
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++) {
            const struct line *row = &pg.rows[table][i];
            const struct txn *t = &pg.txns[row->txn];
            if (row->published != (t->fate == COMMITTED && snapshot_sees(&end, t->xid)))
                fail_msg("seed %" PRIu64 ": seq %" PRId64 " of xid %" PRIu64
                         " is published %u times",
                         seed, row->seq, t->xid, row->published);
        }
}

static void what_is_beyond_the_end_is_not_read(void **state)
{
    struct buf snapshot = BUF_EMPTY, prev = BUF_EMPTY;
    uint64_t xmax;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int step = 0; step < STEPS / 4; step++) {
            pg_write();
            pg_flush();
            for (uint32_t i = below(3); i > 0; i--)
                relay_step();
        }
        pg.insert_lsn += 100;
        pg_flush();
        buf_reset(&snapshot);
        pg_snapshot(&snapshot);
        at_the_end = (struct source_end){pg.insert_lsn, buf_span(&snapshot)};
        relay_close();
        relay_open();
        for (int step = 0; step < STEPS * 4; step++) {
            pg_write();
            relay_step();
            if (below(60) == 0) {
                relay_close();
                relay_open();
            }
        }
        check_drained(seed);
        assert_true(kafka.position.lsn >= at_the_end.lsn);
        buf_reset(&prev);
        assert_true(poll_resume_read(buf_span(&kafka.resume), &prev, &xmax));
        assert_string_equal(buf_text(&prev), buf_text(&snapshot));
        relay_close();
        at_the_end = (struct source_end){.lsn = 0};
    }
    buf_fini(&prev);
    buf_fini(&snapshot);
    buf_fini(&kafka.resume);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_committed_row_is_published_once),
        cmocka_unit_test(what_is_beyond_the_end_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
