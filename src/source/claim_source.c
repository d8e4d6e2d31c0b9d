/* claim_source: the source around struct claim: sends its questions through pg/ and feeds it the
 * answers, row by row. Nothing here blocks, but for the LISTEN at the open and the last commit at
 * the close. It decides nothing. */
#include "source/poll_session.h"

#include "base/clock.h"
#include "model/position.h"
#include "pg/pg.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOSE_MS = 20,
    FLUSHED_DELAYS = 4, /* one more than PostgreSQL says */
    FINISH_TRIES = 5
};

struct claim_source {
    struct source base; /* first: the ops find us through it */
    struct poll_session session;
    struct claim_options o;
    struct claim *claim;
    struct claim_question question; /* NOTHING: no answer is awaited */
    struct buf snapshot;            /* of the guard */
    struct position confirmed;
};

static struct claim_source *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct claim_source *)s;
}

/* ---- Answers ---- */

static int feed_guard(struct claim_source *s, struct error *err)
{
    struct poll_guard guard;
    if (poll_session_guard(&s->session, &guard, err) < 0)
        return -1;
    buf_reset(&s->snapshot);
    buf_add(&s->snapshot, guard.snapshot);
    return claim_feed_guard(s->claim, &guard, err);
}

static int feed_status(struct claim_source *s, int64_t now_us, struct error *err)
{
    struct span text = pg_answer_cell(s->session.asker, 0);
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
    return claim_feed_row(s->claim, table, poll_session_row(&s->session, relation), err);
}

static int read_lsn(struct claim_source *s, uint32_t cell, uint64_t *lsn, struct error *err)
{
    return lsn_parse(pg_answer_cell(s->session.asker, cell), lsn)
               ? 0
               : error_retry(err, REASON_DATABASE, "PostgreSQL's place in the WAL cannot be read");
}

/* PostgreSQL documentation, "Asynchronous Commit": three times wal_writer_delay at most. */
static int feed_read(struct claim_source *s, struct error *err)
{
    uint64_t lsn = 0;
    if (span_equal(pg_answer_cell(s->session.asker, 0), buf_span(&s->snapshot)))
        return 0;
    if (read_lsn(s, 1, &lsn, err) < 0)
        return -1;
    int64_t delay_us = strtoll(pg_answer_cell(s->session.asker, 2).ptr, NULL, 10);
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
    uint64_t rows = strtoull(pg_answer_cell(s->session.asker, 0).ptr, NULL, 10);
    return row < tables ? claim_feed_finished(s->claim, row, rows, err)
                        : claim_feed_left(s->claim, row - tables, rows, err);
}

