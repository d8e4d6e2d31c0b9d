/* source_until: a source around a source, which ends at a place in the WAL: transactions whose
 * commit record begins before it are handed on, and the first sign that nothing of them is still to
 * come becomes a MARK at that place. The place itself is then a position like any other. */
#include "source/source.h"

#include <assert.h>
#include <stdlib.h>

struct until {
    struct source base; /* first: the ops find us through it */
    struct source *inner;
    uint64_t end_lsn;
    bool ended;
};

static struct until *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct until *)s;
}

static bool is_beyond(const struct until *u, const struct change *change)
{
    if (change->op == CHANGE_BEGIN)
        return change->id.final_lsn >= u->end_lsn;
    return change->op == CHANGE_MARK && change->position.lsn >= u->end_lsn;
}

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct until *u = from_base(base);
    assert(change != NULL && err != NULL);
    if (u->ended)
        return STEP_WAIT;
    enum step got = source_next(u->inner, now_us, change, err);
    u->base.data_us = u->inner->data_us;
    if (got != STEP_DONE || !is_beyond(u, change))
        return got;
    u->ended = true;
    *change = (struct change){.op = CHANGE_MARK, .position = {u->end_lsn, 0}};
    return STEP_DONE;
}

static void wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct until *u = from_base(base);
    source_wait(u->inner, fd, deadline_us);
    if (!u->ended)
        return;
    *fd = -1; /* what comes is not read any more */
    *deadline_us = INT64_MAX;
}

static int tick(struct source *base, int64_t now_us, struct error *err)
{
    struct until *u = from_base(base);
    int result = source_tick(u->inner, now_us, err);
    u->base.data_us = u->inner->data_us;
    return result;
}

/* The end itself is nothing that the inner source has handed on. */
static void confirm(struct source *base, struct position committed, struct span resume)
{
    struct until *u = from_base(base);
    if (committed.lsn < u->end_lsn)
        source_confirm(u->inner, committed, resume);
}

static void report(const struct source *base, struct source_status *status)
{
    *status = source_report(((const struct until *)base)->inner);
}

static void close_until(struct source *base, int64_t deadline_us)
{
    struct until *u = from_base(base);
    source_close(u->inner, deadline_us);
    free(u);
}

static const struct source_ops until_ops = {
    .name = "until",
    .next = next,
    .wait = wait,
    .tick = tick,
    .confirm = confirm,
    .report = report,
    .close = close_until,
};

struct source *source_until(struct source *inner, uint64_t end_lsn)
{
    assert(inner != NULL && inner->ops->resume == NULL);
    assert(end_lsn != 0);
    struct until *u = calloc(1, sizeof *u);
    if (u == NULL)
        abort();
    u->base = (struct source){.ops = &until_ops, .data_us = inner->data_us};
    u->inner = inner;
    u->end_lsn = end_lsn;
    return &u->base;
}
