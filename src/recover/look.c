/* recover/look: the progress of a relay: looked at without touching anything, recovered by a new
 * producer that fences the one before it, and written as a record alone in its transaction; and the
 * verdict on it beside whoever runs. */
#include "recover/look.h"

#include <assert.h>
#include <inttypes.h>

static int decode_record(const struct buf *json, struct arena *arena, struct found *found,
                         struct error *err)
{
    found->have_progress = json->len > 0;
    return found->have_progress ? progress_decode(buf_span(json), arena, &found->progress, err) : 0;
}

/* Whoever decodes does not know what there is to begin from. */
static void mend_unreadable(const struct recovery *r, struct error *err)
{
    if (r->origin->ops->mode == PROGRESS_WAL || err->reason != REASON_PROGRESS_UNREADABLE)
        return;
    error_hint(err, "publish again what the tables hold");
    error_mend(err, "rebase --to %s --accept-repeat", r->origin->ops->here);
}

/* A record that does not follow the one before it was not written by a relay that knew it. What
 * cannot be read any more was rebased, and says nothing. */
static int check_succession(const struct recovery *r, struct span before,
                            const struct progress *newest, struct error *err)
{
    struct progress previous;
    struct error unreadable = ERROR_INIT;
    if (before.len == 0 || progress_decode(before, r->arena, &previous, &unreadable) < 0 ||
        progress_follows(&previous, newest))
        return 0;
    char from[LSN_TEXT_MAX], to[LSN_TEXT_MAX];
    error_stop(err, REASON_PROGRESS_REGRESSED,
               "the newest progress record (%s, %s, generation %" PRIu64
               ") cannot follow the one before it (%s, %s, generation %" PRIu64 ")",
               progress_mode_name(newest->mode), lsn_format(newest->position.lsn, to),
               newest->generation, progress_mode_name(previous.mode),
               lsn_format(previous.position.lsn, from), previous.generation);
    error_hint(err, "find out who wrote it, then publish again from where the %s stands",
               r->origin->ops->noun);
    return error_mend(err, "rebase --to %s --accept-repeat", r->origin->ops->here);
}

static int take(const struct recovery *r, const struct buf *newest, const struct buf *before,
                struct found *found, struct error *err)
{
    if (decode_record(newest, r->arena, found, err) < 0) {
        mend_unreadable(r, err);
        return -1;
    }
    return found->have_progress ? check_succession(r, buf_span(before), &found->progress, err) : 0;
}

/* Who reads the records does not know what to begin from instead. */
static int mend(const struct recovery *r, int result, struct error *err)
{
    if (result == 0 || err->reason != REASON_PROGRESS_FORGED)
        return result;
    error_hint(err, "find out who wrote it, then publish again from where the %s stands",
               r->origin->ops->noun);
    return error_mend(err, "rebase --to %s --accept-repeat", r->origin->ops->here);
}

static int look_closely(const struct recovery *r, bool through, int64_t timeout_ms,
                        struct found *found, struct error *err)
{
    struct buf newest = BUF_EMPTY;
    struct buf before = BUF_EMPTY;
    int result = r->ledger->ops->look(r->ledger, through, timeout_ms, &newest, &before,
                                      &found->topic_exists, err);
    if (mend(r, result, err) == 0)
        result = take(r, &newest, &before, found, err);
    buf_fini(&before);
    buf_fini(&newest);
    return result;
}

int relay_look(const struct recovery *r, struct found *found, struct error *err)
{
    return look_closely(r, false, 0, found, err);
}

int relay_look_through(const struct recovery *r, int64_t timeout_ms, struct found *found,
                       struct error *err)
{
    return look_closely(r, true, timeout_ms, found, err);
}

int relay_take_over(const struct recovery *r, struct publisher **publisher, struct found *found,
                    struct error *err)
{
    assert(publisher != NULL && *publisher == NULL); /* I5, I6: an older one is closed by now */
    if (r->ledger->ops->take_over(r->ledger, publisher, err) < 0)
        return -1;
    struct buf newest = BUF_EMPTY;
    struct buf before = BUF_EMPTY;
    int result = r->ledger->ops->read(r->ledger, *publisher, &newest, &before, err);
    if (mend(r, result, err) == 0)
        result = take(r, &newest, &before, found, err);
    buf_fini(&before);
    buf_fini(&newest);
    return result;
}

int relay_write_record(const struct recovery *r, struct publisher *publisher,
                       const struct progress *record, struct span note, struct error *err)
{
    assert(publisher != NULL); /* I2: whoever has one has taken over and read progress with it */
    struct buf json = BUF_EMPTY;
    progress_encode(record, &json);
    int result = r->ledger->ops->write(r->ledger, publisher, buf_span(&json), note, err);
    buf_fini(&json);
    return result;
}

/* ---- The verdict ---- */

/* Nothing is refused on what may be old news. Beside a running relay the origin may have moved
 * since progress was read, and a commit that was answered may not be visible at the last stable
 * offset yet. Progress that is read through to the end after the origin is never behind it (I1),
 * and never beyond a WAL position that is read after that. */
static int look_again(const struct recovery *r, struct found *found, struct error *err)
{
    uint64_t confirmed_lsn = found->origin.confirmed_lsn;
    if (relay_look_through(r, 0, found, err) < 0 || origin_look(r->origin, &found->origin, err) < 0)
        return -1;
    if (found->origin.present)
        found->origin.confirmed_lsn = confirmed_lsn;
    return origin_judge(r->origin, ORIGIN_MAY_GO_ON, found, err);
}

int relay_judge(const struct recovery *r, bool beside, struct found *found, struct error *err)
{
    if (origin_identify(r->origin, &found->system, err) < 0 ||
        origin_look(r->origin, &found->origin, err) < 0)
        return -1;
    int result = origin_judge(r->origin, ORIGIN_MAY_GO_ON, found, err);
    if (result < 0 && beside && err->kind == ERROR_STOP) {
        *err = ERROR_INIT;
        result = look_again(r, found, err);
    }
    return result;
}
