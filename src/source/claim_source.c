/* claim_source: the source around struct claim: sends its questions through pg/ and feeds it the
 * answers, row by row. Nothing here blocks, but for the LISTEN at the open and the last commit at
 * the close. It decides nothing. */
#include "source/source.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "model/position.h"
#include "pg/pg.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

enum {
    WAIT_US = 1000000, /* while an answer is awaited: the descriptor tells */
    SENDING_US = 1000, /* while a question is not yet sent */
    CLOSE_MS = 20,
    FLUSHED_DELAYS = 4 /* one more than PostgreSQL says */
};

struct claim_source {
    struct source base; /* first: the ops find us through it */
    struct pg_asker *asker;
    struct claim_options o;
    struct claim *claim;
    struct claim_question question; /* NOTHING: no answer is awaited */
    struct buf sql;
    struct buf snapshot; /* of the guard */
    struct cell *cells;
    struct position confirmed;
    bool listening;
};

static struct claim_source *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct claim_source *)s;
}

/* ---- Answers ---- */

static int feed_guard(struct claim_source *s, struct error *err)
{
    struct span cells[POLL_GUARD_CELLS];
    struct poll_guard guard;
    for (uint32_t i = 0; i < POLL_GUARD_CELLS; i++)
        cells[i] = pg_answer_cell(s->asker, i);
    if (!poll_read_guard(cells, &guard))
        return error_retry(err, REASON_DATABASE, "PostgreSQL's answer about itself cannot be read");
    buf_reset(&s->snapshot);
    buf_add(&s->snapshot, guard.snapshot);
    return claim_feed_guard(s->claim, &guard, err);
}

static int feed_status(struct claim_source *s, int64_t now_us, struct error *err)
{
    struct span text = pg_answer_cell(s->asker, 0);
    enum claim_status status = CLAIM_UNKNOWN;
    if (text.ptr != NULL)
        status = span_equal_text(text, "committed") ? CLAIM_COMMITTED
                 : span_equal_text(text, "aborted") ? CLAIM_ABORTED
                                                    : CLAIM_IN_PROGRESS;
    return claim_feed_status(s->claim, status, now_us, err);
}

static int feed_row(struct claim_source *s, uint32_t table, struct error *err)
{
    const struct relation *relation = &s->o.tables[table].relation;
    assert(pg_answer_count(s->asker) == relation->column_count);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        struct span text = pg_answer_cell(s->asker, i);
        enum cell_kind kind = CELL_NULL;
        if (text.ptr != NULL) /* a database of no encoding sends whatever bytes there are */
            kind = utf8_is_valid(text.ptr, text.ptr + text.len) ? CELL_TEXT : CELL_BYTES;
        s->cells[i] = (struct cell){.kind = kind, .bytes = text};
    }
    return claim_feed_row(s->claim, table, s->cells, err);
}

static int read_lsn(struct claim_source *s, uint32_t cell, uint64_t *lsn, struct error *err)
{
    return lsn_parse(pg_answer_cell(s->asker, cell), lsn)
               ? 0
               : error_retry(err, REASON_DATABASE, "PostgreSQL's place in the WAL cannot be read");
}

/* PostgreSQL documentation, "Asynchronous Commit": three times wal_writer_delay at most. */
static int feed_read(struct claim_source *s, struct error *err)
{
    uint64_t lsn = 0;
    if (span_equal(pg_answer_cell(s->asker, 0), buf_span(&s->snapshot)))
        return 0;
    if (read_lsn(s, 1, &lsn, err) < 0)
        return -1;
    int64_t delay_us = strtoll(pg_answer_cell(s->asker, 2).ptr, NULL, 10);
    claim_feed_read(s->claim, lsn, clock_monotonic_us() + FLUSHED_DELAYS * delay_us);
    return 0;
}

static int feed_flushed(struct claim_source *s, struct error *err)
{
    uint64_t lsn = 0;
    if (read_lsn(s, 0, &lsn, err) < 0)
        return -1;
    claim_feed_flushed(s->claim, lsn);
    return 0;
}

/* A row for each table that says what was done, then one for each that says what is left. */
static int feed_finished(struct claim_source *s, uint32_t row, struct error *err)
{
    uint32_t tables = s->o.table_count;
    uint64_t rows = strtoull(pg_answer_cell(s->asker, 0).ptr, NULL, 10);
    return row < tables ? claim_feed_finished(s->claim, row, rows, err)
                        : claim_feed_left(s->claim, row - tables, rows, err);
}

