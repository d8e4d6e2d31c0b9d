/* source/claim simulated: the real core over a model server whose rows are locked, changed and
 * finished, which crashes and hands transaction ids out again; over a Kafka that commits or not,
 * whose relays are killed at any step, or fenced while they go on. Each seed is a run; what was
 * published must be, once, what was written, and all of it be finished. */
#include "source/source.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 400
#define STEPS 400
#define ROWS_MAX 600
#define SESSIONS 2
#define FIRST_XID ((UINT64_C(1) << 32) - 40) /* ids pass 32 bits in each run */

static uint64_t random_state;
static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

/* ---- The server ---- */

struct line {
    uint64_t xmin;      /* of its version */
    uint32_t times;     /* that it was made pending: written, or reset since */
    uint32_t published; /* in Kafka */
    int locked;         /* by the session + 1 */
    bool pending;
    bool finishing; /* by who has locked it */
};

enum fate { RUNNING, COMMITTED, ABORTED };

static struct {
    struct line rows[2][ROWS_MAX];
    uint32_t row_count[2];
    enum fate fates[STEPS * 40]; /* of FIRST_XID and those behind it */
    uint64_t next_xid, flushed_xid, insert_lsn, flush_lsn;
    uint64_t xid[SESSIONS]; /* of the open transaction; 0: none */
    bool alive[SESSIONS];
} pg;

static void pg_end(int session, bool commit)
{
    if (pg.xid[session] == 0)
        return;
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++) {
            struct line *row = &pg.rows[table][i];
            if (row->locked != session + 1)
                continue;
            if (commit && row->finishing) {
                row->pending = false;
                row->xmin = pg.xid[session];
            }
            row->locked = 0;
            row->finishing = false;
        }
    pg.fates[pg.xid[session] - FIRST_XID] = commit ? COMMITTED : ABORTED;
    pg.xid[session] = 0;
    pg.insert_lsn += 50;
    if (commit) {
        pg.flush_lsn = pg.insert_lsn;
        pg.flushed_xid = pg.next_xid;
    }
}

static void pg_flush(void)
{
    pg.flush_lsn = pg.insert_lsn;
    pg.flushed_xid = pg.next_xid;
}

/* The application's own commit: it is on disk, and so is all before it, or will be. */
static uint64_t pg_write_xid(bool flush)
{
    uint64_t xid = pg.next_xid++;
    pg.fates[xid - FIRST_XID] = COMMITTED;
    pg.insert_lsn += 40;
    if (flush)
        pg_flush();
    return xid;
}

static void pg_write(void)
{
    uint32_t table = below(2);
    if (pg.row_count[table] < ROWS_MAX && below(3) == 0)
        pg.rows[table][pg.row_count[table]++] =
            (struct line){.xmin = pg_write_xid(below(2) == 0), .times = 1, .pending = true};
    else if (below(12) == 0)
        (void)pg_write_xid(true);
    if (pg.row_count[table] == 0 || below(40) != 0)
        return;
    struct line *row = &pg.rows[table][below(pg.row_count[table])];
    if (!row->pending && row->locked == 0) { /* somebody wants it sent again */
        row->xmin = pg_write_xid(true);
        row->pending = true;
        row->times++;
    }
}

/* What runs has never been, nor what is not on disk, and ids that no WAL on disk tells of come
 * again. */
static void pg_crash(void)
{
    for (int session = 0; session < SESSIONS; session++) {
        pg_end(session, false);
        pg.alive[session] = false;
    }
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++)
            if (pg.rows[table][i].xmin >= pg.flushed_xid)
                pg.rows[table][i] = (struct line){.published = pg.rows[table][i].published};
    pg.next_xid = pg.flushed_xid;
    pg.insert_lsn = pg.flush_lsn;
}

/* ---- Kafka ---- */

static struct {
    struct buf resume;
    struct position position;
    struct partial partial;
    int owner; /* who has fenced the others */
} kafka;

/* Rows of the first table are named by numbers, those of the other by texts that a list of them,
 * and an id, must put into other words. */
static void row_key(uint32_t table, uint32_t row, char key[24])
{
    snprintf(key, 24, table == 0 ? "%" PRIu32 : "a,\"%%.%" PRIu32, row);
}

