/* relay/lookout: see lookout.h. It compares hashes, ids of transactions and places in the log, and
 * nothing else. */
#include "relay/lookout.h"

#include "relay/wake.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int lookout_open(struct lookout *l, struct error *err)
{
    *l = (struct lookout){.asked_fd = wake_open(), .answered_fd = wake_open(), .text = BUF_EMPTY};
    pthread_mutex_init(&l->mutex, NULL);
    if (l->asked_fd < 0 || l->answered_fd < 0)
        return error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd");
    return 0;
}

void lookout_close(struct lookout *l)
{
    close(l->asked_fd);
    close(l->answered_fd);
    buf_fini(&l->text);
    buf_fini(&l->clean);
    buf_fini(&l->seen);
    buf_fini(&l->touched);
    buf_fini(&l->gone);
    pthread_mutex_destroy(&l->mutex);
}

/* ---- Snapshots ---- */

/* Of which the stream carries the lower half. */
static bool next_xid(struct span *rest, uint32_t *xid)
{
    uint64_t number;
    bool found = fingerprint_next_number(rest, &number);
    *xid = (uint32_t)number;
    return found;
}

/* Transaction ids go round, so only the sign of a difference means something. */
bool lookout_is_over(struct span snapshot, uint32_t xid)
{
    uint32_t low, high, running;
    if (!next_xid(&snapshot, &low) || !next_xid(&snapshot, &high))
        return false;
    if ((int32_t)(xid - low) < 0)
        return true;
    if ((int32_t)(xid - high) >= 0)
        return false;
    while (next_xid(&snapshot, &running))
        if (running == xid)
            return false;
    return true;
}

/* A commit may stand in the log for long before others see it: it waits for a standby. What a look
 * has not seen was under way in its snapshot, or begins later. So a place is safe once all that had
 * begun there is over; what waits may have a later id than the snapshot ends with. */
static void ripen(struct lookout *l, const struct fingerprint *same)
{
    if (l->ripening.next_xid == 0) {
        l->ripening.lsn = same->id.lsn;
        l->ripening.next_xid = same->next_xid;
    }
    if (l->ripening.next_xid == 0 || same->id.xid < l->ripening.next_xid)
        return;
    if (l->ripening.lsn > l->recorded.lsn)
        l->recorded.lsn = l->ripening.lsn;
    l->ripening.next_xid = 0;
    if (same->id.lsn > l->ripening.lsn)
        ripen(l, same);
}

static void take_same(struct lookout *l, const struct fingerprint *same)
{
    l->next_xid = same->next_xid;
    if (l->ahead.xid == 0)
        l->ahead = (struct lookout_ahead){.xid = same->id.xid, .lsn = same->behind_lsn};
    ripen(l, same);
}

/* ---- The epoch ---- */

static void forget(struct lookout *l)
{
    l->changed = false;
    l->changed_lsn = 0;
    buf_reset(&l->seen);
    buf_reset(&l->touched);
}

void lookout_begin(struct lookout *l, const struct progress_fingerprint *recorded,
                   const struct fingerprint *now)
{
    bool known = now->id.hash[0] != '\0';
    assert(!known || strcmp(recorded->hash, now->id.hash) == 0);
    pthread_mutex_lock(&l->mutex);
    forget(l);
    l->epoch++;
    l->recorded = known ? *recorded : (struct progress_fingerprint){.lsn = 0};
    l->asked = false;
    memcpy(l->keys, now->keys, sizeof l->keys);
    l->keys_moved = false;
    l->looked_clean = false;
    l->ahead.xid = 0;
    l->ripening.next_xid = 0;
    take_same(l, now);
    buf_reset(&l->text);
    buf_add(&l->text, now->text);
    memcpy(l->text_hash, now->id.hash, sizeof l->text_hash);
    pthread_mutex_unlock(&l->mutex);
}

void lookout_end(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    l->recorded = (struct progress_fingerprint){.lsn = 0};
    pthread_mutex_unlock(&l->mutex);
}

/* What is told stands there before the descriptor is raised, and that before `news`: lowered here,
 * it is either seen now or raises it again. */
bool lookout_news(struct lookout *l)
{
    if (!atomic_load(&l->news))
        return false;
    atomic_store(&l->news, false);
    wake_lower(l->answered_fd);
    return true;
}

bool lookout_changed(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    bool changed = l->changed;
    pthread_mutex_unlock(&l->mutex);
    return changed;
}

