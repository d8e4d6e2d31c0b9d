/* relay/guardian: see guardian.h. Two things make a risk: how much of what may be kept is left, and
 * how soon that is used up at the pace of the last half minute: that of the server where it lets go
 * of nothing, and that at which the relay falls behind where it does. */
#include "relay/guardian.h"

#include "base/clock.h"

#include <assert.h>

/* A pace is one of this long at least: a burst is none. */
#define PACE_US (25 * US_PER_S)
#define LOWER_US (10 * US_PER_S)
/* Parts of what may be kept: one of so many is left. */
#define FILLING_PART 2
#define AT_RISK_PART 7
#define LAG_PART 8
#define FILLING_S (INT64_C(4) * 3600)
#define AT_RISK_S (INT64_C(15) * 60)

void guardian_forget(struct guardian *g)
{
    assert(g != NULL);
    g->count = 0;
    g->safer_us = 0;
}

static const struct guardian_look *oldest(const struct guardian *g)
{
    return &g->looks[g->count > GUARDIAN_LOOKS ? g->count % GUARDIAN_LOOKS : 0];
}

static uint64_t kept_from(const struct guardian_look *look)
{
    return look->current_lsn - look->retained_bytes;
}

/* Nothing is let go of: the room shrinks by what is written. A server lets go in steps, some
 * fifteen seconds apart, and between two of them one that nobody holds up looks as if it filled;
 * what is lost from step to step is what the relay falls behind, once that is more than the way
 * between. */
static int64_t shrunk(const struct guardian_look *then, const struct guardian_look *now)
{
    if (kept_from(then) == kept_from(now))
        return (int64_t)(now->current_lsn - then->current_lsn);
    int64_t limit = now->room_bytes + (int64_t)now->retained_bytes;
    return (int64_t)now->lag_bytes >= limit / LAG_PART ? (int64_t)(now->lag_bytes - then->lag_bytes)
                                                       : 0;
}

static int64_t forecast(const struct guardian *g, const struct guardian_look *now)
{
    const struct guardian_look *then = oldest(g);
    int64_t passed_us = now->at_us - then->at_us;
    if (now->room_bytes < 0 || then->room_bytes < 0 || passed_us < PACE_US)
        return -1;
    int64_t bytes = shrunk(then, now);
    if (bytes <= 0)
        return -1;
    return (int64_t)((double)now->room_bytes / (double)bytes * (double)passed_us /
                     (double)US_PER_S);
}

static enum wal_risk risk_of(const struct guardian_look *now, int64_t seconds_left)
{
    if (!now->present)
        return WAL_RISK_NONE;
    if (now->lost)
        return WAL_RISK_LOST;
    if (now->due)
        return WAL_RISK_HIGH;
    if (now->room_bytes < 0)
        return WAL_RISK_NONE;
    int64_t limit = now->room_bytes + (int64_t)now->retained_bytes;
    bool soon = seconds_left >= 0 && seconds_left < AT_RISK_S;
    bool filling = now->room_bytes < limit / FILLING_PART;
    if (now->room_bytes < limit / AT_RISK_PART || (soon && filling))
        return WAL_RISK_HIGH;
    bool begun = now->room_bytes < limit / 4 * 3; /* before that a burst is no news */
    return filling || (begun && seconds_left >= 0 && seconds_left < FILLING_S) ? WAL_RISK_FILLING
                                                                               : WAL_RISK_NONE;
}

static void settle_risk(struct guardian *g, const struct guardian_look *now, enum wal_risk risk)
{
    if (risk >= g->verdict.risk) {
        g->verdict.risk = risk;
        g->safer_us = 0;
    } else if (g->safer_us == 0) {
        g->safer_us = now->at_us;
    } else if (now->at_us - g->safer_us >= LOWER_US) {
        g->verdict.risk = risk;
        g->safer_us = 0;
    }
}

static void judge_progress(struct guardian *g, const struct guardian_look *now,
                           const struct guardian_options *options)
{
    struct guardian_verdict *v = &g->verdict;
    if ((g->count == 0 && !v->stands) ||
        position_compare(now->committed, g->moved.committed) != 0 ||
        now->current_lsn < g->moved.current_lsn)
        g->moved = *now;
    int64_t stands_us = now->at_us - g->moved.at_us;
    v->stands_bytes = now->current_lsn - g->moved.current_lsn;
    v->stands_s = stands_us / US_PER_S;
    v->stands = stands_us >= options->stands_us && v->stands_bytes >= options->stands_bytes;
}

const struct guardian_verdict *guardian_judge(struct guardian *g, const struct guardian_look *look,
                                              const struct guardian_options *options)
{
    assert(g != NULL && look != NULL && options != NULL);
    judge_progress(g, look, options);
    g->looks[g->count % GUARDIAN_LOOKS] = *look;
    g->count++;
    g->verdict.seconds_left = look->lost || look->due ? 0 : forecast(g, look);
    settle_risk(g, look, risk_of(look, g->verdict.seconds_left));
    return &g->verdict;
}