static uint32_t row_of(uint32_t table, struct change_id id)
{
    char digits[24] = "";
    assert_int_equal(id.kind, table == 0 ? CHANGE_ID_NUMBER : CHANGE_ID_STRING);
    if (table == 0)
        return (uint32_t)id.low;
    assert_in_range(id.string_len, 6, 5 + sizeof digits - 1);
    memcpy(digits, id.string + 5, id.string_len - 5);
    return (uint32_t)strtoul(digits, NULL, 10);
}

/* ---- Relays: one that works, and perhaps one that is fenced and does not know ---- */

struct relay {
    int session;
    struct claim *claim;
    struct claim_question question;
    struct line *sent[ROWS_MAX * 2];
    uint32_t sent_count;
    uint64_t final_lsn;
    bool told; /* of the end that it sent: Kafka has committed */
    struct position end;
    struct partial partial;
    struct buf resume;
    bool ends; /* an end waits to be committed */
};
static struct relay relays[SESSIONS];
static int64_t now_us;
static struct claim_table tables[2];
static struct column columns[1];

static void relay_open(struct relay *r)
{
    struct error err = ERROR_INIT;
    columns[0].name = SPAN_LITERAL("id");
    for (uint32_t i = 0; i < 2; i++)
        tables[i] = (struct claim_table){
            .relation = {.oid = 10 + i,
                         .schema = SPAN_LITERAL("a"),
                         .name = i == 0 ? SPAN_LITERAL("b") : SPAN_LITERAL("c"),
                         .column_count = 1,
                         .columns = columns,
                         .version = 1},
            .pending = "",
            .due = ""};
    kafka.owner = r->session; /* the fence: before progress is read */
    pg.alive[r->session] = true;
    pg_end(r->session, false);
    const struct claim_options options = {.tables = tables,
                                          .table_count = 2,
                                          .start = kafka.position,
                                          .partial = kafka.partial,
                                          .resume = buf_span(&kafka.resume),
                                          .system_identifier = 7,
                                          .timeline = 1,
                                          .interval_us = 1000,
                                          .idle_interval_us = 4000,
                                          .window_rows = 1 + below(5),
                                          .application = "walferry:x",
                                          .now_us = now_us};
    r->sent_count = 0;
    r->ends = false;
    r->question.ask = CLAIM_ASK_NOTHING;
    assert_int_equal(claim_open(&options, &r->claim, &err), 0);
}

/* The server notices at once, or only when somebody ends the session. */
static void relay_close(struct relay *r, bool noticed)
{
    claim_close(r->claim);
    r->claim = NULL;
    if (noticed)
        pg_end(r->session, false);
}

/* Kafka has all or nothing of it, and takes nothing from who is fenced. */
static bool commit(struct relay *r)
{
    if (kafka.owner != r->session)
        return false;
    assert_true(position_compare(r->end, kafka.position) > 0); /* I3 */
    for (uint32_t i = 0; i < r->sent_count; i++)
        r->sent[i]->published++;
    r->sent_count = 0;
    kafka.position = r->end;
    kafka.partial = r->partial;
    buf_reset(&kafka.resume);
    buf_add(&kafka.resume, buf_span(&r->resume));
    return true;
}

static void note_end(struct relay *r, struct position end, struct partial partial)
{
    r->end = end;
    r->partial = partial;
    buf_reset(&r->resume);
    claim_resume(r->claim, &r->resume);
}

static bool take(struct relay *r, const struct change *change)
{
    uint32_t table = change->relation == &tables[1].relation;
    switch (change->op) {
    case CHANGE_BEGIN:
        r->final_lsn = change->id.final_lsn;
        return true;
    case CHANGE_INSERT:
        r->sent[r->sent_count++] = &pg.rows[table][row_of(table, change->id)];
        if (below(12) != 0)
            return true;
        note_end(r, change->position, (struct partial){r->final_lsn, change->position.seq, 0});
        pg_flush(); /* a part is so old that the WAL writer has been there */
        if (!commit(r))
            return false;
        claim_confirm(r->claim, change->position);
        return true;
    case CHANGE_COMMIT:
        note_end(r, change->position, (struct partial){0, 0, 0});
        r->ends = true;
        return true;
    default:
        if (r->ends || position_compare(change->position, kafka.position) <= 0)
            return true;
        note_end(r, change->position, (struct partial){0, 0, 0});
        return commit(r);
    }
}

