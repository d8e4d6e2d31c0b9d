/* retention_rule: which rows are published; see retention_rule.h. */
#include "relay/retention_rule.h"

#include <assert.h>

void retention_rule_fini(struct retention_rule *rule)
{
    buf_fini(&rule->seen);
    buf_fini(&rule->next);
}

bool retention_is_there(const struct retention_basis *basis, const struct poll_guard *now)
{
    if (!basis->open || now->in_recovery || basis->system_identifier != now->system_identifier ||
        basis->timeline != now->timeline)
        return false;
    /* Put back to an earlier time it is another one, whose ids mean other transactions. The place
     * of a window of polling may be a byte ahead; there the statement that deletes compares the
     * ids. */
    return basis->polls || basis->committed.lsn <= now->insert_lsn;
}

static void forget(struct retention_rule *rule, uint64_t epoch)
{
    rule->epoch = epoch;
    rule->taken = false;
    buf_reset(&rule->seen);
}

/* Each crash is followed by a checkpoint. */
static void look_whether_durable(struct retention_rule *rule, const struct poll_guard *now)
{
    if (!rule->taken || rule->durable)
        return;
    if (now->checkpoint != rule->target.checkpoint)
        rule->taken = false;
    else
        rule->durable = poll_is_flushed(&rule->target, now->flush_lsn);
}

static void look_whether_passed(struct retention_rule *rule, const struct retention_basis *basis)
{
    if (!rule->taken || !rule->durable || !poll_is_flushed(&rule->target, basis->committed.lsn))
        return;
    struct buf passed = rule->next;
    rule->next = rule->seen;
    rule->seen = passed;
    rule->taken = false;
}

/* One that waits is kept until it is passed: taken anew each time it would never be. */
static void take(struct retention_rule *rule, const struct poll_guard *now)
{
    if (rule->taken)
        return;
    rule->taken = true;
    rule->durable = false;
    rule->target = *now;
    rule->target.snapshot = span_null();
    buf_reset(&rule->next);
    buf_add(&rule->next, now->snapshot);
}

void retention_look(struct retention_rule *rule, const struct retention_basis *basis,
                    const struct poll_guard *now)
{
    assert(rule != NULL && basis != NULL && now != NULL);
    bool there = retention_is_there(basis, now);
    if (!there || rule->epoch != basis->epoch)
        forget(rule, basis->epoch);
    if (!there)
        return;
    if (basis->polls) {
        buf_reset(&rule->seen);
        buf_add(&rule->seen, buf_span(&basis->snapshot));
        return;
    }
    look_whether_durable(rule, now);
    look_whether_passed(rule, basis);
    take(rule, now);
}
