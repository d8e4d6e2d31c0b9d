/* relay/replay: see replay.h. Letters are ordered by their ids, which are places in the log. */
#include "relay/replay.h"

#include "base/hash.h"
#include "json/json_read.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (16 * 1024)
/* Routes that have made a letter of one change. */
#define TARGETS_MAX 64

struct target {
    struct span route, key;
};

/* A group, by each of its keys. */
struct known_owner {
    uint64_t hash;
    struct held_key *group;
};

struct looking {
    struct replay *r;
    struct quarantine *q;
    const struct replay_limits *limits;
    const struct letter_source *source;
    struct letter_index *index;
    struct target targets[TARGETS_MAX]; /* of a wish by id */
    uint32_t target_count;
    struct known_owner *owners; /* by hash */
    uint32_t owner_count;
    uint64_t held; /* all that are held, and with whom */
    size_t bytes;
};

void replay_init(struct replay *r, uint64_t system_identifier)
{
    *r = (struct replay){.system_identifier = system_identifier};
    arena_init(&r->arena, ARENA_BYTES, ARENA_BYTES);
}

void replay_fini(struct replay *r)
{
    arena_fini(&r->arena);
}

/* ---- The wish ---- */

static bool read_id(const struct json_tree *tree, const char *name, struct change_id *id)
{
    struct span text;
    uint64_t system;
    uint32_t event;
    *id = (struct change_id){.kind = CHANGE_ID_NONE};
    if (!json_tree_member_string(tree, name, &text))
        return json_tree_member(tree, name) == NULL;
    return change_id_parse(text.ptr, &system, id, &event) && id->kind == CHANGE_ID_WAL;
}

static bool read_key(const struct json_tree *node, struct arena *arena, struct span *key)
{
    struct span text;
    if (json_tree_string(node, &text)) {
        *key = arena_copy(arena, text);
        return true;
    }
    return json_tree_member_string(node, "base64", &text) && types_from_base64(text, arena, key);
}

static int read_wish(const struct json_tree *tree, struct arena *arena, struct replay_wish *wish,
                     struct error *err)
{
    struct span text;
    const struct json_tree *key = json_tree_member(tree, "key");
    *wish = (struct replay_wish){.keyed = key != NULL};
    if (json_tree_member_string(tree, "do", &text))
        wish->drop = span_equal_text(text, "drop");
    if (json_tree_member_string(tree, "route", &text))
        wish->route = arena_copy(arena, text);
    (void)json_tree_member_bool(tree, "all", &wish->all);
    if (!read_id(tree, "id", &wish->id) || !read_id(tree, "after", &wish->after))
        return error_data(err, REASON_BAD_VALUE, "id is no walferry-id of a change in the log");
    if (key != NULL && !read_key(key, arena, &wish->key))
        return error_data(err, REASON_BAD_VALUE, "key is no string");
    int given = (wish->all ? 1 : 0) + (wish->keyed ? 1 : 0) + (change_id_is_none(wish->id) ? 0 : 1);
    if (given != 1)
        return error_data(err, REASON_BAD_VALUE, "it wants one of key, id and all");
    return 0;
}

int replay_wish_read(struct span command, struct arena *arena, struct replay_wish *wish,
                     struct error *err)
{
    struct json_tree *tree = NULL;
    assert(arena != NULL && wish != NULL);
    int result = json_tree_parse(command, &tree, err);
    if (result == 0)
        result = read_wish(tree, arena, wish, err);
    json_tree_free(tree);
    return result;
}

/* ---- Who is held ---- */

static int compare_owners(const void *a, const void *b)
{
    const struct known_owner *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : 0;
}

