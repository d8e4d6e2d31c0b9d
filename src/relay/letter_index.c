/* relay/letter_index: see letter_index.h. */
#include "relay/letter_index.h"

#include "base/hash.h"
#include "model/header_name.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct letter_part {
    int64_t last; /* offset of the last record that was read; -1: none was */
    uint64_t last_hash;
    int64_t rest;  /* the first that there was no room for; INT64_MAX: all were kept */
    bool doubtful; /* `last` has not been seen again yet */
};

static void *grown(void *array, uint32_t *size, size_t item_bytes, uint32_t least)
{
    uint32_t wanted = *size > 0 ? *size * 2 : least;
    void *made = realloc(array, wanted * item_bytes);
    if (made == NULL)
        abort();
    *size = wanted;
    return made;
}

void letter_index_forget(struct letter_index *x)
{
    free(x->spots);
    free(x->parts);
    free(x->stuck);
    *x = (struct letter_index){.from = {.kind = CHANGE_ID_NONE}};
}

/* ---- One record ---- */

uint64_t letter_owner(struct span route, struct span key)
{
    uint64_t hash = hash_add(hash_add(HASH_INIT, route.ptr, route.len), "", 1);
    if (key.ptr == NULL)
        return 0;
    hash = hash_add(hash, key.ptr, key.len);
    return hash != 0 ? hash : 1;
}

struct change_id letter_spot_id(const struct letter_spot *spot)
{
    return change_id_wal(spot->final_lsn, spot->ordinal);
}

bool letter_spot_read(const struct kafka_letter *letter, uint64_t system_identifier,
                      struct letter_spot *spot)
{
    char text[CHANGE_ID_TEXT_MAX];
    uint64_t system;
    struct change_id found;
    struct span id = kafka_letter_header(letter, HEADER_ID);
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    if (id.ptr == NULL || id.len >= sizeof text || route.ptr == NULL)
        return false;
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(id));
    if (!change_id_parse(text, &system, &found, NULL) || found.kind != CHANGE_ID_WAL)
        return false;
    *spot = (struct letter_spot){.final_lsn = found.final_lsn,
                                 .ordinal = found.ordinal,
                                 .route = hash_add(HASH_INIT, route.ptr, route.len),
                                 .owner = letter_owner(route, letter->key),
                                 .offset = letter->offset,
                                 .partition = letter->partition,
                                 .bytes = (uint32_t)letter->value.len,
                                 .mark = kafka_letter_header(letter, HEADER_LETTER).ptr != NULL,
                                 .foreign = system != system_identifier};
    return true;
}

/* ---- What is kept ---- */

static int compare(const void *a, const void *b)
{
    const struct letter_spot *x = a, *y = b;
    int order = change_id_compare(letter_spot_id(x), letter_spot_id(y));
    if (order == 0 && x->route != y->route)
        order = x->route < y->route ? -1 : 1;
    return order != 0 ? order : (int)y->mark - (int)x->mark;
}

static bool is_same(const struct letter_spot *a, const struct letter_spot *b)
{
    return a->final_lsn == b->final_lsn && a->ordinal == b->ordinal && a->route == b->route;
}

static void leave_out(struct letter_index *x, const struct letter_spot *spot)
{
    struct letter_part *part = &x->parts[spot->partition];
    part->rest = spot->offset < part->rest ? spot->offset : part->rest;
}

/* One spot for each letter: its mark, where there is one. */
static void sort_out(struct letter_index *x)
{
    uint32_t kept = 0;
    if (x->count == 0)
        return; /* there may be no array yet */
    qsort(x->spots, x->count, sizeof *x->spots, compare);
    for (uint32_t i = 0; i < x->count; i++)
        if (i == 0 || !is_same(&x->spots[i], &x->spots[kept - 1]))
            x->spots[kept++] = x->spots[i];
    x->count = kept;
}

/* Those of one change stay together. */
static void cut(struct letter_index *x, uint32_t window_max)
{
    uint32_t kept = window_max;
    sort_out(x);
    if (x->count <= kept)
        return;
    while (kept > 0 &&
           change_id_equal(letter_spot_id(&x->spots[kept - 1]), letter_spot_id(&x->spots[kept])))
        kept--;
    if (kept == 0)
        return;
    for (uint32_t i = kept; i < x->count; i++)
        leave_out(x, &x->spots[i]);
    x->count = kept;
    x->limited = true;
    x->until = letter_spot_id(&x->spots[kept - 1]);
}

static void keep(struct letter_index *x, const struct letter_spot *spot, uint32_t window_max)
{
    if (x->count == x->size)
        x->spots = grown(x->spots, &x->size, sizeof *x->spots, 1024);
    x->spots[x->count++] = *spot;
    if (x->count >= 2 * window_max)
        cut(x, window_max);
}

/* All of the topic was seen: what has a mark is done with. */
static void settle(struct letter_index *x)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->count; i++)
        if (!x->spots[i].mark)
            x->spots[kept++] = x->spots[i];
    x->count = kept;
}

/* ---- Reading ---- */

static struct letter_part *part_of(struct letter_index *x, int32_t partition)
{
    assert(partition >= 0);
    if ((uint32_t)partition < x->part_count)
        return &x->parts[partition];
    uint32_t count = (uint32_t)partition + 1;
    x->parts = realloc(x->parts, count * sizeof *x->parts);
    if (x->parts == NULL)
        abort();
    for (uint32_t i = x->part_count; i < count; i++)
        x->parts[i] = (struct letter_part){.last = -1, .rest = INT64_MAX};
    x->part_count = count;
    return &x->parts[partition];
}