static bool drain(struct relay *r)
{
    struct change change;
    while (claim_next(r->claim, &change) > 0)
        if (!take(r, &change))
            return false;
    return true;
}

/* ---- Answers ---- */

static int feed_guard(struct relay *r)
{
    struct error err = ERROR_INIT;
    const struct poll_guard guard = {.system_identifier = 7,
                                     .timeline = 1,
                                     .insert_lsn = pg.insert_lsn,
                                     .flush_lsn = pg.flush_lsn,
                                     .bound_xid = pg.xid[r->session],
                                     .time_us = 1};
    return claim_feed_guard(r->claim, &guard, &err);
}

static bool is_locked(int but)
{
    for (int session = 0; session < SESSIONS; session++)
        if (session != but && pg.xid[session] != 0)
            return true;
    return false;
}

static void settle(struct relay *r)
{
    struct error err = ERROR_INIT;
    uint64_t xid = r->question.xid;
    enum claim_status status = CLAIM_ABORTED;
    if (xid != 0 && xid < pg.next_xid)
        status = pg.fates[xid - FIRST_XID] == COMMITTED ? CLAIM_COMMITTED
                 : pg.fates[xid - FIRST_XID] == RUNNING ? CLAIM_IN_PROGRESS
                                                        : CLAIM_ABORTED;
    for (int session = 0; session < SESSIONS; session++)
        if (session != r->session && pg.xid[session] != 0 &&
            below(3) != 0) { /* or a moment later */
            pg_end(session, false);
            pg.alive[session] = false;
        }
    assert_int_equal(claim_feed_status(r->claim, status, now_us, &err), 0);
}

static void begin(struct relay *r)
{
    pg.xid[r->session] = pg.next_xid++;
    pg.fates[pg.xid[r->session] - FIRST_XID] = RUNNING;
    pg.insert_lsn += 30;
    assert_int_equal(feed_guard(r), 0);
}

static bool give_rows(struct relay *r)
{
    struct error err = ERROR_INIT;
    for (uint32_t table = 0; table < 2; table++) {
        uint32_t given = 0;
        for (uint32_t i = 0; i < pg.row_count[table] && given < r->question.limit; i++) {
            struct line *row = &pg.rows[table][i];
            char key[24];
            struct cell cell = {.kind = CELL_TEXT};
            if (!row->pending)
                continue;
            given++;
            row->locked = r->session + 1;
            row_key(table, i, key);
            cell.bytes = span_of(key);
            assert_int_equal(claim_feed_row(r->claim, table, &cell, &err), 0);
            if (!drain(r))
                return false;
        }
    }
    return true;
}

static void finish(struct relay *r, bool redo)
{
    struct error err = ERROR_INIT;
    for (uint32_t table = 0; table < 2; table++) {
        uint64_t finished = 0;
        char *list = strdup(buf_text((struct buf *)&r->question.ids[table].text));
        for (char *key = strtok(list, ","); key != NULL; key = strtok(NULL, ",")) {
            struct change_id id;
            assert_true(change_id_parse_key(key, strlen(key), 0, &id));
            struct line *row = &pg.rows[table][row_of(table, id)];
            bool mine = !redo || (row->pending &&
                                  !(r->question.written_before && row->xmin >= r->question.xid));
            if (!mine)
                continue;
            row->locked = r->session + 1;
            row->finishing = true;
            finished++;
        }
        free(list);
        assert_int_equal(claim_feed_finished(r->claim, table, finished, &err), 0);
        assert_int_equal(claim_feed_left(r->claim, table, 0, &err), 0);
    }
}

static bool any_is_pending(void)
{
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++)
            if (pg.rows[table][i].pending)
                return true;
    return false;
}