static void list_owners(struct looking *l)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    l->owners = arena_alloc(&l->r->arena, (l->q->held + 1) * sizeof *l->owners);
    while (table_next(&l->q->keys, &cursor, &name, &value)) {
        struct held_key *entry = value;
        entry->blocked = entry->remembered = false;
        if (!entry->held)
            continue;
        uint64_t hash = letter_owner(entry->route, entry->key);
        uint64_t first = letter_owner(entry->group->route, entry->group->key);
        l->owners[l->owner_count++] = (struct known_owner){hash, entry->group};
        l->held += hash_add(hash, &first, sizeof first);
    }
    qsort(l->owners, l->owner_count, sizeof *l->owners, compare_owners);
}

static struct held_key *group_of(const struct looking *l, uint64_t hash)
{
    const struct known_owner wanted = {hash, NULL};
    if (hash == 0 || l->owner_count == 0)
        return NULL;
    const struct known_owner *found =
        bsearch(&wanted, l->owners, l->owner_count, sizeof *l->owners, compare_owners);
    return found != NULL ? found->group : NULL;
}

/* ---- Which are looked for ---- */

static bool is_of(const struct looking *l, struct span route, const struct kafka_letter *letter,
                  struct span wanted)
{
    if (letter->key.ptr != NULL && span_equal(letter->key, wanted))
        return true;
    const struct held_key *held = quarantine_find(l->q, route, wanted);
    if (held == NULL)
        return false;
    const struct held_key *own = quarantine_find(l->q, route, letter->key);
    return own != NULL && own->group == held->group;
}

static bool is_wanted(void *of, const struct kafka_letter *letter, const struct letter_spot *spot)
{
    const struct looking *l = of;
    const struct replay_wish *wish = &l->r->wish;
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    if (wish->route.ptr != NULL && !span_equal(route, wish->route))
        return false;
    if (wish->all)
        return true;
    if (wish->keyed)
        return is_of(l, route, letter, wish->key);
    if (change_id_equal(letter_spot_id(spot), wish->id))
        return true;
    for (uint32_t i = 0; i < l->target_count; i++)
        if (span_equal(route, l->targets[i].route) && l->targets[i].key.ptr != NULL &&
            is_of(l, route, letter, l->targets[i].key))
            return true;
    return false;
}

/* ---- Which of them ---- */

/* False where the letter is older than those that the command is about, and open. */
static bool is_due(struct looking *l, const struct letter_spot *spot, struct held_key *group)
{
    struct replay *r = l->r;
    const struct replay_wish *wish = &r->wish;
    struct change_id id = letter_spot_id(spot);
    if (!change_id_is_none(wish->after) && change_id_compare(id, wish->after) <= 0) {
        if (group != NULL)
            group->blocked = true;
        return false;
    }
    if (change_id_is_none(wish->id) || change_id_equal(id, wish->id))
        return true;
    r->others = true;
    if (group != NULL && change_id_compare(id, wish->id) < 0)
        group->blocked = true;
    return false;
}

static void choose(struct looking *l, const struct letter_spot *spot)
{
    struct replay *r = l->r;
    if (!is_due(l, spot, group_of(l, spot->owner)))
        return;
    bool full = r->count == l->limits->letters_max ||
                (r->count > 0 && !r->wish.drop && l->bytes + spot->bytes > l->limits->bytes_max);
    if (r->more || full) {
        r->more = true;
        return;
    }
    l->bytes += spot->bytes;
    /* Where it lies, and the hash of its route, until it is fetched. */
    r->letters[r->count++] = (struct replay_letter){.id = letter_spot_id(spot),
                                                    .route = {NULL, (size_t)spot->route},
                                                    .foreign = spot->foreign,
                                                    .partition = spot->partition,
                                                    .offset = spot->offset};
}

/* What is open before the command's own, when the next window takes its place. */
static void remember_stuck(struct looking *l)
{
    struct letter_index *x = l->index;
    const struct change_id after = l->r->wish.after;
    for (uint32_t i = 0; i < x->count && !change_id_is_none(after); i++) {
        struct held_key *group = group_of(l, x->spots[i].owner);
        if (change_id_compare(letter_spot_id(&x->spots[i]), after) > 0)
            return;
        if (group == NULL)
            x->strays = true;
        else if (!group->remembered)
            letter_index_add_stuck(x, x->spots[i].owner);
        if (group != NULL)
            group->remembered = true;
    }
}

