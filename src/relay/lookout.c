/* relay/lookout: see lookout.h. It compares hashes and nothing else. */
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
    buf_fini(&l->snapshot);
    pthread_mutex_destroy(&l->mutex);
}

/* ---- Snapshots ---- */

/* The next number of "xmin:xmax:xid,xid". */
static bool next_number(struct span *rest, uint64_t *number)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(rest->ptr[i] - '0');
    bool found = i > 0;
    i += i < rest->len ? 1 : 0;
    *rest = (struct span){rest->ptr + i, rest->len - i};
    *number = value;
    return found;
}

/* Of which the stream carries the lower half. */
static bool next_xid(struct span *rest, uint32_t *xid)
{
    uint64_t number;
    bool found = next_number(rest, &number);
    *xid = (uint32_t)number;
    return found;
}

/* 0 where it cannot be read. */
static uint64_t snapshot_xmax(struct span snapshot)
{
    uint64_t low, high;
    return next_number(&snapshot, &low) && next_number(&snapshot, &high) ? high : 0;
}

/* ---- The epoch ---- */

void lookout_begin(struct lookout *l, const struct fingerprint *recorded)
{
    pthread_mutex_lock(&l->mutex);
    l->recorded = recorded->id;
    l->changed = false;
    l->looked = false;
    l->next_xid = snapshot_xmax(recorded->snapshot);
    buf_reset(&l->text);
    buf_add(&l->text, recorded->text);
    memcpy(l->text_hash, recorded->id.hash, sizeof l->text_hash);
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

void lookout_ask(struct lookout *l)
{
    wake_raise(l->asked_fd);
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

bool lookout_passes(struct lookout *l, uint32_t xid)
{
    assert(xid != 0);
    pthread_mutex_lock(&l->mutex);
    bool passes = l->recorded.hash[0] == '\0' ||
                  (l->looked && !l->changed && lookout_is_over(buf_span(&l->snapshot), xid));
    pthread_mutex_unlock(&l->mutex);
    return passes;
}

uint64_t lookout_lsn(struct lookout *l, uint64_t *near_xid)
{
    pthread_mutex_lock(&l->mutex);
    uint64_t lsn = l->recorded.lsn;
    *near_xid = l->next_xid;
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

/* ---- The watch ---- */

bool lookout_wanted(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    bool wanted = l->recorded.hash[0] != '\0' && !l->changed;
    pthread_mutex_unlock(&l->mutex);
    return wanted;
}

void lookout_tell(struct lookout *l, const struct fingerprint *seen)
{
    pthread_mutex_lock(&l->mutex);
    bool known = l->recorded.hash[0] != '\0' && seen->id.hash[0] != '\0';
    if (known && strcmp(l->recorded.hash, seen->id.hash) != 0) {
        l->changed = true;
    } else if (known) {
        l->looked = true;
        buf_reset(&l->snapshot);
        buf_add(&l->snapshot, seen->snapshot);
        l->next_xid = snapshot_xmax(seen->snapshot);
        if (seen->id.lsn > l->recorded.lsn)
            l->recorded.lsn = seen->id.lsn;
    }
    pthread_mutex_unlock(&l->mutex);
    wake_raise(l->answered_fd);
    atomic_store(&l->news, true);
}

void lookout_blind(struct lookout *l)
{
    pthread_mutex_lock(&l->mutex);
    l->next_xid = 0;
    pthread_mutex_unlock(&l->mutex);
}