/* False: the session is of no more use. */
static bool answer(struct relay *r)
{
    bool good = true;
    switch (r->question.ask) {
    case CLAIM_ASK_SETTLE:
        good = feed_guard(r) == 0;
        if (good)
            settle(r);
        break;
    case CLAIM_ASK_LOOK:
        good = feed_guard(r) == 0;
        if (good)
            claim_feed_due(r->claim, any_is_pending());
        break;
    case CLAIM_ASK_LOCK:
        begin(r);
        good = give_rows(r);
        if (good && below(2) == 0)
            claim_feed_read(r->claim, pg.insert_lsn, INT64_MAX);
        break;
    case CLAIM_ASK_REDO:
        begin(r);
        finish(r, true);
        break;
    case CLAIM_ASK_FINISH:
        finish(r, false);
        claim_feed_flushed(r->claim, pg.flush_lsn);
        break;
    case CLAIM_ASK_FLUSH:
        if (below(3) == 0) /* whoever commits next, or the WAL writer */
            pg_flush();
        claim_feed_flushed(r->claim, pg.flush_lsn);
        break;
    case CLAIM_ASK_COMMIT:
        pg_end(r->session, true);
        break;
    default:
        pg_end(r->session, false);
        break;
    }
    if (good) {
        r->question.ask = CLAIM_ASK_NOTHING;
        claim_feed_end(r->claim, now_us);
    }
    return good && drain(r);
}

static void reopen(struct relay *r, bool noticed)
{
    relay_close(r, noticed);
    relay_open(r);
}

static bool step(struct relay *r)
{
    now_us += 500;
    if (!drain(r))
        return false;
    if (r->ends && below(3) == 0) { /* the commit of Kafka; its outcome may stay unknown */
        if (!commit(r))
            return false;
        r->ends = false;
        if (below(10) == 0)
            return false;
        claim_confirm(r->claim, r->end);
    }
    if (r->question.ask == CLAIM_ASK_NOTHING) {
        claim_question(r->claim, now_us, &r->question);
        return true;
    }
    bool locks = r->question.ask == CLAIM_ASK_LOCK || r->question.ask == CLAIM_ASK_REDO;
    if (!pg.alive[r->session])
        return false;
    return (locks && is_locked(r->session)) ? below(30) != 0 : answer(r);
}

/* ---- A run ---- */

static void begin_run(uint64_t seed)
{
    random_state = seed * 7919;
    memset(&pg, 0, sizeof pg);
    pg.next_xid = pg.flushed_xid = FIRST_XID;
    pg.insert_lsn = pg.flush_lsn = 1000;
    now_us = 1;
    kafka.position = (struct position){POLL_BEGINNING_LSN, 0};
    kafka.partial = (struct partial){0, 0, 0};
    buf_reset(&kafka.resume);
    buf_add_text(&kafka.resume, CLAIM_RESUME_EMPTY);
    for (int i = 0; i < SESSIONS; i++)
        relays[i].session = i;
    relay_open(&relays[0]);
}

static void check(uint64_t seed)
{
    for (uint32_t table = 0; table < 2; table++)
        for (uint32_t i = 0; i < pg.row_count[table]; i++) {
            const struct line *row = &pg.rows[table][i];
            if (row->published != row->times || row->pending)
                fail_msg("seed %" PRIu64
                         ": row %u was made pending %u times and published %u times",
                         seed, i, row->times, row->published);
        }
}

/* The one that works, and at times another that takes over while the first goes on. */
static void faults(int *main_relay)
{
    struct relay *r = &relays[*main_relay], *other = &relays[1 - *main_relay];
    if (below(60) == 0)
        pg_crash();
    if (below(50) == 0)
        reopen(r, below(2) == 0);
    if (below(80) != 0)
        return;
    if (other->claim != NULL)
        relay_close(other, below(2) == 0);
    relay_open(other);
    *main_relay = 1 - *main_relay;
}

static void go(struct relay *r)
{
    if (r->claim == NULL || step(r))
        return;
    if (kafka.owner == r->session) {
        reopen(r, below(2) == 0);
        return;
    }
    relay_close(r, true); /* it has noticed that it is fenced */
}

static void each_row_is_published_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        int main_relay = 0;
        begin_run(seed);
        for (int i = 0; i < STEPS; i++) {
            pg_write();
            for (uint32_t n = below(4); n > 0; n--)
                go(&relays[main_relay]);
            if (below(3) == 0)
                go(&relays[1 - main_relay]);
            faults(&main_relay);
        }
        if (relays[1 - main_relay].claim != NULL)
            relay_close(&relays[1 - main_relay], true);
        for (int i = 0; i < 30 * STEPS; i++)
            go(&relays[main_relay]);
        check(seed);
        relay_close(&relays[main_relay], true);
    }
    buf_fini(&kafka.resume);
    for (int i = 0; i < SESSIONS; i++)
        buf_fini(&relays[i].resume);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_published_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