bool lookout_keys_moved(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    bool moved = l->keys_moved;
    pthread_mutex_unlock(&l->mutex);
    return moved;
}

/* A place at which the guard's transaction was not over: where all that has been touched since is
 * looked for. */
static uint64_t since(const struct lookout *l, const struct lookout_guard *guard)
{
    bool passed = l->ahead.xid != 0 && guard->id.final_lsn >= l->ahead.lsn;
    return passed ? l->ahead.xid : l->recorded.xid;
}

/* Was a partition that it names dropped behind it? Nothing of that is left to be found. */
static bool names_gone(const struct lookout *l, const struct lookout_guard *guard)
{
    uint64_t oid;
    if (guard->id.final_lsn >= l->gone_lsn)
        return false;
    for (struct span rest = buf_span(&l->gone); fingerprint_next_number(&rest, &oid);)
        for (uint32_t i = 0; i < guard->suspects.count; i++)
            if (guard->suspects.oids[i] == oid)
                return true;
    return false;
}

void lookout_gone(struct lookout *l, struct span oids, uint64_t lsn)
{
    if (oids.len == 0)
        return;
    pthread_mutex_lock(&l->mutex);
    /* An open that fails behind this finds the same again. */
    struct span known = buf_span(&l->gone);
    bool again = known.len >= oids.len &&
                 span_equal((struct span){known.ptr + known.len - oids.len, oids.len}, oids);
    if (!again) {
        buf_add_text(&l->gone, known.len > 0 ? "," : "");
        buf_add(&l->gone, oids);
    }
    l->gone_lsn = lsn;
    pthread_mutex_unlock(&l->mutex);
}

static void note_change(struct lookout *l, uint64_t lsn, struct span text, struct span touched)
{
    l->changed = true;
    l->changed_lsn = lsn;
    buf_reset(&l->seen);
    buf_add(&l->seen, text);
    buf_reset(&l->touched);
    buf_add(&l->touched, touched);
}

static void raise_news(struct lookout *l)
{
    wake_raise(l->answered_fd);
    atomic_store(&l->news, true);
}

static bool is_asked(const struct lookout *l, const struct lookout_guard *guard)
{
    return l->asked && l->guard.xid == guard->xid && change_id_compare(l->guard.id, guard->id) == 0;
}

void lookout_ask(struct lookout *l, const struct lookout_guard *guard)
{
    pthread_mutex_lock(&l->mutex);
    bool gone = names_gone(l, guard);
    if (gone) {
        note_change(l, l->gone_lsn, span_null(), SPAN_LITERAL("a partition that is gone"));
    } else if (!is_asked(l, guard)) {
        l->guard = *guard;
        l->guard.suspects.xid = since(l, guard);
        l->passes = false;
        l->asked = true;
    }
    pthread_mutex_unlock(&l->mutex);
    if (gone)
        raise_news(l);
    else
        wake_raise(l->asked_fd);
}

enum lookout_answer lookout_answer(struct lookout *l, const struct lookout_guard *guard)
{
    assert(guard->xid != 0);
    enum lookout_answer answer = LOOKOUT_UNANSWERED;
    pthread_mutex_lock(&l->mutex);
    if (l->recorded.hash[0] == '\0')
        answer = LOOKOUT_PASSES_ALL;
    else if (names_gone(l, guard))
        answer = LOOKOUT_UNANSWERED;
    else if (!l->changed && l->looked_clean && since(l, guard) >= l->clean_xid &&
             lookout_is_over(buf_span(&l->clean), guard->xid))
        answer = LOOKOUT_PASSES_ALL;
    else if (!l->changed && is_asked(l, guard) && l->passes)
        answer = LOOKOUT_PASSES;
    pthread_mutex_unlock(&l->mutex);
    return answer;
}

uint64_t lookout_lsn(struct lookout *l, uint64_t committed_lsn, uint64_t *near_xid,
                     struct lookout_ahead *ahead)
{
    pthread_mutex_lock(&l->mutex);
    if (l->ahead.xid != 0 && committed_lsn >= l->ahead.lsn) {
        l->recorded.xid = l->ahead.xid;
        l->ahead.xid = 0;
    }
    uint64_t lsn = l->recorded.lsn;
    *near_xid = l->next_xid;
    *ahead = l->ahead.xid != 0 ? l->ahead : (struct lookout_ahead){.xid = l->recorded.xid};
    pthread_mutex_unlock(&l->mutex);
    return lsn;
}