/* Which row is which: see claim_sql(). */
static int feed(struct claim_source *s, int64_t now_us, struct error *err)
{
    uint32_t statement = pg_answer_statement(s->session.asker);
    switch (s->question.ask) {
    case CLAIM_ASK_SETTLE:
        return statement == 0   ? feed_guard(s, err)
               : statement == 1 ? feed_status(s, now_us, err)
                                : 0;
    case CLAIM_ASK_LOOK:
        if (statement == 0)
            return feed_guard(s, err);
        claim_feed_due(s->claim, span_equal_text(pg_answer_cell(s->session.asker, 0), "t"));
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

/* ---- What the server refuses ---- */

/* Behind the finish of each table what fails is put off until then, and is of any of them. */
static void name_tables(const struct claim_source *s, struct buf *names)
{
    uint32_t before = s->question.ask == CLAIM_ASK_REDO ? 2 : 0;
    uint32_t statement = pg_answer_statement(s->session.asker);
    uint32_t tables = s->o.table_count;
    bool one = statement >= before && statement - before < tables;
    for (uint32_t i = one ? statement - before : 0; i < tables; i++) {
        buf_add_text(names, names->len > 0 ? ", " : "");
        poll_table_name(&s->o.tables[i].relation, names);
        if (one)
            return;
    }
}

static int tell_refusal(const struct claim_source *s, const struct error *cause, struct error *err)
{
    const struct finish_trouble *t = s->o.trouble;
    struct buf text = BUF_EMPTY, names = BUF_EMPTY;
    name_tables(s, &names);
    buf_add_format(&text, "the server refuses to finish claimed rows of %s: %s (%s)",
                   buf_text(&names), cause->text, t->sqlstate);
    if (t->tries < FINISH_TRIES)
        error_retry(err, REASON_FINISH_REFUSED, "%s", buf_text(&text));
    else
        error_stop(err, REASON_FINISH_REFUSED, "%s", buf_text(&text));
    buf_fini(&names);
    buf_fini(&text);
    return error_hint(err, "mend the trigger or the constraint that says so, or keep from it who "
                           "cancels it, then start again: "
                           "rows that are not finished are not published, or the progress record "
                           "names them, so that none is lost and none comes twice");
}

/* Who cancels every statement (57014) does not cease to by himself: a trigger that says so, or
 * somebody who watches for long ones. */
static bool may_heal(const char *sqlstate)
{
    return pg_sqlstate_may_heal(sqlstate) && strcmp(sqlstate, "57014") != 0;
}

/* A right that is missing has a mend of its own. */
static int on_failure(struct claim_source *s, struct error *err)
{
    struct finish_trouble *t = s->o.trouble;
    struct error cause = *err;
    char sqlstate[6];
    bool finishes = s->question.ask == CLAIM_ASK_FINISH || s->question.ask == CLAIM_ASK_REDO;
    pg_asker_sqlstate(s->session.asker, sqlstate);
    if (!finishes || cause.reason == REASON_NO_PRIVILEGE || may_heal(sqlstate))
        return -1;
    if (strcmp(t->sqlstate, sqlstate) != 0)
        t->tries = 0;
    memcpy(t->sqlstate, sqlstate, sizeof sqlstate);
    t->tries++;
    return tell_refusal(s, &cause, err);
}

/* A REDO that goes through may have found nothing to do, epoch after epoch. */
static void on_end(struct claim_source *s, int64_t now_us)
{
    if (s->question.ask == CLAIM_ASK_FINISH)
        s->o.trouble->tries = 0;
    s->question.ask = CLAIM_ASK_NOTHING;
    claim_feed_end(s->claim, now_us);
}

/* Feeds until there is a change: 1, or no more is there now: 0. */
static int take_answer(struct claim_source *s, int64_t now_us, struct change *change,
                       struct error *err)
{
    while (s->question.ask != CLAIM_ASK_NOTHING) {
        switch (pg_answer(s->session.asker, err)) {
        case PG_ANSWER_FAILED:
            return on_failure(s, err);
        case PG_ANSWER_WAIT:
            return 0;
        case PG_ANSWER_ROW:
            if (feed(s, now_us, err) < 0)
                return -1;
            break;
        case PG_ANSWER_END:
            on_end(s, now_us);
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
    buf_reset(&s->session.sql);
    claim_sql(&s->question, &s->o, &s->session.sql);
    const char *sql = buf_text(&s->session.sql);
    switch (s->question.ask) {
    case CLAIM_ASK_LOCK:
    case CLAIM_ASK_REDO:
        return pg_ask_begin(s->session.asker, sql, err);
    case CLAIM_ASK_FINISH:
    case CLAIM_ASK_FLUSH:
    case CLAIM_ASK_COMMIT:
    case CLAIM_ASK_ROLLBACK:
        return pg_ask_on(s->session.asker, sql, err);
    default:
        return pg_ask(s->session.asker, sql, err);
    }
}

static int ask(struct claim_source *s, int64_t now_us, struct error *err)
{
    bool notified = false;
    if (poll_session_notified(&s->session, &notified, err) < 0)
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
    poll_session_wait(&s->session, s->question.ask != CLAIM_ASK_NOTHING, claim_deadline(s->claim),
                      fd, deadline_us);
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
        struct pollfd fd = {.fd = pg_asker_fd(s->session.asker), .events = POLLIN};
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
    poll_session_close(&s->session);
    buf_fini(&s->snapshot);
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

int claim_source_open(struct pg_connection *connection, const struct claim_options *options,
                      struct source **source, bool *listens, struct error *err)
{
    assert(connection != NULL && options != NULL);
    assert(options->trouble != NULL);
    assert(source != NULL && listens != NULL && err != NULL);
    struct claim_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &claim_source_ops;
    poll_session_open(&s->session, connection);
    s->o = *options;
    s->snapshot = BUF_EMPTY;
    s->confirmed = options->start;
    if (poll_session_listen(&s->session, options->channel, err) < 0 ||
        claim_open(options, &s->claim, err) < 0) {
        close_source(&s->base, 0);
        return -1;
    }
    *listens = s->session.listening;
    *source = &s->base;
    return 0;
}
