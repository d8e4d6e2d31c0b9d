/* source/poll_snapshot: see poll_snapshot.h. */
#include "source/poll_snapshot.h"

#include <assert.h>
#include <inttypes.h>

/* Digits up to `end` or something else; false: there are none, or too many. */
static bool take_id(const char **at, const char *end, uint64_t *id)
{
    const char *start = *at;
    *id = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
        if (__builtin_mul_overflow(*id, UINT64_C(10), id) ||
            __builtin_add_overflow(*id, (uint64_t)(**at - '0'), id))
            return false;
    return *at > start;
}

static bool take_colon(const char **at, const char *end)
{
    return *at < end && *(*at)++ == ':';
}

static bool list_is_good(const struct snapshot *s)
{
    const char *at = s->xip.ptr, *end = at + s->xip.len;
    uint64_t id, before = 0;
    while (at < end) {
        if (!take_id(&at, end, &id) || id < s->xmin || id >= s->xmax || id <= before)
            return false;
        before = id;
        if (at < end && (*at++ != ',' || at == end))
            return false;
    }
    return true;
}

bool snapshot_parse(struct span text, struct snapshot *s)
{
    assert(s != NULL);
    const char *at = text.ptr, *end = text.ptr + text.len;
    if (text.len == 0 || !take_id(&at, end, &s->xmin) || !take_colon(&at, end) ||
        !take_id(&at, end, &s->xmax) || !take_colon(&at, end))
        return false;
    s->xip = (struct span){at, (size_t)(end - at)};
    return s->xmin > 0 && s->xmin <= s->xmax && list_is_good(s);
}

bool snapshot_sees(const struct snapshot *s, uint64_t xid)
{
    assert(s != NULL);
    if (xid < s->xmin || xid >= s->xmax)
        return xid < s->xmin;
    const char *at = s->xip.ptr, *end = at + s->xip.len;
    uint64_t id;
    while (at < end && take_id(&at, end, &id)) {
        if (id == xid)
            return false;
        at++;
    }
    return true;
}

void snapshot_below(const struct snapshot *s, uint64_t xmax, struct buf *text)
{
    assert(xmax <= s->xmax && text != NULL);
    const char *at = s->xip.ptr, *end = at + s->xip.len;
    uint64_t first = xmax;
    if (at < end && take_id(&at, end, &first) && first > xmax)
        first = xmax;
    if (s->xmin < first && s->xip.len == 0)
        first = xmax;
    buf_add_format(text, "%" PRIu64 ":%" PRIu64 ":", first, xmax);
    const char *comma = "";
    uint64_t id;
    for (at = s->xip.ptr; at < end && take_id(&at, end, &id) && id < xmax; at++) {
        buf_add_format(text, "%s%" PRIu64, comma, id);
        comma = ",";
    }
}
