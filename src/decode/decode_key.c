/* decode_key: see decode_key.h. A key that is only perhaps the right one is none: it would decide
 * about partitions and compaction. What is told apart:
 *
 *   - nothing was renamed: the names say all;
 *   - no column was ever dropped: the numbers have no gaps, and the columns of then are the first
 * of those of now;
 *   - else names that are in the same order then and now are the same columns, and between two of
 *     them as many columns as there were then are those that were there.
 *
 * Deliberately not known: a column that took the name of another one, which has been dropped, while
 * rows waited, at the same place among the others. */
#include "decode/decode_key.h"

#include <assert.h>

static bool is_live(const struct relation_fact *fact)
{
    return !fact->dropped;
}

/* Does the stream send it? What is generated it does not, mostly. */
static bool is_sent(const struct relation_fact *fact)
{
    return !fact->dropped && !fact->unsent;
}

static uint16_t fact_named(const struct relation_facts *facts, struct span name)
{
    for (uint32_t i = 0; i < facts->count; i++)
        if (is_live(&facts->columns[i]) && span_equal(facts->columns[i].name, name))
            return (uint16_t)i;
    return KEY_COLUMN_NONE;
}

static void forget(struct key_alignment *a, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        a->fact_of[i] = KEY_COLUMN_NONE;
}

/* ---- Names ---- */

/* Whether all columns of then are there under their names, in their order, and what is more has
 * come behind them. */
static bool is_unaltered(const struct relation *relation, const struct relation_facts *facts,
                         const struct key_alignment *a)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < relation->column_count; i++, at++) {
        if (a->fact_of[i] == KEY_COLUMN_NONE)
            return false;
        while (at < facts->count && at != a->fact_of[i] && !is_sent(&facts->columns[at]))
            at++;
        if (at != a->fact_of[i])
            return false;
    }
    return true;
}

/* Of names that stand otherwise to each other than they did none is trusted. */
static void forget_what_moved(struct key_alignment *a, uint32_t count)
{
    bool moved[KEY_COLUMNS_MAX] = {false};
    int32_t highest = -1, lowest = INT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int32_t at = a->fact_of[i];
        if (at == KEY_COLUMN_NONE)
            continue;
        moved[i] = at < highest;
        highest = at > highest ? at : highest;
    }
    for (uint32_t i = count; i-- > 0;) {
        int32_t at = a->fact_of[i];
        if (at == KEY_COLUMN_NONE)
            continue;
        moved[i] |= at > lowest;
        lowest = at < lowest ? at : lowest;
    }
    for (uint32_t i = 0; i < count; i++)
        if (moved[i])
            a->fact_of[i] = KEY_COLUMN_NONE;
}

/* ---- Numbers ---- */

/* The columns [from, to) become the first that are sent of the facts [first, end). */
static void take_in_order(const struct relation_facts *facts, uint32_t first, uint32_t end,
                          struct key_alignment *a, uint32_t from, uint32_t to)
{
    for (uint32_t i = first; i < end && from < to; i++)
        if (is_sent(&facts->columns[i]))
            a->fact_of[from++] = (uint16_t)i;
    assert(from == to);
}

struct gap {
    uint32_t from, to;   /* columns of the relation */
    uint32_t first, end; /* facts */
    bool last;           /* behind it there may be columns that are new */
};

/* False: so it cannot have been, so some name is not what it was. */
static bool fill_gap(const struct relation_facts *facts, const struct gap *gap,
                     struct key_alignment *a)
{
    uint32_t columns = gap->to - gap->from, sent = 0, dropped = 0;
    for (uint32_t i = gap->first; i < gap->end; i++) {
        sent += is_sent(&facts->columns[i]);
        dropped += facts->columns[i].dropped;
    }
    if ((!gap->last && sent > columns) || columns > sent + dropped)
        return false;
    if (gap->last ? dropped == 0 : sent == columns)
        take_in_order(facts, gap->first, gap->end, a, gap->from, gap->to);
    return true;
}

