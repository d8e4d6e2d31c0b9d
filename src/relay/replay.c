/* relay/replay: see replay.h. Letters are ordered by their ids, which are places in the log. A look
 * passes over the whole topic, since a mark lies behind its letter. */
#include "relay/replay.h"

#include "json/json_read.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (16 * 1024)
/* Routes that have made a letter of one change. */
#define TARGETS_MAX 64

struct found {
    struct change_id id;
    uint64_t route; /* hash of its name */
    size_t bytes;
    const struct held_key *group;
    bool mark, foreign;
};

struct target {
    struct span route, key;
};

struct looking {
    struct replay *r;
    struct quarantine *q;
    const struct replay_limits *limits;
    const struct replay_source *source;
    struct target targets[TARGETS_MAX]; /* of a wish by id */
    uint32_t target_count;
    struct found *found; /* the oldest from `from` on */
    uint32_t count, size;
    struct change_id from;
    bool limited; /* what is younger was dropped */
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

/* ---- One record ---- */

static bool read_found(const struct looking *l, const struct kafka_letter *letter,
                       struct span *route, struct found *found)
{
    char text[CHANGE_ID_TEXT_MAX];
    uint64_t system;
    struct span id = kafka_letter_header(letter, HEADER_ID);
    *route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    if (id.ptr == NULL || id.len >= sizeof text || route->ptr == NULL)
        return false;
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(id));
    *found = (struct found){.mark = kafka_letter_header(letter, HEADER_LETTER).ptr != NULL};
    if (!change_id_parse(text, &system, &found->id, NULL) || found->id.kind != CHANGE_ID_WAL)
        return false;
    found->foreign = system != l->r->system_identifier;
    found->route = hash_add(HASH_INIT, route->ptr, route->len);
    found->bytes = letter->value.len;
    struct held_key *entry = quarantine_find(l->q, *route, letter->key);
    found->group = entry != NULL ? entry->group : NULL;
    return true;
}

static bool is_of(const struct looking *l, struct span route, struct span key,
                  const struct found *found, struct span wanted)
{
    if (key.ptr != NULL && span_equal(key, wanted))
        return true;
    const struct held_key *held = quarantine_find(l->q, route, wanted);
    return held != NULL && held->group == found->group;
}

static bool is_wanted(const struct looking *l, const struct kafka_letter *letter, struct span route,
                      const struct found *found)
{
    const struct replay_wish *wish = &l->r->wish;
    if (wish->route.ptr != NULL && !span_equal(route, wish->route))
        return false;
    if (wish->all)
        return true;
    if (wish->keyed)
        return is_of(l, route, letter->key, found, wish->key);
    if (change_id_equal(found->id, wish->id))
        return true;
    for (uint32_t i = 0; i < l->target_count; i++)
        if (span_equal(route, l->targets[i].route) && l->targets[i].key.ptr != NULL &&
            is_of(l, route, letter->key, found, l->targets[i].key))
            return true;
    return false;
}

/* ---- A look at all of them ---- */

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = change_id_compare(x->id, y->id);
    if (order == 0 && x->route != y->route)
        order = x->route < y->route ? -1 : 1;
    return order != 0 ? order : (int)y->mark - (int)x->mark;
}

/* Records of one id stay together. */
static void cut(struct looking *l)
{
    if (l->count == 0)
        return; /* there may be no array yet */
    qsort(l->found, l->count, sizeof *l->found, compare);
    uint32_t kept = l->limits->window_max;
    if (l->count <= kept)
        return;
    while (kept > 0 && change_id_equal(l->found[kept - 1].id, l->found[kept].id))
        kept--;
    if (kept == 0)
        return;
    l->count = kept;
    l->limited = true;
}

static void keep(struct looking *l, const struct found *found)
{
    if (l->count == l->size) {
        l->size = l->size > 0 ? l->size * 2 : 1024;
        l->found = realloc(l->found, l->size * sizeof *l->found);
        if (l->found == NULL)
            abort();
    }
    l->found[l->count++] = *found;
    if (l->count >= 2 * l->limits->window_max)
        cut(l);
}

/* What was dropped once is younger than all that is kept, and so is what `limited` keeps out. */
static int look(struct looking *l, struct error *err)
{
    struct kafka_letter letter;
    struct found found, limit = {0};
    struct span route;
    int got;
    l->count = 0;
    l->limited = false;
    if (l->source->begin(l->source->of, err) < 0)
        return -1;
    while ((got = l->source->next(l->source->of, &letter, err)) == 1) {
        if (!read_found(l, &letter, &route, &found) || !is_wanted(l, &letter, route, &found))
            continue;
        if (!change_id_is_none(l->from) && change_id_compare(found.id, l->from) <= 0)
            continue;
        if (l->limited && change_id_compare(found.id, limit.id) > 0)
            continue;
        uint32_t before = l->count;
        keep(l, &found);
        if (l->count < before + 1)
            limit = l->found[l->count - 1];
    }
    cut(l);
    return got;
}

/* ---- Which of them ---- */

static bool is_open(const struct found *run, uint32_t count)
{
    assert(count > 0);
    return !run[0].mark; /* marks come first */
}