/* Which row is which: see claim_sql(). */
static int feed(struct claim_source *s, int64_t now_us, struct error *err)
{
    uint32_t statement = pg_answer_statement(s->asker);
    switch (s->question.ask) {
    case CLAIM_ASK_SETTLE:
        return statement == 0   ? feed_guard(s, err)
               : statement == 1 ? feed_status(s, now_us, err)
                                : 0;
    case CLAIM_ASK_LOOK:
        if (statement == 0)
            return feed_guard(s, err);
        claim_feed_due(s->claim, span_equal_text(pg_answer_cell(s->asker, 0), "t"));
        return 0;
    case CLAIM_ASK_LOCK:
    case CLAIM_ASK_REDO:
        if (statement < 2)
            return statement == 0 ? 0 : feed_guard(s, err);
        if (s->question.ask == CLAIM_ASK_REDO)
            return feed_finished(s, statement - 2, err);
        return statement - 2 < s->o.table_count ? feed_row(s, statement - 2, err)
                                                : feed_read(s, err);
    case CLAIM_ASK_FINISH:
        return statement < 2 * s->o.table_count ? feed_finished(s, statement, err)
                                                : feed_flushed(s, err);
    case CLAIM_ASK_FLUSH:
        return feed_flushed(s, err);
    case CLAIM_ASK_NOTHING:
    case CLAIM_ASK_COMMIT:
    case CLAIM_ASK_ROLLBACK:
        break;
    }
    return 0;
}

/* Feeds until there is a change: 1, or no more is there now: 0. */
static int take_answer(struct claim_source *s, int64_t now_us, struct change *change,
                       struct error *err)
{
    while (s->question.ask != CLAIM_ASK_NOTHING) {
        switch (pg_answer(s->asker, err)) {
        case PG_ANSWER_FAILED:
            return -1;
        case PG_ANSWER_WAIT:
            return 0;
        case PG_ANSWER_ROW:
            if (feed(s, now_us, err) < 0)
                return -1;
            break;
        case PG_ANSWER_END:
            s->question.ask = CLAIM_ASK_NOTHING;
            claim_feed_end(s->claim, now_us);
            break;
        }
        s->base.data_us = now_us;
        if (claim_next(s->claim, change) > 0)
            return 1;
    }
    return 0;
}

/* ---- Questions ---- */

static int send_question(struct claim_source *s, struct error *err)
{
    buf_reset(&s->sql);
    claim_sql(&s->question, &s->o, &s->sql);
    const char *sql = buf_text(&s->sql);
    switch (s->question.ask) {
    case CLAIM_ASK_LOCK:
    case CLAIM_ASK_REDO:
        return pg_ask_begin(s->asker, sql, err);
    case CLAIM_ASK_FINISH:
    case CLAIM_ASK_FLUSH:
    case CLAIM_ASK_COMMIT:
    case CLAIM_ASK_ROLLBACK:
        return pg_ask_on(s->asker, sql, err);
    default:
        return pg_ask(s->asker, sql, err);
    }
}

static int ask(struct claim_source *s, int64_t now_us, struct error *err)
{
    bool notified = false;
    if (s->listening && pg_asker_is_notified(s->asker, &notified, err) < 0)
        return -1;
    if (notified)
        claim_wake(s->claim, now_us);
    claim_question(s->claim, now_us, &s->question);
    return s->question.ask == CLAIM_ASK_NOTHING ? 0 : send_question(s, err);
}

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct claim_source *s = from_base(base);
    assert(change != NULL && err != NULL);
    for (;;) {
        if (claim_next(s->claim, change) > 0)
            return STEP_DONE;
        int got = take_answer(s, now_us, change, err);
        if (got != 0)
            return got;
        if (s->question.ask != CLAIM_ASK_NOTHING)
            return STEP_WAIT;
        if (ask(s, now_us, err) < 0)
            return STEP_FAILED;
        if (s->question.ask == CLAIM_ASK_NOTHING)
            return STEP_WAIT;
    }
}