static bool fill_gaps(const struct relation *relation, const struct relation_facts *facts,
                      struct key_alignment *a)
{
    struct gap gap = {.from = 0, .first = 0};
    for (uint32_t i = 0; i <= relation->column_count; i++) {
        gap.last = i == relation->column_count;
        if (!gap.last && a->fact_of[i] == KEY_COLUMN_NONE)
            continue;
        gap.to = i;
        gap.end = gap.last ? facts->count : a->fact_of[i];
        if (!fill_gap(facts, &gap, a))
            return false;
        gap.from = i + 1;
        gap.first = gap.end + 1;
    }
    return true;
}

static bool are_numbers_whole(const struct relation *relation, const struct relation_facts *facts)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < facts->count; i++) {
        if (facts->columns[i].dropped)
            return false;
        sent += is_sent(&facts->columns[i]);
    }
    return sent >= relation->column_count;
}

void key_align(const struct relation *relation, const struct relation_facts *facts,
               struct key_alignment *a)
{
    uint32_t count = relation->column_count;
    assert(count <= KEY_COLUMNS_MAX && facts->count <= KEY_COLUMNS_MAX);
    for (uint32_t i = 0; i < count; i++)
        a->fact_of[i] = fact_named(facts, relation->columns[i].name);
    if (is_unaltered(relation, facts, a))
        return;
    if (are_numbers_whole(relation, facts)) {
        take_in_order(facts, 0, facts->count, a, 0, count);
        return;
    }
    forget_what_moved(a, count);
    if (!fill_gaps(relation, facts, a))
        forget(a, 0, count);
}

/* ---- The key ---- */

/* The column that is at this place of the key; NONE: it is not among them. */
static uint32_t column_at(const struct relation *relation, const struct relation_facts *facts,
                          const struct key_alignment *a, uint32_t place)
{
    for (uint32_t i = 0; i < relation->column_count; i++)
        if (a->fact_of[i] != KEY_COLUMN_NONE && facts->columns[a->fact_of[i]].key_place == place)
            return i;
    return KEY_COLUMN_NONE;
}

/* As the index of now has it; false: a column of it is not among those of then. */
static bool take_key(const struct relation *relation, const struct relation_facts *facts,
                     const struct key_alignment *a, uint32_t *columns, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < facts->count; i++)
        *count += facts->columns[i].key_place > 0;
    if (*count > relation->column_count)
        return false;
    for (uint32_t k = 0; k < *count; k++) {
        columns[k] = column_at(relation, facts, a, k + 1);
        if (columns[k] == KEY_COLUMN_NONE)
            return false;
    }
    return true;
}

static bool is_any_gone(const struct relation *relation, const struct key_alignment *a)
{
    for (uint32_t i = 0; i < relation->column_count; i++)
        if (a->fact_of[i] == KEY_COLUMN_NONE)
            return true;
    return false;
}

int key_find(const struct relation *relation, const struct relation_facts *facts,
             const struct key_alignment *a, uint32_t *columns)
{
    uint32_t count, flagged = 0, first = 0;
    bool whole = take_key(relation, facts, a, columns, &count);
    for (uint32_t i = relation->column_count; i-- > 0;)
        if (relation->columns[i].key) {
            flagged++;
            first = i;
        }
    /* The identity is the primary key, and of the time of the rows: only its order is to be told.
     */
    if (relation->identity == 'd' && flagged > 0) {
        bool same = whole && count == flagged;
        for (uint32_t k = 0; same && k < count; k++)
            same = relation->columns[columns[k]].key;
        if (!same && flagged == 1)
            columns[0] = first;
        return same || flagged == 1 ? (int)flagged : -1;
    }
    if (count == 0)
        return is_any_gone(relation, a) ? -1 : 0;
    return whole ? (int)count : -1;
}
