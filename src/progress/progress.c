/* progress/progress: how a record follows another. No JSON here, no clock. */
#include "progress/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

const char *progress_key(const char *relay, uint32_t shard, char text[80])
{
    assert(relay != NULL);
    assert(strlen(relay) < 48);
    snprintf(text, 80, "%s/%" PRIu32, relay, shard);
    return text;
}

bool progress_is_lost(const struct progress_fingerprint *fingerprint)
{
    assert(fingerprint != NULL);
    return span_starts_with(span_of(fingerprint->hash), SPAN_LITERAL(PROGRESS_LOST));
}

/* ---- Older versions ---- */

static void line(struct buf *lines, const char *format, const char *what)
{
    buf_add_format(lines, format, what);
    buf_add_char(lines, '\n');
}

/* `last` and the fingerprint are left behind without harm: they say what happened, and are taken
 * anew. */
void progress_lost_in(const struct progress *p, uint32_t version, struct buf *lines)
{
    assert(version >= 1 && version <= PROGRESS_VERSION);
    assert(lines != NULL);
    char at[LSN_TEXT_MAX];
    if (version >= 2)
        return;
    for (uint32_t i = 0; i < p->skip_count; i++)
        if (p->skips[i].route[0] != '\0')
            line(lines, "a change that only route %s is to pass over", p->skips[i].route);
    for (uint32_t i = 0; i < p->publication_count; i++)
        if (p->publications[i].from > p->position.lsn)
            line(lines, "publication %s, which may not be asked for yet", p->publications[i].name);
    if (p->guard > p->position.lsn)
        line(lines, "a decision about what was published up to %s", lsn_format(p->guard, at));
    if (progress_is_lost(&p->fingerprint))
        line(lines, "%s", "that rows may be missing, about which nobody has decided");
    if (p->command.present)
        line(lines, "%s", "a command that is under way");
}

/* ---- Succession ---- */

/* A change is behind once its transaction is, or once it is among the `done` of its transaction. Of
 * polling once all transactions up to its own are. */
static bool is_ahead(const struct skip *skip, const struct progress *progress, uint64_t over_xid)
{
    if (change_id_is_claimed(skip->id))
        return true; /* who writes the record drops it (relay/writer) */
    if (skip->id.kind == CHANGE_ID_POLL)
        return skip->id.xid >= over_xid;
    if (skip->id.final_lsn < progress->position.lsn)
        return false;
    return progress->partial.final_lsn != skip->id.final_lsn ||
           skip->id.ordinal > progress->partial.done;
}

static void drop_passed_skips(struct progress *progress, uint64_t over_xid)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < progress->skip_count; i++)
        if (is_ahead(&progress->skips[i], progress, over_xid))
            progress->skips[kept++] = progress->skips[i];
    progress->skip_count = kept;
}

/* What the server is asked for again at the next open (recover/origin_wal_judge): the last
 * transaction below the position, or nothing where that is not known. */
static void remember_ended(const struct batch *batch, struct progress *next)
{
    const struct batch_ended *ended = &batch->ended;
    if (ended->unknown)
        next->last.lsn = 0;
    if (ended->xid == 0)
        return;
    next->last.xid = ended->xid;
    next->last.xid8 = 0;
    next->last.lsn = ended->commit_at_us > 0 ? ended->final_lsn : 0;
    next->last.commit_at_us = ended->commit_at_us > 0 ? ended->commit_at_us : 0;
}

uint64_t progress_xid8(uint32_t xid, uint64_t next_xid)
{
    if (xid == 0 || next_xid == 0)
        return 0;
    /* Ids go round, so only the sign of a difference means something. */
    int64_t ahead = (int32_t)(xid - (uint32_t)next_xid);
    if (ahead < 0 && (uint64_t)-ahead > next_xid)
        return 0;
    return next_xid + (uint64_t)ahead;
}

void progress_advance(const struct progress *last, const struct batch *batch, int64_t wall_us,
                      struct progress *next)
{
    assert(position_compare(last->position, batch->end) < 0); /* I3 */
    assert(batch->ends_txn || batch->partial.final_lsn != 0);
    *next = *last;
    next->position = batch->end;
    next->partial = batch->ends_txn ? (struct partial){0} : batch->partial;
    assert(next->partial.final_lsn == 0 ? next->position.seq == 0
                                        : next->position.seq == next->partial.done);
    next->resume = batch->resume;
    if (batch->xid != 0)
        next->xid = batch->xid;
    remember_ended(batch, next);
    next->rebased.present = false;
    next->at_us = wall_us;
    drop_passed_skips(next, batch->ends_txn ? batch->over_xid : 0);
}

bool progress_follows(const struct progress *a, const struct progress *b)
{
    assert(a != NULL && b != NULL);
    bool back = b->version < a->version;
    if (b->generation < a->generation || (back && b->version_before != a->version))
        return false;
    if (b->mode == PROGRESS_INTENT && a->mode != PROGRESS_INTENT && a->mode != PROGRESS_CLOSED)
        return false;
    bool same_generation = b->generation == a->generation;
    bool nothing_done =
        a->mode == PROGRESS_CLOSED || (a->mode == PROGRESS_INTENT && b->mode == PROGRESS_INTENT);
    /* A first run after a teardown starts wherever its new slot does, one that was begun on another
     * server does so, too. */
    if (!same_generation && (b->rebased.present || nothing_done))
        return true;
    /* What was in the tables before is published, too. */
    if (!same_generation && a->mode == PROGRESS_INTENT && b->mode == PROGRESS_POLL)
        return true;
    /* A teardown forgets what is done of a split transaction. */
    if (!same_generation && b->mode == PROGRESS_CLOSED)
        return a->position.lsn <= b->position.lsn;
    int order = position_compare(a->position, b->position);
    return same_generation ? order < 0 || (order == 0 && a->mode != b->mode) : order <= 0;
}
