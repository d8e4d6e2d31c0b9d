/* poll_source: the source around struct poll: sends its questions through pg/ and feeds it the
 * answers, row by row. Nothing here blocks, but for the LISTEN at the open. It decides nothing. */
#include "source/poll_session.h"

#include "pg/pg.h"

#include <assert.h>
#include <stdlib.h>

struct poll_source {
    struct source base; /* first: the ops find us through it */
    struct poll_session session;
    struct poll_options o;
    struct poll *poll;
    struct poll_question question; /* NOTHING: no answer is awaited */
    struct position confirmed;
};

static struct poll_source *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct poll_source *)s;
}

/* ---- Answers ---- */

static int feed_guard(struct poll_source *s, int64_t now_us, struct error *err)
{
    struct poll_guard guard;
    if (poll_session_guard(&s->session, &guard, err) < 0)
        return -1;
    return poll_feed_guard(s->poll, &guard, now_us, err);
}

static int feed_row(struct poll_source *s, struct error *err)
{
    const struct relation *relation = &s->o.tables[s->question.table].relation;
    return poll_feed_row(s->poll, poll_session_row(&s->session, relation), err);
}

/* Feeds until there is a change: 1, or no more is there now: 0. */
static int take_answer(struct poll_source *s, int64_t now_us, struct change *change,
                       struct error *err)
{
    while (s->question.ask != POLL_ASK_NOTHING) {
        int fed = 0;
        switch (pg_answer(s->session.asker, err)) {
        case PG_ANSWER_FAILED:
            return -1;
        case PG_ANSWER_WAIT:
            return 0;
        case PG_ANSWER_ROW:
            fed = pg_answer_statement(s->session.asker) == 0 ? feed_guard(s, now_us, err)
                                                             : feed_row(s, err);
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
    if (poll_session_notified(&s->session, &notified, err) < 0)
        return -1;
    if (notified)
        poll_wake(s->poll, now_us);
    poll_question(s->poll, now_us, &s->question);
    if (s->question.ask == POLL_ASK_NOTHING)
        return 0;
    buf_reset(&s->session.sql);
    poll_sql(&s->question, &s->o, &s->session.sql);
    return pg_ask(s->session.asker, buf_text(&s->session.sql), err);
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
    poll_session_wait(&s->session, s->question.ask != POLL_ASK_NOTHING, poll_deadline(s->poll), fd,
                      deadline_us);
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
    poll_session_close(&s->session);
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

int poll_source_open(struct pg_connection *connection, const struct poll_options *options,
                     struct source **source, bool *listens, struct error *err)
{
    assert(connection != NULL && options != NULL);
    assert(source != NULL && listens != NULL && err != NULL);
    struct poll_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &poll_source_ops;
    poll_session_open(&s->session, connection);
    s->o = *options;
    s->confirmed = options->start;
    if (poll_session_listen(&s->session, options->channel, err) < 0 ||
        poll_open(options, &s->poll, err) < 0) {
        close_source(&s->base, 0);
        return -1;
    }
    *listens = s->session.listening;
    *source = &s->base;
    return 0;
}
