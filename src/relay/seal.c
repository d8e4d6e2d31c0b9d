/* relay/seal: see seal.h. It seals nothing and asks nobody: tests/unit/relay_seal_test.c has a row
 * for each rule. */
#include "relay/seal.h"

#include <assert.h>

/* Of a batch whose records are sent one by one. */
#define SUSPECT_EVENTS 64
/* Under a backlog nobody waits for the latency of a transaction, and a Kafka transaction may grow
 * for so many commit intervals: each costs the broker and librdkafka the same, however large it is.
 */
#define BEHIND_INTERVALS 20
/* With so many commits on their way already, waiting for a larger batch costs no time and saves the
 * broker a transaction. */
#define COMMITS_AWAY 2

static uint32_t events_max(const struct seal_limits *limits, const struct seal_state *state)
{
    bool suspected = limits->suspect_lsn != 0 && state->committed.lsn <= limits->suspect_lsn;
    return suspected && limits->events_max > SUSPECT_EVENTS ? SUSPECT_EVENTS : limits->events_max;
}

static int64_t interval_end_us(const struct seal_limits *limits, const struct seal_state *state,
                               const struct batch *batch)
{
    return batch->opened_us + limits->commit_interval_us * (state->behind ? BEHIND_INTERVALS : 1);
}

/* A batch's share under backlog: half of it, or seven eighths. */
static bool past_share(const struct seal_limits *limits, const struct seal_state *state,
                       const struct batch *batch)
{
    uint32_t events = events_max(limits, state);
    uint32_t eighths = state->behind ? 7 : 4;
    return batch->count >= events - events / 8 * (8 - eighths) ||
           batch->bytes >= limits->bytes_max / 8 * eighths;
}

static bool is_full(const struct seal_limits *limits, const struct seal_state *state,
                    const struct batch *batch)
{
    return batch->count >= events_max(limits, state) || batch->bytes >= limits->bytes_max;
}

static bool part_due(const struct seal_limits *limits, const struct seal_state *state,
                     const struct batch *batch, bool input_empty, int64_t now_us)
{
    if (is_full(limits, state, batch))
        return true;
    return !input_empty && batch->count > 0 && now_us - batch->opened_us >= limits->part_age_us;
}

static bool commit_due(const struct seal_limits *limits, const struct seal_state *state,
                       const struct batch *batch, bool input_empty, int64_t now_us)
{
    if (state->open_parts)
        return batch->transactions > 0;
    if (batch->count == 0)
        return false;
    if (past_share(limits, state, batch))
        return true;
    if (state->commits_away < COMMITS_AWAY && now_us >= interval_end_us(limits, state, batch))
        return true;
    return input_empty && state->commits_away == 0;
}

enum seal seal_due(const struct seal_limits *limits, const struct seal_state *state,
                   const struct batch *batch, bool input_empty, int64_t now_us)
{
    assert(limits->events_max >= 1 && limits->part_age_us > 0);
    assert(state->commits_away <= state->away);
    if (state->in_txn)
        return part_due(limits, state, batch, input_empty, now_us) ? SEAL_PART : SEAL_NOT;
    return commit_due(limits, state, batch, input_empty, now_us) ? SEAL_COMMIT : SEAL_NOT;
}

/* Between transactions, with no batch on its way: where progress is the position alone. */
static bool is_quiet(const struct seal_state *state)
{
    return !state->in_txn && state->away == 0;
}

static bool mark_ahead(const struct seal_state *state)
{
    return position_compare(state->mark, state->committed) > 0;
}

bool seal_mark_done(const struct seal_state *state, const struct batch *batch)
{
    return batch->count == 0 && is_quiet(state) && !mark_ahead(state);
}

bool seal_mark_due(const struct seal_limits *limits, const struct seal_state *state,
                   const struct batch *batch, int64_t now_us)
{
    if (batch->count > 0 || !is_quiet(state) || !mark_ahead(state))
        return false;
    if (state->urgent)
        return true;
    if (limits->until_lsn != 0 && state->committed.lsn < limits->until_lsn)
        return true;
    return state->mark.lsn - state->committed.lsn >= limits->idle_bytes ||
           now_us - state->progress_us >= limits->idle_interval_us;
}

int64_t seal_due_us(const struct seal_limits *limits, const struct seal_state *state,
                    const struct batch *batch)
{
    assert(state->commits_away <= state->away);
    int64_t due_us = INT64_MAX;
    if (!state->in_txn && batch->count > 0 && state->commits_away < COMMITS_AWAY)
        due_us = interval_end_us(limits, state, batch);
    if (is_quiet(state) && mark_ahead(state) &&
        state->progress_us + limits->idle_interval_us < due_us)
        due_us = state->progress_us + limits->idle_interval_us;
    return due_us;
}