static void wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct claim_source *s = from_base(base);
    assert(fd != NULL && deadline_us != NULL);
    bool awaits = s->question.ask != CLAIM_ASK_NOTHING;
    *fd = awaits || s->listening ? pg_asker_fd(s->asker) : -1;
    *deadline_us = awaits ? clock_monotonic_us() + WAIT_US : claim_deadline(s->claim);
    if (awaits && pg_asker_is_sending(s->asker))
        *deadline_us = clock_monotonic_us() + SENDING_US;
}

/* The session needs no care: between questions the server expects nothing. */
static int tick(struct source *base, int64_t now_us, struct error *err)
{
    (void)base;
    (void)now_us;
    (void)err;
    return 0;
}

/* ---- Confirming and closing ---- */

static void confirm(struct source *base, struct position committed, struct span resume)
{
    struct claim_source *s = from_base(base);
    (void)resume;
    assert(position_compare(s->confirmed, committed) <= 0);
    s->confirmed = committed;
    claim_confirm(s->claim, committed);
}

static void resume(const struct source *base, struct buf *json)
{
    claim_resume(((const struct claim_source *)base)->claim, json);
}

static void report(const struct source *base, struct source_status *status)
{
    const struct claim_source *s = (const struct claim_source *)base;
    status->received_lsn = claim_received_lsn(s->claim);
    status->confirmed = s->confirmed;
}

/* What Kafka holds is finished now, and not by the next open, where that can be had in time. */
static void finish(struct claim_source *s, int64_t deadline_us)
{
    struct error bad = ERROR_INIT;
    struct change change;
    int64_t now_us = clock_monotonic_us();
    while (claim_next(s->claim, &change) > 0 && change.op == CHANGE_MARK)
        continue;
    if (s->question.ask == CLAIM_ASK_NOTHING) {
        claim_question(s->claim, INT64_MIN, &s->question);
        if (s->question.ask != CLAIM_ASK_COMMIT || send_question(s, &bad) < 0)
            return;
    }
    while (s->question.ask == CLAIM_ASK_COMMIT && now_us < deadline_us) {
        if (take_answer(s, now_us, &change, &bad) != 0)
            return;
        struct pollfd fd = {.fd = pg_asker_fd(s->asker), .events = POLLIN};
        if (s->question.ask == CLAIM_ASK_COMMIT)
            (void)poll(&fd, 1, CLOSE_MS);
        now_us = clock_monotonic_us();
    }
}

static void close_source(struct source *base, int64_t deadline_us)
{
    struct claim_source *s = from_base(base);
    if (s->claim != NULL && deadline_us > clock_monotonic_us())
        finish(s, deadline_us);
    claim_close(s->claim);
    pg_asker_close(s->asker);
    buf_fini(&s->snapshot);
    buf_fini(&s->sql);
    free(s->cells);
    free(s);
}

static const struct source_ops claim_source_ops = {
    .name = "claim",
    .next = next,
    .wait = wait,
    .tick = tick,
    .confirm = confirm,
    .resume = resume,
    .report = report,
    .close = close_source,
};

/* ---- Opening ---- */

static void make_cells(struct claim_source *s)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < s->o.table_count; i++)
        if (s->o.tables[i].relation.column_count > most)
            most = s->o.tables[i].relation.column_count;
    s->cells = calloc(most, sizeof *s->cells);
    if (s->cells == NULL)
        abort();
}

/* Behind a pooler the interval alone is what there is. */
static int listen(struct claim_source *s, struct error *err)
{
    if (s->o.channel == NULL || pg_asker_is_direct(s->asker, &s->listening, err) < 0)
        return s->o.channel == NULL ? 0 : -1;
    return s->listening ? pg_asker_listen(s->asker, s->o.channel, err) : 0;
}

int claim_source_open(struct pg_connection *connection, const struct claim_options *options,
                      struct source **source, bool *listens, struct error *err)
{
    assert(connection != NULL && options != NULL);
    assert(source != NULL && listens != NULL && err != NULL);
    struct claim_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &claim_source_ops;
    s->asker = pg_asker_open(connection);
    s->o = *options;
    s->sql = s->snapshot = BUF_EMPTY;
    s->confirmed = options->start;
    make_cells(s);
    if (listen(s, err) < 0 || claim_open(options, &s->claim, err) < 0) {
        close_source(&s->base, 0);
        return -1;
    }
    *listens = s->listening;
    *source = &s->base;
    return 0;
}