static uint32_t run_of(const struct looking *l, uint32_t at)
{
    uint32_t count = 1;
    while (at + count < l->count && l->found[at + count].route == l->found[at].route &&
           change_id_equal(l->found[at + count].id, l->found[at].id))
        count++;
    return count;
}

static void choose(struct looking *l, const struct found *found)
{
    struct replay *r = l->r;
    const struct replay_wish *wish = &r->wish;
    if (!change_id_is_none(wish->after) && change_id_compare(found->id, wish->after) <= 0) {
        if (found->group != NULL)
            ((struct held_key *)found->group)->blocked = true;
        return;
    }
    if (!change_id_is_none(wish->id) && !change_id_equal(found->id, wish->id)) {
        r->others = true;
        if (found->group != NULL && change_id_compare(found->id, wish->id) < 0)
            ((struct held_key *)found->group)->blocked = true;
        return;
    }
    bool full = r->count == l->limits->letters_max ||
                (r->count > 0 && !wish->drop && l->bytes + found->bytes > l->limits->bytes_max);
    if (r->more || full) {
        r->more = true;
        return;
    }
    l->bytes += found->bytes;
    r->letters[r->count++] = (struct replay_letter){
        .id = found->id, .route = {NULL, (size_t)found->route}, .foreign = found->foreign};
}

static int choose_all(struct looking *l, struct error *err)
{
    for (;;) {
        if (look(l, err) < 0)
            return -1;
        for (uint32_t i = 0; i < l->count && !l->r->more;) {
            uint32_t count = run_of(l, i);
            if (is_open(&l->found[i], count))
                choose(l, &l->found[i]);
            i += count;
        }
        if (l->r->more || !l->limited)
            return 0;
        l->from = l->found[l->count - 1].id;
    }
}

/* ---- What is in them ---- */

static struct replay_letter *chosen(struct replay *r, const struct found *found)
{
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (change_id_compare(r->letters[middle].id, found->id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->count && change_id_equal(r->letters[low].id, found->id); low++)
        if (r->letters[low].route.ptr == NULL && r->letters[low].route.len == (size_t)found->route)
            return &r->letters[low];
    return NULL;
}

static int fetch(struct looking *l, struct error *err)
{
    struct replay *r = l->r;
    struct kafka_letter letter;
    struct found found;
    struct span route;
    int got;
    if (r->count == 0)
        return 0;
    if (l->source->begin(l->source->of, err) < 0)
        return -1;
    while ((got = l->source->next(l->source->of, &letter, err)) == 1) {
        if (!read_found(l, &letter, &route, &found) || found.mark)
            continue;
        struct replay_letter *one = chosen(r, &found);
        if (one == NULL)
            continue;
        one->route = arena_copy(&r->arena, route);
        one->key = letter.key.ptr != NULL ? arena_copy(&r->arena, letter.key) : span_null();
        if (!r->wish.drop && letter.value.ptr != NULL)
            one->value = arena_copy(&r->arena, letter.value);
    }
    /* What retention has taken since the look is gone. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->letters[i].route.ptr != NULL)
            r->letters[kept++] = r->letters[i];
    r->count = kept;
    return got;
}

/* Routes and keys of the one that is wanted by its id. */
static int find_target(struct looking *l, struct error *err)
{
    struct replay *r = l->r;
    struct kafka_letter letter;
    struct found found;
    struct span route;
    int got;
    if (l->source->begin(l->source->of, err) < 0)
        return -1;
    while ((got = l->source->next(l->source->of, &letter, err)) == 1)
        if (read_found(l, &letter, &route, &found) && change_id_equal(found.id, r->wish.id) &&
            is_wanted(l, &letter, route, &found) && l->target_count < TARGETS_MAX)
            l->targets[l->target_count++] = (struct target){
                arena_copy(&r->arena, route),
                letter.key.ptr != NULL ? arena_copy(&r->arena, letter.key) : span_null()};
    return got;
}

static void unblock(struct quarantine *q)
{
    size_t cursor = 0;
    struct span name;
    void *value;
    while (table_next(&q->keys, &cursor, &name, &value))
        ((struct held_key *)value)->blocked = false;
}

int replay_load(struct replay *r, uint64_t command, struct span text, struct quarantine *q,
                const struct replay_limits *limits, const struct replay_source *source,
                struct error *err)
{
    assert(command != 0 && limits->letters_max > 0 && limits->window_max > 0);
    struct looking l = {.r = r, .q = q, .limits = limits, .source = source};
    struct error bad = ERROR_INIT;
    arena_reset(&r->arena);
    r->count = 0;
    r->more = r->others = false;
    r->command = 0;
    unblock(q);
    if (replay_wish_read(text, &r->arena, &r->wish, &bad) < 0)
        return 0; /* the command fails where it is met */
    r->letters = arena_alloc_zero(&r->arena, limits->letters_max * sizeof *r->letters);
    int result = change_id_is_none(r->wish.id) ? 0 : find_target(&l, err);
    if (result == 0)
        result = choose_all(&l, err);
    if (result == 0)
        result = fetch(&l, err);
    free(l.found);
    if (result == 0)
        r->command = command;
    return result;
}