static int choose_all(struct looking *l, const struct letter_look *look, struct error *err)
{
    struct replay *r = l->r;
    struct letter_index *x = l->index;
    uint32_t seen = 0;
    for (;;) {
        for (uint32_t i = seen; i < x->count && !r->more; i++)
            choose(l, &x->spots[i]);
        if (r->more || !x->limited)
            return 0;
        remember_stuck(l);
        /* Those that were chosen stay: how they end is not known yet. */
        bool by_id = !change_id_is_none(r->wish.id);
        seen = by_id ? 0 : r->count;
        if (letter_index_advance(x, look, by_id ? x->until : r->wish.after, err) < 0)
            return -1;
    }
}

/* ---- What is known of them ---- */

static uint64_t hash_of_wish(const struct replay *r)
{
    const struct replay_wish *wish = &r->wish;
    const char how[] = {(char)wish->drop, (char)wish->all, (char)wish->keyed,
                        (char)(wish->route.ptr != NULL)};
    uint64_t hash = hash_add(HASH_INIT, how, sizeof how);
    hash = hash_add(hash, &r->system_identifier, sizeof r->system_identifier);
    hash = hash_add(hash, &wish->key.len, sizeof wish->key.len);
    hash = hash_add(hash, wish->key.ptr, wish->key.len);
    return hash_add(hash, wish->route.ptr, wish->route.len);
}

/* Which letters are looked for depends on who is held with whom, where they are not all. */
static bool is_known(const struct looking *l, uint64_t wish)
{
    const struct letter_index *x = l->index;
    const struct replay_wish *w = &l->r->wish;
    bool from_there = change_id_is_none(x->from) ||
                      (!change_id_is_none(w->after) && change_id_compare(w->after, x->from) >= 0);
    return x->part_count > 0 && x->wish == wish && change_id_is_none(w->id) && from_there &&
           (x->held == l->held || (w->all && !x->strays));
}

static int look_for_letters(struct looking *l, const struct letter_look *look, struct error *err)
{
    struct letter_index *x = l->index;
    uint64_t wish = hash_of_wish(l->r);
    bool same = is_known(l, wish);
    if (same && letter_index_go_on(x, look, &same, err) < 0)
        return -1;
    if (!same && letter_index_fill(x, look, err) < 0)
        return -1;
    x->wish = wish;
    x->held = l->held;
    for (uint32_t i = 0; i < x->stuck_count; i++) {
        struct held_key *group = group_of(l, x->stuck[i]);
        if (group != NULL)
            group->blocked = group->remembered = true;
    }
    return choose_all(l, look, err);
}

/* ---- What is in them ---- */