void lookout_await_more(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    l->more.wanted = true;
    pthread_mutex_unlock(&l->mutex);
}

uint64_t lookout_more_from(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    uint64_t lsn = l->more.lsn;
    pthread_mutex_unlock(&l->mutex);
    return lsn;
}

struct span lookout_recall(struct lookout *l, struct arena *arena, const char **hash)
{
    pthread_mutex_lock(&l->mutex);
    bool known = l->text_hash[0] != '\0';
    struct span text = known ? arena_copy(arena, buf_span(&l->text)) : span_null();
    *hash = known ? arena_format(arena, "%s", l->text_hash) : NULL;
    pthread_mutex_unlock(&l->mutex);
    return text;
}

void lookout_recall_seen(struct lookout *l, struct arena *arena, struct published_seen *seen)
{
    *seen = (struct published_seen){.lsn = 0};
    pthread_mutex_lock(&l->mutex);
    seen->lsn = l->changed_lsn;
    if (l->touched.len > 0)
        seen->touched = arena_copy(arena, buf_span(&l->touched));
    else if (l->changed_lsn != 0)
        seen->text = arena_copy(arena, buf_span(&l->seen));
    pthread_mutex_unlock(&l->mutex);
}

/* ---- The watch ---- */

bool lookout_wanted(struct lookout *l, uint64_t *epoch)
{
    pthread_mutex_lock(&l->mutex);
    *epoch = l->epoch;
    bool wanted = l->recorded.hash[0] != '\0' && !l->changed;
    pthread_mutex_unlock(&l->mutex);
    return wanted;
}

bool lookout_asked(struct lookout *l, const struct fingerprint *seen, struct lookout_guard *guard)
{
    pthread_mutex_lock(&l->mutex);
    bool asked = l->asked && !l->passes && strcmp(l->recorded.hash, seen->id.hash) == 0 &&
                 lookout_is_over(seen->snapshot, l->guard.xid);
    *guard = l->guard;
    pthread_mutex_unlock(&l->mutex);
    return asked;
}

static void take_touched(struct lookout *l, const struct fingerprint *seen,
                         const struct lookout_touched *touched)
{
    if (!is_asked(l, touched->guard))
        return;
    if (touched->names.len > 0) {
        note_change(l, seen->end_lsn, seen->text, touched->names);
        return;
    }
    l->passes = true;
    if (touched->any)
        return;
    l->looked_clean = true;
    l->clean_xid = touched->guard->suspects.xid;
    buf_reset(&l->clean);
    buf_add(&l->clean, seen->snapshot);
}

bool lookout_is_other(struct lookout *l, const struct fingerprint *seen)
{
    pthread_mutex_lock(&l->mutex);
    bool other = strcmp(l->recorded.hash, seen->id.hash) != 0;
    pthread_mutex_unlock(&l->mutex);
    return other;
}

/* A transaction is decoded with the catalogue of its first change. So whoever was open when the
 * publication was seen first must be over before the stream may ask for it. */
static void look_for_more(struct lookout *l, const struct fingerprint *seen)
{
    if (!l->more.wanted || l->more.lsn != 0)
        return;
    if (l->more.next_xid == 0)
        l->more.next_xid = seen->next_xid;
    else if (fingerprint_oldest(seen->snapshot) >= l->more.next_xid)
        l->more.lsn = seen->end_lsn;
}

void lookout_tell(struct lookout *l, uint64_t epoch, const struct fingerprint *seen,
                  const struct lookout_touched *touched)
{
    pthread_mutex_lock(&l->mutex);
    /* A look for another epoch is older than this one's open, or of other routes. */
    bool known = epoch == l->epoch && l->recorded.hash[0] != '\0' && seen->id.hash[0] != '\0';
    if (known && strcmp(l->recorded.hash, seen->id.hash) != 0) {
        note_change(l, seen->end_lsn, seen->text, span_null());
    } else if (known) {
        l->keys_moved |= strcmp(l->keys, seen->keys) != 0;
        take_same(l, seen);
        look_for_more(l, seen);
        if (touched != NULL)
            take_touched(l, seen, touched);
    }
    pthread_mutex_unlock(&l->mutex);
    raise_news(l);
}

void lookout_blind(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    l->next_xid = 0;
    pthread_mutex_unlock(&l->mutex);
}