static uint64_t hash_of(const struct kafka_letter *letter)
{
    uint64_t hash = HASH_INIT;
    for (uint32_t i = 0; i < letter->header_count; i++) {
        struct span value = letter->headers[i].value;
        hash = hash_add(hash, value.ptr, value.len);
    }
    return hash_add(hash, &letter->timestamp_ms, sizeof letter->timestamp_ms);
}

enum taken { TAKEN, NOT_THE_SAME };

static bool is_behind(struct change_id id, struct change_id place)
{
    return change_id_is_none(place) || change_id_compare(id, place) > 0;
}

/* before: the newest of an earlier look, or NULL. Letters come in the order of the log; one that
 * comes behind those of a later place is of another topic, or of a place that is read again. */
static enum taken take(struct letter_index *x, const struct letter_look *look,
                       const struct kafka_letter *letter, const struct change_id *before)
{
    struct letter_spot spot;
    struct letter_part *part = part_of(x, letter->partition);
    uint64_t hash = hash_of(letter);
    if (part->doubtful) {
        part->doubtful = false;
        return letter->offset == part->last && hash == part->last_hash ? TAKEN : NOT_THE_SAME;
    }
    if (letter->offset > part->last) {
        part->last = letter->offset;
        part->last_hash = hash;
    }
    if (!letter_spot_read(letter, look->system_identifier, &spot))
        return TAKEN;
    struct change_id id = letter_spot_id(&spot);
    if (!spot.mark && !spot.foreign) {
        if (before != NULL && !is_behind(id, *before))
            return NOT_THE_SAME;
        if (is_behind(id, x->newest))
            x->newest = id;
    }
    bool marks_kept = spot.mark && before != NULL;
    if (!look->wants(look->of, letter, &spot) || (!is_behind(id, x->from) && !marks_kept))
        return TAKEN;
    if (x->limited && is_behind(id, x->until))
        leave_out(x, &spot);
    else
        keep(x, &spot, look->window_max);
    return TAKEN;
}

/* later: what came since. 1: read to the end. 0: it is no longer the same. */
static int read_through(struct letter_index *x, const struct letter_look *look,
                        const struct kafka_letter_range *ranges, bool later, struct error *err)
{
    struct kafka_letter letter;
    const struct change_id newest = x->newest;
    int got;
    if (look->source->begin(look->source->of, ranges, ranges != NULL ? x->part_count : 0, err) < 0)
        return -1;
    uint32_t known = x->part_count;
    while ((got = look->source->next(look->source->of, &letter, err)) == 1)
        if (take(x, look, &letter, later ? &newest : NULL) == NOT_THE_SAME)
            return 0;
    if (got < 0)
        return -1;
    for (uint32_t i = 0; later && i < known; i++)
        if (x->parts[i].doubtful)
            return 0;
    cut(x, look->window_max);
    settle(x);
    return 1;
}

static struct kafka_letter_range *ranges_of(const struct letter_index *x)
{
    struct kafka_letter_range *ranges = calloc(x->part_count + 1, sizeof *ranges);
    if (ranges == NULL)
        abort();
    for (uint32_t i = 0; i < x->part_count; i++)
        ranges[i] = (struct kafka_letter_range){0, INT64_MAX};
    return ranges;
}

int letter_index_fill(struct letter_index *x, const struct letter_look *look, struct error *err)
{
    assert(look->window_max > 0);
    letter_index_forget(x);
    return read_through(x, look, NULL, false, err) < 0 ? -1 : 0;
}

int letter_index_go_on(struct letter_index *x, const struct letter_look *look, bool *same,
                       struct error *err)
{
    struct kafka_letter_range *ranges = ranges_of(x);
    for (uint32_t i = 0; i < x->part_count; i++) {
        struct letter_part *part = &x->parts[i];
        part->doubtful = part->last >= 0;
        ranges[i].from = part->doubtful ? part->last : 0;
    }
    int got = read_through(x, look, ranges, true, err);
    free(ranges);
    *same = got > 0;
    return got < 0 ? -1 : 0;
}

/* The spots that stay are older than all that come. */
static void keep_behind(struct letter_index *x, struct change_id after)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->count; i++)
        if (is_behind(letter_spot_id(&x->spots[i]), after))
            x->spots[kept++] = x->spots[i];
    x->count = kept;
}

int letter_index_advance(struct letter_index *x, const struct letter_look *look,
                         struct change_id after, struct error *err)
{
    assert(x->limited);
    struct kafka_letter_range *ranges = ranges_of(x);
    for (uint32_t i = 0; i < x->part_count; i++) {
        struct letter_part *part = &x->parts[i];
        ranges[i].from = part->rest < part->last + 1 ? part->rest : part->last + 1;
        part->rest = INT64_MAX;
    }
    x->from = x->until;
    x->limited = false;
    keep_behind(x, after);
    assert(x->count < look->window_max);
    int got = read_through(x, look, ranges, false, err);
    free(ranges);
    return got < 0 ? -1 : 0;
}

void letter_index_add_stuck(struct letter_index *x, uint64_t owner)
{
    if (x->stuck_count == x->stuck_size)
        x->stuck = grown(x->stuck, &x->stuck_size, sizeof *x->stuck, 64);
    x->stuck[x->stuck_count++] = owner;
}