static struct replay_letter *chosen(struct replay *r, const struct letter_spot *found)
{
    struct change_id id = letter_spot_id(found);
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (change_id_compare(r->letters[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->count && change_id_equal(r->letters[low].id, id); low++)
        if (r->letters[low].route.ptr == NULL && r->letters[low].route.len == (size_t)found->route)
            return &r->letters[low];
    return NULL;
}

/* Of each partition as much as there are letters of in it. */
static uint32_t ranges_of(struct replay *r, struct kafka_letter_range **ranges)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if ((uint32_t)r->letters[i].partition >= count)
            count = (uint32_t)r->letters[i].partition + 1;
    *ranges = arena_alloc(&r->arena, count * sizeof **ranges);
    for (uint32_t i = 0; i < count; i++)
        (*ranges)[i] = (struct kafka_letter_range){INT64_MAX, 0};
    for (uint32_t i = 0; i < r->count; i++) {
        struct kafka_letter_range *range = &(*ranges)[r->letters[i].partition];
        int64_t offset = r->letters[i].offset;
        range->from = offset < range->from ? offset : range->from;
        range->until = offset >= range->until ? offset + 1 : range->until;
    }
    return count;
}

static void take(struct replay *r, struct replay_letter *one, const struct kafka_letter *letter)
{
    one->route = arena_copy(&r->arena, kafka_letter_header(letter, HEADER_ERROR_ROUTE));
    one->key = letter->key.ptr != NULL ? arena_copy(&r->arena, letter->key) : span_null();
    if (!r->wish.drop && letter->value.ptr != NULL)
        one->value = arena_copy(&r->arena, letter->value);
}

static int fetch(struct looking *l, struct error *err)
{
    struct replay *r = l->r;
    struct kafka_letter letter;
    struct kafka_letter_range *ranges;
    struct letter_spot found;
    int got = 0;
    if (r->count == 0)
        return 0;
    uint32_t count = ranges_of(r, &ranges), missing = r->count;
    if (l->source->begin(l->source->of, ranges, count, err) < 0)
        return -1;
    while (missing > 0 && (got = l->source->next(l->source->of, &letter, err)) == 1) {
        struct replay_letter *one = NULL;
        if (letter_spot_read(&letter, r->system_identifier, &found) && !found.mark)
            one = chosen(r, &found);
        if (one == NULL)
            continue;
        take(r, one, &letter);
        missing--;
    }
    /* What retention has taken since the look is gone. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->letters[i].route.ptr != NULL)
            r->letters[kept++] = r->letters[i];
    r->count = kept;
    return got < 0 ? -1 : 0;
}

/* Routes and keys of the one that is wanted by its id. */
static int find_target(struct looking *l, struct error *err)
{
    struct replay *r = l->r;
    struct kafka_letter letter;
    struct letter_spot found;
    int got;
    if (l->source->begin(l->source->of, NULL, 0, err) < 0)
        return -1;
    while ((got = l->source->next(l->source->of, &letter, err)) == 1)
        if (letter_spot_read(&letter, r->system_identifier, &found) &&
            change_id_equal(letter_spot_id(&found), r->wish.id) && is_wanted(l, &letter, &found) &&
            l->target_count < TARGETS_MAX)
            l->targets[l->target_count++] = (struct target){
                arena_copy(&r->arena, kafka_letter_header(&letter, HEADER_ERROR_ROUTE)),
                letter.key.ptr != NULL ? arena_copy(&r->arena, letter.key) : span_null()};
    return got;
}

int replay_load(struct replay *r, uint64_t command, struct span text, struct quarantine *q,
                const struct replay_limits *limits, const struct letter_source *source,
                struct letter_index *index, struct error *err)
{
    assert(command != 0 && limits->letters_max > 0 && limits->letters_max < limits->window_max &&
           index != NULL);
    struct looking l = {.r = r, .q = q, .limits = limits, .source = source, .index = index};
    const struct letter_look look = {.source = source,
                                     .system_identifier = r->system_identifier,
                                     .window_max = limits->window_max,
                                     .of = &l,
                                     .wants = is_wanted};
    struct error bad = ERROR_INIT;
    arena_reset(&r->arena);
    r->count = 0;
    r->more = r->others = false;
    r->command = 0;
    list_owners(&l);
    if (replay_wish_read(text, &r->arena, &r->wish, &bad) < 0)
        return 0; /* the command fails where it is met */
    r->letters = arena_alloc_zero(&r->arena, limits->letters_max * sizeof *r->letters);
    int result = change_id_is_none(r->wish.id) ? 0 : find_target(&l, err);
    if (result == 0)
        result = look_for_letters(&l, &look, err);
    if (result == 0)
        result = fetch(&l, err);
    if (result < 0 || !r->more)
        letter_index_forget(index);
    if (result == 0)
        r->command = command;
    return result;
}
