/* poll_source: the source around struct poll: sends its questions through pg/ and feeds it the
 * answers, row by row. Nothing here blocks, but for the LISTEN at the open. It decides nothing. */
#include "source/source.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "pg/pg.h"

#include <assert.h>
#include <stdlib.h>

enum {
    WAIT_US = 1000000, /* while an answer is awaited: the descriptor tells */
    SENDING_US = 1000  /* while a question is not yet sent */
};

struct poll_source {
    struct source base; /* first: the ops find us through it */
    struct pg_asker *asker;
    struct poll_options o;
    struct poll *poll;
    struct poll_question question; /* NOTHING: no answer is awaited */
    struct buf sql;
    struct cell *cells;
    uint32_t cells_max;
    struct position confirmed;
    bool listening;
};

static struct poll_source *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct poll_source *)s;
}

/* ---- Answers ---- */

static int feed_guard(struct poll_source *s, int64_t now_us, struct error *err)
{
    struct span cells[POLL_GUARD_CELLS];
    struct poll_guard guard;
    for (uint32_t i = 0; i < POLL_GUARD_CELLS; i++)
        cells[i] = pg_answer_cell(s->asker, i);
    if (!poll_read_guard(cells, &guard))
        return error_retry(err, REASON_DATABASE, "PostgreSQL's answer about itself cannot be read");
    return poll_feed_guard(s->poll, &guard, now_us, err);
}

static int feed_row(struct poll_source *s, struct error *err)
{
    const struct relation *relation = &s->o.tables[s->question.table].relation;
    assert(pg_answer_count(s->asker) == relation->column_count);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        struct span text = pg_answer_cell(s->asker, i);
        enum cell_kind kind = CELL_NULL;
        if (text.ptr != NULL) /* a database of no encoding sends whatever bytes there are */
            kind = utf8_is_valid(text.ptr, text.ptr + text.len) ? CELL_TEXT : CELL_BYTES;
        s->cells[i] = (struct cell){.kind = kind, .bytes = text};
    }
    return poll_feed_row(s->poll, s->cells, err);
}

/* Feeds until there is a change: 1, or no more is there now: 0. */
static int take_answer(struct poll_source *s, int64_t now_us, struct change *change,
                       struct error *err)
{
    while (s->question.ask != POLL_ASK_NOTHING) {
        int fed = 0;
        switch (pg_answer(s->asker, err)) {
        case PG_ANSWER_FAILED:
            return -1;
        case PG_ANSWER_WAIT:
            return 0;
        case PG_ANSWER_ROW:
            fed =
                pg_answer_statement(s->asker) == 0 ? feed_guard(s, now_us, err) : feed_row(s, err);
            break;
        case PG_ANSWER_END:
            s->question.ask = POLL_ASK_NOTHING;
            poll_feed_end(s->poll, now_us);
            break;
        }
        if (fed < 0)
            return -1;
        s->base.data_us = now_us;
        if (poll_next(s->poll, change) > 0)
            return 1;
    }
    return 0;
}

/* ---- Questions ---- */

static int ask(struct poll_source *s, int64_t now_us, struct error *err)
{
    bool notified = false;
    if (s->listening && pg_asker_is_notified(s->asker, &notified, err) < 0)
        return -1;
    if (notified)
        poll_wake(s->poll, now_us);
    poll_question(s->poll, now_us, &s->question);
    if (s->question.ask == POLL_ASK_NOTHING)
        return 0;
    buf_reset(&s->sql);
    poll_sql(&s->question, &s->o, &s->sql);
    return pg_ask(s->asker, buf_text(&s->sql), err);
}

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct poll_source *s = from_base(base);
    assert(change != NULL && err != NULL);
    for (;;) {
        if (poll_next(s->poll, change) > 0)
            return STEP_DONE;
        int got = take_answer(s, now_us, change, err);
        if (got != 0)
            return got;
        if (s->question.ask != POLL_ASK_NOTHING)
            return STEP_WAIT;
        if (ask(s, now_us, err) < 0)
            return STEP_FAILED;
        if (s->question.ask == POLL_ASK_NOTHING)
            return STEP_WAIT;
    }
}

static void wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct poll_source *s = from_base(base);
    assert(fd != NULL && deadline_us != NULL);
    bool awaits = s->question.ask != POLL_ASK_NOTHING;
    *fd = awaits || s->listening ? pg_asker_fd(s->asker) : -1;
    *deadline_us = awaits ? clock_monotonic_us() + WAIT_US : poll_deadline(s->poll);
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

/* Nothing at the server waits for it. */
static void confirm(struct source *base, struct position committed, struct span resume)
{
    struct poll_source *s = from_base(base);
    (void)resume;
    assert(position_compare(s->confirmed, committed) <= 0);
    s->confirmed = committed;
}

static void resume(const struct source *base, struct buf *json)
{
    poll_resume(((const struct poll_source *)base)->poll, json);
}

static void report(const struct source *base, struct source_status *status)
{
    const struct poll_source *s = (const struct poll_source *)base;
    status->received_lsn = poll_received_lsn(s->poll);
    status->confirmed = s->confirmed;
}

static void close_source(struct source *base, int64_t deadline_us)
{
    struct poll_source *s = from_base(base);
    (void)deadline_us;
    poll_close(s->poll);
    pg_asker_close(s->asker);
    buf_fini(&s->sql);
    free(s->cells);
    free(s);
}

static const struct source_ops poll_source_ops = {
    .name = "poll",
    .next = next,
    .wait = wait,
    .tick = tick,
    .confirm = confirm,
    .resume = resume,
    .report = report,
    .close = close_source,
};

/* ---- Opening ---- */

static void make_cells(struct poll_source *s)
{
    for (uint32_t i = 0; i < s->o.table_count; i++)
        if (s->o.tables[i].relation.column_count > s->cells_max)
            s->cells_max = s->o.tables[i].relation.column_count;
    s->cells = calloc(s->cells_max, sizeof *s->cells);
    if (s->cells == NULL)
        abort();
}

/* Behind a pooler the interval alone is what there is. */
static int listen(struct poll_source *s, struct error *err)
{
    if (s->o.channel == NULL || pg_asker_is_direct(s->asker, &s->listening, err) < 0)
        return s->o.channel == NULL ? 0 : -1;
    return s->listening ? pg_asker_listen(s->asker, s->o.channel, err) : 0;
}

int poll_source_open(struct pg_connection *connection, const struct poll_options *options,
                     struct source **source, bool *listens, struct error *err)
{
    assert(connection != NULL && options != NULL);
    assert(source != NULL && listens != NULL && err != NULL);
    struct poll_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &poll_source_ops;
    s->asker = pg_asker_open(connection);
    s->o = *options;
    s->sql = BUF_EMPTY;
    s->confirmed = options->start;
    make_cells(s);
    if (listen(s, err) < 0 || poll_open(options, &s->poll, err) < 0) {
        close_source(&s->base, 0);
        return -1;
    }
    *listens = s->listening;
    *source = &s->base;
    return 0;
}
